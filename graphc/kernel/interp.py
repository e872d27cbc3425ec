"""The interpreter: runs a Kernel on NumPy arrays as its statements say; evaluates Computes.

Lives here: run (Level B, the oracle of the printers), evaluate (Level A, the oracle of lowering).
Not here: speed. Tests and the reference backend import this module.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, float32
from graphc.ir.shape import evaluate as dim_value
from graphc.kernel.compute import Compute
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Cast,
    Const,
    DimValue,
    Expr,
    Load,
    Local,
    Prim,
    Reduce,
    Select,
    postorder,
)
from graphc.kernel.nest import FLAG_DIV, FLAG_INDEX, Accum, For, Kernel, Let, Stmt, Store, Update
from graphc.kernel.prims import TABLE

Arrays = Mapping[Buffer, np.ndarray[Any, Any]]
_UFUNC = {
    "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum,
    "and": np.bitwise_and, "or": np.bitwise_or,
}  # fmt: skip


def identity(monoid: str, dtype: DType) -> Any:
    """The value that an accumulator starts with; for argmax and argmin that of the extreme."""
    if monoid in ("add", "or"):
        value: Any = 0
    elif monoid == "mul":
        value = 1
    elif monoid == "and":
        value = dtype.kind == "b" or (-1 if dtype.kind == "i" else dtype.max)
    elif monoid in ("max", "argmax"):
        value = -np.inf if dtype.is_floating else dtype.min
    else:
        value = np.inf if dtype.is_floating else dtype.max
    return dtype.np.type(value)


def combine(monoid: str, dtype: DType, a: Any, b: Any) -> Any:
    result = _UFUNC[monoid](a, b)
    return result if result.dtype == dtype.np else result.astype(dtype.np)


def better(monoid: str, new: Any, old: Any) -> Any:
    """Whether `new` displaces `old` as the extreme: a NaN wins over all but an earlier NaN."""
    won = new > old if monoid == "argmax" else new < old
    if np.asarray(new).dtype.kind == "f":
        won = won | (np.isnan(new) & ~np.isnan(old))
    return won


# ------------------------------------------------------------------ one expression
class _Evaluator:
    """Evaluates one node from its arguments; counts what it flags."""

    def __init__(self, arrays: Arrays, dims: Mapping[str, int]) -> None:
        self.arrays = {b: np.asarray(a).reshape(-1) for b, a in arrays.items()}
        self.dims = dims
        self.status = 0

    def node(self, node: Expr, args: Sequence[Any]) -> Any:
        if isinstance(node, Const):
            return node.dtype.np.type(node.value)
        if isinstance(node, DimValue):
            return np.int64(dim_value(node.dim, self.dims))
        if isinstance(node, Cast):
            return np.asarray(args[0]).astype(node.dtype.np)[()]
        if isinstance(node, Select):
            return np.where(*args)[()]
        if isinstance(node, Load):
            return self._load(node, args)
        assert isinstance(node, Prim), node
        return self._prim(node, args)

    def _prim(self, node: Prim, args: Sequence[Any]) -> Any:
        if node.name == "bitcast":
            return np.asarray(args[0]).view(node.dtype.np)[()]
        if node.name == "check_index":
            index, extent = args
            if np.any((index < 0) | (index >= extent)):
                self.status |= FLAG_INDEX
        elif TABLE[node.name].effect == "div" and np.any(args[1] == 0):
            self.status |= FLAG_DIV
        result = np.asarray(TABLE[node.name].numpy(*args))
        if result.dtype != node.dtype.np:
            result = result.astype(node.dtype.np)
        return result[()]

    def _load(self, node: Load, args: Sequence[Any]) -> Any:
        data = self.arrays[node.buffer]
        index = args[:-2] if node.masked else args
        offset: Any = np.int64(0)
        if node.flat:
            offset = index[0]
        else:
            for position, dim in zip(index, node.buffer.shape, strict=True):
                extent = dim_value(dim, self.dims)
                inside = (position >= 0) & (position < extent)
                if node.masked:
                    inside = inside | ~args[-2]
                if not np.all(inside):
                    raise IndexError(f"{node!r}: index {position} of extent {extent}")
                offset = offset * extent + position
        if not node.masked:
            return data[self._inside(node, offset, data.size)]
        mask, other = args[-2:]
        safe = np.where(mask, offset, 0)
        if not np.any(mask):
            return np.broadcast_to(other, np.broadcast_shapes(safe.shape, np.shape(other)))[()]
        return np.where(mask, data[self._inside(node, safe, data.size)], other)[()]

    def _inside(self, node: Load, offset: Any, size: int) -> Any:
        if np.any(offset < 0) or np.any(offset >= size):
            raise IndexError(f"{node!r}: offset {offset} of {size} elements")
        return offset


# ------------------------------------------------------------------ Level B
class _Machine(_Evaluator):
    def __init__(self, arrays: Arrays, dims: Mapping[str, int], lo: int, hi: int) -> None:
        super().__init__(arrays, dims)
        self.range = (lo, hi)
        self.values: dict[Expr, Any] = {}
        self.accums: dict[Local, Accum] = {}
        self.active = 0  # lanes in use in the current step of a reducing loop

    def expr(self, root: Expr) -> Any:
        done: dict[int, Any] = {}
        for node in postorder(root):
            if isinstance(node, Axis | Local):
                done[id(node)] = self.values[node]
            else:
                done[id(node)] = self.node(node, [done[id(a)] for a in node.args])
        return done[id(root)]

    def block(self, body: Sequence[Stmt]) -> None:
        for stmt in body:
            if isinstance(stmt, Let):
                self.values[stmt.local] = self.expr(stmt.value)
            elif isinstance(stmt, Accum):
                self._declare(stmt)
            elif isinstance(stmt, Update):
                self._update(stmt)
            elif isinstance(stmt, Store):
                self._store(stmt)
            else:
                self._loop(stmt)

    def _declare(self, stmt: Accum) -> None:
        self.accums[stmt.local] = stmt
        if stmt.best is None:
            self.values[stmt.local] = identity(stmt.monoid, stmt.dtype)
        else:
            self.values[stmt.local] = np.int64(0)
            self.values[stmt.best] = identity(stmt.monoid, stmt.best.dtype)

    def _update(self, stmt: Update) -> None:
        accum = self.accums[stmt.local]
        value = self.expr(stmt.value)
        if accum.best is None:
            old = self.values[stmt.local]
            self.values[stmt.local] = self._lanes(old, value, accum)
            return
        assert stmt.position is not None
        position = self.expr(stmt.position)
        old, best = self.values[stmt.local], self.values[accum.best]
        if self.active and np.ndim(best) and self.active < len(best):
            self._extreme(accum, value, position, slice(0, self.active))
            return
        won = better(accum.monoid, value, best)
        self.values[accum.best] = np.where(won, value, best)[()]
        self.values[stmt.local] = np.where(won, position, old)[()]

    def _extreme(self, accum: Accum, value: Any, position: Any, part: slice) -> None:
        assert accum.best is not None
        best, old = self.values[accum.best].copy(), self.values[accum.local].copy()
        won = better(accum.monoid, value, best[part])
        best[part] = np.where(won, value, best[part])
        old[part] = np.where(won, position, old[part])
        self.values[accum.best], self.values[accum.local] = best, old

    def _lanes(self, old: Any, value: Any, accum: Accum) -> Any:
        width = self.active
        if width and np.ndim(old) and width < len(old):
            # the masked tail: the lanes behind keep what they have
            out = old.copy()
            out[:width] = combine(accum.monoid, accum.dtype, old[:width], value)
            return out
        return combine(accum.monoid, accum.dtype, old, value)

    def _store(self, stmt: Store) -> None:
        offset, value = self.expr(stmt.offset), self.expr(stmt.value)
        data = self.arrays[stmt.buffer]
        if np.any(offset < 0) or np.any(offset >= data.size):
            raise IndexError(f"store to {stmt.buffer!r}[{offset}] of {data.size} elements")
        data[offset] = value

    def _loop(self, loop: For) -> None:
        lo, hi = self.range
        if loop.kind != "parallel":
            lo, hi = int(self.expr(loop.lo)), int(self.expr(loop.hi))
        if loop.reduces:
            self._reducing(loop, lo, hi)
        elif loop.lanes > 1:
            # elements do not depend on each other: all lanes of all steps at once
            if lo < hi:
                self.values[loop.axis] = np.arange(lo, hi, dtype=np.int64)
                self.block(loop.body)
        else:
            for n in range(lo, hi):
                self.values[loop.axis] = np.int64(n)
                self.block(loop.body)

    def _reducing(self, loop: For, lo: int, hi: int) -> None:
        before = {local: self.values[local] for local in loop.reduces}
        for local in loop.reduces:
            accum = self.accums[local]
            if accum.best is None:
                start = identity(accum.monoid, accum.dtype)
                self.values[local] = np.full(loop.lanes, start, accum.dtype.np)
            else:
                before[accum.best] = self.values[accum.best]
                start = identity(accum.monoid, accum.best.dtype)
                self.values[accum.best] = np.full(loop.lanes, start, accum.best.dtype.np)
                self.values[local] = np.zeros(loop.lanes, np.int64)
        for first in range(lo, hi, loop.lanes):
            last = min(first + loop.lanes, hi)
            self.values[loop.axis] = np.arange(first, last, dtype=np.int64)
            self.active = last - first
            self.block(loop.body)
        self.active = 0
        for local in loop.reduces:
            self._join(self.accums[local], before)

    def _join(self, accum: Accum, before: Mapping[Local, Any]) -> None:
        """The lanes in a tree: the upper half onto the lower half until one is left."""
        local = accum.local
        if accum.best is None:
            lanes = self.values[local]
            while len(lanes) > 1:
                half = len(lanes) // 2
                lanes = combine(accum.monoid, accum.dtype, lanes[:half], lanes[half:])
            self.values[local] = combine(accum.monoid, accum.dtype, before[local], lanes[0])
            return
        best, where = before[accum.best], before[local]
        for value, position in zip(self.values[accum.best], self.values[local], strict=True):
            tie = value == best or (value != value and best != best)
            if better(accum.monoid, value, best) or (tie and position < where):
                best, where = value, position
        self.values[accum.best], self.values[local] = best, where


def run(
    kernel: Kernel,
    arrays: MutableMapping[Buffer, np.ndarray[Any, Any]],
    dims: Mapping[str, int],
    lo: int | None = None,
    hi: int | None = None,
) -> int:
    """Run a kernel, or the part [lo, hi) of its parallel loop.

    Args:
        arrays: contiguous arrays, flat or shaped, for all buffers; outputs are written.
        dims: the values of the symbols.

    Returns:
        The status word: 0, or FLAG_INDEX and FLAG_DIV joined by or.

    Raises:
        IndexError: a load or store left its buffer.
    """
    for buffer in kernel.buffers:
        if not arrays[buffer].flags.c_contiguous:
            raise ValueError(f"{buffer!r} is not contiguous")
    extent = dim_value(kernel.extent, dims)
    rows = {b: np.empty(dim_value(b.shape[0], dims), b.dtype.np) for b in kernel.rows}
    part = (0 if lo is None else lo, extent if hi is None else hi)
    machine = _Machine({**arrays, **rows}, dims, *part)
    with np.errstate(all="ignore"):
        machine.block(kernel.body)
    return machine.status


# ------------------------------------------------------------------ Level A
def evaluate(
    compute: Compute, arrays: Arrays, dims: Mapping[str, int] | None = None
) -> np.ndarray[Any, Any]:
    """All elements of a Compute with NumPy over the whole iteration space.

    Sums of float32 are added in float64 and rounded once.
    """
    dims = dims or {}
    extents = [dim_value(a.extent, dims) for a in compute.axes]
    env: dict[int, Any] = {}
    rank = len(extents)
    for n, (axis, extent) in enumerate(zip(compute.axes, extents, strict=True)):
        shape = [1] * rank
        shape[n] = extent
        env[id(axis)] = np.arange(extent, dtype=np.int64).reshape(shape)
    evaluator = _Evaluator(arrays, dims)
    with np.errstate(all="ignore"):
        value = _grid(compute.value, env, rank, evaluator)
    return np.array(np.broadcast_to(value, extents), dtype=compute.buffer.dtype.np)


def _grid(root: Expr, env: dict[int, Any], rank: int, evaluator: _Evaluator) -> Any:
    """The value of root over the grid of the axes in env; reduce axes are leading dimensions."""
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in env:
            stack.pop()
            continue
        if isinstance(node, Reduce):
            stack.pop()
            env[id(node)] = _reduced(node, env, rank, evaluator)
            continue
        missing = [a for a in node.args if id(a) not in env]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        env[id(node)] = evaluator.node(node, [env[id(a)] for a in node.args])
    return env[id(root)]


def _reduced(node: Reduce, env: dict[int, Any], rank: int, evaluator: _Evaluator) -> Any:
    inner = dict(env)
    lead: list[int] = []
    for n, axis in enumerate(reversed(node.axes)):
        extent = dim_value(axis.extent, evaluator.dims)
        lead.insert(0, extent)
        inner[id(axis)] = np.arange(extent, dtype=np.int64).reshape((extent,) + (1,) * (rank + n))
    value = np.asarray(_grid(node.args[0], inner, rank + len(lead), evaluator))
    shape = (1,) * (rank + len(lead) - value.ndim) + value.shape
    value = value.reshape(shape)
    full = (*lead, *value.shape[len(lead) :])
    value = np.broadcast_to(value, full)
    axes = tuple(range(len(lead)))
    if node.monoid in ("argmax", "argmin"):
        if full[0] == 0:
            return np.zeros(full[1:], np.int64)
        return getattr(np, node.monoid)(value, axis=0).astype(np.int64)
    wide = np.dtype(np.float64) if node.dtype is float32 else node.dtype.np
    start = wide.type(identity(node.monoid, node.dtype))
    total = _UFUNC[node.monoid].reduce(value.astype(wide), axis=axes, initial=start)
    return np.asarray(total).astype(node.dtype.np)[()]


__all__ = ["better", "combine", "evaluate", "identity", "run"]
