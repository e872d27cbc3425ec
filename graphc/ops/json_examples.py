"""Examples as JSON, by protocol buffers' mapping.

Lives here: decode_json_example. Not here: parsing of examples (ops/parsing.py). Imports
ops.define.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import string
from graphc.ir.node import TensorType
from graphc.ops.define import OpDef
from graphc.ops.samples import fixed, sample
from graphc.ops.text_numbers import each

Array = np.ndarray[Any, Any]

_KINDS = {"bytesList": "bytes_list", "floatList": "float_list", "int64List": "int64_list"}


def _value(kind: str, item: Any) -> Any:
    if kind == "bytes_list":
        text = item.replace("-", "+").replace("_", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    return float(item) if kind == "float_list" else int(item)


def _fill(feature: Any, said: Mapping[str, Any]) -> None:
    for name, listed in said.items():
        kind = _KINDS.get(name, name)
        if kind not in _KINDS.values():
            raise ValueError(f"Cannot find field {name}")
        slot = getattr(feature, kind)
        slot.SetInParent()
        slot.value.extend([_value(kind, item) for item in listed.get("value", ())])


def _one(text: bytes) -> bytes:
    from graphc.interop.example import Example

    example = Example()
    try:
        said = json.loads(text)
        for name, feature in said.get("features", {}).get("feature", {}).items():
            _fill(example.features.feature[name], feature)
    except (ValueError, TypeError, AttributeError, binascii.Error) as err:
        raise InvalidArgumentError(f"Error while parsing JSON: {err}") from None
    data: bytes = example.SerializeToString()
    return data


decode_json_example = OpDef(
    name="decode_json_example",
    tf="DecodeJSONExample",
    family="host",
    args=("json_examples",),
    groups=(string,),
    infer=lambda ctx: TensorType(string, ctx.shape(0)),
    numpy=lambda x: each(_one, x),
    nograd="strings have no gradient",
    samples=(
        sample(
            fixed([b'{"features": {"feature": {"a": {"int64List": {"value": ["1"]}}}}}'], string),
            grad=False,
        ),
    ),
)
