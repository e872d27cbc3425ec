"""The optimizers of tf.contrib.opt.

Lives here: AdaMax, Nadam, LazyAdam, AddSign, PowerSign, decoupled weight decay (AdamW, MomentumW).
Not here: their arithmetic (ops/training.py). Imports tf1.optimizers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.ops_misc import group
from graphc.tf1.optimizer_base import Optimizer, cast_to, ref_of
from graphc.tf1.optimizers import AdamOptimizer, MomentumOptimizer, RecordOptimizer

__all__ = [
    "AdaMaxOptimizer",
    "AdamWOptimizer",
    "AddSignOptimizer",
    "DecoupledWeightDecayExtension",
    "LazyAdamOptimizer",
    "MomentumWOptimizer",
    "NadamOptimizer",
    "PowerSignOptimizer",
    "extend_with_decoupled_weight_decay",
]


class AdaMaxOptimizer(AdamOptimizer):
    """Adam with the infinity norm (Kingma and Ba 2014, section 7.1); sparse gradients are lazy."""

    record = "adamax"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "AdaMax",
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def _get_beta_accumulators(self) -> tuple[Any, Any]:
        return self._get_non_slot_variable("beta1_power"), None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(
            self._call_if_callable(self._beta1), "beta1_power", first
        )
        for v in var_list:
            self._zeros_slot(v, "m", self._name)
            self._zeros_slot(v, "v", self._name)

    def _attrs(self) -> dict[str, Any]:
        return {}

    def _finish(self, update_ops: list[Any], name_scope: str) -> Any:
        power, _ = self._get_beta_accumulators()
        with power.graph.control_dependencies(update_ops):
            update = power.assign(power * self._beta1_t)
        return group(*update_ops, update, name=name_scope)


class NadamOptimizer(AdamOptimizer):
    """Adam with Nesterov momentum (Dozat 2016)."""

    def _attrs(self) -> dict[str, Any]:
        return {"use_nesterov": True}


class LazyAdamOptimizer(AdamOptimizer):
    """Adam whose sparse updates touch only the rows of the gradient."""

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Node:
        op = F.sparse_apply_lazy_adam
        return op.node(
            *self._arguments(op.args[:-1], grad.values, var), grad.indices, use_nesterov=False
        )


class _SignOptimizer(RecordOptimizer):
    """Steps scaled by whether gradient and moving average agree in sign (Bello et al. 2017)."""

    def __init__(
        self,
        learning_rate: Any,
        beta: Any,
        sign_decay_fn: Callable[[Any], Any] | None,
        use_locking: bool,
        name: str,
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._beta = beta
        self._sign_decay_fn = sign_decay_fn

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: str | None = None
    ) -> Node:
        self._sign_decay: Any = 1.0
        if self._sign_decay_fn is not None:
            if global_step is None:
                raise ValueError("global_step is required for a sign_decay_fn.")
            self._sign_decay = self._sign_decay_fn(global_step)
        return super().apply_gradients(grads_and_vars, global_step, name)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "m", self._name)

    def _prepare(self) -> None:
        self._lr_t = self._hyper(self._lr, "learning_rate")
        self._beta_t = self._hyper(self._beta, "beta")
        self._decay_t = self._hyper(self._sign_decay, "sign_decay")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {
            "m": self.get_slot(var, "m"),
            "lr": self._lr_t,
            "sign_decay": self._decay_t,
            "beta": self._beta_t,
        }


class AddSignOptimizer(_SignOptimizer):
    """var -= lr * (alpha + decay * sign(g) * sign(m)) * g."""

    record = "add_sign"

    def __init__(
        self,
        learning_rate: Any = 0.1,
        alpha: Any = 1.0,
        beta: Any = 0.9,
        sign_decay_fn: Callable[[Any], Any] | None = None,
        use_locking: bool = False,
        name: str = "AddSignOptimizer",
    ) -> None:
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._alpha = alpha

    def _prepare(self) -> None:
        super()._prepare()
        self._alpha_t = self._hyper(self._alpha, "alpha")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {**super()._inputs(var), "alpha": self._alpha_t}


class PowerSignOptimizer(_SignOptimizer):
    """var -= lr * base ^ (decay * sign(g) * sign(m)) * g."""

    record = "power_sign"

    def __init__(
        self,
        learning_rate: Any = 0.1,
        base: float = 2.718281828459045,
        beta: Any = 0.9,
        sign_decay_fn: Callable[[Any], Any] | None = None,
        use_locking: bool = False,
        name: str = "PowerSignOptimizer",
    ) -> None:
        super().__init__(learning_rate, beta, sign_decay_fn, use_locking, name)
        self._base = base

    def _prepare(self) -> None:
        super()._prepare()
        self._logbase_t = F.log(self._hyper(self._base, "base"), name="logbase")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {**super()._inputs(var), "logbase": self._logbase_t}


# ------------------------------------------------------------------ decoupled weight decay
class DecoupledWeightDecayExtension(Optimizer):
    """var -= weight_decay * var before each update (Loshchilov and Hutter 2017); a mixin.

    Args:
        weight_decay: a number, a tensor, or a function of nothing. All variables decay, or those
            of `decay_var_list` in minimize and apply_gradients.
    """

    def __init__(self, weight_decay: Any, **kwargs: Any) -> None:
        self._decay_var_list: set[Any] | None = None
        self._weight_decay = weight_decay
        super().__init__(**kwargs)

    def minimize(self, *args: Any, decay_var_list: Any = None, **kwargs: Any) -> Node:
        self._decay_var_list = set(decay_var_list) if decay_var_list else None
        return super().minimize(*args, **kwargs)

    def apply_gradients(
        self,
        grads_and_vars: Any,
        global_step: Any = None,
        name: str | None = None,
        decay_var_list: Any = None,
    ) -> Node:
        if decay_var_list:
            self._decay_var_list = set(decay_var_list)
        return super().apply_gradients(grads_and_vars, global_step, name)

    def _prepare(self) -> None:
        decay = self._call_if_callable(self._weight_decay)
        self._weight_decay_tensor: Tensor = convert_to_tensor(decay, name="weight_decay")
        super()._prepare()

    def _decayed(self, var: Any) -> list[Node]:
        """The op that shrinks `var`, where it decays."""
        if self._decay_var_list is not None and var not in self._decay_var_list:
            return []
        ref = ref_of(var)
        return [F.assign_sub.node(ref, cast_to(self._weight_decay_tensor, var.dtype) * ref)]

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        with var.graph.control_dependencies(self._decayed(var)):
            return super()._apply_dense(grad, var)

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        # all rows decay, also those without a gradient
        with var.graph.control_dependencies(self._decayed(var)):
            return super()._apply_sparse_duplicate_indices(grad, var)


def extend_with_decoupled_weight_decay(base_optimizer: type[Optimizer]) -> type[Optimizer]:
    """A class like `base_optimizer` whose first argument is the weight decay."""

    class OptimizerWithDecoupledWeightDecay(DecoupledWeightDecayExtension, base_optimizer):  # type: ignore[misc, valid-type]
        def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any) -> None:
            self._decay_var_list = None
            self._weight_decay = weight_decay
            base_optimizer.__init__(self, *args, **kwargs)

    return OptimizerWithDecoupledWeightDecay


class AdamWOptimizer(DecoupledWeightDecayExtension, AdamOptimizer):
    """Adam with decoupled weight decay; the decay is not scaled by the learning rate."""

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "AdamW",
    ) -> None:
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=epsilon,
            use_locking=use_locking,
            name=name,
        )


class MomentumWOptimizer(DecoupledWeightDecayExtension, MomentumOptimizer):
    """Momentum with decoupled weight decay."""

    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "MomentumW",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            momentum=momentum,
            use_locking=use_locking,
            name=name,
            use_nesterov=use_nesterov,
        )
