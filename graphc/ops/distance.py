"""How far apart sequences are: the Levenshtein distance of the rows of sparse tensors.

Lives here: edit_distance. Not here: sparse tensors. Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import float32, int64
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import Sample, fixed

Array = np.ndarray[Any, Any]


def levenshtein(a: Array, b: Array) -> int:
    """The least number of insertions, deletions and substitutions that turn a into b."""
    if not len(a) or not len(b):
        return len(a) + len(b)
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for k, item in enumerate(a):
        new = np.empty_like(row)
        new[0] = k + 1
        new[1:] = np.minimum(row[1:] + 1, row[:-1] + (b != item))
        # insertions run along the row: the least of what stands before, plus the way from there
        row = np.minimum.accumulate(new - steps) + steps
    return int(row[-1])


def _groups(indices: Array, values: Array) -> dict[tuple[int, ...], Array]:
    """The values of each row, by its place."""
    found: dict[tuple[int, ...], Array] = {}
    if not len(indices):
        return found
    rows = indices[:, :-1]
    starts = np.flatnonzero(np.any(rows[1:] != rows[:-1], axis=1)) + 1
    for part, items in zip(
        np.split(rows, starts), np.split(values, starts), strict=True
    ):
        found[tuple(part[0].tolist())] = items
    return found


def _edit_distance(
    hypothesis_indices: Array, hypothesis_values: Array, hypothesis_shape: Array,
    truth_indices: Array, truth_values: Array, truth_shape: Array, normalize: bool,
) -> Array:  # fmt: skip
    if len(hypothesis_shape) != len(truth_shape):
        raise InvalidArgumentError(
            f"truth_shape and hypothesis_shape should have the same length, got "
            f"{truth_shape.tolist()} and {hypothesis_shape.tolist()}"
        )
    dims = np.maximum(hypothesis_shape, truth_shape)[:-1]
    out = np.zeros(tuple(dims.tolist()), np.float32)
    guesses = _groups(hypothesis_indices, hypothesis_values)
    truths = _groups(truth_indices, truth_values)
    none = hypothesis_values[:0]
    for place in {*guesses, *truths}:
        guess, truth = guesses.get(place, none), truths.get(place, none)
        distance: float = levenshtein(guess, truth)
        if normalize:
            distance = distance / len(truth) if len(truth) else np.inf
        if any(not 0 <= p < d for p, d in zip(place, dims, strict=True)):
            raise InvalidArgumentError(f"the index {list(place)} is outside of shape {dims}")
        out[place] = distance
    return out


def _type(ctx: InferContext) -> TensorType:
    shapes = [ctx.value(2), ctx.value(5)]
    if all(s is not None for s in shapes):
        a, b = (s.tolist() for s in shapes)  # type: ignore[union-attr]  # just checked
        if len(a) == len(b) and all(isinstance(d, int) for d in a + b):
            return TensorType(float32, tuple(map(max, a[:-1], b[:-1])))
    for k in (2, 5):
        dims = ctx.shape(k)
        if dims is not None and len(dims) == 1 and isinstance(dims[0], int):
            return TensorType(float32, (None,) * (dims[0] - 1))
    return TensorType(float32, None)


edit_distance = OpDef(
    name="edit_distance",
    tf="EditDistance",
    family="host",
    args=(
        "hypothesis_indices", "hypothesis_values", "hypothesis_shape", "truth_indices",
        "truth_values", "truth_shape",
    ),
    groups=(int64, "T", int64, int64, "T", int64),
    infer=_type,
    numpy=_edit_distance,
    nograd="TF1 has no gradient for it",
    data_dependent=True,
    samples=(
        Sample(
            (
                fixed([[0, 0], [0, 1], [2, 0]], int64), fixed([1, 2, 3]), fixed([3, 2], int64),
                fixed([[0, 0], [1, 0], [2, 0]], int64), fixed([1, 2, 3]), fixed([3, 1], int64),
            ),
            {"normalize": True},
            grad=False,
        ),
    ),
)  # fmt: skip
