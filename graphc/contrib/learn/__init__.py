"""tf.contrib.learn: estimators with fit, experiments, data sets, preprocessing of texts."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib.learn._paths": """
            basic_session_run_hooks monitored_session python session_run_hook""",
        "graphc.contrib.learn._canned": """
            DNNClassifier DNNLinearCombinedClassifier DNNLinearCombinedRegressor DNNRegressor
            LinearClassifier LinearRegressor infer_real_valued_columns_from_input
            infer_real_valued_columns_from_input_fn""",
        "graphc.contrib.learn._estimator": """
            BaseEstimator Estimator MetricSpec ModelFnOps SKCompat""",
        "graphc.contrib.learn._experiment": "Experiment",
        "graphc.contrib.learn._run": "ModeKeys RunConfig",
        "graphc.estimator.run_config": "TaskType",
        "graphc.train": "NanLossDuringTrainingError",
    },
    "datasets learn_runner monitors preprocessing",
)
