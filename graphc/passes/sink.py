"""Products that the steps of a loop only add up, or only put away, are made once behind it.

Lives here: sink, steps_of. Not here: what goes in front of a loop (hoist.py). Imports passes.base.

A carried sum of products, `acc + transpose(a) b`, is one product of all rows of a with all rows of
b; a carried sum over rows likewise. So the weight gradients of a recurrence, which its backward
loop adds up, are one GEMM over all steps. Rows of `x W` that the steps write into an array
are one product, too, where W stays the same: the gradient of a layer's input. The loop keeps what
the products read, a row a step; where that would take too much memory nothing moves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, Update, live_nodes
from graphc.ir.shape import Dim, dims_equal, dims_product, evaluate
from graphc.ops.arrays import zero
from graphc.ops.control import ProgramLoop
from graphc.ops.define import F, OpDef
from graphc.ops.source import variable
from graphc.ops.values import value_of
from graphc.passes.base import const_array, rewrite, uniform_value
from graphc.passes.hoist import invariants, rows_of, vector
from graphc.passes.inline import with_held

Optimize = Callable[[Program], Program]
MAX_ROWS_BYTES = 256 << 20  # of all that the loop keeps
# rows a step from which on a product is as fast as one over all steps
MANY_ROWS = 512


def sink(program: Program, optimize: Optimize) -> Program:
    """Valid in, valid out. optimize: for bodies that were rewritten."""

    def visit(node: Node) -> tuple[Tensor, ...] | None:
        if node.op.name != "loop":
            return None
        work = _Sink(node, _in_parts(node.attrs["loop"], optimize))
        return work.run(optimize) if work.found() else None

    if not any(n.op.name == "loop" for n in program.nodes):
        return program
    return rewrite(program, visit)


# ------------------------------------------------------------------ how often a loop goes round
def steps_of(node: Node) -> tuple[int, Dim] | None:
    """(carried value that counts from 0, number of steps) of a loop, where it is known ahead."""
    loop: ProgramLoop = node.attrs["loop"]
    counters = _counters(node, loop)
    found: tuple[int, Dim] | None = None
    for test in _conjuncts(loop.cond.outputs[0]):
        if test.node.op.name != "less" or test.node.inputs[0].node.op.name != "read":
            return None
        count, limit = test.node.inputs
        at = counters.get(count.node.attrs["variable"])
        steps = _limit(node, loop, limit)
        if at is None or steps is None:
            return None
        if found is not None and dims_equal(found[1], steps) is not True:
            return None
        found = at, steps
    return found


def _conjuncts(test: Tensor) -> Iterator[Tensor]:
    stack = [test]
    while stack:
        top = stack.pop()
        if top.node.op.name == "logical_and":
            stack.extend(top.node.inputs)
        else:
            yield top


def _counters(node: Node, loop: ProgramLoop) -> dict[Node, int]:
    """Variables that start at 0 and grow by 1, with their places."""
    out = {}
    for k, (name, update) in enumerate(zip(loop.variables, loop.body.updates, strict=True)):
        first, value = const_array(node.inputs[k]), update.value.node
        if first is None or first.size != 1 or first.dtype.kind not in "iu" or first.item() != 0:
            continue
        if value.op.name != "add":
            continue
        steps = [const_array(t) for t in value.inputs if not _is_read(t, name)]
        if len(steps) == 1 and steps[0] is not None and steps[0].size == 1 and steps[0].item() == 1:
            out[name] = k
    return out


def _is_read(tensor: Tensor, name: Node) -> bool:
    return tensor.node.op.name == "read" and tensor.node.attrs["variable"] is name


def _limit(node: Node, loop: ProgramLoop, limit: Tensor) -> Dim | None:
    """A bound of the cond as an extent: a known number, or the steps of another loop."""
    value = value_of(limit)
    if value is None and limit.node.op.name == "feed":
        outside = node.inputs[loop.carried + limit.node.attrs["position"]]
        value = value_of(outside)
        if value is None and outside.node.op.name == "loop":
            return _steps_counted(outside)
    if value is None or value.size != 1:
        return None
    steps = value.reshape(-1)[0]
    if hasattr(steps, "item"):
        steps = steps.item()
    if isinstance(steps, int):
        return max(steps, 0)
    found: Dim | None = steps
    return found


def _steps_counted(tensor: Tensor) -> Dim | None:
    """The steps of a loop, if the tensor is what one of its counters ends at."""
    known = steps_of(tensor.node)
    counters = _counters(tensor.node, tensor.node.attrs["loop"]).values()
    return known[1] if known is not None and tensor.value_index in counters else None


# ------------------------------------------------------------------ products in parts
def _in_parts(loop: ProgramLoop, optimize: Optimize) -> ProgramLoop:
    """The loop with products whose columns are split as products with parts of the matrix.

    Only where some part is not needed, or is put away: then each part goes its own way.
    """
    body = loop.body
    same = invariants(body, loop.pops)
    used = {t for n in body.nodes for t in n.inputs} | set(body.roots)
    stored = {n.inputs[0] for n in body.nodes if n.op.name == "expand_dims"}
    wanted = {
        n.id for n in body.nodes
        if n.op.name in ("split", "split_v") and n.attrs["axis"] in (1, -1)
        and any(t not in used or t in stored for t in n.outputs)
    }  # fmt: skip

    def visit(node: Node) -> tuple[Tensor, ...] | None:
        product = node.inputs[0].node if node.id in wanted else None
        if product is None or product.op.name != "matmul" or product.attrs["transpose_a"]:
            return None
        left, whole = product.inputs
        widths = [t.known_dims[1] for t in node.outputs if len(t.known_dims) == 2]
        if whole not in same or len(widths) < len(node.outputs):
            return None
        if not all(isinstance(w, int) for w in widths):
            return None
        turned, first, out = product.attrs["transpose_b"], 0, []
        for width in widths:
            part = rows_of(whole, first, width, not turned)  # type: ignore[arg-type]
            out.append(F.matmul(left, part, transpose_a=False, transpose_b=turned))
            first += width  # type: ignore[operator,assignment]
        return tuple(out)

    if not wanted:
        return loop
    return dataclasses.replace(loop, body=optimize(rewrite(body, visit)))


# ------------------------------------------------------------------ what moves
@dataclass
class _Sum:
    """A carried sum: (left rows, right rows) of products, rows that are added up."""

    place: int
    products: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    rows: list[Tensor] = field(default_factory=list)


@dataclass
class _Put:
    """An array whose rows are products: `at` says which row, `whole` a matrix from outside."""

    place: int
    left: Tensor
    at: Tensor
    whole: Tensor
    turned: bool
    op: OpDef


class _Sink:
    """One loop, and what of it can be computed behind it."""

    def __init__(self, node: Node, loop: ProgramLoop) -> None:
        self.node = node
        self.loop = loop
        self.builder = node.graph
        self.hints = node.graph.env.hints
        self.readers = self._readers()
        self.steps = steps_of(node)
        self.sums: list[_Sum] = []
        self.puts: list[_Put] = []

    def _readers(self) -> dict[Tensor, int]:
        """How often the programs read each tensor."""
        out: dict[Tensor, int] = {}
        for _, program in self.loop.programs:
            for tensor in (*(t for n in program.nodes for t in n.inputs), *program.roots):
                out[tensor] = out.get(tensor, 0) + 1
        return out

    # -------------------------------------------------------------- finding
    def found(self) -> bool:
        """Whether anything moves."""
        for place, (name, update) in enumerate(
            zip(self.loop.variables, self.loop.body.updates, strict=True)
        ):
            made: _Sum | _Put | None = self._sum(place, name, update.value)
            if isinstance(made, _Sum):
                self.sums.append(made)
                continue
            made = self._put(place, name, update.value)
            if made is not None:
                self.puts.append(made)
        # a sum over rows alone is not worth keeping the rows
        kept = {t for s in self.sums for pair in s.products for t in pair}
        self.sums = [s for s in self.sums if s.products or all(r in kept for r in s.rows)]
        return bool(self.sums or self.puts) and self._bytes() <= MAX_ROWS_BYTES

    def _alone(self, name: Node, reads: int) -> bool:
        """Whether the body reads the variable so often, the cond and the stacks never."""
        return reads == sum(
            count for t, count in self.readers.items() if _is_read(t, name)
        )

    def _sum(self, place: int, name: Node, value: Tensor) -> _Sum | None:
        if self.steps is None:
            return None
        made, itself = _Sum(place), 0
        stack = [value]
        while stack:
            term = stack.pop()
            if _is_read(term, name):
                itself += 1
            elif term.node.op.name in ("add", "add_n") and self.readers[term] == 1 and (
                term.dims == value.dims
            ):  # fmt: skip
                stack.extend(term.node.inputs)
            elif not self._term(made, term):
                return None
        if itself != 1 or not self._alone(name, 1):
            return None
        return made

    def _term(self, made: _Sum, term: Tensor) -> bool:
        node = term.node
        if self.readers[term] != 1 or not term.dtype.is_floating:
            return False
        if node.op.name == "matmul" and node.attrs["transpose_a"]:
            left, right = node.inputs
            if node.attrs["transpose_b"] or len(left.known_dims) != 2:
                return False
            if evaluate(left.known_dims[0], self.hints) >= MANY_ROWS:
                return False
            made.products.append((left, right))
            return True
        if node.op.name == "reduce_sum" and node.attrs["axes"] == (0,):
            if node.attrs["keepdims"] or len(node.inputs[0].known_dims) != 2:
                return False
            made.rows.append(node.inputs[0])
            return True
        return False

    def _put(self, place: int, name: Node, value: Tensor) -> _Put | None:
        """An array of zeros whose rows are set to `left whole`, each at most once a step."""
        node = value.node
        if node.op.name not in ("tensor_scatter_update", "tensor_scatter_add"):
            return None
        array, at, rows = node.inputs
        if not _is_read(array, name) or not self._alone(name, 1) or self.readers[value] != 1:
            return None
        if node.op.name == "tensor_scatter_update" and (
            uniform_value(self.node.inputs[place]) != 0
        ):
            return None
        product = rows.node.inputs[0].node if rows.node.op.name == "expand_dims" else None
        if product is None or product.op.name != "matmul" or product.attrs["transpose_a"]:
            return None
        if tuple(at.known_dims) != (1, 1) or self.readers[rows] != 1:
            return None
        left, whole = product.inputs
        if len(left.known_dims) != 2 or self.readers[product.outputs[0]] != 1:
            return None
        if self._outside(whole) is None:
            return None
        if evaluate(left.known_dims[0], self.hints) >= MANY_ROWS:
            return None
        return _Put(place, left, at, whole, bool(product.attrs["transpose_b"]), node.op)

    def _outside(self, tensor: Tensor) -> Tensor | None:
        """In front of the loop: an operand that no step changes, or a part of it."""
        node = tensor.node
        if node.op.name == "slice":
            begin, size = (const_array(t) for t in node.inputs[1:])
            whole = self._outside(node.inputs[0])
            if whole is None or begin is None or size is None:
                return None
            part: Tensor = F.slice(whole, begin, size)
            return part
        if node.op.name != "feed" or node.attrs["position"] < self.loop.pops:
            return None
        found: Tensor = self.node.inputs[self.loop.carried + node.attrs["position"]]
        return found

    def _kept(self) -> dict[Tensor, Dim]:
        """What is kept by step, and of how many steps."""
        out: dict[Tensor, Dim] = {}
        for total in self.sums:
            assert self.steps is not None
            for tensor in (*(t for pair in total.products for t in pair), *total.rows):
                out[tensor] = self.steps[1]
        return out

    def _bytes(self) -> int:
        parts = [(t, steps) for t, steps in self._kept().items()]
        parts += [(p.left, self._rows(p)) for p in self.puts]
        total = 0
        for tensor, steps in parts:
            elements = dims_product((steps, *tensor.known_dims))
            assert elements is not None
            total += tensor.dtype.size * evaluate(elements, self.hints)
        return total

    def _rows(self, put: _Put) -> Dim:
        return self.node.inputs[put.place].known_dims[0]

    # -------------------------------------------------------------- moving
    def run(self, optimize: Optimize) -> tuple[Tensor, ...]:
        """The outputs of the loop in new form."""
        from graphc.passes.functionalize import read

        body = self.loop.body
        builder = body.builder
        inits: list[Tensor] = []
        updates = list(body.updates)
        names: list[Node] = []
        place_of: dict[Tensor | int, int] = {}

        def keep(
            tensor: Tensor, steps: Dim, at: Tensor, key: Tensor | int, put: OpDef
        ) -> None:
            """One more carried array: the tensor's value of each step."""
            dims = (steps, *tensor.known_dims)
            inits.append(F.fill(vector(self.node.inputs[0], dims), zero(tensor.dtype)))
            type_ = inits[-1].type
            self.builder.at(tensor.node.origins, tensor.node.name)
            attrs = {"dtype": type_.dtype, "shape": type_.shape}
            names.append(self.builder.add(variable, (), attrs, (type_,)))
            builder.at(tensor.node.origins, tensor.node.name)
            with builder.building():
                before = builder.add(read, (), {"variable": names[-1]}, (type_,)).outputs[0]
                row = F.expand_dims(tensor, axis=0)
                updates.append(Update(names[-1], put(before, at, row)))
            place_of[key] = self.loop.carried + len(names) - 1

        if self.sums:
            step = self._step_index()
            for tensor, steps in self._kept().items():
                keep(tensor, steps, step, tensor, F.tensor_scatter_update)
        for put in self.puts:
            keep(put.left, self._rows(put), put.at, put.place, put.op)
        gone = {*(s.place for s in self.sums), *(p.place for p in self.puts)}
        for place in gone:
            name = self.loop.variables[place]
            updates[place] = Update(name, self._read(name))
        made = self._node(optimize, inits, names, updates)
        return self._outputs(made, place_of)

    def _node(
        self, optimize: Optimize, inits: Sequence[Tensor], names: Sequence[Node],
        updates: Sequence[Update],
    ) -> Node:  # fmt: skip
        """The loop that carries more. Its outputs: carried, new ones, stacks."""
        body, n = self.loop.body, self.loop.carried
        roots = (*body.outputs, *(u.value for u in updates))
        nodes = live_nodes(roots, body.feeds, body.effects)
        changed = dataclasses.replace(body, nodes=nodes, updates=tuple(updates))
        held = dataclasses.replace(
            self.loop, body=optimize(changed), variables=(*self.loop.variables, *names)
        )
        return with_held(self.node, held, [*self.node.inputs[:n], *inits, *self.node.inputs[n:]])

    def _read(self, name: Node) -> Tensor:
        from graphc.passes.functionalize import read

        program = self.loop.body
        for node in program.nodes:
            if node.op.name == "read" and node.attrs["variable"] is name:
                return node.outputs[0]
        type_ = name.outputs[0].type
        return program.builder.add(read, (), {"variable": name}, (type_,)).outputs[0]

    def _step_index(self) -> Tensor:
        """The number of the step, as an index of one row."""
        assert self.steps is not None
        builder = self.loop.body.builder
        with builder.building():
            step: Tensor = F.reshape(self._read(self.loop.variables[self.steps[0]]), [1, 1])
        return step

    def _outputs(self, made: Node, place_of: dict[Tensor | int, int]) -> tuple[Tensor, ...]:
        n, more = self.loop.carried, len(made.attrs["loop"].variables)
        outs = [*made.outputs[:n], *made.outputs[more:]]
        self.builder.at(self.node.origins, self.node.name)

        def rows(key: Tensor | int) -> Tensor:
            """The rows of all steps, one below the other."""
            array = made.outputs[place_of[key]]
            steps, count, width = array.known_dims
            flat: Tensor = F.reshape(array, vector(array, (steps * count, width)))
            return flat

        for total in self.sums:
            value = self.node.inputs[total.place]
            for left, right in total.products:
                product = F.matmul(rows(left), rows(right), transpose_a=True, transpose_b=False)
                value = F.add(value, product)
            for part in total.rows:
                value = F.add(value, F.reduce_sum(rows(part), axes=(0,), keepdims=False))
            outs[total.place] = value
        for put in self.puts:
            whole = self._outside(put.whole)
            product = F.matmul(
                rows(put.place), whole, transpose_a=False, transpose_b=put.turned
            )
            first = self.node.inputs[put.place]
            outs[put.place] = F.add(first, F.reshape(product, vector(first, first.known_dims)))
        return tuple(outs)
