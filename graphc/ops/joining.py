"""Ops that join and part tensors: concat, stack, unstack, split, split_v.

Lives here: those records. Not here: slices (ops/slicing.py), repetition (ops/tiling.py). Imports
ops.define.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, int32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import (
    Dim,
    PartialDim,
    bracket_text,
    dims_equal,
    map_dims,
    merge_dim,
    merge_shapes,
    shape_text,
)
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, index
from graphc.ops.define import F, InferContext, KernelContext, movement
from graphc.ops.extents import (
    INDEX,
    as_dims,
    below_zero,
    both,
    check_axis,
    input_dims,
    or_zeros,
)
from graphc.ops.samples import arg, fixed, sample


# ------------------------------------------------------------------ concat
def _concat_type(ctx: InferContext) -> TensorType:
    ranks = {t.rank for t in ctx.inputs if t.rank is not None}
    if not ranks:
        return TensorType(ctx.dtype(0), None)
    if len(ranks) > 1:
        first = next(t.rank for t in ctx.inputs if t.rank is not None)
        other = next(t.rank for t in ctx.inputs if t.rank not in (None, first))
        raise ctx.fail(f"Shape must be rank {first} but is rank {other}")
    rank = ranks.pop()
    axis = check_axis(ctx, ctx.attrs["axis"], rank)
    assert axis is not None
    merged: list[PartialDim] = [None] * rank
    total: PartialDim = 0
    for tensor in ctx.inputs:
        dims = tensor.dims or (None,) * rank
        total = map_dims(lambda a, b: a + b, total, dims[axis])
        merged = [
            d if i == axis else _merged(ctx, axis, i, d, dims[i]) for i, d in enumerate(merged)
        ]
    merged[axis] = total
    return TensorType(ctx.dtype(0), tuple(merged))


def _merged(ctx: InferContext, axis: int, i: int, a: PartialDim, b: PartialDim) -> PartialDim:
    try:
        return merge_dim(a, b)
    except ValueError:
        shapes = " and ".join(
            bracket_text(tuple(d for j, d in enumerate(t.dims or ()) if j != axis))
            for t in ctx.inputs[:2]
        )
        raise ctx.fail(
            f"Dimension {i if i < axis else i - 1} in both shapes must be equal, but are {a} and "
            f"{b}. Shapes are {shapes}."
        ) from None


def _concat(*values: Any, axis: int) -> Any:
    first = values[0]
    at = axis % max(first.ndim, 1)
    for i, value in enumerate(values[1:], 1):
        for d in range(first.ndim):
            if d != at and value.shape[d] != first.shape[d]:
                raise InvalidArgumentError(
                    f"ConcatOp : Dimension {d} in both shapes must be equal: shape[0] = "
                    f"{bracket_text(first.shape)} vs. shape[{i}] = {bracket_text(value.shape)}"
                )
    return np.concatenate(values, axis=axis)


def _concat_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    """A chain of selects on the position along the axis; each part is read only where it lies."""
    axis = ctx.attrs["axis"] % len(idx)
    x = idx[axis]
    starts: list[Dim] = [0]
    for i in range(len(ctx.node.inputs)):
        starts.append(starts[-1] + ctx.shape(i)[axis])
    last = len(ctx.node.inputs) - 1
    out: Expr | None = None
    for i in range(last, -1, -1):
        start, end = starts[i], starts[i + 1]
        if start == end:
            continue
        mask = both(
            k.ge(x, index(start)) if i > 0 else None, k.lt(x, index(end)) if i < last else None
        )
        at = [x - index(start) if d == axis else y for d, y in enumerate(idx)]
        part = ctx.load(i, at, mask, 0)
        out = part if out is None else k.select(k.lt(x, index(end)), part, out)
    # all parts empty: nothing is ever read
    return out if out is not None else ctx.load(0, idx)


def _lengths(tensors: Sequence[Tensor], axis: int) -> Tensor:
    """The extents of tensors along an axis, as a vector."""
    return F.stack(*(axis_extent(t, axis) for t in tensors), axis=0)


def axis_extent(tensor: Tensor, axis: int) -> Tensor:
    """A dimension as a scalar int32 tensor; the axis may count from the end."""
    at = np.array([axis], np.int32)
    return F.strided_slice(
        F.shape(tensor), at, at + 1, np.ones(1, np.int32), shrink_axis_mask=1
    )


def _concat_grad(node: Node, g: Tensor) -> Any:
    if len(node.inputs) == 1:
        return (g,)
    axis = node.attrs["axis"]
    return F.split_v(g, _lengths(node.inputs, axis), axis=axis, num=len(node.inputs))


concat = movement(
    "concat", tf="ConcatV2", default_name="concat", infer=_concat_type, kernel=_concat_kernel,
    numpy=_concat, grad=_concat_grad, args=("*values",), dtypes={"T": ALL},
    samples=(
        sample(arg((2, 3)), arg((4, 3)), axis=0),
        sample(arg((2, 3)), arg((2, 1)), arg((2, 2)), axis=-1),
        sample(arg((3,)), axis=0),
        sample(arg((2, 0)), arg((2, 2)), axis=1),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ stack, unstack
def _stack_type(ctx: InferContext) -> TensorType:
    shape = ctx.shape(0)
    for tensor in ctx.inputs[1:]:
        try:
            shape = merge_shapes(shape, tensor.dims)
        except ValueError:
            raise ctx.fail(_unequal(shape, tensor.dims)) from None
    if shape is None:
        return TensorType(ctx.dtype(0), None)
    axis, rank = ctx.attrs["axis"], len(shape) + 1
    if not -rank <= axis < rank:
        raise ctx.fail(f"Argument `axis` = {axis} not in range [{-rank}, {rank})")
    at = axis % rank
    return TensorType(ctx.dtype(0), (*shape[:at], len(ctx.inputs), *shape[at:]))


def _unequal(a: Any, b: Any) -> str:
    if len(a) != len(b):
        return f"Shapes must be equal rank, but are {len(a)} and {len(b)}"
    d = next(i for i, (x, y) in enumerate(zip(a, b, strict=True)) if dims_equal(x, y) is False)
    return (
        f"Dimension {d} in both shapes must be equal, but are {a[d]} and {b[d]}. "
        f"Shapes are {bracket_text(a)} and {bracket_text(b)}."
    )


def _stack(*values: Any, axis: int) -> Any:
    for i, value in enumerate(values):
        if value.shape != values[0].shape:
            raise InvalidArgumentError(
                f"Shapes of all inputs must match: values[0].shape = "
                f"{bracket_text(values[0].shape)} != values[{i}].shape = "
                f"{bracket_text(value.shape)}"
            )
    return np.stack(values, axis=axis)


def _stack_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    axis = ctx.attrs["axis"] % len(idx)
    x = idx[axis]
    at = [y for d, y in enumerate(idx) if d != axis]
    last = len(ctx.node.inputs) - 1
    if last == 0:
        return ctx.load(0, at)
    out = ctx.load(last, at, k.eq(x, last), 0)
    for i in range(last - 1, -1, -1):
        here = k.eq(x, i)
        out = k.select(here, ctx.load(i, at, here, 0), out)
    return out


def _stack_grad(node: Node, g: Tensor) -> Any:
    out = F.unstack(g, num=len(node.inputs), axis=node.attrs["axis"])
    return out if isinstance(out, tuple) else (out,)


stack = movement(
    "stack", tf="Pack", default_name="stack", infer=_stack_type, kernel=_stack_kernel,
    numpy=_stack, grad=_stack_grad, args=("*values",), dtypes={"T": ALL},
    samples=(
        sample(arg((2, 3)), arg((2, 3)), axis=0), sample(arg((2, 3)), arg((2, 3)), axis=-1),
        sample(arg(()), arg(()), arg(()), axis=0), sample(arg((4,)), axis=1),
    ),
)  # fmt: skip


def _unstack_type(ctx: InferContext) -> list[TensorType]:
    num, axis, shape = ctx.attrs["num"], ctx.attrs["axis"], ctx.shape(0)
    if shape is None:
        return [TensorType(ctx.dtype(0), None)] * num
    rank = len(shape)
    if not -rank <= axis < rank:
        raise ctx.fail(f"Argument `axis` = {axis} not in range [{-rank}, {rank})")
    at = axis % rank
    if dims_equal(shape[at], num) is False:
        raise ctx.fail(f"Dimension must be {num} but is {shape[at]}")
    return [TensorType(ctx.dtype(0), (*shape[:at], *shape[at + 1 :]))] * num


def _unstack(value: Any, num: int, axis: int) -> Any:
    if value.shape[axis] != num:
        raise InvalidArgumentError(
            f"Input shape axis {axis} must equal {num}, got shape {bracket_text(value.shape)}"
        )
    moved = np.moveaxis(value, axis, 0)
    return tuple(moved[k, ...] for k in range(num))


def _unstack_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at = list(idx)
    at.insert(ctx.attrs["axis"] % len(ctx.shape(0)), index(which))
    return ctx.load(0, at)


unstack = movement(
    "unstack", tf="Unpack", default_name="unstack", infer=_unstack_type, kernel=_unstack_kernel,
    numpy=_unstack,
    grad=lambda node, *gs: (
        F.stack(*map(or_zeros, gs, node.outputs), axis=node.attrs["axis"]),
    ),
    args=("value",), dtypes={"T": ALL},
    samples=(sample(arg((2, 3)), num=2, axis=0), sample(arg((2, 3, 2)), num=3, axis=-2)),
)  # fmt: skip


# ------------------------------------------------------------------ split, split_v
def _join_gradients(node: Node, *gs: Any) -> tuple[Any, ...]:
    parts = map(or_zeros, gs, node.outputs)
    back = F.concat(*parts, axis=node.attrs["axis"])
    return (back, *(None for _ in node.inputs[1:]))


def _split_type(ctx: InferContext) -> list[TensorType]:
    num, shape = ctx.attrs["num"], ctx.shape(0)
    axis = check_axis(ctx, ctx.attrs["axis"], ctx.rank(0))
    if shape is None or axis is None:
        return [TensorType(ctx.dtype(0), None)] * num
    dim = shape[axis]
    part = None if dim is None else dim // num
    if part is not None and dims_equal(part * num, dim) is False:
        raise ctx.fail(f"Dimension size must be evenly divisible by {num} but is {dim}")
    return [TensorType(ctx.dtype(0), (*shape[:axis], part, *shape[axis + 1 :]))] * num


def _split(value: Any, axis: int, num: int) -> Any:
    if value.shape[axis] % num:
        raise InvalidArgumentError(
            f"Number of ways to split should evenly divide the split dimension, but got "
            f"split_dim {axis} (size = {value.shape[axis]}) and num_split {num}"
        )
    return tuple(np.split(value, num, axis=axis))


def _part_kernel(ctx: KernelContext, start: Dim, idx: tuple[Expr, ...]) -> Expr:
    axis = ctx.attrs["axis"] % len(idx)
    at = [x + index(start) if d == axis else x for d, x in enumerate(idx)]
    return ctx.load(0, at)


def _split_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    width = ctx.out_shape()[ctx.attrs["axis"] % len(idx)]
    return _part_kernel(ctx, width * which, idx)


split = movement(
    "split", tf="Split", default_name="split", infer=_split_type, kernel=_split_kernel,
    numpy=_split, grad=_join_gradients, args=("value",), dtypes={"T": ALL},
    samples=(sample(arg((4, 6)), axis=1, num=3), sample(arg((4, 6)), axis=-2, num=2)),
)  # fmt: skip


def _split_v_type(ctx: InferContext) -> list[TensorType]:
    num, shape, sizes = ctx.attrs["num"], ctx.shape(0), input_dims(ctx, 1)
    axis = check_axis(ctx, ctx.attrs["axis"], ctx.rank(0))
    if sizes is not None and len(sizes) != num:
        raise ctx.fail(f"Length of size_splits should be equal to the number of outputs ({num})")
    if shape is None or axis is None:
        return [TensorType(ctx.dtype(0), None)] * num
    sizes = resolved_sizes(sizes or [None] * num, shape[axis])
    dim = shape[axis]
    total: PartialDim = 0
    for s in sizes:
        total = map_dims(lambda a, b: a + b, total, s)
    if any(below_zero(s) for s in sizes) or dims_equal(total, dim) is False:
        text = ",".join(map(str, sizes))
        raise ctx.fail(f"can't split axis of size {dim} into pieces of size [{text}]")
    return [TensorType(ctx.dtype(0), (*shape[:axis], s, *shape[axis + 1 :])) for s in sizes]


def resolved_sizes(sizes: Sequence[PartialDim], dim: PartialDim) -> list[PartialDim]:
    """The pieces with a single -1 replaced by what remains."""
    free = [i for i, s in enumerate(sizes) if isinstance(s, int) and s == -1]
    out = list(sizes)
    if len(free) != 1:
        return out
    rest: PartialDim = dim
    for i, s in enumerate(sizes):
        if i != free[0]:
            rest = None if rest is None or s is None else rest - s
    out[free[0]] = rest
    return out


def _split_v(value: Any, size_splits: Any, axis: int, num: int) -> Any:
    dim = value.shape[axis]
    sizes: list[Any] = resolved_sizes(as_dims(np.asarray(size_splits)), dim)
    if sum(sizes) != dim or min(sizes, default=0) < 0:
        raise InvalidArgumentError(
            "Determined shape must either match input shape along split_dim exactly if fully "
            f"specified, or be less than the size of the input along split_dim if not fully "
            f"specified.  Got: {shape_text(tuple(sizes))}"
        )
    cuts = list(accumulate(sizes))[:-1]
    return tuple(np.split(value, cuts, axis=axis))


def _split_v_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    axis = ctx.attrs["axis"] % len(idx)
    start: Dim = 0
    for tensor in ctx.node.outputs[:which]:
        assert tensor.dims is not None
        start = start + tensor.dims[axis]  # type: ignore[operator]
    return _part_kernel(ctx, start, idx)


split_v = movement(
    "split_v", tf="SplitV", default_name="split", infer=_split_v_type, kernel=_split_v_kernel,
    numpy=_split_v, grad=_join_gradients, args=("value", "size_splits"), groups=("T", "Tlen"),
    dtypes={"T": ALL, "Tlen": INDEX}, shape_inputs=(1,),
    samples=(
        sample(arg((2, 6)), fixed([1, 3, 2], int32, const=True), axis=1, num=3),
        sample(arg((7,)), fixed([2, -1], int32, const=True), axis=0, num=2),
    ),
)  # fmt: skip

