"""Attention mechanisms of tf.contrib.seq2seq: Bahdanau's and Luong's.

Lives here: AttentionMechanism, its base and two kinds, hardmax. Not here: monotonic ones
(_monotonic.py), the cell that attends (_attention_wrapper.py). Users find these names in
graphc.contrib.seq2seq.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype, float32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.values import value_of
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, expand_dims, reshape, shape, squeeze
from graphc.tf1.api_checks import assert_equal, assert_positive
from graphc.tf1.api_create import one_hot, ones_like, sequence_mask
from graphc.tf1.api_index import where
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import (
    argmax,
    rsqrt,
    square,
    tanh,
)
from graphc.tf1.api_nn import softmax
from graphc.tf1.api_reduce import reduce_sum
from graphc.tf1.initializers import Constant, Zeros
from graphc.tf1.layers_base import Layer
from graphc.tf1.layers_core import Dense
from graphc.tf1.rnn_cell_base import zero_states
from graphc.tf1.scopes import name_scope
from graphc.tf1.variable_scope import get_variable, variable_scope

__all__ = [
    "AttentionMechanism", "BahdanauAttention", "BaseAttentionMechanism", "LuongAttention",
    "bahdanau_score", "extent_of", "hardmax", "layer_of", "luong_score", "same_batch",
]  # fmt: skip

Probability = Callable[[Any, Any], Any]


class AttentionMechanism:
    """Scores a memory for a query (tf.contrib.seq2seq.AttentionMechanism)."""

    @property
    def alignments_size(self) -> Any:
        raise NotImplementedError

    @property
    def state_size(self) -> Any:
        raise NotImplementedError


class BaseAttentionMechanism(AttentionMechanism):
    """A mechanism over a memory (batch, time, depth) that is masked behind its rows' ends.

    Args:
        query_layer, memory_layer: layers for queries and memory; None for queries as they are.
        probability_fn: (scores, state) -> alignments. Others: see LuongAttention.

    Raises:
        TypeError: layers or functions of another kind. ValueError: a memory whose depth is not
        known.
    """

    def __init__(
        self,
        query_layer: Any,
        memory: Any,
        probability_fn: Probability,
        memory_sequence_length: Any = None,
        memory_layer: Any = None,
        check_inner_dims_defined: bool = True,
        score_mask_value: float | None = None,
        name: str | None = None,
    ) -> None:
        for which, layer in (("query_layer", query_layer), ("memory_layer", memory_layer)):
            if layer is not None and not isinstance(layer, Layer):
                raise TypeError(f"{which} is not a Layer: {type(layer).__name__}")
        if not callable(probability_fn):
            raise TypeError(
                f"probability_fn must be callable, saw type: {type(probability_fn).__name__}"
            )
        self._query_layer = query_layer
        self._memory_layer = memory_layer
        self.dtype = as_dtype(memory_layer.dtype)
        self._mask_value = -math.inf if score_mask_value is None else score_mask_value
        self._raw_probability_fn = probability_fn
        self._name = name
        with name_scope(name, "BaseAttentionMechanismInit"):
            self._lengths = None
            if memory_sequence_length is not None:
                self._lengths = convert_to_tensor(memory_sequence_length)
            self._values = _masked_memory(memory, self._lengths, check_inner_dims_defined)
            self._keys = memory_layer(self._values) if memory_layer else self._values
            self._batch_size = extent_of(self._keys, 0)
            self._alignments_size = extent_of(self._keys, 1)

    @property
    def memory_layer(self) -> Any:
        return self._memory_layer

    @property
    def query_layer(self) -> Any:
        return self._query_layer

    @property
    def values(self) -> Any:
        """The memory, zero behind its rows' ends."""
        return self._values

    @property
    def keys(self) -> Any:
        """What scores are taken of: the memory through its layer."""
        return self._keys

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def alignments_size(self) -> Any:
        return self._alignments_size

    @property
    def state_size(self) -> Any:
        return self._alignments_size

    def initial_alignments(self, batch_size: Any, dtype: Any) -> Any:
        """The alignments before the first step: zeros (batch, memory's time)."""
        return zero_states(self._alignments_size, batch_size, dtype)

    def initial_state(self, batch_size: Any, dtype: Any) -> Any:
        return self.initial_alignments(batch_size, dtype)

    def _probability_fn(self, score: Any, previous: Any) -> Any:
        """Probabilities of scores, without what is behind a row's end."""
        if self._lengths is not None:
            check = assert_positive(
                self._lengths,
                message="All values in memory_sequence_length must greater than zero.",
            )
            with get_default_graph().control_dependencies([check]):
                inside = sequence_mask(self._lengths, maxlen=shape(score)[1])
                score = where(inside, score, ones_like(score) * self._mask_value)
        return self._raw_probability_fn(score, previous)

    def _score(self, query: Any) -> Any:
        """(batch, memory's time) scores of a query."""
        raise NotImplementedError

    _SCOPE = ""

    def __call__(self, query: Any, state: Any) -> tuple[Any, Any]:
        """(alignments (batch, memory's time), next state) for a query and the last alignments."""
        with variable_scope(None, self._SCOPE, [query]):
            score = self._score(query)
        alignments = self._probability_fn(score, state)
        return alignments, alignments


