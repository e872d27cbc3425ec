"""Feature columns and features, for graphc and for TensorFlow: what each gives must be equal.

Each case is a function of the module `tf` (either of the two) that returns what one run of it
gives: values, and the names and shapes of its variables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

NUMBERS = {
    "x": np.array([[0.5], [2.0], [-1.0], [3.0]], np.float32),
    "v": np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.int64),
    "flat": np.array([1.0, 2.0, 3.0, 4.0], np.float32),
}
WORDS = {
    "s": np.array([[b"a"], [b"zz"], [b""], [b"c"]], object),
    "t": np.array([[b"a", b"b"], [b"", b"b"], [b"c", b"c"], [b"", b""]], object),
    "w": np.array([[1.0, 0.5], [0.0, 2.0], [1.0, 3.0], [0.0, 0.0]], np.float32),
    "i": np.array([[1], [0], [2], [3]], np.int64),
    "j": np.array([[7, -1], [8, 9], [1, 2], [-1, -1]], np.int64),
}


def table(rows: int, width: int) -> Any:
    """An initializer that gives the same numbers everywhere."""
    values = (np.arange(rows * width, dtype=np.float32).reshape(rows, width) % 7) / 4 - 0.5

    def initializer(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        assert tuple(int(d) for d in shape) == values.shape
        return values

    return initializer


class _Names:
    """The functions of tf.feature_column, and tf's dtypes."""

    def __init__(self, tf: Any) -> None:
        self.tf = tf

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tf.feature_column, name, None) or getattr(self.tf, name)


def run(tf: Any, features: dict[str, Any], columns: Callable[[Any], Any], kind: str) -> Any:
    """Values and variables of an input layer or a linear model of columns."""
    tensors = {k: tf.constant(v) for k, v in features.items()}
    if "sparse" in features:
        tensors["sparse"] = tf.SparseTensor(*SPARSE)
        tensors["weights"] = tf.SparseTensor(SPARSE[0], np.float32([1, 2, 3, 4]), SPARSE[2])
    fc = tf.feature_column
    made = columns(_Names(tf))
    if kind == "input":
        out = fc.input_layer(tensors, made)
        extra: list[Any] = []
    else:
        out = fc.linear_model(tensors, made, units=2, sparse_combiner=kind)
        variables = tf.global_variables()
        extra = [
            tf.assign(
                v, (np.arange(int(np.prod(v.shape.as_list()))) % 5 / 2).reshape(v.shape.as_list())
            )
            for v in variables
        ]
    names = [[v.name, v.shape.as_list()] for v in tf.global_variables()]
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        for op in extra:
            session.run(op)
        values = session.run(out)
    return {"values": np.asarray(values, np.float64).round(5).tolist(), "variables": names}


SPARSE = (
    np.array([[0, 0], [0, 1], [2, 0], [3, 2]], np.int64),
    np.array([b"a", b"q", b"", b"c"], object),
    np.array([4, 3], np.int64),
)
SPARSE_FEATURES = {"sparse": np.zeros(1, np.float32), "x": NUMBERS["x"]}


def _vocabulary(fc: Any, key: str = "s", **options: Any) -> Any:
    return fc.categorical_column_with_vocabulary_list(key, ["a", "b", "c"], **options)


