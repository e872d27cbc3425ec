"""After the first epoch nothing is compiled: short last batches, evaluation, other batch sizes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import layers, models

RNG = np.random.default_rng(0)
COUNTERS = ("plans_built", "modules_compiled", "kernels_compiled", "kernels_from_cache")


def counters() -> dict[str, Any]:
    stats = tf.stats()
    return {name: stats[name] for name in COUNTERS}


def dense() -> tuple[Any, Any, Any]:
    model = models.Sequential([
        layers.Dense(8, activation="relu", input_shape=(6,)), layers.Dropout(0.2),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    return model, RNG.random((50, 6)), RNG.integers(0, 3, 50)


def convolutions() -> tuple[Any, Any, Any]:
    model = models.Sequential([
        layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3)), layers.MaxPooling2D(),
        layers.BatchNormalization(), layers.Flatten(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    return model, RNG.random((50, 8, 8, 3)), RNG.integers(0, 3, 50)


def recurrence() -> tuple[Any, Any, Any]:
    model = models.Sequential([
        layers.Embedding(7, 5, mask_zero=True, input_length=6),
        layers.LSTM(4, return_sequences=True), layers.GRU(4), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    return model, RNG.integers(0, 7, (50, 6)), RNG.integers(0, 3, 50)


def attention() -> tuple[Any, Any, Any]:
    x = layers.Input((6, 4))
    read = layers.LayerNormalization()(x)
    mixed = layers.add([x, layers.MultiHeadAttention(2, 2, dropout=0.1)(read, read)])
    out = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(mixed))
    return models.Model(x, out), RNG.random((50, 6, 4)), RNG.integers(0, 3, 50)


@pytest.mark.parametrize("make", [dense, convolutions, recurrence, attention])
def test_nothing_is_compiled_after_the_first_epoch(make: Any) -> None:
    """50 rows: 16, 16, 16 and a last batch of 2; then batches of other sizes, of a single row."""
    model, x, y = make()
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    first = counters()["plans_built"]
    model.fit(x, y, batch_size=16, epochs=1, verbose=0, validation_data=(x[:20], y[:20]))
    model.predict(x[:16], batch_size=16)
    before = counters()
    assert before["plans_built"] > first
    model.fit(x, y, batch_size=16, epochs=2, verbose=0, validation_split=0.3)
    model.fit(x[:49], y[:49], batch_size=12, verbose=0)
    model.evaluate(x, y, batch_size=16, verbose=0)
    model.evaluate(x[:37], y[:37], batch_size=9, verbose=0)
    model.predict(x, batch_size=16)
    model.predict(x[:1])
    model.train_on_batch(x[:1], y[:1])
    model.test_on_batch(x[:5], y[:5])
    model.predict_on_batch(x[:7])
    assert counters() == before


def test_training_evaluation_and_prediction_have_one_plan_each() -> None:
    model, x, y = dense()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.get_weights()
    before = counters()["plans_built"]
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    assert counters()["plans_built"] - before <= 2  # the optimizer's first values, the step
    before = counters()["plans_built"]
    model.evaluate(x, y, batch_size=16, verbose=0)
    assert counters()["plans_built"] - before == 1
    model.predict(x, batch_size=16)
    assert counters()["plans_built"] - before == 2


def test_weights_generators_and_callbacks_build_no_more() -> None:
    """Sample weights are a plan of their own, once; everything else runs what there is."""
    model, x, y = dense()
    weights = RNG.random(50)
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x, y, batch_size=16, verbose=0, validation_data=(x, y))
    before = counters()["plans_built"]
    model.fit(x, y, batch_size=16, verbose=0, sample_weight=weights)
    model.evaluate(x, y, verbose=0, sample_weight=weights)
    assert counters()["plans_built"] - before == 2
    model.predict(x)
    before = counters()
    listed = [keras.callbacks.ReduceLROnPlateau("loss", patience=0),
              keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True),
              keras.callbacks.LambdaCallback(on_epoch_end=lambda k, logs: model.predict(x[:k + 1]))]
    model.fit(x, y, batch_size=7, epochs=3, verbose=0, class_weight={0: 1.0, 1: 2.0, 2: 0.5},
              callbacks=listed, validation_data=(x, y, weights))  # fmt: skip
    batches = ((x[k : k + 9], y[k : k + 9]) for k in range(41))
    model.fit_generator(batches, steps_per_epoch=4, epochs=3, verbose=0,
                        validation_data=(x[:11], y[:11]))  # fmt: skip
    model.evaluate_generator(batches, steps=2)
    model.predict_generator(((x[:k],) for k in range(1, 9)), steps=5)
    assert counters() == before


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_fit_adds_little_to_the_steps_of_a_session(verbose: int, capsys: Any) -> None:
    model = models.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    x, y = RNG.random((3200, 4)).astype("f"), RNG.random((3200, 1)).astype("f")
    model.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    step = model._step("train").runner()
    batches = [(x[k : k + 16], y[k : k + 16]) for k in range(0, 3200, 16)]

    def seconds(run: Any) -> float:
        start = time.perf_counter()
        run()
        return (time.perf_counter() - start) / len(batches)

    def bare() -> None:
        for arrays in batches:
            step(*arrays)

    class Own(keras.callbacks.Callback):
        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            self.last = logs["loss"]

    def fit() -> None:
        model.fit(x, y, batch_size=16, shuffle=False, verbose=verbose, callbacks=[Own()])

    more = [seconds(fit) - seconds(bare) for _ in range(7)]
    # the least is what the machine's other work leaves alone
    assert min(more) < 50e-6
