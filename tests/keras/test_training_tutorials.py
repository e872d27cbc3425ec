"""The programs of the tutorials, as they stand but for the first lines, on fewer samples."""

from __future__ import annotations

import numpy as np

import graphc as tf
from graphc.keras import layers, models

RNG = np.random.default_rng(0)


def test_sequential_on_numpy_data() -> None:
    x_train = RNG.random((1000, 10))
    y_train = RNG.integers(2, size=(1000, 1))
    assert x_train.dtype == np.float64

    model = tf.keras.Sequential([
        tf.keras.layers.Dense(10, activation="relu", input_shape=(10,)),
        tf.keras.layers.Dense(10, activation="relu"),
        tf.keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, epochs=10, batch_size=32)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert len(history.history["accuracy"]) == 10


def test_sequential_with_validation_and_evaluation() -> None:
    x_train, y_train = RNG.random((1000, 10)), RNG.integers(2, size=(1000, 1))
    x_val, y_val = RNG.random((200, 10)), RNG.integers(2, size=(200, 1))
    x_test, y_test = RNG.random((200, 10)), RNG.integers(2, size=(200, 1))

    model = tf.keras.models.Sequential()
    model.add(tf.keras.layers.Dense(10, activation=tf.nn.relu, input_shape=(10,)))
    model.add(tf.keras.layers.Dense(10, activation=tf.keras.activations.relu))
    model.add(tf.keras.layers.Dense(1, activation=tf.nn.sigmoid))
    model.compile(
        optimizer=tf.keras.optimizers.SGD(lr=0.01),
        loss=tf.keras.losses.BinaryCrossentropy(),
        metrics=[tf.keras.metrics.BinaryAccuracy(name="accuracy")],
    )
    model.fit(x_train, y_train, epochs=10, batch_size=32, validation_data=(x_val, y_val))
    loss, accuracy = model.evaluate(x_test, y_test)
    print("Loss:", loss, "Accuracy:", accuracy)
    assert 0.6 < loss < 0.8 and 0.0 <= accuracy <= 1.0
    predictions = model.predict(x_test)
    assert predictions.shape == (200, 1)
    assert abs(((predictions > 0.5) == y_test).mean() - accuracy) < 1e-6


def test_convolutions_on_pictures() -> None:
    train_images = RNG.integers(0, 256, (96, 32, 32, 3)).astype("uint8")
    train_labels = RNG.integers(0, 10, (96, 1))
    test_images, test_labels = train_images[:40], train_labels[:40]
    train_images, test_images = train_images / 255.0, test_images / 255.0

    model = models.Sequential()
    model.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(32, 32, 3)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    model.summary()
    model.compile(
        optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(
        train_images, train_labels, epochs=2, validation_data=(test_images, test_labels)
    )
    assert list(history.history) == ["loss", "acc", "val_loss", "val_acc"]
    test_loss, test_acc = model.evaluate(test_images, test_labels, verbose=2)
    assert [test_loss, test_acc] == [h[-1] for h in (
        history.history["val_loss"], history.history["val_accuracy"])]  # fmt: skip


def test_recurrence_on_series() -> None:
    x_train = RNG.random((64, 20, 10))
    y_train = x_train.mean((1, 2)).reshape(-1, 1)

    model = tf.keras.Sequential([
        tf.keras.layers.LSTM(50, return_sequences=True, input_shape=(None, 10)),
        tf.keras.layers.LSTM(50),
        tf.keras.layers.Dense(1),
    ])
    model.compile(optimizer="adam", loss="mean_squared_error")
    history = model.fit(x_train, y_train, epochs=50, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < 0.05 * history.history["loss"][0]
    # other lengths of series
    assert model.predict(RNG.random((3, 7, 10))).shape == (3, 1)
    assert np.isfinite(model.evaluate(RNG.random((9, 31, 10)), np.ones(9), verbose=0))
