"""tf.resource_loader: files that lie beside the calling module.

Lives here: the functions. Imports file_io.py and the standard library.
"""

from __future__ import annotations

import sys
from pathlib import Path

from graphc.tf1 import file_io

__all__ = [
    "get_data_files_path", "get_path_to_datafile", "get_root_dir_with_all_resources",
    "load_resource", "readahead_file_path",
]  # fmt: skip


def _caller_folder() -> Path:
    """The folder of the module that called the function that calls this."""
    return Path(sys._getframe(2).f_code.co_filename).resolve().parent


def load_resource(path: str) -> bytes:
    """The content of a file, by its path from the caller's folder. Raises NotFoundError."""
    return file_io.read_file_to_string(_caller_folder() / path, binary_mode=True)


def get_data_files_path() -> str:
    """The caller's folder."""
    return str(_caller_folder())


def get_root_dir_with_all_resources() -> str:
    """The caller's folder."""
    return str(_caller_folder())


def get_path_to_datafile(path: str) -> str:
    """The path of a file in the caller's folder."""
    return str(_caller_folder() / path)


def readahead_file_path(path: str, readahead: str = "128M") -> str:
    """The path as it is: local files need no read-ahead."""
    return path
