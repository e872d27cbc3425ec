"""The verifier of loop nests: what every printer may rely on.

Lives here: verify. Not here: whether a nest computes the right thing (kernel/interp.py).
Lowering's tests, the schedule (when checks are on) and the printers' tests import this module.
"""

from __future__ import annotations

from graphc.errors import CompileError
from graphc.ir.dtypes import DType, bool_, int64
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Cast,
    Const,
    DimValue,
    Expr,
    Load,
    Local,
    Prim,
    Reduce,
    Select,
    postorder,
    text,
)
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update
from graphc.kernel.prims import TABLE

_KINDS = ("parallel", "serial", "vector")
# primitives whose arguments may be of a half type: they move bits
_MOVES = ("bitcast",)


def verify(kernel: Kernel) -> None:
    """Check that a kernel keeps the contract of kernel/nest.py.

    Raises:
        CompileError: names the kernel, the statement and what is wrong with it.
    """
    _Verifier(kernel).run()


class _Verifier:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.defined: dict[Expr, DType] = {}
        self.names: set[str] = set()
        self.accums: dict[Local, Accum] = {}
        self.updated: set[Local] = set()
        self.open: list[For] = []

    def fail(self, what: str) -> None:
        raise CompileError(f"kernel {self.kernel.name}: {what}")

    def run(self) -> None:
        kernel = self.kernel
        parallel = [s for s in kernel.body if isinstance(s, For) and s.kind == "parallel"]
        if parallel and len(kernel.body) != 1:
            self.fail("the parallel loop must be the only statement")
        if not parallel and kernel.extent != 1:
            self.fail(f"extent {kernel.extent} without a parallel loop")
        if kernel.grain < 1:
            self.fail(f"grain {kernel.grain}")
        if len(set(kernel.inputs)) != len(kernel.inputs):
            self.fail("an input stands twice")
        self.block(kernel.body)
        for local in self.accums:
            if local not in self.updated:
                self.fail(f"accumulator {local.name} is never updated")

    def block(self, body: tuple[Stmt, ...]) -> None:
        before = dict(self.defined)
        for stmt in body:
            if isinstance(stmt, Let):
                self.value(stmt.value)
                self.same(stmt.value.dtype, stmt.local.dtype, f"{stmt.local.name} = ...")
                self.define(stmt.local)
            elif isinstance(stmt, Accum):
                self.accum(stmt)
            elif isinstance(stmt, Update):
                self.update(stmt)
            elif isinstance(stmt, Store):
                self.store(stmt)
            else:
                self.loop(stmt)
        # what a body defines ends with it
        self.defined = before

    def define(self, node: Axis | Local) -> None:
        if node.name in self.names:
            self.fail(f"{node.name} is defined twice")
        self.names.add(node.name)
        self.defined[node] = node.dtype

    def same(self, got: DType, want: DType, where: str) -> None:
        if got is not want:
            self.fail(f"{where}: {got.name} where {want.name} is needed")

    # -------------------------------------------------------------- statements
    def accum(self, stmt: Accum) -> None:
        if stmt.dtype.is_half:
            self.fail(f"accumulator {stmt.local.name} is {stmt.dtype.name}")
        if (stmt.best is not None) != (stmt.monoid in ("argmax", "argmin")):
            self.fail(f"accumulator {stmt.local.name}: {stmt.monoid} and its best do not fit")
        self.same(stmt.local.dtype, stmt.dtype, f"accumulator {stmt.local.name}")
        self.define(stmt.local)
        self.accums[stmt.local] = stmt
        if stmt.best is not None:
            self.same(stmt.dtype, int64, f"position {stmt.local.name}")
            self.define(stmt.best)

    def update(self, stmt: Update) -> None:
        accum = self.accums.get(stmt.local)
        if accum is None or stmt.local not in self.defined:
            self.fail(f"{stmt.local.name} is updated but is no accumulator here")
            return
        self.updated.add(stmt.local)
        self.value(stmt.value)
        want = accum.dtype if accum.best is None else accum.best.dtype
        self.same(stmt.value.dtype, want, f"{stmt.local.name} <- ...")
        if (stmt.position is None) != (accum.best is None):
            self.fail(f"{stmt.local.name}: a position is given or missing")
        if stmt.position is not None:
            self.value(stmt.position)
            self.same(stmt.position.dtype, int64, f"position of {stmt.local.name}")

    def store(self, stmt: Store) -> None:
        where = f"store to {stmt.buffer!r}"
        if stmt.buffer not in (*self.kernel.outputs, *self.kernel.rows):
            self.fail(f"{where}: not an output")
        self.value(stmt.offset)
        self.value(stmt.value)
        self.same(stmt.offset.dtype, int64, f"{where}, offset")
        self.same(stmt.value.dtype, stmt.buffer.dtype, where)

    def loop(self, loop: For) -> None:
        where = f"loop {loop.axis.name}"
        if loop.kind not in _KINDS:
            self.fail(f"{where}: kind {loop.kind!r}")
        if loop.kind == "parallel" and self.open:
            self.fail(f"{where}: the parallel loop must be the outermost")
        if loop.kind == "serial" and loop.lanes != 1:
            self.fail(f"{where}: a serial loop with {loop.lanes} lanes")
        if loop.lanes < 1 or loop.lanes & (loop.lanes - 1):
            self.fail(f"{where}: {loop.lanes} lanes is not a power of two")
        if loop.lanes > 1 and any(outer.lanes > 1 for outer in self.open):
            self.fail(f"{where}: a vector loop inside a vector loop")
        if loop.reduces and loop.kind != "vector":
            self.fail(f"{where}: only vector loops reduce lane by lane")
        for local in loop.reduces:
            if local not in self.accums:
                self.fail(f"{where}: reduces {local.name}, which is no accumulator")
        if loop.kind != "parallel":
            for bound in (loop.lo, loop.hi):
                self.value(bound)
                self.same(bound.dtype, int64, f"{where}, bound")
        inside = dict(self.defined)
        self.define(loop.axis)
        self.open.append(loop)
        self.block(loop.body)
        self.open.pop()
        self.defined = inside

    # -------------------------------------------------------------- expressions
    def value(self, root: Expr) -> None:
        for node in postorder(root):
            self.node(node)

    def node(self, node: Expr) -> None:
        if isinstance(node, Axis | Local):
            if node not in self.defined:
                self.fail(f"{node.name} is used where it has no value")
        elif isinstance(node, DimValue):
            if node.dim not in self.kernel.dims:
                self.fail(f"dimension {node.dim} is not a parameter")
        elif isinstance(node, Load):
            self.load(node)
        elif isinstance(node, Reduce):
            self.fail(f"a reduction is left over: {text(node)}")
        elif isinstance(node, Select):
            self.same(node.args[0].dtype, bool_, text(node))
            self.same(node.args[1].dtype, node.args[2].dtype, text(node))
        elif isinstance(node, Prim):
            self.prim(node)
        elif not isinstance(node, Const | Cast):
            self.fail(f"unknown expression {node!r}")

    def load(self, node: Load) -> None:
        if node.buffer not in (*self.kernel.inputs, *self.kernel.rows):
            self.fail(f"load of {_name(node.buffer)}: not an input")
        if not node.flat or len(node.index) != 1:
            self.fail(f"load {text(node)}: not a flat offset")
        self.same(node.index[0].dtype, int64, f"offset of {text(node)}")
        if node.mask is not None and node.other is not None:
            self.same(node.mask.dtype, bool_, f"mask of {text(node)}")
            self.same(node.other.dtype, node.dtype, f"other value of {text(node)}")

    def prim(self, node: Prim) -> None:
        record = TABLE.get(node.name)
        if record is None or len(node.args) != record.arity:
            self.fail(f"{text(node)}: no such primitive")
            return
        first = node.args[0].dtype
        for arg in node.args:
            self.same(arg.dtype, first, text(node))
        if record.result == "bool":
            self.same(node.dtype, bool_, text(node))
        elif record.result == "same":
            self.same(node.dtype, first, text(node))
        if first.is_half and node.name not in _MOVES:
            self.fail(f"{text(node)}: arithmetic in {first.name}")
        if record.effect == "index" and not self.kernel.flags:
            self.fail(f"{text(node)} may flag, but the kernel takes no status word")


def _name(buffer: Buffer) -> str:
    return repr(buffer)
