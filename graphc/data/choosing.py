"""Which elements, from which dataset, in which batch: mixing, buckets by length, running state.

Lives here: sampled, chosen, bucketed, scanned, without_errors, while_true, first_seen. Not here:
the user's functions (experimental.py).
"""

from __future__ import annotations

import bisect
import functools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.data import batching
from graphc.data.function import Function, predicate, truth
from graphc.data.source import Array, Element, Env, Source
from graphc.data.structure import (
    flatten,
    joined,
    leaves_of,
    map_leaves,
    pack,
    same_form,
    tensors_of,
)
from graphc.errors import InvalidArgumentError, OpError
from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor, TensorType


# ------------------------------------------------------------------ several datasets
def _common(sources: Sequence[Source]) -> Any:
    """The spec that all of them fit.

    Raises:
        TypeError: structures or dtypes that differ. ValueError: there is none.
    """
    if not sources:
        raise ValueError("there must be at least one dataset")
    first = sources[0].spec
    for other in sources[1:]:
        kinds = [[t.dtype for t in leaves_of(s)] for s in (first, other.spec)]
        if not same_form(first, other.spec) or kinds[0] != kinds[1]:
            raise TypeError(f"Incompatible dataset elements:\n  {first} vs.   {other.spec}")
    return functools.reduce(joined, (s.spec for s in sources))


def sampled(
    sources: Sequence[Source], weights: Sequence[float] | None, seeds: tuple[int, int]
) -> Source:
    """Elements of several datasets, each drawn by weight; those that end are left out."""
    spec = _common(sources)
    odds = list(weights) if weights is not None else [1.0] * len(sources)
    if len(odds) != len(sources):
        raise ValueError(
            f"`weights` must be a vector of length {len(sources)}, got {len(odds)} of them"
        )
    key = object()

    def run(env: Env) -> Iterator[Element]:
        first, second = env.seed(key, seeds)
        rng = random.Random(f"{first},{second},{env.count(key)}")
        alive = {k: s.run(env) for k, s in enumerate(sources) if odds[k] > 0}
        while alive:
            (k,) = rng.choices(list(alive), [odds[n] for n in alive])
            element = next(alive[k], None)
            if element is None:
                del alive[k]
            else:
                yield element

    return Source(spec, run, tuple(sources))


def chosen(sources: Sequence[Source], choices: Source) -> Source:
    """Elements of the datasets that the elements of `choices` number."""
    spec = _common(sources)
    kinds = flatten(choices.spec)
    if len(kinds) != 1 or kinds[0].dtype is not int64 or kinds[0].shape not in ((), None):
        raise TypeError("`choice_dataset` must be a dataset of scalar `tf.int64` tensors.")

    def run(env: Env) -> Iterator[Element]:
        parts = [s.run(env) for s in sources]
        for (number,) in choices.run(env):
            k = int(number)
            if not 0 <= k < len(parts):
                raise InvalidArgumentError(
                    f"Selector index out of range: {k} >= {len(parts)}"
                )
            element = next(parts[k], None)
            if element is not None:
                yield element

    return Source(spec, run, (*sources, choices))


