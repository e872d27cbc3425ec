"""tf.TensorArray: an array of tensors for loops.

Lives here: the class. Not here: its ops (ops/arrays.py), loops (tf1/control_flow.py).

The handle is immutable apart from what it learns of its elements' shape; each write gives a new
TensorArray over a new flow, as in TF1: use the returned object.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.dtypes import DType, as_dtype, int32
from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Tensor
from graphc.ir.shape import Shape, merge_shapes
from graphc.ir.tensor_shape import TensorShape, as_shape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.scopes import name_scope

__all__ = ["TensorArray"]


class TensorArray:
    """A dense array of tensors of one dtype and shape (tf.TensorArray).

    Args:
        dtype: of the elements. size: scalar int32: their number.
        dynamic_size: writes behind the end make the array longer.
        clear_after_read, tensor_array_name, infer_shape, colocate_with_first_write_call: accepted.
        element_shape: of the elements, partly or fully; else the first write tells it.
        flow: of an existing array, with its `handle` (unused).

    Raises:
        ValueError: neither size nor flow.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        del handle, clear_after_read, tensor_array_name, colocate_with_first_write_call
        self._dtype = as_dtype(dtype)
        self._dynamic = bool(dynamic_size)
        self._infer_shape = infer_shape or element_shape is not None
        self._element: list[Shape] = [as_shape(element_shape).dims_tuple]
        # rows of the flow, where they are more than elements: inside a loop that makes it longer
        self._capacity: Tensor | None = None
        if flow is not None:
            self._flow: Tensor = convert_to_tensor(flow)
            self._size: Tensor = F.gather(F.shape(self._flow), 0, axis=0, batch_dims=0)
            return
        if size is None:
            raise ValueError("Size must be provided if flow is not provided")
        with name_scope(name, "TensorArray", [size]) as scope:
            self._size = convert_to_tensor(size, int32, name="size")
            self._flow = F.tensor_array(
                self._size, dtype=self._dtype, element=self._element[0], name=scope
            )

    def _over(
        self, flow: Tensor, size: Tensor | None = None, capacity: Tensor | None = None
    ) -> TensorArray:
        """This array with another flow; what is learnt of the elements' shape is shared."""
        made = object.__new__(TensorArray)
        made._dtype = self._dtype
        made._dynamic = self._dynamic
        made._infer_shape = self._infer_shape
        made._element = self._element
        made._flow = flow
        made._size = self._size if size is None else size
        made._capacity = capacity
        return made

    def _learn(self, dims: Shape) -> None:
        if not self._infer_shape:
            return
        try:
            self._element[0] = merge_shapes(self._element[0], dims)
        except ValueError:
            raise ValueError(
                f"Inconsistent shapes: saw {TensorShape(dims)} but expected "
                f"{TensorShape(self._element[0])}"
            ) from None

    def _rows_shape(self, rows: Any) -> TensorShape:
        element = self._element[0] if self._infer_shape else None
        return TensorShape(None if element is None else (rows, *element))

    # ------------------------------------------------------------ what it is
    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def flow(self) -> Tensor:
        return self._flow

    @property
    def handle(self) -> Tensor:
        return self._flow

    @property
    def graph(self) -> Graph:
        return self._flow.graph

    @property
    def op(self) -> Any:
        return self._flow.node

    @property
    def dynamic_size(self) -> bool:
        return self._dynamic

    @property
    def element_shape(self) -> TensorShape:
        """What is known of the elements' shape."""
        return TensorShape(self._element[0])

    def __repr__(self) -> str:
        return f"<tf.TensorArray dtype={self._dtype.name} element_shape={self.element_shape}>"

    # ------------------------------------------------------------ ops
    def identity(self) -> TensorArray:
        """The same array, ordered behind the control dependencies in force."""
        return self._over(F.identity(self._flow), capacity=self._capacity)

    def grad(self, source: Any, flow: Any = None, name: str | None = None) -> TensorArray:
        """Gradients flow through reads and writes by themselves.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("TensorArray.grad: use tf.gradients, which goes through arrays")

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements: scalar int32."""
        return F.identity(self._size, name=name or "TensorArraySize")

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """Element `index` (scalar int32)."""
        out = F.tensor_array_read(self._flow, _index(index), name=name)
        if self._infer_shape:
            out.set_shape(TensorShape(self._element[0]))
        return out

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with element `index` set to `value`.

        Raises:
            ValueError: a value of another shape. TypeError: of another dtype.
        """
        with name_scope(name, "TensorArrayWrite", [index, value]):
            element = convert_to_tensor(value, self._dtype, name="value")
            self._learn(element.dims)
            at = _index(index)
            if not self._dynamic:
                flow = F.tensor_array_write(self._flow, at, element, self._size)
                return self._over(flow)
            size = F.maximum(self._size, F.add(at, 1))
            if self._capacity is not None:
                flow = F.tensor_array_write(self._flow, at, element, self._capacity)
                return self._over(flow, size, self._capacity)
            flow = F.tensor_array_write(
                F.tensor_array_grow(self._flow, size, element), at, element, size
            )
            return self._over(flow, size)

    def stack(self, name: str | None = None) -> Tensor:
        """All elements along a new first axis: [size, *element]."""
        out = F.identity(self._elements(), name=name or "TensorArrayStack")
        size = value_of(self._size)
        rows = int(size) if size is not None and not self._dynamic and _is_int(size) else None
        out.set_shape(self._rows_shape(rows))
        return out

    def _elements(self) -> Tensor:
        """The flow without the rows that are not elements yet."""
        if self._capacity is None:
            return self._flow
        begin = F.zeros_like(F.shape(self._flow))
        tail = F.slice(F.shape(self._flow), [1], [-1])
        size = F.concat(F.reshape(self._size, [1]), tail, axis=0)
        return F.slice(self._flow, begin, size)

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """Elements by number (vector int32) along a new first axis."""
        at = convert_to_tensor(indices, int32)
        out = F.gather(self._flow, at, axis=0, batch_dims=0, name=name or "TensorArrayGather")
        out.set_shape(self._rows_shape(None))
        return out

    def concat(self, name: str | None = None) -> Tensor:
        """All elements joined along their first axis."""
        element = self._element[0]
        tail = F.slice(F.shape(self._flow), [2], [-1])
        joined = F.concat([-1], tail, axis=0)
        out = F.reshape(self._elements(), joined, name=name or "TensorArrayConcat")
        if element is not None:
            out.set_shape(TensorShape((None, *element[1:])))
        return out

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array that holds the rows of `value`: [size, *element]."""
        rows = convert_to_tensor(value, self._dtype, name="value")
        if rows.dims is not None:
            self._learn(rows.dims[1:])
        flow = F.identity(rows, name=name or "TensorArrayUnstack")
        size = F.gather(F.shape(flow), 0, axis=0, batch_dims=0)
        return self._over(flow, size)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the elements numbered `indices` set to the rows of `value`."""
        at = convert_to_tensor(indices, int32)
        rows = convert_to_tensor(value, self._dtype, name="value")
        if rows.dims is not None:
            self._learn(rows.dims[1:])
        size = self._size
        if self._dynamic:
            last = F.add(F.reduce_max(at, axes=None, keepdims=False), 1)
            size = F.maximum(self._size, last)
        shape = F.concat(F.reshape(size, [1]), F.slice(F.shape(rows), [1], [-1]), axis=0)
        flow = F.scatter_nd(F.expand_dims(at, axis=1), rows, shape, name=name)
        return self._over(flow, size)

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array of the parts of `value` along its first axis, all of one length.

        Raises:
            ValueError: lengths that are not known while the graph is built, or differ.
        """
        known = value_of(convert_to_tensor(lengths, int32))
        if known is None or len(set(known.tolist())) > 1:
            raise ValueError("TensorArray.split: graphc needs equal lengths that are constants")
        parts = convert_to_tensor(value, self._dtype)
        length = int(known[0]) if known.size else 0
        tail = F.slice(F.shape(parts), [1], [-1])
        return self.unstack(F.reshape(parts, F.concat([known.size, length], tail, axis=0)), name)

    def close(self, name: str | None = None) -> Any:
        """An op that does nothing: memory is planned."""
        return get_default_graph().create_node(F.no_op, (), {}, name or "TensorArrayClose")


def _index(index: Any) -> Tensor:
    at = convert_to_tensor(index)
    return at if at.dtype is int32 else F.cast(at, dtype=int32)


def _is_int(size: Any) -> bool:
    return isinstance(size.item(), int)
