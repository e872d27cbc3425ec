"""Sparse tensors as components of datasets."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def example(label, *words):
    made = tf.train.Example()
    made.features.feature["label"].int64_list.value.append(label)
    made.features.feature["words"].bytes_list.value.extend(words)
    return made.SerializeToString()


SPEC = {"label": tf.FixedLenFeature([], tf.int64), "words": tf.VarLenFeature(tf.string)}
RECORDS = [example(0, b"a", b"b"), example(1), example(2, b"c", b"a", b"d")]


def dense(sparse):
    out = [[b""] * sparse.dense_shape[1] for _ in range(sparse.dense_shape[0])]
    for (row, column), value in zip(sparse.indices, sparse.values, strict=True):
        out[row][column] = value
    return out


def test_batches_are_parsed_into_sparse_tensors():
    records = tf.data.Dataset.from_tensor_slices(RECORDS).batch(2)
    dataset = records.map(lambda batch: tf.parse_example(batch, SPEC)).prefetch(1)
    assert dataset.output_classes == {"label": tf.Tensor, "words": tf.SparseTensor}
    assert dataset.output_types == {"label": tf.int64, "words": tf.string}
    assert dataset.output_shapes["words"].as_list() == [None, None]
    element = dataset.make_one_shot_iterator().get_next()
    assert isinstance(element["words"], tf.SparseTensor)
    with tf.Session() as sess:
        first, second = sess.run(element), sess.run(element)
        assert first["label"].tolist() == [0, 1]
        assert dense(first["words"]) == [[b"a", b"b"], [b"", b""]]
        assert dense(second["words"]) == [[b"c", b"a", b"d"]]
        with pytest.raises(tf.errors.OutOfRangeError):
            sess.run(element)


def test_sparse_elements_are_batched():
    records = tf.data.Dataset.from_tensor_slices(RECORDS)
    dataset = records.map(lambda record: tf.parse_single_example(record, SPEC)).batch(3)
    assert dataset.output_shapes["words"].as_list() == [None, None]
    element = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        got = sess.run(element)
    assert got["label"].tolist() == [0, 1, 2]
    assert dense(got["words"]) == [[b"a", b"b", b""], [b"", b"", b""], [b"c", b"a", b"d"]]


def test_functions_take_and_give_sparse_tensors():
    table = tf.contrib.lookup.index_table_from_tensor(["a", "b"], num_oov_buckets=1)
    dataset = (
        tf.data.Dataset.from_tensor_slices(RECORDS)
        .map(lambda record: tf.parse_single_example(record, SPEC))
        .filter(lambda row: tf.size(row["words"].values) > 0)
        .map(lambda row: (table.lookup(row["words"]), row["label"]))
        .map(lambda ids, label: (tf.sparse_tensor_to_dense(ids), label))
        .padded_batch(2, ([None], []))
    )
    iterator = dataset.make_initializable_iterator()
    ids, labels = iterator.get_next()
    with tf.Session() as sess:
        sess.run([tf.tables_initializer(), iterator.initializer])
        got, numbers = sess.run([ids, labels])
    assert got.tolist() == [[0, 1, 0], [2, 0, 2]] and numbers.tolist() == [0, 2]


def test_sources_of_sparse_tensors():
    value = tf.SparseTensorValue(np.array([[0, 1]]), np.array([5.0], np.float32), [2, 3])
    dataset = tf.data.Dataset.from_tensors({"x": value}).repeat(2)
    assert dataset.output_shapes["x"].as_list() == [2, 3]
    element = dataset.concatenate(dataset).make_one_shot_iterator().get_next()["x"]
    total = tf.sparse_reduce_sum(element)
    with tf.Session() as sess:
        assert [sess.run(total) for _ in range(4)] == [5.0] * 4
    zipped = tf.data.Dataset.zip((dataset, tf.data.Dataset.range(2)))
    assert zipped.output_classes == ({"x": tf.SparseTensor}, tf.Tensor)


def test_iterators_of_a_structure_and_by_handle():
    dataset = tf.data.Dataset.from_tensors(tf.SparseTensor([[1]], [7], [3]))
    types, shapes, classes = dataset.output_types, dataset.output_shapes, dataset.output_classes
    iterator = tf.data.Iterator.from_structure(types, shapes, output_classes=classes)
    start = iterator.make_initializer(dataset)
    handle = tf.placeholder(tf.string, [])
    fed = tf.data.Iterator.from_string_handle(handle, types, shapes, classes).get_next()
    dense_one = tf.data.Iterator.from_structure(types, shapes)
    with pytest.raises(TypeError, match="Expected output classes"):
        dense_one.make_initializer(dataset)
    with tf.Session() as sess:
        sess.run(start)
        got = sess.run(fed, {handle: sess.run(iterator.string_handle())})
        assert got.values.tolist() == [7] and got.dense_shape.tolist() == [3]


def test_what_sparse_elements_cannot_do():
    dataset = tf.data.Dataset.from_tensors(tf.SparseTensor([[1]], [7], [3]))
    with pytest.raises(TypeError, match="Batching of padded sparse tensors"):
        dataset.padded_batch(2, [None])
    with pytest.raises(TypeError, match="rows of sparse tensors are not supported"):
        tf.data.Dataset.from_tensor_slices(tf.SparseTensor([[1]], [7], [3]))
    with pytest.raises(TypeError, match="rows of sparse tensors are not supported"):
        dataset.apply(tf.data.experimental.unbatch())