# ------------------------------------------------------------------ buckets
def bucketed(
    parent: Source,
    length_of: Callable[..., Any],
    boundaries: Sequence[int],
    sizes: Sequence[int],
    shapes: Any,
    values: Any,
    to_boundary: bool,
    padding: bool,
    drop: bool,
) -> Source:
    """Padded batches of elements of similar length."""
    if len(sizes) != len(boundaries) + 1:
        raise ValueError("len(bucket_batch_sizes) must equal len(bucket_boundaries) + 1")
    lengths = Function(length_of, parent.spec, "bucket_by_sequence_length()")
    held = Source(parent.spec, lambda env: iter(env.state[_BUCKET]))

    def batches(k: int) -> Source:
        if not padding:
            return batching.batch(held, sizes[k], drop)
        wanted = shapes
        if to_boundary and k < len(boundaries):
            wanted = _filled(parent.spec, shapes, boundaries[k] - 1)
        return batching.padded_batch(held, sizes[k], wanted, values, drop)

    made = [batches(k) for k in range(len(sizes))]

    def run(env: Env) -> Iterator[Element]:
        length = lengths.caller(env)
        groups: list[list[Element]] = [[] for _ in sizes]
        for element in parent.run(env):
            size = int(length(element)[0])
            k = bisect.bisect_right(boundaries, size)
            if to_boundary and k == len(boundaries):
                raise InvalidArgumentError(
                    "When pad_to_bucket_boundary=True, elements must have length < "
                    "max(bucket_boundaries)."
                )
            groups[k].append(element)
            if len(groups[k]) == sizes[k]:
                yield from _batch(env, made[k], groups[k])
                groups[k] = []
        for k, items in enumerate(groups):
            if items:
                yield from _batch(env, made[k], items)

    spec = functools.reduce(joined, (m.spec for m in made))
    tensors = dict.fromkeys((*lengths.captured, *(t for m in made for t in m.tensors)))
    return Source(spec, run, (parent,), tuple(tensors))


_BUCKET = object()  # the state under which the elements of a batch lie


def _batch(env: Env, source: Source, items: list[Element]) -> Iterator[Element]:
    inner = env.inner(env.values)
    inner.state[_BUCKET] = items
    return source.run(inner)


def _filled(spec: Any, shapes: Any, extent: int) -> Any:
    """The shapes with `extent` where they are unknown."""
    given = batching.leaf_shapes(spec, shapes)
    done = [
        None if shape is None else [extent if d in (None, -1) else d for d in shape]
        for shape in given
    ]
    return pack(spec, done)


# ------------------------------------------------------------------ state from element to element
def scanned(parent: Source, initial_state: Any, fn: Callable[..., Any]) -> Source:
    """fn(state, element) -> (new state, output): the outputs."""
    state = tensors_of(initial_state)
    start = flatten(state)
    state_spec = map_leaves(lambda t: TensorType(t.dtype, t.dims), state)
    function = Function(fn, (state_spec, parent.spec), "scan()")
    if not isinstance(function.spec, tuple) or len(function.spec) != 2:
        raise TypeError("The scan function must return a pair comprising the new state and output.")
    new, out = function.spec
    got = [t.dtype for t in flatten(new)]
    if got != [t.dtype for t in start]:
        raise TypeError(
            "The element types for the new state must match the initial state. Expected "
            f"{[t.dtype for t in start]}; got {got}."
        )
    needed: tuple[Tensor, ...] = (*start, *function.captured)

    def run(env: Env) -> Iterator[Element]:
        call = function.caller(env)
        current: list[Array] = [env.array(t) for t in start]
        for element in parent.run(env):
            found = call((*current, *element))
            current = list(found[: len(start)])
            yield tuple(found[len(start) :])

    return Source(out, run, (parent,), tuple(dict.fromkeys(needed)))


def without_errors(parent: Source) -> Source:
    """Leaves out the elements whose computation raises an error of a run."""

    def run(env: Env) -> Iterator[Element]:
        elements = parent.run(env)
        while True:
            try:
                element = next(elements)
            except StopIteration:
                return
            except OpError:
                continue
            yield element

    return Source(parent.spec, run, (parent,))


def while_true(parent: Source, fn: Callable[..., Any]) -> Source:
    """The elements in front of the first for which fn is false."""
    function = predicate(fn, parent.spec)

    def run(env: Env) -> Iterator[Element]:
        call = function.caller(env)
        for element in parent.run(env):
            if not truth(call(element)):
                return
            yield element

    return Source(parent.spec, run, (parent,), function.captured)


def first_seen(parent: Source) -> Source:
    """Each element once, where it comes first.

    Raises:
        TypeError: elements that are no single dense tensors.
    """
    if not isinstance(parent.spec, TensorType):
        raise TypeError("unique() takes elements of one tensor")

    def run(env: Env) -> Iterator[Element]:
        seen: set[Any] = set()
        for element in parent.run(env):
            key = repr(np.asarray(element[0]).tolist())
            if key not in seen:
                seen.add(key)
                yield element

    return Source(parent.spec, run, (parent,))
