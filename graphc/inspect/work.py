"""What steps do: bytes read and written, floating-point operations; what compiling them costs.

Lives here: Work, step_work, kernel_work, reference_work, compile_seconds, calls_of. Not here: how
long steps take (inspect/profile.py), what the machine could do (inspect/limits.py). Everything in
inspect that speaks of bytes or FLOPs takes them from here, so that all numbers agree.

Bytes are those of the storages that a step reads and writes, each once: what is read again comes
from the cache. Where a kernel touches a part of a storage only (a slice, gathered rows, the row of
a loop's step), it is that part. Memory in which a product packs its own operands, or keeps parts of
its sums, is not counted: no other step sees it. FLOPs count each primitive on floating-point values
once (exp, a division and a maximum too), a fused multiply-add twice, a product of matrices 2 m n k;
comparisons, choices, conversions and integers count nothing. Steps in loops are counted for one
turn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphc.inspect import launches
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import Dim, evaluate, evaluate_shape, shape_env
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Const,
    DimValue,
    Expr,
    Load,
    Local,
    Prim,
    postorder,
)
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store, Update, stmt_exprs
from graphc.kernel.prims import TABLE
from graphc.ops.control import HOLDERS
from graphc.runtime import codegen, jit
from graphc.runtime.conv_tiles import ConvCall
from graphc.runtime.extern import GemmCall
from graphc.runtime.finishing import Finishing
from graphc.runtime.gpu.plan import GpuPlan
from graphc.runtime.gpu.product_calls import GpuProductCall
from graphc.runtime.rows import RowsCall
from graphc.runtime.scan import ScanCall
from graphc.runtime.steps import Step, Storage
from graphc.runtime.tiles import TileCall

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding
    from graphc.runtime.plan import CompiledPlan
    from graphc.runtime.tiles import PackCall
    from graphc.runtime.turn import TurnCall

    CpuCall: TypeAlias = (
        GemmCall | RowsCall | TileCall | PackCall | ConvCall | TurnCall | ScanCall
    )

MAX_VALUES = 1 << 16  # of a loop variable on which the bounds of an inner loop depend


@dataclass(frozen=True)
class Work:
    """Bytes read, bytes written, floating-point operations."""

    read: int = 0
    written: int = 0
    flops: int = 0

    @property
    def nbytes(self) -> int:
        return self.read + self.written

    @property
    def intensity(self) -> float:
        """Operations a byte."""
        return self.flops / self.nbytes if self.nbytes else 0.0


def step_work(step: Step, binding: Binding) -> Work:
    """The work of one turn of a step under the extents of a binding."""
    values, call = binding.symbols, step.call
    if step.kernel is not None:
        most = _sizes_of(binding, step.kernel.buffers, (*step.reads, *step.writes))
        return kernel_work(step.kernel, values, most)
    if isinstance(call, RowsCall):
        return _rows_work(call, values)
    read, written = step.reads, outputs_of(step)
    if isinstance(call, Finishing) and call.finish is not None:
        # the finish says what it touches of all but the product's operands
        named = (*call.inputs, *call.finish.outputs)
        own = step.reads[len(step.reads) - len(call.inputs) :]
        most = _sizes_of(binding, named, (*own, *outputs_of(step)))
        behind = kernel_work(call.finish, values, most, call.scratch)
        read, written = step.reads[: len(step.reads) - len(own)], ()
    else:
        behind = Work()
    return Work(
        behind.read + sum(binding.nbytes[binding.number[s]] for s in read),
        behind.written + sum(binding.nbytes[binding.number[s]] for s in written),
        behind.flops + _call_flops(step, values),
    )


def _sizes_of(
    binding: Binding, buffers: Sequence[Buffer], storages: Sequence[Storage]
) -> dict[Buffer, int]:
    """The memory behind each buffer: in a chain it holds some of the products only."""
    pairs = zip(buffers, storages, strict=True)
    return {buffer: binding.nbytes[binding.number[home]] for buffer, home in pairs}


def outputs_of(step: Step) -> tuple[Storage, ...]:
    """What a step writes for others: without what a product packs or keeps for itself."""
    call = step.call
    if not isinstance(call, Finishing):
        return step.writes
    return step.writes[: 1 if call.finish is None else len(call.finish.outputs)]


def _call_flops(step: Step, values: Mapping[str, int]) -> int:
    call = step.call
    if isinstance(call, GemmCall):
        return _product(call, values)
    if isinstance(call, Finishing):
        return _tile_flops(call, values)
    if isinstance(call, ScanCall):
        floating = call.node.outputs[0].dtype.is_floating
        return _sizes(values, call.count, call.length, call.inner) if floating else 0
    if step.kind == "host" and step.node is not None:
        return _host_flops(step.node, values)
    return 0


def _rows_work(call: RowsCall, values: Mapping[str, int]) -> Work:
    """Rows by number touch as many rows as there are numbers."""
    numbers = evaluate(call.n, values)
    ids = numbers * call.ids.dtype.size
    if call.rows is None or call.out is None:
        return Work(ids, 0 if call.out is None else numbers * call.out.dtype.size)
    elements = _sizes(values, call.n, call.inner)
    moved = elements * call.rows.dtype.size
    adds = call.form in ("add", "sub", "sum")
    zeros = _sizes(values, call.count, call.inner) * call.rows.dtype.size
    flops = elements if adds and call.rows.dtype.is_floating else 0
    return Work(
        ids + moved * (1 + adds), moved + (zeros if call.form == "sum" else 0), flops
    )


def _tile_flops(call: Finishing, values: Mapping[str, int]) -> int:
    if isinstance(call, TileCall):
        return _product(call.product, values)
    if isinstance(call, GpuProductCall):
        return int(sum(sides.flops for sides in call.sides(values)))
    assert isinstance(call, ConvCall)
    return 2 * call.spec.multiplies(evaluate(call.images, values))


def _product(call: GemmCall, values: Mapping[str, int]) -> int:
    return 2 * _sizes(values, call.batch, call.m, call.n, call.k)


def _sizes(values: Mapping[str, int], *dims: Dim) -> int:
    return math.prod(evaluate(d, values) for d in dims)


def _host_flops(node: Node, values: Mapping[str, int]) -> int:
    """Of products that no kernel does; of other host steps nobody counts."""
    if node.op.name != "matmul" or not node.outputs[0].dtype.is_floating:
        return 0
    a, out = node.inputs[0], node.outputs[0]
    if a.dims is None or out.dims is None or None in (*a.dims, *out.dims):
        return 0
    inner = a.known_dims[-2] if node.attrs.get("transpose_a") else a.known_dims[-1]
    return 2 * _sizes(values, *out.known_dims, inner)


# ------------------------------------------------------------------ loop nests
def kernel_work(
    kernel: Kernel, values: Mapping[str, int], most: Mapping[Buffer, int] | None = None,
    inside: Buffer | None = None,
) -> Work:  # fmt: skip
    """The work of a nest under these extents.

    Args:
        most: bytes of the memory behind each buffer; None: of the whole buffer. inside: memory
            that counts for nothing.
    """
    counter = _Counter(values)
    flops = counter.block(kernel.body, 1.0)
    if most is None:
        most = {b: _sizes(values, *b.shape) * b.dtype.size for b in kernel.buffers}
    read, written = (
        sum(
            min(round(times) * buffer.dtype.size, most[buffer])
            for buffer, times in touched.items()
            if buffer != inside and buffer not in kernel.rows
        )
        for touched in (counter.loaded, counter.stored)
    )
    return Work(read, written, round(flops))


class _Counter:
    """Turns of loops, and how often elements of each buffer are loaded and stored."""

    def __init__(self, values: Mapping[str, int]) -> None:
        self.values = values
        self.lets: dict[Local, Expr] = {}
        self.spans: dict[Axis, tuple[int, int]] = {}
        self.loaded: dict[Buffer, float] = {}
        self.stored: dict[Buffer, float] = {}

    def block(self, body: Sequence[Stmt], turns: float) -> float:
        """Floating-point operations of the statements."""
        total = 0.0
        for stmt in body:
            if isinstance(stmt, For):
                total += self.block(stmt.body, turns * self._length(stmt))
                continue
            total += turns * self._stmt(stmt, turns)
        return total

    def _stmt(self, stmt: Stmt, turns: float) -> int:
        if isinstance(stmt, Let):
            self.lets[stmt.local] = stmt.value
        if isinstance(stmt, Store):
            self.stored[stmt.buffer] = self.stored.get(stmt.buffer, 0.0) + turns
        nodes = postorder(*stmt_exprs(stmt))
        for node in nodes:
            if isinstance(node, Load):
                self.loaded[node.buffer] = self.loaded.get(node.buffer, 0.0) + turns
        joins = isinstance(stmt, Update) and stmt.position is None and stmt.local.dtype.is_floating
        return sum(map(_prim_flops, nodes)) + joins

    def _length(self, loop: For) -> float:
        """Turns of a loop; the mean where outer loops decide its bounds."""
        try:
            low, high = self._value(loop.lo), self._value(loop.hi)
        except KeyError:
            # the box of a tile, which only the run gives: all boxes together are the whole axis
            low, high = np.int64(0), np.int64(evaluate(loop.axis.extent, self.values))
        self.spans[loop.axis] = (int(np.min(low)), int(np.max(high)))
        return float(np.mean(np.maximum(high - low, 0)))

    def _value(self, root: Expr) -> Any:
        """A bound: one number, or one for each value of the outer loop that it depends on."""
        found: dict[int, Any] = {}
        for node in postorder(root):
            if isinstance(node, Const):
                found[id(node)] = np.int64(node.value)
            elif isinstance(node, DimValue):
                found[id(node)] = np.int64(evaluate(node.dim, self.values))
            elif isinstance(node, Axis):
                low, high = self.spans[node]
                found[id(node)] = np.arange(low, min(high, low + MAX_VALUES))
            elif isinstance(node, Local):
                found[id(node)] = self._value(self.lets[node])
            else:
                assert isinstance(node, Prim)
                found[id(node)] = TABLE[node.name].numpy(*(found[id(a)] for a in node.args))
        return found[id(root)]


def _prim_flops(node: Expr) -> int:
    if not isinstance(node, Prim) or not node.dtype.is_floating or node.name == "bitcast":
        return 0
    return 2 if node.name == "fma" else 1


# ------------------------------------------------------------------ the reference
def reference_work(program: Program, symbols: Mapping[str, int]) -> tuple[int, Work, int]:
    """(ops, their work, bytes of all values) where NumPy runs each node by itself.

    All values are kept to the end of a run. Strings and what only data give a shape count nothing.
    Zeros where there are loops or branches: what NumPy does in them depends on their turns.
    """
    if any(node.op.name in HOLDERS for node in program.nodes):
        return 0, Work(), 0
    ops = read = written = kept = 0
    for node in program.nodes:
        made = sum(tensor_bytes(t, symbols) for t in node.outputs)
        if node.op.name not in ("feed", "const"):
            kept += made
        if node.op.family == "source":
            continue
        ops += 1
        read += sum(tensor_bytes(t, symbols) for t in node.inputs)
        written += made
    return ops, Work(read, written), kept


def tensor_bytes(tensor: Tensor, symbols: Mapping[str, int]) -> int:
    """The bytes of a tensor; 0 for strings and where only the data decide."""
    if tensor.dims is None or None in tensor.dims or tensor.dtype.kind == "s":
        return 0
    return int(tensor.dtype.size * math.prod(evaluate_shape(tensor.known_dims, symbols)))


# ------------------------------------------------------------------ compiling
def compile_seconds(plan: CompiledPlan, values: Mapping[str, int]) -> float:
    """The time to print and compile all that a plan runs, with nothing found in any cache.

    Nothing is kept or loaded. Two plans of one process are comparable by it: what they share is
    compiled for each. values: extents; what a GPU runs depends on them. 0 where it is simulated.
    """
    if isinstance(plan, GpuPlan):
        with shape_env(plan.program.env):
            return launches.compile_seconds(plan, values)
    kernels = {k.symbol: k for k in plan.kernels.values()}
    calls = {c.kernel_name: c for c in calls_of(plan)}
    start = time.perf_counter()
    items = [(k.kernel, symbol) for symbol, k in kernels.items() if k.printer == "vector"]
    if items:
        jit.compile_ir(codegen.vector_text(items), [symbol for _, symbol in items])
    for symbol, compiled in kernels.items():
        if compiled.printer != "vector":
            codegen.compile_object(compiled.kernel, symbol, compiled.printer)
    for name, call in calls.items():
        jit.compile_ir(call.ir(), [name], name=name)
    return time.perf_counter() - start


def calls_of(plan: CompiledPlan) -> list[CpuCall]:
    """The calls that a plan for the CPU compiles besides its kernels."""
    calls = (s.call for s in plan.schedule.steps)
    return [c for c in calls if c is not None and not isinstance(c, GpuProductCall)]
