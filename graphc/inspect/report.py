"""Comparisons and profiles as files: which form a suffix asks for.

Lives here: compare_forms, profile_forms. Not here: pages (inspect/report_page.py), pictures
(inspect/charts.py, inspect/charts_png.py), traces (inspect/timeline.py). Imported by the console
command only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from graphc.inspect.charts_png import compare_png, profile_png
from graphc.inspect.report_page import compare_page, profile_page
from graphc.inspect.running import Runner
from graphc.inspect.timeline import trace_text

if TYPE_CHECKING:
    from graphc.config import Config
    from graphc.inspect.compare import Comparison
    from graphc.inspect.profile import Profile
    from graphc.inspect.target import Target

Forms = dict[str, Callable[[], str | bytes]]


def compare_forms(found: Comparison) -> Forms:
    """What a comparison can be written as, by suffix."""
    return {
        ".txt": lambda: f"{found}\n",
        ".json": lambda: json.dumps(found.to_json(), indent=1),
        ".html": lambda: compare_page(found),
        ".png": lambda: compare_png(found),
    }


def profile_forms(found: Profile, target: Target, config: Config) -> Forms:
    """What a profile of a target can be written as, by suffix."""
    return {
        ".txt": lambda: f"{found}\n",
        ".json": lambda: trace_text(found),
        ".data.json": lambda: json.dumps(found.to_json()),
        ".html": lambda: profile_page(found),
        ".png": lambda: profile_png(found),
        ".pb": lambda: run_metadata(target, config),
    }


def run_metadata(target: Target, config: Config) -> bytes:
    """A run's times as TF1's RunMetadata: what its timeline and TensorBoard read."""
    from graphc.interop.trace_messages import RunMetadata
    from graphc.protos import RunOptions

    runner = Runner("profile", target, config)
    metadata = RunMetadata()
    try:
        runner.session.run(
            target.fetches, target.feeds, RunOptions(trace_level=RunOptions.FULL_TRACE), metadata
        )
    finally:
        runner.close()
    data: bytes = metadata.SerializeToString()
    return data
