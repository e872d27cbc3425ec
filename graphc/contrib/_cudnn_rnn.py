"""tf.contrib.cudnn_rnn: recurrent layers with cuDNN's interface, run by graphc's own kernels.

Lives here: CudnnLSTM, CudnnGRU, CudnnRNNTanh, CudnnRNNRelu, and the cells whose checkpoints theirs
can be read as. Not here: dynamic_rnn (tf1/rnn.py). Users find these names in
graphc.contrib.cudnn_rnn.
"""

from __future__ import annotations

from typing import Any

from graphc.contrib._rnn_blocks import LSTMBlockCell
from graphc.contrib._rnn_stacks import stack_bidirectional_dynamic_rnn
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_array import concat, shape, split, stack
from graphc.tf1.api_create import zeros
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import sigmoid
from graphc.tf1.api_nn import bias_add, relu
from graphc.tf1.initializers import GlorotUniform, Zeros
from graphc.tf1.layers_base import InputSpec, Layer
from graphc.tf1.rnn import dynamic_rnn
from graphc.tf1.rnn_cell_base import LSTMStateTuple, known_depth
from graphc.tf1.rnn_cells import BasicRNNCell, GRUCell, MultiRNNCell
from graphc.tf1.rnn_step import transpose_batch_time
from graphc.tf1.rnn_wrappers import DropoutWrapper
from graphc.tf1.variable_scope import get_variable_scope, variable_scope

__all__ = [
    "CudnnCompatibleGRUCell", "CudnnCompatibleLSTMCell", "CudnnGRU", "CudnnLSTM", "CudnnRNNRelu",
    "CudnnRNNTanh",
]  # fmt: skip

UNIDIRECTIONAL, BIDIRECTIONAL = "unidirectional", "bidirectional"


class CudnnCompatibleLSTMCell(LSTMBlockCell):
    """LSTMBlockCell without a forget bias, as cuDNN's.

    Variables "kernel" and "bias" below "cudnn_compatible_lstm_cell".
    """

    def __init__(self, num_units: int, reuse: Any = None) -> None:
        super().__init__(num_units, 0.0, reuse=reuse, name="cudnn_compatible_lstm_cell")


class CudnnCompatibleGRUCell(GRUCell):
    """A GRU whose reset gate comes behind the recurrent product, as cuDNN's.

    Variables "gates/kernel", "gates/bias", and "kernel" and "bias" below
    "candidate/input_projection" and "candidate/hidden_projection".

    Args:
        num_units: size of state and output. kernel_initializer: of the matrices.
    """

    def __init__(self, num_units: int, reuse: Any = None, kernel_initializer: Any = None) -> None:
        super().__init__(num_units, reuse=reuse, kernel_initializer=kernel_initializer)

    def build(self, inputs_shape: Any) -> None:
        depth, units = known_depth(inputs_shape), self._num_units
        kernel = self._kernel_initializer

        def pair(name: str, rows: int, columns: int) -> tuple[Any, Any]:
            weights = self.add_weight(f"{name}/kernel", [rows, columns], initializer=kernel)
            return weights, self.add_weight(f"{name}/bias", [columns], initializer=Zeros())

        self._gates = pair("gates", depth + units, 2 * units)
        self._of_input = pair("candidate/input_projection", depth, units)
        self._of_state = pair("candidate/hidden_projection", units, units)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        r, u = split(sigmoid(_affine(concat([inputs, state], 1), self._gates)), 2, 1)
        hidden = _affine(state, self._of_state)
        candidate = self._activation(_affine(inputs, self._of_input) + r * hidden)
        new = (1 - u) * candidate + u * state
        return new, new


def _affine(x: Any, weights: tuple[Any, Any]) -> Any:
    return bias_add(matmul(x, weights[0]), weights[1])


