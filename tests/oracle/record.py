"""Small graphs of which TensorFlow's results are kept, to be compared with graphc's.

    PYTHONPATH=. python -m tests.oracle.record sparse_cases ...     (needs tensorflow)

writes tests/fixtures/<name>.json and, for GRAPHS, the graphs themselves as <name>.pb.gz. Lives
here: what is kept, how it is compared. Not here: the cases, one module a subject with CASES: name
-> function of tf that gives tensors.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path(__file__).parents[1] / "fixtures"
ERROR = "error: "
# subjects whose graphs are kept as TensorFlow writes them
GRAPHS = ("sparse_cases", "box_cases", "file_cases")


def run(case: Any, tf: Any) -> Any:
    """The case's values as JSON holds them; of an error its class."""
    with tf.Graph().as_default(), tf.Session() as sess:
        try:
            tensors = case(tf)
            sess.run([tf.global_variables_initializer(), tf.tables_initializer()]
                     if hasattr(tf, "tables_initializer") else tf.global_variables_initializer())
            got = sess.run(tensors)
        except Exception as error:
            if isinstance(error, AttributeError | NameError | KeyError | AssertionError):
                raise
            return [ERROR + c.__name__ for c in type(error).__mro__]
    return [plain(v) for v in (got if isinstance(got, list) else [got])]


def plain(value: Any) -> Any:
    """An array as [dtype, shape, values]; tuples of arrays as lists."""
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    array = np.asarray(value)
    if array.dtype == object or array.dtype.kind == "S":
        flat: list[Any] = [v.decode("latin-1") for v in array.reshape(-1)]
        return ["string", list(array.shape), flat]
    flat = [_number(v) for v in array.reshape(-1).tolist()]
    return [array.dtype.name, list(array.shape), flat]


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}") if np.isfinite(value) else repr(value)
    return value


def _array(kept: Any) -> np.ndarray[Any, Any]:
    dtype, shape, flat = kept
    values = [float(v) if isinstance(v, str) and dtype != "string" else v for v in flat]
    return np.array(values, object if dtype == "string" else dtype).reshape(shape)


def compare(got: Any, want: Any, rtol: float = 2e-5, atol: float = 2e-6) -> None:
    """Raises AssertionError where results differ in dtype, shape or value."""
    if isinstance(want[0], str) and want[0].startswith(ERROR):
        assert want[0] in got
        return
    if len(want) == 3 and isinstance(want[0], str):
        assert got[:2] == want[:2], f"{got[:2]} is not {want[:2]}"
        a, b = _array(got), _array(want)
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
        else:
            np.testing.assert_array_equal(a, b)
        return
    assert len(got) == len(want)
    for one, other in zip(got, want):
        compare(one, other, rtol, atol)


def cases_of(subject: str) -> dict[str, Any]:
    return dict(importlib.import_module(f"tests.oracle.{subject}").CASES)


def expected(subject: str) -> dict[str, Any]:
    return dict(json.loads((FIXTURES / f"{subject}.json").read_text()))


def in_graph(name: str, kept: Any) -> bool:
    """Whether a case is in the subject's graph: no errors, no gradients, nothing long."""
    left_out = ("gradient", "embeddings")
    return not isinstance(kept[0], str) and not any(word in name for word in left_out)


def graph_of(subject: str, kept: dict[str, Any], tf: Any) -> bytes:
    """A GraphDef of all cases without variables; output k of a case is called "case/out_k"."""
    with tf.Graph().as_default() as graph:
        for name, case in cases_of(subject).items():
            if not in_graph(name, kept[name]):
                continue
            with tf.name_scope(name) as scope:
                got = case(tf)
            for k, value in enumerate(got if isinstance(got, list) else [got]):
                parts = [value] if isinstance(value, tf.Tensor) else [
                    value.indices, value.values, value.dense_shape
                ]  # fmt: skip
                for part in parts:
                    tf.identity(part, name=f"{scope}out_{k}")
        return graph.as_graph_def().SerializeToString()


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    for subject in sys.argv[1:]:
        kept = {name: run(case, tf) for name, case in cases_of(subject).items()}
        if subject in GRAPHS:
            packed = gzip.compress(graph_of(subject, kept, tf), mtime=0)
            (FIXTURES / f"{subject}.pb.gz").write_bytes(packed)
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in kept.items()]
        (FIXTURES / f"{subject}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        kept = {k: v[:1] if isinstance(v[0], str) else v for k, v in kept.items()}
        errors = [f"{k}: {v[0]}" for k, v in kept.items() if isinstance(v[0], str)]
        print(subject, len(kept), "cases", *errors, sep="\n  ")


if __name__ == "__main__":
    main()
