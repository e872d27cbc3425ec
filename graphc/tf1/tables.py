"""What a lookup table holds, in each session: contents, and how they are filled.

Lives here: Table (the resource of the ops), its contents, columns of text files. Not here: the
ops (ops/lookup.py), users' classes (tf1/lookup.py). Imports runtime.state.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from graphc.ir.dtypes import DType, string
from graphc.ops.text_numbers import parse_number
from graphc.runtime.state import running

Array = np.ndarray[Any, Any]

WHOLE_LINE = -2
LINE_NUMBER = -1


class _Contents:
    """The entries in one session."""

    def __init__(self, initialized: bool) -> None:
        self.entries: dict[Any, Any] = {}
        self.initialized = initialized
        self.lock = threading.Lock()


class Table:
    """A table: dtypes and shapes of its keys and values, and its name.

    Args:
        shared_name: tables of one session that share it share their contents.
        mutable: needs no initialisation. forbidden: keys that it cannot hold -> their names.
    """

    def __init__(
        self,
        name: str,
        key_dtype: DType,
        value_dtype: DType,
        value_dims: tuple[int, ...] = (),
        key_dims: tuple[int, ...] = (),
        shared_name: str | None = None,
        mutable: bool = False,
        forbidden: tuple[tuple[Any, str], ...] = (),
    ) -> None:
        self.name = name
        self.key_dtype = key_dtype
        self.value_dtype = value_dtype
        self.value_dims = value_dims
        self.key_dims = key_dims
        self.mutable = mutable
        self.forbidden = dict(forbidden)
        self.shared_name = shared_name or ""
        self._place: Any = ("table", shared_name) if shared_name else self

    def __repr__(self) -> str:
        return self.name

    def _contents(self) -> _Contents:
        resources = running().store.resources
        found = resources.get(self._place)
        if found is None:
            # of two threads that come at once, one makes it
            found = resources.setdefault(self._place, _Contents(self.mutable))
        contents: _Contents = found
        return contents

    def _keys(self, keys: Array) -> list[Any]:
        """Each key as a Python value.

        Raises:
            InvalidArgumentError: one that the table cannot hold.
        """
        if self.key_dims:
            rows = keys.reshape(-1, int(np.prod(self.key_dims)))
            flat: list[Any] = [tuple(row) for row in rows.tolist()]
        else:
            flat = keys.reshape(-1).tolist()
        if self.forbidden:
            for key in flat:
                if key in self.forbidden:
                    raise InvalidArgumentError(
                        f"Using the {self.forbidden[key]} as a table key is not allowed"
                    )
        return flat

    def _rows(self, values: Array) -> list[Any]:
        """Each value: a Python value, or an array where values have dimensions."""
        if not self.value_dims:
            return list(values.reshape(-1).tolist())
        # an array of its own: memory of the run does not last
        return [np.array(row) for row in values.reshape(-1, *self.value_dims)]

    # ------------------------------------------------------------ what ops call
    def find(self, keys: Array, default: Array) -> Array:
        """The values of keys; `default` for those that are not there.

        Raises:
            FailedPreconditionError: "Table not initialized."
        """
        contents = self._contents()
        if not contents.initialized:
            raise FailedPreconditionError("Table not initialized.")
        other = default if self.value_dims else default.item()
        with contents.lock:
            get = contents.entries.get
            found = [get(key, other) for key in self._keys(keys)]
        outer = keys.shape[: keys.ndim - len(self.key_dims)]
        return self._array(found, self.value_dtype, (*outer, *self.value_dims))

    @staticmethod
    def _array(items: list[Any], dtype: DType, shape: tuple[int, ...]) -> Array:
        if dtype is not string:
            return np.array(items, dtype.np).reshape(shape)
        out = np.empty(shape, object)
        flat = out.reshape(len(items), -1)
        for k, item in enumerate(items):
            flat[k] = item if isinstance(item, bytes) else np.reshape(item, -1)
        return out

    def size(self) -> int:
        """The number of entries."""
        return len(self._contents().entries)

    def export(self) -> tuple[Array, Array]:
        """(keys, values), in the order in which they came."""
        contents = self._contents()
        with contents.lock:
            keys, values = list(contents.entries), list(contents.entries.values())
        n = len(keys)
        return (
            self._array(keys, self.key_dtype, (n, *self.key_dims)),
            self._array(values, self.value_dtype, (n, *self.value_dims)),
        )

    def insert(self, keys: Array, values: Array) -> None:
        """Adds entries; a key that is there gets the new value."""
        contents = self._contents()
        pairs = zip(self._keys(keys), self._rows(values), strict=True)
        with contents.lock:
            contents.entries.update(pairs)

    def remove(self, keys: Array) -> None:
        """Takes entries away; keys that are not there are ignored."""
        contents = self._contents()
        with contents.lock:
            for key in self._keys(keys):
                contents.entries.pop(key, None)

    def fill(self, keys: Array, values: Array) -> None:
        """The contents of a table that is filled once; the same contents again are fine.

        Raises:
            FailedPreconditionError: a key with two values, or other contents than before.
        """
        entries: dict[Any, Any] = {}
        for key, value in zip(self._keys(keys), self._rows(values), strict=True):
            known = entries.setdefault(key, value)
            if known is not value and known != value:
                raise FailedPreconditionError(
                    f"HashTable has different value for same key. Key {_shown(key)} has "
                    f"{_shown(known)} and trying to add value {_shown(value)}"
                )
        contents = self._contents()
        with contents.lock:
            if contents.initialized and contents.entries != entries:
                raise FailedPreconditionError("Table already initialized.")
            contents.entries = entries
            contents.initialized = True


def _shown(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


# ------------------------------------------------------------------ text files
class Columns:
    """Keys and values of a text file: columns, whole lines or numbers of lines."""

    def __init__(
        self, key_index: int, value_index: int, vocab_size: int | None, delimiter: str
    ) -> None:
        self.key_index = key_index
        self.value_index = value_index
        self.vocab_size = vocab_size
        self.delimiter = delimiter

    def __repr__(self) -> str:
        return f"columns {self.key_index}, {self.value_index}"

    def __call__(
        self, filename: bytes, key_dtype: DType, value_dtype: DType
    ) -> tuple[Array, Array]:
        """(keys, values) of the file.

        Raises:
            NotFoundError: no such file. InvalidArgumentError: an empty line, too few columns, a
            number that is none, fewer lines than vocab_size.
        """
        name = os.fsdecode(filename)
        try:
            lines = Path(name).read_bytes().split(b"\n")
        except FileNotFoundError:
            raise NotFoundError(f"{name}; No such file or directory") from None
        if lines and not lines[-1]:
            lines.pop()
        wanted = len(lines) if self.vocab_size is None else self.vocab_size
        if wanted > len(lines):
            raise InvalidArgumentError(
                f"Invalid vocab_size in {name}: expected {wanted} but got {len(lines)}"
            )
        keys, values = [], []
        at = 0
        for number, raw in enumerate(lines[:wanted]):
            line = raw.removesuffix(b"\r")
            at += len(raw) + 1
            if not line:
                raise InvalidArgumentError(
                    f"Invalid content in {name}: empty line found at position {at}."
                )
            keys.append(self._field(name, line, number, self.key_index, key_dtype))
            values.append(self._field(name, line, number, self.value_index, value_dtype))
        shape = (len(keys),)
        return (
            Table._array(keys, key_dtype, shape),
            Table._array(values, value_dtype, shape),
        )

    def _field(self, name: str, line: bytes, number: int, index: int, dtype: DType) -> Any:
        if index == LINE_NUMBER:
            return number
        if index == WHOLE_LINE:
            return line
        parts = line.split(self.delimiter.encode())
        least = max(self.key_index, self.value_index) + 1
        if len(parts) < least:
            raise InvalidArgumentError(
                f"Invalid number of columns in {name} line {number} ({_shown(line)}) : expected "
                f"at least {least} got {len(parts)}"
            )
        if dtype is string:
            return parts[index]
        value = parse_number(parts[index], dtype)
        if value is None:
            raise InvalidArgumentError(
                f"Field {_shown(parts[index])} in line {number} is not a valid {dtype.tf_name}."
            )
        return value
