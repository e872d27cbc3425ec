"""Initializers of variables, with TF1's formulas.

Lives here: the classes and their tf.*_initializer names. Not here: the random ops (api_random).
Each is called as initializer(shape, dtype=None, partition_info=None) and returns a tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, float32
from graphc.ir.node import Tensor
from graphc.ops.define import F

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "Identity", "Initializer", "Ones", "Orthogonal",
    "RandomNormal", "RandomUniform", "TruncatedNormal", "UniformUnitScaling", "VarianceScaling",
    "Zeros", "constant_initializer", "deserialize", "get", "glorot_normal_initializer",
    "glorot_uniform_initializer", "he_normal", "he_uniform", "identity_initializer",
    "lecun_normal", "lecun_uniform", "ones_initializer", "orthogonal_initializer",
    "random_normal_initializer", "random_uniform_initializer", "serialize",
    "truncated_normal_initializer", "uniform_unit_scaling_initializer",
    "variance_scaling_initializer", "zeros_initializer",
]  # fmt: skip

# the standard deviation of a normal distribution cut at two standard deviations
_TRUNCATED_STD = 0.87962566103423978
_SMALL = 1000


def _floating(dtype: Any) -> DType:
    found = as_dtype(dtype)
    if not found.is_floating:
        raise ValueError(f"Expected floating point type, got {found!s}.")
    return found


def _dims(shape: Any) -> list[int]:
    if hasattr(shape, "as_list"):
        shape = shape.as_list()
    return [int(d) for d in shape]


class Initializer:
    """Base class: called with a shape, returns a tensor."""

    dtype: DType = float32

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """What from_config rebuilds it from."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)

    def _dtype(self, dtype: Any) -> DType:
        return self.dtype if dtype is None else as_dtype(dtype)


def _full(value: float, shape: Any, dtype: DType, name: str = "Const") -> Tensor:
    """A constant for small shapes, else a fill, so that graphs stay small."""
    from graphc.tf1.framework import constant

    dims = _dims(shape)
    text: Any = b"" if dtype.name == "string" else value
    if math.prod(dims) < _SMALL:
        return constant(text, dtype, dims, name)
    return F.fill(dims, constant(text, dtype, name="Const"), name=name)


class Zeros(Initializer):
    """Zeros, or False."""

    def __init__(self, dtype: Any = float32) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        want = self._dtype(dtype)
        return _full(False if want.is_bool else 0, shape, want, "zeros")

    def get_config(self) -> dict[str, Any]:
        return {"dtype": self.dtype.name}


class Ones(Zeros):
    """Ones, or True."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        want = self._dtype(dtype)
        return _full(True if want.is_bool else 1, shape, want, "ones")


class Constant(Initializer):
    """The given value or values; fewer values than elements repeat the last one.

    Raises:
        TypeError: value is no number, list or array.
    """

    def __init__(self, value: Any = 0, dtype: Any = float32, verify_shape: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, list | tuple | np.ndarray)):
            raise TypeError(
                f"Invalid type for initial value: {value} (expected Python scalar, list or tuple "
                "of values, or numpy.ndarray)."
            )
        self.value = value
        self.dtype = as_dtype(dtype)
        self._verify_shape = verify_shape

    def __call__(
        self,
        shape: Any,
        dtype: Any = None,
        partition_info: Any = None,
        verify_shape: bool | None = None,
    ) -> Tensor:
        from graphc.tf1.framework import constant

        verify = self._verify_shape if verify_shape is None else verify_shape
        want = self._dtype(dtype)
        value = self.value
        if want.is_floating and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if np.isscalar(value) and not verify and not isinstance(value, str | bytes):
            return _full(value, shape, want)  # type: ignore[arg-type]
        return constant(value, want, _dims(shape), verify_shape=verify)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value, "dtype": self.dtype.name}


class RandomUniform(Initializer):
    """Uniform in [minval, maxval)."""

    def __init__(
        self, minval: Any = 0, maxval: Any = None, seed: int | None = None, dtype: Any = float32
    ) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        from graphc.tf1.api_random import random_uniform

        want = self._dtype(dtype)
        high = 1 if self.maxval is None and want.is_floating else self.maxval
        return random_uniform(shape, self.minval, high, want, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            "minval": self.minval, "maxval": self.maxval, "seed": self.seed,
            "dtype": self.dtype.name,
        }  # fmt: skip


class RandomNormal(Initializer):
    """Normal with this mean and standard deviation."""

    _function = "random_normal"

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 1.0, seed: int | None = None, dtype: Any = float32
    ) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        from graphc.tf1 import api_random

        draw = getattr(api_random, self._function)
        return draw(shape, self.mean, self.stddev, self._dtype(dtype), seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            "mean": self.mean, "stddev": self.stddev, "seed": self.seed, "dtype": self.dtype.name
        }  # fmt: skip


class TruncatedNormal(RandomNormal):
    """Normal, redrawn beyond two standard deviations."""

    _function = "truncated_normal"


def _fans(shape: Sequence[int]) -> tuple[float, float]:
    """(inputs, outputs) of one unit: of a dense kernel, or of a convolution's."""
    if not shape:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    if len(shape) == 2:
        return float(shape[0]), float(shape[1])
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


class UniformUnitScaling(Initializer):
    """Uniform with a variance that keeps the scale of inputs: sqrt(3 / inputs) * factor."""

    def __init__(
        self, factor: float = 1.0, seed: int | None = None, dtype: Any = float32
    ) -> None:
        self.factor = factor
        self.seed = seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        from graphc.tf1.api_random import random_uniform

        dims = _dims(getattr(partition_info, "full_shape", shape))
        inputs = max(math.prod(float(d) for d in dims[:-1]), 1.0)
        limit = math.sqrt(3 / inputs) * self.factor
        return random_uniform(shape, -limit, limit, self._dtype(dtype), seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "seed": self.seed, "dtype": self.dtype.name}


