"""Fetch structures: what session.run returns has the form of what it was asked for.

Lives here: the flattening of nested fetches and the rebuilding of results, the table of composite
types (IndexedSlices, SparseTensor). Not here: running (session.py), feeds (feeds.py).
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir.faults import called_at, made_at
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Tensor

Build = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Composite:
    """How a class made of several tensors is fetched and fed.

    Attributes:
        fetch: object -> (tensors, function from their values to the result).
        feed: (object, value) -> [(tensor, value), ...].
    """

    fetch: Callable[[Any], tuple[Sequence[Any], Callable[[Sequence[Any]], Any]]]
    feed: Callable[[Any, Any], Sequence[tuple[Any, Any]]]


_COMPOSITES: dict[type, Composite] = {}


def register_session_run_conversion_functions(
    tensor_type: type,
    fetch_function: Callable[[Any], Any],
    feed_function: Callable[[Any, Any], Any] | None = None,
    feed_function_for_partial_run: Callable[[Any], Any] | None = None,
) -> None:
    """Makes objects of `tensor_type` fetchable and feedable.

    Raises:
        ValueError: the type is registered already.
    """
    if tensor_type in _COMPOSITES:
        raise ValueError(f"{tensor_type} has already been registered so ignore it.")
    _COMPOSITES[tensor_type] = Composite(
        fetch_function, feed_function or (lambda key, value: [(key, value)])
    )


def composite_of(value: Any) -> Composite | None:
    """The table's entry for a value's class or one of its bases."""
    for cls in type(value).__mro__:
        found = _COMPOSITES.get(cls)
        if found is not None:
            return found
    return None


class FetchPlan:
    """Flattened fetches: distinct tensors and ops, and how to rebuild the structure.

    Raises (when made):
        TypeError, ValueError: TF1's texts for what cannot be fetched.
    """

    def __init__(self, graph: Graph, fetches: Any) -> None:
        self.graph = graph
        self._tensors: dict[Tensor, int] = {}
        self._nodes: dict[Node, None] = {}
        self._build = self._structure(fetches)
        self.single = isinstance(fetches, Tensor)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return tuple(self._tensors)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(self._nodes)

    def build(self, values: Sequence[Any]) -> Any:
        """The structure, from one value for each of `tensors`."""
        return self._build(values)

    def _structure(self, fetch: Any) -> Build:
        if fetch is None:
            raise TypeError(
                f"Fetch argument {fetch!r} has invalid type {type(fetch)!r}{called_at()}"
            )
        if isinstance(fetch, list | tuple):
            return self._sequence(fetch)
        if isinstance(fetch, Mapping):
            return self._mapping(fetch)
        composite = composite_of(fetch)
        if composite is not None:
            parts, contract = composite.fetch(fetch)
            builds = [self._element(p, fetch) for p in parts]
            return lambda values: contract([b(values) for b in builds])
        return self._element(fetch, fetch)

    def _sequence(self, fetch: Any) -> Build:
        builds = [self._structure(f) for f in fetch]
        if isinstance(fetch, list):
            return lambda values: [b(values) for b in builds]
        make: Any = type(fetch)
        if hasattr(fetch, "_fields"):
            return lambda values: make(*[b(values) for b in builds])
        return lambda values: make([b(values) for b in builds])

    def _mapping(self, fetch: Mapping[Any, Any]) -> Build:
        items = [(key, self._structure(f)) for key, f in fetch.items()]
        make: Any = type(fetch) if isinstance(fetch, dict | OrderedDict) else dict
        if isinstance(fetch, defaultdict):
            make = dict
        return lambda values: make((key, b(values)) for key, b in items)

    def _element(self, fetch: Any, whole: Any) -> Build:
        try:
            element = self.graph.as_graph_element(fetch)
        except TypeError as err:
            raise TypeError(
                f"Fetch argument {whole!r} has invalid type {type(whole)!r}, must be a string or "
                f"Tensor. ({err}){called_at()}"
            ) from None
        except (ValueError, KeyError) as err:
            text = err.args[0] if err.args else err
            where = made_at(whole) if isinstance(whole, Tensor) else ""
            raise ValueError(
                f"Fetch argument {whole!r} cannot be interpreted as a Tensor. ({text})"
                f"{where}{called_at()}"
            ) from None
        if not self.graph.is_fetchable(element):
            raise ValueError(
                f"Operation {whole!r} has been marked as not fetchable.{called_at()}"
            )
        if isinstance(element, Node):
            self._nodes[element] = None
            return lambda values: None
        at = self._tensors.setdefault(element, len(self._tensors))
        return lambda values: values[at]


def structure_key(fetches: Any) -> Any:
    """A hashable stand-in for nested fetches: equal where a plan may be reused.

    Raises:
        TypeError: a leaf that is not hashable, which no fetch is.
    """
    if isinstance(fetches, list):
        return ("list", *map(structure_key, fetches))
    if isinstance(fetches, Mapping):
        return (type(fetches), *((k, structure_key(v)) for k, v in fetches.items()))
    if isinstance(fetches, tuple):
        return (type(fetches), *map(structure_key, fetches))
    hash(fetches)
    return fetches


def scalar_or_array(value: Any) -> Any:
    """Arrays without dimensions become NumPy scalars (np.float32), strings bytes."""
    return value if value.ndim else value[()]
