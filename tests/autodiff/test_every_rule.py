"""Every op's gradient rule, and the gradient of it, against central differences."""

from __future__ import annotations

import pytest

from graphc import ops
from graphc.autodiff.checks import check_op
from graphc.ir.dtypes import float64
from graphc.ops.define import REGISTRY, OpDef
from graphc.ops.samples import Arg, Domain, Sample

ops.load_all()
SHAPES = (((3, 4), (3, 4)), ((4,), (3, 4)), ((2, 1, 4), (3, 1)))  # first operand, the others


def samples_of(record: OpDef) -> list[Sample]:
    """The record's own samples, and its domains at equal and at broadcast shapes."""
    out = []
    for given in record.samples:
        if isinstance(given, Sample):
            if given.grad and (given.dtypes is None or float64 in given.dtypes):
                out.append(given)
        elif isinstance(given, Domain) and given.smooth:
            count = len(record.args)
            for first, rest in SHAPES if count > 1 else SHAPES[:1]:
                args = tuple(Arg(given, rest if i else first) for i in range(count))
                out.append(Sample(args))
    return out


RULES = sorted(
    name
    for name, record in REGISTRY.items()
    if record.grad is not None and record.numpy is not None and samples_of(record)
)


@pytest.mark.parametrize("name", RULES)
def test_rule(name):
    record = REGISTRY[name]
    for number, sample in enumerate(samples_of(record)):
        check_op(record, sample, float64, order=2, seed=number)


def test_most_ops_are_covered():
    assert len(RULES) > 120
