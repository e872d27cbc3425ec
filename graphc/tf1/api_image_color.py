"""Colours and values of pixels: dtypes, brightness, contrast, hue, saturation, colour spaces.

Lives here: tf.image.convert_image_dtype to random_saturation. Not here: what moves pixels
(api_image_shape.py), measures of images (api_image_measure.py). Imports ops.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype, float16, float32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_image_shape import image_tensor
from graphc.tf1.api_math import cast, saturate_cast
from graphc.tf1.api_random import random_uniform

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
    "convert_image_dtype", "grayscale_to_rgb", "hsv_to_rgb", "per_image_standardization",
    "random_brightness", "random_contrast", "random_hue", "random_saturation",
    "rgb_to_grayscale", "rgb_to_hsv", "rgb_to_yiq", "rgb_to_yuv", "yiq_to_rgb", "yuv_to_rgb",
]  # fmt: skip

# rows: red, green, blue of the first space; columns: the coordinates of the second
_TO_YIQ = (
    (0.299, 0.59590059, 0.2115), (0.587, -0.27455667, -0.52273617), (0.114, -0.32134392, 0.31119955)
)  # fmt: skip
_FROM_YIQ = (
    (1.0, 1.0, 1.0), (0.95598634, -0.27201283, -1.10674021), (0.6208248, -0.64720424, 1.70423049)
)  # fmt: skip
_TO_YUV = (
    (0.299, -0.14714119, 0.61497538), (0.587, -0.28886916, -0.51496512),
    (0.114, 0.43601035, -0.10001026),
)  # fmt: skip
_FROM_YUV = (
    (1.0, 1.0, 1.0), (0.0, -0.394642334, 2.03206185), (1.13988303, -0.58062185, 0.0)
)  # fmt: skip
_LUMA = (0.2989, 0.5870, 0.1140)


# ------------------------------------------------------------------ dtypes
def convert_image_dtype(
    image: Any, dtype: Any, saturate: bool = False, name: str | None = None
) -> Tensor:
    """The image in another dtype, scaled: floats hold [0, 1), integers [0, their maximum].

    Args:
        saturate: clamp to what the dtype holds, where a cast could leave it.

    Raises:
        TypeError: a dtype that is neither float nor integer.
    """
    x, wanted = convert_to_tensor(image, name="image"), as_dtype(dtype)
    if not (wanted.is_floating or wanted.is_integer):
        raise TypeError("dtype must be either floating point or integer")
    if wanted is x.dtype:
        return F.identity(x, name=name)
    with x.graph.name_scope(name or "convert_image"):
        convert = saturate_cast if saturate else cast
        if x.dtype.is_integer and wanted.is_integer:
            return _between_integers(x, wanted, convert)
        if x.dtype.is_floating and wanted.is_floating:
            return cast(x, wanted)
        if x.dtype.is_integer:
            return cast(x, wanted) * wanted.np.type(1.0 / int(x.dtype.max))
        # half a step more, so that what was an integer comes back as it was
        return convert(x * x.dtype.np.type(int(wanted.max) + 0.5), wanted)


def _between_integers(x: Tensor, wanted: DType, convert: Any) -> Tensor:
    high, top = int(x.dtype.max), int(wanted.max)
    if high > top:
        return convert(F.floordiv(x, x.dtype.np.type((high + 1) // (top + 1))), wanted)
    scale = (top + 1) // (high + 1)
    return F.multiply(convert(x, wanted), wanted.np.type(scale))


def _as_floats(image: Any) -> tuple[Tensor, DType]:
    """The image as half or single floats, and its own dtype."""
    x = convert_to_tensor(image, name="image")
    if x.dtype in (float16, float32):
        return x, x.dtype
    return convert_image_dtype(x, float32), x.dtype


def _scalar(value: Any, like: Tensor) -> Tensor:
    number = convert_to_tensor(value, preferred_dtype=float32)
    return number if number.dtype is like.dtype else F.cast(number, dtype=like.dtype)


# ------------------------------------------------------------------ values
def per_image_standardization(image: Any) -> Tensor:
    """(x - mean) / max(stddev, 1 / sqrt(number of pixels)) of each image, in float32.

    Raises:
        ValueError: fewer than three axes.
    """
    x = F.cast(image_tensor(image), dtype=float32)
    with x.graph.name_scope("per_image_standardization"):
        axes = (-3, -2, -1)
        centred = x - F.reduce_mean(x, axes=axes, keepdims=True)
        spread = F.sqrt(F.reduce_mean(F.square(centred), axes=axes, keepdims=True))
        begin = np.array([-3], np.int32)
        sizes = F.strided_slice(F.shape(x), begin, begin * 0, begin * 0 + 1, end_mask=1)
        count = F.reduce_prod(sizes, axes=None, keepdims=False)
        return centred / F.maximum(spread, F.rsqrt(F.cast(count, dtype=float32)))


def adjust_brightness(image: Any, delta: Any) -> Tensor:
    """The image with `delta` added to each value on the scale [0, 1)."""
    x, own = _as_floats(image)
    with x.graph.name_scope("adjust_brightness"):
        return convert_image_dtype(x + _scalar(delta, x), own, saturate=True)


def adjust_contrast(images: Any, contrast_factor: Any) -> Tensor:
    """(x - mean) * factor + mean of each channel of each image."""
    x, own = _as_floats(images)
    with x.graph.name_scope("adjust_contrast"):
        mean = F.reduce_mean(x, axes=(-3, -2), keepdims=True)
        changed = (x - mean) * _scalar(contrast_factor, x) + mean
        return convert_image_dtype(changed, own, saturate=True)


def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Tensor:
    """gain * x ** gamma on the scale [0, 1).

    Raises:
        ValueError: a negative gamma.
    """
    if isinstance(gamma, int | float) and gamma < 0:
        raise ValueError("Gamma should be a non-negative real number.")
    x, own = _as_floats(image)
    with x.graph.name_scope("adjust_gamma"):
        changed = _scalar(gain, x) * F.pow(x, _scalar(gamma, x))
        return convert_image_dtype(changed, own, saturate=True)


# ------------------------------------------------------------------ colour spaces
def _pixels(images: Any) -> Tensor:
    """The images, of which the last axis must be of three.

    Raises:
        ValueError: another number of channels.
    """
    x = convert_to_tensor(images, name="images")
    if x.dims is not None and (not x.dims or x.dims[-1] not in (None, 3)):
        shown = x.dims[-1] if x.dims else 0
        raise ValueError(f"input must have 3 channels but instead has {shown} channels.")
    return x


def rgb_to_hsv(images: Any, name: str | None = None) -> Tensor:
    """Hue, saturation and value, each in [0, 1], of red, green and blue.

    Raises:
        ValueError: the last axis is not of three.
    """
    return F.rgb_to_hsv(_pixels(images), name=name)


def hsv_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """Red, green and blue of hue, saturation and value.

    Raises:
        ValueError: the last axis is not of three.
    """
    return F.hsv_to_rgb(_pixels(images), name=name)


def _mapped(images: Any, matrix: Any, scope: str) -> Tensor:
    x = _pixels(images)
    with x.graph.name_scope(scope):
        rows = F.reshape(x, np.array([-1, 3], np.int32))
        weights = np.asarray(matrix, x.dtype.np)
        mapped = F.matmul(rows, weights, transpose_a=False, transpose_b=False)
        out = F.reshape(mapped, F.shape(x))
        out.set_shape(x.dims)
        return out


def rgb_to_yiq(images: Any) -> Tensor:
    """The YIQ colours of NTSC of red, green and blue in [0, 1]."""
    return _mapped(images, _TO_YIQ, "rgb_to_yiq")


def yiq_to_rgb(images: Any) -> Tensor:
    """Red, green and blue of YIQ."""
    return _mapped(images, _FROM_YIQ, "yiq_to_rgb")


def rgb_to_yuv(images: Any) -> Tensor:
    """The YUV colours of PAL of red, green and blue in [0, 1]."""
    return _mapped(images, _TO_YUV, "rgb_to_yuv")


def yuv_to_rgb(images: Any) -> Tensor:
    """Red, green and blue of YUV."""
    return _mapped(images, _FROM_YUV, "yuv_to_rgb")


def rgb_to_grayscale(images: Any, name: str | None = None) -> Tensor:
    """The luma of red, green and blue: [..., 3] to [..., 1], in the images' dtype."""
    x = _pixels(images)
    with x.graph.name_scope(name or "rgb_to_grayscale"):
        weighted = convert_image_dtype(x, float32) * np.array(_LUMA, np.float32)
        gray = F.reduce_sum(weighted, axes=(-1,), keepdims=True)
        return convert_image_dtype(gray, x.dtype)


