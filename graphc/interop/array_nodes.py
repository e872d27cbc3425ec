"""TensorFlow's arrays of tensors, TensorArrays and lists, as graphc's TensorArrays.

Lives here: ARRAYS, a rule for each op type. Not here: the loops that carry them
(interop/import_loops.py). TensorFlow passes a handle beside the flow, which says nothing that the
flow, a TensorArray here, does not know; a list is one value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.interop import attributes
from graphc.interop.importer import ForeignRule, Importer, Unavailable, Wanted
from graphc.interop.messages import NodeDef
from graphc.ir.dtypes import as_dtype, int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.tensor_array import TensorArray


@dataclass(frozen=True, eq=False)
class Stack:
    """A stack of tensors: what a loop pushed, or one that is still empty.

    rows: graphc's stack, None while it is empty. array: the same, empty, as an array.
    """

    rows: Tensor | None
    array: TensorArray | None = None


@dataclass(frozen=True, eq=False)
class Pushing:
    """A stack inside of a loop that pushes: what was pushed in this step so far."""

    stack: Stack
    pushed: tuple[Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class Popping:
    """A stack inside of a loop that pops: its row of this step, until it is taken."""

    row: Tensor
    taken: bool = False


class NeedsArray(Exception):
    """Raised where a stack is used as more than a stack."""

    def __init__(self, stack: Any) -> None:
        super().__init__()
        self.stack = stack


def _attr(nd: NodeDef, name: str, default: Any = None) -> Any:
    return attributes.value_of(nd.attr[name]) if name in nd.attr else default


def _array(value: Any, nd: NodeDef) -> TensorArray:
    if isinstance(value, TensorArray):
        return value
    if isinstance(value, Pushing):
        raise NeedsArray(value.stack)
    if isinstance(value, Stack) and value.array is not None:
        return value.array
    if isinstance(value, Stack | Popping):
        raise Unavailable("graphc reads stacks of loops in loops only, last row first")
    raise InvalidArgumentError(f"node {nd.name!r} ({nd.op}) reads something that is no array")


def _dims(shape: Any) -> Any:
    """The dimensions that an element_shape input says."""
    known = value_of(shape)
    if known is None or known.ndim == 0:
        return None
    numbers = [None if v is None else int(v) for v in known.reshape(-1).tolist()]
    return tuple(None if v is None or v < 0 else v for v in numbers)


def _all_rows(indices: Tensor, array: TensorArray) -> bool:
    """Whether indices are 0, 1, 2, ... up to the last row."""
    known = value_of(indices)
    if known is not None and known.dtype != object:
        size = value_of(array._size)
        fits = size is None or size.dtype == object or int(size) == len(known)
        return fits and known.tolist() == list(range(len(known)))
    node = indices.node
    if node.op.name != "range":
        return False
    start, step = (value_of(node.inputs[k]) for k in (0, 2))
    return start is not None and step is not None and (int(start), int(step)) == (0, 1)


def _typed(value: Tensor, dims: Any) -> Tensor:
    if dims is not None:
        value.set_shape(TensorShape(dims))
    return value


# ------------------------------------------------------------------ TensorArrays
def _make(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array = TensorArray(
        _attr(nd, "dtype"), inputs[0], bool(_attr(nd, "dynamic_size", False)),
        element_shape=_attr(nd, "element_shape"), name=f"{imp.prefix}{nd.name}/",
    )  # fmt: skip
    return Wanted("a TensorArray's handle", (array,)), array


def _write(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return _array(inputs[3], nd).write(inputs[1], inputs[2])


def _read(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return _array(inputs[2], nd).read(inputs[1])


def _gather(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array, indices = _array(inputs[2], nd), inputs[1]
    element = _attr(nd, "element_shape")
    rows = array.stack() if _all_rows(indices, array) else array.gather(indices)
    return _typed(rows, None if element is None else (None, *element))


def _scatter(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array = _array(inputs[3], nd)
    if _all_rows(inputs[1], array):
        return array.unstack(inputs[2])
    return array.scatter(inputs[1], inputs[2])


def _size(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return _array(inputs[-1], nd).size()


def _concat(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array = _array(inputs[-1], nd) if nd.op == "TensorArrayConcatV3" else _array(inputs[0], nd)
    row = F.strided_slice(F.shape(array.flow), [1], [2], [1], shrink_axis_mask=1)
    lengths = F.fill(F.reshape(array.size(), [1]), row)
    return array.concat(), F.cast(lengths, dtype=as_dtype("int64"))


def _split(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return _array(inputs[3], nd).split(inputs[1], F.cast(inputs[2], dtype=int32))


def _close(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return ()


def _grad(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    raise Unavailable(
        "graphc does not read TensorFlow's gradients of TensorArrays: take gradients anew with "
        "tf.gradients"
    )


# ------------------------------------------------------------------ lists
def _reserve(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return TensorArray(
        _attr(nd, "element_dtype"), inputs[1], element_shape=_dims(inputs[0]),
        name=f"{imp.prefix}{nd.name}/",
    )  # fmt: skip


def _empty(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array = TensorArray(
        _attr(nd, "element_dtype"), 0, True, element_shape=_dims(inputs[0]),
        name=f"{imp.prefix}{nd.name}/",
    )  # fmt: skip
    return Stack(None, array)


def _set_item(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array = _array(inputs[0], nd)
    if _attr(nd, "resize_if_index_out_of_bounds", False) and not array.dynamic_size:
        array = array._over(array.flow)
        array._dynamic = True
    return array.write(inputs[1], inputs[2])


def _get_item(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    return _typed(_array(inputs[0], nd).read(inputs[1]), _dims(inputs[2]))


def _from_tensor(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    rows: Tensor = inputs[0]
    known = rows.dims[0] if rows.dims else None
    size = known if known is not None else F.strided_slice(
        F.shape(rows), [0], [1], [1], shrink_axis_mask=1
    )  # fmt: skip
    return TensorArray(rows.dtype, size).unstack(rows)


def _stacked(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    element = _dims(inputs[1])
    return _typed(_array(inputs[0], nd).stack(), None if element is None else (None, *element))


def _list_gather(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array = _array(inputs[0], nd)
    return array.stack() if _all_rows(inputs[1], array) else array.gather(inputs[1])


def _list_scatter(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    rows, indices = inputs[0], inputs[1]
    if nd.op == "TensorListScatterIntoExistingList":
        return _array(inputs[0], nd).scatter(inputs[2], inputs[1])
    known = value_of(inputs[3]) if len(inputs) > 3 else None
    if known is not None and int(known) >= 0:
        size: Any = int(known)
    else:
        size = F.add(F.reduce_max(indices, axes=None, keepdims=False), 1)
    array = TensorArray(rows.dtype, size)
    return array.unstack(rows) if _all_rows(indices, array) else array.scatter(indices, rows)


def _push(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    stack, value = inputs
    if isinstance(stack, Pushing):
        return Pushing(stack.stack, (*stack.pushed, value))
    array = _array(stack, nd)
    return array.write(array.size(), value)


def _pop(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    stack = inputs[0]
    if isinstance(stack, Popping) and not stack.taken:
        return Popping(stack.row, True), _typed(stack.row, _dims(inputs[1]))
    array = _array(stack, nd)
    last = F.subtract(array.size(), 1)
    row = array.read(last)
    rest = F.slice(array.flow, F.zeros_like(F.shape(array.flow)), _rows(array.flow, last))
    return array._over(rest), _typed(row, _dims(inputs[1]))


def _rows(flow: Tensor, count: Tensor) -> Tensor:
    """The extents of the first `count` rows."""
    tail = F.slice(F.shape(flow), [1], [-1])
    extents: Tensor = F.concat(F.reshape(count, [1]), tail, axis=0)
    return extents


def _resize(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    array = _array(inputs[0], nd)._over(_array(inputs[0], nd).flow)
    array._dynamic = True
    return array


def _element_shape(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    dims = _array(inputs[0], nd).element_shape.dims_tuple
    numbers = -1 if dims is None else [-1 if d is None else d for d in dims]
    return F.identity(np.array(numbers, _attr(nd, "shape_type", int32).np))


ARRAYS: dict[str, ForeignRule] = {
    "TensorArrayV3": _make,
    "TensorArrayWriteV3": _write,
    "TensorArrayReadV3": _read,
    "TensorArrayGatherV3": _gather,
    "TensorArrayScatterV3": _scatter,
    "TensorArraySizeV3": _size,
    "TensorArrayConcatV3": _concat,
    "TensorArraySplitV3": _split,
    "TensorArrayCloseV3": _close,
    "TensorArrayGradV3": _grad,
    "TensorListReserve": _reserve,
    "EmptyTensorList": _empty,
    "TensorListSetItem": _set_item,
    "TensorListGetItem": _get_item,
    "TensorListFromTensor": _from_tensor,
    "TensorListStack": _stacked,
    "TensorListGather": _list_gather,
    "TensorListScatter": _list_scatter,
    "TensorListScatterV2": _list_scatter,
    "TensorListScatterIntoExistingList": _list_scatter,
    "TensorListLength": _size,
    "TensorListConcatV2": _concat,
    "TensorListPushBack": _push,
    "TensorListPopBack": _pop,
    "TensorListResize": _resize,
    "TensorListElementShape": _element_shape,
}
