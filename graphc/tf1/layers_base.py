"""Layer: the base class of tf.layers, with TensorFlow 1's scopes and names.

Lives here: Layer and InputSpec: names, weights, reuse, collections. Not here: layers themselves
(tf1/layers_*.py), variable scopes (tf1/variable_scope.py). Imported by tf1 modules and users'
subclasses (tf.layers.Layer).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.node import Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, graph_of, is_tensor_like
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.variable_scope import VariableScope, get_variable, variable_scope

__all__ = ["InputSpec", "Layer"]


class InputSpec:
    """What a layer accepts as an input (tf.layers.InputSpec).

    Args:
        dtype, shape, ndim, max_ndim, min_ndim: each checked where it is given.
        axes: extents by axis; an extent of None accepts any.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
    ) -> None:
        self.dtype = None if dtype is None else as_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = dict(axes or {})

    def check(self, tensor: Any, layer: str, at: int = 0) -> None:
        """Raises ValueError where the tensor does not fit; unknown ranks pass."""
        where = f"Input {at} of layer {layer} is incompatible with the layer: "
        rank = tensor.shape.ndims
        if rank is None:
            return
        full = tensor.shape.as_list()
        if self.ndim is not None and rank != self.ndim:
            raise ValueError(
                f"{where}expected ndim={self.ndim}, found ndim={rank}. Full shape received: {full}"
            )
        if self.max_ndim is not None and rank > self.max_ndim:
            raise ValueError(f"{where}expected max_ndim={self.max_ndim}, found ndim={rank}")
        if self.min_ndim is not None and rank < self.min_ndim:
            raise ValueError(
                f"{where}expected min_ndim={self.min_ndim}, found ndim={rank}. "
                f"Full shape received: {full}"
            )
        if self.dtype is not None and tensor.dtype is not self.dtype:
            raise ValueError(f"{where}expected dtype={self.dtype}, found dtype={tensor.dtype}")
        for axis, extent in self.axes.items():
            if extent is not None and full[axis] not in (extent, None):
                raise ValueError(
                    f"{where}expected axis {axis} of input shape to have value {extent} but "
                    f"received input with shape {full}"
                )
        for want, have in zip(self.shape or (), full):
            if want is not None and have is not None and want != have:
                raise ValueError(f"{where}expected shape={self.shape}, found shape={full}")


def static_truth(value: Any) -> bool | None:
    """A Python or known truth value; None for a tensor that only a run decides."""
    if not is_tensor_like(value):
        return bool(value)
    known = value_of(convert_to_tensor(value))
    return None if known is None or known.dtype == object else bool(known)


def truth_tensor(value: Any) -> Tensor:
    """A bool tensor of a tensor that may also be a number."""
    tensor = convert_to_tensor(value)
    return tensor if tensor.dtype.is_bool else F.not_equal(tensor, F.zeros_like(tensor))


def snake_case(name: str) -> str:
    """The default name of a class: Conv2DTranspose gives "conv2d_transpose"."""
    spaced = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    lower = re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
    return f"private{lower}" if lower.startswith("_") else lower


def _object_name(graph: Graph, base: str) -> str:
    """`base`, `base_1`, ...: names of layer objects, apart from those of scopes."""
    counts: dict[str, int] = graph.__dict__.setdefault("_layer_names", {})
    number = counts.get(base, 0)
    counts[base] = number + 1
    return base if number == 0 else f"{base}_{number}"


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _flat(item)]
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in _flat(value[key])]
    return [] if value is None else [value]


def _as_inputs(value: Any) -> Any:
    """Arrays and numbers as tensors; structures of tensors as they are."""
    if isinstance(value, np.ndarray | np.generic | float | int):
        return convert_to_tensor(value)
    if isinstance(value, list | tuple) and not any(is_tensor_like(v) for v in _flat(value)):
        return convert_to_tensor(value) if value else value
    return value


