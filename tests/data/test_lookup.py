"""Lookup tables: contents, buckets, files, initialisation, use inside datasets."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import graphc as tf

lookup = tf.contrib.lookup
INVALID = tf.errors.InvalidArgumentError


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def after_init(*fetches):
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        got = [sess.run(f) for f in fetches]
        return got[0] if len(got) == 1 else got


def numbers(*values):
    return tf.constant(values, tf.int64)


def small(**options):
    return lookup.HashTable(
        lookup.KeyValueTensorInitializer(["a", "b"], numbers(1, 2)), -1, **options
    )


# ------------------------------------------------------------------ tables that are filled once
def test_a_table_of_tensors():
    table = small(name="words")
    assert table.name == "words" and table.key_dtype == tf.string and table.value_dtype == tf.int64
    found = table.lookup(tf.constant([["b", "z"]]))
    assert found.shape.as_list() == [1, 2] and found.dtype == tf.int64
    assert found.name == "words_Lookup:0" and table.init.type == "LookupTableImportV2"
    got, one, size = after_init(found, table.lookup("a"), table.size())
    assert got.tolist() == [[2, -1]] and one == 1 and size == 2


@pytest.mark.parametrize(
    ("keys", "values", "default", "asked", "want"),
    [
        (numbers(1, 2), ["x", "y"], "-", numbers(2, 9), [b"y", b"-"]),
        (["a"], [1.5], 0.5, tf.constant(["a", "b"]), [1.5, 0.5]),
        (["a"], [True], False, tf.constant(["a", "b"]), [True, False]),
        (["a"], ["b"], "", tf.constant(["a", "b"]), [b"b", b""]),
    ],
)
def test_dtypes_of_keys_and_values(keys, values, default, asked, want):
    graph = keys.graph if isinstance(keys, tf.Tensor) else asked.graph
    with graph.as_default():
        init = tf.lookup.KeyValueTensorInitializer(keys, values)
        table = tf.lookup.StaticHashTable(init, default)
        assert after_init(table.lookup(asked)).tolist() == want


def test_lookup_before_initialisation():
    found = small().lookup(tf.constant(["a"]))
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="Table not initialized"):
            sess.run(found)
        sess.run(tf.initialize_all_tables())
        sess.run(tf.tables_initializer())  # the same contents again
        assert sess.run(found).tolist() == [1]
    with tf.Session() as other, pytest.raises(tf.errors.FailedPreconditionError):
        other.run(found)


def test_initializers_are_collected():
    table = small()
    assert tf.get_collection(tf.GraphKeys.TABLE_INITIALIZERS) == [table.init]
    assert table.initializer is table.init
    assert tf.tables_initializer().name == "init_all_tables"
    with tf.Session() as sess:
        sess.run(table.init)
        assert sess.run(table.size()) == 2


def test_sparse_keys():
    sparse = tf.SparseTensor([[0, 1], [1, 0]], ["a", "q"], [2, 2])
    got = after_init(small().lookup(sparse))
    assert got.indices.tolist() == [[0, 1], [1, 0]] and got.values.tolist() == [1, -1]


def test_what_tables_refuse():
    table = small()
    with pytest.raises(TypeError, match=r"Signature mismatch\. Keys must be dtype"):
        table.lookup(tf.constant([1]))
    with pytest.raises(ValueError, match=r"Expected shape \[2\] for value, got \[1\]"):
        lookup.HashTable(lookup.KeyValueTensorInitializer(["a", "b"], [1.5]), 0.5)
    with pytest.raises(TypeError, match="Expected float32"):
        lookup.HashTable(lookup.KeyValueTensorInitializer(["a"], [1.5]), "x")
    twice = lookup.HashTable(lookup.KeyValueTensorInitializer(["a", "a"], numbers(1, 2)), -1)
    with tf.Session() as sess, pytest.raises(
        tf.errors.FailedPreconditionError, match="Key a has 1 and trying to add value 2"
    ):
        sess.run(twice.init)


def test_other_contents_are_refused_later():
    fed = tf.placeholder(tf.string, [None])
    count = tf.cast(tf.range(tf.size(fed)), tf.int64)
    table = lookup.HashTable(lookup.KeyValueTensorInitializer(fed, count), -1)
    with tf.Session() as sess:
        sess.run(table.init, {fed: ["x", "y"]})
        assert sess.run(table.lookup(tf.constant(["y"]))).tolist() == [1]
        with pytest.raises(tf.errors.FailedPreconditionError, match="already initialized"):
            sess.run(table.init, {fed: ["y", "x"]})


def test_tables_of_one_shared_name_are_one():
    one, other = small(shared_name="both"), small(shared_name="both")
    with tf.Session() as sess:
        sess.run(one.init)
        assert sess.run(other.size()) == 2


# ------------------------------------------------------------------ vocabularies
def test_words_are_numbered():
    table = lookup.index_table_from_tensor(["a", "b"], num_oov_buckets=3)
    got, size = after_init(table.lookup(tf.constant(["b", "zz", "a", "qq"])), table.size())
    assert got.tolist() == [1, 3, 0, 2] and size == 5  # TensorFlow's buckets
    plain = lookup.index_table_from_tensor(mapping=tf.constant(["a", "b"]), default_value=7)
    assert after_init(plain.lookup(tf.constant(["b", "zz"]))).tolist() == [1, 7]
    assert after_init(lookup.string_to_index(["b", "?"], ["a", "b"])).tolist() == [1, -1]


def test_integers_are_numbered():
    table = lookup.index_table_from_tensor(
        tf.constant([10, 20]), num_oov_buckets=2, dtype=tf.int32
    )
    assert after_init(table.lookup(tf.constant([20, 5, 10]))).tolist() == [1, 3, 0]
    wide = lookup.index_table_from_tensor([10, 20], dtype=tf.int64)
    assert after_init(wide.lookup(numbers(20, 5))).tolist() == [1, -1]


def test_strong_hashes_of_unknown_words():
    table = lookup.index_table_from_tensor(
        ["a", "b"], num_oov_buckets=1000, hasher_spec=lookup.StrongHashSpec([1, 2])
    )
    assert after_init(table.lookup(tf.constant(["b", "zz"]))).tolist() == [1, 980]
    alone = lookup.IdTableWithHashBuckets(None, 5)
    got, size = after_init(alone.lookup(tf.constant(["b", "zz"])), alone.size())
    assert got.tolist() == [2, 2] and size == 5
    with pytest.raises(ValueError, match="key must have size 2"):
        lookup.StrongHashSpec([1])


def test_a_static_vocabulary():
    init = tf.lookup.KeyValueTensorInitializer(["a", "b"], numbers(0, 1))
    table = tf.lookup.StaticVocabularyTable(init, 3)
    got, size = after_init(table.lookup(tf.constant(["b", "zz"])), table.size())
    assert got.tolist() == [1, 3] and size == 5
    with pytest.raises(ValueError, match="must be > 0; use StaticHashTable"):
        tf.lookup.StaticVocabularyTable(init, 0)


def test_numbers_become_words():
    table = lookup.index_to_string_table_from_tensor(["p", "q"], default_value="?")
    assert after_init(table.lookup(numbers(0, 2))).tolist() == [b"p", b"?"]
    assert after_init(lookup.index_to_string(numbers(1), ["p", "q"])).tolist() == [b"q"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: lookup.index_table_from_tensor(None), "`vocabulary_list` must be specified"),
        (lambda: lookup.index_table_from_tensor(["a"], -1), "greater or equal than 0, got -1"),
        (lambda: lookup.index_table_from_tensor(["a"], dtype=tf.int64), "Invalid `dtype`"),
        (lambda: lookup.index_table_from_file(None), "`vocabulary_file` must be specified"),
        (lambda: lookup.index_table_from_file("x", vocab_size=0), "greater than 0, got 0"),
        (lambda: lookup.IdTableWithHashBuckets(None, 0), "must be > 0 if no `table`"),
        (
            lambda: lookup.TextFileInitializer("x", tf.string, -1, tf.int64, 1),
            "`key_dtype` must be int64 if `key_index` is -1",
        ),
    ],
)
def test_vocabularies_that_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


# ------------------------------------------------------------------ files
def test_vocabularies_of_files(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes(b"one\ntwo\r\nthree\n")
    table = lookup.index_table_from_file(str(path), num_oov_buckets=2)
    got, size = after_init(table.lookup(tf.constant(["two", "zz"])), table.size())
    assert got.tolist() == [1, 3] and size == 5
    first = lookup.index_table_from_file(vocabulary_file=str(path), vocab_size=2)
    assert after_init(first.lookup(tf.constant(["two", "three"]))).tolist() == [1, -1]
    back = lookup.index_to_string_table_from_file(str(path))
    assert after_init(back.lookup(numbers(0, 2, 9))).tolist() == [b"one", b"three", b"UNK"]
    assert len(tf.get_collection(tf.GraphKeys.ASSET_FILEPATHS)) == 3


def test_columns_of_files(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("x\t10\t0.5\ny\t20\t1.5\n")
    ids = lookup.HashTable(
        lookup.TextFileInitializer(str(path), tf.string, 0, tf.int64, 1), default_value=-1
    )
    weights = lookup.HashTable(
        lookup.TextFileInitializer(str(path), tf.int64, 1, tf.float32, 2, delimiter="\t"), 0.0
    )
    numbers_ = ids.lookup(tf.constant(["y", "q"]))
    got, found = after_init(numbers_, weights.lookup(numbers_))
    assert got.tolist() == [20, -1] and found.tolist() == [1.5, 0.0]


@pytest.mark.parametrize(
    ("content", "options", "error", "text"),
    [
        (None, {}, tf.errors.NotFoundError, "No such file or directory"),
        ("one\n", {"vocab_size": 5}, INVALID, "Invalid vocab_size in .*: expected 5 but got 1"),
        ("one\n\ntwo\n", {}, INVALID, "empty line found at position 5"),
        ("a\nb\na\n", {}, tf.errors.FailedPreconditionError, "different value for same key"),
        (
            "x\t10\ny\n", {"key_column_index": 0, "value_column_index": 1}, INVALID,
            r"Invalid number of columns in .* line 1 \(y\) : expected at least 2 got 1",
        ),
        (
            "x\tq\n", {"key_column_index": 0, "value_column_index": 1}, INVALID,
            "Field q in line 0 is not a valid int64.",
        ),
    ],
)  # fmt: skip
def test_files_that_do_not_fit(content, options, error, text, tmp_path):
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_text(content)
    lookup.index_table_from_file(str(path), **options)
    with pytest.raises(error, match=text):
        after_init(tf.constant(0))


# ------------------------------------------------------------------ tables that change
def test_entries_come_and_go():
    table = lookup.MutableHashTable(tf.string, tf.int64, -1)
    keys = tf.placeholder(tf.string, [None])
    values = tf.placeholder(tf.int64, [None])
    insert, remove = table.insert(keys, values), table.remove(keys)
    found, size, listed = table.lookup(keys), table.size(), table.export()
    with tf.Session() as sess:
        assert sess.run(found, {keys: ["a"]}).tolist() == [-1]
        assert sess.run(insert, {keys: ["a", "b"], values: [1, 2]}) is None
        sess.run(insert, {keys: ["b"], values: [3]})
        assert sess.run(found, {keys: ["a", "b", "z"]}).tolist() == [1, 3, -1]
        got = sess.run(listed)
        assert sorted(zip(*[g.tolist() for g in got], strict=True)) == [(b"a", 1), (b"b", 3)]
        sess.run(remove, {keys: ["a", "q"]})
        assert sess.run(size) == 1
    with tf.Session() as other:
        assert other.run(size) == 0


def test_order_is_by_control_dependencies():
    table = lookup.MutableHashTable(tf.int64, tf.float32, 0.0)
    with tf.control_dependencies([table.insert(numbers(5), [1.5])]):
        found = table.lookup(numbers(5, 6))
    with tf.Session() as sess:
        assert sess.run(found).tolist() == [1.5, 0.0]


def test_values_may_have_dimensions():
    table = lookup.MutableHashTable(tf.string, tf.float32, [0.0, 1.0])
    found = table.lookup(tf.constant([["a", "b"]]))
    assert found.shape.as_list() == [1, 2, 2]
    with tf.Session() as sess:
        sess.run(table.insert(["a"], [[2.0, 3.0]]))
        assert sess.run(found).tolist() == [[[2, 3], [0, 1]]]
        assert sess.run(table.export()[1]).tolist() == [[2, 3]]
    with pytest.raises(INVALID, match=r"Expected shape \[1,2\] for value, got \[1\]"):
        table.insert(["a"], [2.0])


def test_dense_tables_reserve_keys():
    table = lookup.MutableDenseHashTable(tf.int64, tf.int64, -1, empty_key=0, deleted_key=-2)
    with tf.Session() as sess:
        sess.run(table.insert(numbers(5), numbers(7)))
        assert sess.run(table.lookup(numbers(5, 6))).tolist() == [7, -1]
        with pytest.raises(INVALID, match="Using the empty_key as a table key is not allowed"):
            sess.run(table.insert(numbers(0), numbers(7)))
        with pytest.raises(INVALID, match="Using the deleted_key as a table key is not allowed"):
            sess.run(table.lookup(numbers(-2)))
    pairs = lookup.MutableDenseHashTable(tf.int64, tf.int64, -1, empty_key=[0, 0])
    with tf.Session() as sess:
        sess.run(pairs.insert([[1, 2], [3, 4]], numbers(7, 8)))
        assert sess.run(pairs.lookup(tf.constant([[3, 4], [1, 1]], tf.int64))).tolist() == [8, -1]
        assert sess.run(pairs.export()[0]).tolist() == [[1, 2], [3, 4]]


# ------------------------------------------------------------------ inside of datasets
def test_tables_are_those_of_the_session_inside_of_datasets():
    table = lookup.index_table_from_tensor(["red", "green"], num_oov_buckets=1)
    words = tf.data.Dataset.from_tensor_slices(["green", "blue", "red"])
    ids = words.map(table.lookup, num_parallel_calls=2).batch(3).prefetch(1)
    iterator = ids.make_initializable_iterator()
    element = iterator.get_next()
    with tf.Session() as sess:
        sess.run(iterator.initializer)
        with pytest.raises(tf.errors.FailedPreconditionError, match="Table not initialized"):
            sess.run(element)
        sess.run([tf.tables_initializer(), iterator.initializer])
        sess.run(iterator.initializer)
        assert sess.run(element).tolist() == [1, 2, 0]


def test_lines_become_padded_numbers(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("the cat sat\nthe dog\n")
    table = lookup.index_table_from_tensor(["the", "cat", "sat"], default_value=9)

    def parse(line):
        words = tf.string_split([line]).values
        return table.lookup(words), tf.size(words)

    dataset = tf.data.TextLineDataset(str(path)).map(parse).padded_batch(2, ([None], []))
    iterator = dataset.make_initializable_iterator()
    ids, sizes = iterator.get_next()
    with tf.Session() as sess:
        sess.run([tf.tables_initializer(), iterator.initializer])
        got, lengths = sess.run([ids, sizes])
        assert got.tolist() == [[0, 1, 2], [0, 9, 0]] and lengths.tolist() == [3, 2]
        with pytest.raises(tf.errors.OutOfRangeError):
            sess.run(ids)


def test_one_shot_iterators_and_inner_datasets_see_tables():
    table = lookup.index_table_from_tensor(["a", "b"])
    dataset = tf.data.Dataset.from_tensor_slices([["b", "a"], ["q", "b"]]).flat_map(
        lambda row: tf.data.Dataset.from_tensor_slices(row).map(table.lookup)
    )
    element = dataset.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        assert [sess.run(element) for _ in range(4)] == [1, 0, -1, 1]


# ------------------------------------------------------------------ in models
def test_tables_are_those_of_the_session_inside_of_control_flow():
    table = lookup.index_table_from_tensor(["a", "b"])
    first = tf.placeholder(tf.bool, [])
    words = tf.placeholder(tf.string, [None])
    chosen = tf.cond(first, lambda: table.lookup(words), lambda: table.lookup(tf.constant(["b"])))
    each = tf.map_fn(table.lookup, words, dtype=tf.int64)
    letters = tf.map_fn(
        lambda w: table.lookup(tf.string_split([w], "").values)[0], words, dtype=tf.int64
    )
    _, total = tf.while_loop(
        lambda k, _: k < 3,
        lambda k, so_far: (k + 1, so_far + table.lookup(tf.constant("b"))),
        [0, tf.constant(0, tf.int64)],
    )
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        assert sess.run(chosen, {first: True, words: ["a"]}).tolist() == [0]
        assert sess.run(chosen, {first: False, words: ["a"]}).tolist() == [1]
        assert sess.run(each, {words: ["b", "a", "q"]}).tolist() == [1, 0, -1]
        assert sess.run(letters, {words: ["bq", "aa", "q"]}).tolist() == [1, 0, -1]
        assert sess.run(total) == 3


def test_an_embedding_of_words_is_trained():
    words = tf.placeholder(tf.string, [None])
    table = lookup.index_table_from_tensor(["good", "bad"], num_oov_buckets=2)
    vectors = tf.get_variable("vectors", [4, 2], initializer=tf.zeros_initializer())
    picked = tf.nn.embedding_lookup(vectors, table.lookup(words))
    loss = tf.reduce_mean(tf.square(picked - 1.0))
    step = tf.train.GradientDescentOptimizer(1.0).minimize(loss)
    with tf.Session() as sess:
        sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
        before = sess.run(loss, {words: ["good", "bad"]})
        for _ in range(20):
            sess.run(step, {words: ["good", "bad"]})
        assert sess.run(loss, {words: ["good", "bad"]}) < before / 100
        assert np.count_nonzero(sess.run(vectors)) == 4


def test_threads_share_a_table():
    table = lookup.MutableHashTable(tf.int64, tf.int64, -1)
    keys = tf.placeholder(tf.int64, [None])
    insert, found = table.insert(keys, keys), table.lookup(keys)
    with tf.Session() as sess:
        def work(start):
            for k in range(start, start + 20):
                sess.run(insert, {keys: [k]})

        threads = [threading.Thread(target=work, args=(20 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sess.run(found, {keys: np.arange(80)}).tolist() == list(range(80))
