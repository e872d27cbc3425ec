"""Estimators are tested on the reference backend: what counts is what they run, not how."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import graphc as tf
from graphc import config


@pytest.fixture(autouse=True)
def reference_backend() -> Iterator[None]:
    config.configure(backend="reference")
    tf.reset_default_graph()
    yield
    config.reset()
    tf.summary.FileWriterCache.clear()
