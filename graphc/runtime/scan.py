"""Steps of running sums and products along an axis.

Lives here: ScanCall, which nodes are such steps. Not here: their code (render/scan.py). Others
(half types, small integers) run on the host. The scheduler imports this module.

Argument slots: source, target, length of the axis, elements behind it, step, first offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.ir.node import Node
from graphc.ir.shape import Dim, dims_product, evaluate
from graphc.render.scan import COLUMNS, ROWS, scan_ir
from graphc.runtime.turn import TurnCall, turn_call

_OPS = {"cumsum": "add", "cumprod": "mul"}
_TYPES = ("float32", "float64", "int32", "int64")
ALONE = 1 << 15  # elements below which one thread is faster than waking another
MAX_PIECES = 32


@dataclass(frozen=True)
class ScanCall:
    """`count` times: a running sum or product over `length` groups of `inner` elements."""

    node: Node
    count: Dim
    length: Dim
    inner: Dim
    kind = "rows"
    may_fail = False

    @property
    def rows(self) -> bool:
        """Whether it goes along the innermost axis."""
        return self.inner == 1

    @property
    def kernel_name(self) -> str:
        way = "rows" if self.rows else "columns"
        exclusive = "_exclusive" if self.node.attrs.get("exclusive") else ""
        dtype = self.node.outputs[0].dtype.name
        return f"{self.node.op.name}_{way}{exclusive}_{dtype}"

    def ir(self) -> str:
        exclusive = bool(self.node.attrs.get("exclusive"))
        dtype = self.node.outputs[0].dtype.name
        return scan_ir(self.kernel_name, _OPS[self.node.op.name], dtype, exclusive, self.rows)

    def slots(self, values: Mapping[str, int]) -> list[int]:
        """The int64 arguments behind source and target."""
        _, length, inner = self._sizes(values)
        if self.node.attrs.get("reverse"):
            return [length, inner, -inner, max(length - 1, 0) * inner]
        return [length, inner, inner, 0]

    def extent(self, values: Mapping[str, int]) -> int:
        """Rows, or blocks of columns."""
        count, _, inner = self._sizes(values)
        return count if self.rows else count * -(-inner // COLUMNS)

    def chunk(self, values: Mapping[str, int]) -> int:
        count, length, inner = self._sizes(values)
        extent = self.extent(values)
        if count * length * inner < ALONE or extent < 2:
            return 0
        piece = -(-extent // min(extent, MAX_PIECES))
        return -(-piece // ROWS) * ROWS if self.rows else piece

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        count, length, inner = self._sizes(values)
        return count * length * inner * 0.5

    def _sizes(self, values: Mapping[str, int]) -> tuple[int, int, int]:
        count, length, inner = (evaluate(d, values) for d in (self.count, self.length, self.inner))
        return count, length, inner


def scan_call(node: Node) -> ScanCall | None:
    """The node as a step of its own, or None where it must run on the host."""
    if node.op.name not in _OPS or node.outputs[0].dtype.name not in _TYPES:
        return None
    dims = node.outputs[0].dims
    if dims is None or None in dims:
        return None
    axis = node.attrs["axis"] % len(dims)
    count, inner = dims_product(dims[:axis]), dims_product(dims[axis + 1 :])
    length = dims[axis]
    assert count is not None and inner is not None and length is not None
    return ScanCall(node, count, length, inner)


MovingCall = TurnCall | ScanCall  # a node alone, from its first input to its output


def moving_call(node: Node) -> MovingCall | None:
    """The node as a step of its own that is neither a product nor rows by number."""
    return turn_call(node) or scan_call(node)
