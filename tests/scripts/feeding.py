"""Feeds and fetches: structures, names, fed intermediates, partial shapes, their errors."""

from __future__ import annotations

import collections

import numpy as np

from tests.scripts._errors import raised

Pair = collections.namedtuple("Pair", "first second")


def main(tf):
    out = {}
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    k = tf.placeholder(tf.int32, name="k")
    any_rank = tf.placeholder(tf.float32, name="any")
    w = tf.Variable(np.arange(6, dtype=np.float32).reshape(3, 2), name="w")
    double = tf.multiply(x, 2.0, name="double")
    prod = tf.matmul(double, w, name="prod")
    row = tf.reduce_sum(prod, 1, name="row")
    scaled = tf.cast(k, tf.float32) * row
    default = tf.placeholder_with_default(tf.constant([1.0, 2.0]), [None], name="default")
    flat = tf.reshape(any_rank, [-1])
    dynamic = tf.zeros([tf.shape(x)[0], 2]) + tf.to_float(tf.range(tf.shape(x)[0]))[:, None]
    last = x[-1]
    data = [[1, 2, 3], [4, 5, 6]]
    with tf.Session() as sess:
        sess.run(w.initializer)
        out["list"] = sess.run([row, [prod, (double,)]], {x: data})
        out["dict"] = sess.run({"a": row, "b": {"c": [prod, "double:0"]}}, {"x:0": data})
        pair = sess.run(Pair(row, prod.op), {x: np.array(data)})
        out["pair"] = [type(pair).__name__, pair.first, pair.second]
        ordered = sess.run(collections.OrderedDict([("z", row), ("y", w)]), {x: data})
        out["ordered"] = [type(ordered).__name__, list(ordered)]
        out["tuple"] = [type(sess.run((row,), {x: data})).__name__, sess.run([])]
        out["by_name"] = sess.run(["row:0", "prod"], {"x:0": data})
        out["middle"] = sess.run(row, {double: np.ones([2, 3])})
        out["fed_fetch"] = sess.run([double, row], {double: np.full([1, 3], 4.0)})
        out["fed_variable"] = sess.run(prod, {x: data, w: np.ones([3, 2])})
        out["scalar"] = sess.run(scaled, {k: 3, x: data})
        out["default"] = [sess.run(default), sess.run(default * 2, {default: [5.0]})]
        for value in (2.5, [1.0, 2.0], np.ones([2, 2, 2])):
            out.setdefault("ranks", []).append(sess.run(flat, {any_rank: value}))
        out["dynamic"] = [sess.run([dynamic, last], {x: np.ones([n, 3]) * n}) for n in (1, 4)]
        out["kinds"] = [type(sess.run(t, {x: data, k: 1})).__name__ for t in
                        (scaled, row[0], tf.shape(x), tf.size(x), tf.equal(k, 1))]  # fmt: skip
        fn = sess.make_callable([row, prod], feed_list=[x])
        out["callable"] = fn(np.array(data, np.float32))
        out["errors"] = [raised(*case) for case in [
            (tf.errors.InvalidArgumentError,
             "You must feed a value for placeholder tensor 'x' with dtype float and shape [?,3]",
             lambda: sess.run(row)),
            (ValueError, "Cannot feed value of shape (2,) for Tensor",
             lambda: sess.run(row, {x: [1.0, 2.0]})),
            (ValueError, "which has shape", lambda: sess.run(row, {x: np.ones([2, 4])})),
            (TypeError, "is not compatible with Tensor type int32",
             lambda: sess.run(scaled, {k: 1.5, x: data})),
            (TypeError, "The value of a feed cannot be a tf.Tensor object.",
             lambda: sess.run(row, {x: tf.constant(data)})),
            (TypeError, "Cannot interpret feed_dict key as Tensor: The name 'nope:0'",
             lambda: sess.run(row, {"nope:0": data})),
            (TypeError, "Cannot interpret feed_dict key as Tensor: Can not convert a int",
             lambda: sess.run(row, {3: data})),
            (TypeError, "None has invalid type", lambda: sess.run(None)),
            (TypeError, "Can not convert a int into a Tensor or Operation",
             lambda: sess.run([row, 7], {x: data})),
            (ValueError, "The name 'nothing' refers to an Operation not in the graph",
             lambda: sess.run("nothing", {x: data})),
            (ValueError, "The operation, 'nothing', does not exist in the graph",
             lambda: sess.run("nothing:0", {x: data})),
            (ValueError, "could not convert string to float", lambda: sess.run(row, {x: "text"})),
            (tf.errors.InvalidArgumentError,
             "Input to reshape is a tensor with 3 values, but the requested shape has 4",
             lambda: sess.run(tf.reshape(any_rank, [2, 2]), {any_rank: [1.0, 2.0, 3.0]})),
            (tf.errors.InvalidArgumentError, "",
             lambda: sess.run(x + any_rank, {x: data, any_rank: np.ones([5])})),
            (tf.errors.InvalidArgumentError, "",
             lambda: sess.run(tf.matmul(any_rank, w), {any_rank: np.ones([2, 5])})),
            (tf.errors.InvalidArgumentError, "indices[0] = 5 is not in [0, 3)",
             lambda: sess.run(tf.gather(w, [5]))),
            (tf.errors.FailedPreconditionError, "Attempting to use uninitialized value late",
             lambda: sess.run(tf.Variable(1.0, name="late"))),
            (TypeError, "as a Python `bool` is not allowed", lambda: bool(row)),
            (TypeError, "", lambda: list(row)),
            ((TypeError, ValueError), "int32", lambda: x + tf.constant([1, 2, 3])),
            (ValueError, "Dimensions must be equal, but are 3 and 4 for",
             lambda: tf.matmul(x, tf.ones([4, 2]))),
            (ValueError, "Dimensions must be equal, but are 3 and 4 for",
             lambda: tf.ones([2, 3]) + tf.ones([4])),
            (ValueError, "Dimension 0 in both shapes must be equal, but are 2 and 3. Shapes are",
             lambda: tf.concat([tf.ones([2, 3]), tf.ones([3, 3])], 1)),
            (ValueError, "Cannot reshape a tensor with 6 elements to shape [4,2] (8 elements)",
             lambda: tf.reshape(tf.ones([6]), [4, 2])),
            (ValueError, "", lambda: x.set_shape([None, 4])),
            (TypeError, "string", lambda: tf.constant("a") + 1),
            (ValueError, "The name 'row' refers to an Operation, not a Tensor.",
             lambda: tf.get_default_graph().get_tensor_by_name("row")),
            (KeyError, "The name 'gone' refers to an Operation not in the graph.",
             lambda: tf.get_default_graph().get_operation_by_name("gone")),
        ]]  # fmt: skip
    other = tf.Graph()
    with other.as_default():
        foreign = tf.constant(1.0, name="foreign")
    out["foreign"] = [raised(*case) for case in [
        (ValueError, "must be from the same graph as", lambda: row + foreign),
        (ValueError, "No default session is registered.", lambda: foreign.eval()),
        (RuntimeError, "Attempted to use a closed Session.", lambda: sess.run(row, {x: data})),
        (RuntimeError, "The Session graph is empty.",
         lambda: tf.Session(graph=tf.Graph()).run(foreign)),
        (ValueError, "is not an element of this graph.", lambda: tf.Session().run(foreign)),
    ]]  # fmt: skip
    out["shapes"] = [str(t.shape) for t in (x, k, any_rank, flat, dynamic, last, default, row)]
    out["dims"] = [x.shape[0].value, x.shape[1].value, x.shape.as_list(), k.shape.ndims,
                   int(x.get_shape()[1]), x.shape.is_fully_defined(), repr(x.shape[0])]
    out["reprs"] = [repr(x), str(row), repr(w), repr(w.initializer.type), str(x.dtype)]
    return out
