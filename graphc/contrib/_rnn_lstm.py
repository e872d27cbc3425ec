"""Variants of the LSTM of tf.contrib.rnn: normalised, grouped, coupled, phased, convolutional.

Lives here: LayerNormBasicLSTMCell, GLSTMCell, CoupledInputForgetGateLSTMCell, PhasedLSTMCell,
ConvLSTMCell and its three. Not here: the kernels' cells (_rnn_blocks.py). Users find these names
in graphc.contrib.rnn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphc.contrib._rnn_base import (
    Recurrent,
    depth_of,
    linear,
    memory_sizes,
    normalized,
    parted,
)
from graphc.ir.tensor_shape import TensorShape
from graphc.tf1.api_array import concat, slice, split
from graphc.tf1.api_conv import conv1d, conv2d, conv3d
from graphc.tf1.api_index import where
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import cast, clip_by_value, exp, floormod, sigmoid, tanh
from graphc.tf1.api_nn import bias_add, dropout
from graphc.tf1.api_random import random_uniform
from graphc.tf1.framework import stop_gradient
from graphc.tf1.initializers import Constant, Zeros
from graphc.tf1.rnn_cell_base import BIAS, KERNEL, LSTMStateTuple
from graphc.tf1.variable_scope import get_variable, get_variable_scope, variable_scope

__all__ = [
    "Conv1DLSTMCell", "Conv2DLSTMCell", "Conv3DLSTMCell", "ConvLSTMCell",
    "CoupledInputForgetGateLSTMCell", "GLSTMCell", "LayerNormBasicLSTMCell", "PhasedLSTMCell",
]  # fmt: skip


class LayerNormBasicLSTMCell(Recurrent):
    """An LSTM with normalised gates and dropout of what it writes (Ba et al. 2016).

    Variables "kernel"; with layer_norm "gamma" and "beta" below "input", "transform", "forget",
    "output" and "state", else "bias".

    Args:
        num_units: size of memory and output. forget_bias: added to the forget gate.
        input_size: unused. activation: of the new memory and the output. layer_norm: whether to
            normalise. norm_gain, norm_shift: gamma and beta at first. dropout_keep_prob: share of
            the candidate that is kept, a number or a tensor; dropout_prob_seed: of its draws.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        input_size: int | None = None,
        activation: Callable[..., Any] = tanh,
        layer_norm: bool = True,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
        dropout_keep_prob: Any = 1.0,
        dropout_prob_seed: int | None = None,
        reuse: Any = None,
    ) -> None:
        super().__init__(memory_sizes(num_units, None), num_units, _reuse=reuse)
        self._activation = activation
        self._forget_bias = forget_bias
        self._keep_prob = dropout_keep_prob
        self._seed = dropout_prob_seed
        self._layer_norm = layer_norm
        self._gain, self._shift = norm_gain, norm_shift

    def _norm(self, x: Any, scope: str) -> Any:
        return normalized(x, self._gain, self._shift, scope) if self._layer_norm else x

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c, h = state
        joined, width = concat([inputs, h], 1), 4 * self._output_size
        kernel = get_variable(KERNEL, [depth_of(joined), width], dtype=joined.dtype)
        gates = matmul(joined, kernel)
        if not self._layer_norm:
            gates = bias_add(gates, get_variable(BIAS, [width], dtype=joined.dtype))
        scopes = ("input", "transform", "forget", "output")
        i, j, f, o = (self._norm(g, s) for g, s in zip(split(gates, 4, 1), scopes, strict=True))
        written = self._activation(j)
        if not isinstance(self._keep_prob, float | int) or self._keep_prob < 1:
            written = dropout(written, self._keep_prob, seed=self._seed)
        new_c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * written
        new_c = self._norm(new_c, "state")
        new_h = self._activation(new_c) * sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h)


class GLSTMCell(Recurrent):
    """An LSTM whose matrix is a diagonal of blocks, one a group (Kuchaiev and Ginsburg 2017).

    Variables "group0/kernel", ..., "bias_i", "bias_j", "bias_f", "bias_o", with a projection
    "projection/kernel".

    Args:
        num_units: size of the memory. initializer: of all weights. num_proj: size of the
            projected output. number_of_groups: of blocks. forget_bias, activation: see
            BasicLSTMCell.

    Raises:
        ValueError: num_units or num_proj that number_of_groups does not divide.
    """

    def __init__(
        self,
        num_units: int,
        initializer: Any = None,
        num_proj: int | None = None,
        number_of_groups: int = 1,
        forget_bias: float = 1.0,
        activation: Callable[..., Any] = tanh,
        reuse: Any = None,
    ) -> None:
        super().__init__(memory_sizes(num_units, num_proj), num_proj or num_units, _reuse=reuse)
        if num_units % number_of_groups:
            raise ValueError("num_units must be divisible by number_of_groups")
        if num_proj and num_proj % number_of_groups:
            raise ValueError("num_proj must be divisible by number_of_groups")
        self._num_units = num_units
        self._num_proj = num_proj
        self._initializer = initializer
        self._groups = number_of_groups
        self._forget_bias = forget_bias
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c, m = state
        seen, made = self._output_size // self._groups, self._num_units // self._groups
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            parts = []
            for group in range(self._groups):
                start = [0, group * seen]
                both = [slice(x, start, [-1, seen]) for x in (inputs, m)]
                with variable_scope(f"group{group}"):
                    parts.append(split(linear(both, 4 * made, False), 4, 1))
            i, j, f, o = (
                bias_add(
                    concat(gate, 1),
                    get_variable(f"bias_{n}", [self._num_units], inputs.dtype, Zeros()),
                )
                for n, gate in zip("ijfo", zip(*parts, strict=True), strict=True)
            )
        c = sigmoid(f + self._forget_bias) * c + sigmoid(i) * tanh(j)
        m = sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            with variable_scope("projection"):
                m = linear(m, self._num_proj, False)
        return m, LSTMStateTuple(c, m)


