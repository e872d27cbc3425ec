"""tf.keras.layers: BatchNormalization, LayerNormalization. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.engine.base_layer import InputSpec, Layer
from graphc.keras.layers.core import described, settle
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array, api_math, api_normalize

__all__ = ["BatchNormalization", "LayerNormalization"]


class BatchNormalization(Layer):
    """Outputs of mean beta and standard deviation gamma a channel (Ioffe 2015).

    While training the batch's moments are used, and moving averages of them are kept for later.

    Args:
        axis: of the channels. momentum: of the averages. center, scale: whether there are beta and
            gamma. renorm, fused, virtual_batch_size: fused is accepted, the others must be off.

    Raises:
        ValueError: renorm or virtual batches; channels of unknown number.
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
        scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, **kwargs: Any,
    ) -> None:
        for unused in ("fused", "renorm_clipping", "renorm_momentum", "adjustment", "mode",
                       "synchronized"):  # fmt: skip
            kwargs.pop(unused, None)
        if kwargs.pop("renorm", False) or kwargs.pop("virtual_batch_size", None):
            raise ValueError("renorm and virtual batches are not supported")
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, list | tuple) else axis
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale
        settle(self, {
            "beta_initializer": beta_initializer, "gamma_initializer": gamma_initializer,
            "moving_mean_initializer": moving_mean_initializer,
            "moving_variance_initializer": moving_variance_initializer,
            "beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer,
            "beta_constraint": beta_constraint, "gamma_constraint": gamma_constraint,
        })  # fmt: skip
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        listed = self.axis if isinstance(self.axis, list) else [self.axis]
        self._axes = sorted(a % rank for a in listed)
        extents = {a: input_shape[a] for a in self._axes}
        if None in extents.values():
            raise ValueError(
                f"Axis {self.axis} of input tensor should have a defined dimension but the layer "
                f"received an input with shape {input_shape}."
            )
        self.input_spec = InputSpec(ndim=rank, axes=extents)
        shape = tuple(extents.values()) if len(extents) == 1 else tuple(
            extents.get(a, 1) for a in range(rank)
        )  # fmt: skip
        kind = None if self._dtype != "float16" else "float32"
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                setattr(self, name, self.add_weight(
                    name, shape, dtype=kind, initializer=getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                ))  # fmt: skip
        for name in ("moving_mean", "moving_variance"):
            setattr(self, name, self.add_weight(
                name, shape, dtype=kind, initializer=getattr(self, f"{name}_initializer"),
                trainable=False,
            ))  # fmt: skip
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> Tensor:  # type: ignore[override]
        rank = inputs.rank
        reduced = [a for a in range(rank) if a not in self._axes]
        mean, variance = convert_to_tensor(self.moving_mean), convert_to_tensor(
            self.moving_variance
        )
        x = K.cast(inputs, float32) if inputs.dtype.is_half else inputs
        if training is None or not isinstance(training, int) or training:
            now = api_normalize.moments(x, reduced, keep_dims=len(self._axes) > 1)
            self._move(now, x, reduced, training)
            mean = K.in_train_phase(now[0], mean, training)
            variance = K.in_train_phase(now[1], variance, training)
        m, v, b, g = (self._spread(p, rank) for p in (mean, variance, self.beta, self.gamma))
        out = api_normalize.batch_normalization(x, m, v, b, g, self.epsilon)
        return K.cast(out, inputs.dtype) if out.dtype is not inputs.dtype else out

    def _spread(self, parameter: Any, rank: int) -> Any:
        if parameter is None or len(self._axes) > 1 or self._axes == [rank - 1]:
            return parameter
        dims = [-1 if a in self._axes else 1 for a in range(rank)]
        return api_array.reshape(parameter, dims)

    def _move(self, now: Any, x: Tensor, reduced: list[int], training: Any) -> None:
        """The averages' updates; images' variances are those of samples: n / (n - 1)."""
        mean, variance = now
        if x.rank == 4 and self._axes in ([1], [3]):
            sizes = [K.cast(api_array.shape(x)[a], variance.dtype) for a in reduced]
            count = sizes[0]
            for size in sizes[1:]:
                count = count * size
            variance = variance * (count / api_math.maximum(count - 1.0, 1.0))
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = convert_to_tensor(average)
            moved = old - (old - value) * (1.0 - self.momentum)
            self.add_update(average.assign(K.in_train_phase(moved, old, training)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(
            self, "axis momentum epsilon center scale beta_initializer gamma_initializer "
            "moving_mean_initializer moving_variance_initializer beta_regularizer "
            "gamma_regularizer beta_constraint gamma_constraint",
        )}  # fmt: skip


class LayerNormalization(Layer):
    """Outputs of mean beta and standard deviation gamma a sample (Ba 2016).

    Args:
        axis: the axes of the moments, which are those of gamma and beta.
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
        beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, list | tuple) else axis
        self.epsilon, self.center, self.scale = epsilon, center, scale
        settle(self, {
            "beta_initializer": beta_initializer, "gamma_initializer": gamma_initializer,
            "beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer,
            "beta_constraint": beta_constraint, "gamma_constraint": gamma_constraint,
        })  # fmt: skip
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        listed = self.axis if isinstance(self.axis, list) else [self.axis]
        self._axes = sorted(a % rank for a in listed)
        shape = tuple(input_shape[a] for a in self._axes)
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                setattr(self, name, self.add_weight(
                    name, shape, initializer=getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                ))  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        rank = inputs.rank
        mean, variance = api_normalize.moments(inputs, self._axes, keep_dims=True)
        gamma, beta = (self._spread(p, inputs, rank) for p in (self.gamma, self.beta))
        return api_normalize.batch_normalization(
            inputs, mean, variance, beta, gamma, self.epsilon
        )

    def _spread(self, parameter: Any, inputs: Tensor, rank: int) -> Any:
        if parameter is None or self._axes == list(range(rank - len(self._axes), rank)):
            return parameter
        dims = inputs.shape.as_list()
        return api_array.reshape(
            parameter, [dims[a] if a in self._axes else 1 for a in range(rank)]
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **described(
            self, "axis epsilon center scale beta_initializer gamma_initializer beta_regularizer "
            "gamma_regularizer beta_constraint gamma_constraint",
        )}  # fmt: skip
