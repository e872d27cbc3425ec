"""Tables, parsed examples and strings in GraphDefs and MetaGraphs, in both directions."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

SAID = json.loads((Path(__file__).parents[1] / "fixtures" / "records.json").read_text())


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def bytes_in(value):
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [bytes_in(v) for v in value] if isinstance(value, list) else value


def test_a_graph_of_tensorflow_gives_its_values() -> None:
    graph_def = tf.GraphDef.FromString(base64.b64decode(SAID["graph"]["graph"]))
    tf.import_graph_def(graph_def, name="")
    example = base64.b64decode(SAID["messages"]["example"])
    feeds = {"words:0": ["b", "z"], "serialized:0": [example] * 2}
    with tf.Session() as sess:
        sess.run("init")
        for name, want in SAID["graph"]["values"].items():
            got = sess.run(f"out_{name}:0", feeds)
            if name == "weights":
                np.testing.assert_array_equal(got, np.float32(want))
            else:
                assert np.asarray(got).tolist() == bytes_in(want), name


def build():
    words = tf.placeholder(tf.string, [None], name="words")
    table = tf.contrib.lookup.index_table_from_tensor(["a", "b"], num_oov_buckets=3)
    ids = table.lookup(words)
    mutable = tf.contrib.lookup.MutableHashTable(tf.string, tf.int64, -1)
    with tf.control_dependencies([mutable.insert(words, ids)]):
        kept = mutable.lookup(words)
    dense = tf.contrib.lookup.MutableDenseHashTable(tf.int64, tf.float32, [0.0, 1.0], 0, -1)
    with tf.control_dependencies([dense.insert([7], [[2.0, 3.0]])]):
        pairs = dense.lookup(tf.constant([7, 8], tf.int64))
    example = tf.train.Example()
    example.features.feature["a"].int64_list.value.extend([1, 2])
    serialized = tf.constant([example.SerializeToString()])
    spec = {
        "a": tf.FixedLenFeature([2], tf.int64),
        "v": tf.VarLenFeature(tf.float32),
        "d": tf.FixedLenFeature([], tf.string, "-"),
        "q": tf.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
    }
    parsed = tf.parse_example(serialized, spec)
    one = tf.parse_single_example(serialized[0], {"a": spec["a"], "v": spec["v"]})
    return {
        "ids": ids, "kept": kept, "pairs": pairs, "a": parsed["a"], "v": parsed["v"].values,
        "d": parsed["d"], "q": parsed["q"], "one": one["a"], "none": one["v"].dense_shape,
        "column": tf.decode_csv(words, [[""]], select_cols=[0])[0],
        "joined": tf.reduce_join(tf.expand_dims(words, 0)),
        "text": tf.as_string(ids, width=4, fill="0"), "said": tf.strings.format("{}", words),
        "parts": tf.string_split(words, "").values, "raw": tf.decode_raw(words, tf.uint8),
        "code": tf.strings.unicode_transcode(words, "UTF-8", "UTF-16-BE"),
    }  # fmt: skip


def test_graphs_come_back_with_their_tables() -> None:
    outputs = build()
    for name, value in outputs.items():
        tf.identity(value, name=f"out_{name}")
    tf.tables_initializer(name="init")
    feeds = {"words:0": ["b", "z"]}
    with tf.Session() as sess:
        sess.run("init")
        want = {name: sess.run(f"out_{name}:0", feeds) for name in outputs}
    assert want["ids"].tolist() == want["kept"].tolist() == [1, 3]
    assert want["pairs"].tolist() == [[2, 3], [0, 1]]
    graph_def = tf.GraphDef.FromString(tf.get_default_graph().as_graph_def().SerializeToString())
    ops = {nd.op for nd in graph_def.node}
    assert {"HashTableV2", "MutableHashTableV2", "MutableDenseHashTableV2"} <= ops
    for scope in ("", "again"):
        tf.reset_default_graph()
        tf.import_graph_def(graph_def, name=scope)
        at = f"{scope}/" if scope else ""
        with tf.Session() as sess:
            sess.run(f"{at}init")
            for name, value in want.items():
                got = sess.run(f"{at}out_{name}:0", {f"{at}words:0": ["b", "z"]})
                np.testing.assert_array_equal(got, value)
    twice = tf.get_default_graph().as_graph_def()
    assert {nd.op for nd in twice.node} == ops


def test_a_saved_model_is_restored_with_its_vocabulary(tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("good\nbad\n")
    words = tf.placeholder(tf.string, [None], name="words")
    table = tf.contrib.lookup.index_table_from_file(str(path), num_oov_buckets=1)
    vectors = tf.get_variable("vectors", [3, 2], initializer=tf.random_normal_initializer())
    tf.reduce_sum(tf.nn.embedding_lookup(vectors, table.lookup(words)), 1, name="score")
    feeds = {"words:0": ["bad", "new", "good"]}
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
        want = sess.run("score:0", feeds)
        tf.train.Saver().save(sess, str(tmp_path / "model"))
    tf.reset_default_graph()
    saver = tf.train.import_meta_graph(str(tmp_path / "model.meta"))
    with tf.Session() as sess:
        saver.restore(sess, str(tmp_path / "model"))
        assert len(tf.get_collection(tf.GraphKeys.TABLE_INITIALIZERS)) == 1
        sess.run(tf.tables_initializer())
        np.testing.assert_array_equal(sess.run("score:0", feeds), want)
