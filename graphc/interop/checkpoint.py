"""TensorFlow's V2 checkpoints: `<prefix>.index` and `<prefix>.data-00000-of-00001`.

Lives here: CheckpointReader, write_checkpoint. Not here: which variables are saved (tf1/saver.py),
the text file `checkpoint` (tf1/checkpoint_state.py). Imports the table format and messages.

A checkpoint is complete from the moment its index is renamed into place. Where it replaces one
of the same prefix, the new data has another shard's name until then: whenever the process ends,
index and data belong together.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import (
    DataLossError,
    InvalidArgumentError,
    NotFoundError,
    UnimplementedError,
)
from graphc.interop.crc32c import crc32c, masked
from graphc.interop.messages import ENUMS, BundleEntryProto, BundleHeaderProto
from graphc.interop.table import read_table, write_table
from graphc.interop.wire import read_varint, write_varint
from graphc.ir.dtypes import DType, as_dtype, string

Array = np.ndarray[Any, Any]


def shard_name(prefix: str, shard: int, count: int) -> str:
    return f"{prefix}.data-{shard:05d}-of-{count:05d}"


def checkpoint_files(prefix: str) -> list[Path]:
    """The index and data files of this prefix that exist."""
    path = Path(prefix)
    data = path.parent.glob(_escape(path.name) + ".data-?????-of-?????")
    index = Path(f"{prefix}.index")
    return [*([index] if index.exists() else []), *sorted(data)]


def _escape(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


# ------------------------------------------------------------------ reading
class CheckpointReader:
    """Reads tensors of a checkpoint by their keys; checksums are verified.

    Raises:
        NotFoundError: no such checkpoint. DataLossError: damaged files.
    """

    def __init__(self, prefix: Any) -> None:
        self.prefix = os.fspath(prefix)
        index = Path(f"{self.prefix}.index")
        try:
            items = read_table(index.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError(self._missing()) from None
        header = BundleHeaderProto.FromString(items.pop(b"", b""))
        if header.endianness != 0:
            raise UnimplementedError(f"{index}: the data is big-endian")
        self.num_shards = header.num_shards or 1
        self._entries: dict[str, BundleEntryProto] = {}
        for key, raw in items.items():
            # keys that start with a zero byte are the parts of partitioned tensors
            if not key.startswith(b"\0"):
                self._entries[key.decode("utf-8")] = BundleEntryProto.FromString(raw)

    def _missing(self) -> str:
        if Path(self.prefix).is_file():
            return (
                f"{self.prefix} is not a V2 checkpoint: there is no {self.prefix}.index. Files of "
                "the old V1 format are not supported by graphc"
            )
        return (
            "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for "
            f"{self.prefix}"
        )

    def has_tensor(self, tensor_str: str) -> bool:
        return tensor_str in self._entries

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """The shape of each tensor by its key."""
        return {k: list(_shape(e)) for k, e in self._entries.items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        """The dtype of each tensor by its key."""
        return {k: _dtype(k, e) for k, e in self._entries.items()}

    def debug_string(self) -> bytes:
        """A line for each tensor: name, dtype, shape."""
        lines = [
            f"{k} (DT_{_dtype(k, e).tf_name.upper()}) {list(_shape(e))}"
            for k, e in sorted(self._entries.items())
        ]
        return "\n".join(lines).encode()

    def get_tensor(self, tensor_str: str) -> Any:
        """The value as a new array; strings as an object array of bytes, scalars as NumPy's.

        Raises:
            NotFoundError: "Key X not found in checkpoint". DataLossError: damaged data.
            UnimplementedError: a partitioned variable, or a dtype that graphc does not have.
        """
        value = self.array(tensor_str)
        return value if value.ndim else value[()]

    def array(self, key: str) -> Array:
        """As get_tensor, always an array."""
        entry = self._entries.get(key)
        if entry is None:
            raise NotFoundError(f"Key {key} not found in checkpoint")
        if entry.slices:
            raise UnimplementedError(
                f"{key} is a partitioned variable in {self.prefix}: its parts are not read"
            )
        dtype, shape = _dtype(key, entry), _shape(entry)
        raw = self._read(key, entry)
        if dtype is string:
            return _read_strings(key, raw, shape, entry.crc32c)
        if masked(crc32c(raw)) != entry.crc32c:
            raise DataLossError(f"{key}: the checksum of its data in {self.prefix} is wrong")
        count = int(np.prod(shape, dtype=np.int64))
        if count * dtype.np.itemsize != len(raw):
            raise DataLossError(f"{key}: {len(raw)} bytes of data do not fit shape {shape}")
        return raw.view(dtype.np.newbyteorder("<")).astype(dtype.np, copy=False).reshape(shape)

    def _read(self, key: str, entry: BundleEntryProto) -> Array:
        name = shard_name(self.prefix, entry.shard_id, self.num_shards)
        raw = np.empty(entry.size, np.uint8)
        try:
            with Path(name).open("rb", buffering=0) as file:
                file.seek(entry.offset)
                # one call to the system reads at most 2 GiB
                got = 0
                while got < len(raw):
                    count = file.readinto(raw[got:].data)  # type: ignore[attr-defined]
                    if not count:
                        break
                    got += count
        except FileNotFoundError:
            raise NotFoundError(f"{name}; No such file or directory") from None
        if got < len(raw):
            raise DataLossError(f"{key}: {name} ends within its data")
        return raw


def _dtype(key: str, entry: BundleEntryProto) -> DType:
    try:
        return as_dtype(entry.dtype)
    except TypeError:
        names = {n: k for k, n in ENUMS["DataType"].items()}
        raise UnimplementedError(
            f"{key} has type {names.get(entry.dtype, entry.dtype)}, which graphc does not have"
        ) from None


def _shape(entry: BundleEntryProto) -> tuple[int, ...]:
    return tuple(d.size for d in entry.shape.dim)


# ------------------------------------------------------------------ strings
def _length_crc(lengths: list[int]) -> int:
    """The checksum of a string tensor's lengths: of 32-bit numbers, longer ones of 64."""
    return crc32c(
        b"".join(struct.pack("<I" if n < 1 << 32 else "<Q", n) for n in lengths)
    )


