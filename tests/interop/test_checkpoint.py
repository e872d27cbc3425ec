"""V2 checkpoints: TensorFlow's files bit for bit, damage, replacing one at any moment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from graphc.errors import DataLossError, NotFoundError, UnimplementedError
from graphc.interop import checkpoint
from graphc.interop.checkpoint import CheckpointReader, write_checkpoint
from graphc.interop.messages import BundleEntryProto
from graphc.interop.table import read_table, write_table

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tf"


def test_a_checkpoint_of_tensorflow_is_read_bit_for_bit() -> None:
    reader = CheckpointReader(FIXTURES / "dtypes-7")
    expected = np.load(FIXTURES / "dtypes.npz", allow_pickle=True)
    assert sorted(reader.get_variable_to_shape_map()) == sorted(expected.files)
    for key in expected.files:
        got, want = reader.get_tensor(key), expected[key]
        assert reader.get_variable_to_shape_map()[key] == list(want.shape)
        if "bfloat16" in key:
            got = got.astype(np.float32)
        assert np.asarray(got).dtype == want.dtype, key
        assert np.array_equal(got, want), key


def test_what_is_written_has_tensorflows_bytes_of_data_and_index_entries(tmp_path: Path) -> None:
    reader = CheckpointReader(FIXTURES / "dtypes-7")
    values = {k: reader.get_tensor(k) for k in reader.get_variable_to_shape_map()}
    write_checkpoint(tmp_path / "m", values)
    assert sorted(os.listdir(tmp_path)) == ["m.data-00000-of-00001", "m.index"]
    again = CheckpointReader(tmp_path / "m")
    mine = read_table((tmp_path / "m.index").read_bytes())
    theirs = read_table((FIXTURES / "dtypes-7.index").read_bytes())
    assert mine.keys() == theirs.keys()
    for key, value in values.items():
        assert np.array_equal(again.get_tensor(key), value)
        a, b = (BundleEntryProto.FromString(t[key.encode()]) for t in (mine, theirs))
        assert (a.dtype, a.shape, a.size, a.crc32c) == (b.dtype, b.shape, b.size, b.crc32c), key


def test_several_shards_are_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "m", {"a": np.arange(3.0), "b": np.arange(4)})
    index = read_table((tmp_path / "m.index").read_bytes())
    header = checkpoint.BundleHeaderProto.FromString(index[b""])
    header.num_shards = 2
    entry = BundleEntryProto.FromString(index[b"b"])
    data = (tmp_path / "m.data-00000-of-00001").read_bytes()
    (tmp_path / "m.data-00000-of-00002").write_bytes(data[: entry.offset])
    (tmp_path / "m.data-00001-of-00002").write_bytes(data[entry.offset :])
    entry.shard_id, entry.offset = 1, 0
    index.update({b"": header.SerializeToString(), b"b": entry.SerializeToString()})
    (tmp_path / "m.index").write_bytes(write_table(index))
    reader = CheckpointReader(tmp_path / "m")
    assert reader.get_tensor("a").tolist() == [0, 1, 2]
    assert reader.get_tensor("b").tolist() == [0, 1, 2, 3]


def test_damage_and_absence_are_told(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "m", {"a": np.arange(3.0), "s": np.array([b"x", b"yy"], object)})
    data = tmp_path / "m.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(bytes([whole[0] ^ 1]) + whole[1:-1] + bytes([whole[-1] ^ 1]))
    reader = CheckpointReader(tmp_path / "m")
    for key in "as":
        with pytest.raises(DataLossError, match="checksum"):
            reader.get_tensor(key)
    data.write_bytes(whole[:-1])
    with pytest.raises(DataLossError, match="ends within"):
        reader.get_tensor("s")
    with pytest.raises(NotFoundError, match="Key nope not found in checkpoint"):
        reader.get_tensor("nope")
    with pytest.raises(NotFoundError, match="Failed to find any matching files for"):
        CheckpointReader(tmp_path / "other")
    (tmp_path / "v1").write_bytes(b"old")
    with pytest.raises(NotFoundError, match="not a V2 checkpoint"):
        CheckpointReader(tmp_path / "v1")


def test_partitioned_variables_and_foreign_dtypes_are_refused_by_name(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "m", {"a": np.arange(3.0), "b": np.arange(3.0)})
    index = read_table((tmp_path / "m.index").read_bytes())
    entry = BundleEntryProto.FromString(index[b"a"])
    entry.slices.add()
    entry.slices[0].SetInParent()
    other = BundleEntryProto.FromString(index[b"b"])
    other.dtype = 11
    index.update({b"a": entry.SerializeToString(), b"b": other.SerializeToString()})
    (tmp_path / "m.index").write_bytes(write_table(index))
    reader = CheckpointReader(tmp_path / "m")
    with pytest.raises(UnimplementedError, match="a is a partitioned variable"):
        reader.get_tensor("a")
    with pytest.raises(UnimplementedError, match="b has type DT_QINT8"):
        reader.get_tensor("b")


class Killed(BaseException):
    """Stands for the end of the process."""


def interrupted_write(folder: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Replaces a checkpoint and stops before the at-th change of the disk; whether it stopped."""
    left = at

    def counted(call):
        def step(*args, **kwargs):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return call(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(os, "link", counted(os.link))
        patch.setattr(os, "fsync", counted(os.fsync))
        unlink = Path.unlink
        patch.setattr(Path, "unlink", counted(unlink))
        try:
            write_checkpoint(folder / "m", {"a": np.full(1000, 2.0), "b": np.full(3, 2.0)})
        except Killed:
            return True
    return False


@pytest.mark.parametrize("twice", [False, True])
def test_replacing_a_checkpoint_leaves_one_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twice: bool
) -> None:
    at, stopped = 0, True
    while stopped:
        folder = tmp_path / str(at)
        folder.mkdir()
        write_checkpoint(folder / "m", {"a": np.full(1000, 1.0), "b": np.full(3, 1.0)})
        stopped = interrupted_write(folder, at, monkeypatch)
        if twice and stopped:
            # what the first attempt left behind is in nobody's way
            interrupted_write(folder, max(at - 2, 0), monkeypatch)
        reader = CheckpointReader(folder / "m")
        a, b = reader.get_tensor("a"), reader.get_tensor("b")
        assert a.shape == (1000,) and b.shape == (3,)
        assert np.unique(np.concatenate([a, b])).size == 1, at
        if not stopped:
            assert a[0] == 2
        write_checkpoint(folder / "m", {"a": np.zeros(1)})
        left = [p for p in os.listdir(folder) if ".tmp" not in p]
        assert sorted(left) == ["m.data-00000-of-00001", "m.index"]
        shutil.rmtree(folder)
        at += 1
    assert at > 8
