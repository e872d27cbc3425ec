"""gather_tree: the beams of a search from their steps and parents.

Lives here: that record. Not here: beam search (contrib/seq2seq). Imports ops.define.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import int32
from graphc.ir.node import TensorType
from graphc.ir.shape import merge_shapes
from graphc.ops.define import InferContext, host
from graphc.ops.extents import need_rank
from graphc.ops.samples import fixed, sample


def _type(ctx: InferContext) -> TensorType:
    for which, rank in enumerate((3, 3, 1, 0)):
        need_rank(ctx, which, rank)
    try:
        return TensorType(int32, merge_shapes(ctx.shape(0), ctx.shape(1)))
    except ValueError:
        raise ctx.fail(
            f"step_ids.shape must match parent_ids.shape.  but shapes are: {ctx.shape(0)} and "
            f"{ctx.shape(1)}"
        ) from None


def _gather_tree(steps: Any, parents: Any, lengths: Any, end: Any) -> Any:
    """Each beam followed from its last step back to its first."""
    if steps.shape != parents.shape:
        raise InvalidArgumentError(
            f"step_ids.shape must match parent_ids.shape.  but shapes are: {steps.shape} and "
            f"{parents.shape}"
        )
    time, batch, beams = steps.shape
    if lengths.shape[0] != batch:
        raise InvalidArgumentError(
            "batch size dimensions step_ids.shape[1] and max_sequence_lengths.shape[0] must "
            f"match.  but shapes are: {steps.shape} and {lengths.shape}"
        )
    out = np.full(steps.shape, end, steps.dtype)
    last = np.minimum(lengths, time) - 1
    rows = np.arange(batch)[:, None]
    at = np.broadcast_to(np.arange(beams), (batch, beams))
    for level in range(time - 1, -1, -1):
        inside = (level <= last)[:, None]
        bad = inside & ((at < 0) | (at >= beams))
        if bad.any():
            row, beam = np.argwhere(bad)[0]
            raise InvalidArgumentError(
                f"Saw invalid parent id {at[row, beam]} at (batch, time, beam) == "
                f"({row}, {level}, {beam})"
            )
        safe = np.where(inside, at, 0)
        out[level] = np.where(inside, steps[level][rows, safe], out[level])
        at = np.where(inside, parents[level][rows, safe], at)
    # behind the first end token there is nothing else
    ended = np.cumsum(out == end, axis=0) - (out == end) > 0
    return np.where(ended, end, out)


gather_tree = host(
    "gather_tree", tf="GatherTree", infer=_type, numpy=_gather_tree,
    args=("step_ids", "parent_ids", "max_sequence_lengths", "end_token"),
    dtypes={"T": (int32,)}, nograd="ids are integers",
    samples=(
        sample(
            fixed([[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9]]], int32),
            fixed([[[0, 0, 0]], [[0, 1, 1]], [[2, 1, 2]]], int32),
            fixed([3], int32), fixed(10, int32), grad=False,
        ),
        sample(
            fixed([[[1, 2], [3, 4]], [[5, 9], [6, 7]]], int32),
            fixed([[[0, 0], [0, 0]], [[1, 0], [0, 1]]], int32),
            fixed([1, 2], int32), fixed(9, int32), grad=False,
        ),
    ),
)  # fmt: skip
