"""Which files of a folder are the kernel cache's own, their removal and their sizes.

Lives here: own, clear_folder, make_folder, tree_bytes. Not here: what the files hold
(runtime/cache.py). A user may point GRAPHC_CACHE at a folder that holds other things; nothing that
does not bear one of the cache's names is ever deleted. Imported by runtime.cache and inspect;
imports nothing of graphc.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

SIZE = "kernels/total_bytes"  # what a process has noted of the whole
_DIGEST = r"[0-9a-f]{16,128}"
# part -> the pattern below it; a file or folder is graphc's own only where the whole path fits
_OWN = {
    "kernels": ("??/*.json", re.compile(rf"kernels/[0-9a-f]{{2}}/{_DIGEST}\.json")),
    "modules": ("??/*", re.compile(rf"modules/[0-9a-f]{{2}}/{_DIGEST}")),
    "tmp": ("*", re.compile(r"tmp/\d+-[0-9a-f]+")),
}


def own(directory: Path, part: str) -> Iterator[Path]:
    """The cache's own entries under one of kernels, modules, tmp."""
    pattern, name = _OWN[part]
    for path in directory.glob(f"{part}/{pattern}"):
        if name.fullmatch(path.relative_to(directory).as_posix()):
            yield path


def remove(path: Path) -> None:
    """Deletes one entry; one that another process has deleted is no error."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def clear_folder(directory: Path) -> int:
    """Deletes every entry of the cache, and the folders that are empty then.

    Returns:
        The number of kernels that were there.
    """
    count = 0
    remove(directory / SIZE)
    for part in _OWN:
        found = list(own(directory, part))
        count += len(found) if part == "kernels" else 0
        for path in found:
            remove(path)
        below = sorted((directory / part).glob("??"))
        for folder in (*below, directory / part):
            with contextlib.suppress(OSError):
                folder.rmdir()
    return count


def make_folder(path: Path) -> None:
    """Make a folder and the missing ones above it, each for the user alone."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def disk_bytes(status: os.stat_result) -> int:
    """What a file takes on disk: blocks where the system tells them, so that small files count."""
    return max(status.st_size, getattr(status, "st_blocks", 0) * 512)


def tree_bytes(folder: Path) -> int:
    """What the files below a folder take on disk."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += disk_bytes(os.stat(os.path.join(place, name)))
    return total
