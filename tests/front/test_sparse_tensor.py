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


def test_functions_of_tensors_take_sparse_ones() -> None:
    x = tf.SparseTensor([[0, 1], [2, 0]], [-4.0, 9.0], [3, 2])
    with tf.Session() as sess:
        for fn, want in (
            (tf.abs, [4, 9]), (tf.negative, [4, -9]), (tf.square, [16, 81]), (tf.sign, [-1, 1]),
            (tf.tanh, np.tanh([-4, 9])),
        ):  # fmt: skip
            np.testing.assert_allclose(sess.run(fn(x)).values, want, rtol=1e-6)
        assert sess.run(tf.cast(x, tf.int64)).values.dtype == np.int64
        same = tf.identity(x)
        assert same is not x and sess.run(same).values.tolist() == [-4, 9]
        assert [tf.shape(x).eval().tolist(), tf.size(x).eval(), tf.rank(x).eval()] == [[3, 2], 6, 2]
        dense = sess.run(tf.sparse_matmul([[1.0, 0.0]], [[2.0], [3.0]], a_is_sparse=True))
        np.testing.assert_array_equal(dense, [[2.0]])
        made = sess.run(tf.contrib.layers.dense_to_sparse([[7, 0], [0, 2]]))
        np.testing.assert_array_equal(made.values, [7, 2])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_graph_network_of_sparse_placeholders_trains(backend: str) -> None:
    rng = np.random.default_rng(0)
    n, classes = 60, 3
    kinds = rng.integers(classes, size=n)
    same = kinds[:, None] == kinds[None, :]
    links = ((rng.random((n, n)) < 0.3) & same).astype(np.float32) + np.eye(n, dtype=np.float32)
    words = (rng.random((n, 20)) < 0.3).astype(np.float32)
    support = tf.sparse_placeholder(tf.float32, name="support")
    features = tf.sparse_placeholder(tf.float32, shape=tf.constant([n, 20], tf.int64))
    keep, entries = tf.placeholder_with_default(1.0, []), tf.placeholder(tf.int32)
    labels = tf.placeholder(tf.int32, [n])
    kept = tf.cast(tf.floor(keep + tf.random_uniform([entries], seed=3)), tf.bool)
    dropped = tf.sparse_retain(features, kept) * (1.0 / keep)
    w1 = tf.get_variable("w1", [20, 8], initializer=tf.random_normal_initializer(seed=1))
    w2 = tf.get_variable("w2", [8, classes], initializer=tf.random_normal_initializer(seed=2))
    hidden = tf.nn.relu(
        tf.sparse_tensor_dense_matmul(support, tf.sparse_tensor_dense_matmul(dropped, w1))
    )
    logits = tf.sparse_tensor_dense_matmul(support, tf.matmul(hidden, w2))
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )
    train = tf.train.AdamOptimizer(0.02).minimize(loss)
    hits = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, labels, 1), tf.float32))

    def value(a: Any) -> tf.SparseTensorValue:
        at = np.argwhere(a)
        return tf.SparseTensorValue(at, a[tuple(at.T)], a.shape)

    feed = {
        support: value(links / links.sum(1, keepdims=True)), features: value(words), labels: kinds,
        entries: int((words != 0).sum()), keep: 0.9,
    }  # fmt: skip
    with tf.Session(options=tf.Config(backend=backend)) as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(60):
            sess.run(train, feed)
        assert sess.run(hits, {**feed, keep: 1.0}) > 0.9


def test_entries_may_be_none_at_all() -> None:
    x = tf.sparse_placeholder(tf.float32, [3, 4])
    other = tf.SparseTensor([[1, 1]], [5.0], [3, 4])
    fetches = [
        tf.sparse_tensor_to_dense(x), tf.sparse_tensor_dense_matmul(x, tf.ones([4, 2])),
        tf.sparse_reduce_sum(x, 1), tf.sparse_softmax(x), tf.sparse_add(x, other),
        tf.sparse_reorder(x), tf.sparse_concat(1, [x, other]), tf.sparse_reset_shape(x),
    ]  # fmt: skip
    none = tf.SparseTensorValue(np.zeros((0, 2), np.int64), np.zeros(0, np.float32), [3, 4])
    with tf.Session() as sess:
        for value in (none, tf.SparseTensorValue([[2, 3]], [7.0], [3, 4]), none):
            got = sess.run(fetches, {x: value})
            dense = np.zeros((3, 4), np.float32)
            dense[tuple(np.asarray(value.indices).T)] = value.values
            np.testing.assert_array_equal(got[0], dense)
            np.testing.assert_array_equal(got[1], dense @ np.ones((4, 2)))
            np.testing.assert_array_equal(got[2], dense.sum(1))
            assert len(got[3].values) == len(got[5].values) == len(value.values)
            assert got[4].values.sum() == got[6].values.sum() == dense.sum() + 5
        assert got[7].dense_shape.tolist() == [0, 0]


