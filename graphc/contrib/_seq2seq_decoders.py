"""Unrolled decoders of tf.contrib.legacy_seq2seq: plain, embedding and attending ones.

Lives here: rnn_decoder, embedding_rnn_decoder, attention_decoder, embedding_attention_decoder.
Not here: whole models and losses (legacy_seq2seq.py, which publishes these names).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.contrib._rnn_base import linear
from graphc.ir.dtypes import float32
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, reshape, shape, stack
from graphc.tf1.api_conv import conv2d
from graphc.tf1.api_create import zeros
from graphc.tf1.api_index import embedding_lookup
from graphc.tf1.api_math import argmax, cast, tanh
from graphc.tf1.api_nn import softmax, xw_plus_b
from graphc.tf1.api_reduce import reduce_sum
from graphc.tf1.framework import stop_gradient
from graphc.tf1.variable_scope import get_variable, get_variable_scope, variable_scope

__all__ = [
    "attention_decoder", "embedding_attention_decoder", "embedding_rnn_decoder",
    "feed_back", "rnn_decoder",
]  # fmt: skip

LoopFunction = Callable[[Any, int], Any]


def feed_back(
    embedding: Any, output_projection: Any = None, update_embedding: bool = True
) -> LoopFunction:
    """(previous output, step) -> the embedding of the most likely class.

    Args:
        output_projection: (weights, biases) that make logits of outputs. update_embedding:
            whether gradients reach the embedding.
    """

    def loop_function(prev: Any, _: int) -> Any:
        if output_projection is not None:
            prev = xw_plus_b(prev, output_projection[0], output_projection[1])
        found = embedding_lookup(embedding, argmax(prev, 1))
        return found if update_embedding else stop_gradient(found)

    return loop_function


def rnn_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    cell: Any,
    loop_function: LoopFunction | None = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """A cell over a list of inputs (tf.contrib.legacy_seq2seq.rnn_decoder).

    Args:
        decoder_inputs: (batch, depth) tensors. initial_state: of the cell.
        loop_function: (previous output, step) -> input, in place of all inputs but the first.
        scope: default "rnn_decoder".

    Returns:
        (outputs, one a step; the last state).
    """
    state, outputs = initial_state, []
    prev = None
    with variable_scope(scope or "rnn_decoder"):
        for step, given in enumerate(decoder_inputs):
            x = given
            if loop_function is not None and prev is not None:
                with variable_scope("loop_function", reuse=True):
                    x = loop_function(prev, step)
            if step > 0:
                get_variable_scope().reuse_variables()
            output, state = cell(x, state)
            outputs.append(output)
            prev = output
    return outputs, state


def _check_projection(output_projection: Any, rows: int | None, columns: int, dtype: Any) -> None:
    """Raises ValueError where the projection does not fit."""
    if output_projection is None:
        return
    weights = convert_to_tensor(output_projection[0], dtype)
    weights.get_shape().assert_is_compatible_with(TensorShape([rows, columns]))
    biases = convert_to_tensor(output_projection[1], dtype)
    biases.get_shape().assert_is_compatible_with(TensorShape([columns]))


def embedding_rnn_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    output_projection: Any = None,
    feed_previous: bool = False,
    update_embedding_for_previous: bool = True,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """rnn_decoder over ids, by the variable "embedding".

    Args:
        decoder_inputs: (batch,) int32 tensors. num_symbols, embedding_size: of the table.
        output_projection: (weights, biases) that make logits of outputs. feed_previous: whether
            each input is the most likely class of the step before.
        update_embedding_for_previous: whether gradients reach the embedding by those.
        scope: default "embedding_rnn_decoder". Others: see rnn_decoder.

    Raises:
        ValueError: a projection that does not fit.
    """
    with variable_scope(scope or "embedding_rnn_decoder") as opened:
        _check_projection(output_projection, None, num_symbols, opened.dtype)
        embedding = get_variable("embedding", [num_symbols, embedding_size])
        loop = (
            feed_back(embedding, output_projection, update_embedding_for_previous)
            if feed_previous
            else None
        )
        embedded = [embedding_lookup(embedding, ids) for ids in decoder_inputs]
        return rnn_decoder(embedded, initial_state, cell, loop_function=loop)


# ------------------------------------------------------------------ attention
class _Heads:
    """Attention to states (batch, length, size) by some heads."""

    def __init__(self, states: Any, count: int, dtype: Any) -> None:
        self.dtype = dtype
        length, self.size = states.get_shape().as_list()[1:]
        self.length = shape(states)[1] if length is None else length
        self.hidden = reshape(states, stack([-1, self.length, 1, self.size]))
        self.hidden.set_shape([None, length, 1, self.size])
        self.features, self.v = [], []
        for head in range(count):
            kernel = get_variable(f"AttnW_{head}", [1, 1, self.size, self.size], dtype=dtype)
            self.features.append(conv2d(self.hidden, kernel, [1, 1, 1, 1], "SAME"))
            self.v.append(get_variable(f"AttnV_{head}", [self.size], dtype=dtype))

    def zero(self, batch_size: Any) -> list[Any]:
        made = [zeros(stack([batch_size, self.size]), self.dtype) for _ in self.v]
        for one in made:
            one.set_shape([None, self.size])
        return made

    def __call__(self, query: Any) -> list[Any]:
        """(batch, size) for each head."""
        parts = nest.flatten(query)
        for part in parts:
            if part.get_shape().ndims:
                part.get_shape().assert_has_rank(2)
        joined = concat(parts, 1)
        out = []
        for head, (features, v) in enumerate(zip(self.features, self.v, strict=True)):
            with variable_scope(f"Attention_{head}"):
                asked = reshape(linear(joined, self.size, True), [-1, 1, 1, self.size])
                scores = reduce_sum(v * tanh(features + cast(asked, self.dtype)), [2, 3])
                weights = cast(softmax(cast(scores, float32)), self.dtype)
                wide = reshape(weights, stack([-1, self.length, 1, 1]))
                out.append(reshape(reduce_sum(wide * self.hidden, [1, 2]), [-1, self.size]))
        return out


def attention_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    attention_states: Any,
    cell: Any,
    output_size: int | None = None,
    num_heads: int = 1,
    loop_function: LoopFunction | None = None,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> tuple[list[Any], Any]:
    """rnn_decoder that attends to states (Vinyals et al. 2014).

    Args:
        attention_states: (batch, length, size). output_size: default the cell's. num_heads: of
            attention. initial_state_attention: whether the first step sees the attention of
            initial_state; else zeros. dtype: of the attention; default the scope's.
        scope: default "attention_decoder". Others: see rnn_decoder.

    Raises:
        ValueError: no inputs, no heads, or sizes that are not known.
    """
    if not decoder_inputs:
        raise ValueError("Must provide at least 1 input to attention decoder.")
    if num_heads < 1:
        raise ValueError("With less than 1 heads, use a non-attention decoder.")
    if attention_states.get_shape().as_list()[2] is None:
        raise ValueError(
            f"Shape[2] of attention_states must be known: {attention_states.get_shape()}"
        )
    size = output_size or cell.output_size
    state, outputs = initial_state, []
    prev = None
    with variable_scope(scope or "attention_decoder", dtype=dtype) as opened:
        kind = opened.dtype
        attend = _Heads(attention_states, num_heads, kind)
        attended = attend.zero(shape(decoder_inputs[0])[0])
        if initial_state_attention:
            attended = attend(initial_state)
        for step, given in enumerate(decoder_inputs):
            x = given
            if step > 0:
                get_variable_scope().reuse_variables()
            if loop_function is not None and prev is not None:
                with variable_scope("loop_function", reuse=True):
                    x = loop_function(prev, step)
            depth = x.get_shape().with_rank(2).as_list()[1]
            if depth is None:
                raise ValueError(f"Could not infer input size from input: {x.name}")
            mixed = linear([cast(e, kind) for e in [x, *attended]], depth, True)
            output, state = cell(mixed, state)
            # the first attention has made the variables already
            known = True if step == 0 and initial_state_attention else None
            with variable_scope(get_variable_scope(), reuse=known):
                attended = attend(state)
            with variable_scope("AttnOutputProjection"):
                output = linear([cast(output, kind), *attended], size, True)
            outputs.append(output)
            prev = output
    return outputs, state


def embedding_attention_decoder(
    decoder_inputs: Sequence[Any],
    initial_state: Any,
    attention_states: Any,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    num_heads: int = 1,
    output_size: int | None = None,
    output_projection: Any = None,
    feed_previous: bool = False,
    update_embedding_for_previous: bool = True,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> tuple[list[Any], Any]:
    """attention_decoder over ids, by the variable "embedding".

    Args:
        scope: default "embedding_attention_decoder". Others: see attention_decoder and
            embedding_rnn_decoder.

    Raises:
        ValueError: a projection that does not fit. See also attention_decoder.
    """
    size = output_size or cell.output_size
    with variable_scope(scope or "embedding_attention_decoder", dtype=dtype) as opened:
        _check_projection(output_projection, size, num_symbols, opened.dtype)
        embedding = get_variable("embedding", [num_symbols, embedding_size])
        loop = (
            feed_back(embedding, output_projection, update_embedding_for_previous)
            if feed_previous
            else None
        )
        embedded = [embedding_lookup(embedding, ids) for ids in decoder_inputs]
        return attention_decoder(
            embedded, initial_state, attention_states, cell, output_size=size,
            num_heads=num_heads, loop_function=loop,
            initial_state_attention=initial_state_attention,
        )  # fmt: skip
