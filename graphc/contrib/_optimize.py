"""optimize_loss: one call from a loss to a training step (tf.contrib.layers.optimize_loss).

Lives here: optimize_loss, create_train_op, clipping of gradients by their norms. Not here: the
optimizers. Users find these names in graphc.contrib.layers and graphc.contrib.training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.dtypes import float32
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.api_state import assert_global_step, get_global_step, trainable_variables
from graphc.tf1.initializers import Constant
from graphc.tf1.variable_scope import get_variable, variable_scope

__all__ = [
    "OPTIMIZER_CLS_NAMES", "OPTIMIZER_SUMMARIES", "clip_gradient_norms", "create_train_op",
    "multiply_gradients", "optimize_loss",
]  # fmt: skip

GradsAndVars = list[tuple[Any, Any]]
_CLASSES = {
    "Adagrad": "AdagradOptimizer", "Adam": "AdamOptimizer", "Ftrl": "FtrlOptimizer",
    "Momentum": "MomentumOptimizer", "RMSProp": "RMSPropOptimizer",
    "SGD": "GradientDescentOptimizer",
}  # fmt: skip
OPTIMIZER_SUMMARIES = [
    "learning_rate", "loss", "gradients", "gradient_norm", "global_gradient_norm",
]  # fmt: skip


def _named(name: str) -> Callable[[Any], Any]:
    def make(learning_rate: Any) -> Any:
        from graphc import train

        kind = getattr(train, _CLASSES[name])
        return kind(learning_rate, momentum=0.9) if name == "Momentum" else kind(learning_rate)

    return make


OPTIMIZER_CLS_NAMES = {name: _named(name) for name in _CLASSES}


def _after(ops: Sequence[Any], value: Any) -> Tensor:
    """The value, ready when the ops have run."""
    with get_default_graph().control_dependencies(ops):
        return F.identity(value)


def _after_updates(update_ops: Sequence[Any] | None, value: Tensor) -> Tensor:
    """The value after the update ops, by default those of UPDATE_OPS."""
    if update_ops is None:
        update_ops = get_default_graph().get_collection(GraphKeys.UPDATE_OPS)
    return _after(list(dict.fromkeys(update_ops)), value) if update_ops else value


def optimize_loss(
    loss: Any,
    global_step: Any,
    learning_rate: Any,
    optimizer: Any,
    gradient_noise_scale: float | None = None,
    gradient_multipliers: Mapping[Any, Any] | None = None,
    clip_gradients: Any = None,
    learning_rate_decay_fn: Callable[..., Any] | None = None,
    update_ops: Sequence[Any] | None = None,
    variables: Sequence[Any] | None = None,
    name: str | None = None,
    summaries: Any = None,
    colocate_gradients_with_ops: bool = False,
    increment_global_step: bool = True,
) -> Tensor:
    """A training step: its value is the loss, and running it updates the variables.

    Args:
        loss: a scalar. global_step: None for the graph's own.
        learning_rate: a float (kept in a variable "learning_rate"), a scalar tensor or None.
        optimizer: a name of OPTIMIZER_CLS_NAMES, a class, an instance, or a function of the
            learning rate.
        gradient_noise_scale: deviation of noise added to gradients. gradient_multipliers: factors
            by variable or name. clip_gradients: the largest global norm, or a function of the list
            of (gradient, variable). learning_rate_decay_fn: of (learning_rate, global_step).
        update_ops: default UPDATE_OPS. variables: default the trainable ones.
        summaries: accepted; write summaries with tf.summary.

    Raises:
        ValueError: arguments of a wrong type or value, or no gradients.
    """
    value = convert_to_tensor(loss)
    with variable_scope(name, "OptimizeLoss", [loss, global_step]):
        if global_step is None:
            global_step = get_global_step()
        else:
            assert_global_step(global_step)
        value = _after_updates(update_ops, value)
        rate = _rate(learning_rate, learning_rate_decay_fn, global_step)
        opt = _optimizer(optimizer, rate)
        over = trainable_variables() if variables is None else variables
        gradients = opt.compute_gradients(
            value, over, colocate_gradients_with_ops=colocate_gradients_with_ops
        )
        gradients = _changed(
            gradients, gradient_noise_scale, gradient_multipliers, clip_gradients
        )
        step = global_step if increment_global_step else None
        train = opt.apply_gradients(gradients, global_step=step, name="train")
        return _after([train], value)


def _rate(learning_rate: Any, decay: Callable[..., Any] | None, global_step: Any) -> Any:
    if learning_rate is None:
        return None
    if is_tensor_like(learning_rate):
        if learning_rate.shape.ndims not in (0, None):
            raise ValueError(f"Learning rate should be 0d, got {learning_rate}")
        rate = learning_rate
    elif isinstance(learning_rate, float):
        if learning_rate < 0.0:
            raise ValueError(f"Invalid learning_rate {learning_rate}.")
        rate = get_variable(
            "learning_rate", [], float32, Constant(learning_rate), trainable=False
        )
    else:
        raise ValueError(
            "Learning rate should be 0d Tensor or float. "
            f"Got {learning_rate} of type {type(learning_rate)}"
        )
    if decay is None:
        return rate
    if global_step is None:
        raise ValueError("global_step is required for learning_rate_decay_fn.")
    return decay(rate, global_step)


def _optimizer(optimizer: Any, rate: Any) -> Any:
    from graphc.tf1.optimizer_base import Optimizer

    if isinstance(optimizer, str):
        if rate is None:
            raise ValueError("Learning rate is None, but should be specified if using a name.")
        if optimizer not in OPTIMIZER_CLS_NAMES:
            raise ValueError(
                f"Optimizer name should be one of [{', '.join(OPTIMIZER_CLS_NAMES)}], you "
                f"provided {optimizer}."
            )
        return OPTIMIZER_CLS_NAMES[optimizer](rate)
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        if rate is None:
            raise ValueError("Learning rate is None, but should be specified if using a class.")
        return optimizer(learning_rate=rate)  # type: ignore[call-arg]
    if isinstance(optimizer, Optimizer):
        return optimizer
    if callable(optimizer):
        made = optimizer() if rate is None else optimizer(rate)
        if isinstance(made, Optimizer):
            return made
        raise ValueError(f"Unrecognized optimizer: function should return Optimizer, got {made}.")
    raise ValueError(
        "Unrecognized optimizer: should be string, subclass of Optimizer, instance of subclass of "
        f"Optimizer or function with one argument. Got {optimizer}."
    )


def _on_values(gradient: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(gradient, IndexedSlices):
        return IndexedSlices(change(gradient.values), gradient.indices, gradient.dense_shape)
    return change(gradient)


def _changed(
    gradients: GradsAndVars, noise: float | None, factors: Any, clip: Any
) -> GradsAndVars:
    if noise is not None:
        gradients = _noisy(gradients, noise)
    if factors is not None:
        gradients = multiply_gradients(gradients, factors)
        if not gradients:
            raise ValueError(f"Empty list of (gradient, var) pairs: {gradients}.")
    if clip is None:
        return gradients
    if callable(clip) and not is_tensor_like(clip):
        clipped: GradsAndVars = clip(gradients)
        return clipped
    if not isinstance(clip, float | int) and not is_tensor_like(clip):
        raise ValueError(f"Unknown type {type(clip)} for clip_gradients")
    from graphc.tf1.api_clip import clip_by_global_norm

    values, _ = clip_by_global_norm([g for g, _ in gradients], clip)
    return [(g, v) for g, (_, v) in zip(values, gradients)]


def _noisy(gradients: GradsAndVars, scale: float) -> GradsAndVars:
    from graphc.tf1.api_random import truncated_normal

    def change(value: Any) -> Any:
        return value + truncated_normal(F.shape(value), dtype=value.dtype) * scale

    return [(None if g is None else _on_values(g, change), v) for g, v in gradients]


def multiply_gradients(
    grads_and_vars: GradsAndVars, gradient_multipliers: Mapping[Any, Any]
) -> GradsAndVars:
    """Gradients times factors by variable or name.

    Raises:
        ValueError: a variable that has a factor and no gradient.
    """
    out: GradsAndVars = []
    for gradient, variable in grads_and_vars:
        key = next(
            (k for k in (variable, variable.op.name, variable.name) if k in gradient_multipliers),
            None,
        )
        if key is not None:
            if gradient is None:
                raise ValueError("Requested multiple of `None` gradient.")
            factor = convert_to_tensor(gradient_multipliers[key], variable.dtype)
            gradient = _on_values(gradient, lambda g, by=factor: g * by)  # type: ignore[misc]
        out.append((gradient, variable))
    return out


def clip_gradient_norms(gradients_to_variables: GradsAndVars, max_norm: float) -> GradsAndVars:
    """Each gradient scaled down to at most this norm."""
    from graphc.tf1.api_clip import clip_by_norm

    pairs = gradients_to_variables
    return [(None if g is None else clip_by_norm(g, max_norm), v) for g, v in pairs]


_GLOBAL: Any = 0  # the graph's own step


def create_train_op(
    total_loss: Any,
    optimizer: Any,
    global_step: Any = _GLOBAL,
    update_ops: Sequence[Any] | None = None,
    variables_to_train: Sequence[Any] | None = None,
    transform_grads_fn: Callable[[GradsAndVars], GradsAndVars] | None = None,
    summarize_gradients: bool = False,
    gate_gradients: int = 1,
    aggregation_method: Any = None,
    colocate_gradients_with_ops: bool = False,
    check_numerics: bool = True,
    clip_gradient_norm: float = 0,
    gradient_multipliers: Mapping[Any, Any] | None = None,
) -> Tensor:
    """A training step whose value is the loss (tf.contrib.training.create_train_op, slim's).

    Args:
        global_step: default the graph's, made where there is none; None counts nothing.
        update_ops: default UPDATE_OPS, run before the loss. transform_grads_fn: of the list of
            (gradient, variable). clip_gradient_norm: above 0, the largest norm of each gradient.
        check_numerics: accepted; Config(check_numerics=True) names the first op that made a NaN.
            summarize_gradients: accepted.
    """
    from graphc.tf1.api_state import get_or_create_global_step

    step = get_or_create_global_step() if global_step is _GLOBAL else global_step
    value = _after_updates(update_ops, convert_to_tensor(total_loss))
    over = trainable_variables() if variables_to_train is None else variables_to_train
    gradients = optimizer.compute_gradients(
        value, over, gate_gradients=gate_gradients, aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
    )  # fmt: skip
    if gradient_multipliers:
        gradients = multiply_gradients(gradients, gradient_multipliers)
    if transform_grads_fn is not None:
        gradients = transform_grads_fn(gradients)
    if clip_gradient_norm > 0:
        gradients = clip_gradient_norms(gradients, clip_gradient_norm)
    with get_default_graph().name_scope("train_op"):
        train = _after([optimizer.apply_gradients(gradients, global_step=step)], value)
    steps = get_default_graph().get_collection_ref(GraphKeys.TRAIN_OP)
    if not any(train is t for t in steps):
        steps.append(train)
    return train
