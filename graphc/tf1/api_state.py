"""Functions on variables: lists of them, their initialisers, assignments, the global step.

Lives here: tf.global_variables, tf.assign and their kin, tf.train.*global_step. Not here: the
class (tf1/variables.py), scatter updates (tf1/api_scatter and array functions). Imports ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dtypes import int64
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import constant_tensor
from graphc.ops.define import F
from graphc.tf1.ops_misc import group
from graphc.tf1.variables import Variable

__all__ = [
    "all_variables", "assert_global_step", "assert_variables_initialized", "assign", "assign_add",
    "assign_sub", "count_up_to", "create_global_step", "get_global_step",
    "get_or_create_global_step", "global_step", "global_variables", "global_variables_initializer",
    "initialize_all_variables", "initialize_local_variables", "initialize_variables",
    "is_variable_initialized", "local_variables", "local_variables_initializer",
    "model_variables", "moving_average_variables", "report_uninitialized_variables",
    "trainable_variables", "variables_initializer",
]  # fmt: skip


# ------------------------------------------------------------------ lists
def global_variables(scope: str | None = None) -> list[Any]:
    """The variables of GLOBAL_VARIABLES in order of creation; `scope` filters by name prefix."""
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


def all_variables() -> list[Any]:
    """Deprecated name of global_variables."""
    return global_variables()


def local_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.LOCAL_VARIABLES, scope)


def model_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


def moving_average_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


# ------------------------------------------------------------------ initialising
def variables_initializer(var_list: Sequence[Any], name: str = "init") -> Node:
    """An op that runs the initializers of these variables."""
    return group(*[v.initializer for v in var_list], name=name)


def global_variables_initializer() -> Node:
    """An op that initialises the global variables made so far."""
    return variables_initializer(global_variables())


def local_variables_initializer() -> Node:
    return variables_initializer(local_variables())


def initialize_variables(var_list: Sequence[Any], name: str = "init") -> Node:
    """Deprecated name of variables_initializer."""
    return variables_initializer(var_list, name=name)


def initialize_all_variables() -> Node:
    """Deprecated name of global_variables_initializer."""
    return global_variables_initializer()


def initialize_local_variables() -> Node:
    """Deprecated name of local_variables_initializer."""
    return local_variables_initializer()


def is_variable_initialized(variable: Any) -> Tensor:
    """A bool scalar: whether the session holds a value of the variable."""
    return F.is_variable_initialized(_ref(variable, "IsVariableInitialized"))


def report_uninitialized_variables(
    var_list: Sequence[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """Names (a 1-D string tensor) of the variables that are not initialised.

    Args:
        var_list: default all global and local variables.
    """
    if var_list is None:
        var_list = global_variables() + local_variables()
    graph = get_default_graph()
    with graph.name_scope(name):
        flags = [is_variable_initialized(v) for v in var_list]
        names = tuple(v.op.name for v in var_list)
        node = graph.create_node(F.uninitialized_names, flags, {"names": names}, "Names")
    return node.outputs[0]


def assert_variables_initialized(var_list: Sequence[Any] | None = None) -> Tensor | None:
    """A bool tensor whose run fails where a variable is not initialised; None for no variables.

    Raises (when run):
        FailedPreconditionError: "Attempting to use uninitialized value ...".
    """
    if var_list is None:
        var_list = global_variables() + local_variables()
    if not var_list:
        return None
    flags = [is_variable_initialized(v) for v in var_list]
    return F.require_initialized(*flags, names=tuple(v.op.name for v in var_list))


# ------------------------------------------------------------------ writing
def _ref(value: Any, op: str) -> Tensor:
    """The ref behind a Variable, or a tensor that is one (also another assignment's output)."""
    tensor = value._ref() if isinstance(value, Variable) else value
    if isinstance(tensor, Tensor) and (tensor.node.op.name == "variable" or tensor.node.op.refs):
        return tensor
    raise TypeError(f"Input 'ref' of '{op}' Op requires l-value input, got {value!r}")


def _write(record: Any, ref: Any, value: Any, name: str | None, **attrs: Any) -> Tensor:
    return record(_ref(ref, record.tf), value, name=name, **attrs)


def assign(
    ref: Any,
    value: Any,
    validate_shape: bool | None = None,
    use_locking: bool | None = None,
    name: str | None = None,
) -> Tensor:
    """Writes `value` to a variable (tf.assign); the output is the new value.

    Raises:
        ValueError: shapes differ and validate_shape is not False.
        TypeError: `ref` is not a variable, or dtypes differ.
    """
    attrs: dict[str, Any] = {}
    if validate_shape is False or (validate_shape is None and _ref(ref, "Assign").dims is None):
        attrs["validate_shape"] = False
    return _write(F.assign, ref, value, name, **attrs)


def assign_add(
    ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None
) -> Tensor:
    """Adds `value` to a variable (tf.assign_add); the output is the new value."""
    return _write(F.assign_add, ref, value, name)


def assign_sub(
    ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None
) -> Tensor:
    """Subtracts `value` from a variable (tf.assign_sub); the output is the new value."""
    return _write(F.assign_sub, ref, value, name)


def count_up_to(ref: Any, limit: int, name: str | None = None) -> Tensor:
    """Adds one to an integer variable and gives its value before (tf.count_up_to).

    Raises (when run):
        OutOfRangeError: "Reached limit of ...".
    """
    target = _ref(ref, "CountUpTo")
    graph = target.graph
    with graph.name_scope(name or "CountUpTo"):
        before = F.count_limit(target, limit=int(limit))
        after = F.add(before, constant_tensor(1, target.dtype, graph=graph))
        written = F.assign(target, after)
        with graph.control_dependencies([written]):
            return F.identity(before)


# ------------------------------------------------------------------ the global step
def get_global_step(graph: Graph | None = None) -> Any:
    """The variable in GLOBAL_STEP, or the tensor "global_step:0", or None.

    Raises:
        TypeError: it is not an integer scalar. ValueError: several in the collection.
    """
    graph = graph or get_default_graph()
    found = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(found) > 1:
        raise ValueError("Multiple tensors in global_step collection.")
    if found:
        step = found[0]
    else:
        try:
            step = graph.get_tensor_by_name("global_step:0")
        except KeyError:
            return None
    assert_global_step(step)
    return step


def create_global_step(graph: Graph | None = None) -> Any:
    """A new int64 variable "global_step", not trainable, starting at 0.

    Raises:
        ValueError: there is one already.
    """
    from graphc.tf1.initializers import zeros_initializer
    from graphc.tf1.variable_scope import get_variable

    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default(), graph.name_scope(None):
        return get_variable(
            GraphKeys.GLOBAL_STEP,
            shape=[],
            dtype=int64,
            initializer=zeros_initializer(),
            trainable=False,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )


def get_or_create_global_step(graph: Graph | None = None) -> Any:
    graph = graph or get_default_graph()
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


def assert_global_step(global_step_tensor: Any) -> None:
    """Raises TypeError or ValueError where it is not an integer scalar."""
    if not (isinstance(global_step_tensor, Variable | Tensor)):
        raise TypeError(
            f'Existing "global_step" must be a Variable or Tensor: {global_step_tensor}.'
        )
    if not global_step_tensor.dtype.is_integer:
        raise TypeError(
            f'Existing "global_step" does not have integer type: {global_step_tensor.dtype}'
        )
    shape = global_step_tensor.get_shape()
    if shape.ndims != 0 and shape.is_fully_defined():
        raise TypeError(f'Existing "global_step" is not scalar: {shape}')


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The step's value in a session, as an int (tf.train.global_step)."""
    return int(sess.run(global_step_tensor))
