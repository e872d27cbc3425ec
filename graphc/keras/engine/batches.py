"""Where batches come from: arrays, generators, Sequences, datasets of tf.data, tensors.

Lives here: Batches and its kinds. Not here: loops (engine/loops.py). Imports NumPy.
"""

from __future__ import annotations

import collections
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.errors import OutOfRangeError
from graphc.ir.node import Tensor
from graphc.keras.core.session import get_session, initialize
from graphc.keras.engine.data import batch_slices, length_of, take

__all__ = ["ArrayBatches", "Batches", "StreamBatches", "is_stream", "stream_of"]

Prepare = Callable[[Any, Any, Any], tuple[list[Any], list[Any], list[Any]]]


class Batches:
    """Epochs of (number of samples, arrays in the order of the step's feeds).

    Attributes:
        samples: how many an epoch has, 0 where that is not known. steps: batches an epoch, where
            these are what is counted. weighted: whether there are sample weights.
        ran_out: whether the source ended before it should.
    """

    samples = 0
    steps: int | None = None
    weighted = False
    ran_out = False

    def epoch(self) -> Iterator[tuple[int, list[Any]]]:
        raise NotImplementedError


class ArrayBatches(Batches):
    """Batches of arrays.

    Args:
        arrays: in the order of feeds. shuffle: True, False or "batch" (whole batches change
            places). steps: an epoch is so many passes over all samples at once.
    """

    def __init__(
        self, arrays: list[Any], batch_size: int, shuffle: Any = False, weighted: bool = False,
        steps: int | None = None,
    ) -> None:
        self.arrays, self.batch_size, self.shuffle = arrays, batch_size, shuffle
        self.samples = length_of(arrays)
        self.weighted = weighted
        self.repeats = steps
        self.steps = steps
        if steps is not None:
            self.samples = 0

    def epoch(self) -> Iterator[tuple[int, list[Any]]]:
        size = length_of(self.arrays)
        if self.repeats is not None:
            for _ in range(self.repeats):
                # nothing is fed: the graph reads its own batches, which count alike
                yield size or 1, self.arrays
            return
        slices = batch_slices(size, self.batch_size)
        if self.shuffle == "batch":
            # NumPy's global state: scripts seed it
            for k in np.random.permutation(len(slices)):  # noqa: NPY002
                low, high = slices[k]
                yield high - low, take(self.arrays, slice(low, high))
            return
        if not self.shuffle:
            for low, high in slices:
                yield high - low, take(self.arrays, slice(low, high))
            return
        order = np.arange(size)
        np.random.shuffle(order)  # noqa: NPY002
        for low, high in slices:
            yield high - low, take(self.arrays, order[low:high])


class StreamBatches(Batches):
    """Batches that a generator, a Sequence or a dataset gives.

    Args:
        source: see stream_of. steps: batches an epoch; None: until the source ends.
        prepare: from (x, y, weights) to the lists of arrays that are fed.
    """

    def __init__(
        self, source: Stream, steps: int | None, prepare: Prepare, targets: bool = True
    ) -> None:
        self.source, self.prepare, self.targets = source, prepare, targets
        self.steps = steps if steps is not None else source.length
        self._iterator: Iterator[Any] | None = None
        self._first: Any = None

    def peek(self) -> Any:
        """The first item, which the first epoch gives again.

        Raises:
            ValueError: there is none.
        """
        if self._first is None:
            self._iterator = self.source.start()
            try:
                self._first = (next(self._iterator),)
            except StopIteration:
                raise ValueError("The generator or dataset gives no batches.") from None
        return self._first[0]

    def _items(self) -> Iterator[Any]:
        if self._iterator is None or (self._first is None and self.source.restarts):
            self._iterator = self.source.start()
        if self._first is not None:
            item, self._first = self._first[0], None
            yield item
        yield from self._iterator

    def epoch(self) -> Iterator[tuple[int, list[Any]]]:
        """Raises ValueError: an item of another length than 1 to 3."""
        count = 0
        if self.steps == 0:
            return
        for count, item in enumerate(self._items(), 1):
            x, y, weights = split_item(item) if self.targets else (first_of(item), None, None)
            inputs, targets, given = self.prepare(x, y, weights)
            size = length_of(inputs) or 1
            yield size, [*inputs, *targets, *given]
            if self.steps is not None and count == self.steps:
                break
        else:
            self._ended(count)
        self.source.end_epoch()

    def _ended(self, count: int) -> None:
        self._iterator = None
        if self.steps is None:
            self.steps = count  # what the next epochs have, too
            return
        if count < self.steps and not self.source.restarts:
            import warnings

            self.ran_out = True
            warnings.warn(
                "Your dataset iterator ran out of data; interrupting training. Make sure that your "
                f"dataset can generate at least {self.steps} batches an epoch.",
                stacklevel=2,
            )


