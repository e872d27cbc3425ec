"""Convolutions and pooling of tf.contrib.layers.

Lives here: convolution1d to convolution3d, conv2d_transpose, separable_conv2d, pools. Not here:
tf.layers' classes, which do the work. Users find these names in graphc.contrib.layers and
graphc.contrib.slim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    is_last,
)
from graphc.contrib._variables import model_variable
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_nn, layers_pool
from graphc.tf1.layers_conv import Conv, Conv1D, Conv2D, Conv3D
from graphc.tf1.layers_conv_more import Conv2DTranspose, Conv3DTranspose, SeparableConv2D
from graphc.tf1.scopes import name_scope
from graphc.tf1.variable_scope import variable_scope

Fn = Callable[..., Any]
_FORMATS = ("NWC", "NCW", "NHWC", "NCHW", "NDHWC", "NCDHW")
_SEPARABLE = {
    "depthwise_kernel": "depthwise_weights", "pointwise_kernel": "pointwise_weights",
    "bias": "biases",
}  # fmt: skip


def _channels(data_format: str | None) -> str:
    return "channels_last" if is_last(data_format, *_FORMATS) else "channels_first"


def _collected(layer: Conv, inputs: Any, collections: Any) -> Any:
    """The outputs; the variables go to the user's collections."""
    outputs = layer(inputs)
    collect_variable(layer.kernel, collections, "weights")
    collect_variable(layer.bias, collections, "biases")
    return outputs


