"""Convolutions compute only the outputs that a pool behind them reads.

Lives here: the pass. Not here: how convolutions are computed (passes/convolve.py). Imports
passes.base, ops.

A pool without padding leaves the last rows and columns unread where its windows do not come out
even: 2x2 windows over 13x13 outputs read 144 of 169.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.node import Node, Tensor
from graphc.ir.program import Program, ProgramBuilder, consumers_of
from graphc.ops.define import REGISTRY
from graphc.passes.base import rewrite

POOLS = frozenset({"max_pool", "avg_pool", "max_pool3d", "avg_pool3d"})


@dataclass(frozen=True)
class Crop:
    """Shortens convolutions whose one reader is a pool, through elementwise ops between them.

    Valid in, valid out.
    """

    name: str = "crop"

    def run(self, program: Program) -> Program:
        if not any(n.op.name in POOLS for n in program.nodes):
            return program
        finder = _Finder(program)
        lengths = [finder.length(node) for node in program.nodes]
        if not any(lengths):
            return program
        waiting = iter(lengths)

        def visit(node: Node) -> Tensor | None:
            # nodes come in the program's order
            length = next(waiting)
            return _cropped(node, length, program.builder) if length else None

        return rewrite(program, visit)


class _Finder:
    """Which pools stand behind a convolution that nobody else reads."""

    def __init__(self, program: Program) -> None:
        self.readers = consumers_of(program)
        self.roots = set(program.roots)

    def length(self, pool: Node) -> int:
        """How many nodes in front of a pool can be cropped: ops, then a convolution; or 0."""
        if pool.op.name not in POOLS or _read(pool) is None:
            return 0
        found, tensor = 0, pool.inputs[0]
        while True:
            if tensor in self.roots or len(self.readers.get(tensor, ())) != 1:
                return 0
            found += 1
            if tensor.node.op.name == "direct_conv":
                return found
            if not _pointwise(tensor.node):
                return 0
            tensor = tensor.node.inputs[0]


def _pointwise(node: Node) -> bool:
    """Whether a node computes each element from the one in its place, and vectors of channels."""
    if node.attrs.get("data_format", "NHWC").startswith("NC") or len(node.outputs) != 1:
        return False
    if node.op.name != "bias_add" and node.op.family != "elementwise":
        return False
    same = node.inputs[0].dims == node.outputs[0].dims
    return same and all(t.dims is not None and len(t.dims) <= 1 for t in node.inputs[1:])


def _read(pool: Node) -> tuple[int, ...] | None:
    """The spatial extents that a pool reads, where they are known and fewer than there are."""
    dims = pool.inputs[0].dims
    if dims is None or pool.attrs.get("data_format", "NHWC").startswith("NC"):
        return None
    from graphc.ops.pool import pool_window  # a program with pools has imported it

    window = pool_window(dims, pool.attrs)
    read: list[int] = []
    for size, out, low, stride, taps in zip(
        dims, window.outs, window.lows, window.strides, window.kernel, strict=True
    ):
        if isinstance(size, int) and isinstance(out, int) and isinstance(low, int):
            read.append(min(size, (out - 1) * stride + taps - low))
        else:
            read.append(0)
    inside = tuple(read[1:-1])
    return inside if inside != dims[1:-1] and min(inside) > 0 else None


def _cropped(pool: Node, length: int, builder: ProgramBuilder) -> Tensor:
    """The pool over a shorter convolution, `length` nodes in front of it."""
    read = _read(pool)
    assert read is not None
    chain = [pool]
    for _ in range(length):
        chain.append(chain[-1].inputs[0].node)
    convolution = chain.pop()
    from graphc.ops.conv_lower import Geometry

    window = Geometry.direct(convolution).window
    padding = tuple(
        (low, (out - 1) * stride + (taps - 1) * dilation + 1 - size - low)
        for low, out, stride, taps, dilation, size in zip(
            window.lows, read, window.strides, window.kernel, window.dilations, window.sizes,
            strict=True,
        )
    )  # fmt: skip
    builder.at(convolution.origins, convolution.name)
    attrs = {**convolution.attrs, "padding": padding}
    tensor: Tensor = REGISTRY[convolution.op.name](*convolution.inputs, **attrs)
    for node in reversed(chain):
        # each keeps its own name and line
        builder.at(node.origins, node.name)
        tensor = REGISTRY[node.op.name](tensor, *node.inputs[1:], **node.attrs)
    return tensor
