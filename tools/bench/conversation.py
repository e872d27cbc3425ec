"""Questions to a measured process and its answers, a line of JSON each; time limits, faults.

What is asked, worker.py and gpu_worker.py say. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any

from tools.bench.environments import ROOT

GRACE = 5.0  # seconds that a process has to end by itself


class Ended(Exception):
    """The process has ended or does not answer in time; the text says which."""


def serve(answer: Callable[[dict[str, Any]], dict[str, Any]], answers: IO[str]) -> None:
    """The other side: answers a question a line until there are no more."""
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def channel() -> IO[str]:
    """Where a process writes its answers: what libraries print goes to its errors."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


class Process:
    """One peer's process, started by the first question."""

    def __init__(
        self, command: list[str], variables: dict[str, str], log: IO[bytes] | None = None
    ) -> None:
        self.command, self.variables, self.log = command, variables, log
        self.generation = 0  # of the process: what another one prepared is lost
        self._running: subprocess.Popen[bytes] | None = None
        self._rest = b""

    @property
    def pid(self) -> int:
        """Of the running process; 0 of none."""
        return self._running.pid if self._running else 0

    def ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer. Raises Ended where there is none in that time; the process is gone then."""
        if self._running is None:
            self._start()
        running = self._running
        assert running is not None and running.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it may have said why it ends
            running.stdin.write(json.dumps(question).encode() + b"\n")
            running.stdin.flush()
        line = self._line(time.monotonic() + seconds)
        if line is None:
            self.end()
            raise Ended(f"took more than {seconds:.0f} s")
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(GRACE)
            raise Ended(f"the process ended: exit status {self.end()}")
        answer: dict[str, Any] = json.loads(line)
        if answer.pop("broken", False):
            self.end()
        return answer

    def _start(self) -> None:
        self._running = subprocess.Popen(
            self.command, cwd=ROOT, env=self.variables, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        self._rest = b""

    def _line(self, deadline: float) -> bytes | None:
        """The next line of answers; empty at the end, None when time is over."""
        assert self._running is not None and self._running.stdout is not None
        pipe = self._running.stdout.fileno()
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                return None
            more = os.read(pipe, 1 << 16)
            if not more:
                return b""
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def end(self) -> int | None:
        """Ends the process and its children; its exit status."""
        running, self._running = self._running, None
        self.generation += 1
        if running is None:
            return None
        end_group(running)
        return running.returncode


def end_group(
    running: subprocess.Popen[bytes], first: signal.Signals | None = None, grace: float = GRACE
) -> None:
    """Kills a process and its group. first: a signal before, and seconds to end with it."""
    if first is not None and running.poll() is None:
        os.killpg(running.pid, first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(grace)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    for pipe in (running.stdin, running.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # of what nobody has read
                pipe.close()
