"""Namespaces that repeat names, and the checks that only they have."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def test_the_same_under_other_names(sess) -> None:
    assert tf.dtypes.cast is tf.cast and tf.dtypes.bool is tf.bool
    assert tf.dtypes.as_dtype("half") is tf.float16
    assert tf.debugging.assert_equal is tf.assert_equal
    assert tf.manip.roll is tf.roll and tf.manip.gather_nd is tf.gather_nd
    assert tf.version.VERSION == tf.VERSION and tf.version.GRAPH_DEF_VERSION > 20
    assert tf.graph_util.import_graph_def is tf.import_graph_def
    assert sess.run(tf.dtypes.as_string([1, 2])).tolist() == [b"1", b"2"]


def test_questions(sess) -> None:
    ask = [tf.debugging.is_strictly_increasing(v) for v in ([1, 2, 3], [1, 1], [[1], [0]], [5])]
    assert sess.run(ask) == [True, False, False, True]
    ask = [tf.is_non_decreasing(v) for v in ([1.0, 2.0, 2.0], [2.0, 1.0], [])]
    assert sess.run(ask) == [True, False, True]
    assert tf.is_numeric_tensor(tf.constant(1)) and tf.is_numeric_tensor(tf.Variable(1.0))
    assert not tf.is_numeric_tensor(tf.constant("a")) and not tf.is_numeric_tensor(3)


def test_assert_same_float_dtype() -> None:
    check = tf.debugging.assert_same_float_dtype
    assert check() is tf.float32
    assert check([tf.zeros([2], tf.float64), None], tf.float64) is tf.float64
    with pytest.raises(ValueError, match="expected float64, got float32"):
        check([tf.zeros([2], tf.float64), tf.zeros([2])])
    with pytest.raises(ValueError, match="Expected floating point type"):
        check([tf.constant(1)])


def test_ensure_shape(sess) -> None:
    x = tf.placeholder(tf.float32)
    y = tf.ensure_shape(x, [None, 3])
    assert y.shape.as_list() == [None, 3]
    assert sess.run(y, {x: np.ones((2, 3))}).shape == (2, 3)
    for wrong in (np.ones((2, 4)), np.ones(3)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected"):
            sess.run(y, {x: wrong})
    with pytest.raises(ValueError):
        tf.ensure_shape(tf.zeros([2, 4]), [None, 3])
    assert tf.ensure_shape(tf.zeros([2, 4]), None).shape.as_list() == [2, 4]


def test_assert_shapes(sess) -> None:
    x = tf.placeholder(tf.float32, [None, None])
    y = tf.placeholder(tf.float32, [None])
    check = tf.debugging.assert_shapes([(x, ("N", 2)), (y, ("N",))], message="shapes: ")
    sess.run(check, {x: np.ones((4, 2)), y: np.ones(4)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="shapes: Specified by tensor"):
        sess.run(check, {x: np.ones((4, 2)), y: np.ones(3)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible"):
        sess.run(check, {x: np.ones((4, 3)), y: np.ones(4)})
    with pytest.raises(ValueError):
        tf.debugging.assert_shapes([(tf.zeros([3]), (2,))])
