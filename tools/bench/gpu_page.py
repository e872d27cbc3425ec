"""results.json and gpu.md: how to run on a GPU, what is proved without one, what was measured.

    python -m tools.bench.gpu_page [RESULTS.json] > docs/gpu.md

Without a file the page says that there are no numbers.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench.gpu_text import BARS, HEAD, NO_NUMBERS, PROVED, Bar
from tools.bench.gpu_works import FLOAT, Case, cases

OWN = "graphc"
OWN_VARIANTS = ("run", "run_dynamic", "tiles")  # that count as graphc's; the others are shown
KERNELS = Path(__file__).with_name("gpu_kernels.json")
Results = Mapping[str, Any]


@dataclass(frozen=True)
class Time:
    """Seconds of a call: the median of all samples."""

    peer: str
    variant: str
    seconds: float
    spread: float  # of the samples: (largest - smallest) over the median

    @property
    def label(self) -> str:
        return f"{self.peer} {self.variant}"


@dataclass(frozen=True)
class Row:
    """A case's times, fastest first; floor: the least seconds by the measured ceilings."""

    case: Case
    times: tuple[Time, ...]
    floor: float | None

    def best(self, peers: Sequence[str] = (), variants: Sequence[str] = ()) -> Time | None:
        """The fastest of those peers (default: all but graphc) in those variants (default: all)."""
        for t in self.times:
            wanted = t.peer in peers if peers else t.peer != OWN
            if wanted and (not variants or t.variant in variants):
                return t
        return None

    @property
    def own(self) -> Time | None:
        return self.best((OWN,), OWN_VARIANTS)

    def ratio(self, peers: Sequence[str] = (), variants: Sequence[str] = ()) -> float | None:
        """The fastest of the peers over graphc: above 1, graphc is faster."""
        own, other = self.own, self.best(peers, variants)
        return other.seconds / own.seconds if own and other else None

    @property
    def share(self) -> float | None:
        """Of the ceiling that graphc reaches."""
        return self.floor / self.own.seconds if self.floor and self.own else None


def rows(results: Results) -> list[Row]:
    """Every case that anything was measured of, in the order of the works."""
    times: dict[str, list[Time]] = {}
    costs: dict[str, tuple[int, float]] = {}
    for job in results["jobs"]:
        if job["times"] and not job["error"]:
            value = statistics.median(job["times"])
            spread = (max(job["times"]) - min(job["times"])) / value
            times.setdefault(job["case"], []).append(
                Time(job["peer"], job["variant"], value, spread)
            )
            costs[job["case"]] = job["moved"], job["operations"]
    known = [c for c in cases(results["smoke"]) if c.name in times]
    rates = {FLOAT: results["ceilings"].get("float32", 0.0)}
    for case in known:
        if case.work.model == "matmul" and case.dtype != FLOAT:
            # of tensor cores: the fastest product
            reached = costs[case.name][1] / min(t.seconds for t in times[case.name])
            rates[case.dtype] = max(reached, rates.get(case.dtype, 0.0))
    copy = bandwidth(results["ceilings"])
    return [
        Row(
            case, tuple(sorted(times[case.name], key=lambda t: t.seconds)),
            floor(*costs[case.name], copy, rates.get(case.dtype)),
        )
        for case in known
    ]  # fmt: skip


def bandwidth(ceilings: Mapping[str, float]) -> float | None:
    """Bytes a second of the fastest copy."""
    return max((v for k, v in ceilings.items() if k.startswith("copy_")), default=None)


def floor(
    moved: int, operations: float, copy: float | None, rate: float | None
) -> float | None:
    """The larger of the bytes' time and the operations' time; None where neither is known."""
    parts = [moved / copy] if moved and copy else []
    parts += [operations / rate] if operations and rate else []
    return max(parts, default=None)


# ------------------------------------------------------------------ text
def save(results: Results, folder: Path) -> None:
    """Writes results.json and gpu.md, each as a whole."""
    _write(folder / "results.json", json.dumps(results, indent=1) + "\n")
    _write(folder / "gpu.md", page(results))


