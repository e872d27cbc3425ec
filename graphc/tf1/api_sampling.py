"""Candidate samplers and the losses over sampled classes.

Lives here: tf.nn.*_candidate_sampler, compute_accidental_hits, nce_loss, sampled_softmax_loss.
Not here: how candidates are drawn (ops/candidates.py). Imports ops, and runtime.state for what a
learned sampler keeps.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import int64
from graphc.ir.node import Tensor
from graphc.ops.candidates import Unigrams, check_range, drawn
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.runtime.state import running
from graphc.tf1.api_index import embedding_lookup
from graphc.tf1.api_random import get_seed

__all__ = [
    "all_candidate_sampler", "compute_accidental_hits", "fixed_unigram_candidate_sampler",
    "learned_unigram_candidate_sampler", "log_uniform_candidate_sampler", "nce_loss",
    "sampled_softmax_loss", "uniform_candidate_sampler",
]  # fmt: skip

_LINE = np.array([-1], np.int32)
Candidates = namedtuple(
    "Candidates", ["sampled_candidates", "true_expected_count", "sampled_expected_count"]
)
_RETURNS = """

    Args:
        true_classes: int64 [batch, num_true]. unique: draw until all differ.

    Returns:
        (classes int64 [num_sampled], expected count of each true class, of each drawn class): n p
        of draws with replacement, 1 - (1 - p)^tries of unique ones.

    Raises:
        InvalidArgumentError when run: unique classes are asked for, and there are too few.
    """


def _sampler(record: str, true_classes: Any, seed: Any, name: str | None, **attrs: Any) -> Any:
    true = convert_to_tensor(true_classes)
    true = true if true.dtype is int64 else F.cast(true, dtype=int64)
    first, second = get_seed(None if seed is None else int(seed))
    state = F.rng_state(seed=first or 0, seed2=second or 0)
    return Candidates(*getattr(F, record)(true, state, name=name, **attrs))


def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> Any:
    return _sampler(
        "log_uniform_candidates", true_classes, seed, name, num_true=int(num_true),
        num_sampled=int(num_sampled), unique=bool(unique), range_max=int(range_max),
    )  # fmt: skip


def uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> Any:
    return _sampler(
        "uniform_candidates", true_classes, seed, name, num_true=int(num_true),
        num_sampled=int(num_sampled), unique=bool(unique), range_max=int(range_max),
    )  # fmt: skip


class _Learned:
    """Counts of the true classes that a session has seen, from one on."""

    def __init__(self, range_max: int) -> None:
        self.range_max = range_max

    def sample(self, true_classes: Any, state: Any, count: int, unique: bool) -> Any:
        check_range(count, unique, self.range_max)
        kept = running().store.resources
        weights = kept.get(self)
        if weights is None:
            weights = kept[self] = np.ones(self.range_max)
        unigrams = Unigrams(weights)
        out = drawn(true_classes, state, unigrams.draw, unigrams.probability, count, unique)
        seen = true_classes.reshape(-1)
        np.add.at(weights, seen[(seen >= 0) & (seen < self.range_max)], 1.0)
        return out


def learned_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> Any:
    return _sampler(
        "learned_unigram_candidates", true_classes, seed, name, num_true=int(num_true),
        num_sampled=int(num_sampled), unique=bool(unique), resource=_Learned(int(range_max)),
    )  # fmt: skip


def fixed_unigram_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    vocab_file: str = "",
    distortion: float = 1.0,
    num_reserved_ids: int = 0,
    num_shards: int = 1,
    shard: int = 0,
    unigrams: Sequence[float] = (),
    seed: int | None = None,
    name: str | None = None,
) -> Any:
    weights = _weights(vocab_file, unigrams, distortion, num_reserved_ids)
    mine = weights[np.arange(len(weights)) % num_shards == shard]
    if len(mine) != range_max:
        raise InvalidArgumentError(
            f"range_max is {range_max}, but the unigrams give {len(mine)} classes"
        )
    return _sampler(
        "fixed_unigram_candidates", true_classes, seed, name, num_true=int(num_true),
        num_sampled=int(num_sampled), unique=bool(unique), unigrams=Unigrams(mine),
    )  # fmt: skip


def _weights(vocab_file: str, unigrams: Any, distortion: float, reserved: int) -> Any:
    if bool(vocab_file) == bool(len(unigrams)):
        raise InvalidArgumentError("Must provide exactly one of 'vocab_file' and 'unigrams'")
    if vocab_file:
        lines = Path(vocab_file).read_text(encoding="utf-8").splitlines()
        unigrams = [float(line.rpartition(",")[2]) for line in lines if line.strip()]
    given = np.asarray(unigrams, np.float64) ** distortion
    return np.concatenate([np.zeros(reserved), given])


def all_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    seed: int | None = None,
    name: str | None = None,
) -> Any:
    true = convert_to_tensor(true_classes, int64)
    return Candidates(
        *F.all_candidates(
            true, num_true=int(num_true), num_sampled=int(num_sampled), unique=bool(unique),
            name=name,
        )
    )  # fmt: skip


for _fn, _what in (
    (log_uniform_candidate_sampler, "Classes with P(k) = log((k+2)/(k+1)) / log(range_max+1)."),
    (uniform_candidate_sampler, "Classes below range_max, each as likely as any other."),
    (learned_unigram_candidate_sampler, "Classes by how often the session saw them as true ones."),
    (fixed_unigram_candidate_sampler, "Classes by weights, given or in a file's last column."),
    (all_candidate_sampler, "All classes from 0 to num_sampled, each expected once."),
):  # fmt: skip
    _fn.__doc__ = _what + _RETURNS


def compute_accidental_hits(
    true_classes: Any,
    sampled_candidates: Any,
    num_true: int,
    seed: int | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Where drawn classes are true ones: (rows int32, places in the draw int64, weights).

    The weights are the least float32: added to the logits, they take these out.
    """
    return F.accidental_hits(
        convert_to_tensor(true_classes, int64), convert_to_tensor(sampled_candidates, int64),
        num_true=int(num_true), name=name,
    )  # fmt: skip


