"""tf.contrib.crf: linear-chain conditional random fields.

Lives here: scores, log likelihoods and decoding of tag sequences. Not here: the networks that give
the scores of single tags. `inputs` are [batch, steps, tags], `transition_params` [tags, tags].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1.functional import scan
from graphc.tf1.scopes import name_scope
from graphc.tf1.variable_scope import get_variable

__all__ = [
    "crf_binary_score", "crf_decode", "crf_log_likelihood", "crf_log_norm", "crf_sequence_score",
    "crf_unary_score", "viterbi_decode",
]  # fmt: skip


def _mask(lengths: Tensor, steps: Any, like: Tensor) -> Tensor:
    """[batch, steps]: one before the end of each sequence, else zero."""
    return math.cast(arrays.sequence_mask(lengths, steps), like.dtype)


def _given(inputs: Any, lengths: Any) -> tuple[Tensor, Tensor]:
    return convert_to_tensor(inputs), math.cast(convert_to_tensor(lengths), int32)


# ------------------------------------------------------------------ scores
def crf_unary_score(tag_indices: Any, sequence_lengths: Any, inputs: Any) -> Tensor:
    """The sum of the scores of the tags of each sequence: [batch]."""
    x, lengths = _given(inputs, sequence_lengths)
    at = F.expand_dims(math.cast(convert_to_tensor(tag_indices), int32), axis=-1)
    chosen = F.squeeze(arrays.batch_gather(x, at), axes=(-1,))
    return math.reduce_sum(chosen * _mask(lengths, F.shape(x)[1], x), 1)


def crf_binary_score(tag_indices: Any, sequence_lengths: Any, transition_params: Any) -> Tensor:
    """The sum of the scores of the transitions of each sequence: [batch]."""
    tags = math.cast(convert_to_tensor(tag_indices), int32)
    table = convert_to_tensor(transition_params)
    lengths = math.cast(convert_to_tensor(sequence_lengths), int32)
    pairs = F.stack(tags[:, :-1], tags[:, 1:], axis=-1)
    chosen = arrays.gather_nd(table, pairs)
    inside = _mask(math.maximum(lengths - 1, 0), F.shape(tags)[1] - 1, table)
    return math.reduce_sum(chosen * inside, 1)


def crf_sequence_score(
    inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any
) -> Tensor:
    """The score of each tag sequence, not normalised: [batch]."""
    with name_scope("crf_sequence_score"):
        unary = crf_unary_score(tag_indices, sequence_lengths, inputs)
        return unary + crf_binary_score(tag_indices, sequence_lengths, transition_params)


def _forward(
    x: Tensor, lengths: Tensor, table: Tensor, reduce: Any
) -> tuple[Tensor, Tensor]:
    """(what the last step of each sequence holds [batch, tags], all steps [steps, batch, tags]).

    A step combines the scores of all ways to a tag by `reduce`; behind the end nothing changes.
    """
    first = x[:, 0, :]
    others = F.transpose(x[:, 1:, :], perm=(1, 0, 2))
    numbers = arrays.range(1, F.shape(x)[1])

    def step(before: Tensor, now: tuple[Tensor, Tensor]) -> Tensor:
        scores, number = now
        ways = F.expand_dims(before, axis=2) + F.expand_dims(table, axis=0)
        after = scores + reduce(ways, 1)
        inside = F.expand_dims(F.greater(lengths, number), axis=1)
        return F.select_v2(inside, after, before)

    steps: Tensor = scan(step, (others, numbers), initializer=first)
    every = arrays.concat([F.expand_dims(first, axis=0), steps], 0)
    return every[-1], every


def crf_log_norm(inputs: Any, sequence_lengths: Any, transition_params: Any) -> Tensor:
    """The logarithm of the summed exponential scores of all tag sequences: [batch]."""
    with name_scope("crf_log_norm"):
        x, lengths = _given(inputs, sequence_lengths)
        table = convert_to_tensor(transition_params)
        last, _ = _forward(x, lengths, table, math.reduce_logsumexp)
        found = math.reduce_logsumexp(last, 1)
        return F.select_v2(F.greater(lengths, 0), found, F.zeros_like(found))


def crf_log_likelihood(
    inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any = None
) -> tuple[Tensor, Any]:
    """(the log likelihood of each tag sequence [batch], transition_params).

    Args:
        tag_indices: [batch, steps]. sequence_lengths: [batch]. transition_params: default the
            variable "transitions", made here.

    Raises:
        ValueError: the number of tags is not known.
    """
    x = convert_to_tensor(inputs)
    if transition_params is None:
        tags = x.dims[2] if x.dims is not None else None
        if not isinstance(tags, int):
            raise ValueError("the number of tags must be known when the graph is built")
        transition_params = get_variable("transitions", [tags, tags])
    score = crf_sequence_score(x, tag_indices, sequence_lengths, transition_params)
    return score - crf_log_norm(x, sequence_lengths, transition_params), transition_params


# ------------------------------------------------------------------ decoding
def crf_decode(
    potentials: Any, transition_params: Any, sequence_length: Any
) -> tuple[Tensor, Tensor]:
    """(the best tags [batch, steps], their score [batch]); tags behind the end are 0."""
    with name_scope("crf_decode"):
        x, lengths = _given(potentials, sequence_length)
        table = convert_to_tensor(transition_params)
        last, every = _forward(x, lengths, table, math.reduce_max)
        ways = F.expand_dims(every[:-1], axis=3) + table
        # of each step and tag: the best tag before it
        back = math.cast(math.argmax(ways, 2), int32)
        final = math.cast(math.argmax(last, 1), int32)
        numbers = arrays.range(1, F.shape(x)[1])

        def step(after: Tensor, now: tuple[Tensor, Tensor]) -> Tensor:
            pointers, number = now
            chosen = arrays.batch_gather(pointers, F.expand_dims(after, axis=1))
            inside = F.greater(lengths, number)
            return F.select_v2(inside, F.squeeze(chosen, axes=(1,)), after)

        turned = (arrays.reverse(back, [0]), arrays.reverse(numbers, [0]))
        earlier: Tensor = scan(step, turned, initializer=final)
        path = arrays.concat([arrays.reverse(earlier, [0]), F.expand_dims(final, axis=0)], 0)
        tags = F.transpose(path, perm=(1, 0))
        inside = arrays.sequence_mask(lengths, F.shape(x)[1])
        return F.select_v2(inside, tags, F.zeros_like(tags)), math.reduce_max(last, 1)


def viterbi_decode(score: Any, transition_params: Any) -> tuple[list[int], float]:
    """(the best tags of one sequence, their score), in NumPy.

    Args:
        score: [steps, tags]. transition_params: [tags, tags].
    """
    scores, table = np.asarray(score), np.asarray(transition_params)
    best = scores[0].copy()
    pointers = []
    for row in scores[1:]:
        ways = best[:, None] + table
        pointers.append(ways.argmax(0))
        best = row + ways.max(0)
    path = [int(best.argmax())]
    for pointer in reversed(pointers):
        path.append(int(pointer[path[-1]]))
    return path[::-1], best.max()