def grayscale_to_rgb(images: Any, name: str | None = None) -> Tensor:
    """The one channel three times: [..., 1] to [..., 3].

    Raises:
        ValueError: "Last dimension of a grayscale image should be size 1."
    """
    x = convert_to_tensor(images, name="images")
    if x.dims is not None and (len(x.dims) < 2 or x.dims[-1] not in (None, 1)):
        raise ValueError("Last dimension of a grayscale image should be size 1.")
    if x.rank is None:
        raise ValueError("A grayscale image must be at least two-dimensional.")
    with x.graph.name_scope(name or "grayscale_to_rgb"):
        return F.concat(x, x, x, axis=-1)


# ------------------------------------------------------------------ hue and saturation
def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Tensor:
    """The image with `delta`, in [-1, 1], added to its hue.

    Raises:
        ValueError: the last axis is not of three.
    """
    x, own = _as_floats(_pixels(image))
    with x.graph.name_scope(name or "adjust_hue"):
        return convert_image_dtype(F.adjust_hue(x, convert_to_tensor(delta, float32)), own)


def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Tensor:
    """The image with its saturation times a factor, clamped to [0, 1].

    Raises:
        ValueError: the last axis is not of three.
    """
    x, own = _as_floats(_pixels(image))
    with x.graph.name_scope(name or "adjust_saturation"):
        factor = convert_to_tensor(saturation_factor, float32)
        return convert_image_dtype(F.adjust_saturation(x, factor), own)


