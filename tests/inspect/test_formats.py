"""Pictures and files: read back by the programs that they are for, whatever the names are."""

from __future__ import annotations

import builtins
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import typing
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.config import Config
from graphc.inspect import formats
from graphc.inspect.boxes import Arrow, Box, Scene, collapsed
from graphc.inspect.document import Document, DocumentError, capture, read
from graphc.inspect.formats import FormatError, save
from graphc.inspect.formats.graphml import graph_of
from graphc.inspect.formats.kernels import kernel_paths
from graphc.inspect.picture import MOST, PictureError, drawn, png, svg, text_width
from graphc.inspect.scene import scene_of
from graphc.ir.graph import Graph

from . import sample

KINDS = ("svg", "dot", "mermaid", "graphml", "explorer", "json", "tensorboard")
EVIL = '</text><script>alert("1")</script>&amp;'


@pytest.fixture(scope="module")
def document() -> Document:
    graph = Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 16], name="x")
        with tf.name_scope("layer"):
            w = tf.Variable(np.ones((16, 4), np.float32), name="w")
            hidden = tf.nn.relu(tf.matmul(x, w) + 1.0)
        _, looped = tf.while_loop(
            lambda i, v: i < 3, lambda i, v: (i + 1, tf.tanh(v)), [tf.constant(0), hidden]
        )
        loss = tf.reduce_mean(tf.square(looped), name="loss")
        train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    feeds = {x: np.ones((8, 16), np.float32)}
    return capture([loss, train], feeds, graph, Config(cache_dir=None), timed_runs=1, title=EVIL)


@pytest.fixture(scope="module")
def nasty() -> Document:
    return Document.from_json(sample.nasty())


@pytest.fixture(scope="module")
def big() -> Document:
    return Document.from_json(sample.big(3000))


# ------------------------------------------------------------------ scenes
def test_a_stage_as_boxes(document: Document) -> None:
    scene = scene_of(document)
    assert len(scene.boxes) == len(document.stage_nodes("user"))
    by_key = {b.key: b for b in scene.boxes}
    assert len(by_key) == len(scene.boxes)
    matmul = next(b for b in scene.boxes if b.title == "matmul" and not b.gradient)
    assert matmul.scope == ("layer",) and matmul.kind == "product"
    assert matmul.lines == ["layer/MatMul", "float32 [?, 4]"]
    into = {scene.boxes[a.source].title for a in scene.arrows if scene.boxes[a.target] is matmul}
    assert into == {"placeholder", "variable"}
    assert {a.kind for a in scene.arrows} == {"data", "gradient", "control"}
    without = scene_of(document, constants=False)
    assert not any(b.kind == "const" for b in without.boxes)
    with pytest.raises(DocumentError, match="no stage"):
        scene_of(document, "wrong")


def test_a_plan_as_boxes(document: Document) -> None:
    for name, plan in document.plans.items():
        scene = scene_of(document, name)
        steps = [plan.steps[b.step] for b in scene.boxes if b.step >= 0]
        computing = [s for s in plan.steps if s.kind in ("kernel", "gemm", "tile", "rows", "host")]
        assert [s for s in steps if s in computing] == computing
        assert any("writes layer/w" in b.lines for b in scene.boxes)
        assert any("fetched" in b.lines for b in scene.boxes)
        for arrow in scene.arrows:
            assert arrow.source != arrow.target


def test_scopes_become_boxes(big: Document) -> None:
    whole = scene_of(big)
    scene = scene_of(big, limit=100)
    assert len(scene.boxes) <= 100
    members = [k for b in scene.boxes for k in b.nodes]
    assert sorted(members) == sorted(k for b in whole.boxes for k in b.nodes)
    assert sum(b.kind == "scope" for b in scene.boxes) > 3
    assert all(a.source != a.target for a in scene.arrows)
    assert collapsed(whole, len(whole.boxes)) is whole
    again = scene_of(big, limit=100)
    assert again == scene


