"""Dimensions: integers, polynomials of named symbols, or unknown; and how they combine.

Lives here: SymDim, the arithmetic of dimensions, broadcasting, ShapeEnv (hints and guards).
Not here: the user's TensorShape and Dimension (ir/tensor_shape.py). Imports nothing of graphc
but errors.

A shape is a tuple of dimensions, or None for an unknown rank. In the user's graph an unknown
dimension is None. In a Program every dimension is an int or a SymDim: the symbols stand for the
extents of the feeds, and a plan keeps them, so that another batch size does not recompile.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union

from graphc.errors import InvalidArgumentError

Dim = Union[int, "SymDim"]
PartialDim = Union[int, "SymDim", None]
Shape = tuple[PartialDim, ...] | None
Atom = str | tuple[str, "SymDim", Dim]  # a symbol, or ("//" | "max" | "min", a, b)
Monomial = tuple[Atom, ...]


class SymDim:
    """An integer polynomial of symbols in normal form; structural equality and hash."""

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)

    @staticmethod
    def symbol(name: str) -> SymDim:
        return SymDim((((name,), 1),))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymDim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Dim) -> Dim:
        sums = dict(self.terms)
        for mono, coef in _terms(other):
            sums[mono] = sums.get(mono, 0) + coef
        return _normal(sums)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return _normal({mono: -coef for mono, coef in self.terms})

    def __sub__(self, other: Dim) -> Dim:
        return self + (-other)

    def __rsub__(self, other: Dim) -> Dim:
        return (-self) + other

    def __mul__(self, other: Dim) -> Dim:
        sums: dict[Monomial, int] = {}
        for mono_a, coef_a in self.terms:
            for mono_b, coef_b in _terms(other):
                mono = tuple(sorted(mono_a + mono_b, key=_atom_key))
                sums[mono] = sums.get(mono, 0) + coef_a * coef_b
        return _normal(sums)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        exact = _exact_division(self, other)
        if exact is not None:
            return exact
        return _atom_dim(("//", self, other))

    def __rfloordiv__(self, other: int) -> Dim:
        return 0 if other == 0 else _atom_dim(("//", _as_sym(other), self))

    def __mod__(self, other: Dim) -> Dim:
        return self - (self // other) * other

    def __rmod__(self, other: int) -> Dim:
        return other - (other // self) * self

    def evaluate(self, values: Mapping[str, int]) -> int:
        """The integer under an assignment of all symbols."""
        total = 0
        for mono, coef in self.terms:
            for atom in mono:
                coef *= _atom_value(atom, values)
            total += coef
        return total

    def symbols(self) -> set[str]:
        out: set[str] = set()
        for mono, _ in self.terms:
            for atom in mono:
                if isinstance(atom, str):
                    out.add(atom)
                else:
                    out |= atom[1].symbols()
                    out |= atom[2].symbols() if isinstance(atom[2], SymDim) else set()
        return out

    def substitute(self, values: Mapping[str, Dim]) -> Dim:
        total: Dim = 0
        for mono, coef in self.terms:
            product: Dim = coef
            for atom in mono:
                product = product * _atom_substitute(atom, values)
            total = total + product
        return total

    def __repr__(self) -> str:
        parts = []
        for mono, coef in self.terms:
            text = "*".join(_atom_text(a) for a in mono)
            if not mono:
                text = str(coef)
            elif coef != 1:
                text = f"{coef}*{text}"
            parts.append(text)
        return "+".join(parts).replace("+-", "-")


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(dim, SymDim):
        return dim.terms
    return (((), int(dim)),) if dim else ()


def _as_sym(value: int) -> SymDim:
    return SymDim(_terms(value))


def _atom_dim(atom: Atom) -> SymDim:
    return SymDim((((atom,), 1),))


def _atom_text(atom: Atom) -> str:
    if isinstance(atom, str):
        return atom
    if atom[0] == "//":
        return f"(({atom[1]})//({atom[2]}))"
    return f"{atom[0]}({atom[1]},{atom[2]})"


def _atom_key(atom: Atom) -> tuple[int, str]:
    return (0, atom) if isinstance(atom, str) else (1, _atom_text(atom))


def _normal(sums: Mapping[Monomial, int]) -> Dim:
    kept = {mono: coef for mono, coef in sums.items() if coef}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    order = sorted(kept.items(), key=lambda t: (-len(t[0]), [_atom_key(a) for a in t[0]]))
    return SymDim(tuple(order))


def _atom_value(atom: Atom, values: Mapping[str, int]) -> int:
    if isinstance(atom, str):
        return values[atom]
    left, right = evaluate(atom[1], values), evaluate(atom[2], values)
    if atom[0] == "//":
        return left // right
    return max(left, right) if atom[0] == "max" else min(left, right)


def _atom_substitute(atom: Atom, values: Mapping[str, Dim]) -> Dim:
    if isinstance(atom, str):
        return values.get(atom, _atom_dim(atom))
    left, right = substitute(atom[1], values), substitute(atom[2], values)
    if atom[0] == "//":
        return left // right
    return dim_max(left, right) if atom[0] == "max" else dim_min(left, right)


def _exact_division(num: SymDim, den: Dim) -> Dim | None:
    """num / den when den is one monomial that divides every term."""
    terms = _terms(den)
    if len(terms) != 1:
        return 1 if num == den else None
    mono_d, coef_d = terms[0]
    out: dict[Monomial, int] = {}
    for mono, coef in num.terms:
        rest = list(mono)
        for atom in mono_d:
            if atom not in rest:
                return None
            rest.remove(atom)
        if coef % coef_d:
            return None
        out[tuple(rest)] = coef // coef_d
    return _normal(out)


def evaluate(dim: Dim, values: Mapping[str, int]) -> int:
    return dim.evaluate(values) if isinstance(dim, SymDim) else int(dim)


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    return dim.substitute(values) if isinstance(dim, SymDim) else dim


def dim_max(a: Dim, b: Dim) -> Dim:
    if isinstance(a, SymDim) or isinstance(b, SymDim):
        if a == b:
            return a
        env = current_env()
        if env is not None:
            # decided by the hint; the guard keeps the plan honest
            return env.order(a, b)[1]
        a, b = (a, b) if isinstance(a, SymDim) else (b, a)
        return _atom_dim(("max", a, b))  # type: ignore[arg-type]
    return max(a, b)


def dim_min(a: Dim, b: Dim) -> Dim:
    if isinstance(a, SymDim) or isinstance(b, SymDim):
        if a == b:
            return a
        env = current_env()
        if env is not None:
            return env.order(a, b)[0]
        a, b = (a, b) if isinstance(a, SymDim) else (b, a)
        return _atom_dim(("min", a, b))  # type: ignore[arg-type]
    return min(a, b)


# ------------------------------------------------------------------ hints and guards
@dataclass(frozen=True)
class Guard:
    """A relation of two dimensions that a plan relies on: a OP b, OP in ==, !=, <=, >."""

    op: str
    a: Dim
    b: Dim

    def holds(self, values: Mapping[str, int]) -> bool:
        a, b = evaluate(self.a, values), evaluate(self.b, values)
        if self.op == "==":
            return a == b
        if self.op == "!=":
            return a != b
        return a <= b if self.op == "<=" else a > b

    def __str__(self) -> str:
        return f"{self.a} {self.op} {self.b}"


@dataclass
class ShapeEnv:
    """The values of a plan's symbols at its first run, and the guards that inference asked for."""

    hints: dict[str, int]
    guards: dict[Guard, None] = field(default_factory=dict)

    def equal(self, a: Dim, b: Dim) -> bool:
        """Whether a == b now; the answer becomes a guard."""
        same = evaluate(a, self.hints) == evaluate(b, self.hints)
        self.guards[Guard("==" if same else "!=", a, b)] = None
        return same

    def order(self, a: Dim, b: Dim) -> tuple[Dim, Dim]:
        """(smaller, larger) now; the order becomes a guard."""
        less = evaluate(a, self.hints) <= evaluate(b, self.hints)
        self.guards[Guard("<=" if less else ">", a, b)] = None
        return (a, b) if less else (b, a)


