"""Where batches come from: arrays, generators, Sequences, datasets of tf.data, tensors.

Lives here: Batches and its kinds. Not here: loops (engine/loops.py). Imports NumPy.
"""

from __future__ import annotations

import collections
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.errors import OutOfRangeError
from graphc.ir.node import Tensor
from graphc.keras.core.session import get_session, initialize
from graphc.keras.engine.data import batch_slices, length_of, take

__all__ = [
    "ArrayBatches", "Batches", "StreamBatches", "first_of", "is_dataset", "is_stream",
    "split_item", "stream_of",
]  # fmt: skip

Prepare = Callable[[Any, Any, Any], tuple[list[Any], list[Any], list[Any]]]


class Batches:
    """Epochs of (number of samples, arrays in the order of the step's feeds).

    Attributes:
        samples: how many an epoch has, 0 where that is not known. steps: batches an epoch, where
            these are what is counted. weighted: whether there are sample weights.
        ran_out: whether the source ended before it should. batch_size: of arrays.
    """

    samples = 0
    batch_size: int | None = None
    steps: int | None = None
    weighted = False
    ran_out = False

    def epoch(self) -> Iterator[tuple[int, list[Any]]]:
        raise NotImplementedError


class ArrayBatches(Batches):
    """Batches of arrays.

    Args:
        arrays: in the order of feeds. batch_size: None: 32, or so that `steps` batches are all.
        shuffle: True, False or "batch" (whole batches change places). steps: batches an epoch,
            in as many passes over the samples as are needed; None: one pass. empty: whether there
            may be no samples: one batch without any.

    Raises:
        ValueError: batch_size is not a positive number; there are no samples.
    """

    def __init__(
        self, arrays: list[Any], batch_size: Any, shuffle: Any = False, weighted: bool = False,
        steps: int | None = None, empty: bool = False,
    ) -> None:
        self.arrays, self.shuffle = arrays, shuffle
        self.weighted, self.steps = weighted, steps
        size = length_of(arrays)
        self.batch_size = _batch_size(batch_size, size, steps)
        self.samples = size if steps is None else 0
        self._batches = batch_slices(size, self.batch_size) or [(0, 0)]
        # nothing is fed: the graph reads its own batches, which count alike
        self._fed = any(a is not None for a in arrays)
        if self._fed and not size and not empty:
            raise ValueError("Expect x to be a non-empty array or dataset.")

    def epoch(self) -> Iterator[tuple[int, list[Any]]]:
        if self.steps is None:
            yield from self._pass()
            return
        left = self.steps
        while left > 0:
            for item in self._pass() if self._fed else [(1, self.arrays)]:
                yield item
                left -= 1
                if left <= 0:
                    return

    def _pass(self) -> Iterator[tuple[int, list[Any]]]:
        if self.shuffle == "batch":
            # NumPy's global state: scripts seed it
            for k in np.random.permutation(len(self._batches)):  # noqa: NPY002
                low, high = self._batches[k]
                yield high - low, take(self.arrays, slice(low, high))
            return
        if not self.shuffle:
            for low, high in self._batches:
                yield high - low, take(self.arrays, slice(low, high))
            return
        order = np.arange(length_of(self.arrays))
        np.random.shuffle(order)  # noqa: NPY002
        for low, high in self._batches:
            yield high - low, take(self.arrays, order[low:high])


def _batch_size(given: Any, samples: int, steps: int | None) -> int:
    """Raises ValueError: not a positive whole number."""
    if given is None:
        return 32 if not steps else max(1, math.ceil(samples / steps))
    whole = isinstance(given, int | np.integer) or (
        isinstance(given, float) and given.is_integer()
    )
    if not whole or given < 1:
        raise ValueError(f"batch_size must be a positive whole number, got {given!r}")
    return int(given)


