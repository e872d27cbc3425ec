"""Moving averages of variables and tensors (tf.train.ExponentialMovingAverage).

Lives here: the class, assign_moving_average, weighted_moving_average. Imports ops and tf1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.ir.dtypes import DType, float32
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.ops_misc import group
from graphc.tf1.optimizer_slots import create_filled_slot, create_slot
from graphc.tf1.scopes import name_scope

__all__ = ["ExponentialMovingAverage", "assign_moving_average", "weighted_moving_average"]


def _cast(tensor: Tensor, dtype: DType) -> Tensor:
    return tensor if tensor.dtype is dtype else F.cast(tensor, dtype=dtype, name="Cast")


def assign_moving_average(
    variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None
) -> Tensor:
    """variable -= (variable - value) * (1 - decay); gives the new value.

    Args:
        zero_debias: the average is divided by 1 - decay^n after n updates, so that its start at
            zero is forgotten (Adam's correction); keeps "<variable>/biased" and "local_step".
    """
    ref = variable._as_graph_element()
    with name_scope(name, "AssignMovingAvg", [variable, value, decay]) as scope:
        rest = _cast(convert_to_tensor(1.0 - decay, name="decay"), ref.dtype)
        if zero_debias:
            delta = _zero_debias(variable, value, rest)
        else:
            delta = (ref - convert_to_tensor(value)) * rest
        return F.assign_sub(ref, delta, name=scope)


def _zero_debias(variable: Any, value: Any, rest: Tensor) -> Tensor:
    """What to subtract from `variable` so that it becomes the corrected average."""
    from graphc.tf1.variable_scope import variable_scope

    ref = variable._as_graph_element()
    graph = ref.graph
    with variable_scope(variable.op.name) as scope:
        with graph.control_dependencies(None):
            biased = _zeros(_unused(scope.name, "biased"), ref)
            step = _zeros(_unused(scope.name, "local_step"), ref, shape=())
        now = biased._as_graph_element()
        update = F.assign_sub(now, (now - convert_to_tensor(value)) * rest)
        counted = step.assign_add(convert_to_tensor(1.0, ref.dtype))
        with graph.control_dependencies([update, counted]):
            correction = 1.0 - F.pow(1.0 - rest, step.read_value())
            return ref - biased.read_value() / correction


def _zeros(name: str, like: Tensor, shape: Any = None, collections: Any = None) -> Any:
    """A variable of zeros with the dtype and shape of `like`."""
    from graphc.tf1.initializers import zeros_initializer
    from graphc.tf1.variable_scope import get_variable

    return get_variable(
        name,
        shape=like.shape if shape is None else shape,
        dtype=like.dtype,
        initializer=zeros_initializer(),
        trainable=False,
        collections=collections,
    )


def _unused(scope: str, name: str) -> str:
    """`name`, with a number where the graph has such a variable already."""
    graph = get_default_graph()
    taken = {v.op.name for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES)}
    full, number = name, 0
    while f"{scope}/{full}" in taken:
        number += 1
        full = f"{name}_{number}"
    return full


def weighted_moving_average(
    value: Any,
    decay: Any,
    weight: Any,
    truediv: bool = True,
    collections: Iterable[Any] | None = None,
    name: str | None = None,
) -> Tensor:
    """The moving average of value * weight over that of weight; updates both.

    Args:
        value, weight: tensors with static shapes. decay: the share that is kept.
    """
    from graphc.tf1.variable_scope import variable_scope

    keys = [GraphKeys.GLOBAL_VARIABLES] if collections is None else list(collections)
    value, weight = convert_to_tensor(value), convert_to_tensor(weight)
    with variable_scope(name or "WeightedMovingAvg", "WeightedMovingAvg", [value, weight]):

        def average(what: Tensor, label: str) -> Tensor:
            with what.graph.control_dependencies(None):
                variable = _zeros(label, what, collections=keys)
            return assign_moving_average(variable, what, decay, zero_debias=False)

        top, bottom = average(value * weight, "value_x_weight"), average(weight, "weight")
        return F.divide(top, bottom, name="truediv" if truediv else "div")


class ExponentialMovingAverage:
    """Keeps shadow copies that follow variables slowly (tf.train.ExponentialMovingAverage).

    shadow -= (1 - decay) * (shadow - variable). A shadow is called "<variable>/<name>".

    Args:
        decay: the share kept at each step. num_updates: with it, the decay is at most
            (1 + num_updates) / (10 + num_updates). zero_debias: for tensors, whose shadows start
            at zero; those of variables start at their initial values.
    """

    def __init__(
        self,
        decay: Any,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        self._averages: dict[Any, Any] = {}
        self._debiased: set[Any] = set()

    @property
    def name(self) -> str:
        return self._name

    def apply(self, var_list: Iterable[Any] | None = None) -> Node:
        """The op that updates the shadows of `var_list` (default: the trainable variables).

        Raises:
            TypeError: "The variables must be half, float, or double: ...".
        """
        graph = get_default_graph()
        if var_list is None:
            var_list = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)
        variables = list(var_list)
        for var in variables:
            if not var.dtype.is_floating:
                raise TypeError(f"The variables must be half, float, or double: {var.name}")
            if var not in self._averages:
                self._averages[var] = self._shadow(var)
        with name_scope(self._name) as scope:
            decay = self._current_decay()
            updates = [
                assign_moving_average(
                    self._averages[v], v, decay, zero_debias=self._averages[v] in self._debiased
                )
                for v in variables
            ]
            return group(*updates, name=scope)

    def _current_decay(self) -> Tensor:
        decay = convert_to_tensor(self._decay, name="decay")
        if self._num_updates is None:
            return decay
        count = _cast(convert_to_tensor(self._num_updates), float32)
        limit = (1.0 + count) / (10.0 + count)
        return F.minimum(decay, _cast(limit, decay.dtype))

    def _shadow(self, var: Any) -> Any:
        with var.graph.control_dependencies(None):
            if hasattr(var, "initialized_value"):
                shadow = create_slot(var, var.initialized_value(), self._name)
                var.graph.add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, var)
                return shadow
            shadow = create_filled_slot(var, 0.0, self._name)
            if self._zero_debias:
                self._debiased.add(shadow)
            return shadow

    def average(self, var: Any) -> Any:
        """The shadow variable of `var`, or None."""
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        """The name under which the shadow of `var` is saved, whether or not it exists yet."""
        if var in self._averages:
            return str(self._averages[var].op.name)
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Any = None) -> dict[str, Any]:
        """Names to variables for a Saver that restores shadows into the variables themselves."""
        graph = get_default_graph()
        if moving_avg_variables is None:
            averaged = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)
            averaged += graph.get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES)
        else:
            averaged = list(moving_avg_variables)
        averaged = list(dict.fromkeys(averaged))
        names = {self.average_name(v): v for v in averaged}
        covered = {v.name for v in averaged}
        for v in dict.fromkeys(graph.get_collection(GraphKeys.GLOBAL_VARIABLES)):
            if v.name not in covered and v.op.name not in names:
                names[v.op.name] = v
        return names
