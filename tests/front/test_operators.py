"""Python operators: names, dtypes and refusals as in TensorFlow 1."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.front.conftest import op_names


@pytest.fixture
def x() -> tf.Tensor:
    return tf.placeholder(tf.float32, [None, 3], name="x")


CASES = [
    ("add", lambda t: t + 2.0, lambda a: a + 2),
    ("add", lambda t: 2.0 + t, lambda a: a + 2),
    ("sub", lambda t: t - 2.0, lambda a: a - 2),
    ("sub", lambda t: 2.0 - t, lambda a: 2 - a),
    ("mul", lambda t: 3 * t, lambda a: 3 * a),
    ("truediv", lambda t: 1 / t, lambda a: 1 / a),
    ("floordiv", lambda t: t // 2, lambda a: a // 2),
    ("mod", lambda t: t % 2, lambda a: a % 2),
    ("pow", lambda t: t**2, lambda a: a**2),
    ("pow", lambda t: 2**t, lambda a: 2**a),
    ("Neg", lambda t: -t, lambda a: -a),
    ("Abs", lambda t: abs(t), lambda a: abs(a)),
    ("Less", lambda t: t < 2.0, lambda a: a < 2),
    ("LessEqual", lambda t: t <= 2.0, lambda a: a <= 2),
    ("Greater", lambda t: t > 2.0, lambda a: a > 2),
    ("GreaterEqual", lambda t: t >= 2.0, lambda a: a >= 2),
    ("matmul", lambda t: t @ np.ones((3, 2), np.float32), lambda a: a @ np.ones((3, 2))),
]


@pytest.mark.parametrize(("name", "build", "numpy"), CASES)
def test_operator_has_tf1_name_and_numpy_value(name, build, numpy, x, sess) -> None:
    y = build(x)
    a = np.array([[1, 2, 3], [-4, 5.5, 6]], np.float32)
    assert y.op.name == name
    np.testing.assert_allclose(sess.run(y, {x: a}), numpy(a), rtol=1e-6)


def test_names_of_operands_and_repeats() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    _ = (x + 1, 1 + x, x < 1, x >= x)
    assert op_names() == [
        "x", "add/y", "add", "add_1/x", "add_1", "Less/y", "Less", "GreaterEqual",
    ]  # fmt: skip


def test_integer_division_is_float64_truediv(sess) -> None:
    y = tf.constant(3) / 2
    assert (y.dtype, y.op.name) == (tf.float64, "truediv")
    assert sess.run(y) == 1.5
    assert sess.run(tf.constant(-7) // 2) == -4
    assert sess.run(tf.constant(-7) % 3) == 2
    assert (tf.constant(3, tf.int8) / 2).dtype == tf.float32


def test_logical_operators(sess) -> None:
    b = tf.constant([True, False])
    got = sess.run([b & True, b | True, b ^ b, ~b, True & b])
    np.testing.assert_array_equal(
        got, [[True, False], [True, True], [False, False], [False, True], [True, False]]
    )


def test_ndarray_on_the_left_takes_the_tensors_dtype(x, sess) -> None:
    y = np.ones((1, 3), np.float64) + x
    assert isinstance(y, tf.Tensor)
    assert y.dtype == tf.float32
    z = np.float32(2) * x
    assert isinstance(z, tf.Tensor)
    np.testing.assert_array_equal(sess.run(z, {x: [[1, 2, 3]]}), [[2, 4, 6]])


def test_equality_is_identity(x) -> None:
    y = x + 1
    assert x == x
    assert x != y
    assert {x: 1, y: 2}[x] == 1


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (lambda i: 1.5 + i, TypeError, "Expected int32, got 1.5 of type 'float' instead."),
        (lambda i: i + 1.5, TypeError, "Expected int32, got 1.5 of type 'float' instead."),
        (lambda i: i < 1.5, TypeError, "Expected int32 passed to parameter 'y' of op 'Less'"),
        (lambda i: i + tf.constant(1.0), ValueError, "Tensor conversion requested dtype int32"),
        (bool, TypeError, "Using a `tf.Tensor` as a Python `bool` is not allowed."),
        (list, TypeError, "Tensor objects are not iterable when eager execution is not enabled."),
        (len, TypeError, "len is not well defined for symbolic Tensors. (Const:0)"),
    ],
)
def test_refusals(build, error, text) -> None:
    with pytest.raises(error) as err:
        build(tf.constant(3))
    assert text in str(err.value)


def test_variables_have_the_operators(sess) -> None:
    v = tf.Variable([1.0, 2.0])
    y = 2.0 * v + np.array([1.0, 1.0]) - v / 2
    sess.run(v.initializer)
    np.testing.assert_allclose(sess.run(y), [2.5, 4.0])
    np.testing.assert_allclose(sess.run(-v), [-1, -2])
    np.testing.assert_allclose(sess.run(v[1]), 2)
