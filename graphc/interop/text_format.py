"""The text form of messages, as protobuf writes and reads it.

Lives here: MessageToString, Parse, Merge. Not here: the wire format (interop/wire.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np

from graphc.interop.messages import Any as Any_
from graphc.interop.wire import ENUMS, Field, Message
from graphc.interop.wire_fields import MESSAGES

M = TypeVar("M", bound=Message)

_ESCAPES = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 39: "\\'", 92: "\\\\"}
# each byte as it is written
_WRITTEN = {
    b: _ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in range(256)
}
_UNESCAPES = {"n": 10, "r": 13, "t": 9, '"': 34, "'": 39, "\\": 92, "a": 7, "b": 8, "f": 12,
              "v": 11, "?": 63}  # fmt: skip


class ParseError(ValueError):
    """The text is not a message of this kind; says the line."""


# ------------------------------------------------------------------ writing
def MessageToString(message: Message) -> str:
    """The message as text, fields by number (google.protobuf.text_format.MessageToString)."""
    return "".join(_lines(message, ""))


def _lines(message: Message, indent: str) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.label == "one":
            yield from _line(field.name, field, value, indent)
        elif field.label == "many":
            for item in value:
                yield from _line(field.name, field, item, indent)
        else:
            for key in sorted(value):
                yield f"{indent}{field.name} {{\n"
                yield f"{indent}  key: {_scalar(Field(1, 'key', 'one', field.key), key)}\n"
                yield from _line("value", field, value[key], indent + "  ")
                yield f"{indent}}}\n"


def _line(name: str, field: Field, value: Any, indent: str) -> Iterator[str]:
    if field.kind != "message":
        yield f"{indent}{name}: {_scalar(field, value)}\n"
        return
    yield f"{indent}{name} {{\n"
    yield from _lines(value, indent + "  ")
    yield f"{indent}}}\n"


def _scalar(field: Field, value: Any) -> str:
    if field.kind in ("string", "bytes"):
        return '"' + _escaped(value) + '"'
    if field.kind == "bool":
        return "true" if value else "false"
    if field.kind == "enum":
        names = {n: k for k, n in ENUMS.get(field.type_name, {}).items()}
        return names.get(value, str(value))
    if field.kind in ("float", "double"):
        if math.isnan(value) or math.isinf(value):
            return "nan" if value != value else "inf" if value > 0 else "-inf"
        return str(np.float32(value)) if field.kind == "float" else repr(float(value))
    return str(value)


def _escaped(value: str | bytes) -> str:
    raw = value.encode("utf-8") if isinstance(value, str) else value
    return raw.decode("latin-1").translate(_WRITTEN)


# ------------------------------------------------------------------ reading
_TOKEN = re.compile(
    r"""(?P<space>[\s]+|\#[^\n]*)|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<word>-?\.?[A-Za-z0-9_][A-Za-z0-9_.+]*(?:(?<=[eE])-[0-9]+)?)|(?P<mark>[-{}<>:\[\],;/])"""
)


class _Tokens:
    def __init__(self, text: str) -> None:
        self.items: list[tuple[str, str, int]] = []
        at, line = 0, 1
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise ParseError(f"{line}: unexpected {text[at]!r}")
            if match.lastgroup != "space":
                self.items.append((match.lastgroup or "", match.group(), line))
            line += match.group().count("\n")
            at = match.end()
        self.items.append(("end", "", line))
        self.at = 0

    @property
    def text(self) -> str:
        return self.items[self.at][1]

    @property
    def kind(self) -> str:
        return self.items[self.at][0]

    def fail(self, message: str) -> ParseError:
        return ParseError(f"{self.items[self.at][2]}: {message}")

    def next(self) -> str:
        text = self.text
        self.at += 1
        return text

    def accept(self, mark: str) -> bool:
        if self.kind == "mark" and self.text == mark:
            self.at += 1
            return True
        return False


def Merge(text: str | bytes, message: M) -> M:
    """Reads text into a message, keeping what it holds.

    Raises:
        ParseError: with the line.
    """
    tokens = _Tokens(text.decode("utf-8") if isinstance(text, bytes) else text)
    _read(tokens, message, "")
    return message


def Parse(text: str | bytes, message: M) -> M:
    """Reads text into a message in place of what it held."""
    message.Clear()
    return Merge(text, message)


