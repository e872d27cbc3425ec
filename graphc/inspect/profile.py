"""Where the time of a run goes: by step, by the user's line, over several runs.

Lives here: profile, Profile and its parts, recorded runs. Not here: the clock (runtime/driver.py),
what is drawn of it (inspect/timeline.py, inspect/report.py), the text (inspect/profile_text.py).

A session of its own runs a plan that has clocks; other plans have none, so that not profiling costs
nothing. Reading the clock twice costs a step about 40 ns. A step's time is shared out among the
lines of its ops by what these ops would be expected to cost alone.
"""

from __future__ import annotations

import dataclasses
import gc
import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.config import Config, current
from graphc.errors import ConfigError
from graphc.inspect import limits_gpu, profile_text, work
from graphc.inspect.explain import op_name
from graphc.inspect.launches import device_of, place_of
from graphc.inspect.limits import Limits
from graphc.inspect.load import Load
from graphc.inspect.roofline import Rate, rate
from graphc.inspect.running import Runner
from graphc.inspect.target import load
from graphc.ir.node import Node
from graphc.ir.shape import evaluate, shape_env
from graphc.runtime.binding import BYTES_PER_NS, COST_PER_NS
from graphc.runtime.driver import PROFILE_WORDS
from graphc.runtime.trace import COMPUTING, CPU

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding
    from graphc.runtime.steps import Step

RUNS = 30
_GRADIENT = re.compile(r"(?:^|/)gradients(?:_\d+)?/(.+?)_grad(?:_\d+)?/")
_NUMBERED = re.compile(r"_v\d+$")
_FLOPS_PER_NS = 100.0  # of products, in the estimate by which lines share a step


@dataclass(frozen=True)
class StepProfile(Rate):
    """One step over all runs: its rate in a run, of all turns, by the median time.

    Attributes:
        stage, number: which step of which plan. ops, lines: as in an explanation.
        turns: in a run; more than one in loops, a mean where it varies. device: that it runs on.
        low, high: the quartiles of the time. count: of steps alike that this one stands for.
    """

    stage: int
    number: int
    kind: str
    name: str
    ops: tuple[str, ...]
    lines: tuple[str, ...]
    turns: float
    low: float
    high: float
    count: int = 1
    device: str = CPU


@dataclass(frozen=True)
class LineProfile:
    """The time of a user's line: of its own ops, and of the gradients of its ops."""

    line: str
    forward: float
    gradient: float
    nbytes: int
    flops: int

    @property
    def seconds(self) -> float:
        return self.forward + self.gradient


@dataclass(frozen=True)
class Event:
    """A step as it ran once. Times are seconds from the begin of its run."""

    stage: int
    number: int
    start: float
    end: float
    busy: float
    turns: int


@dataclass(frozen=True)
class Phase:
    """A part of building a plan: a pass, the schedule, compiling."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Memory:
    """The arena's bytes that are in use while each step of a stage runs, and where it lies."""

    stage: int
    arena: int
    alive: tuple[int, ...]
    device: str = CPU


@dataclass(frozen=True)
class Profile:
    """What `graphc profile` shows. `str(profile)` is the report.

    Attributes:
        seconds: of a whole run, the median, with the quartiles low and high; its steps take
            `inside`, the rest is Python's. first: of the first run, which builds the plan.
        steps, lines: the most time first. runs: the steps of each run as they came.
        phases: of building the plan anew with nothing cached. memory: of each stage.
        limits: of what the plan runs on. On a GPU a step's time ends when the device has done it.
        others: processors that other programs kept busy meanwhile; None where unknown.
    """

    title: str
    count: int
    seconds: float
    low: float
    high: float
    inside: float
    first: float
    steps: tuple[StepProfile, ...]
    lines: tuple[LineProfile, ...]
    runs: tuple[tuple[Event, ...], ...]
    phases: tuple[Phase, ...]
    memory: tuple[Memory, ...]
    held_bytes: int
    limits: Limits
    others: float | None = None

    def alike(self) -> list[StepProfile]:
        """The steps by time, those that do the same in several layers as one: their sum."""
        found: dict[Any, list[StepProfile]] = {}
        for step in self.steps:
            key = (step.stage, step.kind, _plain(step.name), step.nbytes, step.flops, step.turns)
            found.setdefault(key, []).append(step)
        return sorted(map(_sum, found.values()), key=lambda s: -s.seconds)

    def __str__(self) -> str:
        return profile_text.report(self)

    def to_json(self) -> dict[str, Any]:
        """All of it, of plain dicts and lists; seconds are seconds."""
        out = {"format": "graphc-profile", "version": 1, **dataclasses.asdict(self)}
        out["limits"] = self.limits.to_json()
        return out


def _plain(name: str) -> str:
    """A kernel's name without the number that tells it from others of its plan."""
    return _NUMBERED.sub("", name)


