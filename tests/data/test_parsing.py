"""Parsing of Examples: values, shapes and errors as TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as tf
from graphc.ops.example_bytes import example_features, feature_values


def ints(*values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def floats(*values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def texts(*values):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def example(**features):
    made = tf.train.Example(features=tf.train.Features(feature=features))
    return made.SerializeToString()


def sequence(context, **lists):
    made = tf.train.SequenceExample(context=tf.train.Features(feature=context))
    for name, steps in lists.items():
        made.feature_lists.feature_list[name].feature.extend(steps)
    return made.SerializeToString()


ONE = example(a=ints(1, 2), b=floats(1.5), s=texts(b"x"))
TWO = example(a=ints(3, 4), s=texts(b"y", b"z"))


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def run(fetches, feed_dict=None):
    with tf.Session() as sess:
        return sess.run(fetches, feed_dict)


def same(value, indices, values, shape):
    np.testing.assert_array_equal(value.indices, np.reshape(indices, (-1, len(shape))))
    assert value.values.tolist() == values
    assert value.dense_shape.tolist() == shape


# ------------------------------------------------------------------ one example
def test_one_example_of_fixed_features():
    parsed = tf.parse_single_example(
        ONE,
        features={
            "a": tf.FixedLenFeature([2], tf.int64),
            "b": tf.FixedLenFeature([], tf.float32),
            "s": tf.FixedLenFeature((), tf.string),
        },
    )
    assert parsed["a"].shape == [2] and parsed["b"].shape == [] and parsed["s"].dtype == tf.string
    assert parsed["a"].op.type == "ParseSingleExample"
    got = run(parsed)
    assert got["a"].tolist() == [1, 2] and got["b"] == 1.5 and got["s"] == b"x"


def test_a_missing_feature_takes_its_default():
    parsed = tf.parse_single_example(
        TWO,
        {
            "b": tf.FixedLenFeature([], tf.float32, default_value=3),
            "q": tf.FixedLenFeature([1, 2], tf.int64, [7, 8]),
            "t": tf.FixedLenFeature([], tf.string, default_value="none"),
            "e": tf.FixedLenFeature([0], tf.int64),
        },
    )
    got = run(parsed)
    assert got["b"] == 3.0 and got["t"] == b"none"
    assert got["q"].tolist() == [[7, 8]]
    assert got["e"].shape == (0,)


def test_features_of_any_length():
    parsed = tf.parse_single_example(
        ONE,
        {
            "a": tf.VarLenFeature(tf.int64),
            "q": tf.VarLenFeature(tf.string),
            "r": tf.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
            "w": tf.FixedLenSequenceFeature([2], tf.float32, allow_missing=True),
        },
    )
    assert isinstance(parsed["a"], tf.SparseTensor)
    assert parsed["w"].shape.as_list() == [None, 2]
    got = run(parsed)
    same(got["a"], [[0], [1]], [1, 2], [2])
    same(got["q"], [], [], [0])
    assert got["r"].tolist() == [] and got["w"].shape == (0, 2)
    rows = tf.parse_single_example(
        ONE, {"a": tf.FixedLenSequenceFeature([2], tf.int64, allow_missing=True)}
    )
    assert run(rows["a"] * 10).tolist() == [[10, 20]]


def test_sparse_features_take_their_places_from_others():
    record = example(ix=ints(3, 1), iy=ints(0, 1), v=floats(1, 2))
    parsed = tf.parse_single_example(
        record,
        {
            "one": tf.SparseFeature("ix", "v", tf.float32, 10),
            "two": tf.SparseFeature(["ix", "iy"], "v", tf.float32, [10, 3]),
            "raw": tf.SparseFeature("ix", "v", tf.float32, 10, already_sorted=True),
        },
    )
    got = run(parsed)
    same(got["one"], [[1], [3]], [2.0, 1.0], [10])
    same(got["two"], [[1, 1], [3, 0]], [2.0, 1.0], [10, 3])
    same(got["raw"], [[3], [1]], [1.0, 2.0], [10])
    batch = tf.parse_example(
        [record, example(ix=ints(0), v=floats(5))],
        {"one": tf.SparseFeature("ix", "v", tf.float32, 10)},
    )
    same(run(batch)["one"], [[0, 1], [0, 3], [1, 0]], [2.0, 1.0, 5.0], [2, 10])
    uneven = tf.parse_single_example(
        example(ix=ints(3, 1), v=floats(1)), {"v": tf.SparseFeature("ix", "v", tf.float32, 10)}
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices \(2\) and values \(1\)"):
        run(uneven)


def test_images_are_read_from_a_file_of_examples(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    path = str(tmp_path / "images.tfrecords")
    with tf.python_io.TFRecordWriter(path) as writer:
        for k, image in enumerate(images):
            writer.write(example(image=texts(image.tobytes()), label=ints(k)))

    def parse(record):
        found = tf.parse_single_example(
            record,
            {
                "image": tf.FixedLenFeature([], tf.string),
                "label": tf.FixedLenFeature([], tf.int64),
            },
        )
        pixels = tf.reshape(tf.decode_raw(found["image"], tf.uint8), [4, 3])
        return tf.cast(pixels, tf.float32) / 255.0, tf.cast(found["label"], tf.int32)

    dataset = tf.data.TFRecordDataset([path]).map(parse).batch(5)
    pixels, labels = dataset.make_one_shot_iterator().get_next()
    assert pixels.shape.as_list() == [None, 4, 3]
    got, numbers = run([pixels, labels])
    np.testing.assert_allclose(got, images / 255.0, rtol=1e-6)
    assert numbers.tolist() == list(range(5))


# ------------------------------------------------------------------ batches
def test_a_batch_of_examples():
    spec = {
        "a": tf.FixedLenFeature([2], tf.int64),
        "b": tf.FixedLenFeature([], tf.float32, 0.0),
        "s": tf.VarLenFeature(tf.string),
        "p": tf.FixedLenSequenceFeature([], tf.string, allow_missing=True, default_value="pad"),
    }
    spec["p"] = spec.pop("p")
    serialized = tf.placeholder(tf.string, [None])
    parsed = tf.parse_example(serialized, spec)
    assert parsed["a"].shape.as_list() == [None, 2]
    got = run(parsed, {serialized: [ONE, TWO]})
    assert got["a"].tolist() == [[1, 2], [3, 4]] and got["b"].tolist() == [1.5, 0.0]
    same(got["s"], [[0, 0], [1, 0], [1, 1]], [b"x", b"y", b"z"], [2, 2])
    assert got["p"].shape == (2, 0)
    assert run(parsed["a"], {serialized: []}).shape == (0, 2)


def test_sequences_of_a_batch_are_padded():
    spec = {
        "s": tf.FixedLenSequenceFeature([], tf.string, allow_missing=True, default_value="pad"),
        "q": tf.FixedLenSequenceFeature([3], tf.int64, allow_missing=True),
    }
    parsed = tf.parse_example([ONE, TWO], spec)
    assert parsed["s"].shape.as_list() == [2, None]
    got = run(parsed)
    assert got["s"].tolist() == [[b"x", b"pad"], [b"y", b"z"]]
    assert got["q"].shape == (2, 0, 3)


def test_strings_of_a_batch_are_strings():
    spec = {
        "a": tf.FixedLenFeature([], tf.string),
        "b": tf.FixedLenFeature([1], tf.string),
        "c": tf.FixedLenFeature([], tf.string, "-"),
    }
    parsed = tf.parse_example([example(a=texts(b"x"), b=texts(b"y"))] * 2, spec)
    got = run(parsed)
    assert got["a"].tolist() == [b"x"] * 2 and got["b"].tolist() == [[b"y"]] * 2
    assert got["c"].tolist() == [b"-"] * 2
    assert all(type(v) is bytes for v in got["a"].tolist())
    assert run(tf.string_to_hash_bucket_fast(parsed["a"], 5)).shape == (2,)
    steps = tf.parse_single_sequence_example(
        sequence({}, s=[texts(b"p"), texts(b"q")]),
        sequence_features={"s": tf.FixedLenSequenceFeature([], tf.string)},
    )[1]["s"]
    assert run(tf.string_join([steps, "!"])).tolist() == [b"p!", b"q!"]


def test_a_scalar_is_parsed_as_one_example():
    assert run(tf.parse_example(ONE, {"a": tf.FixedLenFeature([2], tf.int64)})["a"]).tolist() == [
        1, 2,
    ]  # fmt: skip


# ------------------------------------------------------------------ sequences
S1 = sequence({"l": ints(7)}, x=[floats(1, 2), floats(3, 4)], y=[ints(1), ints(2, 3), ints()])
S2 = sequence({"l": ints(8)}, x=[floats(5, 6)], y=[])


def test_one_sequence():
    context, lists = tf.parse_single_sequence_example(
        serialized=S1,
        context_features={"l": tf.FixedLenFeature([], tf.int64), "m": tf.VarLenFeature(tf.int64)},
        sequence_features={
            "x": tf.FixedLenSequenceFeature([2], tf.float32),
            "y": tf.VarLenFeature(tf.int64),
            "q": tf.FixedLenSequenceFeature([2], tf.float32, allow_missing=True),
        },
    )
    assert lists["x"].shape.as_list() == [None, 2]
    got, found = run([context, lists])
    assert got["l"] == 7
    same(got["m"], [], [], [0])
    assert found["x"].tolist() == [[1, 2], [3, 4]]
    same(found["y"], [[0, 0], [1, 0], [1, 1]], [1, 2, 3], [3, 2])
    assert found["q"].shape == (0, 2)


def test_a_batch_of_sequences():
    context, lists, lengths = tf.io.parse_sequence_example(
        [S1, S2],
        {"l": tf.FixedLenFeature([], tf.int64)},
        {"x": tf.FixedLenSequenceFeature([2], tf.float32), "y": tf.VarLenFeature(tf.int64)},
    )
    got, found, sizes = run([context, lists, lengths])
    assert got["l"].tolist() == [7, 8]
    assert found["x"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    same(found["y"], [[0, 0, 0], [0, 1, 0], [0, 1, 1]], [1, 2, 3], [2, 3, 2])
    assert sizes["x"].tolist() == [2, 1]


# ------------------------------------------------------------------ errors
@pytest.mark.parametrize(
    ("record", "spec", "text"),
    [
        (
            TWO, {"b": tf.FixedLenFeature([], tf.float32)},
            r"Name: <unknown>, Feature: b \(data type: float\) is required but could not be found.",
        ),
        (
            ONE, {"b": tf.FixedLenFeature([], tf.int64)},
            "Key: b, Index: 0.  Data types don't match. Data type: float but expected type: int64",
        ),
        (
            ONE, {"a": tf.FixedLenFeature([3], tf.int64)},
            "Number of int64 values != expected.  Values size: 2 but output shape: [3]",
        ),
        (
            ONE, {"b": tf.FixedLenSequenceFeature([2], tf.float32, allow_missing=True)},
            "Number of float values is not a multiple of stride length. Saw 1 values",
        ),
        (ONE, {"a": tf.VarLenFeature(tf.string)}, "Data type: int64 but expected type: string"),
        (b"\x0a\xff\xff", {"a": tf.VarLenFeature(tf.int64)}, "Could not parse example input"),
    ],
)  # fmt: skip
def test_examples_that_do_not_fit(record, spec, text):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        run(tf.parse_single_example(tf.constant(record), spec))
    assert text.replace("\\", "") in str(error.value)


def test_errors_of_a_batch_name_the_example():
    spec = {"b": tf.FixedLenFeature([], tf.float32)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="Name: two, Feature: b"):
        run(tf.parse_example([ONE, TWO], spec, example_names=["one", "two"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Feature list 'q' is required"):
        run(
            tf.parse_single_sequence_example(
                S1, sequence_features={"q": tf.FixedLenSequenceFeature([2], tf.float32)}
            )[1]
        )
    with pytest.raises(tf.errors.InvalidArgumentError, match="values size: 2 but output shape"):
        run(
            tf.parse_single_sequence_example(
                S1, sequence_features={"x": tf.FixedLenSequenceFeature([], tf.float32)}
            )[1]
        )
    with pytest.raises(tf.errors.InvalidArgumentError, match="Context feature 'q' is required"):
        run(tf.parse_single_sequence_example(S1, {"q": tf.FixedLenFeature([], tf.int64)})[0])


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ({}, ValueError, "features cannot be empty"),
        ({"q": 3}, ValueError, "Unsupported int 3 for key 'q'"),
        ({"a": tf.FixedLenFeature([None], tf.int64)}, ValueError, "shape for feature a unknown"),
        ({"a": tf.FixedLenFeature([2], tf.int32)}, TypeError, "DataType int32 not in list"),
        ({"a": tf.VarLenFeature(tf.int32)}, TypeError, "DataType int32 not in list"),
        ({"a": tf.FixedLenSequenceFeature([], tf.int64)}, ValueError, "requires allow_missing"),
        ({"a": tf.FixedLenFeature([2], tf.int64, [1])}, ValueError, "Cannot reshape a tensor"),
    ],
)
def test_specifications_that_are_refused(spec, error, text):
    with pytest.raises(error, match=text):
        tf.parse_single_example(ONE, spec)


def test_one_example_is_a_scalar():
    with pytest.raises(ValueError, match="Input serialized must be a scalar"):
        tf.parse_single_example([ONE], {"a": tf.FixedLenFeature([2], tf.int64)})
    with pytest.raises(ValueError, match="at least one should have values"):
        tf.parse_single_sequence_example(S1)


# ------------------------------------------------------------------ bytes
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.floats(width=32, allow_nan=False)),
    st.lists(st.binary()),
)
def test_what_messages_write_is_read(whole, real, raw):
    data = example(i=ints(*whole), f=floats(*real), s=texts(*raw))
    found = example_features(data, {"i", "f", "s", "none"})
    assert sorted(found) == ["f", "i", "s"]
    kind, values = feature_values(data, found["i"])
    assert kind == "int64" and values.tolist() == whole
    assert feature_values(data, found["f"])[1].tolist() == real
    assert feature_values(data, found["s"])[1] == raw


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_an_example_or_an_error(data):
    parsed = tf.parse_single_example(data, {"a": tf.VarLenFeature(tf.int64)})
    try:
        run(parsed["a"])
    except tf.errors.InvalidArgumentError as error:
        assert "Could not parse" in str(error) or "Data types" in str(error)
    tf.reset_default_graph()
