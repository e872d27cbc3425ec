"""Composite ops replaced by their definitions.

Imports passes.base only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphc.ir.node import Node
from graphc.ir.program import Program
from graphc.passes.base import rewrite


@dataclass(frozen=True)
class Expand:
    """Replaces composites by other ops until none is left. Valid in, valid out."""

    name: str = "expand"

    def run(self, program: Program) -> Program:
        while any(n.op.expand is not None for n in program.nodes):
            program = rewrite(program, _expand)
        return program


def _expand(node: Node) -> Any:
    return None if node.op.expand is None else node.op.expand(node)
