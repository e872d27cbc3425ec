"""The user's source line of an op: captured cheaply when the op is made, formatted on demand.

Lives here: Origin, capture, user-frame filtering. Not here: which message carries it. Imports
nothing of graphc.
"""

from __future__ import annotations

import linecache
import os
import sys
from dataclasses import dataclass
from types import CodeType
from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SKIP_PREFIXES = (_PACKAGE, "<frozen importlib")
MAX_FRAMES = 6
_INTERNAL: dict[CodeType, bool] = {}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an op was made: innermost user frame first, as (code, line number)."""

    frames: tuple[tuple[CodeType, int], ...]

    @property
    def filename(self) -> str:
        return self.frames[0][0].co_filename if self.frames else "<unknown>"

    @property
    def lineno(self) -> int:
        return self.frames[0][1] if self.frames else 0

    @property
    def function(self) -> str:
        return self.frames[0][0].co_name if self.frames else "<unknown>"

    def location(self) -> str:
        """file:line of the innermost user frame."""
        return f"{self.filename}:{self.lineno}"

    def summary(self) -> str:
        """file:line, in function, with the source text where it can be read."""
        line = linecache.getline(self.filename, self.lineno).strip()
        where = f"{self.location()} in {self.function}"
        return f"{where}: {line}" if line else where

    def traceback(self) -> list[tuple[str, int, str, str]]:
        """As TF1's Operation.traceback: (file, line, function, text), outermost first."""
        out = []
        for code, lineno in reversed(self.frames):
            text = linecache.getline(code.co_filename, lineno).strip()
            out.append((code.co_filename, lineno, code.co_name, text))
        return out


NOWHERE = Origin(())


def _is_internal(code: CodeType) -> bool:
    known = _INTERNAL.get(code)
    if known is None:
        known = os.path.abspath(code.co_filename).startswith(
            _PACKAGE
        ) or code.co_filename.startswith(_SKIP_PREFIXES)
        _INTERNAL[code] = known
    return known


def capture() -> Origin:
    """The user's stack, without graphc's own frames."""
    frame: Any = sys._getframe(1)
    frames: list[tuple[CodeType, int]] = []
    while frame is not None and len(frames) < MAX_FRAMES:
        code = frame.f_code
        if not _is_internal(code):
            frames.append((code, frame.f_lineno))
        frame = frame.f_back
    return Origin(tuple(frames))