# ------------------------------------------------------------------ losses
def sampled_logits(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int,
    sampled_values: Any,
    remove_accidental_hits: bool,
    partition_strategy: str,
    seed: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(logits [batch, num_true + num_sampled], labels that share 1 among the true ones)."""
    tables = list(weights) if isinstance(weights, list | tuple) else [weights]
    true = convert_to_tensor(labels)
    true = true if true.dtype is int64 else F.cast(true, dtype=int64)
    if sampled_values is None:
        sampled_values = log_uniform_candidate_sampler(
            true, num_true, num_sampled, True, num_classes, seed
        )
    drawn_, true_count, drawn_count = (
        F.stop_gradient(convert_to_tensor(v)) for v in sampled_values
    )
    drawn_ = F.cast(drawn_, dtype=int64)
    x = convert_to_tensor(inputs)
    flat = F.reshape(true, _LINE)
    ids = F.concat(flat, drawn_, axis=0)
    rows = _cast(embedding_lookup(tables, ids, partition_strategy), x)
    offsets = _cast(embedding_lookup(biases, ids, partition_strategy), x)
    count = F.shape(flat)
    true_rows, drawn_rows = _parted(rows, count)
    true_offsets, drawn_offsets = _parted(offsets, count)

    drawn_logits = F.matmul(x, drawn_rows, transpose_a=False, transpose_b=True) + drawn_offsets
    size = F.strided_slice(F.shape(true_rows), *_span(1))
    each = F.reshape(true_rows, F.concat(np.array([-1, num_true], np.int32), size, axis=0))
    dots = F.reduce_sum(F.expand_dims(x, axis=1) * each, axes=(2,), keepdims=False)
    true_logits = dots + F.reshape(true_offsets, np.array([-1, num_true], np.int32))
    if remove_accidental_hits:
        grid = F.reshape(flat, np.array([-1, num_true], np.int32))
        drawn_logits = drawn_logits + _cast(F.accidental_mask(grid, drawn_), x)
    true_logits = true_logits - F.log(_cast(true_count, x))
    drawn_logits = drawn_logits - F.log(_cast(drawn_count, x))
    logits = F.concat(true_logits, drawn_logits, axis=1)
    targets = F.concat(
        F.ones_like(true_logits) / np.float32(num_true), F.zeros_like(drawn_logits), axis=1
    )
    return logits, targets


def _cast(value: Tensor, like: Tensor) -> Tensor:
    return value if value.dtype is like.dtype else F.cast(value, dtype=like.dtype)


def _span(at: int) -> tuple[Any, Any, Any]:
    one = np.array([1], np.int32)
    return one * at, one * (at + 1), one


def _parted(rows: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """The rows in front of `count` and those behind."""
    one, none = np.array([1], np.int32), np.array([0], np.int32)
    head = F.strided_slice(rows, none, count, one, begin_mask=1)
    return head, F.strided_slice(rows, count, none, one, end_mask=1)


_LOSS_ARGS = """

    Args:
        weights: [num_classes, dim], or a list of tables that share the rows. biases:
            [num_classes]. labels: int64 [batch, num_true]. inputs: [batch, dim].
        sampled_values: what a candidate sampler returned, by default of the log-uniform one.
        remove_accidental_hits: leave out drawn classes that are true ones of the row.

    Returns:
        A loss for each row, [batch].

    Raises:
        InvalidArgumentError when run: a class number outside the tables.
    """


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    partition_strategy: str = "mod",
    name: str = "nce_loss",
) -> Tensor:
    with convert_to_tensor(inputs).graph.name_scope(name):
        logits, targets = sampled_logits(
            weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
            remove_accidental_hits, partition_strategy,
        )  # fmt: skip
        losses = F.sigmoid_cross_entropy(logits, targets)
        return F.reduce_sum(losses, axes=(1,), keepdims=False)


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    partition_strategy: str = "mod",
    name: str = "sampled_softmax_loss",
    seed: int | None = None,
) -> Tensor:
    with convert_to_tensor(inputs).graph.name_scope(name):
        logits, targets = sampled_logits(
            weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
            remove_accidental_hits, partition_strategy, seed,
        )  # fmt: skip
        loss, _ = F.softmax_cross_entropy(logits, F.stop_gradient(targets))
        return loss


nce_loss.__doc__ = (
    "The noise-contrastive loss of Gutmann and Hyvärinen (2010) over sampled classes."
    + _LOSS_ARGS
)
sampled_softmax_loss.__doc__ = (
    "The softmax loss over the true and some sampled classes: for training alone." + _LOSS_ARGS
)
