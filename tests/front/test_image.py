"""tf.image in graphs: shapes known and unknown, random changes, pipelines of training scripts."""

from __future__ import annotations

import time
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


def test_chains_of_colours_compile_quickly_and_refuse_other_channels() -> None:
    x = tf.placeholder(tf.float32, [None, None, None])
    y = x
    for number in range(4):
        y = tf.image.adjust_saturation(tf.image.adjust_hue(y, 0.1 * number), 0.9)
    start = time.perf_counter()
    with tf.Session(options=tf.Config(cache_dir=None)) as sess:
        got = sess.run(y, {x: IMAGE})
        assert time.perf_counter() - start < 20
        assert got.shape == IMAGE.shape and (got >= 0).all() and (got <= 1).all()
        for channels in (2, 4):
            with pytest.raises(tf.errors.InvalidArgumentError, match="must have 3 channels"):
                sess.run(y, {x: np.ones((2, 2, channels))})


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


def test_distorted_boxes_keep_their_promises() -> None:
    image = tf.placeholder(tf.uint8, [None, None, 3])
    boxes = tf.constant([[[0.2, 0.3, 0.7, 0.8]]])
    begin, size, box = tf.image.sample_distorted_bounding_box(
        tf.shape(image), bounding_boxes=boxes, min_object_covered=0.3,
        aspect_ratio_range=[0.75, 1.33], area_range=[0.1, 0.8], max_attempts=100, seed=3,
    )  # fmt: skip
    crop = tf.slice(image, begin, size)
    assert box.get_shape().as_list() == [1, 1, 4]
    pixels = np.random.default_rng(0).integers(256, size=(60, 80, 3)).astype(np.uint8)
    seen = set()
    with tf.Session() as sess:
        for _ in range(20):
            b, s, drawn, part = sess.run([begin, size, box, crop], {image: pixels})
            h, w = s[:2]
            assert part.shape == (h, w, 3) and s[2] == -1 and b[2] == 0
            np.testing.assert_array_equal(part, pixels[b[0] : b[0] + h, b[1] : b[1] + w])
            assert 0.1 <= h * w / 4800 <= 0.8 and 0.7 <= w / h <= 1.4
            top, left, bottom, right = drawn[0, 0] * [60, 80, 60, 80]
            np.testing.assert_allclose([top, left, bottom - top, right - left], [*b[:2], h, w],
                                       atol=1e-3)  # fmt: skip
            tall = min(bottom, 42) - max(top, 12)
            wide = min(right, 64) - max(left, 24)
            assert tall > 0 and wide > 0 and tall * wide / (30 * 40) >= 0.29
            seen.add((*b, *s))
    assert len(seen) > 10


def test_distorted_boxes_without_boxes() -> None:
    none = np.zeros((1, 0, 4), np.float32)
    asked = tf.image.sample_distorted_bounding_box([30, 40, 3], none)
    whole = tf.image.sample_distorted_bounding_box(
        [30, 40, 3], none, use_image_if_no_bounding_boxes=True, area_range=[0.5, 1.0]
    )
    never = tf.image.sample_distorted_bounding_box(
        [30, 40, 3], [[[0.0, 0.0, 1.0, 1.0]]], area_range=[2.0, 3.0], max_attempts=2
    )
    with tf.Session() as sess:
        with pytest.raises(tf.errors.InvalidArgumentError, match="use_image_if_no_bounding_boxes"):
            sess.run(asked)
        size = sess.run(whole)[1]
        assert 0.5 <= size[0] * size[1] / 1200 <= 1
        begin, size, box = sess.run(never)
    assert begin.tolist() == [0, 0, 0] and size.tolist() == [30, 40, -1]
    np.testing.assert_array_equal(box, [[[0, 0, 1, 1]]])


