"""Groups on the tiles of products: which are, what they compute, why others are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.runtime import blas
from graphc.runtime.plan import CpuPlan
from graphc.runtime.steps import Step
from tests.helpers import (
    FUSED,
    REFERENCE,
    UNFUSED,
    Session,
    assert_same,
    const,
    placeholder,
    plan_of,
    variable,
)

RNG = np.random.default_rng(3)
ONE_THREAD = Config(cache_dir=None, threads=1)
VALIDATED = Config(cache_dir=None, validate=True)


class Case:
    """A graph of products with feeds, computed in every way; the plan of the fused one."""

    def __init__(
        self, build: Callable[..., Any], *shapes: Sequence[int], known: bool = False,
        dtype: str = "float32",
    ) -> None:
        self.graph = Graph()
        with self.graph.as_default():
            xs = [placeholder(dtype, (s[0] if known else None, *s[1:])) for s in shapes]
            made = build(*xs)
        self.fetches: list[Tensor] = list(made) if isinstance(made, tuple | list) else [made]
        self.feeds = {
            x: RNG.uniform(-1, 1, shape).astype(dtype)
            for x, shape in zip(xs, shapes, strict=True)
        }
        self.plan: CpuPlan = plan_of(self.graph, self.fetches, self.feeds)
        want = self.run(REFERENCE)
        self.got = self.run(FUSED)
        for config in (UNFUSED, VALIDATED):
            self.same(self.run(config), want)
        self.same(self.got, want)
        for a, b in zip(self.run(ONE_THREAD), self.got, strict=True):
            np.testing.assert_array_equal(a, b)

    def run(self, config: Config) -> Any:
        return Session(self.graph, config).run(self.fetches, self.feeds)

    def same(self, got: Any, want: Any) -> None:
        for tensor, a, b in zip(self.fetches, got, want, strict=True):
            assert_same(a, b, tensor.dtype, tensor.text_name, 40.0)

    @property
    def steps(self) -> list[Step]:
        return [s for s in self.plan.schedule.steps if s.kind in ("kernel", "gemm", "tile")]

    @property
    def names(self) -> list[str]:
        return [s.name for s in self.steps]

    @property
    def reasons(self) -> list[str]:
        return [r.reason for r in self.plan.schedule.partition.refusals]


def weights(*shape: int, dtype: str = "float32") -> Tensor:
    return const(RNG.uniform(-1, 1, shape).astype(dtype))


def product(a: Tensor, b: Tensor, ta: bool = False, tb: bool = False) -> Tensor:
    return F.matmul(a, b, transpose_a=ta, transpose_b=tb)


def relu_layer(x: Tensor) -> Tensor:
    return F.relu(product(x, weights(64, 100)) + weights(100))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 8, 25, 64])
def test_bias_and_activation_are_one_step(rows: int, known: bool) -> None:
    case = Case(relu_layer, (rows, 64), known=known)
    if rows > 10:
        assert case.names == ["matmul_add_relu"]
        assert case.steps[0].kind == "tile"


def test_float64() -> None:
    def build(x: Tensor) -> Tensor:
        return F.tanh(product(x, weights(64, 50, dtype="float64")) + weights(50, dtype="float64"))

    assert Case(build, (33, 64), dtype="float64").names == ["matmul_add_tanh"]


@pytest.mark.parametrize("ta", [True, False])
@pytest.mark.parametrize("tb", [True, False])
def test_transposed_operands(ta: bool, tb: bool) -> None:
    def build(a: Tensor, b: Tensor) -> Tensor:
        return F.sigmoid(product(a, b, ta, tb) * const(np.float32(0.5)))

    case = Case(build, (70, 48) if ta else (48, 70), (90, 70) if tb else (70, 90), known=True)
    assert case.names == ["matmul_multiply_sigmoid"]


def test_gelu_residual_and_scale() -> None:
    def build(x: Tensor, residual: Tensor) -> Tensor:
        h = product(x, weights(40, 72)) + weights(72)
        half, one = const(np.float32(0.5)), const(np.float32(1.0))
        gelu = half * h * (one + F.erf(h * const(np.float32(0.70710678))))
        return residual + gelu * weights(72)

    case = Case(build, (50, 40), (50, 72))
    assert len(case.names) == 1 and case.steps[0].kind == "tile"


def test_the_product_is_stored_where_it_is_read_elsewhere() -> None:
    def build(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = product(x, weights(64, 96))
        y = F.relu(h + weights(96))
        return y, h, product(h, weights(96, 33))

    case = Case(build, (40, 64))
    assert [s.kind for s in case.steps] == ["tile", "tile"]
    assert len(case.steps[0].writes) == 2


def test_several_outputs() -> None:
    def build(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = product(x, weights(64, 96)) + weights(96)
        return h, F.sigmoid(h), F.tanh(h)

    case = Case(build, (40, 64))
    assert len(case.names) == 1


def test_layers_of_three_axes() -> None:
    def build(x: Tensor, residual: Tensor) -> Tensor:
        flat = F.reshape(x, [-1, 64])
        h = F.reshape(product(flat, weights(64, 80)), [-1, 6, 80])
        return F.tanh(h + weights(80)) + residual

    case = Case(build, (9, 6, 64), (9, 6, 80))
    assert len(case.names) == 1, case.names


def test_batches_of_products() -> None:
    def build(q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        scores = product(q, k, tb=True) * const(np.float32(0.125))
        return scores + mask

    case = Case(build, (3, 4, 24, 32), (3, 4, 24, 32), (3, 1, 24, 24))
    assert len(case.names) == 1 and case.steps[0].kind == "tile"


def test_masks_of_rows_and_columns() -> None:
    def build(x: Tensor, rows: Tensor) -> Tensor:
        h = product(x, weights(64, 96))
        return F.select_v2(rows > const(np.float32(0)), h, weights(96))

    case = Case(build, (40, 64), (40, 1))
    assert len(case.names) == 1


def test_gathered_rows_with_numbers_out_of_range_are_refused_by_the_run() -> None:
    graph = Graph()
    with graph.as_default():
        x = placeholder("float32", (None, 64))
        ids = placeholder("int32", (None,))
        y = product(x, weights(64, 96)) + F.gather(weights(10, 96), ids, axis=0, batch_dims=0)
    xs = RNG.uniform(-1, 1, (12, 64)).astype(np.float32)
    numbers = np.arange(12, dtype=np.int32) % 10
    want = Session(graph, REFERENCE).run(y, {x: xs, ids: numbers})
    session = Session(graph, FUSED)
    np.testing.assert_allclose(session.run(y, {x: xs, ids: numbers}), want, rtol=1e-5, atol=1e-5)
    numbers[3] = 10
    with pytest.raises(tf.errors.InvalidArgumentError):
        session.run(y, {x: xs, ids: numbers})


def test_what_reduces_stays_behind_and_says_why() -> None:
    def build(x: Tensor) -> Tensor:
        return F.softmax(product(x, weights(64, 96)) + weights(96))

    case = Case(build, (40, 64))
    assert "the product must be finished before it is reduced" in case.reasons


def test_a_group_takes_one_product_only() -> None:
    def build(x: Tensor, y: Tensor) -> Tensor:
        return F.tanh(product(x, weights(64, 96)) + product(y, weights(48, 96)) + weights(96))

    case = Case(build, (40, 64), (40, 48))
    assert sorted(s.kind for s in case.steps) == ["tile", "tile"]
    assert "the kernel stands behind another product already" in case.reasons


def test_no_circle_through_what_reads_the_product_elsewhere() -> None:
    def build(x: Tensor) -> Tensor:
        h = product(x, weights(64, 64))
        mean = F.reduce_sum(h, axes=(0,), keepdims=True)
        return F.tanh(h - mean)

    case = Case(build, (40, 64))
    assert "another kernel must run between the two" in case.reasons


def test_nan_and_infinity() -> None:
    case = Case(relu_layer, (20, 64))
    (x,) = case.feeds
    case.feeds[x][3, 5], case.feeds[x][11, 2] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        case.same(case.run(FUSED), case.run(REFERENCE))


def test_no_rows() -> None:
    case = Case(relu_layer, (20, 64))
    (x,) = case.feeds
    empty = np.zeros((0, 64), np.float32)
    assert Session(case.graph, FUSED).run(case.fetches[0], {x: empty}).shape == (0, 100)


def test_another_batch_size_needs_no_other_plan() -> None:
    case = Case(relu_layer, (20, 64))
    (x,) = case.feeds
    session, reference = Session(case.graph, FUSED), Session(case.graph, REFERENCE)
    for rows in (20, 1, 3, 8, 17, 130):
        feeds = {x: RNG.uniform(-1, 1, (rows, 64)).astype(np.float32)}
        case.same(session.run(case.fetches, feeds), reference.run(case.fetches, feeds))


# ------------------------------------------------------------------ training
def mlp(sizes: Sequence[int], optimizer: Any) -> tuple[Any, ...]:
    """(graph, feeds, loss, step) of a network of dense layers."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, sizes[0]])
        labels = tf.placeholder(tf.int32, [None])
        h = x
        for n, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:], strict=False)):
            scale = (2.0 / fan_in) ** 0.5
            w = tf.Variable(RNG.normal(0, scale, (fan_in, fan_out)).astype(np.float32))
            b = tf.Variable(np.zeros(fan_out, np.float32))
            h = tf.matmul(h, w) + b
            if n < len(sizes) - 2:
                h = tf.nn.relu(h)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=h)
        )
        step = optimizer(0.1).minimize(loss)
    return graph, (x, labels), loss, step


