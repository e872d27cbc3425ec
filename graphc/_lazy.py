"""Names that are imported when they are first used, so that `import graphc` stays cheap.

Lives here: attach, which gives a module its __getattr__ and __dir__ from a table. Not here: the
tables. Imports nothing of graphc but the reasons for names that are not supported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def attach(
    package: str, table: Mapping[str, str], submodules: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """(__getattr__, __dir__, __all__) of the module `package`.

    Args:
        table: module -> names in it, separated by blanks; "new=old" gives a name another one.
        submodules: names of modules below `package`.
    """
    where: dict[str, tuple[str, str]] = {}
    for module, names in table.items():
        for entry in names.split():
            public, _, inner = entry.partition("=")
            where[public] = (module, inner or public)
    below = frozenset(submodules.split())

    def getattr_(name: str) -> Any:
        if name in below:
            return importlib.import_module(f"{package}.{name}")
        if name not in where:
            # read when something is missing only
            from graphc._unsupported import missing

            raise missing(package, name)
        module, inner = where[name]
        value = getattr(importlib.import_module(module), inner)
        setattr(sys.modules[package], name, value)
        return value

    listed = sorted([*where, *below])

    def dir_() -> list[str]:
        return sorted({*listed, *vars(sys.modules[package])})

    return getattr_, dir_, listed
