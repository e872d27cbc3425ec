"""Ops on shapes: what changes only the axes, and what reads a shape.

Lives here: reshape, transpose, expand_dims, squeeze, broadcast_to, shape, shape_n, size, rank. Not
here: slices (ops/slicing.py), concatenation (ops/joining.py), sum_to_shape (ops/gradient.py).
Imports ops.define.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, float32, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import (
    Dim,
    PartialDim,
    Shape,
    SymDim,
    bracket_text,
    broadcast_dim,
    broadcast_shapes,
    current_env,
    dim_text,
    dims_equal,
    dims_product,
)
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, index
from graphc.ops.define import F, InferContext, KernelContext, OpDef, composite, movement
from graphc.ops.extents import INDEX, input_dims, known_axes, unknown_shape, zero
from graphc.ops.samples import arg, fixed, sample


# ------------------------------------------------------------------ index maps of reshapes
def reindex(idx: Sequence[Expr], out: Sequence[Dim], source: Sequence[Dim]) -> tuple[Expr, ...]:
    """The index into `source` of the element that stands at `idx` of the same data as `out`.

    Axes are matched in runs of equal products, so that an axis which merges or splits cleanly
    costs a multiplication or one division, and an untouched axis costs nothing.
    """
    at: list[Expr] = []
    for i0, i1, o0, o1 in _runs(source, out):
        if i1 - i0 == 1 and o1 - o0 == 1:
            at.append(idx[o0])
            continue
        flat = _flatten(idx[o0:o1], out[o0:o1])
        at.extend(_unflatten(flat, source[i0:i1]))
    return tuple(at)


def _runs(source: Sequence[Dim], out: Sequence[Dim]) -> list[tuple[int, int, int, int]]:
    """Pairs of slices source[i0:i1], out[o0:o1] with equal products, as short as possible."""
    runs = []
    i = o = 0
    while i < len(source) or o < len(out):
        i1, o1 = _next_run(source, out, i, o)
        runs.append((i, i1, o, o1))
        i, o = i1, o1
    return runs


def _next_run(source: Sequence[Dim], out: Sequence[Dim], i: int, o: int) -> tuple[int, int]:
    # an axis of extent one stands for itself, unless both sides have one here
    one_in = i < len(source) and source[i] == 1
    one_out = o < len(out) and out[o] == 1
    if one_in and not one_out:
        return i + 1, o
    if one_out and not one_in:
        return i, o + 1
    ends: dict[Dim, int] = {}
    total: Dim = 1
    for end in range(i, len(source)):
        total = total * source[end]
        ends.setdefault(total, end + 1)
    total = 1
    for end in range(o, len(out)):
        total = total * out[end]
        if total in ends and total != 0:
            return ends[total], end + 1
    return len(source), len(out)


def _flatten(idx: Sequence[Expr], dims: Sequence[Dim]) -> Expr:
    flat: Expr = zero()
    for x, dim in zip(idx, dims, strict=True):
        flat = flat * index(dim) + x
    return flat


def _unflatten(flat: Expr, dims: Sequence[Dim]) -> list[Expr]:
    at: list[Expr] = []
    for position in range(len(dims) - 1, -1, -1):
        dim = dims[position]
        if dim == 1:
            at.append(zero())
            continue
        outer = all(d == 1 for d in dims[:position])
        at.append(flat if outer else k.floormod(flat, index(dim)))
        if not outer:
            flat = k.floordiv(flat, index(dim))
    return at[::-1]


def _same_data(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    return ctx.load(0, reindex(idx, ctx.out_shape(), ctx.shape(0)))


def _back_to_input(node: Node, g: Tensor) -> tuple[Any, ...]:
    x = node.inputs[0]
    back = F.reshape(g, F.shape(x))
    return (back, *(None for _ in node.inputs[1:]))


# ------------------------------------------------------------------ reshape
EMPTY = (
    "reshape cannot infer the missing input size for an empty tensor unless all specified input "
    "sizes are non-zero"
)


def _reshape_type(ctx: InferContext) -> TensorType:
    want = input_dims(ctx, 1)
    if want is None:
        return TensorType(ctx.dtype(0), None)
    free = [i for i, d in enumerate(want) if isinstance(d, int) and d == -1]
    for d in want:
        if isinstance(d, int) and d < -1:
            raise ctx.fail(f"Dimension {d} must be >= -1")
    total = dims_product(ctx.shape(0)) if ctx.shape(0) is not None else None  # type: ignore[arg-type]
    if len(free) > 1:
        return TensorType(ctx.dtype(0), tuple(None if d == -1 else d for d in want))
    if not free:
        free = [i for i, d in enumerate(want) if d is None]
        if len(free) != 1:
            _check_same_size(ctx, total, want)
            return TensorType(ctx.dtype(0), tuple(want))
    at = free[0]
    want[at] = _missing(ctx, total, want, at)
    return TensorType(ctx.dtype(0), tuple(want))


def _missing(
    ctx: InferContext, total: PartialDim, want: list[PartialDim], at: int
) -> PartialDim:
    """The one dimension that follows from the number of elements."""
    others = dims_product(d for i, d in enumerate(want) if i != at)
    if total is None or others is None or (isinstance(others, int) and others == 0):
        return None
    if isinstance(others, SymDim) and not isinstance(total % others, int):
        # in a program symbols are decided by their values, and guarded
        if dims_equal(others, 0):
            raise ctx.fail(EMPTY)
    if dims_equal(total % others, 0) is False:
        shape = bracket_text(tuple(None if i == at else d for i, d in enumerate(want)))
        raise ctx.fail(
            f"Dimension size must be evenly divisible by {dim_text(others)} but is "
            f"{dim_text(total)} (requested shape {shape})"
        )
    return total // others


def _check_same_size(ctx: InferContext, total: PartialDim, want: list[PartialDim]) -> None:
    size = dims_product(want)
    # in a program the equality of symbols is decided by their values, and guarded
    if dims_equal(total, size) is not False:
        return
    if current_env() is not None:
        have, need = dim_text(total), dim_text(size)
        raise ctx.fail(
            f"Input to reshape is a tensor with {have} values, but the requested shape has {need}"
        )
    raise ctx.fail(
        f"Cannot reshape a tensor with {total} elements to shape {bracket_text(tuple(want))} "
        f"({size} elements)"
    )


def _reshape(x: Any, shape: Any) -> Any:
    dims = np.asarray(shape).reshape(-1).tolist()
    if x.dtype == object and any(not isinstance(d, int) for d in dims):
        raise TypeError("symbolic shape")
    free = [i for i, d in enumerate(dims) if d == -1]
    if len(free) > 1:
        raise InvalidArgumentError(
            f"Only one input size may be -1, not both {free[0]} and {free[1]}"
        )
    size = int(np.prod([d for d in dims if d != -1], dtype=np.int64))
    if free and size == 0:
        raise InvalidArgumentError(EMPTY)
    if free and x.size % size:
        raise InvalidArgumentError(
            f"Input to reshape is a tensor with {x.size} values, but the requested shape "
            f"requires a multiple of {size}"
        )
    if not free and size != x.size:
        raise InvalidArgumentError(
            f"Input to reshape is a tensor with {x.size} values, but the requested shape has {size}"
        )
    return x.reshape(dims)


reshape = movement(
    "reshape", tf="Reshape", infer=_reshape_type, kernel=_same_data, numpy=_reshape,
    grad=_back_to_input, args=("tensor", "shape"), groups=("T", "Tshape"),
    dtypes={"T": ALL, "Tshape": INDEX}, shape_inputs=(1,),
    samples=(
        sample(arg((3, 4)), fixed([12], int32, const=True)),
        sample(arg((2, 3, 4)), fixed([2, -1], int32, const=True)),
        sample(arg((6, 4)), fixed([2, 3, 4, 1], int32, const=True)),
        sample(arg((4, 6)), fixed([8, 3], int64, const=True)),
        sample(arg((1,)), fixed(np.zeros(0), int32, const=True)),
        sample(arg((0, 3)), fixed([3, 0], int32, const=True), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ transpose
def _transpose_type(ctx: InferContext) -> TensorType:
    perm, shape = ctx.attrs.get("perm"), ctx.shape(0)
    if perm is None:
        return TensorType(ctx.dtype(0), None if shape is None else shape[::-1])
    if shape is None:
        return TensorType(ctx.dtype(0), (None,) * len(perm))
    rank = len(shape)
    if len(perm) != rank:
        raise ctx.fail(f"Dimension must be {rank} but is {len(perm)}")
    for p in perm:
        if not -rank <= p < rank:
            raise ctx.fail(f"perm dim {p} is out of range of input rank {rank}")
    if len({p % rank for p in perm}) != rank:
        lost = min(set(range(rank)) - {p % rank for p in perm})
        raise ctx.fail(f"{lost} is missing from {{{','.join(map(str, perm))}}}.")
    return TensorType(ctx.dtype(0), tuple(shape[p] for p in perm))


def full_perm(perm: tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    """The permutation as non-negative axes; None reverses."""
    return tuple(range(rank))[::-1] if perm is None else tuple(p % rank for p in perm)


def _transpose_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at: list[Expr] = [zero()] * len(idx)
    for x, axis in zip(idx, full_perm(ctx.attrs.get("perm"), len(idx)), strict=True):
        at[axis] = x
    return ctx.load(0, at)


def _transpose_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    perm = node.attrs.get("perm")
    if perm is None:
        return (F.transpose(g, perm=None),)
    back = tuple(int(p) for p in np.argsort([p % len(perm) for p in perm]))
    return (F.transpose(g, perm=back),)


transpose = movement(
    "transpose", tf="Transpose", default_name="transpose", infer=_transpose_type,
    kernel=_transpose_kernel, numpy=lambda x, perm=None: np.transpose(x, perm),
    grad=_transpose_grad, args=("x",), dtypes={"T": ALL},
    samples=(
        sample(arg((3, 4)), perm=None), sample(arg((2, 3, 4)), perm=(2, 0, 1)),
        sample(arg((2, 3, 4, 5)), perm=(0, 2, 1, 3)), sample(arg(()), perm=()),
    ),
)  # fmt: skip


def _transpose_v_type(ctx: InferContext) -> TensorType:
    perm, shape = known_axes(ctx.value(1)), ctx.shape(0)
    if perm is None or shape is None:
        length = ctx.shape(1)
        known = length[0] if length and isinstance(length[0], int) else ctx.rank(0)
        return TensorType(ctx.dtype(0), unknown_shape(known))
    return TensorType(ctx.dtype(0), tuple(shape[p] for p in perm))


def _expand_transpose_v(node: Node) -> Tensor:
    from graphc.ops.values import value_of

    perm = known_axes(value_of(node.inputs[1]))
    if perm is None:
        raise InvalidArgumentError("transpose: perm must not depend on data")
    return F.transpose(node.inputs[0], perm=perm)


transpose_v = composite(
    "transpose_v", tf="Transpose", default_name="transpose", infer=_transpose_v_type,
    expand=_expand_transpose_v, numpy=lambda x, perm: np.transpose(x, perm.tolist()),
    grad=lambda node, g: (F.transpose_v(g, F.invert_permutation(node.inputs[1])), None),
    args=("x", "perm"), groups=("T", "Tperm"), dtypes={"T": ALL, "Tperm": INDEX},
    shape_inputs=(1,), samples=(sample(arg((2, 3, 4)), fixed([1, 2, 0], int32, const=True)),),
    doc="transpose by a tensor; the axes are known when the rank is",
)  # fmt: skip


# ------------------------------------------------------------------ expand_dims, squeeze
def _expand_dims_type(ctx: InferContext) -> TensorType:
    shape, axis = ctx.shape(0), ctx.attrs["axis"]
    if shape is None:
        return TensorType(ctx.dtype(0), None)
    rank = len(shape)
    if not -rank - 1 <= axis <= rank:
        raise ctx.fail(f"dim {axis} not in the interval [{-rank - 1}, {rank}].")
    at = axis % (rank + 1)
    return TensorType(ctx.dtype(0), (*shape[:at], 1, *shape[at:]))


expand_dims = movement(
    "expand_dims", tf="ExpandDims", infer=_expand_dims_type, kernel=_same_data,
    numpy=lambda x, axis: np.expand_dims(x, axis), grad=_back_to_input, args=("input",),
    dtypes={"T": ALL},
    samples=(sample(arg((3, 4)), axis=1), sample(arg(()), axis=0), sample(arg((3, 4)), axis=-1)),
)  # fmt: skip


def _squeeze_type(ctx: InferContext) -> TensorType:
    shape, axes = ctx.shape(0), ctx.attrs.get("axes") or ()
    if shape is None:
        return TensorType(ctx.dtype(0), None)
    if not axes:
        ones = [dims_equal(d, 1) for d in shape]
        if any(one is None for one in ones):
            return TensorType(ctx.dtype(0), None)
        kept = tuple(d for d, one in zip(shape, ones, strict=True) if not one)
        return TensorType(ctx.dtype(0), kept)
    rank = len(shape)
    for axis in axes:
        if not -rank <= axis < rank:
            raise ctx.fail(f"squeeze_dims[0] not in [{-rank},{rank}).")
        if dims_equal(shape[axis], 1) is False:
            raise ctx.fail(
                f"Can not squeeze dim[{axis % rank}], expected a dimension of 1, got {shape[axis]}"
            )
    gone = {a % rank for a in axes}
    return TensorType(ctx.dtype(0), tuple(d for i, d in enumerate(shape) if i not in gone))


def _squeeze(x: Any, axes: tuple[int, ...] | None = None) -> Any:
    if not axes:
        return np.squeeze(x)
    for axis in axes:
        if x.shape[axis] != 1:
            raise InvalidArgumentError(
                f"Can not squeeze dim[{axis % x.ndim}], expected a dimension of 1, "
                f"got {x.shape[axis]}"
            )
    return np.squeeze(x, tuple(axes))


squeeze = movement(
    "squeeze", tf="Squeeze", infer=_squeeze_type, kernel=_same_data, numpy=_squeeze,
    grad=_back_to_input, args=("input",), dtypes={"T": ALL},
    samples=(
        sample(arg((3, 1, 4, 1)), axes=None), sample(arg((3, 1, 4, 1)), axes=(1,)),
        sample(arg((1, 3)), axes=(-2,)),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ broadcast_to
def _broadcast_type(ctx: InferContext) -> TensorType:
    want, shape = input_dims(ctx, 1), ctx.shape(0)
    if want is None or shape is None:
        return TensorType(ctx.dtype(0), None if want is None else tuple(want))
    if len(shape) > len(want):
        raise ctx.fail(f"Shape must be at most rank {len(want)} but is rank {len(shape)}")
    out = list(want)
    for i in range(1, len(shape) + 1):
        out[-i] = _stretched(ctx, shape[-i], want[-i])
    return TensorType(ctx.dtype(0), tuple(out))


def _stretched(ctx: InferContext, dim: PartialDim, want: PartialDim) -> PartialDim:
    try:
        got = broadcast_dim(dim, want)
    except ValueError:
        raise ctx.fail(f"Dimensions must be equal, but are {dim} and {want}") from None
    if dims_equal(got, want) is False:
        raise ctx.fail(f"Dimensions must be equal, but are {dim} and {want}")
    return got if want is None else want


def _broadcast_to(x: Any, shape: Any) -> Any:
    dims = tuple(np.asarray(shape).tolist())
    try:
        return np.broadcast_to(x, dims)
    except ValueError:
        raise InvalidArgumentError(
            f"Incompatible shapes: {bracket_text(x.shape)} vs. {bracket_text(dims)}"
        ) from None


def _broadcast_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    shape, out = ctx.shape(0), ctx.out_shape()
    lead = len(out) - len(shape)
    return ctx.load(
        0, [_source(idx[lead + i], d, out[lead + i]) for i, d in enumerate(shape)]
    )


def _source(x: Expr, dim: Dim, out: Dim) -> Expr:
    """The input position behind output position x of an axis that may be stretched."""
    if dim == out:
        return x
    if isinstance(dim, int):
        return zero() if dim == 1 else x
    # the same plan may meet an extent of one or the full one
    return k.select(k.eq(index(dim), 1), zero(), x)


broadcast_to = movement(
    "broadcast_to", tf="BroadcastTo", infer=_broadcast_type, kernel=_broadcast_kernel,
    numpy=_broadcast_to,
    grad=lambda node, g: (F.sum_to_shape(g, F.shape(node.inputs[0])), None),
    args=("input", "shape"), groups=("T", "Tidx"), dtypes={"T": ALL, "Tidx": INDEX},
    shape_inputs=(1,),
    samples=(
        sample(arg((3, 1)), fixed([2, 3, 4], int32, const=True)),
        sample(arg(()), fixed([2, 3], int64, const=True)),
        sample(arg((2, 3)), fixed([2, 3], int32, const=True)),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ shapes of broadcasts
def _broadcast_args_type(ctx: InferContext) -> TensorType:
    lengths = [input_dims(ctx, i) for i in (0, 1)]
    known = None if None in lengths else max(len(n) for n in lengths if n is not None)
    return TensorType(ctx.dtype(0), (known,))


def _broadcast_args(a: Any, b: Any) -> Any:
    shapes = [tuple(np.asarray(s).tolist()) for s in (a, b)]
    got = broadcast_shapes(*shapes)
    assert got is not None
    whole = all(isinstance(d, int) for d in got)
    out = np.empty(len(got), np.asarray(a).dtype if whole else object)
    out[:] = got
    return out


broadcast_args = OpDef(
    name="broadcast_args", tf="BroadcastArgs", family="host", args=("s0", "s1"),
    dtypes={"T": INDEX}, infer=_broadcast_args_type, numpy=_broadcast_args,
    nograd="a shape does not depend on the values",
    samples=(
        sample(fixed([3, 1], const=True), fixed([2, 1, 4], const=True), grad=False),
        sample(fixed(np.zeros(0), const=True), fixed([2], const=True), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ reading shapes
def _of_shape(rank: int) -> Any:
    def infer(ctx: InferContext) -> TensorType:
        known: Shape = () if rank == 0 else (ctx.rank(0),)
        return TensorType(ctx.attrs.get("out_type", int32), known)

    return infer


def _index_np(out_type: Any) -> Any:
    return (int32 if out_type is None else out_type).np


shape = OpDef(
    name="shape", tf="Shape", family="source", args=("input",), dtypes={"T": ALL},
    infer=_of_shape(1), nograd="a shape does not depend on the values",
    numpy=lambda x, out_type=None: np.array(x.shape, _index_np(out_type)),
    samples=(sample(arg((3, 4)), grad=False), sample(arg((3,)), grad=False, out_type=int64)),
)  # fmt: skip

size = OpDef(
    name="size", tf="Size", family="source", args=("input",), dtypes={"T": ALL},
    infer=_of_shape(0), nograd="a size does not depend on the values",
    numpy=lambda x, out_type=None: np.array(x.size, _index_np(out_type)),
    samples=(sample(arg((3, 4)), grad=False),),
)  # fmt: skip

rank = OpDef(
    name="rank", tf="Rank", family="source", args=("input",), dtypes={"T": ALL},
    infer=lambda ctx: TensorType(int32, ()), nograd="a rank does not depend on the values",
    numpy=lambda x: np.array(x.ndim, np.int32),
    samples=(sample(arg((3, 4)), grad=False, dtypes=(float32,)),),
)  # fmt: skip

shape_n = OpDef(
    name="shape_n", tf="ShapeN", family="source", args=("*input",), dtypes={"T": ALL},
    infer=lambda ctx: [
        TensorType(ctx.attrs.get("out_type", int32), (t.rank,)) for t in ctx.inputs
    ],
    numpy=lambda *xs, out_type=None: tuple(np.array(x.shape, _index_np(out_type)) for x in xs),
    nograd="a shape does not depend on the values",
    samples=(sample(arg((3, 4)), arg((2,)), grad=False),),
)  # fmt: skip
