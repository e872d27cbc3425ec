"""Activations, softmax, bias, normalisation records: kernels, gradients, edges, shape rules."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.autodiff.checks import check_gradients
from graphc.autodiff.gradients import gradients
from graphc.ir.dtypes import float16, float32, float64, int32
from graphc.ir.graph import Graph
from graphc.ops.define import F
from tests.ops.checks import (
    Case,
    check_gradient,
    check_kernel,
    placeholder,
    records,
    samples_of,
    walk,
)

RECORDS = records("nn", "normalize")


@pytest.mark.parametrize("op", [r for r in RECORDS if r.kernel], ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float64, float16, int32], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    if dtype not in op.dtypes["T"]:
        pytest.skip("not of this op")
    loose = {"rtol": 4e-3, "atol": 4e-3} if dtype is float16 else {}
    check_kernel(op, dtype, **loose)


@pytest.mark.parametrize("op", [r for r in RECORDS if r.grad], ids=lambda r: r.name)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)


@pytest.mark.parametrize("name", ["relu", "relu6", "elu", "selu", "leaky_relu"])
def test_gradient_at_the_kink(name):
    with Graph().as_default():
        x = placeholder(float32, (1,))
        g = gradients(getattr(F, name)(x), x)[0]
        got = float(walk([g], {x: np.zeros(1, np.float32)})[0][0])
    want = {"elu": 1.0, "selu": 1.0507009873554805, "leaky_relu": 0.2}.get(name, 0.0)
    assert got == pytest.approx(want, rel=1e-6)


def test_relu_keeps_nan():
    with Graph().as_default():
        assert np.isnan(walk([F.relu(np.float32([np.nan]))])[0][0])


def test_softmax_of_large_logits_is_exact_and_of_infinite_ones_nan():
    rows = np.float32([[1000, 0, -1000], [np.inf, 0, 0], [-np.inf, 0, 0], [-np.inf] * 3])
    with Graph().as_default():
        got = walk([F.softmax(rows)])[0]
    np.testing.assert_array_equal(got[0], [1, 0, 0])
    assert np.isnan(got[1]).any() and np.isnan(got[3]).all()
    np.testing.assert_array_equal(got[2], np.float32([0, 0.5, 0.5]))


def test_bias_add_checks_its_shapes():
    with Graph().as_default():
        x = placeholder(float32, (None, 4))
        assert F.bias_add(x, placeholder(float32, (4,))).dims == (None, 4)
        wide = placeholder(float32, (2, None))
        assert F.bias_add(wide, placeholder(float32, (4,))).dims == (2, 4)
        with pytest.raises(ValueError, match="Dimensions must be equal, but are 4 and 3"):
            F.bias_add(x, placeholder(float32, (3,)))
        with pytest.raises(ValueError, match="Shape must be rank 1 but is rank 2"):
            F.bias_add(x, placeholder(float32, (1, 4)))


def test_bias_gradient_of_unknown_rank():
    with Graph().as_default():
        x, b = placeholder(float32, None), placeholder(float32, (3,))
        g = gradients(F.bias_add(x, b), b)[0]
        got = walk([g], {x: np.ones((2, 4, 3), np.float32), b: np.zeros(3, np.float32)})[0]
    assert got.tolist() == [8, 8, 8]


@pytest.mark.parametrize("op", [r for r in RECORDS if r.expand], ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float16], ids=str)
def test_expansion_agrees_with_the_reference(op, dtype):
    for sample in samples_of(op):
        case = Case(op, sample, dtype)
        want, got = case.reference(), walk(case.node.op.expand(case.node), case.values)
        for w, g, out in zip(want, got, case.node.outputs, strict=True):
            assert g.dtype == out.dtype.np
            loose = 1e-5 if dtype is float32 else 2e-2
            np.testing.assert_allclose(g.astype(float), w.astype(float), loose, loose)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_gradients_agree_with_differences(training):
    rng = np.random.default_rng(0)
    with Graph().as_default():
        x = placeholder(float64, (3, 2, 2, 4))
        rest = [placeholder(float64, (4,)) for _ in range(4)]
        y = F.fused_batch_norm(x, *rest, epsilon=1e-3, is_training=training)[0]
        feeds = {t: rng.uniform(0.5, 2.0, t.dims) for t in (x, *rest)}
        check_gradients(y, [x, *rest[: 2 if training else 4]], feeds, order=2)


def test_batch_norm_checks_its_channels():
    with Graph().as_default():
        x, four, three = (placeholder(float32, s) for s in ((None, 4), (4,), (3,)))
        with pytest.raises(ValueError, match="Dimensions must be equal, but are 4 and 3"):
            F.fused_batch_norm(x, four, three, four, four)
        y = F.fused_batch_norm(placeholder(float16, (2, 3, 3, None)), four, four, four, four)
        assert y[0].dtype is float16 and y[1].dtype is float32 and y[1].dims == (4,)


# ------------------------------------------------------------------ TF1's functions
X = np.float32([[1.0, -2.0, 3.0], [-4.0, 5.0, 0.5]])


def run(*fns):
    with Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 3])
        return session.run([fn(x) for fn in fns], {x: X})


def test_softmax_takes_an_axis_by_both_names():
    got = run(lambda x: tf.nn.softmax(x, dim=0), lambda x: tf.nn.log_softmax(x, axis=0))
    e = np.exp(X - X.max(0))
    np.testing.assert_allclose(got[0], e / e.sum(0), rtol=1e-5)
    np.testing.assert_allclose(got[1], np.log(e / e.sum(0)), rtol=1e-5)
    with Graph().as_default(), pytest.raises(ValueError, match=r"must be in the range \[-2, 2\)"):
        tf.nn.softmax(X, axis=5)


def test_moments_keep_their_dimensions_on_request():
    mean, variance = run(lambda x: tf.nn.moments(x, [0]))[0]
    np.testing.assert_allclose([mean, variance], [X.mean(0), X.var(0)], rtol=1e-6)
    kept = run(lambda x: tf.nn.moments(x, [0], keep_dims=True))[0]
    assert kept[0].shape == kept[1].shape == (1, 3)
    weights = np.float32([[1.0], [3.0]])
    got = run(lambda x: tf.nn.weighted_moments(x, [0], weights))[0]
    want = np.average(X, 0, weights[:, 0])
    np.testing.assert_allclose(got[0], want, rtol=1e-6)
    np.testing.assert_allclose(got[1], np.average((X - want) ** 2, 0, weights[:, 0]), rtol=1e-5)


def test_sufficient_statistics_give_the_moments():
    def both(x):
        count, mean_ss, var_ss, shift = tf.nn.sufficient_statistics(x, [0], shift=[1.0, 2.0, 3.0])
        return tf.nn.normalize_moments(count, mean_ss, var_ss, shift)

    np.testing.assert_allclose(run(both)[0], [X.mean(0), X.var(0)], rtol=1e-5)


def test_batch_normalizations_agree():
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)

    def plain(x):
        mean, variance = tf.nn.moments(x, [0])
        return tf.nn.batch_normalization(x, mean, variance, zeros, ones, 1e-3)

    def fused(x):
        return tf.nn.fused_batch_norm(tf.reshape(x, [-1, 1, 1, 3]), ones, zeros)

    def fixed(x):
        four = tf.reshape(x, [-1, 1, 1, 3])
        return tf.nn.fused_batch_norm(four, ones, zeros, X.mean(0), X.var(0), is_training=False)[0]

    got = run(plain, fused, fixed)
    want = (X - X.mean(0)) / np.sqrt(X.var(0) + 1e-3)
    np.testing.assert_allclose(got[0], want, rtol=1e-5)
    np.testing.assert_allclose(got[1][0].reshape(2, 3), want, rtol=1e-5)
    np.testing.assert_allclose(got[1][2], X.var(0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(got[2].reshape(2, 3), want, rtol=1e-5)
    with Graph().as_default(), pytest.raises(ValueError, match="must be a 1D tensor when"):
        tf.nn.fused_batch_norm(X.reshape(2, 1, 1, 3), ones, zeros, is_training=False)


def test_l2_normalize_is_finite_at_zero():
    got = run(lambda x: tf.nn.l2_normalize(x, 1), lambda x: tf.nn.l2_normalize(x * 0, 1))
    np.testing.assert_allclose(np.linalg.norm(got[0], axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(got[1], 0 * X)


def test_affine_layers():
    w, b = np.float32([[1, 2], [3, 4], [5, 6]]), np.float32([0.5, -90.0])
    got = run(
        lambda x: tf.nn.xw_plus_b(x, w, b), lambda x: tf.nn.relu_layer(x, w, b),
        lambda x: tf.nn.bias_add(tf.reshape(x, [2, 3, 1, 1]), b[:1].repeat(3), "NCHW"),
    )  # fmt: skip
    np.testing.assert_allclose(got[0], X @ w + b, rtol=1e-6)
    np.testing.assert_allclose(got[1], np.maximum(X @ w + b, 0), rtol=1e-6)
    np.testing.assert_allclose(got[2].reshape(2, 3), X + 0.5)
    with Graph().as_default(), pytest.raises(ValueError, match="data_format must be of the form"):
        tf.nn.bias_add(X, np.zeros(3, np.float32), data_format="X")


def test_small_functions():
    got = run(
        tf.nn.crelu, lambda x: tf.nn.zero_fraction(tf.nn.relu(x)), tf.nn.l2_loss,
        lambda x: tf.nn.leaky_relu(tf.cast(x, tf.int32), 0.5),
    )  # fmt: skip
    np.testing.assert_array_equal(got[0], np.maximum(np.concatenate([X, -X], 1), 0))
    assert got[1] == pytest.approx(2 / 6) and got[2] == pytest.approx((X**2).sum() / 2)
    assert got[3].dtype == np.float32 and got[3].tolist()[1] == [-2, 5, 0]


def test_dropout_scales_what_it_keeps_and_its_gradient_has_the_same_mask():
    with Graph().as_default(), tf.Session() as session:
        x, keep = tf.ones([2000]), tf.placeholder(tf.float32)
        y = tf.nn.dropout(x, keep)
        out, g = session.run([y, tf.gradients(y, x)[0]], {keep: 0.8})
        rows = session.run(tf.nn.dropout(tf.ones([300, 5]), rate=0.5, noise_shape=[None, 1]))
    assert set(np.unique(out)) == {np.float32(0), np.float32(1.25)}
    assert abs((out > 0).mean() - 0.8) < 0.05
    np.testing.assert_array_equal(out, g)
    assert (rows == rows[:, :1]).all() and 0.3 < (rows[:, 0] > 0).mean() < 0.7


def test_dropout_checks_its_arguments():
    with Graph().as_default():
        x = tf.constant(X)
        assert tf.nn.dropout(x, 1.0) is x
        with pytest.raises(ValueError, match=r"keep_prob must be a scalar tensor or a float in"):
            tf.nn.dropout(x, 0.0)
        with pytest.raises(ValueError, match="x has to be a floating point tensor"):
            tf.nn.dropout(tf.constant([1]), 0.5)
        with pytest.raises(ValueError, match="Cannot specify both 'keep_prob' and 'rate'"):
            tf.nn.dropout(x, 0.5, rate=0.5)
