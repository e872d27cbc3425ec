"""What happens with a finished tile: the group behind a product, on the tile's own elements.

Lives here: Place, finish_kernel. Not here: which groups stand behind a product (fusion/anchors.py),
the call (render/tile_finish.py). Imports kernel only.

A finish is an ordinary kernel over a box of the output's elements. The product's values are loads
of a buffer with the tile's row length; everything else is read and written at its place in memory.
The box is given at run time: its first loop is the kernel's parallel one, [lo, hi); the others run
between two symbols that are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.errors import InternalError
from graphc.ir.dtypes import int64
from graphc.ir.shape import Dim, SymDim, dims_product
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, index, replaced, transform
from graphc.kernel.lower import Builder
from graphc.kernel.nest import For, Kernel, Stmt
from graphc.kernel.simplify import Simplifier
from graphc.kernel.space import Item, arranged, prepare
from graphc.kernel.split import Context


def start_of(role: str) -> SymDim:
    """The symbol of where a box starts along a loop."""
    return SymDim.symbol(f"tile {role} from")


def end_of(role: str) -> SymDim:
    """The symbol of where it ends."""
    return SymDim.symbol(f"tile {role} to")


@dataclass(frozen=True)
class Loops:
    """The loops over a box of an output.

    Attributes:
        axes, roles: outermost first, without those of extent 1.
        index: the output's index, an expression a dimension.
        tile: the index of the memory that holds the tile: its row and column.
    """

    axes: tuple[Axis, ...]
    roles: tuple[str, ...]
    index: tuple[Expr, ...]
    tile: tuple[Expr, Expr]


@dataclass(frozen=True)
class Place:
    """Where tiles of a product of matrices lie in its output, or in a view of it.

    Attributes:
        shape: of the output. batched: leading axes number the products; otherwise all axes but the
            last one are one run of rows.
    """

    shape: tuple[Dim, ...]
    batched: bool

    def loops(self) -> Loops:
        """Loops over batches ("batch"), rows ("row") and columns ("column")."""
        groups = [self.shape[:-2], self.shape[-2:-1]] if self.batched else [self.shape[:-1]]
        names = ("batch", "row") if self.batched else ("row",)
        axes: list[Axis] = []
        roles: list[str] = []
        where: list[Expr] = []
        row: Expr = Const(0, int64)
        for name, dims in zip(names, groups, strict=True):
            extent = dims_product(dims)
            assert extent is not None
            row = Const(0, int64)
            if extent != 1:
                row = Axis(extent, name)
                axes.append(row)
                roles.append(name)
            where += _parted(row, dims)
        column = Axis(self.shape[-1], "column")
        return Loops(
            (*axes, column), (*roles, "column"), (*where, column), (row, column)
        )


def _parted(flat: Expr, dims: Sequence[Dim]) -> list[Expr]:
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
    return out


def finish_kernel(
    name: str,
    computes: Sequence[Compute],
    acc: Buffer,
    loops: Loops,
    columns: int,
    origins: Sequence[str] = (),
) -> Kernel:
    """The kernel over a box of the output; it reads the tile from `tile_buffer`.

    Args:
        computes: of all outputs, on the product's axes without those of extent 1; the product is
            `acc`, read at its own index only.
        columns: of the memory that holds the tile.
    """
    shape = acc.shape
    scratch = tile_buffer(name, acc, columns)
    own = [x for x, d in zip(loops.index, shape, strict=True) if d != 1]
    items = []
    for compute in computes:
        simplifier = Simplifier(dict(zip(compute.axes, own, strict=True)))
        value = simplifier(_of_tile(compute, acc, Load(scratch, loops.tile)))
        offset = simplifier.offset(compute.buffer.shape, own)
        items.append(Item(compute.buffer, loops.axes, offset, k.cast(value, compute.buffer.dtype)))
    spans = {
        axis: (index(start_of(role)), index(end_of(role)))
        for axis, role in zip(loops.axes[1:], loops.roles[1:], strict=True)
    }
    space = arranged(prepare(items, spans))
    kernel = Builder(space, Context(name, tuple(origins))).kernel()
    lanes = 1 << (min(columns, 32).bit_length() - 1)
    return replace(kernel, body=_with_lanes(kernel.body, lanes))


def tile_buffer(name: str, product: Buffer, columns: int) -> Buffer:
    """The memory that holds the tile of the finish `name`."""
    rows = dims_product(product.shape[:-1]) or 1
    return Buffer(("tile", name), product.dtype, (rows, columns), "tile")


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
            stmt = replace(stmt, body=_with_lanes(stmt.body, lanes), lanes=min(stmt.lanes, lanes))
        out.append(stmt)
    return tuple(out)


def finish_inputs(kernel: Kernel, scratch: Buffer) -> tuple[Buffer, ...]:
    """What a finish reads besides the tile."""
    return tuple(dict.fromkeys(b for b in kernel.inputs if b != scratch))


def finish_sizes(kernel: Kernel, roles: tuple[str, ...]) -> tuple[Dim, ...]:
    """The symbolic dimensions that a finish needs from its step."""
    given = {f(role) for role in roles for f in (start_of, end_of)}
    return tuple(d for d in kernel.dims if d not in given)
