"""The plans of a document: steps, groups, buffers, memory over time, the kernels' texts.

Lives here: PlanReader, Codes. Not here: how plans are built and timed (inspect/capture.py), what
work a step does (inspect/work.py), why ops share a kernel (inspect/reasons.py). Imported by
inspect/capture.py only.
"""

from __future__ import annotations

import bisect
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphc.fusion.footprint import Footprints
from graphc.inspect.capture_nodes import NodeTable
from graphc.inspect.document import (
    BufferRecord,
    CodeRecord,
    GroupRecord,
    PlanRecord,
    RefusalRecord,
    StepRecord,
)
from graphc.inspect.explain import COMPUTING, depths, part_name
from graphc.inspect.launches import (
    device_code,
    device_nest,
    device_of,
    launches_of,
    place_of,
    runs_on,
)
from graphc.inspect.reasons import fusions, stored_tensors, tile_text
from graphc.inspect.texts import size
from graphc.inspect.work import step_work
from graphc.ir.node import Node
from graphc.ir.shape import shape_env
from graphc.kernel.nest import nest_text
from graphc.render import numba_cpu
from graphc.runtime import jit
from graphc.runtime.cache import content_key
from graphc.runtime.finishing import Finishing
from graphc.runtime.gpu.plan import GpuPlan
from graphc.runtime.gpu.product_calls import GpuProductCall
from graphc.runtime.memory import rounded
from graphc.runtime.steps import Cursor

if TYPE_CHECKING:
    from graphc.fusion.partition import Group
    from graphc.runtime.binding import Binding
    from graphc.runtime.gpu.device import Device
    from graphc.runtime.plan import CompiledPlan
    from graphc.runtime.steps import Step, Storage

TEXT_LIMIT = 200_000  # characters of one text
MANY = 24  # reasons that a group keeps


class Codes:
    """The kernels' texts; equal code is printed and compiled once for all plans."""

    def __init__(self, progress: Callable[[str], None] | None = None) -> None:
        self._known: dict[str, tuple[CodeRecord, float]] = {}
        self._progress = progress

    def of(self, plan: CompiledPlan, step: Step, binding: Binding) -> tuple[str, CodeRecord, float]:
        """(key, texts, seconds to print and compile it)."""
        key = self._key(plan, step, binding)
        found = self._known.get(key)
        if found is None:
            if self._progress is not None:
                self._progress(step.name)
            found = self._known[key] = self._read(plan, step, binding)
        return key, *found

    @staticmethod
    def _key(plan: CompiledPlan, step: Step, binding: Binding) -> str:
        kernel = plan.kernels.get(step)
        if kernel is not None:
            return kernel.key[:16]
        if isinstance(plan, GpuPlan):
            return _device_key(plan, step, binding)
        assert step.call is not None
        return step.call.kernel_name

    @staticmethod
    def _read(plan: CompiledPlan, step: Step, binding: Binding) -> tuple[CodeRecord, float]:
        if isinstance(plan, GpuPlan):
            return _device_texts(plan, step, binding)
        kernel = plan.kernels.get(step)
        record = CodeRecord(step.name, tile=tile_text(step, binding))
        nest = step.kernel
        if nest is None and isinstance(step.call, Finishing):
            nest = step.call.finish
        if nest is not None:
            record.nest = cut(nest_text(nest))
            record.numba = cut(_printed(lambda: numba_cpu.source(nest)))
        start = time.perf_counter()
        if kernel is not None:
            text = kernel.ir_text
        else:
            assert step.call is not None and not isinstance(step.call, GpuProductCall)
            text = step.call.ir()
        # Numba's code has been through its own passes
        opt = "none" if kernel is not None and kernel.printer == "numba" else "light"
        assembly = jit.assembly(text, opt=opt)
        seconds = time.perf_counter() - start
        record.llvm, record.asm = cut(text), cut(assembly)
        return record, seconds


def _device_key(plan: GpuPlan, step: Step, binding: Binding) -> str:
    """Of all kernels that the step starts, with their launches."""
    found = launches_of(plan, step, binding.symbols)
    parts = [one.reason for one in found]
    parts += [one.code.key for one in found if one.code is not None]
    return content_key("step", *(parts or [step.name]))[:16]


