"""The recurrent cells of tf.nn.rnn_cell: BasicRNNCell, GRUCell, BasicLSTMCell, LSTMCell.

Lives here: those four and MultiRNNCell. Not here: what cells share (tf1/rnn_cell_base.py),
wrappers (tf1/rnn_wrappers.py), the cells of tf.contrib.rnn (contrib/). Users find these names in
graphc.nn.rnn_cell.
"""

from __future__ import annotations

import logging
from typing import Any

from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, slice, split
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import clip_by_value, sigmoid, tanh
from graphc.tf1.api_nn import bias_add
from graphc.tf1.layers_base import InputSpec, Layer
from graphc.tf1.rnn_cell_base import (
    BIAS,
    KERNEL,
    LayerRNNCell,
    LSTMStateTuple,
    RNNCell,
    activation_of,
    bias_initializer,
    check_dtypes,
    known_depth,
)
from graphc.tf1.variable_scope import variable_scope

__all__ = ["BasicLSTMCell", "BasicRNNCell", "GRUCell", "LSTMCell", "MultiRNNCell"]

_LOG = logging.getLogger("tensorflow")


class _Cell(LayerRNNCell):
    """A layer cell whose output is a vector of `num_units`."""

    def __init__(
        self,
        num_units: int,
        activation: Any,
        reuse: Any,
        name: str | None,
        dtype: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype, **kwargs)
        check_dtypes(self.dtype)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = activation_of(activation, tanh)

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units


class BasicRNNCell(_Cell):
    """activation([inputs, state] x kernel + bias) (tf.nn.rnn_cell.BasicRNNCell).

    Variables "kernel" (depth + num_units, num_units) and "bias".

    Args:
        num_units: size of state and output. activation: a function or its name; default tanh.
        reuse: whether the variables exist. name, dtype: of the layer.

    Raises:
        ValueError: a dtype that is not floating, or an input depth that is not known.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)

    def build(self, inputs_shape: Any) -> None:
        depth = known_depth(inputs_shape)
        self._kernel = self.add_weight(KERNEL, [depth + self._num_units, self._num_units])
        self._bias = self.add_weight(BIAS, [self._num_units], initializer=bias_initializer(None))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        check_dtypes(inputs, state)
        joined = matmul(concat([inputs, state], 1), self._kernel)
        output = self._activation(bias_add(joined, self._bias))
        return output, output


class GRUCell(_Cell):
    """Gated recurrent unit, Cho et al. 2014 (tf.nn.rnn_cell.GRUCell).

    Variables "gates/kernel" (depth + num_units, 2 * num_units; reset, then update), "gates/bias"
    (1 at first), "candidate/kernel" and "candidate/bias".

    Args:
        num_units: size of state and output. activation: of the candidate; default tanh.
        kernel_initializer, bias_initializer: of both parts. Others: see BasicRNNCell.

    Raises:
        ValueError: see BasicRNNCell.
    """

    def __init__(
        self,
        num_units: int,
        activation: Any = None,
        reuse: Any = None,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        self._kernel_initializer = kernel_initializer
        self._bias_initializer = bias_initializer

    def build(self, inputs_shape: Any) -> None:
        rows, units = known_depth(inputs_shape) + self._num_units, self._num_units
        kernel, bias = self._kernel_initializer, self._bias_initializer
        self._gate_kernel = self.add_weight(
            f"gates/{KERNEL}", [rows, 2 * units], initializer=kernel
        )
        self._gate_bias = self.add_weight(
            f"gates/{BIAS}", [2 * units], initializer=bias_initializer(bias, 1.0)
        )
        self._candidate_kernel = self.add_weight(
            f"candidate/{KERNEL}", [rows, units], initializer=kernel
        )
        self._candidate_bias = self.add_weight(
            f"candidate/{BIAS}", [units], initializer=bias_initializer(bias)
        )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        check_dtypes(inputs, state)
        gates = matmul(concat([inputs, state], 1), self._gate_kernel)
        r, u = split(sigmoid(bias_add(gates, self._gate_bias)), 2, 1)
        candidate = matmul(concat([inputs, r * state], 1), self._candidate_kernel)
        c = self._activation(bias_add(candidate, self._candidate_bias))
        new = u * state + (1 - u) * c
        return new, new


class BasicLSTMCell(_Cell):
    """Long short-term memory (tf.nn.rnn_cell.BasicLSTMCell).

    Variables "kernel" (depth + num_units, 4 * num_units; columns i, j, f, o) and "bias".

    Args:
        num_units: size of memory and output. forget_bias: added to the forget gate.
        state_is_tuple: whether states are LSTMStateTuples; else (batch, 2 * num_units).
        activation: of the new memory and of the output; default tanh. Others: see BasicRNNCell.

    Raises:
        ValueError: see BasicRNNCell.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        _warn_of_concatenated(self, state_is_tuple)
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple

    @property
    def state_size(self) -> Any:
        units = self._num_units
        return LSTMStateTuple(units, units) if self._state_is_tuple else 2 * units

    def build(self, inputs_shape: Any) -> None:
        depth, units = known_depth(inputs_shape), self._num_units
        self._kernel = self.add_weight(KERNEL, [depth + units, 4 * units])
        self._bias = self.add_weight(BIAS, [4 * units], initializer=bias_initializer(None))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        check_dtypes(inputs, state)
        c, h = state if self._state_is_tuple else split(state, 2, 1)
        gates = bias_add(matmul(concat([inputs, h], 1), self._kernel), self._bias)
        i, j, f, o = split(gates, 4, 1)
        new_c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * self._activation(j)
        new_h = self._activation(new_c) * sigmoid(o)
        if self._state_is_tuple:
            return new_h, LSTMStateTuple(new_c, new_h)
        return new_h, concat([new_c, new_h], 1)


