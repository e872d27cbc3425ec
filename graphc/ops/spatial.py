"""Movements between space, depth and batch, and patches of images.

Lives here: space_to_depth, depth_to_space, space_to_batch_nd, batch_to_space_nd,
extract_image_patches. Not here: patches for convolutions (ops/conv_patches.py). Imports ops.define.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import ALL, NUMERIC, int32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Dim, PartialDim, dims_product, map_dims
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, index
from graphc.ops.conv_lower import Layout, dims_vector
from graphc.ops.conv_patches import window_of
from graphc.ops.conv_window import check_strides, output_dims
from graphc.ops.define import F, InferContext, KernelContext, composite, movement
from graphc.ops.extents import (
    INDEX,
    as_dims,
    below_zero,
    both,
    dim_index,
    input_dims,
    need_rank,
    need_rank_at_least,
)
from graphc.ops.samples import arg, fixed, sample


def _divided(ctx: InferContext, dim: PartialDim, by: PartialDim) -> PartialDim:
    """dim / by. Raises ShapeError ("Dimension size must be evenly divisible by 2 but is 5")."""
    if isinstance(dim, int) and isinstance(by, int) and (by == 0 or dim % by):
        raise ctx.fail(f"Dimension size must be evenly divisible by {by} but is {dim}")
    return map_dims(lambda d, b: d // b, dim, by)


# ------------------------------------------------------------------ space and depth
def _layout(ctx: InferContext) -> Layout:
    need_rank(ctx, 0, 4)
    return Layout.of(ctx.attrs["data_format"], 4)


def _to_depth_type(ctx: InferContext) -> TensorType:
    layout, block = _layout(ctx), ctx.attrs["block_size"]
    x = ctx.shape(0) or (None,) * 4
    spatial = [_divided(ctx, x[a], block) for a in layout.spatial]
    depth = map_dims(lambda d: d * (block * block), x[layout.channel])
    return TensorType(ctx.dtype(0), layout.joined(x[0], spatial, depth))


def _to_space_type(ctx: InferContext) -> TensorType:
    layout, block = _layout(ctx), ctx.attrs["block_size"]
    x = ctx.shape(0) or (None,) * 4
    spatial = [map_dims(lambda d: d * block, x[a]) for a in layout.spatial]
    depth = _divided(ctx, x[layout.channel], block * block)
    return TensorType(ctx.dtype(0), layout.joined(x[0], spatial, depth))


def _split(dims: Sequence[Any], layout: Layout, block: int, deep: bool) -> tuple[Any, Any]:
    """(shape with the blocks as axes, permutation) that regroup an input with these extents."""
    n, c = dims[0], dims[layout.channel]
    h, w = (dims[a] for a in layout.spatial)
    if deep and layout.first:
        return (n, c, h // block, block, w // block, block), (0, 3, 5, 1, 2, 4)
    if deep:
        return (n, h // block, block, w // block, block, c), (0, 1, 3, 2, 4, 5)
    inner = c // (block * block)
    if layout.first:
        return (n, block, block, inner, h, w), (0, 3, 4, 1, 5, 2)
    return (n, h, w, block, block, inner), (0, 1, 3, 2, 4, 5)


def _regroup(node: Node) -> Tensor:
    x = node.inputs[0]
    layout = Layout.of(node.attrs["data_format"], 4)
    deep = node.op.name == "space_to_depth"
    shape, perm = _split(x.known_dims, layout, node.attrs["block_size"], deep)
    moved = F.transpose(F.reshape(x, dims_vector(shape)), perm=perm)
    out: Tensor = F.reshape(moved, dims_vector(node.outputs[0].known_dims))
    return out


def _regrouped(x: Any, layout: Layout, block: int, deep: bool) -> Any:
    divisor = block if deep else block * block
    axes = layout.spatial if deep else (layout.channel,)
    for a in axes:
        if x.shape[a] % divisor:
            raise InvalidArgumentError(
                f"Dimension size must be evenly divisible by {divisor} but is {x.shape[a]}"
            )
    shape, perm = _split(x.shape, layout, block, deep)
    n, c = x.shape[0], x.shape[layout.channel]
    h, w = (x.shape[a] for a in layout.spatial)
    if deep:
        full = layout.joined(n, (h // block, w // block), c * block * block)
    else:
        full = layout.joined(n, (h * block, w * block), c // (block * block))
    return x.reshape(shape).transpose(perm).reshape(full)


space_to_depth = composite(
    "space_to_depth", tf="SpaceToDepth", infer=_to_depth_type, expand=_regroup,
    numpy=lambda x, block_size, data_format: _regrouped(
        x, Layout.of(data_format, 4), block_size, True
    ),
    grad=lambda node, g: (F.depth_to_space(g, **node.attrs),), args=("input",),
    dtypes={"T": ALL},
    samples=(
        sample(arg((2, 4, 6, 3)), block_size=2, data_format="NHWC"),
        sample(arg((1, 2, 3, 6)), block_size=3, data_format="NCHW"),
    ),
)  # fmt: skip

depth_to_space = composite(
    "depth_to_space", tf="DepthToSpace", infer=_to_space_type, expand=_regroup,
    numpy=lambda x, block_size, data_format: _regrouped(
        x, Layout.of(data_format, 4), block_size, False
    ),
    grad=lambda node, g: (F.space_to_depth(g, **node.attrs),), args=("input",),
    dtypes={"T": ALL},
    samples=(
        sample(arg((2, 2, 3, 8)), block_size=2, data_format="NHWC"),
        sample(arg((1, 9, 2, 1)), block_size=3, data_format="NCHW"),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ space and batch
def _blocks(ctx: InferContext) -> tuple[int, list[PartialDim], list[Any]] | None:
    """(number of block axes, their sizes, pairs of paddings or crops); None where unknown."""
    blocks = input_dims(ctx, 1)
    if blocks is None:
        return None
    count = len(blocks)
    need_rank_at_least(ctx, 0, count + 1)
    for b in blocks:
        if isinstance(b, int) and b < 1:
            raise ctx.fail(f"block_shape must be positive, but got {b}")
    value = ctx.value(2)
    flat = [None] * (2 * count) if value is None else as_dims(value)
    if len(flat) != 2 * count:
        raise ctx.fail(f"Shape must be [{count},2] but has {len(flat)} elements")
    for f in flat:
        if below_zero(f):
            raise ctx.fail(f"paddings cannot be negative, but got {f}")
    return count, blocks, [(flat[2 * i], flat[2 * i + 1]) for i in range(count)]


def _sum3(a: Dim, b: Dim, c: Dim) -> Dim:
    return a + b + c


def _to_batch_type(ctx: InferContext) -> TensorType:
    known, x = _blocks(ctx), ctx.shape(0)
    if known is None or x is None:
        return TensorType(ctx.dtype(0), None)
    count, blocks, pads = known
    inner = [
        _divided(ctx, map_dims(_sum3, x[a + 1], *pads[a]), blocks[a]) for a in range(count)
    ]
    batch = dims_product((x[0], *blocks))
    return TensorType(ctx.dtype(0), (batch, *inner, *x[count + 1 :]))


def _to_image_type(ctx: InferContext) -> TensorType:
    known, x = _blocks(ctx), ctx.shape(0)
    if known is None or x is None:
        return TensorType(ctx.dtype(0), None)
    count, blocks, crops = known
    inner: list[PartialDim] = []
    for a in range(count):
        wide = map_dims(lambda d, b: d * b, x[a + 1], blocks[a])
        left = map_dims(lambda d, lo, hi: d - lo - hi, wide, *crops[a])
        if below_zero(left):
            raise ctx.fail(f"Negative dimension size caused by cropping {crops[a]} from {wide}")
        inner.append(left)
    batch = _divided(ctx, x[0], dims_product(blocks))
    return TensorType(ctx.dtype(0), (batch, *inner, *x[count + 1 :]))


def _values(ctx: KernelContext) -> tuple[int, list[Expr], list[Expr]]:
    """(number of block axes, block sizes, what is before each axis) as index expressions."""
    blocks = [dim_index(b) for b in ctx.value(1).reshape(-1)]
    before = [dim_index(p) for p in ctx.value(2).reshape(-1, 2)[:, 0]]
    return len(blocks), blocks, before


def _to_batch_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    count, blocks, before = _values(ctx)
    batch = index(ctx.shape(0)[0])
    rest = k.floordiv(idx[0], batch)
    image = idx[0] - rest * batch
    at: list[Expr] = []
    mask: Expr | None = None
    for a in reversed(range(count)):
        outer = k.floordiv(rest, blocks[a])
        place = idx[a + 1] * blocks[a] + (rest - outer * blocks[a]) - before[a]
        inside = k.and_(k.ge(place, 0), k.lt(place, index(ctx.shape(0)[a + 1])))
        mask, rest = both(mask, inside), outer
        at.append(place)
    return ctx.load(0, (image, *reversed(at), *idx[count + 1 :]), mask, _nothing(ctx))


def _nothing(ctx: KernelContext) -> Any:
    return False if ctx.dtype(0).is_bool else 0


def _to_image_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    count, blocks, before = _values(ctx)
    at: list[Expr] = []
    offset: Expr = index(0)
    for a in range(count):
        place = idx[a + 1] + before[a]
        outer = k.floordiv(place, blocks[a])
        offset = offset * blocks[a] + (place - outer * blocks[a])
        at.append(outer)
    image = offset * index(ctx.out_shape()[0]) + idx[0]
    return ctx.load(0, (image, *at, *idx[count + 1 :]))


def _to_batch(x: Any, block_shape: Any, paddings: Any) -> Any:
    blocks = [int(b) for b in block_shape]
    count = len(blocks)
    pads = [(0, 0), *((int(a), int(b)) for a, b in np.reshape(paddings, (-1, 2)))]
    padded = np.pad(x, pads + [(0, 0)] * (x.ndim - len(pads)))
    split = [padded.shape[0]]
    for size, b in zip(padded.shape[1:], blocks, strict=False):
        if size % b:
            raise InvalidArgumentError(f"padded_shape={size} is not divisible by block_shape={b}")
        split += [size // b, b]
    rest = padded.shape[count + 1 :]
    whole = range(1, 2 * count + 1, 2)
    perm = [*(a + 1 for a in whole), 0, *whole, *range(2 * count + 1, 2 * count + 1 + len(rest))]
    moved = padded.reshape(*split, *rest).transpose(perm)
    return moved.reshape(-1, *(split[a] for a in whole), *rest) if moved.size else np.zeros(
        (padded.shape[0] * int(np.prod(blocks)), *(split[a] for a in whole), *rest), x.dtype
    )


def _to_image(x: Any, block_shape: Any, crops: Any) -> Any:
    blocks = [int(b) for b in block_shape]
    count = len(blocks)
    total = int(np.prod(blocks))
    if x.shape[0] % total:
        raise InvalidArgumentError(
            f"Dimension size must be evenly divisible by {total} but is {x.shape[0]}"
        )
    inner, rest = x.shape[1 : count + 1], x.shape[count + 1 :]
    split = x.reshape(*blocks, x.shape[0] // total, *inner, *rest)
    perm = [count]
    for a in range(count):
        perm += [count + 1 + a, a]
    perm += range(2 * count + 1, split.ndim)
    sizes = [d * b for d, b in zip(inner, blocks, strict=True)]
    full = split.transpose(perm).reshape(x.shape[0] // total, *sizes, *rest)
    pairs = np.reshape(crops, (-1, 2)).astype(int)
    cut = [slice(lo, d - hi) for (lo, hi), d in zip(pairs, sizes, strict=True)]
    return full[(slice(None), *cut)]


def _pairs(*values: Any) -> Any:
    return tuple(fixed(v, int32, const=True) for v in values)


_BLOCK_GROUPS: dict[str, Any] = {
    "groups": ("T", "Tblock", "Tpad"), "dtypes": {"T": ALL, "Tblock": INDEX, "Tpad": INDEX},
    "shape_inputs": (1, 2),
}  # fmt: skip

space_to_batch_nd = movement(
    "space_to_batch_nd", tf="SpaceToBatchND", infer=_to_batch_type, kernel=_to_batch_kernel,
    numpy=_to_batch, args=("input", "block_shape", "paddings"),
    grad=lambda node, g: (F.batch_to_space_nd(g, *node.inputs[1:]), None, None),
    samples=(
        sample(arg((2, 4, 6, 2)), *_pairs([2, 3], [[0, 0], [0, 0]])),
        sample(arg((1, 3, 4, 1)), *_pairs([2, 2], [[0, 1], [1, 1]])),
        sample(arg((2, 5)), *_pairs([3], [[1, 0]])),
    ),
    **_BLOCK_GROUPS,
)  # fmt: skip

batch_to_space_nd = movement(
    "batch_to_space_nd", tf="BatchToSpaceND", infer=_to_image_type, kernel=_to_image_kernel,
    numpy=_to_image, args=("input", "block_shape", "crops"),
    grad=lambda node, g: (F.space_to_batch_nd(g, *node.inputs[1:]), None, None),
    samples=(
        sample(arg((12, 2, 2, 1)), *_pairs([2, 3], [[0, 0], [0, 0]])),
        sample(arg((4, 2, 3, 1)), *_pairs([2, 2], [[0, 1], [1, 1]])),
        sample(arg((6, 2)), *_pairs([3], [[1, 0]])),
    ),
    **_BLOCK_GROUPS,
)  # fmt: skip


# ------------------------------------------------------------------ patches
def _inner(attrs: Any) -> dict[str, Any]:
    """Attributes of image_patches."""
    return {
        "ksize": attrs["ksizes"][1:3], "strides": attrs["strides"][1:3],
        "dilations": attrs["rates"][1:3], "padding": attrs["padding"],
    }  # fmt: skip


def _extract_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 4)
    check_strides(ctx, 4, ("strides",), (0, 3))
    a = _inner(ctx.attrs)
    x = ctx.shape(0) or (None,) * 4
    outs = output_dims(ctx, x[1:3], a["ksize"], a["strides"], a["dilations"], a["padding"])
    taps = a["ksize"][0] * a["ksize"][1]
    return TensorType(ctx.dtype(0), (x[0], *outs, map_dims(lambda d: d * taps, x[3])))


def _extract(x: Any, **attrs: Any) -> Any:
    inner = _inner(attrs)
    window = window_of(x.shape[1:3], inner)
    assert F.image_patches.numpy is not None
    patches = F.image_patches.numpy(x, **inner)
    return patches.reshape(x.shape[0], *window.outs, window.taps * x.shape[3])


def _extract_expand(node: Node) -> Tensor:
    patches = F.image_patches(node.inputs[0], **_inner(node.attrs))
    out: Tensor = F.reshape(patches, dims_vector(node.outputs[0].known_dims))
    return out


def _extract_grad(node: Node, g: Tensor) -> tuple[Tensor]:
    x, inner = node.inputs[0], _inner(node.attrs)
    shape = F.shape(x)
    outer = F.slice(F.shape(g), np.array([0], np.int32), np.array([3], np.int32))
    depth = F.slice(shape, np.array([3], np.int32), np.array([1], np.int32))
    split = F.concat(outer, np.array(inner["ksize"], np.int32), depth, axis=0)
    return (F.image_patches_grad(F.reshape(g, split), shape, **inner),)


def _extract_sample(shape: Any, ksizes: Any, strides: Any, rates: Any, padding: str) -> Any:
    return sample(arg(shape), ksizes=ksizes, strides=strides, rates=rates, padding=padding)


extract_image_patches = composite(
    "extract_image_patches", tf="ExtractImagePatches", infer=_extract_type, numpy=_extract,
    expand=_extract_expand, grad=_extract_grad, args=("images",), dtypes={"T": NUMERIC},
    samples=(
        _extract_sample((2, 5, 4, 2), (1, 3, 2, 1), (1, 2, 1, 1), (1, 1, 1, 1), "SAME"),
        _extract_sample((1, 6, 6, 1), (1, 2, 2, 1), (1, 2, 3, 1), (1, 2, 2, 1), "VALID"),
    ),
)  # fmt: skip
