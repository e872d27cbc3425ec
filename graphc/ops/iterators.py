"""Ops of input pipelines: initialise an iterator, take its next element, name it.

Lives here: make_iterator, iterator_get_next, iterator_handle. Not here: what an iterator is and
how elements come about (graphc/data). The attribute `resource` is such an iterator; it keeps its
state in the session that runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, string
from graphc.ir.node import TensorType
from graphc.ops.define import OpDef
from graphc.ops.samples import Sample

Array = np.ndarray[Any, Any]


class _Same:
    """An iterator whose elements are all alike: for samples."""

    def initialize(self, source: Any, values: tuple[Array, ...]) -> None:
        """There is no state."""

    def get_next(self, *handle: Array) -> tuple[Array, ...]:
        return (np.arange(3, dtype=np.float32),)


def _initialize(*values: Array, resource: Any, source: Any) -> tuple[()]:
    resource.initialize(source, values)
    return ()


def _get_next(*handle: Array, resource: Any, types: tuple[TensorType, ...]) -> tuple[Array, ...]:
    return tuple(resource.get_next(*handle))


make_iterator = OpDef(
    name="make_iterator",
    tf="MakeIterator",
    family="host",
    args=("*captured",),
    groups=("*",),
    infer=lambda ctx: (),
    numpy=_initialize,
    nograd="it has no outputs",
    stateful=True,
    effect=True,
    samples=(Sample((), {"resource": _Same(), "source": None}, False),),
)

iterator_get_next = OpDef(
    name="iterator_get_next",
    tf="IteratorGetNext",
    family="host",
    args=("*handle",),
    groups=("*",),
    infer=lambda ctx: ctx.attrs["types"],
    numpy=_get_next,
    nograd="elements of a dataset do not depend on tensors",
    stateful=True,
    effect=True,
    blocks=True,  # generators, and what makes elements ahead, wait for others
    data_dependent=True,
    samples=(
        Sample((), {"resource": _Same(), "types": (TensorType(float32, (None,)),)}, False),
        Sample((), {"resource": _Same(), "types": (TensorType(float32, (3,)),)}, False),
    ),
)

iterator_handle = OpDef(
    name="iterator_handle",
    tf="IteratorToStringHandle",
    family="host",
    args=(),
    infer=lambda ctx: TensorType(string, ()),
    numpy=lambda resource: resource.handle(),
    nograd="the handle of an iterator is a string",
    stateful=True,
    effect=True,
)
