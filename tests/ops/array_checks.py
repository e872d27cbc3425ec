"""Checks of array op records by their own samples, without a runtime.

Lives here: evaluation of a graph by NumPy references, and the checks that test files of array ops
share: shape rule against reference, kernel against reference (static and symbolic extents),
gradient against a numeric one, gradient of the gradient.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, INT, DType, bool_, float32, float64, int32
from graphc.ir.graph import Graph
from graphc.ir.node import ConstValue, Node, Tensor, TensorType
from graphc.ir.program import ProgramBuilder
from graphc.ir.shape import ShapeEnv, SymDim, evaluate_shape
from graphc.kernel.expr import Buffer
from graphc.kernel.interp import evaluate
from graphc.ops import source  # noqa: F401  # const and placeholder
from graphc.ops.define import REGISTRY, F, OpDef, computes_of
from graphc.ops.samples import Sample

F32 = float32


def placeholder(graph: Graph, dtype: Any, shape: Any) -> Tensor:
    node = graph.create_node(
        REGISTRY["placeholder"], (), {"dtype": dtype, "shape": None if shape is None else shape}
    )
    return node.outputs[0]


def constant(graph: Any, array: Any) -> Tensor:
    node = graph.create_node(REGISTRY["const"], (), {"value": ConstValue(np.array(array))})
    return node.outputs[0]


def run(tensor: Any, feeds: dict[Tensor, Any] | None = None) -> Any:
    """The value of a tensor (or list of them) by NumPy references."""
    values: dict[Tensor, Any] = dict(feeds or {})
    if isinstance(tensor, list | tuple):
        return [_value(t, values) for t in tensor]
    return _value(tensor, values)


def _value(tensor: Tensor, values: dict[Tensor, Any]) -> Any:
    stack = [tensor]
    while stack:
        top = stack[-1]
        if top in values:
            stack.pop()
            continue
        waiting = [t for t in top.node.inputs if t not in values]
        if waiting:
            stack.extend(waiting)
            continue
        _apply(top.node, values)
        stack.pop()
    return values[tensor]


def _apply(node: Node, values: dict[Tensor, Any]) -> None:
    assert node.op.numpy is not None, f"{node.op.name} has no reference"
    with np.errstate(all="ignore"):
        out = node.op.numpy(*(values[t] for t in node.inputs), **node.attrs)
    outs = out if isinstance(out, tuple | list) else (out,)
    for t, o in zip(node.outputs, outs, strict=True):
        array = np.asarray(o)
        values[t] = array.astype(t.dtype.np, copy=False)
        assert t.rank is None or t.rank == array.ndim, (node, t.dims, array.shape)
        for want, got in zip(t.dims or (), array.shape, strict=True):
            assert not isinstance(want, int) or want == got, (node, t.dims, array.shape)


def call(
    op: OpDef, sample: Sample, dtype: DType, graph: Any, seed: int = 0, symbolic: bool = False
) -> tuple[Node, dict[Tensor, Any], dict[str, int]]:
    """One application of an op on a sample's inputs: (node, feeds, values of symbols)."""
    rng = np.random.default_rng(seed)
    feeds: dict[Tensor, Any] = {}
    symbols: dict[str, int] = {}
    tensors = []
    for position, spec in enumerate(sample.inputs):
        array = spec.make(rng, dtype)
        if spec.const:
            tensors.append(constant(graph, array))
            continue
        want = spec.dtype or dtype
        if symbolic:
            names = [f"s{position}_{d}" for d in range(array.ndim)]
            symbols.update(zip(names, array.shape, strict=True))
            graph.env.hints.update(symbols)
            dims = tuple(SymDim.symbol(n) for n in names)
            node = graph.add(
                REGISTRY["placeholder"], (), {"dtype": want, "shape": None, "n": position},
                [TensorType(want, dims)],
            )  # fmt: skip
            tensor = node.outputs[0]
        else:
            tensor = placeholder(graph, want, array.shape)
        feeds[tensor] = array
        tensors.append(tensor)
    node = graph.create_node(op, tuple(tensors), sample.attrs)
    return node, feeds, symbols


