"""Variables within a run: what a read sees, when an update takes effect, what a failure leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from graphc.config import Config
from graphc.errors import FailedPreconditionError, InvalidArgumentError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F
from tests.helpers import (
    FUSED,
    REFERENCE,
    UNFUSED,
    Session,
    const,
    placeholder,
    plan_of,
    total,
    variable,
)

CONFIGS = {"reference": REFERENCE, "unfused": UNFUSED, "fused": FUSED}
every_way = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = 10 - A


def started(graph: Graph, config: Config, values: Mapping[Tensor, Any]) -> Session:
    session = Session(graph, config)
    for tensor, value in values.items():
        session.set(tensor, value)
    return session


@pytest.fixture
def graph() -> Any:
    made = Graph()
    with made.as_default():
        yield made


# ------------------------------------------------------------------ in place
def steps_in_place(graph: Graph, targets: list[Node], feeds: Mapping[Tensor, Any]) -> Any:
    return plan_of(graph, [], feeds, targets).schedule


def test_an_update_of_its_own_old_value_is_written_in_place(graph: Graph) -> None:
    w, x = variable("float32", (2, 3), "w"), placeholder("float32", (2, 3))
    update = F.assign_sub(w, x * 0.5)
    schedule = steps_in_place(graph, [update.node], {x: A})
    assert schedule.inplace_updates == 1 and len(schedule.steps) == 1


@every_way
def test_optimizer_updates_agree(graph: Graph, config: Config) -> None:
    """Momentum by hand: the slot is updated first, the variable by its new value."""
    w, m = variable("float32", (2, 3), "w"), variable("float32", (2, 3), "m")
    x = placeholder("float32", (2, 3))
    slot = F.assign(m, m * 0.9 + x)
    step = F.assign_sub(w, slot * 0.1)
    session = started(graph, config, {w: A, m: B})
    session.run([], {x: A}, [step.node])
    np.testing.assert_allclose(session.get(m), B * 0.9 + A, 1e-6)
    np.testing.assert_allclose(session.get(w), A - 0.1 * (B * 0.9 + A), 1e-5)


def test_two_updates_by_one_kernel_are_both_in_place(graph: Graph) -> None:
    w, m = variable("float32", (2, 3), "w"), variable("float32", (2, 3), "m")
    x = placeholder("float32", (2, 3))
    slot = F.assign(m, m * 0.9 + x)
    schedule = steps_in_place(graph, [F.assign_sub(w, slot * 0.1).node], {x: A})
    assert schedule.inplace_updates == 2 and len(schedule.steps) == 1


@every_way
def test_a_gradient_step_reads_old_values_only(graph: Graph, config: Config) -> None:
    """Both gradients use the other's old value, though each variable is updated."""
    from graphc.autodiff.gradients import gradients

    u, v = variable("float32", (3, 3), "u"), variable("float32", (3, 3), "v")
    loss = total(F.matmul(u, v, transpose_a=False, transpose_b=False))
    gu, gv = gradients(loss, [u, v])
    updates = [F.assign_sub(u, gu * 0.1).node, F.assign_sub(v, gv * 0.1).node]
    start_u, start_v = np.eye(3, dtype=np.float32), np.full((3, 3), 2, np.float32)
    session = started(graph, config, {u: start_u, v: start_v})
    old = session.run(loss, {}, updates)
    ones = np.ones((3, 3), np.float32)
    np.testing.assert_allclose(old, (start_u @ start_v).sum(), 1e-6)
    np.testing.assert_allclose(session.get(u), start_u - 0.1 * ones @ start_v.T, 1e-6)
    np.testing.assert_allclose(session.get(v), start_v - 0.1 * start_u.T @ ones, 1e-6)


# ------------------------------------------------------------------ order
@every_way
def test_two_variables_swap(graph: Graph, config: Config) -> None:
    a, b = variable("float32", (2, 3), "a"), variable("float32", (2, 3), "b")
    swap = [F.assign(a, b).node, F.assign(b, a).node]
    session = started(graph, config, {a: A, b: B})
    session.run([], {}, swap)
    np.testing.assert_array_equal(session.get(a), B)
    np.testing.assert_array_equal(session.get(b), A)


