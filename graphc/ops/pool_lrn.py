"""Local response normalisation, and the sum over neighbouring channels behind it.

Lives here: lrn, channel_sum. Not here: other normalisations (ops/normalize.py), pools
(ops/pool.py). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT
from graphc.ir.node import Node, Tensor, TensorType
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr, Reduce, index
from graphc.ops.define import F, InferContext, KernelContext, OpDef, composite
from graphc.ops.extents import need_rank
from graphc.ops.samples import arg, sample


def _sum_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    radius = ctx.attrs["radius"]
    near = ctx.axis(2 * radius + 1, "r")
    at = idx[-1] + near - radius
    inside = k.and_(k.ge(at, 0), k.lt(at, index(ctx.shape(0)[-1])))
    value = ctx.load(0, (*idx[:-1], at), inside)
    value = k.cast(value, value.dtype.compute)
    return Reduce("add", (near,), value, value.dtype)


def _sum(x: Any, radius: int) -> Any:
    x = np.asarray(x, np.float64)
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(radius, radius)])
    width = x.shape[-1]
    return sum(padded[..., j : j + width] for j in range(2 * radius + 1))


channel_sum = OpDef(
    name="channel_sum", tf="_ChannelSum", family="reduction",
    infer=lambda ctx: ctx.inputs[0].type, kernel=_sum_kernel, numpy=_sum,
    grad=lambda node, g: (F.channel_sum(g, **node.attrs),),  # its own transpose
    args=("input",), dtypes={"T": FLOAT}, default_name="ChannelSum",
    samples=(
        sample(arg((2, 3, 5)), radius=1), sample(arg((2, 4)), radius=0),
        sample(arg((1, 3, 4)), radius=5),
    ),
    doc="the sum over the channels at most `radius` away",
)  # fmt: skip


def _lrn_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 4)
    return TensorType(ctx.dtype(0), ctx.shape(0) or (None,) * 4)


def _lrn(x: Any, depth_radius: int, bias: float, alpha: float, beta: float) -> Any:
    x = np.asarray(x, np.float64)
    return x * (bias + alpha * _sum(x * x, depth_radius)) ** -beta


def _scale(x: Tensor, attrs: Any) -> Tensor:
    """bias + alpha * sum of squares."""
    near = F.channel_sum(F.square(x), radius=attrs["depth_radius"])
    found: Tensor = near * attrs["alpha"] + attrs["bias"]
    return found


def _power(scale: Tensor, exponent: float) -> Tensor:
    if exponent == -0.5:
        root: Tensor = F.rsqrt(scale)
        return root
    powered: Tensor = F.pow(scale, exponent)
    return powered


def _expand(node: Node) -> Tensor:
    x = node.inputs[0]
    product: Tensor = x * _power(_scale(x, node.attrs), -node.attrs["beta"])
    return product


def _grad(node: Node, g: Tensor) -> tuple[Tensor]:
    x, attrs = node.inputs[0], node.attrs
    scale, beta = _scale(x, attrs), attrs["beta"]
    share = F.channel_sum(g * x * _power(scale, -beta - 1.0), radius=attrs["depth_radius"])
    return (g * _power(scale, -beta) - x * share * (2.0 * attrs["alpha"] * beta),)


_SMALL: dict[str, Any] = {"depth_radius": 2, "bias": 1.5, "alpha": 0.5, "beta": 0.75}

lrn = composite(
    "lrn", tf="LRN", infer=_lrn_type, expand=_expand, numpy=_lrn, grad=_grad, args=("input",),
    dtypes={"T": FLOAT},
    samples=(
        sample(arg((1, 2, 3, 6)), **_SMALL),
        sample(arg((2, 1, 2, 4)), depth_radius=5, bias=1.0, alpha=1.0, beta=0.5),
    ),
)  # fmt: skip
