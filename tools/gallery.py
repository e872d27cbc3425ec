"""Makes docs/gallery: what each of the tools says of four training graphs.

    python -m tools.gallery [NAME ...] [--seconds 2] [--runs 50]

It waits for a quiet machine before what it measures, but not for long. The targets are the
examples' and `transformer`, here: twelve layers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import graphc as tf
from graphc.inspect.cli import main as graphc
from tools import screenshots
from tools.bench.load import wait_for_quiet

FOLDER = Path("docs/gallery")
TARGETS = {
    "mlp": "examples/mlp_digits.py:build",
    "cnn": "examples/cnn_digits.py:build",
    "lstm": "examples/lstm_series.py:build",
    "transformer": "tools/gallery.py:transformer",
}
LAYERS, WIDTH, HEADS, LENGTH, BATCH, WORDS = 12, 128, 4, 64, 8, 256
PAGE_VIEW = "kernels&step=fused:8"  # of the digits network: a product with what is fused to it
QUIET_SECONDS = 20.0
TRIES = 3


# ------------------------------------------------------------------ the transformer
def transformer() -> tuple[Any, dict[Any, Any]]:
    """One training step of a decoder: twelve layers of causal attention and their Adam."""
    words = tf.placeholder(tf.int32, [None, LENGTH], name="words")
    following = tf.placeholder(tf.int32, [None, LENGTH], name="following")
    table = tf.get_variable("table", [WORDS, WIDTH])
    x = tf.gather(table, words) + tf.get_variable("positions", [LENGTH, WIDTH])
    for number in range(LAYERS):
        with tf.variable_scope(f"layer{number}"):
            x = x + _attention(_norm(x, "norm1"))
            inner = tf.layers.dense(_norm(x, "norm2"), 4 * WIDTH, tf.nn.relu, name="inner")
            x = x + tf.layers.dense(inner, WIDTH, name="outer")
    rows = tf.reshape(_norm(x, "norm"), [-1, WIDTH])
    logits = tf.matmul(rows, table, transpose_b=True, name="logits")
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.reshape(following, [-1]), logits=logits
    )
    loss = tf.reduce_mean(losses, name="loss")
    train = tf.train.AdamOptimizer(1e-3).minimize(loss)
    rng = np.random.default_rng(0)
    feeds = {t: rng.integers(0, WORDS, (BATCH, LENGTH), np.int32) for t in (words, following)}
    return [loss, train], feeds


def _norm(x: Any, name: str) -> Any:
    with tf.variable_scope(name):
        scale = tf.get_variable("scale", [WIDTH], initializer=tf.ones_initializer())
        offset = tf.get_variable("offset", [WIDTH], initializer=tf.zeros_initializer())
        mean, variance = tf.nn.moments(x, [-1], keep_dims=True)
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-5)


def _attention(x: Any) -> Any:
    parts = tf.layers.dense(x, 3 * WIDTH, name="attention")
    heads = tf.reshape(parts, [-1, LENGTH, 3, HEADS, WIDTH // HEADS])
    query, key, value = tf.unstack(tf.transpose(heads, [2, 0, 3, 1, 4]))
    scores = tf.matmul(query, key, transpose_b=True) * (WIDTH // HEADS) ** -0.5
    later = np.triu(np.full((LENGTH, LENGTH), -1e9, np.float32), 1)
    mixed = tf.matmul(tf.nn.softmax(scores + later), value)
    joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, LENGTH, WIDTH])
    return tf.layers.dense(joined, WIDTH, name="mix")


# ------------------------------------------------------------------ the gallery
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(TARGETS)}; default all")
    parser.add_argument("--seconds", default="2")
    parser.add_argument("--runs", default="50")
    args = parser.parse_args(argv)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in args.names or TARGETS:
        print(name, flush=True)
        _make(name, TARGETS[name], args.seconds, args.runs)
    return 0


def _make(name: str, target: str, seconds: str, runs: str) -> None:
    path = FOLDER / name
    _run("viz", target, "-o", f"{path}_fused.svg", "--what", "fused", "--runs", runs)
    _run("explain", target, output=f"{path}_explain.txt")
    sides = ["--sides", "fused,unfused,reference"]
    _run("compare", target, "--seconds", seconds, *sides, "-o", f"{path}_compare.png",
         output=f"{path}_compare.txt")  # fmt: skip
    _run("profile", target, "--runs", runs, "-o", f"{path}_profile.png",
         output=f"{path}_profile.txt")  # fmt: skip
    if name == "mlp":  # of the rest, one is enough
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, "page.html")
            _run("viz", target, "-o", str(page), "--runs", runs)
            screenshots.take(page, f"{path}_page", PAGE_VIEW)
        _run("viz", target, "-o", f"{path}_user.svg", "--runs", "0")
        _run("explain", target, "--details", output=f"{path}_explain_details.txt")
        _run("profile", target, "--runs", "5", "-o", f"{path}_trace.json")


def _run(*words: str, output: str | None = None) -> None:
    """A command of graphc; what it prints goes to a file. Again where others disturbed it."""
    for _ in range(TRIES):
        wait_for_quiet(QUIET_SECONDS)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = graphc(words)
        if code:
            raise SystemExit(code)
        if "other programs kept" not in printed.getvalue():
            break
    if output is not None:
        Path(output).write_text(printed.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
