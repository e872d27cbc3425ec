"""GPT2Tokenizer: pairs of bytes are merged into longer and longer tokens.

Lives here: the cut into words, merges, bytes as letters (Sennrich et al., 2016; Radford et al.,
2019). Not here: batches and padding (tokenizer_base.py).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc.errors import DataLossError
from graphc.interop.checkpoint import atomic_file
from graphc.models.config import read_json, write_json
from graphc.models.tokenizer_base import PreTrainedTokenizer, added_tokens, read_lines

__all__ = ["GPT2Tokenizer"]

END = "<|endoftext|>"
SUFFIXES = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
CACHED = 1 << 16


def _letters() -> dict[int, str]:
    """A printable letter for each byte: itself where it is one, else one from 256 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    out = {b: chr(b) for b in plain}
    others = (b for b in range(256) if b not in out)
    out.update({b: chr(256 + k) for k, b in enumerate(others)})
    return out


LETTERS = _letters()
BYTES = {letter: byte for byte, letter in LETTERS.items()}


class GPT2Tokenizer(PreTrainedTokenizer):
    """Texts as GPT-2 reads them; `from_pretrained` takes vocab.json and merges.txt.

    Args:
        vocab: ids by tokens. merges: pairs of tokens, those that merge first in front.
        add_prefix_space: a blank before the text, so that its first word is like any other.
        errors: how bytes that are no UTF-8 are decoded.
    """

    own_names = ("vocab.json with merges.txt",)

    def __init__(
        self,
        vocab: Mapping[str, int],
        merges: Sequence[Sequence[str]],
        add_prefix_space: bool = False,
        errors: str = "replace",
        unk_token: str | None = END,
        bos_token: str | None = END,
        eos_token: str | None = END,
        pad_token: str | None = None,
        model_max_length: Any = None,
    ) -> None:
        specials = {
            "unk_token": unk_token, "bos_token": bos_token, "eos_token": eos_token,
            "pad_token": pad_token,
        }  # fmt: skip
        super().__init__(vocab, specials, model_max_length)
        self.add_prefix_space = add_prefix_space
        self.errors = errors
        self._ranks = {(a, b): k for k, (a, b) in enumerate(merges)}
        self._known: dict[str, tuple[str, ...]] = {}

    def _cut(self, text: str) -> Iterator[str]:
        if self.add_prefix_space and text and text[0] != " ":
            text = " " + text
        for word in split_words(text):
            yield from self._merged("".join(LETTERS[b] for b in word.encode("utf-8", "replace")))

    def _merged(self, word: str) -> tuple[str, ...]:
        found = self._known.get(word)
        if found is None:
            found = self._merge(list(word))
            if len(self._known) < CACHED:
                self._known[word] = found
        return found

    def _merge(self, parts: list[str]) -> tuple[str, ...]:
        """Merges the pair that comes first in the table, until none is in it."""
        none = len(self._ranks)
        while len(parts) > 1:
            pairs = list(zip(parts, parts[1:]))
            best = min(pairs, key=lambda p: self._ranks.get(p, none))
            if best not in self._ranks:
                break
            out: list[str] = []
            at = 0
            while at < len(parts):
                if at + 1 < len(parts) and (parts[at], parts[at + 1]) == best:
                    out.append(parts[at] + parts[at + 1])
                    at += 2
                else:
                    out.append(parts[at])
                    at += 1
            parts = out
        return tuple(parts)

    def _framed(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        ids = first + (second or [])
        return ids, [0] * len(ids)

    def _join(self, tokens: Sequence[str]) -> str:
        raw = bytearray()
        for token in tokens:
            if all(c in BYTES for c in token):
                raw.extend(BYTES[c] for c in token)
            else:
                raw.extend(token.encode("utf-8"))
        return raw.decode("utf-8", self.errors)

    # ------------------------------------------------------------ files
    @classmethod
    def _vocabulary(cls, folder: Path) -> dict[str, Any] | None:
        # as OpenAI called the same two files
        for vocab, merges in (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")):
            if (folder / vocab).is_file() and (folder / merges).is_file():
                return {"vocab": read_json(folder / vocab), "merges": read_merges(folder / merges)}
        path = folder / "tokenizer.json"
        if not path.is_file():
            return None
        table, vocabulary = added_tokens(path)
        pairs = table["model"].get("merges")
        if pairs is None:
            raise DataLossError(f"{path} holds no merges of pairs")
        split = [p.split(" ") if isinstance(p, str) else p for p in pairs]
        return {"vocab": vocabulary, "merges": _checked(split, path)}

    @classmethod
    def _options(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        names = (
            "add_prefix_space", "errors", "unk_token", "bos_token", "eos_token", "pad_token",
            "model_max_length",
        )  # fmt: skip
        return {k: given[k] for k in names if k in given}

    def save_pretrained(self, folder: Any) -> None:
        """Writes vocab.json, merges.txt and tokenizer_config.json."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "vocab.json", self.vocab)
        ranked = sorted(self._ranks, key=self._ranks.__getitem__)
        with atomic_file(path / "merges.txt") as file:
            file.write(("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in ranked)).encode())
        own = {"add_prefix_space": self.add_prefix_space, "errors": self.errors}
        self._save_config(path, own)


def read_merges(path: Path) -> list[list[str]]:
    """The pairs of a merges.txt.

    Raises:
        DataLossError: a line that is no pair, or no UTF-8.
    """
    lines = [x.rstrip("\r") for x in read_lines(path)]
    pairs = [x.split(" ") for x in lines if x.strip() and not x.startswith("#version")]
    return _checked(pairs, path)


def _checked(pairs: list[list[str]], path: Path) -> list[list[str]]:
    for k, pair in enumerate(pairs):
        if len(pair) != 2:
            raise DataLossError(f"{path}: merge {k} is {pair!r}, no pair of tokens")
    return pairs


# ------------------------------------------------------------------ words
def split_words(text: str) -> Iterator[str]:
    """Letters, digits, other signs and white space as words; a blank belongs to what follows it."""
    kinds = [_kind(c) for c in text]
    at = 0
    while at < len(text):
        end = _suffix(text, at) or _word_end(text, kinds, at)
        yield text[at:end]
        at = end


def _suffix(text: str, at: int) -> int:
    if text[at] != "'":
        return 0
    return next((at + len(s) for s in SUFFIXES if text.startswith(s, at)), 0)


def _word_end(text: str, kinds: list[str], at: int) -> int:
    start = at
    if text[at] == " " and at + 1 < len(text) and kinds[at + 1] != "space":
        start = at + 1
    end = start + 1
    while end < len(text) and kinds[end] == kinds[start]:
        end += 1
    # of several blanks the last one belongs to the next word
    if kinds[start] == "space" and end < len(text) and end - at > 1:
        return end - 1
    return end


def _kind(c: str) -> str:
    if c.isspace() and c not in "\x1c\x1d\x1e\x1f":
        return "space"
    category = unicodedata.category(c)[0]
    return {"L": "letter", "N": "digit"}.get(category, "sign")
