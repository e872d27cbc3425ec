"""Arrays by name in one file, in the safetensors layout: a JSON header, then the bytes.

Lives here: write_arrays, read_arrays, atomic replacement. No code is ever read from a file.
Imports NumPy only.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read_arrays", "replacing", "write_arrays", "write_text"]

Array = np.ndarray[Any, Any]
_CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64",
    "int32": "I32", "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32",
    "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_NAMES = {code: name for name, code in _CODES.items()}
_MAX_HEADER = 100 << 20


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to that takes the place of `path` at the end, or vanishes on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def write_text(path: Path, text: str) -> None:
    """The text as a file, at once or not at all."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """The arrays as a file, at once or not at all.

    Raises:
        ValueError: a dtype that the layout lacks.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    at = 0
    for name, array in arrays.items():
        code = _CODES.get(array.dtype.name)
        if code is None:
            raise ValueError(f"{name}: arrays of {array.dtype} cannot be written")
        header[name] = {
            "dtype": code, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]
        }
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as aside, aside.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).tobytes())


def read_arrays(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """(arrays by name, metadata).

    Raises:
        OSError: no such file, or one that is damaged or cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_HEADER):
            raise OSError(f"{path} is no weights file, or it is cut off")
        try:
            header = json.loads(file.read(length))
            metadata = header.pop("__metadata__", {})
            start = 8 + length
            found = {n: _array(path, file, start, size, n, e) for n, e in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise OSError(f"{path} is no weights file, or it is damaged: {err}") from None
    return found, metadata


def _array(path: Path, file: Any, start: int, size: int, name: str, entry: Any) -> Array:
    low, high = (int(v) for v in entry["data_offsets"])
    kind = _NAMES[entry["dtype"]]
    if kind == "bfloat16":
        import ml_dtypes

        dtype: Any = np.dtype(ml_dtypes.bfloat16)
    else:
        dtype = np.dtype(kind)
    shape = tuple(int(d) for d in entry["shape"])
    count = int(np.prod(shape, dtype=np.int64))
    if low < 0 or high - low != count * dtype.itemsize or start + high > size:
        raise OSError(f"{path} is cut off or damaged at {name}: {size} bytes")
    file.seek(start + low)
    return np.frombuffer(file.read(high - low), dtype).reshape(shape)
