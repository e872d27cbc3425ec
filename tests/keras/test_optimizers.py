"""Optimizers change weights and state as Keras 2's: tests/fixtures/tf_keras.npz."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models
from graphc.keras import optimizers as O
from tests.keras import legacy_cases as cases
from tests.keras.test_losses import close


@pytest.mark.parametrize("name", sorted(cases.optimizers()))
def test_updates(name: str) -> None:
    start, grads, _, _ = cases.updates()
    optimizer, made = cases.optimizers()[name](keras), [K.variable(w) for w in start]
    given = [tf.placeholder(tf.float32, w.shape) for w in start]
    step = optimizer.apply_gradients(list(zip(given, made)))
    for values in grads:
        K.get_session().run(step, dict(zip(given, values)))
    for k, w in enumerate(made):
        close(K.get_value(w), f"optimizers/{name}/{k}")
    for k, w in enumerate(optimizer.get_weights()):
        close(w, f"optimizers/{name}/state{k}")


@pytest.mark.parametrize("name", sorted(cases.optimizers()))
def test_updates_of_rows(name: str) -> None:
    _, _, [table], rows = cases.updates()
    optimizer, made = cases.optimizers()[name](keras), K.variable(table)
    values, ids = tf.placeholder(tf.float32, [4, 2]), tf.placeholder(tf.int64, [4])
    slices = tf.IndexedSlices(values, ids, tf.constant([6, 2]))
    step = optimizer.apply_gradients([(slices, made)])
    for g, numbers in rows:
        K.get_session().run(step, {values: g, ids: numbers})
    close(K.get_value(made), f"optimizers/{name}/2")


@pytest.mark.parametrize("name", sorted(cases.schedules()))
def test_schedules(name: str) -> None:
    schedule = cases.schedules()[name](keras)
    step = tf.placeholder(tf.int64, [])
    rate = schedule(step)
    got = [K.get_session().run(rate, {step: s}) for s in cases.STEPS]
    close(got, f"schedules/{name}")
    again = type(schedule).from_config(schedule.get_config())
    assert again.get_config() == schedule.get_config()


# ------------------------------------------------------------------ configurations, states
@pytest.mark.parametrize("name", [
    "sgd", "SGD", "rmsprop", "RMSprop", "adam", "AdamW", "nadam", "adagrad", "adadelta", "Adamax",
    "ftrl",
])  # fmt: skip
def test_configurations(name: str) -> None:
    made = O.get(name)
    again = O.deserialize(json.loads(json.dumps(O.serialize(made))))
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_settings_and_their_errors() -> None:
    made = O.SGD(lr=0.3, decay=1e-3, momentum=0.1, nesterov=True, clipnorm=1.0, clipvalue=0.5)
    config = made.get_config()
    assert config["learning_rate"] == 0.3 and config["clipnorm"] == 1.0
    assert O.SGD.from_config(config).get_config() == config
    rate = O.schedules.CosineDecay(0.1, 10)
    again = O.deserialize(json.loads(json.dumps(O.serialize(O.Adam(learning_rate=rate)))))
    assert again.lr.get_config() == rate.get_config()
    with pytest.raises(ValueError, match="Unknown optimizer: foo"):
        O.get("foo")
    with pytest.raises(TypeError, match="Unexpected keyword argument passed to optimizer: foo"):
        O.Adam(foo=1)
    with pytest.raises(ValueError, match="between"):
        O.RMSprop(momentum=2.0)
    with pytest.raises(ValueError, match="No gradients provided"):
        made.apply_gradients([(None, K.variable(1.0))])


def test_state_goes_over_to_another_optimizer() -> None:
    start, grads, _, _ = cases.updates()
    given = [tf.placeholder(tf.float32, w.shape) for w in start]

    def trained(state: Any, weights: Any, steps: Any) -> tuple[Any, list[Any]]:
        optimizer, made = O.Adam(0.1), [K.variable(w) for w in weights]
        step = optimizer.apply_gradients(list(zip(given, made)))
        if state is not None:
            optimizer.set_weights(state)
        for values in steps:
            K.get_session().run(step, dict(zip(given, values)))
        return optimizer, K.batch_get_value(made)

    _, whole = trained(None, start, grads)
    half, middle = trained(None, start, grads[:3])
    rest, end = trained(half.get_weights(), middle, grads[3:])
    for a, b in zip(whole, end):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert K.get_value(rest.iterations) == 6
    with pytest.raises(ValueError, match="does not match the number of weights"):
        rest.set_weights([1, 2])


def test_decay_of_weights_beside_the_gradient() -> None:
    made, grad = K.variable(np.ones(3)), tf.placeholder(tf.float32, [3])
    step = O.AdamW(0.1, weight_decay=0.5).apply_gradients([(grad, made)])
    K.get_session().run(step, {grad: np.zeros(3)})
    np.testing.assert_allclose(K.get_value(made), 0.95, rtol=1e-6)


def test_rates_can_be_set_and_given_in_many_forms() -> None:
    for rate in (0.1, O.schedules.ExponentialDecay(0.1, 10, 1.0), lambda: 0.1, K.variable(0.1)):
        made = K.variable(np.ones(2))
        optimizer = O.SGD(learning_rate=rate)
        step = optimizer.apply_gradients([(K.constant([1.0, 2.0]), made)])
        K.get_session().run(step)
        np.testing.assert_allclose(K.get_value(made), [0.9, 0.8], rtol=1e-6)
    optimizer = O.Adam(lr=0.5)
    K.set_value(optimizer.lr, 0.25)
    assert K.get_value(optimizer.learning_rate) == 0.25
    optimizer.learning_rate = 0.125
    assert K.get_value(optimizer.lr) == 0.125 and optimizer.get_config()["learning_rate"] == 0.125


def test_weights_of_double_precision() -> None:
    K.set_floatx("float64")
    try:
        for name in ("sgd", "adam", "rmsprop", "nadam", "adadelta", "ftrl", "adamax", "adagrad"):
            K.clear_session()
            model = models.Sequential([layers.Dense(1, input_shape=(3,))])
            model.compile(name, "mse", ["mae"])
            model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
            assert model.get_weights()[0].dtype == np.float64
    finally:
        K.set_floatx("float32")


def test_one_optimizer_for_two_models() -> None:
    shared = O.Adam(0.01, 0.5)
    inner = models.Sequential([layers.Dense(4, input_shape=(2,)),
                               layers.Dense(1, activation="sigmoid")])  # fmt: skip
    inner.compile(shared, "binary_crossentropy")
    before, z = models.Sequential([layers.Dense(2, input_shape=(3,))]), layers.Input((3,))
    inner.trainable = False
    both = models.Model(z, inner(before(z)))
    both.compile(shared, "binary_crossentropy")
    for _ in range(3):
        inner.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
        kept = inner.get_weights()
        both.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
        for a, b in zip(kept, inner.get_weights()):
            np.testing.assert_array_equal(a, b)
    assert K.get_value(shared.iterations) == 6


def test_rows_of_tables_with_constraints_and_regularizers() -> None:
    for settings in ({"embeddings_constraint": "unit_norm"}, {"embeddings_regularizer": "l2"}):
        model = models.Sequential([
            layers.Embedding(10, 4, input_length=3, **settings), layers.Flatten(), layers.Dense(1),
        ])  # fmt: skip
        model.compile("adagrad", "mse")
        model.fit(np.array([[1, 2, 2]]), np.ones((1, 1)), verbose=0)
        if "embeddings_constraint" in settings:
            norms = np.linalg.norm(model.layers[0].get_weights()[0], axis=0)
            np.testing.assert_allclose(norms, 1, rtol=1e-5)


# ------------------------------------------------------------------ classes of users' own
def line(optimizer: Any) -> tuple[Any, Any]:
    K.clear_session()
    x = np.random.default_rng(0).random((30, 3))
    model = models.Sequential([layers.Dense(1, input_shape=(3,), kernel_initializer="ones")])
    model.compile(optimizer(), "mse")
    model.fit(x, x.sum(1) + 1, epochs=3, shuffle=False, verbose=0)
    return model, model.predict(x)


def test_a_class_in_the_manner_of_keras_2_2() -> None:
    class Own(O.Optimizer):
        def __init__(self, lr: float = 0.01, decay: float = 0.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            with K.name_scope(type(self).__name__):
                self.iterations = K.variable(0, dtype="int64", name="iterations")
                self.lr = K.variable(lr, name="lr")
                self.decay = K.variable(decay, name="decay")

        def get_updates(self, loss: Any, params: Any) -> list[Any]:
            grads = self.get_gradients(loss, params)
            self.updates = [K.update_add(self.iterations, 1)]
            speeds = [K.zeros(K.int_shape(p), dtype=K.dtype(p)) for p in params]
            self.weights = [self.iterations, *speeds]
            for p, g, v in zip(params, grads, speeds):
                new = 0.9 * v - self.lr * g
                self.updates += [K.update(v, new), K.update(p, p + new)]
            return self.updates

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "lr": float(K.get_value(self.lr))}

    model, got = line(lambda: Own(0.05))
    assert len(model.optimizer.get_weights()) == 3 and model.optimizer.get_config()["lr"] > 0
    np.testing.assert_allclose(got, line(lambda: O.SGD(0.05, momentum=0.9))[1], rtol=1e-5)


def test_a_class_in_the_manner_of_tf_keras() -> None:
    class Own(O.Optimizer):
        def __init__(self, learning_rate: float = 0.01, name: str = "Own", **kwargs: Any) -> None:
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
            self._set_hyper("decay", self._initial_decay)
            self._set_hyper("momentum", 0.9)

        def _create_slots(self, var_list: Any) -> None:
            for var in var_list:
                self.add_slot(var, "speed")

        def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
            kind = var.dtype.base_dtype
            rate = self._fallback_apply_state(var.device, kind)["lr_t"]
            speed = self.get_slot(var, "speed")
            new = speed * self._get_hyper("momentum", kind) - rate * grad
            return tf.group(speed.assign(new), var.assign_add(new))

        def get_config(self) -> dict[str, Any]:
            config = super().get_config()
            config.update({k: self._serialize_hyperparameter(k) for k in
                           ("learning_rate", "momentum")})  # fmt: skip
            return config

    model, got = line(lambda: Own(0.05))
    assert model.optimizer.name == "Own" and model.optimizer.momentum == 0.9
    assert model.optimizer.get_config()["learning_rate"] == pytest.approx(0.05)
    np.testing.assert_allclose(got, line(lambda: O.SGD(0.05, momentum=0.9))[1], rtol=1e-5)


@pytest.mark.parametrize("make", [
    lambda: tf.train.AdamOptimizer(0.05), lambda: tf.train.MomentumOptimizer(0.01, 0.9),
    lambda: tf.train.RMSPropOptimizer(0.01), lambda: tf.train.AdagradOptimizer(0.1),
    lambda: tf.train.FtrlOptimizer(0.1), lambda: tf.train.AdadeltaOptimizer(1.0),
    lambda: tf.train.GradientDescentOptimizer(0.05),
])  # fmt: skip
def test_optimizers_of_tf_train(make: Any) -> None:
    x = np.random.default_rng(0).random((30, 3))
    model = models.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile(make(), "mse")
    losses = model.fit(x, x.sum(1), epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and K.get_value(model.optimizer.iterations) == 20


def test_in_a_plain_graph() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    loss = tf.reduce_mean(tf.square(layers.Dense(1)(x) - 1))
    step = O.Adam(0.05).minimize(loss, tf.trainable_variables())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = [session.run([loss, step], {x: np.ones((2, 3))})[0] for _ in range(60)]
    assert got[-1] < got[0] * 0.1


def test_in_one_graph_after_the_other(tmp_path: Any) -> None:
    shared = O.Adam(0.05)
    for count in (2, 3):
        K.clear_session()
        model = models.Sequential([layers.Dense(1, input_shape=(count,))])
        model.compile(shared, "mse")
        model.fit(np.ones((8, count)), np.ones(8), batch_size=4, verbose=0)
        assert K.get_value(shared.iterations) == 2 and len(shared.get_weights()) == 5
        model.save(tmp_path / f"{count}")
        again = models.load_model(tmp_path / f"{count}")
        again.fit(np.ones((4, count)), np.ones(4), verbose=0)
        assert K.get_value(again.optimizer.iterations) == 3
