"""Every op record on a GPU: forward, by its own samples."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.errors import OpError
from graphc.ir.graph import Graph
from graphc.ops.define import OpDef
from graphc.runtime.backends.reference import evaluate_node
from tests.every_op import cases_of
from tests.gpu.ways import CUDA
from tests.helpers import Session
from tests.test_every_op import ALL, IDS, Batch, groups_of


@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_forward_agrees_with_the_reference(op: OpDef) -> None:
    if op.numpy is None:
        pytest.skip("no reference")
    for cases in groups_of(op, cases_of(op)):
        batch = Batch(cases)
        got = Session(batch.graph, CUDA).run(batch.fetches, batch.feeds)
        batch.check(got, "cuda")


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
