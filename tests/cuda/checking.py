"""Kernels in the simulator of numba-cuda against the interpreter of nests.

Lives here: kernels_of (a program's kernels), check (one kernel). Runs where NUMBA_ENABLE_CUDASIM=1
was set before Numba was imported; test_simulator.py starts a process for that.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from graphc.ir.program import Program
from graphc.ir.shape import SymDim, dims_product, evaluate, shape_env
from graphc.kernel import interp
from graphc.kernel.expr import Buffer
from graphc.kernel.launch import Gpu
from graphc.kernel.nest import Kernel, statements
from graphc.kernel.spread import spread
from graphc.kernel.verify import verify
from graphc.render import numba_cuda
from graphc.runtime.schedule import schedule
from tests.helpers import FUSED, Array

# small, so that few Python threads stand for its threads and the grid must stride
TINY = Gpu("tiny", (9, 0), sms=1, bandwidth=1e9, cache=1 << 20, sm_threads=64, sm_blocks=1)
MOST = 64
MAX_ELEMENTS = 40_000  # the interpreter and the simulator take a millisecond for a few
SYMBOL = 5


def kernels_of(program: Program) -> Iterator[Kernel]:
    """The kernels of an optimised program, as they are made for GPUs."""
    with shape_env(program.env):
        steps = schedule(program, FUSED.replace(backend="cuda")).steps
    yield from (s.kernel for s in steps if s.kernel is not None)


def symbols_of(kernel: Kernel) -> dict[str, int]:
    """A value for every symbol in a kernel."""
    dims = [*kernel.dims, kernel.extent, *(d for b in kernel.buffers for d in b.shape)]
    names = {s for d in dims if isinstance(d, SymDim) for s in d.symbols()}
    return dict.fromkeys(sorted(names), SYMBOL)


def size_of(buffer: Buffer, symbols: Mapping[str, int]) -> int:
    return evaluate(dims_product(buffer.shape) or 0, symbols)


def values(buffer: Buffer, size: int, edges: bool) -> Array:
    """Random values; integers are small, so that they serve as positions, too."""
    rng = np.random.default_rng(zlib.crc32(buffer.dtype.name.encode()) + size)
    if buffer.dtype.is_bool:
        return rng.integers(0, 2, size).astype(bool)
    if buffer.dtype.is_integer:
        return rng.integers(0, 4, size).astype(buffer.dtype.np)
    out = rng.standard_normal(size)
    if edges and size > 4:
        out[rng.integers(0, size, 4)] = [np.nan, np.inf, -np.inf, -0.0]
    return out.astype(buffer.dtype.np)


def check(kernel: Kernel, edges: bool = False) -> bool:
    """Compare interpreter and simulator; whether the kernel could be run at all.

    The spread nest must have the interpreter's bits, the simulator's result must be close, and
    have the same bits whatever the grid.
    """
    symbols = symbols_of(kernel)
    sizes = {b: size_of(b, symbols) for b in kernel.buffers}
    work = max([*sizes.values(), evaluate(kernel.extent, symbols)])
    if work > MAX_ELEMENTS or sum(1 for _ in statements(kernel.body)) > 60:
        return False
    start = {b: values(b, n, edges) for b, n in sizes.items()}
    want = {b: a.copy() for b, a in start.items()}
    try:
        status = interp.run(kernel, want, symbols)
    except IndexError:
        return False  # random positions that the kernel does not check
    apart = spread(kernel)
    again = {b: a.copy() for b, a in start.items()}
    assert interp.run(apart, again, symbols) == status
    for buffer in kernel.outputs:
        same_bits(again[buffer], want[buffer], f"{kernel.name}: spread, {buffer!r}")
    ready = numba_cuda.prepared(kernel, MOST)
    verify(ready.kernel)
    results = [_simulated(ready, start, symbols, grid) for grid in (0, 1)]
    for got, code in results:
        assert code == status, f"{kernel.name}: status {code}, not {status}"
        for buffer in kernel.outputs:
            _close(got[buffer], want[buffer], f"{kernel.name}: {buffer!r}")
            same_bits(got[buffer], results[0][0][buffer], f"{kernel.name}: grid, {buffer!r}")
    return True


def _simulated(
    ready: numba_cuda.Prepared, start: Mapping[Buffer, Array], symbols: dict[str, int], grid: int
) -> tuple[dict[Buffer, Array], int]:
    got = {b: a.copy() for b, a in start.items()}
    call = numba_cuda.simulator_callable(ready, TINY)
    dims = [evaluate(d, symbols) for d in ready.kernel.dims]
    code = call([got[b] for b in ready.kernel.buffers], dims, symbols, grid=grid)
    return got, code


def same_bits(a: Array, b: Array, what: str) -> None:
    word = f"u{a.itemsize}"
    nan = np.isnan(a.astype(np.float64)) & np.isnan(b.astype(np.float64))
    assert np.all((a.view(word) == b.view(word)) | nan), what


def _close(a: Array, b: Array, what: str) -> None:
    if a.dtype.kind in "biu":
        assert np.array_equal(a, b), what
        return
    x, y = a.astype(np.float64), b.astype(np.float64)
    rtol = {2: 2e-2, 4: 3e-5, 8: 1e-11}[a.itemsize]
    finite = np.abs(y[np.isfinite(y)])
    atol = rtol * max(1.0, float(finite.max(initial=0.0)))
    np.testing.assert_allclose(x, y, rtol=rtol, atol=atol, err_msg=what)
