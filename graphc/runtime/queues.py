"""Queues between threads, as a session keeps them: FIFO, padded, shuffled, by priority.

Lives here: what the ops of queues work on; the end of the interpreter wakes who waits. Not here:
the ops (ops/queues.py), the user's classes (tf1/queues.py). Imports errors, ir.dtypes, NumPy.

Who puts or takes waits in line: only the first of each line goes on, so that elements keep their
order and one large request is not starved by small ones.
"""

from __future__ import annotations

import atexit
import contextlib
import heapq
import random
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.errors import (
    CancelledError,
    DeadlineExceededError,
    InvalidArgumentError,
    OutOfRangeError,
)
from graphc.ir.dtypes import DType
from graphc.ir.shape import bracket_text

Array = np.ndarray[Any, Any]
Element = tuple[Any, ...]  # an array, or a scalar, for each component
Dims = tuple[int | None, ...] | None


class _Limits(threading.local):
    seconds: float | None = None


_limits = _Limits()


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """What this thread waits for inside may take so long, or DeadlineExceededError is raised."""
    before, _limits.seconds = _limits.seconds, seconds
    try:
        yield
    finally:
        _limits.seconds = before


class _Ticket:
    """A place in a line."""

    def __init__(self, lock: threading.Lock) -> None:
        self.wake = threading.Condition(lock)
        self.cancelled = False


