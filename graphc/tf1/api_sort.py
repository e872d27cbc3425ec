"""tf.sort and tf.argsort.

Lives here: both, over top_k. Not here: the record (ops/ranking.py), tf.nn.top_k (api_index.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.extents import axes_last
from graphc.tf1.arguments import static_int

__all__ = ["argsort", "sort"]


def sort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None
) -> Tensor:
    """The elements in order along an axis (tf.sort); the gradient goes back to their places.

    Args:
        direction: "ASCENDING" or "DESCENDING".

    Raises:
        ValueError: another direction, an axis that is not known or not there.
    """
    return _sorted(values, axis, direction, name or "sort")[0]


def argsort(
    values: Any,
    axis: Any = -1,
    direction: str = "ASCENDING",
    stable: bool = False,
    name: str | None = None,
) -> Tensor:
    """The int32 positions that put the elements in order along an axis (tf.argsort).

    Equal elements stay in their order, with `stable` or without.

    Raises:
        ValueError: another direction, an axis that is not known or not there.
    """
    return _sorted(values, axis, direction, name or "argsort")[1]


def _sorted(values: Any, axis: Any, direction: str, name: str) -> tuple[Tensor, Tensor]:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"{direction} should be one of DESCENDING, ASCENDING")
    x = convert_to_tensor(values)
    at = static_int(axis, "axis")
    rank = x.rank
    if rank is None and at != -1:
        raise ValueError("sort along an axis other than the last needs a known rank")
    if rank is not None and not -rank <= at < rank:
        raise ValueError(f"axis {at} is not in [{-rank}, {rank})")
    with x.graph.name_scope(name):
        if rank is None or at % rank == rank - 1:
            return _sorted_last(x, direction)
        order = axes_last(rank, (at % rank,))
        back = tuple(int(p) for p in np.argsort(order))
        turned = _sorted_last(F.transpose(x, perm=order), direction)
        return F.transpose(turned[0], perm=back), F.transpose(turned[1], perm=back)


def _sorted_last(x: Tensor, direction: str) -> tuple[Tensor, Tensor]:
    one = np.array([1], np.int32)
    count = F.strided_slice(F.shape(x), one * -1, one * 0, one, end_mask=1, shrink_axis_mask=1)
    count = F.cast(count, dtype=int32)
    if direction == "DESCENDING":
        return F.top_k(x, count, sorted=True)
    # the greatest of the opposites; of integers the complement, which none overflows
    opposite = F.negative if x.dtype.is_floating else F.bitwise_invert
    ordered, at = F.top_k(opposite(x), count, sorted=True)
    return opposite(ordered), at
