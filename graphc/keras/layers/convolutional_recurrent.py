"""tf.keras.layers.ConvLSTM1D to 3D: LSTMs whose products are convolutions. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import nn
from graphc.keras.core.config import normalize_data_format
from graphc.keras.engine.base_layer import Layer
from graphc.keras.layers.convolutional import normalize_padding, normalize_tuple
from graphc.keras.layers.core import described, settle
from graphc.keras.layers.recurrent import _LAYER, RNN, CellLayer
from graphc.keras.layers.recurrent_cells import dropout_masks, forget_bias, zeros_of
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array

__all__ = ["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM2DCell", "ConvLSTM3D"]

_NAMES = (
    "filters kernel_size strides padding data_format dilation_rate activation "
    "recurrent_activation use_bias kernel_initializer recurrent_initializer bias_initializer "
    "unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer kernel_constraint "
    "recurrent_constraint bias_constraint dropout recurrent_dropout"
)


class ConvLSTM2DCell(Layer):
    """One step of ConvLSTM2D (Shi 2015).

    Args:
        filters: channels of outputs and states. dropout, recurrent_dropout: rates for inputs and
            states; a mask stays the same through a sequence.
    """

    rank = 2

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = 1, activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True,
        kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, kernel_constraint: Any = None,
        recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = int(filters)
        self.kernel_size = normalize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = normalize_tuple(strides, self.rank, "strides")
        self.padding = normalize_padding(padding)
        self.data_format = normalize_data_format(data_format)
        self.dilation_rate = normalize_tuple(dilation_rate, self.rank, "dilation_rate")
        settle(self, {
            "activation": activation, "recurrent_activation": recurrent_activation,
            "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "recurrent_regularizer": recurrent_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "recurrent_constraint": recurrent_constraint,
            "bias_constraint": bias_constraint,
        })  # fmt: skip
        self.use_bias, self.unit_forget_bias = use_bias, unit_forget_bias
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.bias: Any = None

    @property
    def state_size(self) -> Any:
        return [self.filters, self.filters]

    def build(self, input_shape: Any) -> None:
        channels = input_shape[-1 if self.data_format == "channels_last" else 1]
        if channels is None:
            raise ValueError(
                f"Layer {self.name}: the channel dimension of the inputs should be defined. "
                "Found `None`."
            )
        n = self.filters
        self.kernel = self.add_weight(
            "kernel", (*self.kernel_size, channels, 4 * n), initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (*self.kernel_size, n, 4 * n),
            initializer=self.recurrent_initializer, regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )  # fmt: skip
        if self.use_bias:
            start = self.bias_initializer
            self.bias = self.add_weight(
                "bias", (4 * n,), initializer=forget_bias(start, n, self.unit_forget_bias),
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.built = True

    # ------------------------------------------------------------ the two convolutions
    def masks(self, like: Tensor, rate: float, training: Any) -> list[Tensor] | None:
        """A dropout mask a gate, of the shape of `like`; None without dropout."""
        return dropout_masks(like, rate, 4, training)

    def _convolve(
        self, x: Any, kernel: Any, masks: list[Tensor] | None, strides: Any, padding: str,
        dilation: Any,
    ) -> Tensor:  # fmt: skip
        """The convolution of x, channels last, for all gates; for each with its own mask."""
        table, n = convert_to_tensor(kernel), self.filters
        if masks is None:
            return nn._convolve(x, table, strides, padding, "channels_last", dilation, self.rank)
        return api_array.concat(
            [nn._convolve(x * mask, table[..., k * n : (k + 1) * n], strides, padding,
                          "channels_last", dilation, self.rank) for k, mask in enumerate(masks)],
            -1,
        )  # fmt: skip

    def project(self, x: Any, masks: list[Tensor] | None = None) -> Tensor:
        """The convolution with the inputs, channels last."""
        x = convert_to_tensor(x)
        if masks is not None:
            masks = [nn.as_last(m, self.data_format) for m in masks]
        out = self._convolve(
            nn.as_last(x, self.data_format), self.kernel, masks, self.strides, self.padding,
            self.dilation_rate,
        )  # fmt: skip
        return out if self.bias is None else nn.bias_add(out, self.bias, "channels_last")

    def advance(self, inputs: Any, states: Any, drops: Any, masks: Any) -> Any:
        """(output, new states); `drops` are the dropout masks of inputs, `masks` of the state."""
        h, c = (nn.as_last(convert_to_tensor(s), self.data_format) for s in states)
        if masks is not None:
            masks = [nn.as_last(m, self.data_format) for m in masks]
        ones = (1,) * self.rank
        z = self.project(inputs, drops) + self._convolve(
            h, self.recurrent_kernel, masks, ones, "same", ones
        )
        n, gate = self.filters, self.recurrent_activation
        i, f, o = gate(z[..., :n]), gate(z[..., n : 2 * n]), gate(z[..., 3 * n :])
        new = f * c + i * self.activation(z[..., 2 * n : 3 * n])
        out = o * self.activation(new)
        out, new = (nn.from_last(t, self.data_format) for t in (out, new))
        return out, [out, new]

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:  # type: ignore[override]
        drops = self.masks(convert_to_tensor(inputs), self.dropout, training)
        masks = self.masks(convert_to_tensor(states[0]), self.recurrent_dropout, training)
        return self.advance(inputs, states, drops, masks)

    def state_shape(self, inputs: Tensor) -> list[Any]:
        """The static shape of a state for inputs at one time."""
        like = nn.as_last(inputs, self.data_format)
        out = nn._convolve(
            like, self.kernel, self.strides, self.padding, "channels_last", self.dilation_rate,
            self.rank,
        )  # fmt: skip
        dims = out.shape.as_list()
        spatial = dims[1:-1]
        if self.data_format == "channels_first":
            return [dims[0], self.filters, *spatial]
        return [dims[0], *spatial, self.filters]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(self, _NAMES)}


class _ConvLSTM1DCell(ConvLSTM2DCell):
    rank = 1


class _ConvLSTM3DCell(ConvLSTM2DCell):
    rank = 3


class ConvLSTM2D(CellLayer):
    """An LSTM over images [batch, time, height, width, channels]; arguments: see the cell, RNN."""

    _cell: Any = ConvLSTM2DCell

    def __init__(self, filters: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        regularizer = kwargs.pop("activity_regularizer", None)
        mine = {k: kwargs.pop(k) for k in list(kwargs) if k in _LAYER}
        cell = self._cell(filters, kernel_size, *args, **kwargs)
        RNN.__init__(self, cell, activity_regularizer=regularizer, **mine)

    def _check_rank(self, shape: Any) -> None:
        wanted = self.cell.rank + 3
        if len(shape) != wanted:
            raise ValueError(
                f"Input 0 of layer {self.name} is incompatible with the layer: expected "
                f"ndim={wanted}, found ndim={len(shape)}. Full shape received: {list(shape)}"
            )

    def _step(self, x: Tensor, states: list[Any], training: Any) -> tuple[Tensor, Any]:
        cell = self.cell
        drops = cell.masks(x[0] if self.time_major else x[:, 0], cell.dropout, training)
        masks = cell.masks(states[0], cell.recurrent_dropout, training)
        return x, lambda row, held: cell.advance(row, held, drops, masks)

    def get_initial_state(self, inputs: Any) -> list[Any]:
        """Zeros of the shape of the cell's outputs."""
        first = inputs[0] if self.time_major else inputs[:, 0]
        cell = self.cell
        like = nn.from_last(cell.project(first), cell.data_format)
        shape = cell.state_shape(first)
        parts = api_array.split(like, 4, axis=-1 if cell.data_format == "channels_last" else 1)
        zero = api_array.zeros_like(parts[0])
        zero.set_shape(shape)
        return [zero, zero]

    def _state_zeros(self, batch: int, shape: Any) -> list[Any]:
        from graphc.tf1.framework import placeholder

        row = placeholder(self._dtype, [batch, *shape[2:]], "step")
        dims = self.cell.state_shape(row)
        if None in dims:
            raise ValueError(
                f"Layer {self.name} is stateful: it needs to know the whole shape of its inputs. "
                f"Received: {shape}"
            )
        return [zeros_of(batch, dims[1:], self._dtype) for _ in range(2)]


class ConvLSTM1D(ConvLSTM2D):
    """An LSTM over sequences [batch, time, steps, channels]."""

    _cell = _ConvLSTM1DCell


class ConvLSTM3D(ConvLSTM2D):
    """An LSTM over volumes [batch, time, depth, height, width, channels]."""

    _cell = _ConvLSTM3DCell
