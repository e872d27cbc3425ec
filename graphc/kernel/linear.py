"""Integer linear forms over index variables: sums, bounds, exact division, floor division.

Lives here: Linear (coefficients and constant are dimensions, so symbolic strides stay exact) and
what can be proved about it. Not here: walking expressions (kernel/simplify.py). Only kernel/
modules import this one.

Every axis runs over [0, extent), so an expression that depends on an axis is only evaluated where
that extent is at least 1: proofs may use it for the symbols of the axes they mention.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

from graphc.ir.dtypes import int64
from graphc.ir.shape import Dim, SymDim
from graphc.kernel.expr import Axis, Const, DimValue, Expr, Prim, index, text

Bound = Dim | None


class Linear:
    """const + sum of coef * term; terms are Axes or int64 expressions that are not linear."""

    __slots__ = ("const", "terms")

    def __init__(self, terms: dict[Expr, Dim], const: Dim = 0) -> None:
        self.terms = terms
        self.const = const

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Linear) and self.const == other.const and self.terms == other.terms

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return text(to_expr(self))

    @property
    def is_const(self) -> bool:
        return not self.terms


def of_dim(dim: Dim) -> Linear:
    return Linear({}, dim)


def of_term(term: Expr) -> Linear:
    return Linear({term: 1})


def add(a: Linear, b: Linear, factor: Dim = 1) -> Linear:
    """a + factor * b."""
    if not b.terms and b.const == 0:
        return a
    terms = dict(a.terms)
    for term, coef in b.terms.items():
        total = terms.get(term, 0) + coef * factor
        if total == 0:
            terms.pop(term, None)
        else:
            terms[term] = total
    return Linear(terms, a.const + b.const * factor)


def scale(a: Linear, factor: Dim) -> Linear:
    if factor == 1:
        return a
    if factor == 0:
        return Linear({}, 0)
    return Linear({t: c * factor for t, c in a.terms.items()}, a.const * factor)


def wrap(value: int) -> int:
    """The value as a signed 64-bit integer holds it."""
    return (value + 2**63) % 2**64 - 2**63


def order_key(term: Expr) -> tuple[int, int, str]:
    """Axes in order of creation, then other terms by their text: the same in every process."""
    return (0, term.uid, "") if isinstance(term, Axis) else (1, 0, text(term))


def to_expr(lin: Linear) -> Expr:
    """The form as an expression: terms in a fixed order, the constant last."""
    terms = lin.terms
    keys: Iterable[Expr] = terms
    if len(terms) > 1:
        keys = sorted(terms, key=order_key)
    out: Expr | None = None
    for term in keys:
        coef = terms[term]
        if out is not None and isinstance(coef, int) and coef < 0:
            out = Prim("sub", (out, _times(term, -coef)), int64)
            continue
        part = _times(term, coef)
        out = part if out is None else Prim("add", (out, part), int64)
    const = lin.const
    if out is None:
        return Const(wrap(const), int64) if isinstance(const, int) else index(const)
    if const == 0:
        return out
    if isinstance(const, int) and const < 0:
        return Prim("sub", (out, Const(wrap(-const), int64)), int64)
    return Prim("add", (out, index(const)), int64)


def _times(term: Expr, coef: Dim) -> Expr:
    if coef == 1:
        return term
    if coef == -1:
        return Prim("neg", (term,), int64)
    factor = Const(wrap(coef), int64) if isinstance(coef, int) else DimValue(coef)
    return Prim("mul", (term, factor), int64)


# ------------------------------------------------------------------ proofs
def nonneg(dim: Dim, positive: frozenset[str] = frozenset()) -> bool:
    """Whether dim >= 0 for all symbols >= 0 (those in `positive` >= 1). False: not proved."""
    if not isinstance(dim, SymDim):
        return dim >= 0
    if _plainly_nonneg(dim):
        return True
    used = positive & dim.symbols()
    if not used:
        return False
    moved = dim.substitute({s: SymDim.symbol(s) + 1 for s in used})
    return moved >= 0 if not isinstance(moved, SymDim) else _plainly_nonneg(moved)


def _plainly_nonneg(dim: SymDim) -> bool:
    for mono, coef in dim.terms:
        if coef < 0:
            return False
        for atom in mono:
            if not isinstance(atom, str) and not _atom_nonneg(atom):
                return False
    return True


def _atom_nonneg(atom: tuple[str, SymDim, Dim]) -> bool:
    left, right = nonneg(atom[1]), nonneg(atom[2])
    return left or right if atom[0] == "max" else left and right


def positive_symbols(terms: Iterable[Expr]) -> frozenset[str]:
    """Symbols that are at least 1 wherever all of these axes have a value."""
    out: set[str] = set()
    for term in terms:
        extent = term.extent if isinstance(term, Axis) else 0
        if isinstance(extent, SymDim) and len(extent.terms) == 1:
            out.update(a for a in extent.terms[0][0] if isinstance(a, str))
    return frozenset(out)


def bounds(lin: Linear) -> tuple[Bound, Bound]:
    """Inclusive bounds; None where nothing is known."""
    low: Bound = lin.const
    high: Bound = lin.const
    if not lin.terms:
        return low, high
    positive = positive_symbols(lin.terms)
    for term, coef in lin.terms.items():
        lo, hi = term_bounds(term)
        if not nonneg(coef, positive):
            if not nonneg(-coef, positive):
                return None, None
            lo, hi = hi, lo
        low = None if low is None or lo is None else low + lo * coef
        high = None if high is None or hi is None else high + hi * coef
    return low, high


def term_bounds(term: Expr) -> tuple[Bound, Bound]:
    """Inclusive bounds of one int64 expression."""
    if isinstance(term, Axis):
        return 0, term.extent - 1
    if isinstance(term, Const):
        return term.value, term.value
    if isinstance(term, DimValue):
        return term.dim, term.dim
    if not isinstance(term, Prim):
        return None, None
    if term.name in ("add", "sub", "mul", "neg"):
        form = quick_linear(term)
        return (None, None) if form is None else bounds(form)
    if term.name == "check_index":
        extent = as_dim(term.args[1])
        # an empty extent clamps to 0
        return 0, None if extent is None or not nonneg(extent - 1) else extent - 1
    if term.name in ("floordiv", "floormod"):
        return _division_bounds(term)
    if term.name in ("max", "min"):
        return _extreme_bounds(term)
    return None, None


def quick_linear(term: Expr) -> Linear | None:
    """The linear form of a sum or product of terms; None where a product is not linear."""
    if isinstance(term, Const):
        return of_dim(term.value)
    if isinstance(term, DimValue):
        return of_dim(term.dim)
    if not isinstance(term, Prim) or term.name not in ("add", "sub", "mul", "neg"):
        return of_term(term)
    forms = [quick_linear(a) for a in term.args]
    a, b = forms[0], forms[-1]
    if a is None or b is None:
        return None
    if term.name == "neg":
        return scale(a, -1)
    if term.name != "mul":
        return add(a, b, 1 if term.name == "add" else -1)
    if b.is_const:
        return scale(a, b.const)
    return scale(b, a.const) if a.is_const else None


def as_dim(expr: Expr) -> Dim | None:
    if isinstance(expr, Const):
        return int(expr.value)
    return expr.dim if isinstance(expr, DimValue) else None


def _division_bounds(term: Prim) -> tuple[Bound, Bound]:
    divisor = as_dim(term.args[1])
    if divisor is None or not nonneg(divisor - 1, _symbols(divisor)):
        return None, None
    if term.name == "floormod":
        return 0, divisor - 1
    lo, hi = term_bounds(term.args[0])
    low = None if lo is None else 0 if lo == 0 else _floor(lo, divisor)
    # (n * d - 1) // d is n - 1 also where n and d are symbols
    high = None if hi is None else _floor(hi + 1 - divisor, divisor, up=True)
    return low, high


def _symbols(dim: Dim) -> frozenset[str]:
    # a divisor is an extent: where it is 0 nothing is evaluated
    return frozenset(dim.symbols()) if isinstance(dim, SymDim) else frozenset()


def _floor(num: Dim, den: Dim, up: bool = False) -> Dim:
    if up and isinstance(num, int) and isinstance(den, int):
        return -((-num) // den)
    if up:
        exact = num // den
        return exact if exact * den == num else (num + den - 1) // den
    return num // den


def _extreme_bounds(term: Prim) -> tuple[Bound, Bound]:
    (alo, ahi), (blo, bhi) = term_bounds(term.args[0]), term_bounds(term.args[1])
    pick = max if term.name == "max" else min
    lo: Bound = pick(alo, blo) if isinstance(alo, int) and isinstance(blo, int) else None
    hi: Bound = pick(ahi, bhi) if isinstance(ahi, int) and isinstance(bhi, int) else None
    if term.name == "max" and lo is None:
        lo = alo if alo is not None else blo
    if term.name == "min" and hi is None:
        hi = ahi if ahi is not None else bhi
    return lo, hi


# ------------------------------------------------------------------ division
def exact_quotient(num: Dim, den: Dim) -> Dim | None:
    """num / den where it is exact for all values of the symbols."""
    if isinstance(num, int) and isinstance(den, int):
        return num // den if num % den == 0 else None
    if num == 0:
        return 0
    quotient = num // den
    return quotient if quotient * den == num and _is_polynomial(quotient) else None


def _is_polynomial(dim: Dim) -> bool:
    if not isinstance(dim, SymDim):
        return True
    return all(isinstance(atom, str) for mono, _ in dim.terms for atom in mono)


def split(lin: Linear, den: Dim) -> tuple[Linear, Linear]:
    """(q, r) with lin == q * den + r: the terms that den divides, and the rest."""
    quotient: dict[Expr, Dim] = {}
    rest: dict[Expr, Dim] = {}
    for term, coef in lin.terms.items():
        part = exact_quotient(coef, den)
        if part is None:
            rest[term] = coef
        else:
            quotient[term] = part
    if isinstance(lin.const, int) and isinstance(den, int):
        const_q, const_r = divmod(lin.const, den)
        return Linear(quotient, const_q), Linear(rest, const_r)
    part = exact_quotient(lin.const, den)
    if part is None:
        return Linear(quotient, 0), Linear(rest, lin.const)
    return Linear(quotient, part), Linear(rest, 0)


def inside(lin: Linear, den: Dim, checked: bool = False) -> bool:
    """Whether 0 <= lin < den is proved.

    `checked`: also where den is 0, as a check of the user's index needs it; a divisor may be taken
    to be an extent, below which nothing is evaluated where it is 0.
    """
    low, high = bounds(lin)
    if low is None or high is None:
        return False
    positive = positive_symbols(lin.terms) | (frozenset() if checked else _symbols(den))
    return nonneg(low, positive) and nonneg(den - 1 - high, positive)


def common_factor(lin: Linear, den: int) -> int:
    """The gcd of den and all coefficients; 1 where one is symbolic."""
    factor = den
    for coef in lin.terms.values():
        if not isinstance(coef, int):
            return 1
        factor = gcd(factor, coef)
    return factor if isinstance(lin.const, int) else 1


def divide(lin: Linear, factor: int) -> Linear:
    """Terms divided exactly, the constant floored."""
    return Linear({t: c // factor for t, c in lin.terms.items()}, lin.const // factor)


def floordiv(lin: Linear, den: Dim) -> Linear | None:
    """lin // den, simplified; None where lin is not bounded (it may overflow) or den may be < 1."""
    if not _divisible(lin, den):
        return None
    if den == 1:
        return lin
    quotient, rest = split(lin, den)
    if inside(rest, den):
        return quotient
    fixed = _fixed_quotient(rest, den)
    if fixed is not None:
        return add(quotient, of_dim(fixed))
    if isinstance(den, int):
        factor = common_factor(rest, den)
        if factor > 1:
            inner = floordiv(divide(rest, factor), den // factor)
            return None if inner is None else add(quotient, inner)
    merged = _merged_quotient(rest, den)
    return add(quotient, of_term(_quotient_term(rest, den)) if merged is None else merged)


def _merged_quotient(rest: Linear, den: Dim) -> Linear | None:
    """(x // a) // b -> x // (a * b), simplified in turn; None where `rest` is no quotient."""
    only = _single(rest)
    if not isinstance(only, Prim) or only.name != "floordiv":
        return None
    inner, over = as_dim(only.args[1]), only.args[0]
    if inner is None:
        return None
    form = quick_linear(over)
    return None if form is None else floordiv(form, inner * den)


def _fixed_quotient(lin: Linear, den: Dim) -> int | None:
    """lin // den where it is the same number for all values of the axes."""
    low, high = bounds(lin)
    if not isinstance(low, int) or not isinstance(high, int) or not isinstance(den, int):
        return None
    return low // den if low // den == high // den else None


def _quotient_term(rest: Linear, den: Dim) -> Expr:
    """(x // a) // b -> x // (a * b); (x % (a * b)) // b -> (x // b) % a; else the primitive."""
    only = _single(rest)
    inner = as_dim(only.args[1]) if isinstance(only, Prim) and len(only.args) == 2 else None
    if inner is not None and isinstance(only, Prim):
        if only.name == "floordiv":
            return Prim("floordiv", (only.args[0], index(inner * den)), int64)
        part = exact_quotient(inner, den) if only.name == "floormod" else None
        if part is not None:
            below = Prim("floordiv", (only.args[0], index(den)), int64)
            return Prim("floormod", (below, index(part)), int64)
    return Prim("floordiv", (to_expr(rest), index(den)), int64)


def floormod(lin: Linear, den: Dim) -> Linear | None:
    """lin % den, simplified; None as for floordiv."""
    if not _divisible(lin, den):
        return None
    if den == 1:
        return of_dim(0)
    _, rest = split(lin, den)
    if inside(rest, den):
        return rest
    fixed = _fixed_quotient(rest, den)
    if fixed is not None:
        return add(rest, of_dim(-fixed * den))
    if isinstance(den, int):
        factor = common_factor(rest, den)
        if factor > 1:
            assert isinstance(rest.const, int)
            inner = floormod(divide(rest, factor), den // factor)
            return None if inner is None else add(of_dim(rest.const % factor), inner, factor)
    only = _single(rest)
    if isinstance(only, Prim) and only.name == "floormod":
        outer = as_dim(only.args[1])
        if outer is not None and exact_quotient(outer, den) is not None:
            return of_term(Prim("floormod", (only.args[0], index(den)), int64))
    return of_term(Prim("floormod", (to_expr(rest), index(den)), int64))


def _divisible(lin: Linear, den: Dim) -> bool:
    if not nonneg(den - 1, _symbols(den)):
        return False
    low, high = bounds(lin)
    return low is not None and high is not None


def _single(lin: Linear) -> Expr | None:
    if lin.const != 0 or len(lin.terms) != 1:
        return None
    ((term, coef),) = lin.terms.items()
    return term if coef == 1 else None


def recombine(lin: Linear) -> Linear:
    """k*(x % m) + k*m*(x // m) -> k*x, k*(x % m) + k*m*(x // m % d) -> k*(x % (m * d))."""
    changed = True
    while changed and len(lin.terms) > 1:
        changed = False
        for term, coef in lin.terms.items():
            joined = _joined(lin, term, coef)
            if joined is not None:
                lin, changed = joined, True
                break
    return lin


def _joined(lin: Linear, term: Expr, coef: Dim) -> Linear | None:
    if not isinstance(term, Prim) or term.name != "floormod":
        return None
    den = as_dim(term.args[1])
    inner = quick_linear(term.args[0])
    if den is None or inner is None:
        return None
    quotient = floordiv(inner, den)
    if quotient is None or not quotient.terms:
        return None
    step = coef * den
    if all(lin.terms.get(part) == factor * step for part, factor in quotient.terms.items()):
        return add(add(add(lin, of_term(term), -coef), quotient, -step), inner, coef)
    only = _single(quotient)
    for other, other_coef in lin.terms.items():
        if not isinstance(other, Prim) or other.name != "floormod" or other_coef != step:
            continue
        outer = as_dim(other.args[1])
        if outer is not None and other.args[0] == only:
            whole = floormod(inner, den * outer)
            rest = add(add(lin, of_term(term), -coef), of_term(other), -step)
            return None if whole is None else add(rest, whole, coef)
    return None