def _read_strings(key: str, raw: Array, shape: tuple[int, ...], check: int) -> Array:
    data, at = raw.tobytes(), 0
    lengths = []
    for _ in range(int(np.prod(shape, dtype=np.int64))):
        length, at = read_varint(data, at)
        lengths.append(length)
    crc = _length_crc(lengths)
    stored = data[at : at + 4]
    body = data[at + 4 :]
    if stored != struct.pack("<I", masked(crc)) or masked(crc32c(stored + body, crc)) != check:
        raise DataLossError(f"{key}: the checksum of its strings is wrong")
    out = np.empty(len(lengths), object)
    start = 0
    for k, length in enumerate(lengths):
        out[k] = body[start : start + length]
        start += length
    return out.reshape(shape)


def _string_bytes(value: Array) -> tuple[bytes, int]:
    """(the bytes of a string tensor, their masked checksum)."""
    items = [v.encode() if isinstance(v, str) else bytes(v) for v in value.reshape(-1)]
    lengths = [len(v) for v in items]
    out = bytearray()
    for n in lengths:
        write_varint(n, out)
    crc = _length_crc(lengths)
    tail = struct.pack("<I", masked(crc)) + b"".join(items)
    return bytes(out + tail), masked(crc32c(tail, crc))


# ------------------------------------------------------------------ writing
def write_checkpoint(prefix: Any, tensors: Mapping[str, Any]) -> None:
    """Writes a checkpoint that holds these arrays; replaces one of the same prefix.

    Raises:
        NotFoundError: the directory does not exist. InvalidArgumentError: an empty key.
    """
    prefix = os.fspath(prefix)
    if "" in tensors:
        raise InvalidArgumentError("a tensor of a checkpoint needs a name")
    parent = Path(prefix).parent
    if not parent.is_dir():
        raise NotFoundError(f"{parent}; No such file or directory")
    used = _shards_in_use(prefix)
    plain = shard_name(prefix, 0, 1)
    direct = Path(plain) not in used
    # the second of two shards: read in the same way, the first one is never asked for
    shard, count = (0, 1) if direct else (1, 2)
    entries = _write_data(shard_name(prefix, shard, count), tensors)
    _write_index(prefix, entries, shard, count)
    if not direct and _link(shard_name(prefix, shard, count), plain):
        _write_index(prefix, entries, 0, 1)
        direct = True
    keep = Path(plain) if direct else Path(shard_name(prefix, shard, count))
    for path in checkpoint_files(prefix):
        if path != keep and path.suffix != ".index":
            path.unlink(missing_ok=True)


