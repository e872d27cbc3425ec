"""What preprocessing is compared with Keras 2 on: texts, sequences, pictures by seeds.

Each case is a function of a namespace `keras` that gives arrays, or values that JSON can hold.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

TEXTS = [
    "The cat sat on the mat.", "The dog sat on the log!", "Dogs and cats: living together?",
    "a\tb\nc  d -- e", "Über-große Straße, naïve café; 日本 語", "the THE The the", "",
]  # fmt: skip
LISTS = [["a", "B", "c"], ["c", "c"], []]
MODES = ("binary", "count", "tfidf", "freq")
ROWS = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9], [1] * 3]
RNG = np.random.default_rng(4)
PICTURES = RNG.uniform(0, 255, (7, 8, 10, 3)).astype("f")
LABELS = np.array([0, 1, 0, 1, 0, 1, 1])
Value = Callable[[Any], Any]


def texts() -> dict[str, Value]:
    def tokenizer(keras: Any, given: Any = TEXTS, **kwargs: Any) -> Any:
        made = keras.preprocessing.text.Tokenizer(**kwargs)
        made.fit_on_texts(given)
        return made

    settings: list[dict[str, Any]] = [
        {}, {"num_words": 5}, {"oov_token": "<unk>"}, {"num_words": 4, "oov_token": "<unk>"},
        {"char_level": True}, {"lower": False}, {"filters": "!?."}, {"split": "a"},
        {"char_level": True, "num_words": 6, "oov_token": "#"},
    ]  # fmt: skip
    out: dict[str, Value] = {}
    for n, kwargs in enumerate(settings):
        given = dict(kwargs)
        out[f"config/{n}"] = lambda k, g=given: tokenizer(k, **g).get_config()
        out[f"sequences/{n}"] = lambda k, g=given: tokenizer(k, **g).texts_to_sequences(
            [*TEXTS, "new words the cat"])
        out[f"back/{n}"] = lambda k, g=given: tokenizer(k, **g).sequences_to_texts(
            [[1, 2, 3], [9, 99, 2], []])
        for mode in MODES:
            out[f"matrix/{n}/{mode}"] = lambda k, g=given, m=mode: tokenizer(
                k, **g).texts_to_matrix(TEXTS[:4], m)
        out[f"json/{n}"] = lambda k, g=given: k.preprocessing.text.tokenizer_from_json(
            tokenizer(k, **g).to_json()).texts_to_sequences(TEXTS)
    out["lists"] = lambda k: tokenizer(k, LISTS).get_config()
    out["lists_sequences"] = lambda k: tokenizer(k, LISTS).texts_to_sequences(LISTS)
    P = "preprocessing"
    for n, text in enumerate(TEXTS):
        out[f"words/{n}"] = lambda k, t=text: getattr(k, P).text.text_to_word_sequence(t)
        out[f"words_kept/{n}"] = lambda k, t=text: getattr(k, P).text.text_to_word_sequence(
            t, filters="", lower=False, split="t")
        out[f"hashed/{n}"] = lambda k, t=text: getattr(k, P).text.hashing_trick(
            t, 50, hash_function="md5")
    return out


def sequences() -> dict[str, Value]:
    pads: list[dict[str, Any]] = [
        {}, {"maxlen": 3}, {"maxlen": 2, "truncating": "post"}, {"padding": "post", "value": -1},
        {"maxlen": 4, "padding": "post", "truncating": "post", "dtype": "float32", "value": 0.5},
    ]  # fmt: skip
    out: dict[str, Value] = {}
    for n, kwargs in enumerate(pads):
        out[f"pad/{n}"] = lambda k, g=kwargs: k.preprocessing.sequence.pad_sequences(ROWS, **g)
    deep = [np.ones((2, 3)), np.zeros((1, 3)), np.ones((4, 3))]
    out["pad_deep"] = lambda k: k.preprocessing.sequence.pad_sequences(deep, maxlen=3)
    out["table"] = lambda k: k.preprocessing.sequence.make_sampling_table(20)
    out["table_factor"] = lambda k: k.preprocessing.sequence.make_sampling_table(9, 1e-3)

    def grams(keras: Any, **kwargs: Any) -> Any:
        random.seed(5)
        words = [1, 4, 2, 0, 7, 3, 2, 9]
        return keras.preprocessing.sequence.skipgrams(words, 10, **kwargs)

    table = np.linspace(0.2, 1, 10)
    for n, kwargs in enumerate([
        {}, {"window_size": 2}, {"negative_samples": 0}, {"negative_samples": 2.5, "seed": 3},
        {"shuffle": False}, {"categorical": True, "seed": 1}, {"sampling_table": table},
    ]):  # fmt: skip
        out[f"grams/{n}"] = lambda k, g=kwargs: grams(k, **g)

    def windows(keras: Any, **kwargs: Any) -> Any:
        np.random.seed(2)  # noqa: NPY002
        data = np.arange(60).reshape(30, 2)
        made = keras.preprocessing.sequence.TimeseriesGenerator(data, np.arange(30), **kwargs)
        flat = [np.ravel(a) for k in range(len(made)) for a in made[k]]
        return np.concatenate([[len(made)], *flat])

    for n, kwargs in enumerate([
        {"length": 4}, {"length": 5, "sampling_rate": 2, "batch_size": 4},
        {"length": 3, "stride": 2, "batch_size": 5}, {"length": 4, "reverse": True},
        {"length": 4, "start_index": 6, "end_index": 20, "batch_size": 3},
        {"length": 4, "shuffle": True, "batch_size": 6},
    ]):  # fmt: skip
        out[f"windows/{n}"] = lambda k, g=kwargs: windows(k, **g)
    return out


TRANSFORMS: list[dict[str, Any]] = [
    {}, {"rotation_range": 30}, {"width_shift_range": 0.2}, {"height_shift_range": 3},
    {"width_shift_range": [-2, 0, 2]}, {"width_shift_range": 2.5}, {"shear_range": 10},
    {"zoom_range": 0.3}, {"zoom_range": [0.5, 1.0]}, {"channel_shift_range": 20.0},
    {"horizontal_flip": True}, {"vertical_flip": True}, {"brightness_range": (0.5, 1.5)},
    {"rotation_range": 10, "width_shift_range": 0.1, "height_shift_range": 0.1, "zoom_range": 0.1,
     "shear_range": 5, "horizontal_flip": True, "brightness_range": (0.8, 1.2),
     "channel_shift_range": 5.0},
]  # fmt: skip


def pictures() -> dict[str, Value]:
    out: dict[str, Value] = {}

    def drawn(keras: Any, kwargs: dict[str, Any]) -> Any:
        made = keras.preprocessing.image.ImageDataGenerator(**kwargs)
        rows = [made.get_random_transform((8, 10, 3), seed) for seed in range(6)]
        return [{k: None if v is None else float(v) for k, v in r.items()} for r in rows]

    def batches(keras: Any, kwargs: dict[str, Any], flow: dict[str, Any]) -> Any:
        made = keras.preprocessing.image.ImageDataGenerator(**kwargs)
        if any(k.startswith(("featurewise", "zca")) for k in kwargs):
            made.fit(PICTURES)
        got = made.flow(PICTURES.copy(), LABELS, **flow)
        return np.concatenate([np.ravel(a) for _ in range(5) for a in next(got)])

    for n, kwargs in enumerate(TRANSFORMS):
        out[f"drawn/{n}"] = lambda k, g=kwargs: drawn(k, g)
    flow = {"batch_size": 3, "seed": 7}
    for n, (kwargs, more) in enumerate([
        ({}, {}), ({"horizontal_flip": True, "vertical_flip": True}, {}),
        ({"rescale": 1 / 255.0}, {"shuffle": False}), ({"channel_shift_range": 30.0}, {}),
        ({"samplewise_center": True, "samplewise_std_normalization": True}, {}),
        ({"featurewise_center": True, "featurewise_std_normalization": True}, {}),
        ({"rescale": 0.1, "featurewise_center": True}, {}),
        ({"preprocessing_function": lambda x: x * 2 + 1}, {"sample_weight": LABELS * 0.5}),
        ({"validation_split": 0.3}, {"subset": "training"}),
        ({"validation_split": 0.3}, {"subset": "validation"}),
        ({"brightness_range": (0.5, 1.5)}, {}),
    ]):  # fmt: skip
        out[f"flow/{n}"] = lambda k, g=kwargs, m=more: batches(k, g, {**flow, **m})
    X = PICTURES[0]
    out["img"] = lambda k: np.asarray(k.preprocessing.image.array_to_img(X))
    out["img_plain"] = lambda k: np.asarray(k.preprocessing.image.array_to_img(X, scale=False))
    out["img_gray"] = lambda k: np.asarray(k.preprocessing.image.array_to_img(X[..., :1]))
    out["channel_shift"] = lambda k: k.preprocessing.image.apply_channel_shift(X, 20.0, 2)
    out["brightness"] = lambda k: k.preprocessing.image.apply_brightness_shift(X, 0.7)
    out["brightness_plain"] = lambda k: k.preprocessing.image.apply_brightness_shift(
        X * 3 - 50, 1.4, False)
    return out


def labels() -> dict[str, Value]:
    U = "utils"
    return {
        "categorical": lambda k: getattr(k, U).to_categorical([0, 2, 1, 2]),
        "categorical_wide": lambda k: getattr(k, U).to_categorical([[0], [2]], 5),
        "categorical_deep": lambda k: getattr(k, U).to_categorical([[0, 1], [2, 1]], 3, "int32"),
        "normalize": lambda k: getattr(k, U).normalize(PICTURES[0, 0]),
        "normalize_axis": lambda k: getattr(k, U).normalize(PICTURES[0, 0], 0, 1),
    }


def cases() -> dict[str, Value]:
    parts = (texts, sequences, pictures, labels)
    return {f"{p.__name__}/{n}": value for p in parts for n, value in p().items()}
