"""The cells of tf.contrib.rnn that TensorFlow runs as one kernel, here built of ops and fused.

Lives here: LSTMBlockCell, GRUBlockCell, GRUBlockCellV2, and over whole sequences
LSTMBlockFusedCell, FusedRNNCell, FusedRNNCellAdaptor, TimeReversedFusedRNN. Users find these
names in graphc.contrib.rnn.
"""

from __future__ import annotations

from typing import Any

from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_array import concat, reverse, reverse_sequence, shape, split, stack, unstack
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import clip_by_value, sigmoid, tanh
from graphc.tf1.api_nn import bias_add
from graphc.tf1.initializers import Constant, Zeros
from graphc.tf1.layers_base import InputSpec, Layer
from graphc.tf1.rnn import dynamic_rnn
from graphc.tf1.rnn_cell_base import KERNEL, LayerRNNCell, LSTMStateTuple, RNNCell, known_depth
from graphc.tf1.rnn_static import static_rnn
from graphc.tf1.variable_scope import variable_scope

__all__ = [
    "FusedRNNCell", "FusedRNNCellAdaptor", "GRUBlockCell", "GRUBlockCellV2", "LSTMBlockCell",
    "LSTMBlockFusedCell", "TimeReversedFusedRNN",
]  # fmt: skip


class _Weights:
    """The variables of a block LSTM, made by a layer."""

    def __init__(self, layer: Layer, depth: int, units: int, peephole: bool) -> None:
        self.kernel = layer.add_weight(KERNEL, [depth + units, 4 * units])
        self.bias = layer.add_weight("bias", [4 * units], initializer=Zeros())
        self.peephole = [
            layer.add_weight(f"w_{gate}_diag", [units]) for gate in ("ifo" if peephole else "")
        ]

    def step(
        self, x: Any, c: Any, h: Any, forget_bias: float, cell_clip: float | None
    ) -> tuple[Any, Any]:
        """(memory, output) after one step."""
        gates = bias_add(matmul(concat([x, h], 1), self.kernel), self.bias)
        i, j, f, o = split(gates, 4, 1)
        f = f + forget_bias
        if self.peephole:
            i, f = i + self.peephole[0] * c, f + self.peephole[1] * c
        new_c = sigmoid(i) * tanh(j) + sigmoid(f) * c
        if cell_clip is not None and cell_clip > 0:
            new_c = clip_by_value(new_c, -cell_clip, cell_clip)
        if self.peephole:
            o = o + self.peephole[2] * new_c
        return new_c, tanh(new_c) * sigmoid(o)


class LSTMBlockCell(LayerRNNCell):
    """An LSTM cell (tf.contrib.rnn.LSTMBlockCell), with the names of LSTMCell.

    Variables "kernel", "bias", with peepholes "w_i_diag", "w_f_diag", "w_o_diag", below
    "lstm_cell".

    Args:
        num_units: size of memory and output. forget_bias: added to the forget gate.
        cell_clip: bound of the memory. use_peephole: whether gates see the memory.

    Raises:
        ValueError: a state that is no pair, or an input depth that is not known.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        cell_clip: float | None = None,
        use_peephole: bool = False,
        dtype: Any = None,
        reuse: Any = None,
        name: str = "lstm_cell",
    ) -> None:
        super().__init__(_reuse=reuse, dtype=dtype, name=name)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._forget_bias = forget_bias
        self._cell_clip = cell_clip
        self._use_peephole = use_peephole

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        self._weights = _Weights(
            self, known_depth(inputs_shape), self._num_units, self._use_peephole
        )
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        if len(state) != 2:
            raise ValueError("Expecting state to be a tuple with length 2.")
        old_c, old_h = state
        c, h = self._weights.step(inputs, old_c, old_h, self._forget_bias, self._cell_clip)
        return h, LSTMStateTuple(c, h)


class GRUBlockCell(LayerRNNCell):
    """A GRU cell (tf.contrib.rnn.GRUBlockCell).

    Variables "w_ru", "b_ru", "w_c", "b_c" below "gru_cell".

    Args:
        num_units: size of state and output (or cell_size, its older name).

    Raises:
        ValueError: both num_units and cell_size, or neither.
    """

    _NAMES = ("w_ru", "b_ru", "w_c", "b_c")

    def __init__(
        self,
        num_units: int | None = None,
        cell_size: int | None = None,
        reuse: Any = None,
        name: str = "gru_cell",
    ) -> None:
        super().__init__(_reuse=reuse, name=name)
        if (num_units is None) == (cell_size is None):
            raise ValueError(
                "Exactly one of num_units or cell_size must be provided."
                if num_units is None
                else "Only one of num_units or cell_size can be provided."
            )
        self.input_spec = InputSpec(ndim=2)
        self._cell_size = int(num_units or cell_size or 0)

    @property
    def state_size(self) -> Any:
        return self._cell_size

    @property
    def output_size(self) -> Any:
        return self._cell_size

    def build(self, inputs_shape: Any) -> None:
        units = self._cell_size
        rows = known_depth(inputs_shape) + units
        gates, gates_bias, candidate, candidate_bias = self._NAMES
        self._w_ru = self.add_weight(gates, [rows, 2 * units])
        self._b_ru = self.add_weight(gates_bias, [2 * units], initializer=Constant(1.0))
        self._w_c = self.add_weight(candidate, [rows, units])
        self._b_c = self.add_weight(candidate_bias, [units], initializer=Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        gates = bias_add(matmul(concat([inputs, state], 1), self._w_ru), self._b_ru)
        r, u = split(sigmoid(gates), 2, 1)
        candidate = bias_add(matmul(concat([inputs, r * state], 1), self._w_c), self._b_c)
        new = (1 - u) * tanh(candidate) + u * state
        return new, new


class GRUBlockCellV2(GRUBlockCell):
    """GRUBlockCell with the names of GRUCell's variables."""

    _NAMES = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")