def test_padded_suppression_and_a_detector_s_last_steps() -> None:
    boxes = tf.placeholder(tf.float32, [None, 4])
    scores = tf.placeholder(tf.float32, [None])
    chosen, valid = tf.image.non_max_suppression_padded(
        boxes, scores, 4, 0.5, pad_to_max_output_size=True
    )
    assert chosen.get_shape().as_list() == [4]
    best = tf.gather(boxes, tf.image.non_max_suppression(boxes, scores, 10, 0.5))
    image = tf.constant(IMAGE[None])
    crops = tf.image.crop_and_resize(image, best, tf.zeros([tf.shape(best)[0]], tf.int32), [2, 2])
    assert crops.get_shape().as_list() == [None, 2, 2, 3]
    feed = {
        boxes: [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.48], [0.5, 0.5, 1, 1]], scores: [0.5, 0.9, 0.7]
    }  # fmt: skip
    with tf.Session() as sess:
        got, count, cut = sess.run([chosen, valid, crops], feed)
        assert got.tolist() == [1, 2, 0, 0] and count == 2 and cut.shape == (2, 2, 2, 3)
        np.testing.assert_allclose(cut[1, 1, 1], IMAGE[-1, -1], rtol=1e-6)
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(tf.image.crop_and_resize(image, [[0.0, 0.0, 1.0, 1.0]], [1], [2, 2]))


def test_glimpses_beyond_the_image_hold_noise() -> None:
    image = np.ones((1, 4, 4, 1), np.float32) * [[[[5.0]]]]
    image[0, 0, 0] = 3.0
    noisy = tf.image.extract_glimpse(image, [6, 6], [[0.0, 0.0]])
    normal = tf.image.extract_glimpse(image, [6, 6], [[0.0, 0.0]], uniform_noise=False)
    with tf.Session() as sess:
        a, b = sess.run([noisy, normal])
    np.testing.assert_array_equal(a[:, 1:5, 1:5], image)
    np.testing.assert_array_equal(b[:, 1:5, 1:5], image)
    border = np.ones((6, 6), bool)
    border[1:5, 1:5] = False
    assert ((a[0, border] >= 3) & (a[0, border] <= 5)).all() and np.ptp(a[0, border]) > 0.5
    assert np.ptp(b[0, border]) > 1


def test_an_image_of_unknown_rank_is_one_image(tmp_path: Any) -> None:
    """What decode_image gives, in a pipeline of a dataset."""
    paths = []
    for number in range(4):
        paths.append(str(tmp_path / f"{number}.png"))
        image = np.full((6 + number, 9, 3), 20 * number, np.uint8)
        with tf.Graph().as_default(), tf.Session() as sess:
            (tmp_path / f"{number}.png").write_bytes(sess.run(tf.image.encode_png(image)))

    def load(path: Any, label: Any) -> Any:
        image = tf.image.decode_image(tf.read_file(path), channels=3)
        image = tf.image.random_flip_left_right(image)
        image = tf.image.resize_image_with_crop_or_pad(image, 8, 8)
        return tf.image.convert_image_dtype(image, tf.float32), label

    data = tf.data.Dataset.from_tensor_slices((paths, [0, 1, 2, 3])).map(load).batch(2)
    images, labels = data.make_one_shot_iterator().get_next()
    assert images.get_shape().as_list() == [None, 8, 8, None]
    free = tf.image.decode_image(tf.read_file(paths[2]))
    turned = tf.image.rot90(free, tf.constant(3) - tf.placeholder_with_default(2, []))
    with tf.Session() as sess:
        for first in (0, 2):
            got, numbers = sess.run([images, labels])
            assert got.shape == (2, 8, 8, 3) and numbers.tolist() == [first, first + 1]
            np.testing.assert_allclose(got.max((1, 2, 3)), np.array(numbers) * 20 / 255, rtol=1e-6)
        assert sess.run(turned).shape == (9, 8, 3)


def test_combined_suppression_tells_what_it_knows_of_shapes() -> None:
    boxes = tf.placeholder(tf.float32, [None, 9, 1, 4])
    scores = tf.placeholder(tf.float32, [None, 9, 3])
    found = tf.image.combined_non_max_suppression(boxes, scores, 2, 20, pad_per_class=True)
    assert found.nmsed_boxes.get_shape().as_list() == [None, 6, 4]
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        got = sess.run(found, {boxes: rng.random((2, 9, 1, 4)), scores: rng.random((2, 9, 3))})
    assert got.nmsed_classes.shape == (2, 6) and (got.valid_detections <= 6).all()
    assert (np.diff(got.nmsed_scores) <= 0).all()