def split_item(item: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample weights) of what a generator gives.

    Raises:
        ValueError: neither (x, y) nor (x, y, weights).
    """
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], item[1], None
    if isinstance(item, tuple | list) and len(item) == 3:
        return item[0], item[1], item[2]
    if isinstance(item, tuple | list) and len(item) == 1:
        return item[0], None, None
    if not isinstance(item, tuple | list):
        return item, None, None
    raise ValueError(
        "Output of generator should be a tuple `(x, y, sample_weight)` or `(x, y)`. Found: "
        f"{str(item)[:200]}"
    )


def first_of(item: Any) -> Any:
    """What predict takes of an item: (x, y) has targets, which are not used."""
    if isinstance(item, tuple) and len(item) in (1, 2, 3):
        return item[0]
    return item


# ------------------------------------------------------------------ sources
class Stream:
    """An iterable of items. `restarts`: each epoch begins anew. `length`: batches, if known."""

    def __init__(
        self, start: Callable[[], Iterator[Any]], length: int | None, restarts: bool,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.start, self.length, self.restarts = start, length, restarts
        self._on_end = on_end

    def end_epoch(self) -> None:
        if self._on_end is not None:
            self._on_end()


def is_dataset(x: Any) -> bool:
    return hasattr(x, "make_one_shot_iterator") or hasattr(x, "get_next")


def is_stream(x: Any) -> bool:
    """Whether x gives batches by itself: a generator, a Sequence or a dataset."""
    if isinstance(x, np.ndarray | list | tuple | dict | Tensor) or x is None:
        return False
    return is_dataset(x) or inspect.isgenerator(x) or hasattr(x, "__next__") or is_sequence(x)


def is_sequence(x: Any) -> bool:
    """Whether x is a Sequence: items by number, a length, no array."""
    return (
        hasattr(x, "__getitem__") and hasattr(x, "__len__") and not hasattr(x, "shape")
        and not hasattr(x, "iloc") and (hasattr(x, "on_epoch_end") or not hasattr(x, "dtype"))
    )  # fmt: skip


def stream_of(
    x: Any, workers: int = 1, max_queue_size: int = 10, shuffle: bool = False
) -> Stream:
    """The items of a generator, a Sequence, a dataset, or a tuple of tensors."""
    if isinstance(x, tuple) or is_dataset(x):
        return _graph_stream(x)
    if is_sequence(x):
        return _sequence_stream(x, workers, max_queue_size, shuffle)
    return Stream(lambda: x, None, False)


def _sequence_stream(x: Any, workers: int, queue: int, shuffle: bool) -> Stream:
    def items() -> Iterator[Any]:
        order = np.random.permutation(len(x)) if shuffle else range(len(x))  # noqa: NPY002
        if workers < 1:
            for k in order:
                yield x[int(k)]
            return
        yield from _ahead(x, [int(k) for k in order], workers, queue)

    return Stream(items, len(x), True, getattr(x, "on_epoch_end", None))


def _ahead(x: Any, order: list[int], workers: int, queue: int) -> Iterator[Any]:
    """Items in order, made by threads before they are asked for."""
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: collections.deque[Future[Any]] = collections.deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for k in order:
                waiting.append(pool.submit(x.__getitem__, k))
                if len(waiting) > max(1, queue):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _graph_stream(x: Any) -> Stream:
    """Items that a run of the graph gives."""
    restarts = not isinstance(x, tuple) and hasattr(x, "make_one_shot_iterator")
    made: dict[str, Any] = {}

    def start() -> Iterator[Any]:
        session = get_session()
        if "next" not in made:
            with session.graph.as_default():
                iterator = x
                if restarts:
                    iterator = x.make_initializable_iterator()
                    made["init"] = iterator.initializer
                made["next"] = iterator if isinstance(x, tuple) else iterator.get_next()
        if "init" in made:
            session.run(made["init"])
        initialize(session)
        call = session.make_callable(made["next"])
        while True:
            try:
                yield call()
            except OutOfRangeError:
                return

    return Stream(start, None, restarts)
