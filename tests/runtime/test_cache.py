"""The kernel cache: found again, never trusted blindly, bounded, shared."""

from __future__ import annotations

import ctypes
import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import pytest

from graphc.runtime import cache, jit
from graphc.runtime.cache import KernelCache, content_key

pytestmark = pytest.mark.filterwarnings("error")

KEY = content_key("one")
OTHER = content_key("two")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kernels-of-graphc"


def test_keys_tell_parts_apart() -> None:
    assert content_key("ab", "c") != content_key("a", "bc")
    assert content_key("a") == content_key(b"a")


@pytest.mark.parametrize("bad", ["", "xyz", "../../etc/passwd", "A" * 64, "0" * 200])
def test_keys_are_digests(folder: Path, bad: str) -> None:
    with pytest.raises(ValueError, match="cache key"):
        KernelCache(folder).get(bad)
    with pytest.raises(ValueError, match="cache key"):
        KernelCache(folder).put(bad, b"x")


@pytest.mark.parametrize("name", ["", "../evil", "a/b", "object.o", "index.json"])
def test_names_of_texts_stay_in_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="text of a module"):
        KernelCache(folder).put(KEY, b"x", {}, {name: "text"})


@pytest.mark.parametrize("on_disk", [False, True])
def test_what_was_put_is_found(folder: Path, on_disk: bool) -> None:
    store = KernelCache(folder if on_disk else None)
    assert store.get(KEY) is None
    store.put(KEY, b"code", {"ops": ["add"]}, {"kernels.ll": "define"}, symbol="k1")
    entry = store.get(KEY)
    assert entry is not None
    assert (entry.object_bytes, entry.symbol, entry.meta) == (b"code", "k1", {"ops": ["add"]})
    stats = store.stats()
    assert (stats.memory_hits, stats.misses, stats.stored) == (1, 1, 1)
    again = KernelCache(folder if on_disk else None)
    assert (again.get(KEY) == entry) == on_disk
    assert again.stats().disk_hits == on_disk


def test_a_person_can_read_the_folder(folder: Path) -> None:
    KernelCache(folder).put(KEY, b"code", {"ops": ["add"]}, {"kernels.py": "def k(): ..."})
    (module,) = folder.glob("modules/??/*")
    assert (module / "kernels.py").read_text() == "def k(): ..."
    index = json.loads((module / "index.json").read_text())
    assert index["kernels"][KEY]["ops"] == ["add"]
    assert not list(folder.glob("tmp/*"))


def test_kernels_of_a_module_are_found_one_by_one(folder: Path) -> None:
    KernelCache(folder).put_module({KEY: "a", OTHER: "b"}, b"module", {KEY: {"n": 1}})
    store = KernelCache(folder)
    entry = store.get(OTHER)
    assert entry is not None and entry.symbol == "b" and entry.symbols == ("a", "b")
    found = store.get_many([KEY, OTHER, content_key("absent"), KEY])
    assert set(found) == {KEY, OTHER}
    assert found[KEY].object_bytes is found[OTHER].object_bytes
    assert found[KEY].meta == {"n": 1}
    assert store.stats().memory_bytes == len(b"module")


def test_loading_links_each_module_once(folder: Path) -> None:
    text = "".join(f"define i64 @{n}() {{\n ret i64 {v}\n}}\n" for n, v in (("a", 1), ("b", 2)))
    code = jit.compile_ir(text, ["a", "b"])
    KernelCache(folder).put_module({KEY: "a", OTHER: "b"}, code)
    store = KernelCache(folder)
    addresses = cache.load(store.get_many([KEY, OTHER]))
    values = [ctypes.CFUNCTYPE(ctypes.c_int64)(addresses[key])() for key in (KEY, OTHER)]
    assert values == [1, 2]
    assert cache.load(store.get_many([OTHER])) == {OTHER: addresses[OTHER]}


def test_a_library_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "define i64 @seven() {\n ret i64 7\n}"
    monkeypatch.setattr(cache, "_default", KernelCache(folder))
    first = cache.library(text, ["seven"], name="lucky")["seven"]
    assert ctypes.CFUNCTYPE(ctypes.c_int64)(first)() == 7
    assert len(list(folder.glob("modules/??/*/lucky.ll"))) == 1
    cache.set_default(KernelCache(folder))
    monkeypatch.setattr(jit, "compile_ir", None)
    assert cache.library(text, ["seven"], name="lucky") == {"seven": first}


def damage_cut(folder: Path) -> None:
    (path,) = folder.glob("modules/??/*/object.o")
    path.write_bytes(path.read_bytes()[:-1])


def damage_bit(folder: Path) -> None:
    (path,) = folder.glob("modules/??/*/object.o")
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(bytes(data))


def damage_no_object(folder: Path) -> None:
    (path,) = folder.glob("modules/??/*/object.o")
    path.unlink()


def damage_json(folder: Path) -> None:
    (path,) = folder.glob("kernels/??/*.json")
    path.write_bytes(path.read_bytes()[:20])


def damage_foreign(folder: Path) -> None:
    (path,) = folder.glob("kernels/??/*.json")
    path.write_text('["something", "else"]')


