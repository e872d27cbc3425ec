"""Sequences without alignment: tf.nn.ctc_loss and the decoders.

Lives here: TF1's functions. Not here: the ops (ops/ctc.py, ops/ctc_decode.py).
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.sparse_tensor import SparseTensor, SparseTensorValue

__all__ = ["ctc_beam_search_decoder", "ctc_greedy_decoder", "ctc_loss"]


def ctc_loss(
    labels: Any,
    inputs: Any = None,
    sequence_length: Any = None,
    preprocess_collapse_repeated: bool = False,
    ctc_merge_repeated: bool = True,
    ignore_longer_outputs_than_inputs: bool = False,
    time_major: bool = True,
    logits: Any = None,
) -> Tensor:
    """The negative log probabilities of label sequences (tf.nn.ctc_loss): shape (batch,).

    Args:
        labels: int32 SparseTensor (batch, labels); classes from 0 on.
        inputs, logits: (frames, batch, classes), with time_major=False (batch, frames, classes);
            before softmax; the last class is the blank.
        sequence_length: int32 (batch,), the numbers of frames.
        preprocess_collapse_repeated: repeated labels count once.
        ctc_merge_repeated: False takes each repetition in the frames as a label of its own.
        ignore_longer_outputs_than_inputs: examples with more labels than frames count nothing.

    Raises:
        TypeError: labels that are no SparseTensor, or not int32.
        InvalidArgumentError (when run): "Not enough time for target transition sequence ...",
            "Labels length is zero in batch 0", a sequence longer than the frames.
    """
    if not isinstance(labels, SparseTensor | SparseTensorValue):
        raise TypeError(
            "Expected argument `labels` to be a SparseTensor. "
            f"Received labels={labels} of type: {type(labels).__name__}"
        )
    sparse = SparseTensor.from_value(labels)
    scores = _time_major(inputs if logits is None else logits, time_major)
    node = F.ctc_loss.node(
        scores,
        sparse.indices,
        sparse.values,
        convert_to_tensor(sequence_length, int32, "sequence_length"),
        preprocess_collapse_repeated=bool(preprocess_collapse_repeated),
        ctc_merge_repeated=bool(ctc_merge_repeated),
        ignore_longer_outputs_than_inputs=bool(ignore_longer_outputs_than_inputs),
    )
    loss: Tensor = node.outputs[0]
    return loss


def _time_major(inputs: Any, already: bool) -> Tensor:
    scores = convert_to_tensor(inputs, name="inputs")
    if already:
        return scores
    turned: Tensor = F.transpose(scores, perm=(1, 0, 2))
    return turned


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True
) -> tuple[list[SparseTensor], Tensor]:
    """The labels of the best class of each frame (tf.nn.ctc_greedy_decoder).

    Args:
        inputs: (frames, batch, classes), the last class is the blank.
        sequence_length: int32 (batch,). merge_repeated: a class in successive frames is one label.

    Returns:
        ([int64 SparseTensor (batch, labels)], (batch, 1) sums of the negated best scores)
    """
    node = F.ctc_greedy_decoder.node(
        convert_to_tensor(inputs, name="inputs"),
        convert_to_tensor(sequence_length, int32, "sequence_length"),
        merge_repeated=bool(merge_repeated),
    )
    *parts, sums = node.outputs
    return [SparseTensor(*parts)], sums


def ctc_beam_search_decoder(
    inputs: Any,
    sequence_length: Any,
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
) -> tuple[list[SparseTensor], Tensor]:
    """The most probable label sequences (tf.nn.ctc_beam_search_decoder).

    Args:
        inputs: (frames, batch, classes), before softmax; the last class is the blank.
        sequence_length: int32 (batch,). beam_width: prefixes that are followed.
        top_paths: sequences to return. merge_repeated: equal labels side by side become one in
            the result.

    Returns:
        (top_paths int64 SparseTensors (batch, labels), log probabilities (batch, top_paths))

    Raises:
        ValueError: "requested more paths than the beam width."
    """
    node = F.ctc_beam_search_decoder.node(
        convert_to_tensor(inputs, name="inputs"),
        convert_to_tensor(sequence_length, int32, "sequence_length"),
        beam_width=int(beam_width),
        top_paths=int(top_paths),
        merge_repeated=bool(merge_repeated),
    )
    *parts, logs = node.outputs
    triples = zip(parts[:top_paths], parts[top_paths:-top_paths], parts[-top_paths:], strict=True)
    return [SparseTensor(*triple) for triple in triples], logs
