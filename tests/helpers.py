"""What the tests of whole runs share: graphs run on every backend, and how results compare.

Lives here: the configurations under comparison, tolerances by dtype, small builders of nodes. Not
here: samples of op records (tests/every_op.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.config import Config
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F
from graphc.passes.pipeline import optimize
from graphc.runtime.executor import Executor, StageSpec
from graphc.runtime.plan import CpuPlan

Array = np.ndarray[Any, Any]

REFERENCE = Config(backend="reference", cache_dir=None)
UNFUSED = Config(fuse=False, cache_dir=None)
FUSED = Config(cache_dir=None)
NUMBA = Config(codegen="numba", cache_dir=None)
WAYS = {"reference": REFERENCE, "unfused": UNFUSED, "fused": FUSED}

# relative and absolute: kernels round a few ulp apart from NumPy, and sum in another order;
# half types are computed in float32 and rounded once
TOLERANCE = {
    "float64": (1e-11, 1e-12),
    "float32": (2e-5, 2e-6),
    "float16": (2e-3, 1e-3),
    "bfloat16": (1.6e-2, 8e-3),
    "complex64": (2e-5, 2e-6),
    "complex128": (1e-11, 1e-12),
}


# ------------------------------------------------------------------ building
def placeholder(dtype: Any, shape: Sequence[int | None] | None, name: str | None = None) -> Tensor:
    dims = None if shape is None else tuple(shape)
    return F.placeholder(dtype=as_dtype(dtype), shape=dims, name=name)


def const(value: Any, dtype: Any = None) -> Tensor:
    return constant_tensor(value, None if dtype is None else as_dtype(dtype))


def variable(dtype: Any, shape: Sequence[int], name: str) -> Tensor:
    return F.variable(dtype=as_dtype(dtype), shape=tuple(shape), name=name)


def total(x: Tensor) -> Tensor:
    return F.reduce_sum(x, axes=None, keepdims=False)


# ------------------------------------------------------------------ running
class Session:
    """An executor with feeds by tensor: the least of a session that a test needs."""

    def __init__(self, graph: Graph, config: Config = FUSED) -> None:
        self.executor = Executor(graph, config)

    def run(
        self,
        fetches: Tensor | Sequence[Tensor],
        feeds: Mapping[Tensor, Any] | None = None,
        targets: Sequence[Node] = (),
    ) -> Any:
        """The fetched arrays; one array where one tensor is asked for."""
        one = isinstance(fetches, Tensor)
        wanted = (fetches,) if isinstance(fetches, Tensor) else tuple(fetches)
        given = dict(feeds or {})
        arrays = [as_fed(t, v) for t, v in given.items()]
        out = self.executor.prepare(wanted, tuple(targets), tuple(given)).run(arrays)
        return out[0] if one else out

    def set(self, variable: Tensor, value: Any) -> None:
        self.executor.variables.set(variable.node, as_fed(variable, value))

    def get(self, variable: Tensor) -> Any:
        return self.executor.variables.get(variable.node)


def as_fed(tensor: Tensor, value: Any) -> Array:
    """The value as feeds are: an array of the tensor's dtype, its strides as they are."""
    array = np.asarray(value)
    return array if array.dtype == tensor.dtype.np else array.astype(tensor.dtype.np)


def program_of(
    graph: Graph,
    fetches: Sequence[Tensor],
    feeds: Mapping[Tensor, Any] | None = None,
    targets: Sequence[Node] = (),
    config: Config = FUSED,
) -> Any:
    """The program of a run before any pass."""
    given = dict(feeds or {})
    executor = Executor(graph, config)
    spec = StageSpec(tuple(fetches), tuple(targets), tuple(given))
    stage = executor.stages_of(spec)[0]
    arrays = [as_fed(t, v) for t, v in given.items()]
    return stage.program(arrays, executor.variables)


def optimized(
    graph: Graph,
    fetches: Sequence[Tensor],
    feeds: Mapping[Tensor, Any] | None = None,
    targets: Sequence[Node] = (),
    config: Config = FUSED,
) -> Any:
    """The program of a run after all passes."""
    return optimize(program_of(graph, fetches, feeds, targets, config), config)


def plan_of(
    graph: Graph,
    fetches: Sequence[Tensor],
    feeds: Mapping[Tensor, Any] | None = None,
    targets: Sequence[Node] = (),
    config: Config = FUSED,
) -> CpuPlan:
    """The compiled plan of a run."""
    return CpuPlan(program_of(graph, fetches, feeds, targets, config), config)


# ------------------------------------------------------------------ comparing
def widened(array: Array) -> Array:
    """Half types as float64, for comparisons."""
    return array.astype(np.float64) if array.dtype.itemsize == 2 and not _exact(array) else array


def _exact(array: Array) -> bool:
    return array.dtype.kind in "iubSUO"


def assert_same(
    got: Any, want: Any, dtype: DType, what: str = "", factor: float = 1.0, sums: bool = False
) -> None:
    """Equal shapes and dtypes, and values within the dtype's tolerance; NaNs are equal.

    sums: what is added may cancel, so that small results have the rounding of large ones.
    """
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == dtype.np, f"{what}: dtype {got.dtype}, not {dtype.np}"
    assert got.shape == want.shape, f"{what}: shape {got.shape}, not {want.shape}"
    if dtype.name not in TOLERANCE:
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    rtol, atol = TOLERANCE[dtype.name]
    if sums:
        finite = np.abs(widened(want))
        atol *= max(1.0, float(finite.max(initial=0.0, where=np.isfinite(finite))))
    np.testing.assert_allclose(
        widened(got), widened(want), rtol * factor, atol * factor, err_msg=what
    )


def assert_signs(got: Any, want: Any, what: str = "") -> None:
    """Zeros have equal signs."""
    zeros = np.asarray(want) == 0
    np.testing.assert_array_equal(
        np.signbit(np.asarray(got)[zeros]), np.signbit(np.asarray(want)[zeros]), err_msg=what
    )


def check_ways(
    build: Callable[[], tuple[Sequence[Tensor], Mapping[Tensor, Any]]],
    factor: float = 1.0,
    ways: Mapping[str, Config] = WAYS,
) -> dict[str, list[Array]]:
    """Builds a graph and compares its fetches on all ways with the first of them."""
    graph = Graph()
    with graph.as_default():
        fetches, feeds = build()
    results = {
        name: Session(graph, config).run(list(fetches), feeds) for name, config in ways.items()
    }
    base = results[next(iter(ways))]
    for name, got in results.items():
        for tensor, a, b in zip(fetches, got, base, strict=True):
            assert_same(a, b, tensor.dtype, f"{name}: {tensor.text_name}", factor)
    return results
