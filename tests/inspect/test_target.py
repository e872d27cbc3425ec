"""Targets: functions in files, graphs in files, objects; what is fetched and fed where files do
not say it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.inspect.target import Target, TargetError, load, made_up, sinks
from graphc.ir.graph import Graph

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tf"
CONFIG = Config(cache_dir=None)

PROGRAM = """
import graphc as tf
import numpy as np

def build():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    return tf.exp(x), {x: np.ones((2, 3))}

def other():
    return tf.constant(1.0) + 2.0, {}

def wrong():
    return 3

number = 3
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return str(file)


def run(target: Target) -> Any:
    with tf.Session(graph=target.graph, options=CONFIG) as session:
        session.run([v.initializer for v in target.graph.get_collection("variables")])
        return session.run(target.fetches, target.feeds)


def test_a_function_in_a_file(program: str) -> None:
    target = load(program)
    assert target.title == "program.py:build"
    np.testing.assert_allclose(run(target), np.full((2, 3), np.e), rtol=1e-6)
    other = load(f"{program}:other")
    assert other.title == "program.py:other"
    assert run(other) == 3.0
    assert load(target) is target
    assert load(Path(program)).title == "program.py:build"


def test_functions_and_objects(program: str) -> None:
    def small() -> Any:
        return tf.constant(2.0) * 3.0, {}

    target = load(small)
    assert target.title == "small"
    assert run(target) == 6.0
    graph = Graph()
    with graph.as_default():
        out = tf.constant(1.0) + 1.0
    assert run(load((graph, out, {}))) == 2.0
    assert load((graph, out, None)).feeds == {}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{}:missing", "has no function 'missing'; it has build, other, wrong"),
        ("{}:wrong", r"must return \(fetches, feed_dict\)"),
        ("{}:number", "has no function 'number'"),
        ("nowhere.py:build", "no file 'nowhere.py'; give FILE.py:build"),
        ("nowhere.pb", "no file or folder"),
        ("{}.txt", "a target is FILE.py:FUNCTION"),
        (3, "int names no target"),
        ((1, 2, 3), "a target of objects is"),
    ],
)
def test_what_is_no_target(program: str, spec: Any, message: str) -> None:
    Path(f"{program}.txt").write_text("text")
    with pytest.raises(TargetError, match=message):
        load(spec.format(program) if isinstance(spec, str) else spec)


def training() -> Any:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    y = tf.placeholder(tf.int64, [None], name="y")
    keep = tf.placeholder(tf.bool, name="training")
    w = tf.get_variable("w", [4, 3])
    logits = tf.cond(keep, lambda: tf.matmul(x, w) * 2.0, lambda: tf.matmul(x, w))
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    train = tf.train.AdamOptimizer().minimize(loss)
    tf.global_variables_initializer()
    return loss, train


def test_a_meta_graph_with_its_checkpoint(tmp_path: Path) -> None:
    graph = Graph()
    with graph.as_default(), tf.Session(options=CONFIG) as session:
        _, train = training()
        tf.add_to_collection("train_op", train)
        session.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=7)
        value = session.run("w:0")
    target = load(f"{path}.meta")
    assert [n.name for n in target.fetches] == ["Adam"]
    assert {t.name: v.shape for t, v in target.feeds.items()} == {
        "x:0": (8, 4), "y:0": (8,), "training:0": (),
    }  # fmt: skip
    np.testing.assert_array_equal(target.session.run("w:0"), value)
    document = target.document(CONFIG, codes=False, timed_runs=1)
    assert document.title == "model.ckpt-7.meta"
    assert [name for name, _, _ in document.stages[-1].updates][:1] == ["w"]
    np.testing.assert_array_equal(target.session.run("w:0"), value)


def test_a_meta_graph_alone(tmp_path: Path) -> None:
    graph = Graph()
    with graph.as_default():
        training()
        tf.train.export_meta_graph(str(tmp_path / "only.meta"))
    target = load(tmp_path / "only.meta")
    # neither the initializers nor the saver
    assert [n.name for n in target.fetches] == ["Adam"]
    assert target.session is None
    assert target.document(CONFIG, codes=False).plans["fused"].kernel_count


