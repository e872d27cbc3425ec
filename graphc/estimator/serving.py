"""How a served model gets its features: receivers and functions that make them.

Lives here: ServingInputReceiver, build_raw_serving_input_receiver_fn and its parsing kin. Not here:
SavedModels (exporting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from graphc.ir.dtypes import string
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.tf1.framework import placeholder

__all__ = [
    "ServingInputReceiver", "SupervisedInputReceiver", "TensorServingInputReceiver",
    "build_parsing_serving_input_receiver_fn", "build_raw_serving_input_receiver_fn",
    "build_raw_supervised_input_receiver_fn",
]  # fmt: skip

class _Receiver(NamedTuple):
    """The fields of receivers."""

    features: Any
    receiver_tensors: Any
    receiver_tensors_alternatives: Any


def _receivers(given: Any) -> dict[str, Any]:
    """The placeholders by name; one alone is called "input"."""
    found = dict(given) if isinstance(given, Mapping) else {"input": given}
    for name, tensor in found.items():
        if not isinstance(name, str):
            raise ValueError(f"receiver_tensor keys must be strings: {name}.")
        _check_tensor(tensor, f"receiver_tensor {name}")
    return found


def _check_tensor(tensor: Any, name: str) -> None:
    if not (is_tensor_like(tensor) or hasattr(tensor, "dense_shape")):
        raise ValueError(f"{name} must be a Tensor, SparseTensor, or RaggedTensor.")


class ServingInputReceiver(_Receiver):
    """What is fed to a served model, and the features made of it.

    Args:
        features: a tensor (then called "feature") or a dict of tensors, for model_fn.
        receiver_tensors: placeholders, one or a dict. receiver_tensors_alternatives: dicts of other
            tensors that may be fed instead, by name.

    Raises:
        ValueError: something that is no tensor, keys that are no strings.
    """

    __slots__ = ()

    def __new__(
        cls, features: Any, receiver_tensors: Any, receiver_tensors_alternatives: Any = None
    ) -> ServingInputReceiver:
        if features is None:
            raise ValueError("features must be defined.")
        found = dict(features) if isinstance(features, Mapping) else {"feature": features}
        for name, tensor in found.items():
            _check_tensor(tensor, f"feature {name}")
        return super().__new__(
            cls, found, _receivers(receiver_tensors), receiver_tensors_alternatives
        )


class TensorServingInputReceiver(_Receiver):
    """As ServingInputReceiver, for a model_fn whose features are one tensor, not a dict."""

    __slots__ = ()

    def __new__(
        cls, features: Any, receiver_tensors: Any, receiver_tensors_alternatives: Any = None
    ) -> TensorServingInputReceiver:
        _check_tensor(features, "feature")
        return super().__new__(
            cls, features, _receivers(receiver_tensors), receiver_tensors_alternatives
        )


class _Supervised(NamedTuple):
    """The fields of SupervisedInputReceiver."""

    features: Any
    labels: Any
    receiver_tensors: Any


class SupervisedInputReceiver(_Supervised):
    """What is fed to an exported training or evaluation graph.

    Raises:
        ValueError: features or labels that are no tensors.
    """

    __slots__ = ()

    def __new__(
        cls, features: Any, labels: Any, receiver_tensors: Any
    ) -> SupervisedInputReceiver:
        for what, value in (("feature", features), ("label", labels)):
            if value is None:
                raise ValueError(f"{what}s must be defined.")
            parts = value if isinstance(value, Mapping) else {what: value}
            for name, tensor in parts.items():
                _check_tensor(tensor, f"{what} {name}")
        return super().__new__(cls, features, labels, _receivers(receiver_tensors))


def build_parsing_serving_input_receiver_fn(
    feature_spec: Mapping[str, Any], default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """A function that makes a receiver of serialized tf.train.Examples.

    Args:
        feature_spec: as for tf.parse_example.
    """

    def serving_input_receiver_fn() -> ServingInputReceiver:
        from graphc.tf1.parsing import parse_example

        serialized = placeholder(string, [default_batch_size], "input_example_tensor")
        return ServingInputReceiver(
            parse_example(serialized, feature_spec), {"examples": serialized}
        )

    return serving_input_receiver_fn


def build_raw_serving_input_receiver_fn(
    features: Mapping[str, Any], default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """A function that makes a receiver whose placeholders are the features themselves.

    Args:
        features: arrays or tensors by name: their dtypes, and their shapes without the batch.
    """

    def serving_input_receiver_fn() -> ServingInputReceiver:
        made = _placeholders(features, "feature", default_batch_size)
        return ServingInputReceiver(made, dict(made))

    return serving_input_receiver_fn


def _placeholders(values: Any, default_name: str, batch: int | None) -> Any:
    """Placeholders of the values' dtypes and shapes, in the values' structure."""
    if isinstance(values, Mapping):
        return {name: _placeholder(value, name, batch) for name, value in values.items()}
    return _placeholder(values, default_name, batch)


def _placeholder(value: Any, name: str, batch: int | None) -> Any:
    tensor = value if is_tensor_like(value) else convert_to_tensor(value)
    return placeholder(tensor.dtype, [batch, *tensor.get_shape().as_list()[1:]], name)


def build_raw_supervised_input_receiver_fn(
    features: Any, labels: Any, default_batch_size: int | None = None
) -> Callable[[], SupervisedInputReceiver]:
    """A function that makes a receiver whose placeholders are features and labels themselves.

    Raises:
        ValueError: a name that features and labels share.
    """
    both = [
        set(v) if isinstance(v, Mapping) else {d}
        for v, d in ((features, "input"), (labels, "label"))
    ]
    if both[0] & both[1]:
        raise ValueError(f"Overlapping feature and label keys: {sorted(both[0] & both[1])}")

    def supervised_input_receiver_fn() -> SupervisedInputReceiver:
        x = _placeholders(features, "input", default_batch_size)
        y = _placeholders(labels, "label", default_batch_size)
        receivers = dict(x) if isinstance(x, Mapping) else {"input": x}
        receivers.update(y if isinstance(y, Mapping) else {"label": y})
        return SupervisedInputReceiver(x, y, receivers)

    return supervised_input_receiver_fn
