"""Ops that repeat, mirror and turn round: tile, pad, mirror_pad, reverse, reverse_sequence.

Lives here: those records and the adjoints tile_grad and mirror_pad_grad. Not here: slices
(ops/slicing.py), broadcasting (ops/shape.py). Imports ops.define.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, NUMERIC, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Dim, PartialDim, dims_equal, map_dims
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, index
from graphc.ops.define import F, InferContext, KernelContext, composite, movement
from graphc.ops.extents import (
    INDEX,
    as_dims,
    below_zero,
    both,
    check_axis,
    index_input,
    input_dims,
    unknown_shape,
    zero,
)
from graphc.ops.samples import arg, fixed, sample
from graphc.ops.values import value_of


# ------------------------------------------------------------------ tile
def _multiples(ctx: InferContext) -> tuple[list[PartialDim], tuple[PartialDim, ...]] | None:
    """(multiples, input dimensions), or None where the rank is unknown."""
    shape, times = ctx.shape(0), input_dims(ctx, 1)
    rank = len(shape) if shape is not None else len(times) if times is not None else None
    if rank is None:
        return None
    times = [None] * rank if times is None else times
    if shape is not None and len(times) != len(shape):
        raise ctx.fail(f"Shape must be rank {len(shape)} but is rank {len(times)}")
    return times, shape if shape is not None else (None,) * rank


def _tile_type(ctx: InferContext) -> TensorType:
    known = _multiples(ctx)
    if known is None:
        return TensorType(ctx.dtype(0), None)
    times, shape = known
    for i, m in enumerate(times):
        if below_zero(m):
            raise ctx.fail(f"Expected multiples[{i}] >= 0, but got {m}")
    dims = tuple(map_dims(lambda a, b: a * b, d, m) for d, m in zip(shape, times, strict=True))
    return TensorType(ctx.dtype(0), dims)


def _tile(x: Any, multiples: Any) -> Any:
    if len(multiples) != x.ndim:
        raise InvalidArgumentError(
            f"Expected multiples argument to be a vector of length {x.ndim} but got length "
            f"{len(multiples)}"
        )
    return np.tile(x, tuple(int(m) for m in multiples))


def _tile_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at = []
    for x, dim, out in zip(idx, ctx.shape(0), ctx.out_shape(), strict=True):
        if dim == out:
            at.append(x)
        else:
            at.append(zero() if dim == 1 else k.floormod(x, index(dim)))
    return ctx.load(0, at)


tile = movement(
    "tile", tf="Tile", infer=_tile_type, kernel=_tile_kernel, numpy=_tile,
    grad=lambda node, g: (F.tile_grad(g, node.inputs[1]), None), args=("input", "multiples"),
    groups=("T", "Tmultiples"), dtypes={"T": ALL, "Tmultiples": INDEX}, shape_inputs=(1,),
    samples=(
        sample(arg((2, 3)), fixed([2, 3], int32, const=True)),
        sample(arg((1, 3)), fixed([4, 1], int64, const=True)),
        sample(arg((3,)), fixed([0], int32, const=True), grad=False),
    ),
)  # fmt: skip


def _tile_grad_type(ctx: InferContext) -> TensorType:
    known = _multiples(ctx)
    if known is None:
        return TensorType(ctx.dtype(0), None)
    times, shape = known
    dims = tuple(
        None if d is None or m is None or m == 0 else d // m
        for d, m in zip(shape, times, strict=True)
    )
    return TensorType(ctx.dtype(0), dims)


def _interleaved(shape: Sequence[Any], times: Sequence[Any]) -> list[Any]:
    return [v for d, m in zip(shape, times, strict=True) for v in (m, d // m)]


def _tile_grad(g: Any, multiples: Any) -> Any:
    wide = np.float32 if g.dtype.itemsize == 2 and g.dtype.kind not in "iu" else g.dtype
    split = g.reshape(_interleaved(g.shape, [int(m) for m in multiples]))
    return split.sum(axis=tuple(range(0, split.ndim, 2)), dtype=wide).astype(g.dtype)


def _expand_tile_grad(node: Node) -> Tensor:
    g, multiples = node.inputs
    assert g.dims is not None
    inner = F.floordiv(F.shape(g, out_type=multiples.dtype), multiples)
    split = F.reshape(g, F.reshape(F.stack(multiples, inner, axis=1), np.array([-1], np.int32)))
    return F.reduce_sum(split, axes=tuple(range(0, 2 * len(g.dims), 2)), keepdims=False)


tile_grad = composite(
    "tile_grad", tf="TileGrad", infer=_tile_grad_type, expand=_expand_tile_grad,
    numpy=_tile_grad, grad=lambda node, g: (F.tile(g, node.inputs[1]), None),
    args=("input", "multiples"), groups=("T", "Tmultiples"),
    dtypes={"T": NUMERIC, "Tmultiples": INDEX}, shape_inputs=(1,),
    samples=(sample(arg((4, 9)), fixed([2, 3], int32, const=True)),),
    doc="the adjoint of tile: the sum over the copies",
)  # fmt: skip


# ------------------------------------------------------------------ pad
def _paddings(ctx: InferContext) -> tuple[int | None, list[tuple[Any, Any]] | None]:
    """(rank, pairs of paddings), each None where it is unknown."""
    rank, value, shape = ctx.rank(0), ctx.value(1), ctx.shape(1)
    if shape is not None and len(shape) == 2 and isinstance(shape[0], int):
        if rank is not None and shape[0] != rank:
            raise ctx.fail(f"Shape must be rank {shape[0]} but is rank {rank}")
        rank = shape[0]
    if value is None:
        return rank, None
    flat = as_dims(value)
    if any(below_zero(p) for p in flat):
        raise ctx.fail("Paddings must be non-negative")
    return rank, list(zip(flat[::2], flat[1::2], strict=True))


def _pad_type(ctx: InferContext) -> TensorType:
    rank, pairs = _paddings(ctx)
    shape = ctx.shape(0)
    if rank is None or pairs is None or shape is None:
        return TensorType(ctx.dtype(0), unknown_shape(rank))
    add = [map_dims(lambda d, a, b: d + a + b, d, a, b) for d, (a, b) in
           zip(shape, pairs, strict=True)]  # fmt: skip
    return TensorType(ctx.dtype(0), tuple(add))


def _pad(x: Any, paddings: Any, constant: Any) -> Any:
    return np.pad(x, np.asarray(paddings).tolist(), constant_values=constant)


def _low(ctx: KernelContext, axis: int) -> Expr:
    return index_input(ctx, 1, 2 * axis) if value_of(ctx.node.inputs[1]) is not None else k.cast(
        ctx.load(1, (index(axis), index(0))), int64
    )


def _pad_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at: list[Expr] = []
    mask: Expr | None = None
    for axis, (x, dim, out) in enumerate(zip(idx, ctx.shape(0), ctx.out_shape(), strict=True)):
        if dim == out:
            at.append(x)
            continue
        moved = x - _low(ctx, axis)
        at.append(moved)
        mask = both(mask, k.and_(k.ge(moved, 0), k.lt(moved, index(dim))))
    if mask is None:
        return ctx.load(0, at)
    fill = _constant(ctx)
    if fill is not None:
        return ctx.load(0, at, mask, fill)
    return k.select(mask, ctx.load(0, at, mask, 0), ctx.load(2, ()))


def _constant(ctx: KernelContext) -> Any:
    """The padding value where it is a constant of the graph."""
    node = ctx.node.inputs[2].node
    return node.attrs["value"].array.item() if node.op.name == "const" else None


def _pad_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    x, paddings = node.inputs[:2]
    kind = paddings.dtype
    two = np.array([0, 0], np.int32)
    begin = F.strided_slice(
        paddings, two, two + 1, two + 1, begin_mask=1, end_mask=1, shrink_axis_mask=2
    )
    return (F.slice(g, begin, F.shape(x, out_type=kind)), None, None)


_ROWS = fixed([[1, 2], [0, 3]], int32, const=True)

pad = movement(
    "pad", tf="PadV2", default_name="Pad", infer=_pad_type, kernel=_pad_kernel, numpy=_pad,
    grad=_pad_grad, args=("input", "paddings", "constant_values"), groups=("T", "Tpaddings", "T"),
    dtypes={"T": ALL, "Tpaddings": INDEX}, shape_inputs=(1,),
    samples=(
        sample(arg((2, 3)), _ROWS, fixed(0)), sample(arg((2, 3)), _ROWS, fixed(1)),
        sample(arg((0, 3)), _ROWS, fixed(0)),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ mirror_pad
def _mirror_type(ctx: InferContext) -> TensorType:
    out = _pad_type(ctx)
    shape, (_, pairs) = ctx.shape(0), _paddings(ctx)
    for dim, pair in zip(shape or (), pairs or (), strict=False):
        edge = _edge(ctx.attrs["mode"])
        room = [map_dims(lambda d, p: d - p, dim, p) for p in pair]
        if any(below_zero(map_dims(lambda r: r - edge, r)) for r in room):  # noqa: B023
            raise ctx.fail(_too_wide(ctx.attrs["mode"], pair, dim))
    return out


def _edge(mode: str) -> int:
    return 1 if mode == "REFLECT" else 0


def _too_wide(mode: str, pair: Sequence[Any], dim: Any) -> str:
    bound = "less than" if mode == "REFLECT" else "no greater than"
    word = "less than" if mode == "REFLECT" else "greater than"
    tail = f"not {word} {dim}" if mode == "REFLECT" else f"{word} {dim}"
    return f"paddings must be {bound} the dimension size: {pair[0]}, {pair[1]} {tail}"


def _mirror_pad(x: Any, paddings: Any, mode: str) -> Any:
    pairs = np.asarray(paddings).tolist()
    for dim, pair in zip(x.shape, pairs, strict=True):
        if max(pair) > dim - _edge(mode):
            raise InvalidArgumentError(_too_wide(mode, pair, dim))
    kind: Any = mode.lower()
    return np.pad(x, pairs, kind)


def _mirror_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    edge = _edge(ctx.attrs["mode"])
    at: list[Expr] = []
    for axis, (x, dim, out) in enumerate(zip(idx, ctx.shape(0), ctx.out_shape(), strict=True)):
        if dim == out:
            at.append(x)
            continue
        moved, top = x - _low(ctx, axis), index(dim) - 1
        # positions before 0 and behind the end are reflected back
        moved = k.select(k.lt(moved, 0), -moved - (1 - edge), moved)
        at.append(k.select(k.lt(top, moved), top + top - moved + (1 - edge), moved))
    return ctx.load(0, at)


mirror_pad = movement(
    "mirror_pad", tf="MirrorPad", infer=_mirror_type, kernel=_mirror_kernel, numpy=_mirror_pad,
    grad=lambda node, g: (
        F.mirror_pad_grad(g, node.inputs[1], mode=node.attrs["mode"]), None,
    ),
    args=("input", "paddings"), groups=("T", "Tpaddings"),
    dtypes={"T": ALL, "Tpaddings": INDEX}, shape_inputs=(1,),
    samples=(
        sample(arg((3, 4)), _ROWS, mode="REFLECT"), sample(arg((3, 4)), _ROWS, mode="SYMMETRIC"),
    ),
)  # fmt: skip


def _mirror_grad_type(ctx: InferContext) -> TensorType:
    rank, pairs = _paddings(ctx)
    shape = ctx.shape(0)
    if rank is None or pairs is None or shape is None:
        return TensorType(ctx.dtype(0), unknown_shape(rank))
    dims = tuple(
        map_dims(lambda d, a, b: d - a - b, d, a, b) for d, (a, b) in zip(shape, pairs, strict=True)
    )
    return TensorType(ctx.dtype(0), dims)


def _mirror_pad_grad(g: Any, paddings: Any, mode: str) -> Any:
    out = g
    for axis, (low, high) in enumerate(np.asarray(paddings).tolist()):
        out = np.moveaxis(out, axis, 0)
        inner = out[low : len(out) - high].copy()
        edge = _edge(mode)
        inner[edge : edge + low] += out[:low][::-1]
        inner[len(inner) - edge - high : len(inner) - edge] += out[len(out) - high :][::-1]
        out = np.moveaxis(inner, 0, axis)
    return out


def _mirror_grad_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    """Each input position is read once inside and at most once by each reflection."""
    edge = _edge(ctx.attrs["mode"])
    choices: list[list[tuple[Expr, Expr | None]]] = []
    for axis, (x, dim, out) in enumerate(zip(idx, ctx.shape(0), ctx.out_shape(), strict=True)):
        if dim == out:
            choices.append([(x, None)])
            continue
        low = _low(ctx, axis)
        left = low - x - (1 - edge)
        right = low + index(out) + index(out) - x - (1 + edge)
        ways: list[tuple[Expr, Expr | None]] = [(low + x, None)]
        ways.append((left, k.and_(k.ge(left, 0), k.lt(left, low))))
        beyond = k.ge(right, low + index(out))
        ways.append((right, k.and_(beyond, k.lt(right, index(dim)))))
        choices.append(ways)
    total: Expr | None = None
    for way in product(*choices):
        mask: Expr | None = None
        for _, part in way:
            mask = both(mask, part)
        value = ctx.load(0, [at for at, _ in way], mask, 0)
        value = k.cast(value, value.dtype.compute)
        total = value if total is None else total + value
    assert total is not None
    return total


mirror_pad_grad = movement(
    "mirror_pad_grad", tf="MirrorPadGrad", infer=_mirror_grad_type, kernel=_mirror_grad_kernel,
    numpy=_mirror_pad_grad,
    grad=lambda node, g: (F.mirror_pad(g, node.inputs[1], mode=node.attrs["mode"]), None),
    args=("input", "paddings"), groups=("T", "Tpaddings"),
    dtypes={"T": NUMERIC, "Tpaddings": INDEX}, shape_inputs=(1,),
    samples=(
        sample(arg((6, 7)), _ROWS, mode="REFLECT"), sample(arg((6, 7)), _ROWS, mode="SYMMETRIC"),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ reverse, reverse_sequence
def _reverse_type(ctx: InferContext) -> TensorType:
    axes, rank = ctx.attrs["axes"], ctx.rank(0)
    if rank is None:
        return ctx.inputs[0].type
    seen: set[int] = set()
    for i, axis in enumerate(axes):
        if not -rank <= axis < rank:
            raise ctx.fail(f"'axis'[{i}] = {axis} is out of valid range [0, {rank - 1}")
        if axis % rank in seen:
            raise ctx.fail(f"axis {axis % rank} specified more than once.")
        seen.add(axis % rank)
    return ctx.inputs[0].type


def _reverse_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    turned = {a % len(idx) for a in ctx.attrs["axes"]} if idx else set()
    shape = ctx.shape(0)
    return ctx.load(0, [index(shape[d]) - 1 - x if d in turned else x for d, x in enumerate(idx)])


reverse = movement(
    "reverse", tf="ReverseV2", infer=_reverse_type, kernel=_reverse_kernel,
    numpy=lambda x, axes: np.flip(x, axes) if axes else x,
    grad=lambda node, g: (F.reverse(g, axes=node.attrs["axes"]),), args=("tensor",),
    dtypes={"T": ALL},
    samples=(sample(arg((3, 4)), axes=(0,)), sample(arg((2, 3, 4)), axes=(-1, 0))),
)  # fmt: skip


def _reverse_sequence_type(ctx: InferContext) -> TensorType:
    rank = ctx.rank(0)
    batch = check_axis(ctx, ctx.attrs["batch_axis"], rank)
    check_axis(ctx, ctx.attrs["seq_axis"], rank)
    lengths, shape = ctx.shape(1), ctx.shape(0)
    if lengths is not None and len(lengths) != 1:
        raise ctx.fail(f"Shape must be rank 1 but is rank {len(lengths)}")
    if shape and lengths and batch is not None and dims_equal(shape[batch], lengths[0]) is False:
        raise ctx.fail(f"Dimensions must be equal, but are {shape[batch]} and {lengths[0]}")
    if not shape or not lengths or batch is None or shape[batch] is not None:
        return ctx.inputs[0].type
    return TensorType(ctx.dtype(0), (*shape[:batch], lengths[0], *shape[batch + 1 :]))


def _reverse_sequence(x: Any, seq_lengths: Any, seq_axis: int, batch_axis: int) -> Any:
    moved = np.moveaxis(x, (batch_axis, seq_axis), (0, 1))
    length = np.asarray(seq_lengths, np.int64)[:, None]
    for b, n in enumerate(length[:, 0].tolist()):
        if n < 0:
            raise InvalidArgumentError(f"seq_lens({b}) < 0")
        if n > moved.shape[1]:
            raise InvalidArgumentError(f"seq_lens({b}) > input.dims({seq_axis})")
    step = np.arange(moved.shape[1])[None, :]
    at = np.where(step < length, length - 1 - step, step)
    out = moved[np.arange(len(moved))[:, None], at]
    return np.moveaxis(out, (0, 1), (batch_axis, seq_axis))


def _reverse_sequence_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    seq, batch = ctx.attrs["seq_axis"] % len(idx), ctx.attrs["batch_axis"] % len(idx)
    length: Dim = ctx.shape(0)[seq]
    taken = k.cast(ctx.load(1, (idx[batch],)), int64)
    # a length in [0, extent] is an index below extent + 1
    taken = k.check_index(taken, index(length) + 1)
    x = idx[seq]
    turned = k.select(k.lt(x, taken), taken - 1 - x, x)
    return ctx.load(0, [turned if d == seq else y for d, y in enumerate(idx)])


reverse_sequence = movement(
    "reverse_sequence", tf="ReverseSequence", infer=_reverse_sequence_type,
    kernel=_reverse_sequence_kernel, numpy=_reverse_sequence,
    grad=lambda node, g: (F.reverse_sequence(g, node.inputs[1], **node.attrs), None),
    args=("input", "seq_lengths"), groups=("T", "Tlen"), dtypes={"T": ALL, "Tlen": INDEX},
    samples=(
        sample(arg((3, 5, 2)), fixed([0, 3, 5], int64), seq_axis=1, batch_axis=0),
        sample(arg((4, 2)), fixed([2, 4], int32), seq_axis=0, batch_axis=1),
    ),
)  # fmt: skip