def dtypes_of(op: OpDef, sample: Sample) -> tuple[DType, ...]:
    if sample.dtypes is not None:
        return sample.dtypes
    group = next(
        (op.group(i) for i, a in enumerate(sample.inputs) if a.dtype is None), "T"
    )
    allowed = op.dtypes.get(group, FLOAT) if isinstance(group, str) else (group,)
    wanted = (float32, float64, int32, bool_, INT[4])
    return tuple(d for d in wanted if d in allowed)


def check_forward(op: OpDef) -> None:
    """Every sample: inferred types hold, and the kernel computes what the reference does."""
    for n, sample in enumerate(op.samples):
        for dtype in dtypes_of(op, sample):
            node, feeds, _ = call(op, sample, dtype, Graph(), seed=n)
            for out in node.outputs:
                run(out, feeds)
            if op.kernel is None:
                continue
            _check_kernel(op, sample, dtype, n, symbolic=False)
            _check_kernel(op, sample, dtype, n, symbolic=True)


def _check_kernel(op: OpDef, sample: Sample, dtype: DType, n: int, symbolic: bool) -> None:
    builder = ProgramBuilder(ShapeEnv({}))
    graph: Any = builder if symbolic else Graph()
    with builder.building() if symbolic else Graph().as_default():
        node, feeds, symbols = call(op, sample, dtype, graph, seed=n, symbolic=symbolic)
        buffers: dict[Tensor, Buffer] = {}

        def buffer_of(t: Tensor) -> Buffer:
            return buffers.setdefault(t, Buffer(f"b{len(buffers)}", t.dtype, t.dims or ()))

        computes = computes_of(node, buffer_of)
    arrays = {buffer_of(t): run(t, feeds) for t in node.inputs}
    for out, compute in zip(node.outputs, computes, strict=True):
        want = np.asarray(run(out, feeds))
        if symbolic:
            assert out.dims is not None
            assert evaluate_shape(out.dims, symbols) == want.shape, (op, sample, out.dims)
        got = evaluate(compute, arrays, symbols)
        assert got.shape == want.shape, (op, sample)
        np.testing.assert_allclose(
            got, want, rtol=1e-5 if dtype is float32 else 1e-12, atol=1e-6,
            err_msg=f"{op.name} {dtype.name} {sample}",
        )  # fmt: skip


def dense(gradient: Any) -> Any:
    from graphc.autodiff.indexed_slices import as_dense

    return as_dense(gradient)


def backward(node: Node, gs: list[Tensor]) -> list[Any]:
    """The gradient of each input, dense; None where there is none."""
    assert node.op.grad is not None
    got = node.op.grad(node, *gs)
    assert len(got) == len(node.inputs), (node.op, got)
    return [None if g is None else dense(g) for g in got]


def check_gradient(op: OpDef, second: bool = True) -> None:
    """Every smooth sample in float64: the rule against a difference in a random direction."""
    for n, sample in enumerate(op.samples):
        if not sample.grad or (sample.dtypes is not None and float64 not in sample.dtypes):
            continue
        graph = Graph()
        with graph.as_default():
            node, feeds, _ = call(op, sample, float64, graph, seed=n)
            smooth = [t for t in feeds if t.dtype is float64]
            outs = [t for t in node.outputs if t.dtype is float64]
            rng = np.random.default_rng(n + 100)
            weights = {t: rng.normal(size=np.shape(run(t, feeds))) for t in outs}
            gs: list[Any] = [
                constant(graph, weights[t]) if t in weights else None for t in node.outputs
            ]
            grads = backward(node, gs)

        def loss(at: dict[Tensor, Any]) -> float:
            return sum(float(np.sum(run(t, at) * weights[t])) for t in outs)

        by_input = dict(zip(node.inputs, grads, strict=True))
        assert any(by_input.get(t) is not None for t in smooth), (op, "no gradient at all")
        for t in smooth:
            g = by_input.get(t)
            if g is None:
                continue
            assert run(g, feeds).shape == feeds[t].shape, (op, sample)
            _compare_direction(op, sample, loss, feeds, t, run(g, feeds), rng)
        if second:
            check_second(op, sample, n)


