"""Kernels of every family in the simulator of numba-cuda, all in one process of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cuda.cases import CASES

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason='numba-cuda is not installed: pip install "graphc[cuda]"',
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, object]]:
    """What the process says of each case."""
    env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cuda.in_simulator"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["case"]: line for line in lines}


@pytest.mark.parametrize("case", CASES)
def test_the_simulator_agrees_with_the_interpreter(
    results: dict[str, dict[str, object]], case: str
) -> None:
    result = results[case]
    assert not result["error"], result["error"]
    assert result["ran"], "no kernel of this case was run"
