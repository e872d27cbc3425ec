"""Batches: batch, padded_batch, unbatch.

Lives here: stacking and padding of elements. Not here: the user's methods (dataset.py).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from graphc.data.source import Array, Element, Env, Source
from graphc.data.structure import (
    batched,
    flatten,
    flatten_like,
    is_sparse,
    leaves_of,
    pack,
    unbatched,
)
from graphc.data.transforms import scalar, tensors_in
from graphc.errors import DataLossError, InvalidArgumentError
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor, TensorType
from graphc.ir.tensor_shape import as_shape
from graphc.ops.convert import convert_to_tensor


def batch(parent: Source, batch_size: Any, drop_remainder: Any = False) -> Source:
    """Stacks of batch_size elements; the last may be smaller, or is dropped."""
    size = scalar(batch_size, "batch_size")
    drop = bool(drop_remainder)

    def run(env: Env) -> Iterator[Element]:
        n = _checked(env.integer(size))
        if parent.arrays is not None:
            return _rows(parent.arrays(env), n, drop)
        return map(gather, _Groups(parent.run(env), n, drop))

    sparse = [is_sparse(leaf) for leaf in leaves_of(parent.spec)]
    gather = functools.partial(_stack_leaves, sparse) if any(sparse) else _stack_all
    static = size if drop and isinstance(size, int) else None
    return Source(batched(parent.spec, static), run, (parent,), tensors_in(size))


def _checked(size: int) -> int:
    if size < 1:
        raise InvalidArgumentError("Batch size must be greater than zero.")
    return size


def _rows(arrays: Sequence[Array], size: int, drop: bool) -> Iterator[Element]:
    """Elements that are rows of arrays need not be taken apart."""
    count = len(arrays[0])
    for start in range(0, count - size + 1 if drop else count, size):
        yield tuple([a[start : start + size] for a in arrays])


class _Groups(Iterator[list[Element]]):
    """The next `size` elements at a time. An error of one element does not end it."""

    def __init__(self, elements: Iterator[Element], size: int, drop: bool) -> None:
        self.elements = elements
        self.size = size
        self.least = size if drop else 1

    def __next__(self) -> list[Element]:
        items = list(islice(self.elements, self.size))
        if len(items) < self.least:
            raise StopIteration
        return items


def _stack_leaves(sparse: Sequence[bool], items: list[Element]) -> Element:
    """Dense leaves are stacked, sparse ones get the element's number as their first index."""
    columns = list(zip(*items, strict=True))
    out: list[Array] = []
    for is_one in sparse:
        at = len(out)
        if is_one:
            out += _stack_sparse(*columns[at : at + 3])
        else:
            out.append(stack(columns[at], at))
    return tuple(out)


def _stack_sparse(
    places: Sequence[Array], values: Sequence[Array], shapes: Sequence[Array]
) -> list[Array]:
    if len({len(s) for s in shapes}) > 1:
        raise InvalidArgumentError("All sparse elements in a batch must have the same rank.")
    rows = [
        np.column_stack([np.full(len(p), k, np.int64), p]) for k, p in enumerate(places)
    ]
    extents = np.max(np.stack(shapes), axis=0)
    return [
        np.concatenate(rows),
        np.concatenate(values),
        np.concatenate([[len(places)], extents]).astype(np.int64),
    ]


def _stack_all(items: list[Element]) -> Element:
    return tuple([stack(column, k) for k, column in enumerate(zip(*items, strict=True))])


def stack(column: Sequence[Array], component: int) -> Array:
    """The arrays as rows of one.

    Raises:
        InvalidArgumentError: their shapes differ.
    """
    first = column[0]
    shape = first.shape
    for k, array in enumerate(column):
        if array.shape != shape:
            raise InvalidArgumentError(
                f"Cannot batch tensors with different shapes in component {component}. First "
                f"element had shape {list(shape)} and element {k} had shape {list(array.shape)}."
            )
    if not shape:
        return np.array([a[()] for a in column], first.dtype)
    return np.concatenate(column).reshape(len(column), *shape)


# ------------------------------------------------------------------ padded batches
def padded_batch(
    parent: Source,
    batch_size: Any,
    padded_shapes: Any,
    padding_values: Any = None,
    drop_remainder: bool = False,
) -> Source:
    """Stacks of elements that are filled up to a common shape.

    Raises:
        TypeError, ValueError: shapes or values that do not fit the elements.
    """
    size = scalar(batch_size, "batch_size")
    if any(is_sparse(leaf) for leaf in leaves_of(parent.spec)):
        raise TypeError("Batching of padded sparse tensors is not currently supported")
    leaves = flatten(parent.spec)
    given = leaf_shapes(parent.spec, padded_shapes)
    shapes = [_padded_shape(t, s) for t, s in zip(leaves, given, strict=True)]
    values = _padding_values(parent.spec, leaves, padding_values)
    static = size if drop_remainder and isinstance(size, int) else None
    spec = pack(
        parent.spec,
        [TensorType(t.dtype, (static, *s)) for t, (s, _) in zip(leaves, shapes, strict=True)],
    )
    tensors = (
        *tensors_in(size), *(s for _, s in shapes if s is not None),
        *(v for v in values if isinstance(v, Tensor)),
    )  # fmt: skip

    def run(env: Env) -> Iterator[Element]:
        n = _checked(env.integer(size))
        wanted = [_run_shape(env, s) for s in shapes]
        fills = [env.array(v) if isinstance(v, Tensor) else v for v in values]
        for items in _Groups(parent.run(env), n, drop_remainder):
            columns = zip(zip(*items, strict=True), wanted, fills, strict=True)
            yield tuple([_pad(*column) for column in columns])

    return Source(spec, run, (parent,), tensors)


