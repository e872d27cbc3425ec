"""Heads: losses, metrics, predictions and outputs of the models that are there already.

Lives here: Head and its kinds for classification. Not here: regression (heads_regression.py), the
models (dnn.py, linear.py, ...). Users give heads to DNNEstimator and its kin, or to a model_fn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.estimator import head_ops as ops
from graphc.estimator.export_output import ClassificationOutput, PredictOutput, RegressionOutput
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.ir.dtypes import float32, int32, int64, string
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Tensor
from graphc.ops.define import F
from graphc.tf1 import metrics_confusion, metrics_mean, metrics_thresholds, summary
from graphc.tf1.api_state import get_global_step
from graphc.tf1.losses import compute_weighted_loss
from graphc.tf1.ops_misc import group

__all__ = ["BinaryClassHead", "Head", "MultiClassHead", "MultiLabelHead"]

_DEFAULT_SERVING = "serving_default"
SUM = "weighted_sum"
SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"


class Head:
    """What turns logits into an EstimatorSpec (tf.estimator.Head).

    Args:
        weight_column: a feature, or numeric column, that weights the examples.
        loss_reduction: of tf.losses.Reduction. loss_fn: of (labels, logits), and features and
            loss_reduction where it names them: the loss of each example [batch, 1].
        name: of the head: metrics and summaries end in "/name".
    """

    def __init__(
        self,
        weight_column: Any = None,
        loss_reduction: str = SUM_OVER_BATCH_SIZE,
        loss_fn: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None:
        ops.check_reduction(loss_reduction)
        self._weight_column = weight_column
        self._loss_reduction = loss_reduction
        self._loss_fn = loss_fn
        self._name = name

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def loss_reduction(self) -> str:
        return self._loss_reduction

    @property
    def logits_dimension(self) -> int:
        """The extent of the last axis of the logits."""
        raise NotImplementedError

    # ------------------------------------------------------------ what kinds define
    def processed_labels(self, labels: Any) -> Tensor:
        """Labels as the loss needs them. Raises ValueError for None or another shape."""
        raise NotImplementedError

    def example_losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        """The loss of each example, before weights."""
        raise NotImplementedError

    def predictions(self, logits: Any) -> dict[str, Tensor]:
        """What PREDICT gives, by name."""
        raise NotImplementedError

    def outputs(self, predictions: Mapping[str, Tensor]) -> dict[str, Any]:
        """Export outputs by name."""
        raise NotImplementedError

    def metrics_of(
        self, labels: Tensor, predictions: Mapping[str, Tensor], losses: Tensor, weights: Any
    ) -> dict[str, Any]:
        """(value, update op) by name."""
        raise NotImplementedError

    # ------------------------------------------------------------ what they share
    def _key(self, name: str) -> str:
        return f"{name}/{self._name}" if self._name else name

    def _losses(self, labels: Tensor, logits: Tensor, features: Any) -> Tensor:
        if self._loss_fn is None:
            return self.example_losses(labels, logits)
        return ops.call_loss_fn(
            self._loss_fn, labels, logits, features, self._loss_reduction
        )

    def loss(
        self,
        labels: Any,
        logits: Any,
        features: Any = None,
        mode: str | None = None,
        regularization_losses: Sequence[Any] | None = None,
    ) -> Tensor:
        """The training loss: reduced, with the regularization losses."""
        y = self.processed_labels(labels)
        weights = ops.weights_of(features, self._weight_column)
        return self._reduced(
            self._losses(y, ops.checked_logits(logits, self.logits_dimension), features),
            weights, regularization_losses,
        )  # fmt: skip

    def _reduced(self, losses: Tensor, weights: Any, regularization: Any) -> Tensor:
        loss = compute_weighted_loss(losses, weights, reduction=self._loss_reduction)
        extra = list(regularization or ())
        return F.add_n(loss, *extra) if extra else loss

    def create_estimator_spec(
        self,
        features: Any,
        mode: str,
        logits: Any,
        labels: Any = None,
        optimizer: Any = None,
        trainable_variables: Sequence[Any] | None = None,
        train_op_fn: Callable[[Tensor], Any] | None = None,
        update_ops: Sequence[Any] | None = None,
        regularization_losses: Sequence[Any] | None = None,
    ) -> EstimatorSpec:
        """The EstimatorSpec of a mode.

        Args:
            optimizer or train_op_fn: what makes the training op of the loss (TRAIN).
            trainable_variables: which the optimizer changes. update_ops: run with the training
                op, default UPDATE_OPS. regularization_losses: added to the loss.

        Raises:
            ValueError: no labels, or not exactly one of optimizer and train_op_fn.
        """
        logits = ops.checked_logits(logits, self.logits_dimension)
        predictions = self.predictions(logits)
        if mode == ModeKeys.PREDICT:
            return EstimatorSpec(
                mode, predictions=predictions, export_outputs=self.outputs(predictions)
            )
        y = self.processed_labels(labels)
        weights = ops.weights_of(features, self._weight_column)
        losses = self._losses(y, logits, features)
        loss = self._reduced(losses, weights, regularization_losses)
        if mode == ModeKeys.EVAL:
            metrics = self.metrics_of(y, predictions, losses, weights)
            named = self._named(metrics, regularization_losses)
            return EstimatorSpec(mode, predictions, loss, eval_metric_ops=named)
        train = self._train_op(loss, optimizer, trainable_variables, train_op_fn)
        if update_ops is None:
            update_ops = get_default_graph().get_collection(GraphKeys.UPDATE_OPS)
        if update_ops:
            train = group(train, *update_ops)
        with get_default_graph().name_scope(""):
            summary.scalar(self._key("loss"), loss)
            if self._loss_reduction == SUM:
                mean = compute_weighted_loss(losses, weights, reduction="weighted_mean")
                summary.scalar(self._key("average_loss"), mean)
        return EstimatorSpec(mode, predictions, loss, train)

    def _named(self, metrics: dict[str, Any], regularization: Any) -> dict[str, Any]:
        """The metrics under the head's name, with the mean of what is added to the loss."""
        if regularization:
            metrics["regularization_loss"] = metrics_mean.mean(F.add_n(*regularization))
        return {self._key(k): v for k, v in metrics.items()}

    def _train_op(self, loss: Tensor, optimizer: Any, variables: Any, train_op_fn: Any) -> Any:
        if optimizer is not None and train_op_fn is not None:
            raise ValueError("train_op_fn and optimizer cannot both be set.")
        if optimizer is not None:
            return optimizer.minimize(
                loss, global_step=get_global_step(), var_list=variables
            )
        if train_op_fn is None:
            raise ValueError("train_op_fn and optimizer cannot both be None.")
        return train_op_fn(loss)


