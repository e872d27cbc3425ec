"""Loop nests as plain Python source: the printer behind render/numba_cpu.py.

Lives here: statements and modules, Kernel -> text. Not here: expressions (numba_values), running
or compiling the text (numba_cpu), the functions it calls (numba_support).

One statement of a nest is one line, loops are ranges, accumulators scalars.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphc.ir.dtypes import DType
from graphc.ir.shape import Dim
from graphc.kernel.expr import Buffer, Const, DimValue, Expr, Local
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update
from graphc.render.numba_index import value_locals
from graphc.render.numba_names import SUPPORT, Text, identity, storage_name
from graphc.render.numba_values import ARITHMETIC, RENAMED, Helpers, ValuePrinter


class Printer(ValuePrinter):
    """Prints one kernel's body, line by line."""

    def __init__(self, helpers: Helpers) -> None:
        super().__init__(helpers)
        self.exact_locals: set[Expr] = set()
        self._accums: dict[Local, Accum] = {}

    def block(self, body: Sequence[Stmt]) -> None:
        if not body:
            self.emit("pass")
        for stmt in body:
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        if isinstance(stmt, For):
            self._for(stmt)
        elif isinstance(stmt, Let):
            text = self.value(stmt.value, exact=stmt.local in self.exact_locals)
            if self._is_small(stmt.value):
                self.small_locals.add(stmt.local)
            self.emit(f"{self.name(stmt.local, stmt.local.name)} = {text}")
        elif isinstance(stmt, Accum):
            self._accum(stmt)
        elif isinstance(stmt, Update):
            self._update(stmt)
        else:
            self._store(stmt)

    def _for(self, stmt: For) -> None:
        lo, hi = "lo", "hi"
        if stmt.kind != "parallel":
            lo, hi = self.offset(stmt.lo), self.offset(stmt.hi)
        bounds = hi if lo == "0" else f"{lo}, {hi}"
        self.emit(f"for {self.name(stmt.axis, stmt.axis.name)} in range({bounds}):")
        self.depth += 1
        self.block(stmt.body)
        self.depth -= 1

    def _accum(self, stmt: Accum) -> None:
        self._accums[stmt.local] = stmt
        name = self.name(stmt.local, stmt.local.name)
        if stmt.best is None:
            self.emit(f"{name} = {self.constant(identity(stmt.monoid, stmt.dtype), stmt.dtype)}")
            return
        best, dtype = self.name(stmt.best, stmt.best.name), stmt.best.dtype
        start = identity(stmt.monoid.removeprefix("arg"), dtype)
        self.emit(f"{best} = {self.constant(start, dtype)}")
        self.emit(f"{name} = i64(0)")

    def _update(self, stmt: Update) -> None:
        accum, total = self._accums[stmt.local], self.name(stmt.local, stmt.local.name)
        value = self.value(stmt.value)
        if accum.best is not None:
            self._update_best(accum, stmt, value)
            return
        self.emit(f"{total} = {self.combined(accum.monoid, accum.dtype, total, value)}")

    def combined(self, monoid: str, dtype: DType, total: str, value: Text) -> str:
        """The source of monoid(total, value)."""
        if monoid in ("max", "min") and not dtype.is_bool:
            return self._call(RENAMED[monoid], (total, value))
        if monoid in ("add", "mul") and (dtype.is_floating or dtype.name == "int64"):
            return self._call(f"{monoid}_to", (total, value))
        logical = {"max": "|", "or": "|", "min": "&", "and": "&"}
        symbol = logical.get(monoid) or ARITHMETIC[monoid]
        text = f"{total} {symbol} {value.operand}"
        return text if dtype.is_bool else self._wrapped(text, dtype)

    def _update_best(self, accum: Accum, stmt: Update, value: Text) -> None:
        """The first of the extremes; the first NaN wins over everything."""
        assert accum.best is not None and stmt.position is not None
        best, total = self._names[accum.best], self._names[accum.local]
        new, at = self.atom(value), self.value(stmt.position)
        if isinstance(stmt.position, Const):
            at = self.constant(stmt.position.value, stmt.position.dtype)
        better = f"{new} {'>' if accum.monoid == 'argmax' else '<'} {best}"
        if accum.best.dtype.is_floating:
            better = f"({better}) | (({new} != {new}) & ({best} == {best}))"
        better = self.temp(better)
        self.emit(f"{best} = {self._call('where', (better, new, best))}")
        self.emit(f"{total} = {self._call('where', (better, at, total))}")

    def _store(self, stmt: Store) -> None:
        at = self.offset(stmt.offset)
        text = self.value(stmt.value)
        if stmt.buffer.dtype.is_half:
            text = self.half_bits(text, stmt.buffer.dtype)
        self.emit(f"{self.stores[stmt.buffer]}[{at}] = {text}")


