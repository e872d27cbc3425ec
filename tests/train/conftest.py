"""These tests are about updates, not kernels: they run on the reference backend."""

from __future__ import annotations

import pytest

from graphc import config


@pytest.fixture(autouse=True)
def reference_backend():
    config.configure(backend="reference")
    yield
    config.reset()
