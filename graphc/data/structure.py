"""Structures of elements: nested tuples and dicts, mirrored in types, shapes and values.

Lives here: flatten, pack, conversion of values to tensors, specs (structures of TensorType). Not
here: datasets. A list is no structure: it becomes one tensor. Dicts are flattened by sorted keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor, TensorType
from graphc.ir.tensor_shape import TensorShape, as_shape
from graphc.ops.convert import convert_to_tensor


def is_structure(value: Any) -> bool:
    """A tuple or a mapping."""
    return isinstance(value, tuple | Mapping)


def flatten(value: Any) -> list[Any]:
    """The leaves, from left to right; of dicts by sorted keys."""
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in flatten(item)]
    if isinstance(value, Mapping):
        return [leaf for key in sorted(value) for leaf in flatten(value[key])]
    return [value]


def pack(like: Any, flat: Iterable[Any]) -> Any:
    """A structure as `like` with these leaves."""
    return _pack(like, iter(flat))


def _pack(like: Any, flat: Iterator[Any]) -> Any:
    if isinstance(like, tuple):
        items = [_pack(item, flat) for item in like]
        make: Any = type(like)
        return make(*items) if hasattr(like, "_fields") else tuple(items)
    if isinstance(like, Mapping):
        by_key = {key: _pack(like[key], flat) for key in sorted(like)}
        return type(like)((key, by_key[key]) for key in like)  # type: ignore[call-arg]
    return next(flat)


def map_leaves(fn: Callable[[Any], Any], value: Any) -> Any:
    """A structure of the same form with fn(leaf) for each leaf."""
    return pack(value, [fn(leaf) for leaf in flatten(value)])


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
    flat = [convert_to_tensor(leaf, name=f"component_{k}") for k, leaf in enumerate(flatten(value))]
    return pack(value, flat)


# ------------------------------------------------------------------ specs
def spec_of(tensors: Any) -> Any:
    """The types of a structure of tensors."""
    return map_leaves(lambda t: t.type, tensors)


def make_spec(types: Any, shapes: Any = None) -> Any:
    """The spec of dtypes and shapes as a user gives them; unknown shapes where they are None."""
    types = _listless(types)
    kinds = [as_dtype(t) for t in flatten(types)]
    if shapes is None:
        dims: list[Any] = [None] * len(kinds)
    else:
        dims = [as_shape(s).dims_tuple for s in flatten_like(types, shapes, "output_shapes")]
    return pack(types, [TensorType(k, d) for k, d in zip(kinds, dims, strict=True)])


def _listless(value: Any) -> Any:
    return tuple(_listless(v) for v in value) if isinstance(value, list) else value


def types_of(spec: Any) -> Any:
    """output_types."""
    return map_leaves(lambda t: t.dtype, spec)


def shapes_of(spec: Any) -> Any:
    """output_shapes."""
    return map_leaves(lambda t: TensorShape(t.shape), spec)


def classes_of(spec: Any) -> Any:
    """output_classes: every component is a Tensor."""
    return map_leaves(lambda t: Tensor, spec)


def batched(spec: Any, size: int | None) -> Any:
    """The spec of stacked elements."""
    return map_leaves(
        lambda t: TensorType(t.dtype, None if t.shape is None else (size, *t.shape)), spec
    )


def unbatched(spec: Any) -> Any:
    """The spec of the rows of each component.

    Raises:
        ValueError: a component without dimensions.
    """
    for leaf in flatten(spec):
        if leaf.shape == ():
            raise ValueError("Cannot unbatch an input with scalar components.")
    return map_leaves(
        lambda t: TensorType(t.dtype, None if t.shape is None else t.shape[1:]), spec
    )


def joined(a: Any, b: Any) -> Any:
    """The most specific spec that both specs fit."""

    def join(x: TensorType, y: TensorType) -> TensorType:
        if x.shape is None or y.shape is None or len(x.shape) != len(y.shape):
            return TensorType(x.dtype, None)
        dims = tuple(p if p == q else None for p, q in zip(x.shape, y.shape, strict=True))
        return TensorType(x.dtype, dims)

    return pack(a, [join(x, y) for x, y in zip(flatten(a), flatten(b), strict=True)])


def fits(spec: Any, other: Any) -> bool:
    """Whether elements of `other` may be of `spec`: no known extents conflict."""
    return all(
        TensorShape(a.shape).is_compatible_with(TensorShape(b.shape))
        for a, b in zip(flatten(spec), flatten(other), strict=True)
    )
