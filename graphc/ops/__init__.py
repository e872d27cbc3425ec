"""All op records: importing this package fills the registry."""

from __future__ import annotations

import importlib
import importlib.util

from graphc.ops import operators as operators  # installs Tensor's operators

MODULES = (
    "source", "state", "math", "math_special", "gamma", "complex", "fourier", "logic", "reduce",
    "gradient", "shape", "slicing", "joining", "tiling", "creation", "diagonal", "index",
    "ranking", "scatter", "segment", "scatter_state", "sets", "matmul", "linalg", "exponential",
    "decomposition", "nn", "normalize", "losses", "random", "random_stateless",
    "training", "conv_patches",
    "conv_direct", "conv", "pool", "pool_lrn", "spatial", "resize", "effects", "iterators",
    "queues", "readers", "sparse_serial", "control", "arrays", "sparse", "candidates", "beams",
    "image_boxes", "image_color", "image_files", "parsing", "parsing_sequence", "decoding", "files",
    "json_examples", "hashing", "strings", "regex", "string_split", "unicode", "lookup",
    "distance",
    "ctc",
    "ctc_decode",
)  # fmt: skip


def load_all() -> None:
    """Imports every op module; each registers its records."""
    for name in MODULES:
        importlib.import_module(f"graphc.ops.{name}")


def load_until(op: str) -> None:
    """Imports op modules in their order until one registers `op`, or all are imported."""
    from graphc.ops.define import REGISTRY

    for name in MODULES:
        if op in REGISTRY:
            return
        if importlib.util.find_spec(f"graphc.ops.{name}") is not None:
            importlib.import_module(f"graphc.ops.{name}")
