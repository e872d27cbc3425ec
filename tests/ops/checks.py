"""What the tests of computing op records share: samples at broadcast shapes, a node from a sample,
the comparison of its kernel definition with its reference. No session is needed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphc.autodiff import checks as autodiff
from graphc.errors import OpError
from graphc.ir.dtypes import DType, as_dtype, float32
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.kernel.expr import Buffer
from graphc.kernel.interp import evaluate
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F, OpDef, computes_of
from graphc.ops.samples import Arg, Sample
from graphc.runtime.backends.reference import evaluate_node

Array = np.ndarray[Any, Any]
SHAPES = (((3, 4), (3, 4)), ((2, 1, 4), (3, 1)), ((), (5,)), ((3, 1), ()))


def records(*modules: str) -> list[OpDef]:
    """The op records that these modules define."""
    found = [
        r
        for m in modules
        for r in vars(importlib.import_module(f"graphc.ops.{m}")).values()
        if isinstance(r, OpDef) and r.samples
    ]
    return sorted(set(found), key=lambda r: r.name)


def samples_of(op: OpDef) -> Iterator[Sample]:
    """The op's samples; for elementwise ops each domain at several broadcast shapes."""
    arity = len(op.args)
    for entry in op.samples:
        if isinstance(entry, Sample):
            yield entry
            continue
        domains = entry if isinstance(entry, tuple) else (entry,) * arity
        for pair in SHAPES:
            shapes = (*pair, pair[0])[:arity]
            args = tuple(
                Arg(d, s, g if isinstance(g := op.group(i), DType) else None)
                for i, (d, s) in enumerate(zip(domains, shapes, strict=True))
            )
            yield Sample(args, grad=all(d.smooth for d in domains))


class Case:
    """A sample as a node of a fresh graph, with its input values."""

    def __init__(self, op: OpDef, sample: Sample, dtype: DType, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.values: dict[Tensor, Array] = {}
        with Graph().as_default():
            tensors = [self._input(a, a.make(rng, dtype)) for a in sample.inputs]
            self.node: Node = op.node(*tensors, **sample.attrs)

    def _input(self, spec: Arg, value: Array) -> Tensor:
        if spec.const:
            tensor = constant_tensor(value, None)
        else:
            tensor = placeholder(value.dtype, value.shape)
        self.values[tensor] = value
        return tensor

    def reference(self) -> tuple[Array, ...]:
        return evaluate_node(self.node, [self.values[t] for t in self.node.inputs])

    def kernel(self) -> list[Array]:
        buffers: dict[Tensor, Buffer] = {}

        def buffer_of(tensor: Tensor) -> Buffer:
            return buffers.setdefault(tensor, Buffer(tensor, tensor.dtype, tensor.dims))

        computes = computes_of(self.node, buffer_of)
        arrays = {b: self.values[t] for t, b in buffers.items() if t in self.values}
        return [evaluate(c, arrays) for c in computes]


def placeholder(dtype: Any, shape: Sequence[int | None] | None) -> Tensor:
    attrs = {"dtype": as_dtype(dtype), "shape": None if shape is None else tuple(shape)}
    node: Node = get_default_graph().create_node(F.placeholder, (), attrs)
    return node.outputs[0]


def walk(targets: Sequence[Tensor], feeds: dict[Tensor, Array] | None = None) -> list[Array]:
    """The values of tensors by the references of all nodes they need, in the declared dtypes."""
    return autodiff.evaluate(targets, feeds or {}, precise=False)


def check_kernel(op: OpDef, dtype: DType = float32, rtol: float = 2e-5, atol: float = 2e-6) -> None:
    """The kernel definition agrees with the reference on every sample of that dtype."""
    for sample in samples_of(op):
        if sample.dtypes is not None and dtype not in sample.dtypes:
            continue
        case = Case(op, sample, dtype)
        try:
            wanted = case.reference()
        except OpError:
            continue  # values that the op refuses; the flag is tested by name
        for want, got in zip(wanted, case.kernel(), strict=True):
            what = f"{op} {sample}"
            assert got.shape == want.shape and got.dtype == want.dtype, what
            if want.dtype.kind in "fV":
                want, got = want.astype(np.float64), got.astype(np.float64)
                np.testing.assert_allclose(got, want, rtol, atol, err_msg=what)
            else:
                np.testing.assert_array_equal(got, want, err_msg=what)


def check_gradient(op: OpDef, order: int = 2) -> None:
    """First and second gradients agree with differences on every smooth sample, in float64."""
    for sample in samples_of(op):
        if sample.grad:
            autodiff.check_op(op, sample, order=order)
