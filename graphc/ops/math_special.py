"""Exponentials, logarithms, circular and hyperbolic functions, error and gamma functions.

Lives here: exp to xdivy, one line each where they are alike. Not here: arithmetic (ops/math.py),
incomplete gamma functions and zeta (ops/gamma.py), activations (ops/nn.py). Imports ops.define
and kernel.prims; the exact meaning of each primitive is kernel/prims.py's table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import COMPLEX, FLOAT, DType
from graphc.ir.node import Tensor
from graphc.kernel import prims as k
from graphc.kernel.expr import Expr
from graphc.ops.define import F, OpDef, elementwise
from graphc.ops.reference import EDGES, PLAIN, wide
from graphc.ops.samples import Domain, uniform

SMALL = uniform(-0.9, 0.9)
POSITIVE = uniform(0.2, 5.0)
ANY_FLOAT = (*FLOAT, *COMPLEX)


def _unary(
    name: str, tf: str, prim: str, grad: Callable[..., Any], smooth: Domain = PLAIN,
    dtypes: tuple[DType, ...] = FLOAT,
) -> OpDef:  # fmt: skip
    """An op that is one primitive. grad: (g, x, y) -> gradient."""
    return elementwise(
        name, tf=tf, dtypes=dtypes, args=("x",),
        numpy=wide(k.TABLE[prim].numpy),
        scalar=lambda x: k.prim(prim, x),
        grad=grad,
        samples=(smooth, EDGES),
    )  # fmt: skip


# ------------------------------------------------------------------ exponentials and logarithms
exp = _unary("exp", "Exp", "exp", lambda g, x, y: g * y, dtypes=ANY_FLOAT)
expm1 = _unary("expm1", "Expm1", "expm1", lambda g, x, y: g * F.exp(x))
log = _unary("log", "Log", "log", lambda g, x, y: g / x, POSITIVE, ANY_FLOAT)
log1p = _unary("log1p", "Log1p", "log1p", lambda g, x, y: g / (1 + x), uniform(-0.8, 4.0))

# ------------------------------------------------------------------ circular functions
sin = _unary("sin", "Sin", "sin", lambda g, x, y: g * F.cos(x), dtypes=ANY_FLOAT)
cos = _unary("cos", "Cos", "cos", lambda g, x, y: -g * F.sin(x), dtypes=ANY_FLOAT)
tan = _unary("tan", "Tan", "tan", lambda g, x, y: g * (1 + F.square(y)), uniform(-1.2, 1.2))
asin = _unary("asin", "Asin", "asin", lambda g, x, y: g * F.rsqrt(1 - F.square(x)), SMALL)
acos = _unary("acos", "Acos", "acos", lambda g, x, y: -g * F.rsqrt(1 - F.square(x)), SMALL)
atan = _unary("atan", "Atan", "atan", lambda g, x, y: g / (1 + F.square(x)))


def _atan2_grad(g: Tensor, y: Tensor, x: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    scaled = g / (F.square(x) + F.square(y))
    return x * scaled, -y * scaled


atan2 = elementwise(
    "atan2", tf="Atan2", dtypes=FLOAT,
    numpy=np.arctan2, scalar=lambda y, x: k.atan2(y, x), grad=_atan2_grad,
    samples=((PLAIN, uniform(0.5, 3.0)), EDGES),
)  # fmt: skip

# ------------------------------------------------------------------ hyperbolic functions
sinh = _unary("sinh", "Sinh", "sinh", lambda g, x, y: g * F.cosh(x))
cosh = _unary("cosh", "Cosh", "cosh", lambda g, x, y: g * F.sinh(x))
tanh = _unary(
    "tanh", "Tanh", "tanh", lambda g, x, y: g * (1 - F.square(y)), dtypes=ANY_FLOAT
)
asinh = _unary("asinh", "Asinh", "asinh", lambda g, x, y: g / F.cosh(y))
acosh = _unary("acosh", "Acosh", "acosh", lambda g, x, y: g / F.sinh(y), uniform(1.2, 4.0))
atanh = _unary("atanh", "Atanh", "atanh", lambda g, x, y: g / (1 - F.square(x)), SMALL)
sigmoid = _unary("sigmoid", "Sigmoid", "sigmoid", lambda g, x, y: g * y * (1 - y))

# ------------------------------------------------------------------ error functions
_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)


def _gauss(g: Tensor, x: Tensor) -> Tensor:
    """g times the derivative of erf at x."""
    return g * _TWO_OVER_ROOT_PI * F.exp(-F.square(x))


erf = _unary("erf", "Erf", "erf", lambda g, x, y: _gauss(g, x))
erfc = _unary("erfc", "Erfc", "erfc", lambda g, x, y: -_gauss(g, x))
erfinv = _unary(
    "erfinv", "Erfinv", "erfinv",
    lambda g, x, y: g * (1.0 / _TWO_OVER_ROOT_PI) * F.exp(F.square(y)), SMALL,
)  # fmt: skip

# ------------------------------------------------------------------ gamma functions
lgamma = _unary("lgamma", "Lgamma", "lgamma", lambda g, x, y: g * F.digamma(x), POSITIVE)
digamma = _unary(
    "digamma", "Digamma", "digamma", lambda g, x, y: g * F.polygamma(F.ones_like(x), x), POSITIVE
)


# ------------------------------------------------------------------ safe products with logarithms
def _xlogy(x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0 whatever y is."""
    zero = x == 0
    return np.where(zero, np.zeros_like(x), x * np.log(np.where(zero, 1, y)))


def _xdivy(x: Any, y: Any) -> Any:
    zero = x == 0
    return np.where(zero, np.zeros_like(x), x / np.where(zero, 1, y))


def _unless_zero(x: Expr, value: Expr) -> Expr:
    return k.select(k.eq(x, 0), k.constant(0, x.dtype), value)


def _not_zero(x: Tensor) -> Tensor:
    mask: Tensor = F.cast(F.not_equal(x, 0), dtype=x.dtype)
    return mask


xlogy = elementwise(
    "xlogy", tf="Xlogy", dtypes=FLOAT,
    numpy=wide(_xlogy),
    scalar=lambda x, y: _unless_zero(x, x * k.log(y)),
    grad=lambda g, x, y, out: (g * F.xlogy(_not_zero(x), y), g * F.xdivy(x, y)),
    samples=((PLAIN, POSITIVE), EDGES),
)  # fmt: skip

xdivy = elementwise(
    "xdivy", tf="Xdivy", dtypes=FLOAT,
    numpy=wide(_xdivy),
    scalar=lambda x, y: _unless_zero(x, x / y),
    grad=lambda g, x, y, out: (g * F.xdivy(_not_zero(x), y), -g * F.xdivy(x, F.square(y))),
    samples=((PLAIN, POSITIVE), EDGES),
)  # fmt: skip
