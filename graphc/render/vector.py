"""Kernels as LLVM IR with explicit vectors.

Lives here: print_kernel and module, the functions around a nest. Not here: expressions, loops,
memory (the other render/vector_*.py), compilation of the text (runtime/jit.py). Only the runtime
and tools import this module; it needs no llvmlite.

A kernel becomes `void symbol(ptr args, i64 lo, i64 hi)`, which unpacks its slots (kernel/nest.py)
and calls an internal function whose pointers are `noalias`: buffers of one kernel do not overlap,
and one that is updated in place is one parameter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir.dtypes import bool_
from graphc.ir.shape import Dim
from graphc.kernel.approx import Rarely
from graphc.kernel.expr import Buffer
from graphc.kernel.nest import FLAG_DIV, FLAG_INDEX, Kernel, statements
from graphc.render import vector_half
from graphc.render.base import Prepared
from graphc.render.vector_emit import Emitter
from graphc.render.vector_loops import Loops
from graphc.render.vector_memory import STREAM
from graphc.render.vector_scope import Lines
from graphc.render.vector_types import constant, memory_type


@dataclass(frozen=True)
class Printed:
    """The text of one kernel and the declarations of the intrinsics in it, by name."""

    text: str
    declares: dict[str, str]


def print_kernel(kernel: Kernel, symbol: str, native: Collection[str] = ()) -> str:
    """LLVM IR of `define void @symbol(ptr args, i64 lo, i64 hi)` and its inner function.

    The text holds no declarations; `module` makes a complete module.

    Args:
        native: primitives for which the target has an instruction that others lack ("ldexp":
            AVX-512).

    Raises:
        CompileError: the nest is not valid, or holds what kernels cannot compute.
    """
    return _printed(kernel, symbol, native).text


def module(kernels: Sequence[tuple[Kernel, str]], native: Collection[str] = ()) -> str:
    """A complete LLVM module with one function for each (kernel, symbol)."""
    declares: dict[str, str] = {}
    texts = []
    for kernel, symbol in kernels:
        printed = _printed(kernel, symbol, native)
        texts.append(printed.text)
        declares.update(printed.declares)
    if any("half" in text for text in texts):
        texts.append(vector_half.FUNCTIONS)
    return "\n".join([*texts, *declares.values()]) + "\n"


@dataclass(frozen=True)
class Inner:
    """The internal function behind a kernel, for callers that have its arguments at hand.

    Attributes:
        symbol: its name. buffers, dims: its parameters in order, then lo and hi.
    """

    text: str
    symbol: str
    buffers: tuple[Buffer, ...]
    dims: tuple[Dim, ...]
    declares: dict[str, str]


def inner_function(kernel: Kernel, symbol: str, native: Collection[str] = ()) -> Inner:
    """The kernel without the function that unpacks its slots. Raises CompileError."""
    ready = Prepared(kernel, native)
    slots = _slots(kernel)
    rows = {b: f"%row{n}" for n, b in enumerate(kernel.rows)}
    emitter = Emitter(
        {b: name for b, name, _ in slots.buffers} | rows,
        {dim: name for dim, name, _ in slots.dims},
        {*kernel.outputs, *kernel.rows},
        _rare(ready),
        ready,
    )
    flags = _flags(ready)
    for bit in flags:
        emitter.cells[("flag", bit)] = constant(False, bool_)
    Loops(emitter).block(ready.kernel.body)
    _finish(emitter, flags if kernel.flags else ())
    text = _inner(symbol, slots, emitter, kernel.rows)
    buffers = tuple(b for b, _, _ in slots.buffers)
    return Inner(text, f"{symbol}.nest", buffers, kernel.dims, emitter.declares)


def _printed(kernel: Kernel, symbol: str, native: Collection[str]) -> Printed:
    inner = inner_function(kernel, symbol, native)
    outer = _outer(symbol, _slots(kernel))
    return Printed("\n".join([*_header(kernel), inner.text, outer]), inner.declares)


# ------------------------------------------------------------------ parameters
@dataclass(frozen=True)
class _Slots:
    """(thing, LLVM parameter, argument slot) of buffers and dimensions; the status word's slot."""

    buffers: tuple[tuple[Buffer, str, int], ...]
    dims: tuple[tuple[Dim, str, int], ...]
    status: int | None

    def parameters(self) -> list[tuple[str, str, int]]:
        """(type, name, slot) in the order of the inner function's parameters."""
        out = [("ptr", name, slot) for _, name, slot in self.buffers]
        out += [("i64", name, slot) for _, name, slot in self.dims]
        if self.status is not None:
            out.append(("ptr", "%status", self.status))
        return out


