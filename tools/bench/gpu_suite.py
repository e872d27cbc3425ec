"""Tests on the device, in a process of their own with a time limit, and what they said."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tools.bench.conversation import end_group
from tools.bench.environments import ROOT

COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|deselected|warnings?)\b")
FAILURE = re.compile(r"^(FAILED|ERROR) (.*)$", re.MULTILINE)
MOST_FAILURES = 40
SUMMARY_SECONDS = 15.0  # that a stopped run has to say what it has
# a letter a test, and how far that is: what there is of a run that could not say more
PROGRESS = re.compile(r"^([.FEsxX]+)(?: +\[ *\d+%\])?$", re.MULTILINE)
LETTERS = {".": "passed", "F": "failed", "E": "error", "s": "skipped"}


class Suite:
    """A run of pytest. folder: of tests. log: the file that has all it prints."""

    def __init__(
        self, folder: str, log: Path, variables: dict[str, str], seconds: float, processes: int = 1
    ) -> None:
        self.folder, self.log = folder, log
        self.start = time.monotonic()
        self.deadline = self.start + seconds
        # -q once more than the project's own would leave out the counts
        command = [sys.executable, "-m", "pytest", folder, "-rfE", "--tb=short",
                   "-p", "no:cacheprovider", "-o", "faulthandler_timeout=60"]  # fmt: skip
        if processes > 1 and importlib.util.find_spec("xdist") is not None:
            command += ["-n", str(processes)]
        self._file = log.open("wb")
        self._running = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=self._file,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.cut = False

    def done(self) -> bool:
        """Whether it has ended; past its time it is stopped, and says what it has so far."""
        if self._running.poll() is None and time.monotonic() > self.deadline:
            self.cut = True
            end_group(self._running, signal.SIGINT, SUMMARY_SECONDS)
        return self._running.poll() is not None

    def end(self) -> None:
        """Ends it and its children."""
        end_group(self._running)
        self._file.close()

    def wait(self) -> dict[str, Any]:
        """What it said."""
        while not self.done():
            time.sleep(0.2)
        self._file.close()
        seconds = time.monotonic() - self.start
        found = summary(self.log.read_text(errors="replace"))
        return found | {"folder": self.folder, "cut": self.cut, "seconds": round(seconds, 1)}


def summary(text: str) -> dict[str, Any]:
    """Counts by outcome, and the failures' names with the first line of the reason."""
    lines = [t for t in text.splitlines() if COUNT.search(t) and re.search(r" in \d", t)]
    counts = {kind: int(n) for n, kind in COUNT.findall(lines[-1])} if lines else _counted(text)
    failures = [" ".join(m)[:300] for m in FAILURE.findall(text)]
    return {"counts": counts, "failures": failures[:MOST_FAILURES]}


def _counted(text: str) -> dict[str, int]:
    letters = "".join(PROGRESS.findall(text))
    return {word: letters.count(c) for c, word in LETTERS.items() if c in letters}
