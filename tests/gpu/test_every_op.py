"""Every op record on a GPU: forward, by its own samples."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from graphc.errors import OpError
from graphc.ir.graph import Graph
from graphc.ops.define import OpDef
from graphc.runtime.backends.reference import evaluate_node
from tests.every_op import Case, cases_of
from tests.gpu.ways import CUDA
from tests.helpers import Session
from tests.test_every_op import ALL, IDS, Batch, groups_of


def check(op: OpDef, cases: Iterable[Case]) -> bool:
    """Whether the reference takes any of the cases; those agree."""
    found = False
    for group in groups_of(op, cases):
        batch = Batch(group)
        if batch.cases:
            found = True
            batch.check(Session(batch.graph, CUDA).run(batch.fetches, batch.feeds), "cuda")
    return found


@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_forward_agrees_with_the_reference(op: OpDef) -> None:
    """Every other call of each record: a thread of the simulator is one of Python."""
    if op.numpy is None:
        pytest.skip("no reference")
    cases = list(cases_of(op))
    assert check(op, cases[::2]) or check(op, cases), "every sample is refused"


@pytest.mark.slow
@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_forward_agrees_in_every_call(op: OpDef) -> None:
    if op.numpy is not None:
        check(op, cases_of(op))


REFUSING = ("gather", "gather_nd", "floordiv", "floormod", "tensor_scatter_add", "scatter_nd")


@pytest.mark.parametrize("name", REFUSING)
def test_refusals_agree(name: str) -> None:
    """What the reference refuses, plans refuse with the same kind of error."""
    op = next(r for r in ALL if r.name == name)
    for case in cases_of(op):
        graph = Graph()
        with graph.as_default():
            node, feeds = case.build()
        inputs = [feeds[t] if t in feeds else t.node.attrs["value"].array for t in node.inputs]
        if any(0 in np.shape(a) for a in inputs):
            continue  # no element is computed
        try:
            evaluate_node(node, inputs)
        except OpError as error:
            with pytest.raises(type(error)):
                Session(graph, CUDA).run(list(node.outputs), feeds)
