"""Running sums and products along an axis, as LLVM IR.

Lives here: scan_ir. Not here: which ops they are, the step (runtime/scan.py).

Elements are combined one after the other, as NumPy does, so the results are the same to the bit.
Along the innermost axis some rows go side by side, because each one waits for its own last result;
along another axis the row before is read again from the cache, and whole vectors are combined.
"""

from __future__ import annotations

ROWS = 8  # rows side by side
COLUMNS = 2048  # elements of a row that one piece walks down
_LINE = 64

_TYPES = {"float32": "float", "float64": "double", "int32": "i32", "int64": "i64"}
_OPS = {"add": ("fadd", "add"), "mul": ("fmul", "mul")}

_SLOTS = (
    ("ptr", "%source"), ("ptr", "%target"), ("i64", "%n"), ("i64", "%inner"), ("i64", "%step"),
    ("i64", "%first"),
)  # fmt: skip

_HEAD = """define void @{name}(ptr %args, i64 %lo, i64 %hi) nounwind {{
entry:
{slots}
  %each = mul i64 %n, %inner
"""

_ROWS = (
    _HEAD
    + """  br label %head
head:
  %r = phi i64 [%lo, %entry], [%r.many, %many.done], [%r.one, %one.done]
  %left = sub i64 %hi, %r
  %some = icmp sgt i64 %left, 0
  br i1 %some, label %choose, label %exit
choose:
  %full = icmp sge i64 %left, {rows}
  br i1 %full, label %many, label %one
{many}
{one}
exit:
  ret void
}}
"""
)