def _zero_where(condition: Any, x: Any) -> Any:
    return np.where(condition, x, 0)


UNKNOWN_RANK: dict[str, Any] = {
    "dense": (lambda x: tf.sparse_tensor_to_dense(x), lambda d: d),
    "product": (lambda x: tf.sparse_tensor_dense_matmul(x, tf.eye(4)), lambda d: d),
    "sum": (lambda x: tf.sparse_reduce_sum(x), lambda d: d.sum()),
    "sum of rows": (lambda x: tf.sparse_reduce_sum(x, 1), lambda d: d.sum(1)),
    "kept": (lambda x: tf.sparse_reduce_sum(x, [1, -2], True), lambda d: d.sum(keepdims=True)),
    "added": (lambda x: tf.sparse_tensor_to_dense(tf.sparse_add(x, x)), lambda d: 2 * d),
    "retained": (
        lambda x: tf.sparse_tensor_to_dense(tf.sparse_retain(x, x.values > 0)),
        lambda d: _zero_where(d > 0, d),
    ),
    "reordered": (lambda x: tf.sparse_tensor_to_dense(tf.sparse_reorder(x)), lambda d: d),
    "transposed": (lambda x: tf.sparse_tensor_to_dense(tf.sparse_transpose(x)), lambda d: d.T),
    "reshaped": (
        lambda x: tf.sparse_tensor_to_dense(tf.sparse_reshape(x, [2, -1])),
        lambda d: d.reshape(2, -1),
    ),
    "sliced": (
        lambda x: tf.sparse_tensor_to_dense(tf.sparse_slice(x, [0, 1], [2, 3])),
        lambda d: d[:2, 1:],
    ),
    "scaled": (
        lambda x: tf.sparse_tensor_to_dense(x * tf.constant([1.0, 2.0, 3.0, 4.0])),
        lambda d: d * [1, 2, 3, 4],
    ),
    "joined": (
        lambda x: tf.sparse_tensor_to_dense(tf.sparse_concat(-1, [x, x])),
        lambda d: np.concatenate([d, d], 1),
    ),
    "split": (
        lambda x: tf.sparse_tensor_to_dense(tf.sparse_split(sp_input=x, num_split=2, axis=1)[1]),
        lambda d: d[:, 2:],
    ),
    "in a branch": (
        lambda x: tf.cond(
            x.values[0] > 0, lambda: tf.sparse_tensor_to_dense(x), lambda: tf.zeros([3, 4])
        ),
        lambda d: d,
    ),
    "in a loop": (
        lambda x: tf.while_loop(
            lambda i, a: i < 3,
            lambda i, a: (i + 1, a + tf.sparse_tensor_dense_matmul(x, tf.ones([4, 1]))),
            [0, tf.zeros([3, 1])],
        )[1],
        lambda d: 3 * d.sum(1, keepdims=True),
    ),
}


@pytest.mark.parametrize("name", UNKNOWN_RANK)
def test_placeholders_of_unknown_rank_go_anywhere(name: str) -> None:
    build, want = UNKNOWN_RANK[name]
    x = tf.sparse_placeholder(tf.float32)
    at = np.array([[0, 1], [0, 3], [1, 0], [2, 2]])
    values = np.array([1.0, -2.0, 3.0, 4.0], np.float32)
    dense = np.zeros((3, 4), np.float32)
    dense[tuple(at.T)] = values
    with tf.Session() as sess:
        got = sess.run(build(x), {x: (at, values, [3, 4])})
    np.testing.assert_allclose(got, want(dense), rtol=1e-6)


def test_gradients_pass_through_products_in_loops() -> None:
    x = tf.SparseTensor([[0, 1], [1, 0], [2, 2]], [1.0, 2.0, 3.0], [3, 3])
    w = tf.Variable(np.ones((3, 1), np.float32))

    def step(i: Any, a: Any) -> Any:
        return i + 1, a + tf.reduce_sum(tf.sparse_tensor_dense_matmul(x, w))

    total = tf.while_loop(lambda i, a: i < 4, step, [0, 0.0])[1]
    slope = tf.gradients(total, w)[0]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        np.testing.assert_allclose(sess.run(slope), [[8.0], [4.0], [12.0]])
