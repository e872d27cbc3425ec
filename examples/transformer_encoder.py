"""A Transformer encoder of Keras layers tells whether brackets match.

    python examples/transformer_encoder.py

Strings such as "([]())[]" are made here. Half of them match; in the others one bracket was replaced
by another, or two changed places, so that counting alone does not tell. The network has learned
positions, two blocks of multi-head attention, and a mask for what is padding.
"""

from __future__ import annotations

import sys

import numpy as np

import graphc as tf
from graphc.keras import layers, models

BRACKETS = "()[]"
LENGTH = 16
WIDTH, HEADS, BLOCKS = 32, 4, 2
BATCH = 64
EPOCHS = 30


def matching(rng, length):
    """A random string whose brackets match."""
    out, still_open = [], []
    while len(out) < length:
        left = length - len(out)
        if not still_open or (len(still_open) < left and rng.random() < 0.5):
            kind = rng.integers(len(BRACKETS) // 2)
            still_open.append(BRACKETS[2 * kind + 1])
            out.append(BRACKETS[2 * kind])
        else:
            out.append(still_open.pop())
    return "".join(out)


def matches(text):
    """Whether the brackets of `text` match: the truth that the network has to find."""
    expected = []
    for symbol in text:
        place = BRACKETS.index(symbol)
        if place % 2 == 0:
            expected.append(BRACKETS[place + 1])
        elif not expected or expected.pop() != symbol:
            return False
    return not expected


def spoiled(rng, text):
    """`text` with one bracket replaced, or two that changed places, so that it does not match."""
    while matches(text):
        symbols = list(text)
        first, second = rng.choice(len(symbols), 2, replace=False)
        if rng.random() < 0.5:
            symbols[first] = BRACKETS[rng.integers(len(BRACKETS))]
        else:
            symbols[first], symbols[second] = symbols[second], symbols[first]
        text = "".join(symbols)
    return text


def encode(texts):
    """int32 [n, LENGTH]: 1, 2, ... for the brackets, 0 after the end."""
    codes = np.zeros((len(texts), LENGTH), np.int32)
    for row, text in zip(codes, texts, strict=True):
        row[: len(text)] = [BRACKETS.index(symbol) + 1 for symbol in text]
    return codes


def strings(count, seed=0):
    """`count` strings of 2 to LENGTH brackets, and a 1 for each that matches, int32 [count]."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count).astype(np.int32)
    texts = [matching(rng, 2 * rng.integers(1, LENGTH // 2 + 1)) for _ in range(count)]
    return [t if label else spoiled(rng, t) for t, label in zip(texts, labels, strict=True)], labels


class Positions(layers.Layer):
    """Adds a learned vector for each position to [batch, time, width]."""

    def build(self, input_shape):
        self.table = self.add_weight("table", input_shape[1:], initializer="uniform")
        super().build(input_shape)

    def call(self, inputs):
        return inputs + self.table


def block(x, allowed):
    """Attention and a small network at each position, each added to what it read."""
    attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
    read = layers.LayerNormalization()(x)
    x = layers.add([x, attention(read, read, attention_mask=allowed)])
    hidden = layers.Dense(4 * WIDTH, activation="relu")(layers.LayerNormalization()(x))
    return layers.add([x, layers.Dense(WIDTH)(hidden)])


def model():
    """The compiled network: codes [batch, LENGTH] to the chance that the brackets match."""
    codes = layers.Input(shape=(LENGTH,), dtype="int32", name="codes")
    real = layers.Lambda(lambda c: tf.cast(tf.not_equal(c, 0), tf.float32), name="real")(codes)
    allowed = layers.Reshape((1, LENGTH))(real)
    x = Positions()(layers.Embedding(len(BRACKETS) + 1, WIDTH)(codes))
    for _ in range(BLOCKS):
        x = block(x, allowed)
    x = layers.multiply([layers.LayerNormalization()(x), layers.Reshape((LENGTH, 1))(real)])
    x = layers.Dense(WIDTH, activation="relu")(layers.GlobalMaxPooling1D()(x))
    network = models.Model(codes, layers.Dense(1, activation="sigmoid")(x))
    network.compile(
        tf.keras.optimizers.Adam(2e-3), loss="binary_crossentropy", metrics=["accuracy"]
    )  # fmt: skip
    return network


def build():
    """Fetches and feeds of one training step, for the tools."""
    network = model()
    loss = network.total_loss
    train = network.optimizer.get_updates(loss=loss, params=network.trainable_weights)
    texts, labels = strings(BATCH)
    return [loss, train], {network.inputs[0]: encode(texts), network.targets[0]: labels[:, None]}


def main(epochs=EPOCHS, count=6000):
    """Trains and tests on strings it has not seen; the test accuracy."""
    tf.set_random_seed(0)
    texts, labels = strings(count)
    known = set(texts)
    network = model()
    network.fit(encode(texts), labels, batch_size=BATCH, epochs=epochs, verbose=2)
    new = [(t, label) for t, label in zip(*strings(2000, seed=1), strict=True) if t not in known]
    texts, labels = zip(*new, strict=True)
    _, accuracy = network.evaluate(encode(texts), np.array(labels), verbose=0)
    chances = network.predict(encode(texts[:6]))[:, 0]
    for text, chance, label in zip(texts, chances, labels, strict=False):
        print(f"{text:{LENGTH}s} matches with chance {chance:.2f}  ({'yes' if label else 'no'})")
    print(f"test accuracy {accuracy:.4f} on {len(texts)} new strings")
    return float(accuracy)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else EPOCHS)
