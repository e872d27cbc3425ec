"""docs/benchmarks.md and its chart, from the measurements."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.bench import report
from tools.bench.rows import MEAN_TARGET

CHART = "benchmarks.png"
HEAD = """# Benchmarks

The same work in graphc and in its peers: one process a peer, and one sample of each in every turn,
so that what else happens on the machine meets all alike; results checked against references in
float64 (a wrong one does not count). A sample is the mean of calls that last 40 ms, after others.
A number is the median of 15 turns, and of rounds with new processes the median of those; turns in
which others used more than 0.12 of a core are repeated, and rounds that stay disturbed are marked.
A ratio is the best peer's time over graphc's: above 1, graphc is faster; the ratio of the fastest
repeats stands beside it, because others on the machine disturb it least. graphc runs as a
TensorFlow 1 program does: `session.run` with NumPy feeds, the loss fetched each step;
`make_callable` where the row says so.
Peers keep their arrays where they want them; TensorFlow's sessions and PyTensor are fed with NumPy.

Variants: JAX under `jit` (parameters donated); TensorFlow's session, the same with XLA, and
`tf.function(jit_compile=True)`; PyTorch eager with fused optimizers, `torch.compile`, the same with
frozen weights; ONNX Runtime with constant weights; PyTensor in its Numba mode; NumPy. Variants that
write into the memory of an earlier result do not count as best; where they are ahead, the last
column has them.

First call: definition of the graph, compilation and first run, with empty caches; and in a new
process with filled caches, there with the import. Peak memory is of the whole process.
"""


def write(lines: Sequence[report.Line], single: Sequence[report.Line], folder: Path) -> None:
    """Writes benchmarks.md, and the chart where matplotlib is installed.

    `single` are measurements with one thread, for graphc's scaling.
    """
    found = report.results(lines)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [HEAD, conditions(lines)]
    if draw(found, folder / CHART):
        parts.append(f"![ratios]({CHART})\n")
    parts.append(report.table(found) + "\n")
    if mean := report.geometric_mean(found):
        parts.append(
            f"Geometric mean over W1 to W13 and BERT: **{mean:.2f}** (wanted: {MEAN_TARGET}).\n"
        )
    parts += [limits(lines), scaling(lines, single)]
    parts.append("## Every variant\n\n" + details(lines))
    parts.append(HOW)
    text = "\n".join(p for p in parts if p)
    temporary = folder / "benchmarks.md.tmp"
    temporary.write_text(text)
    temporary.replace(folder / "benchmarks.md")


HOW = """## Run it

```sh
python -m tools.bench.peers            # virtual environments, pinned versions
python -m tools.bench.run --docs docs  # everything; or --works W8,GEMM --peers jax --quick
python -m tools.bench.compare OLD NEW  # two commits of graphc
```

`run` appends to a file and goes on where it ended; `python -m tools.bench.report` prints the table.
"""


def conditions(lines: Sequence[report.Line]) -> str:
    """Machine, threads, dates, versions."""
    dates = sorted(line["when"][:10] for line in lines)
    versions: dict[str, str] = {}
    for line in lines:
        versions |= line.get("versions", {})
    versions["graphc"] = ", ".join(sorted({line["graphc"] for line in lines}))
    names = ", ".join(f"{k} {v}" for k, v in sorted(versions.items()))
    quick = " Some rounds were quick ones." if any(r["quick"] for r in lines) else ""
    span = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return (
        f"Measured {span} with {lines[0]['threads']} threads on {machine()}, Python "
        f"{platform.python_version()}.{quick} Versions: {names}.\n"
    )


def machine() -> str:
    """The processor as the system names it, with its vector extensions and size of memory."""
    facts: dict[str, str] = {}
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text().splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    flags = facts.get("flags", "").split()
    vector = next((v for v in ("avx512f", "avx2", "avx") if v in flags), "")
    name = facts.get("model name") or platform.processor() or platform.machine()
    family = f" (family {facts['cpu family']})" if "cpu family" in facts else ""
    return f"{name}{family} {vector}, {_cores()} cores, {platform.system()}".replace(" ,", ",")


def _cores() -> int:
    import os

    return os.cpu_count() or 1


def limits(lines: Sequence[report.Line]) -> str:
    """What the C program reached."""
    out = []
    for work, unit, what in (("W2", "GB/s", "W2's chain in C"), ("W13", "GFLOP/s", "FMA peak")):
        for m in report.medians(lines, work, "time", "per_s"):
            if m.peer == "limit":
                out.append(f"{what}, {m.variant}: {m.value / 1e9:.1f} {unit}")
    return "Limits measured in the same run: " + "; ".join(out) + ".\n" if out else ""


def scaling(lines: Sequence[report.Line], single: Sequence[report.Line]) -> str:
    """graphc with one thread beside several; by the fastest repeats."""
    rows = []
    for row in report.ROWS:
        both = [report.result(row, some).own for some in (single, lines)]
        if row.mode == "time" and not row.against and all(both):
            one, many = (m.fastest for m in both if m)
            times = report.amount(one, row), report.amount(many, row)
            rows.append(f"| {row.title} | {times[0]} | {times[1]} | {one / many:.2f} |")
    if not rows:
        return ""
    head = "| graphc | one thread | several | factor |\n| --- | --- | --- | --- |"
    return "\n".join(["## One thread\n", head, *rows]) + "\n"


def details(lines: Sequence[report.Line]) -> str:
    """Each variant of each peer; times in ms, memory in MiB."""
    head = ("work", "peer and variant", "median", "rounds", "others' load, cores", "")
    rows: list[tuple[Any, ...]] = [head, tuple("---" for _ in head)]
    for row in {(r.work, r.mode): r for r in report.ROWS}.values():
        for m in report.medians(lines, row.work, row.mode, row.key):
            word = "" if m.ok else "WRONG"
            name = row.work if row.mode == "time" else f"{row.work} {row.mode}"
            rows.append(
                (name, m.label, report.amount(m.value, row), m.rounds, f"{m.foreign:.2f}", word)
            )
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows) + "\n"


def draw(found: Sequence[report.Result], file: Path) -> bool:
    """The ratios as bars on a logarithmic axis, with what is wanted; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    bars = [r for r in found if r.ratio is not None][::-1]
    if not bars:
        return False
    figure, axes = pyplot.subplots(figsize=(8, 0.26 * len(bars) + 1.2))
    colours = {True: "#2a7f62", False: "#b5483a", None: "#8a8a8a"}
    places = range(len(bars))
    values = [r.ratio or 0.0 for r in bars]
    widths = [v - 1 for v in values]  # from 1, where both are as fast
    axes.barh(places, widths, left=1, color=[colours[r.met] for r in bars], height=0.7)
    for place, r in zip(places, bars):
        if r.row.target:
            ends = [place - 0.42, place + 0.42]
            axes.plot([r.row.target] * 2, ends, color="black", linewidth=1.5)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlim(min(0.5, *values) / 1.15, max(2, *values) * 1.15)
    axes.set_xscale("log")
    ticks = [t for t in (0.25, 0.5, 1, 2, 4, 8) if min(values) / 2 < t < max(values) * 2]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_yticks(places, [r.row.title for r in bars], fontsize=8)
    axes.set_ylim(-0.7, len(bars) - 0.3)
    axes.set_xlabel("best peer's time / graphc's time; black: wanted")
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
    return True
