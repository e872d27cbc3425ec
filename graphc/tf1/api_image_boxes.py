"""Boxes on images: suppression, drawing, random and resampled crops, glimpses.

Lives here: tf.image.non_max_suppression to extract_glimpse. Not here: the records
(ops/image_boxes.py), crops at known places (api_image_shape.py). Imports ops.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.api_random import get_seed, random_normal, random_uniform
from graphc.tf1.arguments import index_tensor, renamed

__all__ = [
    "combined_non_max_suppression", "crop_and_resize", "draw_bounding_boxes", "extract_glimpse",
    "non_max_suppression", "non_max_suppression_overlaps", "non_max_suppression_padded",
    "non_max_suppression_with_scores", "sample_distorted_bounding_box",
]  # fmt: skip

_LINE = np.array([-1], np.int32)
Combined = namedtuple(
    "Combined", ["nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"]
)


# ------------------------------------------------------------------ suppression
def _suppress(
    boxes: Any, scores: Any, count: Any, limit: Any, least: Any, sigma: Any, pad: bool, name: Any
) -> Any:
    table = convert_to_tensor(boxes, preferred_dtype=float32)
    return F.non_max_suppression(
        table, convert_to_tensor(scores, table.dtype), _count(count), limit, least, sigma,
        pad_to_max_output_size=pad, name=name,
    )  # fmt: skip


def _count(value: Any) -> Tensor:
    number = convert_to_tensor(value)
    return number if number.dtype is int32 else F.cast(number, dtype=int32)


def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """The numbers of the best boxes of which no two overlap by more than a threshold.

    Args:
        boxes: [n, 4] of two opposite corners. scores: [n]; boxes up to score_threshold are left
            out. max_output_size: at most so many, best first. iou_threshold: in [0, 1].

    Raises:
        ShapeError: boxes of another shape. InvalidArgumentError when run: a threshold outside
        [0, 1].
    """
    return _suppress(
        boxes, scores, max_output_size, iou_threshold, score_threshold, 0.0, False, name
    )[0]


def non_max_suppression_with_scores(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    soft_nms_sigma: Any = 0.0,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """non_max_suppression that gives the scores, too: (numbers, scores).

    Args:
        soft_nms_sigma: above 0, boxes lower the scores of those that they overlap by a Gaussian
            of this width, in place of taking them out.
    """
    found = _suppress(
        boxes, scores, max_output_size, iou_threshold, score_threshold, soft_nms_sigma, False, name
    )
    return found[0], found[1]


def non_max_suppression_padded(
    boxes: Any,
    scores: Any,
    max_output_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    pad_to_max_output_size: bool = False,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """non_max_suppression with zeros up to max_output_size: (numbers, how many count)."""
    found = _suppress(
        boxes, scores, max_output_size, iou_threshold, score_threshold, 0.0,
        bool(pad_to_max_output_size), name,
    )  # fmt: skip
    return found[0], found[2]


def non_max_suppression_overlaps(
    overlaps: Any,
    scores: Any,
    max_output_size: Any,
    overlap_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    name: str | None = None,
) -> Tensor:
    """non_max_suppression by a given matrix [n, n] of overlaps."""
    return F.suppress_overlaps(
        convert_to_tensor(overlaps, float32), convert_to_tensor(scores, float32),
        _count(max_output_size), overlap_threshold, score_threshold, name=name,
    )  # fmt: skip


def combined_non_max_suppression(
    boxes: Any,
    scores: Any,
    max_output_size_per_class: Any,
    max_total_size: Any,
    iou_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    pad_per_class: bool = False,
    clip_boxes: bool = True,
    name: str | None = None,
) -> Any:
    """non_max_suppression of each class of each image of a batch.

    Args:
        boxes: [batch, n, 1 or classes, 4]. scores: [batch, n, classes]. pad_per_class: no more
            than max_output_size_per_class boxes a class in all. clip_boxes: to [0, 1].

    Returns:
        (boxes [batch, count, 4], scores and classes [batch, count], how many count [batch]), best
        first, zeros behind.
    """
    found = F.combined_non_max_suppression(
        convert_to_tensor(boxes, float32), convert_to_tensor(scores, float32),
        _count(max_output_size_per_class), _count(max_total_size),
        convert_to_tensor(iou_threshold, float32), convert_to_tensor(score_threshold, float32),
        pad_per_class=bool(pad_per_class), clip_boxes=bool(clip_boxes), name=name,
    )  # fmt: skip
    return Combined(*found)


# ------------------------------------------------------------------ drawing, random crops
def draw_bounding_boxes(
    images: Any, boxes: Any, name: str | None = None, colors: Any = None
) -> Tensor:
    """The images with the outlines of boxes drawn on them.

    Args:
        images: [batch, h, w, depth] of floats. boxes: [batch, n, 4] on the scale [0, 1].
        colors: [m, depth], taken in turn; by default ten colours from yellow on.
    """
    palette = np.zeros((0, 4), np.float32) if colors is None else colors
    return F.draw_boxes(
        convert_to_tensor(images), convert_to_tensor(boxes, float32),
        convert_to_tensor(palette, float32), name=name,
    )  # fmt: skip


def sample_distorted_bounding_box(
    image_size: Any,
    bounding_boxes: Any,
    seed: int | None = None,
    seed2: int | None = None,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = None,
    area_range: Any = None,
    max_attempts: int | None = None,
    use_image_if_no_bounding_boxes: bool | None = None,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(begin, size, box) of a random crop; the first two are tf.slice's, the last is drawn.

    Args:
        image_size: [height, width, channels]. bounding_boxes: [batch, n, 4] on the scale [0, 1].
        min_object_covered: at least this share of some box is within the crop.
        aspect_ratio_range: of width to height, [0.75, 1.33]. area_range: of the image's area,
            [0.05, 1]. max_attempts: after so many (100) the whole image is taken.
        use_image_if_no_bounding_boxes: no boxes stand for one that is the image.

    Raises:
        InvalidArgumentError when run: no boxes, or coordinates outside [0, 1].
    """
    state = _state(seed, seed2)
    ratios = (0.75, 1.33) if aspect_ratio_range is None else tuple(aspect_ratio_range)
    areas = (0.05, 1.0) if area_range is None else tuple(area_range)
    return F.distorted_box(
        index_tensor(image_size), convert_to_tensor(bounding_boxes, float32),
        convert_to_tensor(min_object_covered, float32), state,
        aspect_ratio_range=tuple(float(v) for v in ratios),
        area_range=tuple(float(v) for v in areas),
        max_attempts=100 if max_attempts is None else int(max_attempts),
        use_image_if_no_bounding_boxes=bool(use_image_if_no_bounding_boxes), name=name,
    )  # fmt: skip


