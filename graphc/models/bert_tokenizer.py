"""BertTokenizer: basic tokenisation, then WordPiece.

Lives here: cleaning, words, pieces (Devlin et al., 2018). Not here: batches and padding
(tokenizer_base.py).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphc.errors import DataLossError
from graphc.interop.checkpoint import atomic_file
from graphc.models.tokenizer_base import PreTrainedTokenizer, added_tokens, read_lines

__all__ = ["BertTokenizer"]

LONGEST_WORD = 100  # longer words are unknown
CONTROL = frozenset({"Cc", "Cf", "Cs", "Co"})
# the blocks of Chinese characters: each is a word of its own
CHINESE = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class BertTokenizer(PreTrainedTokenizer):
    """Texts as BERT reads them; `from_pretrained` takes vocab.txt or tokenizer.json.

    Args:
        vocab: ids by tokens, or the path of a vocab.txt. do_lower_case: lower case, and no accents
            unless strip_accents says otherwise. tokenize_chinese_chars: each is a word.

    Raises:
        ValueError: a special token is not in the vocabulary.
    """

    pairs = True
    own_names = ("vocab.txt",)

    def __init__(
        self,
        vocab: Any,
        do_lower_case: bool = True,
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        unk_token: str = "[UNK]",
        sep_token: str = "[SEP]",
        pad_token: str = "[PAD]",
        cls_token: str = "[CLS]",
        mask_token: str = "[MASK]",
        model_max_length: Any = None,
    ) -> None:
        if not isinstance(vocab, Mapping):
            vocab = read_vocabulary(Path(vocab))
        specials = {
            "unk_token": unk_token, "sep_token": sep_token, "pad_token": pad_token,
            "cls_token": cls_token, "mask_token": mask_token,
        }  # fmt: skip
        super().__init__(vocab, specials, model_max_length)
        self.do_lower_case = do_lower_case
        self.tokenize_chinese_chars = tokenize_chinese_chars
        self.strip_accents = strip_accents
        lost = [t for t in (unk_token, sep_token, pad_token, cls_token) if t not in self.vocab]
        if lost:
            raise ValueError(f"the vocabulary has no {', '.join(lost)}")

    def _cut(self, text: str) -> Iterator[str]:
        for word in words(self._normal(text)):
            yield from self._pieces(word)

    def _normal(self, text: str) -> str:
        text = "".join(_clean(text))
        if self.tokenize_chinese_chars:
            text = "".join(f" {c} " if _chinese(c) else c for c in text)
        strip = self.do_lower_case if self.strip_accents is None else self.strip_accents
        if strip:
            decomposed = unicodedata.normalize("NFD", text)
            text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
        # character by character: no final sigma
        return "".join(c.lower() for c in text) if self.do_lower_case else text

    def _pieces(self, word: str) -> list[str]:
        """The longest pieces from the left; a word that has none is unknown as a whole."""
        unknown = [self.unk_token]
        if len(word) > LONGEST_WORD:
            return unknown
        out: list[str] = []
        at = 0
        while at < len(word):
            front = "##" if at else ""
            for end in range(len(word), at, -1):
                if front + word[at:end] in self.vocab:
                    break
            else:
                return unknown
            out.append(front + word[at:end])
            at = end
        return out

    def _framed(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        ids = [self.cls_token_id, *first, self.sep_token_id]
        types = [0] * len(ids)
        if second is not None:
            ids += [*second, self.sep_token_id]
            types += [1] * (len(second) + 1)
        return ids, types

    def _join(self, tokens: Sequence[str]) -> str:
        out = ""
        for k, token in enumerate(tokens):
            if token.startswith("##") and k:
                out += token[2:]
            else:
                out += token if not k or token in (".", "?", "!", ",") else f" {token}"
        return out

    # ------------------------------------------------------------ files
    @classmethod
    def _vocabulary(cls, folder: Path) -> dict[str, Any] | None:
        if (folder / "tokenizer.json").is_file():
            table, vocab = added_tokens(folder / "tokenizer.json")
            if table["model"].get("type", "WordPiece") != "WordPiece":
                raise DataLossError(f"{folder}/tokenizer.json holds no WordPiece vocabulary")
            rules = table.get("normalizer") or {}
            out = {"vocab": vocab}
            names = {
                "lowercase": "do_lower_case", "handle_chinese_chars": "tokenize_chinese_chars",
                "strip_accents": "strip_accents",
            }  # fmt: skip
            out.update({new: rules[old] for old, new in names.items() if old in rules})
            return out
        if (folder / "vocab.txt").is_file():
            return {"vocab": read_vocabulary(folder / "vocab.txt")}
        return None

    @classmethod
    def _options(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        names = (
            "do_lower_case", "tokenize_chinese_chars", "strip_accents", "unk_token", "sep_token",
            "pad_token", "cls_token", "mask_token", "model_max_length",
        )  # fmt: skip
        return {k: given[k] for k in names if k in given}

    def save_pretrained(self, folder: Any) -> None:
        """Writes vocab.txt and tokenizer_config.json."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        ranked = sorted(self.vocab, key=self.vocab.__getitem__)
        if [self.vocab[t] for t in ranked] != list(range(len(ranked))):
            raise ValueError("a vocab.txt holds ids without holes: this vocabulary has some")
        with atomic_file(path / "vocab.txt") as file:
            file.write("".join(f"{t}\n" for t in ranked).encode())
        own = {
            "do_lower_case": self.do_lower_case, "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
        }  # fmt: skip
        self._save_config(path, own)


def read_vocabulary(path: Path) -> dict[str, int]:
    """The numbers of the lines by their tokens.

    Raises:
        DataLossError: no UTF-8.
    """
    lines = read_lines(path)
    if lines and not lines[-1]:
        lines.pop()
    return {line.rstrip("\r"): k for k, line in enumerate(lines)}


def _clean(text: str) -> Iterator[str]:
    """Without control characters; every kind of white space as a blank."""
    for c in text:
        if c in "\t\n\r":
            yield " "
        elif c in "\0\ufffd" or unicodedata.category(c) in CONTROL:
            continue
        else:
            yield " " if c.isspace() else c


def _chinese(c: str) -> bool:
    code = ord(c)
    return code >= 0x3400 and any(low <= code <= high for low, high in CHINESE)


def words(text: str) -> Iterable[str]:
    """The words of a text; each punctuation mark is one."""
    word = ""
    for c in text:
        mark = _punctuation(c)
        if not mark and not c.isspace():
            word += c
            continue
        if word:
            yield word
            word = ""
        if mark:
            yield c
    if word:
        yield word


def _punctuation(c: str) -> bool:
    """Marks of Unicode, and everything of ASCII that is no letter, digit or blank."""
    if c.isascii():
        return c.isprintable() and not c.isalnum() and c != " "
    return unicodedata.category(c).startswith("P")
