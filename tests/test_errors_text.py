"""Bad input: TensorFlow 1's types, texts with the user's line, a session that lives on.

Every case runs in a session that holds a trained-looking variable and a counter. It must raise the
stated type, name this file and the line marked in the case, and leave the session able to run with
its variables as they were.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc as tf

HERE = re.escape(__file__)
VALUES = np.array([1.5, -2.5, 4.0], np.float32)


@dataclass
class World:
    """A session with variables that no failing run may change."""

    session: Any
    weights: Any
    counter: Any
    step: Any

    def run(self, *args: Any) -> Any:
        return self.session.run(*args)

    def train(self, *extra: Any) -> list[Any]:
        """Fetches whose run would change both variables."""
        return [self.step, *extra]


@pytest.fixture
def world() -> Iterator[World]:
    graph = tf.Graph()
    with graph.as_default():
        weights = tf.Variable(VALUES, name="weights")
        counter = tf.Variable(7, name="counter", trainable=False)
        step = tf.group(tf.assign_add(counter, 1), tf.assign_sub(weights, weights * 0.5))
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            made = World(session, weights, counter, step)
            yield made
            if not session._closed:
                usable(made)


def usable(world: World) -> None:
    """Nothing of the variables is lost, and a training run works."""
    np.testing.assert_array_equal(world.run(world.weights), VALUES)
    assert world.run(world.counter) == 7
    world.run(world.step)
    np.testing.assert_array_equal(world.run(world.weights), VALUES / 2)
    assert world.run(world.counter) == 8


def fails(kind: type, text: str, call: Callable[[], Any], line: int | None = None) -> Exception:
    """`call` raises `kind` with `text`, and names this file (and the line `line`, if given)."""
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert text in message, message
    where = rf"{HERE}:{line}\b" if line is not None else rf"{HERE}:\d+"
    assert re.search(where, message), message
    for word in ("numba", "llvm", "s0", "site-packages"):
        assert word not in message.lower().replace(__file__.lower(), ""), message
    return caught.value


def line() -> int:
    """The line of the caller, for cases that name the very line of an op."""
    import sys

    return sys._getframe(1).f_lineno


# ------------------------------------------------------------------ while the graph is built
def test_shape_conflict(world: World) -> None:
    a, here = tf.placeholder(tf.float32, [2, 3], name="a"), line()
    b = tf.placeholder(tf.float32, [4, 5], name="b")
    fails(ValueError, "Dimensions must be equal, but are 3 and 4", lambda: tf.matmul(a, b), here)
    fails(ValueError, "input shapes: [2,3], [4,5]", lambda: a + b, here)
    fails(ValueError, "a:0 [2,3], made at", lambda: tf.concat([a, b], 0), here)


def test_dtype_conflict(world: World) -> None:
    a, here = tf.constant([1, 2], name="ints"), line()
    b = tf.constant([1.0, 2.0])
    fails(
        TypeError,
        "Input 'y' of 'Add' Op has type int32 that does not match type float32 of argument 'x'.",
        lambda: tf.add(b, a),
        here,
    )
    fails(
        ValueError,
        "Tensor conversion requested dtype float32 for Tensor with dtype int32",
        lambda: b + a,
        here,
    )


def test_missing_gradient(world: World) -> None:
    with pytest.raises(ValueError, match="No gradients provided for any variable") as caught:
        loss, here = tf.reduce_sum(tf.floor(world.weights)), line()
        tf.train.GradientDescentOptimizer(0.1).minimize(loss, var_list=[world.weights])
    assert f"{__file__}:{here}" in str(caught.value)


def test_an_op_without_gradient_is_named_with_its_path(world: World) -> None:
    x = tf.placeholder(tf.float32, [3])
    (y, _), here = tf.unique(x, name="distinct"), line()
    wanted = tf.reduce_sum(tf.square(y), name="total")
    fails(
        LookupError,
        "No gradient defined for operation 'distinct' (op type: Unique)",
        lambda: tf.gradients(wanted, x),
        here,
    )


def test_constants_beyond_a_graph(world: World) -> None:
    huge = np.broadcast_to(np.float32(0), (1 << 30,))
    fails(ValueError, "larger than 2GB", lambda: tf.constant(huge))


# ------------------------------------------------------------------ fetches and feeds
def test_unknown_names(world: World) -> None:
    tf.identity(world.weights, name="known")
    with world.session.as_default():
        fails(
            ValueError,
            "Fetch argument 'nope:0' cannot be interpreted as a Tensor. (The name 'nope:0' refers "
            "to a Tensor which does not exist.",
            lambda: world.run("nope:0"),
        )
        fails(
            ValueError,
            "(The name 'known:1' refers to a Tensor which does not exist.",
            lambda: world.run("known:1"),
        )
        fails(
            TypeError,
            "Cannot interpret feed_dict key as Tensor: The name 'nope:0' refers to a Tensor",
            lambda: world.run("known:0", {"nope:0": 1.0}),
        )


@pytest.mark.parametrize("fetch", [None, 3, [None], {"a": 2.5}])
def test_fetches_that_are_none(world: World, fetch: Any) -> None:
    fails(TypeError, "has invalid type", lambda: world.run(fetch))


def test_fed_shape(world: World) -> None:
    x, here = tf.placeholder(tf.float32, [None, 3], name="x"), line()
    text = "Cannot feed value of shape (2,) for Tensor 'x:0', which has shape '(?, 3)'"
    fetch = world.train(x * 2)
    fails(ValueError, text, lambda: world.run(fetch, {x: [1.0, 2.0]}), here)
    # known fetches and feeds take another way
    usable_sum = tf.reduce_sum(x)
    assert world.run(usable_sum, {x: np.ones((2, 3))}) == 6
    fails(ValueError, text, lambda: world.run(usable_sum, {x: [1.0, 2.0]}), here)
    call = world.session.make_callable(usable_sum, [x])
    fails(ValueError, text, lambda: call([1.0, 2.0]), here)


def test_fed_dtype(world: World) -> None:
    x, here = tf.placeholder(tf.int8, [], name="x"), line()
    y = tf.placeholder(tf.float32, [2], name="y")
    text = "Type of feed value 300 with type <class 'int'> is not compatible with Tensor type"
    fails(TypeError, text, lambda: world.run(world.train(x + 1), {x: 300}), here)
    fails(ValueError, "could not convert string", lambda: world.run(y * 2, {y: ["a", "b"]}))
    fails(ValueError, "Cannot feed this value", lambda: world.run(y * 2, {y: [[1], [1, 2]]}))
    fails(TypeError, "Cannot feed this value", lambda: world.run(y * 2, {y: {}}))


def test_missing_feed(world: World) -> None:
    x, here = tf.placeholder(tf.float32, [None, 3], name="x"), line()
    text = "You must feed a value for placeholder tensor 'x' with dtype float and shape [?,3]"
    err = fails(
        tf.errors.InvalidArgumentError, text, lambda: world.run(world.train(x + 1)), here
    )
    assert isinstance(err, tf.OpError) and err.op is x.op


def test_a_tensor_is_fed(world: World) -> None:
    x, here = tf.placeholder(tf.float32, [3], name="x"), line()
    text = "The value of a feed cannot be a tf.Tensor object."
    fails(TypeError, text, lambda: world.run(x * 2, {x: tf.zeros([3])}), here)
    fails(TypeError, text, lambda: world.run(x * 2, {x: world.weights}), here)


def test_wrong_graph(world: World) -> None:
    with tf.Graph().as_default():
        other, here = tf.placeholder(tf.float32, [3], name="other"), line()
        doubled = other * 2
    fails(ValueError, "is not an element of this graph.", lambda: world.run(doubled))
    fails(
        TypeError,
        "Cannot interpret feed_dict key as Tensor: Tensor Tensor(\"other:0\", shape=(3,), "
        "dtype=float32) is not an element of this graph.",
        lambda: world.run(world.weights, {other: VALUES}),
        here,
    )
    with pytest.raises(ValueError, match="must be from the same graph"):
        other + world.weights


# ------------------------------------------------------------------ while a graph runs
def test_uninitialised_variable(world: World) -> None:
    late, here = tf.Variable([1.0, 2.0], name="late"), line()
    for fetch in (late, world.train(late * 2), tf.assign_add(late, [1.0, 1.0])):
        err = fails(
            tf.errors.FailedPreconditionError,
            "Attempting to use uninitialized value late",
            lambda fetch=fetch: world.run(fetch),
            here,
        )
        assert err.op is late.op


def test_closed_session(world: World) -> None:
    call = world.session.make_callable(world.weights)
    world.session.close()
    text = "Attempted to use a closed Session."
    fails(RuntimeError, text, lambda: world.run(world.weights))
    fails(RuntimeError, text, call)
    fails(RuntimeError, text, lambda: world.run(world.step))


def test_shapes_that_conflict_only_in_a_run(world: World) -> None:
    a = tf.placeholder(tf.float32, [None, None])
    b = tf.placeholder(tf.float32, [None, None])
    product, here = tf.matmul(a, b, name="product"), line()
    feeds = {a: np.ones((2, 3)), b: np.ones((4, 5))}
    fails(
        tf.errors.InvalidArgumentError,
        "must be equal, but are 3 and 4",
        lambda: world.run(world.train(product), feeds),
        here,
    )
    total, here = a + b, line()
    fails(
        tf.errors.InvalidArgumentError,
        "Incompatible shapes: [2,3] vs. [4,5]",
        lambda: world.run(world.train(total), feeds),
        here,
    )
    flat, here = tf.reshape(a, [2, 2]), line()
    fails(
        tf.errors.InvalidArgumentError,
        "Input to reshape is a tensor with 6 values, but the requested shape has 4",
        lambda: world.run(world.train(flat), {a: np.ones((2, 3))}),
        here,
    )


def test_integer_division_by_zero(world: World) -> None:
    x = tf.placeholder(tf.int32, [None])
    y, here = tf.constant([4, 6]) // x, line()
    z = tf.floormod(tf.constant([4, 6]), x)
    for fetch in (y, world.train(y), world.train(tf.reduce_sum(y * 2))):
        fails(
            tf.errors.InvalidArgumentError,
            "Integer division by zero",
            lambda fetch=fetch: world.run(fetch, {x: [2, 0]}),
            here,
        )
    fails(tf.errors.InvalidArgumentError, "by zero", lambda: world.run(z, {x: [0, 1]}))
    assert world.run(y, {x: [2, 3]}).tolist() == [2, 2]


def test_indices_out_of_range(world: World) -> None:
    at = tf.placeholder(tf.int32, [None])
    rows, here = tf.gather(world.weights, at), line()
    for bad in (3, -1):
        fails(
            tf.errors.InvalidArgumentError,
            f"indices[1] = {bad} is not in [0, 3)",
            lambda bad=bad: world.run(world.train(rows), {at: [0, bad]}),
            here,
        )
    np.testing.assert_array_equal(world.run(rows, {at: [2, 0]}), VALUES[[2, 0]])


def test_labels_out_of_range(world: World) -> None:
    labels = tf.placeholder(tf.int32, [None])
    logits = tf.reshape(tf.tile(world.weights, [2]), [2, 3])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits
    losses, here = loss(labels=labels, logits=logits), line()
    train = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean(losses))
    for fetch in (losses, [train, losses], world.train(train)):
        fails(
            tf.errors.InvalidArgumentError,
            "Received a label value of 3 which is outside the valid range of [0, 3)",
            lambda fetch=fetch: world.run(fetch, {labels: [0, 3]}),
            here,
        )


def test_hunting_nan() -> None:
    graph = tf.Graph()
    with graph.as_default():
        weights = tf.Variable(VALUES, name="weights")
        x = tf.placeholder(tf.float32, [3])
        root, here = tf.sqrt(x, name="root"), line()
        step = tf.assign_add(weights, tf.tanh(root * 2))
        with tf.Session(options=tf.Config(check_numerics=True)) as session:
            session.run(tf.global_variables_initializer())
            err = fails(
                tf.errors.InvalidArgumentError,
                "root: Tensor had NaN values",
                lambda: session.run(step, {x: [1.0, -1.0, 4.0]}),
                here,
            )
            assert err.op is not None and err.op.name == "root"
            np.testing.assert_array_equal(session.run(weights), VALUES)
            ratio, here = tf.divide(1.0, x, name="ratio"), line()
            fails(
                tf.errors.InvalidArgumentError,
                "ratio: Tensor had Inf values",
                lambda: session.run(ratio, {x: [1.0, 0.0, 4.0]}),
                here,
            )
            session.run(step, {x: [1.0, 1.0, 1.0]})


def test_values_that_assignments_cannot_take(world: World) -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    step, here = tf.assign(world.weights, x), line()
    text = "Assign requires shapes of both tensors to match. lhs shape= [3] rhs shape= [2]"
    kind = tf.errors.InvalidArgumentError
    fails(kind, text, lambda: world.run(world.train(step), {x: [1.0, 2.0]}), here)
    more, here = tf.assign_add(world.weights, x), line()
    fails(kind, "rhs shape= [1]", lambda: world.run(more, {x: [1.0]}), here)
    rows, here = tf.scatter_update(world.weights, [0, 5], [1.0, 2.0]), line()
    fails(kind, "does not index into shape [3]", lambda: world.run(world.train(rows)), here)


def test_reference_backend_fails_alike() -> None:
    with tf.Graph().as_default():
        v = tf.Variable(VALUES)
        at = tf.placeholder(tf.int32, [None])
        rows, here = tf.gather(v, at), line()
        step = tf.assign_add(v, VALUES)
        with tf.Session(options=tf.Config(backend="reference")) as session:
            session.run(tf.global_variables_initializer())
            fails(
                tf.errors.InvalidArgumentError,
                "indices[0] = 9 is not in [0, 3)",
                lambda: session.run([step, rows], {at: [9]}),
                here,
            )
            np.testing.assert_array_equal(session.run(v), VALUES)


# ------------------------------------------------------------------ sizes
def test_a_chain_of_20000_nodes(world: World) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x
    for turn in range(10_000):
        y = (y + 1.0) * (1.0 if turn % 2 else -1.0)
    np.testing.assert_allclose(world.run(y, {x: [1.0, 2.5]}), [1.0, 2.5])
    (g,) = tf.gradients(y, x)
    np.testing.assert_allclose(world.run(g, {x: [1.0, 2.5]}), [1.0, 1.0])
    fails(ValueError, "Cannot feed value of shape (1, 1)", lambda: world.run(y, {x: [[1.0]]}))


@pytest.mark.slow
def test_constants_of_a_gigabyte(world: World) -> None:
    big = tf.constant(np.ones(1 << 28, np.float32))
    x = tf.placeholder(tf.float32, [None])
    assert world.run(tf.reduce_sum(big * x) / (1 << 28), {x: [2.0]}) == 2
    at = tf.placeholder(tf.int32, [])
    row = tf.gather(big, at)
    kind = tf.errors.InvalidArgumentError
    fails(kind, "is not in [0,", lambda: world.run(row, {at: -1}))
