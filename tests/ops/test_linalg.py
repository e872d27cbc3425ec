"""Linear algebra: records, functions, gradients that need symmetric input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import decomposition, linalg
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import agree, check_forward, check_gradient, in_session, names_of, run

NAMES = names_of(decomposition, linalg)
S = np.array([[3.0, 1.0, 0.5], [0.2, 2.0, -0.3], [0.1, 0.4, 1.5]])
P = S @ S.T + np.eye(3)
R = np.arange(6.0).reshape(3, 2)


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].grad is not None])
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])


def test_functions_agree_with_numpy() -> None:
    agree(tf.matrix_inverse, np.linalg.inv, S)
    agree(tf.matrix_determinant, np.linalg.det, S)
    agree(lambda x: tf.linalg.slogdet(x)[1], lambda a: np.linalg.slogdet(a)[1], S)
    agree(tf.linalg.logdet, lambda a: np.linalg.slogdet(a)[1], P)
    agree(tf.cholesky, np.linalg.cholesky, P)
    agree(tf.matrix_solve, np.linalg.solve, S, R)
    agree(
        lambda x, y: tf.matrix_solve(x, y, adjoint=True), lambda a, b: np.linalg.solve(a.T, b),
        S, R,
    )  # fmt: skip
    agree(lambda x, y: tf.cholesky_solve(tf.cholesky(x), y), np.linalg.solve, P, R)
    agree(tf.matrix_triangular_solve, lambda a, b: np.linalg.solve(np.tril(a), b), S, R)
    agree(tf.trace, np.trace, S)
    agree(tf.self_adjoint_eigvals, np.linalg.eigvalsh, P)
    agree(lambda x: tf.svd(x, compute_uv=False), lambda a: np.linalg.svd(a)[1], R)
    agree(lambda x: tf.cross(x[0], x[1]), lambda a: np.cross(a[0], a[1]), S)


@pytest.mark.parametrize("full", [False, True])
def test_decompositions_rebuild_the_matrix(full: bool) -> None:
    s, u, v = in_session(lambda x: tf.svd(x, full_matrices=full), R)
    k = len(s)
    np.testing.assert_allclose(u[:, :k] * s @ v[:, :k].T, R, atol=1e-12)
    q, r = in_session(lambda x: tf.qr(x, full_matrices=full), R)
    np.testing.assert_allclose(q @ r, R, atol=1e-12)
    e, w = in_session(tf.self_adjoint_eig, P)
    np.testing.assert_allclose(w * e @ w.T, P, atol=1e-12)


@pytest.mark.parametrize(
    ("order", "axis"),
    [
        ("euclidean", None), (1, None), (2, 1), (np.inf, 0), (3, 1), ("fro", (0, 1)), (1, (0, 1)),
        (np.inf, (0, 1)), (2, (0, 1)),
    ],
)
def test_norms(order: Any, axis: Any) -> None:
    flat = S.reshape(-1) if axis is None else S
    name = None if isinstance(order, str) else order
    for keep in (False, True):
        want = np.linalg.norm(flat, name, axis, keepdims=keep and axis is not None)
        agree(
            lambda x: tf.norm(x, order, axis, keepdims=keep),
            lambda a: want if axis is not None or not keep else want.reshape(1, 1), S,
        )  # fmt: skip


def test_norm_errors() -> None:
    with pytest.raises(ValueError, match="supported vector norm"):
        tf.norm(tf.zeros([2]), "fro")
    with pytest.raises(ValueError, match="supported matrix norm"):
        tf.norm(tf.zeros([2, 2]), 3, axis=[0, 1])


def _check_symmetric(fn: Any) -> None:
    """The gradient of fn(x + x') against differences: x moves freely, its image is symmetric."""
    rng = np.random.default_rng(0)
    x = tf.placeholder(tf.float64, [3, 3])
    y = tf.reduce_sum(fn(x + tf.transpose(x)) * rng.normal(size=(3, 3)))
    g = tf.gradients(y, x)[0]
    gg = tf.gradients(tf.reduce_sum(g * g), x)[0]
    value, way = P / 2, rng.normal(size=(3, 3))
    for of, slope in ((y, g), (tf.reduce_sum(g * g), gg)):
        up, down = (run(of, {x: value + e * way}) for e in (1e-6, -1e-6))
        np.testing.assert_allclose(
            (run(slope, {x: value}) * way).sum(), (up - down) / 2e-6, rtol=1e-5
        )


def test_gradient_of_cholesky() -> None:
    _check_symmetric(tf.cholesky)


def test_gradient_of_eigenvectors() -> None:
    _check_symmetric(lambda x: tf.square(tf.self_adjoint_eig(x)[1]))


def test_gradient_of_logdet_is_the_inverse() -> None:
    x = tf.placeholder(tf.float64, [3, 3])
    g = tf.gradients(tf.linalg.logdet(x), x)[0]
    np.testing.assert_allclose(run(g, {x: P}), np.linalg.inv(P), rtol=1e-9)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (tf.matrix_inverse, "Input is not invertible."),
        (tf.cholesky, "Cholesky decomposition was not successful."),
        (lambda x: tf.matrix_solve(x, x), "Input matrix is not invertible."),
    ],
)
def test_singular_matrices_raise(build: Any, text: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        in_session(build, np.ones((2, 2)))


@pytest.mark.parametrize("build", [tf.matrix_inverse, tf.cholesky, tf.matrix_determinant])
def test_matrices_must_be_square(build: Any) -> None:
    with pytest.raises(ValueError, match="Dimensions must be equal, but are 2 and 3"):
        build(tf.zeros([2, 3]))


def test_gradients_that_do_not_exist_say_so() -> None:
    x = tf.placeholder(tf.float64, [4, 3])
    with pytest.raises(NotImplementedError, match="full_matrices"):
        tf.gradients(tf.svd(x, full_matrices=True)[1], x)
