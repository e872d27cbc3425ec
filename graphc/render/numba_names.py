"""Names and texts of generated Python source: identifiers, type names, operands.

Lives here: what render/numba_values.py and render/numba_source.py write names with. Imports only
ir.dtypes and numba_support, whose names generated source must not hide.
"""

from __future__ import annotations

import keyword
import re
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.render import numba_support

IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_HELPER = re.compile(r"[a-z]\w*_[fiu]\d+\Z", re.ASCII)  # exp_f32, slot_i64
SUPPORT = {n for n, v in vars(numba_support).items() if not n.startswith("_") and n != "Any"}
RESERVED = {"abs", "range", "lo", "hi", "status", "args", "pointer"} | SUPPORT


def type_name(dtype: DType) -> str:
    """The name of the type that a value of this dtype is computed in: f32, i64, bool, ..."""
    if dtype.is_bool:
        return "bool"
    return f"{dtype.kind}{8 * dtype.compute.size}"


def storage_name(dtype: DType) -> str:
    """The type of memory behind a pointer to this dtype: bools are bytes, half floats bits."""
    if dtype.is_bool:
        return "u8"
    return "u16" if dtype.is_half else type_name(dtype)


def identifier(name: str) -> str:
    """A name that Python takes and no function of the source has, close to the given one."""
    clean = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    if not clean or clean[0].isdigit():
        clean = f"k_{clean}"
    taken = keyword.iskeyword(clean) or clean in RESERVED or _HELPER.match(clean)
    return f"{clean}_" if taken else clean


class Text(str):
    """Source of a value.

    Attributes:
        tight: it needs no parentheses as an operand. product: it needs none beside + and -.
        bits: for the value of half-width bits, the source of those.
    """

    tight: bool
    product: bool
    bits: str

    def __new__(cls, text: str, tight: bool = True, product: bool = False, bits: str = "") -> Text:
        made = super().__new__(cls, text)
        made.tight = tight
        made.product = product
        made.bits = bits
        return made

    @property
    def operand(self) -> str:
        return str(self) if self.tight else f"({self})"

    @property
    def term(self) -> str:
        """As an operand of + and -, where a product needs no parentheses either."""
        return str(self) if self.product else self.operand


def half(which: str, dtype: DType) -> str:
    return f"{which}_{'bf16' if dtype.name == 'bfloat16' else 'f16'}"


def half_value(value: float, dtype: DType) -> float:
    """A constant rounded to the half-width float it stands for."""
    short = "bf16" if dtype.name == "bfloat16" else "f16"
    bits = getattr(numba_support, f"store_{short}")(np.float32(value))
    return float(getattr(numba_support, f"load_{short}")(bits))


def identity(monoid: str, dtype: DType) -> Any:
    """The monoid's neutral value in a dtype."""
    if monoid == "add":
        return 0
    if monoid == "mul":
        return 1
    if monoid == "and":
        return True if dtype.is_bool else (dtype.max if dtype.is_unsigned else -1)
    if monoid == "or":
        return 0
    low = monoid == "max"
    if dtype.is_floating:
        return -np.inf if low else np.inf
    return dtype.min if low else dtype.max
