"""Basics of the TF1 surface: constants, placeholders, conversion, graph functions.

Lives here: constant, placeholder, convert_to_tensor, identity, collections, seeds. Not here:
scopes (tf1/scopes.py), grouping ops (tf1/ops_misc.py), variables. Imports ops, ir and session.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import session as session  # brings Tensor.eval and Operation.run
from graphc.autodiff.indexed_slices import IndexedSlices, IndexedSlicesValue
from graphc.fetches import register_session_run_conversion_functions
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.graph import Graph, GraphKeys, get_default_graph, reset_default_graph
from graphc.ir.node import Operation, Tensor
from graphc.ir.tensor_shape import Dimension, TensorShape
from graphc.ops import convert
from graphc.ops.define import F
from graphc.tf1.scopes import (
    colocate_with,
    container,
    control_dependencies,
    device,
    name_scope,
    op_scope,
)
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = [
    "DType", "Dimension", "Graph", "GraphKeys", "Operation", "Tensor", "TensorShape",
    "add_to_collection", "add_to_collections", "as_dtype", "colocate_with", "constant", "container",
    "control_dependencies", "convert_to_tensor", "device", "get_collection", "get_collection_ref",
    "get_default_graph", "identity", "is_tensor", "name_scope", "no_op", "op_scope", "placeholder",
    "placeholder_with_default", "register_tensor_conversion_function", "reset_default_graph",
    "set_random_seed", "stop_gradient",
]  # fmt: skip


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    dtype_hint: Any = None,
) -> Tensor:
    """The value as a Tensor (tf.convert_to_tensor); tensors pass as they are.

    Raises:
        ValueError: a tensor of another dtype. TypeError: a value that the dtype cannot hold.
    """
    preferred = dtype_hint if preferred_dtype is None else preferred_dtype
    return convert.convert_to_tensor(value, dtype, name, preferred)


def register_tensor_conversion_function(
    base_type: Any, conversion_func: Any, priority: int = 100
) -> None:
    """Objects of `base_type` become tensors by conversion_func(value, dtype, name, as_ref)."""
    types = base_type if isinstance(base_type, tuple) else (base_type,)

    def call(value: Any, dtype: DType | None) -> Tensor:
        return conversion_func(value, dtype=dtype, name=None, as_ref=False)

    for cls in types:
        convert.register_tensor_conversion_function(cls, call)


def is_tensor(x: Any) -> bool:
    """A Tensor, a Variable or another registered class (tf.is_tensor)."""
    return convert.is_tensor_like(x)


# ------------------------------------------------------------------ sources
def constant(
    value: Any,
    dtype: Any = None,
    shape: Any = None,
    name: str = "Const",
    verify_shape: bool = False,
) -> Tensor:
    """A constant tensor (tf.constant).

    Args:
        shape: the result's shape; fewer values than elements repeat the last one.
        verify_shape: the value must have exactly that shape.

    Raises:
        TypeError: a value that the dtype cannot hold, or verify_shape fails.
        ValueError: more values than the shape has elements.
    """
    if isinstance(value, Tensor):
        raise TypeError(f"List of Tensors when single Tensor expected: {value}")
    want = as_dtype(dtype) if dtype is not None else None
    array = convert.to_array(value, want)
    if shape is not None:
        array = _filled(array, TensorShape(shape), verify_shape)
    return convert.constant_of(array, name)


def _filled(
    array: np.ndarray[Any, Any], shape: TensorShape, verify: bool
) -> np.ndarray[Any, Any]:
    dims = tuple(int(d) for d in shape.as_list())  # type: ignore[arg-type]  # None: TypeError
    if array.shape == dims:
        return array
    if verify:
        raise TypeError(f"Expected Tensor's shape: {dims}, got {array.shape}.")
    total = int(np.prod(dims, dtype=np.int64))
    if array.size > total:
        raise ValueError(
            f"Too many elements provided. Needed at most {total}, but received {array.size}"
        )
    out = np.empty(total, array.dtype)
    out[: array.size] = array.reshape(-1)
    out[array.size :] = array.reshape(-1)[-1] if array.size else 0
    return out.reshape(dims)


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor whose value each run must feed (tf.placeholder).

    Args:
        shape: None accepts any; unknown dimensions are None.

    Raises:
        InvalidArgumentError (when run): "You must feed a value for placeholder tensor ...".
    """
    dims = TensorShape(shape).dims_tuple
    node = get_default_graph().create_node(
        F.placeholder, (), {"dtype": as_dtype(dtype), "shape": dims}, name
    )
    return node.outputs[0]


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """`input`, unless a run feeds another value of this (partial) shape."""
    dims = TensorShape(shape).dims_tuple
    return F.placeholder_with_default(input, shape=dims, name=name)


def identity(input: Any, name: str | None = None) -> Any:
    """The same value as a new tensor (tf.identity); of a SparseTensor a new one."""
    if isinstance(input, SparseTensor):
        made = SparseTensor(
            *(F.identity(part) for part in (input.indices, input.values, input.dense_shape))
        )
        made._static = input._static
        return made
    return F.identity(input, name=name)


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """The same value, through which no gradient flows (tf.stop_gradient)."""
    return F.stop_gradient(input, name=name)


def no_op(name: str | None = None) -> Operation:
    """An op that does nothing but order (tf.no_op)."""
    return F.no_op.node(name=name)


# ------------------------------------------------------------------ the default graph
def add_to_collection(name: Any, value: Any) -> None:
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    get_default_graph().add_to_collections(names, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """A copy of the default graph's collection; `scope` filters by a prefix of names."""
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    """The default graph's collection itself: changes of the list stay."""
    return get_default_graph().get_collection_ref(key)


def set_random_seed(seed: int | None) -> None:
    """The graph-level seed of random ops made after this call (tf.set_random_seed)."""
    get_default_graph().seed = seed


def _as_graph_def(
    self: Graph, from_version: int | None = None, add_shapes: bool = False
) -> Any:
    """The graph as a GraphDef (Graph.as_graph_def)."""
    from graphc.interop.graph_def import graph_def_of

    return graph_def_of(self, from_version, add_shapes)


Graph.as_graph_def = _as_graph_def  # type: ignore[attr-defined]


def _slices_parts(value: IndexedSlices) -> list[Tensor]:
    parts = [value.values, value.indices]
    return parts if value.dense_shape is None else [*parts, value.dense_shape]


def _fetch_slices(value: IndexedSlices) -> tuple[list[Tensor], Any]:

    def contract(got: list[Any]) -> IndexedSlicesValue:
        return IndexedSlicesValue(got[0], got[1], got[2] if len(got) == 3 else None)

    return _slices_parts(value), contract


def _feed_slices(key: IndexedSlices, value: Any) -> list[tuple[Tensor, Any]]:
    return list(zip(_slices_parts(key), value, strict=False))


register_session_run_conversion_functions(IndexedSlices, _fetch_slices, _feed_slices)
