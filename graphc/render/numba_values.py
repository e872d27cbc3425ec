"""Expressions as Python source: the value half of the printer of readable kernels.

Lives here: expressions, casts and primitives, and the helper functions that primitives of
kernel/approx.py become. Not here: statements and modules (numba_source), names (numba_names).

What repeats inside a statement, or grows long, gets a name first. Every constant is typed: a
Python float would be float64 in Numba and make everything after it float64 too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType, float32
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
from graphc.render.numba_index import exact_nodes, is_ring, small
from graphc.render.numba_names import (
    IDENTIFIER,
    RESERVED,
    Text,
    half,
    half_value,
    identifier,
    type_name,
)

_LONG = 66  # a longer part of an expression gets a name of its own
_LINE = 76  # a longer expression is split
ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_BITS = {"and": "&", "or": "|", "xor": "^"}
_CALLS = {"fma", "sqrt", "floor", "ceil", "rint", "trunc", "copysign", "fmod", "ipow"}
_EXACT = {"neg", "abs", "max", "min", "copysign", "bitcast"}  # no rounding in half width
RENAMED = {"max": "maximum", "min": "minimum"}


def _expand(node: Prim) -> Expr | None:
    """The primitive in simpler ones; None where kernel/approx.py does not know it."""
    from graphc.kernel import approx

    try:
        made = approx.expand(node)
    except (KeyError, TypeError):
        return None
    return None if made is node else made


class Helpers:
    """The functions that stand above the kernel: primitives written out by kernel/approx.py."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def name_of(self, prim: Prim) -> str | None:
        """The helper of a primitive, printed at its first use; None where there is none."""
        dtype = prim.args[0].dtype
        name = f"{prim.name}_{type_name(dtype)}"
        if name in self.texts:
            return name
        letters = ("x",) if len(prim.args) == 1 else ("x", "y", "z")[: len(prim.args)]
        params = tuple(Local(letter, dtype.compute) for letter in letters)
        body = _expand(Prim(prim.name, params, prim.dtype.compute))
        if body is None:
            return None
        printer = ValuePrinter(self)
        for param in params:
            printer.name(param, param.name)
        result = printer.value(body)
        lines = [f"def {name}({', '.join(letters)}):", *printer.lines, f"    return {result}"]
        # helpers that this one calls were entered while it was printed: they stand above it
        self.texts[name] = "\n".join(lines) + "\n"
        return name


