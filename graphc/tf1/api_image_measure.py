"""Measures of images: differences of neighbours, edges, how alike two images are.

Lives here: tf.image.total_variation, image_gradients, sobel_edges, psnr, ssim, ssim_multiscale.
Not here: colours (api_image_color.py). Imports ops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.api_conv import depthwise_conv2d
from graphc.tf1.api_image_color import convert_image_dtype
from graphc.tf1.api_pool import avg_pool

__all__ = [
    "image_gradients", "psnr", "sobel_edges", "ssim", "ssim_multiscale", "total_variation",
]  # fmt: skip

_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


# ------------------------------------------------------------------ neighbours
def _differences(x: Tensor, axis: int) -> Tensor:
    """Each element's successor along an axis, less the element."""
    shape = F.shape(x)
    size = F.slice(shape, np.array([axis], np.int32), np.array([1], np.int32)) - np.int32(1)
    rank = x.rank or 0
    begin = np.zeros(rank, np.int32)
    step = begin.copy()
    step[axis] = 1
    whole = np.full(rank, -1, np.int32)
    sizes = F.concat(whole[:axis], size, whole[axis + 1 :], axis=0)
    return F.slice(x, step, sizes) - F.slice(x, begin, sizes)


def total_variation(images: Any, name: str | None = None) -> Tensor:
    """The sum of the sizes of all differences of neighbours: a scalar, or one for each of a batch.

    Raises:
        ValueError: a rank other than 3 and 4.
    """
    x = convert_to_tensor(images)
    if x.rank not in (3, 4):
        raise ValueError("'images' must be either 3 or 4-dimensional.")
    first = x.rank - 3
    axes = None if x.rank == 3 else (1, 2, 3)
    with x.graph.name_scope(name or "total_variation"):
        down, right = (
            F.reduce_sum(F.abs(_differences(x, first + d)), axes=axes, keepdims=False)
            for d in (0, 1)
        )
        return down + right


def image_gradients(image: Any) -> tuple[Tensor, Tensor]:
    """(dy, dx): each pixel's lower and right neighbour less it; zero at the ends.

    Raises:
        ValueError: a rank other than 4.
    """
    x = convert_to_tensor(image)
    if x.rank != 4:
        raise ValueError(
            f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {x.shape}."
        )
    zero = np.zeros((), x.dtype.np)
    down = np.array([[0, 0], [0, 1], [0, 0], [0, 0]], np.int32)
    right = np.array([[0, 0], [0, 0], [0, 1], [0, 0]], np.int32)
    return F.pad(_differences(x, 1), down, zero), F.pad(_differences(x, 2), right, zero)


def sobel_edges(image: Any) -> Tensor:
    """Sobel's edges down and across of each channel: [batch, h, w, d, 2]."""
    x = convert_to_tensor(image)
    if x.rank != 4:
        raise ValueError(f"sobel_edges expects a 4D tensor [batch_size, h, w, d], not {x.shape}.")
    pads = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    padded = F.mirror_pad(x, pads, mode="REFLECT")
    height, width = (_extent(x, d) for d in (1, 2))

    def part(row: int, column: int) -> Tensor:
        sizes = F.stack(np.int32(-1), height, width, np.int32(-1), axis=0)
        return F.slice(padded, np.array([0, row, column, 0], np.int32), sizes)

    corner = {(r, c): part(r, c) for r in range(3) for c in range(3)}
    down = sum(corner[2, c] * w - corner[0, c] * w for c, w in ((0, 1), (1, 2), (2, 1)))
    across = sum(corner[r, 2] * w - corner[r, 0] * w for r, w in ((0, 1), (1, 2), (2, 1)))
    return F.stack(down, across, axis=-1)


def _extent(x: Tensor, axis: int) -> Tensor:
    return F.gather(F.shape(x), np.int32(axis), axis=0, batch_dims=0)


# ------------------------------------------------------------------ how alike
def _check_alike(a: Tensor, b: Tensor) -> None:
    """Raises ValueError where the last three dimensions of two images differ."""
    for x in (a, b):
        if x.rank is not None and x.rank < 3:
            raise ValueError(f"Shape {x.shape} must have rank at least 3")
    if a.dims is None or b.dims is None:
        return
    if any(p != q and None not in (p, q) for p, q in zip(a.dims[-3:], b.dims[-3:], strict=True)):
        raise ValueError(f"Two images are not compatible: {a.shape} and {b.shape}")


