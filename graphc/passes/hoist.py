"""What does not change from step to step of a loop is computed in front of it.

Lives here: hoist. Not here: what bodies do not need (control.py). Imports passes.base.

Three things move. A product of a row of an invariant array with an invariant matrix becomes a row
of one product of all rows: an RNN's input projection is one GEMM for all steps. Invariant matrices
that products read transposed are turned once. Then the largest expressions of invariants go out,
where their value takes no more memory than what they are made of. What can fail stays inside: the
loop may make no step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dtypes import int32
from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.ir.shape import Dim, evaluate
from graphc.ops.control import ProgramLoop
from graphc.ops.define import F
from graphc.ops.source import bound
from graphc.ops.values import value_of
from graphc.passes.base import VIEWS, rewrite
from graphc.passes.inline import copied, with_held

Optimize = Callable[[Program], Program]
MAX_ROWS_BYTES = 256 << 20  # of the product of all rows
_FAMILIES = frozenset({"elementwise", "reduction", "movement", "extern"})
_FAILING = frozenset({
    "gather", "gather_nd", "tensor_array_read", "floordiv", "floormod", "mod", "truncatediv",
    "truncatemod", "one_hot", "random_uniform_int",
})  # fmt: skip
_EXPENSIVE = frozenset({"extern", "reduction"})


def hoist(program: Program, optimize: Optimize) -> Program:
    """Valid in, valid out. optimize: for bodies that were rewritten."""

    def visit(node: Node) -> Any:
        if node.op.name != "loop":
            return None
        loop: ProgramLoop = node.attrs["loop"]
        moved = _Hoist(node, _with_turned(_with_products(loop, optimize)))
        held, operands = moved.run()
        return with_held(node, held, operands).outputs

    if not any(n.op.name == "loop" for n in program.nodes):
        return program
    return rewrite(program, visit)


def invariants(program: Program, pops: int) -> set[Tensor]:
    """The tensors of a loop's program that are the same in every step."""
    found: set[Tensor] = set()
    for node in program.nodes:
        if node.op.name == "feed":
            same = node.attrs["position"] >= pops
        elif node.op.name in ("const", "bound"):
            same = True
        else:
            same = _movable(node) and all(t in found for t in node.inputs)
        if same:
            found.update(node.outputs)
    return found


def _movable(node: Node) -> bool:
    op = node.op
    if op.family not in _FAMILIES or op.stateful or op.effect or op.name in _FAILING:
        return False
    if any(value_of(node.inputs[i]) is None for i in op.shape_inputs if i < len(node.inputs)):
        return False
    return all(t.dtype.kind in "fiub" for t in (*node.inputs, *node.outputs))


def _bytes(tensor: Tensor, hints: Any) -> int:
    total = tensor.dtype.size
    for dim in tensor.known_dims:
        total *= evaluate(dim, hints)
    return total


# ------------------------------------------------------------------ products of rows
def _with_products(loop: ProgramLoop, optimize: Optimize) -> ProgramLoop:
    """The loop with products of rows as rows of products."""
    body = loop.body
    for _ in range(4):
        same = invariants(body, loop.pops)
        fired: list[Node] = []

        def visit(node: Node, same: set[Tensor] = same, fired: list[Node] = fired) -> Any:
            if node.op.name != "matmul" or node.attrs["transpose_a"]:
                return None
            a, b = node.inputs
            if b not in same or len(a.known_dims) != 2 or len(b.known_dims) != 2:
                return None
            made = _split_product(node, a, b, same) if a.node.op.name == "concat" else (
                _row_product(node, a, b, same)
            )  # fmt: skip
            if made is not None:
                fired.append(node)
            return made

        changed = rewrite(body, visit)
        if not fired:
            break
        body = optimize(changed)
    return dataclasses.replace(loop, body=body)


def _is_row(tensor: Tensor, same: set[Tensor]) -> bool:
    node = tensor.node
    return node.op.name == "tensor_array_read" and node.inputs[0] in same


