"""Whole groups: one pass per row, masked loads, gathers, memory in place, half types."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.ir.dtypes import bfloat16, float16, float32, int32, int64
from graphc.ir.shape import SymDim
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute, inline
from graphc.kernel.expr import Axis, Buffer, Cast, Load, Prim, Reduce, const, index
from graphc.kernel.lower import lower
from graphc.kernel.nest import nest_text
from graphc.kernel.verify import verify

B = SymDim.symbol("B")


def buf(name, *shape, dtype=float32):
    return Buffer(name, dtype, shape, name)


def rand(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def softmax_parts(x, axes):
    """(exp(x - max), its sum) at `axes`, made as a chain of Computes that is inlined."""
    i, j = Axis(x.shape[0]), Axis(x.shape[1])
    r, s = Axis(x.shape[1]), Axis(x.shape[1])
    top, shifted, total = buf("top", x.shape[0]), buf("shifted", *x.shape), buf("tot", x.shape[0])
    producers = {
        top: Compute(top, (i,), Reduce("max", (r,), Load(x, (i, r)), float32)),
        shifted: Compute(shifted, (i, j), k.exp(Load(x, (i, j)) - Load(top, (i,)))),
        total: Compute(total, (i,), Reduce("add", (s,), Load(shifted, (i, s)), float32)),
    }
    a, _ = axes
    return (
        inline(Load(shifted, axes), producers),
        inline(Load(total, (a,)), producers),
        inline(Load(top, (a,)), producers),
    )


# ------------------------------------------------------------------ one pass per row
def test_text_of_softmax():
    i, j = Axis(B), Axis(100)
    x, o = buf("x", B, 100), buf("o", B, 100)
    shifted, total, _ = softmax_parts(x, (i, j))
    (kernel,) = lower("softmax", [Compute(o, (i, j), shifted / total)])
    verify(kernel)
    assert nest_text(kernel) == (
        "kernel softmax(x:float32, o:float32) -> (o:float32)\n"
        "  dims () extent B grain 8 inplace 0=1\n"
        "  for i in 0..[B] parallel:\n"
        "    max0: float32 = max.identity\n"
        "    for r in 0..100 vector x16 reduces max0:\n"
        "      max0 <- x[((i * 100) + r)]\n"
        "    sum0: float32 = add.identity\n"
        "    for r1 in 0..100 vector x16 reduces sum0:\n"
        "      t0: float32 = exp((x[((i * 100) + r1)] - max0))\n"
        "      sum0 <- t0\n"
        "      o[((i * 100) + r1)] = t0\n"
        "    for j in 0..100 vector x16:\n"
        "      x0: float32 = o[((i * 100) + j)]\n"
        "      o[((i * 100) + j)] = (x0 / sum0)\n"
    )


def test_softmax_with_row_statistics_and_loss(check):
    """softmax, log-sum-exp and cross-entropy with integer labels in one kernel."""
    i, j = Axis(B), Axis(10)
    x, t = buf("x", B, 10), buf("t", B, dtype=int32)
    o, lse, loss = buf("o", B, 10), buf("lse", B), buf("loss", B)
    shifted, total, top = softmax_parts(x, (i, j))
    row = k.log(total) + top
    label = k.check_index(k.cast(Load(t, (i,)), int64), const(10, int64))
    computes = [
        Compute(o, (i, j), shifted / total),
        Compute(lse, (i,), row),
        Compute(loss, (i,), row - Load(x, (i, label))),
    ]
    labels = np.array([0, 9, 3], np.int32)
    group = check(computes, {x: rand(3, 10), t: labels}, {"B": 3})
    assert group.kernel.flags and group.status == 0
    assert nest_text(group.kernel).count("identity") == 2


def test_gradient_of_cross_entropy(check):
    i, j = Axis(B), Axis(10)
    x, t, g, o = buf("x", B, 10), buf("t", B, dtype=int32), buf("g", B), buf("o", B, 10)
    shifted, total, _ = softmax_parts(x, (i, j))
    hot = k.select(k.eq(k.cast(Load(t, (i,)), int64), j), const(1.0, float32), 0.0)
    value = (shifted / total - hot) * Load(g, (i,))
    data = {x: rand(4, 10), t: np.arange(4, dtype=np.int32), g: rand(4)}
    assert len(check([Compute(o, (i, j), value)], data, {"B": 4}).kernels) == 1


def test_layer_norm_is_one_kernel_with_shared_statistics(check):
    i, j, r, s = Axis(B), Axis(64), Axis(64), Axis(64)
    x, gamma, beta, o = buf("x", B, 64), buf("gamma", 64), buf("beta", 64), buf("o", B, 64)
    mean = Reduce("add", (r,), Load(x, (i, r)), float32) * (1 / 64)
    var = Reduce("add", (s,), k.square(Load(x, (i, s)) - mean), float32) * (1 / 64)
    value = (Load(x, (i, j)) - mean) * k.rsqrt(var + 1e-5) * Load(gamma, (j,)) + Load(beta, (j,))
    data = {x: rand(5, 64), gamma: rand(64), beta: rand(64)}
    text = nest_text(check([Compute(o, (i, j), value)], data, {"B": 5}).kernel)
    assert text.count("identity") == 2
    # once per row, in front of the loop over its elements
    assert text.index("rsqrt(") < text.index("for j")


def test_attention_scores_softmax_of_four_axes(check):
    h, q, kk, r, s = Axis(B), Axis(3), Axis(7), Axis(7), Axis(7)
    x, mask, o = buf("x", B, 3, 7), buf("mask", B, 7), buf("o", B, 3, 7)

    def score(at):
        return Load(x, (h, q, at)) * 0.5 + Load(mask, (h, at))

    top = Reduce("max", (r,), score(r), float32)
    total = Reduce("add", (s,), k.exp(score(s) - top), float32)
    value = k.exp(score(kk) - top) / total
    check([Compute(o, (h, q, kk), value)], {x: rand(2, 3, 7), mask: rand(2, 7)}, {"B": 2})


# ------------------------------------------------------------------ masks and gathers
def test_concat_of_three(check):
    i, j = Axis(B), Axis(9)
    a, b, c, o = buf("a", B, 2), buf("b", B, 4), buf("c", B, 3), buf("o", B, 9)
    left = Load(a, (i, j), k.lt(j, const(2, int64)))
    middle = Load(b, (i, j - 2), k.and_(k.ge(j, 2), k.lt(j, 6)))
    right = Load(c, (i, j - 6), k.ge(j, const(6, int64)))
    value = k.select(k.lt(j, 2), left, k.select(k.lt(j, 6), middle, right))
    data = {a: rand(4, 2), b: rand(4, 4), c: rand(4, 3)}
    group = check([Compute(o, (i, j), value)], data, {"B": 4})
    want = np.concatenate([data[a], data[b], data[c]], 1)
    np.testing.assert_array_equal(group.arrays[o], want)


def test_concat_along_a_symbolic_axis(check):
    i, j = Axis(B * 2), Axis(3)
    a, b, o = buf("a", B, 3), buf("b", B, 3), buf("o", B * 2, 3)
    n = index(B)
    value = k.select(k.lt(i, n), Load(a, (i, j), k.lt(i, n)), Load(b, (i - n, j), k.ge(i, n)))
    check([Compute(o, (i, j), value)], {a: rand(4, 3), b: rand(4, 3, seed=1)}, {"B": 4})


def test_pad_then_window_sum(check):
    """A padded producer inlined into a consumer that reads around each element."""
    p, i = Axis(B + 2), Axis(B)
    x, y, o = buf("x", B), buf("y", B + 2), buf("o", B)
    inside = k.and_(k.ge(p, const(1, int64)), k.le(p, index(B)))
    pad = Compute(y, (p,), k.exp(Load(x, (p - 1,), inside, const(-3.0, float32))))
    value = inline(Load(y, (i,)) + Load(y, (i + 1,)) + Load(y, (i + 2,)), {y: pad})
    group = check([Compute(o, (i,), value)], {x: rand(40)}, {"B": 40})
    # the middle one is always inside
    assert "exp(x[i])" in nest_text(group.kernel)


def test_masked_consumer_guards_the_producers_loads(check):
    i, j = Axis(8), Axis(5)
    x, y, o = buf("x", 5), buf("y", 5), buf("o", 8)
    producer = Compute(y, (j,), k.exp(Load(x, (j,))))
    mask = k.and_(k.ge(i, const(2, int64)), k.lt(i, const(7, int64)))
    value = inline(Load(y, (i - 2,), mask, const(9.0, float32)), {y: producer})
    group = check([Compute(o, (i,), value)], {x: rand(5)})
    assert group.arrays[o][0] == 9.0


def test_masked_gather_does_not_flag_what_is_masked(check):
    i, j = Axis(6), Axis(3)
    x, t, y, o = buf("x", 4), buf("t", 3, dtype=int64), buf("y", 3), buf("o", 6)
    at = k.check_index(Load(t, (j,)), const(4, int64))
    producer = Compute(y, (j,), Load(x, (at,)))
    value = inline(Load(y, (i,), k.lt(i, const(2, int64))), {y: producer})
    group = check([Compute(o, (i,), value)], {x: rand(4), t: np.array([1, 3, 99])})
    assert group.status == 0


def test_gather_rows_and_flag(check):
    i, j = Axis(B), Axis(6)
    x, t, o = buf("x", 20, 6), buf("t", B, dtype=int32), buf("o", B, 6)
    row = k.check_index(k.cast(Load(t, (i,)), int64), const(20, int64))
    compute = Compute(o, (i, j), Load(x, (row, j)))
    good = check([compute], {x: rand(20, 6), t: np.array([3, 19, 0], np.int32)}, {"B": 3})
    assert good.status == 0
    # the index is checked once per row
    assert nest_text(good.kernel).index("check_index") < nest_text(good.kernel).index("for j")
    bad = check([compute], {x: rand(20, 6), t: np.array([3, 20, -1], np.int32)}, {"B": 3})
    assert bad.status == 1


def test_one_hot_and_triangle(check):
    i, j = Axis(B), Axis(12)
    t, o, q = buf("t", B, dtype=int32), buf("o", B, 12), buf("q", B, 12)
    computes = [
        Compute(o, (i, j), k.cast(k.eq(k.cast(Load(t, (i,)), int64), j), float32)),
        Compute(q, (i, j), k.select(k.le(j, i), const(1.0, float32), 0.0)),
    ]
    check(computes, {t: np.array([0, 11, 5, 12, -1], np.int32)}, {"B": 5})


def test_max_pool(check):
    n, h, w, c = Axis(B), Axis(3), Axis(3), Axis(5)
    p, q = Axis(2), Axis(2)
    x, o = buf("x", B, 6, 6, 5), buf("o", B, 3, 3, 5)
    value = Reduce("max", (p, q), Load(x, (n, h * 2 + p, w * 2 + q, c)), float32)
    check([Compute(o, (n, h, w, c), value)], {x: rand(2, 6, 6, 5)}, {"B": 2})


# ------------------------------------------------------------------ memory in place
def test_softmax_in_place(check):
    i, j = Axis(B), Axis(30)
    x, o = buf("x", B, 30), buf("o", B, 30)
    shifted, total, _ = softmax_parts(x, (i, j))
    group = check([Compute(o, (i, j), shifted / total)], {x: rand(4, 30)}, {"B": 4},
                  inplace={o: x})  # fmt: skip
    assert group.kernel.inputs == group.kernel.outputs == (x,)


def test_two_outputs_when_one_overwrites_an_input(check):
    i = Axis(B)
    w, g, m = buf("w", B), buf("g", B), buf("m", B)
    w2, m2 = buf("w2", B), buf("m2", B)
    velocity = Load(m, (i,)) * 0.9 + Load(g, (i,))
    computes = [
        Compute(m2, (i,), velocity),
        Compute(w2, (i,), Load(w, (i,)) - velocity * 0.1 + Load(m, (i,))),
    ]
    check(computes, {w: rand(90), g: rand(90, seed=1), m: rand(90, seed=2)}, {"B": 90},
          inplace={m2: m, w2: w})  # fmt: skip


def test_old_value_is_read_before_its_memory_is_written(check):
    i = Axis(B)
    w, g, m, w2, m2 = (buf(n, B) for n in ("w", "g", "m", "w2", "m2"))
    computes = [
        Compute(m2, (i,), Load(g, (i,))),
        Compute(w2, (i,), Load(w, (i,)) - Load(m, (i,))),
    ]
    group = check(computes, {w: rand(90), g: rand(90, seed=1), m: rand(90, seed=2)}, {"B": 90},
                  inplace={m2: m, w2: w})  # fmt: skip
    assert nest_text(group.kernel).index("old0: float32 = m[i]") < nest_text(group.kernel).index(
        "m[i] = g[i]"
    )


def test_in_place_at_another_index_is_refused():
    i = Axis(B)
    x, o = buf("x", B), buf("o", B)
    compute = Compute(o, (i,), Load(x, (index(B) - 1 - i,)))
    with pytest.raises(ValueError, match="is read at"):
        lower("g", [compute], inplace={o: x})


def test_in_place_read_by_a_later_kernel_is_refused():
    i, r = Axis(B), Axis(B)
    x, o, s = buf("x", B), buf("o", B), buf("s")
    computes = [
        Compute(o, (i,), -Load(x, (i,))),
        Compute(s, (), Reduce("add", (r,), Load(x, (r,)), float32)),
    ]
    with pytest.raises(ValueError, match="is read after"):
        lower("g", computes, inplace={o: x})


def test_in_place_matrix_minus_its_column_sums_is_refused_or_right(check):
    i, j, r = Axis(8), Axis(5), Axis(8)
    x, o = buf("x", 8, 5), buf("o", 8, 5)
    total = Reduce("add", (r,), Load(x, (r, j)), float32)
    check([Compute(o, (i, j), Load(x, (i, j)) - total)], {x: rand(8, 5)}, inplace={o: x})


# ------------------------------------------------------------------ half types and checks
@pytest.mark.parametrize("dtype", [float16, bfloat16])
def test_half_types_compute_in_single(check, dtype):
    pytest.importorskip("ml_dtypes")
    i, r = Axis(B), Axis(40)
    x, o = buf("x", B, 40, dtype=dtype), buf("o", B, dtype=dtype)
    total = Reduce("add", (r,), k.exp(Cast(Load(x, (i, r)), float32)), float32)
    check([Compute(o, (i,), Cast(total, dtype))], {x: rand(3, 40).astype(dtype.np)}, {"B": 3},
          rtol=1e-2)  # fmt: skip


def test_arithmetic_in_half_is_refused():
    i = Axis(4)
    x, o = buf("x", 4, dtype=float16), buf("o", 4, dtype=float16)
    (kernel,) = lower("g", [Compute(o, (i,), Prim("neg", (Load(x, (i,)),), float16))])
    with pytest.raises(CompileError, match="arithmetic in float16"):
        verify(kernel)


def test_deep_chains_stay_readable_lines():
    i, x, o = Axis(B), buf("x", B), buf("o", B)
    value = Load(x, (i,))
    for _ in range(100):
        value = k.tanh(value) + 1.0
    (kernel,) = lower("g", [Compute(o, (i,), value)])
    verify(kernel)
    assert max(map(len, nest_text(kernel).splitlines())) < 120


def test_long_chain_of_producers_is_inlined_without_recursion(check):
    producers, previous = {}, buf("x", B)
    first = previous
    for n in range(300):
        i = Axis(B)
        here = buf(f"y{n}", B)
        producers[here] = Compute(here, (i,), Load(previous, (i,)) * 0.5 + Load(previous, (i,)))
        previous = here
    j, o = Axis(B), buf("o", B)
    value = inline(Load(previous, (j,)) * Load(previous, (j,)), producers)
    check([Compute(o, (j,), value)], {first: rand(8) * 0}, {"B": 8})


def test_rows_of_three_are_lanes(check):
    i, j = Axis(B), Axis(3)
    x, o = buf("x", B, 3), buf("o", B, 3)
    shifted, total, _ = softmax_parts(x, (i, j))
    group = check([Compute(o, (i, j), shifted / total)], {x: rand(90, 3)}, {"B": 90})
    assert "parallel x" in nest_text(group.kernel) and "vector" not in nest_text(group.kernel)
