"""Reading by index, ranks, embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import index, ranking
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import agree, check_forward, check_gradient, in_session, names_of

NAMES = names_of(index, ranking)
M = np.arange(20, dtype=np.float32).reshape(5, 4)


@pytest.fixture(autouse=True)
def _fresh_graph() -> Any:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].grad is not None])
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])


def test_gathers_agree_with_numpy() -> None:
    agree(lambda x: tf.gather(x, [4, 0, 4]), lambda a: a[[4, 0, 4]], M)
    agree(lambda x: tf.gather(x, [[1], [3]], axis=1), lambda a: a[:, [[1], [3]]], M)
    agree(lambda x: tf.gather(x, 2, axis=-1), lambda a: a[:, 2], M)
    agree(lambda x: tf.gather(x, np.zeros(0, np.int32)), lambda a: a[:0], M)
    agree(lambda x: tf.batch_gather(x, [[0], [1], [2], [3], [0]]),
          lambda a: np.take_along_axis(a, np.array([[0], [1], [2], [3], [0]]), 1), M)  # fmt: skip
    agree(lambda x: tf.gather_nd(x, [[0, 1], [4, 3]]), lambda a: a[[0, 4], [1, 3]], M)
    agree(lambda x: tf.gather_nd(x, [[2]]), lambda a: a[[2]], M)
    agree(lambda x: tf.gather_nd(x, [[0], [1], [2], [3], [0]], batch_dims=1),
          lambda a: a[np.arange(5), [0, 1, 2, 3, 0]], M)  # fmt: skip


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x, i: tf.gather(x, i), "indices = 7 is not in [0, 5)"),
        (lambda x, i: tf.gather(x, [[0, i]]), "indices[0,1] = 7 is not in [0, 5)"),
        (lambda x, i: tf.gather(x, [i], axis=1), "indices[0] = 7 is not in [0, 4)"),
        (lambda x, i: tf.gather_nd(x, [[i, 0]]),
         "indices[0] = [7, 0] does not index into param shape [5,4]"),
    ],
)  # fmt: skip
def test_indices_out_of_bounds_raise(build: Any, text: str) -> None:
    i = tf.placeholder(tf.int32, [])
    y = build(tf.constant(M), i)
    with tf.Session() as session:
        session.run(y, {i: 1})
        with pytest.raises(tf.errors.InvalidArgumentError) as err:
            session.run(y, {i: 7})
    assert text in str(err.value)


def test_gradient_of_gather_is_sparse_and_adds_up() -> None:
    x, at = tf.placeholder(tf.float32, [5, 4]), tf.placeholder(tf.int32, [None])
    g = tf.gradients(tf.gather(x, at) * 2.0, x)[0]
    assert isinstance(g, tf.IndexedSlices)
    with tf.Session() as session:
        dense = session.run(tf.convert_to_tensor(g), {x: M, at: [1, 3, 1]})
    want = np.zeros_like(M)
    np.add.at(want, [1, 3, 1], 2.0)
    np.testing.assert_array_equal(dense, want)


def test_embeddings_of_one_and_of_many_tables() -> None:
    def mod(x: Any) -> Any:
        return tf.nn.embedding_lookup([x[0::2], x[1::2]], [[0, 3], [4, 1]])

    def div(x: Any) -> Any:
        return tf.nn.embedding_lookup([x[:3], x[3:]], [0, 3, 4, 2], partition_strategy="div")

    agree(lambda x: tf.nn.embedding_lookup(x, [[0, 3]]), lambda a: a[[[0, 3]]], M)
    agree(mod, lambda a: a[[[0, 3], [4, 1]]], M)
    agree(div, lambda a: a[[0, 3, 4, 2]], M)
    norms = np.linalg.norm(M, axis=1, keepdims=True)
    agree(lambda x: tf.nn.embedding_lookup(x, [1, 2], max_norm=3.0),
          lambda a: (a * np.minimum(1, 3 / norms))[[1, 2]], M)  # fmt: skip
    with pytest.raises(ValueError, match="Unrecognized partition strategy"):
        tf.nn.embedding_lookup([M, M], [0], partition_strategy="x")


def test_top_k_orders_and_breaks_ties_by_index() -> None:
    value = np.array([[1, 5, 5, 2], [7, 0, 7, 7]], np.float32)
    top = in_session(lambda x: tf.nn.top_k(x, 3), value)
    np.testing.assert_array_equal(top.values, [[5, 5, 2], [7, 7, 7]])
    np.testing.assert_array_equal(top.indices, [[1, 2, 3], [0, 2, 3]])
    with pytest.raises(ValueError, match="must have last dimension >= k = 5 but is 3"):
        tf.nn.top_k(tf.zeros([2, 3]), 5)


def test_in_top_k() -> None:
    got = in_session(lambda x: tf.nn.in_top_k(x, [3, 3, 2, 0, 9], 2), M)
    assert got.tolist() == [True, True, True, False, False]


def test_searchsorted_sides() -> None:
    row, values = [[1.0, 3.0, 3.0]], [[0.0, 3.0, 9.0]]
    assert in_session(lambda x: tf.searchsorted(row, values), M).tolist() == [[0, 1, 3]]
    right = in_session(lambda x: tf.searchsorted(row, values, side="right"), M)
    assert right.tolist() == [[0, 3, 3]]
