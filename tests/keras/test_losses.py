"""Losses have the values of Keras 2: tests/fixtures/tf_keras.npz, made by make_tf_keras.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc import keras
from graphc.keras import backend as K
from tests.keras import legacy_cases as cases

EXPECTED = dict(np.load(Path(__file__).parents[1] / "fixtures" / "tf_keras.npz"))


def close(got: Any, key: str, tolerance: float = 1e-5) -> None:
    want = EXPECTED[key]
    assert np.shape(got) == want.shape, f"{key}: {np.shape(got)}, not {want.shape}"
    scale = max(1.0, float(np.abs(want).max(initial=0.0)))
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * scale, err_msg=key)


@pytest.mark.parametrize("name", sorted(cases.losses()))
def test_classes(name: str) -> None:
    close(K.eval(cases.losses()[name](keras)), f"losses/{name}")


@pytest.mark.parametrize("name", sorted(cases.functions()))
def test_functions(name: str) -> None:
    close(K.eval(cases.functions()[name](keras)), f"functions/{name}")
