"""More of tf.math and tf.linalg against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

special = pytest.importorskip("scipy.special")
RNG = np.random.RandomState(0)
POINTS = np.array([-300.0, -8.1, -8.0, -3.0, -0.1, 0.0, 1e-3, 0.5, 7.9, 20.0, 300.0])


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


@pytest.mark.parametrize("name", ["bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e"])
def test_bessel_functions(name, sess) -> None:
    theirs = getattr(special, name.removeprefix("bessel_"))
    got = sess.run(getattr(tf.math, name)(POINTS))
    np.testing.assert_allclose(got, theirs(POINTS), rtol=1e-12)
    single = sess.run(getattr(tf.math, name)(POINTS[2:-1].astype(np.float32)))
    np.testing.assert_allclose(single, theirs(POINTS[2:-1]), rtol=5e-6)
    x = tf.constant(POINTS[3:-1])
    slope = sess.run(tf.gradients(tf.math.bessel_i0(x), x)[0])
    np.testing.assert_allclose(slope, special.i1(POINTS[3:-1]), rtol=1e-7, atol=1e-12)


def test_small_functions(sess) -> None:
    x = np.array([0.0, 0.0, 2.0])
    y = np.array([-1.0, 3.0, 0.5])
    np.testing.assert_allclose(sess.run(tf.math.xlog1py(x, y)), special.xlog1py(x, y))
    assert sess.run(tf.math.reciprocal_no_nan([0.0, 4.0])).tolist() == [0, 0.25]
    assert sess.run(tf.div_no_nan([1.0, 1.0], [0.0, 4.0])).tolist() == [0, 0.25]
    p = np.array([1e-9, 0.1, 1.0, 1.9])
    np.testing.assert_allclose(sess.run(tf.math.erfcinv(p)), special.erfcinv(p), rtol=1e-9)
    np.testing.assert_allclose(sess.run(tf.math.ndtri(p[:2])), special.ndtri(p[:2]), rtol=1e-9)
    coefficients = [2.0, tf.constant(-1.0), 3.0]
    got = sess.run(tf.math.polyval(coefficients, [0.5, 2.0]))
    np.testing.assert_allclose(got, np.polyval([2, -1, 3], [0.5, 2.0]))
    assert sess.run(tf.math.polyval([], [1.0])).tolist() == [0]
    with pytest.raises(ValueError, match="must be list"):
        tf.math.polyval(tf.zeros([2]), 1.0)
    z = tf.to_complex64([1.0])
    assert z.dtype is tf.complex64 and tf.to_complex128(z).dtype is tf.complex128


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("reverse", [False, True])
def test_cumulative_logsumexp(axis, reverse, sess) -> None:
    x = RNG.randn(3, 4, 5) * 300
    got = sess.run(tf.math.cumulative_logsumexp(x, axis, reverse=reverse))
    turned = np.flip(x, axis) if reverse else x
    want = np.logaddexp.accumulate(turned, axis)
    np.testing.assert_allclose(got, np.flip(want, axis) if reverse else want, rtol=1e-12)
    shifted = sess.run(tf.math.cumulative_logsumexp(x, axis, exclusive=True, reverse=reverse))
    first = np.take(shifted, -1 if reverse else 0, axis)
    assert np.all(first == np.finfo(np.float64).min)


def test_exponentials_of_matrices(sess) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    x = RNG.randn(2, 3, 3) * 4
    want = np.array([linalg.expm(m) for m in x])
    np.testing.assert_allclose(sess.run(tf.linalg.expm(x)), want, rtol=1e-10)
    big = np.diag([700.0, -700.0])
    np.testing.assert_allclose(sess.run(tf.linalg.expm(big))[0, 0], np.exp(700), rtol=1e-9)
    assert sess.run(tf.linalg.expm(np.zeros((0, 2, 2)))).shape == (0, 2, 2)
    assert np.isnan(sess.run(tf.linalg.expm([[np.nan, 0.0], [0.0, 1.0]]))).all()


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
@pytest.mark.parametrize("fast", [True, False])
def test_least_squares(shape, fast, sess) -> None:
    a, b = RNG.randn(2, *shape), RNG.randn(2, shape[0], 2)
    got = sess.run(tf.linalg.lstsq(a, b, fast=fast))
    want = np.array([np.linalg.lstsq(m, r, rcond=None)[0] for m, r in zip(a, b, strict=True)])
    np.testing.assert_allclose(got, want, rtol=1e-6)
    ridge = sess.run(tf.matrix_solve_ls(a, b, l2_regularizer=0.5, fast=fast))
    turned = np.swapaxes(a, 1, 2)
    want = np.linalg.solve(turned @ a + 0.5 * np.eye(shape[1]), turned @ b)
    np.testing.assert_allclose(ridge, want, rtol=1e-6)


def test_pseudo_inverses_and_ranks(sess) -> None:
    a = RNG.randn(2, 4, 3)
    a[1, :, 2] = a[1, :, 0] + a[1, :, 1]
    np.testing.assert_allclose(sess.run(tf.linalg.pinv(a)), np.linalg.pinv(a), atol=1e-10)
    assert sess.run(tf.linalg.matrix_rank(a)).tolist() == [3, 2]
    assert sess.run(tf.linalg.matrix_rank(a, tol=1e6)).tolist() == [0, 0]
    x, size = sess.run(tf.linalg.normalize(a, axis=-1))
    np.testing.assert_allclose(x * size, a)
    np.testing.assert_allclose((x**2).sum(-1), 1)
    at = tf.constant(a[0])
    assert np.isfinite(sess.run(tf.gradients(tf.linalg.pinv(at), at)[0])).all()
