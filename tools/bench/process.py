"""Starts the measured processes and reads their lines. Standard library only."""

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

from tools.bench import environments, tree

if TYPE_CHECKING:
    from tools.bench.run import Job

LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Settings:
    """What holds for all processes of a run."""

    threads: int
    quick: bool
    folder: Path
    tree: Path = environments.ROOT
    patience: float = 6.0  # seconds that a measurement waits for a quiet machine


def end_with_children() -> None:
    """Makes a request to terminate an exit, so that the process being measured ends as well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def measure(python: str, job: Job, settings: Settings) -> Iterator[dict[str, Any]]:
    """The measurements of one job; a line with an error for a process that failed."""
    if job.mode == "start":
        # the second process finds what the first one kept
        with tempfile.TemporaryDirectory() as caches:
            for mode in ("cold", "warm"):
                for line in one(python, job, settings, Path(caches)):
                    yield line | {"mode": mode}
        return
    for line in one(python, job, settings, settings.folder / "caches"):
        yield line | {"mode": job.mode}


def one(python: str, job: Job, settings: Settings, caches: Path) -> list[dict[str, Any]]:
    """Runs one process."""
    command = [python, "-m", f"tools.bench.{'limit' if job.peer == 'limit' else 'worker'}"]
    if job.peer != "limit":
        command += [job.peer, ",".join(job.works), "--mode", job.mode]
        command += ["--quick"] if settings.quick else []
        command += ["--patience", str(settings.patience)]
        command += ["--variant", job.variant] if job.variant else []
    command += ["--threads", str(settings.threads)]
    fields = {
        "threads": settings.threads, "quick": settings.quick, "mode": job.mode, "variant": "",
        "work": job.works[0], "when": time.strftime("%Y-%m-%d %H:%M:%S"),
    }  # fmt: skip
    with tree.linked(settings.tree) as path:
        environment = environments.process_environment(settings.threads, caches, path)
        try:
            done = subprocess.run(
                command, cwd=environments.ROOT, env=environment, capture_output=True, text=True,
                timeout=LIMIT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return [fields | {"error": f"took more than {LIMIT_SECONDS} s"}]
    lines = [json.loads(t) for t in done.stdout.splitlines() if t.startswith("{")]
    versions: dict[str, str] = next((t.pop("versions") for t in lines if "versions" in t), {})
    out = [fields | line | {"versions": versions} for line in lines if line]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"{job.peer} {job.group}: {last}", file=sys.stderr, flush=True)
        return [*out, fields | {"error": last[:300]}]
    # a peer that has none of these works leaves a line, so that it is not asked again
    return out or [fields | {"skipped": True, "versions": versions}]
