"""tf.estimator.experimental: hooks that look at evaluations."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.estimator.early_stopping": """
            InMemoryEvaluatorHook make_early_stopping_hook stop_if_higher_hook
            stop_if_lower_hook stop_if_no_decrease_hook stop_if_no_increase_hook""",
        "graphc.estimator.serving": "build_raw_supervised_input_receiver_fn",
    },
)
