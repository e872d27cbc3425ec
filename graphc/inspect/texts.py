"""Numbers and tables for people: sizes, times, rates, columns that line up; files written at once.

Lives here: size, duration, count, table, shortened, near, suffix_of, write_file. Imported by
inspect only; imports nothing of graphc but errors.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from graphc.errors import GraphcError


class OutputError(GraphcError):
    """A result cannot be written where -o says, or not in that form."""


def size(nbytes: float) -> str:
    """Bytes: 1.5 MB."""
    for unit, whole in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if nbytes >= whole:
            return f"{nbytes / whole:.1f} {unit}"
    return f"{nbytes:.0f} B"


def duration(seconds: float) -> str:
    """A time: 12.3 us, 4.56 ms, 7.89 s."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} us"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def count(number: float, unit: str = "") -> str:
    """A number with a prefix: 1.5 M, 12 G."""
    for prefix, whole in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= whole:
            return f"{number / whole:.1f} {prefix}{unit}"
    return f"{number:.0f} {unit}".rstrip()


def table(rows: Sequence[Sequence[str]], left: int = 1, gap: str = "  ") -> list[str]:
    """Lines of columns: the first `left` begin at one place, the others end at one."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    out = []
    for row in rows:
        cells = [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.append(gap.join(cells).rstrip())
    return out


def shortened(text: str, width: int) -> str:
    """The text, or its begin and end with dots between where it is longer."""
    if len(text) <= width:
        return text
    tail = (width - 3) // 3
    return f"{text[: width - 3 - tail]}...{text[len(text) - tail :]}"


def near(line: str) -> str:
    """A line that begins with a file's path, which is shortened where it is below this folder."""
    here = f"{Path.cwd()}{os.sep}"
    return line.removeprefix(here)


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The end of a file's name that says its form: ".json", or ".data.json" where it is double."""
    name = Path(path).name.lower()
    for double in (".data.json", ".explorer.json"):
        if name.endswith(double):
            return double
    return Path(name).suffix


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Writes a file at once: readers see the old one or the whole new one.

    Raises:
        OutputError: the folder is not there or may not be written.
    """
    target = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            umask = os.umask(0)
            os.umask(umask)
            Path(scratch).chmod(0o666 & ~umask)
            Path(scratch).replace(target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return target
