"""decode_raw, decode_csv, base64, compression, serialized tensors, files: as TensorFlow's."""

from __future__ import annotations

import base64
import gzip
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as tf
from graphc.ops.csv_fields import fields_of

INVALID = tf.errors.InvalidArgumentError


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def run(fetches, feed_dict=None):
    with tf.Session() as sess:
        return sess.run(fetches, feed_dict)


# ------------------------------------------------------------------ raw bytes
@pytest.mark.parametrize("name", ["uint8", "int16", "int32", "int64", "float32", "float64"])
def test_raw_bytes_are_numbers(name):
    values = np.arange(6, dtype=name).reshape(2, 3)
    fed = tf.placeholder(tf.string)
    little = tf.decode_raw(fed, name)
    big = tf.decode_raw(fed, getattr(tf, name), little_endian=False)
    assert run(little, {fed: values.tobytes()}).tolist() == list(range(6))
    rows = [row.tobytes() for row in values]
    got = run(little, {fed: rows})
    assert got.dtype == name and got.tolist() == values.tolist()
    swapped = [row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values]
    assert run(big, {fed: swapped}).tolist() == values.tolist()


def test_shapes_of_raw_bytes():
    assert tf.decode_raw(["ab", "cd"], tf.uint8).shape.as_list() == [2, None]
    assert tf.decode_raw(tf.placeholder(tf.string, []), tf.uint8).shape.as_list() == [None]
    image = tf.decode_raw(tf.constant(bytes(range(12))), tf.uint8)
    image.set_shape([12])
    mean = tf.reduce_mean(tf.cast(tf.reshape(image, [3, 4]), tf.float32), axis=1)
    assert mean.shape.as_list() == [3]
    assert run(mean).tolist() == [1.5, 5.5, 9.5]
    assert run(tf.decode_raw([b""], tf.int32)).shape == (1, 0)
    assert run(tf.decode_raw([b"\0\1\2"], tf.bool)).tolist() == [[False, True, True]]


def test_raw_bytes_that_do_not_fit():
    with pytest.raises(INVALID, match="length 3 that is not a multiple of 4, the size of int32"):
        run(tf.decode_raw([b"abc"], tf.int32))
    with pytest.raises(INVALID, match="all be the same size, but element 1 has size 2 != 1"):
        run(tf.decode_raw([b"ab", b"c"], tf.uint8))
    with pytest.raises(TypeError, match="out_type"):
        tf.decode_raw([b"abc"], tf.string)


# ------------------------------------------------------------------ CSV
def columns(records, defaults, **options):
    return [np.asarray(c).tolist() for c in run(tf.decode_csv(records, defaults, **options))]


def test_lines_of_csv():
    got = columns(["1,2.5,x", '3,,"y,""z"""'], [[0], [0.5], [""]])
    assert got == [[1, 3], [2.5, 0.5], [b"x", b'y,"z"']]
    assert columns("1,2.5, x ", [[0], [0.5], [""]]) == [1, 2.5, b" x "]
    assert columns(["NA,NA"], [[7], [0.5]], na_value="NA") == [[7], [0.5]]
    assert columns(["1,2,3"], [[7], [0.5]], select_cols=[0, 2]) == [[1], [3.0]]
    assert columns(["1\t2"], [[7], [8]], field_delim="\t") == [[1], [2]]
    assert columns(['"a",b'], [[""], [""]], use_quote_delim=False) == [[b'"a"'], [b"b"]]
    assert columns(["1,2,"], [[7], [0.5], ["q"]]) == [[1], [2.0], [b"q"]]
    assert columns([","], [[7], [8]]) == [[7], [8]]
    assert columns(["1,"], [1, 2.0]) == [[1], [2.0]]
    lines = tf.decode_csv(tf.placeholder(tf.string, [4, None]), [[1], [""]])
    assert [c.shape.as_list() for c in lines] == [[4, None]] * 2
    assert [c.dtype for c in lines] == [tf.int32, tf.string]


def test_numbers_of_csv_are_read_as_tensorflow_reads_them():
    line = " 1 , 2.5 ,inf,-NaN,1e400"
    got = run(tf.decode_csv(line, [[0], [0.5], [0.0], [0.0], [0.0]]))
    np.testing.assert_array_equal(got, [1, 2.5, np.inf, np.nan, np.inf])
    wide = [tf.constant([], tf.int64), tf.constant([], tf.float64)]
    assert columns(["99999999999,0.1"], wide) == [[99999999999], [0.1]]


