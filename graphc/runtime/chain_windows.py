"""Windows: of chains of products alone, only a part of the scores exists at a time.

Lives here: Windows, windows_of, by_windows. Not here: which steps make a chain (runtime/chains.py,
the only importer), how a product does a part (kernel/tiles/gemm.py).

The gradients of attention are products alone once the softmax is a formula of each score by itself
(passes/recompute.py). Such a chain goes through the scores of a product in windows of rows and
columns, column by column: products that make scores do the window; those that sum over scores go on
from what the windows before came to. Every sum is in the order of k, as without windows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from graphc.ir.shape import Dim
from graphc.kernel.tiles.gemm import Window
from graphc.runtime.chain_members import are_panels, of_finish, restrided
from graphc.runtime.steps import Step, Storage
from graphc.runtime.tiles import MAX_PIECES, TileCall, pack_of

SETS_BYTES = 1024  # rows that lie a multiple of this apart share sets of the cache
MAKES, ALONG, ACROSS, TURNED = "makes", "along", "across", "turned"


@dataclass(frozen=True)
class Windows:
    """Scores of rows x columns in windows of height x width.

    Attributes:
        length: elements from a row of a window to the next one.
        roles: of the members: one makes scores, sums over the columns (along) or over the rows
            (across; turned where its result has the scores' columns).
    """

    rows: int
    columns: int
    height: int
    width: int
    length: int
    roles: tuple[str, ...]

    def __str__(self) -> str:
        return f"windows of {self.height} x {self.width}"

    @property
    def down(self) -> int:
        """How many lie below each other."""
        return -(-self.rows // self.height)

    @property
    def count(self) -> int:
        return self.down * -(-self.columns // self.width)

    def starts(self, role: str) -> tuple[tuple[int, int], ...]:
        """By how much each argument that says where a part starts grows: (a window down, one to
        the right)."""
        down, right = (self.height, 0), (0, self.width)
        return (right, down) if role in (ACROSS, TURNED) else (down, right)


def windows_of(
    members: Sequence[Step], batch: Dim, own: Collection[Storage], nbytes: int
) -> Windows | None:
    """Windows whose memory in `own` is about so many bytes, None where members need more."""
    calls = [m.call for m in members]
    first = calls[0]
    if not isinstance(first, TileCall) or not own:
        return None
    rows, columns = first.product.m, first.product.n
    if not isinstance(rows, int) or not isinstance(columns, int):
        return None
    written = {s for m in members for s in m.writes if not are_panels(s)}
    scores = {s for s in written if sum(s in (*m.reads, *m.writes) for m in members) > 1}
    if any(s.elements != batch * (rows * columns) for s in (*scores, *own)):
        return None
    roles = [_role(m, (rows, columns), written, scores) for m in members]
    if "" in roles:
        return None
    down, right = _steps(members, roles)
    area = nbytes / sum(s.dtype_size for s in own)
    width = _near(math.sqrt(2 * area), right, columns)
    height = _near(area / width, down, rows)
    size = max(s.dtype_size for s in own)
    line = 64 // size
    length = -(-width // line) * line
    length += line if length * size % SETS_BYTES == 0 else 0
    if height * width * 2 > rows * columns:
        return None
    return Windows(rows, columns, height, width, length, tuple(roles))


def _role(
    member: Step, size: tuple[int, int], written: set[Storage], scores: set[Storage]
) -> str:
    """What the member does with scores, "" where windows are not enough for it."""
    call = member.call
    if not isinstance(call, TileCall) or call.spec.packing == "given" or member.status >= 0:
        return ""
    product = call.product
    known = all(isinstance(d, int) for d in (product.m, product.n, product.k))
    a, b, *more = member.reads
    if not product.batched or not known:
        return ""
    rows, columns = size
    if a in scores or b in scores:
        # what it makes is only there behind the last window
        if scores.intersection((*more, *member.writes)) or (a in written and b in written):
            return ""
        if b in scores:
            whole = (product.k, product.n) == size and not product.trans_b
            return TURNED if whole else ""
        if product.trans_a:
            whole = (product.m, product.k) == (columns, rows) and not product.trans_b
            return ACROSS if whole else ""
        return ALONG if (product.m, product.k) == (rows, columns) else ""
    if a in written or b in written or product.trans_a or (product.m, product.n) != size:
        return ""
    if call.finish is not None:
        touched = of_finish(member, call, scores)
        if restrided(call, touched, columns, columns) is None:
            return ""
    return MAKES


def _steps(members: Sequence[Step], roles: Sequence[str]) -> tuple[int, int]:
    """Rows and columns of windows are multiples of these: tiles are not cut."""
    down = right = 1
    for member, role in zip(members, roles, strict=True):
        assert isinstance(member.call, TileCall)
        tile = member.call.spec.tile
        if role == TURNED:
            right = math.lcm(right, tile.columns)
            continue
        if role == ACROSS:
            right = math.lcm(right, tile.rows)
            continue
        down = math.lcm(down, tile.rows)
        if role == MAKES:
            right = math.lcm(right, tile.columns)
    return down, right


def _near(wanted: float, step: int, extent: int) -> int:
    """A multiple of the step in steps of the extent that are about equal."""
    parts = max(round(extent / max(wanted, step)), 1)
    return -(-extent // (parts * step)) * step


# ------------------------------------------------------------------ making
def by_windows(
    member: Step, role: str, windows: Windows, own: Collection[Storage]
) -> tuple[list[Step], Storage | None]:
    """Makes the member one of windows.

    Returns:
        The steps in front of all that pack for it, and memory with a part for each piece where its
        sums wait for their finish.
    """
    call = member.call
    assert isinstance(call, TileCall)
    length = windows.length
    if role == MAKES:
        to = length if call.finish is None and member.writes[0] in own else None
        window = Window(m=windows.height, n=windows.width, ldc=to)
    elif role == TURNED:
        rows_of_b = length if member.reads[1] in own else None
        window = Window(n=windows.width, k=windows.height, ldb=rows_of_b)
    else:
        m, k = windows.height, windows.width
        if role == ACROSS:
            m, k = k, m
        window = Window(m=m, k=k, lda=length if member.reads[0] in own else None)
    turned = call.product.trans_b
    spec = replace(
        call.spec, packing="given" if role == MAKES or turned else "", by_columns=False, group=1,
        row_group=1, far=False, window=window,
    )  # fmt: skip
    finish = call.finish
    if finish is not None and role == MAKES:
        touched = of_finish(member, call, own)
        finish = restrided(call, touched, windows.columns, length)
    member.call = replace(call, spec=spec, finish=finish)
    member.writes = tuple(s for s in member.writes if not are_panels(s))
    waits = None
    if finish is not None and role != MAKES:
        product = call.product
        sums = product.m * product.n * MAX_PIECES
        waits = Storage("arena", ("sums", call.node), spec.dtype.size, sums)
        member.writes = (*member.writes, waits)
    return (_packed(member, member.call) if spec.packing else []), waits


def _packed(member: Step, call: TileCall) -> list[Step]:
    """The step that packs B, which the member then reads from its panels."""
    pack = pack_of(call.product, call.spec)
    a, b, *more = member.reads
    panels = Storage("arena", ("panels", "windows", call.node), b.dtype_size, pack.elements)
    member.reads = (a, panels, *more)
    return [Step("pack", pack.kernel_name, (b,), (panels,), call=pack)]
