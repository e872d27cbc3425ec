"""Arithmetic on corresponding elements, casts, sums of many tensors, running sums.

Lives here: add to cumprod, one record each. Not here: exp, sin, erf and their kin
(ops/math_special.py), comparisons (ops/logic.py). Imports ops.define and kernel.prims.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import (
    COMPLEX,
    FLOAT,
    NUMERIC,
    REAL_OR_BOOL,
    float32,
    float64,
    int32,
    int64,
)
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape, dim_max, dim_min
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr
from graphc.ops.define import F, InferContext, KernelContext, OpDef, elementwise, host
from graphc.ops.merging import merged
from graphc.ops.reference import EDGES, PLAIN, on_dims, wide
from graphc.ops.samples import arg, fixed, nonzero, sample, special, uniform

INT64_MAX = np.iinfo(np.int64).max
NONZERO = nonzero(0.5, 3.0)
POSITIVE = uniform(0.5, 4.0)
QUOTIENTS = ((PLAIN, NONZERO), (uniform(-40, 40), nonzero(2.0, 9.0)))


def _none(g: Tensor, *values: Tensor) -> Any:
    """The gradient of a piecewise constant op: none for any input."""
    return (None,) * (len(values) - 1)


# ------------------------------------------------------------------ sums and products
add = elementwise(
    "add", tf="Add", dtypes=(*NUMERIC, *COMPLEX),
    numpy=on_dims(np.add, operator.add),
    scalar=lambda x, y: x + y,
    grad=lambda g, x, y, out: (g, g),
    samples=(PLAIN, EDGES),
)  # fmt: skip

subtract = elementwise(
    "subtract", tf="Sub", dtypes=(*NUMERIC, *COMPLEX),
    numpy=on_dims(np.subtract, operator.sub),
    scalar=lambda x, y: x - y,
    grad=lambda g, x, y, out: (g, -g),
    samples=(PLAIN, EDGES),
)  # fmt: skip

multiply = elementwise(
    "multiply", tf="Mul", dtypes=(*NUMERIC, *COMPLEX),
    numpy=on_dims(np.multiply, operator.mul),
    scalar=lambda x, y: x * y,
    grad=lambda g, x, y, out: (g * y, g * x),
    samples=(PLAIN, EDGES),
)  # fmt: skip

squared_difference = elementwise(
    "squared_difference", tf="SquaredDifference", dtypes=NUMERIC,
    numpy=wide(lambda x, y: (x - y) * (x - y)),
    scalar=lambda x, y: k.square(x - y),
    grad=lambda g, x, y, out: (2 * g * (x - y), -2 * g * (x - y)),
    samples=(PLAIN, EDGES),
)  # fmt: skip

negative = elementwise(
    "negative", tf="Neg", dtypes=(*NUMERIC, *COMPLEX),
    numpy=on_dims(np.negative, operator.neg, 1),
    scalar=lambda x: -x,
    grad=lambda g, x, out: -g,
    samples=(PLAIN, EDGES),
)  # fmt: skip

square = elementwise(
    "square", tf="Square", dtypes=(*NUMERIC, *COMPLEX),
    numpy=np.square,
    scalar=lambda x: x * x,
    grad=lambda g, x, out: g * (2 * x),
    samples=(PLAIN, EDGES),
)  # fmt: skip

abs_ = elementwise(
    "abs", tf="Abs", dtypes=NUMERIC,
    numpy=on_dims(np.abs, lambda d: dim_max(d, -d), 1),
    scalar=lambda x: k.abs_(x),
    grad=lambda g, x, out: g * F.sign(x),
    samples=(PLAIN, EDGES),
)  # fmt: skip

sign = elementwise(
    "sign", tf="Sign", dtypes=NUMERIC,
    numpy=np.sign,
    scalar=lambda x: k.sign(x),
    grad=lambda g, x, out: F.zeros_like(g),
    samples=(PLAIN, EDGES),
)  # fmt: skip


# ------------------------------------------------------------------ quotients
def _check_divisor(y: np.ndarray[Any, Any]) -> None:
    """Integers only: floats divide by zero to infinity or NaN."""
    if y.dtype.kind in "iu" and (y == 0).any():
        raise InvalidArgumentError("Integer division by zero")


def _floordiv_dims(a: Any, b: Any) -> Any:
    if isinstance(b, int | np.integer) and b == 0:
        raise InvalidArgumentError("Integer division by zero")
    return a // b


def _floordiv(x: Any, y: Any) -> Any:
    _check_divisor(y)
    if y.dtype.kind in "iu":
        return np.floor_divide(x, y)
    return np.floor(wide(np.divide)(x, y))  # TF's floor(x / y), not Python's float //


def _floormod(x: Any, y: Any) -> Any:
    _check_divisor(y)
    return np.mod(x, y) if y.dtype.kind in "iu" else wide(_floormod_float)(x, y)


def _floormod_float(x: Any, y: Any) -> Any:
    rest = np.fmod(x, y)
    return np.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)


def _truncatediv(x: Any, y: Any) -> Any:
    _check_divisor(y)
    if y.dtype.kind not in "iu":
        return np.trunc(wide(np.divide)(x, y))
    return k.TABLE["truncdiv"].numpy(*np.broadcast_arrays(x, y))


def _truncatemod(x: Any, y: Any) -> Any:
    _check_divisor(y)
    return wide(np.fmod)(x, y)


def _scalar_floormod(x: Expr, y: Expr) -> Expr:
    if x.dtype.is_integer:
        return k.floormod(x, y)
    rest = k.fmod(x, y)
    crossed = k.and_(k.ne(rest, 0), k.xor(k.lt(rest, 0), k.lt(y, 0)))
    return k.select(crossed, rest + y, rest)


def _scalar_truncatemod(x: Expr, y: Expr) -> Expr:
    return x - k.truncdiv(x, y) * y if x.dtype.is_integer else k.fmod(x, y)


divide = elementwise(
    "divide", tf="RealDiv", dtypes=(*FLOAT, *COMPLEX),
    numpy=np.divide,
    scalar=lambda x, y: x / y,
    grad=lambda g, x, y, out: (g / y, -g * x / y / y),
    samples=((PLAIN, NONZERO), EDGES),
)  # fmt: skip

floordiv = elementwise(
    "floordiv", tf="FloorDiv", dtypes=NUMERIC,
    numpy=on_dims(_floordiv, _floordiv_dims),
    scalar=lambda x, y: k.floordiv(x, y) if x.dtype.is_integer else k.floor(x / y),
    grad=_none,
    samples=QUOTIENTS,
)  # fmt: skip

floormod = elementwise(
    "floormod", tf="FloorMod", dtypes=NUMERIC,
    numpy=on_dims(_floormod, operator.mod),
    scalar=_scalar_floormod,
    grad=lambda g, x, y, out: (g, -g * F.floordiv(x, y)),
    samples=QUOTIENTS,
)  # fmt: skip

truncatediv = elementwise(
    "truncatediv", tf="TruncateDiv", dtypes=NUMERIC,
    numpy=on_dims(_truncatediv, _floordiv_dims),  # dimensions are not negative
    scalar=lambda x, y: k.truncdiv(x, y) if x.dtype.is_integer else k.trunc(x / y),
    grad=_none,
    samples=QUOTIENTS,
)  # fmt: skip

truncatemod = elementwise(
    "truncatemod", tf="TruncateMod", dtypes=NUMERIC,
    numpy=_truncatemod,
    scalar=_scalar_truncatemod,
    grad=lambda g, x, y, out: (g, -g * F.truncatediv(x, y)),
    samples=QUOTIENTS,
)  # fmt: skip

mod = elementwise(
    "mod", tf="Mod", dtypes=NUMERIC,
    numpy=_truncatemod,
    scalar=_scalar_truncatemod,
    grad=lambda g, x, y, out: (g, -g * F.truncatediv(x, y)),
    samples=QUOTIENTS,
)  # fmt: skip

reciprocal = elementwise(
    "reciprocal", tf="Reciprocal", dtypes=(*FLOAT, *COMPLEX),
    numpy=wide(lambda x: 1 / x),
    scalar=lambda x: k.recip(x),
    grad=lambda g, x, out: -g * out * out,
    samples=(NONZERO, EDGES),
)  # fmt: skip

div_no_nan = elementwise(
    "div_no_nan", tf="DivNoNan", dtypes=FLOAT,
    numpy=wide(lambda x, y: np.where(y == 0, np.zeros_like(x), x / np.where(y == 0, 1, y))),
    scalar=lambda x, y: k.select(k.eq(y, 0), k.constant(0, x.dtype), x / y),
    grad=lambda g, x, y, out: (F.div_no_nan(g, y), -g * F.div_no_nan(out, y)),
    samples=((PLAIN, NONZERO), EDGES),
)  # fmt: skip

multiply_no_nan = elementwise(
    "multiply_no_nan", tf="MulNoNan", dtypes=FLOAT,
    numpy=wide(lambda x, y: np.where(y == 0, np.zeros_like(x), x * y)),
    scalar=lambda x, y: k.select(k.eq(y, 0), k.constant(0, x.dtype), x * y),
    grad=lambda g, x, y, out: (F.multiply_no_nan(g, y), F.multiply_no_nan(x, g)),
    samples=(PLAIN, EDGES),
)  # fmt: skip


# ------------------------------------------------------------------ powers
def _pow(x: Any, y: Any) -> Any:
    if y.dtype.kind == "i" and (y < 0).any():
        raise InvalidArgumentError("Integers to negative integer powers are not allowed")
    return np.power(x, y)


def _scalar_pow(x: Expr, y: Expr) -> Expr:
    if not x.dtype.is_integer:
        return k.pow_(x, y)
    if x.dtype.is_unsigned:
        return k.ipow(x, y)
    checked = k.check_index(k.cast(y, int64), INT64_MAX)  # flags a negative exponent
    return k.ipow(x, k.cast(checked, x.dtype))


def _pow_grad(g: Tensor, x: Tensor, y: Tensor, out: Tensor) -> Any:
    """TF's: log x counts as 0 where x <= 0 (complex: where x is 0)."""
    positive = F.not_equal(x, F.zeros_like(x)) if x.dtype.is_complex else F.greater(x, 0)
    safe = F.select_v2(positive, x, F.ones_like(x))
    log_x = F.select_v2(positive, F.log(safe), F.zeros_like(x))
    return g * y * F.pow(x, y - 1), g * out * log_x


