"""What a layer tells of itself: weights, losses, inputs and outputs of its calls.

Lives here: LayerInfo, the part of Layer that only looks. Imports keras.engine.nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from graphc.keras.core.marks import mask_of
from graphc.keras.engine.nodes import Node, flat, unpack
from graphc.tf1.variables import Variable

__all__ = ["LayerInfo"]


def distinct(items: Iterable[Any]) -> list[Any]:
    """The items once each, by identity, in order."""
    seen: dict[int, Any] = {}
    for item in items:
        seen.setdefault(id(item), item)
    return list(seen.values())


class LayerInfo:
    """Properties of layers; Layer defines what they look at."""

    name: str
    trainable: bool
    built: bool
    _dtype: str | None
    _trainable_weights: list[Any]
    _non_trainable_weights: list[Any]
    _losses: list[Any]
    _updates: list[Any]
    _metric_tensors: list[tuple[str, Any]]
    _inbound_nodes: list[Node]
    _outbound_nodes: list[Node]
    _activity_regularizer: Any

    def sublayers(self) -> Iterator[Any]:
        """The layers that this one is made of."""
        raise NotImplementedError

    # ------------------------------------------------------------ weights
    def _loose_variables(self) -> list[Any]:
        """Variables that were assigned to attributes without add_weight."""
        own = {id(v) for v in (*self._trainable_weights, *self._non_trainable_weights)}
        found = []
        for name, value in vars(self).items():
            if name == "_collected_trainable_weights":
                continue  # what compile noted down
            for item in value if isinstance(value, list | tuple) else [value]:
                if isinstance(item, Variable) and id(item) not in own:
                    found.append(item)
        return distinct(found)

    @property
    def trainable_weights(self) -> list[Any]:
        """The variables that training changes; none where `trainable` is False."""
        if not self.trainable:
            return []
        loose = [v for v in self._loose_variables() if v.trainable]
        below = [w for layer in self.sublayers() for w in layer.trainable_weights]
        fixed = {id(v) for v in self._non_trainable_weights}
        found = distinct([*self._trainable_weights, *loose, *below])
        return [v for v in found if id(v) not in fixed]

    @trainable_weights.setter
    def trainable_weights(self, variables: list[Any]) -> None:
        # the manner of Keras 2.2, in build: what K.variable made is listed by hand
        self._trainable_weights = list(variables)

    @property
    def non_trainable_weights(self) -> list[Any]:
        """All other variables of the layer."""
        loose = self._loose_variables()
        if not self.trainable:
            below = [w for layer in self.sublayers() for w in layer.weights]
            return distinct(
                [*self._trainable_weights, *self._non_trainable_weights, *loose, *below]
            )
        fixed = [v for v in loose if not v.trainable]
        below = [w for layer in self.sublayers() for w in layer.non_trainable_weights]
        return distinct([*self._non_trainable_weights, *fixed, *below])

    @non_trainable_weights.setter
    def non_trainable_weights(self, variables: list[Any]) -> None:
        self._non_trainable_weights = list(variables)

    @property
    def weights(self) -> list[Any]:
        return self.trainable_weights + self.non_trainable_weights

    @property
    def variables(self) -> list[Any]:
        return self.weights

    @property
    def trainable_variables(self) -> list[Any]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:
        return self.non_trainable_weights

    def count_params(self) -> int:
        """The number of scalars in the weights.

        Raises:
            ValueError: the layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built. You "
                f"can build it manually via: `{self.name}.build(batch_input_shape)`."
            )
        return count_scalars(self.weights)

    # ------------------------------------------------------------ losses and updates
    @property
    def losses(self) -> list[Any]:
        """Penalties of the layer and those below."""
        return self._every_loss()

    def _every_loss(self) -> list[Any]:
        return [*self._losses, *(x for layer in self.sublayers() for x in layer._every_loss())]

    @property
    def updates(self) -> list[Any]:
        """Ops that a training step runs; none of layers that are not trainable."""
        return self._every_update()

    def _every_update(self) -> list[Any]:
        if not self.trainable and not getattr(self, "stateful", False):
            return []
        return [*self._updates, *(x for layer in self.sublayers() for x in layer._every_update())]

    @property
    def metric_tensors(self) -> list[tuple[str, Any]]:
        """What add_metric was given, here and below."""
        return self._every_metric()

    def _every_metric(self) -> list[tuple[str, Any]]:
        below = (x for layer in self.sublayers() for x in layer._every_metric())
        return [*self._metric_tensors, *below]

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """Penalties on weights for None; else those that depend on these tensors."""
        from graphc.keras.engine.reach import depends_on, unconditional

        if inputs is None:
            return [x for x in self.losses if unconditional(x)]
        return [x for x in self.losses if depends_on(x, flat(inputs))]

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """Updates that depend on nothing fed for None; else those that need these tensors."""
        from graphc.keras.engine.reach import depends_on, unconditional

        if inputs is None:
            return [x for x in distinct(self._every_update()) if unconditional(x)]
        return [x for x in distinct(self._every_update()) if depends_on(x, flat(inputs))]

    @property
    def activity_regularizer(self) -> Any:
        return self._activity_regularizer

    @activity_regularizer.setter
    def activity_regularizer(self, value: Any) -> None:
        self._activity_regularizer = value

    @property
    def dtype(self) -> str | None:
        return self._dtype

    @property
    def dynamic(self) -> bool:
        """False: a call always makes a graph."""
        return False

    @property
    def submodules(self) -> tuple[Any, ...]:
        """All layers inside, those inside of them too, once each."""
        below = [x for layer in self.sublayers() for x in (layer, *layer.submodules)]
        return tuple(distinct(below))

    # ------------------------------------------------------------ calls
    @property
    def inbound_nodes(self) -> list[Node]:
        return self._inbound_nodes

    @property
    def outbound_nodes(self) -> list[Node]:
        return self._outbound_nodes

    def _node(self, index: int, what: str) -> Node:
        if not self._inbound_nodes:
            raise RuntimeError(
                f"The layer has never been called and thus has no defined {what}: {self.name}"
            )
        if not -len(self._inbound_nodes) <= index < len(self._inbound_nodes):
            raise ValueError(
                f"Asked to get {what} at node {index}, but the layer has only "
                f"{len(self._inbound_nodes)} inbound nodes."
            )
        return self._inbound_nodes[index]

    def _only_node(self, what: str) -> Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"Layer {self.name} is not connected, no {what} to return."
                if what in ("input", "output")
                else f"The layer has never been called and thus has no defined {what}."
            )
        if len(self._inbound_nodes) > 1:
            raise AttributeError(
                f"Layer {self.name} has multiple inbound nodes, hence the notion of "
                f'"layer {what}" is ill-defined. Use `get_{what}_at(node_index)` instead.'
            )
        return self._inbound_nodes[0]

    def get_input_at(self, node_index: int) -> Any:
        return unpack(self._node(node_index, "input").input_tensors)

    def get_output_at(self, node_index: int) -> Any:
        return unpack(self._node(node_index, "output").output_tensors)

    def get_input_shape_at(self, node_index: int) -> Any:
        return self._node(node_index, "input shape").input_shapes

    def get_output_shape_at(self, node_index: int) -> Any:
        return self._node(node_index, "output shape").output_shapes

    def get_input_mask_at(self, node_index: int) -> Any:
        return unpack([mask_of(t) for t in self._node(node_index, "mask").input_tensors])

    def get_output_mask_at(self, node_index: int) -> Any:
        return unpack([mask_of(t) for t in self._node(node_index, "mask").output_tensors])

    @property
    def input(self) -> Any:
        """The inputs of its only call. Raises AttributeError where there are none or several."""
        return unpack(self._only_node("input").input_tensors)

    @property
    def output(self) -> Any:
        """The outputs of its only call. Raises AttributeError where there are none or several."""
        return unpack(self._only_node("output").output_tensors)

    @property
    def input_mask(self) -> Any:
        return unpack([mask_of(t) for t in self._only_node("input mask").input_tensors])

    @property
    def output_mask(self) -> Any:
        return unpack([mask_of(t) for t in self._only_node("output mask").output_tensors])

    @property
    def input_shape(self) -> Any:
        """The shape of the inputs, the same in all calls. Raises AttributeError otherwise."""
        return self._same_shape("input shape", [n.input_shapes for n in self._inbound_nodes])

    @property
    def output_shape(self) -> Any:
        """The shape of the outputs, the same in all calls. Raises AttributeError otherwise."""
        return self._same_shape("output shape", [n.output_shapes for n in self._inbound_nodes])

    def _same_shape(self, what: str, shapes: list[Any]) -> Any:
        if not shapes:
            raise AttributeError(
                f"The layer has never been called and thus has no defined {what}."
            )
        if any(s != shapes[0] for s in shapes):
            raise AttributeError(
                f'The layer "{self.name}" has multiple inbound nodes with different {what}s. Hence '
                f'the notion of "{what}" is ill-defined for the layer.'
            )
        found = shapes[0]
        return found[0] if isinstance(found, list) and len(found) == 1 else found


def count_scalars(weights: Iterable[Any]) -> int:
    """The number of scalars in distinct variables."""
    return int(sum(np.prod(w.shape.as_list(), dtype=np.int64) for w in distinct(weights)))
