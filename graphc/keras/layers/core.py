"""tf.keras.layers: Dense, Activation, Dropout, shapes, Lambda, Masking. Imports keras.engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor
from graphc.keras import activations, constraints, initializers, regularizers
from graphc.keras.core import arrays, nn
from graphc.keras.core import math as K
from graphc.keras.core.config import floatx, normalize_data_format
from graphc.keras.engine.base_layer import InputSpec, Layer
from graphc.tf1 import api_array, api_linalg, api_math
from graphc.tf1.einsum import tensordot

__all__ = [
    "Activation", "ActivityRegularization", "Dense", "Dropout", "Flatten", "Lambda", "Masking",
    "Permute", "RepeatVector", "Reshape", "SpatialDropout1D", "SpatialDropout2D",
    "SpatialDropout3D",
]  # fmt: skip

# what a configuration names: attribute -> how it is written
_SERIAL: dict[str, Callable[[Any], Any]] = {
    "activation": activations.serialize, "initializer": initializers.serialize,
    "regularizer": regularizers.serialize, "constraint": constraints.serialize,
}  # fmt: skip
_GET: dict[str, Callable[[Any], Any]] = {
    "activation": activations.get, "initializer": initializers.get,
    "regularizer": regularizers.get, "constraint": constraints.get,
}  # fmt: skip


def described(layer: Any, names: str) -> dict[str, Any]:
    """The attributes of these names as a configuration holds them."""
    out: dict[str, Any] = {}
    for name in names.split():
        kind = name.rsplit("_", 1)[-1]
        value = getattr(layer, name)
        out[name] = _SERIAL[kind](value) if kind in _SERIAL else value
    return out


def settle(layer: Any, given: dict[str, Any]) -> None:
    """Sets attributes; names of activations, initializers and so on become what they mean.

    Raises:
        ValueError, TypeError: an unknown name, with the layer's.
    """
    for name, value in given.items():
        kind = name.rsplit("_", 1)[-1]
        try:
            setattr(layer, name, _GET[kind](value) if kind in _GET else value)
        except (TypeError, ValueError) as err:
            what = str(err).partition("\n")[0]
            raise type(err)(f"{what} ({name}){layer._whence()}") from err


def floating(layer: Any) -> None:
    """Raises TypeError: the layer was called on integers, which its weights cannot be."""
    dtype = as_dtype(layer._called_dtype or layer._dtype or floatx())
    if not (dtype.is_floating or dtype.is_complex):
        raise TypeError(
            f"Unable to build `{type(layer).__name__}` layer with non-floating point dtype "
            f"{dtype.name}: cast the inputs, or give their Input the dtype float32{layer._whence()}"
        )


class Dense(Layer):
    """activation(inputs @ kernel + bias) along the last axis.

    Args:
        units: the last extent of the outputs.
    """

    supports_masking = True

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        units = kwargs.pop("output_dim", units)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = int(units)
        if self.units <= 0:
            raise ValueError(f"Received an invalid value for `units`, expected a positive integer, "
                             f"got {units}.")  # fmt: skip
        settle(self, {
            "activation": activation, "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer, "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer, "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        })  # fmt: skip
        self.use_bias = use_bias
        self.input_spec = InputSpec(min_ndim=2)
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        floating(self)
        last = input_shape[-1]
        if last is None:
            raise ValueError(
                "The last dimension of the inputs to `Dense` should be defined. Found `None`."
                + self._whence()
            )
        self.kernel = self.add_weight(
            "kernel", (last, self.units), initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.units,), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2, axes={-1: last})
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        if inputs.rank == 2 or inputs.rank is None:
            out = api_linalg.matmul(inputs, self.kernel)
        else:
            out = tensordot(inputs, self.kernel, [[inputs.rank - 1], [0]])
        if self.use_bias:
            out = nn.bias_add(out, self.bias, "channels_last")
        return self.activation(out)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(
            self, "units activation use_bias kernel_initializer bias_initializer "
            "kernel_regularizer bias_regularizer activity_regularizer kernel_constraint "
            "bias_constraint",
        )}  # fmt: skip


class Activation(Layer):
    """A function of each element, by name or as it is."""

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settle(self, {"activation": activation})

    def call(self, inputs: Any) -> Any:  # type: ignore[override]
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(self, "activation")}


class Dropout(Layer):
    """While training, elements become 0 with probability `rate`; the others grow.

    Args:
        noise_shape: broadcast against the inputs; axes with 1 fall together.
    """

    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        rate = kwargs.pop("p", rate)
        super().__init__(**kwargs)
        self.rate = min(1.0, max(0.0, rate))
        self.noise_shape, self.seed = noise_shape, seed

    def _noise_shape(self, inputs: Tensor) -> Any:
        if self.noise_shape is None:
            return None
        actual = api_array.shape(inputs)
        dims = [actual[k] if d is None else d for k, d in enumerate(self.noise_shape)]
        return api_array.stack(dims)

    def call(self, inputs: Any, training: Any = None) -> Tensor:  # type: ignore[override]
        if not self.rate > 0.0:
            return inputs
        return K.in_train_phase(
            lambda: nn.dropout(inputs, self.rate, self._noise_shape(inputs), self.seed),
            inputs, training,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape,
                "seed": self.seed}  # fmt: skip


class _SpatialDropout(Dropout):
    _spatial = 1

    def __init__(self, rate: float, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._spatial + 2)

    def _noise_shape(self, inputs: Tensor) -> Any:
        actual = api_array.shape(inputs)
        ones = [1] * self._spatial
        if self.data_format == "channels_first":
            return api_array.stack([actual[0], actual[1], *ones])
        return api_array.stack([actual[0], *ones, actual[self._spatial + 1]])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["noise_shape"], config["seed"]
        if self._spatial > 1:
            config["data_format"] = self.data_format
        return config


class SpatialDropout1D(_SpatialDropout):
    """Drops whole channels of sequences."""


class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of images."""

    _spatial = 2


