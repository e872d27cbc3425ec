"""keras.backend's mathematics: reductions and functions of elements.

Lives here: sum to relu. Not here: shapes (core/arrays.py), losses and convolutions (core/nn.py).
Imports tf1. Names are Keras', so builtins are reached through `builtins`.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from graphc.ir.dtypes import as_dtype, bool_
from graphc.ir.node import Tensor
from graphc.keras.core.config import floatx
from graphc.keras.core.session import learning_phase
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1 import api_array, api_math, api_nn, api_normalize

__all__ = [
    "abs", "all", "any", "argmax", "argmin", "cast", "cast_to_floatx", "clip", "cos", "cumprod",
    "cumsum", "elu", "equal", "exp", "floatx_tensor", "greater", "greater_equal", "hard_sigmoid",
    "in_test_phase", "in_train_phase", "l2_normalize", "less", "less_equal", "log", "logsumexp",
    "max", "maximum", "mean", "min", "minimum", "not_equal", "ones_like", "pow", "prod", "relu",
    "round", "selu", "sigmoid", "sign", "sin", "softmax", "softplus", "softsign", "sqrt", "square",
    "std", "stop_gradient", "sum", "switch", "tanh", "var", "zeros_like",
]  # fmt: skip


def cast(x: Any, dtype: Any) -> Tensor:
    return api_math.cast(x, dtype)


def cast_to_floatx(x: Any) -> Any:
    """A tensor or array in floatx()."""
    import numpy as np

    if is_tensor_like(x):
        return cast(x, floatx())
    return np.asarray(x, dtype=as_dtype(floatx()).np)


def floatx_tensor(x: Any) -> Tensor:
    """The value as a tensor; Python numbers take floatx()."""
    return convert_to_tensor(x) if is_tensor_like(x) else convert_to_tensor(x, as_dtype(floatx()))


def _numbers(x: Any) -> Tensor:
    """Bools as numbers: Keras counts and averages truth values."""
    tensor = convert_to_tensor(x)
    return cast(tensor, floatx()) if tensor.dtype is bool_ else tensor


def _reduction(name: str) -> Callable[..., Tensor]:
    reduce = getattr(api_math, f"reduce_{name}")

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        return reduce(_numbers(x), axis=axis, keepdims=keepdims)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The {name} over `axis` (all axes for None)."
    return call


sum, mean, prod = _reduction("sum"), _reduction("mean"), _reduction("prod")
max, min = _reduction("max"), _reduction("min")
logsumexp = _reduction("logsumexp")


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether some element is not zero."""
    return api_math.reduce_any(cast(x, bool_), axis=axis, keepdims=keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether no element is zero."""
    return api_math.reduce_all(cast(x, bool_), axis=axis, keepdims=keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The biased variance."""
    x = _numbers(x)
    away = x - api_math.reduce_mean(x, axis=axis, keepdims=True)
    return api_math.reduce_mean(api_math.square(away), axis=axis, keepdims=keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    return api_math.sqrt(var(x, axis, keepdims))


def argmax(x: Any, axis: int = -1) -> Tensor:
    return api_math.argmax(x, axis=_positive(x, axis))


def argmin(x: Any, axis: int = -1) -> Tensor:
    return api_math.argmin(x, axis=_positive(x, axis))


def _positive(x: Any, axis: int) -> int:
    rank = convert_to_tensor(x).rank
    return axis + rank if axis < 0 and rank is not None else axis


def cumsum(x: Any, axis: int = 0) -> Tensor:
    return api_math.cumsum(x, axis=axis)


def cumprod(x: Any, axis: int = 0) -> Tensor:
    return api_math.cumprod(x, axis=axis)


# ------------------------------------------------------------------ elements
def _unary(name: str) -> Callable[[Any], Tensor]:
    inner = getattr(api_math, name)

    def call(x: Any) -> Tensor:
        return inner(floatx_tensor(x))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name} of each element."
    return call


abs, exp, log, sign = _unary("abs"), _unary("exp"), _unary("log"), _unary("sign")
square, sin, cos, tanh = _unary("square"), _unary("sin"), _unary("cos"), _unary("tanh")
sigmoid, softplus = _unary("sigmoid"), _unary("softplus")


def sqrt(x: Any) -> Tensor:
    """The square root; 0 for negative numbers."""
    x = floatx_tensor(x)
    return api_math.sqrt(api_math.maximum(x, api_array.zeros_like(x)))


def round(x: Any) -> Tensor:
    """Rounded to the nearest, halves to even."""
    return api_math.round(floatx_tensor(x))


def pow(x: Any, a: Any) -> Tensor:
    return api_math.pow(floatx_tensor(x), a)


def clip(x: Any, min_value: Any, max_value: Any) -> Tensor:
    """Values below `min_value` and above `max_value` become these."""
    x = floatx_tensor(x)
    if isinstance(min_value, int | float) and isinstance(max_value, int | float):
        max_value = builtins.max(min_value, max_value)
    if max_value is None:
        max_value = float("inf")
    if min_value is None:
        min_value = float("-inf")
    return api_math.minimum(api_math.maximum(x, min_value), max_value)


def _comparison(name: str) -> Callable[[Any, Any], Tensor]:
    inner = getattr(api_math, name)

    def call(x: Any, y: Any) -> Tensor:
        return inner(x, y)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name} of corresponding elements."
    return call


