"""tf.sysconfig: where the package lies.

Lives here: the four questions that build scripts ask. Not here: building of C++ ops, which graphc
cannot load. Imports only the standard library and graphc's table of unsupported names.
"""

from __future__ import annotations

from pathlib import Path

from graphc._unsupported import getattr_of

__all__ = ["get_compile_flags", "get_include", "get_lib", "get_link_flags"]

__getattr__ = getattr_of(__name__)


def get_lib() -> str:
    """The folder of the package."""
    return str(Path(__file__).parent)


def get_include() -> str:
    """The folder of the package; it holds no C++ headers."""
    return get_lib()


def get_compile_flags() -> list[str]:
    """No flags: there is nothing to compile C++ ops against."""
    return []


def get_link_flags() -> list[str]:
    """No flags: there is no library to link C++ ops with."""
    return []
