"""Programs in the manner of Keras' examples and of public scripts, on small generated data."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.keras import backend as K
from graphc.keras.callbacks import EarlyStopping, LambdaCallback
from graphc.keras.layers import (
    LSTM,
    Activation,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    Input,
    Lambda,
    MaxPooling2D,
    RepeatVector,
    TimeDistributed,
    UpSampling2D,
    concatenate,
)
from graphc.keras.models import Model, Sequential
from graphc.keras.optimizers import RMSprop
from graphc.keras.preprocessing import sequence
from graphc.keras.utils import to_categorical

RNG = np.random.default_rng(0)


def falls(history: Any) -> bool:
    losses = history.history["loss"]
    return bool(losses[-1] < losses[0])


def test_mnist_cnn() -> None:
    img_rows, img_cols, num_classes = 14, 14, 3
    x = RNG.integers(0, 255, (48, img_rows, img_cols)).astype("float32") / 255
    y = np.arange(48) % num_classes
    x[np.arange(48), y, :] += 1
    if K.image_data_format() == "channels_first":
        x = x.reshape(x.shape[0], 1, img_rows, img_cols)
    else:
        x = x.reshape(x.shape[0], img_rows, img_cols, 1)
    model = Sequential()
    model.add(Conv2D(8, kernel_size=(3, 3), activation="relu", input_shape=x.shape[1:]))
    model.add(Conv2D(8, (3, 3)))
    model.add(Activation("relu"))
    model.add(MaxPooling2D(pool_size=(2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(16, activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(num_classes, activation="softmax"))
    model.compile(loss=tf.keras.losses.categorical_crossentropy,
                  optimizer=tf.keras.optimizers.Adam(), metrics=["accuracy"])  # fmt: skip
    labels = to_categorical(y, num_classes)
    history = model.fit(x, labels, batch_size=16, epochs=8, verbose=0, validation_data=(x, labels))
    score = model.evaluate(x, labels, verbose=0)
    assert falls(history) and len(score) == 2 and set(history.history) == {
        "loss", "acc", "val_loss", "val_acc"}  # fmt: skip


def test_reviews_by_convolution_and_by_recurrence() -> None:
    x = [RNG.integers(1, 50, RNG.integers(3, 12)).tolist() for _ in range(32)]
    y = np.array([sum(r) % 2 for r in x])
    x = sequence.pad_sequences(x, maxlen=10)
    first = Sequential()
    first.add(Embedding(50, 8, input_length=10))
    first.add(Dropout(0.2))
    first.add(Conv1D(8, 3, padding="valid", activation="relu", strides=1))
    first.add(GlobalMaxPooling1D())
    first.add(Dense(1))
    first.add(Activation("sigmoid"))
    second = Sequential([Embedding(50, 8, mask_zero=True), Bidirectional(LSTM(6, dropout=0.2)),
                         Dense(1, activation="sigmoid")])  # fmt: skip
    for model in (first, second):
        model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
        assert falls(model.fit(x, y, batch_size=8, epochs=6, verbose=0))
        assert model.predict_classes(x).shape == (32, 1)


def test_text_generation() -> None:
    text = "the quick brown fox jumps over the lazy dog. " * 4
    chars = sorted(set(text))
    index = {c: i for i, c in enumerate(chars)}
    maxlen = 10
    starts = range(0, len(text) - maxlen, 3)
    x = np.zeros((len(starts), maxlen, len(chars)), dtype=bool)
    y = np.zeros((len(starts), len(chars)), dtype=bool)
    for k, i in enumerate(starts):
        for t, char in enumerate(text[i : i + maxlen]):
            x[k, t, index[char]] = 1
        y[k, index[text[i + maxlen]]] = 1
    model = Sequential()
    model.add(LSTM(16, input_shape=(maxlen, len(chars))))
    model.add(Dense(len(chars), activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.01))
    written: list[str] = []

    def on_epoch_end(epoch: int, _: Any) -> None:
        sentence = text[:maxlen]
        for _ in range(5):
            pred = np.zeros((1, maxlen, len(chars)))
            for t, char in enumerate(sentence):
                pred[0, t, index[char]] = 1.0
            best = int(model.predict(pred, verbose=0)[0].argmax())
            sentence = sentence[1:] + chars[best]
        written.append(sentence)

    history = model.fit(x, y, batch_size=16, epochs=4, verbose=0,
                        callbacks=[LambdaCallback(on_epoch_end=on_epoch_end)])  # fmt: skip
    assert falls(history) and len(written) == 4


def test_addition_by_encoder_and_decoder() -> None:
    x = RNG.integers(0, 2, (32, 5, 6)).astype(bool)
    y = RNG.integers(0, 2, (32, 3, 6)).astype(bool)
    model = Sequential()
    model.add(LSTM(12, input_shape=(5, 6)))
    model.add(RepeatVector(3))
    model.add(LSTM(12, return_sequences=True))
    model.add(TimeDistributed(Dense(6)))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    assert falls(model.fit(x, y, epochs=4, verbose=0, validation_split=0.1))


def test_translation_trains_one_model_and_infers_with_two() -> None:
    tokens, dim = 7, 8
    encoder_inputs = Input(shape=(None, tokens))
    encoder = LSTM(dim, return_state=True)
    _, state_h, state_c = encoder(encoder_inputs)
    decoder_inputs = Input(shape=(None, tokens))
    decoder = LSTM(dim, return_sequences=True, return_state=True)
    outputs, _, _ = decoder(decoder_inputs, initial_state=[state_h, state_c])
    dense = Dense(tokens, activation="softmax")
    model = Model([encoder_inputs, decoder_inputs], dense(outputs))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    a, b = RNG.random((8, 4, tokens)), RNG.random((8, 5, tokens))
    history = model.fit([a, b], b, batch_size=4, epochs=2, validation_split=0.25, verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()
    encoder_model = Model(encoder_inputs, [state_h, state_c])
    h, c = Input(shape=(dim,)), Input(shape=(dim,))
    outputs, h2, c2 = decoder(decoder_inputs, initial_state=[h, c])
    decoder_model = Model([decoder_inputs, h, c], [dense(outputs), h2, c2])
    states = encoder_model.predict(a[:1])
    whole = model.predict([a[:1], b[:1]])
    for t in range(5):
        out, *states = decoder_model.predict([b[:1, t : t + 1], *states])
        np.testing.assert_allclose(out[:, 0], whole[:, t], rtol=1e-4)


def test_siamese_network() -> None:
    def distance(vects: Any) -> Any:
        x, y = vects
        return K.sqrt(K.maximum(K.sum(K.square(x - y), axis=1, keepdims=True), K.epsilon()))

    def contrastive(y_true: Any, y_pred: Any) -> Any:
        margin = K.square(K.maximum(1.0 - y_pred, 0.0))
        return K.mean(y_true * K.square(y_pred) + (1.0 - y_true) * margin)

    base_input = Input(shape=(6,))
    base = Model(base_input, Dense(4, activation="relu")(Dropout(0.1)(base_input)))
    a, b = Input(shape=(6,)), Input(shape=(6,))
    out = Lambda(distance, output_shape=lambda shapes: (shapes[0][0], 1))([base(a), base(b)])
    model = Model([a, b], out)

    def accuracy(y_true: Any, y_pred: Any) -> Any:
        return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))

    model.compile(loss=contrastive, optimizer=RMSprop(), metrics=[accuracy])
    pairs, same = RNG.random((32, 2, 6)), RNG.integers(0, 2, 32)
    history = model.fit([pairs[:, 0], pairs[:, 1]], same, epochs=5, verbose=0)
    assert np.isfinite(history.history["accuracy"]).all()


def test_a_network_with_skips() -> None:
    inputs = Input((8, 8, 1))
    a = Conv2D(4, 3, activation="relu", padding="same", kernel_initializer="he_normal")(inputs)
    b = Conv2D(8, 3, activation="relu", padding="same")(MaxPooling2D(pool_size=(2, 2))(a))
    b = Dropout(0.5)(BatchNormalization()(b))
    up = Conv2D(4, 2, activation="relu", padding="same")(UpSampling2D(size=(2, 2))(b))
    merged = concatenate([a, up, Conv2DTranspose(4, (2, 2), strides=(2, 2))(b)], axis=3)
    out = Conv2D(1, 1, activation="sigmoid")(merged)
    model = Model(inputs=inputs, outputs=out)

    def dice(y_true: Any, y_pred: Any) -> Any:
        true, pred = K.flatten(y_true), K.flatten(y_pred)
        return (2.0 * K.sum(true * pred) + 1.0) / (K.sum(true) + K.sum(pred) + 1.0)

    model.compile("adam", lambda y_true, y_pred: 1.0 - dice(y_true, y_pred), metrics=[dice])
    x = RNG.random((8, 8, 8, 1))
    history = model.fit(x, (x > 0.5) * 1.0, epochs=15, verbose=0)
    assert falls(history) and history.history["dice"][0] > 0


def test_transfer_of_a_frozen_base() -> None:
    base = tf.keras.applications.MobileNet(
        (32, 32, 3), alpha=0.25, weights=None, include_top=False
    )
    base.trainable = False
    model = Sequential([base, GlobalAveragePooling2D(), Dense(2, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", ["accuracy"])
    assert len(model.trainable_weights) == 2
    before = base.get_weights()
    model.fit(RNG.random((4, 32, 32, 3)), np.eye(2)[[0, 1, 0, 1]], verbose=0)
    assert all((a == b).all() for a, b in zip(before, base.get_weights()))


def test_q_learning() -> None:
    class Agent:
        def __init__(self) -> None:
            self.memory: list[Any] = []
            self.epsilon = 1.0
            self.model = self.build()
            self.target = self.build()
            self.target.set_weights(self.model.get_weights())

        def build(self) -> Any:
            model = Sequential()
            model.add(Dense(12, input_dim=4, activation="relu"))
            model.add(Dense(2, activation="linear"))
            model.compile(loss="mse", optimizer=tf.keras.optimizers.Adam(lr=0.01))
            return model

        def act(self, state: Any) -> int:
            if random.random() < self.epsilon:
                return random.randrange(2)
            return int(np.argmax(self.model.predict(state)[0]))

        def replay(self, size: int) -> None:
            for state, action, reward, after, done in random.sample(self.memory, size):
                target = self.model.predict(state)
                best = np.amax(self.target.predict(after)[0])
                target[0][action] = reward if done else reward + 0.95 * best
                self.model.fit(state, target, epochs=1, verbose=0)
            self.epsilon *= 0.9

    agent = Agent()
    for _ in range(20):
        state = RNG.random((1, 4))
        agent.memory.append((state, agent.act(state), 1.0, RNG.random((1, 4)), False))
    agent.replay(4)
    plans = len(tf.stats()["plans"])
    agent.replay(8)
    assert len(tf.stats()["plans"]) == plans and agent.epsilon < 1


def test_an_actor_trains_by_a_function_of_its_own() -> None:
    state = Input((3,))
    actor = Model(state, Dense(2, activation="softmax")(Dense(8, activation="relu")(state)))
    action, gain = K.placeholder(shape=(None, 2)), K.placeholder(shape=(None,))
    chosen = K.sum(action * actor.output, axis=1)
    loss = -K.sum(K.log(chosen + 1e-10) * K.stop_gradient(gain))
    optimizer = RMSprop(lr=0.01, rho=0.99)
    for updates in (
        optimizer.get_updates(params=actor.trainable_weights, loss=loss),
        RMSprop(lr=0.01).get_updates(actor.trainable_weights, [], loss),
        RMSprop(lr=0.01).get_updates(loss, actor.trainable_weights),
    ):
        train = K.function([actor.input, action, gain], [loss], updates=updates)
        given = [RNG.random((6, 3)), np.eye(2)[[0] * 6], np.ones(6)]
        losses = [train(given)[0] for _ in range(10)]
        assert losses[-1] < losses[0]


def test_inputs_of_a_pipeline_are_read_by_the_graph() -> None:
    data = tf.data.Dataset.from_tensor_slices(
        (RNG.random((12, 4)).astype("f"), RNG.random((12, 1)).astype("f"))
    )
    x, y = data.repeat().batch(4).make_one_shot_iterator().get_next()
    inputs = Input(tensor=x)
    model = Model(inputs, Dense(1)(inputs))
    model.compile("sgd", "mse", target_tensors=[y])
    history = model.fit(epochs=2, steps_per_epoch=3, verbose=0)
    assert history.history["loss"][0] > 0


def test_two_inputs_by_name_and_early_stopping() -> None:
    title, body = Input((5,), name="title"), Input((3,), name="body")
    x = Concatenate()([Dense(4)(title), Dense(4)(body)])
    outputs = [Dense(1, name="priority")(x), Dense(2, activation="softmax", name="team")(x)]
    model = Model(inputs=[title, body], outputs=outputs)
    model.compile(
        "rmsprop", loss={"priority": "mse", "team": "sparse_categorical_crossentropy"},
        loss_weights={"priority": 1.0, "team": 0.2},
    )  # fmt: skip
    data = {"title": RNG.random((16, 5)), "body": RNG.random((16, 3))}
    targets = {"priority": RNG.random(16), "team": RNG.integers(0, 2, 16)}
    history = model.fit(data, targets, epochs=20, verbose=0, batch_size=8,
                        callbacks=[EarlyStopping("priority_loss", patience=3)])  # fmt: skip
    assert set(history.history) == {"loss", "priority_loss", "team_loss"}


@pytest.mark.parametrize("mode", ["temporal", None])
def test_weights_of_time_steps(mode: Any) -> None:
    model = Sequential([LSTM(4, return_sequences=True, input_shape=(5, 3)), Dense(1)])
    model.compile("sgd", "mse", sample_weight_mode=mode)
    x, y = RNG.random((6, 5, 3)), RNG.random((6, 5, 1))
    weights = RNG.random((6, 5) if mode else 6)
    away = (model.predict(x) - y)[..., 0] ** 2
    spread = weights if mode else weights[:, None]
    got = model.test_on_batch(x, y, sample_weight=weights)
    assert got == pytest.approx((away * spread).mean(), rel=1e-4)


def test_heads_meet_their_own_keys_only() -> None:
    q, k = RNG.random((2, 3, 4, 5)), RNG.random((2, 3, 6, 5))
    found = K.batch_dot(K.constant(q), K.constant(k), axes=[3, 3])
    assert np.allclose(K.eval(found), np.einsum("bhqd,bhkd->bhqk", q, k), atol=1e-5)
    back = K.batch_dot(found, K.constant(k), axes=[3, 2])
    assert K.int_shape(back) == (2, 3, 4, 5)
    votes, hats = RNG.random((2, 3, 6)), k  # as networks of capsules route
    agreed = K.batch_dot(K.constant(votes), K.constant(hats), [2, 2])
    assert np.allclose(K.eval(agreed), np.einsum("bcn,bcnd->bcd", votes, hats), atol=1e-5)
    again = K.batch_dot(agreed, K.constant(hats), [2, 3])
    assert K.int_shape(again) == (2, 3, 6)


def test_layers_of_keras_1_and_2_from_where_they_were() -> None:
    from graphc.keras.engine import InputSpec, topology
    from graphc.keras.layers.convolutional import Convolution2D, MaxPooling2D, ZeroPadding2D

    class Scale(topology.Layer):  # type: ignore[misc, name-defined]
        def build(self, input_shape: Any) -> None:
            self.input_spec = [InputSpec(shape=input_shape)]
            self.w = self.add_weight((input_shape[-1],), initializer="one", name="own_w")
            self.b = self.add_weight([input_shape[-1]], "zero", name="own_b")
            super().build(input_shape)

        def call(self, x: Any, mask: Any = None) -> Any:
            return x * self.w + self.b

    layer = Scale()
    model = Sequential([Dense(3, input_shape=(4,)), layer])
    assert [w.shape.as_list() for w in layer.weights] == [[3], [3]]
    assert "own_w" in layer.w.name and np.isfinite(model.predict(np.ones((2, 4)))).all()
    assert Convolution2D is Conv2D and MaxPooling2D.__name__ == "MaxPooling2D"
    assert ZeroPadding2D.__module__.startswith("graphc")


def test_a_layer_lists_its_variables_by_hand() -> None:
    class Scaled(tf.keras.layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, input_shape: Any) -> None:
            self.gamma = K.variable(np.full(input_shape[-1], 20.0), name="gamma")
            self.mean = K.variable(np.zeros(input_shape[-1]), name="mean")
            self.trainable_weights = [self.gamma]
            self.non_trainable_weights = [self.mean]
            super().build(input_shape)

        def call(self, x: Any) -> Any:
            return K.l2_normalize(x - self.mean, 1) * self.gamma

    model = Sequential([Scaled(input_shape=(3,))])
    assert [len(model.trainable_weights), len(model.non_trainable_weights)] == [1, 1]
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.train_on_batch(np.ones((2, 3)), np.zeros((2, 3)))
    assert [bool((a != b).all()) for a, b in zip(before, model.get_weights())] == [True, False]
