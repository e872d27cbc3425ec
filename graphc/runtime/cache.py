"""Compiled kernels on disk and in memory: a kernel is found again, never compiled twice.

Here: `KernelCache`, object bytes by content hash in two levels. Not here: what goes into a hash
(`content_key` of IR, target and versions is made by the caller), and compilation (`runtime.jit`).
Imported by `runtime` and by tools; the folder comes from `config`.

The folder, for people (it may be deleted at any time):

    kernels/4f/4f3a....json     one kernel: the module it is in, its symbol, what it is
    modules/9b/9b07..../        one compiled module, named by the SHA-256 of its object
        object.o  index.json  and the texts it was made from (kernels.ll, kernels.py, ...)

All kernels of a plan are compiled into one module; a later plan finds each of them alone. Files are
written beside their place and moved there; objects are checked against their name when read, so
what is damaged, cut off or foreign is dropped and built again. Processes need no lock: at worst two
write the same thing. Objects are code that will run, so the folder is the user's alone (0700), and
one that others own or may write is refused. What cannot be written (full, read-only) is kept in
memory; a warning says so once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graphc.runtime import cache_files, jit
from graphc.runtime.cache_files import disk_bytes, make_folder, tree_bytes

FORMAT = 1
DEFAULT_BYTES = 512 << 20
_HEX = frozenset("0123456789abcdef")
_STALE_SECONDS = 3600.0  # a file under tmp/ this old was left by a process that died
_MEASURE_SECONDS = 86400.0  # a noted size is believed for this long
_KEEP_FRACTION = 0.8  # eviction goes down to this share of the limit, so that it is rare

_lock = threading.Lock()  # guards the dictionaries and counters of all caches, never file access


def content_key(*parts: str | bytes) -> str:
    """A key for `KernelCache`: the SHA-256 of the parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Entry:
    """One kernel: `symbol` of the object; `symbols` are all kernels of the same object."""

    key: str
    symbol: str
    module: str
    object_bytes: bytes = field(repr=False)
    symbols: tuple[str, ...] = field(repr=False)
    meta: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class CacheStats:
    """Counts of one cache object since it was made, and the sizes of its two levels.

    `disk_bytes` is None while nothing has been written from this process.
    """

    memory_hits: int = 0
    disk_hits: int = 0
    misses: int = 0
    stored: int = 0
    discarded: int = 0
    evicted: int = 0
    memory_bytes: int = 0
    disk_bytes: int | None = None


