"""What runs before what, while units merge: against a search through the graph."""

from __future__ import annotations

import random

import pytest

from graphc.fusion.reach import Reach


@pytest.mark.parametrize("seed", range(20))
def test_against_a_search(seed: int) -> None:
    rng = random.Random(seed)
    reach, unit_of, inputs = Reach(), {}, {}

    def path(start: object, ends: set[object]) -> bool:
        """Whether `start` is before one of `ends`, unit by unit."""
        stack, seen = list(ends), set(ends)
        while stack:
            unit = stack.pop()
            sources = {unit_of[s] for n, u in unit_of.items() if u == unit for s in inputs[n]}
            if start in sources - {unit}:
                return True
            stack.extend(sources - seen)
            seen |= sources
        return False

    for node in range(40):
        inputs[node] = rng.sample(range(node), min(node, rng.randrange(3)))
        unit_of[node] = ("unit", node)
        reach.add(unit_of[node], node, {unit_of[s] for s in inputs[node]})
        for source in inputs[node]:
            first, second = unit_of[source], unit_of[node]
            if first == second:
                continue
            members = [n for n, u in unit_of.items() if u == second]
            others = {unit_of[s] for n in members for s in inputs[n]} - {first, second}
            found = reach.between(first, others)
            assert found == path(first, others)
            if not found and rng.random() < 0.7:
                merged = ("merged", node, source)
                reach.merge(first, second, merged)
                for n, unit in unit_of.items():
                    if unit in (first, second):
                        unit_of[n] = merged
