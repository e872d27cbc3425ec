"""Simplification of kernel expressions: index algebra under known ranges, safe value folding.

Lives here: Simplifier (one bottom-up walk that may also rename axes and flatten loads), simplify,
affine. Not here: the linear forms themselves (kernel/linear.py), loops. Only kernel/ and render/
import this module.

Index expressions are brought to a linear normal form, so that equal offsets are equal
expressions. Values are only folded where NaN, infinity and signed zero cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphc.ir.dtypes import DType, bool_, int64
from graphc.ir.shape import Dim
from graphc.kernel import linear as L
from graphc.kernel.expr import (
    Axis,
    Cast,
    Const,
    DimValue,
    Expr,
    Load,
    Local,
    Prim,
    Reduce,
    Select,
    free_axes,
    postorder,
    replaced,
)
from graphc.kernel.linear import Linear

_RING = ("add", "sub", "mul", "neg")
_COMPARE = ("lt", "le", "gt", "ge", "eq", "ne")
_EXTREME = ("max", "min")


class Simplifier:
    """Rewrites expressions bottom-up; equal results are one object.

    Attributes:
        axes: what axes become (another axis, a constant for an extent of 1).
        flatten: whether Loads get one flat offset instead of an index for each dimension.
    """

    def __init__(self, axes: Mapping[Axis, Expr] | None = None, flatten: bool = False) -> None:
        self.axes = dict(axes or {})
        self.flatten = flatten
        self._done: dict[int, Expr] = {}
        self._keep: list[Expr] = []
        self._one: dict[Expr, Expr] = {}
        self._forms: dict[int, Linear] = {}

    def __call__(self, root: Expr) -> Expr:
        done = self._done
        for node in postorder(root):
            if id(node) not in done:
                done[id(node)] = self._step(node)
        # ids stay valid only while the nodes live
        self._keep.append(root)
        return done[id(root)]

    def one(self, node: Expr) -> Expr:
        """The representative of all equal nodes."""
        return self._one.setdefault(node, node)

    def form(self, node: Expr) -> Linear:
        """The linear form of a simplified int64 expression."""
        found = self._forms.get(id(node))
        if found is None:
            quick = L.quick_linear(node)
            found = L.of_term(node) if quick is None else quick
            self._keep.append(node)
            self._forms[id(node)] = found
        return found

    def from_form(self, form: Linear) -> Expr:
        node = self.one(L.to_expr(form))
        self._forms[id(node)] = form
        return node

    # -------------------------------------------------------------- one node
    def _step(self, node: Expr) -> Expr:
        if isinstance(node, Axis):
            return self.one(self.axes.get(node, node))
        done = self._done
        args = tuple(done[id(a)] for a in node.args)
        if isinstance(node, Prim):
            return self._prim(node, args)
        if isinstance(node, Load):
            return self._load(node, args)
        if isinstance(node, Reduce):
            return self._reduce(node, args[0])
        if isinstance(node, Cast):
            return self.one(_cast(replaced(node, args)))
        if isinstance(node, Select):
            return self.one(_select(replaced(node, args)))
        return self.one(replaced(node, args))

    def _prim(self, node: Prim, args: tuple[Expr, ...]) -> Expr:
        name = node.name
        if args[0].dtype is int64:
            form = self._index(name, args)
            if form is not None:
                return self.from_form(form)
            if name in _COMPARE:
                known = self._compare(name, args[0], args[1])
                if known is not None:
                    return self.one(Const(known, bool_))
        if args[0].dtype is bool_:
            return self.one(_logic(replaced(node, args)))
        if name == "neg" and _is_prim(args[0], "neg"):
            return args[0].args[0]
        return self.one(replaced(node, args))

    def _index(self, name: str, args: tuple[Expr, ...]) -> Linear | None:
        a = self.form(args[0])
        if name == "neg":
            return L.scale(a, -1)
        if len(args) != 2:
            return None
        b = self.form(args[1])
        if name in ("add", "sub"):
            return L.recombine(L.add(a, b, 1 if name == "add" else -1))
        if name == "mul":
            if b.is_const:
                return L.scale(a, b.const)
            return L.scale(b, a.const) if a.is_const else None
        if name in ("floordiv", "floormod") and b.is_const:
            return (L.floordiv if name == "floordiv" else L.floormod)(a, b.const)
        if name in _EXTREME:
            return self._extreme(name, a, b)
        if name == "check_index" and b.is_const and L.inside(a, b.const, checked=True):
            return a
        return None

    def _extreme(self, name: str, a: Linear, b: Linear) -> Linear | None:
        """max(a, b) and min(a, b) where the ranges decide."""
        order = self._order(a, b)
        if order is None:
            return None
        return (b if order <= 0 else a) if name == "max" else (a if order <= 0 else b)

    def _order(self, a: Linear, b: Linear) -> int | None:
        """-1: a < b, 0: a <= b, 1: a > b, 2: a >= b, everywhere; None: not known."""
        gap = L.add(b, a, -1)
        low, high = L.bounds(gap)
        positive = L.positive_symbols(gap.terms)
        if low is not None and L.nonneg(low - 1, positive):
            return -1
        if low is not None and L.nonneg(low, positive):
            return 0
        if high is not None and L.nonneg(-high - 1, positive):
            return 1
        if high is not None and L.nonneg(-high, positive):
            return 2
        return None

    def _compare(self, name: str, a: Expr, b: Expr) -> bool | None:
        fa, fb = self.form(a), self.form(b)
        if fa == fb:
            return name in ("le", "ge", "eq")
        order = self._order(fa, fb)
        if order is None:
            return None
        if name in ("eq", "ne"):
            return (name == "ne") if order in (-1, 1) else None
        return _DECIDED[name].get(order)

    def _load(self, node: Load, args: tuple[Expr, ...]) -> Expr:
        mask: Expr | None = None
        other: Expr | None = None
        index = args
        if node.masked:
            index, mask, other = args[:-2], args[-2], args[-1]
            if isinstance(mask, Const):
                if not mask.value:
                    return other
                mask = other = None
        if not self.flatten or node.flat:
            if mask is None and node.masked:
                return self.one(Load(node.buffer, index, flat=node.flat))
            return self.one(replaced(node, args))
        offset = self.offset(node.buffer.shape, index)
        return self.one(Load(node.buffer, (offset,), mask, other, flat=True))

    def offset(self, shape: Sequence[Dim], index: Sequence[Expr]) -> Expr:
        """The row-major element offset of an index."""
        assert len(shape) == len(index), (shape, index)
        total = L.of_dim(0)
        stride: Dim = 1
        for dim, position in zip(reversed(shape), reversed(index), strict=True):
            total = L.add(total, self.form(position), stride)
            stride = stride * dim
        return self.from_form(L.recombine(total))

    def _reduce(self, node: Reduce, body: Expr) -> Expr:
        axes = []
        for axis in node.axes:
            new = self.axes.get(axis, axis)
            # an axis of extent 1 or one joined into its neighbour became a constant
            if isinstance(new, Axis):
                axes.append(new)
        if axes:
            return self.one(Reduce(node.monoid, axes, body, node.dtype))
        if node.monoid in ("argmax", "argmin"):
            return self.one(Const(0, int64))
        return self.one(_cast(Cast(body, node.dtype)))


_DECIDED: dict[str, dict[int, bool]] = {
    "lt": {-1: True, 1: False, 2: False},
    "le": {-1: True, 0: True, 1: False},
    "gt": {1: True, -1: False, 0: False},
    "ge": {1: True, 2: True, -1: False},
}


def _is_prim(node: Expr, name: str) -> bool:
    return isinstance(node, Prim) and node.name == name


def _logic(node: Expr) -> Expr:
    """and, or, not, xor of booleans with a constant; not not x -> x."""
    assert isinstance(node, Prim)
    a, b = node.args[0], node.args[-1]
    if node.name == "not":
        if isinstance(a, Const):
            return Const(not a.value, bool_)
        return a.args[0] if _is_prim(a, "not") else node
    if node.name not in ("and", "or"):
        return node
    if a == b:
        return a
    for this, that in ((a, b), (b, a)):
        if isinstance(this, Const):
            neutral = node.name == "and"
            return that if this.value is neutral else this
    return node


def _select(node: Expr) -> Expr:
    cond, yes, no = node.args
    if isinstance(cond, Const):
        return yes if cond.value else no
    return yes if yes == no else node


def _cast(node: Expr) -> Expr:
    """cast to its own dtype -> x; there and back through a wider type -> x; constants."""
    value = node.args[0]
    if value.dtype is node.dtype:
        return value
    there_and_back = isinstance(value, Cast) and value.args[0].dtype is node.dtype
    if there_and_back and _holds(value.dtype, node.dtype):
        return value.args[0]
    if isinstance(value, Const) and not value.dtype.is_half and not node.dtype.is_half:
        with np.errstate(all="ignore"):
            array = np.asarray(value.value, value.dtype.np).astype(node.dtype.np)
        return Const(array[()], node.dtype)
    return node


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether `wide` holds every value of `narrow` exactly."""
    if wide.kind == narrow.kind and wide.kind in "iuf":
        return wide.size > narrow.size
    if wide.kind == "f" and narrow.kind in "iu":
        return wide.size >= 2 * narrow.size and not wide.is_half
    if wide.kind == "i" and narrow.kind == "u":
        return wide.size > narrow.size
    return narrow.kind == "b" and wide.kind in "iuf"


# ------------------------------------------------------------------ public helpers
def simplify(root: Expr) -> Expr:
    """The same value, index algebra done under 0 <= axis < extent."""
    return Simplifier()(root)


def affine(expr: Expr) -> tuple[dict[Axis, Dim], Expr] | None:
    """(coefficient of each axis, the rest) of an int64 expression; None if it is not affine.

    The rest may hold Locals, loads and any other term in which no axis occurs.
    """
    form = L.quick_linear(expr)
    if form is None:
        return None
    coefs: dict[Axis, Dim] = {}
    rest: dict[Expr, Dim] = {}
    for term, coef in form.terms.items():
        if isinstance(term, Axis):
            coefs[term] = coef
        elif isinstance(term, Local | DimValue) or not free_axes(term):
            rest[term] = coef
        else:
            return None
    return coefs, L.to_expr(Linear(rest, form.const))
