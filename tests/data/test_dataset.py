"""Sources, transformations and structures of tf.data.Dataset."""

from __future__ import annotations

import collections

import numpy as np
import pytest

import graphc as tf
from tests.data.conftest import elements

Dataset = tf.data.Dataset
experimental = tf.data.experimental


def ints(found: list) -> list:
    return [np.asarray(e).tolist() for e in found]


def outcome(make):
    """What a run of the dataset gives, or its error."""
    with pytest.raises(tf.errors.OpError) as caught:
        elements(make())
    return caught.value


# ------------------------------------------------------------------ sources
def test_range(drain) -> None:
    assert ints(drain(Dataset.range(3))) == [0, 1, 2]
    assert ints(drain(Dataset.range(5, 0, -2))) == [5, 3, 1]
    assert Dataset.range(3).output_types == tf.int64
    assert Dataset.range(3).output_shapes.as_list() == []
    assert Dataset.range(3).output_classes is tf.Tensor


def test_from_tensors_is_one_element(drain) -> None:
    ((a, (b, c)),) = drain(Dataset.from_tensors(([1, 2], (2.5, "x"))))
    np.testing.assert_array_equal(a, [1, 2])
    assert (b, c) == (np.float32(2.5), b"x")


def test_from_tensor_slices_of_dicts_and_tuples(drain) -> None:
    dataset = Dataset.from_tensor_slices(({"b": [1, 2], "a": [[1.0], [2.0]]}, ["x", "y"]))
    assert dataset.output_shapes[0]["a"].as_list() == [1]
    assert dataset.output_types == ({"b": tf.int32, "a": tf.float32}, tf.string)
    first, second = drain(dataset)
    assert first[0]["b"] == 1 and first[0]["a"].tolist() == [1.0] and first[1] == b"x"
    assert second[0]["b"] == 2 and second[1] == b"y"


def test_from_tensor_slices_refuses_scalars_and_other_lengths() -> None:
    with pytest.raises(ValueError, match="Unbatching a tensor is only supported for rank >= 1"):
        Dataset.from_tensor_slices(1)
    with pytest.raises(ValueError, match="Dimensions 2 and 3 are not compatible"):
        Dataset.from_tensor_slices(([1, 2], [1, 2, 3]))


def test_lengths_that_only_the_run_knows_are_checked_there() -> None:
    x, y = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.float32, [None])
    dataset = Dataset.from_tensor_slices((x, y))
    with pytest.raises(tf.errors.InvalidArgumentError):
        elements(dataset, feeds={x: [1, 2], y: [1]})


def test_fetched_elements_belong_to_the_caller(drain) -> None:
    dataset = Dataset.from_tensor_slices(np.zeros((2, 3), np.float32)).repeat(2)
    for element in (found := drain(dataset)):
        assert not element.any()
        element[...] = 7
    assert len(found) == 4


def test_generator_with_shapes_and_args(drain) -> None:
    def rows(count):
        for k in range(count):
            yield k, [float(k)] * k

    dataset = Dataset.from_generator(rows, (tf.int32, tf.float32), ([], [None]), args=[3])
    found = drain(dataset)
    assert [int(k) for k, _ in found] == [0, 1, 2]
    assert [r.shape for _, r in found] == [(0,), (1,), (2,)]
    assert dataset.output_shapes[1].as_list() == [None]


def test_generator_starts_anew_in_each_pass(drain) -> None:
    calls = []

    def numbers():
        calls.append(1)
        yield from (1, 2)

    assert ints(drain(Dataset.from_generator(numbers, tf.int32, []).repeat(3))) == [1, 2] * 3
    assert len(calls) == 3


def test_generator_of_dicts_and_strings(drain) -> None:
    rows = [{"a": 1, "s": "x"}, {"a": 2, "s": "yy"}]
    found = drain(Dataset.from_generator(lambda: rows, {"a": tf.int64, "s": tf.string}))
    assert [(int(f["a"]), f["s"]) for f in found] == [(1, b"x"), (2, b"yy")]


