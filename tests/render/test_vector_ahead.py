"""Hints for the next row: which kernels give them, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.ir.dtypes import float32
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Load, Reduce
from graphc.kernel.lower import lower
from graphc.render import vector_ahead
from graphc.render.vector import module
from graphc.runtime import codegen


def centred(rows, columns):
    """x minus the sum of its row."""
    x, out = (Buffer(n, float32, (rows, columns), n) for n in ("x", "out"))
    i, j, r = Axis(rows), Axis(columns), Axis(columns)
    total = Reduce("add", [r], Load(x, [i, r]), float32)
    return module([(lower("k", [Compute(out, (i, j), Load(x, [i, j]) - total)])[0], "k")])


def test_one_hint_a_line():
    text = centred(64, 1024)
    assert text.count("call void @llvm.prefetch") == 4  # 64 lanes of 4 bytes
    assert text.count("declare void @llvm.prefetch") == 1


@pytest.mark.parametrize(("rows", "columns"), [(64, 100), (1, 1024)])
def test_short_or_single_rows_have_none(rows, columns):
    assert "prefetch" not in centred(rows, columns)


def run(array):
    codegen.reset()
    with tf.Graph().as_default(), tf.Session(config=Config(cache_dir=None)) as session:
        x = tf.placeholder(tf.float32, array.shape)
        mean, variance = tf.nn.moments(x, [1], keep_dims=True)
        return session.run([tf.nn.softmax(x), (x - mean) * tf.rsqrt(variance)], {x: array})


@pytest.mark.parametrize("shape", [(3, 1024), (50, 300), (65, 257)])
def test_results_do_not_change(monkeypatch, shape):
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with_hints = run(array)
    monkeypatch.setattr(vector_ahead, "LEAST", 1 << 40)
    for a, b in zip(with_hints, run(array), strict=True):
        np.testing.assert_array_equal(a, b)
