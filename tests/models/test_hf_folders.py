"""Folders that `transformers` wrote: the same outputs, tokens and continuations as there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import models

FOLDER = Path(__file__).parents[1] / "fixtures" / "models"
EVERY = 8  # the logits that are kept


@pytest.fixture(scope="module")
def expected() -> Any:
    return dict(np.load(FOLDER / "expected.npz"))


@pytest.fixture(scope="module")
def cases() -> Any:
    return json.loads((FOLDER / "tokens.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def gpt2() -> models.GPT2LMHeadModel:
    return models.GPT2LMHeadModel.from_pretrained(FOLDER / "gpt2")


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def bert_inputs(z: Any) -> tuple[Any, Any, Any]:
    return z["bert_ids"], z["bert_mask"], z["bert_types"]


# ------------------------------------------------------------------ BERT
def test_masked_language_model(expected: Any) -> None:
    model = models.BertForMaskedLM.from_pretrained(FOLDER / "bert")
    out = model(
        *bert_inputs(expected), labels=expected["bert_labels"], output_hidden_states=True,
        output_attentions=True,
    )  # fmt: skip
    close(out.logits[..., ::EVERY], expected["mlm_logits"])
    close(out.loss, expected["mlm_loss"])
    close(out.hidden_states[0], expected["mlm_hidden_0"])
    close(out.hidden_states[2], expected["mlm_hidden_2"])
    close(out.attentions[1], expected["mlm_attention_1"])
    plain = model(expected["bert_ids"])
    close(plain.logits[..., ::EVERY], expected["plain_logits"])
    assert plain.keys() == ["logits"]


def test_another_batch_size_or_length_compiles_nothing(expected: Any) -> None:
    model = models.BertForMaskedLM.from_pretrained(FOLDER / "bert")
    model(expected["bert_ids"])
    before = tf.stats()
    for shape in ((1, 1), (1, 7), (5, 3), (2, 30)):
        assert model(np.full(shape, 7)).logits.shape == (*shape, model.config.vocab_size)
    after = tf.stats()
    for count in ("modules_compiled", "kernels_compiled", "plans_built"):
        assert after[count] == before[count], count


def test_classifier_and_its_losses(expected: Any) -> None:
    model = models.BertForSequenceClassification.from_pretrained(FOLDER / "classifier")
    assert model.config.id2label == {0: "no", 1: "perhaps", 2: "yes"}
    out = model(*bert_inputs(expected), labels=[0, 2, 1])
    close(out.logits, expected["cls_logits"])
    close(out.loss, expected["cls_loss"])
    loss, logits = out
    assert loss is out[0] and logits is out["logits"]
    many = [[0.0, 1, 0], [1, 1, 0], [0, 0, 1]]
    close(model(*bert_inputs(expected), labels=many).loss, expected["cls_many_loss"])


def test_the_body_of_a_classifier_as_a_bert_model(expected: Any) -> None:
    model = models.BertModel.from_pretrained(FOLDER / "classifier")
    hidden, pooled = model(*bert_inputs(expected))
    close(hidden, expected["cls_hidden"])
    close(pooled, expected["cls_pooled"])


def test_gradients_in_the_users_graph(expected: Any) -> None:
    model = models.BertForSequenceClassification.from_pretrained(FOLDER / "classifier")
    with tf.Graph().as_default(), tf.Session() as sess:
        out = model.build(*bert_inputs(expected), labels=tf.constant([0, 2, 1]))
        names = {v.op.name: v for v in tf.trainable_variables()}
        query = names["bert/encoder/layer_0/attention/self/query/kernel"]
        (grad,) = tf.gradients(out.loss, query)
        sess.run(tf.global_variables_initializer())
        close(sess.run(out.loss), expected["cls_loss"])
        # there the kernel is kept as its transpose
        close(sess.run(grad).T, expected["cls_grad_query"])


# ------------------------------------------------------------------ GPT-2
def test_language_model_of_shards(expected: Any, gpt2: Any) -> None:
    ids, mask = expected["gpt2_ids"], expected["gpt2_mask"]
    out = gpt2(ids, mask, labels=expected["gpt2_labels"], output_hidden_states=True)
    seen = mask == 1
    close(out.logits[..., ::EVERY][seen], expected["gpt2_logits"][seen])
    close(out.loss, expected["gpt2_loss"])
    close(out.hidden_states[-1][seen], expected["gpt2_hidden"][seen])
    close(gpt2(ids).logits[..., ::EVERY], expected["gpt2_plain"])
    body = models.GPT2Model.from_pretrained(FOLDER / "gpt2")
    close(body(ids, mask).last_hidden_state[seen], expected["gpt2_hidden"][seen])


def test_greedy_generation_token_for_token(expected: Any, gpt2: Any) -> None:
    ids, mask = expected["gpt2_ids"], expected["gpt2_mask"]
    found = gpt2.generate(ids[:1], max_new_tokens=24)
    np.testing.assert_array_equal(found, expected["greedy"])
    for cached in (True, False):
        found = gpt2.generate(ids, mask, max_new_tokens=16, use_cache=cached)
        np.testing.assert_array_equal(found, expected["greedy_batch"])
    stop = int(expected["stop"])
    end = gpt2.config.eos_token_id
    found = gpt2.generate(ids, mask, max_new_tokens=16, eos_token_id=stop, pad_token_id=end)
    np.testing.assert_array_equal(found, expected["greedy_stop"])
    found = gpt2.generate(ids, mask, max_new_tokens=16, repetition_penalty=1.3)
    np.testing.assert_array_equal(found, expected["penalty"])


def test_steps_of_generation_share_one_plan(expected: Any, gpt2: Any) -> None:
    gpt2.generate(expected["gpt2_ids"], max_new_tokens=2)
    before = tf.stats()
    gpt2.generate(expected["gpt2_ids"][:2, :5], max_new_tokens=20)
    gpt2.generate(expected["gpt2_ids"][:1, :1], max_new_tokens=9, do_sample=True, seed=0)
    after = tf.stats()
    for count in ("modules_compiled", "kernels_compiled", "plans_built"):
        assert after[count] == before[count], count


# ------------------------------------------------------------------ tokenizers
@pytest.mark.parametrize("folder", ["bert", "classifier"])
def test_wordpieces_of_mixed_languages(folder: str, cases: Any) -> None:
    tokenizer = models.BertTokenizer.from_pretrained(FOLDER / folder)
    for text, ids, pieces in zip(cases["texts"], cases["bert"], cases["pieces"]):
        assert tokenizer(text)["input_ids"] == ids, text
        assert tokenizer.tokenize(text) == pieces, text
    assert tokenizer.batch_decode(cases["bert"]) == cases["decoded_special"]
    assert tokenizer.batch_decode(cases["bert"], skip_special_tokens=True) == cases["decoded"]


@pytest.mark.parametrize(
    "name, options",
    [
        ("cased", {"do_lower_case": False}),
        ("plain_chinese", {"tokenize_chinese_chars": False, "strip_accents": False}),
    ],
)
def test_wordpieces_with_options(name: str, options: Any, cases: Any) -> None:
    tokenizer = models.BertTokenizer.from_pretrained(FOLDER / "bert", **options)
    assert tokenizer(cases["texts"])["input_ids"] == cases[name]


def test_pairs_padding_and_truncation(cases: Any) -> None:
    tokenizer = models.BertTokenizer.from_pretrained(FOLDER / "bert")
    first, second = cases["texts"][:6], cases["texts"][3:9]
    found = tokenizer(first, second, padding=True, truncation=True, max_length=21)
    assert found == cases["pair"]
    options: Any = {"padding": "max_length", "truncation": "only_second", "max_length": 60}
    assert tokenizer(list(zip(first, second)), **options) == cases["only_second"]
    found = tokenizer(cases["texts"], padding=True, truncation=True, max_length=9)
    assert found == cases["single"]
    arrays = tokenizer(cases["texts"], padding=True, return_tensors="np")
    assert arrays.input_ids.dtype == np.int64
    assert arrays.input_ids.shape == arrays.attention_mask.shape == arrays.token_type_ids.shape


def test_byte_pairs_of_mixed_languages(cases: Any) -> None:
    tokenizer = models.GPT2Tokenizer.from_pretrained(FOLDER / "gpt2")
    for text, ids, pieces in zip(cases["texts"], cases["gpt2"], cases["gpt2_pieces"]):
        assert tokenizer(text)["input_ids"] == ids, text
        assert tokenizer.tokenize(text) == pieces, text
        assert tokenizer.decode(ids) == text
    assert tokenizer.batch_decode(cases["gpt2"]) == cases["gpt2_decoded"]


def test_less_usual_options_of_tokenizers(more: Any) -> None:
    kinds: Any = (("bert", models.BertTokenizer, {}),
                  ("gpt2", models.GPT2Tokenizer, {"add_prefix_space": True}))  # fmt: skip
    for (folder, kind, given), (texts, cases) in zip(kinds, more["tokens"], strict=True):
        tokenizer = kind.from_pretrained(FOLDER / folder, **given)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        for options, wanted in cases:
            assert tokenizer(texts, **options) == wanted, options
    with pytest.raises(ValueError, match="padding_side is 'left' or 'right'"):
        tokenizer(["a", "bc"], padding=True, padding_side="up")


# ------------------------------------------------------------------ beam search
@pytest.fixture(scope="module")
def more() -> Any:
    return json.loads((FOLDER / "more.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("cached", [True, False])
def test_beam_search_token_for_token(cached: bool, expected: Any, gpt2: Any, more: Any) -> None:
    ids, mask = expected["gpt2_ids"], expected["gpt2_mask"]
    for options, wanted in more["beams"]:
        found = gpt2.generate(ids, mask, use_cache=cached, **options)
        np.testing.assert_array_equal(found, wanted, str(options))


# ------------------------------------------------------------------ Google's own files
def test_a_folder_of_googles_programs(expected: Any) -> None:
    folder = FOLDER / "google"
    model = models.BertForSequenceClassification.from_pretrained(folder, num_labels=3)
    close(model(*bert_inputs(expected)).logits, expected["cls_logits"])
    body = models.BertModel.from_pretrained(folder)
    hidden, pooled = body(*bert_inputs(expected))
    close(hidden, expected["cls_hidden"])
    close(pooled, expected["cls_pooled"])
    tokenizer = models.BertTokenizer.from_pretrained(folder)
    assert tokenizer.vocab_size == body.config.vocab_size
