"""Scalar expressions over index variables: the value language of both levels of the kernel IR.

Lives here: the expression nodes, their text form, substitution and traversal helpers. Not here:
what a primitive means (kernel/prims.py), loops (kernel/nest.py). Imports only ir.dtypes, ir.shape.

Expressions are immutable and shared: a DAG, compared by structure, hashed once. All walks are
iterative or memoised on the node, so that shared parts are visited once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, bool_, float32, float64, int32, int64
from graphc.ir.shape import Dim, SymDim


class Buffer:
    """A contiguous row-major array in memory, identified by its key.

    Attributes:
        key: anything hashable; two buffers of one kernel are the same iff their keys are equal.
        dtype: element type as stored.
        shape: dimensions, ints or SymDims.
    """

    __slots__ = ("dtype", "key", "name", "shape")

    def __init__(self, key: Any, dtype: DType, shape: Sequence[Dim], name: str = "") -> None:
        self.key = key
        self.dtype = dtype
        self.shape = tuple(shape)
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Buffer) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.name or f"buf({self.key})"


class Expr:
    """Base of all expressions. `args` are the sub-expressions, `dtype` the element type."""

    __slots__ = ("_hash", "args", "dtype")
    args: tuple[Expr, ...]
    dtype: DType

    def _init(self, dtype: DType, args: tuple[Expr, ...], *identity: Any) -> None:
        self.dtype = dtype
        self.args = args
        self._hash = hash((type(self).__name__, dtype.name, identity, tuple(map(hash, args))))

    def _same(self, other: Any) -> bool:
        """Equality of everything but args and dtype."""
        raise NotImplementedError

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        """This node over other arguments."""
        raise NotImplementedError

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or self._hash != hash(other):
            return False
        stack: list[tuple[Expr, Expr]] = [(self, other)]  # type: ignore[list-item]
        seen: set[tuple[int, int]] = set()
        while stack:
            a, b = stack.pop()
            if a is b or (id(a), id(b)) in seen:
                continue
            seen.add((id(a), id(b)))
            if type(a) is not type(b) or a._hash != b._hash or a.dtype is not b.dtype:
                return False
            if len(a.args) != len(b.args) or not a._same(b):
                return False
            stack.extend(zip(a.args, b.args, strict=True))
        return True

    # Arithmetic on expressions of one dtype; Python numbers take the expression's dtype.
    def __add__(self, other: Any) -> Expr:
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Expr:
        return _binary("add", other, self)

    def __sub__(self, other: Any) -> Expr:
        return _binary("sub", self, other)

    def __rsub__(self, other: Any) -> Expr:
        return _binary("sub", other, self)

    def __mul__(self, other: Any) -> Expr:
        return _binary("mul", self, other)

    def __rmul__(self, other: Any) -> Expr:
        return _binary("mul", other, self)

    def __truediv__(self, other: Any) -> Expr:
        return _binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Expr:
        return _binary("div", other, self)

    def __neg__(self) -> Expr:
        return Prim("neg", (self,), self.dtype)

    def __repr__(self) -> str:
        return text(self)


class Const(Expr):
    """A typed constant; `value` is a Python bool, int or float (NaN compares equal to NaN)."""

    __slots__ = ("value",)

    def __init__(self, value: Any, dtype: DType) -> None:
        if dtype.is_floating:
            value = float(dtype.compute.np.type(value))
        elif dtype.is_integer:
            value = int(value)
        else:
            value = bool(value)
        self.value = value
        self._init(dtype, (), self._bits())

    def _bits(self) -> Any:
        # -0.0 and 0.0 differ, NaN equals itself
        return self.value.hex() if isinstance(self.value, float) else self.value

    def _same(self, other: Any) -> bool:
        return self._bits() == other._bits()

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return self


class Axis(Expr):
    """A loop variable (int64) over [0, extent). Identity is the object's unique number."""

    __slots__ = ("extent", "name", "uid")
    _count = 0

    def __init__(self, extent: Dim, name: str = "") -> None:
        Axis._count += 1
        self.uid = Axis._count
        self.extent = extent
        self.name = name or f"i{self.uid}"
        self._init(int64, (), self.uid)

    def _same(self, other: Any) -> bool:
        return self.uid == other.uid

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return self


class DimValue(Expr):
    """A symbolic dimension as an int64 scalar; it becomes a parameter of the kernel."""

    __slots__ = ("dim",)

    def __init__(self, dim: SymDim) -> None:
        self.dim = dim
        self._init(int64, (), dim)

    def _same(self, other: Any) -> bool:
        return self.dim == other.dim

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return self


class Local(Expr):
    """A named scalar of a loop nest (Level B): the target of a Let, an Accum."""

    __slots__ = ("name",)

    def __init__(self, name: str, dtype: DType) -> None:
        self.name = name
        self._init(dtype, (), name)

    def _same(self, other: Any) -> bool:
        return self.name == other.name

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return self


