"""Callbacks: when they are told, what they do and print, what they write."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import callbacks, layers, models

RNG = np.random.default_rng(0)
X = RNG.random((40, 5)).astype("f")
Y = (X.sum(1) > 2.5).astype("f")


def model_of(rate: float = 0.1, **kwargs: Any) -> Any:
    model = models.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(5,))])
    model.compile(keras.optimizers.SGD(rate), "binary_crossentropy", **kwargs)
    return model


VALUES = [1.0, 0.5, 0.6, 0.61, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


class Told(callbacks.Callback):
    """Puts known values of a validation into the logs."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_loss"] = VALUES[epoch]


def fit(*listed: Any, epochs: int = 10, model: Any = None, **kwargs: Any) -> Any:
    model = model or model_of(1.0)
    return model.fit(
        X, Y, epochs=epochs, verbose=0, callbacks=[Told(), *listed], **kwargs
    )


# ------------------------------------------------------------------ moments
MOMENTS = tuple(
    f"on_{loop}_{moment}"
    for loop in ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch")
    for moment in ("begin", "end")
)


def recording(log: list[Any]) -> Any:
    def note(name: str) -> Any:
        return lambda *args: log.append((name[3:], *args))

    return callbacks.LambdaCallback(**{name: note(name) for name in MOMENTS})


def test_callbacks_hear_of_everything_in_order() -> None:
    log: list[Any] = []
    model = model_of(metrics=["accuracy"])
    model.fit(X, Y, batch_size=25, verbose=0, validation_data=(X, Y), callbacks=[recording(log)])
    assert [e[0] for e in log] == [
        "train_begin", "epoch_begin", "train_batch_begin", "train_batch_end", "train_batch_begin",
        "train_batch_end", "test_begin", "test_batch_begin", "test_batch_end", "test_batch_begin",
        "test_batch_end", "test_end", "epoch_end", "train_end",
    ]  # fmt: skip
    assert log[2][1:] == (0, {"batch": 0, "size": 25})
    assert list(log[5][2]) == ["loss", "acc", "batch", "size"] and log[5][2]["size"] == 15
    assert all(type(v) in (float, int) for v in log[5][2].values())
    assert list(log[12][2]) == ["loss", "acc", "val_loss", "val_acc"]
    json.dumps(log)
    log.clear()
    model.evaluate(X, Y, verbose=0, callbacks=[recording(log)])
    assert [e[0] for e in log][:2] == ["test_begin", "test_batch_begin"]
    log.clear()
    out = model.predict(X, callbacks=[recording(log)])
    assert [e[0] for e in log] == [
        "predict_begin", "predict_batch_begin", "predict_batch_end", "predict_batch_begin",
        "predict_batch_end", "predict_end",
    ]  # fmt: skip
    np.testing.assert_array_equal(log[2][2]["outputs"][0], out[:32])


def test_metrics_of_batches_are_means_so_far() -> None:
    seen: list[Any] = []
    told = callbacks.LambdaCallback(on_batch_end=lambda k, logs: seen.append(dict(logs)))
    history = model_of(0.0, metrics=["accuracy"]).fit(
        X, Y, batch_size=10, verbose=0, shuffle=False, callbacks=[told, callbacks.BaseLogger()]
    ).history  # fmt: skip
    assert seen[-1]["acc"] == pytest.approx(history["acc"][0])
    assert np.mean([s["loss"] for s in seen]) == pytest.approx(history["loss"][0])


