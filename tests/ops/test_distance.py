"""tf.edit_distance, and values that are known while a graph is built."""

from __future__ import annotations

import difflib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as tf
from graphc.ops.distance import levenshtein


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def run(fetch, feed_dict=None):
    with tf.Session() as sess:
        return sess.run(fetch, feed_dict)


def slow(a, b):
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return slow(a[1:], b[1:])
    return 1 + min(slow(a[1:], b), slow(a, b[1:]), slow(a[1:], b[1:]))


@settings(max_examples=60, deadline=None)
@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_levenshtein_is_the_least_number_of_edits(a, b):
    got = levenshtein(np.array(list(a), object), np.array(list(b), object))
    assert got == slow(a, b)
    equal = sum(m.size for m in difflib.SequenceMatcher(None, a, b).get_matching_blocks())
    assert got <= len(a) + len(b) - 2 * equal


def test_distances_of_words():
    guess = tf.SparseTensor([[0, 0, 0], [0, 0, 1], [1, 0, 0]], ["a", "b", "c"], [2, 1, 2])
    truth = tf.SparseTensor([[0, 0, 0], [1, 0, 0], [1, 0, 1]], ["a", "x", "c"], [2, 1, 2])
    distance = tf.edit_distance(guess, truth)
    assert distance.shape.as_list() == [2, 1] and distance.dtype == tf.float32
    assert run(distance).tolist() == [[1.0], [0.5]]
    assert run(tf.edit_distance(guess, truth, normalize=False)).tolist() == [[1.0], [1.0]]


def test_empty_rows():
    guess = tf.SparseTensor([[0, 0], [2, 0]], [1, 2], [3, 2])
    truth = tf.SparseTensorValue([[0, 0], [0, 1]], [1, 3], [2, 2])
    assert run(tf.edit_distance(guess, truth)).tolist() == [0.5, 0.0, np.inf]
    assert run(tf.edit_distance(truth, guess)).tolist() == [1.0, 0.0, 1.0]


def test_a_label_error_rate_is_fed():
    guess, truth = tf.sparse_placeholder(tf.int32), tf.sparse_placeholder(tf.int32)
    rate = tf.reduce_mean(tf.edit_distance(guess, truth))
    value = ([[0, 0], [0, 1], [1, 0]], [1, 2, 3], [2, 2])
    other = ([[0, 0], [1, 0]], [1, 4], [2, 1])
    assert run(rate, {guess: value, truth: other}) == 1.0
    with pytest.raises(TypeError, match="Hypothesis must be a SparseTensor"):
        tf.edit_distance(tf.constant([1]), truth)


def test_values_that_are_known():
    util = tf.contrib.util
    x = tf.placeholder(tf.float32, [2, None])
    assert util.constant_value(tf.constant([1, 2])).tolist() == [1, 2]
    assert util.constant_value(tf.shape(tf.zeros([3, 4]))).tolist() == [3, 4]
    assert util.constant_value(tf.shape(x)) is None and util.constant_value(x) is None
    assert util.constant_value(tf.shape(x), partial=True).tolist() == [2, None]
    assert util.constant_value(tf.shape(x)[0]) == 2
    assert util.constant_value(tf.constant(["a"])).tolist() == [b"a"]
    assert util.constant_value_as_shape(tf.stack([3, tf.shape(x)[1]])).as_list() == [3, None]
    proto = util.make_tensor_proto([1.5, 2.5], shape=[2])
    assert util.make_ndarray(proto).tolist() == [1.5, 2.5]
    with pytest.raises(AttributeError, match=r"tf\.contrib\.util\.nothing"):
        util.nothing
