"""The kernel compile service: found again, never compiled twice; falls back visibly."""

from __future__ import annotations

import ctypes
import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.config import Config
from graphc.errors import CompileError
from graphc.ir.dtypes import float32, int64
from graphc.ir.shape import SymDim
from graphc.kernel import prims as k
from graphc.kernel.expr import Axis, Buffer, Const, Expr, Load, Prim, index
from graphc.kernel.nest import For, Kernel, Store
from graphc.render import numba_cpu
from graphc.runtime import codegen, jit
from graphc.runtime.cache import KernelCache

BATCH = SymDim.symbol("batch")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    codegen.reset()
    yield
    codegen.reset()


@pytest.fixture(params=["vector", "numba"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    return Config(codegen=request.param, cache_dir=str(tmp_path / "cache"))


def scale(factor: float, name: str = "scale", buffer: str = "x") -> Kernel:
    """y = x * factor + 1."""
    axis = Axis(BATCH, "i")
    x, y = Buffer(buffer, float32, (BATCH,), buffer), Buffer("y", float32, (BATCH,), "y")
    value = Load(x, (axis,), flat=True) * factor + 1.0
    return around(x, y, axis, value, name)


def around(x: Buffer, y: Buffer, axis: Axis, value: Expr, name: str) -> Kernel:
    loop = For(axis, Const(0, int64), index(BATCH), (Store(y, axis, value),), "parallel", 16)
    return Kernel(name, (x,), (y,), (BATCH,), (loop,), BATCH, 16, origins=("Mul 'm' (model.py:3)",))


def impossible(name: str = "bad") -> Kernel:
    """A kernel with a primitive that exists nowhere."""
    axis = Axis(BATCH, "i")
    x, y = Buffer("x", float32, (BATCH,), "x"), Buffer("y", float32, (BATCH,), "y")
    return around(x, y, axis, Prim("zeta", (Load(x, (axis,), flat=True),), float32), name)


def call(address: int, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    slots = np.array([x.ctypes.data, y.ctypes.data, len(x)], np.int64)
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    kind(address)(slots.ctypes.data, 0, len(x))
    return y


X = np.arange(21, dtype=np.float32)


def test_kernels_compute_and_say_how_they_were_made(config: Config) -> None:
    made = codegen.build([scale(2.0), scale(3.0, "other")], config)
    for kernel, factor in zip(made, (2, 3), strict=True):
        np.testing.assert_array_equal(call(kernel.address, X), X * np.float32(factor) + 1)
        assert kernel.printer == config.codegen and not kernel.from_cache
        assert f"@{kernel.symbol}(" in kernel.ir_text
    assert "def other(b0, o0, n0, lo, hi):" in made[1].source
    assert "f32(3.0)" in made[1].source
    assert codegen._counters.kernels_compiled == 2
    assert codegen._counters.kernel_bytes > 0 and codegen._counters.kernel_seconds > 0


def test_equal_kernels_are_compiled_once_in_a_call_and_in_the_process(config: Config) -> None:
    first = codegen.build([scale(2.0), scale(2.0, "twin", "z")], config)
    again = codegen.build([scale(2.0, "third")], config)
    assert len({kernel.address for kernel in (*first, *again)}) == 1
    assert [kernel.kernel.name for kernel in (*first, *again)] == ["scale", "twin", "third"]
    counts = codegen._counters
    assert (counts.kernels_compiled, counts.kernels_shared) == (1, 2)


def test_the_next_process_finds_kernels_on_disk(config: Config) -> None:
    codegen.build([scale(2.0), scale(3.0)], config)
    codegen.reset()
    found = codegen.build([scale(3.0), scale(2.0)], config)
    assert all(kernel.from_cache for kernel in found)
    np.testing.assert_array_equal(call(found[0].address, X), X * np.float32(3) + 1)
    assert codegen._counters.kernels_compiled == 0
    assert codegen._counters.kernels_from_cache == 2


def test_numba_kernels_are_loaded_from_disk_without_numba(tmp_path: Path) -> None:
    code = f"""
        import sys
        from graphc.config import Config
        from graphc.runtime import codegen
        from tests.runtime.test_codegen import scale
        config = Config(codegen="numba", cache_dir={str(tmp_path)!r})
        kernel, = codegen.build([scale(2.0)], config)
        print(kernel.from_cache, "numba" in sys.modules)
    """
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.strip())
    assert outputs == ["False True", "True False"]


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    config = Config(codegen="numba", cache_dir=None)
    assert codegen.build([scale(2.0)], config)[0].address
    assert list(tmp_path.iterdir()) == []


def test_the_folder_holds_texts_for_people(config: Config) -> None:
    codegen.build([scale(2.0)], config)
    assert config.cache_dir is not None
    (folder,) = Path(config.cache_dir).glob("modules/??/*")
    assert "kernel scale(" in (folder / "kernels.txt").read_text()
    assert "def scale(b0, o0, n0, lo, hi):" in (folder / "kernels.py").read_text()
    assert "define" in (folder / "kernels.ll").read_text()
    assert "Mul 'm' (model.py:3)" in (folder / "index.json").read_text()


def test_a_damaged_object_is_compiled_anew(config: Config) -> None:
    codegen.build([scale(2.0)], config)
    assert config.cache_dir is not None
    for path in Path(config.cache_dir).rglob("object.o"):
        path.write_bytes(b"rubbish")
    codegen.reset()
    (made,) = codegen.build([scale(2.0)], config)
    assert not made.from_cache
    np.testing.assert_array_equal(call(made.address, X), X * 2 + 1)


def test_an_object_that_does_not_link_is_compiled_anew(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    cache = KernelCache(None)
    key = codegen.printer_key(scale(2.0).key(), config.codegen)
    cache.put(key, b"not an object", symbol="k")
    (made,) = codegen.build([scale(2.0)], config, cache)
    np.testing.assert_array_equal(call(made.address, X), X * 2 + 1)
    assert "does not link" in caplog.text


def test_another_version_of_the_printers_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {codegen.printer_key("ab", printer) for printer in codegen.PRINTERS}
    monkeypatch.setattr(codegen, "CODEGEN_VERSION", -1)
    keys |= {codegen.printer_key("ab", printer) for printer in codegen.PRINTERS}
    assert len(keys) == 4


def test_a_kernel_that_the_vector_printer_refuses_is_compiled_from_numba_source(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    real = codegen._ir_text

    def refusing(items: Any, printer: str) -> str:
        if printer == "vector" and any(kernel.name == "hard" for kernel, _ in items):
            raise CompileError("loops over triangles")
        return real(items, printer)

    monkeypatch.setattr(codegen, "_ir_text", refusing)
    config = Config(cache_dir=str(tmp_path))
    kernels = [scale(2.0), scale(5.0, "hard"), scale(3.0)]
    with caplog.at_level(logging.WARNING, "graphc.codegen"):
        made = codegen.build(kernels, config)
    assert [kernel.printer for kernel in made] == ["vector", "numba", "vector"]
    np.testing.assert_array_equal(call(made[1].address, X), X * 5 + 1)
    assert "'hard' is compiled from its Numba source: CompileError: loops over" in caplog.text
    fallbacks = codegen._counters.read()["kernel_fallbacks"]
    assert fallbacks == [{"kernel": "hard", "reason": "CompileError: loops over triangles"}]
    # found again: neither tried nor said again
    codegen.build(kernels, config)
    assert len(codegen._counters.read()["kernel_fallbacks"]) == 1


def test_a_kernel_that_no_printer_reaches_is_named_with_the_users_lines(config: Config) -> None:
    with pytest.raises(CompileError) as caught:
        codegen.build([scale(2.0), impossible()], config)
    text = str(caught.value)
    assert "kernel 'bad' could not be compiled: the primitive 'zeta' on float32" in text
    assert "Mul 'm' (model.py:3)" in text
    assert isinstance(caught.value.__cause__, NotImplementedError)
    # the others of the call are not lost
    assert codegen.build([scale(2.0)], config)


def test_no_message_of_numba_reaches_the_user_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(kernel: Kernel, symbol: str) -> str:
        raise RuntimeError("TypingError: Cannot unify Literal[int](3) and ...")

    monkeypatch.setattr(numba_cpu, "llvm_ir", broken)
    with pytest.raises(CompileError, match="'scale' could not be compiled") as caught:
        codegen.build([scale(2.0)], Config(codegen="numba", cache_dir=None))
    assert "Cannot unify" not in str(caught.value)
    assert "Cannot unify" in str(caught.value.__cause__)


def test_many_threads_compile_a_kernel_once(config: Config) -> None:
    gate, addresses = threading.Barrier(6), []

    def work(n: int) -> None:
        gate.wait()
        addresses.append([m.address for m in codegen.build([scale(2.0), scale(4.0)], config)])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(addresses) == 6 and len(set(map(tuple, addresses))) == 1
    assert codegen._counters.kernels_compiled == 2


@pytest.mark.parametrize("printer", codegen.PRINTERS)
def test_an_object_of_ones_own_has_the_wanted_symbol(printer: str) -> None:
    code = codegen.compile_object(scale(2.0), "my_kernel", printer)
    address = jit.load_object(code, ["my_kernel"])["my_kernel"]
    np.testing.assert_array_equal(call(address, X), X * 2 + 1)


def test_kernels_that_differ_in_a_bitcast_have_different_keys() -> None:
    from graphc.ir.dtypes import int32, uint32

    axis = Axis(BATCH, "i")
    x, y = Buffer("x", float32, (BATCH,)), Buffer("y", float32, (BATCH,))
    keys = set()
    for kind in (int32, uint32):
        shifted = k.shr(k.bitcast(Load(x, (axis,), flat=True), kind), 31)
        keys.add(around(x, y, axis, k.cast(shifted, float32), "sign").key())
    assert len(keys) == 2


def test_stats_report_the_service(config: Config) -> None:
    from graphc.runtime.stats import stats

    codegen.build([scale(2.0)], config)
    assert stats()["kernels_compiled"] == 1
