"""Cross-entropies: one kernel each, stable for large logits.

Lives here: softmax_cross_entropy, sparse_softmax_cross_entropy, sigmoid_cross_entropy. Not here:
the user's functions with TF1's arguments and checks (tf1/api_nn.py). Imports ops.define, ops.nn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import FLOAT, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import broadcast_shapes
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Expr, index
from graphc.ops.define import F, InferContext, KernelContext, OpDef, elementwise
from graphc.ops.merging import merged
from graphc.ops.nn import Row, log_softmax_reference, softmax_reference
from graphc.ops.reference import EDGES, PLAIN, wide
from graphc.ops.samples import arg, fixed, sample, special, uniform

LOSS, BACKPROP = 0, 1


# ------------------------------------------------------------------ labels as distributions
def _dense_types(ctx: InferContext) -> tuple[TensorType, TensorType]:
    try:
        both = broadcast_shapes(ctx.shape(0), ctx.shape(1))
    except InvalidArgumentError:
        both = merged(ctx, ctx.shape(0), ctx.shape(1))  # says where they differ
    if both is not None and len(both) == 0:
        raise ctx.fail("Shape must be at least rank 1 but is rank 0")
    loss = None if both is None else both[:-1]
    return TensorType(ctx.dtype(0), loss), TensorType(ctx.dtype(0), both)


def _dense_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    classes = ctx.out_shape(BACKPROP)[-1]
    if which == BACKPROP:
        row = Row(ctx, idx, len(idx) - 1, classes)
        return row.probability() - ctx.load_broadcast(1, idx)
    row = Row(ctx, (*idx, index(0)), len(idx), classes)
    log_sum = k.log(row.exp_sum())

    def term(at: tuple[Expr, ...]) -> Expr:
        # 0 * inf is NaN as in TF, where a class without weight has the logit -inf
        return ctx.load_broadcast(1, at) * (log_sum - row.shifted(at))

    return row.reduce("add", term)


def _dense_reference(logits: Any, labels: Any) -> Any:
    logits, labels = np.broadcast_arrays(logits, labels)
    terms = labels * -log_softmax_reference(logits)
    return terms.sum(-1), softmax_reference(logits) - labels


def _dense_grad(node: Node, g: Any, g_backprop: Any = None) -> tuple[Any, Any]:
    """TF's rule; the second output's gradient makes second derivatives right."""
    logits = node.inputs[0]
    to_logits = to_labels = None
    if _given(g):
        column = F.expand_dims(g, axis=-1)
        to_logits = column * node.outputs[BACKPROP]
        to_labels = -column * F.log_softmax(logits)
    if _given(g_backprop):
        probability = F.softmax(logits)
        inner = F.reduce_sum(g_backprop * probability, axes=(-1,), keepdims=True)
        to_logits = _plus(to_logits, (g_backprop - inner) * probability)
        to_labels = _plus(to_labels, -g_backprop)
    return to_logits, to_labels


def _given(g: Tensor | None) -> bool:
    """Whether anything depends on that output: the driver gives zeros where nothing does."""
    return g is not None and g.node.op.name != "zeros_like"


def _plus(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b


# the gradient to the logits is p - labels, as TF has it: right where labels sum to one
_LABELS = ((0.1, 0.2, 0.3, 0.4), (1.0, 0.0, 0.0, 0.0), (0.0, 0.25, 0.0, 0.75))
_LARGE = special(1e4, -1e4, 0.0, 3.0)

softmax_cross_entropy = OpDef(
    name="softmax_cross_entropy", tf="SoftmaxCrossEntropyWithLogits", family="reduction",
    args=("features", "labels"), dtypes={"T": FLOAT}, infer=_dense_types,
    numpy=wide(_dense_reference), kernel=_dense_kernel, grad=_dense_grad,
    samples=(
        sample(arg((3, 4)), fixed(_LABELS)),
        sample(arg((2, 3, 4)), fixed([_LABELS, _LABELS])),
        sample(arg((3, 4)), arg((3, 4), uniform(0.0, 1.0)), grad=False),
        sample(arg((3, 4), _LARGE), fixed(np.eye(3, 4)), grad=False),
        sample(arg((4, 5), EDGES), fixed(np.eye(4, 5)), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ labels as class numbers
def _sparse_types(ctx: InferContext) -> tuple[TensorType, TensorType]:
    logits, labels = ctx.shape(0), ctx.shape(1)
    if logits is None:
        return TensorType(ctx.dtype(0), labels), TensorType(ctx.dtype(0), None)
    if not logits:
        raise ctx.fail("Shape must be at least rank 1 but is rank 0")
    batch = merged(ctx, logits[:-1], labels)
    assert batch is not None
    return TensorType(ctx.dtype(0), batch), TensorType(ctx.dtype(0), (*batch, logits[-1]))


def _sparse_kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
    rank = len(ctx.shape(0))
    classes = ctx.shape(0)[-1]
    label = k.check_index(Cast(ctx.load(1, idx[: rank - 1]), int64), index(classes))
    if which == BACKPROP:
        row = Row(ctx, idx, rank - 1, classes)
        hit = k.eq(idx[-1], label)
        probability = row.probability()
        return probability - k.cast(hit, probability.dtype)
    row = Row(ctx, (*idx, index(0)), rank - 1, classes)
    return k.log(row.exp_sum()) - row.shifted((*idx, label))


def _sparse_reference(logits: Any, labels: Any) -> Any:
    classes = logits.shape[-1]
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        shown = " ".join(map(str, labels.reshape(-1).tolist()))
        raise InvalidArgumentError(
            f"Received a label value of {labels[bad].reshape(-1)[0]} which is outside the valid "
            f"range of [0, {classes}).  Label values: {shown}"
        )
    hot = (labels[..., None] == np.arange(classes)).astype(logits.dtype)
    logs = log_softmax_reference(logits)
    loss = -np.take_along_axis(logs, labels[..., None].astype(np.int64), -1)[..., 0]
    return loss, softmax_reference(logits) - hot


def _sparse_grad(node: Node, g: Any, g_backprop: Any = None) -> tuple[Any, None]:
    to_logits = None
    if _given(g):
        to_logits = F.expand_dims(g, axis=-1) * node.outputs[BACKPROP]
    if _given(g_backprop):
        probability = F.softmax(node.inputs[0])
        inner = F.reduce_sum(g_backprop * probability, axes=(-1,), keepdims=True)
        to_logits = _plus(to_logits, (g_backprop - inner) * probability)
    return to_logits, None


sparse_softmax_cross_entropy = OpDef(
    name="sparse_softmax_cross_entropy", tf="SparseSoftmaxCrossEntropyWithLogits",
    family="reduction", args=("features", "labels"), groups=("T", "Tlabels"),
    dtypes={"T": FLOAT, "Tlabels": (int32, int64)}, infer=_sparse_types,
    numpy=wide(_sparse_reference), kernel=_sparse_kernel, grad=_sparse_grad,
    samples=(
        sample(arg((3, 4)), fixed([0, 3, 1], int64)),
        sample(arg((2, 3, 4)), fixed([[0, 3, 1], [2, 2, 0]], int32)),
        sample(arg((3, 4), _LARGE), fixed([0, 1, 2], int32), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ independent classes
def _sigmoid_reference(logits: Any, labels: Any) -> Any:
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


sigmoid_cross_entropy = elementwise(
    "sigmoid_cross_entropy", tf="SigmoidCrossEntropyWithLogits", dtypes=FLOAT,
    default_name="logistic_loss", args=("logits", "labels"),
    numpy=wide(_sigmoid_reference),
    scalar=lambda x, z: k.softplus(x) - x * z,
    grad=lambda g, x, z, out: (g * (F.sigmoid(x) - z), -g * x),
    samples=((PLAIN, uniform(0.0, 1.0)), (EDGES, uniform(0.0, 1.0))),
)  # fmt: skip
