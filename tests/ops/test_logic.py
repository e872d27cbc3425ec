"""Comparisons, logic, selection, bitwise ops: kernels against references, TF1's Select rule."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.dtypes import bool_, float16, float32, float64, int32, int64, uint8
from graphc.ir.graph import Graph
from graphc.ops.define import F
from tests.ops.checks import check_gradient, check_kernel, placeholder, records, walk

RECORDS = records("logic")


@pytest.mark.parametrize("op", RECORDS, ids=lambda r: r.name)
@pytest.mark.parametrize("dtype", [float32, float64, float16, int32, uint8, bool_], ids=str)
def test_kernel_agrees_with_the_reference(op, dtype):
    if "T" in op.dtypes and dtype not in op.dtypes["T"]:
        pytest.skip("not of this op")
    check_kernel(op, dtype)


@pytest.mark.parametrize("op", [r for r in RECORDS if r.grad], ids=lambda r: r.name)
def test_first_and_second_gradients_agree_with_differences(op):
    check_gradient(op)


def test_select_takes_a_vector_of_rows_but_does_not_broadcast():
    with Graph().as_default():
        x, y = placeholder(float32, (3, 4)), placeholder(float32, (3, 4))
        rows = F.select(placeholder(bool_, (3,)), x, y)
        assert rows.dims == (3, 4)
        with pytest.raises(ValueError, match="Dimensions must be equal, but are 4 and 3"):
            F.select(placeholder(bool_, (4,)), x, y)
        with pytest.raises(ValueError, match="must be equal rank, but are 2 and 1"):
            F.select(placeholder(bool_, (3, 4)), x, placeholder(float32, (4,)))


def test_select_keeps_unknown_dimensions():
    with Graph().as_default():
        x = placeholder(float32, (None, 4))
        assert F.select(placeholder(bool_, None), x, x).dims == (None, 4)
        assert F.select(placeholder(bool_, (None,)), x, x).dims == (None, 4)
        assert F.select(placeholder(bool_, (3,)), placeholder(float32, None), x).dims == (None, 4)


def test_comparisons_with_nan_are_false_but_not_equal_is_true():
    nan = np.float32(np.nan)
    with Graph().as_default():
        got = walk([f(nan, nan) for f in (F.equal, F.less, F.greater_equal, F.not_equal)])
    assert [bool(g) for g in got] == [False, False, False, True]


def test_strings_compare_equal():
    with Graph().as_default():
        got = walk([F.equal(np.array([b"a", b"b"], object), np.array([b"a", b"c"], object))])[0]
    assert got.tolist() == [True, False]


def test_shifts_clamp_their_distance():
    with Graph().as_default():
        left = F.bitwise_left_shift(1, 40)
        right = F.bitwise_right_shift(np.int64(-8), np.int64(99))
        got = walk([left, right])
    assert got[0] == np.left_shift(np.int32(1), 31) and got[1] == -1
    assert got[1].dtype == int64.np
