"""What steps of tiles have in common: a finish, which runs a group on each tile.

Lives here: Finishing. Not here: the steps themselves (runtime/tiles.py, runtime/conv_tiles.py),
what a finish computes (kernel/tiles/finish.py). Only these two import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from graphc.ir.shape import Dim, evaluate
from graphc.kernel.expr import Buffer
from graphc.kernel.nest import Kernel
from graphc.kernel.tiles.finish import finish_inputs, finish_sizes

if TYPE_CHECKING:
    from graphc.render.tile_finish import Finish


@dataclass(frozen=True, kw_only=True)
class Finishing:
    """A step of tiles.

    Attributes:
        finish: a kernel over one tile, which reads it from `scratch`; None: tiles are stored.
        roles: of the finish's loops.
    """

    finish: Kernel | None = None
    scratch: Buffer | None = None
    roles: tuple[str, ...] = ()
    kind = "tile"
    may_fail = False
    named = True  # equal names are equal code

    def finished(self, kernel: Kernel, scratch: Buffer, roles: tuple[str, ...]) -> Self:
        """The call with a finish."""
        return replace(self, finish=kernel, scratch=scratch, roles=roles)

    @property
    def inputs(self) -> tuple[Buffer, ...]:
        """What the finish reads."""
        if self.finish is None or self.scratch is None:
            return ()
        return finish_inputs(self.finish, self.scratch)

    def behind(self, symbol: str) -> Finish | None:
        """The finish of the function `symbol`, to be printed."""
        if self.finish is None or self.scratch is None:
            return None
        from graphc.render.tile_finish import Finish
        from graphc.runtime.codegen import natives

        return Finish(self.finish, self.scratch, self.roles, symbol, natives())

    def finish_slots(self, values: Mapping[str, int]) -> list[int]:
        """The dimensions that the finish is given."""
        if self.finish is None:
            return []
        sizes: tuple[Dim, ...] = finish_sizes(self.finish, self.roles)
        return [evaluate(d, values) for d in sizes]
