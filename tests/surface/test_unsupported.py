"""Names that graphc does not have: the table, and the errors of the namespaces."""

from __future__ import annotations

import importlib

import pytest

import graphc as tf
from graphc._unsupported import UNSUPPORTED, reason_of

SPACES = ["train", "nn", "test", "logging", "compat", "gfile", "sysconfig", "examples", "app"]


@pytest.mark.parametrize("symbol", UNSUPPORTED)
def test_each_name_of_the_table_is_absent_and_says_why(symbol):
    *path, last = symbol.split(".")[1:]
    space = tf
    for part in path:
        space = getattr(space, part, None)
        if space is None:
            pytest.skip("its namespace is not there")
    with pytest.raises(AttributeError) as error:
        getattr(space, last)
    assert str(error.value).startswith(f"{symbol} is not supported by graphc: ")


@pytest.mark.parametrize("name", SPACES)
def test_other_names_are_ordinary_attribute_errors(name):
    module = importlib.import_module(f"graphc.{name}")
    with pytest.raises(AttributeError, match=f"module 'graphc.{name}' has no attribute 'nope'"):
        module.nope
    assert not hasattr(tf, "nope")


def test_a_reason_holds_for_everything_below():
    assert reason_of("tf.tpu.RunConfig") == UNSUPPORTED["tf.tpu"]
    assert reason_of("tf.contrib") is None
    assert reason_of("tf.tpux") is None


def test_cluster_names_say_that_there_is_one_process():
    with pytest.raises(
        AttributeError, match=r"tf\.train\.Server is not supported by graphc: graphc"
    ):
        tf.train.Server
    with pytest.raises(AttributeError, match=r"tf\.test\.create_local_cluster is not supported"):
        tf.test.create_local_cluster


def test_reasons_are_short_sentences_without_an_end():
    for symbol, why in UNSUPPORTED.items():
        assert symbol.startswith("tf."), symbol
        assert why and not why.endswith("."), symbol
        assert len(why) < 90, symbol
