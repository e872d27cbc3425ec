"""tf.metrics: running means and counts; names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.metrics_mean": """
            accuracy mean mean_absolute_error mean_cosine_distance mean_relative_error
            mean_squared_error mean_tensor percentage_below root_mean_squared_error""",
        "graphc.tf1.metrics_confusion": """
            false_negatives false_positives mean_iou mean_per_class_accuracy precision recall
            true_negatives true_positives""",
        "graphc.tf1.metrics_thresholds": """
            auc false_negatives_at_thresholds false_positives_at_thresholds
            precision_at_thresholds recall_at_thresholds sensitivity_at_specificity
            specificity_at_sensitivity true_negatives_at_thresholds
            true_positives_at_thresholds""",
        "graphc.tf1.metrics_ranking": """
            average_precision_at_k precision_at_k precision_at_top_k recall_at_k recall_at_top_k
            sparse_average_precision_at_k sparse_precision_at_k""",
    },
)
