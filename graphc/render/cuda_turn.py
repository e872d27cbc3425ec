"""Transposes on a GPU as numba.cuda source: squares of 32 x 32 elements through shared memory.

Lives here: turn_text, turn_types. Not here: which transposes are such steps (fusion/turn.py),
launches (runtime/gpu/turns.py).

A warp reads a piece of a row and writes a piece of a column's row: both side by side. The square
has a column more than it needs, so that its columns lie in different banks (Ruetsch and
Micikevicius 2009, "Optimizing Matrix Transpose in CUDA").
"""

from __future__ import annotations

from typing import Any

SIDE = 32

_TEXT = """# {name}: matrices of {bits}-bit elements, rows x columns, become columns x rows
# b0: source, o0: target; blocks: squares of all matrices, down x across of each

from numba import cuda

from graphc.render.numba_support import u{bits}


def {name}(b0, o0, rows, columns, down, across, blocks):
    square = cuda.shared.array(({side}, {padded}), u{bits})
    lane, first = cuda.threadIdx.x % 32, cuda.threadIdx.x // 32
    step = cuda.blockDim.x // 32
    for block in range(cuda.blockIdx.x, blocks, cuda.gridDim.x):
        matrix, inside = block // (down * across), block % (down * across)
        i0, j0 = inside // across * {side}, inside % across * {side}
        base = matrix * rows * columns
        if j0 + lane < columns:
            for r in range(first, min({side}, rows - i0), step):
                square[r, lane] = b0[base + (i0 + r) * columns + (j0 + lane)]
        cuda.syncthreads()
        if i0 + lane < rows:
            for c in range(first, min({side}, columns - j0), step):
                o0[base + (j0 + c) * rows + (i0 + lane)] = square[lane, c]
        cuda.syncthreads()
"""


def turn_name(size: int) -> str:
    """Of the function for elements of so many bytes."""
    return f"turn_{8 * size}"


def turn_text(size: int) -> str:
    """A module's text with the function."""
    return _TEXT.format(name=turn_name(size), bits=8 * size, side=SIDE, padded=SIDE + 1)


def turn_types(size: int) -> tuple[Any, ...]:
    """Numba's types of the parameters."""
    import numba

    kinds: Any = numba.types
    pointer = kinds.CPointer({4: kinds.uint32, 8: kinds.uint64}[size])
    return (pointer, pointer, *[kinds.int64] * 5)
