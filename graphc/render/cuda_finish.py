"""What happens with one element of a product on a GPU: the group behind it, or a store.

Lives here: GpuFinish, ElementPrinter. Not here: where elements come from (render/cuda_tiles.py,
cuda_rows.py), what a finish computes (kernel/tiles/finish.py).

A finish is a kernel over a box of the output. A thread has one element at a time: the loops of the
box become the element's place, and the box's memory becomes the element itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphc.errors import InternalError
from graphc.ir.dtypes import DType, int64
from graphc.ir.shape import Dim
from graphc.kernel.expr import Axis, Buffer, Const, DimValue, Expr, Load, replaced, transform
from graphc.kernel.nest import For, Kernel, Let, Stmt, Store
from graphc.kernel.tiles.finish import finish_inputs, finish_sizes
from graphc.kernel.tiles.gpu import Digit, Size
from graphc.render.numba_index import value_locals
from graphc.render.numba_names import SUPPORT, Text, half, storage_name
from graphc.render.numba_source import Printer, imports
from graphc.render.numba_values import Helpers

TILE_SUPPORT = frozenset(
    {
        "ALIGN", "load2", "load4", "multiply", "natural", "quotient", "store2", "store4",
        "to_tf32",
    }
)  # fmt: skip
TEAM_SUPPORT = frozenset({"mma_tf32", "shuffle_xor"})
# variables of the generated code: a finish's own are called otherwise
_OWN = frozenset(
    {
        "cuda", "t", "tx", "ty", "block", "tile", "inner", "band", "height", "row0", "col0", "z",
        "part", "parts", "chunk", "count", "first", "last", "more", "stage", "other", "acc", "fa",
        "fb", "ra", "rb", "sa", "sb", "out", "bits", "k0", "kk", "i", "j", "q", "u", "e", "s", "m",
        "n", "k", "lane", "parted", "total", "element", "row", "column", "min", "g", "warp0",
        "warp1",
    }
)  # fmt: skip
_OWN_FORM = re.compile(r"[abo]_\w+")  # of one operand, or of the output


@dataclass(frozen=True)
class GpuFinish:
    """A kernel over a box, and the memory in which it expects the product's elements.

    Attributes:
        roles: of its loops, outermost first: "batch", "row", "column".
    """

    kernel: Kernel
    scratch: Buffer
    roles: tuple[str, ...]

    @property
    def inputs(self) -> tuple[Buffer, ...]:
        """What it reads besides the product."""
        return finish_inputs(self.kernel, self.scratch)

    @property
    def sizes(self) -> tuple[Dim, ...]:
        """The dimensions it is given."""
        return finish_sizes(self.kernel, self.roles)

    def key(self) -> str:
        """Content: equal keys are equal code."""
        roles = ".".join(self.roles)
        return f"{self.kernel.key()}.{roles}.{self.kernel.inputs.index(self.scratch)}"


class ElementPrinter(Printer):
    """The part of every product's printer that knows its arguments and finishes an element.

    The kernel is `name(b0, b1, ..., o0, ..., sizes, n0, ..., [status])`: A and B, what the finish
    reads, what is written; int64 sizes of the product, dimensions of the finish.
    """

    def __init__(
        self, operands: Sequence[DType], dtype: DType, sizes: Sequence[str],
        finish: GpuFinish | None,
    ) -> None:  # fmt: skip
        super().__init__(Helpers())
        self._taken |= _OWN | TILE_SUPPORT | TEAM_SUPPORT | set(sizes)
        self.byte_bools = True
        self.finish = finish
        self.dtype = dtype
        self.axes: dict[str, Axis] = {}
        self.statements: tuple[Stmt, ...] = ()
        self.params: list[tuple[str, str]] = []  # (name, storage type or "dim" or "status")
        for n, kind in enumerate(operands):
            self.params.append((f"b{n}", storage_name(kind)))
        self._finish_params(len(operands), sizes)

    def _finish_params(self, before: int, sizes: Sequence[str]) -> None:
        if self.finish is None:
            self.params.append(("o0", storage_name(self.dtype)))
            self.params += [(name, "dim") for name in sizes]
            return
        kernel = self.finish.kernel
        self.flags = kernel.flags
        self.exact_locals = value_locals(kernel)
        pointers: dict[Buffer, str] = {}
        for letter, first, buffers in (
            ("b", before, self.finish.inputs), ("o", 0, kernel.outputs),
        ):  # fmt: skip
            for n, buffer in enumerate(buffers, first):
                name = self.name((letter, n), f"{letter}{n}")
                pointers.setdefault(buffer, name)
                self.params.append((name, storage_name(buffer.dtype)))
        self.loads = self.stores = pointers
        self.params += [(name, "dim") for name in sizes]
        for n, dim in enumerate(self.finish.sizes):
            self.params.append((self.name(DimValue(dim), f"n{n}"), "dim"))  # type: ignore[arg-type]
        if self.flags:
            self.params.append(("status", "status"))
        self.axes, self.statements = flattened(self.finish)

    def name(self, key: Any, wanted: str) -> str:
        """As every printer's, but for names of the form of an operand's own variables."""
        return super().name(key, f"v_{wanted}" if _OWN_FORM.fullmatch(wanted) else wanted)

    # -------------------------------------------------------------- an element
    def _load(self, node: Load, args: list[Text]) -> Text:
        if self.finish is None or node.buffer != self.finish.scratch:
            return super()._load(node, args)
        if not node.dtype.is_half:
            return Text("element")
        return Text(f"{half('load', node.dtype)}(element)", bits="element")

    def put_element(self, offset: str, where: dict[str, str]) -> None:
        """Finish `element`, which holds the product as it is stored in memory.

        Args:
            offset: of the element in an output without a finish. where: the element's place, by
                role.
        """
        if self.finish is None:
            self.emit(f"o0[{offset}] = element")
            return
        for role, axis in self.axes.items():
            self._names[axis] = where[role]
        self.block(self.statements)

    def stored(self, total: str) -> str:
        """A sum as it is stored in memory."""
        return f"{half('store', self.dtype)}({total})" if self.dtype.is_half else total

    def put_at(self, place: Sequence[Digit], start: int = 0) -> None:
        """Finish `element`, of row `i` and `column` of product `z`.

        Args:
            place, start: where row i lies among the output's rows; empty: at its own number.
        """
        row = "i"
        if place:
            text, _ = self.decoded("o", (), place, "i")
            row = "row"
            self.emit(f"row = {text} + {start}")
        where = {"batch": "z", "row": row, "column": "column"}
        self.put_element(f"(z * m + {row}) * n + column", where)

    # -------------------------------------------------------------- indices
    def inside(self, head: str) -> None:
        """What follows stands one step further in."""
        self.emit(head)
        self.depth += 1

    def out(self, steps: int = 1) -> None:
        """What follows stands further out."""
        self.depth -= steps

    def decoded(
        self, name: str, guards: Sequence[object], digits: Sequence[Digit], number: str
    ) -> tuple[str, list[str]]:
        """(offset, coordinates) of an index; prints its digits where it has several."""
        names = [number] if len(digits) == 1 else self._digits(name, digits, number)
        where: list[list[str]] = [[] for _ in guards]
        terms: list[str] = []
        for text, digit in zip(names, digits, strict=True):
            terms += _term(text, digit.stride)
            if digit.axis >= 0:
                where[digit.axis] += _term(text, digit.step)
        return " + ".join(terms) or "0", [" + ".join(w) or "0" for w in where]

    def _digits(self, name: str, digits: Sequence[Digit], number: str) -> list[str]:
        names = [f"{name}_d{n}" for n in range(len(digits))]
        rest = number
        for n in reversed(range(1, len(digits))):
            extent, more = factor(digits[n].extent), names[n - 1]
            self.emit(f"{more} = quotient({rest}, {extent})")
            self.emit(f"{names[n]} = {rest} - {more} * {extent}")
            rest = more
        return names

    # -------------------------------------------------------------- the module
    def module(self, name: str, notes: Sequence[str]) -> str:
        """The kernel as a module of its own; notes: what its header says."""
        title = f"def {name}({', '.join(p for p, _ in self.params)}):"
        functions = [*self.helpers.texts.values(), "\n".join([title, *self.lines])]
        body = "\n\n".join(f"\n{function.rstrip()}" for function in functions)
        words = set(re.findall(r"[A-Za-z_]\w*", body))
        parts = [f"# {line}"[:100] for line in (f"{name}: {notes[0]}", *notes[1:])]
        parts += ["", "from numba import cuda", ""]
        parts += imports(words & TILE_SUPPORT, "graphc.render.cuda_tiles_support")
        parts += imports(words & TEAM_SUPPORT, "graphc.render.numba_cuda_support")
        parts += imports(SUPPORT & words)
        return "\n".join([*parts, "", body]) + "\n"


def flattened(finish: GpuFinish) -> tuple[dict[str, Axis], tuple[Stmt, ...]]:
    """(the axis of each role, what is done with one element).

    Raises:
        InternalError: the kernel has loops that are not the box's.
    """
    axes: dict[str, Axis] = {}
    zero = Const(0, int64)

    def of_element(node: Expr, args: tuple[Expr, ...]) -> Expr:
        if isinstance(node, Load) and node.buffer == finish.scratch:
            return Load(node.buffer, (zero,), flat=True)
        return same.get(node, node) if isinstance(node, Axis) else replaced(node, args)

    same: dict[Expr, Expr] = {}

    def visit(body: Sequence[Stmt], depth: int) -> Iterator[Stmt]:
        for stmt in body:
            if isinstance(stmt, Let):
                yield replace(stmt, value=transform(stmt.value, of_element))
            elif isinstance(stmt, Store):
                offset = transform(stmt.offset, of_element)
                yield Store(stmt.buffer, offset, transform(stmt.value, of_element))
            elif isinstance(stmt, For) and depth < len(finish.roles):
                same[stmt.axis] = axes.setdefault(finish.roles[depth], stmt.axis)
                yield from visit(stmt.body, depth + 1)
            else:
                raise InternalError(f"a finish with a statement of its own: {stmt!r}")

    return axes, tuple(visit(finish.kernel.body, 0))


def part_of(printer: ElementPrinter, partial: bool) -> None:
    """Which part of k is summed for the product number z, and its number without parts."""
    if partial:
        printer.emit("s = quotient(z, parts)")
        printer.emit("first = (z - s * parts) * chunk")
        printer.emit("last = natural(min(k, first + chunk))")
    else:
        printer.emit("first, last, s = 0, k, z")


# ------------------------------------------------------------------ texts
def multiply_add(kind: str, total: str, a: str, b: str) -> str:
    """total + a * b: rounded once, or wrapped."""
    if kind == "i32":
        return f"i32({total} + {a} * {b})"
    if kind == "i64":
        return f"wrap_add({total}, wrap_mul({a}, {b}))"
    return f"fma({a}, {b}, {total})"


def factor(size: Size) -> str:
    """A size as an operand of a product."""
    text = str(size)
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def times(width: int) -> str:
    """Behind a number of loads of so many elements."""
    return f" * {width}" if width > 1 else ""


def _term(name: str, stride: Size) -> list[str]:
    """What an index adds to an offset; nothing for a stride of 0."""
    if stride == 0:
        return []
    return [factor(name)] if stride == 1 else [f"{factor(name)} * {factor(stride)}"]
