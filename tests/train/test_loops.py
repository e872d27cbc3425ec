"""The training and evaluation loops of tf.contrib.slim and tf.contrib.training."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from tests.surface.test_aliases import run

slim = tf.contrib.slim


@pytest.fixture(autouse=True)
def own_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield
    tf.summary.FileWriterCache.clear()


def train_op() -> Any:
    """A step whose value is the loss of a line through points."""
    x = tf.constant(np.linspace(-1, 1, 10, dtype=np.float32))
    w = slim.variable("w", [], initializer=tf.zeros_initializer())
    loss = tf.losses.mean_squared_error(3 * x, w * x)
    tf.summary.scalar("loss", loss)
    return slim.learning.create_train_op(loss, tf.train.GradientDescentOptimizer(0.5))


def test_slim_trains_until_the_number_of_steps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("tensorflow")
    before, logger.propagate = logger.propagate, True
    try:
        with caplog.at_level(logging.INFO, "tensorflow"):
            loss = slim.learning.train(
                train_op(), str(tmp_path), number_of_steps=20, log_every_n_steps=5,
                save_summaries_secs=60, save_interval_secs=60,
            )  # fmt: skip
    finally:
        logger.propagate = before
    assert loss < 0.1
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-20")
    lines = [m for m in caplog.messages if m.startswith("global step ")]
    assert len(lines) == 4
    assert "loss = " in lines[0]
    assert lines[0].endswith(" sec/step)")


def test_slim_goes_on_from_its_directory_and_calls_init_fn(tmp_path: Path) -> None:
    called: list[Any] = []
    for limit in (4, 7):
        with tf.Graph().as_default():
            slim.learning.train(
                train_op(), str(tmp_path), number_of_steps=limit, init_fn=called.append
            )
    # a session that is restored needs no initial values
    assert len(called) == 1
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-7")


def test_slim_ends_with_the_input(tmp_path: Path) -> None:
    item = tf.data.Dataset.range(3).make_one_shot_iterator().get_next()
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies([tf.assign_add(step, 1)]):
        op = tf.cast(item, tf.float32) + 0
    assert slim.learning.train(op, str(tmp_path)) == 2.0


def test_a_step_function_of_the_users(tmp_path: Path) -> None:
    seen: list[float] = []

    def step_fn(session: Any, op: Any, global_step: Any, settings: Any) -> Any:
        loss, stop = slim.learning.train_step(session, op, global_step, settings)
        seen.append(float(loss))
        return loss, stop or len(seen) == 3

    slim.learning.train(train_op(), None, train_step_fn=step_fn, number_of_steps=50)
    assert len(seen) == 3


def test_slim_checks_its_arguments() -> None:
    with pytest.raises(ValueError, match="train_op cannot be None"):
        slim.learning.train(None, None)
    op = train_op()
    with pytest.raises(ValueError, match="Cannot provide saver because logdir=None"):
        slim.learning.train(op, None, saver=tf.train.Saver())


def test_slim_evaluates_a_checkpoint(tmp_path: Path) -> None:
    slim.learning.train(train_op(), str(tmp_path / "train"), number_of_steps=30)
    with tf.Graph().as_default():
        w = slim.variable("w", [], initializer=tf.zeros_initializer())
        value, update = slim.metrics.streaming_mean(w)
        tf.summary.scalar("w", value)
        got = slim.evaluation.evaluate_once(
            "", tf.train.latest_checkpoint(str(tmp_path / "train")), str(tmp_path / "eval"),
            num_evals=4, eval_op=update, final_op=value,
        )  # fmt: skip
    assert got == pytest.approx(3, abs=0.05)
    tags = [
        (event.step, v.tag)
        for path in (tmp_path / "eval").glob("events*")
        for event in tf.train.summary_iterator(str(path))
        for v in event.summary.value
    ]
    assert tags == [(30, "w_1")]


def test_training_trains_in_a_monitored_session(tmp_path: Path) -> None:
    training = tf.contrib.training
    loss = training.train(
        train_op(), str(tmp_path), hooks=[tf.train.StopAtStepHook(num_steps=15)],
        save_summaries_steps=5,
    )  # fmt: skip
    assert loss < 1
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-15")
    with pytest.raises(ValueError, match="logdir cannot be None when save_summaries_steps"):
        training.train(None, None)


def test_each_new_checkpoint_is_evaluated(tmp_path: Path) -> None:
    training = tf.contrib.training
    training.train(train_op(), str(tmp_path), hooks=[tf.train.StopAtStepHook(num_steps=3)])
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        evals = tf.get_local_variable("n", [], initializer=tf.zeros_initializer())
        got = training.evaluate_repeatedly(
            str(tmp_path), eval_ops=tf.assign_add(evals, 1), final_ops={"n": evals, "at": step},
            hooks=[training.StopAfterNEvalsHook(5)], max_number_of_evaluations=1,
        )  # fmt: skip
    assert got == {"n": 5, "at": 3}
    assert list(tf.train.checkpoints_iterator(str(tmp_path / "none"), timeout=0)) == []


def test_inner_paths_lead_to_sessions_and_hooks() -> None:
    code = """
        import graphc
        graphc.install_as_tensorflow()
        import tensorflow as tf
        from tensorflow.contrib.learn.python.learn import monitored_session as ms
        from tensorflow.python.training import basic_session_run_hooks, session_run_hook
        from tensorflow.python.training.monitored_session import MonitoredTrainingSession
        from tensorflow.python.training.session_run_hook import SessionRunArgs
        from tensorflow.python.training.supervisor import Supervisor
        from tensorflow.python.estimator.estimator import Estimator
        from tensorflow.python.estimator.inputs import numpy_io
        from tensorflow.python.feature_column import feature_column as fc
        assert ms.MonitoredTrainingSession is tf.train.MonitoredTrainingSession
        learn = tf.contrib.learn
        assert learn.python.learn.monitored_session.MonitoredSession is tf.train.MonitoredSession
        assert basic_session_run_hooks.LoggingTensorHook is tf.train.LoggingTensorHook
        assert session_run_hook.SessionRunHook is tf.train.SessionRunHook
        assert Estimator is tf.estimator.Estimator
        assert numpy_io.numpy_input_fn is tf.estimator.inputs.numpy_input_fn
        assert fc.input_layer is tf.feature_column.input_layer
        config = learn.RunConfig(save_checkpoints_steps=5, model_dir="d", num_cores=2)
        assert isinstance(config, tf.estimator.RunConfig)
        print(config.save_checkpoints_secs, config.session_config.intra_op_parallelism_threads,
              learn.ModeKeys.INFER == tf.estimator.ModeKeys.PREDICT)
    """
    assert run(textwrap.dedent(code)) == "None 2 True\n"