def _device_texts(plan: GpuPlan, step: Step, binding: Binding) -> tuple[CodeRecord, float]:
    """The source for numba.cuda and PTX of all kernels that the step starts, one after the other.
    """
    found = launches_of(plan, step, binding.symbols)
    lines = [tile_text(step, binding), *(one.reason for one in found)]
    lines += [f"To change it: {one.remedy}" for one in found if one.remedy]
    nest = device_nest(step)
    record = CodeRecord(step.name, tile="\n".join(filter(None, lines)))
    record.nest = "" if nest is None else cut(nest_text(nest))
    start = time.perf_counter()
    record.numba = cut("\n\n".join(one.source for one in found))
    codes = [device_code(one.code, plan.device.gpu.cc) for one in found if one.code is not None]
    seconds = time.perf_counter() - start
    record.tile += "".join(f"\n{code.name}: {code.note}" for code in codes)
    record.asm = cut("\n".join(f"// {c.name}: {c.note}\n{c.ptx}" for c in codes if c.ptx))
    return record, seconds


def _printed(write: Callable[[], str]) -> str:
    try:
        return write()
    except NotImplementedError as err:
        return f"# {err}\n"


def cut(text: str) -> str:
    """Very long texts end with a note."""
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}\n... {len(text) - TEXT_LIMIT} more characters\n"


class PlanReader:
    """Collects one PlanRecord from the plans that run one after the other.

    Args:
        codes: None: without texts of kernels.
    """

    def __init__(self, table: NodeTable, codes: Codes | None) -> None:
        self.table = table
        self.codes = codes
        self._devices: list[Device | None] = []
        self.record = PlanRecord(0, 0, 0, 0, 0.0, None, [], [], [], [], [], {})

    def add(
        self, plan: CompiledPlan, symbols: Mapping[str, int], micros: Sequence[float] | None
    ) -> None:
        """The plan's steps follow those that were added before.

        Args:
            micros: of each step in a run, where it was timed.
        """
        binding = plan.bind(symbols)
        with shape_env(plan.program.env):
            self._add(plan, binding, micros)

    def _add(self, plan: CompiledPlan, binding: Binding, micros: Sequence[float] | None) -> None:
        record = self.record
        first_buffer, first_step = len(record.buffers), len(record.steps)
        groups = self._groups(plan, binding)
        numbers = {s: first_buffer + k for s, k in binding.number.items()}
        for at, (step, depth) in enumerate(depths(binding.steps)):
            work = step_work(step, binding)
            made = StepRecord(
                kind=step.kind,
                name=step.name,
                nodes=[self.table.add(n) for n in step_nodes(step)],
                reads=[numbers[s] for s in step.reads],
                writes=[numbers[s] for s in step.writes],
                bytes=work.nbytes,
                flops=work.flops,
                microseconds=None if micros is None else round(micros[at], 3),
                group=groups.get(step, -1),
                inside=depth,
                device=place_of(plan, step).removeprefix("/device:").replace("CPU:0", "cpu"),
            )
            if self.codes is not None and (step.kernel is not None or step.call is not None):
                self._code(plan, step, binding, made)
            record.steps.append(made)
            record.kernel_count += step.kind in COMPUTING
            record.bytes += work.nbytes
            record.flops += work.flops
        self._buffers(binding, first_step, first_buffer)
        self._refusals(plan)
        record.arena_bytes = max(record.arena_bytes, binding.arena.nbytes)
        self._devices.append(device_of(plan))
        record.device = runs_on(self._devices)

    def _code(self, plan: CompiledPlan, step: Step, binding: Binding, made: StepRecord) -> None:
        assert self.codes is not None
        key, texts, seconds = self.codes.of(plan, step, binding)
        made.code = key
        if key not in self.record.code:
            self.record.code[key] = texts
            self.record.compile_seconds += seconds

    # ------------------------------------------------------------ groups
    def _groups(self, plan: CompiledPlan, binding: Binding) -> dict[Step, int]:
        """The groups that have a step, in the order of the steps."""
        first: dict[Group, int] = {}
        for at, step in enumerate(binding.steps):
            if step.group is not None:
                first.setdefault(step.group, at)
        stored = stored_tensors(binding.steps)
        known, number = Footprints(), {}
        base = len(self.record.steps)
        for group, at in first.items():
            number[group] = len(self.record.groups)
            step = binding.steps[at]
            nodes = step_nodes(step)
            whole = dataclasses.replace(group, nodes=nodes)
            anchor = getattr(step.call, "node", None)
            edges = fusions(whole, stored, binding.symbols, known)
            why = [
                f"{part_name(e.producer)} -> {part_name(e.consumer)}: {e.reason}"
                + (f" ({size(e.nbytes)} saved)" if e.nbytes else "")
                for e in edges[:MANY]
            ]
            if len(edges) > MANY:
                why.append(f"and {len(edges) - MANY} more")
            self.record.groups.append(GroupRecord(
                step.name, [self.table.add(n) for n in nodes],
                -1 if anchor is None else self.table.add(anchor), base + at, why,
            ))  # fmt: skip
        return {s: number[s.group] for s in binding.steps if s.group is not None}

    def _refusals(self, plan: CompiledPlan) -> None:
        for r in plan.schedule.partition.refusals:
            producer, consumer = self.table.add(r.producer), self.table.add(r.consumer)
            self.record.refusals.append(RefusalRecord(producer, consumer, r.nbytes, r.reason))

    # ------------------------------------------------------------ memory
    def _buffers(self, binding: Binding, first_step: int, base: int) -> None:
        steps = len(binding.steps)
        in_use = [0] * (steps + 1)
        for k, storage in enumerate(binding.storages):
            first, last = binding.lifetimes.get(k, (steps - 1, steps - 1))
            node, output = self._held(storage)
            self.record.buffers.append(BufferRecord(
                storage.kind, binding.nbytes[k], binding.offsets.get(k, -1), first_step + first,
                first_step + last, node, output,
            ))  # fmt: skip
            if k in binding.offsets:
                in_use[first] += rounded(binding.nbytes[k])
                in_use[last + 1] -= rounded(binding.nbytes[k])
        total = 0
        for change in in_use[:-1]:
            total += change
            self.record.memory.append(total)
        mine = self.record.buffers[base:]
        for a, b in (*_neighbours(mine), *_same_place(binding.storages)):
            mine[a].shared_with.append(base + b)
            mine[b].shared_with.append(base + a)

    def _held(self, storage: Storage) -> tuple[int, int]:
        tensor = storage.tensor
        return (-1, -1) if tensor is None else (self.table.add(tensor.node), tensor.value_index)


