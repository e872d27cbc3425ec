"""The program verifier: what must hold between any two passes.

Imports ir only.
"""

from __future__ import annotations

from graphc.errors import InternalError
from graphc.ir.program import Program


def verify(program: Program, after: str = "") -> None:
    """Checks order, types and roots.

    Raises:
        InternalError: naming the pass and the node.
    """
    where = f" after pass {after!r}" if after else ""
    seen = set()
    for node in program.nodes:
        for tensor in node.inputs:
            if tensor.node not in seen:
                raise InternalError(f"{node.text_name} reads {tensor.text_name} too early{where}")
        for tensor in node.outputs:
            if tensor.dims is None or any(d is None for d in tensor.dims):
                if not (node.op.data_dependent or node.op.shape_inputs):
                    raise InternalError(f"{tensor.text_name} has no complete shape{where}")
        seen.add(node)
    for tensor in program.roots:
        if tensor.node not in seen:
            raise InternalError(f"root {tensor.text_name} is not computed{where}")
