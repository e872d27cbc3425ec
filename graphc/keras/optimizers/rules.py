"""The update rules of tf.keras.optimizers.

Lives here: SGD to Ftrl, and TFOptimizer around an optimizer of tf.train. Not here: gradients and
state (engine/optimizer_base.py). Imports keras.core.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.config import epsilon as default_epsilon
from graphc.keras.engine.optimizer_base import Optimizer, loss_and_params
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_math

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Nadam", "RMSprop",
    "TFOptimizer",
]  # fmt: skip

Pairs = list[tuple[Any, Any]]


def _sqrt(x: Tensor) -> Tensor:
    return api_math.sqrt(x)


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

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, out = self._rate_now(), []
        for g, p in pairs:
            if not self.momentum:
                out.append((p, p - lr * g))
                continue
            v = self._slot(p, "momentum")
            new = self.momentum * v - lr * g
            moved = p + self.momentum * new - lr * g if self.nesterov else p + new
            out += [(v, new), (p, moved)]
        return out

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
        self.rho, self.momentum, self.centered = rho, momentum, centered
        self.epsilon = default_epsilon() if epsilon is None else epsilon

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, out = self._rate_now(), []
        for g, p in pairs:
            a = self._slot(p, "rms")
            new = self.rho * a + (1.0 - self.rho) * K.square(g)
            out.append((a, new))
            spread = new
            if self.centered:
                m = self._slot(p, "mg")
                mean = self.rho * m + (1.0 - self.rho) * g
                out.append((m, mean))
                spread = new - K.square(mean)
            if self.momentum:
                v = self._slot(p, "momentum")
                moved = self.momentum * v + lr * g / _sqrt(spread + self.epsilon)
                out += [(v, moved), (p, p - moved)]
            else:
                out.append((p, p - lr * g / (_sqrt(spread) + self.epsilon)))
        return out

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
        self.epsilon = default_epsilon() if epsilon is None else epsilon

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, out = self._rate_now(), []
        for g, p in pairs:
            a = self._slot(p, "accumulator", self.initial_accumulator_value)
            new = a + K.square(g)
            out += [(a, new), (p, p - lr * g / (_sqrt(new) + self.epsilon))]
        return out

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
        self.epsilon = default_epsilon() if epsilon is None else epsilon

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, out = self._rate_now(), []
        for g, p in pairs:
            a, d = self._slot(p, "accum_grad"), self._slot(p, "accum_var")
            new = self.rho * a + (1.0 - self.rho) * K.square(g)
            step = g * _sqrt(d + self.epsilon) / _sqrt(new + self.epsilon)
            moved = self.rho * d + (1.0 - self.rho) * K.square(step)
            out += [(a, new), (p, p - lr * step), (d, moved)]
        return out

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
        self.epsilon = default_epsilon() if epsilon is None else epsilon

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

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float | None = None, amsgrad: bool = False, name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name, **kwargs)
        self.amsgrad = amsgrad

    def _shrunk(self, p: Any, lr: Tensor) -> Any:
        return p

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, t, out = self._rate_now(), self._step_now(), []
        correction = _sqrt(1.0 - api_math.pow(convert_to_tensor(self.beta_2), t))
        rate = lr * correction / (1.0 - api_math.pow(convert_to_tensor(self.beta_1), t))
        for g, p in pairs:
            m, v = self._slot(p, "m"), self._slot(p, "v")
            rate_p = rate if p.dtype is rate.dtype else K.cast(rate, p.dtype)
            first = self.beta_1 * m + (1.0 - self.beta_1) * g
            second = self.beta_2 * v + (1.0 - self.beta_2) * K.square(g)
            out += [(m, first), (v, second)]
            if self.amsgrad:
                high = self._slot(p, "vhat")
                second = api_math.maximum(high, second)
                out.append((high, second))
            start = self._shrunk(p, lr)
            out.append((p, start - rate_p * first / (_sqrt(second) + self.epsilon)))
        return out

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

    def _shrunk(self, p: Any, lr: Tensor) -> Any:
        return p - p * (self.weight_decay * lr)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight_decay": self.weight_decay}


class Adamax(_Moments):
    """Adam with the greatest gradient instead of the mean of squares."""

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, t, out = self._rate_now(), self._step_now(), []
        rate = lr / (1.0 - api_math.pow(convert_to_tensor(self.beta_1), t))
        for g, p in pairs:
            m, u = self._slot(p, "m"), self._slot(p, "u")
            first = self.beta_1 * m + (1.0 - self.beta_1) * g
            high = api_math.maximum(self.beta_2 * u, K.abs(g))
            out += [(m, first), (u, high), (p, p - rate * first / (high + self.epsilon))]
        return out


class Nadam(_Moments):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
        epsilon: float | None = None, name: str | None = None, **kwargs: Any,
    ) -> None:
        self.schedule_decay = kwargs.pop("schedule_decay", 0.004)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name, **kwargs)

    def _momentum(self, t: Tensor) -> Tensor:
        power = api_math.pow(convert_to_tensor(0.96), t * self.schedule_decay)
        return self.beta_1 * (1.0 - 0.5 * power)

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, t, out = self._rate_now(), self._step_now(), []
        product = self._slot_scalar("momentum_cache")
        now, after = self._momentum(t), self._momentum(t + 1.0)
        schedule = product * now
        out.append((product, schedule))
        beyond = schedule * after
        second_correction = 1.0 - api_math.pow(convert_to_tensor(self.beta_2), t)
        for g, p in pairs:
            m, v = self._slot(p, "m"), self._slot(p, "v")
            first = self.beta_1 * m + (1.0 - self.beta_1) * g
            second = self.beta_2 * v + (1.0 - self.beta_2) * K.square(g)
            ahead = (1.0 - now) * (g / (1.0 - schedule)) + after * (first / (1.0 - beyond))
            spread = _sqrt(second / second_correction) + self.epsilon
            out += [(m, first), (v, second), (p, p - lr * ahead / spread)]
        return out

    def _slot_scalar(self, name: str) -> Any:
        from graphc.keras.core.arrays import variable

        made = variable(1.0, name=name)
        self._slots.append(made)
        return made

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "schedule_decay": self.schedule_decay}


class Ftrl(Optimizer):
    """Follow the regularised leader (McMahan 2013)."""

    _default_rate = 0.001

    def __init__(
        self, learning_rate: Any = 0.001, learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0, name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0, beta: float = 0.0, **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name, **kwargs)
        if initial_accumulator_value < 0.0:
            raise ValueError("initial_accumulator_value needs to be positive or zero")
        if learning_rate_power > 0.0:
            raise ValueError("learning_rate_power needs to be negative or zero")
        self.learning_rate_power, self.beta = learning_rate_power, beta
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength

    def _rules(self, pairs: Pairs) -> Pairs:
        lr, out, power = self._rate_now(), [], -self.learning_rate_power
        l2 = self.l2_regularization_strength + (self.beta / (2.0 * lr) if self.beta else 0.0)
        l1 = self.l1_regularization_strength
        for g, p in pairs:
            a = self._slot(p, "accumulator", self.initial_accumulator_value)
            z = self._slot(p, "linear")
            shrunk = g
            if self.l2_shrinkage_regularization_strength:
                shrunk = g + 2.0 * self.l2_shrinkage_regularization_strength * p
            new = a + K.square(g)
            raised, before = api_math.pow(new, power), api_math.pow(convert_to_tensor(a), power)
            linear = z + shrunk - (raised - before) / lr * p
            quadratic = raised / lr + 2.0 * l2
            clipped = K.clip(linear, -l1, l1)
            out += [(a, new), (z, linear), (p, (clipped - linear) / quadratic)]
        return out

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
        from graphc.keras.core.session import track_variable
        from graphc.tf1.api_state import global_variables

        loss, params = loss_and_params(args, kwargs)
        before = set(global_variables())
        pairs = self.optimizer.compute_gradients(loss, params)
        with get_default_graph().name_scope(f"training/{self.name}"):
            op = self.optimizer.apply_gradients(pairs, global_step=self.iterations)
        self._slots = [v for v in global_variables() if v not in before]
        for variable in self._slots:
            track_variable(variable)
        return [op]

    def get_config(self) -> dict[str, Any]:
        """Raises NotImplementedError: optimizers of tf.train have no configuration."""
        raise NotImplementedError("optimizers of tf.train have no configuration")


