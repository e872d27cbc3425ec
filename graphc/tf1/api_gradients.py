"""Gradients as users of TF1 know them: custom_gradient, RegisterGradient, compute_gradient.

Lives here: wrappers over autodiff. Not here: gradients and hessians (autodiff/gradients.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.autodiff.gradients import AggregationMethod, gradients, hessians
from graphc.autodiff.indexed_slices import IndexedSlices, IndexedSlicesValue, as_dense
from graphc.autodiff.registry import RegisterGradient, attach_rule, no_gradient
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.scopes import name_scope

__all__ = [
    "AggregationMethod",
    "IndexedSlices",
    "IndexedSlicesValue",
    "NoGradient",
    "NotDifferentiable",
    "RegisterGradient",
    "compute_gradient",
    "compute_gradient_error",
    "custom_gradient",
    "gradients",
    "hessians",
]

NoGradient = NotDifferentiable = no_gradient


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a function that gives its result and its own gradient (tf.custom_gradient).

    Args:
        f: f(*x) -> (y, grad_fn), y a tensor or a sequence of them; grad_fn(*dy) gives the
            gradients of the arguments. Variables that f reads beside its arguments are passed to
            grad_fn as `variables`, which then gives (gradients, gradients of the variables).

    Raises (by the decorated function):
        TypeError: f reads variables and grad_fn takes none. ValueError: f gives no pair.
    """

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return _with_custom_gradient(f, args, kwargs)

    return wrapped


