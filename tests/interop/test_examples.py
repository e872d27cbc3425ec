"""Example protos and files of records: as TensorFlow writes and reads them."""

from __future__ import annotations

import base64
import gzip
import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.interop.text_format import Parse
from graphc.interop.tfrecord import frame

FIXTURE = Path(__file__).parents[1] / "fixtures" / "records.json"
SAID = json.loads(FIXTURE.read_text())
Feature, Features = tf.train.Feature, tf.train.Features


def tensorflows(name: str) -> bytes:
    return base64.b64decode(SAID["messages"][name])


def example() -> tf.train.Example:
    return tf.train.Example(
        features=Features(
            feature={
                "label": Feature(int64_list=tf.train.Int64List(value=[7])),
                "numbers": Feature(int64_list=tf.train.Int64List(value=[-1, 300, 2**40])),
                "weights": Feature(float_list=tf.train.FloatList(value=[0.1, -2.5, 1e20])),
                "image": Feature(
                    bytes_list=tf.train.BytesList(value=[bytes(range(12)), b"tail"])
                ),
                "empty": Feature(),
                "nothing": Feature(float_list=tf.train.FloatList()),
            }
        )
    )


# ------------------------------------------------------------------ messages
def test_an_example_has_tensorflows_bytes_and_text() -> None:
    made = example()
    assert made.SerializeToString() == tensorflows("example")
    assert tf.train.Example.FromString(tensorflows("example")) == made
    # TensorFlow's text has the features in no order
    said = SAID["messages"]["example_text"]
    assert sorted(str(made).splitlines()) == sorted(said.splitlines())
    assert Parse(said, tf.train.Example()) == made


def test_a_sequence_example_has_tensorflows_bytes_and_text() -> None:
    made = tf.train.SequenceExample()
    made.context.feature["label"].int64_list.value.append(7)
    steps = made.feature_lists.feature_list["steps"]
    for k in range(3):
        steps.feature.add().float_list.value.extend([k, k + 0.5])
    assert made.SerializeToString() == tensorflows("sequence")
    assert str(made).replace("0.0", "0").replace("1.0", "1").replace("2.0", "2") == (
        SAID["messages"]["sequence_text"]
    )
    back = tf.train.SequenceExample()
    assert back.ParseFromString(tensorflows("sequence")) == len(tensorflows("sequence"))
    assert back.feature_lists.feature_list["steps"].feature[2].float_list.value[1] == 2.5


def test_features_are_made_when_they_are_looked_at() -> None:
    made = tf.train.Example()
    assert "x" not in made.features.feature
    assert not made.HasField("features")
    made.features.feature["x"].int64_list.value.extend(np.arange(3))
    assert made.features.feature["x"].int64_list.value[0] == 0
    assert list(made.features.feature["x"].int64_list.value) == [0, 1, 2]
    assert made.HasField("features")
    assert made.features.feature["y"].WhichOneof("kind") is None
    assert sorted(made.features.feature) == ["x", "y"]


def test_a_feature_holds_one_kind() -> None:
    feature = Feature()
    feature.bytes_list.value.append(b"a")
    assert feature.WhichOneof("kind") == "bytes_list"
    feature.int64_list.value.append(1)
    assert feature.WhichOneof("kind") == "int64_list"
    assert not feature.HasField("bytes_list")
    assert feature.HasField("kind")
    other = Feature(float_list=tf.train.FloatList(value=[1.5]))
    feature.MergeFrom(other)
    assert feature == other
    feature.ClearField("float_list")
    assert feature.WhichOneof("kind") is None


def test_an_empty_list_is_a_kind_all_the_same() -> None:
    feature = Feature(int64_list=tf.train.Int64List())
    assert feature.WhichOneof("kind") == "int64_list"
    assert Feature.FromString(feature.SerializeToString()).WhichOneof("kind") == "int64_list"


def test_merging_takes_the_other_examples_features() -> None:
    made = example()
    other = tf.train.Example()
    other.features.feature["label"].int64_list.value[:] = [9]
    other.features.feature["more"].float_list.value.append(1)
    made.MergeFrom(other)
    assert made.features.feature["label"].int64_list.value == [9]
    assert len(made.features.feature) == 7
    made.features.feature["more"].CopyFrom(made.features.feature["image"])
    assert made.features.feature["more"].bytes_list.value[1] == b"tail"


