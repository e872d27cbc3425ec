"""Strings that hold values, and files: tf.decode_raw, tf.decode_csv, tf.read_file and their kin.

Lives here: TF1's functions. Not here: the ops (ops/decoding.py, ops/files.py), examples
(tf1/parsing.py), images. Imports ops and ir.
"""

from __future__ import annotations

from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import as_dtype, float32, float64, int32, int64, string
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F

__all__ = [
    "decode_base64", "decode_compressed", "decode_csv", "decode_json_example", "decode_raw",
    "encode_base64", "matching_files", "parse_tensor", "read_file", "serialize_tensor",
    "write_file",
]  # fmt: skip


def decode_raw(
    input_bytes: Any = None,
    out_type: Any = None,
    little_endian: bool = True,
    name: str | None = None,
    bytes: Any = None,
) -> Tensor:
    """The bytes of strings as numbers (tf.decode_raw): shape (*strings, number of values).

    Args:
        little_endian: the order of the bytes of a number. bytes: old name of input_bytes.

    Raises:
        TypeError: no strings, or a dtype without bytes.
        InvalidArgumentError (when run): strings of several lengths, or of a length that is not a
            multiple of the dtype's size.
    """
    data = convert_to_tensor(bytes if input_bytes is None else input_bytes, string)
    dtype = as_dtype(out_type)
    if dtype is string:
        raise TypeError(
            "Value passed to parameter 'out_type' has DataType string not in list of allowed "
            "values: numbers and bool"
        )
    made: Tensor = F.decode_raw(data, out_type=dtype, little_endian=bool(little_endian), name=name)
    return made


def decode_csv(
    records: Any,
    record_defaults: Any,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    name: str | None = None,
    na_value: str = "",
    select_cols: Any = None,
) -> list[Tensor]:
    """Lines of CSV as one tensor a column (tf.decode_csv), each of the shape of `records`.

    Args:
        record_defaults: a column's value where a field is empty, or [] of a dtype where it must
            not be; it decides the dtype: float32, float64, int32, int64 or string.
        na_value: text that counts as empty. select_cols: numbers of the columns to keep.

    Raises:
        ValueError: columns that are not increasing, or of another number than the defaults.
        TypeError: a dtype that columns cannot have.
        InvalidArgumentError (when run): "Expect 3 fields but have 2 in record 0", "Field 0 is
            required but missing in record 0!", "Field 1 in record 0 is not a valid int32: x".
    """
    columns = tuple(int(c) for c in select_cols) if select_cols is not None else ()
    if any(a >= b for a, b in zip(columns, columns[1:], strict=False)):
        raise ValueError("select_cols is not strictly increasing.")
    if columns and columns[0] < 0:
        raise ValueError("select_cols contains negative values.")
    if columns and len(columns) != len(record_defaults):
        raise ValueError("Length of select_cols and record_defaults do not match.")
    if len(field_delim) != 1:
        raise ValueError("field_delim should be only 1 char")
    defaults = [convert_to_tensor(d, name=f"record_defaults_{k}") for k, d in
                enumerate(record_defaults)]  # fmt: skip
    for tensor in defaults:
        if tensor.dtype not in (float32, float64, int32, int64, string):
            raise TypeError(
                f"Value passed to parameter 'record_defaults' has DataType {tensor.dtype.name} "
                "not in list of allowed values: float32, float64, int32, int64, string"
            )
    node = F.decode_csv.node(
        convert_to_tensor(records, string, "records"),
        *defaults,
        dtypes=tuple(t.dtype for t in defaults),
        field_delim=field_delim,
        use_quote_delim=bool(use_quote_delim),
        na_value=na_value,
        select_cols=columns,
        name=name,
    )
    return list(node.outputs)


# ------------------------------------------------------------------ base64, compression
def encode_base64(input: Any, pad: bool = False, name: str | None = None) -> Tensor:
    """Each string in web-safe base64 (tf.encode_base64), with '=' at the end if `pad`."""
    made: Tensor = F.encode_base64(input, pad=bool(pad), name=name)
    return made


def decode_base64(input: Any, name: str | None = None) -> Tensor:
    """Each string from web-safe base64 (tf.decode_base64), with or without '=' at the end.

    Raises:
        InvalidArgumentError (when run): a character or length that base64 does not have.
    """
    made: Tensor = F.decode_base64(input, name=name)
    return made


def decode_compressed(
    bytes: Any, compression_type: str = "", name: str | None = None
) -> Tensor:
    """Each string decompressed (tf.decode_compressed): "", "ZLIB" or "GZIP".

    Raises:
        InvalidArgumentError: another compression. DataLossError (when run): damaged data.
    """
    if compression_type not in ("", "ZLIB", "GZIP"):
        raise InvalidArgumentError(
            f"Only ZLIB, GZIP or NONE are supported compressions, got {compression_type!r}"
        )
    made: Tensor = F.decode_compressed(bytes, compression_type=compression_type, name=name)
    return made


# ------------------------------------------------------------------ messages
def parse_tensor(serialized: Any, out_type: Any, name: str | None = None) -> Tensor:
    """The tensor of a serialized TensorProto (tf.parse_tensor), of unknown shape.

    Raises:
        InvalidArgumentError (when run): no TensorProto, or one of another dtype.
    """
    made: Tensor = F.parse_tensor(serialized, out_type=as_dtype(out_type), name=name)
    return made


def serialize_tensor(tensor: Any, name: str | None = None) -> Tensor:
    """The tensor as a serialized TensorProto (tf.io.serialize_tensor)."""
    made: Tensor = F.serialize_tensor(tensor, name=name)
    return made


def decode_json_example(json_examples: Any, name: str | None = None) -> Tensor:
    """Examples written as JSON as serialized Examples (tf.decode_json_example).

    Raises:
        InvalidArgumentError (when run): "Error while parsing JSON: ..."
    """
    made: Tensor = F.decode_json_example(json_examples, name=name)
    return made


# ------------------------------------------------------------------ files
def read_file(filename: Any, name: str | None = None) -> Tensor:
    """The whole of a file as a string (tf.read_file); read anew in each run.

    Raises:
        NotFoundError (when run): "... No such file or directory"
    """
    made: Tensor = F.read_file(filename, name=name)
    return made


def write_file(filename: Any, contents: Any, name: str | None = None) -> Node:
    """An op that writes a string to a file (tf.write_file), making its folders.

    Raises:
        PermissionDeniedError (when run): the file may not be written.
    """
    made: Node = F.write_file.node(filename, contents, name=name)
    return made


def matching_files(pattern: Any, name: str | None = None) -> Tensor:
    """The names of the files that match a pattern or several, sorted (tf.matching_files)."""
    made: Tensor = F.matching_files(pattern, name=name)
    return made
