"""One minimal program for each rewrite rule, and what holds of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ir.program import Program
from graphc.passes.base import RewriteLog, RuleSet, apply_rules
from tests.helpers import Array, placeholder, program_of

SPECIAL = np.array(
    [[0.0, -0.0, 1.0, -1.0], [np.inf, -np.inf, np.nan, 2.5], [1e-40, -1e-40, 3e38, -3e38]]
)
COUNTS = np.array([[0, 1, -1, 2], [7, -7, 100, -100], [2**31 - 1, -(2**31), 3, 4]])


@dataclass
class Rewritten:
    """A program before and after a rule set, with the graph behind it."""

    graph: Graph
    fetches: list[Tensor]
    feeds: dict[Tensor, Array]
    before: Program
    after: Program
    fired: dict[str, int]

    @property
    def ops(self) -> list[str]:
        return [n.op.name for n in self.after.nodes if n.op.family != "source"]


def rewritten(
    rules: RuleSet, build: Callable[..., Any], *arrays: Array, static: bool = True
) -> Rewritten:
    """The build over placeholders for the arrays, through the rules."""
    graph = Graph()
    with graph.as_default():
        xs = [placeholder(a.dtype, a.shape if static else (None,) * a.ndim) for a in arrays]
        made = build(*xs)
    fetches: Sequence[Tensor] = made if isinstance(made, tuple | list) else (made,)
    feeds = dict(zip(xs, arrays, strict=True))
    before = program_of(graph, fetches, feeds)
    log = RewriteLog()
    after = apply_rules(before, rules, log)
    return Rewritten(graph, list(fetches), feeds, before, after, log.fired)


def floats(dtype: str = "float32") -> Array:
    return SPECIAL.astype(dtype)


def integers(dtype: str = "int32") -> Array:
    return COUNTS.astype(dtype)
