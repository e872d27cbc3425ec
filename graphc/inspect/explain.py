"""What the compiler did with some fetches: groups, refusals with reasons, kernels, memory.

Lives here: Explanation, explain_plan. Not here: how to get a plan (session.py). Reads
runtime.plan, runtime.binding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.ir.program import program_text
from graphc.ir.shape import shape_env
from graphc.kernel.nest import nest_text
from graphc.render import numba_cpu
from graphc.runtime.finishing import Finishing

if TYPE_CHECKING:
    from graphc.ir.node import Node
    from graphc.runtime.binding import Binding
    from graphc.runtime.plan import CpuPlan
    from graphc.runtime.state import VariableStore
    from graphc.runtime.steps import Step


# what loops and branches look like; the bookkeeping of their stacks is left out
_MARKS = ("loop", "while", "if", "else", "end")
_HIDDEN = frozenset({"label", "jump", "open", "room", "grow", "point", "advance"})
_COMPUTING = frozenset({"kernel", "gemm", "tile", "rows", "host"})


@dataclass(frozen=True)
class StepReport:
    """One step: what runs, over what, what it moves.

    Attributes:
        kind: kernel, gemm, tile, pack, rows, host, copy or check; while, if, else, end of
            control flow.
        depth: how many loops and branches it stands in.
        ops: names of the user's ops inside, one for each node: an op that was expanded stands
            there as often as it has parts.
        nbytes: bytes read and written. source: the kernel as readable Python ("" for others).
        nest: its loops. lines: the user's lines that made the ops.
        calls, seconds: runs and their total time under Config(profile=True), else 0.
    """

    kind: str
    name: str
    ops: tuple[str, ...]
    nbytes: int
    source: str
    nest: str
    lines: tuple[str, ...]
    calls: int = 0
    seconds: float = 0.0
    depth: int = 0


@dataclass(frozen=True)
class RefusalReport:
    """Two ops that stay in different kernels, why, and the bytes that go through memory.

    A node that is no op of the user's own reads "name (op)": the part `op` of what `name` became.
    """

    producer: str
    consumer: str
    reason: str
    nbytes: int


@dataclass(frozen=True)
class Explanation:
    """A plan in the user's terms. `str(explanation)` is the report.

    Attributes:
        program: the optimised program as text. steps: in order of execution.
        refusals: producer, consumer, reason. bytes_saved: by fusion. bytes_moved: by all steps.
        arena_bytes: of temporaries; arena_requested: what they would take without reuse.
    """

    program: str
    steps: tuple[StepReport, ...]
    refusals: tuple[RefusalReport, ...]
    bytes_saved: int
    bytes_moved: int
    arena_bytes: int
    arena_requested: int

    @property
    def kernels(self) -> tuple[StepReport, ...]:
        """The steps that compute: kernels, products, writes of rows, host steps."""
        return tuple(s for s in self.steps if s.kind in _COMPUTING)

    @property
    def sources(self) -> dict[str, str]:
        """Readable source of every generated kernel, by name."""
        return {s.name: s.source for s in self.steps if s.source}

    def __str__(self) -> str:
        lines = [
            f"{len(self.kernels)} kernels, {_size(self.bytes_moved)} moved a run, "
            f"{_size(self.bytes_saved)} saved by fusion, arena {_size(self.arena_bytes)} "
            f"({_size(self.arena_requested)} without reuse)"
        ]
        for number, step in enumerate(self.steps):
            ops = f" = {_counted(step.ops)}" if step.ops else ""
            time = f", {step.seconds / step.calls * 1e6:.2f} us" if step.calls else ""
            head = f"  {number:3d} {'  ' * step.depth}{step.kind:6s}"
            if step.kind in _MARKS:
                lines.append(head.rstrip() + (f"{ops}{time}" if ops else ""))
                continue
            lines.append(f"{head} {step.name}{ops}  [{_size(step.nbytes)}{time}]")
        if self.refusals:
            lines.append("not fused:")
        for r in self.refusals:
            lines.append(f"  {r.producer} -> {r.consumer} ({_size(r.nbytes)}): {r.reason}")
        return "\n".join(lines)

    def with_lines(self) -> str:
        """The steps, each with the user's lines behind it."""
        out = []
        for number, step in enumerate(self.steps):
            out.append(f"  {number:3d} {step.kind:6s} {step.name}")
            out.extend(f"        {line}" for line in step.lines)
        return "\n".join(out)


