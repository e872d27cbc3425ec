"""Hashes of strings are TensorFlow's, bit for bit."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

import graphc as tf
from graphc.ops.hashing import siphash

SAID = json.loads((Path(__file__).parents[1] / "fixtures" / "records.json").read_text())["hashes"]
WORDS = [base64.b64decode(w["b64"]) for w in SAID["words"]]


def run(fetch):
    with tf.Session() as sess:
        return sess.run(fetch).tolist()


def test_fingerprints_are_farmhash() -> None:
    words = tf.constant(WORDS)
    assert run(tf.string_to_hash_bucket_fast(words, 2**62)) == SAID["fast"]
    assert run(tf.strings.to_hash_bucket_fast(words, 10)) == SAID["fast_10"]


def test_strong_hashes_are_siphash() -> None:
    words = tf.constant(WORDS)
    assert run(tf.string_to_hash_bucket_strong(words, 2**62, key=[3, -5])) == SAID["strong"]
    # the test vector of the paper: key 00..0f, message 00..0e
    key = int.from_bytes(bytes(range(8)), "little"), int.from_bytes(bytes(range(8, 16)), "little")
    assert siphash(bytes(range(15)), key) == 0xA129CA6149BE45E5


def test_the_old_hash() -> None:
    words = tf.constant(WORDS)
    assert run(tf.string_to_hash_bucket(words, 2**62)) == SAID["old"]
    assert run(tf.strings.to_hash_bucket(["a"], 10)) == [8]


def test_shapes_stay() -> None:
    fed = tf.placeholder(tf.string, [None, 2])
    buckets = tf.string_to_hash_bucket_fast(fed, 100)
    assert buckets.shape.as_list() == [None, 2] and buckets.dtype == tf.int64
    with tf.Session() as sess:
        assert sess.run(buckets, {fed: [["a", "b"]]}).shape == (1, 2)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="passed 0 less than minimum 1"):
        tf.string_to_hash_bucket_fast(["a"], 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Key must have 2 elements"):
        tf.string_to_hash_bucket_strong(["a"], 10, key=[1])
    with pytest.raises(TypeError, match="Expected string"):
        tf.string_to_hash_bucket_fast([1], 10)
