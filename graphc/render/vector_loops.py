"""Statements of a loop nest as LLVM control flow, in SSA form.

Lives here: loops, accumulators, the vector loop with its masked tail, the combination of lanes.
Not here: expressions (render/vector_emit.py), accesses (render/vector_memory.py). Only
render/vector.py imports this module.

What a loop changes - accumulators, the best values of argmax and argmin, the status bits - are
"cells": values that are phis at the loop's head and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import CompileError
from graphc.ir.dtypes import bool_, int64
from graphc.kernel.expr import Const, Local
from graphc.kernel.nest import FLAG_DIV, FLAG_INDEX, Accum, For, Let, Stmt, Store, Update
from graphc.kernel.prims import identity
from graphc.render import vector_casts
from graphc.render.base import LoopInfo
from graphc.render.vector_ahead import Ahead, ahead_of, fetch_ahead
from graphc.render.vector_emit import Emitter
from graphc.render.vector_memory import emit_store
from graphc.render.vector_merged import MergedBody, active_lanes, worth_merging
from graphc.render.vector_ops import combine, compare, select
from graphc.render.vector_scope import Lines
from graphc.render.vector_types import (
    Value,
    constant,
    vector_type,
)

Cell = Any  # the Local of an accumulator or of its best value, or ("flag", bit)
Parts = tuple[Value, ...]  # (value,) or (position, best)
Join = Callable[[Parts, Parts], Parts]
Body = Callable[[Value], None]


class Loops:
    """Prints statements through an Emitter."""

    def __init__(self, emitter: Emitter) -> None:
        self.e = emitter
        self.accums: dict[Local, Accum] = {}
        self.best: dict[Local, Local] = {}
        self.ahead: dict[int, Ahead] = {}

    def block(self, body: Sequence[Stmt]) -> None:
        for stmt in body:
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        e = self.e
        if isinstance(stmt, Let):
            if e.is_late(stmt.value):
                e.bind_late(stmt.local, stmt.value)
            else:
                e.bind(stmt.local, e.value(stmt.value), stmt.value)
        elif isinstance(stmt, Accum):
            self.declare(stmt)
        elif isinstance(stmt, Update):
            self.update(stmt)
        elif isinstance(stmt, Store):
            emit_store(e, stmt)
            e.forget([stmt.buffer])
        else:
            self.loop(stmt)

    # -------------------------------------------------------------- accumulators
    def declare(self, stmt: Accum) -> None:
        self.accums[stmt.local] = stmt
        self.e.forget([stmt.local])
        for cell, value in self.identities(stmt.local, self.e.lanes).items():
            self.e.cells[cell] = value

    def identities(self, local: Local, lanes: int) -> dict[Cell, Value]:
        """The start values of an accumulator's cells."""
        stmt = self.accums[local]
        if stmt.monoid not in ("argmax", "argmin"):
            dtype = stmt.dtype.compute
            return {local: constant(identity(stmt.monoid, dtype), dtype, lanes)}
        if stmt.best is None:
            raise CompileError(f"accumulator {local.name}: {stmt.monoid} needs a best value")
        self.best[local] = stmt.best
        dtype = stmt.best.dtype.compute
        return {
            local: constant(0, int64, lanes),
            stmt.best: constant(identity(stmt.monoid, dtype), dtype, lanes),
        }

    def update(self, stmt: Update) -> None:
        e, local = self.e, stmt.local
        if local not in self.accums:
            raise CompileError(f"accumulator {local.name} is updated before it is declared")
        if stmt.position is not None:
            self.update_extreme(stmt)
            return
        cell = e.cells[local]
        value = self.converted(e.value(stmt.value), cell)
        # the new value first: max and min then test it for NaN, off the loop's critical chain
        new = combine(e, self.accums[local].monoid, value, cell)
        self.set_cell(local, new, cell)
        e.forget([local])

    def converted(self, value: Value, cell: Value) -> Value:
        """A value in the type and lanes of an accumulator."""
        e = self.e
        if value.lanes > cell.lanes:
            raise CompileError("a scalar accumulator is updated by lanes that no loop reduces")
        text = vector_casts.cast(e, value, cell.dtype)
        return e.widened(Value(text, cell.dtype, value.lanes, e.depth), cell.lanes)

    def set_cell(self, key: Cell, text: str, old: Value) -> None:
        """The new value, in the active lanes."""
        e = self.e
        if e.mask is not None and old.lanes > 1:
            text = select(e, e.mask.text, text, old.text, old.dtype, old.lanes)
        e.cells[key] = Value(text, old.dtype, old.lanes, e.depth)

    def update_extreme(self, stmt: Update) -> None:
        """argmax, argmin: strictly better, or the first NaN."""
        e, local = self.e, stmt.local
        assert stmt.position is not None
        best, at = e.cells[self.best[local]], e.cells[local]
        value = self.converted(e.value(stmt.value), best)
        position = self.converted(e.value(stmt.position), at)
        wins = self.beats(local, value, best)
        for key, new, old in ((self.best[local], value, best), (local, position, at)):
            self.set_cell(key, select(e, wins, new.text, old.text, old.dtype, old.lanes), old)
        e.forget([local, self.best[local]])

    def beats(self, local: Local, new: Value, old: Value) -> str:
        e = self.e
        word = "gt" if self.accums[local].monoid == "argmax" else "lt"
        better = compare(e, word, new, old)
        if new.dtype.kind != "f":
            return better
        kind = vector_type("i1", new.lanes)
        new_nan = e.op(f"fcmp uno {new.typed}, {new.text}")
        old_number = e.op(f"fcmp ord {old.typed}, {old.text}")
        first_nan = e.op(f"and {kind} {new_nan}, {old_number}")
        return e.op(f"or {kind} {better}, {first_nan}")

    # -------------------------------------------------------------- loops
    def loop(self, stmt: For) -> None:
        info = self.e.ready.loop(stmt)
        changed = [*info.stores, *self.cells_of(info)]
        self.e.forget(changed)
        if stmt.lanes > 1:
            if self.e.lanes > 1:
                raise CompileError("a vector loop stands inside another")
            self.vector_loop(stmt, info)
        else:
            self.scalar_loop(stmt, info)
        self.e.forget(changed)

    def cells_of(self, info: LoopInfo) -> list[Cell]:
        """The cells that a loop changes."""
        cells: list[Cell] = []
        for local in info.updates:
            cells.append(local)
            if local in self.best:
                cells.append(self.best[local])
        cells.extend(("flag", bit) for bit in (FLAG_INDEX, FLAG_DIV) if info.flags & bit)
        return cells

    def bounds(self, stmt: For) -> tuple[Value, Value]:
        if stmt.kind == "parallel":
            return Value("%lo", int64), Value("%hi", int64)
        return self.e.value(stmt.lo), self.e.value(stmt.hi)

    def scalar_loop(self, stmt: For, info: LoopInfo) -> None:
        lo, hi = self.bounds(stmt)
        if lo.lanes > 1 or hi.lanes > 1:
            raise CompileError(f"the bounds of loop {stmt.axis.name} differ between lanes")
        pre: Lines = []
        self.e.lines_here().append(pre)
        runs = _static_count(stmt) is not None
        found = ahead_of(self.e, stmt)
        if found is not None:
            self.ahead[id(found[0])] = found[1]
        body = self.body_of(stmt)
        self.counted(body, lo.text, hi.text, 1, self.cells_of(info), pre, runs)

    def body_of(self, stmt: For) -> Body:
        """The loop's statements, for a value of its axis."""

        def body(index: Value) -> None:
            self.e.bind_axis(stmt.axis, index)
            fetch_ahead(self.e, self.ahead.get(id(stmt), ()))
            self.block(stmt.body)

        return body

    def counted(
        self,
        body: Body,
        lo: str,
        hi: str,
        step: int,
        cells: Sequence[Cell],
        pre: Lines,
        runs: bool,
    ) -> None:
        """for index in range(lo, hi, step): body(index), with `cells` as phis."""
        e = self.e
        enter, head, done = e.name("enter"), e.name("loop"), e.name("done")
        before = {cell: e.cells[cell] for cell in cells}
        origin = e.block
        if not runs:
            cond = e.op(f"icmp slt i64 {lo}, {hi}")
            e.put(f"br i1 {cond}, label %{enter}, label %{done}")
        else:
            e.put(f"br label %{enter}")
        e.label(enter)
        guarded: Lines = []
        e.lines_here().append(guarded)
        e.put(f"br label %{head}")
        e.label(head)
        index, phis = f"%{e.name('i')}", {cell: f"%{e.name('acc')}" for cell in cells}
        heads: Lines = []
        e.lines_here().append(heads)
        e.push(pre, guarded)
        for cell in cells:
            old = before[cell]
            e.cells[cell] = Value(phis[cell], old.dtype, old.lanes, e.depth)
        body(Value(index, int64, 1, e.depth))
        after = e.op(f"add nsw i64 {index}, {step}")
        again = e.op(f"icmp slt i64 {after}, {hi}")
        latch = e.block
        e.put(f"br i1 {again}, label %{head}, label %{done}")
        inner = {cell: e.cells[cell] for cell in cells}
        e.pop()
        heads.append(f"  {index} = phi i64 [ {lo}, %{enter} ], [ {after}, %{latch} ]")
        for cell in cells:
            first, last = before[cell], inner[cell]
            heads.append(
                f"  {phis[cell]} = phi {first.type}"
                f" [ {first.text}, %{enter} ], [ {last.text}, %{latch} ]"
            )
        e.label(done)
        self.merge(cells, before, inner, None if runs else origin, latch)

    def merge(
        self,
        cells: Sequence[Cell],
        before: dict[Cell, Value],
        inner: dict[Cell, Value],
        origin: str | None,
        latch: str,
    ) -> None:
        """Cells after a region that was left from `latch`, or jumped over from `origin`."""
        e = self.e
        for cell in cells:
            last = inner[cell]
            text = last.text
            if origin is not None:
                first = before[cell]
                text = e.op(
                    f"phi {first.type} [ {first.text}, %{origin} ], [ {last.text}, %{latch} ]"
                )
            e.cells[cell] = Value(text, last.dtype, last.lanes, e.depth)

    # -------------------------------------------------------------- vector loops
    def vector_loop(self, stmt: For, info: LoopInfo) -> None:
        """Full vectors, then one masked tail; lane accumulators combined at the end."""
        e, lanes = self.e, stmt.lanes
        lo, hi = self.bounds(stmt)
        cells = self.cells_of(info)
        outer = {cell: e.cells[cell] for cell in cells}
        self.spread(stmt, cells)
        pre: Lines = []
        e.lines_here().append(pre)
        count = _static_count(stmt)
        both = count is None or (count > lanes and count % lanes != 0)
        if both and worth_merging(e.ready, stmt):
            e.enter_vector(stmt.axis, lanes)
            merged = MergedBody(self, stmt, hi.text)
            self.counted(merged.run, lo.text, hi.text, lanes, cells, pre, count is not None)
        else:
            end = self.full_end(stmt, lo.text, hi.text)
            e.enter_vector(stmt.axis, lanes)
            if count is None or count >= lanes:
                body = self.body_of(stmt)
                self.counted(body, lo.text, end, lanes, cells, pre, count is not None)
            if count is None or count % lanes:
                self.tail(stmt, end, hi.text, cells, pre, count is not None)
        e.enter_vector(None, 1)
        self.collect(cells, outer)

    def spread(self, stmt: For, cells: Sequence[Cell]) -> None:
        """Cells at the loop's start: the identity in every lane."""
        e = self.e
        for cell in cells:
            if isinstance(cell, tuple):
                e.cells[cell] = constant(False, bool_, stmt.lanes)
            elif cell in self.accums:
                e.cells.update(self.identities(cell, stmt.lanes))

    def full_end(self, stmt: For, lo: str, hi: str) -> str:
        """Where the full vectors end."""
        count, lanes = _static_count(stmt), stmt.lanes
        if count is not None:
            assert isinstance(stmt.lo, Const)
            return str(stmt.lo.value + count - count % lanes)
        e = self.e
        total = e.op(f"sub i64 {hi}, {lo}")
        if lanes & (lanes - 1) == 0:
            full = e.op(f"and i64 {total}, {-lanes}")
        else:
            rest = e.op(f"srem i64 {total}, {lanes}")
            full = e.op(f"sub i64 {total}, {rest}")
        return e.op(f"add i64 {lo}, {full}")

    def tail(
        self, stmt: For, start: str, hi: str, cells: Sequence[Cell], pre: Lines, runs: bool
    ) -> None:
        """The last, partial vector, with a mask of its active lanes."""
        e = self.e
        inside, done = e.name("tail"), e.name("done")
        before = {cell: e.cells[cell] for cell in cells}
        origin = e.block
        if not runs:
            cond = e.op(f"icmp slt i64 {start}, {hi}")
            e.put(f"br i1 {cond}, label %{inside}, label %{done}")
        else:
            e.put(f"br label %{inside}")
        e.label(inside)
        e.push(pre, None)
        e.bind_axis(stmt.axis, Value(start, int64, 1, e.depth))
        e.mask = active_lanes(e, start, hi)
        self.block(stmt.body)
        e.mask = None
        latch = e.block
        e.put(f"br label %{done}")
        inner = {cell: e.cells[cell] for cell in cells}
        e.pop()
        e.label(done)
        self.merge(cells, before, inner, None if runs else origin, latch)

    # -------------------------------------------------------------- lanes to one
    def collect(self, cells: Sequence[Cell], outer: dict[Cell, Value]) -> None:
        """Combine the lanes of each cell by a fixed tree, then with its value before the loop."""
        e = self.e
        for cell in cells:
            if isinstance(cell, tuple):
                self.collect_flag(cell, outer[cell])
            elif cell in self.accums:
                keys = [cell, self.best[cell]] if cell in self.best else [cell]
                join = self.joiner(cell)
                lanes = _folded(e, tuple(e.cells[key] for key in keys), join)
                total = join(tuple(outer[key] for key in keys), lanes)
                e.cells.update(zip(keys, total, strict=True))

    def collect_flag(self, cell: Cell, outer: Value) -> None:
        e = self.e
        raised = e.cells[cell]
        some = e.call(f"llvm.vector.reduce.or.v{raised.lanes}i1", "i1", [raised.typed])
        e.cells[cell] = Value(e.op(f"or i1 {outer.text}, {some}"), bool_, 1, e.depth)

    def joiner(self, local: Local) -> Join:
        """How two partial results of an accumulator become one."""
        e, monoid = self.e, self.accums[local].monoid

        def plain(x: Parts, y: Parts) -> Parts:
            text = combine(e, monoid, x[0], y[0])
            return (Value(text, x[0].dtype, x[0].lanes, e.depth),)

        def extreme(x: Parts, y: Parts) -> Parts:
            kind = vector_type("i1", x[0].lanes)
            earlier = compare(e, "lt", y[0], x[0])
            tie = self.ties(x[1], y[1])
            first = e.op(f"and {kind} {tie}, {earlier}")
            wins = e.op(f"or {kind} {self.beats(local, y[1], x[1])}, {first}")
            return tuple(
                Value(select(e, wins, b.text, a.text, a.dtype, a.lanes), a.dtype, a.lanes, e.depth)
                for a, b in zip(x, y, strict=True)
            )

        return extreme if monoid in ("argmax", "argmin") else plain

    def ties(self, x: Value, y: Value) -> str:
        """Equal, or both NaN."""
        e = self.e
        same = compare(e, "eq", x, y)
        if x.dtype.kind != "f":
            return same
        kind = vector_type("i1", x.lanes)
        nan_x = e.op(f"fcmp uno {x.typed}, {x.text}")
        nan_y = e.op(f"fcmp uno {y.typed}, {y.text}")
        both = e.op(f"and {kind} {nan_x}, {nan_y}")
        return e.op(f"or {kind} {same}, {both}")


