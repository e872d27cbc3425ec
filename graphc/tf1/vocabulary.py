"""tf.contrib.learn.preprocessing: texts as rows of word or byte numbers.

Lives here: VocabularyProcessor, CategoricalVocabulary, ByteProcessor, tokenizer. Imports NumPy and
the standard library.
"""

from __future__ import annotations

import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ByteProcessor", "CategoricalVocabulary", "VocabularyProcessor", "tokenizer"]

Array = np.ndarray[Any, Any]

# acronyms, words of mixed case apart, then whatever holds together by ' and -
_WORD = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z][a-z]+(?=[A-Z])|[\'\w\-]+", re.UNICODE)


def tokenizer(iterator: Iterable[str]) -> Iterator[list[str]]:
    """The words of each text."""
    for text in iterator:
        yield _WORD.findall(text)


class CategoricalVocabulary:
    """Numbers of words: 0 is the unknown word, others count up as they come.

    Args:
        unknown_token: the word of number 0. support_reverse: reverse() is possible.
    """

    def __init__(self, unknown_token: str = "<UNK>", support_reverse: bool = True) -> None:
        self._unknown_token = unknown_token
        self._mapping: dict[Any, int] = {unknown_token: 0}
        self._support_reverse = support_reverse
        self._words: list[Any] = [unknown_token]
        self._freq: Counter[Any] = Counter()
        self._freeze = False

    def __len__(self) -> int:
        return len(self._mapping)

    def freeze(self, freeze: bool = True) -> None:
        """New words become unknown ones."""
        self._freeze = freeze

    def get(self, category: Any) -> int:
        """The number of a word, a new one unless frozen."""
        if category not in self._mapping:
            if self._freeze:
                return 0
            self._mapping[category] = len(self._words)
            self._words.append(category)
        return self._mapping[category]

    def add(self, category: Any, count: int = 1) -> None:
        """Counts a word; unknown ones are not counted while frozen."""
        if self.get(category):
            self._freq[category] += count

    def trim(self, min_frequency: int, max_frequency: int = -1) -> None:
        """Keeps words that came more often than min_frequency, the most frequent first.

        Args:
            max_frequency: words that came as often or oftener go too; -1 keeps them.
        """
        kept = [
            (word, n)
            for word, n in sorted(self._freq.items(), key=lambda item: (-item[1], str(item[0])))
            if n > min_frequency and (max_frequency < 0 or n < max_frequency)
        ]
        self._words = [self._unknown_token, *(word for word, _ in kept)]
        self._mapping = {word: number for number, word in enumerate(self._words)}
        self._freq = Counter(dict(kept))

    def reverse(self, class_id: int) -> Any:
        """The word of a number. Raises ValueError without support_reverse."""
        if not self._support_reverse:
            raise ValueError("reverse() needs a vocabulary made with support_reverse=True")
        return self._words[class_id]


class VocabularyProcessor:
    """Texts as word numbers, cut or filled with 0 to one length.

    Args:
        max_document_length: words of a row. min_frequency: see CategoricalVocabulary.trim.
        vocabulary: numbers that are there already. tokenizer_fn: texts to lists of words.
    """

    def __init__(
        self,
        max_document_length: int,
        min_frequency: int = 0,
        vocabulary: CategoricalVocabulary | None = None,
        tokenizer_fn: Callable[[Iterable[str]], Iterable[Any]] | None = None,
    ) -> None:
        self.max_document_length = max_document_length
        self.min_frequency = min_frequency
        self.vocabulary_ = vocabulary if vocabulary is not None else CategoricalVocabulary()
        self._tokenizer = tokenizer_fn if tokenizer_fn is not None else tokenizer

    def fit(self, raw_documents: Iterable[str], unused_y: Any = None) -> VocabularyProcessor:
        """Learns the words, and learns no more afterwards."""
        for tokens in self._tokenizer(raw_documents):
            for token in tokens:
                self.vocabulary_.add(token)
        if self.min_frequency > 0:
            self.vocabulary_.trim(self.min_frequency)
        self.vocabulary_.freeze()
        return self

    def fit_transform(self, raw_documents: Iterable[str], unused_y: Any = None) -> Iterator[Array]:
        documents = list(raw_documents)
        self.fit(documents)
        return self.transform(documents)

    def transform(self, raw_documents: Iterable[str]) -> Iterator[Array]:
        """For each text int64 [max_document_length]."""
        for tokens in self._tokenizer(raw_documents):
            ids = np.zeros(self.max_document_length, np.int64)
            for place, token in enumerate(tokens):
                if place >= self.max_document_length:
                    break
                ids[place] = self.vocabulary_.get(token)
            yield ids

    def reverse(self, documents: Iterable[Any]) -> Iterator[str]:
        """The texts of rows, words between blanks."""
        for row in documents:
            yield " ".join(str(self.vocabulary_.reverse(n)) for n in row)

    def save(self, filename: Any) -> None:
        """Writes all of it into a file (a pickle: read only files that you trust)."""
        target = Path(filename)
        part = target.with_name(target.name + ".part")
        part.write_bytes(pickle.dumps(self))
        part.replace(target)

    @classmethod
    def restore(cls, filename: Any) -> VocabularyProcessor:
        """What save wrote."""
        return pickle.loads(Path(filename).read_bytes())


class ByteProcessor:
    """Texts as the numbers of their UTF-8 bytes, cut or filled with 0 to one length."""

    def __init__(self, max_document_length: int) -> None:
        self.max_document_length = max_document_length

    def fit(self, x: Any) -> ByteProcessor:
        return self

    def fit_transform(self, x: Iterable[Any]) -> Iterator[Array]:
        return self.transform(x)

    def transform(self, x: Iterable[Any]) -> Iterator[Array]:
        """For each text uint8 [max_document_length]."""
        for document in x:
            data = document.encode() if isinstance(document, str) else bytes(document)
            out = np.zeros(self.max_document_length, np.uint8)
            cut = np.frombuffer(data[: self.max_document_length], np.uint8)
            out[: cut.size] = cut
            yield out

    @staticmethod
    def reverse(x: Iterable[Any]) -> Iterator[str]:
        """The texts of rows; bytes that are no UTF-8 become U+FFFD."""
        for row in x:
            data = bytes(int(n) for n in row).rstrip(b"\0")
            yield data.decode("utf-8", errors="replace")
