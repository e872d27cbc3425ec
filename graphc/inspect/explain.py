"""What the compiler did with some fetches: groups, refusals with reasons, kernels, memory.

Lives here: Explanation and its parts, explain_plan. Not here: how to get a plan (session.py), how
an explanation is written (inspect/explain_text.py), what a step does (inspect/work.py) and why
(inspect/reasons.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphc.fusion.footprint import Footprints
from graphc.inspect import explain_text, reasons, work
from graphc.inspect.launches import (
    DeviceCode,
    Launched,
    device_code,
    device_nest,
    device_of,
    launches_of,
    place_of,
    runs_on,
)
from graphc.ir.program import program_text
from graphc.ir.shape import shape_env
from graphc.kernel.nest import nest_text
from graphc.render import numba_cpu
from graphc.runtime.finishing import Finishing
from graphc.runtime.gpu.plan import GpuPlan
from graphc.runtime.trace import CPU

if TYPE_CHECKING:
    from graphc.ir.node import Node
    from graphc.runtime.binding import Binding
    from graphc.runtime.gpu.code import Code
    from graphc.runtime.plan import CompiledPlan
    from graphc.runtime.state import VariableStore
    from graphc.runtime.steps import Step


# what loops and branches look like; the bookkeeping of their stacks is left out
MARKS = ("loop", "while", "if", "else", "end")
_HIDDEN = frozenset({"label", "jump", "open", "room", "grow", "point", "advance"})
COMPUTING = frozenset({"kernel", "gemm", "tile", "rows", "host"})


@dataclass(frozen=True)
class Member:
    """A node inside a step: its op's name, what it computes, the user's line."""

    name: str
    op: str
    line: str


@dataclass(frozen=True)
class FusionReport:
    """Two ops of the user that share a kernel.

    Attributes:
        producer, consumer: the same name for parts of one expanded op. count: of such edges.
        nbytes: of all of them, that do not go through memory. reason: why they share it.
    """

    producer: str
    consumer: str
    reason: str
    nbytes: int
    count: int


@dataclass(frozen=True)
class StepReport:
    """One step: what runs, over what, what it moves.

    Attributes:
        kind: kernel, gemm, tile, pack, rows, host, copy, check or chain; while, if, else, end of
            control flow.
        depth: how many loops and branches it stands in.
        ops: names of the user's ops inside, one for each node: an op that was expanded stands
            there as often as it has parts.
        nbytes: bytes read and written. flops: operations (inspect/work.py says what counts). Both
            for one turn of a loop.
        source: the kernel as readable Python ("" for others), for a GPU as numba.cuda's; nest: its
            loops.
        lines: the user's lines that made the ops.
        calls, seconds: runs and their total time under Config(profile=True), else 0.
        members: the nodes inside. fusions: why they share the step. shared_bytes: of what several
            members read from outside, that is read once.
        tile: how the work is cut into registers, and why. pieces: how threads share it.
        launches: of a GPU, the kernels that the step starts. device: where it runs.
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
    flops: int = 0
    members: tuple[Member, ...] = ()
    fusions: tuple[FusionReport, ...] = ()
    shared_bytes: int = 0
    tile: str = ""
    pieces: str = ""
    launches: tuple[Launched, ...] = ()
    device: str = CPU

    @property
    def bytes_saved(self) -> int:
        """By the fusion of its members."""
        return self.shared_bytes + sum(f.nbytes for f in self.fusions)


@dataclass(frozen=True)
class RefusalReport:
    """Two ops that stay in different kernels, why, and the bytes that go through memory.

    A node that is no op of the user's own reads "name (op)": the part `op` of what `name` became.
    `remedy`: what would change it, or why nothing would.
    """

    producer: str
    consumer: str
    reason: str
    nbytes: int
    remedy: str = ""


