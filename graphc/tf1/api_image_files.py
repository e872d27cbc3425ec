"""Encoded images: tf.image.decode_png to tf.image.encode_jpeg.

Lives here: TF1's functions over ops/image_files.py. Not here: reading files (tf.read_file). PNG
and BMP files need no other package; JPEG and GIF files need Pillow (pip install graphc[images]).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype, float32, int32, int64, string, uint8, uint16
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_image_color import convert_image_dtype
from graphc.tf1.api_random import random_uniform
from graphc.tf1.arguments import index_tensor

__all__ = [
    "adjust_jpeg_quality", "decode_and_crop_jpeg", "decode_bmp", "decode_gif", "decode_image",
    "decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "extract_jpeg_shape", "is_jpeg",
    "random_jpeg_quality",
]  # fmt: skip


def _contents(value: Any) -> Tensor:
    return convert_to_tensor(value, string)


def _channels(value: Any) -> int:
    count = 0 if value is None else int(value)
    if count not in (0, 1, 3, 4):
        raise ValueError(f"channels must be 0, 1, 3 or 4, got {count}")
    return count


# ------------------------------------------------------------------ decoding
def decode_png(
    contents: Any, channels: int = 0, dtype: Any = uint8, name: str | None = None
) -> Tensor:
    """The image [height, width, channels] of a PNG file (or of a JPEG or one-frame GIF file).

    Args:
        contents: a scalar string. channels: 1, 3 or 4; 0 for the file's own number.
        dtype: uint8 or uint16.

    Raises:
        ValueError: another number of channels or dtype.
        InvalidArgumentError when run: a broken file, or one of another format.
    """
    wanted = as_dtype(dtype)
    if wanted not in (uint8, uint16):
        raise ValueError(f"dtype must be uint8 or uint16, got {wanted.name}")
    return F.decode_png(
        _contents(contents), channels=_channels(channels), dtype=wanted, name=name
    )


def decode_jpeg(
    contents: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """The uint8 image [height, width, channels] of a JPEG file (or of a PNG or GIF file).

    It is decoded with the accurate transform, TensorFlow's dct_method="INTEGER_ACCURATE".

    Args:
        contents: a scalar string. channels: 1 or 3; 0 for the file's own number.
        ratio: 1, 2, 4 or 8: the image is made smaller by it. try_recover_truncated: take what
            there is of a file that is cut off. fancy_upscaling, acceptable_fraction, dct_method:
            accepted.

    Raises:
        ValueError: another number of channels, another ratio.
        InvalidArgumentError when run: a broken file. UnimplementedError: Pillow is not there.
    """
    if ratio not in (1, 2, 4, 8):
        raise ValueError(f"ratio must be 1, 2, 4, 8 got {ratio}")
    return F.decode_jpeg(
        _contents(contents), channels=_channels(channels), ratio=int(ratio),
        fancy_upscaling=bool(fancy_upscaling), try_recover_truncated=bool(try_recover_truncated),
        acceptable_fraction=float(acceptable_fraction), dct_method=dct_method, name=name,
    )  # fmt: skip


def decode_and_crop_jpeg(
    contents: Any,
    crop_window: Any,
    channels: int = 0,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1,
    dct_method: str = "",
    name: str | None = None,
) -> Tensor:
    """decode_jpeg and the part [y, x, height, width] of it that `crop_window` names."""
    with _contents(contents).graph.name_scope(name or "DecodeAndCropJpeg"):
        whole = decode_jpeg(
            contents, channels, ratio, fancy_upscaling, try_recover_truncated, acceptable_fraction,
            dct_method,
        )  # fmt: skip
        window = F.cast(index_tensor(crop_window), dtype=int32)
        begin, two = np.array([0], np.int32), np.array([2], np.int32)
        corner = F.concat(F.slice(window, begin, two), begin, axis=0)
        return F.slice(whole, corner, F.concat(F.slice(window, two, two), begin - 1, axis=0))


def decode_gif(contents: Any, name: str | None = None) -> Tensor:
    """The uint8 frames [frames, height, width, 3] of a GIF file."""
    return F.decode_gif(_contents(contents), name=name)


def decode_bmp(contents: Any, channels: int = 0, name: str | None = None) -> Tensor:
    """The uint8 image [height, width, channels] of an uncompressed BMP file."""
    return F.decode_bmp(_contents(contents), channels=_channels(channels), name=name)


def decode_image(
    contents: Any,
    channels: int | None = None,
    dtype: Any = uint8,
    name: str | None = None,
    expand_animations: bool = True,
) -> Tensor:
    """The image of a BMP, GIF, JPEG or PNG file, by its first bytes.

    Args:
        channels: 1, 3 or 4; 0 or None for the file's own number. dtype: values are scaled to it
            as by convert_image_dtype. expand_animations: a GIF file gives all its frames
            [frames, height, width, 3], so that the rank is not known; else its first.

    Raises:
        ValueError: another number of channels.
        InvalidArgumentError when run: another format, or a broken file.
    """
    wanted = as_dtype(dtype)
    with _contents(contents).graph.name_scope(name or "decode_image"):
        image = F.decode_image(
            _contents(contents), channels=_channels(channels),
            dtype=wanted if wanted in (uint8, uint16, float32) else uint16,
            expand_animations=bool(expand_animations),
        )  # fmt: skip
        return image if wanted is image.dtype else convert_image_dtype(image, wanted)


# ------------------------------------------------------------------ encoding
def encode_png(image: Any, compression: int = -1, name: str | None = None) -> Tensor:
    """A PNG file, a scalar string, of an uint8 or uint16 image [height, width, 1 to 4].

    Args:
        compression: from 0 to 9; -1 for zlib's default.
    """
    return F.encode_png(convert_to_tensor(image), compression=int(compression), name=name)


def encode_jpeg(
    image: Any,
    format: str = "",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: str = "",
    name: str | None = None,
) -> Tensor:
    """A JPEG file, a scalar string, of an uint8 image [height, width, 1 or 3].

    Args:
        format: "grayscale", "rgb" or "", by the number of channels. quality: from 0 to 100.
        chroma_downsampling: colours at half the resolution. density_unit: "in" or "cm".
        xmp_metadata: accepted.

    Raises:
        ValueError: another format or unit, another quality.
        InvalidArgumentError when run: another number of channels.
        UnimplementedError when run: Pillow is not there.
    """
    if format not in ("", "grayscale", "rgb") or density_unit not in ("in", "cm"):
        raise ValueError(f"format {format!r} or density_unit {density_unit!r} is not known")
    if not 0 <= int(quality) <= 100:
        raise ValueError(f"quality must be in [0,100], got {quality}")
    return F.encode_jpeg(
        convert_to_tensor(image, uint8), format=format, quality=int(quality),
        progressive=bool(progressive), optimize_size=bool(optimize_size),
        chroma_downsampling=bool(chroma_downsampling), density_unit=density_unit,
        x_density=int(x_density), y_density=int(y_density), xmp_metadata=xmp_metadata, name=name,
    )  # fmt: skip


# ------------------------------------------------------------------ headers, quality
def extract_jpeg_shape(
    contents: Any, output_type: Any = int32, name: str | None = None
) -> Tensor:
    """[height, width, channels] of a JPEG file, from its header alone.

    Raises:
        ValueError: output_type is neither int32 nor int64.
    """
    wanted = as_dtype(output_type)
    if wanted not in (int32, int64):
        raise ValueError(f"output_type must be int32 or int64, got {wanted.name}")
    return F.jpeg_shape(_contents(contents), output_type=wanted, name=name)


def is_jpeg(contents: Any, name: str | None = None) -> Tensor:
    """Whether each string begins as JPEG files do."""
    return F.is_jpeg(_contents(contents), name=name or "is_jpeg")


def adjust_jpeg_quality(image: Any, jpeg_quality: Any, name: str | None = None) -> Tensor:
    """The image as it comes back from a JPEG file of that quality.

    Args:
        image: [height, width, 1 or 3]. jpeg_quality: from 0 to 100, a number or tensor.
    """
    x = convert_to_tensor(image, name="image")
    with x.graph.name_scope(name or "adjust_jpeg_quality"):
        bytes_ = convert_image_dtype(x, uint8, saturate=True)
        channels = x.dims[-1] if x.dims is not None else 0
        count = channels if isinstance(channels, int) else 0
        data = F.encode_jpeg_variable_quality(bytes_, convert_to_tensor(jpeg_quality, int32))
        again = decode_jpeg(data, channels=count)
        again.set_shape(x.dims)
        return convert_image_dtype(again, x.dtype, saturate=True)


def random_jpeg_quality(
    image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: int | None = None
) -> Tensor:
    """adjust_jpeg_quality by a quality between two bounds, drawn anew in each run.

    Raises:
        ValueError: bounds that are outside [0, 100] or not in order.
    """
    if not (0 <= min_jpeg_quality <= 100 and 0 <= max_jpeg_quality <= 100):
        raise ValueError("jpeg encoding range must be between 0 and 100.")
    if min_jpeg_quality >= max_jpeg_quality:
        raise ValueError("`min_jpeg_quality` must be less than `max_jpeg_quality`.")
    drawn = random_uniform([], min_jpeg_quality, max_jpeg_quality, int32, seed)
    return adjust_jpeg_quality(image, drawn)
