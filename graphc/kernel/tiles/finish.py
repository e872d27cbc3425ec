"""What happens with a finished tile: the group behind a product, on the tile's own elements.

Lives here: Place, finish_kernel, the names of what a tile tells its finish. Not here: which groups
stand behind a product (fusion/anchors.py), the call (render/tile_gemm.py). Imports kernel only.

A finish is an ordinary kernel over the rows and columns of one tile. The product's values are
loads of a buffer of the tile's size, everything else is read and written at its place in memory:
element (r, c) of the tile is element (ROW + r, COLUMN + c) of product BATCH.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.errors import InternalError
from graphc.ir.dtypes import DType, int64
from graphc.ir.shape import Dim, SymDim, dims_product
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, index, replaced, transform
from graphc.kernel.lower import Builder
from graphc.kernel.nest import For, Kernel, Stmt
from graphc.kernel.simplify import Simplifier
from graphc.kernel.space import Item, arranged, prepare
from graphc.kernel.split import Context

BATCH, ROW, COLUMN, ROWS, COLUMNS = (
    SymDim.symbol(f"tile {word}") for word in ("batch", "row", "column", "rows", "columns")
)
GIVEN = (BATCH, ROW, COLUMN, ROWS, COLUMNS)


@dataclass(frozen=True)
class Place:
    """Where a tile lies in the product's output.

    Attributes:
        shape: of the output. batched: leading axes are told apart by BATCH; otherwise all axes but
            the last one are one run of rows.
    """

    shape: tuple[Dim, ...]
    batched: bool

    def index(self, row: Expr, column: Expr) -> tuple[Expr, ...]:
        """The output's index at a row and a column."""
        if not self.batched:
            return (*_parted(row, self.shape[:-1]), column)
        return (*_parted(index(BATCH), self.shape[:-2]), row, column)


def _parted(flat: Expr, dims: Sequence[Dim]) -> tuple[Expr, ...]:
    """A position in row-major order as an index."""
    out: list[Expr] = []
    for n, dim in enumerate(dims):
        if dim == 1:
            out.append(Const(0, int64))
            continue
        inner = dims_product(dims[n + 1 :])
        assert inner is not None
        part = flat if inner == 1 else k.floordiv(flat, index(inner))
        outermost = all(d == 1 for d in dims[:n])
        out.append(part if outermost else k.floormod(part, index(dim)))
    return tuple(out)


def finish_kernel(
    name: str,
    computes: Sequence[Compute],
    acc: Buffer,
    place: Place,
    tile: tuple[int, int],
    dtype: DType,
    origins: Sequence[str] = (),
) -> tuple[Kernel, Buffer]:
    """The kernel of a tile of (rows, columns) elements, and the buffer that holds the tile.

    Args:
        computes: of all outputs, on the product's axes without those of extent 1; the product is
            `acc`, read at its own index only.
    """
    scratch = Buffer(("tile", name), dtype, tile, "tile")
    r, c = Axis(ROWS, "r"), Axis(COLUMNS, "c")
    where = place.index(index(ROW) + r, index(COLUMN) + c)
    own = [x for x, d in zip(where, place.shape, strict=True) if d != 1]
    items = []
    for compute in computes:
        simplifier = Simplifier(dict(zip(compute.axes, own, strict=True)))
        value = simplifier(_of_tile(compute, acc, Load(scratch, (r, c))))
        offset = simplifier.offset(compute.buffer.shape, own)
        items.append(Item(compute.buffer, (r, c), offset, k.cast(value, compute.buffer.dtype)))
    kernel = Builder(arranged(prepare(items, {})), Context(name, tuple(origins))).kernel()
    lanes = 1 << (min(tile[1], 32).bit_length() - 1)
    return replace(kernel, body=_with_lanes(kernel.body, lanes)), scratch


def _of_tile(compute: Compute, acc: Buffer, element: Load) -> Expr:
    """The value with the tile's element for the product's."""

    def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
        if not isinstance(node, Load) or node.buffer != acc:
            return replaced(node, args)
        if tuple(a for a in node.index if isinstance(a, Axis)) != compute.axes:
            raise InternalError(f"the product is read at another index than its own: {node!r}")
        return element

    return transform(compute.value, step)


def _with_lanes(body: Sequence[Stmt], lanes: int) -> tuple[Stmt, ...]:
    """No more lanes than a tile has columns."""
    out: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, For):
            few = min(stmt.lanes, lanes)
            stmt = replace(stmt, body=_with_lanes(stmt.body, lanes), lanes=few)
        out.append(stmt)
    return tuple(out)
