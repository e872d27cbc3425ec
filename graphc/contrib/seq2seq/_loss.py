"""tf.contrib.seq2seq.sequence_loss.

Lives here: that function. Not here: the losses over lists of steps (contrib/legacy_seq2seq.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_array import reshape, shape
from graphc.tf1.api_losses import sparse_softmax_cross_entropy_with_logits
from graphc.tf1.api_math import cast
from graphc.tf1.api_reduce import reduce_sum
from graphc.tf1.scopes import name_scope

__all__ = ["sequence_loss"]


def sequence_loss(
    logits: Any,
    targets: Any,
    weights: Any,
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    softmax_loss_function: Callable[..., Any] | None = None,
    name: str | None = None,
    sum_over_timesteps: bool = False,
    sum_over_batch: bool = False,
) -> Tensor:
    """Weighted cross-entropy of a batch of sequences.

    Args:
        logits: (batch, time, classes). targets: (batch, time) integers. weights: (batch, time).
        average_across_timesteps, average_across_batch: divide the sum over that axis by its
            weights; without either the result keeps the axis. sum_over_timesteps,
            sum_over_batch: sum without dividing by weights.
        softmax_loss_function: (labels=, logits=) -> loss of each step; default the softmax.

    Raises:
        ValueError: another rank than said, or both sum and average over an axis.
    """
    x, y, w = convert_to_tensor(logits), convert_to_tensor(targets), convert_to_tensor(weights)
    _check(x, y, w)
    if average_across_timesteps and sum_over_timesteps:
        raise ValueError(
            "average_across_timesteps and sum_over_timesteps cannot be set to True at same time."
        )
    if average_across_batch and sum_over_batch:
        raise ValueError(
            "average_across_batch and sum_over_batch cannot be set to True at the same time."
        )
    with name_scope(name, "sequence_loss", [x, y, w]):
        flat = reshape(x, [-1, shape(x)[2]])
        if x.shape.as_list()[2] is not None:
            flat.set_shape([None, x.shape.as_list()[2]])
        loss = softmax_loss_function or sparse_softmax_cross_entropy_with_logits
        each = loss(labels=reshape(y, [-1]), logits=flat) * reshape(w, [-1])
        if average_across_timesteps and average_across_batch:
            return reduce_sum(each) / (reduce_sum(w) + 1e-12)
        if sum_over_timesteps and sum_over_batch:
            total = reduce_sum(cast(w > 0, each.dtype)) + 1e-12
            return reduce_sum(each) / total
        return _partly(
            reshape(each, shape(x)[:2]), w,
            (average_across_timesteps, average_across_batch), (sum_over_timesteps, sum_over_batch),
        )  # fmt: skip


def _check(logits: Tensor, targets: Tensor, weights: Tensor) -> None:
    if logits.rank != 3:
        raise ValueError("Logits must be a [batch_size x sequence_length x logits] tensor")
    if targets.rank != 2:
        raise ValueError("Targets must be a [batch_size x sequence_length] tensor")
    if weights.rank != 2:
        raise ValueError("Weights must be a [batch_size x sequence_length] tensor")


def _partly(
    each: Tensor, weights: Tensor, average: tuple[bool, bool], total: tuple[bool, bool]
) -> Tensor:
    """The loss of each step, reduced along time, along the batch, or not at all."""
    for axis, wanted, summed in zip((1, 0), average, total, strict=True):
        if wanted:
            return reduce_sum(each, axis=[axis]) / (reduce_sum(weights, axis=[axis]) + 1e-12)
        if summed:
            count = reduce_sum(cast(weights > 0, each.dtype), axis=[axis]) + 1e-12
            return reduce_sum(each, axis=[axis]) / count
    return each
