"""The update rules of tf.keras.optimizers.

Lives here: SGD to Ftrl, and TFOptimizer around an optimizer of tf.train. Not here: gradients and
state (engine/optimizer_base.py). Imports keras.core.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.arrays import variable
from graphc.keras.core.config import epsilon as default_epsilon
from graphc.keras.core.session import root_graph, track_variable
from graphc.keras.engine.optimizer_base import Optimizer, loss_and_params
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_math

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Nadam", "RMSprop",
    "TFOptimizer",
]  # fmt: skip

Values = dict[str, Tensor]
New = tuple[Tensor, Values]


def _sqrt(x: Tensor) -> Tensor:
    return api_math.sqrt(x)


def _power(base: float, exponent: Tensor) -> Tensor:
    return api_math.pow(convert_to_tensor(base, exponent.dtype), exponent)


class SGD(Optimizer):
    """p -= lr * g, with momentum v = momentum * v - lr * g (Nesterov's where asked)."""

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False,
        name: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError("`momentum` must be between [0, 1].")
        self.momentum, self.nesterov = momentum, nesterov

    def _slot_starts(self) -> dict[str, float]:
        return {"momentum": 0.0} if self.momentum else {}

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        lr = shared["lr"]
        if not self.momentum:
            return p - lr * g, {}
        v = self.momentum * slots["momentum"] - lr * g
        return p + (self.momentum * v - lr * g if self.nesterov else v), {"momentum": v}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """p -= lr * g / (sqrt(mean of g ** 2) + epsilon)."""

    _default_rate = 0.001

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0,
        epsilon: float | None = None, centered: bool = False, name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError("`momentum` must be between [0, 1].")
        self.rho, self.momentum, self.centered = rho, momentum, centered
        self.epsilon = epsilon or default_epsilon()
        # without momentum the means of all rows fall
        self._keeps_rows = bool(momentum)

    def _slot_starts(self) -> dict[str, float]:
        names = {"rms": True, "momentum": self.momentum, "mg": self.centered}
        return {name: 0.0 for name, used in names.items() if used}

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        lr, share = shared["lr"], 1.0 - self.rho
        new = {"rms": self.rho * slots["rms"] + share * K.square(g)}
        spread = new["rms"]
        if self.centered:
            new["mg"] = self.rho * slots["mg"] + share * g
            spread = spread - K.square(new["mg"])
        if not self.momentum:
            return p - lr * g / (_sqrt(spread) + self.epsilon), new
        new["momentum"] = self.momentum * slots["momentum"] + lr * g / _sqrt(spread + self.epsilon)
        return p - new["momentum"], new

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "rho": self.rho, "momentum": self.momentum,
            "epsilon": self.epsilon, "centered": self.centered,
        }  # fmt: skip


class Adagrad(Optimizer):
    """p -= lr * g / (sqrt(sum of g ** 2) + epsilon)."""

    _default_rate = 0.001

    def __init__(
        self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1,
        epsilon: float | None = None, name: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        if initial_accumulator_value < 0.0:
            raise ValueError(
                f"initial_accumulator_value must be non-negative: {initial_accumulator_value}"
            )
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon or default_epsilon()

    def _slot_starts(self) -> dict[str, float]:
        return {"accumulator": self.initial_accumulator_value}

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        new = slots["accumulator"] + K.square(g)
        return p - shared["lr"] * g / (_sqrt(new) + self.epsilon), {"accumulator": new}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "epsilon": self.epsilon,
            "initial_accumulator_value": self.initial_accumulator_value,
        }  # fmt: skip


class Adadelta(Optimizer):
    """Steps in the proportion of past steps to past gradients (Zeiler 2012)."""

    _default_rate = 0.001

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float | None = None,
        name: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self.rho = rho
        self.epsilon = epsilon or default_epsilon()

    def _slot_starts(self) -> dict[str, float]:
        return {"accum_grad": 0.0, "accum_var": 0.0}

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        share = 1.0 - self.rho
        new = self.rho * slots["accum_grad"] + share * K.square(g)
        step = g * _sqrt(slots["accum_var"] + self.epsilon) / _sqrt(new + self.epsilon)
        moved = self.rho * slots["accum_var"] + share * K.square(step)
        return p - shared["lr"] * step, {"accum_grad": new, "accum_var": moved}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


