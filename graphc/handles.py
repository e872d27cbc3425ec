"""What a session keeps of the fetches and feeds that it has seen: the fast path of run.

Lives here: Handle (one combination of fetches and feed keys), their keys, PartialRun. Not here:
Session itself (session.py), conversion (feeds.py, fetches.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.feeds import check_shape, to_array
from graphc.fetches import FetchPlan, scalar_or_array, structure_key
from graphc.ir.node import Node, Tensor

MAX_HANDLES = 4096
LIST = object()  # marks a list in a key, so that it differs from a tuple


class Handle:
    """What a session keeps of one combination of fetches and feed keys."""

    __slots__ = (
        "build", "dtypes", "exact", "fed_outputs", "nested", "order", "runner", "seen", "single",
        "tensors",
    )  # fmt: skip

    def __init__(
        self, runner: Any, plan: FetchPlan, tensors: tuple[Tensor, ...], nested: bool
    ) -> None:
        self.runner = runner
        self.tensors = tensors
        # strings are always converted: None is no array's dtype
        self.dtypes = [None if t.dtype.kind == "s" else t.dtype.np for t in tensors]
        # concrete shapes that were checked against the static ones
        self.seen: list[set[tuple[int, ...]]] = [set() for _ in tensors]
        self.nested = nested
        positions = {t: i for i, t in enumerate(tensors)}
        # fetches that are fed come back as they were fed
        self.fed_outputs = any(t in positions for t in plan.tensors)
        computed = [t for t in plan.tensors if t not in positions]
        at = {t: i for i, t in enumerate(computed)}
        self.order = [(True, positions[t]) if t in positions else (False, at[t])
                      for t in plan.tensors]  # fmt: skip
        self.single = plan.single and not self.fed_outputs
        self.build = plan.build
        # whether the last values were arrays of the right dtypes, and can go on as they are
        self.exact = False

    def run(self, values: Collection[Any]) -> Any:
        """What the user gets for these values of the fed tensors."""
        arrays: Sequence[Any] = ()
        results = self.runner.again(values) if self.exact else None
        if results is None:
            arrays = self.arrays(values)
            results = self.runner.run(arrays)
        if self.single:
            value = results[0]
            return value if value.ndim else value[()]
        return self.finish(arrays, results)

    def arrays(self, values: Iterable[Any]) -> list[np.ndarray[Any, Any]]:
        """The values as arrays of the fed tensors' dtypes, checked.

        Raises:
            TypeError, ValueError: TF1's texts for values that cannot be fed.
        """
        out = []
        exact = not self.fed_outputs
        for value, dtype, seen, tensor in zip(
            values, self.dtypes, self.seen, self.tensors, strict=True
        ):
            if type(value) is not np.ndarray or value.dtype is not dtype:
                exact = False
                # a learning rate or a keep_prob, fed at every step
                plain = type(value) is float and dtype is not None and dtype.kind == "f"
                value = np.array(value, dtype) if plain else to_array(tensor, value)
            shape = value.shape
            if shape not in seen:
                check_shape(tensor, shape)
                if len(seen) >= MAX_HANDLES:
                    seen.clear()
                seen.add(shape)
            out.append(value)
        self.exact = exact
        return out

    def finish(self, arrays: Sequence[Any], results: Sequence[Any]) -> Any:
        """The user's structure from the runner's results."""
        if not self.fed_outputs:
            return self.build([scalar_or_array(r) for r in results])
        values = [
            np.array(arrays[i]) if fed else scalar_or_array(results[i]) for fed, i in self.order
        ]
        return self.build(values)


class PartialRun:
    """What a partial run has been given and has computed so far."""

    def __init__(self, tensors: set[Tensor], nodes: set[Node], feeds: set[Tensor]) -> None:
        self.tensors = tensors
        self.nodes = nodes
        self.feeds = feeds
        self.known: dict[Tensor, Any] = {}
        self.done: set[Node] = set()

    def feed(self, tensor: Tensor, value: Any) -> None:
        if tensor not in self.feeds:
            raise InvalidArgumentError(
                f"The feed {tensor.name} was not specified in partial_run_setup."
            )
        if tensor in self.known:
            raise InvalidArgumentError(f"The feed {tensor.name} has already been fed.")
        self.known[tensor] = value

    def check(self, plan: FetchPlan) -> None:
        items: list[Any] = [*plan.tensors, *plan.nodes]
        for item in items:
            if item not in self.tensors and item not in self.nodes:
                raise InvalidArgumentError(
                    f"The fetch {item.name} was not specified in partial_run_setup."
                )


def handle_key(fetches: Any, feed_dict: Mapping[Any, Any] | None) -> Any:
    """The key that run's fast path looks up; structural where fetches are not hashable."""
    try:
        fetch = (LIST, *fetches) if type(fetches) is list else fetches
        key = (fetch, *feed_dict) if feed_dict else fetch
        hash(key)
    except TypeError:
        fetch = structure_key(fetches)
        key = (fetch, *feed_dict) if feed_dict else fetch
    return key