@every_way
def test_three_variables_rotate(graph: Graph, config: Config) -> None:
    v = [variable("float32", (2, 3), f"v{k}") for k in range(3)]
    turn = [F.assign(v[k], v[(k + 1) % 3]).node for k in range(3)]
    session = started(graph, config, {v[0]: A, v[1]: B, v[2]: A * B})
    session.run([], {}, turn)
    for got, want in zip(v, (B, A * B, A), strict=True):
        np.testing.assert_array_equal(session.get(got), want)


@every_way
def test_a_swap_of_computed_values(graph: Graph, config: Config) -> None:
    a, b = variable("float32", (2, 3), "a"), variable("float32", (2, 3), "b")
    swap = [F.assign(a, b * 2.0).node, F.assign(b, a + 1.0).node]
    session = started(graph, config, {a: A, b: B})
    session.run([], {}, swap)
    np.testing.assert_array_equal(session.get(a), B * 2)
    np.testing.assert_array_equal(session.get(b), A + 1)


@every_way
def test_old_and_new_values_in_one_run(graph: Graph, config: Config) -> None:
    w = variable("float32", (2, 3), "w")
    before = F.identity(w)
    update = F.assign_add(w, const(np.ones((2, 3), np.float32)))
    session = started(graph, config, {w: A})
    old, raw, new, doubled = session.run([before, w, update, update * 2.0])
    np.testing.assert_array_equal(old, A)
    np.testing.assert_array_equal(raw, A)
    np.testing.assert_array_equal(new, A + 1)
    np.testing.assert_array_equal(doubled, 2 * (A + 1))
    np.testing.assert_array_equal(session.get(w), A + 1)


@every_way
def test_what_was_fetched_stays_after_later_runs(graph: Graph, config: Config) -> None:
    w = variable("float32", (2, 3), "w")
    update = F.assign_add(w, const(np.ones((2, 3), np.float32)))
    session = started(graph, config, {w: A})
    old, new = session.run([w, update])
    session.run([w, update])
    np.testing.assert_array_equal(old, A)
    np.testing.assert_array_equal(new, A + 1)


@every_way
def test_a_read_behind_an_assignment_sees_the_new_value(graph: Graph, config: Config) -> None:
    w = variable("float32", (2, 3), "w")
    update = F.assign(w, const(B))
    with graph.control_dependencies([update.node]):
        after = F.identity(w)
    outside = F.identity(w)
    session = started(graph, config, {w: A})
    np.testing.assert_array_equal(session.run(after), B)
    session.set(w, A)
    got_after, got_outside = session.run([after, outside])
    np.testing.assert_array_equal(got_after, B)
    np.testing.assert_array_equal(got_outside, A)


@every_way
def test_assignments_in_a_chain_add_up(graph: Graph, config: Config) -> None:
    w = variable("float32", (2, 3), "w")
    one = const(np.ones((2, 3), np.float32))
    first = F.assign_add(w, one)
    with graph.control_dependencies([first.node]):
        second = F.assign_add(w, one * 10.0)
    session = started(graph, config, {w: A})
    a, b = session.run([first, second])
    np.testing.assert_array_equal(a, A + 1)
    np.testing.assert_array_equal(b, A + 11)
    np.testing.assert_array_equal(session.get(w), A + 11)


@every_way
def test_one_value_goes_to_two_variables(graph: Graph, config: Config) -> None:
    a, b = variable("float32", (2, 3), "a"), variable("float32", (2, 3), "b")
    value = F.identity(a) + 1.0
    session = started(graph, config, {a: A, b: B})
    out = session.run(value, {}, [F.assign(a, value).node, F.assign(b, value).node])
    for got in (out, session.get(a), session.get(b)):
        np.testing.assert_array_equal(got, A + 1)


@every_way
def test_a_fed_value_goes_to_a_variable(graph: Graph, config: Config) -> None:
    a, x = variable("float32", (2, 3), "a"), placeholder("float32", (None, 3))
    feed = B.copy()
    session = Session(graph, config)
    session.run([], {x: feed}, [F.assign(a, x).node])
    feed[:] = -1
    np.testing.assert_array_equal(session.get(a), B)