# ------------------------------------------------------------------ at random
def _between(low: Any, high: Any, seed: Any) -> Tensor:
    return random_uniform([], low, high, seed=seed)


def _check_bounds(lower: Any, upper: Any) -> None:
    if upper <= lower:
        raise ValueError("upper must be > lower.")
    if lower < 0:
        raise ValueError("lower must be non-negative.")


def random_brightness(image: Any, max_delta: Any, seed: int | None = None) -> Tensor:
    """adjust_brightness by a delta in [-max_delta, max_delta).

    Raises:
        ValueError: a negative max_delta.
    """
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_brightness(image, _between(-max_delta, max_delta, seed))


def random_contrast(image: Any, lower: Any, upper: Any, seed: int | None = None) -> Tensor:
    """adjust_contrast by a factor in [lower, upper).

    Raises:
        ValueError: bounds that are negative or not in order.
    """
    _check_bounds(lower, upper)
    return adjust_contrast(image, _between(lower, upper, seed))


def random_hue(image: Any, max_delta: Any, seed: int | None = None) -> Tensor:
    """adjust_hue by a delta in [-max_delta, max_delta).

    Raises:
        ValueError: max_delta is not in [0, 0.5].
    """
    if max_delta > 0.5:
        raise ValueError("max_delta must be <= 0.5.")
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_hue(image, _between(-max_delta, max_delta, seed))


def random_saturation(image: Any, lower: Any, upper: Any, seed: int | None = None) -> Tensor:
    """adjust_saturation by a factor in [lower, upper).

    Raises:
        ValueError: bounds that are negative or not in order.
    """
    _check_bounds(lower, upper)
    return adjust_saturation(image, _between(lower, upper, seed))
