"""What is looked at: a function in a file, a graph in a file, or objects of a program.

Lives here: Target, load. Not here: what is done with it (inspect/capture.py, inspect/compare.py).
Files of graphs say neither what to fetch nor what to feed: fetched is what nobody reads, fed are
made-up values of the placeholders' shapes.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import GraphcError, OpError
from graphc.ir.graph import Graph, GraphKeys
from graphc.ir.node import Node, Tensor
from graphc.ir.program import UnresolvedShape
from graphc.passes.functionalize import needed_nodes

Array = np.ndarray[Any, Any]
EXTENT = 8  # of dimensions that a placeholder leaves open; 1 where that does not fit
SEED = 7
_PYTHON = re.compile(r"(?P<file>.+\.py)(?::(?P<name>\w+))?")
_SAVERS = frozenset({
    "SaveV2", "RestoreV2", "Save", "SaveSlices", "Restore", "RestoreSlice", "ShardedFilename",
    "MergeV2Checkpoints",
})  # fmt: skip
_HOUSEKEEPING = (
    GraphKeys.INIT_OP, GraphKeys.LOCAL_INIT_OP, GraphKeys.READY_OP,
    GraphKeys.READY_FOR_LOCAL_INIT_OP, GraphKeys.TABLE_INITIALIZERS,
)  # fmt: skip


class TargetError(GraphcError):
    """What was named is nothing that can be looked at."""


@dataclass(frozen=True)
class Target:
    """Fetches of a graph, with feeds.

    Attributes:
        session: one whose variables hold the values that came with a file, or None.
    """

    graph: Graph
    fetches: Any
    feeds: dict[Any, Any]
    title: str
    session: Any = None

    def document(self, config: Any = None, **options: Any) -> Any:
        """The target's document; see `document.capture`."""
        from graphc.inspect.capture import capture

        options.setdefault("title", self.title)
        if self.session is None:
            return capture(self.fetches, self.feeds, self.graph, config, **options)
        with self.session.as_default():
            return capture(self.fetches, self.feeds, self.graph, config, **options)


def load(spec: Any) -> Target:
    """The target that is named.

    Args:
        spec: FILE.py:FUNCTION, which returns (fetches, feeds) (default `build`); a GraphDef in a
            .pb or .pbtxt file; a .meta file; a SavedModel's folder; such a function itself;
            (graph, fetches, feeds).

    Raises:
        TargetError: there is no such file or function, or it holds nothing to compute.
        NotFoundError: a file with an op type that graphc does not have.
    """
    if isinstance(spec, Target):
        return spec
    if isinstance(spec, tuple) and len(spec) == 3:
        return _of_objects(*spec)
    if callable(spec):
        return built(spec, getattr(spec, "__name__", "build"))
    if not isinstance(spec, str | os.PathLike):
        raise TargetError(
            f"{type(spec).__name__} names no target; give FILE.py:FUNCTION, a .pb or .meta file, a "
            "SavedModel's folder, a function or (graph, fetches, feeds)"
        )
    text = os.fspath(spec)
    python = _PYTHON.fullmatch(text)
    if python is not None:
        return built(load_build(text), f"{Path(python['file']).name}:{python['name'] or 'build'}")
    return _of_file(Path(text))


def _of_objects(graph: Any, fetches: Any, feeds: Any) -> Target:
    if not isinstance(graph, Graph) or not isinstance(feeds, Mapping | None):
        raise TargetError("a target of objects is (graph, fetches, feed_dict)")
    return Target(graph, fetches, dict(feeds or {}), "graph")


# ------------------------------------------------------------------ functions
def load_build(spec: str) -> Callable[[], Any]:
    """The function named by FILE.py:FUNCTION (default `build`).

    Raises:
        TargetError: no such file or function. What running the file raises.
    """
    found = _PYTHON.fullmatch(spec)
    path, name = (found["file"], found["name"]) if found else (spec.partition(":")[0], None)
    name = name or "build"
    file = Path(path)
    if not file.is_file():
        raise TargetError(f"no file {path!r}; give FILE.py:build")
    module_spec = importlib.util.spec_from_file_location(f"graphc_build_{file.stem}", file)
    if module_spec is None or module_spec.loader is None:
        raise TargetError(f"{path!r} is no Python file; give FILE.py:build")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    # the file's own folder, as when it is run as a script, and the working one, as with -m
    before = list(sys.path)
    sys.path[:] = [str(file.parent.resolve()), *before, str(Path.cwd())]
    try:
        module_spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    build = getattr(module, name, None)
    if not callable(build):
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise TargetError(f"{path} has no function {name!r}; it has {', '.join(names)}")
    made: Callable[[], Any] = build
    return made


