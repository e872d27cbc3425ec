"""Kernels of products on a GPU: what a text is made of, and its PTX.

Lives here: ProductText, product_ptx. Not here: what is printed (render/cuda_tiles.py,
cuda_rows.py), launches (runtime/gpu/products.py). numba-cuda is imported only when something is
compiled, which needs no GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.render import numba_cuda
from graphc.render.cuda_finish import ElementPrinter


@dataclass(frozen=True)
class ProductText:
    """A kernel's module.

    Attributes:
        name: of the function. params: (name, type of the memory, or "dim" or "status"), in order.
        helpers: functions of the module that the kernel calls. block: threads.
    """

    text: str
    name: str
    params: tuple[tuple[str, str], ...]
    helpers: tuple[str, ...]
    block: int

    @staticmethod
    def of(printer: ElementPrinter, name: str, notes: Sequence[str], block: int) -> ProductText:
        """What a printer has printed."""
        text = printer.module(name, notes)
        return ProductText(text, name, tuple(printer.params), tuple(printer.helpers.texts), block)

    def types(self) -> tuple[Any, ...]:
        """Numba's types of the parameters; what the text calls is known to Numba from then on."""
        import numba

        from graphc.render import numba_cuda_tiles
        from graphc.render.numba_lowering import NUMBA_TYPES

        numba_cuda_tiles.install()

        kinds: Any = numba.types
        plain = {"dim": kinds.int64, "status": kinds.CPointer(kinds.int64)}
        return tuple(
            plain[kind] if kind in plain else kinds.CPointer(NUMBA_TYPES[kind])
            for _, kind in self.params
        )


def product_ptx(made: ProductText, symbol: str, cc: tuple[int, int]) -> str:
    """PTX that defines `.entry symbol(pointers, sizes, [status])`; no device is needed.

    Raises:
        CompileError: numba-cuda or NVIDIA's compiler is missing, or refuses the kernel.
    """
    return numba_cuda.text_ptx(
        made.text, made.name, made.helpers, made.types, symbol, cc, made.block
    )
