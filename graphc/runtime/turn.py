"""Steps that exchange rows and columns of matrices.

Lives here: TurnCall. Not here: which transposes are such steps (fusion/turn.py), their code
(render/turn.py). The scheduler imports this module.

Argument slots: source, target, rows, columns, blocks down and across a matrix, whether it is large.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.fusion.turn import Turn, turn_of
from graphc.ir.node import Node
from graphc.ir.shape import evaluate
from graphc.render.turn import side, turn_ir

LARGE = 4 << 20  # bytes from which a result goes past the caches
BYTES_ALONE = 1 << 18  # below this one thread is faster than waking another
MAX_PIECES = 32
BYTES_PER_NS = 12.0


@dataclass(frozen=True)
class TurnCall:
    """One transpose by tiles."""

    node: Node
    turn: Turn
    kind = "tile"
    may_fail = False

    @property
    def kernel_name(self) -> str:
        return f"turn_{8 * self.turn.size}"

    def ir(self) -> str:
        return turn_ir(self.kernel_name, self.turn.size)

    def slots(self, values: Mapping[str, int]) -> list[int]:
        """The int64 arguments behind source and target."""
        _, rows, columns = self._sizes(values)
        return [rows, columns, *self._blocks(values), int(self._bytes(values) >= LARGE)]

    def extent(self, values: Mapping[str, int]) -> int:
        """The blocks of all matrices."""
        down, across = self._blocks(values)
        return self._sizes(values)[0] * down * across

    def chunk(self, values: Mapping[str, int]) -> int:
        extent = self.extent(values)
        if self._bytes(values) < BYTES_ALONE or extent < 2:
            return 0
        return -(-extent // min(extent, MAX_PIECES))

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        return self._bytes(values) / BYTES_PER_NS

    def _sizes(self, values: Mapping[str, int]) -> tuple[int, int, int]:
        turn = self.turn
        count, rows, columns = (evaluate(d, values) for d in (turn.count, turn.rows, turn.columns))
        return count, rows, columns

    def _blocks(self, values: Mapping[str, int]) -> tuple[int, int]:
        _, rows, columns = self._sizes(values)
        block = side(self.turn.size)
        return -(-rows // block), -(-columns // block)

    def _bytes(self, values: Mapping[str, int]) -> int:
        count, rows, columns = self._sizes(values)
        return 2 * count * rows * columns * self.turn.size


def turn_call(node: Node) -> TurnCall | None:
    """The node as a step of its own, or None where it is an ordinary kernel."""
    turn = turn_of(node)
    return None if turn is None else TurnCall(node, turn)
