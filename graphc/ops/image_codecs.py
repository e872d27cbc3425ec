"""Encoded images to arrays and back: what a file is, BMP, and by Pillow JPEG and GIF.

Lives here: pixels_of, frames_of, jpeg_shape, encode_jpeg, the choice of channels and depth. Not
here: PNG (ops/image_png.py), the records (ops/image_files.py). Pillow is imported when a JPEG or
GIF file is met.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError, UnimplementedError
from graphc.ops import image_png
from graphc.ops.image_png import Picture

Array = np.ndarray[Any, Any]
# red, green and blue in a grey of 2^15, as libpng weighs them
_LUMA = (9798, 19235, 3735)
_FRAMES = (0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)


def format_of(contents: bytes) -> str:
    """png, jpeg, gif, bmp, or "" where none of them is known by its first bytes."""
    for name, magic in (
        ("png", image_png.MAGIC[:4]), ("jpeg", b"\xff\xd8\xff"), ("gif", b"GIF8"), ("bmp", b"BM"),
    ):  # fmt: skip
        if contents.startswith(magic):
            return name
    return ""


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise UnimplementedError(
            "JPEG and GIF files need the package Pillow: pip install graphc[images]"
        ) from None
    return Image


# ------------------------------------------------------------------ channels and depth
def arranged(picture: Picture, channels: int, wide: bool) -> Array:
    """The picture with so many channels (0: its own), as uint16 if `wide`, else uint8."""
    colour, alpha = picture.colour, picture.alpha
    count = channels or colour.shape[2] + int(picture.declared)
    if count <= 2 and colour.shape[2] == 3:
        total = sum(colour[:, :, c].astype(np.int64) * w for c, w in enumerate(_LUMA))
        colour = (np.asarray(total)[:, :, None] >> 15).astype(colour.dtype)
    elif count >= 3 and colour.shape[2] == 1:
        colour = np.repeat(colour, 3, axis=2)
    if count % 2 == 0:
        top = np.iinfo(colour.dtype).max
        whole = np.full(colour.shape[:2], top, colour.dtype) if alpha is None else alpha
        colour = np.concatenate([colour, whole[:, :, None]], axis=2)
    if wide and colour.dtype == np.uint8:
        return colour.astype(np.uint16) * np.uint16(257)
    if not wide and colour.dtype == np.uint16:
        return (colour >> 8).astype(np.uint8)
    return colour


# ------------------------------------------------------------------ one picture
def pixels_of(
    contents: bytes, channels: int, wide: bool, ratio: int = 1, truncated: bool = False
) -> Array:
    """[h, w, channels] of a PNG or JPEG file, or of a GIF file of one frame.

    Raises:
        InvalidArgumentError: another format, or a broken file.
        UnimplementedError: Pillow is needed and not there.
    """
    kind = format_of(contents)
    if kind == "png":
        return arranged(image_png.decode(contents), channels, wide)
    if kind == "jpeg":
        return arranged(Picture(_jpeg(contents, channels, ratio, truncated)), channels, wide)
    if kind == "gif":
        frames = gif_frames(contents)
        if len(frames) > 1:
            raise InvalidArgumentError(
                f"Got {len(frames)} frames, but animated gifs can only be decoded by "
                "tf.image.decode_gif or tf.image.decode_image"
            )
        return arranged(Picture(frames[0]), _of_gif(channels), wide)
    raise unknown(contents, "JPEG, PNG, or GIF")


def unknown(contents: bytes, wanted: str) -> InvalidArgumentError:
    shown = contents[:16].decode("latin-1") if contents else ""
    what = "BMP" if format_of(contents) == "bmp" else f"unknown format starting with {shown!r}"
    return InvalidArgumentError(f"Expected image ({wanted}), got {what}")


def _of_gif(channels: int) -> int:
    if channels not in (0, 3):
        raise InvalidArgumentError("channels must be 0 or 3 for GIF files")
    return 3


def _jpeg(contents: bytes, channels: int, ratio: int, truncated: bool) -> Array:
    """[h, w, 1] or [h, w, 3]; grey is the file's own luma."""
    pillow = _pillow()
    # the marker of the end: what is missing in front of it stays grey
    source = contents + b"\xff\xd9" if truncated else contents
    try:
        with pillow.open(io.BytesIO(source), formats=["JPEG"]) as image:
            size = tuple(-(-d // ratio) for d in image.size)
            image.draft("L" if channels == 1 else None, size)
            grey = image.mode == "L" or channels == 1
            array = np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, SyntaxError, ValueError):
        raise InvalidArgumentError(
            f"Invalid JPEG data or crop window, data size {len(contents)}"
        ) from None
    return array[:, :, None] if array.ndim == 2 else array


def jpeg_shape(contents: bytes) -> tuple[int, int, int]:
    """(height, width, channels) as the file's header says them.

    Raises:
        InvalidArgumentError: "Invalid JPEG data, size ...".
    """
    broken = InvalidArgumentError(f"Invalid JPEG data, size {len(contents)}")
    if format_of(contents) != "jpeg":
        raise broken
    at = 2
    while at + 9 < len(contents) and contents[at] == 0xFF:
        kind = contents[at + 1]
        if kind in _FRAMES:
            height = int.from_bytes(contents[at + 5 : at + 7], "big")
            width = int.from_bytes(contents[at + 7 : at + 9], "big")
            return height, width, contents[at + 9]
        # a lone marker, or one with its length behind it
        lone = kind == 0xFF or 0xD0 <= kind <= 0xD8 or kind == 0x01
        step = 1 if kind == 0xFF else 2
        at += step if lone else 2 + int.from_bytes(contents[at + 2 : at + 4], "big")
    raise broken


# ------------------------------------------------------------------ several frames, bitmaps
def gif_frames(contents: bytes) -> Array:
    """[frames, h, w, 3]."""
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(contents), formats=["GIF"]) as image:
            frames = []
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                frames.append(np.asarray(image.convert("RGB")))
    except (OSError, SyntaxError, ValueError):
        raise InvalidArgumentError(f"Invalid GIF data (size {len(contents)})") from None
    return np.stack(frames)


