"""Every rewrite rule fires on its smallest program and changes no result, not even a sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc.ir.dtypes import float32, float64
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.passes import algebra, layout, movement, stabilize
from graphc.passes.base import RuleSet
from graphc.runtime.backends.reference import evaluate_node
from tests.helpers import Array, assert_signs, const
from tests.passes.rules import Rewritten, floats, integers, rewritten

X, N = floats(), integers()
HALF = np.array([[0.0, -0.0, 1.0, -1.0], [np.inf, -np.inf, np.nan, 2.5]], np.float16)
MATRIX = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def values(program: Any, arrays: list[Array]) -> list[Array]:
    """The program's outputs by references alone."""
    known: dict[Tensor, Array] = {}
    for node in program.nodes:
        if node.op.name == "feed":
            outs = (arrays[node.attrs["position"]],)
        else:
            outs = evaluate_node(node, [known[t] for t in node.inputs])
        known.update(zip(node.outputs, outs, strict=True))
    return [known[t] for t in program.outputs]


def check(found: Rewritten, exact: bool = True) -> None:
    """Same types, same values."""
    arrays = list(found.feeds.values())
    for a, b, old, new in zip(
        values(found.before, arrays), values(found.after, arrays),
        found.before.outputs, found.after.outputs, strict=True,
    ):  # fmt: skip
        assert old.dtype is new.dtype and old.dims == new.dims
        if exact:
            np.testing.assert_array_equal(b, a)
            if a.dtype.kind == "f":
                assert_signs(b, a)
        else:
            finite = np.isfinite(a)
            np.testing.assert_allclose(b[finite], a[finite], 2e-6, 2e-6)


def matmul(a: Tensor, b: Tensor, ta: bool = False, tb: bool = False) -> Tensor:
    return F.matmul(a, b, transpose_a=ta, transpose_b=tb)


def swap(x: Tensor) -> Tensor:
    return F.transpose(x, perm=(*range(x.rank - 2), x.rank - 1, x.rank - 2))


def ints(*values: int) -> Tensor:
    return const(list(values), "int32")


Build = Callable[..., Any]
# (rule, program, arrays, ops that are left)
EXACT: dict[str, tuple[RuleSet, str, Build, tuple[Array, ...], list[str]]] = {}


def case(
    rules: Any, name: str, build: Build, *arrays: Array, left: list[str], note: str = ""
) -> None:
    EXACT[f"{name} {note}".strip()] = (rules.RULES, name, build, arrays, left)


case(algebra, "mul_one", lambda x: x * 1.0, X, left=[])
case(algebra, "mul_one", lambda x: F.multiply(const(1.0), x), X, left=[], note="from the left")
case(algebra, "mul_one", lambda x: F.multiply(x, F.ones_like(x)), X, left=[], note="by ones")
case(algebra, "mul_one", lambda n: n * 1, N, left=[], note="integers")
case(algebra, "add_zero", lambda n: n + 0, N, left=[])
case(algebra, "sub_zero", lambda x: x - 0.0, X, left=[])
case(algebra, "sub_zero", lambda n: n - 0, N, left=[], note="integers")
case(algebra, "div_one", lambda x: F.divide(x, const(1.0)), X, left=[])
case(algebra, "div_one", lambda n: F.floordiv(n, const(1)), N, left=[], note="integers")
case(algebra, "pow_small", lambda x: F.pow(x, const(2.0)), X, left=["multiply"], note="square")
case(algebra, "pow_small", lambda x: F.pow(x, const(1.0)), X, left=[])
case(algebra, "neg_neg", lambda x: -(-x), X, left=[])
case(algebra, "neg_neg", lambda n: -(-n), N, left=[], note="integers")
case(algebra, "add_neg", lambda x, y: x + (-y), X, X[::-1].copy(), left=["subtract"])
case(algebra, "sub_neg", lambda x, y: x - (-y), X, X[::-1].copy(), left=["add"])
case(algebra, "cast_same", lambda x: F.cast(x, dtype=float32), X, left=[])
case(algebra, "no_copy", lambda x: F.identity(x), X, left=[])
case(algebra, "no_copy", lambda x: F.stop_gradient(x), X, left=[], note="stop_gradient")
case(algebra, "add_n_small", lambda x: F.add_n(x), X, left=[], note="one")
case(algebra, "add_n_small", lambda x, y: F.add_n(x, y), X, X[::-1].copy(), left=["add"])
case(algebra, "not_not", lambda x: F.logical_not(F.logical_not(F.is_nan(x))), X, left=["is_nan"])
case(algebra, "not_compare", lambda x, y: F.logical_not(F.equal(x, y)), X, X[::-1].copy(),
     left=["not_equal"])  # fmt: skip
