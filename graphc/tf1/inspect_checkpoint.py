"""tensorflow.python.tools.inspect_checkpoint: prints what a checkpoint holds.

Lives here: print_tensors_in_checkpoint_file. Imports checkpoint_state.py.
"""

from __future__ import annotations

import sys
from typing import Any

from graphc.tf1.checkpoint_state import load_checkpoint

__all__ = ["print_tensors_in_checkpoint_file"]


def print_tensors_in_checkpoint_file(
    file_name: Any,
    tensor_name: str = "",
    all_tensors: bool = True,
    all_tensor_names: bool = False,
    count_exclude_pattern: str = "",
) -> None:
    """Writes names and values to stdout.

    Args:
        tensor_name: only this one, unless all_tensors. all_tensor_names: no values.

    Raises:
        NotFoundError: no such checkpoint, or no such tensor in it.
    """
    reader = load_checkpoint(file_name)
    if not (all_tensors or all_tensor_names or tensor_name):
        sys.stdout.write(f"{reader.debug_string().decode()}\n")
        return
    one = tensor_name and not all_tensors and not all_tensor_names
    names = [tensor_name] if one else sorted(reader.get_variable_to_shape_map())
    for name in names:
        sys.stdout.write(f"tensor_name:  {name}\n")
        if not all_tensor_names:
            sys.stdout.write(f"{reader.get_tensor(name)}\n")
