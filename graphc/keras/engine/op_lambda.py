"""Functions of tf between layers, as files of TF 2 name them: "math.multiply", "nn.relu".

Lives here: OpLambda and the list of functions that a file may name. All of them compute tensors
from tensors: nothing that a file names can read, write or call anything else. Not here: ops of the
graph between layers (engine/op_layer.py). Imports keras.engine.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from graphc.ir.node import Tensor
from graphc.keras.engine.base_layer import Layer
from graphc.keras.engine.nodes import unpack

__all__ = ["OpLambda"]

# module: functions whose arguments and results are those of TF 2
_FUNCTIONS = {
    "api_math": """abs acos add asin atan cast ceil cos cosh divide equal erf exp expm1 floor
        floordiv floormod greater greater_equal less less_equal log log1p logical_and logical_not
        logical_or maximum minimum multiply negative not_equal pow reciprocal round rsqrt sigmoid
        sign sin sinh sqrt square squared_difference subtract tan tanh truediv""",
    "api_reduce": """argmax argmin cumprod cumsum reduce_all reduce_any reduce_logsumexp reduce_max
        reduce_mean reduce_min reduce_prod reduce_std reduce_sum reduce_variance""",
    "api_nn": """crelu elu gelu leaky_relu log_softmax relu relu6 selu silu softmax softplus
        softsign swish""",
    "api_normalize": "l2_normalize",
    "api_array": """broadcast_to concat expand_dims pad reshape reverse shape split squeeze stack
        tile transpose unstack""",
    "api_create": "one_hot ones_like zeros_like",
    "api_clip": "clip_by_value",
    "api_index": "gather",
    "api_linalg": "matmul norm",
    "api_image": "depth_to_space space_to_depth",
    "einsum": "einsum tensordot",
    "framework": "convert_to_tensor identity stop_gradient",
}  # fmt: skip
_PLACES = {name: module for module, names in _FUNCTIONS.items() for name in names.split()}
_SPACES = ("", "math", "nn", "linalg", "compat.v1", "compat.v1.math", "compat.v1.nn")
_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "pow": operator.pow, "floordiv": operator.floordiv, "mod": operator.mod, "ne": operator.ne,
    "eq": operator.eq,
}  # fmt: skip


class _Place(NamedTuple):
    """Where the tensor of this number stands among the arguments."""

    number: int


def _function(symbol: str) -> Callable[..., Any] | None:
    space, _, name = str(symbol).rpartition(".")
    if space == "__operators__":
        known = _OPERATORS.get(name)
        return None if known is None else lambda x, y: known(x, y)
    if space in _SPACES and name in _PLACES:
        module = importlib.import_module(f"graphc.tf1.{_PLACES[name]}")
        return getattr(module, name)  # type: ignore[no-any-return]
    return None


def _key(spec: Any) -> Any:
    """The index that a file describes."""
    if isinstance(spec, dict) and spec.get("class_name") == "__ellipsis__":
        return Ellipsis
    if isinstance(spec, dict):
        return slice(spec.get("start"), spec.get("stop"), spec.get("step"))
    return spec


def _sliced(x: Any, slice_spec: Any) -> Any:
    keys = slice_spec if isinstance(slice_spec, list | tuple) else [slice_spec]
    return x[tuple(_key(k) for k in keys)]


class OpLambda(Layer):
    """A function of tf as a layer; tensors may stand anywhere among its arguments.

    Raises:
        ValueError: a function that is not in the list of those that files may name.
    """

    _keras_name = "TFOpLambda"

    def __init__(self, function: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        found = _sliced if function == "__operators__.getitem" else _function(function)
        if found is None:
            raise ValueError(
                f"Layer {self.name}: a file cannot use the function tf.{function} here. Build the "
                "model in Python and load its weights."
            )
        self.function, self._apply_function = function, found
        self.built = True

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        tensors: list[Tensor] = []

        def taken(value: Any) -> Any:
            if isinstance(value, Tensor):
                tensors.append(value)
                return _Place(len(tensors) - 1)
            if isinstance(value, list | tuple):
                return [taken(v) for v in value]
            return {k: taken(v) for k, v in value.items()} if isinstance(value, dict) else value

        kwargs.pop("name", None)
        form = [taken([inputs, *args]), taken(kwargs)]
        return super().__call__(unpack(tensors), form=form)

    def call(self, inputs: Any, form: Any = None) -> Any:  # type: ignore[override]
        tensors = inputs if isinstance(inputs, list) else [inputs]
        given, named = _filled(form, tensors)
        return self._apply_function(*given, **named)

    def described_call(self, arguments: dict[str, Any], references: list[Any]) -> Any:
        """A call as TF 2 writes it: the first argument with the others beside it."""
        (first, *_), named = _filled(arguments["form"], references)
        extra = {**named, "name": None}
        if isinstance(first, list) and first and isinstance(first[0], list):
            return [[*ref, extra] for ref in first]
        if isinstance(first, list):
            return [*first, extra]
        return ["_CONSTANT_VALUE", -1, first, extra]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.function}


def _filled(form: Any, values: list[Any]) -> Any:
    if isinstance(form, _Place):
        return values[form.number]
    if isinstance(form, list):
        return [_filled(v, values) for v in form]
    if isinstance(form, dict):
        return {k: _filled(v, values) for k, v in form.items()}
    return form
