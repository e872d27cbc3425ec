"""Incomplete gamma and beta functions, polygamma, zeta: host steps, too rare for kernels.

Lives here: igamma, igammac, betainc, polygamma, zeta. Not here: lgamma, digamma
(ops/math_special.py). Imports ops.define.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import float32, float64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import broadcast_shapes
from graphc.kernel import prims as k
from graphc.ops.define import F, InferContext, OpDef, host
from graphc.ops.samples import arg, fixed, sample, uniform

Array = np.ndarray[Any, Any]
WIDE = (float32, float64)
POSITIVE = uniform(0.2, 5.0)
UNIT = uniform(0.05, 0.95)
_STEPS = 500  # terms of a series or continued fraction at most; a handful suffice as a rule
_TINY = 1e-300
_EPS = np.finfo(np.float64).eps


def _broadcast_type(ctx: InferContext) -> TensorType:
    return TensorType(ctx.dtype(0), broadcast_shapes(*(t.dims for t in ctx.inputs)))


def _host(name: str, tf: str, args: tuple[str, ...], numpy: Any, grad: Any, *samples: Any) -> OpDef:
    return host(
        name, tf=tf, args=args, dtypes={"T": WIDE}, infer=_broadcast_type, numpy=numpy, grad=grad,
        samples=samples,
    )  # fmt: skip


def _wide(*arrays: Any) -> list[Array]:
    return list(np.broadcast_arrays(*(np.asarray(a, np.float64) for a in arrays)))


def _lgamma(x: Array) -> Array:
    out: Array = k.TABLE["lgamma"].numpy(x)
    return out


def continued_fraction(
    first: Array, terms: Callable[[int], tuple[Array, Array]]
) -> Array:
    """first + a1 / (b1 + a2 / (b2 + ...)) by Lentz's method; terms(n) -> (a_n, b_n)."""
    value = np.where(first == 0, _TINY, first)
    c, d = value, np.zeros_like(value)
    for n in range(1, _STEPS):
        a, b = terms(n)
        d = b + a * d
        d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
        c = b + a / c
        c = np.where(np.abs(c) < _TINY, _TINY, c)
        step = c * d
        value = value * step
        if np.all((np.abs(step - 1) < _EPS) | ~np.isfinite(step)):
            break
    return value


# ------------------------------------------------------------------ incomplete gamma
def _gamma_series(a: Array, x: Array) -> Array:
    """P(a, x) for x < a + 1: the power series."""
    term = 1 / a
    total = term
    for n in range(1, _STEPS):
        term = term * x / (a + n)
        total = total + term
        if np.all((np.abs(term) <= _EPS * np.abs(total)) | ~np.isfinite(term)):
            break
    return total * np.exp(a * np.log(x) - x - _lgamma(a))


def _gamma_fraction(a: Array, x: Array) -> Array:
    """Q(a, x) for x >= a + 1: Legendre's continued fraction."""
    value = continued_fraction(
        x + 1 - a, lambda n: (-n * (n - a), x + 1 - a + 2 * n)
    )
    return np.exp(a * np.log(x) - x - _lgamma(a)) / value


def _incomplete(a: Any, x: Any, upper: bool) -> Array:
    a, x = _wide(a, x)
    valid = (a > 0) & (x >= 0)
    with np.errstate(all="ignore"):
        near = x < a + 1
        inner = valid & (x > 0) & np.isfinite(x)
        low = _gamma_series(np.where(inner & near, a, 1.0), np.where(inner & near, x, 0.5))
        high = _gamma_fraction(np.where(inner & ~near, a, 1.0), np.where(inner & ~near, x, 3.0))
        value = np.where(near, 1 - low, high) if upper else np.where(near, low, 1 - high)
    ends = (1.0, 0.0) if upper else (0.0, 1.0)
    value = np.where(x == 0, ends[0], np.where(np.isinf(x), ends[1], value))
    return np.where(valid, value, np.nan)


