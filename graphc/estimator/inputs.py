"""tf.estimator.inputs: input functions from arrays and data frames."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {"graphc.estimator.array_input": "numpy_input_fn pandas_input_fn"}
)