class ValuePrinter:
    """Prints values; what needs a name of its own becomes a line."""

    def __init__(self, helpers: Helpers) -> None:
        self.helpers = helpers
        self.lines: list[str] = []
        self.depth = 1
        self.flags = False
        self.byte_bools = False
        self.loads: dict[Buffer, str] = {}
        self.stores: dict[Buffer, str] = {}
        self._names: dict[Any, str] = {}
        self._taken: set[str] = set(RESERVED)
        self._temps = 0
        self.small_locals: set[Expr] = set()
        self._exact: set[Expr] = set()
        self._small_nodes: set[Expr] = set()

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
        return text if IDENTIFIER.match(text) else self.temp(text)

    # -------------------------------------------------------------- values
    def value(self, root: Expr, exact: bool = True) -> Text:
        """The source of an expression; emits names for its shared and its long parts.

        Args:
            exact: int64 sums and products wrap; False for offsets, which never overflow.
        """
        uses: dict[Expr, int] = {}
        order: dict[Expr, None] = {}
        for node in postorder(root):
            if node in order:
                continue
            order[node] = None
            for arg in node.args:
                uses[arg] = uses.get(arg, 0) + 1
        self._exact = exact_nodes(root, exact)
        self._small_nodes = set()
        done: dict[Expr, Text] = {}
        for node in order:
            if is_ring(node) and all(self._is_small(a) for a in node.args):
                self._small_nodes.add(node)
            made = self._node(node, [done[a] for a in node.args])
            if node == root and len(made) > _LINE:
                made = self._node(node, [self._short(done[a]) for a in node.args])
            plain = isinstance(node, Const | Axis | Local | DimValue)
            shared = uses.get(node, 0) > 1 or len(made) > _LONG
            done[node] = self.temp(made) if shared and not plain and node != root else made
        return done[root]

    def _is_small(self, node: Expr) -> bool:
        return small(node, self.small_locals, self._small_nodes)

    def _short(self, text: Text) -> Text:
        return self.temp(text) if len(text) > _LINE // 4 else text

    def offset(self, root: Expr) -> str:
        """An int64 expression where plain integers are at home: in brackets and ranges."""
        return str(root.value) if isinstance(root, Const) else self.value(root, exact=False)

    def constant(self, value: Any, dtype: DType) -> Text:
        if dtype.is_bool:
            return Text(repr(bool(value)))
        kind = type_name(dtype)
        if dtype.is_half and np.isfinite(value):
            value = half_value(value, dtype)
        if not dtype.is_floating:
            return Text(f"{kind}({value})")
        if value != value:
            return Text(f"{kind}(nan)")
        if value in (np.inf, -np.inf):
            return Text(f"{kind}({'-' * (value < 0)}inf)")
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
            return Text(f"where({', '.join(args)})")
        if isinstance(node, Prim):
            return self._prim(node, args)
        raise TypeError(f"a loop nest holds no {type(node).__name__}")

    def _load(self, node: Load, args: list[Text]) -> Text:
        index = node.args[0]
        at = str(index.value) if isinstance(index, Const) else args[0]
        text = bits = f"{self.loads[node.buffer]}[{at}]"
        if node.dtype.is_half:
            text = f"{half('load', node.dtype)}({text})"
        elif node.dtype.is_bool and self.byte_bools:
            text = f"({text} != u8(0))"
        if not node.masked:
            return Text(text, bits=bits)
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
            return Text(f"{f'to_{kind}'}({x})")
        return Text(f"{kind}({x})")

    def _round_half(self, x: Text, source: DType, target: DType) -> Text:
        """The value rounded to a half width, still as f32."""
        if target is source or f"{half('load', target)}({x.bits})" == x:
            return x
        if source.is_bool:
            return Text(f"f32({x})")
        if source.name == "float64" and target.name == "float16":
            x = self._call("to_odd_f32", (x,))
        elif source.compute.name != "float32":
            # bfloat16 by way of f32, as its NumPy type does it
            x = self._call("f32", (x,))
        bits = f"{half('store', target)}({x})"
        return Text(f"{half('load', target)}({bits})", bits=bits)

    def half_bits(self, x: Text, dtype: DType) -> Text:
        """The value's half-width bits, as they go to memory."""
        if f"{half('load', dtype)}({x.bits})" == x:
            return Text(x.bits)
        return self._call(half("store", dtype), (x,))

    # -------------------------------------------------------------- primitives
    def _prim(self, node: Prim, args: list[Text]) -> Text:
        made = self._primitive(node, args)
        if node.dtype.is_half and node.name not in _EXACT:
            return self._round_half(made, float32, node.dtype)
        return made

    def _primitive(self, node: Prim, args: list[Text]) -> Text:
        name, dtype = node.name, node.args[0].dtype
        if is_ring(node) and node in self._exact and node not in self._small_nodes:
            if name == "neg":
                args, name = [self.constant(0, dtype), *args], "sub"
            return self._call(f"wrap_{name}", args)
        if name in ARITHMETIC:
            left, right = self._indices(node, args, terms=name in ("add", "sub"))
            made = self._wrapped(f"{left} {ARITHMETIC[name]} {right}", dtype)
            return Text(made, made.tight, product=name == "mul" and not made.tight)
        if name in _COMPARE:
            left, right = self._indices(node, args)
            return Text(f"{left} {_COMPARE[name]} {right}", tight=False)
        if name in _BITS:
            text = f"{args[0].operand} {_BITS[name]} {args[1].operand}"
            return Text(text, tight=False) if dtype.is_bool else self._wrapped(text, dtype)
        if name in _CALLS or name in RENAMED:
            return self._call(RENAMED.get(name, name), args)
        special = getattr(self, f"_{name}", None)
        if special is not None:
            return special(node, args, dtype)  # type: ignore[no-any-return]
        helper = self.helpers.name_of(node)
        if helper is None:
            raise NotImplementedError(f"the primitive {name!r} on {dtype.name}")
        return Text(f"{helper}({', '.join(args)})")

    def _call(self, function: str, args: Iterable[str]) -> Text:
        return Text(f"{function}({', '.join(args)})")

    def _wrapped(self, text: str, dtype: DType) -> Text:
        """Arithmetic of an integer below 64 bits: Python and Numba would widen it."""
        if dtype.is_integer and dtype.size < 8:
            return Text(f"{type_name(dtype)}({text})")
        return text if isinstance(text, Text) else Text(text, tight=False)

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
        return self._wrapped(Text(f"abs({args[0]})"), dtype)

    def _sign(self, node: Prim, args: list[Text], dtype: DType) -> Text:
        kind, zero, x = type_name(dtype), self.constant(0, dtype), self.atom(args[0])
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
        wide = "u64"
        return Text(f"u32(({wide}({args[0]}) * {wide}({args[1]})) >> {wide}(32))")

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
            x = self.half_bits(x, dtype)
        if node.dtype.is_half:
            return self._call(half("load", node.dtype), (x,))
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
