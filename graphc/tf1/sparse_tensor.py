"""SparseTensor: the entries of a tensor that are not zero, as three tensors.

Lives here: the class, its value form for feeds and fetches, placeholders, conversion. Not here:
the functions on sparse tensors (tf1/api_sparse*.py). Imports ops, ir and fetches.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.fetches import register_session_run_conversion_functions
from graphc.ir.dtypes import DType, as_dtype, int64
from graphc.ir.graph import get_default_graph
from graphc.ir.node import Node, Tensor
from graphc.ir.tensor_shape import TensorShape
from graphc.ops.convert import convert_to_tensor, register_tensor_conversion_function
from graphc.ops.define import F
from graphc.ops.values import value_of

__all__ = [
    "SparseTensor", "SparseTensorValue", "convert_to_tensor_or_sparse_tensor", "sparse_placeholder",
]  # fmt: skip

SparseTensorValue = namedtuple("SparseTensorValue", ["indices", "values", "dense_shape"])


class SparseTensor:
    """A tensor of which only some entries are held (tf.SparseTensor); the others are zero.

    Args:
        indices: int64 (n, rank), the places of the entries, in row-major order for most functions.
        values: (n,), the entries. dense_shape: int64 (rank,), the shape of the whole.

    Raises:
        ValueError: the three do not fit together.
    """

    own_operators = True  # `dense * sparse` is this class's to answer

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        with _graph_of(indices, values, dense_shape).name_scope("SparseTensor"):
            self._indices = convert_to_tensor(indices, int64, "indices")
            self._values = convert_to_tensor(values, name="values")
            self._dense_shape = convert_to_tensor(dense_shape, int64, "dense_shape")
        self._static: tuple[Any, ...] | None = None
        places = self._indices.get_shape().with_rank(2)
        entries = self._values.get_shape().with_rank(1)
        extents = self._dense_shape.get_shape().with_rank(1)
        # one entry a place, one coordinate an axis
        places[0].merge_with(entries[0])
        places[1].merge_with(extents[0])

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> SparseTensor:
        """The SparseTensor of a SparseTensorValue; a SparseTensor as a new one.

        Raises:
            TypeError: neither of the two.
        """
        if not isinstance(sparse_tensor_value, SparseTensor | SparseTensorValue):
            raise TypeError(
                f"Neither a SparseTensor nor SparseTensorValue: {sparse_tensor_value}."
            )
        made = cls(
            sparse_tensor_value.indices,
            sparse_tensor_value.values,
            sparse_tensor_value.dense_shape,
        )
        made._static = getattr(sparse_tensor_value, "_static", None)
        return made

    @property
    def indices(self) -> Tensor:
        return self._indices

    @property
    def values(self) -> Tensor:
        return self._values

    @property
    def dense_shape(self) -> Tensor:
        return self._dense_shape

    @property
    def shape(self) -> TensorShape:
        """The static shape of the whole, as far as it is known."""
        return TensorShape(self.dims)

    @property
    def dims(self) -> tuple[Any, ...] | None:
        if self._static is not None:
            return self._static
        known = value_of(self._dense_shape)
        if known is not None:
            return tuple(d if isinstance(d, int) else None for d in known.tolist())
        extents = self._dense_shape.dims
        rank = extents[0] if extents is not None else None
        if not isinstance(rank, int):
            places = self._indices.dims
            rank = places[1] if places is not None and len(places) == 2 else None
        return (None,) * rank if isinstance(rank, int) else None

    def get_shape(self) -> TensorShape:
        """The static shape of the whole, as far as it is known."""
        return self.shape

    @property
    def rank(self) -> int | None:
        dims = self.dims
        return None if dims is None else len(dims)

    @property
    def dtype(self) -> DType:
        return self._values.dtype

    @property
    def op(self) -> Node:
        """The op that makes the values."""
        return self._values.node

    @property
    def name(self) -> str:
        return self._values.name

    @property
    def graph(self) -> Any:
        return self._indices.graph

    def consumers(self) -> list[Node]:
        """The ops that read one of the three tensors."""
        found: dict[Node, None] = {}
        for part in (self._indices, self._values, self._dense_shape):
            found.update(dict.fromkeys(part.consumers()))
        return list(found)

    def eval(self, feed_dict: Mapping[Any, Any] | None = None, session: Any = None) -> Any:
        """Its SparseTensorValue in `session`, by default the default session.

        Raises:
            ValueError: there is no default session.
        """
        parts = (self._indices, self._values, self._dense_shape)
        if session is None:
            from graphc.session import get_default_session

            session = get_default_session()
            if session is None:
                # the error that a tensor raises
                self._values.eval(feed_dict)
        return SparseTensorValue(*session.run(parts, feed_dict))

    def __mul__(self, dense: Any) -> SparseTensor:
        """Each entry times the element of a tensor that broadcasts to this one's shape."""
        from graphc.tf1.api_sparse_math import times

        return times(self, dense)

    __rmul__ = __mul__

    def __truediv__(self, dense: Any) -> SparseTensor:
        """Each entry over the element of a tensor that broadcasts to this one's shape."""
        from graphc.tf1.api_sparse_math import over

        return over(self, dense)

    __div__ = __truediv__

    def __str__(self) -> str:
        return (
            f"SparseTensor(indices={self._indices}, values={self._values}, "
            f"dense_shape={self._dense_shape})"
        )

    __repr__ = __str__


