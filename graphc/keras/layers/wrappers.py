"""tf.keras.layers: TimeDistributed, Bidirectional. Imports keras.engine."""

from __future__ import annotations

from typing import Any

from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.keras.core import arrays
from graphc.keras.core import math as K
from graphc.keras.core.arrays import int_shape
from graphc.keras.core.objects import described_layer, known
from graphc.keras.engine.base_layer import Layer, _map
from graphc.keras.engine.nodes import as_list, flat
from graphc.tf1 import api_array

__all__ = ["Bidirectional", "TimeDistributed", "Wrapper"]


def inner_call(layer: Layer, inputs: Any, **kwargs: Any) -> Any:
    """A layer inside another: built where it is not, applied without a record of the call."""
    leaves = [t for t in flat(inputs) if isinstance(t, Tensor)]
    with get_default_graph().name_scope(layer._scope_name()):
        layer._maybe_build(inputs)
        return layer._apply(inputs, leaves, (), {k: v for k, v in kwargs.items() if v is not None})


class Wrapper(Layer):
    """Base of layers around a layer."""

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": described_layer(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from graphc.keras.layers import deserialize

        config = dict(config)
        return cls(deserialize(config.pop("layer"), custom_objects), **config)


class TimeDistributed(Wrapper):
    """The layer at each step of axis 1.

    Raises:
        ValueError: no layer, or inputs of rank below 3.
    """

    supports_masking = True

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Please initialize `TimeDistributed` layer with a `Layer` instance. You passed: "
                f"{layer}"
            )
        super().__init__(layer, **kwargs)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise ValueError(
                "`TimeDistributed` Layer should be passed an `input_shape ` with at least 3 "
                f"dimensions, received: {input_shape}"
            )
        self.built = True

    @staticmethod
    def _rows(x: Any) -> Tensor:
        """[batch, time, ...] as [batch and time, ...]."""
        dims = int_shape(x)
        rows = api_array.reshape(x, api_array.concat([[-1], api_array.shape(x)[2:]], 0))
        rows.set_shape([None, *dims[2:]])
        return rows

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:  # type: ignore[override]
        takes = self.layer._call_names()
        kwargs: dict[str, Any] = {}
        if "training" in takes:
            kwargs["training"] = training
        if "mask" in takes and mask is not None and (mask.rank or 0) > 2:
            kwargs["mask"] = self._rows(mask)
        out = inner_call(self.layer, self._rows(inputs), **kwargs)
        return _map(out, lambda x: self._whole(x, inputs))

    @staticmethod
    def _whole(rows: Tensor, inputs: Tensor) -> Tensor:
        """[batch and time, ...] with the inputs' batch and time again."""
        head = api_array.shape(inputs)[:2]
        out = api_array.reshape(rows, api_array.concat([head, api_array.shape(rows)[1:]], 0))
        out.set_shape([*int_shape(inputs)[:2], *int_shape(rows)[1:]])
        return out

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The layer's own mask of each step, or whether any of a step is not masked."""
        inner = None if mask is None else self._rows(mask)
        made = self.layer.compute_mask(self._rows(inputs), inner)
        if isinstance(made, Tensor):
            return self._whole(made, inputs)
        if mask is None:
            return None
        out = mask
        while (out.rank or 0) > 2:
            out = K.any(out, axis=-1)
        return out


_MODES = ("sum", "mul", "concat", "ave", None)


