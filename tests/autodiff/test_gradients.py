"""gradients(): which nodes it walks, how it adds, what it refuses."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest

import graphc.ops.source  # noqa: F401 - registers the records that F finds by name
from graphc.autodiff.checks import check_gradients, evaluate
from graphc.autodiff.gradients import gradients, hessians
from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.dtypes import bool_, float32, float64, int32
from graphc.ir.graph import Graph
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F, OpDef


@pytest.fixture(autouse=True)
def graph():
    with Graph().as_default() as g:
        yield g


def feed(shape=(), name=None, dtype=float64):
    return F.placeholder(dtype=dtype, shape=shape, name=name)


def total(x):
    return F.reduce_sum(x, axes=None, keepdims=False)


def values(tensors, feeds):
    return evaluate(tensors, feeds)


def test_sums_over_ys_and_counts_a_repeated_use_once_per_path():
    x = feed((3,), "x")
    y1, y2 = F.square(x), x * 3.0
    (g,) = gradients([y1, y2], x)
    at = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(values([g], {x: at})[0], 2 * at + 3)
    (twice,) = gradients([y1, y1], [x])
    np.testing.assert_allclose(values([twice], {x: at})[0], 4 * at)


def test_many_uses_are_added_by_one_node(graph):
    x = feed((2,), "x")
    y = F.add_n(*(F.multiply(x, float(i)) for i in range(5)))
    (g,) = gradients(y, x)
    assert g.node.type == "AddN"
    assert len(g.node.inputs) == 5
    assert g.name == "gradients/AddN:0"


def test_unconnected_is_none_and_x_itself_is_its_weight():
    x, z = feed((2,)), feed((2,))
    assert gradients(F.exp(x), z) == [None]
    assert gradients(F.exp(x), [z, x])[0] is None
    (g,) = gradients(x, x)
    np.testing.assert_array_equal(values([g], {x: [5.0, 6.0]})[0], [1.0, 1.0])


def test_an_intermediate_tensor_cuts_nothing():
    x = feed((2,))
    h = F.exp(x)
    y = F.square(h)
    gh, gx = gradients(y, [h, x])
    at = np.array([0.3, -0.7])
    got_h, got_x = values([gh, gx], {x: at})
    np.testing.assert_allclose(got_h, 2 * np.exp(at))
    np.testing.assert_allclose(got_x, 2 * np.exp(2 * at))


def test_grad_ys_weigh_and_are_checked():
    x = feed((2,))
    (g,) = gradients(F.square(x), x, grad_ys=[np.array([10.0, 100.0])])
    np.testing.assert_allclose(values([g], {x: [1.0, 2.0]})[0], [20.0, 400.0])
    with pytest.raises(ValueError, match="Passed 2 grad_ys for 1 ys"):
        gradients(x, x, grad_ys=[x, x])
    with pytest.raises(ValueError, match="Incompatible shapes"):
        gradients(F.square(x), x, grad_ys=constant_tensor(np.zeros(3), float64))


def test_stop_gradients_hold_the_producers():
    a = feed((), "a")
    b = a * 2.0
    got = values(
        [*gradients(a + b, [a, b], stop_gradients=[a, b]), *gradients(a + b, [a, b])], {a: 1.0}
    )
    assert [float(v) for v in got] == [1.0, 1.0, 3.0, 1.0]


def test_stop_gradient_op_and_integers_give_none():
    x = feed((2,))
    assert gradients(F.stop_gradient(x), x) == [None]
    n = feed((2,), dtype=int32)
    assert gradients(n * 2, n) == [None]
    (g,) = gradients(n, n)
    assert g.dtype is int32
    through_int = F.cast(F.cast(x, dtype=int32), dtype=float64)
    assert gradients(through_int, x) == [None]


@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 1), (1, 4)), ((3, 4), (4,)), ((4,), (2, 3, 4)), ((), (2, 3)), ((1, 1), (3, 4)),
     ((2, 1, 4), (3, 1))],
)  # fmt: skip
def test_broadcast_operands_get_gradients_of_their_own_shapes(left, right):
    x, y = feed(left), feed(right)
    out = F.multiply(F.sin(x), y) + y
    gx, gy = gradients(out, [x, y])
    assert gx.dims == left
    assert gy.dims == right
    rng = np.random.default_rng(0)
    check_gradients(out, [x, y], {x: rng.normal(size=left), y: rng.normal(size=right)}, order=2)


@pytest.mark.parametrize(("rows", "columns"), [(1, 10), (7, 1), (7, 10), (1, 1)])
def test_broadcasts_that_only_the_run_decides(rows, columns):
    x, y = feed((None, 1)), feed((None, 10))
    out = F.multiply(x, y)
    gx, gy = gradients(out, [x, y])
    at = {x: np.ones((rows, 1)), y: np.full((rows if rows > 1 else 3, 10), 2.0)}
    if rows > 1 and columns == 1:
        at[y] = np.full((1, 10), 2.0)
    got_x, got_y = values([gx, gy], at)
    assert got_x.shape == at[x].shape
    assert got_y.shape == at[y].shape
    assert got_x.sum() == 2.0 * 10 * max(len(at[x]), len(at[y]))


def test_an_unknown_batch_that_no_operand_can_stretch_needs_no_dynamic_sum(graph):
    x, b = feed((None, 10)), feed((10,))
    gradients(F.tanh(F.add(x, b)), [x, b])
    assert not [n for n in graph.nodes if n.op.name == "sum_to_shape"]


def test_unknown_ranks():
    x, y = feed(None), feed(None)
    gx, gy = gradients(F.multiply(x, y), [x, y])
    got_x, got_y = values([gx, gy], {x: np.ones((2, 3)), y: np.full(3, 5.0)})
    np.testing.assert_array_equal(got_x, np.full((2, 3), 5.0))
    np.testing.assert_array_equal(got_y, np.full(3, 2.0))


def test_long_chains_are_walked_without_recursion():
    x = feed((2,))
    y = x
    for _ in range(20_000):
        y = F.negative(y)
    start = time.perf_counter()
    (g,) = gradients(y, x)
    assert time.perf_counter() - start < 10.0
    assert g is not None


def test_names_follow_the_forward_ops():
    x = feed((2,), "x")
    y = F.tanh(x, name="layer/act")
    (g,) = gradients(y, x)
    assert g.name.startswith("gradients/layer/act_grad/")
    (again,) = gradients(y, x, name="second")
    assert again.name.startswith("second/layer/act_grad/")


def test_higher_orders():
    x = feed((), "x")
    y = F.sin(x)
    for _ in range(4):
        (y,) = gradients(y, x)
    np.testing.assert_allclose(values([y], {x: 0.4})[0], np.sin(0.4))


def test_a_missing_rule_names_op_path_and_line():
    record = OpDef(
        name="no_rule_here", tf="NoRuleHere", family="host", infer=lambda ctx: ctx.inputs[0].type,
        numpy=lambda x: x, nograd="no rule for it yet",
    )  # fmt: skip
    x = feed((2,), "x")
    y = F.exp(record(F.square(x), name="odd"), name="top")
    with pytest.raises(LookupError) as err:
        gradients(y, x)
    text = str(err.value)
    assert "No gradient defined for operation 'odd' (op type: NoRuleHere)" in text
    assert "top <- odd" in text
    assert "test_gradients.py" in text


def test_gradient_disabled_by_prevent_gradient():
    x = feed((2,), dtype=float32)
    with pytest.raises(LookupError, match="Gradient explicitly disabled"):
        gradients(F.prevent_gradient(x, message="because"), x)


def test_bool_conditions_get_none():
    x = feed((3,))
    cond = F.greater(x, 0.0)
    assert cond.dtype is bool_
    y = F.select(cond, x * 2.0, x * 3.0)
    (g,) = gradients(y, x)
    np.testing.assert_allclose(values([g], {x: [-1.0, 1.0, 2.0]})[0], [3.0, 2.0, 2.0])


def test_hessian_of_a_quadratic_form():
    a = np.array([[2.0, 1.0], [0.5, 3.0]])
    x = feed((2,), "x")
    rows = F.reshape(x, [2, 1]) * constant_tensor(a, float64) * F.reshape(x, [1, 2])
    (h,) = hessians(total(rows), x)
    assert h.dims == (2, 2)
    np.testing.assert_allclose(values([h], {x: [0.3, -2.0]})[0], a + a.T)


def test_gathered_rows_stay_sparse_until_a_dense_tensor_is_needed():
    w = feed((4, 2), "w")
    rows = F.gather(F.identity(w), [1, 1, 3], axis=0, batch_dims=0)
    (g,) = gradients(F.square(rows), w)
    assert isinstance(g, IndexedSlices)
    at = np.arange(8.0).reshape(4, 2)
    want = np.zeros((4, 2))
    want[1], want[3] = 4 * at[1], 2 * at[3]
    np.testing.assert_allclose(values([convert_to_tensor(g)], {w: at})[0], want)


def test_sparse_gradients_are_joined_and_mixed_ones_are_dense():
    w = feed((4, 2), "w")
    a = F.gather(w, [1], axis=0, batch_dims=0)
    b = F.gather(w, [1, 2], axis=0, batch_dims=0)
    (joined,) = gradients([a, b], w)
    assert isinstance(joined, IndexedSlices)
    assert joined.values.dims == (3, 2)
    (mixed,) = gradients([a, F.square(w)], w)
    at = np.ones((4, 2))
    got_joined, got = values([convert_to_tensor(joined), mixed], {w: at})
    np.testing.assert_allclose(got_joined[:, 0], [0, 2, 1, 0])
    np.testing.assert_allclose(got[:, 0], [2, 3, 2, 2])


def test_densifying_an_unknown_number_of_rows_warns():
    w = feed((None, 2), "w")
    (g,) = gradients(F.gather(w, [0], axis=0, batch_dims=0), w)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        convert_to_tensor(g)
    assert "Converting sparse IndexedSlices to a dense Tensor of unknown shape" in str(
        seen[0].message
    )


def test_rules_of_random_graphs_agree_with_differences():
    rng = np.random.default_rng(1)
    x, w, b = feed((5, 3)), feed((3, 4)), feed((4,))
    h = F.tanh(F.matmul(x, w, transpose_a=False, transpose_b=False) + b)
    y = F.reduce_mean(F.square(h) * F.sigmoid(h), axes=(0,), keepdims=False)
    at = {x: rng.normal(size=(5, 3)), w: rng.normal(size=(3, 4)), b: rng.normal(size=4)}
    assert check_gradients(y, [x, w, b], at, order=2) < 1e-4