def _convolution(name_: str, layers: Mapping[int, Callable[..., Conv]], default: str) -> Fn:
    """A layer function; `layers` by the rank of the inputs."""

    def conv(
        inputs: Any,
        num_outputs: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: str = "SAME",
        data_format: str | None = None,
        rate: Any = 1,
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
        with variable_scope(
            scope, default, [inputs], reuse=reuse, custom_getter=getter_of(KERNEL_NAMES)
        ) as sc:
            x = convert_to_tensor(inputs)
            if x.rank is None or x.rank not in layers:
                raise ValueError(f"Convolution not supported for input with rank {x.rank}")
            biases = initializer_of(biases_initializer)
            layer = layers[x.rank](
                num_outputs, kernel_size, stride, padding, _channels(data_format), rate,
                use_bias=normalizer_fn is None and biases is not None,
                kernel_initializer=initializer_of(weights_initializer), bias_initializer=biases,
                kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer,
                trainable=trainable, name=sc.name, _scope=sc, _reuse=reuse,
            )  # fmt: skip
            normalizer = (normalizer_fn, normalizer_params)
            outputs = _collected(layer, x, variables_collections)
            return finished(outputs, sc, normalizer, activation_fn, outputs_collections)

    conv.__name__ = conv.__qualname__ = name_
    conv.__doc__ = f"""activation(convolution + biases) (tf.contrib.layers.{name_}).

    Variables "<scope>/weights" and, without a normalizer, "<scope>/biases".

    Args:
        kernel_size, stride, rate: an int, or one for each spatial axis.
        padding: "SAME" or "VALID". Others: see fully_connected.

    Raises:
        ValueError: inputs of another rank, unknown data_format, unknown channels.
    """
    return add_arg_scope(conv)


convolution = _convolution("convolution", {3: Conv1D, 4: Conv2D, 5: Conv3D}, "Conv")
convolution1d = _convolution("convolution1d", {3: Conv1D}, "Conv")
convolution2d = _convolution("convolution2d", {4: Conv2D}, "Conv")
convolution3d = _convolution("convolution3d", {5: Conv3D}, "Conv")
conv1d, conv2d, conv3d = convolution1d, convolution2d, convolution3d


def _transposed(name_: str, kind: Callable[..., Conv], default: str) -> Fn:
    def conv(
        inputs: Any,
        num_outputs: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: str = "SAME",
        data_format: str | None = None,
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
        with variable_scope(
            scope, default, [inputs], reuse=reuse, custom_getter=getter_of(KERNEL_NAMES)
        ) as sc:
            biases = initializer_of(biases_initializer)
            layer = kind(
                num_outputs, kernel_size, stride, padding, _channels(data_format),
                use_bias=normalizer_fn is None and biases is not None,
                kernel_initializer=initializer_of(weights_initializer), bias_initializer=biases,
                kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer,
                trainable=trainable, name=sc.name, _scope=sc, _reuse=reuse,
            )  # fmt: skip
            normalizer = (normalizer_fn, normalizer_params)
            outputs = _collected(layer, inputs, variables_collections)
            return finished(outputs, sc, normalizer, activation_fn, outputs_collections)

    conv.__name__ = conv.__qualname__ = name_
    conv.__doc__ = f"""activation(transposed convolution + biases) (tf.contrib.layers.{name_}).

    Args: as convolution2d's, without rate.
    """
    return add_arg_scope(conv)


convolution2d_transpose = _transposed(
    "convolution2d_transpose", Conv2DTranspose, "Conv2d_transpose"
)
convolution3d_transpose = _transposed(
    "convolution3d_transpose", Conv3DTranspose, "Conv3d_transpose"
)
conv2d_transpose, conv3d_transpose = convolution2d_transpose, convolution3d_transpose


# ------------------------------------------------------------------ separable
@add_arg_scope
def separable_convolution2d(
    inputs: Any,
    num_outputs: int | None,
    kernel_size: Any,
    depth_multiplier: int = 1,
    stride: Any = 1,
    padding: str = "SAME",
    data_format: str | None = "NHWC",
    rate: Any = 1,
    activation_fn: Fn | None = api_nn.relu,
    normalizer_fn: Fn | None = None,
    normalizer_params: Mapping[str, Any] | None = None,
    weights_initializer: Any = XAVIER,
    pointwise_initializer: Any = None,
    weights_regularizer: Fn | None = None,
    biases_initializer: Any = ZEROS,
    biases_regularizer: Fn | None = None,
    reuse: Any = None,
    variables_collections: Any = None,
    outputs_collections: Any = None,
    trainable: bool = True,
    scope: Any = None,
) -> Any:
    """activation(depthwise, then 1 x 1 convolution + biases); see convolution2d.

    Args:
        num_outputs: None leaves out the 1 x 1 convolution.
        depth_multiplier: outputs of the depthwise step for each channel.
    """
    first = initializer_of(weights_initializer)
    biases = initializer_of(biases_initializer)
    use_bias = normalizer_fn is None and biases is not None
    with variable_scope(
        scope, "SeparableConv2d", [inputs], reuse=reuse, custom_getter=getter_of(_SEPARABLE)
    ) as sc:
        x = convert_to_tensor(inputs)
        if num_outputs is None:
            geometry = (kernel_size, depth_multiplier, stride, padding, data_format, rate)
            outputs = _depthwise(x, geometry, first, weights_regularizer, trainable)
            if use_bias:
                outputs = _biased(outputs, data_format, biases, biases_regularizer, trainable)
        else:
            layer = SeparableConv2D(
                num_outputs, kernel_size, stride, padding, _channels(data_format), rate,
                depth_multiplier, use_bias=use_bias, depthwise_initializer=first,
                pointwise_initializer=pointwise_initializer or first, bias_initializer=biases,
                depthwise_regularizer=weights_regularizer,
                pointwise_regularizer=weights_regularizer, bias_regularizer=biases_regularizer,
                trainable=trainable, name=sc.name, _scope=sc, _reuse=reuse,
            )  # fmt: skip
            outputs = layer(x)
            for variable in (layer.depthwise_kernel, layer.pointwise_kernel):
                collect_variable(variable, variables_collections, "weights")
            collect_variable(layer.bias, variables_collections, "biases")
        normalizer = (normalizer_fn, normalizer_params)
        return finished(outputs, sc, normalizer, activation_fn, outputs_collections)


def _biased(
    x: Any, data_format: str | None, initializer: Any, regularizer: Any, trainable: bool
) -> Any:
    channels = x.shape.as_list()[-1 if is_last(data_format, *_FORMATS) else 1]
    biases = model_variable("biases", [channels], x.dtype, initializer, regularizer, trainable)
    return api_nn.bias_add(x, biases, data_format)


def _depthwise(
    x: Any, geometry: tuple[Any, ...], initializer: Any, regularizer: Any, trainable: bool
) -> Any:
    from graphc import nn

    kernel_size, multiplier, stride, padding, data_format, rate = geometry
    last = is_last(data_format, *_FORMATS)
    channels = x.shape.as_list()[-1 if last else 1]
    size = layers_pool.normalize_tuple(kernel_size, 2, "kernel_size")
    steps = layers_pool.normalize_tuple(stride, 2, "stride")
    weights = model_variable(
        "depthwise_weights", [*size, channels, multiplier], x.dtype, initializer, regularizer,
        trainable,
    )  # fmt: skip
    return nn.depthwise_conv2d(
        x, weights, [1, *steps, 1] if last else [1, 1, *steps], padding,
        rate=list(layers_pool.normalize_tuple(rate, 2, "rate")), data_format=data_format,
    )  # fmt: skip


separable_conv2d = separable_convolution2d


# ------------------------------------------------------------------ pools
def _pool(name_: str, function: Fn, default: str) -> Fn:
    def pool(
        inputs: Any,
        kernel_size: Any,
        stride: Any = 2,
        padding: str = "VALID",
        data_format: str | None = None,
        outputs_collections: Any = None,
        scope: Any = None,
    ) -> Any:
        with name_scope(scope, default, [inputs]) as sc:
            outputs = function(inputs, kernel_size, stride, padding, _channels(data_format))
            return collect_output(outputs_collections, sc, outputs)

    pool.__name__ = pool.__qualname__ = name_
    pool.__doc__ = f"""Pooling with a stride of 2 by default (tf.contrib.layers.{name_}).

    Args:
        kernel_size, stride: an int, or one for each spatial axis.

    Raises:
        ValueError: unknown data_format, or inputs of another rank.
    """
    return add_arg_scope(pool)


max_pool2d = _pool("max_pool2d", layers_pool.max_pooling2d, "MaxPool2D")
avg_pool2d = _pool("avg_pool2d", layers_pool.average_pooling2d, "AvgPool2D")
max_pool3d = _pool("max_pool3d", layers_pool.max_pooling3d, "MaxPool3D")
avg_pool3d = _pool("avg_pool3d", layers_pool.average_pooling3d, "AvgPool3D")