@pytest.mark.parametrize(
    ("line", "defaults", "text"),
    [
        ("1,2", [[0], [0.5], [""]], "Expect 3 fields but have 2 in record 0"),
        (",2", [tf.int32, [0.5]], "Field 0 is required but missing in record 0!"),
        ("a,2", [[1], [0.5]], "Field 0 in record 0 is not a valid int32: a"),
        ("1_0,2", [[1], [0.5]], "Field 0 in record 0 is not a valid int32: 1_0"),
        ("99999999999,2", [[1], [0.5]], "Field 0 in record 0 is not a valid int32: 9999999"),
        ("1,b", [[1], [0.5]], "Field 1 in record 0 is not a valid float: b"),
        ('1,b"c', [[1], [""]], "Unquoted fields cannot have quotes/CRLFs inside"),
        ('1,"bc', [[1], [""]], "Quoted field has to end with quote followed by delim or end"),
        ('1,"b"c', [[1], [""]], "Quote inside a string has to be escaped by another quote"),
    ],
)
def test_lines_that_are_refused(line, defaults, text):
    made = [tf.constant([], d) if d == tf.int32 else d for d in defaults]
    with pytest.raises(INVALID, match=text):
        run(tf.decode_csv([line], made))


def test_arguments_of_csv_that_are_refused():
    with pytest.raises(ValueError, match="not strictly increasing"):
        tf.decode_csv(["1,2,3"], [[7], [0.5]], select_cols=[2, 0])
    with pytest.raises(ValueError, match="Length of select_cols and record_defaults"):
        tf.decode_csv(["1,2,3"], [[7], [0.5]], select_cols=[1])
    with pytest.raises(TypeError, match="DataType bool not in list"):
        tf.decode_csv(["1"], [[True]])
    with pytest.raises(ValueError, match="length-0 or length-1 vector"):
        tf.decode_csv(["1"], [[1, 2]])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1), min_size=1))
def test_quoted_fields_come_back(fields):
    line = b",".join(b'"' + f.replace(b'"', b'""') + b'"' for f in fields)
    assert fields_of(line, b",", True, ()) == fields


def test_a_file_of_csv_is_trained_on(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("".join(f"{k},{k * 2.0},{'ab'[k % 2]}\n" for k in range(6)))

    def parse(line):
        x, y, kind = tf.decode_csv(line, record_defaults=[[0], [0.0], [""]])
        return tf.stack([tf.to_float(x), y]), tf.equal(kind, "a")

    dataset = tf.data.TextLineDataset(str(path)).map(parse).batch(6)
    points, kinds = run(dataset.make_one_shot_iterator().get_next())
    assert points.tolist() == [[k, 2 * k] for k in range(6)]
    assert kinds.tolist() == [True, False] * 3


# ------------------------------------------------------------------ base64, compression
@settings(max_examples=50, deadline=None)
@given(st.binary())
def test_base64_is_web_safe_and_comes_back(data):
    tf.reset_default_graph()
    plain, padded = tf.encode_base64([data]), tf.encode_base64([data], pad=True)
    got = run([plain, padded, tf.decode_base64(plain), tf.decode_base64(padded)])
    assert got[1][0] == base64.urlsafe_b64encode(data)
    assert got[0][0] == got[1][0].rstrip(b"=")
    assert got[2][0] == got[3][0] == data


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"+/4-", "Invalid character"), (b"abcde", "cannot be 1 modulo 4"), (b"ab=", "Invalid char")],
)
def test_what_is_no_base64_is_refused(text, message):
    with pytest.raises(INVALID, match=message):
        run(tf.decode_base64([text]))


def test_compressed_strings():
    data = b"text" * 50
    packed = [zlib.compress(data), zlib.compress(b"")]
    assert run(tf.decode_compressed(packed, "ZLIB")).tolist() == [data, b""]
    assert run(tf.decode_compressed(gzip.compress(data), compression_type="GZIP")) == data
    assert run(tf.decode_compressed([data])).tolist() == [data]
    with pytest.raises(tf.errors.DataLossError, match="incorrect header check"):
        run(tf.decode_compressed([b"abc"], "ZLIB"))
    with pytest.raises(INVALID, match="Only ZLIB, GZIP or NONE"):
        tf.decode_compressed([b"abc"], "LZ4")


