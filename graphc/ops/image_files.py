"""Ops between encoded images and arrays.

Lives here: decode_png to decode_image, encode_png, encode_jpeg, jpeg_shape, is_jpeg. Not here:
the formats (ops/image_png.py, ops/image_codecs.py), TF1's functions
(tf1/api_image_files.py). They run on the host.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType, bool_, float32, int32, int64, string, uint8, uint16
from graphc.ir.node import TensorType
from graphc.ops import image_codecs, image_png
from graphc.ops.define import InferContext, OpDef, host
from graphc.ops.extents import need_rank
from graphc.ops.samples import arg, fixed, sample, uniform

Array = np.ndarray[Any, Any]
_WHY = "encoded images have no gradient"
# three by two pixels
_PNG = image_png.encode(np.arange(18, dtype=np.uint8).reshape(2, 3, 3))
_BMP = (
    b"BM" + (78).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    + (40).to_bytes(4, "little") + (3).to_bytes(4, "little") + (2).to_bytes(4, "little")
    + b"\x01\x00\x18\x00" + bytes(24) + bytes(range(24))
)  # fmt: skip


def _bytes_of(contents: Any) -> bytes:
    item = np.asarray(contents, object)
    if item.ndim:
        raise InvalidArgumentError(f"contents must be scalar, got shape {list(item.shape)}")
    return bytes(item.item())


def _record(name: str, tf: str, infer: Any, numpy: Any, *samples: Any) -> OpDef:
    return host(
        name, tf=tf, infer=infer, numpy=numpy, nograd=_WHY, args=("contents",), groups=(string,),
        data_dependent=True, samples=samples,
    )  # fmt: skip


# ------------------------------------------------------------------ decoding
def _pixels_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 0)
    return TensorType(ctx.attrs["dtype"], (None, None, ctx.attrs["channels"] or None))


decode_png = _record(
    "decode_png", "DecodePng", _pixels_type,
    lambda contents, channels, dtype: image_codecs.pixels_of(
        _bytes_of(contents), channels, dtype is uint16
    ),
    sample(fixed(_PNG, string), channels=0, dtype=uint8, grad=False),
    sample(fixed(_PNG, string), channels=1, dtype=uint16, grad=False),
    sample(fixed(_PNG, string), channels=4, dtype=uint8, grad=False),
)  # fmt: skip


def _jpeg_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 0)
    return TensorType(uint8, (None, None, ctx.attrs["channels"] or None))


def _jpeg(
    contents: Any,
    channels: int,
    ratio: int = 1,
    fancy_upscaling: bool = True,
    try_recover_truncated: bool = False,
    acceptable_fraction: float = 1.0,
    dct_method: str = "",
) -> Array:
    """The accurate transform, whatever dct_method; what cannot be recovered is grey."""
    return image_codecs.pixels_of(
        _bytes_of(contents), channels, False, ratio, truncated=try_recover_truncated
    )


decode_jpeg = _record(
    "decode_jpeg", "DecodeJpeg", _jpeg_type, _jpeg,
    sample(fixed(_PNG, string), channels=0, grad=False),
    sample(fixed(_PNG, string), channels=1, ratio=2, grad=False),
)  # fmt: skip


def _frames_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 0)
    return TensorType(uint8, (None, None, None, 3))


decode_gif = _record(
    "decode_gif", "DecodeGif", _frames_type,
    lambda contents: image_codecs.frames_of(_bytes_of(contents)),
    sample(fixed(_PNG, string), grad=False),
)  # fmt: skip


def _bitmap_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 0)
    return TensorType(uint8, (None, None, ctx.attrs["channels"] or None))


decode_bmp = _record(
    "decode_bmp", "DecodeBmp", _bitmap_type,
    lambda contents, channels: image_codecs.bitmap(_bytes_of(contents), channels),
    sample(fixed(_BMP, string), channels=0, grad=False),
    sample(fixed(_BMP, string), channels=4, grad=False),
)  # fmt: skip


def _any_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 0)
    if ctx.attrs["expand_animations"]:
        return TensorType(ctx.attrs["dtype"], None)
    return TensorType(ctx.attrs["dtype"], (None, None, ctx.attrs["channels"] or None))


def _any(contents: Any, channels: int, dtype: DType, expand_animations: bool) -> Array:
    """Of whatever format; of a GIF file all frames, or the first."""
    data = _bytes_of(contents)
    wide = dtype is not uint8
    kind = image_codecs.format_of(data)
    if not kind:
        raise image_codecs.unknown(data, "BMP, GIF, JPEG, or PNG")
    if kind == "gif":
        if channels not in (0, 3):
            raise InvalidArgumentError("channels must be 0 or 3 for GIF files")
        image = image_codecs.gif_frames(data)
        image = image if expand_animations else image[0]
    elif kind == "bmp":
        image = image_codecs.bitmap(data, channels)
    else:
        image = image_codecs.pixels_of(data, channels, wide)
    if wide and image.dtype == np.uint8:
        image = image.astype(np.uint16) * np.uint16(257)
    return image.astype(np.float32) * np.float32(1 / 65535) if dtype is float32 else image


decode_image = _record(
    "decode_image", "DecodeImage", _any_type, _any,
    sample(fixed(_PNG, string), channels=0, dtype=uint8, expand_animations=False, grad=False),
    sample(fixed(_BMP, string), channels=3, dtype=uint16, expand_animations=True, grad=False),
    sample(fixed(_PNG, string), channels=3, dtype=float32, expand_animations=True, grad=False),
)  # fmt: skip


# ------------------------------------------------------------------ encoding
def _encoded_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 3)
    return TensorType(string, ())


def _one(data: bytes) -> Array:
    out = np.empty((), object)
    out[()] = data
    return out


def _encode_png(image: Array, compression: int) -> Array:
    if image.shape[2] not in (1, 2, 3, 4):
        raise InvalidArgumentError(
            f"image must have 1, 2, 3, or 4 channels, got {image.shape[2]}"
        )
    if not image.size:
        raise InvalidArgumentError("image must not be empty")
    return _one(image_png.encode(image, compression))


encode_png = host(
    "encode_png", tf="EncodePng", infer=_encoded_type, numpy=_encode_png, nograd=_WHY,
    args=("image",), dtypes={"T": (uint8, uint16)},
    samples=(
        sample(arg((3, 4, 3), uniform(0, 255)), compression=-1, grad=False),
        sample(arg((3, 4, 2), uniform(0, 255)), compression=9, grad=False),
    ),
)  # fmt: skip


def _encode_jpeg(
    image: Array,
    format: str = "",
    quality: int = 95,
    progressive: bool = False,
    optimize_size: bool = False,
    chroma_downsampling: bool = True,
    density_unit: str = "in",
    x_density: int = 300,
    y_density: int = 300,
    xmp_metadata: str = "",
) -> Array:
    return _one(
        image_codecs.encode_jpeg(
            image, format, quality, progressive, optimize_size, chroma_downsampling,
            (density_unit, x_density, y_density),
        )
    )  # fmt: skip


_SMOOTH = np.add.outer(np.arange(8) * 9, np.arange(8) * 7)[:, :, None]
encode_jpeg = host(
    "encode_jpeg", tf="EncodeJpeg", infer=_encoded_type, numpy=_encode_jpeg, nograd=_WHY,
    args=("image",), groups=(uint8,),
    samples=(
        sample(fixed(_SMOOTH, uint8), quality=90, grad=False),
        sample(fixed(np.repeat(_SMOOTH, 3, 2), uint8), grad=False),
    ),
)  # fmt: skip


def _encode_at(image: Array, quality: Any) -> Array:
    if not 0 <= int(quality) <= 100:
        raise InvalidArgumentError(f"quality must be in [0,100], got {int(quality)}")
    return _encode_jpeg(image, quality=int(quality))


encode_jpeg_variable_quality = host(
    "encode_jpeg_variable_quality", tf="EncodeJpegVariableQuality", infer=_encoded_type,
    numpy=_encode_at, nograd=_WHY, args=("images", "quality"), groups=(uint8, int32),
    samples=(sample(fixed(_SMOOTH, uint8), fixed(80, int32), grad=False),),
)  # fmt: skip


# ------------------------------------------------------------------ headers
def _shape_type(ctx: InferContext) -> TensorType:
    need_rank(ctx, 0, 0)
    return TensorType(ctx.attrs["output_type"], (3,))


_HEAD = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0001108000500060301")
jpeg_shape = host(
    "jpeg_shape", tf="ExtractJpegShape", infer=_shape_type,
    numpy=lambda contents, output_type: np.array(image_codecs.jpeg_shape(_bytes_of(contents))),
    nograd=_WHY, args=("contents",), groups=(string,),
    samples=(
        sample(fixed(_HEAD, string), output_type=int32, grad=False),
        sample(fixed(_HEAD, string), output_type=int64, grad=False),
    ),
)  # fmt: skip


def _is_jpeg(contents: Any) -> Array:
    flat = [bytes(c[:3]) == b"\xff\xd8\xff" for c in np.asarray(contents, object).reshape(-1)]
    return np.array(flat, bool).reshape(np.shape(contents))


is_jpeg = host(
    "is_jpeg", tf="IsJpeg", infer=lambda ctx: TensorType(bool_, ctx.shape(0)), numpy=_is_jpeg,
    nograd=_WHY, args=("contents",), groups=(string,),
    samples=(sample(fixed([b"\xff\xd8\xff\xe0", b"GIF8"], string), grad=False),),
)  # fmt: skip
