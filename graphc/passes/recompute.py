"""Large attention weights are computed again for the gradients instead of being kept for them.

Lives here: the pass. Not here: what runs it in parts that stay in the cache (runtime/chains.py).
Imports passes.base, ops.

For softmax(S) V with S from a product of matrices, gradients read the softmax P: rows x columns
numbers for every product of the batch, kept from the forward part on. From each row's maximum m and
the inverse r of the sum of its exponentials, P is exp(S - m) r again, a formula of each score
alone; so are dropped weights, since random bits are counted, not stored (Dao et al. 2022). The sum
over a row of P dP, which the gradient of a softmax takes, is the sum of O dO, where O is the
result and dP = dO V^T: both are sums of P V dO. That leaves products alone between the scores and
the gradients. The sums are others than before, so that gradients differ in the last bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, ProgramBuilder, consumers_of
from graphc.ir.shape import dims_product, evaluate
from graphc.ops.control import HOLDERS
from graphc.ops.define import F
from graphc.passes.base import rewrite

LEAST_BYTES = 1 << 24  # of P: less costs less to keep than to compute
LEAST_SCORES = 1 << 20  # of a product, from which on it is faster than what it saves takes
LEAST_DRAWN = 1 << 22  # where random bits are drawn again, too
LEAST_KEPT = 1 << 28  # bytes of P from which on memory counts more
LEAST_PRODUCTS = 8  # of fewer the runtime makes no chain
DRAWS = frozenset({"random_uniform", "random_normal", "truncated_normal"})


@dataclass(frozen=True)
class Recompute:
    """Computes P again where a gradient needs it. Valid in, valid out."""

    name: str = "recompute"

    def run(self, program: Program) -> Program:
        if not any(n.op.name == "softmax" for n in program.nodes):
            return program
        readers = consumers_of(program)
        found = [
            a for n in program.nodes
            if n.op.name == "softmax" and (a := _attention(program, n, readers)) is not None
        ]  # fmt: skip
        return _Rewriting(program, found).run() if found else program


# ------------------------------------------------------------------ finding
Readers = Mapping[Tensor, list[Node]]


@dataclass(eq=False)
class _Attention:
    """One attention.

    Attributes:
        softmax: P's node. product: the one behind it. scores: the one in front.
        again: nodes that are computed again, these two among them.
        sums: sums of a row of P dP, with the dO in dP = dO V^T.
    """

    softmax: Node
    product: Node
    scores: Node
    again: frozenset[Node]
    sums: dict[Node, Tensor]

    @property
    def begins(self) -> Tensor:
        """What the gradient begins with."""
        return next(iter(self.sums.values()))


def _attention(program: Program, softmax: Node, readers: Readers) -> _Attention | None:
    weights = softmax.outputs[0]
    hints = program.env.hints
    if not _large(weights, hints, LEAST_SCORES) or softmax.attrs.get("axis", -1) not in (
        -1, len(weights.known_dims) - 1
    ):  # fmt: skip
        return None
    tried = ((p, dict(_sums(softmax, p, readers))) for p in _products(weights, readers))
    product, sums = next(((p, sums) for p, sums in tried if sums), (None, {}))
    if product is None:
        return None
    again = _elementwise_from(product.inputs[0], softmax)
    scores = [n for n in again if n.op.name == "matmul"]
    if len(scores) != 1:
        return None
    if not _all_again(again, weights):
        return None
    if any(n.op.name in DRAWS for n in again) and not _large(weights, hints, LEAST_DRAWN):
        return None
    roots = set(program.roots)
    if any(t in roots for n in again for t in n.outputs):
        return None  # somebody wants them as a whole
    later = {r for n in again for t in n.outputs for r in readers.get(t, ())} - again - {product}
    if any(n.op.stateful or n.op.effect or n.op.name in HOLDERS for n in later):
        return None
    return _Attention(softmax, product, scores[0], frozenset(again), sums)


def _large(weights: Tensor, hints: Mapping[str, int], least: int) -> bool:
    """Whether it pays to compute weights with so many scores of a product again."""
    dims = weights.dims
    if dims is None or len(dims) < 3 or any(d is None for d in dims):
        return False
    rows, columns = dims[-2:]
    products = dims_product(dims[:-2])
    if not isinstance(rows, int) or not isinstance(columns, int) or products is None:
        return False
    if weights.dtype.name not in ("float32", "float64"):
        return False
    count = evaluate(products, hints)
    nbytes = count * rows * columns * weights.dtype.size
    large = rows * columns >= least and nbytes >= LEAST_BYTES
    return count >= LEAST_PRODUCTS and (large or nbytes >= LEAST_KEPT)


def _products(weights: Tensor, readers: Readers) -> Iterator[Node]:
    """Products of the weights, or of the weights times something, with another matrix."""
    stack = [weights]
    seen: set[Tensor] = set()
    while stack:
        tensor = stack.pop()
        for node in sorted(readers.get(tensor, ()), key=lambda n: -n.id):
            out = node.outputs[0]
            if node.op.name == "matmul" and node.inputs[0] is tensor:
                if not node.attrs["transpose_a"] and node.inputs[1].dims is not None:
                    yield node
            elif node.op.name in ("multiply", "divide") and out not in seen:
                if out.dims == weights.dims:
                    seen.add(out)
                    stack.append(out)


def _elementwise_from(end: Tensor, softmax: Node) -> set[Node]:
    """What `end` is computed from, element by element, up to the product of the scores."""
    found: set[Node] = set()
    stack = [end.node]
    while stack:
        node = stack.pop()
        if node in found or node.outputs[0].dims != end.dims:
            continue
        name = node.op.name
        pointwise = node.op.family == "elementwise" or name == "select"
        if node is softmax or (pointwise and node.op.kernel is not None):
            found.add(node)
            stack.extend(t.node for t in node.inputs)
        elif name == "matmul" or name in DRAWS:
            found.add(node)
    return found


def _all_again(again: set[Node], weights: Tensor) -> bool:
    """Whether nothing of the weights' size has to be kept for what is computed again.

    What depends on no scores and no random bits would be one node with the first: it is kept.
    """
    fresh: dict[Node, bool] = {}
    for node in sorted(again, key=lambda n: n.id):
        own = node.op.name == "matmul" or node.op.name in DRAWS
        fresh[node] = own or any(fresh.get(t.node, False) for t in node.inputs)
        if own:
            continue
        outside = (t for t in node.inputs if t.node not in again and t.dims == weights.dims)
        if any(t.node.op.family != "source" for t in outside):
            return False
    return all(fresh.values())


def _sums(softmax: Node, product: Node, readers: Readers) -> Iterator[tuple[Node, Tensor]]:
    """(sum over a row of P dP, dO) where that is the sum of O dO."""
    weights = softmax.outputs[0]
    dropped = _factors(product.inputs[0])
    for reader in readers.get(weights, ()):
        if reader.op.name != "multiply":
            continue
        for node in readers.get(reader.outputs[0], ()):
            if node.op.name != "reduce_sum" or not node.attrs["keepdims"]:
                continue
            if node.attrs["axes"] not in ((-1,), (len(weights.known_dims) - 1,)):
                continue
            rest = _factors(reader.outputs[0])
            rest.subtract(dropped)
            left = [f for f, count in rest.items() if count]
            if len(left) == 1 and rest[left[0]] == 1 and left[0][0]:
                outer = _outer(left[0][1], product)
                if outer is not None:
                    yield node, outer


def _factors(tensor: Tensor) -> Counter[tuple[bool, Tensor]]:
    """The product that the tensor is: (whether it is multiplied, not divided, by; what)."""
    out: Counter[tuple[bool, Tensor]] = Counter()
    stack = [tensor]
    while stack:
        value = stack.pop()
        node = value.node
        if node.op.name == "multiply":
            stack.extend(node.inputs)
        elif node.op.name == "divide":
            stack.append(node.inputs[0])
            out[False, node.inputs[1]] += 1
        else:
            out[True, value] += 1
    return out


def _outer(inner: Tensor, product: Node) -> Tensor | None:
    """dO, where `inner` is dO V^T for the V of the product."""
    node = inner.node
    if node.op.name != "matmul" or node.attrs["transpose_a"]:
        return None
    outer, values = node.inputs
    same = values is product.inputs[1] and outer.dims == product.outputs[0].dims
    turned = node.attrs["transpose_b"] != product.attrs["transpose_b"]
    return outer if same and turned else None


# ------------------------------------------------------------------ rewriting
class _Rewriting:
    def __init__(self, program: Program, attentions: list[_Attention]) -> None:
        self.program = program
        self.builder: ProgramBuilder = program.builder
        self.softmax = {a.softmax: a for a in attentions}
        self.of = {n: a for a in attentions for n in a.again}
        self.products = {a.product for a in attentions}
        self.sums = {n: (a, outer) for a in attentions for n, outer in a.sums.items()}
        self.new: dict[Tensor, Tensor] = {}
        self.second: dict[Tensor, Tensor] = {}
        self.rows: dict[_Attention, tuple[Tensor, Tensor]] = {}

    def run(self) -> Program:
        nodes = iter(self.program.nodes)

        def visit(copy: Node) -> tuple[Tensor, ...] | None:
            # nodes come in the program's order
            node = next(nodes)
            outs = self.visit(node, copy)
            self.new.update(zip(node.outputs, outs or copy.outputs, strict=True))
            return outs

        return rewrite(self.program, visit)

    def visit(self, node: Node, copy: Node) -> tuple[Tensor, ...] | None:
        if node in self.softmax:
            return (self.weights(self.softmax[node], copy.inputs[0]),)
        if node in self.sums:
            return (self.sum(*self.sums[node]),)
        if node in self.of or node in self.products:
            return None
        if not any(self.is_later(t) for t in node.inputs):
            return None
        return self.over(node)

    def is_later(self, tensor: Tensor) -> bool:
        """Whether the gradient that needs the tensor once more has begun."""
        attention = self.of.get(tensor.node)
        return attention is not None and attention.begins in self.new

    def over(self, node: Node) -> tuple[Tensor, ...]:
        """The node over what is computed again."""
        inputs = tuple(
            self.once_more(t) if self.is_later(t) else self.new[t] for t in node.inputs
        )
        return self.builder.create_node(node.op, inputs, node.attrs).outputs

    def weights(self, attention: _Attention, scores: Tensor) -> Tensor:
        """P, and what each row of it is made with."""
        axes = (len(scores.known_dims) - 1,)
        most = F.reduce_max(scores, axes=axes, keepdims=True)
        powers = F.exp(F.subtract(scores, most))
        share = F.reciprocal(F.reduce_sum(powers, axes=axes, keepdims=True))
        self.rows[attention] = most, share
        weights: Tensor = F.multiply(powers, share)
        return weights

    def sum(self, attention: _Attention, outer: Tensor) -> Tensor:
        product = attention.product
        left, right = (self.new[t] for t in product.inputs)
        result = F.multiply(F.matmul(left, right, **product.attrs), self.new[outer])
        axes = (len(result.known_dims) - 1,)
        total: Tensor = F.reduce_sum(result, axes=axes, keepdims=True)
        return total

    def once_more(self, tensor: Tensor) -> Tensor:
        """A tensor of the forward part, computed a second time."""
        found = self.second.get(tensor)
        if found is not None:
            return found
        node, attention = tensor.node, self.of[tensor.node]
        made: Tensor
        if node is attention.softmax:
            most, share = (self.apart(t, attention) for t in self.rows[attention])
            powers = F.exp(F.subtract(self.once_more(node.inputs[0]), most))
            made = F.multiply(powers, share)
        elif node is attention.scores:
            left, right = (self.new[t] for t in node.inputs)
            made = F.matmul(self.apart(left, attention), right, **node.attrs)
        elif node.op.name in DRAWS:
            shape, state = (self.new[t] for t in node.inputs)
            made = self.builder.create_node(
                node.op, (shape, self.apart(state, attention)), node.attrs
            ).outputs[0]
        else:
            (made,) = self.over(node)
        self.second[tensor] = made
        return made

    def apart(self, tensor: Tensor, attention: _Attention) -> Tensor:
        """The tensor, for what is not computed before its gradient: equal nodes would merge."""
        made: Tensor = F.apart(tensor, self.new[attention.begins])
        return made
