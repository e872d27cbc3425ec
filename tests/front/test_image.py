"""tf.image in graphs: shapes known and unknown, random changes, pipelines of training scripts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

IMAGE = np.random.default_rng(1).random((4, 6, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def test_static_shapes_are_kept() -> None:
    x = tf.placeholder(tf.uint8, [None, 32, 40, 3])
    for got, want in (
        (tf.image.flip_left_right(x), [None, 32, 40, 3]),
        (tf.image.rot90(x), [None, 40, 32, 3]),
        (tf.image.central_crop(x, 0.5), [None, 16, 20, 3]),
        (tf.image.crop_to_bounding_box(x, 1, 2, 3, 4), [None, 3, 4, 3]),
        (tf.image.pad_to_bounding_box(x, 1, 2, 50, 60), [None, 50, 60, 3]),
        (tf.image.resize_image_with_pad(x, 64, 64), [None, 64, 64, 3]),
        (tf.image.rgb_to_grayscale(x), [None, 32, 40, 1]),
        (tf.image.convert_image_dtype(x, tf.float32), [None, 32, 40, 3]),
        (tf.image.random_flip_left_right(x), [None, 32, 40, 3]),
        (tf.image.sobel_edges(tf.cast(x, tf.float32)), [None, 32, 40, 3, 2]),
        (tf.image.total_variation(tf.cast(x, tf.float32)), [None]),
    ):
        assert got.get_shape().as_list() == want


def test_random_flips_are_flips_about_half_of_the_time() -> None:
    one = tf.image.random_flip_left_right(IMAGE, seed=4)
    batch = tf.image.random_flip_up_down(np.stack([IMAGE] * 6), seed=5)
    counts = np.zeros(2)
    with tf.Session() as sess:
        for _ in range(60):
            image, images = sess.run([one, batch])
            flipped = np.array_equal(image, IMAGE[:, ::-1])
            assert flipped or np.array_equal(image, IMAGE)
            ups = [np.array_equal(i, IMAGE[::-1]) for i in images]
            assert all(u or np.array_equal(i, IMAGE) for u, i in zip(ups, images))
            counts += [flipped, sum(ups) / 6]
    assert (counts > 15).all() and (counts < 45).all()


def test_random_colours_stay_within_their_bounds() -> None:
    bright = tf.image.random_brightness(IMAGE, 0.2, seed=1)
    contrast = tf.image.random_contrast(IMAGE, 0.5, 1.5, seed=2)
    hue = tf.image.rgb_to_hsv(tf.image.random_hue(IMAGE, 0.1, seed=3))
    vivid = tf.image.rgb_to_hsv(tf.image.random_saturation(IMAGE, 0.5, 0.9, seed=4))
    before = tf.image.rgb_to_hsv(IMAGE)
    mean = IMAGE.mean((0, 1))
    with tf.Session() as sess:
        start = sess.run(before)
        seen = []
        for _ in range(8):
            b, c, h, s = sess.run([bright, contrast, hue, vivid])
            delta = b - IMAGE
            assert np.ptp(delta) < 1e-6 and abs(delta).max() <= 0.2
            factor = ((c - mean) / (IMAGE - mean)).mean()
            assert 0.5 <= factor < 1.5
            np.testing.assert_allclose(c, (IMAGE - mean) * factor + mean, atol=1e-4)
            turn = (h - start)[..., 0]
            turn = np.where(turn > 0.5, turn - 1, np.where(turn < -0.5, turn + 1, turn))
            assert abs(turn).max() <= 0.1 + 1e-5 and np.ptp(turn) < 1e-4
            share = s[..., 1] / start[..., 1]
            assert share.min() >= 0.5 - 1e-4 and share.max() < 0.9 + 1e-4
            seen.append(delta.flat[0])
        assert len(set(seen)) == 8
    for call in (
        lambda: tf.image.random_brightness(IMAGE, -1), lambda: tf.image.random_hue(IMAGE, 0.6),
        lambda: tf.image.random_contrast(IMAGE, 2, 1),
        lambda: tf.image.random_saturation(IMAGE, -1, 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="must be"):
            call()


def test_an_augmented_input_of_a_training_script() -> None:
    """The distortions of the CIFAR-10 tutorial, for each image of a batch."""
    raw = tf.placeholder(tf.uint8, [8, 12, 12, 3])
    distorted = []
    for image in tf.unstack(tf.cast(raw, tf.float32)):
        image = tf.random_crop(image, [10, 10, 3])
        image = tf.image.random_flip_left_right(image)
        image = tf.image.random_brightness(image, max_delta=63)
        image = tf.image.random_contrast(image, lower=0.2, upper=1.8)
        distorted.append(tf.image.per_image_standardization(image))
    batch = tf.stack(distorted)
    assert batch.get_shape().as_list() == [8, 10, 10, 3]
    images = np.random.default_rng(0).integers(256, size=(8, 12, 12, 3))
    with tf.Session() as sess:
        got = sess.run(batch, {raw: images})
    np.testing.assert_allclose(got.mean((1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(got.std((1, 2, 3)), 1, atol=1e-3)
    assert got.dtype == np.float32


def test_the_texts_of_errors() -> None:
    for call, text in (
        (lambda: tf.image.flip_left_right([1.0, 2.0]), "must be at least three-dimensional"),
        (lambda: tf.image.crop_to_bounding_box(IMAGE, 3, 0, 2, 2), "height must be >= target"),
        (lambda: tf.image.pad_to_bounding_box(IMAGE, 0, 3, 4, 6), "width must be <= target"),
        (lambda: tf.image.central_crop(IMAGE, 0.0), r"must be within \(0, 1\]"),
        (lambda: tf.image.rgb_to_hsv(IMAGE[..., :2]), "input must have 3 channels"),
        (lambda: tf.image.adjust_gamma(IMAGE, -1), "non-negative"),
        (lambda: tf.image.ssim(IMAGE, IMAGE[:2], 1.0), "not compatible"),
        (lambda: tf.image.resize_image_with_pad(IMAGE, 0, 2), "target_height must be > 0"),
    ):
        with pytest.raises(ValueError, match=text):
            call()
