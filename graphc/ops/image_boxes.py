"""Boxes on images: which to keep, where to cut, how to draw them.

Lives here: non_max_suppression, suppress_overlaps, combined_non_max_suppression, draw_boxes,
distorted_box. Not here: crops that gathers compose, the user's functions
(tf1/api_image_boxes.py). Imports ops.define.

A box is [y_min, x_min, y_max, x_max]. The records run on the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import FLOAT, float16, float32, int32, int64, uint8, uint32
from graphc.ir.node import TensorType
from graphc.ops import philox
from graphc.ops.define import InferContext, host
from graphc.ops.extents import need_rank, scalar_value
from graphc.ops.samples import arg, fixed, sample, uniform

Array = np.ndarray[Any, Any]
_CHOICE = "a choice among boxes has no derivative"
_BOXES = [[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1]]


# ------------------------------------------------------------------ which to keep
def overlaps_of(box: Array, boxes: Array) -> Array:
    """The intersection over the union of one box with others; corners in any order."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    mine_low, mine_high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    sides = np.maximum(np.minimum(high, mine_high) - np.maximum(low, mine_low), 0)
    common = sides.prod(axis=1)
    areas, mine = (high - low).prod(axis=1), (mine_high - mine_low).prod()
    there = (areas > 0) & (mine > 0)
    return np.where(there, common / np.where(there, areas + mine - common, 1), 0)


