"""What a model is built from: BertConfig, GPT2Config, read from and written to config.json.

Lives here: the two configurations and what they share. Not here: weights, graphs.
Imports errors and the atomic file of checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from graphc.errors import DataLossError, NotFoundError, UnimplementedError
from graphc.interop.checkpoint import atomic_file

__all__ = ["BertConfig", "GPT2Config", "PretrainedConfig", "local_folder", "read_json"]

ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh", "linear")


def local_folder(name: Any) -> Path:
    """The folder of that name.

    Raises:
        NotFoundError: it is none; for a name on a hub the text says what to do.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    raise NotFoundError(
        f"{name} is no folder. graphc loads models from local folders only and downloads nothing: "
        "fetch the model's files (config.json, model.safetensors, the tokenizer's files) into a "
        "folder and give its path"
    )


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        NotFoundError: no such file. DataLossError: it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{path}; No such file") from None
    except ValueError as err:
        raise DataLossError(f"{path} is no JSON: {err}") from None


def write_json(path: Path, value: Any) -> None:
    """A JSON file, at once or not at all."""
    with atomic_file(path) as file:
        file.write((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


@dataclass
class PretrainedConfig:
    """What all models have: labels, dropout's seed, and what else stood in config.json.

    Args:
        num_labels: outputs of a classifier; id2label: their names, which win over num_labels.
        problem_type: "regression", "single_label_classification" or
            "multi_label_classification"; None: as the labels' dtype and num_labels say.
        other: keys of config.json without a meaning here; written back by save_pretrained.
    """

    model_type: ClassVar[str] = ""
    own_names: ClassVar[tuple[str, ...]] = ("config.json",)
    older: ClassVar[Mapping[str, str]] = {}

    num_labels: int = 2
    id2label: dict[int, str] | None = None
    problem_type: str | None = None
    architectures: list[str] | None = None
    tie_word_embeddings: bool = True
    other: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.id2label or {k: f"LABEL_{k}" for k in range(self.num_labels)}
        self.id2label = {int(k): str(v) for k, v in names.items()}
        self.num_labels = len(self.id2label)
        self.check()

    def check(self) -> None:
        """Raises: ValueError, UnimplementedError: sizes or options that no model can have."""
        unknown = {k for k in ("is_decoder", "add_cross_attention") if self.other.get(k)}
        if unknown:
            raise UnimplementedError(f"models with {', '.join(sorted(unknown))} are not there")

    def _check_sizes(self, width: int, heads: int, activation: str) -> None:
        if heads < 1 or width % heads:
            raise ValueError(f"{width} hidden units cannot be split among {heads} heads")
        if activation not in ACTIVATIONS:
            raise UnimplementedError(
                f"activation {activation!r} is none of {', '.join(ACTIVATIONS)}"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **changes: Any) -> Self:
        """A configuration from the keys of config.json; `changes` win.

        Raises:
            ValueError: it is another model's.
        """
        given = {cls.older.get(k, k): v for k, v in values.items()}
        kind = given.pop("model_type", cls.model_type)
        if kind != cls.model_type:
            raise ValueError(f"the configuration is of a {kind!r} model, not {cls.model_type!r}")
        if "num_labels" in changes and "id2label" not in changes:
            given.pop("id2label", None)
            given.pop("label2id", None)
        known = {f.name for f in fields(cls)} - {"other"}
        other = {k: v for k, v in given.items() if k not in known and k != "label2id"}
        inner = {k: v for k, v in given.items() if k in known}
        return cls(**{**inner, **changes}, other=other)

    @classmethod
    def from_pretrained(cls, name: Any, **changes: Any) -> Self:
        """The configuration in a folder; `changes` replace values of it.

        Raises:
            NotFoundError: no such folder or no configuration in it. DataLossError: no JSON.
        """
        folder = local_folder(name)
        for own in cls.own_names:
            if (folder / own).is_file():
                return cls.from_dict(read_json(folder / own), **changes)
        raise NotFoundError(f"{folder} has no {' or '.join(cls.own_names)}")

    def to_dict(self) -> dict[str, Any]:
        """What config.json holds."""
        out = dict(self.other)
        for entry in fields(self):
            if entry.name not in ("other", "num_labels"):
                out[entry.name] = getattr(self, entry.name)
        names = self.id2label or {}
        out["id2label"] = {str(k): v for k, v in names.items()}
        out["label2id"] = {v: k for k, v in names.items()}
        out["model_type"] = self.model_type
        return out

    def save_pretrained(self, folder: Any) -> None:
        """Writes config.json into a folder, which is made where it does not exist."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", self.to_dict())


@dataclass
class BertConfig(PretrainedConfig):
    """Sizes and options of a BERT model; defaults are those of bert-base-uncased."""

    model_type: ClassVar[str] = "bert"
    own_names: ClassVar[tuple[str, ...]] = ("config.json", "bert_config.json")

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    classifier_dropout: float | None = None
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0

    def check(self) -> None:
        super().check()
        self._check_sizes(self.hidden_size, self.num_attention_heads, self.hidden_act)
        position = self.other.get("position_embedding_type", "absolute")
        if position != "absolute":
            raise UnimplementedError(f"position embeddings of kind {position!r} are not there")


@dataclass
class GPT2Config(PretrainedConfig):
    """Sizes and options of a GPT-2 model; defaults are those of the smallest one."""

    model_type: ClassVar[str] = "gpt2"
    own_names: ClassVar[tuple[str, ...]] = ("config.json", "hparams.json")
    # as hparams.json and other configurations call them
    older: ClassVar[Mapping[str, str]] = {
        "n_vocab": "vocab_size", "hidden_size": "n_embd", "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer", "max_position_embeddings": "n_positions",
    }  # fmt: skip

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    bos_token_id: int | None = 50256
    eos_token_id: int | list[int] | None = 50256
    pad_token_id: int | None = None

    def check(self) -> None:
        super().check()
        self._check_sizes(self.n_embd, self.n_head, self.activation_function)

    @property
    def inner_size(self) -> int:
        """Units between the two products of a block's perceptron."""
        return self.n_inner or 4 * self.n_embd
