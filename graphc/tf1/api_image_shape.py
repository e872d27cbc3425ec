"""Images turned, mirrored, cut and padded: tf.image.flip_left_right to resize_image_with_pad.

Lives here: what moves pixels by whole rows and columns. Not here: resizing itself (api_image.py),
colours (api_image_color.py), boxes (api_image_boxes.py). Imports ops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, float64, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.api_image import ResizeMethod, resize_images
from graphc.tf1.api_random import random_uniform
from graphc.tf1.arguments import index_tensor

__all__ = [
    "central_crop", "crop_to_bounding_box", "flip_left_right", "flip_up_down",
    "pad_to_bounding_box", "random_flip_left_right", "random_flip_up_down",
    "resize_image_with_pad", "rot90", "transpose_image",
]  # fmt: skip

_ONE = np.array([1], np.int32)


# ------------------------------------------------------------------ helpers
def image_tensor(image: Any, name: str = "image") -> Tensor:
    """An image of at least three axes, or of unknown rank.

    Raises:
        ValueError: "'image' must be at least three-dimensional."
    """
    x = convert_to_tensor(image, name=name)
    if x.rank is not None and x.rank < 3:
        raise ValueError(f"'image' (shape {x.shape}) must be at least three-dimensional.")
    return x


def _ranked(image: Any) -> Tensor:
    """An image or a batch of images; where the rank is not known, one image.

    Raises:
        ValueError: another rank.
    """
    x = image_tensor(image)
    if x.rank is None:
        x = F.identity(x)
        x.set_shape([None] * 3)
    if x.rank not in (3, 4):
        raise ValueError(f"'image' (shape {x.shape}) must have either 3 or 4 dimensions.")
    return x


def _static(value: Any) -> Any:
    """A number, where the graph knows it."""
    if not is_tensor_like(value):
        return value
    known = value_of(convert_to_tensor(value))
    return None if known is None or known.dtype == object else known.item()


def _require(condition: Any, text: str) -> None:
    if condition is False:
        raise ValueError(text)


def _at_least(value: Any, bound: Any) -> Any:
    """Whether value >= bound, or None where the graph does not know."""
    a, b = _static(value), _static(bound)
    return None if a is None or b is None else bool(a >= b)


def extent_of(x: Tensor, axis: int) -> Any:
    """A dimension as a number, or as a scalar tensor."""
    dim = None if x.dims is None else x.dims[axis]
    if isinstance(dim, int):
        return dim
    return F.gather(F.shape(x), np.int32(axis % (x.rank or 1)), axis=0, batch_dims=0)


def _reversed(x: Tensor, axis: int) -> Tensor:
    return F.reverse(x, axes=(axis,))


# ------------------------------------------------------------------ mirrors
def _flip(image: Any, axis: int, scope: str) -> Tensor:
    x = _ranked(image)
    with x.graph.name_scope(scope):
        return _reversed(x, axis + (x.rank or 0))


def flip_left_right(image: Any) -> Tensor:
    """The image, or each of a batch, mirrored left to right."""
    return _flip(image, -2, "flip_left_right")


def flip_up_down(image: Any) -> Tensor:
    """The image, or each of a batch, mirrored top to bottom."""
    return _flip(image, -3, "flip_up_down")


def _random_flip(image: Any, axis: int, seed: Any, scope: str) -> Tensor:
    x = _ranked(image)
    with x.graph.name_scope(scope):
        count = np.zeros(0, np.int32) if x.rank == 3 else F.slice(F.shape(x), _ONE * 0, _ONE)
        flipped = F.less(random_uniform(count, seed=seed), np.float32(0.5))
        return F.select(flipped, _reversed(x, axis + (x.rank or 0)), x)


def random_flip_left_right(image: Any, seed: int | None = None) -> Tensor:
    """flip_left_right with probability one half, of each image of a batch by itself."""
    return _random_flip(image, -2, seed, "random_flip_left_right")


def random_flip_up_down(image: Any, seed: int | None = None) -> Tensor:
    """flip_up_down with probability one half, of each image of a batch by itself."""
    return _random_flip(image, -3, seed, "random_flip_up_down")


# ------------------------------------------------------------------ turns
def transpose_image(image: Any, name: str | None = None) -> Tensor:
    """The image, or each of a batch, with rows and columns exchanged (tf.image.transpose)."""
    x = _ranked(image)
    perm = (1, 0, 2) if x.rank == 3 else (0, 2, 1, 3)
    return F.transpose(x, perm=perm, name=name or "transpose")


def _turned(x: Tensor, k: int) -> Tensor:
    rows, columns = (0, 1) if x.rank == 3 else (1, 2)
    if k == 1:
        return transpose_image(_reversed(x, columns))
    if k == 2:
        return F.reverse(x, axes=(rows, columns))
    return _reversed(transpose_image(x), columns) if k == 3 else x


def rot90(image: Any, k: Any = 1, name: str | None = None) -> Tensor:
    """The image, or each of a batch, turned counter-clockwise by k right angles.

    Args:
        k: a number or a scalar int32 tensor.
    """
    x = _ranked(image)
    with x.graph.name_scope(name or "rot90"):
        known = _static(k)
        if known is not None:
            return _turned(x, int(known) % 4)
        from graphc.tf1.control_flow import cond

        times = F.floormod(convert_to_tensor(k, int32), np.int32(4))
        dims = list(x.dims or ())
        out = cond(
            F.less(times, np.int32(2)),
            lambda: _one_of(times, 0, x),
            lambda: _one_of(times, 2, x),
        )
        first = len(dims) - 3
        if dims[first] != dims[first + 1]:
            dims[first] = dims[first + 1] = None
        out.set_shape(dims)
        return out


def _one_of(times: Tensor, number: int, x: Tensor) -> Tensor:
    """x turned `number` or number + 1 times."""
    from graphc.tf1.control_flow import cond

    return cond(
        F.equal(times, np.int32(number)),
        lambda: F.identity(_turned(x, number)),
        lambda: _turned(x, number + 1),
    )


# ------------------------------------------------------------------ parts
def _spread(x: Tensor, height: Any, width: Any, other: int) -> Tensor:
    """A vector over all axes of x."""
    first = [other] * ((x.rank or 0) - 3)
    return index_tensor([*first, height, width, other])


def central_crop(image: Any, central_fraction: Any) -> Tensor:
    """The middle of an image, or of each of a batch: this share of its rows and columns.

    Raises:
        ValueError: a fraction outside (0, 1], another rank.
    """
    x = image_tensor(image)
    share = _static(central_fraction)
    if share is not None and not 0.0 < share <= 1.0:
        raise ValueError("central_fraction must be within (0, 1]")
    if share == 1.0:
        return x
    if x.rank not in (3, 4):
        raise ValueError(
            f"`image` should either be a Tensor with rank = 3 or rank = 4. Had rank = {x.rank}."
        )
    with x.graph.name_scope("central_crop"):
        starts, sizes = [], []
        for axis in (-3, -2):
            extent = extent_of(x, axis)
            if isinstance(extent, int) and share is not None:
                start: Any = int((float(extent) - float(extent) * share) / 2)
            else:
                wide = F.cast(convert_to_tensor(extent), dtype=float64)
                fraction = F.cast(convert_to_tensor(central_fraction), dtype=float64)
                start = F.cast((wide - wide * fraction) / np.float64(2), dtype=int32)
            starts.append(start)
            sizes.append(extent - start * 2)
        begin, size = _spread(x, starts[0], starts[1], 0), _spread(x, sizes[0], sizes[1], -1)
        return F.slice(x, begin, size)


def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The part of an image, or of each of a batch, that begins at an offset.

    Raises:
        ValueError or, when run, InvalidArgumentError: the part is not inside the image.
    """
    x = _ranked(image)
    height, width = extent_of(x, -3), extent_of(x, -2)
    _require(_at_least(offset_width, 0), "offset_width must be >= 0.")
    _require(_at_least(offset_height, 0), "offset_height must be >= 0.")
    _require(_at_least(target_width, 1), "target_width must be > 0.")
    _require(_at_least(target_height, 1), "target_height must be > 0.")
    _require(
        _at_least(width, _sum(target_width, offset_width)), "width must be >= target + offset."
    )
    _require(
        _at_least(height, _sum(target_height, offset_height)), "height must be >= target + offset."
    )
    with x.graph.name_scope("crop_to_bounding_box"):
        return F.slice(
            x, _spread(x, offset_height, offset_width, 0),
            _spread(x, target_height, target_width, -1),
        )  # fmt: skip


