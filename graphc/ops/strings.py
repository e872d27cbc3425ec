"""Ops on the strings of a tensor: length, case, parts, joins, to and from numbers.

Lives here: those records. Not here: splitting (ops/string_split.py), regular expressions
(ops/regex.py), code points (ops/unicode.py), hashes (ops/hashing.py). Imports ops.define.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import (
    COMPLEX,
    FLOAT,
    INT,
    DType,
    as_dtype,
    bool_,
    float32,
    float64,
    int32,
    int64,
    string,
)
from graphc.ir.node import TensorType
from graphc.ir.shape import Shape, bracket_text, broadcast_shapes, dims_equal
from graphc.ops.define import InferContext, OpDef, reduced_shape
from graphc.ops.samples import arg, bools, fixed, sample
from graphc.ops.text_numbers import each, parse_number

Array = np.ndarray[Any, Any]
NO_GRADIENT = "strings have no gradient"
_WORDS = fixed([[b" One ", b"tWo"], [b"", b"gr\xc3\xb6\xc3\x9fe"]], string)


def _by_element(
    name: str, tf: str, fn: Callable[..., Any], out: DType = string, **attrs: Any
) -> OpDef:
    """An op on each string: fn(bytes, **attributes)."""
    return OpDef(
        name=name, tf=tf, family="host", args=("input",), groups=(string,),
        infer=lambda ctx: TensorType(out, ctx.shape(0)),
        numpy=lambda x, **kw: each(lambda s: fn(s, **kw), x, out.np),
        nograd=NO_GRADIENT, samples=(sample(_WORDS, grad=False, **attrs),),
    )  # fmt: skip


def text_of(data: bytes) -> str:
    """UTF-8 as characters; bytes that are none stay what they are."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """The other way."""
    return text.encode("utf-8", "surrogateescape")


# ------------------------------------------------------------------ of one string
def _length(s: bytes, unit: str) -> int:
    if unit == "BYTE":
        return len(s)
    return sum(1 for b in s if b & 0xC0 != 0x80)


def _lower(s: bytes, encoding: str) -> bytes:
    return bytes_of(text_of(s).lower()) if encoding else s.lower()


def _upper(s: bytes, encoding: str) -> bytes:
    return bytes_of(text_of(s).upper()) if encoding else s.upper()


string_length = _by_element("string_length", "StringLength", _length, int32, unit="UTF8_CHAR")
string_lower = _by_element("string_lower", "StringLower", _lower, encoding="utf-8")
string_upper = _by_element("string_upper", "StringUpper", _upper, encoding="")
string_strip = _by_element("string_strip", "StringStrip", lambda s: s.strip(b" \t\n\v\f\r"))


# ------------------------------------------------------------------ parts
def _substr(x: Array, pos: Array, length: Array, unit: str) -> Array:
    items, starts, sizes = np.broadcast_arrays(x, pos, length)
    out = np.empty(items.shape, object)
    for k, (at, item) in enumerate(np.ndenumerate(items)):
        out[at] = _part(item, int(starts[at]), int(sizes[at]), unit, k)
    return out


def _part(item: bytes, pos: int, length: int, unit: str, index: int) -> bytes:
    text: Any = item if unit == "BYTE" else text_of(item)
    start = pos + len(text) if pos < 0 else pos
    if not 0 <= start <= len(text):
        shown = f"b'{item.decode('utf-8', 'backslashreplace')}' " if unit == "BYTE" else ""
        raise InvalidArgumentError(f"pos {pos} out of range for string {shown}at index {index}")
    found = text[start:] if length < 0 else text[start : start + length]
    return found if unit == "BYTE" else bytes_of(found)


def _substr_type(ctx: InferContext) -> TensorType:
    pos, length = ctx.shape(1), ctx.shape(2)
    if pos is not None and length is not None and len(pos) != len(length):
        raise ctx.fail(
            f"pos and len should have the same rank, got {bracket_text(pos)} and "
            f"{bracket_text(length)}"
        )
    return TensorType(string, ctx.broadcast())


substr = OpDef(
    name="substr",
    tf="Substr",
    family="host",
    args=("input", "pos", "len"),
    groups=(string, "T", "T"),
    dtypes={"T": (int32, int64)},
    infer=_substr_type,
    numpy=_substr,
    nograd=NO_GRADIENT,
    samples=(
        sample(fixed([b"hello", b"world"], string), fixed(1), fixed(3), unit="BYTE", grad=False),
        sample(
            fixed([b"hello", b"w\xc3\xb6rld"], string), fixed([-3, 1]), fixed([2, 9]),
            unit="UTF8_CHAR", grad=False,
        ),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ joins
def _join(*parts: Array, separator: str) -> Array:
    full = next((p.shape for p in parts if p.ndim), ())
    for part in parts:
        if part.ndim and part.shape != full:
            raise InvalidArgumentError(
                f"Input shapes do not match: {bracket_text(full)} vs. {bracket_text(part.shape)}"
            )
    between = separator.encode()
    spread: Any = np.broadcast_arrays(*parts)
    out = np.empty(full, object)
    for at in np.ndindex(full):
        out[at] = between.join([p[at] for p in spread])
    return out


def _join_type(ctx: InferContext) -> TensorType:
    if any(t.rank is None for t in ctx.inputs):
        return TensorType(string, None)
    shapes = [t.dims for t in ctx.inputs if t.rank]
    out: Shape = shapes[0] if shapes else ()
    for dims in shapes[1:]:
        assert dims is not None and out is not None
        apart = len(dims) != len(out) or any(
            dims_equal(a, b) is False for a, b in zip(out, dims, strict=False)
        )
        if apart:
            raise ctx.fail(
                f"Dimensions of strings must be equal, but the shapes are {bracket_text(out)} "
                f"and {bracket_text(dims)}"
            )
        out = broadcast_shapes(out, dims)
    return TensorType(string, out)


string_join = OpDef(
    name="string_join",
    tf="StringJoin",
    family="host",
    args=("*inputs",),
    groups=(string,),
    infer=_join_type,
    numpy=_join,
    nograd=NO_GRADIENT,
    samples=(
        sample(
            fixed([b"a", b"b"], string), fixed(b"x", string), fixed([b"c", b""], string),
            separator="-", grad=False,
        ),
        sample(fixed(b"a", string), separator="-", grad=False),
    ),
)  # fmt: skip


def _reduce_join(
    x: Array, axes: tuple[int, ...] | None, keepdims: bool, separator: str
) -> Array:
    between = separator.encode()
    # the last axis first, as if the rows of a matrix were joined and then their results
    order = tuple(range(x.ndim - 1, -1, -1)) if axes is None else axes
    for axis in order:
        moved = np.moveaxis(x, axis, -1)
        joined = np.empty(moved.shape[:-1], object)
        for at in np.ndindex(joined.shape):
            joined[at] = between.join(moved[at].tolist())
        x = np.expand_dims(joined, axis % x.ndim)
    if keepdims or not order:
        return x
    gone = {a % x.ndim for a in order}
    return x.reshape([d for k, d in enumerate(x.shape) if k not in gone])


def _reduce_join_type(ctx: InferContext) -> TensorType:
    axes, rank = ctx.attrs["axes"], ctx.rank(0)
    if axes is not None and rank is not None:
        for axis in axes:
            if not -rank <= axis < rank:
                raise ctx.fail(
                    f"Invalid reduction dimension {axis} for input with {rank} dimensions."
                )
        if len({a % rank for a in axes}) < len(axes):
            twice = next(a for k, a in enumerate(axes) if a % rank in {b % rank for b in axes[:k]})
            raise ctx.fail(f"Duplicate reduction dimension {twice}")
    if axes == ():
        return TensorType(string, ctx.shape(0))
    return TensorType(string, reduced_shape(ctx.shape(0), axes, ctx.attrs["keepdims"]))


_TABLE = fixed([[b"a", b"b", b"c"], [b"d", b"e", b"f"]], string)

reduce_join = OpDef(
    name="reduce_join",
    tf="ReduceJoin",
    family="host",
    args=("inputs",),
    groups=(string,),
    infer=_reduce_join_type,
    numpy=_reduce_join,
    nograd=NO_GRADIENT,
    samples=(
        sample(_TABLE, axes=None, keepdims=False, separator="", grad=False),
        sample(_TABLE, axes=(0,), keepdims=True, separator="-", grad=False),
        sample(_TABLE, axes=(0, -1), keepdims=False, separator="", grad=False),
    ),
)


# ------------------------------------------------------------------ numbers
def _to_number(x: Array, out_type: DType) -> Array:
    def one(item: bytes) -> Any:
        value = parse_number(item, out_type)
        if value is None:
            shown = item.decode("utf-8", "backslashreplace")
            raise InvalidArgumentError(
                f"StringToNumberOp could not correctly convert string: {shown}"
            )
        return value

    return each(one, x, out_type.np)


string_to_number = OpDef(
    name="string_to_number",
    tf="StringToNumber",
    family="host",
    args=("string_tensor",),
    groups=(string,),
    infer=lambda ctx: TensorType(ctx.attrs["out_type"], ctx.shape(0)),
    numpy=_to_number,
    nograd=NO_GRADIENT,
    samples=(
        sample(fixed([b"1.5", b" -2e3 ", b"inf"], string), out_type=float32, grad=False),
        sample(fixed([b"7", b"-8"], string), out_type=int64, grad=False),
    ),
)


def printf_form(
    dtype: DType, precision: int, scientific: bool, shortest: bool, width: int, fill: str
) -> str:
    """C's format of these options: "%08.2f".

    Raises:
        InvalidArgumentError: options that do not go together, or not with the dtype.
    """
    real = dtype.is_floating or dtype.is_complex
    if len(fill) > 1:
        raise InvalidArgumentError("Fill string must be one or fewer characters")
    if fill not in ("", " ", "+", "-", "0", "#"):
        raise InvalidArgumentError(f"Fill argument not supported: {fill}")
    if scientific and shortest:
        raise InvalidArgumentError("Cannot select both scientific and shortest notation")
    for given, what in (
        (precision > -1, "precision"),
        (scientific, "scientific format"),
        (shortest, "shortest format"),
    ):
        if given and not real:
            raise InvalidArgumentError(f"{what} not supported for datatype {dtype.tf_name}")
    form = "%" + fill
    if width > -1:
        form += str(width)
    if precision > -1:
        form += f".{precision}"
    if real:
        return form + ("e" if scientific else "g" if shortest else "f")
    return form + ("d" if dtype.is_integer else "s")


def _as_string(
    x: Array,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
) -> Array:
    kind = x.dtype.kind
    if kind == "O":
        return x
    form = printf_form(as_dtype(x.dtype), precision, scientific, shortest, width, fill)
    if kind == "b":
        return each(lambda v: (form % ("true" if v else "false")).encode(), x)
    if kind == "c":
        return each(lambda v: f"({form % v.real},{form % v.imag})".encode(), x)
    if kind in "iu":
        return each(lambda v: (form % v).encode(), x)
    return each(lambda v: (_real_form(form, v) % v).encode(), x.astype(np.float64))


def _real_form(form: str, value: float) -> str:
    # C does not fill infinities and NaN with zeros
    return form if math.isfinite(value) else form.replace("%0", "%")


as_string = OpDef(
    name="as_string",
    tf="AsString",
    family="host",
    args=("input",),
    dtypes={"T": (*FLOAT, *INT, bool_, string, *COMPLEX)},
    infer=lambda ctx: TensorType(string, ctx.shape(0)),
    numpy=_as_string,
    nograd=NO_GRADIENT,
    samples=(
        sample(arg((2, 3)), precision=2, grad=False, dtypes=FLOAT),
        sample(fixed([1, -22]), width=5, fill="0", grad=False, dtypes=INT),
        sample(arg((3,), bools()), grad=False, dtypes=(bool_,)),
    ),
)


# ------------------------------------------------------------------ format
def _shown(value: Any, dtype: DType) -> str:
    if dtype is string:
        return '"' + value.decode("utf-8", "backslashreplace") + '"'
    if dtype.is_bool:
        return str(int(value))
    if dtype.is_floating:
        digits = ("%.15g", "%.17g") if dtype is float64 else ("%.6g", "%.9g")
        short = digits[0] % value
        return short if dtype.np.type(short) == value or value != value else digits[1] % value
    return str(value)


def _block(values: Any, dtype: DType, ends: int, depth: int, rank: int) -> str:
    """Nested brackets; of long rows `ends` entries at either end."""
    if depth == rank:
        return _shown(values, dtype)
    rest = rank - depth - 1
    space = " " if rest == 0 else "\n" * rest + " " * (depth + 1)
    n = len(values)
    few = ends < 0 or n <= 2 * ends
    rows = list(range(n)) if few else [*range(ends), *range(n - ends, n)]
    texts = [_block(values[k], dtype, ends, depth + 1, rank) for k in rows]
    if not few:
        texts.insert(ends, "...")
    return "[" + space.join(texts) + "]"


def _format(*inputs: Array, template: str, placeholder: str, summarize: int) -> Array:
    parts = template.split(placeholder)
    out = [parts[0]]
    for array, part in zip(inputs, parts[1:], strict=True):
        values = array if array.ndim else array[()]
        out += [_block(values, as_dtype(array.dtype), summarize, 0, array.ndim), part]
    made = np.empty((), object)
    made[()] = "".join(out).encode()
    return made


string_format = OpDef(
    name="string_format",
    tf="StringFormat",
    family="host",
    args=("*inputs",),
    groups=("*",),
    infer=lambda ctx: TensorType(string, ()),
    numpy=_format,
    nograd=NO_GRADIENT,
    samples=(
        sample(
            fixed([[1, 2], [3, 4]], int32), fixed(0.5, float32), template="{} and {}",
            placeholder="{}", summarize=3, grad=False,
        ),
    ),
)  # fmt: skip
