"""Lookup tables: tf.contrib.lookup.HashTable, tf.lookup.StaticHashTable and mutable ones.

Lives here: tables and what fills them, tf.tables_initializer. Not here: tables that number words
(tf1/lookup_index.py), contents (tf1/tables.py), ops (ops/lookup.py).
"""

from __future__ import annotations

from typing import Any

from graphc.errors import InvalidArgumentError
from graphc.ir.dtypes import DType, as_dtype, int64, string
from graphc.ir.graph import get_default_graph
from graphc.ir.graph_keys import GraphKeys
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.ops_misc import group
from graphc.tf1.sparse_tensor import SparseTensor
from graphc.tf1.tables import LINE_NUMBER, WHOLE_LINE, Columns, Table

__all__ = [
    "HashTable", "KeyValueTensorInitializer", "LookupInterface", "MutableDenseHashTable",
    "MutableHashTable", "StaticHashTable", "TextFileIdTableInitializer", "TextFileIndex",
    "TextFileInitializer", "TextFileStringTableInitializer", "initialize_all_tables",
    "tables_initializer",
]  # fmt: skip


# ------------------------------------------------------------------ what fills tables
class TextFileIndex:
    """What of a line of a text file is a key or a value, but for columns from 0 on."""

    WHOLE_LINE = WHOLE_LINE
    LINE_NUMBER = LINE_NUMBER


class KeyValueTensorInitializer:
    """Keys and values from tensors (tf.lookup.KeyValueTensorInitializer).

    Raises:
        ValueError: another number of values than of keys.
    """

    def __init__(
        self,
        keys: Any,
        values: Any,
        key_dtype: Any = None,
        value_dtype: Any = None,
        name: str | None = None,
    ) -> None:
        self._name = name or "key_value_init"
        self._keys = convert_to_tensor(keys, key_dtype, "keys")
        self._values = convert_to_tensor(values, value_dtype, "values")
        self.key_dtype = self._keys.dtype
        self.value_dtype = self._values.dtype

    def initialize(self, table: Any) -> Node:
        """The op that fills a table."""
        made: Node = F.table_import.node(
            self._keys, self._values, resource=table._table, name=self._name
        )
        return made


class TextFileInitializer:
    """Keys and values from the lines of a text file (tf.lookup.TextFileInitializer).

    Args:
        key_index, value_index: a column, TextFileIndex.WHOLE_LINE or TextFileIndex.LINE_NUMBER.
        vocab_size: so many lines are read, by default all.

    Raises:
        ValueError: "Invalid filename", indices that are equal or do not fit the dtypes.
        NotFoundError, InvalidArgumentError (when run): the file does not fit.
    """

    def __init__(
        self,
        filename: Any,
        key_dtype: Any,
        key_index: int,
        value_dtype: Any,
        value_index: int,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str | None = None,
    ) -> None:
        if not isinstance(filename, Tensor) and not filename:
            raise ValueError("Filename required for text_file_init.")
        self.key_dtype = as_dtype(key_dtype)
        self.value_dtype = as_dtype(value_dtype)
        if key_index == value_index:
            raise ValueError(f"key_index and value_index must differ, both are {key_index}")
        for what, index, dtype in (
            ("key", key_index, self.key_dtype),
            ("value", value_index, self.value_dtype),
        ):
            _check_column(what, index, dtype)
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"Invalid vocab_size {vocab_size}.")
        self._filename = filename
        self._read = Columns(key_index, value_index, vocab_size, delimiter)
        self._name = name or "text_file_init"

    def initialize(self, table: Any) -> Node:
        """The op that fills a table; the file is an asset of the graph."""
        filename = convert_to_tensor(self._filename, string, "asset_filepath")
        get_default_graph().add_to_collection(GraphKeys.ASSET_FILEPATHS, filename)
        made: Node = F.table_import_file.node(
            filename, resource=table._table, read=self._read, name=self._name
        )
        return made


def _check_column(what: str, index: int, dtype: DType) -> None:
    if index < WHOLE_LINE:
        raise ValueError(f"Invalid {what} index {index}.")
    if index == LINE_NUMBER and dtype is not int64:
        raise ValueError(f"`{what}_dtype` must be int64 if `{what}_index` is -1, received: {dtype}")
    if index == WHOLE_LINE and dtype is not string and not dtype.is_integer:
        raise ValueError(
            f"`{what}_dtype` should be either integer or string if `{what}_index` is -2, "
            f"received: {dtype}"
        )


