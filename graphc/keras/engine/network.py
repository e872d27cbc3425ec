"""Models as graphs of layers: from inputs and outputs to the layers between them.

Lives here: Network: the map of calls, applying a model to new inputs, weights by layer. Not here:
compile and fit (engine/training.py), files (engine/saving.py), configurations
(engine/network_config.py). Imports keras.core.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core.marks import history_of, mask_of, set_mask
from graphc.keras.core.session import get_session
from graphc.keras.engine.base_layer import Layer, call_training
from graphc.keras.engine.input_layer import Input, InputLayer
from graphc.keras.engine.layer_info import distinct
from graphc.keras.engine.middle import from_middle, replaced
from graphc.keras.engine.nodes import (
    Node,
    as_list,
    flat,
    parents,
    shapes_of,
    snake_case,
    unique_layer_name,
    unpack,
)
from graphc.keras.engine.op_layer import wrap
from graphc.keras.engine.reach import reachable

__all__ = ["Network"]


class Network(Layer):
    """A layer made of layers: a graph of calls, or whatever a subclass's `call` does.

    Args:
        inputs, outputs: tensors, or lists or dicts of them. name: default "model", made unique.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        inputs = kwargs.pop("inputs", kwargs.pop("input", None))
        outputs = kwargs.pop("outputs", kwargs.pop("output", None))
        given = list(args)
        if inputs is None and given:
            inputs = given.pop(0)
        if outputs is None and given:
            outputs = given.pop(0)
        name = kwargs.pop("name", None) or (given.pop(0) if given else None)
        trainable = kwargs.pop("trainable", True)
        super().__init__(name=name or self._default_name(), dtype=kwargs.pop("dtype", None))
        if kwargs:
            raise TypeError(f"Keyword argument not understood: {next(iter(kwargs))}")
        self._is_graph_network = inputs is not None and outputs is not None
        self._nested_inputs: Any = None
        self._nested_outputs: Any = None
        self.inputs: Any = None
        self.outputs: Any = None
        self._build_shape: Any = None
        if self._is_graph_network:
            self._init_graph(inputs, outputs)
        if not trainable:
            self.trainable = False

    def _default_name(self) -> str:
        return unique_layer_name(snake_case(type(self).__name__))

    # ------------------------------------------------------------ the map of calls
    def _init_graph(self, inputs: Any, outputs: Any) -> None:
        inputs, outputs = from_middle(inputs, outputs, _ordered_calls)
        self._nested_inputs, self._nested_outputs = inputs, outputs
        self.inputs, self.outputs = flat(inputs), flat(outputs)
        self._check_ends()
        self._network_nodes, self._layer_list = map_graph(self.inputs, self.outputs)
        names = [layer.name for layer in self._layer_list]
        for name in names:
            if names.count(name) != 1:
                raise ValueError(
                    f'The name "{name}" is used {names.count(name)} times in the model. All layer '
                    "names should be unique."
                    + "".join(x._whence() for x in self._layer_list if x.name == name)
                )
        self._input_layers = [history_of(t).layer for t in self.inputs]  # type: ignore[union-attr]
        self._output_layers = [history_of(t).layer for t in self.outputs]  # type: ignore[union-attr]
        self.input_names = [layer.name for layer in self._input_layers]
        self.output_names = _output_names(self._output_layers)
        self.built = True
        self._inbound_nodes.clear()

    def _check_ends(self) -> None:
        if len(set(self.inputs)) != len(self.inputs):
            raise ValueError(
                "The list of inputs passed to the model is redundant. All inputs should only "
                f"appear once. Found: {self.inputs}"
            )
        for tensor in self.inputs:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"Input tensors to a {type(self).__name__} must be tensors: "
                                f"found {tensor!r}")  # fmt: skip
            if history_of(tensor) is None:
                InputLayer(input_tensor=tensor, name=unique_layer_name("input_tensor"))
        for tensor in self.outputs:
            if not isinstance(tensor, Tensor) or not wrap(tensor):
                raise ValueError(
                    f"Output tensors to a {type(self).__name__} must be the output of a "
                    f"TensorFlow `Layer` (thus holding past layer metadata). Found: {tensor}"
                )

    def sublayers(self) -> Iterator[Any]:
        listed = self.__dict__.get("_layer_list")
        return iter(list(listed)) if listed is not None else super().sublayers()

    @property
    def layers(self) -> list[Any]:
        """The layers in the order of their depth in the graph, or as they were assigned."""
        return list(self.sublayers())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer by its name or its place.

        Raises:
            ValueError: there is none.
        """
        layers = self.layers
        if index is not None:
            if len(layers) <= index:
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has "
                    f"{len(layers)} layers."
                )
            return layers[index]
        if not name:
            raise ValueError("Provide either a layer name or layer index.")
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"No such layer: {name}. Existing layers: {', '.join(x.name for x in layers)}"
        )

    # ------------------------------------------------------------ losses and updates
    def _relevant(self, items: list[Any]) -> list[Any]:
        if self.inputs is None:
            return items
        return [x for x in items if reachable(x, self.inputs)]

    @property
    def losses(self) -> list[Any]:
        """Penalties on weights, and those of what is computed from this model's inputs."""
        return self._relevant(distinct(self._every_loss()))

    @property
    def updates(self) -> list[Any]:
        return self._relevant(distinct(self._every_update()))

    @property
    def metric_tensors(self) -> list[tuple[str, Any]]:
        found = self._every_metric()
        if self.inputs is None:
            return found
        return [(n, t) for n, t in found if reachable(t, self.inputs)]

    @property
    def state_updates(self) -> list[Any]:
        """The updates of stateful layers."""
        return self._relevant(distinct(self._every_state_update()))

    def _every_state_update(self) -> list[Any]:
        found: list[Any] = []
        for layer in self.layers:
            if isinstance(layer, Network):
                found += layer._every_state_update()
            elif getattr(layer, "stateful", False):
                found += layer.updates
        return found

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        return any(getattr(layer, "stateful", False) for layer in self.sublayers())

    @stateful.setter
    def stateful(self, value: bool) -> None:
        """Decided by the layers."""

    def reset_states(self) -> None:
        """Sets the states of stateful layers to zeros."""
        for layer in self.layers:
            if hasattr(layer, "reset_states") and getattr(layer, "stateful", False):
                layer.reset_states()

    # ------------------------------------------------------------ what it is
    @property
    def input(self) -> Any:
        if self.inputs is None:
            raise AttributeError(f"Model {self.name} has not been called: it has no input.")
        return unpack(list(self.inputs))

    @property
    def output(self) -> Any:
        if self.outputs is None:
            raise AttributeError(f"Model {self.name} has not been called: it has no output.")
        return unpack(list(self.outputs))

    @property
    def input_shape(self) -> Any:
        return unpack([shapes_of(t) for t in as_list(self.input)])

    @property
    def output_shape(self) -> Any:
        return unpack([shapes_of(t) for t in as_list(self.output)])

    # ------------------------------------------------------------ building and calling
    def build(self, input_shape: Any) -> None:
        """Makes the weights of a subclassed model by calling it on placeholders.

        Raises:
            ValueError: the call needs other arguments.
        """
        if self._is_graph_network or self.built:
            self.built = True
            return
        if isinstance(input_shape, list) and input_shape and isinstance(input_shape[0], tuple):
            x: Any = [Input(batch_shape=s) for s in input_shape]
        else:
            x = Input(batch_shape=tuple(input_shape))
        self._build_shape = input_shape
        self.built = True  # its layers build themselves when called
        self(x)

    def _maybe_build(self, inputs: Any) -> None:
        self._check_inputs(inputs)
        if not self.built:
            self._build_shape = shapes_of(inputs)
            self.built = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """The outputs of a graph of layers for other inputs.

        Raises:
            NotImplementedError: a subclass without `call`.
        """
        if not self._is_graph_network:
            raise NotImplementedError("When subclassing the `Model` class, you should implement "
                                      "a `call` method.")  # fmt: skip
        masks = flat(mask) if mask is not None else [mask_of(t) for t in flat(inputs)]
        return self._run_graph(flat(inputs), masks)

    def _run_graph(self, inputs: list[Any], masks: list[Any]) -> Any:
        values: dict[Tensor, Any] = dict(zip(self.inputs, inputs))
        for tensor, mask in zip(inputs, masks):
            set_mask(tensor, mask)
        for node in self._network_nodes:
            if isinstance(node.outbound_layer, InputLayer):
                continue
            if not all(t in values for t in node.sources):
                continue
            given = replaced(node.inputs, values)
            outputs = apply_again(node.outbound_layer, given, node.arguments, values)
            values.update(zip(node.output_tensors, flat(outputs)))
        return replaced(self._nested_outputs, values)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The outputs of `call` bring their masks along."""
        return None

    def _check_inputs(self, inputs: Any) -> None:
        """Raises ValueError: another number of inputs than the model has."""
        if not self._is_graph_network:
            return
        given = flat(inputs)
        if len(given) != len(self.inputs):
            raise ValueError(
                f"Model {self.name} expects {len(self.inputs)} inputs, {self.input_names}, but it "
                f"received {len(given)} input tensors. Inputs received: {given}{self._whence()}"
            )

    # ------------------------------------------------------------ weights
    @property
    def weights(self) -> list[Any]:
        """The variables of the layers, one layer after the other, then the model's own."""
        found = [w for layer in self.sublayers() for w in layer.weights]
        return distinct([*found, *self.trainable_weights, *self.non_trainable_weights])

    def get_weights(self) -> list[Any]:
        get_session()
        return super().get_weights()

    def load_weights(self, filepath: Any, by_name: bool = False, **kwargs: Any) -> Any:
        """Reads the weights that save_weights wrote; see engine/saving.py."""
        from graphc.keras.engine.saving import load_weights

        return load_weights(self, filepath, by_name, **kwargs)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, save_format: str | None = None
    ) -> None:
        """Writes the weights: HDF5 for .h5, .hdf5 and .keras, else graphc's own file."""
        from graphc.keras.engine.saving import save_weights

        save_weights(self, filepath, overwrite, save_format)

    def save(
        self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True,
        save_format: str | None = None, **kwargs: Any,
    ) -> None:
        """Writes the model: HDF5 for .h5 and .hdf5, else a folder."""
        from graphc.keras.engine.saving import save_model

        save_model(self, filepath, overwrite, include_optimizer, save_format)

    def get_config(self) -> dict[str, Any]:
        """Raises NotImplementedError: a subclassed model."""
        from graphc.keras.engine.network_config import network_config

        if not self._is_graph_network:
            raise NotImplementedError(
                f"{type(self).__name__} {self.name} is no graph of layers: a subclass of Model "
                "says itself what get_config gives. Its weights can be saved: save_weights."
            )
        return network_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from graphc.keras.engine.network_config import network_from_config

        return network_from_config(cls, config, custom_objects)

    def _model_config(self) -> dict[str, Any]:
        from graphc.keras import __version__

        return {
            "class_name": type(self).__name__, "config": self.get_config(),
            "keras_version": __version__, "backend": "tensorflow",
        }  # fmt: skip

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as JSON text; kwargs go to json.dumps."""
        import json

        from graphc.keras.engine.network_config import jsonable

        return json.dumps(self._model_config(), default=jsonable, **kwargs)

    def to_yaml(self, **kwargs: Any) -> str:
        """Raises NotImplementedError: YAML is not written; to_json is."""
        raise NotImplementedError(
            "YAML can hold code and is neither written nor read: use to_json and model_from_json"
        )

    def summary(
        self, line_length: int | None = None, positions: Any = None, print_fn: Any = None
    ) -> None:
        """Prints the layers with their shapes and numbers of weights.

        Raises:
            ValueError: the model is not built.
        """
        if not self.built:
            raise ValueError(
                "This model has not yet been built. Build the model first by calling `build()` or "
                "calling `fit()` with some data, or specify an `input_shape` argument in the first "
                "layer(s) for automatic build."
            )
        from graphc.keras.utils.layer_utils import print_summary

        print_summary(self, line_length, positions, print_fn)


def apply_again(
    layer: Any, inputs: Any, arguments: dict[str, Any], values: dict[Tensor, Any]
) -> Any:
    """The layer on other inputs, without a record of the call."""
    kwargs = {k: replaced(v, values) for k, v in arguments.items()}
    if kwargs.get("training") is None and call_training() is not None:
        kwargs.pop("training", None)
    leaves = [t for t in flat(inputs) if isinstance(t, Tensor)]
    graph = leaves[0].graph
    with graph.name_scope(layer._scope_name()):
        layer._check_inputs(inputs)
        return layer._apply(inputs, leaves, (), kwargs)


def _output_names(layers: list[Any]) -> list[str]:
    """The outputs' names: their layers', with a number where a layer gives several."""
    seen: dict[str, int] = {}
    names = []
    for layer in layers:
        count = seen.get(layer.name, 0)
        seen[layer.name] = count + 1
        names.append(layer.name if count == 0 else f"{layer.name}_{count}")
    return names


def map_graph(inputs: list[Tensor], outputs: list[Tensor]) -> tuple[list[Node], list[Any]]:
    """(calls, layers) between inputs and outputs: calls in the order of computing, layers by depth.

    Raises:
        ValueError: "Graph disconnected".
    """
    order = _ordered_calls(inputs, outputs)
    depths: dict[Node, int] = {}
    for node in reversed(order):
        depth = depths.setdefault(node, 0)
        for parent in _parents(node, inputs):
            depths[parent] = max(depths.get(parent, 0), depth + 1)
    layer_depths: dict[int, int] = {}
    first_seen: dict[int, Any] = {}
    for node in order:
        key = id(node.outbound_layer)
        first_seen.setdefault(key, node.outbound_layer)
        layer_depths[key] = max(layer_depths.get(key, 0), depths[node])
    for tensor in inputs:
        history = history_of(tensor)
        assert history is not None
        if id(history.layer) not in first_seen:
            first_seen[id(history.layer)] = history.layer
            layer_depths[id(history.layer)] = 0
    layers = sorted(first_seen.values(), key=lambda x: -layer_depths[id(x)])
    return order, layers


def _parents(node: Node, inputs: list[Tensor]) -> list[Node]:
    if all(t in inputs for t in node.output_tensors):
        return []
    return parents(node.sources)


def _ordered_calls(inputs: list[Tensor], outputs: list[Tensor]) -> list[Node]:
    """Every call needed, each after those it depends on; without recursion."""
    known = set(inputs)
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(n, False) for n in reversed(parents(outputs))]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if ready:
            done.add(node)
            order.append(node)
            continue
        stack.append((node, True))
        if known.issuperset(node.output_tensors):
            continue
        if isinstance(node.outbound_layer, InputLayer):
            tensor = node.output_tensors[0]
            users = [n.outbound_layer for n, _ in stack if n is not node and tensor in n.sources]
            layer = users[-1] if users else node.outbound_layer
            raise ValueError(
                f"Graph disconnected: cannot obtain value for tensor {tensor} at layer "
                f'"{layer.name}". The following previous layers were accessed '
                f"without issue: {[n.outbound_layer.name for n in order]}{layer._whence()}"
            )
        for tensor in (*node.input_tensors, *node.argument_tensors):
            wrap(tensor)
        stack.extend((n, False) for n in reversed(parents(node.sources)))
    return order

