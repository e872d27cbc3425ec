"""Histories, evaluations and predictions of trainings are tf.keras's.

The expected values stand in tests/fixtures/training.json, made by make_training.py beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from tests.keras.training_cases import Cases

EXPECTED = json.loads((Path(__file__).parents[1] / "fixtures" / "training.json").read_text())


def test_every_case_has_its_values() -> None:
    assert sorted(Cases(tf, keras, keras.optimizers).all()) == sorted(EXPECTED)


def compare(got: Any, want: Any, where: str, tolerance: float) -> None:
    if isinstance(want, dict):
        assert list(got) == list(want), where
        for key, value in want.items():
            compare(got[key], value, f"{where}/{key}", tolerance)
    elif isinstance(want, list) and want and not isinstance(want[0], float | int):
        assert len(got) == len(want), where
        for k, value in enumerate(want):
            compare(got[k], value, f"{where}/{k}", tolerance)
    elif isinstance(want, str):
        assert got == want, where
    else:
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance, err_msg=where)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_training(name: str) -> None:
    got = Cases(tf, keras, keras.optimizers).all()[name]()
    compare(got, EXPECTED[name], name, 1e-3 if name.startswith("tutorial") else 1e-4)
