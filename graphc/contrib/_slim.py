"""What tf.contrib.slim has of its own: model_analyzer, learning, restoring.

Lives here: slim's modules as objects with their functions. Not here: layers, variables. Users find
these names in graphc.contrib.slim.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from graphc.contrib import _slim_evaluation
from graphc.contrib import losses as losses
from graphc.contrib import metrics as metrics
from graphc.contrib._layers_base import (
    collect_output,
    convert_collection_to_dict,
)
from graphc.contrib._optimize import clip_gradient_norms, create_train_op, multiply_gradients
from graphc.contrib._slim_learning import train, train_step
from graphc.ir.graph import get_default_graph


def analyze_vars(variables: Sequence[Any], print_info: bool = False) -> tuple[int, int]:
    """(number of scalars, bytes) of variables; print_info writes a line for each."""
    lines = ["---------", "Variables: name (type shape) [size]", "---------"]
    size = total = 0
    for variable in variables:
        count = variable.shape.num_elements() or 0
        held = count * variable.dtype.size
        size, total = size + count, total + held
        dims = "x".join(str(d) for d in variable.shape.as_list())
        lines.append(
            f"{variable.name} ({variable.dtype.name} {dims}) [{count}, bytes: {held}]"
        )
    lines += [f"Total size of variables: {size}", f"Total bytes of variables: {total}", ""]
    if print_info:
        sys.stdout.write("\n".join(lines))
    return size, total


def analyze_ops(graph: Any, print_info: bool = False) -> int:
    """The number of scalars in all results of ops with known shapes."""
    lines = ["---------", "Operations: name -> (type shapes) [size]", "---------"]
    size = 0
    for op in graph.get_operations():
        shapes = [t.shape for t in op.outputs]
        count = sum(s.num_elements() or 0 for s in shapes if s.is_fully_defined())
        size += count
        lines.append(f"{op.name}\t-> ({op.type} {', '.join(map(str, shapes))}) [{count}]")
    lines += [f"Total size: {size}", ""]
    if print_info:
        sys.stdout.write("\n".join(lines))
    return size


model_analyzer = SimpleNamespace(
    analyze_vars=analyze_vars, analyze_ops=analyze_ops,
    tensor_description=lambda var: f"({var.dtype.name} {var.shape})",
)  # fmt: skip
learning = SimpleNamespace(
    clip_gradient_norms=clip_gradient_norms, create_train_op=create_train_op,
    multiply_gradients=multiply_gradients, train=train, train_step=train_step,
)  # fmt: skip
evaluation = _slim_evaluation
utils = SimpleNamespace(
    collect_named_outputs=collect_output, convert_collection_to_dict=convert_collection_to_dict,
)  # fmt: skip


def assign_from_checkpoint_fn(
    model_path: str,
    var_list: Any,
    ignore_missing_vars: bool = False,
    reshape_variables: bool = False,
) -> Callable[[Any], None]:
    """A function of a session that restores variables from a checkpoint.

    Args:
        var_list: a list of variables, or a dict of them by their names in the checkpoint.
        ignore_missing_vars: leave out those that the checkpoint does not hold.
        reshape_variables: take values of another shape and the same size.

    Raises:
        ValueError: no variables. NotFoundError: no such checkpoint.
    """
    from graphc import train

    if not var_list:
        raise ValueError("var_list cannot be empty")
    chosen = var_list if isinstance(var_list, dict) else {v.op.name: v for v in var_list}
    if ignore_missing_vars:
        reader = train.NewCheckpointReader(model_path)
        chosen = {name: v for name, v in chosen.items() if reader.has_tensor(name)}
    if not chosen:
        return lambda session: None
    with get_default_graph().name_scope("assign_from_checkpoint"):
        saver = train.Saver(chosen, reshape=reshape_variables)
    return lambda session: saver.restore(session, model_path)
