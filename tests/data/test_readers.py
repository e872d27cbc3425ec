"""Datasets of files: lines, TFRecords, records of fixed length, names."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

import graphc as tf
from graphc.interop.tfrecord import frame
from tests.data.conftest import elements

data = tf.data


def test_lines_of_files(tmp_path, drain) -> None:
    (tmp_path / "a").write_bytes(b"one\ntwo\r\n\nlast")
    (tmp_path / "b").write_bytes(b"more\n")
    names = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert drain(data.TextLineDataset(names)) == [b"one", b"two", b"", b"last", b"more"]
    assert drain(data.TextLineDataset(names[1])) == [b"more"]
    lines = data.Dataset.from_tensor_slices(names).flat_map(
        lambda name: data.TextLineDataset(name).skip(1)
    )
    assert drain(lines) == [b"two", b"", b"last"]


@pytest.mark.parametrize(("kind", "pack"), [("GZIP", gzip.compress), ("ZLIB", zlib.compress)])
def test_compressed_files(tmp_path, kind, pack) -> None:
    (tmp_path / "t").write_bytes(pack(b"x\ny\n"))
    (tmp_path / "r").write_bytes(pack(frame(b"one") + frame(b"")))
    (tmp_path / "f").write_bytes(pack(b"headaabb"))
    name = str(tmp_path)
    assert elements(data.TextLineDataset(name + "/t", kind)) == [b"x", b"y"]
    assert elements(data.TFRecordDataset(name + "/r", compression_type=kind)) == [b"one", b""]
    fixed = data.FixedLengthRecordDataset(name + "/f", 2, 4, compression_type=kind)
    assert elements(fixed) == [b"aa", b"bb"]
    with pytest.raises(ValueError, match="compression_type"):
        data.TextLineDataset(name, "LZ4")


def test_records(tmp_path, drain) -> None:
    whole = frame(b"first") + frame(b"\x00\xff")
    (tmp_path / "r").write_bytes(whole)
    (tmp_path / "cut").write_bytes(whole[:-3])
    assert drain(data.TFRecordDataset([str(tmp_path / "r")], num_parallel_reads=2)) == [
        b"first", b"\x00\xff",
    ]  # fmt: skip
    with pytest.raises(tf.errors.DataLossError, match="truncated"):
        elements(data.TFRecordDataset(str(tmp_path / "cut")))


def test_fed_names_and_missing_files(tmp_path) -> None:
    (tmp_path / "r").write_bytes(frame(b"x"))
    names = tf.placeholder(tf.string, [None])
    dataset = data.TFRecordDataset(names)
    assert elements(dataset, feeds={names: [str(tmp_path / "r")] * 2}) == [b"x", b"x"]
    with pytest.raises(tf.errors.NotFoundError, match="/nope; No such file or directory"):
        elements(data.TextLineDataset("/nope"))
    with pytest.raises(TypeError, match="filenames"):
        data.TextLineDataset([1, 2])


def test_fixed_records_between_header_and_footer(tmp_path, drain) -> None:
    images = np.arange(12, dtype=np.uint8)
    (tmp_path / "f").write_bytes(b"head" + images.tobytes() + b"ft")
    name = str(tmp_path / "f")
    found = drain(data.FixedLengthRecordDataset(name, 4, header_bytes=4, footer_bytes=2))
    assert b"".join(found) == images.tobytes() and len(found) == 3
    with pytest.raises(tf.errors.InvalidArgumentError, match="not an exact multiple"):
        elements(data.FixedLengthRecordDataset(name, 5))


def test_names_of_files(tmp_path) -> None:
    for k in range(5):
        (tmp_path / f"{k}.txt").write_bytes(b"")
    pattern = str(tmp_path / "*.txt")
    want = [str(tmp_path / f"{k}.txt").encode() for k in range(5)]
    assert elements(data.Dataset.list_files(pattern, shuffle=False)) == want
    mixed = elements(data.Dataset.list_files(pattern, seed=2))
    assert sorted(mixed) == want
    assert mixed == elements(data.Dataset.list_files(pattern, seed=2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="No files matched pattern"):
        elements(data.Dataset.list_files(str(tmp_path / "*.png")))
