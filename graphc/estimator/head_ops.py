"""What heads compute with: labels and weights as matrices, losses by example, class names.

Lives here: helpers of heads.py, and the op that names classes. Imported by it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.estimator.calling import arguments_of
from graphc.ir.dtypes import bool_, float32, int32, int64, string
from graphc.ir.node import Tensor, TensorType
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F, InferContext, host
from graphc.ops.samples import fixed, sample
from graphc.tf1.api_array import concat, expand_dims, gather, reshape, shape, tile
from graphc.tf1.api_checks import assert_greater_equal, assert_less
from graphc.tf1.api_losses import (
    sigmoid_cross_entropy_with_logits,
    sparse_softmax_cross_entropy_with_logits,
)
from graphc.tf1.api_math import argmax as argmax
from graphc.tf1.api_nn import softmax as softmax
from graphc.tf1.feature_column_base import Features
from graphc.tf1.feature_column_dense import NumericColumn, numeric_column
from graphc.tf1.feature_column_ops import category_ids
from graphc.tf1.losses import Reduction
from graphc.tf1.metrics_mean import accuracy
from graphc.tf1.metrics_thresholds import precision_at_thresholds, recall_at_thresholds
from graphc.tf1.sparse_tensor import SparseTensor

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------ names of classes
def _type(ctx: InferContext) -> TensorType:
    return TensorType(string, ctx.shape(0))


def _names(ids: Array, words: tuple[Any, ...] | None) -> Array:
    # words that come out of a GraphDef are text
    known = None if words is None else as_words(words)
    out = np.empty(ids.shape, object)
    for at, value in np.ndenumerate(ids):
        out[at] = b"%d" % int(value) if known is None else known[int(value)]
    return out


class_names = host(
    "class_names", tf="ClassNames", args=("ids",), dtypes={"T": (int32, int64)}, infer=_type,
    numpy=_names, nograd="names are strings",
    samples=(
        sample(fixed([[1, 0]], int64), grad=False, words=(b"a", b"b")),
        sample(fixed([[12], [0]], int64), grad=False, words=None),
    ),
)  # fmt: skip


def as_words(vocabulary: Sequence[Any] | None) -> tuple[bytes, ...] | None:
    if vocabulary is None:
        return None
    return tuple(w if isinstance(w, bytes) else str(w).encode() for w in vocabulary)


# ------------------------------------------------------------------ checks
def check_reduction(reduction: str) -> None:
    """Raises ValueError for no reduction, or none at all."""
    if reduction not in Reduction.all() or reduction == Reduction.NONE:
        raise ValueError(
            f"Invalid loss_reduction: {reduction}. See `losses.Reduction` for valid options."
        )


def checked_logits(logits: Any, width: int) -> Tensor:
    """float32 logits [batch, width]. Raises ValueError for another width."""
    if logits is None:
        raise ValueError("logits must not be None.")
    tensor = convert_to_tensor(logits)
    if tensor.dtype is not float32:
        tensor = F.cast(tensor, dtype=float32)
    last = tensor.get_shape()
    if last.ndims is not None and last[-1].value not in (None, width):
        raise ValueError(f"logits shape must be [D0, D1, ... DN, {width}], got {last}")
    return tensor


def checked_labels(labels: Any, width: int) -> Tensor:
    """Labels [batch, width]; one axis is added to a vector.

    Raises:
        ValueError: None, a SparseTensor, or another width.
    """
    if labels is None:
        raise ValueError(
            "You must provide a labels Tensor. Given: None. Suggested troubleshooting steps: Check "
            "that your data contain your label feature. Check that your input_fn properly parses "
            "and returns labels."
        )
    if isinstance(labels, SparseTensor):
        raise ValueError(
            f"SparseTensor labels are not supported. Labels must be a Tensor of shape [D0, D1, "
            f"..., DN, {width}], e.g. [batch_size, {width}]. Suggested Fix (1): Check the label "
            "feature in your data. Each example must contain "
            f"{width} value(s). If not, your choice of label was probably incorrect. Suggested Fix "
            "(2): In your input_fn, use tf.sparse_tensor_to_dense() to turn labels into a Tensor."
        )
    tensor = convert_to_tensor(labels)
    dims = tensor.get_shape()
    if dims.ndims == 1:
        tensor = expand_dims(tensor, -1)
        dims = tensor.get_shape()
    if dims.ndims is None:
        return reshape(tensor, [-1, width])
    if dims[-1].value not in (None, width):
        raise ValueError(
            "Mismatched label shape. Expected labels dimension="
            f"{width}.  Received {dims[-1].value}. Suggested Fix:If your classifier expects "
            "one-hot encoding label,check your n_classes argument to the estimator and/or the "
            "shape of your label. Otherwise, check the shape of your label."
        )
    return tensor


def in_range(labels: Tensor, classes: int) -> Tensor:
    """The labels, checked when run to be in [0, classes)."""
    if labels.dtype.is_bool:
        return F.cast(labels, dtype=int64)
    zero = constant_tensor(0, labels.dtype, graph=labels.graph)
    limit = constant_tensor(classes, labels.dtype, graph=labels.graph)
    checks = [
        assert_less(labels, limit, message=f"Labels must be <= {classes - 1}"),
        assert_greater_equal(labels, zero, message="Labels must be >= 0"),
    ]
    with labels.graph.control_dependencies(checks):
        return F.identity(labels)


def label_places(labels: Tensor, vocabulary: Sequence[str]) -> Tensor:
    """The places of string labels in the vocabulary; unknown ones are an error when run."""
    words = as_words(vocabulary)
    ids = category_ids(labels, words=words, default=-1, buckets=0, ignore=False)
    return in_range(ids, len(vocabulary))


def weights_of(features: Any, column: Any) -> Any:
    """1.0, or the weights [batch, 1] of a feature.

    Raises:
        ValueError: features are no dict. TypeError: a column of another kind.
    """
    if column is None:
        return 1.0
    if not isinstance(features, Mapping):
        raise ValueError(
            "Expected features to be a dict, because the head has a weight_column. Given: "
            f"{features}"
        )
    if isinstance(column, str):
        column = numeric_column(column)
    if not isinstance(column, NumericColumn):
        raise TypeError(f"Weight column must be either a string or _NumericColumn. Given type: "
                        f"{type(column)}.")  # fmt: skip
    weights: Tensor = column.dense(Features(features))
    return weights


def call_loss_fn(
    loss_fn: Callable[..., Any], labels: Tensor, logits: Tensor, features: Any, reduction: str
) -> Tensor:
    """What the user's loss gives for each example.

    Raises:
        ValueError: arguments that no loss has.
    """
    names = arguments_of(loss_fn)
    for name in ("labels", "logits"):
        if name not in names:
            raise ValueError(f"loss_fn must contain argument: {name}. Given arguments: {names}")
    others = [n for n in names if n not in ("labels", "logits", "features", "loss_reduction")]
    if others:
        raise ValueError(f"loss_fn has unexpected args: {others}")
    more = {"features": features, "loss_reduction": reduction}
    given = {name: value for name, value in more.items() if name in names}
    return convert_to_tensor(loss_fn(labels=labels, logits=logits, **given))


# ------------------------------------------------------------------ losses
def softmax_losses(labels: Tensor, logits: Tensor) -> Tensor:
    """[batch, 1] from class numbers [batch, 1]."""
    from graphc.tf1.api_array import squeeze

    losses = sparse_softmax_cross_entropy_with_logits(
        labels=squeeze(labels, axis=-1), logits=logits
    )
    return column(losses)


def sigmoid_losses(labels: Tensor, logits: Tensor) -> Tensor:
    return sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


# ------------------------------------------------------------------ shapes
def column(x: Tensor) -> Tensor:
    return expand_dims(x, -1)


def with_zeros_before(logits: Tensor) -> Tensor:
    """[batch, 2]: the logits of a sigmoid as those of a softmax."""
    return concat([F.zeros_like(logits), logits], axis=-1)


def all_ids(like: Tensor, classes: int) -> Tensor:
    """int64 [batch, classes]: 0, 1, 2, ... in each row."""
    ids = constant_tensor(np.arange(classes, dtype=np.int64)[None], int64, graph=like.graph)
    return tile(ids, [shape(like)[0], 1])


def broadcast(weights: Any, like: Tensor) -> Any:
    """Weights of the predictions' shape; 1.0 as it is."""
    if isinstance(weights, float):
        return weights
    return F.multiply(weights, F.ones_like(like))