def _counted(names: Sequence[str]) -> str:
    """a + b x3: names in order, each once."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return " + ".join(n if c == 1 else f"{n} x{c}" for n, c in counts.items())


def joined(parts: Sequence[Explanation]) -> Explanation:
    """One explanation of several stages, in order."""
    if len(parts) == 1:
        return parts[0]
    return Explanation(
        "\n".join(p.program for p in parts),
        tuple(s for p in parts for s in p.steps),
        tuple(r for p in parts for r in p.refusals),
        sum(p.bytes_saved for p in parts),
        sum(p.bytes_moved for p in parts),
        max(p.arena_bytes for p in parts),
        max(p.arena_requested for p in parts),
    )


def _size(nbytes: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if nbytes >= size:
            return f"{nbytes / size:.1f} {unit}"
    return f"{nbytes} B"


def explain_plan(
    plan: CpuPlan, symbols: Mapping[str, int], store: VariableStore | None = None
) -> Explanation:
    """The explanation of a plan under concrete extents; with times of the session's runs, where
    its configuration profiles."""
    with shape_env(plan.program.env):
        binding = plan.bind(symbols)
    times = _times(binding, store)
    steps = tuple(
        _step(plan, s, binding, times[at], depth)
        for at, (s, depth) in enumerate(_depths(plan.schedule.steps))
        if s.kind not in _HIDDEN or (s.kind == "label" and s.name in _MARKS)
    )
    part = plan.schedule.partition
    refusals = tuple(
        RefusalReport(_part(r.producer), _part(r.consumer), r.reason, r.nbytes)
        for r in part.refusals
    )
    return Explanation(
        program_text(plan.program),
        steps,
        refusals,
        part.saved,
        sum(s.nbytes for s in steps),
        binding.arena.nbytes,
        binding.arena.requested,
    )


def _times(binding: Binding, store: VariableStore | None) -> list[tuple[int, float]]:
    """(runs, seconds) of each step, over the session's instances of the binding."""
    out = [(0, 0.0)] * len(binding.steps)
    for instance in store.instances.get(binding, ()) if store is not None else ():
        profile = instance.frame.profile
        if profile is None:
            continue
        rows = profile.reshape(len(out), -1)
        out = [(n + int(r[0]), t + r[1] / 1e9) for (n, t), r in zip(out, rows, strict=True)]
    return out


def _depths(steps: Sequence[Step]) -> list[tuple[Step, int]]:
    """Each step with the number of loops and branches around it."""
    out: list[tuple[Step, int]] = []
    depth = 0
    for step in steps:
        if step.kind == "label" and step.name in ("end", "else"):
            depth -= 1
        out.append((step, depth))
        opens = ("loop", "else") if step.kind == "label" else ("if",)
        named = step.kind in ("label", "branch") and step.name in opens
        if named or step.kind == "chain":
            depth += 1
    return out


def _step(
    plan: CpuPlan, step: Step, binding: Binding, time: tuple[int, float], depth: int
) -> StepReport:
    if step.kind in ("label", "branch"):
        holder = () if step.holder is None else (_name(step.holder),)
        return StepReport(step.name, step.name, holder, 0, "", "", (), *time, depth=depth)
    if step.kind == "chain":
        return StepReport(step.kind, step.name, (), 0, "", "", (), *time, depth=depth)
    nodes = step.nodes
    nbytes = sum(binding.nbytes[binding.number[s]] for s in (*step.reads, *step.writes))
    source = nest = ""
    if step.kernel is not None:
        source = plan.kernels[step].source
        nest = nest_text(step.kernel)
    elif isinstance(step.call, Finishing) and step.call.finish is not None:
        source = numba_cpu.source(step.call.finish)
        nest = nest_text(step.call.finish)
    lines = tuple(dict.fromkeys(n.origin.summary() for n in nodes if n.origins))
    return StepReport(
        step.kind, step.name, tuple(_name(n) for n in nodes), nbytes, source, nest, lines, *time,
        depth=depth,
    )  # fmt: skip


def _name(node: Node) -> str:
    return node.name or f"{node.op.name}%{node.id}"


def _part(node: Node) -> str:
    """The op's name; of a part of an expanded op also which part."""
    own = node.op.default_name.lower()
    last = node.name.rsplit("/", 1)[-1].lower()
    return _name(node) if not node.name or last.startswith(own) else f"{node.name} ({node.op.name})"
