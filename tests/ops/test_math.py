"""Arithmetic, elementary and special functions: kernels, gradients, dtypes, TF1's conventions."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import bfloat16, float16, float32, float64, int32
from graphc.ir.graph import Graph
from graphc.ops.define import F
from graphc.ops.samples import fixed, sample
from tests.ops.checks import Case, check_gradient, check_kernel, records

RECORDS = records("math", "math_special", "gamma", "complex")
WITH_KERNEL = [r for r in RECORDS if r.kernel is not None]
NAMES = {"ids": lambda r: r.name}


@pytest.mark.parametrize("op", WITH_KERNEL, **NAMES)
@pytest.mark.parametrize("dtype", [float32, float64, float16, int32], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    if dtype not in op.dtypes["T"]:
        pytest.skip("not of this op")
    loose = {"rtol": 2e-3, "atol": 2e-3} if dtype is float16 else {}
    check_kernel(op, dtype, **loose)


@pytest.mark.parametrize("op", [r for r in RECORDS if r.grad], **NAMES)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)


# ------------------------------------------------------------------ TF1's conventions
I7 = np.array([7, -7, 7, -7], np.int32)
I3 = np.array([3, 3, -3, -3], np.int32)


def values(*fns):
    with Graph().as_default(), tf.Session() as session:
        return session.run([fn() for fn in fns])


def test_quotients_round_as_tf1_does():
    got = values(
        lambda: tf.div(I7, I3), lambda: tf.floordiv(I7, I3), lambda: tf.truncatediv(I7, I3),
        lambda: tf.mod(I7, I3), lambda: tf.truncatemod(I7, I3), lambda: tf.truediv(I7, I3),
    )  # fmt: skip
    assert [g.tolist() for g in got[:5]] == [
        [2, -3, -3, 2], [2, -3, -3, 2], [2, -2, -2, 2], [1, 2, -2, -1], [1, -1, 1, -1],
    ]  # fmt: skip
    assert got[5].dtype == np.float64
    np.testing.assert_allclose(got[5], I7 / I3)


def test_float_floordiv_is_the_floor_of_the_quotient():
    got = values(lambda: tf.floordiv(np.float32([1.0, -1.0]), np.float32([0.1, np.inf])))[0]
    assert got.tolist() == [10.0, -0.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: tf.floordiv(x, 0), "Integer division by zero"),
        (lambda x: tf.truncatemod(x, 0), "Integer division by zero"),
        (lambda x: tf.pow(x, -x * x), "Integers to negative integer powers are not allowed"),
    ],
)
def test_integers_refuse_what_has_no_integer_result(make, message):
    with Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.int32, [None])
        with pytest.raises(InvalidArgumentError, match=message):
            session.run(make(x), {x: [1, 2]})


def test_operands_of_two_dtypes_are_refused():
    with Graph().as_default():
        with pytest.raises(TypeError, match="Input 'y' of 'Add' Op has type int32 that does not"):
            tf.add(tf.constant([1.0]), tf.constant([1]))
        with pytest.raises(TypeError, match="x and y must have the same dtype"):
            tf.truediv(tf.constant([1.0]), tf.constant([1]))
        with pytest.raises(TypeError, match="DataType bool not in list"):
            tf.add(True, False)


def test_gradients_at_ties_and_kinks():
    with Graph().as_default(), tf.Session() as session:
        x, y = tf.constant([1.0, 2.0, 2.0]), tf.constant([2.0, 2.0, 1.0])
        high, low = tf.gradients(tf.maximum(x, y), [x, y]), tf.gradients(tf.minimum(x, y), [x, y])
        got = session.run([*high, *low, tf.gradients(tf.abs(x - 2), x)[0]])
    assert [g.tolist() for g in got] == [
        [0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1], [-1, 0, 0],
    ]  # fmt: skip


def test_gradient_of_pow_at_and_below_zero():
    with Graph().as_default(), tf.Session() as session:
        x, y = tf.constant([0.0, -2.0]), tf.constant([2.0, 2.0])
        got = session.run(tf.gradients(tf.pow(x, y), [x, y]))
    assert got[0].tolist() == [0, -4] and got[1].tolist() == [0, 0]


def test_safe_products_are_zero_where_the_factor_is():
    nan = np.float32(np.nan)
    got = values(
        lambda: tf.math.xlogy(np.float32(0), nan), lambda: tf.math.xdivy(np.float32(0), nan),
        lambda: tf.math.divide_no_nan(nan, np.float32(0)),
    )  # fmt: skip
    assert got == [0, 0, 0]


def test_casts():
    fed = np.float32([1.7, -1.7, 0.0])
    got = values(
        lambda: tf.cast(fed, tf.int32), lambda: tf.cast(fed, "bool"), lambda: tf.to_double(fed),
        lambda: tf.saturate_cast(np.float32([300, -3, 7]), tf.uint8),
        lambda: tf.saturate_cast(np.float32([3e9, -3e9]), tf.int32),
        lambda: tf.cast(tf.cast(fed, tf.bfloat16), tf.float32),
    )  # fmt: skip
    assert got[0].tolist() == [1, -1, 0] and got[1].tolist() == [True, True, False]
    assert got[2].dtype == np.float64 and got[3].tolist() == [255, 0, 7]
    assert got[4].tolist() == [2147483520, -(2**31)]
    np.testing.assert_allclose(got[5], fed, rtol=1e-2)


def test_a_cast_to_the_same_dtype_is_the_tensor_itself():
    with Graph().as_default():
        x = tf.constant([1.0])
        assert tf.cast(x, tf.float32) is x and tf.round(tf.constant([1])).op.type == "Const"
        ints = tf.cast(x, tf.int32)
        assert tf.gradients(tf.cast(ints, tf.float32), x) == [None]


def test_bitcast_splits_and_joins_the_last_axis():
    got = values(
        lambda: tf.bitcast(np.float32([1.0]), tf.int32),
        lambda: tf.bitcast(np.float32([1.0]), tf.uint8),
        lambda: tf.bitcast(np.int32([[1, 0], [0, 1]]), tf.int64),
    )
    assert got[0].tolist() == [0x3F800000] and got[1].shape == (1, 4)
    assert got[2].tolist() == [1, 2**32]


def test_sums_of_many():
    with Graph().as_default(), tf.Session() as session:
        x = tf.constant([1.0, 2.0])
        assert tf.add_n([x]) is x
        np.testing.assert_array_equal(session.run(tf.accumulate_n([x, x, x])), [3, 6])
        with pytest.raises(ValueError, match="list of at least one Tensor"):
            tf.add_n([])
        with pytest.raises(ValueError, match="Dimension 0 in both shapes must be equal"):
            tf.add_n([x, tf.constant([1.0])])


def test_shape_arithmetic_flows_through_math():
    with Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 6])
        half = tf.maximum(tf.shape(x)[1] // 2, 1) + 1
        assert tf.reshape(x, [-1, half - 1]).shape.as_list() == [None, 3]


def test_complex_numbers_are_taken_apart():
    got = values(
        lambda: tf.real(tf.complex(1.0, 2.0)), lambda: tf.imag(tf.complex(1.0, 2.0)),
        lambda: tf.imag(tf.conj(tf.complex(1.0, 2.0))), lambda: tf.conj(3.0),
    )  # fmt: skip
    assert got == [1, 2, -2, 3]


def test_running_scans_and_special_functions_agree_with_scipy():
    special = pytest.importorskip("scipy.special")
    x = np.linspace(0.1, 6.0, 40)
    got = values(
        lambda: tf.igamma(np.float64(2.5), x), lambda: tf.igammac(np.float64(2.5), x),
        lambda: tf.betainc(np.float64(2.0), np.float64(0.5), x / 6.1), lambda: tf.zeta(x + 1.1, x),
        lambda: tf.polygamma(np.float64(2.0), x), lambda: tf.lbeta(np.stack([x, x])),
    )  # fmt: skip
    want = [
        special.gammainc(2.5, x), special.gammaincc(2.5, x), special.betainc(2.0, 0.5, x / 6.1),
        special.zeta(x + 1.1, x), special.polygamma(2, x),
        special.gammaln(x).sum() * np.ones(2) - special.gammaln(x.sum()),
    ]  # fmt: skip
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-10)


@pytest.mark.parametrize("dtype", [float16, bfloat16], ids=str)
def test_half_types_round_once(dtype):
    """A sum of products in half width is the float32 result, rounded."""
    x = np.linspace(-3, 3, 50).astype(dtype.np)
    case = Case(F.squared_difference, sample(fixed(x), fixed(x[::-1])), dtype)
    wide = x.astype(np.float32)
    want = np.square(wide - wide[::-1]).astype(dtype.np)
    for got in (case.reference()[0], case.kernel()[0]):
        assert got.dtype == dtype.np
        np.testing.assert_array_equal(got.astype(np.float32), want.astype(np.float32))
