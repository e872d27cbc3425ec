"""Files of records: TFRecordWriter, tf_record_iterator, and files by their compression.

Lives here: opening and writing of files, options. Not here: the framing (interop/tfrecord.py),
datasets of records (data/readers.py). Imports interop.tfrecord.
"""

from __future__ import annotations

import gzip
import io
import os
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from graphc.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from graphc.interop.tfrecord import frame, read_records

__all__ = [
    "TFRecordCompressionType", "TFRecordOptions", "TFRecordWriter", "tf_record_iterator",
]  # fmt: skip

BUFFER = 256 * 1024


# ------------------------------------------------------------------ options
class TFRecordCompressionType:
    """tf.python_io.TFRecordCompressionType: how a file of records is compressed."""

    NONE = 0
    ZLIB = 1
    GZIP = 2


_NAMES = {0: "", 1: "ZLIB", 2: "GZIP", None: ""}


class TFRecordOptions:
    """tf.python_io.TFRecordOptions: a compression by number or name, and zlib's settings.

    Raises:
        ValueError: a compression that is none of "", "ZLIB", "GZIP".
    """

    compression_type_map = {0: "", 1: "ZLIB", 2: "GZIP"}

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: int | None = None,
        input_buffer_size: int | None = None,
        output_buffer_size: int | None = None,
        window_bits: int | None = None,
        compression_level: int | None = None,
        compression_method: int | None = None,
        mem_level: int | None = None,
        compression_strategy: int | None = None,
    ) -> None:
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode = flush_mode
        self.input_buffer_size = input_buffer_size
        self.output_buffer_size = output_buffer_size
        self.window_bits = window_bits
        self.compression_level = compression_level
        self.compression_method = compression_method
        self.mem_level = mem_level
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        """"", "ZLIB" or "GZIP" of options, of a number or of a name."""
        if isinstance(options, TFRecordOptions):
            options = options.compression_type
        if isinstance(options, bytes):
            options = options.decode()
        name = _NAMES.get(options, options)
        if name not in ("", "ZLIB", "GZIP"):
            raise ValueError(f'Not a valid compression_type: "{options}"')
        return str(name)


# ------------------------------------------------------------------ reading
def opened(name: str, compression: str, buffer_size: int) -> IO[bytes]:
    """The file's bytes, decompressed.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidArgumentError: where TF raises them.
    """
    try:
        file = Path(name).open("rb", buffering=max(buffer_size, 2))  # noqa: SIM115  the caller's
    except OSError as err:
        raise _refused(name, err) from None
    if compression == "GZIP":
        return cast(IO[bytes], gzip.open(file, "rb"))
    if compression == "ZLIB":
        with file:
            return io.BytesIO(zlib.decompress(file.read()))
    return file


def _refused(name: str, err: OSError) -> Exception:
    if isinstance(err, FileNotFoundError):
        return NotFoundError(f"{name}; No such file or directory")
    if isinstance(err, PermissionError):
        return PermissionDeniedError(f"{name}; Permission denied")
    return InvalidArgumentError(f"{name}; {err.strerror}")


def tf_record_iterator(path: Any, options: Any = None) -> Iterator[bytes]:
    """The records of a file (tf.python_io.tf_record_iterator).

    Args:
        options: TFRecordOptions, or the compression's name.

    Raises:
        NotFoundError: no such file. DataLossError: a damaged record, or a wrong compression.
    """
    compression = TFRecordOptions.get_compression_type_string(options)
    return _records(os.fsdecode(path), compression)


def _records(path: str, compression: str) -> Iterator[bytes]:
    try:
        with opened(path, compression, BUFFER) as file:
            yield from read_records(file)
    except (gzip.BadGzipFile, zlib.error, EOFError) as err:
        raise DataLossError(f"{path}: {err}") from None


# ------------------------------------------------------------------ writing
class _Compressed:
    """A file that is written through zlib."""

    def __init__(self, file: IO[bytes], options: TFRecordOptions) -> None:
        self._file = file
        level, method, memory, strategy = (
            options.compression_level, options.compression_method, options.mem_level,
            options.compression_strategy,
        )  # fmt: skip
        gzipped = TFRecordOptions.get_compression_type_string(options) == "GZIP"
        bits = zlib.MAX_WBITS if options.window_bits is None else options.window_bits
        self._packer = zlib.compressobj(
            zlib.Z_DEFAULT_COMPRESSION if level is None else level,
            zlib.DEFLATED if method is None else method,
            bits + 16 if gzipped and bits < 16 else bits,
            zlib.DEF_MEM_LEVEL if memory is None else memory,
            zlib.Z_DEFAULT_STRATEGY if strategy is None else strategy,
        )

    def write(self, data: bytes) -> None:
        self._file.write(self._packer.compress(data))

    def flush(self) -> None:
        self._file.write(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        self._file.write(self._packer.flush())
        self._file.close()


class TFRecordWriter:
    """tf.python_io.TFRecordWriter: writes records to a file; a context manager.

    Args:
        path: of the file, which is made anew. options: TFRecordOptions, or "GZIP" or "ZLIB".

    Raises:
        NotFoundError: its folder does not exist. PermissionDeniedError: it may not be written.
    """

    def __init__(self, path: Any, options: Any = None) -> None:
        if not isinstance(options, TFRecordOptions):
            options = TFRecordOptions(options)
        name = os.fsdecode(path)
        try:
            file = Path(name).open("wb", buffering=options.output_buffer_size or BUFFER)  # noqa: SIM115
        except OSError as err:
            raise _refused(name, err) from None
        packed = TFRecordOptions.get_compression_type_string(options)
        self._file: Any = _Compressed(file, options) if packed else file
        # what was not closed is whole all the same when the writer goes, or the process ends
        self._finalizer = weakref.finalize(self, self._file.close)

    def write(self, record: bytes) -> None:
        """Appends one record.

        Raises:
            TypeError: no bytes. FailedPreconditionError: the writer is closed.
        """
        if not isinstance(record, bytes | bytearray | memoryview):
            raise TypeError(f"a record is bytes, got {type(record).__name__}: {record!r:.60}")
        self._open().write(frame(bytes(record)))

    def flush(self) -> None:
        """Writes what is buffered. Raises FailedPreconditionError where the writer is closed."""
        self._open().flush()

    def close(self) -> None:
        """Writes what is buffered and closes the file; again does nothing."""
        self._finalizer()

    def _open(self) -> Any:
        if not self._finalizer.alive:
            raise FailedPreconditionError("Writer not initialized or previously closed")
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
