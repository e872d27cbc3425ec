"""What several tests of the tools are given."""

from __future__ import annotations

from graphc.inspect.limits import Limits

LIMITS = Limits(2, {"float32": 4e11, "float64": 2e11}, ((1 << 14, 4e11), (1 << 26, 4e10)))
