"""Variances of large tensors: read once, and the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import Config
from graphc.passes.pipeline import optimize
from tests.helpers import FUSED, program_of

RNG = np.random.default_rng(3)


def axes_of_means(fetches: list[Any], feeds: Any) -> set[tuple[int, ...]]:
    """The axes of the means over the fed tensor or what is as large, in the optimised program."""
    program = optimize(program_of(tf.get_default_graph(), fetches, feeds), FUSED)
    size = max(f.size for f in feeds.values())
    return {
        n.attrs["axes"]
        for n in program.nodes
        if n.op.name == "reduce_mean" and np.prod(n.inputs[0].known_dims) == size
    }


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((1100, 1000), (0, 1)), ((40, 30, 900), (0, 2)), ((4, 300, 1024), (0, 1, 2))],
)
def test_a_large_variance_goes_by_rows(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x = tf.placeholder(tf.float32, shape)
    data = (RNG.standard_normal(shape) * 3 + 100).astype(np.float32)
    mean, variance = tf.nn.moments(x, list(axes))
    assert axes_of_means([mean, variance], {x: data}) == {(len(shape) - 1,)}
    with tf.Session() as sess:
        got_mean, got = sess.run([mean, variance], {x: data})
    wide = data.astype(np.float64)
    np.testing.assert_allclose(got_mean, wide.mean(axes), rtol=1e-6)
    np.testing.assert_allclose(got, wide.var(axes), rtol=2e-5)


def test_both_ways_agree_and_so_do_threads() -> None:
    x = tf.placeholder(tf.float32, (None, 1200))
    data = RNG.standard_normal((1000, 1200)).astype(np.float32)
    centred = tf.reduce_mean(tf.square(x - tf.reduce_mean(x, keepdims=True)))
    values = []
    for config in (Config(), Config(threads=1), Config(disabled=("variance",))):
        with tf.Session(config=config) as sess:
            values.append(sess.run(centred, {x: data}))
    assert values[0] == values[1]
    np.testing.assert_allclose(values[0], values[2], rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(bad: float) -> None:
    x = tf.placeholder(tf.float32, (1100, 1000))
    data = RNG.standard_normal((1100, 1000)).astype(np.float32)
    data[7, 9] = bad
    mean, variance = tf.nn.moments(x, [0, 1])
    with tf.Session() as sess:
        got_mean, got = sess.run([mean, variance], {x: data})
    np.testing.assert_array_equal(got_mean, np.float32(bad))
    assert np.isnan(got)


@pytest.mark.parametrize("shape", [(100, 100), (2000, 200), (8, 200000)])
def test_small_tensors_and_odd_rows_are_left(shape: tuple[int, ...]) -> None:
    x = tf.placeholder(tf.float32, shape)
    _, variance = tf.nn.moments(x, [0, 1])
    assert axes_of_means([variance], {x: np.ones(shape, np.float32)}) == {(0, 1)}


def test_a_gradient_through_it() -> None:
    x = tf.placeholder(tf.float64, (600, 1000))
    data = RNG.standard_normal((600, 1000))
    _, variance = tf.nn.moments(x, [0, 1])
    (gradient,) = tf.gradients(variance, x)
    with tf.Session() as sess:
        got = sess.run(gradient, {x: data})
    np.testing.assert_allclose(got, 2 * (data - data.mean()) / data.size, atol=1e-12)
