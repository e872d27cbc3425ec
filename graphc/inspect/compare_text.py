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
    lines += [_ratio(name, "fused", ratio) for name, ratio in found.ratios.items()]
    on_gpu = found.ratio("cuda_unfused", "cuda")
    if on_gpu is not None:
        lines.append(_ratio("cuda_unfused", "cuda", on_gpu))
    noise = noise_text(found.others)
    if noise:
        lines.append(noise)
    lines.append(f"limits measured here: {found.limits}")
    if found.gpu_limits is not None:
        lines.append(f"limits of the GPU: {found.gpu_limits}")
    if found.no_gpu:
        lines.append(f"no cuda column: {found.no_gpu}")
    for name, (absolute, relative) in found.differences.items():
        lines.append(
            f"largest difference: {name} {absolute:.3g} absolute, {relative:.3g} relative"
        )
    return "\n".join(lines)


def _ratio(name: str, base: str, ratio: Spread) -> str:
    return (
        f"{name} takes {ratio.middle:.2f} times as long as {base} "
        f"(in 8 of 10 blocks {ratio.low:.2f} to {ratio.high:.2f})"
    )


def rows_of(found: Comparison) -> list[list[str]]:
    """The cells of the table, the head first; with columns of ratios unfused to fused."""
    sides = found.sides
    rows = [["", *(s.name for s in sides)]]

    def row(name: str, cell: Callable[[Side], str]) -> None:
        rows.append([name, *(cell(s) for s in sides)])

    if any(s.name.startswith("cuda") for s in sides):
        row("runs on", lambda s: s.runs_on)
    row("kernels", lambda s: str(s.launches or "-"))
    row("bytes moved", lambda s: size(s.work.nbytes) if s.work.nbytes else "-")
    row("FLOPs", lambda s: count(s.work.flops) if s.work.flops else "-")
    row("peak memory", lambda s: size(s.peak_bytes) if s.peak_bytes else "-")
    row("compile", lambda s: duration(s.compile_seconds) if s.compile_seconds else "-")
    row("first run", lambda s: duration(s.first_seconds) if s.blocks else "-")
    row("time a run", lambda s: duration(s.seconds) if s.blocks else "-")
    row("8 of 10 blocks", lambda s: "-" if s.time is None else _range(s.time))
    row("fastest block", lambda s: duration(min(s.blocks)) if s.blocks else "-")
    row("bandwidth", lambda s: _rate(s.work.nbytes, s.seconds, "B/s"))
    row("arithmetic", lambda s: _rate(s.work.flops, s.seconds, "FLOP/s"))
    row("of the limit", lambda s: "-" if s.rate is None else f"{s.rate.share:.0%}, {s.rate.bound}")
    for base, other in (("fused", "unfused"), ("cuda", "cuda_unfused")):
        rows = _with_ratio(found, rows, base, other)
    return rows


def _rate(total: int, seconds: float, unit: str) -> str:
    return count(total / seconds, unit) if total and seconds else "-"


def _range(spread: Spread) -> str:
    low, high = duration(spread.low), duration(spread.high)
    number, unit = low.split()
    return f"{number} to {high}" if high.endswith(f" {unit}") else f"{low} to {high}"


def _with_ratio(
    found: Comparison, rows: list[list[str]], base: str, other: str
) -> list[list[str]]:
    names = [s.name for s in found.sides]
    if base not in names or other not in names:
        return rows
    a, b = found.side(base), found.side(other)
    numbers = {
        "kernels": (a.launches, b.launches),
        "bytes moved": (a.work.nbytes, b.work.nbytes),
        "FLOPs": (a.work.flops, b.work.flops),
        "peak memory": (a.peak_bytes, b.peak_bytes),
        "compile": (a.compile_seconds, b.compile_seconds),
    }
    cells = {k: f"{y / x:.2f}" if x else "-" for k, (x, y) in numbers.items()}
    ratio = found.ratio(other, base)
    if ratio is not None:
        cells["first run"] = f"{b.first_seconds / a.first_seconds:.2f}"
        cells["fastest block"] = f"{min(b.blocks) / min(a.blocks):.2f}"
        cells["time a run"] = f"{ratio.middle:.2f}"
    cells[""] = f"{other}/{base}"
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
        "gpu_limits": None if found.gpu_limits is None else found.gpu_limits.to_json(),
        "no_gpu": found.no_gpu,
        "others_processors": found.others,
    }


def _side(side: Side) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": side.name,
        "runs_on": side.runs_on,
        "launches": side.launches,
        "bytes_read": side.work.read,
        "bytes_written": side.work.written,
        "flops": side.work.flops,
        "peak_bytes": side.peak_bytes,
        "seconds": None if side.time is None else vars(side.time),
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
