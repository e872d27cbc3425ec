"""Elements from files: lines, TFRecords, records of fixed length.

Lives here: reading of files, one after the other. Not here: the format of TFRecords
(interop/tfrecord.py), the user's classes (dataset.py).
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from graphc.data.source import Element, Env, Source, object_scalar
from graphc.data.sources import from_tensor_slices
from graphc.data.transforms import scalar, tensors_in
from graphc.errors import InvalidArgumentError, OpError
from graphc.interop.record_io import BUFFER, opened
from graphc.ir.dtypes import string
from graphc.ir.node import TensorType
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F

STRING = TensorType(string, ())


def filenames_of(filenames: Any) -> Source:
    """A string, a list or tensor of them, or a dataset: as a source of names.

    Raises:
        TypeError: names that are no strings.
    """
    source = getattr(filenames, "_source", None)
    if source is None:
        tensor = convert_to_tensor(filenames, name="filenames")
        if tensor.dtype is not string:
            raise TypeError(
                "`filenames` must be a `tf.data.Dataset` of `tf.string` elements, or strings, "
                f"but is of type {tensor.dtype.name}"
            )
        vector = tensor if tensor.rank == 1 else F.reshape(tensor, [-1], name="flat_filenames")
        source = from_tensor_slices(vector)
    if getattr(source.spec, "dtype", None) is not string:
        raise TypeError("`filenames` must be a `tf.data.Dataset` of `tf.string` elements.")
    return cast(Source, source)


def compression_of(value: Any) -> str:
    """"", "GZIP" or "ZLIB".

    Raises:
        ValueError: another name.
    """
    name = value.decode() if isinstance(value, bytes) else value or ""
    if name not in ("", "GZIP", "ZLIB"):
        raise ValueError(f"compression_type must be '', 'GZIP' or 'ZLIB', got {value!r}")
    return str(name)


def _reader(
    names: Source, read: Callable[[str, IO[bytes]], Iterator[bytes]], compression: str, size: int
) -> Source:
    def run(env: Env) -> Iterator[Element]:
        for (name,) in names.run(env):
            path = bytes(name[()]).decode()
            try:
                with opened(path, compression, size) as file:
                    for record in read(path, file):
                        yield (object_scalar(record),)
            except OpError:
                raise
            except (OSError, EOFError, zlib.error) as err:
                raise InvalidArgumentError(f"{path}: {err}") from None

    return Source(STRING, run, (names,))


def records_of(
    names: Source, read: Callable[[str, IO[bytes]], Iterator[bytes]], compression_type: Any,
    buffer_size: int,
) -> Source:  # fmt: skip
    """What `read` (path, open file) gives of each file."""
    return _reader(names, read, compression_of(compression_type), buffer_size)


def text_lines(names: Source, compression_type: Any, buffer_size: Any) -> Source:
    """The lines of text files, without their ends."""

    def read(path: str, file: IO[bytes]) -> Iterator[bytes]:
        for line in file:
            yield line.removesuffix(b"\n").removesuffix(b"\r")

    return _reader(names, read, compression_of(compression_type), buffer_size or BUFFER)


def tf_records(names: Source, compression_type: Any, buffer_size: Any) -> Source:
    """The records of TFRecord files."""

    def read(path: str, file: IO[bytes]) -> Iterator[bytes]:
        from graphc.interop.tfrecord import read_records

        return read_records(file)

    return _reader(names, read, compression_of(compression_type), buffer_size or BUFFER)


def fixed_records(
    names: Source, record_bytes: Any, header_bytes: Any, footer_bytes: Any, buffer_size: Any,
    compression_type: Any,
) -> Source:  # fmt: skip
    """Records of a fixed length, between a header and a footer."""
    sizes = [
        scalar(value or 0, name)
        for value, name in (
            (record_bytes, "record_bytes"),
            (header_bytes, "header_bytes"),
            (footer_bytes, "footer_bytes"),
        )
    ]
    compression = compression_of(compression_type)

    def run(env: Env) -> Iterator[Element]:
        length, head, foot = [env.integer(s) for s in sizes]
        if length < 1:
            raise InvalidArgumentError("`record_bytes` must be > 0")

        def read(path: str, file: IO[bytes]) -> Iterator[bytes]:
            if compression:
                data = file.read()
                total, file = len(data), io.BytesIO(data)
            else:
                total = os.fstat(file.fileno()).st_size
            return _fixed(path, file, total, length, head, foot)

        return _reader(names, read, compression, buffer_size or BUFFER).run(env)

    return Source(STRING, run, (names,), tensors_in(*sizes))


def _fixed(
    path: str, file: IO[bytes], total: int, length: int, head: int, foot: int
) -> Iterator[bytes]:
    body = total - head - foot
    if body < 0 or body % length:
        raise InvalidArgumentError(
            f'Excess bytes: file "{path}" has body length {body} bytes, which is not an exact '
            f"multiple of the record length ({length} bytes)."
        )
    file.seek(head)
    for _ in range(body // length):
        yield file.read(length)
