"""What does not fit is told in the user's words: which layer, which array, which line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import callbacks, layers, models

RNG = np.random.default_rng(0)
X, Y = RNG.random((30, 4)), RNG.integers(0, 10, 30)


def digits(**kwargs: Any) -> Any:
    model = models.Sequential([
        layers.Dense(8, activation="relu", input_shape=(4,), name="first"),
        layers.Dense(10, activation="softmax", name="digits"),
    ])  # fmt: skip
    settings = {"optimizer": "sgd", "loss": "sparse_categorical_crossentropy"}
    model.compile(**{**settings, "metrics": ["accuracy"], **kwargs})
    return model


def with_label(label: Any) -> Any:
    out = Y.astype(type(label))
    out[5] = label
    return out


@pytest.mark.parametrize("label", [10, -1])
@pytest.mark.parametrize("act", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_labels_out_of_range(act: str, label: int) -> None:
    model = digits()
    before = [*model.get_weights(), *model.optimizer.get_weights()]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        if act in ("fit", "evaluate"):
            getattr(model, act)(X, with_label(label), verbose=0)
        else:
            getattr(model, act)(X, with_label(label))
    text = str(caught.value)
    assert f"label value of {label} which is outside the valid range of [0, 10)" in text
    assert "digits_loss" in text  # the output
    assert "test_training_errors.py" in text and "test_labels_out_of_range" in text  # the line
    after = [*model.get_weights(), *model.optimizer.get_weights()]
    for a, b in zip(before, after):
        np.testing.assert_array_equal(a, b)
    model.fit(X, Y, verbose=0)


def test_words_out_of_range_name_their_layer() -> None:
    model = models.Sequential([layers.Embedding(5, 2, input_length=3, name="words"),
                               layers.Flatten(), layers.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 5 is not in \[0, 5\)") as caught:
        model.fit(np.array([[1, 2, 5]]), [1.0], verbose=0)
    assert "words/embedding_lookup" in str(caught.value)
    assert "test_training_errors.py" in str(caught.value)


OBJECTS = np.array([None] * 30)
RAGGED = np.empty(30, object)
RAGGED[:] = [[1.0]] * 30
TEXTS = np.array(["a"] * 30)


@pytest.mark.parametrize(("x", "y", "text"), [
    (X, with_label(np.nan), "digits takes numbers of classes, but got NaN, first for sample 5"),
    (X.astype(str), Y, "first_input takes numbers .float32., but got an array of dtype <U"),
    (X, TEXTS, "digits takes numbers .float32., but got an array of dtype <U1"),
    (X, OBJECTS, "digits takes numbers .float32., but got an array of Python objects"),
    (X, RAGGED, "digits takes numbers .float32., but got an array of Python objects"),
    (X * 1j, Y, "first_input takes numbers .float32., but got an array of dtype complex128"),
    (X.astype("M8[s]"), Y, "first_input takes numbers"),
    ([[1, 2], [3]], Y[:2], "first_input takes an array: setting an array element"),
    (None, Y, 'No data provided for "first_input"'),
    ([None], Y, 'No data provided for "first_input"'),
    (X, None, "The model expects targets .y.: digits"),
    (X, [None], 'No data provided for "digits"'),
    ({"other": X}, Y, 'No data provided for "first_input". Need data for each key in'),
    (X[:, :3], Y, r"expected first_input to have shape \(4,\) but got array with shape \(3,\)"),
    (X[0], Y[:1], r"expected first_input to have shape \(4,\) but got array with shape \(1,\)"),
    (X[..., None], Y, "expected first_input to have 2 dimensions, but got array with shape"),
    (X, np.eye(10)[Y], r"expected digits to have shape \(1,\) but got array with shape \(10,\)"),
    (X, Y[:5], "Found 30 input samples and 5 target samples"),
    ([X, X], Y, r"Expected to see 1 array\(s\), for \['first_input'\]"),
])  # fmt: skip
def test_arrays_that_do_not_fit(x: Any, y: Any, text: str) -> None:
    model = digits()
    for act in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=text):
            act(x, y, verbose=0)
    with pytest.raises(ValueError, match=text):
        model.train_on_batch(x, y)
    with pytest.raises(ValueError, match=text):
        model.fit(X, Y, verbose=0, validation_data=(x, y))


def test_generators_that_do_not_fit() -> None:
    model = digits()
    for first in ([], [(X, Y)]):
        items = [*first, (X[:, :2], Y)]
        with pytest.raises(ValueError, match="expected first_input to have shape"):
            model.fit(iter(items), steps_per_epoch=2, verbose=0)
    with pytest.raises(ValueError, match="Found 30 input samples and 3 target samples"):
        model.fit(iter([(X, Y[:3])]), steps_per_epoch=1, verbose=0)


def test_two_inputs_that_do_not_fit() -> None:
    a, b = layers.Input((2,), name="a"), layers.Input((3,), name="b")
    model = models.Model([a, b], layers.Dense(1)(layers.concatenate([a, b])))
    model.compile("sgd", "mse")
    x = [RNG.random((5, 2)), RNG.random((5, 3))]
    for wrong, text in (
        (x[0], "you are passing a single array, but the model expects 2"),
        (x[:1], r"Expected to see 2 array\(s\)"), ([x[0], x[1][:3]], "same number of samples"),
        (x[::-1], r"expected a to have shape \(2,\)"), ({"a": x[0]}, 'No data provided for "b"'),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            model.fit(wrong, np.ones(5), verbose=0)


@pytest.mark.parametrize(("settings", "text"), [
    ({"optimizer": "nope"}, "Unknown optimizer: nope"),
    ({"optimizer": 3}, "Could not interpret optimizer identifier: 3"),
    ({"loss": "nope"}, "Unknown loss function: nope"),
    ({"loss": 3}, "Could not interpret loss function identifier: 3"),
    ({"loss": ["mse", "mse"]}, "it should have one entry per model output"),
    ({"loss": {"other": "mse"}}, 'Unknown entry in loss dictionary: "other"'),
    ({"metrics": ["nope"]}, "Unknown metric function: nope"),
    ({"metrics": [3]}, "Could not interpret metric function identifier: 3"),
    ({"metrics": {"other": "mae"}}, 'Unknown entry in metrics dictionary: "other"'),
    ({"loss_weights": {"other": 1.0}}, 'Unknown entry in loss_weights dictionary: "other"'),
    ({"sample_weight_mode": {"other": "temporal"}}, "Unknown entry in sample_weight_mode"),
])  # fmt: skip
def test_settings_that_are_unknown(settings: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        digits(**settings)
    with pytest.raises(TypeError, match=r"Invalid keyword argument\(s\) in `compile`: \['foo'\]"):
        digits(foo=1)


@pytest.mark.parametrize(("settings", "text"), [
    ({"sample_weight": np.ones(4)}, "Got 30 target samples and 4 sample weights"),
    ({"sample_weight": np.ones((30, 2))}, "in order to use timestep-wise sample weights"),
    ({"class_weight": {0: 1.0}}, "`class_weight` must contain all classes in the data"),
    ({"class_weight": "balanced"}, "class_weight must be a dict of the classes' weights"),
    ({"validation_split": 1.5}, "validation_split must be between 0 and 1"),
    ({"validation_split": 0.99}, "leaves an empty part"),
    ({"validation_data": X}, "must contain either 2 items"),
    ({"epochs": "3"}, "epochs must be a whole number"),
    ({"epochs": 2.5}, "epochs must be a whole number"),
    ({"steps_per_epoch": 1.5}, "steps must be a whole number"),
])  # fmt: skip
def test_arguments_of_fit_that_do_not_fit(settings: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        digits().fit(X, Y, verbose=0, **settings)
    with pytest.raises(TypeError, match="Unrecognized keyword arguments"):
        digits().fit(X, Y, foo=1)


def test_class_weights_as_arrays_and_weights_as_columns() -> None:
    model = digits(optimizer=keras.optimizers.SGD(0.0))
    table = RNG.random(10)
    want = model.fit(X, Y, verbose=0, class_weight=dict(enumerate(table))).history["loss"]
    got = model.fit(X, Y, verbose=0, class_weight=table).history["loss"]
    assert got == pytest.approx(want)
    weights = RNG.random(30)
    want = model.evaluate(X, Y, verbose=0, sample_weight=weights)
    got = model.evaluate(X, Y, verbose=0, sample_weight=weights[:, None])
    assert got == pytest.approx(want)


def test_models_that_are_not_ready() -> None:
    model = models.Sequential([layers.Dense(1, input_shape=(4,))])
    for act in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(RuntimeError, match="You must compile your model before"):
            act(X, Y)
    with pytest.raises(RuntimeError, match="You must compile"):
        print(model.metrics_names)
    model.compile("sgd")
    with pytest.raises(ValueError, match="no loss to optimize"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match='No data provided for "dense_input"'):
        model.predict(None)
    assert model.predict(X).shape == (30, 1)


def test_numbers_of_every_kind_are_data() -> None:
    model = digits()
    want = model.evaluate(X.astype("f"), Y, verbose=0)
    kinds = (X.astype(object), X.tolist(), np.asfortranarray(X), X[:, ::-1][:, ::-1],
             X.astype(">f8"), tuple(X.tolist()))  # fmt: skip
    for x in kinds:
        assert model.evaluate(x, Y, verbose=0) == pytest.approx(want, rel=1e-5)
    for y in (Y.tolist(), Y[:, None], Y.astype("u1"), Y.astype("f"), Y.astype(object)):
        assert model.evaluate(X, y, verbose=0) == pytest.approx(want, rel=1e-5)
    assert np.isnan(model.evaluate(X * np.nan, Y, verbose=0)[0])
    model.fit(X > 0.5, Y, verbose=0)


def test_a_loss_that_is_added_needs_no_targets() -> None:
    x = layers.Input((4,))
    out = layers.Dense(4)(x)
    model = models.Model(x, out)
    model.add_loss(keras.backend.mean(keras.backend.square(out - x)))
    model.compile("adam")
    history = model.fit(X, epochs=2, verbose=0, validation_split=0.5, shuffle=False).history
    assert list(history) == ["loss", "val_loss"]
    history = model.fit(X, verbose=0, validation_data=(X, None)).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(X, verbose=0), rel=1e-5)


def test_an_error_in_a_callback_is_the_users() -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError("mine")

    model = digits()
    with pytest.raises(ZeroDivisionError, match="mine"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_batch_begin=fail)])
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda model: model.compile("sgd", "no_such_loss"),
        lambda model: model.compile("no_such_optimizer", "mse"),
        lambda model: model.compile("sgd", "mse", ["no_such_metric"]),
        lambda model: model.fit(np.zeros((4, 9)), np.zeros((4, 2)), verbose=0),
        lambda model: model.fit(np.zeros((4, 3)), np.zeros((5, 2)), verbose=0),
        lambda model: model.predict([np.zeros((4, 3)), np.zeros((4, 3))]),
        lambda model: tf.keras.layers.Dense(2, activaton="relu"),
        lambda model: tf.keras.layers.Dense(2, activation="no_such_activation"),
        lambda model: tf.keras.layers.deserialize({"class_name": "NoSuchLayer", "config": {}}),
    ],
)
def test_errors_end_with_the_users_line(wrong: Any) -> None:
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse")
    with pytest.raises((TypeError, ValueError)) as err:
        wrong(model)
    assert str(err.value).rpartition("\n")[2].strip().count("test_training_errors.py:") == 1
