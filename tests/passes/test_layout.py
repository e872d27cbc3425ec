"""Transposes in front of and behind products of many matrices: rows stay together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import Config
from graphc.passes.pipeline import optimize
from tests.helpers import FUSED, program_of

RNG = np.random.default_rng(5)
Array = np.ndarray[Any, Any]


def turns(fetches: list[Any], feeds: Any) -> list[tuple[int, ...]]:
    """The transposes that are left in the optimised program."""
    program = optimize(program_of(tf.get_default_graph(), fetches, feeds), FUSED)
    return [n.attrs["perm"] for n in program.nodes if n.op.name == "transpose"]


def feed(*shape: int) -> tuple[Any, Array]:
    array = RNG.standard_normal(shape).astype(np.float32)
    return tf.placeholder(tf.float32, shape), array


def both(fetches: Any, feeds: Any) -> tuple[Any, Any]:
    """Values with the pass and without."""
    out = []
    for config in (Config(), Config(disabled=("layout",))):
        with tf.Session(config=config) as sess:
            out.append(sess.run(fetches, feeds))
    return out[0], out[1]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("flag", [False, True])
def test_heads_that_are_turned_keep_their_rows(side: str, flag: bool) -> None:
    x, xs = feed(2, 12, 3, 12)
    y, ys = feed(2, 3, 12, 12)
    heads = tf.transpose(x, [0, 2, 3, 1])
    if side == "left":
        out = tf.matmul(heads, y, transpose_a=flag)
    else:
        out = tf.matmul(y, heads, transpose_b=flag)
    feeds = {x: xs, y: ys}
    assert turns([out], feeds) == [(0, 2, 1, 3)]
    got, wanted = both(out, feeds)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_a_product_that_is_turned_is_computed_the_other_way_round(ta: bool, tb: bool) -> None:
    a, left = feed(4, 7, 5) if ta else feed(4, 5, 7)
    b, right = feed(4, 6, 7) if tb else feed(4, 7, 6)
    product = tf.matmul(a, b, transpose_a=ta, transpose_b=tb)
    turned = tf.transpose(product, [0, 2, 1])
    rows = tf.transpose(product + 1.0, [2, 0, 1])
    feeds = {a: left, b: right}
    assert turns([turned], feeds) == []
    got, wanted = both([turned, rows], feeds)
    for x, y in zip(got, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)


def test_outer_axes_still_move() -> None:
    a, left = feed(2, 3, 5, 7)
    b, right = feed(2, 3, 7, 6)
    out = tf.transpose(tf.matmul(a, b), [0, 3, 1, 2])
    assert turns([out], {a: left, b: right}) == [(0, 2, 1, 3)]
    got, wanted = both(out, {a: left, b: right})
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_what_others_read_stays() -> None:
    a, left = feed(4, 5, 7)
    b, right = feed(4, 7, 6)
    product = tf.matmul(a, b)
    turned = tf.transpose(product, [0, 2, 1])
    feeds = {a: left, b: right}
    assert turns([turned, product], feeds) == [(0, 2, 1)]
    x, xs = feed(2, 5, 3, 5)
    y, ys = feed(2, 3, 5, 5)
    heads = tf.transpose(x, [0, 2, 3, 1])
    more = {x: xs, y: ys}
    assert turns([tf.matmul(y, heads), tf.nn.relu(heads)], more) == [(0, 2, 3, 1)]


def test_attention_of_keras_turns_no_scores() -> None:
    """Keras writes K Q^T and turns it: forward and backward move heads alone."""
    from graphc import keras

    x, xs = feed(2, 16, 24)
    out = keras.layers.MultiHeadAttention(3, 8)(x, x)
    fetches = [out, *tf.gradients(tf.reduce_sum(tf.square(out)), [x, *tf.trainable_variables()])]
    assert {p[-1] for p in turns(fetches, {x: xs}) if len(p) == 4} == {3}
    values = []
    for config in (Config(), Config(disabled=("layout",))):
        with tf.Session(config=config) as sess:
            tf.set_random_seed(3)
            sess.run([v.assign(tf.fill(v.shape, 0.1)) for v in tf.trainable_variables()])
            values.append(sess.run(fetches, {x: xs}))
    for got, wanted in zip(*values, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