_LOCAL = threading.local()


def current_env() -> ShapeEnv | None:
    return getattr(_LOCAL, "env", None)


@contextlib.contextmanager
def shape_env(env: ShapeEnv) -> Iterator[ShapeEnv]:
    """Inference inside decides unknown relations by the hints of `env` and records guards."""
    before = current_env()
    _LOCAL.env = env
    try:
        yield env
    finally:
        _LOCAL.env = before


# ------------------------------------------------------------------ combining dimensions
def dims_equal(a: PartialDim, b: PartialDim) -> bool | None:
    """True, False, or None where it is not known (only in the user's graph)."""
    if a is None or b is None:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if a == b:
        return True
    env = current_env()
    return None if env is None else env.equal(a, b)


def merge_dim(a: PartialDim, b: PartialDim) -> PartialDim:
    """The dimension that both must be. Raises ValueError where they differ."""
    if a is None:
        return b
    if b is None or dims_equal(a, b) is not False:
        return b if isinstance(b, int) else a
    raise ValueError(f"Dimensions {a} and {b} are not compatible")


def merge_shapes(a: Shape, b: Shape) -> Shape:
    """The shape that both must have. Raises ValueError ("Shapes (2,) and (3,) are not ...")."""
    if a is None:
        return b
    if b is None:
        return a
    try:
        if len(a) != len(b):
            raise ValueError
        return tuple(merge_dim(x, y) for x, y in zip(a, b, strict=True))
    except ValueError:
        raise ValueError(
            f"Shapes {shape_text(a)} and {shape_text(b)} are not compatible"
        ) from None


