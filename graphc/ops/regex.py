"""Regular expressions on strings: regex_replace, regex_full_match.

Lives here: the two ops, and how RE2's expressions are said in Python's. Not here: other ops on
strings. Imports ops.define.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import bool_, string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import fixed, sample
from graphc.ops.strings import NO_GRADIENT, bytes_of, text_of
from graphc.ops.text_numbers import each

Array = np.ndarray[Any, Any]

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9", "graph": "!-~", "lower": "a-z",
    "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_PIECE = re.compile(r"\[:\w+:\]|\\.|\[\^?\]?|.", re.DOTALL)
_MULTILINE = re.compile(r"\(\?[a-zA-Z]*m")


def _in_python(pattern: str) -> str:
    """RE2's expression in Python's words."""
    lines = _MULTILINE.search(pattern) is not None
    out = []
    in_class = False
    for piece in _PIECE.findall(pattern):
        if piece.startswith("[:"):
            piece = _CLASSES.get(piece[2:-2], piece)
        elif not in_class and piece.startswith("["):
            in_class = True
        elif in_class and piece.startswith("["):
            in_class = not piece.endswith("]")
            piece = "\\" + piece  # no set within a set
        elif piece == "]":
            in_class = False
        elif piece == r"\z" or (piece == "$" and not in_class and not lines):
            # the end, not in front of a last end of line
            piece = r"\Z"
        out.append(piece)
    return "".join(out)


@functools.lru_cache(maxsize=256)
def compiled(pattern: bytes) -> re.Pattern[str]:
    """The expression; classes such as \\w are of ASCII characters, as RE2 has them.

    There are no classes by Unicode's properties (\\pL).

    Raises:
        InvalidArgumentError: "Invalid pattern: (, error: ..."
    """
    text = text_of(pattern)
    try:
        return re.compile(_in_python(text), re.ASCII)
    except re.error as err:
        raise InvalidArgumentError(f"Invalid pattern: {text}, error: {err}") from None


# ------------------------------------------------------------------ replace
def _inserted(rewrite: str, match: re.Match[str]) -> str | None:
    """The rewrite with the groups of a match; None where it asks for one that is not there."""
    out, at = [], 0
    while at < len(rewrite):
        char = rewrite[at]
        if char != "\\":
            out.append(char)
            at += 1
            continue
        after = rewrite[at + 1 : at + 2]
        if after and after in "0123456789":
            if int(after) > (match.re.groups or 0):
                return None
            out.append(match.group(int(after)) or "")
        elif after == "\\":
            out.append(after)
        else:
            return None
        at += 2
    return "".join(out)


def _replaced(text: str, pattern: re.Pattern[str], rewrite: str, everywhere: bool) -> str:
    """As RE2 goes along: after an empty match where the last one ended it takes a character."""
    out: list[str] = []
    at, end = 0, -1
    while at <= len(text):
        match = pattern.search(text, at)
        if match is None:
            break
        out.append(text[at : match.start()])
        if match.start() == match.end() == end:
            out.append(text[end : end + 1])
            at = end + 1
            continue
        new = _inserted(rewrite, match)
        if new is None:
            # a rewrite that cannot be done takes away what matched if there are many, else nothing
            new = "" if everywhere and _wrong_escape(rewrite) else match.group()
        out.append(new)
        at = end = match.end()
        if not everywhere:
            break
    return "".join(out) + text[at:]


def _wrong_escape(rewrite: str) -> bool:
    return re.search(r"\\(?![0-9\\])", rewrite.replace("\\\\", "")) is not None


def _replace(x: Array, pattern: Array, rewrite: Array, replace_global: bool) -> Array:
    expression = compiled(pattern.item())
    new = text_of(rewrite.item())
    return each(
        lambda s: bytes_of(_replaced(text_of(s), expression, new, replace_global)), x
    )


def _replace_type(ctx: InferContext) -> TensorType:
    for k in range(1, len(ctx.inputs)):
        if ctx.rank(k) not in (None, 0):
            raise ctx.fail(f"Shape must be rank 0 but is rank {ctx.rank(k)}")
    return TensorType(string, ctx.shape(0))


_WORDS = fixed([b"abc", b"aab"], string)

regex_replace = OpDef(
    name="regex_replace",
    tf="RegexReplace",
    family="host",
    args=("input", "pattern", "rewrite"),
    groups=(string, string, string),
    infer=_replace_type,
    numpy=_replace,
    nograd=NO_GRADIENT,
    samples=(
        sample(
            _WORDS, fixed(b"(a)(b)", string), fixed(rb"[\2\1]", string), replace_global=True,
            grad=False,
        ),
        sample(
            _WORDS, fixed(b"a", string), fixed(b"-", string), replace_global=False, grad=False
        ),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ match
def _full_match(x: Array, pattern: Array) -> Array:
    expression = compiled(pattern.item())
    return each(lambda s: expression.fullmatch(text_of(s)) is not None, x, np.bool_)


def _match_type(ctx: InferContext) -> TensorType:
    return TensorType(bool_, _replace_type(ctx).shape)


regex_full_match = OpDef(
    name="regex_full_match",
    tf="RegexFullMatch",
    family="host",
    args=("input", "pattern"),
    groups=(string, string),
    infer=_match_type,
    numpy=_full_match,
    nograd=NO_GRADIENT,
    samples=(sample(_WORDS, fixed(b"a.c", string), grad=False),),
)
