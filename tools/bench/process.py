"""Processes that measure one thing and end: first calls and memory. Standard library only.

What is measured in turn, turns.py does.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.bench import environments

if TYPE_CHECKING:
    from tools.bench.run import Job

LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Settings:
    """What holds for all processes of a run."""

    threads: int
    quick: bool
    folder: Path
    tree: Path = environments.ROOT  # a folder to import graphc from, see tree.linked


def end_with_children() -> None:
    """Makes a request to terminate an exit, so that the process being measured ends as well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def measure(python: str, job: Job, settings: Settings) -> Iterator[dict[str, Any]]:
    """The measurements of one job; a line with an error for a process that failed."""
    if job.mode == "start":
        # the second process finds what the first one kept
        with tempfile.TemporaryDirectory() as caches:
            for mode in ("cold", "warm"):
                yield one(python, job, settings, Path(caches)) | {"mode": mode}
        return
    yield one(python, job, settings, settings.folder / "caches")


def one(python: str, job: Job, settings: Settings, caches: Path) -> dict[str, Any]:
    """Runs one process."""
    command = [python, "-m", "tools.bench.worker", job.peer, "--mode", job.mode]
    command += ["--work", job.work, "--variant", job.variant]
    command += ["--threads", str(settings.threads), *(["--quick"] if settings.quick else [])]
    fields = {
        "threads": settings.threads, "quick": settings.quick, "mode": job.mode,
        "work": job.work, "variant": job.variant,"when": time.strftime("%Y-%m-%d %H:%M:%S"),
    }  # fmt: skip
    environment = environments.process_environment(settings.threads, caches, settings.tree)
    try:
        done = subprocess.run(
            command, cwd=environments.ROOT, env=environment, capture_output=True, text=True,
            timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return fields | {"error": f"took more than {LIMIT_SECONDS} s"}
    if done.returncode or not done.stdout:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"{job.peer} {job.group}: {last}", file=sys.stderr, flush=True)
        return fields | {"error": last[:300]}
    return fields | json.loads(done.stdout)