class Queue:
    """First in, first out; its subclasses give elements back in another order.

    Attributes:
        kind: TF's name. name: in messages. types: of the components. shapes: of the components of
            an element; None where nothing is said of them, and dequeue_many is refused.
        capacity: how many elements it holds at most (asked, not positive: any number).
    """

    kind = "FIFOQueue"
    padded = False
    rows_own_memory = False  # whether each row of a batch is kept, or dropped, for itself

    def __init__(
        self, name: str, types: Sequence[DType], shapes: Sequence[Dims] | None, capacity: int
    ) -> None:
        self.name = name
        self.types = tuple(types)
        self.shapes = None if shapes is None else tuple(shapes)
        self.asked = capacity
        self.capacity = capacity if capacity > 0 else 2**31 - 1
        self.closed = False
        self.cancelled = False  # the session is closed, or the interpreter ends
        self.patience: float | None = None  # seconds that a wait may take
        self._lock = threading.Lock()
        self._putters: deque[_Ticket] = deque()
        self._getters: deque[_Ticket] = deque()
        self._clear()
        _alive.add(self)

    # ------------------------------------------------------------ elements: for subclasses
    def _clear(self) -> None:
        self._items: Any = deque()

    def _push(self, element: Element) -> None:
        self._items.append(element)

    def _pop(self) -> Element:
        element: Element = self._items.popleft()
        return element

    def _restore(self, elements: list[Element]) -> None:
        """Takes back what was taken last, in that order."""
        self._items.extendleft(reversed(elements))

    def _available(self) -> int:
        """How many elements may be taken now."""
        return len(self._items)

    # ------------------------------------------------------------ putting
    def put(self, components: Sequence[Array]) -> None:
        """Adds one element; waits for room.

        Raises:
            CancelledError: the queue is closed, or is while this waits and cancels.
            InvalidArgumentError: shapes that do not fit.
        """
        self._check(components, ())
        # the components lie in memory of a run
        self._put_all([tuple([np.array(c) for c in components])])

    def put_many(self, components: Sequence[Array]) -> None:
        """Adds the rows of the components, one after the other; waits for room for each.

        Args and Raises: as `put`; also InvalidArgumentError where the numbers of rows differ.
        """
        if any(c.ndim == 0 for c in components):
            raise InvalidArgumentError(
                f"{self.kind}'s EnqueueMany requires components with at least one dimension"
            )
        count = len(components[0])
        self._check(components, (count,))
        for k, component in enumerate(components):
            if len(component) != count:
                raise InvalidArgumentError(
                    "All input tensors must have the same size in the 0th dimension. Component "
                    f"{k} has {len(component)}, and should have {count}"
                )
        copies = [np.array(c) for c in components]
        if self.rows_own_memory:
            rows = [tuple([np.array(c[i]) for c in copies]) for i in range(count)]
        else:
            rows = list(zip(*copies, strict=True))
        self._put_all(rows)

    def _check(self, components: Sequence[Array], rows: tuple[int, ...]) -> None:
        for k, dims in enumerate(self.shapes or ()):
            if dims is None:
                continue
            want, got = (*rows, *dims), components[k].shape
            if len(want) != len(got) or any(
                w is not None and w != g for w, g in zip(want, got, strict=True)
            ):
                raise InvalidArgumentError(
                    f"Shape mismatch in tuple component {k}. Expected {bracket_text(want)}, got "
                    f"{bracket_text(got)}"
                )

    def _put_all(self, elements: Sequence[Element]) -> None:
        deadline = self._deadline()
        with self._in_line(self._putters) as ticket:
            for element in elements:
                while not (self._putters[0] is ticket and len(self._items) < self.capacity):
                    self._refuse_put(ticket)
                    self._wait(ticket, deadline)
                self._refuse_put(ticket)
                self._push(element)
                self._wake(self._getters)

    def _refuse_put(self, ticket: _Ticket) -> None:
        if ticket.cancelled or self.cancelled:
            raise CancelledError("Enqueue operation was cancelled")
        if self.closed:
            raise CancelledError(f"{self.kind} '{self.name}' is closed.")

    # ------------------------------------------------------------ taking
    def get(self) -> Element:
        """The next element, in arrays of its own; waits for one.

        Raises:
            OutOfRangeError: the queue is closed and empty. CancelledError: the session closes.
        """
        deadline = self._deadline()
        with self._in_line(self._getters) as ticket:
            while not (self._getters[0] is ticket and self._available() > 0):
                self._refuse_get(ticket, 1)
                self._wait(ticket, deadline)
            element = self._pop()
            self._wake(self._putters)
        return tuple([np.asarray(v, t.np) for t, v in zip(self.types, element, strict=True)])

    def get_many(self, count: int, up_to: bool = False) -> tuple[Array, ...]:
        """The next `count` elements, stacked; a closed queue gives fewer with `up_to`.

        Raises:
            as `get`; InvalidArgumentError: the count is negative, or shapes are not known.
        """
        if count < 0:
            raise InvalidArgumentError(f"DequeueManyOp requested {count} < 0 elements")
        if self.shapes is None or any(s is None for s in self.shapes):
            raise InvalidArgumentError(
                f"{self.kind}'s DequeueMany and DequeueUpTo require the components to have "
                "specified shapes."
            )
        return self._stacked(self._take(count, up_to) if count else [])

    def _take(self, count: int, up_to: bool) -> list[Element]:
        taken: list[Element] = []
        deadline = self._deadline()
        with self._in_line(self._getters) as ticket:
            try:
                while len(taken) < count:
                    first = self._getters[0] is ticket
                    short = self._short(count - len(taken), up_to)
                    if first and self._available() > 0 and not short:
                        taken.append(self._pop())
                        self._wake(self._putters)
                        continue
                    if self.closed and up_to and taken and not self._items:
                        break
                    self._refuse_get(ticket, count - len(taken))
                    self._wait(ticket, deadline)
            except BaseException:
                self._restore(taken)
                raise
        return taken

    def _short(self, count: int, up_to: bool) -> bool:
        """Whether there will never be `count` elements more."""
        return self.closed and not up_to and len(self._items) < count

    def _refuse_get(self, ticket: _Ticket, count: int) -> None:
        if self.cancelled:
            raise CancelledError("Dequeue operation was cancelled")
        if self.closed and self._getters[0] is ticket:
            raise OutOfRangeError(
                f"{self.kind} '{self.name}' is closed and has insufficient elements (requested "
                f"{count}, current size {len(self._items)})"
            )

    def _stacked(self, elements: list[Element]) -> tuple[Array, ...]:
        assert self.shapes is not None
        out = []
        for k, (dtype, dims) in enumerate(zip(self.types, self.shapes, strict=True)):
            rows = [e[k] for e in elements]
            assert dims is not None
            if self.padded and any(d is None for d in dims):
                sizes = zip(*(np.shape(r) for r in rows), strict=True)
                padded = tuple(map(max, sizes)) if rows else tuple(d or 0 for d in dims)
                out.append(_padded(padded, dtype, rows))
            else:
                out.append(_filled(tuple(d or 0 for d in dims), dtype, rows))
        return tuple(out)

    # ------------------------------------------------------------ closing
    def close(self, cancel_pending_enqueues: bool = False) -> None:
        """Nothing can be put any more; what is there can still be taken.

        Args:
            cancel_pending_enqueues: who waits to put is cancelled; else this waits for them.

        Raises:
            CancelledError: the queue is closed already (without cancelling).
        """
        if cancel_pending_enqueues:
            with self._lock:
                self.closed = True
                for ticket in self._putters:
                    ticket.cancelled = True
                self._wake_all()
            return
        deadline = self._deadline()
        with self._in_line(self._putters) as ticket:
            while self._putters[0] is not ticket:
                if self.cancelled or ticket.cancelled:
                    raise CancelledError("Close operation was cancelled")
                self._wait(ticket, deadline)
            if self.closed:
                raise CancelledError(f"Queue '{self.name}' is already closed.")
            self.closed = True
            self._wake_all()

    def cancel(self) -> None:
        """Ends all waiting, now and later: the session is closed."""
        with self._lock:
            self.cancelled = True
            self._wake_all()

    def size(self) -> int:
        """How many elements there are."""
        return len(self._items)

    # ------------------------------------------------------------ lines
    def _deadline(self) -> float | None:
        """When who comes now gives up waiting; None for never."""
        limit = _limits.seconds if _limits.seconds is not None else self.patience
        return None if limit is None else time.monotonic() + limit

    @staticmethod
    def _wait(ticket: _Ticket, deadline: float | None) -> None:
        if deadline is None:
            ticket.wake.wait()
        elif not ticket.wake.wait(max(deadline - time.monotonic(), 0)):
            raise DeadlineExceededError("Timed out waiting for notification")

    @contextlib.contextmanager
    def _in_line(self, line: deque[_Ticket]) -> Iterator[_Ticket]:
        """A place in the line, with the lock held; the next one is woken when it is left."""
        with self._lock:
            ticket = _Ticket(self._lock)
            line.append(ticket)
            try:
                yield ticket
            finally:
                line.remove(ticket)
                self._wake(line)

    @staticmethod
    def _wake(line: deque[_Ticket]) -> None:
        if line:
            line[0].wake.notify()

    def _wake_all(self) -> None:
        for ticket in (*self._putters, *self._getters):
            ticket.wake.notify()


