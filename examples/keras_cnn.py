"""The convolutional network of many a Keras tutorial, with early stopping and checkpoints.

    python examples/keras_cnn.py

The pictures are scikit-learn's digits, enlarged to 24 x 24 and padded to 32 x 32 pixels of three
equal channels, the shape that the network was made for. ModelCheckpoint keeps the best epoch's
model in a temporary folder, from where it is loaded for the test.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from datasets import digits

import graphc as tf
from graphc.keras import callbacks, layers, models

BATCH = 32
EPOCHS = 12


def pictures(rows):
    """[n, 32, 32, 3] of rows [n, 64]."""
    images = rows.reshape(-1, 8, 8, 1).repeat(3, axis=1).repeat(3, axis=2).repeat(3, axis=3)
    return np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)))


def model():
    """The compiled network."""
    network = models.Sequential()
    network.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(32, 32, 3)))
    network.add(layers.MaxPooling2D((2, 2)))
    network.add(layers.Conv2D(64, (3, 3), activation="relu"))
    network.add(layers.MaxPooling2D((2, 2)))
    network.add(layers.Conv2D(64, (3, 3), activation="relu"))
    network.add(layers.Flatten())
    network.add(layers.Dense(64, activation="relu"))
    network.add(layers.Dense(10, activation="softmax"))
    network.compile(
        optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )  # fmt: skip
    return network


def build():
    """Fetches and feeds of one training step, for the tools."""
    network = model()
    loss = network.total_loss
    train = network.optimizer.get_updates(loss=loss, params=network.trainable_weights)
    rows, labels, _, _ = digits()
    feeds = {network.inputs[0]: pictures(rows[:BATCH]), network.targets[0]: labels[:BATCH, None]}
    return [loss, train], feeds


def main(epochs=EPOCHS, limit=None):
    """Trains, loads the best model and tests it; the test accuracy and the number of epochs."""
    tf.set_random_seed(0)
    train_x, train_y, test_x, test_y = digits()
    train_x, test_x = pictures(train_x[:limit]), pictures(test_x)
    network = model()
    network.summary()
    with tempfile.TemporaryDirectory() as folder:
        best = str(Path(folder) / "best")
        history = network.fit(
            train_x, train_y[:limit], batch_size=BATCH, epochs=epochs, verbose=2,
            validation_split=0.2,
            callbacks=[
                callbacks.EarlyStopping(monitor="val_loss", patience=2),
                callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
            ],
        )  # fmt: skip
        ran, kept_epoch = len(history.epoch), np.argmin(history.history["val_loss"]) + 1
        print(f"stopped after {ran} epochs; epoch {kept_epoch} was the best")
        kept = models.load_model(best)
    _, accuracy = kept.evaluate(test_x, test_y, verbose=0)
    print(f"test accuracy {accuracy:.4f} on {len(test_x)} images")
    return float(accuracy), ran


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else EPOCHS)
