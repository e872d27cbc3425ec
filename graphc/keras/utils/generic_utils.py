"""The progress bar, in Keras' form, and the older path of custom objects.

Lives here: Progbar, deserialize_keras_object. On a terminal the line is drawn again and again;
elsewhere only its last state is written, so that logs stay short.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from graphc.keras.core.objects import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_object,
    get_custom_objects,
)
from graphc.keras.core.objects import serialize_object as serialize_keras_object

__all__ = [
    "CustomObjectScope", "Progbar", "custom_object_scope", "deserialize_keras_object",
    "get_custom_objects", "serialize_keras_object",
]  # fmt: skip


def deserialize_keras_object(
    identifier: Any, module_objects: Any = None, custom_objects: Any = None,
    printable_module_name: str = "object",
) -> Any:
    """The object that a configuration or a name stands for.

    Args:
        module_objects: classes and functions by name. custom_objects: those of the user.

    Raises:
        ValueError: "Unknown <printable_module_name>: <name>".
    """
    made = deserialize_object(
        identifier, (module_objects or {}).get, custom_objects, printable_module_name
    )
    return made() if isinstance(made, type) else made


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.0f}s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms"
    return f"{seconds * 1e6:.0f}us"


def _remaining(seconds: float) -> str:
    if seconds > 3600:
        return f"{int(seconds // 3600)}:{int(seconds % 3600) // 60:02d}:{int(seconds % 60):02d}"
    if seconds > 60:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return f"{int(seconds)}s"


class Progbar:
    """A bar with the means of values so far.

    Args:
        target: the number of units; None where it is not known. width: of the bar. verbose: 0
            nothing, 1 a bar, 2 a line at the end. interval: seconds between drawings.
        stateful_metrics: names whose values are shown as they are, without a mean.
        unit_name: "step" or "sample", for the time of one.
    """

    def __init__(
        self, target: int | None, width: int = 30, verbose: int = 1, interval: float = 0.05,
        stateful_metrics: Sequence[str] | None = None, unit_name: str = "step",
    ) -> None:
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self.stateful_metrics = frozenset(stateful_metrics or ())
        self._values: dict[str, list[Any]] = {}
        self._seen_so_far = 0
        self._start = time.time()
        self._last_update = 0.0
        self._drawn = 0
        stream = sys.stdout
        self._dynamic = bool(getattr(stream, "isatty", lambda: False)()) or (
            "ipykernel" in sys.modules
        )

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Moves to `current` units.

        Args:
            values: (name, value) pairs of the units since. finalize: whether this is the last
                state; None: where the target is reached.
        """
        for name, value in values or ():
            if name in self.stateful_metrics:
                self._values[name] = [value, 1]
                continue
            weight = max(current - self._seen_so_far, 1)
            entry = self._values.get(name)
            if entry is None:
                self._values[name] = [value * weight, weight]
            else:
                entry[0] += value * weight
                entry[1] += weight
        self._seen_so_far = current
        done = finalize or (self.target is not None and current >= self.target)
        if finalize and self.target is None:
            self.target = current
        if self.verbose == 1:
            now = time.time()
            if done or (self._dynamic and now - self._last_update >= self.interval):
                self._draw(current, now, done)
                self._last_update = now
        elif self.verbose == 2 and done:
            self._line(current)

    def add(self, n: int, values: Any = None) -> None:
        """Moves on by n units."""
        self.update(self._seen_so_far + n, values)

    # ------------------------------------------------------------ texts
    def _means(self) -> str:
        out = ""
        for name, (total, count) in self._values.items():
            mean = float(total) / max(1, count)
            out += f" - {name}: {mean:.4f}" if abs(mean) > 1e-3 else f" - {name}: {mean:.4e}"
        return out

    def _bar(self, current: int) -> str:
        if self.target is None:
            return f"{current:7d}/Unknown"
        digits = len(str(self.target))
        text = f"{current:{digits}d}/{self.target} ["
        filled = int(self.width * current / self.target) if self.target else self.width
        if filled > 0:
            text += "=" * (filled - 1) + (">" if current < self.target else "=")
        return text + "." * (self.width - filled) + "]"

    def _draw(self, current: int, now: float, done: bool) -> None:
        per_unit = (now - self._start) / current if current else 0.0
        if self.target is not None and current < self.target and not done:
            info = f" - ETA: {_remaining(per_unit * (self.target - current))}"
        else:
            info = f" - {now - self._start:.0f}s {_duration(per_unit)}/{self.unit_name}"
        text = self._bar(current) + info + self._means()
        out = sys.stdout
        if self._dynamic:
            out.write("\b" * self._drawn + "\r" + text + " " * max(0, self._drawn - len(text)))
            self._drawn = len(text)
            if done:
                out.write("\n")
        else:
            out.write(text + "\n")
        out.flush()

    def _line(self, current: int) -> None:
        digits = len(str(self.target))
        took = time.time() - self._start
        sys.stdout.write(
            f"{current:{digits}d}/{self.target} - {took:.0f}s{self._means()}\n"
        )
        sys.stdout.flush()
