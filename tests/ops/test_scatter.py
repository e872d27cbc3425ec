"""Writing by index, segments, counts, scatter updates of variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import scatter, segment
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import check_forward, check_gradient, in_session, names_of

NAMES = names_of(scatter, segment)
M = np.arange(15, dtype=np.float32).reshape(5, 3)


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


def test_scatters_agree_with_numpy() -> None:
    want = np.zeros((4, 3), np.float32)
    np.add.at(want, [1, 3, 1, 0, 1], M)
    got = in_session(lambda x: tf.scatter_nd([[1], [3], [1], [0], [1]], x, [4, 3]), M)
    np.testing.assert_allclose(got, want)
    got = in_session(lambda x: tf.tensor_scatter_nd_update(x, [[4], [0]], x[:2] * 10), M)
    put = M.copy()
    put[[4, 0]] = M[:2] * 10
    np.testing.assert_array_equal(got, put)
    got = in_session(lambda x: tf.tensor_scatter_nd_sub(x, [[0, 1], [0, 1]], [1.0, 2.0]), M)
    assert got[0, 1] == M[0, 1] - 3


@pytest.mark.parametrize(
    ("name", "reduce"),
    [("sum", np.sum), ("mean", np.mean), ("max", np.max), ("min", np.min), ("prod", np.prod)],
)
def test_sorted_segments(name: str, reduce: Any) -> None:
    got = in_session(lambda x: getattr(tf, f"segment_{name}")(x, [0, 0, 2, 2, 2]), M)
    np.testing.assert_allclose(got[0], reduce(M[:2], axis=0))
    np.testing.assert_allclose(got[2], reduce(M[2:], axis=0))
    np.testing.assert_allclose(got[1], 1 if name == "prod" else 0)


@pytest.mark.parametrize(
    ("name", "reduce", "empty"),
    [
        ("sum", np.sum, 0), ("mean", np.mean, 0), ("prod", np.prod, 1),
        ("max", np.max, np.finfo(np.float32).min), ("min", np.min, np.finfo(np.float32).max),
        ("sqrt_n", lambda a, axis: a.sum(axis) / np.sqrt(len(a)), 0),
    ],
)  # fmt: skip
def test_unsorted_segments(name: str, reduce: Any, empty: float) -> None:
    ids = np.array([2, 0, 2, -1, 0])
    got = in_session(lambda x: getattr(tf, f"unsorted_segment_{name}")(x, ids, 3), M)
    for row in (0, 2):
        np.testing.assert_allclose(got[row], reduce(M[ids == row], axis=0), rtol=1e-6)
    np.testing.assert_allclose(got[1], np.float32(empty))


def test_sparse_segments_and_counts() -> None:
    got = in_session(lambda x: tf.sparse_segment_sum(x, [0, 4, 1], [0, 0, 1]), M)
    np.testing.assert_array_equal(got, [M[0] + M[4], M[1]])
    assert in_session(lambda x: tf.bincount([1, 1, 3]), M).tolist() == [0, 2, 0, 1]
    weighted = in_session(lambda x: tf.bincount([1, 3], [0.5, 2.0], 6), M)
    assert weighted.tolist() == [0, 0.5, 0, 2, 0, 0]
    counts = in_session(lambda x: tf.histogram_fixed_width(x, [0.0, 10.0], nbins=2), M)
    assert counts.tolist() == [5, 10]
    table = in_session(lambda x: tf.confusion_matrix([0, 1, 2, 1], [0, 2, 2, 1]), M)
    assert table.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("build", "feed", "text"),
    [
        (lambda i: tf.scatter_nd([[i]], [1.0], [5]), 7,
         "indices[0] = [7] does not index into shape [5]"),
        (lambda i: tf.unsorted_segment_sum([1.0, 2.0], [0, i], 5), 7,
         "segment_ids[1] = 7 is out of range [0, 5)"),
        (lambda i: tf.segment_sum([1.0, 2.0], [i, 0]), 1, "segment ids are not increasing"),
    ],
)  # fmt: skip
def test_bad_indices_raise(build: Any, feed: int, text: str) -> None:
    i = tf.placeholder(tf.int32, [])
    with tf.Session() as session, pytest.raises(tf.errors.InvalidArgumentError) as err:
        session.run(build(i), {i: feed})
    assert text in str(err.value)


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("scatter_update", [0, 5, 2]), ("scatter_add", [0, 6, 2]), ("scatter_sub", [0, -4, 2]),
        ("scatter_mul", [0, 5, 2]), ("scatter_div", [0, 0.2, 2]), ("scatter_max", [0, 5, 2]),
        ("scatter_min", [0, 1, 2]),
    ],
)
def test_scatter_updates_of_variables(name: str, want: Any) -> None:
    v = tf.Variable([0.0, 1.0, 2.0])
    write = getattr(tf, name)(v, [1], [5.0])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_allclose(session.run(write), want)
        np.testing.assert_allclose(session.run(v), want)


def test_scatter_nd_updates_of_variables() -> None:
    v = tf.Variable(np.zeros((2, 2), np.float32))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(tf.scatter_nd_update(v, [[0, 1]], [3.0]))
        session.run(tf.scatter_nd_add(v, [[0, 1], [1, 1]], [1.0, 2.0]))
        session.run(tf.scatter_nd_sub(v, [[0]], [[1.0, 0.0]]))
        assert session.run(v).tolist() == [[-1, 4], [0, 2]]
        session.run(tf.scatter_update(v, [0], 9.0))
        assert session.run(v).tolist() == [[9, 9], [0, 2]]


def test_updates_that_do_not_fit_are_refused() -> None:
    v = tf.Variable(np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match=r"Must have updates\.shape = indices\.shape"):
        tf.scatter_add(v, [0], [[1.0, 2.0, 3.0]])