class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of volumes."""

    _spatial = 3


class Flatten(Layer):
    """[batch, the product of all other extents]."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        if inputs.rank == 1:
            return api_array.expand_dims(inputs, 1)
        if self.data_format == "channels_first":
            inputs = nn.as_last(inputs, self.data_format)
        return arrays.batch_flatten(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """[batch, *target_shape]; one extent may be -1."""

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(d) for d in target_shape)

    def _dims(self, shape: Any) -> list[int]:
        """Raises ValueError: "total size of new array must be unchanged"."""
        wanted, inner = list(self.target_shape), shape[1:]
        if inner is None or None in inner:
            return wanted
        total = int(np.prod(inner, dtype=np.int64))
        known = int(np.prod([d for d in wanted if d != -1], dtype=np.int64))
        if wanted.count(-1) > 1:
            raise ValueError("Can only specify one unknown dimension.")
        if -1 in wanted:
            if known == 0 or total % known:
                raise ValueError("total size of new array must be unchanged")
            wanted[wanted.index(-1)] = total // known
        elif known != total:
            raise ValueError(
                f"total size of new array must be unchanged: {tuple(inner)} to "
                f"{self.target_shape} in layer {self.name}"
            )
        return wanted

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        dims = self._dims(arrays.int_shape(inputs) or (None, None))
        if -1 not in dims:
            return api_array.reshape(inputs, [-1, *dims])
        batch = api_array.shape(inputs)[0]
        out = api_array.reshape(inputs, api_array.stack([batch, *dims]))
        out.set_shape([None, *(None if d == -1 else d for d in dims)])
        return out

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """The axes after the batch in another order; `dims` count from 1."""

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Invalid permutation `dims` for Permute Layer: {self.dims}. The set of indices in "
                "`dims` must be consecutive and start from 1."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return api_array.transpose(inputs, [0, *self.dims])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """[batch, features] -> [batch, n, features]."""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return arrays.repeat(inputs, self.n)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


class Lambda(Layer):
    """A function of the user's as a layer.

    Args:
        function: of the inputs. output_shape: accepted. mask: or a function of (inputs, mask).
        arguments: further ones of the function.
    """

    def __init__(
        self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None,
        arguments: dict[str, Any] | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function, self.mask = function, mask
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape
        self.supports_masking = mask is not None
        names = inspect.signature(function).parameters if callable(function) else {}
        self._passed = [n for n in ("mask", "training") if n in names]

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:  # type: ignore[override]
        extra = {"mask": mask, "training": training}
        more = {n: extra[n] for n in self._passed}
        if "training" in more and training is None:
            from graphc.keras.core.session import learning_phase

            more["training"] = learning_phase()
        return self.function(inputs, **{**more, **self.arguments})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """The function by its name: code is never written to a file.

        Raises:
            ValueError: a function without a name (a lambda).
        """
        name = getattr(self.function, "__name__", "<lambda>")
        if name == "<lambda>":
            raise ValueError(
                f"Layer {self.name}: a lambda cannot be written to a file. Use a function with a "
                "name and give it to load_model in custom_objects."
            )
        return {**super().get_config(), "function": name, "function_type": "function",
                "arguments": self.arguments}  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Raises ValueError: code in the file, or a function that custom_objects lack."""
        from graphc.keras.core.objects import lookup

        config = dict(config)
        kind = config.pop("function_type", "function")
        for key in ("module", "output_shape_type", "output_shape_module", "output_shape"):
            config.pop(key, None)
        function = config.pop("function")
        if kind == "lambda" or not isinstance(function, str):
            raise ValueError(
                f"Layer {config.get('name')}: the file holds a lambda as Python code, which is not "
                "run. Build the model in Python and load its weights."
            )
        found = lookup(function, lambda name: None, custom_objects, "function in Lambda layer")
        return cls(found, **config)


class Masking(Layer):
    """Time steps whose features all equal `mask_value` are masked, and set to 0."""

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return K.any(api_math.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        kept = K.any(api_math.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return inputs * K.cast(kept, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}


class ActivityRegularization(Layer):
    """The inputs, with a penalty on them."""

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}
