"""Iterators over datasets: one-shot, initialisable, of a structure, by handle.

Lives here: Iterator and what it keeps in a session. Not here: datasets (dataset.py), the ops
(ops/iterators.py). Each session has its own position; runs of several threads share it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator as PyIterator
from typing import Any

import numpy as np

from graphc.config import current as current_config
from graphc.data.source import Array, Element, Env, Source, is_constant, object_scalar
from graphc.data.structure import (
    classes_of,
    fits,
    flatten,
    make_spec,
    pack,
    same_form,
    shapes_of,
    types_of,
)
from graphc.errors import FailedPreconditionError, InvalidArgumentError, OutOfRangeError
from graphc.ir.dtypes import string
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.function import FunctionGraph
from graphc.runtime.state import running

_MANY_CALLS = 32
_UNINITIALIZED = (
    "GetNext() failed because the iterator has not been initialized. Ensure that you have run the "
    "initializer operation for this iterator before getting the next element."
)


class _Position:
    """Where one session stands in a dataset."""

    def __init__(self, source: Source, env: Env) -> None:
        self.elements: PyIterator[Element] = source.run(env)
        self.kinds = [t.dtype for t in flatten(source.spec)]
        self.lock = threading.Lock()

    def next(self) -> Element:
        with self.lock:
            try:
                element = next(self.elements)
            except StopIteration:
                raise OutOfRangeError("End of sequence") from None
        # datasets keep elements and hand out views: what is fetched belongs to the caller
        return tuple([np.array(a) for a in element])


class Resource:
    """What the ops of an iterator share: its name, and its source where it is one-shot."""

    def __init__(self, name: str, source: Source | None = None) -> None:
        self.name = name
        self.source = source

    def __repr__(self) -> str:
        return self.name

    def initialize(self, source: Source, values: tuple[Array, ...]) -> None:
        """Starts anew with these values of the tensors that the source needs."""
        needed = [t for t in source.needed() if not is_constant(t)]
        # the values lie in memory of the run, of variables, of the user's feeds
        env = Env({t: np.array(v) for t, v in zip(needed, values, strict=True)})
        running().store.resources[self] = _Position(source, env)

    def get_next(self) -> Element:
        """The next element of the running session.

        Raises:
            FailedPreconditionError: not initialised. OutOfRangeError: there is none.
        """
        return self.position().next()

    def position(self) -> _Position:
        resources = running().store.resources
        position: _Position | None = resources.get(self)
        if position is None:
            if self.source is None:
                raise FailedPreconditionError(_UNINITIALIZED)
            position = resources[self] = _Position(self.source, _constants(self.source))
        return position

    def handle(self) -> Array:
        """The name by which the running session finds the iterator."""
        key = self.name.encode()
        running().store.resources[key] = self
        return object_scalar(key)


class _ByHandle:
    """The iterator that a string names when it runs."""

    def __init__(self, spec: Any) -> None:
        self.kinds = [t.dtype for t in flatten(spec)]

    def __repr__(self) -> str:
        return "by handle"

    def get_next(self, handle: Array) -> Element:
        """As Resource's. Raises InvalidArgumentError for an unknown handle, or other types."""
        key = np.asarray(handle)[()]
        resource = running().store.resources.get(key)
        if resource is None:
            raise InvalidArgumentError(f"this session knows no iterator by the handle {key!r}")
        position = resource.position()
        if position.kinds != self.kinds:
            mine, theirs = ([k.name for k in kinds] for kinds in (self.kinds, position.kinds))
            raise InvalidArgumentError(
                f"Data type mismatch: the iterator by the handle {key!r} has elements of types "
                f"{theirs}, but {mine} are expected."
            )
        element: Element = position.next()
        return element


def _constants(source: Source) -> Env:
    """The values of what a one-shot iterator needs: they depend on constants only."""
    wanted = tuple(t for t in source.needed() if not is_constant(t))
    if not wanted:
        return Env({})
    from graphc.runtime.executor import Executor

    values = Executor(wanted[0].graph, current_config()).prepare(wanted, (), ()).run([])
    return Env(dict(zip(wanted, values, strict=True)))


def _check_constant(source: Source) -> None:
    """Raises ValueError for what a one-shot iterator cannot capture."""
    stack = [t.node for t in source.needed()]
    seen: set[Node] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        where = f"(name:{node.name}, type:{node.op.tf}) by value."
        if node.op.name == "placeholder":
            raise ValueError(f"Cannot capture a placeholder {where}")
        if node.op.stateful and node.op.name != "no_op":
            raise ValueError(
                "Failed to create a one-shot iterator for a dataset. "
                "`Dataset.make_one_shot_iterator()` does not support datasets that capture "
                "stateful objects, such as a `Variable` or `LookupTable`. In these cases, use "
                f"`Dataset.make_initializable_iterator()`. (Original error: Cannot capture a "
                f"stateful node {where})"
            )
        stack.extend(t.node for t in node.inputs)
        stack.extend(node.control_inputs)