def at(matrix: Tensor, place: int) -> Tensor:
    """[batch, 1]: one column."""
    return gather(matrix, constant_tensor([place], int32, graph=matrix.graph), axis=1)


# ------------------------------------------------------------------ metrics
def at_least_half(label_mean: Any) -> Tensor:
    """max(mean, 1 - mean): the accuracy of always saying the commoner class."""
    one = constant_tensor(1.0, float32, graph=label_mean.graph)
    return F.maximum(label_mean, F.subtract(one, label_mean))


def metrics_at(
    threshold: float, labels: Tensor, likely: Tensor, weights: Any
) -> dict[str, Any]:
    """Accuracy, precision and recall at one threshold."""
    bound = constant_tensor(threshold, float32, graph=likely.graph)
    over = F.cast(F.greater(likely, bound), dtype=float32)
    name = f"positive_threshold_{threshold:g}"
    truth = F.cast(labels, dtype=bool_)
    return {
        f"accuracy/{name}": accuracy(labels, over, broadcast(weights, likely)),
        f"precision/{name}": _first(precision_at_thresholds(truth, likely, [threshold], weights)),
        f"recall/{name}": _first(recall_at_thresholds(truth, likely, [threshold], weights)),
    }


def _first(metric: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    from graphc.tf1.api_array import squeeze

    value, update = metric
    return squeeze(value), squeeze(update)

