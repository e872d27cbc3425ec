"""Products and convolutions on a GPU: their numbers in the simulator, their sizes, their code."""

from __future__ import annotations

import ctypes
import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.errors import InternalError
from graphc.ir.dtypes import bfloat16, float16, float32, float64, int32
from graphc.ir.shape import shape_env
from graphc.kernel.launch import A100, H200, Gpu
from graphc.kernel.tiles.gpu import (
    VECTOR,
    Digit,
    by_rows,
    gpu_tile,
    gpu_tiles,
    joined,
    sum_parts,
    vector_of,
)
from graphc.render import numba_cuda
from graphc.render.cuda_tiles_support import to_tf32
from graphc.runtime.gpu import product_library
from graphc.runtime.gpu.product_calls import GpuLaunch
from graphc.runtime.gpu.product_library import Library, PlainCublas, by_library, library_on
from graphc.runtime.schedule import schedule
from tests.cuda.product_cases import CASES, made
from tests.cuda.products import DEVICE, TENSOR, FakeCublas, launched, launches_of
from tests.cuda.simulation import simulation
from tests.cuda.test_ptx import program_of_work
from tools.bench.works import WORKS

needs_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason='numba-cuda is not installed: pip install "graphc[cuda]"',
)
DEVICES = ((8, 0), (9, 0))
MOST_SPILLS = 64  # bytes: a few words that stay in the first cache


FEW = list(CASES)[::3]  # the others are slow: each thread is one of Python
OTHERS = [name for name in CASES if name not in FEW]
Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def results() -> Results:
    return simulation("products", FEW)


@pytest.fixture(scope="module")
def more_results() -> Results:
    return simulation("products", OTHERS)


def check(results: Results, name: str) -> None:
    result = results[name]
    assert not result["error"], result["error"]
    assert tuple(result["forms"]) == CASES[name].forms


@needs_cuda
@pytest.mark.parametrize("name", FEW)
def test_the_simulator_agrees_with_the_cpu(results: Results, name: str) -> None:
    check(results, name)


@needs_cuda
@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_the_simulator_agrees_in_all_cases(more_results: Results, name: str) -> None:
    check(more_results, name)


