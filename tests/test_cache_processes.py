"""The kernel cache between processes: found again, never believed when damaged, shared by many."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

WORK = """
import json, sys, warnings
import numpy as np
import graphc as tf

warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as seen:
    x = tf.placeholder(tf.float32, [None, 12])
    w = tf.Variable(np.linspace(-1, 1, 60, dtype=np.float32).reshape(12, 5))
    loss = tf.reduce_mean(tf.square(tf.tanh(tf.matmul(x, w)) - 0.25))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    data = np.linspace(0, 1, 12 * rows, dtype=np.float32).reshape(rows, 12)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        losses = [float(sess.run([loss, train], {x: data})[0]) for _ in range(5)]
found = tf.stats()
print(json.dumps({
    "losses": losses,
    "modules": found["modules_compiled"],
    "kernels": found["kernels_compiled"],
    "from_cache": found["kernels_from_cache"],
    "warnings": [str(w.message) for w in seen],
}))
"""


def start(folder: Path | str, code: str = WORK, *args: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRAPHC_")}
    environment |= {"GRAPHC_CACHE": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def work(folder: Path | str, *args: str) -> dict[str, Any]:
    """One process: it must come to the right losses whatever the folder is like."""
    found = result(start(folder, WORK, *args))
    assert len(found["losses"]) == 5 and found["losses"] == sorted(found["losses"], reverse=True)
    return found


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A cache that a first process has filled, and what that process said."""
    folder = tmp_path_factory.mktemp("filled") / "cache"
    return folder, work(folder)


