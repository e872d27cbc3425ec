"""The tools on plans for a GPU that nobody has: what can be said before anything runs."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.inspect import compare as compare_module
from graphc.inspect import document, info, launches, limits_gpu, work
from graphc.inspect.cli import main
from graphc.inspect.compare import compare
from graphc.inspect.explain import Explanation
from graphc.inspect.paper import PaperDevice, explain_on
from graphc.ir.shape import shape_env
from graphc.kernel.launch import A100, H200
from graphc.runtime.gpu import device as devices
from graphc.runtime.gpu.device import NoDevice
from tests.inspect.made import LIMITS

CUDA = tf.Config(backend="cuda")
needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason='numba-cuda is not installed: pip install "graphc[cuda]"',
)


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> PaperDevice:
    """The device that plans find."""
    made = PaperDevice()
    monkeypatch.setattr(devices, "find_device", lambda ordinal: made)
    monkeypatch.setattr(launches, "simulating", lambda: True)
    return made


def layer(rows: int = 64) -> tuple[Any, dict[Any, Any]]:
    """A dense layer, softmax over its rows, a sum of everything."""
    x = tf.placeholder(tf.float32, [None, 512], name="x")
    w = tf.placeholder(tf.float32, [512, 96], name="w")
    y = tf.nn.softmax(tf.nn.tanh(tf.matmul(x, w, name="product")), name="soft")
    return [y, tf.reduce_sum(x * 2.0, name="total")], {
        x: np.ones((rows, 512), np.float32), w: np.ones((512, 96), np.float32),
    }  # fmt: skip


def explained(build: Any = layer, **options: Any) -> Explanation:
    fetches, feeds = build()
    with tf.Session(config=CUDA.replace(**options)) as sess:
        return sess.explain(fetches, feeds)  # type: ignore[no-any-return]


# ------------------------------------------------------------------ explain
def test_every_step_says_how_it_is_launched(paper: PaperDevice) -> None:
    found = explained()
    assert found.device == "GPU:0 H200" and found.cc == (9, 0)
    assert found.kernels and all(s.launches for s in found.kernels)
    for step in found.kernels:
        for one in step.launches:
            assert one.blocks >= 1 and one.threads >= 1
            assert f"of {one.threads} on H200 (" in one.reason
            assert "from numba import cuda" in one.source
    assert "H200" in str(found) and "threads]" in str(found)
    assert "pieces" not in found.details() and "registers hold" not in found.details()


def test_extents_stand_as_numbers(paper: PaperDevice) -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    with tf.Session(config=CUDA) as sess:
        (step,) = sess.explain(tf.exp(x), {x: np.ones(1 << 20)}).steps
    found = re.fullmatch(
        r"([\d,]+) blocks of 256 on H200 \(a thread an iteration of ([\d,]+)\)",
        step.launches[0].reason,
    )
    assert found is not None
    blocks, extent = (int(text.replace(",", "")) for text in found.groups())
    assert blocks == step.launches[0].blocks and blocks * 256 == extent
    assert not step.launches[0].remedy


def test_launches_are_those_of_the_binding(paper: PaperDevice) -> None:
    fetches, feeds = layer()
    with tf.Session(config=CUDA) as sess:
        handle = sess._handle(fetches, feeds)
        ((plan, symbols),) = handle.runner.plans(handle.arrays(list(feeds.values())))
    made = plan.bind(symbols).launches
    with shape_env(plan.program.env):
        for step in plan.schedule.steps:
            said = launches.launches_of(plan, step, symbols)
            shapes = [(one.shape.grid[0], one.shape.block[0]) for one in made.get(step, ())]
            assert [(one.blocks, one.threads) for one in said] == shapes


def test_products_say_their_sizes_tiles_and_parts(paper: PaperDevice) -> None:
    found = explained()
    (product,) = (s for s in found.steps if s.kind == "tile")
    assert product.tile == (
        "64 x 512 times 512 x 96, its sums cut into 2 parts of 256: too few tiles otherwise"
    )
    tiles, parts = product.launches
    assert "tiles of" in tiles.reason and "a part of the sum each" in tiles.reason
    assert "adds up the parts" in parts.reason
    assert product.flops >= 2 * 64 * 512 * 96
    assert product.source.count("from numba import cuda") == 2


def test_work_is_that_of_the_cpu(paper: PaperDevice) -> None:
    fetches, feeds = layer()
    totals = []
    for config in (None, CUDA):
        with tf.Session(config=(config or tf.Config()).replace(fuse=False)) as sess:
            steps = sess.explain(fetches, feeds).kernels
            # rows of a softmax are kept in memory of the block, on the CPU in its result
            totals.append([(s.flops, s.nbytes * (s.name != "softmax")) for s in steps])
    assert totals[0] == totals[1]


def test_work_of_convolutions_and_rows(paper: PaperDevice) -> None:
    x = tf.placeholder(tf.float32, [2, 9, 9, 4], name="x")
    k = tf.placeholder(tf.float32, [3, 3, 4, 8], name="k")
    ids = tf.placeholder(tf.int32, [5], name="ids")
    y = tf.nn.conv2d(x, k, strides=1, padding="VALID")
    summed = tf.unsorted_segment_sum(tf.reshape(x, [-1, 4])[:5], ids, 3)
    feeds = {x: np.ones((2, 9, 9, 4)), k: np.ones((3, 3, 4, 8)), ids: np.arange(5) % 3}
    with tf.Session(config=CUDA) as sess:
        steps = {s.kind: s for s in sess.explain([y, summed], feeds).steps}
    assert steps["tile"].flops == 2 * 2 * 7 * 7 * 8 * 9 * 4
    assert steps["rows"].launches and steps["rows"].nest


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda x: tf.reduce_sum(x[:3]), "reduce over the last axes first"),
        (lambda x: tf.exp(x[:100]), "more rows or elements at once"),
    ],
)
def test_small_launches_say_what_would_change_them(
    build: Any, words: str, paper: PaperDevice
) -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    with tf.Session(config=CUDA) as sess:
        found = sess.explain(build(x), {x: np.ones(1 << 12)})
    assert any(words in one.remedy for s in found.steps for one in s.launches) or (
        words in found.details()
    )


def test_the_data_hold_launches_and_no_code(paper: PaperDevice) -> None:
    data = json.loads(json.dumps(explained().to_json()))
    steps = [s for s in data["steps"] if s["launches"]]
    assert steps and data["cc"] == [9, 0]
    assert set(steps[0]["launches"][0]) == {"name", "blocks", "threads", "reason", "remedy"}


def test_a_simulator_has_no_machine_code(paper: PaperDevice) -> None:
    codes = explained().device_codes()
    assert codes and all("no machine code: " in c.note and not c.ptx for c in codes)
    assert all("simulator" in c.note or "pip install" in c.note for c in codes)


def test_the_cpu_has_no_launches() -> None:
    fetches, feeds = layer()
    with tf.Session() as sess:
        found = sess.explain(fetches, feeds)
    assert not found.device and not found.device_codes()
    assert not any(s.launches for s in found.steps)


@needs_compiler
def test_ptx_with_registers_and_spills(
    paper: PaperDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    if devices.simulating():
        pytest.skip("the simulator compiles nothing")
    monkeypatch.setattr(launches, "simulating", lambda: False)
    for code in explained().device_codes(cc=(8, 0)):
        assert ".target sm_80" in code.ptx and f".entry {code.entry}" in code.ptx
        assert 0 < code.registers <= 255 and code.spills == 0
        assert f"{code.registers} registers a thread, nothing spilt" in code.note


# ------------------------------------------------------------------ on paper
def test_a_gpu_that_is_not_there_is_explained() -> None:
    found = explain_on(layer, A100)
    assert found.device == "GPU:0 A100" and found.cc == (8, 0)
    assert all(s.launches for s in found.kernels)
    assert len(explain_on(layer, fuse=False).kernels) > len(found.kernels)


def test_data_decide_extents_on_paper() -> None:
    def build() -> Any:
        x = tf.placeholder(tf.float32, [None], name="x")
        w = tf.get_variable("w", [], initializer=tf.ones_initializer())
        return tf.exp(tf.boolean_mask(x, x > w)), {x: np.arange(10, dtype=np.float32)}

    found = explain_on(build)
    # zeros read from the device would leave nothing to launch
    assert all(s.launches for s in found.kernels if s.kind == "kernel")
    assert found.kernels[-1].flops == 8


def test_the_command_takes_a_gpus_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "simulating", lambda: True)
    file = tmp_path / "net.py"
    file.write_text(
        "import graphc as tf\n"
        "def build():\n"
        "    x = tf.placeholder(tf.float32, [None], name='x')\n"
        "    return tf.exp(x), {x: [1.0, 2.0]}\n"
    )
    assert main(["explain", str(file), "--gpu", "A100", "--ptx", "--source"]) == 0
    said = capsys.readouterr().out
    assert "1 kernel on GPU:0 A100" in said and "from numba import cuda" in said
    assert "no machine code" in said


# ------------------------------------------------------------------ other tools
def test_dumps_hold_the_sources(paper: PaperDevice, tmp_path: Path) -> None:
    explained(dump=str(tmp_path))
    (folder,) = tmp_path.iterdir()
    modules = sorted(folder.glob("cuda_*.py"))
    assert len(modules) >= 4
    for module in modules:
        compile(module.read_text(), str(module), "exec")
        assert "from numba import cuda" in module.read_text()
    assert "kernel " in (folder / "nests.txt").read_text()
    assert not (folder / "kernels.ll").exists()


def test_documents_show_the_devices_kernels(paper: PaperDevice) -> None:
    fetches, feeds = layer()
    found = document.capture(fetches, feeds, config=CUDA)
    plan = found.plans["fused"]
    assert plan.device == "GPU:0 H200" and plan.arena_bytes > 0
    assert {s.device for s in plan.steps} == {"GPU:0"}
    for step in plan.steps:
        code = plan.code[step.code or ""]
        assert "from numba import cuda" in code.numba and not code.llvm
        assert " on H200 (" in code.tile
    assert document.Document.from_json(found.to_json()).plans["fused"].device == plan.device


def test_a_cpus_document_names_it() -> None:
    fetches, feeds = layer()
    plan = document.capture(fetches, feeds, codes=False).plans["fused"]
    assert plan.device == "cpu" and {s.device for s in plan.steps} == {"cpu"}


def test_compile_seconds_of_what_cannot_be_compiled(paper: PaperDevice) -> None:
    fetches, feeds = layer()
    with tf.Session(config=CUDA) as sess:
        handle = sess._handle(fetches, feeds)
        ((plan, symbols),) = handle.runner.plans(handle.arrays(list(feeds.values())))
    assert work.compile_seconds(plan, symbols) == 0.0


def test_limits_are_of_what_a_plan_runs_on(
    paper: PaperDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_gpu, "simulating", lambda: True)
    fetches, feeds = layer()
    with tf.Session(config=CUDA) as sess:
        handle = sess._handle(fetches, feeds)
        ((plan, _),) = handle.runner.plans(handle.arrays(list(feeds.values())))
    found = limits_gpu.of_plan(plan)
    assert not found.measured and "simulator" in str(found)
    json.dumps(found.to_json(), allow_nan=False)


def test_measuring_launches_a_copy_and_chains(paper: PaperDevice) -> None:
    found = limits_gpu.measure(paper, 0.0, (1 << 20, 1 << 22, 1 << 50))
    assert {"limit_copy", "limit_chains_float32", "limit_chains_float64"} == set(paper.launched)
    assert [size for size, _ in found.bandwidth] == [1 << 20, 1 << 22]
    assert found.bandwidth[0][1] >= found.bandwidth[1][1] > 0
    assert found.measured and found.threads == H200.sms and "H200" in str(found)
    assert found.to_json()["device"] == "H200"


# ------------------------------------------------------------------ without a device
def absent(monkeypatch: pytest.MonkeyPatch) -> str:
    reason = "no NVIDIA driver was found"

    def refuse(ordinal: int) -> Any:
        raise NoDevice(reason)

    monkeypatch.setattr(devices, "find_device", refuse)
    return reason


def test_compare_says_why_there_is_no_cuda_column(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = absent(monkeypatch)
    found = compare(layer, 0.0, limits=LIMITS)
    assert [s.name for s in found.sides] == list(compare_module.SIDES)
    assert str(found).splitlines().count(f"no cuda column: {reason}") == 1
    assert found.to_json()["no_gpu"] == reason and found.gpu_limits is None


def test_sides_of_a_gpu_need_one(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = absent(monkeypatch)
    with pytest.raises(tf.errors.GraphcError, match=reason):
        compare(layer, 0.0, ("fused", "cuda"), LIMITS)


def test_info_says_why_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = absent(monkeypatch)
    assert info.cuda().endswith(reason)


def test_info_names_the_gpu(paper: PaperDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "simulating", lambda: False)
    monkeypatch.setattr(devices, "device_count", lambda: 1)
    monkeypatch.setattr(info, "_driver", lambda: "13.0")
    found = info.cuda()
    assert "driver for CUDA 13.0; /device:GPU:0 H200, compute capability 9.0" in found
    assert "137.4 GB of 137.4 GB free" in found
    monkeypatch.setattr(devices, "simulating", lambda: True)
    assert "simulator stands for a GPU" in info.cuda()
