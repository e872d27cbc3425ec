"""The fast entry: which arrays it takes, what it binds, and its answers."""

from __future__ import annotations

import gc
import sys
import threading
from typing import Any

import numpy as np
import pytest

from graphc.runtime import driver, frame
from graphc.runtime.frame import FeedSpec, Frame
from tests.runtime.kernels import sum_kernel

F4 = np.dtype(np.float32)


class Plan:
    """out = x + y over a shape, with its frame."""

    def __init__(self, shape: tuple[int, ...], *more: tuple[int, ...], **options: Any) -> None:
        self.slots = np.zeros(3, np.int64)
        at = self.slots.ctypes.data
        rows = [(sum_kernel(), at, int(np.prod(shape)), 0, driver.KERNEL), *more]
        self.table = np.zeros((len(rows), driver.STEP_WORDS), np.int64)
        for number, row in enumerate(rows):
            self.table[number, : len(row)] = row
        feeds = [FeedSpec(F4, shape, (at + 8 * i,)) for i in (0, 1)]
        self.frame = Frame(self.table, feeds, [FeedSpec(F4, shape, (at + 16,))], **options)


@pytest.fixture(params=["compiled", "python"])
def entry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(frame, "supported", lambda: False)
    return str(request.param)


def arrays(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.arange(np.prod(shape), dtype=F4).reshape(shape)
    return x, np.asarray(x * 2), np.empty(shape, F4)


def test_the_layout_holds_on_this_interpreter() -> None:
    assert frame.supported() == (not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled())


@pytest.mark.parametrize("release_gil", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4), (2, 3, 4, 5)])
def test_a_run_binds_and_computes(entry: str, shape: tuple[int, ...], release_gil: bool) -> None:
    plan = Plan(shape, release_gil=release_gil)
    for _ in range(3):
        x, y, out = arrays(shape)
        assert plan.frame.run(x, y, out) == driver.FINISHED
        np.testing.assert_array_equal(out, 3 * x)
    assert plan.frame.call((x, y), (out,)) == driver.FINISHED
    assert plan.slots.tolist() == [a.ctypes.data for a in (x, y, out)]


class Sub(np.ndarray):
    """A subclass, which may mean anything by its data."""


BAD = {
    "dtype": np.zeros((3, 4), np.float64),
    "integer dtype": np.zeros((3, 4), np.int32),
    "byte order": np.zeros((3, 4), np.dtype(">f4")),
    "shape": np.zeros((4, 3), F4),
    "rank": np.zeros(12, F4),
    "strides": np.zeros((4, 3), F4).T,
    "step": np.zeros((3, 8), F4)[:, ::2],
    "alignment": np.zeros(49, np.uint8)[1:].view(F4).reshape(3, 4),
    "subclass": np.zeros((3, 4), F4).view(Sub),
    "list": [[0.0] * 4] * 3,
    "scalar": 1.5,
    "NumPy scalar": np.float32(1),
    "None": None,
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_does_not_fit_is_named_and_nothing_runs(entry: str, what: str, position: int) -> None:
    plan = Plan((3, 4))
    given: list[Any] = [*arrays((3, 4))]
    given[2][...] = -1
    out, given[position] = given[2], BAD[what]
    assert plan.frame.run(*given) == position
    assert (out == -1).all()


def test_a_read_only_array_may_be_fed_but_not_written(entry: str) -> None:
    plan = Plan((3, 4))
    x, y, out = arrays((3, 4))
    x.flags.writeable = False
    assert plan.frame.run(x, y, out) == driver.FINISHED
    out.flags.writeable = False
    assert plan.frame.run(x, y, out) == 2


def test_a_wrong_number_of_arguments_is_refused(entry: str) -> None:
    plan = Plan((2,))
    x, y, out = arrays((2,))
    assert plan.frame.run() == 0
    assert plan.frame.run(x, y) == 2
    assert plan.frame.run(x, y, out, out) == 4


def test_slow_path_binds_by_hand_and_resumes(entry: str) -> None:
    plan = Plan((3, 4))
    x, y, out = arrays((3, 4))
    with pytest.raises(ValueError, match="argument 0"):
        plan.frame.bind(0, x.astype(np.float64))
    for index, array in enumerate((x, y, out)):
        plan.frame.bind(index, array)
    assert plan.frame.resume() == driver.FINISHED
    np.testing.assert_array_equal(out, 3 * x)


def test_stops_are_told_apart_from_refused_arguments(entry: str) -> None:
    status = np.ones(1, np.int64)
    check, host = (0, status.ctypes.data, 1, 0, driver.CHECK), (0, 0, 0, 0, driver.HOST)
    plan = Plan((3,), check, host)
    x, y, out = arrays((3,))
    code = plan.frame.run(x, y, out)
    assert code <= -2 and Frame.stopped_at(code) == 1
    np.testing.assert_array_equal(out, 3 * x)
    status[0] = 0
    assert Frame.stopped_at(plan.frame.run(x, y, out)) == 2
    assert plan.frame.resume(3) == driver.FINISHED
    assert plan.frame.run(x, y, out) <= -2  # the next run starts at the first step again


def test_profile_is_optional_and_checked() -> None:
    record = np.zeros((1, driver.PROFILE_WORDS), np.int64)
    plan = Plan((3,), profile=record)
    for _ in range(4):
        plan.frame.run(*arrays((3,)))
    assert record[0, 0] == 4
    with pytest.raises(ValueError, match="profile"):
        Plan((3,), profile=np.zeros(1, np.int64))


def test_runs_neither_leak_nor_drop_references() -> None:
    plan = Plan((3,))
    x, y, out = arrays((3,))
    before = [sys.getrefcount(a) for a in (x, y, out, F4, np.ndarray)]
    for _ in range(1000):
        plan.frame.run(x, y, out)
        plan.frame.run(x, y)
    assert [sys.getrefcount(a) for a in (x, y, out, F4, np.ndarray)] == before


def test_the_entry_outlives_its_frame_object() -> None:
    plan = Plan((3,))
    run = plan.frame.run
    del plan.frame
    gc.collect()
    x, y, out = arrays((3,))
    assert run(x, y, out) == driver.FINISHED
    np.testing.assert_array_equal(out, 3 * x)


def test_frames_of_their_own_run_in_many_threads() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        plan = Plan((100,), release_gil=number % 2 == 0)
        for turn in range(300):
            x = np.full(100, number * turn, F4)
            out = np.empty(100, F4)
            if plan.frame.run(x, x, out) != driver.FINISHED or (out != 2 * x).any():
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