def extent_of(x: Tensor, axis: int) -> Any:
    known = x.shape.as_list()[axis]
    return shape(x)[axis] if known is None else known


def _masked_memory(memory: Any, lengths: Any, check_inner: bool) -> Any:
    def of(given: Any) -> Tensor:
        m = convert_to_tensor(given, name="memory")
        if check_inner and not m.shape[2:].is_fully_defined():
            raise ValueError(
                f"Expected memory {m.name} to have fully defined inner dims, but saw shape: "
                f"{m.shape}"
            )
        if lengths is None:
            return m
        mask = sequence_mask(lengths, maxlen=shape(m)[1], dtype=m.dtype)
        checks = same_batch(
            extent_of(lengths, 0), extent_of(m, 0),
            "memory_sequence_length and memory tensor batch sizes do not match.",
        )  # fmt: skip
        with get_default_graph().control_dependencies(checks):
            ones_behind = np.ones(len(m.shape) - 2, np.int32)
            wide = reshape(mask, concat([shape(mask), ones_behind], 0))
            masked = m * wide
        masked.set_shape(m.shape)
        return masked

    return nest.map_structure(of, memory)


def same_batch(one: Any, other: Any, message: str) -> list[Any]:
    """A check at the run that two batch sizes are equal; none where they are known to be.

    Raises:
        InvalidArgumentError: they are known to differ.
    """
    a, b = convert_to_tensor(one), convert_to_tensor(other)
    known = [value_of(a), value_of(b)]
    if known[0] is not None and known[1] is not None and known[0].item() == known[1].item():
        return []
    return [assert_equal(a, b, message=message)]


def luong_score(query: Any, keys: Any, scale: bool) -> Any:
    """(batch, memory's time) products of a query and keys of the same depth."""
    depth, units = query.get_shape()[-1], keys.get_shape()[-1]
    if depth.value != units.value:
        raise ValueError(
            "Incompatible or unknown inner dimensions between query and keys.  Query "
            f"({query}) has units: {depth}.  Keys ({keys}) have units: {units}.  Perhaps you need "
            f"to set num_units to the keys' dimension ({units})?"
        )
    score = squeeze(matmul(expand_dims(query, 1), keys, transpose_b=True), [1])
    if not scale:
        return score
    return get_variable("attention_g", [], query.dtype, Constant(1.0)) * score


def bahdanau_score(query: Any, keys: Any, normalize: bool) -> Any:
    """(batch, memory's time) scores of a query that has been through its layer."""
    units, kind = keys.get_shape().as_list()[2], query.dtype
    asked = expand_dims(query, 1)
    v: Any = get_variable("attention_v", [units], kind)
    if not normalize:
        return reduce_sum(v * tanh(keys + asked), [2])
    g: Any = get_variable("attention_g", [], kind, Constant(math.sqrt(1.0 / units)))
    b = get_variable("attention_b", [units], kind, Zeros())
    normed = g * v * rsqrt(reduce_sum(square(v)))
    return reduce_sum(normed * tanh(keys + asked + b), [2])


