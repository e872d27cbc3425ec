"""GPT-2 as a graph: blocks of causal attention over what came before.

Lives here: functions from ids to tensors (Radford et al., 2019). Not here: sessions and files
(gpt2_models.py, base.py), choosing tokens (generation.py). Imports layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphc.ir.node import Tensor
from graphc.models.config import GPT2Config
from graphc.models.layers import (
    MASKED,
    Weights,
    activation,
    attention,
    embedded,
    mask_bias,
    split_heads,
    vocabulary_logits,
)
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_array import concat, expand_dims, shape, split
from graphc.tf1.api_math import cast

Past = Sequence[tuple[Tensor, Tensor]]


class Decoded(NamedTuple):
    """hidden: the embeddings, each block's result, at last the normalised one."""

    hidden: tuple[Tensor, ...]
    present: tuple[tuple[Tensor, Tensor], ...]
    weights: tuple[Tensor, ...]


def decoded(
    config: GPT2Config,
    w: Weights,
    ids: Tensor,
    mask: Tensor,
    positions: Tensor,
    past: Past | None = None,
) -> Decoded:
    """The blocks over ids [batch, length].

    Args:
        mask: [batch, keys], keys being past and new ones. past: keys and values of each block,
            [batch, heads, past length, size].
    """
    model = w.below("model")
    x = embedded(model["wte"], ids) + embedded(model["wpe"], positions)
    x = model.dropout(x, config.embd_pdrop)
    bias = mask_bias(mask) + _causal(shape(ids)[1], shape(mask)[1])
    hidden, present, weights = [x], [], []
    for k in range(config.n_layer):
        before = None if past is None else past[k]
        x, now, seen = _block(config, model.below(f"h{k}"), x, bias, k, before)
        hidden.append(x)
        present.append(now)
        weights.append(seen)
    hidden[-1] = model.norm(x, "ln_f", config.layer_norm_epsilon, "g", "b")
    return Decoded(tuple(hidden), tuple(present), tuple(weights))


def _causal(length: Tensor, keys: Tensor) -> Tensor:
    """[length, keys]: 0 where a position may look, -1e30 at what comes after it."""
    zero, one = convert_to_tensor(0), convert_to_tensor(1)
    rows = expand_dims(F.range(zero, length, one) + (keys - length), 1)
    columns = expand_dims(F.range(zero, keys, one), 0)
    return cast(F.greater(columns, rows), "float32") * MASKED


def _block(
    config: GPT2Config,
    w: Weights,
    x: Tensor,
    bias: Tensor,
    number: int,
    past: tuple[Tensor, Tensor] | None,
) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    epsilon, rate = config.layer_norm_epsilon, config.resid_pdrop
    inner = w.norm(x, "ln_1", epsilon, "g", "b")
    joined = w.dense(inner, "attn/c_attn", "w", "b")
    query, key, value = (split_heads(t, config.n_head) for t in split(joined, 3, axis=2))
    if past is not None:
        key, value = concat([past[0], key], 2), concat([past[1], value], 2)
    scale = (config.n_embd // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
    if config.scale_attn_by_inverse_layer_idx:
        scale /= number + 1
    mixed, weights = attention(query, key, value, bias, scale, w, config.attn_pdrop)
    x = x + w.dropout(w.dense(mixed, "attn/c_proj", "w", "b"), rate)
    inner = w.dense(w.norm(x, "ln_2", epsilon, "g", "b"), "mlp/c_fc", "w", "b")
    out = w.dense(activation(inner, config.activation_function), "mlp/c_proj", "w", "b")
    return x + w.dropout(out, rate), (key, value), weights


def next_logits(config: GPT2Config, w: Weights, hidden: Tensor) -> Tensor:
    """[batch, length, vocabulary]: the language model's head."""
    return vocabulary_logits(hidden, w["model/wte" if config.tie_word_embeddings else "lm_head/w"])
