"""State ops and sources: each by a small run; updates agree on all backends, step after step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.errors import OutOfRangeError
from graphc.ir.dtypes import float32, float64, int32
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.define import REGISTRY, F, OpDef
from tests.every_op import SPECIAL  # noqa: F401  # loads every record
from tests.helpers import (
    FUSED,
    REFERENCE,
    UNFUSED,
    WAYS,
    Session,
    assert_same,
    const,
    placeholder,
    variable,
)

STATE = [r for r in REGISTRY.values() if r.family == "state"]
SHAPE = (5, 3)
ROWS = np.array([3, 0, 3])  # one twice
every_way = pytest.mark.parametrize("config", WAYS.values(), ids=WAYS)


def attrs_of(op: OpDef, which: bool) -> dict[str, Any]:
    if op.name.endswith(("apply_momentum", "apply_adam", "apply_lazy_adam")):
        return {"use_nesterov": which}
    if op.name.startswith("assign"):
        return {}
    return {}


class Update:
    """One state op on fresh variables, with feeds for its other inputs."""

    def __init__(self, op: OpDef, which: bool = False) -> None:
        rng = np.random.default_rng(3)
        self.graph = Graph()
        self.feeds: dict[Tensor, Any] = {}
        self.start: dict[Tensor, Any] = {}
        # of the sparse ops and scatters: rows are written
        sparse = "indices" in op.args
        with self.graph.as_default():
            inputs = []
            for position, name in enumerate(op.args):
                if position in op.refs:
                    made = variable(float32, SHAPE, name)
                    self.start[made] = rng.uniform(0.5, 1.5, SHAPE)
                elif name == "indices":
                    nd = op.name.startswith("scatter_nd")
                    rows = ROWS.reshape(-1, 1) if nd else ROWS
                    made = placeholder(int32, rows.shape)
                    self.feeds[made] = rows
                elif name in ("grad", "delta", "value", "updates"):
                    shape = (len(ROWS), SHAPE[1]) if sparse else SHAPE
                    made = placeholder(float32, shape)
                    self.feeds[made] = rng.uniform(-1, 1, shape)
                    if name == "updates" and "update" in op.name:
                        self.feeds[made][2] = self.feeds[made][0]  # rows written twice agree
                elif name == "global_step":
                    made = const(np.int64(3))
                else:
                    made = placeholder(float32, ())
                    self.feeds[made] = -0.5 if name == "lr_power" else rng.uniform(0.1, 0.9)
                inputs.append(made)
            self.node = op.node(*inputs, **attrs_of(op, which))

    def run(self, config: Any, times: int = 2) -> list[np.ndarray[Any, Any]]:
        session = Session(self.graph, config)
        for ref, value in self.start.items():
            session.set(ref, value)
        out = [session.run(self.node.outputs[0], self.feeds) for _ in range(times)]
        np.testing.assert_array_equal(out[-1], session.get(next(iter(self.start))))
        return out + [session.get(ref) for ref in self.start]


@pytest.mark.parametrize("op", STATE, ids=lambda r: r.name)
@pytest.mark.parametrize("which", (False, True), ids=("plain", "nesterov"))
def test_updates_agree(op: OpDef, which: bool) -> None:
    if which and not attrs_of(op, which):
        pytest.skip("it has one form")
    update = Update(op, which)
    want = update.run(REFERENCE)
    for how, config in (("unfused", UNFUSED), ("fused", FUSED)):
        for a, b in zip(update.run(config), want, strict=True):
            assert_same(a, b, float32, f"{op.name} {how}", 5.0)
    start = next(iter(update.start.values()))
    assert not np.allclose(want[-1], start), "the update changes nothing"


@pytest.mark.parametrize("op", [r for r in STATE if "indices" in r.args], ids=lambda r: r.name)
def test_rows_that_are_not_named_stay(op: OpDef) -> None:
    update = Update(op)
    update.run(FUSED, times=1)
    session = Session(update.graph, FUSED)
    for ref, value in update.start.items():
        session.set(ref, value)
    session.run([], update.feeds, [update.node])
    if op.name == "sparse_apply_adam":
        pytest.skip("TF1's Adam moves all rows by their momenta")
    var, value = next(iter(update.start.items()))
    others = [r for r in range(SHAPE[0]) if r not in ROWS]
    np.testing.assert_array_equal(session.get(var)[others], value[others].astype(np.float32))


# ------------------------------------------------------------------ sources
@pytest.fixture
def graph() -> Any:
    made = Graph()
    with made.as_default():
        yield made


@every_way
def test_constants_placeholders_and_variables_are_fetched(graph: Graph, config: Any) -> None:
    c, x, v = const([[1.0, 2.0]]), placeholder("int32", (None,)), variable("float64", (2,), "v")
    session = Session(graph, config)
    session.set(v, [3.0, 4.0])
    for _ in range(2):
        got = session.run([c, x, v, x], {x: [1, 2, 3]})
        for array, want in zip(got, ([[1, 2]], [1, 2, 3], [3, 4], [1, 2, 3]), strict=True):
            np.testing.assert_array_equal(array, want)
        got[0][:] = got[1][:] = got[2][:] = 0  # what was fetched belongs to the caller


@every_way
def test_a_fed_tensor_cuts_what_made_it(graph: Graph, config: Any) -> None:
    x = placeholder("float32", (3,))
    y = x * 2.0
    z = y + 1.0
    np.testing.assert_array_equal(Session(graph, config).run(z, {y: [1, 2, 3]}), [2, 3, 4])


@every_way
def test_a_placeholder_with_default(graph: Graph, config: Any) -> None:
    x = F.placeholder_with_default(const([1.0, 2.0]), shape=(None,))
    session = Session(graph, config)
    np.testing.assert_array_equal(session.run(x * 2.0), [2, 4])
    np.testing.assert_array_equal(session.run(x * 2.0, {x: [5, 6, 7]}), [10, 12, 14])


@every_way
def test_is_variable_initialized(graph: Graph, config: Any) -> None:
    v = variable("float32", (2,), "v")
    known = F.is_variable_initialized(v)
    session = Session(graph, config)
    assert not session.run(known)
    session.set(v, [1, 2])
    assert session.run(known)


@every_way
def test_initialized_value(graph: Graph, config: Any) -> None:
    v = variable("float32", (2,), "v")
    value = F.initialized_value(v, const([7.0, 8.0])) * 2.0
    session = Session(graph, config)
    np.testing.assert_array_equal(session.run(value), [14, 16])
    session.set(v, [1, 2])
    np.testing.assert_array_equal(session.run(value), [2, 4])


@every_way
def test_uninitialized_names(graph: Graph, config: Any) -> None:
    flags = [F.is_variable_initialized(variable("float32", (2,), n)) for n in "ab"]
    names = F.uninitialized_names(*flags, names=("a", "b"))
    session = Session(graph, config)
    assert list(session.run(names)) == [b"a", b"b"]
    session.set(flags[0].node.inputs[0], [1, 2])
    assert list(session.run(names)) == [b"b"]


@every_way
def test_count_limit(graph: Graph, config: Any) -> None:
    v = variable("int32", (), "v")
    checked = F.count_limit(v, limit=2)
    update = F.assign_add(v, F.ones_like(checked))
    session = Session(graph, config)
    session.set(v, 0)
    for _ in range(2):
        session.run([], {}, [update.node, checked.node])
    with pytest.raises(OutOfRangeError):
        session.run([], {}, [update.node, checked.node])
    assert session.get(v) == 2


@every_way
def test_random_streams_advance_and_restart(graph: Graph, config: Any) -> None:
    state = F.rng_state(seed=1, seed2=2)
    draw = F.random_uniform(const([4], "int32"), state, dtype=float64)
    first, second = (Session(graph, config) for _ in range(2))
    a, b = first.run(draw), first.run(draw)
    assert (a != b).all()
    np.testing.assert_array_equal(second.run(draw), a)
    both = second.run([draw, draw * 1.0])
    np.testing.assert_array_equal(both[0], both[1])


@every_way
def test_prevent_gradient_passes_values(graph: Graph, config: Any) -> None:
    from graphc.autodiff.gradients import gradients

    x = placeholder("float32", (2,))
    y = F.prevent_gradient(x, message="no reason")
    np.testing.assert_array_equal(Session(graph, config).run(y, {x: [1, 2]}), [1, 2])
    with pytest.raises(LookupError, match="no reason"):
        gradients(y, [x])
