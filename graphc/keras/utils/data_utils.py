"""Files and batches: get_file for local files, Sequence. Imports the standard library."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from graphc._lazy import attach

__getattr__, __dir__, _ = attach(
    __name__,
    {"graphc.keras.utils.enqueuers": "GeneratorEnqueuer OrderedEnqueuer SequenceEnqueuer"},
)
__all__ = ["Sequence", "data_folders", "find_data", "get_file"]


class Sequence:
    """Base of datasets that give batches by number.

    A subclass defines __getitem__(batch number), __len__ (batches an epoch) and, where order
    changes between epochs, on_epoch_end.
    """

    use_sequence_api = True

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def on_epoch_end(self) -> None:
        """After each epoch."""

    def __iter__(self) -> Iterator[Any]:
        for k in range(len(self)):
            yield self[k]


def data_folders() -> list[Path]:
    """Where the user's data sets are looked for: GRAPHC_DATA, ~/.keras, ~/.keras/datasets."""
    given = os.environ.get("GRAPHC_DATA")
    home = Path.home() / ".keras"
    return [*([Path(given)] if given else []), home / "datasets", home]


def find_data(names: list[str], what: str, subfolders: tuple[str, ...] = ()) -> Path:
    """The first of these files or folders that is there.

    Raises:
        FileNotFoundError: none is; the error says where they are looked for.
    """
    for folder in data_folders():
        for name in names:
            for path in (folder / name, *(folder / s / name for s in subfolders)):
                if path.exists():
                    return path
    looked = "\n  ".join(str(f) for f in data_folders())
    raise FileNotFoundError(
        f"the data of {what} are not there. graphc does not download: put {' or '.join(names)} "
        f"into one of\n  {looked}\n"
        + ("" if os.environ.get("GRAPHC_DATA") else "or into the folder that GRAPHC_DATA names")
    )


def _digest(path: Path, kind: str) -> str:
    made = hashlib.new(kind)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            made.update(chunk)
    return made.hexdigest()


def validate_file(path: Path, expected: str, kind: str = "auto") -> bool:
    """Whether the file has this SHA-256 or MD5."""
    if kind == "auto":
        kind = "sha256" if len(expected) == 64 else "md5"
    return _digest(path, kind) == expected


def get_file(
    fname: str | None = None, origin: str | None = None, untar: bool = False,
    md5_hash: str | None = None, file_hash: str | None = None, cache_subdir: str = "datasets",
    hash_algorithm: str = "auto", extract: bool = False, archive_format: str = "auto",
    cache_dir: Any = None, **kwargs: Any,
) -> str:
    """The path of a file of the user's: in the cache folder, in GRAPHC_DATA, or where origin says.

    Nothing is downloaded: a file that is not there is an error that says where to put it.

    Args:
        fname: its name. origin: a URL, of which the name counts, or a local path or file: URL,
            which is copied. file_hash: SHA-256 or MD5 that it must have. untar, extract: unpack
            the archive beside it.

    Raises:
        FileNotFoundError: it is not there. ValueError: another hash.
    """
    folder = Path(cache_dir or Path.home() / ".keras") / cache_subdir
    parsed = urlparse(origin or "")
    name = fname or Path(unquote(parsed.path)).name
    if not name:
        raise ValueError("get_file needs fname or origin")
    packed = name.endswith((".tar", ".gz", ".tgz", ".zip"))
    archive = f"{name}.tar.gz" if untar and not packed else name
    path = _found(folder, [archive, name], parsed, origin)
    expected = file_hash or md5_hash
    if expected and path.is_file() and not validate_file(path, expected, hash_algorithm):
        raise ValueError(f"{path} is damaged or another version: its hash is not {expected}")
    if (untar or extract) and path.is_file():
        target = path.with_name(name) if untar else path
        if not (untar and target != path and target.exists()):
            _unpack(path, path.parent)
        return str(target)
    return str(path)


def _found(folder: Path, names: list[str], parsed: Any, origin: str | None) -> Path:
    for name in dict.fromkeys(names):
        for place in (folder, *data_folders()):
            if (place / name).exists():
                return place / name
    local = Path(unquote(parsed.path)) if parsed.scheme in ("", "file") else None
    if local is not None and origin and local.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy2(local, folder / names[0]))
    hint = f", which {origin} has," if origin and parsed.scheme not in ("", "file") else ""
    raise FileNotFoundError(
        f"{names[0]}{hint} is not there. graphc does not download: put it into {folder} or into "
        "the folder that GRAPHC_DATA names."
    )


def _unpack(path: Path, folder: Path) -> None:
    """Unpacks a tar or zip file; members that would leave the folder are refused."""
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    elif zipfile.is_zipfile(path):
        root = folder.resolve()
        with zipfile.ZipFile(path) as packed:
            for member in packed.namelist():
                if not (root / member).resolve().is_relative_to(root):
                    raise ValueError(f"{path}: {member} lies outside of the folder")
            packed.extractall(folder)