@dataclass(frozen=True)
class Explanation:
    """A plan in the user's terms. `str(explanation)` is the report, `details()` the whole of it.

    Attributes:
        program: the optimised program as text. steps: in order of execution.
        refusals: producer, consumer, reason. bytes_moved: by all steps. flops: of all steps.
        arena_bytes: of temporaries; arena_requested: what they would take
        without reuse. device: the GPUs' names, "" for the CPU; cc: compute capability.
    """

    program: str
    steps: tuple[StepReport, ...]
    refusals: tuple[RefusalReport, ...]
    bytes_moved: int
    arena_bytes: int
    arena_requested: int
    flops: int = 0
    device: str = ""
    cc: tuple[int, int] | None = None

    @property
    def bytes_saved(self) -> int:
        """By fusion: what one op a kernel would read and write more."""
        return sum(s.bytes_saved for s in self.steps)

    @property
    def kernels(self) -> tuple[StepReport, ...]:
        """The steps that compute: kernels, products, writes of rows, host steps."""
        return tuple(s for s in self.steps if s.kind in COMPUTING)

    @property
    def sources(self) -> dict[str, str]:
        """Readable source of every generated kernel, by name."""
        return {s.name: s.source for s in self.steps if s.source}

    def __str__(self) -> str:
        return explain_text.summary(self)

    def with_lines(self) -> str:
        """The steps, each with the user's lines behind it."""
        return explain_text.with_lines(self)

    def details(self) -> str:
        """Each step's members with their lines, why they share it, tiles; every refusal with what
        would change it."""
        return explain_text.details(self)

    def device_codes(self, cc: tuple[int, int] | None = None) -> tuple[DeviceCode, ...]:
        """PTX, registers and spills of each kernel for a GPU, compiled now; none for the CPU.

        Args:
            cc: compute capability; None: the device's.
        """
        wanted = cc or self.cc
        codes: dict[str, tuple[str, Code]] = {}
        for step in self.steps:
            for one in step.launches:
                if one.code is not None:
                    codes.setdefault(one.code.key, (step.name, one.code))
        return tuple(device_code(c, wanted, s) for s, c in codes.values()) if wanted else ()

    def to_json(self) -> dict[str, Any]:
        """All of it, of plain dicts and lists."""
        whole = dataclasses.asdict(self, dict_factory=_without_code)
        out = {"format": "graphc-explain", "version": 1, **whole}
        return {**out, "bytes_saved": self.bytes_saved}