@pytest.mark.parametrize("name", ["GradientDescentOptimizer", "AdamOptimizer"])
def test_a_training_step_of_dense_layers(name: str) -> None:
    graph, (x, labels), loss, step = mlp((60, 64, 48, 10), getattr(tf.train, name))
    xs = RNG.uniform(-1, 1, (50, 60)).astype(np.float32)
    ys = RNG.integers(0, 10, 50).astype(np.int32)
    histories = []
    for fuse in (True, False):
        with tf.Session(graph=graph, options=Config(fuse=fuse)) as session:
            with graph.as_default():
                session.run(tf.global_variables_initializer())
            histories.append(
                [session.run([loss, step], {x: xs, labels: ys})[0] for _ in range(6)]
            )
            if fuse:
                report = session.explain([loss, step], {x: xs, labels: ys})
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-4)
    assert histories[0][-1] < histories[0][0]
    names = [s.name for s in report.steps if s.kind == "tile"]
    assert sum("relu" in n for n in names) >= 2, report


def test_an_update_is_written_in_place_behind_its_gradient() -> None:
    graph = Graph()
    with graph.as_default():
        w = variable("float32", (64, 96), "w")
        x, g = placeholder("float32", (None, 64)), placeholder("float32", (None, 96))
        new = w - product(x, g, ta=True) * const(np.float32(0.1))
        step = F.assign(w, new)
    xs, gs = (RNG.uniform(-1, 1, (30, n)).astype(np.float32) for n in (64, 96))
    start = RNG.uniform(-1, 1, (64, 96)).astype(np.float32)
    session = Session(graph, FUSED)
    session.set(w, start)
    got = session.run(step, {x: xs, g: gs})
    np.testing.assert_allclose(got, start - xs.T @ gs * np.float32(0.1), rtol=1e-5, atol=1e-5)
    plan = plan_of(graph, [step], {x: xs, g: gs})
    assert [s.kind for s in plan.schedule.steps if s.kind in ("kernel", "tile")] == ["tile"]


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ((8, 8, 8), "gemm"), ((64, 64, 64), "tile"), ((1024, 1024, 1024), "tile"),
        ((2560, 256, 2560), "gemm"), ((64, 1, 4096), "gemm"), ((512, 512, 2048), "tile"),
    ],
)  # fmt: skip
def test_who_computes_a_product(size: tuple[int, int, int], kind: str) -> None:
    m, n, k = size
    graph = Graph()
    with graph.as_default():
        a, b = placeholder("float32", (m, k)), placeholder("float32", (k, n))
        y = product(a, b)
    feeds = {a: np.zeros((m, k), np.float32), b: np.zeros((k, n), np.float32)}
    assert [s.kind for s in plan_of(graph, [y], feeds).schedule.steps] == [kind]


