"""What training, evaluation and prediction print, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
import sys
import time
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import layers, models
from graphc.keras.utils import Progbar

X = np.random.default_rng(0).random((100, 5)).astype("f")
Y = (X.sum(1) > 2.5).astype("f")
BAR = "[==============================]"


def model_of() -> Any:
    model = models.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(5,))])
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy", ["accuracy"])
    return model


def plain(text: str) -> list[str]:
    """Lines whose numbers and times are #."""
    text = re.sub(r"\d+(us|ms|s)/", "#/", text)
    text = re.sub(r"- \d+s", "- #s", text)
    return re.sub(r"\d\.\d{4}(e[+-]\d\d)?", "#", text).splitlines()


def printed(capsys: Any, act: Any) -> list[str]:
    capsys.readouterr()
    act()
    return plain(capsys.readouterr().out)


VALUES = "loss: # - acc: #"
HELD = "val_loss: # - val_acc: #"


def test_epochs_of_arrays(capsys: Any) -> None:
    model = model_of()
    line = f"100/100 {BAR} - #s #/sample - {VALUES} - {HELD}"
    both: dict[str, Any] = {"batch_size": 40, "epochs": 2, "validation_data": (X[:20], Y[:20])}
    head = "Train on 100 samples, validate on 20 samples"
    assert printed(capsys, lambda: model.fit(X, Y, **both)) == [
        head, "Epoch 1/2", line, "Epoch 2/2", line]  # fmt: skip
    line = f"100/100 - #s - {VALUES} - {HELD}"
    assert printed(capsys, lambda: model.fit(X, Y, verbose=2, **both)) == [
        head, "Epoch 1/2", line, "Epoch 2/2", line]  # fmt: skip
    assert printed(capsys, lambda: model.fit(X, Y, verbose=0, **both)) == []
    line = f"100/100 {BAR} - #s #/sample - {VALUES}"
    assert printed(capsys, lambda: model.fit(X, Y)) == ["Train on 100 samples", line]


def test_epochs_of_streams(capsys: Any) -> None:
    model = model_of()
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(25)
    line = f"4/4 {BAR} - #s #/step - {VALUES}"
    found = printed(capsys, lambda: model.fit(data, epochs=2))
    assert found == ["Epoch 1/2", line, "Epoch 2/2", line]
    found = printed(capsys, lambda: model.fit(
        data, steps_per_epoch=4, validation_data=data, validation_steps=2))  # fmt: skip
    assert found == ["Train on 4 steps, validate on 2 steps", f"{line} - {HELD}"]
    items = ((X[:25], Y[:25]) for _ in range(9))
    assert printed(capsys, lambda: model.fit_generator(items, steps_per_epoch=4)) == [line]
    assert printed(capsys, lambda: model.fit_generator(items, steps_per_epoch=4, verbose=2)) == [
        f"4/4 - #s - {VALUES}"]  # fmt: skip


def test_evaluation_and_prediction(capsys: Any) -> None:
    model = model_of()
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(25)
    bar, steps = f"100/100 {BAR} - #s #/sample", f"4/4 {BAR} - #s #/step"
    assert printed(capsys, lambda: model.evaluate(X, Y)) == [f"{bar} - {VALUES}"]
    assert printed(capsys, lambda: model.evaluate(X, Y, verbose=2)) == [f"100/100 - #s - {VALUES}"]
    assert printed(capsys, lambda: model.evaluate(data)) == [f"{steps} - {VALUES}"]
    assert printed(capsys, lambda: model.predict(X, verbose=1)) == [bar]
    assert printed(capsys, lambda: model.predict(data, verbose=1)) == [steps]
    for act in (model.predict, lambda x: model.evaluate(x, Y, verbose=0)):
        assert printed(capsys, lambda act=act: act(X)) == []


def test_an_epoch_that_is_stopped_shows_how_far_it_came(capsys: Any) -> None:
    model = model_of()

    def stop(batch: int, logs: Any) -> None:
        model.stop_training = batch == 1

    told = keras.callbacks.LambdaCallback(on_batch_end=stop)
    found = printed(capsys, lambda: model.fit(X, Y, batch_size=30, callbacks=[told]))
    assert found[1] == f" 60/100 [=================>............] - #s #/sample - {VALUES}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: Any) -> Any:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def drawn(clock: Any, monkeypatch: Any, target: Any, seconds: float, count: int,
          **kwargs: Any) -> list[str]:  # fmt: skip
    """The states of the bar on a terminal."""
    out = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        bar = Progbar(target, **kwargs)
        for k in range(1, count + 1):
            clock[0] += seconds
            bar.update(k, [("loss", 1.0 / k), ("acc", 0.25 * k)])
    text = out.getvalue()
    states = re.split("\x08*\r", text)[1:]
    # each state goes back over the one before and covers it
    backs = [len(b) for b in re.findall("(\x08*)\r", text)]
    assert backs == [0, *(len(s.rstrip()) for s in states[:-1])] or target is None
    return [s.rstrip(" ") for s in states]


def test_the_bar_moves_on_a_terminal(clock: Any, monkeypatch: Any) -> None:
    assert drawn(clock, monkeypatch, 4, 40.0, 4, stateful_metrics=["acc"]) == [
        "1/4 [======>.......................] - ETA: 2:00 - loss: 1.0000 - acc: 0.2500",
        "2/4 [==============>...............] - ETA: 1:20 - loss: 0.7500 - acc: 0.5000",
        "3/4 [=====================>........] - ETA: 40s - loss: 0.6111 - acc: 0.7500",
        f"4/4 {BAR} - 160s 40s/step - loss: 0.5208 - acc: 1.0000\n",
    ]
    found = drawn(clock, monkeypatch, 2, 4000.0, 2, unit_name="sample")
    assert "- ETA: 1:06:40 -" in found[0] and "- 8000s 4000s/sample -" in found[1]
    assert "- 0s 3ms/step" in drawn(clock, monkeypatch, 3, 3e-3, 3)[-1]
    assert "- 0s 2us/step" in drawn(clock, monkeypatch, 3, 2e-6, 3)[-1]
    unknown = drawn(clock, monkeypatch, None, 1.0, 2)
    assert unknown[0] == "      1/Unknown - 1s 1s/step - loss: 1.0000 - acc: 0.2500"


def test_small_values_have_exponents(clock: Any, monkeypatch: Any) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    bar = Progbar(1)
    clock[0] += 1
    bar.update(1, [("a", 1e-4), ("b", -2.5), ("c", float("nan")), ("d", 0.0)])
    monkeypatch.undo()
    assert out.getvalue().endswith(
        "- 1s 1s/step - a: 1.0000e-04 - b: -2.5000 - c: nan - d: 0.0000e+00\n"
    )


def test_a_fit_on_a_terminal(clock: Any, monkeypatch: Any) -> None:
    model = model_of()
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)

    def tick(batch: int, logs: Any) -> None:
        clock[0] += 1

    told = keras.callbacks.LambdaCallback(on_batch_begin=tick)
    model.fit(X, Y, batch_size=40, callbacks=[told], validation_data=(X, Y))
    monkeypatch.undo()
    states = [re.sub(r"\d\.\d{4}", "#", s).rstrip(" ") for s in re.split("\x08*\r", out.getvalue())]
    assert states == [
        "Train on 100 samples, validate on 100 samples\n",
        f" 40/100 [===========>..................] - ETA: 1s - {VALUES}",
        f" 80/100 [=======================>......] - ETA: 0s - {VALUES}",
        f"100/100 {BAR} - 3s 30ms/sample - {VALUES} - {HELD}\n",
    ]
