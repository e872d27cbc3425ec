"""Initializers: values, statistics by TF1's formulas, configurations."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

SHAPE = [200, 100]


def draw(initializer, shape=SHAPE, dtype=tf.float32) -> np.ndarray:
    with tf.Session() as s:
        return s.run(initializer(shape, dtype))


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("zeros", np.zeros((2, 3))),
        ("ones", np.ones((2, 3))),
        ("constant", np.zeros((2, 3))),
        ("identity", np.eye(2, 3)),
    ],
)
def test_constant_values(name, want) -> None:
    make = getattr(tf.initializers, name)
    np.testing.assert_array_equal(draw(make(), [2, 3]), want)
    assert draw(make(), [2, 3], tf.float64).dtype == np.float64


def test_large_constants_are_fills() -> None:
    assert draw(tf.ones_initializer(), [50, 50]).sum() == 2500
    assert draw(tf.zeros_initializer(), [3], tf.int32).dtype == np.int32
    assert draw(tf.constant_initializer([1, 2]), [3]).tolist() == [1, 2, 2]
    assert draw(tf.ones_initializer(), [2], tf.bool).all()


@pytest.mark.parametrize(
    ("make", "limit", "std"),
    [
        (lambda: tf.random_uniform_initializer(-0.5, 0.5), 0.5, 1 / np.sqrt(12)),
        (lambda: tf.random_normal_initializer(stddev=2.0), None, 2.0),
        (lambda: tf.truncated_normal_initializer(stddev=2.0), 4.0, 2 * 0.8796),
        (lambda: tf.glorot_uniform_initializer(), np.sqrt(6 / 300), np.sqrt(2 / 300)),
        (lambda: tf.glorot_normal_initializer(), None, np.sqrt(2 / 300)),
        (lambda: tf.initializers.he_normal(), None, np.sqrt(2 / 200)),
        (lambda: tf.initializers.he_uniform(), np.sqrt(6 / 200), np.sqrt(2 / 200)),
        (lambda: tf.initializers.lecun_normal(), None, np.sqrt(1 / 200)),
        (lambda: tf.variance_scaling_initializer(2.0, "fan_out"), None, np.sqrt(2 / 100)),
        (lambda: tf.uniform_unit_scaling_initializer(2.0), 2 * np.sqrt(3 / 200), 2 / np.sqrt(200)),
    ],
)
def test_random_statistics(make, limit, std) -> None:
    got = draw(make())
    assert got.shape == tuple(SHAPE)
    assert abs(got.mean()) < 0.02 * max(1, std)
    assert got.std() == pytest.approx(std, rel=0.03)
    if limit is not None:
        assert np.abs(got).max() <= limit


def test_fans_of_convolutions() -> None:
    got = draw(tf.glorot_uniform_initializer(), [3, 3, 16, 32])
    assert np.abs(got).max() <= np.sqrt(6 / (9 * 16 + 9 * 32))


@pytest.mark.parametrize("shape", [[8, 5], [5, 8], [2, 3, 4]])
def test_orthogonal(shape) -> None:
    got = draw(tf.orthogonal_initializer(gain=2.0), shape).reshape(-1, shape[-1])
    gram = got.T @ got if got.shape[0] >= got.shape[1] else got @ got.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-4)


def test_seeds_repeat_in_each_session() -> None:
    tf.set_random_seed(3)
    t = tf.truncated_normal_initializer(seed=7)([5])
    with tf.Session() as a, tf.Session() as b:
        np.testing.assert_array_equal(a.run(t), b.run(t))


def test_configurations() -> None:
    i = tf.initializers
    assert i.variance_scaling(2.0).get_config() == {
        "scale": 2.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None,
        "dtype": "float32",
    }  # fmt: skip
    assert i.glorot_uniform(seed=1).get_config() == {"seed": 1, "dtype": "float32"}
    again = i.random_normal.from_config(i.random_normal(1.0, 2.0).get_config())
    assert (again.mean, again.stddev) == (1.0, 2.0)


@pytest.mark.parametrize(
    "build",
    [
        lambda: tf.variance_scaling_initializer(scale=0.0),
        lambda: tf.variance_scaling_initializer(mode="fan"),
        lambda: tf.random_normal_initializer(dtype=tf.int32),
        lambda: tf.orthogonal_initializer()([3]),
        lambda: tf.initializers.identity()([3]),
    ],
)
def test_refusals(build) -> None:
    with pytest.raises(ValueError):
        build()
