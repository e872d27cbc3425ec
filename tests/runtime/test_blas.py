"""Products by NumPy's OpenBLAS through the kernel ABI."""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from typing import Any

import numpy as np
import pytest

from graphc.runtime import blas, driver, jit, threads

pytestmark = pytest.mark.skipif(not blas.available(), reason="no OpenBLAS beside NumPy")


@functools.cache
def kernel(dtype: str, *flags: bool) -> int:
    text = blas.gemm_kernel_ir("product", dtype, *flags)
    return jit.compile_and_load(text, ["product"])["product"]


def fill_slots(a: np.ndarray, b: np.ndarray, c: np.ndarray, **words: int) -> np.ndarray:
    slots = np.zeros(len(blas.SLOTS), np.int64)
    slots[[blas.A, blas.B, blas.C]] = [x.ctypes.data for x in (a, b, c)]
    slots[blas.FN], slots[blas.STATE] = blas.gemm_address(a.dtype), blas.state_address()
    slots[[blas.LDA, blas.LDB, blas.LDC]] = [
        max(1, x.shape[-1], x.strides[-2] // x.itemsize) for x in (a, b, c)
    ]
    for name, value in words.items():
        slots[getattr(blas, name)] = value
    return slots


def multiply(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, *flags: bool, chunk: int = 0, pool: int = 0
) -> None:
    """c = op(a) op(b) through driver and kernel; leading axes of c are batches."""
    m, n = c.shape[-2:]
    k = a.shape[-2] if flags[0] else a.shape[-1]
    strides = {
        f"STRIDE_{name}": x.strides[0] // x.itemsize if x.ndim == 3 else 0
        for name, x in zip("ABC", (a, b, c), strict=True)
    }
    slots = fill_slots(a, b, c, M=m, N=n, K=k, **strides)
    rows = m * (c.shape[0] if c.ndim == 3 else 1)
    step = [kernel(a.dtype.name, *flags), slots.ctypes.data, rows, chunk, driver.KERNEL, 0, 0, 0]
    assert driver.drive(np.array([step], np.int64), pool) == driver.FINISHED


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def T(x: np.ndarray, flag: bool) -> np.ndarray:
    return np.ascontiguousarray(x.swapaxes(-1, -2)) if flag else x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("chunk", [0, 1, 5, 7])
def test_products(dtype: str, trans_a: bool, trans_b: bool, chunk: int) -> None:
    a, b = random((13, 9), dtype), random((9, 11), dtype, 1)
    c = np.full((13, 11), np.nan, dtype)
    multiply(T(a, trans_a), T(b, trans_b), c, trans_a, trans_b, chunk=chunk)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("chunk", [0, 1, 6, 7, 10])
def test_batches_are_rows_one_after_the_other(trans_a: bool, trans_b: bool, chunk: int) -> None:
    a, b = random((4, 7, 3), "float32"), random((4, 3, 5), "float32", 1)
    c = np.full((4, 7, 5), np.nan, np.float32)
    multiply(T(a, trans_a), T(b, trans_b), c, trans_a, trans_b, True, chunk=chunk)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)


def test_an_operand_that_all_batches_share_has_stride_zero() -> None:
    a, b = random((4, 7, 3), "float64"), random((3, 5), "float64", 1)
    c = np.empty((4, 7, 5))
    multiply(a, b, c, False, False, True, chunk=3)
    np.testing.assert_allclose(c, a @ b, rtol=1e-12)


def test_accumulate_adds_to_the_result() -> None:
    a, b = random((6, 8), "float32"), random((8, 4), "float32", 1)
    c = np.ones((6, 4), np.float32)
    multiply(a, b, c, False, False, False, True)
    np.testing.assert_allclose(c, 1 + a @ b, rtol=1e-5, atol=1e-5)


def test_rows_of_a_larger_matrix() -> None:
    whole = random((10, 20), "float32")
    out = np.full((10, 20), 7, np.float32)
    a, b, c = whole[:, 3:9], whole[2:8, 10:14], out[:, 5:9]
    multiply(a, b, c, False, False, chunk=4)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5, atol=1e-5)
    assert (np.delete(out, range(5, 9), axis=1) == 7).all()


def test_empty_inner_axis_gives_zeros_and_nan_goes_through() -> None:
    c = np.full((3, 2), np.nan, np.float32)
    multiply(np.empty((3, 0), np.float32), np.empty((0, 2), np.float32), c, False, False)
    assert (c == 0).all()
    a, b = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
    b[0, 0] = np.inf
    c = np.zeros((2, 2), np.float32)
    multiply(a, b, c, False, False)
    assert np.isnan(c[:, 0]).all() and (c[:, 1] == 0).all()


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    a, b = random((200, 150), "float32"), random((150, 170), "float32", 1)
    results = []
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            c = np.empty((200, 170), np.float32)
            for _ in range(20):
                multiply(a, b, c, False, False, chunk=24, pool=threads.pool_address())
            results.append(c)
    finally:
        threads.set_num_threads(None)
    for c in results:
        np.testing.assert_array_equal(c, results[0])
    np.testing.assert_allclose(results[0], a @ b, rtol=1e-4, atol=1e-4)


def set_blas_threads(count: int) -> None:
    ctypes.PYFUNCTYPE(None, ctypes.c_int)(int(blas._state()[blas._SET]))(count)


@pytest.fixture
def two_blas_threads() -> Any:
    before = blas.get_num_threads()
    set_blas_threads(2)
    yield
    set_blas_threads(before)


@pytest.mark.usefixtures("two_blas_threads")
def test_the_users_number_of_blas_threads_comes_back() -> None:
    a, c = random((64, 64), "float32"), np.empty((64, 64), np.float32)

    def work() -> None:
        mine = c.copy()
        for _ in range(200):
            multiply(a, a, mine, False, False, chunk=16)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert blas.get_num_threads() == 2
    with blas.single_threaded():
        assert blas.get_num_threads() == 1
        with blas.single_threaded():
            multiply(a, a, c, False, False)
            assert blas.get_num_threads() == 1
        assert blas.get_num_threads() == 1
    assert blas.get_num_threads() == 2


@pytest.mark.usefixtures("two_blas_threads")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_forked_inside_a_product_has_the_users_number() -> None:
    with blas.single_threaded():
        pid = os.fork()
        if pid == 0:
            os._exit(0 if blas.get_num_threads() == 2 else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_other_dtypes_are_not_for_blas() -> None:
    assert blas.gemm_address(np.float16) is None
    assert blas.gemm_address(np.int32) is None
    with pytest.raises(ValueError, match="float32 and float64, not int32"):
        blas.gemm_kernel_ir("k", np.int32)
    assert "OpenBLAS" in blas.description()


def test_kernels_of_several_kinds_share_a_module() -> None:
    names = [f"k{i}" for i in range(3)]
    texts = [blas.gemm_kernel_ir(n, "float32", batched=i == 1) for i, n in enumerate(names)]
    assert len(set(jit.compile_and_load("\n".join(texts), names).values())) == 3
