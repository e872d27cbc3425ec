"""Variable sharing: reuse errors, AUTO_REUSE, templates, default names, custom getters."""

from __future__ import annotations

import numpy as np

from tests.scripts._errors import raised


def main(tf):
    out, errors = {}, []

    def refused(part, *args, **kwargs):
        call = lambda: tf.get_variable(*args, **kwargs)  # noqa: E731
        errors.append(raised(ValueError, part, call))

    ones = tf.ones_initializer()
    with tf.variable_scope("foo") as foo:
        v = tf.get_variable("v", [1])
        refused("Variable foo/v already exists, disallowed. Did you mean to set reuse=True or "
                "reuse=tf.AUTO_REUSE in VarScope?", "v", [1])  # fmt: skip
        inner_op = v + 1.0
    with tf.variable_scope("foo", reuse=True):
        v1 = tf.get_variable("v", [1])
        refused("Trying to share variable foo/v, but specified shape (2,) and found shape (1,).",
                "v", [2])
        refused("Variable foo/missing does not exist, or was not created with tf.get_variable().",
                "missing", [1])
        refused("Trying to share variable foo/v, but specified dtype float64 and found dtype "
                "float32", "v", [1], dtype=tf.float64)  # fmt: skip
    with tf.variable_scope(foo, reuse=tf.AUTO_REUSE):
        v2 = tf.get_variable("v", [1])
        fresh = tf.get_variable("fresh", [2, 2], initializer=ones)
    refused("fully defined", "partial", [None, 2])
    refused("If initializer is a constant, do not specify shape.", "shape", [2],
            initializer=np.ones([2]))
    refused("noshape", "noshape")
    out["same"] = [v is v1, v1 is v2]

    names = []
    with tf.variable_scope("outer"):
        for _ in range(2):
            with tf.variable_scope(None, default_name="block"):
                names.append(tf.get_variable("w", []).name)
                names.append((tf.constant(1.0) * 2).name)
        with tf.name_scope("ns"):
            names += [tf.get_variable("g", []).name, tf.Variable(1.0, name="p").name]
            names.append(tf.add(1.0, 2.0).name)
        with tf.variable_scope("inner") as scope:
            names += [scope.name, scope.original_name_scope, tf.get_variable_scope().name]
    with tf.variable_scope("outer"):
        names.append((tf.constant(1.0) + 1.0).name)
        with tf.variable_scope(scope):
            names.append((tf.constant(1.0) + 1.0).name)
            names.append(tf.get_variable("jumped", [], initializer=ones).name)
        with tf.variable_scope(scope, auxiliary_name_scope=False):
            names.append(tf.constant(0).name)
    with tf.name_scope("a"), tf.name_scope("b") as ab:
        names += [ab, tf.Variable(0.0, name="x").name, tf.Variable(0.0, name="x").name]
    with tf.name_scope(ab), tf.name_scope("c"):
        names.append(tf.no_op().name)
    with tf.name_scope("a"):
        names.append(tf.no_op().name)
    with tf.name_scope(None):
        names.append(tf.no_op(name="top").name)
    out["names"] = names

    def my_op(x, scalar_name):
        var1 = tf.get_variable(scalar_name, shape=[], initializer=tf.constant_initializer(3.0))
        return x * var1

    template = tf.make_template("scale_by_y", my_op, scalar_name="y")
    r1, r2 = template(tf.constant(2.0)), template(tf.constant(5.0))

    def doubled(getter, name, *args, **kwargs):
        kwargs["trainable"] = False
        return getter(name + "_g", *args, **kwargs) * 2.0

    with tf.variable_scope("custom", custom_getter=doubled, initializer=ones, dtype=tf.float64):
        custom = tf.get_variable("c", [2])
    with tf.variable_scope("reg", regularizer=lambda t: 0.5 * tf.reduce_sum(t**2)):
        kernel = tf.get_variable("kernel", [3], initializer=ones)
        tf.get_variable("free", [3], initializer=ones, regularizer=tf.no_regularizer)
    losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)

    tf.get_variable_scope().reuse_variables()
    refused("Variable late does not exist, or was not created with tf.get_variable().", "late", [1])
    with tf.variable_scope("foo", reuse=False):
        out["inherited"] = tf.get_variable_scope().reuse
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        out["values"] = sess.run([r1, r2, custom, fresh, losses[0], kernel])
    out.update(
        errors=errors, inner=inner_op.name, losses=[t.name for t in losses],
        dtypes=[str(custom.dtype), str(v.dtype.base_dtype), str(kernel.dtype.base_dtype)],
        variables=[v.name for v in tf.global_variables()],
        trainable=len(tf.trainable_variables()),
        collections=[len(tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="outer")),
                     len(tf.get_collection("nothing")), sorted(tf.get_default_graph()
                                                               .get_all_collection_keys())],
    )  # fmt: skip
    return out
