"""Sums over rows that go along with a group's rows: when they do, and that results are right."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.fusion import partition
from graphc.kernel import along, columns, keep
from tests.test_random_graphs import run_one


def rand(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layer_norm(x, scale, shift):
    mean, var = tf.nn.moments(x, [-1], keep_dims=True)
    return (x - mean) * tf.rsqrt(var + 1e-5) * scale + shift


def batch_norm(x, scale, shift):
    mean, var = tf.nn.moments(x, list(range(x.shape.ndims - 1)))
    return (x - mean) * tf.rsqrt(var + 1e-5) * scale + shift


def with_gradients(fn):
    return lambda x, a, b, g: [fn(x, a, b), *tf.gradients(fn(x, a, b), [x, a, b], g)]


def bias(x, a, b, g):
    d = tf.where(x + a > 0, g * b, tf.zeros_like(g))
    axes = list(range(x.shape.ndims - 1))
    return [d, tf.reduce_sum(d, axes), tf.reduce_max(d * x, axes), tf.reduce_sum(d, axes) * 2]


def rows(x, a, b, g):
    """Results of rows only; of what is summed nothing is stored."""
    p = tf.nn.softmax(x * a)
    axes = list(range(x.shape.ndims - 1))
    return [tf.reduce_max(p, -1), tf.reduce_sum(p, axes), tf.reduce_sum(p * g, axes) + b]


BUILDERS = {
    "layer_norm": with_gradients(layer_norm), "batch_norm": with_gradients(batch_norm),
    "bias": bias, "rows": rows,
}  # fmt: skip


def run(build, arrays, static=True, **settings):
    with tf.Graph().as_default():
        feeds = [
            tf.placeholder(a.dtype, a.shape if static or a.ndim == 1 else [None, *a.shape[1:]])
            for a in arrays
        ]
        with tf.Session(config=Config(cache_dir=None, **settings)) as session:
            return session.run(build(*feeds), dict(zip(feeds, arrays, strict=True)))


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize(
    "shape", [(7, 33), (128, 64), (64, 64), (1, 40), (700, 129), (3, 5, 48), (40, 9, 9, 16)]
)
def test_every_shape(name, shape):
    width = shape[-1]
    arrays = [rand(*shape), rand(width, seed=1), rand(width, seed=2), rand(*shape, seed=3)]
    want = run(BUILDERS[name], arrays, backend="reference")
    one = run(BUILDERS[name], arrays, threads=1)
    two = run(BUILDERS[name], arrays, threads=2)
    symbolic = run(BUILDERS[name], arrays, static=False)
    apart = run(BUILDERS[name], arrays, fuse=False)
    for a, b, c, d, w in zip(one, two, symbolic, apart, want, strict=True):
        np.testing.assert_array_equal(a, b)
        for other in (a, c, d):
            np.testing.assert_allclose(other, w, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", BUILDERS)
def test_other_printer_and_validation(name):
    arrays = [rand(150, 70), rand(70, seed=1), rand(70, seed=2), rand(150, 70, seed=3)]
    want = run(BUILDERS[name], arrays)
    for settings in ({"codegen": "numba"}, {"validate": True}):
        for a, b in zip(want, run(BUILDERS[name], arrays, **settings), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_no_rows_at_all():
    arrays = [rand(0, 32), rand(32), rand(32), rand(0, 32)]
    got = run(bias, arrays, static=False)
    want = run(bias, arrays, static=False, backend="reference")
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def steps_of(build, arrays, **settings):
    """The number of kernels that one run takes."""
    from graphc.runtime.plan import CpuPlan

    seen = []
    before = CpuPlan._compile

    def spy(plan):
        seen.append([s.kernel for s in plan.schedule.steps if s.kernel is not None])
        return before(plan)

    CpuPlan._compile = spy
    try:
        run(build, arrays, **settings)
    finally:
        CpuPlan._compile = before
    return seen[-1]


def test_a_layer_norms_gradients_are_one_pass():
    arrays = [rand(512, 256), rand(256), rand(256, seed=1), rand(512, 256, seed=2)]
    found = steps_of(BUILDERS["layer_norm"], arrays)
    assert len(found) == 2  # the rows with their sums, and the kernel that joins the sums
    full = [b for k in found for b in k.outputs if len(b.shape) == 2 and b.shape[0] == 512]
    assert len(full) == 2  # the value and the gradient of x


def test_a_sum_of_a_row_of_everything_is_used_later():
    """What uses the sums runs in a later kernel, also when it has the rows' shape."""

    def build(x, a, b, g):
        p = tf.nn.softmax(x)
        total = tf.reduce_sum(p * g, 0)
        return [p, x - total, tf.reduce_sum(x - total, 0)]

    arrays = [rand(64, 32), rand(32), rand(32), rand(64, 32, seed=4)]
    got, want = run(build, arrays), run(build, arrays, backend="reference")
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_training_steps_agree_with_one_op_a_kernel():
    """Updates in place, sums of gradients and rows in one plan."""
    x, y = rand(96, 24), np.random.default_rng(1).integers(0, 20, 96)

    def losses(**settings):
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            w = tf.Variable(rand(24, 48) * 0.2)
            c = tf.Variable(tf.zeros([48]))
            s, t = tf.Variable(tf.ones([48])), tf.Variable(tf.zeros([48]))
            v = tf.Variable(rand(48, 20, seed=5) * 0.2)
            d = tf.Variable(tf.zeros([20]))
            h = layer_norm(tf.nn.relu(tf.matmul(x, w) + c), s, t)
            logits = tf.matmul(h, v) + d
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
            )
            step = tf.train.AdamOptimizer(1e-2).minimize(loss)
            with tf.Session(config=Config(cache_dir=None, **settings)) as session:
                session.run(tf.global_variables_initializer())
                return [session.run([loss, step])[0] for _ in range(5)]

    np.testing.assert_allclose(losses(), losses(fuse=False), rtol=1e-4)


@pytest.mark.parametrize("seed", range(0, 36, 3))
def test_random_graphs_with_small_things_taken_for_large(monkeypatch, seed):
    """Sums by rows, along with rows, kept values: wherever they are right, not where they pay."""
    monkeypatch.setattr(partition, "COLUMNS", 2)
    monkeypatch.setattr(along, "_CHUNK", 8)
    monkeypatch.setattr(keep, "_SHORT", 2)
    for name, value in (("_ELEMENTS", 4), ("_ROWS", 2), ("_COLUMNS", 2), ("_CHUNK", 8)):
        monkeypatch.setattr(columns, name, value)
    run_one(seed, tf.float64)
