"""Wrappers of cells in tf.contrib.rnn: embeddings, projections, attention, highways.

Lives here: EmbeddingWrapper, InputProjectionWrapper, OutputProjectionWrapper,
AttentionCellWrapper, HighwayWrapper, CompiledWrapper. Not here: the wrappers of tf.nn.rnn_cell
(tf1/rnn_wrappers.py). Users find these names in graphc.contrib.rnn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.contrib._rnn_base import Recurrent, linear
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, expand_dims, reshape, slice
from graphc.tf1.api_conv import conv2d
from graphc.tf1.api_index import embedding_lookup
from graphc.tf1.api_math import sigmoid, tanh
from graphc.tf1.api_nn import softmax, xw_plus_b
from graphc.tf1.api_reduce import reduce_sum
from graphc.tf1.initializers import Constant, RandomUniform
from graphc.tf1.rnn_cell_base import assert_like_rnncell
from graphc.tf1.rnn_wrappers import CellWrapper
from graphc.tf1.variable_scope import get_variable, get_variable_scope, variable_scope

__all__ = [
    "AttentionCellWrapper", "CompiledWrapper", "EmbeddingWrapper", "HighwayWrapper",
    "InputProjectionWrapper", "OutputProjectionWrapper",
]  # fmt: skip


class EmbeddingWrapper(Recurrent):
    """A cell whose inputs are numbers of rows of a table.

    Variable "embedding" (embedding_classes, embedding_size).

    Args:
        cell: the cell. initializer: of the table; default the scope's, else uniform in
            [-sqrt(3), sqrt(3)].

    Raises:
        TypeError: no cell. ValueError: sizes below 1.
    """

    def __init__(
        self,
        cell: Any,
        embedding_classes: int,
        embedding_size: int,
        initializer: Any = None,
        reuse: Any = None,
    ) -> None:
        assert_like_rnncell("cell", cell)
        super().__init__(cell.state_size, cell.output_size, _reuse=reuse)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(
                "Both embedding_classes and embedding_size must be > 0: "
                f"{embedding_classes}, {embedding_size}."
            )
        self._cell = cell
        self._shape = [embedding_classes, embedding_size]
        self._initializer = initializer

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        initializer = self._initializer or get_variable_scope().initializer
        if initializer is None:
            initializer = RandomUniform(-(3.0**0.5), 3.0**0.5)
        kind = nest.flatten(state)[0].dtype
        table = get_variable("embedding", self._shape, kind, initializer)
        return self._cell(embedding_lookup(table, reshape(inputs, [-1])), state)


class InputProjectionWrapper(Recurrent):
    """A linear map in front of a cell: variables "kernel" and "bias".

    Args:
        num_proj: depth of what the cell sees. activation: of the map; default none.
        input_size: unused.
    """

    def __init__(
        self,
        cell: Any,
        num_proj: int,
        activation: Callable[..., Any] | None = None,
        input_size: int | None = None,
        reuse: Any = None,
    ) -> None:
        assert_like_rnncell("cell", cell)
        super().__init__(cell.state_size, cell.output_size, _reuse=reuse)
        self._cell = cell
        self._num_proj = num_proj
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        projected = linear(inputs, self._num_proj, True)
        if self._activation is not None:
            projected = self._activation(projected)
        return self._cell(projected, state)


class OutputProjectionWrapper(Recurrent):
    """A linear map behind a cell: variables "kernel" and "bias".

    Args:
        output_size: of the map. activation: of the map; default none.

    Raises:
        ValueError: output_size below 1.
    """

    def __init__(
        self,
        cell: Any,
        output_size: int,
        activation: Callable[..., Any] | None = None,
        reuse: Any = None,
    ) -> None:
        assert_like_rnncell("cell", cell)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        super().__init__(cell.state_size, output_size, _reuse=reuse)
        self._cell = cell
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        output, new_state = self._cell(inputs, state)
        projected = linear(output, self._output_size, True)
        if self._activation is not None:
            projected = self._activation(projected)
        return projected, new_state


class AttentionCellWrapper(Recurrent):
    """A cell that attends to its last `attn_length` outputs (Rocktaschel et al. 2015).

    Variables "kernel" and "bias", "attention/attn_w", "attention/attn_v", "attention/kernel",
    "attention/bias", "attn_output_projection/kernel" and "attn_output_projection/bias".

    Args:
        attn_size: size of output and memories; default the cell's output. attn_vec_size: of the
            score; default attn_size. input_size: of what the cell sees; default the inputs'.
        state_is_tuple: whether the state is (cell's, attention, memories); else joined.

    Raises:
        TypeError: no cell. ValueError: attn_length below 1, or a cell with tuples of states
        without state_is_tuple.
    """

    def __init__(
        self,
        cell: Any,
        attn_length: int,
        attn_size: int | None = None,
        attn_vec_size: int | None = None,
        input_size: int | None = None,
        state_is_tuple: bool = True,
        reuse: Any = None,
    ) -> None:
        assert_like_rnncell("cell", cell)
        if nest.is_nested(cell.state_size) and not state_is_tuple:
            raise ValueError(
                "Cell returns tuple of states, but the flag state_is_tuple is not set. State "
                f"size is: {cell.state_size}"
            )
        if attn_length <= 0:
            raise ValueError(f"attn_length should be greater than zero, got {attn_length}")
        self._size: int = attn_size or cell.output_size
        self._length = attn_length
        self._vec_size = attn_vec_size or self._size
        sizes = (cell.state_size, self._size, self._size * attn_length)
        super().__init__(sizes if state_is_tuple else sum(sizes), self._size, _reuse=reuse)
        self._state_is_tuple = state_is_tuple
        self._cell = cell
        self._input_size = input_size

    def _parts(self, state: Any) -> Any:
        if self._state_is_tuple:
            return state
        own, size = self._cell.state_size, self._size
        return (
            slice(state, [0, 0], [-1, own]), slice(state, [0, own], [-1, size]),
            slice(state, [0, own + size], [-1, size * self._length]),
        )  # fmt: skip

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        own, attended, memories = self._parts(state)
        memories = reshape(memories, [-1, self._length, self._size])
        depth = self._input_size or inputs.get_shape().as_list()[1]
        output, new_own = self._cell(linear([inputs, attended], depth, True), own)
        query = concat(nest.flatten(new_own), 1) if self._state_is_tuple else new_own
        new_attended = self._attention(query, memories)
        with variable_scope("attn_output_projection"):
            output = linear([output, new_attended], self._size, True)
        kept = concat([slice(memories, [0, 1, 0], [-1, -1, -1]), expand_dims(output, 1)], 1)
        new = (new_own, new_attended, reshape(kept, [-1, self._length * self._size]))
        return output, new if self._state_is_tuple else concat(list(new), 1)

    def _attention(self, query: Any, memories: Any) -> Any:
        """The memories' mean under weights from the query: (batch, attn_size)."""
        length, size, vec = self._length, self._size, self._vec_size
        with variable_scope("attention"):
            kernel = get_variable("attn_w", [1, 1, size, vec])
            v = get_variable("attn_v", [vec])
            hidden = reshape(memories, [-1, length, 1, size])
            features = conv2d(hidden, kernel, [1, 1, 1, 1], "SAME")
            asked = reshape(linear(query, vec, True), [-1, 1, 1, vec])
            scores = reduce_sum(v * tanh(features + asked), [2, 3])
            weights = reshape(softmax(scores), [-1, length, 1, 1])
            return reshape(reduce_sum(weights * hidden, [1, 2]), [-1, size])


class HighwayWrapper(CellWrapper):
    """A learnt mixture of a cell's inputs and outputs (Srivastava et al. 2015).

    Variables "carry_w" and "carry_b", without coupling "transform_w" and "transform_b".

    Args:
        couple_carry_transform_gates: whether the output's share is 1 less the input's.
        carry_bias_init: bias of the input's gate at first.

    Raises:
        TypeError, ValueError: inputs and outputs of different forms or shapes.
    """

    def __init__(
        self, cell: Any, couple_carry_transform_gates: bool = True, carry_bias_init: float = 1.0
    ) -> None:
        super().__init__(cell)
        self._coupled = couple_carry_transform_gates
        self._bias = carry_bias_init

    def _wrapped(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        outputs, new_state = step(inputs, state, **kwargs)
        return nest.map_structure(self._mixed, inputs, outputs), new_state

    def _mixed(self, inputs: Any, outputs: Any) -> Any:
        inputs.get_shape().assert_is_compatible_with(outputs.get_shape())
        carry = self._gate(inputs, "carry", self._bias)
        given = 1 - carry if self._coupled else self._gate(inputs, "transform", -self._bias)
        return inputs * carry + outputs * given

    def _gate(self, inputs: Any, name: str, start: float) -> Any:
        width = convert_to_tensor(inputs).get_shape().with_rank(2).as_list()[1]
        kernel = get_variable(f"{name}_w", [width, width])
        bias = get_variable(f"{name}_b", [width], initializer=Constant(start))
        return sigmoid(xw_plus_b(inputs, kernel, bias))


class CompiledWrapper(CellWrapper):
    """The cell itself: every graph is compiled.

    Args:
        compile_stateful: accepted.
    """

    def __init__(self, cell: Any, compile_stateful: bool = False) -> None:
        super().__init__(cell)

    def _wrapped(self, inputs: Any, state: Any, step: Callable[..., Any], **kwargs: Any) -> Any:
        return step(inputs, state, **kwargs)
