"""Settings: one frozen Config, the process default, and the environment variables behind it.

Lives here: every setting of graphc, its parsing and its checks. This is the only module that
reads the environment. Not here: TF1's ConfigProto (tf1/), which is translated into a Config.
Every layer may import it; it imports only errors.

Each field has one environment variable (GRAPHC_FUSE for `fuse`, ...), read once, at the first use
of the default. A value that is not understood raises ConfigError; it is never ignored.
"""

from __future__ import annotations

import dataclasses
import math
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc.errors import ConfigError

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True)
class Config:
    """How graphs are compiled and run.

    Attributes:
        fuse: merge ops into common kernels; False compiles one op a kernel.
        backend: "cpu" compiles, "cuda" compiles for an NVIDIA GPU, "reference" runs every op with
            NumPy.
        soft_placement: what is meant for a GPU that is not there runs on the CPU, which is said
            once; False refuses it.
        tensor_cores: products on a GPU may round float32 operands to TF32, and half floats go
            through tensor cores: faster, and less exact.
        codegen: "vector" prints LLVM vector code (and Numba source where that does not reach);
            "numba" prints Numba source for every kernel.
        threads: worker threads of a run; None: the cores this process may use.
        check_numerics: stop at the first op that makes a NaN or an infinity, and name it.
        validate: compare every kernel's results with the NumPy reference, on every run.
        dump: folder for the numbered texts of each stage, or None.
        cache_dir: folder of the compiled kernels; None keeps nothing on disk.
        cache_bytes: size at which the oldest entries of that folder are dropped.
        profile: record the time of every step.
        passes: names of the passes to run, in order; empty: the standard list.
        disabled: names of the passes to leave out.
        max_fused_ops: largest number of scalar operations in one kernel.
        pool_bytes: memory of dropped results that is kept for the next ones; read once, when the
            process builds its first plan.
        seed: the graph-level random seed that a new graph starts with, or None.

    Raises:
        ConfigError: a field has a value that is not accepted.
    """

    fuse: bool = True
    backend: str = "cpu"
    soft_placement: bool = False
    tensor_cores: bool = False
    codegen: str = "vector"
    threads: int | None = None
    check_numerics: bool = False
    validate: bool = False
    dump: str | None = None
    cache_dir: str | None = dataclasses.field(default_factory=lambda: default_cache_dir())
    cache_bytes: int = 512 * MIB
    profile: bool = False
    passes: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    max_fused_ops: int = 200
    pool_bytes: int = GIB
    seed: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, _checked(field.name, value))

    def replace(self, **fields: Any) -> Config:
        """A copy with other fields. Raises ConfigError for an unknown field or a bad value."""
        _known_fields(fields)
        return dataclasses.replace(self, **fields)

    def key(self) -> tuple[Any, ...]:
        """The part that changes plans: two configs of one key may share a plan."""
        return tuple(getattr(self, name) for name in _PLAN_FIELDS)


# dump and profile stand here too: both change what a plan's build or its steps do
_PLAN_FIELDS = (
    "fuse", "backend", "soft_placement", "tensor_cores", "codegen", "threads", "check_numerics",
    "validate", "dump", "cache_dir", "profile", "passes", "disabled", "max_fused_ops",
)  # fmt: skip


# ------------------------------------------------------------------ fields and their texts
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_OFF_PATH = (*_FALSE, "none")
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": MIB, "g": GIB}


def _parse_bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)


def _parse_int(text: str) -> int:
    return int(text, 10)


def _parse_optional_int(text: str) -> int | None:
    return None if text.lower() in ("auto", "none") else int(text, 10)


def _parse_bytes(text: str) -> int:
    lower = text.lower().removesuffix("ib") if text.lower().endswith("ib") else text.lower()
    lower = lower.removesuffix("b") if lower[-2:-1] in ("k", "m", "g") else lower
    digits = lower.rstrip("kmgb")
    number = float(digits) * _UNITS[lower[len(digits) :]]
    if not math.isfinite(number):
        raise ValueError(text)
    return int(number)


def _parse_path(text: str) -> str | None:
    return None if text.lower() in _OFF_PATH else text


def _parse_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_int(low: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= low


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda v: v is None or check(v)


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(n, str) for n in value)


@dataclass(frozen=True)
class _Field:
    """One setting: its variable, how a text is read, what is accepted."""

    variable: str
    parse: Callable[[str], Any]
    valid: Callable[[Any], bool]
    accepted: str


def _flag(variable: str) -> _Field:
    return _Field(variable, _parse_bool, _is_bool, "one of 1, 0, true, false, yes, no, on, off")


def _choice(variable: str, *words: str) -> _Field:
    accepted = " or ".join(repr(w) for w in words)
    return _Field(variable, str, lambda v: isinstance(v, str) and v in words, accepted)


def _path(variable: str) -> _Field:
    valid = _optional(lambda v: isinstance(v, str) and bool(v) and "\0" not in v)
    return _Field(variable, _parse_path, valid, "the path of a folder, or 'off'")


