"""Steps that write rows by number: scatters, sums of segments, first occurrences.

Lives here: RowsCall, how a node maps to it, and the LLVM IR behind it. Not here: where the rows are
written (runtime/inplace.py, schedule.py). A scatter that this does not cover (half types, indices
of several columns, extremes and products) runs as a host step.

Rows are written one after the other, so that equal numbers meet in their order whatever the
number of threads. A number out of range writes nothing; it sets the status word instead, for which
the run stops before it writes a variable.

Argument slots behind the storages: N rows, INNER elements each, COUNT rows of the target, STATUS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Node, Tensor
from graphc.ir.shape import Dim, PartialDim, dims_product, evaluate

_TYPES = {"float32": "float", "float64": "double", "int32": "i32", "int64": "i64"}
_INDEX = {"int32": "i32", "int64": "i64"}
_SCATTERS = {
    "tensor_scatter_add": "add", "tensor_scatter_sub": "sub", "tensor_scatter_update": "put",
}  # fmt: skip


@dataclass(frozen=True)
class RowsCall:
    """One step over rows.

    Attributes:
        form: add, sub, put (into what the target holds), sum (into zeros), first (occurrence),
            check (numbers only).
        ids, rows, out: the numbers, the rows written, the target. base: what the target starts as.
        n, inner, count: numbers, elements a row, rows of the target.
        drop: negative numbers are left out, not refused.
    """

    node: Node = field(compare=False)
    form: str
    ids: Tensor
    rows: Tensor | None
    out: Tensor | None
    base: Tensor | None
    n: Dim
    inner: Dim
    count: Dim
    drop: bool = False
    kind = "rows"

    @property
    def kernel_name(self) -> str:
        dtype = f"_{self.rows.dtype.name}" if self.rows is not None else ""
        drop = "_drop" if self.drop else ""
        return f"rows_{self.form}{drop}{dtype}_{self.ids.dtype.name}"

    @property
    def may_fail(self) -> bool:
        return self.form != "first"

    def checked(self) -> RowsCall:
        """The step that only looks whether all numbers are in range."""
        return RowsCall(
            self.node, "check", self.ids, None, None, None, self.n, self.inner, self.count,
            self.drop,
        )  # fmt: skip

    def ir(self) -> str:
        index = _INDEX[self.ids.dtype.name]
        if self.form == "first":
            low = "trunc i64 %id to i32" if index == "i64" else "add i32 %id, 0"
            return _FIRST.format(name=self.kernel_name, index=index, index32=low)
        widen = "freeze i64 %raw" if index == "i64" else "sext i32 %raw to i64"
        fields = {
            "name": self.kernel_name,
            "index": index,
            "widen": widen,
            "flag": _DROPPED if self.drop else _REFUSED,
        }
        if self.rows is None:
            return _CHECK.format(**fields)
        return _ROWS.format(**fields, **_moved(self.form, self.rows.dtype.name))

    def slots(self, values: Mapping[str, int]) -> list[int]:
        """The int64 arguments behind the storages."""
        return [evaluate(d, values) for d in (self.n, self.inner, self.count)]

    def extent(self, values: Mapping[str, int]) -> int:
        """One piece: the rows are written one after the other."""
        return 1

    def chunk(self, values: Mapping[str, int]) -> int:
        return 0

    def nanoseconds(self, values: Mapping[str, int]) -> float:
        inner = 4 if self.rows is None else evaluate(self.inner, values)
        return evaluate(self.n, values) * (4.0 + inner / 8.0)


def rows_call(node: Node) -> RowsCall | None:
    """The node as a step over rows, or None where it must run on the host."""
    op = node.op.name
    if any(t.dims is None or None in t.dims for t in (*node.inputs, *node.outputs)):
        return None  # the data decide
    if op == "first_occurrence":
        ids = node.inputs[0]
        n = _product(ids.known_dims)
        return RowsCall(node, "first", ids, None, node.outputs[0], None, n, 1, n)
    if op in _SCATTERS:
        base, indices, rows = node.inputs
        return _scatter(node, _SCATTERS[op], base, indices, rows)
    if op == "scatter_nd":
        indices, rows, _ = node.inputs
        return _scatter(node, "sum", None, indices, rows)
    if op == "unsorted_segment_sum":
        rows, ids, _ = node.inputs
        out = node.outputs[0]
        if rows.dtype.name not in _TYPES:
            return None
        depth = len(ids.known_dims)
        inner = _product(rows.known_dims[depth:])
        n = _product(ids.known_dims)
        count = out.known_dims[0]
        return RowsCall(node, "sum", ids, rows, out, None, n, inner, count, drop=True)
    return None


def _product(dims: Sequence[PartialDim]) -> Dim:
    found = dims_product(dims)
    assert found is not None
    return found


def _scatter(
    node: Node, form: str, base: Tensor | None, indices: Tensor, rows: Tensor
) -> RowsCall | None:
    """By vectors of one number each: they number rows of the first axis."""
    out = node.outputs[0]
    # what is only put down is bits of some size
    bits = form == "put" and rows.dtype.kind != "s" and rows.dtype.size in (1, 2, 4, 8)
    moves = rows.dtype.name in _TYPES or bits
    if not moves or indices.known_dims[-1] != 1 or not out.known_dims:
        return None
    if len(rows.known_dims) != len(indices.known_dims) - 1 + len(out.known_dims) - 1:
        return None  # updates that are broadcast
    inner = _product(out.known_dims[1:])
    n = _product(indices.known_dims)
    return RowsCall(node, form, indices, rows, out, base, n, inner, out.known_dims[0])


def scratch_elements(call: RowsCall) -> Dim:
    """int32 words that `first` needs for its hash table: at most half of them are taken."""
    return call.n * 2 + 2


# ------------------------------------------------------------------ IR
_REFUSED = """bad:
  store i64 1, ptr %status
  br label %next"""
_DROPPED = """bad:
  %negative = icmp slt i64 %id, 0
  br i1 %negative, label %next, label %refused
