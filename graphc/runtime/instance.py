"""Instances: a binding with memory of its own, and one run of it.

Lives here: Instance (arguments, arena, status words, addresses, host steps). Not here: what is
fixed by the extents (binding.py), the compiled walk (driver.py, frame.py).

An instance serves one run at a time; each session keeps those that it has used.
"""


from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.config import current
from graphc.errors import InternalError, InvalidArgumentError
from graphc.ir.faults import located
from graphc.ir.node import Tensor
from graphc.ir.shape import evaluate_shape
from graphc.runtime import driver, threads, trace
from graphc.runtime.backends.reference import evaluate_once
from graphc.runtime.frame import FeedSpec, Frame
from graphc.runtime.hostmem import arena
from graphc.runtime.jumps import StackMemory
from graphc.runtime.panels import pack, panels_of
from graphc.runtime.pool import Pool
from graphc.runtime.state import Moved, RunContext, VariableStore
from graphc.runtime.stats import STATS
from graphc.runtime.steps import Cursor, Stack, Step, Storage

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding

Array = np.ndarray[Any, Any]
POOL = Pool(current().pool_bytes)  # one a process: of the configuration at the first plan
STATS.add_source("pool", lambda: _pool_bytes(POOL))
POOLED_BYTES = 1 << 20  # results of this size come from the recycling pool
RELEASE_GIL_NS = 30000.0


