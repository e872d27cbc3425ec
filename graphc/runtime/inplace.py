"""Which steps write variables in place.

Lives here: UpdatePlacer. Not here: temporaries that share memory, the order of steps
(runtime/schedule.py). Imported by the scheduler only.

A step may write over a variable when nobody reads the old value afterwards and no later step can
fail: then the update costs no copy of the variable, which matters most for a few rows of a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphc.ir.node import Node, Tensor
from graphc.runtime.rows import RowsCall
from graphc.runtime.steps import Storage, Unit

if TYPE_CHECKING:
    from graphc.runtime.schedule import Scheduler


class UpdatePlacer:
    """Gives values of updates the memory of their variables, one schedule's."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.home = scheduler.home
        program = scheduler.program
        self.values = [u.value for u in program.updates]
        self.roots = set(program.roots)
        # what a loop carries is nobody's variable: a step that fails leaves it as it likes
        self.careful = scheduler.outer is None
        if self.careful:
            self._check_rows_first()
        self.old_of: dict[Node, Tensor] = {
            n.attrs["variable"]: n.outputs[0] for n in program.nodes if n.op.name == "read"
        }
        self.users: dict[Storage, set[Unit]] = {}
        self.after: dict[Unit, set[Unit]] = {}
        for unit in scheduler.units:
            for tensor in () if unit.view else unit.inputs:
                self.users.setdefault(self.home[tensor], set()).add(unit)
            for before in unit.before:
                self.after.setdefault(before, set()).add(unit)
        self.risky = {u for u in scheduler.units if u.may_fail} if self.careful else set()
        self.copied = {self.home[v] for v in self.values}

    def run(self) -> int:
        """How many updates are written in place."""
        count = 0
        for update in self.scheduler.program.updates:
            if self._place(update.value, update.variable):
                count += 1
                self._place_base(update.value, update.variable)
        return count

    def _check_rows_first(self) -> None:
        """Scatters into variables cannot fail once a step before them has seen the numbers."""
        checks: dict[RowsCall, Unit] = {}  # a variable and its slots share the numbers
        for value in self.values:
            unit = self.scheduler.unit_of.get(value.node)
            if unit is None or not isinstance(unit.call, RowsCall) or not unit.flagged:
                continue
            if unit.call.base is None or self.home[value].kind != "arena":
                continue
            call = unit.call.checked()
            if call not in checks:
                checks[call] = self._checking(call)
            unit.before.add(checks[call])
            unit.flagged = False

    def _checking(self, call: RowsCall) -> Unit:
        check = Unit([call.node], None, call, inputs={call.ids: None}, flagged=True)
        source = self.scheduler.unit_of.get(call.ids.node)
        if source is not None:
            check.before.add(source)
        self.scheduler.units.append(check)
        return check

    def _place(self, value: Tensor, variable: Node) -> bool:
        found = self.scheduler.unit_of.get(value.node)
        if found is None or not (found.group or _writes_rows(found)):
            return False
        if found.flagged and self.careful:
            return False
        if self.home[value].kind != "arena" or sum(v is value for v in self.values) > 1:
            return False
        old = self.old_of.get(variable)
        home = None if old is None else self.home[old]
        if home is not None and home in self.copied:
            return False  # another variable takes the old value, behind all kernels
        readers = self.users.get(home, set()) if home is not None else set()
        others = (self.risky | readers) - {found}
        if _reaches(found, others, self.after) or not self._write_over(found, value, old):
            return False
        for other in others:
            self.after.setdefault(other, set()).add(found)
        found.before |= others
        found.writes_variable = True
        storage = self.home[value]
        storage.kind, storage.key = "variable", variable
        return True

    def _place_base(self, value: Tensor, variable: Node) -> None:
        """What a scatter writes into is made in the same memory, if nobody else reads it."""
        call = self.scheduler.unit_of[value.node].call
        base = call.base if isinstance(call, RowsCall) else None
        if base is None or base in self.roots or self.home[base].kind != "arena":
            return
        views = any(t is not base and h is self.home[base] for t, h in self.home.items())
        if self.users[self.home[base]] == {self.scheduler.unit_of[value.node]} and not views:
            self._place(base, variable)

    def _write_over(self, unit: Unit, value: Tensor, old: Tensor | None) -> bool:
        """Whether the unit can write `value` over `old`, with its kernels changed to do so."""
        if old is None:
            return True
        if old.type != value.type:
            return False
        names = self.scheduler.names_of(unit, self.home[old])
        if not names:
            return True
        return names == [old] and self.scheduler.rewrite_in_place(unit, value, old)


def _writes_rows(unit: Unit) -> bool:
    return isinstance(unit.call, RowsCall) and unit.call.base is not None


def _reaches(start: Unit, targets: set[Unit], after: Mapping[Unit, set[Unit]]) -> bool:
    """Whether a target runs after `start` by the dependencies so far."""
    stack, seen = [start], {start}
    while stack:
        for later in after.get(stack.pop(), ()):
            if later in targets:
                return True
            if later not in seen:
                seen.add(later)
                stack.append(later)
    return False
