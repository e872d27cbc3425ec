"""How each convolution is computed: tiles, GEMM on patches, or a reduction.

Lives here: the pass. Not here: the choice (ops/conv_lower.py). Imports passes.base, ops.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program
from graphc.passes.base import rewrite

DIRECT = frozenset({"direct_conv", "direct_conv_input", "direct_conv_filter"})


@dataclass(frozen=True)
class Convolve:
    """Settles the direct_conv* ops that expansions left. Valid in, valid out.

    tiles: whether there may be tiles, which only the vector printer and GPUs know. gpu: whether
        they are a GPU's.
    """

    name: str = "convolve"
    tiles: bool = True
    gpu: bool = False

    def run(self, program: Program) -> Program:
        if not any(n.op.name in DIRECT for n in program.nodes):
            return program
        from graphc.ops.conv_lower import settled  # programs with convolutions need it alone

        def visit(node: Node) -> Tensor | None:
            return settled(node, self.tiles, self.gpu) if node.op.name in DIRECT else None

        return rewrite(program, visit)
