"""tf.keras.preprocessing.text: texts as numbers of words. Imports NumPy."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

__all__ = [
    "Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json",
]  # fmt: skip

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(
    text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text; characters of `filters` separate them as well."""
    if lower:
        text = text.lower()
    text = text.translate(dict.fromkeys(map(ord, filters), split))
    return [w for w in text.split(split) if w]


def hashing_trick(
    text: str, n: int, hash_function: Any = None, filters: str = FILTERS, lower: bool = True,
    split: str = " ",
) -> list[int]:
    """Each word as a number from 1 to n - 1 by its hash; two words may share one.

    Args:
        hash_function: None for Python's (another one in each process), "md5", or a function.
    """
    fn: Callable[[str], int]
    if hash_function is None:
        fn = hash
    elif hash_function == "md5":

        def fn(word: str) -> int:
            return int(hashlib.md5(word.encode()).hexdigest(), 16)

    else:
        fn = hash_function
    return [fn(w) % (n - 1) + 1 for w in text_to_word_sequence(text, filters, lower, split)]


def one_hot(
    text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[int]:
    """hashing_trick with Python's hash."""
    return hashing_trick(text, n, hash, filters, lower, split)


class Tokenizer:
    """Numbers for words by their frequency, from 1.

    Args:
        num_words: only the most frequent num_words - 1 are kept. char_level: characters instead.
        oov_token: stands for all other words; it is number 1.
    """

    def __init__(
        self, num_words: int | None = None, filters: str = FILTERS, lower: bool = True,
        split: str = " ", char_level: bool = False, oov_token: Any = None,
        document_count: int = 0, **kwargs: Any,
    ) -> None:
        num_words = kwargs.pop("nb_words", num_words)
        if kwargs:
            raise TypeError(f"Unrecognized keyword arguments: {kwargs}")
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: defaultdict[str, int] = defaultdict(int)
        self.index_docs: defaultdict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}
        self.num_words, self.filters, self.lower = num_words, filters, lower
        self.split, self.char_level, self.oov_token = split, char_level, oov_token
        self.document_count = document_count

    def _words(self, text: Any) -> list[str]:
        if self.char_level or isinstance(text, list):
            if self.lower:
                text = [t.lower() for t in text] if isinstance(text, list) else text.lower()
            return list(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Counts the words of texts, or of lists of words."""
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ranked = sorted(self.word_counts.items(), key=lambda item: item[1], reverse=True)
        vocabulary = [] if self.oov_token is None else [self.oov_token]
        vocabulary += [word for word, _ in ranked]
        self.word_index = {w: k for k, w in enumerate(vocabulary, 1)}
        self.index_word = {k: w for w, k in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Iterable[Any]) -> None:
        """Counts documents by number of word, where there are no texts."""
        for sequence in sequences:
            self.document_count += 1
            for number in set(sequence):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The numbers of the words of each text."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """texts_to_sequences, one after the other."""
        limit = self.num_words
        oov = self.word_index.get(self.oov_token)  # type: ignore[arg-type]
        for text in texts:
            row = []
            for word in self._words(text):
                number = self.word_index.get(word)
                if number is not None and (not limit or number < limit):
                    row.append(number)
                elif oov is not None:
                    row.append(oov)
            yield row

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of numbers, with blanks between."""
        limit = self.num_words
        oov = self.word_index.get(self.oov_token)  # type: ignore[arg-type]
        out = []
        for sequence in sequences:
            words = []
            for number in sequence:
                word = self.index_word.get(number)
                if word is not None and (not limit or number < limit):
                    words.append(word)
                elif oov is not None:
                    words.append(self.index_word[oov])
            out.append(" ".join(words))
        return out

    def texts_to_matrix(self, texts: Any, mode: str = "binary") -> Any:
        """A row a text; see sequences_to_matrix."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Any, mode: str = "binary") -> Any:
        """A row a sequence, a column a word.

        Args:
            mode: "binary", "count", "freq" or "tfidf".

        Raises:
            ValueError: another mode, or no words known.
        """
        if not self.num_words and not self.word_index:
            raise ValueError("Specify a dimension (`num_words` argument), or fit on some text data "
                             "first.")  # fmt: skip
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Fit the Tokenizer on some data before using tfidf mode.")
        if mode not in ("binary", "count", "freq", "tfidf"):
            raise ValueError(f"Unknown vectorization mode: {mode}")
        width = self.num_words or len(self.word_index) + 1
        out = np.zeros((len(sequences), width))
        for k, sequence in enumerate(sequences):
            counts = Counter(n for n in sequence if n < width)
            for number, count in counts.items():
                if mode == "count":
                    out[k, number] = count
                elif mode == "freq":
                    out[k, number] = count / len(sequence)
                elif mode == "binary":
                    out[k, number] = 1
                else:
                    seen = 1 + self.index_docs.get(number, 0)
                    idf = np.log(1 + self.document_count / seen)
                    out[k, number] = (1 + np.log(count)) * idf
        return out

    # ------------------------------------------------------------ configuration
    def get_config(self) -> dict[str, Any]:
        """The settings and counts; tables as JSON text, as Keras has them."""
        return {
            "num_words": self.num_words, "filters": self.filters, "lower": self.lower,
            "split": self.split, "char_level": self.char_level, "oov_token": self.oov_token,
            "document_count": self.document_count, "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs), "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word), "word_index": json.dumps(self.word_index),
        }  # fmt: skip

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as JSON text."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """A Tokenizer from what to_json wrote."""
    config = json.loads(json_string)["config"]
    tables = {k: json.loads(config.pop(k)) for k in
              ("word_counts", "word_docs", "index_docs", "index_word", "word_index")}  # fmt: skip
    made = Tokenizer(**config)
    made.word_counts = OrderedDict(tables["word_counts"])
    made.word_docs.update(tables["word_docs"])
    made.index_docs.update({int(k): v for k, v in tables["index_docs"].items()})
    made.index_word = {int(k): v for k, v in tables["index_word"].items()}
    made.word_index = tables["word_index"]
    return made
