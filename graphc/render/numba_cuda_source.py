"""Loop nests as numba.cuda source: the printer behind render/numba_cuda.py.

Lives here: statements, the joining of accumulators over a team, modules. Not here: values
(numba_values), what the CPU's source does alike (numba_source), launches (kernel/launch.py),
compiling or running (numba_cuda).

The parallel loop goes over the grid. A team of threads shares the vector loops of an iteration:
all of them compute what is outside of these loops, one of them stores it. Accumulators that a
vector loop reduces are joined by a butterfly: every thread adds in the same fixed order and has
the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphc.ir.dtypes import DType
from graphc.kernel.expr import Buffer, DimValue, Local
from graphc.kernel.launch import WARP, Launch
from graphc.kernel.linear import as_dim
from graphc.kernel.nest import (
    Accum,
    For,
    Kernel,
    Stmt,
    Store,
    Update,
    kernel_loads,
    statements,
)
from graphc.kernel.spread import reads, same_thread
from graphc.render.numba_index import value_locals
from graphc.render.numba_names import SUPPORT, Text, storage_name, type_name
from graphc.render.numba_source import Printer, header, imports
from graphc.render.numba_values import Helpers

_OWN = {"cuda", "shuffle_xor", "sync_warp"}


class CudaPrinter(Printer):
    """Prints one kernel's body for one launch."""

    def __init__(self, helpers: Helpers, kernel: Kernel, launch: Launch) -> None:
        super().__init__(helpers)
        self._taken |= _OWN
        self.launch = launch
        self.byte_bools = True
        self.flags = kernel.flags
        self.exact_locals = value_locals(kernel)
        self.joins = Joins(helpers, launch.team)
        self.split = launch.team > 1  # whether a vector loop found now is shared
        loaded = {load.buffer for load in kernel_loads(kernel)}
        stored = {s.buffer for s in statements(kernel.body) if isinstance(s, Store)}
        self.exchanged: set[Buffer] = (loaded & stored) - same_thread(kernel)
        self.late: set[Local] = set()  # accumulators that are joined behind their last loop

    # -------------------------------------------------------------- bodies
    def block(self, body: Sequence[Stmt]) -> None:
        if not body:
            self.emit("pass")
        joins = self._late_joins(body) if self.split else {}
        for n, stmt in enumerate(body):
            exchange = self.split and self._exchanges(stmt)
            if exchange:
                self.sync()
            self.statement(stmt)
            if exchange:
                self.sync()
            for accum in joins.get(n, ()):
                self._join(accum)

    def sync(self) -> None:
        """The team waits for itself, if it has not just done so."""
        call = "sync_warp()" if self.launch.team == WARP else "cuda.syncthreads()"
        line = "    " * self.depth + call
        if not self.lines or self.lines[-1] != line:
            self.lines.append(line)

    def _exchanges(self, stmt: Stmt) -> bool:
        """Whether the statement itself stores what other threads of the team load."""
        if isinstance(stmt, For) and stmt.kind != "vector":
            return False  # its own statements see to that
        inside = statements((stmt,))
        return any(isinstance(s, Store) and s.buffer in self.exchanged for s in inside)

    def _late_joins(self, body: Sequence[Stmt]) -> dict[int, list[Accum]]:
        """Accumulators declared here that stay in parts until a statement, by its number."""
        out: dict[int, list[Accum]] = {}
        for accum in body:
            if not isinstance(accum, Accum):
                continue
            users = [n for n, s in enumerate(body) if _updates(s, accum.local, False)]
            names = {accum.local} if accum.best is None else {accum.local, accum.best}
            between = body[users[0] : users[-1] + 1] if users else ()
            if not users or any(_updates(body[n], accum.local, True) for n in users):
                continue
            if not reads(between, names):
                self.late.add(accum.local)
                out.setdefault(users[-1], []).append(accum)
        return out

    # -------------------------------------------------------------- loops
    def _for(self, stmt: For) -> None:
        axis = self.name(stmt.axis, stmt.axis.name)
        shared = self.split and stmt.kind == "vector"
        if stmt.kind == "parallel":
            self.emit(f"for {axis} in range({self._grid()}):")
            self._inside(stmt)
        elif not shared:
            super()._for(stmt)
        else:
            self._shared(stmt, axis)

    def _inside(self, stmt: For) -> None:
        self.depth += 1
        self.block(stmt.body)
        self.depth -= 1

    def _grid(self) -> str:
        """The bounds of the parallel loop: this team's first iteration, the end, the step."""
        if self.launch.form == "threads":
            return "lo + cuda.grid(1), hi, cuda.gridsize(1)"
        if self.launch.form == "blocks":
            return "lo + cuda.blockIdx.x, hi, cuda.gridDim.x"
        return f"lo + cuda.grid(1) // {WARP}, hi, cuda.gridsize(1) // {WARP}"

    def _shared(self, stmt: For, axis: str) -> None:
        """A vector loop: each thread of the team does every team-th element."""
        team = self.launch.team
        lo, hi = self.offset(stmt.lo), self.offset(stmt.hi)
        first = self.thread if as_dim(stmt.lo) == 0 else f"{lo} + {self.thread}"
        now = [self._accums[local] for local in stmt.reduces if local not in self.late]
        before = [self._set_aside(accum) for accum in now]
        self.emit(f"for {axis} in range({first}, {hi}, {team}):")
        self.split = False
        self._inside(stmt)
        self.split = True
        for accum, old in zip(now, before, strict=True):
            self._join(accum, old)

    @property
    def thread(self) -> str:
        """The number of the thread in its team."""
        return self._names[("team",)]

    # -------------------------------------------------------------- accumulators
    def _set_aside(self, accum: Accum) -> tuple[str, ...]:
        """Names for what the accumulator holds; it begins again at the identity."""
        names = self._parts(accum)
        old = tuple(self.temp(name) for name in names)
        self._accum(accum)
        return old

    def _parts(self, accum: Accum) -> tuple[str, ...]:
        """The variables of an accumulator: its value, or extreme and position."""
        total = self._names[accum.local]
        return (total,) if accum.best is None else (self._names[accum.best], total)

    def _join(self, accum: Accum, before: tuple[str, ...] = ()) -> None:
        """The threads' parts as one, in all of them."""
        names = self._parts(accum)
        dtype = accum.dtype if accum.best is None else accum.best.dtype
        call = f"{self.joins.name(accum.monoid, dtype)}({', '.join(names)})"
        self.emit(f"{', '.join(names)} = {call}")
        if before and accum.best is None:
            text = self.combined(accum.monoid, dtype, before[0], Text(names[0]))
            self.emit(f"{names[0]} = {text}")
        elif before:
            pick = self.joins.pick(accum.monoid, dtype)
            self.emit(f"{', '.join(names)} = {pick}({', '.join((*before, *names))})")

    # -------------------------------------------------------------- stores
    def _store(self, stmt: Store) -> None:
        if not self.split:
            super()._store(stmt)
            return
        super()._store(stmt)
        store = self.lines.pop().lstrip()
        self.emit(f"if {self.thread} == 0:")
        self.emit(f"    {store}")


