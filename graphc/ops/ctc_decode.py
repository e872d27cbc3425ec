"""From frames of class scores to sequences of labels: greedily, and by beams.

Lives here: ctc_greedy_decoder, ctc_beam_search_decoder. Not here: the loss (ops/ctc.py). Imports
ops.define.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import float32, float64, int32, int64
from graphc.ir.node import TensorType
from graphc.ops.ctc import batch_of, check_lengths
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import Sample, arg, fixed

Array = np.ndarray[Any, Any]
Path = tuple[int, ...]


def _sparse(rows: Sequence[Sequence[int]]) -> tuple[Array, Array, Array]:
    sizes = [len(row) for row in rows]
    places = np.array(
        [(b, k) for b, size in enumerate(sizes) for k in range(size)], np.int64
    ).reshape(-1, 2)
    values = np.array([v for row in rows for v in row], np.int64)
    return places, values, np.array([len(rows), max(sizes, default=0)], np.int64)


# ------------------------------------------------------------------ greedy
def _greedy(
    inputs: Array, sequence_length: Array, merge_repeated: bool
) -> tuple[Array, Array, Array, Array]:
    frames, batch, classes = inputs.shape
    check_lengths(sequence_length, frames)
    best = inputs.argmax(axis=2) if frames else np.zeros((0, batch), np.int64)
    peaks = inputs.max(axis=2) if frames else np.zeros((0, batch))
    rows, sums = [], np.zeros((batch, 1), inputs.dtype)
    for b, length in enumerate(sequence_length.tolist()):
        path = best[:length, b].tolist()
        rows.append(
            [
                c for k, c in enumerate(path)
                if c != classes - 1 and not (merge_repeated and k and path[k - 1] == c)
            ]
        )  # fmt: skip
        sums[b] = -peaks[:length, b].sum()
    return (*_sparse(rows), sums)


def _greedy_types(ctx: InferContext) -> list[TensorType]:
    batch = batch_of(ctx, 1)
    return [
        TensorType(int64, (None, 2)),
        TensorType(int64, (None,)),
        TensorType(int64, (2,)),
        TensorType(ctx.dtype(0), (batch, 1)),
    ]


_INPUTS = (arg((4, 2, 3)), fixed([4, 3], int32))
_NO_GRADIENT = "labels are integers"

ctc_greedy_decoder = OpDef(
    name="ctc_greedy_decoder",
    tf="CTCGreedyDecoder",
    family="host",
    args=("inputs", "sequence_length"),
    groups=("T", int32),
    dtypes={"T": (float32, float64)},
    infer=_greedy_types,
    numpy=_greedy,
    nograd=_NO_GRADIENT,
    data_dependent=True,
    samples=(Sample(_INPUTS, {"merge_repeated": True}, grad=False),),
)


# ------------------------------------------------------------------ beams
class _Beams:
    """The best prefixes so far, with log probabilities of ending in a blank or in a label."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.paths: list[Path] = [()]
        self.blank = np.zeros(1)
        self.label = np.full(1, -np.inf)

    def step(self, scores: Array) -> None:
        """One frame more: log probabilities of the classes, the last of which is the blank."""
        labels = len(scores) - 1
        total = np.logaddexp(self.blank, self.label)
        ends = np.array([p[-1] if p else -1 for p in self.paths])
        longer = total[:, None] + scores[:labels]
        there = np.flatnonzero(ends >= 0)
        # a label that is said twice needs a blank in between
        longer[there, ends[there]] = self.blank[there] + scores[ends[there]]
        again = np.full(len(self.paths), -np.inf)
        again[there] = self.label[there] + scores[ends[there]]
        place = {p: k for k, p in enumerate(self.paths)}
        for k in there.tolist():
            parent = place.get(self.paths[k][:-1])
            if parent is not None:
                again[k] = np.logaddexp(again[k], longer[parent, ends[k]])
                longer[parent, ends[k]] = -np.inf
        self._keep(total + scores[labels], again, longer)

    def _keep(self, blank: Array, again: Array, longer: Array) -> None:
        """The best of the prefixes as they are and of those that are one label longer."""
        kept, labels = len(self.paths), longer.shape[1]
        totals = np.concatenate([np.logaddexp(blank, again), longer.reshape(-1)])
        order = np.argsort(-totals, kind="stable")[: self.width]
        order = order[totals[order] > -np.inf]
        paths, blanks, ends = [], [], []
        for at in order.tolist():
            if at < kept:
                paths.append(self.paths[at])
                blanks.append(blank[at])
                ends.append(again[at])
            else:
                parent, label = divmod(at - kept, labels)
                paths.append((*self.paths[parent], label))
                blanks.append(-np.inf)
                ends.append(longer[parent, label])
        self.paths, self.blank, self.label = paths, np.array(blanks), np.array(ends)

    def best(self, count: int) -> list[tuple[Path, float]]:
        """(labels, log probability), the most probable first."""
        total = np.logaddexp(self.blank, self.label)
        order = np.argsort(-total, kind="stable")[:count]
        return [(self.paths[k], float(total[k])) for k in order.tolist()]


def _beam_search(
    inputs: Array, sequence_length: Array, beam_width: int, top_paths: int, merge_repeated: bool
) -> tuple[Array, ...]:
    frames, batch, _ = inputs.shape
    check_lengths(sequence_length, frames)
    wide = inputs.astype(np.float64)
    scores = wide - np.logaddexp.reduce(wide, axis=2, keepdims=True)
    rows: list[list[list[int]]] = [[] for _ in range(top_paths)]
    logs = np.zeros((batch, top_paths), inputs.dtype)
    for b, length in enumerate(sequence_length.tolist()):
        beams = _Beams(beam_width)
        for t in range(length):
            beams.step(scores[t, b])
        found = beams.best(top_paths)
        if length and len(found) < top_paths:
            raise InvalidArgumentError("Less leaves in the beam search than requested.")
        for k, row in enumerate(rows):
            path, logs[b, k] = found[k] if k < len(found) else ((), 0.0)
            row.append(
                [c for n, c in enumerate(path) if not (merge_repeated and n and path[n - 1] == c)]
            )
    parts = [_sparse(row) for row in rows]
    return (*(p[n] for n in range(3) for p in parts), logs)


def _beam_types(ctx: InferContext) -> list[TensorType]:
    batch = batch_of(ctx, 1)
    top = ctx.attrs["top_paths"]
    if top > ctx.attrs["beam_width"]:
        raise ctx.fail("requested more paths than the beam width.")
    return [
        *[TensorType(int64, (None, 2))] * top,
        *[TensorType(int64, (None,))] * top,
        *[TensorType(int64, (2,))] * top,
        TensorType(ctx.dtype(0), (batch, top)),
    ]


ctc_beam_search_decoder = OpDef(
    name="ctc_beam_search_decoder",
    tf="CTCBeamSearchDecoder",
    family="host",
    args=("inputs", "sequence_length"),
    groups=("T", int32),
    dtypes={"T": (float32, float64)},
    infer=_beam_types,
    numpy=_beam_search,
    nograd=_NO_GRADIENT,
    data_dependent=True,
    samples=(
        Sample(
            _INPUTS, {"beam_width": 5, "top_paths": 2, "merge_repeated": False}, grad=False
        ),
    ),
)
