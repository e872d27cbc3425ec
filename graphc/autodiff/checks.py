"""Numeric checks of gradients along random directions, on graphs and on single op records.

Lives here: check_gradients, check_op, evaluate (a graph in NumPy, widened to float64). Not here:
gradients themselves; tf.test.compute_gradient (tf1/api_gradients.py). Imports ir and ops.

The check: for random v and r, d/dt sum(r * y(x + t v)) at 0 by a central difference must equal
sum(v * gradient). Evaluation is in float64 whatever the graph's dtypes, so that the difference
has about 10 digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.autodiff.gradients import gradients
from graphc.autodiff.indexed_slices import as_dense
from graphc.ir.dtypes import DType, float64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F, OpDef

Array = np.ndarray[Any, Any]
Evaluate = Callable[[Sequence[Tensor], Mapping[Tensor, Array]], list[Array]]


class GradientMismatch(AssertionError):
    """A symbolic gradient that differs from the numeric one."""


# ------------------------------------------------------------------ evaluation
def evaluate(
    tensors: Sequence[Tensor], feeds: Mapping[Tensor, Any], precise: bool = True
) -> list[Array]:
    """The tensors' values by the ops' NumPy references.

    Args:
        feeds: values of placeholders, variables' refs, and of any tensor to cut at.
        precise: floats are float64 throughout, instead of each tensor's own dtype.

    Raises:
        ValueError: a needed tensor has no value and its op no reference.
    """
    values = {t: _as_fed(t, v, precise) for t, v in feeds.items()}
    for node in _needed(tensors, values):
        outs = _node_values(node, [values[t] for t in node.inputs], precise)
        for tensor, out in zip(node.outputs, outs, strict=True):
            values.setdefault(tensor, out)
    return [values[t] for t in tensors]


def _as_fed(tensor: Tensor, value: Any, precise: bool) -> Array:
    wide = float64 if precise and tensor.dtype.is_floating else tensor.dtype
    return np.asarray(value).astype(wide.np)


def _needed(tensors: Sequence[Tensor], known: Mapping[Tensor, Array]) -> list[Node]:
    seen: set[Node] = set()
    stack = [t.node for t in tensors if t not in known]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend(t.node for t in node.inputs if t not in known)
    return sorted(seen, key=lambda n: n.id)


def _node_values(node: Node, inputs: Sequence[Array], precise: bool) -> list[Array]:
    if node.op.numpy is None:
        raise ValueError(
            f"{node.text_name} ({node.type}) needs a value: feed it, or an op after it"
        )
    attrs = dict(node.attrs)
    if precise and node.op.name == "cast" and node.outputs[0].dtype.is_floating:
        attrs = {k: float64 if isinstance(v, DType) else v for k, v in attrs.items()}
    with np.errstate(all="ignore"):
        out = node.op.numpy(*inputs, **attrs)
    outs = out if isinstance(out, tuple | list) else (out,)
    return [_as_fed(t, o, precise) for o, t in zip(outs, node.outputs, strict=True)]


# ------------------------------------------------------------------ graphs
def check_gradients(
    ys: Any,
    xs: Any = None,
    feeds: Mapping[Tensor, Any] | None = None,
    order: int = 1,
    eps: float = 1e-5,
    rtol: float = 1e-4,
    atol: float = 1e-6,
    seed: int = 0,
    evaluate: Evaluate = evaluate,
) -> float:
    """Compares symbolic gradients with central differences along random directions.

    Args:
        ys: a tensor or list, or a function of arrays; then `xs` are arrays, one an argument.
        xs: tensors with floating dtype; each must have a value in `feeds`.
        order: 2 also checks the gradients of the gradients.
        evaluate: (tensors, feeds) -> arrays; the default is the float64 reference.

    Returns:
        The largest relative difference.

    Raises:
        GradientMismatch: names the order and the source. ValueError: an x without a value.
    """
    if callable(ys) and not isinstance(ys, Tensor):
        return _check_function(ys, xs, order, eps, rtol, atol, seed)
    feeds = dict(feeds or {})
    targets = list(ys) if isinstance(ys, list | tuple) else [ys]
    sources = list(xs) if isinstance(xs, list | tuple) else [xs]
    sources = [s._as_graph_element() if hasattr(s, "_as_graph_element") else s for s in sources]
    for x in sources:
        if x not in feeds:
            raise ValueError(f"{x} has no value in feeds")
    rng = np.random.default_rng(seed)
    worst = 0.0
    for level in range(1, order + 1):
        total, back = _weighted_gradients(targets, sources, feeds, rng, evaluate)
        for x, g in zip(sources, back, strict=True):
            worst = max(
                worst,
                _compare(total, x, g, feeds, rng, evaluate, (eps, rtol, atol), level),
            )
        targets = [g for g in back if g is not None]
        if not targets:
            break
    return worst


def _check_function(
    fn: Callable[..., Any], args: Any, order: int, eps: float, rtol: float, atol: float, seed: int
) -> float:
    arrays = [np.asarray(a) for a in (args if isinstance(args, list | tuple) else [args])]
    with Graph().as_default():
        xs = [constant_tensor(a, None) for a in arrays]
        ys = fn(*xs)
        feeds = dict(zip(xs, arrays, strict=True))
        sources = [x for x in xs if x.dtype.is_floating]
        return check_gradients(ys, sources, feeds, order, eps, rtol, atol, seed)


def _weighted_gradients(
    targets: Sequence[Tensor],
    sources: Sequence[Tensor],
    feeds: Mapping[Tensor, Any],
    rng: np.random.Generator,
    evaluate: Evaluate,
) -> tuple[Tensor, list[Tensor | None]]:
    """sum(r * y) over all targets, and its gradients."""
    values = evaluate(targets, feeds)
    parts = []
    for y, value in zip(targets, values, strict=True):
        weight = constant_tensor(rng.uniform(0.5, 1.5, value.shape), y.dtype, graph=y.graph)
        parts.append(F.reduce_sum(F.multiply(y, weight), axes=None, keepdims=False))
    total = parts[0] if len(parts) == 1 else F.add_n(*parts)
    return total, [None if g is None else as_dense(g) for g in gradients(total, list(sources))]


def _compare(
    total: Tensor,
    x: Tensor,
    g: Tensor | None,
    feeds: Mapping[Tensor, Any],
    rng: np.random.Generator,
    evaluate: Evaluate,
    limits: tuple[float, float, float],
    level: int,
) -> float:
    """The relative difference for one source; raises where it is too large."""
    eps, rtol, atol = limits
    at = np.asarray(feeds[x], np.float64)
    direction = rng.uniform(-1.0, 1.0, at.shape)
    got = 0.0
    if g is not None:
        value = evaluate([g], feeds)[0]
        if value.shape != at.shape:
            raise GradientMismatch(
                f"gradient (order {level}) of {x} has shape {value.shape}, expected {at.shape}"
            )
        got = float(np.sum(value.astype(np.float64) * direction))
    ends = [
        float(evaluate([total], {**feeds, x: at + sign * eps * direction})[0])
        for sign in (1.0, -1.0)
    ]
    want = (ends[0] - ends[1]) / (2 * eps)
    # cancellation in the difference limits what can be told apart
    noise = 1e-15 * max(abs(ends[0]), abs(ends[1]), 1.0) / eps
    error = abs(got - want)
    if not error <= atol + 10 * noise + rtol * max(abs(got), abs(want)):
        raise GradientMismatch(
            f"gradient (order {level}) of {total.node.inputs[0].text_name} by {x.text_name}: "
            f"symbolic {got:.10g}, numeric {want:.10g} along a random direction"
        )
    return error / max(abs(got), abs(want), 1.0)


# ------------------------------------------------------------------ op records
def check_op(
    record: OpDef, sample: Any, dtype: DType = float64, order: int = 1, seed: int = 0
) -> float:
    """check_gradients for one call of an op (an ops.samples.Sample).

    Returns:
        The largest relative difference; 0 where nothing is differentiable.

    Raises:
        GradientMismatch.
    """
    rng = np.random.default_rng(seed)
    with Graph().as_default():
        tensors, feeds = [], {}
        for given in sample.inputs:
            array = given.make(rng, dtype)
            kind = given.dtype or dtype
            if given.const:
                tensors.append(constant_tensor(array, kind))
                continue
            tensor = F.placeholder(dtype=kind, shape=array.shape)
            feeds[tensor] = array
            tensors.append(tensor)
        out = record(*tensors, **sample.attrs)
        outs = out if isinstance(out, tuple) else (out,)
        ys = [t for t in outs if t.dtype.is_floating]
        xs = _with_rule(ys, [t for t in feeds if t.dtype.is_floating])
        if not xs:
            return 0.0
        scale = sample.tolerance
        return check_gradients(
            ys, xs, feeds, order, rtol=1e-4 * scale, atol=1e-6 * scale, seed=seed
        )


def _with_rule(ys: list[Tensor], xs: list[Tensor]) -> list[Tensor]:
    """The inputs that the op's rule gives a gradient; TF1 has none for some (pad's constant).

    All of them where it gives none at all: then the op must be flat (floor).
    """
    if not ys or not xs:
        return []
    back = gradients(ys, xs)
    return [x for x, g in zip(xs, back, strict=True) if g is not None] or xs
