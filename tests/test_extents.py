"""One plan for many extents: what holds of shared symbols, guards, and what builds a new plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.errors import InvalidArgumentError
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.runtime.stats import STATS
from tests.helpers import FUSED, WAYS, Session, const, placeholder, total

every_way = pytest.mark.parametrize("config", WAYS.values(), ids=WAYS)


@pytest.fixture
def graph() -> Any:
    made = Graph()
    with made.as_default():
        yield made


def plans() -> int:
    return int(STATS.read()["plans_built"])


def ramp(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)


def test_a_new_batch_size_needs_no_plan(graph: Graph) -> None:
    x = placeholder("float32", (None, 3))
    y = F.softmax(x * 2.0)
    session = Session(graph, FUSED)
    session.run(y, {x: ramp(5, 3)})
    before = plans()
    for size in (2, 7, 100, 3, 0):
        assert session.run(y, {x: ramp(size, 3)}).shape == (size, 3)
    assert plans() == before


@every_way
def test_extents_that_were_equal_may_differ_later(graph: Graph, config: Any) -> None:
    """Equal extents share a symbol; a run where they differ gets a plan of its own."""
    x, y = placeholder("float32", (None,)), placeholder("float32", (None,))
    both = F.concat(x * 2.0, y + 1.0, axis=0)
    session = Session(graph, config)
    for m, n in ((4, 4), (4, 6), (5, 5), (2, 3), (6, 6)):
        want = np.concatenate([ramp(m) * 2, ramp(n) + 1])
        np.testing.assert_array_equal(session.run(both, {x: ramp(m), y: ramp(n)}), want)


@every_way
def test_a_batch_equal_to_another_dimension(graph: Graph, config: Any) -> None:
    x = placeholder("float32", (None, None))
    y = F.transpose(x, perm=(1, 0)) * 2.0
    session = Session(graph, config)
    for m, n in ((3, 3), (3, 4), (4, 3), (5, 5)):
        np.testing.assert_array_equal(session.run(y, {x: ramp(m, n)}), 2 * ramp(m, n).T)


@every_way
def test_broadcasting_is_decided_by_the_run(graph: Graph, config: Any) -> None:
    x, y = placeholder("float32", (None, 3)), placeholder("float32", (None, 3))
    z = x * 10.0 + y
    session = Session(graph, config)
    for m, n in ((4, 4), (1, 4), (4, 1), (1, 1), (5, 1), (3, 3)):
        got = session.run(z, {x: ramp(m, 3), y: ramp(n, 3)})
        np.testing.assert_array_equal(got, ramp(m, 3) * 10 + ramp(n, 3))
    with pytest.raises(InvalidArgumentError, match="Incompatible shapes"):
        session.run(z, {x: ramp(4, 3), y: ramp(5, 3)})


@every_way
def test_gradients_where_broadcasting_is_decided_by_the_run(graph: Graph, config: Any) -> None:
    from graphc.autodiff.gradients import gradients

    x, y = placeholder("float32", (None, 3)), placeholder("float32", (None, 3))
    gx, gy = gradients(total(x * y), [x, y])
    session = Session(graph, config)
    for m, n in ((4, 4), (1, 4), (4, 1), (1, 1)):
        a, b = ramp(m, 3), ramp(n, 3)
        got = session.run([gx, gy], {x: a, y: b})
        wide = np.broadcast_to(b, (max(m, n), 3)), np.broadcast_to(a, (max(m, n), 3))
        for g, w, size in zip(got, wide, (m, n), strict=True):
            np.testing.assert_allclose(g, w.sum(0, keepdims=True) if size == 1 else w, 1e-6)


@every_way
def test_unknown_ranks(graph: Graph, config: Any) -> None:
    x = placeholder("float32", None)
    y, s = F.tanh(x) + 1.0, total(x)
    session = Session(graph, config)
    for shape in ((), (3,), (2, 3), (2, 1, 4), (0,)):
        got, sums = session.run([y, s], {x: ramp(*shape)})
        np.testing.assert_allclose(got, np.tanh(ramp(*shape)) + 1, 1e-5)
        assert sums == ramp(*shape).sum()


@every_way
def test_shapes_from_fed_numbers(graph: Graph, config: Any) -> None:
    n = placeholder("int32", ())
    rows = F.fill(F.stack(n, n + 1, axis=0), const(2.0))
    table = F.range(const(0), n, const(1))
    session = Session(graph, config)
    for size in (3, 5, 0, 1, 7):
        got, numbers = session.run([rows, table], {n: size})
        assert got.shape == (size, size + 1) and (got == 2).all()
        np.testing.assert_array_equal(numbers, np.arange(size))


@every_way
def test_reshape_to_a_fed_shape(graph: Graph, config: Any) -> None:
    x, shape = placeholder("float32", (None,)), placeholder("int32", (2,))
    y = F.reshape(x, shape) * 1.0
    session = Session(graph, config)
    for want in ([2, 6], [3, 4], [-1, 3], [6, -1], [12, 1], [1, 12]):
        got = session.run(y, {x: ramp(12), shape: want})
        np.testing.assert_array_equal(got, ramp(12).reshape(want))
    with pytest.raises(InvalidArgumentError):
        session.run(y, {x: ramp(12), shape: [5, 2]})
    np.testing.assert_array_equal(
        session.run(y, {x: ramp(8), shape: [2, 4]}), ramp(8).reshape(2, 4)
    )


@every_way
def test_slices_at_fed_places(graph: Graph, config: Any) -> None:
    x, at, size = (
        placeholder("float32", (None, 3)),
        placeholder("int32", (2,)),
        placeholder("int32", (2,)),
    )
    y = F.slice(x, at, size) + 1.0
    session = Session(graph, config)
    for begin, extent in (([0, 0], [2, 3]), ([1, 1], [3, 2]), ([2, 0], [-1, 1]), ([4, 2], [1, 1])):
        got = session.run(y, {x: ramp(5, 3), at: begin, size: extent})
        stop = [5 if e < 0 else b + e for b, e in zip(begin, extent, strict=True)]
        np.testing.assert_array_equal(got, ramp(5, 3)[begin[0] : stop[0], begin[1] : stop[1]] + 1)
    with pytest.raises(InvalidArgumentError):
        session.run(y, {x: ramp(5, 3), at: [4, 0], size: [3, 3]})


@every_way
def test_data_decides_a_shape(graph: Graph, config: Any) -> None:
    """where() runs first; what follows is compiled for its result's extents."""
    x = placeholder("float32", (None,))
    places = F.where(F.greater(x, const(0.0)))
    picked = F.gather_nd(x, places)
    y = total(F.exp(-picked))
    session = Session(graph, config)
    for values in ([1.0, -1.0, 2.0], [-1.0, -2.0, -3.0], [0.5, 0.25, 1.0], [3.0]):
        array = np.array(values, np.float32)
        got, kept = session.run([y, picked], {x: array})
        np.testing.assert_array_equal(kept, array[array > 0])
        np.testing.assert_allclose(got, np.exp(-array[array > 0]).sum(), 1e-6)


@every_way
def test_fetches_of_several_stages_see_one_random_draw(graph: Graph, config: Any) -> None:
    from graphc.ir.dtypes import float64

    state = F.rng_state(seed=3, seed2=4)
    draw = F.random_uniform(const([6], "int32"), state, dtype=float64)
    above = F.where(F.greater(draw, const(0.5, "float64")))
    picked: Tensor = F.gather_nd(draw, above)
    session = Session(graph, config)
    for _ in range(3):
        whole, part = session.run([draw, picked])
        np.testing.assert_array_equal(part, whole[whole > 0.5])


def test_many_extents_keep_few_bindings(graph: Graph) -> None:
    x = placeholder("float32", (None,))
    y = x + 1.0
    session = Session(graph, FUSED)
    before = None
    for size in range(2, 1200):
        assert session.run(y, {x: np.zeros(size)}).shape == (size,)
        before = plans() if before is None else before
    assert plans() == before
    (stages,) = graph.__dict__["_stages"].values()
    assert len(stages[0].bindings) <= 256
    assert len(stages[0].variants[0].plan._bindings) <= 256
    assert len(session.executor.variables.instances) <= 64
