"""SparseTensor: what it tells, how it is fed and fetched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


def test_a_sparse_tensor_of_constants_is_fetched_as_its_value() -> None:
    x = tf.SparseTensor(indices=[[0, 0], [1, 2]], values=[1, 2], dense_shape=[3, 4])
    assert x.dtype == tf.int32 and x.indices.dtype == tf.int64
    assert x.get_shape().as_list() == [3, 4] and x.graph is tf.get_default_graph()
    with tf.Session() as sess:
        got, doubled = sess.run([x, x.values * 2])
        assert isinstance(got, tf.SparseTensorValue)
        np.testing.assert_array_equal(got.indices, [[0, 0], [1, 2]])
        np.testing.assert_array_equal(got.values, [1, 2])
        np.testing.assert_array_equal(got.dense_shape, [3, 4])
        np.testing.assert_array_equal(doubled, [2, 4])
        np.testing.assert_array_equal(x.eval().values, [1, 2])
        np.testing.assert_array_equal(sess.run({"a": x})["a"].values, [1, 2])


def test_placeholders_take_values_tuples_and_parts() -> None:
    x = tf.sparse_placeholder(tf.float32, [None, 3], name="x")
    assert x.values.name == "x/values:0" and x.dense_shape.name == "x/shape:0"
    assert x.get_shape().as_list() == [None, 3] and x.indices.get_shape().as_list() == [None, 2]
    y = x.values * 2.0
    indices, values, shape = np.array([[0, 1], [2, 2]]), np.array([1.5, 2.0]), [3, 3]
    with tf.Session() as sess:
        for feed in (
            {x: tf.SparseTensorValue(indices, values, shape)},
            {x: (indices, values, shape)},
            {x.indices: indices, x.values: values, x.dense_shape: shape},
        ):
            got, twice = sess.run([x, y], feed)
            np.testing.assert_array_equal(got.indices, indices)
            np.testing.assert_array_equal(twice, [3.0, 4.0])
        with pytest.raises(ValueError, match="SparseTensorValue"):
            sess.run(x, {x: 3})
        with pytest.raises(tf.errors.InvalidArgumentError, match="x/values"):
            sess.run(y)


def test_placeholders_of_unknown_and_of_full_shape() -> None:
    free = tf.sparse_placeholder(tf.int64)
    assert free.get_shape().ndims is None
    fixed = tf.sparse_placeholder(tf.int64, [2, 5])
    assert fixed.get_shape().as_list() == [2, 5]
    with tf.Session() as sess:
        got = sess.run(free, {free: ([[1, 2, 3]], [4], [5, 5, 5])})
        np.testing.assert_array_equal(got.dense_shape, [5, 5, 5])
        got = sess.run(fixed, {fixed: ([[1, 2]], [4], [2, 5])})
        np.testing.assert_array_equal(got.indices, [[1, 2]])


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError):
        tf.SparseTensor([[1, 2]], [1, 2], [3, 3])
    with pytest.raises(ValueError):
        tf.SparseTensor([[1, 2]], [1], [3])
    with pytest.raises(ValueError):
        tf.SparseTensor([1], [1], [3])


def test_conversions() -> None:
    value = tf.SparseTensorValue([[0]], [1.0], [2])
    made = tf.SparseTensor.from_value(value)
    assert tf.convert_to_tensor_or_sparse_tensor(made) is made
    assert isinstance(tf.convert_to_tensor_or_sparse_tensor(value), tf.SparseTensor)
    assert isinstance(tf.convert_to_tensor_or_sparse_tensor([1, 2]), tf.Tensor)
    with pytest.raises(RuntimeError, match="Sparse dtype: requested = int32, actual = float32"):
        tf.convert_to_tensor_or_sparse_tensor(made, tf.int32)
    with pytest.raises(TypeError, match="Neither a SparseTensor nor SparseTensorValue"):
        tf.SparseTensor.from_value([1])
    with pytest.raises(TypeError, match="sparse_tensor_to_dense"):
        tf.convert_to_tensor(made)


def test_a_sparse_tensor_orders_what_follows() -> None:
    x = tf.SparseTensor([[0]], [1.0], [2])
    with tf.control_dependencies([x]):
        y = tf.constant(3)
    assert x.op in y.op.control_inputs
