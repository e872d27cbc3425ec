"""Files: what tf.gfile, tf.io.gfile and tensorflow.python.lib.io.file_io do, on local disks.

Lives here: FileIO and the functions, with TF's errors. Not here: the names of the namespaces
(gfile.py). Imports errors and the standard library.
"""

from __future__ import annotations

import contextlib
import errno
import glob as _glob
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from graphc import errors

__all__ = [
    "FileIO", "FileStatistics", "copy", "create_dir", "delete_file", "delete_recursively",
    "file_exists", "get_matching_files", "is_directory", "list_directory", "read_file_to_string",
    "recursive_create_dir", "rename", "stat", "walk", "write_string_to_file",
]  # fmt: skip

_ERRORS: dict[int, type[errors.OpError]] = {
    errno.ENOENT: errors.NotFoundError,
    errno.EEXIST: errors.AlreadyExistsError,
    errno.EACCES: errors.PermissionDeniedError,
    errno.EPERM: errors.PermissionDeniedError,
    errno.EROFS: errors.PermissionDeniedError,
    errno.EISDIR: errors.FailedPreconditionError,
    errno.ENOTDIR: errors.FailedPreconditionError,
    errno.ENOTEMPTY: errors.FailedPreconditionError,
    errno.ENOSPC: errors.ResourceExhaustedError,
    errno.EDQUOT: errors.ResourceExhaustedError,
    errno.EMFILE: errors.ResourceExhaustedError,
    errno.EINVAL: errors.InvalidArgumentError,
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MODES = ("r", "w", "a", "r+", "w+", "a+")


def _path(name: Any) -> str:
    """The local path. Raises UnimplementedError for "gs://" and the like."""
    text = os.fsdecode(name)
    found = _SCHEME.match(text)
    if found is None:
        return text
    if found.group(1) == "file":
        return text[len("file://") :]
    raise errors.UnimplementedError(
        None, None, f"File system scheme '{found.group(1)}' not implemented (file: '{text}')"
    )


def _fail(path: str, error: OSError) -> NoReturn:
    cls = _ERRORS.get(error.errno or 0, errors.UnknownError)
    raise cls(None, None, f"{path}; {os.strerror(error.errno or 0)}") from error


@contextlib.contextmanager
def _reported(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _fail(path, error)


class FileStatistics(NamedTuple):
    """What stat returns: bytes, nanoseconds since 1970, whether it is a folder."""

    length: int
    mtime_nsec: int
    is_directory: bool


class FileIO:
    """An open file (tf.gfile.GFile).

    Args:
        name: a path (str, bytes or PathLike).
        mode: "r", "w", "a", "r+", "w+", "a+", each with "b" for bytes.

    Positions and counts are bytes, also in text mode. A missing file fails at the first read.

    Raises:
        InvalidArgumentError: another mode. NotFoundError, PermissionDeniedError, ...: as the
        system says.
    """

    def __init__(self, name: Any, mode: str = "r") -> None:
        self._name = name
        self._mode = mode
        self._binary = "b" in mode
        plain = mode.replace("b", "")
        if plain not in _MODES:
            choices = " or ".join(f"'{m}'" for m in _MODES)
            raise errors.InvalidArgumentError(None, None, f"mode is not {choices}")
        self._plain = plain
        self._reads = plain[0] == "r" or "+" in plain
        self._writes = plain[0] != "r" or "+" in plain
        self._file: IO[bytes] | None = None
        if plain[0] == "w":
            self._open()

    @property
    def name(self) -> Any:
        return self._name

    @property
    def mode(self) -> str:
        return self._mode

    def _open(self) -> IO[bytes]:
        if self._file is None:
            path = _path(self._name)
            with _reported(path):
                self._file = Path(path).open(self._plain + "b")  # noqa: SIM115 - close() closes it
        return self._file

    def _reader(self) -> IO[bytes]:
        if not self._reads:
            raise errors.PermissionDeniedError(None, None, "File isn't open for reading")
        return self._open()

    def _value(self, data: bytes) -> Any:
        return data if self._binary else data.decode("utf-8")

    def read(self, n: int = -1) -> Any:
        """The next n bytes, or all; a str in text mode."""
        return self._value(self._reader().read(n))

    def readline(self) -> Any:
        """The next line with its end, or "" at the end of the file."""
        return self._value(self._reader().readline())

    def readlines(self) -> list[Any]:
        return list(self)

    def __iter__(self) -> FileIO:
        return self

    def __next__(self) -> Any:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def write(self, file_content: str | bytes) -> None:
        """Appends at the position; text is written as UTF-8."""
        if not self._writes:
            raise errors.PermissionDeniedError(None, None, "File isn't open for writing")
        data = file_content.encode() if isinstance(file_content, str) else file_content
        file = self._open()
        with _reported(_path(self._name)):
            file.write(data)

    def seek(self, offset: int | None = None, whence: int = 0, position: int | None = None) -> None:
        """Moves the position in bytes from the start (0), here (1) or the end (2).

        Raises:
            TypeError: no offset. OutOfRangeError: a position outside of the file.
        """
        target = position if offset is None else offset
        if target is None:
            raise TypeError("seek(): offset argument required")
        if whence not in (0, 1, 2):
            raise errors.InvalidArgumentError(
                None, None, f"Invalid whence argument: {whence}. Valid values are 0, 1, or 2."
            )
        file = self._reader()
        base = (0, file.tell(), self.size())[whence]
        if not 0 <= base + target <= self.size():
            raise errors.OutOfRangeError(None, None, "reached end of file")
        file.seek(base + target)

    def tell(self) -> int:
        """The position in bytes."""
        return self._open().tell()

    def size(self) -> int:
        """Bytes of the file, with those written so far."""
        self.flush()
        return stat(self._name).length

    def seekable(self) -> bool:
        return True

    def flush(self) -> None:
        if self._file is not None and self._writes:
            self._file.flush()

    def close(self) -> None:
        """Closes; a later read starts again from the front."""
        file, self._file = self._file, None
        if file is not None:
            with _reported(_path(self._name)):
                file.close()
        # a later write must not empty the file again
        self._plain = self._plain.replace("w", "a")

    def __enter__(self) -> FileIO:
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()


# ------------------------------------------------------------------ questions
def file_exists(filename: Any) -> bool:
    """Whether a file or folder is there."""
    return Path(_path(filename)).exists()


def is_directory(dirname: Any) -> bool:
    return Path(_path(dirname)).is_dir()


def stat(filename: Any) -> FileStatistics:
    """Raises NotFoundError."""
    path = _path(filename)
    with _reported(path):
        found = Path(path).stat()
    return FileStatistics(found.st_size, found.st_mtime_ns, Path(path).is_dir())


def list_directory(dirname: Any) -> list[str]:
    """The names in a folder, sorted. Raises NotFoundError where it is no folder."""
    path = _path(dirname)
    if not Path(path).is_dir():
        raise errors.NotFoundError(None, None, f"Could not find directory {path}")
    with _reported(path):
        return sorted(entry.name for entry in os.scandir(path))


def get_matching_files(filename: Any) -> list[str]:
    """The paths that match a pattern (or each of a list of patterns), sorted; hidden ones too."""
    if isinstance(filename, list | tuple):
        return [path for pattern in filename for path in get_matching_files(pattern)]
    return sorted(_glob.glob(_path(filename), include_hidden=True))  # noqa: PTH207 - keeps "./"


def walk(top: Any, in_order: bool = True) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, folders in it, files in it) of a tree; parents first unless not in_order."""
    path = _path(top)
    if not Path(path).is_dir():
        return
    names = list_directory(path)
    below = [n for n in names if Path(path, n).is_dir()]
    here = (path, below, [n for n in names if not Path(path, n).is_dir()])
    if in_order:
        yield here
    for name in below:
        yield from walk(os.path.join(path, name), in_order)  # noqa: PTH118 - keeps "./"
    if not in_order:
        yield here


# ------------------------------------------------------------------ changes
def create_dir(dirname: Any) -> None:
    """Makes one folder; one that exists is fine. Raises NotFoundError without its parent."""
    path = _path(dirname)
    with _reported(path):
        Path(path).mkdir(exist_ok=Path(path).is_dir())


def recursive_create_dir(dirname: Any) -> None:
    """Makes a folder and its parents. Raises FailedPreconditionError where a file is in the way."""
    path = _path(dirname)
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise errors.FailedPreconditionError(None, None, f"{path} is not a directory") from error
    except OSError as error:
        _fail(path, error)


def delete_file(filename: Any) -> None:
    """Raises NotFoundError; FailedPreconditionError for a folder."""
    path = _path(filename)
    if Path(path).is_dir() and not Path(path).is_symlink():
        raise errors.FailedPreconditionError(None, None, f"{path}; Is a directory")
    with _reported(path):
        Path(path).unlink()


def delete_recursively(dirname: Any) -> None:
    """Removes a folder with all that is in it, or a file. Raises NotFoundError."""
    path = _path(dirname)
    if not Path(path).is_dir() or Path(path).is_symlink():
        delete_file(path)
        return
    with _reported(path):
        shutil.rmtree(path)


def rename(oldname: Any, newname: Any, overwrite: bool = False) -> None:
    """Moves a file. Raises AlreadyExistsError where newname exists, unless overwrite."""
    old, new = _path(oldname), _path(newname)
    if not overwrite and Path(new).exists():
        raise errors.AlreadyExistsError(None, None, "file already exists")
    with _reported(old):
        Path(old).replace(new)


def copy(oldpath: Any, newpath: Any, overwrite: bool = False) -> None:
    """Copies a file. Raises AlreadyExistsError where newpath exists, unless overwrite."""
    old, new = _path(oldpath), _path(newpath)
    if not overwrite and Path(new).exists():
        raise errors.AlreadyExistsError(None, None, "file already exists")
    with _reported(old):
        shutil.copyfile(old, new)


# ------------------------------------------------------------------ whole files
def read_file_to_string(filename: Any, binary_mode: bool = False) -> Any:
    """The content: a str, or bytes in binary mode."""
    with FileIO(filename, "rb" if binary_mode else "r") as file:
        return file.read()


def write_string_to_file(filename: Any, file_content: str | bytes) -> None:
    with FileIO(filename, "w") as file:
        file.write(file_content)