class Bidirectional(Wrapper):
    """A recurrent layer in both directions.

    Args:
        layer: an RNN. merge_mode: "concat", "sum", "mul", "ave", or None: both outputs in a list.

    Raises:
        ValueError: an unknown merge_mode.
    """

    supports_masking = True

    def __init__(
        self, layer: Layer, merge_mode: str | None = "concat", weights: Any = None,
        backward_layer: Any = None, **kwargs: Any,
    ) -> None:
        for what, given in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(given, Layer) and not (what != "layer" and given is None):
                raise ValueError(
                    f"`Bidirectional` needs a recurrent layer as `{what}`. You passed: {given}"
                )
        if merge_mode not in _MODES:
            raise ValueError(
                'Invalid merge mode. Merge mode should be one of {"sum", "mul", "ave", "concat", '
                "None}"
            )
        if not hasattr(layer, "go_backwards"):
            raise ValueError(
                f"`Bidirectional` needs a recurrent layer, which {type(layer).__name__} is not: it "
                f"has no go_backwards{layer._whence()}"
            )
        if "input_shape" not in kwargs and hasattr(layer, "_batch_input_shape"):
            kwargs.setdefault("batch_input_shape", layer._batch_input_shape)
        super().__init__(layer, weights=weights, **kwargs)
        self.forward_layer = _copy(layer, {})
        self._backward_config = None
        if backward_layer is not None:
            self._backward_config = described_layer(backward_layer)
            _check_directions(layer, backward_layer)
            self.backward_layer = backward_layer
        else:
            self.backward_layer = _copy(layer, {"go_backwards": not layer.go_backwards})
        self.forward_layer.name = f"forward_{layer.name}"
        self.backward_layer.name = f"backward_{(backward_layer or layer).name}"
        for one in (self.forward_layer, self.backward_layer):
            # a masked step gives zeros: else the directions would not meet at the same time
            one.zero_output_for_mask = layer.return_sequences
        self.merge_mode = merge_mode
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.stateful = layer.stateful
        self._num_constants = 0

    def sublayers(self) -> Any:
        return iter([self.forward_layer, self.backward_layer])

    def __call__(  # type: ignore[override]
        self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any
    ) -> Any:
        """Args: inputs; initial_state: of both layers; constants of their cells; mask.

        Raises:
            ValueError: an odd number of states.
        """
        states, fixed = as_list(initial_state), as_list(constants)
        if len(states) % 2:
            raise ValueError(
                "When passing `initial_state` to a Bidirectional RNN, the state should be a list "
                "containing the states of the underlying RNNs, forward ones first. Found: "
                f"{initial_state}{self._whence()}"
            )
        if constants is not None:
            self._num_constants = len(fixed)
        if states or fixed:
            first = inputs[0] if isinstance(inputs, list | tuple) else inputs
            inputs = [first, *states, *fixed]
        return super().__call__(inputs, **kwargs)

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:  # type: ignore[override]
        first = second = inputs
        if isinstance(inputs, list | tuple):
            end = len(inputs) - self._num_constants
            states, fixed = list(inputs[1:end]), list(inputs[end:])
            half = len(states) // 2
            first = [inputs[0], *states[:half], *fixed]
            second = [inputs[0], *states[half:], *fixed]
            for layer in (self.forward_layer, self.backward_layer):
                layer._num_constants = self._num_constants
            mask = mask[0] if isinstance(mask, list | tuple) else mask
        y = inner_call(self.forward_layer, first, mask=mask, training=training)
        z = inner_call(self.backward_layer, second, mask=mask, training=training)
        after: list[Any] = []
        if self.return_state:
            after = [*y[1:], *z[1:]]
            y, z = y[0], z[0]
        if self.return_sequences:
            z = arrays.reverse(z, 0 if getattr(self.forward_layer, "time_major", False) else 1)
        out = self._merged(y, z)
        return [*as_list(out), *after] if after else out

    def _merged(self, y: Tensor, z: Tensor) -> Any:
        if self.merge_mode == "concat":
            return arrays.concatenate([y, z])
        if self.merge_mode == "sum":
            return y + z
        if self.merge_mode == "ave":
            return (y + z) / 2.0
        return y * z if self.merge_mode == "mul" else [y, z]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        first = mask[0] if isinstance(mask, list | tuple) else mask
        out = first if self.return_sequences else None
        masks = [out, out] if self.merge_mode is None else [out]
        if self.return_state:
            states = len(self.forward_layer._sizes()) + len(self.backward_layer._sizes())
            return [*masks, *[None] * states]
        return masks if self.merge_mode is None else out

    def reset_states(self) -> None:
        """Sets the states of both directions to zeros."""
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "merge_mode": self.merge_mode}
        if self._backward_config is not None:
            config["backward_layer"] = self._backward_config
        if self._num_constants:
            config["num_constants"] = self._num_constants
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from graphc.keras.layers import deserialize

        config = dict(config)
        other = config.pop("backward_layer", None)
        if other is not None:
            config["backward_layer"] = deserialize(other, custom_objects)
        constants = config.pop("num_constants", None)
        made = super().from_config(config, custom_objects)
        made._num_constants = constants or 0
        return made


def _check_directions(layer: Any, backward: Any) -> None:
    """Raises ValueError: both go the same way, or their outputs do not match."""
    if layer.go_backwards == backward.go_backwards:
        raise ValueError(
            "Forward layer and backward layer should have different `go_backwards` value."
        )
    for name in ("stateful", "return_sequences", "return_state"):
        if getattr(layer, name) != getattr(backward, name):
            raise ValueError(
                f'Forward layer and backward layer are expected to have the same value for "{name}"'
                f", got {getattr(layer, name)} and {getattr(backward, name)}"
            )


def _copy(layer: Layer, changed: dict[str, Any]) -> Any:
    """A new layer of the same settings; users' own cells are known by their classes."""
    config = {**layer.get_config(), **changed}
    cell = getattr(layer, "cell", None)
    cells = [cell, *getattr(cell, "cells", ())]
    with known({type(c).__name__: type(c) for c in cells if c is not None}):
        made = type(layer).from_config(config)
    _same_dtypes(layer, made)
    return made


def _same_dtypes(layer: Any, made: Any) -> None:
    """A dtype that the inputs still have to tell stays open: configurations name one."""
    made._dtype = layer._dtype
    inner, others = getattr(layer, "cell", None), getattr(made, "cell", None)
    if isinstance(inner, Layer):
        _same_dtypes(inner, others)
    for cell, other in zip(getattr(layer, "cells", ()), getattr(made, "cells", ())):
        _same_dtypes(cell, other)
