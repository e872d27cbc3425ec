"""Runs like the last one: what is fed goes straight to compiled code, and all else does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.handles import Handle
from graphc.runtime.executor import Runner

ONES = np.ones((2, 3), np.float32)


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was looked at and converted in Python, a list for each run."""
    seen: list[Any] = []
    arrays = Handle.arrays

    def noted(self: Handle, values: Any) -> Any:
        seen.append(list(values))
        return arrays(self, seen[-1])

    monkeypatch.setattr(Handle, "arrays", noted)
    return seen


def pair() -> tuple[Any, Any, Any]:
    x = tf.placeholder(tf.float32, [None, 3])
    y = tf.placeholder(tf.float32, [None, 3])
    return x, y, x - y


def ways(session: Any, fetch: Any, keys: list[Any]) -> list[Callable[..., Any]]:
    """run and make_callable as functions of the values."""
    return [
        lambda *values: session.run(fetch, dict(zip(keys, values))),
        session.make_callable(fetch, keys),
    ]


@pytest.mark.parametrize("way", [0, 1])
def test_arrays_as_last_time_are_not_looked_at(conversions: list[Any], way: int) -> None:
    x, y, z = pair()
    with tf.Session() as session:
        run = ways(session, z, [x, y])[way]
        for n in range(5):
            got = run(ONES * n, ONES)
            np.testing.assert_array_equal(got, ONES * (n - 1))
    assert len(conversions) == 1


class Subclass(np.ndarray):
    """An array of a type that compiled code does not know."""


ODD: dict[str, Any] = {
    "list": (5 * ONES).tolist(),
    "float64": 5 * ONES.astype(np.float64),
    "integers": 5 * ONES.astype(np.int32),
    "transposed": np.full((3, 2), 5, np.float32).T,
    "strided": np.full((4, 3), 5, np.float32)[::2],
    "subclass": (5 * ONES).view(Subclass),
    "masked": np.ma.array(5 * ONES),
    "other byte order": (5 * ONES).astype(">f4"),
    "read-only": np.broadcast_to(np.float32(5), (2, 3)),
    "rows": np.full((7, 3), 5, np.float32),
    "no rows": np.zeros((0, 3), np.float32),
}


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("name", ODD)
def test_other_values_take_the_long_way_and_back(name: str, way: int) -> None:
    x, y, z = pair()
    odd = ODD[name]
    rows = np.asarray(odd).shape[0]
    other = np.ones((rows, 3), np.float32)
    with tf.Session() as session:
        run = ways(session, z, [x, y])[way]
        for values in ((ONES, ONES), (ONES * 2, ONES), (odd, other), (odd, other), (ONES, ONES)):
            got = run(*values)
            want = np.asarray(values[0], np.float32) - np.asarray(values[1], np.float32)
            np.testing.assert_array_equal(got, want)
            assert type(got) is np.ndarray and got.dtype == np.float32


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("bad", [None, "text", object(), ONES[0], np.ones((2, 4)), [[1], [2, 3]]])
def test_what_cannot_be_fed_is_refused_as_at_first(bad: Any, way: int) -> None:
    x, y, z = pair()
    texts = []
    for warm in (0, 3):
        with tf.Session() as session:
            run = ways(session, z, [x, y])[way]
            for _ in range(warm):
                run(ONES, ONES)
            with pytest.raises((TypeError, ValueError)) as caught:
                run(bad, ONES)
            texts.append((type(caught.value), str(caught.value).splitlines()[0]))
            np.testing.assert_array_equal(run(ONES, ONES), 0 * ONES)
    assert texts[0] == texts[1]


def test_variables_change_once_a_run() -> None:
    v = tf.Variable(np.zeros((2, 3), np.float32))
    x = tf.placeholder(tf.float32, [2, 3])
    step = tf.assign_add(v, x)
    with tf.Session() as session:
        session.run(v.initializer)
        for n, value in enumerate([ONES, ONES, ONES.tolist(), ONES, ONES.astype(float), ONES], 1):
            np.testing.assert_array_equal(session.run(step, {x: value}), n * ONES)


def test_fetches_that_are_fed_come_back(conversions: list[Any]) -> None:
    x, y, z = pair()
    with tf.Session() as session:
        for n in range(3):
            fed, got = session.run([x, z], {x: ONES * n, y: ONES})
            np.testing.assert_array_equal(fed, ONES * n)
            np.testing.assert_array_equal(got, ONES * (n - 1))
    assert len(conversions) == 3


def test_values_that_decide_shapes_are_compared() -> None:
    size = tf.placeholder(tf.int32, [1])
    y = tf.ones(size) * 2.0
    with tf.Session() as session:
        for n in (2, 2, 5, 5, 2):
            assert session.run(y, {size: np.array([n], np.int32)}).shape == (n,)


def test_where_the_frame_does_not_look_itself_nothing_goes_unseen(
    monkeypatch: pytest.MonkeyPatch, conversions: list[Any]
) -> None:
    run_any = Runner.run_any

    def unchecked(self: Runner, *args: Any) -> Any:
        out = run_any(self, *args)
        if self._fast is not None:
            self._fast = (*self._fast[:2], False)
        return out

    monkeypatch.setattr(Runner, "run_any", unchecked)
    x, y, z = pair()
    with tf.Session() as session:
        for _ in range(3):
            session.run(z, {x: ONES, y: ONES})
    assert len(conversions) == 3
