"""Layered layout of boxes and arrows: who is needed stands above who needs it.

Lives here: layered, Placement. Not here: what the boxes are (inspect/boxes.py), their drawing
(inspect/picture.py). Imports nothing of graphc. The same input gives the same layout.

The steps are those of Sugiyama, Tagawa and Toda (1981): circles are cut, boxes get a layer, each
layer an order with few crossings, then places. Places in a layer minimise the squared distance to
the neighbours under the layer's order, which pooling of adjacent violators solves exactly.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 14
PLACING = 40
STRAIGHT = 8.0  # how much more a long arrow's inner parts want to be straight
THIN = 2.0  # width of an arrow that passes a layer
CLOSE = 10.0  # between two such arrows
INFINITE = float("inf")
Point = tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """Centres of the boxes, points that each edge runs through, the whole's size."""

    centres: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


def layered(
    sizes: Sequence[Point], edges: Sequence[tuple[int, int]], gap: Point = (22.0, 44.0)
) -> Placement:
    """The layout of boxes of these widths and heights.

    Args:
        edges: (from, to) of boxes; circles, repetitions and loops are allowed.
        gap: between boxes of a layer, and between layers.
    """
    centres: list[Point] = [(0.0, 0.0)] * len(sizes)
    routes: list[list[Point]] = [[] for _ in edges]
    parts = [(part, _connected(part, sizes, edges, gap)) for part in _components(sizes, edges)]
    corners, width, height = _shelves([made for _, made in parts], gap)
    for ((boxes, arrows), made), (x, y) in zip(parts, corners, strict=True):
        for k, centre in zip(boxes, made.centres, strict=True):
            centres[k] = (centre[0] + x, centre[1] + y)
        for k, route in zip(arrows, made.routes, strict=True):
            routes[k] = [(a + x, b + y) for a, b in route]
    return Placement(centres, routes, width, height)


Part = tuple[list[int], list[int]]  # boxes, and edges between them


