"""Expressions as LLVM instructions, placed in the outermost scope where they are defined.

Lives here: Emitter - memo, hoisting, vector and lane-0 evaluation, accumulator cells. Not here:
scopes (render/vector_scope.py), what a primitive prints (render/vector_ops.py), loads and stores
(render/vector_memory.py), loops (render/vector_loops.py). Only render/vector*.py import it.

An expression that depends only on outer scopes goes into the inner loop's preheader, so that no
pass has to hoist it. Inside a vector loop, what depends on the loop's axis is a vector, the rest is
scalar, splatted where the two meet. "Lane 0" is the scalar that an affine index has in
the first lane; addresses need no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from graphc.errors import CompileError
from graphc.ir.dtypes import bool_, int64
from graphc.ir.shape import Dim, SymDim
from graphc.kernel.approx import Rarely
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
    Select,
    postorder,
)
from graphc.render import vector_casts
from graphc.render.base import Prepared, effect_flag, stride
from graphc.render.vector_divide import divide_indices
from graphc.render.vector_ops import emit_prim, select
from graphc.render.vector_scope import Key, Lines, Scope, Writer
from graphc.render.vector_types import (
    Value,
    constant,
    index_constant,
    iota_text,
    vector_type,
)


class Emitter(Writer):
    """State of printing one function; implements vector_ops.Builder."""

    def __init__(
        self,
        pointers: dict[Buffer, str],
        dims: dict[Dim, str],
        stored: set[Buffer],
        rare: dict[int, list[Rarely]],
        ready: Prepared,
    ) -> None:
        # rare: the Rarelys of each condition, by its id
        super().__init__()
        self.ready = ready
        self.pointers = pointers
        self.dims = dims
        self.stored = stored
        self.rare = rare
        self.memo: dict[Key, Value] = {}
        self.cells: dict[Any, Value] = {}
        self.bindings: dict[Local, Value] = {}
        self.lets: dict[Local, Expr] = {}
        self.late: set[Local] = set()
        self.axes: dict[Axis, Value] = {}
        self.axis: Axis | None = None  # of the vector loop we are in
        self.mask: Value | None = None  # of the active lanes, in a tail
        self.uses_scratch = False
        self._vary: dict[int, bool] = {}

    def raise_flag(self, flag: int, bad: Value) -> None:
        cell = self.cells[("flag", flag)]
        lanes = max(cell.lanes, bad.lanes)
        # it was computed here, whatever scope its operands are from
        bad = self.widened(Value(bad.text, bad.dtype, bad.lanes, self.depth), lanes)
        text = bad.text
        kind = vector_type("i1", lanes)
        if self.mask is not None and lanes > 1:
            text = self.op(f"and {kind} {text}, {self.mask.text}")
        raised = self.op(f"or {kind} {self.widened(cell, lanes).text}, {text}")
        self.cells[("flag", flag)] = Value(raised, bool_, lanes, self.depth)

    # -------------------------------------------------------------- scopes
    def pop(self) -> Scope:
        gone = super().pop()
        for name in gone.bound:
            self.axes.pop(name, None)
            self.bindings.pop(name, None)
            self.late.discard(name)
        for key in gone.keys:
            self.memo.pop(key, None)
        return gone

    def bind_axis(self, axis: Axis, first: Value) -> None:
        """The axis has this value, in lane 0, in the rest of the scope."""
        self.axes[axis] = first
        self.scopes[-1].bound.append(axis)

    def bind(self, local: Local, value: Value, definition: Expr) -> None:
        """The local has this value in the rest of the scope."""
        # it does not change any more, whatever it was read from
        self.bindings[local] = Value(value.text, value.dtype, value.lanes, value.depth)
        self.scopes[-1].bound.append(local)
        self.lets[local] = definition

    def bind_late(self, local: Local, definition: Expr) -> None:
        """The same for an affine index, computed when it is needed: mostly only in lane 0."""
        self.late.add(local)
        self.scopes[-1].bound.append(local)
        self.lets[local] = definition

    def is_late(self, value: Expr) -> bool:
        """Whether a Let of the value can wait: it is affine and reads nothing that changes."""
        if not self.varies(value) or self.stride(value) is None:
            return False
        for node in postorder(value):
            if isinstance(node, Load) or (isinstance(node, Local) and node in self.cells):
                return False
        return True

    def forget(self, changed: Iterable[Any]) -> None:
        """Drop what was computed from accumulators or buffers that change now."""
        gone = set(changed)
        if not gone:
            return
        for key in [key for key, value in self.memo.items() if value.reads & gone]:
            del self.memo[key]

    def enter_vector(self, axis: Axis | None, lanes: int) -> None:
        self.axis, self.lanes = axis, lanes
        self._vary = {}

    # -------------------------------------------------------------- evaluation
    def value(self, root: Expr, lane0: bool = False) -> Value:
        """The expression's value here: a vector if it varies with the vector loop's axis."""
        memo = self.memo
        stack = [(root, lane0 and self.varies(root))]
        while stack:
            node, zero = stack[-1]
            key = _key(node, zero)
            if key in memo:
                stack.pop()
                continue
            leaf = None if zero else self._leaf(node)
            if leaf is not None:
                self.remember(key, leaf, self.depth)
                stack.pop()
                continue
            deps = self._deps(node, zero)
            missing = [d for d in deps if _key(*d) not in memo]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            self._emit(node, zero, [memo[_key(*d)] for d in deps])
        return memo[key]

    def remember(self, key: Key, value: Value, depth: int) -> None:
        """The value stands for the key until the scope of that depth ends."""
        self.memo[key] = value
        self.scopes[min(depth, self.depth)].keys.append(key)

    def lane0(self, root: Expr) -> Value:
        """The scalar in the first lane; the expression must be affine in the vector axis."""
        return self.value(root, lane0=True)

    def varies(self, root: Expr) -> bool:
        """Whether the expression may differ between the lanes of the vector loop."""
        if self.lanes == 1:
            return False
        known = self._vary
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in known:
                stack.pop()
                continue
            missing = [a for a in node.args if id(a) not in known]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            known[id(node)] = self._varies_itself(node) or any(known[id(a)] for a in node.args)
        return known[id(root)]

    def _varies_itself(self, node: Expr) -> bool:
        if isinstance(node, Local):
            if node in self.late:
                return True
            bound = self.bindings.get(node) or self.cells.get(node)
            return bound is not None and bound.lanes > 1
        return isinstance(node, Axis) and node == self.axis

    def stride(self, offset: Expr) -> int | None:
        """The step of an offset from lane to lane; None where it is not constant."""
        if self.axis is None or not self.varies(offset):
            return 0
        return stride(offset, self.axis, self.varies, self.lets)

    def _leaf(self, node: Expr) -> Value | None:
        if isinstance(node, Const):
            return constant(node.value, node.dtype)
        if isinstance(node, Local):
            return self.bindings.get(node)
        if isinstance(node, Axis) and node != self.axis:
            found = self.axes.get(node)
            if found is None:
                raise CompileError(f"axis {node.name} is used outside of its loop")
            return found
        return None

    def _deps(self, node: Expr, zero: bool) -> list[tuple[Expr, bool]]:
        """What must be known first: expressions, and whether only in lane 0."""
        if zero:
            args = (self.lets[node],) if isinstance(node, Local) else node.args
            return [(a, self.varies(a)) for a in args]
        if isinstance(node, Load):
            return [(a, False) for a in node.args[len(node.index) :]]
        if isinstance(node, Local) and node in self.late:
            return [(self.lets[node], False)]
        if isinstance(node, Rarely):
            return [(node.args[0], False), (node.args[2], False)]
        return [(a, False) for a in node.args]

    def _emit(self, node: Expr, zero: bool, args: list[Value]) -> None:
        key = _key(node, zero)
        if isinstance(node, Load) and not zero:
            from graphc.render.vector_memory import emit_load

            self.here()
            loaded = emit_load(self, node)
            self.remember(key, loaded, loaded.depth)
            return
        if isinstance(node, Axis | Local | DimValue):
            symbol = self._symbol(node, zero, args)
            self.remember(key, symbol, symbol.depth)
            return
        reads, depth = _NOTHING, 0
        for arg in args:
            depth = max(depth, arg.depth)
            if arg.reads:
                reads |= arg.reads
        if effect_flag(node) or isinstance(node, Rarely):
            depth = self.depth
        depth = self._kept_in(depth)
        self.at_depth(depth)
        lanes = self.lanes if not zero and self.varies(node) else 1
        if isinstance(node, Rarely):
            args.insert(1, self._rare_value(node, args[0]))
            self.here()
        text = self._text(node, [self.widened(a, lanes) for a in args], lanes)
        self.here()
        self.remember(key, Value(text, node.dtype, lanes, depth, reads), depth)

    def _kept_in(self, depth: int) -> int:
        """Where a value that could be at `depth` is computed: not outside of rare regions."""
        top = self.depth
        outer = top
        while self.scopes[outer].rare:
            outer -= 1
        return top if depth >= outer else depth

    def _text(self, node: Expr, args: list[Value], lanes: int) -> str:
        if isinstance(node, Prim):
            if lanes > 1 and node.dtype is int64 and node.name in ("floordiv", "floormod"):
                if all(self._is_position(a) for a in node.args):
                    return divide_indices(self, node.name, args)
            return emit_prim(self, node.name, args, node.dtype, lanes)
        if isinstance(node, Cast):
            return vector_casts.cast(self, args[0], node.dtype)
        if isinstance(node, Select):
            return select(self, args[0].text, args[1].text, args[2].text, node.dtype, lanes)
        raise CompileError(f"a loop nest must not hold {type(node).__name__}: {node!r}")

    def _is_position(self, root: Expr) -> bool:
        """Whether the expression is made of axes and dimensions: its values fit in 51 bits."""
        stack = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, Local):
                if node not in self.late:
                    return False
                stack.append(self.lets[node])
            elif isinstance(node, Prim):
                if node.name not in _POSITIONS:
                    return False
                stack.extend(node.args)
            elif isinstance(node, Const):
                if abs(node.value) >= 1 << 48:
                    return False
            elif not isinstance(node, Axis | DimValue):
                return False
        return True

    def _symbol(self, node: Expr, zero: bool, args: list[Value]) -> Value:
        if isinstance(node, DimValue):
            return self._dimension(node.dim)
        if isinstance(node, Axis):
            first = self.axes[node]
            if zero:
                return first
            self.here()
            base = self.splat(first)
            kind = vector_type("i64", self.lanes)
            text = self.op(f"add {kind} {base.text}, {iota_text(self.lanes)}")
            return Value(text, int64, self.lanes, self.depth)
        if args:  # a late local, or a local in lane 0
            return args[0]
        local = cast("Local", node)
        cell = self.cells.get(local)
        if cell is None:
            raise CompileError(f"local {local.name} is read before it is set")
        self.here()
        text = vector_casts.cast(self, cell, local.dtype)
        return Value(text, local.dtype, cell.lanes, self.depth, frozenset((local,)))

    def _dimension(self, dim: Dim) -> Value:
        """A symbolic dimension: a parameter, or a polynomial of parameters."""
        if isinstance(dim, int):
            return index_constant(dim)
        found = self.dims.get(dim)
        if found is not None:
            return Value(found, int64)
        self.at_depth(0)
        total = "0"
        for mono, coef in dim.terms:
            product = str(coef)
            for atom in mono:
                symbol = SymDim.symbol(atom) if isinstance(atom, str) else None
                param = self.dims.get(symbol) if symbol is not None else None
                if param is None:
                    raise CompileError(f"dimension {dim} is no parameter of the kernel")
                product = self.op(f"mul i64 {product}, {param}")
            total = self.op(f"add i64 {total}, {product}")
        self.here()
        return Value(total, int64)

    # -------------------------------------------------------------- rare regions
    def _rare_value(self, node: Rarely, cond: Value) -> Value:
        """The first value of a Rarely, computed only where some lane wants it."""
        found = self.memo.get((id(node), "rare"))
        if found is not None:
            return found
        self.here()
        some = cond.text
        if cond.lanes > 1:
            some = self.call(f"llvm.vector.reduce.or.v{cond.lanes}i1", "i1", [cond.typed])
        inside, done = self.name("rare"), self.name("usual")
        pre: Lines = []
        self.lines_here().append(pre)
        origin = self.block
        self.put(f"br i1 {some}, label %{inside}, label %{done}")
        self.label(inside)
        self.push(pre, None, rare=True)
        same = [n for n in self.rare[id(node.args[0])] if n is node or self._ready(n.args[1])]
        values = [self.value(n.args[1]) for n in same]
        self.pop()
        end = self.block
        self.put(f"br label %{done}")
        self.label(done)
        for other, value in zip(same, values, strict=True):
            text = self.op(f"phi {value.type} [ {value.text}, %{end} ], [ poison, %{origin} ]")
            joined = Value(text, value.dtype, value.lanes, self.depth, value.reads)
            self.remember((id(other), "rare"), joined, self.depth)
        return self.memo[(id(node), "rare")]

    def _ready(self, root: Expr) -> bool:
        """Whether all that the expression reads has been read already."""
        for node in postorder(root):
            if isinstance(node, Axis):
                if node not in self.axes:
                    return False
            elif isinstance(node, Load | Local) and id(node) not in self.memo:
                if self._leaf(node) is None:
                    return False
        return True


_POSITIONS = {"add", "sub", "mul", "neg", "floordiv", "floormod", "max", "min"}
_NOTHING: frozenset[Any] = frozenset()


def _key(node: Expr, zero: bool) -> Key:
    return (id(node), "lane 0") if zero else id(node)
