"""tf.nest: leaves and forms of nested structures."""

from __future__ import annotations

import collections

import numpy as np
import pytest

import graphc as tf

nest = tf.nest
Point = collections.namedtuple("Point", "x y")
DEEP = {"b": [1, (2, 3)], "a": Point(4, {"z": 5, "k": []})}


def test_leaves_come_by_sorted_keys():
    assert nest.flatten(DEEP) == [4, 5, 1, 2, 3]
    assert nest.flatten("text") == ["text"]
    assert nest.flatten(None) == [None]
    array = np.zeros(3)
    assert nest.flatten(array)[0] is array
    with pytest.raises(TypeError, match="sortable keys"):
        nest.flatten({1: 2, "a": 3})


def test_packing_undoes_flattening():
    back = nest.pack_sequence_as(DEEP, nest.flatten(DEEP))
    assert back == DEEP
    assert isinstance(back["a"], Point)
    assert list(back) == ["b", "a"]  # a dict keeps its own order
    for kind in (collections.OrderedDict([("b", 1), ("a", 2)]), [1, (2,)], (), Point(1, 2)):
        packed = nest.pack_sequence_as(kind, nest.flatten(kind))
        assert packed == kind and type(packed) is type(kind)
    default = collections.defaultdict(list, {"a": 1})
    assert nest.map_structure(str, default)["new"] == []
    assert nest.pack_sequence_as(0, [7]) == 7


def test_packing_wants_the_right_number():
    with pytest.raises(ValueError, match="Structure had 2 elements, but flat_sequence had 1"):
        nest.pack_sequence_as([1, 2], [1])
    with pytest.raises(ValueError, match="Structure is a scalar"):
        nest.pack_sequence_as(1, [1, 2])
    with pytest.raises(TypeError, match="must be a sequence"):
        nest.pack_sequence_as([1], 1)


def test_mapping_over_several():
    assert nest.map_structure(lambda a, b: a + b, [1, {"k": 2}], [10, {"k": 20}]) == [11, {"k": 22}]
    assert nest.map_structure(lambda a: a * 2, Point(1, [2])) == Point(2, [4])
    with pytest.raises(ValueError, match="don't have the same nested structure"):
        nest.map_structure(max, [1, 2], [1, [2]])
    with pytest.raises(TypeError, match="First has type list, second tuple"):
        nest.map_structure(max, [1], (1,))
    assert nest.map_structure(max, [1], (2,), check_types=False) == [2]
    with pytest.raises(TypeError, match="callable"):
        nest.map_structure(1, [1])
    with pytest.raises(ValueError, match="at least one structure"):
        nest.map_structure(max)


def test_same_structures():
    nest.assert_same_structure({"a": 1, "b": (2,)}, {"b": (3,), "a": None})
    with pytest.raises(ValueError, match="same nested structure"):
        nest.assert_same_structure({"a": 1}, {"b": 1})
    with pytest.raises(ValueError, match="same nested structure"):
        nest.assert_same_structure([1], [1, 2])
    assert nest.is_nested([]) and nest.is_sequence({}) and not nest.is_nested("x")
