"""Lowering of elementwise groups: joined axes, broadcasting, transposes, several outputs."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.dtypes import bool_, float32, float64, int32, int64
from graphc.ir.shape import SymDim
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Load, const, index
from graphc.kernel.lower import lower
from graphc.kernel.nest import For, Kernel, nest_text

B, N = SymDim.symbol("B"), SymDim.symbol("N")


def buf(name, *shape, dtype=float32):
    return Buffer(name, dtype, shape, name)


def rand(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def loops(kernel: Kernel) -> list[For]:
    from graphc.kernel.nest import statements

    return [s for s in statements(kernel.body) if isinstance(s, For)]


def test_flat_elementwise_is_one_parallel_vector_loop(check):
    i, j, z = Axis(B), Axis(5), Axis(7)
    x, y, o = buf("x", B, 5, 7), buf("y", B, 5, 7), buf("o", B, 5, 7)
    value = Load(x, (i, j, z)) * Load(y, (i, j, z)) + 1.0
    group = check([Compute(o, (i, j, z), value)], {x: rand(3, 5, 7), y: rand(3, 5, 7)}, {"B": 3})
    (loop,) = loops(group.kernel)
    assert (loop.kind, loop.lanes) == ("parallel", 64)
    assert group.kernel.extent == 35 * B
    assert group.kernel.grain % 64 == 0
    assert group.kernel.dims == ()


def test_text_of_bias_add():
    i, j = Axis(B), Axis(100)
    x, b, o = buf("x", B, 100), buf("b", 100), buf("o", B, 100)
    (kernel,) = lower("bias", [Compute(o, (i, j), Load(x, (i, j)) + Load(b, (j,)))])
    assert nest_text(kernel) == (
        "kernel bias(x:float32, b:float32) -> (o:float32)\n"
        "  dims () extent B grain 72\n"
        "  for i in 0..[B] parallel:\n"
        "    for j in 0..100 vector x16:\n"
        "      o[((i * 100) + j)] = (x[((i * 100) + j)] + b[j])\n"
    )


@pytest.mark.parametrize("shape", [(), (1,), (6,), (0,), (4, 1, 3), (2, 0, 3)])
def test_shapes_with_units_and_zeros(check, shape):
    axes = tuple(Axis(d) for d in shape)
    x, o = buf("x", *shape), buf("o", *shape)
    check([Compute(o, axes, k.exp(Load(x, axes)))], {x: rand(*shape)})


def test_scalar_group_has_no_loop(check):
    x, o = buf("x"), buf("o")
    group = check([Compute(o, (), Load(x, ()) * 2.0)], {x: rand()})
    assert loops(group.kernel) == [] and group.kernel.extent == 1


def test_broadcast_middle_axis(check):
    i, j, z = Axis(4), Axis(B), Axis(6)
    x, y, o = buf("x", 4, B, 6), buf("y", B), buf("o", 4, B, 6)
    value = Load(x, (i, j, z)) - Load(y, (j,))
    check([Compute(o, (i, j, z), value)], {x: rand(4, 3, 6), y: rand(3)}, {"B": 3})


def test_inner_axes_join_under_a_broadcast_row(check):
    i, j, z = Axis(B), Axis(4), Axis(6)
    x, y, o = buf("x", B, 4, 6), buf("y", 4, 6), buf("o", B, 4, 6)
    value = Load(x, (i, j, z)) - Load(y, (j, z))
    group = check([Compute(o, (i, j, z), value)], {x: rand(3, 4, 6), y: rand(4, 6)}, {"B": 3})
    assert len(loops(group.kernel)) == 2


def test_transpose_slices_and_negative_steps(check):
    i, j = Axis(5), Axis(B)
    x, o = buf("x", B, 12), buf("o", 5, B)
    transposed = Load(x, (j, i))
    stepped = Load(x, (j, i * 2 + 1))
    backwards = Load(x, (index(B) - 1 - j, const(11, int64) - i))
    value = transposed + stepped * backwards
    check([Compute(o, (i, j), value)], {x: rand(7, 12)}, {"B": 7})


def test_reverse_of_a_vector(check):
    i = Axis(B)
    x, o = buf("x", B), buf("o", B)
    check([Compute(o, (i,), Load(x, (index(B) - 1 - i,)))], {x: rand(70)}, {"B": 70})


def test_reshape_is_one_flat_loop(check):
    p = Axis(B * 12)
    x, o = buf("x", B, 3, 4), buf("o", B * 12)
    value = Load(x, (k.floordiv(p, 12), k.floormod(k.floordiv(p, 4), 3), k.floormod(p, 4)))
    group = check([Compute(o, (p,), value)], {x: rand(5, 3, 4)}, {"B": 5})
    assert "o[i] = x[i]" in nest_text(group.kernel)


def test_split_axis_by_symbol(check):
    i, j = Axis(B), Axis(N)
    x, o = buf("x", B * N), buf("o", B, N)
    value = Load(x, (i * index(N) + j,))
    group = check([Compute(o, (i, j), value)], {x: rand(12)}, {"B": 3, "N": 4})
    assert "o[i] = x[i]" in nest_text(group.kernel)


def test_two_outputs_share_loads(check):
    i, j = Axis(4), Axis(8)
    i2, j2 = Axis(4), Axis(8)
    x = buf("x", 4, 8)
    o, q = buf("o", 4, 8), buf("q", 4, 8, dtype=float64)
    computes = [
        Compute(o, (i, j), k.exp(Load(x, (i, j))) + 1.0),
        Compute(q, (i2, j2), k.cast(k.exp(Load(x, (i2, j2))), float64)),
    ]
    group = check(computes, {x: rand(4, 8)})
    assert nest_text(group.kernel).count("exp(") == 1
    assert group.kernel.outputs == (o, q)


def test_outputs_without_a_common_loop_become_two_kernels(check):
    i, j = Axis(4), Axis(6)
    x, y, o, q = buf("x", 4), buf("y", 6), buf("o", 4), buf("q", 6)
    computes = [Compute(o, (i,), -Load(x, (i,))), Compute(q, (j,), -Load(y, (j,)))]
    assert len(check(computes, {x: rand(4), y: rand(6)}).kernels) == 2


def test_integers_and_booleans(check):
    i = Axis(B)
    a, b = buf("a", B, dtype=int32), buf("b", B, dtype=int32)
    o, q = buf("o", B, dtype=int32), buf("q", B, dtype=bool_)
    x, y = Load(a, (i,)), Load(b, (i,))
    computes = [
        Compute(o, (i,), k.floordiv(x, y) + k.floormod(x, 3)),
        Compute(q, (i,), k.and_(k.lt(x, y), k.not_(k.eq(x, 2)))),
    ]
    rng = np.random.default_rng(0)
    left = rng.integers(-20, 20, 50, np.int32)
    group = check(computes, {a: left, b: rng.integers(1, 9, 50, np.int32)}, {"B": 50})
    assert group.kernel.flags and group.status == 0


def test_division_by_zero_is_flagged(check):
    i = Axis(3)
    a, b, o = (buf(n, 3, dtype=int32) for n in "abo")
    ints = np.array([1, 2, 3], np.int32)
    zeros = np.array([1, 0, 2], np.int32)
    group = check([Compute(o, (i,), k.floordiv(Load(a, (i,)), Load(b, (i,))))], {a: ints, b: zeros})
    assert group.status == 2


def test_division_of_an_index_by_a_constant_needs_no_status_word():
    i, x, o = Axis(10), buf("x", 5), buf("o", 10)
    (kernel,) = lower("g", [Compute(o, (i,), Load(x, (k.floordiv(i, 2),)))])
    assert not kernel.flags


def test_arange_value(check):
    i, j = Axis(3), Axis(4)
    o = buf("o", 3, 4)
    group = check([Compute(o, (i, j), k.cast(i * 4 + j, float32))], {})
    assert len(loops(group.kernel)) == 1


def test_key_ignores_names_and_symbols():
    def key(symbol, tag):
        d = SymDim.symbol(symbol)
        i, j = Axis(d), Axis(100)
        x, b, o = buf("x" + tag, d, 100), buf("b" + tag, 100), buf("o" + tag, d, 100)
        (kernel,) = lower(tag, [Compute(o, (i, j), Load(x, (i, j)) + Load(b, (j,)))])
        return kernel.key()

    assert key("B", "one") == key("C", "two")


def test_division_by_an_empty_extent_is_not_an_error(check):
    """Row numbers stand outside the inner loop, which does not run where N is 0."""
    i, j = Axis(B * 2), Axis(N)
    x, o = buf("x", B, N + 1), buf("o", B * 2, N)
    row = k.floordiv(i * index(N) + j, index(2 * N))
    column = k.floormod(i, index(N + 1))
    group = check([Compute(o, (i, j), Load(x, (row, column)))], {x: rand(3, 1)}, {"B": 3, "N": 0})
    assert group.status == 0
