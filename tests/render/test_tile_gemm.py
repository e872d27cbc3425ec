"""Products as tiles, called by pointer: every size class, layout, target and kind of extent."""

from __future__ import annotations

import ctypes
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.ir.dtypes import as_dtype
from graphc.kernel.tiles.gemm import GemmTile, gemm_tile
from graphc.kernel.tiles.machine import Machine, Tile, tiles_of
from graphc.render.tile_gemm import GemmPrinter
from graphc.render.tile_pack import PackPrinter, PackSpec
from graphc.runtime import jit

WIDE = Machine(64, 32, True)
CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
SIZES = ((1, 1, 1), (8, 48, 7), (9, 17, 5), (13, 33, 1), (3, 100, 20), (25, 49, 64), (40, 96, 3))


def run(
    spec: GemmTile, a: Any, b: Any, chunks: int = 1, target: jit.Target | None = None, n: int = 0
) -> Any:
    """The products of a (batch, ...) and b by the spec, in so many pieces."""
    m, k = (a.shape[2], a.shape[1]) if spec.trans_a else a.shape[1:]
    n = n or b.shape[2]
    out = np.full((len(a), m, n), 7.0, a.dtype)
    code = jit.compile_ir(GemmPrinter(spec).module("tile"), ["tile"], target=target)
    function = CALL(jit.load_object(code, ["tile"])["tile"])
    known = (spec.m, spec.n, spec.k)
    extra = [size for size, given in zip((m, n, k), known, strict=True) if given is None]
    tasks = spec.tasks(len(a), m, n)
    each = max(1, -(-tasks // chunks))
    pointers = [a.ctypes.data, b.ctypes.data, out.ctypes.data]
    if spec.packs:
        panels = np.full(chunks * k * spec.packed_step, np.nan, a.dtype)
        pointers.append(panels.ctypes.data)
        extra.append(each)
    words = np.array([*pointers, *extra], np.int64)
    for lo in range(0, tasks, each):
        function(words.ctypes.data, lo, min(tasks, lo + each))
    return out


def operands(
    m: int, n: int, k: int, trans_a: bool = False, batch: int = 1, dtype: Any = np.float32
) -> tuple[Any, Any, Any]:
    """A, B and their product in float64."""
    rng = np.random.default_rng(m * 100 + n * 10 + k)
    a = rng.standard_normal((batch, k, m) if trans_a else (batch, m, k)).astype(dtype)
    b = rng.standard_normal((batch, k, n)).astype(dtype)
    wide = (np.swapaxes(a, 1, 2) if trans_a else a).astype(np.float64)
    return a, b, wide @ b.astype(np.float64)


def close(got: Any, expected: Any) -> None:
    tolerance = 1e-5 if got.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * 30)


@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("known", list(itertools.product((True, False), repeat=3)))
def test_products_of_known_and_unknown_sizes(
    size: tuple[int, int, int], trans_a: bool, known: tuple[bool, bool, bool]
) -> None:
    a, b, expected = operands(*size, trans_a)
    sizes = tuple(s if is_known else None for s, is_known in zip(size, known, strict=True))
    spec = gemm_tile(WIDE, as_dtype("float32"), sizes, size, trans_a)  # type: ignore[arg-type]
    close(run(spec, a, b), expected)
    close(run(spec, a, b, chunks=3), expected)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("trans_a", [False, True])
def test_batches_are_cut_anywhere(trans_a: bool, known: bool) -> None:
    size = (19, 21, 6)
    a, b, expected = operands(*size, trans_a, batch=5)
    sizes = size if known else (None, None, None)
    spec = gemm_tile(WIDE, as_dtype("float32"), sizes, size, trans_a, batched=True)
    whole = run(spec, a, b)
    close(whole, expected)
    for chunks in (2, 4, 7):
        np.testing.assert_array_equal(run(spec, a, b, chunks), whole)


def test_float64() -> None:
    a, b, expected = operands(11, 29, 13, dtype=np.float64)
    spec = gemm_tile(WIDE, as_dtype("float64"), (11, 29, 13), (11, 29, 13))
    close(run(spec, a, b), expected)


@pytest.mark.parametrize("level", ["sse2", "avx2"])
def test_narrower_targets(level: str) -> None:
    try:
        target = jit.level_target(level)
    except ValueError as error:
        pytest.skip(str(error))
    machine = Machine(target.vector_bytes, 16, target.has_fma)
    for size in SIZES:
        a, b, expected = operands(*size)
        spec = gemm_tile(machine, as_dtype("float32"), size, size)
        close(run(spec, a, b, target=target), expected)


def test_bits_do_not_depend_on_the_tile() -> None:
    a, b, _ = operands(24, 96, 50)
    results = []
    for rows, vectors in ((8, 3), (12, 2), (5, 1)):
        for by_columns in (False, True):
            tile = Tile(rows, vectors, 16)
            spec = GemmTile(
                as_dtype("float32"), 24, 96, None, False, "", False, by_columns, tile
            )
            results.append(run(spec, a, b))
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_nan_and_infinity_stay_in_their_rows_and_columns() -> None:
    a, b, _ = operands(9, 20, 4)
    a[0, 8, 1], b[0, 2, 19] = np.nan, np.inf
    spec = gemm_tile(WIDE, as_dtype("float32"), (None, 20, 4), (9, 20, 4))
    with np.errstate(invalid="ignore"):
        expected = a @ b
    np.testing.assert_allclose(run(spec, a, b), expected, rtol=1e-5, atol=1e-5)


def test_nothing_to_add_is_zero() -> None:
    spec = gemm_tile(WIDE, as_dtype("float32"), (3, 5, None), (3, 5, 1))
    out = run(spec, np.zeros((1, 3, 0), np.float32), np.zeros((1, 0, 5), np.float32))
    np.testing.assert_array_equal(out, np.zeros((1, 3, 5), np.float32))


@pytest.mark.parametrize("known", [True, False])
def test_tiles_ask_for_the_panels_that_come_next(known: bool) -> None:
    m, n, k = 20, 2000, 600
    a, b, expected = operands(m, n, k)
    sizes = (m if known else None, n, k)
    spec = gemm_tile(WIDE, as_dtype("float32"), sizes, (m, n, k), packing="copy")
    assert spec.ahead
    close(run(spec, a, b, chunks=2), expected)


@pytest.mark.parametrize("known", [True, False])
def test_tiles_ask_early_for_what_is_far(known: bool) -> None:
    for size in SIZES:
        a, b, expected = operands(*size)
        sizes = size if known else (None, size[1], None)
        spec = gemm_tile(WIDE, as_dtype("float32"), sizes, size)
        close(run(replace(spec, far=True), a, b), expected)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 70), st.integers(0, 20), st.booleans(), st.booleans(),
    st.integers(1, 3), st.integers(1, 4),
)  # fmt: skip
def test_any_size(
    m: int, n: int, k: int, trans_a: bool, known: bool, batch: int, chunks: int
) -> None:
    a, b, expected = operands(m, n, k, trans_a, batch)
    sizes = (m, n, k) if known else (None, n, None)
    spec = gemm_tile(
        WIDE, as_dtype("float32"), sizes, (m, n, max(k, 1)), trans_a, batched=batch > 1
    )
    close(run(spec, a, b, chunks), expected)


