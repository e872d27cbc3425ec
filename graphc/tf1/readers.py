"""tf.ReaderBase and its kinds: records of the files that a queue names, as tensors.

Lives here: the user's classes. Not here: the ops and what a session keeps (ops/readers.py), files
of records (interop/record_io.py), datasets of files (graphc/data).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.ir.dtypes import int64
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F, OpDef
from graphc.tf1.queues import QueueBase

__all__ = [
    "FixedLengthRecordReader", "IdentityReader", "ReaderBase", "TFRecordReader", "TextLineReader",
    "WholeFileReader",
]  # fmt: skip


class ReaderRead(NamedTuple):
    """What `read` gives: two strings."""

    key: Tensor
    value: Tensor


class ReaderReadUpTo(NamedTuple):
    """What `read_up_to` gives: two vectors of strings."""

    keys: Tensor
    values: Tensor


class ReaderBase:
    """tf.ReaderBase: takes names of files from a queue and gives their records, one a run.

    Each session has its own position.

    Args:
        reader_ref: the string tensor that names the reader.
    """

    def __init__(self, reader_ref: Tensor, supports_serialize: bool = False) -> None:
        self._reader_ref = reader_ref
        self._supports_serialize = supports_serialize

    @property
    def reader_ref(self) -> Tensor:
        """The tensor that names the reader."""
        return self._reader_ref

    @property
    def supports_serialize(self) -> bool:
        """Whether its position could be saved: none of graphc's readers can."""
        return self._supports_serialize

    def read(self, queue: Any, name: str | None = None) -> ReaderRead:
        """(key, value) of the next record; takes a name from the queue where a file has ended.

        Args:
            queue: a queue of strings, or its queue_ref.

        Raises (in the run):
            OutOfRangeError: the queue is closed and empty. NotFoundError: there is no such file.
            DataLossError: a damaged record.
        """
        return ReaderRead(*F.reader_read(self._reader_ref, _ref(queue), name=name))

    def read_up_to(self, queue: Any, num_records: Any, name: str | None = None) -> ReaderReadUpTo:
        """(keys, values) of the next records of one file: at least one, at most `num_records`.

        Args and Raises: as `read`.
        """
        count = convert_to_tensor(num_records, int64)
        return ReaderReadUpTo(
            *F.reader_read_up_to(self._reader_ref, _ref(queue), count, name=name)
        )

    def num_records_produced(self, name: str | None = None) -> Tensor:
        """An int64: how many records this reader has given."""
        out: Tensor = F.reader_num_records_produced(self._reader_ref, name=name)
        return out

    def num_work_units_completed(self, name: str | None = None) -> Tensor:
        """An int64: how many files it has read to their end."""
        out: Tensor = F.reader_num_work_units_completed(self._reader_ref, name=name)
        return out

    def reset(self, name: str | None = None) -> Node:
        """An op after which the reader is as new; the queue is not changed."""
        return F.reader_reset.node(self._reader_ref, name=name)


def _ref(queue: Any) -> Any:
    return queue.queue_ref if isinstance(queue, QueueBase) else queue


def _make(op: OpDef, name: str | None, **attrs: Any) -> Tensor:
    with get_default_graph().name_scope(name or op.default_name) as scope:
        made: Tensor = op(name=scope, key=scope.rstrip("/"), **attrs)
    return made


class WholeFileReader(ReaderBase):
    """tf.WholeFileReader: the key is the file's name, the value all of its bytes."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(_make(F.whole_file_reader, name))


class TextLineReader(ReaderBase):
    """tf.TextLineReader: lines without their ends; the key is "file:number", from 1.

    Args:
        skip_header_lines: lines left out at the beginning of each file.
    """

    def __init__(self, skip_header_lines: int | None = None, name: str | None = None) -> None:
        skip = int(skip_header_lines or 0)
        super().__init__(_make(F.text_line_reader, name, skip_header_lines=skip))


class FixedLengthRecordReader(ReaderBase):
    """tf.FixedLengthRecordReader: the key is "file:number", from 0.

    Args:
        record_bytes: of each record. header_bytes, footer_bytes: left out of each file.
        hop_bytes: from the beginning of a record to that of the next; default record_bytes.
        encoding: "", "ZLIB" or "GZIP".

    Raises:
        ValueError: another encoding. InvalidArgumentError (in the run): sizes below zero.
    """

    def __init__(
        self,
        record_bytes: int,
        header_bytes: int | None = None,
        footer_bytes: int | None = None,
        hop_bytes: int | None = None,
        name: str | None = None,
        encoding: str | None = None,
    ) -> None:
        attrs = {
            "record_bytes": int(record_bytes),
            "header_bytes": int(header_bytes or 0),
            "footer_bytes": int(footer_bytes or 0),
            "hop_bytes": int(hop_bytes or 0),
            "encoding": _compression(encoding),
        }
        super().__init__(_make(F.fixed_length_record_reader, name, **attrs))


class TFRecordReader(ReaderBase):
    """tf.TFRecordReader: records of TFRecord files; the key is "file:offset".

    Args:
        options: TFRecordOptions of compressed files.

    Raises:
        ValueError: a compression that is not known.
    """

    def __init__(self, name: str | None = None, options: Any = None) -> None:
        super().__init__(
            _make(F.tf_record_reader, name, compression_type=_compression(options))
        )


class IdentityReader(ReaderBase):
    """tf.IdentityReader: key and value are what the queue gives."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(_make(F.identity_reader, name))


def _compression(options: Any) -> str:
    from graphc.interop.record_io import TFRecordOptions

    return TFRecordOptions.get_compression_type_string(options)
