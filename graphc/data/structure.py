"""Structures of elements: nested tuples and dicts, mirrored in types, shapes and values.

Lives here: flatten, pack, conversion of values to tensors, specs (structures of TensorType and
SparseType). Not here: datasets. A list is no structure: it becomes one tensor. Dicts are flattened
by sorted keys. A sparse tensor is one leaf that has three components: indices, values and shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphc.ir.dtypes import DType, as_dtype, int64
from graphc.ir.node import Tensor, TensorType
from graphc.ir.shape import Shape
from graphc.ir.tensor_shape import TensorShape, as_shape
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.sparse_tensor import SparseTensor, SparseTensorValue


@dataclass(frozen=True)
class SparseType:
    """What is known of a SparseTensor: the dtype of its values, the shape of the whole."""

    dtype: DType
    shape: Shape

    def components(self) -> list[TensorType]:
        """The types of indices, values and shape."""
        rank = None if self.shape is None else len(self.shape)
        return [
            TensorType(int64, (None, rank)),
            TensorType(self.dtype, (None,)),
            TensorType(int64, (rank,)),
        ]


def is_structure(value: Any) -> bool:
    """A tuple or a mapping."""
    return isinstance(value, tuple | Mapping)


def leaves_of(value: Any) -> list[Any]:
    """The leaves, from left to right; of dicts by sorted keys."""
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in leaves_of(item)]
    if isinstance(value, Mapping):
        return [leaf for key in sorted(value) for leaf in leaves_of(value[key])]
    return [value]


def flatten(value: Any) -> list[Any]:
    """The components: the leaves, of sparse ones indices, values and shape."""
    return [part for leaf in leaves_of(value) for part in _components(leaf)]


def _components(leaf: Any) -> list[Any]:
    if isinstance(leaf, SparseType):
        return leaf.components()
    if isinstance(leaf, SparseTensor):
        return [leaf.indices, leaf.values, leaf.dense_shape]
    return [leaf]


def is_sparse(leaf: Any) -> bool:
    """Whether the leaf has three components."""
    return isinstance(leaf, SparseType | SparseTensor)


def pack(like: Any, flat: Iterable[Any]) -> Any:
    """A structure as `like` with these components."""
    return _pack(like, iter(flat), True)


def _pack(like: Any, flat: Iterator[Any], components: bool) -> Any:
    if isinstance(like, tuple):
        items = [_pack(item, flat, components) for item in like]
        make: Any = type(like)
        return make(*items) if hasattr(like, "_fields") else tuple(items)
    if isinstance(like, Mapping):
        by_key = {key: _pack(like[key], flat, components) for key in sorted(like)}
        return type(like)((key, by_key[key]) for key in like)  # type: ignore[call-arg]
    if components and is_sparse(like):
        return _sparse(like, [next(flat) for _ in range(3)])
    return next(flat)


def _sparse(like: Any, parts: list[Any]) -> Any:
    """The sparse leaf of three components: tensors, or their types."""
    shape = like.shape if isinstance(like, SparseType) else like.dims
    if isinstance(parts[1], TensorType):
        return SparseType(parts[1].dtype, shape)
    made = SparseTensor(*parts)
    made._static = shape
    return made


def map_leaves(fn: Callable[[Any], Any], value: Any) -> Any:
    """A structure of the same form with fn(leaf) for each leaf."""
    return _pack(value, iter([fn(leaf) for leaf in leaves_of(value)]), False)


def flatten_like(like: Any, value: Any, what: str = "structure") -> list[Any]:
    """The parts of `value` that stand where `like` has leaves: parts may be tuples themselves.

    Raises:
        TypeError, ValueError: `value` has another form.
    """
    if isinstance(like, tuple):
        if not isinstance(value, tuple | list):
            raise TypeError(f"the {what} must be a tuple of {len(like)}, but is {value!r}")
        if len(value) != len(like):
            raise ValueError(f"the {what} has {len(value)} parts, but {len(like)} are expected")
        return [p for a, b in zip(like, value, strict=True) for p in flatten_like(a, b, what)]
    if isinstance(like, Mapping):
        if not isinstance(value, Mapping):
            raise TypeError(f"the {what} must be a dict, but is {value!r}")
        if set(value) != set(like):
            raise ValueError(f"the {what} has the keys {sorted(value)}, not {sorted(like)}")
        return [p for key in sorted(like) for p in flatten_like(like[key], value[key], what)]
    return [value]


def same_form(a: Any, b: Any) -> bool:
    """Whether two structures differ in leaves only."""
    if isinstance(a, tuple):
        return (
            isinstance(b, tuple)
            and len(a) == len(b)
            and all(same_form(x, y) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, Mapping):
        return (
            isinstance(b, Mapping)
            and set(a) == set(b)
            and all(same_form(a[key], b[key]) for key in a)
        )
    return not is_structure(b)


def tensors_of(value: Any) -> Any:
    """The structure with each leaf as a tensor; lists become tensors.

    Raises:
        TypeError, ValueError: a leaf that no tensor can hold.
    """
    value = _without_values(value)
    flat = [
        leaf if isinstance(leaf, SparseTensor) else convert_to_tensor(leaf, name=f"component_{k}")
        for k, leaf in enumerate(leaves_of(value))
    ]
    return _pack(value, iter(flat), False)


def _without_values(value: Any) -> Any:
    """The structure with sparse values, which are tuples, as SparseTensors."""
    if isinstance(value, SparseTensorValue):
        return SparseTensor.from_value(value)
    if isinstance(value, tuple):
        items = [_without_values(item) for item in value]
        make: Any = type(value)
        return make(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, Mapping):
        return type(value)((k, _without_values(v)) for k, v in value.items())  # type: ignore[call-arg]
    return value


# ------------------------------------------------------------------ specs
def spec_of(tensors: Any) -> Any:
    """The types of a structure of tensors."""
    return map_leaves(
        lambda t: SparseType(t.dtype, t.dims) if isinstance(t, SparseTensor) else t.type, tensors
    )


def make_spec(types: Any, shapes: Any = None, classes: Any = None) -> Any:
    """The spec of dtypes, shapes and classes as a user gives them.

    Shapes are unknown and all components dense where they are not given.
    """
    types = _listless(types)
    kinds = [as_dtype(t) for t in leaves_of(types)]
    dims: list[Any] = [None] * len(kinds)
    if shapes is not None:
        dims = [as_shape(s).dims_tuple for s in flatten_like(types, shapes, "output_shapes")]
    sparse = [False] * len(kinds)
    if classes is not None:
        sparse = [c is SparseTensor for c in flatten_like(types, classes, "output_classes")]
    made = [
        SparseType(k, d) if s else TensorType(k, d)
        for k, d, s in zip(kinds, dims, sparse, strict=True)
    ]
    return _pack(types, iter(made), False)


def _listless(value: Any) -> Any:
    return tuple(_listless(v) for v in value) if isinstance(value, list) else value


def types_of(spec: Any) -> Any:
    """output_types."""
    return map_leaves(lambda t: t.dtype, spec)


def shapes_of(spec: Any) -> Any:
    """output_shapes."""
    return map_leaves(lambda t: TensorShape(t.shape), spec)


def classes_of(spec: Any) -> Any:
    """output_classes: Tensor or SparseTensor."""
    return map_leaves(lambda t: SparseTensor if isinstance(t, SparseType) else Tensor, spec)


def batched(spec: Any, size: int | None) -> Any:
    """The spec of stacked elements."""
    return map_leaves(
        lambda t: type(t)(t.dtype, None if t.shape is None else (size, *t.shape)), spec
    )


def unbatched(spec: Any) -> Any:
    """The spec of the rows of each component.

    Raises:
        ValueError: a component without dimensions. TypeError: a sparse one.
    """
    for leaf in leaves_of(spec):
        if isinstance(leaf, SparseType):
            raise TypeError("rows of sparse tensors are not supported; make them dense first")
        if leaf.shape == ():
            raise ValueError("Cannot unbatch an input with scalar components.")
    return map_leaves(
        lambda t: TensorType(t.dtype, None if t.shape is None else t.shape[1:]), spec
    )


def joined(a: Any, b: Any) -> Any:
    """The most specific spec that both specs fit."""

    def join(x: Any, y: Any) -> Any:
        if x.shape is None or y.shape is None or len(x.shape) != len(y.shape):
            return type(x)(x.dtype, None)
        dims = tuple(p if p == q else None for p, q in zip(x.shape, y.shape, strict=True))
        return type(x)(x.dtype, dims)

    pairs = zip(leaves_of(a), leaves_of(b), strict=True)
    return _pack(a, iter([join(x, y) for x, y in pairs]), False)


def fits(spec: Any, other: Any) -> bool:
    """Whether elements of `other` may be of `spec`: no known extents conflict."""
    return all(
        TensorShape(a.shape).is_compatible_with(TensorShape(b.shape))
        for a, b in zip(flatten(spec), flatten(other), strict=True)
    )
