"""What a model gives in a SavedModel: PredictOutput, ClassificationOutput, RegressionOutput.

Lives here: the classes and the signatures they become. Not here: SavedModels (tf1/saved_model.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ir.dtypes import string
from graphc.ops.convert import is_tensor_like

__all__ = ["ClassificationOutput", "ExportOutput", "PredictOutput", "RegressionOutput"]


class ExportOutput:
    """Base of what export_outputs may hold."""

    def as_signature_def(self, receiver_tensors: Mapping[str, Any]) -> Any:
        """The SignatureDef from these inputs to this output."""
        raise NotImplementedError


def _only(receiver_tensors: Mapping[str, Any], kind: str) -> Any:
    """The one input of a signature that takes serialized examples."""
    if len(receiver_tensors) != 1:
        raise ValueError(
            f"{kind} input must be a single string Tensor; got {dict(receiver_tensors)}"
        )
    (examples,) = receiver_tensors.values()
    if examples.dtype is not string:
        raise ValueError(
            f"{kind} input must be a single string Tensor; got {dict(receiver_tensors)}"
        )
    return examples


class ClassificationOutput(ExportOutput):
    """Scores and classes of a classification.

    Raises:
        ValueError: neither; scores that are no floats, classes that are no strings.
    """

    def __init__(self, scores: Any = None, classes: Any = None) -> None:
        if scores is not None and not (is_tensor_like(scores) and scores.dtype.is_floating):
            raise ValueError(
                f"Classification scores must be a float32 Tensor; got {scores}"
            )
        if classes is not None and not (is_tensor_like(classes) and classes.dtype is string):
            raise ValueError(f"Classification classes must be a string Tensor; got {classes}")
        if scores is None and classes is None:
            raise ValueError("At least one of scores and classes must be set.")
        self._scores = scores
        self._classes = classes

    @property
    def scores(self) -> Any:
        return self._scores

    @property
    def classes(self) -> Any:
        return self._classes

    def as_signature_def(self, receiver_tensors: Mapping[str, Any]) -> Any:
        from graphc.tf1.saved_model_signatures import classification_signature_def

        examples = _only(receiver_tensors, "Classification")
        return classification_signature_def(examples, self._classes, self._scores)


class RegressionOutput(ExportOutput):
    """The value of a regression. Raises ValueError where it is no float."""

    def __init__(self, value: Any) -> None:
        if not (is_tensor_like(value) and value.dtype.is_floating):
            raise ValueError(f"Regression output value must be a float32 Tensor; got {value}")
        self._value = value

    @property
    def value(self) -> Any:
        return self._value

    def as_signature_def(self, receiver_tensors: Mapping[str, Any]) -> Any:
        from graphc.tf1.saved_model_signatures import regression_signature_def

        return regression_signature_def(_only(receiver_tensors, "Regression"), self._value)


class PredictOutput(ExportOutput):
    """Any tensors by name; one alone is called "output".

    Raises:
        ValueError: keys that are no strings, values that are no tensors.
    """

    def __init__(self, outputs: Any) -> None:
        found = dict(outputs) if isinstance(outputs, Mapping) else {"output": outputs}
        for key, value in found.items():
            if not isinstance(key, str):
                raise ValueError(f"Prediction output key must be a string; got {key}.")
            if not (is_tensor_like(value) or hasattr(value, "dense_shape")):
                raise ValueError(f"Prediction output value must be a Tensor; got {value}.")
        self._outputs = found

    @property
    def outputs(self) -> dict[str, Any]:
        return self._outputs

    def as_signature_def(self, receiver_tensors: Mapping[str, Any]) -> Any:
        from graphc.tf1.saved_model_signatures import predict_signature_def

        return predict_signature_def(dict(receiver_tensors), self._outputs)
