"""install_as_tensorflow: `import tensorflow as tf` and its inner paths give graphc.

Lives here: the finder of modules and the modules it makes. Not here: which path is what
(alias_table.py). Imports the table of unsupported names; graphc itself only by its name, when a
script first needs it.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from graphc._unsupported import reason_of
from graphc.interop.alias_table import MODULES, RENAMED, sources_of

__all__ = ["install_as_tensorflow"]

_NAME = "tensorflow"
_VERSION = "1.15.0"  # the version whose interface this is; scripts compare it
_EXTRA: dict[str, dict[str, Any]] = {
    "": {
        "__version__": _VERSION,
        "VERSION": _VERSION,
        "GIT_VERSION": f"v{_VERSION}-graphc",
        "COMPILER_VERSION": "graphc",
    },
    "keras": {"__version__": "2.2.4-tf"},
    "version": {"VERSION": _VERSION, "GIT_VERSION": f"v{_VERSION}-graphc"},
}
# paths on the way to those of the table are packages, whatever graphc has under their names
_ABOVE = {p.rsplit(".", n + 1)[0] for p in MODULES for n in range(p.count("."))}


def _reason(path: str) -> str:
    """The end of an error about tensorflow.`path`."""
    why = reason_of(f"tf.{path}")
    return f"tf.{path} is not supported by graphc" + (f": {why}" if why else "")


def _namespace(source: str) -> ModuleType | None:
    """graphc's module of this name, or None."""
    try:
        found = pkgutil.resolve_name(source)
    except (AttributeError, ImportError):
        return None
    return found if isinstance(found, ModuleType) else None


class _Alias(ModuleType):
    """A module of TensorFlow whose attributes are graphc's."""

    __path__: Sequence[str] = ()  # type: ignore[assignment]  # a package: paths below are ours too

    def __init__(self, path: str, sources: tuple[str, ...]) -> None:
        super().__init__(f"{_NAME}.{path}" if path else _NAME, "graphc under TensorFlow's name")
        state = self.__dict__
        state["_graphc_path"], state["_graphc_sources"] = path, sources
        state.update(_EXTRA.get(path, {}))

    def __getattr__(self, name: str) -> Any:
        path: str = self.__dict__["_graphc_path"]
        below = f"{path}.{name}" if path else name
        if name.startswith("__") and name != "__all__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        # TensorFlow's own path wins over a name of graphc ("python", "compat.v1")
        if below in _ABOVE or (below in MODULES and _known(below)):
            return importlib.import_module(f"{_NAME}.{below}")
        here = RENAMED.get(below, name)
        for source in self.__dict__["_graphc_sources"]:
            namespace = _namespace(source)
            if namespace is not None and hasattr(namespace, here):
                found = getattr(namespace, here)
                # `import *` takes what a module publishes, and no version of graphc's
                return found if name != "__all__" else [n for n in found if n[:2] != "__"]
        raise AttributeError(_reason(below), name=name, obj=self)

    def __dir__(self) -> list[str]:
        found = [_namespace(s) for s in self.__dict__["_graphc_sources"]]
        return sorted({*self.__dict__, *(n for space in found if space for n in dir(space))})


def _known(path: str) -> bool:
    """Whether tensorflow.`path` is a module here."""
    if path in _ABOVE or path in _EXTRA:
        return True
    return any(_namespace(source) is not None for source in sources_of(path) or ())


class _Finder(MetaPathFinder, Loader):
    """Finds "tensorflow" and everything below it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root, _, below = fullname.partition(".")
        if root != _NAME:
            return None
        if not _known(below):
            # without `name=`, or "from a import b" replaces this text by its own
            raise ModuleNotFoundError(f"No module named {fullname!r}: {_reason(below)}")
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        below = spec.name.partition(".")[2]
        return _Alias(below, sources_of(below) or ())

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == f"{_NAME}.compat.v1":
            # one module: tf.compat.v1.Session is tf.Session, and the version is the same
            sys.modules[module.__name__] = sys.modules[_NAME]


def install_as_tensorflow() -> ModuleType:
    """Makes `import tensorflow as tf` in this process give graphc; returns that module.

    Lines with inner paths work as far as graphc has what they name: tensorflow.contrib.rnn,
    tensorflow.python.framework.ops, tensorflow.examples.tutorials.mnist and others. The module
    reports version 1.15.0. A path that is not supported is a ModuleNotFoundError that says so.

    Raises:
        RuntimeError: TensorFlow itself is imported already.
    """
    present = sys.modules.get(_NAME)
    if present is not None and not isinstance(present, _Alias):
        origin = getattr(present, "__file__", None) or "this process"
        raise RuntimeError(
            f"TensorFlow itself is imported already, from {origin}; call "
            "graphc.install_as_tensorflow() before anything that imports it"
        )
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # in front, so that an installed TensorFlow is not found first
        sys.meta_path.insert(0, _Finder())
    return importlib.import_module(_NAME)