class _CudnnRNN(Layer):
    """Layers of one kind of cell over a whole sequence.

    Args:
        num_layers, num_units: of layers, of each layer's output in one direction.
        input_mode: "linear_input" or "auto_select". direction: "unidirectional" or
            "bidirectional". dropout: share of each layer's inputs but the first's that is
            dropped in training; seed: of it. kernel_initializer, bias_initializer: default
            Glorot's and zeros.

    Raises:
        ValueError: another input_mode or direction.
    """

    _STATES = 1

    def __init__(
        self,
        num_layers: int,
        num_units: int,
        input_mode: str = "linear_input",
        direction: str = UNIDIRECTIONAL,
        dropout: float = 0.0,
        seed: int | None = None,
        dtype: Any = "float32",
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if input_mode not in ("linear_input", "auto_select"):
            raise ValueError(f"input_mode {input_mode!r} is not supported: use 'linear_input'")
        if direction not in (UNIDIRECTIONAL, BIDIRECTIONAL):
            raise ValueError(
                f"direction must be '{UNIDIRECTIONAL}' or '{BIDIRECTIONAL}', got {direction!r}"
            )
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout must be in [0, 1], got {dropout}")
        self.input_spec = InputSpec(ndim=3)
        self.num_layers = num_layers
        self.num_units = num_units
        self.input_mode = input_mode
        self.direction = direction
        self.num_dirs = 2 if direction == BIDIRECTIONAL else 1
        self._dropout = dropout
        self._seed = seed
        self._kernel_initializer = kernel_initializer or GlorotUniform()
        self._bias_initializer = bias_initializer
        self._cells = [self._cell() for _ in range(num_layers * self.num_dirs)]

    def _cell(self) -> Any:
        raise NotImplementedError

    @property
    def trainable_weights(self) -> list[Any]:
        found = [v for cell in self._cells for v in cell.trainable_weights]
        return found if self.trainable else []

    trainable_variables = trainable_weights

    def state_shape(self, batch_size: int) -> tuple[list[int], ...]:
        """The shapes of the states: (layers * directions, batch, num_units) each."""
        return ([self.num_layers * self.num_dirs, batch_size, self.num_units],) * self._STATES

    def call(  # type: ignore[override]
        self,
        inputs: Any,
        initial_state: Any = None,
        sequence_lengths: Any = None,
        time_major: bool = True,
        training: bool = True,
    ) -> Any:
        """(outputs, states).

        Args:
            inputs: (time, batch, depth), or (batch, time, depth) without time_major.
            initial_state: a tuple of states, each (layers * directions, batch, num_units): (h, c)
                of an LSTM, (h,) of others; default zeros. sequence_lengths: (batch,).
            training: whether inputs are dropped.
        """
        x = convert_to_tensor(inputs)
        x = x if time_major else transpose_batch_time(x)
        starts = self._starts(x, initial_state)
        cells = [self._dropping(c, n, training) for n, c in enumerate(self._cells)]
        run = self._both_ways if self.num_dirs == 2 else self._one_way
        with variable_scope(
            get_variable_scope(), initializer=self._kernel_initializer,
            custom_getter=self._with_bias if self._bias_initializer is not None else None,
        ):  # fmt: skip
            outputs, ends = run(x, cells, starts, sequence_lengths)
        return (outputs if time_major else transpose_batch_time(outputs)), self._joined(ends)

    def _with_bias(self, getter: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        """A custom getter: biases begin as the layer was told."""
        if name.endswith("/bias"):
            kwargs["initializer"] = self._bias_initializer
        return getter(name, *args, **kwargs)

    def _dropping(self, cell: Any, number: int, training: bool) -> Any:
        if not training or not self._dropout or number < self.num_dirs:
            return cell
        return DropoutWrapper(cell, input_keep_prob=1 - self._dropout, seed=self._seed)

    def _one_way(self, x: Any, cells: list[Any], starts: list[Any], lengths: Any) -> Any:
        many = MultiRNNCell(cells)
        outputs, ends = dynamic_rnn(many, x, lengths, tuple(starts), time_major=True)
        return outputs, list(ends)

    def _both_ways(self, x: Any, cells: list[Any], starts: list[Any], lengths: Any) -> Any:
        outputs, fw, bw = stack_bidirectional_dynamic_rnn(
            cells[::2], cells[1::2], x, starts[::2], starts[1::2], sequence_length=lengths,
            time_major=True,
        )  # fmt: skip
        return outputs, [end for pair in zip(fw, bw, strict=True) for end in pair]

    def _starts(self, x: Any, initial_state: Any) -> list[Any]:
        """The first state of each cell."""
        count = len(self._cells)
        if initial_state is None:
            one = zeros(stack([shape(x)[1], self.num_units]), x.dtype)
            one.set_shape([x.shape.as_list()[1], self.num_units])
            return [self._state([one] * self._STATES) for _ in range(count)]
        if len(initial_state) != self._STATES:
            raise ValueError(
                f"initial_state must be a tuple of {self._STATES} tensors, got {initial_state}"
            )
        return [self._state([part[n] for part in initial_state]) for n in range(count)]

    def _state(self, parts: list[Any]) -> Any:
        return parts[0]

    def _joined(self, ends: list[Any]) -> tuple[Any, ...]:
        """The last states of all cells, stacked."""
        return (stack(ends),)


class CudnnLSTM(_CudnnRNN):
    """Layers of LSTMs (tf.contrib.cudnn_rnn.CudnnLSTM); states are (h, c).

    Variables of CudnnCompatibleLSTMCells, below "rnn/multi_rnn_cell/cell_0" or, in both
    directions, "stack_bidirectional_rnn/cell_0/bidirectional_rnn/fw".
    """

    _STATES = 2

    def _cell(self) -> Any:
        return CudnnCompatibleLSTMCell(self.num_units)

    def _state(self, parts: list[Any]) -> Any:
        h, c = parts
        return LSTMStateTuple(c, h)

    def _joined(self, ends: list[Any]) -> tuple[Any, ...]:
        return stack([e.h for e in ends]), stack([e.c for e in ends])


class CudnnGRU(_CudnnRNN):
    """Layers of GRUs (tf.contrib.cudnn_rnn.CudnnGRU); states are (h,)."""

    def _cell(self) -> Any:
        return CudnnCompatibleGRUCell(self.num_units)


class CudnnRNNTanh(_CudnnRNN):
    """Layers of plain recurrences with tanh (tf.contrib.cudnn_rnn.CudnnRNNTanh)."""

    def _cell(self) -> Any:
        return BasicRNNCell(self.num_units)


class CudnnRNNRelu(_CudnnRNN):
    """Layers of plain recurrences with relu (tf.contrib.cudnn_rnn.CudnnRNNRelu)."""

    def _cell(self) -> Any:
        return BasicRNNCell(self.num_units, relu)
