"""Fused against unfused: the same fetches under two configurations, side by side.

Lives here: load_build, built, compare, Comparison, Runner. The one difference between the runs is
`Config(fuse=...)`: both go through the same passes, printers and driver.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphc.config import Config, current
from graphc.errors import GraphcError
from graphc.inspect.explain import Explanation, _size

MIN_SECONDS = 0.2


class BuildError(GraphcError):
    """FILE.py:function does not name a function that returns fetches and feeds."""


@dataclass(frozen=True)
class Side:
    """One configuration: its explanation, the median time of a run, the fetched values."""

    name: str
    explanation: Explanation
    seconds: float
    first_seconds: float
    values: list[Any]


@dataclass(frozen=True)
class Comparison:
    """Two sides; `str()` is the table."""

    fused: Side
    unfused: Side
    largest_absolute: float
    largest_relative: float

    def __str__(self) -> str:
        rows = [("", self.fused.name, self.unfused.name, "ratio")]
        a, b = self.fused.explanation, self.unfused.explanation
        rows.append(_row("kernels", len(a.kernels), len(b.kernels), str))
        rows.append(_row("bytes moved", a.bytes_moved, b.bytes_moved, _size))
        rows.append(_row("arena", a.arena_bytes, b.arena_bytes, _size))
        rows.append(_row("time a run", self.fused.seconds, self.unfused.seconds, _time))
        rows.append(
            _row("first run", self.fused.first_seconds, self.unfused.first_seconds, _time)
        )
        widths = [max(len(r[k]) for r in rows) for k in range(4)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        lines.append(
            f"largest difference: {self.largest_absolute:.3g} absolute, "
            f"{self.largest_relative:.3g} relative"
        )
        return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def _row(name: str, a: Any, b: Any, form: Callable[[Any], str]) -> tuple[str, str, str, str]:
    ratio = f"{b / a:.2f}" if a else "-"
    return (name, form(a), form(b), ratio)


def load_build(spec: str) -> Callable[[], Any]:
    """The function named by FILE.py:function (default `build`).

    Raises:
        BuildError: no such file or function.
    """
    path, _, name = spec.partition(":")
    name = name or "build"
    file = Path(path)
    if not file.is_file():
        raise BuildError(f"no file {path!r}; give FILE.py:build")
    module_spec = importlib.util.spec_from_file_location(f"graphc_build_{file.stem}", file)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    # the file's own folder, as when it is run as a script
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        module_spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    build = getattr(module, name, None)
    if not callable(build):
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise BuildError(f"{path} has no function {name!r}; it has {', '.join(names)}")
    return build


def built(build: Callable[[], Any]) -> tuple[Any, Any, dict[Any, Any]]:
    """(graph, fetches, feeds) of a build function, run in a graph of its own.

    Raises:
        BuildError: it does not return (fetches, feeds).
    """
    from graphc.ir.graph import Graph

    graph = Graph()
    with graph.as_default():
        got = build()
    if not isinstance(got, tuple) or len(got) != 2 or not isinstance(got[1], dict):
        raise BuildError("build() must return (fetches, feed_dict)")
    return graph, got[0], got[1]


def compare(build: Callable[[], Any], seconds: float = MIN_SECONDS) -> Comparison:
    """Runs what `build` returns fused and unfused from the same variables, in turn.

    Args:
        build: makes a graph and returns (fetches, feed_dict). seconds: time spent on each side.

    Raises:
        BuildError: build returns something else. ConfigError: the reference backend is set, which
        has no kernels.
    """
    graph, fetches, feeds = built(build)
    fused = Runner("fused", graph, fetches, feeds, current().replace(fuse=True))
    unfused = Runner(
        "unfused", graph, fetches, feeds, current().replace(fuse=False), fused.initial
    )
    times: dict[str, list[float]] = {"fused": [], "unfused": []}
    end = time.perf_counter() + 2 * seconds
    while time.perf_counter() < end or len(times["fused"]) < 5:
        for side in (fused, unfused):
            times[side.name].append(side.timed())
    a = fused.side(statistics.median(times["fused"]))
    b = unfused.side(statistics.median(times["unfused"]))
    absolute, relative = difference(a.values, b.values)
    return Comparison(a, b, absolute, relative)


class Runner:
    """One configuration with a session of its own, in which the fetches have run once.

    Args:
        initial: values of the variables by name; None: as their initializers make them.
    """

    def __init__(
        self,
        name: str,
        graph: Any,
        fetches: Any,
        feeds: Any,
        config: Config,
        initial: dict[str, Any] | None = None,
    ) -> None:
        from graphc.session import Session
        from graphc.tf1.api_state import global_variables, variables_initializer

        self.name = name
        with graph.as_default():
            variables = global_variables()
            init = variables_initializer(variables)
        self.session = Session(graph=graph, options=config)
        self.session.run(init)
        if initial is not None:
            for variable in variables:
                variable.load(initial[variable.name], self.session)
        self.initial = {v.name: self.session.run(v) for v in variables}
        self.fetches, self.feeds = fetches, feeds
        start = time.perf_counter()
        first = self.session.run(fetches, feeds)
        self.first = time.perf_counter() - start
        self.values = _arrays(first) + [np.asarray(self.session.run(v)) for v in variables]
        self.explanation = self.session.explain(fetches, feeds)

    def timed(self) -> float:
        start = time.perf_counter()
        self.session.run(self.fetches, self.feeds)
        return time.perf_counter() - start

    def side(self, seconds: float) -> Side:
        return Side(self.name, self.explanation, seconds, self.first, self.values)


def _arrays(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [a for v in value.values() for a in _arrays(v)]
    if isinstance(value, list | tuple):
        return [a for v in value for a in _arrays(v)]
    return [] if value is None else [np.asarray(value)]


def difference(a: list[Any], b: list[Any]) -> tuple[float, float]:
    """Largest absolute difference, and largest relative to each array's own scale.

    NaN equals NaN and an infinity itself; either of them against another value is infinitely far.
    """
    absolute = relative = 0.0
    for x, y in zip(a, b, strict=True):
        if x.size == 0 or not (x.dtype.kind in "fiubc" or x.dtype.name == "bfloat16"):
            continue
        wide = np.complex128 if x.dtype.kind == "c" else np.float64
        x, y = x.astype(wide), y.astype(wide)
        with np.errstate(invalid="ignore"):
            gaps = np.abs(x - y)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        gap = float(np.where(same, 0.0, np.where(np.isnan(gaps), np.inf, gaps)).max())
        scale = float(np.abs(y[np.isfinite(y)]).max(initial=0.0))
        absolute = max(absolute, gap)
        relative = max(relative, gap / scale if scale else gap)
    return absolute, relative
