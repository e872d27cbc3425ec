"""What optimizers of the user's own call, where they are written for tf.keras.

Lives here: hyperparameters and slots by name, for classes that define `_create_slots` and
`_resource_apply_dense` (and `_resource_apply_sparse`). Not here: the optimizers of Keras
(keras/optimizers/rules.py). Imports keras.core.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.autodiff.indexed_slices import IndexedSlices, as_dense
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core.config import floatx
from graphc.keras.core.session import get_value
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.training import summed_once

__all__ = ["OwnRules"]


class OwnRules:
    """Mixed into Optimizer."""

    iterations: Any
    lr: Any

    def _create_slots(self, var_list: list[Any]) -> None:
        """Makes the slots of the weights by add_slot."""

    def _resource_apply_dense(self, grad: Tensor, var: Any) -> Any:
        """The op that changes a weight by its gradient."""
        raise NotImplementedError

    def _resource_apply_sparse(self, grad: Tensor, var: Any, indices: Tensor) -> Any:
        """The op for the rows of a gradient, each of which is there once or zero."""
        dense = as_dense(IndexedSlices(grad, indices, convert_to_tensor(var.shape.as_list())))
        return self._resource_apply_dense(dense, var)

    def _writes_ops(self) -> bool:
        """Whether a subclass defines what is done with a gradient."""
        return type(self)._resource_apply_dense is not OwnRules._resource_apply_dense

    def _own_updates(self, pairs: list[tuple[Any, Any]]) -> list[Any]:
        self._create_slots([v for _, v in pairs])
        ops = []
        for grad, var in pairs:
            if isinstance(grad, IndexedSlices):
                once, _ = summed_once(grad.values, grad.indices)
                ops.append(self._resource_apply_sparse(once, var, grad.indices))
            else:
                ops.append(self._resource_apply_dense(grad, var))
        return ops

    # ------------------------------------------------------------ hyperparameters
    def _hyper(self) -> dict[str, Any]:
        return self.__dict__.setdefault("_hyperparameters", {})  # type: ignore[no-any-return]

    def _set_hyper(self, name: str, value: Any) -> None:
        """Keeps a hyperparameter; it is an attribute, too."""
        if name == "learning_rate":
            self.lr = value
        elif name != "decay":
            self._hyper()[name] = value

    def _get_hyper(self, name: str, dtype: Any = None) -> Any:
        """The hyperparameter as a tensor."""
        value = self.lr if name == "learning_rate" else self._hyper()[name]
        value = value() if callable(value) and not is_tensor_like(value) else value
        return K.cast(value, as_dtype(dtype or floatx()))

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__.get("_hyperparameters", {})
        if name in found:
            return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _serialize_hyperparameter(self, name: str) -> Any:
        """The value for get_config."""
        value = self.lr if name == "learning_rate" else self._hyper()[name]
        if is_tensor_like(value):
            return np.asarray(get_value(value)).item()
        if hasattr(value, "get_config"):
            return {"class_name": type(value).__name__, "config": value.get_config()}
        return value() if callable(value) else value

    def _rate_now(self) -> Tensor:
        raise NotImplementedError

    def _decayed_lr(self, var_dtype: Any) -> Tensor:
        """The learning rate of this update."""
        return K.cast(self._rate_now(), as_dtype(var_dtype))

    def _prepare_local(self, var_device: Any, var_dtype: Any, apply_state: Any) -> None:
        apply_state[(var_device, var_dtype)]["lr_t"] = self._decayed_lr(var_dtype)

    def _fallback_apply_state(self, var_device: Any, var_dtype: Any) -> dict[str, Any]:
        """The tensors that `_prepare_local` makes."""
        state: dict[Any, dict[str, Any]] = {(var_device, var_dtype): {}}
        self._prepare_local(var_device, var_dtype, state)
        return state[(var_device, var_dtype)]

    # ------------------------------------------------------------ slots
    def _slot(self, param: Any, name: str, value: Any = 0.0) -> Any:
        raise NotImplementedError

    def add_slot(self, var: Any, slot_name: str, initializer: Any = "zeros") -> Any:
        """A variable of the shape of `var`; `initializer`: a name, or a function of the shape."""
        return self._slot(var, slot_name, initializer)

    def _resource_scatter_add(self, x: Any, i: Any, v: Any) -> Any:
        return x.scatter_add(IndexedSlices(v, i))

    def _resource_scatter_update(self, x: Any, i: Any, v: Any) -> Any:
        return x.scatter_update(IndexedSlices(v, i))
