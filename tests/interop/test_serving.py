"""A SavedModel that parses examples and looks words up in a vocabulary among its assets."""

from __future__ import annotations

import numpy as np

import graphc as tf


def test_a_served_model_parses_examples_and_finds_its_vocabulary(tmp_path) -> None:
    tf.reset_default_graph()
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("good\nbad\n")
    serialized = tf.placeholder(tf.string, [None], name="examples")
    parsed = tf.parse_example(serialized, {"word": tf.FixedLenFeature([], tf.string)})
    table = tf.contrib.lookup.index_table_from_file(str(vocabulary), num_oov_buckets=1)
    vectors = tf.get_variable("vectors", initializer=np.arange(6.0).reshape(3, 2))
    found = tf.identity(tf.nn.embedding_lookup(vectors, table.lookup(parsed["word"])), name="y")
    folder = str(tmp_path / "model")
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
        builder = tf.saved_model.builder.SavedModelBuilder(folder)
        signature = tf.saved_model.signature_def_utils.predict_signature_def(
            {"examples": serialized}, {"y": found}
        )
        builder.add_meta_graph_and_variables(
            sess,
            [tf.saved_model.tag_constants.SERVING],
            {"serving_default": signature},
            assets_collection=tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS),
            main_op=tf.tables_initializer(),
        )
        builder.save()
    vocabulary.unlink()  # the model has its own
    tf.reset_default_graph()
    example = tf.train.Example()
    example.features.feature["word"].bytes_list.value.append(b"bad")
    with tf.Session() as sess:
        tf.saved_model.loader.load(sess, ["serve"], folder)
        got = sess.run("y:0", {"examples:0": [example.SerializeToString()] * 2})
    assert got.tolist() == [[2.0, 3.0]] * 2
