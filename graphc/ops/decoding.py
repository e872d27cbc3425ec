"""Strings that hold values: raw bytes, lines of CSV, base64, compressed data, serialized tensors.

Lives here: decode_raw, decode_csv, decode_base64, encode_base64, decode_compressed, parse_tensor,
serialize_tensor. Not here: examples (ops/parsing.py), images. Imports ops.define.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import DataLossError, InvalidArgumentError
from graphc.ir.dtypes import (
    ALL,
    DType,
    as_dtype,
    float32,
    float64,
    int32,
    int64,
    string,
    uint8,
    uint16,
)
from graphc.ir.node import TensorType
from graphc.ops.csv_fields import fields_of
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import Sample, fixed, sample
from graphc.ops.text_numbers import each, parse_number

Array = np.ndarray[Any, Any]

NO_GRADIENT = "strings have no gradient"
RAW = tuple(d for d in ALL if d is not string and d.name != "bfloat16")


# ------------------------------------------------------------------ raw bytes
def _decode_raw(data: Array, out_type: DType, little_endian: bool) -> Array:
    items = data.reshape(-1).tolist()
    size = len(items[0]) if items else 0
    for k, item in enumerate(items):
        if len(item) != size:
            raise InvalidArgumentError(
                f"DecodeRaw requires input strings to all be the same size, but element {k} has "
                f"size {size} != {len(item)}"
            )
    if size % out_type.np.itemsize:
        raise InvalidArgumentError(
            f"Input to DecodeRaw has length {size} that is not a multiple of "
            f"{out_type.np.itemsize}, the size of {out_type.tf_name}"
        )
    kind = out_type.np.newbyteorder("<" if little_endian else ">")
    flat = np.frombuffer(b"".join(items), kind)
    # booleans are any bytes but 0
    whole = flat.view(np.uint8) != 0 if out_type.is_bool else flat.astype(out_type.np)
    return whole.reshape(*data.shape, size // out_type.np.itemsize)


def _raw_type(ctx: InferContext) -> TensorType:
    shape = ctx.shape(0)
    return TensorType(ctx.attrs["out_type"], None if shape is None else (*shape, None))


decode_raw = OpDef(
    name="decode_raw",
    tf="DecodeRaw",
    family="host",
    args=("bytes",),
    groups=(string,),
    infer=_raw_type,
    numpy=_decode_raw,
    nograd=NO_GRADIENT,
    data_dependent=True,
    samples=(
        sample(fixed(b"abcdefgh", string), out_type=float32, little_endian=True, grad=False),
        sample(
            fixed([b"ab", b"cd"], string), out_type=uint16, little_endian=False, grad=False
        ),
        sample(fixed([b"ab", b"cd"], string), out_type=uint8, little_endian=True, grad=False),
    ),
)


# ------------------------------------------------------------------ CSV
def _decode_csv(
    records: Array,
    *defaults: Array,
    dtypes: tuple[DType, ...],
    field_delim: str,
    use_quote_delim: bool,
    na_value: str,
    select_cols: tuple[int, ...],
) -> tuple[Array, ...]:
    columns: list[Array] = [np.empty(records.size, d.np) for d in dtypes]
    delim, missing = field_delim.encode(), na_value.encode()
    for k, record in enumerate(records.reshape(-1).tolist()):
        fields = fields_of(record, delim, use_quote_delim, select_cols)
        if len(fields) != len(dtypes):
            raise InvalidArgumentError(
                f"Expect {len(dtypes)} fields but have {len(fields)} in record {k}"
            )
        for f, (field, dtype) in enumerate(zip(fields, dtypes, strict=True)):
            columns[f][k] = _csv_value(field, dtype, defaults[f], missing, f, k)
    return tuple(c.reshape(records.shape) for c in columns)


def _csv_value(field: bytes, dtype: DType, default: Array, missing: bytes, f: int, k: int) -> Any:
    if not field or field == missing:
        if default.size != 1:
            raise InvalidArgumentError(f"Field {f} is required but missing in record {k}!")
        return default.reshape(-1)[0]
    if dtype is string:
        return field
    value = parse_number(field, dtype)
    if value is None:
        shown = field.decode("utf-8", "backslashreplace")
        raise InvalidArgumentError(
            f"Field {f} in record {k} is not a valid {dtype.tf_name}: {shown}"
        )
    return value


def _csv_types(ctx: InferContext) -> list[TensorType]:
    for default in ctx.inputs[1:]:
        dims = default.dims or ()
        if len(dims) > 1 or any(isinstance(d, int) and d > 1 for d in dims):
            raise ctx.fail(
                "Shape of a default must be a length-0 or length-1 vector, or a scalar."
            )
    return [TensorType(d, ctx.shape(0)) for d in ctx.attrs["dtypes"]]


decode_csv = OpDef(
    name="decode_csv",
    tf="DecodeCSV",
    family="host",
    args=("records", "*record_defaults"),
    groups=(string, "*"),
    infer=_csv_types,
    numpy=_decode_csv,
    nograd=NO_GRADIENT,
    samples=(
        Sample(
            (
                fixed([b"1,x,2.5", b'4,"y,""z""",'], string), fixed([], int32),
                fixed([b"-"], string), fixed([0.5], float64),
            ),
            {
                "dtypes": (int32, string, float64), "field_delim": ",", "use_quote_delim": True,
                "na_value": "", "select_cols": (),
            },
            grad=False,
        ),
        Sample(
            (fixed([b"a|7|NA", b"b|8|9"], string), fixed([1], int64)),
            {
                "dtypes": (int64,), "field_delim": "|", "use_quote_delim": False,
                "na_value": "NA", "select_cols": (2,),
            },
            grad=False,
        ),
    ),
)  # fmt: skip