def built(build: Callable[[], Any], title: str = "build") -> Target:
    """What a function makes, run in a graph of its own.

    Raises:
        TargetError: it does not return (fetches, feeds).
    """
    graph = Graph()
    with graph.as_default():
        got = build()
    if not isinstance(got, tuple) or len(got) != 2 or not isinstance(got[1], dict):
        raise TargetError("build() must return (fetches, feed_dict)")
    return Target(graph, got[0], got[1], title)


# ------------------------------------------------------------------ files
def _of_file(path: Path) -> Target:
    if path.name in ("saved_model.pb", "saved_model.pbtxt"):
        path = path.parent
    if path.is_dir():
        return _saved_model(path)
    if not path.is_file():
        raise TargetError(f"no file or folder {str(path)!r}")
    if path.suffix == ".meta":
        return _meta_graph(path)
    if path.suffix in (".pb", ".pbtxt"):
        return _graph_def(path)
    raise TargetError(
        f"{str(path)!r}: a target is FILE.py:FUNCTION, a .pb, .pbtxt or .meta file, or a "
        "SavedModel's folder"
    )


def _graph_def(path: Path) -> Target:
    from graphc.interop.importer import import_nodes
    from graphc.interop.messages import GraphDef
    from graphc.interop.text_format import Parse, ParseError
    from graphc.interop.wire import DecodeError

    try:
        data = path.read_bytes()
        message = Parse(data, GraphDef()) if path.suffix == ".pbtxt" else GraphDef.FromString(data)
    except (DecodeError, ParseError, UnicodeDecodeError) as err:
        raise TargetError(f"{str(path)!r} holds no GraphDef: {err}") from None
    graph = Graph()
    with graph.as_default():
        import_nodes(graph, message, "", {})
    return _guessed(graph, sinks(graph, message), path.name)


def _meta_graph(path: Path) -> Target:
    from graphc.interop.meta_graph import read_meta
    from graphc.session import Session
    from graphc.tf1.checkpoint_state import checkpoint_exists
    from graphc.tf1.saver import import_meta_graph

    graph = Graph()
    with graph.as_default():
        try:
            meta = read_meta(path)
        except OSError as err:
            raise TargetError(str(err)) from None
        saver = import_meta_graph(meta)
    trained = dict.fromkeys(graph.get_collection(GraphKeys.TRAIN_OP))
    fetches = _fetchable(n for n in trained if isinstance(n, Node))
    fetches = fetches or sinks(graph, meta.graph_def)
    session = None
    prefix = str(path.with_suffix(""))
    if saver is not None and checkpoint_exists(prefix):
        session = Session(graph=graph)
        saver.restore(session, prefix)
    return _guessed(graph, fetches, path.name, session)


def _saved_model(path: Path) -> Target:
    from graphc.session import Session
    from graphc.tf1.saved_model_loader import SavedModelLoader, maybe_saved_model_directory
    from graphc.tf1.saved_model_signatures import get_tensor_from_tensor_info

    if not maybe_saved_model_directory(path):
        raise TargetError(f"the folder {str(path)!r} holds no SavedModel")
    loader = SavedModelLoader(path)
    metas = list(loader.saved_model.meta_graphs)
    chosen = next((m for m in metas if "serve" in m.meta_info_def.tags), metas[0])
    graph = Graph()
    session = Session(graph=graph)
    with graph.as_default():
        meta = loader.load(session, list(chosen.meta_info_def.tags))
    signatures = {k: s for k, s in meta.signature_def.items() if not k.startswith("__")}
    if not signatures:
        return _guessed(graph, sinks(graph, meta.graph_def), path.name, session)
    key = "serving_default" if "serving_default" in signatures else min(signatures)
    outputs = signatures[key].outputs
    fetches = {k: get_tensor_from_tensor_info(v, graph) for k, v in outputs.items()}
    return _guessed(graph, fetches, f"{path.name}:{key}", session)


