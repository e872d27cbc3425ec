"""Normalisations of tf.contrib.layers: batch_norm, layer_norm, instance_norm.

Lives here: those functions. Not here: tf.layers' BatchNormalization. Users find these names in
graphc.contrib.layers and graphc.contrib.slim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.contrib._arg_scope import add_arg_scope
from graphc.contrib._layers_base import collect_variable, finished, getter_of, is_last
from graphc.contrib._variables import model_variable
from graphc.ir.dtypes import float16
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_normalize
from graphc.tf1.initializers import Ones, Zeros
from graphc.tf1.layers_norm import BatchNormalization
from graphc.tf1.variable_scope import variable_scope

Fn = Callable[..., Any]


class _BatchNorm(BatchNormalization):
    """Rank 2 has the fused op's statistics too, where the averages move in place."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        in_place = self.updates_collections != GraphKeys.UPDATE_OPS
        self._as_fused = self._as_fused or (
            in_place and self.fused is not False and self._rank == 2
        )


def _refuse(**options: bool) -> None:
    for option, given in options.items():
        if given:
            raise ValueError(f"batch_norm: {option} is not supported by graphc.")


def _normalized(layer: _BatchNorm, inputs: Any, training: Any) -> Any:
    """The outputs; where no collection takes the updates, they come before the outputs."""
    outputs = layer(inputs, training=training)
    if layer.updates_collections is not None or not layer.updates:
        return outputs
    with get_default_graph().control_dependencies(layer.updates):
        return F.identity(outputs)


@add_arg_scope
def batch_norm(
    inputs: Any,
    decay: float = 0.999,
    center: bool = True,
    scale: bool = False,
    epsilon: float = 0.001,
    activation_fn: Fn | None = None,
    param_initializers: Mapping[str, Any] | None = None,
    param_regularizers: Mapping[str, Any] | None = None,
    updates_collections: Any = GraphKeys.UPDATE_OPS,
    is_training: Any = True,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    batch_weights: Any = None,
    fused: bool | None = None,
    data_format: str | None = "NHWC",
    zero_debias_moving_mean: bool = False,
    scope: Any = None,
    renorm: bool = False,
    renorm_clipping: Any = None,
    renorm_decay: float = 0.99,
    adjustment: Any = None,
) -> Any:
    """Batch normalisation (tf.contrib.layers.batch_norm).

    Variables "beta", "gamma" (with scale=True), "moving_mean", "moving_variance".

    Args:
        decay: momentum of the averages. is_training: a bool, or a bool tensor.
        updates_collections: where the ops go that move the averages; None moves them whenever
            the outputs are computed in training.
        param_initializers, param_regularizers: by the variables' names.

    Raises:
        ValueError: unknown data_format; batch_weights, zero_debias_moving_mean, renorm or
        adjustment, which graphc does not support.
    """
    _refuse(
        batch_weights=batch_weights is not None, zero_debias_moving_mean=zero_debias_moving_mean
    )
    last = is_last(data_format, "NHWC", "NCHW")
    initial, regularizers = param_initializers or {}, param_regularizers or {}
    with variable_scope(
        scope, "BatchNorm", [inputs], reuse=reuse, custom_getter=getter_of()
    ) as sc:
        layer = _BatchNorm(
            -1 if last else 1, decay, epsilon, center, scale, initial.get("beta", Zeros()),
            initial.get("gamma", Ones()), initial.get("moving_mean", Zeros()),
            initial.get("moving_variance", Ones()), regularizers.get("beta"),
            regularizers.get("gamma"), renorm=renorm, fused=fused, trainable=trainable,
            adjustment=adjustment, name=sc.name, _scope=sc, _reuse=reuse,
        )  # fmt: skip
        layer.updates_collections = updates_collections
        outputs = _normalized(layer, inputs, is_training)
        for kind in ("beta", "gamma", "moving_mean", "moving_variance"):
            collect_variable(getattr(layer, kind), variables_collections, kind)
        return finished(outputs, sc, (None, None), activation_fn, outputs_collections)


