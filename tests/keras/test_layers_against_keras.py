"""Outputs, gradients and states of layers are those of Keras 2.

The expected values stand in tests/fixtures/keras_layers.npz, made by make_keras_layers.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from tests.keras import layer_cases, recurrent_cases

EXPECTED = dict(np.load(Path(__file__).parents[1] / "fixtures" / "keras_layers.npz"))
SHAPES = json.loads(str(EXPECTED.pop("shapes")))
CASES = recurrent_cases.every_case(keras)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [x for v in value for x in leaves(v)]
    return [value]


def call(layer: Any, case: layer_cases.Case, xs: list[Any]) -> list[Any]:
    kwargs = dict(case.kwargs)
    masks = [None if m is None else tf.constant(m) for m in layer_cases.masks_of(case)]
    if masks:
        kwargs["mask"] = masks if len(xs) > 1 else masks[0]
    if isinstance(layer, keras.layers.MultiHeadAttention):
        return leaves(layer(*xs, **kwargs))
    if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) and len(xs) > 1:
        return leaves(layer(xs[0], initial_state=xs[1:], **kwargs))
    return leaves(layer(xs if len(xs) > 1 else xs[0], **kwargs))


def placeholders(case: layer_cases.Case) -> list[Any]:
    kind = tf.int32 if case.integers else tf.float32
    return [tf.placeholder(kind, (None, *s[1:])) for s in case.shapes]


@pytest.mark.parametrize("name", sorted(CASES))
def test_layer(name: str) -> None:
    case = CASES[name]
    xs, layer = placeholders(case), case.make()
    ys = call(layer, case, xs)
    weights = [(w.name, w.shape.as_list()) for w in layer.weights]
    layer.set_weights(layer_cases.weights_of(name, weights))
    sizes, count = SHAPES[name], len(ys)
    total = tf.add_n([tf.reduce_sum(y * layer_cases.factors_of(name, k, tuple(sizes[k])))
                      for k, y in enumerate(ys)])  # fmt: skip
    watched = [*([] if case.integers else xs), *layer.trainable_weights]
    grads = [tf.zeros_like(v) if g is None else tf.convert_to_tensor(g)
             for g, v in zip(tf.gradients(total, watched), watched)]  # fmt: skip
    session, feeds = K.get_session(), dict(zip(xs, layer_cases.inputs_of(name, case)))
    got = session.run([*ys, *grads], feeds)
    if case.after:
        session.run(layer.updates, feeds)
        got += K.batch_get_value(layer.non_trainable_weights)
    assert [list(v.shape) for v in got] == sizes
    at = 0
    for k, value in enumerate(got):
        want = EXPECTED[name][at : at + value.size].reshape(value.shape)
        at += value.size
        scale = max(1.0, float(np.abs(want).max(initial=0.0)))
        what = f"{name}: {'output' if k < count else 'gradient or state'} {k}"
        np.testing.assert_allclose(value, want, rtol=1e-5, atol=1e-5 * scale, err_msg=what)
        if k < count:
            static = ys[k].shape.as_list()
            assert [d for d in static if d is not None] == [
                e for d, e in zip(static, value.shape) if d is not None
            ], what


def test_every_case_has_expected_values() -> None:
    assert set(EXPECTED) == set(CASES)
