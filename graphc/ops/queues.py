"""Ops of queues: make one, put, take, close, ask.

Lives here: the records. Not here: what a queue is (runtime/queues.py) and the user's classes
(tf1/queues.py). A queue is named by a string tensor; the session that runs keeps it by that name.
Putting, taking and closing wait for other threads: see `blocks` of OpDef.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType, bool_, int32, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef

Array = np.ndarray[Any, Any]


def resource_of(handle: Array, kind: str) -> Any:
    """What the running session keeps by this handle.

    Raises:
        InvalidArgumentError: it keeps nothing by it.
    """
    from graphc.runtime.state import running

    key = np.asarray(handle)[()]
    found = running().store.resources.get(key)
    if found is None:
        raise InvalidArgumentError(f"this session has no {kind} by the handle {key!r}")
    return found


def kept(key: str, make: Any) -> tuple[Array, Any]:
    """(the handle, what the running session keeps by it): made where it keeps nothing."""
    from graphc.runtime.state import running

    store, handle = running().store, key.encode()
    found = store.resources.get(handle)
    if found is None:
        with store.creating:
            found = store.resources.get(handle)
            if found is None:
                found = store.resources[handle] = make(store)
                if store.closed:
                    found.cancel()  # the session was closed while this run went on
    out = np.empty((), object)
    out[()] = handle
    return out, found


# ------------------------------------------------------------------ making
def _number(store: Any) -> int:
    from graphc.runtime.queues import Queue

    # other threads may add to it meanwhile
    return sum(isinstance(r, Queue) for r in list(store.resources.values()))


def _make(kind: str, key: str, shared_name: str, capacity: int, make: Any) -> Array:
    """The handle of the queue, which is found again by its shared name.

    Raises:
        InvalidArgumentError: a shared queue of another kind, capacity or types.
    """

    def new(store: Any) -> Any:
        made = make(shared_name or f"_{_number(store)}_{key.rsplit('/', 1)[-1]}")
        made.patience = store.patience
        return made

    handle, queue = kept(f"queue/{shared_name or key}", new)
    if not shared_name:
        return handle
    if queue.kind != kind:
        raise InvalidArgumentError(f"Expected {kind}, found {queue.kind}")
    if queue.asked != capacity:
        raise InvalidArgumentError(
            f"Shared queue '{shared_name}' has capacity {queue.asked} but requested capacity "
            f"was {capacity}"
        )
    return handle


def _check_shared(handle: Array, shared_name: str, types: tuple[DType, ...]) -> Array:
    queue = resource_of(handle, "queue")
    if queue.types != types:
        have, want = ("-".join(t.tf_name for t in ts) for ts in (queue.types, types))
        raise InvalidArgumentError(
            f"Shared queue '{shared_name}' has component types {have} but requested component "
            f"types were {want}"
        )
    return handle


def _fifo(
    key: str,
    component_types: tuple[DType, ...],
    shapes: Any,
    capacity: int,
    shared_name: str = "",
    padded: bool = False,
) -> Array:
    from graphc.runtime.queues import PaddingQueue, Queue

    cls = PaddingQueue if padded else Queue
    handle = _make(
        cls.kind, key, shared_name, capacity,
        lambda name: cls(name, component_types, shapes or None, capacity),
    )  # fmt: skip
    return _check_shared(handle, shared_name, component_types)


def _padding_fifo(**attrs: Any) -> Array:
    return _fifo(**attrs, padded=True)


def _random_shuffle(
    key: str,
    component_types: tuple[DType, ...],
    shapes: Any,
    capacity: int,
    min_after_dequeue: int,
    seed: int = 0,
    seed2: int = 0,
    shared_name: str = "",
) -> Array:
    from graphc.runtime.queues import RandomShuffleQueue as Shuffle

    def new(name: str) -> Shuffle:
        seeds = (seed, seed2)
        return Shuffle(name, component_types, shapes or None, capacity, min_after_dequeue, seeds)

    handle = _make(Shuffle.kind, key, shared_name, capacity, new)
    return _check_shared(handle, shared_name, component_types)


def _priority(
    key: str,
    component_types: tuple[DType, ...],
    shapes: Any,
    capacity: int,
    shared_name: str = "",
) -> Array:
    from graphc.ir.dtypes import int64
    from graphc.runtime.queues import PriorityQueue

    types = (int64, *component_types)
    handle = _make(
        PriorityQueue.kind, key, shared_name, capacity,
        lambda name: PriorityQueue(name, types, ((), *(shapes or ())), capacity),
    )  # fmt: skip
    return _check_shared(handle, shared_name, types)


def _queue_op(name: str, tf: str, numpy: Any) -> OpDef:
    return OpDef(
        name=name,
        tf=tf,
        family="host",
        args=(),
        infer=lambda ctx: TensorType(string, ()),
        numpy=numpy,
        nograd="the handle of a queue is a string",
        stateful=True,
        effect=True,
    )


fifo_queue = _queue_op("fifo_queue", "FIFOQueueV2", _fifo)
padding_fifo_queue = _queue_op("padding_fifo_queue", "PaddingFIFOQueueV2", _padding_fifo)
random_shuffle_queue = _queue_op("random_shuffle_queue", "RandomShuffleQueueV2", _random_shuffle)
priority_queue = _queue_op("priority_queue", "PriorityQueueV2", _priority)


# ------------------------------------------------------------------ using
def _enqueue(handle: Array, *components: Array, keep: bool = False) -> tuple[()]:
    if keep:
        *components, wanted = components  # type: ignore[assignment]
        if not wanted:
            return ()
    resource_of(handle, "queue").put(components)
    return ()


def _enqueue_many(handle: Array, *components: Array, keep: bool = False) -> tuple[()]:
    if keep:
        *components, wanted = components  # type: ignore[assignment]
        if wanted.ndim == 0 and not wanted:
            return ()
        if wanted.ndim:
            components = tuple(c[wanted] for c in components)
    resource_of(handle, "queue").put_many(components)
    return ()


def _dequeue(handle: Array, types: Any) -> tuple[Array, ...]:
    out: tuple[Array, ...] = resource_of(handle, "queue").get()
    return out


def _dequeue_many(handle: Array, n: Array, types: Any) -> tuple[Array, ...]:
    out: tuple[Array, ...] = resource_of(handle, "queue").get_many(int(n))
    return out


def _dequeue_up_to(handle: Array, n: Array, types: Any) -> tuple[Array, ...]:
    out: tuple[Array, ...] = resource_of(handle, "queue").get_many(int(n), up_to=True)
    return out


def _close(handle: Array, cancel_pending_enqueues: bool = False) -> tuple[()]:
    resource_of(handle, "queue").close(cancel_pending_enqueues)
    return ()


def _stacked_types(ctx: InferContext) -> tuple[TensorType, ...]:
    count = ctx.value(1)
    n = None if count is None or not isinstance(count[()], int | np.integer) else int(count[()])
    if n is not None and n < 0:
        raise ctx.fail(f"Input 'n' must be >= 0, but is {n}")
    return tuple(
        TensorType(t.dtype, None if t.shape is None else (n, *t.shape)) for t in ctx.attrs["types"]
    )


def _up_to_types(ctx: InferContext) -> tuple[TensorType, ...]:
    return tuple(
        TensorType(t.dtype, None if t.shape is None else (None, *t.shape))
        for t in ctx.attrs["types"]
    )


def _waiting(
    name: str, tf: str, args: tuple[str, ...], groups: tuple[Any, ...], infer: Any, numpy: Any
) -> OpDef:
    """An op that waits for other threads."""
    return OpDef(
        name=name,
        tf=tf,
        family="host",
        args=args,
        groups=groups,
        infer=infer,
        numpy=numpy,
        nograd="gradients stop at queues",
        stateful=True,
        effect=True,
        blocks=True,
        data_dependent=True,
    )


queue_enqueue = _waiting(
    "queue_enqueue", "QueueEnqueueV2", ("handle", "*components"), (string, "*"),
    lambda ctx: (), _enqueue,
)  # fmt: skip
queue_enqueue_many = _waiting(
    "queue_enqueue_many", "QueueEnqueueManyV2", ("handle", "*components"), (string, "*"),
    lambda ctx: (), _enqueue_many,
)  # fmt: skip
queue_dequeue = _waiting(
    "queue_dequeue", "QueueDequeueV2", ("handle",), (string,),
    lambda ctx: ctx.attrs["types"], _dequeue,
)  # fmt: skip
queue_dequeue_many = _waiting(
    "queue_dequeue_many", "QueueDequeueManyV2", ("handle", "n"), (string, int32),
    _stacked_types, _dequeue_many,
)  # fmt: skip
queue_dequeue_up_to = _waiting(
    "queue_dequeue_up_to", "QueueDequeueUpToV2", ("handle", "n"), (string, int32),
    _up_to_types, _dequeue_up_to,
)  # fmt: skip
queue_close = _waiting(
    "queue_close", "QueueCloseV2", ("handle",), (string,), lambda ctx: (), _close
)


def _asking(name: str, tf: str, dtype: DType, ask: Any) -> OpDef:
    return OpDef(
        name=name,
        tf=tf,
        family="host",
        args=("handle",),
        groups=(string,),
        infer=lambda ctx: TensorType(dtype, ()),
        numpy=lambda handle: np.asarray(ask(resource_of(handle, "queue")), dtype.np),
        nograd="gradients stop at queues",
        stateful=True,
        effect=True,
    )


queue_size = _asking("queue_size", "QueueSizeV2", int32, lambda queue: queue.size())
queue_is_closed = _asking("queue_is_closed", "QueueIsClosedV2", bool_, lambda queue: queue.closed)
