"""Variable: TF1's tf.Variable over the `variable` record.

Lives here: the class, its conversion to a tensor, initial values that depend on other variables.
Not here: get_variable and scopes (tf1/variable_scope.py), functions on lists of variables
(tf1/api_state.py). Imports ops and ir; values live in sessions, never here.

A Variable stands for its node's output, the "ref": which version of the value a reader sees is
decided when a run is planned (the start of the run, unless data or control dependencies put an
assignment before the reader).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops import operators
from graphc.ops.convert import convert_to_tensor, register_tensor_conversion_function
from graphc.ops.define import F
from graphc.ops.function import BodyGraph, lifted
from graphc.tf1.scopes import name_scope


@dataclass
class VariableDef:
    """What a MetaGraph stores of a variable: names of its nodes."""

    variable_name: str = ""
    initial_value_name: str = ""
    initializer_name: str = ""
    snapshot_name: str = ""
    trainable: bool = True


class Variable:
    """A value that is kept between runs, one for each session (tf.Variable).

    Args:
        initial_value: a tensor, a value, or a function without arguments that returns one.
        trainable: also add it to TRAINABLE_VARIABLES. collections: default GLOBAL_VARIABLES.
        validate_shape: False leaves the static shape unknown; any shape can be assigned then.
        name: made unique; default "Variable". dtype: default that of the initial value.
        variable_def: rebuild from the names in it instead. constraint: projection that
            optimizers apply after an update. caching_device, expected_shape, use_resource,
            synchronization, aggregation: accepted, without effect.

    Raises:
        ValueError: no initial value, or one without a full shape while validate_shape.
    """

    __array_priority__ = 100

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = True,
        collections: Iterable[Any] | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Callable[..., Any] | None = None,
        use_resource: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        if variable_def is not None:
            if initial_value is not None:
                raise ValueError("variable_def and initial_value are mutually exclusive.")
            self._rebuild(variable_def, import_scope)
            return
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        if constraint is not None and not callable(constraint):
            raise ValueError("The `constraint` argument must be a callable.")
        self._trainable = True if trainable is None else bool(trainable)
        self._constraint = constraint
        self._save_slice_info: Any = None
        keys = _collection_keys(collections, self._trainable)
        with lifted() as graph, graph.control_dependencies(None):
            self._build(initial_value, validate_shape, name, dtype, shape)
        _variables_of(graph)[self._variable.node] = self
        graph.add_to_collections(keys, self)

    def _build(
        self, initial_value: Any, validate_shape: bool, name: str | None, dtype: Any, shape: Any
    ) -> None:
        want = as_dtype(dtype) if dtype is not None else None
        scope_values = [] if callable(initial_value) else [initial_value]
        with name_scope(name, "Variable", scope_values) as scope:
            value = _initial_tensor(initial_value, want)
            if isinstance(value.graph, BodyGraph):
                raise ValueError(
                    f"Initializer for variable {scope} is from inside a control-flow construct, "
                    "such as a loop or conditional. When creating a variable inside a loop or "
                    "conditional, use a lambda as the initializer."
                )
            dims = value.dims if shape is None else TensorShape(shape).dims_tuple
            if validate_shape and (dims is None or None in dims):
                raise ValueError(f"initial_value must have a shape specified: {value}")
            node = value.graph.create_node(
                F.variable,
                (),
                {
                    "dtype": value.dtype,
                    "shape": dims if validate_shape else None,
                    "container": "",
                    "shared_name": "",
                },
                scope,
            )
            self._variable: Tensor = node.outputs[0]
            self._initial_value = value
            with value.graph.colocate_with(node):
                self._initializer: Node = F.assign.node(
                    self._variable,
                    _guarded(value, node.name),
                    name="Assign",
                    validate_shape=validate_shape,
                )
                self._snapshot: Tensor = F.identity(self._variable, name="read")

    def _rebuild(self, definition: Any, import_scope: str | None) -> None:
        graph = get_default_graph()
        prefix = f"{import_scope}/" if import_scope else ""

        def find(name: str) -> Any:
            return graph.as_graph_element(prefix + name)

        self._variable = find(definition.variable_name)
        self._initializer = find(definition.initializer_name)
        self._snapshot = find(definition.snapshot_name)
        initial = definition.initial_value_name
        self._initial_value = find(initial) if initial else self._initializer.inputs[1]
        self._trainable = definition.trainable
        self._constraint = None
        self._save_slice_info = None
        _variables_of(graph)[self._variable.node] = self

    # ------------------------------------------------------------ what it is
    @property
    def name(self) -> str:
        return self._variable.name

    @property
    def _shared_name(self) -> str:
        return self._variable.node.name

    @property
    def op(self) -> Node:
        return self._variable.node

    @property
    def graph(self) -> Graph:
        return self._variable.graph

    @property
    def device(self) -> str:
        return self._variable.device

    @property
    def dtype(self) -> DType:
        return self._variable.dtype

    @property
    def shape(self) -> TensorShape:
        return self._variable.shape

    def get_shape(self) -> TensorShape:
        return self._variable.shape

    def set_shape(self, shape: Any) -> None:
        """Refines the static shape. Raises ValueError where it conflicts."""
        self._variable.set_shape(shape)
        self._snapshot.set_shape(shape)

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def constraint(self) -> Callable[..., Any] | None:
        return self._constraint

    @property
    def initializer(self) -> Node:
        """The op that assigns the initial value."""
        return self._initializer

    @property
    def initial_value(self) -> Tensor:
        return self._initial_value

    # ------------------------------------------------------------ reading
    def value(self) -> Tensor:
        """The last snapshot: the tensor "<name>/read", made with the variable."""
        return self._snapshot

    def read_value(self) -> Tensor:
        """A new read here: it follows the control dependencies in force."""
        return F.identity(self._variable, name="read")

    def initialized_value(self) -> Tensor:
        """The value, or the initial value where the variable is not initialised yet."""
        with self.graph.control_dependencies(None):
            return F.initialized_value(self._variable, self._initializer.inputs[1])

    def _ref(self) -> Tensor:
        return self._variable

    def _as_graph_element(self) -> Tensor:
        return self._variable

    def eval(self, session: Any = None) -> Any:
        """The value in `session` or the default session, as a NumPy value."""
        return self._variable.eval(session=session)

    # ------------------------------------------------------------ writing
    def assign(
        self,
        value: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Any:
        """An op that writes `value`; its output is the new value.

        Raises:
            ValueError: shapes that differ.
        """
        return self._write(F.assign, value, name, read_value)

    def assign_add(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Any:
        return self._write(F.assign_add, delta, name, read_value)

    def assign_sub(
        self,
        delta: Any,
        use_locking: bool = False,
        name: str | None = None,
        read_value: bool = True,
    ) -> Any:
        return self._write(F.assign_sub, delta, name, read_value)

    def _write(self, record: Any, value: Any, name: str | None, read_value: bool) -> Any:
        node = record.node(self._variable, value, name=name, **self._write_attrs(record))
        return node.outputs[0] if read_value else node

    def _write_attrs(self, record: Any) -> dict[str, Any]:
        # a variable of unknown shape takes any value
        loose = record is F.assign and not self._initializer.attrs.get("validate_shape", True)
        return {"validate_shape": False} if loose else {}

    def load(self, value: Any, session: Any = None) -> None:
        """Writes a Python or NumPy value into `session` or the default session.

        Raises:
            ValueError: no session.
        """
        from graphc.session import get_default_session

        session = session or get_default_session()
        if session is None:
            raise ValueError(
                "Either session argument should be provided or default session should be "
                "established"
            )
        session.run(self._initializer, {self._initializer.inputs[1]: value})

    def count_up_to(self, limit: int) -> Tensor:
        """Adds one and gives the value before.

        Raises (when run):
            OutOfRangeError: the value is `limit` already.
        """
        from graphc.tf1.api_state import count_up_to

        return count_up_to(self, limit)

    def _scatter(self, kind: str, sparse_delta: Any, name: str | None) -> Any:
        if not (hasattr(sparse_delta, "indices") and hasattr(sparse_delta, "values")):
            raise ValueError(f"sparse_delta is not IndexedSlices: {sparse_delta}")
        record = getattr(F, f"scatter_{kind}")
        return record(self._variable, sparse_delta.indices, sparse_delta.values, name=name)

    def scatter_add(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        return self._scatter("add", sparse_delta, name)

    def scatter_sub(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        return self._scatter("sub", sparse_delta, name)

    def scatter_update(
        self, sparse_delta: Any, use_locking: bool = False, name: str | None = None
    ) -> Any:
        return self._scatter("update", sparse_delta, name)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        return F.scatter_nd_add(self._variable, indices, updates, name=name)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        return F.scatter_nd_sub(self._variable, indices, updates, name=name)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        return F.scatter_nd_update(self._variable, indices, updates, name=name)

    # ------------------------------------------------------------ stored form
    def to_proto(self, export_scope: str | None = None) -> VariableDef | None:
        """The names of its nodes below `export_scope`; None where it is not in that scope."""
        prefix = f"{export_scope}/" if export_scope else ""
        if not self.name.startswith(prefix):
            return None
        cut = len(prefix)
        return VariableDef(
            self._variable.name[cut:],
            self._initial_value.name[cut:],
            self._initializer.name[cut:],
            self._snapshot.name[cut:],
            self._trainable,
        )

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
        return Variable(variable_def=variable_def, import_scope=import_scope)

    # ------------------------------------------------------------ Python protocols
    def __hash__(self) -> int:
        return id(self) >> 4

    def __eq__(self, other: object) -> bool:
        # identity, as for tensors: variables are keys of dictionaries
        return self is other

    def __iter__(self) -> Any:
        raise TypeError("'Variable' object is not iterable.")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        raise NotImplementedError(
            f"Cannot convert a symbolic Variable ({self.name}) to a numpy array."
        )

    def __repr__(self) -> str:
        return f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}_ref>"


operators.install(Variable, Variable._ref)

# variables are created under either name in scripts
RefVariable = Variable


def _collection_keys(collections: Any, trainable: bool) -> list[Any]:
    if collections is None:
        collections = [GraphKeys.GLOBAL_VARIABLES]
    if not isinstance(collections, list | tuple | set):
        raise ValueError(
            "collections argument to Variable constructor must be a list, tuple, or set. Got "
            f"{collections} of type {type(collections)}"
        )
    keys = list(collections)
    if trainable and GraphKeys.TRAINABLE_VARIABLES not in keys:
        keys.append(GraphKeys.TRAINABLE_VARIABLES)
    return keys


def _initial_tensor(initial_value: Any, dtype: DType | None) -> Tensor:
    graph = get_default_graph()
    if not callable(initial_value) or isinstance(initial_value, Tensor | Variable):
        return convert_to_tensor(initial_value, dtype, name="initial_value")
    with graph.name_scope("Initializer"), graph.device(None):
        return convert_to_tensor(initial_value(), dtype, name="initial_value")


def _variables_of(graph: Graph) -> dict[Node, Variable]:
    """The graph's Variable objects by their nodes; the table dies with the graph."""
    return graph.__dict__.setdefault("_variables_of", {})


