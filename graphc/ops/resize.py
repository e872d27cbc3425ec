"""Resizing of images: nearest, bilinear, bicubic, area; and the transposes.

Lives here: resize_nearest_neighbor, resize_bilinear, resize_bicubic, resize_area and their `_grad`
records. Not here: the user's functions (tf1/api_image.py), weights (ops/resize_weights.py). Imports
ops.define.

Each output is a weighted sum of a few inputs on each axis. The gradient is the same sum read the
other way: the outputs that an input can reach are a window of known length, so that no element is
ever written twice. Attributes: `align_corners` (the corner pixels map to each other) and
`half_pixel_centers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, NUMERIC, DType, float32, int32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Expr, Reduce
from graphc.ops.define import F, InferContext, KernelContext, OpDef
from graphc.ops.extents import below_zero, input_dims, need_rank
from graphc.ops.resize_weights import Method, Scaling, method_of, weight_matrix
from graphc.ops.samples import arg, fixed, sample


def _scalings(ctx: KernelContext, images: Sequence[Any], outs: Sequence[Any]) -> list[Scaling]:
    a = ctx.attrs
    return [
        Scaling(size, out, a["align_corners"], a.get("half_pixel_centers", False))
        for size, out in zip(images[1:3], outs[1:3], strict=True)
    ]


def _sizes(ctx: InferContext, i: int) -> list[Any]:
    need_rank(ctx, i, 1)
    dims = input_dims(ctx, i)
    if dims is None:
        return [None, None]
    if len(dims) != 2:
        raise ctx.fail(f"Dimension must be 2 but is {len(dims)}")
    for d in dims:
        if below_zero(d):
            raise ctx.fail(f"Size must be non-negative, but got {d}")
    return dims


def _checked(ctx: InferContext, i: int) -> Any:
    """The images' shape. Raises ShapeError: both options, or a rank other than 4."""
    need_rank(ctx, i, 4)
    if ctx.attrs["align_corners"] and ctx.attrs.get("half_pixel_centers", False):
        raise ctx.fail("If half_pixel_centers is True, align_corners must be False.")
    return ctx.shape(i) or (None,) * 4


def _total(values: Sequence[Expr]) -> Expr:
    return reduce(lambda a, b: a + b, values)


