"""Checkouts of graphc: what version one holds, and how a process imports it and nothing else."""

from __future__ import annotations

import compileall
import contextlib
import hashlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.bench.environments import ROOT


def git(folder: Path, *arguments: str) -> str:
    """What git prints; OSError or CalledProcessError without it."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def version(folder: Path = ROOT) -> str:
    """The commit, and a mark if graphc was changed since; "unknown" without git."""
    try:
        commit = git(folder, "rev-parse", "--short=10", "HEAD").strip()
        changes = git(folder, "diff", "HEAD", "--", "graphc")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    if not changes:
        return commit
    return f"{commit}+{hashlib.sha256(changes.encode()).hexdigest()[:6]}"


def byte_compile(folder: Path = ROOT) -> None:
    """As an installation does, so that no first import of a measured process does it."""
    compileall.compile_dir(str(folder / "graphc"), quiet=2)


@contextlib.contextmanager
def linked(folder: Path) -> Iterator[Path]:
    """A folder to import this checkout's graphc from; its other packages stay out of sight."""
    if folder == ROOT:
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as path:
        (Path(path) / "graphc").symlink_to((folder / "graphc").resolve(), target_is_directory=True)
        yield Path(path)


@contextlib.contextmanager
def checked_out(commit: str, folder: Path = ROOT) -> Iterator[Path]:
    """The commit in a worktree of its own, removed afterwards."""
    with tempfile.TemporaryDirectory() as path:
        target = str(Path(path) / "tree")
        git(folder, "worktree", "add", "--detach", target, commit)
        try:
            yield Path(target)
        finally:
            git(folder, "worktree", "remove", "--force", target)
