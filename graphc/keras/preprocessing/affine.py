"""Changes of pictures: rotation, shift, shear, zoom, flips, colours. Imports NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "apply_affine_transform", "apply_brightness_shift", "apply_channel_shift", "flip_axis",
    "random_rotation", "random_shear", "random_shift", "random_zoom",
]  # fmt: skip

Array = np.ndarray[Any, Any]
_MODES = ("constant", "nearest", "reflect", "wrap")


def flip_axis(x: Array, axis: int) -> Array:
    """The picture mirrored."""
    return np.flip(x, axis)


def apply_channel_shift(x: Array, intensity: float, channel_axis: int = 0) -> Array:
    """Adds to all values, within their range."""
    return np.clip(x + intensity, x.min(), x.max())


def apply_brightness_shift(x: Array, brightness: float) -> Array:
    """Multiplies all values, between 0 and 255."""
    return np.clip(x * brightness, 0, 255 if x.max() > 1 else max(1.0, float(x.max())))


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
    """Places outside of the picture as places in it."""
    if mode == "wrap":
        return index % extent
    if mode == "reflect":
        period = 2 * extent
        folded = index % period
        return np.where(folded < extent, folded, period - 1 - folded)
    return np.clip(index, 0, extent - 1)


def _sampled(x: Array, rows: Array, columns: Array, mode: str, cval: float) -> Array:
    """x [height, width, channels] at places between pixels, linear between the four around."""
    height, width = x.shape[:2]
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    out = np.zeros((*rows.shape, x.shape[2]), np.result_type(x.dtype, np.float32))
    for dr in (0, 1):
        for dc in (0, 1):
            r, c = top + dr, left + dc
            share = (1 - np.abs(rows - r)) * (1 - np.abs(columns - c))
            values = x[_inside(r, height, mode), _inside(c, width, mode)]
            if mode == "constant":
                outside = (r < 0) | (r >= height) | (c < 0) | (c >= width)
                values = np.where(outside[..., None], cval, values)
            out += share[..., None] * values
    return out.astype(x.dtype) if x.dtype.kind == "f" else out


def apply_affine_transform(
    x: Array, theta: float = 0, tx: float = 0, ty: float = 0, shear: float = 0, zx: float = 1,
    zy: float = 1, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, order: int = 1,
) -> Array:
    """A picture rotated by theta degrees, shifted, sheared and zoomed about its middle.

    Raises:
        ValueError: an unknown fill_mode.
    """
    if fill_mode not in _MODES:
        raise ValueError(f"unknown fill_mode {fill_mode!r}; known: {', '.join(_MODES)}")
    matrix = _matrix(theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return x
    axes = (row_axis, col_axis, channel_axis)
    image = np.transpose(x, axes)
    height, width = image.shape[:2]
    middle = np.array([height / 2 - 0.5, width / 2 - 0.5])
    r, c = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    places = np.stack([r - middle[0], c - middle[1], np.ones_like(r, float)])
    moved = np.einsum("ij,jrc->irc", matrix, places)
    out = _sampled(image, moved[0] + middle[0], moved[1] + middle[1], fill_mode, cval)
    return np.transpose(out, np.argsort(axes))


def _uniform(low: float, high: float) -> float:
    return float(np.random.uniform(low, high))  # noqa: NPY002  # the state that scripts seed


def random_rotation(
    x: Array, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0,
) -> Array:
    """Rotated by up to rg degrees."""
    return apply_affine_transform(
        x, theta=_uniform(-rg, rg), row_axis=row_axis, col_axis=col_axis,
        channel_axis=channel_axis, fill_mode=fill_mode, cval=cval,
    )  # fmt: skip


def random_shift(
    x: Array, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2,
    channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0,
) -> Array:
    """Shifted by up to these shares of width and height."""
    return apply_affine_transform(
        x, tx=_uniform(-hrg, hrg) * x.shape[row_axis], ty=_uniform(-wrg, wrg) * x.shape[col_axis],
        row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis, fill_mode=fill_mode,
        cval=cval,
    )  # fmt: skip


def random_shear(
    x: Array, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0,
) -> Array:
    """Sheared by up to `intensity` degrees."""
    return apply_affine_transform(
        x, shear=_uniform(-intensity, intensity), row_axis=row_axis, col_axis=col_axis,
        channel_axis=channel_axis, fill_mode=fill_mode, cval=cval,
    )  # fmt: skip


def random_zoom(
    x: Array, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0,
) -> Array:
    """Zoomed between two factors, drawn for each axis."""
    return apply_affine_transform(
        x, zx=_uniform(*zoom_range), zy=_uniform(*zoom_range), row_axis=row_axis,
        col_axis=col_axis, channel_axis=channel_axis, fill_mode=fill_mode, cval=cval,
    )  # fmt: skip
