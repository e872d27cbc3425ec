"""Loads and stores as LLVM instructions.

Lives here: the choice between scalar, vector, reversed, gathered and masked accesses. Not here:
other expressions (render/vector_emit.py). Only render/vector*.py import this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc.errors import CompileError
from graphc.ir.dtypes import DType, bool_
from graphc.kernel.expr import Buffer, Expr, Load
from graphc.kernel.nest import Store
from graphc.render.vector_ops import select
from graphc.render.vector_types import (
    Value,
    constant,
    memory_type,
    scalar_type,
    suffix,
    vector_type,
)

if TYPE_CHECKING:
    from graphc.render.vector_emit import Emitter

LINE = 64
STREAM = "!1000000"  # what streamed stores refer to


def emit_load(e: Emitter, node: Load) -> Value:
    """The loaded value: a vector where offset or mask vary with the vector axis."""
    if not node.flat or len(node.index) != 1:
        raise CompileError(f"loop nests load from flat offsets, not {node!r}")
    offset = node.index[0]
    reads = frozenset((node.buffer,)) if node.buffer in e.stored else frozenset()
    for arg in node.args:
        if not e.varies(arg):
            reads |= e.value(arg).reads
    lanes = e.lanes if e.varies(node) else 1
    if lanes == 1:
        return _load_scalar(e, node, offset, reads)
    mask = _mask(e, node.mask)
    other = constant(0, node.dtype, lanes)
    if node.other is not None:
        other = e.widened(e.value(node.other), lanes)
    text = _load_vector(e, node.buffer, offset, mask, other)
    return Value(text, node.dtype, lanes, e.depth, reads)


def _mask(e: Emitter, mask: Expr | None) -> Value | None:
    """The lanes that an access touches: those of the tail that the load's mask allows too."""
    if mask is None:
        return e.mask
    own = e.widened(e.value(mask), e.lanes)
    if e.mask is None:
        return own
    kind = vector_type("i1", e.lanes)
    return Value(e.op(f"and {kind} {own.text}, {e.mask.text}"), bool_, e.lanes, e.depth)


def _address(e: Emitter, buffer: Buffer, offset: Value) -> str:
    pointer = e.pointers.get(buffer)
    if pointer is None:
        raise CompileError(f"buffer {buffer!r} is no parameter of the kernel")
    return e.op(f"getelementptr {memory_type(buffer.dtype)}, ptr {pointer}, {offset.typed}")


def _load_scalar(e: Emitter, node: Load, offset: Expr, reads: frozenset[Buffer]) -> Value:
    at = e.value(offset)
    dtype, depth = node.dtype, e.depth
    guarded = e.scopes[-1].guarded
    if node.mask is None and not reads and at.depth < depth and guarded is not None:
        # the loop runs at least once, so the load happens anyway
        return _hoisted(e, node, at, guarded)
    address = _address(e, node.buffer, at)
    if node.mask is not None:
        assert node.other is not None
        e.uses_scratch = True
        allowed = e.value(node.mask)
        address = e.op(f"select i1 {allowed.text}, ptr {address}, ptr %scratch")
    memory = memory_type(dtype)
    text = _to_register(e, e.op(f"load {memory}, ptr {address}, align {dtype.size}"), dtype, 1)
    if node.mask is not None:
        assert node.other is not None
        text = select(e, allowed.text, text, e.value(node.other).text, dtype, 1)
    return Value(text, dtype, 1, depth, reads)


def _hoisted(e: Emitter, node: Load, at: Value, lines: list[Any]) -> Value:
    with e.into(lines):
        address = _address(e, node.buffer, at)
        memory, dtype = memory_type(node.dtype), node.dtype
        text = _to_register(e, e.op(f"load {memory}, ptr {address}, align {dtype.size}"), dtype, 1)
        value = Value(text, dtype, 1, e.depth)
        if e.lanes > 1:
            e.splat_here(value, e.lanes)
    return value