def _updates(stmt: Stmt, local: Local, outside: bool) -> bool:
    """Whether a statement updates an accumulator; with `outside`, not in a loop that reduces it."""
    if isinstance(stmt, Update):
        return stmt.local == local
    if not isinstance(stmt, For) or (outside and local in stmt.reduces):
        return False
    return any(_updates(inner, local, outside) for inner in stmt.body)


# ------------------------------------------------------------------ joins
class Joins:
    """The functions that make one value of those of a team's threads."""

    def __init__(self, helpers: Helpers, team: int) -> None:
        self.helpers = helpers
        self.team = team

    def name(self, monoid: str, dtype: DType) -> str:
        """The function's name; it is printed at its first use."""
        name = f"join_{monoid}_{type_name(dtype)}"
        if name in self.helpers.texts:
            return name
        best = monoid.startswith("arg")
        params = ("x", "at") if best else ("x",)
        lines = [f"def {name}({', '.join(params)}):"]
        printer = Printer(self.helpers)

        def step(width: int) -> None:
            others = [f"shuffle_xor({p}, {width})" for p in params]
            if best:
                call = f"{self.pick(monoid, dtype)}({', '.join((*params, *others))})"
                lines.append(f"    x, at = {call}")
            else:
                lines.append(f"    x = {printer.combined(monoid, dtype, 'x', Text(others[0]))}")

        for power in (16, 8, 4, 2, 1):
            step(power)
        if self.team > WARP:
            lines += self._across(params, dtype)
            width = self.team // WARP // 2
            while width:
                step(width)
                width //= 2
        lines.append(f"    return {', '.join(params)}")
        self.helpers.texts[name] = "\n".join(lines) + "\n"
        return name

    def _across(self, params: Sequence[str], dtype: DType) -> list[str]:
        """Every warp gets the parts of all: thread t that of warp t modulo their number."""
        warps = self.team // WARP
        kinds = [storage_name(dtype.compute), "i64"][: len(params)]
        lines = ["    warp, lane = cuda.threadIdx.x // 32, cuda.threadIdx.x % 32"]
        for param, kind in zip(params, kinds, strict=True):
            lines.append(f"    {param}_parts = cuda.shared.array({warps}, {kind})")
        lines.append("    if lane == 0:")
        lines += [f"        {p}_parts[warp] = {p}" for p in params]
        lines.append("    cuda.syncthreads()")
        for param in params:
            text = f"{param}_parts[lane % {warps}]"
            lines.append(f"    {param} = {f'{text} != u8(0)' if dtype.is_bool else text}")
        # nobody writes the next parts before all have read these
        lines.append("    cuda.syncthreads()")
        return lines

    def pick(self, monoid: str, dtype: DType) -> str:
        """The function that takes the better of two extremes: the first one, a NaN above all."""
        name = f"pick_{monoid}_{type_name(dtype)}"
        if name in self.helpers.texts:
            return name
        sign = ">" if monoid == "argmax" else "<"
        better, tie = f"y {sign} x", "y == x"
        if dtype.is_floating:
            better = f"({better}) | ((y != y) & (x == x))"
            tie = f"({tie}) | ((y != y) & (x != x))"
        lines = [
            f"def {name}(x, at, y, other):",
            f"    better = {better}",
            f"    tie = {tie}",
            "    won = better | (tie & (other < at))",
            "    return where(won, y, x), where(won, other, at)",
        ]
        self.helpers.texts[name] = "\n".join(lines) + "\n"
        return name


