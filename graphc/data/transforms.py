"""Transformations that take elements one by one: map, filter, shuffle, repeat, zip, ...

Lives here: functions from sources to sources. Not here: batches (batching.py), datasets of
datasets (nesting.py), threads (background.py), the user's methods (dataset.py).
"""

from __future__ import annotations

import itertools
import os
import pickle
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.data.background import in_background, parallel_map
from graphc.data.function import Function, predicate, truth
from graphc.data.source import Element, Env, Scalar, Source, is_constant
from graphc.data.structure import flatten, joined, same_form
from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor, TensorType
from graphc.ops.convert import convert_to_tensor

SCALAR64 = TensorType(int64, ())


def scalar(value: Any, name: str) -> Scalar:
    """An int, or the int64 scalar tensor.

    Raises:
        TypeError, ValueError: neither.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    tensor = convert_to_tensor(value, name=name)
    if not tensor.dtype.is_integer:
        raise TypeError(f"{name} must be an integer, but is of type {tensor.dtype.name}")
    if tensor.rank not in (0, None):
        raise ValueError(f"{name} must be a scalar, but has the shape {tensor.shape}")
    return int(tensor.node.attrs["value"].array) if is_constant(tensor) else tensor


def tensors_in(*values: Scalar) -> tuple[Tensor, ...]:
    """Those of the values that only a run knows."""
    return tuple(v for v in values if isinstance(v, Tensor))


# ------------------------------------------------------------------ element by element
def mapped(
    parent: Source, fn: Callable[..., Any], num_parallel_calls: Any = None
) -> Source:
    """fn(element) for each element, in order.

    Functions that call Python or run on the host are run by threads where num_parallel_calls asks
    for it; compiled ones are faster without.
    """
    function = Function(fn, parent.spec, "Dataset.map()")
    if function.source is not None:
        raise TypeError(
            "Unsupported return value from function passed to Dataset.map(): a dataset; use "
            "Dataset.flat_map() or Dataset.interleave()."
        )
    if not function.outputs:
        raise ValueError("the function passed to Dataset.map() returns no tensors")
    calls = None if num_parallel_calls is None else scalar(num_parallel_calls, "calls")
    if isinstance(calls, int) and calls == 0:
        raise InvalidArgumentError("num_parallel_calls must be greater than zero.")

    def run(env: Env) -> Iterator[Element]:
        call = function.caller(env)
        elements = parent.run(env)
        if calls is None or not function.on_host:
            return map(call, elements)
        count = env.integer(calls)
        return parallel_map(call, elements, count if count > 0 else os.cpu_count() or 2)

    needed = function.captured + tensors_in(*([] if calls is None else [calls]))
    return Source(function.spec, run, (parent,), needed)


def filtered(parent: Source, fn: Callable[..., Any]) -> Source:
    """The elements for which the function is true."""
    function = predicate(fn, parent.spec)

    def run(env: Env) -> Iterator[Element]:
        call = function.caller(env)
        return filter(lambda element: truth(call(element)), parent.run(env))

    return Source(parent.spec, run, (parent,), function.captured)


def taken(parent: Source, count: Any) -> Source:
    """The first `count` elements; all with -1."""
    wanted = scalar(count, "count")

    def run(env: Env) -> Iterator[Element]:
        n = env.integer(wanted)
        return parent.run(env) if n < 0 else itertools.islice(parent.run(env), n)

    return Source(parent.spec, run, (parent,), tensors_in(wanted))


def skipped(parent: Source, count: Any) -> Source:
    """All but the first `count` elements; none with -1."""
    wanted = scalar(count, "count")

    def run(env: Env) -> Iterator[Element]:
        n = env.integer(wanted)
        return iter(()) if n < 0 else itertools.islice(parent.run(env), n, None)

    return Source(parent.spec, run, (parent,), tensors_in(wanted))


def sharded(parent: Source, num_shards: Any, index: Any) -> Source:
    """Every num_shards-th element, from number `index` on."""
    shards, first = scalar(num_shards, "num_shards"), scalar(index, "index")

    def run(env: Env) -> Iterator[Element]:
        n, at = env.integer(shards), env.integer(first)
        if n < 1:
            raise InvalidArgumentError(
                f"Number of shards must be greater than zero (currently num_shards = {n})."
            )
        if not 0 <= at < n:
            raise InvalidArgumentError(
                f"Index must be between 0 and {n - 1} (currently index = {at})."
            )
        return itertools.islice(parent.run(env), at, None, n)

    source = Source(parent.spec, run, (parent,), tensors_in(shards, first))
    if not source.tensors:
        _check_shard(shards, first)
    return source


def _check_shard(shards: Scalar, index: Scalar) -> None:
    assert isinstance(shards, int) and isinstance(index, int)
    if shards < 1:
        raise ValueError(f"num_shards must be >= 1; got {shards}")
    if not 0 <= index < shards:
        raise ValueError(f"index must be in [0, {shards}); got {index}")


def enumerated(parent: Source, start: Any) -> Source:
    """(number, element), counting from `start`."""
    first = scalar(start, "start")

    def run(env: Env) -> Iterator[Element]:
        numbers = itertools.count(env.integer(first))
        for number, element in zip(numbers, parent.run(env), strict=False):
            yield (np.array(number, np.int64), *element)

    return Source((SCALAR64, parent.spec), run, (parent,), tensors_in(first))


# ------------------------------------------------------------------ several times, in other order
def repeated(parent: Source, count: Any) -> Source:
    """The elements `count` times; without end for None or -1."""
    wanted = scalar(-1 if count is None else count, "count")

    def run(env: Env) -> Iterator[Element]:
        left = env.integer(wanted)
        while left != 0:
            some = False
            for element in parent.run(env):
                some = True
                yield element
            if not some and left < 0:
                return  # nothing, repeated without end, is nothing
            left -= left > 0

    return Source(parent.spec, run, (parent,), tensors_in(wanted))


def shuffled(
    parent: Source, buffer_size: Any, seeds: tuple[int, int], reshuffle: bool
) -> Source:
    """Draws each element from a buffer of the next ones. Each pass has another order."""
    size = scalar(buffer_size, "buffer_size")
    key = object()

    def run(env: Env) -> Iterator[Element]:
        n = env.integer(size)
        if n < 1:
            raise InvalidArgumentError("buffer_size must be greater than zero.")
        epoch = env.count(key) if reshuffle else 0
        first, second = env.seed(key, seeds)
        return _shuffle(parent.run(env), n, random.Random(f"{first},{second},{epoch}"))

    return Source(parent.spec, run, (parent,), tensors_in(size))


def _shuffle(elements: Iterator[Element], size: int, rng: random.Random) -> Iterator[Element]:
    buffer = list(itertools.islice(elements, size))
    draw = rng.random
    for element in elements:
        k = int(draw() * size)
        chosen, buffer[k] = buffer[k], element
        yield chosen
    rng.shuffle(buffer)
    yield from buffer


def concatenated(first: Source, second: Source) -> Source:
    """The elements of the first, then those of the second.

    Raises:
        TypeError: their types differ.
    """
    kinds = [[t.dtype for t in flatten(s.spec)] for s in (first, second)]
    if not same_form(first.spec, second.spec) or kinds[0] != kinds[1]:
        raise TypeError(f"Incompatible dataset elements:\n  {first.spec} vs.   {second.spec}")

    def run(env: Env) -> Iterator[Element]:
        return itertools.chain(first.run(env), _later(lambda: second.run(env)))

    return Source(joined(first.spec, second.spec), run, (first, second))


def _later(start: Callable[[], Iterator[Element]]) -> Iterator[Element]:
    yield from start()


def zipped(spec: Any, parents: Sequence[Source]) -> Source:
    """Elements that hold one element of each parent; ends with the shortest."""

    def run(env: Env) -> Iterator[Element]:
        for parts in zip(*[p.run(env) for p in parents], strict=False):
            yield tuple(itertools.chain.from_iterable(parts))

    return Source(spec, run, tuple(parents))


# ------------------------------------------------------------------ kept and fetched ahead
def prefetched(parent: Source, buffer_size: Any) -> Source:
    """A thread keeps up to buffer_size elements ready; AUTOTUNE (-1) and None mean two."""
    size = scalar(-1 if buffer_size is None else buffer_size, "buffer_size")

    def run(env: Env) -> Iterator[Element]:
        n = env.integer(size)
        if n == 0:
            return parent.run(env)
        return in_background(lambda: parent.run(env), n if n > 0 else 2)

    return Source(parent.spec, run, (parent,), tensors_in(size))


def cached(parent: Source, filename: str) -> Source:
    """The elements of the first complete pass, kept in memory or in a file."""
    key = object()

    def run(env: Env) -> Iterator[Element]:
        held = env.state.get(key)
        if held is None and filename:
            held = _read_cache(filename)
        if held is not None:
            env.state[key] = held
            return iter(held)
        return _fill_cache(env, key, parent.run(env), filename)

    return Source(parent.spec, run, (parent,))


def _fill_cache(
    env: Env, key: Any, elements: Iterator[Element], filename: str
) -> Iterator[Element]:
    held = []
    for element in elements:
        held.append(element)
        yield element
    env.state[key] = held
    if filename:
        _write_cache(filename, held)


def _cache_path(filename: str) -> Path:
    return Path(f"{filename}.graphc-cache")


def _read_cache(filename: str) -> list[Element] | None:
    try:
        with _cache_path(filename).open("rb") as file:
            return [tuple(element) for element in pickle.load(file)]
    except FileNotFoundError:
        return None


def _write_cache(filename: str, held: list[Element]) -> None:
    """Another process sees the whole file or none."""
    target = _cache_path(filename).absolute()
    handle, name = tempfile.mkstemp(dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            pickle.dump(held, file, protocol=pickle.HIGHEST_PROTOCOL)
        temporary.replace(target)
    except BaseException:
        temporary.unlink()
        raise
