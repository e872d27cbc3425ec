"""Functions on variables of tf.contrib.framework.

Lives here: variables by scope and name, model variables, assignment of many. Not here: the class
(tf1/variables.py), the global step (tf1/api_state.py). Users find these names in
graphc.contrib.framework and graphc.contrib.slim.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.contrib._arg_scope import add_arg_scope
from graphc.ir.dtypes import float32
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.tf1.ops_misc import group
from graphc.tf1.variable_scope import get_variable

Getter = Callable[..., Any]


# ------------------------------------------------------------------ making
@add_arg_scope
def variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    caching_device: Any = None,
    device: Any = None,
    partitioner: Any = None,
    custom_getter: Getter | None = None,
    use_resource: Any = None,
    **more: Any,
) -> Any:
    """get_variable with a device; always also in GLOBAL_VARIABLES unless collections are given."""
    keys = list(collections) if collections is not None else [GraphKeys.GLOBAL_VARIABLES]
    getter = custom_getter or get_variable
    with get_default_graph().device(device or ""):
        return getter(
            name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer,
            trainable=trainable, collections=list(dict.fromkeys(keys)),
            caching_device=caching_device, partitioner=partitioner, use_resource=use_resource,
            **more,
        )  # fmt: skip


@add_arg_scope
def model_variable(
    name: str,
    shape: Any = None,
    dtype: Any = float32,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    collections: Sequence[Any] | None = None,
    **more: Any,
) -> Any:
    """A variable that is also in MODEL_VARIABLES."""
    keys = [*(collections or ()), GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES]
    return variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer,
        trainable=trainable, collections=keys, **more,
    )  # fmt: skip


def local_variable(
    initial_value: Any,
    validate_shape: bool = True,
    name: str | None = None,
    use_resource: Any = None,
) -> Any:
    """A variable in LOCAL_VARIABLES that is not trained."""
    from graphc.tf1.variables import Variable

    return Variable(
        initial_value, trainable=False, collections=[GraphKeys.LOCAL_VARIABLES],
        validate_shape=validate_shape, name=name,
    )  # fmt: skip


def add_model_variable(var: Any) -> None:
    """Adds a variable to MODEL_VARIABLES once."""
    present = get_default_graph().get_collection_ref(GraphKeys.MODEL_VARIABLES)
    if not any(var is v for v in present):
        present.append(var)


# ------------------------------------------------------------------ finding
def get_variables(
    scope: Any = None, suffix: str | None = None, collection: Any = GraphKeys.GLOBAL_VARIABLES
) -> list[Any]:
    """The variables of a collection, by a prefix (or variable scope) and an end of their names."""
    prefix = getattr(scope, "name", scope)
    found = get_default_graph().get_collection(collection, prefix)
    if suffix is None:
        return found
    ending = suffix if ":" in suffix else f"{suffix}:0"
    pattern = re.compile(f"(^|.*/){re.escape(ending)}$")
    return [v for v in found if pattern.match(v.name)]


def get_model_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    return get_variables(scope, suffix, GraphKeys.MODEL_VARIABLES)


def get_local_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    return get_variables(scope, suffix, GraphKeys.LOCAL_VARIABLES)


def get_trainable_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    return get_variables(scope, suffix, GraphKeys.TRAINABLE_VARIABLES)


def get_variables_by_suffix(suffix: str, scope: Any = None) -> list[Any]:
    return get_variables(scope, suffix)


def get_variables_by_name(given_name: str, scope: Any = None) -> list[Any]:
    """The variables whose last part of the name is this."""
    return get_variables(scope, f"{given_name}")


def get_unique_variable(var_op_name: str) -> Any:
    """The variable of that full name. Raises ValueError for none or several."""
    found = [v for v in get_variables(var_op_name) if v.op.name == var_op_name]
    if not found:
        raise ValueError(f"Couldn't find variable {var_op_name}")
    if len(found) > 1:
        raise ValueError(f"Variable {var_op_name} does not uniquely identify a variable")
    return found[0]


def get_variable_full_name(var: Any) -> str:
    """The name under which checkpoints keep it."""
    return str(var.op.name)


def filter_variables(
    var_list: Sequence[Any],
    include_patterns: Sequence[str] | None = None,
    exclude_patterns: Sequence[str] | None = None,
    reg_search: bool = True,
) -> list[Any]:
    """Variables whose names match one of the first patterns (all: None) and none of the others."""
    match = re.search if reg_search else re.match

    def any_of(patterns: Sequence[str], var: Any) -> bool:
        return any(match(p, var.op.name) for p in patterns)

    kept = [v for v in var_list if not include_patterns or any_of(include_patterns, v)]
    return [v for v in kept if not exclude_patterns or not any_of(exclude_patterns, v)]


def get_variables_to_restore(
    include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> list[Any]:
    """The global variables of these scopes (all: None) without those of the others.

    Raises:
        TypeError: something else than lists of scopes.
    """
    for name, value in (("include", include), ("exclude", exclude)):
        if value is not None and not isinstance(value, list | tuple):
            raise TypeError(f"{name} is provided but is not a list or a tuple.")
    scopes: Sequence[str | None] = [None] if include is None else include
    found = [v for scope in scopes for v in get_variables(scope)]
    without = {v for scope in exclude or () for v in get_variables(scope)}
    return [v for v in dict.fromkeys(found) if v not in without]


# ------------------------------------------------------------------ assigning
def assign_from_values(var_names_to_values: Mapping[str, Any]) -> tuple[Any, dict[Any, Any]]:
    """An op that writes values into variables by name, and the feeds that it needs.

    Raises:
        ValueError: no such variable, or a value whose size differs.
    """
    from graphc.tf1.framework import placeholder

    feeds: dict[Any, Any] = {}
    writes = []
    for name, value in var_names_to_values.items():
        var = get_unique_variable(name)
        array = np.asarray(value)
        if array.size != var.shape.num_elements():
            raise ValueError(
                f"Cannot assign {array.shape} to variable {name} of shape {var.shape}."
            )
        hole = placeholder(var.dtype, var.shape, f"placeholder/{var.op.name}")
        feeds[hole] = array.reshape(var.shape.as_list())
        writes.append(var.assign(hole))
    return group(*writes), feeds


def assign_from_values_fn(var_names_to_values: Mapping[str, Any]) -> Callable[[Any], None]:
    """A function of a session that writes the values."""
    op, feeds = assign_from_values(var_names_to_values)

    def assign(session: Any) -> None:
        session.run(op, feeds)

    return assign
