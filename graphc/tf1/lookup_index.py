"""Tables that number words, and those that give them back: tf.contrib.lookup's functions.

Lives here: index_table_from_tensor and its kin, buckets for words that no table knows. Not here:
tables themselves (tf1/lookup.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.ir.dtypes import DType, as_dtype, int32, int64, string
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_strings import (
    as_string,
    string_to_hash_bucket_fast,
    string_to_hash_bucket_strong,
)
from graphc.tf1.lookup import (
    KeyValueTensorInitializer,
    LookupInterface,
    StaticHashTable,
    TextFileIdTableInitializer,
    TextFileStringTableInitializer,
)
from graphc.tf1.sparse_tensor import SparseTensor
from graphc.tf1.tables import LINE_NUMBER, WHOLE_LINE

__all__ = [
    "FastHashSpec", "HasherSpec", "IdTableWithHashBuckets", "StaticVocabularyTable",
    "StrongHashSpec", "index_table_from_file", "index_table_from_tensor", "index_to_string",
    "index_to_string_table_from_file", "index_to_string_table_from_tensor", "string_to_index",
]  # fmt: skip


# ------------------------------------------------------------------ hashes
class HasherSpec(NamedTuple):
    """Which hash puts unknown words into buckets: "fasthash" or "stronghash" with a key."""

    hasher: str
    key: Any


FastHashSpec = HasherSpec("fasthash", None)


def StrongHashSpec(key: Any) -> HasherSpec:
    """The keyed hash of words (tf.contrib.lookup.StrongHashSpec).

    Raises:
        ValueError, TypeError: the key is no pair of integers.
    """
    if len(key) != 2:
        raise ValueError(f"key must have size 2, received {key}")
    if not all(isinstance(k, int) for k in key):
        raise TypeError(f"Invalid key {key}. Must be unsigned integer values.")
    return HasherSpec("stronghash", (key[0], key[1]))


def _bucket_of(words: Tensor, count: int, spec: HasherSpec) -> Tensor:
    if spec.hasher == "fasthash":
        return string_to_hash_bucket_fast(words, count)
    if spec.hasher == "stronghash":
        return string_to_hash_bucket_strong(words, count, spec.key)
    raise ValueError(f"Unknown hasher {spec.hasher}")


# ------------------------------------------------------------------ buckets
class IdTableWithHashBuckets:
    """A table of numbers, with buckets for what it does not know.

    Known keys keep their numbers; others get numbers from the table's size on, by their hash.

    Args:
        table: string or int64 to int64, or None for buckets alone.

    Raises:
        ValueError: no buckets without a table. TypeError: a table of other dtypes.
    """

    def __init__(
        self,
        table: Any,
        num_oov_buckets: int,
        hasher_spec: HasherSpec = FastHashSpec,
        name: str | None = None,
        key_dtype: Any = None,
    ) -> None:
        if table is None and num_oov_buckets <= 0:
            raise ValueError("`oov_buckets` must be > 0 if no `table` is supplied.")
        if not isinstance(hasher_spec, HasherSpec):
            raise TypeError(f"hasher_spec must be of type HasherSpec, got {type(hasher_spec)}")
        if table is not None and table.value_dtype is not int64:
            raise TypeError(f"Invalid `value_dtype`: expected int64, received {table.value_dtype}")
        default = string if table is None else table.key_dtype
        self._key_dtype = as_dtype(key_dtype or default)
        if self._key_dtype is not string and not self._key_dtype.is_integer:
            raise TypeError(f"Invalid `key_dtype`: expected string or int, got {key_dtype}")
        self._table = table
        self._num_oov_buckets = num_oov_buckets
        self._hasher_spec = hasher_spec
        self._name = name or (table.name if table is not None else "hash_bucket")

    @property
    def key_dtype(self) -> DType:
        return self._key_dtype

    @property
    def value_dtype(self) -> DType:
        return int64

    @property
    def name(self) -> str:
        return self._name

    @property
    def default_value(self) -> Any:
        return None if self._table is None else self._table.default_value

    @property
    def initializer(self) -> Node:
        """The op that fills the table; one that does nothing where there is none."""
        made: Node = F.no_op.node() if self._table is None else self._table.initializer
        return made

    init = initializer

    def size(self, name: str | None = None) -> Tensor:
        """The number of entries and buckets: int64, a scalar."""
        with get_default_graph().name_scope(name or f"{self._name}_Size"):
            known = convert_to_tensor(0, int64) if self._table is None else self._table.size()
            made: Tensor = F.add(known, convert_to_tensor(self._num_oov_buckets, int64))
            return made

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The numbers of keys, a tensor or a SparseTensor: int64.

        Raises:
            TypeError: "Signature mismatch. Keys must be dtype ..., got ...".
            FailedPreconditionError (when run): "Table not initialized."
        """
        if isinstance(keys, SparseTensor):
            found = self.lookup(keys.values, name)
            return SparseTensor(keys.indices, found, keys.dense_shape)
        tensor = convert_to_tensor(keys, None if isinstance(keys, Tensor) else self._key_dtype)
        if tensor.dtype is not self._key_dtype:
            raise TypeError(
                f"Signature mismatch. Keys must be dtype {self._key_dtype}, got {tensor.dtype}."
            )
        with get_default_graph().name_scope(name or f"{self._name}_Lookup"):
            if tensor.dtype.is_integer:
                tensor = F.cast(tensor, dtype=int64)
            return self._numbers(tensor)

    def _numbers(self, keys: Tensor) -> Tensor:
        if self._num_oov_buckets == 0:
            found: Tensor = self._table.lookup(keys)
            return found
        words = keys if keys.dtype is string else as_string(keys)
        buckets = _bucket_of(words, self._num_oov_buckets, self._hasher_spec)
        if self._table is None:
            return buckets
        ids = self._table.lookup(keys)
        known = F.not_equal(ids, self._table.default_value)
        made: Tensor = F.select(known, ids, F.add(buckets, self._table.size()))
        return made