class StreamBatches(Batches):
    """Batches that a generator, a Sequence or a dataset gives.

    Args:
        source: see stream_of. steps: batches an epoch; None: until the source ends.
        prepare: from (x, y, weights) to the lists of arrays that are fed.
        afresh: each epoch begins with the first item, where that is possible; without, an epoch
            of `steps` goes on where the one before ended.
    """

    def __init__(
        self, source: Stream, steps: int | None, prepare: Prepare, targets: bool = True,
        afresh: bool = False,
    ) -> None:
        self.source, self.prepare, self.targets = source, prepare, targets
        self._limit = steps  # what the user asks for
        self.steps = steps if steps is not None else source.length()
        self.afresh = source.restarts and (afresh or steps is None)
        self._iterator: Iterator[Any] | None = None
        self._first: Any = None
        self._given = 0  # items of this pass

    def peek(self) -> Any:
        """The first item, which the first epoch gives again.

        Raises:
            ValueError: there is none.
        """
        if self._first is None:
            self._begin()
            assert self._iterator is not None
            try:
                self._first = (next(self._iterator),)
            except StopIteration:
                raise ValueError("The generator or dataset gives no batches.") from None
        return self._first[0]

    def _begin(self) -> None:
        self._iterator, self._given = self.source.start(), 0

    def _next(self) -> tuple[Any] | None:
        """The next item in a tuple, or None at the end of a pass."""
        if self._first is not None:
            item, self._first = self._first, None
        else:
            assert self._iterator is not None
            try:
                # never `yield from`: it would close the user's generator with this epoch
                item = (next(self._iterator),)
            except StopIteration:
                return None
        self._given += 1
        return item

    def epoch(self) -> Iterator[tuple[int, list[Any]]]:
        """Raises ValueError: an item of another length than 1 to 3."""
        if self._iterator is None or (self.afresh and self._first is None):
            self._begin()
        count = 0
        limit = self._limit if self._limit is not None else self.source.length()
        while limit is None or count < limit:
            item = self._next()
            if item is None and self.source.cycles and self._given and limit is not None:
                self._begin()
                item = self._next()
            if item is None:
                self._ended(count, limit)
                return
            count += 1
            yield self._fed(item[0])
            if self._given == self.source.length():
                self.source.end_pass()
                self._iterator = None
                if limit is None or count < limit:
                    self._begin()

    def _fed(self, item: Any) -> tuple[int, list[Any]]:
        x, y, weights = split_item(item) if self.targets else (first_of(item), None, None)
        inputs, targets, given = self.prepare(x, y, weights)
        if self.targets and bool(given) != self.weighted:
            raise ValueError(
                "Either all batches of a generator have sample weights, or none: some are "
                "(x, y), others (x, y, sample_weight)"
            )
        return length_of(inputs) or 1, [*inputs, *targets, *given]

    def _ended(self, count: int, limit: int | None) -> None:
        self._iterator = None
        if limit is None:
            self.steps = count  # what the next epochs have, too
            return
        import warnings

        self.ran_out = True
        warnings.warn(
            "Your dataset iterator ran out of data; interrupting training. Make sure that your "
            f"dataset or generator can give at least `steps_per_epoch * epochs` batches: this "
            f"epoch had {count} of {limit}. You may need to use the repeat() function when "
            "building your dataset.",
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
    """An iterable of items.

    Args:
        start: gives an iterator. length: the number of items of a pass, if known.
        restarts: whether `start` begins anew. cycles: whether an epoch may go over several passes.
        on_end: told of the end of a pass.
    """

    def __init__(
        self, start: Callable[[], Iterator[Any]], length: Callable[[], int | None] | None = None,
        restarts: bool = False, cycles: bool = False, on_end: Callable[[], None] | None = None,
    ) -> None:
        self.start, self.restarts, self.cycles = start, restarts, cycles
        self._length, self._on_end = length, on_end

    def length(self) -> int | None:
        """What it has now: a Sequence may change it between passes."""
        return None if self._length is None else self._length()

    def end_pass(self) -> None:
        if self._on_end is not None:
            self._on_end()


def is_dataset(x: Any) -> bool:
    return hasattr(x, "make_one_shot_iterator") or hasattr(x, "get_next")


def is_stream(x: Any) -> bool:
    """Whether x gives batches by itself: a generator, a Sequence or a dataset."""
    if isinstance(x, np.ndarray | list | tuple | dict | Tensor | str) or x is None:
        return False
    return is_dataset(x) or inspect.isgenerator(x) or hasattr(x, "__next__") or is_sequence(x)


def is_sequence(x: Any) -> bool:
    """Whether x is a Sequence: items by number, a length, no array."""
    return (
        hasattr(x, "__getitem__") and hasattr(x, "__len__") and not hasattr(x, "shape")
        and not hasattr(x, "iloc") and (hasattr(x, "on_epoch_end") or not hasattr(x, "dtype"))
    )  # fmt: skip


def stream_of(
    x: Any, role: str, workers: int = 1, max_queue_size: int = 10, shuffle: bool = False
) -> Stream:
    """The items of a generator, a Sequence, a dataset, or a tuple of tensors.

    Args:
        role: "train", "test" or "predict": a dataset has an iterator for each.
    """
    if isinstance(x, tuple) or is_dataset(x):
        return _graph_stream(x, role)
    if is_sequence(x):
        return _sequence_stream(x, workers, max_queue_size, shuffle)
    return Stream(lambda: x)


def _sequence_stream(x: Any, workers: int, queue: int, shuffle: bool) -> Stream:
    def items() -> Iterator[Any]:
        order = np.random.permutation(len(x)) if shuffle else range(len(x))  # noqa: NPY002
        if workers < 1:
            for k in order:
                yield x[int(k)]
            return
        yield from _ahead(x, [int(k) for k in order], workers, queue)

    ended = getattr(x, "on_epoch_end", None)
    return Stream(items, lambda: len(x), True, True, ended)


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


def _graph_stream(x: Any, role: str) -> Stream:
    """Items that a run of the graph gives."""
    session = get_session()
    if isinstance(x, tuple):
        return Stream(lambda: _runs(session, x, None))
    if not hasattr(x, "make_one_shot_iterator"):
        return Stream(lambda: _runs(session, _next_of(session.graph, x, role)[1], None))

    def start() -> Iterator[Any]:
        first, following = _next_of(session.graph, x, role)
        return _runs(session, following, first)

    return Stream(start, restarts=True)


def _next_of(graph: Any, x: Any, role: str) -> tuple[Any, Any]:
    """(initializer or None, elements) of a dataset or an iterator in a graph.

    They are made once, so that fits in a row run the same plans.
    """
    table = graph.__dict__.setdefault("_keras_iterators", {})
    # the entry keeps x, so that its number stays its own
    found = table.get((id(x), role))
    if found is None:
        with graph.as_default():
            restarts = hasattr(x, "make_one_shot_iterator")
            iterator = x.make_initializable_iterator() if restarts else x
            first = iterator.initializer if restarts else None
            found = table[(id(x), role)] = x, first, iterator.get_next()
    return found[1], found[2]


def _runs(session: Any, fetches: Any, first: Any) -> Iterator[Any]:
    if first is not None:
        session.run(first)
    initialize(session)
    call = session.make_callable(fetches)
    while True:
        try:
            yield call()
        except OutOfRangeError:
            return
