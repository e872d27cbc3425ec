"""tf.contrib.learn.monitors: what watches a training; here they are hooks."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib.learn._experiment": """
            NanLoss PrintTensor ValidationMonitor replace_monitors_with_hooks""",
        "graphc.train": """
            CheckpointSaver=CheckpointSaverHook StopAtStep=StopAtStepHook
            SummarySaver=SummarySaverHook""",
    },
)
