"""Layer: the base of all layers and models of Keras.

Lives here: names, weights, losses, calls. Not here: how calls make a model (engine/network.py),
looking up inputs and outputs (engine/layer_info.py). Imports keras.core and tf1.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from graphc.ir.dtypes import as_dtype
from graphc.ir.faults import called_at
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.ir.source import capture
from graphc.keras import constraints, initializers, regularizers
from graphc.keras.core.arrays import is_sparse, to_dense
from graphc.keras.core.config import floatx
from graphc.keras.core.marks import mask_of, set_mask
from graphc.keras.core.session import batch_get_value, batch_set_value, track_variable
from graphc.keras.engine.layer_info import LayerInfo
from graphc.keras.engine.nodes import (
    Node,
    as_list,
    flat,
    shape_first,
    shapes_of,
    snake_case,
    unique_layer_name,
)
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.layers_base import InputSpec
from graphc.tf1.variables import Variable

__all__ = ["InputSpec", "Layer", "call_training"]

_ALLOWED = {
    "input_shape", "batch_input_shape", "batch_size", "weights", "activity_regularizer",
    "input_dtype", "input_dim", "input_length", "autocast", "implementation",
}  # fmt: skip

# values of `training` with which the models around the current call were called
_TRAINING: list[Any] = []


def call_training() -> Any:
    """What the enclosing call was told about training; None where nothing."""
    return _TRAINING[-1] if _TRAINING else None


class Layer(LayerInfo):
    """A function of tensors with weights of its own.

    A subclass defines `call(inputs)` and, where it has weights, `build(input_shape)` with
    `add_weight`.

    Args:
        trainable: whether its weights are trained. name: default the class's, made unique.
        dtype: of its weights; default that of its inputs.
        input_shape, batch_input_shape, batch_size: of the inputs of a model's first layer.
        weights: initial values. activity_regularizer: a penalty on the outputs.

    Raises:
        TypeError: an unknown keyword argument.
    """

    supports_masking = False
    _takes_sparse = False  # whether `call` knows sparse tensors; else it gets dense ones

    if TYPE_CHECKING:  # subclasses set attributes by name

        def __getattr__(self, name: str) -> Any: ...

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None,
        dynamic: bool = False, **kwargs: Any,
    ) -> None:
        for key in kwargs:
            if key not in _ALLOWED:
                where = f"\n  in a layer {type(self).__name__}{called_at()}"
                raise TypeError(f"Keyword argument not understood: {key}{where}")
        self._origin = capture()
        self.name: str = name or unique_layer_name(snake_case(type(self).__name__))
        self.trainable = trainable
        self.built = False
        self.stateful = False
        self.input_spec: Any = None
        self._dtype = as_dtype(dtype).name if dtype is not None else None
        self._called_dtype: str | None = None
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._losses: list[Any] = []
        self._updates: list[Any] = []
        self._metric_tensors: list[tuple[str, Any]] = []
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []
        self._initial_weights = kwargs.get("weights")
        self._activity_regularizer = regularizers.get(kwargs.get("activity_regularizer"))
        self._set_input_shape(kwargs)

    def _set_input_shape(self, kwargs: dict[str, Any]) -> None:
        if "input_dim" in kwargs and "input_shape" not in kwargs:
            kwargs["input_shape"] = (kwargs["input_dim"],)
            if kwargs.get("input_length") is not None:
                kwargs["input_shape"] = (kwargs["input_length"], kwargs["input_dim"])
        if kwargs.get("batch_input_shape") is not None:
            self._batch_input_shape = tuple(kwargs["batch_input_shape"])
        elif kwargs.get("input_shape") is not None:
            shape = kwargs["input_shape"]
            inner = (shape,) if isinstance(shape, int) else tuple(shape)
            self._batch_input_shape = (kwargs.get("batch_size"), *inner)
        if "input_dtype" in kwargs and self._dtype is None:
            self._dtype = kwargs["input_dtype"]

    @property
    def trainable(self) -> bool:  # type: ignore[override]
        """Whether training changes its weights; setting it sets that of the layers inside too."""
        return self.__dict__.get("_trainable", True)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self.__dict__["_trainable"] = value
        if "_inbound_nodes" in self.__dict__:  # not while the base class starts
            for layer in self.sublayers():
                layer.trainable = value

    # ------------------------------------------------------------ for subclasses
    def build(self, input_shape: Any) -> None:
        """Makes the weights; called once, with the shapes of the first inputs."""
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The outputs for these inputs. May also take `mask` and `training`."""
        return inputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the outputs; that of the inputs where masks are supported."""
        return mask if self.supports_masking else None

    @shape_first
    def add_weight(
        self, name: str | None = None, shape: Any = None, dtype: Any = None,
        initializer: Any = None, regularizer: Any = None, trainable: bool | None = None,
        constraint: Any = None, **kwargs: Any,
    ) -> Any:
        """A variable of the layer.

        Args:
            shape: default (). initializer: default Glorot's for floats, zeros for others.
            regularizer: its result is added to the layer's losses.
        """
        kind = as_dtype(dtype or self._dtype or floatx())
        if initializer is None:
            initializer = "glorot_uniform" if kind.is_floating else "zeros"
        make = initializers.get(initializer)
        dims = () if shape is None else tuple(shape)
        if any(d is None for d in dims):
            raise ValueError(
                f"The weight {name!r} of layer {self.name} has the shape {dims}: every extent "
                "must be known when the layer is built."
            )
        dims = tuple(int(d) for d in dims)
        wanted = trainable is not False
        variable = Variable(
            lambda: _initial(make, dims, kind), trainable=wanted, name=name or "weight",
            dtype=kind, constraint=constraints.get(constraint),
        )  # fmt: skip
        track_variable(variable)
        (self._trainable_weights if wanted else self._non_trainable_weights).append(variable)
        penalty = regularizers.get(regularizer)
        if penalty is not None:
            with get_default_graph().name_scope(f"{name}/Regularizer"):
                self.add_loss(penalty(variable))
        return variable

    add_variable = add_weight

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds scalars (or functions of nothing that give them) to what training minimises."""
        for loss in as_list(losses):
            value = loss() if callable(loss) and not is_tensor_like(loss) else loss
            if value is not None:
                self._losses.append(convert_to_tensor(value))

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Adds ops that each training step runs."""
        for update in as_list(updates):
            if isinstance(update, tuple):
                update = update[0].assign(update[1])
            self._updates.append(update() if callable(update) else update)

    def add_metric(
        self, value: Any, aggregation: str | None = None, name: str | None = None
    ) -> None:
        """Reports the mean of a tensor under `name`.

        Raises:
            ValueError: no name, or an aggregation other than "mean".
        """
        if aggregation not in (None, "mean"):
            raise ValueError(
                "We currently support only `mean` sample-wise metric aggregation. You provided "
                f"aggregation={aggregation}"
            )
        if name is None:
            raise ValueError(
                "Please provide a name for your metric like "
                "`self.add_metric(tf.reduce_sum(inputs), name='mean_activation')`"
            )
        tensor = convert_to_tensor(value)
        self._metric_tensors.append((name, F.reduce_mean(tensor, axis=None, keepdims=False)
                                     if tensor.rank != 0 else tensor))  # fmt: skip

    # ------------------------------------------------------------ calling
    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer at the first call, then applies it.

        Raises:
            ValueError: inputs that do not fit. TypeError: inputs that are no tensors.
        """
        inputs = self._as_tensors(inputs)
        leaves = [t for t in flat(inputs) if isinstance(t, Tensor)]
        graph = leaves[0].graph if leaves else get_default_graph()
        arguments = dict(kwargs)
        with graph.as_default(), graph.name_scope(self._scope_name()), self._named_in_errors():
            self._maybe_build(inputs)
            outputs = self._apply(inputs, leaves, args, kwargs)
        node_arguments = {k: v for k, v in arguments.items() if v is not None}
        node_arguments.update(zip(self._call_names()[1:], args))
        Node(self, inputs, outputs, node_arguments)
        return outputs

    def _as_tensors(self, inputs: Any) -> Any:
        """Arrays, variables and numbers as tensors; None stays where it is one of several.

        Raises:
            TypeError: what no tensor can be made of.
        """
        if inputs is None:
            raise TypeError(
                f"Layer {self.name} was called on None: a layer's inputs are tensors or arrays"
                f"{self._whence()}"
            )

        def leaf(x: Any) -> Any:
            if x is None or isinstance(x, Tensor):
                return x
            if is_sparse(x):
                return x if self._takes_sparse else to_dense(x)
            try:
                return convert_to_tensor(x)
            except (TypeError, ValueError) as err:
                raise TypeError(
                    f"Layer {self.name} was called on {type(x).__name__}, of which no tensor can "
                    f"be made: {err}{self._whence()}"
                ) from err

        return _map(inputs, leaf)

    def _whence(self) -> str:
        """The user's line that made the layer, for errors."""
        return f"\n  {type(self).__name__} {self.name}, made at {self._origin.summary()}"

    @contextlib.contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        """Errors inside tell which layer they come from: the innermost one that is called."""
        try:
            yield
        except (TypeError, ValueError) as err:
            line = self._whence().strip()
            if not hasattr(err, "__notes__") and line not in str(err):
                err.add_note(f"in layer {line}")
            raise

    def _scope_name(self) -> str:
        return self.name.replace(" ", "_")

    def _maybe_build(self, inputs: Any) -> None:
        self._check_inputs(inputs)
        if self.built:
            return
        first = next((t for t in flat(inputs) if isinstance(t, Tensor)), None)
        self._called_dtype = first.dtype.name if first is not None else None
        if self._dtype is None:
            floating = first is not None and first.dtype.is_floating
            self._dtype = first.dtype.name if floating and first is not None else floatx()
        self.build(shapes_of(inputs))
        self.built = True
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None
        self._check_inputs(inputs)

    def _apply(
        self, inputs: Any, leaves: list[Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """call, with masks and the training argument passed on, without a record of it."""
        names = self._call_names()
        masks = _map(inputs, mask_of)
        given = kwargs.get("mask")
        positional = len(args) >= 1 and len(names) > 1 and names[1] == "mask"
        if "mask" in names and given is None and not positional:
            if any(m is not None for m in flat(masks)):
                kwargs["mask"] = masks
        takes = "training" in names
        training = kwargs.get("training") if takes else None
        if takes and training is None and not self._given(names, args, "training"):
            training = call_training()
            if training is not None:
                kwargs["training"] = training
        if takes and training is None:
            kwargs.pop("training", None)
        _TRAINING.append(training if takes else call_training())
        try:
            outputs = self.call(inputs, *args, **kwargs)
        finally:
            _TRAINING.pop()
        outputs = _map(outputs, lambda t: F.identity(t) if any(t is x for x in leaves) else t)
        self._set_masks(inputs, outputs, given if given is not None else masks)
        self._regularize(outputs)
        return outputs

    @staticmethod
    def _given(names: list[str], args: tuple[Any, ...], name: str) -> bool:
        return name in names[1 : 1 + len(args)]

    def _set_masks(self, inputs: Any, outputs: Any, masks: Any) -> None:
        own = type(self).compute_mask is not Layer.compute_mask
        if not (self.supports_masking or own):
            return
        made = self.compute_mask(inputs, masks)
        tensors, found = flat(outputs), flat(made)
        if len(found) == 1 and len(tensors) > 1:
            found = found + [None] * (len(tensors) - 1)
        for tensor, mask in zip(tensors, found):
            if mask_of(tensor) is None:
                set_mask(tensor, mask)

    def _regularize(self, outputs: Any) -> None:
        if self._activity_regularizer is None:
            return
        with get_default_graph().name_scope("ActivityRegularizer"):
            for output in flat(outputs):
                batch = F.cast(F.shape(output)[0], dtype=output.dtype)
                self.add_loss(self._activity_regularizer(output) / batch)

    def _check_inputs(self, inputs: Any) -> None:
        specs = as_list(self.input_spec)
        if not specs:
            return
        given = flat(inputs)
        if len(given) != len(specs):
            raise ValueError(
                f"Layer {self.name} expects {len(specs)} inputs, but it received {len(given)} "
                f"input tensors. Inputs received: {given}{self._whence()}"
            )
        for number, (tensor, spec) in enumerate(zip(given, specs)):
            if spec is None or tensor is None:
                continue
            try:
                spec.check(tensor, self.name, number)
            except ValueError as err:
                raise ValueError(f"{err}{self._whence()}") from None

    @classmethod
    def _signature(cls) -> list[str]:
        found = cls.__dict__.get("_call_signature")
        if found is None:
            found = list(inspect.signature(cls.call).parameters)[1:]
            cls._call_signature = found  # type: ignore[attr-defined]
        return found

    def _call_names(self) -> list[str]:
        return self._signature()

    # ------------------------------------------------------------ values
    def get_weights(self) -> list[Any]:
        """The values of all weights as NumPy arrays."""
        return batch_get_value(self.weights)

    def set_weights(self, weights: Any) -> None:
        """Sets all weights, in the order of get_weights.

        Raises:
            ValueError: another number of arrays, or other shapes.
        """
        params, values = self.weights, list(weights)
        if len(params) != len(values):
            raise ValueError(
                f'You called `set_weights(weights)` on layer "{self.name}" with a  weight list of '
                f"length {len(values)}, but the layer was expecting {len(params)} weights. "
                f"Provided weights: {str(values)[:50]}..."
            )
        for param, value in zip(params, values):
            shape = tuple(getattr(value, "shape", ()))
            if tuple(param.shape.as_list()) != shape:
                raise ValueError(
                    f"Layer weight shape {tuple(param.shape.as_list())} not compatible with "
                    f"provided weight shape {shape} ({self.name}: {param.name})"
                )
        batch_set_value(list(zip(params, values)))

    # ------------------------------------------------------------ configuration
    def get_config(self) -> dict[str, Any]:
        """What from_config makes an equal layer from (without weights).

        Raises:
            NotImplementedError: a user's class with arguments of its own that does not say them.
        """
        if type(self).get_config is Layer.get_config:
            own = _own_arguments(type(self))
            if own:
                raise NotImplementedError(
                    f"Layers with arguments in `__init__` must override `get_config`: "
                    f"{type(self).__name__} has {', '.join(own)}{self._whence()}"
                )
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if hasattr(self, "_batch_input_shape"):
            config["batch_input_shape"] = self._batch_input_shape
        config["dtype"] = self._dtype or floatx()
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes of the outputs for inputs of this shape, batch included.

        Here they are found by applying the layer to placeholders; a subclass may know better.
        """
        from graphc.tf1.framework import placeholder

        several = isinstance(input_shape, list) and input_shape and isinstance(
            input_shape[0], list | tuple
        )  # fmt: skip
        kept = len(self._losses), len(self._updates), len(self._metric_tensors)
        kind = self._dtype or floatx()
        with get_default_graph().name_scope(self._scope_name()):
            x = [placeholder(kind, list(s)) for s in (input_shape if several else [input_shape])]
            given = x if several else x[0]
            self._maybe_build(given)
            outputs = self._apply(given, x, (), {})
        del self._losses[kept[0] :], self._updates[kept[1] :], self._metric_tensors[kept[2] :]
        return shapes_of(outputs)

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The same as calling the layer."""
        return self(inputs, *args, **kwargs)

    def sublayers(self) -> Iterator[Layer]:
        """The layers among the attributes, also in lists, tuples and dicts."""
        seen: set[int] = set()
        for value in list(vars(self).values()):
            for layer in _layers_in(value):
                if id(layer) not in seen and layer is not self:
                    seen.add(id(layer))
                    yield layer


def _own_arguments(cls: type) -> list[str]:
    """The arguments of a class that Layer does not know."""
    known = {"self", "trainable", "name", "dtype", "dynamic", *_ALLOWED}
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return [p.name for p in found if p.name not in known and p.kind in plain]


def _layers_in(value: Any) -> Iterator[Layer]:
    if isinstance(value, Layer):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _layers_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _layers_in(item)


def _map(structure: Any, fn: Callable[[Any], Any]) -> Any:
    if isinstance(structure, dict):
        return {k: _map(v, fn) for k, v in structure.items()}
    if isinstance(structure, list):
        return [_map(v, fn) for v in structure]
    if isinstance(structure, tuple):
        items = [_map(v, fn) for v in structure]
        return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
    return fn(structure)


def _initial(make: Any, dims: tuple[int, ...], kind: Any) -> Any:
    try:
        return make(dims, dtype=kind)
    except TypeError:
        return make(dims)  # a user's function of the shape alone