def _sum(a: Any, b: Any) -> Any:
    known = _static(a), _static(b)
    return known[0] + known[1] if None not in known else a + b


def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Tensor:
    """An image, or each of a batch, at an offset in a larger one of zeros.

    Raises:
        ValueError or, when run, InvalidArgumentError: the image does not fit.
    """
    x = _ranked(image)
    height, width = extent_of(x, -3), extent_of(x, -2)
    _require(_at_least(offset_height, 0), "offset_height must be >= 0")
    _require(_at_least(offset_width, 0), "offset_width must be >= 0")
    _require(
        _at_least(target_width, _sum(width, offset_width)), "width must be <= target - offset"
    )
    _require(
        _at_least(target_height, _sum(height, offset_height)), "height must be <= target - offset"
    )
    with x.graph.name_scope("pad_to_bounding_box"):
        below = target_height - offset_height - height
        right = target_width - offset_width - width
        before = _spread(x, offset_height, offset_width, 0)
        pads = F.stack(before, _spread(x, below, right, 0), axis=1)
        zero = False if x.dtype.is_bool else np.zeros((), x.dtype.np)
        out = F.pad(x, pads, zero)
        dims = x.dims or ()
        out.set_shape((*dims[:-3], _static(target_height), _static(target_width), dims[-1]))
        return out


