"""Kernels of every family in the simulator of numba-cuda, all in one process of their own."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from tests.cuda.cases import CASES
from tests.cuda.simulation import simulation

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason='numba-cuda is not installed: pip install "graphc[cuda]"',
)


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    return simulation("nests")


@pytest.mark.parametrize("case", CASES)
def test_the_simulator_agrees_with_the_interpreter(
    results: dict[str, dict[str, Any]], case: str
) -> None:
    result = results[case]
    assert not result["error"], result["error"]
    assert result["ran"], "no kernel of this case was run"
