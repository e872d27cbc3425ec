"""Rules of the user's own: RegisterGradient, gradient_override_map, custom_gradient, tf.test."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc import config
from graphc.ops.define import F
from graphc.tf1 import api_gradients as api


@pytest.fixture(autouse=True)
def graph():
    config.configure(backend="reference")
    with tf.Graph().as_default() as g:
        yield g
    config.reset()


def run(fetches, feeds=None):
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(fetches, feeds)


@api.RegisterGradient("TestPassThrough")
def _pass_through(op, grad):
    assert op.type == "Round"
    return grad * 7.0


def test_an_override_holds_for_the_nodes_made_inside(graph):
    x = tf.constant([1.2, 2.7])
    with graph.gradient_override_map({"Round": "TestPassThrough"}):
        inside = F.round(x)
    outside = F.round(x)
    (g,) = tf.gradients(inside * 2.0, x)
    np.testing.assert_allclose(run(g), [14.0, 14.0])
    assert tf.gradients(outside, x) == [None]


def test_the_inner_override_wins_and_unknown_names_are_an_error(graph):
    x = tf.constant(1.0)
    with graph.gradient_override_map({"Round": "NeverRegistered"}):
        with graph.gradient_override_map({"Round": "TestPassThrough"}):
            y = F.round(x)
        z = F.round(x)
    assert run(tf.gradients(y, x)[0]) == 7.0
    with pytest.raises(LookupError, match="no entry for: NeverRegistered"):
        tf.gradients(z, x)
    with pytest.raises(TypeError), graph.gradient_override_map(["Round"]):
        pass


def test_names_are_registered_once():
    with pytest.raises(KeyError, match="Registering two gradient with name 'TestPassThrough'"):
        api.RegisterGradient("TestPassThrough")(lambda op, g: g)
    with pytest.raises(KeyError, match="'MatMul'"):
        api.RegisterGradient("MatMul")(lambda op, g: g)


def test_a_custom_gradient_replaces_that_of_the_function():
    @api.custom_gradient
    def log1pexp(x):
        e = F.exp(x)
        return F.log(1.0 + e), lambda dy: dy * (1.0 - 1.0 / (1.0 + e))

    x = tf.constant([100.0, 0.0])
    y = log1pexp(x)
    (g,) = tf.gradients(y, x)
    np.testing.assert_allclose(run(g), [1.0, 0.5])


def test_custom_gradients_of_several_arguments_results_and_variables():
    w = tf.Variable(3.0)

    @api.custom_gradient
    def two(a, b):
        def back(da, db, variables=None):
            assert variables == [w]
            return [da * 10.0, db * 100.0], [da * 1000.0]

        return (a * w, b * w), back

    a, b = tf.constant(1.0), tf.constant(2.0)
    p, q = two(a, b)
    grads = tf.gradients([p, q], [a, b, w])
    assert run([p, q, *grads]) == [3.0, 6.0, 10.0, 100.0, 1000.0]


def test_custom_gradient_errors():
    w = tf.Variable(3.0)
    x = tf.constant(1.0)
    with pytest.raises(TypeError, match="must accept a 'variables' keyword"):
        api.custom_gradient(lambda v: (v * w, lambda dy: dy))(x)
    with pytest.raises(ValueError, match="must return"):
        api.custom_gradient(lambda v: v)(x)
    y = api.custom_gradient(lambda v: (v * 2.0, lambda dy: (dy, dy)))(x)
    with pytest.raises(ValueError, match="expected to return 1 gradients but returned 2"):
        tf.gradients(y, x)


def test_compute_gradient_gives_both_jacobians():
    x = tf.placeholder(tf.float64, [2])
    y = F.reshape(x, [2, 1]) * F.reshape(F.exp(x), [1, 2])
    with tf.Session():
        at = np.array([0.5, -1.0])
        symbolic, numeric = api.compute_gradient(x, [2], y, [2, 2], x_init_value=at)
        assert symbolic.shape == (2, 4)
        np.testing.assert_allclose(symbolic, numeric, atol=1e-5)
        assert api.compute_gradient_error(x, [2], y, [2, 2], x_init_value=at) < 1e-5
    with pytest.raises(ValueError, match=r"[Ss]ession"):
        api.compute_gradient(x, [2], y, [2, 2])


def test_variables_may_be_sources_however_they_are_read():
    w = tf.Variable([2.0, 3.0])
    y = w * w + w.value() + w.read_value()
    (g,) = tf.gradients(y, w)
    np.testing.assert_allclose(run(g), [6.0, 8.0])
    (of_read,) = tf.gradients(w.value() * 5.0, w.value())
    np.testing.assert_allclose(run(of_read), [5.0, 5.0])