class Layer:
    """A part of a network that owns variables (tf.layers.Layer, TensorFlow 1.15).

    Subclasses define `build(input_shape)`, which calls add_weight and sets `self.built`, and
    `call(inputs, ...)`. A layer's variables are made at its first call; later calls share them.

    Args:
        trainable: whether its weights go to TRAINABLE_VARIABLES. name: of its scope; default the
            class's name in snake case, made unique. dtype: of its weights; default the inputs'.
        activity_regularizer: a function of the outputs; its result, divided by the batch size,
            is a regularization loss. _scope, _reuse: the scope to use, and whether its variables
            exist already (True, False, None or AUTO_REUSE).

    Raises:
        TypeError: "Keyword argument not understood".
    """

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        scope = kwargs.pop("_scope", None)
        self._reuse = kwargs.pop("_reuse", None)
        self.activity_regularizer: Callable[..., Any] | None = kwargs.pop(
            "activity_regularizer", None
        )
        for key in kwargs:
            raise TypeError("Keyword argument not understood:", key)
        self._graph = get_default_graph()
        self.trainable = trainable
        self.built = False
        self.input_spec: InputSpec | None = None
        # where a call adds the updates; None: nowhere
        self.updates_collections: Any = GraphKeys.UPDATE_OPS
        self._dtype: DType | None = None if dtype is None else as_dtype(dtype)
        self._base_name = name or snake_case(type(self).__name__)
        self._name = name or _object_name(self._graph, self._base_name)
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._updates: list[Any] = []
        self._losses: list[Any] = []
        self._calls: list[tuple[Any, Any]] = []
        self._current_scope: VariableScope | None = None
        self._scope: VariableScope | None = None
        if scope:
            with variable_scope(scope) as captured:
                self._scope = captured

    # ------------------------------------------------------------ what it is
    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def scope_name(self) -> str:
        """The full name of its variable scope. Raises ValueError before the first call."""
        if self._scope is None:
            raise ValueError(
                f'No name available for layer scope because the layer "{self._name}" has not been '
                "used yet. The scope name is determined the first time the layer instance is "
                "called. You must therefore call the layer before querying `scope_name`."
            )
        return self._scope.name

    @property
    def trainable_weights(self) -> list[Any]:
        return list(self._trainable_weights) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        fixed = list(self._non_trainable_weights)
        return fixed if self.trainable else self._trainable_weights + fixed

    @property
    def weights(self) -> list[Any]:
        return self.trainable_weights + self.non_trainable_weights

    variables = weights
    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def updates(self) -> list[Any]:
        """The ops it added by add_update; a layer that is not trainable has none."""
        return list(self._updates) if self.trainable else []

    @property
    def losses(self) -> list[Any]:
        return list(self._losses)

    @property
    def input(self) -> Any:
        """The inputs of its only call. Raises AttributeError where there are none or several."""
        return self._only_call()[0]

    @property
    def output(self) -> Any:
        return self._only_call()[1]

    @property
    def input_shape(self) -> Any:
        return tuple(self.input.shape.as_list())

    @property
    def output_shape(self) -> Any:
        return tuple(self.output.shape.as_list())

    def _only_call(self) -> tuple[Any, Any]:
        if len(self._calls) != 1:
            raise AttributeError(
                f'The layer "{self._name}" has been called {len(self._calls)} times: its input and '
                "output are not defined."
            )
        return self._calls[0]

    def count_params(self) -> int:
        """The number of scalars in its weights. Raises ValueError before the first call."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on {self._name}, but the layer isn't built. You "
                f"can build it manually via: `{self._name}.build(batch_input_shape)`."
            )
        return sum(v.shape.num_elements() for v in self.weights)

    # ------------------------------------------------------------ for subclasses
    def build(self, input_shape: Any) -> None:
        """Makes the variables; called once, with the inputs' TensorShape."""
        self.built = True

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The outputs for these inputs."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        """The static shape of the outputs. Raises NotImplementedError where it is not known."""
        raise NotImplementedError

    def add_weight(
        self,
        name: str,
        shape: Any,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Callable[..., Any] | None = None,
        trainable: bool | None = None,
        constraint: Callable[..., Any] | None = None,
        use_resource: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        partitioner: Any = None,
    ) -> Any:
        """A variable of the layer, made or shared by get_variable in the layer's scope.

        Args:
            regularizer: its result for a new variable goes to REGULARIZATION_LOSSES.
            use_resource, synchronization, aggregation, partitioner: as in get_variable.
        """
        self._set_scope(None)
        assert self._scope is not None
        reuse = True if self.built else self._reuse
        wanted = self.trainable and trainable is not False
        graph = get_default_graph()
        with (
            variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope,
            graph.name_scope(scope.original_name_scope),
        ):
            before = graph.last_id
            variable = get_variable(
                name, shape, dtype or self._dtype, initializer, trainable=wanted,
                constraint=constraint, partitioner=partitioner, use_resource=use_resource,
            )  # fmt: skip
            # a variable that another layer made has its loss already
            if regularizer is not None and variable.op.id >= before:
                with graph.name_scope(f"{name}/Regularizer"):
                    loss = regularizer(variable)
                if loss is not None:
                    self.add_loss(loss)
        # a custom getter may have decided otherwise
        own = self._trainable_weights if wanted and variable.trainable else (
            self._non_trainable_weights
        )  # fmt: skip
        if not any(variable is v for v in own):
            own.append(variable)
        return variable

    add_variable = add_weight

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds losses (tensors, or functions without arguments) to REGULARIZATION_LOSSES."""
        for loss in losses if isinstance(losses, list | tuple) else [losses]:
            value = loss() if callable(loss) and not is_tensor_like(loss) else loss
            if value is not None:
                self._losses.append(value)
                _add_once(GraphKeys.REGULARIZATION_LOSSES, [value])

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Adds ops that a training step must run; a call puts them into UPDATE_OPS."""
        self._updates.extend(updates if isinstance(updates, list | tuple) else [updates])

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates (all of them: graphc does not tell which depend on which inputs)."""
        return self.updates

    def get_losses_for(self, inputs: Any) -> list[Any]:
        return self.losses

    # ------------------------------------------------------------ calling
    def _set_scope(self, scope: Any) -> None:
        """Decides the variable scope: given, reused by name, or a new unique one."""
        if self._scope is not None:
            return
        if self._reuse:
            opened = variable_scope(self._base_name if scope is None else scope)
        else:
            opened = variable_scope(scope, default_name=self._base_name)
        with opened as captured:
            self._scope = captured

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer at the first call, then applies it.

        Raises:
            ValueError: inputs that do not fit, or variables that may not be made or shared.
        """
        inputs = _as_inputs(inputs)
        leaves = [v for v in _flat(inputs) if is_tensor_like(v)]
        graph = graph_of(leaves)
        with graph.as_default():
            self._set_scope(kwargs.pop("scope", None))
            assert self._scope is not None
            reuse = True if self.built else self._reuse
            with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:
                self._current_scope = scope
                with graph.name_scope(scope.original_name_scope):
                    outputs = self._apply(inputs, leaves, args, kwargs)
            if self.updates_collections is not None:
                _add_once(self.updates_collections, self.updates)
        self._calls.append((inputs, outputs))
        return outputs

    def _apply(
        self, inputs: Any, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self._check_inputs(inputs)
        if not self.built:
            if self._dtype is None and leaves:
                self._dtype = leaves[0].dtype
            self.build(_shapes(inputs))
            self.built = True
        outputs = self.call(inputs, *args, **kwargs)
        if self.activity_regularizer is not None:
            self._regularize_activity(outputs)
        # build may have learnt what it accepts from the first input
        self._check_inputs(inputs)
        return outputs

    def _check_inputs(self, inputs: Any) -> None:
        if self.input_spec is not None and is_tensor_like(inputs):
            self.input_spec.check(inputs, self._name)

    def _regularize_activity(self, outputs: Any) -> None:
        assert self.activity_regularizer is not None
        with get_default_graph().name_scope("ActivityRegularizer"):
            for output in _flat(outputs):
                loss = convert_to_tensor(self.activity_regularizer(output))
                batch = F.cast(F.shape(output)[0], dtype=loss.dtype)
                self.add_loss(loss / batch)

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The same as calling the layer."""
        return self(inputs, *args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Layer:
        """A copy that shares the graph, the scope and the variables."""
        shared = {"_graph", "_scope", "_current_scope"}
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        for key, value in self.__dict__.items():
            keep = key in shared or is_tensor_like(value)
            is_list = isinstance(value, list)
            copied = value if keep else list(value) if is_list else copy.deepcopy(value, memo)
            setattr(other, key, copied)
        return other


def _shapes(inputs: Any) -> Any:
    if isinstance(inputs, list | tuple):
        return [_shapes(v) for v in inputs]
    return TensorShape(inputs.shape) if hasattr(inputs, "shape") else None


def _add_once(keys: Any, items: Iterable[Any]) -> None:
    for key in (keys,) if isinstance(keys, str) else keys:
        present = get_default_graph().get_collection_ref(key)
        for item in items:
            if not any(item is p for p in present):
                present.append(item)