class _Moments(Optimizer):
    _default_rate = 0.001

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float | None = None, name: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon = epsilon or default_epsilon()

    def _slot_starts(self) -> dict[str, float]:
        return {"m": 0.0, "v": 0.0}

    def _means(self, g: Tensor, slots: Values) -> tuple[Tensor, Tensor]:
        """The means of gradients and of their squares."""
        first = self.beta_1 * slots["m"] + (1.0 - self.beta_1) * g
        return first, self.beta_2 * slots["v"] + (1.0 - self.beta_2) * K.square(g)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }  # fmt: skip


class Adam(_Moments):
    """Means of gradients and of their squares, corrected for their start (Kingma 2014).

    Args:
        amsgrad: the greatest mean of squares so far (Reddi 2018).
    """

    # a gradient of rows moves all rows, as one that is zero elsewhere would
    _keeps_rows = False

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float | None = None, amsgrad: bool = False, name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name, **kwargs)
        self.amsgrad = amsgrad

    def _slot_starts(self) -> dict[str, float]:
        return {**super()._slot_starts(), **({"vhat": 0.0} if self.amsgrad else {})}

    def _shrunk(self, p: Tensor, lr: Tensor) -> Tensor:
        return p

    def _shared(self) -> tuple[Values, list[Any]]:
        lr, t = self._rate_now(), self._step_now()
        rate = lr * _sqrt(1.0 - _power(self.beta_2, t)) / (1.0 - _power(self.beta_1, t))
        return {"lr": lr, "rate": rate}, []

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        first, second = self._means(g, slots)
        new = {"m": first, "v": second}
        if self.amsgrad:
            second = new["vhat"] = api_math.maximum(slots["vhat"], second)
        step = shared["rate"] * first / (_sqrt(second) + self.epsilon)
        return self._shrunk(p, shared["lr"]) - step, new

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "amsgrad": self.amsgrad}


class AdamW(Adam):
    """Adam, with weights that shrink by lr * weight_decay beside the gradient (Loshchilov 2019)."""

    def __init__(
        self, learning_rate: Any = 0.001, weight_decay: float = 0.004, beta_1: float = 0.9,
        beta_2: float = 0.999, epsilon: float | None = None, amsgrad: bool = False,
        name: str | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, name, **kwargs)
        self.weight_decay = weight_decay

    def _shrunk(self, p: Tensor, lr: Tensor) -> Tensor:
        return p - p * (self.weight_decay * lr)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight_decay": self.weight_decay}


class Adamax(_Moments):
    """Adam with the greatest gradient instead of the mean of squares."""

    def _slot_starts(self) -> dict[str, float]:
        return {"m": 0.0, "u": 0.0}

    def _shared(self) -> tuple[Values, list[Any]]:
        return {"rate": self._rate_now() / (1.0 - _power(self.beta_1, self._step_now()))}, []

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        first = self.beta_1 * slots["m"] + (1.0 - self.beta_1) * g
        high = api_math.maximum(self.beta_2 * slots["u"], K.abs(g))
        return p - shared["rate"] * first / (high + self.epsilon), {"m": first, "u": high}


class Nadam(_Moments):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    # the means of all rows fall, but rows without a gradient do not move
    _keeps_slot_rows = False

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float | None = None, name: str | None = None, **kwargs: Any,
    ) -> None:
        self.schedule_decay = kwargs.pop("schedule_decay", 0.004)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name, **kwargs)

    def _momentum(self, t: Tensor) -> Tensor:
        return self.beta_1 * (1.0 - 0.5 * _power(0.96, t * self.schedule_decay))

    def _shared(self) -> tuple[Values, list[Any]]:
        t, product = self._step_now(), self._momentum_cache()
        now, after = self._momentum(t), self._momentum(t + 1.0)
        schedule = product * now
        shared = {
            "lr": self._rate_now(), "now": (1.0 - now) / (1.0 - schedule),
            "after": after / (1.0 - schedule * after), "scale": 1.0 - _power(self.beta_2, t),
        }  # fmt: skip
        return shared, [product.assign(schedule)]

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        first, second = self._means(g, slots)
        ahead = shared["now"] * g + shared["after"] * first
        spread = _sqrt(second / shared["scale"]) + self.epsilon
        return p - shared["lr"] * ahead / spread, {"m": first, "v": second}

    def _momentum_cache(self) -> Any:
        """The product of all momenta so far."""
        name, graph = "momentum_cache", root_graph()
        if (name, graph) not in self._slot_table:
            made = self._slot_table[name, graph] = variable(1.0, name=name)
            self._slots.append(made)
            self._slot_owners[made] = (name, None)
        return self._slot_table[name, graph]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "schedule_decay": self.schedule_decay}