def _components(sizes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> list[Part]:
    """The parts that no arrow connects, the largest first."""
    leader = list(range(len(sizes)))

    def find(k: int) -> int:
        while leader[k] != k:
            leader[k] = leader[leader[k]]
            k = leader[k]
        return k

    for a, b in edges:
        one, two = sorted((find(a), find(b)))
        leader[two] = one
    parts: dict[int, Part] = {}
    for k in range(len(sizes)):
        parts.setdefault(find(k), ([], []))[0].append(k)
    for number, (a, _) in enumerate(edges):
        parts[find(a)][1].append(number)
    return sorted(parts.values(), key=lambda part: -len(part[0]))


def _connected(
    part: Part, sizes: Sequence[Point], edges: Sequence[tuple[int, int]], gap: Point
) -> Placement:
    boxes, arrows = part
    number = {k: n for n, k in enumerate(boxes)}
    own = [(number[a], number[b]) for a, b in (edges[k] for k in arrows)]
    forward = _acyclic(len(boxes), own)
    grid = _Grid([sizes[k] for k in boxes], _ranks(len(boxes), forward), forward, gap)
    grid.order()
    grid.place()
    return grid.placement(own, forward)


def _shelves(parts: Sequence[Placement], gap: Point) -> tuple[list[Point], float, float]:
    """The left upper corner of each part, beside and below the first; width and height of all."""
    area = sum((p.width + gap[0]) * (p.height + gap[1]) for p in parts)
    room = max([p.width for p in parts[:1]] + [1.4 * area**0.5])
    corners: list[Point] = []
    x = y = low = width = 0.0
    for part in parts:
        if x and x + part.width > room:
            x, y = 0.0, low
        corners.append((x, y))
        x += part.width + 2 * gap[0]
        low = max(low, y + part.height + gap[1])
        width = max(width, x - 2 * gap[0])
    return corners, width, low - gap[1] if parts else 0.0


# ------------------------------------------------------------------ layers
def _acyclic(count: int, edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The edges, those against a depth-first walk turned round."""
    after: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        if a != b:
            after[a].append(b)
    state = [0] * count  # 1: on the way, 2: done
    back: set[tuple[int, int]] = set()
    for start in range(count):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(after[start]))]
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[node] = 2
                stack.pop()
            elif state[following] == 1:
                back.add((node, following))
            elif not state[following]:
                state[following] = 1
                stack.append((following, iter(after[following])))
    return [(b, a) if (a, b) in back else (a, b) for a, b in edges]


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box: below all that it needs, arrows short where there is a choice."""
    before: list[set[int]] = [set() for _ in range(count)]
    after: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges:
        if a != b:
            before[b].add(a)
            after[a].add(b)
    waiting = [len(b) for b in before]
    order = [k for k in range(count) if not waiting[k]]
    for node in order:
        for following in sorted(after[node]):
            waiting[following] -= 1
            if not waiting[following]:
                order.append(following)
    ranks = [0] * count
    for node in order:
        ranks[node] = max((ranks[b] + 1 for b in before[node]), default=0)
    for _ in range(3):
        for node in reversed(order):
            if len(after[node]) > len(before[node]):
                ranks[node] = min(ranks[a] for a in after[node]) - 1
        for node in order:
            if before[node] and len(before[node]) > len(after[node]):
                ranks[node] = max(ranks[b] for b in before[node]) + 1
    least = min(ranks)
    return [r - least for r in ranks]


# ------------------------------------------------------------------ orders and places
class _Grid:
    """Layers of cells: boxes, and the places where longer arrows pass a layer.

    All arrows of a box share their way down, up to the layer where they part.
    """

    def __init__(
        self, sizes: Sequence[Point], ranks: Sequence[int], edges: Sequence[tuple[int, int]],
        gap: Point,
    ) -> None:  # fmt: skip
        self.sizes, self.gap = sizes, gap
        self.rank = list(ranks)
        self.boxes = len(sizes)
        self.up: list[list[int]] = [[] for _ in sizes]
        self.down: list[list[int]] = [[] for _ in sizes]
        self.passing: dict[tuple[int, int], int] = {}
        for a, b in dict.fromkeys(edges):
            if a != b:
                self._connect(a, b)
        self.layers: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        for cell in self._walk():
            self.layers[self.rank[cell]].append(cell)
        self.x = [0.0] * len(self.rank)

    def _connect(self, a: int, b: int) -> None:
        at = a
        for rank in range(self.rank[a] + 1, self.rank[b]):
            cell = self.passing.get((a, rank))
            if cell is None:
                cell = self.passing[a, rank] = len(self.rank)
                self.rank.append(rank)
                self.up.append([])
                self.down.append([])
                self._link(at, cell)
            at = cell
        self._link(at, b)

    def _link(self, a: int, b: int) -> None:
        self.down[a].append(b)
        self.up[b].append(a)

    def _walk(self) -> list[int]:
        """All cells, each behind a neighbour where there is one."""
        seen: dict[int, None] = {}
        for start in range(len(self.rank)):
            stack = [start]
            while stack:
                cell = stack.pop()
                if cell not in seen:
                    seen[cell] = None
                    stack.extend(reversed((*self.up[cell], *self.down[cell])))
        return list(seen)

    def width(self, cell: int) -> float:
        return self.sizes[cell][0] if cell < self.boxes else THIN

    def apart(self, a: int, b: int) -> float:
        """How far the centres of two neighbours of a layer must be apart."""
        between = CLOSE if a >= self.boxes and b >= self.boxes else self.gap[0]
        return (self.width(a) + self.width(b)) / 2 + between

    # ------------------------------------------------------------ order
    def order(self) -> None:
        """The order of each layer with the fewest crossings that were seen."""
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            down = sweep % 2 == 0
            ranks = range(1, len(self.layers))
            for rank in ranks if down else reversed(range(len(self.layers) - 1)):
                self._sort(rank, self.up if down else self.down, rank - 1 if down else rank + 1)
            self._swap()
            now = self._crossings()
            if now < fewest:
                best, fewest = [list(layer) for layer in self.layers], now
        self.layers = best

    def _positions(self, rank: int) -> dict[int, int]:
        return {cell: k for k, cell in enumerate(self.layers[rank])}

    def _sort(self, rank: int, near: Sequence[Sequence[int]], fixed: int) -> None:
        """By the mean place of the neighbours; cells without any keep theirs."""
        place = self._positions(fixed)
        layer = self.layers[rank]
        keys = {
            cell: sum(place[n] for n in near[cell]) / len(near[cell]) if near[cell] else float(k)
            for k, cell in enumerate(layer)
        }
        layer.sort(key=lambda cell: keys[cell])

    def _swap(self) -> None:
        """Neighbours change places where that saves crossings."""
        for rank, layer in enumerate(self.layers):
            sides = []
            if rank:
                sides.append((self.up, self._positions(rank - 1)))
            if rank + 1 < len(self.layers):
                sides.append((self.down, self._positions(rank + 1)))
            for k in range(len(layer) - 1):
                a, b = layer[k], layer[k + 1]
                gain = 0
                for near, place in sides:
                    one, two = [place[n] for n in near[a]], [place[n] for n in near[b]]
                    gain += sum((p > q) - (p < q) for p in one for q in two)
                if gain > 0:
                    layer[k], layer[k + 1] = b, a

    def _crossings(self) -> int:
        total = 0
        for rank in range(len(self.layers) - 1):
            place = self._positions(rank + 1)
            seen: list[int] = []
            for cell in self.layers[rank]:
                ends = sorted(place[n] for n in self.down[cell])
                total += sum(len(seen) - bisect.bisect_right(seen, e) for e in ends)
                for end in ends:
                    bisect.insort(seen, end)
        return total

    # ------------------------------------------------------------ places
    def place(self) -> None:
        """Horizontal places: near the neighbours, in the layer's order."""
        for layer in self.layers:
            for a, b in pairwise(layer):
                self.x[b] = self.x[a] + self.apart(a, b)
        for sweep in range(PLACING):
            both = sweep > PLACING - 16
            ranks = range(len(self.layers))
            for rank in ranks if sweep % 2 == 0 else reversed(ranks):
                near = (self.up, self.down) if both else (self.up if sweep % 2 == 0 else self.down,)
                self._settle(self.layers[rank], near)
        self._straighten()
        left = min(self.x[c] - self.width(c) / 2 for layer in self.layers for c in layer)
        self.x = [x - left for x in self.x]

    def _settle(self, layer: Sequence[int], near: Sequence[Sequence[Sequence[int]]]) -> None:
        wishes, weights, offsets = [], [], []
        at = 0.0
        for k, cell in enumerate(layer):
            if k:
                at += self.apart(layer[k - 1], cell)
            pulls = [(self._pull(cell, n), self.x[n]) for side in near for n in side[cell]]
            total = sum(p for p, _ in pulls)
            wish = sum(p * x for p, x in pulls) / total if total else self.x[cell]
            wishes.append(wish - at)
            weights.append(total or 0.1)
            offsets.append(at)
        for cell, x, offset in zip(layer, _pooled(wishes, weights), offsets, strict=True):
            self.x[cell] = x + offset

    def _straighten(self) -> None:
        """Long arrows run straight down as far as nothing is in their way."""
        sides: dict[int, tuple[int, int]] = {}
        for layer in self.layers:
            for left, cell, right in zip([-1, *layer[:-1]], layer, [*layer[1:], -1], strict=True):
                sides[cell] = (left, right)
        for run in self._runs():
            part: list[int] = []
            low, high = -INFINITE, INFINITE
            for cell in run:
                least, most = self._room(cell, sides[cell])
                if max(low, least) > min(high, most):
                    self._align(part, low, high)
                    part, low, high = [], -INFINITE, INFINITE
                part.append(cell)
                low, high = max(low, least), min(high, most)
            self._align(part, low, high)

    def _runs(self) -> list[list[int]]:
        """The cells below each other that an arrow passes."""
        out: dict[int, list[int]] = {}
        for (source, _), cell in self.passing.items():
            out.setdefault(source, []).append(cell)
        return [sorted(cells, key=lambda c: self.rank[c]) for cells in out.values()]

    def _room(self, cell: int, sides: tuple[int, int]) -> Point:
        left, right = sides
        low = -INFINITE if left < 0 else self.x[left] + self.apart(left, cell)
        high = INFINITE if right < 0 else self.x[right] - self.apart(cell, right)
        # rounding must not leave a cell without room
        return min(low, self.x[cell]), max(high, self.x[cell])

    def _align(self, cells: Sequence[int], low: float, high: float) -> None:
        if cells:
            wish = sum(self.x[c] for c in cells) / len(cells)
            for cell in cells:
                self.x[cell] = min(max(wish, low), high)

    def _pull(self, a: int, b: int) -> float:
        passing = (a >= self.boxes) + (b >= self.boxes)
        return (1.0, 2.0, STRAIGHT)[passing]

    # ------------------------------------------------------------ result
    def placement(
        self, edges: Sequence[tuple[int, int]], forward: Sequence[tuple[int, int]]
    ) -> Placement:
        tops, bottoms, at = [], [], 0.0
        for layer in self.layers:
            high = max((self.sizes[c][1] for c in layer if c < self.boxes), default=0.0)
            tops.append(at)
            bottoms.append(at + high)
            at += high + self.gap[1]
        middle = [(t + b) / 2 for t, b in zip(tops, bottoms, strict=True)]
        centres = [(self.x[k], middle[self.rank[k]]) for k in range(self.boxes)]
        ports = self._ports(forward)
        routes = []
        for (a, b), (above, below) in zip(edges, forward, strict=True):
            way = self._route(above, below, tops, bottoms, middle, ports)
            routes.append(way if (a, b) == (above, below) else way[::-1])
        width = max(self.x[c] + self.width(c) / 2 for layer in self.layers for c in layer)
        return Placement(centres, routes, width, bottoms[-1])

    def _ports(self, edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], float]:
        """Where arrows enter the top of a box: side by side, in the order in which they come."""
        coming: dict[int, dict[int, None]] = {}
        for a, b in edges:
            if a != b:
                coming.setdefault(b, {})[a] = None
        out = {}
        for box, sources in coming.items():
            order = sorted(sources, key=lambda a: (self.x[self._last(a, box)], a))
            step = min(16.0, 0.7 * self.sizes[box][0] / len(order))
            for k, source in enumerate(order):
                out[source, box] = self.x[box] + step * (k - (len(order) - 1) / 2)
        return out

    def _last(self, a: int, b: int) -> int:
        """The cell from which an arrow from a reaches b."""
        return self.passing.get((a, self.rank[b] - 1), a)

    def _route(
        self, a: int, b: int, tops: Sequence[float], bottoms: Sequence[float],
        middle: Sequence[float], ports: Mapping[tuple[int, int], float],
    ) -> list[Point]:  # fmt: skip
        if a == b:
            return []
        half = self.sizes[a][1] / 2
        points = [(self.x[a], middle[self.rank[a]] + half), (self.x[a], bottoms[self.rank[a]])]
        for rank in range(self.rank[a] + 1, self.rank[b]):
            x = self.x[self.passing[a, rank]]
            points += [(x, tops[rank]), (x, bottoms[rank])]
        end = middle[self.rank[b]] - self.sizes[b][1] / 2
        port = ports[a, b]
        return [*points, (port, tops[self.rank[b]]), (port, end)]


def _pooled(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The values that do not fall and are nearest to the wishes, in weighted squares."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for wish, weight in zip(wishes, weights, strict=True):
        blocks.append((wish, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (m1, w1, n1), (m2, w2, n2) = blocks[-2:]
            total = w1 + w2
            blocks[-2:] = [((m1 * w1 + m2 * w2) / total, total, n1 + n2)]
    return [mean for mean, _, n in blocks for _ in range(n)]
