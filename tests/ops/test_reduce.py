"""Reductions: kernels, gradients, empty ranges, ties, TF1's integer mean, errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.autodiff.gradients import gradients
from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import bool_, float16, float32, float64, int32
from graphc.ir.graph import Graph
from graphc.ops.define import F
from graphc.ops.samples import arg, sample
from tests.ops.checks import Case, check_gradient, check_kernel, placeholder, records, walk

RECORDS = records("reduce")
ALL = {"axes": None, "keepdims": False}


@pytest.mark.parametrize("op", RECORDS, ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float64, float16, int32, bool_], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    if dtype not in op.dtypes["T"]:
        pytest.skip("not of this op")
    loose = {"rtol": 2e-3, "atol": 2e-3} if dtype is float16 else {}
    check_kernel(op, dtype, **loose)


@pytest.mark.parametrize("op", [r for r in RECORDS if r.grad], ids=lambda r: r.name)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)


@pytest.mark.parametrize(
    ("name", "want"),
    [("reduce_sum", 0.0), ("reduce_prod", 1.0), ("reduce_max", -np.inf), ("reduce_min", np.inf),
     ("reduce_mean", np.nan), ("reduce_logsumexp", -np.inf)],
)  # fmt: skip
def test_no_elements_give_the_identity(name, want):
    case = Case(getattr(F, name), sample(arg((3, 0)), axes=(1,), keepdims=False), float32)
    for got in (case.reference()[0], case.kernel()[0]):
        np.testing.assert_array_equal(got, np.full(3, want, np.float32))


def test_mean_of_integers_is_an_integer_rounded_towards_zero():
    with Graph().as_default():
        mean = F.reduce_mean(np.array([-3, -4, 0], np.int32), **ALL)
        wide = F.reduce_mean(np.full(4, 2**31 - 1, np.int32), **ALL)
        got = walk([mean, wide])
    assert mean.dtype is int32 and got[0] == -2 and got[1] == 2**31 - 1


def test_ties_share_the_gradient_of_max():
    with Graph().as_default():
        x = placeholder(float32, (4,))
        g = gradients(F.reduce_max(x, **ALL), x)[0]
        got = walk([g], {x: np.array([1, 3, 3, 0], np.float32)})[0]
    assert got.tolist() == [0, 0.5, 0.5, 0]


def test_gradient_of_prod_is_right_at_zeros():
    with Graph().as_default():
        x = placeholder(float32, (2, 3))
        g = gradients(F.reduce_prod(x, axes=(1,), keepdims=False), x)[0]
        got = walk([g], {x: np.array([[2, 0, 5], [0, 0, 3]], np.float32)})[0]
    assert got.tolist() == [[0, 10, 0], [0, 0, 0]]


def test_gradients_take_unknown_dimensions_and_full_reductions_unknown_rank():
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    with Graph().as_default():
        for shape in ((None, None), None):
            x = placeholder(float32, shape)
            g = gradients(F.reduce_mean(F.square(x), **ALL), x)[0]
            np.testing.assert_allclose(walk([g], {x: value})[0], value / 3, rtol=1e-6)


@pytest.mark.parametrize("axes", [(0,), (-1,), (0, 2), (-3, -1)])
@pytest.mark.parametrize("name", ["reduce_mean", "reduce_max", "reduce_variance"])
def test_gradients_of_an_unknown_rank_put_the_axes_back(name, axes):
    value = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    with Graph().as_default():
        got = []
        for shape in (None, (2, 3, 4)):
            x = placeholder(float32, shape)
            y = F.square(getattr(F, name)(x, axes=axes, keepdims=False))
            got += walk([gradients(y, x)[0]], {x: value})
    np.testing.assert_allclose(got[0], got[1], rtol=1e-6)


def test_the_largest_of_known_extents_is_known():
    with Graph().as_default():
        x = placeholder(float32, (7, 3))
        largest = tf.reduce_max(tf.shape(x))
        assert tf.zeros([largest, 2]).shape.as_list() == [7, 2]


def test_a_nan_wins_in_max_min_and_their_positions():
    value = np.array([1, np.nan, 3], np.float32)
    with Graph().as_default():
        tops = [F.reduce_max(value, **ALL), F.reduce_min(value, **ALL)]
        got = walk([*tops, F.argmax(value, axis=0), F.argmin(value, axis=0)])
    assert np.isnan(got[0]) and np.isnan(got[1]) and got[2] == got[3] == 1


def test_axis_outside_the_rank_is_refused_at_build():
    with Graph().as_default():
        x = placeholder(float32, (2, 3))
        with pytest.raises(ValueError, match="Invalid reduction dimension 2 for input with 2"):
            F.reduce_sum(x, axes=(2,), keepdims=False)
        with pytest.raises(ValueError, match=r"must be in the range \[-2, 2\)"):
            F.argmax(x, axis=2)


def test_position_along_an_empty_axis_is_refused():
    with Graph().as_default():
        out = F.argmax(np.zeros((2, 0), np.float32), axis=1)
        with pytest.raises(InvalidArgumentError, match="Reduction axis 1 is empty"):
            walk([out])


def test_shapes_keep_unknown_dimensions():
    with Graph().as_default():
        x = placeholder(float32, (None, 3, None))
        assert F.reduce_sum(x, axes=(1,), keepdims=False).dims == (None, None)
        assert F.reduce_sum(x, axes=(-1,), keepdims=True).dims == (None, 3, 1)
        assert F.argmax(x, axis=0).dims == (3, None)
        assert F.reduce_sum(placeholder(float32, None), axes=(0,), keepdims=False).dims is None


# ------------------------------------------------------------------ TF1's functions
X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]], np.float32)


def value(fn):
    with Graph().as_default(), tf.Session() as session:
        return session.run(fn(tf.constant(X)))


def test_axis_takes_its_deprecated_names_and_forms():
    want = X.sum(1)
    for attrs in ({"axis": 1}, {"reduction_indices": 1}, {"axis": [-1]}, {"axis": np.int64(1)}):
        np.testing.assert_array_equal(value(lambda x, a=attrs: tf.reduce_sum(x, **a)), want)
    kept = value(lambda x: tf.reduce_sum(x, 1, keep_dims=True))
    assert kept.shape == value(lambda x: tf.reduce_sum(x, [1], True)).shape == (2, 1)
    np.testing.assert_array_equal(value(lambda x: tf.reduce_sum(x, [])), X)
    assert value(lambda x: tf.argmax(x, dimension=1)).tolist() == [2, 2]


def test_arguments_are_checked():
    with Graph().as_default():
        with pytest.raises(ValueError, match="Cannot specify both 'reduction_indices' and 'axis'"):
            tf.reduce_sum(X, 0, reduction_indices=1)
        with pytest.raises(ValueError, match="Cannot specify both 'keep_dims' and 'keepdims'"):
            tf.reduce_sum(X, 0, keepdims=True, keep_dims=True)
        with pytest.raises(ValueError, match="duplicate"):
            tf.reduce_sum(X, [0, -2, 0])
        with pytest.raises(TypeError, match="does not match expected type of bool"):
            tf.reduce_any(tf.constant(X))


def test_running_sums():
    np.testing.assert_array_equal(value(lambda x: tf.cumsum(x, 1)), X.cumsum(1))
    got = value(lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True))
    np.testing.assert_array_equal(got, [[5, 3, 0], [12, 7, 0]])
    np.testing.assert_array_equal(value(lambda x: tf.cumprod(x)), X.cumprod(0))
    with Graph().as_default(), pytest.raises(ValueError, match=r"scan axis in the range \[-2, 2\)"):
        tf.cumsum(X, 2)


def test_counts_and_spread():
    assert value(lambda x: tf.count_nonzero(tf.maximum(x - 3, 0))) == 3
    counts = value(lambda x: tf.count_nonzero(x - 1, 1, dtype=tf.int32))
    assert counts.dtype == np.int32 and counts.tolist() == [2, 3]
    np.testing.assert_allclose(value(lambda x: tf.math.reduce_std(x, 0)), X.std(0), rtol=1e-6)


def test_default_names_are_the_op_types():
    with Graph().as_default():
        x = tf.constant(X)
        assert [t.op.name for t in (tf.reduce_sum(x), tf.reduce_mean(x), tf.argmax(x, 1))] == [
            "Sum", "Mean", "ArgMax",
        ]  # fmt: skip


# ------------------------------------------------------------------ clipping
def test_clip_by_global_norm_keeps_none_and_scales_all():
    with Graph().as_default(), tf.Session() as session:
        clipped, norm = tf.clip_by_global_norm([tf.constant([3.0]), None, tf.constant([4.0])], 1.0)
        assert clipped[1] is None
        got = session.run([clipped[0], clipped[2], norm])
    np.testing.assert_allclose(np.concatenate(got[:2]), [0.6, 0.8], rtol=1e-6)
    assert got[2] == pytest.approx(5)


def test_clip_by_global_norm_leaves_small_gradients_and_shows_infinite_ones():
    with Graph().as_default(), tf.Session() as session:
        small = tf.clip_by_global_norm([tf.constant([0.3])], 1.0)[0][0]
        bad = tf.clip_by_global_norm([tf.constant([np.inf]), tf.constant([1.0])], 1.0)[0]
        with pytest.raises(TypeError, match="t_list should be a sequence"):
            tf.clip_by_global_norm(tf.constant([1.0]), 1.0)
        got = session.run([small, *bad])
    assert got[0] == pytest.approx(0.3) and np.isnan(got[1]).all() and np.isnan(got[2]).all()


def test_clip_by_norm_has_a_finite_gradient_at_zero():
    with Graph().as_default(), tf.Session() as session:
        x = tf.zeros([3])
        clipped = tf.clip_by_norm(x, 1.0)
        got = session.run([clipped, tf.gradients(clipped, x)[0]])
    np.testing.assert_array_equal(got, [[0] * 3, [1] * 3])
    np.testing.assert_allclose(
        value(lambda x: tf.clip_by_norm(x, 1.0, axes=[1])),
        X / np.linalg.norm(X, axis=1, keepdims=True), rtol=1e-6,
    )  # fmt: skip


def test_clip_by_value_passes_the_gradient_on_its_bounds():
    with Graph().as_default(), tf.Session() as session:
        x = tf.constant([0.0, 1.0, 2.0, 3.0])
        clipped = tf.clip_by_value(x, 1.0, 2.0)
        got = session.run([clipped, tf.gradients(clipped, x)[0]])
    assert got[0].tolist() == [1, 1, 2, 2] and got[1].tolist() == [0, 1, 1, 0]
