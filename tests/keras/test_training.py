"""compile, fit, evaluate, predict, callbacks: as scripts use them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import callbacks, layers, models

RNG = np.random.default_rng(0)
X = RNG.random((40, 5))
Y = X.sum(1)


def regression(**kwargs: Any) -> Any:
    model = models.Sequential([layers.Dense(4, activation="tanh", input_shape=(5,)),
                               layers.Dense(1)])  # fmt: skip
    model.compile(**{"optimizer": "sgd", "loss": "mse", **kwargs})
    return model


def test_the_first_program_of_tutorials(capsys) -> None:  # type: ignore[no-untyped-def]
    x = RNG.random((1000, 10))
    y = (x.sum(1) > 5).astype(int)
    model = tf.keras.Sequential([
        layers.Dense(10, activation="relu", input_shape=(10,)),
        layers.Dense(10, activation="relu"), layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile("adam", "binary_crossentropy", ["accuracy"])
    history = model.fit(x, y, epochs=10, batch_size=32)
    assert history.history["accuracy"] == history.history["acc"]
    assert history.history["loss"][-1] < history.history["loss"][0]
    loss, accuracy = model.evaluate(x, y)
    assert accuracy > 0.5 and loss < 0.75
    out = capsys.readouterr().out
    assert "Epoch 10/10" in out and "1000/1000 [==============================] - 0s " in out
    assert "us/sample - loss: " in out and " - acc: 0." in out


def test_losses_of_an_epoch_are_means_over_samples() -> None:
    """Also with a short last batch: 40 = 2 * 16 + 8."""
    model = regression(optimizer=keras.optimizers.SGD(lr=0.0), metrics=["mae"])
    history = model.fit(X, Y, batch_size=16, verbose=0).history
    away = model.predict(X)[:, 0] - Y
    assert history["loss"][0] == pytest.approx((away**2).mean(), rel=1e-5)
    assert model.evaluate(X, Y, batch_size=7, verbose=0) == pytest.approx(
        [(away**2).mean(), np.abs(away).mean()], rel=1e-5
    )


def test_other_batch_sizes_build_no_plans() -> None:
    model = regression(metrics=["mae"])
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0, validation_split=0.25)
    model.predict(X)
    plans = len(tf.stats()["plans"])
    model.fit(X, Y, batch_size=7, epochs=2, verbose=0)
    model.evaluate(X[:33], Y[:33], batch_size=9, verbose=0)
    model.predict(X[:21], batch_size=4)
    assert len(tf.stats()["plans"]) == plans


def test_sample_and_class_weights() -> None:
    model = regression(optimizer=keras.optimizers.SGD(0.0))
    weights = RNG.random(40)
    away = (model.predict(X)[:, 0] - Y) ** 2
    got = model.evaluate(X, Y, sample_weight=weights, verbose=0)
    assert got == pytest.approx((away * weights).mean(), rel=1e-5)
    labels = RNG.integers(0, 3, 40)
    out = models.Sequential([layers.Dense(3, activation="softmax", input_shape=(5,))])
    out.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    p = out.predict(X)[np.arange(40), labels]
    by_class = np.array([1.0, 2.0, 0.5])
    history = out.fit(X, labels, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, verbose=0).history
    assert history["loss"][0] == pytest.approx((-np.log(p) * by_class[labels]).mean(), rel=1e-4)
    with pytest.raises(ValueError, match="must contain all classes"):
        out.fit(X, labels, class_weight={0: 1.0}, verbose=0)


def test_several_outputs_by_name() -> None:
    x = layers.Input((5,))
    first = layers.Dense(1, name="first")(x)
    second = layers.Dense(2, activation="softmax", name="second")(x)
    model = models.Model(x, [first, second])
    model.compile(
        "adam", {"first": "mse", "second": "categorical_crossentropy"}, loss_weights=[1.0, 0.5],
        metrics={"second": ["accuracy"]},
    )  # fmt: skip
    y = {"first": Y, "second": np.eye(2)[(Y > 2.5).astype(int)]}
    assert model.metrics_names == ["loss", "first_loss", "second_loss", "second_acc"]
    loss, a, b, _ = model.evaluate(X, y, verbose=0)
    assert loss == pytest.approx(a + 0.5 * b, rel=1e-5)
    assert model.fit(X, y, verbose=0).history["second_accuracy"][0] >= 0
    assert [p.shape for p in model.predict(X)] == [(40, 1), (40, 2)]


def test_regularizers_constraints_and_clipping_act() -> None:
    model = models.Sequential([
        layers.Dense(1, input_shape=(5,), use_bias=False, kernel_initializer="ones",
                     kernel_regularizer=keras.regularizers.l2(0.1),
                     kernel_constraint=keras.constraints.NonNeg()),
    ])  # fmt: skip
    model.compile(keras.optimizers.SGD(5.0, clipnorm=1.0), "mse")
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(0.5, rel=1e-4)
    model.train_on_batch(X, Y + 9)
    model.train_on_batch(X, Y - 9)
    assert (model.get_weights()[0] >= 0).all()


def test_frozen_layers_do_not_learn() -> None:
    model = regression()
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    before = [layer.get_weights()[0] for layer in model.layers]
    model.fit(X, Y, verbose=0)
    after = [layer.get_weights()[0] for layer in model.layers]
    assert (before[0] == after[0]).all() and (before[1] != after[1]).any()


def test_adversarial_training_keeps_to_what_was_compiled() -> None:
    made = models.Sequential([layers.Dense(4, input_dim=3), layers.LeakyReLU(0.2),
                              layers.BatchNormalization(), layers.Dense(5)])  # fmt: skip
    judge = models.Sequential([layers.Dense(4, input_dim=5), layers.Dropout(0.2),
                               layers.Dense(1, activation="sigmoid")])  # fmt: skip
    judge.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    noise = layers.Input((3,))
    judge.trainable = False
    both = models.Model(noise, judge(made(noise)))
    both.compile("adam", "binary_crossentropy")
    start = judge.get_weights()[0]
    judge.train_on_batch(X, np.ones(40))
    learnt = judge.get_weights()[0]
    kernel = made.get_weights()[0]
    both.train_on_batch(RNG.random((8, 3)), np.ones(8))
    assert (start != learnt).any() and (judge.get_weights()[0] == learnt).all()
    assert (made.get_weights()[0] != kernel).any()


def test_a_variational_autoencoder_adds_its_loss() -> None:
    x = layers.Input((5,))
    mean, spread = layers.Dense(2)(x), layers.Dense(2)(x)

    def sample(args: Any) -> Any:
        return args[0] + K.exp(args[1] / 2) * K.random_normal(K.shape(args[0]))

    z = layers.Lambda(sample, output_shape=(2,))([mean, spread])
    out = layers.Dense(5, activation="sigmoid")(z)
    model = models.Model(x, out)
    rebuilt = keras.losses.binary_crossentropy(x, out) * 5.0
    away = -0.5 * K.sum(1 + spread - K.square(mean) - K.exp(spread), axis=-1)
    model.add_loss(K.mean(rebuilt + away))
    model.compile("adam")
    losses = model.fit(X, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert models.Model(x, mean).predict(X).shape == (40, 2)


def test_metrics_with_state_and_functions() -> None:
    def bias(y_true: Any, y_pred: Any) -> Any:
        return K.mean(y_pred - y_true)

    model = models.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(5,))])
    metrics = [keras.metrics.AUC(), keras.metrics.Precision(name="p"), bias, "mse"]
    model.compile("sgd", "binary_crossentropy", metrics)
    y = (Y > 2.5) * 1
    names = ["loss", "auc", "p", "bias", "mean_squared_error"]
    assert model.metrics_names == names
    got = dict(zip(names, model.evaluate(X, y, batch_size=8, verbose=0)))
    p = model.predict(X)[:, 0]
    assert got["bias"] == pytest.approx((p - y).mean(), abs=1e-5)
    above = p > 0.5
    want = (y[above].mean() if above.any() else 0.0)
    assert got["p"] == pytest.approx(want, abs=1e-6)
    again = model.evaluate(X, y, batch_size=5, verbose=0)
    assert again[1] == pytest.approx(got["auc"], abs=1e-6)


def test_callbacks_of_every_kind(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    seen: list[Any] = []
    model = regression(optimizer=keras.optimizers.SGD(lr=0.1))
    history = model.fit(
        X, Y, epochs=30, verbose=0, validation_split=0.25,
        callbacks=[
            callbacks.LearningRateScheduler(lambda epoch: 0.1 * 0.5**epoch),
            callbacks.EarlyStopping(monitor="val_loss", patience=2, min_delta=1e-3),
            callbacks.ModelCheckpoint(str(tmp_path / "w.{epoch:02d}.h5"), save_weights_only=True),
            callbacks.CSVLogger(tmp_path / "log.csv"), callbacks.TensorBoard(tmp_path / "tb"),
            callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["loss"])),
        ],
    )  # fmt: skip
    epochs = len(history.epoch)
    assert 3 <= epochs < 30 and history.history["loss"] == seen
    assert history.history["lr"][1] == pytest.approx(0.05)
    assert len(list(tmp_path.glob("w.*.h5"))) == epochs
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,lr,val_loss" and len(rows) == epochs + 1
    events = next((tmp_path / "tb").glob("events.out.tfevents.*"))
    tags = {v.tag for e in tf.train.summary_iterator(str(events)) for v in e.summary.value}
    assert {"epoch_loss", "epoch_val_loss", "epoch_lr"} <= tags


def test_the_best_weights_come_back_and_rates_fall() -> None:
    model = regression(optimizer=keras.optimizers.SGD(lr=3.0))  # too fast: it gets worse
    best = callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True)
    rate = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_lr=0.1)
    history = model.fit(X, Y, epochs=6, verbose=0, callbacks=[best, rate], shuffle=False).history
    assert min(history["lr"]) < 3.0 or len(history["loss"]) == 6


def test_nan_stops_training(capsys) -> None:  # type: ignore[no-untyped-def]
    model = regression()
    history = model.fit(X * np.nan, Y, epochs=5, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1 and "Invalid loss" in capsys.readouterr().out


class Tens(keras.utils.Sequence):
    """Four batches of ten."""

    ended = 0

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        rows = slice(10 * index, 10 * index + 10)
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        self.ended += 1


def forever(size: int = 8) -> Any:
    while True:
        yield X[:size], Y[:size]


def test_batches_come_from_anywhere() -> None:
    model = regression()
    tens = Tens()
    assert len(model.fit_generator(tens, epochs=2, verbose=0).history["loss"]) == 2
    assert tens.ended == 2
    model.fit_generator(forever(), steps_per_epoch=3, verbose=0, validation_data=forever(),
                        validation_steps=2)  # fmt: skip
    whole = model.evaluate(X, Y, verbose=0)
    assert model.evaluate_generator(Tens()) == pytest.approx(whole, rel=1e-5)
    np.testing.assert_allclose(model.predict_generator(Tens()), model.predict(X), rtol=1e-5)
    data = tf.data.Dataset.from_tensor_slices((X.astype("f"), Y.astype("f"))).batch(16)
    assert model.evaluate(data, verbose=0) == pytest.approx(whole, rel=1e-5)
    assert len(model.fit(data.repeat(), epochs=2, steps_per_epoch=4, verbose=0).epoch) == 2
    for wrong in (lambda: model.fit_generator(forever()), lambda: model.evaluate(forever()),
                  lambda: model.fit(X, Y, verbose=0, validation_data=forever())):  # fmt: skip
        with pytest.raises(ValueError, match="only valid for a generator based on"):
            wrong()


@pytest.mark.parametrize(("act", "text"), [
    (lambda m: m.fit(X[:, :3], Y), "expected dense_input to have shape .5,. but got array with"),
    (lambda m: m.fit(X, Y[:5]), "Found 40 input samples and 5 target samples"),
    (lambda m: m.fit([X, X], Y), "not the size the model expected"),
    (lambda m: m.fit(X), "The model expects targets"),
    (lambda m: m.compile("nope", "mse"), "Unknown optimizer: nope"),
    (lambda m: m.compile("sgd", "nope"), "Unknown loss function: nope"),
    (lambda m: m.compile("sgd", "mse", ["nope"]), "Unknown metric function: nope"),
    (lambda m: m.compile("sgd", {"other": "mse"}), 'Unknown entry in loss dictionary: "other"'),
    (lambda m: m.fit(X, Y, validation_data=X), "validation_data"),
])  # fmt: skip
def test_wrong_calls_say_what_is_wrong(act, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((ValueError, RuntimeError), match=text):
        act(regression())


def test_an_uncompiled_model_says_so() -> None:
    model = models.Sequential([layers.Dense(1, input_shape=(5,))])
    with pytest.raises(RuntimeError, match="You must compile your model before"):
        model.fit(X, Y)


def test_a_label_out_of_range_is_an_error_and_changes_nothing() -> None:
    model = models.Sequential([layers.Dense(3, activation="softmax", input_shape=(5,))])
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_weights()[0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="label value of 7 which is outside"):
        model.train_on_batch(X[:3], [0, 7, 1])
    assert (model.get_weights()[0] == before).all()


def test_training_goes_on_after_an_interruption() -> None:
    model = regression()

    class Stop(callbacks.Callback):
        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=8, verbose=0, callbacks=[Stop()])
    assert K.get_value(model.optimizer.iterations) == 2
    model.fit(X, Y, batch_size=8, verbose=0)
    assert K.get_value(model.optimizer.iterations) == 7


def test_optimizers_of_tf_train_and_schedules() -> None:
    model = regression(optimizer=tf.train.AdamOptimizer(0.01))
    losses = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5, staircase=True)
    other = regression(optimizer=keras.optimizers.SGD(rate))
    assert other.fit(X, Y, epochs=2, verbose=0).history["loss"]
    K.set_value(model_rate := regression(optimizer="adam").optimizer.lr, 0.5)
    assert K.get_value(model_rate) == 0.5


def test_the_phase_decides_what_runs() -> None:
    x = layers.Input((1000,))
    model = models.Model(x, layers.Dropout(0.5)(x))
    ones = np.ones((1, 1000))
    assert (model.predict(ones) == 1).all()
    both = K.function([model.input, K.learning_phase()], [model.output])
    assert (both([ones, 0])[0] == 1).all()
    assert 300 < (both([ones, 1])[0] == 0).sum() < 700


def test_models_without_a_shape_take_what_comes() -> None:
    model = models.Sequential([layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(RNG.integers(0, 255, (8, 4, 4)).astype("uint8"), np.zeros(8), verbose=0)
    assert model.input.dtype == tf.float32
    assert [v.name for v in tf.trainable_variables()] == ["dense/kernel:0", "dense/bias:0"]
    words = models.Sequential([layers.Embedding(5, 2), layers.GRU(2)])
    assert words.predict(np.ones((2, 3))).shape == (2, 2) and words.input.dtype == tf.int32


def test_variables_of_layers_are_saved_by_tf_train(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = regression()
    model.fit(X, Y, verbose=0)
    session = K.get_session()
    path = tf.train.Saver().save(session, str(tmp_path / "model"))
    want = model.predict(X)
    model.fit(X, Y + 5, verbose=0)
    tf.train.Saver().restore(session, path)
    np.testing.assert_array_equal(model.predict(X), want)


class Above(keras.metrics.Metric):
    """A metric of one's own, whose update returns nothing."""

    def __init__(self, name="above", **kwargs):  # type: ignore[no-untyped-def]
        super().__init__(name=name, **kwargs)
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):  # type: ignore[no-untyped-def, override]
        self.count.assign_add(K.sum(K.cast(y_pred > 0.0, "float32")))

    def result(self):  # type: ignore[no-untyped-def]
        return self.count


class Cubic(keras.losses.Loss):
    """A loss of one's own."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return K.mean(K.abs(y_true - y_pred) ** 3, axis=-1)


def test_losses_and_metrics_of_ones_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = regression(loss=Cubic(), metrics=[Above()])
    p = model.predict(X)[:, 0]
    want = [(np.abs(p - Y) ** 3).mean(), (p > 0).sum()]
    assert model.evaluate(X, Y, batch_size=16, verbose=0) == pytest.approx(want, rel=1e-4)
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["above"] == want[1]
    model.save(tmp_path / "m")
    again = models.load_model(tmp_path / "m", {"Cubic": Cubic, "Above": Above})
    assert again.evaluate(X, Y, verbose=0) == pytest.approx(want, rel=1e-4)


def test_threads_predict_at_once() -> None:
    import threading

    model = regression()
    want, wrong = model.predict(X), []

    def work() -> None:
        for _ in range(20):
            if not np.array_equal(model.predict(X), want):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
