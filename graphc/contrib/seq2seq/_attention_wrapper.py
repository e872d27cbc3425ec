"""AttentionWrapper: a cell that attends to a memory.

Lives here: AttentionWrapper, AttentionWrapperState. Not here: mechanisms (_attention.py). Users
find these names in graphc.contrib.seq2seq.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from graphc.contrib.seq2seq._attention import AttentionMechanism, same_batch
from graphc.ir.dtypes import as_dtype, int32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.define import F
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, expand_dims, shape, squeeze
from graphc.tf1.api_create import zeros
from graphc.tf1.api_linalg import matmul
from graphc.tf1.layers_core import Dense
from graphc.tf1.rnn_cell_base import RNNCell, assert_like_rnncell, zero_states
from graphc.tf1.scopes import name_scope
from graphc.tf1.tensor_array import TensorArray

__all__ = ["AttentionWrapper", "AttentionWrapperState", "attended"]


class _State(NamedTuple):
    cell_state: Any
    attention: Any
    time: Any
    alignments: Any
    alignment_history: Any
    attention_state: Any


class AttentionWrapperState(_State):
    """The state of an AttentionWrapper.

    Attributes:
        cell_state: of the wrapped cell. attention: of the last step. time: the number of steps.
        alignments: of the last step, one a mechanism. alignment_history: a TensorArray a
            mechanism where it is kept, else (). attention_state: of the mechanisms.
    """

    __slots__ = ()

    def clone(self, **kwargs: Any) -> AttentionWrapperState:
        """The state with some parts replaced: state.clone(cell_state=encoder_state).

        Raises:
            ValueError, TypeError: parts of another structure or shape.
        """
        other = self._replace(**kwargs)
        return nest.map_structure(_in_shape, self, other)


def _in_shape(old: Any, new: Any) -> Any:
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        old.shape.assert_is_compatible_with(new.shape)
        new.set_shape(old.shape)
    return new


_TILED = (
    "Non-matching batch sizes between the memory (encoder output) and {}.  Are you using the "
    "BeamSearchDecoder?  You may need to tile your {} via the tf.contrib.seq2seq.tile_batch "
    "function with argument multiple=beam_width."
)


class AttentionWrapper(RNNCell):
    """A cell that attends to a memory at each step (tf.contrib.seq2seq.AttentionWrapper).

    Variables of the cell, the mechanisms and "attention_layer/kernel", below "attention_wrapper".

    Args:
        cell: an RNNCell. attention_mechanism: a mechanism or a list of them.
        attention_layer_size: size of the attention, a number a mechanism; default: the memory's
            mean itself. alignment_history: whether alignments of all steps are kept in the state.
        cell_input_fn: (inputs, attention) -> the cell's inputs; default both joined.
        output_attention: whether the output is the attention; else the cell's.
        initial_cell_state: of zero_state. attention_layer: layers in place of
            attention_layer_size. attention_fn: (mechanism, cell output, attention state, layer) ->
            (attention, alignments, next attention state).

    Raises:
        TypeError: arguments of another kind. ValueError: not one size or layer a mechanism.
    """

    def __init__(
        self,
        cell: Any,
        attention_mechanism: Any,
        attention_layer_size: Any = None,
        alignment_history: bool = False,
        cell_input_fn: Callable[..., Any] | None = None,
        output_attention: bool = True,
        initial_cell_state: Any = None,
        name: str | None = None,
        attention_layer: Any = None,
        attention_fn: Callable[..., Any] | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        assert_like_rnncell("cell", cell)
        self._is_multi = isinstance(attention_mechanism, list | tuple)
        self._mechanisms = tuple(attention_mechanism) if self._is_multi else (attention_mechanism,)
        _check_mechanisms(self._mechanisms, self._is_multi)
        if cell_input_fn is not None and not callable(cell_input_fn):
            raise TypeError(
                f"cell_input_fn must be callable, saw type: {type(cell_input_fn).__name__}"
            )
        self._cell = cell
        self._cell_input_fn = cell_input_fn or (lambda x, attention: concat([x, attention], -1))
        self._output_attention = output_attention
        self._alignment_history = alignment_history
        self._attention_fn = attention_fn or attended
        self._attention_layers, self._attention_layer_size = _layers(
            self._mechanisms, attention_layer_size, attention_layer
        )
        self._initial_cell_state: Any = None
        if initial_cell_state is not None:
            with name_scope(name, "AttentionWrapperInit"):
                rows = _rows(nest.flatten(initial_cell_state)[-1])
                self._initial_cell_state = self._checked(
                    initial_cell_state, rows,
                    f"When constructing AttentionWrapper {self._base_name}: "
                    + _TILED.format("initial_cell_state", "initial state"),
                    "check_initial_cell_state",
                )  # fmt: skip

    def _checked(self, state: Any, rows: Any, message: str, name: str) -> Any:
        """The state, after a check that all memories have so many rows."""
        checks = [c for m in self._mechanisms for c in same_batch(rows, m.batch_size, message)]
        with get_default_graph().control_dependencies(checks):
            return nest.map_structure(lambda s: F.identity(s, name=name), state)

    def _item_or_tuple(self, items: Iterable[Any]) -> Any:
        found = tuple(items)
        return found if self._is_multi else found[0]

    @property
    def output_size(self) -> Any:
        return self._attention_layer_size if self._output_attention else self._cell.output_size

    @property
    def state_size(self) -> Any:
        """An AttentionWrapperState of sizes."""
        return AttentionWrapperState(
            cell_state=self._cell.state_size,
            attention=self._attention_layer_size,
            time=TensorShape([]),
            alignments=self._item_or_tuple(m.alignments_size for m in self._mechanisms),
            alignment_history=self._item_or_tuple(
                m.alignments_size if self._alignment_history else () for m in self._mechanisms
            ),
            attention_state=self._item_or_tuple(m.state_size for m in self._mechanisms),
        )

    def zero_state(self, batch_size: Any, dtype: Any) -> AttentionWrapperState:
        """The state before the first step.

        Raises:
            InvalidArgumentError: batch_size is not that of the memories.
        """
        with get_default_graph().name_scope(f"{type(self).__name__}ZeroState"):
            state = self._initial_cell_state
            if state is None:
                state = self._cell.zero_state(batch_size, dtype)
            state = self._checked(
                state, batch_size,
                f"When calling zero_state of AttentionWrapper {self._base_name}: "
                + _TILED.format("the requested batch size", "encoder output"),
                "checked_cell_state",
            )  # fmt: skip
            first = [m.initial_alignments(batch_size, dtype) for m in self._mechanisms]
            return AttentionWrapperState(
                cell_state=state,
                attention=zero_states(self._attention_layer_size, batch_size, dtype),
                time=zeros([], int32),
                alignments=self._item_or_tuple(first),
                alignment_history=self._item_or_tuple(self._history(a, dtype) for a in first),
                attention_state=self._item_or_tuple(
                    m.initial_state(batch_size, dtype) for m in self._mechanisms
                ),
            )

    def _history(self, alignments: Any, dtype: Any) -> Any:
        if not self._alignment_history:
            return ()
        return TensorArray(
            as_dtype(dtype), size=0, dynamic_size=True, element_shape=alignments.shape
        )

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        """(attention or the cell's output, next state).

        Raises:
            TypeError: state is no AttentionWrapperState.
        """
        if not isinstance(state, AttentionWrapperState):
            raise TypeError(
                "Expected state to be instance of AttentionWrapperState. Received type "
                f"{type(state)} instead."
            )
        given = self._cell_input_fn(inputs, state.attention)
        output, next_cell_state = self._cell(given, state.cell_state)
        output = self._checked(
            output, _rows(output),
            f"When applying AttentionWrapper {self.name}: "
            + _TILED.format("the query (decoder output)", "memory input"),
            "checked_cell_output",
        )  # fmt: skip
        attentions, alignments, histories, states = [], [], [], []
        for number, mechanism in enumerate(self._mechanisms):
            layer = self._attention_layers[number] if self._attention_layers else None
            attention, aligned, following = self._attention_fn(
                mechanism, output, self._part(state.attention_state, number), layer
            )
            history = self._part(state.alignment_history, number)
            attentions.append(attention)
            alignments.append(aligned)
            states.append(following)
            histories.append(history.write(state.time, aligned) if self._alignment_history else ())
        joined = concat(attentions, 1)
        new = AttentionWrapperState(
            cell_state=next_cell_state,
            attention=joined,
            time=state.time + 1,
            alignments=self._item_or_tuple(alignments),
            alignment_history=self._item_or_tuple(histories),
            attention_state=self._item_or_tuple(states),
        )
        return joined if self._output_attention else output, new

    def _part(self, parts: Any, number: int) -> Any:
        return parts[number] if self._is_multi else parts


def _rows(x: Any) -> Any:
    known = x.shape.as_list()[0]
    return shape(x)[0] if known is None else known


def attended(mechanism: Any, output: Any, attention_state: Any, layer: Any) -> Any:
    """(attention, alignments, next attention state) of one mechanism."""
    alignments, following = mechanism(output, attention_state)
    context = squeeze(matmul(expand_dims(alignments, 1), mechanism.values), [1])
    attention = context if layer is None else layer(concat([output, context], 1))
    return attention, alignments, following


def _check_mechanisms(mechanisms: tuple[Any, ...], is_multi: bool) -> None:
    for mechanism in mechanisms:
        if not isinstance(mechanism, AttentionMechanism):
            wanted = (
                "contain only instances of AttentionMechanism"
                if is_multi
                else "be an AttentionMechanism or list of multiple AttentionMechanism instances"
            )
            raise TypeError(
                f"attention_mechanism must {wanted}, saw type: {type(mechanism).__name__}"
            )


def _layers(
    mechanisms: tuple[Any, ...], sizes: Any, layers: Any
) -> tuple[tuple[Any, ...] | None, int]:
    """(the layers that make attentions, the size of all attentions)."""
    if sizes is not None and layers is not None:
        raise ValueError("Only one of attention_layer_size and attention_layer should be set")
    if sizes is not None:
        widths = _as_tuple(sizes, "attention_layer_size", "integer", len(mechanisms))
        made = tuple(
            Dense(width, name="attention_layer", use_bias=False, dtype=m.dtype)
            for width, m in zip(widths, mechanisms, strict=True)
        )
        return made, sum(widths)
    inner = [m.values.get_shape().as_list()[-1] for m in mechanisms]
    if layers is None:
        return None, sum(inner)
    given = _as_tuple(layers, "attention_layer", "layer", len(mechanisms))
    total = sum(
        layer.compute_output_shape([None, width]).as_list()[-1]
        for layer, width in zip(given, inner, strict=True)
    )
    return given, total


def _as_tuple(given: Any, name: str, kind: str, count: int) -> tuple[Any, ...]:
    items = tuple(given) if isinstance(given, list | tuple) else (given,)
    if len(items) != count:
        raise ValueError(
            f"If provided, {name} must contain exactly one {kind} per attention_mechanism, saw: "
            f"{len(items)} vs {count}"
        )
    return items
