"""Every op record, by its own samples: forward on all backends, printers, gradients, errors.

One graph and one plan hold all calls of a record, so that its kernels compile as one module.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from graphc.autodiff.checks import check_op
from graphc.errors import OpError
from graphc.ir.dtypes import float64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ops.define import REGISTRY, OpDef
from graphc.ops.samples import Sample
from graphc.runtime.backends.reference import evaluate_node
from tests.every_op import SPECIAL, Case, cases_of, records
from tests.helpers import FUSED, NUMBA, REFERENCE, UNFUSED, Array, Session, assert_same
from tests.unjitted import run_unjitted

ALL = records()
IDS = [r.name for r in ALL]


class Batch:
    """Calls in one graph, with what their references say."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self.graph = Graph()
        self.feeds: dict[Tensor, Array] = {}
        self.cases: list[Case] = []
        self.nodes: list[Node] = []
        self.want: list[tuple[Array, ...]] = []
        with self.graph.as_default():
            for case in cases:
                self._add(case)
        self.fetches = [t for n in self.nodes for t in n.outputs]
        self.labels = [str(c) for c, n in zip(self.cases, self.nodes) for _ in n.outputs]
        self.factors = [
            c.sample.tolerance for c, n in zip(self.cases, self.nodes) for _ in n.outputs
        ]

    def _add(self, case: Case) -> None:
        node, feeds = case.build()
        inputs = [feeds[t] if t in feeds else t.node.attrs["value"].array for t in node.inputs]
        try:
            want = evaluate_node(node, inputs)
        except OpError:
            return  # values that the op refuses: see test_refusals_agree
        self.cases.append(case)
        self.nodes.append(node)
        self.want.append(want)
        self.feeds.update(feeds)

    def check_shapes(self) -> None:
        """The type rule agrees with what the reference returns."""
        for case, node, want in zip(self.cases, self.nodes, self.want, strict=True):
            for tensor, array in zip(node.outputs, want, strict=True):
                assert tensor.dims is None or len(tensor.dims) == array.ndim, str(case)
                for dim, size in zip(tensor.dims or array.shape, array.shape, strict=True):
                    assert dim is None or dim == size, f"{case}: {tensor.dims} {array.shape}"
                    loose = case.symbolic or node.op.data_dependent or "shape" in node.attrs
                    assert dim is not None or loose, f"{case}: unknown extent"

    def check(self, got: Sequence[Array], how: str) -> None:
        want = [a for arrays in self.want for a in arrays]
        for tensor, a, b, label, factor in zip(
            self.fetches, got, want, self.labels, self.factors, strict=True
        ):
            sums = tensor.node.op.family not in ("elementwise", "movement")
            assert_same(a, b, tensor.dtype, f"{how}: {label}", factor, sums)


def groups_of(op: OpDef, cases: Iterable[Case]) -> list[list[Case]]:
    """What runs together: everything, unless shapes depend on data."""
    every = list(cases)
    return [[c] for c in every] if op.data_dependent else [every]


@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_forward_agrees_with_the_reference(op: OpDef) -> None:
    if op.numpy is None:
        pytest.skip("no reference")
    for cases in groups_of(op, cases_of(op)):
        batch = Batch(cases)
        assert batch.cases, "every sample is refused"
        batch.check_shapes()
        before = {t: a.copy() for t, a in batch.feeds.items()}
        for how, config in (("reference", REFERENCE), ("unfused", UNFUSED), ("fused", FUSED)):
            batch.check(Session(batch.graph, config).run(batch.fetches, batch.feeds), how)
        for tensor, array in before.items():
            assert batch.feeds[tensor].tobytes() == array.tobytes(), "a feed was written"
        # strings are never in the memory of kernels
        strings = any(t.dtype.kind == "s" for n in batch.nodes for t in (*n.inputs, *n.outputs))
        if not op.data_dependent and not strings:
            batch.check(run_unjitted(batch.graph, batch.fetches, batch.feeds), "un-jitted source")


