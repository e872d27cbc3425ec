"""Losses of tf.contrib.legacy_seq2seq over lists of steps, and models in buckets.

Lives here: sequence_loss_by_example, sequence_loss, model_with_buckets. Users find these names in
graphc.contrib.legacy_seq2seq.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_array import reshape, shape
from graphc.tf1.api_losses import sparse_softmax_cross_entropy_with_logits
from graphc.tf1.api_math import add_n, cast
from graphc.tf1.api_reduce import reduce_sum
from graphc.tf1.scopes import name_scope
from graphc.tf1.variable_scope import get_variable_scope, variable_scope

__all__ = ["model_with_buckets", "sequence_loss", "sequence_loss_by_example"]

Steps = Sequence[Any]


def sequence_loss_by_example(
    logits: Steps,
    targets: Steps,
    weights: Steps,
    average_across_timesteps: bool = True,
    softmax_loss_function: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Tensor:
    """Weighted cross-entropy of each row of a batch of sequences: (batch,).

    Args:
        logits: (batch, classes) tensors, one a step. targets: (batch,) int32. weights: (batch,).
        average_across_timesteps: divide by the sum of the weights.
        softmax_loss_function: (labels=, logits=) -> (batch,); default the softmax.

    Raises:
        ValueError: "Lengths of logits, weights, and targets must be the same ...".
    """
    if len(targets) != len(logits) or len(weights) != len(logits):
        raise ValueError(
            "Lengths of logits, weights, and targets must be the same "
            f"{len(logits)}, {len(weights)}, {len(targets)}."
        )
    with name_scope(name, "sequence_loss_by_example"):
        steps = []
        for logit, target, weight in zip(logits, targets, weights, strict=True):
            if softmax_loss_function is None:
                flat = reshape(target, [-1])
                loss = sparse_softmax_cross_entropy_with_logits(labels=flat, logits=logit)
            else:
                loss = softmax_loss_function(labels=target, logits=logit)
            steps.append(loss * weight)
        total = add_n(steps)
        if average_across_timesteps:
            total = total / (add_n([convert_to_tensor(w) for w in weights]) + 1e-12)
        return total


def sequence_loss(
    logits: Steps,
    targets: Steps,
    weights: Steps,
    average_across_timesteps: bool = True,
    average_across_batch: bool = True,
    softmax_loss_function: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Tensor:
    """The sum of sequence_loss_by_example, a scalar.

    Args:
        average_across_batch: divide by the batch size. Others: see sequence_loss_by_example.

    Raises:
        ValueError: see sequence_loss_by_example.
    """
    with name_scope(name, "sequence_loss"):
        cost = reduce_sum(
            sequence_loss_by_example(
                logits, targets, weights, average_across_timesteps, softmax_loss_function
            )
        )
        if not average_across_batch:
            return cost
        return cost / cast(shape(targets[0])[0], cost.dtype)


def model_with_buckets(
    encoder_inputs: Steps,
    decoder_inputs: Steps,
    targets: Steps,
    weights: Steps,
    buckets: Sequence[tuple[int, int]],
    seq2seq: Callable[[Any, Any], Any],
    softmax_loss_function: Callable[..., Any] | None = None,
    per_example_loss: bool = False,
    name: str | None = None,
) -> tuple[list[Any], list[Any]]:
    """A model for each bucket of lengths, all with the same weights.

    Args:
        buckets: (encoder's steps, decoder's steps), from short to long. seq2seq: (encoder
            inputs, decoder inputs) -> (outputs, states). per_example_loss: whether losses are
            (batch,). Others: see sequence_loss.

    Returns:
        (outputs of each bucket, losses of each bucket).

    Raises:
        ValueError: fewer steps than the last bucket needs.
    """
    last = buckets[-1]
    for which, given, least in (
        ("encoder_inputs", encoder_inputs, last[0]),
        ("targets", targets, last[1]),
        ("weights", weights, last[1]),
    ):
        if len(given) < least:
            raise ValueError(
                f"Length of {which} ({len(given)}) must be at least that of last bucket ({least})."
            )
    outputs, losses = [], []
    loss = sequence_loss_by_example if per_example_loss else sequence_loss
    with name_scope(name, "model_with_buckets"):
        for number, (source, target) in enumerate(buckets):
            with variable_scope(get_variable_scope(), reuse=True if number > 0 else None):
                made, _ = seq2seq(encoder_inputs[:source], decoder_inputs[:target])
            outputs.append(made)
            losses.append(
                loss(
                    made, targets[:target], weights[:target],
                    softmax_loss_function=softmax_loss_function,
                )
            )  # fmt: skip
    return outputs, losses
