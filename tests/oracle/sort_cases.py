"""Sorting and ranks: small graphs for tests/oracle/record.py."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES: dict[str, Any] = {}
TABLE = np.array([[[3, 1, 2], [9, 9, -4]], [[0, 5, 0], [7, -7, 1]]], np.float32)


def case(fn: Any) -> Any:
    CASES[fn.__name__] = fn
    return fn


@case
def sort(tf: Any) -> Any:
    x = tf.constant(TABLE)
    open_ = tf.placeholder_with_default(TABLE, [None, None, None])
    return [
        *(tf.sort(x, axis, way) for axis in (-1, 0, 1, -2) for way in ("ASCENDING", "DESCENDING")),
        tf.sort(open_), tf.sort(open_, 1), tf.contrib.framework.sort(x) if hasattr(tf, "contrib")
        else tf.sort(x),
        tf.sort(tf.constant([3, -(2**31), 2**31 - 1, 0])),
        tf.sort(tf.constant([3, 255, 0], tf.uint8)),
        tf.sort(tf.constant([3, 255, 0], tf.uint8), direction="DESCENDING"),
        tf.sort(tf.constant([1.5, -np.inf, np.inf, 0.0])), tf.sort(tf.constant([5], tf.int64)),
    ]  # fmt: skip


@case
def argsort(tf: Any) -> Any:
    x = tf.constant(TABLE)
    return [
        *(tf.argsort(x, axis, way, stable=True)
          for axis in (-1, 0, 1) for way in ("ASCENDING", "DESCENDING")),
        tf.argsort(tf.constant([3, 1, 3, 1, 2]), stable=True),
        tf.gather([3, 1, 2], tf.argsort([3, 1, 2])),
    ]  # fmt: skip


@case
def gradient(tf: Any) -> Any:
    x = tf.constant(TABLE)
    weights = tf.reshape(tf.range(12.0), [2, 2, 3])
    return [
        *tf.gradients(tf.reduce_sum(tf.square(tf.sort(x, 1)) * weights), x),
        *tf.gradients(tf.reduce_sum(tf.sort(x, direction="DESCENDING") * weights), x),
    ]


@case
def top_k(tf: Any) -> Any:
    x = tf.constant(TABLE)
    k = tf.placeholder_with_default(2, [])
    values, at = tf.nn.top_k(x, k)
    return [
        values, at, *tf.nn.top_k(x), *tf.nn.top_k(tf.constant([1, 5, 5, 2]), 3),
        *tf.nn.top_k(tf.constant([1.0, 2.0]), 0), tf.nn.in_top_k([[1.0, 2.0, 3.0]], [1], 2),
        *tf.gradients(tf.reduce_sum(tf.square(values)), x),
    ]


CASES["bad_direction"] = lambda tf: tf.sort([1], direction="UP")
CASES["too_many"] = lambda tf: tf.nn.top_k(tf.constant([1.0, 2.0]), 3)
