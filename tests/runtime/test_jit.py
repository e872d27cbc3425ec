"""Compilation of IR text and loading of objects."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import graphc
from graphc.runtime import jit

AXPY = """
define void @{name}(ptr %args, i64 %lo, i64 %hi) {{
entry:
  %x = load ptr, ptr %args
  %go = icmp slt i64 %lo, %hi
  br i1 %go, label %loop, label %exit
loop:
  %i = phi i64 [%lo, %entry], [%next, %loop]
  %p = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %p
  %w = fadd float %v, {add}
  store float %w, ptr %p
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %exit
exit:
  ret void
}}
"""
KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def run(address: int, x: np.ndarray, lo: int, hi: int) -> None:
    args = np.array([x.ctypes.data], np.int64)
    KERNEL(address)(args.ctypes.data, lo, hi)


@pytest.mark.parametrize("opt", ["none", "light", "gvn", "full"])
def test_compiled_text_runs_at_every_level(opt: str) -> None:
    code = jit.compile_ir(AXPY.format(name="k", add="1.0"), ["k"], opt=opt)
    x = np.zeros(10, np.float32)
    run(jit.load_object(code, ["k"])["k"], x, 2, 7)
    assert x.tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0, 0]


def test_several_symbols_of_one_module() -> None:
    text = AXPY.format(name="a", add="1.0") + AXPY.format(name="b", add="2.0")
    found = jit.compile_and_load(text, ["a", "b"])
    x = np.zeros(4, np.float32)
    run(found["a"], x, 0, 2)
    run(found["b"], x, 2, 4)
    assert x.tolist() == [1, 1, 2, 2]


def test_one_name_in_two_modules_means_two_kernels() -> None:
    one = jit.compile_and_load(AXPY.format(name="same", add="1.0"), ["same"])["same"]
    two = jit.compile_and_load(AXPY.format(name="same", add="4.0"), ["same"])["same"]
    x = np.zeros(2, np.float32)
    run(one, x, 0, 1)
    run(two, x, 1, 2)
    assert x.tolist() == [1, 4]


def test_several_texts_are_one_module() -> None:
    text = """
declare float @llvm.fma.f32(float, float, float)
define internal float @inner(float %x) {{
  %y = call float @llvm.fma.f32(float %x, float 1.0, float {add})
  ret float %y
}}
define float @{name}(float %x) {{
  %y = call float @inner(float %x)
  ret float %y
}}"""
    texts = [text.format(name=f"f{n}", add=f"{n}.0") for n in range(3)]
    before = graphc.stats()["modules_compiled"]
    found = jit.load_object(jit.compile_ir(texts, ["f0", "f1", "f2"]), ["f0", "f1", "f2"])
    assert graphc.stats()["modules_compiled"] == before + 1
    of_float = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float)
    assert [of_float(found[f"f{n}"])(10.0) for n in range(3)] == [10, 11, 12]
    with pytest.raises(jit.KernelCompileError, match="'both'"):
        jit.compile_ir([texts[0], texts[0]], ["f0"], name="both")


def test_same_bytes_are_linked_once() -> None:
    code = jit.compile_ir(AXPY.format(name="once", add="1.0"), ["once"])
    assert jit.load_object(code, ["once"]) == jit.load_object(code, ["once"])


def test_externals_are_bound_by_address() -> None:
    text = """
declare i64 @outer(i64)
define i64 @inner(i64 %x) {
  %y = call i64 @outer(i64 %x)
  ret i64 %y
}"""
    twice = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda x: 2 * x)
    address = ctypes.cast(twice, ctypes.c_void_p).value or 0
    code = jit.compile_ir(text, ["inner"])
    inner = jit.load_object(code, ["inner"], externals={"outer": address})["inner"]
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(inner)(21) == 42


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("define void @bad(ptr %a) {", ["bad"]),
        ("define i32 @bad(i64 %a) {\n ret i32 %a\n}", ["bad"]),
        ("define void @other() {\n ret void\n}", ["bad"]),
    ],
)
def test_llvm_errors_name_the_kernel(text: str, symbols: list[str]) -> None:
    with pytest.raises(jit.KernelCompileError, match="'softmax_1'") as caught:
        jit.compile_ir(text, symbols, name="softmax_1")
    assert caught.value.ir == text


def test_link_errors_name_the_kernel() -> None:
    text = """
declare void @graphc_no_such_function()
define void @k() {
  call void @graphc_no_such_function()
  ret void
}"""
    code = jit.compile_ir(text, ["k"])
    with pytest.raises(jit.KernelCompileError, match=r"'k'.*link"):
        jit.load_object(code, ["k"])


def test_garbage_is_no_object() -> None:
    with pytest.raises(jit.KernelCompileError):
        jit.load_object(b"this is not an object file", ["k"])


def test_target_key_tells_targets_apart() -> None:
    host = jit.host_target()
    assert jit.target_key() == host.key
    narrow = jit.Target(host.triple, host.cpu, "")
    assert narrow.key != host.key
    assert "LLVM" in host.key and "llvmlite" in host.key


@pytest.mark.skipif(not jit.host_target().triple.startswith("x86_64"), reason="levels of x86-64")
def test_target_levels_limit_the_registers() -> None:
    text = """
define void @k(ptr %args, i64 %lo, i64 %hi) {
  %x = load ptr, ptr %args
  %v = load <16 x float>, ptr %x, align 4
  %w = fadd <16 x float> %v, %v
  store <16 x float> %w, ptr %x, align 4
  ret void
}"""
    assert "zmm" in jit.assembly(text, target=jit.level_target("avx512"))
    avx2 = jit.level_target("avx2")
    assert avx2.vector_bytes == 32 and avx2.has_fma
    listing = jit.assembly(text, target=avx2)
    assert "zmm" not in listing and "ymm" in listing
    x = np.ones(16, np.float32)
    run(jit.load_object(jit.compile_ir(text, ["k"], target=avx2), ["k"])["k"], x, 0, 1)
    assert x.tolist() == [2.0] * 16
    with pytest.raises(ValueError, match="unknown target level"):
        jit.level_target("mmx")


def test_many_threads_compile_at_once() -> None:
    results: dict[int, float] = {}

    def work(number: int) -> None:
        text = AXPY.format(name="k", add=f"{number}.0")
        x = np.zeros(1, np.float32)
        run(jit.compile_and_load(text, ["k"])["k"], x, 0, 1)
        results[number] = float(x[0])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: float(i) for i in range(8)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_compiles() -> None:
    script = (
        "import os, sys\n"
        "sys.path.insert(0, os.getcwd())\n"
        "from graphc.runtime import jit\n"
        "text = 'define i64 @k(i64 %x) {\\n ret i64 %x\\n}'\n"
        "jit.compile_and_load(text, ['k'])\n"
        "pid = os.fork()\n"
        "text = text.replace('ret i64 %x', 'ret i64 7')\n"
        "found = jit.compile_and_load(text, ['k'])\n"
        "import ctypes\n"
        "ok = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(found['k'])(1) == 7\n"
        "if pid == 0: os._exit(0 if ok else 1)\n"
        "sys.exit(os.waitpid(pid, 0)[1] or not ok or 'numba' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
