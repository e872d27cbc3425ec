"""TFRecord framing: length, its checksum, data, its checksum.

Lives here: reading and writing of records. Not here: what the records hold. Imports crc32c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from graphc.errors import DataLossError
from graphc.interop.crc32c import masked_crc32c


def frame(data: bytes) -> bytes:
    """The record's bytes in a file."""
    head = struct.pack("<Q", len(data))
    return b"".join(
        (
            head,
            struct.pack("<I", masked_crc32c(head)),
            data,
            struct.pack("<I", masked_crc32c(data)),
        )
    )


def read_records(file: IO[bytes], verify: bool = True) -> Iterator[bytes]:
    """The records of an open file, up to its end.

    Raises:
        DataLossError: "corrupted record at N" for a wrong checksum, "truncated record at N" where
        the file ends within a record.
    """
    offset = 0
    while True:
        head = file.read(12)
        if not head:
            return
        if len(head) < 12:
            raise DataLossError(f"truncated record at {offset}")
        (size,), (check,) = struct.unpack("<Q", head[:8]), struct.unpack("<I", head[8:])
        if masked_crc32c(head[:8]) != check:
            raise DataLossError(f"corrupted record at {offset}")
        body = file.read(size + 4)
        if len(body) < size + 4:
            raise DataLossError(f"truncated record at {offset}")
        data = body[:size]
        if verify and masked_crc32c(data) != struct.unpack("<I", body[size:])[0]:
            raise DataLossError(f"corrupted record at {offset}")
        yield data
        offset += size + 16