def _load_vector(e: Emitter, buffer: Buffer, offset: Expr, mask: Value | None, other: Value) -> str:
    step = e.stride(offset)
    dtype, lanes = buffer.dtype, e.lanes
    if step == 0:
        return _broadcast_load(e, buffer, offset, mask, other)
    if step not in (1, -1):
        return _gather(e, buffer, e.value(offset), mask, other)
    first = e.lane0(offset)
    if step == 1:
        return _contiguous(e, buffer, first, mask, other)
    start = Value(e.op(f"sub i64 {first.text}, {lanes - 1}"), first.dtype)
    if mask is not None:
        mask = Value(reverse(e, mask), bool_, lanes)
    # `other` is put in afterwards, in the right order
    loaded = Value(_contiguous(e, buffer, start, mask, constant(0, dtype, lanes)), dtype, lanes)
    turned = reverse(e, loaded)
    if mask is None:
        return turned
    return select(e, reverse(e, mask), turned, other.text, dtype, lanes)


def _contiguous(e: Emitter, buffer: Buffer, first: Value, mask: Value | None, other: Value) -> str:
    address = _address(e, buffer, first)
    dtype, lanes = buffer.dtype, e.lanes
    memory = vector_type(memory_type(dtype), lanes)
    if mask is None:
        loaded = e.op(f"load {memory}, ptr {address}, align {dtype.size}")
        return _to_register(e, loaded, dtype, lanes)
    filler = _to_memory(e, other)
    name = f"llvm.masked.load.{suffix(memory_type(dtype), lanes)}.p0"
    args = [f"ptr {address}", f"i32 {dtype.size}", mask.typed, f"{memory} {filler}"]
    return _to_register(e, e.call(name, memory, args), dtype, lanes)


def _broadcast_load(
    e: Emitter, buffer: Buffer, offset: Expr, mask: Value | None, other: Value
) -> str:
    """One element for all lanes; the mask varies, so it is touched if any lane may."""
    assert mask is not None
    e.uses_scratch = True
    dtype, lanes = buffer.dtype, e.lanes
    kind = vector_type("i1", lanes)
    some = e.call(f"llvm.vector.reduce.or.v{lanes}i1", "i1", [f"{kind} {mask.text}"])
    address = _address(e, buffer, e.value(offset))
    safe = e.op(f"select i1 {some}, ptr {address}, ptr %scratch")
    loaded = e.op(f"load {memory_type(dtype)}, ptr {safe}, align {dtype.size}")
    scalar = Value(_to_register(e, loaded, dtype, 1), dtype, 1, e.depth)
    return select(e, mask.text, e.splat(scalar).text, other.text, dtype, lanes)


def _pointers(e: Emitter, buffer: Buffer, offset: Value) -> str:
    wide = e.widened(offset, e.lanes)
    base = e.pointers.get(buffer)
    if base is None:
        raise CompileError(f"buffer {buffer!r} is no parameter of the kernel")
    return e.op(f"getelementptr {memory_type(buffer.dtype)}, ptr {base}, {wide.typed}")


def _all_lanes(e: Emitter, mask: Value | None) -> str:
    return f"{vector_type('i1', e.lanes)} {'splat (i1 true)' if mask is None else mask.text}"


def _gather(e: Emitter, buffer: Buffer, offset: Value, mask: Value | None, other: Value) -> str:
    pointers = _pointers(e, buffer, offset)
    dtype, lanes = buffer.dtype, e.lanes
    memory = vector_type(memory_type(dtype), lanes)
    name = f"llvm.masked.gather.{suffix(memory_type(dtype), lanes)}.v{lanes}p0"
    args = [
        f"<{lanes} x ptr> {pointers}",
        f"i32 {dtype.size}",
        _all_lanes(e, mask),
        f"{memory} {_to_memory(e, other)}",
    ]
    return _to_register(e, e.call(name, memory, args), dtype, lanes)


