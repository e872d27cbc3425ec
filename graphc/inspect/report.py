"""Comparisons and profiles as files: which form a suffix asks for.

Lives here: compare_forms, profile_forms. Not here: pages (inspect/report_page.py), pictures
(inspect/charts.py, inspect/charts_png.py), traces (inspect/timeline.py). Imported by the console
command only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from graphc.inspect.timeline import trace_text

if TYPE_CHECKING:
    from graphc.inspect.compare import Comparison
    from graphc.inspect.profile import Profile

Forms = dict[str, Callable[[], str | bytes]]


def compare_forms(found: Comparison) -> Forms:
    """What a comparison can be written as, by suffix."""
    return {
        ".txt": lambda: f"{found}\n",
        ".json": lambda: json.dumps(found.to_json(), indent=1),
    }


def profile_forms(found: Profile) -> Forms:
    """What a profile can be written as, by suffix."""
    return {
        ".txt": lambda: f"{found}\n",
        ".json": lambda: trace_text(found),
        ".data.json": lambda: json.dumps(found.to_json()),
    }
