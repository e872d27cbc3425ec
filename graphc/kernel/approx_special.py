"""Vector math: error functions and gamma functions as expressions of cheap primitives.

Lives here: the rules of erf, erfc, erfinv, lgamma, digamma for kernel/approx.py, which loads this
module when one of them occurs. Not here: elementary functions, coefficients.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.dtypes import float32
from graphc.kernel.approx import at_least, at_most, horner
from graphc.kernel.approx_data import ERF32_MAX, ERF32_P, ERF32_Q
from graphc.kernel.expr import Expr


def _erf(x: Expr) -> Expr:
    y = at_most(at_least(x, -ERF32_MAX), ERF32_MAX)
    z = y * y
    return at_most(at_least(y * horner(z, ERF32_P) / horner(z, ERF32_Q), -1.0), 1.0)


RULES: dict[str, Callable[..., Expr]] = {
    "erf": _erf,
}
