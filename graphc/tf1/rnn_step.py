"""What unrolled and dynamic recurrences share: one step under sequence lengths, batch sizes.

Lives here: copy-through of finished rows, zero outputs, transposition of batch and time, batch
sizes and dtypes. Not here: the recurrences (tf1/rnn_static.py, tf1/rnn.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import nest
from graphc.tf1.api_array import reverse_sequence, shape, stack, transpose, unstack
from graphc.tf1.api_create import zeros
from graphc.tf1.api_index import where
from graphc.tf1.rnn_cell_base import batch_shape, static_batch_shape

__all__ = [
    "best_effort_input_batch_size", "initial_or_zero_state", "is_tensor_array", "reverse_list",
    "rows_of", "state_dtype", "step_within_length", "transpose_batch_time", "zero_outputs",
]  # fmt: skip


def is_tensor_array(value: Any) -> bool:
    """Whether it is a TensorArray, or something that is written and stacked like one."""
    return hasattr(value, "write") and hasattr(value, "stack")


def transpose_batch_time(x: Any) -> Any:
    """The tensor with its first two axes exchanged; of rank below 2: itself.

    (tf.contrib.rnn.transpose_batch_time.)
    """
    given = convert_to_tensor(x)
    if given.rank is None:
        axes = F.concat(convert_to_tensor([1, 0]), F.range(2, F.rank(given), 1), axis=0)
        return F.transpose(given, axes)
    if given.rank < 2:
        return given
    return transpose(given, [1, 0, *range(2, given.rank)])


def best_effort_input_batch_size(flat_input: Sequence[Any]) -> Any:
    """The batch size of time major inputs: an int where one of them knows it, else a tensor.

    Raises:
        ValueError: an input of rank below 2.
    """
    for given in flat_input:
        if given.shape.ndims is None:
            continue
        if given.shape.ndims < 2:
            raise ValueError(f"Expected input tensor {given.name} to have rank at least 2")
        rows = given.shape.as_list()[1]
        if rows is not None:
            return rows
    return shape(flat_input[0])[1]


def state_dtype(explicit: Any, state: Any) -> Any:
    """The dtype of outputs: given, or the one of all states.

    Raises:
        ValueError: no state, or states of several dtypes.
    """
    if explicit is not None:
        return explicit
    found = [s.dtype for s in nest.flatten(state)]
    if not found:
        raise ValueError("Unable to infer dtype from empty state.")
    if any(d is not found[0] for d in found):
        raise ValueError(
            "State has tensors of different inferred_dtypes. Unable to infer a single "
            "representative dtype."
        )
    return found[0]


def initial_or_zero_state(cell: Any, initial_state: Any, batch_size: Any, dtype: Any) -> Any:
    """The state to begin with.

    Raises:
        ValueError: neither a state nor a dtype is given.
    """
    if initial_state is not None:
        return initial_state
    if not dtype:
        raise ValueError("If there is no initial_state, you must give a dtype.")
    if getattr(cell, "get_initial_state", None) is not None:
        return cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
    return cell.zero_state(batch_size, dtype)


def zero_outputs(output_size: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros in the form of a cell's output."""

    def of(size: Any) -> Tensor:
        output = zeros(batch_shape(batch_size, size), dtype)
        output.set_shape(static_batch_shape(batch_size, size))
        return output

    return nest.map_structure(of, output_size)


def step_within_length(
    time: Any, sequence_length: Any, zero_output: Any, state: Any, call_cell: Callable[[], Any]
) -> tuple[Any, Any]:
    """One step of a batch whose rows end at different times: (output, new state).

    Rows that are over give zeros and keep their state. TensorArrays and scalars among the states
    are taken as the cell gives them.

    Raises:
        ValueError, TypeError: the cell gives other structures than it announced.
    """
    over = F.greater_equal(convert_to_tensor(time), sequence_length)
    output, new_state = call_cell()
    nest.assert_same_structure(zero_output, output)
    nest.assert_same_structure(state, new_state)

    def chosen(old: Any, new: Any) -> Any:
        return rows_of(over, old, new)

    return (
        nest.map_structure(chosen, zero_output, output),
        nest.map_structure(chosen, state, new_state),
    )


def rows_of(over: Tensor, old: Any, new: Any) -> Any:
    """Rows of `old` where `over`, else of `new`; scalars and TensorArrays are the new ones."""
    if is_tensor_array(old) or getattr(old, "shape", None) is None or old.shape.ndims == 0:
        return new
    row = where(over, old, new)
    row.set_shape(old.get_shape())
    return row


def reverse_list(inputs: Sequence[Any], lengths: Any) -> list[Any]:
    """A list of steps from its end to its begin, each row within its length.

    Args:
        inputs: (batch, depth) tensors, or nested tuples of them. lengths: (batch,) or None.
    """
    if lengths is None:
        return list(reversed(inputs))
    columns = zip(*(nest.flatten(i) for i in inputs), strict=True)
    turned = []
    for steps in columns:
        joined = reverse_sequence(stack(steps), lengths, 0, 1)
        turned.append(unstack(joined, num=len(steps)))
        for step, given in zip(turned[-1], steps, strict=True):
            step.set_shape([None] * given.shape.ndims if given.shape.ndims else given.shape)
            step.set_shape(given.get_shape())
    rows = zip(*turned, strict=True)
    return [nest.pack_sequence_as(i, list(row)) for i, row in zip(inputs, rows, strict=True)]
