"""The collector rests while plans are built, and comes back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

import graphc as tf
from graphc.runtime import plan
from graphc.runtime.collecting import uncollected


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_collection_rests_inside_and_nests() -> None:
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_brings_it_back() -> None:
    with pytest.raises(ValueError, match="inside"), uncollected():
        raise ValueError("inside")
    assert gc.isenabled()


def test_who_switched_it_off_finds_it_off() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()


def test_the_last_thread_that_leaves_brings_it_back() -> None:
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with uncollected():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    with uncollected():
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_plans_are_built_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    real = plan.optimize

    def optimize(*args: object) -> object:
        seen.append(gc.isenabled())
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(plan, "optimize", optimize)
    with tf.Graph().as_default(), tf.Session() as session:
        assert session.run(tf.constant(1.0) + 2.0) == 3.0
    assert seen
    assert not any(seen)
    assert gc.isenabled()
