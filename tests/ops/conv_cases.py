"""Calls of convolutions, pools and resizing that are compared with TensorFlow.

Lives here: the cases, their inputs, and what is kept of a result. Imports only NumPy, so that the
program that makes the fixtures (tests/fixtures/make_conv.py) can use it beside TensorFlow.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """call(tf, *tensors) -> tensor; shapes of the inputs; which of them have gradients."""

    name: str
    call: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    smooth: tuple[bool, ...]
    ties: bool = False


def inputs_of(case: Case) -> list[np.ndarray]:
    """The same float32 arrays whenever they are made; with ties: small integers."""
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    if case.ties:
        return [rng.integers(-3, 3, s).astype(np.float32) for s in case.shapes]
    return [(rng.integers(-400, 400, s) / 200).astype(np.float32) for s in case.shapes]


def probe(array: Any) -> np.ndarray:
    """Shape, two weighted sums and the first elements: enough to tell any two results apart."""
    flat = np.asarray(array, np.float64).reshape(-1)
    weights = np.cos(np.arange(flat.size) * 0.7)
    size = np.array([*np.shape(array), *[0] * (6 - np.ndim(array))], np.float64)
    head = np.zeros(12)
    head[: min(12, flat.size)] = flat[:12]
    return np.concatenate([size, [flat.sum(), (flat * weights).sum()], head])


def _convolutions() -> Iterator[Case]:
    images = ((2, 5, 6, 3), (1, 7, 4, 3), (1, 2, 3, 3))
    filters = ((1, 1), (2, 2), (3, 3), (4, 3), (5, 2))
    for x in images:
        for f in filters:
            for padding in ("SAME", "VALID"):
                for stride, rate in ((1, 1), (2, 1), (3, 1), (1, 2)):
                    span = [(k - 1) * rate + 1 for k in f]
                    if padding == "VALID" and (span[0] > x[1] or span[1] > x[2]):
                        continue
                    yield _convolution(x, f, padding, stride, rate, 4)
    yield _convolution((2, 9, 8, 16), (3, 3), "SAME", 1, 1, 24)
    yield _convolution((2, 9, 8, 16), (3, 2), "SAME", 2, 1, 24)
    yield _convolution((2, 6, 5, 16), (1, 1), "VALID", 1, 1, 24)
    yield _convolution((2, 9, 8, 16), (3, 3), "VALID", 1, 2, 24)


def _convolution(x: Any, f: Any, padding: str, stride: int, rate: int, outs: int) -> Case:
    def call(tf: Any, a: Any, w: Any) -> Any:
        return tf.nn.conv2d(a, w, [1, stride, stride, 1], padding, dilations=[1, rate, rate, 1])

    name = f"conv2d {x} {f} {padding} {stride} {rate}"
    return Case(name, call, (x, (*f, x[3], outs)), (True, True))


def _kinds() -> Iterator[Case]:
    both = (True, True)

    def one(tf: Any, a: Any, w: Any) -> Any:
        return tf.nn.conv1d(a, w, 2, "SAME")

    yield Case("conv1d", one, ((2, 7, 3), (4, 3, 5)), both)
    for padding in ("SAME", "VALID"):
        def solid(tf: Any, a: Any, w: Any, padding: str = padding) -> Any:
            return tf.nn.conv3d(a, w, [1, 2, 1, 2, 1], padding)

        def deep(tf: Any, a: Any, w: Any, padding: str = padding) -> Any:
            return tf.nn.depthwise_conv2d(a, w, [1, 2, 2, 1], padding)

        def apart(tf: Any, a: Any, w: Any, v: Any, padding: str = padding) -> Any:
            return tf.nn.separable_conv2d(a, w, v, [1, 1, 1, 1], padding)

        def holes(tf: Any, a: Any, w: Any, padding: str = padding) -> Any:
            return tf.nn.atrous_conv2d(a, w, 2, padding)

        yield Case(f"conv3d {padding}", solid, ((1, 4, 5, 4, 2), (2, 3, 2, 2, 3)), both)
        yield Case(f"depthwise {padding}", deep, ((2, 6, 5, 3), (3, 2, 3, 2)), both)
        shapes = ((1, 5, 5, 2), (3, 3, 2, 2), (1, 1, 4, 3))
        yield Case(f"separable {padding}", apart, shapes, (True, True, True))
        yield Case(f"atrous {padding}", holes, ((1, 8, 7, 2), (3, 2, 2, 3)), both)

    def deep_rate(tf: Any, a: Any, w: Any) -> Any:
        return tf.nn.depthwise_conv2d(a, w, [1, 1, 1, 1], "SAME", rate=[2, 2])

    def spread(tf: Any, a: Any, w: Any) -> Any:
        return tf.nn.convolution(a, w, "VALID", dilation_rate=[2, 1])

    yield Case("depthwise rate", deep_rate, ((1, 6, 7, 2), (3, 3, 2, 2)), both)
    yield Case("convolution", spread, ((1, 6, 7, 2), (3, 3, 2, 2)), both)


def _transposed() -> Iterator[Case]:
    for stride, padding, size in (
        (1, "SAME", (5, 4)), (2, "SAME", (9, 8)), (2, "SAME", (10, 7)), (2, "VALID", (11, 9)),
        (3, "VALID", (15, 12)), (3, "SAME", (13, 11)),
    ):  # fmt: skip
        def call(
            tf: Any, a: Any, w: Any, stride: int = stride, padding: str = padding,
            size: tuple[int, int] = size,
        ) -> Any:  # fmt: skip
            return tf.nn.conv2d_transpose(a, w, [2, *size, 3], [1, stride, stride, 1], padding)

        name = f"transpose {stride} {padding} {size}"
        yield Case(name, call, ((2, 5, 4, 2), (3, 2, 3, 2)), (True, True))

    def wide(tf: Any, a: Any, w: Any) -> Any:
        return tf.nn.conv2d_transpose(a, w, [2, 10, 8, 16], [1, 2, 2, 1], "SAME")

    def holes(tf: Any, a: Any, w: Any) -> Any:
        return tf.nn.atrous_conv2d_transpose(a, w, [1, 6, 7, 3], 2, "SAME")

    yield Case("transpose wide", wide, ((2, 5, 4, 24), (4, 4, 16, 24)), (True, True))
    yield Case("transpose atrous", holes, ((1, 6, 7, 2), (3, 3, 3, 2)), (True, True))


def _pools() -> Iterator[Case]:
    for kind in ("max_pool", "avg_pool"):
        for x in ((2, 6, 5, 2), (1, 7, 8, 3), (1, 2, 2, 1)):
            for size, stride in ((2, 2), (3, 2), (3, 1), (2, 3)):
                for padding in ("SAME", "VALID"):
                    if padding == "VALID" and size > min(x[1:3]):
                        continue

                    def call(
                        tf: Any, a: Any, kind: str = kind, size: int = size,
                        stride: int = stride, padding: str = padding,
                    ) -> Any:  # fmt: skip
                        window, step = [1, size, size, 1], [1, stride, stride, 1]
                        return getattr(tf.nn, kind)(a, window, step, padding)

                    name = f"{kind} {x} {size} {stride} {padding}"
                    yield Case(name, call, (x,), (True,), ties=kind == "max_pool")

        def solid(tf: Any, a: Any, kind: str = kind) -> Any:
            return getattr(tf.nn, f"{kind}3d")(a, [1, 2, 3, 2, 1], [1, 2, 2, 1, 1], "SAME")

        def line(tf: Any, a: Any, kind: str = kind) -> Any:
            return getattr(tf.nn, f"{kind}1d")(a, 3, 2, "SAME")

        def holes(tf: Any, a: Any, kind: str = kind) -> Any:
            return tf.nn.pool(a, [2, 3], kind[:3].upper(), "VALID", dilation_rate=[2, 1])

        yield Case(f"{kind}3d", solid, ((1, 4, 5, 3, 2),), (True,))
        yield Case(f"{kind}1d", line, ((2, 7, 2),), (True,))
        yield Case(f"{kind} dilated", holes, ((1, 5, 6, 2),), (True,))


def _others() -> Iterator[Case]:
    def near(tf: Any, a: Any) -> Any:
        return tf.nn.lrn(a, depth_radius=2, bias=1.5, alpha=0.3, beta=0.75)

    def windows(tf: Any, a: Any) -> Any:
        return tf.extract_image_patches(a, [1, 3, 2, 1], [1, 2, 1, 1], [1, 1, 2, 1], "SAME")

    def argmax(tf: Any, a: Any) -> Any:
        place = tf.nn.max_pool_with_argmax(a, [1, 3, 3, 1], [1, 2, 2, 1], "SAME")[1]
        return tf.cast(place, tf.float32)

    yield Case("lrn", near, ((2, 3, 2, 7),), (True,))
    yield Case("lrn defaults", lambda tf, a: tf.nn.lrn(a), ((1, 2, 2, 4),), (True,))
    yield Case("patches", windows, ((2, 6, 7, 2),), (True,))
    yield Case("argmax", argmax, ((2, 6, 5, 2),), (False,), ties=True)
    yield Case("to depth", lambda tf, a: tf.space_to_depth(a, 2), ((2, 4, 6, 3),), (True,))
    yield Case("to space", lambda tf, a: tf.depth_to_space(a, 2), ((2, 3, 2, 12),), (True,))
    yield Case(
        "to batch", lambda tf, a: tf.space_to_batch_nd(a, [2, 3], [[1, 0], [0, 2]]),
        ((2, 5, 4, 2),), (True,),
    )  # fmt: skip
    yield Case(
        "from batch", lambda tf, a: tf.batch_to_space_nd(a, [2, 3], [[1, 0], [0, 2]]),
        ((12, 3, 2, 2),), (True,),
    )  # fmt: skip


def _resized() -> Iterator[Case]:
    for method in ("nearest_neighbor", "bilinear", "bicubic", "area"):
        for size in ((3, 3), (11, 9), (5, 14), (1, 2)):
            for how in ({}, {"align_corners": True}, {"half_pixel_centers": True}):
                if method == "area" and how:
                    continue

                def call(
                    tf: Any, a: Any, method: str = method, size: Any = size, how: Any = how
                ) -> Any:
                    return getattr(tf.image, f"resize_{method}")(a, size, **how)

                name = f"{method} {size} {' '.join(how)}"
                yield Case(name, call, ((2, 5, 7, 2),), (method != "area",))


CASES = tuple(
    case
    for part in (_convolutions, _kinds, _transposed, _pools, _others, _resized)
    for case in part()
)
