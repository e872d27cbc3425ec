"""The fields of one line of CSV, by TensorFlow's rules.

Lives here: fields_of. Not here: their values (ops/decoding.py). Imports errors only.
"""

from __future__ import annotations

from graphc.errors import InvalidArgumentError

_QUOTE = 34
_ENDS = (10, 13)


def fields_of(
    line: bytes, delim: bytes, use_quote_delim: bool, columns: tuple[int, ...]
) -> list[bytes]:
    """The fields, or those of the given columns.

    Raises:
        InvalidArgumentError: quotes that do not end, or inside of fields without quotes.
    """
    reader = _Line(line, delim[0], use_quote_delim)
    found: list[bytes] = []
    number = 0
    while reader.more():
        field = reader.next()
        if not columns or columns[len(found)] == number:
            found.append(field)
            if len(found) == len(columns):
                return found
        number += 1
    last = line.endswith(delim)
    if last and (not columns or columns[len(found)] == number):
        found.append(b"")
    return found


class _Line:
    """A line that is read field by field."""

    def __init__(self, line: bytes, delim: int, quotes: bool) -> None:
        self.line = line
        self.delim = delim
        self.quotes = quotes
        self.at = 0

    def more(self) -> bool:
        """Whether a field begins; ends of lines in front of it are skipped."""
        while self.at < len(self.line) and self.line[self.at] in _ENDS:
            self.at += 1
        return self.at < len(self.line)

    def next(self) -> bytes:
        if self.quotes and self.line[self.at] == _QUOTE:
            self.at += 1
            return self._quoted()
        end = self.line.find(self.delim, self.at)
        end = len(self.line) if end < 0 else end
        field = self.line[self.at : end]
        if b"\n" in field or b"\r" in field or (self.quotes and b'"' in field):
            raise InvalidArgumentError("Unquoted fields cannot have quotes/CRLFs inside")
        self.at = end + 1
        return field

    def _quoted(self) -> bytes:
        line, delim, at = self.line, self.delim, self.at
        out = bytearray()
        while at < len(line) - 1 and not (line[at] == _QUOTE and line[at + 1] == delim):
            if line[at] == _QUOTE:
                if line[at + 1] != _QUOTE:
                    raise InvalidArgumentError(
                        "Quote inside a string has to be escaped by another quote"
                    )
                at += 1
            out.append(line[at])
            at += 1
        ended = at < len(line) and line[at] == _QUOTE
        if not ended or (at + 1 < len(line) and line[at + 1] != delim):
            raise InvalidArgumentError(
                "Quoted field has to end with quote followed by delim or end"
            )
        self.at = at + 2
        return bytes(out)
