"""Attention that only moves on: monotonic attention and its two mechanisms (Raffel et al. 2017).

Lives here: safe_cumprod, monotonic_attention, BahdanauMonotonicAttention, LuongMonotonicAttention.
Not here: other mechanisms (_attention.py). Users find these names in graphc.contrib.seq2seq.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from graphc.contrib.seq2seq._attention import (
    BaseAttentionMechanism,
    bahdanau_score,
    extent_of,
    layer_of,
    luong_score,
)
from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_array import concat, reshape, shape, transpose
from graphc.tf1.api_create import one_hot, ones, zeros
from graphc.tf1.api_math import cast, clip_by_value, cumprod, cumsum, exp, log, sigmoid
from graphc.tf1.api_random import random_normal
from graphc.tf1.functional import scan
from graphc.tf1.initializers import Constant
from graphc.tf1.rnn_cell_base import zero_states
from graphc.tf1.scopes import name_scope
from graphc.tf1.variable_scope import get_variable

__all__ = [
    "BahdanauMonotonicAttention", "LuongMonotonicAttention", "monotonic_attention", "safe_cumprod",
]  # fmt: skip


def safe_cumprod(x: Any, *args: Any, **kwargs: Any) -> Tensor:
    """cumprod of numbers in (0, 1] by sums of their logarithms, without underflow.

    Args:
        args, kwargs: as of tf.cumsum.
    """
    with name_scope(None, "SafeCumprod", [x]):
        given = convert_to_tensor(x, name="x")
        tiny = np.finfo(given.dtype.np).tiny
        return exp(cumsum(log(clip_by_value(given, tiny, 1)), *args, **kwargs))


def monotonic_attention(p_choose_i: Any, previous_attention: Any, mode: str) -> Tensor:
    """Attention that only moves on (Raffel et al. 2017).

    Args:
        p_choose_i: (batch, time): probability of stopping at each place.
        previous_attention: (batch, time): the last distribution; at first [1, 0, 0, ...].
        mode: "recursive" (exact), "parallel" (in closed form) or "hard" (p_choose_i is 0 or 1).

    Raises:
        ValueError: another mode.
    """
    p = convert_to_tensor(p_choose_i, name="p_choose_i")
    previous = convert_to_tensor(previous_attention, name="previous_attention")
    if mode == "recursive":
        return p * _recursive(p, previous)
    if mode == "parallel":
        kept = safe_cumprod(1 - p, axis=1, exclusive=True)
        return p * kept * cumsum(previous / clip_by_value(kept, 1e-10, 1.0), axis=1)
    if mode == "hard":
        p = p * cumsum(previous, axis=1)
        return p * cumprod(1 - p, axis=1, exclusive=True)
    raise ValueError("mode must be 'recursive', 'parallel', or 'hard'.")


def _recursive(p: Tensor, previous: Tensor) -> Tensor:
    """q[i] = (1 - p[i - 1]) q[i - 1] + previous[i]."""
    rows = extent_of(p, 0)
    passed = concat([ones([rows, 1], p.dtype), 1 - p[:, :-1]], 1)
    q = scan(
        lambda x, yz: reshape(yz[0] * x + yz[1], [rows]),
        [transpose(passed), transpose(previous)],
        zeros([rows], p.dtype),
    )
    return transpose(q)


def _monotonic_probability(
    score: Any, previous: Any, sigmoid_noise: float, mode: str, seed: int | None = None
) -> Tensor:
    if sigmoid_noise > 0:
        noise = random_normal(shape(score), dtype=score.dtype, seed=seed)
        score = score + sigmoid_noise * noise
    p = cast(score > 0, score.dtype) if mode == "hard" else sigmoid(score)
    return monotonic_attention(p, previous, mode)


class _Monotonic(BaseAttentionMechanism):
    """A mechanism whose first alignment is the memory's begin."""

    _bias: float

    def initial_alignments(self, batch_size: Any, dtype: Any) -> Any:
        """The alignments before the first step: all at the first place."""
        first = zeros(reshape(batch_size, [1]), dtype=int32)
        made = one_hot(first, self._alignments_size, dtype=dtype)
        made.set_shape(zero_states(self._alignments_size, batch_size, dtype).shape)
        return made

    def _biased(self, score: Any) -> Any:
        return score + get_variable("attention_score_bias", [], score.dtype, Constant(self._bias))


class BahdanauMonotonicAttention(_Monotonic):
    """BahdanauAttention that only moves on (Raffel et al. 2017).

    Variables as BahdanauAttention's below "bahdanau_monotonic_attention", and
    "attention_score_bias".

    Args:
        sigmoid_noise: of the scores, in training; sigmoid_noise_seed: of it. score_bias_init: of
            the learnt bias. mode: see monotonic_attention. Others: see BahdanauAttention.
    """

    _SCOPE = "bahdanau_monotonic_attention"

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        normalize: bool = False,
        score_mask_value: float | None = None,
        sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None,
        score_bias_init: float = 0.0,
        mode: str = "parallel",
        dtype: Any = None,
        name: str = "BahdanauMonotonicAttention",
    ) -> None:
        fn = functools.partial(
            _monotonic_probability, sigmoid_noise=sigmoid_noise, mode=mode, seed=sigmoid_noise_seed
        )
        super().__init__(
            layer_of(num_units, "query_layer", dtype), memory, fn, memory_sequence_length,
            layer_of(num_units, "memory_layer", dtype), score_mask_value=score_mask_value,
            name=name,
        )  # fmt: skip
        self._normalize = normalize
        self._num_units = num_units
        self._bias = score_bias_init

    def _score(self, query: Any) -> Any:
        return self._biased(bahdanau_score(self._query_layer(query), self._keys, self._normalize))


class LuongMonotonicAttention(_Monotonic):
    """LuongAttention that only moves on (Raffel et al. 2017).

    Variables as LuongAttention's below "luong_monotonic_attention", and "attention_score_bias".

    Args:
        See LuongAttention and BahdanauMonotonicAttention.
    """

    _SCOPE = "luong_monotonic_attention"

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        scale: bool = False,
        score_mask_value: float | None = None,
        sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None,
        score_bias_init: float = 0.0,
        mode: str = "parallel",
        dtype: Any = None,
        name: str = "LuongMonotonicAttention",
    ) -> None:
        fn = functools.partial(
            _monotonic_probability, sigmoid_noise=sigmoid_noise, mode=mode, seed=sigmoid_noise_seed
        )
        super().__init__(
            None, memory, fn, memory_sequence_length, layer_of(num_units, "memory_layer", dtype),
            score_mask_value=score_mask_value, name=name,
        )  # fmt: skip
        self._scale = scale
        self._num_units = num_units
        self._bias = score_bias_init

    def _score(self, query: Any) -> Any:
        return self._biased(luong_score(query, self._keys, self._scale))
