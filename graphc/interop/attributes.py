"""Values between graphc and TensorFlow's messages: tensors, shapes, attributes.

Lives here: TensorProto, TensorShapeProto, AttrValue to and from Python. Not here: which attributes
an op has (interop/node_rules.py). Imports messages and ir.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.interop.messages import AttrValue, TensorProto, TensorShapeProto
from graphc.ir.dtypes import DType, as_dtype, string
from graphc.ir.node import ConstValue
from graphc.ir.tensor_shape import TensorShape

Array = np.ndarray[Any, Any]

# attributes that only graphc reads: a value that AttrValue cannot say, as a Python literal
PRIVATE = "_graphc_"


# ------------------------------------------------------------------ shapes
def fill_shape(proto: TensorShapeProto, dims: Any) -> None:
    """Writes dimensions (None for an unknown rank) into a TensorShapeProto."""
    proto.Clear()
    proto.SetInParent()
    if dims is None:
        proto.unknown_rank = True
        return
    for dim in dims:
        proto.dim.add(size=int(dim) if isinstance(dim, int | np.integer) else -1)


def shape_of(proto: TensorShapeProto) -> Any:
    """A tuple of ints and None, or None for an unknown rank."""
    if proto.unknown_rank:
        return None
    return tuple(None if d.size < 0 else d.size for d in proto.dim)


# ------------------------------------------------------------------ tensors
_LISTS = {
    "float32": "float_val", "float64": "double_val", "int32": "int_val", "int16": "int_val",
    "int8": "int_val", "uint8": "int_val", "uint16": "int_val", "int64": "int64_val",
    "bool": "bool_val", "uint32": "uint32_val", "uint64": "uint64_val", "float16": "half_val",
    "bfloat16": "half_val", "complex64": "scomplex_val", "complex128": "dcomplex_val",
    "string": "string_val",
}  # fmt: skip


def tensor_proto(array: Any) -> TensorProto:
    """A TensorProto of an array; strings as string_val, all else as its bytes."""
    array = np.asarray(array)
    dtype = as_dtype(array.dtype)
    proto = TensorProto(dtype=dtype.as_datatype_enum)
    fill_shape(proto.tensor_shape, array.shape)
    if dtype is string:
        flat = array.reshape(-1)
        proto.string_val.extend(v.encode() if isinstance(v, str) else bytes(v) for v in flat)
    elif array.size == 1 and dtype.name in ("float32", "float64", "int32", "int64", "bool"):
        # a scalar as a number: that is how TensorFlow writes it, and it can be read as text
        getattr(proto, _LISTS[dtype.name]).append(array.reshape(-1)[0].item())
    else:
        order = array.dtype.newbyteorder("<")
        flat = np.ascontiguousarray(array).reshape(-1).astype(order, copy=False)
        proto.tensor_content = flat.view(np.uint8).tobytes()
    return proto


def array_of(proto: TensorProto) -> Array:
    """The array of a TensorProto (tf.make_ndarray).

    Raises:
        TypeError: a dtype that graphc does not have. InvalidArgumentError: data that does not fit.
    """
    dtype = as_dtype(proto.dtype)
    shape = tuple(d.size for d in proto.tensor_shape.dim)
    count = int(np.prod(shape, dtype=np.int64))
    if proto.tensor_content:
        flat = np.frombuffer(proto.tensor_content, np.uint8)
        if len(flat) != count * dtype.np.itemsize:
            raise InvalidArgumentError(f"TensorProto: {len(flat)} bytes do not fit shape {shape}")
        return flat.view(dtype.np.newbyteorder("<")).astype(dtype.np).reshape(shape)
    values = _listed(getattr(proto, _LISTS[dtype.name]), dtype)
    out = np.zeros(count, dtype.np)
    if dtype is string:
        out[:] = b""
    if len(values) > count:
        raise InvalidArgumentError(f"TensorProto: {len(values)} values do not fit shape {shape}")
    # fewer values than elements: the last one is repeated
    out[: len(values)] = values
    if len(values):
        out[len(values) :] = values[-1]
    return out.reshape(shape)


def _listed(values: Any, dtype: DType) -> Any:
    if dtype is string:
        out = np.empty(len(values), object)
        out[:] = values
        return out
    if dtype.is_half:
        return np.array(values, np.uint16).view(dtype.np)
    if dtype.is_complex:
        pairs = np.array(values).reshape(-1, 2)
        return (pairs[:, 0] + 1j * pairs[:, 1]).astype(dtype.np)
    return np.array(values, np.int64 if dtype.is_integer else None).astype(dtype.np)


# ------------------------------------------------------------------ attributes
def put(attrs: Any, name: str, value: Any) -> None:
    """Writes an attribute; what AttrValue cannot say becomes a private one."""
    if not _fill(attrs[name], value):
        del attrs[name]
        text = _literal(value)
        if text is not None:
            attrs[PRIVATE + name].s = text.encode()


def put_shape(attrs: Any, name: str, dims: Any) -> None:
    fill_shape(attrs[name].shape, dims)


def _fill(attr: AttrValue, value: Any) -> bool:
    """Whether the value has a field of AttrValue of its own."""
    if isinstance(value, bool | np.bool_):
        attr.b = bool(value)
    elif isinstance(value, DType):
        attr.type = value.as_datatype_enum
    elif isinstance(value, int | np.integer):
        attr.i = int(value)
    elif isinstance(value, float | np.floating):
        attr.f = float(value)
    elif isinstance(value, str | bytes):
        attr.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, ConstValue):
        attr.tensor.CopyFrom(tensor_proto(value.array))
    elif isinstance(value, TensorShape):
        fill_shape(attr.shape, value.dims_tuple)
    elif isinstance(value, tuple | list):
        return _fill_list(attr, list(value))
    else:
        return False
    return True


def _fill_list(attr: AttrValue, values: list[Any]) -> bool:
    attr.list.SetInParent()
    for kinds, field in (
        ((bool,), "b"), ((int, np.integer), "i"), ((float, np.floating), "f"),
        ((str, bytes), "s"), ((DType,), "type"),
    ):  # fmt: skip
        if all(isinstance(v, kinds) for v in values):
            done = [v.encode() if isinstance(v, str) else v for v in values]
            getattr(attr.list, field).extend(done)
            return True
    return False


def _literal(value: Any) -> str | None:
    """A Python literal of None, numbers, strings and nested tuples; None where there is none."""
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return text if same else None


def value_of(attr: AttrValue) -> Any:
    """The Python value of an attribute: numbers, str, DType, shapes and lists as tuples."""
    kind = attr.WhichOneof("value")
    if kind is None:
        return None
    raw = getattr(attr, kind)
    if kind == "s":
        return _text(raw)
    if kind == "f":
        return _shortest(raw)
    if kind == "type":
        return as_dtype(_no_ref(raw))
    if kind == "shape":
        return shape_of(raw)
    if kind == "tensor":
        return ConstValue(array_of(raw))
    if kind != "list":
        return raw
    for field, value in raw.ListFields():
        if field.name == "s":
            return tuple(_text(v) for v in value)
        if field.name == "type":
            return tuple(as_dtype(_no_ref(v)) for v in value)
        if field.name == "f":
            return tuple(_shortest(v) for v in value)
        if field.name == "shape":
            return tuple(shape_of(v) for v in value)
        return tuple(value)
    return ()


def private_value(attr: AttrValue) -> Any:
    return ast.literal_eval(attr.s.decode())


def _no_ref(number: int) -> int:
    return number - 100 if number > 100 else number


def _text(raw: bytes) -> Any:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _shortest(value: float) -> float:
    """0.001 rather than 0.0010000000474974513: attributes are float32 in files."""
    return float(str(np.float32(value)))
