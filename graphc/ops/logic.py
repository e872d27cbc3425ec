"""Comparisons, logic, selection, tests of floats, bitwise operations.

Lives here: equal to bitwise_invert. Not here: where with one argument (ops/sets.py: its
shape depends on data). Imports ops.define and kernel.prims.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphc.ir.dtypes import ALL, COMPLEX, FLOAT, INT, NUMERIC, REAL_OR_BOOL, DType, bool_, string
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import broadcast_shapes, dims_equal
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr
from graphc.ops.define import F, InferContext, KernelContext, OpDef, elementwise
from graphc.ops.merging import merged
from graphc.ops.reference import EDGES, PLAIN
from graphc.ops.samples import arg, bools, fixed, sample, uniform

BITS = uniform(-100, 100)
NO_SLOPE = "its result is a truth value or an integer"


# ------------------------------------------------------------------ comparisons
def _comparison(
    name: str, tf: str, numpy: Any, prim: str, dtypes: tuple[DType, ...] = NUMERIC
) -> OpDef:
    return elementwise(
        name, tf=tf, dtypes=dtypes, out=bool_, numpy=numpy,
        scalar=lambda x, y: k.prim(prim, x, y),
        nograd=NO_SLOPE, samples=(PLAIN, EDGES),
    )  # fmt: skip


def _ordered(fn: Any) -> Any:
    """An exact comparison element by element for strings, the ufunc for numbers."""
    ufunc = {operator.eq: np.equal, operator.ne: np.not_equal}[fn]

    def call(x: Any, y: Any) -> Any:
        return ufunc(x, y).astype(bool)

    return call


_EQUALITY = (*REAL_OR_BOOL, *COMPLEX, string)
equal = _comparison("equal", "Equal", _ordered(operator.eq), "eq", _EQUALITY)
not_equal = _comparison("not_equal", "NotEqual", _ordered(operator.ne), "ne", _EQUALITY)
less = _comparison("less", "Less", np.less, "lt")
less_equal = _comparison("less_equal", "LessEqual", np.less_equal, "le")
greater = _comparison("greater", "Greater", np.greater, "gt")
greater_equal = _comparison("greater_equal", "GreaterEqual", np.greater_equal, "ge")


# ------------------------------------------------------------------ logic
def _logical(name: str, tf: str, numpy: Any, prim: str) -> OpDef:
    arity = k.TABLE[prim].arity
    return elementwise(
        name, tf=tf, dtypes=(bool_,), args=("x", "y")[:arity], groups=(bool_,) * arity,
        numpy=numpy, scalar=lambda *values: k.prim(prim, *values), nograd=NO_SLOPE,
        samples=(bools(),),
    )  # fmt: skip


logical_and = _logical("logical_and", "LogicalAnd", np.logical_and, "and")
logical_or = _logical("logical_or", "LogicalOr", np.logical_or, "or")
logical_xor = _logical("logical_xor", "LogicalXor", np.logical_xor, "xor")
logical_not = _logical("logical_not", "LogicalNot", np.logical_not, "not")


# ------------------------------------------------------------------ selection
def _select_type(ctx: InferContext) -> TensorType:
    """TF1's Select: cond has the shape of x and y, or is a scalar, or is a vector of rows."""
    cond = ctx.shape(0)
    shape = merged(ctx, ctx.shape(1), ctx.shape(2))
    if cond is None or shape is None or len(cond) == 0:
        return TensorType(ctx.dtype(1), shape)
    if len(cond) == 1 and len(shape) > 1:
        if dims_equal(cond[0], shape[0]) is False:
            raise ctx.fail(f"Dimensions must be equal, but are {cond[0]} and {shape[0]}")
        return TensorType(ctx.dtype(1), shape)
    return TensorType(ctx.dtype(1), merged(ctx, cond, shape))


def _rows(cond: Any, rank: int) -> Any:
    """The condition with trailing axes of one, where it selects rows."""
    return cond.reshape(cond.shape + (1,) * (rank - 1)) if cond.ndim == 1 and rank > 1 else cond


def _select(cond: Any, x: Any, y: Any) -> Any:
    return np.where(_rows(cond, x.ndim), x, y)


def _select_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    cond = ctx.load(0, idx[: len(ctx.shape(0))])
    return k.select(cond, ctx.load(1, idx), ctx.load(2, idx))