class Resize:
    """The two records of one method."""

    def __init__(self, name: str, tf: str) -> None:
        self.name = name
        self.tf = tf
        self.method: Method = method_of(name)
        self.keeps = name == "nearest_neighbor"  # the dtype; the others give float32

    def _out(self, dtype: DType) -> DType:
        return dtype if self.keeps else float32

    # -------------------------------------------------------------- forward
    def forward_type(self, ctx: InferContext) -> TensorType:
        x = _checked(ctx, 0)
        return TensorType(self._out(ctx.dtype(0)), (x[0], *_sizes(ctx, 1), x[3]))

    def forward_kernel(self, ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        high, wide = _scalings(ctx, ctx.shape(0), ctx.out_shape())
        if self.keeps:
            rows, columns = (self.method.taps(s, x) for s, x in ((high, idx[1]), (wide, idx[2])))
            return ctx.load(0, (idx[0], rows.at[0], columns.at[0], idx[3]))
        rows, columns = self.method.taps(high, idx[1]), self.method.taps(wide, idx[2])
        lines = []
        for y, wy in zip(rows.at, rows.weights, strict=True):
            line = [
                k.cast(ctx.load(0, (idx[0], y, x, idx[3])), float32) * wx
                for x, wx in zip(columns.at, columns.weights, strict=True)
            ]
            lines.append(_total(line) * wy)
        axes = (*rows.axes, *columns.axes)
        value = _total(lines)
        return Reduce("add", axes, value, float32) if axes else value

    def forward_numpy(self, x: Any, size: Any, **attrs: Any) -> Any:
        high, wide = self._matrices(x.shape[1:3], size, attrs)
        if self.keeps:
            return x[:, high.argmax(1)][:, :, wide.argmax(1)]
        return np.einsum("ah,nhwc,bw->nabc", high, x.astype(np.float64), wide, optimize=True)

    def _matrices(self, sizes: Sequence[int], outs: Any, attrs: Any) -> list[Any]:
        half = attrs.get("half_pixel_centers", False)
        return [
            weight_matrix(self.name, size, int(out), attrs["align_corners"], half)
            for size, out in zip(sizes, outs, strict=True)
        ]

    def forward_grad(self, node: Node, g: Tensor) -> tuple[Any, ...]:
        x = node.inputs[0]
        if not x.dtype.is_floating:
            return None, None
        size = F.slice(F.shape(x), np.array([1], np.int32), np.array([2], np.int32))
        back = getattr(F, f"resize_{self.name}_grad")(g, size, **node.attrs)
        return (back if back.dtype is x.dtype else F.cast(back, dtype=x.dtype)), None

    # -------------------------------------------------------------- transpose
    def back_type(self, ctx: InferContext) -> TensorType:
        g = _checked(ctx, 0)
        return TensorType(ctx.dtype(0), (g[0], *_sizes(ctx, 1), g[3]))

    def back_kernel(self, ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        g = ctx.shape(0)
        high, wide = _scalings(ctx, ctx.out_shape(), g)
        places: list[Expr] = []
        weights: list[Expr] = []
        axes: list[Axis] = []
        for scaling, at in ((high, idx[1]), (wide, idx[2])):
            axis, out = self.method.reach(scaling, at)
            axes.append(axis)
            places.append(out)
            weights.append(self.method.weight(scaling, out, at))
        value = ctx.load(0, (idx[0], *places, idx[3]))
        value = k.cast(value, value.dtype.compute)
        # the weights are float32, as TF's; their product takes the gradient's precision
        factor = k.cast(weights[0], value.dtype) * k.cast(weights[1], value.dtype)
        # a weight of zero must not turn an infinite gradient elsewhere into NaN
        product = k.select(k.eq(factor, 0), 0, value * factor)
        return Reduce("add", tuple(axes), product, value.dtype)

    def back_numpy(self, g: Any, size: Any, **attrs: Any) -> Any:
        sizes = [int(s) for s in size]
        high, wide = self._matrices(sizes, g.shape[1:3], attrs)
        return np.einsum("ah,nabc,bw->nhwc", high, g.astype(np.float64), wide, optimize=True)

    def back_grad(self, node: Node, gg: Tensor) -> tuple[Any, ...]:
        g = node.inputs[0]
        size = F.slice(F.shape(g), np.array([1], np.int32), np.array([2], np.int32))
        again = getattr(F, f"resize_{self.name}")(gg, size, **node.attrs)
        return (again if again.dtype is g.dtype else F.cast(again, dtype=g.dtype)), None

    # -------------------------------------------------------------- records
    def records(self, cases: Sequence[Any]) -> tuple[OpDef, OpDef]:
        forward = OpDef(
            name=f"resize_{self.name}", tf=self.tf,
            family="movement" if self.keeps else "reduction",
            infer=self.forward_type, kernel=self.forward_kernel, numpy=self.forward_numpy,
            grad=self.forward_grad, args=("images", "size"), groups=("T", int32),
            dtypes={"T": NUMERIC}, shape_inputs=(1,),
            samples=tuple(
                sample(arg(x), fixed(y[1:3], int32, const=True), tolerance=20.0, **a)
                for x, y, a in cases
            ),
        )  # fmt: skip
        # cubic weights are float32 polynomials: float64 gradients are no closer to the reference
        exact = (float32,) if self.name == "bicubic" else None
        back = OpDef(
            name=f"resize_{self.name}_grad", tf=f"{self.tf}Grad", family="reduction",
            infer=self.back_type, kernel=self.back_kernel, numpy=self.back_numpy,
            grad=self.back_grad, args=("grads", "size"), groups=("T", int32),
            dtypes={"T": FLOAT}, shape_inputs=(1,),
            samples=tuple(
                sample(arg(y), fixed(x[1:3], int32, const=True), tolerance=20.0, dtypes=exact, **a)
                for x, y, a in cases
            ),
        )  # fmt: skip
        return forward, back


def _cases(half: bool) -> tuple[Any, ...]:
    """Input, output, attributes."""
    shapes: tuple[Any, ...] = (
        ((2, 3, 4, 2), (2, 6, 8, 2), False, False),
        ((1, 7, 5, 2), (1, 3, 2, 2), False, False),
        ((1, 4, 5, 1), (1, 7, 3, 1), True, False),
        ((1, 1, 3, 2), (1, 4, 1, 2), True, False),
        ((1, 5, 3, 1), (1, 2, 7, 1), False, True),
    )
    out = []
    for x, y, align, centers in shapes:
        attrs = {"align_corners": align}
        if half:
            attrs["half_pixel_centers"] = centers
        elif centers:
            continue
        out.append((x, y, attrs))
    return tuple(out)


_BOTH = _cases(True)
resize_nearest_neighbor, resize_nearest_neighbor_grad = Resize(
    "nearest_neighbor", "ResizeNearestNeighbor"
).records(_BOTH)
resize_bilinear, resize_bilinear_grad = Resize("bilinear", "ResizeBilinear").records(_BOTH)
resize_bicubic, resize_bicubic_grad = Resize("bicubic", "ResizeBicubic").records(_BOTH)
resize_area, resize_area_grad = Resize("area", "ResizeArea").records(_cases(False))
