"""tf.contrib.nn: losses over sampled classes with sparse labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.contrib import missing
from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_sampling import sampled_logits

__all__ = ["sampled_sparse_softmax_loss"]

__getattr__ = missing("tf.contrib.nn")


def sampled_sparse_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    partition_strategy: str = "mod",
    name: str = "sampled_sparse_softmax_loss",
) -> Tensor:
    """tf.nn.sampled_softmax_loss of one true class a row.

    Args:
        labels: int64 [batch] or [batch, 1]; otherwise as of tf.nn.sampled_softmax_loss.

    Returns:
        A loss for each row, [batch].
    """
    with convert_to_tensor(inputs).graph.name_scope(name):
        column = F.reshape(convert_to_tensor(labels), np.array([-1, 1], np.int32))
        logits, _ = sampled_logits(
            weights, biases, column, inputs, num_sampled, num_classes, 1, sampled_values,
            remove_accidental_hits, partition_strategy,
        )  # fmt: skip
        # the true class is the first column
        count = F.slice(F.shape(logits), np.array([0], np.int32), np.array([1], np.int32))
        first = F.fill(count, convert_to_tensor(np.int64(0), int64))
        loss, _ = F.sparse_softmax_cross_entropy(logits, first)
        return loss
