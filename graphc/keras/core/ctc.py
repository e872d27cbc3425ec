"""keras.backend's connectionist temporal classification. Imports tf1."""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.config import epsilon
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array, api_create, api_index, api_math
from graphc.tf1.api_ctc import ctc_beam_search_decoder, ctc_greedy_decoder, ctc_loss
from graphc.tf1.api_sparse import sparse_tensor_to_dense
from graphc.tf1.sparse_tensor import SparseTensor

__all__ = ["ctc_batch_cost", "ctc_decode", "ctc_label_dense_to_sparse"]


def _lengths(value: Any) -> Tensor:
    """[batch] from [batch] or [batch, 1]."""
    tensor = convert_to_tensor(value)
    if len(int_shape(tensor) or (None,)) > 1:
        tensor = api_array.squeeze(tensor, [-1])
    return api_math.cast(tensor, int32)


def ctc_label_dense_to_sparse(labels: Any, label_lengths: Any) -> SparseTensor:
    """Rows of labels [batch, longest] without what stands behind their lengths."""
    labels = convert_to_tensor(labels)
    shape = api_array.shape(labels)
    mask = api_create.sequence_mask(_lengths(label_lengths), shape[1])
    indices = api_index.where(mask)
    values = api_math.cast(api_index.gather_nd(labels, indices), int32)
    return SparseTensor(indices, values, api_math.to_int64(shape))


def _scores(y_pred: Any) -> Tensor:
    turned = api_array.transpose(convert_to_tensor(y_pred), [1, 0, 2])
    return api_math.log(turned + epsilon())


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Tensor:
    """The loss of each sample [batch, 1].

    Args:
        y_true: labels [batch, longest]. y_pred: probabilities [batch, frames, classes], the last
            class is the blank. input_length, label_length: [batch, 1].
    """
    sparse = ctc_label_dense_to_sparse(y_true, label_length)
    loss = ctc_loss(sparse, _scores(y_pred), _lengths(input_length))
    return api_array.expand_dims(loss, 1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Tensor], Tensor]:
    """(labels [batch, longest] for each path, -1 behind their ends; log probabilities)."""
    scores, lengths = _scores(y_pred), _lengths(input_length)
    if greedy:
        decoded, chances = ctc_greedy_decoder(scores, lengths)
    else:
        decoded, chances = ctc_beam_search_decoder(
            scores, lengths, beam_width=beam_width, top_paths=top_paths
        )
    return [sparse_tensor_to_dense(d, default_value=-1) for d in decoded], chances
