"""The modules of tiles: the function over tasks, its finish, and the entry that every step has.

Lives here: tile_module. Not here: what the functions do (render/tile_*.py). Only printers of tiles
import it.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.render.tile_finish import Finish
from graphc.render.tile_writer import TileWriter, entry


def tile_module(
    w: TileWriter, symbol: str, slots: Sequence[tuple[str, str]], behind: Finish | None = None
) -> str:
    """A complete module that defines `symbol`: the writer's lines over the slots' arguments.

    slots: (type, name) in order; what is called %y is written, or with a finish what that writes,
    and panels %p, and %acc, where sums wait to go on.
    """
    inner = f"{symbol}.tiles"
    written = {"%p", "%acc", *({"%y"} if behind is None else behind.written())}
    params = [
        f"{kind} {name}" if kind == "i64"
        else f"ptr noalias{'' if name in written else ' readonly'} {name}"
        for kind, name in slots
    ]  # fmt: skip
    texts = [w.function(inner, [*params, "i64 %lo", "i64 %hi"])]
    declares = dict(w.declares)
    if behind is not None:
        texts.append(behind.text)
        declares.update(behind.declares)
    lines = [*texts, entry(symbol, inner, slots), *declares.values(), *w.metadata()]
    return "\n".join(lines) + "\n"
