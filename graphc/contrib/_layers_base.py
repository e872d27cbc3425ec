"""What the layer functions of tf.contrib.layers share.

Lives here: renamed model variables, collections, finishing a layer. Not here: the layers. Imported
by contrib's layer modules alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.ir.graph import GraphKeys, get_default_graph

XAVIER: Any = object()  # the default of weights: made at each call, as a seed may have changed
ZEROS: Any = object()


def initializer_of(given: Any) -> Any:
    """The initializer behind the default values of layer functions."""
    if given is XAVIER:
        from graphc.contrib._initializers import xavier_initializer

        return xavier_initializer()
    if given is ZEROS:
        from graphc.tf1.initializers import Zeros

        return Zeros()
    return given


def getter_of(renamed: Mapping[str, str] | None = None) -> Callable[..., Any]:
    """A custom getter that renames variables ("kernel" to "weights"), which become model
    variables."""
    names = renamed or {}

    def get(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        scope, _, short = kwargs.pop("name").rpartition("/")
        short = names.get(short, short)
        keys = [*(kwargs.pop("collections", None) or ())]
        keys += [GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES]
        return getter(
            *args, name=f"{scope}/{short}" if scope else short,
            collections=list(dict.fromkeys(keys)), **kwargs,
        )  # fmt: skip

    return get


KERNEL_NAMES = {"kernel": "weights", "bias": "biases"}


def collect_variable(variable: Any, collections: Any, kind: str) -> None:
    """Adds a variable to the collections that the user names, by kind or for all kinds."""
    keys = collections.get(kind) if isinstance(collections, Mapping) else collections
    if variable is None or not keys:
        return
    graph = get_default_graph()
    for key in (keys,) if isinstance(keys, str) else keys:
        if not any(variable is v for v in graph.get_collection_ref(key)):
            graph.add_to_collection(key, variable)


def collect_output(collections: Any, alias: str, outputs: Any) -> Any:
    """The outputs, added to the collections that the user names, with an alias for end points."""
    if collections:
        graph = get_default_graph()
        _aliases(graph)[outputs] = alias.rstrip("/")
        graph.add_to_collections(collections, outputs)
    return outputs


def _aliases(graph: Any) -> dict[Any, str]:
    """The names of layers by their outputs; the table dies with the graph."""
    return graph.__dict__.setdefault("_layer_aliases", {})


def convert_collection_to_dict(collection: Any, clear_collection: bool = False) -> dict[str, Any]:
    """{name of the layer: output} of a collection that outputs_collections filled."""
    graph = get_default_graph()
    known = _aliases(graph)
    found = {known.get(t, t.op.name): t for t in graph.get_collection(collection)}
    if clear_collection:
        graph.clear_collection(collection)
    return found


def finished(
    outputs: Any,
    scope: Any,
    normalizer: tuple[Callable[..., Any] | None, Mapping[str, Any] | None],
    activation_fn: Callable[..., Any] | None,
    outputs_collections: Any,
) -> Any:
    """The outputs normalised, activated and collected."""
    normalizer_fn, params = normalizer
    if normalizer_fn is not None:
        outputs = normalizer_fn(outputs, **(params or {}))
    if activation_fn is not None:
        outputs = activation_fn(outputs)
    return collect_output(outputs_collections, scope.name, outputs)


def is_last(data_format: str | None, *known: str) -> bool:
    """Whether channels come last. Raises ValueError for a format that is not known."""
    if data_format is not None and data_format not in known:
        raise ValueError(f"Invalid data_format: {data_format}")
    return data_format is None or not data_format.startswith("NC")
