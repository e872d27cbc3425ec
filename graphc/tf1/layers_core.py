"""Dense, Dropout and Flatten of tf.layers, and their functions.

Lives here: layers that need no window. Not here: the base class (tf1/layers_base.py),
convolutions, normalisation. Users find these names in graphc.layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.initializers import Zeros
from graphc.tf1.layers_base import InputSpec, Layer, static_truth, truth_tensor

__all__ = ["Dense", "Dropout", "Flatten", "dense", "dropout", "flatten"]


class Dense(Layer):
    """activation(inputs x kernel + bias) along the last axis (tf.layers.Dense).

    Variables "kernel", of shape (inputs' last extent, units), and "bias", of shape (units,).

    Args:
        units: the last extent of the outputs. activation: a function; None for none.
        use_bias: whether there is a bias. kernel_initializer: default the scope's, else Glorot's.
        *_regularizer: functions of a tensor whose result goes to REGULARIZATION_LOSSES.
        *_constraint: projections that optimizers apply.

    Raises:
        ValueError: the inputs' last extent is not known, or their rank is below 2.
        TypeError: a dtype that is not floating.
    """

    def __init__(
        self,
        units: Any,
        activation: Callable[..., Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = Zeros(),  # noqa: B008  initializers hold no state
        kernel_regularizer: Callable[..., Any] | None = None,
        bias_regularizer: Callable[..., Any] | None = None,
        activity_regularizer: Callable[..., Any] | None = None,
        kernel_constraint: Callable[..., Any] | None = None,
        bias_constraint: Callable[..., Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs
        )
        self.units = int(units)
        self.activation = activation
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        dtype = self.dtype
        if dtype is not None and not (dtype.is_floating or dtype.is_complex):
            raise TypeError(
                f"Unable to build `Dense` layer with non-floating point dtype {dtype!r}"
            )
        last = None if input_shape.ndims is None else input_shape.as_list()[-1]
        if last is None:
            raise ValueError(
                "The last dimension of the inputs to `Dense` should be defined. Found `None`."
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: last})
        self.kernel = self.add_weight(
            "kernel", [last, self.units], dtype, self.kernel_initializer,
            self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", [self.units], dtype, self.bias_initializer, self.bias_regularizer,
                constraint=self.bias_constraint,
            )  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> Any:  # type: ignore[override]
        x = convert_to_tensor(inputs)
        outputs: Any
        if x.rank is None:
            raise ValueError(f"`Dense` needs the rank of its inputs, got {x}")
        if x.rank == 2:
            outputs = F.matmul(x, self.kernel, transpose_a=False, transpose_b=False)
        else:
            from graphc.tf1.api_linalg import tensordot

            outputs = tensordot(x, self.kernel, [[x.rank - 1], [0]], name="Tensordot")
            outputs.set_shape([*x.shape.as_list()[:-1], self.units])
        if self.bias is not None:
            outputs = F.bias_add(outputs, self.bias, name="BiasAdd")
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        return TensorShape([*TensorShape(input_shape).as_list()[:-1], self.units])


def dense(
    inputs: Any,
    units: Any,
    activation: Callable[..., Any] | None = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = Zeros(),  # noqa: B008
    kernel_regularizer: Callable[..., Any] | None = None,
    bias_regularizer: Callable[..., Any] | None = None,
    activity_regularizer: Callable[..., Any] | None = None,
    kernel_constraint: Callable[..., Any] | None = None,
    bias_constraint: Callable[..., Any] | None = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Any:
    """activation(inputs x kernel + bias) along the last axis (tf.layers.dense).

    Args:
        inputs: rank at least 2, last extent known. units: the last extent of the result.
        name: of the scope; a second call with the same name needs reuse.
        Others: see Dense.

    Returns:
        A tensor of the inputs' shape with `units` as its last extent.

    Raises:
        ValueError: see Dense; "Variable dense/kernel already exists, disallowed. ...".
    """
    layer = Dense(
        units, activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
        bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, trainable,
        name, _scope=name, _reuse=reuse,
    )  # fmt: skip
    return layer(inputs)


class Dropout(Layer):
    """In training, elements set to 0 with probability `rate`, the rest scaled up.

    Args:
        rate: a number or a scalar tensor. noise_shape: broadcast against the inputs; axes with 1
            are dropped as a whole, None takes the input's extent. seed: of the draws.
    """

    def __init__(
        self,
        rate: Any = 0.5,
        noise_shape: Any = None,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.rate = rate
        self.noise_shape = noise_shape
        self.seed = seed

    def call(self, inputs: Any, training: Any = False) -> Tensor:  # type: ignore[override]
        """Args: training: a bool, or a bool tensor (a run then decides)."""
        x = convert_to_tensor(inputs)
        decided = static_truth(training)
        if decided is False:
            return F.identity(x)
        dropped = self._dropped(x)
        if decided:
            return dropped
        return F.select_v2(truth_tensor(training), dropped, x)

    def _dropped(self, x: Tensor) -> Tensor:
        from graphc.tf1.api_nn import dropout as nn_dropout

        return nn_dropout(x, rate=self.rate, noise_shape=self.noise_shape, seed=self.seed)

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        return TensorShape(input_shape)


def dropout(
    inputs: Any,
    rate: Any = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Tensor:
    """Elements set to 0 with probability `rate` where `training` is true (tf.layers.dropout).

    Args:
        training: a bool, or a bool tensor such as a placeholder. Others: see Dropout.
    """
    return Dropout(rate, noise_shape, seed, name)(inputs, training=training)


class Flatten(Layer):
    """All axes but the first as one (tf.layers.Flatten).

    Args:
        data_format: "channels_first" moves the channels to the end before.

    Raises:
        ValueError: another data_format, or inputs of unknown rank.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        x = convert_to_tensor(inputs)
        rank = x.rank
        if rank is None:
            raise ValueError(f"`Flatten` needs the rank of its inputs, got {x}")
        if self.data_format == "channels_first" and rank > 2:
            x = F.transpose(x, perm=(0, *range(2, rank), 1))
        if rank == 1:
            return F.expand_dims(x, axis=1)
        from graphc.tf1.api_array import reshape

        dims = x.shape.as_list()
        rest = 1
        for extent in dims[1:]:
            rest = -1 if extent is None or rest < 0 else rest * extent
        first = dims[0]
        if first is None and rest < 0:
            first = F.shape(x)[0]
        out = reshape(x, [-1 if first is None else first, rest])
        out.set_shape([dims[0], None if rest < 0 else rest])
        return out

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        dims = TensorShape(input_shape).as_list()
        rest: int | None = 1
        for extent in dims[1:]:
            rest = None if extent is None or rest is None else rest * extent
        return TensorShape([dims[0], rest])


def flatten(inputs: Any, name: str | None = None, data_format: str | None = None) -> Tensor:
    """All axes but the first as one (tf.layers.flatten): (a, b, c) gives (a, b * c)."""
    return Flatten(data_format=data_format, name=name)(inputs)


def normalize_data_format(value: str | None) -> str:
    """ "channels_last" or "channels_first". Raises ValueError for anything else."""
    text = "channels_last" if value is None else value.lower()
    if text not in ("channels_first", "channels_last"):
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". '
            f"Received: {value}"
        )
    return text
