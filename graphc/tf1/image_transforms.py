"""tf.contrib.image: rotations, projective transformations and warps of images.

Lives here: those functions. Not here: resizing, flips, colours (tf1/api_image*.py). Transformations
are rows of eight numbers [a0, a1, a2, b0, b1, b2, c0, c1]: the output at (x, y) is the input at
((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) with k = c0 x + c1 y + 1, or 0 outside of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_linalg as linalg
from graphc.tf1 import api_math as math
from graphc.tf1.arguments import index_tensor
from graphc.tf1.scopes import name_scope

__all__ = [
    "angles_to_projective_transforms", "compose_transforms", "dense_image_warp",
    "flat_transforms_to_matrices", "interpolate_bilinear", "matrices_to_flat_transforms",
    "rotate", "transform", "translate", "translations_to_projective_transforms",
]  # fmt: skip


# ------------------------------------------------------------------ transformations as numbers
def _rows(values: Any, what: str, name: str) -> Tensor:
    """Numbers as float32 with an axis in front for the images.

    Raises:
        TypeError: more than that axis.
    """
    tensor = math.cast(convert_to_tensor(values, preferred_dtype=float32), float32)
    if tensor.rank is None or tensor.rank > 1:
        raise TypeError(f"{what} should have rank 0 or 1.")
    return F.expand_dims(tensor, axis=0, name=name) if tensor.rank == 0 else tensor


def angles_to_projective_transforms(
    angles: Any, image_height: Any, image_width: Any, name: str | None = None
) -> Tensor:
    """Rotations by angles (radians, counterclockwise) about the middle: [n, 8].

    Raises:
        TypeError: angles of more than one axis.
    """
    with name_scope(name or "angles_to_projective_transforms"):
        turns = _rows(angles, "Angles", "angles")
        height, width = (
            math.cast(convert_to_tensor(v), float32) - 1 for v in (image_height, image_width)
        )
        c, s = math.cos(turns), math.sin(turns)
        x = (width - (c * width - s * height)) / 2.0
        y = (height - (s * width + c * height)) / 2.0
        zero = F.zeros_like(turns)
        return arrays.stack([c, -s, x, s, c, y, zero, zero], 1)


def translations_to_projective_transforms(
    translations: Any, name: str | None = None
) -> Tensor:
    """Shifts by [dx, dy]: [n, 8].

    Raises:
        TypeError: translations that are neither [2] nor [n, 2].
    """
    with name_scope(name or "translations_to_projective_transforms"):
        moves = math.cast(convert_to_tensor(translations, preferred_dtype=float32), float32)
        if moves.rank not in (1, 2):
            raise TypeError("Translations should have rank 1 or 2.")
        if moves.rank == 1:
            moves = F.expand_dims(moves, axis=0)
        one, zero = F.ones_like(moves[:, 0]), F.zeros_like(moves[:, 0])
        return arrays.stack([one, zero, -moves[:, 0], zero, one, -moves[:, 1], zero, zero], 1)


def flat_transforms_to_matrices(transforms: Any) -> Tensor:
    """[n, 8] (or [8]) to matrices [n, 3, 3]."""
    flat = F.reshape(convert_to_tensor(transforms), np.array([-1, 8], np.int32))
    ones = F.ones_like(flat[:, :1])
    return F.reshape(arrays.concat([flat, ones], 1), np.array([-1, 3, 3], np.int32))


def matrices_to_flat_transforms(transform_matrices: Any) -> Tensor:
    """Matrices [n, 3, 3] to [n, 8], divided by the last element."""
    flat = F.reshape(convert_to_tensor(transform_matrices), np.array([-1, 9], np.int32))
    return (flat / flat[:, 8:9])[:, :8]


def compose_transforms(*transforms: Any) -> Tensor:
    """One transformation that is the given ones after each other.

    Raises:
        ValueError: none are given.
    """
    if not transforms:
        raise ValueError("transforms cannot be empty")
    with name_scope("compose_transforms"):
        total = flat_transforms_to_matrices(transforms[0])
        for one in transforms[1:]:
            total = linalg.matmul(total, flat_transforms_to_matrices(one))
        return matrices_to_flat_transforms(total)


# ------------------------------------------------------------------ images
def _batched(images: Any) -> tuple[Tensor, int]:
    """(images as [n, height, width, channels], the rank they had).

    Raises:
        TypeError: an unknown rank, or another.
    """
    x = convert_to_tensor(images, name="images")
    if x.rank not in (2, 3, 4):
        raise TypeError("Images should have rank between 2 and 4.")
    if x.rank == 2:
        return x[None, :, :, None], 2
    return (x[None], 3) if x.rank == 3 else (x, 4)


def _unbatched(x: Tensor, rank: int, scope: str) -> Tensor:
    if rank == 2:
        x = x[0, :, :, 0]
    elif rank == 3:
        x = x[0]
    return F.identity(x, name=scope)


def _at(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """images[n, y, x] for whole numbers [n, h, w]; zero outside."""
    extents = F.shape(images)
    height, width = extents[1], extents[2]
    zero = np.int32(0)
    inside = (y >= zero) & (y < height) & (x >= zero) & (x < width)
    safe_y = math.maximum(math.minimum(y, height - 1), zero)
    safe_x = math.maximum(math.minimum(x, width - 1), zero)
    numbers = F.reshape(arrays.range(extents[0]), np.array([-1, 1, 1], np.int32))
    batch = numbers + F.zeros_like(safe_y)
    found = arrays.gather_nd(images, F.stack(batch, safe_y, safe_x, axis=-1))
    return F.select_v2(F.expand_dims(inside, axis=-1), found, F.zeros_like(found))


def _nearest(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Half rounds away from zero, as in C."""
    whole = [math.cast(math.sign(v) * math.floor(math.abs(v) + 0.5), int32) for v in (y, x)]
    return _at(images, *whole)


