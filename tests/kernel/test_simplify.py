"""Index algebra: the rules by example, and before against after on random expressions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.ir.dtypes import bool_, float32, float64, int32, int64, uint8
from graphc.ir.shape import SymDim
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Cast, Const, Load, Prim, Select, const, index
from graphc.kernel.interp import evaluate
from graphc.kernel.simplify import Simplifier, affine, simplify

B, M, N = (SymDim.symbol(s) for s in "BMN")
A, J, K = Axis(4, "i"), Axis(5, "j"), Axis(6, "k")
P, Q, R = Axis(B, "p"), Axis(N, "q"), Axis(M, "r")
n, m = index(N), index(M)
FLAT = Axis(60, "f")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (k.floordiv(A * 5 + J, 5), "i"),
        (k.floormod(A * 5 + J, 5), "j"),
        (k.floordiv(P * n + Q, n), "p"),
        (k.floormod(P * n + Q, n), "q"),
        (k.floordiv((P * n + Q) * m + R, n * m), "p"),
        (k.floormod(k.floordiv((P * n + Q) * m + R, m), n), "q"),
        (k.floordiv(k.floormod(FLAT, 12), 3) * 3 + k.floormod(FLAT, 3), "floormod(f, 12)"),
        (k.floordiv(FLAT, 12) * 12 + k.floormod(FLAT, 12), "f"),
        (k.floordiv(k.floordiv(FLAT, 3), 4), "floordiv(f, 12)"),
        (k.floormod(k.floormod(FLAT, 12), 4), "floormod(f, 4)"),
        (k.floordiv(A * 10 + J * 2 + 1, 2), "((i * 5) + j)"),
        (k.floormod(A * 10 + J * 2 + 1, 2), "1"),
        (k.floordiv(A + 20, 10), "2"),
        (A + J - A, "j"),
        (J + A * 3 - J * 4, "((i * 3) - (j * 3))"),
        (k.maximum(A, 0), "i"),
        (k.minimum(A, 3), "i"),
        (k.minimum(Q, n - 1), "q"),
        (k.maximum(Q - n, 0), "0"),
        (k.check_index(Q, n), "q"),
        (k.check_index(A, const(3, int64)), "check_index(i, 3)"),
        (k.lt(A * 5 + J, 20), "True"),
        (k.lt(A * 5 + J, 19), "(((i * 5) + j) < 19)"),
        (k.ge(Q, n), "False"),
        (k.lt(P * n + Q, index(B * N)), "True"),
        (k.ne(Q, n), "True"),
        (k.eq(A, A), "True"),
        (k.and_(k.ge(A, 0), k.lt(J, 2)), "(j < 2)"),
        (k.or_(k.ge(A, 0), k.lt(J, 2)), "True"),
        (k.not_(k.not_(k.lt(J, 2))), "(j < 2)"),
        (Select(k.lt(A, 4), A, J), "i"),
    ],
)
def test_rules(before, after):
    assert str(simplify(before)) == after


def test_offsets_of_reshaped_indices_are_flat():
    x = Buffer("x", float32, (5, 4, 3), "x")
    for at in (
        (k.floordiv(FLAT, 12), k.floormod(k.floordiv(FLAT, 3), 4), k.floormod(FLAT, 3)),
        (k.floordiv(FLAT, 12), k.floordiv(k.floormod(FLAT, 12), 3), k.floormod(FLAT, 3)),
    ):
        assert str(Simplifier(flatten=True)(Load(x, at))) == "x[f]"


def test_always_true_masks_are_dropped_and_false_ones_leave_the_other_value():
    x = Buffer("x", float32, (5,), "x")
    assert str(simplify(Load(x, (J,), k.lt(J, 5)))) == "x[j]"
    assert str(simplify(Load(x, (J,), k.lt(J, 0), const(2.0, float32)))) == "2.0"


def test_values_keep_nan_infinity_and_signed_zero():
    x = Load(Buffer("x", float32, (5,), "x"), (J,))
    for value in (x * 0.0, x - x, x + 0.0, k.maximum(x, x), k.eq(x, x), x / x):
        assert simplify(value) == value


def test_casts():
    x = Load(Buffer("x", float32, (5,), "x"), (J,))
    a = Load(Buffer("a", int32, (5,), "a"), (J,))
    assert simplify(Cast(x, float32)) == x
    assert simplify(Cast(Cast(x, float64), float32)) == x
    assert simplify(Cast(Cast(a, int64), int32)) == a
    rounded = Cast(Cast(a, float32), int32)
    assert simplify(rounded) == rounded
    assert simplify(Cast(const(3, int64), float32)) == const(3.0, float32)
    assert simplify(Cast(const(300, int64), uint8)) == const(44, uint8)
    assert simplify(-(-x)) == x


def test_products_of_data_are_left_alone():
    a = Load(Buffer("a", int64, (5,), "a"), (J,))
    # the product may overflow, so dividing it gives something else
    assert "floordiv" in str(simplify(k.floordiv(a * 4, 4)))


def test_affine():
    coefs, rest = affine(A * 12 + J * n + 3 - K + n)
    assert coefs == {A: 12, J: N, K: -1}
    assert str(rest) == "[3+N]" or str(rest) == "[N+3]"
    assert affine(k.floordiv(FLAT, 7)) is None
    assert affine(A * J) is None


# ------------------------------------------------------------------ random expressions
AXES = (Axis(3, "a"), Axis(4, "b"), Axis(N, "c"), Axis(M * 2, "d"))


def leaves():
    return st.one_of(
        st.sampled_from(AXES),
        st.integers(-6, 20).map(lambda v: const(v, int64)),
        st.sampled_from([n, m, index(N * M)]),
    )


def divisors():
    return st.one_of(
        st.integers(1, 9).map(lambda v: const(v, int64)), st.sampled_from([n, m, index(N * M)])
    )


def grow(children):
    pair = st.tuples(children, children)
    return st.one_of(
        pair.map(lambda t: t[0] + t[1]),
        pair.map(lambda t: t[0] - t[1]),
        st.tuples(children, st.integers(-4, 7)).map(lambda t: t[0] * t[1]),
        st.tuples(children, st.sampled_from([n, m])).map(lambda t: t[0] * t[1]),
        st.tuples(children, divisors()).map(lambda t: Prim("floordiv", t, int64)),
        st.tuples(children, divisors()).map(lambda t: Prim("floormod", t, int64)),
        pair.map(lambda t: Prim("max", t, int64)),
        pair.map(lambda t: Prim("min", t, int64)),
        st.tuples(conditions(children), children, children).map(lambda t: Select(*t)),
    )


def conditions(children):
    compare = st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"])
    return st.tuples(compare, children, children).map(lambda t: Prim(t[0], t[1:], bool_))


INDEX = st.recursive(leaves(), grow, max_leaves=12)


def values_of(root, dims):
    out = Buffer("o", root.dtype, [a.extent for a in AXES], "o")
    return evaluate(Compute(out, AXES, root), {}, dims)


@settings(max_examples=400, deadline=None)
@given(INDEX, st.integers(1, 4), st.integers(1, 3))
def test_simplified_indices_have_the_same_values(root, size_n, size_m):
    dims = {"N": size_n, "M": size_m}
    np.testing.assert_array_equal(values_of(simplify(root), dims), values_of(root, dims))


@settings(max_examples=200, deadline=None)
@given(conditions(INDEX), st.integers(1, 4), st.integers(1, 3))
def test_simplified_conditions_have_the_same_values(root, size_n, size_m):
    dims = {"N": size_n, "M": size_m}
    np.testing.assert_array_equal(values_of(simplify(root), dims), values_of(root, dims))


@settings(max_examples=100, deadline=None)
@given(INDEX)
def test_simplifying_again_changes_nothing(root):
    once = simplify(root)
    assert simplify(once) == once


@settings(max_examples=60, deadline=None)
@given(st.permutations([2, 3, 4]), st.permutations([0, 1, 2]), st.booleans())
def test_reshape_of_a_reshape_is_flat(sizes, order, merge):
    """Splitting a flat index and joining it again gives the flat index, in any grouping."""
    total = Axis(24, "t")
    strides = [sizes[1] * sizes[2], sizes[2], 1]
    parts = [k.floormod(k.floordiv(total, s), d) for s, d in zip(strides, sizes, strict=True)]
    joined = const(0, int64)
    for at in order:
        joined = joined + parts[at] * strides[at]
    if merge:
        joined = k.floordiv(joined, 6) * 6 + k.floormod(joined, 6)
    assert simplify(joined) == total


def test_constants_fold():
    assert simplify(const(3, int64) + const(4, int64) * 5) == Const(23, int64)