class KernelCache:
    """Kernels by key, in memory and, with a directory, on disk. Safe under threads and processes.

    Keys are hexadecimal digests (`content_key`). `directory` None keeps everything in memory. Each
    level is bounded by `max_bytes`; the modules used longest ago go first. No method raises for
    what happens to the folder.
    """

    def __init__(
        self, directory: str | os.PathLike[str] | None, max_bytes: int = DEFAULT_BYTES
    ) -> None:
        self.directory = None if directory is None else Path(directory)
        self.max_bytes = max_bytes
        self._entries: dict[str, Entry] = {}
        self._objects: OrderedDict[str, bytes] = OrderedDict()  # by module, oldest use first
        self._stats = CacheStats()
        self._warned = False
        self._readable = self._writable = self.directory is not None and self._open()

    # ------------------------------------------------------------------ reading

    def get(self, key: str) -> Entry | None:
        """The kernel of a key, or None. Raises ValueError for a key that is no digest."""
        _check_key(key)
        with _lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._objects.move_to_end(entry.module)
                self._count(memory_hits=1)
                return entry
        entry = self._read(key) if self._readable else None
        with _lock:
            if entry is None:
                self._count(misses=1)
                return None
            self._count(disk_hits=1)
            return self._remember(entry)

    def get_many(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The kernels that are there, by key; entries of one module share its object bytes."""
        found = ((key, self.get(key)) for key in dict.fromkeys(keys))
        return {key: entry for key, entry in found if entry is not None}

    def stats(self) -> CacheStats:
        """Counts so far."""
        with _lock:
            return self._stats

    # ------------------------------------------------------------------ writing

    def put(
        self,
        key: str,
        object_bytes: bytes,
        meta: Mapping[str, Any] | None = None,
        texts: Mapping[str, str] | None = None,
        *,
        symbol: str = "kernel",
    ) -> Entry:
        """Keep an object with the one kernel `symbol`; see `put_module`."""
        return self.put_module({key: symbol}, object_bytes, {key: meta or {}}, texts)[key]

    def put_module(
        self,
        symbols: Mapping[str, str],
        object_bytes: bytes,
        metas: Mapping[str, Mapping[str, Any]] | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> dict[str, Entry]:
        """Keep an object and the kernels in it, `symbols` by key.

        `metas` holds what JSON can hold about each kernel, `texts` maps file names such as
        "kernels.ll" to what people may want to read beside the object. Raises ValueError for a bad
        key or file name.
        """
        for key in symbols:
            _check_key(key)
        for name in texts or {}:
            if not name or name != os.path.basename(name) or name in ("object.o", "index.json"):
                raise ValueError(f"not a name for a text of a module: {name!r}")
        module = hashlib.sha256(object_bytes).hexdigest()
        names = tuple(sorted(set(symbols.values())))
        entries = {
            key: Entry(key, symbol, module, object_bytes, names, dict((metas or {}).get(key, {})))
            for key, symbol in symbols.items()
        }
        with _lock:
            self._count(stored=len(entries))
            for entry in entries.values():
                self._remember(entry)
        if self._writable:
            self._write(module, entries, texts or {})
        return entries

    def clear(self) -> None:
        """Forget everything in memory and delete what is on disk."""
        with _lock:
            self._entries.clear()
            self._objects.clear()
            self._stats = replace(self._stats, memory_bytes=0, disk_bytes=None)
        if self._writable and self.directory is not None:
            cache_files.clear_folder(self.directory)

    # ------------------------------------------------------------------ memory

    def _remember(self, entry: Entry) -> Entry:
        """Keep an entry in memory and drop the oldest modules beyond the limit; lock is held."""
        if entry.module not in self._objects:
            self._objects[entry.module] = entry.object_bytes
            self._count(memory_bytes=len(entry.object_bytes))
        self._objects.move_to_end(entry.module)
        entry = replace(entry, object_bytes=self._objects[entry.module])  # shared, not a copy
        self._entries[entry.key] = entry
        while self._stats.memory_bytes > self.max_bytes and len(self._objects) > 1:
            module, object_bytes = self._objects.popitem(last=False)
            self._entries = {k: e for k, e in self._entries.items() if e.module != module}
            self._count(memory_bytes=-len(object_bytes))
        return entry

    def _count(self, **changes: int) -> None:
        now = {name: (getattr(self._stats, name) or 0) + by for name, by in changes.items()}
        self._stats = replace(self._stats, **now)

    # ------------------------------------------------------------------ disk

    def _open(self) -> bool:
        """Make the folder; may it be used?"""
        assert self.directory is not None
        try:
            make_folder(self.directory)
            status = self.directory.stat()
        except OSError as error:
            self._warn(f"cannot be used ({error.strerror})")
            return False
        if hasattr(os, "geteuid"):
            if status.st_uid != os.geteuid():
                self._warn("belongs to another user")
                return False
            if status.st_mode & 0o022:
                self._warn("may be written by other users (chmod go-w it)")
                return False
        return True

    def _warn(self, reason: str) -> None:
        if self._warned:
            return
        self._warned = True
        warnings.warn(
            f"graphc's kernel cache {self.directory} {reason}: "
            "compiled kernels are kept in memory only",
            RuntimeWarning,
            stacklevel=4,
        )

    def _kernel_path(self, key: str) -> Path:
        assert self.directory is not None
        return self.directory / "kernels" / key[:2] / f"{key}.json"

    def _module_path(self, module: str) -> Path:
        assert self.directory is not None
        return self.directory / "modules" / module[:2] / module

    def _read(self, key: str) -> Entry | None:
        path = self._kernel_path(key)
        try:
            text = path.read_bytes()
        except OSError:
            return None
        try:
            record = json.loads(text)
            if record["format"] != FORMAT or record["key"] != key:
                raise ValueError("another format or another kernel")
            module, symbol = str(record["module"]), str(record["symbol"])
            symbols = tuple(str(name) for name in record["symbols"])
            meta = dict(record["meta"])
            _check_key(module)
        except (ValueError, KeyError, TypeError):
            self._discard(path)
            return None
        object_bytes = self._read_object(module)
        if object_bytes is None or symbol not in symbols:
            self._discard(path)  # its module was evicted or damaged
            return None
        return Entry(key, symbol, module, object_bytes, symbols, meta)

    def _read_object(self, module: str) -> bytes | None:
        with _lock:
            if module in self._objects:
                return self._objects[module]
        folder = self._module_path(module)
        try:
            object_bytes = (folder / "object.o").read_bytes()
        except OSError:
            return None
        if hashlib.sha256(object_bytes).hexdigest() != module:
            self._discard(folder)
            return None
        with contextlib.suppress(OSError):
            os.utime(folder)  # used now: eviction takes the oldest first
        return object_bytes

    def _discard(self, path: Path) -> None:
        with _lock:
            self._count(discarded=1)
        cache_files.remove(path)

    def _write(self, module: str, entries: Mapping[str, Entry], texts: Mapping[str, str]) -> None:
        try:
            size = self._write_module(module, entries, texts)
            for entry in entries.values():
                record = {
                    "format": FORMAT, "key": entry.key, "module": module, "symbol": entry.symbol,
                    "symbols": entry.symbols, "meta": entry.meta,
                }  # fmt: skip
                size += self._write_file(self._kernel_path(entry.key), _json(record))
            self._bound(size)
        except OSError as error:
            self._writable = False
            self._warn(f"cannot be written ({error.strerror})")

    def _write_module(
        self, module: str, entries: Mapping[str, Entry], texts: Mapping[str, str]
    ) -> int:
        """Write a module's folder at once; the bytes it takes, 0 if it was there."""
        target = self._module_path(module)
        if (target / "object.o").exists():
            return 0
        some = next(iter(entries.values()))
        index = {
            "format": FORMAT,
            "sha256": module,
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "kernels": {key: {"symbol": e.symbol, **e.meta} for key, e in entries.items()},
        }
        files = {"object.o": some.object_bytes, "index.json": _json(index)}
        files |= {name: text.encode() for name, text in texts.items()}
        scratch = self._scratch()
        scratch.mkdir(mode=0o700)
        try:
            size = sum(_write_new(scratch / name, data) for name, data in files.items())
            make_folder(target.parent)
            try:
                scratch.rename(target)
            except OSError:
                if not (target / "object.o").exists():  # a leftover without an object, or no right
                    shutil.rmtree(target, ignore_errors=True)
                    scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return size

    def _write_file(self, path: Path, data: bytes) -> int:
        make_folder(path.parent)
        scratch = self._scratch()
        try:
            size = _write_new(scratch, data)
            os.replace(scratch, path)
        finally:
            with contextlib.suppress(OSError):
                scratch.unlink()
        return size

    def _scratch(self) -> Path:
        assert self.directory is not None
        folder = self.directory / "tmp"
        make_folder(folder)
        return folder / f"{os.getpid()}-{secrets.token_hex(8)}"

    def _bound(self, written: int) -> None:
        """Count what was written; beyond the limit delete the modules used longest ago."""
        with _lock:
            known = self._stats.disk_bytes
        if known is None:
            known = self._recorded()
        total = self._measure() if known is None else known + written
        if total > self.max_bytes:
            total = self._evict(total)
        self._write_file(self._size_path, str(total).encode())
        with _lock:
            self._stats = replace(self._stats, disk_bytes=total)

    @property
    def _size_path(self) -> Path:
        assert self.directory is not None
        return self.directory / cache_files.SIZE

    def _recorded(self) -> int | None:
        """The size that a process noted not long ago: looking at every file takes a while.

        Processes that write at once may lose each other's share; the next measuring finds it.
        """
        try:
            if self._size_path.stat().st_mtime < time.time() - _MEASURE_SECONDS:
                return None
            return int(self._size_path.read_bytes())
        except (OSError, ValueError):
            return None

    def _measure(self) -> int:
        assert self.directory is not None
        return sum(tree_bytes(self.directory / part) for part in ("kernels", "modules"))

    def _evict(self, total: int) -> int:
        assert self.directory is not None
        modules = []
        for folder in cache_files.own(self.directory, "modules"):
            with contextlib.suppress(OSError):
                modules.append((folder.stat().st_mtime_ns, folder))
        modules.sort()
        total = self._measure()  # other processes write and evict as well
        evicted = 0
        for _, folder in modules[:-1]:  # the newest is the one just written
            if total <= self.max_bytes * _KEEP_FRACTION:
                break
            total -= tree_bytes(folder)
            shutil.rmtree(folder, ignore_errors=True)
            evicted += 1
        with _lock:
            self._count(evicted=evicted)
        self._sweep()
        return self._measure()

    def _sweep(self) -> None:
        """Delete kernels whose module is gone, and what dead processes left."""
        assert self.directory is not None
        for path in cache_files.own(self.directory, "kernels"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                if not self._module_path(str(json.loads(path.read_bytes())["module"])).exists():
                    path.unlink()
        for path in cache_files.own(self.directory, "tmp"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _STALE_SECONDS:
                    cache_files.remove(path)


def load(entries: Mapping[str, Entry]) -> dict[str, int]:
    """Link entries into the process: the kernel's address by key. A module is linked once.

    Raises KernelCompileError if an object cannot be linked.
    """
    modules = {entry.module: entry for entry in entries.values()}
    linked = {
        module: jit.load_object(entry.object_bytes, entry.symbols, name=entry.symbol)
        for module, entry in modules.items()
    }
    return {key: linked[entry.module][entry.symbol] for key, entry in entries.items()}


_default = KernelCache(None)


def default() -> KernelCache:
    """Where the runtime's own modules are kept."""
    return _default


def set_default(store: KernelCache) -> None:
    """Keep the runtime's own modules (driver, threads, frame, BLAS) in `store` from now on."""
    global _default
    _default = store


def library_key(content: str, symbol: str) -> str:
    """The key of a symbol of a module for the host, which is what `content` says."""
    return content_key("library", jit.target_key(), content, symbol)


def library(ir_text: str, symbols: Iterable[str], *, name: str) -> dict[str, int]:
    """The addresses of a module's symbols, compiled for the host unless the default cache has it.

    Raises KernelCompileError.
    """
    keys = {symbol: library_key(ir_text, symbol) for symbol in symbols}
    found = _default.get_many(keys.values())
    if len(found) < len(keys):
        object_bytes = jit.compile_ir(ir_text, keys, name=name)
        metas = {key: {"name": name, "target": jit.target_key()} for key in keys.values()}
        kernels = {key: symbol for symbol, key in keys.items()}
        found = _default.put_module(kernels, object_bytes, metas, {f"{name}.ll": ir_text})
    addresses = load(found)
    return {symbol: addresses[key] for symbol, key in keys.items()}


def _check_key(key: str) -> None:
    if not 16 <= len(key) <= 128 or not _HEX.issuperset(key):
        raise ValueError(f"not a cache key (16 to 128 hexadecimal digits): {key!r}")


def _json(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()


def _write_new(path: Path, data: bytes) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
    return disk_bytes(os.stat(path))


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