# ------------------------------------------------------------------ sizes
def test_tiles_have_whole_threads_and_fit() -> None:
    for itemsize, tensor in ((4, False), (8, False), (4, True)):
        for tile in gpu_tiles(itemsize, tensor):
            assert tile.rows % tile.row_each == tile.columns % tile.column_each == 0
            assert max(tile.rows, tile.columns) <= tile.threads <= 256 and tile.depth % 8 == 0
            # of what a warp adds to at once, or a thread
            least = 16 if tensor else min(tile.row_each, VECTOR // itemsize)
            assert tile.rows // tile.slabs(itemsize) % least == 0
            # stages with their padding, and the slab
            stages = 2 * tile.depth * (tile.rows + tile.columns + 16) * itemsize
            assert stages + tile.rows * tile.columns * itemsize // tile.slabs(itemsize) <= 48 << 10


@pytest.mark.parametrize("gpu", [A100, H200], ids=lambda g: g.name)
def test_tiles_grow_with_the_product(gpu: Gpu) -> None:
    def size(batch: int, m: int, n: int) -> int:
        tile = gpu_tile(batch, m, n, 4, gpu)
        return tile.rows * tile.columns

    assert size(1, 4096, 4096) >= 64 * 128
    assert size(1, 512, 512) < 64 * 128
    assert size(64, 512, 512) > size(1, 512, 512)
    thin = gpu_tile(16, 4, 8192, 4, gpu, vectors=(4, 4))
    assert thin.rows < thin.columns
    assert gpu_tile(1, 512, 512, 4, gpu, most=32).threads <= 32
    assert gpu_tile(1, 4096, 4096, 4, gpu, tensor=True).tensor
    for vectors in ((1, 1), (4, 1), (1, 4), (4, 4)):
        assert gpu_tile(1, 200, 32, 4, gpu, vectors=vectors).loads(vectors) <= 8
    assert not gpu_tile(1, 4096, 4096, 4, replace(gpu, cc=(7, 5)), tensor=True).tensor


def test_long_sums_are_cut_by_the_shape() -> None:
    assert sum_parts(200, 1 << 20) == (1, 1 << 20)
    assert sum_parts(1, 500) == (1, 500)
    assert sum_parts(0, 1 << 20) == (1, 1 << 20)
    for blocks, k in ((1, 512), (1, 100_000), (100, 4097), (7, 999)):
        parts, each = sum_parts(blocks, k)
        assert parts > 1 and each % 32 == 0 and (parts - 1) * each < k <= parts * each


def test_neighbours_that_are_one_walk_are_one_digit() -> None:
    walk = [Digit(5, 12), Digit(3, 4), Digit(4, 1)]
    assert joined(walk) == (Digit(60, 1),)
    assert joined([Digit(5, 13), Digit(3, 4), Digit(4, 1)]) == (Digit(5, 13), Digit(12, 1))
    assert joined([Digit(5, 12, 0, 1), Digit(3, 4), Digit(4, 1)]) == (
        Digit(5, 12, 0, 1), Digit(12, 1),
    )  # fmt: skip
    assert joined([]) == ()


def test_loads_are_as_wide_as_rows_allow() -> None:
    assert [vector_of(float32, n) for n in (8, 6, 5)] == [4, 2, 1]
    assert [vector_of(float64, n) for n in (8, 6, 5)] == [2, 2, 1]
    assert vector_of(float16, 64) == vector_of(bfloat16, 64) == 4
    assert by_rows(1, 4096, True) and not by_rows(1, 4096, False) and not by_rows(8, 8, True)


def test_equal_kernels_have_equal_keys() -> None:
    def keys(m: int, n: int, scale: float) -> list[str]:
        tf.reset_default_graph()
        a, b = np.ones((m, 64), np.float32), np.ones((64, n), np.float32)
        x, y = tf.placeholder(tf.float32, a.shape), tf.placeholder(tf.float32, b.shape)
        return [one.key for one in launched([tf.matmul(x, y) * scale], {x: a, y: b})]

    assert keys(1024, 1024, 2.0) == keys(1024, 1024, 2.0)
    assert keys(1024, 1024, 2.0) != keys(1024, 1024, 3.0)


def _kinds(name: str) -> list[tuple[str, bool, bool]]:
    """(form, whether a group stands behind, whether rows have places of their own) of kernels."""
    launches = launched(*made(name))
    return [(one.form, one.finish is not None, bool(one.product.place)) for one in launches]


def test_groups_run_on_the_elements_of_products() -> None:
    assert _kinds("batch") == _kinds("convolution behind") == [("tile", True, False)]
    assert _kinds("long sum") == [("tile", False, False), ("parts", True, False)]
    assert _kinds("times a vector") == [("rows", True, False)]
    assert _kinds("depthwise") == [("columns", True, False)]
    forward, *places = _kinds("gradients of strides, behind")
    assert not forward[2] and places == [("tile", True, True)] * 4
    assert _kinds("convolution of halves") == [("tile", True, False)]


def test_sums_are_cut_alike_on_every_device() -> None:
    """What is added first must not depend on the device; tiles may."""
    fetches, feeds = made("long sum")
    few = Gpu("few", (9, 0), sms=1, bandwidth=1e9, cache=1 << 20)
    for gpu in (few, A100, H200):
        first, second = launched(fetches, feeds, gpu)
        assert first.product.partial and second.form == "parts"
        numbers = [v for kind, v in first.arguments if kind == "int"]
        assert numbers == [5, 6, 1100, 288, 4]


def test_tf32_has_ten_bits_and_rounds_ties_away() -> None:
    eps = np.float32(2.0**-10)
    one = np.float32(1)
    assert to_tf32(one + eps) == one + eps
    assert to_tf32(one + eps / 2) == one + eps
    assert to_tf32(-(one + eps / 2)) == -(one + eps)
    assert to_tf32(one + eps / 4) == one
    for half in (np.float16(1 / 3), np.float16(65504), np.float16(6e-5)):
        assert to_tf32(np.float32(half)) == half
    assert np.isnan(to_tf32(np.float32("nan"))) and to_tf32(np.float32("-inf")) == -np.inf


# ------------------------------------------------------------------ cuBLAS
def test_cublas_takes_large_products_of_matrices() -> None:
    assert by_library(1, (2048, 2048, 2048), float32, False)
    assert by_library(1, (512, 512, 512), bfloat16, False)
    assert not by_library(1, (512, 512, 512), float32, False)
    assert not by_library(1, (2048, 2048, 2048), int32, False)
    assert not by_library(1, (1, 1 << 20, 1 << 20), float32, False)
    # what stands behind is a pass of its own: the sum must be worth it
    assert by_library(1, (8192, 8192, 512), float32, True)
    assert not by_library(1, (8192, 8192, 256), float32, True)


def test_without_cublas_or_memory_for_it_all_is_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    def full(nbytes: int) -> int:
        raise MemoryError

    monkeypatch.setattr(product_library, "_binding", FakeCublas)
    assert isinstance(library_on(0, lambda nbytes: 64), Library)
    assert library_on(0, full) is None
    monkeypatch.setattr(product_library, "_binding", missing)
    assert library_on(0, lambda nbytes: 64) is None


def test_cublas_is_called_as_it_is_where_no_binding_is_installed() -> None:
    """Of a kind each, as C declares them: a wrong width would be read from the next argument."""
    called: list[tuple[str, list[int]]] = []

    class Functions:
        def __getattr__(self, name: str) -> Any:
            def function(*args: Any) -> int:
                called.append((name, [ctypes.sizeof(a) for a in args]))
                return 0 if name != "cublasSetStream_v2" else 7

            return function

    plain = PlainCublas.__new__(PlainCublas)
    plain._functions = Functions()  # type: ignore[assignment]
    plain.set_workspace(1, 2, 3)
    plain.gemm_strided_batched_ex(*range(23))
    with pytest.raises(RuntimeError, match="status 7"):
        plain.set_stream(1, 2)
    (first, widths), (second, sizes), _ = called
    assert first == "cublasSetWorkspace_v2" and widths == [8, 8, 8]
    assert second == "cublasGemmStridedBatchedEx"
    assert sizes == [8, 4, 4, 4, 4, 4, 8, 8, 4, 4, 8, 8, 4, 4, 8, 8, 8, 4, 4, 8, 4, 4, 4]


def test_what_cublas_refuses_is_said_in_our_words() -> None:
    class Refusing(FakeCublas):
        def create(self) -> int:
            raise RuntimeError("CUBLAS_STATUS_NOT_INITIALIZED")

    with pytest.raises(InternalError, match="cuBLAS: create failed: CUBLAS_STATUS"):
        Library(Refusing(), 0, 0)


# ------------------------------------------------------------------ code
def _zeros(*shape: int, dtype: Any = np.float32) -> Any:
    """An array without memory."""
    return np.broadcast_to(np.zeros(1, dtype), shape)


def _matmul(a: Any, b: Any) -> Any:
    return tf.matmul(a, b)


def _dense(a: Any, b: Any, c: Any) -> Any:
    return tf.nn.gelu(tf.matmul(a, b) + c)


def _attention(q: Any, k: Any) -> Any:
    return tf.matmul(q, k, transpose_b=True) * 0.125


def _weights(a: Any, g: Any) -> Any:
    return tf.matmul(a, g, transpose_a=True)


def _conv(stride: int) -> Any:
    return lambda x, w, b: tf.nn.relu(tf.nn.conv2d(x, w, [1, stride, stride, 1], "SAME") + b)


def _conv_gradients(stride: int) -> Any:
    def of_square(x: Any, w: Any) -> Any:
        y = tf.nn.conv2d(x, w, [1, stride, stride, 1], "SAME")
        return tf.gradients(y * y, [x, w])

    return of_square


def _depthwise(x: Any, w: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME")


IMAGES = (32, 56, 56, 64)
LARGE: dict[str, tuple[Any, tuple[tuple[int, ...], ...], Any]] = {
    "4096 squared": (_matmul, ((4096, 4096), (4096, 4096)), np.float32),
    "odd": (_matmul, ((1023, 1021), (1021, 1019)), np.float32),
    "dense": (_dense, ((1024, 1024), (1024, 1024), (1024,)), np.float32),
    "dense of halves": (_dense, ((1024, 1024), (1024, 1024), (1024,)), np.float16),
    "layer of an MLP": (_dense, ((128, 784), (784, 512), (512,)), np.float32),
    "its weights": (_weights, ((128, 784), (128, 512)), np.float32),
    "attention": (_attention, ((64, 128, 32), (64, 128, 32)), np.float32),
    "doubles": (_matmul, ((1024, 1024), (1024, 1024)), np.float64),
    "whole numbers": (_matmul, ((1024, 1024), (1024, 1024)), np.int32),
    "long numbers": (_matmul, ((512, 512), (512, 512)), np.int64),
    "one row": (_matmul, ((1, 4096), (4096, 4096)), np.float32),
    "one column": (_matmul, ((4096, 4096), (4096, 1)), np.float32),
    "convolution": (_conv(1), (IMAGES, (3, 3, 64, 64), (64,)), np.float32),
    "stem": (_conv(2), ((32, 224, 224, 3), (7, 7, 3, 64), (64,)), np.float32),
    "gradients": (_conv_gradients(1), (IMAGES, (3, 3, 64, 64)), np.float32),
    "gradients of strides": (_conv_gradients(2), (IMAGES, (3, 3, 64, 128)), np.float32),
    "gradients of halves": (_conv_gradients(2), (IMAGES, (3, 3, 64, 128)), np.float16),
    "depthwise": (_depthwise, (IMAGES, (3, 3, 64, 1)), np.float32),
}


def _launches(name: str, config: Config = DEVICE) -> list[GpuLaunch]:
    make, shapes, dtype = LARGE[name]
    tf.reset_default_graph()
    feeds = {}
    for shape in shapes:
        feeds[tf.placeholder(dtype, shape)] = _zeros(*shape, dtype=dtype)
    found = make(*feeds)
    return launched(found if isinstance(found, list) else [found], feeds, config=config)


@needs_cuda
@pytest.mark.parametrize("name", LARGE)
def test_large_products_fit_into_registers(name: str) -> None:
    seen: set[str] = set()
    for number, launch in enumerate(_launches(name)):
        if launch.key in seen:
            continue
        seen.add(launch.key)
        text = launch.ptx("product", DEVICES[number % 2])
        code = numba_cuda.cubin(text, DEVICES[number % 2])
        assert ".entry product(" in text and ".local" not in text
        assert code.spills <= MOST_SPILLS, f"{launch.name} spills {code.spills} bytes"
        assert 0 < code.registers <= 128 and code.shared <= 48 << 10
        if launch.form == "tile":
            assert "ld.shared.v" in text and "st.shared" in text


@needs_cuda
@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_products_of_every_work_fit_into_registers(name: str) -> None:
    program = program_of_work(name, DEVICE)
    with shape_env(program.env):
        launches = launches_of(schedule(program, DEVICE), program.env.hints)
    for launch in {one.key: one for one in launches}.values():
        for cc in DEVICES:
            code = numba_cuda.cubin(launch.ptx("product", cc), cc)
            assert code.spills <= MOST_SPILLS and code.registers <= 128, launch.source()[0]


@needs_cuda
@pytest.mark.parametrize("name", ["4096 squared", "odd", "dense of halves", "gradients of strides"])
def test_tensor_cores_where_they_are_asked_for(name: str) -> None:
    launches = [one for one in _launches(name, TENSOR) if one.form == "tile"]
    for number, launch in enumerate(launches[:3]):
        text = launch.ptx("product", DEVICES[number % 2])
        code = numba_cuda.cubin(text, DEVICES[number % 2])
        assert "mma.sync.aligned.m16n8k8" in text
        assert ("cvt.rna.tf32" in text) == (launch.product.dtype is float32)
        assert code.spills == 0 and ".local" not in text
        assert code.registers <= 128 and code.shared <= 48 << 10


@needs_cuda
def test_rows_that_line_up_are_loaded_four_at_a_time() -> None:
    (launch,) = _launches("4096 squared")
    text = launch.ptx("product", (9, 0))
    assert "ld.global.v4.f32" in text
    assert text.count("fma.rn.f32") == 8 * 64  # a thread's sums, for each k of a turn
    (odd,) = _launches("odd")
    assert "ld.global.v" not in odd.ptx("product", (9, 0))