def test_scopes_called_alike_open_together() -> None:
    boxes = [
        Box(f"{k}", (f"layer_{k // 5}", "inner"), "op", [], "other") for k in range(40)
    ] + [Box("a", ("head",), "op", [], "other"), Box("b", ("head",), "op", [], "other")]
    scene = Scene("layers", boxes, [Arrow(k, k + 1, "") for k in range(41)])
    few = collapsed(scene, 12)
    assert [b.title for b in few.boxes] == ["inner"] * 8 + ["op", "op"]
    assert [(a.source, a.target) for a in few.arrows] == [(k, k + 1) for k in range(9)]
    assert len(collapsed(scene, 40).boxes) == 10  # all layers, or none
    assert len(collapsed(scene, 41).boxes) == 41
    # the first of them has no number
    named = [Box(str(k), (f"dense_{k // 5}".removesuffix("_0"),), "op", [], "") for k in range(20)]
    assert len(collapsed(Scene("dense", named, []), 19).boxes) == 4


# ------------------------------------------------------------------ pictures
def parsed(text: str) -> ET.Element:
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    return root


def test_svg_holds_all_boxes_and_no_markup_of_the_users(document: Document) -> None:
    for what in ("user", "start", "fused", "unfused"):
        scene = scene_of(document, what, limit=120)
        root = parsed(svg(scene))
        tags = {e.tag.rsplit("}", 1)[-1] for e in root.iter()}
        assert tags <= {"svg", "title", "rect", "defs", "marker", "path", "text", "g"}
        texts = {e.text for e in root.iter() if e.tag.endswith("}text")}
        titles = [e.text or "" for e in root.iter() if e.tag.endswith("}title")]
        assert len(titles) == len(scene.boxes) + 1
        for box, title in zip(scene.boxes, titles[1:], strict=True):
            assert title.splitlines() == ["/".join((*box.scope, box.title)), *box.lines]
        assert any((t or "").startswith(EVIL) for t in texts)
        # nothing is loaded from elsewhere
        assert re.findall(r'(?:href|src|url\()="?([^")]*)', svg(scene).replace("url(#", "")) == []


def test_pictures_of_nasty_names(nasty: Document) -> None:
    for what in ("user", *nasty.plans):
        scene = scene_of(nasty, what, limit=120)
        root = parsed(svg(scene))
        assert not [e for e in root.iter() if e.tag.endswith("script")]
    picture = drawn(scene_of(nasty, "user", limit=120))
    for (wide, _), lines in zip(picture.sizes, picture.texts, strict=True):
        assert wide < 400
        assert all(text_width(t, 10) < 260 for t in lines)


def test_png(document: Document, nasty: Document) -> None:
    image = pytest.importorskip("matplotlib.image")
    import io

    for made in (document, nasty):
        scene = scene_of(made, "fused" if made.plans else "user", limit=80)
        pixels = image.imread(io.BytesIO(png(scene, scale=1.0)))
        assert pixels.shape[0] > 60 and pixels.shape[1] > 60
        assert pixels.min() < 0.5  # something is drawn


