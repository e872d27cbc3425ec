"""Random chains of elementwise ops, reductions, broadcasts and movements, fused into one group."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.dtypes import float32, int64
from graphc.ir.shape import SymDim, evaluate_shape
from graphc.kernel import prims as k
from graphc.kernel.compute import Compute, inline
from graphc.kernel.expr import Axis, Buffer, Load, Reduce, const, index

DIMS = {"B": 5, "N": 3}
EXTENTS = [1, 2, 3, 4, 17, SymDim.symbol("B"), SymDim.symbol("N")]


class Maker:
    """Makes random Computes; earlier results are the operands of later ones."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.arrays: dict[Buffer, np.ndarray] = {}
        self.producers: dict[Buffer, Compute] = {}
        self.known: list[Buffer] = []
        self.count = 0
        shape = [self.pick(EXTENTS) for _ in range(self.rng.integers(1, 4))]
        for _ in range(2):
            self.source(shape)

    def pick(self, options):
        return options[self.rng.integers(len(options))]

    def buffer(self, shape) -> Buffer:
        self.count += 1
        return Buffer(f"t{self.count}", float32, shape, f"t{self.count}")

    def source(self, shape) -> None:
        made = self.buffer(shape)
        data = self.rng.standard_normal(evaluate_shape(shape, DIMS)).astype(np.float32)
        self.arrays[made] = data
        self.known.append(made)

    def put(self, shape, build) -> None:
        axes = tuple(Axis(d) for d in shape)
        made = self.buffer(shape)
        self.producers[made] = Compute(made, axes, build(axes))
        self.known.append(made)

    def step(self) -> None:
        x = self.pick(self.known)
        kind = self.pick(["unary", "binary", "binary", "reduce", "reduce", "move", "pad"])
        getattr(self, kind)(x)

    def unary(self, x) -> None:
        fn = self.pick([k.tanh, k.abs_, lambda v: -v, lambda v: k.maximum(v, 0.0) + 0.5])
        self.put(x.shape, lambda a: fn(Load(x, a)))

    def binary(self, x) -> None:
        """With any other result that has a suffix or keeps a part of the axes."""
        fn = self.pick([k.add, k.sub, k.maximum, lambda a, b: a * k.tanh(b)])
        fits = [y for y in self.known if y.shape == x.shape[len(x.shape) - len(y.shape) :]]
        prefix = [y for y in self.known if y.shape == x.shape[: len(y.shape)]]
        y = self.pick(fits + prefix)
        if y in fits:
            self.put(x.shape, lambda a: fn(Load(x, a), Load(y, a[len(a) - len(y.shape) :])))
        else:
            self.put(x.shape, lambda a: fn(Load(x, a), Load(y, a[: len(y.shape)])))

    def reduce(self, x) -> None:
        if not x.shape:
            return
        which = [n for n in range(len(x.shape)) if self.rng.random() < 0.5] or [0]
        kept = [d for n, d in enumerate(x.shape) if n not in which]
        monoid = self.pick(["add", "max", "min"])

        def build(axes):
            inner = [Axis(x.shape[n]) for n in which]
            at, outer = list(inner), list(axes)
            full = [at.pop(0) if n in which else outer.pop(0) for n in range(len(x.shape))]
            return Reduce(monoid, inner, Load(x, full), float32) * 0.25

        self.put(kept, build)

    def move(self, x) -> None:
        order = self.rng.permutation(len(x.shape))
        flip = self.rng.random() < 0.3

        def build(axes):
            at = [axes[list(order).index(n)] for n in range(len(x.shape))]
            if flip and at:
                at[0] = index(x.shape[0]) - 1 - at[0]
            return Load(x, at)

        self.put([x.shape[n] for n in order], build)

    def pad(self, x) -> None:
        if not x.shape:
            return
        first = x.shape[0]

        def build(axes):
            mask = k.and_(k.ge(axes[0], const(1, int64)), k.le(axes[0], index(first)))
            return Load(x, (axes[0] - 1, *axes[1:]), mask, const(0.5, float32))

        self.put([first + 2, *x.shape[1:]], build)

    def group(self) -> list[Compute]:
        """The last results, inlined down to the sources."""
        made = [b for b in self.known if b in self.producers]
        wanted = made[-int(self.rng.integers(1, 4)) :]
        out = []
        for b in wanted:
            compute = self.producers[b]
            others = {key: c for key, c in self.producers.items() if key != b}
            out.append(Compute(b, compute.axes, inline(compute.value, others)))
        return out


@pytest.mark.parametrize("seed", range(150))
def test_random_group(check, seed):
    maker = Maker(seed)
    for _ in range(int(maker.rng.integers(2, 9))):
        maker.step()
    computes = maker.group()
    if computes:
        check(computes, maker.arrays, DIMS, rtol=1e-4)
