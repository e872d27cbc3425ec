"""get_variable and variable_scope: prefixes, reuse, inheritance and texts as in TensorFlow 1."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf
from tests.front.conftest import op_names


def zeros() -> tf.Tensor:
    return tf.zeros_initializer()


def test_two_stacks_of_names() -> None:
    seen = []
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE):
        v = tf.get_variable("w", [2, 2], initializer=tf.constant_initializer(1.0))
        for _ in range(2):
            with tf.variable_scope("b") as s:
                seen.append((s.name, s.original_name_scope, tf.constant(1.0, name="c").name))
    with tf.variable_scope(s) as again:
        seen.append((again.name, again.original_name_scope, tf.constant(1.0, name="c").name))
    assert v.name == "a/w:0"
    # checked against TensorFlow
    assert seen == [
        ("a/b", "a/b/", "a/b/c:0"), ("a/b", "a/b_1/", "a/b_1/c:0"), ("a/b", "a/b_1/", "b/c:0"),
    ]  # fmt: skip
    assert op_names()[:4] == ["a/w/Initializer/Const", "a/w", "a/w/Assign", "a/w/read"]


def test_get_variable_ignores_name_scopes() -> None:
    with tf.name_scope("n"):
        assert tf.get_variable("w", [1], initializer=zeros()).name == "w:0"


def test_default_names_are_unique_within_the_enclosing_scope() -> None:
    names = []
    for _ in range(2):
        with tf.variable_scope(None, default_name="dense") as s:
            names.append(s.name)
    for _ in range(2):
        with tf.variable_scope("a"), tf.variable_scope(None, "x") as s:
            names.append(s.name)
    with tf.variable_scope("a"):
        for _ in range(2):
            with tf.variable_scope(None, "x") as s:
                names.append(s.name)
    assert names == ["dense", "dense_1", "a/x", "a/x", "a/x", "a/x_1"]


def test_reuse_is_inherited_and_cannot_be_switched_off() -> None:
    with tf.variable_scope("a"):
        v = tf.get_variable("b/w", [2], initializer=zeros())
    with tf.variable_scope("a", reuse=True), tf.variable_scope("b", reuse=False):
        assert tf.get_variable("w", [2]) is v
        assert tf.get_variable_scope().reuse is True
    with tf.variable_scope("a") as s:
        assert not s.reuse
        s.reuse_variables()
        assert tf.get_variable("b/w") is v
    with tf.variable_scope(tf.get_variable_scope(), reuse=True) as root:
        assert (root.name, root.reuse) == ("", True)
        assert tf.get_variable("a/b/w") is v
    with pytest.raises(ValueError, match=r"reuse=True cannot be used without a name_or_scope"):
        tf.variable_scope(None, "x", reuse=True).__enter__()


def test_auto_reuse_makes_and_shares() -> None:
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE), tf.variable_scope("b"):
        v = tf.get_variable("w", [2], initializer=zeros())
        assert tf.get_variable("w", [2]) is v


def _twice() -> None:
    tf.get_variable("w", [2], initializer=zeros())
    tf.get_variable("w", [2], initializer=zeros())


def _missing() -> None:
    with tf.variable_scope("a", reuse=True):
        tf.get_variable("w", [2])


def _other(shape: list[int], dtype: tf.DType) -> None:
    tf.get_variable("w", [2], initializer=zeros())
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        tf.get_variable("w", shape, dtype)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (_twice, "Variable w already exists, disallowed. Did you mean to set reuse=True or "
         "reuse=tf.AUTO_REUSE in VarScope? Originally defined at:\n\n"),
        (_missing, "Variable a/w does not exist, or was not created with tf.get_variable(). Did "
         "you mean to set reuse=tf.AUTO_REUSE in VarScope?"),
        (lambda: _other([3], tf.float32),
         "Trying to share variable w, but specified shape (3,) and found shape (2,)."),
        (lambda: _other([2], tf.int32),
         "Trying to share variable w, but specified dtype int32 and found dtype float32_ref."),
        (lambda: tf.get_variable("w", [2, None]),
         "Shape of a new variable (w) must be fully defined, but instead was (2, ?)."),
        (lambda: tf.get_variable("w"),
         "Shape of a new variable (w) must be fully defined, but instead was <unknown>."),
        (lambda: tf.get_variable("w", [2], initializer=tf.constant([1.0, 2.0])),
         "If initializer is a constant, do not specify shape."),
        (lambda: tf.get_variable("w", dtype=tf.float64, initializer=[1.0]),
         "Initializer type '<dtype: 'float32'>' and explicit dtype '<dtype: 'float64'>' don't"),
    ],
)  # fmt: skip
def test_texts(build, text) -> None:
    with pytest.raises(ValueError) as err:
        build()
    assert text in str(err.value)


def test_dtype_of_constant_initializers() -> None:
    assert tf.get_variable("i", initializer=3).dtype == tf.int32
    assert tf.get_variable("d", initializer=np.float64(3)).dtype == tf.float64
    assert tf.get_variable("t", initializer=tf.constant(1.0)).name == "t:0"


def test_integers_start_at_zero_and_floats_at_glorot(sess) -> None:
    i = tf.get_variable("i", [3], tf.int32)
    w = tf.get_variable("w", [30, 20])
    sess.run(tf.global_variables_initializer())
    assert sess.run(i).tolist() == [0, 0, 0]
    limit = np.sqrt(6 / 50)
    values = sess.run(w)
    assert np.abs(values).max() <= limit
    assert abs(values.std() - limit / np.sqrt(3)) < 0.02


def test_scopes_hand_down_defaults(sess) -> None:
    def regularizer(t):
        return tf.identity(t, name="reg")

    two = tf.constant_initializer(2.0)
    a = tf.variable_scope("a", initializer=two, regularizer=regularizer, dtype=tf.float64)
    with a, tf.variable_scope("b"):
        v = tf.get_variable("w", [2])
        w = tf.get_variable("u", [2], regularizer=tf.no_regularizer)
    sess.run(tf.global_variables_initializer())
    assert sess.run(v).tolist() == [2.0, 2.0]
    assert (v.dtype, w.dtype) == (tf.float64, tf.float64)
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    assert [t.name for t in losses] == ["a/b/w/Regularizer/reg:0"]


def test_custom_getters_nest_inner_first() -> None:
    log = []

    def outer(getter, name, *args, **kwargs):
        log.append(("outer", name, kwargs["shape"]))
        return getter(name, *args, **kwargs)

    def inner(getter, name, *args, **kwargs):
        log.append(("inner", name))
        kwargs["trainable"] = False
        return getter(name, *args, **kwargs)

    a = tf.variable_scope("a", custom_getter=outer)
    with a, tf.variable_scope("b", custom_getter=inner):
        v = tf.get_variable("w", [2], initializer=zeros())
    assert log == [("inner", "a/b/w"), ("outer", "a/b/w", [2])]
    assert tf.trainable_variables() == []
    assert v.name == "a/b/w:0"


def test_initializer_functions_of_every_form(sess) -> None:
    v = tf.get_variable("a", [2], initializer=lambda shape, dtype, partition_info: tf.constant(
        3.0, dtype, shape))  # fmt: skip
    w = tf.get_variable("b", [2], initializer=lambda shape, dtype: tf.constant(4.0, dtype, shape))
    x = tf.get_variable("c", initializer=lambda: tf.constant([5.0, 5.0]))
    y = tf.get_variable("d", [2], initializer=tf.ones_initializer)
    sess.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(sess.run([v, w, x, y]), [[3, 3], [4, 4], [5, 5], [1, 1]])


def test_local_variables() -> None:
    v = tf.get_local_variable("l", [1], initializer=zeros())
    assert tf.local_variables() == [v]
    assert tf.global_variables() == tf.trainable_variables() == []


def test_scope_collections() -> None:
    with tf.variable_scope("a") as s:
        v = tf.get_variable("w", [1], initializer=zeros())
    tf.get_variable("ab", [1], initializer=zeros())
    assert s.trainable_variables() == s.global_variables() == [v]


def test_templates_share_their_variables() -> None:
    def dense(x):
        return x * tf.get_variable("w", [2], initializer=zeros())

    layer = tf.make_template("layer", dense)
    one, two = layer(tf.constant([1.0, 1.0])), layer(tf.constant([2.0, 2.0]))
    other = tf.make_template("layer", dense)
    other(tf.constant([1.0, 1.0]))
    assert [v.name for v in tf.global_variables()] == ["layer/w:0", "layer_1/w:0"]
    assert one is not two


def test_scopes_must_nest() -> None:
    a, b = tf.variable_scope("a"), tf.variable_scope("b")
    a.__enter__()
    b.__enter__()
    with pytest.raises(RuntimeError, match=r"Improper nesting of variable_scope."):
        a.__exit__(None, None, None)
