"""Estimators made from others, early stopping, tf.contrib.estimator."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

X = np.linspace(-1, 1, 20, dtype=np.float32)
numpy_input_fn = tf.estimator.inputs.numpy_input_fn
train_fn = numpy_input_fn({"x": X}, 2 * X, 20, None, shuffle=False)
eval_fn = numpy_input_fn({"x": X}, 2 * X, 20, 1, shuffle=False)
COLUMNS = [tf.feature_column.numeric_column("x")]


def make(folder: Path, rate: float = 0.01, **settings: Any) -> Any:
    return tf.estimator.LinearRegressor(
        COLUMNS, str(folder), optimizer=tf.train.GradientDescentOptimizer(rate),
        config=tf.estimator.RunConfig(**settings),
    )  # fmt: skip


def test_more_metrics(tmp_path: Path) -> None:
    def metric_fn(labels: Any, predictions: Any) -> Any:
        return {"mae": tf.metrics.mean_absolute_error(labels, predictions["predictions"][:, 0])}

    model = make(tmp_path).train(train_fn, steps=1)
    more = tf.estimator.add_metrics(model, metric_fn)
    result = more.evaluate(eval_fn)
    assert {"mae", "average_loss"} <= set(result)
    weight = model.get_variable_value("linear/linear_model/x/weights")[0, 0]
    assert result["mae"] == pytest.approx(np.abs((2 - weight) * X).mean(), rel=1e-4)
    more.train(train_fn, steps=1)
    assert model.evaluate(eval_fn)["global_step"] == 2
    with pytest.raises(ValueError, match="has following not expected args"):
        tf.estimator.add_metrics(model, lambda other: {})


def test_features_among_the_predictions(tmp_path: Path) -> None:
    model = make(tmp_path).train(train_fn, steps=1)
    both = tf.contrib.estimator.forward_features(model, "x")
    got = [p["x"] for p in both.predict(eval_fn)]
    np.testing.assert_array_equal(np.ravel(got), X)
    with pytest.raises(ValueError, match="Key y is not in features dict"):
        next(tf.contrib.estimator.forward_features(model, ["y"]).predict(eval_fn))


def test_clipped_gradients(tmp_path: Path) -> None:
    clip = tf.contrib.estimator.clip_gradients_by_norm
    model = tf.estimator.LinearRegressor(
        COLUMNS, str(tmp_path), optimizer=clip(tf.train.GradientDescentOptimizer(1.0), 0.25)
    )
    model.train(train_fn, steps=2)
    found = [
        model.get_variable_value(f"linear/linear_model/{n}").ravel()
        for n in ("x/weights", "bias_weights")
    ]
    assert np.linalg.norm(np.concatenate(found)) == pytest.approx(0.5, rel=1e-3)


def test_a_training_without_progress_stops(tmp_path: Path) -> None:
    # a rate of zero: the loss never becomes smaller
    model = make(tmp_path, rate=0.0, save_checkpoints_steps=2)
    hook = tf.estimator.experimental.stop_if_no_decrease_hook(
        model, "loss", max_steps_without_decrease=6, run_every_secs=None, run_every_steps=1
    )
    tf.estimator.train_and_evaluate(
        model,
        tf.estimator.TrainSpec(train_fn, max_steps=100, hooks=[hook]),
        tf.estimator.EvalSpec(eval_fn, throttle_secs=0),
    )
    steps = list(tf.contrib.estimator.read_eval_metrics(model.eval_dir()))
    assert 8 <= steps[-1] <= 12


def test_a_training_that_is_good_enough_stops(tmp_path: Path) -> None:
    model = make(tmp_path, rate=0.05, save_checkpoints_steps=2)
    lower = tf.estimator.experimental.stop_if_lower_hook(
        model, "average_loss", 1e-3, run_every_secs=None, run_every_steps=1
    )
    result, _ = tf.estimator.train_and_evaluate(
        model,
        tf.estimator.TrainSpec(train_fn, max_steps=500, hooks=[lower]),
        tf.estimator.EvalSpec(eval_fn, throttle_secs=0),
    )
    assert result["average_loss"] < 1e-3
    assert result["global_step"] < 100
    with pytest.raises(TypeError, match="`estimator` must have type"):
        tf.estimator.experimental.make_early_stopping_hook(None, lambda: True)


def test_evaluations_while_a_training_runs(tmp_path: Path) -> None:
    model = make(tmp_path)
    hook = tf.estimator.experimental.InMemoryEvaluatorHook(model, eval_fn, every_n_iter=3)
    model.train(train_fn, steps=7, hooks=[hook])
    found = tf.contrib.estimator.read_eval_metrics(model.eval_dir())
    assert list(found) == [0, 3, 6, 7]
    losses = [m["loss"] for m in found.values()]
    assert losses == sorted(losses, reverse=True)


def test_heads_of_contrib(tmp_path: Path) -> None:
    contrib = tf.contrib.estimator
    counts = np.random.RandomState(0).poisson(np.exp(1 + X)).astype(np.float32)
    model = contrib.LinearEstimator(
        contrib.poisson_regression_head(), COLUMNS, str(tmp_path / "p"),
        optimizer=tf.train.AdamOptimizer(0.1),
    )  # fmt: skip
    model.train(numpy_input_fn({"x": X}, counts, 20, None, shuffle=False), steps=200)
    means = np.array([p["predictions"][0] for p in model.predict(eval_fn)])
    # maximum likelihood: the means add up to the counts
    assert means.sum() == pytest.approx(counts.sum(), rel=0.02)
    deep = contrib.DNNEstimator(
        contrib.multi_class_head(3), [4], COLUMNS, str(tmp_path / "d"), optimizer="Adam"
    )
    labels = np.digitize(X, [-0.3, 0.3])
    deep.train(numpy_input_fn({"x": X}, labels, 20, None, shuffle=False), steps=10)
    assert next(deep.predict(eval_fn))["probabilities"].shape == (3,)
    head = contrib.logistic_regression_head()
    spec = head.create_estimator_spec(
        {}, "eval", tf.constant([[0.0], [1.0]]), tf.constant([0.5, 1.0])
    )
    with tf.Session() as session:
        want = (np.log(2) + np.log1p(np.exp(-1))) / 2
        assert session.run(spec.loss) == pytest.approx(want, rel=1e-5)


# ------------------------------------------------------------------ with other parts of tf
def test_queues_feed_an_estimator(tmp_path: Path) -> None:
    def input_fn() -> Any:
        numbers = tf.constant(np.arange(6, dtype=np.float32))
        queue = tf.train.input_producer(numbers, num_epochs=1, shuffle=False)
        x = tf.train.batch([queue.dequeue()], 2)
        return {"x": x}, 2 * x

    model = make(tmp_path)
    model.train(input_fn)
    assert model.evaluate(input_fn)["global_step"] == 3
    assert len(list(model.predict(input_fn))) == 6


def test_tables_of_a_model_fn_are_filled(tmp_path: Path) -> None:
    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        table = tf.contrib.lookup.index_table_from_tensor(["a", "b"])
        return tf.estimator.EstimatorSpec(mode, {"id": table.lookup(features["s"])})

    model = tf.estimator.Estimator(model_fn, str(tmp_path))
    words = numpy_input_fn({"s": np.array(["b", "z", "a"])}, shuffle=False)
    assert [int(p["id"]) for p in model.predict(words)] == [1, -1, 0]


def test_graphs_of_all_modes_in_one_saved_model(tmp_path: Path) -> None:
    model = make(tmp_path / "m").train(train_fn, steps=3)
    supervised = tf.estimator.experimental.build_raw_supervised_input_receiver_fn(
        {"x": X[:, None]}, X[:, None]
    )
    path = model.experimental_export_all_saved_models(
        str(tmp_path / "out"),
        {
            "train": supervised,
            "eval": supervised,
            "infer": tf.estimator.export.build_raw_serving_input_receiver_fn({"x": X[:, None]}),
        },
    ).decode()
    want = model.evaluate(eval_fn)["average_loss"]
    with tf.Session(graph=tf.Graph()) as session:
        meta = tf.saved_model.loader.load(session, ["eval"], path)
        signature = meta.signature_def["eval"]
        feeds = {
            signature.inputs["x"].name: X[:, None], signature.inputs["label"].name: 2 * X[:, None]
        }
        loss = session.run(signature.outputs["loss"].name, feeds)
    assert loss == pytest.approx(20 * want, rel=1e-4)
    for tag in ("train", "serve"):
        with tf.Session(graph=tf.Graph()) as session:
            assert tf.saved_model.loader.load(session, [tag], path).signature_def


def test_an_estimator_as_a_function(tmp_path: Path) -> None:
    model = make(tmp_path)
    raw = tf.estimator.export.build_raw_serving_input_receiver_fn({"x": X[:, None]})
    with pytest.raises(ValueError, match="Couldn't find trained model at"):
        tf.contrib.predictor.from_estimator(model, raw)
    model.train(train_fn, steps=3)
    want = np.array([p["predictions"] for p in model.predict(eval_fn)])
    predict = tf.contrib.predictor.from_estimator(model, raw)
    np.testing.assert_allclose(predict({"x": X[:, None]})["predictions"], want, rtol=1e-6)
    value = tf.contrib.predictor.from_estimator(model, raw, "regression")({"x": X[:, None]})
    np.testing.assert_allclose(value["value"], want, rtol=1e-6)
    with pytest.raises(ValueError, match="output_key must be one of"):
        tf.contrib.predictor.from_estimator(model, raw, "nothing")


def test_scripts_for_tpus_run_without_one(tmp_path: Path) -> None:
    tpu = tf.contrib.tpu
    sizes: list[Any] = []

    def input_fn(params: Any) -> Any:
        sizes.append(params["batch_size"])
        data = tf.data.Dataset.from_tensor_slices(({"x": X}, 2 * X))
        return data.repeat().batch(params["batch_size"], drop_remainder=True)

    def predict_fn(params: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices({"x": X}).batch(params["batch_size"])

    def metric_fn(labels: Any, y: Any) -> Any:
        return {"mae": tf.metrics.mean_absolute_error(labels, y)}

    counted: list[Any] = []

    def host_call_fn(step: Any) -> Any:
        return tf.py_func(lambda s: counted.append(int(s)) or s, [step], tf.int64)

    def model_fn(features: Any, labels: Any, mode: str, params: Any) -> Any:
        w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
        y = w * features["x"]
        if mode == tf.estimator.ModeKeys.PREDICT:
            return tpu.TPUEstimatorSpec(mode, predictions={"y": y})
        loss = tf.reduce_mean(tf.square(y - labels))
        if mode == tf.estimator.ModeKeys.EVAL:
            return tpu.TPUEstimatorSpec(mode, loss=loss, eval_metrics=(metric_fn, [labels, y]))
        optimizer = tpu.CrossShardOptimizer(tf.train.GradientDescentOptimizer(0.5))
        step = tf.train.get_global_step()
        train = optimizer.minimize(loss, global_step=step)
        return tpu.TPUEstimatorSpec(
            mode, loss=loss, train_op=train, host_call=(host_call_fn, [step]),
            scaffold_fn=tf.train.Scaffold,
        )  # fmt: skip

    config = tpu.RunConfig(
        master=None, model_dir=str(tmp_path), save_checkpoints_steps=50,
        tpu_config=tpu.TPUConfig(
            iterations_per_loop=10, num_shards=8,
            per_host_input_for_training=tpu.InputPipelineConfig.PER_HOST_V2,
        ),
    )  # fmt: skip
    model = tpu.TPUEstimator(
        use_tpu=False, model_fn=model_fn, config=config, train_batch_size=5, eval_batch_size=4,
        predict_batch_size=8,
    )  # fmt: skip
    model.train(input_fn=input_fn, max_steps=40)
    assert len(counted) == 40
    result = model.evaluate(input_fn=input_fn, steps=5)
    assert result["mae"] < 0.01
    assert sizes == [5, 4]
    assert len(list(model.predict(predict_fn))) == 20
    with pytest.raises(ValueError, match="there is no TPU to run on"):
        tpu.TPUEstimator(model_fn, config=config)
    with pytest.raises(ValueError, match=r"must be provided with type `tpu_config.RunConfig`"):
        tpu.TPUEstimator(model_fn, config=tf.estimator.RunConfig(), use_tpu=False)
    with pytest.raises(ValueError, match="params cannot have reserved keys: batch_size"):
        tpu.TPUEstimator(model_fn, None, config, {"batch_size": 3}, use_tpu=False)


def test_several_trainings_at_once(tmp_path: Path) -> None:
    losses: dict[int, float] = {}

    def work(seed: int) -> None:
        model = make(tmp_path / str(seed), tf_random_seed=seed).train(train_fn, steps=20)
        losses[seed] = model.evaluate(eval_fn)["average_loss"]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # weights start at zero and the batches are the same: so are the results
    assert len(losses) == 3
    assert len(set(losses.values())) == 1