@every_way
def test_a_constant_goes_to_two_variables_that_then_differ(graph: Graph, config: Config) -> None:
    a, b = variable("float32", (2, 3), "a"), variable("float32", (2, 3), "b")
    value = const(A)
    session = Session(graph, config)
    session.run([], {}, [F.assign(a, value).node, F.assign(b, value).node])
    session.run([], {}, [F.assign_add(a, value).node])
    np.testing.assert_array_equal(session.get(a), 2 * A)
    np.testing.assert_array_equal(session.get(b), A)


@every_way
def test_a_view_of_a_variable_is_read_before_its_update(graph: Graph, config: Config) -> None:
    """A reshape lies in the variable's memory: what reads it must run first."""
    w = variable("float32", (2, 3), "w")
    flat = F.reshape(w, const([6], "int32"))
    later = F.reverse(flat, axes=(0,))
    update = F.assign(w, w * 2.0)
    session = started(graph, config, {w: A})
    got, plain = session.run([later, flat], {}, [update.node])
    np.testing.assert_array_equal(got, A.reshape(-1)[::-1])
    np.testing.assert_array_equal(plain, A.reshape(-1))
    np.testing.assert_array_equal(session.get(w), 2 * A)


@every_way
def test_a_transposed_update_is_not_done_in_place(graph: Graph, config: Config) -> None:
    w = variable("float32", (3, 3), "w")
    start = np.arange(9, dtype=np.float32).reshape(3, 3)
    update = F.assign(w, F.transpose(w, perm=(1, 0)) + w)
    session = started(graph, config, {w: start})
    session.run([], {}, [update.node])
    np.testing.assert_array_equal(session.get(w), start.T + start)


@every_way
def test_softmax_of_a_variable_into_itself(graph: Graph, config: Config) -> None:
    w = variable("float32", (2, 3), "w")
    session = started(graph, config, {w: A})
    session.run([], {}, [F.assign(w, F.softmax(w)).node])
    power = np.exp(A - A.max(1, keepdims=True))
    np.testing.assert_allclose(session.get(w), power / power.sum(1, keepdims=True), 1e-6)


@every_way
def test_large_updates_agree(graph: Graph, config: Config) -> None:
    """Steps large enough to be split between threads."""
    shape = (700, 1000)
    rng = np.random.default_rng(1)
    w, m = variable("float32", shape, "w"), variable("float32", shape, "m")
    start = rng.normal(size=shape).astype(np.float32)
    mean = F.reduce_mean(w, axes=(0,), keepdims=True)
    slot = F.assign(m, m * 0.5 + (w - mean))
    step = F.assign_sub(w, F.tanh(slot) * 0.1)
    session = started(graph, config, {w: start, m: np.zeros(shape, np.float32)})
    w0, m0 = start.astype(np.float64), np.zeros(shape)
    for _ in range(2):
        session.run([], {}, [step.node])
        m0 = m0 * 0.5 + (w0 - w0.mean(0))
        w0 = w0 - 0.1 * np.tanh(m0)
    np.testing.assert_allclose(session.get(w), w0, 1e-4, 1e-5)
    np.testing.assert_allclose(session.get(m), m0, 1e-4, 1e-4)


# ------------------------------------------------------------------ failures
def out_of_range(w: Tensor, x: Tensor) -> Tensor:
    rows = F.cast(x, dtype=_int32())
    return F.gather(w, rows, axis=0, batch_dims=0)


def division(w: Tensor, x: Tensor) -> Tensor:
    whole = F.cast(x, dtype=_int32())
    return F.cast(F.floordiv(whole, whole - whole), dtype=w.dtype)


def _int32() -> Any:
    from graphc.ir.dtypes import int32

    return int32


