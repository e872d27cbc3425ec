"""The same fetches fused, unfused, by the reference and on a GPU, side by side.

Lives here: compare, Comparison, Side, difference. Not here: what it prints and draws
(inspect/compare_text.py, inspect/report.py), limits (inspect/limits.py). The one difference between
fused and unfused is `Config(fuse=...)`: both go through the same passes, printers and driver.

The reference is NumPy, op by op, its products on one thread: where cores are shared, several
threads of BLAS wait for each other longer than they compute.

On a GPU the plan is the same but for its kernels; what a run feeds and fetches is copied to and fro
in its time. A GPU that is simulated has kernels, bytes and results, but no times.

The sides start from the same variables and draw the same random numbers. They are timed in turns,
a block of runs each, so that what else happens on the machine falls on all of them; a ratio is the
median of the ratios of neighbouring blocks. Every number that varies is given with its spread.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.config import Config, current
from graphc.errors import ConfigError
from graphc.inspect import compare_text, limits_gpu, work
from graphc.inspect import limits as limits_of
from graphc.inspect.explain import COMPUTING, Explanation
from graphc.inspect.launches import launch_count, runs_on
from graphc.inspect.limits import Limits
from graphc.inspect.load import Load
from graphc.inspect.profile import dtype_of, turns_of
from graphc.inspect.roofline import Rate, rate
from graphc.inspect.running import Runner
from graphc.inspect.target import load
from graphc.ir.shape import shape_env
from graphc.runtime import blas
from graphc.runtime.gpu.device import absence, simulating

SECONDS = 0.5
BLOCKS = 15
FEWEST = 5  # blocks, where no time is given for them
PAUSE = 4e-3  # worker threads look for work for 2 ms; what runs next must not have to share cores
SIDES = ("fused", "unfused", "reference")
GPU_SIDES = ("cuda", "cuda_unfused")


@dataclass(frozen=True)
class Spread:
    """A median with the tenth and the ninetieth percentile."""

    middle: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        low, middle, high = np.percentile(values, (10, 50, 90))
        return Spread(float(middle), float(low), float(high))


@dataclass(frozen=True)
class Kernel:
    """One kind of kernel of a side. name: as in an explanation. turns: of all of them, in a run."""

    name: str
    kind: str
    turns: int
    nbytes: int
    flops: int


@dataclass(frozen=True)
class Side:
    """One configuration.

    Attributes:
        explanation: of its plans; None for the reference.
        kernels: that run, in order; for the reference, the number of ops is `launches`.
        launches: of kernels or ops in a run. work: bytes and operations of a run. Both are 0, and
        so is peak_bytes, for a reference with loops, where nobody counts them.
        peak_bytes: temporaries at their most, variables, feeds and results.
        time: seconds of a run; None for a GPU that is simulated. first_seconds: of the first run,
        which builds the plan and finds kernels that are known. compile_seconds: to print and
        compile all kernels from nothing; 0 where nothing can be compiled.
        rate: what it reaches of the limits of what it runs on; None for the reference.
        blocks: seconds of a run, block by block. values: fetched by the first run, and variables.
        runs_on: "cpu", or its GPUs.
    """

    name: str
    explanation: Explanation | None
    kernels: tuple[Kernel, ...]
    launches: int
    work: work.Work
    peak_bytes: int
    time: Spread | None
    first_seconds: float
    compile_seconds: float
    rate: Rate | None
    blocks: tuple[float, ...]
    values: list[Any]
    runs_on: str = "cpu"

    @property
    def seconds(self) -> float:
        """Of a run, the median; 0 where nothing was timed."""
        return 0.0 if self.time is None else self.time.middle


@dataclass(frozen=True)
class Comparison:
    """The sides, the fused one first; `str()` is the table.

    Attributes:
        ratios: of each timed side's time to the first one's, by name. differences: (absolute,
        relative) of what each side fetched to what the first one did, the largest, by name.
        limits: of the processor; gpu_limits: of the GPU, where one takes part.
        others: processors that other programs kept busy meanwhile; None where unknown.
        no_gpu: why no GPU takes part; "" where one does, or none was asked for.
    """

    title: str
    sides: tuple[Side, ...]
    ratios: dict[str, Spread]
    differences: dict[str, tuple[float, float]]
    limits: Limits
    others: float | None = None
    gpu_limits: Limits | None = None
    no_gpu: str = ""

    def side(self, name: str) -> Side:
        """The side of that name. Raises KeyError."""
        found = {s.name: s for s in self.sides}
        return found[name]

    @property
    def fused(self) -> Side:
        return self.side("fused")

    @property
    def unfused(self) -> Side:
        return self.side("unfused")

    def ratio(self, name: str, base: str) -> Spread | None:
        """Of the times of two sides, block by block; None where one of them has none."""
        found = {s.name: s.blocks for s in self.sides if s.blocks}
        if name not in found or base not in found:
            return None
        return _ratio(found[name], found[base])

    def timed(self, gpu: bool | None = None) -> list[Side]:
        """The sides with times; gpu: only those that ran on one, or did not."""
        found = [s for s in self.sides if s.time is not None]
        return [s for s in found if gpu is None or s.runs_on.startswith("GPU") == gpu]

    @property
    def bytes_saved(self) -> int:
        """What fusion keeps out of memory: the difference of the two schedules."""
        return self.unfused.work.nbytes - self.fused.work.nbytes

    @property
    def largest_absolute(self) -> float:
        return max((a for a, _ in self.differences.values()), default=0.0)

    @property
    def largest_relative(self) -> float:
        return max((r for _, r in self.differences.values()), default=0.0)

    def __str__(self) -> str:
        return compare_text.table_of(self)

    def to_json(self) -> dict[str, Any]:
        """All numbers, of plain dicts and lists; times are seconds."""
        return compare_text.to_json(self)


def compare(
    target: Any,
    seconds: float = SECONDS,
    sides: Sequence[str] | None = None,
    limits: Limits | None = None,
    progress: Callable[[str], None] = lambda doing: None,
) -> Comparison:
    """Runs a target on several sides from the same variables, in turn.

    Args:
        target: as `target.load` takes it: FILE.py:FUNCTION, a file, a function that makes a graph
            and returns (fetches, feed_dict), or (graph, fetches, feeds).
        seconds: time spent on each side. sides: of SIDES and GPU_SIDES, "fused" first; None: all
            that this machine has.
        limits: of the machine; None: they are measured. progress: is told what is being done.

    Raises:
        TargetError: there is no such target. ConfigError: the reference backend is set, which
        has no kernels; a side that is not known, or there is no GPU for it.
    """
    sides, no_gpu = _checked(sides)
    opened = load(target)
    if limits is None:
        progress("limits of the machine")
        limits = limits_of.of_machine()
    runners: list[Runner] = []
    try:
        for name in sides:
            progress(name)
            like = runners[0] if runners else None
            runners.append(Runner(name, opened, _config(name), like))
        progress("runs in turn")
        with Load() as beside:
            blocks = _in_turn([r for r in runners if not _simulated(r)], seconds)
        gpu = next((limits_gpu.of_device(r.devices[0]) for r in runners if r.devices), None)
        done = [
            _side(r, blocks.get(r.name, ()), gpu if r.devices and gpu else limits, progress)
            for r in runners
        ]
    finally:
        for runner in runners:
            runner.close()
    first = done[0]
    timed = [s for s in done[1:] if s.blocks and first.blocks]
    ratios = {s.name: _ratio(s.blocks, first.blocks) for s in timed}
    differences = {s.name: difference(s.values, first.values) for s in done[1:]}
    return Comparison(
        opened.title, tuple(done), ratios, differences, limits, beside.others, gpu, no_gpu
    )


def _ratio(blocks: Sequence[float], base: Sequence[float]) -> Spread:
    """Of neighbouring blocks."""
    return Spread.of([b / a for a, b in zip(base, blocks, strict=True)])


def default_sides() -> tuple[tuple[str, ...], str]:
    """(all sides that this machine has, why those of a GPU are left out)."""
    reason = absence()
    return (SIDES if reason else (*SIDES, *GPU_SIDES)), reason or ""


def _checked(sides: Sequence[str] | None) -> tuple[Sequence[str], str]:
    """As default_sides; of sides that were asked for, whether they can be."""
    if current().backend == "reference":
        raise ConfigError("compare needs the cpu backend: the reference runs op by op")
    if sides is None:
        return default_sides()
    unknown = [s for s in sides if s not in (*SIDES, *GPU_SIDES)]
    if unknown or not sides or sides[0] != "fused" or len(set(sides)) < len(sides):
        raise ConfigError(
            f"sides {', '.join(sides) or 'none'}: expected some of "
            f"{', '.join((*SIDES, *GPU_SIDES))}, each once, fused first"
        )
    reason = absence() if any(s in GPU_SIDES for s in sides) else None
    if reason:
        raise ConfigError(f"sides {', '.join(sides)}: there is no GPU: {reason}")
    return sides, ""


def _config(name: str) -> Config:
    if name == "reference":
        return current().replace(backend="reference")
    fuse = name in ("fused", "cuda")
    if name in GPU_SIDES:
        return current().replace(fuse=fuse, backend="cuda", soft_placement=False)
    return current().replace(fuse=fuse, backend="cpu")


def _simulated(runner: Runner) -> bool:
    return bool(runner.devices) and simulating()


# ------------------------------------------------------------------ time
def _in_turn(runners: Sequence[Runner], seconds: float) -> dict[str, tuple[float, ...]]:
    """Seconds of a run of each runner, block by block; another one begins each time."""
    block = seconds / BLOCKS
    out: dict[str, list[float]] = {r.name: [] for r in runners}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(BLOCKS if seconds else FEWEST):
            at = turn % len(runners)
            for runner in (*runners[at:], *runners[:at]):
                time.sleep(PAUSE)
                with _alone(runner):
                    runner.timed(block / 4)  # its data come back into the cache
                    out[runner.name].append(runner.timed(block))
    finally:
        if collecting:
            gc.enable()
    return {name: tuple(times) for name, times in out.items()}


def _alone(runner: Runner) -> contextlib.AbstractContextManager[None]:
    """One thread for NumPy's products, where the runner is the reference."""
    if runner.config.backend == "reference":
        return blas.single_threaded()
    return contextlib.nullcontext()


