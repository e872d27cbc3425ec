"""Ops of readers: records of the files that a queue names.

Lives here: the records, and what a session keeps of a reader. Not here: the user's classes
(tf1/readers.py), files and the framing of their records (interop). A reader is named by a string
tensor, as queues are; each session has its own position.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import int64, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.queues import kept, resource_of

Array = np.ndarray[Any, Any]
Record = tuple[bytes, bytes]  # key and value


# ------------------------------------------------------------------ what a session keeps
class _Reader:
    """A place in the files that a queue names.

    Attributes:
        produced: records read. completed: files read to their end.
    """

    def __init__(self, start: Callable[[bytes], Iterator[Record]]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """As before the first record; the queue is not changed."""
        self._records: Iterator[Record] | None = None
        self.produced = 0
        self.completed = 0

    def read(self, queue: Any, count: int) -> list[Record]:
        """At least one record and at most `count`, all of one file; waits for the queue.

        Raises:
            OutOfRangeError: the queue is closed and empty.
        """
        with self._lock:
            while True:
                if self._records is None:
                    (work,) = queue.get()
                    self._records = self._start(work[()])
                try:
                    found = list(islice(self._records, count))
                except BaseException:
                    self._records = None
                    raise
                self.produced += len(found)
                if len(found) < count:
                    self._records = None
                    self.completed += 1
                if found:
                    return found

    def cancel(self) -> None:
        """The queue that is waited for is cancelled by itself."""


def _opened(name: bytes, compression: str = "") -> Any:
    from graphc.interop.record_io import BUFFER, opened

    return opened(name.decode(), compression, BUFFER)


def _lines(name: bytes, skip: int) -> Iterator[Record]:
    with _opened(name) as file:
        for number, line in enumerate(file, 1):
            if number > skip:
                yield b"%s:%d" % (name, number), line.removesuffix(b"\n").removesuffix(b"\r")


def _tf_records(name: bytes, compression: str) -> Iterator[Record]:
    from graphc.interop.tfrecord import read_records

    offset = 0
    with _opened(name, compression) as file:
        for record in read_records(file):
            yield b"%s:%d" % (name, offset), record
            offset += len(record) + 16


def _whole(name: bytes) -> Iterator[Record]:
    with _opened(name) as file:
        yield name, file.read()


def _fixed(
    name: bytes, header: int, length: int, footer: int, hop: int, encoding: str
) -> Iterator[Record]:
    """Records of `length` bytes that begin `hop` bytes apart; a short rest is left out."""
    with _opened(name, encoding) as file:
        data = file.read()
    last = len(data) - footer - length
    for number, at in enumerate(range(header, last + 1, hop)):
        yield b"%s:%d" % (name, number), data[at : at + length]


# ------------------------------------------------------------------ making
def _make(key: str, start: Callable[[bytes], Iterator[Record]]) -> Array:
    return kept(f"reader/{key}", lambda store: _Reader(start))[0]


def _text_line(key: str, skip_header_lines: int = 0) -> Array:
    return _make(key, lambda name: _lines(name, skip_header_lines))


def _tf_record(key: str, compression_type: str = "") -> Array:
    return _make(key, lambda name: _tf_records(name, compression_type))


def _whole_file(key: str) -> Array:
    return _make(key, _whole)


def _identity(key: str) -> Array:
    return _make(key, lambda work: iter([(work, work)]))


def _fixed_length(
    key: str,
    record_bytes: int,
    header_bytes: int = 0,
    footer_bytes: int = 0,
    hop_bytes: int = 0,
    encoding: str = "",
) -> Array:
    if record_bytes <= 0:
        raise InvalidArgumentError(f"record_bytes must be > 0, got {record_bytes}")
    for name, value in (("header", header_bytes), ("footer", footer_bytes), ("hop", hop_bytes)):
        if value < 0:
            raise InvalidArgumentError(f"{name}_bytes must be >= 0, got {value}")
    sizes = (header_bytes, record_bytes, footer_bytes, hop_bytes or record_bytes)
    return _make(key, lambda name: _fixed(name, *sizes, encoding))


def _maker(name: str, tf: str, numpy: Any) -> OpDef:
    return OpDef(
        name=name,
        tf=tf,
        family="host",
        args=(),
        infer=lambda ctx: TensorType(string, ()),
        numpy=numpy,
        nograd="the handle of a reader is a string",
        stateful=True,
        effect=True,
    )


text_line_reader = _maker("text_line_reader", "TextLineReaderV2", _text_line)
tf_record_reader = _maker("tf_record_reader", "TFRecordReaderV2", _tf_record)
whole_file_reader = _maker("whole_file_reader", "WholeFileReaderV2", _whole_file)
identity_reader = _maker("identity_reader", "IdentityReaderV2", _identity)
fixed_length_record_reader = _maker(
    "fixed_length_record_reader", "FixedLengthRecordReaderV2", _fixed_length
)


# ------------------------------------------------------------------ using
def _text(value: bytes) -> Array:
    out = np.empty((), object)
    out[()] = value
    return out


def _texts(values: list[bytes]) -> Array:
    out = np.empty(len(values), object)
    out[:] = values
    return out


def _read(handle: Array, queue: Array) -> tuple[Array, Array]:
    records = resource_of(handle, "reader").read(resource_of(queue, "queue"), 1)
    return _text(records[0][0]), _text(records[0][1])


def _read_up_to(handle: Array, queue: Array, count: Array) -> tuple[Array, Array]:
    records = resource_of(handle, "reader").read(resource_of(queue, "queue"), int(count))
    return _texts([k for k, _ in records]), _texts([v for _, v in records])


def _reset(handle: Array) -> tuple[()]:
    resource_of(handle, "reader").reset()
    return ()


def _many(ctx: InferContext) -> tuple[TensorType, TensorType]:
    return TensorType(string, (None,)), TensorType(string, (None,))


reader_read = OpDef(
    name="reader_read",
    tf="ReaderReadV2",
    family="host",
    args=("reader_handle", "queue_handle"),
    groups=(string, string),
    infer=lambda ctx: (TensorType(string, ()), TensorType(string, ())),
    numpy=_read,
    nograd="records of files are strings",
    stateful=True,
    effect=True,
    blocks=True,
    data_dependent=True,
)

reader_read_up_to = OpDef(
    name="reader_read_up_to",
    tf="ReaderReadUpToV2",
    family="host",
    args=("reader_handle", "queue_handle", "num_records"),
    groups=(string, string, int64),
    infer=_many,
    numpy=_read_up_to,
    nograd="records of files are strings",
    stateful=True,
    effect=True,
    blocks=True,
    data_dependent=True,
)

reader_reset = OpDef(
    name="reader_reset",
    tf="ReaderResetV2",
    family="host",
    args=("reader_handle",),
    groups=(string,),
    infer=lambda ctx: (),
    numpy=_reset,
    nograd="it has no outputs",
    stateful=True,
    effect=True,
)


def _count(name: str, tf: str, attribute: str) -> OpDef:
    def ask(handle: Array) -> Array:
        return np.asarray(getattr(resource_of(handle, "reader"), attribute), np.int64)

    return OpDef(
        name=name,
        tf=tf,
        family="host",
        args=("reader_handle",),
        groups=(string,),
        infer=lambda ctx: TensorType(int64, ()),
        numpy=ask,
        nograd="it counts",
        stateful=True,
        effect=True,
    )


reader_num_records_produced = _count(
    "reader_num_records_produced", "ReaderNumRecordsProducedV2", "produced"
)
reader_num_work_units_completed = _count(
    "reader_num_work_units_completed", "ReaderNumWorkUnitsCompletedV2", "completed"
)
