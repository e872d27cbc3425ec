"""The work that is measured: data, references, tolerances. NumPy only, which every peer has."""

from __future__ import annotations

from tools.bench.works.models import MODELS
from tools.bench.works.record import Work
from tools.bench.works.table import GROUPS, WORKS

__all__ = ["GROUPS", "MODELS", "WORKS", "Work"]
