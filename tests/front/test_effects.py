"""Ops that run for what they do: tf.Print, tf.Assert, tf.py_func and the check ops."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

CONFIGS = {"compiled": tf.Config(), "reference": tf.Config(backend="reference")}


@pytest.fixture(params=CONFIGS)
def sess(request) -> tf.Session:
    return tf.Session(options=CONFIGS[request.param])


def test_print_is_an_identity_that_prints_to_stderr_when_run(sess, capsys) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.Print(x, [x, tf.shape(x)], "x: ", summarize=2) * 2
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(sess.run(y, {x: [1, 2, 3]}), [2, 4, 6])
    assert capsys.readouterr().err == "x: [1.0 2.0...][3]\n"


def test_print_stops_after_first_n(sess, capsys) -> None:
    p = tf.Print(tf.constant(1.0), ["on"], first_n=2)
    for _ in range(4):
        sess.run(p)
    assert capsys.readouterr().err.count("[on]") == 2


def test_print_passes_gradients(sess) -> None:
    x = tf.placeholder(tf.float32, [2])
    (g,) = tf.gradients(tf.reduce_sum(tf.square(tf.Print(x, [x], first_n=0))), x)
    np.testing.assert_array_equal(sess.run(g, {x: [1, 2]}), [2, 4])


def test_assert_stops_the_run_before_variables_change(sess) -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    v = tf.Variable(1.0)
    with tf.control_dependencies([tf.Assert(tf.reduce_all(x > 0), [x])]):
        update = tf.assign_add(v, 1.0)
    sess.run(tf.global_variables_initializer())
    assert sess.run(update, {x: [1]}) == 2
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"assertion failed: \[-1.0\]") as err:
        sess.run(update, {x: [-1]})
    assert "test_effects.py" in str(err.value)
    assert sess.run(v) == 2


def test_an_assert_that_nothing_asks_for_does_not_run(sess) -> None:
    tf.Assert(tf.constant(False), ["never"])
    assert sess.run(tf.constant(3)) == 3


def test_py_func_runs_once_a_run_and_decides_shapes(sess) -> None:
    calls = []

    def positive(a):
        calls.append(a.shape)
        return a[a > 0]

    x = tf.placeholder(tf.float32, [None])
    kept = tf.py_func(positive, [x], tf.float32)
    assert kept.shape.ndims is None
    total = tf.reduce_sum(kept) + tf.cast(tf.size(kept), tf.float32)
    got = sess.run([total, kept], {x: [-1, 2, 3]})
    assert got[0] == 7
    np.testing.assert_array_equal(got[1], [2, 3])
    assert sess.run(total, {x: [1, 1, 1, -1]}) == 6
    assert calls == [(3,), (4,)]


def test_py_func_with_several_outputs_and_strings(sess) -> None:
    x = tf.placeholder(tf.float32, [2])
    a, b = tf.py_func(lambda v: (v * 2, "two"), [x], [tf.float32, tf.string])
    a.set_shape([2])
    np.testing.assert_array_equal(sess.run(a + 1, {x: [1, 2]}), [3, 5])
    assert sess.run(b, {x: [1, 2]}) == b"two"


def test_py_func_says_how_many_values_came(sess) -> None:
    f = tf.py_func(lambda: (1.0, 2.0), [], [tf.float32])
    with pytest.raises(tf.errors.InvalidArgumentError, match="returns 2 values, but expects"):
        sess.run(f)


def test_check_ops_decide_statically_or_when_run(sess) -> None:
    x = tf.placeholder(tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Condition x == y did not hold"):
        tf.assert_equal(tf.constant([1, 2]), tf.constant([1, 3]))
    with pytest.raises(ValueError, match="must have rank 2"):
        tf.assert_rank(tf.constant([1.0]), 2)
    with tf.control_dependencies([tf.assert_positive(x), tf.assert_rank(x, 1)]):
        y = tf.identity(x)
    np.testing.assert_array_equal(sess.run(y, {x: [1, 2]}), [1, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="did not hold element-wise"):
        sess.run(y, {x: [1, -2]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have rank 1"):
        sess.run(y, {x: [[1.0]]})


def test_type_checks() -> None:
    with pytest.raises(TypeError, match="integer type"):
        tf.assert_integer(tf.constant(1.0))
    with pytest.raises(TypeError, match="must be of type"):
        tf.assert_type(tf.constant(1.0), tf.int32)
    tf.assert_integer(tf.constant(1))
    assert tf.assert_scalar(tf.constant(1.0)).shape.ndims == 0
    with pytest.raises(TypeError, match="proper"):
        tf.assert_proper_iterable("text")


# ------------------------------------------------------------------ order
def test_effects_keep_their_order_where_passes_make_an_early_one_anew() -> None:
    tf.reset_default_graph()
    table = tf.contrib.lookup.MutableHashTable(tf.string, tf.int64, -1)
    known = tf.contrib.lookup.index_table_from_tensor(["a", "b"], num_oov_buckets=3)
    words = tf.placeholder(tf.string, [None])
    # the number is a chain of ops that passes rewrite; the words are not
    with tf.control_dependencies([table.insert(words, known.lookup(words))]):
        found = table.lookup(words)
    for config in (tf.Config(), tf.Config(backend="reference"), tf.Config(fuse=False)):
        with tf.Session(options=config) as sess:
            sess.run(tf.tables_initializer())
            assert sess.run(found, {words: ["b", "z"]}).tolist() == [1, 3]