def _columns() -> dict[str, tuple[dict[str, Any], Callable[[Any], Any]]]:
    def buckets(fc: Any) -> Any:
        return fc.bucketized_column(fc.numeric_column("x"), [-1.0, 0.5, 2.0])

    def pair(fc: Any) -> Any:
        return fc.bucketized_column(fc.numeric_column("v", 2), [3.5, 5])

    def embedded(fc: Any, column: Any, rows: int, **options: Any) -> Any:
        return fc.embedding_column(column, 3, initializer=table(rows, 3), **options)

    return {
        "numeric": (NUMBERS, lambda fc: [
            fc.numeric_column("x", normalizer_fn=lambda x: x * 2 + 1),
            fc.numeric_column("v", (2,), dtype=fc.int64), fc.numeric_column("flat"),
        ]),
        "buckets": (NUMBERS, lambda fc: [buckets(fc), pair(fc)]),
        "indicator": (WORDS, lambda fc: [
            fc.indicator_column(_vocabulary(fc)), fc.indicator_column(_vocabulary(fc, "t")),
        ]),
        "oov": (WORDS, lambda fc: [
            fc.indicator_column(_vocabulary(fc, num_oov_buckets=3)),
            fc.indicator_column(_vocabulary(fc, "t", default_value=2)),
        ]),
        "integers": (WORDS, lambda fc: [
            fc.indicator_column(fc.categorical_column_with_identity("i", 4)),
            fc.indicator_column(fc.categorical_column_with_identity("j", 9, default_value=0)),
            fc.indicator_column(
                fc.categorical_column_with_vocabulary_list("j2", [9, 7], num_oov_buckets=2)
            ),
        ]),
        "hash": (WORDS, lambda fc: [
            fc.indicator_column(fc.categorical_column_with_hash_bucket("t", 5)),
            fc.indicator_column(fc.categorical_column_with_hash_bucket("j", 4, dtype=fc.int64)),
        ]),
        "embedding mean": (WORDS, lambda fc: [embedded(fc, _vocabulary(fc, "t"), 3)]),
        "embedding sqrtn": (
            WORDS, lambda fc: [embedded(fc, _vocabulary(fc, "t"), 3, combiner="sqrtn")],
        ),
        "embedding norm": (
            WORDS,
            lambda fc: [embedded(fc, _vocabulary(fc, "t"), 3, combiner="sum", max_norm=0.5)],
        ),
        "shared": (WORDS, lambda fc: fc.shared_embedding_columns(
            [_vocabulary(fc, "s"), _vocabulary(fc, "t")], 2, initializer=table(3, 2)
        )),
        "crossed strings": (WORDS, lambda fc: [
            fc.indicator_column(fc.crossed_column(["s", "t"], 11)),
        ]),
        "crossed buckets": (NUMBERS, lambda fc: [
            fc.indicator_column(fc.crossed_column(["v", buckets(fc)], 11)),
        ]),
        "crossed twice": (WORDS, lambda fc: [
            fc.indicator_column(
                fc.crossed_column([fc.crossed_column(["s", _vocabulary(fc, "t")], 5), "i"], 9)
            ),
        ]),
        "sparse": (SPARSE_FEATURES, lambda fc: [
            fc.indicator_column(_vocabulary(fc, "sparse", num_oov_buckets=1)),
            embedded(fc, fc.categorical_column_with_hash_bucket("sparse", 4), 4),
            fc.numeric_column("x"),
        ]),
        "sparse weights": (SPARSE_FEATURES, lambda fc: [
            embedded(fc, fc.weighted_categorical_column(
                _vocabulary(fc, "sparse", num_oov_buckets=1), "weights"), 4),
        ]),
        "sparse crossed": (SPARSE_FEATURES, lambda fc: [
            fc.indicator_column(fc.crossed_column(["sparse", buckets(fc)], 7)),
        ]),
    }  # fmt: skip


def _linear() -> dict[str, tuple[dict[str, Any], Callable[[Any], Any], str]]:
    def all_columns(fc: Any) -> Any:
        return [
            _vocabulary(fc, "t"), fc.categorical_column_with_identity("i", 4),
            fc.crossed_column(["s", "i"], 6),
            fc.indicator_column(_vocabulary(fc, "s")),
        ]  # fmt: skip

    return {
        "linear sum": (WORDS, all_columns, "sum"),
        "linear mean": (WORDS, all_columns, "mean"),
        "linear numbers": (NUMBERS, lambda fc: [
            fc.numeric_column("v", 2), fc.bucketized_column(fc.numeric_column("v", 2), [3, 6]),
        ], "sum"),
        "linear weights": (SPARSE_FEATURES, lambda fc: [
            fc.weighted_categorical_column(
                _vocabulary(fc, "sparse", num_oov_buckets=1), "weights"),
        ], "sqrtn"),
    }  # fmt: skip


def cases(tf: Any) -> dict[str, Callable[[], Any]]:
    """Each case by its name."""
    found: dict[str, Callable[[], Any]] = {}
    for name, (features, columns) in _columns().items():
        given = {**features, "j2": WORDS["j"]} if name == "integers" else features
        found[name] = lambda f=given, c=columns: run(tf, f, c, "input")
    for name, (features, columns, kind) in _linear().items():
        found[name] = lambda f=features, c=columns, k=kind: run(tf, f, c, k)
    return found
