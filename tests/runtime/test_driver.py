"""The compiled driver: kinds of steps, chunks, profile."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

from graphc.runtime import driver, frame, threads
from tests.runtime.kernels import Log, add_kernel, log_kernel


def table(*rows: tuple[int, ...]) -> np.ndarray:
    steps = np.zeros((len(rows), driver.STEP_WORDS), np.int64)
    for number, row in enumerate(rows):
        steps[number, : len(row)] = row
    return steps


def adder(x: np.ndarray, args: np.ndarray, extent: int, chunk: int = 0) -> tuple[int, ...]:
    args[0] = x.ctypes.data
    return (add_kernel(), args.ctypes.data, extent, chunk, driver.KERNEL)


@pytest.mark.parametrize("extent", [0, 1, 7, 8, 9, 16, 33])
@pytest.mark.parametrize("pooled", [False, True])
def test_kernel_sees_the_same_pieces_with_and_without_pool(extent: int, pooled: bool) -> None:
    log = Log()
    steps = table((log_kernel(), log.address, extent, 8, driver.KERNEL))
    pool = threads.pool_address() if pooled else 0
    assert driver.drive(steps, pool) == driver.FINISHED
    assert log.pieces() == [(lo, min(lo + 8, extent)) for lo in range(0, extent, 8)]


@pytest.mark.parametrize("chunk", [0, -1, 100])
def test_a_chunk_that_is_not_smaller_means_one_piece(chunk: int) -> None:
    log = Log()
    driver.drive(table((log_kernel(), log.address, 100, chunk, driver.KERNEL)))
    assert log.pieces() == [(0, 100)]


def test_steps_run_in_order_and_empty_tables_finish() -> None:
    assert driver.drive(table()) == driver.FINISHED
    x, args = np.zeros(8, np.float32), np.zeros(1, np.int64)
    row = adder(x, args, 8)
    assert driver.drive(table(row, row, row)) == driver.FINISHED
    assert x.tolist() == [3.0] * 8
    assert driver.drive(table(row, row, row), start=2, release_gil=True) == driver.FINISHED
    assert x.tolist() == [4.0] * 8


def test_check_stops_only_at_a_status() -> None:
    x, args, status = np.zeros(4, np.float32), np.zeros(1, np.int64), np.zeros(3, np.int64)
    row = adder(x, args, 4)
    steps = table(row, (0, status.ctypes.data, 3, 0, driver.CHECK), row)
    assert driver.drive(steps) == driver.FINISHED
    assert x[0] == 2
    status[2] = 5
    assert driver.drive(steps) == 1
    assert x[0] == 3


def test_host_step_stops_and_the_walk_resumes_behind_it() -> None:
    x, args = np.zeros(4, np.float32), np.zeros(1, np.int64)
    row = adder(x, args, 4)
    steps = table(row, (0, 0, 0, 0, driver.HOST), row)
    assert driver.drive(steps) == 1
    assert driver.drive(steps, start=2) == driver.FINISHED
    assert x[0] == 2


def test_a_counted_loop_walks_along_an_array() -> None:
    rows, columns = 5, 6
    x, args = np.zeros((rows, columns), np.float32), np.zeros(1, np.int64)
    count, more = np.array([rows], np.int64), np.ones(1, np.bool_)
    remaining = np.arange(rows - 1, -1, -1).astype(np.bool_)  # the condition after each turn
    cursor = np.array([remaining.ctypes.data], np.int64)
    flag = np.array([more.ctypes.data], np.int64)
    test = np.array([more.ctypes.data], np.int64)
    address = [a.ctypes.data for a in (args, count, more, cursor, flag)]
    steps = table(
        (0, test.ctypes.data, 7, 0, driver.BRANCH),
        adder(x, args, columns),
        (0, address[0], 4 * columns, 0, driver.ADD),
        (0, address[1], -1, 0, driver.ADD),
        (0, address[4], address[3], 1, driver.COPY),
        (0, address[3], 1, 0, driver.ADD),
        (0, 0, 0, 0, driver.JUMP),
    )
    assert driver.drive(steps) == driver.FINISHED
    assert count[0] == 0
    assert (x == 1).all()


def endless(jumps_between_looks: int) -> np.ndarray:
    return table((0, 0, 0, 0, driver.JUMP, driver.signals_address(), 0, jumps_between_looks))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
@pytest.mark.parametrize("release_gil", [False, True])
def test_a_signal_ends_an_endless_loop(release_gil: bool) -> None:
    class Alarm(Exception):
        pass

    def ring(*_: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Alarm):
            driver.drive(endless(64), release_gil=release_gil)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        loop = frame.Frame(endless(64), [], release_gil=release_gil)
        with pytest.raises(Alarm):
            loop.run()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Alarm):
            loop.resume()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_set_move_swap() -> None:
    words = np.array([1, 2, 3], np.int64)
    at = words.ctypes.data
    driver.drive(table((0, at, at + 8, 0, driver.SWAP), (0, at + 16, at, 0, driver.MOVE)))
    assert words.tolist() == [2, 1, 2]
    driver.drive(table((0, at, -9, 0, driver.SET)))
    assert words.tolist() == [-9, 1, 2]


def test_profile_counts_calls_and_time() -> None:
    x, args = np.zeros(1 << 16, np.float32), np.zeros(1, np.int64)
    row = adder(x, args, x.size)
    steps = table(row, (0, 0, 0, 0, driver.HOST), row)
    record = np.zeros((3, driver.PROFILE_WORDS), np.int64)
    before = time.monotonic_ns()
    assert driver.drive_profile(steps, record) == 1
    assert driver.drive_profile(steps, record) == 1
    after = time.monotonic_ns()
    calls, total, first, last = record[0]
    assert calls == 2
    assert 0 < total <= after - before
    assert before <= first < last <= after
    assert not record[2].any()


def test_a_table_of_the_wrong_form_is_refused() -> None:
    with pytest.raises(ValueError, match="table"):
        driver.drive(np.zeros((2, 7), np.int64))
    with pytest.raises(ValueError, match="table"):
        driver.drive(np.zeros((2, 8), np.int32))
    with pytest.raises(ValueError, match="profile"):
        driver.drive_profile(np.zeros((2, 8), np.int64), np.zeros(4, np.int64))


def test_only_who_profiles_compiles_the_walk_that_does() -> None:
    assert "graphc_drive_profile" not in driver.driver_ir()
    assert set(driver.code()) == {"graphc_drive", "graphc_drive_free"}
    assert set(driver.profile_code()) == {"graphc_drive_profile"}
