"""Patches of images: the movement behind convolutions by GEMM, and its transpose.

Lives here: image_patches (im2col) and image_patches_grad (col2im), on channels-last tensors of any
number of spatial axes. Not here: extract_image_patches (ops/spatial.py), convolutions
(ops/conv.py). Imports ops.define, ops.conv_window.

Attributes: `ksize`, `strides`, `dilations` one number a spatial axis; `padding` "SAME", "VALID" or
a pair of numbers an axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, NUMERIC, int32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, Reduce
from graphc.ops.conv_window import Window, check_sizes, output_dims
from graphc.ops.define import F, InferContext, KernelContext, OpDef, movement
from graphc.ops.extents import INDEX, input_dims, need_rank
from graphc.ops.samples import arg, fixed, sample


def window_of(sizes: Sequence[Any], attrs: Any) -> Window:
    """The windows over spatial extents."""
    return Window.over(
        sizes, attrs["ksize"], attrs["strides"], attrs["dilations"], attrs["padding"]
    )


def _patches_type(ctx: InferContext) -> TensorType:
    taps = ctx.attrs["ksize"]
    n = len(taps)
    need_rank(ctx, 0, n + 2)
    shape = ctx.shape(0) or (None,) * (n + 2)
    a = ctx.attrs
    outs = output_dims(ctx, shape[1:-1], taps, a["strides"], a["dilations"], a["padding"])
    return TensorType(ctx.dtype(0), (shape[0], *outs, *taps, shape[-1]))


def _patches(x: Any, **attrs: Any) -> Any:
    w = window_of(x.shape[1:-1], attrs)
    axes = range(1, x.ndim - 1)
    padded = w.padded(x, np.zeros((), x.dtype), axes)
    out = np.empty((x.shape[0], *w.outs, *w.kernel, x.shape[-1]), x.dtype)
    lead = (slice(None),) * (x.ndim - 1)
    for tap in w.each_tap():
        out[(*lead, *tap)] = padded[w.slices(tap, axes, x.ndim)]
    return out


def _patches_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    shape = ctx.shape(0)
    n = len(shape) - 2
    w = window_of(shape[1:-1], ctx.attrs)
    at, mask = w.source(idx[1 : n + 1], idx[n + 1 : -1])
    return ctx.load(0, (idx[0], *at, idx[-1]), mask)


def _patches_back(node: Node, g: Tensor) -> tuple[Any, ...]:
    return (F.image_patches_grad(g, F.shape(node.inputs[0]), **node.attrs),)


def _sample(shape: Sequence[int], ksize: Any, strides: Any, padding: Any, **more: Any) -> Any:
    more.setdefault("dilations", (1,) * len(ksize))
    return sample(arg(shape), ksize=ksize, strides=strides, padding=padding, **more)


image_patches = movement(
    "image_patches", tf="_ImagePatches", infer=_patches_type, kernel=_patches_kernel,
    numpy=_patches, grad=_patches_back, args=("images",), dtypes={"T": NUMERIC},
    default_name="ImagePatches",
    samples=(
        _sample((2, 5, 4, 2), (3, 2), (1, 1), "SAME"),
        _sample((1, 6, 5, 2), (2, 2), (2, 3), "VALID"),
        _sample((2, 7, 1), (3,), (2,), "SAME", dilations=(2,)),
        _sample((1, 3, 4, 3, 1), (2, 1, 3), (1, 2, 2), "SAME"),
        _sample((1, 3, 3, 2), (2, 2), (1, 2), ((1, 2), (0, 1))),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ the transpose
def _spread_type(ctx: InferContext) -> TensorType:
    taps = ctx.attrs["ksize"]
    n = len(taps)
    need_rank(ctx, 0, 2 * n + 2)
    dims = input_dims(ctx, 1) or [None] * (n + 2)
    return TensorType(ctx.dtype(0), tuple(dims))


def spread(p: Any, sizes: Sequence[int], w: Window) -> Any:
    """The sum of patches at their places (float64): [n, *outs, *taps, c] -> [n, *sizes, c]."""
    n = len(w.kernel)
    axes = range(1, n + 1)
    out = w.padded(np.zeros((p.shape[0], *sizes, p.shape[-1])), 0.0, axes)
    lead = (slice(None),) * (n + 1)
    for tap in w.each_tap():
        out[w.slices(tap, axes, n + 2)] += p[(*lead, *tap)]
    return w.trimmed(out, axes)


def _spread(p: Any, shape: Any, **attrs: Any) -> Any:
    sizes = [int(d) for d in shape][1:-1]
    w = window_of(sizes, attrs)
    check_sizes("image_patches_grad", p.shape[1 : len(sizes) + 1], w.outs)  # type: ignore[arg-type]
    return spread(p, sizes, w)


def _spread_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    w = window_of(ctx.out_shape()[1:-1], ctx.attrs)
    hit = w.readers(idx[1:-1])
    value = ctx.load(0, (idx[0], *hit.at, *hit.taps, idx[-1]), hit.mask)
    value = k.cast(value, value.dtype.compute)
    return Reduce("add", hit.axes, value, value.dtype) if hit.axes else value


def _spread_sample(
    shape: Any, to: Any, ksize: Any, strides: Any, padding: Any, **more: Any
) -> Any:
    more.setdefault("dilations", (1,) * len(ksize))
    return sample(
        arg(shape), fixed(to, int32, const=True), ksize=ksize, strides=strides, padding=padding,
        **more,
    )  # fmt: skip


image_patches_grad = OpDef(
    name="image_patches_grad", tf="_ImagePatchesGrad", family="reduction", infer=_spread_type,
    kernel=_spread_kernel, numpy=_spread,
    grad=lambda node, g: (F.image_patches(g, **node.attrs), None),
    args=("patches", "shape"), groups=("T", "Index"), dtypes={"T": FLOAT, "Index": INDEX},
    shape_inputs=(1,), default_name="ImagePatchesGrad",
    samples=(
        _spread_sample((2, 4, 3, 2, 2, 1), [2, 4, 3, 1], (2, 2), (1, 1), "SAME"),
        _spread_sample((1, 2, 2, 3, 2, 2), [1, 4, 5, 2], (3, 2), (2, 3), "SAME"),
        _spread_sample((1, 2, 2, 2, 2, 1), [1, 5, 4, 1], (2, 2), (3, 2), "VALID"),
        _spread_sample((2, 4, 3, 1), [2, 7, 1], (3,), (2,), "SAME", dilations=(2,)),
        _spread_sample((2, 5, 3, 2), [2, 5, 2], (3,), (1,), "SAME", dilations=(2,)),
    ),
)  # fmt: skip
