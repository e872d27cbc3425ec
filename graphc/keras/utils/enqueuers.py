"""Batches made ahead by threads: OrderedEnqueuer, GeneratorEnqueuer. Imports data_utils."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from graphc.keras.utils.data_utils import Sequence

__all__ = ["GeneratorEnqueuer", "OrderedEnqueuer", "SequenceEnqueuer"]

# what a queue holds behind the last batch
_END = object()


class SequenceEnqueuer:
    """Base of what makes batches ahead.

    Args:
        sequence: where batches come from. use_multiprocessing: accepted; threads do the work, since
            kernels and NumPy run without Python's lock.
    """

    def __init__(self, sequence: Any, use_multiprocessing: bool = False) -> None:
        self.sequence, self.use_multiprocessing = sequence, use_multiprocessing
        self.queue: Any = None
        self.stop_signal: threading.Event | None = None
        self.run_thread: threading.Thread | None = None
        self.workers = 0

    def is_running(self) -> bool:
        return self.stop_signal is not None and not self.stop_signal.is_set()

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Begins to fill a queue of this size."""
        self.workers, self.queue = max(workers, 1), queue.Queue(max(max_queue_size, 1))
        self.stop_signal = threading.Event()
        self.run_thread = threading.Thread(target=self._run, daemon=True)
        self.run_thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Ends the threads; what is in the queue is dropped."""
        if self.stop_signal is None or self.run_thread is None:
            return
        self.stop_signal.set()
        self.run_thread.join(timeout)

    def get(self) -> Iterator[Any]:
        """The batches, one after the other; an error of a worker is raised here."""
        while self.is_running():
            found = self.queue.get()
            if found is _END:
                return
            try:
                yield found.result()
            except BaseException:
                self.stop()
                raise

    def _put(self, value: Any) -> bool:
        """Whether there was room before the end."""
        while self.is_running():
            try:
                self.queue.put(value, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def _run(self) -> None:
        raise NotImplementedError


class OrderedEnqueuer(SequenceEnqueuer):
    """Batches of a Sequence in order, epoch after epoch.

    Args:
        shuffle: another order of the batches in each epoch.
    """

    def __init__(
        self, sequence: Sequence, use_multiprocessing: bool = False, shuffle: bool = False
    ) -> None:
        super().__init__(sequence, use_multiprocessing)
        self.shuffle = shuffle

    def _run(self) -> None:
        with ThreadPoolExecutor(self.workers) as pool:
            while self.is_running():
                order = list(range(len(self.sequence)))
                if self.shuffle:
                    random.shuffle(order)
                made: list[Future[Any]] = []
                for k in order:
                    future = pool.submit(self.sequence.__getitem__, k)
                    made.append(future)
                    if not self._put(future):
                        return
                for future in made:  # the epoch ends when its last batch is there
                    future.exception()
                self.sequence.on_epoch_end()


class GeneratorEnqueuer(SequenceEnqueuer):
    """Batches of a generator, in its order, until it ends."""

    def __init__(
        self, generator: Any, use_multiprocessing: bool = False, wait_time: float | None = None,
        random_seed: int | None = None,
    ) -> None:
        super().__init__(generator, use_multiprocessing)

    def _run(self) -> None:
        batches = iter(self.sequence)
        while self.is_running():
            done: Future[Any] = Future()
            try:
                done.set_result(next(batches))
            except StopIteration:
                self._put(_END)
                return
            except Exception as err:  # raised again by get
                done.set_exception(err)
                self._put(done)
                return
            self._put(done)
