"""The numeric check finds wrong rules, and only those."""

from __future__ import annotations

import numpy as np
import pytest

import graphc.ops.source  # noqa: F401 - registers the records that F finds by name
from graphc.autodiff.checks import GradientMismatch, check_gradients, check_op, evaluate
from graphc.ir.dtypes import FLOAT, float32, float64
from graphc.ir.graph import Graph
from graphc.kernel.expr import Expr
from graphc.ops.define import BY_TF_TYPE, REGISTRY, F, elementwise
from graphc.ops.samples import arg, sample


@pytest.fixture(autouse=True)
def graph():
    with Graph().as_default() as g:
        yield g


def _same(x: Expr) -> Expr:
    return x


wrong = elementwise(
    "wrong_square", tf="WrongSquare", scalar=_same, numpy=lambda x: x * x, dtypes=FLOAT,
    grad=lambda g, x, y: g * x,
)  # fmt: skip
wrong_twice = elementwise(
    "wrong_twice", tf="WrongTwice", scalar=_same, numpy=lambda x: x**3, dtypes=FLOAT,
    # right value, but the factor is cut off from x
    grad=lambda g, x, y: g * 3.0 * F.square(F.stop_gradient(x)),
)  # fmt: skip
# not for the tests that walk the registry
for _op in (wrong, wrong_twice):
    REGISTRY.pop(_op.name)
    BY_TF_TYPE.pop(_op.tf)


def test_a_wrong_rule_is_found_and_named():
    with pytest.raises(GradientMismatch, match=r"order 1.*symbolic.*numeric"):
        check_op(wrong, sample(arg((3, 2))))


def test_a_wrong_second_order_is_found_only_there():
    check_op(wrong_twice, sample(arg((3, 2))))
    with pytest.raises(GradientMismatch, match="order 2"):
        check_op(wrong_twice, sample(arg((3, 2))), order=2)


def test_graphs_in_float32_are_checked_in_float64():
    x = F.placeholder(dtype=float32, shape=(4,))
    y = F.exp(F.sin(x))
    assert check_gradients(y, x, {x: np.linspace(-1, 1, 4)}, order=2) < 1e-6


def test_functions_of_arrays():
    check_gradients(lambda a, b: F.divide(a, b), [np.ones(3), np.full(3, 2.0)], order=2)


def test_a_source_without_a_value_is_refused():
    x = F.placeholder(dtype=float64, shape=(2,))
    with pytest.raises(ValueError, match="no value in feeds"):
        check_gradients(F.exp(x), x, {})


def test_evaluate_needs_values_only_for_what_is_needed():
    x, unused = (F.placeholder(dtype=float64, shape=(2,)) for _ in range(2))
    y = F.exp(x)
    F.add(y, unused)
    np.testing.assert_allclose(evaluate([y], {x: [0.0, 1.0]})[0], [1.0, np.e])
    with pytest.raises(ValueError, match="needs a value"):
        evaluate([F.add(y, unused)], {x: [0.0, 1.0]})


def test_evaluate_in_the_graphs_own_dtypes():
    x = F.placeholder(dtype=float32, shape=())
    (y,) = evaluate([F.exp(x)], {x: 1.0}, precise=False)
    assert y.dtype == np.float32
