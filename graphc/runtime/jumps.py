"""Loops and branches in the driver's table: jumps, cursors, and the memory of stacks.

Lives here: fill_jumps (rows of a binding's table), StackMemory (one stack of an instance). Not
here: which steps there are (runtime/loops.py), the table's layout (runtime/driver.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.runtime import driver
from graphc.runtime.memory import rounded
from graphc.runtime.steps import Cursor, Stack, Step

if TYPE_CHECKING:
    from graphc.runtime.binding import Binding

Array = np.ndarray[Any, Any]
JUMPS = frozenset({"label", "jump", "open", "room", "point", "advance"})
POLL_EVERY = 256  # jumps back between two looks at signals
FIRST_ROWS = 16


def fill_jumps(binding: Binding, args: list[int]) -> tuple[dict[Cursor, int], dict[Stack, int]]:
    """Fills the rows of JUMPS. Returns the slot of each cursor, and of each stack's bounds."""
    work = _Filler(binding, args)
    for at, step in enumerate(binding.steps):
        if step.kind in JUMPS or step.kind == "branch":
            work.fill(at, step)
    return work.cursors, work.stacks


class _Filler:
    def __init__(self, binding: Binding, args: list[int]) -> None:
        self.binding = binding
        self.args = args
        self.place = {step: at for at, step in enumerate(binding.steps)}
        self.cursors: dict[Cursor, int] = {}
        self.stacks: dict[Stack, int] = {}  # the slot of its base; the next one: of its end

    def fill(self, at: int, step: Step) -> None:
        row = self.binding.table[at]
        if step.kind == "branch" or step.kind == "jump":
            assert step.target is not None
            row[driver.EXTENT] = self.place[step.target]
            if step.kind == "jump":
                row[driver.KIND] = driver.JUMP
                row[driver.AUX2] = POLL_EVERY if self.place[step.target] < at else 0
            return
        if step.kind == "label":
            return  # a kernel without extent: nothing
        assert step.cursor is not None
        cursor = self._cursor(step.cursor)
        if step.kind == "open":
            source = self._cursor(step.cursor.stack.cursor) if step.back else (
                self._stack(step.cursor.stack)
            )  # fmt: skip
            row[driver.KIND] = driver.MOVE
            self._link(at, driver.ARGS, cursor)
            self._link(at, driver.EXTENT, source)
        elif step.kind == "room":
            assert step.target is not None
            row[driver.KIND] = driver.BELOW
            row[driver.EXTENT] = self.place[step.target]
            self._link(at, driver.ARGS, cursor)
            self._link(at, driver.AUX0, self._stack(step.cursor.stack) + 1)
        elif step.kind == "point":
            slots = self.binding.slots[self.binding.number[step.cursor.row]]
            row[driver.KIND] = driver.MOVE
            self._link(at, driver.ARGS, slots[step.number])
            self._link(at, driver.EXTENT, cursor)
        else:
            row[driver.KIND] = driver.ADD
            nbytes = row_bytes(self.binding, step.cursor)
            row[driver.EXTENT] = -nbytes if step.back else nbytes
            self._link(at, driver.ARGS, cursor)

    def _link(self, at: int, column: int, slot: int) -> None:
        self.binding.links.append((at, column, slot))

    def _cursor(self, cursor: Cursor) -> int:
        if cursor not in self.cursors:
            self.cursors[cursor] = len(self.args)
            self.args.append(0)
        return self.cursors[cursor]

    def _stack(self, stack: Stack) -> int:
        if stack not in self.stacks:
            self.stacks[stack] = len(self.args)
            self.args.extend((0, 0))
        return self.stacks[stack]


def row_bytes(binding: Binding, cursor: Cursor) -> int:
    """From one row to the next: rows begin where vectors may."""
    from graphc.ir.shape import evaluate

    return rounded(evaluate(cursor.stack.row.nbytes, binding.symbols))


class StackMemory:
    """The rows of one stack; they stay where they are until more room is needed."""

    def __init__(self, args: Array, binding: Binding, stack: Stack) -> None:
        self.args = args
        self.row_bytes = row_bytes(binding, stack.cursor)
        self.base = binding.stacks[stack]
        self.cursors = binding.cursors
        self.walking = binding.cursors[stack.cursor]
        self.array = np.empty(0, np.uint8)
        self._allocate(FIRST_ROWS)

    def _allocate(self, rows: int) -> None:
        from graphc.runtime.hostmem import arena

        self.array = arena(rows * self.row_bytes)
        start = self.array.ctypes.data
        self.args[self.base] = start
        self.args[self.base + 1] = start + rows * self.row_bytes

    def grow(self) -> None:
        """Twice the room; the rows so far move."""
        old, used = self.array, int(self.args[self.walking] - self.args[self.base])
        self._allocate(2 * old.size // self.row_bytes)
        self.array[:used] = old[:used]
        self.args[self.walking] = self.array.ctypes.data + used

    def row(self, cursor: Cursor, dtype: Any, shape: tuple[int, ...]) -> Array:
        """The row that a cursor is at."""
        at = int(self.args[self.cursors[cursor]] - self.args[self.base])
        nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        out: Array = self.array[at : at + nbytes].view(dtype).reshape(shape)
        return out
