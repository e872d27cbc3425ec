"""tf.print: values of a run as text.

Lives here: the op and the text of arrays. Not here: tf.Print (tf1/api_checks.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.tf1.api_checks import py_func

__all__ = ["print_values", "text_of"]

Array = np.ndarray[Any, Any]


# ------------------------------------------------------------------ the text of arrays
def _number(value: Any) -> str:
    """One element: six digits where they say it all, else as many as its type has."""
    if isinstance(value, bytes):
        return '"' + value.decode("utf-8", "replace") + '"'
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, complex | np.complexfloating):
        return f"({_number(value.real)},{_number(value.imag)})"
    if not isinstance(value, float | np.floating):
        return str(value)
    short = f"{float(value):.6g}"
    if value != value or type(value)(short) == value:
        return short
    return f"{float(value):.9g}" if np.asarray(value).itemsize < 8 else f"{float(value):.17g}"


def text_of(array: Array, summarize: int = 3) -> str:
    """[[1 2 ... 8 9] ...]: the first and last entries of every axis; all with -1."""
    return _text(np.asarray(array), summarize, 1)


def _text(array: Any, summarize: int, depth: int) -> str:
    if not isinstance(array, np.ndarray):
        return _number(array)
    if array.ndim == 0:
        return _number(array[()])
    size = len(array)
    if summarize < 0 or size <= 2 * summarize:
        parts = [_text(array[k], summarize, depth + 1) for k in range(size)]
    else:
        ends = [*range(summarize), *range(size - summarize, size)]
        parts = [_text(array[k], summarize, depth + 1) for k in ends]
        parts.insert(summarize, "...")
    if array.ndim == 1:
        return "[" + " ".join(parts) + "]"
    return "[" + ("\n" * (array.ndim - 1) + " " * depth).join(parts) + "]"


# ------------------------------------------------------------------ where it goes
def _writer(stream: Any) -> Callable[[str], Any]:
    """What takes the text.

    Raises:
        ValueError: no stream, no function of tf.logging, no "file://" path.
    """
    if isinstance(stream, str) and stream.startswith("file://"):
        path = Path(stream.removeprefix("file://"))

        def append(text: str) -> None:
            with path.open("a") as file:
                file.write(text)

        return append
    if callable(stream) and not hasattr(stream, "write"):
        return lambda text: stream(text.removesuffix("\n"))
    if not hasattr(stream, "write"):
        raise ValueError(
            f"Unknown output stream, logging level, or file: {stream!r}. Give sys.stdout, "
            'sys.stderr, a function of tf.logging, or "file://" and a path'
        )
    return lambda text: (stream.write(text), stream.flush())


# ------------------------------------------------------------------ the op
def print_values(
    *inputs: Any, output_stream: Any = None, summarize: int = 3, sep: str = " ",
    end: str = "\n", name: str | None = None,
) -> Node:  # fmt: skip
    """An op that prints its inputs when a run needs it (tf.print).

    Args:
        inputs: tensors, numbers, texts, and lists and dicts of them. output_stream: sys.stderr
            (default), sys.stdout, a function of tf.logging, or "file://" and a path.
        summarize: how many entries at the ends of an axis; -1 for all.

    Raises:
        ValueError: another output_stream.
    """
    tensors: list[Tensor] = []
    parts = [_template(value, tensors, top=True) for value in inputs]
    stream = output_stream

    def show(*arrays: Array) -> tuple[()]:
        # sys.stderr as it is now: tests and notebooks exchange it
        write = _writer(sys.stderr if stream is None else stream)
        texts = [text_of(a, summarize) for a in arrays]
        write(sep.join(part(texts) for part in parts) + end)
        return ()

    if stream is not None:
        _writer(stream)
    made: Node = py_func(show, tensors, [], name=name or "PrintV2")
    return made


def _template(value: Any, tensors: list[Tensor], top: bool = False) -> Callable[[list[str]], str]:
    """A function of the tensors' texts that gives the text of a value."""
    if is_tensor_like(value):
        at = len(tensors)
        tensors.append(convert_to_tensor(value))
        return lambda texts: texts[at]
    if isinstance(value, Mapping):
        pairs = [(k, _template(v, tensors)) for k, v in value.items()]
        return lambda texts: "{" + ", ".join(f"{k!r}: {p(texts)}" for k, p in pairs) + "}"
    if isinstance(value, list | tuple):
        items = [_template(v, tensors) for v in value]
        left, right = ("[", "]") if isinstance(value, list) else ("(", ")")
        return lambda texts: left + ", ".join(p(texts) for p in items) + right
    text = str(value) if top else repr(value)
    return lambda texts: text
