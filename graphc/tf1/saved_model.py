"""Writing SavedModels: tf.saved_model.Builder and simple_save.

Lives here: SavedModelBuilder, simple_save, main_op. Not here: loading (tf1/saved_model_loader.py),
signatures (tf1/saved_model_signatures.py), the names of files (tf1/saved_model_names.py).

A model is put together in a folder beside its place and renamed when it is complete: whoever
looks into the export directory finds a whole model or none.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graphc.interop.checkpoint import atomic_file
from graphc.interop.messages import Any as AnyMessage
from graphc.interop.messages import (
    AssetFileDef,
    MetaGraphDef,
    SavedModel,
    SignatureDef,
    TensorInfo,
)
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.tf1 import saved_model_names as names
from graphc.tf1.api_state import local_variables_initializer
from graphc.tf1.ops_misc import group
from graphc.tf1.saved_model_signatures import predict_signature_def
from graphc.tf1.saver import Saver

__all__ = ["SavedModelBuilder", "main_op", "main_op_with_restore", "simple_save"]

_ASSET_URL = "type.googleapis.com/tensorflow.AssetFileDef"


class SavedModelBuilder:
    """Puts a SavedModel together (tf.saved_model.Builder): MetaGraphs that share variables.

    Args:
        export_dir: where the model goes; it must not exist, or be empty.

    Raises:
        AssertionError: the directory holds something.
    """

    def __init__(self, export_dir: Any) -> None:
        self._model = SavedModel(saved_model_schema_version=names.SAVED_MODEL_SCHEMA_VERSION)
        self._export_dir = os.fspath(export_dir)
        place = Path(os.path.abspath(self._export_dir))  # noqa: PTH100  # links stay as they are
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise AssertionError(
                f"Export directory {self._export_dir} already exists, and isn't empty. Please "
                "choose a different export directory, or delete all the contents of the "
                "specified directory."
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._work = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        # what is never saved leaves nothing behind
        self._drop = weakref.finalize(self, shutil.rmtree, self._work, True)
        self._has_variables = False

    def add_meta_graph_and_variables(
        self,
        sess: Any,
        tags: Iterable[str],
        signature_def_map: Mapping[str, SignatureDef] | None = None,
        assets_collection: Iterable[Tensor] | None = None,
        legacy_init_op: Node | None = None,
        clear_devices: bool = False,
        main_op: Node | None = None,
        strip_default_attrs: bool = False,
        saver: Saver | None = None,
    ) -> None:
        """Adds the session's graph and the values of its variables: once, and first.

        Args:
            tags: what the MetaGraph is found by. signature_def_map: signatures by key.
            assets_collection: constant strings, the paths of files to copy along.
            main_op (or legacy_init_op): runs after a load. saver: which variables to write,
            default all global ones.

        Raises:
            AssertionError: variables were added before, or a TensorInfo lacks name or dtype.
            KeyError: a reserved key. TypeError: main_op is no op; an asset is no constant.
            FailedPreconditionError: a variable is not initialised.
        """
        if self._has_variables:
            raise AssertionError(
                "Graph state including variables and assets has already been saved. Please invoke "
                "`add_meta_graph()` instead."
            )
        with sess.graph.as_default():
            meta, saver = self._meta_graph(
                tags, signature_def_map, assets_collection, legacy_init_op or main_op,
                clear_devices, saver,
            )  # fmt: skip
            folder = self._work / names.VARIABLES_DIRECTORY
            folder.mkdir(exist_ok=True)
            saver.save(
                sess, str(folder / names.VARIABLES_FILENAME),
                write_meta_graph=False, write_state=False,
            )  # fmt: skip
        self._model.meta_graphs.append(meta)
        self._has_variables = True

    def add_meta_graph(
        self,
        tags: Iterable[str],
        signature_def_map: Mapping[str, SignatureDef] | None = None,
        assets_collection: Iterable[Tensor] | None = None,
        legacy_init_op: Node | None = None,
        clear_devices: bool = False,
        main_op: Node | None = None,
        strip_default_attrs: bool = False,
        saver: Saver | None = None,
    ) -> None:
        """Adds the default graph, which uses the variables that were written.

        Raises:
            AssertionError: no variables were added yet. Others as add_meta_graph_and_variables.
        """
        if not self._has_variables:
            raise AssertionError(
                "Graph state including variables and assets has not been saved yet. Please invoke "
                "`add_meta_graph_and_variables()` first."
            )
        meta, _ = self._meta_graph(
            tags, signature_def_map, assets_collection, legacy_init_op or main_op, clear_devices,
            saver,
        )  # fmt: skip
        self._model.meta_graphs.append(meta)

    def _meta_graph(
        self, tags: Iterable[str], signatures: Any, assets: Any, init_op: Any,
        clear_devices: bool, saver: Saver | None,
    ) -> tuple[MetaGraphDef, Saver]:  # fmt: skip
        """The default graph's MetaGraphDef, with all that a SavedModel adds to it."""
        if isinstance(tags, str):
            raise TypeError(f"tags must be a list of strings, got the string {tags!r}")
        _check_signatures(signatures or {})
        if init_op is not None and not isinstance(init_op, Node):
            raise TypeError(
                f"Expected {init_op} to be an Operation but got type {type(init_op)} instead."
            )
        saver = saver or Saver(allow_empty=True)
        meta: MetaGraphDef = saver.export_meta_graph(clear_devices=clear_devices)
        if saver._is_empty:
            # it would name ops that are not there
            meta.ClearField("saver_def")
        meta.meta_info_def.tags.extend(tags)
        for key, signature in (signatures or {}).items():
            meta.signature_def[key].CopyFrom(signature)
        self._add_assets(meta, assets)
        if init_op is not None:
            meta.collection_def.pop(names.LEGACY_INIT_OP_KEY, None)
            entry = meta.collection_def[names.MAIN_OP_KEY]
            entry.Clear()
            entry.node_list.value.append(init_op.name)
        return meta, saver

    # ------------------------------------------------------------ assets
    def _add_assets(self, meta: MetaGraphDef, assets: Iterable[Tensor] | None) -> None:
        """Copies files and names them in the MetaGraph, in its field and its collection."""
        # what the graph brought from a model that it was loaded from
        meta.collection_def.pop(names.ASSETS_KEY, None)
        for tensor in assets or ():
            source = Path(_asset_path(tensor))
            if not source.is_file():
                raise ValueError(f"Asset {tensor.name}: there is no file {str(source)!r}")
            asset = AssetFileDef(filename=self._copy_asset(source))
            asset.tensor_info.name = tensor.name
            meta.asset_file_def.append(asset)
            packed = AnyMessage(type_url=_ASSET_URL, value=asset.SerializeToString())
            meta.collection_def[names.ASSETS_KEY].any_list.value.append(packed)

    def _copy_asset(self, source: Path) -> str:
        """The name of the file's copy; other files of the same name get a number."""
        folder = self._work / names.ASSETS_DIRECTORY
        folder.mkdir(exist_ok=True)
        name, count = source.name, 0
        while (folder / name).exists():
            if filecmp.cmp(source, folder / name, shallow=False):
                return name
            count += 1
            name = f"{source.name}_{count}"
        shutil.copyfile(source, folder / name)
        return name

    # ------------------------------------------------------------ writing
    def save(self, as_text: bool = False) -> str:
        """Writes saved_model.pb (as_text: saved_model.pbtxt) and puts the model into its place.

        Returns:
            The path of that file.

        Raises:
            AssertionError: the export directory has been filled meanwhile.
        """
        from graphc.interop.text_format import MessageToString

        if as_text:
            name, data = names.SAVED_MODEL_FILENAME_PBTXT, MessageToString(self._model).encode()
        else:
            name, data = names.SAVED_MODEL_FILENAME_PB, self._model.SerializeToString()
        with atomic_file(self._work / name) as file:
            file.write(data)
        if self._work != self._place:
            self._publish()
        return os.path.join(self._export_dir, name)  # noqa: PTH118  # the path as TF gives it

    def _publish(self) -> None:
        mask = os.umask(0)
        os.umask(mask)
        # mkdtemp makes folders that nobody else can read
        self._work.chmod(0o777 & ~mask)
        try:
            if self._place.exists():
                self._place.rmdir()
            self._work.rename(self._place)
        except OSError as err:
            raise AssertionError(
                f"Export directory {self._export_dir} cannot be written: {err}"
            ) from err
        self._drop.detach()
        self._work = self._place