def _write(file: Path, text: str) -> None:
    temporary = file.with_name(file.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(file)


def page(results: Results | None) -> str:
    """The whole of gpu.md."""
    if results is None:
        return "\n".join((HEAD, PROVED, kernels(), NO_NUMBERS))
    found = rows(results)
    parts = [HEAD, PROVED, kernels(), conditions(results), tests(results), bars(found)]
    parts += [ceilings(results["ceilings"]), table(found), failures(results), details(found)]
    return "\n".join(p for p in parts if p)


def kernels() -> str:
    """What the compiler says of the works' kernels, where it was asked."""
    if not KERNELS.exists():
        return ""
    lines = ["| work | kernels | registers | spills | shared |", "|---|---|---|---|---|"]
    for one in json.loads(KERNELS.read_text()):
        cells = [one["case"], one["kernels"], one["registers"], one["spills"], one["shared"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def conditions(results: Results) -> str:
    """Date, machine, versions, what is missing."""
    machine = results["machine"]
    names = ", ".join(f"{k} {v}" for k, v in sorted(results["versions"].items()))
    lines = ["## Numbers\n", f"{results['when']}, graphc {machine.get('commit', 'unknown')}.\n"]
    gpu = machine.get("gpu", "no GPU that nvidia-smi names")
    lines.append(f"- GPU: {gpu}; {machine['processors']} processors; Python {machine['python']}")
    lines.append(f"- {names}")
    lines += [f"- left out: {peer} ({why})" for peer, why in results["missing"].items()]
    if results["smoke"]:
        lines.append("- a smoke run: graphc simulated, peers on the CPU, the times mean nothing")
    return "\n".join(lines) + "\n"


def tests(results: Results) -> str:
    """The tests' outcome."""
    lines = []
    for run in results["tests"]:
        counts = ", ".join(f"{n} {kind}" for kind, n in run["counts"].items()) or "no summary"
        cut = ", stopped by the time limit" if run["cut"] else ""
        lines.append(f"`pytest {run['folder']}`: {counts} in {run['seconds']:.0f} s{cut}.\n")
        lines += [f"- {failure}" for failure in run["failures"]]
    return "\n".join(["### Tests on the device\n", *lines]) + "\n" if lines else ""


def bars(found: Sequence[Row]) -> str:
    """What is wanted, and whether it is met: where one row misses it is not."""
    lines = ["### What is wanted\n", "| | wanted | reached | |", "|---|---|---|---|"]
    for bar in BARS:
        every = {r.case.name: _value(bar, r) for r in found if r.case.name in bar.cases}
        values = {name: v for name, v in every.items() if v is not None}
        reached = ", ".join(f"{_short(n)} {v:.2f}" for n, v in values.items()) or "not measured"
        word = ("met" if min(values.values()) >= bar.wanted else "**not met**") if values else ""
        lines.append(f"| {bar.what} | {bar.wanted:.2f} | {reached} | {word} |")
    return "\n".join(lines) + "\n"


def _value(bar: Bar, row: Row) -> float | None:
    own = row.best((OWN,), bar.own)
    if own is None:
        return None
    if bar.peer:
        other = row.best((bar.peer,), bar.variants)
        return other.seconds / own.seconds if other else None
    return row.floor / own.seconds if row.floor else None


def _short(name: str) -> str:
    return name.removesuffix("/" + FLOAT)


def ceilings(found: Mapping[str, float]) -> str:
    """Bandwidth, arithmetic, launches."""
    lines = ["### Ceilings and launches\n", "| | |", "|---|---|"]
    for key, what in CEILINGS.items():
        if key not in found:
            continue
        value = found[key]
        if key.startswith("copy_"):
            text = f"{value / 1e9:.0f} GB/s"
        else:
            text = f"{value / 1e12:.1f} TFLOP/s" if key == "float32" else f"{value * 1e6:.1f} us"
        lines.append(f"| {what} | {text} |")
    return "\n".join(lines) + "\n" if len(lines) > 3 else ""


CEILINGS = {
    "copy_driver": "copy of 1 GiB by the driver, bytes read and written",
    "copy_torch": "the same by PyTorch", "copy_cupy": "the same by CuPy",
    "copy_kernel": "x * 2 on 1 GiB by graphc's kernel",
    "float32": "float32 multiply-adds in registers, numba.cuda",
    "plan_one": "a plan of one small kernel", "plan_one_wait": "the same, each call waited for",
    "plan_many": "a plan of 20 small kernels, one by one",
    "plan_many_wait": "the same, each call waited for",
    "plan_many_graph": "the same plan as a CUDA graph",
    "plan_many_graph_wait": "the same, each call waited for",
    "numba_launch": "an empty kernel by numba-cuda", "torch_launch": "a small kernel by PyTorch",
    "cupy_launch": "a small kernel by CuPy",
}  # fmt: skip


def table(found: Sequence[Row]) -> str:
    """Each case with graphc, the best of each peer, ratios and shares."""
    lines = [
        "### Works\n",
        "Microseconds. Ratio: the fastest peer's time over graphc's; share: of the ceiling.\n",
        "| work | dtype | graphc | torch | jax | cupy | ratio | to torch.compile | share |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in found:
        own = row.own
        cells = [f"{row.case.work.name} {row.case.work.what}", row.case.dtype]
        cells.append(f"{_us(own)} ({own.variant})" if own else "")
        for peer in ("torch", "jax", "cupy"):
            best = row.best((peer,))
            cells.append(f"{_us(best)} ({best.variant})" if best else "")
        cells += [_two(row.ratio()), _two(row.ratio(("torch",), COMPILED)), _percent(row.share)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n" if found else ""


COMPILED = ("compile", "overhead", "autotune")


def _us(time: Time | None) -> str:
    return "" if time is None else f"{time.seconds * 1e6:.1f}"


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def failures(results: Results) -> str:
    """Variants that failed or were wrong."""
    lines = [
        f"- {j['case']} {j['peer']} {j['variant']}: {j['error']}"
        for j in results["jobs"] if j["error"]
    ]  # fmt: skip
    return "\n".join(["### What failed\n", *lines]) + "\n" if lines else ""


def details(found: Sequence[Row]) -> str:
    """Every variant's median, with the spread of its samples."""
    lines = ["### Every variant\n"]
    for row in found:
        times = ", ".join(f"{t.label} {_us(t)} ±{t.spread / 2:.0%}" for t in row.times)
        lines.append(f"- {row.case.name}: {times}")
    return "\n".join(lines) + "\n" if found else ""


def main(argv: Sequence[str]) -> int:
    results = json.loads(Path(argv[0]).read_text()) if argv else None
    sys.stdout.write(page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
