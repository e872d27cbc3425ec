"""tf.keras.wrappers.scikit_learn: models with fit, predict and score as scikit-learn calls them.

Imports keras.engine; scikit-learn itself is not needed.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.keras.engine.training import Model
from graphc.keras.utils.np_utils import to_categorical

__all__ = ["KerasClassifier", "KerasRegressor"]


class BaseWrapper:
    """What both share: settings that go to the function that makes the model, or to its methods.

    Args:
        build_fn: makes a compiled model. sk_params: arguments of it, of fit, predict and score.

    Raises:
        ValueError: a setting that none of these takes.
    """

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        self.build_fn, self.sk_params = build_fn, sk_params
        self.model: Any = None
        self.history: Any = None
        known = {n for f in (Model.fit, Model.predict, Model.evaluate, self._maker())
                 for n in inspect.signature(f).parameters} | {"nb_epoch"}  # fmt: skip
        for name in sk_params:
            if name not in known:
                raise ValueError(f"{name} is not a legal parameter")

    def _maker(self) -> Callable[..., Any]:
        if self.build_fn is None:
            return self.__call__  # type: ignore[operator]
        return self.build_fn

    # what older versions of scikit-learn ask for
    _estimator_type = ""

    def __sklearn_tags__(self) -> Any:
        """What newer versions of scikit-learn ask for."""
        from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

        mixin = ClassifierMixin if self._estimator_type == "classifier" else RegressorMixin
        return type("Kind", (mixin, BaseEstimator), {})().__sklearn_tags__()

    def __sklearn_is_fitted__(self) -> bool:
        return self.model is not None

    def get_params(self, **params: Any) -> dict[str, Any]:
        """The settings and build_fn."""
        return {**copy.deepcopy(self.sk_params), "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> BaseWrapper:
        """Changes settings; returns the wrapper."""
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.sk_params.update(params)
        return self

    def filter_sk_params(self, fn: Callable[..., Any], override: Any = None) -> dict[str, Any]:
        """The settings that a function takes."""
        names = inspect.signature(fn).parameters
        return {**{k: v for k, v in self.sk_params.items() if k in names}, **(override or {})}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Makes the model and trains it; returns the History."""
        make = self._maker()
        self.model = make(**self.filter_sk_params(make))
        loss = self.model.loss
        name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
        if name == "categorical_crossentropy" and np.ndim(y) != 2:
            y = to_categorical(y)
        self.history = self.model.fit(x, y, **self.filter_sk_params(Model.fit, kwargs))
        return self.history


class KerasClassifier(BaseWrapper):
    """A classifier; `classes_` are the labels."""

    _estimator_type = "classifier"

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_, y = np.unique(y.reshape(-1), return_inverse=True)
        return super().fit(x, y, **kwargs)

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """The most probable label of each sample."""
        p = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        at = p.argmax(-1) if p.shape[-1] > 1 else (p[:, 0] > 0.5).astype(int)
        return self.classes_[at]

    def predict_proba(self, x: Any, **kwargs: Any) -> Any:
        """The probability of each label."""
        p = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The share of labels that are right."""
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            y = self.classes_[y.argmax(-1)]
        return float((self.predict(x, **kwargs) == y.reshape(-1)).mean())


class KerasRegressor(BaseWrapper):
    """A regressor."""

    _estimator_type = "regressor"

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """The values, without an axis of extent 1."""
        return np.squeeze(
            self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs)), axis=-1
        )

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Minus the loss."""
        kwargs = self.filter_sk_params(Model.evaluate, {"verbose": 0, **kwargs})
        loss = self.model.evaluate(x, y, **kwargs)
        return -float(loss[0] if isinstance(loss, list) else loss)
