"""tf.train.Saver and its state file: names, messages, restoring, what a killed process leaves."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tf"


@pytest.fixture
def sess():
    tf.reset_default_graph()
    with tf.Session() as session:
        yield session


def small(value: float = 1.0):
    v = tf.Variable([value, 2.0], name="v")
    w = tf.get_variable("w", [2, 2], initializer=tf.ones_initializer())
    return v, w


def test_save_names_files_as_tf_does(tmp_path, sess) -> None:
    small()
    step = tf.train.get_or_create_global_step()
    sess.run(tf.global_variables_initializer())
    saver = tf.train.Saver()
    assert saver.save(sess, str(tmp_path / "m"), global_step=10) == str(tmp_path / "m-10")
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoint", "m-10.data-00000-of-00001", "m-10.index", "m-10.meta",
    ]  # fmt: skip
    text = (tmp_path / "checkpoint").read_text()
    assert text.startswith(f'model_checkpoint_path: "{tmp_path}/m-10"\n')
    assert f'all_model_checkpoint_paths: "{tmp_path}/m-10"\n' in text
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "m-10")
    sess.run(step.assign(3))
    assert saver.save(sess, str(tmp_path / "m"), global_step=step).endswith("m-3")
    assert tf.train.list_variables(str(tmp_path)) == [("global_step", []), ("v", [2]),
                                                      ("w", [2, 2])]  # fmt: skip
    assert tf.train.load_variable(str(tmp_path), "v:0").tolist() == [1, 2]


def test_restore_needs_no_initialisation(tmp_path, sess) -> None:
    v, w = small()
    sess.run(tf.global_variables_initializer())
    saver = tf.train.Saver()
    path = saver.save(sess, str(tmp_path / "m"))
    sess.run([v.assign([7.0, 8.0]), w.assign(w * 3)])
    with tf.Session() as other:
        saver.restore(other, path)
        assert other.run(v).tolist() == [1, 2]
        assert other.run(w).tolist() == [[1, 1], [1, 1]]
    saver.restore(sess, path)
    assert sess.run(v).tolist() == [1, 2]


def test_a_checkpoint_that_tensorflow_wrote_fills_variables(sess) -> None:
    expected = np.load(FIXTURES / "dtypes.npz", allow_pickle=True)
    made = {
        key: tf.get_variable(key, expected[key].shape, expected[key].dtype)
        for key in ("v/float64", "v/int16", "scalar")
    }
    tf.train.Saver().restore(sess, str(FIXTURES / "dtypes-7"))
    for key, variable in made.items():
        assert np.array_equal(sess.run(variable), expected[key])


def test_max_to_keep_and_the_list_of_checkpoints(tmp_path, sess) -> None:
    small()
    sess.run(tf.global_variables_initializer())
    saver = tf.train.Saver(max_to_keep=2)
    paths = [saver.save(sess, str(tmp_path / "m"), global_step=i) for i in range(4)]
    assert saver.last_checkpoints == paths[2:]
    assert not tf.train.checkpoint_exists(paths[1])
    assert sorted(p.name for p in tmp_path.glob("*.meta")) == ["m-2.meta", "m-3.meta"]
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert list(state.all_model_checkpoint_paths) == paths[2:]
    again = tf.train.Saver(max_to_keep=2)
    again.recover_last_checkpoints(state.all_model_checkpoint_paths)
    again.save(sess, str(tmp_path / "m"), global_step=9)
    assert not tf.train.checkpoint_exists(paths[2]) and tf.train.checkpoint_exists(paths[3])


def test_keep_every_n_hours_spares_a_checkpoint(tmp_path, sess) -> None:
    small()
    sess.run(tf.global_variables_initializer())
    saver = tf.train.Saver(max_to_keep=1, keep_checkpoint_every_n_hours=1e-9)
    first = saver.save(sess, str(tmp_path / "m"), global_step=0)
    saver.save(sess, str(tmp_path / "m"), global_step=1)
    assert tf.train.checkpoint_exists(first)


def test_var_list_as_a_dict_renames(tmp_path, sess) -> None:
    v, w = small()
    sess.run(tf.global_variables_initializer())
    path = tf.train.Saver({"other/v": v}).save(sess, str(tmp_path / "m"), write_meta_graph=False)
    reader = tf.train.NewCheckpointReader(path)
    assert reader.get_variable_to_shape_map() == {"other/v": [2]}
    assert reader.has_tensor("other/v") and not reader.has_tensor("w")
    assert reader.get_tensor("other/v").dtype == np.float32
    with pytest.raises(tf.errors.NotFoundError, match="Key w not found in checkpoint"):
        tf.train.Saver([w]).restore(sess, path)


def test_messages_of_savers(tmp_path, sess) -> None:
    with pytest.raises(ValueError, match="No variables to save"):
        tf.train.Saver()
    small()
    with pytest.raises(TypeError, match="Variable to save is not a Variable"):
        tf.train.Saver([3])
    saver = tf.train.Saver()
    with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value v"):
        saver.save(sess, str(tmp_path / "m"))
    with pytest.raises(ValueError, match="Can't load save_path when it is None"):
        saver.restore(sess, None)
    with pytest.raises(ValueError, match="not a valid checkpoint"):
        saver.restore(sess, str(tmp_path / "none"))
    sess.run(tf.global_variables_initializer())
    with pytest.raises(ValueError, match=r"Parent directory of .* doesn't exist, can't save"):
        saver.save(sess, str(tmp_path / "no" / "m"))
    with pytest.raises(TypeError, match="'sess' must be a Session"):
        saver.save(None, str(tmp_path / "m"))
    assert tf.train.latest_checkpoint(str(tmp_path)) is None


def test_other_shapes_and_dtypes_change_nothing(tmp_path, sess) -> None:
    v, w = small()
    sess.run(tf.global_variables_initializer())
    path = tf.train.Saver().save(sess, str(tmp_path / "m"))
    with tf.Graph().as_default(), tf.Session() as other:
        v = tf.Variable([0.0] * 3, name="v")
        w = tf.Variable([[5.0] * 2] * 2, name="w")
        other.run(tf.global_variables_initializer())
        match = r"lhs shape= \[3\] rhs shape= \[2\]"
        with pytest.raises(tf.errors.InvalidArgumentError, match=match):
            tf.train.Saver({"w": w, "v": v}).restore(other, path)
        assert other.run(w)[0, 0] == 5
        i = tf.Variable([1, 2], name="i")
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected dtype int32 does not"):
            tf.train.Saver({"v": i}).restore(other, path)


def test_saving_over_the_same_name_and_relative_paths(tmp_path, sess, monkeypatch) -> None:
    v, _ = small()
    sess.run(tf.global_variables_initializer())
    monkeypatch.chdir(tmp_path)
    saver = tf.train.Saver(save_relative_paths=True)
    (tmp_path / "d").mkdir()
    for value in (3.0, 4.0):
        sess.run(v.assign([value, value]))
        assert saver.save(sess, "./d/m") == "./d/m"
    assert 'model_checkpoint_path: "m"' in (tmp_path / "d" / "checkpoint").read_text()
    assert tf.train.latest_checkpoint("./d") == "./d/m"
    assert tf.train.load_variable("d", "v").tolist() == [4, 4]
    plain = tf.train.Saver()
    plain.save(sess, "bare")
    assert tf.train.latest_checkpoint(".") == "./bare"


def test_meta_graphs_bring_variables_collections_and_training_back(tmp_path, sess) -> None:
    v, w = small()
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = tf.matmul(x, w, name="y")
    loss = tf.reduce_sum(tf.square(y - v), name="loss")
    train = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss, name="train")
    tf.add_to_collection("end", y)
    tf.add_to_collection("train", train)
    sess.run(tf.global_variables_initializer())
    feed = {"x:0": np.array([[1.0, 2.0], [3.0, 4.0]])}
    sess.run(train, feed)
    path = tf.train.Saver().save(sess, str(tmp_path / "m"))
    want = []
    for _ in range(3):
        sess.run(train, feed)
        want.append(sess.run(loss, feed))
    with tf.Graph().as_default() as graph, tf.Session() as other:
        saver = tf.train.import_meta_graph(path + ".meta")
        saver.restore(other, path)
        assert [u.name for u in tf.trainable_variables()] == ["v:0", "w:0"]
        assert graph.get_tensor_by_name("y:0") is tf.get_collection("end")[0]
        for value in want:
            other.run(tf.get_collection("train")[0], feed)
            assert other.run("loss:0", feed) == value
        other.run(tf.global_variables_initializer())
        assert other.run("v:0").tolist() == [1, 2]
    with tf.Graph().as_default(), tf.Session() as other:
        saver = tf.train.import_meta_graph(path + ".meta", import_scope="a")
        saver.restore(other, path)
        assert [u.name for u in tf.global_variables()][:2] == ["a/v:0", "a/w:0"]
        assert other.run("a/loss:0", {"a/x:0": feed["x:0"]}) > 0


def test_a_meta_graph_of_tensorflow_restores_runs_and_trains() -> None:
    z = np.load(FIXTURES / "model.npz")
    feed = {"x:0": z["data"], "y:0": z["labels"]}
    with tf.Graph().as_default(), tf.Session() as sess:
        saver = tf.train.import_meta_graph(str(FIXTURES / "model.meta"))
        saver.restore(sess, str(FIXTURES / "model"))
        for name in ("net/logits", "parts", "first", "top", "total", "loss"):
            got = sess.run(name + ":0", feed)
            assert np.allclose(got, z[name.split("/")[-1]], rtol=1e-6, atol=1e-6), name
        train = tf.get_collection("train_step")[0]
        for want in z["after"]:
            sess.run(train, feed)
            assert np.allclose(sess.run("loss:0", feed), want, rtol=1e-5)


def test_a_convolutional_network_of_tensorflow_goes_on_training() -> None:
    z = np.load(FIXTURES / "cnn.npz")
    feed = {"x:0": z["data"], "y:0": z["labels"]}
    with tf.Graph().as_default(), tf.Session() as sess:
        saver = tf.train.import_meta_graph(str(FIXTURES / "cnn.meta"))
        saver.restore(sess, str(FIXTURES / "cnn"))
        train, loss = tf.get_collection("train_step")[0], tf.get_collection("loss")[0]
        for want in z["after"]:
            sess.run(train, feed)
            assert np.allclose(sess.run(loss, feed), want, rtol=1e-5)
        assert sess.run(tf.train.get_global_step()) == 5


SAVING = """
import sys, numpy as np, graphc as tf
x = tf.Variable(np.zeros(20000, np.float32), name="x")
y = tf.Variable(np.zeros(3, np.float32), name="y")
step = tf.placeholder(tf.float32, [])
put = tf.group(x.assign(tf.fill([20000], step)), y.assign(tf.fill([3], step)))
saver = tf.train.Saver(max_to_keep=2)
with tf.Session() as sess:
    for k in range(100000):
        sess.run(put, {step: k})
        steps = None if sys.argv[2] == "same" else k
        saver.save(sess, sys.argv[1] + "/m", global_step=steps)
        if k == 1:
            print("saving", flush=True)
"""


def killed_while_saving(folder: Path, kind: str, wait: float) -> None:
    folder.mkdir(exist_ok=True)
    child = subprocess.Popen(
        [sys.executable, "-c", SAVING, str(folder), kind], stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline() == b"saving\n"
    time.sleep(wait)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    newest = tf.train.latest_checkpoint(str(folder))
    assert newest is not None
    reader = tf.train.NewCheckpointReader(newest)
    values = np.concatenate([reader.get_tensor("x"), reader.get_tensor("y")])
    assert np.unique(values).size == 1
    assert Path(newest + ".meta").exists()


@pytest.mark.parametrize("kind", ["same", "numbered"])
def test_a_killed_process_leaves_the_last_complete_checkpoint(tmp_path, kind) -> None:
    rng = random.Random(1)
    for k in range(2):
        killed_while_saving(tmp_path / str(k), kind, rng.random() * 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["same", "numbered"])
def test_a_hundred_killed_processes(tmp_path, kind) -> None:
    rng = random.Random(2)
    for _ in range(100):
        killed_while_saving(tmp_path / "d", kind, rng.random() * 0.3)
