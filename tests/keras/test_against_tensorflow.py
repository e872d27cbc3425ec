"""Outputs, gradients, losses, metrics, updates and training are tf.keras's.

The expected values stand in tests/fixtures/keras.npz, made by make_keras.py beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from tests.keras import cases

FIXTURES = Path(__file__).parents[1] / "fixtures"
EXPECTED = dict(np.load(FIXTURES / "keras.npz"))
LAYERS = [
    (name, training)
    for name in sorted(cases.layer_cases(keras))
    for training in ((False, True) if name in cases.TRAINED else (False,))
]


def close(got: Any, want: Any, name: str, tolerance: float = 1e-5) -> None:
    scale = max(1.0, float(np.abs(want).max()))
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize(("name", "training"), LAYERS)
def test_layer(name: str, training: bool) -> None:
    make, shapes = cases.layer_cases(keras)[name]
    arrays = cases.inputs_of(name, shapes)
    xs = [tf.placeholder(tf.float32, (None, *s[1:])) for s in shapes]
    layer = make()
    y = layer(xs[0] if len(xs) == 1 else xs, **({"training": True} if training else {}))
    layer.set_weights(cases.weights_of(name, [(w.name, w.shape.as_list()) for w in layer.weights]))
    key = f"layer/{name}" + ("/training" if training else "")
    total = tf.reduce_sum(y * cases.factors_of(name, EXPECTED[f"{key}/out"].shape))
    grads = tf.gradients(total, [*xs, *layer.trainable_weights])
    grads = [tf.convert_to_tensor(g) for g in grads]
    out, *values = K.get_session().run([y, *grads], dict(zip(xs, arrays)))
    close(out, EXPECTED[f"{key}/out"], name)
    for k, value in enumerate(values):
        close(value, EXPECTED[f"{key}/grad{k}"], f"{name} gradient {k}")
    assert f"{key}/grad{len(values)}" not in EXPECTED


def test_multi_head_attention() -> None:
    x, v = (tf.constant(a) for a in cases.inputs_of("mha", [(2, 5, 4), (2, 6, 4)]))
    layer = keras.layers.MultiHeadAttention(2, 3)
    y = layer(x, v)
    layer.set_weights(
        cases.weights_of("mha", [(w.name, w.shape.as_list()) for w in layer.weights])
    )
    close(K.get_value(y), EXPECTED["mha/out"], "mha")
    close(K.get_value(layer(x, x, use_causal_mask=True)), EXPECTED["mha/causal"], "causal")


@pytest.mark.parametrize("name", sorted(cases.loss_cases(keras)))
def test_loss(name: str) -> None:
    loss, kind = cases.loss_cases(keras)[name]
    true, pred, weights = cases.data_of(kind)
    close(K.eval(loss(true, pred)), EXPECTED[f"loss/{name}"], name)
    close(K.eval(loss(true, pred, weights)), EXPECTED[f"loss/{name}/weighted"], name)


@pytest.mark.parametrize("name", sorted(cases.metric_cases(keras)))
def test_metric(name: str) -> None:
    make, kind = cases.metric_cases(keras)[name]
    metric = make()
    for seed in (0, 1):
        true, pred, weights = cases.data_of(kind, seed)
        # TensorFlow 1 counts elements, Keras 3 samples: the mean of both kinds differs
        weighted = seed and name != "rmse"
        update = metric.update_state(true, pred, sample_weight=weights if weighted else None)
        K.get_session().run(update)
    close(K.eval(metric.result()), EXPECTED[f"metric/{name}"], name, 1e-5)
    metric.reset_states()
    assert not any(v.any() for v in K.batch_get_value(metric.variables))


@pytest.mark.parametrize("name", sorted(cases.optimizer_cases(keras)))
def test_optimizer(name: str) -> None:
    start, grads = cases.optimizer_data()
    optimizer, variable = cases.optimizer_cases(keras)[name](), K.variable(start)
    grad = tf.placeholder(tf.float32, [3, 4])
    step = optimizer.apply_gradients([(grad, variable)])
    session = K.get_session()
    for value in grads:
        session.run(step, {grad: value})
    close(K.get_value(variable), EXPECTED[f"optimizer/{name}"], name)


def test_nadam() -> None:
    """Keras 3's Nadam follows another schedule of the momentum: the formula of 1.15."""
    start, grads = cases.optimizer_data()
    variable = K.variable(start)
    grad = tf.placeholder(tf.float32, [3, 4])
    step = keras.optimizers.Nadam(0.01).apply_gradients([(grad, variable)])
    session = K.get_session()
    p, m, v, schedule = start.astype("f8"), 0.0, 0.0, 1.0
    for t, g in enumerate(grads, 1):
        session.run(step, {grad: g})
        u, u1 = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * k)) for k in (t, t + 1))
        schedule *= u
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g.astype("f8") ** 2
        ahead = (1 - u) * g / (1 - schedule) + u1 * m / (1 - schedule * u1)
        p = p - 0.01 * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
    close(K.get_value(variable), p, "nadam")


@pytest.mark.parametrize("name", sorted(cases.model_cases(keras)))
def test_three_epochs(name: str) -> None:
    make, compiled = cases.model_cases(keras)[name]
    model, (x, y) = make(), cases.model_data(name)
    shapes = [tuple(w.shape.as_list()) for w in model.weights]
    model.set_weights(cases.model_weights(name, shapes))
    settings = dict(compiled)
    if isinstance(settings["optimizer"], tuple):
        settings["optimizer"] = keras.optimizers.SGD(lr=settings["optimizer"][1])
    model.compile(**settings)
    history = model.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history
    for key in ("loss", "accuracy"):
        if f"model/{name}/{key}" in EXPECTED:
            close(history[key], EXPECTED[f"model/{name}/{key}"], f"{name} {key}", 1e-3)
    close(model.predict(x), EXPECTED[f"model/{name}/predict"], name, 1e-3)


@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_an_h5_file_of_tensorflow_predicts_the_same(name: str) -> None:
    pytest.importorskip("h5py")
    model = keras.models.load_model(FIXTURES / "keras_h5" / f"{name}.h5")
    x, _ = cases.model_data(name)
    close(model.predict(x), EXPECTED[f"model/{name}/predict"], name, 1e-5)


@pytest.mark.parametrize("name", ["graph", "chain"])
def test_graphs_of_layers_in_h5_files_are_rebuilt(name: str) -> None:
    pytest.importorskip("h5py")
    model = keras.models.load_model(FIXTURES / "keras_h5" / f"{name}.h5")
    got = model.predict(cases.file_data(name))
    for k, value in enumerate(got if isinstance(got, list) else [got]):
        close(value, EXPECTED[f"file/{name}/{k}"], name)
    if name == "graph":
        assert model.metrics_names == ["loss", "o1_loss", "o2_loss", "o1_acc"]
