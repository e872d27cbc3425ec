"""Lowering: a group of Computes becomes loop nests by one placement rule.

Lives here: lower, and the builder that emits statements. Not here: the iteration space
(kernel/space.py), splitting of large reductions (kernel/split.py), lanes and grains
(kernel/optimize.py). Only fusion and the runtime's schedule call this module.

The rule: every distinct subexpression is emitted at the outermost loop where its axes are bound;
a reduction becomes a loop of its own there. Reductions over equal extents that do not depend on
each other share one loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphc.ir.dtypes import DType, int64
from graphc.ir.shape import Dim, SymDim
from graphc.kernel import columns, optimize
from graphc.kernel.along import Along
from graphc.kernel.compute import Compute
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
    const,
    index,
    postorder,
    replaced,
)
from graphc.kernel.keep import kept
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update, statements, stmt_exprs
from graphc.kernel.prims import TABLE
from graphc.kernel.space import Free, Item, Space, arranged, is_prefix, items_of, prepare
from graphc.kernel.split import Context, divided

_RING = ("add", "sub", "mul", "neg")
_DEEPEST = 6  # operators of one statement that may nest: lines stay readable


def lower(
    name: str,
    computes: Sequence[Compute],
    inplace: Mapping[Buffer, Buffer] | None = None,
    origins: Sequence[str] = (),
    many: bool = False,
) -> list[Kernel]:
    """The kernels that compute a group, in the order in which they must run.

    One kernel, unless a reduction is so large that it is summed in chunks of fixed size (the
    same bits whatever the thread count), a reduction is needed by every element of a parallel
    loop, or the outputs share no loop. What goes from one kernel to the next lies in scratch
    buffers with keys ("scratch", name, n).

    Args:
        computes: inlined; axes are shared by position. Fewer axes: stored at the outer loop.
        inplace: output buffer -> input buffer whose memory it takes. The input must only be
            read at the index that is written (or in rows that are done before).
        origins: texts for the kernel's header. many: for a machine of many threads.
    """
    context = Context(name, tuple(origins), many)
    classes = _classes(items_of([c for c in computes if not c.sums]))
    sums = items_of([c for c in computes if c.sums])
    if sums:
        _lower_along(classes.pop(0) if classes else [], sums, context)
    for items in classes:
        _lower_items(items, {}, context)
    kernels = context.kernels
    if len(kernels) > 1:
        kernels = [replace(k, name=f"{name}_{n}") for n, k in enumerate(kernels)]
    return optimize.in_place(kernels, inplace or {})


def _classes(items: Sequence[Item]) -> list[list[Item]]:
    """Items that can share one nest: the axes of one are a prefix of the other's."""
    out: list[list[Item]] = []
    for item in sorted(items, key=lambda t: -len(t.axes)):
        home = next((c for c in out if is_prefix(item.axes, c[0].axes)), None)
        if home is None:
            out.append([item])
        else:
            home.append(item)
    order = {id(item): n for n, item in enumerate(items)}
    return [sorted(c, key=lambda t: order[id(t)]) for c in out]


def _lower_items(
    items: Sequence[Item], spans: Mapping[Axis, tuple[Expr, Expr]], context: Context
) -> None:
    space = arranged(prepare(items, spans))
    parts = divided(space, context)
    if parts is None:
        rows = columns.walk(space, context.columns)
        if rows is None:
            context.kernels.append(Builder(kept(space), context).kernel())
        else:
            kernel = Builder(rows.space, context).kernel()
            context.kernels.append(columns.started(kernel, rows))
        return
    for part_items, part_spans in parts:
        for group in _classes(part_items):
            _lower_items(group, part_spans, context)


def _lower_along(rest: Sequence[Item], sums: Sequence[Item], context: Context) -> None:
    """The rows of a group with sums over them, and a kernel that joins the sums."""
    along = Along(rest, sums, context)
    kernel = Builder(kept(along.space), context).kernel()
    walk = columns.Walk(along.space, 1, tuple(along.starts))
    context.kernels.append(columns.started(kernel, walk))
    for items in _classes(along.tails):
        _lower_items(items, {}, context)


