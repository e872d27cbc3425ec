"""tf.keras.datasets.imdb: reviews of films as numbers of words, good or bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.datasets.files import npz, word_index
from graphc.keras.utils.data_utils import find_data

__all__ = ["get_word_index", "load_data"]


def load_data(
    path: Any = "imdb.npz", num_words: int | None = None, skip_top: int = 0,
    maxlen: int | None = None, seed: int = 113, start_char: int | None = 1,
    oov_char: int | None = 2, index_from: int = 3, **kwargs: Any,
) -> Any:
    """((x_train, y_train), (x_test, y_test)): arrays of lists of numbers, and labels 0 or 1.

    Args:
        path: of imdb.npz, or its name in ~/.keras/datasets or GRAPHC_DATA. num_words: rarer words
            become oov_char (or vanish where that is None). skip_top: so do the most frequent.
            maxlen: longer reviews are left out. start_char: begins each. index_from: added to the
            numbers of words.

    Raises:
        FileNotFoundError: the data are not there. ValueError: maxlen leaves nothing.
    """
    if "nb_words" in kwargs:
        num_words = kwargs.pop("nb_words")
    if kwargs:
        raise TypeError(f"Unrecognized keyword arguments: {kwargs}")
    given = Path(path)
    found = given if given.is_file() else find_data([str(path)], "imdb")
    parts = npz(found, ("x_train", "y_train", "x_test", "y_test"))
    random = np.random.RandomState(seed)  # Keras' own order
    pairs = []
    for x, y in ((parts[0], parts[1]), (parts[2], parts[3])):
        order = np.arange(len(x))
        random.shuffle(order)
        pairs.append((x[order], y[order]))
    xs = [_shifted(list(s), start_char, index_from) for x, _ in pairs for s in x]
    labels = np.concatenate([y for _, y in pairs])
    first = len(pairs[0][0])
    if maxlen:
        kept = [k for k, s in enumerate(xs) if len(s) < maxlen]
        first = sum(k < first for k in kept)
        xs, labels = [xs[k] for k in kept], labels[kept]
        if not xs:
            raise ValueError(
                f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was "
                "kept. Increase maxlen."
            )
    words = num_words or max(max(s) for s in xs)  # as in Keras, without the greatest number
    xs = [_limited(s, skip_top, words, oov_char) for s in xs]
    return (_lists(xs[:first]), labels[:first]), (_lists(xs[first:]), labels[first:])


def _shifted(words: list[int], start: int | None, by: int) -> list[int]:
    if start is not None:
        return [start, *(w + by for w in words)]
    return [w + by for w in words] if by else words


def _limited(words: list[int], skip: int, limit: int, oov: int | None) -> list[int]:
    if oov is None:
        return [w for w in words if skip <= w < limit]
    return [w if skip <= w < limit else oov for w in words]


def _lists(rows: list[list[int]]) -> Any:
    out = np.empty(len(rows), dtype=object)
    out[:] = rows
    return out


def get_word_index(path: Any = "imdb_word_index.json") -> dict[str, int]:
    """word -> number.

    Raises:
        FileNotFoundError: the file is not there.
    """
    return word_index(path, "imdb")