class StaticVocabularyTable(IdTableWithHashBuckets):
    """Words to numbers, with buckets for unknown ones (tf.lookup.StaticVocabularyTable).

    Args:
        initializer: of a table from string or int64 to int64, or None for buckets alone.

    Raises:
        ValueError: "oov_buckets must be > 0."
    """

    def __init__(
        self,
        initializer: Any,
        num_oov_buckets: int,
        lookup_key_dtype: Any = None,
        name: str | None = None,
    ) -> None:
        if num_oov_buckets <= 0:
            raise ValueError("`num_oov_buckets` must be > 0; use StaticHashTable.")
        table = None if initializer is None else StaticHashTable(initializer, -1)
        super().__init__(table, num_oov_buckets, FastHashSpec, name, lookup_key_dtype)


# ------------------------------------------------------------------ words to numbers
def _with_buckets(
    table: StaticHashTable, buckets: int, spec: HasherSpec, name: str | None, key_dtype: DType
) -> Any:
    if not buckets and key_dtype is table.key_dtype:
        return table
    return IdTableWithHashBuckets(table, buckets, spec, name, key_dtype)


def _check_buckets(num_oov_buckets: int) -> None:
    if num_oov_buckets < 0:
        raise ValueError(
            f"`num_oov_buckets` must be greater or equal than 0, got {num_oov_buckets}."
        )


def index_table_from_tensor(
    mapping: Any = None,
    num_oov_buckets: int = 0,
    default_value: int = -1,
    hasher_spec: HasherSpec = FastHashSpec,
    dtype: Any = string,
    name: str | None = None,
    vocabulary_list: Any = None,
) -> Any:
    """A table from words, or integers, to their places in a vector.

    Args:
        mapping, vocabulary_list: the words. num_oov_buckets: unknown words get numbers behind the
            vocabulary; without buckets all of them get default_value.

    Raises:
        ValueError: no vocabulary, a negative number of buckets. TypeError: another dtype.
    """
    words = vocabulary_list if mapping is None else mapping
    if words is None:
        raise ValueError("`vocabulary_list` must be specified.")
    _check_buckets(num_oov_buckets)
    kind = as_dtype(dtype)
    if kind is not string and not kind.is_integer:
        raise TypeError("Only integer and string keys are supported.")
    with get_default_graph().name_scope(name or "string_to_index"):
        keys = convert_to_tensor(words, name="keys")
        if keys.dtype.is_integer != kind.is_integer:
            raise ValueError(
                f"Invalid `dtype`: Expected {'integer' if keys.dtype.is_integer else 'string'}, "
                f"got {kind}."
            )
        keys = F.reshape(keys, convert_to_tensor([-1], int32))
        if kind.is_integer:
            keys = F.cast(keys, dtype=int64)
        numbers = F.cast(F.range(0, F.size(keys, out_type=int32), 1), dtype=int64)
        init = KeyValueTensorInitializer(keys, numbers, name="table_init")
        table = StaticHashTable(init, default_value)
        return _with_buckets(table, num_oov_buckets, hasher_spec, None, kind)


