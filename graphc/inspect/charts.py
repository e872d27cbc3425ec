"""Pictures inside of reports, as SVG: bars, rooflines, timelines, areas.

Lives here: bars, cut, roofline, timeline, area and what they are given (time_bars, side_points).
Not here: pages (inspect/report_page.py), PNG files (inspect/charts_png.py), pictures of graphs
(inspect/picture.py). Colours are classes of the page's style sheet, so that they follow its light
and dark modes. Every text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from graphc.inspect.limits import Limits
from graphc.inspect.texts import count, duration, shortened

if TYPE_CHECKING:
    from graphc.inspect.compare import Comparison
    from graphc.inspect.profile import Profile

WIDTH = 760
_LABEL = 210  # of a bar's name
_VALUE = 190  # of the text behind a bar
_ROW = 30
MUCH = 5.0  # times as long as the next one: a bar that is cut


@dataclass(frozen=True)
class Bar:
    """A bar with its text; low and high: of its spread, equal to the value where there is none."""

    name: str
    value: float
    text: str
    kind: str = ""
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True)
class Point:
    """Work in a roofline: operations a byte, operations a second. weight: its share of the time."""

    name: str
    intensity: float
    arithmetic: float
    weight: float
    kind: str = ""


@dataclass(frozen=True)
class Span:
    """Something from start to end, in a row of a timeline."""

    name: str
    start: float
    end: float
    kind: str
    row: int = 0


def svg(height: float, parts: Sequence[str], title: str) -> str:
    """A picture of the standard width that grows with its place."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _rect(x: float, y: float, w: float, h: float, kind: str, title: str = "") -> str:
    inside = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect x="{x:.2f}" y="{y:.1f}" width="{max(w, 0.4):.2f}" height="{h:.1f}" rx="2" '
        f'class="{kind}">{inside}</rect>'
    )


# ------------------------------------------------------------------ bars
def cut(rows: Sequence[Bar]) -> list[Bar]:
    """The bars with the longest one cut, where beside it the others could not be told apart."""
    values = sorted(r.value for r in rows)
    if len(values) < 2 or values[-1] < MUCH * values[-2]:
        return list(rows)
    end = 0.5 * MUCH * values[-2]
    return [
        replace(r, value=end, low=end, high=end, text=f"{r.text} (cut)") if r.value > end else r
        for r in rows
    ]


def time_bars(found: Comparison) -> list[Bar]:
    """The time of each side that has one, with its spread."""
    return [
        Bar(s.name, t.middle, duration(t.middle), s.name, t.low, t.high)
        for s in found.sides
        if (t := s.time) is not None
    ]


def side_points(found: Comparison, gpu: bool) -> list[Point]:
    """Where the timed sides of the GPU, or of the CPU, stand in a roofline."""
    return [
        Point(s.name, s.work.intensity, s.work.flops / s.seconds, 0.4, s.name)
        for s in found.timed(gpu)
        if s.work.flops
    ]


def bars(rows: Sequence[Bar], title: str) -> str:
    """Horizontal bars, one below the other, with whiskers for spreads."""
    room = WIDTH - _LABEL - _VALUE
    most = max((max(r.value, r.high) for r in rows), default=0.0) or 1.0
    parts = []
    for number, row in enumerate(rows):
        top = number * _ROW + 4
        middle = top + (_ROW - 8) / 2
        length = row.value / most * room
        parts.append(_text(_LABEL - 10, middle + 4, shortened(row.name, 28), "name", "end"))
        parts.append(_rect(_LABEL, top, length, _ROW - 8, f"bar {row.kind}", row.name))
        end = length
        if row.high > row.low:
            low, high = (_LABEL + v / most * room for v in (row.low, row.high))
            parts.append(_line(low, middle, high, middle, "whisker"))
            parts += [_line(x, middle - 4, x, middle + 4, "whisker") for x in (low, high)]
            end = max(end, high - _LABEL)
        parts.append(_text(_LABEL + end + 8, middle + 4, row.text, "value"))
    return svg(len(rows) * _ROW + 4, parts, title)


# ------------------------------------------------------------------ roofline
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 78, 20, 20, 44, 340


