"""Initial values from checkpoints: tf.train.init_from_checkpoint, tf.train.warm_start.

Lives here: the op that reads a checkpoint when an initializer runs, and what makes it the
initializer of variables. Not here: reading files (interop/checkpoint.py), Saver.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import NotFoundError
from graphc.interop.checkpoint import CheckpointReader
from graphc.ir.dtypes import DType, bool_
from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.ir.node import Tensor, TensorType
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F, InferContext, host
from graphc.tf1.checkpoint_state import latest_checkpoint
from graphc.tf1.variable_store import store_of
from graphc.tf1.variables import Variable

__all__ = ["VocabInfo", "init_from_checkpoint", "warm_start"]

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------ the op
def _type(ctx: InferContext) -> TensorType:
    return TensorType(ctx.attrs["dtype"], ctx.attrs["shape"])


def _read(prefix: str, key: str, dtype: DType, shape: tuple[int, ...]) -> Array:
    reader = CheckpointReader(prefix)
    if not reader.has_tensor(key):
        raise NotFoundError(f"Key {key} not found in checkpoint")
    return np.asarray(reader.array(key)).reshape(shape)


checkpoint_value = host(
    "checkpoint_value", tf="CheckpointValue", args=(), infer=_type, numpy=_read, stateful=True,
    nograd="a value of a file depends on no tensor",
)  # fmt: skip


def checkpoint_prefix(ckpt_dir_or_file: Any) -> str:
    """The prefix of a checkpoint, or that of a directory's newest one.

    Raises:
        ValueError: a directory without a checkpoint.
    """
    name = os.fspath(ckpt_dir_or_file)
    if not Path(name).is_dir():
        return name
    found = latest_checkpoint(name)
    if found is None:
        raise ValueError(
            f"Couldn't find 'checkpoint' file or checkpoints in given directory {name}"
        )
    return found


# ------------------------------------------------------------------ init_from_checkpoint
def init_from_checkpoint(ckpt_dir_or_file: Any, assignment_map: Any) -> None:
    """Makes values of a checkpoint the initial values of variables (tf.train).

    Nothing is restored now: the variables' initializers read the checkpoint when they run.

    Args:
        assignment_map: from names in the checkpoint to variables or their names, or from scopes
            to scopes ("old/": "new/", "/": "/"); or a list of pairs.

    Raises:
        ValueError: names that are not there, shapes that differ.
    """
    prefix = checkpoint_prefix(ckpt_dir_or_file)
    shapes = CheckpointReader(prefix).get_variable_to_shape_map()
    pairs = assignment_map.items() if isinstance(assignment_map, Mapping) else assignment_map
    for source, target in pairs:
        variable = _variable(target)
        if variable is None:
            _init_scope(prefix, shapes, source, target)
            continue
        if source not in shapes:
            raise ValueError(
                f"Tensor {source} is not found in {os.fspath(ckpt_dir_or_file)} checkpoint "
                f"{shapes}"
            )
        _set_initializer(variable, prefix, source, shapes[source])


def _variable(target: Any) -> Variable | None:
    """The variable that is given or named; None for the name of a scope."""
    if isinstance(target, list | tuple) and len(target) == 1:
        target = target[0]
    if isinstance(target, Variable):
        return target
    return store_of(get_default_graph()).variables.get(target)


def _init_scope(prefix: str, shapes: Mapping[str, Any], source: str, target: str) -> None:
    """All variables below one scope from the values below another."""
    inner, outer = target.rpartition("/")[0], source.rstrip("/")
    if not source.endswith("/"):
        raise ValueError(
            f"Assignment map with scope only name {inner} should map to scope only {source}. "
            "Should be 'scope/': 'other_scope/'."
        )
    for name, variable in store_of(get_default_graph()).variables.items():
        if inner and not name.startswith(f"{inner}/"):
            continue
        rest = name[len(inner) + 1 :] if inner else name
        key = f"{outer}/{rest}" if outer else rest
        if key not in shapes:
            raise ValueError(f"Tensor {key} ({rest} in {source}) is not found in {prefix} "
                             "checkpoint")  # fmt: skip
        _set_initializer(variable, prefix, key, shapes[key])


def _set_initializer(variable: Variable, prefix: str, key: str, shape: Sequence[int]) -> None:
    if not variable.get_shape().is_compatible_with(shape):
        raise ValueError(
            f"Shape of variable {variable.name} ({variable.get_shape()}) doesn't match with shape "
            f"of tensor {key} ({list(shape)}) from checkpoint reader."
        )
    graph = variable.graph
    with graph.as_default(), graph.name_scope(None), graph.control_dependencies(None):
        value = checkpoint_value(
            prefix=prefix, key=key, dtype=variable.dtype, shape=tuple(int(d) for d in shape),
            name="checkpoint_initializer",
        )  # fmt: skip
        replace_initial_value(variable, value)


def replace_initial_value(variable: Variable, value: Tensor) -> None:
    """Makes `value` what the variable's initializer assigns."""
    variable._initial_value = value
    variable._initializer = F.assign.node(variable._ref(), value, name="checkpoint_assign")