def _shards_in_use(prefix: str) -> set[Path]:
    """The data files that the present index needs."""
    try:
        reader = CheckpointReader(prefix)
    except (NotFoundError, DataLossError, UnimplementedError):
        return set()
    shards = {e.shard_id for e in reader._entries.values()}
    return {Path(shard_name(prefix, s, reader.num_shards)) for s in shards}


def _link(source: str, target: str) -> bool:
    """Makes `target` a second name of `source`; False where the file system has no links."""
    temporary = _temporary(target)
    try:
        os.link(source, temporary)
    except OSError:
        return False
    Path(temporary).replace(target)
    return True


def _write_data(name: str, tensors: Mapping[str, Any]) -> dict[str, BundleEntryProto]:
    entries: dict[str, BundleEntryProto] = {}
    offset = 0
    with atomic_file(name) as file:
        for key in sorted(tensors):
            value = np.asarray(tensors[key])
            dtype = as_dtype(value.dtype)
            entry = BundleEntryProto(dtype=dtype.as_datatype_enum, offset=offset)
            entry.shape.SetInParent()
            for size in value.shape:
                entry.shape.dim.add(size=size)
            data: Any
            if dtype is string:
                data, entry.crc32c = _string_bytes(value)
            else:
                # as bytes: not all dtypes (bfloat16) have the buffer protocol
                flat = np.ascontiguousarray(value).reshape(-1)
                data = flat.astype(flat.dtype.newbyteorder("<"), copy=False).view(np.uint8)
                entry.crc32c = masked(crc32c(data))
            entry.size = len(data)
            offset += len(data)
            file.write(data)
            entries[key] = entry
    return entries


def _write_index(
    prefix: str, entries: Mapping[str, BundleEntryProto], shard: int, count: int
) -> None:
    header = BundleHeaderProto(num_shards=count)
    header.version.producer = 1
    items = {b"": header.SerializeToString()}
    for key, entry in entries.items():
        entry.shard_id = shard
        items[key.encode()] = entry.SerializeToString()
    with atomic_file(f"{prefix}.index") as file:
        file.write(write_table(items))


def _temporary(target: Any) -> str:
    """Where a file is written first: by thread as well, a Supervisor saves while the loop does."""
    return f"{target}.tmp{os.getpid()}-{threading.get_ident()}"


@contextlib.contextmanager
def atomic_path(name: Any) -> Iterator[Path]:
    """A path to write to that takes the place of `name` when all is on the disk, or vanishes."""
    path = Path(name)
    temporary = Path(_temporary(path))
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


@contextlib.contextmanager
def atomic_file(name: Any) -> Iterator[Any]:
    """An open binary file that appears under `name` when it is complete and on the disk."""
    with atomic_path(name) as temporary, temporary.open("wb") as file:
        yield file


def _sync_directory(path: Path) -> None:
    """Makes a rename durable; directories cannot be opened everywhere."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
