"""Settings: defaults, the environment, errors that name what is accepted, thread safety."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphc import config
from graphc.config import Config, configure, current, from_environment
from graphc.errors import ConfigError


@pytest.fixture(autouse=True)
def fresh_default(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for field in config._FIELDS.values():
        monkeypatch.delenv(field.variable, raising=False)
    config.reset()
    yield
    config.reset()


def test_every_field_has_a_variable() -> None:
    assert [f.name for f in dataclasses.fields(Config)] == list(config._FIELDS)


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("GRAPHC_FUSE", "0", "fuse", False),
        ("GRAPHC_FUSE", "Yes", "fuse", True),
        ("GRAPHC_BACKEND", "reference", "backend", "reference"),
        ("GRAPHC_CODEGEN", "numba", "codegen", "numba"),
        ("GRAPHC_THREADS", "3", "threads", 3),
        ("GRAPHC_THREADS", "auto", "threads", None),
        ("GRAPHC_CHECK_NUMERICS", "on", "check_numerics", True),
        ("GRAPHC_VALIDATE", "true", "validate", True),
        ("GRAPHC_DUMP", "some/folder", "dump", "some/folder"),
        ("GRAPHC_DUMP", "off", "dump", None),
        ("GRAPHC_CACHE", "off", "cache_dir", None),
        ("GRAPHC_CACHE", "/c", "cache_dir", "/c"),
        ("GRAPHC_CACHE_BYTES", "1.5M", "cache_bytes", 3 << 19),
        ("GRAPHC_CACHE_BYTES", "2GiB", "cache_bytes", 2 << 30),
        ("GRAPHC_CACHE_BYTES", "7", "cache_bytes", 7),
        ("GRAPHC_POOL_BYTES", "64kb", "pool_bytes", 65536),
        ("GRAPHC_POOL_BYTES", "8B", "pool_bytes", 8),
        ("GRAPHC_PROFILE", "1", "profile", True),
        ("GRAPHC_PASSES", "fold, cse", "passes", ("fold", "cse")),
        ("GRAPHC_DISABLED", "cse", "disabled", ("cse",)),
        ("GRAPHC_MAX_FUSED_OPS", "10", "max_fused_ops", 10),
        ("GRAPHC_SEED", "-4", "seed", -4),
    ],
)
def test_variables_are_read(variable: str, text: str, name: str, value: object) -> None:
    assert getattr(from_environment({variable: text, "HOME": "/h"}), name) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GRAPHC_FUSE", "maybe"),
        ("GRAPHC_BACKEND", "gpu"),
        ("GRAPHC_CODEGEN", "llvm"),
        ("GRAPHC_THREADS", "0"),
        ("GRAPHC_THREADS", "two"),
        ("GRAPHC_CACHE_BYTES", "-1"),
        ("GRAPHC_CACHE_BYTES", "many"),
        ("GRAPHC_CACHE_BYTES", "1e999"),
        ("GRAPHC_CACHE_BYTES", "nan"),
        ("GRAPHC_CACHE_BYTES", "k"),
        ("GRAPHC_MAX_FUSED_OPS", "0"),
        ("GRAPHC_SEED", "x"),
    ],
)
def test_a_bad_variable_names_itself_its_value_and_what_is_accepted(
    variable: str, text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_environment({variable: text})
    accepted = next(f.accepted for f in config._FIELDS.values() if f.variable == variable)
    assert str(caught.value) == f"{variable}={text!r}: expected {accepted}"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert from_environment({"GRAPHC_FUSE": "", "GRAPHC_THREADS": " "}).fuse is True


def test_an_unknown_variable_is_warned_about_once_with_a_suggestion() -> None:
    config._WARNED.clear()
    environ = {"GRAPHC_TREADS": "2"}
    with pytest.warns(UserWarning, match="GRAPHC_TREADS .*did you mean 'GRAPHC_THREADS'"):
        from_environment(environ)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_environment(environ)


@pytest.mark.parametrize(
    "fields",
    [
        {"fuse": 1}, {"backend": "tpu"}, {"threads": 0}, {"threads": True}, {"passes": "cse"},
        {"cache_bytes": -1}, {"dump": ""}, {"max_fused_ops": 0}, {"seed": 1.5},
    ],
)  # fmt: skip
def test_a_bad_field_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        Config(**fields)  # type: ignore[arg-type]


def test_replace_suggests_the_field_that_was_meant() -> None:
    with pytest.raises(ConfigError, match="no setting 'thread'; did you mean 'threads'"):
        Config().replace(thread=2)


def test_paths_and_lists_are_taken(tmp_path: Path) -> None:
    made = Config(cache_dir=tmp_path, disabled=["cse"])  # type: ignore[arg-type]
    assert made.cache_dir == str(tmp_path)
    assert made.disabled == ("cse",)
    assert hash(made) == hash(made.replace())


def test_key_tells_plans_apart_and_ignores_what_does_not_change_them() -> None:
    base = Config()
    assert base.key() == base.replace(cache_bytes=1, pool_bytes=1, seed=3).key()
    for change in ({"fuse": False}, {"codegen": "numba"}, {"threads": 1}, {"disabled": ("x",)}):
        assert base.key() != base.replace(**change).key()


def test_the_cache_folder_follows_xdg() -> None:
    found = config.default_cache_dir({"XDG_CACHE_HOME": "/var/c"})
    assert found == "/var/c/graphc"
    relative = config.default_cache_dir({"XDG_CACHE_HOME": "c"})
    assert relative is None or relative.endswith(".cache/graphc")


def test_configure_changes_the_default_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_THREADS", "5")
    assert current().threads == 5
    assert configure(fuse=False).threads == 5
    with pytest.raises(ConfigError):
        configure(threads=7, backend="tpu")
    assert current() == from_environment().replace(fuse=False)


def test_configure_from_many_threads_loses_no_field() -> None:
    changes = [{"fuse": False}, {"threads": 3}, {"seed": 9}, {"profile": True}]
    gate = threading.Barrier(len(changes))

    def change(fields: dict[str, object]) -> None:
        gate.wait()
        configure(**fields)

    workers = [threading.Thread(target=change, args=(c,)) for c in changes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    made = current()
    assert (made.fuse, made.threads, made.seed, made.profile) == (False, 3, 9, True)


def test_importing_the_settings_pulls_in_nothing_heavy() -> None:
    code = "import sys, graphc.config as c; c.current(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
