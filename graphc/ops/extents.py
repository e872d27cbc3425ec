"""Shapes and indices as op records need them: values as dimensions, axes, clamped bounds.

Lives here: helpers that several array ops share. Not here: op records; combining of dimensions in
general (ir/shape.py). Imports ir, kernel.expr, ops.define.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, int32, int64
from graphc.ir.node import Tensor
from graphc.ir.shape import (
    Dim,
    PartialDim,
    Shape,
    SymDim,
    current_env,
    dim_max,
    dim_min,
    known_int,
)
from graphc.kernel import prims as k
from graphc.kernel.expr import Const, Expr, index
from graphc.ops.define import F, InferContext, KernelContext

INDEX = (int32, int64)


# ------------------------------------------------------------------ shape rules
def as_dims(value: np.ndarray[Any, Any]) -> list[PartialDim]:
    """The elements of a shape value: ints, SymDims, None for unknown."""
    return [d if d is None or isinstance(d, SymDim) else int(d) for d in value.reshape(-1).tolist()]


def input_dims(ctx: InferContext, i: int) -> list[PartialDim] | None:
    """The elements of shape input i; all None where only their number is known, else None."""
    value = ctx.value(i)
    if value is not None:
        return as_dims(value)
    shape = ctx.shape(i)
    length = fixed_dim(shape[0]) if shape is not None and len(shape) == 1 else None
    return None if length is None else [None] * length


def fixed_dim(dim: PartialDim) -> int | None:
    """A dimension that decides a rank, as a number: a symbol is fixed to its hint by a guard."""
    if not isinstance(dim, SymDim):
        return dim
    env = current_env()
    if env is None:
        return None
    number = dim.evaluate(env.hints)
    env.equal(dim, number)
    return number


def scalar_value(ctx: InferContext, i: int) -> Any:
    """A scalar input's value (int, float, SymDim), or None where it is unknown."""
    value = ctx.value(i)
    if value is None or value.ndim != 0:
        return None
    return value.item()


def need_rank(ctx: InferContext, i: int, rank: int) -> None:
    """Raises ShapeError ("Shape must be rank 2 but is rank 1") where the rank differs."""
    got = ctx.rank(i)
    if got is not None and got != rank:
        raise ctx.fail(f"Shape must be rank {rank} but is rank {got}")


def need_rank_at_least(ctx: InferContext, i: int, rank: int) -> None:
    got = ctx.rank(i)
    if got is not None and got < rank:
        raise ctx.fail(f"Shape must be at least rank {rank} but is rank {got}")


def check_axis(ctx: InferContext, axis: int, rank: int | None) -> int | None:
    """The axis as a non-negative number; None where the rank is unknown.

    Raises:
        ShapeError: "Shape must be at least rank 6 but is rank 2".
    """
    if rank is None:
        return None
    if not -rank <= axis < rank:
        least = axis + 1 if axis >= 0 else -axis
        raise ctx.fail(f"Shape must be at least rank {least} but is rank {rank}")
    return axis % rank


def unknown_shape(rank: int | None) -> Shape:
    return None if rank is None else (None,) * rank


# ------------------------------------------------------------------ order of dimensions
def larger(a: Dim, b: Dim) -> Dim:
    """max(a, b) without a guard where the difference is a number."""
    gap = a - b
    if isinstance(gap, int):
        return a if gap >= 0 else b
    if b == 0 and isinstance(a, SymDim) and _natural(a):
        return a
    return dim_max(a, b)


def smaller(a: Dim, b: Dim) -> Dim:
    """min(a, b) without a guard where the difference is a number."""
    gap = a - b
    if isinstance(gap, int):
        return a if gap <= 0 else b
    return dim_min(a, b)


def is_negative(value: Dim) -> bool:
    """Whether an index is below zero; for symbols by the hint, with a guard."""
    if not isinstance(value, SymDim):
        return value < 0
    if _natural(value):
        return False
    env = current_env()
    return env is not None and env.order(value, -1)[0] is value


def below_zero(value: PartialDim) -> bool:
    """is_negative of what may be unknown (then False): for checks that raise."""
    return value is not None and is_negative(value)


def _natural(value: SymDim) -> bool:
    """Sums of products of extents with positive factors are never negative."""
    return all(coef > 0 for _, coef in value.terms)


def ceil_div(a: Dim, b: int) -> Dim:
    return a if b == 1 else (a + (b - 1)) // b


# ------------------------------------------------------------------ kernels
def dim_index(value: Any) -> Expr:
    """An int or SymDim as an index expression."""
    return index(value if isinstance(value, SymDim) else int(value))


def index_input(ctx: KernelContext, i: int, position: int | None) -> Expr:
    """An element of index input i: its known value, else read from memory by the kernel."""
    from graphc.ops.values import value_of

    value = value_of(ctx.node.inputs[i])
    if value is not None:
        item = value.reshape(-1)[position or 0]
        if item is not None:
            return dim_index(item)
    at = () if position is None else (index(position),)
    return k.cast(ctx.load(i, at), int64)


def both(a: Expr | None, b: Expr | None) -> Expr | None:
    """The conjunction of two masks, either of which may be absent (always true)."""
    if a is None or b is None:
        return b if a is None else a
    return k.and_(a, b)


def zero() -> Expr:
    return Const(0, int64)


# ------------------------------------------------------------------ gradients
def zero_of(dtype: DType) -> Any:
    """A zero that converts to the dtype: 0, False or an empty string."""
    return b"" if dtype.name == "string" else np.zeros((), dtype.np)


def or_zeros(gradient: Any, output: Tensor) -> Any:
    """An output's gradient, zeros where it has none."""
    return F.zeros_like(output) if gradient is None else gradient


def ones_vector(length: int, dtype: DType = int32) -> Any:
    return np.ones(length, dtype.np)


def axes_last(rank: int, axes: Sequence[int]) -> tuple[int, ...]:
    """A permutation that moves `axes` behind all others."""
    return (*(a for a in range(rank) if a not in axes), *axes)


def known_axes(value: Any) -> tuple[int, ...] | None:
    """Numbers of axes that a tensor gives: a plan holds for these alone. None: not known."""
    if value is None:
        return None
    axes = tuple(known_int(v) for v in np.asarray(value).tolist())
    return None if None in axes else axes  # type: ignore[return-value]  # just checked
