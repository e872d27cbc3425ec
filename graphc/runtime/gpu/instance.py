"""One binding of a plan for a GPU with memory on the device: the walk of its steps.

Lives here: GpuInstance. Not here: what a step launches (gpu/binding.py), variables (gpu/values.py),
host steps' meaning (runtime/instance.py, whose arrays of strings and loops this shares).

Feeds are copied to the device, fetches from it; variables, constants and temporaries stay there.
Steps of the host read and write by copies. The table is the one that the CPU's driver walks; here
Python walks it, and the device works behind.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import InternalError
from graphc.ir.node import Tensor
from graphc.ir.shape import evaluate_shape
from graphc.runtime import driver, trace
from graphc.runtime.gpu.device import Words
from graphc.runtime.gpu.parts import Parts
from graphc.runtime.gpu.pool import Block, pool_of
from graphc.runtime.gpu.values import values_on
from graphc.runtime.instance import Instance
from graphc.runtime.state import Moved, RunContext, VariableStore
from graphc.runtime.steps import Countdown, Step, Storage
from graphc.runtime.validate import validated_run

if TYPE_CHECKING:
    from graphc.runtime.gpu.binding import GpuBinding

Array = np.ndarray[Any, Any]


class _Stopped(Exception):
    """A check has stopped a run that cannot say why."""


def _words(base: int, slots: Array) -> Words:
    """Where the words in these slots lie."""
    return (ctypes.c_uint64 * len(slots))(*(base + 8 * slots).tolist())


class GpuFrame:
    """What the tools look at where a CPU's instance has a compiled frame."""

    def __init__(self, table: Array, profiled: bool) -> None:
        self.table = table
        self.profile = np.zeros((len(table), driver.PROFILE_WORDS), np.int64) if profiled else None


