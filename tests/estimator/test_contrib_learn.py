"""tf.contrib.learn's estimators, experiments and monitors; tf.contrib.layers' columns."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

import graphc as tf
from tests.surface.test_aliases import run

learn = tf.contrib.learn
layers = tf.contrib.layers


@pytest.fixture
def iris() -> tuple[Any, Any, Any, Any]:
    data = load_iris()
    order = np.random.RandomState(0).permutation(150)
    x, y = data.data[order], data.target[order]
    return x[:120], y[:120], x[120:], y[120:]


def test_the_first_classifier_of_every_course(tmp_path: Path, iris: Any) -> None:
    x, y, test_x, test_y = iris
    classifier = learn.DNNClassifier(
        feature_columns=[layers.real_valued_column("", dimension=4)], hidden_units=[10, 20, 10],
        n_classes=3, model_dir=str(tmp_path), config=learn.RunConfig(tf_random_seed=1),
    )  # fmt: skip
    classifier.fit(x=x, y=y, steps=300)
    result = classifier.evaluate(x=test_x, y=test_y)
    assert result["accuracy"] > 0.9
    assert result["global_step"] == 300
    assert list(classifier.predict(test_x))[:5] == list(classifier.predict_classes(test_x))[:5]
    classes = classifier.predict_classes(test_x, as_iterable=False)
    assert np.mean(classes == test_y) == pytest.approx(result["accuracy"], abs=1e-6)
    likely = classifier.predict_proba(test_x, as_iterable=False)
    np.testing.assert_allclose(likely.sum(1), 1, atol=1e-5)
    again = learn.SKCompat(classifier).predict(test_x)
    assert sorted(again) == ["classes", "logits", "probabilities"]
    np.testing.assert_array_equal(again["classes"], classes)


def test_columns_are_inferred_and_metrics_added(tmp_path: Path, iris: Any) -> None:
    x, y, test_x, test_y = iris
    model = learn.LinearClassifier(
        learn.infer_real_valued_columns_from_input(x), str(tmp_path), n_classes=3,
        gradient_clip_norm=5.0,
    )  # fmt: skip
    model.fit(x, y, steps=60, batch_size=40)
    mean = learn.MetricSpec(
        lambda predictions, labels: tf.metrics.mean(tf.cast(predictions, tf.float32)),
        prediction_key="classes",
    )
    result = model.evaluate(
        test_x, test_y, metrics={"mean": mean, ("acc", "classes"): tf.metrics.accuracy}
    )
    classes = model.predict_classes(test_x, as_iterable=False)
    assert result["mean"] == pytest.approx(classes.mean(), rel=1e-5)
    assert result["acc"] == result["accuracy"]
    with pytest.raises(ValueError, match="Either x or input_fn must be provided"):
        model.fit(y=y, steps=1)


def test_regressors_give_scores(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 30)
    model = learn.LinearRegressor(
        [layers.real_valued_column("x")], str(tmp_path),
        optimizer=tf.train.GradientDescentOptimizer(0.3),
    )  # fmt: skip
    model.fit({"x": x}, 3 * x + 1, steps=100)
    scores = model.predict({"x": x}, as_iterable=False)
    np.testing.assert_allclose(scores, 3 * x + 1, atol=0.02)
    assert next(model.predict_scores({"x": x})) == scores[0]
    assert model.evaluate({"x": x}, 3 * x + 1)["loss"] < 1e-3


def model_fn(features: Any, labels: Any, mode: str, params: Any) -> Any:
    """A line, as scripts of 2017 write it."""
    w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
    y = w * features
    if mode == learn.ModeKeys.INFER:
        return learn.ModelFnOps(mode, predictions={"y": y})
    loss = tf.losses.mean_squared_error(labels, y)
    train = layers.optimize_loss(
        loss, tf.contrib.framework.get_global_step(), learning_rate=params["rate"],
        optimizer="SGD",
    )  # fmt: skip
    return learn.ModelFnOps(mode, predictions={"y": y}, loss=loss, train_op=train)


X = np.linspace(-1, 1, 16, dtype=np.float32)


def test_an_estimator_by_a_function(tmp_path: Path) -> None:
    model = learn.Estimator(model_fn, str(tmp_path), params={"rate": 0.5})
    model.fit(X, 2 * X, steps=40)
    assert model.get_variable_value("w") == pytest.approx(2, abs=1e-3)
    assert model.evaluate(X, 2 * X)["loss"] < 1e-5
    rows = list(model.predict(X))
    assert rows[0]["y"] == pytest.approx(-2, abs=1e-3)
    assert model.predict(X, as_iterable=False)["y"].shape == (16,)


def test_tuples_are_model_functions_results_too(tmp_path: Path) -> None:
    def old(features: Any, targets: Any) -> Any:
        ops = model_fn(features, targets, "train", {"rate": 0.5})
        return ops.predictions, ops.loss, ops.train_op

    model = learn.Estimator(old, str(tmp_path))
    model.fit(X, 2 * X, steps=40)
    assert model.get_variable_value("w") == pytest.approx(2, abs=1e-3)
    with pytest.raises(ValueError, match="Unrecognized value returned by model_fn"):
        learn.Estimator(lambda features, labels: 3, str(tmp_path / "b")).fit(X, X, steps=1)


def train_input() -> Any:
    return tf.data.Dataset.from_tensor_slices((X, 2 * X)).repeat().batch(16)


def eval_input() -> Any:
    return tf.data.Dataset.from_tensor_slices((X, 2 * X)).batch(16)


def test_a_validation_monitor_stops_early(tmp_path: Path) -> None:
    config = learn.RunConfig(save_checkpoints_steps=2)
    model = learn.Estimator(model_fn, str(tmp_path), config, {"rate": 0.0})
    monitor = learn.monitors.ValidationMonitor(
        X, 2 * X, every_n_steps=2, early_stopping_rounds=6
    )
    model.fit(input_fn=train_input, steps=100, monitors=[monitor])
    assert monitor.early_stopped
    assert monitor.best_value == pytest.approx(np.mean((2 * X) ** 2), rel=1e-4)
    assert int(model.get_variable_value("global_step")) < 20


def test_experiments_and_their_runner(tmp_path: Path) -> None:
    def experiment_fn(folder: Any) -> Any:
        config = learn.RunConfig(save_checkpoints_steps=10)
        return learn.Experiment(
            learn.Estimator(model_fn, folder, config, {"rate": 0.5}), train_input, eval_input,
            train_steps=30, eval_steps=1, min_eval_frequency=10,
            eval_metrics={"mae": learn.MetricSpec(tf.metrics.mean_absolute_error)},
        )  # fmt: skip

    result, _ = learn.learn_runner.run(experiment_fn, str(tmp_path))
    assert result["global_step"] == 30
    assert result["mae"] < 0.01
    assert list((tmp_path / "eval_validation").glob("events*"))
    only = learn.learn_runner.run(experiment_fn, str(tmp_path / "b"), schedule="train")
    assert isinstance(only, learn.Estimator)
    with pytest.raises(ValueError, match="Schedule references non-existent task dance"):
        learn.learn_runner.run(experiment_fn, str(tmp_path), schedule="dance")
    with pytest.raises(TypeError, match="did not return an Experiment instance"):
        learn.learn_runner.run(lambda folder: 3, str(tmp_path))


def test_experiments_of_tf_estimators(tmp_path: Path) -> None:
    columns = [tf.feature_column.numeric_column("x")]
    model = tf.estimator.LinearRegressor(
        columns, str(tmp_path), optimizer=tf.train.GradientDescentOptimizer(0.02)
    )
    train = tf.estimator.inputs.numpy_input_fn({"x": X}, 2 * X, 16, None, shuffle=False)
    test = tf.estimator.inputs.numpy_input_fn({"x": X}, 2 * X, 16, 1, shuffle=False)
    experiment = learn.Experiment(
        model, train, test, train_steps=40, train_steps_per_iteration=20
    )
    result, _ = experiment.continuous_train_and_eval()
    assert result["global_step"] == 40
    assert experiment.evaluate()["average_loss"] == pytest.approx(result["average_loss"])


def test_columns_of_contrib_layers() -> None:
    job = layers.sparse_column_with_keys("job", ["a", "b"])
    city = layers.sparse_column_with_hash_bucket("city", 5)
    age = layers.bucketized_column(layers.real_valued_column("age"), [30.0])
    features = {
        "job": tf.constant(["a", "b"]), "city": tf.constant(["x", "x"]),
        "age": tf.constant([20.0, 40.0]),
    }  # fmt: skip
    out = layers.input_from_feature_columns(
        features, [layers.one_hot_column(job), age, layers.embedding_column(city, 2)]
    )
    logits, variables, bias = layers.weighted_sum_from_feature_columns(
        features, [job, age, layers.crossed_column([job, city], 7)], num_outputs=1
    )
    assert sorted(layers.create_feature_spec_for_parsing([job, city, age])) == [
        "age", "city", "job",
    ]  # fmt: skip
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(out)
        assert session.run(logits).tolist() == [[0], [0]]
    assert got[:, :2].tolist() == [[1, 0], [0, 1]]
    assert got[0, 2:4].tolist() == got[1, 2:4].tolist()
    assert got[:, 4:].tolist() == [[1, 0], [0, 1]]
    assert len(variables) == 3
    assert bias.shape.as_list() == [1]


def test_inner_paths() -> None:
    code = """
        import graphc
        graphc.install_as_tensorflow()
        import tensorflow as tf
        from tensorflow.contrib.learn.python.learn import learn_runner
        from tensorflow.contrib.learn.python.learn.estimators import estimator
        from tensorflow.contrib.learn.python.learn.metric_spec import MetricSpec
        from tensorflow.contrib import learn
        assert learn_runner.run is learn.learn_runner.run
        assert estimator.SKCompat is learn.SKCompat and MetricSpec is learn.MetricSpec
        print(tf.contrib.learn.python.learn.estimators.estimator.Estimator is learn.Estimator)
    """
    assert run(textwrap.dedent(code)) == "True\n"