def _safe_division(node: Prim) -> Prim:
    """A division by an extent may stand outside the loops that do not run where it is 0."""
    if TABLE[node.name].effect != "div":
        return node
    divisor = Prim("max", (node.args[1], const(1, int64)), int64)
    return Prim(node.name, (node.args[0], divisor), node.dtype)


# ------------------------------------------------------------------ blocks
class Block:
    """The body of one loop while it is being filled.

    Attributes:
        bound: bits of the axes that have a value here.
        reps: what stands for an expression in this block and those inside it.
        groups: for each reduction that belongs here, those that share its loop.
        vector: whether a vector loop is open around or at this block.
    """

    def __init__(self, bound: int, parent: Block | None, vector: bool) -> None:
        self.bound = bound
        self.stmts: list[Stmt] = []
        self.reps: dict[int, Expr] = {}
        self.groups: dict[int, list[Reduce]] = {}
        self.vector = vector
        self.chain: tuple[Block, ...] = (*(parent.chain if parent is not None else ()), self)

    def find(self, node: Expr) -> Expr | None:
        for block in reversed(self.chain):
            found = block.reps.get(id(node))
            if found is not None:
                return found
        return None


class Builder:
    """Emits the nest of one Space."""

    def __init__(self, space: Space, context: Context) -> None:
        self.space = space
        self.context = context
        self.free = Free(space)
        self.levels: dict[int, int] = {}
        self.uses: dict[int, int] = {}
        self.hoisted: set[int] = set()
        self.pure: set[int] = set()
        self.depths: dict[int, int] = {}
        self.names: dict[str, int] = {}
        self.used_axes: set[Axis] = set()
        self.reductions = False
        self._analyse()
        self.vector = optimize.vector_axis(space, self.free)

    # -------------------------------------------------------------- analysis
    def level(self, node: Expr) -> int:
        """The bits of the loops around a node: main loops up to the innermost one it needs."""
        mask = self.free.of[id(node)]
        main = mask & self.free.main
        return (mask & ~main) | ((1 << main.bit_length()) - 1)

    def _analyse(self) -> None:
        roots = [e for item in self.space.items for e in (item.value, item.offset)]
        spans = [e for pair in self.space.spans.values() for e in pair]
        for root in spans:
            self.free.add(root)
        levels, uses, hoisted, pure = self.levels, self.uses, self.hoisted, self.pure
        keeps = [e for k in self.space.keeps for e in (k.value, k.offset)]
        for root in keeps:
            self.free.add(root)
        hoisted.update(id(e) for k in self.space.keeps for e in (k.value, k.load))
        for root in (*roots, *spans):
            uses[id(root)] = uses.get(id(root), 0) + 1
        for node in postorder(*roots, *spans, *keeps):
            level = levels[id(node)] = self.level(node)
            inner = level
            if isinstance(node, Reduce):
                self.reductions = True
                for axis in node.axes:
                    inner |= self.free.axis_bit(axis)
            elif isinstance(node, Axis | Const | DimValue) or self._index_sum(node):
                pure.add(id(node))
            for arg in node.args:
                uses[id(arg)] = uses.get(id(arg), 0) + 1
                if levels[id(arg)] != inner:
                    hoisted.add(id(arg))

    def _index_sum(self, node: Expr) -> bool:
        """Sums and products of axes stay where they are used: offsets read as such."""
        if not isinstance(node, Prim) or node.name not in _RING or node.dtype is not int64:
            return False
        return all(id(a) in self.pure for a in node.args)

    def plan(self, block: Block, roots: Sequence[Expr]) -> None:
        """Group the reductions of this block that can share a loop."""
        if not self.reductions:
            return
        outer = block.chain[-2].bound if len(block.chain) > 1 else None
        stage: dict[int, int] = {}
        groups: dict[tuple[int, tuple[Axis, ...]], list[Reduce]] = {}
        for node in postorder(*roots):
            own = max((stage[id(a)] for a in node.args), default=0)
            if isinstance(node, Reduce):
                level = self.levels[id(node)]
                here = level & ~block.bound == 0 and (outer is None or level & ~outer != 0)
                if here:
                    groups.setdefault((own, node.axes), []).append(node)
                    own += 1
            stage[id(node)] = own
        for members in groups.values():
            for member in members:
                block.groups[id(member)] = members

    # -------------------------------------------------------------- names
    def local(self, stem: str, dtype: DType) -> Local:
        number = self.names.get(stem, 0)
        self.names[stem] = number + 1
        return Local(f"{stem}{number}", dtype)

    def loop_axis(self, axis: Axis) -> Axis:
        """The axis itself the first time, then a new one: every loop has its own variable."""
        if axis not in self.used_axes:
            self.used_axes.add(axis)
            if axis.name not in self.names:
                self.names[axis.name] = 1
                return axis
        number = self.names.get(axis.name, 0)
        self.names[axis.name] = number + 1
        return Axis(axis.extent, f"{axis.name}{number}")

    # -------------------------------------------------------------- expressions
    def emit(self, root: Expr, block: Block) -> Expr:
        """What stands for `root` in `block`, after the statements that it needs."""
        stack: list[tuple[Expr, bool]] = [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                self._place(node, block)
            elif not isinstance(node, Const | DimValue) and block.find(node) is None:
                stack.append((node, True))
                if not isinstance(node, Reduce):
                    stack.extend((a, False) for a in reversed(node.args))
        return self.rep(root, block)

    def rep(self, node: Expr, block: Block) -> Expr:
        if isinstance(node, Const | DimValue):
            return node
        found = block.find(node)
        assert found is not None, node
        return found

    def _place(self, node: Expr, block: Block) -> None:
        if block.find(node) is not None:
            return
        home = self._home(node, block)
        if isinstance(node, Reduce):
            self._reduction(node, home)
            return
        assert not isinstance(node, Axis), f"axis {node.name} is not bound here"
        new = replaced(node, tuple(self.rep(a, home) for a in node.args))
        if isinstance(new, Prim) and isinstance(new.args[-1], DimValue):
            new = _safe_division(new)
        depth = 1 + max((self.depths.get(id(a), 0) for a in new.args), default=0)
        if self._named(node, depth):
            local = self.local("x" if isinstance(node, Load) else "t", node.dtype)
            home.stmts.append(Let(local, new))
            new = local
        elif id(node) not in self.pure:
            self.depths[id(new)] = depth
        home.reps[id(node)] = new

    def _named(self, node: Expr, depth: int) -> bool:
        if id(node) in self.pure:
            return False
        return self.uses[id(node)] > 1 or id(node) in self.hoisted or depth > _DEEPEST

    def _home(self, node: Expr, block: Block) -> Block:
        level = self.levels[id(node)]
        for candidate in block.chain:
            if level & ~candidate.bound == 0:
                return candidate
        raise AssertionError(f"{node!r} needs axes that are not bound")

    # -------------------------------------------------------------- reductions
    def _reduction(self, node: Reduce, home: Block) -> None:
        members = home.groups.get(id(node), [node])
        self._emit_outer_parts(members, home)
        accums = [self._accum(m) for m in members]
        order, vector = optimize.reduce_order(members, home.vector, self.space, self.free)
        blocks = []
        block = home
        for n, axis in enumerate(order):
            lanes = vector and n == len(order) - 1
            block = Block(block.bound | self.free.axis_bit(axis), block, home.vector or lanes)
            block.reps[id(axis)] = self.loop_axis(axis)
            self.plan(block, [m.args[0] for m in members])
            blocks.append(block)
        for member, accum in zip(members, accums, strict=True):
            value = self.emit(member.args[0], block)
            position = None
            if accum.best is not None:
                position = self.rep(member.axes[0], block)
            elif value.dtype is not member.dtype:
                value = Cast(value, member.dtype)
            block.stmts.append(Update(accum.local, value, position))
        block.stmts.extend(self._keeps(members, block))
        locals_ = tuple(a.local for a in accums)
        for n in range(len(order) - 1, -1, -1):
            lanes = vector and n == len(order) - 1
            outer = blocks[n - 1] if n else home
            if n == 0:
                home.stmts.extend(accums)
            loop = self._loop(order[n], blocks[n], "vector" if lanes else "serial", outer)
            if lanes:
                loop = For(loop.axis, loop.lo, loop.hi, loop.body, "vector", loop.lanes, locals_)
            outer.stmts.append(loop)
        for member, accum in zip(members, accums, strict=True):
            home.reps[id(member)] = accum.local

    def _keeps(self, members: Sequence[Reduce], block: Block) -> list[Store]:
        """Stores of what later loops over the row need again."""
        return [
            Store(k.buffer, self.emit(k.offset, block), self.emit(k.value, block))
            for k in self.space.keeps
            if any(k.reduce is m for m in members)
        ]

    def _emit_outer_parts(self, members: Sequence[Reduce], home: Block) -> None:
        """First what the loops need from outside, so that statements stand in order of use."""
        stack = [m.args[0] for m in reversed(members)]
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if id(node) in seen or not node.args:
                continue
            seen.add(id(node))
            if self.levels[id(node)] & ~home.bound == 0:
                if id(node) not in self.pure:
                    self.emit(node, home)
            elif not isinstance(node, Reduce):
                stack.extend(reversed(node.args))

    def _accum(self, node: Reduce) -> Accum:
        stem = {"add": "sum", "mul": "prod", "and": "all", "or": "any"}.get(
            node.monoid, node.monoid
        )
        local = self.local(stem, node.dtype)
        if node.monoid in ("argmax", "argmin"):
            return Accum(local, node.monoid, node.dtype, self.local("best", node.args[0].dtype))
        return Accum(local, node.monoid, node.dtype)

    def _loop(self, axis: Axis, block: Block, kind: str, outer: Block) -> For:
        own = block.reps[id(axis)]
        assert isinstance(own, Axis)
        low: Expr = const(0, int64)
        high = index(axis.extent)
        if axis in self.space.spans:
            low, high = (self.emit(e, outer) for e in self.space.spans[axis])
        body = tuple(block.stmts)
        lanes = optimize.lanes(body, axis.extent) if kind == "vector" else 1
        return For(own, low, high, body, kind, lanes)

    # -------------------------------------------------------------- the nest
    def kernel(self) -> Kernel:
        axes = self.space.axes
        if not axes:
            block = Block(0, None, False)
            self.plan(block, self.space.values())
            stores = [self._stored(item, block) for item in self.space.items]
            return self._finish((*block.stmts, *stores), 1, 1)
        loop = self._main(0, None)
        return self._finish((loop,), axes[0].extent, optimize.grain(loop))

    def _main(self, depth: int, parent: Block | None) -> For:
        axis = self.space.axes[depth]
        bound = (1 << (depth + 1)) - 1
        lanes = depth == self.vector
        block = Block(bound, parent, lanes or (parent is not None and parent.vector))
        block.reps[id(axis)] = self.loop_axis(axis)
        inside = [item for item in self.space.items if len(item.axes) > depth]
        self.plan(block, [item.value for item in inside])
        # values first, stores last: what is written in place must have been read before
        stores = [self._stored(t, block) for t in inside if len(t.axes) == depth + 1]
        if depth + 1 < len(self.space.axes):
            block.stmts.append(self._main(depth + 1, block))
        block.stmts.extend(stores)
        outer = block if parent is None else parent
        loop = self._loop(axis, block, "vector" if lanes else "serial", outer)
        if depth == 0:
            return For(loop.axis, loop.lo, loop.hi, loop.body, "parallel", loop.lanes)
        return loop

    def _stored(self, item: Item, block: Block) -> Store:
        value = self.emit(item.value, block)
        return Store(item.buffer, self.emit(item.offset, block), value)

    def _finish(self, body: tuple[Stmt, ...], extent: Dim, grain: int) -> Kernel:
        inputs: dict[Buffer, None] = {}
        dims: dict[SymDim, None] = {}
        flags = False
        for stmt in statements(body):
            if isinstance(stmt, For) and stmt.kind == "parallel":
                continue  # its bounds are arguments
            for node in postorder(*stmt_exprs(stmt)):
                if isinstance(node, Load):
                    inputs[node.buffer] = None
                elif isinstance(node, DimValue):
                    dims[node.dim] = None
                elif isinstance(node, Prim):
                    flags = flags or optimize.may_flag(node)
        outputs = tuple(item.buffer for item in self.space.items)
        return Kernel(
            self.context.name, tuple(inputs), outputs, tuple(dims), body, extent, grain, flags,
            self.context.origins,
        )  # fmt: skip