# ------------------------------------------------------------------ what a side does
def _side(
    runner: Runner, blocks: tuple[float, ...], limits: Limits, progress: Callable[[str], None]
) -> Side:
    progress(f"{runner.name}: what it does")
    spent = Spread.of(blocks) if blocks else None
    if runner.config.backend == "reference":
        counted = [work.reference_work(plan.program, symbols) for plan, symbols in runner.plans]
        ops = sum(n for n, _, _ in counted)
        total = work.Work(sum(w.read for _, w, _ in counted), sum(w.written for _, w, _ in counted))
        peak = max(p for _, _, p in counted)
        peak += runner.held_bytes if peak else 0
        return Side(
            runner.name, None, (), ops, total, peak, spent, runner.first, 0.0, None, blocks,
            runner.values, "cpu, op by op",
        )  # fmt: skip
    found = runner.explain()
    kernels, launches, total, reached = _counted(runner, spent, limits)
    seconds = sum(work.compile_seconds(plan, symbols) for plan, symbols in runner.plans)
    return Side(
        runner.name, found, kernels, launches, total, found.arena_bytes + runner.held_bytes, spent,
        runner.first, seconds, reached, blocks, runner.values, runs_on(runner.devices),
    )  # fmt: skip


def _counted(
    runner: Runner, spent: Spread | None, limits: Limits
) -> tuple[tuple[Kernel, ...], int, work.Work, Rate | None]:
    """(the kernels of a run, how many are launched, the work of all steps, the rate against the sum
    of their limits; None where nothing was timed)."""
    turns = _turns(runner)
    kernels = []
    least: dict[str, float] = {"memory": 0.0, "arithmetic": 0.0}
    read = written = flops = launches = 0
    for stage, (plan, symbols) in enumerate(runner.plans):
        binding = plan.bind(symbols)
        with shape_env(plan.program.env):
            for at, step in enumerate(binding.steps):
                # the members of a chain are counted where they stand
                times, done = turns[stage][at], work.step_work(step, binding)
                read, written = read + times * done.read, written + times * done.written
                flops += times * done.flops
                alone = rate(done, 0.0, limits, dtype_of(step), times)
                least[alone.bound] += alone.least
                if step.kind in COMPUTING:
                    launches += times * launch_count(plan, step, symbols)
                    kernels.append(
                        Kernel(step.name, step.kind, times, done.nbytes * times, done.flops * times)
                    )
    total = work.Work(read, written, flops)
    bound = max(least, key=lambda name: least[name])
    reached = None
    if spent is not None:
        reached = Rate(spent.middle, total.nbytes, flops, sum(least.values()), bound)
    return tuple(kernels), launches, total, reached


