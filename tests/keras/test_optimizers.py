"""Optimizers change weights and state as Keras 2's: tests/fixtures/tf_keras.npz."""

from __future__ import annotations

import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
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