def _split_product(node: Node, a: Tensor, b: Tensor, same: set[Tensor]) -> Tensor | None:
    """concat(x, h) W as x W' + h W'', where x is a row of an invariant array."""
    parts = a.node.inputs
    if a.node.attrs["axis"] not in (1, -1) or not any(_is_row(t, same) for t in parts):
        return None
    turned = node.attrs["transpose_b"]
    widths = [t.known_dims[1] for t in parts]
    if not all(isinstance(w, int) for w in widths):
        return None
    total, first = None, 0
    for group in _groups(parts, same):
        width = sum(t.known_dims[1] for t in group)  # type: ignore[misc]  # ints, as seen above
        left = group[0] if len(group) == 1 else F.concat(*group, axis=1)
        right = rows_of(b, first, width, turned)  # type: ignore[arg-type]
        product = F.matmul(left, right, transpose_a=False, transpose_b=turned)
        total = product if total is None else F.add(total, product)
        first += width  # type: ignore[assignment]
    return total


def _groups(parts: Sequence[Tensor], same: set[Tensor]) -> list[list[Tensor]]:
    """Runs of parts that are rows of arrays, one by one, and of others."""
    out: list[list[Tensor]] = []
    for part in parts:
        alone = _is_row(part, same)
        if out and not alone and not _is_row(out[-1][0], same):
            out[-1].append(part)
        else:
            out.append([part])
    return out


def rows_of(b: Tensor, first: int, count: int, turned: bool) -> Tensor:
    """The part of the matrix that the columns [first, first + count) of the left side meet."""
    other = b.known_dims[0 if turned else 1]
    begin, size = ([0, first], [other, count]) if turned else ([first, 0], [count, other])
    return F.slice(b, begin, vector(b, size))


def vector(like: Tensor, dims: Sequence[Dim]) -> Any:
    if all(isinstance(d, int) for d in dims):
        return list(dims)
    attrs = {"dims": tuple(dims), "shape": (len(dims),), "dtype": int32}
    return like.graph.create_node(bound, (), attrs).outputs[0]


def _row_product(node: Node, a: Tensor, b: Tensor, same: set[Tensor]) -> Tensor | None:
    """read(X, i) W as read(X W, i)."""
    if not _is_row(a, same):
        return None
    array, at = a.node.inputs
    turned = node.attrs["transpose_b"]
    steps, rows, width = array.known_dims
    columns = b.known_dims[0 if turned else 1]
    hints = node.graph.env.hints
    nbytes = b.dtype.size
    for dim in (steps, rows, columns):
        nbytes *= evaluate(dim, hints)
    if nbytes > MAX_ROWS_BYTES:
        return None
    flat = F.reshape(array, vector(array, [steps * rows, width]))
    product = F.matmul(flat, b, transpose_a=False, transpose_b=turned)
    whole = F.reshape(product, vector(array, [steps, rows, columns]))
    return F.tensor_array_read(whole, at)


def _with_turned(loop: ProgramLoop) -> ProgramLoop:
    """The loop with products by the transpose of an invariant matrix as products by a matrix.

    The transpose then moves out. A product of few rows runs at a third of the speed when it has
    to turn its matrix every time: 32 x 512 by 512 x 128 in 104 us, 31 with the matrix turned ahead.
    """
    body = loop.body
    same = invariants(body, loop.pops)

    def visit(node: Node) -> Any:
        if node.op.name != "matmul" or not node.attrs["transpose_b"]:
            return None
        a, b = node.inputs
        if b not in same or a in same or len(b.known_dims) != 2:
            return None
        turned = F.transpose(b, perm=(1, 0))
        return F.matmul(a, turned, transpose_a=node.attrs["transpose_a"], transpose_b=False)

    return dataclasses.replace(loop, body=rewrite(body, visit))


