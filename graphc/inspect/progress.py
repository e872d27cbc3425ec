"""Progress of long work on a terminal, in the form of Keras's bars.

Lives here: Progress. Not here: the bar (keras/utils/generic_utils.py). Imported by the console
command only.

It goes to the error stream, so that what a command prints can be piped; where that is no terminal,
nothing is shown, and Keras is not imported.
"""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import Any

WIDE = 40  # of what is being done


class Progress:
    """A bar over `total` units, or over as many as are told; use it in a `with`."""

    def __init__(self, total: int | None = None) -> None:
        self.total = total
        self.done = 0
        self._bar: Any = None
        self._begun = 0
        self._length = 0

    @property
    def shown(self) -> bool:
        return sys.stderr is not None and sys.stderr.isatty()

    def at(self, done: int) -> None:
        """So many units are done."""
        if not self.shown:
            return
        with contextlib.redirect_stdout(sys.stderr):
            if self._bar is None:
                from graphc.keras.utils import Progbar

                self._bar = Progbar(self.total, interval=0.0)
            self._bar.update(done)
        self.done = done

    def of(self, done: int, total: int) -> None:
        """So many units of a total that is known only now."""
        self.total = total
        self.at(done)

    def say(self, doing: str) -> None:
        """The next unit begins: what it is stands behind the bar."""
        if not self.shown:
            return
        self._begun += 1
        if self.total is None:
            text = doing[:WIDE]
            sys.stderr.write(f"\r{text}{' ' * max(self._length - len(text), 0)}")
            self._length = len(text)
        else:
            self.at(min(self._begun - 1, self.total - 1))
            sys.stderr.write(f" - {doing[:WIDE]:{WIDE}s}")
        sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if not self.shown:
            return
        if error is None and self._begun and self.total is not None:
            sys.stderr.write(f"\r{' ' * (3 * WIDE)}")
            self.at(self.total)  # ends the line
        elif self._length or (self._bar is not None and self.done != self.total):
            sys.stderr.write("\n")
            sys.stderr.flush()