# ------------------------------------------------------------------ modules
def cuda_module_text(kernel: Kernel, name: str, launch: Launch) -> tuple[str, dict[str, str]]:
    """(the module's source, its helper functions by name).

    The kernel is `name(b0, ..., o0, ..., n0, ..., [status,] lo, hi)`: flat arrays or pointers,
    bools as bytes and half-width floats as their bits, int64 dimensions and bounds.
    """
    helpers = Helpers()
    printer = CudaPrinter(helpers, kernel, launch)
    names = _parameters(printer, kernel)
    thread = printer.name(("team",), "t")
    if launch.team > 1:
        rest = f" % {WARP}" if launch.team == WARP else ""
        printer.emit(f"{thread} = cuda.threadIdx.x{rest}")
    _rows(printer, kernel, launch)
    printer.block(kernel.body)
    title = f"def {name}({', '.join([*names, 'lo', 'hi'])}):"
    functions = [*helpers.texts.values(), "\n".join([title, *printer.lines])]
    body = "\n\n".join(f"\n{function.rstrip()}" for function in functions)
    words = set(re.findall(r"[A-Za-z_]\w*", body))
    parts = [*header(kernel, name), f"# launch: {launch.reason}", "", "from numba import cuda", ""]
    parts += imports(words & _OWN - {"cuda"}, "graphc.render.numba_cuda_support")
    parts += imports(SUPPORT & words)
    return "\n".join([*parts, "", body]) + "\n", dict(helpers.texts)


def _parameters(printer: CudaPrinter, kernel: Kernel) -> list[str]:
    """Names the kernel's parameters; a buffer that is updated in place is one pointer."""
    names = []
    pointers: dict[Buffer, str] = {}
    for letter, buffers in (("b", kernel.inputs), ("o", kernel.outputs)):
        for n, buffer in enumerate(buffers):
            short = printer.name((letter, n), f"{letter}{n}")
            pointers.setdefault(buffer, short)
            names.append(short)
    printer.loads = pointers
    printer.stores = pointers
    for n, dim in enumerate(kernel.dims):
        names.append(printer.name(DimValue(dim), f"n{n}"))  # type: ignore[arg-type]
    return [*names, *["status"] * kernel.flags]


def _rows(printer: CudaPrinter, kernel: Kernel, launch: Launch) -> None:
    """Row memory: a thread's own, or its team's part of the block's."""
    for n, row in enumerate(kernel.rows):
        short = printer.name(("row", n), f"row{n}")
        printer.loads[row] = printer.stores[row] = short
        size, kind = row.shape[0], storage_name(row.dtype)
        if launch.team == 1:
            printer.emit(f"{short} = cuda.local.array({size}, {kind})")
        elif launch.teams == 1:
            printer.emit(f"{short} = cuda.shared.array({size}, {kind})")
        else:
            memory = f"cuda.shared.array(({launch.teams}, {size}), {kind})"
            printer.emit(f"{short} = {memory}[cuda.threadIdx.x // {WARP}]")