def _scaled(a: Any, b: Any, max_val: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Both images and the largest value on float32's scale."""
    x, y = convert_to_tensor(a), convert_to_tensor(b)
    _check_alike(x, y)
    top = convert_to_tensor(max_val)
    top = top if top.dtype is x.dtype else F.cast(top, dtype=x.dtype)
    return tuple(convert_image_dtype(v, float32) for v in (x, y, top))  # type: ignore[return-value]


def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Tensor:
    """The peak signal-to-noise ratio of two (batches of) images, in decibels.

    Args:
        max_val: what the images' values can be at most, less what they can be at least.

    Raises:
        ValueError: the images' shapes differ.
    """
    with convert_to_tensor(a).graph.name_scope(name or "PSNR"):
        x, y, top = _scaled(a, b, max_val)
        error = F.reduce_mean(F.squared_difference(x, y), axes=(-3, -2, -1), keepdims=False)
        decibel = np.float32(10 / math.log(10))
        return F.log(top) * np.float32(2) * decibel - F.log(error) * decibel


def _gaussian(size: int, sigma: float) -> Any:
    at = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    line = np.exp(np.square(at) * np.float32(-0.5 / sigma**2))
    return (line / line.sum()).astype(np.float32)


def _ssim_parts(
    x: Tensor, y: Tensor, top: Tensor, size: int, sigma: float, k1: float, k2: float
) -> tuple[Tensor, Tensor]:
    """(luminance, contrast and structure) of each window."""
    for image in (x, y):
        low = [d for d in (image.dims or ())[-3:-1] if isinstance(d, int) and d < size]
        if low:
            raise ValueError(f"images of shape {image.shape} are smaller than filter_size {size}")
    channels, one_ = _extent(x, (x.rank or 0) - 1), np.int32(1)
    # the window of two dimensions is the product of two of one: 22 taps for 121
    windows = [
        F.tile(
            convert_to_tensor(_gaussian(size, sigma).reshape(shape)),
            F.stack(one_, one_, channels, one_, axis=0),
        )
        for shape in ((size, 1, 1, 1), (1, size, 1, 1))
    ]

    def mean(image: Tensor) -> Tensor:
        smooth = _flat(image)
        for window in windows:
            smooth = depthwise_conv2d(smooth, window, [1, 1, 1, 1], "VALID")
        if image.rank == 4:
            return smooth
        one = np.array([1], np.int32)
        rest = F.strided_slice(F.shape(smooth), one, one * 0, one, end_mask=1)
        return F.reshape(smooth, F.concat(_leading(image)[0], rest, axis=0))

    c1, c2 = F.square(top * np.float32(k1)), F.square(top * np.float32(k2))
    mean_x, mean_y = mean(x), mean(y)
    both, squares = mean_x * mean_y * 2.0, F.square(mean_x) + F.square(mean_y)
    luminance = (both + c1) / (squares + c1)
    products, powers = mean(x * y) * 2.0, mean(F.square(x) + F.square(y))
    return luminance, (products - both + c2) / (powers - squares + c2)


def _over_pixels(x: Tensor) -> Tensor:
    return F.reduce_mean(x, axes=(-3, -2), keepdims=False)


def ssim(
    img1: Any,
    img2: Any,
    max_val: Any,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    return_index_map: bool = False,
) -> Tensor:
    """The structural similarity of two (batches of) images, in (-1, 1].

    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment (2004).

    Args:
        return_index_map: the similarity of each window, not their mean.

    Raises:
        ValueError: the images' shapes differ, or are smaller than the filter.
    """
    with convert_to_tensor(img1).graph.name_scope("SSIM"):
        x, y, top = _scaled(img1, img2, max_val)
        parts = _ssim_parts(x, y, top, int(filter_size), float(filter_sigma), k1, k2)
        each = parts[0] * parts[1]
        each = each if return_index_map else _over_pixels(each)
        return F.reduce_mean(each, axes=(-1,), keepdims=False)


def ssim_multiscale(
    img1: Any,
    img2: Any,
    max_val: Any,
    power_factors: Sequence[float] = _SCALES,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
) -> Tensor:
    """The structural similarity over several scales, each of half the size.

    Wang, Simoncelli, Bovik: Multiscale structural similarity for image quality assessment (2003).

    Raises:
        ValueError: the images' shapes differ, or are smaller than the filter at some scale.
    """
    with convert_to_tensor(img1).graph.name_scope("MS-SSIM"):
        x, y, top = _scaled(img1, img2, max_val)
        head, channels = _leading(x)
        images = [_flat(v) for v in (x, y)]
        terms = []
        for number in range(len(power_factors)):
            if number:
                images = [_halved(v) for v in images]
            luminance, structure = _ssim_parts(
                images[0], images[1], top, int(filter_size), float(filter_sigma), k1, k2
            )
            last = number == len(power_factors) - 1
            each = luminance * structure if last else structure
            terms.append(F.relu(_over_pixels(each)))
        powers = [F.pow(t, np.float32(p)) for t, p in zip(terms, power_factors, strict=True)]
        product = powers[0]
        for power in powers[1:]:
            product = product * power
        whole = F.reshape(product, F.concat(head, channels, axis=0))
        return F.reduce_mean(whole, axes=(-1,), keepdims=False)


def _leading(x: Tensor) -> tuple[Tensor, Tensor]:
    """(the dimensions in front of an image's three, its number of channels)."""
    one, three = np.array([1], np.int32), np.array([-3], np.int32)
    shape = F.shape(x)
    head = F.strided_slice(shape, one * 0, three, one, begin_mask=1)
    return head, F.strided_slice(shape, -one, one * 0, one, end_mask=1)


def _flat(x: Tensor) -> Tensor:
    """A batch of images; what is one is not reshaped, which would cost divisions by pixel."""
    if x.rank in (3, 4):
        return x if x.rank == 4 else F.expand_dims(x, axis=0)
    one, three = np.array([1], np.int32), np.array([-3], np.int32)
    tail = F.strided_slice(F.shape(x), three, one * 0, one, end_mask=1)
    return F.reshape(x, F.concat(-one, tail, axis=0))


def _halved(x: Tensor) -> Tensor:
    """Means of two by two pixels; an odd end is mirrored first."""
    sizes = F.slice(F.shape(x), np.array([1], np.int32), np.array([2], np.int32))
    odd = F.floormod(sizes, np.int32(2))
    known = value_of(odd)
    if known is None or known.dtype == object or known.any():
        zero = np.zeros(1, np.int32)
        pads = F.concat(zero, F.cast(odd, dtype=int32), zero, axis=0)
        x = F.mirror_pad(x, F.stack(np.zeros(4, np.int32), pads, axis=1), mode="SYMMETRIC")
    two = [1, 2, 2, 1]
    pool: Callable[..., Tensor] = avg_pool
    return pool(x, two, two, "VALID")
