"""Images moved, coloured and measured: small graphs for tests/oracle/record.py."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, Any] = {}
RNG = np.random.RandomState(3)
IMAGE = RNG.rand(3, 4, 3).astype(np.float32)
BATCH = RNG.rand(2, 3, 5, 3).astype(np.float32)
BYTES = RNG.randint(256, size=(2, 3, 4, 3)).astype(np.uint8)
LARGE = [np.clip(0.5 + RNG.randn(2, 24, 23, 2) / 5, 0, 1).astype(np.float32) for _ in range(2)]


def case(fn: Any) -> Any:
    CASES[fn.__name__] = fn
    return fn


def loose(tf: Any, array: Any) -> Any:
    return tf.placeholder_with_default(array, [None] * array.ndim)


@case
def mirrors_and_turns(tf: Any) -> Any:
    out = []
    for x in (IMAGE, loose(tf, BATCH)):
        out += [
            tf.image.flip_left_right(x), tf.image.flip_up_down(x), tf.image.transpose_image(x),
            *(tf.image.rot90(x, k) for k in range(5)), tf.image.rot90(x),
        ]  # fmt: skip
    turns = tf.placeholder_with_default(np.int32(3), [])
    return [*out, tf.image.rot90(IMAGE, turns), tf.image.rot90(BATCH, turns - 1)]


@case
def parts(tf: Any) -> Any:
    out = []
    for x in (IMAGE, loose(tf, BATCH)):
        out += [
            tf.image.central_crop(x, 0.5), tf.image.central_crop(x, 1.0),
            tf.image.crop_to_bounding_box(x, 1, 0, 2, 3),
            tf.image.pad_to_bounding_box(x, 1, 2, 6, 7),
            tf.image.pad_to_bounding_box(x, 0, 0, 3, 5),
            tf.image.resize_image_with_crop_or_pad(x, 5, 2),
            tf.image.resize_with_crop_or_pad(x, 2, 7),
            tf.image.resize_image_with_pad(x, 6, 6), tf.image.resize_image_with_pad(x, 4, 9, 1),
        ]  # fmt: skip
    offset = tf.placeholder_with_default(np.int32(1), [])
    return [
        *out, tf.image.crop_to_bounding_box(IMAGE, offset, 1, 2, offset + 1),
        tf.image.pad_to_bounding_box(IMAGE, offset, 1, offset + 4, 7),
    ]


CASES["crop_outside"] = lambda tf: tf.image.crop_to_bounding_box(IMAGE, 2, 0, 2, 2)
CASES["crop_negative"] = lambda tf: tf.image.crop_to_bounding_box(IMAGE, -1, 0, 2, 2)
CASES["pad_too_small"] = lambda tf: tf.image.pad_to_bounding_box(IMAGE, 1, 0, 3, 4)
CASES["fraction_too_large"] = lambda tf: tf.image.central_crop(IMAGE, 1.5)


@case
def dtypes(tf: Any) -> Any:
    out = []
    ints = np.array([[[0, 1, 127]]])
    kinds = ("uint8", "int8", "int16", "uint16", "int32", "int64")
    for kind in kinds:
        x = tf.constant(ints, kind)
        for wanted in (*kinds[:-1], "float32", "float64", "float16"):
            out.append(tf.image.convert_image_dtype(x, wanted))
    floats = tf.constant([[[-0.5, 0.0, 0.25, 0.999, 1.0]]])
    for wanted in ("uint8", "int16", "uint16"):
        out.append(tf.image.convert_image_dtype(floats, wanted, saturate=True))
    out.append(tf.image.convert_image_dtype(tf.constant([[[0.0, 0.3, 1.0]]]), "uint8"))
    return [*out, tf.image.convert_image_dtype(floats, "float64"),
            tf.image.convert_image_dtype(BYTES, tf.float32)]  # fmt: skip


@case
def values(tf: Any) -> Any:
    delta = tf.placeholder_with_default(np.float32(0.3), [])
    out = []
    for x in (IMAGE, BATCH, BYTES):
        out += [
            tf.image.adjust_brightness(x, 0.2), tf.image.adjust_brightness(x, delta),
            tf.image.adjust_contrast(x, 1.7), tf.image.adjust_gamma(x, 0.5, 0.9),
        ]  # fmt: skip
    return [*out, tf.image.per_image_standardization(IMAGE),
            tf.image.per_image_standardization(BATCH), tf.image.per_image_standardization(BYTES[0]),
            tf.image.per_image_standardization(np.ones((2, 2, 3), np.float32))]  # fmt: skip


@case
def hue_and_saturation(tf: Any) -> Any:
    out = []
    for x in (IMAGE, BATCH):
        out += [tf.image.adjust_hue(x, d) for d in (0.1, -0.4, 0.75, 0.0)]
        out += [tf.image.adjust_saturation(x, f) for f in (0.5, 1.8, 0.0)]
    grey = np.array([[[0.2, 0.2, 0.2], [0, 0, 0], [1, 1, 1], [1, 0, 0.5]]], np.float32)
    return [*out, tf.image.adjust_hue(grey, 0.3), tf.image.adjust_saturation(grey, 2.0)]


@case
def colour_spaces(tf: Any) -> Any:
    grey = np.array([[[0.2, 0.2, 0.2], [0, 0, 0], [1, 1, 1], [1, 0, 0.5]]], np.float32)
    out = []
    for x in (IMAGE, BATCH, grey):
        hsv = tf.image.rgb_to_hsv(x)
        out += [
            hsv, tf.image.hsv_to_rgb(hsv), tf.image.rgb_to_yiq(x), tf.image.yiq_to_rgb(x),
            tf.image.rgb_to_yuv(x), tf.image.yuv_to_rgb(x), tf.image.rgb_to_grayscale(x),
        ]  # fmt: skip
    return [*out, tf.image.rgb_to_grayscale(BYTES),
            tf.image.grayscale_to_rgb(tf.constant(IMAGE[..., :1])),
            tf.image.grayscale_to_rgb(tf.constant(BYTES[..., 1:2]))]  # fmt: skip


CASES["not_three_channels"] = lambda tf: tf.image.rgb_to_hsv(IMAGE[..., :2])
CASES["not_grey"] = lambda tf: tf.image.grayscale_to_rgb(tf.constant(IMAGE[..., :2]))


@case
def measures(tf: Any) -> Any:
    a, b = LARGE
    dy, dx = tf.image.image_gradients(tf.constant(BATCH))
    return [
        tf.image.total_variation(tf.constant(IMAGE)), tf.image.total_variation(loose(tf, BATCH)),
        dy, dx, tf.image.sobel_edges(tf.constant(BATCH)), tf.image.sobel_edges(loose(tf, BATCH)),
        tf.image.psnr(tf.constant(a), b, 1.0), tf.image.psnr(tf.constant(BYTES), BYTES[::-1], 255),
        tf.image.ssim(tf.constant(a), tf.constant(b), 1.0),
        tf.image.ssim(tf.constant(a), tf.constant(b), 1.0, filter_size=4, filter_sigma=0.7),
        tf.image.ssim(loose(tf, a), loose(tf, b), 1.0),
        tf.image.ssim(tf.constant(BYTES), tf.constant(BYTES[::-1]), 255, filter_size=3),
    ]  # fmt: skip


@case
def multiscale(tf: Any) -> Any:
    a, b = (tf.constant(np.tile(v, (1, 2, 2, 1))) for v in LARGE)
    return [
        tf.image.ssim_multiscale(a, b, 1.0, (0.4, 0.3, 0.3), filter_size=7),
        tf.image.ssim_multiscale(loose(tf, np.tile(LARGE[0], (1, 2, 2, 1))), b, 1.0, (0.5, 0.5)),
    ]


@case
def gradients(tf: Any) -> Any:
    x, a, b = tf.constant(BATCH), tf.constant(LARGE[0][:1, :12, :12]), LARGE[1][:1, :12, :12]
    weights = tf.reshape(tf.range(90.0), [2, 3, 5, 3]) / 90
    ys = [
        tf.image.flip_left_right(x) * weights, tf.image.per_image_standardization(x) * weights,
        tf.image.total_variation(x),
        tf.image.central_crop(x, 0.5), tf.image.pad_to_bounding_box(x, 1, 1, 6, 7),
        tf.image.rgb_to_yuv(x) * weights, tf.image.convert_image_dtype(x, tf.float64),
    ]
    return [
        *(tf.gradients(tf.reduce_sum(tf.square(tf.cast(y, tf.float32))), x)[0] for y in ys),
        tf.gradients(tf.image.ssim(a, tf.constant(b), 1.0), a)[0],
    ]