def _folded(e: Emitter, parts: Parts, join: Join) -> Parts:
    """Vectors to scalars: halves are joined until one lane is left."""
    while parts[0].lanes > 1:
        lanes = parts[0].lanes
        if lanes % 2:
            raise CompileError(f"{lanes} lanes: the number of lanes must be a power of two")
        half = lanes // 2
        if half == 1:
            # the last two as a vector: bits of single floats would go through integer registers
            parts = _piece(e, join(parts, _swapped(e, parts)), 0, 1)
        else:
            parts = join(_piece(e, parts, 0, half), _piece(e, parts, half, half))
    return parts


def _swapped(e: Emitter, parts: Parts) -> Parts:
    out = []
    for part in parts:
        kind = part.type
        text = e.op(f"shufflevector {kind} {part.text}, {kind} poison, <2 x i32> <i32 1, i32 0>")
        out.append(Value(text, part.dtype, 2, e.depth))
    return tuple(out)


def _piece(e: Emitter, parts: Parts, start: int, count: int) -> Parts:
    out = []
    for part in parts:
        kind = part.type
        if count == 1:
            text = e.op(f"extractelement {part.typed}, i64 {start}")
        else:
            order = ", ".join(f"i32 {start + i}" for i in range(count))
            text = e.op(
                f"shufflevector {kind} {part.text}, {kind} poison, <{count} x i32> <{order}>"
            )
        out.append(Value(text, part.dtype, count, e.depth))
    return tuple(out)


def _static_count(stmt: For) -> int | None:
    """The number of iterations, if constant and positive."""
    if stmt.kind == "parallel":
        return None
    if not isinstance(stmt.lo, Const) or not isinstance(stmt.hi, Const):
        return None
    count = stmt.hi.value - stmt.lo.value
    return int(count) if count > 0 else None
