"""TF1's mathematics: tf.add to tf.xdivy as thin wrappers of op records, and casts.

Lives here: functions on corresponding elements, comparisons, logic, sums of many. It also gathers
api_reduce, api_clip and api_segment, so that one module exports them all. Not here: records
(ops/*), arrays (api_array.py), activations (api_nn.py). Imports ops.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.dtypes import DType, as_dtype, bfloat16, float32, float64, int32, int64
from graphc.ir.node import Tensor
from graphc.ops import operators
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1 import api_clip, api_reduce, api_segment
from graphc.tf1.api_clip import *  # noqa: F403
from graphc.tf1.api_reduce import *  # noqa: F403
from graphc.tf1.api_segment import *  # noqa: F403
from graphc.tf1.sparse_tensor import SparseTensor

_OWN = (
    "abs", "accumulate_n", "acos", "acosh", "add", "add_n", "angle", "asin", "asinh", "atan",
    "atan2", "atanh", "betainc", "bitcast", "bitwise_and", "bitwise_or", "bitwise_xor", "cast",
    "ceil", "ceiling", "complex", "conj", "cos", "cosh", "digamma", "div", "div_no_nan", "divide",
    "divide_no_nan", "equal", "erf", "erfc", "erfinv", "exp", "expm1", "floor", "floor_div",
    "floordiv", "floormod", "greater", "greater_equal", "igamma", "igammac", "imag", "invert",
    "is_finite", "is_inf", "is_nan", "lbeta", "left_shift", "less", "less_equal", "lgamma", "log",
    "log1p", "log_sigmoid", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum",
    "minimum", "mod", "multiply", "multiply_no_nan", "negative", "not_equal", "polygamma", "pow",
    "real", "realdiv", "reciprocal", "right_shift", "rint", "round", "rsqrt", "saturate_cast",
    "scalar_mul", "sigmoid", "sign", "sin", "sinh", "softplus", "sqrt", "square",
    "squared_difference", "subtract", "tan", "tanh", "to_bfloat16", "to_double", "to_float",
    "to_int32", "to_int64", "truediv", "truncatediv", "truncatemod", "xdivy", "xlogy", "zeta",
)  # fmt: skip
__all__ = [*_OWN, *api_clip.__all__, *api_reduce.__all__, *api_segment.__all__]


# ------------------------------------------------------------------ one record each
# of a SparseTensor these take the values: what is not there stays zero
_OF_SPARSE = ("erf", "negative", "sign", "sqrt", "square", "tanh")


def _unary(record: str) -> Callable[..., Tensor]:
    def call(x: Any, name: str | None = None) -> Any:
        if isinstance(x, SparseTensor) and record in _OF_SPARSE:
            return SparseTensor(x.indices, call(x.values, name), x.dense_shape)
        return getattr(F, record)(convert_to_tensor(x), name=name)

    call.__name__ = call.__qualname__ = record
    call.__doc__ = f"{record} of each element (tf.{record})."
    return call


def _binary(record: str, default_name: str | None = None) -> Callable[..., Tensor]:
    def call(x: Any, y: Any, name: str | None = default_name) -> Tensor:
        return getattr(F, record)(x, y, name=name)

    call.__name__ = call.__qualname__ = record
    call.__doc__ = f"""{record} of corresponding elements (tf.{record}), with broadcasting.

    Raises:
        TypeError: dtypes differ. ShapeError: "Incompatible shapes: [2] vs. [3]".
    """
    return call


acos = _unary("acos")
acosh = _unary("acosh")
asin = _unary("asin")
asinh = _unary("asinh")
atan = _unary("atan")
atanh = _unary("atanh")
ceil = _unary("ceil")
cos = _unary("cos")
cosh = _unary("cosh")
digamma = _unary("digamma")
erf = _unary("erf")
erfc = _unary("erfc")
erfinv = _unary("erfinv")
exp = _unary("exp")
expm1 = _unary("expm1")
floor = _unary("floor")
is_finite = _unary("is_finite")
is_inf = _unary("is_inf")
is_nan = _unary("is_nan")
lgamma = _unary("lgamma")
log = _unary("log")
log1p = _unary("log1p")
logical_not = _unary("logical_not")
negative = _unary("negative")
reciprocal = _unary("reciprocal")
rint = _unary("rint")
rsqrt = _unary("rsqrt")
sigmoid = _unary("sigmoid")
sign = _unary("sign")
sin = _unary("sin")
sinh = _unary("sinh")
softplus = _unary("softplus")
sqrt = _unary("sqrt")
square = _unary("square")
tan = _unary("tan")
tanh = _unary("tanh")
ceiling = _unary("ceil")
invert = _unary("bitwise_invert")

add = _binary("add")
atan2 = _binary("atan2")
bitwise_and = _binary("bitwise_and")
bitwise_or = _binary("bitwise_or")
bitwise_xor = _binary("bitwise_xor")
div_no_nan = _binary("div_no_nan", "div_no_nan")
equal = _binary("equal")
floormod = _binary("floormod")
greater = _binary("greater")
greater_equal = _binary("greater_equal")
less = _binary("less")
less_equal = _binary("less_equal")
logical_and = _binary("logical_and")
logical_or = _binary("logical_or")
logical_xor = _binary("logical_xor")
maximum = _binary("maximum")
minimum = _binary("minimum")
multiply = _binary("multiply")
multiply_no_nan = _binary("multiply_no_nan")
not_equal = _binary("not_equal")
polygamma = _binary("polygamma")
pow = _binary("pow")
squared_difference = _binary("squared_difference")
subtract = _binary("subtract")
truncatediv = _binary("truncatediv")
truncatemod = _binary("truncatemod")
xdivy = _binary("xdivy")
xlogy = _binary("xlogy")
zeta = _binary("zeta")
igamma = _binary("igamma")
igammac = _binary("igammac")
divide_no_nan = _binary("div_no_nan", "div_no_nan")
floordiv = _binary("floordiv", "floordiv")
floor_div = _binary("floordiv")
left_shift = _binary("bitwise_left_shift")
mod = _binary("floormod")
realdiv = _binary("divide")
right_shift = _binary("bitwise_right_shift")


# ------------------------------------------------------------------ quotients
def _pair(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors; a Python number takes the other's dtype where it can."""
    if is_tensor_like(y) and not is_tensor_like(x):
        right = convert_to_tensor(y)
        return convert_to_tensor(x, preferred_dtype=right.dtype, graph=right.graph), right
    left = convert_to_tensor(x)
    return left, convert_to_tensor(y, preferred_dtype=left.dtype, graph=left.graph)


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as Python 3 divides: integers give float64 (8 and 16 bits: float32).

    Raises:
        TypeError: "x and y must have the same dtype, got ...".
    """
    left, right = _pair(x, y)
    with left.graph.name_scope(name or "truediv") as scope:
        return operators.truediv(left, right, scope or None)


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as Python 3 divides (tf.divide)."""
    return truediv(x, y, name)


