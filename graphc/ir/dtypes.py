"""Element types: the one table of dtypes, their names in TensorFlow 1 and their NumPy forms.

Lives here: DType, as_dtype, as_array, the conversion rules of Python and NumPy values. Not here:
shapes (ir/shape.py). Every layer may import this module; it imports only NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class DType:
    """An element type. Compares equal to its name, its TF1 name and its NumPy dtype.

    Attributes:
        name: "float32", "int64", "bool", "string", ...
        tf_name: the spelling in TF1's messages ("float", "double"), else the name.
        kind: "f" float, "i" signed, "u" unsigned, "b" bool, "c" complex, "s" string.
        size: bytes an element (string: 8, a pointer).
    """

    __slots__ = ("_np", "kind", "name", "rank", "size", "tf_name")

    def __init__(self, name: str, kind: str, size: int, rank: int, tf_name: str = "") -> None:
        self.name = name
        self.kind = kind
        self.size = size
        self.rank = rank
        self.tf_name = tf_name or name
        self._np: np.dtype[Any] | None = None

    @property
    def np(self) -> np.dtype[Any]:
        """The NumPy dtype; bfloat16 needs the extra `bfloat16` (ml_dtypes)."""
        if self._np is None:
            self._np = _numpy_dtype(self.name)
        return self._np

    @property
    def as_numpy_dtype(self) -> type:
        return self.np.type

    @property
    def base_dtype(self) -> DType:
        return self

    @property
    def real_dtype(self) -> DType:
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    @property
    def as_datatype_enum(self) -> int:
        """The number of this type in TensorFlow's types.proto."""
        return _TF_ENUM[self.name]

    @property
    def is_floating(self) -> bool:
        return self.kind == "f"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    @property
    def is_unsigned(self) -> bool:
        return self.kind == "u"

    @property
    def is_bool(self) -> bool:
        return self.kind == "b"

    @property
    def is_complex(self) -> bool:
        return self.kind == "c"

    @property
    def is_half(self) -> bool:
        """Stored in two bytes, computed in float32."""
        return self.kind == "f" and self.size == 2

    @property
    def compute(self) -> DType:
        """The type that kernels compute in."""
        return float32 if self.is_half else self

    @property
    def is_numpy_compatible(self) -> bool:
        return True

    @property
    def min(self) -> Any:
        return self._limit("min")

    @property
    def max(self) -> Any:
        return self._limit("max")

    def _limit(self, which: str) -> Any:
        if self.is_bool:
            return which == "max"
        if self.name == "bfloat16":
            import ml_dtypes

            return getattr(ml_dtypes.finfo(self.np), which)
        if self.is_floating:
            return getattr(np.finfo(self.np), which)
        if self.is_integer:
            return getattr(np.iinfo(self.np), which)
        raise TypeError(f"Cannot find {which}imum value of {self}.")

    @property
    def limits(self) -> tuple[Any, Any]:
        return (self.min, self.max)

    def is_compatible_with(self, other: Any) -> bool:
        return self == as_dtype(other)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self is other
        if other is None:
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: '{self.name}'>"

    def __reduce__(self) -> Any:
        return (as_dtype, (self.name,))


def _numpy_dtype(name: str) -> np.dtype[Any]:
    if name == "string":
        return np.dtype(object)
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError:
            raise ImportError(
                "bfloat16 needs the package ml_dtypes: pip install graphc[bfloat16]"
            ) from None
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


float16 = DType("float16", "f", 2, 10, "half")
bfloat16 = DType("bfloat16", "f", 2, 11)
float32 = DType("float32", "f", 4, 12, "float")
float64 = DType("float64", "f", 8, 13, "double")
int8 = DType("int8", "i", 1, 2)
int16 = DType("int16", "i", 2, 4)
int32 = DType("int32", "i", 4, 6)
int64 = DType("int64", "i", 8, 8)
uint8 = DType("uint8", "u", 1, 1)
uint16 = DType("uint16", "u", 2, 3)
uint32 = DType("uint32", "u", 4, 5)
uint64 = DType("uint64", "u", 8, 7)
bool_ = DType("bool", "b", 1, 0)
string = DType("string", "s", 8, 20)
complex64 = DType("complex64", "c", 8, 14)
complex128 = DType("complex128", "c", 16, 15)

ALL = (
    float16, bfloat16, float32, float64, int8, int16, int32, int64,
    uint8, uint16, uint32, uint64, bool_, string, complex64, complex128,
)  # fmt: skip
FLOAT = (float16, bfloat16, float32, float64)
INT = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
NUMERIC = FLOAT + INT
COMPLEX = (complex64, complex128)
REAL_OR_BOOL = (*NUMERIC, bool_)

_TF_ENUM = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "string": 7,
    "complex64": 8, "int64": 9, "bool": 10, "bfloat16": 14, "uint16": 17, "complex128": 18,
    "float16": 19, "uint32": 22, "uint64": 23,
}  # fmt: skip
_BY_NAME: dict[Any, DType] = {d.name: d for d in ALL}
_BY_NAME.update(
    {
        "float": float32, "double": float64, "half": float16, "int": int64, "str": string,
        "object": string, float: float32, int: int32, bool: bool_, str: string, bytes: string,
        "bytes": string,
    }
)  # fmt: skip
_BY_ENUM = {number: _BY_NAME[name] for name, number in _TF_ENUM.items()}
_CACHE: dict[Any, DType] = dict(_BY_NAME)


def as_dtype(value: Any) -> DType:
    """The DType of a DType, a name, a NumPy dtype or type, or a TF types.proto number.

    Raises:
        TypeError: "Cannot convert value ... to a TensorFlow DType."
    """
    if isinstance(value, DType):
        return value
    try:
        found = _CACHE.get(value)
    except TypeError:
        found = None
    if found is None:
        found = _resolve(value)
        try:
            _CACHE[value] = found
        except TypeError:
            pass
    return found


def _resolve(value: Any) -> DType:
    if isinstance(value, str) and value.endswith("_ref"):
        return as_dtype(value[:-4])
    if isinstance(value, int) and value in _BY_ENUM:
        return _BY_ENUM[value]
    try:
        dt = np.dtype(value)
    except TypeError:
        raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.") from None
    if dt.kind in "SUO":
        return string
    found = _BY_NAME.get(dt.name)
    if found is None:
        raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.")
    return found


def of_python(value: Any) -> DType:
    """The dtype that TF1 gives to a value without a wanted dtype (semantics 31).

    Python floats are float32, ints int32 (int64 where they do not fit); NumPy keeps its own.
    """
    if isinstance(value, np.ndarray | np.generic):
        return as_dtype(value.dtype)
    array = np.asarray(value)
    if array.dtype == np.float64:
        return float32 if not _holds_numpy(value) else float64
    if array.dtype == np.int64 and not _holds_numpy(value):
        small = array.size == 0 or (array.min() >= -(2**31) and array.max() < 2**31)
        if array.size == 0:
            return float32
        return int32 if small else int64
    return as_dtype(array.dtype)


def _holds_numpy(value: Any) -> bool:
    """Whether the first leaf of a nested list is a NumPy value."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, np.ndarray | np.generic)


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """np.asarray, but a string stays whole: NumPy's own strings lose zeros at their end."""
    if not isinstance(value, bytes):
        return np.asarray(value)
    out = np.empty((), object)
    out[()] = value
    return out