def test_tiles_fit_into_the_registers() -> None:
    for machine in (WIDE, Machine(32, 16, True), Machine(16, 16, False), Machine(16, 32, True)):
        for tile in tiles_of(machine, 4):
            assert tile.rows * tile.vectors + tile.vectors + 1 <= machine.registers


def test_no_tile_is_larger_than_the_product() -> None:
    for size in ((1, 512, 784), (4, 10, 3), (128, 10, 512), (64, 64, 64), (100, 100, 100)):
        tile = gemm_tile(WIDE, as_dtype("float32"), size, size).tile
        assert tile.rows <= size[0]
        assert tile.columns < size[1] + tile.lanes


# ------------------------------------------------------------------ panels
@pytest.mark.parametrize("trans", [False, True])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_packed_operands(trans: bool, known: bool, dtype: Any) -> None:
    for n, k, batch in ((1, 1, 1), (33, 20, 1), (64, 16, 3), (10, 7, 2), (100, 3, 1)):
        rng = np.random.default_rng(n + k)
        b = rng.standard_normal((batch, n, k) if trans else (batch, k, n)).astype(dtype)
        kind = as_dtype(np.dtype(dtype).name)
        spec = PackSpec(kind, n if known else None, k if known else None, trans, 64 // kind.size, 2)
        panels = -(-n // spec.columns)
        out = np.full((batch, panels, k, spec.columns), 9.0, dtype)
        code = jit.compile_ir(PackPrinter(spec).module("pack"), ["pack"])
        function = CALL(jit.load_object(code, ["pack"])["pack"])
        extra = [] if known else [n, k]
        words = np.array([b.ctypes.data, out.ctypes.data, *extra], np.int64)
        function(words.ctypes.data, 0, batch * panels)
        got = out.transpose(0, 2, 1, 3).reshape(batch, k, -1)[:, :, :n]
        np.testing.assert_array_equal(got, np.swapaxes(b, 1, 2) if trans else b)


@pytest.mark.parametrize("packing", ["copy", "turn"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("trans_a", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
def test_tasks_pack_what_they_need(
    packing: str, known: bool, trans_a: bool, batch: int
) -> None:
    for m, n, k in ((21, 37, 11), (8, 200, 33), (3, 16, 1), (50, 31, 64)):
        a, b, expected = operands(m, n, k, trans_a, batch)
        if packing == "turn":
            b = np.ascontiguousarray(np.swapaxes(b, 1, 2))
        sizes = (m, n, k) if known else (None, n, None)
        for group in (1, 2, 3):
            spec = gemm_tile(
                WIDE, as_dtype("float32"), sizes, (m, n, k), trans_a, packing, batch > 1
            )
            spec = replace(spec, group=group, row_group=group, far=group == 2)
            whole = run(spec, a, b, n=n)
            close(whole, expected)
            for chunks in (2, 3, 5):
                np.testing.assert_array_equal(run(spec, a, b, chunks, n=n), whole)


def test_the_first_row_of_tiles_packs_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    m, n, k = 29, 75, 40
    a, b, expected = operands(m, n, k)
    given = ((m, n, k), (m, n, k), False)
    copy, turn = (gemm_tile(WIDE, as_dtype("float32"), *given, p) for p in ("copy", "turn"))
    assert ".pack(" not in GemmPrinter(copy).module("f")
    assert ".pack(" in GemmPrinter(turn).module("f")
    for spec in (
        replace(copy, m=None), replace(copy, trans_a=True), replace(copy, m=copy.tile.rows - 1)
    ):
        assert ".pack(" in GemmPrinter(spec).module("f")
    found = run(copy, a, b, 2)
    close(found, expected)
    init = GemmPrinter.__init__

    def apart(self: GemmPrinter, *args: Any) -> None:
        init(self, *args)
        self.along = False

    monkeypatch.setattr(GemmPrinter, "__init__", apart)
    np.testing.assert_array_equal(run(copy, a, b, 2), found)


@pytest.mark.parametrize("batch", [1, 2])
def test_panels_that_are_given(batch: int) -> None:
    a, b, expected = operands(21, 37, 11, batch=batch)
    size = (21, 37, 11)
    spec = gemm_tile(
        WIDE, as_dtype("float32"), size, size, packing="given", batched=batch > 1
    )
    columns = spec.tile.columns
    panels = -(-37 // columns)
    wide = np.zeros((batch, 11, panels * columns), np.float32)
    wide[:, :, :37] = b
    packed = np.ascontiguousarray(wide.reshape(batch, 11, panels, columns).transpose(0, 2, 1, 3))
    close(run(spec, a, packed, n=37), expected)
    close(run(spec, a, packed, 3, n=37), expected)


def test_panels_that_are_packed_at_a_time_fit_into_the_cache() -> None:
    for size in ((1024, 1024, 1024), (128, 768, 3072), (64, 64, 20000)):
        spec = gemm_tile(WIDE, as_dtype("float32"), size, size, packing="copy")
        assert spec.by_columns
        assert spec.group == 1 or spec.group * spec.tile.columns * size[2] * 4 <= 1 << 19
