"""Optimizer: what the optimizers of Keras share: gradients, clipping, state, configuration.

Lives here: Optimizer, schedules of the learning rate. Not here: the rules (keras/optimizers.py).
Imports keras.core and tf1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.dtypes import as_dtype
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.keras.core import arrays
from graphc.keras.core import math as K
from graphc.keras.core.config import floatx
from graphc.keras.core.session import batch_get_value, batch_set_value, get_value, track_variable
from graphc.keras.engine.nodes import as_list
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.tf1 import api_clip
from graphc.tf1.variables import Variable

__all__ = ["Optimizer"]

# settings of newer files that are off
_SILENT = ("weight_decay", "use_ema", "ema_overwrite_frequency", "loss_scale_factor",
           "gradient_accumulation_steps", "jit_compile", "is_legacy_optimizer")  # fmt: skip


def loss_and_params(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The arguments of get_updates in either order."""
    if len(args) == 3:
        return args[2], args[0]
    if len(args) == 2 and isinstance(args[0], list | tuple):
        return args[1], args[0]
    given = dict(zip(("loss", "params"), args))
    if args and isinstance(args[0], list | tuple):
        given = {"params": args[0]}
    given.update(kwargs)
    return given["loss"], given["params"]


class Optimizer:
    """Base of optimizers.

    Args:
        learning_rate (or lr): a number, a tensor or a schedule. decay: of the rate with the
            iterations, lr / (1 + decay * n). clipnorm, global_clipnorm, clipvalue: of gradients.

    Raises:
        TypeError: an unknown argument.
    """

    _default_rate = 0.01

    def __init__(self, learning_rate: Any = None, name: str | None = None, **kwargs: Any) -> None:
        rate = kwargs.pop("lr", learning_rate)
        self.initial_decay = float(kwargs.pop("decay", 0.0) or 0.0)
        self.clipnorm = kwargs.pop("clipnorm", None)
        self.clipvalue = kwargs.pop("clipvalue", None)
        self.global_clipnorm = kwargs.pop("global_clipnorm", None)
        if kwargs:
            first = next(iter(kwargs))
            raise TypeError(f"Unexpected keyword argument passed to optimizer: {first}")
        self.name = name or type(self).__name__
        self._rate: Any = self._default_rate if rate is None else rate
        self._rate_variable: Any = None
        self._iterations: Any = None
        self._slots: list[Any] = []
        self._pending: list[Any] | None = None

    # ------------------------------------------------------------ the rate
    def _fresh(self, variable: Any) -> bool:
        """Whether a variable of another graph must be made anew."""
        return variable is None or variable.graph is not get_default_graph()

    @property
    def lr(self) -> Any:
        """The learning rate: a variable, or the schedule or tensor that was given."""
        if callable(self._rate) and not is_tensor_like(self._rate):
            return self._rate
        if is_tensor_like(self._rate):
            return self._rate
        if self._rate_variable is None:
            rate = np.asarray(self._rate, as_dtype(floatx()).np)
            self._rate_variable = track_variable(Variable(rate, trainable=False, name="lr"))
        return self._rate_variable

    @lr.setter
    def lr(self, value: Any) -> None:
        if self._rate_variable is not None and not callable(value) and not is_tensor_like(value):
            batch_set_value([(self._rate_variable, np.float32(value))])
        self._rate = value

    @property
    def learning_rate(self) -> Any:
        return self.lr

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.lr = value

    @property
    def decay(self) -> float:
        return self.initial_decay

    @property
    def iterations(self) -> Any:
        """The number of updates so far: an int64 variable."""
        if self._iterations is None:
            self._iterations = track_variable(
                Variable(np.array(0, np.int64), trainable=False, name="iterations")
            )
        return self._iterations

    @iterations.setter
    def iterations(self, variable: Any) -> None:
        self._iterations = variable

    def _rate_now(self) -> Tensor:
        rate = self.lr
        if callable(rate) and not is_tensor_like(rate):
            rate = rate(self.iterations)
        rate = convert_to_tensor(rate)
        if self.initial_decay > 0:
            rate = rate / (1.0 + self.initial_decay * K.cast(self.iterations, rate.dtype))
        return rate

    def _step_now(self) -> Tensor:
        """The number of this update, from 1, as a float."""
        return K.cast(self.iterations, "float32") + 1.0

    # ------------------------------------------------------------ gradients
    def get_gradients(self, loss: Any, params: list[Any]) -> list[Any]:
        """The clipped gradients.

        Raises:
            ValueError: a weight that the loss does not depend on.
        """
        grads = arrays.gradients(loss, params)
        for grad, param in zip(grads, params):
            if grad is None:
                raise ValueError(
                    f"Variable {param} has `None` for gradient. Please make sure that all of your "
                    "ops have a gradient defined (i.e. are differentiable). Common ops without "
                    "gradient: K.argmax, K.round, K.eval."
                )
        return self._clipped([convert_to_tensor(g) for g in grads])

    def _clipped(self, grads: list[Any]) -> list[Any]:
        if self.clipnorm is not None and self.clipnorm > 0:
            grads = [api_clip.clip_by_norm(g, self.clipnorm) for g in grads]
        if self.global_clipnorm is not None and self.global_clipnorm > 0:
            grads = list(api_clip.clip_by_global_norm(grads, self.global_clipnorm)[0])
        if self.clipvalue is not None and self.clipvalue > 0:
            grads = [api_clip.clip_by_value(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    # ------------------------------------------------------------ updates
    def get_updates(self, *args: Any, **kwargs: Any) -> list[Any]:
        """The ops of one update of `params` that lowers `loss`.

        Called as (loss, params), as (params, constraints, loss), or by these names.
        """
        loss, params = loss_and_params(args, kwargs)
        with get_default_graph().name_scope(f"training/{self.name}"):
            grads = self.get_gradients(loss, params)
            return self._updates(list(zip(grads, params)))

    def _updates(self, pairs: list[tuple[Any, Any]]) -> list[Any]:
        self._slots = []
        step = self.iterations.assign_add(1)
        updates: list[Any] = [step]
        for new in self._rules(pairs):
            variable, value = new
            constraint = getattr(variable, "constraint", None)
            if constraint is not None:
                value = constraint(value)
            updates.append(variable.assign(value))
        if self._pending is not None:
            values, self._pending = self._pending, None
            self.set_weights(values)
        return updates

    def _rules(self, pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """(variable, new value) pairs of weights and slots."""
        raise NotImplementedError

    def _slot(self, param: Any, name: str, value: float = 0.0) -> Any:
        """A variable of the shape of `param` that the rule keeps."""
        dims, kind = param.shape.as_list(), param.dtype

        def initial() -> Tensor:
            return F.fill(dims, convert_to_tensor(value, kind))

        slot = Variable(initial, trainable=False, dtype=kind,
                        name=f"{param.op.name.rsplit('/', 1)[-1]}/{name}")  # fmt: skip
        self._slots.append(track_variable(slot))
        return slot

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None) -> Any:
        """The op that applies gradients."""
        from graphc.tf1.ops_misc import group

        pairs = [(convert_to_tensor(g), v) for g, v in grads_and_vars if g is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable.")
        grads = self._clipped([g for g, _ in pairs])
        pairs = list(zip(grads, [v for _, v in pairs]))
        return group(*self._updates(pairs), name=name)

    def minimize(
        self, loss: Any, var_list: Any = None, grad_loss: Any = None, name: str | None = None
    ) -> Any:
        """The op that lowers `loss`; the variables default to the graph's trainable ones."""
        from graphc.tf1.api_state import trainable_variables
        from graphc.tf1.ops_misc import group

        value = loss() if callable(loss) and not is_tensor_like(loss) else loss
        params = as_list(var_list() if callable(var_list) else var_list) or trainable_variables()
        return group(*self.get_updates(loss=value, params=params), name=name)

    # ------------------------------------------------------------ state and configuration
    @property
    def weights(self) -> list[Any]:
        """The iterations and the slots, once training has been prepared."""
        return [self.iterations, *self._slots]

    variables = weights

    def get_weights(self) -> list[Any]:
        return batch_get_value(self.weights)

    def set_weights(self, weights: Any) -> None:
        """Raises ValueError: another number of arrays, or other shapes."""
        params = self.weights
        if len(params) != len(weights):
            raise ValueError(
                f"Length of the specified weight list ({len(weights)}) does not match the number "
                f"of weights of the optimizer ({len(params)})"
            )
        batch_set_value(list(zip(params, weights)))

    def restore_later(self, weights: list[Any]) -> None:
        """State that is set when training is prepared: slots do not exist before."""
        self._pending = weights

    def _config(self) -> dict[str, Any]:
        rate = self._rate
        if self._rate_variable is not None and not callable(rate):
            rate = float(get_value(self._rate_variable))
        elif callable(rate) and hasattr(rate, "get_config"):
            rate = {"class_name": type(rate).__name__, "config": rate.get_config()}
        return {"name": self.name, "learning_rate": rate, "decay": self.initial_decay}

    def get_config(self) -> dict[str, Any]:
        """What from_config makes an equal optimizer from (without state)."""
        config = self._config()
        for key in ("clipnorm", "clipvalue", "global_clipnorm"):
            if getattr(self, key) is not None:
                config[key] = getattr(self, key)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = {k: v for k, v in config.items() if k not in _SILENT or v not in (None, False)}
        config.pop("ema_momentum", None)
        rate = config.get("learning_rate", config.get("lr"))
        if isinstance(rate, dict):
            from graphc.keras.optimizers import schedules

            config["learning_rate"] = schedules.deserialize(rate)
        return cls(**config)