def _state(seed: int | None, seed2: int | None) -> Tensor:
    """A random state of the op's own two seeds, else of the graph's."""
    if seed or seed2:
        first, second = (int(s or 0) for s in (seed, seed2))
    else:
        first, second = (s or 0 for s in get_seed(None))
    return F.rng_state(seed=first, seed2=second)


# ------------------------------------------------------------------ resampled crops
def crop_and_resize(
    image: Any,
    boxes: Any,
    box_ind: Any = None,
    crop_size: Any = None,
    method: str = "bilinear",
    extrapolation_value: float = 0,
    name: str | None = None,
    box_indices: Any = None,
) -> Tensor:
    """Boxes cut out of images and resampled to one size: [n, height, width, depth], float32.

    The gradient reaches the images and, with "bilinear", the boxes.

    Args:
        image: [batch, h, w, depth]. boxes: [n, 4] on the scale [0, 1]; outside it there is
            extrapolation_value. box_ind: int32 [n], the image of each box.
        crop_size: [height, width]. method: "bilinear" or "nearest".

    Raises:
        ValueError: another method. InvalidArgumentError when run: an image that is not there.
    """
    if method not in ("bilinear", "nearest"):
        raise ValueError(f"Value for attr 'method' of \"{method}\" is not in the list of allowed "
                         'values: "bilinear", "nearest"')  # fmt: skip
    x = convert_to_tensor(image)
    with x.graph.name_scope(name or "CropAndResize"):
        x = F.cast(x, dtype=float32)
        corners = convert_to_tensor(boxes, float32)
        owner = convert_to_tensor(renamed("box_ind", box_ind, "box_indices", box_indices), int32)
        y1, x1, y2, x2 = F.unstack(corners, num=4, axis=1)
        size = F.cast(index_tensor(crop_size), dtype=int32)
        extents = F.shape(x)
        rows = _Line(y1, y2, _item(extents, 1), _item(size, 0), method)
        columns = _Line(x1, x2, _item(extents, 2), _item(size, 1), method)
        found = _Pixels(x, owner).between(rows, columns)
        inside = F.logical_and(
            F.expand_dims(rows.inside, axis=2), F.expand_dims(columns.inside, axis=1)
        )
        mask = F.broadcast_to(F.expand_dims(inside, axis=3), F.shape(found))
        filled = F.fill(F.shape(found), np.float32(extrapolation_value))
        out = F.select(mask, found, filled)
        known = value_of(size)
        if known is not None and known.dtype != object and x.dims is not None:
            first = None if corners.dims is None else corners.dims[0]
            out.set_shape((first, int(known[0]), int(known[1]), x.dims[3]))
        return out


def _item(vector: Tensor, at: int) -> Tensor:
    return F.gather(vector, np.int32(at), axis=0, batch_dims=0)


