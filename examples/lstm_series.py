"""Two Keras LSTM layers forecast a seasonal series, one step ahead.

    python examples/lstm_series.py            trains, prints the error beside that of the naive
                                              forecasts, draws both into lstm_series.png
    python examples/lstm_series.py --out DIR  draws it there
    python examples/lstm_series.py --no-plot  without the picture

The series is made here: a season of 24 steps whose strength swells and fades, a faster wave, noise.
It is cut into windows of 24 steps; the last fifth of them is for the test.
"""

from __future__ import annotations

import sys

import numpy as np
import pictures

import graphc as tf
from graphc.keras import layers, models

LENGTH = 3000
SEASON = WINDOW = 24
BATCH = 32
EPOCHS = 20


def series(length=LENGTH, seed=0):
    """float32 [length], of mean 0 and deviation 1."""
    time = np.arange(length)
    strength = 1.0 + 0.4 * np.sin(2 * np.pi * time / 391)
    values = strength * np.sin(2 * np.pi * time / SEASON) + 0.5 * np.sin(2 * np.pi * time / 7.3)
    values += 0.1 * np.random.default_rng(seed).normal(size=length)
    return ((values - values.mean()) / values.std()).astype(np.float32)


def windows(values):
    """Windows [n, WINDOW, 1], and for each the value that follows, [n, 1]."""
    cut = np.lib.stride_tricks.sliding_window_view(values, WINDOW + 1)
    return cut[:, :-1, None].copy(), cut[:, -1:].copy()


def split(values):
    """(train x, train y, test x, test y): the test comes after the training in time."""
    x, y = windows(values)
    cut = int(len(x) * 0.8)
    return x[:cut], y[:cut], x[cut:], y[cut:]


def model():
    """The compiled network: [batch, any time, 1] to [batch, 1]."""
    network = models.Sequential([
        layers.LSTM(50, return_sequences=True, input_shape=(None, 1)),
        layers.LSTM(50),
        layers.Dense(1),
    ])  # fmt: skip
    network.compile(optimizer=tf.keras.optimizers.Adam(3e-3), loss="mean_squared_error")
    return network


def build():
    """Fetches and feeds of one training step, for the tools."""
    network = model()
    loss = network.total_loss
    train = network.optimizer.get_updates(loss=loss, params=network.trainable_weights)
    x, y, _, _ = split(series())
    return [loss, train], {network.inputs[0]: x[:BATCH], network.targets[0]: y[:BATCH]}


def error(forecast, truth):
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((forecast - truth) ** 2)))


def main(epochs=EPOCHS, plot=True, folder=None):
    """Trains and forecasts; the errors of the network, the last value, the last season's value."""
    tf.set_random_seed(0)
    train_x, train_y, test_x, test_y = split(series())
    network = model()
    network.fit(train_x, train_y, epochs=epochs, batch_size=BATCH, verbose=2)
    forecast = network.predict(test_x)
    found = error(forecast, test_y)
    last, seasonal = error(test_x[:, -1], test_y), error(test_x[:, -SEASON], test_y)
    print(f"error of the network            {found:.3f}")
    print(f"error of 'as one step before'   {last:.3f}")
    print(f"error of 'as one season before' {seasonal:.3f}")
    if plot:
        path = "lstm_series.png" if folder is None else folder / "lstm_series.png"
        draw(test_y[:, 0], forecast[:, 0], path)
    return found, last, seasonal


def draw(truth, forecast, path, steps=150):
    """The end of the series and its forecast."""

    def plot(figure):
        axes = figure.subplots()
        axes.plot(truth[-steps:], color="0.6", label="series")
        axes.plot(forecast[-steps:], linewidth=0.9, label="forecast, one step ahead")
        axes.set(xlabel="step", title="two LSTM layers on a series they have not seen")
        axes.margins(y=0.2)
        axes.legend(loc="upper right", ncols=2)

    pictures.figure(path, plot, (9, 3.5))


if __name__ == "__main__":
    words = sys.argv[1:]
    main(plot="--no-plot" not in words, folder=pictures.folder_of(words))
