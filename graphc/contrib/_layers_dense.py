"""Layers of tf.contrib.layers without windows: fully_connected, flatten, dropout, embeddings.

Lives here: those functions. Not here: normalisation, convolutions. Users find these names in
graphc.contrib.layers and graphc.contrib.slim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.contrib._arg_scope import add_arg_scope
from graphc.contrib._layers_base import (
    KERNEL_NAMES,
    XAVIER,
    ZEROS,
    collect_output,
    collect_variable,
    finished,
    getter_of,
    initializer_of,
)
from graphc.contrib._variables import model_variable
from graphc.ir.dtypes import int32, int64
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_nn
from graphc.tf1.layers_core import Dense, Dropout
from graphc.tf1.layers_core import flatten as core_flatten
from graphc.tf1.scopes import name_scope
from graphc.tf1.variable_scope import variable_scope

Fn = Callable[..., Any]


@add_arg_scope
def fully_connected(
    inputs: Any,
    num_outputs: Any,
    activation_fn: Fn | None = api_nn.relu,
    normalizer_fn: Fn | None = None,
    normalizer_params: Mapping[str, Any] | None = None,
    weights_initializer: Any = XAVIER,
    weights_regularizer: Fn | None = None,
    biases_initializer: Any = ZEROS,
    biases_regularizer: Fn | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    scope: Any = None,
) -> Any:
    """activation(inputs x weights + biases) along the last axis (tf.contrib.layers).

    Variables "<scope>/weights" and, without a normalizer, "<scope>/biases".

    Args:
        inputs: rank at least 2. activation_fn: default relu; None for none.
        normalizer_fn: called with the outputs and normalizer_params, instead of biases.
        biases_initializer: None for no biases. variables_collections: a list, or a dict by kind.

    Raises:
        ValueError: num_outputs is not an int.
    """
    if isinstance(num_outputs, bool) or not hasattr(num_outputs, "__index__"):
        raise ValueError(f"num_outputs type should be one of (int,), got {type(num_outputs)}.")
    with variable_scope(
        scope, "fully_connected", [inputs], reuse=reuse, custom_getter=getter_of(KERNEL_NAMES)
    ) as sc:
        biases = initializer_of(biases_initializer)
        layer = Dense(
            num_outputs, use_bias=normalizer_fn is None and biases is not None,
            kernel_initializer=initializer_of(weights_initializer), bias_initializer=biases,
            kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer,
            trainable=trainable, name=sc.name, _scope=sc, _reuse=reuse,
        )  # fmt: skip
        outputs = layer(inputs)
        collect_variable(layer.kernel, variables_collections, "weights")
        collect_variable(layer.bias, variables_collections, "biases")
        normalizer = (normalizer_fn, normalizer_params)
        return finished(outputs, sc, normalizer, activation_fn, outputs_collections)


def _fixed_activation(name: str, activation: Fn | None) -> Fn:
    def layer(*args: Any, **kwargs: Any) -> Any:
        return fully_connected(*args, **{"activation_fn": activation, **kwargs})

    layer.__name__ = layer.__qualname__ = name
    layer.__doc__ = f"fully_connected with {name} activation (tf.contrib.layers.{name})."
    return layer


relu = _fixed_activation("relu", api_nn.relu)
relu6 = _fixed_activation("relu6", api_nn.relu6)
linear = _fixed_activation("linear", None)


@add_arg_scope
def flatten(inputs: Any, outputs_collections: Any = None, scope: Any = None) -> Tensor:
    """All axes but the first as one (tf.contrib.layers.flatten).

    Raises:
        ValueError: inputs of rank below 2.
    """
    x = convert_to_tensor(inputs)
    if x.rank is not None and x.rank < 2:
        raise ValueError("Inputs must have a least 2 dimensions.")
    with name_scope(scope, "Flatten", [inputs]) as sc:
        return collect_output(outputs_collections, sc, core_flatten(x))


@add_arg_scope
def dropout(
    inputs: Any,
    keep_prob: Any = 0.5,
    noise_shape: Any = None,
    is_training: Any = True,
    outputs_collections: Any = None,
    scope: Any = None,
    seed: int | None = None,
) -> Tensor:
    """In training, elements kept with probability keep_prob and scaled up, the others 0.

    Args:
        is_training: a bool, or a bool tensor such as a placeholder.
    """
    with variable_scope(scope, "Dropout", [inputs], custom_getter=getter_of()) as sc:
        layer = Dropout(1 - keep_prob, noise_shape, seed, name=sc.name, _scope=sc)
        outputs = layer(inputs, training=is_training)
        return collect_output(outputs_collections, sc.name, outputs)


@add_arg_scope
def bias_add(
    inputs: Any,
    activation_fn: Fn | None = None,
    initializer: Any = ZEROS,
    regularizer: Fn | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    data_format: str | None = None,
    scope: Any = None,
) -> Any:
    """inputs plus a variable "biases", one for each channel.

    Raises:
        ValueError: the number of channels is not known.
    """
    with variable_scope(scope, "BiasAdd", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        at = 1 if data_format is not None and data_format.startswith("NC") else -1
        channels = x.shape.as_list()[at]
        if channels is None:
            raise ValueError("`C` dimension must be known but is None")
        biases = model_variable(
            "biases", [channels], x.dtype, initializer_of(initializer), regularizer, trainable
        )
        collect_variable(biases, variables_collections, "biases")
        outputs = api_nn.bias_add(x, biases, data_format)
        return finished(outputs, sc, (None, None), activation_fn, outputs_collections)


@add_arg_scope
def one_hot_encoding(
    labels: Any,
    num_classes: int,
    on_value: Any = 1.0,
    off_value: Any = 0.0,
    outputs_collections: Any = None,
    scope: Any = None,
) -> Tensor:
    """Class numbers as rows with one on_value (tf.one_hot)."""
    from graphc.tf1.api_create import one_hot

    with name_scope(scope, "OneHotEncoding", [labels]) as sc:
        numbers = convert_to_tensor(labels)
        if numbers.dtype is int32:
            numbers = F.cast(numbers, dtype=int64)
        outputs = one_hot(numbers, num_classes, on_value=on_value, off_value=off_value)
        return collect_output(outputs_collections, sc, outputs)


def embed_sequence(
    ids: Any,
    vocab_size: int | None = None,
    embed_dim: int | None = None,
    unique: bool = False,
    initializer: Any = None,
    regularizer: Fn | None = None,
    trainable: bool = True,
    scope: Any = None,
    reuse: Any = None,
) -> Tensor:
    """Rows of a variable "embeddings", of shape (vocab_size, embed_dim), at these ids.

    Args:
        ids: integers (batch, length). unique: accepted; each row is read where it is used.

    Raises:
        ValueError: neither reuse nor both sizes.
    """
    if not (reuse or (vocab_size and embed_dim)):
        raise ValueError(
            "Must specify vocab size and embedding dimension when not reusing. Got "
            f"vocab_size={vocab_size} and embed_dim={embed_dim}"
        )
    with variable_scope(scope, "EmbedSequence", [ids], reuse=reuse):
        shape = [vocab_size, embed_dim] if reuse is None or (vocab_size and embed_dim) else None
        table = model_variable(
            "embeddings", shape=shape, initializer=initializer, regularizer=regularizer,
            trainable=trainable,
        )  # fmt: skip
        return api_nn.embedding_lookup(table, ids)


@add_arg_scope
def unit_norm(inputs: Any, dim: int, epsilon: float = 1e-7, scope: Any = None) -> Tensor:
    """inputs / sqrt(sum(inputs ** 2) + epsilon) along an axis.

    Raises:
        ValueError: an axis outside the rank.
    """
    with variable_scope(scope, "UnitNorm", [inputs]):
        x = convert_to_tensor(inputs)
        if x.rank is None:
            raise ValueError("The input rank must be known.")
        if dim < 0 or dim >= x.rank:
            raise ValueError(f"dim must be positive and below the input rank {x.rank}, got {dim}.")
        squares = F.reduce_sum(F.square(x), axes=(dim,), keepdims=True)
        return F.divide(x, F.sqrt(squares + epsilon))


@add_arg_scope
def softmax(logits: Any, scope: Any = None) -> Tensor:
    """Softmax along the last axis."""
    with variable_scope(scope, "softmax", [logits]):
        return api_nn.softmax(logits)


# ------------------------------------------------------------------ many layers at once
def _layer_scope(layer: Any) -> str:
    inner = layer.func if hasattr(layer, "func") else layer
    return str(inner.__name__)


@add_arg_scope
def repeat(inputs: Any, repetitions: int, layer: Fn, *args: Any, **kwargs: Any) -> Any:
    """The layer applied again and again, in scopes "<scope>/<scope>_1", "_2", ...

    Args:
        args, kwargs: of each call; `scope` names the scopes, default the layer's name.
    """
    scope = kwargs.pop("scope", None)
    with variable_scope(scope, "Repeat", [inputs]):
        base = scope or _layer_scope(layer)
        outputs = inputs
        for i in range(repetitions):
            outputs = layer(outputs, *args, **{**kwargs, "scope": f"{base}_{i + 1}"})
        return outputs


@add_arg_scope
def stack(inputs: Any, layer: Fn, stack_args: Sequence[Any], **kwargs: Any) -> Any:
    """The layer applied once for each of stack_args, in scopes "<scope>/<scope>_1", ...

    Raises:
        ValueError: stack_args is no list or tuple.
    """
    if not isinstance(stack_args, list | tuple):
        raise ValueError("stack_args need to be a list or tuple")
    scope = kwargs.pop("scope", None)
    with variable_scope(scope, "Stack", [inputs]):
        base = scope or _layer_scope(layer)
        outputs = inputs
        for i, given in enumerate(stack_args):
            arguments = given if isinstance(given, list | tuple) else [given]
            outputs = layer(outputs, *arguments, **{**kwargs, "scope": f"{base}_{i + 1}"})
        return outputs
