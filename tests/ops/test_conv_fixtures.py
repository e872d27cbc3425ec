"""Convolutions, pools, resizing: values and gradients as TensorFlow computes them.

tests/fixtures/conv.npz was made by tests/fixtures/make_conv.py from the cases in conv_cases.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.ops.conv_cases import CASES, Case, inputs_of, probe

_FILE = np.load(Path(__file__).parents[1] / "fixtures" / "conv.npz")
FOUND = dict(zip(_FILE["names"].tolist(), _FILE["probes"], strict=True))
GROUPS: dict[str, list[Case]] = {}
for _case in CASES:
    GROUPS.setdefault(_case.name.split()[0], []).append(_case)


def results(cases: list[Case], dynamic: bool) -> list[list[Any]]:
    """Value and gradients of every case, in one run of one graph."""
    feeds: dict[Any, Any] = {}
    built: list[list[Any]] = []
    with tf.Graph().as_default(), tf.Session() as session:
        for case in cases:
            arrays = inputs_of(case)
            shapes = [(None, *a.shape[1:]) if dynamic and n == 0 else a.shape
                      for n, a in enumerate(arrays)]
            xs = [tf.placeholder(tf.float32, s) for s in shapes]
            feeds.update(zip(xs, arrays, strict=True))
            y = case.call(tf, *xs)
            wanted = [x for x, smooth in zip(xs, case.smooth, strict=True) if smooth]
            built.append([y, *(tf.gradients(tf.reduce_sum(y * y), wanted) if wanted else [])])
        return session.run(built, feeds)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "any batch"])
@pytest.mark.parametrize("group", GROUPS)
def test_values_and_gradients_are_tensorflows(group: str, dynamic: bool) -> None:
    for case, arrays in zip(GROUPS[group], results(GROUPS[group], dynamic), strict=True):
        for n, array in enumerate(arrays):
            want = FOUND[f"{case.name}/{n}"]
            scale = max(1.0, float(np.abs(array).max(initial=0.0)))
            size = max(1.0, float(np.sqrt(array.size)))
            atol = np.concatenate([np.zeros(6), [3e-6 * scale * size] * 2, [5e-6 * scale] * 12])
            difference = np.abs(probe(array) - want)
            assert (difference <= atol + 1e-5 * np.abs(want)).all(), (case.name, n, difference)
