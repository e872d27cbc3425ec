"""Which ops become one kernel, and what is said of those that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from graphc.ir.dtypes import float32, float64
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.runtime.plan import CpuPlan
from tests.helpers import (
    FUSED,
    REFERENCE,
    UNFUSED,
    Session,
    assert_same,
    const,
    placeholder,
    plan_of,
)

RNG = np.random.default_rng(0)


class Case:
    """A built graph with feeds; results are checked against the reference."""

    def __init__(
        self, build: Callable[..., Any], *shapes: Sequence[int], batch: bool = True
    ) -> None:
        self.graph = Graph()
        with self.graph.as_default():
            xs = []
            for shape in shapes:
                first = None if batch and shape else (shape[0] if shape else 0)
                xs.append(placeholder("float32", (first, *shape[1:]) if shape else ()))
            made = build(*xs)
        self.fetches: list[Tensor] = list(made) if isinstance(made, tuple | list) else [made]
        self.feeds = {
            x: RNG.uniform(-2, 2, shape).astype(np.float32)
            for x, shape in zip(xs, shapes, strict=True)
        }
        self.plan: CpuPlan = plan_of(self.graph, self.fetches, self.feeds)
        want = Session(self.graph, REFERENCE).run(self.fetches, self.feeds)
        for config in (FUSED, UNFUSED):
            got = Session(self.graph, config).run(self.fetches, self.feeds)
            for tensor, a, b in zip(self.fetches, got, want, strict=True):
                assert_same(a, b, tensor.dtype, tensor.text_name, 5.0)

    @property
    def kernels(self) -> int:
        return sum(s.kind == "kernel" for s in self.plan.schedule.steps)

    @property
    def reasons(self) -> list[str]:
        return [r.reason for r in self.plan.schedule.partition.refusals]


def mean(x: Tensor, *axes: int, keep: bool = False) -> Tensor:
    return F.reduce_mean(x, axes=axes or None, keepdims=keep)


def sums(x: Tensor, *axes: int, keep: bool = False) -> Tensor:
    return F.reduce_sum(x, axes=axes or None, keepdims=keep)


# ------------------------------------------------------------------ one kernel
def chain(x: Tensor) -> Tensor:
    for _ in range(5):
        x = F.tanh(F.add(F.multiply(x, 1.5), 0.25))
    return x


def hand_softmax(x: Tensor) -> Tensor:
    e = F.exp(x - F.reduce_max(x, axes=(1,), keepdims=True))
    return e / sums(e, 1, keep=True)


def layer_norm(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    m = mean(x, 1, keep=True)
    v = mean(F.square(x - m), 1, keep=True)
    return (x - m) * F.rsqrt(v + 1e-5) * gain + bias


def bias_relu(x: Tensor, b: Tensor) -> Tensor:
    return F.relu(x + b)


def diamond(x: Tensor) -> Tensor:
    a = F.tanh(x)
    return F.exp(a) * F.sin(a) + a


def row_sum(x: Tensor) -> Tensor:
    return sums(F.square(x) + 1.0, 1)


def column_sum(x: Tensor) -> Tensor:
    return sums(F.square(x) + 1.0, 0)


def mixed_widths(x: Tensor) -> Tensor:
    return F.cast(F.cast(x, dtype=float64) * 2.0, dtype=float32) + x


def over_unit_axes(x: Tensor) -> Tensor:
    wide = F.expand_dims(F.tanh(x), axis=1)
    return F.squeeze(wide * 2.0, axes=(1,)) + x


def reshaped_between(x: Tensor) -> Tensor:
    flat = F.reshape(F.tanh(x), const([-1, 12], "int32"))
    return F.exp(flat) + 1.0


def two_results(x: Tensor) -> tuple[Tensor, Tensor]:
    a = F.tanh(x)
    return a, F.exp(a)


def cross_entropy(x: Tensor, y: Tensor) -> Tensor:
    shifted = x - F.reduce_max(x, axes=(1,), keepdims=True)
    log_total = F.log(sums(F.exp(shifted), 1, keep=True))
    return -sums(y * (shifted - log_total), 1)


ONE = {
    "chain": (chain, (6, 5)),
    "softmax by hand": (hand_softmax, (6, 5)),
    "layer norm": (layer_norm, (6, 5), (5,), (5,)),
    "bias and relu": (bias_relu, (6, 5), (5,)),
    "diamond": (diamond, (6, 5)),
    "sum of rows": (row_sum, (6, 5)),
    "sum of columns": (column_sum, (6, 5)),
    "casts": (mixed_widths, (6, 5)),
    "unit axes": (over_unit_axes, (6, 5)),
    "two results": (two_results, (6, 5)),
    "cross entropy": (cross_entropy, (6, 5), (6, 5)),
}


@pytest.mark.parametrize("name", ONE)
def test_becomes_one_kernel(name: str) -> None:
    build, *shapes = ONE[name]
    case = Case(build, *shapes, batch=name not in ("layer norm", "bias and relu"))
    assert case.kernels == 1, case.reasons


def test_unfused_has_a_kernel_for_each_op() -> None:
    case = Case(hand_softmax, (6, 5))
    plan = plan_of(case.graph, case.fetches, case.feeds, config=UNFUSED)
    assert sum(s.kind == "kernel" for s in plan.schedule.steps) == 5


def test_mean_of_a_small_tensor_is_one_kernel() -> None:
    assert Case(lambda x, y: mean(F.square(x - y)), (6, 5), (6, 5)).kernels <= 2


def test_mean_of_a_large_tensor_is_summed_in_chunks() -> None:
    case = Case(lambda x, y: mean(F.square(x - y)), (600, 500), (600, 500))
    assert case.kernels == 2, "partial sums, then their sum"


def test_reshape_that_merges_axes_is_followed() -> None:
    assert Case(reshaped_between, (6, 3, 4)).kernels <= 2


# ------------------------------------------------------------------ refusals
def test_a_prologue_that_others_need_stays_out_of_a_sum_over_rows() -> None:
    def build(x: Tensor) -> tuple[Tensor, Tensor]:
        a = F.tanh(x)
        return a, sums(a, 0)

    case = Case(build, (6, 5))
    assert case.kernels == 2
    assert any("its value is needed elsewhere too" in r for r in case.reasons), case.reasons


def test_a_sum_over_everything_is_finished_first() -> None:
    case = Case(lambda x: x / sums(x), (6, 5))
    assert any("must be finished before its result is used" in r for r in case.reasons)


def test_expensive_values_are_not_computed_again() -> None:
    case = Case(lambda x: F.tile(F.tanh(F.exp(x)), const([3, 1], "int32")) + 1.0, (6, 5))
    assert np.isfinite(Session(case.graph, FUSED).run(case.fetches, case.feeds)[0]).all()


def test_a_group_that_another_kernel_interrupts_is_refused() -> None:
    """a -> matmul -> c and a -> c: a and c may not merge around the matmul."""

    def build(x: Tensor, w: Tensor) -> Tensor:
        a = F.tanh(x)
        return F.matmul(a, w, transpose_a=False, transpose_b=False) + a

    case = Case(build, (6, 5), (5, 5))
    assert "another kernel must run between the two" in case.reasons


def test_different_reductions_do_not_share_a_kernel() -> None:
    case = Case(lambda x: sums(x, 1, keep=True) * sums(x, 0, keep=True), (6, 5))
    assert case.kernels >= 2


def test_every_refusal_has_a_reason_and_a_cost() -> None:
    case = Case(lambda x: F.exp(x / sums(F.exp(x))), (6, 5))
    refusals = case.plan.schedule.partition.refusals
    assert refusals and all(r.reason and r.nbytes > 0 for r in refusals)


def test_kernels_stay_below_the_limit_of_ops() -> None:
    from tests.helpers import FUSED as base

    config = base.replace(max_fused_ops=10)
    case = Case(chain, (6, 5))
    plan = plan_of(case.graph, case.fetches, case.feeds, config=config)
    groups = plan.schedule.partition.groups
    assert len(groups) > 1 and all(len(g.nodes) <= 10 for g in groups)
    assert any("more than 10 ops" in r.reason for r in plan.schedule.partition.refusals)


def test_gradient_of_an_mlp_fuses_its_elementwise_parts() -> None:
    from graphc.autodiff.gradients import gradients

    def build(x: Tensor, w: Tensor, b: Tensor) -> list[Tensor]:
        h = F.tanh(F.matmul(x, w, transpose_a=False, transpose_b=False) + b)
        return list(gradients(mean(F.square(h)), [w, b]))

    case = Case(build, (6, 5), (5, 4), (4,), batch=False)
    gemms = sum(s.kind == "gemm" for s in case.plan.schedule.steps)
    assert gemms == 2 and case.kernels <= 3, case.reasons