class Load(Expr):
    """buffer[index], one int64 expression a dimension (Level A) or one flat offset (Level B).

    With a mask, memory is touched only where the mask is true; elsewhere the value is `other`.
    args = (*index) or (*index, mask, other).
    """

    __slots__ = ("buffer", "flat", "masked")

    def __init__(
        self,
        buffer: Buffer,
        index: Sequence[Expr],
        mask: Expr | None = None,
        other: Expr | None = None,
        flat: bool = False,
    ) -> None:
        self.buffer = buffer
        self.masked = mask is not None
        self.flat = flat
        args = tuple(index)
        if mask is not None:
            args += (mask, other if other is not None else Const(0, buffer.dtype))
        self._init(buffer.dtype, args, buffer.key, self.masked, flat)

    @property
    def index(self) -> tuple[Expr, ...]:
        return self.args[:-2] if self.masked else self.args

    @property
    def mask(self) -> Expr | None:
        return self.args[-2] if self.masked else None

    @property
    def other(self) -> Expr | None:
        return self.args[-1] if self.masked else None

    def _same(self, other: Any) -> bool:
        return (
            self.buffer == other.buffer
            and self.masked == other.masked
            and self.flat == other.flat
        )

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        if self.masked:
            return Load(self.buffer, args[:-2], args[-2], args[-1], self.flat)
        return Load(self.buffer, args, flat=self.flat)


class Prim(Expr):
    """A primitive of kernel/prims.py applied to arguments."""

    __slots__ = ("name",)

    def __init__(self, name: str, args: Sequence[Expr], dtype: DType) -> None:
        self.name = name
        self._init(dtype, tuple(args), name)

    def _same(self, other: Any) -> bool:
        return self.name == other.name

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return Prim(self.name, args, self.dtype)


class Cast(Expr):
    """Conversion of the value to another dtype, as NumPy's astype does it."""

    __slots__ = ()

    def __init__(self, value: Expr, dtype: DType) -> None:
        self._init(dtype, (value,))

    def _same(self, other: Any) -> bool:
        return True

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return Cast(args[0], self.dtype)


class Select(Expr):
    """args = (condition, when true, when false). Both sides are evaluated."""

    __slots__ = ()

    def __init__(self, cond: Expr, yes: Expr, no: Expr) -> None:
        self._init(yes.dtype, (cond, yes, no))

    def _same(self, other: Any) -> bool:
        return True

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return Select(*args)


MONOIDS = ("add", "mul", "max", "min", "and", "or", "argmax", "argmin")


class Reduce(Expr):
    """Reduction of `value` over `axes` with a monoid (Level A only).

    dtype is the accumulator's (argmax, argmin: int64, the first position of the extreme along the
    single axis; a NaN wins, as in NumPy). An empty range gives the monoid's identity.
    """

    __slots__ = ("axes", "monoid")

    def __init__(self, monoid: str, axes: Sequence[Axis], value: Expr, dtype: DType) -> None:
        assert monoid in MONOIDS, monoid
        self.monoid = monoid
        self.axes = tuple(axes)
        self._init(dtype, (value,), monoid, tuple(a.uid for a in self.axes))

    def _same(self, other: Any) -> bool:
        return self.monoid == other.monoid and self.axes == other.axes

    def rebuild(self, args: tuple[Expr, ...]) -> Expr:
        return Reduce(self.monoid, self.axes, args[0], self.dtype)


# ------------------------------------------------------------------ building
def const(value: Any, dtype: DType) -> Const:
    return Const(value, dtype)


def index(value: Dim | Expr) -> Expr:
    """A dimension, an int or an index expression as an int64 expression."""
    if isinstance(value, Expr):
        return value
    return DimValue(value) if isinstance(value, SymDim) else Const(value, int64)


def lift(value: Any, like: Expr) -> Expr:
    """A Python number as a constant of `like`'s dtype; expressions pass."""
    return value if isinstance(value, Expr) else Const(value, like.dtype)


_LOGICAL = {"eq", "ne", "lt", "le", "gt", "ge"}


def _binary(name: str, a: Any, b: Any) -> Expr:
    if not isinstance(a, Expr):
        a = lift(a, b)
    if not isinstance(b, Expr):
        b = lift(b, a)
    if a.dtype is not b.dtype:
        raise TypeError(f"{name}: operands differ in dtype: {a.dtype.name}, {b.dtype.name}")
    if a.dtype is int64:
        folded = _fold_index(name, a, b)
        if folded is not None:
            return folded
    return Prim(name, (a, b), bool_ if name in _LOGICAL else a.dtype)


