"""What tokenizers share: batches of texts as arrays of ids, padding, truncation, files.

Lives here: PreTrainedTokenizer, BatchEncoding. Not here: how a text is cut (bert_tokenizer.py,
gpt2_tokenizer.py). Imports NumPy and the files of configurations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from graphc.errors import DataLossError, NotFoundError
from graphc.models.config import local_folder, read_json, write_json

__all__ = ["BatchEncoding", "PreTrainedTokenizer"]

ROLES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")
TRUNCATIONS = ("longest_first", "only_first", "only_second")
NO_LIMIT = 10**30


class BatchEncoding(dict[str, Any]):
    """Arrays or lists by their names, also as attributes: `model(**tokenizer(texts, ...))`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the tokenizer has given no {name}") from None


class PreTrainedTokenizer:
    """Texts to ids and back.

    Args:
        vocab: ids by tokens. specials: tokens by their roles (unk_token, pad_token, ...).
        model_max_length: where truncation cuts by default.
    """

    pairs: ClassVar[bool] = False  # whether token_type_ids are given
    own_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, vocab: Mapping[str, int], specials: Mapping[str, str | None], model_max_length: Any
    ) -> None:
        self.vocab = dict(vocab)
        self._tokens = {number: token for token, number in self.vocab.items()}
        if len(self._tokens) != len(self.vocab):
            raise DataLossError("the vocabulary gives one number to two tokens")
        self.model_max_length = int(min(model_max_length or NO_LIMIT, NO_LIMIT))
        self.padding_side = "right"
        self._specials: dict[str, str] = {}
        for role in ROLES:
            self.set_special(role, specials.get(role))

    # ------------------------------------------------------------ special tokens
    def set_special(self, role: str, token: str | None) -> None:
        """Gives a token of the vocabulary a role; None takes the role away."""
        if token is None:
            self._specials.pop(role, None)
        else:
            self._specials[role] = token
        known = sorted(self.all_special_tokens, key=len, reverse=True)
        # found in a text before anything else is done to it
        self._split = re.compile("|".join(map(re.escape, known)) or r"(?!)")

    def __getattr__(self, name: str) -> Any:
        role = name.removesuffix("_id")
        if role in ROLES:
            token = self._specials.get(role)
            return token if role == name else self._id(token)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ROLES:
            self.set_special(name, value)
        else:
            super().__setattr__(name, value)

    def _id(self, token: str | None) -> int | None:
        return None if token is None else self.vocab.get(token)

    @property
    def all_special_tokens(self) -> list[str]:
        return [t for t in dict.fromkeys(self._specials.values()) if t in self.vocab]

    @property
    def all_special_ids(self) -> list[int]:
        return [self.vocab[t] for t in self.all_special_tokens]

    @property
    def vocab_size(self) -> int:
        return len(self.vocab)

    def __len__(self) -> int:
        return len(self.vocab)

    def get_vocab(self) -> dict[str, int]:
        return dict(self.vocab)

    # ------------------------------------------------------------ tokens
    def _cut(self, text: str) -> Iterable[str]:
        """The tokens of a text without special ones."""
        raise NotImplementedError

    def _join(self, tokens: Sequence[str]) -> str:
        """The text of tokens."""
        raise NotImplementedError

    def _framed(self, first: list[int], second: list[int] | None) -> tuple[list[int], list[int]]:
        """(ids with the special tokens around one text or two, their types)."""
        raise NotImplementedError

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, without those that mark its ends."""
        if not isinstance(text, str):
            raise TypeError(f"a text is a str, got {type(text).__name__}")
        out: list[str] = []
        at = 0
        for found in self._split.finditer(text):
            out.extend(self._cut(text[at : found.start()]))
            out.append(found.group())
            at = found.end()
        out.extend(self._cut(text[at:]))
        return out

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a token, or a list of them; unknown ones get that of unk_token."""
        if isinstance(tokens, str):
            return self.vocab.get(tokens, self.unk_token_id)
        return [self.vocab.get(t, self.unk_token_id) for t in tokens]

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """The token of an id, or a list of them.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        if np.ndim(ids) == 0:
            token = self._tokens.get(int(ids))
            if token is None:
                raise ValueError(f"no token has id {int(ids)}; there are {len(self.vocab)}")
            return token
        return [self.convert_ids_to_tokens(k) for k in ids]

    def _ids(self, text: str) -> list[int]:
        ids: list[int | None] = self.convert_tokens_to_ids(self.tokenize(text))
        if None in ids:
            raise ValueError("a token is not in the vocabulary, and there is no unk_token")
        return [k for k in ids if k is not None]

    # ------------------------------------------------------------ batches
    def __call__(
        self,
        text: Any,
        text_pair: Any = None,
        add_special_tokens: bool = True,
        padding: bool | str = False,
        truncation: bool | str = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool = True,
        return_special_tokens_mask: bool = False,
        return_length: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
    ) -> BatchEncoding:
        """input_ids, attention_mask and, for BERT, token_type_ids.

        Args:
            text: a text or a list of them (also of pairs). text_pair: the second texts.
            padding: True or "longest": as long as the batch's longest; "max_length".
            truncation: True or "longest_first", "only_first", "only_second".
            max_length: default model_max_length. return_tensors: "np" for int64 arrays
                [batch, length] (for one text too); None for lists.
            return_special_tokens_mask: also 1 for each special token. return_length: also lengths.
            pad_to_multiple_of: lengths are rounded up to it. padding_side: default that of the
                tokenizer, "right" unless set.

        Raises:
            TypeError: no text. ValueError: options that cannot be, lengths that differ without
            padding, padding without a pad_token.
        """
        many = not isinstance(text, str)
        firsts, seconds = _pairs(text, text_pair, many)
        limit = self.model_max_length if max_length is None else max_length
        rows, marks = [], []
        for first, second in zip(firsts, seconds, strict=True):
            ids = self._ids(first)
            other = None if second is None else self._ids(second)
            extra = len(self._framed([], None if other is None else [])[0])
            room = limit - (extra if add_special_tokens else 0)
            ids, other = _truncated(ids, other, truncation, room)
            rows.append(self._row(ids, other, add_special_tokens))
            inside = [-1] * len(ids), None if other is None else [-1] * len(other)
            framed = self._row(*inside, add_special_tokens)[0]
            marks.append([int(k != -1) for k in framed])
        wanted = self.pairs if return_token_type_ids is None else return_token_type_ids
        length = self._length(rows, padding, limit, pad_to_multiple_of)
        side = padding_side or self.padding_side
        table: dict[str, Any] = dict(self._padded(rows, length, side, self.pad_token_id))
        if not wanted:
            table.pop("token_type_ids")
        if return_special_tokens_mask:
            frames = [(mark, mark) for mark in marks]
            table["special_tokens_mask"] = self._padded(frames, length, side, 1)["input_ids"]
        if return_length:
            table["length"] = [len(ids) for ids in table["input_ids"]]
        if not return_attention_mask:
            table.pop("attention_mask")
        return self._as(table, many, return_tensors)

    def _row(
        self, first: list[int], second: list[int] | None, framed: bool
    ) -> tuple[list[int], list[int]]:
        """(ids, their types) of one text or two."""
        if framed:
            return self._framed(first, second)
        other = second or []
        return first + other, [0] * len(first) + [1] * len(other)

    def _length(
        self, rows: list[tuple[list[int], list[int]]], padding: bool | str, limit: int,
        multiple: int | None,
    ) -> int:
        """The length that rows are filled up to."""
        length = 0
        if padding in (True, "longest"):
            length = max((len(ids) for ids, _ in rows), default=0)
        elif padding == "max_length":
            length = limit
            if limit >= NO_LIMIT:
                raise ValueError("padding='max_length' needs a max_length")
        elif padding not in (False, "do_not_pad"):
            raise ValueError(f"padding is True, 'longest', 'max_length' or False, got {padding!r}")
        return -(-length // multiple) * multiple if multiple else length

    def _padded(
        self, rows: list[tuple[list[int], list[int]]], length: int, side: str, fill: int | None
    ) -> dict[str, list[list[int]]]:
        if side not in ("left", "right"):
            raise ValueError(f"padding_side is 'left' or 'right', got {side!r}")
        if fill is None and any(len(ids) < length for ids, _ in rows):
            raise ValueError(
                "padding needs a pad_token: set one, such as tokenizer.pad_token = "
                "tokenizer.eos_token"
            )
        left = side == "left"
        out: dict[str, list[list[int]]]
        out = {"input_ids": [], "token_type_ids": [], "attention_mask": []}
        for ids, types in rows:
            more = max(length - len(ids), 0)
            columns = ((ids, fill or 0), (types, 0), ([1] * len(ids), 0))
            for column, (values, blank) in zip(out.values(), columns):
                blanks = [blank] * more
                column.append(blanks + values if left else values + blanks)
        return out

    def _as(self, table: dict[str, Any], many: bool, kind: str | None) -> BatchEncoding:
        if kind is None:
            return BatchEncoding({k: v if many else v[0] for k, v in table.items()})
        if kind != "np":
            raise ValueError(f"return_tensors is 'np' or None, got {kind!r}")
        if len({len(row) for row in table["input_ids"]}) > 1:
            raise ValueError("the texts have different lengths: pass padding=True for an array")
        return BatchEncoding({k: np.array(v, np.int64) for k, v in table.items()})

    def encode_plus(self, text: Any, text_pair: Any = None, **options: Any) -> BatchEncoding:
        """The same as __call__."""
        return self(text, text_pair, **options)

    batch_encode_plus = encode_plus

    def encode(self, text: str, text_pair: str | None = None, **options: Any) -> Any:
        """The ids alone, as __call__ gives them."""
        return self(text, text_pair, **options)["input_ids"]

    def decode(
        self, ids: Any, skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str:
        """The text of ids [length]; clean_up_tokenization_spaces is accepted: see BertTokenizer."""
        numbers = np.asarray(ids).reshape(-1).tolist()
        left_out = set(self.all_special_ids) if skip_special_tokens else set()
        return self._join(self.convert_ids_to_tokens([k for k in numbers if k not in left_out]))

    def batch_decode(self, ids: Any, skip_special_tokens: bool = False) -> list[str]:
        """The texts of rows of ids."""
        return [self.decode(row, skip_special_tokens) for row in ids]

    # ------------------------------------------------------------ files
    @classmethod
    def from_pretrained(cls, name: Any, **options: Any) -> Self:
        """The tokenizer in a local folder; `options` win over those of its files.

        Raises:
            NotFoundError: no such folder, or no vocabulary in it. DataLossError: damaged files.
        """
        folder = local_folder(name)
        path = folder / "tokenizer_config.json"
        stored = read_json(path) if path.is_file() else {}
        given = {k: _content(v) for k, v in dict(stored).items()}
        vocabulary = cls._vocabulary(folder)
        if vocabulary is None:
            names = " or ".join((*cls.own_names, "tokenizer.json"))
            raise NotFoundError(f"{folder} has no vocabulary: no {names}")
        return cls(**{**vocabulary, **cls._options(given), **options})

    @classmethod
    def _vocabulary(cls, folder: Path) -> dict[str, Any] | None:
        """Arguments from the folder's files, None where there are none."""
        raise NotImplementedError

    @classmethod
    def _options(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """What of tokenizer_config.json are arguments of this class."""
        raise NotImplementedError

    def _save_config(self, folder: Path, more: Mapping[str, Any]) -> None:
        limit = {} if self.model_max_length >= NO_LIMIT else {
            "model_max_length": self.model_max_length
        }  # fmt: skip
        name = type(self).__name__
        write_json(
            folder / "tokenizer_config.json",
            {"tokenizer_class": name, **limit, **self._specials, **more},
        )


def _content(value: Any) -> Any:
    """A special token may be written as a table with its text."""
    return value["content"] if isinstance(value, dict) and "content" in value else value


def _pairs(text: Any, pair: Any, many: bool) -> tuple[list[str], list[str | None]]:
    if not many:
        return [text], [pair]
    texts = list(text)
    if pair is not None:
        if isinstance(pair, str) or len(pair) != len(texts):
            raise ValueError(f"{len(texts)} texts need as many second texts")
        return texts, list(pair)
    if texts and all(isinstance(t, tuple | list) and len(t) == 2 for t in texts):
        return [a for a, _ in texts], [b for _, b in texts]
    return texts, [None] * len(texts)


def _truncated(
    first: list[int], second: list[int] | None, how: bool | str, room: int
) -> tuple[list[int], list[int] | None]:
    """Both texts cut so that they have `room` ids together."""
    if how in (False, "do_not_truncate"):
        return first, second
    kind = "longest_first" if how is True else how
    if kind not in TRUNCATIONS:
        raise ValueError(f"truncation is True, False or one of {', '.join(TRUNCATIONS)}: {how!r}")
    room = max(room, 0)
    one, two = len(first), len(second or ())
    if one + two <= room:
        return first, second
    if kind == "longest_first":
        short, long = sorted((one, two))
        long = max(short, room - short)
        if short + long > room:
            short, long = room // 2, room - room // 2
        one, two = (short, long) if one <= two else (long, short)
    elif kind == "only_first":
        one = room - two
    else:
        two = room - one
    if one < 0 or two < 0:
        raise ValueError(f"truncation={kind!r} cannot reach max_length: the other text is longer")
    return first[:one], None if second is None else second[:two]


def added_tokens(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """(the table of a tokenizer.json, its vocabulary with the added tokens).

    Raises:
        DataLossError: it holds no vocabulary of that form.
    """
    table = read_json(path)
    try:
        vocab = dict(table["model"]["vocab"])
        vocab.update({t["content"]: t["id"] for t in table.get("added_tokens") or ()})
    except (TypeError, KeyError, ValueError):
        raise DataLossError(f"{path} holds no vocabulary of tokens and numbers") from None
    return table, vocab


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; white space of Unicode ends none.

    Raises:
        DataLossError: no UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as err:
        raise DataLossError(f"{path} is no UTF-8 text: {err}") from None
