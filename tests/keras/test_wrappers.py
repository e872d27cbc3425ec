"""Models as scikit-learn's estimators: cross validation, searches, pipelines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.keras import layers, models
from graphc.keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor

pytest.importorskip("sklearn")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X.sum(1) > 0).astype(int)


def classifier(width: int = 8) -> Any:
    model = models.Sequential([layers.Dense(width, activation="relu", input_shape=(3,)),
                               layers.Dense(1, activation="sigmoid")])  # fmt: skip
    model.compile("rmsprop", "binary_crossentropy", ["accuracy"])
    return model


def test_cross_validation_search_and_pipeline() -> None:
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    made = KerasClassifier(build_fn=classifier, epochs=15, batch_size=4, verbose=0)
    assert is_classifier(made) and clone(made).get_params() == made.get_params()
    assert cross_val_score(made, X, Y, cv=2).mean() > 0.6
    search = GridSearchCV(made, {"width": [2, 8], "epochs": [2]}, cv=2).fit(X, Y)
    assert search.best_params_["epochs"] == 2 and search.best_params_["width"] in (2, 8)
    chain = Pipeline([("scale", StandardScaler()), ("model", made)]).fit(X, Y)
    assert chain.score(X, Y) > 0.6 and chain.predict_proba(X).shape == (60, 2)


def test_regression() -> None:
    from sklearn.model_selection import KFold, cross_val_score

    def build() -> Any:
        model = models.Sequential([layers.Dense(1, input_shape=(3,))])
        model.compile("sgd", "mse")
        return model

    made = KerasRegressor(build_fn=build, epochs=30, verbose=0)
    scores = cross_val_score(made, X, X.sum(1), cv=KFold(2))
    assert (scores <= 0).all() and scores.mean() > -2
    made.set_params(epochs=60).fit(X, X.sum(1))
    assert made.predict(X[:5]).shape == (5,) and len(made.history.history["loss"]) == 60