class Iterator:
    """tf.data.Iterator: made by a dataset, `from_structure` or `from_string_handle`."""

    def __init__(
        self, resource: Any, spec: Any, initializer: Node | None, handle: Tensor | None = None
    ) -> None:
        self._resource = resource
        self._spec = spec
        self._initializer = initializer
        self._handle = handle
        self._calls = 0

    # ------------------------------------------------------------ the kinds
    @staticmethod
    def _one_shot(source: Source) -> Iterator:
        _check_constant(source)
        if isinstance(get_default_graph(), FunctionGraph):
            raise ValueError("an iterator cannot be made inside a function of a dataset")
        name = get_default_graph().unique_name("OneShotIterator")
        return Iterator(Resource(name, source), source.spec, None)

    @staticmethod
    def _initializable(source: Source, shared_name: str | None) -> Iterator:
        name = shared_name or get_default_graph().unique_name("Iterator")
        resource = Resource(name)
        return Iterator(resource, source.spec, _make(resource, source, None))

    @staticmethod
    def from_structure(
        output_types: Any,
        output_shapes: Any = None,
        shared_name: str | None = None,
        output_classes: Any = None,
    ) -> Iterator:
        """An iterator without a dataset: make_initializer gives it one, again and again.

        Raises:
            TypeError, ValueError: shapes whose structure is not that of the types.
        """
        spec = make_spec(output_types, output_shapes, output_classes)
        name = shared_name or get_default_graph().unique_name("Iterator")
        return Iterator(Resource(name), spec, None)

    @staticmethod
    def from_string_handle(
        string_handle: Any,
        output_types: Any,
        output_shapes: Any = None,
        output_classes: Any = None,
    ) -> Iterator:
        """The iterator that a string tensor names in each run: see `string_handle`.

        Raises:
            ValueError: the handle is no string.
        """
        spec = make_spec(output_types, output_shapes, output_classes)
        handle = convert_to_tensor(string_handle, string)
        return Iterator(_ByHandle(spec), spec, None, handle)

    # ------------------------------------------------------------ ops
    @property
    def initializer(self) -> Node:
        """The op that starts the iterator anew.

        Raises:
            ValueError: a one-shot iterator, or one of a structure.
        """
        if self._initializer is None:
            raise ValueError("Iterator does not have an initializer.")
        return self._initializer

    def make_initializer(self, dataset: Any, name: str | None = None) -> Node:
        """An op that starts the iterator anew with this dataset.

        Raises:
            TypeError: its types or shapes do not fit the iterator's structure.
            ValueError: an iterator by handle.
        """
        if not isinstance(self._resource, Resource) or self._resource.source is not None:
            raise ValueError("This iterator cannot be initialized with another dataset.")
        source: Source = dataset._source
        mine, theirs = types_of(self._spec), types_of(source.spec)
        if not same_form(mine, theirs) or flatten(mine) != flatten(theirs):
            raise TypeError(
                f"Expected output types {mine!r} but got dataset with output types {theirs!r}."
            )
        kinds = [classes_of(s) for s in (self._spec, source.spec)]
        if flatten(kinds[0]) != flatten(kinds[1]):
            raise TypeError(
                f"Expected output classes {kinds[0]!r} but got dataset with output classes "
                f"{kinds[1]!r}."
            )
        if not fits(self._spec, source.spec):
            raise TypeError(
                f"Expected output shapes compatible with {shapes_of(self._spec)!r} but got "
                f"dataset with output shapes {shapes_of(source.spec)!r}."
            )
        return _make(self._resource, source, name)

    def get_next(self, name: str | None = None) -> Any:
        """The next element, as tensors; a run takes one element for each call of get_next.

        Raises (in the run):
            OutOfRangeError: "End of sequence". FailedPreconditionError: not initialised.
        """
        self._calls += 1
        if self._calls == _MANY_CALLS:
            warnings.warn(
                "An unusually high number of `Iterator.get_next()` calls was detected. Each call "
                "adds ops to the graph: call it once, before the loop, and run what it returned.",
                stacklevel=2,
            )
        inputs = () if self._handle is None else (self._handle,)
        types = tuple(flatten(self._spec))
        node = F.iterator_get_next.node(*inputs, resource=self._resource, types=types, name=name)
        return pack(self._spec, node.outputs)

    def string_handle(self, name: str | None = None) -> Tensor:
        """A string tensor whose value feeds the handle of `from_string_handle`.

        Raises:
            ValueError: an iterator by handle: it has the handle that it is given.
        """
        if not isinstance(self._resource, Resource):
            raise ValueError("This iterator is itself made from a handle.")
        tensor: Tensor = F.iterator_handle(resource=self._resource, name=name)
        return tensor

    # ------------------------------------------------------------ what it gives
    @property
    def output_types(self) -> Any:
        """The dtypes of an element."""
        return types_of(self._spec)

    @property
    def output_shapes(self) -> Any:
        """The static shapes of an element."""
        return shapes_of(self._spec)

    @property
    def output_classes(self) -> Any:
        """The classes of an element's components."""
        return classes_of(self._spec)


def _make(resource: Resource, source: Source, name: str | None) -> Node:
    if isinstance(get_default_graph(), FunctionGraph):
        raise ValueError("an iterator cannot be made inside a function of a dataset")
    needed = [t for t in source.needed() if not is_constant(t)]
    return F.make_iterator.node(*needed, resource=resource, source=source, name=name)
