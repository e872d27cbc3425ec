"""tf.keras.layers.ConvLSTM2D: an LSTM whose products are convolutions. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras import initializers
from graphc.keras.core import nn
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import normalize_data_format
from graphc.keras.engine.base_layer import Layer
from graphc.keras.layers.convolutional import normalize_padding, normalize_tuple
from graphc.keras.layers.core import described, settle
from graphc.keras.layers.recurrent import _LAYER, RNN
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array

__all__ = ["ConvLSTM2D", "ConvLSTM2DCell"]

_NAMES = (
    "filters kernel_size strides padding data_format dilation_rate activation "
    "recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer "
    "unit_forget_bias dropout recurrent_dropout"
)


class ConvLSTM2DCell(Layer):
    """One step of ConvLSTM2D (Shi 2015)."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = (1, 1), activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = normalize_tuple(kernel_size, 2, "kernel_size")
        self.strides = normalize_tuple(strides, 2, "strides")
        self.padding = normalize_padding(padding)
        self.data_format = normalize_data_format(data_format)
        self.dilation_rate = normalize_tuple(dilation_rate, 2, "dilation_rate")
        settle(self, {
            "activation": activation, "recurrent_activation": recurrent_activation,
            "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer, "bias_initializer": bias_initializer,
        })  # fmt: skip
        self.use_bias, self.unit_forget_bias = use_bias, unit_forget_bias
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.bias: Any = None

    @property
    def state_size(self) -> Any:
        return [self.filters, self.filters]

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1 if self.data_format == "channels_last" else 1]
        n = self.filters
        self.kernel = self.add_weight(
            "kernel", (*self.kernel_size, channels, 4 * n), initializer=self.kernel_initializer
        )
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (*self.kernel_size, n, 4 * n),
            initializer=self.recurrent_initializer,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight("bias", (4 * n,), initializer=self._bias_start())
        self.built = True

    def _bias_start(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        n, inner = self.filters, self.bias_initializer

        def start(shape: Any, dtype: Any = None) -> Tensor:
            ones = initializers.Ones()
            return api_array.concat(
                [inner((n,), dtype=dtype), ones((n,), dtype=dtype), inner((2 * n,), dtype=dtype)],
                0,
            )  # fmt: skip

        return start

    def project(self, x: Any) -> Tensor:
        """The convolution with the inputs, channels last."""
        out = nn.conv2d(
            nn.as_last(x, self.data_format), self.kernel, self.strides, self.padding,
            "channels_last", self.dilation_rate,
        )  # fmt: skip
        return out if self.bias is None else nn.bias_add(out, self.bias, "channels_last")

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:  # type: ignore[override]
        h, c = (nn.as_last(convert_to_tensor(s), self.data_format) for s in states)
        z = self.project(inputs) + nn.conv2d(h, self.recurrent_kernel, (1, 1), "same",
                                             "channels_last")  # fmt: skip
        n, gate = self.filters, self.recurrent_activation
        i, f, o = gate(z[..., :n]), gate(z[..., n : 2 * n]), gate(z[..., 3 * n :])
        new = f * c + i * self.activation(z[..., 2 * n : 3 * n])
        out = o * self.activation(new)
        out, new = (nn.from_last(t, self.data_format) for t in (out, new))
        return out, [out, new]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(self, _NAMES)}


class ConvLSTM2D(RNN):
    """An LSTM over images [batch, time, height, width, channels]; arguments: see the cell, RNN.

    Raises:
        ValueError: dropout, stateful: they are not supported here.
    """

    def __init__(self, filters: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        regularizer = kwargs.pop("activity_regularizer", None)
        mine = {k: kwargs.pop(k) for k in list(kwargs) if k in _LAYER}
        if kwargs.get("dropout") or kwargs.get("recurrent_dropout") or mine.get("stateful"):
            raise ValueError("ConvLSTM2D: dropout and stateful are not supported")
        cell = ConvLSTM2DCell(filters, kernel_size, *args, **kwargs)
        super().__init__(cell, activity_regularizer=regularizer, **mine)

    def _check_rank(self, shape: Any) -> None:
        if len(shape) != 5:
            raise ValueError(
                f"Input 0 of layer {self.name} is incompatible with the layer: expected ndim=5, "
                f"found ndim={len(shape)}. Full shape received: {list(shape)}"
            )

    def get_initial_state(self, inputs: Any) -> list[Any]:
        """Zeros of the shape of the cell's outputs."""
        like = nn.from_last(self.cell.project(inputs[:, 0]), self.cell.data_format)
        dims = int_shape(like)
        n = self.cell.filters
        at = -1 if self.cell.data_format == "channels_last" else 1
        sliced = like[..., :n] if at == -1 else like[:, :n]
        zero = api_array.zeros_like(sliced)
        static = list(dims)
        static[at] = n
        zero.set_shape(static)
        return [zero, zero]

    def get_config(self) -> dict[str, Any]:
        inner = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            inner.pop(key, None)
        return {**Layer.get_config(self), **self._settings(), **inner}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)
