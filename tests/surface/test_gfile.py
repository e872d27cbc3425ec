"""tf.gfile: what TensorFlow 1 does with local files, and the errors it raises."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphc as tf
from graphc.tf1 import file_io, gfile_v2

gfile = tf.gfile
NotFound = tf.errors.NotFoundError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "x.txt").write_text("ab\ncd\n")
    (tmp_path / "a" / "y.txt").write_text("y")
    (tmp_path / ".hidden").write_text("")
    return tmp_path


def test_text_and_bytes(tmp_path):
    path = str(tmp_path / "f")
    with gfile.Open(path, "w") as f:
        f.write(b"ab\xc3\xa4\n")
        f.write("q")
        assert f.tell() == 6
        assert f.size() == 6
    f = gfile.GFile(path)
    assert (f.readline(), f.tell(), f.read(), f.read(), f.readline()) == ("abä\n", 5, "q", "", "")
    f.seek(2)
    assert f.read(2) == "ä"  # counts are bytes
    f.seek(0)
    assert f.readlines() == ["abä\n", "q"]
    assert (f.name, f.mode, f.seekable()) == (path, "r", True)
    f.close()
    with gfile.FastGFile(path, "rb") as f:
        assert list(f) == [b"ab\xc3\xa4\n", b"q"]
    with gfile.Open(path, "a") as f:
        f.write("!")
    assert file_io.read_file_to_string(path, binary_mode=True)[-2:] == b"q!"


def test_writing_is_seen_after_flush(tmp_path):
    path = str(tmp_path / "f")
    f = gfile.Open(path, "w+")
    f.write("abc")
    f.flush()
    assert Path(path).read_text() == "abc"
    f.seek(position=1)
    assert f.read() == "bc"
    f.close()
    f.write("d")  # a closed file does not lose what it holds
    f.close()
    assert Path(path).read_text() == "abcd"


def test_wrong_uses_of_a_file(tree):
    path = str(tree / "x.txt")
    with pytest.raises(tf.errors.InvalidArgumentError, match="mode is not 'r' or 'w' or 'a'"):
        gfile.Open(path, "rt")
    with pytest.raises(tf.errors.PermissionDeniedError, match="File isn't open for writing"):
        gfile.Open(path).write("x")
    with pytest.raises(tf.errors.PermissionDeniedError, match="File isn't open for reading"):
        gfile.Open(path + "2", "w").read()
    with pytest.raises(tf.errors.OutOfRangeError, match="reached end of file"):
        gfile.Open(path).seek(1, 2)
    missing = gfile.Open(path + "no")  # fails when it is read, as TF
    with pytest.raises(NotFound, match=r"x\.txtno; No such file or directory"):
        missing.read()
    with pytest.raises(tf.errors.FailedPreconditionError, match="Is a directory"):
        gfile.Open(str(tree)).read()


def test_questions(tree):
    assert gfile.Exists(str(tree)) and gfile.Exists(tree / "x.txt")
    assert not gfile.Exists(str(tree / "no"))
    assert gfile.IsDirectory(str(tree)) and not gfile.IsDirectory(str(tree / "x.txt"))
    assert gfile.ListDirectory(str(tree)) == [".hidden", "a", "x.txt"]
    with pytest.raises(NotFound, match="Could not find directory"):
        gfile.ListDirectory(str(tree / "no"))
    stat = gfile.Stat(str(tree / "x.txt"))
    assert (stat.length, stat.is_directory) == (6, False)
    assert stat.mtime_nsec == (tree / "x.txt").stat().st_mtime_ns
    with pytest.raises(NotFound):
        gfile.Stat(str(tree / "no"))


def test_glob(tree):
    here = str(tree)
    assert gfile.Glob(here + "/*") == [here + "/.hidden", here + "/a", here + "/x.txt"]
    assert gfile.Glob([here + "/*.txt", here + "/a/?.txt"]) == [here + "/x.txt", here + "/a/y.txt"]
    assert gfile.Glob(here + "/no/*") == []


def test_walk(tree):
    here = str(tree)
    down = [(here, ["a"], [".hidden", "x.txt"]), (here + "/a", ["b"], ["y.txt"])]
    assert list(gfile.Walk(here)) == [*down, (here + "/a/b", [], [])]
    assert [top for top, _, _ in gfile.Walk(here, in_order=False)][-1] == here
    assert list(gfile.Walk(here + "/no")) == []


def test_folders(tree):
    new = str(tree / "p" / "q")
    with pytest.raises(NotFound):
        gfile.MkDir(new)
    gfile.MakeDirs(new)
    gfile.MakeDirs(new)
    gfile.MkDir(new)
    assert gfile.IsDirectory(new)
    with pytest.raises(tf.errors.FailedPreconditionError, match="is not a directory"):
        gfile.MakeDirs(str(tree / "x.txt"))
    gfile.DeleteRecursively(str(tree / "p"))
    assert not gfile.Exists(str(tree / "p"))
    with pytest.raises(NotFound):
        gfile.DeleteRecursively(str(tree / "p"))


def test_moving_copying_removing(tree):
    x, y = str(tree / "x.txt"), str(tree / "y.txt")
    gfile.Copy(x, y)
    with pytest.raises(tf.errors.AlreadyExistsError, match="file already exists"):
        gfile.Copy(x, y)
    gfile.Copy(x, y, overwrite=True)
    with pytest.raises(tf.errors.AlreadyExistsError, match="file already exists"):
        gfile.Rename(x, y)
    gfile.Rename(x, y, overwrite=True)
    assert not gfile.Exists(x)
    gfile.Remove(y)
    with pytest.raises(NotFound, match=r"y\.txt; No such file"):
        gfile.Remove(y)
    with pytest.raises(tf.errors.FailedPreconditionError, match="Is a directory"):
        gfile.Remove(str(tree / "a"))


def test_remote_paths_are_refused_by_their_scheme():
    with pytest.raises(tf.errors.UnimplementedError, match="File system scheme 'gs' not impl"):
        gfile.Exists("gs://bucket/file")


def test_file_scheme_and_bytes_are_paths(tree):
    assert gfile.Exists(f"file://{tree}/x.txt")
    assert gfile.Exists(str(tree).encode())


def test_later_names(tree):
    here = str(tree)
    assert tf.io.gfile is gfile_v2
    assert tf.io.gfile.exists(here)
    gfile_v2.makedirs(here + "/m/n")
    gfile_v2.mkdir(here + "/m/o")
    assert gfile_v2.listdir(here + "/m") == ["n", "o"]
    with gfile_v2.GFile(here + "/m/f", "w") as f:
        f.write("z")
    gfile_v2.copy(here + "/m/f", here + "/m/g")
    gfile_v2.rename(here + "/m/g", here + "/m/h")
    assert gfile_v2.stat(here + "/m/h").length == 1
    assert gfile_v2.glob(here + "/m/[fh]") == [here + "/m/f", here + "/m/h"]
    gfile_v2.remove(here + "/m/h")
    assert not gfile_v2.exists(here + "/m/h") and gfile_v2.isdir(here + "/m")
    assert len(list(gfile_v2.walk(here + "/m"))) == 3
    gfile_v2.rmtree(here + "/m")
    assert not gfile_v2.exists(here + "/m")
    file_io.write_string_to_file(here + "/w", "text")
    assert file_io.read_file_to_string(here + "/w") == "text"
