"""Ops that make tensors from shapes; diagonals and bands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import creation, diagonal
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import agree, check_forward, check_gradient, in_session, names_of

NAMES = names_of(creation, diagonal)
M = np.arange(12, dtype=np.float32).reshape(3, 4)


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


def test_fills_agree_with_numpy() -> None:
    agree(lambda x: tf.zeros([2, tf.shape(x)[1]]), lambda a: np.zeros((2, 4)), M)
    agree(lambda x: tf.ones([3], tf.int32), lambda a: np.ones(3), M)
    agree(lambda x: tf.fill([2, 2], x[0, 1]), lambda a: np.full((2, 2), a[0, 1]), M)
    agree(lambda x: tf.zeros_like(x), np.zeros_like, M)
    agree(lambda x: tf.ones_like(x, dtype=tf.int32), np.ones_like, M)
    agree(lambda x: tf.zeros([0, 3]), lambda a: np.zeros((0, 3)), M)
    agree(lambda x: tf.zeros([40, 40]), lambda a: np.zeros((40, 40)), M)


def test_zeros_of_other_dtypes() -> None:
    assert in_session(lambda x: tf.zeros([2], tf.bool), M).tolist() == [False, False]
    assert in_session(lambda x: tf.ones([2], tf.bool), M).tolist() == [True, True]
    assert in_session(lambda x: tf.zeros([1], tf.string), M).tolist() == [b""]
    assert in_session(lambda x: tf.zeros_like(x, tf.bool), M).dtype == bool


@pytest.mark.parametrize(
    ("args", "want"),
    [
        ((5,), np.arange(5)), ((2, 10, 3), np.arange(2, 10, 3)), ((10, 2, -3), [10, 7, 4]),
        ((0.0, 1.0, 0.25), [0, 0.25, 0.5, 0.75]), ((3, 3), []), ((1, 2.5, 0.5), [1, 1.5, 2.0]),
    ],
)  # fmt: skip
def test_range(args: Any, want: Any) -> None:
    got = in_session(lambda x: tf.range(*args), M)
    np.testing.assert_allclose(got, want)
    assert tf.range(*args).shape == [len(want)]


def test_range_of_a_dimension_and_of_a_fed_number() -> None:
    agree(lambda x: tf.range(tf.shape(x)[1]), lambda a: np.arange(4), M)
    n = tf.placeholder(tf.int32, [])
    with tf.Session() as session:
        for count in (3, 0, 5):
            assert session.run(tf.range(n), {n: count}).tolist() == list(range(count))
        with pytest.raises(tf.errors.InvalidArgumentError, match="Requires start <= limit"):
            session.run(tf.range(n), {n: -1})


def test_range_of_computed_floats() -> None:
    n = tf.placeholder(tf.float32, [])
    with tf.Session() as session:
        for limit in (1.0, 2.3, 0.0):
            np.testing.assert_allclose(
                session.run(tf.range(0.0, n, 0.5), {n: limit}), np.arange(0, limit, 0.5)
            )


def test_range_errors_and_dtypes() -> None:
    with pytest.raises(ValueError, match="Requires start <= limit when delta > 0: 5/3"):
        tf.range(5, 3)
    with pytest.raises(ValueError, match="Requires delta != 0"):
        tf.range(3, 5, 0)
    assert tf.range(3).dtype is tf.int32
    assert tf.range(3.0).dtype is tf.float32
    assert tf.range(3, dtype=tf.int64).dtype is tf.int64


def test_linspace_ends_exactly() -> None:
    got = in_session(lambda x: tf.linspace(0.1, 0.7, 7), M)
    np.testing.assert_allclose(got, np.linspace(0.1, 0.7, 7), rtol=1e-6)
    assert got[-1] == np.float32(0.7)
    assert in_session(lambda x: tf.lin_space(2.0, 5.0, 1), M).tolist() == [2.0]


def test_one_hot() -> None:
    i = np.array([0, 2, -1, 3], np.int32)
    want = (i[:, None] == np.arange(3)).astype(np.float32)
    agree(lambda x: tf.one_hot(x, 3), lambda a: want, i)
    agree(lambda x: tf.one_hot(x, 3, axis=0), lambda a: want.T, i)
    agree(
        lambda x: tf.one_hot(x, 3, on_value=5.0, off_value=-1.0),
        lambda a: np.where(want > 0, 5, -1), i,
    )  # fmt: skip
    assert tf.one_hot([1], 2, dtype=tf.int64).dtype is tf.int64
    assert in_session(lambda x: tf.one_hot(x, 2, True, False), i).dtype == bool
    with pytest.raises(TypeError, match="must match"):
        tf.one_hot([1], 2, on_value=tf.constant(1.0), dtype=tf.int32)
    with pytest.raises(ValueError, match="must be non-negative but is -1"):
        tf.one_hot([1], -1)


def test_eye_mask_and_grids() -> None:
    agree(lambda x: tf.eye(2, 3), lambda a: np.eye(2, 3), M)
    agree(lambda x: tf.eye(2, batch_shape=[3]), lambda a: np.stack([np.eye(2)] * 3), M)
    agree(lambda x: tf.eye(tf.shape(x)[1]), lambda a: np.eye(4), M)
    mask = [[True, False, False], [True, True, True]]
    assert in_session(lambda x: tf.sequence_mask([1, 3]), M).tolist() == mask
    short = in_session(lambda x: tf.sequence_mask([1, 3], 2, tf.int32), M)
    assert short.tolist() == [[1, 0], [1, 1]]
    for indexing in ("xy", "ij"):
        got = in_session(lambda x: tf.meshgrid(x[0], x[:, 0], indexing=indexing), M)
        for a, b in zip(got, np.meshgrid(M[0], M[:, 0], indexing=indexing), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="'xy' or 'ij'"):
        tf.meshgrid([1], [2], indexing="yx")


def test_diagonals() -> None:
    s = M[:, :3]
    agree(lambda x: tf.diag(x[0]), lambda a: np.diag(a[0]), s)
    agree(lambda x: tf.diag_part(x), np.diagonal, s)
    agree(lambda x: tf.matrix_diag(x)[1], lambda a: np.diag(a[1]), s)
    agree(lambda x: tf.matrix_diag_part(x), np.diagonal, M)
    agree(
        lambda x: tf.matrix_set_diag(x, [9, 9, 9]),
        lambda a: a - np.diag(np.diag(a)) + 9 * np.eye(3), s,
    )  # fmt: skip
    agree(lambda x: tf.matrix_band_part(x, -1, 0), np.tril, M)
    agree(lambda x: tf.matrix_band_part(x, 0, -1), np.triu, M)
    agree(lambda x: tf.matrix_band_part(x, 1, 0), lambda a: np.tril(np.triu(a, -1)), M)
    with pytest.raises(ValueError, match="even and non-zero rank"):
        tf.diag_part(tf.zeros([2, 2, 2]))
