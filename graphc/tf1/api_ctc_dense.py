"""tf.nn.ctc_loss_v2: the loss of sequences without alignment, of dense labels.

Lives here: ctc_loss_v2. Not here: tf.nn.ctc_loss and the decoders (tf1/api_ctc.py). Imports ops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_ctc import ctc_loss
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = ["ctc_loss_v2"]


def ctc_loss_v2(
    labels: Any,
    logits: Any,
    label_length: Any,
    logit_length: Any,
    logits_time_major: bool = True,
    unique: Any = None,
    blank_index: int | None = None,
    name: str | None = None,
) -> Tensor:
    """ctc_loss of dense labels (tf.nn.ctc_loss_v2).

    Args:
        labels: int [batch, longest] with label_length [batch], or a SparseTensor with None.
        blank_index: the blank's class: 0 of dense labels, the last of sparse ones; negative ones
            count from the end. unique: accepted.

    Raises:
        ValueError: blank_index is not given with sparse labels.
    """
    x = convert_to_tensor(logits)
    with x.graph.name_scope(name or "ctc_loss_dense"):
        if isinstance(labels, SparseTensor):
            if blank_index is None:
                raise ValueError(
                    "blank_index must be given when using SparseTensor labels."
                )
            sparse = labels
        else:
            sparse = _sparse_labels(labels, label_length)
        x = x if logits_time_major else F.transpose(x, perm=(1, 0, 2))
        blank = 0 if blank_index is None else int(blank_index)
        classes = F.gather(F.shape(x), np.int32(2), axis=0, batch_dims=0)
        at = convert_to_tensor(np.int32(blank)) if blank >= 0 else classes + np.int32(blank)
        # the blank goes last, the classes behind it move up
        order = F.range(np.int32(0), classes - np.int32(1), np.int32(1))
        moved = order + F.cast(F.greater_equal(order, at), dtype=int32)
        places = F.concat(moved, F.reshape(at, np.array([1], np.int32)), axis=0)
        values = F.cast(sparse.values, dtype=int32)
        shifted = values - F.cast(F.greater(values, at), dtype=int32)
        return ctc_loss(
            SparseTensor(sparse.indices, shifted, sparse.dense_shape),
            F.gather(x, places, axis=2, batch_dims=0), logit_length,
        )  # fmt: skip


def _sparse_labels(labels: Any, lengths: Any) -> SparseTensor:
    dense = convert_to_tensor(labels)
    counts = F.expand_dims(F.cast(convert_to_tensor(lengths), dtype=int32), axis=1)
    longest = F.gather(F.shape(dense), np.int32(1), axis=0, batch_dims=0)
    at = F.where(F.less(F.range(np.int32(0), longest, np.int32(1)), counts))
    return SparseTensor(at, F.gather_nd(dense, at), F.shape(dense, out_type=int64))
