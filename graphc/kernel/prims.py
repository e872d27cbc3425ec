"""The primitives of kernel expressions: the one table of what each means.

Lives here: Primitive records (NumPy meaning, result dtype, cost) and the short builder functions
that op records use in their scalar definitions (`k.exp(x)`). Not here: how a primitive is printed
(render/*) or approximated by polynomials (kernel/approx.py).

An op's scalar definition is written with the builders:

    scalar=lambda x: k.recip(1 + k.exp(-x))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, bool_, int32, int64
from graphc.kernel.expr import Cast, Const, Expr, Prim, Select, lift


@dataclass(frozen=True)
class Primitive:
    """One primitive.

    Attributes:
        name: as it stands in expressions and dumps.
        arity: number of arguments, all of one dtype (exceptions: `check_index`, shifts).
        numpy: its exact meaning on NumPy arrays or scalars.
        result: "same" as the argument's dtype, or "bool".
        cost: rough cycles an element of a 16-lane vector, for fusion's cost model.
        effect: "" or the error code that it may flag ("index", "div").
    """

    name: str
    arity: int
    numpy: Callable[..., Any]
    result: str = "same"
    cost: float = 1.0
    effect: str = ""


TABLE: dict[str, Primitive] = {}


def _add(*prims: Primitive) -> None:
    for prim in prims:
        assert prim.name not in TABLE, prim.name
        TABLE[prim.name] = prim


def _erf(x: Any) -> Any:
    from graphc.kernel.special import erf

    return erf(x)


def _special(name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        from graphc.kernel import special

        return getattr(special, name)(*args)

    return call


def _floordiv_safe(a: Any, b: Any) -> Any:
    """Floor division; a zero divisor gives 0 here and raises the flag in the kernel."""
    zero = b == 0
    return np.where(zero, 0, np.floor_divide(a, np.where(zero, 1, b))).astype(np.asarray(a).dtype)


def _floormod_safe(a: Any, b: Any) -> Any:
    zero = b == 0
    return np.where(zero, 0, np.mod(a, np.where(zero, 1, b))).astype(np.asarray(a).dtype)


def _truncdiv_safe(a: Any, b: Any) -> Any:
    zero = b == 0
    safe = np.where(zero, 1, b)
    quotient = np.floor_divide(a, safe)
    exact = quotient * safe == a
    negative = (np.asarray(a) < 0) != (np.asarray(safe) < 0)
    fixed = np.where(~exact & negative, quotient + 1, quotient)
    return np.where(zero, 0, fixed).astype(np.asarray(a).dtype)


def _ldexp(x: Any, n: Any) -> Any:
    number = np.isnan(n)
    power = np.clip(np.where(number, 0, n), -5000, 5000).astype(np.int32)
    return np.where(number, n, np.ldexp(x, power)).astype(np.asarray(x).dtype)


def _mulhi_u32(a: Any, b: Any) -> Any:
    wide = np.asarray(a).astype(np.uint64) * np.asarray(b).astype(np.uint64)
    return (wide >> np.uint64(32)).astype(np.uint32)


_add(
    Primitive("add", 2, np.add),
    Primitive("sub", 2, np.subtract),
    Primitive("mul", 2, np.multiply),
    Primitive("div", 2, np.divide, cost=4),  # floats only
    Primitive("floordiv", 2, _floordiv_safe, cost=20, effect="div"),  # integers
    Primitive("floormod", 2, _floormod_safe, cost=20, effect="div"),  # integers
    Primitive("truncdiv", 2, _truncdiv_safe, cost=20, effect="div"),  # integers
    Primitive("fma", 3, _special("fma")),
    Primitive("neg", 1, np.negative),
    Primitive("abs", 1, np.abs),
    Primitive("sign", 1, np.sign),  # NaN stays NaN
    Primitive("max", 2, np.maximum),  # NaN propagates
    Primitive("min", 2, np.minimum),
    Primitive("sqrt", 1, np.sqrt, cost=6),
    Primitive("rsqrt", 1, lambda x: np.divide(1, np.sqrt(x), dtype=np.asarray(x).dtype), cost=8),
    Primitive("recip", 1, lambda x: np.divide(1, x, dtype=np.asarray(x).dtype), cost=4),
    Primitive("floor", 1, np.floor),
    Primitive("ceil", 1, np.ceil),
    Primitive("rint", 1, np.rint),  # half to even
    Primitive("trunc", 1, np.trunc),
    Primitive("copysign", 2, np.copysign),
    # x * 2**n, rounded once, for x around 1 and a float n that is whole and makes no more than
    # all of the type's exponents
    Primitive("ldexp", 2, _ldexp, cost=2),
    Primitive("exp", 1, np.exp, cost=12),
    Primitive("decay", 1, np.exp, cost=12),  # exp of what is at most 0, or NaN
    Primitive("expm1", 1, np.expm1, cost=16),
    Primitive("log", 1, np.log, cost=14),
    Primitive("log1p", 1, np.log1p, cost=16),
    Primitive("pow", 2, np.power, cost=40),  # floats
    Primitive("ipow", 2, np.power, cost=40),  # integers, exponent >= 0
    Primitive("sin", 1, np.sin, cost=16),
    Primitive("cos", 1, np.cos, cost=16),
    Primitive("tan", 1, np.tan, cost=24),
    Primitive("asin", 1, np.arcsin, cost=20),
    Primitive("acos", 1, np.arccos, cost=20),
    Primitive("atan", 1, np.arctan, cost=20),
    Primitive("atan2", 2, np.arctan2, cost=28),
    Primitive("sinh", 1, np.sinh, cost=20),
    Primitive("cosh", 1, np.cosh, cost=20),
    Primitive("tanh", 1, np.tanh, cost=14),
    Primitive("asinh", 1, np.arcsinh, cost=28),
    Primitive("acosh", 1, np.arccosh, cost=28),
    Primitive("atanh", 1, np.arctanh, cost=28),
    Primitive("sigmoid", 1, _special("sigmoid"), cost=14),
    Primitive("softplus", 1, _special("softplus"), cost=28),
    Primitive("erf", 1, _erf, cost=16),
    Primitive("erfc", 1, _special("erfc"), cost=20),
    Primitive("erfinv", 1, _special("erfinv"), cost=30),
    Primitive("lgamma", 1, _special("lgamma"), cost=60),
    Primitive("digamma", 1, _special("digamma"), cost=60),
    Primitive("fmod", 2, np.fmod, cost=20),  # floats, sign of the dividend
    Primitive("eq", 2, np.equal, "bool"),
    Primitive("ne", 2, np.not_equal, "bool"),
    Primitive("lt", 2, np.less, "bool"),
    Primitive("le", 2, np.less_equal, "bool"),
    Primitive("gt", 2, np.greater, "bool"),
    Primitive("ge", 2, np.greater_equal, "bool"),
    Primitive("and", 2, np.bitwise_and),  # bool and integers
    Primitive("or", 2, np.bitwise_or),
    Primitive("xor", 2, np.bitwise_xor),
    Primitive("not", 1, np.invert),  # logical for bool, bitwise for integers
    Primitive("shl", 2, np.left_shift),
    Primitive("shr", 2, np.right_shift),  # arithmetic for signed, logical for unsigned
    Primitive("mulhi_u32", 2, _mulhi_u32),
    Primitive("is_nan", 1, np.isnan, "bool"),
    Primitive("is_inf", 1, np.isinf, "bool"),
    Primitive("is_finite", 1, np.isfinite, "bool"),
    # float <-> int of the same width, bits unchanged; the result dtype is the node's
    Primitive("bitcast", 1, lambda x: x, "cast"),
    # (index int64, extent int64) -> index clamped into [0, extent); flags what was outside
    Primitive(
        "check_index", 2, lambda i, n: np.clip(i, 0, np.maximum(n - 1, 0)), cost=2, effect="index"
    ),
)


def prim(name: str, *args: Any) -> Expr:
    """A primitive applied to expressions and Python numbers (at least one expression)."""
    record = TABLE[name]
    assert len(args) == record.arity, (name, len(args))
    like = next(a for a in args if isinstance(a, Expr))
    lifted = tuple(lift(a, like) for a in args)
    for arg in lifted:
        if arg.dtype is not like.dtype:
            raise TypeError(f"{name}: {arg.dtype.name} and {like.dtype.name}")
    return Prim(name, lifted, bool_ if record.result == "bool" else like.dtype)


def _builder(name: str) -> Callable[..., Expr]:
    def build(*args: Any) -> Expr:
        return prim(name, *args)

    build.__name__ = name
    build.__doc__ = f"The primitive {name!r} on expressions."
    return build


fma = _builder("fma")
add = _builder("add")
sub = _builder("sub")
mul = _builder("mul")
div = _builder("div")
floordiv = _builder("floordiv")
floormod = _builder("floormod")
truncdiv = _builder("truncdiv")
neg = _builder("neg")
abs_ = _builder("abs")
sign = _builder("sign")
maximum = _builder("max")
minimum = _builder("min")
sqrt = _builder("sqrt")
rsqrt = _builder("rsqrt")
recip = _builder("recip")
floor = _builder("floor")
ceil = _builder("ceil")
rint = _builder("rint")
trunc = _builder("trunc")
copysign = _builder("copysign")
exp = _builder("exp")
decay = _builder("decay")
expm1 = _builder("expm1")
log = _builder("log")
log1p = _builder("log1p")
pow_ = _builder("pow")
ipow = _builder("ipow")
sin = _builder("sin")
cos = _builder("cos")
tan = _builder("tan")
asin = _builder("asin")
acos = _builder("acos")
atan = _builder("atan")
atan2 = _builder("atan2")
sinh = _builder("sinh")
cosh = _builder("cosh")
tanh = _builder("tanh")
asinh = _builder("asinh")
acosh = _builder("acosh")
atanh = _builder("atanh")
sigmoid = _builder("sigmoid")
softplus = _builder("softplus")
erf = _builder("erf")
erfc = _builder("erfc")
erfinv = _builder("erfinv")
lgamma = _builder("lgamma")
digamma = _builder("digamma")
fmod = _builder("fmod")
eq = _builder("eq")
ne = _builder("ne")
lt = _builder("lt")
le = _builder("le")
gt = _builder("gt")
ge = _builder("ge")
and_ = _builder("and")
or_ = _builder("or")
xor = _builder("xor")
not_ = _builder("not")
shl = _builder("shl")
shr = _builder("shr")
mulhi_u32 = _builder("mulhi_u32")
is_nan = _builder("is_nan")
is_inf = _builder("is_inf")
is_finite = _builder("is_finite")
check_index = _builder("check_index")


def select(cond: Expr, yes: Any, no: Any) -> Expr:
    """yes where cond else no; both sides are evaluated."""
    like = yes if isinstance(yes, Expr) else no
    return Select(cond, lift(yes, like), lift(no, like))


def cast(value: Expr, dtype: DType) -> Expr:
    return value if value.dtype is dtype else Cast(value, dtype)


def bitcast(value: Expr, dtype: DType) -> Expr:
    """The same bits as another dtype of the same size."""
    assert value.dtype.size == dtype.size
    return Prim("bitcast", (value,), dtype)


def square(value: Expr) -> Expr:
    return value * value


def constant(value: Any, dtype: DType) -> Expr:
    return Const(value, dtype)


def int_type_of(dtype: DType) -> DType:
    """The signed integer of the same width as a float: for bit tricks."""
    return int32 if dtype.size == 4 else int64


def identity(monoid: str, dtype: DType) -> Any:
    """The neutral element of a monoid as a Python number."""
    if monoid == "add":
        return 0
    if monoid == "mul":
        return 1
    if monoid in ("or", "and"):
        return (monoid == "and") if dtype is bool_ else (_all_ones(dtype) if monoid == "and" else 0)
    largest = monoid in ("min", "argmin")
    if dtype is bool_:
        return largest
    if dtype.is_floating:
        return float("inf") if largest else float("-inf")
    return int(dtype.max) if largest else int(dtype.min)


def _all_ones(dtype: DType) -> int:
    return -1 if dtype.kind == "i" else int(dtype.max)
