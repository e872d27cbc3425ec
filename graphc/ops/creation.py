"""Ops that make tensors from shapes and indices: fill, zeros_like, range, linspace, one_hot, eye.

Lives here: those records and sequence_mask. Not here: constants (ops/source.py), random values
(ops/random.py), diagonals (ops/diagonal.py). Imports ops.define.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, FLOAT, INT, NUMERIC, float32, float64, int32, int64
from graphc.ir.node import TensorType
from graphc.ir.shape import Dim, PartialDim, SymDim
from graphc.kernel import prims as k
from graphc.kernel.expr import Const, Expr, index
from graphc.ops.define import F, InferContext, KernelContext, movement
from graphc.ops.extents import (
    INDEX,
    below_zero,
    ceil_div,
    input_dims,
    is_negative,
    need_rank,
    scalar_value,
)
from graphc.ops.samples import arg, fixed, sample


def _scalar(value: Any, dtype: Any = None) -> Any:
    return fixed(value, dtype, const=True)


# ------------------------------------------------------------------ fill, zeros_like, ones_like
def _fill_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 1, 0)
    dims = input_dims(ctx, 0)
    for d in dims or ():
        if below_zero(d):
            raise ctx.fail("Fill dimensions must be >= 0")
    return TensorType(ctx.dtype(1), None if dims is None else tuple(dims))


def _fill(dims: Any, value: Any) -> Any:
    extents = np.asarray(dims).tolist()
    for d in extents:
        if d < 0:
            raise InvalidArgumentError(f"Dimension {d} must be >= 0")
    return np.full(tuple(extents), value, dtype=np.asarray(value).dtype)


fill = movement(
    "fill", tf="Fill", infer=_fill_type, kernel=lambda ctx, which, idx: ctx.load(1, ()),
    numpy=_fill, grad=lambda node, g: (None, F.reduce_sum(g, axes=None, keepdims=False)),
    args=("dims", "value"), groups=("index_type", "T"),
    dtypes={"T": ALL, "index_type": INDEX}, shape_inputs=(0,),
    samples=(
        sample(fixed([2, 3], int32, const=True), arg(())),
        sample(fixed(np.zeros(0), int32, const=True), arg(())),
        sample(fixed([4], int64, const=True), arg(())),
    ),
)  # fmt: skip


def _constant_like(value: int) -> Any:
    def kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        return Const(value, ctx.out_dtype())

    return kernel


def _like(ctx: InferContext) -> TensorType:
    return ctx.inputs[0].type


zeros_like = movement(
    "zeros_like", tf="ZerosLike", default_name="zeros_like", infer=_like,
    kernel=_constant_like(0), numpy=lambda x: np.zeros_like(x) if x.dtype != object else _blank(x),
    nograd="zeros do not depend on the input", args=("x",), dtypes={"T": ALL},
    samples=(sample(arg((2, 3)), grad=False),),
)  # fmt: skip


def _blank(x: Any) -> Any:
    """Empty strings, or zeros in shape arithmetic."""
    text = x.size > 0 and isinstance(x.flat[0], bytes | str)
    return np.full(x.shape, b"" if text else 0, dtype=object)


ones_like = movement(
    "ones_like", tf="OnesLike", default_name="ones_like", infer=_like,
    kernel=_constant_like(1), numpy=lambda x: np.full(x.shape, 1, x.dtype),
    nograd="ones do not depend on the input", args=("x",),
    dtypes={"T": tuple(d for d in ALL if d.name != "string")},
    samples=(sample(arg((2, 3)), grad=False),),
)  # fmt: skip


# ------------------------------------------------------------------ range, linspace
def _range_size(start: Any, limit: Any, delta: Any) -> int:
    """The number of elements (floats and ints), as TF counts them."""
    if delta == 0:
        raise InvalidArgumentError(f"Requires delta != 0: {delta}")
    if delta > 0 and start > limit:
        raise InvalidArgumentError(f"Requires start <= limit when delta > 0: {start}/{limit}")
    if delta < 0 and start < limit:
        raise InvalidArgumentError(f"Requires start >= limit when delta < 0: {start}/{limit}")
    if isinstance(start, int) and isinstance(limit, int) and isinstance(delta, int):
        return (abs(limit - start) + abs(delta) - 1) // abs(delta)
    return math.ceil(abs((limit - start) / delta))


def _range_type(ctx: InferContext) -> TensorType:
    for i in range(3):
        need_rank(ctx, i, 0)
    start, limit, delta = (scalar_value(ctx, i) for i in range(3))
    if start is None or limit is None or delta is None:
        return TensorType(ctx.dtype(0), (None,))
    if not any(isinstance(v, SymDim) for v in (start, limit, delta)):
        try:
            return TensorType(ctx.dtype(0), (_range_size(start, limit, delta),))
        except InvalidArgumentError as err:
            raise ctx.fail(err.message) from None
    if not isinstance(delta, int) or delta == 0:
        return TensorType(ctx.dtype(0), (None,))
    span: Dim = limit - start if delta > 0 else start - limit
    if is_negative(span):
        sign, order = (">", "<=") if delta > 0 else ("<", ">=")
        raise ctx.fail(f"Requires start {order} limit when delta {sign} 0: {start}/{limit}")
    return TensorType(ctx.dtype(0), (ceil_div(span, abs(delta)),))


def _range(start: Any, limit: Any, delta: Any) -> Any:
    dtype = np.asarray(start).dtype
    a, b, step = (np.asarray(v).item() for v in (start, limit, delta))
    if any(isinstance(v, SymDim) for v in (a, b, step)):
        raise TypeError("symbolic range")
    count = _range_size(a, b, step)
    wide = np.float32 if dtype.itemsize == 2 and dtype.kind not in "iu" else dtype
    at = np.arange(count).astype(wide)
    return (np.asarray(a, wide) + at * np.asarray(step, wide)).astype(dtype)


def _range_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    start, delta = ctx.load_compute(0, ()), ctx.load_compute(2, ())
    return start + k.cast(idx[0], start.dtype) * delta


range_ = movement(
    "range", tf="Range", default_name="range", infer=_range_type, kernel=_range_kernel,
    numpy=_range, nograd="its values are counted, as in TF1", args=("start", "limit", "delta"),
    dtypes={"T": NUMERIC}, shape_inputs=(0, 1, 2),
    samples=(
        sample(_scalar(0), _scalar(5), _scalar(1), grad=False),
        sample(_scalar(10), _scalar(3), _scalar(-2), grad=False,
               dtypes=(int32, int64, float32, float64)),
        sample(_scalar(0.5), _scalar(2.0), _scalar(0.25), grad=False, dtypes=FLOAT),
        sample(_scalar(3), _scalar(3), _scalar(1), grad=False),
    ),
)  # fmt: skip


def _count(ctx: InferContext, i: int, what: str) -> PartialDim:
    value = scalar_value(ctx, i)
    if isinstance(value, int) and value < 0:
        raise ctx.fail(
            f"Dimension size, given by scalar input {i}, must be non-negative but is {value}"
        )
    if isinstance(value, int) and value == 0 and what == "num":
        raise ctx.fail(f"Requires num > 0: {value}")
    return value


def _linspace(start: Any, stop: Any, num: Any) -> Any:
    count, dtype = int(num), np.asarray(start).dtype
    if count <= 0:
        raise InvalidArgumentError(f"Requires num > 0: {count}")
    wide = np.float32 if dtype.itemsize == 2 else dtype
    a, b = np.asarray(start, wide), np.asarray(stop, wide)
    step = (b - a) / np.asarray(max(count - 1, 1), wide)
    out = a + np.arange(count).astype(wide) * step
    if count > 1:
        out[-1] = b
    return out.astype(dtype)


def _linspace_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    start, stop = ctx.load_compute(0, ()), ctx.load_compute(1, ())
    last = index(ctx.out_shape()[0]) - 1
    step = (stop - start) / k.cast(k.maximum(last, 1), start.dtype)
    inner = start + k.cast(idx[0], start.dtype) * step
    at_end = k.and_(k.eq(idx[0], last), k.gt(idx[0], 0))
    return k.select(at_end, stop, inner)


linspace = movement(
    "linspace", tf="LinSpace", infer=lambda ctx: TensorType(ctx.dtype(0), (_count(ctx, 2, "num"),)),
    kernel=_linspace_kernel, numpy=_linspace, nograd="its values are counted, as in TF1",
    args=("start", "stop", "num"), groups=("T", "T", "Tidx"), dtypes={"T": FLOAT, "Tidx": INDEX},
    shape_inputs=(2,),
    samples=(
        sample(arg(()), arg(()), _scalar(5, int32), grad=False),
        sample(arg(()), arg(()), _scalar(1, int32), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ one_hot
def _one_hot_type(ctx: InferContext) -> TensorType:
    depth, shape = _count(ctx, 1, "depth"), ctx.shape(0)
    need_rank(ctx, 1, 0)
    if shape is None:
        return TensorType(ctx.dtype(2), None)
    axis = ctx.attrs["axis"]
    if not -1 <= axis <= len(shape):
        raise ctx.fail(f"axis must be >= -1 and <= {len(shape)}, but is {axis}")
    at = len(shape) if axis == -1 else axis
    return TensorType(ctx.dtype(2), (*shape[:at], depth, *shape[at:]))


def _one_hot(indices: Any, depth: Any, on_value: Any, off_value: Any, axis: int) -> Any:
    at = indices.ndim if axis == -1 else axis
    hit = np.expand_dims(indices, at) == np.arange(int(depth)).reshape(
        [-1 if d == at else 1 for d in range(indices.ndim + 1)]
    )
    return np.where(hit, on_value, off_value).astype(np.asarray(on_value).dtype)


def _one_hot_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at = len(idx) - 1 if ctx.attrs["axis"] == -1 else ctx.attrs["axis"]
    found = ctx.load(0, [x for d, x in enumerate(idx) if d != at])
    return k.select(k.eq(k.cast(found, int64), idx[at]), ctx.load(2, ()), ctx.load(3, ()))


one_hot = movement(
    "one_hot", tf="OneHot", default_name="one_hot", infer=_one_hot_type, kernel=_one_hot_kernel,
    numpy=_one_hot, nograd="classes are integers; TF1 gives none for on and off values",
    args=("indices", "depth", "on_value", "off_value"), groups=("TI", int32, "T", "T"),
    dtypes={"T": ALL, "TI": INT}, shape_inputs=(1,),
    samples=(
        sample(fixed([0, 2, -1, 5], int32), _scalar(3, int32), fixed(1), fixed(0), axis=-1,
               grad=False),
        sample(fixed([[0, 1], [2, 1]], int64), _scalar(3, int32), fixed(2), fixed(1), axis=0,
               grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ eye, sequence_mask
def _eye_type(ctx: InferContext) -> TensorType:
    return TensorType(ctx.attrs["dtype"], (_count(ctx, 0, "rows"), _count(ctx, 1, "columns")))


eye = movement(
    "eye", tf="Eye", default_name="eye", infer=_eye_type,
    kernel=lambda ctx, which, idx: k.select(
        k.eq(idx[0], idx[1]), Const(1, ctx.out_dtype()), Const(0, ctx.out_dtype())
    ),
    numpy=lambda rows, columns, dtype: np.eye(int(rows), int(columns), dtype=dtype.np),
    nograd="it has no differentiable inputs", args=("rows", "columns"), groups=(int32, int32),
    shape_inputs=(0, 1),
    samples=tuple(
        sample(_scalar(3, int32), _scalar(4, int32), dtype=d, grad=False, dtypes=(float32,))
        for d in (float32, float64, int32)
    ),
)  # fmt: skip


def _mask_type(ctx: InferContext) -> TensorType:
    shape = ctx.shape(0)
    dims = None if shape is None else (*shape, _count(ctx, 1, "maxlen"))
    return TensorType(ctx.attrs["dtype"], dims)


def _sequence_mask(lengths: Any, maxlen: Any, dtype: Any) -> Any:
    return (np.arange(int(maxlen)) < np.asarray(lengths)[..., None]).astype(dtype.np)


def _mask_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    inside = k.lt(idx[-1], k.cast(ctx.load(0, idx[:-1]), int64))
    return inside if ctx.out_dtype().is_bool else k.cast(inside, ctx.out_dtype().compute)


sequence_mask = movement(
    "sequence_mask", tf="SequenceMask", infer=_mask_type, kernel=_mask_kernel,
    numpy=_sequence_mask, nograd="lengths are integers", args=("lengths", "maxlen"),
    groups=("Tlen", int32), dtypes={"Tlen": INT}, shape_inputs=(1,),
    samples=(
        sample(fixed([1, 3, 0], int32), _scalar(4, int32), dtype=float32, grad=False,
               dtypes=(float32,)),
        sample(fixed([[2], [9]], int64), _scalar(3, int32), dtype=int32, grad=False,
               dtypes=(float32,)),
    ),
)  # fmt: skip