class PaddingQueue(Queue):
    """First in, first out; elements of different extents are padded when they are stacked."""

    kind = "PaddingFIFOQueue"
    padded = True


class RandomShuffleQueue(Queue):
    """Gives elements in random order, and keeps `min_after_dequeue` of them while it is open."""

    kind = "RandomShuffleQueue"
    # a row that stays long must not keep the memory of its whole batch
    rows_own_memory = True

    def __init__(
        self,
        name: str,
        types: Sequence[DType],
        shapes: Sequence[Dims] | None,
        capacity: int,
        min_after_dequeue: int,
        seeds: tuple[int, int],
    ) -> None:
        super().__init__(name, types, shapes, capacity)
        if min_after_dequeue < 0:
            raise InvalidArgumentError(f"min_after_dequeue {min_after_dequeue} must be >= 0")
        if min_after_dequeue >= self.capacity:
            raise InvalidArgumentError(
                f"min_after_dequeue {min_after_dequeue} must be < capacity {capacity}"
            )
        self.min_after_dequeue = min_after_dequeue
        self._random = random.Random(f"{seeds[0]},{seeds[1]}" if any(seeds) else None)

    def _clear(self) -> None:
        self._items = []

    def _pop(self) -> Element:
        items: list[Element] = self._items
        at = self._random.randrange(len(items))
        items[at], items[-1] = items[-1], items[at]
        return items.pop()

    def _restore(self, elements: list[Element]) -> None:
        self._items.extend(elements)

    def _available(self) -> int:
        return len(self._items) - (0 if self.closed else self.min_after_dequeue)


class PriorityQueue(Queue):
    """Gives the element whose first component is smallest; equal ones in the order they came."""

    kind = "PriorityQueue"
    rows_own_memory = True

    def _clear(self) -> None:
        self._items = []
        self._count = 0

    def _push(self, element: Element) -> None:
        heapq.heappush(self._items, (int(element[0]), self._count, element))
        self._count += 1

    def _pop(self) -> Element:
        element: Element = heapq.heappop(self._items)[2]
        return element

    def _restore(self, elements: list[Element]) -> None:
        for k, element in enumerate(elements):
            heapq.heappush(self._items, (int(element[0]), k - len(elements), element))


def _filled(dims: tuple[int, ...], dtype: DType, rows: list[Any]) -> Array:
    out: Array = np.empty((len(rows), *dims), dtype.np)
    for i, row in enumerate(rows):
        out[i] = row
    return out


def _padded(dims: tuple[int, ...], dtype: DType, rows: list[Any]) -> Array:
    out: Array = np.full((len(rows), *dims), b"" if dtype.kind == "s" else 0, dtype.np)
    for i, row in enumerate(rows):
        at: tuple[Any, ...] = (i, *(slice(n) for n in np.shape(row)))
        out[at] = row
    return out


# ------------------------------------------------------------------ the end of the interpreter
_alive: weakref.WeakSet[Queue] = weakref.WeakSet()
_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
_left = threading.Event()


def leaving() -> bool:
    """Whether the interpreter ends: whoever waits on a queue is cancelled."""
    return _left.is_set()


def ends_with_interpreter(thread: threading.Thread) -> None:
    """Waits for this thread, for a moment, before the interpreter is taken down."""
    _threads.add(thread)


@atexit.register
def _stop_all() -> None:
    """Threads that wait on queues run compiled code, which must not go on in a dying process."""
    _left.set()
    for queue in list(_alive):
        queue.cancel()
    for thread in list(_threads):
        if thread.is_alive() and thread is not threading.current_thread():
            thread.join(2.0)
