"""Metrics with state: Metric, Mean, Sum and what wraps functions. Imports keras.core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor
from graphc.keras import losses
from graphc.keras.core import math as K
from graphc.keras.core.config import floatx
from graphc.keras.core.session import batch_set_value, get_value
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.nodes import snake_case
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.tf1 import api_array, api_math
from graphc.tf1.ops_misc import group

__all__ = ["Mean", "MeanMetricWrapper", "MeanRelativeError", "MeanTensor", "Metric", "Sum"]


class Metric(Layer):
    """Base of metrics with state.

    A subclass makes its variables with add_weight in __init__, adds a batch to them in
    `update_state(y_true, y_pred, sample_weight=None)` and computes from them in `result()`.
    """

    def __init__(self, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name or snake_case(type(self).__name__), dtype=dtype, **kwargs)
        self.stateful = True
        self.built = True
        self._dtype = as_dtype(dtype or floatx()).name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Adds a batch; the result with it."""
        from graphc.tf1.scopes import control_dependencies

        update = self.update_state(*args, **kwargs)
        with control_dependencies([update]):
            return convert_to_tensor(self.result()) + 0.0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """update_state of users' classes may return nothing: its ops are collected."""
        super().__init_subclass__(**kwargs)
        if "update_state" in cls.__dict__:
            cls.update_state = _collected(cls.__dict__["update_state"])  # type: ignore[method-assign]

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """The op that adds a batch."""
        raise NotImplementedError("Must be implemented in subclasses.")

    def result(self) -> Any:
        """The value so far."""
        raise NotImplementedError("Must be implemented in subclasses.")

    def add_weight(  # type: ignore[override]
        self, name: str | None = None, shape: Any = (), aggregation: Any = None,
        synchronization: Any = None, initializer: Any = "zeros", dtype: Any = None, **kwargs: Any,
    ) -> Any:
        """A variable of the state."""
        return super().add_weight(
            name=name, shape=shape, dtype=dtype or self._dtype, initializer=initializer,
            trainable=False,
        )  # fmt: skip

    def reset_states(self) -> None:
        """Sets the state to zeros."""
        batch_set_value([(v, np.zeros(v.shape.as_list())) for v in self.variables])

    def reset_state(self) -> None:
        """The same as reset_states."""
        self.reset_states()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


def _collected(update: Callable[..., Any]) -> Callable[..., Any]:
    """The method, returning the group of the assignments that it made where it returns None."""

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        from graphc.ir.graph import get_default_graph

        graph = get_default_graph()
        before = graph.last_id
        op = update(self, *args, **kwargs)
        if op is not None:
            return op
        made = [n for n in graph.nodes[before:] if n.op.refs]
        return group(*made)

    call.__name__, call.__doc__ = update.__name__, update.__doc__
    return call


def _fitted(values: Tensor, weights: Any, reduce: Any = K.mean) -> tuple[Tensor, Tensor]:
    """Values and weights of the same shape.

    Weights that lack the last axis are spread over it; where they lack more, the values are
    reduced.
    """
    weights = K.cast(weights, values.dtype)
    if values.rank is None or weights.rank is None:
        return values, weights
    if weights.rank == values.rank + 1:
        weights = api_array.squeeze(weights, [weights.rank - 1])
    elif weights.rank and weights.rank == values.rank - 1:
        weights = api_array.expand_dims(weights, -1)
    elif 0 < weights.rank < values.rank:
        values = reduce(values, axis=list(range(weights.rank, values.rank)))
    return values, weights * api_array.ones_like(values)


class Mean(Metric):
    """The weighted mean of all values."""

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_weight("total")
        self.count = self.add_weight("count")

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        values = K.cast(values, self._dtype)
        if sample_weight is None:
            count = K.cast(api_array.size(values), self._dtype)
            return group(self.total.assign_add(K.sum(values)), self.count.assign_add(count))
        values, weights = _fitted(values, sample_weight)
        return group(
            self.total.assign_add(K.sum(values * weights)),
            self.count.assign_add(K.sum(weights)),
        )

    def result(self) -> Any:
        return api_math.div_no_nan(self.total.read_value(), self.count.read_value())


class Sum(Metric):
    """The weighted sum of all values."""

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_weight("total")

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        values = K.cast(values, self._dtype)
        if sample_weight is not None:
            values, weights = _fitted(values, sample_weight, K.sum)
            values = values * weights
        return self.total.assign_add(K.sum(values))

    def result(self) -> Any:
        return self.total.read_value()


class MeanTensor(Metric):
    """The weighted mean of tensors, element by element; the shape is that of the first."""

    def __init__(self, name: str = "mean_tensor", dtype: Any = None, shape: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total: Any = None
        self.count: Any = None
        if shape is not None:
            self._make(shape)

    def _make(self, shape: Any) -> None:
        self.total = self.add_weight("total", tuple(shape))
        self.count = self.add_weight("count", tuple(shape))

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        values = K.cast(values, self._dtype)
        if self.total is None:
            self._make(values.shape.as_list())
        weights = values * 0.0 + 1.0
        if sample_weight is not None:
            weights = weights * K.cast(sample_weight, self._dtype)
        return group(self.total.assign_add(values * weights), self.count.assign_add(weights))

    def result(self) -> Any:
        return api_math.div_no_nan(self.total.read_value(), self.count.read_value())


class MeanMetricWrapper(Mean):
    """The mean of a function of (y_true, y_pred); further arguments go to it."""

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name or str(getattr(fn, "__name__", "metric")), dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        pair = losses.alike(y_true, y_pred)
        values = self._fn(*pair, **self._fn_kwargs)
        return super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._fn_kwargs}


class MeanRelativeError(Mean):
    """The mean of abs(y_pred - y_true) / normalizer."""

    def __init__(self, normalizer: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name or "mean_relative_error", dtype=dtype)
        self.normalizer = normalizer

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        true, pred = K.cast(y_true, self._dtype), K.cast(y_pred, self._dtype)
        ratio = api_math.div_no_nan(K.abs(pred - true), K.cast(self.normalizer, self._dtype))
        return super().update_state(ratio, sample_weight)

    def get_config(self) -> dict[str, Any]:
        shown = self.normalizer
        if is_tensor_like(shown):
            shown = get_value(shown)
        return {**super().get_config(), "normalizer": np.asarray(shown).tolist()}


def wrapped(
    class_name: str, fn: Callable[..., Any], name: str, doc: str,
    settings: dict[str, Any], first: dict[str, Any] | None = None,
) -> Any:
    """A Metric class: the mean of `fn`.

    Args:
        first, settings: further arguments of `fn` and their defaults, before and behind the
            constructor's `name` and `dtype`.
    """
    parameters = {**(first or {}), "name": name, "dtype": None, **settings}
    module = "graphc.keras.metrics"
    return losses.class_of(MeanMetricWrapper, class_name, fn, doc, parameters, {}, module)


class RootMeanSquaredError(Mean):
    """The root of the mean squared error."""

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        true, pred = losses._pair(y_true, y_pred)
        return super().update_state(api_math.squared_difference(pred, true), sample_weight)

    def result(self) -> Any:
        return K.sqrt(super().result())


