"""tf.slice, tf.strided_slice, and Tensor.__getitem__.

Lives here: the translation of Python index keys into strided_slice. Not here: the record
(ops/slicing.py). Imports ops; ops/operators.py installs getitem.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import int32, int64
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import Dimension
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.arguments import index_tensor

__all__ = ["newaxis", "slice", "strided_slice"]

newaxis = None
_SLICE_TYPE_ERROR = (
    "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar "
    "tf.int32/tf.int64 tensors are valid indices"
)


def slice(  # tf.slice
    input_: Any, begin: Any, size: Any, name: str | None = None
) -> Tensor:
    """The part of a tensor that begins at `begin` and has shape `size` (-1: the rest).

    Args:
        begin, size: vectors of the input's rank, int32 or int64.

    Raises:
        ShapeError, InvalidArgumentError: the part is outside the tensor.
    """
    start, extent = index_tensor(begin), index_tensor(size)
    if start.dtype is not extent.dtype:
        start, extent = (F.cast(t, dtype=int64) for t in (start, extent))
    return F.slice(convert_to_tensor(input_), start, extent, name=name)


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """A NumPy index as three vectors and five masks (tf.strided_slice).

    Raises:
        ShapeError, InvalidArgumentError: more entries than axes, an index out of bounds, a zero
        stride.
    """
    start, stop = index_tensor(begin), index_tensor(end)
    step = F.ones_like(start) if strides is None else index_tensor(strides)
    if len({t.dtype for t in (start, stop, step)}) > 1:
        start, stop, step = (_widened(t) for t in (start, stop, step))
    return F.strided_slice(
        convert_to_tensor(input_), start, stop, step, begin_mask=begin_mask, end_mask=end_mask,
        ellipsis_mask=ellipsis_mask, new_axis_mask=new_axis_mask,
        shrink_axis_mask=shrink_axis_mask, name=name or "StridedSlice",
    )  # fmt: skip


def _widened(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype is int64 else F.cast(tensor, dtype=int64)


# ------------------------------------------------------------------ __getitem__
def getitem(tensor: Tensor, key: Any) -> Tensor:
    """tensor[key] for every NumPy form but arrays: ints, slices, `...`, None, scalar tensors.

    Raises:
        TypeError: other keys, arrays and masks among them. ShapeError: "slice index 5 of dimension
        0 out of bounds."
    """
    parts = list(key) if isinstance(key, tuple | list) else [key]
    rows: list[tuple[Any, Any, Any]] = []
    masks = dict.fromkeys(("begin", "end", "ellipsis", "new_axis", "shrink_axis"), 0)
    for i, part in enumerate(parts):
        rows.append(_read(part, 1 << i, masks))
    graph = tensor.graph
    with graph.name_scope("strided_slice") as scope:
        vectors = [_packed([row[n] for row in rows], graph) for n in range(3)]
        if any(v.dtype is int64 for v in vectors):
            vectors = [_widened(v) for v in vectors]
    attrs = {f"{m}_mask": bits for m, bits in masks.items()}
    return F.strided_slice(tensor, *vectors, name=scope or None, **attrs)


def _read(part: Any, bit: int, masks: dict[str, int]) -> tuple[Any, Any, Any]:
    """(begin, end, stride) of one entry of the key; sets its bit in the masks."""
    if part is Ellipsis:
        masks["ellipsis"] |= bit
        return 0, 0, 1
    if part is None:
        masks["new_axis"] |= bit
        return 0, 0, 1
    if isinstance(part, builtins.slice):
        return _read_slice(part, bit, masks)
    at = _checked(part)
    masks["shrink_axis"] |= bit
    return at, at + 1, 1


def _read_slice(part: builtins.slice, bit: int, masks: dict[str, int]) -> tuple[Any, Any, Any]:
    begin: Any = 0
    end: Any = 0
    if _absent(part.start):
        masks["begin"] |= bit
    else:
        begin = _checked(part.start)
    if _absent(part.stop):
        masks["end"] |= bit
    else:
        end = _checked(part.stop)
    return begin, end, 1 if _absent(part.step) else _checked(part.step)


def _absent(bound: Any) -> bool:
    return bound is None or (isinstance(bound, Dimension) and bound.value is None)


def _checked(index: Any) -> Any:
    """An int or a scalar integer tensor."""
    if isinstance(index, int | np.integer | Dimension):
        return int(index)
    if isinstance(index, np.ndarray) and index.ndim == 0 and index.dtype.kind in "iu":
        return int(index)
    if is_tensor_like(index):
        tensor = convert_to_tensor(index)
        if tensor.dtype.is_integer and tensor.rank in (0, None):
            return tensor if tensor.dtype in (int32, int64) else F.cast(tensor, dtype=int32)
    raise TypeError(f"{_SLICE_TYPE_ERROR}, got {index!r}")


def _packed(items: Sequence[Any], graph: Any) -> Tensor:
    wide = any(isinstance(v, Tensor) and v.dtype is int64 for v in items)
    if not any(isinstance(v, Tensor) for v in items):
        value = np.array(items, np.int64).reshape(-1)
        narrow = value.size == 0 or bool(np.abs(value).max() < 2**31 - 1)
        return convert_to_tensor(
            value.astype(np.int32 if narrow else np.int64), None, "stack", graph=graph
        )
    dtype = int64 if wide else int32
    parts = [
        _widened(v) if wide and isinstance(v, Tensor) else convert_to_tensor(v, dtype, graph=graph)
        for v in items
    ]
    return F.stack(*parts, axis=0, name="stack")
