"""Neighbouring elements for one thread: what is grouped, and that results stay."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.dtypes import DType, bfloat16, bool_, float32, float64
from graphc.ir.shape import SymDim
from graphc.kernel import interp
from graphc.kernel.expr import Axis, Buffer, Expr, Load, index
from graphc.kernel.grouped import grouped
from graphc.kernel.nest import Accum, For, Kernel, Local, Store, Update, nest_text
from graphc.kernel.prims import floormod
from graphc.kernel.spread import spread
from graphc.kernel.verify import verify
from tests.cuda.checking import MAX_ELEMENTS, kernels_of, size_of, symbols_of, values
from tests.helpers import FUSED, optimized
from tests.random_graphs import BATCHES, RandomGraph

N = SymDim.symbol("n")


def flat(extent: int | SymDim, dtype: DType = float32, step: int = 1, shift: int = 0) -> Kernel:
    """y[i] = x[step * i + shift] + x[step * i + shift]."""
    i = Axis(extent, "i")
    x, y = Buffer("x", dtype, (extent * step + shift,), "x"), Buffer("y", dtype, (extent,), "y")
    value = Load(x, (i * step + shift,), flat=True)
    loop = For(i, index(0), index(extent), (Store(y, i, value + value),), "parallel", 16)
    dims = (extent,) if isinstance(extent, SymDim) else ()
    return Kernel("flat", (x,), (y,), dims, (loop,), extent)


def alike(kernel: Kernel, made: Kernel, exact: bool = True) -> None:
    """Both kernels give the same; the grouped one in any order of its threads."""
    verify(made)
    symbols = symbols_of(kernel)
    start = {b: values(b, size_of(b, symbols), True) for b in kernel.buffers}
    want, got = ({b: a.copy() for b, a in start.items()} for _ in range(2))
    interp.run(kernel, want, symbols)
    interp.run(made, got, symbols)
    for buffer in kernel.outputs:
        if exact:
            assert got[buffer].tobytes() == want[buffer].tobytes(), nest_text(made)
        else:
            a, b = (v[buffer].astype(np.float64) for v in (got, want))
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5, err_msg=nest_text(made))


@pytest.mark.parametrize(
    "dtype, width", [(float32, 4), (float64, 2), (bfloat16, 8)], ids=lambda v: str(v)
)
@pytest.mark.parametrize("extent", [64, 61, 3, 0])
def test_as_many_as_fit_into_sixteen_bytes(dtype: DType, width: int, extent: int) -> None:
    kernel = flat(extent, dtype)
    made = grouped(kernel)
    assert made.extent == -(-extent // width)
    text = nest_text(made)
    assert text.index(f"v1_{width - 1}") < text.index("y[")
    assert ("once" in text) == (extent % width > 0)
    if dtype is not bfloat16:
        alike(kernel, made)


def test_a_number_that_only_the_run_knows() -> None:
    kernel = flat(N)
    made = grouped(kernel)
    assert made.extent == (N + 3) // 4 and made.dims == (N,)
    alike(kernel, made)


def test_what_lies_side_by_side_decides() -> None:
    """Strided loads alone are no reason; strided stores forbid it."""
    assert grouped(flat(64, step=2)).extent == 16  # its stores are side by side
    i = Axis(64, "i")
    x, y = Buffer("x", float32, (64,), "x"), Buffer("y", float32, (128,), "y")
    loop = For(i, index(0), index(64), (Store(y, i * 2, Load(x, (i,), flat=True)),), "parallel")
    kernel = Kernel("apart", (x,), (y,), (), (loop,), 64)
    assert grouped(kernel) is kernel


def test_remainders_by_multiples_of_the_width_are_side_by_side() -> None:
    i = Axis(96, "i")
    x, b, y = (Buffer(k, float32, (n,), k) for k, n in (("x", 96), ("b", 24), ("y", 96)))
    value = Load(x, (i,), flat=True) + Load(b, (floormod(i, index(24)),), flat=True)
    loop = For(i, index(0), index(96), (Store(y, i, value),), "parallel", 16)
    kernel = Kernel("bias", (x, b), (y,), (), (loop,), 96)
    made = grouped(kernel)
    assert "b[((floormod(g, 6) * 4) + 3)]" in nest_text(made)
    alike(kernel, made)


def test_a_load_behind_a_store_of_its_buffer_stays() -> None:
    i = Axis(16, "i")
    x, y, z = (Buffer(k, float32, (16,), k) for k in "xyz")
    body = (
        Store(y, i, Load(x, (i,), flat=True)),
        Store(z, i, Load(y, (i,), flat=True)),
    )
    kernel = Kernel(
        "chained", (x, y), (y, z), (), (For(i, index(0), index(16), body, "parallel"),), 16
    )
    assert grouped(kernel) is kernel


def columns(rows: Expr | int) -> Kernel:
    """y[j] = sum of x[r, j] over r < rows."""
    j, r = Axis(8, "j"), Axis(5, "r")
    x, y = Buffer("x", float32, (5, 8), "x"), Buffer("y", float32, (8,), "y")
    total = Local("total", float32)
    bound = index(rows) if isinstance(rows, int) else j
    body = (
        Accum(total, "add", float32),
        For(r, index(0), bound, (Update(total, Load(x, (r * 8 + j,), flat=True)),)),
        Store(y, j, total),
    )
    return Kernel("columns", (x,), (y,), (), (For(j, index(0), index(8), body, "parallel"),), 8)


def test_sums_of_neighbouring_columns_share_a_loop() -> None:
    kernel = columns(5)
    made = grouped(kernel)
    assert made.extent == 2 and nest_text(made).count("for r") == 1
    alike(kernel, made)


def test_loops_of_different_lengths_stay_apart() -> None:
    kernel = columns(Axis(8, "any"))
    assert grouped(kernel) is kernel


def test_rows_that_do_not_begin_at_a_group_stay() -> None:
    i, y = Axis(6, "i"), Buffer("y", float32, (6,), "y")
    total = Local("total", float32)
    for width, groups in ((10, False), (12, True)):
        axis, x = Axis(width, "r"), Buffer("x", float32, (6, width), "x")
        add = Update(total, Load(x, (i * width + axis,), flat=True))
        body = (
            Accum(total, "add", float32),
            For(axis, index(0), index(width), (add,), "vector", 16, (total,)),
            Store(y, i, total),
        )
        loop = For(i, index(0), index(6), body, "parallel")
        kernel = Kernel("rows", (x,), (y,), (), (loop,), 6)
        made = grouped(kernel)
        assert ("v1_3" in nest_text(made)) == groups
        if made is not kernel:
            alike(kernel, made, exact=False)


@pytest.mark.parametrize("block", range(4))
def test_random_graphs(block: int) -> None:
    changed = 0
    for seed in range(block * 30, (block + 1) * 30):
        graph = RandomGraph(seed, float32, True, BATCHES)
        program = optimized(graph.graph, graph.fetches, graph.feeds[0], config=FUSED)
        for kernel in kernels_of(program):
            made = grouped(spread(kernel))
            sizes = [size_of(b, symbols_of(kernel)) for b in kernel.buffers]
            if made is kernel or max(sizes) > MAX_ELEMENTS or kernel.flags:
                continue
            if any(b.dtype is bool_ for b in kernel.outputs):
                continue  # next to a boundary, rounding decides
            changed += 1
            alike(kernel, made, exact=False)
    assert changed > 40
