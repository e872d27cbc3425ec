"""Losses over given samples, expected counts: small graphs for tests/oracle/record.py."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, Any] = {}
CLASSES, DIM, BATCH = 7, 3, 4


def case(fn: Any) -> Any:
    CASES[fn.__name__] = fn
    return fn


def _model(tf: Any) -> tuple[Any, Any, Any]:
    rng = np.random.RandomState(5)
    weights = tf.get_variable(
        "w", [CLASSES, DIM], initializer=tf.constant_initializer(rng.randn(CLASSES, DIM))
    )
    start = tf.constant_initializer(rng.randn(CLASSES))
    biases = tf.get_variable("b", [CLASSES], initializer=start)
    inputs = tf.constant(rng.randn(BATCH, DIM).astype(np.float32))
    return weights, biases, inputs


def _samples(tf: Any, num_true: int, drawn: Any) -> Any:
    rng = np.random.RandomState(6)
    return (
        tf.constant(drawn, tf.int64), tf.constant(rng.rand(BATCH, num_true).astype(np.float32)),
        tf.constant(rng.rand(len(drawn)).astype(np.float32)),
    )


def _losses(tf: Any, loss: Any, num_true: int, drawn: Any, **more: Any) -> Any:
    weights, biases, inputs = _model(tf)
    labels = np.random.RandomState(7).randint(CLASSES, size=(BATCH, num_true))
    value = loss(
        weights, biases, tf.constant(labels, tf.int64), inputs, len(drawn), CLASSES, num_true,
        sampled_values=_samples(tf, num_true, drawn), **more,
    )  # fmt: skip
    slopes = tf.gradients(tf.reduce_sum(value), [weights, biases, inputs])
    return [value, *(tf.convert_to_tensor(s) for s in slopes)]


for _name, _true, _drawn, _more in (
    ("one", 1, [1, 4, 6], {}),
    ("two", 2, [1, 4, 6], {}),
    ("repeated", 2, [3, 4, 3, 0, 3], {}),
    ("kept", 2, [1, 4, 6], {"remove_accidental_hits": False}),
    ("removed", 2, [1, 4, 6, 0], {"remove_accidental_hits": True}),
    ("removed_repeated", 2, [3, 4, 3, 0, 3], {"remove_accidental_hits": True}),
):
    CASES["nce_" + _name] = lambda tf, t=_true, d=_drawn, m=_more: _losses(
        tf, tf.nn.nce_loss, t, d, **m
    )
    CASES["softmax_" + _name] = lambda tf, t=_true, d=_drawn, m=_more: _losses(
        tf, tf.nn.sampled_softmax_loss, t, d, **m
    )


@case
def partitioned(tf: Any) -> Any:
    weights, biases, inputs = _model(tf)
    rows = [tf.gather(weights, [0, 2, 4, 6]), tf.gather(weights, [1, 3, 5])]
    labels = tf.constant([[1], [2], [3], [6]], tf.int64)
    return tf.nn.nce_loss(rows, biases, labels, inputs, 3, CLASSES,
                          sampled_values=_samples(tf, 1, [1, 4, 5]))  # fmt: skip


@case
def expected_counts(tf: Any) -> Any:
    true = tf.constant([[0, 3], [6, 2]], tf.int64)
    fixed = [1.0, 2.0, 3.0, 4.0]
    return [
        tf.nn.log_uniform_candidate_sampler(true, 2, 5, False, 7)[1],
        tf.nn.uniform_candidate_sampler(true, 2, 5, False, 7)[1],
        tf.nn.learned_unigram_candidate_sampler(true, 2, 5, False, 7)[1],
        tf.nn.fixed_unigram_candidate_sampler(
            true, 2, 5, False, 7, unigrams=fixed, num_reserved_ids=3, distortion=0.75
        )[1],
        *tf.nn.all_candidate_sampler(true, 2, 7, True),
    ]


@case
def accidental_hits(tf: Any) -> Any:
    true = tf.constant([[0, 3], [6, 2], [3, 3]], tf.int64)
    return list(tf.nn.compute_accidental_hits(true, tf.constant([2, 3, 1, 6], tf.int64), 2))


CASES["range_too_small"] = lambda tf: list(
    tf.nn.uniform_candidate_sampler(tf.constant([[0]], tf.int64), 1, 9, True, 7)
)
