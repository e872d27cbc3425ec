"""tf.keras.estimator.model_to_estimator: training, evaluation and prediction of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype("f")
Y = (X.sum(1) > 0).astype("f")


def batches(x: Any, y: Any, epochs: int = 1) -> Any:
    return lambda: tf.data.Dataset.from_tensor_slices((x, y)).repeat(epochs).batch(16)


def binary(optimizer: Any = "sgd", metrics: Any = ("accuracy",)) -> Any:
    model = models.Sequential([
        layers.Dense(8, activation="relu", input_shape=(4,), kernel_regularizer="l2"),
        layers.BatchNormalization(), layers.Dropout(0.0), layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile(optimizer, "binary_crossentropy", list(metrics))
    return model


@pytest.mark.parametrize("optimizer", [
    lambda: "sgd", lambda: keras.optimizers.Adam(0.01), lambda: tf.train.AdamOptimizer(0.01),
])  # fmt: skip
def test_it_learns_as_fit_does(optimizer: Any, tmp_path: Path) -> None:
    model = binary(optimizer())
    start, name = model.get_weights(), model.input_names[0]
    made = keras.estimator.model_to_estimator(model, model_dir=str(tmp_path))
    before = made.evaluate(batches({name: X}, Y))
    want = dict(zip(("loss", "acc"), model.evaluate(X, Y, batch_size=16, verbose=0)))
    assert before["acc"] == pytest.approx(want["acc"])
    assert before["loss"] == pytest.approx(want["loss"], rel=1e-4)
    made.train(batches({name: X}, Y, 3))
    assert made.get_variable_value("global_step") == 12
    for a, b in zip(start, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    model.fit(X, Y, epochs=3, batch_size=16, shuffle=False, verbose=0)
    after = made.evaluate(batches(X, Y))
    assert after["loss"] == pytest.approx(
        model.evaluate(X, Y, batch_size=16, verbose=0)[0], rel=1e-3
    )
    got = np.array([next(iter(p.values())) for p in made.predict(batches(X, Y))])
    np.testing.assert_allclose(got, model.predict(X), rtol=1e-3, atol=1e-4)
    made.train(batches(X, Y))
    assert made.get_variable_value("global_step") == 16


def test_several_inputs_outputs_and_metrics(tmp_path: Path) -> None:
    a, b = layers.Input((4,), name="a"), layers.Input((3,), name="b")
    x = layers.concatenate([layers.Dense(5)(a), b])
    outputs = [layers.Dense(1, name="one", activation="sigmoid")(x), layers.Dense(2, name="two")(x)]
    model = models.Model([a, b], outputs)
    model.compile(
        "adam", {"one": "binary_crossentropy", "two": "mse"}, loss_weights=[1.0, 0.5],
        metrics={"one": [keras.metrics.AUC(name="auc"), "accuracy"], "two": ["mae"]},
    )  # fmt: skip
    made = keras.estimator.model_to_estimator(model, model_dir=str(tmp_path))
    features = {"b": X[:, :3], "a": X}
    labels = {"one": Y, "two": X[:, :2]}
    got = made.evaluate(batches(features, labels))
    want = model.evaluate([X, X[:, :3]], [Y, X[:, :2]], batch_size=16, verbose=0)
    found = dict(zip(model.metrics_names, want))
    assert {"loss", "one_auc", "one_acc", "two_mean_absolute_error"} <= set(got)
    for name in ("loss", "one_auc", "one_acc", "two_mean_absolute_error"):
        assert got[name] == pytest.approx(found[name], rel=1e-4), name
    made.train(batches(features, labels), steps=2)
    assert set(next(made.predict(batches(features, labels)))) == {"one", "two"}
    with pytest.raises(ValueError, match='Cannot find input with name "c"'):
        made.train(batches({"c": X}, labels))
    with pytest.raises(ValueError, match="gives no input for b"):
        made.train(batches({"a": X}, labels))


def test_a_saved_model_and_a_saved_estimator(tmp_path: Path) -> None:
    model = binary()
    model.save(tmp_path / "model")
    made = keras.estimator.model_to_estimator(
        keras_model_path=tmp_path / "model", model_dir=str(tmp_path / "run")
    )
    made.train(batches(X, Y), steps=1)

    def receiver() -> Any:
        fed = tf.placeholder(tf.float32, [None, 4])
        return tf.estimator.export.ServingInputReceiver({model.input_names[0]: fed}, {"x": fed})

    path = made.export_saved_model(str(tmp_path / "out"), receiver)
    assert Path(path if isinstance(path, str) else path.decode()).is_dir()


def test_what_cannot_be_wrapped(tmp_path: Path) -> None:
    wrap = keras.estimator.model_to_estimator
    with pytest.raises(ValueError, match="needs to be provided"):
        wrap()
    plain = models.Sequential([layers.Dense(1, input_shape=(2,))])
    with pytest.raises(ValueError, match="has not been compiled"):
        wrap(plain)

    class Own(models.Model):
        def call(self, x: Any) -> Any:
            return x

    own = Own()
    own.compile("sgd", "mse")
    with pytest.raises(ValueError, match="functional"):
        wrap(own)
    assert K.get_session() is not None
