"""The pieces that both models are made of: dense layers, norms, attention, dropout, losses.

Lives here: functions from tensors to tensors. Not here: models, variables' names (parameters.py).
Imports the ops and functions of tf1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_array import broadcast_to, expand_dims, gather, reshape, shape, where_v2
from graphc.tf1.api_linalg import matmul
from graphc.tf1.api_losses import (
    sigmoid_cross_entropy_with_logits,
    sparse_softmax_cross_entropy_with_logits,
)
from graphc.tf1.api_math import cast, reduce_mean, reduce_sum, tanh
from graphc.tf1.api_nn import dropout as random_dropout
from graphc.tf1.api_nn import gelu, silu, softmax
from graphc.tf1.api_normalize import layer_norm

__all__ = ["Weights", "activation", "attention", "classification_loss", "token_loss"]

IGNORED = -100  # the label of positions that count for no loss
MASKED = -1e30  # added to the scores of positions that nobody looks at


@dataclass(frozen=True)
class Weights:
    """The variables below one name, and how the graph is built.

    Args:
        table: variables by their full names. training: a bool or a scalar bool tensor.
    """

    table: Mapping[str, Any]
    training: Any
    prefix: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.table[self.prefix + name]

    def below(self, name: str) -> Weights:
        return Weights(self.table, self.training, f"{self.prefix}{name}/")

    def dense(self, x: Tensor, name: str, kernel: str = "kernel", bias: str = "bias") -> Tensor:
        """x @ kernel + bias over the last axis of [rows, units] or [batch, length, units]."""
        w = self[f"{name}/{kernel}"]
        inner, outer = (int(n) for n in w.shape.as_list())
        rows = x if x.rank == 2 else reshape(x, [-1, inner])
        out = matmul(rows, w) + self[f"{name}/{bias}"]
        if x.rank == 2:
            return out
        sizes = shape(x)
        return reshape(out, [sizes[0], sizes[1], outer])

    def norm(
        self, x: Tensor, name: str, epsilon: float, scale: str = "gamma", offset: str = "beta"
    ) -> Tensor:
        return layer_norm(x, self[f"{name}/{scale}"], self[f"{name}/{offset}"], epsilon=epsilon)

    def dropout(self, x: Tensor, rate: float) -> Tensor:
        """Dropout where the graph trains; nothing otherwise."""
        if not rate or self.training is False:
            return x
        if self.training is True:
            return random_dropout(x, rate=rate)
        # one graph for both: the share that goes is 0 outside training
        return random_dropout(x, rate=rate * cast(self.training, x.dtype))


def activation(x: Tensor, name: str) -> Tensor:
    """The activation that a configuration names; gelu by erf, gelu_new by tanh."""
    if name == "gelu":
        return gelu(x)
    if name in ("gelu_new", "gelu_pytorch_tanh"):
        return gelu(x, approximate=True)
    if name == "relu":
        return F.relu(x)
    if name in ("silu", "swish"):
        return silu(x)
    return tanh(x) if name == "tanh" else x


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[batch, length, units] as [batch, heads, length, units / heads]."""
    sizes = shape(x)
    units = int(x.shape[-1])
    parts = reshape(x, [sizes[0], sizes[1], heads, units // heads])
    return F.transpose(parts, perm=(0, 2, 1, 3))


def merge_heads(x: Tensor) -> Tensor:
    sizes = shape(x)
    units = int(x.shape[1]) * int(x.shape[3])
    return reshape(F.transpose(x, perm=(0, 2, 1, 3)), [sizes[0], sizes[2], units])


def attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float, w: Weights, rate: float
) -> tuple[Tensor, Tensor]:
    """(mixed values [batch, length, units], weights [batch, heads, length, keys]).

    Args:
        query, key, value: [batch, heads, length, size]. bias: added to the scores.
    """
    scores = matmul(query, key, transpose_b=True) * scale + bias
    weights = softmax(scores)
    return merge_heads(matmul(w.dropout(weights, rate), value)), weights


def mask_bias(mask: Tensor) -> Tensor:
    """[batch, keys] of 1 (seen) and 0 as what is added to scores, [batch, 1, 1, keys]."""
    wide = cast(mask, "float32")
    return expand_dims(expand_dims((1.0 - wide) * MASKED, 1), 1)


def vocabulary_logits(x: Tensor, table: Any) -> Tensor:
    """The product of [batch, length, units] with each row of a table [vocabulary, units]."""
    rows, units = (int(n) for n in table.shape.as_list())
    sizes = shape(x)
    out = matmul(reshape(x, [-1, units]), table, transpose_b=True)
    return reshape(out, [sizes[0], sizes[1], rows])


def embedded(table: Any, ids: Tensor) -> Tensor:
    return gather(table, ids)


# ------------------------------------------------------------------ losses
def token_loss(labels: Any, logits: Tensor) -> Tensor:
    """The mean cross-entropy [] over positions whose label is not -100; NaN where there is none."""
    wanted = convert_to_tensor(labels)
    counts = F.not_equal(wanted, convert_to_tensor(IGNORED, wanted.dtype))
    safe = where_v2(counts, wanted, convert_to_tensor(0, wanted.dtype))
    losses = sparse_softmax_cross_entropy_with_logits(labels=safe, logits=logits)
    share = cast(counts, logits.dtype)
    return reduce_sum(losses * share) / reduce_sum(share)


def problem_of(given: str | None, num_labels: int, labels_are_integers: bool) -> str:
    """What a classifier's labels mean, where the configuration does not say."""
    if given:
        return given
    if num_labels == 1:
        return "regression"
    return "single_label" if labels_are_integers else "multi_label"


def classification_loss(labels: Any, logits: Tensor, problem: str) -> Tensor:
    """The mean loss [] of a classifier: squared errors, softmax's or sigmoids' cross-entropy.

    Raises:
        ValueError: a problem that there is not.
    """
    wanted = convert_to_tensor(labels)
    if problem == "regression":
        out = F.squeeze(logits, axes=(-1,)) if wanted.rank == 1 else logits
        return reduce_mean(F.square(out - cast(wanted, logits.dtype)))
    if problem.startswith("single_label"):
        return reduce_mean(sparse_softmax_cross_entropy_with_logits(labels=wanted, logits=logits))
    if problem.startswith("multi_label"):
        losses = sigmoid_cross_entropy_with_logits(
            labels=cast(wanted, logits.dtype), logits=logits
        )
        return reduce_mean(losses)
    raise ValueError(f"problem_type {problem!r} is no regression, single_label or multi_label")


def positions_like(ids: Tensor, start: Any = 0) -> Tensor:
    """start, start + 1, ... for each row of ids [batch, length]."""
    sizes = shape(ids)
    row = F.range(convert_to_tensor(0), sizes[1], convert_to_tensor(1)) + start
    return broadcast_to(expand_dims(row, 0), sizes)
