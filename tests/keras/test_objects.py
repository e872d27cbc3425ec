"""Initializers, regularizers, constraints, activations, noise; configurations of all objects."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models
from graphc.keras.engine.network_config import jsonable
from tests.keras import cases

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", sorted(cases.layer_cases(keras)))
def test_layers_come_back_from_json(name: str) -> None:
    make, shapes = cases.layer_cases(keras)[name]
    layer = make()
    config = json.loads(json.dumps(layers.serialize(layer), default=jsonable))
    again = layers.deserialize(config)
    assert json.dumps(layers.serialize(again), default=jsonable) == json.dumps(
        layers.serialize(layer), default=jsonable
    )
    xs = [layers.Input(s[1:]) for s in shapes]
    assert again(xs[0] if len(xs) == 1 else xs).shape[1:] == layer(
        xs[0] if len(xs) == 1 else xs
    ).shape[1:]


@pytest.mark.parametrize(("name", "check"), [
    ("zeros", lambda x: not x.any()), ("ones", lambda x: (x == 1).all()),
    ("glorot_uniform", lambda x: np.abs(x).max() <= np.sqrt(6 / 400)),
    ("glorot_normal", lambda x: abs(x.std() - np.sqrt(2 / 400)) < 3e-3),
    ("he_normal", lambda x: abs(x.std() - 0.1) < 5e-3),
    ("he_uniform", lambda x: np.abs(x).max() <= np.sqrt(6 / 200)),
    ("lecun_normal", lambda x: abs(x.std() - np.sqrt(1 / 200)) < 3e-3),
    ("lecun_uniform", lambda x: np.abs(x).max() <= np.sqrt(3 / 200)),
    ("random_uniform", lambda x: np.abs(x).max() <= 0.05),
    ("random_normal", lambda x: abs(x.std() - 0.05) < 2e-3),
    ("truncated_normal", lambda x: np.abs(x).max() <= 0.1),
    ("identity", lambda x: (x == np.eye(200)).all()),
    ("orthogonal", lambda x: np.allclose(x @ x.T, np.eye(200), atol=1e-4)),
])  # fmt: skip
def test_initializers_by_name(name: str, check: Any) -> None:
    made = keras.initializers.get(name)
    assert check(K.eval(made((200, 200))))
    again = keras.initializers.deserialize(keras.initializers.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_initializers_with_seeds_and_values() -> None:
    first, second = (keras.initializers.glorot_uniform(seed=3)((4, 4)) for _ in range(2))
    np.testing.assert_array_equal(K.eval(first), K.eval(second))
    assert (K.eval(keras.initializers.Constant(0.5)((2,))) == 0.5).all()
    with pytest.raises(ValueError, match="Unknown initializer: nope"):
        keras.initializers.get("nope")

    def own(shape: Any, dtype: Any = None) -> Any:
        return K.ones(shape, dtype) * 2

    dense = models.Sequential([layers.Dense(2, kernel_initializer=own, input_shape=(3,))])
    assert (dense.get_weights()[0] == 2).all()


def test_regularizers_are_sums() -> None:
    w = RNG.normal(size=(3, 4)).astype("f")
    l1, l2 = 0.3 * np.abs(w).sum(), 0.2 * (w**2).sum()
    r = keras.regularizers
    for made, want in ((r.l1(0.3), l1), (r.l2(0.2), l2), (r.l1_l2(0.3, 0.2), l1 + l2),
                       (r.L1(0.3), l1), (r.L2(0.2), l2)):  # fmt: skip
        assert K.eval(made(K.constant(w))) == pytest.approx(want, rel=1e-5)
        again = r.deserialize(r.serialize(made))
        assert K.eval(again(K.constant(w))) == pytest.approx(want, rel=1e-5)
    model = models.Sequential([
        layers.Dense(2, activity_regularizer=r.l2(0.5), kernel_initializer="ones", use_bias=False,
                     input_shape=(3,)),
    ])  # fmt: skip
    model.compile("sgd", "mse")
    x = np.ones((4, 3))
    assert model.evaluate(x, np.full((4, 2), 3.0), verbose=0) == pytest.approx(0.5 * 2 * 9)


def test_constraints_project() -> None:
    w = RNG.normal(size=(5, 4)).astype("f") * 3
    c = keras.constraints
    norms = np.linalg.norm(w, axis=0)
    np.testing.assert_allclose(
        np.linalg.norm(K.eval(c.max_norm(2.0)(K.constant(w))), axis=0), np.minimum(norms, 2), 1e-4
    )
    np.testing.assert_allclose(
        np.linalg.norm(K.eval(c.unit_norm()(K.constant(w))), axis=0), 1, rtol=1e-4
    )
    assert (K.eval(c.non_neg()(K.constant(w))) >= 0).all()
    between = np.linalg.norm(K.eval(c.min_max_norm(1.0, 2.0)(K.constant(w))), axis=0)
    assert ((between > 0.99) & (between < 2.01)).all()
    assert isinstance(c.get("maxnorm"), c.MaxNorm)
    assert c.deserialize(c.serialize(c.MaxNorm(3))).max_value == 3


def test_objects_by_name_class_and_configuration() -> None:
    r, c, i = keras.regularizers, keras.constraints, keras.initializers
    for kind, name, cls in ((r, "L2", r.L2), (c, "MaxNorm", c.MaxNorm), (i, "Ones", i.Ones)):
        for given in (name, cls, {"class_name": name, "config": {}}, cls()):
            assert type(kind.get(given)) is cls
        assert kind.get(None) is None and kind.deserialize(None) is None
        with pytest.raises(ValueError, match=r"Could not interpret .* identifier: 3"):
            kind.get(3)
    # a function of this module makes the penalty, one of the user's is it
    assert r.get("l2").l2 == pytest.approx(0.01)

    def own(x: Any) -> Any:
        return K.sum(x)

    assert r.get(own) is own and c.get(own) is own and i.get(own) is own
    with keras.utils.custom_object_scope({"own": own}):
        assert c.get("own") is own and i.get("own") is own


@pytest.mark.parametrize(("name", "want"), [
    ("relu", lambda x: np.maximum(x, 0)), ("tanh", np.tanh), ("linear", lambda x: x),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x))), ("softplus", lambda x: np.log1p(np.exp(x))),
    ("softsign", lambda x: x / (1 + np.abs(x))), ("exponential", np.exp),
    ("elu", lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    ("selu", lambda x: 1.0507009873554805 * np.where(
        x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))),
    ("swish", lambda x: x / (1 + np.exp(-x))),
    ("hard_sigmoid", lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
])  # fmt: skip
def test_activations_by_name(name: str, want: Any) -> None:
    x = RNG.normal(size=(4, 5)).astype("f")
    fn = keras.activations.get(name)
    np.testing.assert_allclose(K.eval(fn(K.constant(x))), want(x), rtol=1e-5, atol=1e-6)
    assert keras.activations.serialize(fn) == name


def in_training(layer: Any, x: Any) -> Any:
    given = layers.Input(x.shape[1:])
    run = K.function([given, K.learning_phase()], [layer(given)])
    np.testing.assert_allclose(run([x, 0])[0], x, rtol=1e-6)
    return run([x, 1])[0]


def test_noise_has_the_promised_moments() -> None:
    ones = np.ones((50, 40, 10), "f")
    dropped = in_training(layers.Dropout(0.4), ones)
    assert set(np.unique(dropped.round(4))) == {0.0, np.float32(1 / 0.6).round(4)}
    assert abs((dropped == 0).mean() - 0.4) < 0.02
    rows = in_training(layers.Dropout(0.5, noise_shape=(None, 1, 10)), ones)
    assert (rows == rows[:, :1]).all()
    channels = in_training(layers.SpatialDropout1D(0.5), ones)
    assert (channels == channels[:, :1]).all() and 0.4 < (channels == 0).mean() < 0.6
    noised = in_training(layers.GaussianNoise(0.5), ones)
    assert abs(noised.std() - 0.5) < 0.02 and abs(noised.mean() - 1) < 0.02
    scaled = in_training(layers.GaussianDropout(0.2), ones)
    assert abs(scaled.std() - 0.5) < 0.02
    normal = RNG.normal(size=(50, 40, 10)).astype("f")
    alpha = in_training(layers.AlphaDropout(0.3), normal)
    assert abs(alpha.mean()) < 0.05 and abs(alpha.std() - 1) < 0.05


def test_batch_normalization_moves_its_averages_while_training() -> None:
    x = RNG.normal(3.0, 2.0, (64, 5))
    model = models.Sequential([layers.BatchNormalization(momentum=0.5, input_shape=(5,))])
    model.compile("sgd", "mse")
    layer = model.layers[0]
    model.evaluate(x, x, verbose=0)
    assert not K.get_value(layer.moving_mean).any()
    for _ in range(12):
        model.train_on_batch(x, x)
    np.testing.assert_allclose(K.get_value(layer.moving_mean), x.mean(0), rtol=1e-2)
    np.testing.assert_allclose(K.get_value(layer.moving_variance), x.var(0), rtol=1e-2)
    layer.trainable = False
    model.compile("sgd", "mse")
    before = K.get_value(layer.moving_mean)
    model.train_on_batch(x + 9, x)
    np.testing.assert_array_equal(K.get_value(layer.moving_mean), before)


@pytest.mark.parametrize("make", [
    lambda o: o.SGD(0.1, momentum=0.9, nesterov=True, decay=1e-4), lambda o: o.Adam(0.02),
    lambda o: o.RMSprop(lr=0.01, clipvalue=1.0), lambda o: o.Nadam(), lambda o: o.Ftrl(0.1),
])  # fmt: skip
def test_optimizers_come_back_from_configurations(make: Any) -> None:
    optimizer = make(keras.optimizers)
    again = keras.optimizers.get(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer) and again.get_config() == optimizer.get_config()


def test_losses_and_metrics_come_back_from_configurations() -> None:
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    again = keras.losses.get(json.loads(json.dumps(keras.losses.serialize(loss))))
    assert again.get_config() == loss.get_config()
    metric = keras.metrics.get(keras.metrics.serialize(keras.metrics.Precision(0.3, name="p")))
    assert (metric.name, metric.thresholds) == ("p", 0.3)
    assert keras.losses.get("mse") is keras.losses.mean_squared_error
    with pytest.raises(ValueError, match="Unknown loss function"):
        keras.losses.get("nope")


def test_masks_reach_losses() -> None:
    x = np.array([[1, 2, 0, 0], [3, 4, 5, 6]])
    model = models.Sequential([layers.Embedding(9, 3, mask_zero=True),
                               layers.TimeDistributed(layers.Dense(1))])  # fmt: skip
    model.compile("sgd", "mse")
    y = RNG.random((2, 4, 1))
    model.build((None, 4))
    away = ((model.predict(x) - y) ** 2)[..., 0]
    assert model.test_on_batch(x, y) == pytest.approx(away[x > 0].mean(), rel=1e-4)


def test_a_pool_of_time_leaves_masked_steps_out() -> None:
    x = np.array([[1, 2, 0, 0]])
    model = models.Sequential([layers.Embedding(9, 3, mask_zero=True),
                               layers.GlobalAveragePooling1D()])  # fmt: skip
    got = model.predict(x)
    table = model.get_weights()[0]
    np.testing.assert_allclose(got[0], table[[1, 2]].mean(0), rtol=1e-5)
