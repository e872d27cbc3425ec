"""The parameters of each model: names, shapes, initial values, and their names in files.

Lives here: Parameter and the lists of BERT's and GPT-2's. Variables have the names of the original
TensorFlow checkpoints; files of PyTorch's world call them otherwise. Not here: reading and
writing (weights.py). Imports the configurations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphc.models.config import BertConfig, GPT2Config

__all__ = ["Parameter", "bert_parameters", "gpt2_parameters"]


class Parameter(NamedTuple):
    """One variable.

    name: in graphs and TensorFlow's checkpoints. stored: in safetensors files. turned: the file
    holds the transpose. start: "normal", "zeros" or "ones". others: more names in files.
    """

    name: str
    shape: tuple[int, ...]
    stored: str
    start: str = "normal"
    turned: bool = False
    others: tuple[str, ...] = ()


def _dense(name: str, stored: str, inner: int, outer: int) -> Iterator[Parameter]:
    yield Parameter(f"{name}/kernel", (inner, outer), f"{stored}.weight", turned=True)
    yield Parameter(f"{name}/bias", (outer,), f"{stored}.bias", "zeros")


def _norm(name: str, stored: str, size: int) -> Iterator[Parameter]:
    # the oldest files call scale and offset as TensorFlow does
    yield Parameter(
        f"{name}/gamma", (size,), f"{stored}.weight", "ones", others=(f"{stored}.gamma",)
    )
    yield Parameter(
        f"{name}/beta", (size,), f"{stored}.bias", "zeros", others=(f"{stored}.beta",)
    )


def bert_parameters(
    config: BertConfig, pooler: bool = True, masked_lm: bool = False, classifier: bool = False
) -> list[Parameter]:
    """BERT's parameters, with those of the heads that are asked for."""
    units, vocabulary = config.hidden_size, config.vocab_size
    out: list[Parameter] = []
    tables = {
        "word_embeddings": vocabulary,
        "token_type_embeddings": config.type_vocab_size,
        "position_embeddings": config.max_position_embeddings,
    }
    for table, rows in tables.items():
        stored = f"bert.embeddings.{table}.weight"
        out.append(Parameter(f"bert/embeddings/{table}", (rows, units), stored))
    out.extend(_norm("bert/embeddings/LayerNorm", "bert.embeddings.LayerNorm", units))
    for k in range(config.num_hidden_layers):
        out.extend(_bert_layer(config, k))
    if pooler:
        out.extend(_dense("bert/pooler/dense", "bert.pooler.dense", units, units))
    if masked_lm:
        out.extend(_masked_lm(config))
    if classifier:
        shape = (config.num_labels, units)
        out.append(Parameter("output_weights", shape, "classifier.weight"))
        out.append(Parameter("output_bias", shape[:1], "classifier.bias", "zeros"))
    return out


def _bert_layer(config: BertConfig, k: int) -> Iterator[Parameter]:
    units, inner = config.hidden_size, config.intermediate_size
    name, stored = f"bert/encoder/layer_{k}", f"bert.encoder.layer.{k}"
    for part in ("query", "key", "value"):
        yield from _dense(
            f"{name}/attention/self/{part}", f"{stored}.attention.self.{part}", units, units
        )
    yield from _dense(
        f"{name}/attention/output/dense", f"{stored}.attention.output.dense", units, units
    )
    yield from _norm(
        f"{name}/attention/output/LayerNorm", f"{stored}.attention.output.LayerNorm", units
    )
    yield from _dense(f"{name}/intermediate/dense", f"{stored}.intermediate.dense", units, inner)
    yield from _dense(f"{name}/output/dense", f"{stored}.output.dense", inner, units)
    yield from _norm(f"{name}/output/LayerNorm", f"{stored}.output.LayerNorm", units)


def _masked_lm(config: BertConfig) -> Iterator[Parameter]:
    units, vocabulary = config.hidden_size, config.vocab_size
    name, stored = "cls/predictions/transform", "cls.predictions.transform"
    yield from _dense(f"{name}/dense", f"{stored}.dense", units, units)
    yield from _norm(f"{name}/LayerNorm", f"{stored}.LayerNorm", units)
    yield Parameter(
        "cls/predictions/output_bias", (vocabulary,), "cls.predictions.bias", "zeros",
        others=("cls.predictions.decoder.bias",),
    )  # fmt: skip
    if not config.tie_word_embeddings:
        shape = (vocabulary, units)
        yield Parameter("cls/predictions/output_weights", shape, "cls.predictions.decoder.weight")


def gpt2_parameters(config: GPT2Config, language: bool = False) -> list[Parameter]:
    """GPT-2's parameters; `language` with an output layer of its own where it is not tied."""
    units = config.n_embd
    out = [
        Parameter("model/wte", (config.vocab_size, units), "transformer.wte.weight"),
        Parameter("model/wpe", (config.n_positions, units), "transformer.wpe.weight"),
    ]
    for k in range(config.n_layer):
        name, stored = f"model/h{k}", f"transformer.h.{k}"
        sizes = {
            "attn/c_attn": (units, 3 * units),
            "attn/c_proj": (units, units),
            "mlp/c_fc": (units, config.inner_size),
            "mlp/c_proj": (config.inner_size, units),
        }
        for norm in ("ln_1", "ln_2"):
            out.extend(_gpt2_norm(f"{name}/{norm}", f"{stored}.{norm}", units))
        for layer, shape in sizes.items():
            inside = f"{stored}.{layer.replace('/', '.')}"
            out.append(Parameter(f"{name}/{layer}/w", shape, f"{inside}.weight"))
            out.append(Parameter(f"{name}/{layer}/b", shape[1:], f"{inside}.bias", "zeros"))
    out.extend(_gpt2_norm("model/ln_f", "transformer.ln_f", units))
    if language and not config.tie_word_embeddings:
        out.append(Parameter("lm_head/w", (config.vocab_size, units), "lm_head.weight"))
    return out


def _gpt2_norm(name: str, stored: str, size: int) -> Iterator[Parameter]:
    yield Parameter(f"{name}/g", (size,), f"{stored}.weight", "ones")
    yield Parameter(f"{name}/b", (size,), f"{stored}.bias", "zeros")
