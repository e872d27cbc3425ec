"""tf.keras.datasets.reuters: news as numbers of words, of 46 topics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphc.keras.datasets.files import npz, word_index
from graphc.keras.datasets.imdb import _limited, _lists, _shifted
from graphc.keras.utils.data_utils import find_data

__all__ = ["get_word_index", "load_data"]


def load_data(
    path: Any = "reuters.npz", num_words: int | None = None, skip_top: int = 0,
    maxlen: int | None = None, test_split: float = 0.2, seed: int = 113,
    start_char: int | None = 1, oov_char: int | None = 2, index_from: int = 3,
) -> Any:
    """((x_train, y_train), (x_test, y_test)): arrays of lists of numbers, and topics.

    Args: as of imdb.load_data; test_split: the share of the second pair.

    Raises:
        FileNotFoundError: the data are not there.
    """
    given = Path(path)
    x, y = npz(given if given.is_file() else find_data([str(path)], "reuters"), ("x", "y"))
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)  # Keras' own order
    xs = [_shifted(list(s), start_char, index_from) for s in x[order]]
    labels = y[order]
    if maxlen:
        kept = [k for k, s in enumerate(xs) if len(s) < maxlen]
        xs, labels = [xs[k] for k in kept], labels[kept]
    words = num_words or max(max(s) for s in xs)  # as in Keras, without the greatest number
    xs = [_limited(s, skip_top, words, oov_char) for s in xs]
    cut = int(len(xs) * (1 - test_split))
    return (_lists(xs[:cut]), labels[:cut]), (_lists(xs[cut:]), labels[cut:])


def get_word_index(path: Any = "reuters_word_index.json") -> dict[str, int]:
    """word -> number.

    Raises:
        FileNotFoundError: the file is not there.
    """
    return word_index(path, "reuters")
