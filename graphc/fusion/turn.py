"""Transposes that exchange rows and columns: which ones, and their sizes.

Lives here: Turn, turn_of. Not here: their code (render/turn.py), their steps (runtime/turn.py).
Imports ir and ops only.

A transpose that keeps the innermost axis is copied row by row by ordinary kernels, and is fused
with what reads it. One that moves it touches a line of memory for each element; it is a step of its
own that turns square tiles in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.node import Node
from graphc.ir.shape import Dim
from graphc.ops.shape import full_perm

LEAST = 8  # rows or columns: of fewer, tiles are mostly empty


@dataclass(frozen=True)
class Turn:
    """`count` matrices of `rows` x `columns` elements become `columns` x `rows`."""

    count: Dim
    rows: Dim
    columns: Dim
    size: int  # bytes of an element


def turn_of(node: Node) -> Turn | None:
    """The node as exchanges of rows and columns, or None where it is not."""
    if node.op.name != "transpose" or any(d is None for d in node.inputs[0].dims or (None,)):
        return None
    source = node.inputs[0]
    dtype = source.dtype
    if dtype.size not in (4, 8) or dtype.kind not in "fiu":
        return None
    dims = source.known_dims
    count, rows, columns = _blocks(dims, full_perm(node.attrs.get("perm"), len(dims)))
    if any(isinstance(d, int) and d < LEAST for d in (rows, columns)):
        return None
    return Turn(count, rows, columns, dtype.size)


def _blocks(dims: Sequence[Dim], perm: Sequence[int]) -> tuple[Dim, Dim, Dim]:
    """(count, rows, columns) of a permutation (0.. , columns.., rows..); rows 1 of all others."""
    kept = [p for p in perm if dims[p] != 1]
    order = sorted(kept)
    lead = 0
    while lead < len(kept) and kept[lead] == order[lead]:
        lead += 1
    back = kept[lead:]
    for cut in range(1, len(back)):
        if back[cut:] + back[:cut] == order[lead:]:
            return (
                _product(dims, kept[:lead]), _product(dims, back[cut:]), _product(dims, back[:cut])
            )  # fmt: skip
    return 1, 1, 1


def _product(dims: Sequence[Dim], axes: Sequence[int]) -> Dim:
    total: Dim = 1
    for axis in axes:
        total = total * dims[axis]
    return total
