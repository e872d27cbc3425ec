"""Aligned memory and the recycling pool: results belong to the user as long as any view lives."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any

import numpy as np
import pytest

from graphc.runtime import hostmem
from graphc.runtime.pool import Pool

MIB = 1 << 20


@pytest.mark.parametrize("shape", [0, 5, (), (3, 0), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.bool_])
def test_aligned_empty(shape: Any, dtype: Any) -> None:
    x = hostmem.aligned_empty(shape, dtype)
    assert x.shape == np.empty(shape, dtype).shape and x.dtype == dtype
    assert x.flags.c_contiguous and x.flags.writeable
    assert x.size == 0 or x.ctypes.data % 64 == 0
    x[...] = 1
    assert (x == 1).all()


@pytest.mark.parametrize("align", [0, 3, 4, 96])
def test_alignment_is_a_power_of_two_that_suits_the_dtype(align: int) -> None:
    with pytest.raises(ValueError, match="alignment"):
        hostmem.aligned_empty(4, np.float64, align)
    assert hostmem.aligned_empty(4, np.float64, 4096).ctypes.data % 4096 == 0


@pytest.mark.parametrize("nbytes", [0, 1, 1000, MIB, MIB + 1, 5 * MIB])
def test_arena(nbytes: int) -> None:
    x = hostmem.arena(nbytes)
    assert x.shape == (nbytes,) and x.dtype == np.uint8
    assert nbytes == 0 or x.ctypes.data % 64 == 0
    x[:] = 7
    assert (x == 7).all()


def test_large_blocks_start_at_a_huge_page() -> None:
    assert hostmem.map_block(4 * MIB).ctypes.data % hostmem.HUGE_PAGE == 0


def test_impossible_sizes_are_memory_errors() -> None:
    with pytest.raises(MemoryError):
        hostmem.map_block(1 << 60)
    with pytest.raises(MemoryError):
        Pool().empty(1 << 60, np.uint8)


def test_small_arrays_come_from_numpy() -> None:
    pool = Pool()
    x = pool.empty((10, 10), np.float32)
    assert x.shape == (10, 10) and x.base is None
    assert pool.empty((), np.float64).shape == ()
    assert pool.empty((1000, 1000), object)[0, 0] is None
    assert pool.stats().mapped == 0
    with pytest.raises(ValueError, match="negative"):
        pool.empty((-1000, -10000), np.float32)


def test_memory_comes_back_when_the_array_dies() -> None:
    pool = Pool()
    x = pool.empty((1024, 1024), np.float32)
    assert x.shape == (1024, 1024) and x.flags.c_contiguous and x.flags.writeable
    assert x.flags.aligned and x.ctypes.data % 64 == 0
    address = x.ctypes.data
    assert pool.stats().lent_bytes == 4 * MIB
    del x
    assert pool.stats().idle_bytes == 4 * MIB and pool.stats().lent_bytes == 0
    y = pool.empty((512, 2048), np.float32)
    assert y.ctypes.data == address
    assert (pool.stats().reused, pool.stats().mapped) == (1, 1)


VIEWS = {
    "slice": lambda x: x[5:10],
    "row": lambda x: x[3],
    "reshape": lambda x: x.reshape(-1),
    "transpose of a slice": lambda x: x[::2].T,
    "other dtype": lambda x: x.view(np.int32),
    "subclass": lambda x: x.view(np.matrix),
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "memoryview": lambda x: memoryview(x),
    "memoryview of a row": lambda x: np.asarray(memoryview(x[1])),
    "interface": lambda x: np.asarray(type("A", (), {"__array_interface__": x.__array_interface__,
                                                     "keep": x})()),
    "iterator": lambda x: x.flat,
}  # fmt: skip


@pytest.mark.parametrize("kind", VIEWS)
def test_any_view_keeps_the_memory(kind: str) -> None:
    pool = Pool()
    x = pool.empty((1024, 1024), np.float32)
    x[...] = 3
    address = x.ctypes.data
    view = VIEWS[kind](x)
    del x
    gc.collect()
    other = pool.empty((1024, 1024), np.float32)
    other[...] = 9
    assert other.ctypes.data != address
    assert kind == "iterator" or np.asarray(view).reshape(-1).view(np.float32)[0] == 3
    del view
    gc.collect()
    assert pool.stats().idle_blocks == 1


def test_sizes_share_blocks_but_never_waste_half() -> None:
    pool = Pool()
    del_me = pool.empty(8 * MIB, np.uint8)
    del del_me
    small = pool.empty(3 * MIB, np.uint8)
    assert pool.stats().reused == 0
    similar = pool.empty(8 * MIB - 1000, np.uint8)
    assert pool.stats().reused == 1
    del small, similar


def test_idle_memory_is_bounded_and_the_oldest_goes_first() -> None:
    pool = Pool(max_bytes=10 * MIB)
    blocks = [pool.empty(size * MIB, np.uint8) for size in (2, 4, 6, 3)]
    assert pool.stats().lent_bytes == 15 * MIB
    addresses = [block.ctypes.data for block in blocks]
    while blocks:
        del blocks[0]
    stats = pool.stats()
    assert (stats.idle_bytes, stats.idle_blocks, stats.released) == (9 * MIB, 2, 2)
    assert pool.empty(6 * MIB, np.uint8).ctypes.data == addresses[2]
    assert pool.trim() == 9 * MIB
    assert pool.stats().idle_bytes == 0


def test_a_pool_that_keeps_nothing_still_lends() -> None:
    pool = Pool(max_bytes=0)
    for _ in range(3):
        pool.empty(MIB, np.uint8)[:] = 1
    assert pool.stats().reused == 0 and pool.stats().idle_bytes == 0


def test_arrays_may_outlive_their_pool() -> None:
    x = Pool().empty(2 * MIB, np.uint8)
    gc.collect()
    x[:] = 1
    assert x.all()


def test_threads_never_get_the_same_memory() -> None:
    pool = Pool()
    wrong: list[int] = []

    def work(mark: int) -> None:
        for _ in range(200):
            x = pool.empty(MIB, np.uint8)
            x[::4096] = mark
            held = x[100:]
            del x
            if (held[4096 - 100 :: 4096] != mark).any():
                wrong.append(mark)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert pool.stats().lent_bytes == 0


def test_death_inside_a_cycle_and_inside_the_pool() -> None:
    pool = Pool()

    class Cycle:
        def __init__(self) -> None:
            self.me, self.array = self, pool.empty(MIB, np.uint8)

    for _ in range(20):
        Cycle()
    gc.collect()
    stats = pool.stats()
    assert stats.lent_bytes == 0 and stats.idle_blocks + stats.released == stats.mapped


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_does_not_touch_its_parents_results() -> None:
    pool = Pool()
    x = pool.empty(2 * MIB, np.uint8)
    x[:] = 1
    kept = pool.empty(MIB, np.uint8)
    del kept
    pid = os.fork()
    if pid == 0:
        x[:] = 2
        del x
        pool.empty(2 * MIB, np.uint8)[:] = 3
        os._exit(0 if pool.stats().reused == 1 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert (x == 1).all()