def _with_custom_gradient(
    f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    with name_scope("CustomGradient"):
        # fresh tensors, so that what f computes is told apart from what it was given
        inputs = [F.identity(convert_to_tensor(a)) for a in args]
        start = inputs[0].graph.last_id if inputs else 0
        got = f(*inputs, **kwargs)
        if not isinstance(got, tuple) or len(got) != 2:
            raise ValueError("custom_gradient: the function must return (result, grad_fn)")
        result, grad_fn = got
        nested = isinstance(result, list | tuple)
        outs = [convert_to_tensor(r) for r in (result if nested else [result])]
        variables = _variables_read(outs, start)
        _check_takes_variables(grad_fn, variables)
        refs = [v._as_graph_element() for v in variables]
        node = F.identity_n.node(*outs, *inputs, *refs)

        def rule(op: Node, *gs: Any) -> list[Any]:
            dy = gs[: len(outs)]
            if variables:
                back, of_variables = grad_fn(*dy, variables=variables)
            else:
                back, of_variables = grad_fn(*dy), []
            given = list(back) if isinstance(back, list | tuple) else [back]
            if len(given) != len(inputs):
                raise ValueError(
                    f"custom_gradient function expected to return {len(inputs)} gradients but "
                    f"returned {len(given)} instead."
                )
            return [None] * len(outs) + given + list(of_variables)

        attach_rule(node, rule)
        passed = node.outputs[: len(outs)]
    return type(result)(passed) if nested and not hasattr(result, "_fields") else (
        type(result)(*passed) if nested else passed[0]
    )  # fmt: skip


def _variables_read(outs: Sequence[Tensor], start: int) -> list[Any]:
    """The trainable variables that nodes made from `start` on read, on the way to `outs`."""
    from graphc.tf1.variables import variable_of

    found: dict[Any, None] = {}
    seen: set[Node] = set()
    stack = [t.node for t in outs]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        for tensor in node.inputs:
            if tensor.node.op.name == "variable":
                found[tensor.node] = None
            elif tensor.node.id >= start or tensor.node.name.endswith("/read"):
                stack.append(tensor.node)
    owners = [variable_of(n) for n in found]
    return [v for v in owners if v is not None and v.trainable]


def _check_takes_variables(grad_fn: Callable[..., Any], variables: Sequence[Any]) -> None:
    import inspect

    if not variables:
        return
    spec = inspect.getfullargspec(grad_fn)
    if "variables" not in (*spec.args, *spec.kwonlyargs) and not spec.varkw:
        raise TypeError(
            "If using @custom_gradient with a function that uses variables, then grad_fn must "
            "accept a 'variables' keyword argument."
        )


# ------------------------------------------------------------------ tf.test
def compute_gradient(
    x: Any,
    x_shape: Any,
    y: Tensor,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> Any:
    """The Jacobian of y by x, symbolic and numeric (tf.test.compute_gradient).

    Needs a default session. Each has shape (size of x, size of y).

    Args:
        x, x_shape: a tensor or a list of them. x_init_value: where; default random values.

    Returns:
        (symbolic, numeric), or a list of such pairs for a list of xs.

    Raises:
        TypeError: x or y is not a float. ValueError: no default session.
    """
    if extra_feed_dict is None:
        extra_feed_dict = {}
    many = isinstance(x, list)
    xs = list(x) if many else [x]
    shapes = list(x_shape) if many else [x_shape]
    starts = list(x_init_value) if many and x_init_value is not None else [x_init_value] * len(xs)
    for target in (*xs, y):
        if not target.dtype.is_floating:
            raise TypeError(f"The types of x and y must be floating: {target}")
    if init_targets is not None:
        for target in init_targets if isinstance(init_targets, list | tuple) else [init_targets]:
            target.run()
    pairs = [
        _jacobians(t, s, y, y_shape, v, delta, extra_feed_dict)
        for t, s, v in zip(xs, shapes, starts, strict=True)
    ]
    return pairs if many else pairs[0]


def _random(shape: Any) -> np.ndarray[Any, Any]:
    return np.random.default_rng().random(tuple(shape))


def _jacobians(
    x: Any, x_shape: Any, y: Tensor, y_shape: Any, start: Any, delta: float, feeds: dict[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    key = x if isinstance(x, Tensor) else x._as_graph_element()
    at = np.asarray(start) if start is not None else _random(x_shape)
    at = at.astype(key.dtype.np)
    sizes = (int(np.prod(x_shape)), int(np.prod(y_shape)))
    return (
        _symbolic(key, at, y, y_shape, sizes, feeds),
        _numeric(key, at, y, sizes, delta, feeds),
    )


def _symbolic(
    x: Tensor, at: Any, y: Tensor, y_shape: Any, sizes: tuple[int, int], feeds: dict[Any, Any]
) -> np.ndarray[Any, Any]:
    weights = F.placeholder(dtype=y.dtype, shape=tuple(int(d) for d in y_shape))
    back = gradients(y, x, grad_ys=weights)[0]
    out = np.zeros(sizes, x.dtype.np)
    if back is None:
        return out
    dense = as_dense(back)
    for column in range(sizes[1]):
        one = np.zeros(sizes[1], y.dtype.np)
        one[column] = 1
        value = dense.eval(feed_dict={**feeds, x: at, weights: one.reshape(tuple(y_shape))})
        out[:, column] = np.asarray(value).reshape(-1)
    return out


def _numeric(
    x: Tensor, at: Any, y: Tensor, sizes: tuple[int, int], delta: float, feeds: dict[Any, Any]
) -> np.ndarray[Any, Any]:
    out = np.zeros(sizes, x.dtype.np)
    for row in range(sizes[0]):
        ends = []
        for step in (delta, -delta):
            moved = at.copy().reshape(-1)
            moved[row] += step
            value = y.eval(feed_dict={**feeds, x: moved.reshape(at.shape)})
            ends.append(np.asarray(value, np.float64).reshape(-1))
        out[row] = (ends[0] - ends[1]) / (2 * delta)
    return out


def compute_gradient_error(
    x: Any,
    x_shape: Any,
    y: Tensor,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> float:
    """The largest difference of the two Jacobians (tf.test.compute_gradient_error)."""
    got = compute_gradient(
        x, x_shape, y, y_shape, x_init_value, delta, init_targets, extra_feed_dict
    )
    pairs = got if isinstance(got, list) else [got]
    errors = [np.abs(a - b).max() for a, b in pairs if a.size]
    return float(max(errors, default=0.0))
