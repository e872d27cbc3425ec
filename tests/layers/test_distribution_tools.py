"""tf.contrib.distributions.percentile, fill_triangular, matrix_diag_transform."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

C = tf.contrib.distributions
RNG = np.random.RandomState(0)


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


@pytest.mark.parametrize("kind", ["lower", "higher", "nearest"])
@pytest.mark.parametrize("axis", [None, 0, [1, 2], -1])
def test_percentiles(kind, axis, sess) -> None:
    x = RNG.rand(4, 5, 6)
    at = tuple(axis) if isinstance(axis, list) else axis
    for q in (0, 13.0, 49, 99, 100):  # at 50 two elements may be equally near
        for keep in (False, True):
            got = sess.run(C.percentile(x, q, axis, kind, keep))
            want = np.percentile(x, q, axis=at, method=kind, keepdims=keep)
            np.testing.assert_allclose(got, want)


def test_a_percentile_of_what_is_fed(sess) -> None:
    x = tf.placeholder(tf.float32, [None])
    assert sess.run(C.percentile(x, 50.0), {x: [5.0, 1.0, 3.0]}) == 3
    assert sess.run(C.percentile([1, 2, 3, 4], 25.0, interpolation="lower")) == 1
    with pytest.raises(ValueError, match="must be in"):
        C.percentile(x, 50.0, interpolation="linear")


def test_triangles(sess) -> None:
    got = sess.run([C.fill_triangular([1, 2, 3, 4, 5, 6]),
                    C.fill_triangular([1, 2, 3, 4, 5, 6], upper=True)])  # fmt: skip
    # the examples of TensorFlow's documentation
    assert got[0].tolist() == [[4, 0, 0], [6, 5, 0], [3, 2, 1]]
    assert got[1].tolist() == [[1, 2, 3], [0, 5, 6], [0, 0, 4]]
    x = RNG.rand(2, 10)
    for upper in (False, True):
        matrices = C.fill_triangular(x, upper)
        assert matrices.shape.as_list() == [2, 4, 4]
        np.testing.assert_array_equal(sess.run(C.fill_triangular_inverse(matrices, upper)), x)
    with pytest.raises(ValueError, match="does not correspond to a triangular"):
        C.fill_triangular([1, 2])


def test_a_scale_from_a_network(sess) -> None:
    raw = tf.constant(RNG.randn(3, 6))
    tril = C.matrix_diag_transform(C.fill_triangular(raw), transform=tf.nn.softplus)
    dist = C.MultivariateNormalTriL(tf.zeros([3, 3], tf.float64), tril)
    loss = -tf.reduce_mean(dist.log_prob(np.ones((3, 3))))
    value, slope = sess.run([loss, tf.gradients(loss, raw)[0]])
    assert np.isfinite(value) and np.all(slope != 0)
