"""Datasets of CSV files and of files of examples."""

from __future__ import annotations

import pytest

import graphc as tf

experimental = tf.data.experimental


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def drain(dataset):
    element = dataset.make_one_shot_iterator().get_next()
    out = []
    with tf.Session() as sess:
        while True:
            try:
                out.append(sess.run(element))
            except tf.errors.OutOfRangeError:
                return out


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('x,name,y\n1,"a, b",0.5\n2,,1.5\n3,"two\nlines",2.5\n')
    return str(file)


# ------------------------------------------------------------------ CSV
def test_records_of_csv_files(path):
    dataset = experimental.CsvDataset(path, [tf.int32, [""], tf.float32], header=True)
    assert dataset.output_types == (tf.int32, tf.string, tf.float32)
    assert [s.as_list() for s in dataset.output_shapes] == [[], [], []]
    assert drain(dataset) == [(1, b"a, b", 0.5), (2, b"", 1.5), (3, b"two\nlines", 2.5)]
    columns = experimental.CsvDataset([path, path], [tf.int32], header=True, select_cols=[0])
    assert drain(columns) == [(1,), (2,), (3,)] * 2


def test_records_that_do_not_fit(path):
    dataset = experimental.CsvDataset(path, [tf.int32, tf.string, tf.float32], header=True)
    element = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert sess.run(element)[0] == 1
        with pytest.raises(tf.errors.InvalidArgumentError, match="Field 1 is required but miss"):
            sess.run(element)
    with pytest.raises(TypeError, match="cannot be of type bool"):
        experimental.CsvDataset(path, [[True]])


def test_batches_of_named_columns(path):
    dataset = experimental.make_csv_dataset(
        path, batch_size=2, label_name="y", num_epochs=1, shuffle=False
    )
    features, label = dataset.output_types
    assert features == {"x": tf.int32, "name": tf.string} and label == tf.float32
    (first, y), (second, _) = drain(dataset)
    assert list(first) == ["x", "name"]
    assert first["x"].tolist() == [1, 2] and y.tolist() == [0.5, 1.5]
    assert second["name"].tolist() == [b"two\nlines"]


def test_choices_of_columns(path):
    dataset = experimental.make_csv_dataset(
        path, 3, select_columns=["x", "y"], column_defaults=[tf.int64, 0.0], num_epochs=1
    )
    (batch,) = drain(dataset)
    assert sorted(batch) == ["x", "y"] and batch["x"].dtype == "int64"
    assert sorted(batch["x"].tolist()) == [1, 2, 3]
    with pytest.raises(ValueError, match="`label_name` provided must be one of the columns"):
        experimental.make_csv_dataset(path, 3, label_name="z")
    with pytest.raises(ValueError, match="No files match"):
        experimental.make_csv_dataset("/nowhere/*.csv", 3)
    with pytest.raises(ValueError, match="without a header"):
        experimental.make_csv_dataset(path, 3, header=False)


# ------------------------------------------------------------------ examples
def test_batches_of_examples_of_files(tmp_path):
    for shard in range(2):
        with tf.python_io.TFRecordWriter(str(tmp_path / f"part-{shard}")) as writer:
            for k in range(3):
                example = tf.train.Example()
                example.features.feature["id"].int64_list.value.append(10 * shard + k)
                example.features.feature["tags"].bytes_list.value.extend([b"t"] * k)
                writer.write(example.SerializeToString())
    features = {"id": tf.FixedLenFeature([], tf.int64), "tags": tf.VarLenFeature(tf.string)}
    dataset = experimental.make_batched_features_dataset(
        str(tmp_path / "part-*"), 4, features, label_key="id", num_epochs=1, shuffle=False
    )
    assert dataset.output_classes == ({"tags": tf.SparseTensor}, tf.Tensor)
    batches = drain(dataset)
    assert [ids.tolist() for _, ids in batches] == [[0, 1, 2, 10], [11, 12]]
    assert batches[0][0]["tags"].indices.tolist() == [[1, 0], [2, 0], [2, 1]]
    with pytest.raises(ValueError, match="must be one of the features"):
        experimental.make_batched_features_dataset("x", 4, features, label_key="nothing")


def test_examples_go_on_for_ever(tmp_path):
    with tf.python_io.TFRecordWriter(str(tmp_path / "file")) as writer:
        for k in range(3):
            example = tf.train.Example()
            example.features.feature["id"].int64_list.value.append(k)
            writer.write(example.SerializeToString())
    dataset = tf.contrib.data.make_batched_features_dataset(
        str(tmp_path / "file"), 2, {"id": tf.FixedLenFeature([], tf.int64)}, shuffle_seed=1
    )
    element = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        seen = [sess.run(element)["id"].tolist() for _ in range(9)]
    assert all(len(batch) == 2 for batch in seen)
    assert sorted(k for batch in seen for k in batch) == sorted([0, 1, 2] * 6)
