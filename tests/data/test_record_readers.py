"""Readers of files that a queue names: keys, values and counts as TensorFlow gives them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

import graphc as tf


def names(sess: tf.Session, *paths: Any) -> tf.FIFOQueue:
    """A closed queue of the names."""
    queue = tf.FIFOQueue(10, tf.string, shapes=[[]])
    sess.run(queue.enqueue_many([[str(p) for p in paths]]))
    sess.run(queue.close())
    return queue


def drain(sess: tf.Session, fetches: Any) -> list[Any]:
    found = []
    try:
        while True:
            found.append(sess.run(fetches))
    except tf.errors.OutOfRangeError:
        return found


def keyed(folder: Path, *pairs: tuple[str, bytes]) -> list[tuple[bytes, bytes]]:
    return [(str(folder / name).encode(), value) for name, value in pairs]


def pairs(found: list[Any]) -> list[tuple[bytes, bytes]]:
    return [(f.key, f.value) for f in found]


def test_lines_are_numbered_and_headers_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"h\na\nb\r\n")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "c").write_bytes(b"h\nc")
    reader = tf.TextLineReader(skip_header_lines=1)
    assert reader.reader_ref.op.type == "TextLineReaderV2"
    with tf.Session() as sess:
        queue = names(sess, tmp_path / "a", tmp_path / "empty", tmp_path / "c", tmp_path / "a")
        record = reader.read(queue)
        assert (record.key.op.name, record.key.shape.as_list()) == ("ReaderReadV2", [])
        counts = [reader.num_records_produced(), reader.num_work_units_completed()]
        assert counts[0].dtype == tf.int64
        first = [sess.run(record) for _ in range(2)]
        assert pairs(first) == keyed(tmp_path, ("a:2", b"a"), ("a:3", b"b"))
        assert sess.run(counts) == [2, 0]
        assert pairs([sess.run(record)]) == keyed(tmp_path, ("c:2", b"c"))
        assert sess.run(counts) == [3, 2]
        rest = drain(sess, reader.read_up_to(queue, 5))
        assert [r.values.tolist() for r in rest] == [[b"a", b"b"]]
        assert sess.run(counts) == [5, 4]
        sess.run(reader.reset())
        assert sess.run(counts) == [0, 0]
    with tf.Session() as other:  # it has not read anything
        assert other.run(counts) == [0, 0]


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_tf_records(tmp_path: Path, compression: str) -> None:
    path = str(tmp_path / "r")
    options = tf.python_io.TFRecordOptions(
        {"": 0, "ZLIB": 1, "GZIP": 2}[compression]
    )
    with tf.python_io.TFRecordWriter(path, options) as writer:
        for record in (b"ab", b"cde", b"f"):
            writer.write(record)
    reader = tf.TFRecordReader(options=options)
    with tf.Session() as sess:
        found = drain(sess, reader.read(names(sess, path)))
        assert pairs(found) == keyed(tmp_path, ("r:0", b"ab"), ("r:18", b"cde"), ("r:37", b"f"))
        many = reader.read_up_to(names(sess, path, path), 2)
        assert many.values.shape.as_list() == [None]
        # a batch never spans files
        assert [v.tolist() for _, v in drain(sess, many)] == 2 * [[b"ab", b"cde"], [b"f"]]


def test_damaged_records_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"no records at all, but text")
    reader = tf.TFRecordReader()
    with tf.Session() as sess:
        with pytest.raises(tf.errors.DataLossError, match="corrupted record at 0"):
            sess.run(reader.read(names(sess, tmp_path / "bad")))
        queue = names(sess, tmp_path / "none", tmp_path / "bad")
        value = tf.WholeFileReader().read(queue).value
        with pytest.raises(tf.errors.NotFoundError, match="none; No such file or directory"):
            sess.run(value)
        assert sess.run(value).startswith(b"no records")


def test_whole_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x\ny\n")
    (tmp_path / "b").write_bytes(b"")
    reader = tf.WholeFileReader()
    with tf.Session() as sess:
        found = drain(sess, reader.read(names(sess, tmp_path / "a", tmp_path / "b")))
        assert pairs(found) == keyed(tmp_path, ("a", b"x\ny\n"), ("b", b""))


def test_identity() -> None:
    reader = tf.IdentityReader()
    with tf.Session() as sess:
        queue = names(sess, "a", "b")
        assert sess.run(reader.read(queue)) == (b"a", b"a")
        # a reader also takes the queue's name
        assert sess.run(reader.read(queue.queue_ref))[1] == b"b"


@pytest.mark.parametrize(
    ("sizes", "want"),
    [
        ({"record_bytes": 2, "header_bytes": 2, "footer_bytes": 1}, [b"aa", b"bb", b"cc", b"dd"]),
        (
            {"record_bytes": 4, "header_bytes": 2, "footer_bytes": 1, "hop_bytes": 2},
            [b"aabb", b"bbcc", b"ccdd"],
        ),
        ({"record_bytes": 3, "header_bytes": 2, "footer_bytes": 1}, [b"aab", b"bcc"]),
        ({"record_bytes": 11}, [b"HHaabbccddF"]),
    ],
)
def test_fixed_length(tmp_path: Path, sizes: dict[str, int], want: list[bytes]) -> None:
    (tmp_path / "f").write_bytes(b"HHaabbccddF")
    (tmp_path / "z").write_bytes(gzip.compress(b"HHaabbccddF"))
    with tf.Session() as sess:
        reader = tf.FixedLengthRecordReader(**sizes)
        found = pairs(drain(sess, reader.read(names(sess, tmp_path / "f"))))
        assert found == keyed(tmp_path, *((f"f:{k}", v) for k, v in enumerate(want)))
        zipped = tf.FixedLengthRecordReader(**sizes, encoding="GZIP")
        found = drain(sess, zipped.read(names(sess, tmp_path / "z")))
        assert [f.value for f in found] == want
        with pytest.raises(tf.errors.InvalidArgumentError, match="record_bytes must be > 0"):
            sess.run(tf.FixedLengthRecordReader(0).read(names(sess, "x")))


def test_what_a_reader_is_not(tmp_path: Path) -> None:
    reader = tf.WholeFileReader()
    assert isinstance(reader, tf.ReaderBase) and not reader.supports_serialize
    unknown = pytest.raises(tf.errors.InvalidArgumentError, match="no queue by the handle b'a'")
    with tf.Session() as sess, unknown:
        sess.run(reader.read(tf.constant("a")))
    with pytest.raises(ValueError, match="Not a valid compression_type"):
        tf.TFRecordReader(options="LZ4")
