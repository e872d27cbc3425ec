"""Small functions: tf.repeat, tf.print, tf.switch_case and their kin."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def printed(sess, *values, **options) -> str:
    stream = io.StringIO()
    sess.run(tf.print(*values, output_stream=stream, **options))
    return stream.getvalue()


def test_print_writes_what_tensorflow_writes(sess) -> None:
    assert printed(sess, tf.range(10)) == "[0 1 2 ... 7 8 9]\n"
    cube = tf.constant(np.arange(24).reshape(2, 3, 4))
    assert printed(sess, "a:", cube, tf.constant(1.0), 3, summarize=2) == (
        "a: [[[0 1 2 3]\n  [4 5 6 7]\n  [8 9 10 11]]\n\n [[12 13 14 15]\n  [16 17 18 19]\n"
        "  [20 21 22 23]]] 1 3\n"
    )
    numbers = tf.constant([1.5, 0.1, 1e10, np.nan, -np.inf, 1e-8])
    assert printed(sess, numbers, summarize=-1) == "[1.5 0.1 1e+10 nan -inf 1e-08]\n"
    assert printed(sess, tf.constant("hi"), tf.constant(["a", "b"]), sep="|", end="!\n") == \
        '"hi"|["a" "b"]!\n'  # fmt: skip
    nested = {"k": tf.constant([True, False]), "l": [tf.constant(1), (2, tf.constant(3.25))]}
    assert printed(sess, nested) == "{'k': [1 0], 'l': [1, (2, 3.25)]}\n"
    table = tf.constant(np.arange(100.0).reshape(10, 10))
    assert printed(sess, table) == (
        "[[0 1 2 ... 7 8 9]\n [10 11 12 ... 17 18 19]\n [20 21 22 ... 27 28 29]\n ...\n"
        " [70 71 72 ... 77 78 79]\n [80 81 82 ... 87 88 89]\n [90 91 92 ... 97 98 99]]\n"
    )
    assert printed(sess, tf.constant([[0.1, 0.2]]) / 3) == "[[0.0333333351 0.0666666701]]\n"
    assert printed(sess) == "\n"
    assert printed(sess, tf.constant(1 + 2j), tf.zeros([0, 3])) == "(1,2) []\n"


def test_where_prints_go(sess, capsys, tmp_path) -> None:
    x = tf.placeholder(tf.float32, [])
    with tf.control_dependencies([tf.print("x =", x)]):
        y = x + 1.0
    assert sess.run(y, {x: 2.0}) == 3
    assert capsys.readouterr().err == "x = 2\n"
    sess.run(tf.print("out", output_stream=sys.stdout))
    assert capsys.readouterr().out == "out\n"
    path = tmp_path / "log"
    op = tf.print("line", output_stream=f"file://{path}")
    sess.run(op)
    sess.run(op)
    assert path.read_text() == "line\nline\n"
    said = []
    sess.run(tf.print("to a function", output_stream=said.append))
    assert said == ["to a function"]
    with pytest.raises(ValueError, match="Unknown output stream"):
        tf.print("x", output_stream=3)


def test_repeat(sess) -> None:
    x = np.arange(6).reshape(2, 3)
    cases = [((2, None), {}), ((2, 0), {}), (([1, 0, 2], 1), {}), (([3, 1], -2), {})]
    for (repeats, axis), _ in cases:
        got = sess.run(tf.repeat(x, repeats, axis))
        np.testing.assert_array_equal(got, np.repeat(x, repeats, axis))
    n = tf.placeholder(tf.int32, [None])
    got = sess.run(tf.repeat(tf.constant([1.0, 2.0]), n), {n: [0, 3]})
    assert got.tolist() == [2, 2, 2]
    assert tf.repeat(x, 2, axis=0).shape.as_list() == [4, 3]


def test_switch_case(sess) -> None:
    index = tf.placeholder(tf.int32, [])
    x = tf.constant(10.0)
    fns = [lambda: x + 1.0, lambda: x * 2.0, lambda: -x]
    plain = tf.switch_case(index, fns)
    keyed = tf.switch_case(index, {3: fns[0], 5: fns[1]}, default=fns[2])
    assert [sess.run(plain, {index: k}) for k in (0, 1, 2, 7, -1)] == [11, 20, -10, -10, -10]
    assert [sess.run(keyed, {index: k}) for k in (3, 5, 0)] == [11, 20, -10]
    with pytest.raises(ValueError, match="at least one"):
        tf.switch_case(index, [])
    with pytest.raises(TypeError, match="callables"):
        tf.switch_case(index, [x])


def test_maps_gradients_and_names(sess) -> None:
    rows = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    assert sess.run(tf.vectorized_map(lambda r: tf.reduce_sum(r), rows)).tolist() == [3, 7]
    x = tf.constant([0.3, 1.7])
    y = tf.grad_pass_through(tf.round)(x)
    value, slope = sess.run([y, tf.gradients(y * 3.0, x)[0]])
    assert value.tolist() == [0, 2] and slope.tolist() == [3, 3]
    f = tf.recompute_grad(lambda v: tf.square(v))
    assert sess.run(tf.gradients(f(x), x)[0]) == pytest.approx([0.6, 3.4])
    a, b = tf.identity_n([x, rows])
    assert a is not x and sess.run(b).shape == (2, 2)
    assert tf.dimension_value(x.shape[0]) == 2 and tf.dimension_value(None) is None
    assert tf.dimension_at_index(rows.shape, 1).value == 2
    bins = tf.histogram_fixed_width_bins([-1.0, 0.0, 1.5, 2.0, 5.0, 15.0], [0.0, 5.0], nbins=5)
    assert sess.run(bins).tolist() == [0, 0, 1, 2, 4, 4]
    slices = tf.IndexedSlices(x, tf.constant([0, 1]))
    assert tf.convert_to_tensor_or_indexed_slices(slices) is slices
    assert tf.VariableAggregation.MEAN.value == 2 and tf.UnconnectedGradients.NONE.value == "none"
    with tf.control_dependencies([tf.no_op()]), tf.init_scope():
        assert not tf.identity(x).op.control_inputs
