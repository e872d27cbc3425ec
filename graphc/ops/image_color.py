"""Hue, saturation and value of pixels, and back.

Lives here: rgb_to_hsv, hsv_to_rgb, adjust_hue, adjust_saturation. Not here: the user's functions
(tf1/api_image_color.py), linear colour spaces (products with matrices). Imports ops.define.

A pixel is the last axis. Each record is one kernel that reads three channels; it is an anchor, so
that chains of colour changes do not compute each other's pixels again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import FLOAT, float32
from graphc.ir.node import TensorType
from graphc.kernel import prims as k
from graphc.kernel.expr import Cast, Const, Expr, index
from graphc.ops.define import InferContext, KernelContext, OpDef
from graphc.ops.extents import need_rank, need_rank_at_least
from graphc.ops.reference import wide
from graphc.ops.samples import arg, fixed, sample, uniform

Array = np.ndarray[Any, Any]
Pixel = tuple[Expr, Expr, Expr]
# where red, green and blue begin on the circle of six sectors
_OFFSETS = (5.0, 3.0, 1.0)


# ------------------------------------------------------------------ expressions
def _number(value: float, like: Expr) -> Expr:
    return Const(value, like.dtype)


def _clamped(x: Expr) -> Expr:
    return k.minimum(k.maximum(x, _number(0.0, x)), _number(1.0, x))


def _hue_range(pixel: Pixel) -> Pixel:
    """(hue in [0, 1), largest, smallest) of red, green and blue."""
    r, g, b = pixel
    high, low = k.maximum(k.maximum(r, g), b), k.minimum(k.minimum(r, g), b)
    spread, zero = high - low, _number(0.0, r)
    some = k.gt(spread, zero)
    step = _number(1 / 6, r) / k.select(some, spread, _number(1.0, r))
    hue = k.select(
        k.eq(g, high), step * (b - r) + _number(2 / 6, r), step * (r - g) + _number(4 / 6, r)
    )
    hue = k.select(some, k.select(k.eq(r, high), step * (g - b), hue), zero)
    return k.select(k.lt(hue, zero), hue + _number(1.0, r), hue), high, low


def _to_hsv(pixel: Pixel) -> Pixel:
    hue, high, low = _hue_range(pixel)
    zero = _number(0.0, high)
    positive = k.gt(high, zero)
    share = (high - low) / k.select(positive, high, _number(1.0, high))
    return hue, k.select(positive, share, zero), high


def _from_hsv(pixel: Pixel) -> Pixel:
    hue, saturation, value = pixel
    sixth, one, two = hue * _number(6.0, hue), _number(1.0, hue), _number(2.0, hue)
    ramps = (
        _clamped(k.abs_(sixth - _number(3.0, hue)) - one), _clamped(two - k.abs_(sixth - two)),
        _clamped(two - k.abs_(sixth - _number(4.0, hue))),
    )  # fmt: skip
    r, g, b = ((one - saturation + saturation * ramp) * value for ramp in ramps)
    return r, g, b


def _turned(pixel: Pixel, delta: Expr) -> Pixel:
    hue, high, low = _hue_range(pixel)
    sixths = (hue + delta) * _number(6.0, hue)
    parts = []
    for offset in _OFFSETS:
        turn = sixths + _number(offset, hue)
        place = turn - k.floor(turn / _number(6.0, hue)) * _number(6.0, hue)
        parts.append(high - (high - low) * _clamped(k.minimum(place, _number(4.0, hue) - place)))
    return parts[0], parts[1], parts[2]


def _saturated(pixel: Pixel, factor: Expr) -> Pixel:
    hue, saturation, value = _to_hsv(pixel)
    return _from_hsv((hue, _clamped(saturation * factor), value))


# ------------------------------------------------------------------ references
def _of_pixels(change: Callable[..., Array]) -> Callable[..., Array]:
    def reference(images: Array, *more: Array) -> Array:
        if images.shape[-1] != 3:
            raise InvalidArgumentError(
                f"input must have 3 channels but instead has {images.shape[-1]} channels."
            )
        return change(images, *more)

    return reference


def _np_hue_range(x: Array) -> tuple[Array, Array, Array]:
    r, g, b = np.moveaxis(x, -1, 0)
    high, low = x.max(axis=-1), x.min(axis=-1)
    spread = high - low
    step = 1 / (6 * np.where(spread > 0, spread, 1))
    hue = np.select(
        [spread <= 0, r == high, g == high],
        [0 * r, step * (g - b), step * (b - r) + 2 / 6], step * (r - g) + 4 / 6,
    )  # fmt: skip
    return np.where(hue < 0, hue + 1, hue), high, low


def _np_to_hsv(x: Array) -> Array:
    hue, high, low = _np_hue_range(x)
    share = np.where(high > 0, (high - low) / np.where(high > 0, high, 1), 0)
    return np.stack([hue, share, high], axis=-1)


def _np_from_hsv(x: Array) -> Array:
    hue, saturation, value = np.moveaxis(x, -1, 0)
    sixth = hue * 6
    ramps = (np.abs(sixth - 3) - 1, 2 - np.abs(sixth - 2), 2 - np.abs(sixth - 4))
    return np.stack(
        [(1 - saturation + saturation * np.clip(r, 0, 1)) * value for r in ramps], axis=-1
    )


def _np_turned(x: Array, delta: Array) -> Array:
    hue, high, low = _np_hue_range(x)
    parts = []
    for offset in _OFFSETS:
        place = ((hue + delta) * 6 + offset) % 6
        parts.append(high - (high - low) * np.clip(np.minimum(place, 4 - place), 0, 1))
    return np.stack(parts, axis=-1)


def _np_saturated(x: Array, factor: Array) -> Array:
    hsv = _np_to_hsv(x)
    hsv[..., 1] = np.clip(hsv[..., 1] * factor, 0, 1)
    return _np_from_hsv(hsv)


# ------------------------------------------------------------------ records
def _type(ctx: InferContext) -> TensorType:
    need_rank_at_least(ctx, 0, 1)
    if len(ctx.inputs) > 1:
        need_rank(ctx, 1, 0)
    shape = ctx.shape(0)
    if shape is not None and isinstance(shape[-1], int) and shape[-1] != 3:
        raise ctx.fail(f"input must have 3 channels but instead has {shape[-1]} channels.")
    return ctx.inputs[0].type


def _kernel(change: Callable[..., Pixel]) -> Callable[..., Expr]:
    def kernel(ctx: KernelContext, which: int, idx: tuple[Expr, ...]) -> Expr:
        r, g, b = (ctx.load_compute(0, (*idx[:-1], index(c))) for c in range(3))
        more = [ctx.load(1, ())] if len(ctx.node.inputs) > 1 else []
        more = [m if m.dtype is r.dtype else Cast(m, r.dtype) for m in more]
        parts = change((r, g, b), *more)
        at = idx[-1]
        rest = k.select(k.eq(at, index(1)), parts[1], parts[2])
        channels = ctx.shape(0)[-1]
        if channels == 3:
            return k.select(k.eq(at, index(0)), parts[0], rest)
        # what the graph did not know is looked at in each run
        wrong = k.select(k.eq(index(channels), index(3)), index(0), index(1))
        return k.select(k.eq(at, k.check_index(wrong, index(1))), parts[0], rest)

    return kernel


def _record(
    name: str, tf: str, change: Callable[..., Pixel], numpy: Callable[..., Array],
    *more: Sequence[Any],
) -> OpDef:  # fmt: skip
    args = ("images", *(m[0] for m in more))
    return OpDef(
        name=name, tf=tf, family="reduction", infer=_type, numpy=wide(_of_pixels(numpy)),
        kernel=_kernel(change), args=args, groups=("T", *(float32 for _ in more)),
        dtypes={"T": FLOAT}, nograd="TF1 has no gradient for it",
        samples=tuple(
            sample(arg(shape, uniform(0.05, 0.95)), *(fixed(m[1], float32) for m in more),
                   grad=False)
            for shape in ((4, 3), (2, 3, 5, 3), (0, 2, 3))
        ),
    )  # fmt: skip


rgb_to_hsv = _record("rgb_to_hsv", "RGBToHSV", _to_hsv, _np_to_hsv)
hsv_to_rgb = _record("hsv_to_rgb", "HSVToRGB", _from_hsv, _np_from_hsv)
adjust_hue = _record("adjust_hue", "AdjustHue", _turned, _np_turned, ("delta", 0.3))
adjust_saturation = _record(
    "adjust_saturation", "AdjustSaturation", _saturated, _np_saturated, ("scale", 1.4)
)
