"""What graphc runs on: versions, processor, threads, BLAS, cache, GPU.

Lives here: info, blas_warning. Imported by the console command and by reports.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from graphc.inspect.texts import size

PACKAGES = ("graphc", "numpy", "numba", "llvmlite", "networkx")
EXTRAS = ("ml_dtypes", "scipy", "matplotlib", "h5py", "pillow")
# instruction sets that decide how fast kernels are, widest first
_FEATURES = (
    "avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512bf16", "avx2", "fma", "f16c", "bmi2",
    "neon", "sve",
)  # fmt: skip
# processor names of OpenBLAS that use the widest registers of each kind
_WIDE = {
    "avx512f": ("skylakex", "cooperlake", "sapphirerapids", "zen"),
    "avx2": ("haswell", "zen", "skylakex", "cooperlake", "sapphirerapids"),
}


def info() -> dict[str, str]:
    """Lines for a bug report; "warning" where a setting makes products slow."""
    from graphc.config import current
    from graphc.runtime import blas, jit, threads

    config = current()
    out = {"python": f"{platform.python_version()} ({platform.python_implementation()})"}
    out |= {name: _version(name) for name in PACKAGES}
    extras = [f"{name} {v}" for name in EXTRAS if (v := _version(name)) != "not installed"]
    out["extras"] = ", ".join(extras) or "none"
    out["system"] = f"{platform.system()} {platform.release()}, {platform.machine()}"
    target = jit.host_target()
    features = [name for name in _FEATURES if target.has(name)]
    out["processor"] = f"{processor_name()} (LLVM: {target.cpu})"
    out["vectors"] = f"{8 * target.vector_bytes} bits; {', '.join(features) or 'baseline only'}"
    count = config.threads or threads.get_num_threads()
    kind = "" if threads.supported() else "; no worker threads on this platform"
    out["threads"] = f"{count} of {threads.available_cpus()} usable processors{kind}"
    out["blas"] = blas.description() or "none: products are tiles of graphc's own"
    out["cache"] = _cache(config.cache_dir)
    out["gpu"] = gpu()
    out["cuda"] = cuda()
    warning = blas_warning(blas.description(), features, os.environ.get("OPENBLAS_CORETYPE", ""))
    if warning:
        out["warning"] = warning
    return out


def _version(name: str) -> str:
    if name == "graphc":  # also where it runs from its sources, not installed
        return str(sys.modules["graphc"].__version__)
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cache(folder: str | None) -> str:
    if folder is None:
        return "none: kernels are kept in memory"
    if not Path(folder).is_dir():
        return f"{folder} (empty)"
    from graphc.inspect.cache_tool import measured

    return f"{folder} ({measured(Path(folder)).split(' on disk')[0]})"


def processor_name() -> str:
    """The model's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def blas_warning(description: str, features: list[str], variable: str) -> str:
    """What slows OpenBLAS down, if anything.

    Args:
        description: OpenBLAS's own line. features: of the processor. variable: the value of
            OPENBLAS_CORETYPE, "" where it is not set.
    """
    if not description:
        return ""
    words = description.lower().split()
    widest = next((name for name in _WIDE if name in features), "")
    narrow = bool(widest) and not any(w in words for w in _WIDE[widest])
    if variable and narrow:
        return (
            f"OPENBLAS_CORETYPE={variable} makes OpenBLAS use code for an older processor than "
            f"this one, which has {widest}: products by BLAS may take twice as long; unset it"
        )
    if narrow:
        return f"OpenBLAS does not use {widest}, which this processor has: its products are slower"
    return ""


def cuda() -> str:
    """What the backend "cuda" runs on, or why it cannot."""
    from graphc.runtime.gpu.device import absence, device_count, find_device, simulating

    version = _version("numba-cuda")
    reason = absence()
    if reason is not None:
        return reason if version == "not installed" else f"numba-cuda {version}; {reason}"
    if simulating():
        return f"numba-cuda {version}; its simulator stands for a GPU (NUMBA_ENABLE_CUDASIM=1)"
    found = [f"numba-cuda {version}", f"driver for CUDA {_driver()}"]
    for number in range(device_count()):
        device = find_device(number)
        free, total = device.memory()
        major, minor = device.gpu.cc
        found.append(
            f"{device.name} {device.gpu.name}, compute capability {major}.{minor}, "
            f"{size(free)} of {size(total)} free"
        )
    return "; ".join(found)


def _driver() -> str:
    """The newest CUDA that the driver knows."""
    code, version = importlib.import_module("cuda.bindings.driver").cuDriverGetVersion()
    return "unknown" if int(code) else f"{version // 1000}.{version % 1000 // 10}"


def gpu() -> str:
    """The graphics processors that the driver names; nothing is imported for it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "none found (no nvidia-smi)"
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "nvidia-smi does not answer"
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return "; ".join(names) if names and done.returncode == 0 else "none that the driver can use"
