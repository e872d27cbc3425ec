"""Writes of rows by number: the compiled steps against NumPy, and updates of tables in place."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.runtime import cache
from graphc.runtime.rows import RowsCall

DTYPES = (np.float32, np.float64, np.int32, np.int64)
INDEX = (np.int32, np.int64)


def called(
    form: str, ids: Any, *arrays: Any, inner: int = 1, count: int = 0, drop: bool = False
) -> int:
    """Runs the kernel over these arrays; its status word."""
    kinds = [SimpleNamespace(dtype=SimpleNamespace(name=a.dtype.name)) for a in (ids, *arrays[:1])]
    rows = kinds[1] if form in ("add", "sub", "put", "sum") else None
    node: Any = None
    call = RowsCall(node, form, kinds[0], rows, None, None, len(ids), inner, count, drop)  # type: ignore[arg-type]
    address = cache.library(call.ir(), [call.kernel_name], name=call.kernel_name)[call.kernel_name]
    status = np.zeros(1, np.int64)
    pointers = [a.ctypes.data for a in (ids, *arrays)]
    slots = np.array([*pointers, *call.slots({}), status.ctypes.data], np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    function(slots.ctypes.data, 0, 1)
    return int(status[0])


@pytest.mark.parametrize("index", INDEX)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inner", [1, 3, 8, 19])
@pytest.mark.parametrize("n", [0, 1, 50])
def test_forms(index: Any, dtype: Any, inner: int, n: int) -> None:
    rng = np.random.default_rng(n + inner)
    ids = rng.integers(20, size=n).astype(index)
    rows = (rng.normal(size=(n, inner)) * 10).astype(dtype)
    base = (rng.normal(size=(20, inner)) * 10).astype(dtype)
    for form in ("add", "sub", "put", "sum"):
        got, want = base.copy(), np.zeros_like(base) if form == "sum" else base.copy()
        assert called(form, ids, rows, got, inner=inner, count=20) == 0
        for at, row in zip(ids, rows, strict=True):
            want[at] = {"sub": want[at] - row, "put": row}.get(form, want[at] + row)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "complex64"])
@pytest.mark.parametrize("inner", [1, 5, 40])
def test_rows_of_any_dtype_are_put(dtype: str, inner: int) -> None:
    rng = np.random.default_rng(inner)
    ids = rng.permutation(20)[:7].astype(np.int32)
    rows, got = (rng.integers(0, 2, (k, inner)).astype(dtype) for k in (7, 20))
    want = got.copy()
    want[ids] = rows
    assert called("put", ids, rows, got, inner=inner, count=20) == 0
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("index", INDEX)
@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_first_occurrence(index: Any, n: int) -> None:
    ids = (np.random.default_rng(n).integers(-20, 20, size=n) * 1_000_003).astype(index)
    first, words = np.full(n, -1, np.int32), np.empty(2 * n + 2, np.int32)
    called("first", ids, first, words)
    assert first.tolist() == [ids.tolist().index(v) for v in ids.tolist()]


def test_numbers_out_of_range_write_nothing() -> None:
    ids, rows = np.array([1, -1, 5], np.int32), np.ones((3, 2), np.float32)
    out = np.zeros((4, 2), np.float32)
    assert called("add", ids, rows, out, inner=2, count=4) == 1
    assert out.sum() == 2
    assert called("check", ids, count=6) == 1 and called("check", ids, count=6, drop=True) == 0
    wide = np.zeros((6, 2), np.float32)
    assert called("sum", ids, rows, wide, inner=2, count=6, drop=True) == 0
    assert wide.sum() == 4


# ------------------------------------------------------------------ in plans
OPTIMIZERS = {
    "sgd": lambda: tf.train.GradientDescentOptimizer(0.5),
    "momentum": lambda: tf.train.MomentumOptimizer(0.5, 0.9),
    "adagrad": lambda: tf.train.AdagradOptimizer(0.5),
    "adam": lambda: tf.train.AdamOptimizer(0.5),
    "rms_prop": lambda: tf.train.RMSPropOptimizer(0.5),
    "ftrl": lambda: tf.train.FtrlOptimizer(0.5),
}


def kinds(report: Any) -> list[str]:
    return [step.kind for step in report.steps]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_tables_are_updated_in_place(name: str) -> None:
    results = []
    ways: tuple[dict[str, Any], ...] = (
        {}, {"fuse": False}, {"backend": "reference"}, {"validate": True}
    )  # fmt: skip
    for config in (Config(**way) for way in ways):
        tf.reset_default_graph()
        table = tf.Variable(np.arange(12, dtype=np.float32).reshape(6, 2) / 10)
        other = tf.Variable(np.ones([6], np.float32))
        ids = tf.placeholder(tf.int32, [None])
        rows = tf.gather(table, ids)
        loss = tf.reduce_sum(tf.reduce_sum(rows * rows, 1) * tf.gather(other, ids))
        train = OPTIMIZERS[name]().minimize(loss)
        with tf.Session(config=config) as sess:
            sess.run(tf.global_variables_initializer())
            for batch in ([1, 3, 1], [5, 5, 5, 0], []):
                sess.run(train, {ids: batch})
            results.append(sess.run(tf.global_variables()))
            if config == Config():
                used = kinds(sess.explain(train, {ids: [1, 3, 1]}))
                assert "host" not in used and "copy" not in used, used
                assert used.count("rows") >= 2
    for got in results[1:]:
        for a, b in zip(results[0], got, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_number_out_of_range_changes_no_variable() -> None:
    tf.reset_default_graph()
    one, two = tf.Variable(tf.ones([3, 2])), tf.Variable(tf.ones([2]))
    ids = tf.placeholder(tf.int64, [None])
    with tf.control_dependencies([tf.scatter_add(one, ids, tf.ones([2, 2]))]):
        both = tf.scatter_update(two, ids, tf.zeros([2]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for bad in ([0, 2], [0, 3], [-1, 0]):
            with pytest.raises(tf.errors.InvalidArgumentError, match="indices"):
                sess.run(both, {ids: bad})
        a, b = sess.run([one, two])
        assert (a == 1).all() and (b == 1).all()
        sess.run(both.op, {ids: [0, 1]})
        a, b = sess.run([one, two])
        assert a.tolist() == [[2, 2], [2, 2], [1, 1]] and b.tolist() == [0, 0]


def test_readers_of_the_old_rows_come_first() -> None:
    tf.reset_default_graph()
    table = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2))
    before = table * 10.0
    update = tf.scatter_add(table, [1, 1], table[:2])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        old, _ = sess.run([before, update.op])
        np.testing.assert_array_equal(old, np.arange(6).reshape(3, 2) * 10)
        np.testing.assert_array_equal(sess.run(table), [[0, 1], [4, 7], [4, 5]])
        new = sess.run(update)
        np.testing.assert_array_equal(new, [[0, 1], [8, 15], [4, 5]])


def test_a_scatter_whose_rows_are_its_target() -> None:
    tf.reset_default_graph()
    table = tf.Variable(np.array([1, 2, 3], np.float32))
    swap = tf.scatter_update(table, [2, 1, 0], table)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(swap.op)
        assert sess.run(table).tolist() == [3, 2, 1]


def test_another_variable_keeps_the_old_value() -> None:
    tf.reset_default_graph()
    table, kept = tf.Variable(tf.zeros([4])), tf.Variable(tf.ones([4]))
    copy = kept.assign(table)
    with tf.control_dependencies([copy]):
        train = tf.group(copy, tf.scatter_add(table, [0, 0], [1.0, 2.0]))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(train)
        assert [v.tolist() for v in sess.run([table, kept])] == [[3, 0, 0, 0], [0, 0, 0, 0]]
