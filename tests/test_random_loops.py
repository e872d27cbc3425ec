"""Random loops and branches: fused, unfused and reference agree, with gradients, at two sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.helpers import FUSED, REFERENCE, UNFUSED

BLOCK = 12
WIDTH = 3


class RandomLoop:
    """A loop over [batch, WIDTH] tensors, whose body is drawn; values stay small."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.depth = 0
        self.x = tf.placeholder(tf.float64, [None, WIDTH])
        self.flag = tf.placeholder(tf.bool, [])
        self.count = tf.placeholder(tf.int32, [])
        self.w = tf.Variable(self.rng.uniform(-0.6, 0.6, (WIDTH, WIDTH)))
        self.b = tf.Variable(self.rng.uniform(-1, 1, WIDTH))
        self.outs = self.loop([self.x, tf.sin(self.x)])
        total = tf.add_n([tf.reduce_sum(o * o) for o in self.outs if o.dtype is tf.float64])
        self.fetches = [*self.outs, *self.gradients(total)]

    def gradients(self, total: Any) -> list[Any]:
        first = [g for g in tf.gradients(total, [self.x, self.w, self.b]) if g is not None]
        if not first or self.rng.random() < 0.5:
            return first
        second = tf.gradients(tf.reduce_sum(tf.square(first[0])), [self.x, self.w])
        return first + [g for g in second if g is not None]

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    # ------------------------------------------------------------ expressions
    def value(self, pool: list[Any], step: Any) -> Any:
        """A [batch, WIDTH] expression of some of the pool."""
        a, b = self.pick(pool), self.pick(pool)
        table = [
            lambda: tf.tanh(a + b), lambda: tf.sin(a) * 0.5 + b * 0.25, lambda: a * tf.sigmoid(b),
            lambda: tf.matmul(a, self.w), lambda: tf.tanh(tf.matmul(a, self.w) + self.b),
            lambda: a - tf.reduce_mean(a, 0, keepdims=True), lambda: tf.nn.softmax(a) + b * 0.1,
            lambda: tf.maximum(a, b), lambda: tf.where(a > b, a * 0.5, b),
            lambda: tf.concat([a[:, 1:], b[:, :1]], 1), lambda: tf.reverse(a, [1]),
            lambda: a * tf.cast(step, tf.float64) * 0.1, lambda: tf.gather(a, [2, 0, 1], axis=1),
            lambda: tf.stack(tf.unstack(a, axis=1)[::-1], 1),
            lambda: a[:, tf.floormod(step, WIDTH)][:, None] + b * 0.5,
        ]  # fmt: skip
        return self.pick(table)()

    def expression(self, pool: list[Any], step: Any) -> Any:
        pool = list(pool)
        for _ in range(int(self.rng.integers(1, 5))):
            pool.append(self.value(pool, step))
        return tf.clip_by_value(pool[-1], -3.0, 3.0)

    # ------------------------------------------------------------ control flow
    def body_value(self, pool: list[Any], step: Any) -> Any:
        kind = self.rng.random()
        if self.depth < 2 and kind < 0.2:
            even = tf.equal(tf.floormod(step, 2), 0)
            pred = even if self.rng.random() < 0.5 else self.flag
            return tf.cond(pred, lambda: self.expression(pool, step),
                           lambda: self.expression(pool, step))  # fmt: skip
        if self.depth < 2 and kind < 0.35:
            return self.loop([self.pick(pool)])[0]
        return self.expression(pool, step)

    def loop(self, inits: list[Any]) -> list[Any]:
        self.depth += 1
        rows = tf.TensorArray(tf.float64, 3).unstack(tf.stack([self.x, self.x * 0.5, -self.x]))
        keeps = self.rng.random() < 0.4
        limit = 3 if keeps or self.rng.random() < 0.6 else self.count
        written = [tf.TensorArray(tf.float64, 3)] if keeps else []

        def body(step: Any, *values: Any) -> Any:
            carried, arrays = list(values[: len(inits)]), list(values[len(inits) :])
            pool = [*carried, self.x, rows.read(tf.minimum(step, 2))]
            new = [self.body_value(pool, step) for _ in carried]
            if self.rng.random() < 0.3:
                new[0] = carried[-1]
            arrays = [a.write(step, new[0]) for a in arrays]
            return step + 1, *new, *arrays

        got = tf.while_loop(lambda step, *_: step < limit, body, (0, *inits, *written))
        self.depth -= 1
        outs = list(got[1 : 1 + len(inits)])
        return outs + [tf.reduce_sum(a.stack(), 0) for a in got[1 + len(inits) :]]


def run_one(seed: int) -> None:
    with tf.Graph().as_default():
        drawn = RandomLoop(seed)
        sessions = {"fused": FUSED, "unfused": UNFUSED, "reference": REFERENCE}
        results: dict[str, Any] = {}
        for name, config in sessions.items():
            with tf.Session(config=config) as sess:
                sess.run(tf.global_variables_initializer())
                found = []
                for batch, count, flag in ((4, 3, True), (2, 0, False), (4, 5, False)):
                    value = np.random.default_rng(seed).uniform(-1, 1, (batch, WIDTH))
                    feed = {drawn.x: value, drawn.count: count, drawn.flag: flag}
                    found.append(sess.run(drawn.fetches, feed))
                results[name] = found
    for name in ("fused", "unfused"):
        for one, other in zip(results[name], results["reference"], strict=True):
            for number, (a, b) in enumerate(zip(one, other, strict=True)):
                scale = max(1.0, float(np.abs(b).max(initial=0.0)))
                np.testing.assert_allclose(
                    a, b, rtol=1e-8, atol=1e-9 * scale, err_msg=f"seed {seed}, {name}, {number}"
                )


@pytest.mark.parametrize("block", range(5))
def test_random_loops(block: int) -> None:
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        run_one(seed)
