"""A character model in Keras: an LSTM reads Python's own documentation and writes more of it.

    python examples/char_lstm.py              trains, prints bits per character, writes some text
    python examples/char_lstm.py --epochs 2   a shorter run

The text is what `help("...")` prints, from the standard library. The network trains on windows of
the text; to write, a second one with the same weights keeps its state from character to character
(`stateful=True`). `examples/char_rnn.py` is the same with `tf.nn.dynamic_rnn`.
"""

from __future__ import annotations

import sys

import numpy as np
from datasets import documentation

import graphc as tf
from graphc.keras import layers, models

WINDOW = 50
EMBEDDING, UNITS = 32, 128
BATCH = 64
EPOCHS = 20
TEMPERATURE = 0.5


def windows(codes):
    """Windows [n, WINDOW] and the characters that follow each of theirs, in the same shape."""
    count = (len(codes) - 1) // WINDOW
    x = codes[: count * WINDOW].reshape(count, WINDOW)
    return x, codes[1 : count * WINDOW + 1].reshape(count, WINDOW)


def network(symbols, rows=None, stateful=False):
    """Characters [rows, any time] to the chances of the ones that follow."""
    return models.Sequential([
        layers.Embedding(symbols, EMBEDDING, batch_input_shape=(rows, None)),
        layers.LSTM(UNITS, return_sequences=True, stateful=stateful),
        layers.Dense(symbols, activation="softmax"),
    ])  # fmt: skip


def model(symbols):
    """The compiled network for training."""
    made = network(symbols)
    made.compile(tf.keras.optimizers.Adam(5e-3, clipnorm=1.0), "sparse_categorical_crossentropy")
    return made


def build():
    """Fetches and feeds of one training step, for the tools."""
    codes, alphabet = documentation()
    made = model(len(alphabet))
    loss = made.total_loss
    train = made.optimizer.get_updates(loss=loss, params=made.trainable_weights)
    x, y = windows(codes)
    return [loss, train], {made.inputs[0]: x[:BATCH], made.targets[0]: y[:BATCH, :, None]}


def write(trained, alphabet, start="The ", count=300, seed=0):
    """Text that the network writes, character by character."""
    writer = network(len(alphabet), rows=1, stateful=True)
    writer.set_weights(trained.get_weights())
    rng = np.random.default_rng(seed)
    text = start
    given = [alphabet.index(c) for c in start]
    for _ in range(count):
        chances = writer.predict_on_batch(np.array([given]))[0, -1].astype(np.float64)
        chances = np.maximum(chances, 1e-12) ** (1 / TEMPERATURE)
        given = [int(rng.choice(len(alphabet), p=chances / chances.sum()))]
        text += alphabet[given[0]]
    return text


def main(epochs=EPOCHS):
    """Trains and writes; bits per character of the text's last part, which it has not seen."""
    tf.set_random_seed(0)
    codes, alphabet = documentation()
    x, y = windows(codes)
    cut = int(len(x) * 0.95)
    print(f"{len(codes)} characters, an alphabet of {len(alphabet)}")
    trained = model(len(alphabet))
    trained.summary()
    history = trained.fit(
        x[:cut], y[:cut, :, None], batch_size=BATCH, epochs=epochs, verbose=2,
        validation_data=(x[cut:], y[cut:, :, None]),
    )  # fmt: skip
    bits = [float(loss / np.log(2)) for loss in history.history["val_loss"]]
    print("-" * 72)
    print(write(trained, alphabet))
    print("-" * 72)
    print(f"{bits[-1]:.3f} bits per character on the part that it has not read")
    return bits


if __name__ == "__main__":
    words = sys.argv[1:]
    main(int(words[words.index("--epochs") + 1]) if "--epochs" in words else EPOCHS)
