"""Tables and parsed examples in TensorFlow's files: nodes whose form differs from graphc's.

Lives here: WRITERS by record, READERS by TensorFlow's op type, with those of queues
(interop/queue_nodes.py). Not here: walking graphs (interop/graph_def.py, interop/importer.py).
graphc's table is an attribute of its ops; TensorFlow's is a node that gives a handle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.interop import attributes, queue_nodes
from graphc.interop.messages import NodeDef
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Node, Tensor
from graphc.ops.define import F
from graphc.ops.values import value_of
from graphc.tf1.tables import Columns, Table

if TYPE_CHECKING:
    from graphc.interop.graph_def import _Writer
    from graphc.interop.importer import Importer


def _put_types(made: NodeDef, name: str, dtypes: Sequence[Any]) -> None:
    types = made.attr[name].list
    types.SetInParent()
    types.type.extend(d.as_datatype_enum for d in dtypes)


def _put_shapes(made: NodeDef, name: str, shapes: Sequence[Any]) -> None:
    listed = made.attr[name].list
    listed.SetInParent()
    for shape in shapes:
        attributes.fill_shape(listed.shape.add(), shape)


def _attr(nd: NodeDef, name: str, default: Any = None) -> Any:
    return attributes.value_of(nd.attr[name]) if name in nd.attr else default


# ------------------------------------------------------------------ tables to files
def _handle(writer: _Writer, table: Any) -> str:
    """The name of the node that stands for a table."""
    found = writer.named.get(table)
    if found is not None:
        return found
    name = writer.named[table] = table.name
    inputs = [
        writer.const(f"{name}/{what}", np.array(key, table.key_dtype.np))
        for key, what in table.forbidden.items()
    ]
    made = writer.out.node.add(name=name, op="HashTableV2", input=inputs)
    if table.forbidden:
        made.op = "MutableDenseHashTableV2"
    elif table.mutable:
        made.op = "MutableHashTableOfTensorsV2" if table.value_dims else "MutableHashTableV2"
    made.attr["key_dtype"].type = table.key_dtype.as_datatype_enum
    made.attr["value_dtype"].type = table.value_dtype.as_datatype_enum
    made.attr["shared_name"].s = table.shared_name.encode()
    made.attr["container"].s = b""
    made.attr["use_node_name_sharing"].b = table.mutable
    if table.value_dims or table.forbidden:
        attributes.put_shape(made.attr, "value_shape", table.value_dims)
    return str(name)


def _table_op(in_name: str = "", out_name: str = "") -> Callable[[_Writer, Node, NodeDef], None]:
    def write(writer: _Writer, node: Node, made: NodeDef) -> None:
        table = node.attrs["resource"]
        if not isinstance(table, Table):
            made.input.extend(writer.input(t) for t in node.inputs)
            return
        made.input.extend([_handle(writer, table), *(writer.input(t) for t in node.inputs)])
        for name, dtype in ((in_name, table.key_dtype), (out_name, table.value_dtype)):
            if name:
                made.attr[name].type = dtype.as_datatype_enum

    return write


def _table_file(writer: _Writer, node: Node, made: NodeDef) -> None:
    _table_op()(writer, node, made)
    read = node.attrs["read"]
    if not isinstance(read, Columns):
        return
    made.attr["key_index"].i = read.key_index
    made.attr["value_index"].i = read.value_index
    made.attr["vocab_size"].i = -1 if read.vocab_size is None else read.vocab_size
    made.attr["delimiter"].s = read.delimiter.encode()


# ------------------------------------------------------------------ tables from files
def _read_table(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    from graphc.interop.importer import DONE, Wanted

    reserved = [_constant(nd, t) for t in inputs]
    dims = reserved[0].shape if reserved else ()
    table = Table(
        f"{imp.prefix}{nd.name}",
        as_dtype(_attr(nd, "key_dtype")),
        as_dtype(_attr(nd, "value_dtype")),
        tuple(_attr(nd, "value_shape", ())),
        dims,
        _attr(nd, "shared_name", "") or None,
        nd.op.startswith("Mutable"),
        tuple(
            (tuple(k.reshape(-1).tolist()) if dims else k.item(), what)
            for k, what in zip(reserved, ("empty_key", "deleted_key"), strict=False)
        ),
    )
    imp.outputs[nd.name] = [Wanted("a table", (table,))]
    return DONE


def _constant(nd: NodeDef, tensor: Any) -> Any:
    known = value_of(tensor) if isinstance(tensor, Tensor) else None
    if known is None:
        raise InvalidArgumentError(
            f"node {nd.name!r} ({nd.op}): its keys must be constant in graphc"
        )
    return known


def _table_reader(record: str) -> Callable[[Importer, NodeDef, list[Any]], Any]:
    def read(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
        from graphc.interop.importer import DONE, Wanted

        if not inputs or not isinstance(inputs[0], Wanted) or inputs[0].kind != "a table":
            raise NotFoundError(
                f"node {nd.name!r} ({nd.op}) has no table: what it stood for cannot be written to "
                "a file"
            )
        attrs = {"resource": inputs[0].values[0]}
        if record == "table_import_file":
            size = _attr(nd, "vocab_size", -1)
            attrs["read"] = Columns(
                _attr(nd, "key_index"),
                _attr(nd, "value_index"),
                None if size < 0 else size,
                _attr(nd, "delimiter", "\t"),
            )
        node = imp.add(getattr(F, record), tuple(inputs[1:]), attrs, nd.name)
        imp.finish(nd, node.outputs, node)
        return DONE

    return read


# ------------------------------------------------------------------ examples
def _examples(writer: _Writer, node: Node, made: NodeDef) -> None:
    attrs = node.attrs
    keys = {}
    for kind in ("sparse", "dense"):
        keys[kind] = [
            writer.const(f"{writer.label(node)}/{kind}_keys_{k}", np.array(key.encode(), object))
            for k, key in enumerate(attrs[f"{kind}_keys"])
        ]
    serialized, names, *defaults = [writer.input(t) for t in node.inputs]
    made.input.extend([serialized, names, *keys["sparse"], *keys["dense"], *defaults])
    made.attr["Nsparse"].i = len(keys["sparse"])
    made.attr["Ndense"].i = len(keys["dense"])
    _put_types(made, "sparse_types", attrs["sparse_types"])
    _put_types(made, "Tdense", attrs["dense_types"])
    _put_shapes(made, "dense_shapes", attrs["dense_shapes"])


def _single_example(writer: _Writer, node: Node, made: NodeDef) -> None:
    attrs = node.attrs
    made.input.extend(writer.input(t) for t in node.inputs)
    made.attr["num_sparse"].i = len(attrs["sparse_keys"])
    for name in ("sparse_keys", "dense_keys"):
        listed = made.attr[name].list
        listed.SetInParent()
        listed.s.extend(key.encode() for key in attrs[name])
    _put_types(made, "sparse_types", attrs["sparse_types"])
    _put_types(made, "Tdense", attrs["dense_types"])
    _put_shapes(made, "dense_shapes", attrs["dense_shapes"])


def _spec(nd: NodeDef, sparse: Sequence[str], dense: Sequence[str]) -> dict[str, Any]:
    return {
        "sparse_keys": tuple(sparse),
        "sparse_types": _attr(nd, "sparse_types", ()),
        "dense_keys": tuple(dense),
        "dense_types": _attr(nd, "Tdense", ()),
        "dense_shapes": _attr(nd, "dense_shapes", ()),
    }


def _read_examples(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    serialized, names, *rest = inputs
    if nd.op == "ParseExampleV2":
        sparse, dense, _ragged = (_names(nd, t) for t in rest[:3])
        defaults = rest[3:]
    else:
        n, m = _attr(nd, "Nsparse", 0), _attr(nd, "Ndense", 0)
        sparse = [name for t in rest[:n] for name in _names(nd, t)]
        dense = [name for t in rest[n : n + m] for name in _names(nd, t)]
        defaults = rest[n + m :]
    if isinstance(serialized, Tensor) and serialized.rank == 0:
        return _added(imp, nd, F.parse_single_example, (serialized, *defaults), sparse, dense)
    return _added(imp, nd, F.parse_example, (serialized, names, *defaults), sparse, dense)


def _names(nd: NodeDef, tensor: Any) -> list[str]:
    return [name.decode() for name in _constant(nd, tensor).reshape(-1).tolist()]


def _read_single(imp: Importer, nd: NodeDef, inputs: list[Any]) -> Any:
    sparse, dense = _attr(nd, "sparse_keys", ()), _attr(nd, "dense_keys", ())
    return _added(imp, nd, F.parse_single_example, tuple(inputs), sparse, dense)


def _added(
    imp: Importer, nd: NodeDef, record: Any, inputs: Any, sparse: Any, dense: Any
) -> Any:
    from graphc.interop.importer import DONE

    node = imp.add(record, inputs, _spec(nd, sparse, dense), nd.name)
    imp.finish(nd, node.outputs, node)
    return DONE


WRITERS: dict[str, Callable[[Any, Node, NodeDef], None]] = {
    "table_find": _table_op("Tin", "Tout"),
    "table_insert": _table_op("Tin", "Tout"),
    "table_import": _table_op("Tin", "Tout"),
    "table_remove": _table_op("Tin"),
    "table_export": _table_op("Tkeys", "Tvalues"),
    "table_size": _table_op(),
    "table_import_file": _table_file,
    "parse_example": _examples,
    "parse_single_example": _single_example,
    **queue_nodes.WRITERS,
}

_TABLES = (
    "HashTable", "MutableHashTable", "MutableHashTableOfTensors", "MutableDenseHashTable",
)  # fmt: skip
_OPS = {
    "LookupTableFind": "table_find", "LookupTableInsert": "table_insert",
    "LookupTableImport": "table_import", "InitializeTable": "table_import",
    "LookupTableRemove": "table_remove", "LookupTableExport": "table_export",
    "LookupTableSize": "table_size", "InitializeTableFromTextFile": "table_import_file",
}  # fmt: skip
READERS: dict[str, Callable[[Any, NodeDef, list[Any]], Any]] = {
    **{f"{op}{v}": _read_table for op in _TABLES for v in ("", "V2")},
    **{f"{op}{v}": _table_reader(record) for op, record in _OPS.items() for v in ("", "V2")},
    "ParseExample": _read_examples,
    "ParseExampleV2": _read_examples,
    "ParseSingleExample": _read_single,
    **queue_nodes.READERS,
}
