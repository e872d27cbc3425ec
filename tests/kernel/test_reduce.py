"""Lowering of reductions: every axis subset, empty extents, extremes, large ones in chunks."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from graphc.ir.dtypes import bool_, float32, float64, int32, int64
from graphc.ir.shape import SymDim
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute, inline
from graphc.kernel.expr import Axis, Buffer, Load, Reduce, const
from graphc.kernel.lower import lower
from graphc.kernel.nest import For, nest_text, statements

B, N = SymDim.symbol("B"), SymDim.symbol("N")


def buf(name, *shape, dtype=float32):
    return Buffer(name, dtype, shape, name)


def rand(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def reduce_over(x, which, monoid="add", dtype=None):
    """The reduction of buffer x over the axes `which`, as a Compute."""
    axes = [Axis(d) for d in x.shape]
    kept = [a for n, a in enumerate(axes) if n not in which]
    dtype = dtype or x.dtype
    out = Buffer("o", dtype, [a.extent for a in kept], "o")
    value = Reduce(monoid, [axes[n] for n in which], Load(x, axes), dtype)
    return Compute(out, tuple(kept), value)


def subsets(rank):
    return chain.from_iterable(combinations(range(rank), n) for n in range(1, rank + 1))


CASES = [
    (shape, which)
    for shape in [(5,), (4, 6), (3, 4, 5), (2, 3, 4, 5), (3, 1, 4), (0, 4), (4, 0)]
    for which in subsets(len(shape))
]


@pytest.mark.parametrize(("shape", "which"), CASES)
def test_sum_over_every_axis_subset(check, shape, which):
    x = buf("x", *shape)
    check([reduce_over(x, which)], {x: rand(*shape)})


@pytest.mark.parametrize("which", list(subsets(3)))
@pytest.mark.parametrize("sizes", [(3, 5), (0, 5), (3, 0), (1, 1), (70, 20)])
def test_sum_with_symbolic_extents(check, which, sizes):
    x = buf("x", B, 4, N)
    check([reduce_over(x, which)], {x: rand(sizes[0], 4, sizes[1])}, {"B": sizes[0], "N": sizes[1]})


@pytest.mark.parametrize("monoid", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", [float32, float64, int32, int64])
@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_monoids(check, monoid, dtype, which):
    x = buf("x", 6, 40, dtype=dtype)
    data = (rand(6, 40) * 3).astype(dtype.np)
    if monoid == "mul" and dtype.is_integer:
        data = data % 2 * 2 - 1
    check([reduce_over(x, which, monoid)], {x: data}, rtol=1e-4)


@pytest.mark.parametrize("monoid", ["and", "or"])
@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_all_and_any(check, monoid, which):
    x = buf("x", 6, 40, dtype=bool_)
    data = np.random.default_rng(1).random((6, 40)) < (0.97 if monoid == "and" else 0.03)
    check([reduce_over(x, which, monoid)], {x: data})


@pytest.mark.parametrize("monoid", ["argmax", "argmin"])
@pytest.mark.parametrize("which", [(0,), (1,)])
@pytest.mark.parametrize("kind", ["random", "ties", "nan", "inf", "int"])
def test_positions_of_extremes(check, monoid, which, kind):
    data = rand(9, 50)
    if kind == "ties":
        data = np.round(data)
    if kind == "nan":
        data[::2, 7] = data[::3, 20] = data[4] = np.nan
    if kind == "inf":
        data[:] = -np.inf if monoid == "argmax" else np.inf
    if kind == "int":
        data = np.round(data * 2).astype(np.int32)
    x = buf("x", 9, 50, dtype=int32 if kind == "int" else float32)
    check([reduce_over(x, which, monoid, int64)], {x: data})


def test_nan_wins_maximum_and_minimum(check):
    data = rand(4, 40)
    data[1, 33] = data[2, 0] = np.nan
    x = buf("x", 4, 40)
    group = check([reduce_over(x, (1,), "max")], {x: data})
    assert np.isnan(group.arrays[group.kernel.outputs[0]]).tolist() == [False, True, True, False]


def test_mean_in_double(check):
    x = buf("x", 5, 9)
    i, r = Axis(5), Axis(9)
    o = buf("o", 5)
    total = Reduce("add", (r,), k.cast(Load(x, (i, r)), float64), float64)
    check([Compute(o, (i,), k.cast(total * (1 / 9), float32))], {x: rand(5, 9)})


# ------------------------------------------------------------------ structure
def kinds(kernel):
    return [
        (s.kind, s.lanes > 1, len(s.reduces)) for s in statements(kernel.body) if isinstance(s, For)
    ]


def test_rows_have_a_vector_reduction():
    (kernel,) = lower("g", [reduce_over(buf("x", B, 100), (1,))])
    assert kinds(kernel) == [("parallel", False, 0), ("vector", True, 1)]


def test_columns_are_lanes_with_a_serial_reduction():
    (kernel,) = lower("g", [reduce_over(buf("x", B, 100), (0,))])
    assert kinds(kernel) == [("parallel", True, 0), ("serial", False, 0)]


def test_outer_axes_join(check):
    x = buf("x", 3, 4, 5, 6)
    group = check([reduce_over(x, (0, 1, 2))], {x: rand(3, 4, 5, 6)})
    assert kinds(group.kernel) == [("parallel", True, 0), ("serial", False, 0)]


def test_statistics_of_one_row_share_a_loop(check):
    i, r, s = Axis(B), Axis(30), Axis(30)
    x, o = buf("x", B, 30), buf("o", B)
    total = Reduce("add", (r,), Load(x, (i, r)), float32)
    squares = Reduce("add", (s,), k.square(Load(x, (i, s))), float32)
    group = check([Compute(o, (i,), squares - total * total)], {x: rand(4, 30)}, {"B": 4}, 1e-4)
    assert kinds(group.kernel) == [("parallel", False, 0), ("vector", True, 2)]


def test_equal_reductions_with_other_axes_are_computed_once(check):
    i, j, r, s = Axis(4), Axis(8), Axis(8), Axis(8)
    x, o, m = buf("x", 4, 8), buf("o", 4, 8), buf("m", 4)
    top = Reduce("max", (r,), Load(x, (i, r)), float32)
    other = Reduce("max", (s,), Load(x, (i, s)), float32)
    group = check(
        [Compute(o, (i, j), Load(x, (i, j)) - top), Compute(m, (i,), other)], {x: rand(4, 8)}
    )
    assert nest_text(group.kernel).count("identity") == 1


# ------------------------------------------------------------------ chunks
@pytest.mark.parametrize("size", [1, 16384, 16385, 50000])
@pytest.mark.parametrize("monoid", ["add", "max", "argmax"])
def test_full_reduction_of_symbolic_extent_in_chunks(check, size, monoid):
    x = buf("x", B)
    data = rand(size)
    dtype = int64 if monoid == "argmax" else float32
    group = check([reduce_over(x, (0,), monoid, dtype)], {x: data}, {"B": size}, 1e-4)
    first, second = group.kernels
    assert first.extent == (B + 16383) // 16384 and second.extent == 1
    assert first.outputs[0].key == ("scratch", "group", 0)


def test_chunks_are_exact_at_every_chunk_border(check):
    x = buf("x", 40000, dtype=int32)
    data = np.ones(40000, np.int32)
    check([reduce_over(x, (0,))], {x: data})


def test_argmax_in_chunks_takes_the_first(check):
    x = buf("x", 40000)
    data = np.zeros(40000, np.float32)
    check([reduce_over(x, (0,), "argmax", int64)], {x: data})
    data[[20000, 39999]] = np.nan
    check([reduce_over(x, (0,), "argmax", int64)], {x: data})
    data[:] = -np.inf
    check([reduce_over(x, (0,), "argmax", int64)], {x: data})


def test_small_static_full_reduction_is_one_kernel(check):
    x = buf("x", 20, 30)
    assert kinds(check([reduce_over(x, (0, 1))], {x: rand(20, 30)}).kernel) == [("vector", True, 1)]


def test_full_reduction_of_a_transposed_pair(check):
    i, j = Axis(B), Axis(300)
    x, y, o = buf("x", B, 300), buf("y", 300, B), buf("o")
    value = Reduce("add", (i, j), Load(x, (i, j)) * Load(y, (j, i)), float32)
    group = check([Compute(o, (), value)], {x: rand(200, 300), y: rand(300, 200)}, {"B": 200}, 1e-3)
    assert len(group.kernels) == 2


def test_channel_sums_of_a_large_batch_in_chunks(check):
    x = buf("x", B, 28, 28, 8)
    group = check([reduce_over(x, (0, 1, 2))], {x: rand(5, 28, 28, 8)}, {"B": 5}, 1e-3)
    assert len(group.kernels) == 2


def test_few_long_rows_in_chunks(check):
    x = buf("x", 2, 50000)
    group = check([reduce_over(x, (1,))], {x: rand(2, 50000)}, rtol=1e-3)
    assert [kk.extent for kk in group.kernels] == [7, 2]


def test_bias_gradient_is_one_kernel(check):
    x = buf("x", B, 64)
    assert len(check([reduce_over(x, (0,))], {x: rand(33, 64)}, {"B": 33}).kernels) == 1


def test_two_full_sums_share_their_kernels(check):
    x, p, q = buf("x", B), buf("p"), buf("q")
    r, s = Axis(B), Axis(B)
    computes = [
        Compute(p, (), Reduce("add", (r,), Load(x, (r,)), float32)),
        Compute(q, (), k.sqrt(Reduce("add", (s,), k.square(Load(x, (s,))), float32))),
    ]
    group = check(computes, {x: rand(20000)}, {"B": 20000}, 1e-3)
    assert len(group.kernels) == 2
    assert kinds(group.kernels[0]) == [("parallel", False, 0), ("vector", True, 2)]


# ------------------------------------------------------------------ reductions that others need
def test_normalised_by_the_whole_is_two_steps(check):
    i, j, r, s = Axis(6), Axis(8), Axis(6), Axis(8)
    x, o = buf("x", 6, 8), buf("o", 6, 8)
    total = Reduce("add", (r, s), Load(x, (r, s)), float32)
    group = check([Compute(o, (i, j), Load(x, (i, j)) / k.sqrt(total))], {x: abs(rand(6, 8))})
    assert len(group.kernels) == 2
    # the square root of the sum is taken once
    assert "sqrt" in nest_text(group.kernels[0]) and "sqrt" not in nest_text(group.kernels[1])


def test_whole_softmax_of_a_long_vector(check):
    i, r, s = Axis(B), Axis(B), Axis(B)
    x, o = buf("x", B), buf("o", B)
    top = Reduce("max", (r,), Load(x, (r,)), float32)
    total = Reduce("add", (s,), k.exp(Load(x, (s,)) - top), float32)
    value = k.exp(Load(x, (i,)) - top) / total
    check([Compute(o, (i,), value)], {x: rand(40000)}, {"B": 40000})


def test_batch_statistics_are_stored_once(check):
    i, j, r, s = Axis(B), Axis(6), Axis(B), Axis(B)
    x, o = buf("x", B, 6), buf("o", B, 6)
    mean = Reduce("add", (r,), Load(x, (r, j)), float32) * (1 / 50)
    var = Reduce("add", (s,), k.square(Load(x, (s, j)) - mean), float32) * (1 / 50)
    value = (Load(x, (i, j)) - mean) * k.rsqrt(var + 1e-3)
    group = check([Compute(o, (i, j), value)], {x: rand(50, 6)}, {"B": 50}, 1e-4)
    assert len(group.kernels) == 3


def test_softmax_over_the_middle_axis_is_one_kernel(check):
    i, j, z, r, s = Axis(B), Axis(9), Axis(20), Axis(9), Axis(9)
    x, o = buf("x", B, 9, 20), buf("o", B, 9, 20)
    top = Reduce("max", (r,), Load(x, (i, r, z)), float32)
    total = Reduce("add", (s,), k.exp(Load(x, (i, s, z)) - top), float32)
    value = k.exp(Load(x, (i, j, z)) - top) / total
    group = check([Compute(o, (i, j, z), value)], {x: rand(4, 9, 20)}, {"B": 4})
    assert kinds(group.kernel)[:2] == [("parallel", False, 0), ("vector", True, 0)]


def test_sum_of_row_results(check):
    """A mean of per-row log-sums: the inner loops stay inside the chunk's loop."""
    b, r, s = Axis(B), Axis(10), Axis(10)
    x, o = buf("x", B, 10), buf("o")
    top = Reduce("max", (r,), Load(x, (b, r)), float32)
    rows = k.log(Reduce("add", (s,), k.exp(Load(x, (b, s)) - top), float32)) + top
    group = check([Compute(o, (), Reduce("add", (b,), rows, float32))], {x: rand(3000, 10)},
                  {"B": 3000}, 1e-3)  # fmt: skip
    assert len(group.kernels) == 2


