"""Optimizer: what the optimizers of Keras share: gradients, clipping, state, configuration.

Lives here: Optimizer. Not here: the rules (keras/optimizers/rules.py), what users' own classes
call (engine/optimizer_own.py). Imports keras.core and tf1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.autodiff.indexed_slices import IndexedSlices, as_dense
from graphc.ir.dtypes import as_dtype
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Tensor
from graphc.keras.core import arrays
from graphc.keras.core import math as K
from graphc.keras.core.config import floatx
from graphc.keras.core.session import (
    batch_get_value,
    batch_set_value,
    get_value,
    root_graph,
    track_variable,
)
from graphc.keras.engine.nodes import as_list
from graphc.keras.engine.optimizer_own import OwnRules
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.training import row_totals
from graphc.tf1 import api_clip
from graphc.tf1.variables import Variable

__all__ = ["Optimizer"]

# the values of slots by name
Slots = dict[str, Any]

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


class Optimizer(OwnRules):
    """Base of optimizers.

    A subclass defines `_rule`, or get_updates, or what tf.keras asks for: `_create_slots` and
    `_resource_apply_dense`.

    Args:
        learning_rate (or lr): a number, a tensor or a schedule. decay: of the rate with the
            iterations, lr / (1 + decay * n). clipnorm, global_clipnorm, clipvalue: of gradients.

    Raises:
        TypeError: an unknown argument.
    """

    _default_rate = 0.01

    def __init__(self, learning_rate: Any = None, name: str | None = None, **kwargs: Any) -> None:
        if isinstance(learning_rate, str):  # classes for tf.keras give the name first
            learning_rate, name = None, learning_rate
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
        # what each slot is called, and the weight it belongs to
        self._slot_owners: dict[Any, tuple[str, Any]] = {}
        self._slot_table: dict[tuple[str, Any], Any] = {}
        self._pending: Callable[[Optimizer], list[Any]] | None = None

    # ------------------------------------------------------------ the rate
    def _enter_graph(self) -> None:
        """In another graph than before, the rate, the iterations and the slots are made anew."""
        graph = root_graph()
        if self._iterations is not None and self._iterations.graph is not graph:
            self._iterations = None
        if self._rate_variable is not None and self._rate_variable.graph is not graph:
            self._rate_variable = None
        if any(s.graph is not graph for s in self._slots):
            self._slots = [s for s in self._slots if s.graph is graph]
            self._slot_owners = {s: o for s, o in self._slot_owners.items() if s.graph is graph}
            self._slot_table = {k: s for k, s in self._slot_table.items() if s.graph is graph}

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
    def _initial_decay(self) -> float:
        return self.initial_decay

    @property
    def decay(self) -> Any:
        return self.__dict__.get("_decay", self.initial_decay)

    @decay.setter
    def decay(self, value: Any) -> None:
        self._decay = value

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
            rate = rate(self.iterations) if hasattr(rate, "get_config") else rate()
        rate = convert_to_tensor(rate)
        rate = rate if rate.dtype.name == floatx() else K.cast(rate, floatx())
        if self.initial_decay > 0:
            rate = rate / (1.0 + self.initial_decay * K.cast(self.iterations, rate.dtype))
        return rate

    def _step_now(self) -> Tensor:
        """The number of this update, from 1, as a float."""
        return K.cast(self.iterations, floatx()) + 1.0

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
        return self._clipped(grads)

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

    # whether rows of a weight (and of its slots) that a gradient of rows does not name stay
    _keeps_rows = True
    _keeps_slot_rows = True
    # whether the slots of a weight stand together in `weights`
    _slots_by_weight = False

    def _updates(self, pairs: list[tuple[Any, Any]]) -> list[Any]:
        self._enter_graph()
        if self._writes_ops():
            updates = self._own_updates(pairs)
        else:
            updates = self._rule_updates(pairs)
        updates.insert(0, self.iterations.assign_add(1))
        if self._pending is not None:
            state, self._pending = self._pending, None
            self.set_weights(state(self))
        return updates

    def _rule_updates(self, pairs: list[tuple[Any, Any]]) -> list[Any]:
        params, starts = [p for _, p in pairs], self._slot_starts()
        order = [(p, n) for n in starts for p in params]
        if self._slots_by_weight:
            order = [(p, n) for p in params for n in starts]
        shared, updates = self._shared()
        made = {(p, n): self._slot(p, n, starts[n]) for p, n in order}
        prepared: dict[Any, dict[str, Tensor]] = {}
        for grad, param in pairs:
            kind = param.dtype
            if kind not in prepared:
                prepared[kind] = {k: v if v.dtype is kind else K.cast(v, kind)
                                  for k, v in shared.items()}  # fmt: skip
            slots = {n: made[param, n] for n in starts}
            updates += self._update(grad, param, slots, prepared[kind])
        return updates

    def _update(
        self, grad: Any, param: Any, slots: Slots, shared: dict[str, Tensor]
    ) -> list[Any]:
        """The assignments of one weight and its slots."""
        constraint = getattr(param, "constraint", None)
        rows = isinstance(grad, IndexedSlices) and self._keeps_rows and constraint is None
        if rows and self._keeps_slot_rows:
            return self._row_updates(grad, param, slots, shared)
        dense = as_dense(grad) if isinstance(grad, IndexedSlices) else grad
        old = {n: convert_to_tensor(v) for n, v in slots.items()}
        new, changed = self._rule(dense, convert_to_tensor(param), old, shared)
        updates = [slots[n].assign(v) for n, v in changed.items()]
        if rows:
            return [*updates, *self._row_updates(grad, param, slots, shared)[:1]]
        new = new if constraint is None else constraint(new)
        return [param.assign(new), *updates]

    def _row_updates(
        self, grad: IndexedSlices, param: Any, slots: Slots, shared: dict[str, Tensor]
    ) -> list[Any]:
        """The rule on the rows that the gradient names; equal ones have equal new values."""
        ids = grad.indices

        def of(variable: Any) -> Tensor:
            return F.gather(convert_to_tensor(variable), ids, axis=0, batch_dims=0)

        old = {n: of(v) for n, v in slots.items()}
        new, changed = self._rule(row_totals(grad.values, ids), of(param), old, shared)
        writes = [(param, new), *((slots[n], v) for n, v in changed.items())]
        return [v.scatter_update(IndexedSlices(value, ids)) for v, value in writes]

    # ------------------------------------------------------------ for subclasses
    def _slot_starts(self) -> dict[str, float]:
        """The names of a weight's slots and their initial values."""
        return {}

    def _shared(self) -> tuple[dict[str, Tensor], list[Any]]:
        """Tensors that all weights share, "lr" among them, and updates that are no weight's."""
        return {"lr": self._rate_now()}, []

    def _rule(
        self, g: Tensor, p: Tensor, slots: dict[str, Tensor], shared: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The new values of a weight and of its slots, or of some rows of them."""
        raise NotImplementedError

    def _slot(self, param: Any, name: str, value: Any = 0.0) -> Any:
        """A variable of the shape of `param` that the rule keeps; one a name."""
        found = self.get_slot(param, name)
        if found is not None:
            return found
        dims, kind = np.array(param.shape.as_list(), np.int32), param.dtype

        def initial() -> Any:
            if isinstance(value, int | float):
                return F.fill(dims, convert_to_tensor(value, kind))
            from graphc.keras import initializers

            return initializers.get(value)(dims.tolist(), dtype=kind)

        slot = Variable(initial, trainable=False, dtype=kind,
                        name=f"{param.op.name.rsplit('/', 1)[-1]}/{name}")  # fmt: skip
        self._slots.append(track_variable(slot))
        self._slot_owners[slot] = (name, param)
        self._slot_table[name, param] = slot
        return slot

    def get_slot(self, var: Any, slot_name: str) -> Any:
        """The slot of this name of a weight, or None."""
        return self._slot_table.get((slot_name, var))

    def get_slot_names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self._slot_owners.values()))

    def apply_gradients(
        self, grads_and_vars: Any, name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> Any:
        """The op that applies gradients; pairs with None are passed over.

        Raises:
            ValueError: there are only such pairs.
        """
        from graphc.tf1.ops_misc import group

        given = list(grads_and_vars)
        pairs = [(_gradient(g), v) for g, v in given if g is not None]
        if not pairs:
            raise ValueError(
                f"No gradients provided for any variable: {[v.name for _, v in given]}."
            )
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

    @weights.setter
    def weights(self, variables: list[Any]) -> None:
        self._slots = [v for v in variables if v is not self._iterations]

    def variables(self) -> list[Any]:
        """The same as `weights`."""
        return self.weights

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

    def restore_later(self, state: Callable[[Optimizer], list[Any]]) -> None:
        """State that is asked for when training is prepared: slots do not exist before.

        Args:
            state: gives the arrays of `weights`, which have been made by then.
        """
        self._pending = state

    def _config(self) -> dict[str, Any]:
        rate = self._rate
        if is_tensor_like(rate):
            rate = np.asarray(get_value(rate)).item()
        elif self._rate_variable is not None and not callable(rate):
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


def _gradient(value: Any) -> Any:
    return value if isinstance(value, IndexedSlices) else convert_to_tensor(value)
