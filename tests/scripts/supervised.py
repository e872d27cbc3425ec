"""Regression under a Supervisor: a managed session, services beside it, a second run."""

from __future__ import annotations

import os
import tempfile

import numpy as np


def main(tf):
    rng = np.random.RandomState(5)
    x_data = rng.randn(40, 3).astype(np.float32)
    y_data = x_data @ np.float32([[1.0], [-2.0], [0.5]]) + 0.25
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for run, limit in enumerate((15, 40)):
            with tf.Graph().as_default():
                x = tf.placeholder(tf.float32, [None, 3])
                y = tf.placeholder(tf.float32, [None, 1])
                w = tf.get_variable("w", [3, 1], initializer=tf.zeros_initializer())
                b = tf.get_variable("b", [1], initializer=tf.zeros_initializer())
                loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
                step = tf.Variable(0, name="global_step", trainable=False)
                train = tf.train.AdamOptimizer(0.1).minimize(loss, global_step=step)
                summary = tf.summary.scalar("loss", loss)
                sv = tf.train.Supervisor(
                    logdir=folder, summary_op=None, global_step=step, save_model_secs=0,
                    checkpoint_basename="model",
                )
                with sv.managed_session() as sess:
                    out[f"start {run}"] = int(sess.run(step))
                    while not sv.should_stop():
                        feeds = {x: x_data, y: y_data}
                        text, value, _ = sess.run([summary, loss, train], feeds)
                        now = int(sess.run(step))
                        if now % 5 == 0:
                            sv.summary_computed(sess, text)
                        if now >= limit:
                            sv.saver.save(sess, sv.save_path, global_step=step)
                            sv.request_stop()
                    out[f"loss {run}"] = value
                    out[f"weights {run}"] = sess.run([w, b])
                out[f"path {run}"] = os.path.relpath(sv.save_path, folder)
                out[f"final {run}"] = tf.get_default_graph().finalized
        out["latest"] = os.path.basename(tf.train.latest_checkpoint(folder))
        events = []
        for name in sorted(os.listdir(folder)):
            if "tfevents" in name:
                for event in tf.train.summary_iterator(os.path.join(folder, name)):
                    events += [[v.tag, event.step] for v in event.summary.value
                               if v.tag == "loss" and event.step > 15]
        out["events"] = sorted(events, key=lambda e: e[1])

    # an error of the block comes out at its end; threads of the user's own stop with it
    with tf.Graph().as_default():
        tf.get_variable("v", initializer=1.0)
        sv = tf.train.Supervisor()
        calls = []
        try:
            with sv.managed_session() as sess:
                sv.loop(0.001, lambda: calls.append(1))
                while not calls:
                    pass
                raise RuntimeError("stop here")
        except RuntimeError as err:
            out["error"] = str(err)
        out["stopped"] = sv.should_stop()
    return out
