"""Cells and recurrences give TensorFlow's values, gradients and variable names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from tests.rnn.cases import dynamic_cases, run, static_cases

FIXTURE = np.load(Path(__file__).parents[1] / "fixtures" / "rnn.npz")
STATIC = static_cases(tf, tf.nn.rnn_cell)
DYNAMIC = dynamic_cases(tf, tf.nn.rnn_cell)


def compare(case: str, got: dict[str, np.ndarray]) -> None:
    wanted = {k.partition("/")[2]: FIXTURE[k] for k in FIXTURE.files if k.startswith(f"{case}/")}
    assert sorted(got) == sorted(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(got[key], value, rtol=2e-5, atol=2e-6, err_msg=key)


@pytest.mark.parametrize("case", sorted(STATIC))
def test_static(case: str) -> None:
    compare(case, run(tf, STATIC[case]))


@pytest.mark.parametrize("case", sorted(DYNAMIC))
def test_dynamic(case: str) -> None:
    compare(case, run(tf, DYNAMIC[case]))