equal, not_equal = _comparison("equal"), _comparison("not_equal")
greater, greater_equal = _comparison("greater"), _comparison("greater_equal")
less, less_equal = _comparison("less"), _comparison("less_equal")
maximum, minimum = _comparison("maximum"), _comparison("minimum")


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    return api_array.ones_like(x, dtype=dtype, name=name)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    return api_array.zeros_like(x, dtype=dtype, name=name)


def stop_gradient(variables: Any) -> Any:
    """The values as constants as far as gradients go."""
    if isinstance(variables, list | tuple):
        return [F.stop_gradient(convert_to_tensor(v)) for v in variables]
    return F.stop_gradient(convert_to_tensor(variables))


# ------------------------------------------------------------------ activations
def relu(x: Any, alpha: Any = 0.0, max_value: Any = None, threshold: Any = 0.0) -> Tensor:
    """max(x, 0) and its kin.

    Args:
        alpha: slope below the threshold. max_value: the largest result. threshold: where the
            line through the origin begins.
    """
    x = floatx_tensor(x)
    leaky = not (isinstance(alpha, int | float) and alpha == 0.0)
    below = None
    if leaky:
        if max_value is None and isinstance(threshold, int | float) and threshold == 0:
            return F.select_v2(api_math.greater(x, 0.0), x, x * alpha)
        below = alpha * api_math.minimum(x - threshold, 0.0)
    if not (isinstance(threshold, int | float) and threshold == 0):
        x = x * cast(api_math.greater(x, threshold), x.dtype)
    else:
        x = F.relu(x)
    if max_value is not None:
        x = api_math.minimum(x, max_value)
    return x if below is None else x + below


def elu(x: Any, alpha: Any = 1.0) -> Tensor:
    x = floatx_tensor(x)
    res = F.elu(x)
    if isinstance(alpha, int | float) and alpha == 1:
        return res
    return F.select_v2(api_math.greater(x, 0.0), res, res * alpha)


def selu(x: Any) -> Tensor:
    return F.selu(floatx_tensor(x))


def softsign(x: Any) -> Tensor:
    return F.softsign(floatx_tensor(x))


def softmax(x: Any, axis: int = -1) -> Tensor:
    return api_nn.softmax(floatx_tensor(x), axis=axis)


def hard_sigmoid(x: Any) -> Tensor:
    """0.2 x + 0.5 between 0 and 1."""
    return clip(0.2 * floatx_tensor(x) + 0.5, 0.0, 1.0)


def l2_normalize(x: Any, axis: Any = None) -> Tensor:
    return api_normalize.l2_normalize(floatx_tensor(x), axis=axis)


# ------------------------------------------------------------------ choices
def _value(x: Any) -> Tensor:
    return convert_to_tensor(x() if callable(x) and not is_tensor_like(x) else x)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Tensor:
    """One of two values by a scalar truth value, or element by element.

    Args:
        then_expression, else_expression: tensors, or functions of nothing that give them.
    """
    cond = cast(condition, bool_)
    then, other = _value(then_expression), _value(else_expression)
    if cond.rank not in (None, 0) and then.rank is not None:
        for _ in range(then.rank - (cond.rank or 0)):
            cond = F.expand_dims(cond, axis=-1)
    if then.dtype is not other.dtype:
        other = cast(other, then.dtype)
    return F.select_v2(cond, then, other)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Tensor:
    """x while training, else alt; both may be functions of nothing.

    Args:
        training: a number or bool decides now, a tensor when it runs; None: the learning phase.
    """
    if training is None:
        training = learning_phase()
    if not is_tensor_like(training):
        return _value(x) if training else _value(alt)
    phase = convert_to_tensor(training)
    if phase.dtype is not bool_:
        phase = cast(phase, bool_)
    then, other = _value(x), _value(alt)
    if then is other:
        return then
    return F.select_v2(phase, then, other)


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Tensor:
    """x while evaluating, else alt."""
    return in_train_phase(alt, x, training)


def scalar_phase() -> Tensor:
    """The learning phase as a bool tensor, fixed or not."""
    phase = learning_phase()
    return phase if is_tensor_like(phase) else convert_to_tensor(bool(phase))
