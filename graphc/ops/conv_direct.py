"""Convolutions written out as one reduction: what they mean, and what small ones run as.

Lives here: direct_conv, direct_conv_input, direct_conv_filter on channels-last tensors of any
number of spatial axes, plain or depthwise. Not here: the ops with TF's attributes (ops/conv.py),
the choice between this and GEMM (ops/conv_lower.py). Imports ops.define, ops.conv_window.

Attributes: `ksize`, `strides` and `dilations` one number a spatial axis; `padding` "SAME", "VALID"
or a pair of numbers a spatial axis; `depthwise`: a filter is [*taps, channels, multiplier] and
output channel c * multiplier + m sees input channel c only; `tiled`: whether it runs as tiles of
registers (runtime/conv_tiles.py), not as a kernel.

The three are linear in each operand and transposes of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, int32
from graphc.ir.node import TensorType
from graphc.ir.shape import dims_product
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Expr, Reduce
from graphc.ops.conv_patches import spread, window_of
from graphc.ops.conv_window import Window, output_dims
from graphc.ops.define import InferContext, KernelContext, OpDef
from graphc.ops.extents import INDEX, input_dims, zero
from graphc.ops.samples import arg, fixed, sample

NOGRAD = "gradients are taken of the convolution it stands for"


def _wide(value: Expr) -> Expr:
    return k.cast(value, value.dtype.compute)


def _sum(axes: Sequence[Any], value: Expr) -> Expr:
    loops = tuple(a for a in axes if isinstance(a, Axis))
    return Reduce("add", loops, value, value.dtype) if loops else value


def _parted(channel: Expr, multiplier: Any) -> tuple[Expr, Expr]:
    """(input channel, which of its outputs) of an output channel of a depthwise convolution."""
    if multiplier == 1:
        return channel, zero()
    inner = k.floordiv(channel, KernelContext.dim(multiplier))
    return inner, channel - inner * KernelContext.dim(multiplier)


# ------------------------------------------------------------------ forward
def _forward_type(ctx: InferContext) -> TensorType:
    x, w, a = ctx.shape(0), ctx.shape(1), ctx.attrs
    assert x is not None and w is not None
    outs = output_dims(ctx, x[1:-1], a["ksize"], a["strides"], a["dilations"], a["padding"])
    channels = dims_product(w[-2:]) if a["depthwise"] else w[-1]
    return TensorType(ctx.dtype(0), (x[0], *outs, channels))


def forward_reference(x: Any, w: Any, window: Window, depthwise: bool) -> Any:
    """The convolution as a sum over taps, in float64."""
    axes = range(1, x.ndim - 1)
    x, w = x.astype(np.float64), w.astype(np.float64)
    padded = window.padded(x, 0.0, axes)
    width = w.shape[-2] * w.shape[-1] if depthwise else w.shape[-1]
    out = np.zeros((x.shape[0], *window.outs, width))
    for tap in window.each_tap():
        part = padded[window.slices(tap, axes, x.ndim)]
        if depthwise:
            out += (part[..., :, None] * w[tap]).reshape(out.shape)
        else:
            out += part @ w[tap]
    return out


def _forward_numpy(x: Any, w: Any, **attrs: Any) -> Any:
    window = window_of(x.shape[1:-1], attrs)
    return forward_reference(x, w, window, attrs["depthwise"])


def _forward_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    x, w = ctx.shape(0), ctx.shape(1)
    window = window_of(x[1:-1], ctx.attrs)
    taps = window.tap_axes()
    at, mask = window.source(idx[1:-1], taps)
    if ctx.attrs["depthwise"]:
        channel, copy = _parted(idx[-1], w[-1])
        factor = ctx.load(1, (*taps, channel, copy))
        axes: list[Any] = [*taps]
    else:
        channel = Axis(w[-2], "c")
        factor = ctx.load(1, (*taps, channel, idx[-1]))
        axes = [*taps, channel]
    return _sum(axes, _wide(ctx.load(0, (idx[0], *at, channel), mask)) * _wide(factor))


# ------------------------------------------------------------------ gradient of the input
def _input_type(ctx: InferContext) -> TensorType:
    dims = input_dims(ctx, 0)
    assert dims is not None
    return TensorType(ctx.dtype(1), tuple(dims))


def input_reference(sizes: Any, w: Any, g: Any, window: Window, depthwise: bool) -> Any:
    """The gradient of the input: every product put back at its place, in float64."""
    g, w = g.astype(np.float64), w.astype(np.float64)
    if depthwise:
        parts = g.reshape(*g.shape[:-1], w.shape[-2], w.shape[-1])
        patches = (parts[..., None, :, :] * _flat(w)).sum(-1)
    else:
        patches = np.tensordot(g, _flat(w), axes=(-1, -1))
    shape = (*g.shape[:-1], *window.kernel, w.shape[-2])
    return spread(patches.reshape(shape), [int(d) for d in sizes][1:-1], window)


def _flat(w: Any) -> Any:
    return w.reshape(-1, *w.shape[-2:])


def _input_numpy(sizes: Any, w: Any, g: Any, **attrs: Any) -> Any:
    window = window_of([int(d) for d in sizes][1:-1], attrs)
    return input_reference(sizes, w, g, window, attrs["depthwise"])


def _input_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    w = ctx.shape(1)
    window = window_of(ctx.out_shape()[1:-1], ctx.attrs)
    hit = window.readers(idx[1:-1])
    # taps outside the window have a false mask: the filter must not be read there
    if ctx.attrs["depthwise"]:
        copy: Expr = Axis(w[-1], "m")
        channel = idx[-1] * KernelContext.dim(w[-1]) + copy
        factor = ctx.load(1, (*hit.taps, idx[-1], copy), hit.mask)
    else:
        channel = copy = Axis(w[-1], "c")
        factor = ctx.load(1, (*hit.taps, idx[-1], channel), hit.mask)
    value = ctx.load(2, (idx[0], *hit.at, channel), hit.mask)
    return _sum([*hit.axes, copy], _wide(value) * _wide(factor))


# ------------------------------------------------------------------ gradient of the filter
def _filter_type(ctx: InferContext) -> TensorType:
    dims = input_dims(ctx, 1)
    assert dims is not None
    return TensorType(ctx.dtype(0), tuple(dims))


def filter_reference(x: Any, sizes: Any, g: Any, window: Window, depthwise: bool) -> Any:
    """The gradient of the filter: one product of matrices a tap, in float64."""
    axes = range(1, x.ndim - 1)
    g = g.astype(np.float64)
    padded = window.padded(x.astype(np.float64), 0.0, axes)
    out = np.zeros([int(d) for d in sizes])
    over = tuple(range(x.ndim - 1))
    for tap in window.each_tap():
        part = padded[window.slices(tap, axes, x.ndim)]
        if depthwise:
            parts = g.reshape(*g.shape[:-1], *out.shape[-2:])
            out[tap] = (part[..., None] * parts).sum(over)
        else:
            out[tap] = np.tensordot(part, g, axes=(over, over))
    return out


def _filter_numpy(x: Any, sizes: Any, g: Any, **attrs: Any) -> Any:
    window = window_of(x.shape[1:-1], attrs)
    return filter_reference(x, sizes, g, window, attrs["depthwise"])


def _filter_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    g = ctx.shape(2)
    window = window_of(ctx.shape(0)[1:-1], ctx.attrs)
    rows = [Axis(d, f"o{a}") for a, d in enumerate(g[:-1])]
    at, mask = window.source(rows[1:], idx[:-2])
    channel = idx[-1]
    if ctx.attrs["depthwise"]:
        channel = idx[-2] * KernelContext.dim(ctx.out_shape()[-1]) + idx[-1]
    value = ctx.load(0, (rows[0], *at, idx[-2]), mask)
    return _sum(rows, _wide(value) * _wide(ctx.load(2, (*rows, channel))))


# ------------------------------------------------------------------ records
def _attrs(strides: Any, padding: Any, dilations: Any = None, depthwise: bool = False) -> Any:
    return {
        "strides": strides, "padding": padding, "depthwise": depthwise,
        "dilations": dilations or (1,) * len(strides), "grad": False,
    }  # fmt: skip


# input, filter, output, attributes
_CASES: tuple[Any, ...] = (
    ((2, 5, 4, 3), (3, 2, 3, 2), (2, 5, 4, 2), _attrs((1, 1), "SAME")),
    ((1, 6, 5, 2), (2, 3, 2, 4), (1, 3, 2, 4), _attrs((2, 2), "VALID")),
    ((2, 7, 1), (3, 1, 2), (2, 4, 2), _attrs((2,), "SAME", (2,))),
    ((1, 4, 5, 2), (3, 2, 2, 2), (1, 2, 3, 4), _attrs((2, 2), "SAME", None, True)),
    ((1, 4, 5, 3), (2, 2, 3, 1), (1, 3, 4, 3), _attrs((1, 1), "VALID", None, True)),
    ((1, 3, 4, 3, 1), (2, 1, 2, 1, 2), (1, 2, 4, 2, 2), _attrs((2, 1, 2), "SAME")),
    ((1, 3, 2, 1), (2, 3, 1, 2), (1, 4, 2, 2), _attrs((1, 1), ((1, 1), (1, 1)))),
)


_TILED: tuple[Any, ...] = ({}, {"tiled": True})


def _shape(dims: Any) -> Any:
    return fixed(dims, int32, const=True)


direct_conv = OpDef(
    name="direct_conv", tf="_DirectConv", family="reduction", infer=_forward_type,
    kernel=_forward_kernel, numpy=_forward_numpy, args=("input", "filter"),
    dtypes={"T": FLOAT}, nograd=NOGRAD, default_name="DirectConv",
    samples=tuple(
        sample(arg(x), arg(w), ksize=w[:-2], **a, **t) for x, w, _, a in _CASES for t in _TILED
    ),
)  # fmt: skip

direct_conv_input = OpDef(
    name="direct_conv_input", tf="_DirectConvInput", family="reduction", infer=_input_type,
    kernel=_input_kernel, numpy=_input_numpy, args=("input_sizes", "filter", "out_backprop"),
    groups=("Index", "T", "T"), dtypes={"T": FLOAT, "Index": INDEX}, shape_inputs=(0,),
    nograd=NOGRAD, default_name="DirectConvInput",
    samples=tuple(
        sample(_shape(x), arg(w), arg(y), ksize=w[:-2], **a, **t)
        for x, w, y, a in _CASES
        for t in _TILED
    ),
)  # fmt: skip

direct_conv_filter = OpDef(
    name="direct_conv_filter", tf="_DirectConvFilter", family="reduction", infer=_filter_type,
    kernel=_filter_kernel, numpy=_filter_numpy, args=("input", "filter_sizes", "out_backprop"),
    groups=("T", "Index", "T"), dtypes={"T": FLOAT, "Index": INDEX}, shape_inputs=(1,),
    nograd=NOGRAD, default_name="DirectConvFilter",
    samples=tuple(
        sample(arg(x), _shape(w), arg(y), ksize=w[:-2], **a, **t)
        for x, w, y, a in _CASES
        for t in _TILED
    ),
)  # fmt: skip