# ------------------------------------------------------------------ classification
class _ClassHead(Head):
    """What the heads of exclusive classes share."""

    def __init__(
        self, classes: int, label_vocabulary: Sequence[str] | None, *shared: Any
    ) -> None:
        super().__init__(*shared)
        if label_vocabulary is not None and not isinstance(label_vocabulary, list | tuple):
            raise ValueError(
                f"label_vocabulary should be a list or a tuple. Given type: "
                f"{type(label_vocabulary)}"
            )
        if label_vocabulary is not None and len(label_vocabulary) != classes:
            raise ValueError(
                f"Length of label_vocabulary must be n_classes: {classes}. Given: "
                f"{len(label_vocabulary)}"
            )
        self._classes = classes
        self._vocabulary = label_vocabulary

    def _label_ids(self, labels: Any) -> Tensor:
        y = ops.checked_labels(labels, 1)
        if self._vocabulary is None:
            if not (y.dtype.is_integer or y.dtype.is_floating or y.dtype.is_bool):
                raise ValueError(f"Labels dtype should be integer. Instead got {y.dtype}.")
            return ops.in_range(y, self._classes)
        if y.dtype is not string:
            raise ValueError(
                "Labels dtype should be string if there is a vocabulary. Instead got "
                f"{y.dtype}"
            )
        return ops.label_places(y, self._vocabulary)

    def _class_predictions(self, ids: Tensor) -> dict[str, Tensor]:
        """The classes of the ids [batch, 1], and all that there are for each example."""
        every = ops.all_ids(ids, self._classes)
        return {
            "class_ids": ids,
            "classes": ops.class_names(ids, words=ops.as_words(self._vocabulary)),
            "all_class_ids": F.cast(every, dtype=int32),
            "all_classes": ops.class_names(every, words=ops.as_words(self._vocabulary)),
        }

    @staticmethod
    def _classification(predictions: Mapping[str, Tensor]) -> ClassificationOutput:
        return ClassificationOutput(
            scores=predictions["probabilities"], classes=predictions["all_classes"]
        )


