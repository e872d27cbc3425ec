"""tf.contrib.learn: vocabularies and data sets; inspect_checkpoint."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

learn = tf.contrib.learn


def test_words_are_numbered_as_they_come():
    processor = learn.preprocessing.VocabularyProcessor(4)
    rows = np.array(list(processor.fit_transform(["the cat sat", "the dog's well-fed NASA cat x"])))
    assert rows.tolist() == [[1, 2, 3, 0], [1, 4, 5, 6]]
    assert rows.dtype == np.int64
    assert len(processor.vocabulary_) == 8
    assert next(processor.transform(["unseen cat"])).tolist() == [0, 2, 0, 0]
    assert list(processor.reverse(rows[:1])) == ["the cat sat <UNK>"]
    assert processor.vocabulary_._mapping["cat"] == 2


def test_rare_words_go():
    processor = learn.preprocessing.VocabularyProcessor(3, min_frequency=1)
    processor.fit(["a b a", "c b a"])
    assert next(processor.transform(["a b c"])).tolist() == [1, 2, 0]


def test_a_processor_is_saved_and_restored(tmp_path):
    processor = learn.preprocessing.VocabularyProcessor(3)
    processor.fit(["one two"])
    processor.save(tmp_path / "vocab")
    back = learn.preprocessing.VocabularyProcessor.restore(tmp_path / "vocab")
    assert next(back.transform(["two three one"])).tolist() == [2, 0, 1]


def test_own_tokens_and_vocabulary():
    vocabulary = learn.preprocessing.CategoricalVocabulary(support_reverse=False)
    vocabulary.get("z")
    processor = learn.preprocessing.VocabularyProcessor(
        2, vocabulary=vocabulary, tokenizer_fn=lambda texts: (list(t) for t in texts)
    )
    assert [r.tolist() for r in processor.fit_transform(["az"])] == [[2, 1]]
    with pytest.raises(ValueError, match="support_reverse"):
        vocabulary.reverse(1)


def test_bytes():
    processor = learn.preprocessing.ByteProcessor(4)
    rows = list(processor.fit(None).fit_transform(["abä", b"\xff"]))
    assert [r.tolist() for r in rows] == [[97, 98, 0xC3, 0xA4], [255, 0, 0, 0]]
    assert list(processor.reverse(rows)) == ["abä", "\ufffd"]


def test_tables(tmp_path):
    base = learn.datasets.base
    path = tmp_path / "t.csv"
    path.write_text("2,3,a,b\n1,2,3,0\n4,5,6,1\n")
    table = base.load_csv_with_header(path, np.int64, np.float32)
    assert table.data.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert table.target.tolist() == [0, 1]
    path.write_text("1,2,3\n4,5,6\n\n")
    table = base.load_csv_without_header(path, np.int64, np.float32, target_column=0)
    assert (table.data.tolist(), table.target.tolist()) == ([[2, 3], [5, 6]], [1, 4])
    path.write_text("3,1\n1,2\n")
    with pytest.raises(ValueError, match="says 3 rows and holds 1"):
        base.load_csv_with_header(path, np.int64, np.float32)
    assert base.maybe_download("t.csv", tmp_path, "http://x/t.csv") == str(path)
    with pytest.raises(FileNotFoundError, match=r"downloads nothing; get http://x/u\.csv"):
        base.maybe_download("u.csv", tmp_path, "http://x/u.csv")


def test_longer_ways_and_data_sets_by_name(tmp_path, monkeypatch):
    assert learn.python.learn.datasets.mnist.load_mnist is learn.datasets.mnist.load_mnist
    assert learn.datasets.DATASETS["mnist"] is learn.datasets.mnist.load_mnist
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAPHC_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="MNIST-data"):
        learn.datasets.load_dataset("mnist")
    with pytest.raises(ValueError, match="not found: iris; there is mnist"):
        learn.datasets.load_dataset("iris")


def test_a_checkpoint_is_printed(tmp_path, capsys):
    from graphc.tf1.inspect_checkpoint import print_tensors_in_checkpoint_file as show

    with tf.Graph().as_default(), tf.Session() as sess:
        tf.Variable([1.5, 2.5], name="a")
        tf.Variable(3, name="b")
        sess.run(tf.global_variables_initializer())
        path = tf.train.Saver().save(sess, str(tmp_path / "m"))
    show(path)
    assert capsys.readouterr().out == "tensor_name:  a\n[1.5 2.5]\ntensor_name:  b\n3\n"
    show(path, all_tensors=False, all_tensor_names=True)
    assert capsys.readouterr().out == "tensor_name:  a\ntensor_name:  b\n"
    show(path, tensor_name="b", all_tensors=False)
    assert capsys.readouterr().out == "tensor_name:  b\n3\n"
    show(path, all_tensors=False)
    assert "a" in capsys.readouterr().out