def suppressed(
    overlap: Callable[[int, Array], Array], scores: Array, count: int, limit: float, least: float
) -> Array:
    """The best boxes of which no two overlap by more than `limit`, best first."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > least]
    chosen: list[int] = []
    while len(order) and len(chosen) < count:
        chosen.append(int(order[0]))
        order = order[1:]
        if len(order):
            order = order[~(overlap(chosen[-1], order) > limit)]
    return np.array(chosen, np.int32)


def softened(
    overlap: Callable[[int, Array], Array], scores: Array, count: int, sigma: float, least: float
) -> tuple[Array, Array]:
    """The best boxes, where each chosen one lowers the scores of those that it overlaps.

    Bodla, Singh, Chellappa, Davis: Soft-NMS (2017).
    """
    left = scores.astype(np.float32).copy()
    open_ = left > least
    chosen: list[int] = []
    kept: list[float] = []
    scale = np.float32(-0.5 / sigma)
    while open_.any() and len(chosen) < count:
        at = int(np.argmax(np.where(open_, left, -np.inf)))
        chosen.append(at)
        kept.append(float(left[at]))
        open_[at] = False
        rest = np.flatnonzero(open_)
        left[rest] *= np.exp(scale * overlap(at, rest).astype(np.float32) ** 2)
        open_ &= left > least
    return np.array(chosen, np.int32), np.array(kept, np.float32)


def _check(boxes: Array, scores: Array, limit: Any) -> None:
    if not 0 <= float(limit) <= 1:
        raise InvalidArgumentError("iou_threshold must be in [0, 1]")
    if len(scores) != len(boxes):
        raise InvalidArgumentError("scores has incompatible shape")


def _non_max(
    boxes: Array, scores: Array, count: Any, limit: Any, least: Any, sigma: Any,
    pad_to_max_output_size: bool,
) -> tuple[Array, Array, Array]:
    _check(boxes, scores, limit)
    wide = boxes.astype(np.float32)

    def overlap(at: int, rest: Array) -> Array:
        return overlaps_of(wide[at], wide[rest])

    if float(sigma) > 0:
        chosen, kept = softened(overlap, scores, int(count), float(sigma), float(least))
    else:
        chosen = suppressed(overlap, scores, int(count), float(limit), float(least))
        kept = scores[chosen]
    valid = len(chosen)
    if pad_to_max_output_size:
        chosen = np.pad(chosen, (0, int(count) - valid))
        kept = np.pad(kept, (0, int(count) - valid))
    return chosen, kept, np.asarray(valid)


def _non_max_types(ctx: InferContext) -> list[TensorType]:
    for i, rank in enumerate((2, 1, 0, 0, 0, 0)):
        need_rank(ctx, i, rank)
    shape = ctx.shape(0)
    if shape is not None and isinstance(shape[1], int) and shape[1] != 4:
        raise ctx.fail(f"boxes must have 4 columns, got {shape[1]}")
    count = scalar_value(ctx, 2) if ctx.attrs["pad_to_max_output_size"] else None
    rows = count if isinstance(count, int) else None
    return [
        TensorType(int32, (rows,)), TensorType(ctx.dtype(1), (rows,)), TensorType(int32, ()),
    ]  # fmt: skip


_NMS = (
    fixed(_BOXES), fixed([0.9, 0.75, 0.6, 0.95, 0.5]), fixed(3, int32, const=True), fixed(0.5),
    fixed(0.0),
)  # fmt: skip
non_max_suppression = host(
    "non_max_suppression", tf="NonMaxSuppressionV5", infer=_non_max_types, numpy=_non_max,
    nograd=_CHOICE, data_dependent=True,
    args=("boxes", "scores", "max_output_size", "iou_threshold", "score_threshold", "sigma"),
    groups=("T", "T", int32, "T", "T", "T"), dtypes={"T": (float32, float16)},
    samples=(
        sample(*_NMS, fixed(0.0), pad_to_max_output_size=False, grad=False, dtypes=(float32,)),
        sample(*_NMS, fixed(0.5), pad_to_max_output_size=True, grad=False, dtypes=(float32,)),
    ),
    doc="(numbers of the boxes kept, their scores, how many)",
)  # fmt: skip


def _overlap_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 2)
    need_rank(ctx, 1, 1)
    return TensorType(int32, (None,))


def _overlap_choice(table: Array, scores: Array, count: Any, limit: Any, least: Any) -> Array:
    if table.shape != (len(scores), len(scores)):
        raise InvalidArgumentError("overlaps must be square")
    return suppressed(
        lambda at, rest: table[rest, at], scores, int(count), float(limit), float(least)
    )


suppress_overlaps = host(
    "suppress_overlaps", tf="NonMaxSuppressionWithOverlaps", infer=_overlap_type,
    numpy=_overlap_choice, nograd=_CHOICE, data_dependent=True,
    args=("overlaps", "scores", "max_output_size", "overlap_threshold", "score_threshold"),
    groups=(float32, float32, int32, float32, float32),
    samples=(
        sample(fixed([[1, 0.7], [0.7, 1]], float32), fixed([0.3, 0.4], float32),
               fixed(2, int32), fixed(0.5, float32), fixed(0.0, float32), grad=False),
    ),
)  # fmt: skip


def _slots(classes: Any, per_class: Any, total: Any, pad_per_class: bool) -> Any:
    """How many boxes an image gives at most."""
    if not pad_per_class or classes is None or per_class is None or total is None:
        return total
    return min(int(total), int(per_class) * int(classes))


def _combined_types(ctx: InferContext) -> list[TensorType]:
    for i, rank in enumerate((4, 3, 0, 0, 0, 0)):
        need_rank(ctx, i, rank)
    scores = ctx.shape(1)
    batch, classes = (None, None) if scores is None else (scores[0], scores[2])
    known = [
        v if isinstance(v, int) else None
        for v in (classes, scalar_value(ctx, 2), scalar_value(ctx, 3))
    ]
    count = _slots(known[0], known[1], known[2], ctx.attrs.get("pad_per_class", False))
    return [
        TensorType(float32, (batch, count, 4)), TensorType(float32, (batch, count)),
        TensorType(float32, (batch, count)), TensorType(int32, (batch,)),
    ]  # fmt: skip


def _best_of_classes(
    boxes: Array, scores: Array, per_class: int, limit: float, least: float
) -> list[tuple[float, int, Array]]:
    """(score, class, box) of what each class keeps of one image, best first."""
    found = []
    for kind in range(scores.shape[1]):
        mine = boxes[:, kind if boxes.shape[1] > 1 else 0]

        def overlap(at: int, rest: Array, mine: Array = mine) -> Array:
            return overlaps_of(mine[at], mine[rest])

        for at in suppressed(overlap, scores[:, kind], per_class, limit, least):
            found.append((float(scores[at, kind]), kind, mine[at]))
    return sorted(found, key=lambda f: -f[0])


def _combined(
    boxes: Array, scores: Array, per_class: Any, total: Any, limit: Any, least: Any,
    pad_per_class: bool = False, clip_boxes: bool = True,
) -> tuple[Array, ...]:  # fmt: skip
    if boxes.shape[2] not in (1, scores.shape[2]):
        raise InvalidArgumentError(
            f"third dimension of boxes must be either 1 or equal to num classes {scores.shape[2]}"
        )
    _check(boxes[0] if len(boxes) else boxes, scores[0] if len(scores) else scores, limit)
    count = _slots(scores.shape[2], per_class, int(total), pad_per_class)
    out = np.zeros((len(boxes), count, 4), np.float32)
    kept, kinds = np.zeros((2, len(boxes), count), np.float32)
    valid = np.zeros(len(boxes), np.int32)
    for image in range(len(boxes)):
        found = _best_of_classes(
            boxes[image], scores[image], int(per_class), float(limit), float(least)
        )[:count]
        valid[image] = len(found)
        for slot, (score, kind, box) in enumerate(found):
            out[image, slot] = np.clip(box, 0, 1) if clip_boxes else box
            kept[image, slot], kinds[image, slot] = score, kind
    return out, kept, kinds, valid


combined_non_max_suppression = host(
    "combined_non_max_suppression", tf="CombinedNonMaxSuppression", infer=_combined_types,
    numpy=_combined, nograd=_CHOICE, data_dependent=True,
    args=("boxes", "scores", "max_output_size_per_class", "max_total_size", "iou_threshold",
          "score_threshold"),
    groups=(float32, float32, int32, int32, float32, float32),
    samples=(
        sample(fixed(np.array(_BOXES)[None, :, None], float32), arg((1, 5, 2), uniform(0, 1),
               float32), fixed(2, int32), fixed(3, int32, const=True), fixed(0.5, float32),
               fixed(0.1, float32), pad_per_class=False, clip_boxes=True, grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ how to draw them
_COLOURS = np.array([
    [1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1], [0.5, 0.5, 0, 1],
    [0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1],
])  # fmt: skip


def _drawn_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 4)
    need_rank(ctx, 1, 3)
    need_rank(ctx, 2, 2)
    return ctx.inputs[0].type


def _palette(colours: Array, depth: int) -> Array:
    if not len(colours):
        colours = _COLOURS.copy()
        if depth == 1:
            colours[:, 0] = 1
    if colours.shape[1] < depth:
        raise InvalidArgumentError(
            f"colors must have equal or more channels than the image: {colours.shape[1]}, {depth}"
        )
    return colours[:, :depth]


def _draw(images: Array, boxes: Array, colours: Array) -> Array:
    out = images.copy()
    height, width, depth = images.shape[1:]
    palette = _palette(colours, depth)
    extent = np.array([height - 1, width - 1, height - 1, width - 1], np.float32)
    for image, each in zip(out, boxes, strict=True):
        for number, box in enumerate(each.astype(np.float32)):
            _outline(image, np.trunc(box * extent).astype(np.int64), palette[number % len(palette)])
    return out


def _outline(image: Array, box: Array, colour: Array) -> None:
    """The lines of a box that lie within the image."""
    height, width = image.shape[:2]
    top, left, bottom, right = (int(v) for v in box)
    if top > bottom or left > right or top >= height or left >= width or bottom < 0 or right < 0:
        return
    rows = slice(max(top, 0), min(bottom, height - 1) + 1)
    columns = slice(max(left, 0), min(right, width - 1) + 1)
    if top >= 0:
        image[top, columns] = colour
    if bottom < height:
        image[bottom, columns] = colour
    if left >= 0:
        image[rows, left] = colour
    if right < width:
        image[rows, right] = colour


draw_boxes = host(
    "draw_boxes", tf="DrawBoundingBoxesV2", infer=_drawn_type, numpy=_draw,
    nograd="drawing has no derivative", args=("images", "boxes", "colors"),
    groups=("T", float32, float32), dtypes={"T": FLOAT},
    samples=(
        sample(arg((1, 5, 6, 3), uniform(0, 1)), fixed([[[0, 0, 0.8, 0.6], [0.5, 0.5, 2, 0.9]]],
               float32), fixed(np.zeros((0, 4)), float32), grad=False),
        sample(arg((1, 5, 6, 1), uniform(0, 1)), fixed([[[0.2, 0.2, 0.8, 0.6]]], float32),
               fixed([[0.5, 1]], float32), grad=False),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ where to cut
def _distorted_types(ctx: InferContext) -> list[TensorType]:
    need_rank(ctx, 0, 1)
    need_rank(ctx, 1, 3)
    return [
        TensorType(ctx.dtype(0), (3,)), TensorType(ctx.dtype(0), (3,)),
        TensorType(float32, (1, 1, 4)),
    ]  # fmt: skip


def _rectangles(size: Array, boxes: Array, whole: bool) -> Array:
    """The boxes in pixels."""
    height, width = (int(v) for v in size[:2])
    flat = boxes.reshape(-1, 4)
    if not len(flat):
        if not whole:
            raise InvalidArgumentError(
                "No bounding boxes provided as input. One must enable "
                "use_image_if_no_bounding_boxes if you wish to not provide any bounding boxes."
            )
        return np.array([[0, 0, height, width]])
    bad = ~((flat >= 0) & (flat <= 1)).all(axis=1) | (flat[:, :2] >= flat[:, 2:]).any(axis=1)
    if bad.any():
        box = flat[int(np.argmax(bad))]
        raise InvalidArgumentError(f"All bounding box coordinates must be in [0.0, 1.0]: {box}")
    return np.trunc(flat * np.array([height, width, height, width])).astype(np.int64)


def _height(
    rng: np.random.Generator, size: Array, area: tuple[float, float], ratio: float
) -> int:
    """The height of a crop of that aspect whose area is within bounds."""
    total = float(size[0]) * float(size[1])
    height = round(math.sqrt(area[0] * total / ratio))
    highest = round(math.sqrt(area[1] * total / ratio))
    if round(highest * ratio) > size[1]:
        highest = int((int(size[1]) + 0.5 - 1e-7) / ratio)
    highest = min(highest, int(size[0]))
    height = min(height, highest)
    if height < highest:
        height += int(rng.integers(highest - height + 1))
    low, high = area[0] * total, area[1] * total
    if round(height * ratio) * height < low:
        height += 1
    if round(height * ratio) * height > high:
        height -= 1
    fits = low <= round(height * ratio) * height <= high
    return height if fits else 0


def _crop(rng: np.random.Generator, size: Array, area: Any, ratio: float) -> Array | None:
    height = _height(rng, size, area, ratio)
    width = round(height * ratio)
    if height <= 0 or width <= 0 or height > size[0] or width > size[1]:
        return None
    top, left = (
        int(rng.integers(whole - part)) if part < whole else 0
        for whole, part in ((int(size[0]), height), (int(size[1]), width))
    )
    return np.array([top, left, top + height, left + width])


def _covers(crop: Array, boxes: Array, least: float) -> bool:
    """Whether some box is within the crop by at least that share of its area."""
    sides = np.minimum(crop[2:], boxes[:, 2:]) - np.maximum(crop[:2], boxes[:, :2])
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    shares = np.maximum(sides, 0).prod(axis=1) / np.maximum(areas, 1)
    return bool(((areas > 0) & (shares >= least)).any())


def _distorted(
    size: Array, boxes: Array, least: Any, state: Array, aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 1.0), max_attempts: int = 100,
    use_image_if_no_bounding_boxes: bool = False,
) -> tuple[Array, Array, Array]:  # fmt: skip
    if len(size) != 3 or min(int(size[0]), int(size[1])) <= 0:
        raise InvalidArgumentError(
            f"image_size must be [height, width, channels], got {size.tolist()}"
        )
    rng = philox.generator(state)
    pixels = _rectangles(size, boxes, use_image_if_no_bounding_boxes)
    found = np.array([0, 0, int(size[0]), int(size[1])])
    for _ in range(max_attempts):
        crop = _crop(rng, size, area_range, float(rng.uniform(*aspect_ratio_range)))
        if crop is not None and _covers(crop, pixels, float(least)):
            found = crop
            break
    extent = np.array([size[0], size[1], size[0], size[1]], np.float32)
    return (
        np.array([found[0], found[1], 0]),
        np.array([found[2] - found[0], found[3] - found[1], -1]),
        (found.astype(np.float32) / extent).reshape(1, 1, 4),
    )


distorted_box = host(
    "distorted_box", tf="SampleDistortedBoundingBoxV2", infer=_distorted_types, numpy=_distorted,
    nograd="random numbers do not depend on the inputs smoothly",
    args=("image_size", "bounding_boxes", "min_object_covered", "state"),
    groups=("T", float32, float32, uint32), dtypes={"T": (int32, int64, uint8)},
    samples=(
        sample(fixed([40, 50, 3], int32), fixed([[[0.2, 0.3, 0.6, 0.9]]], float32),
               fixed(0.1, float32), fixed([7, 11, 0, 5], uint32), aspect_ratio_range=(0.5, 2.0),
               grad=False),
    ),
    doc="(begin, size, box) of a random crop that covers enough of some box",
)  # fmt: skip
