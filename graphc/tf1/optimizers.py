"""The optimizers of tf.train, as thin choices of slots and hyperparameters.

Lives here: GradientDescent, Momentum, Adam, Adagrad, Adadelta, RMSProp. Not here: their arithmetic
(ops/training.py), those for linear models (tf1/optimizers_linear.py). Imports tf1.optimizer_base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F
from graphc.tf1.ops_misc import group
from graphc.tf1.optimizer_base import Optimizer, cast_to, ref_of

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "GradientDescentOptimizer",
    "MomentumOptimizer",
    "RMSPropOptimizer",
]


class RecordOptimizer(Optimizer):
    """An optimizer whose update is one apply op: `apply_<record>` and `sparse_apply_<record>`."""

    record = ""

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        """The op's inputs by name: slots as variables, hyperparameters as tensors."""
        raise NotImplementedError

    def _attrs(self) -> dict[str, Any]:
        return {}

    def _record(self) -> str:
        return self.record

    def _apply_dense(self, grad: Tensor, var: Any) -> Node:
        op = getattr(F, f"apply_{self._record()}")
        return op.node(*self._arguments(op.args, grad, var), **self._attrs())

    def _resource_apply_dense(self, grad: Tensor, var: Any) -> Node:
        return self._apply_dense(grad, var)

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        # the sparse op joins duplicate rows itself
        return self._apply_sparse(grad, var)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Node:
        op = getattr(F, f"sparse_apply_{self._record()}")
        names = op.args[:-1]
        return op.node(*self._arguments(names, grad.values, var), grad.indices, **self._attrs())

    def _arguments(self, names: Sequence[str], grad: Tensor, var: Any) -> list[Tensor]:
        given = {"var": var, "grad": grad, "delta": grad, **self._inputs(var)}
        return [self._argument(given[n], n, var) for n in names]

    def _argument(self, value: Any, name: str, var: Any) -> Tensor:
        if not isinstance(value, Tensor):
            value = ref_of(value)
        return value if name == "global_step" else cast_to(value, var.dtype)


class GradientDescentOptimizer(RecordOptimizer):
    """var -= learning_rate * gradient (tf.train.GradientDescentOptimizer)."""

    record = "gradient_descent"

    def __init__(
        self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent"
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._hyper(self._learning_rate, "learning_rate")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {"alpha": self._learning_rate_tensor}


class MomentumOptimizer(RecordOptimizer):
    """accum = momentum * accum + gradient; var -= learning_rate * accum.

    use_nesterov: var -= learning_rate * (gradient + momentum * accum) (Sutskever et al. 2013).
    """

    record = "momentum"

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._use_nesterov = use_nesterov

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._hyper(self._learning_rate, "learning_rate")
        self._momentum_tensor = self._hyper(self._momentum, "momentum")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {
            "accum": self.get_slot(var, "momentum"),
            "lr": self._learning_rate_tensor,
            "momentum": self._momentum_tensor,
        }

    def _attrs(self) -> dict[str, Any]:
        return {"use_nesterov": bool(self._use_nesterov)}


class AdamOptimizer(RecordOptimizer):
    """Adam (Kingma and Ba 2014), with "epsilon hat" as TF1 has it.

    lr_t = learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t); var -= lr_t * m / (sqrt(v) + epsilon).
    Sparse gradients decay all of m and v, as dense ones with zeros would.
    """

    record = "adam"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon

    def _get_beta_accumulators(self) -> tuple[Any, Any]:
        return (
            self._get_non_slot_variable("beta1_power"),
            self._get_non_slot_variable("beta2_power"),
        )

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        beta1, beta2 = self._call_if_callable(self._beta1), self._call_if_callable(self._beta2)
        self._create_non_slot_variable(beta1, "beta1_power", first)
        self._create_non_slot_variable(beta2, "beta2_power", first)
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._hyper(self._lr, "learning_rate")
        self._beta1_t = self._hyper(self._beta1, "beta1")
        self._beta2_t = self._hyper(self._beta2, "beta2")
        self._epsilon_t = self._hyper(self._epsilon, "epsilon")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        beta1_power, beta2_power = self._get_beta_accumulators()
        return {
            "m": self.get_slot(var, "m"),
            "v": self.get_slot(var, "v"),
            "beta1_power": beta1_power,
            "beta2_power": beta2_power,
            "lr": self._lr_t,
            "beta1": self._beta1_t,
            "beta2": self._beta2_t,
            "epsilon": self._epsilon_t,
        }

    def _attrs(self) -> dict[str, Any]:
        return {"use_nesterov": False}

    def _finish(self, update_ops: list[Any], name_scope: str) -> Any:
        # once for all variables, after their updates have used the old powers
        beta1_power, beta2_power = self._get_beta_accumulators()
        with beta1_power.graph.control_dependencies(update_ops):
            powers = [
                beta1_power.assign(beta1_power * self._beta1_t),
                beta2_power.assign(beta2_power * self._beta2_t),
            ]
        return group(*update_ops, *powers, name=name_scope)


class AdagradOptimizer(RecordOptimizer):
    """Adagrad (Duchi et al. 2011): accum += g^2; var -= learning_rate * g / sqrt(accum).

    Raises:
        ValueError: initial_accumulator_value is not positive.
    """

    record = "adagrad"

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(
                f"initial_accumulator_value must be positive: {initial_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_accumulator_value = initial_accumulator_value

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._filled_slot(v, self._initial_accumulator_value, "accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._hyper(self._learning_rate, "learning_rate")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {"accum": self.get_slot(var, "accumulator"), "lr": self._learning_rate_tensor}


class AdadeltaOptimizer(RecordOptimizer):
    """Adadelta (Zeiler 2012)."""

    record = "adadelta"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._rho = rho
        self._epsilon = epsilon

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "accum", self._name)
            self._zeros_slot(v, "accum_update", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._hyper(self._lr, "lr")
        self._rho_t = self._hyper(self._rho, "rho")
        self._epsilon_t = self._hyper(self._epsilon, "epsilon")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {
            "accum": self.get_slot(var, "accum"),
            "accum_update": self.get_slot(var, "accum_update"),
            "lr": self._lr_t,
            "rho": self._rho_t,
            "epsilon": self._epsilon_t,
        }


class RMSPropOptimizer(RecordOptimizer):
    """RMSProp (Hinton, lecture 6): epsilon inside the root, mean square starts at one.

    centered: divides by the standard deviation instead (Graves 2013).
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._decay = decay
        self._momentum = momentum
        self._epsilon = epsilon
        self._centered = centered

    def _record(self) -> str:
        return "centered_rms_prop" if self._centered else "rms_prop"

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._filled_slot(v, 1.0, "rms", self._name)
            if self._centered:
                self._zeros_slot(v, "mg", self._name)
            self._zeros_slot(v, "momentum", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._hyper(self._learning_rate, "learning_rate")
        self._decay_tensor = self._hyper(self._decay, "decay")
        self._momentum_tensor = self._hyper(self._momentum, "momentum")
        self._epsilon_tensor = self._hyper(self._epsilon, "epsilon")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        mg = {"mg": self.get_slot(var, "mg")} if self._centered else {}
        return {
            **mg,
            "ms": self.get_slot(var, "rms"),
            "mom": self.get_slot(var, "momentum"),
            "lr": self._learning_rate_tensor,
            "rho": self._decay_tensor,
            "momentum": self._momentum_tensor,
            "epsilon": self._epsilon_tensor,
        }