# ------------------------------------------------------------------ whole sequences
class FusedRNNCell:
    """A recurrence over a whole sequence (tf.contrib.rnn.FusedRNNCell): subclasses define a call.

    (inputs (time, batch, depth), initial_state, dtype, sequence_length, scope) -> (outputs, last
    state).
    """

    def __call__(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
        scope: Any = None,
    ) -> tuple[Any, Any]:
        raise NotImplementedError("a FusedRNNCell defines __call__")


class FusedRNNCellAdaptor(FusedRNNCell):
    """A cell as a FusedRNNCell.

    Args:
        cell: an RNNCell. use_dynamic_rnn: whether to loop; else the steps are unrolled.
    """

    def __init__(self, cell: Any, use_dynamic_rnn: bool = False) -> None:
        self._cell = cell
        self._use_dynamic_rnn = use_dynamic_rnn

    def __call__(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
        scope: Any = None,
    ) -> tuple[Any, Any]:
        """(outputs, last state); inputs as one tensor or as a list, outputs alike."""
        is_list = isinstance(inputs, list)
        options = {
            "initial_state": initial_state, "dtype": dtype, "sequence_length": sequence_length,
            "scope": scope,
        }  # fmt: skip
        outputs: Any
        if self._use_dynamic_rnn:
            joined = stack(inputs) if is_list else inputs
            outputs, state = dynamic_rnn(self._cell, joined, time_major=True, **options)
            return (unstack(outputs) if is_list else outputs), state
        steps = inputs if is_list else unstack(inputs)
        outputs, state = static_rnn(self._cell, steps, **options)
        return (outputs if is_list else stack(outputs)), state


class TimeReversedFusedRNN(FusedRNNCell):
    """A FusedRNNCell that runs from the end of each row to its begin.

    Args:
        cell: a FusedRNNCell.
    """

    def __init__(self, cell: Any) -> None:
        self._cell = cell

    def _reversed(self, t: Any, lengths: Any) -> Any:
        if isinstance(t, list):
            return list(reversed(t))
        return reverse(t, [0]) if lengths is None else reverse_sequence(t, lengths, 0, 1)

    def __call__(
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
        scope: Any = None,
    ) -> tuple[Any, Any]:
        """(outputs in the inputs' order, the state after the first step of the inputs)."""
        turned = self._reversed(inputs, sequence_length)
        outputs, state = self._cell(turned, initial_state, dtype, sequence_length, scope)
        return self._reversed(outputs, sequence_length), state


class _WithWeights(RNNCell):
    """The step of an LSTMBlockFusedCell as a cell, inside the fused cell's scope."""

    def __init__(self, layer: LSTMBlockFusedCell, weights: _Weights) -> None:
        self._layer = layer
        self._weights = weights

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._layer.num_units, self._layer.num_units)

    @property
    def output_size(self) -> Any:
        return self._layer.num_units

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:  # type: ignore[override]
        layer, (old_c, old_h) = self._layer, state
        c, h = self._weights.step(inputs, old_c, old_h, layer.forget_bias, layer.cell_clip)
        return h, LSTMStateTuple(c, h)


class LSTMBlockFusedCell(Layer):
    """An LSTM over a whole sequence (tf.contrib.rnn.LSTMBlockFusedCell).

    Variables as LSTMBlockCell's, below "lstm_fused_cell".

    Args:
        See LSTMBlockCell.
    """

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        cell_clip: float | None = None,
        use_peephole: bool = False,
        reuse: Any = None,
        dtype: Any = None,
        name: str = "lstm_fused_cell",
    ) -> None:
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=3)
        self.num_units = num_units
        self.forget_bias = forget_bias
        self.cell_clip = cell_clip
        self._use_peephole = use_peephole

    def build(self, inputs_shape: Any) -> None:
        depth = known_depth(inputs_shape)
        self._weights = _Weights(self, depth, self.num_units, self._use_peephole)
        self.built = True

    def __call__(  # type: ignore[override]
        self,
        inputs: Any,
        initial_state: Any = None,
        dtype: Any = None,
        sequence_length: Any = None,
        scope: Any = None,
    ) -> Any:
        """(outputs, last LSTMStateTuple).

        Args:
            inputs: (time, batch, depth), or a list of (batch, depth). initial_state: a pair;
                default zeros of `dtype`. sequence_length: (batch,); see dynamic_rnn.

        Raises:
            ValueError: neither initial_state nor dtype.
        """
        return super().__call__(
            stack(inputs) if isinstance(inputs, list) else inputs, isinstance(inputs, list),
            initial_state, dtype, sequence_length, scope=scope,
        )  # fmt: skip

    def call(  # type: ignore[override]
        self, inputs: Any, is_list: bool, initial_state: Any, dtype: Any, sequence_length: Any
    ) -> Any:
        x = convert_to_tensor(inputs)
        if initial_state is None:
            if dtype is None:
                raise ValueError("Either initial_state or dtype needs to be specified")
            rows = x.shape.as_list()[1]
            step = _WithWeights(self, self._weights)
            start = step.zero_state(shape(x)[1] if rows is None else rows, dtype)
        else:
            if len(initial_state) != 2:
                raise ValueError("Expecting initial_state to be a tuple with length 2 or None")
            step, start = _WithWeights(self, self._weights), LSTMStateTuple(*initial_state)
        with variable_scope("loop", auxiliary_name_scope=False) as scope:
            outputs, state = dynamic_rnn(
                step, x, sequence_length, start, dtype, time_major=True, scope=scope
            )
        return (unstack(outputs) if is_list else outputs), state
