"""What graphc runs on: versions, processor, threads, BLAS, cache."""

from __future__ import annotations

import importlib.metadata
import platform


def info() -> dict[str, str]:
    """Lines for a bug report."""
    from graphc.config import current
    from graphc.runtime import blas, jit, threads

    config = current()
    out = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("graphc", "numpy", "numba", "llvmlite", "networkx"):
        try:
            out[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            out[name] = "not installed"
    out["processor"] = jit.host_target().cpu
    out["threads"] = str(config.threads or threads.get_num_threads())
    out["blas"] = blas.description() or "none: products run on the host"
    out["cache"] = config.cache_dir or "none"
    return out
