"""Loop nests as plain Python source: the printer behind render/numba_cpu.py.

Lives here: Kernel -> text. Not here: running or compiling that text (numba_cpu), the functions it
calls (numba_support). Imports only the kernel IR.

One statement of a nest is one line, loops are ranges, accumulators scalars. What repeats inside
a statement, or grows long, gets a name first. Every constant is typed: a Python float would be
float64 in Numba and make everything after it float64 too.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, float32
from graphc.ir.shape import Dim
from graphc.kernel.expr import (
    Axis,
    Buffer,
    Cast,
    Const,
    DimValue,
    Expr,
    Load,
    Local,
    Prim,
    Select,
    postorder,
)
from graphc.kernel.nest import Accum, For, Kernel, Let, Stmt, Store, Update
from graphc.render import numba_support

_LONG = 66  # a longer expression gets a name of its own
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_HELPER = re.compile(r"[a-z]\w*_[fiu]\d+\Z", re.ASCII)  # exp_f32, slot_i64
_SUPPORT = {n for n, v in vars(numba_support).items() if not n.startswith("_") and n != "Any"}
_RESERVED = {"abs", "range", "lo", "hi", "status", "args", "pointer"} | _SUPPORT

_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_BITS = {"and": "&", "or": "|", "xor": "^"}
_CALLS = {"fma", "sqrt", "floor", "ceil", "rint", "trunc", "copysign", "ipow"}
_EXACT = {"neg", "abs", "max", "min", "copysign", "bitcast"}  # no rounding in half width
_RENAMED = {"max": "maximum", "min": "minimum"}


def type_name(dtype: DType) -> str:
    """The name of the type that a value of this dtype is computed in: f32, i64, bool, ..."""
    if dtype.is_bool:
        return "bool"
    return f"{dtype.kind}{8 * dtype.compute.size}"


def storage_name(dtype: DType) -> str:
    """The type of memory behind a pointer to this dtype: bools are bytes, half floats bits."""
    if dtype.is_bool:
        return "u8"
    return "u16" if dtype.is_half else type_name(dtype)


def identifier(name: str) -> str:
    """A name that Python takes and no function of the source has, close to the given one."""
    clean = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    if not clean or clean[0].isdigit():
        clean = f"k_{clean}"
    taken = keyword.iskeyword(clean) or clean in _RESERVED or _HELPER.match(clean)
    return f"{clean}_" if taken else clean


class Text(str):
    """Source of a value; `tight` tells that it needs no parentheses as an operand."""

    tight: bool
    product: bool

    def __new__(cls, text: str, tight: bool = True, product: bool = False) -> Text:
        made = super().__new__(cls, text)
        made.tight = tight
        made.product = product
        return made

    @property
    def operand(self) -> str:
        return str(self) if self.tight else f"({self})"

    @property
    def term(self) -> str:
        """As an operand of + and -, where a product needs no parentheses either."""
        return str(self) if self.product else self.operand


class Helpers:
    """The functions that stand above the kernel: primitives written out by kernel/approx.py.

    `used` collects the names that the module imports from numba_support.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.used: set[str] = set()

    def name_of(self, prim: Prim, expand: Callable[[Prim], Expr | None]) -> str | None:
        """The helper of a primitive, printed at its first use; None where there is none."""
        dtype = prim.args[0].dtype
        name = f"{prim.name}_{type_name(dtype)}"
        if name in self.texts:
            return name
        letters = ("x",) if len(prim.args) == 1 else ("x", "y", "z")[: len(prim.args)]
        params = tuple(Local(letter, dtype.compute) for letter in letters)
        body = expand(Prim(prim.name, params, prim.dtype.compute))
        if body is None:
            return None
        printer = Printer(self, expand)
        for param in params:
            printer.name(param, param.name)
        result = printer.value(body)
        lines = [f"def {name}({', '.join(letters)}):", *printer.lines, f"    return {result}"]
        # helpers that this one calls were entered while it was printed: they stand above it
        self.texts[name] = "\n".join(lines) + "\n"
        return name