def damage_path(folder: Path) -> None:
    (path,) = folder.glob("kernels/??/*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "module": "../../.."}))


def damage_format(folder: Path) -> None:
    (path,) = folder.glob("kernels/??/*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


@pytest.mark.parametrize(
    "damage",
    [
        damage_cut, damage_bit, damage_no_object, damage_json, damage_foreign, damage_path,
        damage_format,
    ],
)  # fmt: skip
def test_damaged_entries_are_dropped_and_built_again(folder: Path, damage: object) -> None:
    KernelCache(folder).put(KEY, b"good code", {}, {"kernels.ll": "x"})
    damage(folder)  # type: ignore[operator]
    store = KernelCache(folder)
    assert store.get(KEY) is None
    assert store.stats().discarded >= 1
    store.put(KEY, b"good code")
    entry = KernelCache(folder).get(KEY)
    assert entry is not None and entry.object_bytes == b"good code"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_the_folder_is_private(folder: Path) -> None:
    old = os.umask(0)
    try:
        KernelCache(folder).put(KEY, b"code", {}, {"kernels.ll": "x"})
    finally:
        os.umask(old)
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_folder_that_others_may_write_is_refused_with_one_warning(folder: Path) -> None:
    KernelCache(folder).put(KEY, b"code")
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="written by other users"):
        store = KernelCache(folder)
    assert store.get(KEY) is None
    store.put(OTHER, b"other")  # a second warning would be an error here
    assert store.get(OTHER) is not None
    assert not list(folder.glob(f"kernels/??/{OTHER}.json"))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KernelCache(folder).put(KEY, b"code")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.warns(RuntimeWarning, match="another user"):
        assert KernelCache(folder).get(KEY) is None


def test_a_folder_that_cannot_be_made_means_memory_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(RuntimeWarning, match="in memory only"):
        store = KernelCache(tmp_path / "file" / "cache")
    store.put(KEY, b"code")
    assert store.get(KEY) is not None


def test_a_full_disk_means_memory_only_with_one_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = KernelCache(folder)
    store.put(KEY, b"code")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write_new", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        store.put(OTHER, b"other")
    store.put(content_key("three"), b"third")  # a second warning would be an error here
    assert store.get(OTHER) is not None
    assert KernelCache(folder).get(KEY) is not None  # what was there is still read
    assert not list(folder.glob("tmp/*"))


def test_disk_is_bounded_and_drops_the_oldest(folder: Path) -> None:
    store = KernelCache(folder, max_bytes=200_000)
    keys = [content_key(str(i)) for i in range(12)]
    for age, key in enumerate(keys):
        store.put(key, bytes([age]) * 30_000)
        (module,) = (e.module for e in [store.get(key)] if e)
        path = folder / "modules" / module[:2] / module
        if path.exists():
            os.utime(path, (1e9 + age, 1e9 + age))
    stats = store.stats()
    assert stats.evicted > 0 and stats.disk_bytes is not None
    assert stats.disk_bytes <= 200_000
    assert stats.memory_bytes <= 200_000
    fresh = KernelCache(folder, max_bytes=200_000)
    kept = [fresh.get(key) is not None for key in keys]
    assert not kept[0] and kept[-1]
    assert kept == sorted(kept)
    assert len(list(folder.glob("kernels/??/*"))) == sum(kept)


def test_reading_makes_a_module_young(folder: Path) -> None:
    store = KernelCache(folder)
    for key in (KEY, OTHER):
        entry = store.put(key, key.encode() * 640)
        os.utime(folder / "modules" / entry.module[:2] / entry.module, (1e9, 1e9))
    KernelCache(folder).get(KEY)
    KernelCache(folder, max_bytes=110_000).put(content_key("big"), b"x" * 20_000)
    fresh = KernelCache(folder)
    assert fresh.get(KEY) is not None
    assert fresh.get(OTHER) is None


def test_leftovers_of_dead_processes_are_swept(folder: Path) -> None:
    store = KernelCache(folder, max_bytes=10_000)
    store.put(KEY, b"x")
    dead = folder / "tmp" / "1-abc"
    dead.mkdir()
    os.utime(dead, (1e9, 1e9))
    store.put(OTHER, b"y" * 20_000)
    assert not dead.exists()


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_kernel_built_again_differently_replaces_the_old_one(folder: Path, on_disk: bool) -> None:
    store = KernelCache(folder if on_disk else None, max_bytes=100)
    store.put_module({KEY: "a", OTHER: "b"}, b"old")
    store.put(KEY, b"new")
    entries = store.get_many([KEY, OTHER])
    assert [entries[key].object_bytes for key in (KEY, OTHER)] == [b"new", b"old"]
    assert store.stats().memory_bytes == 6
    entry = KernelCache(folder).get(KEY) if on_disk else store.get(KEY)
    assert entry is not None and entry.object_bytes == b"new"


def test_clear_empties_both_levels(folder: Path) -> None:
    store = KernelCache(folder)
    store.put(KEY, b"code")
    store.clear()
    assert store.get(KEY) is None
    assert KernelCache(folder).get(KEY) is None
    store.put(KEY, b"code")
    assert KernelCache(folder).get(KEY) is not None


def test_threads_share_a_cache(folder: Path) -> None:
    store = KernelCache(folder, max_bytes=50_000)
    wrong: list[str] = []

    def work() -> None:
        for turn in range(60):
            key = content_key(str(turn % 20))
            entry = store.get(key) or store.put(key, key.encode() * 40)
            if entry.object_bytes != key.encode() * 40:
                wrong.append(key)

    workers = [threading.Thread(target=work) for _ in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert not wrong


def test_processes_share_a_folder(folder: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, warnings
        warnings.simplefilter("error")
        from graphc.runtime.cache import KernelCache, content_key
        for turn in range(40):
            store = KernelCache(sys.argv[1], max_bytes=150_000)
            for number in range(turn, turn + 5):
                key = content_key(str(number % 15))
                entry = store.get(key) or store.put(key, key.encode() * 200)
                assert entry.object_bytes == key.encode() * 200
        """
    )
    root = Path(__file__).parents[2]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            cwd=root, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for _ in range(4)
    ]  # fmt: skip
    errors = [process.communicate()[1] for process in running]
    assert errors == [""] * 4
    assert not list(folder.glob("tmp/*"))
