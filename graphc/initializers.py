"""tf.initializers: initial values of variables. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.initializers": """
            constant=Constant glorot_normal=GlorotNormal glorot_uniform=GlorotUniform he_normal
            he_uniform identity=Identity lecun_normal lecun_uniform ones=Ones
            orthogonal=Orthogonal random_normal=RandomNormal random_uniform=RandomUniform
            truncated_normal=TruncatedNormal uniform_unit_scaling=UniformUnitScaling
            variance_scaling=VarianceScaling zeros=Zeros""",
        "graphc.tf1.api_state": """
            global_variables=global_variables_initializer
            local_variables=local_variables_initializer variables=variables_initializer""",
    },
)