# ------------------------------------------------------------------ stores
def emit_store(e: Emitter, stmt: Store) -> None:
    """Store a value; lanes that write one place leave the last one's value, as a loop would."""
    value = e.value(stmt.value)
    buffer, dtype = stmt.buffer, stmt.buffer.dtype
    if value.dtype is not dtype:
        raise CompileError(f"{buffer!r} holds {dtype.name}, not {value.dtype.name}")
    step = e.stride(stmt.offset)
    if step == 0 and value.lanes == 1:
        _store_plain(e, buffer, e.value(stmt.offset), value)
    elif step == 1 and stmt.streamed and e.mask is None:
        _store_streamed(e, buffer, e.lane0(stmt.offset), e.widened(value, e.lanes))
    elif step == 1:
        _store_contiguous(e, buffer, e.lane0(stmt.offset), value, e.mask)
    elif step == -1:
        first = e.lane0(stmt.offset)
        start = Value(e.op(f"sub i64 {first.text}, {e.lanes - 1}"), first.dtype)
        turned = Value(reverse(e, e.widened(value, e.lanes)), dtype, e.lanes)
        mask = None if e.mask is None else Value(reverse(e, e.mask), bool_, e.lanes)
        _store_contiguous(e, buffer, start, turned, mask)
    else:
        _scatter(e, buffer, e.value(stmt.offset), value)


def _store_plain(e: Emitter, buffer: Buffer, offset: Value, value: Value) -> None:
    address = _address(e, buffer, offset)
    kind = vector_type(memory_type(buffer.dtype), value.lanes)
    e.put(f"store {kind} {_to_memory(e, value)}, ptr {address}, align {buffer.dtype.size}")


def _store_streamed(e: Emitter, buffer: Buffer, offset: Value, value: Value) -> None:
    """Past the caches: whole lines, whose old content need not be read."""
    address = _address(e, buffer, offset)
    memory = memory_type(buffer.dtype)
    align = min(LINE, e.lanes * buffer.dtype.size)
    kind = vector_type(memory, value.lanes)
    e.declares[STREAM] = f"{STREAM} = !{{i32 1}}"
    text = _to_memory(e, value)
    e.put(f"store {kind} {text}, ptr {address}, align {align}, !nontemporal {STREAM}")


def _store_contiguous(
    e: Emitter, buffer: Buffer, first: Value, value: Value, mask: Value | None
) -> None:
    wide = e.widened(value, e.lanes)
    if mask is None:
        _store_plain(e, buffer, first, wide)
        return
    address = _address(e, buffer, first)
    memory = memory_type(buffer.dtype)
    kind = vector_type(memory, e.lanes)
    name = f"llvm.masked.store.{suffix(memory, e.lanes)}.p0"
    align = f"i32 {buffer.dtype.size}"
    args = [f"{kind} {_to_memory(e, wide)}", f"ptr {address}", align, mask.typed]
    e.declare(name, "void", args)
    e.put(f"call void @{name}({', '.join(args)})")


def _scatter(e: Emitter, buffer: Buffer, offset: Value, value: Value) -> None:
    pointers = _pointers(e, buffer, offset)
    memory = memory_type(buffer.dtype)
    kind = vector_type(memory, e.lanes)
    name = f"llvm.masked.scatter.{suffix(memory, e.lanes)}.v{e.lanes}p0"
    wide = e.widened(value, e.lanes)
    args = [
        f"{kind} {_to_memory(e, wide)}",
        f"<{e.lanes} x ptr> {pointers}",
        f"i32 {buffer.dtype.size}",
        _all_lanes(e, e.mask),
    ]
    e.declare(name, "void", args)
    e.put(f"call void @{name}({', '.join(args)})")


# ------------------------------------------------------------------ register and memory forms
def _to_register(e: Emitter, text: str, dtype: DType, lanes: int) -> str:
    if dtype is not bool_:
        return text
    zero = "0" if lanes == 1 else "zeroinitializer"
    return e.op(f"icmp ne {vector_type('i8', lanes)} {text}, {zero}")


def _to_memory(e: Emitter, value: Value) -> str:
    if value.dtype is not bool_:
        return value.text
    return e.op(f"zext {value.typed} to {vector_type('i8', value.lanes)}")


def reverse(e: Emitter, value: Value) -> str:
    """The lanes in the opposite order."""
    order = ", ".join(f"i32 {i}" for i in range(value.lanes - 1, -1, -1))
    kind = vector_type(scalar_type(value.dtype), value.lanes)
    return e.op(
        f"shufflevector {kind} {value.text}, {kind} poison, <{value.lanes} x i32> <{order}>"
    )
