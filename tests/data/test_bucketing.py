"""tf.contrib.training.bucket and bucket_by_sequence_length."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as tf
from tests.data.test_input_pipelines import drain

training = tf.contrib.training


def numbers(count: int) -> Any:
    return tf.train.range_input_producer(count, num_epochs=1, shuffle=False).dequeue()


def test_batches_hold_sequences_of_like_length() -> None:
    n = numbers(20)
    length = n % 7 + 1
    row = tf.fill([length], n)
    lengths, (rows, which) = training.bucket_by_sequence_length(
        length, [row, n], 4, [3, 5], dynamic_pad=True, allow_smaller_final_batch=True
    )
    assert rows.shape.as_list() == [None, None] and lengths.shape.as_list() == [None]
    with tf.Session() as sess:
        found = drain(sess, [lengths, rows, which])
    seen = []
    for sizes, texts, ids in found:
        assert len({(s >= 3) + (s >= 5) for s in sizes.tolist()}) == 1
        assert texts.shape == (len(sizes), max(sizes))
        for size, text, i in zip(sizes, texts.tolist(), ids.tolist(), strict=True):
            assert size == i % 7 + 1
            assert text == [i] * size + [0] * (len(text) - size)
            seen.append(i)
    assert sorted(seen) == list(range(20))


def test_elements_go_to_their_buckets() -> None:
    n = numbers(16)
    which, batch = training.bucket(
        {"n": n, "double": n * 2}, n % 2, [2, 4], 2, bucket_capacities=[5, 6]
    )
    assert sorted(batch) == ["double", "n"] and batch["n"].shape.as_list() == [None]
    with tf.Session() as sess:
        found = drain(sess, [which, batch])
    got: dict[int, list[int]] = {0: [], 1: []}
    for bucket, values in found:
        assert len(values["n"]) == (2, 4)[bucket]
        assert (values["double"] == 2 * values["n"]).all()
        got[int(bucket)] += values["n"].tolist()
    assert got == {0: list(range(0, 16, 2)), 1: list(range(1, 16, 2))}


def test_one_size_is_static_and_elements_may_be_left_out() -> None:
    n = numbers(12)
    _, batch = training.bucket([n], 0, 3, 1, num_threads=2, keep_input=n % 2 < 1)
    assert batch.shape.as_list() == [3]
    with tf.Session() as sess:
        found = drain(sess, batch)
    assert sorted(v for f in found for v in f.tolist()) == [0, 2, 4, 6, 8, 10]


def test_sparse_tensors() -> None:
    n = numbers(4)
    row = tf.SparseTensor([[1]], tf.stack([n]), [3])
    _, batch = training.bucket([row, n], 0, 2, 1)
    with tf.Session() as sess:
        dense = drain(sess, tf.sparse_tensor_to_dense(batch[0]))
    assert [d.tolist() for d in dense] == [[[0, 0, 0], [0, 1, 0]], [[0, 2, 0], [0, 3, 0]]]


@pytest.mark.parametrize(
    ("bounds", "error", "text"),
    [
        (3, TypeError, "bucket_boundaries must be a list or tuple"),
        ([], ValueError, "bucket_boundaries must not be empty"),
        ([1, 2.5], TypeError, "bucket boundaries must be integers"),
        ([4, 4], ValueError, "sequential increasing lengths, but saw: 4 before 4"),
    ],
)
def test_boundaries_must_increase(bounds: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        training.bucket_by_sequence_length(1, [tf.constant(1)], 2, bounds)


def test_lists_must_fit_the_number_of_buckets() -> None:
    with pytest.raises(ValueError, match="it must have num_buckets elements"):
        training.bucket([tf.constant(1)], 0, [2, 3], 3)
    with pytest.raises(ValueError, match="must have exactly num_buckets"):
        training.bucket([tf.constant(1)], 0, 2, 3, bucket_capacities=[1])
