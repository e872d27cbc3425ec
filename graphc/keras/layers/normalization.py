"""tf.keras.layers: BatchNormalization, LayerNormalization. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import float32
from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.engine.base_layer import InputSpec, Layer
from graphc.keras.layers.core import described, settle
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.tf1 import api_array, api_math, api_normalize
from graphc.tf1.framework import stop_gradient

__all__ = ["BatchNormalization", "LayerNormalization"]


class BatchNormalization(Layer):
    """Outputs of mean beta and standard deviation gamma a channel (Ioffe 2015).

    While training the batch's moments are used, and moving averages of them are kept for later.
    `trainable=False` keeps weights and averages as they are; as in TensorFlow 1, the moments in
    use are still the batch's while training.

    Args:
        axis: of the channels. momentum: of the averages. center, scale: whether there are beta and
            gamma. renorm, renorm_clipping, renorm_momentum: corrections towards the averages
            (Ioffe 2017), clipped by "rmin", "rmax" and "dmax". fused: for images, where it is not
            False, the average takes the variance of a sample, n / (n - 1) times the batch's.
        virtual_batch_size: moments of parts of the batch, each of this many samples.
        adjustment: a function of the inputs' shape; (scale, bias) to apply while training.

    Raises:
        ValueError: channels of unknown number; settings that exclude each other.
    """

    supports_masking = True

    def __init__(
        self, axis: Any = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
        scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, renorm: bool = False, renorm_clipping: Any = None,
        renorm_momentum: float = 0.99, fused: bool | None = None, trainable: bool = True,
        virtual_batch_size: int | None = None, adjustment: Any = None, name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for unused in ("mode", "synchronized"):
            kwargs.pop(unused, None)
        super().__init__(trainable=trainable, name=name, **kwargs)
        self.axis = list(axis) if isinstance(axis, list | tuple) else axis
        self.momentum, self.epsilon, self.center, self.scale = momentum, epsilon, center, scale
        settle(self, {
            "beta_initializer": beta_initializer, "gamma_initializer": gamma_initializer,
            "moving_mean_initializer": moving_mean_initializer,
            "moving_variance_initializer": moving_variance_initializer,
            "beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer,
            "beta_constraint": beta_constraint, "gamma_constraint": gamma_constraint,
        })  # fmt: skip
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = dict(renorm_clipping or {})
        unknown = set(self.renorm_clipping) - {"rmin", "rmax", "dmax"}
        if unknown:
            raise ValueError(f"renorm_clipping contains invalid keys: {sorted(unknown)}")
        self.fused, self.virtual_batch_size = fused, virtual_batch_size
        self.adjustment = adjustment
        special = {"renorm": renorm, "virtual_batch_size": virtual_batch_size is not None,
                   "adjustment": adjustment is not None}  # fmt: skip
        for what, on in special.items():
            if fused and on:
                raise ValueError(f"Passing fused=True is not supported together with {what}")
        self._plain = not any(special.values())
        self.gamma: Any = None
        self.beta: Any = None

    # ------------------------------------------------------------ weights
    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        listed = self.axis if isinstance(self.axis, list) else [self.axis]
        if not all(-rank <= a < rank for a in listed):
            raise ValueError(
                f"Layer {self.name}: invalid axis {self.axis} for inputs of shape {input_shape}"
            )
        axes = sorted(a % rank for a in listed)
        extents = {a: input_shape[a] for a in axes}
        if None in extents.values():
            raise ValueError(
                f"Axis {self.axis} of input tensor should have a defined dimension but the layer "
                f"received an input with shape {input_shape}."
            )
        self.input_spec = InputSpec(ndim=rank, axes=extents)
        shape = [extents.get(a, 1) for a in range(rank)]
        if self.virtual_batch_size is not None:
            if 0 in axes:
                raise ValueError(
                    f"Layer {self.name}: with virtual_batch_size the channels cannot stand on axis "
                    "0, which is that of the batch"
                )
            shape.insert(1, 1)
            axes = [a + 1 for a in axes]
        elif len(axes) == 1:
            shape = [extents[axes[0]]]
        self._axes = axes
        self._bessel = (
            self._plain and self.fused is not False and rank == 4 and axes in ([1], [3])
        )
        self._add_weights(tuple(shape))
        self.built = True

    def _add_weights(self, shape: tuple[int, ...]) -> None:
        kind = None if self._dtype not in ("float16", "bfloat16") else "float32"
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                setattr(self, name, self.add_weight(
                    name, shape, dtype=kind, initializer=getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                ))  # fmt: skip

        def deviation(*args: Any, **kwargs: Any) -> Tensor:
            return api_math.sqrt(self.moving_variance_initializer(*args, **kwargs))

        makes = {"moving_mean": self.moving_mean_initializer,
                 "moving_variance": self.moving_variance_initializer}  # fmt: skip
        if self.renorm:
            makes |= {"moving_stddev": deviation, "renorm_mean": self.moving_mean_initializer,
                      "renorm_stddev": deviation}  # fmt: skip
        for name, make in makes.items():
            variable = self.add_weight(name, shape, dtype=kind, initializer=make, trainable=False)
            setattr(self, name, variable)

    # ------------------------------------------------------------ running
    def call(self, inputs: Any, training: Any = None) -> Tensor:  # type: ignore[override]
        x = K.cast(inputs, float32) if inputs.dtype.is_half else inputs
        if self.virtual_batch_size is not None:
            parts = [[self.virtual_batch_size, -1], api_array.shape(x)[1:]]
            static = x.shape.as_list()[1:]
            x = api_array.reshape(x, api_array.concat(parts, 0))
            x.set_shape([self.virtual_batch_size, None, *static])
        rank = x.rank or 0
        scale, offset = self._spread(self.gamma, rank), self._spread(self.beta, rank)
        mean, variance = convert_to_tensor(self.moving_mean), convert_to_tensor(
            self.moving_variance
        )
        if training is None or is_tensor_like(training) or training:
            mean, variance, scale, offset = self._batch(x, scale, offset, training)
        m, v = self._spread(mean, rank), self._spread(variance, rank)
        out = api_normalize.batch_normalization(x, m, v, offset, scale, self.epsilon)
        if self.virtual_batch_size is not None:
            out = api_array.reshape(out, api_array.shape(inputs))
            out.set_shape(inputs.shape)
        return K.cast(out, inputs.dtype) if out.dtype is not inputs.dtype else out

    def _spread(self, parameter: Any, rank: int) -> Any:
        """A parameter a channel, as it broadcasts against the inputs."""
        if parameter is None or self._axes == [rank - 1]:
            return parameter
        if len(parameter.shape.as_list()) != 1:
            return parameter
        dims = [-1 if a in self._axes else 1 for a in range(rank)]
        return api_array.reshape(parameter, dims)

    def _batch(self, x: Tensor, scale: Any, offset: Any, training: Any) -> tuple[Any, ...]:
        """(mean, variance, scale, offset) for a batch; the averages' updates are noted down."""
        rank = x.rank or 0
        if self.adjustment is not None:
            scale, offset = self._adjusted(x, scale, offset, training)
        reduced = [a for a in range(rank) if a not in self._axes]
        virtual = self.virtual_batch_size is not None
        if virtual:
            reduced.remove(1)  # each part of the batch for itself
        mean, variance = api_normalize.moments(
            x, reduced, keep_dims=virtual or len(self._axes) > 1
        )
        new = [mean, variance]
        if virtual:
            new = [K.mean(v, axis=1, keepdims=True) for v in new]
        if self.renorm:
            r, d = (self._spread(v, rank) for v in self._renormalize(new[0], new[1], training))
            scale, offset = _then(r, d, scale, offset)
        self._move(new, x, reduced, training)
        mean = K.in_train_phase(mean, convert_to_tensor(self.moving_mean), training)
        variance = K.in_train_phase(variance, convert_to_tensor(self.moving_variance), training)
        return mean, variance, scale, offset

    def _adjusted(self, x: Tensor, scale: Any, offset: Any, training: Any) -> tuple[Any, Any]:
        by, plus = self.adjustment(api_array.shape(x))
        by = K.in_train_phase(by, api_array.ones_like(by), training)
        plus = K.in_train_phase(plus, api_array.zeros_like(plus), training)
        return _then(by, plus, scale, offset)

    def _renormalize(self, mean: Tensor, variance: Tensor, training: Any) -> tuple[Tensor, Tensor]:
        """(r, d) of batch renormalisation; 1 and 0 while not training."""
        stddev = api_math.sqrt(variance + self.epsilon)
        old_mean = convert_to_tensor(self.renorm_mean)
        old = api_math.maximum(convert_to_tensor(self.renorm_stddev), self.epsilon**0.5)
        r, d = stddev / old, (mean - old_mean) / old
        limits = self.renorm_clipping
        if limits.get("rmin") is not None:
            r = api_math.maximum(r, limits["rmin"])
        if limits.get("rmax") is not None:
            r = api_math.minimum(r, limits["rmax"])
        if limits.get("dmax") is not None:
            d = api_math.minimum(api_math.maximum(d, -limits["dmax"]), limits["dmax"])
        self._average(self.renorm_mean, mean, self.renorm_momentum, training)
        self._average(self.renorm_stddev, stddev, self.renorm_momentum, training)
        r = K.in_train_phase(r, api_array.ones_like(r), training)
        d = K.in_train_phase(d, api_array.zeros_like(d), training)
        return stop_gradient(r), stop_gradient(d)

    # ------------------------------------------------------------ the averages
    def _average(self, average: Any, value: Any, momentum: float, training: Any) -> Tensor:
        """Notes down the update of an average; what it becomes while training."""
        old = convert_to_tensor(average)
        step = (old - value) * (1.0 - momentum)
        # a layer that is called twice moves it twice
        step_now = K.in_train_phase(step, api_array.zeros_like(step), training)
        self.add_update(average.assign_sub(step_now))
        return old - step

    def _move(self, new: list[Any], x: Tensor, reduced: list[int], training: Any) -> None:
        mean, variance = new
        if self._bessel:
            sizes = [K.cast(api_array.shape(x)[a], variance.dtype) for a in reduced]
            count = sizes[0]
            for size in sizes[1:]:
                count = count * size
            variance = variance * (count / api_math.maximum(count - 1.0, 1.0))
        self._average(self.moving_mean, mean, self.momentum, training)
        if not self.renorm:
            self._average(self.moving_variance, variance, self.momentum, training)
            return
        stddev = api_math.sqrt(variance + self.epsilon)
        moved = self._average(self.moving_stddev, stddev, self.momentum, training)
        squared = K.relu(moved * moved - self.epsilon)
        old = convert_to_tensor(self.moving_variance)
        self.add_update(self.moving_variance.assign(K.in_train_phase(squared, old, training)))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **described(
            self, "axis momentum epsilon center scale beta_initializer gamma_initializer "
            "moving_mean_initializer moving_variance_initializer beta_regularizer "
            "gamma_regularizer beta_constraint gamma_constraint",
        )}  # fmt: skip
        if self.renorm:
            config |= described(self, "renorm renorm_clipping renorm_momentum")
        if self.virtual_batch_size is not None:
            config["virtual_batch_size"] = self.virtual_batch_size
        if self.fused is not None:
            config["fused"] = self.fused
        return config


def _then(scale: Any, offset: Any, next_scale: Any, next_offset: Any) -> tuple[Any, Any]:
    """(scale, offset) of two affine maps, one after the other."""
    if next_scale is not None:
        scale, offset = scale * next_scale, offset * next_scale
    return scale, offset if next_offset is None else offset + next_offset


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
