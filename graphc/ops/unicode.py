"""Code points of strings, and their encodings.

Lives here: unicode_decode, unicode_encode, unicode_transcode. Not here: other ops on strings.
Imports ops.define.

Attributes: `encoding` of the strings; `errors` says what bytes become that encode nothing:
"strict" raises, "replace" puts `replacement_char`, "ignore" leaves them out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import int32, int64, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import fixed, sample
from graphc.ops.strings import NO_GRADIENT
from graphc.ops.text_numbers import each

Array = np.ndarray[Any, Any]


class _Rule:
    """What becomes of characters that are not taken as they are."""

    def __init__(self, errors: str, replacement_char: int, replace_controls: bool) -> None:
        self.errors = errors
        self.replacement = replacement_char
        self.controls = replace_controls

    def bad(self) -> list[int]:
        """In place of bytes, or of a number, that stand for no character."""
        if self.errors == "strict":
            raise InvalidArgumentError("Invalid formatting on input string")
        return [self.replacement] if self.errors == "replace" else []

    def good(self, point: int) -> int:
        control = point < 32 or point == 127 or 128 <= point < 160
        return self.replacement if self.controls and control else point


def _points(data: bytes, encoding: str, rule: _Rule) -> tuple[list[int], list[int]]:
    """(code points, where the bytes of each begin)."""
    points: list[int] = []
    starts: list[int] = []
    at = 0
    while at < len(data):
        stop, after = len(data), len(data)
        try:
            text = data[at:].decode(encoding)
        except UnicodeDecodeError as err:
            stop, after = at + err.start, at + err.end
            text = data[at:stop].decode(encoding)
        for char in text:
            points.append(rule.good(ord(char)))
            starts.append(at)
            at += len(char.encode(encoding))
        if stop < len(data):
            found = rule.bad()
            points += found
            starts += [stop] * len(found)
        at = after
    return points, starts


def _decode(
    x: Array, encoding: str, errors: str, replacement_char: int, replace_controls: bool
) -> tuple[Array, Array]:
    rule = _Rule(errors, replacement_char, replace_controls)
    points, starts = _points(x.item(), encoding, rule)
    return np.array(points, np.int32), np.array(starts, np.int64)


def _decode_types(ctx: InferContext) -> list[TensorType]:
    if ctx.rank(0) not in (None, 0):
        raise ctx.fail(f"Shape must be rank 0 but is rank {ctx.rank(0)}")
    return [TensorType(int32, (None,)), TensorType(int64, (None,))]


_STRICT: dict[str, Any] = {"errors": "strict", "replacement_char": 65533, "replace_controls": False}

unicode_decode = OpDef(
    name="unicode_decode",
    tf="UnicodeDecodeWithOffsets",
    family="host",
    args=("input",),
    groups=(string,),
    infer=_decode_types,
    numpy=_decode,
    nograd=NO_GRADIENT,
    data_dependent=True,
    samples=(
        sample(fixed(b"gr\xc3\xb6\xff", string), encoding="UTF-8", grad=False,
               errors="replace", replacement_char=65533, replace_controls=False),
        sample(fixed(b"\0a\0b", string), encoding="UTF-16-BE", grad=False, **_STRICT),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ encode
def _encoded(points: list[int], encoding: str, rule: _Rule) -> bytes:
    out: list[int] = []
    for point in points:
        good = 0 <= point < 0x110000 and not 0xD800 <= point < 0xE000
        out += [rule.good(point)] if good else rule.bad()
    return "".join(map(chr, out)).encode(encoding)


def _encode(
    x: Array, encoding: str, errors: str, replacement_char: int, replace_controls: bool
) -> Array:
    rule = _Rule(errors, replacement_char, replace_controls)
    out = np.empty(x.shape[:-1], object)
    for at in np.ndindex(out.shape):
        out[at] = _encoded(x[at].tolist(), encoding, rule)
    return out


def _encode_type(ctx: InferContext) -> TensorType:
    shape = ctx.shape(0)
    if shape == ():
        raise ctx.fail("Shape must be at least rank 1 but is rank 0")
    return TensorType(string, None if shape is None else shape[:-1])


unicode_encode = OpDef(
    name="unicode_encode",
    tf="UnicodeEncode",
    family="host",
    args=("input",),
    groups=(int32,),
    infer=_encode_type,
    numpy=_encode,
    nograd=NO_GRADIENT,
    samples=(
        sample(fixed([[103, 246], [65, 66]]), encoding="UTF-8", grad=False, **_STRICT),
        sample(fixed([103, 246]), encoding="UTF-16-BE", grad=False, **_STRICT),
    ),
)


# ------------------------------------------------------------------ transcode
def _transcode(
    x: Array,
    encoding: str,
    output_encoding: str,
    errors: str,
    replacement_char: int,
    replace_controls: bool,
) -> Array:
    rule = _Rule(errors, replacement_char, replace_controls)

    def one(item: bytes) -> bytes:
        return _encoded(_points(item, encoding, rule)[0], output_encoding, rule)

    return each(one, x)


unicode_transcode = OpDef(
    name="unicode_transcode",
    tf="UnicodeTranscode",
    family="host",
    args=("input",),
    groups=(string,),
    infer=lambda ctx: TensorType(string, ctx.shape(0)),
    numpy=_transcode,
    nograd=NO_GRADIENT,
    samples=(
        sample(
            fixed([b"gr\xc3\xb6", b""], string), encoding="UTF-8", output_encoding="UTF-16-BE",
            grad=False, **_STRICT,
        ),
    ),
)  # fmt: skip
