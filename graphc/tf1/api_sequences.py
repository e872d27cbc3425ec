"""Distances of sequences: tf.edit_distance.

Lives here: TF1's function. Not here: the op (ops/distance.py). Imports ops and sparse tensors.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.tf1.sparse_tensor import SparseTensor, SparseTensorValue

__all__ = ["edit_distance"]


def edit_distance(
    hypothesis: Any, truth: Any, normalize: bool = True, name: str = "edit_distance"
) -> Tensor:
    """The Levenshtein distances of the rows of two sparse tensors (tf.edit_distance).

    Args:
        hypothesis, truth: SparseTensors or their values, of one dtype and rank; their last
            dimensions are the sequences.
        normalize: divides by the length of the truth; against an empty one it is infinity.

    Returns:
        float32, of the shape without the last dimension.

    Raises:
        TypeError: "Hypothesis must be a SparseTensor.", "Truth must be a SparseTensor."
    """
    for value, what in ((hypothesis, "Hypothesis"), (truth, "Truth")):
        if not isinstance(value, SparseTensor | SparseTensorValue):
            raise TypeError(f"{what} must be a SparseTensor.")
    a, b = SparseTensor.from_value(hypothesis), SparseTensor.from_value(truth)
    made: Tensor = F.edit_distance(
        a.indices, a.values, a.dense_shape, b.indices, b.values, b.dense_shape,
        normalize=bool(normalize), name=name,
    )  # fmt: skip
    return made
