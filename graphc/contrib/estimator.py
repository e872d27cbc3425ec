"""tf.contrib.estimator: heads, models with heads of one's own, hooks; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.estimator.baseline": "BaselineEstimator",
        "graphc.estimator.combined": "DNNLinearCombinedEstimator",
        "graphc.estimator.dnn": "DNNEstimator",
        "graphc.estimator.linear": "LinearEstimator",
        "graphc.estimator.early_stopping": """
            InMemoryEvaluatorHook make_early_stopping_hook read_eval_metrics
            stop_if_higher_hook stop_if_lower_hook stop_if_no_decrease_hook
            stop_if_no_increase_hook""",
        "graphc.estimator.extenders": "add_metrics clip_gradients_by_norm forward_features",
        "graphc.estimator.heads": """
            binary_classification_head=BinaryClassHead multi_class_head=MultiClassHead
            multi_label_head=MultiLabelHead""",
        "graphc.estimator.heads_regression": """
            logistic_regression_head=LogisticRegressionHead
            poisson_regression_head=PoissonRegressionHead
            regression_head=RegressionHead""",
    },
)
_missing = missing("tf.contrib.estimator")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