# ------------------------------------------------------------------ warm_start
class VocabInfo(NamedTuple):
    """Rows of a matrix by words: where the vocabulary has changed (tf.train.VocabInfo).

    Attributes:
        new_vocab, old_vocab: files with a word a line. new_vocab_size, old_vocab_size: how many
        lines count (old: -1 for all). num_oov_buckets: rows after those of the vocabulary, which
        start anew. backup_initializer: of rows whose words are new; default zeros.
        axis: 0 for rows, 1 for columns.
    """

    new_vocab: Any
    new_vocab_size: int
    num_oov_buckets: int
    old_vocab: Any
    old_vocab_size: int = -1
    backup_initializer: Any = None
    axis: int = 0


def warm_start(
    ckpt_to_initialize_from: Any,
    vars_to_warm_start: Any = ".*",
    var_name_to_vocab_info: Mapping[str, VocabInfo] | None = None,
    var_name_to_prev_var_name: Mapping[str, str] | None = None,
) -> None:
    """Initial values of variables from a checkpoint (tf.train.warm_start).

    Args:
        vars_to_warm_start: a regular expression for names of trainable variables, a list of them
            for all global variables, a list of variables, or None for all trainable ones.
        var_name_to_vocab_info: variables whose rows belong to words.
        var_name_to_prev_var_name: names in the checkpoint where they differ.

    Raises:
        ValueError: names that no variable has, or that are not in the checkpoint.
    """
    vocabularies = dict(var_name_to_vocab_info or {})
    previous = dict(var_name_to_prev_var_name or {})
    chosen = {v.op.name: v for v in _chosen(vars_to_warm_start)}
    by_name = {v.op.name: v for v in get_default_graph().get_collection(
        GraphKeys.GLOBAL_VARIABLES)}  # fmt: skip
    chosen.update({name: by_name[name] for name in vocabularies if name in by_name})
    for what, names in (("var_name_to_vocab_info", vocabularies),
                        ("var_name_to_prev_var_name", previous)):  # fmt: skip
        unused = sorted(set(names) - set(chosen))
        if unused:
            raise ValueError(
                f"You provided the following variables in {what} that were not used: {unused}.  "
                "Perhaps you misspelled them?  Here is the list of viable variable names: "
                f"{sorted(chosen)}"
            )
    for name, variable in chosen.items():
        key = previous.get(name, name)
        if name in vocabularies:
            _init_by_words(variable, ckpt_to_initialize_from, key, vocabularies[name])
        else:
            init_from_checkpoint(ckpt_to_initialize_from, {key: variable})


def _chosen(given: Any) -> list[Variable]:
    graph = get_default_graph()
    if given is None or isinstance(given, str):
        return graph.get_collection(GraphKeys.TRAINABLE_VARIABLES, given)
    if isinstance(given, list) and all(isinstance(v, str) for v in given):
        variables = graph.get_collection(GraphKeys.GLOBAL_VARIABLES)
        return [v for v in variables if any(re.match(g, v.name) for g in given)]
    if isinstance(given, list) and all(isinstance(v, Variable) for v in given):
        return given
    if isinstance(given, list):
        raise ValueError(
            "If `vars_to_warm_start` is a list, it must be all `Variable` or all `str`.  Given "
            f"types are {[type(v) for v in given]}"
        )
    raise ValueError(
        f"`vars_to_warm_start must be a `list` or `str`.  Given type is {type(given)}"
    )


def _words(path: Any, count: int) -> list[str]:
    lines = Path(os.fspath(path)).read_text(encoding="utf-8").splitlines()
    return lines if count < 0 else lines[:count]


def _init_by_words(variable: Variable, checkpoint: Any, key: str, info: VocabInfo) -> None:
    """Rows of known words from the checkpoint, others from the backup initializer."""
    if info.axis not in (0, 1):
        raise ValueError("The only supported values for the axis argument are 0 and 1.  Provided "
                         f"axis: {info.axis}")  # fmt: skip
    old = np.asarray(CheckpointReader(checkpoint_prefix(checkpoint)).array(key))
    places = {word: i for i, word in enumerate(_words(info.old_vocab, info.old_vocab_size))}
    shape = [int(d) for d in variable.get_shape()]
    value = np.zeros(shape, old.dtype)
    known = np.zeros(shape, np.bool_)
    for row, word in enumerate(_words(info.new_vocab, info.new_vocab_size)):
        if word in places:
            at: Any = row if info.axis == 0 else (slice(None), row)
            source: Any = places[word] if info.axis == 0 else (slice(None), places[word])
            value[at], known[at] = old[source], True
    graph = variable.graph
    with graph.as_default(), graph.name_scope(None), graph.control_dependencies(None):
        tensor = convert_to_tensor(value, variable.dtype)
        if info.backup_initializer is not None and not known.all():
            backup = info.backup_initializer(shape, dtype=variable.dtype)
            tensor = F.select(convert_to_tensor(known, bool_), tensor, backup)
        replace_initial_value(variable, tensor)