# ------------------------------------------------------------------ moving
class _Hoist:
    """One loop whose invariants go out."""

    def __init__(self, node: Node, loop: ProgramLoop) -> None:
        self.node = node
        self.loop = loop
        self.outer = node.graph
        self.operands = list(node.inputs)
        self.hints = node.graph.env.hints

    def run(self) -> tuple[ProgramLoop, list[Tensor]]:
        """(the loop over more operands, the operands)."""
        cond, body = self._moved(self.loop.cond), self._moved(self.loop.body)
        count = len(self.operands) - self.loop.carried
        held = dataclasses.replace(self.loop, cond=_fed(cond, self, count),
                                   body=_fed(body, self, count))  # fmt: skip
        return held, self.operands

    def _moved(self, program: Program) -> Program:
        same = invariants(program, self.loop.pops)
        wanted = [t for t in self._edges(program, same) if self._worth(t)]
        if not wanted:
            return program
        stand_ins: dict[Tensor, Tensor] = {}
        new: dict[Tensor, Tensor] = {}
        for tensor in wanted:
            outside = self._outside(tensor, new)
            stand_ins[tensor] = self._feed(program, tensor, outside)

        def visit(node: Node) -> Any:
            if not any(t in stand_ins for t in node.outputs):
                return None
            return tuple(stand_ins.get(t, t) for t in node.outputs)

        return _substituted(program, stand_ins, visit)

    def _edges(self, program: Program, same: set[Tensor]) -> list[Tensor]:
        """Invariant tensors that what varies reads, or the program gives."""
        found: dict[Tensor, None] = {}
        for node in program.nodes:
            if node.outputs and node.outputs[0] in same:
                continue
            found.update((t, None) for t in node.inputs if t in same)
        found.update((t, None) for t in program.roots if t in same)
        out: dict[Tensor, None] = {}
        stack = list(found)
        while stack:
            tensor = stack.pop()
            if tensor in out or not tensor.node.inputs:
                continue
            if self._worth(tensor):
                out[tensor] = None
            else:
                stack.extend(tensor.node.inputs)
        return sorted(out, key=lambda t: t.node.id)

    def _worth(self, tensor: Tensor) -> bool:
        """Whether its value is dearer to compute than to keep."""
        leaves, work, seen = 0, False, set()
        stack = [tensor]
        while stack:
            node = stack.pop().node
            if node in seen:
                continue
            seen.add(node)
            if node.op.name == "feed":
                leaves += _bytes(node.outputs[0], self.hints)
            work = work or (bool(node.inputs) and node.op.name not in VIEWS)
            if node.op.family in _EXPENSIVE:
                leaves += _bytes(tensor, self.hints)
            stack.extend(node.inputs)
        return work and _bytes(tensor, self.hints) <= leaves

    def _outside(self, tensor: Tensor, new: dict[Tensor, Tensor]) -> Tensor:
        """The tensor in front of the loop."""
        order: dict[Node, None] = {}
        stack = [tensor.node]
        while stack:
            node = stack.pop()
            if node not in order:
                order[node] = None
                stack.extend(t.node for t in node.inputs)
        for node in sorted(order, key=lambda n: n.id):
            if node.op.name == "feed":
                at = self.loop.carried + node.attrs["position"]
                new[node.outputs[0]] = self.operands[at]
            elif not all(t in new for t in node.outputs):
                new.update(zip(node.outputs, copied(node, self.outer, new).outputs, strict=True))
        return new[tensor]

    def _feed(self, program: Program, tensor: Tensor, outside: Tensor) -> Tensor:
        """A new operand of the loop, in this program."""
        from graphc.passes.functionalize import feed

        position = len(self.operands) - self.loop.carried
        self.operands.append(outside)
        program.builder.at(tensor.node.origins, tensor.node.name)
        made = program.builder.add(feed, (), {"position": position}, (tensor.type,))
        made.outputs[0]._value = value_of(tensor)
        return made.outputs[0]


def _substituted(
    program: Program, stand_ins: dict[Tensor, Tensor], visit: Callable[[Node], Any]
) -> Program:
    """The program over its new feeds."""
    feeds = (*program.feeds, *stand_ins.values())
    first = dataclasses.replace(
        program, feeds=feeds,
        nodes=(*(t.node for t in stand_ins.values()), *program.nodes),
    )  # fmt: skip
    return rewrite(first, visit)


def _fed(program: Program, work: _Hoist, count: int) -> Program:
    """The program with a feed for every operand, also those that only the other one reads."""
    from graphc.passes.functionalize import feed

    have = {t.node.attrs["position"]: t for t in program.feeds}
    for position in range(count):
        if position not in have:
            outside = work.operands[work.loop.carried + position]
            made = program.builder.add(feed, (), {"position": position}, (outside.type,))
            have[position] = made.outputs[0]
    feeds = tuple(have[p] for p in range(count))
    more = tuple(t.node for t in feeds if t.node not in set(program.nodes))
    return dataclasses.replace(program, feeds=feeds, nodes=(*more, *program.nodes))
