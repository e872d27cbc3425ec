"""Each test starts with an empty default graph; `drain` gives a dataset's elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphc as tf

CONFIGS = {"compiled": tf.Config(), "reference": tf.Config(backend="reference")}


@pytest.fixture(autouse=True)
def fresh_graph() -> None:
    tf.reset_default_graph()


def elements(dataset: Any, limit: int = 1000, feeds: Any = None, config: Any = None) -> list[Any]:
    """The elements in one session, at most `limit`."""
    iterator = dataset.make_initializable_iterator()
    element = iterator.get_next()
    found = []
    with tf.Session(options=config) as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(iterator.initializer, feeds)
        try:
            while len(found) < limit:
                found.append(sess.run(element))
        except tf.errors.OutOfRangeError:
            pass
    return found


@pytest.fixture(params=CONFIGS)
def drain(request: Any) -> Callable[..., list[Any]]:
    config = CONFIGS[request.param]
    return lambda dataset, limit=1000, feeds=None: elements(dataset, limit, feeds, config)
