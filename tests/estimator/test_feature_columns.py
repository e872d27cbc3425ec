"""tf.feature_column: values and variables as TensorFlow's, checks, gradients.

What TensorFlow gives stands in tests/fixtures/feature_columns.json (make_feature_columns.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from tests.estimator.column_cases import cases

EXPECTED = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "feature_columns.json").read_text()
)
CASES = cases(tf)
fc = tf.feature_column


@pytest.mark.parametrize("name", list(CASES))
def test_as_tensorflow(name: str) -> None:
    got, want = CASES[name](), EXPECTED[name]
    np.testing.assert_allclose(got["values"], want["values"], atol=2e-5)
    assert got["variables"] == want["variables"]


def layer(columns: list[object], **features: object) -> np.ndarray:
    out = fc.input_layer({k: tf.constant(v) for k, v in features.items()}, columns)
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        return session.run(out)


def test_vocabulary_files(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("x\ny\nz\n")
    column = fc.categorical_column_with_vocabulary_file("k", str(path), vocabulary_size=2)
    got = layer([fc.indicator_column(column)], k=np.array([b"y", b"z", b"x"], object))
    assert got.tolist() == [[0, 1], [0, 0], [1, 0]]
    everything = fc.categorical_column_with_vocabulary_file("k", str(path), num_oov_buckets=2)
    assert everything._num_buckets == 5
    with pytest.raises(ValueError, match="vocabulary_file in k does not exist"):
        fc.categorical_column_with_vocabulary_file("k", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="Invalid vocab_size in"):
        fc.categorical_column_with_vocabulary_file("k", str(path), vocabulary_size=4)


def test_gradients_reach_embeddings_and_weights() -> None:
    features = {"s": tf.constant([b"a", b"c", b"a"])}
    words = fc.categorical_column_with_vocabulary_list("s", ["a", "b", "c"])
    out = fc.input_layer(features, [fc.embedding_column(words, 2)])
    linear = fc.linear_model(features, [words])
    table, weights, bias = tf.global_variables()
    grads = tf.gradients(tf.reduce_sum(out) + tf.reduce_sum(linear), [table, weights, bias])
    dense = [tf.convert_to_tensor(g) for g in grads]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        got = session.run(dense)
    assert got[0].tolist() == [[2, 2], [0, 0], [1, 1]]
    assert got[1].tolist() == [[2], [0], [1]]
    assert got[2].tolist() == [3]


def test_embeddings_from_a_checkpoint(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("old", initializer=np.float32([[1, 2], [3, 4]]))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "m"))
    words = fc.categorical_column_with_identity("i", 2)
    column = fc.embedding_column(
        words, 2, ckpt_to_load_from=str(tmp_path / "m"), tensor_name_in_ckpt="old"
    )
    assert layer([column], i=np.array([1, 0])).tolist() == [[3, 4], [1, 2]]
    assert tf.global_variables()[0].op.name == "input_layer/i_embedding/embedding_weights"


def test_what_is_filled_for_the_caller() -> None:
    x, s = fc.numeric_column("x"), fc.categorical_column_with_identity("s", 3)
    embedded = fc.embedding_column(s, 2)
    features = {"x": tf.constant([[1.0]]), "s": tf.constant([2])}
    variables: dict[object, list[object]] = {}
    parts: dict[object, object] = {}
    fc.input_layer(features, [x, embedded], cols_to_vars=variables, cols_to_output_tensors=parts)
    assert variables[x] == []
    assert [v.op.name for v in variables[embedded]] == [
        "input_layer/s_embedding/embedding_weights"
    ]
    assert sorted(c.name for c in parts) == ["s_embedding", "x"]
    linear: dict[object, list[object]] = {}
    fc.linear_model(features, [x, s], units=2, cols_to_vars=linear)
    assert [v.shape.as_list() for v in linear[s]] == [[3, 2]]
    assert [v.op.name for v in linear["bias"]] == ["linear_model/bias_weights"]


def test_numbers_out_of_range_are_an_error_without_a_default() -> None:
    column = fc.indicator_column(fc.categorical_column_with_identity("i", 2))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"category 5 is not in \[0, 2\)"):
        layer([column], i=np.array([1, 5]))


def test_specifications_for_parsing() -> None:
    number = fc.numeric_column("n", 2, default_value=1.5)
    words = fc.categorical_column_with_hash_bucket("w", 10)
    weighted = fc.weighted_categorical_column(words, "weight")
    crossed = fc.crossed_column(["c", fc.bucketized_column(fc.numeric_column("d"), [0])], 5)
    spec = fc.make_parse_example_spec([number, weighted, crossed])
    assert spec == {
        "n": tf.FixedLenFeature((2,), tf.float32, (1.5, 1.5)),
        "w": tf.VarLenFeature(tf.string), "weight": tf.VarLenFeature(tf.float32),
        "c": tf.VarLenFeature(tf.string), "d": tf.FixedLenFeature((1,), tf.float32, None),
    }  # fmt: skip
    with pytest.raises(ValueError, match="contain different parse_spec for key n"):
        fc.make_parse_example_spec([number, fc.indicator_column(
            fc.categorical_column_with_hash_bucket("n", 3))])  # fmt: skip
    with pytest.raises(ValueError, match="All feature_columns must be _FeatureColumn instances"):
        fc.make_parse_example_spec(["n"])


def test_columns_are_checked() -> None:
    x = fc.numeric_column("x")
    s = fc.categorical_column_with_vocabulary_list("s", ["a"])
    for make, text in [
        (lambda: fc.numeric_column("x", 0), "shape dimensions must be greater than 0"),
        (lambda: fc.bucketized_column(x, [2, 1]), "boundaries must be a sorted list"),
        (lambda: fc.bucketized_column(s, [1]), "must be a column generated with numeric_column"),
        (lambda: fc.categorical_column_with_hash_bucket("s", 0), "must be at least 1"),
        (lambda: fc.categorical_column_with_identity("i", 0), "num_buckets 0 < 1, column_name i"),
        (lambda: fc.categorical_column_with_identity("i", 3, 3), "default_value 3 not in range"),
        (lambda: fc.categorical_column_with_vocabulary_list("s", []), "must be non-empty"),
        (lambda: fc.categorical_column_with_vocabulary_list("s", ["a", "a"]), "Duplicate keys in"),
        (lambda: fc.categorical_column_with_vocabulary_list("s", ["a"], default_value=0,
                                                            num_oov_buckets=1), "specify both"),
        (lambda: fc.crossed_column(["a"], 5), "keys must be a list with length > 1"),
        (lambda: fc.crossed_column(["a", fc.categorical_column_with_hash_bucket("s", 2)], 5),
         "categorical_column_with_hash_bucket is not supported for crossing"),
        (lambda: fc.embedding_column(s, 0), "Invalid dimension 0"),
        (lambda: fc.embedding_column(s, 2, ckpt_to_load_from="x"), "Must specify both `ckpt_to"),
        (lambda: fc.weighted_categorical_column(s, "w", tf.string), "is not convertible to float"),
        (lambda: fc.input_layer({}, []), "feature_columns must not be empty"),
        (lambda: fc.input_layer({}, [s]), "Items of feature_columns must be a _DenseColumn"),
        (lambda: fc.input_layer({}, [x]), "Feature x is not in features dictionary"),
        (lambda: fc.input_layer({"x": tf.constant(1.0)}, [x]), "cannot have rank 0"),
        (lambda: fc.input_layer({}, [x, x]), "Duplicate feature column name found for columns"),
        (lambda: fc.input_layer({}, ["x"]), "Items of feature_columns must be a _FeatureColumn"),
        (lambda: fc.input_layer({"s": tf.constant([1])}, [fc.indicator_column(s)]),
         "Column dtype and SparseTensors dtype must be compatible"),
        (lambda: fc.input_layer({"x": tf.ones([2]), "y": tf.ones([3])},
                                [x, fc.numeric_column("y")]), "Batch size .first dimension."),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=text):
            make()
    with pytest.raises(TypeError, match="normalizer_fn must be a callable"):
        fc.numeric_column("x", normalizer_fn=3)