class Ftrl(Optimizer):
    """Follow the regularised leader (McMahan 2013)."""

    _default_rate = 0.001
    _slots_by_weight = True

    def __init__(
        self, learning_rate: Any = 0.001, learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0, name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0, beta: float = 0.0, **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        if learning_rate_power > 0.0:
            raise ValueError("learning_rate_power needs to be negative or zero")
        self.learning_rate_power, self.beta = learning_rate_power, beta
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        for key in ("initial_accumulator_value", "l1_regularization_strength",
                    "l2_regularization_strength",
                    "l2_shrinkage_regularization_strength"):  # fmt: skip
            if getattr(self, key) < 0.0:
                raise ValueError(f"{key} needs to be positive or zero")

    def _slot_starts(self) -> dict[str, float]:
        return {"accumulator": self.initial_accumulator_value, "linear": 0.0}

    def _rule(self, g: Tensor, p: Tensor, slots: Values, shared: Values) -> New:
        lr, power, before = shared["lr"], -self.learning_rate_power, slots["accumulator"]
        l1, l2 = self.l1_regularization_strength, self.l2_regularization_strength
        total: Any = l2 + self.beta / (2.0 * lr) if self.beta else l2
        shrink = self.l2_shrinkage_regularization_strength
        new = before + K.square(g)
        raised = api_math.pow(new, power)
        change = (raised - api_math.pow(before, power)) / lr
        linear = slots["linear"] + (g + 2.0 * shrink * p if shrink else g) - change * p
        moved = (K.clip(linear, -l1, l1) - linear) / (raised / lr + 2.0 * total)
        return moved, {"accumulator": new, "linear": linear}

    def get_config(self) -> dict[str, Any]:
        names = (
            "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
            "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta",
        )  # fmt: skip
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


class TFOptimizer(Optimizer):
    """An optimizer of tf.train as one of Keras."""

    def __init__(self, optimizer: Any, iterations: Any = None) -> None:
        super().__init__(0.0, name=type(optimizer).__name__)
        self.optimizer = optimizer
        if iterations is not None:
            self.iterations = iterations

    @property
    def lr(self) -> Any:
        """The rate of the optimizer inside."""
        inner = self.optimizer
        for name in ("_lr", "_learning_rate"):
            if hasattr(inner, name):
                return getattr(inner, name)
        raise AttributeError(f"{type(inner).__name__} tells no learning rate")

    @lr.setter
    def lr(self, value: Any) -> None:
        raise ValueError("The learning rate of an optimizer of tf.train is fixed; use one of "
                         "tf.keras.optimizers")  # fmt: skip

    def get_gradients(self, loss: Any, params: list[Any]) -> list[Any]:
        return [g for g, _ in self.optimizer.compute_gradients(loss, params)]

    def get_updates(self, *args: Any, **kwargs: Any) -> list[Any]:
        from graphc.ir.graph import get_default_graph
        from graphc.tf1.api_state import global_variables

        loss, params = loss_and_params(args, kwargs)
        self._enter_graph()
        before = set(global_variables())
        pairs = self.optimizer.compute_gradients(loss, params)
        with get_default_graph().name_scope(f"training/{self.name}"):
            op = self.optimizer.apply_gradients(pairs, global_step=self.iterations)
        for made in global_variables():
            if made not in before and made is not self._iterations:
                self._slots.append(track_variable(made))
        return [op]

    def get_config(self) -> dict[str, Any]:
        """Raises NotImplementedError: optimizers of tf.train have no configuration."""
        raise NotImplementedError("optimizers of tf.train have no configuration")