_COLUMNS = (
    _HEAD
    + """  %blocks.1 = add i64 %inner, {columns_1}
  %blocks = udiv i64 %blocks.1, {columns}
  br label %head
head:
  %t = phi i64 [%lo, %entry], [%t1, %next]
  %more = icmp slt i64 %t, %hi
  br i1 %more, label %piece, label %exit
piece:
  %t1 = add i64 %t, 1
  %matrix = udiv i64 %t, %blocks
  %block = urem i64 %t, %blocks
  %at0 = mul i64 %matrix, %each
  %column = mul i64 %block, {columns}
  %at1 = add i64 %at0, %column
  %at = add i64 %at1, %first
  %from0 = getelementptr {type}, ptr %source, i64 %at
  %to0 = getelementptr {type}, ptr %target, i64 %at
  %rest = sub i64 %inner, %column
  %width = call i64 @llvm.smin.i64(i64 %rest, i64 {columns})
  %bytes = mul i64 %width, {size}
  br label %down
down:
  %k = phi i64 [0, %piece], [%k1, %row.done]
  %from = phi ptr [%from0, %piece], [%from1, %row.done]
  %to = phi ptr [%to0, %piece], [%to1, %row.done]
  %before = phi ptr [%to0, %piece], [%to, %row.done]
  %k.more = icmp slt i64 %k, %n
  br i1 %k.more, label %row, label %next
row:
  %k1 = add i64 %k, 1
  %from1 = getelementptr {type}, ptr %from, i64 %step
  %to1 = getelementptr {type}, ptr %to, i64 %step
  %is.first = icmp eq i64 %k, 0
  br i1 %is.first, label %start, label %wide
start:
{start}
  br label %row.done
wide:
  %j = phi i64 [0, %row], [%j1, %vector]
  %j1 = add i64 %j, {lanes}
  %fits = icmp sle i64 %j1, %width
  br i1 %fits, label %vector, label %narrow
vector:
  %v.x = getelementptr {type}, ptr {operand}, i64 %j
  %v.b = getelementptr {type}, ptr %before, i64 %j
  %v.t = getelementptr {type}, ptr %to, i64 %j
  %vx = load <{lanes} x {type}>, ptr %v.x, align {size}
  %vb = load <{lanes} x {type}>, ptr %v.b, align {size}
  %vr = {op} <{lanes} x {type}> %vb, %vx
  store <{lanes} x {type}> %vr, ptr %v.t, align {size}
  br label %wide
narrow:
  %i = phi i64 [%j, %wide], [%i1, %scalar]
  %i.more = icmp slt i64 %i, %width
  br i1 %i.more, label %scalar, label %row.done
scalar:
  %i1 = add i64 %i, 1
  %s.x = getelementptr {type}, ptr {operand}, i64 %i
  %s.b = getelementptr {type}, ptr %before, i64 %i
  %s.t = getelementptr {type}, ptr %to, i64 %i
  %sx = load {type}, ptr %s.x, align {size}
  %sb = load {type}, ptr %s.b, align {size}
  %sr = {op} {type} %sb, %sx
  store {type} %sr, ptr %s.t, align {size}
  br label %narrow
row.done:
  br label %down
next:
  br label %head
exit:
  ret void
}}
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""
)

_NEUTRAL_ROW = """  br label %fill
fill:
  %f = phi i64 [0, %start], [%f1, %fill]
  %f.t = getelementptr {type}, ptr %to, i64 %f
  store {type} {neutral}, ptr %f.t, align {size}
  %f1 = add i64 %f, 1
  %f.more = icmp slt i64 %f1, %width
  br i1 %f.more, label %fill, label %filled
filled:"""
_COPY_ROW = "  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)"


def scan_ir(name: str, op: str, dtype: str, exclusive: bool, rows: bool) -> str:
    """`void name(ptr args, i64 lo, i64 hi)`: op is "add" or "mul".

    Slots: source, target, length of the axis, elements behind it, the step from one element to the
    next (negative from the end) and the offset of the first one. `rows`: nothing is behind the
    axis, and [lo, hi) are rows; otherwise they are blocks of COLUMNS elements.
    """
    from graphc.render.tile_writer import unpacked  # a step that is in the cache prints nothing

    kind = _TYPES[dtype]
    real = dtype.startswith("float")
    size = 8 if dtype.endswith("64") else 4
    fields = {"name": name, "type": kind, "size": size, "op": _OPS[op][0 if real else 1]}
    fields["slots"] = "\n".join(unpacked(_SLOTS))
    if rows:
        start = _neutral(op, real, exclusive)
        many = _side_by_side("many", ROWS, fields, start, exclusive)
        one = _side_by_side("one", 1, fields, start, exclusive)
        return _ROWS.format(**fields, rows=ROWS, many=many, one=one)
    neutral = _neutral(op, real, True)
    begin = _NEUTRAL_ROW.format(**fields, neutral=neutral) if exclusive else _COPY_ROW
    # an exclusive sum adds what stands in front of the element
    operand = "%from.before" if exclusive else "%from"
    text = _COLUMNS.format(
        **fields, columns=COLUMNS, columns_1=COLUMNS - 1, lanes=_LINE // size, start=begin,
        operand=operand,
    )  # fmt: skip
    if not exclusive:
        return text
    more = "  %k.more = icmp slt i64 %k, %n\n"
    phi = "  %from.before = phi ptr [%from0, %piece], [%from, %row.done]\n"
    return text.replace(more, phi + more)


def _neutral(op: str, real: bool, exclusive: bool) -> str:
    """What a row starts with; -0.0 + x is x, also for -0.0."""
    if op == "mul":
        return "1.0" if real else "1"
    if not real:
        return "0"
    return "0.0" if exclusive else "-0.0"


def _side_by_side(
    mark: str, rows: int, fields: dict[str, object], start: str, exclusive: bool
) -> str:
    """Blocks that walk `rows` rows at once."""
    kind, op, size = fields["type"], fields["op"], fields["size"]
    out = [f"{mark}:", f"  %r.{mark} = add i64 %r, {rows}"]
    for u in range(rows):
        out += [
            f"  %{mark}.row{u} = add i64 %r, {u}",
            f"  %{mark}.begin{u} = mul i64 %{mark}.row{u}, %each",
            f"  %{mark}.at{u} = add i64 %{mark}.begin{u}, %first",
            f"  %{mark}.from{u} = getelementptr {kind}, ptr %source, i64 %{mark}.at{u}",
            f"  %{mark}.to{u} = getelementptr {kind}, ptr %target, i64 %{mark}.at{u}",
        ]
    out += [
        f"  br label %{mark}.head", f"{mark}.head:",
        f"  %{mark}.k = phi i64 [0, %{mark}], [%{mark}.k1, %{mark}.body]",
        f"  %{mark}.o = phi i64 [0, %{mark}], [%{mark}.o1, %{mark}.body]",
    ]  # fmt: skip
    out += [
        f"  %{mark}.acc{u} = phi {kind} [{start}, %{mark}], [%{mark}.new{u}, %{mark}.body]"
        for u in range(rows)
    ]
    out += [
        f"  %{mark}.more = icmp slt i64 %{mark}.k, %n",
        f"  br i1 %{mark}.more, label %{mark}.body, label %{mark}.done", f"{mark}.body:",
        f"  %{mark}.k1 = add i64 %{mark}.k, 1", f"  %{mark}.o1 = add i64 %{mark}.o, %step",
    ]  # fmt: skip
    for u in range(rows):
        stored = f"%{mark}.acc{u}" if exclusive else f"%{mark}.new{u}"
        out += [
            f"  %{mark}.x.p{u} = getelementptr {kind}, ptr %{mark}.from{u}, i64 %{mark}.o",
            f"  %{mark}.x{u} = load {kind}, ptr %{mark}.x.p{u}, align {size}",
            f"  %{mark}.new{u} = {op} {kind} %{mark}.acc{u}, %{mark}.x{u}",
            f"  %{mark}.t.p{u} = getelementptr {kind}, ptr %{mark}.to{u}, i64 %{mark}.o",
            f"  store {kind} {stored}, ptr %{mark}.t.p{u}, align {size}",
        ]
    out += [f"  br label %{mark}.head", f"{mark}.done:", "  br label %head"]
    return "\n".join(out)