@every_way
@pytest.mark.parametrize("fault", (out_of_range, division))
def test_a_failing_run_changes_no_variable(
    graph: Graph, config: Config, fault: Callable[..., Tensor]
) -> None:
    w, v = variable("float32", (2, 3), "w"), variable("float32", (2, 3), "v")
    x = placeholder("float32", (3,))
    bad = fault(w, x)
    updates = [
        F.assign_add(w, const(np.ones((2, 3), np.float32))).node,
        F.assign_add(v, F.identity(w) * total(bad)).node,
    ]
    session = started(graph, config, {w: A, v: B})
    feed = {x: np.array([0, 7, 1], np.float32)}
    with pytest.raises(InvalidArgumentError):
        session.run(bad, feed, updates)
    np.testing.assert_array_equal(session.get(w), A)
    np.testing.assert_array_equal(session.get(v), B)


@every_way
def test_a_session_runs_on_after_a_failure(graph: Graph, config: Config) -> None:
    w, x = variable("float32", (2, 3), "w"), placeholder("int32", (3,))
    rows = F.gather(w, x, axis=0, batch_dims=0)
    session = started(graph, config, {w: A})
    for _ in range(2):
        with pytest.raises(InvalidArgumentError):
            session.run(rows, {x: [0, 5, 1]})
        np.testing.assert_array_equal(session.run(rows, {x: [0, 1, 1]}), A[[0, 1, 1]])


@every_way
def test_an_uninitialised_variable_is_named(graph: Graph, config: Config) -> None:
    w = variable("float32", (2, 3), "weights")
    with pytest.raises(FailedPreconditionError, match="uninitialized value weights"):
        Session(graph, config).run(w * 2.0)


@every_way
def test_a_failing_first_assignment_leaves_it_uninitialised(graph: Graph, config: Config) -> None:
    w, x = variable("float32", (3,), "w"), placeholder("int32", (3,))
    value = F.gather(const([1.0, 2.0]), x, axis=0, batch_dims=0)
    session = Session(graph, config)
    update = F.assign(w, value).node
    with pytest.raises(InvalidArgumentError):
        session.run([], {x: [0, 1, 9]}, [update])
    assert session.get(w) is None
    session.run([], {x: [0, 1, 1]}, [update])
    np.testing.assert_array_equal(session.get(w), [1, 2, 2])


# ------------------------------------------------------------------ memory under two names
WIDE = np.linspace(-2, 2, 600, dtype=np.float32).reshape(20, 30)


def read_by_two(x: Tensor, flat: Tensor) -> Tensor:
    """One kernel that reads a tensor and a view of it, at other places."""
    return F.tanh(x) + F.reshape(F.reverse(flat, axes=(0,)), const([20, 30], "int32"))


@every_way
def test_a_variable_and_its_view_in_the_kernel_that_updates_it(
    graph: Graph, config: Config
) -> None:
    w = variable("float32", (20, 30), "w")
    flat = F.reshape(w, const([600], "int32"))
    value = read_by_two(w, flat)
    session = started(graph, config, {w: WIDE})
    out = session.run(F.cumsum(flat, axis=0), {}, [F.assign(w, value).node])
    np.testing.assert_allclose(out, np.cumsum(WIDE), 1e-3, 1e-3)
    want = np.tanh(WIDE) + WIDE.reshape(-1)[::-1].reshape(20, 30)
    np.testing.assert_allclose(session.get(w), want, 1e-5, 1e-6)


@every_way
def test_a_temporary_and_its_view_in_the_kernel_that_ends_it(graph: Graph, config: Config) -> None:
    x = placeholder("float32", (20, 30))
    host = F.reverse(F.cumsum(x, axis=0), axes=(0,))
    host = F.cumsum(host, axis=0)  # a host step: its result lies in the arena
    flat = F.reshape(host, const([600], "int32"))
    first = F.cumsum(flat, axis=0)
    value = F.cumsum(read_by_two(host, flat) + F.reshape(first, const([20, 30], "int32")), axis=0)
    out = Session(graph, config).run(value, {x: WIDE})
    base = np.cumsum(np.cumsum(WIDE.astype(np.float64), 0)[::-1], 0)
    want = np.tanh(base) + base.reshape(-1)[::-1].reshape(20, 30)
    want = np.cumsum(want + np.cumsum(base).reshape(20, 30), 0)
    np.testing.assert_allclose(out, want, 1e-4, 1e-2)
