"""Programs as TF1 users write them give what TensorFlow gives, under every way to run them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import graphc as tf
from graphc import config
from tests.scripts import expected

WANT = expected.load()
WAYS: dict[str, dict[str, Any]] = {
    "compiled": {},
    "unfused": {"fuse": False},
    "reference": {"backend": "reference"},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    tf.configure(**WAYS[request.param])
    yield request.param
    config.reset()


@pytest.mark.parametrize("name", expected.programs())
def test_program(name: str, way: str) -> None:
    fallbacks = len(tf.stats()["kernel_fallbacks"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        got = expected.run(name, tf)
    assert not expected.differences(WANT[name], got)
    assert tf.stats()["kernel_fallbacks"][fallbacks:] == []
    assert tf.get_default_session() is None


def test_every_program_has_expected_values() -> None:
    assert sorted(WANT) == expected.programs()
