"""Loading SavedModels: tf.saved_model.load, the loader, tf.contrib.predictor.

Lives here: load, SavedModelLoader, Predictor. Not here: writing (tf1/saved_model.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graphc.interop.messages import AssetFileDef, MetaGraphDef, SavedModel
from graphc.interop.text_format import Parse, ParseError
from graphc.interop.wire import DecodeError
from graphc.ir.graph import Graph, GraphKeys
from graphc.session import Session
from graphc.tf1 import saved_model_names as names
from graphc.tf1.saved_model_signatures import get_tensor_from_tensor_info
from graphc.tf1.saver import Saver, import_meta_graph

__all__ = [
    "Predictor", "SavedModelLoader", "from_saved_model", "get_signature_def_by_key", "load",
    "maybe_saved_model_directory", "parse_saved_model",
]  # fmt: skip


def parse_saved_model(export_dir: Any) -> SavedModel:
    """The SavedModel message of a directory, binary or text.

    Raises:
        OSError: there is none, or it cannot be parsed.
    """
    folder = Path(os.fspath(export_dir))
    binary = folder / names.SAVED_MODEL_FILENAME_PB
    text = folder / names.SAVED_MODEL_FILENAME_PBTXT
    if binary.is_file():
        try:
            return SavedModel.FromString(binary.read_bytes())
        except DecodeError as err:
            raise OSError(f"Cannot parse file {binary}: {err}.") from None
    if text.is_file():
        try:
            return Parse(text.read_bytes(), SavedModel())
        except (ParseError, UnicodeDecodeError) as err:
            raise OSError(f"Cannot parse file {text}: {err}.") from None
    raise OSError(
        f"SavedModel file does not exist at: {export_dir}{os.path.sep}"
        f"{{{names.SAVED_MODEL_FILENAME_PBTXT}|{names.SAVED_MODEL_FILENAME_PB}}}"
    )


def maybe_saved_model_directory(export_dir: Any) -> bool:
    """Whether a directory holds a SavedModel's file (tf.saved_model.contains_saved_model)."""
    folder = Path(os.fspath(export_dir))
    files = (names.SAVED_MODEL_FILENAME_PB, names.SAVED_MODEL_FILENAME_PBTXT)
    return any((folder / name).is_file() for name in files)


def load(
    sess: Any, tags: Iterable[str], export_dir: Any, import_scope: str | None = None,
    **saver_kwargs: Any,
) -> MetaGraphDef:  # fmt: skip
    """Loads the MetaGraph of exactly these tags into a session (tf.saved_model.load).

    Its ops go into the session's graph (below import_scope), its variables get their values, and
    the op that the model says to run after a load runs.

    Returns:
        The MetaGraphDef: signatures, collections.

    Raises:
        OSError: no SavedModel. RuntimeError: no MetaGraph of these tags.
        NotFoundError: an op type that graphc does not have.
    """
    return SavedModelLoader(export_dir).load(sess, tags, import_scope, **saver_kwargs)


class SavedModelLoader:
    """Loads MetaGraphs of one SavedModel into sessions.

    Raises:
        OSError: no SavedModel, or one that cannot be parsed.
    """

    def __init__(self, export_dir: Any) -> None:
        self.export_dir = os.fspath(export_dir)
        self.saved_model = parse_saved_model(export_dir)
        self.variables_path = str(
            Path(self.export_dir) / names.VARIABLES_DIRECTORY / names.VARIABLES_FILENAME
        )

    def get_meta_graph_def_from_tags(self, tags: Iterable[str]) -> MetaGraphDef:
        """The MetaGraph of exactly these tags.

        Raises:
            RuntimeError: there is none.
        """
        wanted = [tags] if isinstance(tags, str) else list(tags)
        available = [set(m.meta_info_def.tags) for m in self.saved_model.meta_graphs]
        for meta, found in zip(self.saved_model.meta_graphs, available, strict=True):
            if found == set(wanted):
                return meta
        raise RuntimeError(
            f"MetaGraphDef associated with tags {str(wanted).strip('[]')} could not be found in "
            f"SavedModel, with available tags '{available}'. To inspect available tag-sets in the "
            "SavedModel, please use the SavedModel CLI: `saved_model_cli`."
        )

    def load_graph(
        self, graph: Graph, tags: Iterable[str], import_scope: str | None = None,
        **saver_kwargs: Any,
    ) -> tuple[Saver | None, list[Any] | None]:  # fmt: skip
        """Adds the MetaGraph to a graph; (its saver, or None where it has no variables, None)."""
        meta = self.get_meta_graph_def_from_tags(tags)
        with graph.as_default():
            return import_meta_graph(meta, import_scope=import_scope, **saver_kwargs), None

    def restore_variables(
        self, sess: Any, saver: Saver | None, import_scope: str | None = None
    ) -> None:
        """Gives the variables in `sess` the model's values.

        Raises:
            ValueError: no saver, and the graph has variables.
        """
        if saver is not None:
            saver.restore(sess, self.variables_path)
        elif sess.graph.get_collection(GraphKeys.GLOBAL_VARIABLES, import_scope):
            raise ValueError(
                "No tf.train.Saver object was passed to the function "
                "`SavedModelLoader.restore_variables`. Since there are variables in the graph, a "
                "saver is required."
            )

    def run_init_ops(
        self, sess: Any, tags: Iterable[str], import_scope: str | None = None
    ) -> None:
        """Runs what the model says to run after a load, with the paths of its assets."""
        meta = self.get_meta_graph_def_from_tags(tags)
        op = _init_op(sess.graph, meta, import_scope)
        if op is not None:
            sess.run([op], self._assets(sess.graph, meta, import_scope))

    def _assets(self, graph: Graph, meta: MetaGraphDef, scope: str | None) -> dict[Any, str]:
        """The assets' tensors and the paths of their files."""
        assets = list(meta.asset_file_def)
        if not assets and names.ASSETS_KEY in meta.collection_def:
            packed = meta.collection_def[names.ASSETS_KEY].any_list.value
            assets = [AssetFileDef.FromString(p.value) for p in packed]
        folder = Path(self.export_dir) / names.ASSETS_DIRECTORY
        prefix = f"{scope}/" if scope else ""
        return {
            graph.get_tensor_by_name(prefix + a.tensor_info.name): str(folder / a.filename)
            for a in assets
        }

    def load(
        self, sess: Any, tags: Iterable[str], import_scope: str | None = None, **saver_kwargs: Any
    ) -> MetaGraphDef:
        """As the function load."""
        tags = [tags] if isinstance(tags, str) else list(tags)
        with sess.graph.as_default():
            saver, _ = self.load_graph(sess.graph, tags, import_scope, **saver_kwargs)
            if saver is not None:
                self.restore_variables(sess, saver, import_scope)
            self.run_init_ops(sess, tags, import_scope)
        return self.get_meta_graph_def_from_tags(tags)


