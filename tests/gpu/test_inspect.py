"""The tools on plans that run on a GPU: explain, profile, compare, documents, traces."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.inspect import document, info, limits_gpu, report_page
from graphc.inspect.compare import GPU_SIDES, SIDES, Comparison, compare
from graphc.inspect.profile import profile
from graphc.inspect.report import run_metadata
from graphc.inspect.target import built
from graphc.inspect.timeline import chrome_trace
from graphc.interop.trace_messages import RunMetadata
from graphc.runtime.gpu.device import absence, find_device, simulating
from tests.gpu.ways import CUDA
from tests.inspect.made import LIMITS

GPU, CPU = "/device:GPU:0", "/device:CPU:0"


def step() -> tuple[Any, dict[Any, Any]]:
    """A training step of a layer, with a softmax, and an op that runs on the host."""
    tf.set_random_seed(1)
    x = tf.placeholder(tf.float32, [None, 8], name="x")
    w = tf.get_variable("w", [8, 3])
    y = tf.nn.softmax(tf.matmul(x, w) + 1.0)
    loss = tf.reduce_sum(y * y, name="loss")
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    doubled = tf.numpy_function(lambda a: a * 2, [loss], tf.float32)
    return [loss, train, doubled], {x: np.ones((4, 8), np.float32)}


def loop() -> tuple[Any, dict[Any, Any]]:
    """Kernels in a loop."""
    x = tf.placeholder(tf.float32, [4], name="x")
    out = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, tf.tanh(a) + 1.0), [0, x])
    return out[1], {x: np.ones(4, np.float32)}


def compared(build: Any = step, **options: Any) -> Comparison:
    return compare(build, 0.0, limits=LIMITS, **options)


def test_explanations_have_times_and_launches() -> None:
    fetches, feeds = step()
    with tf.Session(config=CUDA.replace(profile=True)) as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(fetches, feeds)
        sess.run(fetches, feeds)
        found = sess.explain(fetches, feeds)
    assert found.device.startswith("GPU:0")
    for report in found.kernels:
        assert report.calls >= 2 and report.seconds > 0
        assert bool(report.launches) == (report.kind != "host")
    assert str(found) and found.details() and found.with_lines()


def test_profiles_name_the_device() -> None:
    found = profile(built(step), 2, CUDA)
    assert {s.device for s in found.steps if s.kind != "host"} == {GPU}
    assert {s.device for s in found.steps if s.kind == "host"} == {CPU}
    assert all(s.seconds > 0 for s in found.steps)
    assert found.memory[0].device == GPU and GPU in str(found)
    assert found.limits.measured != simulating()
    json.dumps(found.to_json(), allow_nan=False)
    assert "nan" not in report_page.profile_page(found).lower().replace("nano", "")
    rows = {
        e["args"]["name"]: e["tid"] for e in chrome_trace(found)["traceEvents"] if e["ph"] == "M"
    }
    spans = [e for e in chrome_trace(found)["traceEvents"] if e.get("cat") in ("kernel", "tile")]
    assert spans and {e["tid"] for e in spans} == {rows[GPU]}
    assert {e["args"]["device"] for e in spans} == {GPU}


def test_run_metadata_names_the_device() -> None:
    metadata = RunMetadata()
    metadata.ParseFromString(run_metadata(built(step), CUDA))
    stats = {d.device: d.node_stats for d in metadata.step_stats.dev_stats}
    job = "/job:localhost/replica:0/task:0"
    assert set(stats) == {job + CPU, job + GPU}
    assert {n.memory[0].allocator_name for n in stats[job + GPU]} == {"gpu:0"}
    assert len(stats[job + GPU]) >= 3 and len(stats[job + CPU]) == 1


def test_a_plan_without_host_steps_stands_under_the_gpu_alone() -> None:
    metadata = RunMetadata()
    metadata.ParseFromString(run_metadata(built(loop), CUDA))
    assert [d.device for d in metadata.step_stats.dev_stats] == [
        "/job:localhost/replica:0/task:0/device:GPU:0"
    ]


@pytest.mark.skipif(absence(1) is not None, reason="there is one GPU")
def test_several_devices_are_told_apart() -> None:
    def build() -> Any:
        x = tf.placeholder(tf.float32, [4], name="x")
        with tf.device("/gpu:0"):
            y = tf.exp(x)
        with tf.device("/gpu:1"):
            return tf.tanh(y), {x: np.ones(4, np.float32)}

    target = built(build)
    fetches, feeds = target.fetches, target.feeds
    with tf.Session(graph=target.graph, config=CUDA) as sess:
        found = sess.explain(fetches, feeds)
    assert {s.device for s in found.kernels} == {GPU, "/device:GPU:1"}
    assert "GPU:0" in found.device and "GPU:1" in found.device and "on GPU:1]" in str(found)
    metadata = RunMetadata()
    metadata.ParseFromString(run_metadata(target, CUDA))
    assert [d.device[-5:] for d in metadata.step_stats.dev_stats] == ["GPU:0", "GPU:1"]
    traced = chrome_trace(profile(target, 1, CUDA))["traceEvents"]
    rows = {e["args"]["device"]: e["tid"] for e in traced if e.get("cat") == "kernel"}
    assert len(rows) == len(set(rows.values())) == 2


def test_compare_has_both_sides_of_the_gpu() -> None:
    found = compared()
    assert [s.name for s in found.sides] == [*SIDES, *GPU_SIDES]
    cuda, unfused = found.side("cuda"), found.side("cuda_unfused")
    assert cuda.runs_on.startswith("GPU:0") and found.fused.runs_on == "cpu"
    assert cuda.launches < unfused.launches and cuda.work.nbytes < unfused.work.nbytes
    assert cuda.peak_bytes > 0 and cuda.kernels
    assert found.largest_relative < 1e-5
    assert set(found.differences) == {"unfused", "reference", *GPU_SIDES}
    assert (cuda.time is None) == simulating()
    text = str(found)
    assert "cuda_unfused/cuda" in text and "limits of the GPU: " in text
    assert "no cuda column" not in text


def test_comparisons_of_a_gpu_can_be_written() -> None:
    found = compared(sides=("fused", "cuda"))
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["sides"][1]["runs_on"].startswith("GPU:0")
    assert (data["sides"][1]["seconds"] is None) == simulating()
    page = report_page.compare_page(found)
    assert "Kernels, cuda" in page and "nan" not in page.lower().replace("nano", "")


def test_loops_count_their_turns() -> None:
    found = compared(loop, sides=("fused", "cuda"))
    turns = [[k.turns for k in s.kernels] for s in found.sides]
    assert turns[0] == turns[1] and 3 in turns[0]
    assert found.side("cuda").work.flops == found.fused.work.flops


def test_documents_of_a_gpu_have_times_and_sources() -> None:
    fetches, feeds = step()
    found = document.capture(fetches, feeds, config=CUDA, timed_runs=1)
    for plan in found.plans.values():
        assert plan.device.startswith("GPU:0")
        steps = [s for s in plan.steps if s.device == "GPU:0"]
        assert steps and all((s.microseconds or 0) > 0 for s in steps)
        assert all("numba" in plan.code[s.code].numba for s in steps if s.code)
        assert len(plan.memory) == len(plan.steps)
        assert bool(plan.code[steps[0].code or ""].asm) != simulating()


def test_limits_are_measured_with_kernels() -> None:
    found = limits_gpu.measure(find_device(0), 0.0, (1 << 10, 1 << 12), 64)
    assert found.flops["float32"] > 0 and found.flops["float64"] > 0
    assert found.bytes_of(1 << 10) >= found.memory > 0


def test_info_names_the_device() -> None:
    words = "simulator stands for a GPU" if simulating() else "compute capability"
    assert words in info.cuda()
