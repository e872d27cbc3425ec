"""TensorFlow's graphs of the cases, read from its files, give TensorFlow's values."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

import graphc as tf
from tests.oracle.record import FIXTURES, GRAPHS, compare, expected, in_graph, plain


def outputs(graph: Any, case: str, kept: Any) -> list[Any]:
    """The names of a case's outputs, in the form of its kept values."""
    names: list[Any] = []
    for k, value in enumerate(kept):
        stem = f"{case}/out_{k}"
        whole = isinstance(value[0], str)
        names.append(f"{stem}:0" if whole else [f"{stem}{end}:0" for end in ("", "_1", "_2")])
    return names


@pytest.mark.parametrize("subject", GRAPHS)
def test_a_graph_of_tensorflow_gives_its_values(subject: str) -> None:
    packed = (FIXTURES / f"{subject}.pb.gz").read_bytes()
    definition = tf.GraphDef.FromString(gzip.decompress(packed))
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        tf.import_graph_def(definition, name="")
        for case, kept in expected(subject).items():
            if not in_graph(case, kept):
                continue
            got = sess.run(outputs(graph, case, kept))
            try:
                compare([plain(v) for v in got], kept, rtol=1e-4, atol=1e-5)
            except AssertionError as error:
                raise AssertionError(f"{subject}, {case}") from error
