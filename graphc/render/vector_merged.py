"""A vector loop whose masked tail shares the code of the full vectors.

Lives here: MergedBody, the mask of a tail. Not here: other loops (render/vector_loops.py, the only
importer).

Printing a long body twice, for full vectors and for the tail, doubles the time to compile. Here the
body stands once; only its loads (together, at the top) and its stores (together, at the end) have
two forms, chosen by a branch that is predicted in all but the last step. Measured 2025-11-21: a
kernel of two sigmoids, tanh and exp compiles in 60 % of the time and runs as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from graphc.ir.dtypes import bool_
from graphc.kernel.expr import Cast, Expr, Load, Local, Prim, Select, postorder
from graphc.kernel.nest import For, Let, Stmt, Store, Update
from graphc.render.base import Prepared, effect_flag
from graphc.render.vector_emit import Emitter
from graphc.render.vector_memory import emit_store
from graphc.render.vector_scope import Lines
from graphc.render.vector_types import Value, constant, vector_type

# fewer operations than this are printed twice: no branches in the loop
MERGE_FROM = 32


class Statements(Protocol):
    """What MergedBody needs of the statement printer."""

    e: Emitter

    def statement(self, stmt: Stmt) -> None: ...


def worth_merging(ready: Prepared, stmt: For) -> bool:
    """Whether the body is long, its loads can stand at its top and its stores at its end."""
    stored = set()
    late: set[Local] = set()
    operations = 0
    seen: set[int] = set()
    for inner in stmt.body:
        if not isinstance(inner, Let | Store | Update):
            return False
        has_load = False
        for node in ready.nodes(inner):
            if isinstance(node, Load):
                has_load = True
                if node.buffer in stored or _depends_on_load(node, late):
                    return False
            has_load = has_load or (isinstance(node, Local) and node in late)
            if id(node) not in seen and isinstance(node, Prim | Select | Cast):
                operations += 1
            seen.add(id(node))
        if isinstance(inner, Let) and has_load:
            late.add(inner.local)
        if isinstance(inner, Store):
            stored.add(inner.buffer)
    return operations >= MERGE_FROM


def _depends_on_load(load: Load, late: set[Local]) -> bool:
    return any(
        isinstance(node, Load) or (isinstance(node, Local) and node in late)
        for node in postorder(*load.args)
    )


def active_lanes(e: Emitter, start: str, hi: str) -> Value:
    """The mask of lanes i with start + i < hi."""
    lanes = e.lanes
    kind = vector_type("i32", lanes)
    rest = e.op(f"sub i64 {hi}, {start}")
    short = e.op(f"trunc i64 {rest} to i32")
    one = e.op(f"insertelement {kind} poison, i32 {short}, i64 0")
    wide = e.op(f"shufflevector {kind} {one}, {kind} poison, {kind} zeroinitializer")
    iota = "<" + ", ".join(f"i32 {i}" for i in range(lanes)) + ">"
    return Value(e.op(f"icmp ugt {kind} {wide}, {iota}"), bool_, lanes, e.depth)


class MergedBody:
    """Prints the body of one vector loop for full and partial vectors at once."""

    def __init__(self, parent: Statements, stmt: For, hi: str) -> None:
        self.parent = parent
        self.e = parent.e
        self.stmt = stmt
        self.hi = hi

    def run(self, index: Value) -> None:
        """One step of the loop; `index` is the axis in lane 0."""
        e, stmt = self.e, self.stmt
        e.bind_axis(stmt.axis, index)
        end = e.op(f"add nsw i64 {index.text}, {e.lanes}")
        full = e.op(f"icmp sle i64 {end}, {self.hi}")
        rest = self.index_lets(stmt.body)
        e.mask = self.load_all(rest, full, index)
        stores = []
        for inner in rest:
            if isinstance(inner, Store):
                e.value(inner.value)
                stores.append(inner)
            else:
                self.parent.statement(inner)
        self.store_all(stores, full, index)

    def index_lets(self, body: Sequence[Stmt]) -> list[Stmt]:
        """Bind the locals that need no load; the statements that are left."""
        rest: list[Stmt] = []
        late: set[Local] = set()
        for stmt in body:
            if isinstance(stmt, Let):
                nodes = self.e.ready.nodes(stmt)
                if not any(isinstance(n, Load) or n in late for n in nodes):
                    self.parent.statement(stmt)
                    continue
                late.add(stmt.local)
            rest.append(stmt)
        return rest

    def load_all(self, body: Sequence[Stmt], full: str, index: Value) -> Value:
        """Every load that varies, plain or masked; the mask of active lanes."""
        e = self.e
        found: dict[int, Expr] = {}
        for stmt in body:
            for node in e.ready.nodes(stmt):
                if isinstance(node, Load) and e.varies(node):
                    found[id(node)] = node
        loads = list(found.values())
        everything = constant(True, bool_, e.lanes)

        def whole() -> list[Value]:
            return [everything, *(e.value(load) for load in loads)]

        def part() -> list[Value]:
            e.mask = active_lanes(e, index.text, self.hi)
            return [e.mask, *(e.value(load) for load in loads)]

        mask, *values = self.either(full, whole, part, loads)
        for load, value in zip(loads, values, strict=True):
            e.remember(id(load), value, e.depth)
        return mask

    def store_all(self, stores: Sequence[Store], full: str, index: Value) -> None:
        e = self.e
        e.mask = None
        if not stores:
            return

        def whole() -> list[Value]:
            for stmt in stores:
                emit_store(e, stmt)
            return []

        def part() -> list[Value]:
            e.mask = active_lanes(e, index.text, self.hi)
            return whole()

        self.either(full, whole, part, [s.offset for s in stores])
        e.forget({stmt.buffer for stmt in stores})

    def either(
        self,
        cond: str,
        yes: Callable[[], list[Value]],
        no: Callable[[], list[Value]],
        roots: Sequence[Expr],
    ) -> list[Value]:
        """Both forms of some values, joined by phis; flags that either raises are raised.

        roots: what the forms evaluate.
        """
        e = self.e
        flags = self.wide_flags(roots)
        raised: list[list[Value]] = []
        names = e.name("full"), e.name("part")
        done = e.name("both")
        pre: Lines = []
        e.lines_here().append(pre)
        e.put(f"br i1 {cond}, label %{names[0]}, label %{names[1]}")
        results, ends = [], []
        for name, form in zip(names, (yes, no), strict=True):
            e.label(name)
            e.push(pre, None)
            e.cells.update(flags)
            results.append(form())
            raised.append([e.cells[key] for key in flags])
            e.mask = None
            e.pop()
            ends.append(e.block)
            e.put(f"br label %{done}")
        e.label(done)

        def joined(a: Value, b: Value) -> Value:
            text = e.op(f"phi {a.type} [ {a.text}, %{ends[0]} ], [ {b.text}, %{ends[1]} ]")
            return Value(text, a.dtype, a.lanes, e.depth, a.reads)

        out = [joined(a, b) for a, b in zip(*results, strict=True)]
        for key, a, b in zip(flags, *raised, strict=True):
            e.cells[key] = a if a is b else joined(a, b)
        return out

    def wide_flags(self, roots: Sequence[Expr]) -> dict[Any, Value]:
        """The cells of the status bits that evaluating these may raise, as vectors."""
        e = self.e
        out = {}
        for bit in sorted({effect_flag(n) for n in postorder(*roots)} - {0}):
            key = ("flag", bit)
            wide = e.widened(e.cells[key], e.lanes)
            out[key] = e.cells[key] = Value(wide.text, bool_, wide.lanes, e.depth)
        return out