pow_ = elementwise(
    "pow", tf="Pow", dtypes=(*NUMERIC, *COMPLEX),
    numpy=_pow,
    scalar=_scalar_pow,
    grad=_pow_grad,
    samples=((POSITIVE, PLAIN), (uniform(1, 4), uniform(0, 4))),
)  # fmt: skip

sqrt = elementwise(
    "sqrt", tf="Sqrt", dtypes=(*FLOAT, *COMPLEX),
    numpy=np.sqrt,
    scalar=lambda x: k.sqrt(x),
    grad=lambda g, x, out: g * 0.5 / out,
    samples=(POSITIVE, EDGES),
)  # fmt: skip

rsqrt = elementwise(
    "rsqrt", tf="Rsqrt", dtypes=(*FLOAT, *COMPLEX),
    numpy=wide(lambda x: 1 / np.sqrt(x)),
    scalar=lambda x: k.rsqrt(x),
    grad=lambda g, x, out: g * -0.5 * (out * out * out),
    samples=(POSITIVE, EDGES),
)  # fmt: skip


# ------------------------------------------------------------------ extremes and bounds
def _chosen(mask: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient split by a mask: (where it holds, where it does not)."""
    zero = F.zeros_like(g)
    return F.select_v2(mask, g, zero), F.select_v2(mask, zero, g)


maximum = elementwise(
    "maximum", tf="Maximum", dtypes=NUMERIC,
    numpy=on_dims(np.maximum, dim_max),
    scalar=lambda x, y: k.maximum(x, y),
    grad=lambda g, x, y, out: _chosen(F.greater_equal(x, y), g),
    samples=(PLAIN, EDGES),
)  # fmt: skip

minimum = elementwise(
    "minimum", tf="Minimum", dtypes=NUMERIC,
    numpy=on_dims(np.minimum, dim_min),
    scalar=lambda x, y: k.minimum(x, y),
    grad=lambda g, x, y, out: _chosen(F.less_equal(x, y), g),
    samples=(PLAIN, EDGES),
)  # fmt: skip


def _clip_grad(g: Tensor, t: Tensor, low: Tensor, high: Tensor, out: Tensor) -> Any:
    """To t inside the bounds and on them, to the bound that was taken outside."""
    below, above = F.less(t, low), F.greater(t, high)
    zero = F.zeros_like(g)
    inside = F.select_v2(F.logical_or(below, above), zero, g)
    return inside, F.select_v2(below, g, zero), F.select_v2(above, g, zero)


clip_by_value = elementwise(
    "clip_by_value", tf="ClipByValue", dtypes=NUMERIC, default_name="clip_by_value",
    args=("t", "clip_value_min", "clip_value_max"),
    numpy=lambda t, low, high: np.maximum(np.minimum(t, high), low),
    scalar=lambda t, low, high: k.maximum(k.minimum(t, high), low),
    grad=_clip_grad,
    samples=((PLAIN, uniform(-2.0, -1.0), uniform(1.0, 2.0)), (EDGES, special(-1.0), special(2.0))),
)  # fmt: skip


# ------------------------------------------------------------------ rounding
def _rounding(name: str, tf: str, numpy: Any, builder: Any) -> OpDef:
    return elementwise(
        name, tf=tf, dtypes=FLOAT, args=("x",), numpy=numpy, scalar=builder, grad=_none,
        samples=(PLAIN, special(0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 1e20, np.inf, -np.inf, np.nan)),
    )  # fmt: skip


floor = _rounding("floor", "Floor", np.floor, k.floor)
ceil = _rounding("ceil", "Ceil", np.ceil, k.ceil)
rint = _rounding("rint", "Rint", np.rint, k.rint)
round_ = _rounding("round", "Round", np.rint, k.rint)  # half to even, as TF's Round
trunc = _rounding("trunc", "Trunc", np.trunc, k.trunc)


# ------------------------------------------------------------------ types
def _cast(x: Any, dtype: Any) -> Any:
    if x.dtype == object:
        return x
    # of complex numbers the real part, without NumPy's warning
    return (x.real if x.dtype.kind == "c" and dtype.kind != "c" else x).astype(dtype.np)


def _cast_grad(g: Tensor, x: Tensor, out: Tensor, dtype: Any) -> Any:
    if not all(d.is_floating or d.is_complex for d in (x.dtype, dtype)):
        return None
    return F.cast(g, dtype=x.dtype)


cast = elementwise(
    "cast", tf="Cast", dtypes=(*REAL_OR_BOOL, *COMPLEX), with_attrs=True, args=("x",),
    out=lambda ctx: ctx.attrs["dtype"],
    numpy=_cast,
    scalar=lambda x, dtype: k.cast(x, dtype),
    grad=_cast_grad,
    samples=(
        sample(arg((3, 4)), dtype=float32), sample(arg((3, 4)), dtype=float64),
        sample(arg((3, 4)), dtype=int32, grad=False), sample(arg((2,)), dtype=int64, grad=False),
    ),
)  # fmt: skip


def _bitcast_type(ctx: InferContext) -> TensorType:
    dtype, shape = ctx.attrs["dtype"], ctx.shape(0)
    before, after = ctx.dtype(0).size, dtype.size
    if shape is None or before == after:
        return TensorType(dtype, shape)
    if before > after:
        return TensorType(dtype, (*shape, before // after))
    if not shape or (isinstance(shape[-1], int) and shape[-1] != after // before):
        last = shape[-1] if shape else 1
        raise ctx.fail(f"Cannot bitcast due to shape. {last} does not match {after // before}")
    return TensorType(dtype, shape[:-1])


def _bitcast(x: Any, dtype: Any) -> Any:
    before, after = x.dtype.itemsize, dtype.size
    x = np.ascontiguousarray(x)
    if before == after:
        return x.view(dtype.np)
    if before > after:
        return x.reshape(*x.shape, 1).view(dtype.np)
    return x.view(dtype.np).reshape(x.shape[:-1])


bitcast = host(
    "bitcast", tf="Bitcast", args=("input",), dtypes={"T": NUMERIC},
    infer=_bitcast_type, numpy=_bitcast, nograd="bits have no derivative",
    samples=(
        sample(arg((3,), PLAIN, float32), dtype=int32, grad=False),
        sample(arg((3,), PLAIN, float64), dtype=int32, grad=False),
        sample(arg((3, 2), PLAIN, float32), dtype=float64, grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ sums of many
def _merged(ctx: InferContext) -> TensorType:
    shape: Shape = None
    for i in range(len(ctx.inputs) - 1, -1, -1):
        tail = f"\n\tFrom merging shape {i} with other shapes."
        shape = merged(ctx, ctx.shape(i), shape, tail)
    return TensorType(ctx.dtype(0), shape)


def _add_n_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    total = ctx.load_compute(0, idx)
    for i in range(1, len(ctx.node.inputs)):
        total = total + ctx.load_compute(i, idx)
    return total


def _add_n(*arrays: Any) -> Any:
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return total


def _add_n_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    return (g,) * len(node.inputs)


add_n = OpDef(
    name="add_n", tf="AddN", family="elementwise", args=("*inputs",),
    dtypes={"T": (*NUMERIC, *COMPLEX)},
    infer=_merged, numpy=wide(_add_n), kernel=_add_n_kernel, grad=_add_n_grad,
    samples=(sample(arg((2, 3))), sample(arg((2, 3)), arg((2, 3)), arg((2, 3)))),
)  # fmt: skip


# ------------------------------------------------------------------ running sums and products
def _scan_type(ctx: InferContext) -> TensorType:
    rank, axis = ctx.rank(0), ctx.attrs["axis"]
    if rank is not None and not -rank <= axis < rank:
        raise ctx.fail(
            f"ScanOp: Expected scan axis in the range [{-rank}, {rank}), but got {axis}"
        )
    return ctx.inputs[0].type


def _scan(ufunc: Any, identity: int) -> Any:
    def call(x: Any, axis: int, exclusive: bool = False, reverse: bool = False) -> Any:
        view = np.flip(x, axis) if reverse else x
        out = ufunc.accumulate(view, axis=axis, dtype=view.dtype)
        if exclusive:
            first = np.full_like(np.take(out, [0] if out.shape[axis] else [], axis), identity)
            keep = max(out.shape[axis] - 1, 0)
            out = np.concatenate([first, np.take(out, range(keep), axis)], axis)
        return np.flip(out, axis) if reverse else out

    return wide(call)


def _cumsum_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    a = node.attrs
    return (_running(F.cumsum, g, a, not a.get("reverse", False)),)


def _cumprod_grad(node: Node, g: Tensor) -> tuple[Tensor, ...]:
    """TF's rule: NaN where an element is 0."""
    a = node.attrs
    total = _running(F.cumsum, node.outputs[0] * g, a, not a.get("reverse", False))
    return (total / node.inputs[0],)


def _running(op: OpDef, x: Tensor, attrs: Any, reverse: bool) -> Tensor:
    out: Tensor = op(
        x, axis=attrs["axis"], exclusive=attrs.get("exclusive", False), reverse=reverse
    )
    return out


_SCANS = (
    sample(arg((3, 4), POSITIVE), axis=0),
    sample(arg((3, 4), POSITIVE), axis=-1, exclusive=True),
    sample(arg((2, 3, 4), POSITIVE), axis=1, reverse=True),
    sample(arg((4,), POSITIVE), axis=0, exclusive=True, reverse=True),
    sample(fixed([[2.0, 3.0]]), axis=1),
)

cumsum = host(
    "cumsum", tf="Cumsum", args=("x",), dtypes={"T": NUMERIC}, infer=_scan_type,
    numpy=_scan(np.add, 0), grad=_cumsum_grad, samples=_SCANS,
)  # fmt: skip

cumprod = host(
    "cumprod", tf="Cumprod", args=("x",), dtypes={"T": NUMERIC}, infer=_scan_type,
    numpy=_scan(np.multiply, 1), grad=_cumprod_grad, samples=_SCANS,
)  # fmt: skip
