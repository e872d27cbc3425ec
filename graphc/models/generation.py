"""Text generation: one token after the other, with the cache of keys and values.

Lives here: the loop, and how a token is chosen from logits. Not here: the model (gpt2.py). Imports
NumPy only. Every step runs the same plan: the extents of batch, past and length are symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

__all__ = ["Choice", "adjusted", "generate_tokens"]

Array = np.ndarray[Any, Any]
# (new ids, mask of all keys, positions of the new ids, past) -> (logits of the last one, past)
Step = Callable[[Array, Array, Array, Any], tuple[Array, Any]]


@dataclass(frozen=True)
class Choice:
    """How tokens are chosen, and when it ends.

    Args:
        max_new_tokens: default: until max_length (20) tokens with the prompt's.
        do_sample: draw from the probabilities instead of taking the most probable token.
        temperature: divides the logits. top_k: draw among the k best only (0: all). top_p: draw
            among the fewest whose probabilities reach top_p. These three only with do_sample.
        repetition_penalty: above 1 makes tokens that were there less likely.
        no_repeat_ngram_size: no such number of tokens twice in the same order.
        min_new_tokens: no end before that many; min_length: with the prompt's.
        num_beams: above 1 searches for the most probable text, so many at a time (without
            do_sample). length_penalty: the exponent of a text's length, by which its score is
            divided. early_stopping: True ends when num_beams texts have; False when no better
            one is likely; "never" when none is possible.
        num_return_sequences: continuations of each prompt, with do_sample or num_beams.
        eos_token_id: one id or several that end a text. pad_token_id: fills what has ended.
        seed: of the draws.

    Raises:
        ValueError: values that cannot be.
    """

    max_new_tokens: int | None = None
    max_length: int = 20
    min_new_tokens: int = 0
    min_length: int = 0
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    num_return_sequences: int = 1
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError("temperature must be above 0; do_sample=False takes the best token")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if self.top_k < 0 or self.repetition_penalty <= 0 or self.num_return_sequences < 1:
            raise ValueError("top_k, repetition_penalty and num_return_sequences are too small")
        if self.num_beams < 1 or self.no_repeat_ngram_size < 0:
            raise ValueError("num_beams and no_repeat_ngram_size are too small")
        if self.num_beams > 1 and self.do_sample:
            raise ValueError("beam search draws nothing: num_beams needs do_sample=False")
        if self.early_stopping not in (True, False, "never"):
            raise ValueError(
                f"early_stopping is True, False or 'never', got {self.early_stopping!r}"
            )
        if not self.do_sample and self.num_return_sequences > self.num_beams:
            raise ValueError(
                "several sequences of one prompt need do_sample=True, or as many num_beams"
            )

    @classmethod
    def of(cls, *sources: Mapping[str, Any]) -> Choice:
        """From tables of which later ones win; names without a meaning here are left out."""
        known = {f.name for f in fields(cls)}
        given = {k: v for s in sources for k, v in s.items() if k in known}
        return cls(**given)

    @property
    def ends(self) -> list[int]:
        if self.eos_token_id is None:
            return []
        given = self.eos_token_id
        return [given] if isinstance(given, int) else [int(k) for k in given]

    @property
    def fill(self) -> int:
        """What stands behind a text that has ended."""
        if self.pad_token_id is not None:
            return self.pad_token_id
        return self.ends[0] if self.ends else 0

    def new_tokens(self, prompt: int) -> int:
        count = self.max_length - prompt if self.max_new_tokens is None else self.max_new_tokens
        if count < 1:
            raise ValueError(
                f"nothing to generate: the prompt has {prompt} tokens, max_length is "
                f"{self.max_length} and max_new_tokens {self.max_new_tokens}"
            )
        return count


def generate_tokens(step: Step, ids: Array, mask: Array, choice: Choice, streamer: Any) -> Array:
    """The prompts [batch, length] with what follows them.

    Args:
        mask: 0 for padding, which stands on the left. streamer: called with each step's tokens.

    Raises:
        ValueError: nothing to generate.
    """
    count = choice.new_tokens(ids.shape[1])
    if choice.num_return_sequences > 1:
        ids, mask = (np.repeat(a, choice.num_return_sequences, axis=0) for a in (ids, mask))
    prompt = ids.shape[1]
    rng = np.random.default_rng(choice.seed)
    going = np.ones(len(ids), bool)
    new, past = ids, None
    places = np.maximum(np.cumsum(mask, axis=1) - 1, 0).astype(np.int32)
    for _ in range(count):
        logits, past = step(new, mask, places, past)
        scores = adjusted(logits, ids, choice, prompt)
        chosen = _drawn(scores, choice, rng) if choice.do_sample else scores.argmax(-1)
        chosen = np.where(going, chosen, choice.fill).astype(ids.dtype)
        new = chosen[:, None]
        ids = np.concatenate([ids, new], axis=1)
        mask = np.concatenate([mask, np.ones_like(mask[:, :1])], axis=1)
        places = places[:, -1:] + 1
        if streamer is not None:
            streamer(chosen)
        going &= ~np.isin(chosen, choice.ends)
        if not going.any():
            break
    return ids


def adjusted(logits: Array, ids: Array, choice: Choice, prompt: int) -> Array:
    """Logits [batch, vocabulary] with the penalty for what was there, without what may not be.

    Args:
        ids: the texts so far [batch, length]. prompt: the length of the prompts.
    """
    scores = np.array(logits, np.float32)
    if choice.repetition_penalty != 1.0:
        penalty = np.float32(choice.repetition_penalty)
        old = np.take_along_axis(scores, ids, axis=1)
        np.put_along_axis(scores, ids, np.where(old < 0, old * penalty, old / penalty), axis=1)
    for row, banned in zip(scores, _repeated(ids, choice.no_repeat_ngram_size)):
        row[banned] = -np.inf
    length = ids.shape[1]
    if length < choice.min_length or length - prompt < choice.min_new_tokens:
        scores[:, choice.ends] = -np.inf
    return scores


def _repeated(ids: Array, size: int) -> list[list[int]]:
    """For each text the tokens that would repeat `size` tokens of it."""
    if not size or ids.shape[1] + 1 < size:
        return []
    out = []
    for text in ids.tolist():
        last = text[len(text) - size + 1 :]
        starts = range(len(text) - size + 1)
        out.append([text[k + size - 1] for k in starts if text[k : k + size - 1] == last])
    return out


def _drawn(scores: Array, choice: Choice, rng: np.random.Generator) -> Array:
    """A token for each row, drawn with the probabilities that temperature and limits leave."""
    probabilities = _probabilities(scores, choice)
    totals = probabilities.cumsum(axis=-1)
    drawn = rng.random((len(scores), 1)) * totals[:, -1:]
    return np.minimum((totals <= drawn).sum(axis=-1), scores.shape[-1] - 1)


def _probabilities(scores: Array, choice: Choice) -> Array:
    x = scores.astype(np.float64) / choice.temperature
    if 0 < choice.top_k < x.shape[-1]:
        least = np.partition(x, -choice.top_k, axis=-1)[:, -choice.top_k, None]
        x = np.where(x < least, -np.inf, x)
    out = np.exp(x - x.max(axis=-1, keepdims=True))
    out /= out.sum(axis=-1, keepdims=True)
    if choice.top_p < 1:
        order = np.argsort(-out, axis=-1, kind="stable")
        ranked = np.take_along_axis(out, order, axis=-1)
        # a token stays while those before it have not reached top_p: the first always does
        ranked[ranked.cumsum(axis=-1) - ranked >= choice.top_p] = 0.0
        np.put_along_axis(out, order, ranked, axis=-1)
    return out
