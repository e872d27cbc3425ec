"""Activations, softmax, bias, L2 loss.

Lives here: relu to l2_loss. Not here: normalisation (ops/normalize.py), losses (ops/losses.py),
convolutions (ops/conv.py), the user's functions with TF1's arguments (tf1/api_nn.py). Imports
ops.define and kernel.prims.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, NUMERIC
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Dim, broadcast_dim
from graphc.kernel import prims as k
from graphc.kernel.expr import Const, Expr, Reduce
from graphc.ops.define import F, InferContext, KernelContext, OpDef, elementwise
from graphc.ops.reference import EDGES, PLAIN, wide
from graphc.ops.samples import arg, sample, special

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


# ------------------------------------------------------------------ activations
def _where_positive(x: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """yes where x > 0, else no."""
    chosen: Tensor = F.select_v2(F.greater(x, 0), yes, no)
    return chosen


relu = elementwise(
    "relu", tf="Relu", dtypes=NUMERIC, args=("features",),
    numpy=lambda x: np.maximum(x, np.zeros((), x.dtype)),
    scalar=lambda x: k.maximum(x, 0),
    grad=lambda g, x, y: F.relu_grad(g, y),
    samples=(PLAIN, EDGES),
)  # fmt: skip

relu_grad = elementwise(
    "relu_grad", tf="ReluGrad", dtypes=NUMERIC, args=("gradients", "features"),
    numpy=lambda g, x: np.where(x > 0, g, np.zeros((), g.dtype)),
    scalar=lambda g, x: k.select(k.gt(x, 0), g, 0),
    grad=lambda gg, g, x, out: (F.relu_grad(gg, x), F.zeros_like(x)),
    samples=(PLAIN, EDGES),
)  # fmt: skip

relu6 = elementwise(
    "relu6", tf="Relu6", dtypes=NUMERIC, args=("features",),
    numpy=lambda x: np.minimum(np.maximum(x, x.dtype.type(0)), x.dtype.type(6)),
    scalar=lambda x: k.minimum(k.maximum(x, 0), 6),
    grad=lambda g, x, y: F.select_v2(
        F.logical_and(F.greater(y, 0), F.less(y, 6)), g, F.zeros_like(g)
    ),
    samples=(PLAIN, EDGES, special(5.9, 6.0, 6.1, 7.0)),
)  # fmt: skip

leaky_relu = elementwise(
    "leaky_relu", tf="LeakyRelu", dtypes=FLOAT, with_attrs=True, args=("features",),
    numpy=wide(lambda x, alpha=0.2: np.where(x > 0, x, x * x.dtype.type(alpha))),
    scalar=lambda x, alpha=0.2: k.select(k.gt(x, 0), x, x * alpha),
    grad=lambda g, x, y, alpha=0.2: _where_positive(x, g, g * alpha),
    samples=(sample(arg((3, 4))), sample(arg((3, 4), EDGES), alpha=0.1, grad=False)),
)  # fmt: skip

elu = elementwise(
    "elu", tf="Elu", dtypes=FLOAT, args=("features",),
    numpy=wide(lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)),
    scalar=lambda x: k.select(k.lt(x, 0), k.expm1(x), x),
    grad=lambda g, x, y: F.select_v2(F.less(y, 0), g * (y + 1), g),
    samples=(PLAIN, EDGES),
)  # fmt: skip


def _selu(x: Any) -> Any:
    negative = SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(x, 0))
    return np.where(x < 0, negative, SELU_SCALE * x)


selu = elementwise(
    "selu", tf="Selu", dtypes=FLOAT, args=("features",),
    numpy=wide(_selu),
    scalar=lambda x: k.select(
        k.lt(x, 0), (SELU_SCALE * SELU_ALPHA) * k.expm1(x), SELU_SCALE * x
    ),
    grad=lambda g, x, y: F.select_v2(
        F.less(y, 0), g * (y + SELU_SCALE * SELU_ALPHA), g * SELU_SCALE
    ),
    samples=(PLAIN, EDGES),
)  # fmt: skip

softplus = elementwise(
    "softplus", tf="Softplus", dtypes=FLOAT, args=("features",),
    numpy=wide(lambda x: np.logaddexp(x, x.dtype.type(0))),
    scalar=lambda x: k.softplus(x),
    grad=lambda g, x, y: g * F.sigmoid(x),
    samples=(PLAIN, EDGES),
)  # fmt: skip

softsign = elementwise(
    "softsign", tf="Softsign", dtypes=FLOAT, args=("features",),
    numpy=wide(lambda x: x / (1 + np.abs(x))),
    scalar=lambda x: x / (1 + k.abs_(x)),
    grad=lambda g, x, y: g / F.square(1 + F.abs(x)),
    samples=(PLAIN, EDGES),
)  # fmt: skip

_ROOT_HALF = math.sqrt(0.5)
_ROOT_TWO_OVER_PI = math.sqrt(2.0 / math.pi)
_ROOT_ONE_OVER_TWO_PI = math.sqrt(0.5 / math.pi)
_CUBIC = 0.044715


def _gelu_numpy(x: Any, approximate: bool = False) -> Any:
    x = x.astype(np.float64)
    if approximate:
        return 0.5 * x * (1 + np.tanh(_ROOT_TWO_OVER_PI * (x + _CUBIC * x**3)))
    return 0.5 * x * k.TABLE["erfc"].numpy(-x * _ROOT_HALF)


def _gelu_scalar(x: Expr, approximate: bool = False) -> Expr:
    if approximate:
        return 0.5 * x * (1 + k.tanh(_ROOT_TWO_OVER_PI * (x + _CUBIC * (x * x * x))))
    return 0.5 * x * k.erfc(-_ROOT_HALF * x)  # erfc: no cancellation for negative x


def _gelu_grad(g: Tensor, x: Tensor, y: Tensor, approximate: bool = False) -> Tensor:
    squared = F.square(x)
    if not approximate:
        density = _ROOT_ONE_OVER_TWO_PI * F.exp(-0.5 * squared)
        return g * (0.5 * F.erfc(-_ROOT_HALF * x) + x * density)
    bend = F.tanh(_ROOT_TWO_OVER_PI * x * (1 + _CUBIC * squared))
    slope = (1 - F.square(bend)) * _ROOT_TWO_OVER_PI * (1 + 3 * _CUBIC * squared)
    return g * (0.5 * (1 + bend) + 0.5 * x * slope)


gelu = elementwise(
    "gelu", tf="Gelu", dtypes=FLOAT, with_attrs=True, args=("features",),
    numpy=wide(_gelu_numpy), scalar=_gelu_scalar, grad=_gelu_grad,
    samples=(sample(arg((3, 4))), sample(arg((3, 4)), approximate=True)),
)  # fmt: skip

swish = elementwise(
    "swish", tf="swish_f32", dtypes=FLOAT, args=("features",), default_name="swish",
    numpy=wide(lambda x: x * k.TABLE["sigmoid"].numpy(x)),
    scalar=lambda x: x * k.sigmoid(x),
    grad=lambda g, x, y: g * (F.sigmoid(x) * (1 + x * (1 - F.sigmoid(x)))),
    samples=(PLAIN, EDGES),
)  # fmt: skip


# ------------------------------------------------------------------ softmax
class Row:
    """Sums along the class axis of input 0, the logits, at one output index.

    The shift by the row's maximum keeps exp from overflowing; a row with a NaN or +inf, or of -inf
    alone, gives NaN as in TF.
    """

    def __init__(self, ctx: KernelContext, idx: tuple[Expr, ...], axis: int, extent: Dim) -> None:
        self.ctx = ctx
        self.idx = idx
        self.axis = axis
        self.extent = extent
        self.max = self.reduce("max", lambda at: ctx.load_broadcast(0, at))

    def reduce(self, monoid: str, element: Any) -> Expr:
        """The reduction of element(index) along the class axis."""
        along = self.ctx.axis(self.extent, "r")
        at = (*self.idx[: self.axis], along, *self.idx[self.axis + 1 :])
        value = element(at)
        return Reduce(monoid, (along,), value, value.dtype)

    def shifted(self, at: tuple[Expr, ...]) -> Expr:
        return self.ctx.load_broadcast(0, at) - self.max

    def exp_sum(self) -> Expr:
        return self.reduce("add", lambda at: k.decay(self.shifted(at)))

    def probability(self) -> Expr:
        # one division a row: the reciprocal does not depend on the class
        return k.decay(self.shifted(self.idx)) * k.recip(self.exp_sum())


def _row(ctx: KernelContext, idx: tuple[Expr, ...]) -> Row:
    shape = ctx.shape(0)
    axis = ctx.attrs.get("axis", -1) % len(shape)
    return Row(ctx, idx, axis, shape[axis])


def _softmax_type(ctx: InferContext) -> TensorType:
    rank, axis = ctx.rank(0), ctx.attrs.get("axis", -1)
    if rank == 0:
        raise ctx.fail("Shape must be at least rank 1 but is rank 0")
    if rank is not None and not -rank <= axis < rank:
        raise ctx.fail(f"Dimension ({axis}) must be in the range [{-rank}, {rank})")
    return ctx.inputs[0].type


def _softmax_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    return _row(ctx, idx).probability()


def _log_softmax_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    row = _row(ctx, idx)
    return row.shifted(idx) - k.log(row.exp_sum())


def shifted_rows(x: Any, axis: int = -1) -> Any:
    """x minus its maximum along the axis (no classes: as it is)."""
    with np.errstate(invalid="ignore"):
        return x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)


def softmax_reference(x: Any, axis: int = -1) -> Any:
    exps = np.exp(shifted_rows(x, axis))
    return exps / np.sum(exps, axis=axis, keepdims=True)


def log_softmax_reference(x: Any, axis: int = -1) -> Any:
    shifted = shifted_rows(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _softmax_grad(node: Node, g: Tensor) -> tuple[Tensor]:
    y, axis = node.outputs[0], node.attrs.get("axis", -1)
    return ((g - F.reduce_sum(g * y, axes=(axis,), keepdims=True)) * y,)


def _log_softmax_grad(node: Node, g: Tensor) -> tuple[Tensor]:
    y, axis = node.outputs[0], node.attrs.get("axis", -1)
    return (g - F.exp(y) * F.reduce_sum(g, axes=(axis,), keepdims=True),)


_ROWS = (
    sample(arg((3, 4))), sample(arg((5,))), sample(arg((2, 3, 4)), axis=1),
    sample(arg((3, 4), special(1000.0, -1000.0, 0.0)), grad=False),
    sample(arg((4, 5), EDGES), grad=False),
)  # fmt: skip

softmax = OpDef(
    name="softmax", tf="Softmax", family="reduction", args=("logits",), dtypes={"T": FLOAT},
    infer=_softmax_type, numpy=wide(softmax_reference), kernel=_softmax_kernel, grad=_softmax_grad,
    samples=_ROWS,
)  # fmt: skip

log_softmax = OpDef(
    name="log_softmax", tf="LogSoftmax", family="reduction", args=("logits",),
    dtypes={"T": FLOAT}, infer=_softmax_type, numpy=wide(log_softmax_reference),
    kernel=_log_softmax_kernel, grad=_log_softmax_grad, samples=_ROWS,
)  # fmt: skip


# ------------------------------------------------------------------ bias
def channel_axis(rank: int, data_format: str) -> int:
    """Where the channels are: the last axis, or 1 for NCHW and its kin."""
    return 1 if data_format.startswith("NC") and rank > 2 else rank - 1


def _bias_type(ctx: InferContext) -> TensorType:
    value, bias = ctx.shape(0), ctx.shape(1)
    if value is not None and len(value) < 2:
        raise ctx.fail(f"Shape must be at least rank 2 but is rank {len(value)}")
    if bias is not None and len(bias) != 1:
        raise ctx.fail(f"Shape must be rank 1 but is rank {len(bias)}")
    if value is None or bias is None:
        return ctx.inputs[0].type
    at = channel_axis(len(value), ctx.attrs.get("data_format", "NHWC"))
    try:
        if isinstance(value[at], int) and value[at] == 1 and bias[0] != 1:
            raise ValueError
        channels = broadcast_dim(value[at], bias[0])
        if isinstance(bias[0], int) and bias[0] == 1 and channels not in (1, None):
            raise ValueError
    except ValueError:
        raise ctx.fail(f"Dimensions must be equal, but are {value[at]} and {bias[0]}") from None
    return TensorType(ctx.dtype(0), (*value[:at], channels, *value[at + 1 :]))


def _bias_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    at = channel_axis(len(idx), ctx.attrs.get("data_format", "NHWC"))
    return ctx.load_compute(0, idx) + ctx.load_compute(1, (idx[at],))


def _bias_add(x: Any, bias: Any, data_format: str = "NHWC") -> Any:
    at = channel_axis(x.ndim, data_format)
    return x + bias.reshape((-1,) + (1,) * (x.ndim - 1 - at))


def _bias_grad(node: Node, g: Tensor) -> tuple[Tensor, Tensor]:
    value, bias = node.inputs
    rank = value.rank if value.rank is not None else g.rank
    if rank is None:  # channels are last then: rows of them
        rows = F.reshape(g, F.concat(np.array([-1], np.int32), F.shape(bias), axis=0))
        return g, F.reduce_sum(rows, axes=(0,), keepdims=False)
    at = channel_axis(rank, node.attrs.get("data_format", "NHWC"))
    others = tuple(a for a in range(rank) if a != at)
    return g, F.reduce_sum(g, axes=others, keepdims=False)


# not of the elementwise family: its rule sums the bias's gradient itself, as channels may be axis 1
bias_add = OpDef(
    name="bias_add", tf="BiasAdd", family="movement", args=("value", "bias"),
    dtypes={"T": NUMERIC}, infer=_bias_type, numpy=wide(_bias_add), kernel=_bias_kernel,
    grad=_bias_grad,
    samples=(
        sample(arg((3, 4)), arg((4,))), sample(arg((2, 3, 3, 4)), arg((4,))),
        sample(arg((2, 4, 3, 3)), arg((4,)), data_format="NCHW"),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ L2 loss
def _l2_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    loops = tuple(ctx.axis(d, f"r{i}") for i, d in enumerate(ctx.shape(0)))
    value = k.square(ctx.load_compute(0, loops))
    total = Reduce("add", loops, value, value.dtype) if loops else value
    return total * Const(0.5, total.dtype)


l2_loss = OpDef(
    name="l2_loss", tf="L2Loss", family="reduction", args=("t",), dtypes={"T": FLOAT},
    infer=lambda ctx: TensorType(ctx.dtype(0), ()),
    numpy=lambda t: np.sum(np.square(t.astype(np.float64))) / 2,
    kernel=_l2_kernel, grad=lambda node, g: (g * node.inputs[0],),
    samples=(sample(arg((3, 4))), sample(arg(()))),
)  # fmt: skip
