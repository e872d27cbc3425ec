"""The optimizers of tf.train for linear models and proximal steps.

Lives here: Ftrl, AdagradDA, ProximalGradientDescent, ProximalAdagrad. Not here: their arithmetic
(ops/training.py). Imports tf1.optimizers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.ir.dtypes import int64
from graphc.ops.define import F
from graphc.tf1.optimizer_base import cast_to, ref_or_tensor
from graphc.tf1.optimizers import AdagradOptimizer, RecordOptimizer

__all__ = [
    "AdagradDAOptimizer",
    "FtrlOptimizer",
    "ProximalAdagradOptimizer",
    "ProximalGradientDescentOptimizer",
]


class ProximalGradientDescentOptimizer(RecordOptimizer):
    """Gradient descent with l1 and l2 proximal steps (Duchi and Singer 2009)."""

    record = "proximal_gradient_descent"

    def __init__(
        self,
        learning_rate: Any,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._l1 = l1_regularization_strength
        self._l2 = l2_regularization_strength

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._hyper(self._learning_rate, "learning_rate")
        self._l1_tensor = self._hyper(self._l1, "l1_regularization_strength")
        self._l2_tensor = self._hyper(self._l2, "l2_regularization_strength")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {"alpha": self._learning_rate_tensor, "l1": self._l1_tensor, "l2": self._l2_tensor}


class ProximalAdagradOptimizer(AdagradOptimizer):
    """Adagrad with l1 and l2 proximal steps (Duchi and Singer 2009)."""

    record = "proximal_adagrad"

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalAdagrad",
    ) -> None:
        super().__init__(learning_rate, initial_accumulator_value, use_locking, name)
        self._l1 = l1_regularization_strength
        self._l2 = l2_regularization_strength

    def _prepare(self) -> None:
        super()._prepare()
        self._l1_tensor = self._hyper(self._l1, "l1_regularization_strength")
        self._l2_tensor = self._hyper(self._l2, "l2_regularization_strength")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {**super()._inputs(var), "l1": self._l1_tensor, "l2": self._l2_tensor}


class AdagradDAOptimizer(RecordOptimizer):
    """Adagrad with dual averaging, for sparse linear models (Duchi et al. 2011).

    Raises:
        ValueError: initial_gradient_squared_accumulator_value is not positive.
    """

    record = "adagrad_da"

    def __init__(
        self,
        learning_rate: Any,
        global_step: Any,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "AdagradDA",
    ) -> None:
        if initial_gradient_squared_accumulator_value <= 0.0:
            raise ValueError(
                "initial_gradient_squared_accumulator_value must be positive: "
                f"{initial_gradient_squared_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial = initial_gradient_squared_accumulator_value
        self._l1 = l1_regularization_strength
        self._l2 = l2_regularization_strength
        self._global_step = global_step

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for v in var_list:
            self._zeros_slot(v, "gradient_accumulator", self._name)
            self._filled_slot(v, self._initial, "gradient_squared_accumulator", self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._hyper(self._learning_rate, "learning_rate")
        self._l1_tensor = self._hyper(self._l1, "l1_regularization_strength")
        self._l2_tensor = self._hyper(self._l2, "l2_regularization_strength")
        step = F.identity(ref_or_tensor(self._global_step)) + 1
        self._step_tensor = cast_to(step, int64)

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {
            "gradient_accumulator": self.get_slot(var, "gradient_accumulator"),
            "gradient_squared_accumulator": self.get_slot(var, "gradient_squared_accumulator"),
            "lr": self._learning_rate_tensor,
            "l1": self._l1_tensor,
            "l2": self._l2_tensor,
            "global_step": self._step_tensor,
        }


class FtrlOptimizer(RecordOptimizer):
    """FTRL-proximal (McMahan et al. 2013), with online l2 and "shrinkage" l2.

    Raises:
        ValueError: a strength or initial value below zero, a positive learning_rate_power.
    """

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:
        super().__init__(use_locking, name)
        for what, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0.0:
                raise ValueError(f"{what} {value:f} needs to be positive or zero")
        if learning_rate_power > 0.0:
            raise ValueError(
                f"learning_rate_power {learning_rate_power:f} needs to be negative or zero"
            )
        self._learning_rate = learning_rate
        self._learning_rate_power = learning_rate_power
        self._initial_accumulator_value = initial_accumulator_value
        self._l1 = l1_regularization_strength
        self._l2 = l2_regularization_strength
        self._l2_shrinkage = l2_shrinkage_regularization_strength
        self._accum_name = accum_name
        self._linear_name = linear_name

    def _record(self) -> str:
        return "ftrl_v2" if self._l2_shrinkage > 0.0 else "ftrl"

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        start = self._initial_accumulator_value
        for v in var_list:
            self._filled_slot(v, start, "accum", self._accum_name or self._name)
            self._zeros_slot(v, "linear", self._linear_name or self._name)

    def _prepare(self) -> None:
        self._learning_rate_tensor = self._hyper(self._learning_rate, "learning_rate")
        self._l1_tensor = self._hyper(self._l1, "l1_regularization_strength")
        self._l2_tensor = self._hyper(self._l2, "l2_regularization_strength")
        self._l2_shrinkage_tensor = self._hyper(
            self._l2_shrinkage, "l2_shrinkage_regularization_strength"
        )
        self._power_tensor = self._hyper(self._learning_rate_power, "learning_rate_power")

    def _inputs(self, var: Any) -> Mapping[str, Any]:
        return {
            "accum": self.get_slot(var, "accum"),
            "linear": self.get_slot(var, "linear"),
            "lr": self._learning_rate_tensor,
            "l1": self._l1_tensor,
            "l2": self._l2_tensor,
            "l2_shrinkage": self._l2_shrinkage_tensor,
            "lr_power": self._power_tensor,
        }
