"""The schedule of a program: steps in order, and where each tensor lives.

Lives here: the scheduler. Not here: the vocabulary (runtime/steps.py), which updates are written
in place (runtime/inplace.py), addresses (runtime/binding.py), the memory plan (runtime/memory.py).
Imports fusion, kernel.lower, ir.

Order: a variable is written only after every other step has read its old value, and after every
step that may still fail, so that an error never leaves a variable half updated.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from itertools import pairwise

from graphc.config import Config
from graphc.fusion.alike import signature
from graphc.fusion.anchors import Anchor, take_epilogues
from graphc.fusion.build import GroupBuilder
from graphc.fusion.partition import Group, partition
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, consumers_of
from graphc.ir.shape import dims_product
from graphc.kernel.expr import Buffer
from graphc.kernel.lower import lower
from graphc.kernel.nest import Kernel
from graphc.kernel.optimize import in_place
from graphc.ops.control import HOLDERS, is_stack
from graphc.passes.base import VIEWS
from graphc.runtime.chains import Chain, make_chains
from graphc.runtime.inplace import UpdatePlacer
from graphc.runtime.loops import carry_in_place, control_steps, stack_of
from graphc.runtime.lowered import Lowered
from graphc.runtime.prologue import product_prologues
from graphc.runtime.rows import RowsCall, rows_call, scratch_elements
from graphc.runtime.scan import MovingCall, moving_call
from graphc.runtime.steps import Schedule, Step, Storage, Unit, kernel_name, origins_of
from graphc.runtime.tile_steps import (
    finish_in_place,
    finish_unit,
    is_tiled,
    product_calls,
    product_steps,
)

# known when extents are: written at binding
BIND_OPS = frozenset({"bound", "shape", "shape_n", "size", "rank"})


class Scheduler:
    """Builds one schedule, or with an `outer` one the steps of a body inside of it."""

    def __init__(self, program: Program, config: Config, outer: Scheduler | None = None) -> None:
        self.outer = outer
        self.program = program
        self.config = config
        self.partition = partition(program, config)
        self.products = product_calls(program, config)
        self.anchors: dict[Group, Anchor] = {}
        if config.fuse:
            self.anchors = take_epilogues(program, self.partition, self.takes_epilogue)
        self.readers = consumers_of(program)
        self.home: dict[Tensor, Storage] = {}
        self.units: list[Unit] = []
        self.unit_of: dict[Node, Unit] = {}
        self.statuses: list[str] = [] if outer is None else outer.statuses
        self.scratch: dict[object, Storage] = {} if outer is None else outer.scratch
        self.panels: dict[object, Storage] = {}
        self.names: dict[str, int] = {} if outer is None else outer.names
        self.loops: list[tuple[Step, Step]] = [] if outer is None else outer.loops
        self.lowered: dict[Hashable, Lowered] = {} if outer is None else outer.lowered
        self.leads = product_prologues(self) if config.fuse else {}

    def run(self) -> Schedule:
        steps, fetches, inplace = self.steps()
        chains: list[Chain] = []
        # validation looks at every step by itself; chains are of the CPU's tiles
        chained = self.config.fuse and self.config.backend == "cpu"
        if chained and not self.config.validate:
            steps, chains = make_chains(steps, set(fetches), self.program.env.hints)
        return Schedule(
            self.program, self.partition, steps, self.home, fetches, len(self.statuses), inplace,
            loops=self.loops, chains=chains,
        )  # fmt: skip

    def steps(self) -> tuple[list[Step], list[Storage], int]:
        """(steps in order, a storage for each output, updates written in place)."""
        self._sources()
        self._make_units()
        self._link()
        self._place_outputs()
        carry_in_place(self)
        inplace = UpdatePlacer(self).run() if self.program.updates else 0
        order = self._order()
        self._share_memory(order)
        steps = self._emit(order)
        fetches, copies = self._fetches()
        if self.outer is not None:
            self.outer.partition.join(self.partition)
        return self._with_checks(steps, copies), fetches, inplace

    # ------------------------------------------------------------ sources
    def _sources(self) -> None:
        for node in self.program.nodes:
            op = node.op.name
            for tensor in node.outputs:
                if op == "feed":
                    self._give(tensor, "feed", node.attrs["position"])
                elif op == "read":
                    self._give(tensor, "variable", node.attrs["variable"])
                elif op == "const":
                    self._give(tensor, "const", tensor)
                elif op in ("rng_state", "initialized"):
                    self._give(tensor, "given", node)
                elif op in BIND_OPS:
                    self._give(tensor, "bind", tensor)

    def _give(self, tensor: Tensor, kind: str, key: object) -> Storage:
        elements = None if tensor.dims is None else dims_product(tensor.dims)
        if elements is None:
            elements = 0  # a data-dependent result: the host keeps it
        elif kind == "arena" and tensor.dtype.kind == "s":
            kind = "objects"
        storage = Storage(kind, key, tensor.dtype.size, elements, tensor)
        self.home[tensor] = storage
        return storage

    # ------------------------------------------------------------ units
    def _make_units(self) -> None:
        done: set[Group] = set()
        inside = {n for nodes in self.leads.values() for n in nodes}
        for node in self.program.nodes:
            if node.op.family == "source" or node.op.name in BIND_OPS or node in inside:
                continue
            group = self.partition.group_of.get(node)
            if node.op.name in HOLDERS:
                unit = Unit([node], None, None, control=True)
            elif group is None:
                call = self.products.get(node) or rows_call(node) or moving_call(node)
                flagged = call is not None and call.may_fail
                unit = Unit([*self.leads.get(node, ()), node], None, call, flagged=flagged)
            elif group in done:
                continue
            elif group in self.anchors:
                done.add(group)
                anchor = self.anchors[group]
                call = self.products[anchor.node]
                nodes = [*self.leads.get(anchor.node, ()), *anchor.nodes, *group.nodes]
                unit = Unit(nodes, group, call)
            elif len(group.nodes) == 1 and node.op.name in VIEWS:
                unit = Unit([node], None, None, view=True)
            else:
                done.add(group)
                unit = Unit(list(group.nodes), group, None)
            self.units.append(unit)
            for member in unit.nodes:
                self.unit_of[member] = unit

    def _link(self) -> None:
        roots = set(self.program.roots)
        for unit in self.units:
            members = set(unit.nodes)
            for node in unit.nodes:
                for tensor in node.inputs:
                    if tensor.node not in members:
                        unit.inputs[tensor] = None
                        source = self.unit_of.get(tensor.node)
                        if source is not None:
                            unit.before.add(source)
                for tensor in node.outputs:
                    outside = any(r not in members for r in self.readers.get(tensor, ()))
                    if outside or tensor in roots:
                        unit.exposed.append(tensor)
        chain = [u for u in map(self.unit_of.get, self.program.effects) if u is not None]
        for early, late in pairwise(chain):
            late.before.add(early)
        for unit in self.units:
            if unit.group is not None and unit.call is not None:
                finish_unit(self, unit, self.anchors[unit.group])
            elif unit.group is not None:
                self._lower(unit)

    def takes_epilogue(self, node: Node) -> bool:
        """Whether the node's step can run a group on its tiles."""
        return is_tiled(call := self.products.get(node)) and call.takes_finish

    def _lower(self, unit: Unit) -> None:
        assert unit.group is not None
        origins = origins_of(unit.nodes)
        name = self.unique(kernel_name(unit.nodes))
        structure, tensors = signature(unit.nodes)
        place = {t: n for n, t in enumerate(tensors)}
        group = unit.group
        sums = tuple(n in group.sums for n in unit.nodes)
        exposed = tuple(place[t] for t in unit.exposed)
        key = (structure, group.domain, group.regular, sums, exposed)
        buffers = [self.buffer_of(t) for t in tensors]
        known = self.lowered.get(key)
        if known is None:
            computes = GroupBuilder(unit.group, self.buffer_of).computes(unit.exposed)
            many = self.config.backend == "cuda"
            unit.kernels = lower(name, computes, {}, origins, many)
            self.lowered[key] = Lowered(name, unit.kernels, buffers)
        else:
            unit.kernels = known.again(name, origins, buffers)
        unit.flagged = any(k.flags for k in unit.kernels)

    def unique(self, name: str) -> str:
        """Names of kernels also key their scratch buffers."""
        count = self.names[name] = self.names.get(name, 0) + 1
        return name if count == 1 else f"{name}_v{count}"

    def buffer_of(self, tensor: Tensor) -> Buffer:
        return Buffer(tensor, tensor.dtype, tensor.known_dims, tensor.text_name.removesuffix(":0"))

    # ------------------------------------------------------------ homes
    def _place_outputs(self) -> None:
        """Exposed tensors live in the arena, unless they are fetched or views."""
        for unit in self.units:
            if unit.view:
                out = unit.nodes[0].outputs[0]
                self.home[out] = self.home[unit.nodes[0].inputs[0]]
                continue
            for tensor in unit.exposed:
                if is_stack(tensor):
                    self.home[tensor] = stack_of(tensor)
                else:
                    self._give(tensor, "arena", tensor)
        taken: set[Storage] = set()
        for number, tensor in enumerate(self.program.outputs):
            storage = self.home[tensor]
            if storage.kind == "arena" and storage not in taken:
                taken.add(storage)
                storage.kind, storage.key = "fetch", number

    def names_of(self, unit: Unit, home: Storage) -> list[Tensor]:
        """The unit's inputs in one piece of memory: a tensor and views of it."""
        return [t for t in unit.inputs if self.home[t] is home]

    def rewrite_in_place(self, unit: Unit, value: Tensor, source: Tensor) -> bool:
        """Whether the unit writes `value` where it reads `source`; its kernels then do so."""
        if isinstance(unit.call, RowsCall):
            call = unit.call
            return source is call.base and source not in (call.ids, call.rows)
        if is_tiled(unit.call):
            return finish_in_place(self, unit, value, source)
        try:
            unit.kernels = in_place(unit.kernels, {self.buffer_of(value): self.buffer_of(source)})
        except ValueError:
            return False
        return True

    # ------------------------------------------------------------ order
    def _order(self) -> list[Unit]:
        """Topological; of the ready units first those that write no variable, then the oldest."""
        waiting = {u: len(u.before) for u in self.units}
        after: dict[Unit, list[Unit]] = {}
        for unit in self.units:
            for before in unit.before:
                after.setdefault(before, []).append(unit)
        heap = [(u.writes_variable, u.nodes[-1].id, n, u)
                for n, u in enumerate(self.units) if not u.before]  # fmt: skip
        number = {u: n for n, u in enumerate(self.units)}
        heapq.heapify(heap)
        out: list[Unit] = []
        while heap:
            *_, unit = heapq.heappop(heap)
            out.append(unit)
            for later in after.get(unit, ()):
                waiting[later] -= 1
                if not waiting[later]:
                    entry = (later.writes_variable, later.nodes[-1].id, number[later], later)
                    heapq.heappush(heap, entry)
        assert len(out) == len(self.units), "the units depend on each other in a circle"
        return out

    def _share_memory(self, order: Sequence[Unit]) -> None:
        """Outputs take the memory of an input that dies in the same kernel, index by index."""
        last: dict[Storage, Unit] = {}
        for unit in order:
            for tensor in unit.inputs:
                last[self.home[tensor]] = unit
        kept = {self.home[t] for t in self.program.roots}
        for unit in order:
            into = isinstance(unit.call, RowsCall) and unit.call.base is not None
            one = len(unit.kernels) == 1 or is_tiled(unit.call)
            if not into and (unit.group is None or not one):
                continue
            dying = [
                t
                for t in unit.inputs
                if self.home[t].kind == "arena" and last[self.home[t]] is unit
                and self.home[t] not in kept
            ]  # fmt: skip
            for tensor in unit.exposed:
                old = self.home[tensor]
                if old.kind == "arena" and dying and self._share(unit, tensor, dying):
                    new = self.home[tensor]
                    last[new] = last.get(old, unit)
                    if old in kept:
                        kept.add(new)

    def _share(self, unit: Unit, tensor: Tensor, dying: list[Tensor]) -> bool:
        for source in dying:
            same = self.home[source].nbytes == self.home[tensor].nbytes
            if not same or source.dtype is not tensor.dtype:
                continue
            if self.names_of(unit, self.home[source]) != [source]:
                continue  # a view of it may be read at another place
            if not self.rewrite_in_place(unit, tensor, source):
                continue
            old, new = self.home[tensor], self.home[source]
            for other, home in self.home.items():
                if home is old:  # views of the output
                    self.home[other] = new
            dying[:] = [t for t in dying if self.home[t] is not new]
            return True
        return False

    # ------------------------------------------------------------ steps
    def _emit(self, order: Sequence[Unit]) -> list[Step]:
        steps: list[Step] = []
        for unit in order:
            if unit.view:
                continue
            if isinstance(unit.call, RowsCall):
                steps.extend(self._rows_steps(unit.call))
            elif unit.call is not None and not isinstance(unit.call, MovingCall):
                steps.extend(product_steps(self, unit))
            elif unit.group is not None:
                steps.extend(self._kernel_step(unit, k) for k in unit.kernels)
            elif unit.control:
                steps.extend(control_steps(self, unit.nodes[0]))
            else:
                node = unit.nodes[0]
                reads = tuple(self.home[t] for t in node.inputs)
                writes = tuple(self.out(t) for t in node.outputs)
                kind = "host" if unit.call is None else unit.call.kind
                steps.append(Step(kind, node.op.name, reads, writes, call=unit.call, node=node))
        return steps

    def _rows_steps(self, call: RowsCall) -> list[Step]:
        """The step, behind a copy of what it writes into where that is not in place already."""
        reads = tuple(self.home[t] for t in (call.ids, call.rows) if t is not None)
        writes: tuple[Storage, ...] = () if call.out is None else (self.out(call.out),)
        if call.form == "first":
            words = Storage("arena", ("rows", call.node), 4, scratch_elements(call))
            writes = (*writes, words)
        steps = []
        if call.base is not None:
            base, out = self.home[call.base], writes[0]
            if base is not out and (base.kind, base.key) != (out.kind, out.key):
                name = f"{call.node.op.name} into"
                steps.append(Step("copy", name, (base,), (out,), copies=(base, out)))
        status = -1
        if call.may_fail:
            status = self.new_status(call.kernel_name)
        name = call.kernel_name
        steps.append(
            Step("rows", name, reads, writes, call=call, node=call.node, status=status)
        )
        return steps

    def out(self, tensor: Tensor) -> Storage:
        """Where an output goes; outputs that nobody reads still need memory."""
        return self.home[tensor] if tensor in self.home else self._give(tensor, "arena", tensor)

    def _kernel_step(self, unit: Unit, kernel: Kernel) -> Step:
        reads = tuple(self.storage_of(b) for b in kernel.inputs)
        writes = tuple(self.written_to(b, unit) for b in kernel.outputs)
        status = -1
        if kernel.flags:
            status = self.new_status(kernel.name)
        return Step(
            "kernel", kernel.name, reads, writes, kernel, group=unit.group, status=status
        )

    def new_status(self, name: str) -> int:
        """The number of a new status word."""
        self.statuses.append(name)
        return len(self.statuses) - 1

    def storage_of(self, buffer: Buffer) -> Storage:
        if isinstance(buffer.key, Tensor):
            return self.home[buffer.key]
        found = self.scratch.get(buffer.key)
        if found is None:
            elements = dims_product(buffer.shape)
            assert elements is not None
            found = Storage("arena", buffer.key, buffer.dtype.size, elements)
            self.scratch[buffer.key] = found
        return found

    def written_to(self, buffer: Buffer, unit: Unit) -> Storage:
        """An output that takes a variable's memory stands under the read's key."""
        key = buffer.key
        if isinstance(key, Tensor) and key.node.op.name == "read":
            variable = key.node.attrs["variable"]
            for tensor in unit.exposed:
                home = self.home[tensor]
                if home.kind == "variable" and home.key is variable:
                    return home
        return self.storage_of(buffer)

    def _fetches(self) -> tuple[list[Storage], list[Step]]:
        """A storage a fetch; what lives elsewhere is copied before variables change."""
        out: list[Storage] = []
        copies: list[Step] = []
        for number, tensor in enumerate(self.program.outputs):
            home = self.home[tensor]
            if home.kind == "fetch" and home.key == number:
                out.append(home)
                continue
            target = Storage("fetch", number, home.dtype_size, home.elements, tensor)
            out.append(target)
            copies.append(
                Step("copy", f"fetch {number}", (home,), (target,), copies=(home, target))
            )
        return out, copies

    def _with_checks(self, steps: list[Step], fetch_copies: list[Step]) -> list[Step]:
        """[compute..., copies of old values, check, writes of variables..., copies of new ones]"""
        first = next(
            (n for n, s in enumerate(steps) if any(w.kind == "variable" for w in s.writes)),
            len(steps),
        )
        written = {w for s in steps for w in s.writes if w.kind == "variable"}
        early = [c for c in fetch_copies if c.reads[0].kind in ("variable", "feed", "const")
                 and c.reads[0] not in written]  # fmt: skip
        late = [c for c in fetch_copies if c not in early]
        # a body's steps are checked behind the loop
        check = [Step("check", "check")] if self.statuses and self.outer is None else []
        moved = self._update_copies()
        return [*steps[:first], *early, *check, *steps[first:], *late, *moved]

    def _update_copies(self) -> list[Step]:
        """Updates whose value was computed elsewhere are copied into the variable at the end."""
        pairs: list[tuple[Storage, Storage]] = []
        for update in self.program.updates:
            home = self.home[update.value]
            if home.kind == "variable" and home.key is update.variable:
                continue
            target = Storage(
                "variable", update.variable, home.dtype_size, home.elements, update.value
            )
            pairs.append((home, target))
        return [
            Step("copy", f"update {getattr(t.key, 'name', 'spare')}", (s,), (t,), copies=(s, t))
            for s, t in _unclashed(pairs)
        ]


def _unclashed(pairs: list[tuple[Storage, Storage]]) -> list[tuple[Storage, Storage]]:
    """Copies in an order in which no source is overwritten before it is read.

    A circle (a, b = b, a) is broken by a copy through the arena.
    """
    out: list[tuple[Storage, Storage]] = []
    left = list(pairs)
    while left:
        ready = next(
            (
                p
                for p in left
                if not any(q is not p and q[0].kind == "variable" and q[0].key is p[1].key
                           for q in left)  # fmt: skip
            ),
            None,
        )
        if ready is None:
            source, target = left[0]
            strings = source.tensor is not None and source.tensor.dtype.kind == "s"
            spare = Storage(
                "objects" if strings else "arena",
                ("spare", source.key),
                source.dtype_size,
                source.elements,
                source.tensor,
            )
            out.append((source, spare))
            left[0] = (spare, target)
            continue
        left.remove(ready)
        out.append(ready)
    return out


def schedule(program: Program, config: Config) -> Schedule:
    """The schedule of an optimised program."""
    return Scheduler(program, config).run()