def _warn_of_concatenated(cell: Any, state_is_tuple: bool) -> None:
    if not state_is_tuple:
        _LOG.warning(
            "%s: Using a concatenated state is slower and will soon be deprecated.  Use "
            "state_is_tuple=True.", cell,
        )  # fmt: skip


class LSTMCell(_Cell):
    """Long short-term memory with peepholes and projection (tf.nn.rnn_cell.LSTMCell).

    Variables "kernel", "bias", with peepholes "w_f_diag", "w_i_diag", "w_o_diag", with a
    projection "projection/kernel". Sak et al. 2014.

    Args:
        num_units: size of the memory. use_peepholes: whether gates see the memory.
        cell_clip: bound of the memory's elements. initializer: of all weights but the bias.
        num_proj: size of the projected output; default none. proj_clip: bound of its elements.
        num_unit_shards, num_proj_shards: numbers of parts of the kernels, "kernel/part_0", ...
        forget_bias, state_is_tuple, activation: see BasicLSTMCell. Others: see BasicRNNCell.

    Raises:
        ValueError: see BasicRNNCell.
    """

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: int | None = None,
        num_proj_shards: int | None = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Any = None,
        reuse: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype, **kwargs)
        _warn_of_concatenated(self, state_is_tuple)
        self._use_peepholes = use_peepholes
        self._cell_clip = cell_clip
        self._initializer = initializer
        self._num_proj = num_proj
        self._proj_clip = proj_clip
        self._num_unit_shards = num_unit_shards
        self._num_proj_shards = num_proj_shards
        self._forget_bias = forget_bias
        self._state_is_tuple = state_is_tuple

    @property
    def state_size(self) -> Any:
        sizes = LSTMStateTuple(self._num_units, self.output_size)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        return self._num_proj or self._num_units

    def build(self, inputs_shape: Any) -> None:
        units = self._num_units
        rows = known_depth(inputs_shape) + self.output_size
        self._kernel = self._sharded(KERNEL, [rows, 4 * units], self._num_unit_shards)
        self._bias = self.add_weight(BIAS, [4 * units], initializer=bias_initializer(None))
        if self._use_peepholes:
            self._w_f_diag, self._w_i_diag, self._w_o_diag = (
                self.add_weight(name, [units], initializer=self._initializer)
                for name in ("w_f_diag", "w_i_diag", "w_o_diag")
            )
        if self._num_proj is not None:
            self._proj_kernel = self._sharded(
                f"projection/{KERNEL}", [units, self._num_proj], self._num_proj_shards
            )
        self.built = True

    def _sharded(self, name: str, shape: list[int], shards: int | None) -> list[Any]:
        """The variables of one matrix: itself, or parts of its rows."""
        if shards is None:
            return [self.add_weight(name, shape, initializer=self._initializer)]
        each, more = divmod(shape[0], shards)
        rows = [each + (number < more) for number in range(shards)]
        return [
            self.add_weight(f"{name}/part_{n}", [r, shape[1]], initializer=self._initializer)
            for n, r in enumerate(rows)
        ]

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        check_dtypes(inputs, state)
        c, m = self._parts(state)
        joined = matmul(concat([inputs, m], 1), _whole(self._kernel))
        i, j, f, o = split(bias_add(joined, self._bias), 4, 1)
        f = f + self._forget_bias
        if self._use_peepholes:
            f, i = f + self._w_f_diag * c, i + self._w_i_diag * c
        c = sigmoid(f) * c + sigmoid(i) * self._activation(j)
        if self._cell_clip is not None:
            c = clip_by_value(c, -self._cell_clip, self._cell_clip)
        if self._use_peepholes:
            o = o + self._w_o_diag * c
        m = sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            m = matmul(m, _whole(self._proj_kernel))
            if self._proj_clip is not None:
                m = clip_by_value(m, -self._proj_clip, self._proj_clip)
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else concat([c, m], 1)

    def _parts(self, state: Any) -> tuple[Any, Any]:
        if self._state_is_tuple:
            c, m = state
            return c, m
        memory = slice(state, [0, 0], [-1, self._num_units])
        return memory, slice(state, [0, self._num_units], [-1, self.output_size])


