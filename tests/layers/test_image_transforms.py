"""tf.contrib.image: transformations against TensorFlow's op, rotations, warps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf

I = tf.contrib.image  # noqa: E741
STORED = np.load(Path(__file__).parent.parent / "fixtures" / "projective.npz")
IMAGE = np.arange(20, dtype=np.float32).reshape(4, 5)


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


@pytest.mark.parametrize("kind", ["NEAREST", "BILINEAR"])
def test_what_tensorflows_op_gives(kind, sess) -> None:
    got = I.transform(STORED["images"], STORED["transforms"], kind, [6, 4])
    assert got.shape.as_list() == [3, 6, 4, 2]
    np.testing.assert_allclose(sess.run(got), STORED[kind], atol=1e-6)


def test_rotations(sess) -> None:
    square = np.arange(9, dtype=np.float32).reshape(3, 3)
    got = sess.run(I.rotate(square, np.pi / 2))
    np.testing.assert_array_equal(got, np.rot90(square))
    x = tf.placeholder(tf.float32, [None, None, None, 1])
    batch = np.stack([square, square])[..., None]
    turned = I.rotate(x, [np.pi / 2, np.pi], interpolation="BILINEAR")
    got = sess.run(turned, {x: batch})
    np.testing.assert_allclose(got[0, :, :, 0], np.rot90(square), atol=1e-5)
    np.testing.assert_allclose(got[1, :, :, 0], square[::-1, ::-1], atol=1e-5)
    whole = sess.run(I.rotate(square.astype(np.uint8)[..., None], np.pi))
    assert whole.dtype == np.uint8 and whole.shape == (3, 3, 1)


def test_shifts_and_compositions(sess) -> None:
    got = sess.run(I.translate(IMAGE, [1.0, -2.0]))
    want = np.zeros_like(IMAGE)
    want[:2, 1:] = IMAGE[2:, :-1]
    np.testing.assert_array_equal(got, want)
    one = I.translations_to_projective_transforms([1.0, 0.0])
    two = I.angles_to_projective_transforms(0.3, 4.0, 5.0)
    both = I.compose_transforms(one, two)
    matrices = sess.run([I.flat_transforms_to_matrices(t) for t in (one, two, both)])
    np.testing.assert_allclose(matrices[2], matrices[0] @ matrices[1], rtol=1e-5, atol=1e-6)
    again = I.matrices_to_flat_transforms(matrices[2] * 2.0)
    np.testing.assert_allclose(*sess.run([again, both]), rtol=1e-6)


def test_gradients_to_images(sess) -> None:
    x = tf.constant(IMAGE)
    moved = I.translate(x, [0.5, 0.0], "BILINEAR")
    got = sess.run(tf.gradients(tf.reduce_sum(moved * IMAGE), x)[0])
    want = 0.5 * IMAGE
    want[:, :-1] += 0.5 * IMAGE[:, 1:]
    np.testing.assert_allclose(got, want)


def test_dense_warps(sess) -> None:
    rng = np.random.RandomState(1)
    image = rng.rand(2, 4, 5, 3).astype(np.float32)
    flow = rng.randn(2, 4, 5, 2).astype(np.float32) * 2
    got = sess.run(I.dense_image_warp(image, flow))
    want = np.zeros_like(got)
    for n, j, i in np.ndindex(2, 4, 5):
        y = np.clip(j - flow[n, j, i, 0], 0, 3)
        x = np.clip(i - flow[n, j, i, 1], 0, 4)
        top, left = min(int(y), 2), min(int(x), 3)
        a, b = y - top, x - left
        corners = image[n, top : top + 2, left : left + 2]
        rows = corners[:, 0] * (1 - b) + corners[:, 1] * b
        want[n, j, i] = rows[0] * (1 - a) + rows[1] * a
    np.testing.assert_allclose(got, want, atol=1e-5)
    slope = tf.constant(flow)
    assert tf.gradients(I.dense_image_warp(image, slope), slope)[0] is not None


def test_errors() -> None:
    with pytest.raises(TypeError, match="rank between 2 and 4"):
        I.rotate(tf.zeros([3]), 0.1)
    with pytest.raises(TypeError, match="Angles should have rank 0 or 1"):
        I.rotate(IMAGE, [[0.1]])
    with pytest.raises(ValueError, match="interpolation must be"):
        I.transform(IMAGE, [1, 0, 0, 0, 1, 0, 0, 0], "CUBIC")
    with pytest.raises(ValueError, match="transforms cannot be empty"):
        I.compose_transforms()
