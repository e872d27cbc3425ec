"""tf.keras.layers: noise while training. Imports keras.engine."""

from __future__ import annotations

import math
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import arrays
from graphc.keras.core import math as K
from graphc.keras.engine.base_layer import Layer
from graphc.tf1 import api_array, api_math

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]


class GaussianNoise(Layer):
    """Adds normal noise of standard deviation `stddev`."""

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        stddev = kwargs.pop("sigma", stddev)
        super().__init__(**kwargs)
        self.stddev, self.seed = stddev, seed

    def call(self, inputs: Any, training: Any = None) -> Tensor:  # type: ignore[override]
        def noised() -> Tensor:
            noise = arrays.random_normal(
                api_array.shape(inputs), 0.0, self.stddev, dtype=inputs.dtype, seed=self.seed
            )
            return inputs + noise

        return K.in_train_phase(noised, inputs, training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(Layer):
    """Multiplies by normal noise around 1, of variance rate / (1 - rate)."""

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def call(self, inputs: Any, training: Any = None) -> Tensor:  # type: ignore[override]
        if not 0 < self.rate < 1:
            return inputs

        def noised() -> Tensor:
            spread = math.sqrt(self.rate / (1.0 - self.rate))
            noise = arrays.random_normal(
                api_array.shape(inputs), 1.0, spread, dtype=inputs.dtype, seed=self.seed
            )
            return inputs * noise

        return K.in_train_phase(noised, inputs, training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


class AlphaDropout(Layer):
    """Dropout that keeps mean and variance of outputs of selu (Klambauer 2017)."""

    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs: Any, training: Any = None) -> Tensor:  # type: ignore[override]
        if not 0.0 < self.rate < 1.0:
            return inputs
        rate = self.rate

        def dropped() -> Tensor:
            low = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946
            shape = api_array.shape(inputs) if self.noise_shape is None else self.noise_shape
            draws = arrays.random_uniform(shape, dtype=inputs.dtype, seed=self.seed)
            keep = K.cast(api_math.greater_equal(draws, rate), inputs.dtype)
            a = ((1 - rate) * (1 + rate * low**2)) ** -0.5
            b = -a * low * rate
            return a * (inputs * keep + low * (1.0 - keep)) + b

        return K.in_train_phase(dropped, inputs, training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
