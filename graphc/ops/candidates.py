"""Candidate sampling: classes drawn at random, and how often each was to be expected.

Lives here: log_uniform_candidates, uniform_candidates, fixed_unigram_candidates,
learned_unigram_candidates, all_candidates, accidental_hits, accidental_mask. Not here: the user's
functions and the weights that a learned sampler keeps (tf1/api_sampling.py). Imports ops.define.

Jean, Cho, Memisevic, Bengio: On using very large target vocabulary for neural machine translation
(2015). The records run on the host: a few numbers a step, drawn again until they differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import float32, float64, int32, int64, uint32
from graphc.ir.node import TensorType
from graphc.ops import philox
from graphc.ops.define import InferContext, OpDef, host
from graphc.ops.extents import need_rank
from graphc.ops.samples import Arg, fixed, sample

Array = np.ndarray[Any, Any]
NO_PATH = "random numbers do not depend on the inputs smoothly"
# more draws than any sampler needs that can end at all
_MOST_DRAWS = 1 << 26


class Unigrams:
    """Classes drawn in proportion to weights. An attribute, told apart by identity.

    Raises:
        InvalidArgumentError: no weight is above zero.
    """

    def __init__(self, weights: Array) -> None:
        self.weights = np.asarray(weights, np.float64)
        self.bounds = np.cumsum(self.weights)
        if not len(self.weights) or not self.bounds[-1] > 0:
            raise InvalidArgumentError("the weights of the classes sum to zero")

    def draw(self, u: Array) -> Array:
        at = np.searchsorted(self.bounds, u * self.bounds[-1], side="right")
        return np.minimum(at, np.flatnonzero(self.weights)[-1])

    def probability(self, classes: Array) -> Array:
        inside = (classes >= 0) & (classes < len(self.weights))
        share = self.weights[np.where(inside, classes, 0)] / self.bounds[-1]
        return np.where(inside, share, 0.0)


# ------------------------------------------------------------------ what the samplers share
def distinct(draw: Callable[[Array], Array], state: Array, count: int) -> tuple[Array, int]:
    """The first `count` different classes of the stream, and how many draws that took.

    Raises:
        InvalidArgumentError: the stream has too few different classes.
    """
    size = 2 * count + 16
    while True:
        drawn = draw(philox.uniforms(size, state, float64))
        first = np.sort(np.unique(drawn, return_index=True)[1])
        if len(first) >= count:
            at = first[:count]
            return drawn[at], int(at[-1]) + 1 if count else 0
        if size >= _MOST_DRAWS:
            raise InvalidArgumentError("Sampler's range is too small.")
        size *= 2


def drawn(
    true_classes: Array,
    state: Array,
    draw: Callable[[Array], Array],
    probability: Callable[[Array], Array],
    num_sampled: int,
    unique: bool,
) -> tuple[Array, Array, Array]:
    """(classes, expected count of each true class, of each drawn class), by TF's rule.

    Of n draws with replacement a class is expected n p times; of draws until n differ, of which
    there were t, it is there with probability 1 - (1 - p)^t, but n p where t is n.
    """
    if unique:
        classes, tries = distinct(draw, state, num_sampled)
    else:
        classes, tries = draw(philox.uniforms(num_sampled, state, float64)), num_sampled

    def expected(of: Array) -> Array:
        p = probability(of)
        if tries == num_sampled:
            return p * num_sampled
        return -np.expm1(tries * np.log1p(-p))

    return classes.astype(np.int64), expected(true_classes), expected(classes)


def _types(ctx: InferContext) -> list[TensorType]:
    need_rank(ctx, 0, 2)
    count = ctx.attrs["num_sampled"]
    shape, wanted = ctx.shape(0), ctx.attrs["num_true"]
    if shape is not None and isinstance(shape[1], int) and shape[1] != wanted:
        raise ctx.fail(f"Dimension must be {wanted} but is {shape[1]}")
    rows = None if shape is None else shape[0]
    return [
        TensorType(int64, (count,)),
        TensorType(float32, (rows, wanted)),
        TensorType(float32, (count,)),
    ]


def check_range(num_sampled: int, unique: bool, range_max: int) -> None:
    if unique and num_sampled > range_max:
        raise InvalidArgumentError("Sampler's range is too small.")


def check_true(true_classes: Array, num_true: int) -> None:
    if true_classes.shape[1] != num_true:
        raise InvalidArgumentError("true_classes must have num_true columns")


# ------------------------------------------------------------------ records
def _log_uniform(
    true_classes: Array, state: Array, num_true: int, num_sampled: int, unique: bool,
    range_max: int,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """P(k) = log((k + 2) / (k + 1)) / log(range_max + 1)."""
    check_range(num_sampled, unique, range_max)
    check_true(true_classes, num_true)
    scale = math.log1p(range_max)

    def draw(u: Array) -> Array:
        return (np.exp(u * scale).astype(np.int64) - 1) % range_max

    def probability(k: Array) -> Array:
        return np.log((k + 2.0) / (k + 1.0)) / scale

    return drawn(true_classes, state, draw, probability, num_sampled, unique)


def _uniform(
    true_classes: Array, state: Array, num_true: int, num_sampled: int, unique: bool,
    range_max: int,
) -> tuple[Array, Array, Array]:  # fmt: skip
    check_range(num_sampled, unique, range_max)
    check_true(true_classes, num_true)

    def draw(u: Array) -> Array:
        return np.minimum((u * range_max).astype(np.int64), range_max - 1)

    def probability(k: Array) -> Array:
        return np.full(k.shape, 1.0 / range_max)

    return drawn(true_classes, state, draw, probability, num_sampled, unique)


def _fixed_unigram(
    true_classes: Array, state: Array, num_true: int, num_sampled: int, unique: bool,
    unigrams: Unigrams,
) -> tuple[Array, Array, Array]:  # fmt: skip
    check_range(num_sampled, unique, int((unigrams.weights > 0).sum()))
    check_true(true_classes, num_true)
    return drawn(
        true_classes, state, unigrams.draw, unigrams.probability, num_sampled, unique
    )


def _learned_unigram(
    true_classes: Array, state: Array, num_true: int, num_sampled: int, unique: bool, resource: Any
) -> tuple[Array, Array, Array]:
    check_true(true_classes, num_true)
    return resource.sample(true_classes, state, num_sampled, unique)


class _Fresh:
    """A learned sampler that learns nothing: for samples."""

    def sample(self, true_classes: Array, state: Array, count: int, unique: bool) -> Any:
        unigrams = Unigrams(np.ones(6))
        return drawn(true_classes, state, unigrams.draw, unigrams.probability, count, unique)


def _all(
    true_classes: Array, num_true: int, num_sampled: int, unique: bool
) -> tuple[Array, Array, Array]:
    check_true(true_classes, num_true)
    ones = np.ones(num_sampled, np.float32)
    return np.arange(num_sampled), np.ones(true_classes.shape, np.float32), ones


_STATE = fixed([7, 11, 0, 5], uint32)
_TRUE = fixed([[0, 2], [5, 1]], int64)


def _record(name: str, tf: str, numpy: Any, effect: bool = False, **attrs: Any) -> OpDef:
    inputs: tuple[Arg, ...] = (_TRUE,) if name == "all_candidates" else (_TRUE, _STATE)
    names = ("true_classes", "state")[: len(inputs)]
    return OpDef(
        name=name, tf=tf, family="host", infer=_types, numpy=numpy, args=names,
        groups=(int64, uint32)[: len(inputs)], nograd=NO_PATH, stateful=effect, effect=effect,
        samples=tuple(
            sample(*inputs, num_true=2, num_sampled=4, unique=unique, grad=False, **attrs)
            for unique in (True, False)
        ),
    )  # fmt: skip


log_uniform_candidates = _record(
    "log_uniform_candidates", "LogUniformCandidateSampler", _log_uniform, range_max=6
)
uniform_candidates = _record(
    "uniform_candidates", "UniformCandidateSampler", _uniform, range_max=6
)
fixed_unigram_candidates = _record(
    "fixed_unigram_candidates", "FixedUnigramCandidateSampler", _fixed_unigram,
    unigrams=Unigrams(np.array([1.0, 2.0, 0.0, 3.0, 4.0, 5.0])),
)  # fmt: skip
learned_unigram_candidates = _record(
    "learned_unigram_candidates", "LearnedUnigramCandidateSampler", _learned_unigram,
    effect=True, resource=_Fresh(),
)  # fmt: skip
all_candidates = _record("all_candidates", "AllCandidateSampler", _all)


# ------------------------------------------------------------------ drawn classes that are true
def _found(true_classes: Array, sampled: Array) -> tuple[Array, Array]:
    """(flat number of each true class that was drawn, the last place at which it was)."""
    order = np.argsort(sampled, kind="stable")
    ordered = sampled[order]
    flat = true_classes.reshape(-1)
    last = np.searchsorted(ordered, flat, side="right") - 1
    there = last >= 0
    there[there] = ordered[last[there]] == flat[there]
    return np.flatnonzero(there), order[last[there]]


_WORST = -np.finfo(np.float32).max


def _hits(true_classes: Array, sampled: Array, num_true: int = 1) -> tuple[Array, Array, Array]:
    at, places = _found(true_classes, sampled)
    rows = at // max(true_classes.shape[1], 1)
    return rows, places, np.full(len(at), _WORST, np.float32)


def _mask(true_classes: Array, sampled: Array) -> Array:
    rows, places, weights = _hits(true_classes, sampled)
    out = np.zeros((len(true_classes), len(sampled)), np.float32)
    out[rows, places] = weights
    return out


def _mask_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 2)
    need_rank(ctx, 1, 1)
    rows, drawn_ = ctx.shape(0), ctx.shape(1)
    return TensorType(
        float32, (None if rows is None else rows[0], None if drawn_ is None else drawn_[0])
    )


def _hit_types(ctx: InferContext) -> list[TensorType]:
    need_rank(ctx, 0, 2)
    need_rank(ctx, 1, 1)
    return [TensorType(d, (None,)) for d in (int32, int64, float32)]


_SAMPLED = fixed([5, 3, 0, 3], int64)
accidental_hits = host(
    "accidental_hits", tf="ComputeAccidentalHits", infer=_hit_types, numpy=_hits,
    nograd="positions are integers", args=("true_classes", "sampled_candidates"),
    groups=(int64, int64), data_dependent=True,
    samples=(sample(_TRUE, _SAMPLED, num_true=2, grad=False),),
)  # fmt: skip
accidental_mask = host(
    "accidental_mask", tf="AccidentalMask", infer=_mask_type, numpy=_mask,
    nograd="positions are integers", args=("true_classes", "sampled_candidates"),
    groups=(int64, int64), samples=(sample(_TRUE, _SAMPLED, grad=False),),
    doc="the least float where a drawn class is one of the row's true ones, else 0",
)  # fmt: skip
