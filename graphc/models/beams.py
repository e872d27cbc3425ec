"""Beam search: the most probable continuations, several at a time.

Lives here: the search. Not here: single tokens and what makes them less likely (generation.py).
Imports NumPy and generation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.models.generation import Choice, Step, adjusted

__all__ = ["beam_tokens"]

Array = np.ndarray[Any, Any]
NEVER = -1e9  # the score of beams that are not there yet


class _Found:
    """The best ended texts of one prompt: (score, ids), at most `size` of them."""

    def __init__(self, choice: Choice, prompt: int) -> None:
        self.choice, self.prompt = choice, prompt
        self.texts: list[tuple[float, Array]] = []
        self.done = False

    def add(self, ids: Array, score: float, length: int) -> None:
        """Scores are sums of logarithms, over the number of tokens after the prompt."""
        self.texts.append((score / length**self.choice.length_penalty, ids))
        self.texts.sort(key=lambda t: -t[0])
        del self.texts[self.choice.num_beams :]

    def check(self, best: float, length: int, longest: int) -> None:
        """Whether nothing that is still going on can be better than the worst that is kept."""
        if len(self.texts) < self.choice.num_beams:
            return
        if self.choice.early_stopping is True:
            self.done = True
            return
        if self.choice.early_stopping == "never" and self.choice.length_penalty > 0:
            length = longest
        self.done = self.texts[-1][0] >= best / length**self.choice.length_penalty


def beam_tokens(step: Step, ids: Array, mask: Array, choice: Choice) -> Array:
    """The prompts [batch, length] with their best continuations.

    Returns:
        [batch * num_return_sequences, length]; each prompt's best ones first.
    """
    batch, prompt = ids.shape
    beams, count, ends = choice.num_beams, choice.new_tokens(prompt), choice.ends
    ids, mask = (np.repeat(a, beams, axis=0) for a in (ids, mask))
    places = np.maximum(np.cumsum(mask, axis=1) - 1, 0).astype(np.int32)
    scores = np.tile(np.array([0.0] + [NEVER] * (beams - 1), np.float32), (batch, 1))
    found = [_Found(choice, prompt) for _ in range(batch)]
    new, past = ids, None
    for k in range(1, count + 1):
        logits, past = step(new, mask, places, past)
        totals = adjusted(_log_softmax(logits), ids, choice, prompt) + scores.reshape(-1, 1)
        rows, tokens, scores = _next(totals.reshape(batch, beams, -1), ids, found, ends, k)
        ids = np.concatenate([ids[rows], tokens[:, None]], axis=1)
        past = _rows_of(past, rows)
        new = tokens[:, None]
        mask = np.concatenate([mask[rows], np.ones_like(mask[:, :1])], axis=1)
        places = places[rows][:, -1:] + 1
        for one, row in zip(found, scores):
            if not one.done:
                one.check(float(row.max()), k, count)
        if all(one.done for one in found):
            break
    for b, one in enumerate(found):
        for n in range(0 if one.done else beams):
            one.add(ids[b * beams + n], float(scores[b, n]), ids.shape[1] - prompt)
    kept = [t for one in found for _, t in one.texts[: choice.num_return_sequences]]
    return _filled(kept, choice.fill)


def _next(
    totals: Array, ids: Array, found: list[_Found], ends: list[int], k: int
) -> tuple[Array, Array, Array]:
    """(rows, tokens, scores) that go on, from the scores [batch, beams, vocabulary].

    Those of the best that end go to `found`; so many are looked at that enough of them go on.
    """
    batch, beams, vocabulary = totals.shape
    wanted = min(max(2, 1 + len(ends)) * beams, beams * vocabulary)
    rows: list[int] = []
    tokens: list[int] = []
    scores: list[Any] = []
    for b, one in enumerate(found):
        flat = totals[b].reshape(-1)
        order = np.argpartition(-flat, wanted - 1)[:wanted]
        order = order[np.lexsort((order, -flat[order]))]
        going = []
        for rank, place in enumerate(order):
            row, token = b * beams + int(place) // vocabulary, int(place) % vocabulary
            if token not in ends:
                going.append((row, token, flat[place]))
            elif rank < beams and not one.done:
                one.add(np.append(ids[row], token), float(flat[place]), k)
            if len(going) == beams:
                break
        going += [(b * beams, 0, np.float32(NEVER))] * (beams - len(going))
        for values, part in zip((rows, tokens, scores), zip(*going)):
            values.extend(part)
    return np.array(rows), np.array(tokens, ids.dtype), np.array(scores).reshape(batch, beams)


def _rows_of(past: Any, rows: Array) -> Any:
    """The cache of these rows."""
    if isinstance(past, np.ndarray):
        return past[rows]
    return tuple(_rows_of(part, rows) for part in past)


def _log_softmax(logits: Array) -> Array:
    x = logits - logits.max(axis=-1, keepdims=True)
    out: Array = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return out


def _filled(texts: list[Array], fill: int) -> Array:
    out = np.full((len(texts), max(map(len, texts))), fill, np.int64)
    for row, text in zip(out, texts):
        row[: len(text)] = text
    return out
