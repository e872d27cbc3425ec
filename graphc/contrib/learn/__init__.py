"""tf.contrib.learn: data sets and preprocessing of texts; its estimators are in tf.estimator."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib.learn._paths": """
            basic_session_run_hooks monitored_session python session_run_hook""",
        "graphc.contrib.learn._run": "ModeKeys RunConfig",
        "graphc.estimator.run_config": "TaskType",
        "graphc.train": "NanLossDuringTrainingError",
    },
    "datasets preprocessing",
)
