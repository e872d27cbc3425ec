"""Bindings: a plan for one set of extents, and instances of it with memory of their own.

Lives here: Binding (sizes, offsets, the argument template). Not here: memory and runs
(instance.py), storages and steps (steps.py), building (plan.py).

Argument slots of all steps lie in one int64 array. A binding fills what does not depend on
memory; an instance adds the addresses. An instance serves one run at a time; each session keeps
the instances it has used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import InternalError
from graphc.ir.node import Tensor
from graphc.ir.shape import evaluate, evaluate_shape
from graphc.ops.values import value_of
from graphc.runtime import driver
from graphc.runtime.chains import fill_chain
from graphc.runtime.instance import RELEASE_GIL_NS, Instance
from graphc.runtime.jumps import JUMPS, fill_jumps
from graphc.runtime.memory import Request, plan_arena
from graphc.runtime.state import RunContext, VariableStore
from graphc.runtime.stats import STATS
from graphc.runtime.steps import Step, Storage

if TYPE_CHECKING:
    from graphc.runtime.plan import CompiledPlan

Array = np.ndarray[Any, Any]
BYTES_PER_NS = 30.0  # what one core moves; 2026-11: 33 to 57 GB/s measured
COST_PER_NS = 48.0  # elements times table cost, 16 lanes at 3 GHz
ALONE_NS = 4000.0  # below this a step is not worth waking a worker for
MAX_PIECES = 64
MAX_KEPT = 64  # bindings of a plan whose memory a session keeps
MAX_KEPT_BYTES = 1 << 30


class Binding:
    """A plan for concrete extents. `symbols` gives every symbol of the program its value."""

    instance_type = Instance

    def __init__(self, plan: CompiledPlan, symbols: Mapping[str, int]) -> None:
        self.plan = plan
        self.symbols = dict(symbols)
        schedule = plan.schedule
        self.steps = schedule.steps
        self.storages = _storages(self.steps, schedule.fetches)
        self.number = {s: k for k, s in enumerate(self.storages)}
        self.nbytes = [evaluate(s.nbytes, symbols) for s in self.storages]
        self._plan_memory()
        self._bind_values()
        self._plan_slots()
        self.outputs = [self._output(t) for t in schedule.program.outputs]
        self.dynamic = any(o is None for o in self.outputs)
        self.host_steps = any(s.on_host for s in self.steps)
        self.panels = [s for s in self.storages if s.kind == "panels"]
        self.givens = [k for k, s in enumerate(self.storages) if s.kind == "given"]
        self.written = {
            u.variable: (evaluate_shape(u.value.known_dims, symbols), u.value.dtype.np)
            for u in schedule.program.updates
        }
        self.read = [
            n.attrs["variable"]
            for n in schedule.program.nodes
            if n.op.name == "read"
        ]

    # ------------------------------------------------------------ what is fixed
    def _plan_memory(self) -> None:
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for at, step in enumerate(self.steps):
            for storage in (*step.reads, *step.writes):
                k = self.number[storage]
                first.setdefault(k, at)
                last[k] = at
        place = {step: at for at, step in enumerate(self.steps)}
        for head, end in self.plan.schedule.loops:
            for k, at in last.items():
                # what comes from before the loop is read again in its next step
                if first[k] < place[head] <= at < place[end]:
                    last[k] = place[end]
        for chain in self.plan.schedule.chains:
            begin, behind = place[chain.head], place[chain.end]
            for k, at in last.items():
                # products are at different members at the same time
                if first[k] <= behind and at >= begin:
                    first[k], last[k] = min(first[k], begin), max(at, behind)
        # of each storage that some step touches: the first and the last step of its life
        self.lifetimes = {k: (first[k], at) for k, at in last.items()}
        in_arena = [k for k, s in enumerate(self.storages) if s.kind == "arena"]
        requests = [Request(self.nbytes[k], first[k], last[k]) for k in in_arena]
        self.arena = plan_arena(requests)
        self.offsets = dict(zip(in_arena, self.arena.offsets, strict=True))
        STATS.arena(self.arena.nbytes)

    def _bind_values(self) -> None:
        """Arrays known at binding: constants, shapes."""
        self.arrays: dict[int, Array] = {}
        for k, storage in enumerate(self.storages):
            if storage.kind == "const":
                assert storage.tensor is not None
                array = storage.tensor.node.attrs["value"].array
                self.arrays[k] = np.ascontiguousarray(array).reshape(array.shape)
            elif storage.kind == "bind":
                assert storage.tensor is not None
                self.arrays[k] = self.known(storage.tensor)

    def known(self, tensor: Tensor) -> Array:
        """The value of a tensor that extents decide."""
        value = value_of(tensor)
        if value is None:
            raise InternalError(f"{tensor.text_name} is not known when the plan is bound")
        flat = [evaluate(v, self.symbols) for v in value.reshape(-1).tolist()]
        return np.array(flat, tensor.dtype.np).reshape(value.shape)

    def _plan_slots(self) -> None:
        """The argument template and which slots each storage fills."""
        args: list[int] = []
        self.table = np.zeros((len(self.steps), driver.STEP_WORDS), np.int64)
        self.slots: dict[int, list[int]] = {k: [] for k in range(len(self.storages))}
        self.status_slots: list[tuple[int, int]] = []
        # (row, column, slot): what holds the address of a slot
        self.links: list[tuple[int, int, int]] = []
        total_ns = 0.0
        for at, step in enumerate(self.steps):
            row = self.table[at]
            row[driver.ARGS] = len(args)
            if step.on_host or step.kind == "grow":
                row[driver.KIND] = driver.HOST
                total_ns += RELEASE_GIL_NS
                continue
            if step.kind == "check":
                row[driver.KIND] = driver.CHECK
                row[driver.EXTENT] = self.plan.schedule.status_count
                continue
            if step.kind in JUMPS or step.kind == "chain":
                continue
            for storage in (*step.reads, *step.writes):
                self.slots[self.number[storage]].append(len(args))
                args.append(0)
            if step.kind == "copy":
                row[driver.KIND] = driver.COPY
                row[driver.CHUNK] = self.nbytes[self.number[step.reads[0]]]
                self.links.append((at, driver.ARGS, len(args) - 1))
                self.links.append((at, driver.EXTENT, len(args) - 2))
                continue
            if step.kind == "branch":
                row[driver.KIND] = driver.BRANCH
                continue
            total_ns += self._fill_call(row, step, args)
        for chain in self.plan.schedule.chains:
            fill_chain(self, chain, args)
        self.cursors, self.stacks = fill_jumps(self, args)
        if self.plan.schedule.loops:
            total_ns += RELEASE_GIL_NS  # nobody knows how often it goes round
        self.args = np.array(args, np.int64)
        self.work_ns = total_ns

    def _fill_call(self, row: Array, step: Step, args: list[int]) -> float:
        """Scalars, extent and chunk of a kernel or a call; its estimated time."""
        row[driver.KIND] = driver.KERNEL
        row[driver.FN] = self.plan.addresses[step]
        if step.call is not None:
            args.extend(step.call.slots(self.symbols))
            self._status_slot(step, args)
            row[driver.EXTENT] = step.call.extent(self.symbols)
            row[driver.CHUNK] = step.call.chunk(self.symbols)
            return step.call.nanoseconds(self.symbols)
        kernel = step.kernel
        assert kernel is not None
        args.extend(evaluate(d, self.symbols) for d in kernel.dims)
        self._status_slot(step, args)
        extent = evaluate(kernel.extent, self.symbols)
        nanoseconds = self._estimate(step)
        row[driver.EXTENT] = extent
        row[driver.CHUNK] = chunk_of(extent, kernel.grain, nanoseconds)
        return nanoseconds

    def _status_slot(self, step: Step, args: list[int]) -> None:
        if step.status >= 0:
            self.status_slots.append((len(args), step.status))
            args.append(0)

    def _estimate(self, step: Step) -> float:
        nbytes = [self.nbytes[self.number[s]] for s in (*step.reads, *step.writes)]
        domain = step.group.domain if step.group is not None else ()
        elements = 1
        for dim in domain:
            elements *= evaluate(dim, self.symbols)
        largest = max([*nbytes, 4]) // 4
        cost = step.group.cost if step.group is not None else 1.0
        return sum(nbytes) / BYTES_PER_NS + max(elements, largest) * cost / COST_PER_NS

    def _output(self, tensor: Tensor) -> tuple[tuple[int, ...], Any] | None:
        """(shape, dtype) of a fetched array; None where only the data decide."""
        if tensor.dims is None or any(d is None for d in tensor.dims):
            return None
        return evaluate_shape(tensor.dims, self.symbols), tensor.dtype.np  # type: ignore[arg-type]

    # ------------------------------------------------------------ running
    def simple_instances(self, store: VariableStore) -> list[Instance] | None:
        """The session's free instances, where a run needs nothing but the frame."""
        more = self.givens or self.host_steps or self.dynamic or self.plan.config.validate
        return None if more else store.instances.get(self)

    def run(self, ctx: RunContext, arrays: Sequence[Array]) -> list[Array]:
        """Fetched arrays of one run."""
        free = ctx.store.instances.get(self)
        if free is None:
            free = self._instances(ctx.store)
        try:
            instance = free.pop()
        except IndexError:
            instance = self.instance_type(self)
        try:
            if ctx.trace is not None:
                return ctx.trace.run(instance, ctx, arrays)
            return instance.run(ctx, arrays)
        finally:
            free.append(instance)

    def _instances(self, store: VariableStore) -> list[Instance]:
        """A place for instances in a session; the oldest of the same plan's give way.

        Extents that change all the time must not fill the memory with arenas.
        """
        with store.lock:
            free: list[Instance] = store.instances.setdefault(self, [])
            ours = [b for b in store.instances if b.plan is self.plan]
            total = sum(b.arena.nbytes for b in ours)
            for old in ours[:-1]:
                if len(ours) <= MAX_KEPT and total <= MAX_KEPT_BYTES:
                    break
                ours.remove(old)
                total -= old.arena.nbytes
                del store.instances[old]
        return free


def chunk_of(extent: int, grain: int, nanoseconds: float) -> int:
    """The chunk of a step, by its shape alone; 0 for one piece."""
    if nanoseconds < ALONE_NS or extent <= grain:
        return 0
    pieces = 2
    while pieces < MAX_PIECES and pieces * ALONE_NS * 2 < nanoseconds:
        pieces *= 2
    chunk = -(-extent // pieces)
    return -(-chunk // grain) * grain


def _storages(steps: Sequence[Step], fetches: Sequence[Storage]) -> list[Storage]:
    found: dict[Storage, None] = {}
    for step in steps:
        for storage in (*step.reads, *step.writes):
            found[storage] = None
    for storage in fetches:
        found[storage] = None
    return list(found)