# ------------------------------------------------------------------ modules
def _shape(dims: Sequence[Dim], names: dict[Dim, str]) -> str:
    inner = ", ".join(names.get(d, str(d)) for d in dims)
    return f"({inner},)" if len(dims) == 1 else f"({inner})"


def header(kernel: Kernel, name: str) -> list[str]:
    """What the kernel is for: the ops and user lines in it, its parameters."""
    dims = {dim: f"n{k}" for k, dim in enumerate(kernel.dims)}
    lines = [f"{name}: one part [lo, hi) of {dims.get(kernel.extent, kernel.extent)}"]
    lines += [f"  {' '.join(origin.split())}" for origin in kernel.origins]
    for letter, buffers in (("b", kernel.inputs), ("o", kernel.outputs)):
        for k, buffer in enumerate(buffers):
            shape = _shape(buffer.shape, dims)
            lines.append(f"{letter}{k}: {buffer!r} {buffer.dtype.name} {shape}")
    lines += [f"{short}: {dim}" for dim, short in dims.items()]
    return [f"# {line}"[:100] for line in lines]


def module_text(kernel: Kernel, name: str, form: str = "plain") -> tuple[str, dict[str, str]]:
    """(the module's source, its helper functions by name).

    Two forms serve the compiler, by functions that it provides. "slots" has the compiled kernel's
    own signature, `name(args, lo, hi)`, and unpacks by slot_<type>(args, k). "pointers" takes
    arrays and works on their `pointer`s: an array's index may be negative in Numba, and asking
    that in every access keeps loops from being vectorised.
    """
    helpers = Helpers()
    printer = Printer(helpers)
    printer.flags = kernel.flags
    printer.exact_locals = value_locals(kernel)
    printer.byte_bools = form != "plain"
    params: list[tuple[str, str]] = []
    for letter, buffers, table in (
        ("b", kernel.inputs, printer.loads),
        ("o", kernel.outputs, printer.stores),
    ):
        for k, buffer in enumerate(buffers):
            table[buffer] = printer.name((letter, k), f"{letter}{k}")
            params.append((table[buffer], storage_name(buffer.dtype)))
    for buffer, short in printer.stores.items():
        printer.loads.setdefault(buffer, short)
    for k, dim in enumerate(kernel.dims):
        short = printer.name(DimValue(dim), f"n{k}")  # type: ignore[arg-type]
        params.append((short, "dim"))
    if kernel.flags:
        params.append(("status", "i64"))
    names = [short for short, _ in params]
    if form == "slots":
        _unpack(printer, kernel, [f"slot_{kind}(args, {k})" for k, (_, kind) in enumerate(params)])
        names = ["args"]
    elif form == "pointers":
        _unpack(printer, kernel, [f"pointer({short})" for short in names])
    for k, row in enumerate(kernel.rows):
        short = printer.name(("row", k), f"row{k}")
        printer.loads[row] = printer.stores[row] = short
        printer.emit(f"{short} = np.empty({row.shape[0]}, np.{row.dtype.name})")
    title = f"def {name}({', '.join([*names, 'lo', 'hi'])}):"
    printer.block(kernel.body)
    functions = [*helpers.texts.values(), "\n".join([title, *printer.lines])]
    body = "\n\n".join(f"\n{function.rstrip()}" for function in functions)
    used = SUPPORT.intersection(re.findall(r"[A-Za-z_]\w*", body))
    parts = [*header(kernel, name), *([""] * bool(used)), *imports(used)]
    if kernel.rows:
        parts.append("import numpy as np")
    return "\n".join([*parts, "", body]) + "\n", dict(helpers.texts)


def _unpack(printer: Printer, kernel: Kernel, values: Sequence[str]) -> None:
    """Bind the buffers (and what follows them, for slots) to values of the compiler's functions.

    What is updated in place gets one name, so that the vectoriser sees one array.
    """
    pointers: dict[Buffer, str] = {}
    for k, (buffer, value) in enumerate(zip(kernel.buffers, values, strict=False)):
        if buffer not in pointers:
            pointers[buffer] = printer.name(("pointer", k), f"p{k}")
            printer.emit(f"{pointers[buffer]} = {value}")
    if values[0].startswith("slot_"):
        tail = [printer.name(DimValue(d), "") for d in kernel.dims]  # type: ignore[arg-type]
        tail += ["status"] * kernel.flags
        for short, value in zip(tail, values[len(kernel.buffers) :], strict=True):
            printer.emit(f"{short} = {value}")
    printer.loads = pointers
    printer.stores = pointers


def imports(names: set[str], module: str = "graphc.render.numba_support") -> list[str]:
    """One import, wrapped at 100 columns."""
    if not names:
        return []
    line = f"from {module} import {', '.join(sorted(names))}"
    if len(line) <= 100:
        return [line]
    lines, row = [f"from {module} import ("], "   "
    for item in sorted(names):
        if len(row) + len(item) + 2 > 100:
            lines.append(row)
            row = "   "
        row += f" {item},"
    return [*lines, row, ")"]