def _whole(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else concat(parts, 0)


class MultiRNNCell(RNNCell):
    """Cells one after the other: each one's output is the next one's input.

    Variables below "multi_rnn_cell/cell_0", "multi_rnn_cell/cell_1", ...
    (tf.nn.rnn_cell.MultiRNNCell).

    Args:
        cells: list or tuple of cells. state_is_tuple: whether the state is a tuple of theirs;
            else their states, which are then no tuples, are joined along axis 1.

    Raises:
        ValueError: no cells, or tuples of states without state_is_tuple.
        TypeError: cells are no list or tuple.
    """

    def __init__(self, cells: Any, state_is_tuple: bool = True) -> None:
        super().__init__()
        if not nest.is_nested(cells):
            raise TypeError(f"cells must be a list or tuple, but saw: {cells}.")
        if not cells:
            raise ValueError("Must specify at least one cell for MultiRNNCell.")
        if len({id(cell) for cell in cells}) < len(cells):
            _LOG.warning(
                "At least two cells provided to MultiRNNCell are the same object and will share "
                "weights."
            )
        # a tuple, so that copies of this cell have copies of the others
        self._cells = tuple(cells)
        self._state_is_tuple = state_is_tuple
        sizes = [c.state_size for c in cells]
        if not state_is_tuple and any(nest.is_nested(s) for s in sizes):
            raise ValueError(
                "Some cells return tuples of states, but the flag state_is_tuple is not set.  "
                f"State sizes are: {sizes}"
            )

    @property
    def state_size(self) -> Any:
        sizes = tuple(cell.state_size for cell in self._cells)
        return sizes if self._state_is_tuple else sum(sizes)

    @property
    def output_size(self) -> Any:
        return self._cells[-1].output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        if not self._state_is_tuple:
            return super().zero_state(batch_size, dtype)
        with get_default_graph().name_scope(f"{type(self).__name__}ZeroState"):
            return tuple(cell.zero_state(batch_size, dtype) for cell in self._cells)

    @property
    def trainable_weights(self) -> list[Any]:
        layers = [c for c in self._cells if isinstance(c, Layer)]
        return [v for c in layers for v in c.trainable_weights] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        layers = [c for c in self._cells if isinstance(c, Layer)]
        fixed = [v for c in layers for v in c.non_trainable_weights]
        learnt = [v for c in layers for v in c.trainable_weights]
        return fixed if self.trainable else learnt + fixed

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        if self._state_is_tuple and not nest.is_nested(state):
            raise ValueError(
                f"Expected state to be a tuple of length {len(self.state_size)}, but received: "
                f"{state}"
            )
        start, new_states = 0, []
        for number, cell in enumerate(self._cells):
            with variable_scope(f"cell_{number}"):
                if self._state_is_tuple:
                    own = state[number]
                else:
                    own = slice(state, [0, start], [-1, cell.state_size])
                    start += cell.state_size
                inputs, new = cell(inputs, own)
                new_states.append(new)
        joined: Tensor | tuple[Any, ...] = (
            tuple(new_states) if self._state_is_tuple else concat(new_states, 1)
        )
        return inputs, joined
