"""Whole plans on a GPU, or in numba's simulator where NUMBA_ENABLE_CUDASIM=1 is set.

Elsewhere nothing here is collected: tests/cuda/test_plans_in_simulator.py runs this folder in a
process of its own.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

import graphc as tf

simulated = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
usable = simulated or Path("/dev/nvidiactl").exists()
if not usable or importlib.util.find_spec("numba_cuda") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def fresh_graph() -> None:
    tf.reset_default_graph()
