"""A classifier in a MonitoredTrainingSession: hooks, checkpoints, going on where it stopped."""

from __future__ import annotations

import os
import tempfile

import numpy as np


def model(tf, x_data, y_data):
    step = tf.train.get_or_create_global_step()
    dataset = tf.data.Dataset.from_tensor_slices((x_data, y_data)).repeat().batch(20)
    x, y = tf.data.make_one_shot_iterator(dataset).get_next() if hasattr(
        tf.data, "make_one_shot_iterator"
    ) else dataset.make_one_shot_iterator().get_next()
    w = tf.get_variable("w", [4, 3], initializer=tf.zeros_initializer())
    b = tf.get_variable("b", [3], initializer=tf.zeros_initializer())
    logits = tf.matmul(x, w) + b
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits), name="loss"
    )
    tf.summary.scalar("loss", loss)
    train = tf.train.MomentumOptimizer(0.3, 0.9).minimize(loss, global_step=step)
    return loss, train, w, b


def main(tf):
    rng = np.random.RandomState(3)
    y_data = np.arange(60) % 3
    x_data = (rng.randn(60, 4) * 0.5 + np.eye(3, 4)[y_data] * 2).astype(np.float32)
    out = {}
    calls = []

    class Watch(tf.train.SessionRunHook):
        def begin(self):
            calls.append("begin")

        def after_create_session(self, session, coord):
            calls.append("create " + str(session.run("global_step:0")))

        def before_run(self, run_context):
            return tf.train.SessionRunArgs(["loss:0"])

        def after_run(self, run_context, run_values):
            losses.append(float(run_values.results[0]))

        def end(self, session):
            calls.append("end " + str(session.run("global_step:0")))

    class Listener(tf.train.CheckpointSaverListener):
        def after_save(self, session, global_step_value):
            calls.append("saved " + str(global_step_value))

    losses = []
    with tempfile.TemporaryDirectory() as folder:
        for last in (8, 20):
            with tf.Graph().as_default():
                loss, train, w, b = model(tf, x_data, y_data)
                saver = tf.train.CheckpointSaverHook(
                    folder, save_steps=5, listeners=[Listener()],
                    saver=tf.train.Saver(max_to_keep=2),
                )
                final = tf.train.FinalOpsHook({"w": w, "b": b})
                hooks = [
                    tf.train.StopAtStepHook(last_step=last), tf.train.NanTensorHook(loss),
                    Watch(), saver, final,
                ]
                with tf.train.MonitoredTrainingSession(
                    checkpoint_dir=folder, hooks=hooks, save_checkpoint_secs=None,
                    save_summaries_steps=4, log_step_count_steps=None,
                ) as sess:
                    while not sess.should_stop():
                        sess.run(train)
                out[f"final {last}"] = final.final_ops_values
                out[f"closed {last}"] = [sess.should_stop(), sess.graph is None]
        state = tf.train.get_checkpoint_state(folder)
        out["kept"] = [os.path.basename(p) for p in state.all_model_checkpoint_paths]
        out["names"] = tf.train.list_variables(folder)
        tf.summary.FileWriterCache.clear()
        steps = []
        for name in sorted(os.listdir(folder)):
            if "tfevents" in name:
                for event in tf.train.summary_iterator(os.path.join(folder, name)):
                    steps += [[v.tag, event.step] for v in event.summary.value]
        out["summaries"] = len(steps)
    out["calls"] = calls
    out["losses"] = losses

    # without hooks: the end of the input ends the loop
    with tf.Graph().as_default():
        dataset = tf.data.Dataset.range(5).map(lambda i: i * i)
        item = (
            tf.data.make_one_shot_iterator(dataset)
            if hasattr(tf.data, "make_one_shot_iterator")
            else dataset.make_one_shot_iterator()
        ).get_next()
        seen = []
        with tf.train.SingularMonitoredSession() as sess:
            while not sess.should_stop():
                seen.append(int(sess.run(item)))
        out["seen"] = seen
    return out