def leaf_shapes(spec: Any, shapes: Any) -> list[Any]:
    """One shape for each component; None gives every component its own static shape."""
    if shapes is None:
        return [t.shape for t in flatten(spec)]
    return flatten_like(spec, shapes, "padded_shapes")


def _padded_shape(kind: TensorType, given: Any) -> tuple[tuple[int | None, ...], Tensor | None]:
    """(static extents, the tensor that decides the rest, if there is one)."""
    if isinstance(given, Tensor):
        rank = given.dims[0] if given.dims else None
        if not isinstance(rank, int):
            raise ValueError("a padded shape must be a vector of known length")
        return (None,) * rank, given
    shape = as_shape([None if d == -1 else d for d in given] if _plain(given) else given)
    dims = shape.dims_tuple
    if dims is None:
        raise ValueError("padded_shapes must be given where a component has an unknown rank")
    if kind.shape is not None and len(kind.shape) != len(dims):
        raise ValueError(
            f"The padded shape {shape} is not compatible with the corresponding input component "
            f"shape {as_shape(kind.shape)}."
        )
    for want, have in zip(dims, kind.shape or (), strict=False):
        if isinstance(want, int) and isinstance(have, int) and have > want:
            raise ValueError(
                f"The padded shape {shape} is not compatible with the corresponding input "
                f"component shape {as_shape(kind.shape)}."
            )
    return tuple(d if isinstance(d, int) else None for d in dims), None


def _plain(given: Any) -> bool:
    return isinstance(given, list | tuple | np.ndarray)


def _padding_values(spec: Any, leaves: list[TensorType], given: Any) -> list[Any]:
    if given is None:
        return [b"" if t.dtype.name == "string" else np.zeros((), t.dtype.np) for t in leaves]
    out: list[Any] = []
    for kind, value in zip(leaves, flatten_like(spec, given, "padding_values"), strict=True):
        if value is None:
            value = b"" if kind.dtype.name == "string" else np.zeros((), kind.dtype.np)
        tensor = convert_to_tensor(value, preferred_dtype=kind.dtype)
        if tensor.dtype is not as_dtype(kind.dtype):
            raise TypeError(
                f"The padding value should be of type {kind.dtype.name}, but is of type "
                f"{tensor.dtype.name}."
            )
        if tensor.rank not in (0, None):
            raise ValueError(f"The padding value should be a scalar, but is {tensor}.")
        out.append(tensor)
    return out


def _run_shape(
    env: Env, shape: tuple[tuple[int | None, ...], Tensor | None]
) -> tuple[int | None, ...]:
    static, tensor = shape
    if tensor is None:
        return static
    return tuple(None if d < 0 else int(d) for d in env.array(tensor).tolist())


def _pad(column: Sequence[Array], wanted: tuple[int | None, ...], fill: Any) -> Array:
    for array in column:
        if array.ndim != len(wanted):
            raise InvalidArgumentError(
                "All elements in a batch must have the same rank as the padded shape: expected "
                f"rank {len(wanted)}, but the element has rank {array.ndim}."
            )
    extents = [
        max(a.shape[k] for a in column) if want is None else want for k, want in enumerate(wanted)
    ]
    out = np.empty((len(column), *extents), column[0].dtype)
    out[...] = fill
    for row, array in zip(out, column, strict=True) if wanted else ():
        if any(d > e for d, e in zip(array.shape, extents, strict=True)):
            raise DataLossError("Attempted to pad to a smaller size than the input element.")
        row[tuple(slice(0, d) for d in array.shape)] = array
    if not wanted:
        out[...] = [a[()] for a in column]
    return out


# ------------------------------------------------------------------ back to elements
def unbatch(parent: Source) -> Source:
    """The rows of each element's components."""

    def run(env: Env) -> Iterator[Element]:
        for element in parent.run(env):
            counts = {len(a) for a in element}
            if len(counts) > 1:
                raise InvalidArgumentError(
                    "Input element must have the same batch size in each component."
                )
            for k in range(counts.pop()):
                yield tuple([a[k, ...] for a in element])

    return Source(unbatched(parent.spec), run, (parent,))

