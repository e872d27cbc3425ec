"""Node and Tensor: the tensor graph's two kinds of objects, shared by user graphs and Programs.

Lives here: their data, names and text. Not here: containers (ir/graph.py, ir/program.py), what
an op means (ops/define.py), the operators of Tensor (ops/operators.py installs them). Imports
only ir modules and errors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ir.shape import Dim, Shape, merge_shapes, shape_text
from graphc.ir.source import NOWHERE, Origin
from graphc.ir.tensor_shape import TensorShape, as_shape

if TYPE_CHECKING:
    from graphc.ops.define import OpDef


@dataclass(frozen=True, slots=True)
class TensorType:
    """dtype and shape (a tuple of dimensions, or None for an unknown rank)."""

    dtype: DType
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype.name}{shape_text(self.shape)}"


class ConstValue:
    """A constant's array as an attribute: hashed by content when small, by identity when large."""

    __slots__ = ("_key", "array")
    CONTENT_LIMIT = 1 << 16

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        array.setflags(write=False)
        self.array = array
        if array.nbytes > self.CONTENT_LIMIT or array.dtype == object:
            self._key: Any = id(array)
        else:
            digest = hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16)
            self._key = (array.dtype.str, array.dtype.name, array.shape, digest.digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstValue) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        if self.array.size <= 8:
            return np.array2string(self.array, separator=",").replace("\n", "")
        return f"<{self.array.dtype.name}{list(self.array.shape)}>"


class Tensor:
    """One output of a node: a symbolic multi-dimensional array (tf.Tensor)."""

    __slots__ = ("__weakref__", "_shape", "_value", "dtype", "node", "value_index")
    # ndarray + tensor goes to Tensor.__radd__
    __array_priority__ = 100

    def __init__(self, node: Node, value_index: int, type_: TensorType) -> None:
        self.node = node
        self.value_index = value_index
        self.dtype = type_.dtype
        self._shape: Shape = type_.shape
        self._value: Any = _UNSET  # memo of ops.define.value_of

    # -- the compiler's view
    @property
    def dims(self) -> Shape:
        """The shape as a tuple of dimensions, or None."""
        return self._shape

    @property
    def known_dims(self) -> tuple[Dim, ...]:
        """The dimensions of a tensor of a Program, where each is an int or a SymDim."""
        assert self._shape is not None and None not in self._shape, self.text_name
        return self._shape  # type: ignore[return-value]  # just checked

    @property
    def type(self) -> TensorType:
        return TensorType(self.dtype, self._shape)

    @property
    def rank(self) -> int | None:
        return None if self._shape is None else len(self._shape)

    # -- the user's view
    @property
    def op(self) -> Node:
        return self.node

    @property
    def graph(self) -> Any:
        return self.node.graph

    @property
    def name(self) -> str:
        if not self.node.name:
            raise ValueError("Operation was not named: the tensor has no name.")
        return f"{self.node.name}:{self.value_index}"

    @property
    def device(self) -> str:
        return self.node.device

    @property
    def shape(self) -> TensorShape:
        """The static shape (tf.TensorShape), refined by set_shape."""
        return TensorShape(self._shape)

    def get_shape(self) -> TensorShape:
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Refines the static shape.

        Raises:
            ValueError: "Shapes (2,) and (3,) are not compatible".
        """
        self._shape = merge_shapes(self._shape, as_shape(shape).dims_tuple)

    def consumers(self) -> list[Node]:
        """The nodes of the user's graph that read this tensor."""
        return self.node.graph.consumers(self)

    @property
    def ref_key(self) -> int:
        return id(self)

    # identity, as in TF1: tensors are keys of feed_dict
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.text_name}' shape={self.shape} dtype={self.dtype.name}>"

    def __str__(self) -> str:
        shape = f", shape={self.shape}" if self._shape is not None else ""
        return f'Tensor("{self.text_name}"{shape}, dtype={self.dtype.name})'

    @property
    def text_name(self) -> str:
        """The name where there is one, else a number: for dumps."""
        return f"{self.node.text_name}:{self.value_index}"

    eval: Any  # set by session.py

    if TYPE_CHECKING:  # ops/operators.py installs them
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __rand__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __ror__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __rxor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __getitem__(self, key: Any) -> Tensor: ...


class _Unset:
    def __repr__(self) -> str:
        return "unset"


_UNSET = _Unset()


class Node:
    """One application of an op (tf.Operation): immutable once made.

    Attributes:
        op: the op's record (ops/define.py).
        inputs: Tensors. attrs: hashable values by name. outputs: Tensors.
        control_inputs: nodes that run before this one in every run that needs it.
        name: unique in its graph ("" in a Program). id: position in its container.
        origins: where the user made it; rewritten nodes carry those of all they replace.
    """

    __slots__ = (
        "__weakref__",
        "attrs",
        "control_inputs",
        "device",
        "graph",
        "id",
        "inputs",
        "name",
        "op",
        "origins",
        "outputs",
    )

    def __init__(
        self,
        op: OpDef,
        inputs: Sequence[Tensor],
        attrs: Mapping[str, Any],
        types: Sequence[TensorType],
        graph: Any,
        id_: int,
        name: str = "",
        control_inputs: Sequence[Node] = (),
        origins: tuple[Origin, ...] = (),
        device: str = "",
    ) -> None:
        self.op = op
        self.inputs = tuple(inputs)
        self.attrs = dict(attrs)
        self.graph = graph
        self.id = id_
        self.name = name
        self.control_inputs = tuple(control_inputs)
        self.origins = origins
        self.device = device
        self.outputs = tuple(Tensor(self, i, t) for i, t in enumerate(types))

    @property
    def type(self) -> str:
        """The TF1 op type ("MatMul")."""
        return self.op.tf

    @property
    def origin(self) -> Origin:
        return self.origins[0] if self.origins else NOWHERE

    @property
    def traceback(self) -> list[tuple[str, int, str, str]]:
        return self.origin.traceback()

    def values(self) -> tuple[Tensor, ...]:
        return self.outputs

    def get_attr(self, name: str) -> Any:
        """An attribute by its name, or by TF1's name for dtypes (T, dtype).

        Raises:
            ValueError: "No attr named ...".
        """
        if name in self.attrs:
            value = self.attrs[name]
            return value.array if isinstance(value, ConstValue) else value
        if name in ("T", "dtype") and (self.outputs or self.inputs):
            return (self.inputs or self.outputs)[0].dtype
        raise ValueError(f"No attr named '{name}' in {self.name!r}")

    @property
    def node_def(self) -> str:
        """One line as TF1 prints a node: x = Placeholder[dtype=DT_FLOAT, shape=[?,3]]()."""
        attrs = ", ".join(f"{k}={_attr_text(v)}" for k, v in sorted(self.attrs.items()))
        args = ", ".join(t.text_name.removesuffix(":0") for t in self.inputs)
        control = "".join(f", ^{c.text_name}" for c in self.control_inputs)
        return f"{self.text_name} = {self.type}[{attrs}]({(args + control).lstrip(', ')})"

    @property
    def text_name(self) -> str:
        return self.name or f"%{self.id}"

    def __repr__(self) -> str:
        return f"<tf.Operation '{self.text_name}' type={self.type}>"

    def __str__(self) -> str:
        return self.node_def

    run: Any


def _attr_text(value: Any) -> str:
    if isinstance(value, DType):
        return f"DT_{value.tf_name.upper()}"
    return repr(value)


Operation = Node