def variable_of(tensor_or_node: Any) -> Variable | None:
    """The Variable object of a variable's node or tensor, else None."""
    node = tensor_or_node.node if isinstance(tensor_or_node, Tensor) else tensor_or_node
    return node.graph.__dict__.get("_variables_of", {}).get(node)


# ------------------------------------------------------------------ dependent initial values
_GUARDS = frozenset({"initialized_value", "is_variable_initialized"})


def _guarded(value: Tensor, new_name: str) -> Tensor:
    """The initial value with reads of other variables replaced by their initialized values.

    `tf.Variable(w * 2)` then gives the same whether or not w was initialised before
    (semantics 49).
    """
    order, dirty = _readers_of_variables(value)
    if not dirty:
        return value
    made: dict[Tensor, Tensor] = {}
    for node in order:
        if node not in dirty:
            continue
        if node.op.name == "variable":
            source = variable_of(node)
            if source is not None:
                made[node.outputs[0]] = source.initialized_value()
            continue
        inputs = [made.get(t, t) for t in node.inputs]
        name = f"{node.name}_{new_name}".replace("/", "_")
        copy = node.graph.create_node(node.op, inputs, node.attrs, name)
        made.update(zip(node.outputs, copy.outputs, strict=True))
    return made.get(value, value)


def _readers_of_variables(value: Tensor) -> tuple[list[Node], set[Node]]:
    """The ancestors in creation order, and those that read an unguarded variable."""
    seen: set[Node] = set()
    stack = [value.node]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op.name not in _GUARDS and not node.op.refs:
            stack.extend(t.node for t in node.inputs)
    order = sorted(seen, key=lambda n: n.id)
    dirty: set[Node] = set()
    for node in order:
        if node.op.name in _GUARDS or node.op.refs:
            continue
        if node.op.name == "variable" or any(t.node in dirty for t in node.inputs):
            dirty.add(node)
    return order, dirty


def _to_tensor(variable: Variable, dtype: DType | None) -> Tensor:
    if dtype is not None and dtype is not variable.dtype:
        raise ValueError(
            f"Incompatible type conversion requested to type '{dtype.name}' for variable of "
            f"type '{variable.dtype.name}_ref'"
        )
    return variable._ref()


register_tensor_conversion_function(Variable, _to_tensor)