def step_nodes(step: Step) -> list[Node]:
    """The nodes that a step computes, producers first; of a label the loop or branch it marks."""
    if step.holder is not None:
        return [step.holder]
    nodes = list(step.group.nodes) if step.group is not None else []
    product = getattr(step.call, "node", None) or step.node
    return [product, *nodes] if product is not None and product not in nodes else nodes


def _same_place(storages: Sequence[Storage]) -> list[tuple[int, int]]:
    """A variable's value at the start of a run, and the one written over it; what a loop pushes on
    a stack, and what another pops."""
    seen: dict[object, int] = {}
    out = []
    for k, storage in enumerate(storages):
        place: object = storage.key if storage.kind == "variable" else None
        if isinstance(storage.key, Cursor):
            place = storage.key.stack
        before = k if place is None else seen.setdefault(place, k)
        if before != k:
            out.append((before, k))
    return out


def _neighbours(buffers: Sequence[BufferRecord]) -> list[tuple[int, int]]:
    """Pairs that hold the same bytes of the arena one right after the other."""
    order = sorted(
        (k for k, b in enumerate(buffers) if b.offset >= 0), key=lambda k: buffers[k].first
    )
    # the arena in parts: where each begins, and who held it last
    starts, owners = [0], [-1]
    out: dict[tuple[int, int], None] = {}
    for k in order:
        lo = buffers[k].offset
        hi = lo + rounded(buffers[k].bytes)
        for edge in (lo, hi):
            at = bisect.bisect_left(starts, edge)
            if at == len(starts) or starts[at] != edge:
                starts.insert(at, edge)
                owners.insert(at, owners[at - 1])
        i, j = bisect.bisect_left(starts, lo), bisect.bisect_left(starts, hi)
        out.update(dict.fromkeys((before, k) for before in owners[i:j] if before >= 0))
        starts[i:j], owners[i:j] = [lo], [k]
    return list(out)
