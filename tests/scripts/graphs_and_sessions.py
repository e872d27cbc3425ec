"""State: two graphs, two sessions, assigns in order, counters, finalised graphs, defaults."""

from __future__ import annotations

import numpy as np

from tests.scripts._errors import raised


def main(tf):
    out = {}
    out["empty"] = raised(RuntimeError, "The Session graph is empty.", lambda: tf.Session().run([]))
    state = tf.Variable(0, name="counter")
    one = tf.constant(1)
    update = tf.assign(state, tf.add(state, one))
    W = tf.Variable(10)
    assign_op = W.assign(100)
    times = W.assign(2 * W)
    with tf.Session() as sess1, tf.Session() as sess2:
        sess1.run(tf.global_variables_initializer())
        sess2.run(W.initializer)
        out["counts"] = [sess1.run(update) for _ in range(3)] + [sess1.run(state)]
        sess1.run(assign_op)
        out["two"] = [sess1.run(W), sess2.run(W), sess2.run(times), sess2.run(times),
                      sess1.run(W.assign_add(5)), sess2.run(W.assign_sub(2))]  # fmt: skip
        out["uninitialized"] = raised(
            tf.errors.FailedPreconditionError, "Attempting to use uninitialized value counter",
            lambda: sess2.run(state))

    # order by control dependencies, reads before and after
    with tf.Graph().as_default() as g:
        v = tf.Variable(1.0, name="v")
        before = v.read_value()
        with tf.control_dependencies([before]):
            add = v.assign_add(10.0)
        with tf.control_dependencies([add]):
            after = v.read_value()
            again = v.assign(after * 2.0)
            with tf.control_dependencies(None):
                free = tf.constant(3.0)
        with tf.control_dependencies([again]):
            end = tf.identity(v.read_value())
        scatter = tf.Variable(tf.zeros([4, 2]), name="table")
        upd = tf.scatter_update(scatter, [1, 3], [[1.0, 2.0], [3.0, 4.0]])
        sadd = tf.scatter_add(scatter, [1, 1], [[1.0, 1.0], [1.0, 1.0]])
        ring = tf.Variable(np.zeros([3], np.float32), trainable=False)
        pos = tf.Variable(0, trainable=False)
        push = tf.scatter_update(ring, [pos % 3], [tf.to_float(pos)])
        with tf.control_dependencies([push]):
            advance = tf.assign_add(pos, 1)
        resize = tf.Variable([1.0], validate_shape=False, name="resize")
        grow = tf.assign(resize, [1.0, 2.0, 3.0], validate_shape=False)
        init = tf.global_variables_initializer()
        out["control"] = [op.name for op in add.op.control_inputs]
        out["free"] = len(free.op.control_inputs)
    with tf.Session(graph=g) as sess:
        sess.run(init)
        out["ordered"] = sess.run([before, add, after, again, end])[3:] + [sess.run(v)]
        out["end"] = sess.run(end)
        sess.run(init)
        out["after"] = sess.run([after])
        out["scatter"] = [sess.run(upd), sess.run(sadd), sess.run(scatter)]
        for _ in range(5):
            sess.run(advance)
        out["ring"] = sess.run([ring, pos])
        out["resize"] = [sess.run(resize), sess.run(grow), sess.run(resize * 2), str(resize.shape)]
        v.load(7.5, sess)
        out["load"] = [v.eval(sess), sess.run(v.initialized_value())]
        out["default"] = [tf.get_default_session() is sess, tf.get_default_graph() is g,
                          sess.graph is g]  # fmt: skip
        g.finalize()
        out["final"] = raised(RuntimeError, "Graph is finalized and cannot be modified.",
                              lambda: tf.constant(1))
        out["still"] = sess.run(end)
    out["closed"] = [
        raised(RuntimeError, "Attempted to use a closed Session.", lambda: sess.run(end)),
        raised(ValueError, "Cannot evaluate tensor using `eval()`: No default session",
               lambda: update.eval()),
        raised(ValueError, "Cannot execute operation using `run()`: No default session",
               lambda: tf.global_variables_initializer().run()),
        tf.get_default_session()]  # fmt: skip

    # random ops: one draw a run, seeds repeat in a new session, initialisers draw anew
    with tf.Graph().as_default():
        tf.set_random_seed(87654321)
        r = tf.random_uniform([4], -1, 1)
        s = tf.random_normal([1000], mean=2.0, stddev=0.5, seed=1)
        tn = tf.truncated_normal([500], stddev=0.1)
        ints = tf.random_uniform([300], 0, 5, dtype=tf.int32)
        shuffled = tf.random_shuffle(tf.range(10))
        var = tf.Variable(r)
        twice = tf.stack([r, r])
        runs = []
        for _ in range(2):
            with tf.Session() as sess:
                sess.run(var.initializer)
                first = sess.run(var)
                sess.run(var.initializer)
                a, b = sess.run([r, twice])
                runs.append([first, sess.run(var), a, sess.run(s)])
                n, t, i, p = sess.run([s, tn, ints, shuffled])
                out["random"] = [bool((a == b).all()), bool((first != runs[-1][1]).any()),
                                 abs(n.mean() - 2) < 0.1, abs(n.std() - 0.5) < 0.1,
                                 bool(np.abs(t).max() <= 0.2), sorted(set(i.tolist())),
                                 sorted(p.tolist())]  # fmt: skip
        out["repeat"] = [bool((p == q).all()) for p, q in zip(*runs)]
    inter = tf.InteractiveSession()
    out["interactive"] = tf.constant(5.0).eval() * (tf.constant([2.0]) * 3).eval()
    inter.close()
    out["names"] = [state.name, update.name, W.name, assign_op.name, one.op.type,
                    state.op.type, state.initializer.name, state.value().name]  # fmt: skip
    out["ops"] = [op.name for op in tf.get_default_graph().get_operations()][:14]
    return out
