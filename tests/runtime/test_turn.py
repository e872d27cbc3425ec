"""Transposes that turn square tiles in registers."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.render.turn import turn_ir
from graphc.runtime import jit
from graphc.runtime.turn import turn_call


def turned(array, perm, static=True, **settings):
    with tf.Graph().as_default():
        x = tf.placeholder(array.dtype, array.shape if static else [None] * array.ndim)
        y = tf.transpose(x, perm)
        assert not static or turn_call(y.node) is not None
        with tf.Session(config=Config(cache_dir=None, **settings)) as session:
            return session.run(y, {x: array})


def numbers(shape, dtype=np.float32):
    return (np.random.default_rng(0).standard_normal(shape) * 100).astype(dtype)


CASES = [
    ((8, 8), (1, 0)), ((16, 16), (1, 0)), ((100, 37), (1, 0)), ((129, 128), (1, 0)),
    ((3, 65, 130), (0, 2, 1)), ((2, 7, 9, 33), (0, 3, 1, 2)), ((2, 33, 7, 9), (0, 2, 3, 1)),
    ((5, 40, 6, 16), (0, 2, 3, 1)), ((31, 1, 17), (2, 1, 0)), ((64, 128, 9), (2, 0, 1)),
    ((1, 24, 8), (0, 2, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "perm"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_every_shape(shape, perm, dtype):
    array = numbers(shape, dtype)
    out = turned(array, perm)
    np.testing.assert_array_equal(out, array.transpose(perm))


@pytest.mark.parametrize("shape", [(0, 16), (16, 0), (1, 50), (5, 7), (300, 200)])
def test_symbolic_extents(shape):
    array = numbers(shape)
    out = turned(array, (1, 0), static=False)
    np.testing.assert_array_equal(out, array.T)


@pytest.mark.parametrize("rows", [1024, 1040, 1047])
def test_large_results_go_past_the_caches(rows):
    """Aligned rows are streamed, others are not; the threads agree."""
    array = numbers((rows, 2048))
    for settings in ({"threads": 1}, {"threads": 2}, {"validate": True}, {"codegen": "numba"}):
        np.testing.assert_array_equal(turned(array, (1, 0), **settings), array.T)


@pytest.mark.parametrize(
    ("shape", "perm", "dtype"),
    [((64, 3), (1, 0), np.float32), ((4, 8, 16), (1, 0, 2), np.float32),
     ((12, 13, 14), (2, 1, 0), np.float32), ((64, 64), (1, 0), np.int8),
     ((64, 64), (1, 0), np.float16)],
)  # fmt: skip
def test_others_are_ordinary_kernels(shape, perm, dtype):
    array = numbers(shape, dtype)
    with tf.Graph().as_default():
        x = tf.placeholder(array.dtype, array.shape)
        assert turn_call(tf.transpose(x, perm).node) is None
        with tf.Session() as session:
            out = session.run(tf.transpose(x, perm) * tf.constant(2, array.dtype), {x: array})
    np.testing.assert_array_equal(out, array.transpose(perm) * dtype(2))


def test_between_kernels():
    """What is computed before and after it; a chain of two; a gradient."""
    array = numbers((70, 90))
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [70, 90])
        y = tf.nn.relu(tf.transpose(tf.tanh(x) + 1) - 0.5)
        z = tf.transpose(y * 2)
        with tf.Session() as session:
            got = session.run([y, z, tf.gradients(z, x)[0]], {x: array})
    want = np.maximum(np.tanh(array).T + 0.5, 0)
    np.testing.assert_allclose(got[0], want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got[1], 2 * want.T, rtol=1e-5, atol=1e-6)
    slope = 2 * (1 - np.tanh(array) ** 2) * (want.T > 0)
    np.testing.assert_allclose(got[2], slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("cpu", ["haswell", "znver4"])
def test_compiles_for_other_processors(size, cpu):
    target = jit.Target(jit.host_target().triple, cpu, "")
    assert jit.compile_ir(turn_ir("turn", size), ["turn"], name="turn", target=target)
