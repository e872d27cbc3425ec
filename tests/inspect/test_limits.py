"""The machine's limits: measured, in between, and what reaches them."""

from __future__ import annotations

import json

import pytest

import graphc as tf
from graphc.inspect import limits
from graphc.inspect.limits import Limits, measure, of_machine
from graphc.inspect.roofline import rate
from graphc.inspect.work import Work

MADE = Limits(2, {"float32": 4e11, "float64": 2e11}, ((1 << 10, 4e11), (1 << 20, 1e11)))


def test_a_machine_multiplies_and_reads() -> None:
    found = measure(tf.Config(threads=1), 0.02, (1 << 14, 1 << 20))
    assert found.threads == 1
    assert 1e9 < found.flops["float64"] <= 1.3 * found.flops["float32"] < 1e13
    rates = [r for _, r in found.bandwidth]
    assert rates == sorted(rates, reverse=True) and 1e9 < rates[-1] < 1e13
    assert [s for s, _ in found.bandwidth] == [1 << 14, 1 << 20]


def test_threads_share_the_measurement() -> None:
    one, two = (measure(tf.Config(threads=n), 0.02, (1 << 16,)) for n in (1, 2))
    assert two.threads == 2
    assert two.flops["float32"] > 0.5 * one.flops["float32"]


def test_threads_that_get_no_processor_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([5e11, 5e11, 9e11])
    alone = 5e11

    def flops(dtype: str, count: int, pool: int, seconds: float) -> float:
        return alone if count == 1 else next(rates)

    monkeypatch.setattr(limits, "_flops", flops)
    assert limits._together("float32", 2, 1, 0.0) == 9e11
    monkeypatch.setattr(limits, "PATIENCE", 0.0)
    rates = iter([5e11])
    assert limits._together("float32", 2, 1, 0.0) == 5e11


def test_limits_are_measured_once() -> None:
    assert of_machine() is of_machine()
    assert json.dumps(of_machine().to_json())
    assert "GFLOP/s float32" in str(of_machine())


def test_bandwidths_between_sizes() -> None:
    assert MADE.bytes_of(1) == MADE.bytes_of(1 << 10) == 4e11
    assert MADE.bytes_of(1 << 30) == MADE.memory == 1e11
    assert MADE.bytes_of(1 << 15) == pytest.approx(2e11)
    assert MADE.flops_of("bfloat16") == MADE.flops_of("float32") == 4e11


def test_the_longer_of_bytes_and_operations_bounds() -> None:
    memory = rate(Work(600, 424, 10), 1e-8, MADE)
    assert memory.bound == "memory" and memory.least == pytest.approx(1024 / 4e11)
    assert memory.share == pytest.approx(1024 / 4e11 / 1e-8)
    arithmetic = rate(Work(600, 424, 10_000_000), 1e-4, MADE, "float64", turns=3)
    assert arithmetic.bound == "arithmetic" and arithmetic.flops == 30_000_000
    assert arithmetic.least == pytest.approx(3 * 1e7 / 2e11)
    assert arithmetic.bandwidth == pytest.approx(3 * 1024 / 1e-4)


def test_nothing_in_no_time() -> None:
    nothing = rate(Work(), 0.0, MADE)
    assert nothing.share == nothing.bandwidth == nothing.arithmetic == nothing.least == 0.0
    assert Work().intensity == 0.0 and Work(5, 5, 20).intensity == 2.0