@pytest.mark.parametrize(
    ("rows", "types", "shapes", "text"),
    [
        (["a"], tf.int32, None, "did not match the expected structure"),
        ([(1, 2, 3)], (tf.int32, tf.int32), None, "did not match the expected structure"),
        ([[1, 2]], tf.int32, [3], r"of shape \(2,\) where an element of shape \(3,\)"),
    ],
)
def test_generator_elements_that_do_not_fit(rows, types, shapes, text) -> None:
    err = outcome(lambda: Dataset.from_generator(lambda: rows, types, shapes))
    assert isinstance(err, tf.errors.InvalidArgumentError)
    assert err.message.startswith("TypeError: `generator` yielded")
    import re

    assert re.search(text, err.message)


def test_errors_of_generators() -> None:
    def fails(kind):
        def rows():
            yield 1
            raise kind("bad")

        return lambda: Dataset.from_generator(rows, tf.int32)

    assert isinstance(outcome(fails(ValueError)), tf.errors.InvalidArgumentError)
    err = outcome(fails(KeyError))
    assert isinstance(err, tf.errors.UnknownError) and "KeyError: 'bad'" in err.message
    with pytest.raises(TypeError, match="`generator` must be a Python callable"):
        Dataset.from_generator([1], tf.int32)


# ------------------------------------------------------------------ element by element
def test_map_of_structures(drain) -> None:
    pair = collections.namedtuple("pair", "x y")
    dataset = Dataset.from_tensor_slices(pair([1, 2], [[1.0], [2.0]]))
    mapped = dataset.map(lambda x, y: {"b": [x, x], "a": (y * 2, 3)})
    assert mapped.output_shapes["b"].as_list() == [2]
    first = drain(mapped)[0]
    assert first["b"].tolist() == [1, 1] and first["a"][0].tolist() == [2.0]
    assert first["a"][1] == 3


def test_map_passes_arguments_through(drain) -> None:
    dataset = Dataset.from_tensor_slices(([1, 2], ["a", "b"])).map(lambda x, s: (s, x + 1, x))
    assert [(s, int(y), int(x)) for s, y, x in drain(dataset)] == [(b"a", 2, 1), (b"b", 3, 2)]


def test_map_captures_tensors_and_variables(drain) -> None:
    c = tf.constant([10, 20], tf.int64)
    v = tf.Variable(100, dtype=tf.int64)
    p = tf.placeholder(tf.int64, [])
    dataset = Dataset.range(2).map(lambda x: c[0] + (p - x) + v)
    assert ints(drain(dataset, feeds={p: 5})) == [115, 114]


def test_a_captured_variable_keeps_the_value_of_the_initialisation() -> None:
    v = tf.Variable(1.0)
    iterator = Dataset.range(3).map(lambda x: tf.cast(x, tf.float32) + v)
    iterator = iterator.make_initializable_iterator()
    element = iterator.get_next()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(iterator.initializer)
        assert sess.run(element) == 1.0
        sess.run(v.assign(10.0))
        assert sess.run(element) == 2.0
        sess.run(iterator.initializer)
        assert sess.run(element) == 10.0


def test_map_traces_once(drain) -> None:
    calls = []

    def fn(x):
        calls.append(1)
        return x + 1

    assert ints(drain(Dataset.range(20).map(fn))) == list(range(1, 21))
    assert len(calls) == 1


@pytest.mark.parametrize("parallel", [None, 1, 4, experimental.AUTOTUNE])
def test_map_of_python_functions_keeps_the_order(drain, parallel) -> None:
    dataset = Dataset.range(20).map(lambda x: tf.py_func(lambda v: v * v, [x], tf.int64), parallel)
    assert ints(drain(dataset)) == [k * k for k in range(20)]


def test_map_of_random_numbers_advances_and_is_reproducible() -> None:
    tf.set_random_seed(4)
    dataset = Dataset.range(3).map(lambda x: tf.random_uniform([2], seed=1))
    first, again = elements(dataset), elements(dataset)
    assert len({e.tobytes() for e in first}) == 3
    np.testing.assert_array_equal(first, again)