def _turns(runner: Runner) -> list[list[int]]:
    """How often each step runs in a run: once, where there are no loops and branches.

    Loops tell it in a run of a plan with clocks.
    """
    steps = [plan.schedule.steps for plan, _ in runner.plans]
    if not any(s.kind == "branch" or s.inside for some in steps for s in some):
        return [[1] * len(some) for some in steps]
    timed = Runner(runner.name, runner.target, runner.config.replace(profile=True), runner)
    try:
        return turns_of(timed)
    finally:
        timed.close()


def difference(a: list[Any], b: list[Any]) -> tuple[float, float]:
    """Largest absolute difference, and largest relative to each array's own scale.

    NaN equals NaN and an infinity itself; either of them against another value is infinitely far.
    """
    absolute = relative = 0.0
    for x, y in zip(a, b, strict=True):
        if x.size == 0 or not (x.dtype.kind in "fiubc" or x.dtype.name == "bfloat16"):
            continue
        wide = np.complex128 if x.dtype.kind == "c" else np.float64
        x, y = x.astype(wide), y.astype(wide)
        with np.errstate(invalid="ignore"):
            gaps = np.abs(x - y)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        gap = float(np.where(same, 0.0, np.where(np.isnan(gaps), np.inf, gaps)).max())
        scale = float(np.abs(y[np.isfinite(y)]).max(initial=0.0))
        absolute = max(absolute, gap)
        relative = max(relative, gap / scale if scale else gap)
    return absolute, relative
