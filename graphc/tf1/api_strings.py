"""Strings: tf.string_split, tf.string_join, tf.as_string, hashes and the rest of tf.strings.

Lives here: TF1's functions. Not here: the ops (ops/strings.py, string_split.py, regex.py,
hashing.py), code points (tf1/api_unicode.py). Imports ops and ir.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import (
    as_dtype,
    float32,
    float64,
    int32,
    int64,
    string,
    uint32,
    uint64,
)
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.strings import printf_form
from graphc.ops.values import value_of

__all__ = [
    "as_string", "bytes_split", "format", "join", "length", "lower", "reduce_join",
    "reduce_join_v2", "regex_full_match", "regex_replace", "split", "string_join",
    "string_length", "string_split", "string_strip", "string_to_hash_bucket",
    "string_to_hash_bucket_fast", "string_to_hash_bucket_strong", "string_to_number", "substr",
    "to_hash_bucket", "to_hash_bucket_fast", "to_hash_bucket_strong", "upper",
]  # fmt: skip


# ------------------------------------------------------------------ of one string
def string_length(input: Any, name: str | None = None, unit: str = "BYTE") -> Tensor:
    """The number of bytes of each string, or of characters with unit "UTF8_CHAR": int32."""
    made: Tensor = F.string_length(input, unit=_unit(unit, "StringLength"), name=name)
    return made


length = string_length


def _unit(unit: str, op: str) -> str:
    if unit not in ("BYTE", "UTF8_CHAR"):
        raise ValueError(
            f"Attr 'unit' of '{op}' Op passed string '{unit}' not in: \"BYTE\", \"UTF8_CHAR\"."
        )
    return unit


def lower(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    """Lower case: of ASCII letters, or of all with encoding "utf-8" (tf.strings.lower)."""
    made: Tensor = F.string_lower(input, encoding=_encoding(encoding), name=name)
    return made


def upper(input: Any, encoding: str = "", name: str | None = None) -> Tensor:
    """Upper case: of ASCII letters, or of all with encoding "utf-8" (tf.strings.upper)."""
    made: Tensor = F.string_upper(input, encoding=_encoding(encoding), name=name)
    return made


def _encoding(encoding: str) -> str:
    if encoding not in ("", "utf-8"):
        raise InvalidArgumentError(
            f"only utf-8 or '' (no encoding) is supported, received {encoding}"
        )
    return encoding


def string_strip(input: Any, name: str | None = None) -> Tensor:
    """Each string without the blanks at its ends (tf.string_strip)."""
    made: Tensor = F.string_strip(input, name=name)
    return made


def substr(
    input: Any, pos: Any, len: Any, name: str | None = None, unit: str = "BYTE"
) -> Tensor:
    """`len` bytes or characters of each string from `pos` on (tf.substr); they broadcast.

    A negative `pos` counts from the end; what is behind the end is left out.

    Raises:
        InvalidArgumentError (when run): "pos 10 out of range for string b'hello' at index 0".
    """
    made: Tensor = F.substr(input, pos, len, unit=_unit(unit, "Substr"), name=name)
    return made


# ------------------------------------------------------------------ joins and splits
def string_join(inputs: Sequence[Any], separator: str = "", name: str | None = None) -> Tensor:
    """Corresponding strings one behind the other (tf.string_join); scalars go to each.

    Raises:
        ValueError: tensors of several shapes.
    """
    made: Tensor = F.string_join(*inputs, separator=separator, name=name)
    return made


join = string_join


def reduce_join(
    inputs: Any,
    axis: Any = None,
    keep_dims: bool | None = None,
    separator: str = "",
    name: str | None = None,
    reduction_indices: Any = None,
    keepdims: bool | None = None,
) -> Tensor:
    """The strings along axes joined (tf.reduce_join): the first of the axes first.

    Args:
        axis: by default all, from the last to the first; [] joins nothing.

    Raises:
        ValueError: "Invalid reduction dimension ...", an axis twice, or not known in advance.
    """
    wanted = reduction_indices if axis is None else axis
    kept = bool(keep_dims if keepdims is None else keepdims)
    data = convert_to_tensor(inputs, string, "inputs")
    axes = _axes(wanted)
    if axes is None and data.rank is not None:
        axes = tuple(range(data.rank - 1, -1, -1))
    made: Tensor = F.reduce_join(
        data, axes=axes, keepdims=kept, separator=separator, name=name
    )
    return made


def _axes(axis: Any) -> tuple[int, ...] | None:
    if axis is None:
        return None
    if isinstance(axis, Tensor):
        known = value_of(axis)
        if known is None:
            raise ValueError(f"the axes of reduce_join must be known in advance, got {axis}")
        axis = known.tolist()
    return tuple(int(a) for a in axis) if isinstance(axis, list | tuple | range) else (int(axis),)


def reduce_join_v2(
    inputs: Any,
    axis: Any = None,
    keepdims: bool = False,
    separator: str = "",
    name: str | None = None,
) -> Tensor:
    """tf.strings.reduce_join: as tf.reduce_join."""
    return reduce_join(inputs, axis, keepdims, separator, name)


def string_split(
    source: Any = None,
    sep: Any = None,
    skip_empty: bool = True,
    delimiter: Any = None,
    result_type: str = "SparseTensor",
    name: str | None = None,
) -> Any:
    """Each string of a vector split at each of some characters (tf.string_split).

    Args:
        sep, delimiter: the characters, by default a blank; "" splits into bytes.
        skip_empty: leaves out empty parts.

    Returns:
        A SparseTensor of shape [strings, most parts].

    Raises:
        ValueError: no vector, or ragged results, which graphc does not have.
    """
    from graphc.tf1.sparse_tensor import SparseTensor

    _sparse_only(result_type)
    mark = delimiter if delimiter is not None else " " if sep is None else sep
    with get_default_graph().name_scope(name or "StringSplit"):
        parts = F.string_split(
            convert_to_tensor(source, string, "source"), mark, skip_empty=bool(skip_empty)
        )
        return SparseTensor(*parts)


def split(
    input: Any = None,
    sep: Any = None,
    maxsplit: int = -1,
    result_type: str = "SparseTensor",
    source: Any = None,
    name: str | None = None,
) -> Any:
    """Each string of a vector split as Python's str.split does (tf.strings.split).

    Args:
        sep: a string of any length; by default runs of blanks. source: old name of input.

    Returns:
        A SparseTensor of shape [strings, most parts]; of one row for a scalar.

    Raises:
        ValueError: ragged results, which graphc does not have.
    """
    from graphc.tf1.sparse_tensor import SparseTensor

    _sparse_only(result_type)
    with get_default_graph().name_scope(name or "StringSplit"):
        data = convert_to_tensor(source if input is None else input, string, "source")
        if data.rank == 0:
            data = F.expand_dims(data, axis=0)
        parts = F.string_split_v2(data, "" if sep is None else sep, maxsplit=int(maxsplit))
        return SparseTensor(*parts)


def _sparse_only(result_type: str) -> None:
    if result_type != "SparseTensor":
        raise ValueError(
            f"graphc has no RaggedTensor: result_type must be 'SparseTensor', got {result_type!r}"
        )


def bytes_split(input: Any, name: str | None = None) -> Tensor:
    """The bytes of a string as a vector of strings (tf.strings.bytes_split), of a scalar only."""
    made: Tensor = F.string_bytes_split(input, name=name)
    return made


# ------------------------------------------------------------------ expressions
def regex_replace(
    input: Any,
    pattern: Any,
    rewrite: Any,
    replace_global: bool = True,
    name: str | None = None,
) -> Tensor:
    r"""What matches an expression replaced in each string (tf.regex_replace).

    Args:
        rewrite: \0 stands for all that matched, \1 to \9 for the groups.
        replace_global: all matches, else the first.

    Raises:
        InvalidArgumentError (when run): "Invalid pattern: ...".
    """
    made: Tensor = F.regex_replace(
        input, pattern, rewrite, replace_global=bool(replace_global), name=name
    )
    return made


def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Tensor:
    """Whether the whole of each string matches an expression (tf.strings.regex_full_match).

    Raises:
        InvalidArgumentError (when run): "Invalid pattern: ...".
    """
    made: Tensor = F.regex_full_match(input, pattern, name=name)
    return made


# ------------------------------------------------------------------ numbers
def string_to_number(
    string_tensor: Any = None,
    out_type: Any = float32,
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The number that each string says (tf.string_to_number).

    Raises:
        TypeError: a dtype that is neither float32, float64, int32 nor int64.
        InvalidArgumentError (when run): "StringToNumberOp could not correctly convert string: a".
    """
    dtype = as_dtype(out_type)
    if dtype not in (float32, float64, int32, int64, uint32, uint64):
        raise TypeError(
            f"Value passed to parameter 'out_type' has DataType {dtype.name} not in list of "
            "allowed values: float32, float64, int32, int64, uint32, uint64"
        )
    data = input if string_tensor is None else string_tensor
    made: Tensor = F.string_to_number(data, out_type=dtype, name=name)
    return made


