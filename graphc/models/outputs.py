"""What a model returns: fields by name, also a tuple of those that are there.

Lives here: ModelOutput and its kinds. Not here: how values come about. Imports nothing of graphc.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["BaseOutput", "ClassifierOutput", "LanguageOutput", "ModelOutput"]


@dataclass
class ModelOutput:
    """Fields that are None are left out of the tuple: `hidden, pooled = model(...)`."""

    def items(self) -> list[tuple[str, Any]]:
        """(name, value) of the fields that are there."""
        pairs = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return [(name, value) for name, value in pairs if value is not None]

    def keys(self) -> list[str]:
        return [name for name, _ in self.items()]

    def to_tuple(self) -> tuple[Any, ...]:
        return tuple(value for _, value in self.items())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())

    def __len__(self) -> int:
        return len(self.items())

    def __getitem__(self, key: Any) -> Any:
        """A field by its name, or by its place among those that are there."""
        if isinstance(key, str):
            return dict(self.items())[key]
        return self.to_tuple()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.keys()


@dataclass
class BaseOutput(ModelOutput):
    """last_hidden_state [batch, length, units], pooler_output [batch, units] (BERT).

    past_key_values (GPT-2): for each layer keys and values [batch, heads, length, units].
    hidden_states: the embeddings and each layer's result. attentions: each layer's weights
    [batch, heads, length, length].
    """

    last_hidden_state: Any = None
    pooler_output: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None


@dataclass
class LanguageOutput(ModelOutput):
    """loss (with labels), logits [batch, length, vocabulary]; others as in BaseOutput."""

    loss: Any = None
    logits: Any = None
    past_key_values: Any = None
    hidden_states: Any = None
    attentions: Any = None


@dataclass
class ClassifierOutput(ModelOutput):
    """loss (with labels), logits [batch, labels]; others as in BaseOutput."""

    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None
