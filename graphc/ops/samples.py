"""What the registry-wide tests feed to an op: value domains and whole calls.

Lives here: Domain (for elementwise ops: one an input; the test varies dtypes, shapes, broadcasts)
and Sample (for all others: explicit inputs and attributes). Imports only NumPy and ir.dtypes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType


@dataclass(frozen=True)
class Domain:
    """A way to draw values: draw(rng, shape, dtype) -> array."""

    draw: Callable[[np.random.Generator, tuple[int, ...], DType], np.ndarray[Any, Any]]
    smooth: bool = True  # whether a numeric gradient makes sense there
    text: str = ""


def uniform(lo: float, hi: float) -> Domain:
    """Uniform in [lo, hi); integers for integer dtypes, bools for bool."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Any:
        if dtype.is_bool:
            return rng.random(shape) < 0.5
        if dtype.is_integer:
            low = max(int(np.ceil(lo)), int(dtype.min)) if dtype.is_unsigned else int(np.ceil(lo))
            return rng.integers(low, max(low + 1, int(hi)), shape).astype(dtype.np)
        return rng.uniform(lo, hi, shape).astype(dtype.np)

    return Domain(draw, text=f"uniform({lo}, {hi})")


def nonzero(lo: float, hi: float) -> Domain:
    """Magnitude in [lo, hi), either sign (where the dtype has one)."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Any:
        mag = uniform(max(lo, 1) if dtype.is_integer else lo, hi).draw(rng, shape, dtype)
        if dtype.is_unsigned or dtype.is_bool:
            return mag
        return (mag * rng.choice([-1, 1], shape).astype(dtype.np)).astype(dtype.np)

    return Domain(draw, text=f"nonzero({lo}, {hi})")


def special(*values: float) -> Domain:
    """Those of these values that the dtype has, in turn; no gradient check there."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Any:
        usable = [
            v
            for v in values
            if (float(dtype.min) <= v <= float(dtype.max) if np.isfinite(v) else dtype.is_floating)
        ]
        flat = np.resize(np.asarray(usable or [1.0]), int(np.prod(shape, dtype=np.int64)))
        return flat.astype(dtype.np).reshape(shape)

    return Domain(draw, smooth=False, text=f"special{values}")


def bools() -> Domain:
    return Domain(lambda rng, shape, dtype: rng.random(shape) < 0.5, smooth=False, text="bools")


@dataclass(frozen=True)
class Arg:
    """One input of a Sample: a domain with a shape, or a fixed array."""

    domain: Domain | None = None
    shape: tuple[int, ...] = ()
    dtype: DType | None = None  # None: the dtype under test
    array: Any = None
    const: bool = False  # made as a constant, not a placeholder (shape inputs)

    def make(self, rng: np.random.Generator, dtype: DType) -> np.ndarray[Any, Any]:
        want = self.dtype or dtype
        if self.domain is not None:
            return self.domain.draw(rng, self.shape, want)
        return np.asarray(self.array).astype(want.np)


def arg(
    shape: Sequence[int], domain: Domain | None = None, dtype: DType | None = None
) -> Arg:
    """Drawn from a domain (default uniform(-2, 2))."""
    return Arg(domain or uniform(-2.0, 2.0), tuple(shape), dtype)


def fixed(array: Any, dtype: DType | None = None, const: bool = False) -> Arg:
    """This array; const=True makes it a constant of the graph."""
    return Arg(array=array, dtype=dtype, const=const)


@dataclass(frozen=True)
class Sample:
    """One call: inputs and attributes; `grad` names whether gradients are checked numerically."""

    inputs: tuple[Arg, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    grad: bool = True
    dtypes: tuple[DType, ...] | None = None  # restrict to these
    tolerance: float = 1.0  # factor on the test's tolerance


def sample(*inputs: Arg, grad: bool = True, dtypes: Any = None, tolerance: float = 1.0,
           **attrs: Any) -> Sample:  # fmt: skip
    return Sample(tuple(inputs), attrs, grad, dtypes, tolerance)
