"""Batches of what is read: tf.train.batch, shuffle_batch, their _join and maybe_ forms.

Lives here: these functions. Each puts its tensors into a queue, adds a queue runner that fills
it, and gives what dequeue_many takes out. Not here: queues (queues.py), producers of names and
numbers (input_producers.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.ir.dtypes import bool_
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.input_producers import report_fullness
from graphc.tf1.input_sparse import SparseColumns
from graphc.tf1.queue_runner import QueueRunner, add_queue_runner
from graphc.tf1.queues import FIFOQueue, PaddingFIFOQueue, QueueBase, RandomShuffleQueue
from graphc.tf1.scopes import name_scope

__all__ = [
    "batch", "batch_join", "maybe_batch", "maybe_batch_join", "maybe_shuffle_batch",
    "maybe_shuffle_batch_join", "shuffle_batch", "shuffle_batch_join",
]  # fmt: skip


class _Batch:
    """One call: from lists of tensors to a queue and what is taken from it.

    Args:
        sets: of tensors, one for each thread that fills the queue with other tensors.
        keep: whether an element goes in; a vector with enqueue_many.
        dynamic_pad, shuffle: which queue: (min_after_dequeue, seed) or None.
    """

    def __init__(
        self,
        sets: Sequence[Any],
        default_name: str,
        name: str | None,
        capacity: int,
        enqueue_many: bool,
        shapes: Any,
        keep: Any,
        shared_name: str | None,
        dynamic_pad: bool = False,
        shuffle: tuple[int, int | None] | None = None,
    ) -> None:
        self.sets = _checked(sets, default_name)
        self.first = self.sets[0]
        self.default_name = default_name
        self.name = name
        self.capacity = capacity
        self.many = enqueue_many
        self.shapes = shapes
        self.keep = keep
        self.shared_name = shared_name
        self.dynamic_pad = dynamic_pad
        self.shuffle = shuffle

    def run(self, batch_size: Any, threads: int, allow_smaller_final_batch: bool) -> Any:
        """The batch, in the form of the tensors: a list, a dict, or one tensor alone."""
        lists = [_in_order(s) for s in self.sets]
        with name_scope(self.name, self.default_name, [t for s in lists for t in s]) as scope:
            sparse = SparseColumns(lists, self.many)
            columns = [[convert_to_tensor(t) for t in s] for s in sparse.dense]
            keep = None if self.keep is None else _keep_input(self.keep, self.many)
            queue = self._queue(_dtypes(columns), self._shapes_of(columns))
            op = F.queue_enqueue_many if self.many else F.queue_enqueue
            suffix = "EnqueueMany" if self.many else "enqueue"
            names = f"{queue.name.rsplit('/', 1)[-1]}_{suffix}"
            puts = [queue._put(op, tensors, names, keep) for tensors in columns]
            add_queue_runner(QueueRunner(queue, puts * threads))
            least = self.shuffle[0] if self.shuffle else 0
            tag = f"fraction_over_{least}_of_" if self.shuffle else "fraction_of_"
            report_fullness(f"{tag}{self.capacity - least}_full", queue, self.capacity, least)
            take = queue.dequeue_up_to if allow_smaller_final_batch else queue.dequeue_many
            taken = take(batch_size, name=scope)
            return self._in_form(sparse.restored(taken if isinstance(taken, list) else [taken]))

    def _queue(self, dtypes: list[Any], shapes: list[TensorShape]) -> QueueBase:
        if self.shuffle is not None:
            least, seed = self.shuffle
            return RandomShuffleQueue(
                self.capacity, least, dtypes, shapes, seed=seed, shared_name=self.shared_name
            )
        kind = PaddingFIFOQueue if self.dynamic_pad else FIFOQueue
        return kind(self.capacity, dtypes, shapes, shared_name=self.shared_name)

    def _shapes_of(self, lists: Sequence[Sequence[Tensor]]) -> list[TensorShape]:
        if self.shapes is not None:
            given = self.shapes
            single = isinstance(given, TensorShape) or all(
                d is None or isinstance(d, int) for d in given
            )
            return [TensorShape(s) for s in ([given] if single else given)]
        out = []
        for column in zip(*lists, strict=True):
            merged = TensorShape(None)
            for tensor in column:
                if tensor.dims is None:
                    raise ValueError(f"Cannot infer Tensor's rank: {tensor}")
                shape = TensorShape(tensor.dims)
                if self.many:
                    shape = shape.with_rank_at_least(1)[1:]
                merged = merged.merge_with(shape)
            out.append(merged)
        return out

    def _in_form(self, taken: list[Any]) -> Any:
        if isinstance(self.first, Mapping):
            return dict(zip(sorted(self.first), taken, strict=True))
        return taken[0] if len(taken) == 1 else taken


def _checked(sets: Sequence[Any], what: str) -> list[Any]:
    """Raises ValueError or TypeError for lists that cannot be put into one queue."""
    if not sets:
        raise ValueError("Expected at least one set of tensors")
    made = [s if isinstance(s, Mapping | list | tuple) else [s] for s in sets]
    first = made[0]
    if not first:
        raise ValueError(f"Expected at least one tensor in {what}().")
    for other in made:
        if isinstance(first, Mapping) and set(other) != set(first):
            raise ValueError("All dictionaries in tensors_list must have the same keys")
        if len(other) != len(first):
            raise ValueError("All lists in tensors_list must have the same length")
    return made


def _in_order(tensors: Any) -> list[Any]:
    if isinstance(tensors, Mapping):
        return [tensors[k] for k in sorted(tensors)]
    return list(tensors)


def _dtypes(lists: Sequence[Sequence[Tensor]]) -> list[Any]:
    out = [t.dtype for t in lists[0]]
    for tensors in lists[1:]:
        other = [t.dtype for t in tensors]
        if other != out:
            texts = [", ".join(d.name for d in dtypes) for dtypes in (out, other)]
            raise TypeError(f"Expected types to be consistent: {texts[0]} vs. {texts[1]}.")
    return out


def _keep_input(keep: Any, enqueue_many: bool) -> Tensor | None:
    """The condition as a tensor; None where it is the constant True."""
    if keep is True:
        return None
    tensor = convert_to_tensor(keep, bool_)
    rank = tensor.rank
    if rank is None:
        raise ValueError("`keep_input` dimensions must be known at graph construction.")
    if rank == 1 and not enqueue_many:
        raise ValueError("`keep_input` cannot be a vector when `enqueue_many=False`.")
    if rank > 1:
        raise ValueError("`keep_input` must be 0 or 1 dimensions.")
    return tensor


def _mixed(capacity: int, min_after_dequeue: int, seed: int | None) -> tuple[int, int | None]:
    if capacity <= min_after_dequeue:
        raise ValueError(
            f"capacity {capacity} must be bigger than min_after_dequeue {min_after_dequeue}."
        )
    return min_after_dequeue, seed


# ------------------------------------------------------------------ in order
def batch(
    tensors: Any,
    batch_size: Any,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Batches of tensors that other ops of the graph make, element by element.

    Args:
        tensors: a list or dict of tensors, also sparse ones: one element, or with enqueue_many
            a batch of them. num_threads: that compute elements. capacity: of the queue.
        shapes: of one element, where the tensors do not tell it.
        dynamic_pad: elements may differ in extents: they are padded with zeros.
        allow_smaller_final_batch: the last batch has what is left.

    Returns:
        Tensors in the form of `tensors`, with a first dimension of batch_size; a list of one
        gives one tensor.

    Raises:
        ValueError: no tensors, or shapes that are not known.
        OutOfRangeError (in the run): the input has ended.
    """
    return maybe_batch(
        tensors, True, batch_size, num_threads, capacity, enqueue_many, shapes, dynamic_pad,
        allow_smaller_final_batch, shared_name, name,
    )  # fmt: skip


