"""tf.losses: losses with weights; names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.losses": """
            Reduction absolute_difference add_loss compute_weighted_loss cosine_distance
            get_losses get_regularization_loss get_regularization_losses get_total_loss hinge_loss
            huber_loss log_loss mean_pairwise_squared_error mean_squared_error
            sigmoid_cross_entropy softmax_cross_entropy sparse_softmax_cross_entropy""",
    },
)
