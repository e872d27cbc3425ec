"""Comparisons as a table for the terminal and as plain data.

Lives here: table_of, rows_of, to_json. Not here: what is compared (inspect/compare.py), pictures
and pages (inspect/report.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphc.inspect.load import noise_text
from graphc.inspect.texts import count, duration, size, table

if TYPE_CHECKING:
    from graphc.inspect.compare import Comparison, Side, Spread


def table_of(found: Comparison) -> str:
    """The table, what fusion saves, the differences and the limits."""
    lines = table(rows_of(found))
    if any(s.name == "unfused" for s in found.sides):
        lines.append(f"bytes saved by fusion: {size(found.bytes_saved)} of "
                     f"{size(found.unfused.work.nbytes)} a run")  # fmt: skip
    for name, ratio in found.ratios.items():
        lines.append(
            f"{name} takes {ratio.middle:.2f} times as long as fused "
            f"(in 8 of 10 blocks {ratio.low:.2f} to {ratio.high:.2f})"
        )
    noise = noise_text(found.others)
    if noise:
        lines.append(noise)
    lines.append(f"limits measured here: {found.limits}")
    for name, (absolute, relative) in found.differences.items():
        lines.append(
            f"largest difference: {name} {absolute:.3g} absolute, {relative:.3g} relative"
        )
    return "\n".join(lines)


def rows_of(found: Comparison) -> list[list[str]]:
    """The cells of the table, the head first; with a column of ratios unfused to fused."""
    sides = found.sides
    rows = [["", *(s.name for s in sides)]]

    def row(name: str, cell: Callable[[Side], str]) -> None:
        rows.append([name, *(cell(s) for s in sides)])

    row("kernels", lambda s: str(s.launches or "-"))
    row("bytes moved", lambda s: size(s.work.nbytes) if s.work.nbytes else "-")
    row("FLOPs", lambda s: count(s.work.flops) if s.work.flops else "-")
    row("peak memory", lambda s: size(s.peak_bytes) if s.peak_bytes else "-")
    row("compile", lambda s: duration(s.compile_seconds) if s.compile_seconds else "-")
    row("first run", lambda s: duration(s.first_seconds))
    row("time a run", lambda s: duration(s.time.middle))
    row("8 of 10 blocks", lambda s: _range(s.time))
    row("fastest block", lambda s: duration(min(s.blocks)))
    row("bandwidth", lambda s: _rate(s.work.nbytes, s.seconds, "B/s"))
    row("arithmetic", lambda s: _rate(s.work.flops, s.seconds, "FLOP/s"))
    row("of the limit", lambda s: "-" if s.rate is None else f"{s.rate.share:.0%}, {s.rate.bound}")
    return _with_ratio(found, rows)


def _rate(total: int, seconds: float, unit: str) -> str:
    return count(total / seconds, unit) if total else "-"


def _range(spread: Spread) -> str:
    low, high = duration(spread.low), duration(spread.high)
    number, unit = low.split()
    return f"{number} to {high}" if high.endswith(f" {unit}") else f"{low} to {high}"


def _with_ratio(found: Comparison, rows: list[list[str]]) -> list[list[str]]:
    names = [s.name for s in found.sides]
    if "unfused" not in names:
        return rows
    a, b = found.fused, found.unfused
    numbers = {
        "kernels": (a.launches, b.launches),
        "bytes moved": (a.work.nbytes, b.work.nbytes),
        "FLOPs": (a.work.flops, b.work.flops),
        "peak memory": (a.peak_bytes, b.peak_bytes),
        "compile": (a.compile_seconds, b.compile_seconds),
        "first run": (a.first_seconds, b.first_seconds),
    }
    cells = {k: f"{y / x:.2f}" if x else "-" for k, (x, y) in numbers.items()}
    cells["fastest block"] = f"{min(b.blocks) / min(a.blocks):.2f}"
    cells["time a run"] = f"{found.ratios['unfused'].middle:.2f}"
    cells[""] = "unfused/fused"
    return [[*row, cells.get(row[0], "")] for row in rows]


def to_json(found: Comparison) -> dict[str, Any]:
    """The comparison as plain dicts and lists; times are seconds, rates a second."""
    return {
        "format": "graphc-compare",
        "version": 1,
        "title": found.title,
        "sides": [_side(s) for s in found.sides],
        "ratios": {name: vars(r) for name, r in found.ratios.items()},
        "differences": {
            name: {"absolute": a, "relative": r} for name, (a, r) in found.differences.items()
        },
        "limits": found.limits.to_json(),
        "others_processors": found.others,
    }


def _side(side: Side) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": side.name,
        "launches": side.launches,
        "bytes_read": side.work.read,
        "bytes_written": side.work.written,
        "flops": side.work.flops,
        "peak_bytes": side.peak_bytes,
        "seconds": vars(side.time),
        "first_seconds": side.first_seconds,
        "compile_seconds": side.compile_seconds,
        "blocks": list(side.blocks),
        "kernels": [vars(k) for k in side.kernels],
    }
    if side.rate is not None:
        out["limit_seconds"] = side.rate.least
        out["limit_share"] = side.rate.share
        out["bound"] = side.rate.bound
    if side.explanation is not None:
        out["arena_bytes"] = side.explanation.arena_bytes
        out["refusals"] = [vars(r) for r in side.explanation.refusals]
    return out
