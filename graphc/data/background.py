"""Elements that other threads make: prefetching, and functions called in parallel.

Lives here: in_background, parallel_map. Not here: what makes the elements. Order never changes;
an exception reaches whoever asks for the element. Threads end with the iterator that started them
and before the interpreter does.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()
_alive: weakref.WeakSet[_Queue] = weakref.WeakSet()


class _Failure:
    """An exception on its way to the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Queue:
    """A bounded queue between one producer's thread and one consumer."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.items: deque[Any] = deque()
        self.condition = threading.Condition()
        self.closed = False
        self.thread: threading.Thread | None = None

    def put(self, item: Any) -> bool:
        """Waits for room; False where nobody will take the item any more."""
        with self.condition:
            while len(self.items) >= self.size and not self.closed:
                self.condition.wait()
            if self.closed:
                return False
            self.items.append(item)
            self.condition.notify_all()
        return True

    def get(self) -> Any:
        with self.condition:
            while not self.items and not self.closed:
                self.condition.wait()
            if not self.items:
                return _END
            item = self.items.popleft()
            self.condition.notify_all()
        return item

    def close(self) -> None:
        with self.condition:
            self.closed = True
            self.items.clear()
            self.condition.notify_all()


def _produce(queue: _Queue, start: Callable[[], Iterator[Any]]) -> None:
    try:
        items = start()
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            except Exception as err:  # carried over; the element after it may be good
                item = _Failure(err)
            if not queue.put(item):
                return
    except BaseException as err:
        queue.put(_Failure(err))
    finally:
        queue.put(_END)


class in_background(Iterator[T]):
    """The items of start(), up to `size` of them made ahead by a thread."""

    def __init__(self, start: Callable[[], Iterator[T]], size: int) -> None:
        self._start = start
        self._queue = _Queue(size)
        self._done = False

    def __next__(self) -> T:
        queue = self._queue
        if queue.thread is None:
            queue.thread = threading.Thread(
                target=_produce, args=(queue, self._start), name="graphc-prefetch", daemon=True
            )
            _alive.add(queue)
            queue.thread.start()
        item: Any = _END if self._done else queue.get()
        if item is _END:
            self._done = True
            raise StopIteration
        if isinstance(item, _Failure):
            raise item.error
        made: T = item
        return made

    def close(self) -> None:
        """Ends the thread."""
        self._queue.close()

    def __del__(self) -> None:
        self._queue.close()


def parallel_map(
    call: Callable[[Any], T], items: Iterator[Any], count: int
) -> Iterator[T]:
    """call(item) for each item, in order; up to `count` calls run at the same time."""
    from concurrent.futures import Future, ThreadPoolExecutor

    pool = ThreadPoolExecutor(count, thread_name_prefix="graphc-map")
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(call, item))
            if len(waiting) >= count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _stop_all() -> None:
    """Compiled code must not run while the interpreter is taken down."""
    for queue in list(_alive):
        queue.close()
        if queue.thread is not None and queue.thread is not threading.current_thread():
            queue.thread.join(5.0)


# like concurrent.futures: atexit comes after the wait for threads that are no daemons
threading._register_atexit(_stop_all)  # type: ignore[attr-defined]
