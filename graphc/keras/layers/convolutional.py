"""tf.keras.layers: convolutions of one to three axes. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.ir.node import Tensor
from graphc.keras.core import nn
from graphc.keras.core.config import normalize_data_format
from graphc.keras.engine.base_layer import InputSpec, Layer
from graphc.keras.layers.core import described, floating, settle

# Keras 2 has these in its module of this name
__getattr__, __dir__, _more = attach(
    __name__,
    {
        "graphc.keras.layers": """
            AveragePooling1D AveragePooling2D AveragePooling3D Conv2DTranspose Conv3DTranspose
            Convolution1D Convolution2D Convolution3D Cropping1D Cropping2D Cropping3D
            DepthwiseConv2D GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D
            GlobalMaxPooling2D MaxPooling1D MaxPooling2D MaxPooling3D SeparableConv1D
            SeparableConv2D UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D
            ZeroPadding3D""",
    },
)
__all__ = ["Conv1D", "Conv2D", "Conv3D", "normalize_tuple"]
__all__ += _more

WEIGHTS = (
    "activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "activity_regularizer kernel_constraint bias_constraint"
)


def normalize_tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    """n ints from an int or from n of them.

    Raises:
        ValueError: "The `strides` argument must be a tuple of 2 integers. Received: ...".
    """
    if isinstance(value, int):
        return (value,) * n
    try:
        found = tuple(int(v) for v in value)
    except (TypeError, ValueError):
        found = ()
    if len(found) != n:
        raise ValueError(
            f"The `{name}` argument must be a tuple of {n} integers. Received: {value}"
        )
    return found


def normalize_padding(value: str, causal: bool = False) -> str:
    """Raises ValueError: neither "valid" nor "same" (nor "causal" where it may be)."""
    padding = value.lower()
    if padding not in ("valid", "same", *(["causal"] if causal else [])):
        raise ValueError(
            'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", '
            f"only for `Conv1D). Received: {padding}"
        )
    return padding


class Conv(Layer):
    """Base of convolutions; `rank` is the number of spatial axes."""

    rank = 2

    def __init__(
        self, filters: Any, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, groups: int = 1, **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = None if filters is None else int(filters)
        self.groups = int(groups)
        if self.filters is not None and (self.filters <= 0 or self.filters % self.groups):
            raise ValueError(
                f"Layer {self.name}: filters must be positive and a multiple of groups; received "
                f"filters={filters}, groups={groups}"
            )
        self.kernel_size = normalize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = normalize_tuple(strides, self.rank, "strides")
        self.padding = normalize_padding(padding, self.rank == 1)
        self.data_format = normalize_data_format(data_format)
        self.dilation_rate = normalize_tuple(dilation_rate, self.rank, "dilation_rate")
        settle(self, {
            "activation": activation, "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer, "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer, "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        })  # fmt: skip
        self.use_bias = use_bias
        self.bias: Any = None
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _channels(self, input_shape: Any) -> int:
        floating(self)
        axis = -1 if self.data_format == "channels_last" else 1
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                "The channel dimension of the inputs should be defined. Found `None`."
                + self._whence()
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return int(channels)

    def _add_kernel(self, shape: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(
            "kernel", shape, initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip

    def _add_bias(self, filters: Any) -> None:
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (filters,), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"Layer {self.name}: {channels} input channels are not evenly divisible into "
                f"{self.groups} groups"
            )
        inner = channels // self.groups
        self._add_kernel((*self.kernel_size, inner, self.filters))  # type: ignore[arg-type]
        self._add_bias(self.filters)
        self.built = True

    def _finish(self, out: Tensor) -> Tensor:
        if self.use_bias:
            out = nn.bias_add(out, self.bias, self.data_format)
        return self.activation(out)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return self._finish(nn._convolve(
            inputs, self.kernel, self.strides, self.padding, self.data_format,
            self.dilation_rate, self.rank, self.groups,
        ))  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **described(
            self, "filters kernel_size strides padding data_format dilation_rate " + WEIGHTS
        )}  # fmt: skip
        return config if self.groups == 1 else {**config, "groups": self.groups}


class Conv1D(Conv):
    """Convolution of sequences; padding may be "causal".

    Args:
        filters: output channels. kernel_size, strides, dilation_rate: ints.
    """

    rank = 1

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(filters, kernel_size, strides, *args, **kwargs)


class Conv2D(Conv):
    """Convolution of images.

    Args:
        filters: output channels. kernel_size, strides, dilation_rate: an int or a pair.
    """

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), *args: Any, **kwargs: Any
    ) -> None:
        if "border_mode" in kwargs:
            kwargs["padding"] = kwargs.pop("border_mode")
        if "subsample" in kwargs:
            strides = kwargs.pop("subsample")
        super().__init__(filters, kernel_size, strides, *args, **kwargs)


class Conv3D(Conv):
    """Convolution of volumes.

    Args:
        filters: output channels. kernel_size, strides, dilation_rate: an int or three.
    """

    rank = 3

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(filters, kernel_size, strides, *args, **kwargs)
