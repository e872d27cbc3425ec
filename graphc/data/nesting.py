"""Datasets made by functions of elements: flat_map, interleave, group_by_window; reduce.

Lives here: transformations whose functions return datasets or keep a state. Not here: the tracing
of functions (function.py), the user's methods (dataset.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from graphc.data.function import Function
from graphc.data.source import Array, Element, Env, Source
from graphc.data.structure import flatten, pack, tensors_of
from graphc.data.transforms import scalar, tensors_in
from graphc.errors import InvalidArgumentError
from graphc.ir.node import Tensor


def _dataset_function(fn: Callable[..., Any], spec: Any, where: str) -> Function:
    function = Function(fn, spec, f"Dataset.{where}()")
    if function.source is None:
        raise TypeError(f"`map_func` must return a `Dataset` object: Dataset.{where}()")
    return function


def flat_mapped(parent: Source, fn: Callable[..., Any]) -> Source:
    """The elements of fn(element), one dataset after the other."""
    function = _dataset_function(fn, parent.spec, "flat_map")

    def run(env: Env) -> Iterator[Element]:
        make = function.datasets(env)
        for element in parent.run(env):
            source, inner = make(element)
            yield from source.run(inner)

    return Source(function.spec, run, (parent,), function.captured)


def interleaved(
    parent: Source, fn: Callable[..., Any], cycle_length: Any, block_length: Any
) -> Source:
    """block_length elements from each of cycle_length datasets fn(element) in turn."""
    function = _dataset_function(fn, parent.spec, "interleave")
    cycle = scalar(cycle_length, "cycle_length")
    block = scalar(block_length, "block_length")

    def run(env: Env) -> Iterator[Element]:
        slots, length = env.integer(cycle), env.integer(block)
        if slots < 1:
            raise InvalidArgumentError("`cycle_length` must be > 0")
        if length < 1:
            raise InvalidArgumentError("`block_length` must be > 0")
        make = function.datasets(env)
        started = (source.run(inner) for source, inner in map(make, parent.run(env)))
        return _interleave(started, slots, length)

    return Source(function.spec, run, (parent,), function.captured + tensors_in(cycle, block))


def _interleave(
    started: Iterator[Iterator[Element]], slots: int, length: int
) -> Iterator[Element]:
    """A dataset that ends gives its slot to the next one when its turn comes again."""
    ring: list[Iterator[Element] | None] = [None] * slots
    at, live, more = 0, 0, True
    while True:
        if ring[at] is None and more:
            ring[at] = next(started, None)
            more = ring[at] is not None
            live += more
        current = ring[at]
        if current is not None:
            for _ in range(length):
                element = next(current, None)
                if element is None:
                    ring[at] = None
                    live -= 1
                    break
                yield element
        if not live and not more:
            return
        at = (at + 1) % slots


def grouped(
    parent: Source,
    key_func: Callable[..., Any],
    reduce_func: Callable[..., Any],
    window_size: Any,
    make_dataset: Callable[[Source], Any],
) -> Source:
    """reduce_func(key, dataset of up to window_size elements with that key), one after another."""
    keys = Function(key_func, parent.spec, "group_by_window()")
    size = scalar(window_size, "window_size")
    held = Source(parent.spec, lambda env: iter(env.state[_WINDOW]))
    key_spec = flatten(keys.spec)[0]
    reduce = Function(
        lambda key: reduce_func(key, make_dataset(held)), key_spec, "group_by_window()"
    )
    if reduce.source is None:
        raise TypeError("`reduce_func` must return a `Dataset` object.")

    def run(env: Env) -> Iterator[Element]:
        n = env.integer(size)
        if n < 1:
            raise InvalidArgumentError("Window size must be greater than zero.")
        key_of, make = keys.caller(env), reduce.datasets(env)
        groups: dict[int, list[Element]] = {}

        def reduced(key: int, items: list[Element]) -> Iterator[Element]:
            source, inner = make((np.array(key, key_spec.dtype.np),))
            inner.state[_WINDOW] = items
            return source.run(inner)

        for element in parent.run(env):
            key = int(key_of(element)[0])
            items = groups.setdefault(key, [])
            items.append(element)
            if len(items) == n:
                yield from reduced(key, groups.pop(key))
        for key in sorted(groups):
            yield from reduced(key, groups[key])

    tensors = (*keys.captured, *reduce.captured, *tensors_in(size))
    return Source(reduce.spec, run, (parent,), tensors)


_WINDOW = object()  # the state under which a group's elements lie


def reduced(parent: Source, initial_state: Any, fn: Callable[..., Any]) -> Any:
    """The state after fn(state, element) for all elements: tensors of the surrounding graph."""
    from graphc.ops.define import F

    state = tensors_of(initial_state)
    start = flatten(state)
    spec = pack(state, [t.type for t in start])
    function = Function(fn, (spec, parent.spec), "Dataset.reduce()")
    got = [t.dtype for t in flatten(function.spec)]
    if got != [t.dtype for t in start]:
        raise TypeError(
            f"The element types for the new state must match the initial state. Expected "
            f"{[t.dtype for t in start]}; got {got}."
        )
    needed = tuple(dict.fromkeys((*parent.needed(), *function.captured)))
    inputs: tuple[Tensor, ...] = (*start, *needed)

    def run(*values: Array) -> list[Array]:
        env = Env(dict(zip(needed, values[len(start) :], strict=True)))
        call = function.caller(env)
        current: Element = values[: len(start)]
        for element in parent.run(env):
            current = call((*current, *element))
        return list(current)

    node = F.py_func.node(*inputs, fn=run, dtypes=tuple(got), name="ReduceDataset")
    for tensor, kind in zip(node.outputs, flatten(function.spec), strict=True):
        tensor.set_shape(kind.shape)
    return pack(state, node.outputs)


def single(parent: Source) -> Any:
    """The only element, as tensors of the surrounding graph."""
    from graphc.ops.define import F

    needed = parent.needed()
    leaves = flatten(parent.spec)

    def run(*values: Array) -> list[Array]:
        found = list(islice(parent.run(Env(dict(zip(needed, values, strict=True)))), 2))
        if not found:
            raise InvalidArgumentError("Dataset was empty.")
        if len(found) > 1:
            raise InvalidArgumentError("Dataset had more than one element.")
        return list(found[0])

    kinds = tuple(t.dtype for t in leaves)
    node = F.py_func.node(*needed, fn=run, dtypes=kinds, name="DatasetToSingleElement")
    for tensor, kind in zip(node.outputs, leaves, strict=True):
        tensor.set_shape(kind.shape)
    return pack(parent.spec, node.outputs)