def resize_image_with_pad(
    image: Any,
    target_height: Any,
    target_width: Any,
    method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
) -> Tensor:
    """The image resized as far as it fits, its aspect kept, with zeros around it.

    Raises:
        ValueError: a rank other than 3 and 4, a target that is not positive.
    """
    x = _ranked(image)
    _require(_at_least(target_width, 1), "target_width must be > 0.")
    _require(_at_least(target_height, 1), "target_height must be > 0.")
    with x.graph.name_scope("resize_image_with_pad"):
        sizes = [extent_of(x, -3), extent_of(x, -2)]
        targets = [target_height, target_width]
        if all(isinstance(_static(v), int) for v in (*sizes, *targets)):
            now, wanted = (np.array([_static(v) for v in p], np.float32) for p in (sizes, targets))
            ratio = (now / wanted).max()
            fitted: Any = now / ratio
            new: Any = [int(v) for v in np.floor(fitted)]
            pads: Any = [max(0, int(v)) for v in np.floor((wanted - fitted) / np.float32(2))]
        else:
            now, wanted = (F.cast(index_tensor(p), dtype=float32) for p in (sizes, targets))
            ratio = F.reduce_max(now / wanted, axes=(0,), keepdims=False)
            fitted = now / ratio
            new = F.cast(F.floor(fitted), dtype=int32)
            half = F.floor((wanted - fitted) / np.float32(2))
            pads = F.unstack(F.maximum(F.cast(half, dtype=int32), np.int32(0)), num=2, axis=0)
        resized = resize_images(x, new, method, align_corners)
        return pad_to_bounding_box(resized, pads[0], pads[1], target_height, target_width)