def test_without_blas_every_product_is_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "available", lambda: False)
    graph = Graph()
    with graph.as_default():
        a, b = placeholder("float32", (None, 5)), placeholder("float32", (7, 5))
        y = product(a, b, tb=True)
    xs, ys = (RNG.uniform(-1, 1, (n, 5)).astype(np.float32) for n in (3, 7))
    plan = plan_of(graph, [y], {a: xs, b: ys})
    assert [s.kind for s in plan.schedule.steps] == ["tile"]
    got = Session(graph, FUSED).run(y, {a: xs, b: ys})
    np.testing.assert_allclose(got, xs @ ys.T, rtol=1e-5, atol=1e-6)


def test_products_of_one_transposed_matrix_pack_it_once() -> None:
    def build(x: Tensor, y: Tensor, z: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        return tuple(F.tanh(product(t, w, tb=True)) for t in (x, y, z))

    case = Case(build, (40, 70), (40, 70), (40, 70), (50, 70), known=True)
    kinds = [s.kind for s in case.plan.schedule.steps]
    assert sorted(kinds) == ["pack", "tile", "tile", "tile"]


def test_people_see_what_runs_on_the_tiles(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 64], name="x")
        w = tf.constant(RNG.uniform(-1, 1, (64, 96)).astype(np.float32))
        y = tf.nn.relu(tf.matmul(x, w, name="dense") + 1.0, name="active")
        options = Config(dump=str(tmp_path), profile=True, cache_dir=None)
        with tf.Session(graph=graph, options=options) as session:
            feed = {x: np.ones((30, 64), np.float32)}
            session.run(y, feed)
            report = session.explain(y, feed)
    (step,) = report.kernels
    assert step.kind == "tile" and step.calls == 1 and step.seconds > 0
    assert step.ops[0] == "dense" and "active" in step.ops
    assert "def " in step.source and "tile" in step.nest and step.lines
    (folder,) = tmp_path.iterdir()
    assert "matmul_add_relu" in (folder / "schedule.txt").read_text()
    assert "tile" in (folder / "nests.txt").read_text()
    assert "llvm.fma" in (folder / "kernels.ll").read_text()
