"""tf.estimator: models that train, evaluate and predict. Names are imported when first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.estimator.model_fn": "EstimatorSpec ModeKeys",
        "graphc.estimator.run_config": "RunConfig",
        "graphc.estimator.estimator": "Estimator",
        "graphc.estimator.extenders": "add_metrics",
        "graphc.estimator.warm_start": "VocabInfo WarmStartSettings",
        "graphc.estimator.training": "EvalSpec TrainSpec train_and_evaluate",
        "graphc.estimator.exporter": "BestExporter Exporter FinalExporter LatestExporter",
        "graphc.estimator.heads": "BinaryClassHead Head MultiClassHead MultiLabelHead",
        "graphc.estimator.heads_regression": """
            LogisticRegressionHead PoissonRegressionHead RegressionHead""",
        "graphc.estimator.baseline": "BaselineClassifier BaselineEstimator BaselineRegressor",
        "graphc.estimator.linear": "LinearClassifier LinearEstimator LinearRegressor",
        "graphc.estimator.dnn": "DNNClassifier DNNEstimator DNNRegressor",
        "graphc.estimator.combined": """
            DNNLinearCombinedClassifier DNNLinearCombinedEstimator DNNLinearCombinedRegressor""",
    },
    "experimental export inputs",
)
