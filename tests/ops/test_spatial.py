"""Space, depth, batch, patches: records."""

from __future__ import annotations

import pytest

from graphc.ops import pool_lrn, spatial
from graphc.ops.define import REGISTRY
from tests.ops.array_checks import check_forward, check_gradient, names_of

NAMES = names_of(spatial, pool_lrn)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_and_shape_rule_agree_with_the_reference(name: str) -> None:
    check_forward(REGISTRY[name])


@pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].grad is not None])
def test_gradient_is_the_numeric_one(name: str) -> None:
    check_gradient(REGISTRY[name])
