"""What a dataset is: the types of its elements, what it needs, and how it is run.

Lives here: Source, Env (one initialised iterator's values, compiled functions and state). Not
here: particular sources and transformations, the user's classes (dataset.py, iterator.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.data.structure import flatten
from graphc.ir.node import Tensor
from graphc.runtime.state import VariableStore, running_store

Array = np.ndarray[Any, Any]
Element = tuple[Array, ...]
Caller = Callable[[Element], Any]
Scalar = int | Tensor


@dataclass(frozen=True, eq=False)
class Source:
    """A dataset: immutable; what changes while it runs is kept by an Env.

    Attributes:
        spec: structure of TensorType. run: Env -> iterator of elements, flat tuples of arrays.
        parents: the sources it takes elements from. tensors: values of the surrounding graph that
            it needs when an iterator is initialised.
        arrays: Env -> components of which the elements are the rows, where that is so.
    """

    spec: Any
    run: Callable[[Env], Iterator[Element]]
    parents: tuple[Source, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    arrays: Callable[[Env], Sequence[Array]] | None = None

    @property
    def width(self) -> int:
        """The number of components."""
        return len(flatten(self.spec))

    def needed(self) -> tuple[Tensor, ...]:
        """The tensors that it and its parents need, each once."""
        found: dict[Tensor, None] = {}
        seen: set[Source] = set()
        stack = [self]
        while stack:
            source = stack.pop()
            if source in seen:
                continue
            seen.add(source)
            found.update(dict.fromkeys(source.tensors))
            stack.extend(source.parents)
        return tuple(found)


class Env:
    """One initialised iterator: values of needed tensors, executors of functions, state."""

    def __init__(self, values: dict[Tensor, Array], outer: Env | None = None) -> None:
        self.values = values
        # of the session: its tables are those of functions, too
        self.store: VariableStore | None = outer.store if outer is not None else running_store()
        # functions compile once, and their random streams go on, over all inner datasets
        self.executors: dict[Any, Any] = outer.executors if outer is not None else {}
        self.state: dict[Any, Any] = {}

    def inner(self, values: dict[Tensor, Array]) -> Env:
        """The environment of a dataset that a function returned."""
        return Env(values, self)

    def array(self, tensor: Tensor) -> Array:
        """The tensor's value."""
        value = self.values.get(tensor)
        return value if value is not None else constant_array(tensor)

    def integer(self, value: Scalar) -> int:
        """The value of an int or a scalar tensor."""
        return int(self.array(value)) if isinstance(value, Tensor) else value

    def count(self, key: Any) -> int:
        """How often it was asked for this key before."""
        count = self.state.get(key, 0)
        self.state[key] = count + 1
        return int(count)

    def seed(self, key: Any, seeds: tuple[int, int]) -> tuple[int, int]:
        """The seeds; where both are 0, random ones that stay for this initialisation."""
        if seeds != (0, 0):
            return seeds
        drawn: tuple[int, int] | None = self.state.get((key, "seed"))
        if drawn is None:
            drawn = secrets.randbits(31), secrets.randbits(31)
            self.state[key, "seed"] = drawn
        return drawn


def constant_array(tensor: Tensor) -> Array:
    """The value of a const node's output."""
    value: Array = tensor.node.attrs["value"].array
    return value


def is_constant(tensor: Tensor) -> bool:
    """Whether the value is known without a run."""
    return tensor.node.op.name == "const"


def object_scalar(value: bytes) -> Array:
    """A string as an array without dimensions."""
    out = np.empty((), object)
    out[()] = value
    return out
