"""What branches and loops carry: nested structures of tensors, TensorArrays and sparse values.

Lives here: flat tensors of a structure and back, structures of shape invariants. Imported by
tf1/control_flow.py only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.dtypes import DType
from graphc.ir.node import Tensor
from graphc.ir.shape import Shape
from graphc.ir.tensor_shape import as_shape
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import nest
from graphc.tf1.sparse_tensor import SparseTensor
from graphc.tf1.tensor_array import TensorArray

Leaf = Any  # Tensor, TensorArray, SparseTensor or IndexedSlices


def leaf_of(value: Any, dtype: DType | None = None) -> Leaf:
    """A value as what loops carry; Python values become tensors, of `dtype` where given."""
    if isinstance(value, TensorArray | SparseTensor | IndexedSlices):
        return value
    if dtype is not None and not isinstance(value, Tensor):
        convert = getattr(value, "_as_graph_element", None)
        if convert is None:
            return convert_to_tensor(value, dtype)
    return convert_to_tensor(value)


def tensors_of(leaf: Leaf) -> tuple[Tensor, ...]:
    """The tensors behind a leaf."""
    if isinstance(leaf, TensorArray):
        return (leaf.flow, leaf._size) if leaf.dynamic_size else (leaf.flow,)
    if isinstance(leaf, SparseTensor):
        return (leaf.indices, leaf.values, leaf.dense_shape)
    if isinstance(leaf, IndexedSlices):
        parts = (leaf.values, leaf.indices)
        return parts if leaf.dense_shape is None else (*parts, leaf.dense_shape)
    return (leaf,)


def like(leaf: Leaf, tensors: Iterator[Tensor]) -> Leaf:
    """The same kind of leaf over other tensors."""
    mine = [next(tensors) for _ in tensors_of(leaf)]
    if isinstance(leaf, TensorArray):
        size = mine[1] if leaf.dynamic_size else None
        return leaf._over(mine[0], size, leaf._capacity)
    if isinstance(leaf, SparseTensor):
        return SparseTensor(*mine)
    if isinstance(leaf, IndexedSlices):
        return IndexedSlices(*mine)
    return mine[0]


def flat(structure: Any) -> list[Leaf]:
    """The leaves of a structure, Python values as tensors."""
    return [leaf_of(v) for v in nest.flatten(structure)]


def pack(structure: Any, leaves: Sequence[Leaf]) -> Any:
    """The leaves in the form of `structure`."""
    if not nest.is_nested(structure):
        return leaves[0]
    return nest.pack_sequence_as(structure, list(leaves))


def shape_of(leaf: Leaf, tensor: Tensor) -> Shape:
    """The shape that a carried tensor keeps; TensorArrays learn theirs by being written."""
    of_array = isinstance(leaf, TensorArray) and tensor is leaf.flow
    return None if of_array else tensor.dims


def invariants(structure: Any, given: Any, leaves: Sequence[Leaf]) -> list[Shape]:
    """A shape for each carried tensor: the given ones, else those that enter the loop.

    Raises:
        ValueError: other structure than the loop variables, or a shape that the initial value
        does not have.
    """
    if given is None:
        return [shape_of(leaf, t) for leaf in leaves for t in tensors_of(leaf)]
    shapes = _flat_shapes(structure, given)
    if len(shapes) != len(leaves):
        raise ValueError(
            "shape_invariants must have the same structure as the loop variables: "
            f"{len(shapes)} shapes for {len(leaves)} variables"
        )
    out: list[Shape] = []
    for leaf, shape in zip(leaves, shapes, strict=True):
        out.extend(_leaf_invariants(leaf, shape))
    return out


def _flat_shapes(structure: Any, given: Any) -> list[Any]:
    """The shapes in the places of the leaves: a shape may itself be a list or tuple of ints."""
    if not nest.is_nested(structure):
        return [given]
    parts = [structure[k] for k in sorted(structure)] if isinstance(structure, dict) else structure
    shapes = [given[k] for k in sorted(given)] if isinstance(given, dict) else given
    if len(parts) != len(shapes):
        raise ValueError("shape_invariants must have the same structure as the loop variables")
    return [s for p, g in zip(parts, shapes, strict=True) for s in _flat_shapes(p, g)]


def _leaf_invariants(leaf: Leaf, shape: Any) -> list[Shape]:
    if isinstance(leaf, TensorArray):
        return [shape_of(leaf, t) for t in tensors_of(leaf)]
    if isinstance(leaf, SparseTensor):
        dense = as_shape(shape).dims_tuple
        rank = None if dense is None else len(dense)
        return [(None, rank), (None,), (rank,)]
    if isinstance(leaf, IndexedSlices):
        return [None for _ in tensors_of(leaf)]
    dims = as_shape(shape).dims_tuple
    if not as_shape(shape).is_compatible_with(leaf.shape) or _tighter(dims, leaf.dims):
        raise ValueError(
            f"The shape invariant specified for {leaf.name} is not compatible with the initial "
            f"shape of the loop variable. It enters the loop with shape {leaf.shape}, but the "
            f"specified shape invariant is {as_shape(shape)}."
        )
    return [dims]


def _tighter(wanted: Shape, have: Shape) -> bool:
    """Whether `wanted` claims more than `have` says."""
    if wanted is None:
        return False
    if have is None or len(have) != len(wanted):
        return True
    return any(w is not None and h is None for w, h in zip(wanted, have, strict=True))


def as_general(wanted: Shape, got: Shape) -> bool:
    """Whether a tensor of shape `got` keeps the invariant `wanted`."""
    if wanted is None:
        return True
    if got is None or len(got) != len(wanted):
        return False
    return all(w is None or w == g for w, g in zip(wanted, got, strict=True))
