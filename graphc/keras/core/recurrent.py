"""keras.backend.rnn: a step function over time; folds and maps. Imports tf1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import bool_, int32
from graphc.ir.node import Tensor
from graphc.keras.core.arrays import int_shape
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array, api_math, functional
from graphc.tf1.control_flow import while_loop
from graphc.tf1.tensor_array import TensorArray

__all__ = ["foldl", "foldr", "map_fn", "rnn"]

Step = Callable[[Any, list[Any]], tuple[Any, list[Any]]]


def map_fn(fn: Any, elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """fn of each row, stacked."""
    return functional.map_fn(fn, elems, name=name, dtype=dtype)


def foldl(fn: Any, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """fn(accumulated, row) from the first row to the last."""
    return functional.foldl(fn, elems, initializer=initializer, name=name)


def foldr(fn: Any, elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """fn(accumulated, row) from the last row to the first."""
    return functional.foldr(fn, elems, initializer=initializer, name=name)


def _time_first(x: Any) -> Tensor:
    x = convert_to_tensor(x)
    return api_array.transpose(x, [1, 0, *range(2, x.rank or 2)])


def _spread(mask: Tensor, like: Tensor) -> Tensor:
    """[batch] truth values as [batch, 1, ...] of the rank of `like`."""
    for _ in range((like.rank or 1) - 1):
        mask = api_array.expand_dims(mask, -1)
    return mask


def rnn(
    step_function: Step, inputs: Any, initial_states: Any, go_backwards: bool = False,
    mask: Any = None, constants: Any = None, unroll: bool = False,
    input_length: int | None = None, time_major: bool = False,
    zero_output_for_mask: bool = False, return_all_outputs: bool = True,
) -> tuple[Any, Any, list[Any]]:
    """(last output, outputs [batch, time, ...], last states) of a step over axis 1.

    Args:
        step_function: (inputs at a time, states and constants) -> (output, new states).
        mask: [batch, time]; where False states stay and the output is that before, or 0.
        unroll: the steps are written out, which needs a known time. time_major: axes 0 and 1 of
            inputs and outputs are time, batch. return_all_outputs: False gives None for outputs.

    Raises:
        ValueError: unroll without a known time.
    """
    x = convert_to_tensor(inputs) if time_major else _time_first(inputs)
    masks = None
    if mask is not None:
        masks = api_math.cast(mask, bool_)
        if masks.rank == 3:
            masks = api_array.squeeze(masks, [2])
        masks = masks if time_major else _time_first(masks)
    if go_backwards:
        x = api_array.reverse(x, [0])
        masks = None if masks is None else api_array.reverse(masks, [0])
    states = [convert_to_tensor(s) for s in initial_states]
    fixed = list(constants or ())
    run = _unrolled if unroll else _looped
    last, outputs, states = run(
        step_function, x, states, masks, fixed, zero_output_for_mask, return_all_outputs
    )
    if outputs is not None and not time_major:
        outputs = _time_first(outputs)
    return last, outputs, states


def _masked(
    on: Tensor, output: Tensor, before: Any, new: list[Any], old: list[Any], zero: bool
) -> tuple[Tensor, list[Any]]:
    """The output and states of a step where only some samples take it."""
    other = api_array.zeros_like(output) if zero or before is None else before
    kept = F.select_v2(_spread(on, output), output, other)
    return kept, [F.select_v2(_spread(on, n), n, o) for n, o in zip(new, old)]


def _unrolled(
    step: Step, x: Tensor, states: list[Any], masks: Any, fixed: list[Any], zero: bool, every: bool
) -> tuple[Any, Any, list[Any]]:
    steps = int_shape(x)[0]
    if steps is None:
        raise ValueError("Unrolling requires a fixed number of timesteps.")
    outputs: list[Any] = []
    for k in range(steps):
        output, new = step(x[k], states + fixed)
        new = [convert_to_tensor(s) for s in new]
        if masks is not None:
            before = outputs[-1] if outputs else None
            output, new = _masked(masks[k], output, before, new, states, zero)
        outputs.append(output)
        states = new
    return outputs[-1], api_array.stack(outputs) if every else None, states


def _looped(
    step: Step, x: Tensor, states: list[Any], masks: Any, fixed: list[Any], zero: bool, every: bool
) -> tuple[Any, Any, list[Any]]:
    static = int_shape(x)[0]
    n = constant_tensor(static, int32) if static is not None else api_array.shape(x)[0]
    first, _ = step(x[0], states + fixed)  # for its shape: nothing of it runs
    start = F.fill(api_array.shape(first), constant_tensor(0, first.dtype))
    start.set_shape(first.shape)
    rows = TensorArray(x.dtype, n, element_shape=x.shape[1:]).unstack(x)
    flags = None if masks is None else TensorArray(bool_, n).unstack(masks)
    made = TensorArray(first.dtype, n, element_shape=first.shape) if every else None

    def body(t: Tensor, before: Tensor, held: list[Tensor], *out: Any) -> Any:
        output, new = step(rows.read(t), [*held, *fixed])
        new = [convert_to_tensor(s) for s in new]
        if flags is not None:
            output, new = _masked(flags.read(t), output, before, new, held, zero)
        for value, old in zip([output, *new], [before, *held]):
            value.set_shape(old.shape)
        written = [o.write(t, output) for o in out]
        return (t + 1, output, new, *written)

    begin: Any = (constant_tensor(0, int32), start, states)
    if made is not None:
        begin = (*begin, made)
    done = while_loop(lambda t, *_: F.less(t, n), body, begin, maximum_iterations=n)
    outputs = None
    if made is not None:
        outputs = done[3].stack()
        outputs.set_shape([static, *first.shape.as_list()])
    return done[1], outputs, list(done[2])
