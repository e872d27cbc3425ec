"""Models to and from folders: safetensors, shards, TensorFlow's checkpoints, clear errors."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import errors, models
from graphc.interop.checkpoint import write_checkpoint
from graphc.models import load_safetensors, save_safetensors

SIZES: Any = {
    "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 6, "max_position_embeddings": 10,
}  # fmt: skip
IDS = np.array([[2, 5, 7, 3], [2, 9, 3, 0]])


def bert(**more: Any) -> models.BertConfig:
    return models.BertConfig(**{**SIZES, **more})


def gpt2(**more: Any) -> models.GPT2Config:
    sizes: Any = {"vocab_size": 11, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 10}
    return models.GPT2Config(**{**sizes, **more})


def same(a: Any, b: Any) -> None:
    assert a.keys() == b.keys()
    for x, y in zip(a, b):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    "kind, config",
    [
        (models.BertModel, bert()),
        (models.BertForMaskedLM, bert()),
        (models.BertForMaskedLM, bert(tie_word_embeddings=False)),
        (models.BertForSequenceClassification, bert(num_labels=3, hidden_act="relu")),
        (models.GPT2Model, gpt2(scale_attn_by_inverse_layer_idx=True)),
        (models.GPT2LMHeadModel, gpt2(tie_word_embeddings=False, n_inner=5)),
    ],
)
@pytest.mark.parametrize("limit", ["5GB", 600])
def test_saved_models_come_back(kind: Any, config: Any, limit: Any, tmp_path: Path) -> None:
    model = kind(config, seed=1)
    model.save_pretrained(tmp_path / "m", max_shard_size=limit)
    names = os.listdir(tmp_path / "m")
    assert ("model.safetensors" in names) == (limit == "5GB")
    assert ("model.safetensors.index.json" in names) == (limit != "5GB")
    again = kind.from_pretrained(tmp_path / "m")
    assert again.config == kind.config_class.from_pretrained(tmp_path / "m")
    same(again(IDS), model(IDS))
    # another form in the same folder takes the place of the first
    again.save_pretrained(tmp_path / "m", max_shard_size=600 if limit == "5GB" else "1MB")
    same(kind.from_pretrained(tmp_path / "m")(IDS), model(IDS))


def test_seeds_make_weights() -> None:
    a, b, c = (models.BertModel(bert(), seed=s).state_dict() for s in (1, 1, 2))
    name = "bert/encoder/layer_0/attention/self/query/kernel"
    np.testing.assert_array_equal(a[name], b[name])
    assert (a[name] != c[name]).any()
    assert models.BertModel(bert()).num_parameters() == sum(v.size for v in a.values())


def test_names_of_older_files(tmp_path: Path) -> None:
    model = models.BertModel(bert(), seed=1)
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    old = {
        k.removeprefix("bert.")
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta"): np.array(v)
        for k, v in load_safetensors(path).items()
    }
    assert "embeddings.LayerNorm.gamma" in old
    save_safetensors(path, {**old, "embeddings.position_ids": np.arange(10)})
    same(models.BertModel.from_pretrained(tmp_path)(IDS), model(IDS))


def test_half_precision_files_run_in_float32(tmp_path: Path) -> None:
    model = models.GPT2Model(gpt2(), seed=1)
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    save_safetensors(path, {k: v.astype(np.float16) for k, v in load_safetensors(path).items()})
    (out,) = models.GPT2Model.from_pretrained(tmp_path)(IDS)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, model(IDS)[0], atol=1e-2)


# ------------------------------------------------------------------ TensorFlow's checkpoints
def test_googles_checkpoints(tmp_path: Path) -> None:
    model = models.BertForMaskedLM(bert(), seed=3)
    more = {"bert/pooler/dense/kernel": np.zeros((8, 8), np.float32), "global_step": np.int64(7)}
    write_checkpoint(tmp_path / "bert_model.ckpt", {**model.state_dict(), **more})
    (tmp_path / "bert_config.json").write_text(json.dumps(SIZES))
    same(models.BertForMaskedLM.from_pretrained(tmp_path)(IDS), model(IDS))
    prefix = tmp_path / "bert_model.ckpt"
    same(models.BertForMaskedLM.from_pretrained(prefix, config=bert())(IDS), model(IDS))


def test_openais_checkpoints(tmp_path: Path) -> None:
    model = models.GPT2LMHeadModel(gpt2(), seed=3)
    # products were convolutions there
    stored = {k: v[None] if k.endswith("/w") else v for k, v in model.state_dict().items()}
    write_checkpoint(tmp_path / "model.ckpt", stored)
    sizes = {"n_vocab": 11, "n_ctx": 10, "n_embd": 8, "n_head": 2, "n_layer": 2}
    (tmp_path / "hparams.json").write_text(json.dumps(sizes))
    found = models.GPT2LMHeadModel.from_pretrained(tmp_path, n_positions=10)
    same(found(IDS), model(IDS))


def test_checkpoints_of_a_users_saver(tmp_path: Path) -> None:
    model = models.BertForSequenceClassification(bert(), seed=3)
    with tf.Graph().as_default(), tf.Session() as sess:
        model.build(tf.constant(IDS))
        sess.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(sess, str(tmp_path / "model.ckpt"))
    found = models.BertForSequenceClassification.from_pretrained(prefix, config=bert())
    same(found(IDS), model(IDS))


# ------------------------------------------------------------------ errors
def test_a_name_on_a_hub_gets_a_clear_word() -> None:
    for kind in (models.BertModel, models.BertTokenizer, models.GPT2Tokenizer, models.BertConfig):
        with pytest.raises(errors.NotFoundError, match=r"bert-base-uncased is no folder.*local"):
            kind.from_pretrained("bert-base-uncased")


def test_folders_without_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match=r"has no config\.json or bert_config\.json"):
        models.BertModel.from_pretrained(tmp_path)
    bert().save_pretrained(tmp_path)
    with pytest.raises(errors.NotFoundError, match=r"has no model\.safetensors"):
        models.BertModel.from_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02")
    with pytest.raises(errors.UnimplementedError, match=r"pytorch_model\.bin only.*run code"):
        models.BertModel.from_pretrained(tmp_path)
    with pytest.raises(errors.NotFoundError, match="has no vocabulary"):
        models.BertTokenizer.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="of a 'bert' model, not 'gpt2'"):
        models.GPT2Model.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(errors.DataLossError, match="no JSON"):
        models.BertModel.from_pretrained(tmp_path)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    models.BertModel(bert(), seed=1).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"word_embeddings.weight has shape \[11, 8\].*\[12, 8\]"):
        models.BertModel.from_pretrained(tmp_path, vocab_size=12)
    with pytest.warns(UserWarning, match="does not have output_weights, output_bias: made anew"):
        models.BertForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.BertModel.from_pretrained(tmp_path)
    save_safetensors(tmp_path / "model.safetensors", {"x": np.zeros(3)})
    with pytest.raises(errors.DataLossError, match="none of the model's weights"):
        models.BertModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"12345678901234567890")
    with pytest.raises(errors.DataLossError, match=r"model\.safetensors"):
        models.BertModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", ".."])
def test_an_index_names_files_beside_it_only(name: str, tmp_path: Path) -> None:
    bert().save_pretrained(tmp_path)
    index = {"weight_map": {"bert.pooler.dense.bias": name}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(errors.DataLossError, match="no file beside it"):
        models.BertModel.from_pretrained(tmp_path)


def test_a_missing_shard(tmp_path: Path) -> None:
    models.BertModel(bert(), seed=1).save_pretrained(tmp_path, max_shard_size="1KB")
    first = sorted(tmp_path.glob("model-*"))[1]
    first.unlink()
    with pytest.raises(errors.NotFoundError, match=first.name):
        models.BertModel.from_pretrained(tmp_path)


def test_configurations_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="8 hidden units cannot be split among 3 heads"):
        bert(num_attention_heads=3)
    with pytest.raises(errors.UnimplementedError, match="activation 'mish'"):
        bert(hidden_act="mish")
    with pytest.raises(errors.UnimplementedError, match="is_decoder"):
        models.BertConfig.from_dict({"is_decoder": True})
    with pytest.raises(errors.UnimplementedError, match="relative_key"):
        models.BertConfig.from_dict({"position_embedding_type": "relative_key"})
    with pytest.raises(TypeError, match="BertModel is made from a BertConfig"):
        models.BertModel(gpt2())


def test_what_a_configuration_does_not_know_is_kept(tmp_path: Path) -> None:
    config = models.GPT2Config.from_dict({"n_ctx": 1024, "task": {"x": 1}, "hidden_size": 24})
    assert config.n_embd == 24
    config.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["n_ctx"] == 1024 and stored["task"] == {"x": 1} and stored["n_embd"] == 24
    assert models.GPT2Config.from_pretrained(tmp_path) == config
    assert models.GPT2Config.from_pretrained(tmp_path, num_labels=7).num_labels == 7
