"""The models that are there already: they learn, and name things as TensorFlow does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

import graphc as tf
from graphc import config

fc = tf.feature_column
numpy_input_fn = tf.estimator.inputs.numpy_input_fn
SETTINGS = tf.estimator.RunConfig(tf_random_seed=3)


def iris() -> tuple[Any, Any, Any]:
    """(columns, training input, test input)."""
    data = load_iris()
    order = np.random.RandomState(0).permutation(150)
    x, y = data.data[order].astype(np.float32), data.target[order]
    names = ["SepalLength", "SepalWidth", "PetalLength", "PetalWidth"]

    def features(rows: Any) -> dict[str, Any]:
        return {n: rows[:, i] for i, n in enumerate(names)}

    return (
        [fc.numeric_column(n) for n in names],
        numpy_input_fn(features(x[:120]), y[:120], 32, None, shuffle=True),
        numpy_input_fn(features(x[120:]), y[120:], 32, 1, shuffle=False),
    )


def test_a_network_classifies_iris(tmp_path: Path) -> None:
    config.reset()  # the compiled backend, as users have it
    columns, train, test = iris()
    classifier = tf.estimator.DNNClassifier(
        feature_columns=columns, hidden_units=[10, 10], n_classes=3, model_dir=str(tmp_path),
        config=SETTINGS,
    )  # fmt: skip
    classifier.train(input_fn=train, steps=400)
    result = classifier.evaluate(input_fn=test)
    assert sorted(result) == ["accuracy", "average_loss", "global_step", "loss"]
    assert result["accuracy"] > 0.9
    assert result["loss"] == pytest.approx(30 * result["average_loss"], rel=1e-4)
    predictions = list(classifier.predict(test))
    assert len(predictions) == 30
    first = predictions[0]
    assert sorted(first) == [
        "all_class_ids", "all_classes", "class_ids", "classes", "logits", "probabilities",
    ]  # fmt: skip
    assert first["class_ids"].shape == (1,)
    assert first["classes"][0] == str(first["class_ids"][0]).encode()
    assert first["probabilities"].sum() == pytest.approx(1, abs=1e-5)
    names = [n for n in classifier.get_variable_names() if "Adagrad" not in n]
    assert names == [
        "dnn/hiddenlayer_0/bias", "dnn/hiddenlayer_0/kernel", "dnn/hiddenlayer_1/bias",
        "dnn/hiddenlayer_1/kernel", "dnn/logits/bias", "dnn/logits/kernel", "global_step",
    ]  # fmt: skip
    again = tf.estimator.DNNClassifier([10, 10], columns, str(tmp_path), 3, config=SETTINGS)
    assert again.evaluate(test)["accuracy"] == result["accuracy"]


def test_a_linear_model_classifies_iris(tmp_path: Path) -> None:
    columns, train, test = iris()
    model = tf.estimator.LinearClassifier(columns, str(tmp_path), 3, config=SETTINGS)
    model.train(train, steps=100)
    assert model.evaluate(test)["accuracy"] > 0.85
    assert model.get_variable_value("linear/linear_model/PetalWidth/weights").shape == (1, 3)
    assert model.get_variable_value("linear/linear_model/bias_weights").shape == (3,)


def test_labels_by_name(tmp_path: Path) -> None:
    words = np.array(["no", "yes"])
    x = np.linspace(-1, 1, 40, dtype=np.float32)
    y = words[(x > 0.2).astype(int)]
    model = tf.estimator.LinearClassifier(
        [fc.numeric_column("x")], str(tmp_path), label_vocabulary=["no", "yes"],
        optimizer=tf.train.GradientDescentOptimizer(0.5),
    )  # fmt: skip
    model.train(numpy_input_fn({"x": x}, y, 40, None, shuffle=False), steps=60)
    test = numpy_input_fn({"x": x}, y, 40, 1, shuffle=False)
    assert model.evaluate(test)["accuracy"] > 0.9
    ends = [p["classes"][0] for p in model.predict(test)]
    assert (ends[0], ends[-1]) == (b"no", b"yes")
    unknown = numpy_input_fn({"x": x}, np.full(40, "perhaps"), 40, 1, shuffle=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Labels must be >= 0"):
        model.evaluate(unknown)


def test_two_classes_are_measured_in_many_ways(tmp_path: Path) -> None:
    data = load_breast_cancer()
    x = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float32)
    columns = [fc.numeric_column("x", 30)]
    model = tf.estimator.DNNLinearCombinedClassifier(
        str(tmp_path), linear_feature_columns=columns, dnn_feature_columns=columns,
        dnn_hidden_units=[8], config=SETTINGS,
    )  # fmt: skip
    model.train(numpy_input_fn({"x": x}, data.target, 64, None, shuffle=True), steps=100)
    test = numpy_input_fn({"x": x}, data.target, 64, 1, shuffle=False)
    result = model.evaluate(test)
    assert result["global_step"] == 100
    assert result["accuracy"] > 0.95
    likely = np.array([p["logistic"][0] for p in model.predict(test)])
    said = likely > 0.5
    true = data.target == 1
    assert result["accuracy"] == pytest.approx((said == true).mean(), abs=1e-6)
    assert result["precision"] == pytest.approx((said & true).sum() / said.sum(), abs=1e-6)
    assert result["recall"] == pytest.approx((said & true).sum() / true.sum(), abs=1e-6)
    assert result["label/mean"] == pytest.approx(true.mean(), abs=1e-6)
    assert result["accuracy_baseline"] == pytest.approx(true.mean(), abs=1e-6)
    assert result["prediction/mean"] == pytest.approx(likely.mean(), abs=1e-5)
    losses = -np.log(np.where(true, likely, 1 - likely).clip(1e-30))
    assert result["average_loss"] == pytest.approx(losses.mean(), rel=1e-3)
    names = {n.split("/")[0] for n in model.get_variable_names()}
    assert names == {"dnn", "linear", "global_step"}


def test_regressors_come_near_least_squares(tmp_path: Path) -> None:
    data = load_diabetes()
    x = (data.data / data.data.std(0)).astype(np.float32)
    y = ((data.target - data.target.mean()) / data.target.std()).astype(np.float32)
    design = np.c_[x, np.ones(len(x))]
    best = np.mean((design @ np.linalg.lstsq(design, y, rcond=None)[0] - y) ** 2)
    columns = [fc.numeric_column("x", 10)]
    train = numpy_input_fn({"x": x}, y, 64, None, shuffle=True)
    test = numpy_input_fn({"x": x}, y, 64, 1, shuffle=False)
    linear = tf.estimator.LinearRegressor(columns, str(tmp_path / "linear"), config=SETTINGS)
    linear.train(train, steps=300)
    result = linear.evaluate(test)
    assert result["average_loss"] < 1.05 * best
    assert result["label/mean"] == pytest.approx(0, abs=1e-4)
    deep = tf.estimator.DNNRegressor(
        [16], columns, str(tmp_path / "deep"), config=SETTINGS, optimizer="Adam", dropout=0.1,
        batch_norm=True,
    )  # fmt: skip
    deep.train(train, steps=200)
    assert deep.evaluate(test)["average_loss"] < 1.2 * best
    assert "dnn/hiddenlayer_0/batchnorm_0/moving_mean" in deep.get_variable_names()
    wide = tf.estimator.DNNLinearCombinedRegressor(
        str(tmp_path / "wide"), linear_feature_columns=columns, dnn_feature_columns=columns,
        dnn_hidden_units=[4], config=SETTINGS,
    )  # fmt: skip
    wide.train(train, steps=100)
    assert wide.evaluate(test)["average_loss"] < 1.2 * best
    assert next(wide.predict(test))["predictions"].shape == (1,)


def test_baselines_learn_the_mean_of_the_labels(tmp_path: Path) -> None:
    x = {"x": np.zeros(100, np.float32)}
    train = numpy_input_fn(x, np.arange(100, dtype=np.float32), 100, None, shuffle=False)
    slow = tf.train.GradientDescentOptimizer(0.001)
    model = tf.estimator.BaselineRegressor(str(tmp_path / "r"), optimizer=slow)
    model.train(train, steps=50)
    mean = next(model.predict(numpy_input_fn(x, shuffle=False)))["predictions"]
    np.testing.assert_allclose(mean, [49.5], rtol=0.05)
    labels = np.repeat([0, 1, 2], [10, 30, 60])
    train = numpy_input_fn(x, labels, 100, None, shuffle=False)
    classes = tf.estimator.BaselineClassifier(str(tmp_path / "c"), n_classes=3)
    classes.train(train, steps=300)
    likely = next(classes.predict(numpy_input_fn(x, shuffle=False)))["probabilities"]
    np.testing.assert_allclose(likely, [0.1, 0.3, 0.6], atol=0.02)
    assert classes.get_variable_names()[:1] == ["baseline/bias"]


def test_weights_of_examples(tmp_path: Path) -> None:
    x = {"w": np.array([1, 0, 3], np.float32)}
    labels = np.array([0.0, 100.0, 4.0], np.float32)
    model = tf.estimator.BaselineRegressor(str(tmp_path), weight_column="w")
    model.train(numpy_input_fn(x, labels, 3, None, shuffle=False), steps=300)
    result = model.evaluate(numpy_input_fn(x, labels, 3, 1, shuffle=False))
    assert result["label/mean"] == pytest.approx(3.0)
    assert result["prediction/mean"] == pytest.approx(3.0, rel=0.02)
    assert result["average_loss"] == pytest.approx(3.0, rel=0.02)


# ------------------------------------------------------------------ columns of words
def people() -> tuple[dict[str, Any], Any]:
    rng = np.random.RandomState(1)
    job = rng.choice(["cook", "smith", "baker"], 200)
    age = rng.uniform(20, 60, 200).astype(np.float32)
    rich = ((job == "smith") ^ (age > 40)).astype(np.int64)
    return {"job": job, "age": age}, rich


def wide_and_deep() -> tuple[Any, Any, Any]:
    """(all columns, wide, deep)."""
    age = fc.numeric_column("age")
    buckets = fc.bucketized_column(age, [30, 40, 50])
    job = fc.categorical_column_with_vocabulary_list("job", ["cook", "smith"], num_oov_buckets=1)
    crossed = fc.crossed_column([job, buckets], 40)
    embedded = fc.embedding_column(job, 3)
    return [buckets, job, crossed, embedded], [buckets, job, crossed], [embedded, buckets]


def test_wide_and_deep_columns(tmp_path: Path) -> None:
    features, labels = people()
    _, wide, deep = wide_and_deep()
    train = numpy_input_fn(features, labels, 50, None, shuffle=True)
    test = numpy_input_fn(features, labels, 50, 1, shuffle=False)
    only = tf.estimator.LinearClassifier(
        wide, str(tmp_path / "wide"), config=SETTINGS, optimizer=tf.train.FtrlOptimizer(0.5)
    )
    only.train(train, steps=60)
    # a function of one feature alone cannot tell: it takes the crossing
    assert only.evaluate(test)["accuracy"] > 0.97
    both = tf.estimator.DNNLinearCombinedClassifier(
        str(tmp_path / "both"), wide, "Ftrl", deep, "Adagrad", [16], config=SETTINGS
    )
    both.train(train, steps=200)
    assert both.evaluate(test)["accuracy"] > 0.9
    names = both.get_variable_names()
    for name in [
        "linear/linear_model/age_bucketized/weights", "linear/linear_model/job/weights",
        "linear/linear_model/age_bucketized_X_job/weights",
        "dnn/input_from_feature_columns/input_layer/job_embedding/embedding_weights",
    ]:  # fmt: skip
        assert name in names


def example(job: str, age: float) -> bytes:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "job": tf.train.Feature(bytes_list=tf.train.BytesList(value=[job.encode()])),
                "age": tf.train.Feature(float_list=tf.train.FloatList(value=[age])),
            }
        )
    ).SerializeToString()


def test_a_served_model_reads_examples(tmp_path: Path) -> None:
    features, labels = people()
    columns, wide, deep = wide_and_deep()
    model = tf.estimator.DNNLinearCombinedClassifier(
        str(tmp_path / "model"), wide, "Ftrl", deep, "Adagrad", [8], config=SETTINGS
    )
    model.train(numpy_input_fn(features, labels, 50, None, shuffle=True), steps=20)
    spec = fc.make_parse_example_spec(columns)
    assert sorted(spec) == ["age", "job"]
    path = model.export_savedmodel(
        str(tmp_path / "out"),
        tf.estimator.export.build_parsing_serving_input_receiver_fn(spec),
    ).decode()
    rows = {"job": np.array(["cook", "smith", "else"]), "age": np.float32([25, 45, 33])}
    want = [p["probabilities"] for p in model.predict(numpy_input_fn(rows, shuffle=False))]
    examples = [example(j, a) for j, a in zip(rows["job"], rows["age"], strict=True)]
    with tf.Session(graph=tf.Graph()) as session:
        meta = tf.saved_model.loader.load(session, ["serve"], path)
        assert sorted(meta.signature_def) == [
            "classification", "predict", "regression", "serving_default",
        ]  # fmt: skip
        signature = meta.signature_def["serving_default"]
        scores, classes = session.run(
            [signature.outputs["scores"].name, signature.outputs["classes"].name],
            {signature.inputs["inputs"].name: examples},
        )
    np.testing.assert_allclose(scores, want, rtol=1e-4, atol=1e-6)
    assert classes.tolist() == [[b"0", b"1"]] * 3


# ------------------------------------------------------------------ starting from others
def test_warm_starts(tmp_path: Path) -> None:
    columns, train, _ = iris()
    first = tf.estimator.DNNClassifier([4], columns, str(tmp_path / "a"), 3, config=SETTINGS)
    first.train(train, steps=30)
    second = tf.estimator.DNNClassifier(
        [4], columns, str(tmp_path / "b"), 3, config=SETTINGS,
        optimizer=tf.train.GradientDescentOptimizer(0.0), warm_start_from=str(tmp_path / "a"),
    )  # fmt: skip
    second.train(train, steps=1)
    assert second.get_variable_value("global_step") == 1
    for name in ("dnn/logits/kernel", "dnn/hiddenlayer_0/bias"):
        np.testing.assert_array_equal(
            first.get_variable_value(name), second.get_variable_value(name)
        )
    third = tf.estimator.DNNClassifier(
        [4], columns, str(tmp_path / "c"), 3, config=SETTINGS,
        optimizer=tf.train.GradientDescentOptimizer(0.0),
        warm_start_from=tf.estimator.WarmStartSettings(
            str(tmp_path / "a"), vars_to_warm_start=".*hiddenlayer.*"
        ),
    )  # fmt: skip
    third.train(train, steps=1)
    kernel, bias = "dnn/logits/kernel", "dnn/hiddenlayer_0/bias"
    assert (third.get_variable_value(kernel) != first.get_variable_value(kernel)).any()
    np.testing.assert_array_equal(
        first.get_variable_value(bias), third.get_variable_value(bias)
    )


def test_rows_follow_their_words_into_another_vocabulary(tmp_path: Path) -> None:
    for name, words in (("old", "a b c"), ("new", "c d a")):
        (tmp_path / name).write_text("\n".join(words.split()) + "\n")
    with tf.Graph().as_default(), tf.Session() as session:
        old = tf.get_variable("t", initializer=np.float32([[1, 1], [2, 2], [3, 3]]))
        session.run(old.initializer)
        tf.train.Saver().save(session, str(tmp_path / "m"))
    table = tf.get_variable("t", [4, 2], initializer=tf.ones_initializer())
    info = tf.train.VocabInfo(
        str(tmp_path / "new"), 3, 1, str(tmp_path / "old"),
        backup_initializer=tf.constant_initializer(9.0),
    )  # fmt: skip
    tf.train.warm_start(str(tmp_path / "m"), None, {"t": info})
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(table).tolist() == [[3, 3], [9, 9], [1, 1], [9, 9]]


def test_init_from_checkpoint(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.variable_scope("old"):
            tf.get_variable("a", initializer=[1.0, 2.0])
            tf.get_variable("b", initializer=3.0)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "m"))
    with tf.variable_scope("new"):
        a = tf.get_variable("a", [2])
        b = tf.get_variable("b", [])
    c = tf.get_variable("c", [])
    tf.train.init_from_checkpoint(str(tmp_path), {"old/": "new/"})
    tf.train.init_from_checkpoint(str(tmp_path / "m"), {"old/b": c, "old/a": "new/a"})
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(a).tolist() == [1.0, 2.0]
        assert session.run([b, c]) == [3.0, 3.0]
    with pytest.raises(ValueError, match="Tensor x is not found in"):
        tf.train.init_from_checkpoint(str(tmp_path), {"x": c})
    with pytest.raises(ValueError, match="doesn't match with shape of tensor old/a"):
        tf.train.init_from_checkpoint(str(tmp_path), {"old/a": c})
    with pytest.raises(ValueError, match="Should be 'scope/': 'other_scope/'"):
        tf.train.init_from_checkpoint(str(tmp_path), {"old/a": "new/"})
    with pytest.raises(ValueError, match=r"Tensor none/a \(a in none/\) is not found in"):
        tf.train.init_from_checkpoint(str(tmp_path), {"none/": "new/", "old/": "new/"})


# ------------------------------------------------------------------ heads
def values(spec: Any, feeds: Any = None) -> dict[str, float]:
    """The metrics of a spec after one batch."""
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        session.run([update for _, update in spec.eval_metric_ops.values()])
        return session.run({k: v for k, (v, _) in spec.eval_metric_ops.items()})


def test_heads_in_a_model_fn_of_the_users(tmp_path: Path) -> None:
    head = tf.estimator.MultiClassHead(n_classes=3)
    columns, train, test = iris()

    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        logits = tf.layers.dense(fc.input_layer(features, columns), head.logits_dimension)
        return head.create_estimator_spec(
            features, mode, logits, labels, optimizer=tf.train.AdamOptimizer(0.05)
        )

    model = tf.estimator.Estimator(model_fn, str(tmp_path), SETTINGS)
    model.train(train, steps=150)
    assert model.evaluate(test)["accuracy"] > 0.9


def test_many_labels_at_once() -> None:
    head = tf.estimator.MultiLabelHead(
        2, thresholds=[0.5], classes_for_class_based_metrics=[1], name="h"
    )
    logits = np.float32([[2, -1], [0.5, 3]])
    labels = np.array([[1, 0], [0, 1]])
    spec = head.create_estimator_spec({}, "eval", tf.constant(logits), tf.constant(labels))
    got = values(spec)
    likely = 1 / (1 + np.exp(-logits))
    losses = -np.log(np.where(labels == 1, likely, 1 - likely))
    assert got["average_loss/h"] == pytest.approx(losses.mean(), rel=1e-5)
    assert got["accuracy/positive_threshold_0.5/h"] == 0.75
    assert got["probability_mean/class1/h"] == pytest.approx(likely[:, 1].mean(), rel=1e-5)


def test_losses_of_the_users_own() -> None:
    def absolute(labels: Any, logits: Any) -> Any:
        return tf.abs(labels - logits)

    head = tf.estimator.RegressionHead(loss_fn=absolute)
    spec = head.create_estimator_spec(
        {}, "eval", tf.constant([[1.0], [5.0]]), tf.constant([[2.0], [2.0]])
    )
    with tf.Session() as session:
        assert session.run(spec.loss) == 2.0
    with pytest.raises(ValueError, match="loss_fn must contain argument: logits"):
        tf.estimator.RegressionHead(loss_fn=lambda labels: labels).loss([[1.0]], [[1.0]])


def test_thresholds_of_a_binary_head() -> None:
    head = tf.estimator.BinaryClassHead(thresholds=[0.9])
    spec = head.create_estimator_spec(
        {}, "eval", tf.constant([[3.0], [1.0], [-1.0]]), tf.constant([1, 1, 0])
    )
    got = values(spec)
    assert got["accuracy/positive_threshold_0.9"] == pytest.approx(2 / 3)
    assert got["precision/positive_threshold_0.9"] == pytest.approx(1)
    assert got["recall/positive_threshold_0.9"] == pytest.approx(0.5)
    assert got["accuracy"] == 1


def test_arguments_are_checked(tmp_path: Path) -> None:
    column = [fc.numeric_column("x")]
    make = tf.estimator
    with pytest.raises(ValueError, match=r"n_classes must be > 2: 1\."):
        make.DNNClassifier([2], column, n_classes=1)
    with pytest.raises(ValueError, match="Length of label_vocabulary must be n_classes: 3"):
        make.LinearClassifier(column, n_classes=3, label_vocabulary=["a"])
    with pytest.raises(ValueError, match="Either linear_feature_columns or dnn_feature_columns"):
        make.DNNLinearCombinedClassifier()
    with pytest.raises(ValueError, match="dnn_hidden_units must be defined"):
        make.DNNLinearCombinedRegressor(dnn_feature_columns=column)
    with pytest.raises(ValueError, match="thresholds not in"):
        make.BinaryClassHead(thresholds=[1.5])
    with pytest.raises(ValueError, match="Invalid loss_reduction: none"):
        make.RegressionHead(loss_reduction="none")
    model = make.LinearRegressor(column, str(tmp_path), optimizer="Newton")
    x = {"x": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match="Unsupported optimizer name: Newton"):
        model.train(numpy_input_fn(x, np.zeros(3), shuffle=False), steps=1)
    model = make.LinearRegressor(column, str(tmp_path))
    with pytest.raises(ValueError, match=r"You must provide a labels Tensor. Given: None"):
        model.train(numpy_input_fn(x, shuffle=False), steps=1)
    with pytest.raises(ValueError, match="Mismatched label shape"):
        model.train(numpy_input_fn(x, np.zeros((3, 2)), shuffle=False), steps=1)