def _slots(kernel: Kernel) -> _Slots:
    first: dict[Buffer, int] = {}
    for slot, buffer in enumerate(kernel.buffers):
        first.setdefault(buffer, slot)
    count = len(kernel.buffers)
    return _Slots(
        tuple((buffer, f"%b{slot}", slot) for buffer, slot in first.items()),
        tuple((dim, f"%n{i}", count + i) for i, dim in enumerate(kernel.dims)),
        count + len(kernel.dims) if kernel.flags else None,
    )


def _flags(ready: Prepared) -> tuple[int, ...]:
    """The status bits that the kernel's expressions may raise."""
    bits = 0
    for stmt in statements(ready.kernel.body):
        bits |= ready.flags(stmt)
    return tuple(bit for bit in (FLAG_INDEX, FLAG_DIV) if bits & bit)


def _rare(ready: Prepared) -> dict[int, list[Rarely]]:
    """The Rarelys of each condition, by its id."""
    found: dict[int, dict[int, Rarely]] = {}
    for node in ready.all_nodes():
        if isinstance(node, Rarely):
            found.setdefault(id(node.args[0]), {})[id(node)] = node
    return {cond: list(nodes.values()) for cond, nodes in found.items()}


# ------------------------------------------------------------------ functions
def _header(kernel: Kernel) -> list[str]:
    """Comments that name the kernel and where it comes from."""
    lines = [f"; {kernel.name}", *(f";   {origin}" for origin in kernel.origins)]
    return ["; ".join(line.splitlines()) for line in lines]


def _finish(e: Emitter, flags: Iterable[int]) -> None:
    """Raise the status bits, then return."""
    word = "0"
    for bit in flags:
        wide = e.op(f"select i1 {e.cells[('flag', bit)].text}, i64 {bit}, i64 0")
        word = wide if word == "0" else e.op(f"or i64 {word}, {wide}")
    if word != "0":
        bad = e.op(f"icmp ne i64 {word}, 0")
        raised, done = e.name("raise"), e.name("done")
        e.put(f"br i1 {bad}, label %{raised}, label %{done}")
        e.label(raised)
        # chunks of one step run on several threads
        e.op(f"atomicrmw or ptr %status, i64 {word} monotonic, align 8")
        e.put(f"br label %{done}")
        e.label(done)
    if STREAM in e.declares:
        # such stores are not in order with those that say that a piece is done
        e.put("fence seq_cst")
    e.put("ret void")


def _inner(symbol: str, slots: _Slots, e: Emitter, rows: Sequence[Buffer]) -> str:
    written = {name for b, name, _ in slots.buffers if b in e.stored}
    params = []
    for kind, name, _ in slots.parameters():
        attributes = ""
        if kind == "ptr":
            attributes = " noalias" if name in written or name == "%status" else " noalias readonly"
        params.append(f"{kind}{attributes} {name}")
    params += ["i64 %lo", "i64 %hi"]
    lines = [f"define internal void @{symbol}.nest({', '.join(params)}) nounwind {{", "entry:"]
    if e.uses_scratch:
        # what masked-off scalar loads read
        lines += ["  %scratch = alloca i64, align 8", "  store i64 0, ptr %scratch, align 8"]
    for row in rows:
        kind = f"[{row.shape[0]} x {memory_type(row.dtype)}]"
        lines.append(f"  {e.pointers[row]} = alloca {kind}, align 64")
    lines.extend(_flat(e.lines))
    return "\n".join([*lines, "}"])


def _outer(symbol: str, slots: _Slots) -> str:
    lines = [f"define void @{symbol}(ptr %args, i64 %lo, i64 %hi) nounwind {{", "entry:"]
    names = []
    for kind, name, slot in slots.parameters():
        lines.append(f"  {name}.at = getelementptr i64, ptr %args, i64 {slot}")
        lines.append(f"  {name} = load {kind}, ptr {name}.at, align 8")
        names.append(f"{kind} {name}")
    names += ["i64 %lo", "i64 %hi"]
    lines += [f"  call void @{symbol}.nest({', '.join(names)})", "  ret void", "}"]
    return "\n".join(lines)


def _flat(lines: Lines) -> list[str]:
    """Nested lists of lines in order."""
    out: list[str] = []
    stack: list[Any] = [iter(lines)]
    while stack:
        for item in stack[-1]:
            if isinstance(item, str):
                out.append(item)
                continue
            stack.append(iter(item))
            break
        else:
            stack.pop()
    return out
