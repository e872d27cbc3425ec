"""What fusion is worth: the same expressions as one kernel and as one kernel an op.

    python examples/fused_vs_unfused.py
    graphc compare examples/fused_vs_unfused.py:build
"""

from __future__ import annotations

import numpy as np

import graphc as tf
from graphc.inspect.compare import compare

SIZE = 1 << 22


def build():
    """A chain of elementwise ops: limited by memory unless it is fused."""
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.tanh(x * 2 + 1) * tf.exp(-x * x) + tf.sqrt(tf.abs(x))
    return y, {x: np.random.default_rng(0).standard_normal(SIZE, dtype=np.float32)}


def build_layer_norm():
    """Layer norm written out by hand: two reductions and their epilogue in one pass a row."""
    x = tf.placeholder(tf.float32, [None, 1024], name="x")
    scale = tf.placeholder(tf.float32, [1024], name="scale")
    offset = tf.placeholder(tf.float32, [1024], name="offset")
    mean = tf.reduce_mean(x, 1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), 1, keepdims=True)
    y = (x - mean) * tf.rsqrt(variance + 1e-5) * scale + offset
    rng = np.random.default_rng(0)
    feeds = {
        x: rng.standard_normal((2048, 1024), dtype=np.float32),
        scale: rng.standard_normal(1024, dtype=np.float32),
        offset: rng.standard_normal(1024, dtype=np.float32),
    }
    return y, feeds


def main():
    for name, function in (("elementwise chain", build), ("layer norm", build_layer_norm)):
        result = compare(function)
        print(f"-- {name}\n{result}\n")


if __name__ == "__main__":
    main()
