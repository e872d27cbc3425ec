"""Where the peers live: names, pinned versions, folders. Standard library only."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# the versions that docs/benchmarks.md was measured with
PINS = {
    "jax": ("jax==0.10.2", "jaxlib==0.10.2"),
    "tf": ("tensorflow-cpu==2.21.0",),
    "torch": ("torch==2.13.0",),
    "ort": ("onnxruntime==1.31.1", "onnx"),
    "pytensor": ("pytensor==3.0.7",),
}
OWN = ("graphc", "numpy")  # run by the Python that runs the tool


def folder() -> Path:
    """Where environments, results and caches are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "graphc-bench"


def known(where: Path) -> dict[str, str]:
    """The Python of each peer that was set up, by its name; graphc's and NumPy's too."""
    out = dict.fromkeys(OWN, sys.executable)
    file = where / "environments.json"
    if file.exists():
        out |= json.loads(file.read_text())
    return out


def remember(where: Path, pythons: dict[str, str]) -> None:
    """Adds peers to the known ones."""
    where.mkdir(parents=True, exist_ok=True)
    file = where / "environments.json"
    old = json.loads(file.read_text()) if file.exists() else {}
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(old | pythons, indent=1) + "\n")
    temporary.replace(file)


def pairs(texts: list[str]) -> dict[str, str]:
    """{"jax": "bin/python"} of ["jax=bin/python"]; ValueError for another form."""
    out = {}
    for text in texts:
        name, equals, python = text.partition("=")
        if not equals or name not in (*PINS, *OWN):
            raise ValueError(f"{text!r}: expected NAME=PYTHON, NAME one of {', '.join(PINS)}")
        out[name] = python
    return out


def process_environment(threads: int, caches: Path, tree: Path = ROOT) -> dict[str, str]:
    """The variables of a measured process: the same for all peers.

    OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset: set to an older processor they halve BLAS.
    So is PYTHONDONTWRITEBYTECODE, with which an uninstalled package is compiled at every import.
    `tree` is the checkout whose graphc is imported.
    """
    settings = ("OPENBLAS_", "GRAPHC_", "JAX_", "PYTHON")
    keep = {k: v for k, v in os.environ.items() if not k.startswith(settings)}
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR"):
        keep[f"{name}_NUM_THREADS"] = str(threads)
    paths = [str(ROOT)] if tree == ROOT else [str(tree), str(ROOT)]
    return keep | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONSAFEPATH": "1",  # else the current folder's graphc comes first
        "GRAPHC_CACHE": str(caches / "graphc"),
        "GRAPHC_THREADS": str(threads),
        "JAX_COMPILATION_CACHE_DIR": str(caches / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(caches / "numba"),
    }


def gpu_environment(caches: Path, simulate: bool = False) -> dict[str, str]:
    """The variables of a run's processes on a GPU: caches of its own, memory taken when needed.

    What is on PYTHONPATH stays there: packages may have been put beside the installed ones.
    """
    drop = ("OPENBLAS_", "GRAPHC_")
    keep = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    paths = [str(ROOT), *keep.get("PYTHONPATH", "").split(os.pathsep)]
    return (
        keep
        | {
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(p for p in paths if p)),
            "PYTHONUNBUFFERED": "1",
            "GRAPHC_CACHE": str(caches / "graphc"),
            "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
            "TRITON_CACHE_DIR": str(caches / "triton"),
            "TORCHINDUCTOR_COMPILE_THREADS": "4",
            "CUPY_CACHE_DIR": str(caches / "cupy"),
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
        | ({"NUMBA_ENABLE_CUDASIM": "1"} if simulate else {})
    )
