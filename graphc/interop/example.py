"""tf.train.Example, tf.train.SequenceExample and the messages that they are made of.

Lives here: their tables. Not here: reading them into tensors (ops/parsing.py). Imports
interop.wire only.
"""

from __future__ import annotations

from graphc.interop.wire import Message

__all__ = [
    "BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList",
    "Int64List", "SequenceExample",
]  # fmt: skip


class BytesList(Message):
    """tf.train.BytesList(value=[b"..."])."""

    TABLE = "1 value *bytes"


class FloatList(Message):
    """tf.train.FloatList(value=[1.5]): numbers are rounded to float32."""

    TABLE = "1 value *float"


class Int64List(Message):
    """tf.train.Int64List(value=[1])."""

    TABLE = "1 value *int64"


class Feature(Message):
    """tf.train.Feature: one of three lists; WhichOneof("kind") says which."""

    TABLE = """
        1 bytes_list BytesList@kind
        2 float_list FloatList@kind
        3 int64_list Int64List@kind
    """


class Features(Message):
    """tf.train.Features(feature={"name": tf.train.Feature(...)})."""

    TABLE = "1 feature map:string:Feature"


class FeatureList(Message):
    """tf.train.FeatureList(feature=[...]): a feature's values, one a step of a sequence."""

    TABLE = "1 feature *Feature"


class FeatureLists(Message):
    """tf.train.FeatureLists(feature_list={"name": tf.train.FeatureList(...)})."""

    TABLE = "1 feature_list map:string:FeatureList"


class Example(Message):
    """tf.train.Example(features=tf.train.Features(...))."""

    TABLE = "1 features Features"


class SequenceExample(Message):
    """tf.train.SequenceExample: features of the whole sequence, and of each step."""

    TABLE = """
        1 context Features
        2 feature_lists FeatureLists
    """
