"""Pools: records."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from graphc.ops import pool
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import check_forward, check_gradient, names_of

NAMES = names_of(pool)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].grad is not None])
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])


def test_a_batch_may_be_empty() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 5, 4, 2])
        fetches = [
            tf.nn.max_pool(x, 2, 2, "VALID"), tf.nn.avg_pool(x, 3, 1, "SAME"),
        ]  # fmt: skip
        fetches += tf.gradients(fetches, [x])
        got = session.run(fetches, {x: np.zeros((0, 5, 4, 2), np.float32)})
    assert [a.shape for a in got] == [(0, 2, 2, 2), (0, 5, 4, 2), (0, 5, 4, 2)]
