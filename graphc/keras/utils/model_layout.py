"""Where the layers of a picture of a model stand: boxes in ranks, edges around them.

Lives here: the boxes of a model, their layout. Not here: files (vis_utils.py), which is its only
user. Imports keras.engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphc.keras.engine.input_layer import InputLayer

__all__ = ["Box", "Picture", "boxes_of", "laid_out"]

_CHAR, _LINE, _PAD, _GAP, _RANK = 7.3, 18.0, 12.0, 26.0, 44.0
_SWEEPS = 4


@dataclass
class Box:
    """A layer in the picture.

    Attributes:
        key: its name, with those of the models around it. title: the text. rows: (word, shape)
            below it. inputs: the keys of the boxes before it.
    """

    key: str
    title: str
    rows: list[tuple[str, str]]
    inputs: list[str] = field(default_factory=list)
    rank: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether it stands for an edge that passes by."""
        return not self.title


@dataclass
class Picture:
    """The whole: boxes with places, edges as lists of points, extents."""

    boxes: list[Box]
    edges: list[list[tuple[float, float]]]
    width: float
    height: float
    sideways: bool


# ------------------------------------------------------------------ what there is
def _shape_text(layer: Any, which: str) -> str:
    try:
        found = getattr(layer, which)
    except (AttributeError, RuntimeError):
        return "multiple"
    return str(found)


def _box(layer: Any, key: str, shapes: bool, names: bool) -> Box:
    kind = type(layer).__name__
    inner = getattr(layer, "layer", None)
    if inner is not None and hasattr(inner, "get_config"):
        kind = f"{kind}({type(inner).__name__})"
    rows = []
    if shapes:
        rows = [("input:", _shape_text(layer, "input_shape")),
                ("output:", _shape_text(layer, "output_shape"))]  # fmt: skip
    return Box(key, f"{key}: {kind}" if names else kind, rows)


def _sources(model: Any, layer: Any) -> list[Any]:
    """The layers whose outputs this one takes in this model, in order, once each."""
    nodes = getattr(model, "_network_nodes", None)
    if nodes is None:
        return []
    relevant = set(nodes)
    found: dict[int, Any] = {}
    for node in layer._inbound_nodes:
        if node in relevant and not isinstance(layer, InputLayer):
            for source in node.inbound_layers:
                found.setdefault(id(source), source)
    return list(found.values())


def boxes_of(
    model: Any, shapes: bool = False, names: bool = True, nested: bool = False, prefix: str = ""
) -> list[Box]:
    """The layers of a model, those of models inside of it too with `nested`."""
    boxes: list[Box] = []
    ends: dict[int, list[str]] = {}  # layer -> the boxes that give its outputs
    layers = list(model.sublayers()) if hasattr(model, "_stack") else model.layers
    for number, layer in enumerate(layers):
        sources = _sources(model, layer)
        if not sources and getattr(model, "_network_nodes", None) is None and number:
            sources = [layers[number - 1]]  # a model of its own `call`: in the order of its layers
        above = [key for source in sources for key in ends.get(id(source), ())]
        key = prefix + layer.name
        if nested and getattr(layer, "_is_graph_network", False):
            inner = boxes_of(layer, shapes, names, True, key + "/")
            for box in inner:
                if not box.inputs:
                    box.inputs = above
            used = {k for box in inner for k in box.inputs}
            ends[id(layer)] = [box.key for box in inner if box.key not in used]
            boxes += inner
            continue
        box = _box(layer, key, shapes, names)
        box.inputs = above
        ends[id(layer)] = [key]
        boxes.append(box)
    return boxes


# ------------------------------------------------------------------ where it stands
def _ranks(boxes: list[Box]) -> None:
    table = {box.key: box for box in boxes}
    waiting = {box.key: {k for k in box.inputs if k in table} for box in boxes}
    done: set[str] = set()
    while len(done) < len(boxes):
        ready = [k for k, needs in waiting.items() if k not in done and needs <= done]
        for key in ready or [next(k for k in waiting if k not in done)]:
            table[key].rank = 1 + max((table[k].rank for k in waiting[key]), default=-1)
            done.add(key)


def _measure(box: Box) -> None:
    """Extents of a layer's box."""
    columns = [max((len(r[k]) for r in box.rows), default=0) for k in (0, 1)]
    wide = max(len(box.title), sum(columns) + 3 if box.rows else 0)
    box.width = wide * _CHAR + 2 * _PAD
    box.height = _LINE * (1 + len(box.rows)) + _PAD