@pytest.fixture
def copy(filled: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    import shutil

    target = tmp_path / "cache"
    shutil.copytree(filled[0], target, copy_function=shutil.copy2)
    return target


def objects(folder: Path) -> list[Path]:
    found = sorted(folder.glob("modules/??/*/object.o"))
    assert found
    return found


# ------------------------------------------------------------------ found again
def test_a_second_process_compiles_nothing(filled: tuple[Path, dict[str, Any]]) -> None:
    folder, first = filled
    assert first["modules"] > 0 and first["kernels"] > 0 and not first["warnings"]
    second = work(folder)
    assert (second["modules"], second["kernels"]) == (0, 0)
    assert second["from_cache"] == first["kernels"]
    assert second["losses"] == first["losses"]


def test_another_batch_size_in_another_process_compiles_nothing(
    filled: tuple[Path, dict[str, Any]],
) -> None:
    found = work(filled[0], "29")
    assert (found["modules"], found["kernels"]) == (0, 0)


def test_a_number_of_threads_compiles_nothing_the_second_time(tmp_path: Path) -> None:
    threads = "tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=2))"
    code = WORK.replace("tf.Session()", threads)
    first, second = (result(start(tmp_path / "cache", code)) for _ in range(2))
    assert first["modules"] > 0 and second["modules"] == 0
    assert second["losses"] == first["losses"]


def test_the_mlp_example_compiles_nothing_the_second_time(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    code = (
        "import sys, json, graphc as tf; sys.path.insert(0, 'examples'); import mlp_digits; "
        "accuracy = mlp_digits.main(plot=False); found = tf.stats(); "
        "print(json.dumps([accuracy, found['modules_compiled'], found['kernels_compiled']]))"
    )
    first = result(start(tmp_path / "cache", code))
    second = result(start(tmp_path / "cache", code))
    assert first[0] == second[0] >= 0.97  # type: ignore[index]
    assert first[1] > 0 and second[1:] == [0, 0]  # type: ignore[index]


# ------------------------------------------------------------------ damage
def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(bytes(data))


def foreign(path: Path) -> None:
    path.write_bytes(b"\x7fELF not ours" * 100)


@pytest.mark.parametrize("damage", [cut, empty, flip, foreign, Path.unlink])
@pytest.mark.parametrize("what", ["modules/??/*/object.o", "kernels/??/*.json"])
def test_damaged_files_are_compiled_anew(
    filled: tuple[Path, dict[str, Any]], copy: Path, damage: Any, what: str
) -> None:
    for path in sorted(copy.glob(what)):
        path.chmod(0o600)
        damage(path)
    found = work(copy)
    assert found["losses"] == filled[1]["losses"]
    # an index that still reads may tell of a kernel; its code is never one that was damaged
    assert found["modules"] > 0
    assert work(copy)["modules"] == 0


def test_one_damaged_module_costs_only_itself(
    filled: tuple[Path, dict[str, Any]], copy: Path
) -> None:
    cut(objects(copy)[0])
    found = work(copy)
    assert 0 < found["modules"] < filled[1]["modules"]
    assert found["losses"] == filled[1]["losses"]


def test_code_of_another_kernel_is_not_taken(
    filled: tuple[Path, dict[str, Any]], copy: Path
) -> None:
    first, *others = objects(copy)
    for other in others:
        other.chmod(0o600)
        other.write_bytes(first.read_bytes())
    assert work(copy)["losses"] == filled[1]["losses"]


# ------------------------------------------------------------------ folders that do not serve
def test_a_folder_that_others_may_write_is_refused(copy: Path) -> None:
    copy.chmod(0o777)
    before = sorted(copy.rglob("*"))
    found = work(copy)
    assert found["modules"] > 0 and found["from_cache"] == 0
    assert any("may be written by other users" in w for w in found["warnings"])
    assert sorted(copy.rglob("*")) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs chown")
def test_a_folder_of_another_user_is_refused(copy: Path) -> None:
    os.chown(copy, 12345, 12345)
    found = work(copy)
    assert found["modules"] > 0
    assert any("belongs to another user" in w for w in found["warnings"])


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    found = work(tmp_path / "cache")
    assert found["modules"] > 0
    assert any("cannot be used" in w for w in found["warnings"])
    assert (tmp_path / "cache").read_text() == "a file"


def refusing(code: int) -> str:
    """The work in a process in which every new file of the cache fails with errno `code`."""
    return (
        "import os\nfrom graphc.runtime import cache\n"
        f"def refuse(path, data): raise OSError({code}, os.strerror({code}))\n"
        "cache._write_new = refuse\n" + WORK
    )


@pytest.mark.parametrize("name", ["ENOSPC", "EROFS", "EDQUOT"])
def test_full_and_read_only_disks(tmp_path: Path, name: str) -> None:
    import errno

    code = getattr(errno, name)
    found = result(start(tmp_path / "cache", refusing(code)))
    assert found["modules"] > 0 and len(found["losses"]) == 5
    said = [w for w in found["warnings"] if "cannot be written" in w]
    assert len(said) == 1 and os.strerror(code) in said[0]
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_a_disk_that_fills_up_in_the_middle(
    filled: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    pytest.importorskip("resource")
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n" + WORK
    )
    found = result(start(tmp_path / "cache", code))
    assert found["losses"] == filled[1]["losses"]
    assert not list((tmp_path / "cache").glob("tmp/*"))
    # what was cut off is not believed
    assert work(tmp_path / "cache")["losses"] == filled[1]["losses"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_still_serves(
    filled: tuple[Path, dict[str, Any]], copy: Path
) -> None:
    places = [copy, *(p for p in copy.rglob("*") if p.is_dir())]
    for place in places:
        place.chmod(0o500)
    try:
        found = work(copy)
        assert found["modules"] == 0
    finally:
        for place in places:
            place.chmod(0o700)


def test_no_cache_at_all() -> None:
    found = work("off")
    assert found["modules"] > 0 and not found["warnings"]


# ------------------------------------------------------------------ many at once
def test_ten_processes_at_once(filled: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    running = [start(folder) for _ in range(10)]
    found = [result(process) for process in running]
    assert all(f["losses"] == filled[1]["losses"] and not f["warnings"] for f in found)
    assert not list(folder.glob("tmp/*"))
    assert work(folder)["modules"] == 0


def test_clearing_while_processes_run(
    filled: tuple[Path, dict[str, Any]], copy: Path
) -> None:
    from graphc.runtime.cache_files import clear_folder

    running = [start(copy) for _ in range(3)]
    while any(p.poll() is None for p in running):
        clear_folder(copy)
    for process in running:
        assert result(process)["losses"] == filled[1]["losses"]


def test_the_folder_is_the_users_alone(filled: tuple[Path, dict[str, Any]]) -> None:
    for path in (filled[0], *filled[0].rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
