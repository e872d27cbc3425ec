"""Where loops keep what they carry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.helpers import plan_of


@pytest.fixture
def graph() -> Any:
    with tf.Graph().as_default() as made:
        yield made


def copied_inits(graph: Any, fetches: list[Any], feed: dict[Any, Any]) -> int:
    """The initial values that are copied from one place of the arena to another."""
    steps = plan_of(graph, fetches, feed).schedule.steps
    return sum(s.kind == "copy" and s.name == "init" and s.reads[0].kind == "arena" for s in steps)


def doubled(start: Any) -> Any:
    return tf.while_loop(lambda t, _: t < 3, lambda t, v: (t + 1, v * 2.0), (0, start))[1]


def run(fetches: Any, feed: dict[Any, Any]) -> Any:
    with tf.Session() as sess:
        return sess.run(fetches, feed)


def test_a_computed_initial_value_is_not_copied(graph: Any) -> None:
    x = tf.placeholder(tf.float32, [4])
    out = tf.sin(doubled(tf.exp(x)))
    feed = {x: np.arange(4, dtype=np.float32)}
    assert copied_inits(graph, [out], feed) == 0
    np.testing.assert_allclose(run(out, feed), np.sin(8 * np.exp(feed[x])), rtol=1e-4)


def test_a_value_that_others_read_is_copied(graph: Any) -> None:
    x = tf.placeholder(tf.float32, [4])
    start = tf.exp(x)
    fetches = [tf.sin(doubled(start)), tf.cos(doubled(start)), start + 1.0]
    feed = {x: np.arange(4, dtype=np.float32)}
    assert copied_inits(graph, fetches, feed) >= 1
    grown = np.exp(feed[x])
    wanted = [np.sin(8 * grown), np.cos(8 * grown), grown + 1]
    for got, want in zip(run(fetches, feed), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_views_of_an_initial_value_keep_it(graph: Any) -> None:
    x = tf.placeholder(tf.float32, [2, 2])
    start = tf.exp(x)
    flat = tf.reshape(start, [4])
    fetches = [tf.sin(doubled(flat)), tf.matmul(start, start)]
    feed = {x: np.arange(4, dtype=np.float32).reshape(2, 2)}
    grown = np.exp(feed[x])
    first, second = run(fetches, feed)
    np.testing.assert_allclose(first, np.sin(8 * grown.reshape(-1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(second, grown @ grown, rtol=1e-4)


def test_a_value_carried_twice_has_two_places(graph: Any) -> None:
    x = tf.placeholder(tf.float32, [4])
    start = tf.exp(x)
    body = lambda t, a, b: (t + 1, a * 2.0, b + 1.0)  # noqa: E731
    a, b = tf.while_loop(lambda t, *_: t < 3, body, (0, start, start))[1:]
    feed = {x: np.arange(4, dtype=np.float32)}
    got = run(tf.sin(a) + tf.cos(b), feed)
    grown = np.exp(feed[x])
    np.testing.assert_allclose(got, np.sin(8 * grown) + np.cos(grown + 3), rtol=1e-4, atol=1e-4)
