"""Pictures as arrays: img_to_array, array_to_img, load_img, save_img. Files need Pillow."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.core.config import floatx, normalize_data_format

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img"]

Array = np.ndarray[Any, Any]
_RESAMPLE = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
# Pillow's modes: what a picture is converted to, and what may stay as it is
_MODES = {"rgb": ("RGB", ("RGB",)), "rgba": ("RGBA", ("RGBA",)),
          "grayscale": ("L", ("L", "I;16", "I"))}  # fmt: skip


def pillow() -> Any:
    """Raises ImportError: Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("files of pictures need Pillow: pip install pillow") from None
    return Image


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> Array:
    """A Pillow picture as an array [height, width, channels].

    Raises:
        ValueError: neither two nor three axes.
    """
    x = np.asarray(img, dtype=dtype or floatx())
    first = normalize_data_format(data_format) == "channels_first"
    if x.ndim == 2:
        return x[None] if first else x[..., None]
    if x.ndim != 3:
        raise ValueError(f"Unsupported image shape: {x.shape}")
    return x.transpose(2, 0, 1) if first else x


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """An array as a Pillow picture; scaled to 0 to 255 unless told otherwise.

    Raises:
        ValueError: not of rank 3, or another number of channels than 1, 3 or 4.
    """
    image = pillow()
    x = np.asarray(x, dtype=dtype or floatx())
    if x.ndim != 3:
        raise ValueError(
            f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}"
        )
    if normalize_data_format(data_format) == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - x.min()
        high = x.max()
        x = x / high * 255.0 if high else x
    if x.shape[-1] not in (1, 3, 4):
        raise ValueError(f"Unsupported channel number: {x.shape[-1]}")
    if x.shape[-1] == 1 and x.max() > 255:
        return image.fromarray(x[..., 0].astype("int32"))
    x = x.astype("uint8")
    return image.fromarray(x[..., 0] if x.shape[-1] == 1 else x)


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None,
    scale: bool = True, **kwargs: Any,
) -> None:
    """Writes an array as a picture; further arguments go to Pillow."""
    img = array_to_img(x, data_format, scale)
    if img.mode == "RGBA" and (file_format or "").lower() in ("jpg", "jpeg"):
        warnings.warn(
            "The JPG format does not support RGBA images, converting to RGB.", stacklevel=2
        )
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)


def load_img(
    path: Any, grayscale: bool = False, color_mode: str = "rgb", target_size: Any = None,
    interpolation: str = "nearest",
) -> Any:
    """A picture of a file (a path, or an open file of bytes), as Pillow's.

    Args:
        color_mode: "rgb", "rgba" or "grayscale". target_size: (height, width) to resize to.

    Raises:
        ValueError: an unknown color_mode or interpolation.
    """
    image = pillow()
    if grayscale:
        warnings.warn('grayscale is deprecated. Please use color_mode = "grayscale"', stacklevel=2)
        color_mode = "grayscale"
    if color_mode not in _MODES:
        raise ValueError('color_mode must be "grayscale", "rgb", or "rgba"')
    data = path.read() if hasattr(path, "read") else Path(path).read_bytes()
    img = image.open(io.BytesIO(data))
    mode, kept = _MODES[color_mode]
    if img.mode not in kept:
        img = img.convert(mode)
    if target_size is not None and img.size != (target_size[1], target_size[0]):
        if interpolation not in _RESAMPLE:
            raise ValueError(
                f"Invalid interpolation method {interpolation} specified. Supported methods are "
                f"{', '.join(sorted(_RESAMPLE))}"
            )
        img = img.resize((target_size[1], target_size[0]), _RESAMPLE[interpolation])
    return img
