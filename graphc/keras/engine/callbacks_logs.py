"""Callbacks that write logs of epochs to a file or send them. Imports keras.callbacks."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.engine.callbacks_base import Callback

__all__ = ["CSVLogger", "RemoteMonitor"]


class CSVLogger(Callback):
    """Writes a row an epoch.

    Args:
        filename: of the file. separator: between values. append: to a file that is there already.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.sep, self.append = Path(filename), separator, append
        self._keys: list[str] = []
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._close()  # of a training that was interrupted
        there = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        self._header = not there
        self._file = self.filename.open("a" if self.append else "w", newline="")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        if self._writer is None:
            self._keys = sorted(logs)
            self._writer = csv.DictWriter(
                self._file, ["epoch", *self._keys], delimiter=self.sep
            )
            if self._header:
                self._writer.writeheader()
        self._writer.writerow(
            {"epoch": epoch, **{k: _cell(logs.get(k, "NA")) for k in self._keys}}
        )
        self._file.flush()

    def on_train_end(self, logs: Any = None) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _cell(value: Any) -> Any:
    """A value in a row: several in brackets."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f"[{', '.join(map(str, value))}]"


class RemoteMonitor(Callback):
    """Sends the logs of each epoch to a server by HTTP POST.

    Args:
        root, path: where to; field: of the form that holds the JSON. headers: more of them.
        send_as_json: the JSON itself, not a form.

    A server that cannot be reached gives a warning.
    """

    def __init__(
        self, root: str = "http://localhost:9000", path: str = "/publish/epoch/end/",
        field: str = "data", headers: dict[str, str] | None = None, send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        from urllib.parse import urlencode
        from urllib.request import Request, urlopen

        values = {k: v.item() if isinstance(v, np.ndarray | np.generic) else v
                  for k, v in (logs or {}).items()}  # fmt: skip
        text = json.dumps({"epoch": epoch, **values})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urlencode({self.field: text})
        request = Request(
            self.root + self.path, body.encode(), {"Content-Type": kind, **(self.headers or {})}
        )
        try:
            with urlopen(request, timeout=10) as answer:
                answer.read()
        except OSError as err:
            warnings.warn(
                f"Warning: could not reach RemoteMonitor root server at {self.root}: {err}",
                stacklevel=2,
            )