def maybe_batch(
    tensors: Any,
    keep_input: Any,
    batch_size: Any,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `batch`, of those elements for which keep_input is True.

    Args:
        keep_input: a bool, or with enqueue_many a vector of them, one for each element.
    """
    made = _Batch(
        [tensors], "batch", name, capacity, enqueue_many, shapes, keep_input, shared_name,
        dynamic_pad,
    )  # fmt: skip
    return made.run(batch_size, num_threads, allow_smaller_final_batch)


def batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `batch`, from several lists or dicts of tensors; a thread for each.

    Raises:
        ValueError, TypeError: as `batch`, or the lists do not fit to each other.
    """
    return maybe_batch_join(
        tensors_list, True, batch_size, capacity, enqueue_many, shapes, dynamic_pad,
        allow_smaller_final_batch, shared_name, name,
    )  # fmt: skip


def maybe_batch_join(
    tensors_list: Sequence[Any],
    keep_input: Any,
    batch_size: Any,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `batch_join`, of those elements for which keep_input is True: see `maybe_batch`."""
    made = _Batch(
        tensors_list, "batch_join", name, capacity, enqueue_many, shapes, keep_input, shared_name,
        dynamic_pad,
    )  # fmt: skip
    return made.run(batch_size, 1, allow_smaller_final_batch)


# ------------------------------------------------------------------ shuffled
def shuffle_batch(
    tensors: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `batch`, with elements in random order.

    Args:
        min_after_dequeue: so many elements stay in the queue while the input goes on.

    Raises:
        ValueError: as `batch`, or the capacity is not larger than min_after_dequeue.
    """
    return maybe_shuffle_batch(
        tensors, batch_size, capacity, min_after_dequeue, True, num_threads, seed, enqueue_many,
        shapes, allow_smaller_final_batch, shared_name, name,
    )  # fmt: skip


def maybe_shuffle_batch(
    tensors: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `shuffle_batch`, of those elements for which keep_input is True: see `maybe_batch`."""
    made = _Batch(
        [tensors], "shuffle_batch", name, capacity, enqueue_many, shapes, keep_input, shared_name,
        shuffle=_mixed(capacity, min_after_dequeue, seed),
    )  # fmt: skip
    return made.run(batch_size, num_threads, allow_smaller_final_batch)


def shuffle_batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `shuffle_batch`, from several lists or dicts of tensors; a thread for each."""
    return maybe_shuffle_batch_join(
        tensors_list, batch_size, capacity, min_after_dequeue, True, seed, enqueue_many, shapes,
        allow_smaller_final_batch, shared_name, name,
    )  # fmt: skip


def maybe_shuffle_batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """As `shuffle_batch_join`, of those elements for which keep_input is True."""
    made = _Batch(
        tensors_list, "shuffle_batch_join", name, capacity, enqueue_many, shapes, keep_input,
        shared_name, shuffle=_mixed(capacity, min_after_dequeue, seed),
    )  # fmt: skip
    return made.run(batch_size, 1, allow_smaller_final_batch)