def _gamma_density(a: Tensor, x: Tensor) -> Tensor:
    """d P(a, x) / d x."""
    return F.exp((a - 1) * F.log(x) - x - F.lgamma(a))


def _igamma_grad(sign: int) -> Callable[..., Any]:
    def grad(node: Node, g: Tensor) -> tuple[Any, ...]:
        a, x = node.inputs
        return None, F.sum_to_shape(sign * g * _gamma_density(a, x), F.shape(x))

    return grad


_ORDERS = fixed([0.5, 1.0, 2.5, 6.0], const=True)

# as in TF1, no gradient goes to the order a
igamma = _host(
    "igamma", "Igamma", ("a", "x"), lambda a, x: _incomplete(a, x, False), _igamma_grad(1),
    sample(_ORDERS, arg((3, 4), POSITIVE)),
)  # fmt: skip
igammac = _host(
    "igammac", "Igammac", ("a", "x"), lambda a, x: _incomplete(a, x, True), _igamma_grad(-1),
    sample(_ORDERS, arg((3, 4), POSITIVE)),
)  # fmt: skip


def _log_tail(a: Array, x: Array, near: Array) -> Array:
    """log P(a, x) where `near`, else log Q(a, x)."""
    low = _gamma_series(np.where(near, a, 1.0), np.where(near, x, 0.5))
    high = _gamma_fraction(np.where(near, 1.0, a), np.where(near, 3.0, x))
    return np.log(np.where(near, low, high))


def _gamma_draw_grad(alpha: Any, drawn: Any) -> Array:
    """d x / d alpha for x with P(alpha, x) held constant: -(dP/dalpha) / (dP/dx).

    Of the two tails the one that is small keeps its digits; its logarithm is differentiated by a
    five-point formula, whose step is small against the width of the distribution.
    """
    a, x = _wide(alpha, drawn)
    valid = (a > 0) & (x > 0) & np.isfinite(x)
    with np.errstate(all="ignore"):
        a, x = np.where(valid, a, 1.0), np.where(valid, x, 1.0)
        near = x < a + 1
        h = 3e-3 * np.minimum(a, np.sqrt(a))
        far = _log_tail(a - 2 * h, x, near) - _log_tail(a + 2 * h, x, near)
        close = _log_tail(a + h, x, near) - _log_tail(a - h, x, near)
        slope = (far + 8 * close) / (12 * h)
        log_density = (a - 1) * np.log(x) - x - _lgamma(a)
        ratio = np.exp(_log_tail(a, x, near) - log_density)
        value = np.where(near, -1.0, 1.0) * slope * ratio
    return np.where(valid, value, np.where(drawn == 0, 0.0, np.nan))


random_gamma_grad = host(
    "random_gamma_grad", tf="RandomGammaGrad", args=("alpha", "sample"), dtypes={"T": WIDE},
    infer=_broadcast_type, numpy=_gamma_draw_grad,
    nograd="TF1 has no gradient of it",
    samples=(sample(_ORDERS, arg((3, 4), POSITIVE), grad=False),),
)  # fmt: skip


# ------------------------------------------------------------------ incomplete beta
def _beta_terms(a: Array, b: Array, x: Array) -> Callable[[int], tuple[Array, Array]]:
    def terms(n: int) -> tuple[Array, Array]:
        m = n // 2
        if n % 2:
            top = -(a + m) * (a + b + m) * x
            return top / ((a + 2 * m) * (a + 2 * m + 1)), np.ones_like(x)
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), np.ones_like(x)

    return terms


def _betainc(a: Any, b: Any, x: Any) -> Array:
    a, b, x = _wide(a, b, x)
    valid = (a > 0) & (b > 0) & (x >= 0) & (x <= 1)
    with np.errstate(all="ignore"):
        inner = valid & (x > 0) & (x < 1)
        p, q, z = (np.where(inner, v, 0.5) for v in (a, b, x))
        swapped = z > (p + 1) / (p + q + 2)
        p, q, z = np.where(swapped, q, p), np.where(swapped, p, q), np.where(swapped, 1 - z, z)
        front = np.exp(_lgamma(p + q) - _lgamma(p) - _lgamma(q) + p * np.log(z) + q * np.log1p(-z))
        part = front / p / continued_fraction(np.ones_like(z), _beta_terms(p, q, z))
        value = np.where(swapped, 1 - part, part)
    value = np.where(x == 0, 0.0, np.where(x == 1, 1.0, value))
    return np.where(valid, value, np.nan)