def frames_of(contents: bytes) -> Array:
    """[frames, h, w, 3] of a GIF file; a PNG or JPEG file is one frame.

    Raises:
        InvalidArgumentError: another format, or a broken file.
    """
    if format_of(contents) == "gif":
        return gif_frames(contents)
    return pixels_of(contents, 3, False)[None]


def bitmap(contents: bytes, channels: int) -> Array:
    """[h, w, channels] of an uncompressed BMP file of 8, 24 or 32 bits a pixel.

    Raises:
        InvalidArgumentError: another format, a broken file, another number of channels.
    """
    if len(contents) < 32:
        raise InvalidArgumentError(
            f"Incomplete bmp content, requires at least 32 bytes to find the header size, width, "
            f"height, and bpp, got {len(contents)} bytes"
        )
    if format_of(contents) != "bmp":
        raise unknown(contents, "BMP")
    start, width, height = (
        int.from_bytes(contents[a : a + 4], "little", signed=True) for a in (10, 18, 22)
    )
    stored = int.from_bytes(contents[28:30], "little") // 8
    if stored not in (1, 3, 4):
        raise InvalidArgumentError(f"Number of channels inherent in the image must be 1, 3 or 4, "
                                   f"was {stored}")  # fmt: skip
    if channels and channels < stored and not (channels == 3 and stored == 4):
        raise InvalidArgumentError(
            f"channels attribute {channels} does not match bits per pixel from file {stored}"
        )
    rows, size = abs(height), -(-width * stored // 4) * 4
    table = np.frombuffer(contents, np.uint8)[start : start + rows * size]
    if width <= 0 or rows == 0 or len(table) < rows * size:
        raise InvalidArgumentError(
            f"Incomplete bmp content, requires at least {start + rows * size} bytes, got "
            f"{len(contents)} bytes"
        )
    image = table.reshape(rows, size)[:, : width * stored].reshape(rows, width, stored)
    image = image if height < 0 else image[::-1]
    if stored == 1:
        return arranged(Picture(image), channels, False)
    # blue, green and red
    colour, alpha = image[:, :, 2::-1], image[:, :, 3] if stored == 4 else None
    return arranged(Picture(colour, alpha, stored == 4), channels, False)


# ------------------------------------------------------------------ writing
def encode_jpeg(
    image: Array, form: str, quality: int, progressive: bool, optimize: bool, chroma: bool,
    density: tuple[str, int, int],
) -> bytes:  # fmt: skip
    """A JPEG file of an uint8 image [h, w, 1 or 3].

    Raises:
        InvalidArgumentError: another number of channels than the format has.
    """
    wanted = {"grayscale": 1, "rgb": 3}.get(form, image.shape[2])
    if image.shape[2] not in (1, 3) or image.shape[2] != wanted:
        raise InvalidArgumentError(
            f"format {form!r} expects {wanted if form else '1 or 3'} channels, got "
            f"{image.shape[2]}"
        )
    unit, x, y = density
    scale = 2.54 if unit == "cm" else 1.0
    out = io.BytesIO()
    picture = _pillow().fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    picture.save(
        out, "JPEG", quality=quality, progressive=progressive, optimize=optimize,
        subsampling=2 if chroma else 0, dpi=(round(x * scale), round(y * scale)),
    )  # fmt: skip
    return out.getvalue()
