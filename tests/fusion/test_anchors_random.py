"""Random products with random groups behind them, as tiles and by the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.runtime import tiles
from tests.helpers import FUSED, REFERENCE, Session, assert_same, const, placeholder, plan_of


@pytest.fixture(autouse=True)
def _small_products_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "FEW_FLOPS", 0)
    monkeypatch.setattr(tiles, "FEW_ROWS", 0)


def values(rng: Any, *shape: int) -> Tensor:
    return const(rng.uniform(-1, 1, shape).astype(np.float32))


STEPS: dict[str, Callable[[Tensor, tuple[int, ...], Any], Tensor]] = {
    "bias": lambda h, sizes, rng: h + values(rng, sizes[-1]),
    "rows": lambda h, sizes, rng: h * values(rng, sizes[-2], 1),
    "residual": lambda h, sizes, rng: h + values(rng, *sizes),
    "scale": lambda h, sizes, rng: h * const(np.float32(0.5)),
    "relu": lambda h, sizes, rng: F.relu(h),
    "tanh": lambda h, sizes, rng: F.tanh(h),
    "mask": lambda h, sizes, rng: F.select_v2(
        values(rng, *sizes) > const(np.float32(0)), h, values(rng, sizes[-1])
    ),
    "square": lambda h, sizes, rng: h * h,
    "turned": lambda h, sizes, rng: h
    + F.transpose(values(rng, sizes[-1], sizes[-2]), perm=(1, 0)),
}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    size=st.tuples(st.integers(1, 40), st.integers(2, 70), st.integers(1, 40)),
    batch=st.sampled_from(((), (), (3,), (2, 2))),
    turned=st.tuples(st.booleans(), st.booleans()),
    known=st.booleans(),
    names=st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4),
    fetched=st.sets(st.integers(0, 3), max_size=2),
    seed=st.integers(0, 99),
)
def test_groups_behind_products(
    size: tuple[int, int, int], batch: tuple[int, ...], turned: tuple[bool, bool], known: bool,
    names: list[str], fetched: set[int], seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    m, n, k = size
    shapes = ((*batch, *((k, m) if turned[0] else (m, k))),
              (*batch, *((n, k) if turned[1] else (k, n))))  # fmt: skip
    # what the run alone knows is an outermost axis: batches, or rows (or k where A is transposed)
    sizes = (*batch, m, n)
    if "rows" in names or "residual" in names or "mask" in names or "turned" in names:
        known = known or bool(batch) or not turned[0]
    graph = Graph()
    with graph.as_default():
        a, b = (
            placeholder("float32", s if known else (None, *s[1:]) if i == 0 else s)
            for i, s in enumerate(shapes)
        )
        made = [F.matmul(a, b, transpose_a=turned[0], transpose_b=turned[1])]
        for name in names:
            made.append(STEPS[name](made[-1], sizes, rng))
    fetches = [made[-1], *(made[i] for i in sorted(fetched) if i < len(made) - 1)]
    feeds = {
        t: rng.uniform(-1, 1, s).astype(np.float32)
        for t, s in zip((a, b), shapes, strict=True)
    }
    want = Session(graph, REFERENCE).run(fetches, feeds)
    got = Session(graph, FUSED).run(fetches, feeds)
    for tensor, x, y in zip(fetches, got, want, strict=True):
        assert_same(x, y, tensor.dtype, tensor.text_name, 40.0)
    if known or not batch:  # of batches that are equal in this run only, the host takes care
        kinds = [s.kind for s in plan_of(graph, fetches, feeds).schedule.steps]
        assert "tile" in kinds
