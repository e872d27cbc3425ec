"""Metrics have the values of Keras 2: tests/fixtures/tf_keras.npz, made by make_tf_keras.py."""

from __future__ import annotations

from typing import Any

import pytest

from graphc import keras
from graphc.keras import backend as K
from tests.keras import legacy_cases as cases
from tests.keras.test_losses import close


def run(metric: Any, batches: list[Any]) -> Any:
    for arguments, weights in batches:
        update = metric.update_state(*arguments, sample_weight=weights)
        K.get_session().run(update)
    result = K.eval(metric.result())
    metric.reset_states()
    assert not any(v.any() for v in K.batch_get_value(metric.variables))
    return result


@pytest.mark.parametrize("name", sorted(cases.metrics()))
def test_classes(name: str) -> None:
    close(cases.metrics()[name](keras, run), f"metrics/{name}")


@pytest.mark.parametrize("name", sorted(cases.metric_functions()))
def test_functions(name: str) -> None:
    close(K.eval(cases.metric_functions()[name](keras)), f"metric_functions/{name}")