def _without_code(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What a kernel is compiled from is no data."""
    return {name: value for name, value in pairs if name != "code"}


def joined(parts: Sequence[Explanation]) -> Explanation:
    """One explanation of several stages, in order."""
    if len(parts) == 1:
        return parts[0]
    return Explanation(
        "\n".join(p.program for p in parts),
        tuple(s for p in parts for s in p.steps),
        tuple(r for p in parts for r in p.refusals),
        sum(p.bytes_moved for p in parts),
        max(p.arena_bytes for p in parts),
        max(p.arena_requested for p in parts),
        sum(p.flops for p in parts),
        ", ".join(dict.fromkeys(p.device for p in parts if p.device)),
        next((p.cc for p in parts if p.cc), None),
    )


def explain_plan(
    plan: CompiledPlan, symbols: Mapping[str, int], store: VariableStore | None = None
) -> Explanation:
    """The explanation of a plan under concrete extents; with times of the session's runs, where
    its configuration profiles."""
    with shape_env(plan.program.env):
        binding = plan.bind(symbols)
        steps = _Steps(plan, binding, _times(binding, store)).run()
    refusals = tuple(
        RefusalReport(
            part_name(r.producer), part_name(r.consumer), r.reason, r.nbytes,
            reasons.remedy(r.reason),
        )
        for r in plan.schedule.partition.refusals
    )  # fmt: skip
    device = device_of(plan)
    return Explanation(
        program_text(plan.program),
        steps,
        refusals,
        sum(s.nbytes for s in steps),
        binding.arena.nbytes,
        binding.arena.requested,
        sum(s.flops for s in steps),
        "" if device is None else runs_on([device]),
        None if device is None else device.gpu.cc,
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


def depths(steps: Sequence[Step]) -> list[tuple[Step, int]]:
    """Each step with the number of loops, branches and chains around it."""
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


def shown(step: Step) -> bool:
    """Whether people see the step: not the bookkeeping of loops."""
    return step.kind not in _HIDDEN or (step.kind == "label" and step.name in MARKS)


class _Steps:
    """The reports of a plan's steps."""

    def __init__(
        self, plan: CompiledPlan, binding: Binding, times: Sequence[tuple[int, float]]
    ) -> None:
        self.plan, self.binding, self.times = plan, binding, times
        self.stored = reasons.stored_tensors(binding.steps)
        self.footprints = Footprints()
        # a group may run as several kernels: what is said of it stands at the last one
        self.last = {s.group: s for s in binding.steps if s.group is not None}

    def run(self) -> tuple[StepReport, ...]:
        found = enumerate(depths(self.plan.schedule.steps))
        return tuple(self._step(at, s, depth) for at, (s, depth) in found if shown(s))

    def _step(self, at: int, step: Step, depth: int) -> StepReport:
        calls, seconds = self.times[at]
        common: dict[str, Any] = {"calls": calls, "seconds": seconds, "depth": depth}
        if step.kind in ("label", "branch"):
            holder = () if step.holder is None else (op_name(step.holder),)
            return StepReport(step.name, step.name, holder, 0, "", "", (), **common)
        if step.kind == "chain":
            return StepReport(step.kind, step.name, (), 0, "", "", (), **common)
        done = work.step_work(step, self.binding)
        launches = self._launches(step)
        source, nest = self._texts(step, launches)
        lines = tuple(dict.fromkeys(n.origin.summary() for n in step.nodes if n.origins))
        return StepReport(
            step.kind, step.name, tuple(map(op_name, step.nodes)), done.nbytes, source, nest, lines,
            **common, flops=done.flops, members=tuple(map(_member, step.nodes)),
            fusions=self._fusions(step), shared_bytes=self._shared(step),
            tile=reasons.tile_text(step, self.binding), pieces=reasons.split_text(at, self.binding),
            launches=launches, device=place_of(self.plan, step),
        )  # fmt: skip

    def _launches(self, step: Step) -> tuple[Launched, ...]:
        if not isinstance(self.plan, GpuPlan):
            return ()
        return tuple(launches_of(self.plan, step, self.binding.symbols))

    def _texts(self, step: Step, launches: Sequence[Launched]) -> tuple[str, str]:
        if isinstance(self.plan, GpuPlan):
            nest = device_nest(step)
            text = "" if nest is None else nest_text(nest)
            return "\n\n".join(one.source for one in launches), text
        if step.kernel is not None:
            return self.plan.kernels[step].source, nest_text(step.kernel)
        if isinstance(step.call, Finishing) and step.call.finish is not None:
            return numba_cpu.source(step.call.finish), nest_text(step.call.finish)
        return "", ""

    def _ends(self, step: Step) -> bool:
        """Whether the step is the one at which its group is explained."""
        return step.group is not None and self.last[step.group] is step

    def _shared(self, step: Step) -> int:
        if step.group is None or not self._ends(step):
            return 0
        return reasons.shared_bytes(step.group, self.binding.symbols)

    def _fusions(self, step: Step) -> tuple[FusionReport, ...]:
        """The edges inside the step's group; those of the same names and reason as one."""
        if step.group is None or not self._ends(step):
            return ()
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        for edge in reasons.fusions(
            step.group, self.stored, self.binding.symbols, self.footprints
        ):
            key = (op_name(edge.producer), op_name(edge.consumer), edge.reason)
            nbytes, number = found.get(key, (0, 0))
            found[key] = (nbytes + edge.nbytes, number + 1)
        return tuple(FusionReport(*key, *sums) for key, sums in found.items())


def _member(node: Node) -> Member:
    return Member(op_name(node), node.op.name, node.origin.summary() if node.origins else "")


def op_name(node: Node) -> str:
    """The name of the user's op that the node is, or became."""
    return node.name or f"{node.op.name}%{node.id}"


def part_name(node: Node) -> str:
    """The op's name; of a part of an expanded op also which part."""
    own = node.op.default_name.lower()
    last = node.name.rsplit("/", 1)[-1].lower()
    if not node.name or last.startswith(own):
        return op_name(node)
    return f"{node.name} ({node.op.name})"
