"""tf.QueueBase and its kinds: elements of tensors that threads put in and take out.

Lives here: the user's classes. Not here: the ops (ops/queues.py), what a session keeps of a queue
(runtime/queues.py), threads that fill queues (queue_runner.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.ir.dtypes import DType, as_dtype, int64
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F, OpDef
from graphc.tf1.api_random import get_seed

__all__ = ["FIFOQueue", "PaddingFIFOQueue", "PriorityQueue", "QueueBase", "RandomShuffleQueue"]


class QueueBase:
    """tf.QueueBase: what all queues can do. Elements are tuples of tensors of fixed dtypes.

    Args:
        dtypes: of the components. shapes: of the components of one element; None for unknown:
            then only single elements can be taken. names: elements are dicts of these keys.
        queue_ref: the string tensor that names the queue.

    Raises:
        ValueError: other numbers of shapes or names than of dtypes.
    """

    def __init__(self, dtypes: Any, shapes: Any, names: Any, queue_ref: Tensor) -> None:
        self._dtypes = list(dtypes)
        if shapes is None:
            self._shapes = [TensorShape(None) for _ in self._dtypes]
        else:
            if len(shapes) != len(self._dtypes):
                raise ValueError(
                    "Queue shapes must have the same length as dtypes, received "
                    f"len(shapes)={len(shapes)}, len(dtypes)={len(self._dtypes)}"
                )
            self._shapes = [TensorShape(s) for s in shapes]
        if names is not None and len(names) != len(self._dtypes):
            raise ValueError(
                "List of names must have the same length as the list of dtypes, received "
                f"len(names)={len(names)},len(dtypes)={len(self._dtypes)}"
            )
        self._names = None if names is None else list(names)
        self._queue_ref = queue_ref
        self._name = queue_ref.node.name.rsplit("/", 1)[-1]

    @staticmethod
    def from_list(index: Any, queues: Sequence[QueueBase]) -> QueueBase:
        """The queue of the list whose place the integer tensor `index` says when it is used.

        Raises:
            TypeError: no list of queues, or queues of different dtypes or names.
        """
        if not queues or not isinstance(queues, Sequence) or not all(
            isinstance(q, QueueBase) for q in queues
        ):
            raise TypeError("A list of queues expected")
        first = queues[0]
        if any(q.dtypes != first.dtypes for q in queues):
            raise TypeError("Queues do not have matching component dtypes.")
        if any(q.names != first.names for q in queues):
            raise TypeError("Queues do not have matching component names.")
        shapes = [_common([q.shapes[k] for q in queues]) for k in range(len(first.dtypes))]
        refs = F.stack(*[q.queue_ref for q in queues], axis=0)
        ref = F.gather(refs, convert_to_tensor(index), axis=0, batch_dims=0)
        return QueueBase(first.dtypes, shapes, first.names, ref)

    # ------------------------------------------------------------ what it is
    @property
    def queue_ref(self) -> Tensor:
        """The tensor that names the queue."""
        return self._queue_ref

    @property
    def name(self) -> str:
        """The name of the op that makes the queue."""
        return self._queue_ref.node.name

    @property
    def dtypes(self) -> list[DType]:
        return self._dtypes

    @property
    def shapes(self) -> list[TensorShape]:
        return self._shapes

    @property
    def names(self) -> list[str] | None:
        return self._names

    # ------------------------------------------------------------ putting
    def enqueue(self, vals: Any, name: str | None = None) -> Node:
        """An op that adds one element: a tensor, a list or tuple, or a dict where it has names.

        A run of it waits while the queue is full.

        Raises:
            ValueError: another number of components, or shapes that cannot fit.
            TypeError: values of other dtypes.
            CancelledError (in the run): the queue is closed.
        """
        return self._put(F.queue_enqueue, vals, name or f"{self._name}_enqueue", None)

    def enqueue_many(self, vals: Any, name: str | None = None) -> Node:
        """An op that adds the slices of each component along its first dimension.

        Args and Raises: as `enqueue`; a run waits for room for each element.
        """
        return self._put(F.queue_enqueue_many, vals, name or f"{self._name}_EnqueueMany", None)

    def _put(self, op: OpDef, vals: Any, name: str, keep: Tensor | None) -> Node:
        """keep: a bool tensor: whether this happens at all, or, of many, which ones go in."""
        with get_default_graph().name_scope(name) as scope:
            values = self._components(vals)
            many = op.name == "queue_enqueue_many"
            self._check(values, many)
            more = () if keep is None else (keep,)
            attrs = {} if keep is None else {"keep": True}
            return op.node(self._queue_ref, *values, *more, name=scope, **attrs)

    def _components(self, vals: Any) -> list[Tensor]:
        if isinstance(vals, Mapping):
            vals = self._in_order(vals)
        elif self._names is not None:
            raise ValueError("You must enqueue a dictionary in a Queue with names")
        elif not isinstance(vals, list | tuple):
            vals = [vals]
        if len(vals) != len(self._dtypes):
            raise ValueError(
                f"Shapes must be equal: the queue has {len(self._dtypes)} components, but "
                f"{len(vals)} were given"
            )
        return [
            convert_to_tensor(v, d, name=f"component_{k}")
            for k, (v, d) in enumerate(zip(vals, self._dtypes, strict=True))
        ]

    def _in_order(self, vals: Mapping[str, Any]) -> list[Any]:
        if self._names is None:
            raise ValueError("Queue must have names to enqueue a dictionary")
        if sorted(self._names, key=str) != sorted(vals, key=str):
            raise ValueError(
                "Keys in dictionary to enqueue do not match names of Queue.  Dictionary: "
                f"{sorted(vals)},Queue: {sorted(self._names)}"
            )
        return [vals[k] for k in self._names]

    def _check(self, values: Sequence[Tensor], many: bool) -> None:
        rows = TensorShape([None])
        for value, shape in zip(values, self._shapes, strict=True):
            got = TensorShape(value.dims)
            if many:
                got = got.with_rank_at_least(1)
                rows = rows.merge_with(got[:1])
                got = got[1:]
            got.assert_is_compatible_with(shape)

    # ------------------------------------------------------------ taking
    def dequeue(self, name: str | None = None) -> Any:
        """The next element: a tensor, a list of them, or a dict where the queue has names.

        Raises (in the run):
            OutOfRangeError: the queue is closed and empty.
            CancelledError: the session is closed while the run waits.
        """
        return self._taken(
            F.queue_dequeue.node(
                self._queue_ref, types=self._types(), name=name or f"{self._name}_Dequeue"
            )
        )

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """The next `n` elements, stacked along a new first dimension; waits for all of them.

        Raises:
            InvalidArgumentError: `n` is negative, or (in the run) the shapes are unknown.
            OutOfRangeError (in the run): the queue is closed and has fewer.
        """
        return self._taken(
            F.queue_dequeue_many.node(
                self._queue_ref, n, types=self._types(), name=name or f"{self._name}_DequeueMany"
            )
        )

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """As dequeue_many; when the queue is closed, what is left where that is less than `n`."""
        return self._taken(
            F.queue_dequeue_up_to.node(
                self._queue_ref, n, types=self._types(), name=name or f"{self._name}_DequeueUpTo"
            )
        )

    def _types(self) -> tuple[TensorType, ...]:
        return tuple(
            TensorType(d, s.dims_tuple) for d, s in zip(self._dtypes, self._shapes, strict=True)
        )

    def _taken(self, node: Node) -> Any:
        if self._names is not None:
            return dict(zip(self._names, node.outputs, strict=True))
        return node.outputs[0] if len(node.outputs) == 1 else list(node.outputs)

    # ------------------------------------------------------------ closing
    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Node:
        """An op after which nothing can be put in; what is there can still be taken.

        Args:
            cancel_pending_enqueues: runs that wait to put are cancelled.

        Raises (in the run):
            CancelledError: it is closed already.
        """
        return F.queue_close.node(
            self._queue_ref,
            cancel_pending_enqueues=bool(cancel_pending_enqueues),
            name=name or f"{self._name}_Close",
        )

    def is_closed(self, name: str | None = None) -> Tensor:
        """A bool: whether the queue is closed."""
        out: Tensor = F.queue_is_closed(self._queue_ref, name=name or f"{self._name}_Is_Closed")
        return out

    def size(self, name: str | None = None) -> Tensor:
        """An int32: how many elements there are."""
        out: Tensor = F.queue_size(self._queue_ref, name=name or f"{self._name}_Size")
        return out


def _common(shapes: Sequence[TensorShape]) -> TensorShape:
    return shapes[0] if all(s.dims == shapes[0].dims for s in shapes) else TensorShape(None)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _dtypes(dtypes: Any) -> list[DType]:
    return [as_dtype(d) for d in _as_list(dtypes)]


def _shapes(shapes: Any, partial: bool = False) -> list[TensorShape] | None:
    """One shape for each component; a single shape may stand for a list of one."""
    if shapes is None:
        return None
    if isinstance(shapes, TensorShape):
        shapes = [shapes]
    found = list(shapes)
    if all(d is None or isinstance(d, int) for d in found):
        found = [found]
    made = [TensorShape(s) for s in found]
    if not partial and not all(s.is_fully_defined() for s in made):
        raise ValueError(f"All shapes must be fully defined: {made}")
    return made


def _make(op: OpDef, name: str | None, shared_name: str | None, attrs: dict[str, Any]) -> Tensor:
    with get_default_graph().name_scope(name or op.default_name) as scope:
        made: Tensor = op(
            name=scope, key=scope.rstrip("/"), shared_name=shared_name or "", **attrs
        )
    return made


class FIFOQueue(QueueBase):
    """tf.FIFOQueue: first in, first out.

    Args:
        capacity: how many elements it holds. dtypes, shapes, names: see QueueBase.
        shared_name: queues of one shared name are the same queue of a session.

    Raises:
        ValueError: shapes that are not fully known, or another number of them than of dtypes.
    """

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str | None = "fifo_queue",
    ) -> None:
        types = _dtypes(dtypes)
        made = _shapes(shapes)
        _check_lengths(types, made, names)
        ref = _make(F.fifo_queue, name, shared_name, _attrs(types, made, capacity))
        super().__init__(types, made, names, ref)


class PaddingFIFOQueue(QueueBase):
    """tf.PaddingFIFOQueue: elements of different extents, padded with zeros in dequeue_many.

    Args:
        shapes: one for each dtype; unknown extents are those that are padded.

    Raises:
        ValueError: no shapes, or another number of them than of dtypes.
    """

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any,
        names: Any = None,
        shared_name: str | None = None,
        name: str | None = "padding_fifo_queue",
    ) -> None:
        types = _dtypes(dtypes)
        if not isinstance(shapes, list | tuple | TensorShape):
            raise ValueError("When providing partial shapes, a list of shapes must be provided.")
        made = _shapes(shapes, partial=True) or []
        if len(made) != len(types):
            raise ValueError(
                f"Shapes must be provided for all components, but received {len(types)} dtypes "
                f"and {len(made)} shapes."
            )
        _check_lengths(types, made, names)
        ref = _make(F.padding_fifo_queue, name, shared_name, _attrs(types, made, capacity))
        super().__init__(types, made, names, ref)


class RandomShuffleQueue(QueueBase):
    """tf.RandomShuffleQueue: elements come out in random order.

    Args:
        min_after_dequeue: so many stay in an open queue, so that they are well mixed.
        seed: see tf.set_random_seed.

    Raises:
        ValueError: as FIFOQueue. InvalidArgumentError (in the run): min_after_dequeue is not less
        than the capacity.
    """

    def __init__(
        self,
        capacity: int,
        min_after_dequeue: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        seed: int | None = None,
        shared_name: str | None = None,
        name: str | None = "random_shuffle_queue",
    ) -> None:
        types = _dtypes(dtypes)
        made = _shapes(shapes)
        _check_lengths(types, made, names)
        first, second = get_seed(seed)
        attrs = _attrs(types, made, capacity)
        attrs.update(
            min_after_dequeue=int(min_after_dequeue), seed=first or 0, seed2=second or 0
        )
        ref = _make(F.random_shuffle_queue, name, shared_name, attrs)
        super().__init__(types, made, names, ref)


class PriorityQueue(QueueBase):
    """tf.PriorityQueue: the element of the smallest priority first.

    An element's first component is its priority, an int64; `types` and `shapes` are of the others.

    Raises:
        ValueError: as FIFOQueue.
    """

    def __init__(
        self,
        capacity: int,
        types: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str | None = "priority_queue",
    ) -> None:
        others = _dtypes(types)
        made = _shapes(shapes)
        if made is None:
            made = [TensorShape([]) for _ in others]
        _check_lengths(others, made, None)
        ref = _make(F.priority_queue, name, shared_name, _attrs(others, made, capacity))
        super().__init__([int64, *others], [TensorShape([]), *made], names, ref)


def _attrs(types: list[DType], shapes: list[TensorShape] | None, capacity: int) -> dict[str, Any]:
    return {
        "component_types": tuple(types),
        "shapes": tuple(s.dims_tuple for s in shapes or ()),
        "capacity": int(capacity),
    }


def _check_lengths(types: list[DType], shapes: Any, names: Any) -> None:
    """Raises ValueError before any op is made."""
    if shapes is not None and len(shapes) != len(types):
        raise ValueError(
            "Queue shapes must have the same length as dtypes, received "
            f"len(shapes)={len(shapes)}, len(dtypes)={len(types)}"
        )
    if names is not None and len(names) != len(types):
        raise ValueError(
            "List of names must have the same length as the list of dtypes, received "
            f"len(names)={len(names)},len(dtypes)={len(types)}"
        )