# made by expansions only, with known sizes
INTERNAL = ("direct_conv_input", "direct_conv_filter")
SHAPED = [r for r in ALL if r.shape_inputs and r.name not in INTERNAL]


@pytest.mark.parametrize("op", SHAPED, ids=lambda r: r.name)
def test_values_that_decide_shapes_can_be_fed(op: OpDef) -> None:
    for case in cases_of(op):
        if case.dtype.name in ("float32", "int32") and case.symbolic:
            batch = Batch([replace(case, fed=True)])
            for how, config in (("reference", REFERENCE), ("fused", FUSED)):
                session = Session(batch.graph, config)
                for _ in range(2):
                    batch.check(session.run(batch.fetches, batch.feeds), f"{how}, fed")


@pytest.mark.slow
@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_forward_in_every_dtype_shape_and_domain(op: OpDef) -> None:
    for cases in groups_of(op, cases_of(op, everything=True)):
        batch = Batch(cases)
        batch.check_shapes()
        for how, config in (("reference", REFERENCE), ("fused", FUSED)):
            batch.check(Session(batch.graph, config).run(batch.fetches, batch.feeds), how)


@pytest.mark.slow
@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_forward_by_numba(op: OpDef) -> None:
    for cases in groups_of(op, cases_of(op)):
        batch = Batch(cases)
        batch.check(Session(batch.graph, NUMBA).run(batch.fetches, batch.feeds), "numba")


NUMBA_FEW = (
    "add",
    "floordiv",
    "tanh",
    "select",
    "reduce_sum",
    "argmax",
    "pad",
    "gather",
    "softmax",
)


@pytest.mark.parametrize("name", NUMBA_FEW)
def test_a_few_ops_by_numba(name: str) -> None:
    op = REGISTRY[name]
    batch = Batch([next(iter(cases_of(op)))])
    batch.check(Session(batch.graph, NUMBA).run(batch.fetches, batch.feeds), "numba")


@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_refusals_agree(op: OpDef) -> None:
    """What the reference refuses, compiled plans refuse with the same kind of error."""
    for case in cases_of(op):
        graph = Graph()
        with graph.as_default():
            node, feeds = case.build()
        inputs = [feeds[t] if t in feeds else t.node.attrs["value"].array for t in node.inputs]
        try:
            evaluate_node(node, inputs)
        except OpError as error:
            if any(0 in a.shape for a in inputs):
                continue  # no element is computed
            with pytest.raises(type(error)):
                Session(graph, FUSED).run(list(node.outputs), feeds)


def smooth_samples(op: OpDef) -> list[Sample]:
    """The samples at which a numeric gradient makes sense, small ones only."""
    found = []
    for case in cases_of(op):
        size = max((int(np.prod(a.shape)) for a in case.sample.inputs), default=0)
        wanted = case.dtype.name in ("float32", "float64") and not case.symbolic
        floats = case.sample.dtypes is None or float64 in case.sample.dtypes
        seen = any(case.sample is s for s in found)
        if case.sample.grad and wanted and floats and size <= 100 and not seen:
            found.append(case.sample)
    return found


@pytest.mark.parametrize("op", [r for r in ALL if r.grad is not None], ids=lambda r: r.name)
def test_gradient_in_a_random_direction(op: OpDef) -> None:
    if not any(float64 in group for group in op.dtypes.values()):
        pytest.skip("no floats")
    for number, sample in enumerate(smooth_samples(op)):
        check_op(op, sample, order=2 if number == 0 else 1)


# ------------------------------------------------------------------ records
def test_the_special_records_exist() -> None:
    import graphc.tf1.checkpoint_init  # noqa: F401 - registers a record of its own

    assert set(REGISTRY) >= SPECIAL


@pytest.mark.parametrize("op", ALL, ids=IDS)
def test_samples_are_given(op: OpDef) -> None:
    assert op.samples, f"{op.name} has no samples"
