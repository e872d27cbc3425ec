"""The worker pool: exact under every number of threads, through forks, exits and busy machines."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from graphc.runtime import driver, threads
from tests.runtime.kernels import Log, add_kernel, log_kernel

pytestmark = pytest.mark.skipif(not threads.supported(), reason="no workers on this platform")


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    yield
    threads.set_num_threads(None)


def step(kernel: int, args: int, extent: int, chunk: int) -> np.ndarray:
    return np.array([[kernel, args, extent, chunk, driver.KERNEL, 0, 0, 0]], np.int64)


def random_jobs(count: int, seed: int, threads_now: int, repeat: int = 1) -> None:
    """Many splits of random extents and chunks; each element is counted exactly."""
    random = np.random.default_rng(seed)
    x = np.zeros(4096, np.float32)
    want = np.zeros(4097, np.int64)
    args = np.array([x.ctypes.data], np.int64)
    pool = threads.pool_address()
    extents = random.integers(2, 4096, count)
    chunks = np.maximum(1, extents // random.integers(1, 3 * threads_now + 2, count))
    rows = np.zeros((count, driver.STEP_WORDS), np.int64)
    rows[:, :2] = add_kernel(), args.ctypes.data
    rows[:, driver.EXTENT], rows[:, driver.CHUNK] = extents, chunks
    for _ in range(repeat):
        assert driver.drive(rows, pool, release_gil=True) == driver.FINISHED
    np.add.at(want, extents, -repeat)
    want[0] += count * repeat
    np.testing.assert_array_equal(x, np.cumsum(want)[:4096])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_pieces_depend_on_the_shape_alone(count: int) -> None:
    threads.set_num_threads(count)
    assert threads.get_num_threads() == count
    log = Log()
    for extent in (5, 64, 100, 129):
        driver.drive(step(log_kernel(), log.address, extent, 16), threads.pool_address())
    pieces = [
        (lo, min(lo + 16, extent)) for extent in (5, 64, 100, 129) for lo in range(0, extent, 16)
    ]
    assert log.pieces() == sorted(pieces)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_random_jobs_are_exact(count: int) -> None:
    threads.set_num_threads(count)
    random_jobs(7000, seed=count, threads_now=count)


def test_a_million_random_jobs_are_exact() -> None:
    threads.set_num_threads(2)
    random_jobs(20000, seed=1, threads_now=2, repeat=50)


def test_jobs_of_one_run_after_workers_slept() -> None:
    threads.set_num_threads(2)
    for seed in range(20):
        random_jobs(5, seed=seed, threads_now=2)
        time.sleep(0.002)


def test_a_worker_that_waits_for_its_callers_processor_is_moved_off_it() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one processor")
    here = ctypes.CDLL(None).sched_getcpu
    for seed in range(500):
        threads.set_num_threads(2)
        random_jobs(2, seed, 2)
        (worker,) = (t for t in threading.enumerate() if t.name == "graphc-1")
        number = worker.native_id
        assert number is not None
        if os.sched_getaffinity(number) == allowed:  # else it began late, and was moved already
            bound = {here()}
            os.sched_setaffinity(number, bound)
            random_jobs(20, seed, 2)
            if os.sched_getaffinity(number) == bound:
                continue
        now = os.sched_getaffinity(number)
        assert now < allowed and len(now) == len(allowed) - 1
        return
    pytest.fail("no worker was moved")


def test_number_of_threads_is_checked_and_may_change_between_runs() -> None:
    for bad in (0, -1, 257):
        with pytest.raises(ValueError, match="threads"):
            threads.set_num_threads(bad)
    for seed in range(12):
        threads.set_num_threads(1 + seed % 4)
        random_jobs(50, seed, 4)
    threads.set_num_threads(None)
    assert threads.get_num_threads() == threads.available_cpus()


def test_many_runs_at_once_share_one_pool() -> None:
    threads.set_num_threads(3)
    failures: list[AssertionError] = []

    def work(seed: int) -> None:
        try:
            for turn in range(10):
                random_jobs(200, 100 * seed + turn, 3)
        except AssertionError as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for turn in range(10):
        threads.set_num_threads(2 + turn % 3)
        time.sleep(0.005)
    for worker in workers:
        worker.join()
    assert not failures


def run_script(script: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    prelude = """
    import os, signal, sys, threading, time
    import numpy as np
    from graphc.runtime import driver, threads
    from tests.runtime.test_threads import random_jobs
    """
    code = textwrap.dedent(prelude) + textwrap.dedent(script)
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=root, timeout=timeout, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip


def test_children_of_a_fork_start_a_pool_of_their_own() -> None:
    done = run_script(
        """
        threads.set_num_threads(2)
        random_jobs(100, 0, 2)
        stop = []
        def busy():
            while not stop: random_jobs(100, 1, 2)
        other = threading.Thread(target=busy); other.start()
        for turn in range(5):
            pid = os.fork()
            if pid == 0:
                before = threading.active_count()
                random_jobs(300, turn, 2)
                os._exit(0 if threading.active_count() == before + 1 else 3)
            assert os.waitpid(pid, 0)[1] == 0, turn
            random_jobs(100, turn, 2)
        stop.append(1); other.join()
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_interpreter_exits_with_workers_awake_or_asleep() -> None:
    for pause in (0, 0.01):
        done = run_script(
            f"threads.set_num_threads(3); random_jobs(100, 0, 3); time.sleep({pause})"
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_exit_does_not_wait_for_an_endless_run_of_a_daemon_thread() -> None:
    done = run_script(
        """
        threads.set_num_threads(2)
        log = __import__("tests.runtime.kernels", fromlist=["Log"])
        x = np.zeros(8, np.float32)
        args = np.array([x.ctypes.data], np.int64)
        steps = np.zeros((2, 8), np.int64)
        steps[0, :5] = log.add_kernel(), args.ctypes.data, 8, 4, driver.KERNEL
        steps[1, driver.KIND] = driver.JUMP
        pool = threads.pool_address()
        endless = lambda: driver.drive(steps, pool, release_gil=True)
        threading.Thread(target=endless, daemon=True).start()
        time.sleep(0.05)
        print("left")
        """,
        timeout=20,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


def test_runs_in_exit_handlers_are_serial_and_exact() -> None:
    done = run_script(
        """
        import atexit
        atexit.register(lambda: (random_jobs(100, 0, 2), print("exact")))
        threads.set_num_threads(2)
        random_jobs(100, 0, 2)
        threads._pool().close()
        random_jobs(100, 1, 2)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "exact\n", "")


def test_ctrl_c_ends_a_run_loop() -> None:
    done = run_script(
        """
        threads.set_num_threads(2)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            while True: random_jobs(50, 0, 2)
        except KeyboardInterrupt:
            random_jobs(50, 0, 2)
            print("stopped")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")


def test_one_processor_of_affinity_means_one_thread() -> None:
    done = run_script(
        """
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        assert threads.get_num_threads() == 1
        random_jobs(100, 0, 2)
        assert threading.active_count() == 1
        threads.set_num_threads(3)  # more threads than cores: slow, but exact and finite
        random_jobs(300, 0, 3)
        assert threading.active_count() == 3
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_busy_machine_does_not_stall_runs() -> None:
    hog = [sys.executable, "-c", "import time; t = time.time()\nwhile time.time() < t + 20: pass"]
    hogs = [subprocess.Popen(hog) for _ in range(threads.available_cpus())]
    try:
        threads.set_num_threads(2)
        start = time.perf_counter()
        random_jobs(2000, 0, 2)
        assert time.perf_counter() - start < 10
    finally:
        for process in hogs:
            process.kill()
            process.wait()


def test_no_thread_starts_before_the_first_split_step() -> None:
    done = run_script(
        """
        threads.set_num_threads(4)
        pool = threads.pool_address()
        steps = np.zeros((1, 8), np.int64)
        assert driver.drive(steps, pool) == -1
        assert threading.active_count() == 1
        random_jobs(10, 0, 4)
        assert threading.active_count() == 4
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