def _size(variable: str) -> _Field:
    return _Field(variable, _parse_bytes, _is_int(0), "a number of bytes, such as 1048576 or 512M")


def _names(variable: str) -> _Field:
    return _Field(variable, _parse_names, _is_names, "names of passes, separated by commas")


_FIELDS: dict[str, _Field] = {
    "fuse": _flag("GRAPHC_FUSE"),
    "backend": _choice("GRAPHC_BACKEND", "cpu", "cuda", "reference"),
    "soft_placement": _flag("GRAPHC_SOFT_PLACEMENT"),
    "tensor_cores": _flag("GRAPHC_TENSOR_CORES"),
    "codegen": _choice("GRAPHC_CODEGEN", "vector", "numba"),
    "threads": _Field(
        "GRAPHC_THREADS", _parse_optional_int, _optional(_is_int(1)), "an integer >= 1, or 'auto'"
    ),
    "check_numerics": _flag("GRAPHC_CHECK_NUMERICS"),
    "validate": _flag("GRAPHC_VALIDATE"),
    "dump": _path("GRAPHC_DUMP"),
    "cache_dir": _path("GRAPHC_CACHE"),
    "cache_bytes": _size("GRAPHC_CACHE_BYTES"),
    "profile": _flag("GRAPHC_PROFILE"),
    "passes": _names("GRAPHC_PASSES"),
    "disabled": _names("GRAPHC_DISABLED"),
    "max_fused_ops": _Field("GRAPHC_MAX_FUSED_OPS", _parse_int, _is_int(1), "an integer >= 1"),
    "pool_bytes": _size("GRAPHC_POOL_BYTES"),
    "seed": _Field(
        "GRAPHC_SEED",
        _parse_optional_int,
        _optional(lambda v: isinstance(v, int) and not isinstance(v, bool)),
        "an integer, or 'none'",
    ),
}


def _checked(name: str, value: Any) -> Any:
    """The value as it is stored. Raises ConfigError."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, list):
        value = tuple(value)
    field = _FIELDS[name]
    if not field.valid(value):
        raise ConfigError(f"Config({name}={value!r}): expected {field.accepted}")
    return value


def _known_fields(fields: Mapping[str, Any]) -> None:
    for name in fields:
        if name in _FIELDS:
            continue
        raise ConfigError(f"Config has no setting {name!r}{_suggestion(name, list(_FIELDS))}")


def _suggestion(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


# ------------------------------------------------------------------ the environment
def default_cache_dir(environ: Mapping[str, str] | None = None) -> str | None:
    """Where compiled kernels are kept: $XDG_CACHE_HOME/graphc, else ~/.cache/graphc.

    None where the user has no home folder: then nothing is kept on disk.
    """
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME", "")
    # the XDG specification: a relative path is invalid and is to be ignored
    if base and Path(base).is_absolute():
        return str(Path(base) / "graphc")
    try:
        return str(Path.home() / ".cache" / "graphc")
    except RuntimeError:
        return None


def from_environment(environ: Mapping[str, str] | None = None) -> Config:
    """The Config that the GRAPHC_* variables describe; an empty variable counts as not set.

    Raises:
        ConfigError: names the variable, its value and what is accepted.
    """
    environ = os.environ if environ is None else environ
    _warn_unknown(environ)
    fields: dict[str, Any] = {"cache_dir": default_cache_dir(environ)}
    for name, field in _FIELDS.items():
        text = environ.get(field.variable, "").strip()
        if text:
            fields[name] = _from_text(field, text)
    return Config(**fields)


def _from_text(field: _Field, text: str) -> Any:
    try:
        value = field.parse(text)
    except (ValueError, KeyError):
        value = ...
    if value is ... or not field.valid(value):
        raise ConfigError(f"{field.variable}={text!r}: expected {field.accepted}") from None
    return value


_WARNED: set[str] = set()


def _warn_unknown(environ: Mapping[str, str]) -> None:
    """One warning a variable and process: a misspelt setting would be ignored otherwise."""
    known = [field.variable for field in _FIELDS.values()]
    for name in sorted(environ):
        if not name.startswith("GRAPHC_") or name in known or name in _WARNED:
            continue
        _WARNED.add(name)
        warnings.warn(
            f"the environment variable {name} is not a setting of graphc"
            f"{_suggestion(name, known)}",
            stacklevel=4,
        )


# ------------------------------------------------------------------ the process default
_LOCK = threading.Lock()
_default: Config | None = None


def current() -> Config:
    """The process default: from the environment at first use, then as `configure` left it."""
    global _default
    found = _default
    if found is not None:
        return found
    with _LOCK:
        if _default is None:
            _default = from_environment()
        return _default


def configure(**fields: Any) -> Config:
    """Change fields of the process default and return it; sessions made later take it.

    Raises:
        ConfigError: an unknown field or a value that is not accepted; nothing is changed then.
    """
    global _default
    before = current()
    with _LOCK:
        _default = (_default or before).replace(**fields)
        return _default


def reset() -> None:
    """Forget the process default: the next `current` reads the environment again."""
    global _default
    with _LOCK:
        _default = None
