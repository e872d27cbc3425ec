"""Recurrent layers: loops against written-out steps, masks, states, cells of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models

RNG = np.random.default_rng(0)
X = RNG.random((4, 6, 3))


@pytest.mark.parametrize("make", [layers.SimpleRNN, layers.GRU, layers.LSTM])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_a_loop_is_its_steps_written_out(make: Any, mask: bool, sequences: bool) -> None:
    def model(unroll: bool) -> Any:
        first = [layers.Masking(input_shape=(6, 3))] if mask else []
        layer = make(4, return_sequences=sequences, unroll=unroll, input_shape=(6, 3))
        made = models.Sequential([*first, layer, layers.Flatten(), layers.Dense(1)])
        made.compile("sgd", "mse")
        return made

    data = X.copy()
    data[1, 4:] = data[2, 2:] = 0
    loop, steps = model(False), model(True)
    steps.set_weights(loop.get_weights())
    np.testing.assert_allclose(loop.predict(data), steps.predict(data), rtol=1e-5, atol=1e-6)
    for _ in range(2):
        a, b = loop.train_on_batch(data, X[:, 0, 0]), steps.train_on_batch(data, X[:, 0, 0])
        assert a == pytest.approx(b, rel=1e-5)


def test_masked_steps_do_not_count() -> None:
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    model = models.Sequential([layers.Embedding(9, 3, mask_zero=True), layers.LSTM(4)])
    short = model.predict(ids[1:, :2])
    np.testing.assert_allclose(model.predict(ids)[1], short[0], rtol=1e-5)


def test_any_length_runs_on_one_plan() -> None:
    model = models.Sequential([layers.LSTM(4, input_shape=(None, 3)), layers.Dense(1)])
    assert [model.predict(RNG.random((2, n, 3))).shape for n in (2, 5, 9)] == [(2, 1)] * 3


def test_stateful_layers_go_on_where_they_were() -> None:
    model = models.Sequential([layers.GRU(4, stateful=True, batch_input_shape=(4, 3, 3))])
    whole = models.Sequential([layers.GRU(4, input_shape=(6, 3))])
    whole.set_weights(model.get_weights())
    model.predict(X[:, :3], batch_size=4)
    last = model.predict(X[:, 3:], batch_size=4)
    np.testing.assert_allclose(last, whole.predict(X), rtol=1e-5)
    model.reset_states()
    again = model.predict(X[:, :3], batch_size=4)
    assert not np.allclose(again, last)
    with pytest.raises(ValueError, match="needs to know its batch size"):
        layers.GRU(4, stateful=True)(layers.Input((3, 3)))


def test_states_go_from_encoder_to_decoder() -> None:
    source, target = layers.Input((None, 3)), layers.Input((None, 2))
    _, h, c = layers.LSTM(5, return_state=True)(source)
    out = layers.LSTM(5, return_sequences=True)(target, initial_state=[h, c])
    model = models.Model([source, target], layers.Dense(2)(out))
    model.compile("adam", "mse")
    y = RNG.random((4, 7, 2))
    losses = model.fit([X, y], y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    zeros = models.Model([source, target], out)
    changed = zeros.predict([X * 5, y])
    assert not np.allclose(changed, zeros.predict([X, y]))


def test_go_backwards_and_return_state() -> None:
    x = layers.Input((6, 3))
    forward = layers.SimpleRNN(4, return_sequences=True, return_state=True)
    backward = layers.SimpleRNN(4, return_sequences=True, go_backwards=True)
    out, state = forward(x)
    model = models.Model(x, [out, state, backward(x)])
    backward.set_weights(forward.get_weights())
    a, s, _ = model.predict(X)
    np.testing.assert_array_equal(a[:, -1], s)
    np.testing.assert_allclose(model.predict(X[:, ::-1])[2], a, rtol=1e-5)


class Minimal(layers.Layer):
    """The cell of Keras' guide."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        self.units = self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), initializer="ones")
        self.recurrent = self.add_weight("recurrent", (self.units, self.units))
        self.built = True

    def call(self, inputs: Any, states: Any) -> Any:  # type: ignore[override]
        out = K.dot(inputs, self.kernel) + K.dot(states[0], self.recurrent)
        return out, [out]


def test_cells_of_ones_own() -> None:
    model = models.Sequential([layers.RNN([Minimal(4), Minimal(2)], input_shape=(6, 3))])
    model.compile("rmsprop", "mse")
    assert model.predict(X).shape == (4, 2)
    assert np.isfinite(model.train_on_batch(X, X[:, 0, :2]))


def test_dropout_of_inputs_and_states_only_in_training() -> None:
    layer = layers.LSTM(8, dropout=0.5, recurrent_dropout=0.5, input_shape=(6, 3))
    model = models.Sequential([layer])
    np.testing.assert_array_equal(model.predict(X), model.predict(X))
    run = K.function([model.input, K.learning_phase()], [model.output])
    assert not np.allclose(run([X, 1])[0], run([X, 1])[0])


def test_k_rnn_runs_a_step_function() -> None:
    def step(x: Any, states: Any) -> Any:
        out = x + states[0]
        return out, [out]

    x = K.variable(X)
    last, outputs, states = K.rnn(step, x, [K.zeros((4, 3))])
    np.testing.assert_allclose(K.get_value(outputs), X.cumsum(1), rtol=1e-5)
    np.testing.assert_allclose(K.get_value(last), X.sum(1), rtol=1e-5)
    np.testing.assert_allclose(K.get_value(states[0]), X.sum(1), rtol=1e-5)
    mask = np.array([[1, 1, 0, 1, 0, 0]] * 4, bool)
    last = K.rnn(step, x, [K.zeros((4, 3))], mask=K.constant(mask, "bool"))[0]
    np.testing.assert_allclose(K.get_value(last), X[:, [0, 1, 3]].sum(1), rtol=1e-5)


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
def test_bidirectional_modes(mode: Any) -> None:
    x = layers.Input((6, 3))
    out = layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode=mode)(x)
    got = models.Model(x, out).predict(X)
    shapes = [g.shape for g in got] if mode is None else [got.shape]
    assert shapes == ([(4, 6, 2)] * 2 if mode is None else [(4, 6, 4 if mode == "concat" else 2)])


def test_time_distributed_convolutions() -> None:
    video = RNG.random((2, 3, 8, 8, 1))
    model = keras.Sequential([
        layers.TimeDistributed(layers.Conv2D(2, 3, activation="relu"), input_shape=(3, 8, 8, 1)),
        layers.TimeDistributed(layers.GlobalAveragePooling2D()), layers.LSTM(4), layers.Dense(1),
    ])  # fmt: skip
    model.compile("adam", "mse")
    assert np.isfinite(model.fit(video, np.ones(2), verbose=0).history["loss"][0])
    assert model.layers[0].output_shape == (None, 3, 6, 6, 2)