class GpuInstance(Instance):
    """See Instance. `where`: the address of each numeric storage that stays where it is."""

    binding: GpuBinding  # type: ignore[assignment]

    def _allocate(self) -> None:
        """Memory of the plan's own: temporaries, feeds, fetches, what is given, status words."""
        binding = self.binding
        self.device = binding.plan.device
        self.blocks: dict[str | int, Block] = {}
        self.where: dict[int, int] = {}
        self.stamp: object = None
        self.turns: dict[int, int] = {}  # of each loop that runs: how many are left
        self.fed = [
            (evaluate_shape(t.known_dims, binding.symbols), t.dtype.np)
            for t in binding.plan.program.feeds
        ]
        self._take("arena", max(binding.arena.nbytes, 64), "a plan's temporaries")
        self._take("status", max(8 * binding.plan.schedule.status_count, 8), "status words")
        if binding.scratch:
            self._take("scratch", binding.scratch, "parts of products")
        for k in binding.numeric():
            kind = binding.storages[k].kind
            if kind in ("feed", "fetch", "given"):
                self.where[k] = self._take(k, binding.nbytes[k], f"a {kind}")
            elif kind in ("const", "bind"):
                self.where[k] = binding.plan.constant(binding.arrays[k])
            elif kind == "arena":
                self.where[k] = self.blocks["arena"].address + binding.offsets[k]
        self.status = np.zeros(max(binding.plan.schedule.status_count, 1), np.int64)

    def _take(self, key: str | int, nbytes: int, what: str) -> int:
        block = self.blocks[key] = pool_of(self.device).take(nbytes, what)
        return block.address

    def _point(self) -> None:
        from graphc.runtime.gpu.stacks import DeviceStack

        binding = self.binding
        for k, address in self.where.items():
            self.args[binding.slots[k]] = address
        self.stacks = {s: DeviceStack(self.args, binding, s, self.device) for s in binding.stacks}
        for slot, word in binding.status_slots:
            self.args[slot] = self.blocks["status"].address + 8 * word
        for slot in binding.scratch_slots:
            self.args[slot] = self.blocks["scratch"].address

    def _frame(self) -> Any:
        binding = self.binding
        table = binding.table.copy()
        for row, column, slot in binding.links:
            table[row, column] = slot
        base = self.args.ctypes.data
        self.calls = [
            [
                (one.function, one.shape, _words(base, one.slots), one.arguments)
                for one in binding.launches.get(step, ())
            ]
            for step in binding.steps
        ]
        self.rows = [tuple(row) for row in table.tolist()]
        self.parts = Parts(self)
        return GpuFrame(table, self.binding.plan.config.profile)

    # ------------------------------------------------------------ variables
    def _bind(self, store: VariableStore) -> None:
        """Where variables are now; nothing to do where all are where they were."""
        values = values_on(store, self.device)
        stamp = values.stamp
        if stamp is None or stamp != self.stamp:
            self.fresh = self.rebind(store)
            self.stamp = None if self.fresh else values.stamp

    def rebind(self, store: VariableStore) -> dict[Any, Any]:
        """Addresses of variables. Returns fresh memory for those that this run makes."""
        binding = self.binding
        values = values_on(store, self.device)
        values.refresh()
        fresh: dict[Any, Any] = {}
        for variable, (shape, dtype) in binding.written.items():
            have = store.arrays.get(variable)
            if have is None or have.shape != shape:
                if np.dtype(dtype).hasobject:
                    fresh[variable] = store.allocate(shape, dtype)
                else:
                    nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
                    fresh[variable] = values.allocate(variable, nbytes)
        for storage, k in binding.number.items():
            if storage.kind == "variable":
                self._point_variable(storage, k, store, fresh)
        return fresh

    def _point_variable(
        self, storage: Storage, k: int, store: VariableStore, fresh: dict[Any, Any]
    ) -> None:
        if storage.is_read and store.view_shape(storage.variable) != self._shape_of(storage):
            raise Moved
        assert storage.tensor is not None
        if storage.tensor.dtype.kind == "s":
            return
        new = None if storage.is_read else fresh.get(storage.key)
        values = values_on(store, self.device)
        address = values.address(storage.variable) if new is None else new.address
        if self.where.get(k) != address:
            self.where[k] = address
            self.args[self.binding.slots[k]] = address
            self.parts.forget()

    def _commit(self, store: VariableStore) -> None:
        """The run has succeeded: what it wrote is the variables'."""
        values = values_on(store, self.device)
        written = self.binding.written
        for variable, memory in self.fresh.items():
            shape, dtype = written[variable]
            if isinstance(memory, Block):
                values.adopt(variable, memory, shape, dtype)
            else:
                store.adopt(variable, memory)
        self.fresh = {}
        ours = [v for v, (_, dtype) in written.items() if not np.dtype(dtype).hasobject]
        if written:
            values.written(ours)

    # ------------------------------------------------------------ a run
    def run_again(self, arrays: Sequence[Array], store: VariableStore) -> list[Array] | None:
        """A run like the last one, or None where it is not: then nothing has changed."""
        if values_on(store, self.device).stamp != self.stamp or self.stamp is None:
            return None
        if any(a.shape != s or a.dtype != d for a, (s, d) in zip(arrays, self.fed, strict=True)):
            return None
        with store.lock if self.exclusive else contextlib.nullcontext():
            try:
                return self._once(store, arrays, None)
            except _Stopped:
                return None

    def run(self, ctx: RunContext, arrays: Sequence[Array]) -> list[Array]:
        """Fetched arrays; the variables change only if nothing failed."""
        with ctx.store.lock if self.exclusive else contextlib.nullcontext():
            outs = self._once(ctx.store, arrays, ctx)
        return outs if not self.binding.dynamic else self._with_results(outs)

    def _once(
        self, store: VariableStore, arrays: Sequence[Array], ctx: RunContext | None
    ) -> list[Array]:
        """One run. ctx: of a run that may need more than kernels."""
        self._bind(store)
        arrays = self._feed(arrays)
        if self.given and ctx is not None:
            self._give(ctx)
            for k, array in self.given.items():
                self.device.put(self.where[k], array)
        if self.binding.plan.schedule.status_count:
            self.device.zero(self.blocks["status"].address, self.status.nbytes)
        outs = self.outputs()
        if self.binding.plan.config.validate and ctx is not None:
            validated_run(self, ctx, arrays, outs)
        else:
            self._walk(ctx, arrays, outs)
        self._fetch(outs)
        self._commit(store)
        return outs

    def _feed(self, arrays: Sequence[Array]) -> list[Array]:
        """Copies feeds to the device. Returns them as host steps read them."""
        out = list(arrays)
        for n, (array, (shape, dtype)) in enumerate(zip(arrays, self.fed, strict=True)):
            if array.shape != shape:
                raise InternalError(f"feed {n} has shape {array.shape}, not {shape}")
            out[n] = np.ascontiguousarray(array, dtype).reshape(shape)
        for k in self.binding.feeds:
            self.device.put(self.where[k], out[self.binding.storages[k].position])
        return out

    def _fetch(self, outs: list[Array]) -> None:
        skipped = np.cumsum([s is None for s in self.binding.outputs])
        pairs = []
        for k in self.binding.fetched:
            at = self.binding.storages[k].position
            pairs.append((self.where[k], outs[at - int(skipped[at])]))
        if pairs:
            self.device.get_all(pairs)

    def _walk(self, ctx: RunContext | None, arrays: Sequence[Array], outs: list[Array]) -> None:
        """The steps in order, with jumps; parts without any may be one launch."""
        self.turns.clear()
        at, count = 0, len(self.rows)
        profile = self.frame.profile
        while at < count:
            part = self.parts.at(at) if profile is None else None
            if part is not None and self.parts.replay(part):
                at = part.end
                continue
            started = trace.now() if profile is not None else 0
            following = self._step(at, ctx, arrays, outs)
            if profile is not None:
                self.device.synchronize()
                trace.record(profile, at, started)
            at = following

    def run_part(
        self, first: int, end: int, ctx: RunContext, arrays: Sequence[Array], outs: list[Array]
    ) -> None:
        """See Instance."""
        while first < end:
            first = self._step(first, ctx, arrays, outs)

    def _step(
        self, at: int, ctx: RunContext | None, arrays: Sequence[Array], outs: list[Array]
    ) -> int:
        """Does a step; the number of the next one."""
        row, args = self.rows[at], self.args
        kind, a, b = row[driver.KIND], row[driver.ARGS], row[driver.EXTENT]
        if kind in (driver.KERNEL, driver.COPY):
            self.start(at)
        elif kind == driver.JUMP:
            return int(b)
        elif kind == driver.BRANCH:
            return at + 1 if self._goes_on(at, int(args[a])) else int(b)
        elif kind == driver.BELOW:
            return int(b) if args[a] < args[row[driver.AUX0]] else at + 1
        elif kind == driver.MOVE:
            args[a] = args[b]
        elif kind == driver.ADD:
            args[a] += b
        elif kind == driver.CHECK:
            # a loop that is counted ends in any case: it is looked at once, behind it
            if not self.binding.steps[at].counters:
                self._check(ctx, arrays)
        elif kind == driver.HOST:
            self._host(self.binding.steps[at], ctx, arrays, outs)
        return at + 1

    def _goes_on(self, at: int, flag: int) -> bool:
        """Whether a branch is not taken. Turns of a loop that counts are known when it begins."""
        counters = self.binding.steps[at].counters
        if not counters:
            byte = np.empty(1, np.uint8)
            self.device.get(flag, byte)
            return bool(byte[0])
        left = self.turns.pop(at, None)
        if left is None:
            left = min(map(self._turns, counters))
        if left > 0:
            self.turns[at] = left - 1
        return left > 0

    def _turns(self, counter: Countdown) -> int:
        """How often a loop goes round until the counter is at its bound."""
        now = self._number(counter.storage)
        bound = counter.bound
        if isinstance(bound, Storage):
            end = self._number(bound)
        else:
            end = int(self.binding.known(bound))
        return max(-(-(end - now) // counter.step), 0)

    def _number(self, storage: Storage) -> int:
        assert storage.tensor is not None
        value = np.empty(1, storage.tensor.dtype.np)
        self.device.get(self._address(storage), value)
        return int(value[0])

    def start(self, at: int) -> None:
        """Launches a step's kernels, or its copy."""
        row = self.rows[at]
        if row[driver.KIND] == driver.COPY:
            target, source = int(self.args[row[driver.ARGS]]), int(self.args[row[driver.EXTENT]])
            self.device.copy(target, source, row[driver.CHUNK])
        for call in self.calls[at]:
            self.device.launch(*call)

    def _check(self, ctx: RunContext | None, arrays: Sequence[Array]) -> None:
        self.device.get(self.blocks["status"].address, self.status)
        if self.status.any():
            self.status[:] = 0
            if ctx is None:
                raise _Stopped
            self.fail(ctx, arrays)

    # ------------------------------------------------------------ steps of the host
    def _host(
        self, step: Step, ctx: RunContext | None, arrays: Sequence[Array], outs: list[Array]
    ) -> None:
        if step.cursor is not None:
            self.stacks[step.cursor.stack].grow()
        else:
            assert ctx is not None, "plans with host steps have no shorter way"
            self.run_host(step, ctx, arrays, outs)

    def array_of(
        self, storage: Storage, tensor: Tensor, ctx: RunContext, arrays: Sequence[Array],
        outs: Sequence[Array],
    ) -> Array:  # fmt: skip
        """The storage's memory as the tensor's array; of memory on the device, a copy."""
        if tensor.dtype.kind == "s" or storage.kind in ("feed", "const", "bind"):
            return super().array_of(storage, tensor, ctx, arrays, outs)
        shape = evaluate_shape(tensor.known_dims, self.binding.symbols)
        out: Array = np.empty(shape, tensor.dtype.np)
        self.device.get(self._address(storage), out)
        return out

    def keep(
        self, value: Array, storage: Storage, tensor: Tensor, ctx: RunContext,
        arrays: Sequence[Array], outs: Sequence[Array],
    ) -> None:  # fmt: skip
        """Puts a host step's result where the tensor lives."""
        if tensor.dtype.kind == "s":
            super().keep(value, storage, tensor, ctx, arrays, outs)
            return
        shape = evaluate_shape(tensor.known_dims, self.binding.symbols)
        array = np.ascontiguousarray(value, tensor.dtype.np).reshape(shape)
        self.device.put(self._address(storage), array)

    def _address(self, storage: Storage) -> int:
        if storage.kind == "row":
            return int(self.args[self.binding.cursors[storage.key]])  # type: ignore[index]
        return self.where[self.binding.number[storage]]


