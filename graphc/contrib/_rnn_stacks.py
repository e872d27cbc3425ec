"""Layers of bidirectional recurrences of tf.contrib.rnn.

Lives here: stack_bidirectional_rnn, stack_bidirectional_dynamic_rnn. Not here: one layer
(tf1/rnn.py, tf1/rnn_static.py). Users find these names in graphc.contrib.rnn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.tf1.api_array import concat
from graphc.tf1.rnn import bidirectional_dynamic_rnn
from graphc.tf1.rnn_static import static_bidirectional_rnn
from graphc.tf1.variable_scope import variable_scope

__all__ = ["stack_bidirectional_dynamic_rnn", "stack_bidirectional_rnn"]

Layer = Callable[[Any, Any, Any, Any, Any], tuple[Any, Any, Any]]


def stack_bidirectional_rnn(
    cells_fw: Any,
    cells_bw: Any,
    inputs: Any,
    initial_states_fw: Any = None,
    initial_states_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """static_bidirectional_rnn in layers: each sees both outputs of the one below.

    Args:
        cells_fw, cells_bw: a cell a layer. initial_states_fw, initial_states_bw: a state a layer.
        scope: default "stack_bidirectional_rnn", with "cell_0", ... below. Others: see
            static_rnn.

    Returns:
        (outputs, one a step; last states forwards, one a layer; backwards).

    Raises:
        ValueError: no cells, not as many forwards as backwards, states that are no lists.
    """

    def layer(x: Any, fw: Any, bw: Any, state_fw: Any, state_bw: Any) -> tuple[Any, Any, Any]:
        return static_bidirectional_rnn(
            fw, bw, x, state_fw, state_bw, dtype=dtype, sequence_length=sequence_length
        )

    states = initial_states_fw, initial_states_bw
    return _stacked(layer, inputs, (cells_fw, cells_bw), states, scope)


def stack_bidirectional_dynamic_rnn(
    cells_fw: Any,
    cells_bw: Any,
    inputs: Any,
    initial_states_fw: Any = None,
    initial_states_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    parallel_iterations: int | None = None,
    time_major: bool = False,
    scope: Any = None,
    swap_memory: bool = False,
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """bidirectional_dynamic_rnn in layers: each sees both outputs of the one below.

    Args:
        See stack_bidirectional_rnn and dynamic_rnn.

    Returns:
        (outputs (batch, time, both sizes); last states forwards, one a layer; backwards).

    Raises:
        ValueError: see stack_bidirectional_rnn.
    """

    def layer(x: Any, fw: Any, bw: Any, state_fw: Any, state_bw: Any) -> tuple[Any, Any, Any]:
        outputs, (last_fw, last_bw) = bidirectional_dynamic_rnn(
            fw, bw, x, sequence_length, state_fw, state_bw, dtype, parallel_iterations,
            swap_memory, time_major,
        )  # fmt: skip
        return concat(outputs, 2), last_fw, last_bw

    states = initial_states_fw, initial_states_bw
    return _stacked(layer, inputs, (cells_fw, cells_bw), states, scope)


def _stacked(
    layer: Layer, inputs: Any, cells: tuple[Any, Any], states: tuple[Any, Any], scope: Any
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    for name, given in zip(("fw", "bw"), cells, strict=True):
        if not given:
            raise ValueError(f"Must specify at least one {name} cell for BidirectionalRNN.")
        if not isinstance(given, list):
            raise ValueError(f"cells_{name} must be a list of RNNCells (one per layer).")
    if len(cells[0]) != len(cells[1]):
        raise ValueError("Forward and Backward cells must have the same depth.")
    starts: list[Sequence[Any]] = []
    for name, start in zip(("fw", "bw"), states, strict=True):
        if start is not None and (not isinstance(start, list) or len(start) != len(cells[0])):
            raise ValueError(
                f"initial_states_{name} must be a list of state tensors (one per layer)."
            )
        starts.append([None] * len(cells[0]) if start is None else start)
    x, last_fw, last_bw = inputs, [], []
    with variable_scope(scope or "stack_bidirectional_rnn"):
        for number, given in enumerate(zip(*cells, *starts, strict=True)):
            with variable_scope(f"cell_{number}"):
                x, state_fw, state_bw = layer(x, *given)
                last_fw.append(state_fw)
                last_bw.append(state_bw)
    return x, tuple(last_fw), tuple(last_bw)
