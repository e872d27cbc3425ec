"""Sequential: a model that is a list of layers. Imports keras.engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.keras.core.marks import history_of
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.input_layer import Input, InputLayer
from graphc.keras.engine.network import Network
from graphc.keras.engine.nodes import flat, shapes_of, unpack
from graphc.keras.engine.training import Model

__all__ = ["Sequential"]


class Sequential(Model):
    """Layers one after the other, each with one input and one output.

    Args:
        layers: to add at once. name: default "sequential", made unique.
    """

    def __init__(self, layers: Any = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._stack: list[Any] = []
        for layer in layers or ():
            self.add(layer)

    def sublayers(self) -> Iterator[Any]:
        return iter(list(self.__dict__.get("_stack", ())))

    @property
    def layers(self) -> list[Any]:
        """The layers, without the one that stands for the input."""
        stack = self._stack
        return stack[1:] if stack and isinstance(stack[0], InputLayer) else list(stack)

    # ------------------------------------------------------------ adding and removing
    def add(self, layer: Any) -> None:
        """Puts a layer at the end.

        Raises:
            TypeError: no layer. ValueError: one with several outputs.
        """
        history = history_of(layer)
        if history is not None and isinstance(history.layer, InputLayer):
            layer = history.layer  # what Input gave
        if not isinstance(layer, Layer):
            raise TypeError(
                "The added layer must be an instance of class Layer. Found: " + str(layer)
            )
        if not self._stack:
            if isinstance(layer, InputLayer):
                self._start(layer.input_tensor, layer)
                self._close()
                return
            shape = _first_shape(layer)
            if shape is not None:
                tensor = Input(
                    batch_shape=shape, name=f"{layer.name}_input", dtype=_input_dtype(layer)
                )
                self._start(tensor, tensor._keras_history.layer)
        self._stack.append(layer)
        if self.outputs is not None:
            self._extend(layer)

    def _start(self, tensor: Any, layer: Any) -> None:
        self._stack.append(layer)
        self.inputs, self.outputs = [tensor], [tensor]

    def _extend(self, layer: Any) -> None:
        out = layer(self.outputs[0])
        if isinstance(out, list | tuple) and len(out) != 1:
            raise ValueError(
                "All layers in a Sequential model should have a single output tensor. For "
                "multi-output layers, use the functional API."
            )
        self.outputs = flat(out)
        self._close()

    def _close(self) -> None:
        """Makes the list a graph of calls."""
        layers = self._stack
        self._init_graph(unpack(list(self.inputs)), self.outputs[0])
        self.__dict__.pop("_layer_list", None)
        self._stack = layers
        self._is_graph_network = True
        self._outputs_changed()

    def pop(self) -> None:
        """Removes the last layer.

        Raises:
            TypeError: there is none.
        """
        if not self.layers:
            raise TypeError("There are no layers in the model.")
        layer = self._stack.pop()
        layer._inbound_nodes = []
        if not self.layers:
            self._stack = []
            self.inputs = self.outputs = None
            self.built = self._is_graph_network = False
        elif self.outputs is not None:
            last = self._stack[-1]
            last._outbound_nodes = []
            mine = [n for n in self._network_nodes if n.outbound_layer is last]
            self.outputs = list(mine[-1].output_tensors)
            self._close()

    # ------------------------------------------------------------ building
    def build(self, input_shape: Any = None) -> None:
        """Makes the weights for inputs of this shape, batch included."""
        if self._is_graph_network or input_shape is None:
            self.built = self._is_graph_network
            return
        first = self._stack[0] if self._stack else None
        dtype = None if first is None else _input_dtype(first)
        self._connect(Input(batch_shape=tuple(input_shape), dtype=dtype,
                            name=f"{first.name}_input" if first is not None else None))  # fmt: skip

    def _first_dtype(self) -> Any:
        """The dtype of the inputs that the first layer wants; None for any float."""
        return _input_dtype(self._stack[0]) if self._stack else None

    def _connect(self, given: Any) -> None:
        """Applies the layers, which have waited for an input, or for a dict of inputs."""
        waiting = list(self._stack)
        self._stack = []
        if isinstance(given, dict):
            self.inputs, self.outputs = flat(given), [given]
        else:
            self._start(given, given._keras_history.layer)
        for layer in waiting:
            self._stack.append(layer)
            self._extend(layer)

    def _maybe_build(self, inputs: Any) -> None:
        if not self._is_graph_network and self._stack:
            self.build((None, *shapes_of(inputs)[1:]))
        self._check_inputs(inputs)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._is_graph_network:
            return super().call(inputs, training=training, mask=mask)
        return inputs

    # ------------------------------------------------------------ predictions
    def predict_proba(self, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """The same as predict."""
        return self.predict(x, batch_size, verbose)

    def predict_classes(self, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """The most probable class of each sample; for one output, whether it is above 0.5."""
        proba = self.predict(x, batch_size, verbose)
        return proba.argmax(axis=-1) if proba.shape[-1] > 1 else (proba > 0.5).astype("int32")

    # ------------------------------------------------------------ configuration
    def get_config(self) -> dict[str, Any]:
        layers = [
            {"class_name": type(layer).__name__, "config": layer.get_config()}
            for layer in self._stack  # with the input: newer readers want its shape
        ]
        config: dict[str, Any] = {"name": self.name, "layers": layers}
        return config

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        from graphc.keras.layers import deserialize

        if isinstance(config, dict):
            name, listed = config.get("name"), config["layers"]
            shape = config.get("build_input_shape")
        else:
            name, listed, shape = None, config, None
        model = cls(name=name)
        for item in listed:
            model.add(deserialize(item, custom_objects=custom_objects))
        if shape and not model.inputs:
            model.build(tuple(shape))
        return model


def _first_shape(layer: Any) -> Any:
    """The batch shape of a first layer's inputs, where it tells."""
    shape = getattr(layer, "_batch_input_shape", None)
    if shape is None and isinstance(layer, Network) and layer.inputs:
        shape = shapes_of(layer.inputs[0])
    if shape is None and getattr(layer, "layer", None) is not None:
        return None
    return shape


def _input_dtype(layer: Any) -> Any:
    if isinstance(layer, Network):
        return layer.inputs[0].dtype.name if layer.inputs else None
    return getattr(layer, "_input_dtype", None) or layer._dtype
