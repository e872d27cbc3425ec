"""Unrolled models of tf.contrib.legacy_seq2seq: an encoder and a decoder.

Lives here: basic, tied, embedding, attending and one-to-many models. Not here: decoders
(_seq2seq_decoders.py), losses (legacy_seq2seq.py, which publishes these names).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.contrib._rnn_wrappers import EmbeddingWrapper, OutputProjectionWrapper
from graphc.contrib._seq2seq_decoders import (
    LoopFunction,
    embedding_attention_decoder,
    embedding_rnn_decoder,
    feed_back,
    rnn_decoder,
)
from graphc.ir.dtypes import float32
from graphc.tf1 import nest
from graphc.tf1.api_array import concat, reshape
from graphc.tf1.api_index import embedding_lookup
from graphc.tf1.control_flow import cond
from graphc.tf1.rnn_static import static_rnn
from graphc.tf1.variable_scope import get_variable, get_variable_scope, variable_scope

__all__ = [
    "basic_rnn_seq2seq", "embedding_attention_seq2seq", "embedding_rnn_seq2seq",
    "embedding_tied_rnn_seq2seq", "one2many_rnn_seq2seq", "tied_rnn_seq2seq",
]  # fmt: skip

Steps = Sequence[Any]
# (whether to feed previous outputs, whether they reach the embedding) -> (outputs, state)
Decoder = Callable[[bool, bool], tuple[list[Any], Any]]


def basic_rnn_seq2seq(
    encoder_inputs: Steps,
    decoder_inputs: Steps,
    cell: Any,
    dtype: Any = float32,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """An encoder's last state starts a decoder with weights of its own.

    Args:
        encoder_inputs, decoder_inputs: (batch, depth) tensors, one a step. cell: of both; copied.
        dtype: of the encoder's first state. scope: default "basic_rnn_seq2seq".

    Returns:
        (the decoder's outputs, its last state).
    """
    with variable_scope(scope or "basic_rnn_seq2seq"):
        _, state = static_rnn(copy.deepcopy(cell), encoder_inputs, dtype=dtype)
        return rnn_decoder(decoder_inputs, state, cell)


def tied_rnn_seq2seq(
    encoder_inputs: Steps,
    decoder_inputs: Steps,
    cell: Any,
    loop_function: LoopFunction | None = None,
    dtype: Any = float32,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """An encoder and a decoder that share their weights.

    Args:
        scope: default "tied_rnn_seq2seq", below "combined_tied_rnn_seq2seq". Others: see
            basic_rnn_seq2seq and rnn_decoder.
    """
    with variable_scope("combined_tied_rnn_seq2seq"):
        below = scope or "tied_rnn_seq2seq"
        _, state = static_rnn(cell, encoder_inputs, dtype=dtype, scope=below)
        get_variable_scope().reuse_variables()
        return rnn_decoder(decoder_inputs, state, cell, loop_function, scope=below)


def _decoded(decode: Decoder, feed_previous: Any) -> tuple[list[Any], Any]:
    """The decoder's outputs and state; a run decides where feed_previous is a tensor."""
    if isinstance(feed_previous, bool):
        return decode(feed_previous, True)
    forms: list[Any] = []

    def branch(previous: bool) -> list[Any]:
        with variable_scope(get_variable_scope(), reuse=None if previous else True):
            outputs, state = decode(previous, False)
        forms.append((len(outputs), state))
        return [*outputs, *nest.flatten(state)]

    found = cond(feed_previous, lambda: branch(True), lambda: branch(False), strict=True)
    count, state = forms[0]
    return list(found[:count]), nest.pack_sequence_as(state, list(found[count:]))


def embedding_rnn_seq2seq(
    encoder_inputs: Steps,
    decoder_inputs: Steps,
    cell: Any,
    num_encoder_symbols: int,
    num_decoder_symbols: int,
    embedding_size: int,
    output_projection: Any = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """basic_rnn_seq2seq over ids, each side with an embedding of its own.

    Args:
        encoder_inputs, decoder_inputs: (batch,) int32 tensors, one a step.
        num_encoder_symbols, num_decoder_symbols, embedding_size: of the tables.
        output_projection: (weights, biases) of logits; default: outputs are logits already.
        feed_previous: a bool, or a scalar bool tensor: see embedding_rnn_decoder.
        scope: default "embedding_rnn_seq2seq".

    Returns:
        (outputs: logits, or with output_projection the cell's; the last state).
    """
    with variable_scope(scope or "embedding_rnn_seq2seq") as opened:
        if dtype is not None:
            opened.set_dtype(dtype)
        wrapped = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        _, state = static_rnn(wrapped, encoder_inputs, dtype=opened.dtype)
        decoder_cell = cell
        if output_projection is None:
            decoder_cell = OutputProjectionWrapper(cell, num_decoder_symbols)

        def decode(previous: bool, update: bool) -> tuple[list[Any], Any]:
            return embedding_rnn_decoder(
                decoder_inputs, state, decoder_cell, num_decoder_symbols, embedding_size,
                output_projection, previous, update,
            )  # fmt: skip

        return _decoded(decode, feed_previous)


def embedding_tied_rnn_seq2seq(
    encoder_inputs: Steps,
    decoder_inputs: Steps,
    cell: Any,
    num_symbols: int,
    embedding_size: int,
    num_decoder_symbols: int | None = None,
    output_projection: Any = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> tuple[list[Any], Any]:
    """tied_rnn_seq2seq over ids, with one embedding.

    Args:
        num_decoder_symbols: number of classes; default num_symbols.
        scope: default "embedding_tied_rnn_seq2seq". Others: see embedding_rnn_seq2seq.
    """
    with variable_scope(scope or "embedding_tied_rnn_seq2seq", dtype=dtype) as opened:
        kind = opened.dtype
        embedding = get_variable("embedding", [num_symbols, embedding_size], dtype=kind)
        encoder, decoder = (
            [embedding_lookup(embedding, ids) for ids in given]
            for given in (encoder_inputs, decoder_inputs)
        )
        wrapped = cell
        if output_projection is None:
            wrapped = OutputProjectionWrapper(cell, num_decoder_symbols or num_symbols)

        def decode(previous: bool, update: bool) -> tuple[list[Any], Any]:
            loop = feed_back(embedding, output_projection, update) if previous else None
            return tied_rnn_seq2seq(encoder, decoder, wrapped, loop, kind)

        return _decoded(decode, feed_previous)


def embedding_attention_seq2seq(
    encoder_inputs: Steps,
    decoder_inputs: Steps,
    cell: Any,
    num_encoder_symbols: int,
    num_decoder_symbols: int,
    embedding_size: int,
    num_heads: int = 1,
    output_projection: Any = None,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
    initial_state_attention: bool = False,
) -> tuple[list[Any], Any]:
    """embedding_rnn_seq2seq whose decoder attends to the encoder's outputs.

    Args:
        scope: default "embedding_attention_seq2seq". Others: see embedding_rnn_seq2seq and
            attention_decoder.
    """
    with variable_scope(scope or "embedding_attention_seq2seq", dtype=dtype) as opened:
        wrapped = EmbeddingWrapper(copy.deepcopy(cell), num_encoder_symbols, embedding_size)
        outputs, state = static_rnn(wrapped, encoder_inputs, dtype=opened.dtype)
        states = concat([reshape(o, [-1, 1, cell.output_size]) for o in outputs], 1)
        size, decoder_cell = None, cell
        if output_projection is None:
            decoder_cell = OutputProjectionWrapper(cell, num_decoder_symbols)
            size = num_decoder_symbols

        def decode(previous: bool, update: bool) -> tuple[list[Any], Any]:
            return embedding_attention_decoder(
                decoder_inputs, state, states, decoder_cell, num_decoder_symbols,
                embedding_size, num_heads=num_heads, output_size=size,
                output_projection=output_projection, feed_previous=previous,
                update_embedding_for_previous=update,
                initial_state_attention=initial_state_attention,
            )  # fmt: skip

        return _decoded(decode, feed_previous)


def one2many_rnn_seq2seq(
    encoder_inputs: Steps,
    decoder_inputs_dict: Mapping[str, Steps],
    enc_cell: Any,
    dec_cells_dict: Mapping[str, Any],
    num_encoder_symbols: int,
    num_decoder_symbols_dict: Mapping[str, int],
    embedding_size: int,
    feed_previous: Any = False,
    dtype: Any = None,
    scope: Any = None,
) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """One encoder and several decoders, by name.

    Args:
        decoder_inputs_dict, dec_cells_dict, num_decoder_symbols_dict: of each decoder.
        scope: default "one2many_rnn_seq2seq", with "one2many_decoder_<name>" below. Others: see
            embedding_rnn_seq2seq.

    Returns:
        (outputs by name, last states by name).
    """
    outputs: dict[str, list[Any]] = {}
    states: dict[str, Any] = {}
    with variable_scope(scope or "one2many_rnn_seq2seq", dtype=dtype) as opened:
        wrapped = EmbeddingWrapper(enc_cell, num_encoder_symbols, embedding_size)
        _, start = static_rnn(wrapped, encoder_inputs, dtype=opened.dtype)
        for name, given in decoder_inputs_dict.items():
            symbols = num_decoder_symbols_dict[name]
            with variable_scope(f"one2many_decoder_{name}"):
                cell = OutputProjectionWrapper(dec_cells_dict[name], symbols)

                def decode(
                    previous: bool, update: bool, given: Any = given, cell: Any = cell,
                    symbols: int = symbols,
                ) -> tuple[list[Any], Any]:  # fmt: skip
                    return embedding_rnn_decoder(
                        given, start, cell, symbols, embedding_size, None, previous, update
                    )

                outputs[name], states[name] = _decoded(decode, feed_previous)
    return outputs, states
