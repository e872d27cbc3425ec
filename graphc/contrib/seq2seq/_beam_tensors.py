"""Tensors of beams: tiling a batch, merging and splitting beams, following them back.

Lives here: tile_batch, gather_tree, gather_tree_from_array and the helpers of beam search. Not
here: the decoder (_beams.py). Users find the first three in graphc.contrib.seq2seq.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1 import nest
from graphc.tf1.api_array import (
    concat,
    expand_dims,
    reshape,
    shape,
    stack,
    tile,
    transpose,
)
from graphc.tf1.api_create import range as range_
from graphc.tf1.api_create import sequence_mask
from graphc.tf1.api_index import gather, gather_nd, where
from graphc.tf1.api_math import cast
from graphc.tf1.api_reduce import reduce_max
from graphc.tf1.scopes import name_scope

__all__ = [
    "gather_beams", "gather_tree", "gather_tree_from_array", "merge_beams", "split_beams",
    "static_int", "tile_batch",
]  # fmt: skip


def tile_batch(t: Any, multiplier: int, name: str | None = None) -> Any:
    """Each row repeated `multiplier` times in place (tf.contrib.seq2seq.tile_batch).

    Args:
        t: tensors (batch, ...), also nested.

    Raises:
        ValueError: a tensor of unknown rank or of rank 0.
    """
    with name_scope(name, "tile_batch"):
        return nest.map_structure(lambda x: _tiled(x, multiplier), t)


def _tiled(t: Any, multiplier: int) -> Tensor:
    x = convert_to_tensor(t, name="t")
    if x.rank is None or x.rank < 1:
        raise ValueError("t must have statically known rank")
    wide = tile(expand_dims(x, 1), [1, multiplier] + [1] * (x.rank - 1))
    out = reshape(wide, concat([[shape(x)[0] * multiplier], shape(x)[1:]], 0))
    rows = x.shape.as_list()[0]
    out.set_shape([None if rows is None else rows * multiplier, *x.shape.as_list()[1:]])
    return out


def gather_tree(
    step_ids: Any,
    parent_ids: Any,
    max_sequence_lengths: Any,
    end_token: Any,
    name: str | None = None,
) -> Tensor:
    """The beams of a search, followed from their ends back (tf.contrib.seq2seq.gather_tree).

    Args:
        step_ids, parent_ids: (time, batch, beams) int32: the class of each beam at each step, and
            the beam it goes on from. max_sequence_lengths: (batch,) int32. end_token: scalar; it
            fills what is behind a beam's end.

    Raises:
        InvalidArgumentError: a parent outside the beams, or shapes that differ.
    """
    return F.gather_tree(
        convert_to_tensor(step_ids, int32), convert_to_tensor(parent_ids, int32),
        convert_to_tensor(max_sequence_lengths, int32), convert_to_tensor(end_token, int32),
        name=name,
    )  # fmt: skip


def gather_tree_from_array(t: Any, parent_ids: Any, sequence_length: Any) -> Tensor:
    """What belongs to each beam at each step, from its end back.

    Args:
        t: (time, batch, beams, ...) or (time, batch * beams, ...). parent_ids: (time, batch,
            beams). sequence_length: (batch, beams).

    Returns:
        A tensor in the shape of t.
    """
    x, parents = convert_to_tensor(t), convert_to_tensor(parent_ids)
    lengths = convert_to_tensor(sequence_length)
    dims = [static_int(shape(parents)[axis]) for axis in (0, 1, 2)]
    time, batch, beams = (
        shape(parents)[n] if d is None else convert_to_tensor(d) for n, d in enumerate(dims)
    )
    numbers = reshape(range_(beams), [1, 1, -1])
    beam_ids = tile(numbers, stack([time, batch, 1]))
    longest = cast(reduce_max(lengths, axis=1), int32)
    ordered = gather_tree(beam_ids, parents, longest, beams + 1)
    inside = transpose(sequence_mask(lengths, maxlen=time), [2, 0, 1])
    ordered = where(inside, ordered, beam_ids)
    times = tile(reshape(range_(time), [-1, 1, 1]), stack([1, batch, beams]))
    rows = tile(reshape(range_(batch), [1, -1, 1]), stack([time, 1, beams]))
    wide = reshape(x, stack([time, batch, beams, -1]))
    found = reshape(gather_nd(wide, stack([times, rows, ordered], -1)), shape(x))
    found.set_shape(x.shape)
    return found


def static_int(value: Any) -> int | None:
    """The value of a scalar, where it is known while the graph is built."""
    if not is_tensor_like(value):
        return int(value)
    known = value_of(convert_to_tensor(value))
    if known is None or not isinstance(known.reshape(-1).tolist()[0], int):
        return None
    return int(known.reshape(-1)[0])


def _rest(size: Any, given: list[int | None]) -> list[int | None]:
    """The axes behind the beams': what is known of them."""
    if is_tensor_like(size):
        known = value_of(convert_to_tensor(size))
        if known is None:
            return given
        return [d if isinstance(d, int) else None for d in known.reshape(-1).tolist()]
    full = TensorShape(size)
    return given if full.ndims is None or full.ndims != len(given) else full.as_list()


def merge_beams(t: Tensor, size: Any, batch_size: Any, beam_width: int) -> Tensor:
    """(batch, beams, ...) as (batch * beams, ...)."""
    out = reshape(t, concat([reshape(batch_size * beam_width, [1]), shape(t)[2:]], 0))
    rows = static_int(batch_size)
    rest = _rest(size, t.shape.as_list()[2:])
    out.set_shape([None if rows is None else rows * beam_width, *rest])
    return out


def split_beams(t: Tensor, size: Any, batch_size: Any, beam_width: int) -> Tensor:
    """(batch * beams, ...) as (batch, beams, ...).

    Raises:
        ValueError: another number of rows.
    """
    rows = static_int(batch_size)
    have = t.shape.as_list()[0]
    wanted = TensorShape([rows, beam_width, *_rest(size, t.shape.as_list()[1:])])
    if have is not None and rows is not None and have != rows * beam_width:
        raise ValueError(
            "Unexpected behavior when reshaping between beam width and batch size.  The reshaped "
            f"tensor has shape: {t.shape}.  We expected it to have shape (batch_size, beam_width, "
            f"depth) == {wanted}.  Perhaps you forgot to create a zero_state with "
            "batch_size=encoder_batch_size * beam_width?"
        )
    head = stack([batch_size, beam_width])
    out = reshape(t, concat([head, shape(t)[1:]], 0))
    out.set_shape(wanted)
    return out


def gather_beams(t: Tensor, beams: Tensor, batch_size: Any, beam_width: int) -> Tensor:
    """t[b, beams[b, i]] for each row b of (batch, n, ...)."""
    width = shape(t)[1]
    starts = expand_dims(range_(batch_size) * width, 1)
    flat = reshape(t, concat([reshape(batch_size * width, [1]), shape(t)[2:]], 0))
    picked = gather(flat, reshape(beams + starts, [-1]))
    out = reshape(picked, concat([stack([batch_size, beam_width]), shape(t)[2:]], 0))
    out.set_shape([static_int(batch_size), beam_width, *t.shape.as_list()[2:]])
    return out
