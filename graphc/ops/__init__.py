"""All op records: importing this package fills the registry."""

from __future__ import annotations

import importlib

MODULES = (
    "source", "state", "math", "math_special", "logic", "reduce", "shape", "slicing", "creation",
    "index", "scatter", "sets", "matmul", "linalg", "nn", "losses", "random", "training",
)  # fmt: skip


def load_all() -> None:
    """Imports every op module; each registers its records."""
    for name in MODULES:
        importlib.import_module(f"graphc.ops.{name}")
