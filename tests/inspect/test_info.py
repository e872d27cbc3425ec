"""graphc info: what it names, and when it warns of BLAS."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

import graphc
from graphc.inspect import info

NEW = ["avx512f", "avx2", "fma"]
FAST = "OpenBLAS 0.3.31 USE64BITINT DYNAMIC_ARCH NO_AFFINITY SkylakeX MAX_THREADS=64"
SLOW = FAST.replace("SkylakeX", "Haswell")


def test_everything_is_named() -> None:
    found = info.info()
    for name in ("python", "graphc", "numpy", "processor", "vectors", "threads", "blas", "cache",
                 "gpu", "system"):  # fmt: skip
        assert found[name], name
    assert found["graphc"] == graphc.__version__
    assert "bits" in found["vectors"] and "usable processors" in found["threads"]


def test_blas_for_an_older_processor_is_a_warning() -> None:
    assert info.blas_warning(FAST, NEW, "") == ""
    assert info.blas_warning(SLOW, ["avx2"], "") == ""
    assert "OPENBLAS_CORETYPE=Haswell" in info.blas_warning(SLOW, NEW, "Haswell")
    assert "unset it" in info.blas_warning(SLOW, NEW, "Haswell")
    assert info.blas_warning(SLOW, NEW, "").startswith("OpenBLAS does not use avx512f")
    assert info.blas_warning(FAST, NEW, "SkylakeX") == ""
    assert info.blas_warning("", NEW, "Haswell") == ""
    assert info.blas_warning("OpenBLAS Nehalem", ["avx2"], "") != ""
    assert info.blas_warning("OpenBLAS ARMV8", ["neon"], "") == ""


def test_gpus_by_the_drivers_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info.shutil, "which", lambda name: None)
    assert "none found" in info.gpu()
    monkeypatch.setattr(info.shutil, "which", lambda name: "/usr/bin/nvidia-smi")

    def answers(code: int, text: str) -> Any:
        done = subprocess.CompletedProcess([], code, text, "")
        return lambda *args, **options: done

    monkeypatch.setattr(info.subprocess, "run", answers(0, "A GPU, 141 GiB, 580.1\n"))
    assert info.gpu() == "A GPU, 141 GiB, 580.1"
    monkeypatch.setattr(info.subprocess, "run", answers(9, "no devices"))
    assert info.gpu() == "none that the driver can use"

    def slow(*args: Any, **options: Any) -> Any:
        raise subprocess.TimeoutExpired("nvidia-smi", 10)

    monkeypatch.setattr(info.subprocess, "run", slow)
    assert info.gpu() == "nvidia-smi does not answer"
