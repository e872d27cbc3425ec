"""tf.feature_column: values and variables as TensorFlow's, checks, gradients.

What TensorFlow gives stands in tests/fixtures/feature_columns.json (make_feature_columns.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.estimator.column_cases import cases

EXPECTED = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "feature_columns.json").read_text()
)
CASES = cases(tf)
fc = tf.feature_column


@pytest.mark.parametrize("name", list(CASES))
def test_as_tensorflow(name: str) -> None:
    got, want = CASES[name](), EXPECTED[name]
    np.testing.assert_allclose(got["values"], want["values"], atol=2e-5)
    assert got["variables"] == want["variables"]