class VarianceScaling(Initializer):
    """Variance scale / n with n the inputs, outputs or their mean (He 2015, Glorot 2010).

    Raises:
        ValueError: scale not positive, or an unknown mode or distribution.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = float32,
    ) -> None:
        if scale <= 0.0:
            raise ValueError("`scale` must be positive float.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError("Invalid `mode` argument:", mode)
        distribution = distribution.lower()
        if distribution not in ("normal", "uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError("Invalid `distribution` argument:", distribution)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.seed = seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        from graphc.tf1 import api_random

        want = self._dtype(dtype)
        inputs, outputs = _fans(_dims(getattr(partition_info, "full_shape", shape)))
        count = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2.0}
        scale = self.scale / max(1.0, count[self.mode])
        if self.distribution in ("normal", "truncated_normal"):
            stddev = math.sqrt(scale) / _TRUNCATED_STD
            return api_random.truncated_normal(shape, 0.0, stddev, want, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return api_random.random_normal(shape, 0.0, math.sqrt(scale), want, seed=self.seed)
        limit = math.sqrt(3.0 * scale)
        return api_random.random_uniform(shape, -limit, limit, want, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale, "mode": self.mode, "distribution": self.distribution,
            "seed": self.seed, "dtype": self.dtype.name,
        }  # fmt: skip


class GlorotUniform(VarianceScaling):
    """Uniform in +-sqrt(6 / (inputs + outputs)); also called Xavier's."""

    def __init__(self, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "dtype": self.dtype.name}


class GlorotNormal(VarianceScaling):
    """Truncated normal with variance 2 / (inputs + outputs); also called Xavier's."""

    def __init__(self, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "dtype": self.dtype.name}


class Orthogonal(Initializer):
    """An orthogonal matrix of the last dimension against the others, times gain (Saxe 2013).

    Raises:
        ValueError: fewer than two dimensions.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None, dtype: Any = float32) -> None:
        self.gain = gain
        self.seed = seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        from graphc.tf1 import api_array, api_linalg, api_random

        dims = _dims(shape)
        if len(dims) < 2:
            raise ValueError("The tensor to initialize must be at least two-dimensional")
        rows, columns = math.prod(dims[:-1]), dims[-1]
        flat = [max(rows, columns), min(rows, columns)]
        draw = api_random.random_normal(flat, dtype=self._dtype(dtype), seed=self.seed)
        q, r = api_linalg.qr(draw, full_matrices=False)
        # signs that make the factorisation unique, so that the result is uniform
        q = q * F.sign(api_linalg.diag_part(r))
        if rows < columns:
            q = api_array.transpose(q)
        return api_array.reshape(q, dims) * self.gain

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed, "dtype": self.dtype.name}


class Identity(Initializer):
    """The identity matrix times gain; only for two dimensions."""

    def __init__(self, gain: float = 1.0, dtype: Any = float32) -> None:
        self.gain = gain
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        from graphc.tf1.framework import constant

        dims = _dims(shape)
        if len(dims) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices.")
        want = self._dtype(dtype)
        return constant(np.eye(dims[0], dims[1]) * self.gain, want)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "dtype": self.dtype.name}


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_uniform_initializer = RandomUniform
random_normal_initializer = RandomNormal
truncated_normal_initializer = TruncatedNormal
uniform_unit_scaling_initializer = UniformUnitScaling
variance_scaling_initializer = VarianceScaling
orthogonal_initializer = Orthogonal
identity_initializer = Identity
glorot_uniform_initializer = GlorotUniform
glorot_normal_initializer = GlorotNormal


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal with variance 1 / inputs (LeCun 1998)."""
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform in +-sqrt(3 / inputs)."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Truncated normal with variance 2 / inputs (He 2015)."""
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Uniform in +-sqrt(6 / inputs)."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


_NAMES: dict[str, Any] = {
    "zeros": Zeros, "ones": Ones, "constant": Constant, "random_uniform": RandomUniform,
    "uniform": RandomUniform, "random_normal": RandomNormal, "normal": RandomNormal,
    "truncated_normal": TruncatedNormal, "variance_scaling": VarianceScaling,
    "orthogonal": Orthogonal, "identity": Identity, "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal, "lecun_normal": lecun_normal, "lecun_uniform": lecun_uniform,
    "he_normal": he_normal, "he_uniform": he_uniform,
}  # fmt: skip


def serialize(initializer: Initializer) -> dict[str, Any]:
    """{"class_name", "config"} of an initializer."""
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


def deserialize(config: dict[str, Any]) -> Initializer:
    """The initializer that `serialize` described. Raises ValueError for an unknown class."""
    name = config["class_name"]
    cls = globals().get(name)
    if not (isinstance(cls, type) and issubclass(cls, Initializer)):
        raise ValueError(f"Unknown initializer: {name}")
    return cls.from_config(config.get("config", {}))


def get(identifier: Any) -> Any:
    """An initializer from a name, a configuration, or a function as it is.

    Raises:
        ValueError: not understood.
    """
    if identifier is None or callable(identifier):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        found = _NAMES.get(identifier) or globals().get(identifier)
        if found is not None:
            return found()
    raise ValueError(f"Could not interpret initializer identifier: {identifier}")