def _bilinear(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    top, left = math.floor(y), math.floor(x)
    down = F.expand_dims(y - top, axis=-1)
    right = F.expand_dims(x - left, axis=-1)
    row, column = math.cast(top, int32), math.cast(left, int32)
    corners = [
        math.cast(_at(images, row + i, column + j), float32) for i in (0, 1) for j in (0, 1)
    ]
    upper = (1 - right) * corners[0] + right * corners[1]
    lower = (1 - right) * corners[2] + right * corners[3]
    return math.cast((1 - down) * upper + down * lower, images.dtype)


def transform(
    images: Any, transforms: Any, interpolation: str = "NEAREST", output_shape: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Images under projective transformations (tf.contrib.image.transform).

    Args:
        images: [n, h, w, c], [h, w, c] or [h, w]. transforms: [8], or [n, 8], or [1, 8] for all.
        interpolation: "NEAREST" or "BILINEAR". output_shape: [height, width], default those of
            the images.

    Raises:
        TypeError: other ranks. ValueError: another interpolation.
    """
    if interpolation.upper() not in ("NEAREST", "BILINEAR"):
        raise ValueError(f"interpolation must be NEAREST or BILINEAR, got {interpolation!r}")
    with name_scope(name or "transform") as scope:
        x, rank = _batched(images)
        numbers = convert_to_tensor(transforms, float32)
        if numbers.rank not in (1, 2):
            raise TypeError("Transforms should have rank 1 or 2.")
        table = F.reshape(numbers, np.array([-1, 8, 1, 1], np.int32))
        extents = F.shape(x)[1:3] if output_shape is None else index_tensor(output_shape)
        ys = F.expand_dims(math.cast(arrays.range(extents[0]), float32), axis=1)
        xs = F.expand_dims(math.cast(arrays.range(extents[1]), float32), axis=0)
        a = [table[:, k] for k in range(8)]
        scale = a[6] * xs + a[7] * ys + 1.0
        full = F.zeros_like(math.cast(x[:, :1, :1, 0], float32))
        from_x = (a[0] * xs + a[1] * ys + a[2]) / scale + full
        from_y = (a[3] * xs + a[4] * ys + a[5]) / scale + full
        sampled = _nearest if interpolation.upper() == "NEAREST" else _bilinear
        return _unbatched(sampled(x, from_y, from_x), rank, scope)


def rotate(
    images: Any, angles: Any, interpolation: str = "NEAREST", name: str | None = None
) -> Tensor:
    """Images rotated counterclockwise about their middle (tf.contrib.image.rotate).

    Args:
        angles: radians: one for all images, or [n].
    """
    with name_scope(name or "rotate"):
        x, _ = _batched(images)
        extents = F.shape(x)
        turned = angles_to_projective_transforms(angles, extents[1], extents[2])
        return transform(images, turned, interpolation)


def translate(
    images: Any, translations: Any, interpolation: str = "NEAREST", name: str | None = None
) -> Tensor:
    """Images shifted by [dx, dy] (tf.contrib.image.translate)."""
    with name_scope(name or "translate"):
        return transform(
            images, translations_to_projective_transforms(translations), interpolation
        )


# ------------------------------------------------------------------ warps
def interpolate_bilinear(
    grid: Any, query_points: Any, name: str = "interpolate_bilinear", indexing: str = "ij"
) -> Tensor:
    """Values of [n, h, w, c] at points [n, m, 2], the nearest edge outside: [n, m, c].

    Raises:
        ValueError: another indexing than "ij" and "xy".
    """
    if indexing not in ("ij", "xy"):
        raise ValueError("Indexing mode must be 'ij' or 'xy'")
    with name_scope(name) as scope:
        x, points = convert_to_tensor(grid), convert_to_tensor(query_points)
        order = (0, 1) if indexing == "ij" else (1, 0)
        extents = F.shape(x)
        whole, parts = [], []
        for axis, k in enumerate(order):
            at = points[:, :, k]
            last = math.cast(extents[axis + 1] - 2, at.dtype)
            low = math.minimum(math.maximum(math.floor(at), 0.0), last)
            whole.append(math.cast(low, int32))
            share = math.minimum(math.maximum(at - low, 0.0), 1.0)
            parts.append(F.expand_dims(math.cast(share, x.dtype), axis=-1))
        batch = F.expand_dims(arrays.range(extents[0]), axis=1) + F.zeros_like(whole[0])

        def corner(i: int, j: int) -> Tensor:
            return arrays.gather_nd(x, F.stack(batch, whole[0] + i, whole[1] + j, axis=-1))

        upper = corner(0, 0) + parts[1] * (corner(0, 1) - corner(0, 0))
        lower = corner(1, 0) + parts[1] * (corner(1, 1) - corner(1, 0))
        return F.add(upper, parts[0] * (lower - upper), name=scope)


def dense_image_warp(image: Any, flow: Any, name: str = "dense_image_warp") -> Tensor:
    """image[n, j - flow[..., 0], i - flow[..., 1]] for every pixel (j, i): bilinear."""
    with name_scope(name) as scope:
        x, moves = convert_to_tensor(image), convert_to_tensor(flow)
        extents = F.shape(x)
        rows, columns = arrays.meshgrid(
            arrays.range(extents[1]), arrays.range(extents[2]), indexing="ij"
        )
        grid = math.cast(F.stack(rows, columns, axis=2), moves.dtype)
        points = F.reshape(
            F.expand_dims(grid, axis=0) - moves,
            arrays.stack([extents[0], extents[1] * extents[2], 2]),
        )
        return F.reshape(interpolate_bilinear(x, points), extents, name=scope)