def _sum(steps: Sequence[StepProfile]) -> StepProfile:
    first = steps[0]
    if len(steps) == 1:
        return first
    sums = {
        name: sum(getattr(s, name) for s in steps)
        for name in ("seconds", "nbytes", "flops", "least", "low", "high")
    }
    return dataclasses.replace(first, **sums, name=_plain(first.name), count=len(steps))


def profile(
    target: Any,
    runs: int = RUNS,
    config: Config | None = None,
    limits: Limits | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Profile:
    """Runs a target `runs` times in a session of its own and times every step.

    Args:
        target: as `target.load` takes it. limits: of the machine; None: they are measured.
        progress: is told how many runs are done.

    Raises:
        TargetError: there is no such target. ConfigError: the reference backend, which has no
        kernels to time; runs is not positive.
    """
    config = (config or current()).replace(profile=True)
    if config.backend == "reference":
        raise ConfigError("profile needs the cpu backend: the reference runs op by op")
    if runs < 1:
        raise ConfigError(f"profile needs at least one run, not {runs}")
    found = load(target)
    runner = Runner("profile", found, config)
    try:
        limits = limits or limits_gpu.of_plan(runner.plans[0][0])
        with Load() as beside:
            walls, recorded = _recorded(runner, runs, progress)
        stages = [plan.bind(symbols) for plan, symbols in runner.plans]
        steps = _steps(stages, recorded, limits)
        low, middle, high = quartiles(walls)
        inside = statistics.median(sum(e.busy for e in run) for run in recorded)
        return Profile(
            found.title, runs, middle, low, high, inside, runner.first,
            tuple(sorted(steps, key=lambda s: -s.seconds)),
            _lines(stages, steps, found.graph), tuple(map(tuple, recorded)),
            phases(runner), tuple(_memory(k, b) for k, b in enumerate(stages)),
            runner.held_bytes, limits, beside.others,
        )  # fmt: skip
    finally:
        runner.close()


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The first quartile, the median, the third one."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float(low), float(middle), float(high)


# ------------------------------------------------------------------ recording
def turns_of(runner: Runner) -> list[list[int]]:
    """How often each step of each stage runs in a run; the runner's plans have clocks."""
    _, ((*events,),) = _recorded(runner, 1, lambda done: None)
    out = [[0] * len(plan.schedule.steps) for plan, _ in runner.plans]
    for event in events:
        out[event.stage][event.number] = event.turns
    return out


def _recorded(
    runner: Runner, runs: int, progress: Callable[[int], None]
) -> tuple[list[float], list[list[Event]]]:
    """The time of each run, and its steps in the order in which they began."""
    bindings = [plan.bind(symbols) for plan, symbols in runner.plans]
    walls: list[float] = []
    out: list[list[Event]] = []
    collecting = gc.isenabled()
    gc.disable()  # a collection would be counted as some step's time
    try:
        runner.timed()
        runner.timed()
        for done in range(runs):
            for _, rows in _rows(runner, bindings):
                rows[...] = 0
            start = time.monotonic_ns()
            walls.append(runner.timed())
            out.append(_events(runner, bindings, start))
            progress(done + 1)
    finally:
        if collecting:
            gc.enable()
    return walls, out


def _rows(runner: Runner, bindings: Sequence[Binding]) -> list[tuple[int, np.ndarray]]:
    """(stage, the clock's words of each step) of all memory that the session has used."""
    kept = runner.store.instances
    return [
        (stage, instance.frame.profile.reshape(-1, PROFILE_WORDS))
        for stage, binding in enumerate(bindings)
        for instance in kept.get(binding, ())
        if instance.frame.profile is not None
    ]


def _events(runner: Runner, bindings: Sequence[Binding], start: int) -> list[Event]:
    out = []
    for stage, rows in _rows(runner, bindings):
        for at in np.flatnonzero(rows[:, 0]):
            calls, busy, first, last = (int(v) for v in rows[at])
            if bindings[stage].steps[at].kind not in COMPUTING:
                continue
            begin, end = (first - start) / 1e9, (last - start) / 1e9
            out.append(Event(stage, int(at), begin, end, busy / 1e9, calls))
    return sorted(out, key=lambda e: e.start)


# ------------------------------------------------------------------ by step
def _steps(
    stages: Sequence[Binding], runs: Sequence[Sequence[Event]], limits: Limits
) -> list[StepProfile]:
    found: dict[tuple[int, int], list[Event]] = {}
    for run in runs:
        for event in run:
            found.setdefault((event.stage, event.number), []).append(event)
    return [
        _step(stages[stage], stage, number, events, len(runs), limits)
        for (stage, number), events in found.items()
    ]


def _step(
    binding: Binding, stage: int, number: int, events: Sequence[Event], runs: int, limits: Limits
) -> StepProfile:
    step = binding.steps[number]
    # a branch that some runs did not take
    busy = [e.busy for e in events] + [0.0] * (runs - len(events))
    low, middle, high = quartiles(busy)
    turns = sum(e.turns for e in events) / runs
    reached = rate(whole_work(step, binding), middle, limits, dtype_of(step), turns)
    lines = tuple(dict.fromkeys(n.origin.summary() for n in step.nodes if n.origins))
    ops = tuple(dict.fromkeys(map(op_name, step.nodes)))
    return StepProfile(
        **vars(reached), stage=stage, number=number, kind=step.kind, name=step.name, ops=ops,
        lines=lines, turns=turns, low=low, high=high, device=place_of(binding.plan, step),
    )  # fmt: skip


def whole_work(step: Step, binding: Binding) -> work.Work:
    """The work of a step, of a chain that of its members."""
    parts = [work.step_work(s, binding) for s in step.members or (step,)]
    return work.Work(*(sum(v) for v in zip(*((p.read, p.written, p.flops) for p in parts))))


def dtype_of(step: Step) -> str:
    """The dtype whose limit of arithmetic counts for the step."""
    for node in step.nodes:
        for tensor in node.outputs:
            if tensor.dtype.name == "float64":
                return "float64"
    return "float32"


# ------------------------------------------------------------------ by line
def _lines(
    stages: Sequence[Binding], steps: Sequence[StepProfile], graph: Any
) -> tuple[LineProfile, ...]:
    """Each step's time, bytes and operations, shared out among the lines of its nodes."""
    forward = {node.name: node for node in graph.nodes}
    sums: dict[str, list[float]] = {}
    for step in steps:
        binding = stages[step.stage]
        nodes = binding.steps[step.number].nodes
        with shape_env(binding.plan.program.env):
            costs = [_expected(n, binding) for n in nodes]
        total = sum(costs) or 1.0
        for node, cost in zip(nodes, costs, strict=True):
            line, gradient = line_of(node, forward)
            entry = sums.setdefault(line, [0.0, 0.0, 0.0, 0.0])
            part = cost / total
            entry[gradient] += part * step.seconds
            entry[2] += part * step.nbytes
            entry[3] += part * step.flops
    out = [LineProfile(k, f, g, round(b), round(n)) for k, (f, g, b, n) in sums.items()]
    return tuple(sorted(out, key=lambda entry: -entry.seconds))


def line_of(node: Node, forward: dict[str, Node]) -> tuple[str, bool]:
    """(the user's line, whether this is a gradient): gradients belong to the line of their op."""
    found = _GRADIENT.search(node.name)
    if found is not None and found.group(1) in forward:
        return forward[found.group(1)].origin.summary(), True
    return (node.origin.summary() if node.origins else "graphc's own"), found is not None


def _expected(node: Node, binding: Binding) -> float:
    """What the node would be expected to take alone, in nanoseconds; at least a little."""
    symbols = binding.symbols
    outs = [work.tensor_bytes(t, symbols) for t in node.outputs]
    nbytes = sum(outs) + sum(work.tensor_bytes(t, symbols) for t in node.inputs)
    total = nbytes / BYTES_PER_NS + 1.0
    if node.op.name == "matmul" and node.inputs[0].dims and None not in node.inputs[0].dims:
        a = node.inputs[0].known_dims
        inner = evaluate(a[-2] if node.attrs.get("transpose_a") else a[-1], symbols)
        elements = max(outs, default=0) / max(node.outputs[0].dtype.size, 1)
        return total + 2.0 * elements * inner / _FLOPS_PER_NS
    if node.op.kernel is None:
        return total
    largest = max([*outs, *(work.tensor_bytes(t, symbols) for t in node.inputs)], default=0)
    return total + largest / 4 / COST_PER_NS


# ------------------------------------------------------------------ memory and building
def _memory(stage: int, binding: Binding) -> Memory:
    """Bytes of the arena's buffers that are alive at each step."""
    alive = np.zeros(len(binding.steps) + 1, np.int64)
    for k in binding.offsets:
        first, last = binding.lifetimes[k]
        alive[first] += binding.nbytes[k]
        alive[last + 1] -= binding.nbytes[k]
    device = device_of(binding.plan)
    return Memory(
        stage, binding.arena.nbytes, tuple(np.cumsum(alive)[:-1].tolist()),
        CPU if device is None else device.name,
    )  # fmt: skip


def phases(runner: Runner) -> tuple[Phase, ...]:
    """What building the first stage's plan takes, pass by pass, with nothing found in a cache."""
    from graphc.passes.pipeline import optimize
    from graphc.runtime.schedule import schedule

    stage = runner.stages[0]
    out: list[Phase] = []
    start = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal start
        now = time.perf_counter()
        out.append(Phase(name, now - start))
        start = time.perf_counter()

    program = stage.program(runner.arrays, runner.store)
    lap("read the graph")
    program = optimize(program, runner.config, lambda name, _: lap(name))
    with shape_env(program.env):
        schedule(program, runner.config)
    lap("schedule")
    seconds = sum(work.compile_seconds(plan, symbols) for plan, symbols in runner.plans)
    out.append(Phase("print and compile kernels", seconds))
    return tuple(p for p in out if p.name != "start")  # what the passes begin with
