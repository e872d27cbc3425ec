"""Models inside of models: their updates, penalties and states count where they are trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import keras
from graphc.keras import layers, models

RNG = np.random.default_rng(0)
X, Y = RNG.random((16, 3)) * 3 + 5, RNG.random((16, 1))


def inner_model() -> Any:
    return models.Sequential([layers.Dense(4, input_shape=(3,)), layers.BatchNormalization()])


@pytest.mark.parametrize("how", ["sequential", "functional", "subclassed"])
def test_moving_averages_of_an_inner_model_move(how: str) -> None:
    inner = inner_model()
    if how == "sequential":
        model: Any = models.Sequential([inner, layers.Dense(1)])
    elif how == "functional":
        x = layers.Input((3,))
        model = models.Model(x, layers.Dense(1)(inner(x)))
    else:

        class Outer(models.Model):
            def __init__(self) -> None:
                super().__init__()
                self.inner, self.last = inner, layers.Dense(1)

            def call(self, inputs: Any) -> Any:
                return self.last(self.inner(inputs))

        model = Outer()
    model.compile("sgd", "mse")
    hidden = inner.layers[0].get_weights()
    model.train_on_batch(X, Y)
    seen = X @ hidden[0] + hidden[1]
    mean, variance = inner.layers[1].get_weights()[2:]
    np.testing.assert_allclose(mean, 0.01 * seen.mean(0), rtol=1e-4)
    assert not np.allclose(variance, 1.0)
    inner.trainable = False
    model.compile("sgd", "mse")
    model.train_on_batch(X, Y)
    np.testing.assert_array_equal(inner.layers[1].get_weights()[2], mean)


def test_penalties_of_an_inner_models_outputs_count() -> None:
    inner = models.Sequential([
        layers.Dense(2, input_shape=(3,), use_bias=False, kernel_regularizer="l2",
                     activity_regularizer=keras.regularizers.l1(1.0)),
    ])  # fmt: skip
    model = models.Sequential([inner, layers.Lambda(lambda t: 0.0 * t)])
    assert len(model.losses) == 2
    model.compile("sgd", "mse")
    (kernel,) = inner.get_weights()
    wanted = 0.01 * (kernel**2).sum() + np.abs(X @ kernel).sum() / len(X)
    assert model.evaluate(X, np.zeros((16, 2)), 16, verbose=0) == pytest.approx(wanted, rel=1e-5)


def test_states_of_an_inner_model_are_kept() -> None:
    inner = models.Sequential([
        layers.GRU(3, stateful=True, batch_input_shape=(2, 4, 3)), layers.BatchNormalization(),
    ])  # fmt: skip
    model = models.Sequential([inner, layers.Dense(1)])
    x = RNG.random((2, 4, 3))
    first, second = model.predict(x, batch_size=2), model.predict(x, batch_size=2)
    assert not np.allclose(first, second)
    model.reset_states()
    np.testing.assert_array_equal(model.predict(x, batch_size=2), first)
    np.testing.assert_array_equal(inner.layers[1].get_weights()[2], np.zeros(3))


def test_a_layer_called_twice_moves_its_averages_twice() -> None:
    norm = layers.BatchNormalization(momentum=0.5)
    a, b = layers.Input((1,)), layers.Input((1,))
    model = models.Model([a, b], layers.Add()([norm(a), norm(b)]))
    model.compile("sgd", "mse")
    model.train_on_batch([np.full((4, 1), 8.0), np.full((4, 1), 100.0)], np.zeros((4, 1)))
    assert norm.get_weights()[2] == pytest.approx([54.0])