def test_an_error_of_one_element_does_not_end_the_dataset() -> None:
    dataset = Dataset.from_tensor_slices([1, 0, 2]).map(
        lambda x: tf.py_func(lambda v: np.int32(4 // int(v)), [x], tf.int32)
    )
    element = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert sess.run(element) == 4
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(element)
        assert sess.run(element) == 2
        with pytest.raises(tf.errors.OutOfRangeError):
            sess.run(element)


def test_what_map_refuses() -> None:
    dataset = Dataset.range(2)
    with pytest.raises(TypeError, match="None"):
        dataset.map(lambda x: None)
    with pytest.raises(TypeError, match="flat_map"):
        dataset.map(lambda x: Dataset.range(2))
    with pytest.raises(ValueError, match="scalar boolean"):
        dataset.filter(lambda x: x)
    with pytest.raises(ValueError, match="scalar boolean"):
        dataset.filter(lambda x: [True, False])
    with pytest.raises(TypeError, match="must return a `Dataset`"):
        dataset.flat_map(lambda x: x)


def test_filter_take_skip_shard_enumerate(drain) -> None:
    assert ints(drain(Dataset.range(6).filter(lambda x: tf.equal(x % 2, 0)))) == [0, 2, 4]
    assert ints(drain(Dataset.range(6).skip(1).take(2))) == [1, 2]
    assert ints(drain(Dataset.range(3).take(-1))) == [0, 1, 2]
    assert ints(drain(Dataset.range(3).skip(-1))) == []
    assert ints(drain(Dataset.range(7).shard(3, 1))) == [1, 4]
    assert [tuple(map(int, e)) for e in drain(Dataset.range(3, 5).enumerate(7))] == [(7, 3), (8, 4)]
    with pytest.raises(ValueError, match="index"):
        Dataset.range(3).shard(2, 5)


def test_zip_and_concatenate(drain) -> None:
    found = drain(Dataset.zip((Dataset.range(2), {"a": Dataset.range(3)})))
    assert [(int(x), int(d["a"])) for x, d in found] == [(0, 0), (1, 1)]
    both = Dataset.range(2).batch(2, True).concatenate(Dataset.range(3).batch(3, True))
    assert both.output_shapes.as_list() == [None]
    assert ints(drain(both)) == [[0, 1], [0, 1, 2]]
    with pytest.raises(TypeError, match="Incompatible dataset elements"):
        Dataset.range(2).concatenate(Dataset.from_tensors(1.0))
    with pytest.raises(TypeError, match="list"):
        Dataset.zip([Dataset.range(2)])


def test_flat_map_and_interleave(drain) -> None:
    c = tf.constant(10, tf.int64)
    nested = Dataset.range(1, 4).flat_map(lambda x: Dataset.range(x).map(lambda y: y * c + x))
    assert ints(drain(nested)) == [1, 2, 12, 3, 13, 23]
    turns = Dataset.range(1, 5).interleave(lambda x: Dataset.from_tensors(x).repeat(x), 2, 2)
    assert ints(drain(turns)) == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]  # as TensorFlow
    rows = Dataset.range(1, 4).batch(3).flat_map(Dataset.from_tensor_slices)
    assert ints(drain(rows)) == [1, 2, 3]


def test_flat_map_over_a_dataset_of_the_graph_around(drain) -> None:
    outer = Dataset.from_tensor_slices(tf.range(2) * 2)
    dataset = Dataset.range(2).flat_map(lambda x: outer.map(lambda y: tf.to_int64(y) + x))
    assert ints(drain(dataset)) == [0, 2, 1, 3]


def test_reduce_and_single_element() -> None:
    total = Dataset.range(5).reduce(np.int64(0), lambda a, x: a + x)
    pair = Dataset.range(4).reduce((np.int64(0), 1.0), lambda s, x: (s[0] + x, s[1] * 2.0))
    one = experimental.get_single_element(Dataset.from_tensors([1, 2]))
    assert one.shape.as_list() == [2]
    with tf.Session() as sess:
        assert sess.run(total) == 10
        assert sess.run(pair) == (6, 16.0)
        np.testing.assert_array_equal(sess.run(one), [1, 2])
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than one"):
            sess.run(experimental.get_single_element(Dataset.range(2)))


def test_group_by_window(drain) -> None:
    group = experimental.group_by_window(lambda x: x % 2, lambda key, d: d.batch(2), 2)
    assert ints(drain(Dataset.range(6).apply(group))) == [[0, 2], [1, 3], [4], [5]]


# ------------------------------------------------------------------ passes
def test_repeat(drain) -> None:
    assert ints(drain(Dataset.range(2).repeat(2))) == [0, 1, 0, 1]
    assert ints(drain(Dataset.range(2).repeat(), limit=5)) == [0, 1, 0, 1, 0]
    assert drain(Dataset.range(0).repeat()) == []
    assert drain(Dataset.range(2).repeat(0)) == []


def test_shuffle_is_a_permutation_that_seeds_fix(drain) -> None:
    dataset = Dataset.range(50).shuffle(10, seed=3)
    first, again = ints(drain(dataset)), ints(drain(dataset))
    assert sorted(first) == list(range(50)) and first != list(range(50))
    assert first == again
    # an element comes at most buffer_size early
    assert all(value < k + 10 for k, value in enumerate(first))


def test_each_pass_of_a_shuffle_has_another_order(drain) -> None:
    passes = ints(drain(Dataset.range(20).shuffle(20, seed=3).repeat(2)))
    assert sorted(passes[:20]) == sorted(passes[20:]) and passes[:20] != passes[20:]
    same = Dataset.range(20).shuffle(20, seed=3, reshuffle_each_iteration=False).repeat(2)
    passes = ints(drain(same))
    assert passes[:20] == passes[20:]


def test_shuffles_without_seeds_differ() -> None:
    dataset = Dataset.range(50).shuffle(50)
    assert ints(elements(dataset)) != ints(elements(dataset))
    with pytest.raises(tf.errors.InvalidArgumentError, match="buffer_size"):
        elements(Dataset.range(5).shuffle(0))


def test_cache_in_memory_and_in_a_file(tmp_path) -> None:
    calls = []

    def numbers():
        calls.append(1)
        yield from (1, 2, 3)

    source = Dataset.from_generator(numbers, tf.int32, [])
    assert ints(elements(source.cache().repeat(3))) == [1, 2, 3] * 3
    assert len(calls) == 1
    kept = source.cache(str(tmp_path / "kept"))
    assert ints(elements(kept.repeat(2))) == [1, 2, 3] * 2
    assert ints(elements(kept)) == [1, 2, 3]
    assert len(calls) == 2
    assert len(list(tmp_path.iterdir())) == 1


def test_apply_and_experimental(drain) -> None:
    halves = Dataset.range(5).apply(experimental.map_and_batch(lambda x: x * 2, 2))
    assert ints(drain(halves)) == [[0, 2], [4, 6], [8]]
    full = Dataset.range(5).apply(tf.contrib.data.batch_and_drop_remainder(2))
    assert full.output_shapes.as_list() == [2]
    assert ints(drain(full)) == [[0, 1], [2, 3]]
    again = Dataset.range(3).apply(experimental.shuffle_and_repeat(3, 2, seed=1))
    assert sorted(ints(drain(again))) == [0, 0, 1, 1, 2, 2]
    rows = Dataset.range(3).batch(2).apply(experimental.unbatch())
    assert ints(drain(rows)) == [0, 1, 2]
    turns = experimental.parallel_interleave(lambda x: Dataset.from_tensors(x).repeat(2), 2)
    assert ints(drain(Dataset.range(2).apply(turns))) == [0, 1, 0, 1]
    with pytest.raises(TypeError, match="must return a Dataset"):
        Dataset.range(2).apply(lambda d: 1)


def test_iteration_in_python_is_refused() -> None:
    with pytest.raises(RuntimeError, match="eager"):
        iter(Dataset.range(2))
    assert repr(Dataset.range(2).batch(2)) == "<Dataset shapes: (?,), types: int64>"
