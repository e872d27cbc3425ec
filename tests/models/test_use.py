"""Models in use: calls, graphs of users, fine-tuning, generation, tokenizers' corners."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import errors, models

SIZES: Any = {
    "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 6, "max_position_embeddings": 10, "initializer_range": 0.5,
}  # fmt: skip
IDS = np.array([[2, 5, 7, 3], [2, 9, 3, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])


def classifier(**more: Any) -> models.BertForSequenceClassification:
    return models.BertForSequenceClassification(models.BertConfig(**{**SIZES, **more}), seed=1)


def language(**more: Any) -> models.GPT2LMHeadModel:
    sizes: Any = {
        "vocab_size": 11, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 12,
        "initializer_range": 0.5, "eos_token_id": 10,
    }  # fmt: skip
    return models.GPT2LMHeadModel(models.GPT2Config(**{**sizes, **more}), seed=1)


# ------------------------------------------------------------------ calls
def test_lists_and_single_rows_are_taken() -> None:
    model = classifier()
    whole = model(IDS.tolist(), MASK.tolist()).logits
    np.testing.assert_allclose(model([2, 9, 3]).logits, whole[1:], rtol=1e-5)
    np.testing.assert_array_equal(model(IDS.astype(np.uint8), MASK == 1).logits, whole)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"input_ids": [[1, 11]]}, r"input_ids\[0, 1\] is 11, outside the vocabulary of 11"),
        ({"input_ids": [[-1]]}, r"input_ids\[0, 0\] is -1"),
        ({"input_ids": [[1.5]]}, "integers of shape"),
        ({"input_ids": [[[1]]]}, "integers of shape"),
        ({"input_ids": [[1] * 11]}, "11 long, the model has 10 positions"),
        ({"input_ids": IDS, "attention_mask": [[1]]}, r"attention_mask has shape \[1, 1\]"),
        ({"input_ids": IDS, "token_type_ids": IDS}, "token_type_ids has values outside 0 .. 1"),
    ],
)
def test_wrong_inputs(arguments: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        classifier()(**arguments)


def test_a_body_has_no_loss() -> None:
    model = models.BertModel(models.BertConfig(**SIZES))
    with pytest.raises(ValueError, match="BertModel has no loss"):
        model(IDS, labels=[0, 1])


def test_regression() -> None:
    model = classifier(num_labels=1)
    out = model(IDS, labels=[0.5, 2.0])
    np.testing.assert_allclose(out.loss, np.mean((out.logits[:, 0] - [0.5, 2.0]) ** 2), rtol=1e-5)


def test_calls_from_several_threads() -> None:
    model = classifier()
    wanted = classifier()(IDS).logits
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(model(IDS).logits)) for _ in range(6)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 6
    for logits in found:
        np.testing.assert_array_equal(logits, wanted)


def test_a_closed_model_starts_again_and_a_dropped_one_goes() -> None:
    model = classifier()
    wanted = model(IDS).logits
    model.close()
    np.testing.assert_array_equal(model(IDS).logits, wanted)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------ the user's graph
def test_the_default_graph_stays_untouched_by_calls() -> None:
    with tf.Graph().as_default() as graph:
        classifier()(IDS)
        assert not graph.get_operations()


def test_builds_share_variables_and_agree_with_calls() -> None:
    model = classifier()
    with tf.Graph().as_default(), tf.Session() as sess:
        ids = tf.placeholder(tf.int64, [None, None])
        one = model.build(ids, MASK)
        two = model.build(ids, attention_mask=MASK, training=True)
        names = [v.name for v in tf.trainable_variables()]
        assert len(names) == len(set(names)) == len(model.variables())
        assert "bert/embeddings/word_embeddings:0" in names
        assert "bert/encoder/layer_1/output/LayerNorm/gamma:0" in names
        assert "output_weights:0" in names
        sess.run(tf.global_variables_initializer())
        out = sess.run([one.logits, two.logits], {ids: IDS})
    np.testing.assert_allclose(out[0], model(IDS, MASK).logits, rtol=1e-5)
    assert abs(out[0] - out[1]).max() > 1e-3


def test_a_model_keeps_no_graph_of_users_alive() -> None:
    model = classifier()
    graph = tf.Graph()
    with graph.as_default():
        model.build(tf.constant(IDS))
    gone = weakref.ref(graph)
    del graph
    gc.collect()
    assert gone() is None


def test_two_models_need_two_scopes() -> None:
    one, two = classifier(), classifier(num_labels=3)
    with tf.Graph().as_default(), tf.Session() as sess:
        first = one.build(tf.constant(IDS))
        with pytest.raises(ValueError, match="already exists"):
            two.build(tf.constant(IDS))
        with tf.variable_scope("other"):
            second = two.build(tf.constant(IDS))
        assert all(v.name.startswith("other/") for v in two.variables())
        sess.run(tf.global_variables_initializer())
        np.testing.assert_allclose(sess.run(first.logits), one(IDS).logits, rtol=1e-5)
        np.testing.assert_allclose(sess.run(second.logits), two(IDS).logits, rtol=1e-5)


def test_training_may_be_a_tensor() -> None:
    model = classifier(hidden_dropout_prob=0.5)
    with tf.Graph().as_default(), tf.Session() as sess:
        training = tf.placeholder(tf.bool, [])
        out = model.build(tf.constant(IDS), training=training).logits
        sess.run(tf.global_variables_initializer())
        np.testing.assert_allclose(sess.run(out, {training: False}), model(IDS).logits, rtol=1e-5)
        drawn = [sess.run(out, {training: True}) for _ in range(2)]
        assert abs(drawn[0] - drawn[1]).max() > 1e-3


def test_trained_values_come_back_into_the_model() -> None:
    model = classifier()
    before = model(IDS).logits
    with tf.Graph().as_default(), tf.Session() as sess:
        with pytest.raises(ValueError, match="built 0 times"):
            model.load_variables(sess)
        out = model.build(tf.constant(IDS), labels=tf.constant([0, 1]))
        train = tf.train.AdamOptimizer(0.01).minimize(out.loss)
        sess.run(tf.global_variables_initializer())
        losses = [sess.run([out.loss, train])[0] for _ in range(60)]
        model.load_variables(sess)
        wanted = sess.run(out.logits)
    assert losses[-1] < 0.1 < losses[0]
    after = model(IDS, labels=[0, 1])
    np.testing.assert_allclose(after.logits, wanted, rtol=1e-4, atol=1e-5)
    assert after.loss < 0.1 and abs(after.logits - before).max() > 0.1


def test_a_language_model_learns_in_the_users_graph() -> None:
    model = language()
    text = np.array([[1, 2, 3, 4, 5, 6, 7, 8]])
    with tf.Graph().as_default(), tf.Session() as sess:
        out = model.build(tf.constant(text), labels=tf.constant(text), training=False)
        train = tf.train.AdamOptimizer(0.03).minimize(out.loss)
        sess.run(tf.global_variables_initializer())
        for _ in range(80):
            sess.run(train)
        model.load_variables(sess)
    np.testing.assert_array_equal(model.generate(text[:, :2], max_new_tokens=6), text)


# ------------------------------------------------------------------ generation
def test_the_cache_of_calls_continues_a_text() -> None:
    model = language()
    whole = model(IDS).logits
    first = model(IDS[:, :3], use_cache=True)
    assert first.past_key_values[1][0].shape == (2, 2, 3, 4)
    rest = model(IDS[:, 3:], past_key_values=first.past_key_values)
    np.testing.assert_allclose(rest.logits, whole[:, 3:], rtol=1e-4, atol=1e-5)


def test_sampling_draws_with_the_models_probabilities() -> None:
    model = language()
    prompt = np.array([[2, 5]])
    logits = model(prompt).logits[0, -1].astype(np.float64)
    wanted = np.exp(logits / 2) / np.exp(logits / 2).sum()
    options: Any = {"max_new_tokens": 1, "do_sample": True, "num_return_sequences": 4000}
    found = model.generate(prompt, temperature=2.0, top_k=0, seed=5, **options)
    shares = np.bincount(found[:, -1], minlength=11) / 4000
    np.testing.assert_allclose(shares, wanted, atol=0.03)
    again = model.generate(prompt, temperature=2.0, top_k=0, seed=5, **options)
    np.testing.assert_array_equal(found, again)
    best = np.argsort(-logits)
    found = model.generate(prompt, top_k=2, seed=6, **options)
    assert set(found[:, -1]) == set(best[:2])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    count = int((np.cumsum(probabilities[best]) < 0.6).sum()) + 1
    found = model.generate(prompt, top_k=0, top_p=0.6, seed=7, **options)
    assert set(found[:, -1]) == set(best[:count])


def test_ends_and_streams() -> None:
    model = language(pad_token_id=0)
    prompt = np.array([[2, 5]])
    free = model.generate(prompt, max_new_tokens=6, eos_token_id=[])[0, 2:]
    end = int(free[0])
    found = model.generate(prompt, max_new_tokens=6, eos_token_id=end)
    np.testing.assert_array_equal(found, [[2, 5, end]])
    found = model.generate(prompt, max_new_tokens=6, eos_token_id=end, min_new_tokens=3)
    assert found.shape[1] >= 6 and end not in found[0, 2:5]
    seen: list[int] = []
    model.generate(prompt, max_length=6, eos_token_id=[], streamer=lambda t: seen.append(int(t[0])))
    assert seen == free[:4].tolist()


@pytest.mark.parametrize(
    "options, text",
    [
        ({"max_new_tokens": 20}, "22 tokens in all, the model has 12 positions"),
        ({"max_length": 2}, "nothing to generate"),
        ({"attention_mask": [[1, 0]], "max_new_tokens": 1}, "padded on the left"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"num_return_sequences": 2}, "do_sample"),
        ({"num_beams": 2, "num_return_sequences": 3}, "as many num_beams"),
        ({"num_beams": 2, "do_sample": True}, "beam search draws nothing"),
        ({"num_beams": 0}, "num_beams and no_repeat_ngram_size"),
        ({"num_beams": 2, "early_stopping": "soon"}, "early_stopping is True, False or 'never'"),
        ({"num_beams": 2, "streamer": print, "max_new_tokens": 1}, "a streamer sees single tokens"),
    ],
)
def test_generation_that_cannot_be(options: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        language().generate(np.array([[2, 5]]), **{"max_new_tokens": None, **options})
    with pytest.raises(TypeError, match="no option beams"):
        language().generate(np.array([[2, 5]]), beams=3)


# ------------------------------------------------------------------ tokenizers
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "##s", "a", ",", "!"]


def wordpieces(**options: Any) -> models.BertTokenizer:
    return models.BertTokenizer({w: k for k, w in enumerate(WORDS)}, **options)


def test_tokens_ids_and_special_tokens() -> None:
    tokenizer = wordpieces()
    assert tokenizer.tokenize("Playing, a [MASK]!") == ["play", "##ing", ",", "a", "[MASK]", "!"]
    assert tokenizer.convert_tokens_to_ids(["a", "b"]) == [8, 1]
    assert tokenizer.convert_ids_to_tokens(5) == "play"
    assert (tokenizer.cls_token, tokenizer.sep_token_id, len(tokenizer)) == ("[CLS]", 3, 11)
    assert tokenizer.encode("a", add_special_tokens=False) == [8]
    assert tokenizer.decode([2, 5, 6, 9, 8, 3], skip_special_tokens=True) == "playing, a"
    with pytest.raises(ValueError, match="no token has id 11"):
        tokenizer.convert_ids_to_tokens([11])
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        tokenizer.nope


def test_padding_on_the_left_and_errors_of_batches() -> None:
    tokenizer = wordpieces()
    tokenizer.padding_side = "left"
    found = tokenizer(["a", "a a a"], padding=True, return_tensors="np")
    np.testing.assert_array_equal(found["input_ids"], [[0, 0, 2, 8, 3], [2, 8, 8, 8, 3]])
    np.testing.assert_array_equal(found.attention_mask[0], [0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="different lengths: pass padding=True"):
        tokenizer(["a", "a a"], return_tensors="np")
    with pytest.raises(ValueError, match="return_tensors is 'np'"):
        tokenizer("a", return_tensors="pt")
    with pytest.raises(ValueError, match="needs a max_length"):
        tokenizer("a", padding="max_length")
    with pytest.raises(ValueError, match="truncation is"):
        tokenizer("a", truncation="some")
    with pytest.raises(TypeError, match="a text is a str, got int"):
        tokenizer([3])
    with pytest.raises(ValueError, match="2 texts need as many"):
        tokenizer(["a", "a"], ["a"])


def test_tokenizers_come_back(tmp_path: Any) -> None:
    tokenizer = wordpieces(do_lower_case=False, model_max_length=5)
    tokenizer.save_pretrained(tmp_path / "bert")
    again = models.BertTokenizer.from_pretrained(tmp_path / "bert")
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again("A a a a a a", truncation=True) == tokenizer("A a a a a a", truncation=True)
    letters = {chr(c): c - 97 for c in range(97, 123)} | {"<|endoftext|>": 26, "ab": 27, "abc": 28}
    pairs = models.GPT2Tokenizer(letters, [("a", "b"), ("ab", "c")])
    assert pairs.tokenize("abcab") == ["abc", "ab"]
    pairs.pad_token = pairs.eos_token
    pairs.save_pretrained(tmp_path / "gpt2")
    back = models.GPT2Tokenizer.from_pretrained(tmp_path / "gpt2")
    assert back(["abcab", "a"], padding=True) == pairs(["abcab", "a"], padding=True)
    assert back.pad_token_id == 26 and back.decode([28, 26]) == "abc<|endoftext|>"
    with pytest.raises(ValueError, match="padding needs a pad_token"):
        models.GPT2Tokenizer(letters, [])(["a", "aa"], padding=True)


@pytest.mark.parametrize("joined", [True, False])
def test_byte_pairs_of_a_tokenizer_json(joined: bool, tmp_path: Any) -> None:
    pairs = [["a", "b"], ["Ġ", "ab"]]
    table = {
        "model": {
            "type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4},
            "merges": [" ".join(p) for p in pairs] if joined else pairs,
        },
        "added_tokens": [{"id": 5, "content": "<|endoftext|>"}],
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(table), encoding="utf-8")
    tokenizer = models.GPT2Tokenizer.from_pretrained(tmp_path, add_prefix_space=True)
    assert tokenizer.tokenize("ab ab<|endoftext|>a") == ["Ġab", "Ġab", "<|endoftext|>", "Ġ", "a"]
    assert tokenizer.encode("ab") == [4]
    table["model"] = {"vocab": {"a": 0}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(errors.DataLossError, match="no merges"):
        models.GPT2Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text("[]", encoding="utf-8")
    with pytest.raises(errors.DataLossError, match="no vocabulary"):
        models.GPT2Tokenizer.from_pretrained(tmp_path)


def test_vocabularies_that_cannot_be(tmp_path: Any) -> None:
    with pytest.raises(errors.DataLossError, match="one number to two tokens"):
        models.BertTokenizer({"a": 0, "b": 0})
    with pytest.raises(ValueError, match=r"the vocabulary has no \[UNK\], \[SEP\]"):
        models.BertTokenizer({"a": 0})
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(errors.DataLossError, match="no UTF-8"):
        models.BertTokenizer.from_pretrained(tmp_path)
    (tmp_path / "vocab.json").write_text("{}")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\nc\n")
    with pytest.raises(errors.DataLossError, match="merge 1 is"):
        models.GPT2Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "merges.txt").write_bytes(b"\xff")
    with pytest.raises(errors.DataLossError, match="no UTF-8"):
        models.GPT2Tokenizer.from_pretrained(tmp_path)