class TextFileStringTableInitializer(TextFileInitializer):
    """Numbers to strings: by default the number of a line to the line."""

    def __init__(
        self,
        filename: Any,
        key_column_index: int = LINE_NUMBER,
        value_column_index: int = WHOLE_LINE,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str = "text_file_string_table_init",
    ) -> None:
        super().__init__(
            filename, int64, key_column_index, string, value_column_index, vocab_size, delimiter,
            name,
        )  # fmt: skip


class TextFileIdTableInitializer(TextFileInitializer):
    """Strings to numbers: by default a line to its number."""

    def __init__(
        self,
        filename: Any,
        key_column_index: int = WHOLE_LINE,
        value_column_index: int = LINE_NUMBER,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str = "text_file_id_table_init",
        key_dtype: Any = string,
    ) -> None:
        super().__init__(
            filename, key_dtype, key_column_index, int64, value_column_index, vocab_size,
            delimiter, name,
        )  # fmt: skip


# ------------------------------------------------------------------ tables
class LookupInterface:
    """Base of all tables: dtypes, size and lookup."""

    def __init__(self, table: Table, default_value: Tensor) -> None:
        self._table = table
        self._default_value = default_value

    @property
    def key_dtype(self) -> DType:
        return self._table.key_dtype

    @property
    def value_dtype(self) -> DType:
        return self._table.value_dtype

    @property
    def default_value(self) -> Tensor:
        """The value of keys that the table does not hold."""
        return self._default_value

    @property
    def name(self) -> str:
        """Without the name scope."""
        return self._table.name.rpartition("/")[2]

    @property
    def resource_handle(self) -> Table:
        """What the ops of the table share."""
        return self._table

    table_ref = resource_handle

    def size(self, name: str | None = None) -> Tensor:
        """The number of entries: int64, a scalar."""
        made: Tensor = F.table_size(resource=self._table, name=name or f"{self.name}_Size")
        return made

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The values of keys, a tensor or a SparseTensor; default_value where there is none.

        Raises:
            TypeError: "Signature mismatch. Keys must be dtype ..., got ...".
            FailedPreconditionError (when run): "Table not initialized."
        """
        if isinstance(keys, SparseTensor):
            found = self.lookup(keys.values, name)
            return SparseTensor(keys.indices, found, keys.dense_shape)
        made: Tensor = F.table_find(
            self._keys(keys),
            self._default_value,
            resource=self._table,
            name=name or f"{self.name}_Lookup",
        )
        return made

    def _keys(self, keys: Any) -> Tensor:
        tensor = convert_to_tensor(keys, None if isinstance(keys, Tensor) else self.key_dtype)
        if tensor.dtype is not self.key_dtype:
            raise TypeError(
                f"Signature mismatch. Keys must be dtype {self.key_dtype}, got {tensor.dtype}."
            )
        return tensor


class StaticHashTable(LookupInterface):
    """A table that an initializer fills once a session (tf.lookup.StaticHashTable).

    Its `initializer` is one of those that tf.tables_initializer() runs.

    Raises:
        TypeError, ValueError: a default value of another dtype than the values.
    """

    def __init__(
        self,
        initializer: Any,
        default_value: Any,
        name: str | None = None,
        shared_name: str | None = None,
    ) -> None:
        graph = get_default_graph()
        table = Table(
            graph.unique_name(name or "hash_table"),
            initializer.key_dtype,
            initializer.value_dtype,
            shared_name=shared_name,
        )
        default = convert_to_tensor(default_value, initializer.value_dtype, "default_value")
        if default.rank not in (None, 0):
            raise ValueError(f"default_value must be a scalar, but its shape is {default.shape}")
        super().__init__(table, default)
        self._initializer: Node = initializer.initialize(self)
        graph.add_to_collection(GraphKeys.TABLE_INITIALIZERS, self._initializer)

    @property
    def initializer(self) -> Node:
        """The op that fills the table."""
        return self._initializer

    init = initializer


class HashTable(StaticHashTable):
    """tf.contrib.lookup.HashTable: as StaticHashTable, in TensorFlow 1's order of arguments."""

    def __init__(
        self,
        initializer: Any,
        default_value: Any,
        shared_name: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(initializer, default_value, name, shared_name)


class MutableHashTable(LookupInterface):
    """A table to which entries are added (tf.contrib.lookup.MutableHashTable); empty at first.

    Args:
        default_value: the value of keys that are not there; its shape is that of each value.
        checkpoint: taken for TensorFlow's sake; tables are not part of checkpoints.
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        shared_name: str | None = None,
        name: str = "MutableHashTable",
        checkpoint: bool = True,
    ) -> None:
        self._make(key_dtype, value_dtype, default_value, name, shared_name)

    def _make(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        name: str,
        shared_name: str | None,
        key_dims: tuple[int, ...] = (),
        forbidden: tuple[tuple[Any, str], ...] = (),
    ) -> None:
        default = convert_to_tensor(default_value, as_dtype(value_dtype), "default_value")
        dims = default.dims
        if dims is None or not all(isinstance(d, int) for d in dims):
            raise ValueError(f"the shape of default_value must be known, but is {default.shape}")
        table = Table(
            get_default_graph().unique_name(name),
            as_dtype(key_dtype),
            as_dtype(value_dtype),
            tuple(int(d) for d in dims),  # type: ignore[arg-type]  # just checked
            key_dims,
            shared_name,
            mutable=True,
            forbidden=forbidden,
        )
        LookupInterface.__init__(self, table, default)

    def insert(self, keys: Any, values: Any, name: str | None = None) -> Node:
        """An op that adds entries; keys that are there get the new values.

        Raises:
            TypeError, ValueError: other dtypes, or "Expected shape [2] for value, got [1]".
        """
        made: Node = F.table_insert.node(
            self._keys(keys),
            convert_to_tensor(values, self.value_dtype, "values"),
            resource=self._table,
            name=name or f"{self.name}_lookup_table_insert",
        )
        return made

    def remove(self, keys: Any, name: str | None = None) -> Node:
        """An op that takes entries away; keys that are not there are ignored."""
        made: Node = F.table_remove.node(
            self._keys(keys),
            resource=self._table,
            name=name or f"{self.name}_lookup_table_remove",
        )
        return made

    def export(self, name: str | None = None) -> tuple[Tensor, Tensor]:
        """(keys, values) of all entries."""
        keys, values = F.table_export(
            resource=self._table, name=name or f"{self.name}_lookup_table_export_values"
        )
        return keys, values


class MutableDenseHashTable(MutableHashTable):
    """tf.contrib.lookup.MutableDenseHashTable: keys may have dimensions; some are reserved.

    Args:
        empty_key, deleted_key: constants that are never used as keys.

    Raises:
        ValueError: a reserved key that is no constant.
        InvalidArgumentError (when run): "Using the empty_key as a table key is not allowed".
    """

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        empty_key: Any,
        deleted_key: Any = None,
        initial_num_buckets: int | None = None,
        shared_name: str | None = None,
        name: str = "MutableDenseHashTable",
        checkpoint: bool = True,
    ) -> None:
        if initial_num_buckets is not None and initial_num_buckets & (initial_num_buckets - 1):
            raise InvalidArgumentError(
                f"Number of buckets must be a power of 2, got: {initial_num_buckets}"
            )
        reserved = []
        dims: tuple[int, ...] = ()
        for value, what in ((empty_key, "empty_key"), (deleted_key, "deleted_key")):
            if value is None:
                continue
            known = value_of(convert_to_tensor(value, as_dtype(key_dtype), what))
            if known is None:
                raise ValueError(f"{what} must be a constant")
            dims = known.shape
            reserved.append((tuple(known.reshape(-1).tolist()) if dims else known.item(), what))
        self._make(
            key_dtype, value_dtype, default_value, name, shared_name, dims, tuple(reserved)
        )


# ------------------------------------------------------------------ initialisation
def tables_initializer(name: str = "init_all_tables") -> Node:
    """The op that fills all tables of the default graph (tf.tables_initializer)."""
    return group(*get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS), name=name)


initialize_all_tables = tables_initializer
