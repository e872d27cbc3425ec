"""The order of passes, folding, merging of equal nodes, long graphs."""

from __future__ import annotations

import time

import numpy as np
import pytest

from graphc.errors import ConfigError, InvalidArgumentError
from graphc.ir.dtypes import float64
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.passes.pipeline import PIPELINE, optimize, selected
from graphc.passes.verify import verify
from graphc.runtime.collecting import uncollected
from tests.helpers import (
    FUSED,
    REFERENCE,
    Session,
    assert_same,
    const,
    optimized,
    placeholder,
    program_of,
    total,
    variable,
)
from tests.random_graphs import RandomGraph


@pytest.fixture
def graph():
    made = Graph()
    with made.as_default():
        yield made


def names(program) -> list[str]:
    return [n.op.name for n in program.nodes if n.op.family != "source"]


# ------------------------------------------------------------------ selection and observation
def test_names_of_passes_are_unique() -> None:
    assert len({p.name for p in PIPELINE}) == len(PIPELINE)


def test_selected_passes() -> None:
    assert [p.name for p in selected(FUSED)] == [p.name for p in PIPELINE]
    assert [p.name for p in selected(FUSED.replace(passes=("fold", "expand")))] == [
        "fold",
        "expand",
    ]
    left = [p.name for p in selected(FUSED.replace(disabled=("algebra", "expand")))]
    assert "algebra" not in left and "expand" in left, "composites have no kernels"
    assert [p.name for p in selected(FUSED.replace(passes=("fold",)))] == ["fold", "expand"]


@pytest.mark.parametrize("field", ("passes", "disabled"))
def test_an_unknown_pass_is_refused(field: str) -> None:
    with pytest.raises(ConfigError, match="unknown pass 'fusion'"):
        selected(FUSED.replace(**{field: ("fusion",)}))


def test_the_observer_sees_every_stage(graph: Graph) -> None:
    x = placeholder("float32", (None, 3))
    seen: list[str] = []
    program = program_of(graph, [x * 1.0], {x: np.ones((2, 3))})
    optimize(program, FUSED, lambda name, _: seen.append(name))
    assert seen == ["start", *(p.name for p in PIPELINE)]


@pytest.mark.parametrize("name", [p.name for p in PIPELINE if p.name != "expand"])
def test_results_do_not_depend_on_a_pass(name: str) -> None:
    config = FUSED.replace(disabled=(name,))
    for seed in range(500, 506):
        case = RandomGraph(seed, float64)
        want = Session(case.graph, REFERENCE).run(case.fetches, case.feeds[0])
        got = Session(case.graph, config).run(case.fetches, case.feeds[0])
        for tensor, a, b in zip(case.fetches, got, want, strict=True):
            assert_same(a, b, tensor.dtype, f"seed {seed}", 1e3)


def test_every_pass_gives_a_valid_program() -> None:
    for seed in range(600, 620):
        case = RandomGraph(seed, float64)
        program = program_of(case.graph, case.fetches, case.feeds[0])
        verify(program)
        optimize(program, FUSED, lambda name, p: verify(p, name))


def test_validated_runs_agree_step_by_step() -> None:
    config = FUSED.replace(validate=True)
    for seed in range(700, 730):
        case = RandomGraph(seed, float64)
        if case.tame:
            Session(case.graph, config).run(case.fetches, case.feeds[0])


# ------------------------------------------------------------------ folding and merging
def test_constants_are_folded(graph: Graph) -> None:
    x = placeholder("float32", (3,))
    y = x + F.exp(const([1.0, 2.0, 3.0]) * 2.0)
    assert names(optimized(graph, [y], {x: np.zeros(3)})) == ["add"]


def test_shapes_are_folded_where_they_are_static(graph: Graph) -> None:
    x = placeholder("float32", (3, 4))
    y = F.shape(x) * 2
    program = optimized(graph, [y], {x: np.zeros((3, 4))})
    assert names(program) == []
    np.testing.assert_array_equal(Session(graph).run(y, {x: np.zeros((3, 4))}), [6, 8])


def test_large_results_are_not_folded(graph: Graph) -> None:
    y = F.fill(const([1000, 1000], "int32"), const(2.0))
    assert names(optimized(graph, [y])) == ["fill"]


def test_errors_of_constants_are_raised_at_the_run_with_the_line(graph: Graph) -> None:
    y = F.floordiv(const(4), const(0))
    with pytest.raises(InvalidArgumentError, match=r"test_pipeline\.py"):
        Session(graph).run(y)


def test_equal_nodes_merge(graph: Graph) -> None:
    x = placeholder("float32", (3,))
    y = F.exp(x * 2.0) + F.exp(x * 2.0)
    assert names(optimized(graph, [y], {x: np.zeros(3)})) == ["multiply", "exp", "add"]


def test_random_ops_never_merge(graph: Graph) -> None:
    def draw() -> Tensor:
        state = F.rng_state(seed=0, seed2=0)
        return F.random_uniform(const([4], "int32"), state, dtype=_float32())

    a, b = draw(), draw()
    one, other = Session(graph).run([a, b])
    assert (one != other).any()


def _float32():
    from graphc.ir.dtypes import float32

    return float32


def test_dead_nodes_go(graph: Graph) -> None:
    x = placeholder("float32", (3,))
    F.exp(x)
    assert names(optimized(graph, [x * 2.0], {x: np.zeros(3)})) == ["multiply"]


def test_composites_are_expanded(graph: Graph) -> None:
    from graphc.ops.define import REGISTRY

    program = optimized(graph, [F.l2_loss(const(np.ones(4, np.float32)) * 2.0)])
    assert all(REGISTRY[n].expand is None for n in names(program))


def test_origins_survive_rewrites(graph: Graph) -> None:
    x = placeholder("float32", (3,))
    y = F.log(x * 1.0 + 1.0)
    program = optimized(graph, [y], {x: np.zeros(3)})
    (node,) = [n for n in program.nodes if n.op.name == "log1p"]
    assert "test_pipeline.py" in node.origin.location()


# ------------------------------------------------------------------ long graphs
def test_a_chain_of_twenty_thousand_nodes() -> None:
    graph = Graph()
    with graph.as_default():
        x = placeholder("float32", (None, 4))
        y = x
        for _ in range(10_000):
            y = F.tanh(F.add(y, x))
    feed = {x: np.full((3, 4), 0.25, np.float32)}
    start = time.perf_counter()
    with uncollected():  # as plans are built: the collector goes through what other tests keep
        program = optimized(graph, [y], feed)
    assert time.perf_counter() - start < 5.0
    assert len(program.nodes) == 20_001
    session = Session(graph)
    got = session.run(y, feed)
    assert time.perf_counter() - start < 30.0
    want = np.float32(0.25)
    for _ in range(10_000):
        want = np.tanh(want + np.float32(0.25))
    np.testing.assert_allclose(got, want, 1e-5)


def test_gradients_of_a_deep_chain() -> None:
    from graphc.autodiff.gradients import gradients

    graph = Graph()
    with graph.as_default():
        w = variable("float64", (4,), "w")
        y: Tensor = w
        for _ in range(2000):
            y = F.tanh(y)
        (g,) = gradients(total(y), [w])
    session = Session(graph)
    start = np.array([0.1, 0.5, 1.0, -1.0])
    session.set(w, start)
    want, at = np.ones(4), start
    for _ in range(2000):
        at = np.tanh(at)
        want = want * (1 - at * at)
    np.testing.assert_allclose(session.run(g), want, 1e-9)
