"""GPT2Model and GPT2LMHeadModel, with generation.

Lives here: their calls with arrays, build for graphs, generate. Not here: what is computed
(gpt2.py), the choice of tokens (generation.py). Imports base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.models.base import PreTrainedModel, ids_of, like_ids
from graphc.models.beams import beam_tokens
from graphc.models.config import GPT2Config, read_json, write_json
from graphc.models.generation import Choice, generate_tokens
from graphc.models.gpt2 import Decoded, decoded, next_logits
from graphc.models.layers import Weights, positions_like, token_loss
from graphc.models.outputs import BaseOutput, LanguageOutput
from graphc.models.parameters import Parameter, gpt2_parameters
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_array import ones, shape
from graphc.tf1.framework import placeholder

__all__ = ["GPT2LMHeadModel", "GPT2Model"]

Array = np.ndarray[Any, Any]
GENERATION = "generation_config.json"


class _GPT2(PreTrainedModel):
    """What GPT-2's models share: inputs, the cache, and the choice of results."""

    config_class = GPT2Config
    config: GPT2Config

    def _outputs(self, w: Weights, found: Decoded, labels: Any) -> Any:
        raise NotImplementedError

    def build(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        position_ids: Any = None,
        past_key_values: Any = None,
        labels: Any = None,
        training: Any = False,
    ) -> Any:
        """The model in the graph in force; variables are made at the first call, then shared.

        Args:
            input_ids: integers [batch, length]. attention_mask: [batch, past and length], 1 where
                a token is. past_key_values: an earlier output's. labels: the ids themselves; each
                position predicts the next one; -100 leaves one out. training: dropout; a bool or
                a scalar bool tensor.

        Returns:
            The outputs as tensors. Variables start with the model's weights when
            tf.global_variables_initializer() runs.
        """
        ids = convert_to_tensor(input_ids)
        with self._scope(training) as w:
            before: Any = 0 if past_key_values is None else shape(past_key_values[0][0])[2]
            if attention_mask is None:
                sizes = shape(ids)
                mask = ones([sizes[0], sizes[1] + before], np.int32)
            else:
                mask = convert_to_tensor(attention_mask)
            places = positions_like(ids, before) if position_ids is None else position_ids
            found = decoded(
                self.config, w, ids, mask, convert_to_tensor(places), past_key_values
            )
            return self._outputs(w, found, labels)

    def __call__(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        position_ids: Any = None,
        past_key_values: Any = None,
        labels: Any = None,
        use_cache: bool = False,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> Any:
        """The outputs as NumPy arrays; arguments as in build, as arrays or lists.

        Args:
            use_cache: also past_key_values, which a later call takes with further ids.

        Raises:
            ValueError: ids outside the vocabulary, or shapes that do not fit.
        """
        feeds = self._feeds(input_ids, attention_mask, position_ids, past_key_values)
        with_labels = labels is not None
        label, outputs = self._memo(("call", with_labels), lambda w: self._made(w, with_labels))
        if with_labels:
            feeds[label] = like_ids(labels, feeds[self._inputs[0]], 0, "labels")
        skipped = {
            "hidden_states": output_hidden_states, "attentions": output_attentions,
            "past_key_values": use_cache,
        }  # fmt: skip
        fetches = {k: v for k, v in outputs.items() if skipped.get(k, True)}
        return type(outputs)(**self._run(fetches, feeds))

    @property
    def _inputs(self) -> tuple[Tensor, Tensor, Tensor, tuple[tuple[Tensor, Tensor], ...]]:
        return self._memo("decoded", self._decoded)[0]  # type: ignore[no-any-return]

    def _decoded(self, w: Weights) -> tuple[Any, Decoded]:
        """The placeholders and the blocks behind them; the past may have length 0."""
        config = self.config
        ids, mask, places = (
            placeholder(np.int32, [None, None], name=name)
            for name in ("input_ids", "attention_mask", "position_ids")
        )
        cache = [None, config.n_head, None, config.n_embd // config.n_head]
        past = tuple(
            (
                placeholder(np.float32, cache, name=f"past_keys_{k}"),
                placeholder(np.float32, cache, name=f"past_values_{k}"),
            )
            for k in range(config.n_layer)
        )
        return (ids, mask, places, past), decoded(config, w, ids, mask, places, past)

    def _made(self, w: Weights, with_labels: bool) -> tuple[Any, Any]:
        found = self._memo("decoded", self._decoded)[1]
        label = placeholder(np.int32, [None, None], name="labels") if with_labels else None
        return label, self._outputs(w, found, label)

    def _feeds(
        self, input_ids: Any, attention_mask: Any, position_ids: Any, past: Any
    ) -> dict[Any, Any]:
        config = self.config
        before = 0 if past is None else np.shape(past[0][0])[2]
        ids = ids_of(input_ids, config.vocab_size, config.n_positions - before)
        keys = np.zeros((ids.shape[0], before + ids.shape[1]), np.int32)
        mask = like_ids(attention_mask, keys, 1, "attention_mask")
        if position_ids is None:
            places = np.arange(before, before + ids.shape[1], dtype=np.int32)
            position_ids = np.broadcast_to(places, ids.shape)
        positions = like_ids(position_ids, ids, 0, "position_ids", config.n_positions)
        if past is None:
            shape = (ids.shape[0], config.n_head, 0, config.n_embd // config.n_head)
            past = [(np.zeros(shape, np.float32),) * 2] * config.n_layer
        inputs = self._inputs
        feeds: dict[Any, Any] = dict(zip(inputs[:3], (ids, mask, positions)))
        for tensors, values in zip(inputs[3], past, strict=True):
            feeds.update(zip(tensors, values))
        return feeds


class GPT2Model(_GPT2):
    """The blocks: last_hidden_state, past_key_values with use_cache=True."""

    def _parameters(self) -> list[Parameter]:
        return gpt2_parameters(self.config)

    def _outputs(self, w: Weights, found: Decoded, labels: Any) -> BaseOutput:
        if labels is not None:
            raise ValueError("GPT2Model has no loss: labels belong to GPT2LMHeadModel")
        return BaseOutput(
            last_hidden_state=found.hidden[-1], past_key_values=found.present,
            hidden_states=found.hidden, attentions=found.weights,
        )  # fmt: skip


class GPT2LMHeadModel(_GPT2):
    """The next token for every position: logits, loss of labels, generate."""

    def __init__(self, config: Any, seed: int | None = None) -> None:
        super().__init__(config, seed)
        self.generation_config: dict[str, Any] = {}

    def _parameters(self) -> list[Parameter]:
        return gpt2_parameters(self.config, language=True)

    def _opened(self, source: Path) -> None:
        path = source / GENERATION
        self.generation_config = read_json(path) if path.is_file() else {}

    def save_pretrained(self, folder: Any, max_shard_size: int | str = "5GB") -> None:
        super().save_pretrained(folder, max_shard_size)
        if self.generation_config:
            write_json(Path(folder) / GENERATION, self.generation_config)

    def _outputs(self, w: Weights, found: Decoded, labels: Any) -> LanguageOutput:
        logits = next_logits(self.config, w, found.hidden[-1])
        loss = None
        if labels is not None:
            loss = token_loss(convert_to_tensor(labels)[:, 1:], logits[:, :-1])
        return LanguageOutput(
            loss=loss, logits=logits, past_key_values=found.present,
            hidden_states=found.hidden, attentions=found.weights,
        )  # fmt: skip

    def generate(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        use_cache: bool = True,
        streamer: Callable[[Array], Any] | None = None,
        **options: Any,
    ) -> Array:
        """The prompts with what the model continues them with, int64 [batch, length].

        Args:
            input_ids: [batch, length], padded on the left. attention_mask: 0 for padding.
            use_cache: False computes all positions at every step. streamer: called with each
                step's tokens [batch]. options: see Choice: max_new_tokens, do_sample,
                temperature, top_k, top_p, seed and others; defaults from generation_config.json.

        Raises:
            TypeError: an unknown option. ValueError: options that cannot be, or more tokens than
                the model has positions.
        """
        unknown = set(options) - set(Choice.__dataclass_fields__)
        if unknown:
            raise TypeError(f"generate has no option {', '.join(sorted(unknown))}")
        own = {"eos_token_id": self.config.eos_token_id, "pad_token_id": self.config.pad_token_id}
        choice = Choice.of(own, _without_none(self.generation_config), options)
        ids = ids_of(input_ids, self.config.vocab_size, self.config.n_positions)
        mask = like_ids(attention_mask, ids, 1, "attention_mask")
        longest = ids.shape[1] + choice.new_tokens(ids.shape[1])
        if longest > self.config.n_positions:
            raise ValueError(
                f"{longest} tokens in all, the model has {self.config.n_positions} positions"
            )
        if not ids.shape[1]:
            raise ValueError("the prompt is empty: start with bos_token_id")
        if not mask[:, -1].all():
            raise ValueError(
                "prompts are padded on the left for generation: set tokenizer.padding_side = 'left'"
            )
        step = self._cached_step if use_cache else self._whole_steps()
        if choice.num_beams > 1:
            if streamer is not None:
                raise ValueError("a streamer sees single tokens: it needs num_beams=1")
            return beam_tokens(step, ids.astype(np.int64), mask, choice)
        return generate_tokens(step, ids.astype(np.int64), mask, choice, streamer)

    def _last(self, w: Weights) -> tuple[Tensor, Any]:
        """The logits of the last position [batch, vocabulary], and the cache."""
        found = self._memo("decoded", self._decoded)[1]
        logits = next_logits(self.config, w, found.hidden[-1][:, -1:])
        return logits[:, 0], found.present

    def _cached_step(
        self, new: Array, mask: Array, places: Array, past: Sequence[Any] | None
    ) -> tuple[Array, Any]:
        feeds = self._feeds(new, mask, places, past)
        found: tuple[Array, Any] = self._run(self._memo("last", self._last), feeds)
        return found

    def _whole_steps(self) -> Callable[..., tuple[Array, Any]]:
        """A step without a cache; its past is the ids themselves."""

        def step(new: Array, mask: Array, places: Array, past: Any) -> tuple[Array, Any]:
            ids = new if past is None else np.concatenate([past, new], axis=1)
            whole = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
            return self._cached_step(ids, mask, whole, None)[0], ids

        return step


def _without_none(table: Any) -> dict[str, Any]:
    return {k: v for k, v in dict(table).items() if v is not None}
