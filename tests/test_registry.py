"""Every op record is whole: its slots, its names, its samples."""

from __future__ import annotations

import inspect

import pytest

from graphc.ir.dtypes import DType
from graphc.ops.define import BY_TF_TYPE, REGISTRY, OpDef
from graphc.ops.samples import Domain, Sample
from tests.every_op import SPECIAL

EVERY = sorted(REGISTRY.values(), key=lambda r: r.name)
FAMILIES = {
    "elementwise", "reduction", "movement", "composite", "extern", "host", "source", "state",
    "control",
}  # fmt: skip
# no reference of their own: the run gives their values
VALUELESS = {
    "placeholder", "variable", "feed", "read", "initialized", "is_variable_initialized",
    "initialized_value", "rng_state", "bound", "host_control",
}  # fmt: skip
whole = pytest.mark.parametrize("op", EVERY, ids=lambda r: r.name)


@whole
def test_family_and_definition(op: OpDef) -> None:
    assert op.family in FAMILIES
    if op.family in ("elementwise", "reduction", "movement"):
        assert op.kernel is not None or op.expand is not None
    if op.family == "composite":
        assert op.expand is not None
    if op.family == "state":
        assert op.update is not None and op.refs and op.stateful
    if op.name not in VALUELESS and op.family not in ("state", "control"):
        assert op.numpy is not None, "no reference"


@whole
def test_gradient_or_a_reason(op: OpDef) -> None:
    assert (op.grad is None) != (not op.nograd), "give grad, or nograd with the reason"


@whole
def test_names(op: OpDef) -> None:
    assert op.name.isidentifier() and op.name == op.name.lower()
    assert op.tf and op.tf in BY_TF_TYPE
    assert len(set(op.args)) == len(op.args)
    assert all(a.lstrip("*").isidentifier() for a in op.args)


@whole
def test_groups_have_dtypes(op: OpDef) -> None:
    for position in range(len(op.args)):
        group = op.group(position)
        assert isinstance(group, DType | str)
    for group, dtypes in op.dtypes.items():
        assert dtypes and all(isinstance(d, DType) for d in dtypes), group
        assert len(set(dtypes)) == len(dtypes), group


@whole
def test_samples_fit_the_arguments(op: OpDef) -> None:
    needed = op.family not in ("state", "source", "control") and op.name not in SPECIAL
    assert op.samples or not needed, "no samples"
    fixed = len([a for a in op.args if not a.startswith("*")])
    for sample in op.samples:
        if isinstance(sample, Sample):
            assert len(sample.inputs) == fixed or op.variadic, sample
        elif isinstance(sample, tuple):
            assert len(sample) == fixed and all(isinstance(d, Domain) for d in sample)
        else:
            assert isinstance(sample, Domain)


@whole
def test_references_take_the_inputs(op: OpDef) -> None:
    if op.numpy is None or not op.samples:
        return
    try:
        parameters = list(inspect.signature(op.numpy).parameters.values())
    except ValueError:
        return  # a NumPy function without a signature
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    fixed = len([a for a in op.args if not a.startswith("*")])
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert len(positional) >= fixed


def test_tf_types_are_told_apart() -> None:
    """One record answers to a TF type; another form of it is known by name."""
    twice: dict[str, list[str]] = {}
    for op in EVERY:
        twice.setdefault(op.tf, []).append(op.name)
    forms = {tf: names for tf, names in twice.items() if len(names) > 1}
    assert forms == {"Transpose": ["transpose", "transpose_v"]}


def test_shape_inputs_exist() -> None:
    for op in EVERY:
        for position in op.shape_inputs:
            assert position < len(op.args) or op.variadic, op.name