class _Line:
    """Where the samples of each box lie along one axis.

    Attributes:
        low, high: int32 [n, count], the pixels around each. share: how far from the first to the
        second. inside: whether the sample is in the image.
    """

    def __init__(
        self, start: Tensor, end: Tensor, extent: Tensor, count: Tensor, method: str
    ) -> None:
        last = F.cast(extent - np.int32(1), dtype=float32)
        many = F.greater(count, np.int32(1))
        steps = F.cast(F.maximum(count - np.int32(1), np.int32(1)), dtype=float32)
        step = (end - start) * last / steps
        number = F.cast(F.range(np.int32(0), count, np.int32(1)), dtype=float32)
        line = F.expand_dims(start * last, axis=1) + F.expand_dims(step, axis=1) * number
        middle = F.expand_dims((start + end) * last * np.float32(0.5), axis=1) + number * 0.0
        at = F.select(F.broadcast_to(many, F.shape(line)), line, middle)
        zero = F.zeros_like(at)
        self.inside = F.logical_and(F.greater_equal(at, zero), F.less_equal(at, zero + last))
        safe = F.select(self.inside, at, zero)
        if method == "nearest":
            # halves are rounded up, as positions are not negative
            self.low = self.high = F.cast(F.floor(safe + np.float32(0.5)), dtype=int32)
            self.share = zero
        else:
            floor = F.floor(safe)
            self.low, self.high = F.cast(floor, dtype=int32), F.cast(F.ceil(safe), dtype=int32)
            self.share = safe - floor


class _Pixels:
    """Pixels of images by number of the box, row and column."""

    def __init__(self, x: Tensor, owner: Tensor) -> None:
        extents = F.shape(x)
        self.height, self.width = _item(extents, 1), _item(extents, 2)
        last = F.reshape(_item(extents, 3), np.array([1], np.int32))
        self.flat = F.reshape(x, F.concat(_LINE, last, axis=0))
        self.owner = F.reshape(owner, np.array([-1, 1, 1], np.int32))

    def at(self, rows: Tensor, columns: Tensor) -> Tensor:
        down = self.owner * self.height + F.expand_dims(rows, axis=2)
        places = down * self.width + F.expand_dims(columns, axis=1)
        return F.gather_nd(self.flat, F.expand_dims(places, axis=3))

    def between(self, rows: _Line, columns: _Line) -> Tensor:
        if rows.low is rows.high:
            return self.at(rows.low, columns.low)
        down = F.expand_dims(F.expand_dims(rows.share, axis=2), axis=3)
        right = F.expand_dims(F.expand_dims(columns.share, axis=1), axis=3)
        top, bottom = (
            left + (self.at(y, columns.high) - left) * right
            for y, left in ((y, self.at(y, columns.low)) for y in (rows.low, rows.high))
        )
        return top + (bottom - top) * down


# ------------------------------------------------------------------ glimpses
def extract_glimpse(
    input: Any,
    size: Any,
    offsets: Any,
    centered: bool = True,
    normalized: bool = True,
    uniform_noise: bool = True,
    name: str | None = None,
) -> Tensor:
    """A window of each image; what lies outside the image is noise.

    Args:
        input: float32 [batch, h, w, depth]. size: [height, width] of the windows.
        offsets: [batch, 2] (y, x) of their centres; `normalized`: on the scale of the image's
            extent; `centered`: from the middle of the image, in halves of it.
        uniform_noise: between the least and the largest value of the images, else normal noise.
    """
    x = convert_to_tensor(input, float32)
    with x.graph.name_scope(name or "ExtractGlimpse"):
        window = F.cast(index_tensor(size), dtype=int32)
        extents = F.slice(F.shape(x), np.array([1], np.int32), np.array([2], np.int32))
        whole, part = F.cast(extents, dtype=float32), F.cast(window, dtype=float32)
        centre = convert_to_tensor(offsets, float32)
        if normalized:
            centre = centre * whole
        if centered:
            centre = centre / 2.0 + whole / 2.0
        begin = F.cast(centre - part / 2.0, dtype=int32)
        lines, insides = [], []
        for axis in (0, 1):
            start = F.gather(begin, np.array([axis], np.int32), axis=1, batch_dims=0)
            at = start + F.range(np.int32(0), _item(window, axis), np.int32(1))
            last = _item(extents, axis) - np.int32(1)
            insides.append(F.logical_and(F.greater_equal(at, np.int32(0)), F.less_equal(at, last)))
            lines.append(F.minimum(F.maximum(at, np.int32(0)), last))
        owner = F.range(np.int32(0), _item(F.shape(x), 0), np.int32(1))
        found = _Pixels(x, owner).at(*lines)
        inside = F.logical_and(
            F.expand_dims(insides[0], axis=2), F.expand_dims(insides[1], axis=1)
        )
        mask = F.broadcast_to(F.expand_dims(inside, axis=3), F.shape(found))
        out = F.select(mask, found, _noise(x, F.shape(found), uniform_noise))
        known = value_of(window)
        if known is not None and known.dtype != object and x.dims is not None:
            out.set_shape((x.dims[0], int(known[0]), int(known[1]), x.dims[3]))
        return out


def _noise(x: Tensor, shape: Tensor, uniform: bool) -> Tensor:
    if not uniform:
        return random_normal(shape)
    least, most = (r(x, axes=None, keepdims=False) for r in (F.reduce_min, F.reduce_max))
    return random_uniform(shape) * (most - least) + least
