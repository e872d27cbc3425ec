"""What TensorFlow gave for small graphs, graphc gives too, compiled and by reference."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as tf
from tests.oracle.record import cases_of, compare, expected, run

SUBJECTS = (
    "sparse_cases", "sampling_cases", "sort_cases", "image_cases", "box_cases", "file_cases",
    "ctc_cases", "op_cases",
)  # fmt: skip
CASES = [(s, n) for s in SUBJECTS for n in cases_of(s)]
WAYS = {"compiled": tf.Config(), "reference": tf.Config(backend="reference")}


class _Library:
    """tf with sessions of one backend."""

    def __init__(self, config: tf.Config) -> None:
        self._config = config

    def __getattr__(self, name: str) -> Any:
        return getattr(tf, name)

    def Session(self) -> tf.Session:
        return tf.Session(options=self._config)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("subject", "name"), CASES)
def test_as_tensorflow(subject: str, name: str, way: str) -> None:
    got = run(cases_of(subject)[name], _Library(WAYS[way]))
    compare(got, expected(subject)[name])


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_case_was_made(subject: str) -> None:
    assert set(cases_of(subject)) == set(expected(subject))
