"""Optimizer: what all optimizers of tf.train share.

Lives here: minimize, compute_gradients, apply_gradients, slots. Not here: the update rules
(ops/training.py), the optimizers (tf1/optimizers.py). Imports autodiff, ops and tf1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphc.autodiff.gradients import gradients
from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.dtypes import FLOAT, DType, bfloat16, float16, float32, float64, int32
from graphc.ir.faults import made_at
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1.ops_misc import group
from graphc.tf1.ops_misc import tuple as gate_all
from graphc.tf1.optimizer_slots import (
    create_filled_slot,
    create_slot,
    create_slot_with_initializer,
)
from graphc.tf1.scopes import name_scope

__all__ = ["Optimizer"]

GradsAndVars = Iterable[tuple[Any, Any]]


def ref_of(variable: Any) -> Tensor:
    """The tensor by which ops write a variable."""
    ref: Tensor = variable._as_graph_element()
    return ref


def cast_to(tensor: Tensor, dtype: DType) -> Tensor:
    return tensor if tensor.dtype is dtype else F.cast(tensor, dtype=dtype, name="Cast")


class Optimizer:
    """Base of optimizers (tf.train.Optimizer).

    A subclass of the user's own defines `_apply_dense(grad, var)`, `_apply_sparse(grad, var)` and,
    where it needs them, `_create_slots`, `_prepare` and `_finish`.

    Args:
        use_locking: accepted; updates of one run never race. name: of the scope.

    Raises:
        ValueError: no name.
    """

    GATE_NONE = 0
    GATE_OP = 1
    GATE_GRAPH = 2

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._use_locking = use_locking
        self._name = name
        self._slots: dict[str, dict[Any, Any]] = {}
        self._non_slot_dict: dict[Any, Any] = {}

    def get_name(self) -> str:
        return self._name

    # ------------------------------------------------------------ the public steps
    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Node:
        """The op that computes gradients of `loss` and applies them.

        Args:
            global_step: a variable, incremented after the updates.
            var_list: default: the trainable variables of the graph.

        Raises:
            ValueError: "No gradients provided for any variable, check your graph ...".
        """
        pairs = self.compute_gradients(
            loss, var_list, gate_gradients, aggregation_method, colocate_gradients_with_ops,
            grad_loss,
        )  # fmt: skip
        if all(g is None for g, _ in pairs):
            raise ValueError(
                "No gradients provided for any variable, check your graph for ops that do not "
                f"support gradients, between variables {[str(v) for _, v in pairs]} and loss "
                f"{loss}.{made_at(loss) if isinstance(loss, Tensor) else ''}"
            )
        return self.apply_gradients(pairs, global_step=global_step, name=name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:
        """(gradient or None, variable) pairs of sum(loss).

        Raises:
            TypeError, ValueError: `gate_gradients` unknown, no variables, dtypes that are not
            floating.
        """
        if gate_gradients not in (self.GATE_NONE, self.GATE_OP, self.GATE_GRAPH):
            raise ValueError(
                "gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, "
                f"Optimizer.GATE_GRAPH.  Not {gate_gradients}"
            )
        loss = loss() if callable(loss) and not is_tensor_like(loss) else loss
        self._assert_valid_dtypes([loss])
        if grad_loss is not None:
            self._assert_valid_dtypes([grad_loss])
        if var_list is None:
            var_list = get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES)
        variables = _flat(var_list)
        if not variables:
            raise ValueError("No variables to optimize.")
        grads = gradients(
            loss,
            [_target(v) for v in variables],
            grad_ys=grad_loss,
            gate_gradients=gate_gradients == self.GATE_OP,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )
        if gate_gradients == self.GATE_GRAPH:
            grads = list(gate_all(grads))
        pairs = list(zip(grads, variables, strict=True))
        self._assert_valid_dtypes([v for g, v in pairs if g is not None])
        return pairs

    def apply_gradients(
        self, grads_and_vars: GradsAndVars, global_step: Any = None, name: str | None = None
    ) -> Node:
        """The op that applies gradients; pairs with None are passed over.

        Raises:
            TypeError: a gradient that is no tensor. ValueError: no pairs, or only None.
        """
        pairs = [(_as_gradient(g), v) for g, v in tuple(grads_and_vars)]
        if not pairs:
            raise ValueError("No variables provided.")
        for _, v in pairs:
            _target(v)
        used = [(g, v) for g, v in pairs if g is not None]
        if not used:
            raise ValueError(
                f"No gradients provided for any variable: {[str(v) for _, v in pairs]}."
            )
        graph = ref_or_tensor(used[0][1]).graph
        with graph.as_default(), graph.control_dependencies(None):
            self._create_slots([v for _, v in used])
        with graph.as_default(), name_scope(name, self._name) as scope:
            self._prepare()
            updates = [self._update(g, v) for g, v in used]
            done = self._complete(updates, global_step, scope)
        train_ops = graph.get_collection_ref(GraphKeys.TRAIN_OP)
        if done not in train_ops:
            train_ops.append(done)
        return done

    def _update(self, grad: Any, var: Any) -> Any:
        """The update of one variable, followed by its constraint."""
        if not hasattr(var, "_as_graph_element"):
            raise NotImplementedError(f"Trying to update a Tensor {var}")
        graph = var.graph
        with graph.name_scope(f"update_{var.op.name}"), graph.colocate_with(var.op):
            if isinstance(grad, IndexedSlices):
                if getattr(var, "constraint", None) is not None:
                    raise RuntimeError("Cannot use a constraint function on a sparse variable.")
                return self._apply_sparse_duplicate_indices(grad, var)
            update = self._apply_dense(grad, var)
            if getattr(var, "constraint", None) is None:
                return update
            with graph.control_dependencies([update]):
                # a read made here sees the updated value
                return var.assign(var.constraint(var.read_value()))

    def _complete(self, updates: list[Any], global_step: Any, scope: str) -> Node:
        if global_step is None:
            return _as_node(self._finish(updates, scope))
        graph = get_default_graph()
        with graph.control_dependencies([self._finish(updates, "update")]):
            step = ref_or_tensor(global_step)
            one = convert_to_tensor(1, step.dtype, name="value")
            with graph.colocate_with(step.node):
                return F.assign_add.node(step, one, name=scope)

    # ------------------------------------------------------------ slots
    def get_slot(self, var: Any, name: str) -> Any:
        """The slot `name` of `var`, or None."""
        return self._slots.get(name, {}).get(_var_key(var))

    def get_slot_names(self) -> list[str]:
        return sorted(self._slots)

    def variables(self) -> list[Any]:
        """All variables that the optimizer made in the default graph, by name."""
        graph = get_default_graph()
        made = list(self._non_slot_variables())
        made.extend(v for slots in self._slots.values() for v in slots.values())
        return sorted((v for v in made if v.graph is graph), key=lambda v: str(v.name))

    def _slot_dict(self, slot_name: str) -> dict[Any, Any]:
        return self._slots.setdefault(slot_name, {})

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Any:
        return self._slot(var, slot_name, lambda: create_slot(var, val, op_name))

    def _get_or_make_slot_with_initializer(
        self, var: Any, initializer: Any, shape: Any, dtype: Any, slot_name: str, op_name: str
    ) -> Any:
        return self._slot(
            var,
            slot_name,
            lambda: create_slot_with_initializer(var, initializer, shape, dtype, op_name),
        )

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Any:
        return self._filled_slot(var, 0.0, slot_name, op_name)

    def _filled_slot(self, var: Any, value: float, slot_name: str, op_name: str) -> Any:
        return self._slot(var, slot_name, lambda: create_filled_slot(var, value, op_name))

    def _slot(self, var: Any, slot_name: str, make: Callable[[], Any]) -> Any:
        slots = self._slot_dict(slot_name)
        key = _var_key(var)
        if key not in slots:
            slots[key] = make()
        return slots[key]

    def _create_non_slot_variable(
        self, initial_value: Any, name: str, colocate_with: Any = None
    ) -> Any:
        """A variable of the optimizer that belongs to no one variable; one a graph."""
        from graphc.tf1.variables import Variable

        key = (name, get_default_graph())
        if key not in self._non_slot_dict:
            self._non_slot_dict[key] = Variable(initial_value, name=name, trainable=False)
        return self._non_slot_dict[key]

    def _get_non_slot_variable(self, name: str, graph: Any = None) -> Any:
        return self._non_slot_dict.get((name, graph or get_default_graph()))

    def _non_slot_variables(self) -> list[Any]:
        return list(self._non_slot_dict.values())

    # ------------------------------------------------------------ for subclasses
    def _valid_dtypes(self) -> set[DType]:
        return set(FLOAT)

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        valid = self._valid_dtypes()
        for t in tensors:
            if t.dtype not in valid:
                names = [v for v in (float32, float64, float16, bfloat16) if v in valid]
                raise ValueError(f"Invalid type {t.dtype!r} for {t.name}, expected: {names}.")

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        """Makes the slots of the variables."""

    def _prepare(self) -> None:
        """Makes the tensors of hyperparameters; called once an apply_gradients."""

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        raise NotImplementedError

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        raise NotImplementedError

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        """Rows of equal index are summed, then `_apply_sparse` gets each index once."""
        unique, at = F.unique(grad.indices, out_idx=int32)
        rows = F.unsorted_segment_sum(
            grad.values, at, F.gather(F.shape(unique), 0, axis=0, batch_dims=0)
        )
        return self._apply_sparse(IndexedSlices(rows, unique, grad.dense_shape), var)

    def _finish(self, update_ops: list[Any], name_scope: str) -> Any:
        return group(*update_ops, name=name_scope)

    def _call_if_callable(self, param: Any) -> Any:
        return param() if callable(param) and not is_tensor_like(param) else param

    def _hyper(self, value: Any, name: str) -> Tensor:
        """A hyperparameter (number, tensor, or a function of nothing) as a tensor."""
        value = self._call_if_callable(value)
        return convert_to_tensor(value, name=name)


def _flat(var_list: Any) -> list[Any]:
    if isinstance(var_list, list | tuple | set):
        return [v for item in var_list for v in _flat(item)]
    if isinstance(var_list, dict):
        return [v for key in sorted(var_list) for v in _flat(var_list[key])]
    if hasattr(var_list, "_get_variable_list"):
        return list(var_list._get_variable_list())
    return [var_list]


def _target(variable: Any) -> Tensor:
    """What to differentiate by.

    Raises:
        TypeError: "Variable is not a tf.Variable" for anything else.
    """
    if isinstance(variable, Tensor):
        return variable
    if hasattr(variable, "_as_graph_element"):
        return ref_of(variable)
    raise TypeError(f"Argument is not a tf.Variable: {variable}")


def ref_or_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else ref_of(value)


def _as_gradient(g: Any) -> Any:
    if g is None or isinstance(g, Tensor | IndexedSlices):
        return g
    try:
        return convert_to_tensor(g)
    except (TypeError, ValueError):
        raise TypeError(
            f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {g}"
        ) from None


def _as_node(value: Any) -> Node:
    node: Node = value.node if isinstance(value, Tensor) else value
    return node


def _var_key(var: Any) -> Any:
    return (var.op.graph, var.op.name)