case(algebra, "not_compare", lambda x, y: F.logical_not(F.not_equal(x, y)), X, X[::-1].copy(),
     left=["equal"], note="not_equal")  # fmt: skip
case(algebra, "div_const", lambda x: F.divide(x, const(4.0)), X, left=["multiply"])
case(algebra, "div_const", lambda x: F.divide(x, const(-0.5)), X, left=["multiply"], note="half")
case(algebra, "select_const", lambda x: F.select(F.is_nan(x), x, x), X, left=[], note="same")
case(algebra, "select_const", lambda x, y: F.select(const(np.ones((3, 4), bool)), x, y), X,
     X[::-1].copy(), left=[])  # fmt: skip

case(movement, "moves_nothing", lambda x: F.reshape(x, ints(3, 4)), X, left=[])
case(movement, "moves_nothing", lambda x: F.broadcast_to(x, ints(3, 4)), X, left=[], note="to")
case(movement, "moves_nothing", lambda x: F.tile(x, ints(1, 1)), X, left=[], note="tile")
case(movement, "moves_nothing", lambda x: F.slice(x, ints(0, 0), ints(-1, 4)), X, left=[],
     note="slice")  # fmt: skip
case(movement, "reshape_of_view", lambda x: F.reshape(F.reshape(x, ints(12)), ints(2, 6)), X,
     left=["reshape"])  # fmt: skip
case(movement, "reshape_of_view", lambda x: F.reshape(F.expand_dims(x, axis=0), ints(2, 6)), X,
     left=["reshape"], note="expand_dims")  # fmt: skip
case(movement, "transpose_identity", lambda x: F.transpose(x, perm=(0, 1)), X, left=[])
case(movement, "transpose_identity", lambda x: swap(swap(x)), X, left=[], note="twice")
case(movement, "transpose_identity",
     lambda x: F.transpose(F.transpose(x, perm=(1, 2, 0)), perm=(1, 0, 2)), CUBE,
     left=["transpose"], note="joined")  # fmt: skip

case(layout, "transpose_into_matmul", lambda x, y: matmul(swap(x), y), MATRIX, MATRIX,
     left=["matmul"])  # fmt: skip
case(layout, "transpose_into_matmul", lambda x, y: matmul(x, swap(y)), MATRIX, MATRIX,
     left=["matmul"], note="right")  # fmt: skip
case(layout, "transpose_into_matmul", lambda x: matmul(swap(x), swap(x), ta=True, tb=True),
     MATRIX[:, :3].copy(), left=["matmul"], note="both, flags set")  # fmt: skip
case(layout, "transpose_into_matmul", lambda x: matmul(x, swap(x)), CUBE, left=["matmul"],
     note="batched")  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("static", (True, False), ids=("static", "symbolic"))
def test_fires_and_is_exact(name: str, static: bool) -> None:
    rules, rule, build, arrays, left = EXACT[name]
    if not static and rule in ("select_const", "moves_nothing") and "tile" not in name:
        pytest.skip("it has static extents of its own")
    found = rewritten(rules, build, *arrays, static=static)
    assert found.fired.get(rule), found.fired
    assert found.ops == left
    check(found)


SMOOTH = np.linspace(-8, 8, 12, dtype=np.float64).reshape(3, 4)
POSITIVE = np.geomspace(1e-9, 50, 12).reshape(3, 4)
STABLE: dict[str, tuple[Build, Array, list[str]]] = {
    "log_softmax": (lambda x: F.log(F.softmax(x)), SMOOTH, ["log_softmax"]),
    "log_one_plus": (lambda x: F.log(x + 1.0), POSITIVE, ["log1p"]),
    "log_sigmoid": (lambda x: F.log(F.sigmoid(x)), SMOOTH, ["negative", "softplus", "negative"]),
    "exp_minus_one": (lambda x: F.exp(x) - 1.0, SMOOTH, ["expm1"]),
}


@pytest.mark.parametrize("name", STABLE)
def test_stable_forms_fire_and_agree(name: str) -> None:
    build, array, left = STABLE[name]
    found = rewritten(stabilize.RULES, build, array)
    assert found.fired.get(name) and found.ops == left
    check(found, exact=False)


