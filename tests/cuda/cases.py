"""Kernels of every family, by the name of a test: of ops' samples, random graphs, made by hand.

Lives here: CASES, kernels_in. Imported by the tests and by the process that simulates.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.ir.dtypes import float32
from graphc.kernel.nest import Kernel
from graphc.ops.define import REGISTRY
from tests.cuda.checking import kernels_of
from tests.cuda.nests import NESTS
from tests.every_op import cases_of
from tests.helpers import FUSED, optimized
from tests.random_graphs import RandomGraph
from tests.test_every_op import Batch

OPS = (
    "exp", "tanh", "erf", "log1p", "pow", "sin", "lgamma", "floordiv", "floormod",
    "truncatediv", "bitwise_and", "left_shift", "maximum", "cast", "select", "is_nan",
    "clip_by_value", "reduce_sum", "reduce_mean", "reduce_max", "reduce_prod", "reduce_all",
    "argmax", "argmin", "softmax", "log_softmax", "sparse_softmax_cross_entropy", "layer_norm",
    "fused_batch_norm", "max_pool", "max_pool_grad", "avg_pool", "gather", "gather_nd",
    "one_hot", "concat", "split", "pad", "transpose",
    "strided_slice", "reverse", "tile", "random_uniform", "random_normal", "l2_loss",
)  # fmt: skip
RANDOM = range(4)
LIMIT = 3  # calls of one op, and kernels of one case
CASES = (
    *(f"op {name}" for name in OPS if name in REGISTRY),
    *(f"random {seed}" for seed in RANDOM),
    *(f"nest {name}" for name in NESTS),
)


def kernels_in(case: str) -> Iterator[Kernel]:
    """The kernels of one case."""
    kind, _, name = case.partition(" ")
    if kind == "nest":
        yield NESTS[name]()
    elif kind == "random":
        graph = RandomGraph(int(name), float32, True, (5, 7))
        yield from kernels_of(optimized(graph.graph, graph.fetches, graph.feeds[0], config=FUSED))
    else:
        batch = Batch(list(cases_of(REGISTRY[name]))[:LIMIT])
        yield from kernels_of(optimized(batch.graph, batch.fetches, batch.feeds, config=FUSED))
