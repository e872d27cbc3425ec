"""Boxes on images: small graphs for tests/oracle/record.py."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, Any] = {}
RNG = np.random.RandomState(9)
IMAGES = RNG.rand(2, 5, 6, 2).astype(np.float32)
CORNERS = RNG.rand(40, 4).astype(np.float32)
SCORES = np.round(RNG.rand(40), 2).astype(np.float32)
CROPS = np.array(
    [[0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9], [0.8, 0.9, 0.2, 0.1], [-0.2, 0.3, 0.5, 1.4]], np.float32
)
OWNERS = np.array([0, 1, 1, 0], np.int32)


def case(fn: Any) -> Any:
    CASES[fn.__name__] = fn
    return fn


@case
def suppression(tf: Any) -> Any:
    out = []
    for count, limit in ((40, 0.5), (5, 0.5), (40, 0.1), (40, 1.0), (40, 0.0), (0, 0.5)):
        out.append(tf.image.non_max_suppression(CORNERS, SCORES, count, limit))
    size = tf.placeholder_with_default(np.int32(7), [])
    return [
        *out, tf.image.non_max_suppression(CORNERS, SCORES, size, 0.3, score_threshold=0.4),
        *tf.image.non_max_suppression_with_scores(CORNERS, SCORES, 20, 0.5),
        *tf.image.non_max_suppression_with_scores(
            CORNERS, SCORES, 20, 0.5, score_threshold=0.1, soft_nms_sigma=0.5
        ),
        *tf.image.non_max_suppression_with_scores(CORNERS, SCORES, 50, 1.0, soft_nms_sigma=0.1),
        tf.image.non_max_suppression_overlaps(
            np.abs(np.subtract.outer(SCORES, SCORES[::-1])), SCORES, 10, 0.4
        ),
        tf.image.non_max_suppression(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 3),
    ]  # fmt: skip


@case
def combined(tf: Any) -> Any:
    run = tf.image.combined_non_max_suppression
    one, many = CORNERS.reshape(2, 20, 1, 4) * 1.4 - 0.2, CORNERS.reshape(2, 5, 4, 4)
    scores = np.round(np.random.RandomState(2).rand(2, 20, 4), 3).astype(np.float32)
    return [
        *run(one, scores, 3, 8), *run(one, scores, 3, 8, 0.1, 0.5, clip_boxes=False),
        *run(many, scores[:, :5], 2, 100, 0.3, 0.2, pad_per_class=True),
        *run(many, scores[:, :5], 2, 12, 0.3, 0.9),
    ]


CASES["bad_threshold"] = lambda tf: tf.image.non_max_suppression(CORNERS, SCORES, 3, 1.5)


@case
def drawing(tf: Any) -> Any:
    boxes = np.array(
        [[[0, 0, 1, 1], [0.3, 0.2, 0.7, 0.9]], [[-0.5, 0.3, 0.6, 1.5], [0.9, 0.9, 0.1, 0.1]]],
        np.float32,
    )
    three = np.tile(IMAGES[..., :1], (1, 1, 1, 3))
    colours = np.array([[0.1, 0.2, 0.3, 1.0]], np.float32)
    return [
        tf.image.draw_bounding_boxes(three, boxes),
        tf.image.draw_bounding_boxes(IMAGES[..., :1], boxes),
        tf.image.draw_bounding_boxes(three, boxes, colors=colours),
    ]


@case
def crops(tf: Any) -> Any:
    open_ = tf.placeholder_with_default(IMAGES, [None] * 4)
    size = tf.placeholder_with_default(np.array([3, 2], np.int32), [2])
    out = []
    for each in ([3, 4], [1, 1], [7, 2], [1, 5]):
        for method in ("bilinear", "nearest"):
            out.append(tf.image.crop_and_resize(IMAGES, CROPS, OWNERS, each, method))
    return [
        *out, tf.image.crop_and_resize(open_, CROPS, OWNERS, size, extrapolation_value=-1.0),
        tf.image.crop_and_resize((IMAGES * 255).astype(np.uint8), CROPS, OWNERS, [2, 2]),
    ]


@case
def crop_gradients(tf: Any) -> Any:
    x, boxes = tf.constant(IMAGES), tf.constant(CROPS)
    out = []
    for size in ([3, 4], [1, 1]):
        y = tf.image.crop_and_resize(x, boxes, OWNERS, size)
        weights = tf.reshape(tf.range(8.0 * size[0] * size[1]), [4, *size, 2]) / 10
        out += tf.gradients(tf.reduce_sum(tf.square(y) * weights), [x, boxes])
    near = tf.image.crop_and_resize(x, boxes, OWNERS, [3, 3], "nearest")
    return [*out, *tf.gradients(tf.reduce_sum(tf.square(near)), [x])]


@case
def glimpses(tf: Any) -> Any:
    x = tf.constant(IMAGES)
    return [
        tf.image.extract_glimpse(x, [3, 2], [[0.0, 0.0], [0.2, -0.3]]),
        tf.image.extract_glimpse(x, [2, 3], [[0.5, 0.5], [0.4, 0.6]], centered=False),
        tf.image.extract_glimpse(x, [3, 3], [[2.0, 3.0], [3.0, 2.0]], centered=False,
                                 normalized=False),
        tf.image.extract_glimpse(x, [2, 2], [[1.0, -1.0], [0.0, 2.0]], normalized=False),
    ]  # fmt: skip