def _betainc_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    a, b, x = node.inputs
    log_beta = F.lgamma(a) + F.lgamma(b) - F.lgamma(a + b)
    density = F.exp((b - 1) * F.log1p(-x) + (a - 1) * F.log(x) - log_beta)
    return None, None, F.sum_to_shape(g * density, F.shape(x))


betainc = _host(
    "betainc", "Betainc", ("a", "b", "x"), _betainc, _betainc_grad,
    sample(_ORDERS, fixed([2.0, 0.5, 1.0, 3.0], const=True), arg((3, 4), UNIT)),
)  # fmt: skip


# ------------------------------------------------------------------ zeta
_SHIFT = 12  # the asymptotic series is exact to 1e-16 from here on
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def hurwitz_zeta(s: Any, q: Any) -> Any:
    """The sum of (q + n)^-s over n >= 0 for s > 1, q > 0: Euler and Maclaurin's formula.

    NaN for s < 1 and where q <= 0 has no value, infinity at the poles s = 1, q = 0, -1, ...
    """
    s, q = np.broadcast_arrays(np.asarray(s, np.float64), np.asarray(q, np.float64))
    with np.errstate(all="ignore"):
        total = np.zeros(s.shape)
        for n in range(_SHIFT):
            total = total + np.power(q + n, -s)
        far = q + _SHIFT
        total = total + np.power(far, 1 - s) / (s - 1) + 0.5 * np.power(far, -s)
        factor = s * np.power(far, -s - 1)
        for j, bernoulli in enumerate(_BERNOULLI):
            total = total + bernoulli * factor / math.factorial(2 * j + 2)
            factor = factor * (s + 2 * j + 1) * (s + 2 * j + 2) / (far * far)
        pole = (q <= 0) & (q == np.floor(q))
        fractional = (q <= 0) & (s != np.floor(s))
        total = np.where((s < 1) | fractional, np.nan, total)
        return np.where((s == 1) | (pole & ~(s < 1)), np.inf, total)


def _polygamma(a: Any, x: Any) -> Any:
    """(-1)^(a+1) a! zeta(a + 1, x); digamma for a = 0; NaN for orders that are no integer."""
    a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
    valid = (a >= 0) & (a == np.floor(a))
    order = np.where(valid, a, 1.0)
    factorial = np.vectorize(math.gamma, otypes=[np.float64])(order + 1)
    value = np.where(order % 2 == 1, 1.0, -1.0) * factorial * hurwitz_zeta(order + 1, x)
    value = np.where(order == 0, k.TABLE["digamma"].numpy(x), value)
    return np.where(valid, value, np.nan)


def _polygamma_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    a, x = node.inputs
    return None, F.sum_to_shape(g * F.polygamma(a + 1, x), F.shape(x))


def _zeta_grad(node: Node, g: Tensor) -> tuple[Any, ...]:
    s, q = node.inputs
    return None, F.sum_to_shape(-g * s * F.zeta(s + 1, q), F.shape(q))


_AT = arg((3, 4), POSITIVE)

polygamma = _host(
    "polygamma", "Polygamma", ("a", "x"), _polygamma, _polygamma_grad,
    sample(fixed([0.0, 1.0, 2.0, 5.0], const=True), _AT),
)  # fmt: skip
zeta = _host(
    "zeta", "Zeta", ("x", "q"), hurwitz_zeta, _zeta_grad,
    sample(fixed([1.5, 2.0, 3.0, 6.0], const=True), _AT),
)  # fmt: skip
