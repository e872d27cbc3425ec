"""Sequences without alignment: small graphs for tests/oracle/record.py."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, Any] = {}
LOGITS = (np.random.RandomState(3).randn(7, 3, 5) * 2).astype(np.float32)
TIMES = np.array([7, 5, 6], np.int32)
AT = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0]]
LABELS = [0, 1, 3, 2, 2, 3]


def case(fn: Any) -> Any:
    CASES[fn.__name__] = fn
    return fn


def labels(tf: Any) -> Any:
    return tf.SparseTensor(AT, tf.constant(LABELS, tf.int32), [3, 3])


def _with_slope(tf: Any, x: Any, loss: Any) -> Any:
    return [loss, tf.gradients(loss * [1.0, 2.0, 3.0], x)[0]]


@case
def loss(tf: Any) -> Any:
    x = tf.constant(LOGITS)
    batch_first = tf.constant(LOGITS.transpose(1, 0, 2))
    return [
        *_with_slope(tf, x, tf.nn.ctc_loss(labels(tf), x, TIMES)),
        *_with_slope(tf, x, tf.nn.ctc_loss(labels(tf), x, TIMES, ctc_merge_repeated=False)),
        *_with_slope(
            tf, x, tf.nn.ctc_loss(labels(tf), x, TIMES, preprocess_collapse_repeated=True)
        ),
        *_with_slope(tf, batch_first, tf.nn.ctc_loss(
            labels=labels(tf), inputs=batch_first, sequence_length=TIMES, time_major=False)),
    ]  # fmt: skip


@case
def short_times(tf: Any) -> Any:
    x = tf.constant(LOGITS)
    short = np.array([2, 2, 6], np.int32)
    found = tf.nn.ctc_loss(labels(tf), x, short, ignore_longer_outputs_than_inputs=True)
    return _with_slope(tf, x, found)


CASES["not_enough_time"] = lambda tf: tf.nn.ctc_loss(
    labels(tf), tf.constant(LOGITS), np.array([2, 5, 6], np.int32)
)


@case
def dense_labels(tf: Any) -> Any:
    x = tf.constant(LOGITS)
    dense = tf.constant([[1, 2, 4], [3, 3, 0], [4, 0, 0]])
    lengths = tf.constant([3, 2, 1])
    return [
        *_with_slope(tf, x, tf.nn.ctc_loss_v2(dense, x, lengths, TIMES)),
        *_with_slope(tf, x, tf.nn.ctc_loss_v2(dense - 1, x, lengths, TIMES, blank_index=-1)),
    ]


@case
def greedy(tf: Any) -> Any:
    out = []
    for merge in (True, False):
        decoded, sums = tf.nn.ctc_greedy_decoder(tf.constant(LOGITS), TIMES, merge)
        out += [decoded[0], sums]
    return out


@case
def beam_search(tf: Any) -> Any:
    out = []
    for width, paths, merge in ((100, 1, True), (100, 3, False), (4, 2, False)):
        decoded, logs = tf.nn.ctc_beam_search_decoder(
            tf.constant(LOGITS), TIMES, width, paths, merge
        )
        out += [*decoded, logs]
    return out