refused:
  store i64 1, ptr %status
  br label %next"""

_HEAD = """
  br label %head
head:
  %i = phi i64 [0, %entry], [%i1, %next]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %row, label %exit
row:
  %id.p = getelementptr {index}, ptr %ids, i64 %i
  %raw = load {index}, ptr %id.p
  %id = {widen}
  %good = icmp ult i64 %id, %count
"""


def _loads(*names: str) -> str:
    """The argument slots in order."""
    out = []
    for at, name in enumerate(names):
        kind = "i64" if name in ("n", "inner", "count") else "ptr"
        out.append(f"  %{name}.a = getelementptr i64, ptr %args, i64 {at}")
        out.append(f"  %{name} = load {kind}, ptr %{name}.a")
    return "\n".join(out)


_CHECK = (
    "define void @{name}(ptr %args, i64 %lo, i64 %hi) {{\nentry:\n"
    + _loads("ids", "n", "inner", "count", "status")
    + _HEAD
    + """  br i1 %good, label %next, label %bad
{flag}
next:
  %i1 = add i64 %i, 1
  br label %head
exit:
  ret void
}}
"""
)

_ROWS = (
    "define void @{name}(ptr %args, i64 %lo, i64 %hi) {{\nentry:\n"
    + _loads("ids", "rows", "out", "n", "inner", "count", "status")
    + "\n{start}"
    + _HEAD
    + """  br i1 %good, label %write, label %bad
{flag}
write:
  %from = mul i64 %i, %inner
  %to = mul i64 %id, %inner
  %source = getelementptr {type}, ptr %rows, i64 %from
  %target = getelementptr {type}, ptr %out, i64 %to
  br label %wide
wide:
  %j = phi i64 [0, %write], [%j1, %vector]
  %j1 = add i64 %j, {lanes}
  %fits = icmp sle i64 %j1, %inner
  br i1 %fits, label %vector, label %narrow
vector:
  %vs.p = getelementptr {type}, ptr %source, i64 %j
  %vt.p = getelementptr {type}, ptr %target, i64 %j
  %vs = load <{lanes} x {type}>, ptr %vs.p, align {align}
  %vt = load <{lanes} x {type}>, ptr %vt.p, align {align}
{vector_op}
  store <{lanes} x {type}> %{v}, ptr %vt.p, align {align}
  br label %wide
