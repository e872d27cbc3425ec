"""The text file `checkpoint` and reading of checkpoints: tf.train.latest_checkpoint and kin.

Lives here: the state file, NewCheckpointReader, list_variables, load_variable. Not here: Saver
(tf1/saver.py), the file format (interop/checkpoint.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphc.errors import NotFoundError
from graphc.interop.checkpoint import CheckpointReader, atomic_file, checkpoint_files
from graphc.interop.messages import CheckpointState
from graphc.interop.text_format import MessageToString, Parse, ParseError

__all__ = [
    "NewCheckpointReader", "checkpoint_exists", "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes", "get_checkpoint_state", "latest_checkpoint", "list_variables",
    "load_checkpoint", "load_variable", "remove_checkpoint", "update_checkpoint_state",
]  # fmt: skip


def _state_path(directory: Any, latest_filename: str | None) -> Path:
    return Path(directory) / (latest_filename or "checkpoint")


def generate_checkpoint_state_proto(
    save_dir: Any,
    model_checkpoint_path: Any,
    all_model_checkpoint_paths: Sequence[Any] | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> CheckpointState:
    """The state with paths relative to `save_dir` where that is relative.

    Raises:
        ValueError: the numbers of paths and timestamps differ.
    """
    newest = os.fspath(model_checkpoint_path)
    paths = [os.fspath(p) for p in all_model_checkpoint_paths or []]
    times = list(all_model_checkpoint_timestamps or [])
    if times and len(times) != len(paths):
        raise ValueError(
            "Checkpoint timestamps, if provided, must match checkpoint paths (got "
            f"{len(paths)} paths and {len(times)} timestamps)"
        )
    if not paths or paths[-1] != newest:
        paths.append(newest)
        if times:
            times.append(time.time())
    directory = os.fspath(save_dir)
    if not os.path.isabs(directory):  # noqa: PTH117  # text, not a file
        paths = [_relative(p, directory) for p in paths]
        newest = _relative(newest, directory)
    return CheckpointState(
        model_checkpoint_path=newest,
        all_model_checkpoint_paths=paths,
        all_model_checkpoint_timestamps=times,
        last_preserved_timestamp=last_preserved_timestamp,
    )


def _relative(path: str, directory: str) -> str:
    return path if Path(path).is_absolute() else os.path.relpath(path, directory or ".")


def update_checkpoint_state(
    save_dir: Any,
    model_checkpoint_path: Any,
    all_model_checkpoint_paths: Sequence[Any] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
    save_relative_paths: bool = False,
) -> None:
    """Writes the state file of `save_dir`, at once as a whole.

    Raises:
        RuntimeError: a checkpoint of the name of the state file.
    """
    path = _state_path(save_dir, latest_filename)
    newest = os.fspath(model_checkpoint_path)
    paths = [os.fspath(p) for p in all_model_checkpoint_paths or []]
    if save_relative_paths:
        newest = _below(newest, save_dir)
        paths = [_below(p, save_dir) for p in paths]
    if os.fspath(path) == newest:
        raise RuntimeError(
            f"Save path '{newest}' conflicts with path used for checkpoint state.  Please use a "
            "different save path."
        )
    state = generate_checkpoint_state_proto(
        save_dir, newest, paths, all_model_checkpoint_timestamps, last_preserved_timestamp
    ) if not save_relative_paths else CheckpointState(
        model_checkpoint_path=newest,
        all_model_checkpoint_paths=paths if newest in paths[-1:] else [*paths, newest],
        all_model_checkpoint_timestamps=all_model_checkpoint_timestamps,
        last_preserved_timestamp=last_preserved_timestamp,
    )  # fmt: skip
    with atomic_file(path) as file:
        file.write(MessageToString(state).encode())


def _below(path: str, directory: Any) -> str:
    same = Path(path).is_absolute() == Path(directory).is_absolute()
    return os.path.relpath(path, os.fspath(directory) or ".") if same else path


def get_checkpoint_state(
    checkpoint_dir: Any, latest_filename: str | None = None
) -> CheckpointState | None:
    """The state of a directory with paths that can be opened, or None where there is none."""
    path = _state_path(checkpoint_dir, latest_filename)
    try:
        state = Parse(path.read_text(encoding="utf-8"), CheckpointState())
    except (OSError, ParseError, UnicodeDecodeError):
        return None
    if not state.model_checkpoint_path:
        return None
    directory = os.fspath(checkpoint_dir)

    def full(name: str) -> str:
        # joined as text: "./" in front stays, as scripts print and compare these names
        return os.path.join(directory, name)  # noqa: PTH118

    state.model_checkpoint_path = full(state.model_checkpoint_path)
    state.all_model_checkpoint_paths[:] = [full(p) for p in state.all_model_checkpoint_paths]
    return state


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The prefix of the newest checkpoint of a directory, or None."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None or not checkpoint_exists(state.model_checkpoint_path):
        return None
    return state.model_checkpoint_path


def checkpoint_exists(checkpoint_prefix: Any) -> bool:
    """Whether there is a checkpoint of this prefix."""
    return Path(f"{os.fspath(checkpoint_prefix)}.index").exists()


def get_checkpoint_mtimes(checkpoint_prefixes: Sequence[Any]) -> list[float]:
    """When each checkpoint was written, in seconds since the epoch; missing ones are left out."""
    paths = [Path(f"{os.fspath(p)}.index") for p in checkpoint_prefixes]
    return [p.stat().st_mtime for p in paths if p.exists()]


def remove_checkpoint(
    checkpoint_prefix: Any,
    checkpoint_format_version: Any = None,
    meta_graph_suffix: str = "meta",
) -> None:
    """Removes the files of a checkpoint, its index first, and its MetaGraph."""
    prefix = os.fspath(checkpoint_prefix)
    for path in (*checkpoint_files(prefix), Path(f"{prefix}.{meta_graph_suffix}")):
        path.unlink(missing_ok=True)


# ------------------------------------------------------------------ reading
def NewCheckpointReader(filepattern: Any) -> CheckpointReader:
    """A reader of the checkpoint of this prefix (tf.train.NewCheckpointReader).

    Raises:
        NotFoundError: "Unsuccessful TensorSliceReader constructor: Failed to find ...".
    """
    return CheckpointReader(filepattern)


def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """A reader of a prefix, or of the newest checkpoint of a directory.

    Raises:
        ValueError: a directory without a checkpoint. NotFoundError: no such checkpoint.
    """
    name = os.fspath(ckpt_dir_or_file)
    if Path(name).is_dir():
        found = latest_checkpoint(name)
        if found is None:
            raise ValueError(
                f"Couldn't find 'checkpoint' file or checkpoints in given directory {name}"
            )
        name = found
    return CheckpointReader(name)


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """(name, shape) of each tensor of a checkpoint, by name."""
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def load_variable(ckpt_dir_or_file: Any, name: str) -> Any:
    """The value of one tensor of a checkpoint; ":0" may follow its name.

    Raises:
        NotFoundError: "Key X not found in checkpoint".
    """
    reader = load_checkpoint(ckpt_dir_or_file)
    short = name.removesuffix(":0")
    if not reader.has_tensor(short):
        raise NotFoundError(f"Key {short} not found in checkpoint")
    return reader.get_tensor(short)