def broadcast_dim(a: PartialDim, b: PartialDim) -> PartialDim:
    """NumPy's broadcasting of one axis. Raises ValueError where it fails."""
    if isinstance(a, int) and a == 1:
        return b
    if isinstance(b, int) and b == 1:
        return a
    if a is None or b is None:
        other = a if b is None else b
        return other if isinstance(other, int) and other > 1 else None
    same = dims_equal(a, b)
    if same:
        return a if isinstance(a, int) else b
    if same is False:
        if isinstance(a, SymDim) and dims_equal(a, 1):
            return b
        if isinstance(b, SymDim) and dims_equal(b, 1):
            return a
    if same is None:
        return a if isinstance(a, int) and a > 1 else b
    raise ValueError(f"Dimensions {a} and {b} do not broadcast")


def broadcast_shapes(*shapes: Shape) -> Shape:
    """NumPy's broadcasting of shapes; None where a rank is unknown.

    Raises:
        InvalidArgumentError: "Incompatible shapes: [2] vs. [3]".
    """
    if any(s is None for s in shapes):
        return None
    rank = max((len(s) for s in shapes if s is not None), default=0)
    out: list[PartialDim] = [1] * rank
    for shape in shapes:
        assert shape is not None
        for k in range(1, len(shape) + 1):
            try:
                out[-k] = broadcast_dim(out[-k], shape[-k])
            except ValueError:
                texts = " vs. ".join(bracket_text(s) for s in shapes)
                raise InvalidArgumentError(f"Incompatible shapes: {texts}") from None
    return tuple(out)


def dims_product(dims: Iterable[PartialDim]) -> PartialDim:
    total: PartialDim = 1
    for dim in dims:
        if dim == 0 and isinstance(dim, int):
            return 0
        total = None if total is None or dim is None else total * dim
    return total


def map_dims(fn: Callable[..., Dim], *dims: PartialDim) -> PartialDim:
    """fn of the dimensions, or None where one is unknown."""
    return None if any(d is None for d in dims) else fn(*dims)


def is_static(shape: Shape) -> bool:
    return shape is not None and all(isinstance(d, int) for d in shape)


def known_int(dim: PartialDim) -> int | None:
    """The dimension as an integer: a symbol's value now, which the plan then guards."""
    env = current_env()
    if not isinstance(dim, SymDim) or env is None:
        return dim if isinstance(dim, int) else None
    value = evaluate(dim, env.hints)
    env.equal(dim, value)
    return value


def evaluate_shape(shape: Sequence[Dim], values: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(d, values) for d in shape)


# ------------------------------------------------------------------ texts
def shape_text(shape: Shape) -> str:
    """As TensorShape prints: (2, ?), <unknown>."""
    if shape is None:
        return "<unknown>"
    inner = ", ".join("?" if d is None else str(d) for d in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def bracket_text(shape: Shape) -> str:
    """As TF's C++ prints: [2,?]. While a plan is built, symbols print as their values."""
    if shape is None:
        return "<unknown>"
    return "[" + ",".join(map(dim_text, shape)) + "]"


def dim_text(dim: PartialDim) -> str:
    """?, or the number; while a plan is built, a symbol prints as its value."""
    env = current_env()
    if env is not None and isinstance(dim, SymDim):
        dim = evaluate(dim, env.hints)
    return "?" if dim is None else str(dim)