def test_messages_are_pickled() -> None:
    assert pickle.loads(pickle.dumps(example())) == example()


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: tf.train.BytesList(value=["a"]), TypeError, "'a' has type str, but expected one"),
        (lambda: tf.train.BytesList(value=b"abc"), TypeError, "97 has type int, but expected one"),
        (lambda: tf.train.Int64List(value=[1.5]), TypeError, "1.5 has type float"),
        (lambda: tf.train.Int64List(value=[2**63]), ValueError, "Value out of range"),
        (lambda: tf.train.Int64List(value=3), TypeError, "not iterable"),
        (lambda: tf.train.FloatList(value=["x"]), TypeError, "'x' has type str"),
        (lambda: tf.train.FloatList(value=[[1.0, 2.0]]), TypeError, "float"),
        (lambda: tf.train.FloatList(values=[1.0]), ValueError, "no \"values\" field"),
        (lambda: Features(feature={"a": 3}), TypeError, "expected Feature, got int"),
        (lambda: Features(feature={1: Feature()}), TypeError, "1 has type int, but expected str"),
    ],
)
def test_values_of_other_types_are_refused(make, error, text) -> None:
    with pytest.raises(error, match=text):
        make()


def test_numbers_are_rounded_to_the_lists_type() -> None:
    assert tf.train.FloatList(value=np.array([0.1])).value[0] == np.float32(0.1)
    assert tf.train.FloatList(value=[1, 2.5]).value == [1.0, 2.5]
    assert tf.train.Int64List(value=np.array([True, False])).value == [1, 0]
    assert tf.train.Int64List(value=(np.uint8(3), -4)).value == [3, -4]


# ------------------------------------------------------------------ files
@pytest.mark.parametrize("name", ["", "GZIP", "ZLIB"])
def test_files_of_tensorflow_are_read(name, tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(base64.b64decode(SAID["files"][name]))
    options = tf.python_io.TFRecordOptions(name)
    records = list(tf.python_io.tf_record_iterator(str(path), options))
    assert records == [b"one", b"", b"three" * 40]


@pytest.mark.parametrize(
    ("kind", "unpack"),
    [("NONE", bytes), ("GZIP", gzip.decompress), ("ZLIB", zlib.decompress)],
)
def test_files_are_written_as_tensorflow_does(kind, unpack, tmp_path) -> None:
    path = tmp_path / "file"
    compression = getattr(tf.python_io.TFRecordCompressionType, kind)
    options = tf.python_io.TFRecordOptions(compression)
    with tf.python_io.TFRecordWriter(path, options) as writer:
        for record in (b"one", b"", b"three" * 40):
            writer.write(record)
            writer.flush()
    want = frame(b"one") + frame(b"") + frame(b"three" * 40)
    assert unpack(path.read_bytes()) == want
    assert base64.b64decode(SAID["files"][""]) == want
    assert len(list(tf.io.tf_record_iterator(path, options))) == 3


def test_flushed_records_can_be_read_before_the_file_is_closed(tmp_path) -> None:
    path = str(tmp_path / "file")
    writer = tf.python_io.TFRecordWriter(path)
    writer.write(b"early")
    writer.flush()
    assert list(tf.python_io.tf_record_iterator(path)) == [b"early"]
    writer.close()
    writer.close()
    with pytest.raises(tf.errors.FailedPreconditionError, match="previously closed"):
        writer.write(b"late")


def test_examples_go_through_a_file_and_a_dataset(tmp_path) -> None:
    path = str(tmp_path / "examples.tfrecord")
    with tf.python_io.TFRecordWriter(path, options="GZIP") as writer:
        writer.write(example().SerializeToString())
    dataset = tf.data.TFRecordDataset(path, compression_type="GZIP")
    record = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert tf.train.Example.FromString(sess.run(record)) == example()


def test_what_is_wrong_with_a_file_is_said(tmp_path) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="No such file or directory"):
        tf.python_io.TFRecordWriter(str(tmp_path / "no" / "file"))
    with pytest.raises(tf.errors.NotFoundError, match="No such file or directory"):
        list(tf.python_io.tf_record_iterator(str(tmp_path / "file")))
    path = tmp_path / "cut"
    path.write_bytes(frame(b"record")[:-1])
    with pytest.raises(tf.errors.DataLossError, match="truncated record at 0"):
        list(tf.python_io.tf_record_iterator(str(path)))
    with pytest.raises(tf.errors.DataLossError):
        list(tf.python_io.tf_record_iterator(str(path), "GZIP"))
    with pytest.raises(ValueError, match='Not a valid compression_type: "LZ4"'):
        tf.python_io.TFRecordOptions("LZ4")
    with pytest.raises(TypeError, match="a record is bytes, got str"):
        tf.python_io.TFRecordWriter(str(path)).write("text")
