"""The configurations that GPU plans are tested with."""

from __future__ import annotations

from tests.helpers import FUSED, UNFUSED

CUDA = FUSED.replace(backend="cuda")
CUDA_UNFUSED = UNFUSED.replace(backend="cuda")
