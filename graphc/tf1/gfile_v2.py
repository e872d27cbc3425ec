"""tf.io.gfile: the functions of tf1/file_io.py under TensorFlow 1.13's names and arguments.

Lives here: names. Not here: what they do. Imports tf1/file_io.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.tf1 import file_io
from graphc.tf1.file_io import FileIO as GFile
from graphc.tf1.file_io import FileStatistics

__all__ = [
    "GFile", "copy", "exists", "glob", "isdir", "listdir", "makedirs", "mkdir", "remove", "rename",
    "rmtree", "stat", "walk",
]  # fmt: skip


def exists(path: Any) -> bool:
    """Whether a file or folder is there."""
    return file_io.file_exists(path)


def isdir(path: Any) -> bool:
    return file_io.is_directory(path)


def listdir(path: Any) -> list[str]:
    """The names in a folder, sorted. Raises NotFoundError where it is no folder."""
    return file_io.list_directory(path)


def glob(pattern: Any) -> list[str]:
    """The paths that match a pattern, or each of a list of patterns."""
    return file_io.get_matching_files(pattern)


def stat(path: Any) -> FileStatistics:
    """Raises NotFoundError."""
    return file_io.stat(path)


def walk(
    top: Any, topdown: bool = True, onerror: Any = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, folders in it, files in it) of a tree; parents first if topdown."""
    return file_io.walk(top, topdown)


def mkdir(path: Any) -> None:
    """Makes one folder; one that exists is fine. Raises NotFoundError without its parent."""
    file_io.create_dir(path)


def makedirs(path: Any) -> None:
    """Makes a folder and its parents."""
    file_io.recursive_create_dir(path)


def remove(path: Any) -> None:
    """Removes a file. Raises NotFoundError."""
    file_io.delete_file(path)


def rmtree(path: Any) -> None:
    """Removes a folder with all that is in it. Raises NotFoundError."""
    file_io.delete_recursively(path)


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Moves a file. Raises AlreadyExistsError where dst exists, unless overwrite."""
    file_io.rename(src, dst, overwrite)


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """Copies a file. Raises AlreadyExistsError where dst exists, unless overwrite."""
    file_io.copy(src, dst, overwrite)
