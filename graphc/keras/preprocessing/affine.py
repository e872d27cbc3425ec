"""Changes of pictures: rotation, shift, shear, zoom, flips, colours.

Imports NumPy; Pillow for brightness.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.keras.preprocessing.pictures import array_to_img, img_to_array

__all__ = [
    "apply_affine_transform", "apply_brightness_shift", "apply_channel_shift", "flip_axis",
    "random_brightness", "random_channel_shift", "random_rotation", "random_shear",
    "random_shift", "random_zoom",
]  # fmt: skip

Array = np.ndarray[Any, Any]
_MODES = ("constant", "nearest", "reflect", "wrap")


def flip_axis(x: Array, axis: int) -> Array:
    """The picture mirrored."""
    return np.flip(x, axis)


def apply_channel_shift(x: Array, intensity: float, channel_axis: int = 0) -> Array:
    """Adds to all values, within their range."""
    return np.clip(x + intensity, x.min(), x.max())


def apply_brightness_shift(x: Array, brightness: float, scale: bool = True) -> Array:
    """The picture as bytes, with all values multiplied.

    Args:
        scale: its values are stretched to 0 to 255 first, as those outside of these always are
            (without it the result is put back into their range).
    """
    from PIL import ImageEnhance

    low, high = float(np.min(x)), float(np.max(x))
    beyond = low < 0 or high > 255
    picture = ImageEnhance.Brightness(array_to_img(x, scale=beyond or scale)).enhance(brightness)
    out = img_to_array(picture)
    return out / 255 * (high - low) + low if beyond and not scale else out


def _matrix(
    theta: float, tx: float, ty: float, shear: float, zx: float, zy: float
) -> Array | None:
    """From a place in the result to one in the picture; None where nothing changes."""
    out: Array = np.eye(3)
    if theta:
        angle = np.deg2rad(theta)
        c, s = np.cos(angle), np.sin(angle)
        out = out @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    if tx or ty:
        out = out @ np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    if shear:
        angle = np.deg2rad(shear)
        out = out @ np.array([[1, -np.sin(angle), 0], [0, np.cos(angle), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        out = out @ np.diag([zx, zy, 1.0])
    return None if np.array_equal(out, np.eye(3)) else out


def _inside(index: Array, extent: int, mode: str) -> Array:
    """Pixels outside of the picture as pixels in it."""
    if mode == "reflect":
        folded = index % (2 * extent)
        return np.where(folded < extent, folded, 2 * extent - 1 - folded)
    return np.clip(index, 0, extent - 1)


def _sampled(
    x: Array, rows: Array, columns: Array, mode: str, cval: float, order: int
) -> Array:
    """x [height, width, channels] at places between pixels, as SciPy's affine_transform.

    Outside of the picture "constant" gives cval, and "wrap" begins anew at the other end's pixel.
    """
    height, width = x.shape[:2]
    if mode == "wrap":
        rows, columns = rows % max(height - 1, 1), columns % max(width - 1, 1)
    outside = (rows < 0) | (rows > height - 1) | (columns < 0) | (columns > width - 1)
    if order == 0:
        rows, columns = np.floor(rows + 0.5), np.floor(columns + 0.5)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    out = np.zeros((*rows.shape, x.shape[2]))
    for dr in (0, 1):
        for dc in (0, 1):
            r, c = top + dr, left + dc
            share = (1 - np.abs(rows - r)) * (1 - np.abs(columns - c))
            out += share[..., None] * x[_inside(r, height, mode), _inside(c, width, mode)]
    if mode == "constant":
        out[outside] = cval
    return out.astype(x.dtype)


def apply_affine_transform(
    x: Array, theta: float = 0, tx: float = 0, ty: float = 0, shear: float = 0, zx: float = 1,
    zy: float = 1, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, order: int = 1,
) -> Array:
    """A picture rotated by theta degrees, shifted, sheared and zoomed about its middle.

    Args:
        order: of the interpolation: 1 or 0; more needs SciPy.

    Raises:
        ValueError: an unknown fill_mode, or axes that are not the three.
    """
    if fill_mode not in _MODES:
        raise ValueError(f"unknown fill_mode {fill_mode!r}; known: {', '.join(_MODES)}")
    axes = (row_axis, col_axis, channel_axis)
    if sorted(axes) != [0, 1, 2]:
        raise ValueError("'row_axis', 'col_axis', and 'channel_axis' must be distinct")
    matrix = _matrix(theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return x
    image = np.transpose(x, axes)
    middle = np.array([image.shape[0] / 2 - 0.5, image.shape[1] / 2 - 0.5])
    linear = matrix[:2, :2]
    offset = middle + matrix[:2, 2] - linear @ middle
    if order > 1:
        out = _splines(image, linear, offset, fill_mode, cval, order)
    else:
        at = np.stack(np.meshgrid(*map(np.arange, image.shape[:2]), indexing="ij"))
        rows, columns = np.einsum("ij,jrc->irc", linear, at) + offset[:, None, None]
        out = _sampled(image, rows, columns, fill_mode, cval, order)
    return np.transpose(out, np.argsort(axes))


def _splines(
    x: Array, linear: Array, offset: Array, mode: str, cval: float, order: int
) -> Array:
    """Raises ImportError: SciPy is not installed."""
    try:
        from scipy import ndimage
    except ImportError:
        raise ImportError("an interpolation_order above 1 needs SciPy: pip install scipy") from None
    channels = [
        ndimage.affine_transform(x[..., k], linear, offset, order=order, mode=mode, cval=cval)
        for k in range(x.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def _uniform(low: float, high: float) -> float:
    return float(np.random.uniform(low, high))  # noqa: NPY002  # the state that scripts seed


def random_rotation(
    x: Array, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> Array:
    """Rotated by up to rg degrees."""
    more = (row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, _uniform(-rg, rg), 0, 0, 0, 1, 1, *more)


def random_shift(
    x: Array, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2,
    channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """Shifted by up to these shares of width and height."""
    tx = _uniform(-hrg, hrg) * x.shape[row_axis]
    ty = _uniform(-wrg, wrg) * x.shape[col_axis]
    more = (row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, 0, tx, ty, 0, 1, 1, *more)


def random_shear(
    x: Array, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> Array:
    """Sheared by up to `intensity` degrees."""
    more = (row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, 0, 0, 0, _uniform(-intensity, intensity), 1, 1, *more)


def random_zoom(
    x: Array, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> Array:
    """Zoomed between two factors, drawn for each axis.

    Raises:
        ValueError: another number of factors.
    """
    if len(zoom_range) != 2:
        raise ValueError(
            f"`zoom_range` should be a tuple or list of two floats. Received: {zoom_range}"
        )
    low, high = zoom_range
    still = low == 1 and high == 1
    zx, zy = (1.0, 1.0) if still else (_uniform(low, high), _uniform(low, high))
    more = (row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, 0, 0, 0, 0, zx, zy, *more)


def random_channel_shift(x: Array, intensity_range: float, channel_axis: int = 0) -> Array:
    """All values moved by up to this much."""
    return apply_channel_shift(x, _uniform(-intensity_range, intensity_range), channel_axis)


def random_brightness(x: Array, brightness_range: Any, scale: bool = True) -> Array:
    """All values multiplied by a number between two.

    Raises:
        ValueError: another number of numbers.
    """
    if len(brightness_range) != 2:
        raise ValueError(
            "`brightness_range should be tuple or list of two floats. Received: "
            f"{brightness_range}"
        )
    return apply_brightness_shift(x, _uniform(*brightness_range), scale)