class Printer:
    """Prints one function body, line by line."""

    def __init__(self, helpers: Helpers, expand: Callable[[Prim], Expr | None]) -> None:
        self.helpers = helpers
        self.expand = expand
        self.lines: list[str] = []
        self.depth = 1
        self.flags = False
        self.byte_bools = False
        self.loads: dict[Buffer, str] = {}
        self.stores: dict[Buffer, str] = {}
        self._names: dict[Any, str] = {}
        self._taken: set[str] = set(_RESERVED)
        self._temps = 0
        self._accums: dict[Local, Accum] = {}

    # -------------------------------------------------------------- names
    def name(self, key: Any, wanted: str) -> str:
        """The identifier of an axis, a local, a dimension: the wanted one, made unique."""
        found = self._names.get(key)
        if found is None:
            base = found = identifier(wanted)
            count = 1
            while found in self._taken:
                count += 1
                found = f"{base}_{count}"
            self._taken.add(found)
            self._names[key] = found
        return found

    def use(self, name: str) -> str:
        """A function or type of numba_support: imported by the module."""
        if name != "bool":
            self.helpers.used.add(name)
        return name

    def emit(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def temp(self, text: str) -> Text:
        """A new name for a value."""
        self._temps += 1
        name = self.name(("temp", self._temps), f"t{self._temps}")
        self.emit(f"{name} = {text}")
        return Text(name)

    def atom(self, text: Text) -> Text:
        """The value as an identifier, so that it can be written more than once."""
        return text if _IDENTIFIER.match(text) else self.temp(text)

    # -------------------------------------------------------------- values
    def value(self, root: Expr) -> Text:
        """The source of an expression; emits names for its shared and its long parts."""
        uses: dict[Expr, int] = {}
        order: dict[Expr, None] = {}
        for node in postorder(root):
            if node in order:
                continue
            order[node] = None
            for arg in node.args:
                uses[arg] = uses.get(arg, 0) + 1
        done: dict[Expr, Text] = {}
        for node in order:
            made = self._node(node, [done[a] for a in node.args])
            plain = isinstance(node, Const | Axis | Local | DimValue)
            shared = uses.get(node, 0) > 1 or len(made) > _LONG
            done[node] = self.temp(made) if shared and not plain and node != root else made
        return done[root]

    def offset(self, root: Expr) -> str:
        """An int64 expression where plain integers are at home: in brackets and ranges."""
        return str(root.value) if isinstance(root, Const) else self.value(root)

    def constant(self, value: Any, dtype: DType) -> Text:
        if dtype.is_bool:
            return Text(repr(bool(value)))
        kind = self.use(type_name(dtype))
        if dtype.is_half and np.isfinite(value):
            value = _half_value(value, dtype)
        if not dtype.is_floating:
            return Text(f"{kind}({value})")
        if value != value:
            return Text(f"{kind}({self.use('nan')})")
        if value in (np.inf, -np.inf):
            return Text(f"{kind}({'-' * (value < 0)}{self.use('inf')})")
        # the shortest text that gives the same bits
        return Text(f"{kind}({dtype.compute.np.type(value)!s})")

    def _node(self, node: Expr, args: list[Text]) -> Text:
        if isinstance(node, Const):
            return self.constant(node.value, node.dtype)
        if isinstance(node, Axis):
            return Text(self.name(node, node.name))
        if isinstance(node, Local):
            return Text(self.name(node, node.name))
        if isinstance(node, DimValue):
            return Text(self._names[node])
        if isinstance(node, Load):
            return self._load(node, args)
        if isinstance(node, Cast):
            return self._cast(args[0], node.args[0].dtype, node.dtype)
        if isinstance(node, Select):
            return Text(f"{self.use('where')}({', '.join(args)})")
        if isinstance(node, Prim):
            return self._prim(node, args)
        raise TypeError(f"a loop nest holds no {type(node).__name__}")

    def _load(self, node: Load, args: list[Text]) -> Text:
        index = node.args[0]
        at = str(index.value) if isinstance(index, Const) else args[0]
        text = f"{self.loads[node.buffer]}[{at}]"
        if node.dtype.is_half:
            text = f"{self.use(_half('load', node.dtype))}({text})"
        elif node.dtype.is_bool and self.byte_bools:
            text = f"({text} != {self.use('u8')}(0))"
        if not node.masked:
            return Text(text)
        return Text(f"{text} if {args[-2].operand} else {args[-1].operand}", tight=False)

    def _cast(self, x: Text, source: DType, target: DType) -> Text:
        if target.is_half:
            return self._round_half(x, source, target)
        if target is source or target is source.compute:
            return x
        if target.is_bool:
            return Text(f"{x.operand} != {self.constant(0, source)}", tight=False)
        kind = type_name(target)
        if source.is_floating and target.is_integer:
            return Text(f"{self.use(f'to_{kind}')}({x})")
        return Text(f"{self.use(kind)}({x})")

    def _round_half(self, x: Text, source: DType, target: DType) -> Text:
        if target is source:
            return x
        if source.is_bool:
            return Text(f"{self.use('f32')}({x})")
        if source.name == "float64" and target.name == "float16":
            x = self._call("to_odd_f32", (x,))
        elif source.compute.name != "float32":
            # bfloat16 by way of f32, as its NumPy type does it
            x = self._call("f32", (x,))
        bits = f"{self.use(_half('store', target))}({x})"
        return Text(f"{self.use(_half('load', target))}({bits})")

    # -------------------------------------------------------------- primitives
    def _prim(self, node: Prim, args: list[Text]) -> Text:
        made = self._primitive(node, args)
        if node.dtype.is_half and node.name not in _EXACT:
            return self._round_half(made, float32, node.dtype)
        return made

    def _primitive(self, node: Prim, args: list[Text]) -> Text:
        name, dtype = node.name, node.args[0].dtype
        if name in _ARITHMETIC:
            left, right = self._indices(node, args, terms=name in ("add", "sub"))
            made = self._wrapped(f"{left} {_ARITHMETIC[name]} {right}", dtype)
            return Text(made, made.tight, product=name == "mul" and not made.tight)
        if name in _COMPARE:
            left, right = self._indices(node, args)
            return Text(f"{left} {_COMPARE[name]} {right}", tight=False)
        if name in _BITS:
            text = f"{args[0].operand} {_BITS[name]} {args[1].operand}"
            return Text(text, tight=False) if dtype.is_bool else self._wrapped(text, dtype)
        if name in _CALLS or name in _RENAMED:
            return self._call(_RENAMED.get(name, name), args)
        special = getattr(self, f"_{name}", None)
        if special is not None:
            made: Text = special(node, args, dtype)
            return made
        helper = self.helpers.name_of(node, self.expand)
        if helper is None:
            raise NotImplementedError(f"the primitive {name!r} on {dtype.name}")
        return Text(f"{helper}({', '.join(args)})")

    def _call(self, function: str, args: Iterable[str]) -> Text:
        return Text(f"{self.use(function)}({', '.join(args)})")

    def _wrapped(self, text: str, dtype: DType) -> Text:
        """Arithmetic of an integer below 64 bits: Python and Numba would widen it."""
        if dtype.is_integer and dtype.size < 8:
            return Text(f"{self.use(type_name(dtype))}({text})")
        return Text(text, tight=False)

    def _indices(self, node: Prim, args: list[Text], terms: bool = False) -> tuple[str, str]:
        """Both operands; int64 constants beside something else as plain numbers."""
        out = [a.term if terms else a.operand for a in args]
        first, second = node.args
        if first.dtype.name == "int64" and isinstance(first, Const) != isinstance(second, Const):
            for k, arg in enumerate(node.args):
                if isinstance(arg, Const):
                    out[k] = str(arg.value)
        return out[0], out[1]

    def _neg(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        if dtype.is_floating:
            return Text(f"-{args[0].operand}", tight=False)
        return self._wrapped(f"{self.constant(0, dtype)} - {args[0].operand}", dtype)

    def _abs(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        if dtype.is_unsigned or dtype.is_bool:
            return args[0]
        return self._wrapped(f"abs({args[0]})", dtype) if dtype.size < 8 else Text(f"abs({args[0]})")

    def _sign(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        kind, zero, x = self.use(type_name(dtype)), self.constant(0, dtype), self.atom(args[0])
        if dtype.is_unsigned:
            return Text(f"{kind}({x} > {zero})")
        sign = self._wrapped(f"{kind}({x} > {zero}) - {kind}({x} < {zero})", dtype)
        return self._call("where", (f"{x} != {x}", x, sign)) if dtype.is_floating else sign

    def _rsqrt(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        return Text(f"{self.constant(1, dtype)} / {self._call('sqrt', args)}", tight=False)

    def _recip(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        return Text(f"{self.constant(1, dtype)} / {args[0].operand}", tight=False)

    def _not(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        if dtype.is_bool:
            return Text(f"not {args[0].operand}", tight=False)
        return self._wrapped(f"~{args[0].operand}", dtype)

    def _shift(self, node: Prim, args: list[Text], dtype: DType, symbol: str, call: str) -> Text:
        amount = node.args[1]
        if isinstance(amount, Const) and 0 <= amount.value < 8 * dtype.size:
            return self._wrapped(f"{args[0].operand} {symbol} {args[1].operand}", dtype)
        return self._call(call, args)

    def _shl(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        return self._shift(node, args, dtype, "<<", "shift_left")

    def _shr(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        return self._shift(node, args, dtype, ">>", "shift_right")

    def _mulhi_u32(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        wide = self.use("u64")
        return Text(f"{self.use('u32')}(({wide}({args[0]}) * {wide}({args[1]})) >> {wide}(32))")

    def _is_nan(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        if not dtype.is_floating:
            return Text("False")
        x = self.atom(args[0])
        return Text(f"{x} != {x}", tight=False)

    def _is_inf(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        if not dtype.is_floating:
            return Text("False")
        return Text(f"abs({args[0]}) == {self.constant(np.inf, dtype)}", tight=False)

    def _is_finite(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        if not dtype.is_floating:
            return Text("True")
        return Text(f"abs({args[0]}) < {self.constant(np.inf, dtype)}", tight=False)

    def _bitcast(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        x = args[0]
        if dtype is node.dtype:
            return x
        if dtype.is_half:
            x = self._call(_half("store", dtype), (x,))
        if node.dtype.is_half:
            return self._call(_half("load", node.dtype), (x,))
        return self._call(f"bits_{type_name(node.dtype)}", (x,))

    def _check_index(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        if self.flags:
            return self._call("check_index", (*args, "status"))
        return self._call("clamp_index", args)

    def _floordiv(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        divisor = args[1]
        if self.flags and not (isinstance(node.args[1], Const) and node.args[1].value):
            divisor = self._call("check_divisor", (divisor, "status"))
        return self._call(node.name, (args[0], divisor))

    _floormod = _truncdiv = _floordiv

    # -------------------------------------------------------------- statements
    def block(self, body: Sequence[Stmt]) -> None:
        if not body:
            self.emit("pass")
        for stmt in body:
            self.statement(stmt)

    def statement(self, stmt: Stmt) -> None:
        if isinstance(stmt, For):
            self._for(stmt)
        elif isinstance(stmt, Let):
            text = self.value(stmt.value)
            self.emit(f"{self.name(stmt.local, stmt.local.name)} = {text}")
        elif isinstance(stmt, Accum):
            self._accum(stmt)
        elif isinstance(stmt, Update):
            self._update(stmt)
        else:
            self._store(stmt)

    def _for(self, stmt: For) -> None:
        lo, hi = "lo", "hi"
        if stmt.kind != "parallel":
            lo, hi = self.offset(stmt.lo), self.offset(stmt.hi)
        bounds = hi if lo == "0" else f"{lo}, {hi}"
        self.emit(f"for {self.name(stmt.axis, stmt.axis.name)} in range({bounds}):")
        self.depth += 1
        self.block(stmt.body)
        self.depth -= 1

    def _accum(self, stmt: Accum) -> None:
        self._accums[stmt.local] = stmt
        name = self.name(stmt.local, stmt.local.name)
        if stmt.best is None:
            self.emit(f"{name} = {self.constant(identity(stmt.monoid, stmt.dtype), stmt.dtype)}")
            return
        best, dtype = self.name(stmt.best, stmt.best.name), stmt.best.dtype
        start = identity(stmt.monoid.removeprefix("arg"), dtype)
        self.emit(f"{best} = {self.constant(start, dtype)}")
        self.emit(f"{name} = {self.use('i64')}(0)")

    def _update(self, stmt: Update) -> None:
        accum, total = self._accums[stmt.local], self.name(stmt.local, stmt.local.name)
        value, monoid, dtype = self.value(stmt.value), accum.monoid, accum.dtype
        if accum.best is not None:
            self._update_best(accum, stmt, value)
        elif monoid in ("max", "min") and not dtype.is_bool:
            self.emit(f"{total} = {self._call(_RENAMED[monoid], (total, value))}")
        elif monoid in ("add", "mul") and dtype.is_floating:
            self.emit(f"{total} = {self._call(f'{monoid}_to', (total, value))}")
        else:
            logical = {"max": "|", "or": "|", "min": "&", "and": "&"}
            symbol = logical.get(monoid) or _ARITHMETIC[monoid]
            text = f"{total} {symbol} {value.operand}"
            self.emit(f"{total} = {text if dtype.is_bool else self._wrapped(text, dtype)}")

    def _update_best(self, accum: Accum, stmt: Update, value: Text) -> None:
        """The first of the extremes; the first NaN wins over everything."""
        assert accum.best is not None and stmt.position is not None
        best, total = self._names[accum.best], self._names[accum.local]
        new, at = self.atom(value), self.value(stmt.position)
        if isinstance(stmt.position, Const):
            at = self.constant(stmt.position.value, stmt.position.dtype)
        better = f"{new} {'>' if accum.monoid == 'argmax' else '<'} {best}"
        if accum.best.dtype.is_floating:
            better = f"({better}) | (({new} != {new}) & ({best} == {best}))"
        better = self.temp(better)
        self.emit(f"{best} = {self._call('where', (better, new, best))}")
        self.emit(f"{total} = {self._call('where', (better, at, total))}")

    def _store(self, stmt: Store) -> None:
        at = self.offset(stmt.offset)
        text = self.value(stmt.value)
        if stmt.buffer.dtype.is_half:
            text = self._call(_half("store", stmt.buffer.dtype), (text,))
        self.emit(f"{self.stores[stmt.buffer]}[{at}] = {text}")


def _half(which: str, dtype: DType) -> str:
    return f"{which}_{'bf16' if dtype.name == 'bfloat16' else 'f16'}"


def _half_value(value: float, dtype: DType) -> float:
    """A constant rounded to the half-width float it stands for."""
    short = "bf16" if dtype.name == "bfloat16" else "f16"
    bits = getattr(numba_support, f"store_{short}")(np.float32(value))
    return float(getattr(numba_support, f"load_{short}")(bits))


def identity(monoid: str, dtype: DType) -> Any:
    """The monoid's neutral value in a dtype."""
    if monoid == "add":
        return 0
    if monoid == "mul":
        return 1
    if monoid == "and":
        return True if dtype.is_bool else (dtype.max if dtype.is_unsigned else -1)
    if monoid == "or":
        return 0
    low = monoid == "max"
    if dtype.is_floating:
        return -np.inf if low else np.inf
    return dtype.min if low else dtype.max


# ------------------------------------------------------------------ modules
def _expand(node: Prim) -> Expr | None:
    """The primitive in simpler ones; None where kernel/approx.py does not know it."""
    from graphc.kernel import approx

    try:
        made = approx.expand(node)
    except (KeyError, TypeError):
        return None
    return None if made is node else made


def _shape(dims: Sequence[Dim], names: dict[Dim, str]) -> str:
    inner = ", ".join(names.get(d, str(d)) for d in dims)
    return f"({inner},)" if len(dims) == 1 else f"({inner})"


def _header(kernel: Kernel, name: str) -> list[str]:
    """What the kernel is for: the ops and user lines in it, its parameters."""
    dims = {dim: f"n{k}" for k, dim in enumerate(kernel.dims)}
    lines = [f"{name}: one part [lo, hi) of {dims.get(kernel.extent, kernel.extent)}"]
    lines += [f"  {' '.join(origin.split())}" for origin in kernel.origins]
    for letter, buffers in (("b", kernel.inputs), ("o", kernel.outputs)):
        for k, buffer in enumerate(buffers):
            shape = _shape(buffer.shape, dims)
            lines.append(f"{letter}{k}: {buffer!r} {buffer.dtype.name} {shape}")
    lines += [f"{short}: {dim}" for dim, short in dims.items()]
    return [f"# {line}"[:100] for line in lines]


def module_text(kernel: Kernel, name: str, form: str = "plain") -> tuple[str, dict[str, str]]:
    """(the module's source, its helper functions by name).

    Two forms serve the compiler, by functions that it provides. "slots" has the compiled kernel's
    own signature, `name(args, lo, hi)`, and unpacks by slot_<type>(args, k). "pointers" takes
    arrays and works on their `pointer`s: an array's index may be negative in Numba, and asking
    that in every access keeps loops from being vectorised.
    """
    helpers = Helpers()
    printer = Printer(helpers, _expand)
    printer.flags = kernel.flags
    printer.byte_bools = form != "plain"
    params: list[tuple[str, str]] = []
    for letter, buffers, table in (
        ("b", kernel.inputs, printer.loads),
        ("o", kernel.outputs, printer.stores),
    ):
        for k, buffer in enumerate(buffers):
            table[buffer] = printer.name((letter, k), f"{letter}{k}")
            params.append((table[buffer], storage_name(buffer.dtype)))
    for buffer, short in printer.stores.items():
        printer.loads.setdefault(buffer, short)
    for k, dim in enumerate(kernel.dims):
        short = printer.name(DimValue(dim), f"n{k}")  # type: ignore[arg-type]
        params.append((short, "dim"))
    if kernel.flags:
        params.append(("status", "i64"))
    names = [short for short, _ in params]
    if form == "slots":
        _unpack(printer, kernel, [f"slot_{kind}(args, {k})" for k, (_, kind) in enumerate(params)])
        names = ["args"]
    elif form == "pointers":
        _unpack(printer, kernel, [f"pointer({short})" for short in names])
    header = f"def {name}({', '.join([*names, 'lo', 'hi'])}):"
    printer.block(kernel.body)
    parts = _header(kernel, name)
    if helpers.used:
        parts += ["", *_imports(helpers.used)]
    parts += [f"\n\n{text.rstrip()}" for text in helpers.texts.values()]
    parts += ["\n", header, *printer.lines]
    return "\n".join(parts) + "\n", dict(helpers.texts)


def _unpack(printer: Printer, kernel: Kernel, values: Sequence[str]) -> None:
    """Bind the buffers (and what follows them, for slots) to values of the compiler's functions.

    What is updated in place gets one name, so that the vectoriser sees one array.
    """
    pointers: dict[Buffer, str] = {}
    for k, (buffer, value) in enumerate(zip(kernel.buffers, values, strict=False)):
        if buffer not in pointers:
            pointers[buffer] = printer.name(("pointer", k), f"p{k}")
            printer.emit(f"{pointers[buffer]} = {value}")
    if values[0].startswith("slot_"):
        tail = [printer.name(DimValue(d), "") for d in kernel.dims]  # type: ignore[arg-type]
        tail += ["status"] * kernel.flags
        for short, value in zip(tail, values[len(kernel.buffers) :], strict=True):
            printer.emit(f"{short} = {value}")
    printer.loads = pointers
    printer.stores = pointers


def _imports(names: set[str]) -> list[str]:
    """One import, wrapped at 100 columns."""
    line = f"from graphc.render.numba_support import {', '.join(sorted(names))}"
    if len(line) <= 100:
        return [line]
    lines, row = ["from graphc.render.numba_support import ("], "   "
    for item in sorted(names):
        if len(row) + len(item) + 2 > 100:
            lines.append(row)
            row = "   "
        row += f" {item},"
    return [*lines, row, ")"]