class Instance:
    """One binding with memory: arguments, arena, status words, and the frame that runs it."""

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.args = binding.args.copy()
        self._allocate()
        self.given = {
            k: np.zeros(_given_shape(binding.storages[k]), binding.storages[k].tensor.dtype.np)  # type: ignore[union-attr]
            for k in binding.givens
        }
        self.epoch = self.version = -1
        # runs that write variables are done one after the other: no update of a thread is lost
        self.exclusive = bool(binding.written)
        self.results: dict[int, Array] = {}
        self.fresh: dict[Any, Array] = {}
        # what the arguments point to stays alive, also where another thread replaces a variable
        self.held: list[Array] = []
        self.objects = {
            k: np.empty(evaluate_shape(s.tensor.known_dims, binding.symbols), object)
            for k, s in enumerate(binding.storages)
            if s.kind == "objects" and s.tensor is not None
        }
        self._point()
        self.frame = self._frame()
        self.specs = [
            (shape, dtype, dtype.itemsize * math.prod(shape) >= POOLED_BYTES)
            for shape, dtype in (s for s in binding.outputs if s is not None)
        ]
        self.pooled = any(large for _, _, large in self.specs)
        self.shapes = [shape for shape, _, _ in self.specs]
        self.dtypes = [dtype for _, dtype, _ in self.specs]

    def _allocate(self) -> None:
        """Memory of the plan's own: temporaries and status words."""
        binding = self.binding
        self.arena = arena(max(binding.arena.nbytes, 64))
        self.status = np.zeros(max(binding.plan.schedule.status_count, 1), np.int64)

    def _point(self) -> None:
        """Addresses that stay: arena, constants, given values, status words."""
        binding = self.binding
        base = self.arena.ctypes.data
        for k, slots in binding.slots.items():
            if not slots:
                continue
            if k in binding.offsets:
                self.args[slots] = base + binding.offsets[k]
            elif k in binding.arrays:
                self.args[slots] = binding.arrays[k].ctypes.data
            elif k in self.given:
                self.args[slots] = self.given[k].ctypes.data
        self.stacks: dict[Stack, Any] = {
            s: StackMemory(self.args, binding, s) for s in binding.stacks
        }
        for slot, word in binding.status_slots:
            self.args[slot] = self.status.ctypes.data + 8 * word

    def _frame(self) -> Frame:
        binding, plan = self.binding, self.binding.plan
        table = binding.table.copy()
        base = self.args.ctypes.data
        table[:, driver.ARGS] = base + 8 * table[:, driver.ARGS]
        for row, column, slot in binding.links:
            table[row, column] = base + 8 * slot
        jumps = (table[:, driver.KIND] == driver.JUMP) & (table[:, driver.AUX2] > 0)
        table[jumps, driver.AUX0] = driver.signals_address() if jumps.any() else 0
        checks = table[:, driver.KIND] == driver.CHECK
        table[checks, driver.ARGS] = self.status.ctypes.data
        feeds: dict[int, list[int]] = {}
        fetched: dict[int, list[int]] = {}
        for storage, k in binding.number.items():
            if storage.kind == "feed":
                feeds.setdefault(storage.position, []).extend(binding.slots[k])
            elif storage.kind == "fetch":
                fetched.setdefault(storage.position, []).extend(binding.slots[k])
        feed_specs = [
            FeedSpec(t.dtype.np, evaluate_shape(t.known_dims, binding.symbols),
                     tuple(base + 8 * s for s in feeds.get(n, ())))
            for n, t in enumerate(plan.program.feeds)
        ]  # fmt: skip
        out_specs = [
            FeedSpec(spec[1], spec[0], tuple(base + 8 * s for s in fetched.get(n, ())))
            for n, spec in enumerate(binding.outputs)
            if spec is not None
        ]
        profile = None
        if plan.config.profile:
            profile = np.zeros((len(table), driver.PROFILE_WORDS), np.int64)
        return Frame(
            table,
            feed_specs,
            out_specs,
            pool=0 if plan.config.threads == 1 else threads.pool_address(),
            release_gil=binding.work_ns > RELEASE_GIL_NS,
            profile=profile,
        )

    # ------------------------------------------------------------ variables
    def rebind(self, store: VariableStore) -> dict[Any, Array]:
        """Addresses of variables. Returns fresh memory for those that this run makes."""
        binding = self.binding
        fresh: dict[Any, Array] = {}
        self.held = []
        for variable, (shape, dtype) in binding.written.items():
            have = store.arrays.get(variable)
            if have is None or have.shape != shape:
                fresh[variable] = store.allocate(shape, dtype)
        for storage, k in binding.number.items():
            slots = binding.slots[k]
            if storage.kind == "panels":
                with store.lock:
                    self.held.append(panels_of(store, storage, binding.symbols).memory)
                self.args[slots] = self.held[-1].ctypes.data
            if storage.kind != "variable" or not slots:
                continue
            array = None if storage.is_read else fresh.get(storage.key)
            if array is None:
                array = store.view(storage.variable)
            if storage.is_read and array.shape != self._shape_of(storage):
                raise Moved
            self.held.append(array)
            self.args[slots] = array.ctypes.data
        return fresh

    def _shape_of(self, storage: Storage) -> tuple[int, ...]:
        assert storage.tensor is not None
        return evaluate_shape(storage.tensor.known_dims, self.binding.symbols)

    # ------------------------------------------------------------ a run
    def run_again(self, arrays: Sequence[Array], store: VariableStore) -> list[Array] | None:
        """A run like the last one, or None where it is not: then nothing has changed.

        The frame looks at the arrays itself: anything may stand for them.
        """
        if self.epoch != store.epoch or (self.binding.panels and self.version != store.version):
            return None
        outs = self.outputs()
        if self.exclusive:
            with store.lock:
                if self.epoch != store.epoch:
                    return None
                code = self.frame.run(*arrays, *outs)
                store.version += 1
        else:
            code = self.frame.run(*arrays, *outs)
        if code == driver.FINISHED:
            return outs
        self.status[:] = 0  # a check stopped before any variable was written
        return None

    def run(self, ctx: RunContext, arrays: Sequence[Array]) -> list[Array]:
        """Fetched arrays; the variables change only if nothing failed."""
        if self.exclusive:
            with ctx.store.lock:
                try:
                    return self._run(ctx, arrays)
                finally:
                    ctx.store.version += 1
        return self._run(ctx, arrays)

    def _run(self, ctx: RunContext, arrays: Sequence[Array]) -> list[Array]:
        store = ctx.store
        if self.epoch != store.epoch:
            epoch = store.epoch
            self.fresh = self.rebind(store)
            self.epoch = -1 if self.fresh else epoch
        if self.binding.panels and self.version != store.version:
            threaded = self.binding.plan.config.threads != 1
            self.version = pack(store, self.binding.panels, self.binding.symbols, threaded)
        if self.given:
            self._give(ctx)
        outs = self.outputs()
        if self.binding.plan.config.validate:
            from graphc.runtime.validate import validated_run

            arrays = self._fitting(arrays)
            for number, array in enumerate((*arrays, *outs)):
                self.frame.bind(number, array)
            validated_run(self, ctx, arrays, outs)
            code = driver.FINISHED
        else:
            code = self.frame.run(*arrays, *outs)
        if code >= 0:
            arrays = self._fitting(arrays)
            code = self.frame.run(*arrays, *outs)
        if code != driver.FINISHED:
            self._continue(code, ctx, arrays, outs)
        for variable, array in self.fresh.items():
            store.adopt(variable, array)
        self.fresh = {}
        return outs if not self.binding.dynamic else self._with_results(outs)

    def outputs(self) -> list[Array]:
        """Fresh memory for the fetched arrays; large ones from the recycling pool."""
        if not self.pooled:
            return list(map(np.empty, self.shapes, self.dtypes))
        return [
            POOL.empty(shape, dtype) if large else np.empty(shape, dtype)
            for shape, dtype, large in self.specs
        ]

    def _give(self, ctx: RunContext) -> None:
        for k, array in self.given.items():
            tensor = self.binding.storages[k].tensor
            assert tensor is not None
            node = tensor.node
            if node.op.name == "rng_state":
                array[...] = ctx.rng_state(node.name, node.attrs)
            else:
                array[...] = ctx.store.initialized(node.attrs["variable"])

    def _fitting(self, arrays: Sequence[Array]) -> list[Array]:
        """Feeds as the frame takes them: exact arrays, contiguous, aligned."""
        out = []
        for n, array in enumerate(arrays):
            spec = self.frame._specs[n]
            if not spec.accepts(array):
                fixed = np.empty(spec.shape, spec.dtype)
                if array.shape != spec.shape:
                    raise InternalError(f"feed {n} has shape {array.shape}, not {spec.shape}")
                fixed[...] = array
                array = fixed
            out.append(array)
        return out

    def _continue(
        self, code: int, ctx: RunContext, arrays: Sequence[Array], outs: list[Array]
    ) -> None:
        """Host steps, and what to say when a check stopped the walk."""
        while code != driver.FINISHED:
            if code >= 0:
                raise InternalError(f"argument {code} does not fit the plan")
            at = Frame.stopped_at(code)
            step = self.binding.steps[at]
            if step.kind == "check":
                self.status[:] = 0
                self.fail(ctx, arrays)
            started = trace.now()
            if step.cursor is not None:
                self.stacks[step.cursor.stack].grow()
            else:
                self.run_host(step, ctx, arrays, outs)
            if self.frame.profile is not None:
                trace.record(self.frame.profile, at, started)
            code = self.frame.resume(at + 1)

    def run_part(
        self, first: int, end: int, ctx: RunContext, arrays: Sequence[Array], outs: list[Array]
    ) -> None:
        """Some steps of a run whose frame has its arguments."""
        part = self.frame.table[:end]
        code = driver.drive(part, start=first)
        while code != driver.FINISHED:
            stopped = self.binding.steps[code]
            if stopped.kind == "check":
                self.status[:] = 0
                self.fail(ctx, arrays)
            elif stopped.cursor is not None:
                self.stacks[stopped.cursor.stack].grow()
            else:
                self.run_host(stopped, ctx, arrays, outs)
            code = driver.drive(part, start=code + 1)

    def run_host(
        self, step: Step, ctx: RunContext, arrays: Sequence[Array], outs: list[Array]
    ) -> None:
        if step.copies is not None:
            source, target = step.copies
            assert target.tensor is not None
            args = (target.tensor, ctx, arrays, outs)
            self.array_of(target, *args)[...] = self.array_of(source, *args)
            return
        assert step.node is not None
        inputs = [
            self.array_of(s, t, ctx, arrays, outs)
            for s, t in zip(step.reads, step.node.inputs, strict=True)
        ]
        if step.inside:
            ctx.done.pop(step.node.name, None)  # once a step of the loop, not once a run
        values = evaluate_once(step.node, inputs, ctx)
        for storage, tensor, value in zip(step.writes, step.node.outputs, values, strict=True):
            if tensor.dims is None or any(d is None for d in tensor.dims):
                self.results[storage.position] = value
                continue
            self.keep(value, storage, tensor, ctx, arrays, outs)

    def keep(
        self, value: Array, storage: Storage, tensor: Tensor, ctx: RunContext,
        arrays: Sequence[Array], outs: Sequence[Array],
    ) -> None:  # fmt: skip
        """Puts a host step's result where the tensor lives."""
        memory = self.array_of(storage, tensor, ctx, arrays, outs)
        memory[...] = value.reshape(memory.shape)

    def array_of(
        self, storage: Storage, tensor: Tensor, ctx: RunContext, arrays: Sequence[Array],
        outs: Sequence[Array],
    ) -> Array:  # fmt: skip
        """The storage's memory as the tensor's array."""
        binding = self.binding
        shape = evaluate_shape(tensor.known_dims, binding.symbols)
        k = binding.number[storage]
        if storage.kind == "arena":
            at = binding.offsets[k]
            raw = self.arena[at : at + binding.nbytes[k]]
            return raw.view(tensor.dtype.np).reshape(shape)
        if storage.kind == "row":
            return self._row(storage, tensor.dtype.np, shape)
        if storage.kind == "feed":
            return arrays[storage.position].reshape(shape)
        if storage.kind == "variable":
            array = None if storage.is_read else self.fresh.get(storage.key)
            if array is None:
                array = ctx.store.view(storage.variable)
            return array.reshape(shape)
        if storage.kind == "objects":
            return self.objects[k].reshape(shape)
        if storage.kind == "given":
            return self.given[k].reshape(shape)
        if storage.kind == "fetch":
            skipped = sum(s is None for s in binding.outputs[: storage.position])
            return outs[storage.position - skipped].reshape(shape)
        return binding.arrays[k].reshape(shape)

    def _row(self, storage: Storage, dtype: Any, shape: tuple[int, ...]) -> Array:
        cursor = storage.key
        assert isinstance(cursor, Cursor)
        return self.stacks[cursor.stack].row(cursor, dtype, shape)

    def _with_results(self, outs: list[Array]) -> list[Array]:
        given = iter(outs)
        return [
            self.results.pop(n) if spec is None else next(given)
            for n, spec in enumerate(self.binding.outputs)
        ]

    def fail(self, ctx: RunContext, arrays: Sequence[Array]) -> None:
        """Raises what the reference says of these inputs: it names the element and the line."""
        from graphc.runtime.backends.reference import ReferencePlan

        plan = self.binding.plan
        ReferencePlan(plan.program, plan.config).evaluate(ctx, arrays, self.binding.symbols)
        step = next(s for s in self.binding.steps if s.status >= 0)
        node = step.node if step.group is None else step.group.nodes[-1]
        assert node is not None
        raise located(
            InvalidArgumentError("an index is out of range or an integer was divided by zero"), node
        )


def _given_shape(storage: Storage) -> tuple[int, ...]:
    assert storage.tensor is not None
    return tuple(storage.tensor.dims or ())  # type: ignore[arg-type]


def _pool_bytes(pool: Pool) -> dict[str, int]:
    found = pool.stats()
    return {"pool_lent_bytes": found.lent_bytes, "pool_idle_bytes": found.idle_bytes}
