"""Reductions over axes: sums, means, extremes, truth values, positions, log-sum-exp, variance.

Lives here: reduce_sum to euclidean_norm, argmax, argmin. Not here: running sums (ops/math.py),
segments (ops/scatter.py), softmax (ops/nn.py). Imports ops.define.

Attributes of all but argmax and argmin: `axes` (a tuple of ints, None for all), `keepdims`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import COMPLEX, FLOAT, NUMERIC, DType, bool_, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Dim, dim_max, dim_min
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Cast, Const, Expr, Reduce, index
from graphc.ops.define import (
    F,
    InferContext,
    KernelContext,
    OpDef,
    check_axes,
    reduced_shape,
    reduction,
)
from graphc.ops.reference import wide, widened
from graphc.ops.samples import arg, bools, sample, special, uniform

Axes = tuple[int, ...] | None
FAR = uniform(0.5, 2.0)
_SHAPES = (
    ((3, 4), None, False), ((3, 4), (0,), False), ((3, 4), (-1,), True), ((2, 3, 4), (0, 2), True),
    ((2, 3, 4), (1,), False), ((2, 3, 4), (1, 2), False), ((5,), (), False), ((), None, False),
)  # fmt: skip
_FEW = _SHAPES[:5]


def _samples(shapes: Sequence[Any] = _SHAPES, domain: Any = None, grad: bool = True) -> Any:
    return tuple(
        sample(arg(shape, domain), axes=axes, keepdims=keepdims, grad=grad)
        for shape, axes, keepdims in shapes
    )


# ------------------------------------------------------------------ shapes of gradients
def reduced_axes(x: Tensor, axes: Axes) -> tuple[int, ...]:
    """The axes as non-negative numbers; the rank of x must be known."""
    if x.rank is None:
        raise ValueError(f"The gradient of a reduction needs the rank of {x}.")
    return tuple(range(x.rank)) if axes is None else tuple(a % x.rank for a in axes)


def kept(value: Tensor, x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """A reduced value with its reduced axes back as ones, so that it broadcasts against x."""
    if keepdims or axes == () or (axes is None and x.rank is None):
        return value
    for axis in _insertions(x, axes):
        value = F.expand_dims(value, axis=axis)
    return value


def _insertions(x: Tensor, axes: Axes) -> list[int]:
    """The order in which reduced axes are put back; without a rank, axes of one sign suffice."""
    if x.rank is None and axes is not None and all(a < 0 for a in axes):
        return sorted(axes, reverse=True)
    if x.rank is None and axes is not None and all(a >= 0 for a in axes):
        return sorted(axes)
    return sorted(reduced_axes(x, axes))


def spread(value: Tensor, x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """A reduced value repeated over the shape of x."""
    return F.broadcast_to(kept(value, x, axes, keepdims), F.shape(x))


def element_count(x: Tensor, axes: Axes, dtype: DType) -> Any:
    """How many elements each result is made of: a number where it is known, else a scalar."""
    if x.rank is None and axes is None:
        return F.cast(F.size(x), dtype=dtype)
    if x.rank is None:
        assert axes is not None
        return _counted(x, np.array(axes, np.int32), dtype)
    over = reduced_axes(x, axes)
    assert x.dims is not None
    known = [x.dims[a] for a in over]
    if all(isinstance(d, int) for d in known):
        return math.prod(known)  # type: ignore[arg-type]
    return _counted(x, np.array(over, np.int32), dtype)


def _counted(x: Tensor, axes: Any, dtype: DType) -> Tensor:
    """The product of some extents of x, from its shape tensor."""
    # counted from the end: only the run knows the rank
    wrapped = axes if (axes >= 0).all() else F.floormod(F.rank(x) + axes, F.rank(x))
    sizes = F.gather(F.shape(x), wrapped, axis=0, batch_dims=0)
    return F.cast(F.reduce_prod(sizes, axes=(0,), keepdims=False), dtype=dtype)


# ------------------------------------------------------------------ sums and means
def _accumulating(ufunc: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy reduction in a wider float type, in the array's own type for integers."""

    def call(x: Any, axes: Axes, keepdims: bool) -> Any:
        wider = None if x.dtype == object or x.dtype.kind in "iub" else _widest(x)
        dtype = x.dtype if x.dtype.kind in "iu" else wider
        return ufunc(x, axis=axes, keepdims=keepdims, dtype=dtype)

    return call


