"""The verifier: each broken nest is refused with a message that says what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphc.errors import CompileError
from graphc.ir.dtypes import bool_, float32, int64
from graphc.ir.shape import SymDim
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute
from graphc.kernel.expr import Axis, Buffer, Const, Load, Local, Prim, Reduce, Select, const, index
from graphc.kernel.lower import lower
from graphc.kernel.nest import Accum, For, Let, Store, Update
from graphc.kernel.verify import verify

B = SymDim.symbol("B")
X, Y, OUT = (Buffer(n, float32, (B, 8), n) for n in "xyo")
S = Buffer("s", float32, (B,), "s")


def flat():
    i, j = Axis(B), Axis(8)
    (kernel,) = lower("flat", [Compute(OUT, (i, j), k.exp(Load(X, (i, j))) + Load(Y, (i, j)))])
    return kernel


def rows():
    i, r = Axis(B), Axis(8)
    (kernel,) = lower("rows", [Compute(S, (i,), Reduce("add", (r,), Load(X, (i, r)), float32))])
    return kernel


def with_body(kernel, *stmts):
    return replace(kernel, body=(replace(kernel.body[0], body=tuple(stmts)),))


def refused(kernel, message):
    with pytest.raises(CompileError, match=message):
        verify(kernel)


def test_lowered_kernels_pass():
    verify(flat())
    verify(rows())


def test_undefined_local():
    kernel = flat()
    axis = kernel.body[0].axis
    refused(with_body(kernel, Store(OUT, axis, Local("t9", float32))), "t9 is used where it has no")


def test_local_used_outside_its_loop():
    kernel = rows()
    accum, loop, store = kernel.body[0].body
    local = Local("q", float32)
    inner = replace(loop, body=(Let(local, const(1.0, float32)), *loop.body))
    bad = with_body(kernel, accum, inner, Store(store.buffer, store.offset, local))
    refused(bad, "q is used where it has no value")


def test_local_defined_twice():
    kernel = flat()
    (store,) = kernel.body[0].body
    let = Let(Local("t0", float32), const(1.0, float32))
    refused(with_body(kernel, let, let, store), "t0 is defined twice")


def test_dtypes_disagree():
    kernel = flat()
    axis = kernel.body[0].axis
    refused(with_body(kernel, Store(OUT, axis, const(1, int64))), "int64 where float32 is needed")
    refused(with_body(kernel, Store(OUT, const(1.0, float32), const(1.0, float32))), "offset")
    mixed = Prim("add", (Load(X, (axis,), flat=True), const(1, int64)), float32)
    refused(with_body(kernel, Store(OUT, axis, mixed)), "int64 where float32 is needed")


def test_undeclared_buffers():
    kernel = flat()
    axis = kernel.body[0].axis
    refused(with_body(kernel, Store(S, axis, const(1.0, float32))), "not an output")
    refused(with_body(kernel, Store(OUT, axis, Load(S, (axis,), flat=True))), "not an input")


def test_offsets_are_flat():
    kernel = flat()
    axis = kernel.body[0].axis
    refused(with_body(kernel, Store(OUT, axis, Load(X, (axis, axis)))), "not a flat offset")


def test_masks_are_booleans():
    kernel = flat()
    axis = kernel.body[0].axis
    load = Load(X, (axis,), axis, const(0.0, float32), flat=True)
    refused(with_body(kernel, Store(OUT, axis, load)), "bool is needed")
    chosen = Select(axis, const(0.0, float32), const(1.0, float32))
    refused(with_body(kernel, Store(OUT, axis, chosen)), "bool is needed")


def test_missing_dimension():
    kernel = flat()
    axis = kernel.body[0].axis
    store = Store(OUT, axis + index(B), const(1.0, float32))
    refused(with_body(kernel, store), "B is not a parameter")


def test_parallel_loop_is_alone_and_outermost():
    kernel = flat()
    store = Store(OUT, Const(0, int64), const(1.0, float32))
    refused(replace(kernel, body=(*kernel.body, store)), "only statement")
    outer = For(Axis(2, "q"), Const(0, int64), Const(2, int64), kernel.body)
    refused(replace(kernel, body=(outer,), extent=1), "must be the outermost")
    refused(replace(kernel, body=(store,)), "without a parallel loop")


def test_vector_loops_do_not_nest():
    kernel = flat()
    (store,) = kernel.body[0].body
    inner = For(Axis(4, "q"), Const(0, int64), Const(4, int64), (store,), "vector", 16)
    refused(with_body(kernel, inner), "a vector loop inside a vector loop")


def test_accumulators():
    kernel = rows()
    accum, loop, store = kernel.body[0].body
    refused(with_body(kernel, loop, store), "is no accumulator")
    refused(with_body(kernel, accum, store), "is never updated")
    nowhere = replace(loop, body=(Update(Local("z", float32), const(1.0, float32)),))
    refused(with_body(kernel, accum, nowhere, store), "z is updated but is no accumulator")
    without = Accum(Local("p", int64), "argmax", int64)
    refused(with_body(kernel, without, accum, loop, store), "its best do not fit")


def test_index_checks_need_a_status_word():
    kernel = flat()
    axis = kernel.body[0].axis
    checked = k.check_index(axis, const(8, int64))
    store = Store(OUT, axis, Load(X, (checked,), flat=True))
    refused(with_body(kernel, store), "takes no status word")
    verify(replace(with_body(kernel, store), flags=True))


def test_reductions_left_over():
    kernel = flat()
    axis = kernel.body[0].axis
    left = Reduce("and", (Axis(3),), const(True, bool_), bool_)
    value = Select(left, const(0.0, float32), const(1.0, float32))
    refused(with_body(kernel, Store(OUT, axis, value)), "a reduction is left over")