# ------------------------------------------------------------------ messages
def test_tensors_are_serialized_as_tensorflow_does():
    assert run(tf.io.serialize_tensor(tf.constant([[1, 2]]))) == (
        b'\x08\x03\x12\x08\x12\x02\x08\x01\x12\x02\x08\x02"\x08\x01\0\0\0\x02\0\0\0'
    )
    assert run(tf.io.serialize_tensor(3.5)) == b'\x08\x01\x12\x00"\x04\0\0`@'
    assert run(tf.io.serialize_tensor(["a", "b"])) == (
        b"\x08\x07\x12\x04\x12\x02\x08\x02B\x01aB\x01b"
    )


@pytest.mark.parametrize("name", ["float32", "float16", "int64", "bool", "complex64", "uint8"])
def test_serialized_tensors_come_back(name):
    values = np.arange(6).reshape(3, 2).astype(name)
    back = tf.parse_tensor(tf.io.serialize_tensor(values), getattr(tf, name))
    assert back.shape.ndims is None and back.dtype == name
    got = run(back)
    assert got.dtype == name and got.tolist() == values.tolist()
    with pytest.raises(INVALID, match="Type mismatch between parsed tensor"):
        run(tf.parse_tensor(tf.io.serialize_tensor(values), tf.int16))
    with pytest.raises(INVALID, match="Could not parse `serialized` as TensorProto"):
        run(tf.parse_tensor("zzz", tf.int16))


def test_examples_of_json():
    text = """{"features": {"feature": {
        "a": {"int64List": {"value": ["1", 2]}}, "b": {"floatList": {"value": [0.5, "NaN"]}},
        "c": {"bytes_list": {"value": ["YWI="]}}, "d": {"floatList": {}}}}}"""
    example = tf.train.Example.FromString(run(tf.decode_json_example(text)))
    feature = example.features.feature
    assert feature["a"].int64_list.value == [1, 2]
    assert feature["b"].float_list.value[0] == 0.5 and np.isnan(feature["b"].float_list.value[1])
    assert feature["c"].bytes_list.value == [b"ab"]
    assert feature["d"].WhichOneof("kind") == "float_list"
    for bad in ('{"features": ', '{"features": {"feature": {"a": {"x": {}}}}}'):
        with pytest.raises(INVALID, match="Error while parsing JSON"):
            run(tf.decode_json_example(bad))


# ------------------------------------------------------------------ files
def test_files_are_written_and_read_in_each_run(tmp_path):
    name = tf.placeholder(tf.string, [])
    text = tf.placeholder(tf.string, [])
    write, read = tf.write_file(name, text), tf.read_file(name)
    path = str(tmp_path / "new" / "folder" / "file.bin")
    with tf.Session() as sess:
        for content in (b"one", b"\0two\xff"):
            assert sess.run(write, {name: path, text: content}) is None
            assert sess.run(read, {name: path}) == content
        with pytest.raises(tf.errors.NotFoundError, match="nothere; No such file"):
            sess.run(read, {name: str(tmp_path / "nothere")})
        with pytest.raises(tf.errors.FailedPreconditionError, match="Is a directory"):
            sess.run(read, {name: str(tmp_path)})


def test_a_constant_name_is_read_anew(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    read = tf.read_file(str(path))
    with tf.Session() as sess:
        assert sess.run(read) == b"one"
        path.write_bytes(b"two")
        assert sess.run(read) == b"two"


def test_files_that_match_patterns(tmp_path):
    for name in ("b.txt", "a.txt", "c.bin"):
        (tmp_path / name).touch()
    found = run(tf.matching_files(f"{tmp_path}/*.txt"))
    assert found.tolist() == [f"{tmp_path}/a.txt".encode(), f"{tmp_path}/b.txt".encode()]
    both = run(tf.matching_files([f"{tmp_path}/*.bin", f"{tmp_path}/a*", f"{tmp_path}/a.*"]))
    assert both.tolist() == [f"{tmp_path}/a.txt".encode(), f"{tmp_path}/c.bin".encode()]