def _widest(x: Any) -> Any:
    return np.complex128 if x.dtype.kind == "c" else np.float64


def _mean(x: Any, axes: Axes, keepdims: bool) -> Any:
    """Integers: the sum divided towards zero, as TF does it (no elements: 0)."""
    if x.dtype.kind not in "iu":
        with np.errstate(all="ignore"):
            total = np.sum(x, axis=axes, keepdims=keepdims, dtype=_widest(x))
            return np.divide(total, _count(x, axes))
    total = np.sum(x, axis=axes, keepdims=keepdims, dtype=np.int64)
    return k.TABLE["truncdiv"].numpy(total, np.int64(_count(x, axes)))


def _count(x: Any, axes: Axes) -> int:
    every = range(x.ndim) if axes is None else axes
    return int(np.prod([x.shape[a] for a in every], dtype=np.int64))


def _wide_int(dtype: DType) -> DType:
    return int64 if dtype.is_integer else dtype


def _divide_count(total: Expr, count: Expr) -> Expr:
    if total.dtype.is_integer:
        return k.truncdiv(total, k.maximum(count, 1))
    return total / Cast(count, total.dtype)


def _mean_grad(g: Tensor, x: Tensor, y: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    return spread(g / element_count(x, axes, g.dtype), x, axes, keepdims)


reduce_sum = reduction(
    "reduce_sum", tf="Sum", monoid="add", dtypes=(*NUMERIC, *COMPLEX),
    numpy=_accumulating(np.sum),
    grad=lambda g, x, y, axes, keepdims: spread(g, x, axes, keepdims),
    samples=_samples(),
)  # fmt: skip

reduce_mean = reduction(
    "reduce_mean", tf="Mean", monoid="add", dtypes=(*NUMERIC, *COMPLEX), acc=_wide_int,
    finish=_divide_count,
    numpy=_mean, grad=_mean_grad, samples=_samples(),
)  # fmt: skip


# ------------------------------------------------------------------ products
def _prod_grad(g: Tensor, x: Tensor, y: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """g times the product of all the other elements: right where elements are zero."""
    gone = reduced_axes(x, axes)
    first = tuple(a for a in range(x.rank or 0) if a not in gone)
    order = first + gone
    moved = F.transpose(x, perm=order)
    shape = F.shape(moved)
    split = np.array([len(first)], np.int32)
    kept_shape = F.slice(shape, np.array([0], np.int32), split)
    extents = F.slice(shape, split, np.array([-1], np.int32))
    # not -1: that cannot be inferred where another extent is 0
    count = F.reduce_prod(extents, axes=(0,), keepdims=True)
    flat = F.reshape(moved, F.concat(kept_shape, count, axis=0))
    before = F.cumprod(flat, axis=-1, exclusive=True)
    after = F.cumprod(flat, axis=-1, exclusive=True, reverse=True)
    others = F.reshape(before * after, shape)
    back = tuple(int(a) for a in np.argsort(order))
    return F.transpose(others, perm=back) * kept(g, x, axes, keepdims)


reduce_prod = reduction(
    "reduce_prod", tf="Prod", monoid="mul", dtypes=NUMERIC,
    numpy=_accumulating(np.prod), grad=_prod_grad, samples=_samples(domain=FAR),
)  # fmt: skip


# ------------------------------------------------------------------ extremes
def _extreme(ufunc: Callable[..., Any], largest: bool) -> Callable[..., Any]:
    each = np.frompyfunc(dim_max if largest else dim_min, 2, 1)

    def call(x: Any, axes: Axes, keepdims: bool) -> Any:
        if x.dtype == object:  # symbolic dimensions
            flat = x.reshape(-1) if axes is None else x
            return each.reduce(flat, axis=axes or 0, keepdims=keepdims)
        x = widened(x)
        if x.dtype.kind == "f":
            lowest = -np.inf if largest else np.inf
        else:
            info = np.iinfo(x.dtype)
            lowest = info.min if largest else info.max
        return ufunc(x, axis=axes, keepdims=keepdims, initial=x.dtype.type(lowest))

    return call


def _extreme_grad(g: Tensor, x: Tensor, y: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """Split evenly among the elements that equal the result."""
    ties = F.cast(F.equal(x, kept(y, x, axes, keepdims)), dtype=g.dtype)
    share = ties / F.reduce_sum(ties, axes=axes, keepdims=True)
    return share * kept(g, x, axes, keepdims)


reduce_max = reduction(
    "reduce_max", tf="Max", monoid="max", dtypes=NUMERIC,
    numpy=_extreme(np.max, True), grad=_extreme_grad,
    samples=(*_samples(), *_samples(_FEW, special(np.nan, 1.0, -np.inf, np.inf), grad=False)),
)  # fmt: skip

reduce_min = reduction(
    "reduce_min", tf="Min", monoid="min", dtypes=NUMERIC,
    numpy=_extreme(np.min, False), grad=_extreme_grad,
    samples=(*_samples(), *_samples(_FEW, special(np.nan, 1.0, -np.inf, np.inf), grad=False)),
)  # fmt: skip

# ------------------------------------------------------------------ truth values
reduce_any = reduction(
    "reduce_any", tf="Any", monoid="or", dtypes=(bool_,), groups=(bool_,), out=bool_,
    numpy=lambda x, axes, keepdims: np.any(x, axis=axes, keepdims=keepdims),
    nograd="truth values have no derivative", samples=_samples(_FEW, bools(), grad=False),
)  # fmt: skip

reduce_all = reduction(
    "reduce_all", tf="All", monoid="and", dtypes=(bool_,), groups=(bool_,), out=bool_,
    numpy=lambda x, axes, keepdims: np.all(x, axis=axes, keepdims=keepdims),
    nograd="truth values have no derivative", samples=_samples(_FEW, bools(), grad=False),
)  # fmt: skip


# ------------------------------------------------------------------ positions
def _position_type(ctx: InferContext) -> TensorType:
    rank, axis = ctx.rank(0), ctx.attrs["axis"]
    dtype = ctx.attrs.get("output_type", int64)
    if rank is None:
        return TensorType(dtype, None)
    if not -rank <= axis < rank:
        raise ctx.fail(
            f"Dimension ({axis}) must be in the range [{-rank}, {rank}), where {rank} is the "
            "number of dimensions in the input."
        )
    shape = ctx.shape(0)
    assert shape is not None
    at = axis % rank
    return TensorType(dtype, (*shape[:at], *shape[at + 1 :]))


def _position(name: str, tf: str, monoid: str, numpy: Any) -> OpDef:
    def kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        shape = ctx.shape(0)
        at = ctx.attrs["axis"] % len(shape)
        along = ctx.axis(shape[at], "r")
        value = ctx.load_compute(0, (*idx[:at], along, *idx[at:]))
        position: Expr = Reduce(monoid, (along,), value, int64)
        if not isinstance(shape[at], int) or shape[at] == 0:
            # flags an axis without elements, which has no position to give
            position = k.maximum(position, k.check_index(index(0), index(shape[at])))
        return Cast(position, ctx.out_dtype())

    def reference(x: Any, axis: int, output_type: DType = int64) -> Any:
        x = widened(x)
        if x.shape[axis] == 0:
            raise InvalidArgumentError(f"Reduction axis {axis} is empty in shape {list(x.shape)}")
        return numpy(x, axis=axis).astype(output_type.np)

    edges = special(np.nan, 1.0, np.inf, -np.inf)
    return OpDef(
        name=name, tf=tf, family="reduction", args=("input",), dtypes={"T": (*NUMERIC, bool_)},
        infer=_position_type, numpy=reference, kernel=kernel,
        nograd="positions have no derivative",
        samples=(
            sample(arg((3, 4)), axis=0, grad=False), sample(arg((2, 3, 4)), axis=-1, grad=False),
            sample(arg((5,)), axis=0, output_type=int32, grad=False),
            sample(arg((4, 4), edges), axis=1, grad=False),
        ),
    )  # fmt: skip


argmax = _position("argmax", "ArgMax", "argmax", np.argmax)
argmin = _position("argmin", "ArgMin", "argmin", np.argmin)


# ------------------------------------------------------------------ two reductions in one kernel
class Reducing:
    """The loops of a reduction's kernel: loads of input 0 with fresh axes over what is reduced."""

    def __init__(self, ctx: KernelContext, idx: tuple[Expr, ...], axes: Axes, keepdims: bool):
        self.ctx = ctx
        self.shape = ctx.shape(0)
        rank = len(self.shape)
        self.gone = sorted(set(range(rank) if axes is None else (a % rank for a in axes)))
        self.outer = [x for i, x in enumerate(idx) if i not in self.gone] if keepdims else [*idx]

    def total(self, monoid: str, element: Callable[[Expr], Expr]) -> Expr:
        """The reduction of element(x) over the reduced axes."""
        loops = {a: Axis(self.shape[a], f"r{a}") for a in self.gone}
        rest = iter(self.outer)
        at = tuple(loops[a] if a in loops else next(rest) for a in range(len(self.shape)))
        value = element(self.ctx.load_compute(0, at))
        return Reduce(monoid, tuple(loops.values()), value, value.dtype) if loops else value

    def count(self, dtype: DType) -> Expr:
        total: Dim = 1
        for a in self.gone:
            total = total * self.shape[a]
        return Cast(index(total), dtype)


def _reducing(
    name: str, tf: str, numpy: Any, value: Callable[[Reducing], Expr], grad: Any
) -> OpDef:
    """A float op of several reductions over the same axes. grad: (g, x, y, axes, keepdims)."""

    def infer(ctx: InferContext) -> TensorType:
        axes, keepdims = ctx.attrs["axes"], ctx.attrs["keepdims"]
        check_axes(ctx, axes)
        return TensorType(ctx.dtype(0), reduced_shape(ctx.shape(0), axes, keepdims))

    def kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        return value(Reducing(ctx, idx, ctx.attrs["axes"], ctx.attrs["keepdims"]))

    def gradient(node: Node, g: Tensor) -> tuple[Any, ...]:
        return (grad(g, node.inputs[0], node.outputs[0], **node.attrs),)

    return OpDef(
        name=name, tf=tf, family="reduction", args=("input",), dtypes={"T": FLOAT}, infer=infer,
        numpy=wide(numpy), kernel=kernel, grad=gradient, samples=_samples(_SHAPES[:6]),
    )  # fmt: skip


def finite_or_zero(x: Expr) -> Expr:
    return k.select(k.is_finite(x), x, Const(0, x.dtype))


def _logsumexp_kernel(r: Reducing) -> Expr:
    shift = finite_or_zero(r.total("max", lambda x: x))
    return k.log(r.total("add", lambda x: k.exp(x - shift))) + shift


def _logsumexp(x: Any, axes: Axes, keepdims: bool) -> Any:
    x = x.astype(np.float64)
    top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        total = np.log(np.sum(np.exp(x - shift), axis=axes, keepdims=True)) + shift
    return total if keepdims else np.squeeze(total, axis=axes)


def _logsumexp_grad(g: Tensor, x: Tensor, y: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    return kept(g, x, axes, keepdims) * F.exp(x - kept(y, x, axes, keepdims))


def _variance_kernel(r: Reducing) -> Expr:
    count = r.count(r.ctx.dtype(0).compute)
    mean = r.total("add", lambda x: x) / count
    return r.total("add", lambda x: k.square(x - mean)) / count


def _variance_grad(g: Tensor, x: Tensor, y: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    mean = F.reduce_mean(x, axes=axes, keepdims=True)
    scaled = 2 * g / element_count(x, axes, g.dtype)
    return kept(scaled, x, axes, keepdims) * (x - mean)


def _norm(x: Any, axes: Axes, keepdims: bool) -> Any:
    return np.sqrt(np.sum(np.square(x.astype(np.float64)), axis=axes, keepdims=keepdims))


def _norm_grad(g: Tensor, x: Tensor, y: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    return x * kept(g / y, x, axes, keepdims)


reduce_logsumexp = _reducing(
    "reduce_logsumexp", "ReduceLogSumExp", _logsumexp, _logsumexp_kernel, _logsumexp_grad
)
reduce_variance = _reducing(
    "reduce_variance", "ReduceVariance",
    lambda x, axes, keepdims: np.var(x.astype(np.float64), axis=axes, keepdims=keepdims),
    _variance_kernel, _variance_grad,
)  # fmt: skip
euclidean_norm = _reducing(
    "euclidean_norm", "EuclideanNorm", _norm,
    lambda r: k.sqrt(r.total("add", k.square)), _norm_grad,
)  # fmt: skip
