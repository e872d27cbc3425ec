"""TF1's movements between space, depth and batch, patches, and resizing of images.

Lives here: tf.space_to_depth to tf.extract_image_patches, tf.image.resize_images and its kin. Not
here: the records (ops/spatial.py, ops/resize.py), decoding and colours. Imports ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.arguments import index_tensor, renamed, static_int, static_ints

__all__ = [
    "ResizeMethod", "batch_to_space", "batch_to_space_nd", "depth_to_space",
    "extract_image_patches", "required_space_to_batch_paddings", "resize_area", "resize_bicubic",
    "resize_bilinear", "resize_image_with_crop_or_pad", "resize_images", "resize_nearest_neighbor",
    "space_to_batch", "space_to_batch_nd", "space_to_depth",
]  # fmt: skip


# ------------------------------------------------------------------ space and depth
def _block(value: Any) -> int:
    block = static_int(value, "block_size")
    if block < 2:
        raise ValueError(f"Attr 'block_size' passed {block} less than minimum 2.")
    return block


def _format(data_format: str) -> str:
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError(f"data_format must be NHWC or NCHW, got {data_format!r}")
    return data_format


def space_to_depth(
    input: Any,
    block_size: int,
    name: str | None = None,
    data_format: str = "NHWC",
) -> Tensor:
    """Blocks of pixels become channels (tf.space_to_depth).

    Raises:
        ShapeError: height or width that the block does not divide. ValueError: a block below 2.
    """
    out: Tensor = F.space_to_depth(
        convert_to_tensor(input), block_size=_block(block_size),
        data_format=_format(data_format), name=name,
    )  # fmt: skip
    return out


def depth_to_space(
    input: Any,
    block_size: int,
    name: str | None = None,
    data_format: str = "NHWC",
) -> Tensor:
    """Channels become blocks of pixels (tf.depth_to_space), the inverse of space_to_depth."""
    out: Tensor = F.depth_to_space(
        convert_to_tensor(input), block_size=_block(block_size),
        data_format=_format(data_format), name=name,
    )  # fmt: skip
    return out


# ------------------------------------------------------------------ space and batch
def space_to_batch_nd(
    input: Any,
    block_shape: Any,
    paddings: Any,
    name: str | None = None,
) -> Tensor:
    """Pixels that are block_shape apart become images of their own (tf.space_to_batch_nd).

    Args:
        input: [batch, spatial..., rest...]; block_shape: one number a spatial axis;
        paddings: a pair of numbers a spatial axis, zeros that are put around first.

    Raises:
        ShapeError: padded extents that block_shape does not divide.
    """
    x = convert_to_tensor(input)
    out: Tensor = F.space_to_batch_nd(
        x, index_tensor(block_shape), index_tensor(paddings), name=name
    )
    return out


def batch_to_space_nd(
    input: Any,
    block_shape: Any,
    crops: Any,
    name: str | None = None,
) -> Tensor:
    """The inverse of space_to_batch_nd; `crops` are cut off at the end (tf.batch_to_space_nd)."""
    x = convert_to_tensor(input)
    out: Tensor = F.batch_to_space_nd(x, index_tensor(block_shape), index_tensor(crops), name=name)
    return out


def space_to_batch(
    input: Any,
    paddings: Any,
    block_size: Any = None,
    name: str | None = None,
    block_shape: Any = None,
) -> Tensor:
    """space_to_batch_nd with one block size for height and width (tf.space_to_batch)."""
    shape = renamed("block_shape", block_shape, "block_size", block_size)
    return space_to_batch_nd(input, _both(shape), paddings, name or "SpaceToBatchND")


def batch_to_space(
    input: Any,
    crops: Any,
    block_size: Any = None,
    name: str | None = None,
    block_shape: Any = None,
) -> Tensor:
    """batch_to_space_nd with one block size for height and width (tf.batch_to_space)."""
    shape = renamed("block_shape", block_shape, "block_size", block_size)
    return batch_to_space_nd(input, _both(shape), crops, name or "BatchToSpaceND")


def _both(block: Any) -> Any:
    return [int(block), int(block)] if isinstance(block, int | np.integer) else block


def required_space_to_batch_paddings(
    input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """(paddings, crops) that make an input divisible by blocks.

    Args:
        input_shape: spatial extents. base_paddings: paddings that are wanted anyway.

    Returns:
        Two int tensors [spatial axes, 2]: for space_to_batch_nd and batch_to_space_nd.
    """
    sizes, blocks = index_tensor(input_shape), index_tensor(block_shape)
    with sizes.graph.name_scope(name or "required_space_to_batch_paddings"):
        if base_paddings is None:
            start = F.zeros_like(sizes)
            end = F.zeros_like(sizes)
        else:
            start, end = F.unstack(index_tensor(base_paddings), axis=1, num=2)
        extra = F.floormod(blocks - F.floormod(sizes + start + end, blocks), blocks)
        pads = F.stack(start, end + extra, axis=1)
        return pads, F.stack(F.zeros_like(extra), extra, axis=1)


# ------------------------------------------------------------------ patches
def extract_image_patches(
    images: Any,
    ksizes: Any = None,
    strides: Any = None,
    rates: Any = None,
    padding: str | None = None,
    name: str | None = None,
    sizes: Any = None,
) -> Tensor:
    """Windows of pixels, flattened into channels (tf.extract_image_patches).

    Args:
        ksizes, strides, rates: [1, rows, columns, 1].

    Returns:
        [batch, rows, columns, ksize_rows * ksize_columns * channels].

    Raises:
        ValueError: lists of another length, another padding.
    """
    given = {
        "ksizes": renamed("sizes", sizes, "ksizes", ksizes), "strides": strides, "rates": rates,
    }  # fmt: skip
    lists = {what: static_ints(value, what) for what, value in given.items()}
    for what, values in lists.items():
        if len(values) != 4 or values[0] != 1 or values[3] != 1:
            raise ValueError(f"{what} must be [1, rows, columns, 1], got {list(values)}")
    if padding not in ("SAME", "VALID"):
        raise ValueError(
            f"Attr 'padding' of 'ExtractImagePatches' Op passed string '{padding}' not in: "
            '"SAME", "VALID".'
        )
    out: Tensor = F.extract_image_patches(
        convert_to_tensor(images), padding=padding, name=name, **lists
    )
    return out


# ------------------------------------------------------------------ resizing
class ResizeMethod:
    """The methods of resize_images (tf.image.ResizeMethod)."""

    BILINEAR = 0
    NEAREST_NEIGHBOR = 1
    BICUBIC = 2
    AREA = 3


_METHODS = {0: "bilinear", 1: "nearest_neighbor", 2: "bicubic", 3: "area"}


def _resizer(method: str, doc: str) -> Callable[..., Tensor]:
    def call(
        images: Any,
        size: Any,
        align_corners: bool = False,
        name: str | None = None,
        half_pixel_centers: bool = False,
    ) -> Tensor:
        attrs: dict[str, Any] = {"align_corners": bool(align_corners)}
        if method != "area":
            attrs["half_pixel_centers"] = bool(half_pixel_centers)
        x = convert_to_tensor(images)
        record = getattr(F, f"resize_{method}")
        out: Tensor = record(x, _int32(index_tensor(size)), name=name, **attrs)
        return out

    call.__name__ = call.__qualname__ = f"resize_{method}"
    call.__doc__ = (
        f"{doc} (tf.image.resize_{method}).\n\n    Args:\n"
        "        images: [batch, height, width, channels]. size: [new height, new width].\n"
        "        align_corners: the corner pixels keep their values.\n\n    Raises:\n"
        "        ShapeError: another rank, a size of another length.\n    "
    )
    return call


def _int32(x: Tensor) -> Tensor:
    found: Tensor = x if x.dtype is int32 else F.cast(x, dtype=int32)
    return found


resize_nearest_neighbor = _resizer("nearest_neighbor", "The nearest pixel; keeps the dtype")
resize_bilinear = _resizer("bilinear", "Bilinear interpolation, to float32")
resize_bicubic = _resizer("bicubic", "Bicubic interpolation, to float32")


def resize_area(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None
) -> Tensor:
    """The mean of the area that each new pixel covers, to float32 (tf.image.resize_area)."""
    return _AREA(images, size, align_corners, name)


_AREA = _resizer("area", "Area interpolation")


def resize_images(
    images: Any,
    size: Any,
    method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
    preserve_aspect_ratio: bool = False,
    name: str | None = None,
) -> Tensor:
    """Images of another size (tf.image.resize_images).

    Args:
        images: [batch, height, width, channels] or [height, width, channels].
        size: [new height, new width], int32.
        method: of ResizeMethod. With an unchanged known size the images come back as they are;
            all methods but NEAREST_NEIGHBOR give float32 otherwise.
        preserve_aspect_ratio: `size` is the largest that is allowed.

    Raises:
        ValueError: a rank other than 3 and 4, a size that is no pair, an unknown method.
    """
    x = convert_to_tensor(images)
    with x.graph.name_scope(name or "resize"):
        if x.rank is None:
            raise ValueError("'images' contains no shape.")
        if x.rank not in (3, 4):
            raise ValueError("'images' must have either 3 or 4 dimensions.")
        batch = x if x.rank == 4 else F.expand_dims(x, axis=0)
        wanted = _wanted(batch, size, preserve_aspect_ratio)
        if _unchanged(batch, wanted):
            return x
        if method not in _METHODS:
            raise ValueError("Resize method is not implemented.")
        attrs: dict[str, Any] = {"align_corners": bool(align_corners)}
        resized = getattr(F, f"resize_{_METHODS[method]}")(batch, wanted, **attrs)
        out: Tensor = resized if x.rank == 4 else F.squeeze(resized, axes=(0,))
        return out


def _wanted(batch: Tensor, size: Any, preserve: bool) -> Tensor:
    """[height, width], int32."""
    try:
        wanted = index_tensor(size)
    except (TypeError, ValueError):
        raise ValueError("'size' must be a 1-D int32 Tensor") from None
    if wanted.dtype.is_floating or wanted.rank not in (None, 1):
        raise ValueError("'size' must be a 1-D int32 Tensor")
    if wanted.dims is not None and wanted.dims[0] not in (None, 2):
        raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
    wanted = _int32(wanted)
    if not preserve:
        return wanted
    begin, two = np.array([1], np.int32), np.array([2], np.int32)
    now = F.slice(F.shape(batch), begin, two)
    known, asked = value_of(now), value_of(wanted)
    if known is not None and asked is not None and known.dtype != object:
        if asked.dtype != object:
            ratio = np.min(np.float32(asked) / np.float32(known))
            return index_tensor([int(v) for v in np.rint(ratio * np.float32(known))])
    floats = F.cast(now, dtype=float32)
    scale = F.reduce_min(F.cast(wanted, dtype=float32) / floats, axes=(0,), keepdims=False)
    found: Tensor = F.cast(F.rint(scale * floats), dtype=int32)
    return found


def _unchanged(batch: Tensor, wanted: Tensor) -> bool:
    asked = value_of(wanted)
    if asked is None or asked.dtype == object or batch.dims is None:
        return False
    return tuple(batch.dims[1:3]) == tuple(int(v) for v in asked)


def resize_image_with_crop_or_pad(
    image: Any, target_height: Any, target_width: Any
) -> Tensor:
    """The middle of an image, or the image with zeros around it (tf.image's function).

    Args:
        image: [batch, height, width, channels] or [height, width, channels], taken for the
            latter where its rank is not known.
        target_height, target_width: positive numbers, or scalar tensors.

    Raises:
        ValueError: a rank other than 3 and 4, a target that is not positive.
    """
    x = convert_to_tensor(image)
    if x.rank is None:
        x = F.identity(x)
        x.set_shape([None] * 3)
    if x.rank not in (3, 4):
        raise ValueError(f"'image' (shape {x.shape}) must have either 3 or 4 dimensions.")
    with x.graph.name_scope("resize_image_with_crop_or_pad"):
        first = x.rank - 3
        for what, value in (("target_height", target_height), ("target_width", target_width)):
            if isinstance(value, int) and value <= 0:
                raise ValueError(f"{what} must be > 0.")
        wanted = _int32(index_tensor([target_height, target_width]))
        at, two = np.array([first], np.int32), np.array([2], np.int32)
        now = F.slice(F.shape(x), at, two)
        kept = F.minimum(now, wanted)
        begin = F.floordiv(F.maximum(now - wanted, 0), 2)
        cut = F.slice(x, _around(begin, first, 0), _around(kept, first, -1))
        before = F.floordiv(F.maximum(wanted - now, 0), 2)
        pads = F.stack(
            _around(before, first, 0), _around(wanted - kept - before, first, 0), axis=1
        )
        zero = False if x.dtype.is_bool else np.zeros((), x.dtype.np)
        out: Tensor = F.pad(cut, pads, zero)
        known = value_of(wanted)
        sizes = (None, None) if known is None else tuple(known.tolist())
        dims = x.dims or ()
        out.set_shape((*dims[:-3], *(d if isinstance(d, int) else None for d in sizes), dims[-1]))
        return out


def _around(middle: Tensor, first: int, other: int) -> Tensor:
    """A vector over all axes: `middle` for height and width, `other` for the rest."""
    end = np.array([other], np.int32)
    found: Tensor = F.concat(np.full(first, other, np.int32), middle, end, axis=0)
    return found
