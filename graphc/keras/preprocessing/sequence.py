"""tf.keras.preprocessing.sequence: lists of numbers as arrays. Imports NumPy."""

from __future__ import annotations

import random
from collections.abc import Sequence as Listed
from typing import Any

import numpy as np

from graphc.keras.utils.data_utils import Sequence

__all__ = [
    "TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams",
]  # fmt: skip


def pad_sequences(
    sequences: Any, maxlen: int | None = None, dtype: Any = "int32", padding: str = "pre",
    truncating: str = "pre", value: Any = 0.0,
) -> Any:
    """Lists as rows of one length [n, maxlen, ...].

    Args:
        maxlen: default the longest. padding, truncating: "pre" or "post". value: that fills up.

    Raises:
        ValueError: no list of lists, or entries of unequal shape.
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    lengths = []
    for row in sequences:
        if not hasattr(row, "__len__"):
            raise ValueError(
                f"`sequences` must be a list of iterables. Found non-iterable: {row}"
            )
        lengths.append(len(row))
    longest = max(lengths, default=0) if maxlen is None else maxlen
    inner: tuple[int, ...] = next((np.asarray(s).shape[1:] for s in sequences if len(s) > 0), ())
    kind = np.dtype(dtype)
    if isinstance(value, str) and kind.kind not in "OUS":
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}\nYou should set "
            "`dtype=object` for variable length strings."
        )
    out = np.full((len(sequences), longest, *inner), value, dtype=dtype)
    for k, row in enumerate(sequences):
        if not len(row):
            continue
        if truncating == "pre":
            part = row[len(row) - longest :] if len(row) > longest else row
        elif truncating == "post":
            part = row[:longest]
        else:
            raise ValueError(f'Truncating type "{truncating}" not understood')
        part = np.asarray(part, dtype=dtype)
        if part.shape[1:] != inner:
            raise ValueError(
                f"Shape of sample {part.shape[1:]} of sequence at position {k} is different from "
                f"expected shape {inner}"
            )
        if padding == "post":
            out[k, : len(part)] = part
        elif padding == "pre":
            out[k, longest - len(part) :] = part
        else:
            raise ValueError(f'Padding type "{padding}" not understood')
    return out


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> Any:
    """The probability to keep the word of each rank, by Zipf's law."""
    gamma = 0.577
    rank = np.arange(size)
    rank[0] = 1
    frequency = rank * (np.log(rank) + gamma) + 0.5 - 1.0 / (12.0 * rank)
    f = sampling_factor * frequency
    return np.minimum(1.0, f / np.sqrt(f))


def skipgrams(
    sequence: Listed[int], vocabulary_size: int, window_size: int = 4,
    negative_samples: float = 1.0, shuffle: bool = True, categorical: bool = False,
    sampling_table: Any = None, seed: int | None = None,
) -> tuple[list[Any], list[Any]]:
    """(pairs of words, whether the second stands near the first). Word 0 is no word."""
    couples: list[Any] = []
    labels: list[Any] = []
    for i, word in enumerate(sequence):
        if not word:
            continue
        if sampling_table is not None and sampling_table[word] < random.random():
            continue
        for j in range(max(0, i - window_size), min(len(sequence), i + window_size + 1)):
            if j != i and sequence[j]:
                couples.append([word, sequence[j]])
                labels.append([0, 1] if categorical else 1)
    if negative_samples > 0:
        words = [c[0] for c in couples]
        random.shuffle(words)
        count = int(len(labels) * negative_samples)
        couples += [
            [words[k % len(words)], random.randint(1, vocabulary_size - 1)] for k in range(count)
        ]
        labels += [[1, 0] if categorical else 0] * count
    if shuffle:
        number = random.randint(0, 10_000_000) if seed is None else seed
        random.Random(number).shuffle(couples)
        random.Random(number).shuffle(labels)
    return couples, labels


class TimeseriesGenerator(Sequence):
    """Windows of a series with the value that follows.

    Args:
        data, targets: [time, ...]. length: of windows. sampling_rate: steps between entries.
            stride: between windows. start_index, end_index: of the part that is used.
        shuffle, reverse, batch_size.
    """

    def __init__(
        self, data: Any, targets: Any, length: int, sampling_rate: int = 1, stride: int = 1,
        start_index: int = 0, end_index: int | None = None, shuffle: bool = False,
        reverse: bool = False, batch_size: int = 128,
    ) -> None:
        if len(data) != len(targets):
            raise ValueError(
                f"Data and targets have to be of same length. Data length is {len(data)} while "
                f"target length is {len(targets)}"
            )
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride, self.batch_size = sampling_rate, stride, batch_size
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse = shuffle, reverse
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index+length={self.start_index} > end_index={self.end_index}` is "
                "disallowed, as no part of the sequence would be left to be used as current step."
            )

    def __len__(self) -> int:
        span = self.end_index - self.start_index + self.batch_size * self.stride
        return span // (self.batch_size * self.stride)

    def __getitem__(self, index: int) -> Any:
        if self.shuffle:
            rows = np.random.randint(  # noqa: NPY002  # the state that scripts seed
                self.start_index, self.end_index + 1, size=self.batch_size
            )
        else:
            i = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(
                i, min(i + self.batch_size * self.stride, self.end_index + 1), self.stride
            )
        data, targets = np.asarray(self.data), np.asarray(self.targets)
        samples = np.array([data[r - self.length : r : self.sampling_rate] for r in rows])
        return (samples[:, ::-1, ...] if self.reverse else samples), targets[rows]
