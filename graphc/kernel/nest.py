"""Level B of the kernel IR: a loop nest of For, Let, Accum, Update and Store over flat offsets.

Lives here: the statements, Kernel (a nest with its parameters), its text form, content key, and
the same kernel on other buffers (`renamed`).
Not here: how a nest is made from Computes (kernel/lower.py), verified (kernel/verify.py), run
(kernel/interp.py) or printed (render/*). The printers decide nothing: loop order, vector lanes,
accumulators and splits all stand in the nest.

ABI of a compiled kernel: `void k(ptr args, i64 lo, i64 hi)`. `args` is an array of 8-byte slots:
one pointer a buffer of `Kernel.buffers`, then one int64 a dimension of `Kernel.dims`, then, if
`Kernel.flags`, a pointer to an int64 status word that is set to 1 (2) when an index was out of
range (an integer was divided by zero). The kernel does the part [lo, hi) of its parallel loop,
whose extent is `Kernel.extent`; a kernel without one (extent 1) is called with lo=0, hi=1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.ir.dtypes import DType
from graphc.ir.shape import Dim
from graphc.kernel.expr import (
    Axis,
    Buffer,
    DimValue,
    Expr,
    Load,
    Local,
    postorder,
    replaced,
    text,
)

FLAG_INDEX = 1
FLAG_DIV = 2


@dataclass(frozen=True)
class Let:
    """local = value. Assigned once; visible to the statements after it in the same body."""

    local: Local
    value: Expr


@dataclass(frozen=True)
class Accum:
    """Declares an accumulator at the monoid's identity, before the loops that update it.

    Read by name (its Local) after those loops. For argmax/argmin `local` is the int64 position
    and `best` holds the extreme value.
    """

    local: Local
    monoid: str
    dtype: DType
    best: Local | None = None


@dataclass(frozen=True)
class Update:
    """accumulator = monoid(accumulator, value); argmax, argmin: at position `position`.

    Inside a vector loop over a reduced axis each lane accumulates for itself; the lanes are
    combined by a fixed tree when that loop ends: the upper half onto the lower half until one is
    left, then onto what the accumulator held before. Inside a vector loop over an axis that is not
    reduced the accumulator is a vector of that loop.
    """

    local: Local
    value: Expr
    position: Expr | None = None


@dataclass(frozen=True)
class Store:
    """buffer[offset] = value, at a flat element offset (int64).

    streamed: whole vectors go past the caches; they begin on a cache line.
    """

    buffer: Buffer
    offset: Expr
    value: Expr
    streamed: bool = False


@dataclass(frozen=True)
class For:
    """A loop of `axis` over [lo, hi), bounds int64 expressions; body in order.

    Attributes:
        kind: "parallel" (the outermost loop of a kernel, runs over the [lo, hi) that the caller
            gives), "serial", or "vector" (innermost data loop: `lanes` elements a step with a
            masked tail).
        lanes: elements a vector step, 1 unless the loop is vectorised (a parallel loop may be
            vectorised as well, when it is the only one: flat elementwise kernels).
        reduces: locals of the Accums that this loop reduces lane by lane (vector loops only).
    """

    axis: Axis
    lo: Expr
    hi: Expr
    body: tuple[Stmt, ...]
    kind: str = "serial"
    lanes: int = 1
    reduces: tuple[Local, ...] = ()


Stmt = Let | Accum | Update | Store | For


@dataclass(frozen=True)
class Kernel:
    """A loop nest with its parameters.

    Attributes:
        name: readable, unique in its plan; not part of the key.
        inputs, outputs: buffers in the order of the argument slots (inputs first). A buffer that
            is read and written in place stands in both, with one slot each.
        dims: symbolic dimensions, in the order of their slots after the buffers.
        body: statements; at most one parallel For, and then it is the only statement.
        extent: the parallel loop's extent; 1 where there is none.
        grain: smallest sensible chunk of the extent (a multiple keeps stores on cache lines).
        flags: whether the kernel takes a status word.
        rows: memory of a call's own, for a row that is at hand; of known size, no parameters.
        origins: texts that name the ops and user lines inside, for headers; not in the key.
    """

    name: str
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    dims: tuple[Dim, ...]
    body: tuple[Stmt, ...]
    extent: Dim
    grain: int = 1
    flags: bool = False
    origins: tuple[str, ...] = ()
    rows: tuple[Buffer, ...] = ()

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        return self.inputs + self.outputs

    @property
    def slots(self) -> int:
        return len(self.inputs) + len(self.outputs) + len(self.dims) + self.flags

    def key(self) -> str:
        """Content hash: equal for kernels that differ only in names of buffers and symbols."""
        return hashlib.sha256(nest_text(self, canonical=True).encode()).hexdigest()


# ------------------------------------------------------------------ traversal
def statements(body: Sequence[Stmt]) -> Iterator[Stmt]:
    """All statements, outer before inner."""
    stack = list(reversed(body))
    while stack:
        stmt = stack.pop()
        yield stmt
        if isinstance(stmt, For):
            stack.extend(reversed(stmt.body))


def stmt_exprs(stmt: Stmt) -> tuple[Expr, ...]:
    """The expressions that the statement itself evaluates."""
    if isinstance(stmt, Let):
        return (stmt.value,)
    if isinstance(stmt, Update):
        return (stmt.value,) if stmt.position is None else (stmt.value, stmt.position)
    if isinstance(stmt, Store):
        return (stmt.offset, stmt.value)
    if isinstance(stmt, For):
        return (stmt.lo, stmt.hi)
    return ()


def kernel_loads(kernel: Kernel) -> Iterator[Load]:
    for stmt in statements(kernel.body):
        for node in postorder(*stmt_exprs(stmt)):
            if isinstance(node, Load):
                yield node


def renamed(
    kernel: Kernel, name: str, origins: Sequence[str], to: Mapping[Buffer, Buffer]
) -> Kernel:
    """The same kernel on other buffers of the same types, under another name."""
    roots = [e for stmt in statements(kernel.body) for e in stmt_exprs(stmt)]
    new: dict[int, Expr] = {}
    for node in postorder(*roots):
        made = replaced(node, tuple(new[id(a)] for a in node.args))
        if isinstance(made, Load) and made.buffer in to:
            made = Load(to[made.buffer], made.index, made.mask, made.other, made.flat)
        new[id(node)] = made

    def visit(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(_rebuilt(stmt, new, to, visit) for stmt in body)

    return replace(
        kernel,
        name=name,
        inputs=tuple(to.get(b, b) for b in kernel.inputs),
        outputs=tuple(to.get(b, b) for b in kernel.outputs),
        body=visit(kernel.body),
        origins=tuple(origins),
    )


def _rebuilt(
    stmt: Stmt,
    new: Mapping[int, Expr],
    to: Mapping[Buffer, Buffer],
    visit: Callable[[tuple[Stmt, ...]], tuple[Stmt, ...]],
) -> Stmt:
    if isinstance(stmt, For):
        return replace(stmt, lo=new[id(stmt.lo)], hi=new[id(stmt.hi)], body=visit(stmt.body))
    if isinstance(stmt, Let):
        return Let(stmt.local, new[id(stmt.value)])
    if isinstance(stmt, Store):
        buffer = to.get(stmt.buffer, stmt.buffer)
        return Store(buffer, new[id(stmt.offset)], new[id(stmt.value)], stmt.streamed)
    if isinstance(stmt, Update):
        position = None if stmt.position is None else new[id(stmt.position)]
        return Update(stmt.local, new[id(stmt.value)], position)
    return stmt


# ------------------------------------------------------------------ text
def nest_text(kernel: Kernel, canonical: bool = False) -> str:
    """The nest as text. Canonical: buffers, axes, locals and symbols numbered by appearance."""
    printer = _Printer(kernel, canonical)
    return printer.run()


class _Printer:
    def __init__(self, kernel: Kernel, canonical: bool) -> None:
        self.kernel = kernel
        self.canonical = canonical
        self.names: dict[object, str] = {}
        self.lines: list[str] = []

    def run(self) -> str:
        kernel = self.kernel
        for n, buf in enumerate(kernel.inputs):
            self.names[buf] = f"b{n}" if self.canonical else repr(buf)
        for n, buf in enumerate(kernel.outputs):
            # a buffer updated in place keeps its input's name for loads
            self.names.setdefault(buf, f"o{n}" if self.canonical else repr(buf))
            self.names[("out", n)] = f"o{n}" if self.canonical else repr(buf)
        for n, buf in enumerate(kernel.rows):
            self.names[buf] = f"row{n}"
        for n, dim in enumerate(kernel.dims):
            self.names[DimValue(dim)] = f"n{n}" if self.canonical else f"[{dim}]"  # type: ignore[arg-type]
        title = "kernel" if self.canonical else f"kernel {kernel.name}"
        params = ", ".join(f"{self.names[b]}:{b.dtype.name}" for b in kernel.inputs)
        outs = ", ".join(
            f"{self.names[('out', n)]}:{b.dtype.name}" for n, b in enumerate(kernel.outputs)
        )
        alias = [
            f"{n}={kernel.inputs.index(b)}"
            for n, b in enumerate(kernel.outputs)
            if b in kernel.inputs
        ]
        dims = ", ".join(self.names[DimValue(d)] for d in kernel.dims)  # type: ignore[arg-type]
        extent = self._extent()
        self.lines.append(f"{title}({params}) -> ({outs})")
        self.lines.append(
            f"  dims ({dims}) extent {extent} grain {kernel.grain}"
            f"{' inplace ' + ' '.join(alias) if alias else ''}{' flags' if kernel.flags else ''}"
        )
        for buf in kernel.rows:
            self.lines.append(f"  row {self.names[buf]}: {buf.dtype.name} x{buf.shape[0]}")
        self.block(kernel.body, 1)
        return "\n".join(self.lines) + "\n"

    def _extent(self) -> str:
        # the extent is data of the plan, not of the code
        return "lo..hi" if self.canonical else str(self.kernel.extent)

    def block(self, body: Sequence[Stmt], depth: int) -> None:
        pad = "  " * depth
        for stmt in body:
            if isinstance(stmt, For):
                lanes = f" x{stmt.lanes}" if stmt.lanes > 1 else ""
                reduces = ""
                if stmt.reduces:
                    reduces = " reduces " + ",".join(self.expr(r) for r in stmt.reduces)
                bounds = f"{self.expr(stmt.lo)}..{self.expr(stmt.hi)}"
                if self.canonical and stmt.kind == "parallel":
                    bounds = "lo..hi"  # given by the caller: not part of the code
                self.lines.append(
                    f"{pad}for {self.expr(stmt.axis)} in {bounds} {stmt.kind}{lanes}{reduces}:"
                )
                self.block(stmt.body, depth + 1)
            elif isinstance(stmt, Let):
                self.lines.append(
                    f"{pad}{self.expr(stmt.local)}: {stmt.local.dtype.name} ="
                    f" {self.expr(stmt.value)}"
                )
            elif isinstance(stmt, Accum):
                best = f", best {self.expr(stmt.best)}" if stmt.best is not None else ""
                self.lines.append(
                    f"{pad}{self.expr(stmt.local)}: {stmt.dtype.name} = {stmt.monoid}.identity"
                    f"{best}"
                )
            elif isinstance(stmt, Update):
                at = "" if stmt.position is None else f" at {self.expr(stmt.position)}"
                self.lines.append(f"{pad}{self.expr(stmt.local)} <- {self.expr(stmt.value)}{at}")
            else:
                self.lines.append(
                    f"{pad}{self._out_name(stmt.buffer)}[{self.expr(stmt.offset)}] ="
                    f" {self.expr(stmt.value)}{' streamed' * stmt.streamed}"
                )

    def _out_name(self, buffer: Buffer) -> str:
        if buffer in self.kernel.rows:
            return self.names[buffer]
        return self.names[("out", self.kernel.outputs.index(buffer))]

    def expr(self, root: Expr) -> str:
        if not self.canonical:
            return text(root)
        from graphc.kernel.expr import _text

        out: dict[int, str] = {}
        for node in postorder(root):
            if isinstance(node, Axis | Local | DimValue):
                name = self.names.get(node)
                if name is None:
                    name = self.names[node] = f"v{len(self.names)}:{node.dtype.name}"
                out[id(node)] = name
                continue
            args = [out[id(a)] for a in node.args]
            if isinstance(node, Load):
                inner = ", ".join(args)
                out[id(node)] = f"{self.names[node.buffer]}[{inner}{' masked' * node.masked}]"
            else:
                out[id(node)] = f"{_text(node, args)}"
        return out[id(root)]
