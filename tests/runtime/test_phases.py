"""Stages of runs that wait for other threads: what they compute, and that none waits and writes."""

from __future__ import annotations

from typing import Any

import graphc as tf
from graphc.ir.node import Node, Tensor
from graphc.passes.functionalize import needed_nodes
from graphc.runtime.executor import StageSpec
from graphc.runtime.phases import levels_of, phases_of


def spec_of(fetches: Any = (), targets: Any = (), feeds: Any = ()) -> StageSpec:
    return StageSpec(tuple(fetches), tuple(targets), tuple(feeds))


def names(nodes: Any) -> list[str]:
    return [n.name for n in nodes]


def executed(stage: StageSpec) -> list[Node]:
    fed = dict.fromkeys(stage.feeds)
    return needed_nodes(stage.fetches, stage.targets, fed, stage.done)


def check(stages: list[StageSpec]) -> None:
    """No stage both waits and writes; each node with an effect runs in one stage."""
    seen: list[Node] = []
    for stage in stages:
        nodes = executed(stage)
        assert not (any(n.op.blocks for n in nodes) and any(n.op.refs for n in nodes))
        assert stage.final == (not any(n.op.blocks for n in nodes))
        seen += [n for n in nodes if n.op.refs or n.op.effect]
    assert len(seen) == len(set(seen)), names(seen)


def setup() -> tuple[tf.FIFOQueue, Any]:
    tf.reset_default_graph()
    return tf.FIFOQueue(9, tf.float32, shapes=[[]], name="q"), tf.Variable(0.0, name="v")


def test_a_run_that_does_not_wait_is_one_stage() -> None:
    _, v = setup()
    spec = spec_of([tf.assign_add(v, 1.0)])
    assert phases_of(spec) == [spec]


def test_a_step_waits_first_and_computes_afterwards() -> None:
    q, v = setup()
    x = q.dequeue(name="take")
    step = tf.assign_add(v, tf.exp(x), name="step")
    stages = phases_of(spec_of([step, x]))
    check(stages)
    assert [names(s.targets) for s in stages] == [["take"], []]
    assert stages[0].fetches == (x,) and stages[1].feeds == (x,)
    # what is fetched already is not fetched again
    assert stages[1].fetches == (step,)
    levels = levels_of(executed(spec_of([step])), {})
    assert (levels[x.op], levels[step.op]) == (0, 1)


def test_nothing_is_left_behind_a_wait() -> None:
    q, _ = setup()
    put = q.enqueue(tf.exp(1.0), name="put")
    (stage,) = phases_of(spec_of((), [put]))
    assert names(stage.targets) == ["put"] and not stage.final
    x = q.dequeue()
    (stage,) = phases_of(spec_of([x]))
    assert stage.fetches == (x,)


def test_writes_before_a_wait_are_done_first() -> None:
    q, v = setup()
    old = tf.identity(v, name="old")
    with tf.control_dependencies([tf.assign_add(v, 1.0, name="count")]):
        put = q.enqueue(3.0, name="put")
    stages = phases_of(spec_of([old], [put]))
    check(stages)
    assert [s.final for s in stages] == [True, False]
    assert old in stages[0].fetches  # the value from before
    assert names(stages[1].targets) == ["put"]


def test_writes_and_waits_alternate() -> None:
    q, v = setup()
    w = tf.Variable(0.0, name="w")
    with tf.control_dependencies([tf.assign_add(v, 1.0)]):
        x = q.dequeue()
    with tf.control_dependencies([tf.assign_add(w, x)]):
        put = q.enqueue(x + 1)
    variable: Tensor = tf.convert_to_tensor(v)
    stages = phases_of(spec_of([variable], [put]))
    check(stages)
    assert [s.final for s in stages] == [True, False, True, False]


def test_what_is_fed_is_not_waited_for() -> None:
    q, v = setup()
    x = q.dequeue()
    spec = spec_of([tf.assign_add(v, x)], feeds=[x])
    assert phases_of(spec) == [spec]


def test_branches_wait_too() -> None:
    q, v = setup()
    p = tf.placeholder(tf.bool, [])
    x = tf.cond(p, q.dequeue, lambda: 1.0)
    stages = phases_of(spec_of([tf.assign_add(v, x)], feeds=[p]))
    assert [s.final for s in stages] == [False, True]
    both = tf.cond(p, lambda: tf.assign_add(v, q.dequeue()), lambda: v + 0.0)
    spec = spec_of([both], feeds=[p])
    assert phases_of(spec) == [spec]  # the host step gives the lock away while it waits
