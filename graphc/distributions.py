"""tf.distributions: probability distributions. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.distributions.base": """
            Distribution FULLY_REPARAMETERIZED NOT_REPARAMETERIZED ReparameterizationType""",
        "graphc.tf1.distributions.kl": "RegisterKL kl_divergence",
        "graphc.tf1.distributions.normal": "Laplace Normal StudentT",
        "graphc.tf1.distributions.gamma": "Beta Exponential Gamma Uniform",
        "graphc.tf1.distributions.discrete": "Bernoulli",
        "graphc.tf1.distributions.categorical": "Categorical Multinomial",
        "graphc.tf1.distributions.dirichlet": "Dirichlet DirichletMultinomial",
    },
)
