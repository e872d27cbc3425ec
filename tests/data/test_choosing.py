"""Mixing of datasets, buckets by length, running state, errors that are left out."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

experimental = tf.data.experimental
Dataset = tf.data.Dataset


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def drain(dataset, most=100):
    element = dataset.make_one_shot_iterator().get_next()
    out = []
    with tf.Session() as sess:
        while len(out) < most:
            try:
                out.append(sess.run(element))
            except tf.errors.OutOfRangeError:
                break
    return out


def ragged(lengths):
    return Dataset.from_generator(
        lambda: (np.arange(1, n + 1) for n in lengths), tf.int64, tf.TensorShape([None])
    )


# ------------------------------------------------------------------ buckets
def test_elements_of_similar_length_are_batched():
    dataset = ragged([1, 5, 2, 9, 6, 2, 1]).apply(
        experimental.bucket_by_sequence_length(lambda x: tf.shape(x)[0], [3, 6], [2, 2, 2])
    )
    assert dataset.output_shapes.as_list() == [None, None]
    got = [b.tolist() for b in drain(dataset)]
    assert got == [
        [[1, 0], [1, 2]],
        [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 5, 6, 0, 0, 0]],
        [[1, 2], [1, 0]],
        [[1, 2, 3, 4, 5]],
    ]


def test_buckets_may_be_filled_to_their_bounds():
    dataset = ragged([1, 2, 4]).apply(
        tf.contrib.data.bucket_by_sequence_length(
            tf.size, [3, 6], [2, 1, 1], pad_to_bucket_boundary=True, padding_values=np.int64(-1)
        )
    )
    assert [b.tolist() for b in drain(dataset)] == [[[1, -1], [1, 2]], [[1, 2, 3, 4, -1]]]
    long = ragged([7]).apply(
        experimental.bucket_by_sequence_length(tf.size, [3], [2, 2], pad_to_bucket_boundary=True)
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have length < max"):
        drain(long)


def test_buckets_of_structures_without_padding():
    pairs = Dataset.zip((ragged([2, 2, 1, 2]), Dataset.range(4)))
    dataset = pairs.apply(
        experimental.bucket_by_sequence_length(
            lambda x, _: tf.size(x), [2], [4, 2], no_padding=True, drop_remainder=True
        )
    )
    ((words, numbers),) = drain(dataset)
    assert words.tolist() == [[1, 2], [1, 2]] and numbers.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"must equal len\(bucket_boundaries\) \+ 1"):
        pairs.apply(experimental.bucket_by_sequence_length(lambda x, _: tf.size(x), [2], [4]))


# ------------------------------------------------------------------ several datasets
def test_datasets_are_mixed_by_weight():
    parts = [Dataset.from_tensors(np.int64(k)).repeat(400) for k in range(3)]
    mixed = experimental.sample_from_datasets(parts, [0.7, 0.3, 0.0], seed=4)
    first = drain(mixed, 300)
    assert 180 < first.count(0) < 240 and first.count(2) == 0
    assert drain(experimental.sample_from_datasets(parts, [0.7, 0.3, 0.0], seed=4), 300) == first
    few = experimental.sample_from_datasets([Dataset.range(3), Dataset.range(10, 12)])
    assert sorted(drain(few)) == [0, 1, 2, 10, 11]
    with pytest.raises(ValueError, match="`weights` must be a vector of length 3"):
        experimental.sample_from_datasets(parts, [0.5])
    with pytest.raises(TypeError, match="Incompatible dataset elements"):
        experimental.sample_from_datasets([Dataset.range(3), Dataset.from_tensors("a")])


def test_datasets_are_chosen_by_number():
    parts = [Dataset.range(10, 13), Dataset.range(20, 23)]
    choices = Dataset.from_tensor_slices(np.array([0, 1, 1, 0], np.int64))
    assert drain(experimental.choose_from_datasets(parts, choices)) == [10, 20, 21, 11]
    far = Dataset.from_tensors(np.int64(2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Selector index out of range: 2"):
        drain(experimental.choose_from_datasets(parts, far))
    with pytest.raises(TypeError, match=r"scalar `tf\.int64`"):
        experimental.choose_from_datasets(parts, Dataset.from_tensors("a"))


# ------------------------------------------------------------------ one by one
def test_errors_are_left_out():
    texts = Dataset.from_tensor_slices(["1", "x", "3", "", "5"])
    numbers = texts.map(lambda t: tf.string_to_number(t, tf.int32))
    with pytest.raises(tf.errors.InvalidArgumentError):
        drain(numbers)
    assert drain(numbers.apply(experimental.ignore_errors())) == [1, 3, 5]


def test_elements_up_to_one_and_each_once():
    assert drain(Dataset.range(9).apply(experimental.take_while(lambda x: x < 3))) == [0, 1, 2]
    words = Dataset.from_tensor_slices(["a", "b", "a", "c", "b"]).apply(experimental.unique())
    assert drain(words) == [b"a", b"b", b"c"]
    with pytest.raises(TypeError, match="elements of one tensor"):
        Dataset.zip((words, words)).apply(experimental.unique())


def test_a_state_goes_from_element_to_element():
    sums = Dataset.range(1, 5).apply(
        experimental.scan(np.int64(10), lambda s, x: (s + x, {"sum": s + x, "x": x}))
    )
    assert sums.output_types == {"sum": tf.int64, "x": tf.int64}
    assert [e["sum"] for e in drain(sums)] == [11, 13, 16, 20]
    with pytest.raises(TypeError, match="must match the initial state"):
        Dataset.range(3).apply(experimental.scan(np.int64(0), lambda s, x: (tf.to_float(s), x)))


def test_a_counter_has_no_end():
    assert drain(experimental.Counter(), 3) == [0, 1, 2]
    down = experimental.Counter(5, -2, tf.int32)
    assert down.output_types == tf.int32 and drain(down, 3) == [5, 3, 1]
