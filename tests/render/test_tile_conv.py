"""Convolutions as tiles, called by pointer: sizes, tails, strides, borders, targets, chunks."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.ir.dtypes import as_dtype
from graphc.kernel.tiles.conv import ConvTile, FilterTile, conv_tile, filter_tile, servable
from graphc.kernel.tiles.machine import Machine
from graphc.kernel.tiles.sweep import backward_sweeps, forward_sweep, segments
from graphc.ops.conv_direct import filter_reference, forward_reference, input_reference
from graphc.ops.conv_window import Window
from graphc.render.tile_conv import conv_module
from graphc.render.tile_conv_filter import filter_module
from graphc.runtime import jit

WIDE = Machine(64, 32, True)
NARROW = Machine(32, 16, True)
CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


@dataclass(frozen=True)
class Case:
    """One convolution: shapes of images and filter, its window."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    strides: tuple[int, ...] = (1, 1)
    dilations: tuple[int, ...] = (1, 1)
    padding: Any = "SAME"
    dtype: str = "float32"
    depthwise: bool = False
    machine: Machine = WIDE
    hint: int = 32

    @property
    def window(self) -> Window:
        return Window.over(self.x[1:-1], self.w[:-2], self.strides, self.dilations, self.padding)

    @property
    def channels(self) -> int:
        return self.w[-2] * self.w[-1] if self.depthwise else self.w[-1]

    @property
    def y(self) -> tuple[int, ...]:
        return (self.x[0], *self.window.outs, self.channels)  # type: ignore[return-value]

    def axes(self) -> list[tuple[Any, ...]]:
        """Arguments of a sweep along each axis."""
        w = self.window
        return list(zip(w.sizes, w.kernel, w.strides, w.dilations, w.lows, w.outs, strict=True))

    def forward(self, packed: bool = False) -> ConvTile:
        sweeps = [(forward_sweep(*a),) for a in self.axes()]
        depth = 1 if self.depthwise else self.w[-2]
        return self._tile(sweeps, depth, self.channels, packed)

    def backward(self) -> ConvTile:
        sweeps = [backward_sweeps(*a) for a in self.axes()]
        depth = 1 if self.depthwise else self.channels
        return self._tile(sweeps, depth, self.x[-1], not self.depthwise)

    def _tile(self, sweeps: Any, depth: int, channels: int, packed: bool = False) -> ConvTile:
        return conv_tile(
            self.machine, as_dtype(self.dtype), sweeps, depth, channels, self.w[:-2],
            self.depthwise, packed, self.hint,
        )  # fmt: skip

    def filters(self) -> FilterTile:
        sweeps = [forward_sweep(*a) for a in self.axes()]
        depth = 1 if self.depthwise else self.w[-2]
        return filter_tile(
            self.machine, as_dtype(self.dtype), sweeps, depth, self.channels, self.depthwise
        )

    def arrays(self) -> tuple[Any, Any, Any]:
        rng = np.random.default_rng(sum(self.x) + 7 * sum(self.w))
        return tuple(  # type: ignore[return-value]
            rng.standard_normal(shape).astype(self.dtype) for shape in (self.x, self.w, self.y)
        )


