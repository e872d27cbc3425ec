"""Reports as one HTML file each, without anything from elsewhere: comparisons and profiles.

Lives here: compare_page, profile_page. Not here: their pictures (inspect/charts.py), the page that
shows a whole graph (inspect/page). Everything that comes from a user's program is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from graphc.inspect.charts import (
    Bar,
    Point,
    area,
    bars,
    cut,
    middle_run,
    roofline,
    side_points,
    time_bars,
    timeline,
)
from graphc.inspect.compare_text import rows_of
from graphc.inspect.info import info
from graphc.inspect.limits import Limits
from graphc.inspect.load import noise_text
from graphc.inspect.profile_text import bar_text, share_text
from graphc.inspect.texts import count, duration, near, size

if TYPE_CHECKING:
    from graphc.inspect.compare import Comparison, Side
    from graphc.inspect.profile import Profile

_STYLE = """
:root{--bg:#fbfbfa;--card:#fff;--ink:#1d2230;--soft:#5d6575;--line:#e3e5ea;--one:#2563eb;
--two:#e08a1e;--three:#8a94a6;--four:#0f9d7a;--warm:#c2410c}
@media(prefers-color-scheme:dark){:root{--bg:#14171d;--card:#1c2028;--ink:#e7eaf0;--soft:#9aa3b2;
--line:#303643;--one:#6ea0ff;--two:#f0a94a;--three:#7e899c;--four:#3fcfa8;--warm:#fb923c}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 20px 60px}h1{font-size:24px;margin:0 0 4px;
overflow-wrap:anywhere}h2{font-size:17px;margin:34px 0 10px}p{margin:6px 0;color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile b{display:block;font-size:22px;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px;
overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;
font-size:14px}th{font-weight:600;color:var(--soft);text-align:right}td{text-align:right}
th,td{padding:5px 10px;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
tr:last-child td{border-bottom:0}th.left,td.left{text-align:left}td.words{white-space:normal;
min-width:150px;overflow-wrap:anywhere;text-align:left}code{font:13px ui-monospace,Menlo,Consolas,
monospace}svg{width:100%;height:auto;display:block;min-width:560px}svg text{fill:var(--ink);
font-size:12.5px}svg .tick,svg .axis{fill:var(--soft);font-size:11.5px}
svg .inside{fill:#fff;font-size:11px;pointer-events:none}svg .grid{stroke:var(--line)}
svg .whisker{stroke:var(--ink);stroke-width:1.4}svg .roof{stroke:var(--soft);stroke-width:1.6;
stroke-dasharray:5 3}svg .bar{fill:var(--three)}svg .fused,svg .tile_,svg .gemm{fill:var(--one)}
svg .unfused,svg .kernel{fill:var(--two)}svg .reference,svg .host{fill:var(--three)}
svg .cuda{fill:var(--four)}svg .cuda_unfused{fill:var(--warm)}
svg .forward{fill:var(--one)}svg .gradient{fill:var(--four)}svg .chain{fill:var(--four)}
svg .loop{fill:var(--three);fill-opacity:.6}svg .rows,svg .pack,svg .copy{fill:var(--warm)}
svg .dot{fill-opacity:.72}
svg .area{fill:var(--one);fill-opacity:.3;stroke:var(--one)}
.key{display:flex;gap:16px;flex-wrap:wrap;font-size:13px;color:var(--soft);margin:0 0 8px}
.key i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:5px}
summary{cursor:pointer;color:var(--soft);margin:0 0 8px}
footer{margin-top:40px;color:var(--soft);font-size:12.5px;overflow-wrap:anywhere}
"""
_COLOURS = {
    "fused": "one", "unfused": "two", "reference": "three", "tile": "one", "kernel": "two",
    "host": "three", "chain": "four", "rows": "warm", "forward": "one", "gradient": "four",
    "cuda": "four", "cuda_unfused": "warm",
}  # fmt: skip
MANY = 60  # rows of a table


def _page(title: str, subtitle: str, sections: Sequence[tuple[str, str]]) -> str:
    """A page of sections (heading, HTML)."""
    body = "".join(
        f"<section><h2>{escape(head)}</h2>{inside}</section>" if head else inside
        for head, inside in sections
    )
    made = " &middot; ".join(
        f"{escape(k)} {escape(v)}" for k, v in info().items() if k not in ("cache", "extras")
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(subtitle)}</p>{body}<footer>{made}</footer>"
        "</main></body></html>\n"
    )


def _tiles(tiles: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for value, name in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _card(inside: str) -> str:
    return f'<div class="card">{inside}</div>'


def _table(rows: Sequence[Sequence[str]], words: int = 0, left: int = 1) -> str:
    """A table, its head first; the first `left` columns and the last `words` ones hold text."""
    head = "".join(
        f'<th class="{"left" if at < left or at >= len(rows[0]) - words else ""}">{escape(c)}</th>'
        for at, c in enumerate(rows[0])
    )
    body = []
    for row in rows[1:]:
        cells = []
        for at, cell in enumerate(row):
            kind = "words" if at >= len(row) - words else "left" if at < left else ""
            cells.append(f'<td class="{kind}">{escape(cell)}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return _card(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>")


def _key(kinds: Sequence[str]) -> str:
    items = "".join(
        f'<span><i style="background:var(--{_COLOURS[k]})"></i>{escape(k)}</span>' for k in kinds
    )
    return f'<div class="key">{items}</div>'


# ------------------------------------------------------------------ comparisons
def compare_page(found: Comparison) -> str:
    """A comparison as a page."""
    sections = [("", _tiles(_compare_tiles(found))), ("Numbers", _table(rows_of(found)))]
    times = time_bars(found)
    counted = [s for s in found.sides if s.work.nbytes]
    moved = [Bar(s.name, s.work.nbytes, size(s.work.nbytes), s.name) for s in counted]
    sections.append((
        "Time of a run",
        _card(bars(cut(times), "time of a run"))
        + "<p>Medians of blocks of runs that took turns; the "
        f"whisker holds eight of ten blocks. {escape(noise_text(found.others))} "
        f"{escape(f'No GPU: {found.no_gpu}.' if found.no_gpu else '')}</p>",
    ))  # fmt: skip
    sections.append(("Bytes moved in a run", _card(bars(moved, "bytes moved in a run"))))
    sections.append(_against("this machine", side_points(found, False), found.limits))
    if found.gpu_limits is not None:
        sections.append(_against("the GPU", side_points(found, True), found.gpu_limits))
    for side in found.sides:
        if side.kernels:
            head = f"{len(side.kernels)} kernels" if len(side.kernels) > 1 else "1 kernel"
            inside = f"<details><summary>{head}, the most bytes first</summary>{_kernels(side)}"
            sections.append((f"Kernels, {side.name}", f"{inside}</details>"))
    fused = found.sides[0].explanation
    if fused is not None and fused.refusals:
        rows = [["bytes", "producer", "consumer", "why not fused", "what would change it"]]
        worst = sorted(fused.refusals, key=lambda r: -r.nbytes)[:MANY]
        rows += [[size(r.nbytes), r.producer, r.consumer, r.reason, r.remedy] for r in worst]
        sections.append(("Not fused", _table(rows, words=4, left=0)))
    return _page(f"{found.title}: fused and unfused", "graphc compare", sections)


def _against(
    whose: str, points: Sequence[Point], limits: Limits, more: str = ""
) -> tuple[str, str]:
    """A roofline with its limits; nothing is drawn where there are none."""
    kinds = {p.kind.rstrip("_") for p in points}
    key = _key([k for k in _COLOURS if k in kinds])
    card = _card(key + roofline(points, limits, "roofline")) if limits.measured else ""
    text = f"{more} {limits}".strip()
    return f"Against the limits of {whose}", f"{card}<p>{escape(text)}</p>"


def _compare_tiles(found: Comparison) -> list[tuple[str, str]]:
    fused = found.sides[0]
    out = [(duration(fused.seconds), "a run, fused"), (str(fused.launches), "kernels, fused")]
    if "unfused" in found.ratios:
        ratio = found.ratios["unfused"]
        out.append((f"{ratio.middle:.2f}x", f"unfused takes ({ratio.low:.2f} to {ratio.high:.2f})"))
        out.append((str(found.unfused.launches), "kernels, unfused"))
        out.append((size(found.bytes_saved), "not moved thanks to fusion"))
    if fused.rate is not None:
        out.append((f"{fused.rate.share:.0%}", f"of the machine's limit ({fused.rate.bound})"))
    return out


def _kernels(side: Side) -> str:
    """The kernels of a side, the most bytes first."""
    rows = [["kind", "turns", "bytes", "FLOPs", "name"]]
    largest = sorted(side.kernels, key=lambda k: -k.nbytes)
    for k in largest[:MANY]:
        flops = count(k.flops) if k.flops else "-"
        rows.append([k.kind, str(k.turns), size(k.nbytes), flops, k.name])
    if len(largest) > MANY:
        rest = sum(k.nbytes for k in largest[MANY:])
        rows.append(["", "", size(rest), "", f"{len(largest) - MANY} more"])
    return _table(rows, words=1)


# ------------------------------------------------------------------ profiles
def profile_page(found: Profile) -> str:
    """A profile as a page."""
    sections = [("", _tiles(_profile_tiles(found)))]
    total = sum(s.seconds for s in found.steps) or 1.0
    rows = [
        Bar(f"{f'{s.count} x ' if s.count > 1 else ''}{s.number} {s.name}", s.seconds,
            bar_text(found, s), _kind(s.kind), s.low, s.high)
        for s in found.alike()[:20]
    ]  # fmt: skip
    kinds = [k for k in _COLOURS if k in {s.kind for s in found.steps}]
    sections.append(("Steps by time", _card(_key(kinds) + bars(rows, "steps by time"))))
    sections.append(("One run", _card(_run(found))))
    points = [
        Point(f"{s.number} {s.name}", s.flops / s.nbytes, s.arithmetic, s.seconds / total,
              _kind(s.kind))
        for s in found.steps
        if s.nbytes and s.flops
    ]  # fmt: skip
    sections.append(_against(
        "this machine", points, found.limits, "A circle is a step, its area its share of the time. "
        "Work whose data stay in the cache can lie above the line of memory."
    ))  # fmt: skip
    sections.append(("By line of the program", _line_table(found)))
    for stage in found.memory:
        if stage.arena:
            picture = area(stage.alive, "B", "step", "memory of temporaries in use")
            sections.append(("Memory of temporaries, step by step", _card(picture)))
    head = f"<details><summary>all {len(found.steps)} steps</summary>"
    sections.append(("Steps", f"{head}{_step_table(found)}</details>"))
    phases = [Bar(p.name, p.seconds, duration(p.seconds)) for p in found.phases]
    sections.append(("Building the plan, with nothing found in a cache",
                     _card(bars(phases, "building the plan"))))  # fmt: skip
    return _page(f"{found.title}: profile", f"graphc profile, {found.count} runs", sections)


def _kind(kind: str) -> str:
    """The class of a step's colour; "tile" is that of the boxes at the top."""
    return "tile_" if kind == "tile" else kind


def _profile_tiles(found: Profile) -> list[tuple[str, str]]:
    least = sum(s.least for s in found.steps)
    return [
        (duration(found.seconds), f"a run ({duration(found.low)} to {duration(found.high)})"),
        (duration(found.inside), "of it in steps"),
        (str(len(found.steps)), "steps"),
        (f"{least / found.inside:.0%}" if found.inside else "-", "of the machine's limits"),
        (size(sum(s.nbytes for s in found.steps)), "moved in a run"),
        (size(found.held_bytes), "variables, feeds, results"),
    ]


def _run(found: Profile) -> str:
    """The run whose time is nearest to the median, as it went."""
    spans = [replace(s, kind=_kind(s.kind)) for s in middle_run(found)]
    end = max((s.end for s in spans), default=1e-6)
    rows = ["steps", "in loops"] if any(s.row for s in spans) else ["steps"]
    return timeline(spans, end, rows, "one run, step by step")


def _line_table(found: Profile) -> str:
    total = sum(entry.seconds for entry in found.lines) or 1.0
    rows = [["time", "share", "forward", "gradient", "bytes", "line"]]
    for entry in found.lines[:MANY]:
        rows.append([
            duration(entry.seconds), f"{entry.seconds / total:.1%}", duration(entry.forward),
            duration(entry.gradient), size(entry.nbytes), near(entry.line),
        ])  # fmt: skip
    note = "<p>The time of a step is shared out among the lines of its ops by what they would be "
    return _table(rows, words=1, left=0) + note + "expected to cost alone.</p>"


def _step_table(found: Profile) -> str:
    rows = [["step", "time", "half of the runs", "turns", "bytes", "rate", "FLOPs", "rate",
             "of the limit", "kind and name", "ops"]]  # fmt: skip
    for s in found.steps[: 5 * MANY]:
        rows.append([
            str(s.number), duration(s.seconds), f"{s.low * 1e6:.1f} to {s.high * 1e6:.1f} us",
            f"{s.turns:g}", size(s.nbytes), count(s.bandwidth, "B/s"),
            count(s.flops) if s.flops else "-", count(s.arithmetic, "FLOP/s") if s.flops else "-",
            share_text(found, s), f"{s.kind} {s.name}", _few(s.ops),
        ])  # fmt: skip
    return _table(rows, words=2)


def _few(names: Sequence[str], most: int = 6) -> str:
    """The first names and how many more there are."""
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
