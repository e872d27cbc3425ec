"""BatchNormalization of tf.layers, and its function.

Lives here: the layer; its averages move through UPDATE_OPS alone. Not here: the base class
(tf1/layers_base.py), tf.nn's normalisations. Users find these names in graphc.layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import constant_tensor, convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_normalize
from graphc.tf1.initializers import Ones, Zeros
from graphc.tf1.layers_base import InputSpec, Layer, static_truth, truth_tensor

__all__ = ["BatchNormalization", "batch_normalization"]

_ZEROS, _ONES = Zeros(), Ones()


def _cast(x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype is dtype else F.cast(x, dtype=dtype)


class BatchNormalization(Layer):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta (Ioffe and Szegedy 2015).

    In training mean and variance are the batch's, and ops in UPDATE_OPS move the averages; else
    they are the averages. Variables "gamma", "beta", "moving_mean", "moving_variance".

    Args:
        axis: the channels, an int or a list. momentum: of the averages. center, scale: whether
            there are beta and gamma. fused: None or True takes the statistics as TF's fused op
            does for rank 4 (the moving variance then has Bessel's correction); False never does.
        Initializers, regularizers, constraints: see Dense.

    Raises:
        ValueError: an axis outside the rank or of unknown extent; renorm, virtual_batch_size and
        adjustment, which graphc does not support.
    """

    def __init__(
        self,
        axis: Any = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = _ZEROS,
        gamma_initializer: Any = _ONES,
        moving_mean_initializer: Any = _ZEROS,
        moving_variance_initializer: Any = _ONES,
        beta_regularizer: Callable[..., Any] | None = None,
        gamma_regularizer: Callable[..., Any] | None = None,
        beta_constraint: Callable[..., Any] | None = None,
        gamma_constraint: Callable[..., Any] | None = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        fused: bool | None = None,
        trainable: bool = True,
        virtual_batch_size: int | None = None,
        adjustment: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        for option, value in (
            ("renorm", renorm), ("virtual_batch_size", virtual_batch_size),
            ("adjustment", adjustment),
        ):  # fmt: skip
            if value:
                raise ValueError(f"batch_normalization: {option} is not supported by graphc.")
        self.axis = list(axis) if isinstance(axis, Sequence) else int(axis)
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.fused = fused
        self._beta = (beta_initializer, beta_regularizer, beta_constraint)
        self._gamma = (gamma_initializer, gamma_regularizer, gamma_constraint)
        self._moving = (moving_mean_initializer, moving_variance_initializer)

    # ------------------------------------------------------------ variables
    def build(self, input_shape: Any) -> None:
        rank = input_shape.ndims
        if rank is None:
            raise ValueError("Input has undefined rank:", input_shape)
        self._axes = self._normal_axes(rank)
        extents = {a: input_shape.as_list()[a] for a in self._axes}
        if None in extents.values():
            raise ValueError("Input has undefined `axis` dimension. Input shape: ", input_shape)
        self._rank = rank
        self._fusible = self.fused is not False and rank == 4 and self._axes in ([1], [3])
        # what the fused op does to the variance and to epsilon
        self._as_fused = self._fusible
        if self.fused and not self._fusible:
            raise ValueError(
                "Passing fused=True needs inputs of rank 4 with the channels on axis 1 or 3; got "
                f"rank {rank}, axis {self.axis}."
            )
        self.input_spec = InputSpec(ndim=rank, axes=extents)
        if len(extents) == 1:
            shape = list(extents.values())
        else:
            shape = [extents.get(a, 1) for a in range(rank)]
        self._make_variables(shape)
        self.built = True

    def _normal_axes(self, rank: int) -> list[int]:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        normal = [a + rank if a < 0 else a for a in axes]
        if any(not 0 <= a < rank for a in normal):
            raise ValueError(f"Invalid axis: {self.axis}")
        if len(set(normal)) != len(normal):
            raise ValueError(f"Duplicate axis: {tuple(normal)}")
        return normal

    def _make_variables(self, shape: list[int]) -> None:
        dtype = float32 if self.dtype is None or self.dtype.is_half else self.dtype
        self.gamma = self.beta = None
        if self.scale:
            first, regularizer, constraint = self._gamma
            self.gamma = self.add_weight(
                "gamma", shape, dtype, first, regularizer, constraint=constraint
            )
        if self.center:
            first, regularizer, constraint = self._beta
            self.beta = self.add_weight(
                "beta", shape, dtype, first, regularizer, constraint=constraint
            )
        first_mean, first_variance = self._moving
        self.moving_mean = self.add_weight(
            "moving_mean", shape, dtype, first_mean, trainable=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", shape, dtype, first_variance, trainable=False
        )
        self._param_dtype, self._param_shape = dtype, shape

    # ------------------------------------------------------------ outputs
    def call(self, inputs: Any, training: Any = False) -> Tensor:  # type: ignore[override]
        """Args: training: a bool, or a bool tensor (a run then decides)."""
        x = convert_to_tensor(inputs)
        decided = static_truth(training)
        if self._fusible and decided is not None:
            return self._fused(x, decided)
        return self._composed(x, training, decided)

    def _fused(self, x: Tensor, training: bool) -> Tensor:
        gamma: Any = self.gamma
        if gamma is None:
            gamma = F.fill(self._param_shape, constant_tensor(1.0, self._param_dtype))
        beta: Any = self.beta
        if beta is None:
            beta = F.fill(self._param_shape, constant_tensor(0.0, self._param_dtype))
        averages: dict[str, Any] = {}
        if not training:
            averages = {"mean": self.moving_mean, "variance": self.moving_variance}
        y, mean, variance = api_normalize.fused_batch_norm(
            x, gamma, beta, **averages, epsilon=self.epsilon,
            data_format="NCHW" if self._axes == [1] else "NHWC", is_training=training,
        )  # fmt: skip
        if training:
            self._move(mean, variance)
        return y

    def _composed(self, x: Tensor, training: Any, decided: bool | None) -> Tensor:
        wide = _cast(x, float32) if x.dtype.is_half else x
        reduced = [a for a in range(self._rank) if a not in self._axes]
        mean, variance = convert_to_tensor(self.moving_mean), convert_to_tensor(
            self.moving_variance
        )
        if decided is not False:
            batch = api_normalize.moments(wide, reduced, keep_dims=len(self._axes) > 1)
            now = [_cast(t, self._param_dtype) for t in batch]
            moved = [now[0], self._bessel(now[1], wide, reduced)]
            if decided is None:
                select = truth_tensor(training)
                # outside training the averages are written as they are
                moved = [F.select_v2(select, *p) for p in zip(moved, (mean, variance))]
                now = [F.select_v2(select, *p) for p in zip(now, (mean, variance))]
            self._move(*moved)
            mean, variance = now
        epsilon = max(self.epsilon, api_normalize.MIN_EPSILON) if self._as_fused else self.epsilon
        m, v, beta, gamma = (
            None if p is None else _cast(self._spread(p), wide.dtype)
            for p in (mean, variance, self.beta, self.gamma)
        )
        y = api_normalize.batch_normalization(wide, m, v, beta, gamma, epsilon)
        y.set_shape(x.shape)
        return _cast(y, x.dtype)

    def _bessel(self, variance: Tensor, x: Tensor, reduced: list[int]) -> Tensor:
        """The variance of a fused update: times n / (n - 1)."""
        if not self._as_fused:
            return variance
        count: Any = constant_tensor(1.0, variance.dtype)
        for axis in reduced:
            count = count * F.cast(F.shape(x)[axis], dtype=variance.dtype)
        return variance * (count / F.maximum(count - 1.0, constant_tensor(1.0, variance.dtype)))

    def _spread(self, parameter: Any) -> Tensor:
        """A vector of one entry a channel as a tensor that broadcasts against the inputs."""
        tensor = convert_to_tensor(parameter)
        if len(self._axes) > 1 or self._axes == [self._rank - 1]:
            return tensor
        from graphc.tf1.api_array import reshape

        shape = [1] * self._rank
        shape[self._axes[0]] = self._param_shape[0]
        return reshape(tensor, shape)

    # ------------------------------------------------------------ averages
    def _move(self, mean: Tensor, variance: Tensor) -> None:
        self.add_update([
            self._moved(self.moving_mean, mean), self._moved(self.moving_variance, variance)
        ])  # fmt: skip

    def _moved(self, average: Any, value: Tensor) -> Any:
        with get_default_graph().name_scope("AssignMovingAvg") as scope:
            rest = constant_tensor(1.0 - self.momentum, average.dtype, "decay")
            delta = (average - _cast(value, average.dtype)) * rest
            return average.assign_sub(delta, name=scope)

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        return TensorShape(input_shape)


def batch_normalization(
    inputs: Any,
    axis: Any = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: Any = _ZEROS,
    gamma_initializer: Any = _ONES,
    moving_mean_initializer: Any = _ZEROS,
    moving_variance_initializer: Any = _ONES,
    beta_regularizer: Callable[..., Any] | None = None,
    gamma_regularizer: Callable[..., Any] | None = None,
    beta_constraint: Callable[..., Any] | None = None,
    gamma_constraint: Callable[..., Any] | None = None,
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
    renorm: bool = False,
    renorm_clipping: Any = None,
    renorm_momentum: float = 0.99,
    fused: bool | None = None,
    virtual_batch_size: int | None = None,
    adjustment: Any = None,
) -> Tensor:
    """Batch normalisation (tf.layers.batch_normalization); see BatchNormalization.

    The averages move only where a run also runs the ops of tf.GraphKeys.UPDATE_OPS.

    Args:
        training: a bool, or a bool tensor such as a placeholder.

    Returns:
        A tensor of the inputs' shape and dtype.
    """
    layer = BatchNormalization(
        axis, momentum, epsilon, center, scale, beta_initializer, gamma_initializer,
        moving_mean_initializer, moving_variance_initializer, beta_regularizer,
        gamma_regularizer, beta_constraint, gamma_constraint, renorm, renorm_clipping,
        renorm_momentum, fused, trainable, virtual_batch_size, adjustment, name,
        _scope=name, _reuse=reuse,
    )  # fmt: skip
    return layer(inputs, training=training)
