"""Arrays by name in safetensors files: 8 bytes of length, a JSON header, the raw data.

Lives here: load_safetensors, read_safetensors, save_safetensors. Not here: which arrays a model has
(models/weights.py, keras/engine/saving.py). Imports errors and the atomic file of checkpoints.
Nothing in a file is ever run; every extent and offset is checked before an array is made from it.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import DataLossError, NotFoundError, UnimplementedError
from graphc.interop.checkpoint import atomic_file

__all__ = ["load_safetensors", "read_safetensors", "save_safetensors"]

Array = np.ndarray[Any, Any]
MAX_HEADER = 100_000_000  # as the format's own reader has it
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
    "C64": "<c8",
}  # fmt: skip
_CODES = {np.dtype(name): code for code, name in _DTYPES.items()}


# ------------------------------------------------------------------ reading
def load_safetensors(path: Any) -> dict[str, Array]:
    """The arrays of a file by their names, read-only and mapped into memory, not read.

    bfloat16 becomes float32, which holds each of its values exactly.

    Raises: as read_safetensors.
    """
    return read_safetensors(path)[0]


def read_safetensors(path: Any) -> tuple[dict[str, Array], dict[str, str]]:
    """(the arrays as load_safetensors gives them, the strings that go with them).

    Raises:
        NotFoundError: no such file. DataLossError: a damaged or truncated one.
        UnimplementedError: a dtype that NumPy does not have.
    """
    name = os.fspath(path)
    try:
        with Path(name).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < 8:
                raise DataLossError(f"{name}: {size} bytes are no safetensors file")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise NotFoundError(f"{name}; No such file") from None
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER or 8 + length > size:
        raise DataLossError(f"{name}: a header of {length} bytes in a file of {size}: truncated?")
    header = _header(name, data[8 : 8 + length])
    notes = header.pop("__metadata__", None) or {}
    if not isinstance(notes, dict) or not all(isinstance(v, str) for v in notes.values()):
        raise DataLossError(f"{name}: its metadata are no strings by names")
    found, spans = {}, []
    for key, entry in header.items():
        code, shape, low, high = _entry(name, key, entry, size - 8 - length)
        found[key] = _array(data, 8 + length + low, code, shape)
        spans.append((low, high, key))
    _check_spans(name, spans, size - 8 - length)
    return found, notes


def _header(name: str, raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            raise ValueError("a name stands there twice")
        return out

    try:
        header = json.loads(raw, object_pairs_hook=unique)
    except (ValueError, RecursionError) as err:
        raise DataLossError(f"{name}: its header is no JSON: {err}") from None
    if not isinstance(header, dict):
        raise DataLossError(f"{name}: its header is no table of tensors")
    return header


def _entry(name: str, key: str, entry: Any, room: int) -> tuple[str, tuple[int, ...], int, int]:
    try:
        code, shape, (low, high) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, low, high]
    except (TypeError, KeyError, ValueError):
        raise DataLossError(f"{name}: {key} has no dtype, shape and offsets") from None
    if not all(type(n) is int and n >= 0 for n in numbers):
        raise DataLossError(f"{name}: {key} has extents or offsets that are no sizes: {numbers}")
    if code != "BF16" and code not in _DTYPES:
        raise UnimplementedError(f"{name}: {key} has dtype {code}, which NumPy does not have")
    width = 2 if code == "BF16" else np.dtype(_DTYPES[code]).itemsize
    if high > room:
        raise DataLossError(f"{name} is truncated: {key} ends at byte {high} of {room}")
    if high - low != math.prod(shape) * width:
        raise DataLossError(f"{name}: {key} of shape {shape} is not {high - low} bytes of {code}")
    return code, tuple(shape), low, high


def _check_spans(name: str, spans: list[tuple[int, int, str]], room: int) -> None:
    """The data of tensors lie side by side, without holes, and fill the file."""
    end = 0
    for low, high, key in sorted(spans):
        if low != end:
            raise DataLossError(f"{name}: the data of {key} start at {low}, not at {end}")
        end = high
    if end != room:
        raise DataLossError(f"{name}: {room - end} bytes behind the last tensor")


def _array(data: mmap.mmap, start: int, code: str, shape: tuple[int, ...]) -> Array:
    dtype = np.dtype("<u2" if code == "BF16" else _DTYPES[code])
    flat = np.frombuffer(data, dtype, math.prod(shape), start)
    if code == "BF16":
        flat = (flat.astype(np.uint32) << np.uint32(16)).view(np.float32)
        flat.flags.writeable = False
    return flat.reshape(shape)


# ------------------------------------------------------------------ writing
def save_safetensors(
    path: Any, tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes arrays as one file; it appears under its name when it is complete.

    Args:
        metadata: strings by names, kept in the header.

    Raises:
        TypeError: a dtype that the format does not have, or metadata that are no strings.
        ValueError: a name that is reserved.
    """
    notes = dict(metadata or {})
    if not all(isinstance(v, str) for pair in notes.items() for v in pair):
        raise TypeError(f"metadata are strings by names, got {notes}")
    header: dict[str, Any] = {"__metadata__": notes} if notes else {}
    arrays: list[Array] = []
    offset = 0
    # wide dtypes first: then every tensor is aligned
    values = {k: np.asarray(v) for k, v in tensors.items()}
    for key, value in sorted(values.items(), key=lambda kv: (-kv[1].dtype.itemsize, kv[0])):
        if key == "__metadata__":
            raise ValueError("a tensor cannot be called __metadata__")
        wide = value.dtype.name == "bfloat16"  # of an extra, which need not be there
        code = "BF16" if wide else _CODES.get(value.dtype.newbyteorder("<"))
        if code is None:
            raise TypeError(f"{key}: safetensors files hold no arrays of {value.dtype}")
        end = offset + value.nbytes
        header[key] = {"dtype": code, "shape": list(value.shape), "data_offsets": [offset, end]}
        arrays.append(value.view(np.uint16) if wide else value)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_file(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in arrays:
            little = value.astype(value.dtype.newbyteorder("<"), copy=False)
            file.write(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data)
