"""Shapes that must be equal: their merge, or TF1's message.

Lives here: merged. Only op modules import it.
"""

from __future__ import annotations

from graphc.ir.shape import Shape, bracket_text, merge_dim
from graphc.ops.define import InferContext


def merged(ctx: InferContext, first: Shape, second: Shape, tail: str = "") -> Shape:
    """The shape that both must have.

    Raises:
        ShapeError: "Shapes must be equal rank, but are 1 and 2", or "Dimension 0 in both shapes
        must be equal, but are 2 and 3. Shapes are [2] and [3]."; then `tail`.
    """
    if first is None or second is None:
        return second if first is None else first
    if len(first) != len(second):
        raise ctx.fail(
            f"Shapes must be equal rank, but are {len(first)} and {len(second)}{tail}"
        )
    out = []
    for axis, (a, b) in enumerate(zip(first, second, strict=True)):
        try:
            out.append(merge_dim(a, b))
        except ValueError:
            raise ctx.fail(
                f"Dimension {axis} in both shapes must be equal, but are {a} and {b}. Shapes are "
                f"{bracket_text(first)} and {bracket_text(second)}.{tail}"
            ) from None
    return tuple(out)