class MultiClassHead(_ClassHead):
    """Softmax over more than two classes (tf.estimator.MultiClassHead).

    Args:
        n_classes: at least 3. label_vocabulary: the classes' names, where labels are strings.

    Raises:
        ValueError: fewer classes, another length of the vocabulary.
    """

    def __init__(
        self,
        n_classes: int,
        weight_column: Any = None,
        label_vocabulary: Sequence[str] | None = None,
        loss_reduction: str = SUM_OVER_BATCH_SIZE,
        loss_fn: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None:
        if n_classes is None or n_classes <= 2:
            raise ValueError(f"n_classes must be > 2: {n_classes}.")
        super().__init__(
            n_classes, label_vocabulary, weight_column, loss_reduction, loss_fn, name
        )

    @property
    def logits_dimension(self) -> int:
        return self._classes

    def processed_labels(self, labels: Any) -> Tensor:
        return F.cast(self._label_ids(labels), dtype=int64)

    def example_losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        return ops.softmax_losses(labels, logits)

    def predictions(self, logits: Any) -> dict[str, Tensor]:
        ids = ops.column(ops.argmax(logits, -1))
        found = {"logits": logits, "probabilities": ops.softmax(logits)}
        return {**found, **self._class_predictions(ids)}

    def outputs(self, predictions: Mapping[str, Tensor]) -> dict[str, Any]:
        scores = self._classification(predictions)
        return {
            _DEFAULT_SERVING: scores, "classification": scores,
            "predict": PredictOutput(predictions),
        }  # fmt: skip

    def metrics_of(
        self, labels: Tensor, predictions: Mapping[str, Tensor], losses: Tensor, weights: Any
    ) -> dict[str, Any]:
        return {
            "average_loss": metrics_mean.mean(losses, weights),
            "accuracy": metrics_mean.accuracy(labels, predictions["class_ids"], weights),
        }


class BinaryClassHead(_ClassHead):
    """A sigmoid for two classes (tf.estimator.BinaryClassHead).

    Args:
        thresholds: also report accuracy, precision and recall at these probabilities.

    Raises:
        ValueError: thresholds outside of (0, 1), a vocabulary of another length.
    """

    def __init__(
        self,
        weight_column: Any = None,
        thresholds: Sequence[float] | None = None,
        label_vocabulary: Sequence[str] | None = None,
        loss_reduction: str = SUM_OVER_BATCH_SIZE,
        loss_fn: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(2, label_vocabulary, weight_column, loss_reduction, loss_fn, name)
        self._thresholds = tuple(thresholds or ())
        for threshold in self._thresholds:
            if not 0.0 < threshold < 1.0:
                raise ValueError(f"thresholds not in (0, 1): {self._thresholds}.")

    @property
    def logits_dimension(self) -> int:
        return 1

    def processed_labels(self, labels: Any) -> Tensor:
        return F.cast(self._label_ids(labels), dtype=float32)

    def example_losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        return ops.sigmoid_losses(labels, logits)

    def predictions(self, logits: Any) -> dict[str, Tensor]:
        both = ops.with_zeros_before(logits)
        ids = ops.column(ops.argmax(both, -1))
        found = {
            "logits": logits,
            "logistic": F.sigmoid(logits, name="logistic"),
            "probabilities": ops.softmax(both),
        }
        return {**found, **self._class_predictions(ids)}

    def outputs(self, predictions: Mapping[str, Tensor]) -> dict[str, Any]:
        scores = self._classification(predictions)
        return {
            _DEFAULT_SERVING: scores, "classification": scores,
            "regression": RegressionOutput(predictions["logistic"]),
            "predict": PredictOutput(predictions),
        }  # fmt: skip

    def metrics_of(
        self, labels: Tensor, predictions: Mapping[str, Tensor], losses: Tensor, weights: Any
    ) -> dict[str, Any]:
        logistic, ids = predictions["logistic"], predictions["class_ids"]
        label_mean = metrics_mean.mean(labels, weights)
        spread = ops.broadcast(weights, logistic)
        found = {
            "average_loss": metrics_mean.mean(losses, weights),
            "accuracy": metrics_mean.accuracy(labels, ids, weights),
            "precision": metrics_confusion.precision(labels, ids, weights),
            "recall": metrics_confusion.recall(labels, ids, weights),
            "prediction/mean": metrics_mean.mean(logistic, spread),
            "label/mean": label_mean,
            "accuracy_baseline": tuple(ops.at_least_half(part) for part in label_mean),
            "auc": metrics_thresholds.auc(labels, logistic, weights),
            "auc_precision_recall": metrics_thresholds.auc(
                labels, logistic, weights, curve="PR", summation_method="careful_interpolation"
            ),
        }
        for threshold in self._thresholds:
            found.update(ops.metrics_at(threshold, labels, logistic, weights))
        return found


class MultiLabelHead(Head):
    """A sigmoid for each of several classes that do not exclude each other.

    Labels are many-hot [batch, n_classes].

    Raises:
        ValueError: fewer than 2 classes, thresholds outside of (0, 1).
    """

    def __init__(
        self,
        n_classes: int,
        weight_column: Any = None,
        thresholds: Sequence[float] | None = None,
        label_vocabulary: Sequence[str] | None = None,
        loss_reduction: str = SUM_OVER_BATCH_SIZE,
        loss_fn: Callable[..., Any] | None = None,
        classes_for_class_based_metrics: Sequence[Any] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(weight_column, loss_reduction, loss_fn, name)
        if n_classes is None or n_classes < 2:
            raise ValueError(f"n_classes must be > 1 for multi-label classification. Given: "
                             f"{n_classes}")  # fmt: skip
        self._classes = n_classes
        self._vocabulary = label_vocabulary
        self._thresholds = tuple(thresholds or ())
        self._reported = [
            label_vocabulary.index(c) if isinstance(c, str) and label_vocabulary else int(c)
            for c in classes_for_class_based_metrics or ()
        ]
        for threshold in self._thresholds:
            if not 0.0 < threshold < 1.0:
                raise ValueError(f"thresholds not in (0, 1): {self._thresholds}.")

    @property
    def logits_dimension(self) -> int:
        return self._classes

    def processed_labels(self, labels: Any) -> Tensor:
        return F.cast(ops.checked_labels(labels, self._classes), dtype=float32)

    def example_losses(self, labels: Tensor, logits: Tensor) -> Tensor:
        losses = ops.sigmoid_losses(labels, logits)
        return F.reduce_mean(losses, axes=(-1,), keepdims=True)

    def predictions(self, logits: Any) -> dict[str, Tensor]:
        return {"logits": logits, "probabilities": F.sigmoid(logits, name="probabilities")}

    def outputs(self, predictions: Mapping[str, Tensor]) -> dict[str, Any]:
        names = ops.class_names(
            ops.all_ids(predictions["probabilities"], self._classes),
            words=ops.as_words(self._vocabulary),
        )
        scores = ClassificationOutput(scores=predictions["probabilities"], classes=names)
        return {
            _DEFAULT_SERVING: scores, "classification": scores,
            "predict": PredictOutput(predictions),
        }  # fmt: skip

    def metrics_of(
        self, labels: Tensor, predictions: Mapping[str, Tensor], losses: Tensor, weights: Any
    ) -> dict[str, Any]:
        likely = predictions["probabilities"]
        found = {
            "average_loss": metrics_mean.mean(losses, weights),
            "auc": metrics_thresholds.auc(labels, likely, weights),
            "auc_precision_recall": metrics_thresholds.auc(
                labels, likely, weights, curve="PR", summation_method="careful_interpolation"
            ),
        }
        for threshold in self._thresholds:
            found.update(ops.metrics_at(threshold, labels, likely, weights))
        for place in self._reported:
            name = self._vocabulary[place] if self._vocabulary else f"class{place}"
            chosen, true = ops.at(likely, place), ops.at(labels, place)
            found[f"probability_mean/{name}"] = metrics_mean.mean(chosen, weights)
            found[f"auc/{name}"] = metrics_thresholds.auc(true, chosen, weights)
        return found
