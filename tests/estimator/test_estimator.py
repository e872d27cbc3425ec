"""tf.estimator.Estimator with a model_fn of the user's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import graphc as tf
from graphc import config

ModeKeys = tf.estimator.ModeKeys
Spec = tf.estimator.EstimatorSpec


def line(features: Any, labels: Any, mode: str, params: Any) -> Any:
    """y = w x + b by gradient descent."""
    x = features["x"]
    w = tf.get_variable("w", [], initializer=tf.zeros_initializer())
    b = tf.get_variable("b", [], initializer=tf.zeros_initializer())
    y = w * x + b
    if mode == ModeKeys.PREDICT:
        return Spec(mode, predictions={"y": y, "twice": 2 * y})
    loss = tf.reduce_mean(tf.square(y - labels))
    train = tf.train.GradientDescentOptimizer(params["rate"]).minimize(
        loss, global_step=tf.train.get_global_step()
    )
    metrics = {"mae": tf.metrics.mean_absolute_error(labels, y)}
    return Spec(mode, loss=loss, train_op=train, eval_metric_ops=metrics)


X = np.linspace(-1, 1, 20, dtype=np.float32)
Y = 3 * X + 1


def input_fn() -> Any:
    return tf.data.Dataset.from_tensor_slices(({"x": X}, Y)).repeat().batch(10)


def eval_fn() -> Any:
    return tf.data.Dataset.from_tensor_slices(({"x": X}, Y)).batch(8)


def make(folder: Path, **settings: Any) -> Any:
    return tf.estimator.Estimator(
        line, str(folder), tf.estimator.RunConfig(**settings), {"rate": 0.3}
    )


# ------------------------------------------------------------------ train, evaluate, predict
def test_training_learns_and_goes_on_where_it_was(tmp_path: Path) -> None:
    first = make(tmp_path)
    assert first.latest_checkpoint() is None
    assert first.train(input_fn, steps=30) is first
    middle = first.evaluate(eval_fn)
    assert middle["global_step"] == 30
    second = make(tmp_path)
    second.train(input_fn, max_steps=80)
    result = second.evaluate(eval_fn)
    assert result["global_step"] == 80
    assert result["loss"] < middle["loss"]
    assert result["mae"] < 0.01
    assert second.get_variable_names() == ["b", "global_step", "w"]
    assert second.get_variable_value("w") == pytest.approx(3, abs=0.02)
    assert second.latest_checkpoint() == str(tmp_path / "model.ckpt-80")


def test_max_steps_that_are_done_skip_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("tensorflow")
    before, logger.propagate = logger.propagate, True
    try:
        estimator = make(tmp_path).train(input_fn, max_steps=5)
        with caplog.at_level(logging.INFO, "tensorflow"):
            estimator.train(input_fn, max_steps=5)
    finally:
        logger.propagate = before
    assert "Skipping training since max_steps has already saved." in caplog.messages


def test_predictions_come_one_by_one(tmp_path: Path) -> None:
    estimator = make(tmp_path).train(input_fn, steps=100)
    found = list(estimator.predict(eval_fn))
    assert len(found) == 20
    assert sorted(found[0]) == ["twice", "y"]
    np.testing.assert_allclose([p["y"] for p in found], Y, atol=0.05)
    (only,) = {tuple(p) for p in estimator.predict(eval_fn, predict_keys="y")}
    assert only == ("y",)
    batches = list(estimator.predict(eval_fn, yield_single_examples=False))
    assert [len(b["y"]) for b in batches] == [8, 8, 4]
    with pytest.raises(ValueError, match="Expected to run at least one output from"):
        next(estimator.predict(eval_fn, predict_keys=["z"]))


def test_a_half_used_prediction_leaves_the_default_graph_alone(tmp_path: Path) -> None:
    estimator = make(tmp_path).train(input_fn, steps=2)
    graph = tf.get_default_graph()
    predictions = estimator.predict(eval_fn)
    next(predictions)
    assert tf.get_default_graph() is graph
    with tf.Graph().as_default():
        next(predictions)
    predictions.close()
    assert tf.get_default_graph() is graph


def test_without_a_checkpoint_the_initial_values_count(tmp_path: Path) -> None:
    estimator = make(tmp_path)
    assert estimator.evaluate(eval_fn)["mae"] == pytest.approx(np.abs(Y).mean(), rel=1e-6)
    assert next(estimator.predict(eval_fn))["y"] == 0
    with pytest.raises(ValueError, match="Could not find trained model in model_dir"):
        estimator.get_variable_names()


def test_evaluation_steps_names_and_checkpoints(tmp_path: Path) -> None:
    estimator = make(tmp_path, save_checkpoints_steps=10).train(input_fn, steps=20)
    one = estimator.evaluate(input_fn, steps=1, name="one")
    assert one["global_step"] == 20
    assert list((tmp_path / "eval_one").glob("events*"))
    early = estimator.evaluate(eval_fn, checkpoint_path=str(tmp_path / "model.ckpt-10"))
    assert early["global_step"] == 10
    assert early["loss"] > one["loss"]
    tags = {
        (event.step, value.tag)
        for path in (tmp_path / "eval_one").glob("events*")
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
    }
    assert tags == {(20, "loss"), (20, "mae")}
    with pytest.raises(ValueError, match="Must specify steps > 0, given: 0"):
        estimator.evaluate(eval_fn, steps=0)


def test_hooks_of_the_user_and_of_the_spec_are_called(tmp_path: Path) -> None:
    calls: list[str] = []

    class Note(tf.train.SessionRunHook):
        def __init__(self, name: str) -> None:
            self.name = name

        def after_run(self, run_context: Any, run_values: Any) -> None:
            calls.append(self.name)

    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        spec = line(features, labels, mode, {"rate": 0.1})
        return spec._replace(
            training_hooks=(Note("train"),), evaluation_hooks=(Note("eval"),),
            prediction_hooks=(Note("predict"),),
        )  # fmt: skip

    estimator = tf.estimator.Estimator(model_fn, str(tmp_path))
    estimator.train(input_fn, steps=2, hooks=[Note("mine")])
    assert calls == ["mine", "train"] * 2
    calls.clear()
    estimator.evaluate(eval_fn, steps=1, hooks=[Note("mine")])
    next(estimator.predict(eval_fn))
    assert calls == ["mine", "eval", "predict"]
    with pytest.raises(TypeError, match="Hooks must be a SessionRunHook"):
        estimator.train(input_fn, steps=1, hooks=["x"])


def test_summaries_and_listeners(tmp_path: Path) -> None:
    saved: list[int] = []

    class Listener(tf.train.CheckpointSaverListener):
        def after_save(self, session: Any, global_step_value: int) -> None:
            saved.append(int(global_step_value))

    estimator = make(tmp_path, save_summary_steps=2, save_checkpoints_steps=3)
    estimator.train(input_fn, steps=7, saving_listeners=[Listener()])
    assert saved == [0, 3, 6, 7]
    tf.summary.FileWriterCache.clear()
    losses = [
        event.step
        for path in tmp_path.glob("events*")
        for event in tf.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "loss"
    ]
    assert losses == [1, 3, 5, 7]
    quiet = tf.estimator.RunConfig(save_checkpoints_steps=None, save_checkpoints_secs=None)
    other = tf.estimator.Estimator(line, str(tmp_path / "q"), quiet, {"rate": 0.1})
    with pytest.raises(ValueError, match="There should be a CheckpointSaverHook"):
        other.train(input_fn, steps=1, saving_listeners=[Listener()])


def test_nan_stops_the_training(tmp_path: Path) -> None:
    estimator = tf.estimator.Estimator(line, str(tmp_path), None, {"rate": float("nan")})
    with pytest.raises(tf.train.NanLossDuringTrainingError):
        estimator.train(input_fn, steps=5)


def test_seeds_make_trainings_repeatable(tmp_path: Path) -> None:
    def model_fn(features: Any, labels: Any, mode: str) -> Any:
        w = tf.get_variable("w", [3])
        loss = tf.reduce_sum(w) + tf.random_uniform([])
        train = tf.train.GradientDescentOptimizer(0.1).minimize(
            loss, global_step=tf.train.get_global_step()
        )
        return Spec(mode, loss=loss, train_op=train)

    values = []
    for name in "ab":
        estimator = tf.estimator.Estimator(
            model_fn, str(tmp_path / name), tf.estimator.RunConfig(tf_random_seed=7)
        )
        estimator.train(input_fn, steps=2)
        values.append(estimator.get_variable_value("w"))
    np.testing.assert_array_equal(*values)


# ------------------------------------------------------------------ input functions
def test_input_functions_may_give_tensors_and_take_arguments(tmp_path: Path) -> None:
    seen: list[Any] = []

    def tensors(mode: str, params: Any, config: Any) -> Any:
        seen.append((mode, params["rate"], config.model_dir))
        return {"x": tf.constant(X)}, tf.constant(Y)

    estimator = make(tmp_path).train(tensors, steps=3)
    assert seen == [(ModeKeys.TRAIN, 0.3, str(tmp_path))]
    assert estimator.evaluate(tensors, steps=1)["global_step"] == 3


def test_an_input_of_three_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"should return .features, labels. as a len 2 tuple"):
        make(tmp_path).train(lambda: (1, 2, 3), steps=1)


def test_numpy_input_fn_batches_over_the_ends_of_epochs() -> None:
    x = {"a": np.arange(5), "b": np.arange(10.0).reshape(5, 2)}
    make_input = tf.estimator.inputs.numpy_input_fn
    features, labels = make_input(x, np.arange(5), 3, num_epochs=2, shuffle=False)()
    assert features["b"].shape.as_list() == [None, 2]
    got = []
    with tf.train.MonitoredSession() as session:
        while not session.should_stop():
            got.append(session.run([features["a"], labels]))
    assert [a.tolist() for a, _ in got] == [[0, 1, 2], [3, 4, 0], [1, 2, 3], [4]]
    assert all((a == b).all() for a, b in got)


def test_numpy_input_fn_shuffles_each_epoch() -> None:
    tf.set_random_seed(3)
    x = tf.estimator.inputs.numpy_input_fn(np.arange(50), None, 50, 2, shuffle=True)()
    with tf.Session() as session:
        one, two = session.run(x), session.run(x)
    assert sorted(one) == sorted(two) == list(range(50))
    assert (one != two).any()


def test_numpy_input_fn_takes_strings_and_dicts_of_labels() -> None:
    features, labels = tf.estimator.inputs.numpy_input_fn(
        {"s": np.array(["a", "bc"])}, {"l": np.array([1, 2])}, shuffle=False
    )()
    with tf.Session() as session:
        assert session.run(features["s"]).tolist() == [b"a", b"bc"]
    with tf.Session() as session:
        assert session.run(labels["l"]).tolist() == [1, 2]


def test_numpy_input_fn_checks_its_arguments() -> None:
    make_input = tf.estimator.inputs.numpy_input_fn
    with pytest.raises(ValueError, match="shuffle must be provided and explicitly set"):
        make_input({"x": X}, Y)
    with pytest.raises(ValueError, match="Length of tensors in x and y is mismatched"):
        make_input({"x": X}, Y[:3], shuffle=False)
    with pytest.raises(ValueError, match="x cannot be an empty dict"):
        make_input({}, Y, shuffle=False)


class Frame:
    """What pandas_input_fn reads of a DataFrame."""

    def __init__(self, **columns: Any) -> None:
        self.data = columns
        self.columns = list(columns)
        self.index = np.arange(len(next(iter(columns.values()))))

    def __getitem__(self, name: str) -> Any:
        return self.data[name]


class Series(np.ndarray):
    """What it reads of a Series."""

    @property
    def index(self) -> Any:
        return np.arange(len(self))


def test_pandas_input_fn() -> None:
    frame = Frame(a=np.arange(4), b=np.array(["p", "q", "r", "s"], object))
    target = (np.arange(4) * 10).view(Series)
    features, labels = tf.estimator.inputs.pandas_input_fn(frame, target, 3, shuffle=False)()
    with tf.Session() as session:
        got = session.run([features, labels])
    assert got[0]["a"].tolist() == [0, 1, 2]
    assert got[0]["b"].tolist() == [b"p", b"q", b"r"]
    assert got[1].tolist() == [0, 10, 20]


# ------------------------------------------------------------------ checks
def test_model_fn_is_checked(tmp_path: Path) -> None:
    make_estimator = tf.estimator.Estimator
    with pytest.raises(ValueError, match="model_fn must be provided to Estimator"):
        make_estimator(None)
    with pytest.raises(ValueError, match="must include features argument"):
        make_estimator(lambda labels, mode: None)
    with pytest.raises(ValueError, match="does not include params argument, but params"):
        make_estimator(lambda features, mode: None, params={"a": 1})
    with pytest.raises(ValueError, match=r"has following not expected args: \['other'\]"):
        make_estimator(lambda features, other: None)
    with pytest.raises(ValueError, match="model_fn should return an EstimatorSpec"):
        make_estimator(lambda features, labels: None, str(tmp_path)).train(input_fn, steps=1)
    with pytest.raises(ValueError, match="model_fn does not take labels, but input_fn returns"):
        make_estimator(lambda features: None, str(tmp_path)).train(input_fn, steps=1)


def test_steps_are_checked(tmp_path: Path) -> None:
    estimator = make(tmp_path)
    with pytest.raises(ValueError, match="Can not provide both steps and max_steps"):
        estimator.train(input_fn, steps=1, max_steps=1)
    for given in ({"steps": 0}, {"max_steps": -1}):
        with pytest.raises(ValueError, match=r"Must specify (max_)?steps > 0, given: "):
            estimator.train(input_fn, **given)


def test_specs_are_checked() -> None:
    loss = tf.constant(1.0)
    for mode, given, text in [
        (ModeKeys.TRAIN, {"loss": loss}, "Missing train_op."),
        (ModeKeys.TRAIN, {"train_op": tf.no_op()}, "Missing loss."),
        (ModeKeys.EVAL, {}, "Missing loss."),
        (ModeKeys.PREDICT, {}, "Missing predictions."),
        (ModeKeys.EVAL, {"loss": tf.constant([1.0, 2.0])}, "Loss must be scalar, given: "),
    ]:
        with pytest.raises(ValueError, match=text):
            Spec(mode, **given)
    for given, text in [
        ({"eval_metric_ops": {"a": loss}}, "must be .metric_value, update_op. tuples"),
        ({"eval_metric_ops": [1]}, "eval_metric_ops must be a dict, given"),
        ({"training_hooks": ["x"]}, "All hooks must be SessionRunHook instances, given: x"),
        ({"scaffold": 3}, "scaffold must be tf.train.Scaffold. Given: 3"),
        ({"predictions": {"p": 3}}, r"predictions\[p\] must be Tensor, given: 3"),
        ({"export_outputs": {"p": 3}}, "Values in export_outputs must be ExportOutput objects"),
    ]:
        with pytest.raises(TypeError, match=text):
            Spec(ModeKeys.EVAL, loss=loss, **given)
    with tf.Graph().as_default(), pytest.raises(ValueError, match="must be from the default gr"):
        Spec(ModeKeys.EVAL, loss=loss)
    assert Spec(ModeKeys.EVAL, loss=tf.constant([1.0])).loss.shape.as_list() == []


def test_run_config() -> None:
    first = tf.estimator.RunConfig(model_dir="d", tf_random_seed=4)
    assert (first.save_checkpoints_secs, first.save_checkpoints_steps) == (600, None)
    other = first.replace(save_checkpoints_steps=7, model_dir="e")
    assert (other.save_checkpoints_secs, other.save_checkpoints_steps) == (None, 7)
    assert (first.model_dir, other.model_dir, other.tf_random_seed) == ("d", "e", 4)
    with pytest.raises(ValueError, match="cannot be both set"):
        tf.estimator.RunConfig(save_checkpoints_steps=1, save_checkpoints_secs=1)
    with pytest.raises(ValueError, match="cannot be both set"):
        first.replace(save_checkpoints_steps=1, save_checkpoints_secs=1)
    with pytest.raises(ValueError, match="Replacing master is not supported"):
        first.replace(master="x")
    with pytest.raises(ValueError, match="save_summary_steps should be >= 0"):
        tf.estimator.RunConfig(save_summary_steps=-1)
    with pytest.raises(ValueError, match="set both in constructor and `RunConfig`"):
        tf.estimator.Estimator(line, "x", first, {})
    with pytest.raises(ValueError, match="config must be an instance of `RunConfig`"):
        tf.estimator.Estimator(line, "x", {"a": 1}, {})


# ------------------------------------------------------------------ train_and_evaluate, exports
def receiver() -> Any:
    x = tf.placeholder(tf.float32, [None], "x")
    return tf.estimator.export.ServingInputReceiver({"x": x}, {"x": x})


def serve(folder: str, x: Any) -> Any:
    with tf.Session(graph=tf.Graph()) as session:
        meta = tf.saved_model.loader.load(session, ["serve"], folder)
        signature = meta.signature_def["serving_default"]
        return session.run(signature.outputs["y"].name, {signature.inputs["x"].name: x})


def test_train_and_evaluate_exports_the_final_model(tmp_path: Path) -> None:
    estimator = make(tmp_path, save_checkpoints_steps=20)
    evals: list[int] = []

    class Count(tf.train.SessionRunHook):
        def end(self, session: Any) -> None:
            evals.append(int(session.run("global_step:0")))

    metrics, exported = tf.estimator.train_and_evaluate(
        estimator,
        tf.estimator.TrainSpec(input_fn, max_steps=50),
        tf.estimator.EvalSpec(
            eval_fn, steps=None, hooks=[Count()], throttle_secs=0,
            exporters=[tf.estimator.FinalExporter("final", receiver)],
        ),
    )  # fmt: skip
    assert evals == [20, 40, 50]
    assert metrics["global_step"] == 50
    (path,) = exported
    assert Path(path.decode()).parent == tmp_path / "export" / "final"
    np.testing.assert_allclose(serve(path.decode(), [0.0, 1.0]), [1, 4], atol=0.3)


def test_a_throttled_evaluation_waits_for_the_end(tmp_path: Path) -> None:
    estimator = make(tmp_path, save_checkpoints_steps=5)
    calls: list[int] = []

    def counted() -> Any:
        calls.append(1)
        return eval_fn()

    latest = tf.estimator.LatestExporter("latest", receiver, exports_to_keep=1)
    for last in (12, 24):
        tf.estimator.train_and_evaluate(
            estimator,
            tf.estimator.TrainSpec(input_fn, max_steps=last),
            tf.estimator.EvalSpec(counted, throttle_secs=600, exporters=latest),
        )
    # each run evaluates at its first checkpoint and at its end
    assert len(calls) == 4
    assert len(list((tmp_path / "export" / "latest").iterdir())) == 1


def test_best_exporter_keeps_the_better_models(tmp_path: Path) -> None:
    estimator = make(tmp_path).train(input_fn, steps=1)
    best = tf.estimator.BestExporter(serving_input_receiver_fn=receiver)
    path = estimator.latest_checkpoint()
    done = [
        best.export(estimator, str(tmp_path / "best"), path, {"loss": loss}, False) is not None
        for loss in (3.0, 4.0, 2.0)
    ]
    assert done == [True, False, True]


def test_specs_of_train_and_evaluate_are_checked(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="`input_fn` must be callable"):
        tf.estimator.TrainSpec(3)
    with pytest.raises(ValueError, match="Must specify max_steps > 0"):
        tf.estimator.TrainSpec(input_fn, max_steps=0)
    with pytest.raises(ValueError, match="Must specify steps > 0"):
        tf.estimator.EvalSpec(eval_fn, steps=0)
    two = [tf.estimator.FinalExporter("a", receiver)] * 2
    with pytest.raises(ValueError, match="`exporter` names must be unique"):
        tf.estimator.EvalSpec(eval_fn, exporters=two)
    with pytest.raises(TypeError, match="`estimator` must have type"):
        tf.estimator.train_and_evaluate(None, None, None)  # type: ignore[arg-type]


def test_exports_with_raw_receivers_and_extra_assets(tmp_path: Path) -> None:
    estimator = make(tmp_path).train(input_fn, steps=100)
    (tmp_path / "words").write_text("a b")
    fn = tf.estimator.export.build_raw_serving_input_receiver_fn({"x": X})
    path = estimator.export_savedmodel(
        str(tmp_path / "out"), fn, assets_extra={"more/words.txt": tmp_path / "words"}
    ).decode()
    assert (Path(path) / "assets.extra" / "more" / "words.txt").read_text() == "a b"
    np.testing.assert_allclose(serve(path, [2.0]), [7], atol=0.05)
    empty = make(tmp_path / "empty")
    with pytest.raises(ValueError, match="Couldn't find trained model at"):
        empty.export_savedmodel(str(tmp_path / "out"), fn)


# ------------------------------------------------------------------ a network, as users write it
@pytest.fixture
def digits() -> Iterator[Any]:
    data = load_digits()
    images = (data.data / 16).astype(np.float32)
    yield images, data.target.astype(np.int32)


def cnn(features: Any, labels: Any, mode: str, params: Any) -> Any:
    net = tf.reshape(features["x"], [-1, 8, 8, 1])
    net = tf.layers.conv2d(net, 16, 3, padding="same", activation=tf.nn.relu)
    net = tf.layers.flatten(tf.layers.max_pooling2d(net, 2, 2))
    net = tf.layers.dropout(net, 0.2, training=mode == ModeKeys.TRAIN)
    logits = tf.layers.dense(net, 10)
    predictions = {"classes": tf.argmax(logits, 1), "probabilities": tf.nn.softmax(logits)}
    if mode == ModeKeys.PREDICT:
        return Spec(mode, predictions=predictions)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    optimizer = tf.train.AdamOptimizer(params["learning_rate"])
    train = optimizer.minimize(loss, global_step=tf.train.get_global_step())
    accuracy = tf.metrics.accuracy(labels, predictions["classes"])
    return Spec(mode, predictions, loss, train, {"accuracy": accuracy})


def test_a_convolutional_network_reads_digits(tmp_path: Path, digits: Any) -> None:
    config.reset()  # the compiled backend, as users have it
    images, labels = digits
    train_fn = tf.estimator.inputs.numpy_input_fn(
        {"x": images[:1400]}, labels[:1400], 64, num_epochs=None, shuffle=True
    )
    test_fn = tf.estimator.inputs.numpy_input_fn(
        {"x": images[1400:]}, labels[1400:], shuffle=False
    )
    estimator = tf.estimator.Estimator(
        cnn, str(tmp_path), tf.estimator.RunConfig(tf_random_seed=1), {"learning_rate": 0.01}
    )
    estimator.train(train_fn, steps=150)
    result = estimator.evaluate(test_fn)
    assert result["accuracy"] > 0.88
    classes = [p["classes"] for p in estimator.predict(test_fn)]
    assert np.mean(classes == labels[1400:]) == pytest.approx(result["accuracy"], abs=1e-6)