def index_table_from_file(
    vocabulary_file: Any = None,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: int = -1,
    hasher_spec: HasherSpec = FastHashSpec,
    key_dtype: Any = string,
    name: str | None = None,
    key_column_index: int = WHOLE_LINE,
    value_column_index: int = LINE_NUMBER,
    delimiter: str = "\t",
) -> Any:
    """A table from the lines of a file to their numbers, or from one column to another.

    Args:
        vocab_size: so many lines are read, by default all. Others as index_table_from_tensor.

    Raises:
        ValueError: no file, a vocab_size below 1, a negative number of buckets.
        NotFoundError, InvalidArgumentError (when run): the file does not fit.
    """
    if not isinstance(vocabulary_file, Tensor) and not vocabulary_file:
        raise ValueError("`vocabulary_file` must be specified and must not be empty.")
    _check_buckets(num_oov_buckets)
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"`vocab_size` must be greater than 0, got {vocab_size}.")
    kind = as_dtype(key_dtype)
    if kind is not string and not kind.is_integer:
        raise TypeError("Dtype for `keys` should be either integer or string.")
    with get_default_graph().name_scope(name or "string_to_index"):
        init = TextFileIdTableInitializer(
            vocabulary_file,
            key_column_index,
            value_column_index,
            vocab_size,
            delimiter,
            "table_init",
            int64 if kind.is_integer else kind,
        )
        table = StaticHashTable(init, default_value)
        return _with_buckets(table, num_oov_buckets, hasher_spec, None, kind)


# ------------------------------------------------------------------ numbers to words
def index_to_string_table_from_tensor(
    mapping: Any = None,
    default_value: str = "UNK",
    name: str | None = None,
    vocabulary_list: Any = None,
) -> StaticHashTable:
    """A table from int64 places in a vector to its words.

    Raises:
        ValueError: no vocabulary.
    """
    given = vocabulary_list if mapping is None else mapping
    if given is None:
        raise ValueError("`vocabulary_list` must be specified.")
    with get_default_graph().name_scope(name or "index_to_string"):
        words = F.reshape(convert_to_tensor(given, string), convert_to_tensor([-1], int32))
        numbers = F.cast(F.range(0, F.size(words, out_type=int32), 1), dtype=int64)
        init = KeyValueTensorInitializer(numbers, words, name="table_init")
        return StaticHashTable(init, default_value)


def index_to_string_table_from_file(
    vocabulary_file: Any,
    vocab_size: int | None = None,
    default_value: str = "UNK",
    name: str | None = None,
    key_column_index: int = LINE_NUMBER,
    value_column_index: int = WHOLE_LINE,
    delimiter: str = "\t",
) -> StaticHashTable:
    """A table from the int64 numbers of a file's lines to the lines.

    Raises:
        ValueError: no file, a vocab_size below 1.
    """
    if not isinstance(vocabulary_file, Tensor) and not vocabulary_file:
        raise ValueError("`vocabulary_file` must be specified.")
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"`vocab_size` must be greater than 0, got {vocab_size}.")
    with get_default_graph().name_scope(name or "index_to_string"):
        init = TextFileStringTableInitializer(
            vocabulary_file, key_column_index, value_column_index, vocab_size, delimiter,
            "table_init",
        )  # fmt: skip
        return StaticHashTable(init, default_value)


def string_to_index(
    tensor: Any, mapping: Any, default_value: int = -1, name: str | None = None
) -> Any:
    """The places of words in a vector (tf.contrib.lookup.string_to_index)."""
    table: LookupInterface = index_table_from_tensor(mapping, default_value=default_value)
    return table.lookup(tensor, name)


def index_to_string(
    tensor: Any, mapping: Any, default_value: str = "UNK", name: str | None = None
) -> Any:
    """The words at places of a vector (tf.contrib.lookup.index_to_string)."""
    table = index_to_string_table_from_tensor(mapping, default_value)
    return table.lookup(tensor, name)
