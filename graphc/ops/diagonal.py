"""Diagonals and bands of matrices.

Lives here: diag, diag_part, matrix_diag, matrix_diag_part, matrix_set_diag, matrix_band_part. Not
here: eye (ops/creation.py), determinants (ops/linalg.py). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import NUMERIC, bool_, complex64, complex128, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import PartialDim, bracket_text, merge_dim, merge_shapes
from graphc.kernel import prims as k
from graphc.kernel.expr import Const, Expr, index
from graphc.ops.define import F, InferContext, KernelContext, movement
from graphc.ops.extents import (
    INDEX,
    both,
    index_input,
    need_rank_at_least,
    smaller,
)
from graphc.ops.samples import arg, fixed, sample

DTYPES = (*NUMERIC, bool_, complex64, complex128)


def _zero(ctx: KernelContext) -> Expr:
    return Const(0, ctx.dtype(0))


# ------------------------------------------------------------------ diag, diag_part
def _diag_type(ctx: InferContext) -> TensorType:
    shape = ctx.shape(0)
    return TensorType(ctx.dtype(0), None if shape is None else (*shape, *shape))


def _diag(x: Any) -> Any:
    out = np.zeros((x.size, x.size), x.dtype)
    np.fill_diagonal(out, x.reshape(-1))
    return out.reshape(x.shape + x.shape)


def _diag_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    half = len(idx) // 2
    mask: Expr | None = None
    for i in range(half):
        mask = both(mask, k.eq(idx[i], idx[half + i]))
    return ctx.load(0, idx[:half], mask, 0)


diag = movement(
    "diag", tf="Diag", infer=_diag_type, kernel=_diag_kernel, numpy=_diag,
    grad=lambda node, g: (F.diag_part(g),), args=("diagonal",), dtypes={"T": DTYPES},
    samples=(sample(arg((4,))), sample(arg((2, 3)))),
)  # fmt: skip


def _diag_part_type(ctx: InferContext) -> TensorType:
    shape = ctx.shape(0)
    if shape is None:
        return TensorType(ctx.dtype(0), None)
    half = len(shape) // 2
    if len(shape) % 2 or not shape:
        raise ctx.fail(f"Input must have even and non-zero rank but has rank {len(shape)}")
    try:
        return TensorType(ctx.dtype(0), merge_shapes(shape[:half], shape[half:]))
    except ValueError as err:
        raise ctx.fail(str(err)) from None


def _diag_part(x: Any) -> Any:
    shape = x.shape[: x.ndim // 2]
    if shape != x.shape[x.ndim // 2 :]:
        raise InvalidArgumentError(f"Invalid shape {bracket_text(x.shape)}: dimensions must pair")
    size = int(np.prod(shape, dtype=np.int64))
    return np.diagonal(x.reshape(size, size)).reshape(shape)


diag_part = movement(
    "diag_part", tf="DiagPart", infer=_diag_part_type,
    kernel=lambda ctx, which, idx: ctx.load(0, (*idx, *idx)), numpy=_diag_part,
    grad=lambda node, g: (F.diag(g),), args=("input",), dtypes={"T": DTYPES},
    samples=(sample(arg((4, 4))), sample(arg((2, 3, 2, 3)))),
)  # fmt: skip


# ------------------------------------------------------------------ matrix_diag and its kin
def _matrix_diag_type(ctx: InferContext) -> TensorType:
    need_rank_at_least(ctx, 0, 1)
    shape = ctx.shape(0)
    return TensorType(ctx.dtype(0), None if shape is None else (*shape, shape[-1]))


def _matrix_diag(x: Any) -> Any:
    out = np.zeros((*x.shape, x.shape[-1]), x.dtype)
    at = np.arange(x.shape[-1])
    out[..., at, at] = x
    return out


matrix_diag = movement(
    "matrix_diag", tf="MatrixDiag", default_name="diag", infer=_matrix_diag_type,
    kernel=lambda ctx, which, idx: ctx.load(0, idx[:-1], k.eq(idx[-2], idx[-1]), 0),
    numpy=_matrix_diag, grad=lambda node, g: (F.matrix_diag_part(g),), args=("diagonal",),
    dtypes={"T": DTYPES}, samples=(sample(arg((4,))), sample(arg((2, 3)))),
)  # fmt: skip


def _least(a: PartialDim, b: PartialDim) -> PartialDim:
    return None if a is None or b is None else smaller(a, b)


def _matrix_diag_part_type(ctx: InferContext) -> TensorType:
    need_rank_at_least(ctx, 0, 2)
    shape = ctx.shape(0)
    if shape is None:
        return TensorType(ctx.dtype(0), None)
    return TensorType(ctx.dtype(0), (*shape[:-2], _least(shape[-2], shape[-1])))


def _matrix_diag_part_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    return (F.matrix_set_diag(F.zeros_like(node.inputs[0]), g),)


matrix_diag_part = movement(
    "matrix_diag_part", tf="MatrixDiagPart", default_name="diag_part",
    infer=_matrix_diag_part_type, kernel=lambda ctx, which, idx: ctx.load(0, (*idx, idx[-1])),
    numpy=lambda x: np.diagonal(x, axis1=-2, axis2=-1), grad=_matrix_diag_part_grad,
    args=("input",), dtypes={"T": DTYPES},
    samples=(sample(arg((3, 3))), sample(arg((2, 3, 4))), sample(arg((4, 2)))),
)  # fmt: skip


def _matrix_set_diag_type(ctx: InferContext) -> TensorType:
    need_rank_at_least(ctx, 0, 2)
    shape, line = ctx.shape(0), ctx.shape(1)
    if shape is None or line is None:
        return TensorType(ctx.dtype(0), shape)
    if len(line) != len(shape) - 1:
        raise ctx.fail(f"Shape must be rank {len(shape) - 1} but is rank {len(line)}")
    try:
        head = merge_shapes(shape[:-2], line[:-1])
        merge_dim(_least(shape[-2], shape[-1]), line[-1])
    except ValueError as err:
        raise ctx.fail(str(err)) from None
    return TensorType(ctx.dtype(0), (*(head or ()), *shape[-2:]))


def _matrix_set_diag(x: Any, line: Any) -> Any:
    out = np.array(x)
    at = np.arange(line.shape[-1])
    out[..., at, at] = line
    return out


def _matrix_set_diag_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    on = k.eq(idx[-2], idx[-1])
    return k.select(on, ctx.load(1, idx[:-1], on, 0), ctx.load(0, idx))


matrix_set_diag = movement(
    "matrix_set_diag", tf="MatrixSetDiag", default_name="set_diag", infer=_matrix_set_diag_type,
    kernel=_matrix_set_diag_kernel, numpy=_matrix_set_diag,
    grad=lambda node, g: (
        F.matrix_set_diag(g, F.zeros_like(node.inputs[1])), F.matrix_diag_part(g),
    ),
    args=("input", "diagonal"), dtypes={"T": DTYPES},
    samples=(sample(arg((3, 3)), arg((3,))), sample(arg((2, 3, 4)), arg((2, 3)))),
)  # fmt: skip


# ------------------------------------------------------------------ matrix_band_part
def _band_type(ctx: InferContext) -> TensorType:
    need_rank_at_least(ctx, 0, 2)
    shape = ctx.shape(0)
    return TensorType(ctx.dtype(0), shape)


def _band(x: Any, lower: Any, upper: Any) -> Any:
    gap = np.arange(x.shape[-2])[:, None] - np.arange(x.shape[-1])[None, :]
    inside = (int(lower) < 0) | (gap <= int(lower))
    inside &= (int(upper) < 0) | (-gap <= int(upper))
    return np.where(inside, x, np.zeros((), x.dtype))


def _band_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    gap = idx[-2] - idx[-1]
    lower, upper = index_input(ctx, 1, None), index_input(ctx, 2, None)
    below = k.or_(k.lt(lower, 0), k.le(gap, lower))
    above = k.or_(k.lt(upper, 0), k.le(index(0) - gap, upper))
    return k.select(k.and_(below, above), ctx.load(0, idx), _zero(ctx))


def _scalars(lower: int, upper: int, dtype: Any = int32) -> tuple[Any, Any]:
    return fixed(lower, dtype, const=True), fixed(upper, dtype, const=True)


matrix_band_part = movement(
    "matrix_band_part", tf="MatrixBandPart", infer=_band_type, kernel=_band_kernel, numpy=_band,
    grad=lambda node, g: (F.matrix_band_part(g, node.inputs[1], node.inputs[2]), None, None),
    args=("input", "num_lower", "num_upper"), groups=("T", "Tindex", "Tindex"),
    dtypes={"T": DTYPES, "Tindex": INDEX},
    samples=(
        sample(arg((4, 4)), *_scalars(0, -1)), sample(arg((2, 3, 5)), *_scalars(-1, 0, int64)),
        sample(arg((4, 4)), *_scalars(1, 2)), sample(arg((4, 4)), fixed(0, int32), fixed(1, int32)),
    ),
)  # fmt: skip
