"""Connectionist temporal classification: the loss of a sequence of labels over unaligned frames.

Lives here: ctc_loss. Not here: decoders (ops/ctc_decode.py), tf.nn's functions (tf1/api_ctc.py).
Imports ops.define.

Graves et al. 2006: the labels with a blank (the last class) before, between and behind them are
the states; alpha sums the paths up to a frame, beta those behind it. All in logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import float32, float64, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import dims_equal
from graphc.ops.define import F, InferContext, OpDef
from graphc.ops.samples import Sample, arg, fixed

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------ labels
def check_lengths(sequence_length: Array, frames: int) -> None:
    """Raises InvalidArgumentError for a sequence that is longer than there are frames."""
    for b, length in enumerate(sequence_length.tolist()):
        if not 0 <= length <= frames:
            raise InvalidArgumentError(f"sequence_length({b}) <= {frames}")


def _labels(
    indices: Array, values: Array, batch: int, classes: int, collapse: bool
) -> list[list[int]]:
    """The labels of each example, up to the first blank.

    Raises:
        InvalidArgumentError: no labels, negative ones, one behind a blank, indices out of order.
    """
    if len(indices) and (np.diff(indices[:, 0]) < 0).any():
        raise InvalidArgumentError("the indices of the labels are out of order; reorder them")
    out = []
    for b in range(batch):
        given = values[indices[:, 0] == b].tolist()
        if not given:
            raise InvalidArgumentError(f"Labels length is zero in batch {b}")
        if min(given) < 0:
            shown = ",".join(map(str, given))
            raise InvalidArgumentError(
                f"All labels must be nonnegative integers, batch: {b} labels: {shown}"
            )
        blanks = [k for k, v in enumerate(given) if v >= classes - 1]
        if blanks and any(v < classes - 1 for v in given[blanks[0] :]):
            raise InvalidArgumentError(
                "Saw a non-null label (index >= num_classes - 1) following a null label, batch: "
                f"{b} num_classes: {classes} labels: {','.join(map(str, given))}"
            )
        kept = given[: blanks[0]] if blanks else given
        out.append(
            [v for k, v in enumerate(kept) if not (collapse and k and kept[k - 1] == v)]
        )
    return out


class _States:
    """The states of each example, padded to the most.

    Attributes: ext (batch, states), the class of each; last (batch,), the number of the last;
    stay, skip (batch, states), whether a path may stay there, or come from two before.
    """

    def __init__(self, labels: list[list[int]], blank: int, merge: bool) -> None:
        count = 2 * max(map(len, labels), default=0) + 1
        self.ext = np.full((len(labels), count), blank)
        for row, items in zip(self.ext, labels, strict=True):
            row[1 : 2 * len(items) : 2] = items
        self.last = np.array([2 * len(items) for items in labels])
        real = np.arange(count) <= self.last[:, None]
        is_blank = self.ext == blank
        self.there = np.where(real, 0.0, -np.inf)
        self.stay = np.where(is_blank | merge, 0.0, -np.inf)
        same = np.zeros_like(is_blank)
        same[:, 2:] = self.ext[:, 2:] == self.ext[:, :-2]
        self.skip = np.where(is_blank | (same & merge), -np.inf, 0.0)
        self.skip[:, :2] = -np.inf

    def ends(self) -> Array:
        """0 where a path may end, else minus infinity."""
        numbers = np.arange(self.ext.shape[1])
        last = self.last[:, None]
        return np.where((numbers == last) | (numbers == last - 1), 0.0, -np.inf)


# ------------------------------------------------------------------ paths
def _shifted(x: Array, by: int) -> Array:
    """The states `by` further on; minus infinity at the edge."""
    out = np.full_like(x, -np.inf)
    if abs(by) >= x.shape[1]:
        return out
    if by > 0:
        out[:, by:] = x[:, :-by]
    else:
        out[:, :by] = x[:, -by:]
    return out


def _sum3(a: Array, b: Array, c: Array) -> Array:
    return np.logaddexp(np.logaddexp(a, b), c)


def _paths(scores: Array, states: _States, lengths: Array) -> tuple[Array, Array]:
    """(log probability of each example, that of being in each state at each frame).

    Args:
        scores: log probabilities of classes, (frames, batch, classes).
    """
    frames, batch = scores.shape[:2]
    rows = np.arange(batch)[:, None]
    emit = scores[:, rows, states.ext] + states.there  # (frames, batch, states)
    alpha = np.full(emit.shape, -np.inf)
    beta = np.full(emit.shape, -np.inf)
    alpha[0, :, :2] = emit[0, :, :2]
    for t in range(1, frames):
        before = alpha[t - 1]
        alpha[t] = emit[t] + _sum3(
            before + states.stay, _shifted(before, 1), _shifted(before, 2) + states.skip
        )
    ends = states.ends()
    for t in range(frames - 1, -1, -1):
        if t + 1 < frames:
            after = beta[t + 1] + emit[t + 1]
            beta[t] = _sum3(
                after + states.stay, _shifted(after, -1), _shifted(after + states.skip, -2)
            )
        here = lengths - 1 == t
        beta[t, here] = ends[here]
    at_end = alpha[np.maximum(lengths - 1, 0), np.arange(batch)] + ends
    total = np.logaddexp.reduce(at_end, axis=1)
    with np.errstate(invalid="ignore"):
        return total, alpha + beta - total[None, :, None]


def _ctc_loss(
    inputs: Array,
    labels_indices: Array,
    labels_values: Array,
    sequence_length: Array,
    preprocess_collapse_repeated: bool,
    ctc_merge_repeated: bool,
    ignore_longer_outputs_than_inputs: bool,
) -> tuple[Array, Array]:
    frames, batch, classes = inputs.shape
    check_lengths(sequence_length, frames)
    labels = _labels(
        labels_indices, labels_values, batch, classes, preprocess_collapse_repeated
    )
    lengths = sequence_length.astype(np.int64)
    done = _too_long(labels, lengths, ignore_longer_outputs_than_inputs)
    if not frames or not batch:
        return np.zeros(batch, inputs.dtype), np.zeros_like(inputs)
    wide = inputs.astype(np.float64)
    scores = wide - np.logaddexp.reduce(wide, axis=2, keepdims=True)
    states = _States(labels, classes - 1, ctc_merge_repeated)
    total, posterior = _paths(scores, states, lengths)
    gradient = np.exp(scores)
    for b in range(batch):
        if np.isfinite(total[b]):
            one_hot = states.ext[b][:, None] == np.arange(classes)
            gradient[:, b] -= np.exp(posterior[:, b]) @ one_hot
    gone = (np.arange(frames)[:, None] >= lengths) | done
    gradient[gone] = 0.0
    loss = np.where(done, 0.0, -total)
    return loss.astype(inputs.dtype), gradient.astype(inputs.dtype)


def _too_long(labels: list[list[int]], lengths: Array, ignore: bool) -> Array:
    """Which examples have more labels than frames: they count nothing.

    Raises:
        InvalidArgumentError: there are such, and they are not to be ignored.
    """
    done = np.zeros(len(labels), bool)
    for b, items in enumerate(labels):
        done[b] = len(items) > lengths[b]
        if done[b] and not ignore:
            raise InvalidArgumentError(
                f"Not enough time for target transition sequence (required: {len(items)}, "
                f"available: {lengths[b]}) in batch {b}. You can turn this error into a warning "
                "by using the flag ignore_longer_outputs_than_inputs"
            )
    return done


# ------------------------------------------------------------------ the op
def batch_of(ctx: InferContext, lengths: int) -> Any:
    """The batch of inputs (frames, batch, classes) and of their lengths.

    Raises:
        ShapeError: another rank, or numbers that differ.
    """
    shape, count = ctx.shape(0), ctx.shape(lengths)
    if shape is not None and len(shape) != 3:
        raise ctx.fail(f"Shape must be rank 3 but is rank {len(shape)}")
    if count is not None and len(count) != 1:
        raise ctx.fail(f"Shape must be rank 1 but is rank {len(count)}")
    known = [s for s in (shape and shape[1], count and count[0]) if s is not None]
    if len(known) == 2 and dims_equal(known[0], known[1]) is False:
        raise ctx.fail(f"Dimensions must be equal, but are {known[0]} and {known[1]}")
    return known[0] if known else None


def _types(ctx: InferContext) -> list[TensorType]:
    batch = batch_of(ctx, 3)
    shape = ctx.shape(0) or (None, batch, None)
    return [
        TensorType(ctx.dtype(0), (batch,)),
        TensorType(ctx.dtype(0), (shape[0], batch, shape[2])),
    ]


def _gradient(node: Node, g: Tensor, unused: Tensor) -> tuple[Any, ...]:
    once = F.prevent_gradient(
        node.outputs[1],
        message="Currently there is no way to take the second derivative of ctc_loss due to the "
        "fused implementation's interaction with tf.gradients()",
    )
    spread = F.expand_dims(F.expand_dims(g, axis=0), axis=2)
    return (F.multiply(once, spread), None, None, None)


ctc_loss = OpDef(
    name="ctc_loss",
    tf="CTCLoss",
    family="host",
    args=("inputs", "labels_indices", "labels_values", "sequence_length"),
    groups=("T", int64, int32, int32),
    dtypes={"T": (float32, float64)},
    infer=_types,
    numpy=_ctc_loss,
    grad=_gradient,
    samples=(
        Sample(
            (
                arg((4, 2, 3)), fixed([[0, 0], [0, 1], [1, 0]], int64), fixed([0, 1, 1], int32),
                fixed([4, 3], int32),
            ),
            {
                "preprocess_collapse_repeated": False, "ctc_merge_repeated": True,
                "ignore_longer_outputs_than_inputs": False,
            },
            grad=False,
        ),
    ),
)  # fmt: skip