def test_inlined_twice_with_other_indices_does_not_clash(check):
    i, j, r = Axis(5), Axis(5), Axis(7)
    x, s, o = buf("x", 5, 7), buf("s", 5), buf("o", 5, 5)
    producer = Compute(s, (i,), Reduce("add", (r,), Load(x, (i, r)), float32))
    value = inline(Load(s, (i,)) * Load(s, (j,)) + Load(s, (i,)), {s: producer})
    check([Compute(o, (i, j), value)], {x: rand(5, 7)})


def test_index_with_the_producers_own_reduce_axis_is_not_captured(check):
    i, r = Axis(5), Axis(5)
    x, s, o = buf("x", 5, 5), buf("s", 5), buf("o")
    producer = Compute(s, (i,), Reduce("max", (r,), Load(x, (i, r)), float32))
    value = Reduce("add", (r,), inline(Load(s, (r,)), {s: producer}), float32)
    data = rand(5, 5)
    group = check([Compute(o, (), value)], {x: data})
    np.testing.assert_allclose(group.arrays[o], data.max(1).sum(), rtol=1e-6)


def test_empty_range_gives_the_identity(check):
    x = buf("x", B)
    group = check([reduce_over(x, (0,), "max")], {x: rand(0)}, {"B": 0})
    assert group.arrays[group.kernels[-1].outputs[0]] == -np.inf


def test_constant_summed(check):
    i, r = Axis(3), Axis(B)
    o = buf("o", 3)
    check([Compute(o, (i,), Reduce("add", (r,), const(2.0, float32), float32))], {}, {"B": 9})