def test_png_without_matplotlib(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(PictureError, match=r"pip install 'graphc\[examples\]'"):
        png(scene_of(document, "fused"))


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(PictureError, match="nothing to draw"):
        svg(Scene("empty", [], []))
    boxes = [Box(str(k), (), "op", [], "other") for k in range(MOST + 1)]
    with pytest.raises(PictureError, match="name scopes"):
        svg(Scene("many", boxes, []))


# ------------------------------------------------------------------ save
def test_save_by_the_files_ending(document: Document, tmp_path: Path) -> None:
    for name in ("a.svg", "a.dot", "a.gv", "a.mmd", "a.graphml", "a.json", "a.explorer.json"):
        assert save(document, tmp_path / name, what="fused") == tmp_path / name
        assert (tmp_path / name).stat().st_size > 100
    assert read(tmp_path / "a.json") == document
    assert "graphs" in json.loads((tmp_path / "a.explorer.json").read_text())
    save(document, tmp_path / "odd.name", kind="dot")
    assert (tmp_path / "odd.name").read_text().startswith("digraph")
    save(document, tmp_path / "runs")
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["fused", "unfused"]


def test_save_refuses(document: Document, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"says no form; known endings: .*svg"):
        save(document, tmp_path / "a.pdf")
    with pytest.raises(FormatError, match="no form 'pdf'"):
        save(document, tmp_path / "a.svg", kind="pdf")
    with pytest.raises(DocumentError, match="no stage"):
        save(document, tmp_path / "a.svg", what="none")
    with pytest.raises(formats.GraphcError, match="cannot write"):
        save(document, tmp_path / "no" / "where.dot")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_every_document(
    kind: str, document: Document, nasty: Document, big: Document, tmp_path: Path
) -> None:
    for number, made in enumerate((document, nasty, big)):
        first = save(made, tmp_path / f"{number}", kind=kind)
        if first.is_file() and kind not in ("json", "explorer"):
            first.read_bytes().decode()
        for plan in made.plans:
            save(made, tmp_path / f"{number}{plan}", kind=kind, what=plan)


# ------------------------------------------------------------------ DOT and Mermaid
@pytest.mark.parametrize("what", ["user", "fused"])
def test_graphviz_draws_it(
    what: str, document: Document, nasty: Document, tmp_path: Path
) -> None:
    program = shutil.which("dot")
    if program is None:
        pytest.skip("Graphviz is not installed")
    for made in (document, nasty):
        file = save(made, tmp_path / "a.dot", what=what)
        done = subprocess.run(
            [program, "-Tjson0", str(file)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        got = json.loads(done.stdout)
        scene = scene_of(made, what)
        objects = [o for o in got["objects"] if "nodes" not in o and "subgraphs" not in o]
        drawn_boxes = [o for o in objects if o["name"].startswith("b")]
        assert len(drawn_boxes) == len(scene.boxes)
        assert len(got.get("edges", ())) == len(scene.arrows)
        # a label as Graphviz understood it: "\\" and "\n" are its own, entities stand for letters
        titles = {o["label"].replace("\\\\", "\\").split("\\n")[0] for o in drawn_boxes}
        assert any(b.title in titles for b in scene.boxes)


def test_pydot_reads_it(document: Document, nasty: Document, tmp_path: Path) -> None:
    pydot = pytest.importorskip("pydot")
    for made in (document, nasty):
        (graph,) = pydot.graph_from_dot_file(str(save(made, tmp_path / "a.dot")))
        assert len(graph.get_edges()) == len(scene_of(made).arrows)


def test_mermaid_labels_cannot_end_early(document: Document, nasty: Document) -> None:
    from graphc.inspect.formats.mermaid import mermaid

    for made in (document, nasty):
        for what in ("user", *made.plans):
            text = mermaid(scene_of(made, what, 150))
            lines = text.splitlines()
            assert lines[0] == "flowchart TB"
            opened = sum(line.strip().startswith("subgraph ") for line in lines)
            assert opened == sum(line.strip() == "end" for line in lines)
            for line in lines[1:]:
                assert line.count('"') in (0, 2), line
                inner = line.split('"')[1].replace("<br/>", "") if '"' in line else ""
                assert not set(inner) & set('<>&`"')


# ------------------------------------------------------------------ GraphML
def test_networkx_reads_graphml(document: Document, nasty: Document, tmp_path: Path) -> None:
    nx = pytest.importorskip("networkx")
    for made in (document, nasty):
        for what in ("user", *made.plans):
            own = graph_of(made, what)
            read_back = nx.read_graphml(save(made, tmp_path / "a.graphml", what=what))
            scene = scene_of(made, what)
            assert read_back.number_of_nodes() == len(scene.boxes) == own.number_of_nodes()
            assert read_back.number_of_edges() == len(scene.arrows)
            for number, facts in own.nodes(data=True):
                assert read_back.nodes[str(number)] == facts
            assert all(d["kind"] for _, _, d in read_back.edges(data=True))


def test_graphs_carry_costs_and_places(document: Document) -> None:
    own = graph_of(document, "fused")
    steps = [d for _, d in own.nodes(data=True) if "step" in d]
    plan = document.plans["fused"]
    assert sum(d["bytes"] for d in steps) == sum(
        plan.steps[d["step"]].bytes for d in steps
    )
    assert all("microseconds" in d for d in steps)
    assert any("test_formats.py" in d.get("place", "") for d in steps)


# ------------------------------------------------------------------ kernels as scopes
def test_kernels_are_scopes(document: Document) -> None:
    fused = kernel_paths(document, document.plans["fused"])
    unfused = kernel_paths(document, document.plans["unfused"])
    assert list(fused) == list(unfused) and len(set(fused.values())) == len(fused)
    plan = document.plans["fused"]
    joint = [g for g in plan.groups if len(g.nodes) > 1 and not plan.steps[g.step].inside]
    assert joint
    for group in joint:
        scopes = {fused[k][:-1] for k in group.nodes if k in fused}
        assert len(scopes) == 1 and scopes.pop()[-1] == group.name
    # there each op is a kernel of its own, and stands where the user put it
    matmul = next(k for k in unfused if document.nodes[k].name == "layer/MatMul")
    assert unfused[matmul] == ("layer", "MatMul")


# ------------------------------------------------------------------ Model Explorer
def explorer_types() -> Any:
    """graph_builder of the real package, loaded without the rest of it."""
    found = importlib.util.find_spec("model_explorer")
    if found is None or not found.submodule_search_locations:
        pytest.skip("ai-edge-model-explorer is not installed")
    path = Path(found.submodule_search_locations[0]) / "graph_builder.py"
    spec = importlib.util.spec_from_file_location("explorer_graph_builder", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def conforms(value: Any, kind: Any) -> Any:
    """The value as the package's dataclasses; every key and type must be theirs."""
    if hasattr(kind, "__dataclass_fields__"):
        hints = typing.get_type_hints(kind)
        assert set(value) <= set(hints), set(value) - set(hints)
        return kind(**{k: conforms(v, hints[k]) for k, v in value.items()})
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return [conforms(v, args[0]) for v in value]
    if origin is dict:
        return {k: conforms(v, args[1]) for k, v in value.items()}
    if origin is typing.Literal:
        assert value in args
        return value
    if args:  # a union: text, or nothing
        options = [a for a in args if a is not type(None)]
        texts = [a for a in options if isinstance(value, str) and a is str]
        return value if texts else conforms(value, options[0])
    assert isinstance(value, kind), (value, kind)
    return value


def test_model_explorers_own_classes_take_it(
    document: Document, nasty: Document, tmp_path: Path
) -> None:
    types = explorer_types()
    for made in (document, nasty):
        data = json.loads(save(made, tmp_path / "a.explorer.json").read_text())
        collection = conforms(data, types.GraphCollection)
        names = [g.id for g in collection.graphs]
        assert len(set(names)) == len(names)
        assert "user" in names and set(made.plans) <= set(names)
        for graph in collection.graphs:
            ids = {n.id for n in graph.nodes}
            assert len(ids) == len(graph.nodes)
            for node in graph.nodes:
                assert {e.sourceNodeId for e in node.incomingEdges} <= ids
                assert set(node.subgraphIds) <= set(names)
            scopes = {n.namespace for n in graph.nodes} | {""}
            assert set(graph.groupNodeAttributes or ()) <= scopes


# ------------------------------------------------------------------ TensorBoard
def test_tensorboard_reads_the_runs(
    document: Document, nasty: Document, tmp_path: Path
) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator
    protos = pytest.importorskip("tensorboard.compat.proto.config_pb2")
    graphs = pytest.importorskip("tensorboard.compat.proto.graph_pb2")
    for number, made in enumerate((document, nasty)):
        folder = save(made, tmp_path / f"runs{number}")
        for name, plan in made.plans.items():
            run = accumulator(str(folder / name))
            run.Reload()
            graph: Any = run.Graph()
            assert isinstance(graph, graphs.GraphDef)
            names = {n.name for n in graph.node}
            assert len(names) == len(graph.node) == len(kernel_paths(made, plan))
            valid = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\-/]*")
            for node in graph.node:
                assert valid.fullmatch(node.name), node.name
                assert {i.lstrip("^").split(":")[0] for i in node.input} <= names
                shapes = node.attr["_output_shapes"].list.shape
                assert len(shapes) >= 0
            if plan.run_microseconds is None:
                continue
            metadata = run.RunMetadata("run")
            assert isinstance(metadata, protos.RunMetadata)
            (device,) = metadata.step_stats.dev_stats
            assert device.node_stats
            assert {s.node_name for s in device.node_stats} <= names


def test_tensorboards_graph_plugin_takes_it(document: Document, tmp_path: Path) -> None:
    """As its page asks for it: large attributes filtered, nodes in scopes."""
    graph_util = pytest.importorskip("tensorboard.plugins.graph.graph_util")
    process = pytest.importorskip("tensorboard.backend.process_graph")
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator
    folder = save(document, tmp_path / "runs")
    graphs = []
    for name in document.plans:
        run = accumulator(str(folder / name))
        run.Reload()
        graph = run.Graph()
        process.prepare_graph_for_ui(graph, 1024, "_too_large_attrs")
        graphs.append(graph)
    assert graph_util.merge_graph_defs(graphs).node
