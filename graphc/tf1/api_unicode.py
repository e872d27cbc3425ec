"""Code points of strings: tf.strings.unicode_decode and its kin.

Lives here: TF1's functions, of single strings where TensorFlow gives ragged results. Not here:
the ops (ops/unicode.py). Imports ops and ir.
"""

from __future__ import annotations

import codecs
from typing import Any

from graphc.ir.dtypes import string
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F

__all__ = [
    "unicode_decode", "unicode_decode_with_offsets", "unicode_encode", "unicode_split",
    "unicode_split_with_offsets", "unicode_transcode",
]  # fmt: skip

_OUTPUTS = ("UTF-8", "UTF-16-BE", "UTF-32-BE")


def _attrs(
    encoding: str, errors: str, replacement_char: int, controls: bool
) -> dict[str, Any]:
    if errors not in ("strict", "replace", "ignore"):
        raise ValueError(f"errors must be 'strict', 'replace' or 'ignore', got {errors!r}")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ValueError(f"unknown encoding: {encoding!r}") from None
    return {
        "encoding": encoding,
        "errors": errors,
        "replacement_char": int(replacement_char),
        "replace_controls": bool(controls),
    }


def _output(encoding: str) -> str:
    if encoding not in _OUTPUTS:
        raise ValueError(f"the output encoding must be one of {_OUTPUTS}, got {encoding!r}")
    return encoding


def _one(input: Any) -> Tensor:
    tensor = convert_to_tensor(input, string, "input")
    if tensor.rank != 0:
        raise ValueError(
            "graphc has no RaggedTensor: code points are of one string, a scalar, but the shape "
            f"is {tensor.shape}; go through the strings with tf.map_fn"
        )
    return tensor


def unicode_decode_with_offsets(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """The code points of a string, int32, and where their bytes begin, int64.

    Args:
        errors: "replace", "ignore" or "strict".

    Raises:
        ValueError: more than one string, an unknown encoding.
        InvalidArgumentError (when run): with "strict", "Invalid formatting on input string".
    """
    attrs = _attrs(input_encoding, errors, replacement_char, replace_control_characters)
    points, starts = F.unicode_decode(_one(input), name=name or "UnicodeDecode", **attrs)
    return points, starts


def unicode_decode(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Tensor:
    """The code points of a string, int32 (tf.strings.unicode_decode); see ..._with_offsets."""
    return unicode_decode_with_offsets(
        input, input_encoding, errors, replacement_char, replace_control_characters, name
    )[0]


def unicode_encode(
    input: Any,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: str | None = None,
) -> Tensor:
    """The rows of code points as strings (tf.strings.unicode_encode).

    Args:
        input: int32 (..., code points). output_encoding: "UTF-8", "UTF-16-BE" or "UTF-32-BE".

    Raises:
        ValueError: another encoding.
    """
    attrs = _attrs(_output(output_encoding), errors, replacement_char, False)
    made: Tensor = F.unicode_encode(input, name=name, **attrs)
    return made


def unicode_split_with_offsets(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """The characters of a string as strings, and where their bytes begin, int64."""
    with get_default_graph().name_scope(name or "UnicodeSplit"):
        points, starts = unicode_decode_with_offsets(
            input, input_encoding, errors, replacement_char
        )
        rows = F.expand_dims(points, axis=1)
        return unicode_encode(rows, _output(input_encoding), errors, replacement_char), starts


def unicode_split(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 0xFFFD,
    name: str | None = None,
) -> Tensor:
    """The characters of a string as a vector of strings (tf.strings.unicode_split)."""
    return unicode_split_with_offsets(input, input_encoding, errors, replacement_char, name)[0]


def unicode_transcode(
    input: Any,
    input_encoding: str,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Tensor:
    """Each string from one encoding to another (tf.strings.unicode_transcode).

    Raises:
        ValueError: an unknown encoding.
        InvalidArgumentError (when run): with errors="strict", "Invalid formatting on input ...".
    """
    attrs = _attrs(input_encoding, errors, replacement_char, replace_control_characters)
    made: Tensor = F.unicode_transcode(
        input, output_encoding=_output(output_encoding), name=name, **attrs
    )
    return made
