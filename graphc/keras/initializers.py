"""tf.keras.initializers: initial values of weights.

Lives here: Keras' classes with Keras' defaults, get, serialize, deserialize. The values come from
tf1.initializers.
"""

from __future__ import annotations

import inspect
from typing import Any

from graphc.ir.dtypes import as_dtype, float32
from graphc.keras.core.config import floatx
from graphc.keras.core.objects import Kind
from graphc.tf1 import initializers as base
from graphc.tf1.api_math import cast
from graphc.tf1.initializers import Initializer

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity",
    "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal",
    "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros", "constant", "deserialize",
    "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
    "lecun_normal", "lecun_uniform", "normal", "ones", "orthogonal", "random_normal",
    "random_uniform", "serialize", "truncated_normal", "uniform", "zeros",
]  # fmt: skip


class _Configured:
    """Keras' configurations name no dtype, and may come with one."""

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()  # type: ignore[misc]
        config.pop("dtype", None)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        # newer files hold settings that say nothing here
        known = inspect.signature(cls.__init__).parameters
        return cls(**{k: v for k, v in config.items() if k in known and k != "dtype"})

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return super().__call__(shape, dtype or floatx(), partition_info)  # type: ignore[misc]


class Zeros(_Configured, base.Zeros):
    """All 0."""


class Ones(_Configured, base.Ones):
    """All 1."""


class Constant(_Configured, base.Constant):  # type: ignore[misc]
    """All `value`, or the values of an array."""


class RandomNormal(_Configured, base.RandomNormal):
    """Normal numbers, of standard deviation 0.05 unless told otherwise."""

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None, dtype: Any = None
    ) -> None:
        super().__init__(mean, stddev, seed, dtype or floatx())


class RandomUniform(_Configured, base.RandomUniform):
    """Uniform numbers, between -0.05 and 0.05 unless told otherwise."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(minval, maxval, seed, dtype or floatx())


class TruncatedNormal(_Configured, base.TruncatedNormal):
    """Normal numbers within two standard deviations."""

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None, dtype: Any = None
    ) -> None:
        super().__init__(mean, stddev, seed, dtype or floatx())


class VarianceScaling(_Configured, base.VarianceScaling):
    """Numbers whose variance is scale / n, n of inputs, outputs or their mean."""


class GlorotUniform(_Configured, base.GlorotUniform):
    """Uniform within sqrt(6 / (inputs + outputs))."""


class GlorotNormal(_Configured, base.GlorotNormal):
    """Truncated normal of standard deviation sqrt(2 / (inputs + outputs))."""


class _Seeded(VarianceScaling):
    _args: tuple[float, str, str] = (1.0, "fan_in", "truncated_normal")

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._args, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class HeNormal(_Seeded):
    """Truncated normal of standard deviation sqrt(2 / inputs)."""

    _args = (2.0, "fan_in", "truncated_normal")


class HeUniform(_Seeded):
    """Uniform within sqrt(6 / inputs)."""

    _args = (2.0, "fan_in", "uniform")


class LecunNormal(_Seeded):
    """Truncated normal of standard deviation sqrt(1 / inputs)."""


class LecunUniform(_Seeded):
    """Uniform within sqrt(3 / inputs)."""

    _args = (1.0, "fan_in", "uniform")


class Orthogonal(_Configured, base.Orthogonal):
    """An orthogonal matrix, times `gain`."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        kind = as_dtype(dtype or floatx())
        if not kind.is_half:
            return super().__call__(shape, dtype, partition_info)
        return cast(super().__call__(shape, float32, partition_info), kind)


class Identity(_Configured, base.Identity):
    """The identity matrix, times `gain`."""


zeros = zero = Zeros
ones = one = Ones
constant = Constant
random_normal = normal = RandomNormal
random_uniform = uniform = RandomUniform
truncated_normal = TruncatedNormal
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
orthogonal, identity = Orthogonal, Identity
variance_scaling = VarianceScaling


def serialize(initializer: Any) -> Any:
    """{"class_name", "config"}, or a function's name."""
    if isinstance(initializer, Initializer):
        return {"class_name": type(initializer).__name__, "config": initializer.get_config()}
    return getattr(initializer, "__name__", initializer)


_kind = Kind("initializer", globals().get)
deserialize, get = _kind.deserialize, _kind.get
