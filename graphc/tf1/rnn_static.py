"""Recurrences unrolled in the graph: tf.nn.static_rnn and its relatives.

Lives here: static_rnn, static_state_saving_rnn, static_bidirectional_rnn. Not here: loops
(tf1/rnn.py), cells. Users find these names in graphc.nn and graphc.contrib.rnn;
graphc.nn takes its `rnn_cell` from here.
"""

from __future__ import annotations

import functools
from typing import Any

from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import nest
from graphc.tf1 import rnn_cell as rnn_cell
from graphc.tf1.api_array import concat, shape
from graphc.tf1.api_math import cast
from graphc.tf1.rnn_cell_base import assert_like_rnncell
from graphc.tf1.rnn_step import (
    initial_or_zero_state,
    reverse_list,
    state_dtype,
    step_within_length,
    zero_outputs,
)
from graphc.tf1.variable_scope import variable_scope

__all__ = ["static_bidirectional_rnn", "static_rnn", "static_state_saving_rnn"]


def static_rnn(
    cell: Any,
    inputs: Any,
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """A cell applied to each of a list of inputs, its state handed on (tf.nn.static_rnn).

    Args:
        inputs: tensors (batch, depth), or nested tuples of them, one a step.
        initial_state: in the form of cell.state_size; default zeros of `dtype`.
        sequence_length: (batch,) integers; past its end a row gives zeros and keeps its state.
        scope: of the variables; default "rnn".

    Returns:
        (outputs, one a step; the last state).

    Raises:
        TypeError: no cell, or inputs that are no list. ValueError: no inputs, an input depth that
        is not known, neither initial_state nor dtype.
    """
    assert_like_rnncell("cell", cell)
    _check_inputs(inputs)
    outputs = []
    with variable_scope(scope or "rnn") as varscope:
        batch_size = _batch_size(inputs)
        state = initial_or_zero_state(cell, initial_state, batch_size, dtype)
        lengths, zero = None, None
        if sequence_length is not None:
            lengths = _lengths(sequence_length, batch_size)
            zero = zero_outputs(cell.output_size, batch_size, state_dtype(dtype, state))
        for time, step in enumerate(inputs):
            if time > 0:
                varscope.reuse_variables()
            if lengths is None:
                output, state = cell(step, state)
            else:
                call = functools.partial(cell, step, state)
                output, state = step_within_length(time, lengths, zero, state, call)
            outputs.append(output)
    return outputs, state


def _check_inputs(inputs: Any) -> None:
    if not nest.is_nested(inputs):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")


def _batch_size(inputs: Any) -> Any:
    """The batch size of a list of steps: an int where it is known, else a tensor."""
    leaves = [convert_to_tensor(leaf) for leaf in nest.flatten(inputs)]
    rows = leaves[0].shape.with_rank_at_least(1)[0]
    if leaves[0].shape.ndims != 1:
        for leaf in leaves:
            full = leaf.shape.with_rank_at_least(2)
            rows.assert_is_compatible_with(full[0])
            for axis, extent in enumerate(full[1:].as_list()):
                if extent is None:
                    raise ValueError(
                        f"Input size (dimension {axis} of inputs) must be accessible via shape "
                        "inference, but saw value None."
                    )
    known = [leaf.shape.as_list()[0] for leaf in leaves if leaf.shape.as_list()[0] is not None]
    return known[0] if known else shape(leaves[0])[0]


def _lengths(sequence_length: Any, batch_size: Any) -> Tensor:
    lengths = convert_to_tensor(sequence_length, name="sequence_length")
    if lengths.shape.ndims not in (None, 1):
        raise ValueError(f"sequence_length must be a vector of length {batch_size}")
    return cast(lengths, "int32")


def static_state_saving_rnn(
    cell: Any,
    inputs: Any,
    state_saver: Any,
    state_name: Any,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """static_rnn that reads its state from `state_saver` and saves it there.

    (tf.nn.static_state_saving_rnn.)

    Args:
        state_saver: has state(name) -> tensor and save_state(name, value) -> op.
        state_name: a name, or names in the form of cell.state_size. Others: see static_rnn.

    Raises:
        ValueError: state_name does not have the form of cell.state_size. See also static_rnn.
    """
    size = cell.state_size
    if nest.is_nested(size) != nest.is_nested(state_name):
        raise ValueError(
            "state_name should be the same type as cell.state_size.  state_name: "
            f"{state_name}, cell.state_size: {size}"
        )
    names, sizes = nest.flatten(state_name), nest.flatten(size)
    if len(names) != len(sizes):
        raise ValueError(f"#elems(state_name) != #elems(state_size): {len(names)} vs. {len(sizes)}")
    start = nest.pack_sequence_as(size, [state_saver.state(name) for name in names])
    outputs, state = static_rnn(
        cell, inputs, initial_state=start, sequence_length=sequence_length, scope=scope
    )
    last = nest.flatten(state)
    saved = [state_saver.save_state(name, s) for name, s in zip(names, last, strict=True)]
    with get_default_graph().control_dependencies(saved):
        outputs[-1] = nest.map_structure(F.identity, outputs[-1])
        state = nest.pack_sequence_as(state, [F.identity(s) for s in last])
    return outputs, state


def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any, Any]:
    """One cell forwards and one backwards over a list of steps (tf.nn.static_bidirectional_rnn).

    Args:
        See static_rnn. scope: default "bidirectional_rnn", with "fw" and "bw" below.

    Returns:
        (outputs of both joined along axis 1, one a step; the last state forwards; backwards).

    Raises:
        See static_rnn.
    """
    assert_like_rnncell("cell_fw", cell_fw)
    assert_like_rnncell("cell_bw", cell_bw)
    _check_inputs(inputs)
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw:
            forth, state_fw = static_rnn(
                cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=fw
            )
        with variable_scope("bw") as bw:
            turned = reverse_list(inputs, sequence_length)
            back, state_bw = static_rnn(
                cell_bw, turned, initial_state_bw, dtype, sequence_length, scope=bw
            )
    back = reverse_list(back, sequence_length)
    pairs = zip(nest.flatten(forth), nest.flatten(back), strict=True)
    outputs = nest.pack_sequence_as(forth, [concat([f, b], 1) for f, b in pairs])
    return outputs, state_fw, state_bw