def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> Tensor:
    """Each element as text (tf.as_string), as C's printf writes it.

    Args:
        precision: digits behind the point. scientific, shortest: %e and %g in place of %f.
        width: the least number of characters; `fill` is "0", " ", "+" or "-" (to the left).

    Raises:
        InvalidArgumentError: options that do not go together, or not with the dtype.
    """
    data = convert_to_tensor(input)
    if data.dtype is not string:
        printf_form(data.dtype, precision, scientific, shortest, width, fill)
    made: Tensor = F.as_string(
        data, precision=precision, scientific=bool(scientific), shortest=bool(shortest),
        width=width, fill=fill, name=name,
    )  # fmt: skip
    return made


# ------------------------------------------------------------------ hashes
def _buckets(num_buckets: int, op: str) -> int:
    if num_buckets < 1:
        raise ValueError(
            f"Attr 'num_buckets' of '{op}' Op passed {num_buckets} less than minimum 1."
        )
    return int(num_buckets)


def string_to_hash_bucket(
    string_tensor: Any = None, num_buckets: int = 0, name: str | None = None, input: Any = None
) -> Tensor:
    """Each string's hash modulo num_buckets (tf.string_to_hash_bucket): int64.

    The hash is an old one; string_to_hash_bucket_fast is better.
    """
    data = input if string_tensor is None else string_tensor
    number = _buckets(num_buckets, "StringToHashBucket")
    made: Tensor = F.string_to_hash_bucket(data, num_buckets=number, name=name)
    return made


