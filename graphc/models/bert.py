"""BERT as a graph: embeddings, encoder, pooler and the two heads.

Lives here: functions from ids to tensors (Devlin et al., 2018). Not here: sessions and files
(bert_models.py, base.py). Imports layers.
"""

from __future__ import annotations

from typing import NamedTuple

from graphc.ir.node import Tensor
from graphc.models.config import BertConfig
from graphc.models.layers import (
    Weights,
    activation,
    attention,
    embedded,
    mask_bias,
    split_heads,
    vocabulary_logits,
)
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_math import tanh


class Encoded(NamedTuple):
    """hidden: the embeddings, then each layer's result; weights: each layer's attention."""

    hidden: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]


def encoded(
    config: BertConfig, w: Weights, ids: Tensor, mask: Tensor, types: Tensor, positions: Tensor
) -> Encoded:
    """The encoder over ids [batch, length]; mask, types and positions have their shape."""
    bert = w.below("bert")
    part = bert.below("embeddings")
    x = (
        embedded(part["word_embeddings"], ids)
        + embedded(part["token_type_embeddings"], types)
        + embedded(part["position_embeddings"], positions)
    )
    x = part.norm(x, "LayerNorm", config.layer_norm_eps)
    x = bert.dropout(x, config.hidden_dropout_prob)
    bias = mask_bias(mask)
    hidden, weights = [x], []
    for k in range(config.num_hidden_layers):
        x, seen = _layer(config, bert.below(f"encoder/layer_{k}"), x, bias)
        hidden.append(x)
        weights.append(seen)
    return Encoded(tuple(hidden), tuple(weights))


def _layer(config: BertConfig, w: Weights, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    heads, rate, epsilon = (
        config.num_attention_heads, config.hidden_dropout_prob, config.layer_norm_eps
    )  # fmt: skip
    query, key, value = (
        split_heads(w.dense(x, f"attention/self/{name}"), heads)
        for name in ("query", "key", "value")
    )
    scale = (config.hidden_size // heads) ** -0.5
    mixed, weights = attention(
        query, key, value, bias, scale, w, config.attention_probs_dropout_prob
    )
    out = w.dropout(w.dense(mixed, "attention/output/dense"), rate)
    x = w.norm(x + out, "attention/output/LayerNorm", epsilon)
    inner = activation(w.dense(x, "intermediate/dense"), config.hidden_act)
    out = w.dropout(w.dense(inner, "output/dense"), rate)
    return w.norm(x + out, "output/LayerNorm", epsilon), weights


def pooled(w: Weights, hidden: Tensor) -> Tensor:
    """[batch, units] of the first token."""
    return tanh(w.dense(hidden[:, 0], "bert/pooler/dense"))


def word_logits(config: BertConfig, w: Weights, hidden: Tensor) -> Tensor:
    """[batch, length, vocabulary]: the masked language model's head."""
    head = w.below("cls/predictions")
    x = activation(head.dense(hidden, "transform/dense"), config.hidden_act)
    x = head.norm(x, "transform/LayerNorm", config.layer_norm_eps)
    if config.tie_word_embeddings:
        table = w["bert/embeddings/word_embeddings"]
    else:
        table = head["output_weights"]
    return vocabulary_logits(x, table) + head["output_bias"]


def class_logits(config: BertConfig, w: Weights, pooled: Tensor) -> Tensor:
    """[batch, labels]: the classifier's head."""
    rate = config.classifier_dropout
    x = w.dropout(pooled, config.hidden_dropout_prob if rate is None else rate)
    return matmul(x, w["output_weights"], transpose_b=True) + w["output_bias"]
