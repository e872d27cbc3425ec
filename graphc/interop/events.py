"""Event files, as TensorBoard reads them.

Lives here: EventFile, summary_iterator, histograms, PNG and WAV encoding. Not here: the summary ops
and FileWriter (tf1/summary.py, tf1/file_writer.py). Imports messages and TFRecord.
"""

from __future__ import annotations

import functools
import socket
import struct
import threading
import time
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.interop.messages import Event, HistogramProto
from graphc.interop.tfrecord import frame, read_records

Array = np.ndarray[Any, Any]


class EventFile:
    """One event file that is being written; its first record is its version.

    Args:
        directory: made where it does not exist. max_queue, flush_secs: after so many events or
            seconds the file is flushed.
    """

    def __init__(
        self, directory: Any, suffix: str = "", max_queue: int = 10, flush_secs: float = 120
    ) -> None:
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._file = _create(folder, suffix)
        self._lock = threading.Lock()
        self._max_queue = max_queue
        self._flush_secs = flush_secs
        self._waiting = 0
        self._flushed = time.monotonic()
        # what was not flushed is written when the process ends in order
        self._finalizer = weakref.finalize(self, self._file.close)
        self.write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def write(self, event: Event) -> None:
        record = frame(event.SerializeToString())
        with self._lock:
            self._file.write(record)
            self._waiting += 1
            due = time.monotonic() - self._flushed >= self._flush_secs
            if self._waiting > self._max_queue or due:
                self._flush()

    def _flush(self) -> None:
        self._file.flush()
        self._waiting = 0
        self._flushed = time.monotonic()

    def flush(self) -> None:
        with self._lock:
            self._flush()

    def close(self) -> None:
        with self._lock:
            self._finalizer()


def _create(folder: Path, suffix: str) -> tuple[Path, IO[bytes]]:
    """A new file named after the time; where two writers start in one second, after the next."""
    seconds = int(time.time())
    while True:
        path = folder / f"events.out.tfevents.{seconds:010d}.{socket.gethostname()}{suffix}"
        try:
            return path, path.open("xb")
        except FileExistsError:
            seconds += 1


def summary_iterator(path: Any) -> Iterator[Event]:
    """The events of a file (tf.train.summary_iterator).

    Raises:
        NotFoundError: no such file. DataLossError: a damaged record.
    """
    if not Path(path).is_file():
        raise NotFoundError(f"{path}; No such file or directory")
    with Path(path).open("rb") as file:
        for record in read_records(file):
            yield Event.FromString(record)


# ------------------------------------------------------------------ histograms
@functools.cache
def bucket_limits() -> Array:
    """TensorFlow's upper edges: growing by 1.1 from 1e-12 to 1e20, either sign, and zero."""
    edges = []
    value = 1.0e-12
    while value < 1.0e20:
        edges.append(value)
        value *= 1.1
    largest = np.finfo(np.float64).max
    positive = np.array([*edges, largest])
    return np.concatenate([-positive[::-1], [0.0], positive])


def histogram(values: Any, tag: str = "") -> HistogramProto:
    """The histogram of all elements; runs of empty buckets are one bucket.

    Raises:
        InvalidArgumentError: "Nan in summary histogram for: ..." or "Infinity in ...".
    """
    flat = np.asarray(values).reshape(-1).astype(np.float64)
    for what, bad in (("Nan", np.isnan(flat)), ("Infinity", np.isinf(flat))):
        if bad.any():
            raise InvalidArgumentError(f"{what} in summary histogram for: {tag}")
    limits = bucket_limits()
    counts = np.bincount(np.searchsorted(limits, flat, side="right"), minlength=len(limits))
    filled = counts > 0
    # the last of each run of empty buckets stands for the run
    keep = filled | np.append(filled[1:], True)
    largest = float(np.finfo(np.float64).max)
    return HistogramProto(
        min=float(flat.min()) if flat.size else largest,
        max=float(flat.max()) if flat.size else -largest,
        num=float(flat.size),
        sum=float(flat.sum()),
        sum_squares=float(np.square(flat).sum()),
        bucket_limit=limits[keep].tolist(),
        bucket=counts[keep].astype(np.float64).tolist(),
    )


# ------------------------------------------------------------------ images and sound
def png(image: Array) -> bytes:
    """A PNG of an uint8 image [height, width, channels] with 1 to 4 channels."""
    height, width, channels = image.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    # each row starts with its filter: 1, the difference to the pixel on the left
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = 1
    left = np.zeros_like(image)
    left[:, 1:] = image[:, :-1]
    rows[:, 1:] = (image - left).reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def as_pixels(image: Array, bad_color: Any) -> Array:
    """A float image as uint8: non-negative ones scaled so that the largest value is 255, others
    so that 0 is 128; pixels that are not finite get `bad_color`."""
    if image.dtype == np.uint8:
        return image
    wide = image.astype(np.float64 if image.dtype == np.float64 else np.float32)
    finite = np.isfinite(wide).all(axis=-1)
    low = float(wide[finite].min(initial=np.inf)) if finite.any() else 0.0
    high = float(wide[finite].max(initial=-np.inf)) if finite.any() else 0.0
    if low < 0:
        largest, span, offset = max(abs(low), abs(high)), 127.0, 128.0
    else:
        largest, span, offset = high, 255.0, 0.0
    scale = wide.dtype.type(0.0 if largest < 1e-6 else span / largest)
    scaled = np.where(finite[..., None], wide, 0) * scale + wide.dtype.type(offset)
    out: Array = scaled.astype(np.uint8)
    out[~finite] = np.asarray(bad_color, np.uint8)[: image.shape[-1]]
    return out


def wav(samples: Array, rate: float) -> bytes:
    """A 16-bit WAV of float samples [frames, channels] in [-1, 1]."""
    channels = samples.shape[1]
    data = np.clip(np.rint(samples.astype(np.float64) * 32768), -32768, 32767).astype("<i2")
    rate = int(rate)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + data.nbytes, b"WAVE", b"fmt ", 16, 1, channels, rate,
        rate * channels * 2, channels * 2, 16, b"data", data.nbytes,
    )  # fmt: skip
    return head + data.tobytes()
