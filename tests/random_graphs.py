"""Random graphs: programs of a few ops over small tensors, valid at two batch sizes.

Lives here: RandomGraph. Every step is evaluated by NumPy at both batch sizes while the graph is
built, so that only valid calls are made and values stay tame. Not here: what is compared
(test_random_graphs.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.autodiff.gradients import gradients
from graphc.autodiff.indexed_slices import as_dense
from graphc.errors import OpError
from graphc.ir.dtypes import DType, float64, int32
from graphc.ir.graph import Graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.runtime.backends.reference import evaluate_node
from tests.helpers import Array, const, placeholder, total

BATCHES = (5, 7)
TAME = 50.0  # larger values are squashed: rounding errors stay small
MAX_ELEMENTS = 600


class Invalid(Exception):
    """The step drawn does not fit the tensors drawn."""


@dataclass(eq=False)
class Value:
    """A tensor and its arrays at the two batch sizes."""

    tensor: Tensor
    arrays: tuple[Array, Array]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.arrays[0].shape

    @property
    def rank(self) -> int:
        return self.arrays[0].ndim

    def fixed(self, axis: int) -> bool:
        """Whether the extent does not depend on the batch."""
        return self.arrays[0].shape[axis] == self.arrays[1].shape[axis]


@dataclass
class RandomGraph:
    """One graph. `feeds` are by batch size; `fetches` what is compared."""

    seed: int
    dtype: DType = float64
    with_gradients: bool = True
    batches: tuple[int, int] = BATCHES
    extents: tuple[int, ...] = (1, 2, 3, 4)
    max_elements: int = MAX_ELEMENTS
    graph: Graph = field(default_factory=Graph)
    feeds: tuple[dict[Tensor, Array], dict[Tensor, Array]] = field(default_factory=lambda: ({}, {}))
    values: list[Value] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        with self.graph.as_default():
            self._inputs()
            count = int(self.rng.integers(3, 23))
            while len(self.steps) < count:
                self._step()
            self.fetches = self._fetches()
            self.tame = self._settled()

    # ------------------------------------------------------------ drawing
    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def any(self) -> Value:
        """A tensor; recent ones more often."""
        if self.rng.random() < 0.6:
            return self.pick(self.values[-4:])
        return self.pick(self.values)

    def coin(self, p: float = 0.5) -> bool:
        return bool(self.rng.random() < p)

    def axis(self, x: Value, fixed: bool = False) -> int:
        axes = [a for a in range(x.rank) if not fixed or x.fixed(a)]
        if not axes:
            raise Invalid
        return int(self.pick(axes))

    def small(self, dtype: Any, *shape: int) -> Tensor:
        return const(self.rng.uniform(-1.5, 1.5, shape), dtype)

    def _inputs(self) -> None:
        for _ in range(int(self.rng.integers(1, 4))):
            rank = int(self.rng.integers(0, 4))
            dims = [int(self.pick(self.extents)) for _ in range(rank)]
            batch = int(self.rng.integers(rank)) if rank and self.coin(0.75) else -1
            tensor = placeholder(
                self.dtype, [None if k == batch else d for k, d in enumerate(dims)]
            )
            arrays = []
            for which, size in enumerate(self.batches):
                shape = [size if k == batch else d for k, d in enumerate(dims)]
                array = self.rng.uniform(-2, 2, shape).astype(self.dtype.np)
                self.feeds[which][tensor] = array
                arrays.append(array)
            self.values.append(Value(tensor, (arrays[0], arrays[1])))

    # ------------------------------------------------------------ steps
    def _step(self) -> None:
        name, make = self.pick(STEPS)
        known = {v.tensor: v.arrays for v in self.values}
        try:
            made = make(self, self.any())
        except (Invalid, OpError, ValueError):
            return  # the nodes made so far stay in the graph, unused
        for tensor in made if isinstance(made, list) else [made]:
            self._add(name, tensor, known)

    def _add(self, name: str, tensor: Tensor, known: dict[Tensor, tuple[Array, Array]]) -> None:
        try:
            arrays = tuple(self._evaluate(tensor, known, which) for which in (0, 1))
        except (OpError, ValueError, IndexError):
            return
        if max(a.size for a in arrays) > self.max_elements or arrays[0].ndim > 5:
            return
        if any(np.abs(a).max(initial=0.0) > TAME or not np.isfinite(a).all() for a in arrays):
            tensor = F.tanh(F.multiply(tensor, const(1.0 / TAME, self.dtype)))
            arrays = tuple(np.tanh(a / TAME).astype(self.dtype.np) for a in arrays)
            if not all(np.isfinite(a).all() for a in arrays):
                return
        self.steps.append(name)
        self.values.append(Value(tensor, (arrays[0], arrays[1])))

    def _evaluate(self, tensor: Tensor, known: Any, which: int) -> Array:
        memo: dict[Tensor, Array] = {t: a[which] for t, a in known.items()}
        stack = [tensor]
        while stack:
            top = stack[-1]
            if top in memo:
                stack.pop()
                continue
            waiting = [t for t in top.node.inputs if t not in memo]
            if waiting:
                stack.extend(waiting)
                continue
            outs = evaluate_node(top.node, [memo[t] for t in top.node.inputs])
            memo.update(zip(top.node.outputs, outs, strict=True))
            stack.pop()
        return memo[tensor]

    # ------------------------------------------------------------ what is compared
    def _fetches(self) -> list[Tensor]:
        made = [v.tensor for v in self.values[len(self.feeds[0]) :]]
        count = min(len(made), int(self.rng.integers(1, 5)))
        picked = {made[-1]: None} if made else {}
        while len(picked) < count:
            picked[self.pick(made)] = None
        fetches = list(picked)
        if self.with_gradients and made:
            fetches += self._gradients()
        return fetches

    def _gradients(self) -> list[Tensor]:
        target = self.values[-1].tensor
        loss = F.add(total(F.square(target)), total(self.any().tensor))
        sources = list(self.feeds[0])
        found = [as_dense(g) for g in gradients(loss, sources) if g is not None]
        return [loss, *found]

    def _settled(self) -> bool:
        """Whether all results are finite and of ordinary size at both batch sizes."""
        for which in (0, 1):
            known = {t: (a, a) for t, a in self.feeds[which].items()}
            for tensor in self.fetches:
                array = self._evaluate(tensor, known, 0)
                if not np.isfinite(array).all() or np.abs(array).max(initial=0.0) > 1e6:
                    return False
        return True


# ------------------------------------------------------------------ the steps
Make = Callable[[RandomGraph, Value], Any]
STEPS: list[tuple[str, Make]] = []


def step(weight: int = 1) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        STEPS.extend([(make.__name__, make)] * weight)
        return make

    return register


UNARY = (
    "tanh", "sigmoid", "sin", "cos", "square", "abs", "negative", "relu", "softplus", "elu", "atan",
    "softsign", "relu6", "identity", "stop_gradient", "erf", "round", "sign", "floor",
)  # fmt: skip


@step(6)
def unary(g: RandomGraph, x: Value) -> Tensor:
    return getattr(F, g.pick(UNARY))(x.tensor)


@step(2)
def guarded_unary(g: RandomGraph, x: Value) -> Tensor:
    """Functions with a domain, over values that are in it."""
    inside = F.add(F.square(x.tensor), const(0.5, g.dtype))
    name = g.pick(("log", "sqrt", "rsqrt", "reciprocal", "log1p"))
    return getattr(F, name)(inside)


@step(1)
def exponential(g: RandomGraph, x: Value) -> Tensor:
    return F.exp(F.multiply(F.tanh(x.tensor), const(2.0, g.dtype)))


@step(8)
def binary(g: RandomGraph, x: Value) -> Tensor:
    name = g.pick(
        (
            "add",
            "subtract",
            "multiply",
            "maximum",
            "minimum",
            "squared_difference",
            "add",
            "multiply",
        )
    )
    a, b = (x, g.any()) if g.coin() else (g.any(), x)
    return getattr(F, name)(a.tensor, b.tensor)


@step(2)
def with_constant(g: RandomGraph, x: Value) -> Tensor:
    name = g.pick(("add", "subtract", "multiply", "divide", "maximum", "pow"))
    if name == "pow":
        return F.pow(x.tensor, const(g.pick((1.0, 2.0, 3.0)), g.dtype))
    value = const(g.pick((0.0, 1.0, 2.0, -1.0, 0.5, -3.0)) or 1.0, g.dtype)
    if name == "divide" or g.coin():
        return getattr(F, name)(x.tensor, value)
    return getattr(F, name)(value, x.tensor)


@step(2)
def division(g: RandomGraph, x: Value) -> Tensor:
    other = F.add(F.square(g.any().tensor), const(0.5, g.dtype))
    return F.divide(x.tensor, other)


@step(2)
def selection(g: RandomGraph, x: Value) -> Tensor:
    other = g.any()
    test = getattr(F, g.pick(("greater", "less_equal")))(x.tensor, const(0.137, g.dtype))
    return F.select_v2(test, x.tensor, other.tensor)


@step(1)
def by_mask(g: RandomGraph, x: Value) -> Tensor:
    mask = F.logical_and(
        F.greater(x.tensor, const(-1.037, g.dtype)), F.less(x.tensor, const(0.937, g.dtype))
    )
    return F.multiply(F.cast(mask, dtype=g.dtype), x.tensor)


@step(1)
def through_integers(g: RandomGraph, x: Value) -> Tensor:
    """Rounded to integers away from ties, some integer arithmetic, back."""
    whole = F.cast(F.multiply(F.tanh(x.tensor), const(3.3, g.dtype)), dtype=int32)
    name = g.pick(("add", "multiply", "maximum", "floordiv", "floormod"))
    return F.cast(getattr(F, name)(whole, const(g.pick((2, 3, 5)), int32)), dtype=g.dtype)


@step(5)
def reduce(g: RandomGraph, x: Value) -> Tensor:
    name = g.pick(
        ("reduce_sum", "reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_logsumexp",
         "reduce_prod")
    )  # fmt: skip
    axes: tuple[int, ...] | None = None
    if g.coin(0.85):
        axes = tuple(a for a in range(x.rank) if g.coin())
        if not axes and not x.rank:
            raise Invalid
        axes = tuple(a - x.rank if g.coin(0.3) else a for a in axes)
    return getattr(F, name)(x.tensor, axes=axes, keepdims=g.coin())


@step(2)
def softmaxes(g: RandomGraph, x: Value) -> Tensor:
    if not x.rank:
        raise Invalid
    return getattr(F, g.pick(("softmax", "log_softmax")))(x.tensor)


@step(1)
def hand_softmax(g: RandomGraph, x: Value) -> Tensor:
    axes = (g.axis(x),)
    top = F.reduce_max(x.tensor, axes=axes, keepdims=True)
    power = F.exp(F.subtract(x.tensor, top))
    return F.divide(power, F.reduce_sum(power, axes=axes, keepdims=True))


@step(1)
def normalized(g: RandomGraph, x: Value) -> Tensor:
    axes = (g.axis(x),)
    mean = F.reduce_mean(x.tensor, axes=axes, keepdims=True)
    variance = F.reduce_mean(F.squared_difference(x.tensor, mean), axes=axes, keepdims=True)
    return F.multiply(F.subtract(x.tensor, mean), F.rsqrt(F.add(variance, const(0.1, g.dtype))))


@step(2)
def transpose(g: RandomGraph, x: Value) -> Tensor:
    return F.transpose(x.tensor, perm=tuple(int(p) for p in g.rng.permutation(x.rank)))


@step(3)
def reshape(g: RandomGraph, x: Value) -> Tensor:
    if x.rank < 2 or g.coin(0.3):
        return F.reshape(x.tensor, const([-1], int32))
    at = int(g.rng.integers(x.rank - 1))
    shape = F.shape(x.tensor)
    parts = [F.gather(shape, const(k, int32), axis=0, batch_dims=0) for k in range(x.rank)]
    merged = [*parts[:at], F.multiply(parts[at], parts[at + 1]), *parts[at + 2 :]]
    return F.reshape(x.tensor, F.stack(*merged, axis=0))


@step(1)
def split_axis(g: RandomGraph, x: Value) -> Tensor:
    axis = g.axis(x, fixed=True)
    size = x.shape[axis]
    if size not in (2, 4):
        raise Invalid
    shape = [d if x.fixed(k) else -1 for k, d in enumerate(x.shape)]
    if shape.count(-1) > 1:
        raise Invalid
    new = [*shape[:axis], 2, size // 2, *shape[axis + 1 :]]
    return F.reshape(x.tensor, const(new, int32))


@step(2)
def unit_axes(g: RandomGraph, x: Value) -> Tensor:
    ones = [k for k, d in enumerate(x.shape) if d == 1 and x.fixed(k)]
    if ones and g.coin(0.4):
        return F.squeeze(x.tensor, axes=(int(g.pick(ones)),))
    return F.expand_dims(x.tensor, axis=int(g.rng.integers(-x.rank - 1, x.rank + 1)))


@step(2)
def strided(g: RandomGraph, x: Value) -> Tensor:
    begin, end, strides = [], [], []
    begin_mask = end_mask = 0
    for k in range(x.rank):
        size = x.shape[k]
        if not x.fixed(k) or g.coin(0.4):
            back = g.coin(0.3)
            begin_mask |= 1 << k
            end_mask |= 1 << k
            begin.append(0)
            end.append(0)
            strides.append(-1 if back else 1)
            continue
        first = int(g.rng.integers(size))
        begin.append(first)
        end.append(int(g.rng.integers(first + 1, size + 1)))
        strides.append(int(g.pick((1, 2))))
    if not begin:
        raise Invalid
    return F.strided_slice(
        x.tensor, const(begin, int32), const(end, int32), const(strides, int32),
        begin_mask=begin_mask, end_mask=end_mask,
    )  # fmt: skip


@step(1)
def reverse(g: RandomGraph, x: Value) -> Tensor:
    return F.reverse(x.tensor, axes=(g.axis(x),))


@step(2)
def concat(g: RandomGraph, x: Value) -> Tensor:
    axis = g.axis(x)
    others = [v for v in g.values if v.rank == x.rank]
    parts = [x.tensor] + [g.pick(others).tensor for _ in range(int(g.rng.integers(1, 3)))]
    return F.concat(*parts, axis=axis)


@step(1)
def stack(g: RandomGraph, x: Value) -> Tensor:
    same = [v for v in g.values if v.shape == x.shape]
    return F.stack(x.tensor, g.pick(same).tensor, axis=int(g.rng.integers(-1, x.rank + 1)))


@step(1)
def split(g: RandomGraph, x: Value) -> list[Tensor]:
    axis = g.axis(x, fixed=True)
    if x.shape[axis] not in (2, 4):
        raise Invalid
    return list(F.split(x.tensor, axis=axis, num=2))


@step(1)
def unstack(g: RandomGraph, x: Value) -> list[Tensor]:
    axis = g.axis(x, fixed=True)
    if not 2 <= x.shape[axis] <= 3:
        raise Invalid
    return list(F.unstack(x.tensor, num=x.shape[axis], axis=axis))


@step(1)
def pad(g: RandomGraph, x: Value) -> Tensor:
    if not x.rank:
        raise Invalid
    amounts = g.rng.integers(0, 3, (x.rank, 2)) * (g.rng.random((x.rank, 1)) < 0.5)
    return F.pad(x.tensor, const(amounts.tolist(), int32), const(0.5, g.dtype))


@step(1)
def tile(g: RandomGraph, x: Value) -> Tensor:
    if not x.rank:
        raise Invalid
    return F.tile(x.tensor, const([int(g.pick((1, 1, 2))) for _ in range(x.rank)], int32))


@step(1)
def broadcast(g: RandomGraph, x: Value) -> Tensor:
    return F.broadcast_to(x.tensor, F.shape(g.any().tensor))


@step(2)
def matmul(g: RandomGraph, x: Value) -> Tensor:
    if x.rank < 2:
        raise Invalid
    flip = g.coin(0.3)
    inner = -2 if flip else -1
    if not x.fixed(x.rank + inner):
        raise Invalid
    width = int(g.pick((1, 2, 3, 4)))
    turned = g.coin(0.3)
    size = x.shape[inner]
    weights = g.small(g.dtype, *((width, size) if turned else (size, width)))
    if x.rank > 2:
        shape = np.ones(x.rank - 2, int).tolist()
        weights = F.reshape(weights, const([*shape, *weights.shape.as_list()], int32))
    return F.matmul(x.tensor, weights, transpose_a=flip, transpose_b=turned)


@step(1)
def gram(g: RandomGraph, x: Value) -> Tensor:
    if x.rank < 2:
        raise Invalid
    return F.matmul(x.tensor, x.tensor, transpose_a=False, transpose_b=True)


@step(2)
def gather(g: RandomGraph, x: Value) -> Tensor:
    axis = g.axis(x, fixed=True)
    shape = [int(g.pick((1, 2, 3))) for _ in range(int(g.rng.integers(0, 3)))]
    rows = g.rng.integers(0, x.shape[axis], shape)
    return F.gather(x.tensor, const(rows, int32), axis=axis, batch_dims=0)


@step(1)
def one_hot(g: RandomGraph, x: Value) -> Tensor:
    axis = g.axis(x)
    for array in x.arrays:
        gaps = np.diff(np.sort(array, axis), axis=axis)
        if gaps.size and (gaps.take(-1, axis) < 1e-6).any():
            raise Invalid  # equal up to rounding: any of them may be the largest
    best = F.argmax(x.tensor, axis=axis)
    on, off = const(1.5, g.dtype), const(-0.5, g.dtype)
    return F.one_hot(best, const(3, int32), on, off, axis=g.pick((-1, 0)))


@step(1)
def cumsum(g: RandomGraph, x: Value) -> Tensor:
    return F.cumsum(x.tensor, axis=g.axis(x), exclusive=g.coin(), reverse=g.coin())


@step(1)
def shapes_as_numbers(g: RandomGraph, x: Value) -> Tensor:
    return F.multiply(x.tensor, F.cast(F.size(x.tensor), dtype=g.dtype))


@step(1)
def add_many(g: RandomGraph, x: Value) -> Tensor:
    same = [v.tensor for v in g.values if v.shape == x.shape]
    return F.add_n(x.tensor, *(g.pick(same) for _ in range(int(g.rng.integers(0, 3)))))