# ------------------------------------------------------------------ what to fetch
def sinks(graph: Graph, message: Any = None) -> list[Tensor | Node]:
    """What nobody reads, without what only loads, saves or initializes.

    Args:
        message: the GraphDef that the graph was read from: what reading adds is no sink.
    """
    read = {t.node for n in graph.nodes for t in n.inputs}
    read.update(c for n in graph.nodes for c in n.control_inputs)
    listed = (v for key in _HOUSEKEEPING for v in graph.get_collection(key))
    read.update(getattr(v, "node", v) for v in listed)
    ends = [n for n in graph.nodes if n not in read and n.op.family != "source"]
    if message is not None:
        inputs = {i.lstrip("^").split(":")[0] for nd in message.node for i in nd.input}
        names = {nd.name for nd in message.node} - inputs
        ends = [n for n in ends if n.name in names]
    return _fetchable(n for n in ends if not _loads_or_begins(n))


def _fetchable(nodes: Iterable[Node]) -> list[Tensor | Node]:
    out: list[Tensor | Node] = []
    for node in nodes:
        out.extend(node.outputs or (node,))
    return out


def _loads_or_begins(node: Node) -> bool:
    """Whether a node saves or restores, or only gives variables their initial values."""
    needed = needed_nodes((), (node,), {})
    if any(n.op.tf in _SAVERS for n in needed):
        return True
    writes = [n for n in needed if n.op.refs]
    if not writes and node.op.name != "no_op":
        return False
    return all(n.op.name == "assign" and _is_initial(n) for n in writes)


def _is_initial(assign: Node) -> bool:
    """Whether what is assigned depends on nothing that a run gives."""
    value = assign.inputs[1]
    before = needed_nodes((value,), (), {})
    return not any(n.op.name in ("placeholder", "variable") for n in before)


# ------------------------------------------------------------------ what to feed
def _guessed(graph: Graph, fetches: Any, title: str, session: Any = None) -> Target:
    from graphc.fetches import FetchPlan

    if not fetches:
        raise TargetError(f"{title!r} holds nothing to compute")
    plan = FetchPlan(graph, fetches)
    nodes = needed_nodes(plan.tensors, plan.nodes, {})
    tensors = [n.outputs[0] for n in nodes if n.op.name == "placeholder"]
    return Target(graph, fetches, _feeds(plan, tensors), title, session)


def _feeds(plan: Any, tensors: Sequence[Tensor]) -> dict[Any, Any]:
    """Values for the placeholders, of extents that fit together."""
    tries = [
        {t: made_up(t, first, rest) for t in tensors}
        for first, rest in ((EXTENT, EXTENT), (EXTENT, 1), (1, 1))
    ]
    return next((feeds for feeds in tries if _fits(plan, feeds)), tries[-1])


def _fits(plan: Any, feeds: Mapping[Tensor, Array]) -> bool:
    from graphc.config import current
    from graphc.runtime.executor import Stage, StageSpec
    from graphc.runtime.state import VariableStore

    wanted = tuple(t for t in plan.tensors if t not in feeds)
    stage = Stage(StageSpec(wanted, plan.nodes, tuple(feeds)), current())
    try:
        stage.program(list(feeds.values()), VariableStore())
    except UnresolvedShape:
        return True  # as far as can be seen without running
    except (OpError, ValueError):
        return False
    return True


def made_up(tensor: Tensor, first: int, rest: int) -> Array:
    """A value for a placeholder: numbers from 0 to 1, ones for integers, always the same.

    Integers may be labels, indices, lengths or numbers of steps: one of each mostly exists.

    Args:
        first, rest: extents of its first dimension and of others, where they are open.
    """
    dims = tensor.dims or ()
    shape = tuple(d if isinstance(d, int) else rest if k else first for k, d in enumerate(dims))
    if tensor.dtype.kind == "s":
        return np.full(shape, b"", object)
    if tensor.dtype.is_floating:
        return np.random.default_rng(SEED).random(shape).astype(tensor.dtype.np)
    return np.full(shape, 0 if tensor.dtype.is_bool else 1, tensor.dtype.np)