@pytest.mark.parametrize("suffix", ["pb", "pbtxt"])
def test_a_graph_def(tmp_path: Path, suffix: str) -> None:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 5], name="x")
        n = tf.placeholder(tf.int32, [2], name="n")
        tf.exp(x, name="out")
        tf.add(n, 1, name="sum")
    tf.io.write_graph(graph, str(tmp_path), f"g.{suffix}", as_text=suffix == "pbtxt")
    target = load(tmp_path / f"g.{suffix}")
    assert [t.name for t in target.fetches] == ["out:0", "sum:0"]
    out, total = run(target)
    assert out.shape == (8, 5) and (total == 2).all()


def test_extents_that_fit(tmp_path: Path) -> None:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None], name="x")
        tf.add(x, tf.placeholder(tf.float32, [None, 3], name="y"), name="out")
    tf.io.write_graph(graph, str(tmp_path), "g.pb", as_text=False)
    feeds = {t.name: v.shape for t, v in load(tmp_path / "g.pb").feeds.items()}
    assert feeds == {"x:0": (8, 1), "y:0": (8, 3)}


@pytest.mark.parametrize(
    ("name", "fetched"),
    [
        ("cnn.pb", ["probs:0"]),
        ("flow_lstm_v1.pb", ["y:0", "c:0", "h:0"]),  # not what reading its loops leaves behind
        ("flow_lstm_v2.pb", ["y:0", "c:0", "h:0"]),
        ("model.meta", ["train"]),
    ],
)
def test_graphs_that_tensorflow_wrote(name: str, fetched: list[str]) -> None:
    target = load(FIXTURES / name)
    assert [t.name for t in target.fetches] == fetched
    document = target.document(CONFIG, codes=False, plans=("fused",), timed_runs=1)
    assert document.plans["fused"].kernel_count


def test_a_saved_model(tmp_path: Path) -> None:
    graph = Graph()
    folder = tmp_path / "model"
    with graph.as_default(), tf.Session(options=CONFIG) as session:
        x = tf.placeholder(tf.float32, [None, 2], name="x")
        w = tf.Variable([[1.0], [2.0]])
        y = tf.matmul(x, w, name="y")
        session.run(tf.global_variables_initializer())
        session.run(w.assign([[3.0], [4.0]]))
        tf.saved_model.simple_save(session, str(folder), {"x": x}, {"score": y})
    for spec in (folder, folder / "saved_model.pb"):
        target = load(spec)
        assert target.title == "model:serving_default"
        assert list(target.fetches) == ["score"]
        assert [v.shape for v in target.feeds.values()] == [(8, 2)]
        got = target.session.run(target.fetches, {t: np.ones((1, 2)) for t in target.feeds})
        assert got["score"] == [[7.0]]
        assert target.document(CONFIG, codes=False).plans["fused"].kernel_count == 1


def test_damaged_files(tmp_path: Path) -> None:
    for name in ("a.pb", "a.pbtxt", "a.meta"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00 nothing {")
        with pytest.raises(TargetError):
            load(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TargetError, match="holds no SavedModel"):
        load(tmp_path / "empty")
    (tmp_path / "nothing.pb").write_bytes(b"")
    with pytest.raises(TargetError, match="nothing to compute"):
        load(tmp_path / "nothing.pb")


def test_made_up_values() -> None:
    with Graph().as_default():
        text = made_up(tf.placeholder(tf.string, [None]), 8, 1)
        assert text.shape == (8,) and text[0] == b""
        scalar = made_up(tf.placeholder(tf.bool), 8, 1)
        assert scalar.shape == () and not scalar
        assert made_up(tf.placeholder(tf.int64, [None]), 2, 1).tolist() == [1, 1]
        one = made_up(tf.placeholder(tf.float64, [None, None, 2]), 8, 1)
        assert one.shape == (8, 1, 2) and one.dtype == np.float64 and one.min() >= 0
        assert sinks(Graph()) == []


def test_a_file_imports_from_its_folder_and_the_working_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "near_values.py").write_text("NEAR = 3.0\n")
    (tmp_path / "around_values.py").write_text("AROUND = 4.0\n")
    (tmp_path / "beside" / "model.py").write_text(
        "import graphc as tf\n"
        "from around_values import AROUND\n"
        "from near_values import NEAR\n"
        "def build():\n"
        "    return tf.constant(NEAR) * AROUND, {}\n"
    )
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert load("beside/model.py:build").fetches.name == "mul:0"
    assert sys.path == before
