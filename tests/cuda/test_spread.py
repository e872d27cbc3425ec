"""Which loops become the parallel loop of a GPU's kernel, and how it is launched."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.dtypes import float32
from graphc.ir.shape import SymDim
from graphc.kernel import interp
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, index
from graphc.kernel.launch import A100, H200, launch_text, plan_launch
from graphc.kernel.nest import Accum, For, Kernel, Local, Store, Update, nest_text
from graphc.kernel.spread import same_thread, spread
from graphc.kernel.verify import verify
from graphc.render.numba_cuda import prepared, source
from tests.cuda.nests import NESTS, best_of_two, kept_row, sums_of_sums

N = SymDim.symbol("n")


def rows_of(
    offset: str, kind: str = "vector", rows: int | SymDim = 7, columns: int = 10
) -> Kernel:
    """out[offset] = x[i, j] + 1; `offset` over i and j."""
    i, j = Axis(rows, "i"), Axis(columns, "j")
    x = Buffer("x", float32, (rows, columns), "x")
    y = Buffer("y", float32, (rows, columns), "y")
    at: Expr = eval(offset, {"i": i, "j": j, "index": index})
    value = Load(x, (i * columns + j,), flat=True)
    lanes = 16 if kind == "vector" else 1
    inner = For(j, index(0), index(columns), (Store(y, at, value),), kind, lanes)
    loop = For(i, index(0), index(rows), (inner,), "parallel")
    dims = (rows,) if isinstance(rows, SymDim) else ()
    return Kernel("k", (x,), (y,), dims, (loop,), rows)


@pytest.mark.parametrize("kind", ["vector", "serial"])
def test_rows_of_independent_elements_become_elements(kind: str) -> None:
    made = spread(rows_of("i * 10 + j", kind))
    verify(made)
    assert made.extent == 70
    assert len(list(made.body[0].body)) == 1  # type: ignore[union-attr]


def test_a_symbolic_number_of_rows() -> None:
    made = spread(rows_of("i * 10 + j", rows=N))
    verify(made)
    assert made.extent == N * 10


@pytest.mark.parametrize("offset", ["j + i", "i + 0 * j", "j * 6 + i"])
def test_serial_loops_that_meet_stay(offset: str) -> None:
    """Two iterations write one element, and the last one must win."""
    kernel = rows_of(offset, "serial")
    assert spread(kernel) is kernel


def test_a_transposing_store_is_spread() -> None:
    assert spread(rows_of("j * 7 + i", "serial")).extent == 70


def columns_kernel(base: int) -> Kernel:
    """Sums of 30 rows of 20 columns in memory, from `base` on."""
    start, r, j = Axis(20, "start"), Axis(30, "r"), Axis(20, "j")
    x, y = Buffer("x", float32, (30, 20), "x"), Buffer("y", float32, (40,), "y")
    zero = Store(y, index(base) + start, Const(0.0, float32))
    value = Load(x, (r * 20 + j,), flat=True) + Load(y, (j,), flat=True)
    add = For(j, index(0), index(20), (Store(y, j, value),), "vector", 16)
    first = For(start, index(0), index(20), (zero,), "vector", 16)
    body = (first, For(r, index(0), index(30), (add,)))
    return Kernel("columns", (x, y), (y,), (), body, 1)




def test_sums_over_rows_give_each_thread_a_column() -> None:
    kernel = columns_kernel(0)
    made = spread(kernel)
    verify(made)
    assert made.extent == 20
    x = np.random.default_rng(0).standard_normal(600).astype(np.float32)
    results = []
    for nest in (kernel, made):
        arrays = {kernel.inputs[0]: x, kernel.outputs[0]: np.ones(40, np.float32)}
        interp.run(nest, arrays, {})
        results.append(arrays[kernel.outputs[0]])
    assert np.array_equal(*results)


def test_columns_that_meet_stay_rows() -> None:
    kernel = columns_kernel(1)
    assert spread(kernel) is kernel


def test_who_does_a_row() -> None:
    assert plan_launch(best_of_two("argmax", float32, 40)).form == "warps"
    wide = plan_launch(best_of_two("argmax", float32, 3000))
    assert (wide.form, wide.team, wide.block) == ("blocks", 1024, 1024)
    assert plan_launch(best_of_two("argmax", float32, 3000), most=64).team == 64


def test_a_team_does_not_depend_on_the_device_and_a_grid_does() -> None:
    launch = prepared(rows_of("i * 10 + j", rows=1 << 20)).launch
    extent = 10 << 20
    assert launch.form == "threads"
    assert launch.grid(extent, A100) == 108 * 8 * 8
    assert launch.grid(extent, H200) == 132 * 8 * 8
    assert launch.grid(100, H200) == 1
    assert launch.items(extent, H200) == 5
    assert "8,448 blocks of 256 on H200 (a thread an iteration" in launch_text(
        launch, extent, H200
    )


def test_row_memory_is_shared_by_a_team() -> None:
    few, many = plan_launch(kept_row(20)), plan_launch(kept_row(600))
    assert (few.form, few.shared) == ("warps", 4 * 20 * 4)
    assert (many.form, many.shared) == ("blocks", 2400)
    assert plan_launch(kept_row(20_000)).form == "threads"


def test_elements_of_one_thread_need_no_waiting() -> None:
    kernel = kept_row(20)
    assert same_thread(kernel) == {kernel.outputs[0]}  # the row is read backwards
    assert "sync_warp()" in source(prepared(kernel))
    assert "sync" not in source(prepared(sums_of_sums(70)))


def test_accumulators_that_a_vector_loop_only_updates_stay_in_one_thread() -> None:
    total = Local("t", float32)
    i, j = Axis(4, "i"), Axis(40, "j")
    x, y = Buffer("x", float32, (4, 40), "x"), Buffer("y", float32, (4,), "y")
    value = Load(x, (i * 40 + j,), flat=True)
    loop = For(j, index(0), index(40), (Update(total, value),), "vector", 16)
    body = (Accum(total, "add", float32), loop, Store(y, i, total))
    outer = For(i, index(0), index(4), body, "parallel")
    assert plan_launch(Kernel("k", (x,), (y,), (), (outer,), 4)).form == "threads"


@pytest.mark.parametrize("name", NESTS)
def test_the_source_is_python_and_says_what_it_is(name: str) -> None:
    kernel = NESTS[name]()
    text = source(prepared(kernel))
    compile(text, name, "exec")
    assert "# launch: " in text and kernel.inputs[0].name in text
    assert all(len(line) <= 110 for line in text.splitlines()), text
    assert nest_text(kernel)


def test_the_text_of_a_reduction() -> None:
    text = source(prepared(sums_of_sums(70)))
    assert text.endswith(
        """\
def sums_70(b0, o0, lo, hi):
    t = cuda.threadIdx.x % 32
    for i in range(lo + cuda.grid(1) // 32, hi, cuda.gridsize(1) // 32):
        total = f64(0.0)
        for s in range(3):
            for r in range(t, 35, 32):
                v1_0 = b0[(i * 210 + s * 70) + r * 2]
                v1_1 = b0[(i * 210 + s * 70) + (r * 2 + 1)]
                total = add_to(total, v1_0)
                total = add_to(total, v1_1)
        total = join_add_f64(total)
        if t == 0:
            o0[i] = total
"""
    ), text