def _parameters(
    shape: list[Any], dtype: Any, wanted: tuple[bool, bool], collections: Any, trainable: bool
) -> tuple[Any, Any]:
    """The variables beta and gamma, None where they are not wanted."""
    made: list[Any] = []
    for name, first, use in zip(("beta", "gamma"), (Zeros(), Ones()), wanted):
        variable = None
        if use:
            variable = model_variable(name, shape, dtype, first, trainable=trainable)
            collect_variable(variable, collections, name)
        made.append(variable)
    return made[0], made[1]


@add_arg_scope
def layer_norm(
    inputs: Any,
    center: bool = True,
    scale: bool = True,
    activation_fn: Fn | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    begin_norm_axis: int = 1,
    begin_params_axis: int = -1,
    scope: Any = None,
) -> Any:
    """Each sample normalised over its axes from begin_norm_axis on (Ba 2016).

    Variables "beta" and "gamma", of the shape of the axes from begin_params_axis on.

    Raises:
        ValueError: axes outside the rank, or extents that are not known.
    """
    with variable_scope(scope, "LayerNorm", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        rank = x.rank
        if rank is None:
            raise ValueError(f"Inputs {x.name} has undefined rank.")
        begin = begin_norm_axis + rank if begin_norm_axis < 0 else begin_norm_axis
        first = begin_params_axis + rank if begin_params_axis < 0 else begin_params_axis
        if begin >= rank or first >= rank:
            raise ValueError(
                f"begin_params_axis ({begin_params_axis}) and begin_norm_axis ({begin_norm_axis}) "
                f"must be < rank(inputs) ({rank})"
            )
        shape = x.shape.as_list()[first:]
        if None in shape:
            raise ValueError(
                f"Inputs {x.name}: shape(inputs)[{first}:] is not fully defined: {x.shape}"
            )
        parameters = _parameters(
            shape, x.dtype, (center, scale), variables_collections, trainable
        )
        mean, variance = api_normalize.moments(x, list(range(begin, rank)), keep_dims=True)
        outputs = api_normalize.batch_normalization(
            x, mean, variance, *parameters, 1e-3 if x.dtype is float16 else 1e-12
        )
        outputs.set_shape(x.shape)
        return finished(outputs, sc, (None, None), activation_fn, outputs_collections)


def _beside(variable: Any, rank: int) -> Any:
    """A vector that broadcasts against channels on axis 1."""
    from graphc.tf1.api_array import reshape

    return reshape(variable, [-1, *(1,) * (rank - 2)])


@add_arg_scope
def instance_norm(
    inputs: Any,
    center: bool = True,
    scale: bool = True,
    epsilon: float = 1e-6,
    activation_fn: Fn | None = None,
    param_initializers: Mapping[str, Any] | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    data_format: str | None = "NHWC",
    scope: Any = None,
) -> Any:
    """Each channel of each sample normalised over its spatial axes (Ulyanov 2016).

    Raises:
        ValueError: unknown data_format, rank or number of channels.
    """
    last = is_last(data_format, "NHWC", "NCHW")
    initial = param_initializers or {}
    with variable_scope(scope, "InstanceNorm", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        if x.rank is None or x.rank < 3:
            raise ValueError(f"Inputs {x.name} needs a rank of at least 3, got {x.shape}.")
        channel = x.rank - 1 if last else 1
        count = x.shape.as_list()[channel]
        if count is None:
            raise ValueError(f"Inputs {x.name} has undefined channels dimension {x.shape}.")
        made = []
        for name, default, use in (("beta", Zeros(), center), ("gamma", Ones(), scale)):
            variable: Any = None
            if use:
                variable = model_variable(
                    name, [count], x.dtype, initial.get(name, default), trainable=trainable
                )
                collect_variable(variable, variables_collections, name)
            made.append(variable if last or variable is None else _beside(variable, x.rank))
        spatial = [a for a in range(1, x.rank) if a != channel]
        mean, variance = api_normalize.moments(x, spatial, keep_dims=True)
        outputs = api_normalize.batch_normalization(
            x, mean, variance, made[0], made[1], epsilon
        )
        outputs.set_shape(x.shape)
        return finished(outputs, sc, (None, None), activation_fn, outputs_collections)
