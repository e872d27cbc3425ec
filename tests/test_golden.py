"""Texts of the compiler's stages for a few programs, compared with tests/golden.

`pytest tests/test_golden.py --update-golden` writes them anew; read the difference before you
commit it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphc.autodiff.gradients import gradients
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.kernel.nest import nest_text
from graphc.ops.define import F
from graphc.render import numba_cpu
from graphc.runtime.plan import CpuPlan
from tests.helpers import placeholder, plan_of, variable

FOLDER = Path(__file__).parent / "golden"


def mlp() -> tuple[list[Tensor], dict[Tensor, np.ndarray]]:
    """One layer: the bias and the activation follow the product in one kernel."""
    x = placeholder("float32", (None, 8), name="x")
    w, b = variable("float32", (8, 4), "w"), variable("float32", (4,), "b")
    h = F.relu(F.matmul(x, w, transpose_a=False, transpose_b=False, name="xw") + b, name="h")
    return [h], {x: np.zeros((5, 8), np.float32)}


def softmax() -> tuple[list[Tensor], dict[Tensor, np.ndarray]]:
    """Written by hand over a known width: one pass for each row."""
    x = placeholder("float32", (None, 10), name="x")
    power = F.exp(x - F.reduce_max(x, axes=(1,), keepdims=True), name="power")
    y = F.divide(power, F.reduce_sum(power, axes=(1,), keepdims=True), name="y")
    return [y], {x: np.zeros((5, 10), np.float32)}


def loss_and_gradient() -> tuple[list[Tensor], dict[Tensor, np.ndarray]]:
    """A mean of squares and its gradient: what the passes make of composites and identities."""
    x, y = (placeholder("float32", (None, 3), name=n) for n in "xy")
    loss = F.reduce_mean(F.square(x * 1.0 - y), axes=None, keepdims=False, name="loss")
    return [loss, *gradients(loss, [x])], {t: np.zeros((5, 3), np.float32) for t in (x, y)}


PROGRAMS = {f.__name__: f for f in (mlp, softmax, loss_and_gradient)}


def text_of(build: Callable[[], tuple[list[Tensor], dict[Tensor, np.ndarray]]]) -> str:
    """Program, groups, nests and readable kernels."""
    graph = Graph()
    with graph.as_default():
        fetches, feeds = build()
    plan: CpuPlan = plan_of(graph, fetches, feeds)
    parts = ["# program after passes", str(plan.program), "# steps"]
    for step in plan.schedule.steps:
        ops = ", ".join(n.op.name for n in step.group.nodes) if step.group else ""
        parts.append(f"{step.kind} {step.name}" + (f": {ops}" if ops else ""))
    for step in plan.schedule.steps:
        if step.kernel is not None:
            parts += ["", f"# nest of {step.name}", nest_text(step.kernel).rstrip()]
            source = numba_cpu.source(step.kernel)
            parts += ["", f"# source of {step.name}", without_places(source).rstrip()]
    return "\n".join(parts) + "\n"


def without_places(source: str) -> str:
    """The kernel alone: no math that it calls, no comments, which name lines of files."""
    lines = source.splitlines()
    start = max(n for n, line in enumerate(lines) if line.startswith("def "))
    return "\n".join(lines[start:])


@pytest.mark.parametrize("name", PROGRAMS)
def test_text_is_as_stored(name: str, update_golden: bool) -> None:
    path = FOLDER / f"{name}.txt"
    text = text_of(PROGRAMS[name])
    if update_golden:
        path.write_text(text)
    assert path.exists(), "run pytest tests/test_golden.py --update-golden"
    assert text == path.read_text(), f"tests/golden/{name}.txt differs"


def test_texts_do_not_depend_on_the_process() -> None:
    for build in PROGRAMS.values():
        assert text_of(build) == text_of(build)