def _init_op(graph: Graph, meta: MetaGraphDef, scope: str | None) -> Any:
    """The op to run after a load, by the signature or the collection that names it."""
    prefix = f"{scope}/" if scope else ""
    key = names.INIT_OP_SIGNATURE_KEY
    if key in meta.signature_def:
        return graph.as_graph_element(prefix + meta.signature_def[key].outputs[key].name)
    for key in (names.MAIN_OP_KEY, names.LEGACY_INIT_OP_KEY):
        if key in meta.collection_def:
            found = meta.collection_def[key].node_list.value
            if len(found) != 1:
                raise RuntimeError(
                    f"Expected exactly one SavedModel init op. Found {len(found)}: {found}."
                )
            return graph.as_graph_element(prefix + found[0])
    return None


# ------------------------------------------------------------------ predictors
def get_signature_def_by_key(meta_graph_def: MetaGraphDef, signature_def_key: str) -> Any:
    """A MetaGraph's signature of this key.

    Raises:
        ValueError: there is none.
    """
    if signature_def_key not in meta_graph_def.signature_def:
        available = sorted(meta_graph_def.signature_def)
        raise ValueError(
            f'Got signature_def_key "{signature_def_key}". Available signatures are {available}.'
        )
    return meta_graph_def.signature_def[signature_def_key]


class Predictor:
    """Calls a loaded model: arrays by input names in, arrays by output names out.

    Attributes:
        graph, session: the model's own. feed_tensors, fetch_tensors: by name.
    """

    def __init__(
        self, session: Session, feeds: Mapping[str, Any], fetches: Mapping[str, Any]
    ) -> None:
        self.session = session
        self.graph = session.graph
        self.feed_tensors = dict(feeds)
        self.fetch_tensors = dict(fetches)

    def __repr__(self) -> str:
        return (
            f"Predictor with feed tensors {self.feed_tensors} and fetch_tensors "
            f"{self.fetch_tensors}"
        )

    def __call__(self, input_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs for these inputs.

        Raises:
            ValueError: inputs that the model does not have.
        """
        unexpected = set(input_dict) - set(self.feed_tensors)
        if unexpected:
            raise ValueError(
                f"Got unexpected keys in input_dict: {unexpected}\n"
                f"expected: {set(self.feed_tensors)}"
            )
        feeds = {self.feed_tensors[key]: value for key, value in input_dict.items()}
        got: dict[str, Any] = self.session.run(self.fetch_tensors, feeds)
        return got


def from_saved_model(
    export_dir: Any,
    signature_def_key: str | None = None,
    signature_def: Any = None,
    input_names: Mapping[str, str] | None = None,
    output_names: Mapping[str, str] | None = None,
    tags: Any = None,
    graph: Graph | None = None,
    config: Any = None,
) -> Predictor:
    """A Predictor of a SavedModel (tf.contrib.predictor.from_saved_model).

    Args:
        signature_def_key, signature_def: which signature, default "serving_default".
        input_names, output_names: instead of a signature: names of tensors by key.
        tags: a string with commas, or a list; default "serve". graph: default a new one.

    Raises:
        ValueError: more than one way to say the signature; an unknown one.
    """
    given = (signature_def_key, signature_def, input_names)
    if sum(g is not None for g in given) > 1 or (input_names is None) != (output_names is None):
        raise ValueError(
            "You must specify at most one of signature_def_key, signature_def, or input_names and "
            "output_names."
        )
    wanted = (tags or names.SERVING).split(",") if isinstance(tags, str | None) else list(tags)
    graph = graph or Graph()
    with graph.as_default():
        session = Session(graph=graph, config=config)
        meta = load(session, wanted, export_dir)
        if input_names is not None and output_names is not None:
            feeds = {k: graph.get_tensor_by_name(v) for k, v in input_names.items()}
            fetches = {k: graph.get_tensor_by_name(v) for k, v in output_names.items()}
            return Predictor(session, feeds, fetches)
        key = signature_def_key or names.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        chosen = signature_def if signature_def is not None else get_signature_def_by_key(meta, key)
        feeds = {k: get_tensor_from_tensor_info(v, graph) for k, v in chosen.inputs.items()}
        fetches = {k: get_tensor_from_tensor_info(v, graph) for k, v in chosen.outputs.items()}
    return Predictor(session, feeds, fetches)