def _read(tokens: _Tokens, message: Message, close: str) -> None:
    while not (close and tokens.accept(close)):
        if tokens.kind == "end":
            if close:
                raise tokens.fail(f"expected {close!r}")
            return
        if tokens.accept(",") or tokens.accept(";"):
            continue
        if not message.FIELDS:
            _skip(tokens)  # a message that is kept as it is has no names for its fields
            continue
        if isinstance(message, Any_) and tokens.accept("["):
            _read_packed(tokens, message)
            continue
        name = tokens.text
        field = message.FIELDS.get(name)
        if field is None:
            raise tokens.fail(
                f'Message type "{type(message).__qualname__}" has no field named "{name}".'
            )
        tokens.next()
        colon = tokens.accept(":")
        if field.kind != "message" and field.label != "map" and not colon:
            raise tokens.fail('expected ":"')
        if field.label == "many" and tokens.accept("["):
            while not tokens.accept("]"):
                _read_field(tokens, message, field)
                tokens.accept(",")
        else:
            _read_field(tokens, message, field)


def _skip(tokens: _Tokens) -> None:
    """Passes over one field, whatever it is."""
    tokens.next()
    tokens.accept(":")
    depth = 0
    while True:
        if tokens.kind == "end":
            raise tokens.fail("the text ends within a message")
        text, mark = tokens.text, tokens.kind == "mark"
        strings = tokens.kind == "string"
        tokens.next()
        if mark and text in "{<[":
            depth += 1
        elif mark and text in "}>]":
            depth -= 1
        more = (mark and text == "-") or (strings and tokens.kind == "string")
        if depth == 0 and not more:
            return


def _read_packed(tokens: _Tokens, message: Any_) -> None:
    """`[type.googleapis.com/tensorflow.AssetFileDef] { ... }`: a message within an Any."""
    url = ""
    while not tokens.accept("]"):
        if tokens.kind == "end":
            raise tokens.fail("expected ']'")
        url += tokens.next()
    found = MESSAGES.get(url.rpartition("/")[2].rpartition(".")[2])
    if found is None:
        raise tokens.fail(f'there is no message type "{url}"')
    tokens.accept(":")
    inner = found()
    _read(tokens, inner, _open(tokens))
    message.type_url, message.value = url, inner.SerializeToString()


def _read_field(tokens: _Tokens, message: Message, field: Field) -> None:
    if field.label == "map":
        key, value = _read_entry(tokens, field)
        getattr(message, field.name)[key] = value
    elif field.kind == "message":
        if field.oneof:
            message._leave_oneof(field)
        slot = getattr(message, field.name)
        child = slot.add() if field.label == "many" else slot
        child.SetInParent()
        _read(tokens, child, _open(tokens))
    elif field.label == "many":
        getattr(message, field.name).append(_read_scalar(tokens, field))
    else:
        setattr(message, field.name, _read_scalar(tokens, field))


def _open(tokens: _Tokens) -> str:
    if tokens.accept("{"):
        return "}"
    if tokens.accept("<"):
        return ">"
    raise tokens.fail('expected "{"')


def _read_entry(tokens: _Tokens, field: Field) -> tuple[Any, Any]:
    close = _open(tokens)
    key: Any = None
    value: Any = field.message() if field.kind == "message" else field.scalar.default
    while not tokens.accept(close):
        name = tokens.next()
        tokens.accept(":")
        if name == "key":
            key = _read_scalar(tokens, Field(1, "key", "one", field.key))
        elif field.kind == "message":
            _read(tokens, value, _open(tokens))
        else:
            value = _read_scalar(tokens, field)
        tokens.accept(",")
    return key, value


def _read_scalar(tokens: _Tokens, field: Field) -> Any:
    if field.kind in ("string", "bytes"):
        raw = b""
        if tokens.kind != "string":
            raise tokens.fail(f"expected a string for {field.name}")
        while tokens.kind == "string":
            raw += _unescaped(tokens.next()[1:-1])
        return raw if field.kind == "bytes" else raw.decode("utf-8")
    sign = "-" if tokens.accept("-") else ""
    word = sign + tokens.next()
    try:
        if field.kind == "bool":
            return {"true": True, "True": True, "t": True, "1": True}.get(word, False)
        if field.kind in ("float", "double"):
            return float(word.rstrip("fF") if "inf" not in word else word)
        if field.kind == "enum":
            return ENUMS.get(field.type_name, {}).get(word) or int(word, 0)
        return int(word, 0)
    except ValueError:
        tokens.at -= 1
        raise tokens.fail(f"{word!r} is no {field.kind} for {field.name}") from None


_ESCAPED = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


def _unescaped(text: str) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        body = match.group(1).decode("latin-1")
        if body[0] == "x":
            return bytes([int(body[1:], 16)])
        if body[0] in "01234567":
            return bytes([int(body, 8) & 255])
        return bytes([_UNESCAPES.get(body, ord(body))])

    return _ESCAPED.sub(one, text.encode("utf-8"))
