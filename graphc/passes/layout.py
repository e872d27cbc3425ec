"""Layout: transposes that GEMM takes as flags, and those that would move the innermost axis.

Imports passes.base and ops.define.

Heads of attention are products of many small matrices that lie apart. Where a transpose in front of
or behind such products exchanges their last two axes on top of what it else does, the products take
or give the other matrix: rows stay together, and scores are not turned at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, consumers_of
from graphc.ops.define import F
from graphc.passes.base import RuleSet, apply_rules, rewrite

RULES = RuleSet()
rule = RULES.rule


@dataclass(frozen=True)
class Layout:
    """Applies the rules until none fires. Valid in, valid out."""

    name: str = "layout"

    def run(self, program: Program) -> Program:
        program = apply_rules(program, RULES)
        turns = _Turns(program)
        return turns.run() if turns.operands or turns.results else program


def _last_two_swapped(tensor: Tensor) -> bool:
    if tensor.node.op.name != "transpose":
        return False
    perm = tensor.node.attrs.get("perm")
    if perm is None:
        return tensor.rank == 2
    rank = len(perm)
    return rank >= 2 and tuple(perm) == (*range(rank - 2), rank - 1, rank - 2)


@rule("matmul")
def transpose_into_matmul(node: Node, a: Tensor, b: Tensor) -> Any:
    """matmul(transpose(a), b) -> matmul(a, b, transpose_a=True), and so for b"""
    swap_a, swap_b = _last_two_swapped(a), _last_two_swapped(b)
    if not swap_a and not swap_b:
        return None
    attrs = dict(node.attrs)
    if swap_a:
        attrs["transpose_a"] = not attrs["transpose_a"]
    if swap_b:
        attrs["transpose_b"] = not attrs["transpose_b"]
    left = a.node.inputs[0] if swap_a else a
    right = b.node.inputs[0] if swap_b else b
    return F.matmul(left, right, **attrs)


# ------------------------------------------------------------------ the innermost axis
class _Turns:
    """The transposes of a program that products can do without, but for outer axes.

    Attributes:
        operands: whose last two axes products alone read, and take in the other order.
        results: of products that nobody else reads, which give their axes in the other order.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.readers = consumers_of(program)
        self.roots = set(program.roots)
        transposes = [n for n in program.nodes if n.op.name == "transpose" and _many(n)]
        self.operands = {n for n in transposes if self._is_operand(n)}
        self.results = {n for n in transposes if self._is_result(n)} - self.operands

    def _is_operand(self, node: Node) -> bool:
        perm, out = node.attrs["perm"], node.outputs[0]
        readers = self.readers.get(out, ())
        products = bool(readers) and all(r.op.name == "matmul" for r in readers)
        return perm[-2] == len(perm) - 1 and products and out not in self.roots

    def _is_result(self, node: Node) -> bool:
        perm, source = node.attrs["perm"], node.inputs[0]
        alone = len(self.readers.get(source, ())) == 1 and source not in self.roots
        return perm[-1] == len(perm) - 2 and alone and source.node.op.name == "matmul"

    def run(self) -> Program:
        nodes = iter(self.program.nodes)

        def visit(copy: Node) -> Tensor | None:
            # nodes come in the program's order
            node = next(nodes)
            if node in self.results:
                return _result(copy)
            turned = [t.node in self.operands for t in node.inputs]
            return _product(copy, turned) if node.op.name == "matmul" and any(turned) else None

        return rewrite(self.program, visit)


def _many(node: Node) -> bool:
    """Whether the transpose is of more than one matrix, by axes that are known."""
    perm = node.attrs.get("perm")
    return perm is not None and len(perm) > 2


def _exchanged(perm: Sequence[int]) -> tuple[int, ...]:
    return (*perm[:-2], perm[-1], perm[-2])


def _product(node: Node, turned: Sequence[bool]) -> Tensor:
    """The product over operands with their last two axes the other way round."""
    inputs = list(node.inputs)
    attrs = dict(node.attrs)
    for n, flag in enumerate(("transpose_a", "transpose_b")):
        if turned[n]:
            source = inputs[n].node
            inputs[n] = _transposed(source.inputs[0], _exchanged(source.attrs["perm"]))
            attrs[flag] = not attrs[flag]
    out: Tensor = F.matmul(*inputs, **attrs)
    return out


def _result(node: Node) -> Tensor:
    """The transpose of a product, from the product computed the other way round."""
    product = node.inputs[0].node
    left, right = product.inputs
    ta, tb = product.attrs["transpose_a"], product.attrs["transpose_b"]
    out = F.matmul(right, left, transpose_a=not tb, transpose_b=not ta)
    rank = len(node.attrs["perm"])
    other = {rank - 1: rank - 2, rank - 2: rank - 1}
    return _transposed(out, tuple(other.get(axis, axis) for axis in node.attrs["perm"]))


def _transposed(tensor: Tensor, perm: tuple[int, ...]) -> Tensor:
    if perm == tuple(range(len(perm))):
        return tensor
    out: Tensor = F.transpose(tensor, perm=perm)
    return out
