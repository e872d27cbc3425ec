"""The variables of one graph by their full names, as get_variable shares them.

Lives here: creation and sharing with TF1's checks and texts. Not here: scopes and what is inherited
from them (tf1/variable_scope.py).
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import is_tensor_like
from graphc.tf1.variables import Variable


@dataclass
class Request:
    """What one call of get_variable asks for, after scopes have filled in their defaults."""

    name: str
    shape: Any
    dtype: DType
    initializer: Any
    regularizer: Callable[..., Any] | None
    reuse: Any
    trainable: bool | None
    collections: Any
    validate_shape: bool
    constraint: Callable[..., Any] | None


class VariableStore:
    """Named variables of a graph."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}

    def get_variable(self, request: Request, auto_reuse: Any) -> Variable:
        """The variable of that name, shared or made as `reuse` says (semantics 13).

        Raises:
            ValueError: it exists and may not be reused, or the reverse; another shape or dtype;
            a shape that is not fully defined.
        """
        found = self.variables.get(request.name)
        if found is not None:
            return _shared(found, request, auto_reuse)
        if request.reuse is True:
            raise ValueError(
                f"Variable {request.name} does not exist, or was not created with "
                "tf.get_variable(). Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"
            )
        variable = self._create(request)
        self.variables[request.name] = variable
        if request.regularizer is not None:
            _regularize(variable, request)
        return variable

    def _create(self, request: Request) -> Variable:
        value = _initial_value(request)
        return Variable(
            initial_value=value,
            trainable=request.trainable,
            collections=request.collections,
            validate_shape=request.validate_shape,
            name=request.name,
            dtype=request.dtype,
            constraint=request.constraint,
        )


def store_of(graph: Graph) -> VariableStore:
    """The store of a graph: it dies with the graph. Bodies of loops share the outermost one's."""
    return getattr(graph, "root", graph).__dict__.setdefault("_variable_store", VariableStore())


def _shared(found: Variable, request: Request, auto_reuse: Any) -> Variable:
    name = request.name
    if request.reuse is not True and request.reuse is not auto_reuse:
        where = "".join(traceback.format_list(found.op.traceback[::-1][:3]))
        raise ValueError(
            f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or "
            f"reuse=tf.AUTO_REUSE in VarScope? Originally defined at:\n\n{where}"
        )
    if request.shape is not None:
        shape = TensorShape(request.shape)
        if not shape.is_compatible_with(found.get_shape()):
            raise ValueError(
                f"Trying to share variable {name}, but specified shape {shape} and found shape "
                f"{found.get_shape()}."
            )
    if request.dtype is not found.dtype:
        raise ValueError(
            f"Trying to share variable {name}, but specified dtype {request.dtype.name} and found "
            f"dtype {found.dtype.name}_ref."
        )
    return found


def default_initializer(name: str, shape: Any, dtype: DType) -> Any:
    """TF1's: Glorot's uniform for floats, zeros for integers, bools and strings.

    Raises:
        ValueError: another dtype.
    """
    from graphc.tf1 import initializers

    if dtype.is_floating:
        return initializers.glorot_uniform_initializer()
    if dtype.is_integer or dtype.is_bool or dtype.name == "string":
        return initializers.zeros_initializer()
    raise ValueError(f"An initializer for variable {name} of {dtype!s} is required")


def _initial_value(request: Request) -> Any:
    """A tensor or value as it is, or a function that makes the tensor when it is called."""
    initializer = request.initializer
    shape = None if request.shape is None else TensorShape(request.shape)
    if initializer is not None and not callable(initializer):
        return _constant_initial(request, initializer)
    if is_tensor_like(initializer):
        return _constant_initial(request, initializer)
    if inspect.isclass(initializer):
        initializer = initializer()
    if shape is None and initializer is not None and _takes_no_arguments(initializer):
        return initializer
    if shape is None or not shape.is_fully_defined():
        text = shape if shape is not None else "<unknown>"
        raise ValueError(
            f"Shape of a new variable ({request.name}) must be fully defined, but instead was "
            f"{text}."
        )
    if initializer is None:
        initializer = default_initializer(request.name, shape, request.dtype)
    dims = shape.as_list()
    if _takes_no_arguments(initializer):
        return initializer
    return lambda: _call(initializer, dims, request.dtype)


def _constant_initial(request: Request, value: Any) -> Any:
    if request.shape is not None:
        raise ValueError("If initializer is a constant, do not specify shape.")
    return value


def _takes_no_arguments(fn: Any) -> bool:
    try:
        return not inspect.signature(fn).parameters
    except (TypeError, ValueError):
        return False


def _call(initializer: Any, dims: list[int | None], dtype: DType) -> Any:
    """Initializers take (shape, dtype, partition_info); older functions fewer of them."""
    try:
        names = inspect.signature(initializer).parameters
    except (TypeError, ValueError):
        return initializer(dims, dtype=dtype)
    keywords = any(p.kind is p.VAR_KEYWORD for p in names.values())
    given = {"dtype": dtype, "partition_info": None}
    return initializer(dims, **{k: v for k, v in given.items() if k in names or keywords})


def _regularize(variable: Variable, request: Request) -> None:
    graph = get_default_graph()
    assert request.regularizer is not None
    with graph.colocate_with(variable), graph.name_scope(f"{request.name}/Regularizer/"):
        loss = request.regularizer(variable)
    if loss is not None:
        graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)