def _graph_of(*parts: Any) -> Any:
    """Where the constants of the parts go."""
    first = next((p for p in parts if isinstance(p, Tensor)), None)
    default = get_default_graph()
    if first is None or getattr(default, "capture", None) is not None:
        return default
    return first.graph


def _parts(value: SparseTensor) -> list[Tensor]:
    return [value.indices, value.values, value.dense_shape]


def _fetch(value: SparseTensor) -> tuple[list[Tensor], Any]:
    return _parts(value), lambda got: SparseTensorValue(*got)


def _feed(key: SparseTensor, value: Any) -> list[tuple[Tensor, Any]]:
    parts = _parts(key)
    if not isinstance(value, Sequence) or len(value) != len(parts):
        raise ValueError(
            "A SparseTensor is fed with a SparseTensorValue or a tuple (indices, values, shape), "
            f"got {type(value)}."
        )
    return list(zip(parts, value, strict=True))


register_session_run_conversion_functions(SparseTensor, _fetch, _feed)


def _refuse(value: SparseTensor, dtype: DType | None) -> Tensor:
    raise TypeError(
        f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. "
        "Consider casting elements to a supported type, or use tf.sparse_tensor_to_dense."
    )


register_tensor_conversion_function(SparseTensor, _refuse)


# ------------------------------------------------------------------ from values
def convert_to_tensor_or_sparse_tensor(
    value: Any, dtype: Any = None, name: str | None = None
) -> Any:
    """A SparseTensor for a SparseTensor or its value, else a Tensor.

    Raises:
        RuntimeError: a sparse one of another dtype ("Sparse dtype: requested = ...").
    """
    if isinstance(value, SparseTensorValue):
        value = SparseTensor.from_value(value)
    if not isinstance(value, SparseTensor):
        return convert_to_tensor(value, dtype, name)
    if dtype is not None and as_dtype(dtype) is not value.dtype:
        raise RuntimeError(
            f"Sparse dtype: requested = {as_dtype(dtype).name}, actual = {value.dtype.name}"
        )
    return value


def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """A SparseTensor that each run must feed (tf.sparse_placeholder).

    It is fed with a SparseTensorValue, a tuple (indices, values, shape), or part by part.

    Args:
        shape: the shape of the whole, or as much of it as is known; a tensor gives it as it is.

    Raises:
        InvalidArgumentError (when run): "You must feed a value for placeholder tensor ...".
    """
    names = [None if name is None else f"{name}/{part}" for part in ("shape", "values", "indices")]
    rank: int | None = None
    static: tuple[Any, ...] | None = None
    extents: Any = None
    if isinstance(shape, Tensor):
        extents = convert_to_tensor(shape, int64)
        rank = extents.get_shape().with_rank(1)[0].value
    elif shape is not None:
        static = TensorShape(shape).dims_tuple
        rank = None if static is None else len(static)
        if static is not None and None not in static:
            extents = convert_to_tensor(list(static), int64, names[0])
    if extents is None:
        extents = _placeholder(int64, (rank,), names[0])
    made = SparseTensor(
        values=_placeholder(as_dtype(dtype), (None,), names[1]),
        indices=_placeholder(int64, (None, rank), names[2]),
        dense_shape=extents,
    )
    made._static = static
    return made


def _placeholder(dtype: DType, dims: tuple[Any, ...], name: str | None) -> Tensor:
    attrs = {"dtype": dtype, "shape": dims}
    return get_default_graph().create_node(F.placeholder, (), attrs, name).outputs[0]
