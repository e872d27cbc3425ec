"""Layered layout: no overlaps, arrows that avoid boxes, few crossings, the same each time."""

from __future__ import annotations

import random
import time
from itertools import combinations

import pytest

from graphc.inspect.layout import Placement, _pooled, layered

BOX = (60.0, 30.0)


def boxes_of(placement: Placement, sizes: list[tuple[float, float]]) -> list[tuple[float, ...]]:
    return [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for (x, y), (w, h) in zip(placement.centres, sizes, strict=True)
    ]


def check(sizes: list[tuple[float, float]], edges: list[tuple[int, int]]) -> Placement:
    placement = layered(sizes, edges)
    areas = boxes_of(placement, sizes)
    for a, b in combinations(areas, 2):
        assert a[2] <= b[0] + 1e-6 or b[2] <= a[0] + 1e-6 or a[3] <= b[1] or b[3] <= a[1]
    for area in areas:
        assert min(area) >= -1e-6
        assert area[2] <= placement.width + 1e-6 and area[3] <= placement.height + 1e-6
    assert len(placement.routes) == len(edges)
    for (a, b), route in zip(edges, placement.routes, strict=True):
        if a == b:
            assert route == []
            continue
        for box, (x, y) in ((areas[a], route[0]), (areas[b], route[-1])):
            assert box[0] - 1e-6 <= x <= box[2] + 1e-6
            assert y == pytest.approx(box[1]) or y == pytest.approx(box[3])
        for (x0, y0), (x1, y1) in zip(route, route[1:], strict=False):
            if x0 == x1:  # where it passes a layer it touches no box
                for k, area in enumerate(areas):
                    inside = area[0] < x0 < area[2]
                    crossed = max(min(y0, y1), area[1]) < min(max(y0, y1), area[3]) - 1e-6
                    assert not (inside and crossed and k not in (a, b))
    return placement


def test_nothing_one_and_two() -> None:
    assert layered([], []) == Placement([], [], 0.0, 0.0)
    alone = check([BOX], [(0, 0)])
    assert (alone.width, alone.height) == BOX
    two = check([BOX, BOX], [(0, 1)])
    assert two.centres[0][0] == two.centres[1][0]
    assert two.centres[0][1] < two.centres[1][1]


def test_who_is_needed_stands_above() -> None:
    edges = [(0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (4, 3)]
    placement = check([BOX] * 5, edges)
    for a, b in edges:
        assert placement.centres[a][1] < placement.centres[b][1]
    # a source stands right above its reader
    assert placement.centres[4][1] == placement.centres[2][1]


def test_circles_and_repetitions() -> None:
    edges = [(0, 1), (1, 2), (2, 0), (0, 1), (2, 2)]
    placement = check([BOX] * 3, edges)
    assert placement.routes[0] == placement.routes[3]
    # the arrow against the order runs upwards
    assert placement.routes[2][0][1] > placement.routes[2][-1][1]


def test_a_tree_has_no_crossings() -> None:
    edges = [((k - 1) // 2, k) for k in range(1, 15)]
    placement = check([BOX] * 15, edges)
    for a, b in combinations(edges, 2):
        (pa, ca), (pb, cb) = a, b
        if placement.centres[pa][1] == placement.centres[pb][1] and pa != pb:
            above = placement.centres[pa][0] < placement.centres[pb][0]
            assert above == (placement.centres[ca][0] < placement.centres[cb][0])


def test_a_long_arrow_is_straight() -> None:
    """A skip connection bends where it leaves and arrives, not on the way."""
    edges = [(k, k + 1) for k in range(10)] + [(0, 10)]
    route = check([BOX] * 11, edges).routes[-1]
    assert len({round(x, 6) for x, _ in route[2:-2]}) == 1


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randrange(2, 40)
    sizes = [(rng.uniform(20, 200), rng.uniform(20, 70)) for _ in range(count)]
    edges = [(rng.randrange(count), rng.randrange(count)) for _ in range(2 * count)]
    first = check(sizes, edges)
    assert first == layered(sizes, edges)


def test_a_picture_of_many_boxes_takes_little_time() -> None:
    rng = random.Random(1)
    edges = [(max(0, k - rng.randrange(1, 9)), k) for k in range(1, 400) for _ in range(2)]
    start = time.perf_counter()
    layered([BOX] * 400, edges)
    assert time.perf_counter() - start < 10


def test_pooling_is_the_nearest_sequence_that_does_not_fall() -> None:
    assert _pooled([1, 2, 3], [1, 1, 1]) == [1, 2, 3]
    assert _pooled([3, 1], [1, 1]) == [2, 2]
    assert _pooled([3, 1, 5], [1, 3, 1]) == [1.5, 1.5, 5]
    assert _pooled([], []) == []
