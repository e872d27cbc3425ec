"""What is in the folder of compiled kernels: listed, measured, verified, cleared.

Lives here: Found, listed, measured, verified, cleared. Not here: which files are the cache's own
and how they are deleted (runtime/cache_files.py), how kernels are found (runtime/cache.py).
Imported by the console command only.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc.inspect.texts import size, table
from graphc.runtime import cache_files

FEW = 40  # modules that a list shows


@dataclass(frozen=True)
class Module:
    """One compiled module. names: of its kernels, or of the part of the runtime that it is.

    `nbytes`: what it takes on disk. used: seconds since 1970. target: the processor.
    """

    digest: str
    names: tuple[str, ...]
    printers: tuple[str, ...]
    target: str
    nbytes: int
    used: float


@dataclass(frozen=True)
class Problem:
    """A file that is damaged, or refers to one that is gone."""

    path: Path
    reason: str


def listed(folder: Path) -> list[Module]:
    """The modules, the one used last first."""
    out = []
    for path in cache_files.own(folder, "modules"):
        index = _index(path)
        kernels = list(index.get("kernels", {}).values())
        names = dict.fromkeys(str(k.get("name", "?")) for k in kernels)
        printers = dict.fromkeys(str(k.get("printer", "runtime")) for k in kernels)
        target = next((str(k["target"]) for k in kernels if "target" in k), "?")
        # of the runtime's own modules the target is a whole key
        target = target.split("|")[1] if "|" in target else target
        out.append(Module(
            path.name, tuple(names), tuple(printers), target, cache_files.tree_bytes(path),
            path.stat().st_mtime,
        ))  # fmt: skip
    return sorted(out, key=lambda m: -m.used)


def _index(module: Path) -> dict[str, Any]:
    try:
        found = json.loads((module / "index.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def list_text(folder: Path, most: int | None = FEW) -> str:
    """The modules as a table: the `most` that were used last, or all."""
    modules = listed(folder)
    rest = len(modules) - most if most is not None else 0
    if not modules:
        return f"{folder} holds no kernels"
    rows = [["module", "size", "used", "made by", "for", "kernels"]]
    for m in modules[:most]:
        names = ", ".join(m.names[:4]) + (f", {len(m.names) - 4} more" if len(m.names) > 4 else "")
        rows.append([m.digest[:12], size(m.nbytes), _ago(time.time() - m.used),
                     "+".join(m.printers), m.target, names])  # fmt: skip
    width = max(len(r[-1]) for r in rows)
    lines = table([[*r[:-1], r[-1].ljust(width)] for r in rows])
    if rest > 0:
        lines.append(f"{rest} more: graphc cache list --all")
    return "\n".join([str(folder), *lines, measured(folder)])


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "now"


def measured(folder: Path, limit: int | None = None) -> str:
    """One line: kernels, modules, bytes on disk, of how many they may take."""
    kernels = sum(1 for _ in cache_files.own(folder, "kernels"))
    modules = sum(1 for _ in cache_files.own(folder, "modules"))
    total = sum(cache_files.tree_bytes(folder / part) for part in ("kernels", "modules", "tmp"))
    bound = f" of {size(limit)}" if limit is not None else ""
    return f"{kernels} kernels in {modules} modules, {size(total)}{bound} on disk in {folder}"


def verified(
    folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[int, list[Problem]]:
    """(entries that were looked at, those that a run would not use): nothing is changed.

    A module is sound where its object has the SHA-256 that names it, a kernel where its record can
    be read and its module is sound and holds its symbol.
    """
    modules = list(cache_files.own(folder, "modules"))
    kernels = list(cache_files.own(folder, "kernels"))
    total = len(modules) + len(kernels)
    problems: list[Problem] = []
    sound: set[str] = set()
    for done, path in enumerate(modules, 1):
        reason = _module_fault(path)
        if reason:
            problems.append(Problem(path, reason))
        else:
            sound.add(path.name)
        progress(done, total)
    for done, path in enumerate(kernels, len(modules) + 1):
        reason = _kernel_fault(path, sound)
        if reason:
            problems.append(Problem(path, reason))
        progress(done, total)
    return total, problems


def _module_fault(path: Path) -> str:
    try:
        code = (path / "object.o").read_bytes()
    except OSError as error:
        return f"its object cannot be read ({error.strerror})"
    if hashlib.sha256(code).hexdigest() != path.name:
        return "its object is not what its name says"
    return "" if _index(path) else "its index cannot be read"


def _kernel_fault(path: Path, sound: set[str]) -> str:
    try:
        record = json.loads(path.read_text())
        key, module, symbol = record["key"], record["module"], record["symbol"]
        if key != path.stem or symbol not in record["symbols"]:
            return "its record is of another kernel"
    except OSError as error:
        return f"its record cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError):
        return "its record cannot be understood"
    return "" if module in sound else "its module is gone or damaged"


def cleared(folder: Path) -> int:
    """Deletes what is the cache's own, and the folder where nothing else is in it; how many
    kernels there were."""
    count = cache_files.clear_folder(folder)
    try:
        folder.rmdir()
    except OSError:
        return count  # a folder that holds anything else stays
    return count
