"""Recurrences that loop over time: tf.nn.dynamic_rnn, bidirectional_dynamic_rnn, raw_rnn.

Lives here: those three. Not here: unrolled recurrences (tf1/rnn_static.py), cells, loops
themselves (tf1/control_flow.py). Users find these names in graphc.nn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1 import nest
from graphc.tf1.api_array import reverse, reverse_sequence, shape, stack
from graphc.tf1.api_checks import Assert
from graphc.tf1.api_create import zeros
from graphc.tf1.api_math import cast, equal, logical_not, logical_or, maximum, minimum
from graphc.tf1.api_reduce import reduce_all, reduce_max
from graphc.tf1.control_flow import while_loop
from graphc.tf1.rnn_cell_base import (
    assert_like_rnncell,
    batch_shape,
    batch_vector,
    static_batch_shape,
)
from graphc.tf1.rnn_step import (
    best_effort_input_batch_size,
    initial_or_zero_state,
    rows_of,
    state_dtype,
    step_within_length,
    transpose_batch_time,
    zero_outputs,
)
from graphc.tf1.tensor_array import TensorArray
from graphc.tf1.variable_scope import variable_scope

__all__ = ["bidirectional_dynamic_rnn", "dynamic_rnn", "raw_rnn"]


def dynamic_rnn(
    cell: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[Any, Any]:
    """A cell applied along the time of its inputs by a loop (tf.nn.dynamic_rnn).

    Args:
        inputs: (batch, time, ...), or (time, batch, ...) with time_major; also nested.
        sequence_length: (batch,) integers; past its end a row gives zeros and keeps its state.
        initial_state: in the form of cell.state_size; default zeros of `dtype`.
        parallel_iterations, swap_memory: accepted; steps run one after the other.
        scope: of the variables; default "rnn".

    Returns:
        (outputs, laid out as the inputs; the last state).

    Raises:
        TypeError: no cell. ValueError: inputs whose depth is not known or that differ in time or
        batch, sequence_length that is no vector, neither initial_state nor dtype.
        InvalidArgumentError: at a run, sequence_length of another size than the batch.
    """
    assert_like_rnncell("cell", cell)
    with variable_scope(scope or "rnn"):
        leaves = [convert_to_tensor(leaf) for leaf in nest.flatten(inputs)]
        if not time_major:
            leaves = [transpose_batch_time(leaf) for leaf in leaves]
        lengths = None
        if sequence_length is not None:
            lengths = cast(convert_to_tensor(sequence_length), "int32")
            if lengths.shape.ndims not in (None, 1):
                raise ValueError(
                    "sequence_length must be a vector of length batch_size, but saw shape: "
                    f"{lengths.shape}"
                )
            lengths = F.identity(lengths, name="sequence_length")
        batch_size = best_effort_input_batch_size(leaves)
        state = initial_or_zero_state(cell, initial_state, batch_size, dtype)
        if lengths is not None:
            lengths = _checked_lengths(lengths, batch_size)
        loop = _TimeLoop(cell, nest.pack_sequence_as(inputs, leaves), batch_size, dtype)
        outputs, final_state = loop.run(state, lengths, parallel_iterations or 32, swap_memory)
        if not time_major:
            outputs = nest.map_structure(transpose_batch_time, outputs)
    return outputs, final_state


def _checked_lengths(lengths: Tensor, batch_size: Any) -> Tensor:
    """The lengths, after a check that there is one for each row."""
    rows = lengths.shape.as_list()[0] if lengths.shape.ndims else None
    if rows is not None and rows == batch_size:
        return lengths
    wanted, have = stack([batch_size]), shape(lengths)
    check = Assert(
        reduce_all(equal(have, wanted)),
        [f"Expected shape for Tensor {lengths.name} is ", wanted, " but saw shape: ", have],
    )
    with get_default_graph().control_dependencies([check]):
        return F.identity(lengths, name="CheckSeqLen")


class _TimeLoop:
    """A cell over time major inputs."""

    def __init__(self, cell: Any, inputs: Any, batch_size: Any, dtype: Any) -> None:
        self.cell = cell
        self.inputs = inputs
        self.leaves = nest.flatten(inputs)
        self.batch_size = batch_size
        self.dtype = dtype
        self.shapes = [leaf.shape.with_rank_at_least(3) for leaf in self.leaves]
        self.const_time, self.const_batch = self.shapes[0].as_list()[:2]
        self._check_inputs()
        self.time_steps = shape(self.leaves[0])[0]

    def _check_inputs(self) -> None:
        for full in self.shapes:
            time, batch, *depth = full.as_list()
            if None in depth:
                raise ValueError(
                    "Input size (depth of inputs) must be accessible via shape inference, but saw "
                    "value None."
                )
            if time != self.const_time:
                raise ValueError("Time steps is not the same for all the elements in the input.")
            if batch != self.const_batch:
                raise ValueError("Batch_size is not the same for all the elements in the input.")

    def run(
        self, state: Any, lengths: Tensor | None, parallel_iterations: int, swap_memory: bool
    ) -> tuple[Any, Any]:
        """(outputs over time, the last state)."""
        kind = state_dtype(self.dtype, state)
        zero, bound = None, self.time_steps
        if lengths is not None:
            zero = zero_outputs(self.cell.output_size, self.batch_size, kind)
            # one step at least, so that the outputs' shape is known
            bound = minimum(self.time_steps, maximum(1, reduce_max(lengths)))
        with get_default_graph().name_scope("dynamic_rnn"):
            reads = [self._input_array(leaf, n) for n, leaf in enumerate(self.leaves)]
            writes = tuple(
                self._output_array(size, n, kind)
                for n, size in enumerate(nest.flatten(self.cell.output_size))
            )

        def body(time: Any, outputs: Any, state: Any) -> Any:
            steps = [array.read(time) for array in reads]
            for step, full in zip(steps, self.shapes, strict=True):
                step.set_shape(full[1:])
            given = nest.pack_sequence_as(self.inputs, steps)
            output, new_state = self._step(time, lengths, zero, given, state)
            flat = nest.flatten(output)
            outputs = tuple(a.write(time, o) for a, o in zip(outputs, flat, strict=True))
            return time + 1, outputs, new_state

        time = convert_to_tensor(0, name="time")
        _, outputs, final_state = while_loop(
            lambda time, *_: time < bound, body, (time, writes, state),
            parallel_iterations=parallel_iterations, swap_memory=swap_memory,
            maximum_iterations=self.time_steps,
        )  # fmt: skip
        return self._stacked(outputs), final_state

    def _step(self, time: Any, lengths: Any, zero: Any, given: Any, state: Any) -> Any:
        if lengths is None:
            return self.cell(given, state)
        return step_within_length(time, lengths, zero, state, lambda: self.cell(given, state))

    def _input_array(self, leaf: Tensor, number: int) -> Any:
        array = TensorArray(
            leaf.dtype, size=self.time_steps, element_shape=leaf.shape[1:],
            tensor_array_name=f"input_{number}",
        )  # fmt: skip
        return array.unstack(leaf)

    def _output_array(self, size: Any, number: int, kind: Any) -> Any:
        array = TensorArray(
            kind, size=self.time_steps, element_shape=static_batch_shape(self.const_batch, size),
            tensor_array_name=f"output_{number}",
        )  # fmt: skip
        # zeros whose extents are known before the loop
        rows = batch_shape(self.time_steps, batch_vector(self.batch_size, size))
        return array.unstack(zeros(rows, kind))

    def _stacked(self, arrays: Any) -> Any:
        sizes = nest.flatten(self.cell.output_size)
        outputs = []
        for array, size in zip(arrays, sizes, strict=True):
            output = array.stack()
            output.set_shape(static_batch_shape([self.const_time, self.const_batch], size))
            outputs.append(output)
        return nest.pack_sequence_as(self.cell.output_size, outputs)


def bidirectional_dynamic_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: Any = None,
) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """dynamic_rnn forwards and backwards (tf.nn.bidirectional_dynamic_rnn).

    Args:
        See dynamic_rnn. scope: default "bidirectional_rnn", with "fw" and "bw" below.

    Returns:
        ((outputs forwards, outputs backwards in the inputs' order), (last states of both)).

    Raises:
        See dynamic_rnn.
    """
    assert_like_rnncell("cell_fw", cell_fw)
    assert_like_rnncell("cell_bw", cell_bw)
    time_axis, batch_axis = (0, 1) if time_major else (1, 0)
    options = {
        "sequence_length": sequence_length, "dtype": dtype, "time_major": time_major,
        "parallel_iterations": parallel_iterations, "swap_memory": swap_memory,
    }  # fmt: skip

    def turned(x: Any) -> Tensor:
        if sequence_length is None:
            return reverse(x, [time_axis])
        return reverse_sequence(x, sequence_length, time_axis, batch_axis)

    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw:
            forth, state_fw = dynamic_rnn(
                cell_fw, inputs, initial_state=initial_state_fw, scope=fw, **options
            )
        with variable_scope("bw") as bw:
            back, state_bw = dynamic_rnn(
                cell_bw, nest.map_structure(turned, inputs), initial_state=initial_state_bw,
                scope=bw, **options,
            )  # fmt: skip
    return (forth, nest.map_structure(turned, back)), (state_fw, state_bw)


# ------------------------------------------------------------------ raw_rnn
def raw_rnn(
    cell: Any,
    loop_fn: Callable[..., Any],
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    scope: Any = None,
) -> tuple[Any, Any, Any]:
    """A recurrence whose inputs and end a function decides (tf.nn.raw_rnn).

    Args:
        loop_fn: (time, cell_output, cell_state, loop_state) -> (rows that are over, next input,
            next state, what is emitted, loop state). First called with time 0 and None for the
            others: it gives the first input and state, the form of what is emitted (None: the
            cell's output) and the first loop state.
        scope: of the variables; default "rnn".

    Returns:
        (TensorArrays of what was emitted, the last state, the last loop state).

    Raises:
        TypeError: no cell, or a loop_fn that cannot be called. ValueError: structures that change.
    """
    assert_like_rnncell("cell", cell)
    if not callable(loop_fn):
        raise TypeError("loop_fn must be a callable")
    with variable_scope(scope or "rnn"):
        time = convert_to_tensor(0)
        over, following, state, emitted, loop_state = loop_fn(time, None, None, None)
        batch_size, const_batch = _rows(following)
        nest.assert_same_structure(state, cell.state_size)
        state = nest.map_structure(convert_to_tensor, state)
        arrays, zero = _emitted(cell, emitted, state, batch_size, const_batch)
        counted = convert_to_tensor(0) if loop_state is None else loop_state
        body = _RawBody(cell, loop_fn, zero)
        found = while_loop(
            lambda time, over, *_: logical_not(reduce_all(over)), body.step,
            [time, convert_to_tensor(over), following, arrays, state, counted],
            parallel_iterations=parallel_iterations or 32, swap_memory=swap_memory,
        )  # fmt: skip
    emit_arrays, final_state, final_loop_state = found[-3:]
    return emit_arrays, final_state, None if loop_state is None else final_loop_state


def _rows(following: Any) -> tuple[Any, int | None]:
    """(batch size, its static value or None) of the next input."""
    leaves = [convert_to_tensor(leaf) for leaf in nest.flatten(following)]
    first = leaves[0].shape[0]
    for leaf in leaves:
        first.assert_is_compatible_with(leaf.shape[0])
    if first.value is not None:
        return first.value, first.value
    return shape(leaves[0])[0], None


def _emitted(
    cell: Any, emitted: Any, state: Any, batch_size: Any, const_batch: int | None
) -> tuple[Any, Any]:
    """(TensorArrays for what is emitted, zeros in its form)."""
    if emitted is None:
        form = cell.output_size
        sizes = nest.flatten(form)
        kinds = [nest.flatten(state)[0].dtype] * len(sizes)
    else:
        form = emitted
        leaves = [convert_to_tensor(e) for e in nest.flatten(emitted)]
        sizes = [e.shape if e.shape.is_fully_defined() else shape(e) for e in leaves]
        kinds = [e.dtype for e in leaves]
    arrays, empty = [], []
    for number, (size, kind) in enumerate(zip(sizes, kinds, strict=True)):
        inner = static_batch_shape(const_batch, size) if not is_tensor_like(size) else None
        arrays.append(
            TensorArray(
                kind,
                size=0,
                dynamic_size=True,
                element_shape=TensorShape(inner),
                name=f"rnn_output_{number}",
            )  # fmt: skip
        )
        empty.append(zeros(batch_shape(batch_size, size), kind))
    return nest.pack_sequence_as(form, arrays), nest.pack_sequence_as(form, empty)


class _RawBody:
    """One step of raw_rnn."""

    def __init__(self, cell: Any, loop_fn: Callable[..., Any], zero: Any) -> None:
        self.cell = cell
        self.loop_fn = loop_fn
        self.zero = zero

    def step(
        self, time: Any, over: Any, given: Any, arrays: Any, state: Any, loop_state: Any
    ) -> Any:
        output, cell_state = self.cell(given, state)
        nest.assert_same_structure(state, cell_state)
        nest.assert_same_structure(self.cell.output_size, output)
        finished, following, next_state, emit, next_loop = self.loop_fn(
            time + 1, output, cell_state, loop_state
        )
        nest.assert_same_structure(state, next_state)
        nest.assert_same_structure(given, following)
        nest.assert_same_structure(arrays, emit)

        def chosen(old: Any, new: Any) -> Any:
            return rows_of(over, old, new)

        emit = nest.map_structure(chosen, self.zero, emit)
        next_state = nest.map_structure(chosen, state, next_state)
        arrays = nest.map_structure(lambda array, e: array.write(time, e), arrays, emit)
        over = logical_or(over, finished)
        kept = loop_state if next_loop is None else next_loop
        return time + 1, over, following, arrays, next_state, kept