to_hash_bucket = string_to_hash_bucket


def string_to_hash_bucket_fast(input: Any, num_buckets: int, name: str | None = None) -> Tensor:
    """Each string's FarmHash fingerprint modulo num_buckets (tf.string_to_hash_bucket_fast)."""
    number = _buckets(num_buckets, "StringToHashBucketFast")
    made: Tensor = F.string_to_hash_bucket_fast(input, num_buckets=number, name=name)
    return made


to_hash_bucket_fast = string_to_hash_bucket_fast


def string_to_hash_bucket_strong(
    input: Any, num_buckets: int, key: Sequence[int], name: str | None = None
) -> Tensor:
    """Each string's SipHash with a secret key, modulo num_buckets.

    Raises:
        InvalidArgumentError: "Key must have 2 elements"
    """
    if len(key) != 2:
        raise InvalidArgumentError("Key must have 2 elements")
    number = _buckets(num_buckets, "StringToHashBucketStrong")
    made: Tensor = F.string_to_hash_bucket_strong(
        input, num_buckets=number, key=(int(key[0]), int(key[1])), name=name
    )
    return made


to_hash_bucket_strong = string_to_hash_bucket_strong


# ------------------------------------------------------------------ format
def format(
    template: str,
    inputs: Any,
    placeholder: str = "{}",
    summarize: int = 3,
    name: str | None = None,
) -> Tensor:
    """Text with tensors put where the placeholder stands (tf.strings.format): a scalar string.

    Args:
        summarize: of longer dimensions so many entries at either end; -1 for all.

    Raises:
        ValueError: another number of tensors than of placeholders.
    """
    tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    wanted = template.count(placeholder)
    if wanted != len(tensors):
        raise ValueError(
            f"The template expects {wanted} tensors, but the inputs only has {len(tensors)}. "
            "Please ensure the number of placeholders in template matches inputs length."
        )
    made: Tensor = F.string_format(
        *tensors, template=template, placeholder=placeholder, summarize=summarize, name=name
    )
    return made