def layer_of(num_units: int, name: str, dtype: Any) -> Dense:
    return Dense(num_units, name=name, use_bias=False, dtype=dtype or float32)


def _of_score(fn: Callable[[Any], Any] | None) -> Probability:
    given = fn or softmax
    return lambda score, _: given(score)


class LuongAttention(BaseAttentionMechanism):
    """Scores by products of query and keys (Luong et al. 2015).

    Variables "memory_layer/kernel", with scale "luong_attention/attention_g".

    Args:
        num_units: depth of keys and query. memory: (batch, time, depth).
        memory_sequence_length: (batch,); the memory is masked behind it. scale: whether a learnt
            number scales the scores. probability_fn: default softmax. score_mask_value: of scores
            behind the end; default minus infinity. dtype: of the layer; default float32.

    Raises:
        ValueError: a query of another depth, or a memory whose depth is not known.
    """

    _SCOPE = "luong_attention"

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        scale: bool = False,
        probability_fn: Callable[[Any], Any] | None = None,
        score_mask_value: float | None = None,
        dtype: Any = None,
        custom_key_value_fn: Callable[..., Any] | None = None,
        name: str = "LuongAttention",
    ) -> None:
        super().__init__(
            None, memory, _of_score(probability_fn), memory_sequence_length,
            layer_of(num_units, "memory_layer", dtype), score_mask_value=score_mask_value,
            name=name,
        )  # fmt: skip
        _customise(self, custom_key_value_fn)
        self._num_units = num_units
        self._scale = scale

    def _score(self, query: Any) -> Any:
        return luong_score(query, self._keys, self._scale)


class BahdanauAttention(BaseAttentionMechanism):
    """Scores by a layer of tanh over query and keys (Bahdanau et al. 2015).

    Variables "memory_layer/kernel", "bahdanau_attention/query_layer/kernel",
    "bahdanau_attention/attention_v"; with normalize "attention_g" and "attention_b" beside it.

    Args:
        num_units: of the layer. normalize: whether its weights are normalised (Salimans and Kingma
            2016). Others: see LuongAttention.

    Raises:
        ValueError: a memory whose depth is not known.
    """

    _SCOPE = "bahdanau_attention"

    def __init__(
        self,
        num_units: int,
        memory: Any,
        memory_sequence_length: Any = None,
        normalize: bool = False,
        probability_fn: Callable[[Any], Any] | None = None,
        score_mask_value: float | None = None,
        dtype: Any = None,
        custom_key_value_fn: Callable[..., Any] | None = None,
        name: str = "BahdanauAttention",
    ) -> None:
        super().__init__(
            layer_of(num_units, "query_layer", dtype), memory, _of_score(probability_fn),
            memory_sequence_length, layer_of(num_units, "memory_layer", dtype),
            score_mask_value=score_mask_value, name=name,
        )  # fmt: skip
        _customise(self, custom_key_value_fn)
        self._num_units = num_units
        self._normalize = normalize

    def _score(self, query: Any) -> Any:
        return bahdanau_score(self._query_layer(query), self._keys, self._normalize)


def _customise(mechanism: Any, fn: Callable[..., Any] | None) -> None:
    """Keys and values of one's own: fn of those that the mechanism has."""
    if fn is not None:
        mechanism._keys, mechanism._values = fn(mechanism._keys, mechanism._values)


def hardmax(logits: Any, name: str | None = None) -> Tensor:
    """1 at the largest of each row, else 0 (tf.contrib.seq2seq.hardmax)."""
    with name_scope(name, "Hardmax", [logits]):
        x = convert_to_tensor(logits, name="logits")
        return one_hot(argmax(x, -1), extent_of(x, -1), dtype=x.dtype)
