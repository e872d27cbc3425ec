"""Ops on whole files: read, write, find by pattern.

Lives here: read_file, write_file, matching_files. Not here: datasets and readers of records.
Imports ops.define.
"""

from __future__ import annotations

import glob
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from graphc.ir.dtypes import string
from graphc.ir.node import TensorType
from graphc.ops.define import InferContext, OpDef
from graphc.ops.samples import fixed, sample

Array = np.ndarray[Any, Any]
_NO_GRADIENT = "strings have no gradient"


def _refused(name: str, err: OSError) -> Exception:
    if isinstance(err, FileNotFoundError):
        return NotFoundError(f"{name}; No such file or directory")
    if isinstance(err, PermissionError):
        return PermissionDeniedError(f"{name}; Permission denied")
    if isinstance(err, IsADirectoryError):
        return FailedPreconditionError(f"{name}; Is a directory")
    return InvalidArgumentError(f"{name}; {err.strerror}")


def _scalars(ctx: InferContext) -> None:
    for k in range(len(ctx.inputs)):
        if ctx.rank(k) not in (None, 0):
            raise ctx.fail(f"Shape must be rank 0 but is rank {ctx.rank(k)}")


def _read(filename: Array) -> Array:
    name = os.fsdecode(filename.item())
    out = np.empty((), object)
    try:
        out[()] = Path(name).read_bytes()
    except OSError as err:
        raise _refused(name, err) from None
    return out


def _read_type(ctx: InferContext) -> TensorType:
    _scalars(ctx)
    return TensorType(string, ())


# a file may change from run to run: reading it is never folded
read_file = OpDef(
    name="read_file",
    tf="ReadFile",
    family="host",
    args=("filename",),
    groups=(string,),
    infer=_read_type,
    numpy=_read,
    nograd=_NO_GRADIENT,
    stateful=True,
    samples=(sample(fixed(os.devnull.encode(), string), grad=False),),
)


def _write(filename: Array, contents: Array) -> tuple[()]:
    path = Path(os.fsdecode(filename.item()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(contents.item())  # a device is not replaced
            return ()
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(contents.item())
        mask = os.umask(0)
        os.umask(mask)
        Path(file.name).chmod(0o666 & ~mask)
        Path(file.name).replace(path)
    except OSError as err:
        raise _refused(str(path), err) from None
    return ()


def _write_type(ctx: InferContext) -> tuple[TensorType, ...]:
    _scalars(ctx)
    return ()


write_file = OpDef(
    name="write_file",
    tf="WriteFile",
    family="host",
    args=("filename", "contents"),
    groups=(string, string),
    infer=_write_type,
    numpy=_write,
    nograd="it has no outputs",
    stateful=True,
    effect=True,
    samples=(
        sample(fixed(os.devnull.encode(), string), fixed(b"text", string), grad=False),
    ),
)


def _matching(pattern: Array) -> Array:
    found: set[str] = set()
    for item in pattern.reshape(-1).tolist():
        found.update(glob.glob(os.fsdecode(item)))  # noqa: PTH207  absolute ones, too
    out = np.empty(len(found), object)
    out[:] = [os.fsencode(name) for name in sorted(found)]
    return out


matching_files = OpDef(
    name="matching_files",
    tf="MatchingFiles",
    family="host",
    args=("pattern",),
    groups=(string,),
    infer=lambda ctx: TensorType(string, (None,)),
    numpy=_matching,
    nograd=_NO_GRADIENT,
    stateful=True,
    data_dependent=True,
    samples=(sample(fixed([b"/dev/nul?"], string), grad=False),),
)
