"""Random graphs: their kernels spread over threads have the same bits, in any order of these."""

from __future__ import annotations

import pytest

from graphc.ir.dtypes import float32
from graphc.ir.shape import evaluate
from graphc.kernel import interp
from graphc.kernel.nest import Kernel
from graphc.kernel.spread import spread
from graphc.kernel.verify import verify
from tests.cuda.checking import MAX_ELEMENTS, kernels_of, same_bits, size_of, symbols_of, values
from tests.helpers import FUSED, optimized
from tests.random_graphs import BATCHES, RandomGraph

BLOCK = 30


def check(kernel: Kernel, what: str) -> bool:
    """Compare a kernel with what it is spread to; whether there was anything to spread."""
    made = spread(kernel)
    if made is kernel:
        return False
    verify(made)
    symbols = symbols_of(kernel)
    start = {b: values(b, size_of(b, symbols), True) for b in kernel.buffers}
    if max(a.size for a in start.values()) > MAX_ELEMENTS:
        return False
    want, backwards = ({b: a.copy() for b, a in start.items()} for _ in range(2))
    try:
        interp.run(kernel, want, symbols)
    except IndexError:
        return False  # random positions that the kernel does not check
    for number in reversed(range(evaluate(made.extent, symbols))):
        interp.run(made, backwards, symbols, number, number + 1)
    for buffer in kernel.outputs:
        same_bits(backwards[buffer], want[buffer], f"{what}, {kernel.name}: {buffer!r}")
    return True


@pytest.mark.parametrize("block", range(4))
def test_random_graphs(block: int) -> None:
    spread_ = 0
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        graph = RandomGraph(seed, float32, True, BATCHES)
        program = optimized(graph.graph, graph.fetches, graph.feeds[0], config=FUSED)
        for kernel in kernels_of(program):
            spread_ += check(kernel, f"seed {seed}")
    assert spread_ > 5
