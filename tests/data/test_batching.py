"""batch, padded_batch, unbatch."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.data.conftest import elements

Dataset = tf.data.Dataset


def test_batches_and_their_shapes(drain) -> None:
    dataset = Dataset.from_tensor_slices((np.arange(10).reshape(5, 2), ["a", "b", "c", "d", "e"]))
    found = drain(dataset.batch(2))
    assert [b.shape for b, _ in found] == [(2, 2), (2, 2), (1, 2)]
    assert found[2][1].tolist() == [b"e"]
    assert dataset.batch(2).output_shapes[0].as_list() == [None, 2]
    whole = dataset.batch(2, drop_remainder=True)
    assert whole.output_shapes[0].as_list() == [2, 2]
    assert len(drain(whole)) == 2


@pytest.mark.parametrize("size", [1, 2, 5, 7])
@pytest.mark.parametrize("drop", [False, True])
def test_batches_of_rows_are_those_of_elements(drain, size, drop) -> None:
    plain = Dataset.from_tensor_slices(np.arange(15).reshape(5, 3))
    mapped = plain.map(lambda x: x + 0)
    for a, b in zip(drain(plain.batch(size, drop)), drain(mapped.batch(size, drop)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_size_of_batches_may_be_fed(drain) -> None:
    size = tf.placeholder(tf.int64, [])
    found = drain(Dataset.range(5).batch(size), feeds={size: 3})
    assert [b.tolist() for b in found] == [[0, 1, 2], [3, 4]]


def test_batches_of_batches(drain) -> None:
    (found,) = drain(Dataset.range(4).batch(2).batch(2))
    assert found.tolist() == [[0, 1], [2, 3]]


def test_elements_of_other_shapes_cannot_be_stacked() -> None:
    ragged = Dataset.from_generator(lambda: [[1], [1, 2]], tf.int32).batch(2)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"Cannot batch tensors with different shapes in component 0. First element had shape "
        r"\[1\] and element 1 had shape \[2\].",
    ):
        elements(ragged)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be greater than zero"):
        elements(Dataset.range(3).batch(0))


def ragged() -> Dataset:
    return Dataset.range(1, 4).map(lambda x: tf.fill([x], x))


def test_padded_to_the_longest_of_the_batch(drain) -> None:
    found = drain(ragged().padded_batch(2, padded_shapes=[None]))
    assert [b.tolist() for b in found] == [[[1, 0], [2, 2]], [[3, 3, 3]]]  # as TensorFlow


def test_padded_to_a_shape_with_a_value(drain) -> None:
    dataset = ragged().map(lambda x: (x, tf.size(x), "ab"))
    padded = dataset.padded_batch(
        3, ([4], [], []), (np.int64(-1), 0, ""), drop_remainder=True
    )
    assert [s.as_list() for s in padded.output_shapes] == [[3, 4], [3], [3]]
    ((rows, sizes, texts),) = drain(padded)
    assert rows.tolist() == [[1, -1, -1, -1], [2, 2, -1, -1], [3, 3, 3, -1]]
    assert sizes.tolist() == [1, 2, 3] and texts.tolist() == [b"ab"] * 3


def test_padded_in_two_dimensions_and_dicts(drain) -> None:
    rows = [{"x": np.ones((k, 3 - k), np.float32)} for k in range(1, 3)]
    dataset = Dataset.from_generator(lambda: rows, {"x": tf.float32}, {"x": [None, None]})
    (found,) = drain(dataset.padded_batch(2, {"x": [None, None]}))
    assert found["x"].tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 0]]]


def test_padding_that_does_not_fit() -> None:
    with pytest.raises(tf.errors.DataLossError, match="smaller size"):
        elements(ragged().padded_batch(2, padded_shapes=[1]))
    with pytest.raises(ValueError, match="not compatible"):
        ragged().padded_batch(2, padded_shapes=[])
    with pytest.raises(TypeError, match="padding value"):
        ragged().padded_batch(2, [None], 1.5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="rank"):
        unknown = Dataset.from_generator(lambda: [[1], 1], tf.int32)
        elements(unknown.padded_batch(2, [None]))