def _asset_path(tensor: Any) -> str:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"Asset path tensor {tensor} must be a Tensor.")
    if tensor.node.op.name != "const":
        raise TypeError(
            f"Asset path tensor {tensor} must be of type constant. Has type {tensor.node.type} "
            "instead."
        )
    if tensor.dtype.kind != "s":
        raise TypeError(
            f"Asset path tensor {tensor} must be of dtype string. Has type {tensor.dtype} instead."
        )
    value = tensor.node.attrs["value"].array.reshape(-1)
    if len(value) != 1:
        raise TypeError(f"Asset path tensor {tensor} must be a scalar.")
    return os.fsdecode(value[0])


def _check_signatures(signatures: Mapping[str, SignatureDef]) -> None:
    for signature in signatures.values():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            _check_info(info)
    for key, what in (
        (names.INIT_OP_SIGNATURE_KEY, "initialization"),
        (names.TRAIN_OP_SIGNATURE_KEY, "the train op"),
    ):
        if key in signatures:
            raise KeyError(
                f'SignatureDef map key "{key}" is reserved for {what}. Please use a different key.'
            )


def _check_info(info: TensorInfo) -> None:
    kind = info.WhichOneof("encoding")
    if kind is None:
        raise AssertionError(
            f"Invalid `tensor_info`: {info}. All TensorInfo protos used in the SignatureDefs must "
            "have one of the 'encoding' fields (e.g., name or coo_sparse) set."
        )
    if kind != "composite_tensor" and info.dtype == 0:
        raise AssertionError(
            f"Invalid `tensor_info`: {info}. All TensorInfo protos used in the SignatureDefs must "
            "have the dtype field set."
        )


def simple_save(
    session: Any,
    export_dir: Any,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    legacy_init_op: Node | None = None,
) -> None:
    """Writes a SavedModel for serving: one signature, tag "serve" (tf.saved_model.simple_save).

    Args:
        inputs, outputs: tensors by their keys in the signature. legacy_init_op: runs after a load.

    Raises:
        AssertionError: the directory holds something. ValueError: no inputs or no outputs.
    """
    key = names.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    signatures = {key: predict_signature_def(inputs, outputs)}
    builder = SavedModelBuilder(export_dir)
    builder.add_meta_graph_and_variables(
        session,
        [names.SERVING],
        signature_def_map=signatures,
        assets_collection=session.graph.get_collection(GraphKeys.ASSET_FILEPATHS),
        main_op=legacy_init_op,
        clear_devices=True,
    )
    builder.save()


# ------------------------------------------------------------------ tf.saved_model.main_op
def main_op() -> Node:
    """An op that initialises local variables and tables (tf.saved_model.main_op)."""
    tables = get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(local_variables_initializer(), *tables)


def main_op_with_restore(restore_op_name: Any) -> Node:
    """As main_op, after the op of this name."""
    graph = get_default_graph()
    op = graph.as_graph_element(restore_op_name)
    with graph.control_dependencies([op]):
        return main_op()