def _fold_index(name: str, a: Expr, b: Expr) -> Expr | None:
    """x + 0, x * 1, c + c, dim arithmetic on int64, so that index maps stay small."""
    left = a.value if isinstance(a, Const) else a.dim if isinstance(a, DimValue) else None
    right = b.value if isinstance(b, Const) else b.dim if isinstance(b, DimValue) else None
    if left is not None and right is not None:
        if name == "add":
            return index(left + right)
        if name == "sub":
            return index(left - right)
        if name == "mul":
            return index(left * right)
        return None
    if name in ("add", "sub") and right == 0 and isinstance(b, Const):
        return a
    if name == "add" and left == 0 and isinstance(a, Const):
        return b
    if name == "mul":
        for this, other in ((left, b), (right, a)):
            if this == 1:
                return other
            if this == 0 and not isinstance(this, SymDim):
                return Const(0, int64)
    return None


# ------------------------------------------------------------------ traversal
def postorder(*roots: Expr) -> list[Expr]:
    """Every distinct expression under the roots, arguments first."""
    out: list[Expr] = []
    seen: set[int] = set()
    stack = list(reversed(roots))
    while stack:
        node = stack[-1]
        if id(node) in seen:
            stack.pop()
            continue
        # most arguments are leaves, and nodes have few: looking again is cheaper than remembering
        for arg in node.args:
            if id(arg) not in seen:
                if arg.args:
                    stack.append(arg)
                    break
                seen.add(id(arg))
                out.append(arg)
        else:
            stack.pop()
            seen.add(id(node))
            out.append(node)
    return out


def transform(root: Expr, fn: Callable[[Expr, tuple[Expr, ...]], Expr]) -> Expr:
    """Rebuild bottom-up: fn(node, new args) -> new node, once for each shared node."""
    new: dict[int, Expr] = {}
    for node in postorder(root):
        new[id(node)] = fn(node, tuple([new[id(a)] for a in node.args]))
    return new[id(root)]


def replaced(node: Expr, args: tuple[Expr, ...]) -> Expr:
    """The node itself when its arguments did not change, otherwise rebuilt."""
    same = len(args) == len(node.args) and all(map(operator.is_, args, node.args))
    return node if same else node.rebuild(args)


def substitute(root: Expr, mapping: dict[Expr, Expr]) -> Expr:
    """Replace expressions (axes, mostly) by others, everywhere."""

    def step(node: Expr, args: tuple[Expr, ...]) -> Expr:
        found = mapping.get(node)
        return found if found is not None else replaced(node, args)

    return transform(root, step) if mapping else root


def free_axes(root: Expr) -> set[Axis]:
    """The axes that occur and are not bound by a Reduce inside."""
    free: dict[int, frozenset[Axis]] = {}
    for node in postorder(root):
        own: set[Axis] = set()
        for arg in node.args:
            own |= free[id(arg)]
        if isinstance(node, Axis):
            own.add(node)
        if isinstance(node, Reduce):
            own -= set(node.axes)
        free[id(node)] = frozenset(own)
    return set(free[id(root)])


def loads(*roots: Expr) -> Iterator[Load]:
    return (node for node in postorder(*roots) if isinstance(node, Load))


# ------------------------------------------------------------------ text
def const_text(value: Any, dtype: DType) -> str:
    if isinstance(value, float):
        if np.isnan(value):
            return "nan"
        if np.isinf(value):
            return "inf" if value > 0 else "-inf"
        return repr(float(dtype.np.type(value))) if dtype in (float32, float64) else repr(value)
    return str(value)


_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "eq": "==", "ne": "!=", "and": "&", "or": "|",
}  # fmt: skip


def text(root: Expr) -> str:
    """The expression on one line, for dumps and golden tests."""
    out: dict[int, str] = {}
    for node in postorder(root):
        out[id(node)] = _text(node, [out[id(a)] for a in node.args])
    return out[id(root)]


def _text(node: Expr, args: list[str]) -> str:
    if isinstance(node, Const):
        suffix = "" if node.dtype in (float32, int64, int32, bool_) else f":{node.dtype.name}"
        return const_text(node.value, node.dtype) + suffix
    if isinstance(node, Axis | Local):
        return node.name
    if isinstance(node, DimValue):
        return f"[{node.dim}]"
    if isinstance(node, Load):
        if node.masked:
            return f"{node.buffer!r}[{', '.join(args[:-2])} if {args[-2]} else {args[-1]}]"
        return f"{node.buffer!r}[{', '.join(args)}]"
    if isinstance(node, Cast):
        return f"{node.dtype.name}({args[0]})"
    if isinstance(node, Select):
        return f"select({', '.join(args)})"
    if isinstance(node, Reduce):
        return f"{node.monoid}({', '.join(a.name for a in node.axes)}: {args[0]})"
    assert isinstance(node, Prim)
    if node.name == "bitcast":
        # the one primitive whose dtype does not follow from its arguments
        return f"bitcast_{node.dtype.name}({args[0]})"
    if node.name in _INFIX and len(args) == 2:
        return f"({args[0]} {_INFIX[node.name]} {args[1]})"
    return f"{node.name}({', '.join(args)})"