@dataclass(frozen=True)
class _Scale:
    """Logarithmic: from values to places."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.start + min(part, 1.0) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        low, high = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0**e for e in range(low, high + 1)]


def roof(limits: Limits) -> list[tuple[str, float]]:
    """The slopes of a roofline: from memory, and from the fastest cache."""
    near = max(rate for _, rate in limits.bandwidth)
    return [("memory", limits.memory), ("cache", near)]


def roofline(points: Sequence[Point], limits: Limits, title: str) -> str:
    """Steps by operations a byte and operations a second, below what the machine can do."""
    shown = [p for p in points if p.intensity > 0 and p.arithmetic > 0]
    top = limits.flops_of("float32")
    xs = _Scale(*_decades([p.intensity for p in shown] + [0.1, 100]), _LEFT, WIDTH - _RIGHT)
    rates = [p.arithmetic for p in shown] + [top / 50, top]
    ys = _Scale(*_decades(rates), _HEIGHT - _BOTTOM, _TOP)
    parts = _grid(xs, ys)
    for name, bandwidth in roof(limits):
        ridge = top / bandwidth
        start = max(xs.low, ys.low / bandwidth)
        parts.append(_line(xs(start), ys(start * bandwidth), xs(ridge), ys(top), "roof"))
        anchor = "start" if name == "memory" else "end"
        parts.append(
            _text(xs(ridge), ys(top) - 7, f"{name} {count(bandwidth, 'B/s')}", "tick", anchor)
        )
    first = top / max(bandwidth for _, bandwidth in roof(limits))
    parts.append(_line(xs(first), ys(top), xs(xs.high), ys(top), "roof"))
    label = f"{count(top, 'FLOP/s')} float32"
    parts.append(_text(WIDTH - _RIGHT, ys(top) + 14, label, "tick", "end"))
    for p in sorted(shown, key=lambda p: -p.weight):
        size = 3 + 11 * math.sqrt(p.weight)
        name = (
            f"{p.name}: {p.intensity:.2g} FLOP a byte, {count(p.arithmetic, 'FLOP/s')}, "
            f"{p.weight:.1%} of the time"
        )
        parts.append(
            f'<circle cx="{xs(p.intensity):.1f}" cy="{ys(p.arithmetic):.1f}" r="{size:.1f}" '
            f'class="dot {p.kind}"><title>{escape(name)}</title></circle>'
        )
    return svg(_HEIGHT, parts, title)


def _decades(values: Sequence[float]) -> tuple[float, float]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.2))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _grid(xs: _Scale, ys: _Scale) -> list[str]:
    parts = []
    for value in xs.ticks:
        parts.append(_line(xs(value), ys.start, xs(value), ys.end, "grid"))
        parts.append(_text(xs(value), ys.start + 16, f"{value:g}", "tick", "middle"))
    for value in ys.ticks:
        parts.append(_line(xs.start, ys(value), xs.end, ys(value), "grid"))
        text = count(value, "FLOP/s").replace(".0 ", " ")
        parts.append(_text(xs.start - 6, ys(value) + 4, text, "tick", "end"))
    middle = (xs.start + xs.end) / 2
    parts.append(_text(middle, ys.start + 34, "operations a byte", "axis", "middle"))
    return parts


# ------------------------------------------------------------------ time and memory
def middle_run(found: Profile) -> list[Span]:
    """The run nearest to the median, from its first step on; all that a loop runs is one span."""
    run = min(found.runs, key=lambda r: abs(sum(e.busy for e in r) - found.inside))
    steps = {(s.stage, s.number): s for s in found.steps}
    begin = min((e.start for e in run), default=0.0)
    out: list[Span] = []
    loops: list[Span] = []
    for event in sorted(run, key=lambda e: e.start):
        step = steps[event.stage, event.number]
        start, end = event.start - begin, event.end - begin
        if event.turns <= 1:
            out.append(Span(step.name, start, end, step.kind))
        elif loops and start < loops[-1].end:
            loops[-1] = Span("loop", loops[-1].start, max(loops[-1].end, end), "loop", 1)
        else:
            loops.append(Span("loop", start, end, "loop", 1))
    return out + loops


def timeline(spans: Sequence[Span], seconds: float, rows: Sequence[str], title: str) -> str:
    """Spans along a time axis, a row of names below the other."""
    room = WIDTH - _LEFT - _RIGHT
    parts = []
    for number, name in enumerate(rows):
        parts.append(_text(_LEFT - 6, number * 26 + 17, shortened(name, 10), "tick", "end"))
    for span in spans:
        left, right = (_LEFT + v / seconds * room for v in (span.start, span.end))
        length = f"{(span.end - span.start) * 1e6:.1f} us"
        parts.append(
            _rect(left, span.row * 26 + 3, right - left, 20, f"span {span.kind}",
                  f"{span.name}: {length} from {span.start * 1e6:.1f} us")
        )  # fmt: skip
        if right - left > 60:
            words = shortened(span.name, int((right - left) / 6.5))
            parts.append(_text((left + right) / 2, span.row * 26 + 17, words, "inside", "middle"))
    bottom = len(rows) * 26 + 6
    for k in range(6):
        at = _LEFT + room * k / 5
        parts.append(_line(at, 0, at, bottom, "grid"))
        anchor = "end" if k == 5 else "start" if k == 0 else "middle"
        parts.append(_text(at, bottom + 14, f"{seconds * k / 5 * 1e6:.0f} us", "tick", anchor))
    return svg(bottom + 20, parts, title)


def area(values: Sequence[float], unit: str, below: str, title: str) -> str:
    """Values one behind the other as steps of an area; the most is named."""
    most = max(values, default=0.0) or 1.0
    room, height = WIDTH - _LEFT - _RIGHT, 110
    width = room / max(len(values), 1)
    path = [f"M{_LEFT} {height}"]
    for number, value in enumerate(values):
        y = height - value / most * (height - 18)
        left = _LEFT + number * width
        path.append(f"L{left:.2f} {y:.1f}L{left + width:.2f} {y:.1f}")
    path.append(f"L{WIDTH - _RIGHT} {height}Z")
    parts = [
        _line(_LEFT, 18, WIDTH - _RIGHT, 18, "grid"),
        _text(_LEFT - 6, 22, count(most, unit), "tick", "end"),
        _text(_LEFT - 6, height + 2, "0", "tick", "end"),
        f'<path d="{"".join(path)}" class="area"/>',
        _text((_LEFT + WIDTH - _RIGHT) / 2, height + 18, below, "axis", "middle"),
    ]
    return svg(height + 26, parts, title)
