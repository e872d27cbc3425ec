"""Names, shapes, values and gradients of losses, metrics and layers are TensorFlow's.

The expected values stand in tests/fixtures/layers.json, made by make_layers.py beside it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from tests.layers.cases import layer_cases, loss_cases, metric_cases

EXPECTED = json.loads((Path(__file__).parents[1] / "fixtures" / "layers.json").read_text())
CASES = {
    "losses": dict(loss_cases(tf)), "metrics": dict(metric_cases(tf)),
    "layers": dict(layer_cases(tf, tf.layers)),
}  # fmt: skip
# TensorFlow's own spelling of a scope or an op, of which nothing depends
OTHER_NAMES = {"mean_iou", "average_precision_at_k", "average_precision_at_k w"}


def check(got: object, want: object, name: str) -> None:
    if isinstance(want, list) and want and isinstance(want[0], float):
        np.testing.assert_allclose(got, want, rtol=3e-5, atol=2e-5, err_msg=name)
    elif isinstance(want, list):
        assert len(got) == len(want), name
        for a, b in zip(got, want):
            check(a, b, name)
    elif name not in OTHER_NAMES:
        assert got == want, name


@pytest.mark.parametrize(
    ("group", "name"), [(g, n) for g, cases in CASES.items() for n in cases]
)
def test_as_tensorflow(group: str, name: str) -> None:
    check(CASES[group][name](), EXPECTED[group][name], name)


def test_every_case_was_made() -> None:
    assert {g: set(c) for g, c in CASES.items()} == {g: set(c) for g, c in EXPECTED.items()}
