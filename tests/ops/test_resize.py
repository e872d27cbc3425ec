"""Resizing: records."""

from __future__ import annotations

import pytest

from graphc.ops import resize
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import check_forward, check_gradient, names_of

NAMES = names_of(resize)
# the others give float32 whatever they take: test_every_op widens them
WIDE = [n for n in NAMES if n.endswith("_grad") or "nearest" in n]


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", WIDE)
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])
