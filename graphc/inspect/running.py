"""What the tools run: a target under one configuration, in a session of its own.

Lives here: Runner. Not here: what a target is (inspect/target.py), what is compared
(inspect/compare.py) or timed step by step (inspect/profile.py). Imported by inspect only.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from graphc.config import Config
from graphc.feeds import feed_items
from graphc.inspect.explain import Explanation
from graphc.inspect.launches import device_of
from graphc.inspect.target import Target


class Runner:
    """One configuration with a session of its own, in which the fetches have run once.

    Args:
        like: a runner whose variables and random streams this one starts with; None: as their
            initializers make them.

    Attributes:
        first: seconds of the first run, which builds the plan. values: what it fetched, then the
            variables behind it. arrays: what is fed. plans: (plan, symbols) of every stage.
        stages: what the plans are of. devices: the GPUs that they run on.
    """

    def __init__(
        self, name: str, target: Target, config: Config, like: Runner | None = None
    ) -> None:
        from graphc.session import Session

        # plans that check what they compute run otherwise than those that people wait for
        config = config.replace(check_numerics=False, validate=False)
        self.name, self.target, self.config = name, target, config
        self.session = Session(graph=target.graph, options=config)
        variables = self._initialize(like)
        self.fetches, self.feeds = target.fetches, target.feeds
        start = time.perf_counter()
        first = self.session.run(self.fetches, self.feeds)
        self.first = time.perf_counter() - start
        self.results = arrays_of(first)
        self.values = self.results + [np.asarray(self.session.run(v)) for v in variables]
        handle = self.session._handle(self.fetches, self.feeds)
        self.arrays = handle.arrays([v for _, v, _ in feed_items(target.graph, self.feeds)])
        self.plans: list[tuple[Any, dict[str, int]]] = handle.runner.plans(self.arrays)
        self.stages: list[Any] = handle.runner.stages
        self.devices = tuple({d: None for plan, _ in self.plans if (d := device_of(plan))})

    def _initialize(self, like: Runner | None) -> list[Any]:
        """Gives the variables values; those variables."""
        from graphc.tf1.api_state import (
            global_variables,
            local_variables,
            variables_initializer,
        )
        from graphc.tf1.lookup import tables_initializer

        with self.target.graph.as_default():
            variables = list(dict.fromkeys([*global_variables(), *local_variables()]))
            given = self._given()
            left = [v for v in variables if v.op not in given]
            ready = [variables_initializer(left), tables_initializer()]
        self.session.run(ready)
        streams = self.session.executor.random
        if like is None:
            self.initial = {v.name: self.session.run(v) for v in variables}
            self.drawn = dict(streams._counts)
            return variables
        self.initial, self.drawn = like.initial, like.drawn
        for variable in variables:
            variable.load(self.initial[variable.name], self.session)
        # the keys that the other session has made up, from where it began to run
        streams._keys.update(like.session.executor.random._keys)
        streams._counts.update(like.drawn)
        return variables

    def _given(self) -> set[Any]:
        """The variables that have a value from the target's file."""
        if self.target.session is None:
            return set()
        arrays = self.target.session.executor.variables.arrays
        for variable, array in arrays.items():
            self.store.set(variable, array)
        return set(arrays)

    def timed(self, seconds: float = 0.0) -> float:
        """Seconds of a run: the mean of as many as fit into `seconds`, at least one."""
        run, fetches, feeds, clock = self.session.run, self.fetches, self.feeds, time.perf_counter
        start = now = clock()
        end, count = start + seconds, 0
        while count == 0 or now < end:
            run(fetches, feeds)
            for device in self.devices:  # a run that fetches nothing does not wait for them
                device.synchronize()
            count += 1
            now = clock()
        return (now - start) / count

    def explain(self) -> Explanation:
        """The explanation of the plans. Raises ConfigError for the reference."""
        found: Explanation = self.session.explain(self.fetches, self.feeds)
        return found

    @property
    def store(self) -> Any:
        """The session's variables."""
        return self.session.executor.variables

    @property
    def held_bytes(self) -> int:
        """Of variables, feeds and results, beside what a run needs in between."""
        fed = sum(a.nbytes for a in self.arrays)
        kept: int = self.store.nbytes
        return kept + fed + sum(a.nbytes for a in self.results)

    def close(self) -> None:
        self.session.close()


def arrays_of(value: Any) -> list[Any]:
    """The arrays of a fetched structure, in order."""
    if isinstance(value, dict):
        return [a for v in value.values() for a in arrays_of(v)]
    if isinstance(value, list | tuple):
        return [a for v in value for a in arrays_of(v)]
    return [] if value is None else [np.asarray(value)]