def call(
    text: str, tasks: int, shape: Sequence[int], a: Any, b: Any, n: int, chunks: int = 1,
    target: jit.Target | None = None,
) -> Any:  # fmt: skip
    """What a function of tiles writes, its tasks in so many pieces, the last one first."""
    out = np.full(shape, 7.0, a.dtype)
    own = np.full(4 * b.size + 4096, 7.0, a.dtype)  # panels
    code = jit.compile_ir(text, ["tile"], target=target)
    function = CALL(jit.load_object(code, ["tile"])["tile"])
    given = [a.ctypes.data, b.ctypes.data, out.ctypes.data, n]
    if " %p" in text:
        given.insert(3, own.ctypes.data)
    words = np.array(given, np.int64)
    each = max(1, -(-tasks // chunks))
    for lo in reversed(range(0, tasks, each)):
        function(words.ctypes.data, lo, min(tasks, lo + each))
    return out


def forward(case: Case, x: Any, w: Any, **how: Any) -> Any:
    spec = case.forward()
    return call(conv_module(spec, "tile"), spec.tasks(len(x)), case.y, x, w, len(x), **how)


def backward(case: Case, w: Any, g: Any, **how: Any) -> Any:
    spec = case.backward()
    turned = w if case.depthwise else panels(np.swapaxes(w, -1, -2), spec.columns)
    return call(conv_module(spec, "tile"), spec.tasks(len(g)), case.x, g, turned, len(g), **how)


def filters(case: Case, x: Any, g: Any, **how: Any) -> Any:
    spec = case.filters()
    return call(filter_module(spec, "tile"), spec.tasks, case.w, x, g, len(x), **how)


def panels(w: Any, columns: int) -> Any:
    """The filter in panels of so many of its last axis' elements; NaN in the last one's rest."""
    count = -(-w.shape[-1] // columns)
    wide = np.full((*w.shape[:-1], count * columns), np.nan, w.dtype)
    wide[..., : w.shape[-1]] = w
    parts = wide.reshape(*w.shape[:-1], count, columns)
    return np.ascontiguousarray(np.moveaxis(parts, -2, -3))


def close(got: Any, expected: Any) -> None:
    tolerance = 2e-5 if got.dtype == np.float32 else 1e-12
    assert got.shape == expected.shape
    if expected.size:
        np.testing.assert_allclose(got, expected, atol=tolerance * max(1, np.abs(expected).max()))


def check(case: Case, **how: Any) -> None:
    """All three against the reference."""
    x, w, g = case.arrays()
    window, dw = case.window, case.depthwise
    close(forward(case, x, w, **how), forward_reference(x, w, window, dw))
    close(backward(case, w, g, **how), input_reference(case.x, w, g, window, dw))
    close(filters(case, x, g, **how), filter_reference(x, case.w, g, window, dw))


CASES = {
    "tails": Case((3, 7, 13, 5), (3, 3, 5, 19), padding="VALID"),
    "same": Case((2, 9, 21, 4), (3, 3, 4, 40)),
    "wide taps": Case((1, 5, 6, 3), (5, 6, 3, 17)),
    "more taps than pixels": Case((2, 3, 2, 3), (4, 5, 3, 8)),
    "strides": Case((2, 11, 12, 6), (3, 3, 6, 33), (2, 3)),
    "strides beyond taps": Case((2, 9, 8, 6), (1, 2, 6, 16), (3, 3)),
    "dilated": Case((2, 9, 12, 6), (3, 2, 6, 16), (1, 1), (2, 3)),
    "dilated strides": Case((2, 9, 12, 6), (3, 2, 6, 16), (2, 3), (3, 2)),
    "explicit": Case((2, 4, 5, 3), (3, 2, 3, 16), padding=((0, 4), (3, 0))),
    "several images": Case((11, 4, 4, 9), (3, 3, 9, 32)),
    "no image": Case((0, 5, 5, 3), (3, 3, 3, 8)),
    "doubles": Case((3, 6, 7, 5), (3, 3, 5, 20), dtype="float64"),
    "one axis": Case((3, 17, 5), (4, 5, 20), (2,), (1,)),
    "three axes": Case((2, 4, 5, 6, 3), (2, 3, 2, 3, 18), (1, 2, 1), (1, 1, 1)),
    "joint taps": Case((3, 9, 12, 1), (5, 5, 1, 32)),
    "joint taps of few pixels": Case((3, 4, 3, 2), (5, 5, 2, 20), dtype="float64"),
    "depthwise": Case((2, 7, 9, 21), (3, 3, 21, 1), (1, 2), depthwise=True),
    "many channels": Case((2, 3, 3, 130), (3, 3, 130, 150)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_three_agree_with_the_reference(name: str) -> None:
    check(CASES[name])


@pytest.mark.parametrize("name", ["tails", "same", "strides", "depthwise", "doubles"])
def test_narrower_vectors(name: str) -> None:
    target = jit.level_target("avx2") if jit.host_target().triple.startswith("x86_64") else None
    check(replace(CASES[name], machine=NARROW), target=target)


@pytest.mark.parametrize("name", ["same", "strides", "several images"])
def test_pieces_and_tiles_do_not_change_bits(name: str) -> None:
    case = CASES[name]
    x, w, g = case.arrays()
    other = replace(case, hint=1)
    for run, a, b in ((forward, x, w), (backward, w, g), (filters, x, g)):
        one = run(case, a, b)
        for same in (run(case, a, b, chunks=3), run(other, a, b, chunks=100)):
            assert one.tobytes() == same.tobytes()


def test_only_what_a_window_sees_spreads_nan_and_infinity() -> None:
    case = Case((2, 6, 9, 3), (3, 3, 3, 5))
    x, w, _ = case.arrays()
    x[1, 2, 4, 1], x[0, 0, 0, 0] = np.nan, np.inf
    got = forward(case, x, w)
    with np.errstate(invalid="ignore"):
        expected = forward_reference(x, w, case.window, False)
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    assert np.array_equal(np.isinf(got), np.isinf(expected))


def test_padding_adds_nothing_even_where_a_filter_is_not_finite() -> None:
    case = Case((1, 3, 3, 1), (3, 3, 1, 1))
    x, w, _ = case.arrays()
    w[0, 0] = np.inf
    got = forward(case, x, w)
    assert np.isfinite(got[0, 0]).all() and np.isinf(got[0, 1:, 1:]).all()


@pytest.mark.parametrize("name", ["tails", "same", "many channels"])
def test_filters_in_panels_give_the_same_bits(name: str) -> None:
    case = CASES[name]
    x, w, _ = case.arrays()
    spec = case.forward(packed=True)
    text = conv_module(spec, "tile")
    got = call(text, spec.tasks(len(x)), case.y, x, panels(w, spec.columns), len(x))
    assert got.tobytes() == forward(case, x, w).tobytes()


@pytest.mark.parametrize("name", ["tails", "same", "strides", "several images", "no image"])
def test_blocks_of_channels_as_tasks_and_own_panels_give_the_same_bits(name: str) -> None:
    case = CASES[name]
    x, w, _ = case.arrays()
    want = forward(case, x, w).tobytes()
    for packing in (False, True):
        spec = replace(
            case.forward(), by_columns=True, packing=packing, packed=packing, vectors=1, width=2
        )
        got = call(
            conv_module(spec, "tile"), spec.tasks(len(x)), case.y, x, w, len(x), chunks=3
        )
        assert got.tobytes() == want


def test_large_filters_over_few_pixels_have_blocks_of_channels_as_tasks() -> None:
    spec = Case((1, 7, 7, 64), (3, 3, 64, 128), hint=1).forward()
    assert spec.by_columns and not spec.packing
    assert Case((1, 7, 7, 64), (1, 1, 64, 1024), hint=1).forward().packing
    assert not CASES["same"].forward().by_columns
    # one long row
    assert Case((1, 500, 8), (3, 8, 64), (1,), (1,), hint=1).forward().by_columns


def test_few_channels_take_all_taps_of_a_row_together() -> None:
    assert CASES["joint taps"].filters().joint == 5
    assert CASES["many channels"].filters().joint == 1


def test_blocks_of_positions_add_up() -> None:
    for case in (
        Case((5, 6, 5, 3), (3, 3, 3, 8)),
        Case((5, 60, 3), (3, 3, 8), (1,), (1,)),
        Case((5, 6, 5, 3), (3, 3, 3, 8), padding="VALID"),
    ):
        x, _, g = case.arrays()
        spec = replace(case.filters(), images=1, span=2)
        got = call(filter_module(spec, "tile"), spec.tasks, case.w, x, g, len(x), 2)
        close(got, filter_reference(x, case.w, g, case.window, False))


def test_segments_cover_an_axis() -> None:
    sweep = forward_sweep(20, 3, 1, 1, 1, 20)
    found = segments(sweep, 6)
    assert [(s.at, s.width, s.tiles, s.inner) for s in found] == [
        (0, 6, 1, False), (6, 6, 2, True), (18, 2, 1, False),
    ]  # fmt: skip


def test_axes_that_would_need_much_code_are_refused() -> None:
    assert not servable([forward_sweep(1000, 200, 1, 1, 100, 1000)])
    assert servable([forward_sweep(1000, 200, 1, 1, 0, 801)])


@st.composite
def cases(draw: Any) -> Case:
    rank = draw(st.integers(1, 2))
    many = lambda low, high: tuple(draw(st.integers(low, high)) for _ in range(rank))  # noqa: E731
    x = (draw(st.integers(1, 5)), *many(1, 11), draw(st.integers(1, 20)))
    depthwise = draw(st.booleans())
    last = 1 if depthwise else draw(st.integers(1, 40))
    return Case(
        x, (*many(1, 4), x[-1], last), many(1, 3), many(1, 2), "SAME",
        draw(st.sampled_from(["float32", "float64"])), depthwise,
        draw(st.sampled_from([WIDE, NARROW])), draw(st.sampled_from([1, 32])),
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(cases())
def test_random_convolutions(case: Case) -> None:
    check(case)


def test_code_for_neon_multiplies_and_adds_in_registers() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    case = Case((2, 9, 12, 8), (3, 3, 8, 32), machine=Machine(16, 32, True))
    target = jit.Target("aarch64-unknown-linux-gnu", "generic", "+neon")
    for text in (
        conv_module(case.forward(), "tile"),
        conv_module(case.backward(), "tile"),
        filter_module(case.filters(), "tile"),
    ):
        assembly = jit.assembly(text, target=target)
        assert assembly.count("fmla") > 12
        assert "bl\tfma" not in assembly