narrow:
  %k = phi i64 [%j, %wide], [%k1, %scalar]
  %left = icmp slt i64 %k, %inner
  br i1 %left, label %scalar, label %next
scalar:
  %ss.p = getelementptr {type}, ptr %source, i64 %k
  %st.p = getelementptr {type}, ptr %target, i64 %k
  %ss = load {type}, ptr %ss.p
  %st = load {type}, ptr %st.p
{scalar_op}
  store {type} %{s}, ptr %st.p
  %k1 = add i64 %k, 1
  br label %narrow
next:
  %i1 = add i64 %i, 1
  br label %head
exit:
  ret void
}}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""
)

_ZEROS = """  %elements = mul i64 %inner, %count
  %bytes = mul i64 %elements, {size}
  call void @llvm.memset.p0.i64(ptr %out, i8 0, i64 %bytes, i1 false)
"""

# open addressing: word h holds the position plus one of the first row with a number that hashes to
# h; Knuth's multiplicative hash, reduced by a multiplication instead of a division
_FIRST = (
    "define void @{name}(ptr %args, i64 %lo, i64 %hi) {{\nentry:\n"
    + _loads("ids", "out", "words", "n", "inner", "count")
    + """
  %twice = mul i64 %n, 2
  %size = add i64 %twice, 2
  %bytes = mul i64 %size, 4
  call void @llvm.memset.p0.i64(ptr %words, i8 0, i64 %bytes, i1 false)
  br label %head
head:
  %i = phi i64 [0, %entry], [%i1, %next]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %row, label %exit
row:
  %id.p = getelementptr {index}, ptr %ids, i64 %i
  %id = load {index}, ptr %id.p
  %id32 = {index32}
  %mixed = mul i32 %id32, -1640531527
  %wide = zext i32 %mixed to i64
  %scaled = mul i64 %wide, %size
  %h0 = lshr i64 %scaled, 32
  %i1 = add i64 %i, 1
  br label %probe
probe:
  %h = phi i64 [%h0, %row], [%h2, %other]
  %word.p = getelementptr i32, ptr %words, i64 %h
  %word = load i32, ptr %word.p
  %free = icmp eq i32 %word, 0
  br i1 %free, label %new, label %taken
new:
  %mark = trunc i64 %i1 to i32
  store i32 %mark, ptr %word.p
  br label %next
taken:
  %owner1 = sext i32 %word to i64
  %owner = sub i64 %owner1, 1
  %owner.p = getelementptr {index}, ptr %ids, i64 %owner
  %theirs = load {index}, ptr %owner.p
  %same = icmp eq {index} %theirs, %id
  br i1 %same, label %next, label %other
other:
  %h1 = add i64 %h, 1
  %past = icmp eq i64 %h1, %size
  %h2 = select i1 %past, i64 0, i64 %h1
  br label %probe
next:
  %first = phi i64 [%i, %new], [%owner, %taken]
  %first32 = trunc i64 %first to i32
  %out.p = getelementptr i32, ptr %out, i64 %i
  store i32 %first32, ptr %out.p
  br label %head
exit:
  ret void
}}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""
)


def _moved(form: str, dtype: str) -> dict[str, object]:
    """What differs between forms and dtypes in _ROWS."""
    size = as_dtype(dtype).size
    kind = _TYPES.get(dtype, f"i{8 * size}")
    lanes = 32 // size
    fields: dict[str, object] = {
        "type": kind, "lanes": lanes, "align": size, "vector_op": "", "scalar_op": "",
        "v": "vs", "s": "ss", "start": _ZEROS.format(size=size) if form == "sum" else "",
    }  # fmt: skip
    if form != "put":
        op = ("f" if dtype.startswith("float") else "") + ("sub" if form == "sub" else "add")
        fields |= {
            "vector_op": f"  %vr = {op} <{lanes} x {kind}> %vt, %vs", "v": "vr",
            "scalar_op": f"  %sr = {op} {kind} %st, %ss", "s": "sr",
        }  # fmt: skip
    return fields