def _compare_direction(
    op: OpDef, sample: Sample, loss: Any, feeds: Any, t: Tensor, g: Any, rng: Any
) -> None:
    direction = rng.normal(size=feeds[t].shape)
    eps = 1e-6
    up = loss({**feeds, t: feeds[t] + eps * direction})
    down = loss({**feeds, t: feeds[t] - eps * direction})
    numeric = (up - down) / (2 * eps)
    exact = float(np.sum(g * direction))
    np.testing.assert_allclose(
        exact, numeric, rtol=2e-5 * sample.tolerance, atol=2e-6 * sample.tolerance,
        err_msg=f"{op.name} {sample}: gradient of {t.name}",
    )  # fmt: skip


def check_second(op: OpDef, sample: Sample, n: int) -> None:
    """The gradient's own graph is differentiable: by gradients() where the driver is there."""
    from graphc.autodiff.gradients import gradients

    graph = Graph()
    with graph.as_default():
        node, feeds, _ = call(op, sample, float64, graph, seed=n)
        smooth = [t for t in feeds if t.dtype is float64]
        outs = [t for t in node.outputs if t.dtype is float64]
        rng = np.random.default_rng(n + 200)
        sums = [
            F.reduce_sum(
                F.multiply(t, constant(graph, rng.normal(size=np.shape(run(t, feeds))))),
                axes=None, keepdims=False,
            )
            for t in outs
        ]  # fmt: skip
        first = [g for g in gradients(sums, smooth) if g is not None]
        scalar = F.reduce_sum(
            F.stack(*(F.reduce_sum(F.multiply(dense(g), dense(g)), axes=None, keepdims=False)
                      for g in first), axis=0),
            axes=None, keepdims=False,
        )  # fmt: skip
        second = gradients([scalar], smooth)
    for t, g in zip(smooth, second, strict=True):
        if g is None:
            continue
        got = run(dense(g), feeds)
        direction = rng.normal(size=feeds[t].shape)
        eps = 1e-5
        up = run(scalar, {**feeds, t: feeds[t] + eps * direction})
        down = run(scalar, {**feeds, t: feeds[t] - eps * direction})
        numeric = (up - down) / (2 * eps)
        np.testing.assert_allclose(
            float(np.sum(got * direction)), float(numeric), rtol=1e-4 * sample.tolerance,
            atol=1e-5 * sample.tolerance, err_msg=f"{op.name} {sample}: second gradient",
        )  # fmt: skip


def names_of(*modules: Any) -> list[str]:
    """The records that modules define, in order."""
    found = itertools.chain.from_iterable(vars(m).values() for m in modules)
    return list(dict.fromkeys(op.name for op in found if isinstance(op, OpDef)))


def in_session(fn: Any, *arrays: Any, dynamic: bool = False) -> Any:
    """fn of placeholders that are fed the arrays, run in a session; dynamic: unknown extents."""
    import graphc as tf

    with tf.Graph().as_default():
        fed = [
            tf.placeholder(a.dtype, [None] * a.ndim if dynamic else a.shape) for a in arrays
        ]
        fetched = fn(*fed)
        with tf.Session() as session:
            return session.run(fetched, dict(zip(fed, arrays, strict=True)))


def agree(fn: Any, reference: Any, *arrays: Any) -> None:
    """fn on tensors gives what `reference` gives on arrays, for static and unknown extents."""
    want = np.asarray(reference(*arrays))
    for dynamic in (False, True):
        got = in_session(fn, *arrays, dynamic=dynamic)
        assert np.shape(got) == want.shape, (np.shape(got), want.shape, dynamic)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