def _with_bends(boxes: list[Box]) -> tuple[list[list[Box]], list[list[Box]]]:
    """(boxes by rank, the boxes that each edge passes); long edges get a place in each rank."""
    table = {box.key: box for box in boxes}
    count = 1 + max((box.rank for box in boxes), default=0)
    ranks: list[list[Box]] = [[] for _ in range(count)]
    for box in boxes:
        ranks[box.rank].append(box)
    paths = []
    for box in boxes:
        for key in box.inputs:
            source = table[key]
            path = [source]
            for rank in range(source.rank + 1, box.rank):
                bend = Box(f"{key}>{box.key}@{rank}", "", [], [path[-1].key], rank)
                ranks[rank].append(bend)
                path.append(bend)
            paths.append([*path, box])
    return ranks, paths


def _order(ranks: list[list[Box]], paths: list[list[Box]]) -> None:
    """Boxes of a rank in the order of the mean place of their neighbours, down and up again."""
    before: dict[str, list[Box]] = {}
    after: dict[str, list[Box]] = {}
    for path in paths:
        for a, b in zip(path, path[1:]):
            before.setdefault(b.key, []).append(a)
            after.setdefault(a.key, []).append(b)
    for sweep in range(_SWEEPS):
        near, way = (before, ranks) if sweep % 2 == 0 else (after, ranks[::-1])
        place = {box.key: k for rank in ranks for k, box in enumerate(rank)}
        for rank in way:
            means = {}
            for box in rank:
                others = [place[n.key] for n in near.get(box.key, ())]
                means[box.key] = sum(others) / len(others) if others else place[box.key]
            rank.sort(key=lambda box: means[box.key])
            place.update({box.key: k for k, box in enumerate(rank)})


def laid_out(boxes: list[Box], rankdir: str = "TB") -> Picture:
    """The picture of these boxes.

    Args:
        rankdir: "TB": from the top to the bottom; "BT", "LR", "RL" likewise.

    Raises:
        ValueError: another rankdir.
    """
    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise ValueError(f'rankdir must be "TB", "BT", "LR" or "RL", not {rankdir!r}')
    sideways = rankdir in ("LR", "RL")
    for box in boxes:
        _measure(box)
    _ranks(boxes)
    ranks, paths = _with_bends(boxes)
    _order(ranks, paths)
    across = [sum(_across(b, sideways) for b in r) + _GAP * (len(r) - 1) for r in ranks]
    whole = max(across, default=0.0)
    along = _PAD
    for rank, wide in zip(ranks, across):
        deep = max((_along(b, sideways) for b in rank), default=0.0)
        at = _PAD + (whole - wide) / 2
        for box in rank:
            if box.empty:  # an edge passes the whole rank on its own way
                box.width, box.height = (deep, 0.0) if sideways else (0.0, deep)
            size = _across(box, sideways)
            mid, depth = at + size / 2, along + deep / 2
            box.x, box.y = (depth, mid) if sideways else (mid, depth)
            at += size + _GAP
        along += deep + _RANK
    length, breadth = along - _RANK + _PAD, whole + 2 * _PAD
    width, height = (length, breadth) if sideways else (breadth, length)
    if rankdir in ("BT", "RL"):
        for box in [b for rank in ranks for b in rank]:
            box.x, box.y = (width - box.x, box.y) if sideways else (box.x, height - box.y)
    sign = -1.0 if rankdir in ("BT", "RL") else 1.0
    edges = [_points(path, sideways, sign) for path in paths]
    return Picture(boxes, edges, width, height, sideways)


def _across(box: Box, sideways: bool) -> float:
    return box.height if sideways else box.width


def _along(box: Box, sideways: bool) -> float:
    return box.width if sideways else box.height


def _points(path: list[Box], sideways: bool, sign: float) -> list[tuple[float, float]]:
    """From the edge of the first box to that of the last, past the boxes between."""
    out = []
    for k, box in enumerate(path):
        half = sign * _along(box, sideways) / 2
        shifts = [half] if k == 0 else [-half] if k == len(path) - 1 else [-half, half]
        for shift in shifts:
            out.append((box.x + shift, box.y) if sideways else (box.x, box.y + shift))
    return out
