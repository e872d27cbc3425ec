"""Models whose summaries are compared with those of Keras 2, and their rows as cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def cases(keras: Any) -> dict[str, Callable[[], Any]]:
    """name -> a function that makes the model."""
    L, M = keras.layers, keras.models

    def chain() -> Any:
        model = M.Sequential([
            L.Dense(300, input_shape=(40,), name="a"), L.BatchNormalization(name="b"),
            L.Dropout(0.5, name="c"), L.Dense(200, name="d"), L.Reshape((10, 20), name="e"),
        ])  # fmt: skip
        model.layers[0].trainable = False
        return model

    def shared() -> Any:
        a, b = L.Input((4,), name="a"), L.Input((4,), name="b")
        dense = L.Dense(3, name="shared")
        x = L.Concatenate(name="both")([dense(a), dense(b)])
        y = L.Dense(2, name="o2")(L.Dense(5, name="h")(x))
        return M.Model([a, b], [L.Dense(1, name="o1")(x), y])

    def two_chains() -> Any:
        a, b = L.Input((4,), name="a"), L.Input((4,), name="b")
        return M.Model([a, b], [L.Dense(2, name="x")(a), L.Dense(3, name="y")(b)])

    def residual() -> Any:
        a = L.Input((8, 8, 3), name="in")
        x = L.Conv2D(4, 3, padding="same", name="c1")(a)
        x = L.Add(name="add")([L.Conv2D(4, 3, padding="same", name="c2")(x), x])
        ends = [L.GlobalAveragePooling2D(name="gap")(x), L.GlobalMaxPooling2D(name="gmp")(x)]
        return M.Model(a, L.Dense(2, name="out")(L.Concatenate(name="cat")(ends)))

    def nested() -> Any:
        inner = M.Sequential([L.Dense(3, input_shape=(4,), name="d")], name="inner")
        a = L.Input((4,), name="a")
        return M.Model(a, L.Dense(2, name="z")(inner(a)))

    def functional() -> Any:
        a = L.Input((None, 4), name="a")
        return M.Model(a, L.Dense(2, name="z")(L.LSTM(3, name="y")(a)))

    def thrice() -> Any:
        a, dense = L.Input((4,), name="a"), L.Dense(4, name="d")
        return M.Model(a, dense(dense(dense(a))))

    def deferred() -> Any:
        model = M.Sequential([L.Dense(3, name="a"), L.Dense(2, name="b")])
        model.build((None, 5))
        return model

    def out_twice() -> Any:
        a = L.Input((4,), name="a")
        x = L.Dense(2, name="x")(a)
        return M.Model(a, [x, L.Dense(2, name="y")(x)])

    return {
        "chain": chain, "shared": shared, "two_chains": two_chains, "residual": residual,
        "nested": nested, "functional": functional, "thrice": thrice, "deferred": deferred,
        "out_twice": out_twice,
    }  # fmt: skip


def cells(rows: list[str]) -> list[list[str]]:
    """The words of each line of a summary, without rules, sizes in bytes and list brackets.

    What versions of Keras 2 print differently is left out: the model's name, the lines that rule
    off, how lists of connections and large numbers are written.
    """
    out = []
    for line in (part for row in rows for part in row.split("\n")):
        if line.startswith("Model:") or not line.strip("_= "):
            continue
        line = re.sub(r" \(\d[\d.]* [KMG]?B(yte)?\)", "", line)
        if "params:" in line:
            line = line.replace(",", "")
        found = re.split(r"\s{2,}", line.strip())
        tidy = [re.sub(r"^\['|'\]$|'|,$", "", c) for c in found]
        words = [c for c in tidy if c and c != "[]"]
        out.append(words)
    return out
