"""How data sets are stored: .npz, IDX, CIFAR's batches. Imports NumPy and utils.

Arrays of objects (lists of unequal length) are pickles, which can run code: they are read by an
unpickler that makes arrays, lists and numbers and nothing else.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.utils.data_utils import find_data

__all__ = ["cifar_batch", "idx", "npz", "word_index"]

Array = np.ndarray[Any, Any]
_SAFE = {
    ("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"), ("numpy.core.multiarray", "scalar"),
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    ("builtins", "list"), ("__builtin__", "list"),
}  # fmt: skip


class _Arrays(pickle.Unpickler):
    """Makes arrays, lists, numbers and texts only."""

    def find_class(self, module: str, name: str) -> Any:
        """Raises UnpicklingError: anything else."""
        if (module, name) not in _SAFE:
            raise pickle.UnpicklingError(
                f"the file names {module}.{name}, which is no array: it is not read"
            )
        return super().find_class(module, name)


def _unpickled(data: bytes) -> Any:
    return _Arrays(io.BytesIO(data), encoding="latin1").load()


def npz(path: Path, names: tuple[str, ...]) -> list[Array]:
    """Arrays of a .npz by name; those of lists through a reader that runs no code.

    Raises:
        ValueError: no such archive, or a name is missing.
    """
    out = []
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                with archive.open(f"{name}.npy") as file:
                    out.append(_npy(file.read()))
    except (zipfile.BadZipFile, KeyError) as err:
        raise ValueError(f"{path} is damaged or no such archive: {err}") from None
    return out


def _npy(data: bytes) -> Array:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0
    }[version]  # fmt: skip
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        return np.asarray(_unpickled(stream.read()), dtype=object).reshape(shape)
    stream.seek(0)
    return np.load(stream, allow_pickle=False)


def idx(path: Path) -> Array:
    """An array of the IDX format, gzipped or not.

    Raises:
        ValueError: cut off, or another format.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        data = file.read()
    rank = data[3] if len(data) >= 4 else 0
    dims = [int.from_bytes(data[4 + 4 * k : 8 + 4 * k], "big") for k in range(rank)]
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    if data[:3] != b"\x00\x00\x08" or body.size != int(np.prod(dims)):
        raise ValueError(f"{path} is cut off, or no file of bytes in the IDX format")
    return body.reshape(dims)


def cifar_batch(source: Path, member: str, label_key: str) -> tuple[Array, Any]:
    """(images [n, 32, 32, 3], labels) of a batch in CIFAR's folder or archive."""
    if source.is_dir():
        data = (source / member).read_bytes()
    else:
        with tarfile.open(source) as archive:
            name = next(n for n in archive.getnames() if n.endswith(f"/{member}"))
            file = archive.extractfile(name)
            assert file is not None
            data = file.read()
    table = _unpickled(data)
    images = np.asarray(table["data"]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), table[label_key]


def word_index(path: Any, what: str) -> dict[str, int]:
    """word -> number, from a file of JSON.

    Raises:
        FileNotFoundError: it is neither there nor where data are looked for.
    """
    given = Path(path)
    found = given if given.is_file() else find_data([str(path)], what)
    return json.loads(found.read_text())  # type: ignore[no-any-return]