def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y as Python 2 divides: integers give the floor of the quotient (tf.div)."""
    left, right = _pair(x, y)
    with left.graph.name_scope(name or "div") as scope:
        return operators.div(left, right, scope or None)


def scalar_mul(scalar: Any, x: Any) -> Any:
    """A scalar times a tensor or IndexedSlices (tf.scalar_mul).

    Raises:
        ValueError: "Only scalar multiply works, got shape (2,)".
    """
    values = x.values if isinstance(x, IndexedSlices) else convert_to_tensor(x)
    factor = convert_to_tensor(scalar, values.dtype, graph=values.graph)
    if factor.rank not in (0, None):
        raise ValueError(f"Only scalar multiply works, got shape {factor.shape}")
    product = F.multiply(factor, values)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(product, x.indices, x.dense_shape)
    return product


def round(x: Any, name: str | None = None) -> Tensor:
    """To the nearest integer, half to even; integers pass (tf.round)."""
    tensor = convert_to_tensor(x)
    return tensor if tensor.dtype.is_integer else F.round(tensor, name=name)


def log_sigmoid(x: Any, name: str | None = None) -> Tensor:
    """log(1 / (1 + exp(-x))), without overflow (tf.log_sigmoid)."""
    tensor = convert_to_tensor(x)
    with tensor.graph.name_scope(name or "LogSigmoid") as scope:
        return F.negative(F.softplus(-tensor), name=scope or None)


# ------------------------------------------------------------------ gamma functions
def betainc(a: Any, b: Any, x: Any, name: str | None = None) -> Tensor:
    """The regularised incomplete beta function I_x(a, b) (tf.betainc)."""
    return F.betainc(a, b, x, name=name)


def lbeta(x: Any, name: str | None = None) -> Tensor:
    """log of the beta function of the numbers along the last axis (tf.lbeta)."""
    tensor = convert_to_tensor(x)
    with tensor.graph.name_scope(name or "lbeta") as scope:
        logs = F.reduce_sum(F.lgamma(tensor), axes=(-1,), keepdims=False)
        total = F.lgamma(F.reduce_sum(tensor, axes=(-1,), keepdims=False))
        return F.subtract(logs, total, name=scope)


# ------------------------------------------------------------------ types
def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    """The same bytes read as another dtype; a last axis is split off or joined (tf.bitcast).

    Raises:
        ShapeError: the last axis does not hold one element of a larger dtype.
    """
    return F.bitcast(convert_to_tensor(input), dtype=as_dtype(type), name=name)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """The values in another dtype (tf.cast): floats to integers lose their fraction.

    IndexedSlices give IndexedSlices, a SparseTensor gives one. The gradient passes between float
    and complex dtypes only.

    Raises:
        TypeError: a dtype that cannot be cast (strings).
    """
    wanted = as_dtype(dtype)
    if isinstance(x, IndexedSlices):
        return IndexedSlices(cast(x.values, wanted, name), x.indices, x.dense_shape)
    if isinstance(x, SparseTensor):
        return SparseTensor(x.indices, cast(x.values, wanted, name), x.dense_shape)
    tensor = convert_to_tensor(x)
    if tensor.dtype is wanted:
        return tensor
    if wanted.kind not in "fiubc":
        raise TypeError(f"Value passed to cast has dtype {wanted.name}, which nothing casts to")
    return F.cast(tensor, dtype=wanted, name=name)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """cast with the values clamped to what `dtype` holds (tf.saturate_cast)."""
    x, wanted = convert_to_tensor(value), as_dtype(dtype)
    with x.graph.name_scope(name or "saturate_cast") as scope:
        if float(x.dtype.min) < float(wanted.min):
            x = F.maximum(x, x.dtype.np.type(wanted.min))
        if float(x.dtype.max) > float(wanted.max):
            x = F.minimum(x, _largest(x.dtype, wanted))
        return cast(x, wanted, scope or None)


def _largest(source: DType, wanted: DType) -> Any:
    """The largest value of `source` that `wanted` holds: 2**31 - 1 is no float32."""
    top = source.np.type(wanted.max)
    if source.is_floating and wanted.is_integer and int(top) > int(wanted.max):
        import numpy as np

        top = np.nextafter(top, source.np.type(0))
    return top


def _caster(default_name: str, dtype: DType) -> Callable[..., Any]:
    def call(x: Any, name: str = default_name) -> Any:
        return cast(x, dtype, name)

    call.__doc__ = f"cast to {dtype.name}."
    return call


to_float = _caster("ToFloat", float32)
to_double = _caster("ToDouble", float64)
to_int32 = _caster("ToInt32", int32)
to_int64 = _caster("ToInt64", int64)
to_bfloat16 = _caster("ToBFloat16", bfloat16)


# ------------------------------------------------------------------ complex numbers
def abs(x: Any, name: str | None = None) -> Any:
    """The size of each element; real of complex ones (tf.abs)."""
    if isinstance(x, SparseTensor):
        return SparseTensor(x.indices, abs(x.values, name), x.dense_shape)
    tensor = convert_to_tensor(x)
    return (F.complex_abs if tensor.dtype.is_complex else F.abs)(tensor, name=name)


def complex(real: Any, imag: Any, name: str | None = None) -> Tensor:
    """Complex numbers of two float32 or float64 tensors (tf.complex)."""
    return F.complex(real, imag, name=name)


def _part(record: str, name: str | None, x: Any) -> Tensor:
    tensor = convert_to_tensor(x)
    return getattr(F, record)(tensor, name=name) if tensor.dtype.is_complex else tensor


def real(input: Any, name: str | None = None) -> Tensor:
    """The real part; real tensors pass (tf.real)."""
    return _part("real", name, input)


def imag(input: Any, name: str | None = None) -> Tensor:
    """The imaginary part; zeros of real tensors (tf.imag)."""
    tensor = convert_to_tensor(input)
    return F.imag(tensor, name=name) if tensor.dtype.is_complex else F.zeros_like(tensor, name=name)


def angle(input: Any, name: str | None = None) -> Tensor:
    """The argument of complex numbers; zeros of real ones, as in TF1 (tf.angle)."""
    tensor = convert_to_tensor(input)
    if not tensor.dtype.is_complex:
        return F.zeros_like(tensor, name=name)
    return F.atan2(F.imag(tensor), F.real(tensor), name=name or "Angle")


def conj(x: Any, name: str | None = None) -> Tensor:
    """The complex conjugate; real tensors pass (tf.conj)."""
    return _part("conj", name, x)


# ------------------------------------------------------------------ sums of many
def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of a list of tensors of one shape (tf.add_n).

    Raises:
        ValueError: an empty list, or shapes that differ.
    """
    if is_tensor_like(inputs):
        inputs = [inputs]
    if not isinstance(inputs, list | builtins.tuple) or not inputs:
        raise ValueError(
            "inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and "
            "shape"
        )
    tensors = [convert_to_tensor(t) for t in inputs]
    if len(tensors) == 1:
        return F.identity(tensors[0], name=name) if name else tensors[0]
    return F.add_n(*tensors, name=name)


def accumulate_n(
    inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None
) -> Tensor:
    """The sum of a list of tensors of one shape (tf.accumulate_n).

    Raises:
        ValueError: an empty list, or shapes that differ. TypeError: another dtype than
        tensor_dtype.
    """
    total = add_n(inputs, name or "AccumulateNV2")
    if tensor_dtype is not None and total.dtype is not as_dtype(tensor_dtype):
        raise TypeError(
            f"tensor_dtype is {as_dtype(tensor_dtype).name}, but input is of type "
            f"{total.dtype.name}"
        )
    if shape is not None:
        total.set_shape(shape)
    return total