def _select_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    cond = node.inputs[0]
    zero = F.zeros_like(g)
    return None, F.select(cond, g, zero), F.select(cond, zero, g)


select = OpDef(
    name="select", tf="Select", family="movement", args=("condition", "t", "e"),
    groups=(bool_, "T", "T"), dtypes={"T": ALL}, infer=_select_type, numpy=_select,
    kernel=_select_kernel, grad=_select_grad,
    samples=(
        sample(arg((3, 4), bools(), bool_), arg((3, 4)), arg((3, 4))),
        sample(fixed(True, bool_), arg((3, 4)), arg((3, 4))),
        sample(arg((3,), bools(), bool_), arg((3, 4)), arg((3, 4))),
    ),
)  # fmt: skip


def _select_v2_type(ctx: InferContext) -> TensorType:
    return TensorType(ctx.dtype(1), broadcast_shapes(*(t.dims for t in ctx.inputs)))


def _select_v2_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    cond, x, y = (ctx.load_broadcast(i, idx) for i in range(3))
    return k.select(cond, x, y)


def _select_v2_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    cond = node.inputs[0]
    zero = F.zeros_like(g)
    return None, F.select_v2(cond, g, zero), F.select_v2(cond, zero, g)


select_v2 = OpDef(
    name="select_v2", tf="SelectV2", family="elementwise", args=("condition", "t", "e"),
    groups=(bool_, "T", "T"), dtypes={"T": ALL}, infer=_select_v2_type, numpy=np.where,
    kernel=_select_v2_kernel, grad=_select_v2_grad,
    samples=(
        sample(arg((3, 4), bools(), bool_), arg((3, 4)), arg((4,))),
        sample(arg((3, 1), bools(), bool_), arg((1, 4)), fixed(0.5)),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ tests of floats
def _float_test(name: str, tf: str, numpy: Any, prim: str) -> OpDef:
    return elementwise(
        name, tf=tf, dtypes=FLOAT, out=bool_, args=("x",), numpy=numpy,
        scalar=lambda x: k.prim(prim, x), nograd=NO_SLOPE, samples=(EDGES,),
    )  # fmt: skip


is_nan = _float_test("is_nan", "IsNan", np.isnan, "is_nan")
is_inf = _float_test("is_inf", "IsInf", np.isinf, "is_inf")
is_finite = _float_test("is_finite", "IsFinite", np.isfinite, "is_finite")


# ------------------------------------------------------------------ bitwise
def _bitwise(name: str, tf: str, numpy: Any, prim: str) -> OpDef:
    return elementwise(
        name, tf=tf, dtypes=INT, numpy=numpy, scalar=lambda x, y: k.prim(prim, x, y),
        nograd=NO_SLOPE, samples=(BITS,),
    )  # fmt: skip


def _shift(name: str, tf: str, numpy: Any, builder: Any) -> OpDef:
    """A shift by a distance clamped into [0, bits), as TF has it."""

    def reference(x: Any, y: Any) -> Any:
        return numpy(x, np.clip(y, 0, x.dtype.itemsize * 8 - 1))

    def scalar(x: Expr, y: Expr) -> Expr:
        return builder(x, k.minimum(k.maximum(y, 0), x.dtype.size * 8 - 1))

    return elementwise(
        name, tf=tf, dtypes=INT, numpy=reference, scalar=scalar, nograd=NO_SLOPE,
        samples=((BITS, uniform(0, 7)),),
    )  # fmt: skip


bitwise_and = _bitwise("bitwise_and", "BitwiseAnd", np.bitwise_and, "and")
bitwise_or = _bitwise("bitwise_or", "BitwiseOr", np.bitwise_or, "or")
bitwise_xor = _bitwise("bitwise_xor", "BitwiseXor", np.bitwise_xor, "xor")
bitwise_left_shift = _shift("bitwise_left_shift", "LeftShift", np.left_shift, k.shl)
bitwise_right_shift = _shift("bitwise_right_shift", "RightShift", np.right_shift, k.shr)

bitwise_invert = elementwise(
    "bitwise_invert", tf="Invert", dtypes=INT, numpy=np.invert, scalar=lambda x: k.not_(x),
    nograd=NO_SLOPE, samples=(BITS,),
)  # fmt: skip
