"""tf.nn convolutions and pools, tf.image: arguments, names, dynamic shapes, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.autodiff.checks import check_gradients

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def array(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def run(*tensors: Any, feed: Any = None) -> Any:
    with tf.Session() as session:
        out = session.run(list(tensors), feed)
    return out[0] if len(tensors) == 1 else out


X, W = array(2, 6, 5, 3), array(3, 2, 3, 4)


# ------------------------------------------------------------------ layouts and arguments
def channels_first(x: Any) -> Any:
    return np.moveaxis(x, -1, 1)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_channels_first_is_the_transpose(padding: str) -> None:
    last = tf.nn.conv2d(X, W, [1, 2, 1, 1], padding)
    first = tf.nn.conv2d(channels_first(X), W, [1, 1, 2, 1], padding, data_format="NCHW")
    a, b = run(last, first)
    np.testing.assert_allclose(channels_first(a), b, rtol=1e-5, atol=1e-5)
    assert first.shape.as_list() == list(b.shape)
    for pool in (tf.nn.max_pool, tf.nn.avg_pool):
        wide = pool(X, [1, 3, 2, 1], [1, 2, 1, 1], padding)
        deep = pool(channels_first(X), [1, 1, 3, 2], [1, 1, 2, 1], padding, "NCHW")
        a, b = run(wide, deep)
        np.testing.assert_allclose(channels_first(a), b, rtol=1e-6)


def test_numbers_for_strides_and_sizes() -> None:
    same = [tf.nn.conv2d(X, W, s, "SAME") for s in (2, [2], [2, 2], [1, 2, 2, 1])]
    got = run(*same)
    for other in got[1:]:
        np.testing.assert_array_equal(got[0], other)
    a, b = run(tf.nn.max_pool(X, 2, 2, "SAME"), tf.nn.max_pool2d(X, [2, 2], [2, 2], "SAME"))
    np.testing.assert_array_equal(a, b)


def test_explicit_padding_pads() -> None:
    pads = [[0, 0], [1, 2], [0, 1], [0, 0]]
    a = tf.nn.conv2d(X, W, [1, 1, 1, 1], pads)
    b = tf.nn.conv2d(np.pad(X, pads), W, [1, 1, 1, 1], "VALID")
    np.testing.assert_allclose(*run(a, b), rtol=1e-5, atol=1e-5)


def test_names_are_tensorflows() -> None:
    assert tf.nn.conv2d(X, W, 1, "SAME").op.name == "Conv2D"
    assert tf.nn.conv2d(X, W, 1, "SAME", name="c").op.type == "Conv2D"
    assert tf.nn.max_pool(X, 2, 2, "SAME").op.name == "MaxPool"
    assert tf.nn.avg_pool(X, 2, 2, "SAME").op.name == "AvgPool"
    assert tf.nn.depthwise_conv2d(X, array(2, 2, 3, 1), [1, 1, 1, 1], "SAME").op.name == "depthwise"
    assert tf.nn.conv1d(array(2, 5, 3), array(2, 3, 4), 1, "SAME").op.name == "conv1d/Squeeze"
    assert tf.nn.lrn(X).op.type == "LRN"


def test_convolution_goes_by_the_rank() -> None:
    line, wide = tf.nn.convolution(array(2, 9, 3), array(3, 3, 4), "SAME"), tf.nn.convolution(
        array(2, 5, 5, 3), array(3, 3, 3, 4), "VALID", strides=[2, 2]
    )
    solid = tf.nn.convolution(array(1, 4, 4, 4, 2), array(2, 2, 2, 2, 3), "SAME")
    assert [t.shape.as_list() for t in (line, wide, solid)] == [
        [2, 9, 4], [2, 2, 2, 4], [1, 4, 4, 4, 3]
    ]  # fmt: skip


# ------------------------------------------------------------------ shapes that only runs know
def test_another_batch_compiles_nothing() -> None:
    from graphc import stats

    x = tf.placeholder(tf.float32, [None, 8, 8, 3])
    w = tf.constant(array(3, 3, 3, 16))
    y = tf.nn.max_pool(tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME")), 2, 2, "SAME")
    grad = tf.gradients(y, w)[0]
    with tf.Session() as session:
        images = array(5, 8, 8, 3)
        session.run([y, grad], {x: images})
        before = stats()
        got = [session.run(y, {x: images[:n]}) for n in (5, 1, 3)]
        session.run([y, grad], {x: images[:2]})
        after = stats()
    assert after["kernels_compiled"] - before["kernels_compiled"] <= 3  # y alone is a new plan
    for part in got[1:]:
        np.testing.assert_allclose(part, got[0][: len(part)], rtol=1e-5, atol=1e-5)


def test_sizes_that_only_runs_know() -> None:
    x = tf.placeholder(tf.float32, [None, None, None, 3])
    wide = tf.nn.conv2d(x, W, [1, 2, 2, 1], "SAME")
    pooled = tf.nn.avg_pool(x, 3, 2, "SAME")
    grads = tf.gradients(tf.reduce_sum(wide * wide) + tf.reduce_sum(pooled * pooled), x)[0]
    for size in ((6, 5), (7, 4), (2, 9)):
        images = array(2, *size, 3)
        fixed = tf.constant(images)
        a, b = tf.nn.conv2d(fixed, W, [1, 2, 2, 1], "SAME"), tf.nn.avg_pool(fixed, 3, 2, "SAME")
        g = tf.gradients(tf.reduce_sum(a * a) + tf.reduce_sum(b * b), fixed)[0]
        for got, want in zip(run(wide, pooled, grads, feed={x: images}), run(a, b, g), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_output_shape_of_a_transpose_from_a_tensor() -> None:
    x = tf.placeholder(tf.float32, [None, 4, 4, 4])
    w = array(3, 3, 2, 4)
    batch = tf.shape(x)[0]
    y = tf.nn.conv2d_transpose(x, w, tf.stack([batch, 8, 8, 2]), [1, 2, 2, 1])
    z = tf.nn.conv2d_transpose(x, w, [batch, 8, 8, 2], [1, 2, 2, 1])
    assert y.shape.as_list() == [None, 8, 8, 2]
    for n in (3, 1):
        images = array(n, 4, 4, 4)
        a, b = run(y, z, feed={x: images})
        want = run(tf.nn.conv2d_transpose(images, w, [n, 8, 8, 2], [1, 2, 2, 1]))
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, want, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------ derivatives
def test_second_derivatives_of_a_small_net() -> None:
    x, w = tf.constant(array(1, 5, 5, 2)), tf.constant(array(3, 3, 2, 3))
    h = tf.nn.conv2d(x, w, [1, 2, 1, 1], "SAME")
    h = tf.nn.max_pool(tf.tanh(h), 2, 1, "VALID") + tf.nn.avg_pool(tf.sin(h), 2, 1, "VALID")
    loss = tf.reduce_sum(h * h)
    gx, gw = tf.gradients(loss, [x, w])
    penalty = tf.reduce_sum(gx * gx) + tf.reduce_sum(gw * gw)
    check_gradients(penalty, [x, w], {x: run(x), w: run(w)}, order=1, rtol=2e-3)


def test_transposes_agree_with_gradients() -> None:
    x, w = tf.constant(X), tf.constant(W)
    y = tf.nn.conv2d(x, w, [1, 2, 2, 1], "VALID")
    dy = tf.constant(array(*y.shape.as_list()))
    gx, gw = tf.gradients(y, [x, w], dy)
    step = [1, 2, 2, 1]
    by_name = (
        tf.nn.conv2d_backprop_input(X.shape, w, dy, step, "VALID"),
        tf.nn.conv2d_backprop_filter(x, W.shape, dy, step, "VALID"),
        tf.nn.conv2d_transpose(dy, w, X.shape, step, "VALID"),
    )
    a, b, c, d, e = run(gx, gw, *by_name)
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(b, d)
    np.testing.assert_array_equal(a, e)


def test_a_kernel_of_half_width() -> None:
    x, w = X.astype(np.float16), W.astype(np.float16)
    got = run(tf.nn.conv2d(x, w, 1, "SAME"))
    want = run(tf.nn.conv2d(X, W, 1, "SAME"))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, want, rtol=2e-2, atol=3e-2)


# ------------------------------------------------------------------ positions, images
def test_positions_of_maxima_point_at_them() -> None:
    value, place = tf.nn.max_pool_with_argmax(X, 2, 2, "SAME", include_batch_in_index=True)
    a, at = run(value, place)
    np.testing.assert_array_equal(X.reshape(-1)[at], a)
    assert at.dtype == np.int64


def test_resize_images() -> None:
    x = tf.constant(X)
    assert tf.image.resize_images(x, [6, 5]) is x
    one = tf.image.resize_images(X[0], [3, 4], method=tf.image.ResizeMethod.NEAREST_NEIGHBOR)
    assert one.shape.as_list() == [3, 4, 3]
    kept = tf.image.resize_images(x, [12, 100], preserve_aspect_ratio=True)
    assert kept.shape.as_list() == [2, 12, 10, 3]
    size = tf.placeholder(tf.int32, [2])
    free = tf.image.resize_bilinear(x, size)
    fixed = tf.image.resize_bilinear(x, [4, 9])
    np.testing.assert_allclose(*run(free, fixed, feed={size: [4, 9]}), rtol=1e-6, atol=1e-6)
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
    bytes_ = tf.image.resize_nearest_neighbor(pixels, [2, 2])
    assert run(bytes_).reshape(-1).tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("size", [(4, 4), (9, 8), (4, 9), (6, 5), (7, 3)])
def test_crop_or_pad(size: tuple[int, int]) -> None:
    got = run(tf.image.resize_image_with_crop_or_pad(X, *size))
    top, left = ((a - b) // 2 for a, b in zip(X.shape[1:3], size, strict=True))
    want = np.zeros((2, *size, 3), np.float32)
    for i in range(size[0]):
        for j in range(size[1]):
            at = i + (top if top >= 0 else -((size[0] - X.shape[1]) // 2))
            to = j + (left if left >= 0 else -((size[1] - X.shape[2]) // 2))
            if 0 <= at < X.shape[1] and 0 <= to < X.shape[2]:
                want[:, i, j] = X[:, at, to]
    np.testing.assert_array_equal(got, want)


def test_blocks_come_back() -> None:
    deep = tf.space_to_depth(array(1, 4, 6, 2), 2)
    assert deep.shape.as_list() == [1, 2, 3, 8]
    images = tf.space_to_batch(X, [[0, 0], [0, 1]], 2)
    back = tf.batch_to_space(images, [[0, 0], [0, 1]], 2)
    np.testing.assert_array_equal(run(back), X)


# ------------------------------------------------------------------ errors
IMAGES, K = np.zeros((2, 5, 5, 3), np.float32), np.zeros((3, 3, 3, 4), np.float32)
ERRORS = [
    (lambda: tf.nn.conv2d(IMAGES[0], K, 1, "SAME"), "Shape must be rank 4 but is rank 3"),
    (lambda: tf.nn.conv2d(IMAGES, K[0], 1, "SAME"), "Shape must be rank 4 but is rank 3"),
    (lambda: tf.nn.conv2d(IMAGES, K[:, :, :2], 1, "SAME"),
     r"Depth of input \(3\) is not a multiple of input depth of filter \(2\)"),
    (lambda: tf.nn.conv2d(IMAGES, K, [1, 1, 1], "SAME"),
     r"strides should be of length 1, 2 or 4. Received: strides=\[1, 1, 1\] of length 3"),
    (lambda: tf.nn.conv2d(IMAGES, K, [1, 0, 1, 1], "SAME"), "Stride must be > 0, but got 0"),
    (lambda: tf.nn.conv2d(IMAGES, K, [2, 1, 1, 1], "SAME"),
     "does not yet support strides in the batch"),
    (lambda: tf.nn.conv2d(IMAGES, K, 1, "same"), "passed string 'same' not in"),
    (lambda: tf.nn.conv2d(IMAGES, K, 1, "SAME", data_format="NHCW"), "passed string 'NHCW' not in"),
    (lambda: tf.nn.conv2d(IMAGES, np.zeros((7, 7, 3, 4), np.float32), 1, "VALID"),
     "Negative dimension size caused by subtracting 7 from 5"),
    (lambda: tf.nn.max_pool(IMAGES[0], 2, 2, "SAME"), "Shape must be rank 4 but is rank 3"),
    (lambda: tf.nn.max_pool(IMAGES, 7, 2, "VALID"), "caused by subtracting 7 from 5"),
    (lambda: tf.nn.max_pool(IMAGES, [1, 2, 2], 2, "VALID"), "ksize should be of length 1, 2 or 4"),
    (lambda: tf.nn.conv2d_transpose(IMAGES, np.zeros((3, 3, 4, 2), np.float32), [2, 9, 9, 4], 2),
     "Dimensions must be equal, but are 3 and 2"),
    (lambda: tf.nn.conv2d_transpose(IMAGES, K[:, :, :, :3], [2, 12, 12, 3], 2),
     "Size of out_backprop doesn't match computed: actual = 5, computed = 6"),
    (lambda: tf.nn.depthwise_conv2d(IMAGES, K[:, :, :2], [1, 1, 1, 1], "SAME"),
     "Dimensions must be equal, but are 3 and 2"),
    (lambda: tf.nn.convolution(IMAGES, K, "SAME", strides=[2, 2], dilation_rate=[2, 2]),
     "`strides > 1` not supported in conjunction with `dilation_rate > 1`"),
    (lambda: tf.space_to_depth(IMAGES, 2), "Dimension size must be evenly divisible by 2 but is 5"),
    (lambda: tf.depth_to_space(IMAGES, 2), "Dimension size must be evenly divisible by 4 but is 3"),
    (lambda: tf.space_to_depth(IMAGES, 1), "less than minimum 2"),
    (lambda: tf.space_to_batch_nd(IMAGES, [2, 2], [[0, 0], [0, 0]]),
     "evenly divisible by 2 but is 5"),
    (lambda: tf.image.resize_bilinear(IMAGES[0], [2, 2]), "Shape must be rank 4 but is rank 3"),
    (lambda: tf.image.resize_bilinear(IMAGES, [2, 2, 2]), "Dimension must be 2 but is 3"),
    (lambda: tf.nn.lrn(IMAGES[0]), "Shape must be rank 4 but is rank 3"),
    (lambda: tf.nn.pool(IMAGES, [2, 2], "SUM", "SAME"), "Unsupported pooling type: SUM"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_tensorflows(number: int) -> None:
    call, text = ERRORS[number]
    with pytest.raises(ValueError, match=text):
        call()


def test_averages_are_of_floats() -> None:
    with pytest.raises(TypeError, match="int32"):
        tf.nn.avg_pool(np.zeros((1, 4, 4, 1), np.int32), 2, 2, "SAME")


def test_errors_of_a_run() -> None:
    x = tf.placeholder(tf.float32, [None, None, None, None])
    y = tf.nn.conv2d(x, K, 1, "VALID")
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match="epth"):
            session.run(y, {x: array(1, 5, 5, 2)})
        with pytest.raises(tf.errors.InvalidArgumentError, match="subtracting 3 from 2"):
            session.run(y, {x: array(1, 2, 5, 3)})
        assert session.run(y, {x: array(1, 4, 5, 3)}).shape == (1, 2, 3, 4)
