"""Each test starts with an empty default graph; `sess` runs it with the compiled backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> None:
    tf.reset_default_graph()


@pytest.fixture
def sess() -> Iterator[tf.Session]:
    with tf.Session() as session:
        yield session


def names(variables: list) -> list[str]:
    return [v.name.split(":")[0] for v in variables]