# ------------------------------------------------------------------ base64
def _encode_base64(x: Array, pad: bool) -> Array:
    def one(item: bytes) -> bytes:
        text = base64.urlsafe_b64encode(item)
        return text if pad else text.rstrip(b"=")

    return each(one, x)


_WEB_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def _decode_base64(x: Array) -> Array:
    def one(item: bytes) -> bytes:
        text = item.rstrip(b"=")
        padding = len(item) - len(text)
        if len(item) % 4 == 1 or len(text) % 4 == 1:
            raise InvalidArgumentError("Base64 string length cannot be 1 modulo 4.")
        if padding > 2 or (padding and len(item) % 4) or not _WEB_SAFE.issuperset(text):
            raise InvalidArgumentError("Invalid character found in base64.")
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))

    return each(one, x)


encode_base64 = OpDef(
    name="encode_base64",
    tf="EncodeBase64",
    family="host",
    args=("input",),
    groups=(string,),
    infer=lambda ctx: TensorType(string, ctx.shape(0)),
    numpy=_encode_base64,
    nograd=NO_GRADIENT,
    samples=(
        sample(fixed([b"", b"a", b"\xff\xfe>"], string), pad=False, grad=False),
        sample(fixed([[b"a"], [b"ab"]], string), pad=True, grad=False),
    ),
)

decode_base64 = OpDef(
    name="decode_base64",
    tf="DecodeBase64",
    family="host",
    args=("input",),
    groups=(string,),
    infer=lambda ctx: TensorType(string, ctx.shape(0)),
    numpy=_decode_base64,
    nograd=NO_GRADIENT,
    samples=(sample(fixed([b"", b"YQ", b"YWI="], string), grad=False),),
)


# ------------------------------------------------------------------ compressed
def _decode_compressed(x: Array, compression_type: str) -> Array:
    bits = {"ZLIB": zlib.MAX_WBITS, "GZIP": zlib.MAX_WBITS + 16}.get(compression_type)

    def one(item: bytes) -> bytes:
        if bits is None:
            return item
        try:
            return zlib.decompress(item, bits)
        except zlib.error as err:
            raise DataLossError(f"inflate() failed: {err}") from None

    return each(one, x)


decode_compressed = OpDef(
    name="decode_compressed",
    tf="DecodeCompressed",
    family="host",
    args=("bytes",),
    groups=(string,),
    infer=lambda ctx: TensorType(string, ctx.shape(0)),
    numpy=_decode_compressed,
    nograd=NO_GRADIENT,
    samples=(
        sample(fixed([zlib.compress(b"data")], string), compression_type="ZLIB", grad=False),
        sample(fixed([b"data"], string), compression_type="", grad=False),
    ),
)


# ------------------------------------------------------------------ serialized tensors
def _parse_tensor(serialized: Array, out_type: DType) -> Array:
    from graphc.interop.attributes import array_of
    from graphc.interop.messages import TensorProto
    from graphc.interop.wire import DecodeError

    try:
        proto = TensorProto.FromString(serialized.item())
        found = as_dtype(proto.dtype)
        array = array_of(proto)
    except (DecodeError, TypeError, ValueError):
        shown = serialized.item()[:100].decode("utf-8", "backslashreplace")
        raise InvalidArgumentError(
            f"Could not parse `serialized` as TensorProto, contents: '{shown}'"
        ) from None
    if found is not out_type:
        raise InvalidArgumentError(
            f"Type mismatch between parsed tensor ({found.tf_name}) and dtype "
            f"({out_type.tf_name})"
        )
    return array


def _scalar(ctx: InferContext, types: Sequence[TensorType]) -> list[TensorType]:
    if ctx.rank(0) not in (None, 0):
        raise ctx.fail(f"Shape must be rank 0 but is rank {ctx.rank(0)}")
    return list(types)


parse_tensor = OpDef(
    name="parse_tensor",
    tf="ParseTensor",
    family="host",
    args=("serialized",),
    groups=(string,),
    infer=lambda ctx: _scalar(ctx, [TensorType(ctx.attrs["out_type"], None)]),
    numpy=_parse_tensor,
    nograd=NO_GRADIENT,
    data_dependent=True,
    samples=(
        # a TensorProto: int32, shape [2], int_val 1, 2
        sample(
            fixed(b"\x08\x03\x12\x04\x12\x02\x08\x02:\x02\x01\x02", string),
            out_type=int32,
            grad=False,
        ),
    ),
)


def _serialize_tensor(tensor: Array) -> Array:
    from graphc.interop.attributes import fill_shape, tensor_proto
    from graphc.interop.messages import TensorProto

    out = np.empty((), object)
    if tensor.dtype.hasobject:
        out[()] = tensor_proto(tensor).SerializeToString()
        return out
    proto = TensorProto(dtype=as_dtype(tensor.dtype).as_datatype_enum)
    fill_shape(proto.tensor_shape, tensor.shape)
    # TensorFlow sets the shape of a scalar, too
    proto.tensor_shape.SetInParent()
    proto.tensor_content = tensor.astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes()
    out[()] = proto.SerializeToString()
    return out


serialize_tensor = OpDef(
    name="serialize_tensor",
    tf="SerializeTensor",
    family="host",
    args=("tensor",),
    infer=lambda ctx: TensorType(string, ()),
    numpy=_serialize_tensor,
    nograd=NO_GRADIENT,
    samples=(sample(fixed([[1, 2]]), grad=False),),
)
