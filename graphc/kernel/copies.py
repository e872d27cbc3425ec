"""Statements several times over: one copy for each of some iterations that are joined.

Lives here: Copies. Not here: which iterations are joined, and how their loops are: neighbours
(kernel/grouped.py), rows far apart (kernel/jam.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.kernel.expr import Expr, Local, substitute
from graphc.kernel.nest import Accum, Let, Stmt, Store, Update


class Copies:
    """Copies of statements other than loops, each with locals of its own.

    Attributes:
        maps: what stands for an axis or a local in each copy; locals are added as they are copied.
        mark: between a local's name and the number of its copy.
    """

    def __init__(self, maps: Sequence[dict[Expr, Expr]], mark: str = "_") -> None:
        self.maps = list(maps)
        self.mark = mark

    def copy(self, stmt: Stmt, n: int) -> Stmt:
        """The statement of copy n."""
        if isinstance(stmt, Let):
            value = self.at(stmt.value, n)
            return Let(self.renamed(stmt.local, n), value)
        if isinstance(stmt, Accum):
            best = None if stmt.best is None else self.renamed(stmt.best, n)
            return replace(stmt, local=self.renamed(stmt.local, n), best=best)
        if isinstance(stmt, Update):
            position = None if stmt.position is None else self.at(stmt.position, n)
            return Update(self.local(stmt.local, n), self.at(stmt.value, n), position)
        assert isinstance(stmt, Store)
        return replace(stmt, offset=self.at(stmt.offset, n), value=self.at(stmt.value, n))

    def at(self, root: Expr, n: int) -> Expr:
        """The expression of copy n."""
        return substitute(root, self.maps[n])

    def local(self, local: Local, n: int) -> Local:
        """What stands for a local in copy n: itself where it was not copied."""
        found = self.maps[n].get(local, local)
        assert isinstance(found, Local)
        return found

    def renamed(self, local: Local, n: int) -> Local:
        """A local that is copy n's own, from here on."""
        own = Local(f"{local.name}{self.mark}{n}", local.dtype)
        self.maps[n][local] = own
        return own
