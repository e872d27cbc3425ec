"""tf.train.Saver: variables of a session to and from TensorFlow's V2 checkpoints.

Lives here: Saver, import_meta_graph, export_meta_graph. Not here: the state file and readers
(tf1/checkpoint_state.py), file formats (interop/). Sessions' values are read and written directly:
the graph gets no save and restore ops.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.interop.checkpoint import CheckpointReader, atomic_file, write_checkpoint
from graphc.interop.messages import SaverDef
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import bracket_text, dims_equal
from graphc.tf1.checkpoint_state import (
    checkpoint_exists,
    get_checkpoint_mtimes,
    remove_checkpoint,
    update_checkpoint_state,
)
from graphc.tf1.variables import Variable, variable_of

__all__ = ["Saver", "export_meta_graph", "import_meta_graph"]

_MISSING = (
    "Restoring from checkpoint failed. This is most likely due to a Variable name or other graph "
    "key that is missing from the checkpoint. Please ensure that you have not altered the graph "
    "expected based on the checkpoint. Original error:\n\n"
)


def _one_at_a_time(save: Callable[..., str | None]) -> Callable[..., str | None]:
    """A Supervisor saves while the loop does: the state file names what was saved last."""

    @functools.wraps(save)
    def locked(self: Saver, *args: Any, **kwargs: Any) -> str | None:
        with self._saving:
            return save(self, *args, **kwargs)

    return locked


class Saver:
    """Saves and restores variables (tf.train.Saver).

    Args:
        var_list: a list of variables, or a dict of variables by their keys in the checkpoint.
            Default: all global variables and saveable objects of the default graph.
        reshape: values of another shape with as many elements are reshaped.
        max_to_keep: how many checkpoints to keep (0 or None: all).
        keep_checkpoint_every_n_hours: also keep one for so many hours of training.
        name: scope in names of a SaverDef. saver_def: names and numbers of another Saver.
        defer_build: take the variables at build(), or when first used.
        allow_empty: no variables are not an error.
        filename: the name in SaverDef without a directory. sharded, restore_sequentially,
        builder, write_version, pad_step_number: pad_step_number pads steps to 8 digits; the
        others are accepted without effect.

    Raises:
        ValueError: "No variables to save"; two variables of one name.
        TypeError: "Variable to save is not a Variable".
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: Any = SaverDef.V2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ) -> None:
        if defer_build and var_list:
            raise ValueError(
                "If `var_list` is provided then build cannot be deferred. Either set "
                "defer_build=False or var_list=None."
            )
        self._var_list = var_list
        self._reshape = reshape
        self._name = name
        self._allow_empty = allow_empty
        self._pad_step_number = pad_step_number
        self._save_relative_paths = save_relative_paths
        self._checkpoints: list[tuple[str, float]] = []
        self._saving = threading.RLock()
        self._next_to_keep = time.time() + keep_checkpoint_every_n_hours * 3600
        self._keys: dict[str, Any] | None = None
        self._graph: Graph | None = None
        self.saver_def = SaverDef()
        if saver_def is not None:
            self.saver_def.CopyFrom(saver_def)
        else:
            self._describe(sharded, max_to_keep, keep_checkpoint_every_n_hours, filename)
        if not defer_build:
            self.build()

    def _describe(
        self, sharded: bool, keep: int | None, hours: float, filename: str | None
    ) -> None:
        scope = self._name or "save"
        definition = self.saver_def
        definition.filename_tensor_name = f"{scope}/Const:0"
        definition.save_tensor_name = f"{scope}/control_dependency:0"
        definition.restore_op_name = f"{scope}/restore_all"
        definition.max_to_keep = keep or 0
        definition.sharded = sharded
        definition.keep_checkpoint_every_n_hours = hours
        definition.version = SaverDef.V2

    def build(self) -> None:
        """Takes the variables (after defer_build).

        Raises:
            ValueError: "No variables to save".
        """
        if self._keys is not None:
            return
        chosen = self._var_list
        if chosen is None:
            graph = get_default_graph()
            chosen = list(dict.fromkeys(
                graph.get_collection(GraphKeys.GLOBAL_VARIABLES)
                + graph.get_collection("saveable_objects")
            ))  # fmt: skip
        if not chosen:
            if not self._allow_empty:
                raise ValueError("No variables to save")
            self._keys = {}
            return
        self._keys = _by_key(chosen)
        self._graph = next(iter(self._keys.values())).graph

    @property
    def _is_empty(self) -> bool:
        return not self._keys

    def _built(self) -> dict[str, Any]:
        if self._keys is None:
            self.build()
        assert self._keys is not None
        return self._keys

    def _check_graph(self, sess: Any, keys: Mapping[str, Any]) -> None:
        if keys and sess.graph is not self._graph:
            raise ValueError(
                f"The session's graph {sess.graph!r} is not the graph of the Saver's variables"
            )

    # ------------------------------------------------------------ saving
    @_one_at_a_time
    def save(
        self,
        sess: Any,
        save_path: Any,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Writes the variables' values in `sess` and returns the checkpoint's prefix.

        Args:
            save_path: prefix; "-<step>" is appended where global_step (a number, tensor or
                variable) is given.

        Raises:
            TypeError: not a session. ValueError: a name that cannot be; a missing directory.
            FailedPreconditionError: a variable is not initialised.
        """
        session = _session(sess)
        state_name = _state_name(latest_filename)
        prefix = os.fspath(save_path)
        folder, base = os.path.split(prefix)
        if base == state_name:
            raise ValueError(
                f"'latest_filename' collides with 'save_path': '{state_name}' and '{prefix}'"
            )
        if not base:
            raise ValueError(f"save_path ends in a directory, not in a name: '{prefix}'")
        if global_step is not None:
            step = _step(sess, global_step)
            prefix += f"-{step:08d}" if self._pad_step_number else f"-{step}"
        keys = self._built()
        if not keys:
            return None
        self._check_graph(session, keys)
        if folder and not Path(folder).is_dir():
            raise ValueError(f"Parent directory of {prefix} doesn't exist, can't save.")
        write_checkpoint(prefix, _values(session, keys))
        if write_meta_graph:
            self.export_meta_graph(
                f"{prefix}.{meta_graph_suffix}", strip_default_attrs=strip_default_attrs
            )
        if write_state:
            self._record(prefix, folder, state_name, meta_graph_suffix)
        return prefix

    def _record(self, prefix: str, folder: str, state_name: str, suffix: str) -> None:
        """Names the new checkpoint in the state file, then removes those that are too many."""
        now = time.time()
        self._checkpoints = [c for c in self._checkpoints if c[0] != prefix] + [(prefix, now)]
        keep = self.saver_def.max_to_keep
        surplus = self._checkpoints[:-keep] if keep and keep > 0 else []
        self._checkpoints = self._checkpoints[len(surplus) :]
        update_checkpoint_state(
            folder,
            prefix,
            [path for path, _ in self._checkpoints],
            state_name,
            [written for _, written in self._checkpoints],
            save_relative_paths=self._save_relative_paths,
        )
        for path, written in surplus:
            if written > self._next_to_keep:
                self._next_to_keep += self.saver_def.keep_checkpoint_every_n_hours * 3600
                continue
            remove_checkpoint(path, meta_graph_suffix=suffix)

    @property
    def last_checkpoints(self) -> list[str]:
        """The checkpoints that are kept, oldest first."""
        return [path for path, _ in self._checkpoints]

    def set_last_checkpoints(self, last_checkpoints: Iterable[str]) -> None:
        """Deprecated: as set_last_checkpoints_with_time with times unknown."""
        self._checkpoints = [(path, np.inf) for path in last_checkpoints]

    def set_last_checkpoints_with_time(
        self, last_checkpoints_with_time: Iterable[tuple[str, float]]
    ) -> None:
        """Replaces the list of kept checkpoints: (prefix, time) from old to new."""
        self._checkpoints = list(last_checkpoints_with_time)

    def recover_last_checkpoints(self, checkpoint_paths: Iterable[str]) -> None:
        """Goes on with checkpoints of an earlier run; those that are gone are left out."""
        found = [os.fspath(p) for p in checkpoint_paths if checkpoint_exists(p)]
        times = get_checkpoint_mtimes(found)
        self._checkpoints = list(zip(found, times, strict=True))

    # ------------------------------------------------------------ restoring
    def restore(self, sess: Any, save_path: Any) -> None:
        """Sets the variables in `sess` from a checkpoint; they need not be initialised.

        Raises:
            ValueError: save_path is None or no checkpoint.
            NotFoundError: "Key X not found in checkpoint".
            InvalidArgumentError: a value of another shape or dtype; nothing is changed then.
        """
        session = _session(sess)
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        prefix = os.fspath(save_path)
        if not checkpoint_exists(prefix) and not Path(prefix).is_file():
            raise ValueError(f"The passed save_path is not a valid checkpoint: {prefix}")
        keys = self._built()
        if not keys:
            return
        self._check_graph(session, keys)
        logging.getLogger("tensorflow").info("Restoring parameters from %s", prefix)
        reader = CheckpointReader(prefix)
        values = [(_node(v), self._value(reader, k, v)) for k, v in keys.items()]
        store = session.executor.variables
        with store.lock:
            for node, value in values:
                store.set(node, value)

    def _value(self, reader: CheckpointReader, key: str, variable: Any) -> Any:
        if not reader.has_tensor(key):
            raise NotFoundError(f"{_MISSING}Key {key} not found in checkpoint")
        dtype = variable.dtype
        stored = reader.get_variable_to_dtype_map()[key]
        if stored is not dtype:
            raise InvalidArgumentError(
                f"tensor_name = {key}; expected dtype {dtype.tf_name} does not equal original "
                f"dtype {stored.tf_name}"
            )
        value = reader.array(key)
        dims = variable.shape.dims_tuple
        if dims is None or _fits(dims, value.shape):
            return value
        if self._reshape and None not in dims and value.size == int(np.prod(dims)):
            return value.reshape(dims)
        raise InvalidArgumentError(
            "Restoring from checkpoint failed. This is most likely due to a mismatch between the "
            "current graph and the graph from the checkpoint. Please ensure that you have not "
            "altered the graph expected based on the checkpoint. Original error:\n\n"
            f"Assign requires shapes of both tensors to match. lhs shape= {bracket_text(dims)} "
            f"rhs shape= {bracket_text(value.shape)}\n\t [[Node: {_node(variable).name}]]"
        )

    # ------------------------------------------------------------ the saver as data
    def as_saver_def(self) -> SaverDef:
        return self.saver_def

    def to_proto(self, export_scope: str | None = None) -> SaverDef | None:
        """The SaverDef; None where the saver is not in that scope."""
        if export_scope is None or self.saver_def.filename_tensor_name.startswith(export_scope):
            return self.saver_def
        return None

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> Saver:
        return Saver(saver_def=saver_def, name=import_scope)

    def export_meta_graph(
        self,
        filename: Any = None,
        collection_list: Iterable[str] | None = None,
        as_text: bool = False,
        export_scope: str | None = None,
        clear_devices: bool = False,
        clear_extraneous_savers: bool = False,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> Any:
        """The graph, its collections and this saver as a MetaGraphDef, also to a file."""
        from graphc.interop.meta_graph import meta_graph_of

        keys = {key: _node(v) for key, v in self._built().items()}
        graph = self._graph or get_default_graph()
        meta = meta_graph_of(
            graph, collection_list, self.saver_def, keys, export_scope, clear_devices
        )
        return _write_meta(meta, filename, as_text)


# ------------------------------------------------------------------ what is saved
def _by_key(chosen: Any) -> dict[str, Any]:
    """The variables by their keys, in order of the keys."""
    if isinstance(chosen, Mapping):
        pairs = [(str(k), v) for k, v in chosen.items()]
    elif isinstance(chosen, Iterable) and not isinstance(chosen, str | bytes | Variable):
        pairs = [("", v) for v in chosen]
    else:
        raise TypeError(f"var_list must be a list or a dict of variables, got {chosen!r}")
    out: dict[str, Any] = {}
    seen: dict[Node, str] = {}
    for key, value in pairs:
        variable = _as_variable(value)
        key = key or _node(variable).name
        if key in out:
            raise ValueError(f"At least two variables have the same name: {key}")
        node = _node(variable)
        if node in seen:
            raise ValueError(f"The same saveable will be restored with two names: {key}")
        out[key], seen[node] = variable, key
    return dict(sorted(out.items()))


def _as_variable(value: Any) -> Any:
    if isinstance(value, Variable):
        return value
    if isinstance(value, Tensor) and value.node.op.name == "variable":
        return variable_of(value) or value
    raise TypeError(f"Variable to save is not a Variable: {value}")


def _node(variable: Any) -> Node:
    return variable.op


def _fits(dims: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    return len(dims) == len(shape) and all(
        dims_equal(a, b) is not False for a, b in zip(dims, shape, strict=True)
    )


def _session(sess: Any) -> Any:
    """The session that holds the values: wrappers (MonitoredSession) name theirs."""
    from graphc.session import BaseSession

    seen = 0
    while not isinstance(sess, BaseSession) and seen < 16:
        inner = next(
            (getattr(sess, n) for n in ("_sess", "_session", "session") if hasattr(sess, n)),
            None,
        )
        if inner is None:
            break
        sess, seen = inner, seen + 1
    if not isinstance(sess, BaseSession):
        raise TypeError(f"'sess' must be a Session; {sess}")
    return sess


def _state_name(latest_filename: str | None) -> str:
    name = latest_filename or "checkpoint"
    if os.path.split(name)[0]:
        raise ValueError("'latest_filename' must not contain path components")
    return name


def _step(sess: Any, global_step: Any) -> int:
    if isinstance(global_step, Variable | Tensor):
        return int(_session(sess).run(global_step))
    if isinstance(global_step, int | np.integer):
        return int(global_step)
    raise TypeError(f"global_step must be a number, tensor or variable, got {global_step!r}")


def _values(session: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of all values as of one moment."""
    store = session.executor.variables
    with store.lock:
        return {key: store.view(_node(v)).copy() for key, v in keys.items()}


# ------------------------------------------------------------------ meta graphs
def _write_meta(meta: Any, filename: Any, as_text: bool) -> Any:
    if filename is not None:
        from graphc.interop.text_format import MessageToString

        data = MessageToString(meta).encode() if as_text else meta.SerializeToString()
        with atomic_file(filename) as file:
            file.write(data)
    return meta


def export_meta_graph(
    filename: Any = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Iterable[str] | None = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **unused: Any,
) -> Any:
    """A graph and its collections as a MetaGraphDef, also to a file (tf.train)."""
    from graphc.interop.meta_graph import meta_graph_of

    meta = meta_graph_of(
        graph or get_default_graph(), collection_list, saver_def, {}, export_scope, clear_devices
    )
    if graph_def is not None:
        meta.graph_def.CopyFrom(graph_def)
    if meta_info_def is not None:
        meta.meta_info_def.CopyFrom(meta_info_def)
    return _write_meta(meta, filename, as_text)


def import_meta_graph(
    meta_graph_or_file: Any,
    clear_devices: bool = False,
    import_scope: str | None = None,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Any = None,
    **unused: Any,
) -> Saver | None:
    """Adds a MetaGraph's ops and collections to the default graph (tf.train).

    Returns:
        A Saver for its variables, or None where there are none.

    Raises:
        NotFoundError: an op type that graphc does not have. OSError: the file cannot be parsed.
    """
    from graphc.interop.meta_graph import import_meta, read_meta

    meta = read_meta(meta_graph_or_file)
    keys = import_meta(meta, clear_devices, import_scope, input_map)
    if not keys:
        return None
    has_saver = meta.HasField("saver_def")
    saver_def = meta.saver_def if has_saver else None
    return Saver(keys, saver_def=saver_def, name=import_scope)
