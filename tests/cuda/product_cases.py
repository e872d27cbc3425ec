"""Products of every kind, by the name of a test: small ones to be simulated.

Lives here: CASES, made. Imported by the tests and by the process that simulates.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc as tf
from tests.helpers import Array

Make = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """What is computed of arrays of these shapes.

    Attributes:
        forms: of the kernels of its products (GpuLaunch.form), each once.
        runtime: extents are known at run time only. edges: NaN and infinity are among the first
            array's numbers.
        tensor: by tensor cores.
    """

    make: Make
    shapes: tuple[tuple[int, ...], ...]
    forms: tuple[str, ...] = ("tile",)
    dtype: str = "float32"
    runtime: bool = False
    edges: bool = False
    tensor: bool = False


def _conv(stride: int, padding: str, dilation: int = 1, depthwise: bool = False) -> Make:
    op: Any = tf.nn.depthwise_conv2d if depthwise else tf.nn.conv2d
    further: Any = {"dilations": [1, dilation, dilation, 1]}
    if depthwise:
        further = {"rate": [dilation] * 2}
    return lambda x, w: op(x, w, [1, stride, stride, 1], padding, **further)


def _gradients(make: Make) -> Make:
    def of_square(x: Any, w: Any) -> Any:
        y = make(x, w)
        return tf.gradients(y * y, [x, w])

    return of_square


def _behind(make: Make) -> Make:
    return lambda x, w, b: tf.nn.relu(make(x, w) + b)


def _both(a: Any, b: Any) -> Any:
    product = tf.matmul(a, b)
    return [product, tf.nn.sigmoid(product)]


def _masked(x: Any, w: Any) -> Any:
    """The gradient of an input with strides, and a group behind it."""
    y = tf.nn.conv2d(tf.nn.relu(x), w, [1, 2, 2, 1], "SAME")
    return tf.gradients(y * y, [x])


def _gathered(a: Any, b: Any, table: Any) -> Any:
    ids = tf.cast(tf.argmax(a, 1), tf.int32) % 4
    return tf.matmul(a, b) + tf.gather(table, ids)


def _matmul(ta: bool, tb: bool) -> Make:
    return lambda a, b: tf.matmul(a, b, transpose_a=ta, transpose_b=tb)


IMAGE, FILTER = (2, 7, 6, 4), (3, 3, 4, 8)
CASES: dict[str, Case] = {
    # vectors of four, then odd sizes with tails
    "plain": Case(_matmul(False, False), ((20, 12), (12, 24))),
    "both transposed": Case(_matmul(True, True), ((12, 20), (24, 12))),
    "odd": Case(_matmul(False, False), ((17, 9), (9, 19)), edges=True),
    "odd a transposed": Case(_matmul(True, False), ((9, 17), (9, 19))),
    "odd b transposed": Case(_matmul(False, True), ((17, 9), (19, 9)), edges=True),
    "odd both transposed": Case(_matmul(True, True), ((9, 17), (19, 9))),
    "bands of tiles": Case(_matmul(False, False), ((150, 4), (4, 20))),
    "one element": Case(_matmul(False, False), ((1, 3), (3, 1)), ("rows",)),
    "nothing to add": Case(lambda a, b: tf.matmul(a, b) + 1.0, ((3, 0), (0, 5)), runtime=True),
    "at run time": Case(
        _behind(_matmul(False, True)), ((19, 11), (7, 11), (7,)), runtime=True
    ),
    **{
        dtype: Case(_matmul(False, False), ((7, 10), (10, 18)), dtype=dtype)
        for dtype in ("float64", "float16", "bfloat16", "int32", "int64")
    },
    "half behind": Case(
        lambda a, b, c: tf.tanh(tf.matmul(a, b) + c), ((7, 8), (8, 12), (12,)), dtype="bfloat16"
    ),
    # batches
    "batch": Case(lambda a, b, c: tf.matmul(a, b) * c, ((3, 9, 10), (3, 10, 11), (3, 9, 11))),
    "all share b": Case(lambda a, b: tf.matmul(a, b), ((3, 5, 8), (8, 6))),
    "all share b, turned": Case(_matmul(True, False), ((3, 8, 5), (8, 6))),
    "all share a": Case(_matmul(True, False), ((4, 5), (3, 4, 6))),
    "a batch of pairs": Case(_matmul(False, False), ((2, 1, 5, 4), (3, 4, 6))),
    "pairs, b transposed": Case(_matmul(False, True), ((2, 1, 5, 4), (1, 3, 6, 4))),
    # few rows or columns, long sums
    "times a vector": Case(
        lambda a, b: tf.matmul(a, b) + 1.0, ((19, 40), (40, 1)), ("rows",), edges=True
    ),
    "vector, odd": Case(_matmul(False, True), ((1, 37), (9, 37)), ("rows",)),
    "half vector": Case(_matmul(False, True), ((2, 36), (5, 36)), ("rows",), dtype="float16"),
    "whole numbers": Case(_matmul(False, True), ((2, 36), (5, 36)), ("rows",), dtype="int32"),
    "dot": Case(lambda a, b: tf.exp(-tf.matmul(a, b)), ((1, 1500), (1500, 1)), ("rows", "parts")),
    "long sum": Case(
        lambda a, b, c: tf.nn.relu(tf.matmul(a, b, transpose_a=True) + c),
        ((1100, 5), (1100, 6), (6,)), ("tile", "parts"),
    ),
    "long sum of halves": Case(
        _matmul(False, False), ((5, 900), (900, 4)), ("tile", "parts"), dtype="float16"
    ),
    "long sums": Case(_matmul(True, False), ((2, 530, 3), (2, 530, 4)), ("tile", "parts")),
    # what stands behind
    "two results": Case(_both, ((9, 8), (8, 10))),
    "numbered rows": Case(_gathered, ((9, 8), (8, 6), (4, 6))),
    # convolutions
    **{
        f"convolution, {padding}, {stride} by {dilation}": Case(
            _conv(stride, padding, dilation), (IMAGE, FILTER)
        )
        for padding in ("SAME", "VALID")
        for stride, dilation in ((1, 1), (2, 1), (1, 2))
    },
    "convolution behind": Case(_behind(_conv(2, "SAME")), (IMAGE, FILTER, (8,)), edges=True),
    "convolution of doubles": Case(_conv(1, "SAME"), (IMAGE, FILTER), dtype="float64"),
    "convolution of halves": Case(
        _behind(_conv(2, "SAME")), (IMAGE, FILTER, (8,)), dtype="bfloat16"
    ),
    "gradients of halves": Case(_gradients(_conv(2, "SAME")), (IMAGE, FILTER), dtype="float16"),
    "odd channels": Case(_behind(_conv(1, "SAME")), ((1, 5, 6, 3), (3, 3, 3, 5), (5,))),
    "pixels": Case(_conv(2, "SAME"), (IMAGE, (1, 1, 4, 8))),
    "a line": Case(lambda x, w: tf.nn.conv1d(x, w, 1, "SAME"), ((2, 9, 4), (3, 4, 8))),
    "a volume": Case(
        lambda x, w: tf.nn.conv3d(x, w, [1] * 5, "SAME"), ((1, 3, 3, 4, 4), (2, 3, 3, 4, 8))
    ),
    "gradients": Case(_gradients(_conv(1, "SAME")), (IMAGE, FILTER)),
    "gradients of strides": Case(_gradients(_conv(2, "VALID")), (IMAGE, FILTER)),
    "gradients of strides, behind": Case(_masked, (IMAGE, FILTER)),
    "gradients, dilated": Case(_gradients(_conv(1, "SAME", 2)), ((1, 6, 5, 4), FILTER)),
    "many images": Case(_gradients(_conv(2, "SAME")), ((40, 8, 8, 4), (2, 2, 4, 4)), (
        "tile", "parts")),
    "depthwise": Case(
        _behind(_conv(1, "SAME", 1, True)), ((2, 6, 5, 8), (3, 3, 8, 1), (8,)), ("columns",)
    ),
    "depthwise gradients": Case(
        _gradients(_conv(2, "SAME", 1, True)), ((2, 6, 5, 8), (3, 3, 8, 1)), ("columns",)
    ),
    "many depthwise": Case(
        _gradients(_conv(1, "VALID", 1, True)), ((20, 6, 7, 4), (1, 2, 4, 1)), ("columns", "parts")
    ),
    # tensor cores
    "cores": Case(_matmul(False, False), ((20, 24), (24, 36)), tensor=True),
    "cores, both transposed, odd": Case(_matmul(True, True), ((9, 19), (23, 9)), tensor=True),
    "cores, halves behind": Case(
        _behind(_matmul(False, True)), ((17, 20), (18, 20), (18,)), dtype="bfloat16", tensor=True
    ),
    "cores, a batch of halves": Case(
        _matmul(False, False), ((2, 18, 12), (2, 12, 20)), dtype="float16", tensor=True
    ),
    "cores, convolution": Case(_behind(_conv(1, "SAME")), (IMAGE, FILTER, (8,)), tensor=True),
    "cores, long sums": Case(
        _matmul(True, False), ((530, 3), (530, 4)), ("tile", "parts"), tensor=True
    ),
    "cores, doubles have none": Case(
        _matmul(False, False), ((7, 10), (10, 18)), dtype="float64", tensor=True
    ),
}  # fmt: skip
# by cuBLAS, and what stands behind in a kernel of its own
BY_LIBRARY: dict[str, Case] = {
    **{
        f"library, {ta}{tb}": Case(
            _matmul(bool(ta), bool(tb)), (((6, 5), (5, 6))[ta], ((5, 7), (7, 5))[tb]), ("library",)
        )
        for ta in (0, 1)
        for tb in (0, 1)
    },
    "library, doubles": Case(_matmul(False, False), ((6, 5), (5, 7)), ("library",), "float64"),
    "library, a batch": Case(_matmul(False, True), ((3, 6, 5), (3, 7, 5)), ("library",)),
    "library, all share a": Case(_matmul(True, False), ((5, 6), (3, 5, 7)), ("library",)),
    "library, more behind": Case(
        _behind(_matmul(False, False)), ((6, 5), (5, 7), (7,)), ("library", "parts")
    ),
}  # fmt: skip
CASES |= BY_LIBRARY


def arrays_of(name: str) -> list[Array]:
    """Numbers for a case."""
    case = CASES[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = tf.as_dtype(case.dtype)
    out = []
    for n, shape in enumerate(case.shapes):
        made = rng.standard_normal(shape) if kind.is_floating else rng.integers(-9, 9, shape)
        if case.edges and n == 0:
            made.flat[[3, 17, 30]] = [np.nan, np.inf, -np.inf]
        out.append(made.astype(kind.as_numpy_dtype))
    return out


def made(name: str) -> tuple[Sequence[Any], dict[Any, Array]]:
    """(fetches, feeds) of a case in a new default graph."""
    case = CASES[name]
    tf.reset_default_graph()
    feeds = {}
    for array in arrays_of(name):
        shape = [None] * array.ndim if case.runtime else array.shape
        feeds[tf.placeholder(tf.as_dtype(case.dtype), shape)] = array
    found = case.make(*feeds)
    return (found if isinstance(found, list) else [found]), feeds
