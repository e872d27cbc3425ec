"""Ops whose shapes the data decide: where, unique, partitions, masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ops import sets
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import check_forward, check_gradient, in_session, names_of

NAMES = names_of(sets)
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


def test_where_and_masks() -> None:
    np.testing.assert_array_equal(in_session(lambda x: tf.where(x > 9), M), np.argwhere(M > 9))
    keep = np.array([True, False, True])
    np.testing.assert_array_equal(in_session(lambda x: tf.boolean_mask(x, keep), M), M[keep])
    np.testing.assert_array_equal(in_session(lambda x: tf.boolean_mask(x, x > 5), M), M[M > 5])
    columns = in_session(lambda x: tf.boolean_mask(x, [True, False, False, True], axis=1), M)
    np.testing.assert_array_equal(columns, M[:, [0, 3]])
    assert in_session(lambda x: tf.boolean_mask(x, x > 99), M).shape == (0,)


def test_masks_of_a_changing_size_in_one_session() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(tf.boolean_mask(x, x > 1.0) ** 2)
    g = tf.gradients(y, x)[0]
    with tf.Session() as session:
        for value in ([0.0, 2.0, 3.0], [5.0], [0.0, 0.5], [2.0, 2.0, 2.0, 2.0]):
            array = np.array(value, np.float32)
            total, slope = session.run([y, tf.convert_to_tensor(g)], {x: array})
            np.testing.assert_allclose(total, (array[array > 1] ** 2).sum())
            np.testing.assert_allclose(slope, np.where(array > 1, 2 * array, 0))


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (True, "mask cannot be scalar."),
        ([True, False], "Shapes (3,) and (2,) are incompatible"),
    ],
)
def test_mask_errors(mask: Any, text: str) -> None:
    with pytest.raises(ValueError) as err:
        tf.boolean_mask(tf.constant(M), mask)
    assert text in str(err.value)


def test_where_with_three_arguments() -> None:
    got = in_session(lambda x: tf.where([True, False, True], x, -x), M)
    np.testing.assert_array_equal(got, M * np.array([[1], [-1], [1]]))
    got = in_session(lambda x: tf.where_v2(x[0] > 1, x, 0.0), M)
    np.testing.assert_array_equal(got, np.where(M[0] > 1, M, 0))
    with pytest.raises(ValueError, match="x and y must both be"):
        tf.where([True], 1.0)


def test_unique_keeps_the_order_of_first_occurrence() -> None:
    got = in_session(lambda x: tf.unique_with_counts([7, 2, 7, 9, 2, 7]), M)
    assert [v.tolist() for v in got] == [[7, 2, 9], [0, 1, 0, 2, 1, 0], [3, 2, 1]]
    got = in_session(lambda x: tf.unique(x[0] * 0), M)
    assert [v.tolist() for v in got] == [[0], [0, 0, 0, 0]]
    out, idx = in_session(lambda x: tf.setdiff1d([1, 2, 3, 4], [2, 4]), M)
    assert (out.tolist(), idx.tolist()) == ([1, 3], [0, 2])


def test_unique_of_strings() -> None:
    y, idx = in_session(lambda x: tf.unique(tf.constant(["b", "a", "b"])), M)
    assert (y.tolist(), idx.tolist()) == ([b"b", b"a"], [0, 1, 0])


def test_partition_and_stitch_are_inverse() -> None:
    def there_and_back(x: Any) -> Any:
        parts = tf.dynamic_partition(x, [1, 0, 1], 2)
        places = tf.dynamic_partition(tf.range(3), [1, 0, 1], 2)
        return tf.dynamic_stitch(places, parts)

    np.testing.assert_array_equal(in_session(there_and_back, M), M)


def test_stitch_takes_the_last_of_equal_indices() -> None:
    got = in_session(lambda x: tf.dynamic_stitch([0, [1, 0]], [x[0], x[1:]]), M)
    np.testing.assert_array_equal(got, M[[2, 1]])


def test_bad_partitions_and_permutations_raise() -> None:
    n = tf.placeholder(tf.int32, [None])
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"partitions\[1\] = 2 is not in"):
            session.run(tf.dynamic_partition([1.0, 2.0], n, 2), {n: [0, 2]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="7 is not between 0 and 2"):
            session.run(tf.invert_permutation(n), {n: [7, 0]})
        assert session.run(tf.invert_permutation(n), {n: [2, 0, 1]}).tolist() == [1, 2, 0]