class CoupledInputForgetGateLSTMCell(Recurrent):
    """An LSTM that writes as much as it forgets (Greff et al. 2015).

    Variables "W_0" (or parts of it), "B", with peepholes "W_F_diag" and "W_O_diag", with a
    projection "W_P_0", with layer_norm as LayerNormBasicLSTMCell.

    Args:
        See LSTMCell and LayerNormBasicLSTMCell.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: int = 1,
        num_proj_shards: int = 1,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Callable[..., Any] = tanh,
        reuse: Any = None,
        layer_norm: bool = False,
        norm_gain: float = 1.0,
        norm_shift: float = 0.0,
    ) -> None:
        sizes = memory_sizes(num_units, num_proj)
        super().__init__(
            sizes if state_is_tuple else sum(sizes), num_proj or num_units, _reuse=reuse
        )
        self._num_units = num_units
        self._use_peepholes = use_peepholes
        self._initializer = initializer
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._shards = num_unit_shards, num_proj_shards
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple
        self._activation = activation
        self._layer_norm = layer_norm
        self._gain, self._shift = norm_gain, norm_shift

    def _norm(self, x: Any, scope: str) -> Any:
        return normalized(x, self._gain, self._shift, scope) if self._layer_norm else x

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        units, kind = self._num_units, inputs.dtype
        if self._state_is_tuple:
            c, m = state
        else:
            c, m = slice(state, [0, 0], [-1, units]), slice(state, [0, units], [-1, -1])
        rows = depth_of(inputs) + self._output_size
        kernel = parted("W", [rows, 3 * units], kind, self._shards[0])
        offset = get_variable("B", [3 * units], kind, Zeros())
        gates = matmul(concat([inputs, m], 1), kernel)
        if not self._layer_norm:
            gates = bias_add(gates, offset)
        scopes = ("transform", "forget", "output")
        j, f, o = (self._norm(g, s) for g, s in zip(split(gates, 3, 1), scopes, strict=True))
        f = f + self._forget_bias
        if self._use_peepholes:
            f = f + get_variable("W_F_diag", [units], kind) * c
        kept = sigmoid(f)
        c = self._norm(kept * c + (1 - kept) * self._activation(j), "state")
        if self._use_peepholes:
            o = o + get_variable("W_O_diag", [units], kind) * c
        m = self._projected(sigmoid(o) * self._activation(c))
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else concat([c, m], 1)

    def _projected(self, m: Any) -> Any:
        if self._num_proj is None:
            return m
        shape = [self._num_units, self._num_proj]
        m = matmul(m, parted("W_P", shape, m.dtype, self._shards[1]))
        if self._proj_clip is None:
            return m
        return clip_by_value(m, -self._proj_clip, self._proj_clip)


class PhasedLSTMCell(Recurrent):
    """An LSTM whose units open at times of their own (Neil et al. 2016).

    Variables "kernel" and "bias" below "mask_gates", "new_input" and "output_gate", and "period",
    "phase", "ratio_on". The inputs are pairs (time (batch, 1), features).

    Args:
        num_units: size of memory and output. use_peepholes: whether gates see the memory.
        leak: of closed gates. ratio_on: share of a period during which a unit is open;
        trainable_ratio_on: whether it is learnt. period_init_min, period_init_max: periods at
            first are drawn between them, uniformly in the logarithm.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        leak: float = 0.001,
        ratio_on: float = 0.1,
        trainable_ratio_on: bool = True,
        period_init_min: float = 1.0,
        period_init_max: float = 1000.0,
        reuse: Any = None,
    ) -> None:
        super().__init__(memory_sizes(num_units, None), num_units, _reuse=reuse)
        self._use_peepholes = use_peepholes
        self._leak = leak
        self._ratio_on = ratio_on
        self._trainable_ratio_on = trainable_ratio_on
        self._logs = math.log(period_init_min), math.log(period_init_max)

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        (c, h), (time, x), units = state, inputs, self._output_size
        seen = [x, h, c] if self._use_peepholes else [x, h]
        with variable_scope("mask_gates"):
            i, f = split(sigmoid(linear(seen, 2 * units, True)), 2, 1)
        with variable_scope("new_input"):
            candidate = tanh(linear([x, h], units, True))
        new_c = c * f + i * candidate
        seen = [x, h, new_c] if self._use_peepholes else [x, h]
        with variable_scope("output_gate"):
            o = sigmoid(linear(seen, units, True))
        k = self._openness(time)
        mixed_c = k * new_c + (1 - k) * c
        mixed_h = k * (tanh(new_c) * o) + (1 - k) * h
        return mixed_h, LSTMStateTuple(mixed_c, mixed_h)

    def _openness(self, time: Any) -> Any:
        """How far each unit is open at these times: (batch, units)."""
        units, low, high = self._output_size, *self._logs

        def periods(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
            return exp(random_uniform(shape, low, high, dtype))

        period = get_variable("period", [units], initializer=periods)

        def phases(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
            return random_uniform(shape, 0.0, 1.0, dtype) * period.initial_value

        phase = get_variable("phase", [units], initializer=phases)
        ratio: Any = get_variable(
            "ratio_on", [units], initializer=Constant(self._ratio_on),
            trainable=self._trainable_ratio_on,
        )  # fmt: skip
        wide = cast(period, time.dtype)
        shifted = time - cast(phase, time.dtype)
        # the remainder's gradient is the time's
        cycle = stop_gradient(floormod(shifted, wide) - shifted) + shifted
        cycle = cast(cycle / wide, "float32")
        up = cycle * 2 / ratio
        k = where(cycle < ratio, 2 - up, self._leak * cycle)
        return where(cycle < ratio * 0.5, up, k)


class ConvLSTMCell(Recurrent):
    """An LSTM of images: convolutions in place of products (Shi et al. 2015).

    Variables "kernel" (*kernel_shape, channels in, 4 * output_channels) and "biases".

    Args:
        conv_ndims: 1, 2 or 3. input_shape: of one input, with its channels, without the batch.
        output_channels: of memory and output. kernel_shape: extents of the filter.
        use_bias: whether there is one. skip_connection: whether outputs are followed by the
            inputs along the channels. forget_bias: added to the forget gate.

    Raises:
        ValueError: an input_shape of another rank than conv_ndims + 1.
    """

    def __init__(
        self,
        conv_ndims: int,
        input_shape: Any,
        output_channels: int,
        kernel_shape: Any,
        use_bias: bool = True,
        skip_connection: bool = False,
        forget_bias: float = 1.0,
        initializers: Any = None,
        name: str | None = "conv_lstm_cell",
    ) -> None:
        dims = list(input_shape)
        if conv_ndims != len(dims) - 1:
            raise ValueError(f"Invalid input_shape {input_shape} for conv_ndims={conv_ndims}.")
        state = TensorShape([*dims[:-1], output_channels])
        wide = output_channels + (dims[-1] if skip_connection else 0)
        super().__init__(LSTMStateTuple(state, state), TensorShape([*dims[:-1], wide]), name=name)
        self._conv_ndims = conv_ndims
        self._channels = output_channels
        self._kernel_shape = list(kernel_shape)
        self._use_bias = use_bias
        self._skip_connection = skip_connection
        self._forget_bias = forget_bias
        self._initializers = initializers

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c, h = state
        gates = self._convolved(concat([inputs, h], -1))
        i, j, f, o = split(gates, 4, self._conv_ndims + 1)
        new_c = sigmoid(f + self._forget_bias) * c + sigmoid(i) * tanh(j)
        new_h = tanh(new_c) * sigmoid(o)
        output = concat([new_h, inputs], -1) if self._skip_connection else new_h
        return output, LSTMStateTuple(new_c, new_h)

    def _convolved(self, x: Any) -> Any:
        width = 4 * self._channels
        shape = [*self._kernel_shape, x.get_shape().as_list()[-1], width]
        kernel = get_variable(KERNEL, shape, dtype=x.dtype, initializer=self._initializers)
        if self._conv_ndims == 1:
            out = conv1d(x, kernel, 1, "SAME")
        else:
            op = conv2d if self._conv_ndims == 2 else conv3d
            out = op(x, kernel, [1] * (self._conv_ndims + 2), "SAME")
        if not self._use_bias:
            return out
        return out + get_variable("biases", [width], dtype=x.dtype, initializer=Zeros())


class Conv1DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell of sequences: inputs (batch, width, channels)."""

    def __init__(self, name: str = "conv_1d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=1, name=name, **kwargs)


class Conv2DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell of images: inputs (batch, height, width, channels)."""

    def __init__(self, name: str = "conv_2d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=2, name=name, **kwargs)


class Conv3DLSTMCell(ConvLSTMCell):
    """ConvLSTMCell of volumes: inputs (batch, depth, height, width, channels)."""

    def __init__(self, name: str = "conv_3d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=3, name=name, **kwargs)
