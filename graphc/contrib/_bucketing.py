"""tf.contrib.training.bucket and bucket_by_sequence_length: batches of elements that are alike.

Lives here: both functions. Elements go to one of several queues; each full one gives a batch to a
queue of batches. Not here: queues (tf1/queues.py), plain batches (tf1/input_batches.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import CancelledError, OutOfRangeError
from graphc.ir.dtypes import bool_, float32, int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_math, summary
from graphc.tf1.input_sparse import SparseColumns
from graphc.tf1.ops_misc import group
from graphc.tf1.queue_runner import QueueRunner, add_queue_runner
from graphc.tf1.queues import FIFOQueue, PaddingFIFOQueue, QueueBase
from graphc.tf1.scopes import name_scope

__all__ = ["bucket", "bucket_by_sequence_length"]

_ENDS = (OutOfRangeError, CancelledError)


def _per_bucket(value: Any, count: int, text: str) -> list[Any]:
    out = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(out) != count:
        raise ValueError(text.format(value, count))
    return out


def bucket(
    tensors: Any,
    which_bucket: Any,
    batch_size: Any,
    num_buckets: int,
    num_threads: int = 1,
    capacity: int = 32,
    bucket_capacities: Sequence[int] | None = None,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    keep_input: Any = True,
    shared_name: str | None = None,
    name: str | None = None,
) -> tuple[Tensor, Any]:
    """Batches of elements that fall into the same of several buckets.

    Args:
        tensors: one element, a list or dict, also of sparse tensors. which_bucket: its bucket, an
            int32 from 0 to num_buckets - 1. batch_size: a number, or one for each bucket.
        capacity: of the queue of batches. bucket_capacities: of the buckets.
        keep_input: a bool: whether the element is used at all. Others: as tf.train.batch.

    Returns:
        (the bucket's number, the batch in the form of `tensors`).

    Raises:
        ValueError: no tensors, or lists that have not num_buckets members.
    """
    sizes = _per_bucket(
        batch_size, num_buckets, "If batch_size is a list it must have num_buckets elements"
    )
    room = _per_bucket(
        capacity if bucket_capacities is None else list(bucket_capacities), num_buckets,
        "The list bucket_capacities ({}) must have exactly num_buckets ({}) elements.",
    )  # fmt: skip
    keys = sorted(tensors) if isinstance(tensors, Mapping) else None
    flat = [tensors[k] for k in keys] if keys is not None else list(tensors)
    if not flat:
        raise ValueError("Expected at least one tensor in bucket().")
    with name_scope(name, "bucket", flat):
        sparse = SparseColumns([flat], False)
        columns = [convert_to_tensor(t) for t in sparse.dense[0]]
        dtypes, inner = [t.dtype for t in columns], _shapes_of(columns, shapes)
        kind = PaddingFIFOQueue if dynamic_pad else FIFOQueue
        queues = [
            kind(n, dtypes, inner, name=f"bucket_queue_{i}",
                 shared_name=f"{shared_name}_{i}" if shared_name else None)
            for i, n in enumerate(room)
        ]  # fmt: skip
        _fill(queues, columns, which_bucket, keep_input, num_threads)
        static = sizes[0] if not allow_smaller_final_batch and _same(sizes) else None
        outer = [TensorShape([static]).concatenate(s) for s in inner]
        top = PaddingFIFOQueue(
            capacity, [int32, *dtypes], [TensorShape([]), *outer], shared_name=shared_name,
            name="top_queue",
        )  # fmt: skip
        _collect(queues, top, sizes, allow_smaller_final_batch)
        _report(queues, top, capacity)
        which, *taken = top.dequeue(name="dequeue_top")
        restored = sparse.restored(taken)
    if keys is not None:
        return which, dict(zip(keys, restored, strict=True))
    return which, restored[0] if len(restored) == 1 else restored


def _same(sizes: Sequence[Any]) -> bool:
    return all(isinstance(s, int) and s == sizes[0] for s in sizes)


def _shapes_of(columns: Sequence[Tensor], shapes: Any) -> list[TensorShape]:
    if shapes is not None:
        return [TensorShape(s) for s in shapes]
    for tensor in columns:
        if tensor.dims is None:
            raise ValueError(f"Cannot infer Tensor's rank: {tensor}")
    return [TensorShape(t.dims) for t in columns]


def _fill(
    queues: Sequence[QueueBase], columns: Sequence[Tensor], which: Any, keep: Any, threads: int
) -> None:
    """Elements go to the buckets; when the input ends all of these are closed."""
    place = convert_to_tensor(which, int32)
    puts = []
    for i, queue in enumerate(queues):
        here: Any = api_math.equal(place, i)
        if keep is not True:
            here = api_math.logical_and(here, convert_to_tensor(keep, bool_))
        puts.append(queue._put(F.queue_enqueue, list(columns), f"enqueue_{i}", here))
    closed = group(*[q.close() for q in queues], name="close_buckets")
    cancelled = group(*[q.close(True) for q in queues], name="cancel_buckets")
    put = group(*puts, name="group_enqueues")
    add_queue_runner(QueueRunner(queues[0], [put] * threads, closed, cancelled, _ENDS))


def _collect(
    queues: Sequence[QueueBase], top: QueueBase, sizes: Sequence[Any], smaller: bool
) -> None:
    """Batches go to the queue of batches, which is closed when all buckets have ended."""
    puts = []
    for i, (queue, size) in enumerate(zip(queues, sizes, strict=True)):
        take = queue.dequeue_up_to if smaller else queue.dequeue_many
        taken = take(size, name=f"read_bucket_{i}")
        batch = taken if isinstance(taken, list) else [taken]
        puts.append(top.enqueue([i, *batch], name=f"enqueue_from_bucket_{i}"))
    add_queue_runner(QueueRunner(top, puts, queue_closed_exception_types=_ENDS))


def _report(queues: Sequence[QueueBase], top: QueueBase, capacity: int) -> None:
    for queue in queues:
        summary.scalar(f"{queue.name}/size", api_math.cast(queue.size(), float32))
    full = api_math.cast(top.size(), float32) * (1.0 / capacity)
    summary.scalar(f"{top.name}/fraction_of_{capacity}_full", full)


def _checked_boundaries(bounds: Any) -> list[int]:
    if not isinstance(bounds, list | tuple):
        raise TypeError(f"bucket_boundaries must be a list or tuple, but received: {bounds}")
    if not bounds:
        raise ValueError("bucket_boundaries must not be empty")
    for low, high in zip(bounds[:-1], bounds[1:], strict=True):
        if not isinstance(low, int) or not isinstance(high, int):
            raise TypeError(f"bucket boundaries must be integers, but saw: {low} and {high}")
        if low >= high:
            raise ValueError(
                "Buckets must contain sequential increasing lengths, but saw: "
                f"{low} before {high}"
            )
    return list(bounds)


def bucket_by_sequence_length(
    input_length: Any,
    tensors: Any,
    batch_size: Any,
    bucket_boundaries: Sequence[int],
    num_threads: int = 1,
    capacity: int = 32,
    bucket_capacities: Sequence[int] | None = None,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    keep_input: Any = True,
    shared_name: str | None = None,
    name: str | None = None,
) -> tuple[Tensor, Any]:
    """Batches of sequences of about the same length.

    Args:
        input_length: an int32 scalar. bucket_boundaries: increasing lengths at which the next
            bucket begins: one bucket more than boundaries. Others: as `bucket`.

    Returns:
        (the lengths, the batch in the form of `tensors`).

    Raises:
        TypeError, ValueError: boundaries that are no increasing integers; as `bucket`.
    """
    bounds = _checked_boundaries(bucket_boundaries)
    keys = sorted(tensors) if isinstance(tensors, Mapping) else None
    flat = [tensors[k] for k in keys] if keys is not None else list(tensors)
    with name_scope(name, "bucket_by_sequence_length", [input_length, *flat]) as scope:
        length = convert_to_tensor(input_length, int32)
        passed = api_math.greater_equal(length, convert_to_tensor(bounds, int32))
        which = api_math.count_nonzero(passed, dtype=int32)
        _, batch = bucket(
            [length, *flat], which, batch_size, len(bounds) + 1, num_threads, capacity,
            bucket_capacities,
            None if shapes is None else [[], *shapes], dynamic_pad, allow_smaller_final_batch,
            keep_input, shared_name, scope,
        )  # fmt: skip
    lengths, *rest = batch
    if keys is not None:
        return lengths, dict(zip(keys, rest, strict=True))
    return lengths, rest[0] if len(rest) == 1 else rest