class Bare:
    """No Callback: it has what Keras 2 asked for."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def set_params(self, params: Any) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_train_begin(self, logs: Any = None) -> None:
        self.log.append("begin")

    def on_train_end(self, logs: Any = None) -> None:
        self.log.append("end")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...


class Forgetful(callbacks.Callback):
    def __init__(self) -> None:  # without super().__init__()
        self.best: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.best.append((self.model.name, self.params["epochs"]))


def test_callbacks_of_ones_own() -> None:
    bare, own, model = Bare(), Forgetful(), model_of()
    model.fit(X, Y, verbose=0, callbacks=[bare, own, None], validation_data=(X, Y))
    assert bare.log == ["begin", "end"] and own.best == [(model.name, 1)]
    params = {k: bare.params[k] for k in ("batch_size", "epochs", "samples", "steps", "verbose")}
    assert params == {"batch_size": 32, "epochs": 1, "samples": 40, "steps": None, "verbose": 0}
    assert bare.params["metrics"] == ["loss", "val_loss"] and bare.params["do_validation"]
    single = callbacks.CallbackList([own])
    model.fit(X, Y, verbose=0, callbacks=single)
    model.fit(X, Y, verbose=0, callbacks=own)
    assert len(own.best) == 3 and len(model.history.epoch) == 1
    with pytest.raises(TypeError, match=r"write TerminateOnNaN\(\)"):
        model.fit(X, Y, callbacks=[callbacks.TerminateOnNaN])


@pytest.mark.parametrize("moment", ["on_train_begin", "on_epoch_begin", "on_batch_end"])
def test_callbacks_stop_training(moment: str) -> None:
    model = model_of()

    def stop(*args: Any) -> None:
        model.stop_training = True

    told = callbacks.LambdaCallback(**{moment: stop})
    history = model.fit(X, Y, batch_size=10, epochs=3, verbose=0, callbacks=[told],
                        validation_data=(X, Y))  # fmt: skip
    assert len(history.epoch) == (0 if moment == "on_train_begin" else 1)
    assert "val_loss" not in history.history
    model.fit(X, Y, verbose=0)
    assert not model.stop_training


def test_a_callback_may_compile_and_evaluate() -> None:
    model = model_of()

    def act(epoch: int, logs: Any) -> None:
        logs["other"] = model.evaluate(X, Y, verbose=0)
        model.predict(X)
        if epoch == 0:
            model.compile(keras.optimizers.SGD(0.0), "mse")

    history = model.fit(X, Y, epochs=3, verbose=0, shuffle=False,
                        callbacks=[callbacks.LambdaCallback(on_epoch_end=act)]).history  # fmt: skip
    assert history["loss"][1] == pytest.approx(history["loss"][2])
    assert history["loss"][2] == pytest.approx(history["other"][2], rel=1e-5)


def test_a_callback_may_train() -> None:
    model = model_of()

    def act(epoch: int, logs: Any) -> None:
        model.fit(X[:8], Y[:8], verbose=0)

    history = model.fit(X, Y, epochs=3, verbose=0,
                        callbacks=[callbacks.LambdaCallback(on_epoch_end=act)])  # fmt: skip
    assert len(history.epoch) == 3 and model.history is history
    assert K.get_value(model.optimizer.iterations) == 9


# ------------------------------------------------------------------ stopping
@pytest.mark.parametrize(("settings", "epochs"), [
    ({"patience": 3}, 8), ({}, 3), ({"patience": 2, "min_delta": 0.2}, 4),
    ({"patience": 2, "min_delta": -0.2}, 4), ({"patience": 2, "baseline": 0.3}, 2),
    ({"patience": 2, "mode": "max"}, 3), ({"patience": 1, "start_from_epoch": 4}, 6),
])  # fmt: skip
def test_early_stopping(settings: Any, epochs: int, capsys: Any) -> None:
    history = fit(callbacks.EarlyStopping(verbose=1, **settings))
    assert len(history.epoch) == epochs
    assert f"Epoch {epochs:05d}: early stopping" in capsys.readouterr().out


def test_the_weights_of_the_best_epoch_come_back(capsys: Any) -> None:
    kept: list[Any] = []
    model = model_of(1.0)
    note = callbacks.LambdaCallback(on_epoch_end=lambda e, logs: kept.append(model.get_weights()))
    stop = callbacks.EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    history = fit(note, stop, model=model)
    assert len(history.epoch) == 4 and stop.stopped_epoch == 3
    for a, b, c in zip(model.get_weights(), kept[1], kept[3]):
        assert (a == b).all() and (a != c).any()
    assert "Restoring model weights from the end of the best epoch" in capsys.readouterr().out


def test_what_is_not_there_is_told_of() -> None:
    for made in (callbacks.EarlyStopping("nope"), callbacks.ReduceLROnPlateau("nope")):
        with pytest.warns(RuntimeWarning, match="metric `nope` which is not available"):
            fit(made, epochs=1)
    with pytest.warns(UserWarning, match="mode hm is unknown, fallback to auto mode"):
        callbacks.EarlyStopping(mode="hm")
    for cls, given in ((callbacks.EarlyStopping, ()), (callbacks.ModelCheckpoint, ("a",)),
                       (callbacks.ReduceLROnPlateau, ())):  # fmt: skip
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            cls(*given, pateince=3)


def test_accuracies_have_two_names() -> None:
    model = model_of(0.0, metrics=["accuracy"])
    stop = callbacks.EarlyStopping("val_accuracy", patience=2)
    history = model.fit(X, Y, epochs=9, verbose=0, validation_split=0.5, callbacks=[stop])
    assert len(history.epoch) == 3 and list(history.history) == [
        "loss", "acc", "val_loss", "val_acc"]  # fmt: skip
    assert history.history["val_accuracy"] == history.history["val_acc"]


# ------------------------------------------------------------------ rates
def test_rates_fall_on_plateaus(capsys: Any) -> None:
    made = callbacks.ReduceLROnPlateau(patience=1, factor=0.5, cooldown=2, min_lr=0.3, verbose=1)
    history = fit(made).history
    assert history["lr"] == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3])
    out = capsys.readouterr().out
    assert out.count("reducing") == 2
    assert "\nEpoch 00003: ReduceLROnPlateau reducing learning rate to 0.5.\n" in out
    far = callbacks.ReduceLROnPlateau(patience=2, factor=0.5, epsilon=0.3)
    assert fit(far).history["lr"][-1] == pytest.approx(0.125)
    with pytest.raises(ValueError, match="factor >= 1"):
        callbacks.ReduceLROnPlateau(factor=1.0)


def test_rates_of_a_schedule(capsys: Any) -> None:
    by_epoch = callbacks.LearningRateScheduler(lambda e: 0.5 / (e + 1), verbose=1)
    assert fit(by_epoch, epochs=3).history["lr"] == pytest.approx([0.5, 0.25, 0.5 / 3])
    out = capsys.readouterr().out
    assert "\nEpoch 00002: LearningRateScheduler setting learning rate to 0.25.\n" in out
    by_rate = callbacks.LearningRateScheduler(lambda e, lr: lr * 0.5)
    assert fit(by_rate, epochs=3).history["lr"] == pytest.approx([0.5, 0.25, 0.125])
    with pytest.raises(ValueError, match='output of the "schedule" function should be float'):
        fit(callbacks.LearningRateScheduler(lambda e: "a"))
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    for optimizer, text, listed in (
        (keras.optimizers.SGD(decay), "is a schedule",
         (by_epoch, callbacks.ReduceLROnPlateau("loss"))),
        (tf.train.AdamOptimizer(), "of tf.train is fixed", (by_epoch,)),
    ):  # fmt: skip
        model = model_of()
        model.compile(optimizer, "mse")
        for made in listed:
            with pytest.raises(ValueError, match=text):
                fit(made, model=model)


# ------------------------------------------------------------------ files
@pytest.mark.parametrize(("settings", "kept"), [
    ({}, range(1, 11)), ({"save_best_only": True}, (1, 2, 5)),
    ({"save_best_only": True, "mode": "max"}, (1,)), ({"period": 3}, (3, 6, 9)),
    ({"period": 3, "save_best_only": True}, (3, 6)),
    ({"save_best_only": True, "initial_value_threshold": 0.45}, (5,)),
])  # fmt: skip
def test_checkpoints(settings: Any, kept: Any, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "sub" / "w.{epoch:02d}-{val_loss:.2f}.weights"
    model = model_of()
    fit(callbacks.ModelCheckpoint(path, verbose=1, save_weights_only=True, **settings), model=model)
    names = [f"w.{e:02d}-{VALUES[e - 1]:.2f}.weights" for e in kept]
    found = sorted(p.name for p in (tmp_path / "sub").iterdir()) if names else []
    assert found == names
    out = capsys.readouterr().out
    if settings == {"save_best_only": True}:
        assert f"\nEpoch 00005: val_loss improved from 0.50000 to 0.40000, saving model to {path}"[
            :60] in out  # fmt: skip
        assert "\nEpoch 00003: val_loss did not improve from 0.50000\n" in out
    other = model_of()
    other.load_weights(tmp_path / "sub" / names[-1])


def test_checkpoints_within_epochs_and_of_whole_models(tmp_path: Path) -> None:
    model = model_of()
    made = callbacks.ModelCheckpoint(str(tmp_path / "m{epoch}"), save_freq=3)
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0, callbacks=[made])  # 12 batches
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m1", "m2", "m3"]
    np.testing.assert_array_equal(models.load_model(tmp_path / "m3").predict(X), model.predict(X))
    with pytest.raises(KeyError, match="Failed to format this callback filepath"):
        fit(callbacks.ModelCheckpoint(str(tmp_path / "{nope}")))
    for freq in ("often", 0, 2.5):
        with pytest.raises(ValueError, match="Unrecognized save_freq"):
            callbacks.ModelCheckpoint("a", save_freq=freq)
    with pytest.warns(RuntimeWarning, match="Can save best model only with"):
        fit(callbacks.ModelCheckpoint("a", monitor="nope", save_best_only=True), epochs=1)


class Own(keras.Model):  # type: ignore[name-defined, misc]
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def test_models_that_cannot_be_saved_whole_say_so_at_once(tmp_path: Path) -> None:
    model = Own()
    model.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match="use save_weights"):
        fit(callbacks.ModelCheckpoint(tmp_path / "m"), model=model)
    weights = callbacks.ModelCheckpoint(tmp_path / "w", save_weights_only=True)
    fit(weights, epochs=1, model=model)
    assert (tmp_path / "w").exists()


def test_rows_of_logs(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    for append, rows in ((False, "01"), (False, "01"), (True, "0101")):
        made = callbacks.CSVLogger(path, separator=";", append=append)
        fit(made, epochs=2)
        lines = path.read_text().splitlines()
        assert lines[0] == "epoch;loss;val_loss"
        assert [line[0] for line in lines[1:]] == list(rows)
    made = callbacks.CSVLogger(path)

    def interrupt(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(callbacks.LambdaCallback(on_epoch_begin=interrupt), made)
    assert len(path.read_text().splitlines()) == 2
    model_of().fit(X, Y, epochs=2, verbose=0, callbacks=[made], validation_freq=2,
                   validation_data=(X, Y))  # fmt: skip
    assert path.read_text().splitlines()[0] == "epoch,loss" and path.read_text().count("\n") == 3


def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    model = model_of(metrics=["accuracy"])
    made = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_graph=True, update_freq=20)
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0, validation_data=(X, Y), callbacks=[made])
    events = list(tf.train.summary_iterator(str(next(tmp_path.glob("events.out.tfevents.*")))))
    values = [(e.step, v.tag, v) for e in events for v in e.summary.value]
    scalars = {(step, tag) for step, tag, v in values if v.simple_value}
    tags = {tag for _, tag in scalars}
    assert {"epoch_loss", "epoch_acc", "epoch_val_loss", "epoch_val_acc", "batch_loss",
            "batch_acc"} <= tags and "batch_size" not in tags  # fmt: skip
    assert [s for s, t, _ in values if t == "batch_loss"] == [1, 3, 5, 7, 9, 11]
    histograms = [(s, t) for s, t, v in values if v.histo.num]
    assert {t for _, t in histograms} == {"dense/kernel_0", "dense/bias_0"}
    assert {s for s, _ in histograms} == {0, 2}
    assert any(e.graph_def for e in events)
    other = tmp_path / "other"
    model.fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(other, write_graph=False)])
    events = list(tf.train.summary_iterator(str(next(other.glob("events.out.tfevents.*")))))
    assert not any(e.graph_def for e in events)
    assert {v.tag for e in events for v in e.summary.value} == {"epoch_loss", "epoch_acc"}


class Server(http.server.BaseHTTPRequestHandler):
    got: list[Any] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.got.append((self.path, self.headers["Content-Type"], body, self.headers["X-Key"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None: ...


def test_logs_are_sent_to_a_server() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        root = f"http://127.0.0.1:{server.server_port}"
        fit(callbacks.RemoteMonitor(root, send_as_json=True, headers={"X-Key": "k"}), epochs=2)
        fit(callbacks.RemoteMonitor(root, "/other/", field="f"), epochs=1)
        server.shutdown()
        thread.join()
    paths = [g[0] for g in Server.got]
    assert paths == ["/publish/epoch/end/"] * 2 + ["/other/"]
    assert json.loads(Server.got[1][2])["epoch"] == 1 and Server.got[0][3] == "k"
    assert Server.got[2][2].startswith("f=%7B")
    with pytest.warns(UserWarning, match="could not reach RemoteMonitor root server"):
        fit(callbacks.RemoteMonitor(root), epochs=1)


def test_nan_ends_training_at_once(capsys: Any) -> None:
    history = model_of().fit(X * np.nan, Y, batch_size=10, epochs=3, verbose=0,
                             callbacks=[callbacks.TerminateOnNaN()])  # fmt: skip
    assert len(history.epoch) == 1 and np.isnan(history.history["loss"][0])
    assert capsys.readouterr().out == "Batch 0: Invalid loss, terminating training\n"


def test_an_optimizer_keeps_its_rate() -> None:
    model = model_of(0.5)
    fit(callbacks.LearningRateScheduler(lambda e: 0.25), epochs=1, model=model)
    assert K.get_value(model.optimizer.lr) == 0.25