@pytest.mark.parametrize("name", STABLE)
def test_stable_forms_keep_special_values(name: str) -> None:
    """Where the plain form is an infinity or NaN for a reason, the stable one is, too."""
    build = STABLE[name][0]
    special = np.array([[0.0, -0.0, np.inf, np.nan]])
    if name == "log_softmax":
        special = np.array([[0.0, np.nan, 1.0, 2.0]])
    found = rewritten(stabilize.RULES, build, special)
    a, b = (values(p, [special])[0] for p in (found.before, found.after))
    np.testing.assert_allclose(b, a, 1e-12)


def test_stable_forms_stay_finite_longer() -> None:
    far = np.array([[-1000.0, 0.0, 1000.0]])
    for name in ("log_softmax", "log_sigmoid"):
        found = rewritten(stabilize.RULES, STABLE[name][0], far)
        plain, stable = (values(p, [far])[0] for p in (found.before, found.after))
        assert not np.isfinite(plain).all() and np.isfinite(stable).all()


# ------------------------------------------------------------------ what must not be done
KEPT: dict[str, tuple[Build, tuple[Array, ...]]] = {
    "float + 0": (lambda x: x + 0.0, (X,)),
    "x - (-0.0)": (lambda x: x - (-0.0), (X,)),
    "x - zeros of both signs": (
        lambda x: x - const(np.array([0.0, -0.0, 0.0, -0.0], np.float32)), (X,),
    ),
    "half / 2**-20": (lambda x: F.divide(x, const(2.0**-20, "float16")), (HALF,)),
    "x * 0": (lambda x: x * 0.0, (X,)),
    "x - x": (lambda x: x - x, (X,)),
    "x / x": (lambda x: x / x, (X,)),
    "x ** 0.5": (lambda x: F.pow(x, const(0.5)), (X,)),
    "not (x < y)": (lambda x, y: F.logical_not(F.less(x, y)), (X, X[::-1].copy())),
    "float // 1": (lambda x: F.floordiv(x, const(1.0)), (X,)),
    "x / 3": (lambda x: F.divide(x, const(3.0)), (X,)),
    "int + -int": (lambda n: n + (-n), (N,)),
    "x * ones of a larger shape": (lambda x: x * const(np.ones((2, 3, 4), np.float32)), (X,)),
    "x ** 2 of a larger shape": (
        lambda x: F.pow(x, const(np.full((2, 3, 4), 2, np.float32))), (X,),
    ),
    "x ** 1 of a larger shape": (
        lambda x: F.pow(x, const(np.ones((2, 3, 4), np.float32))), (X,),
    ),
    "x / 2 of a larger shape": (
        lambda x: F.divide(x, const(np.full((2, 3, 4), 2, np.float32))), (X,),
    ),
    "cast to another type": (lambda x: F.cast(x, dtype=float64), (X,)),
    "reshape to another shape": (lambda x: F.reshape(x, ints(4, 3)), (X,)),
    "a reversing slice": (
        lambda x: F.strided_slice(
            x, ints(0, 0), ints(0, 0), ints(-1, 1), begin_mask=3, end_mask=3
        ), (X,),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_is_kept(name: str) -> None:
    build, arrays = KEPT[name]
    for rules in (algebra.RULES, movement.RULES, layout.RULES):
        found = rewritten(rules, build, *arrays)
        assert not found.fired, found.fired
        check(found)


LOGS: dict[str, Build] = {
    "log(x + ones of a larger shape)": lambda x: F.log(x + const(np.ones((2, 3, 4)))),
    "exp(x) - ones of a larger shape": lambda x: F.exp(x) - const(np.ones((2, 3, 4))),
}


@pytest.mark.parametrize("name", LOGS)
def test_stable_forms_lose_no_shape(name: str) -> None:
    found = rewritten(stabilize.RULES, LOGS[name], POSITIVE)
    check(found, exact=False)


def test_every_rule_is_tested_here() -> None:
    tested = {rule for _, rule, *_ in EXACT.values()} | set(STABLE)
    every = {r.name for m in (algebra, movement, layout, stabilize) for r in m.RULES.rules}
    assert every <= tested, every - tested


def test_every_rule_says_what_it_does() -> None:
    for module in (algebra, movement, layout, stabilize):
        for rule in module.RULES.rules:
            assert rule.doc, rule.name
