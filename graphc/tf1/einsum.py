"""tf.einsum and tf.tensordot, by transposes, reshapes, products and sums.

Lives here: the reading of an einsum equation and its evaluation two operands at a time. Not here:
the matrix product itself (ops/matmul.py). Imports ops.

A pair of operands is multiplied with labels in four classes: in both and wanted later (batch), in
both and not (contracted), wanted and in one (free), in one and not wanted (summed beforehand). With
free and contracted labels that is a batched matrix product; without, a product and a sum.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dtypes import int32
from graphc.ir.node import Tensor
from graphc.ops.convert import convert_to_tensor, is_tensor_like
from graphc.ops.define import F
from graphc.ops.extents import axes_last
from graphc.ops.joining import axis_extent
from graphc.ops.matmul import DTYPES

__all__ = ["einsum", "tensordot"]

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Term:
    """An operand and the label of each of its axes."""

    tensor: Tensor
    labels: Labels


# ------------------------------------------------------------------ reading the equation
def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """The sum of products that an equation like "bij,bjk->bik" names.

    Takes NumPy's notation: repeated labels (diagonals), an ellipsis for leading axes that
    broadcast, and an output that is left out (labels that occur once, in alphabetical order).

    Raises:
        ValueError: an equation that does not fit the operands.
    """
    name = kwargs.pop("name", None)
    kwargs.pop("optimize", None)
    if kwargs:
        raise TypeError(f"invalid keyword arguments for this function: {', '.join(kwargs)}")
    if len(inputs) == 1 and isinstance(inputs[0], list | tuple):
        inputs = tuple(inputs[0])
    tensors = _operands(inputs)
    with tensors[0].graph.name_scope(name or "einsum"):
        parts, output = _parse(equation, tensors)
        return _contract(parts, output)


def _operands(inputs: Sequence[Any]) -> list[Tensor]:
    like = next((convert_to_tensor(v).dtype for v in inputs if is_tensor_like(v)), None)
    out: list[Tensor] = []
    for value in inputs:
        out.append(convert_to_tensor(value, like))
        like = like or out[0].dtype
    if not out:
        raise ValueError("einsum needs at least one operand")
    return out


def _parse(equation: str, tensors: Sequence[Tensor]) -> tuple[list[Term], Labels]:
    text = equation.replace(" ", "")
    if not re.fullmatch(r"[a-zA-Z,.]*(->[a-zA-Z.]*)?", text):
        raise ValueError(f"Indices have incorrect format: {equation}")
    left, arrow, right = text.partition("->")
    specs = left.split(",")
    if len(specs) != len(tensors):
        raise ValueError(
            f'Expected {len(specs)} arguments for equation "{equation}" but got {len(tensors)}'
        )
    parts = [Term(t, _labels(s, t, equation)) for s, t in zip(specs, tensors, strict=True)]
    dots = max((sum(x.startswith(".") for x in p.labels) for p in parts), default=0)
    if not arrow:
        counts = Counter("".join(s.replace("...", "") for s in specs))
        right = "..." * (dots > 0) + "".join(sorted(c for c in counts if counts[c] == 1))
    output = _output(right, dots, equation)
    known = {label for p in parts for label in p.labels}
    for label in output:
        if label not in known:
            raise ValueError(f"Unknown output label {label!r} in equation {equation!r}")
    if len(set(output)) != len(output):
        raise ValueError(f"Output subscripts contain a label appearing more than once: {equation}")
    return parts, output


def _labels(spec: str, tensor: Tensor, equation: str) -> Labels:
    """One label an axis; axes of an ellipsis are numbered from the right: ".2", ".1"."""
    if spec.count(".") not in (0, 3) or (spec.count(".") == 3 and "..." not in spec):
        raise ValueError(f"Invalid ellipsis in equation {equation!r}")
    head, dots, tail = spec.partition("...")
    if not dots:
        if tensor.rank is not None and tensor.rank != len(spec):
            raise ValueError(
                f"Shape must be rank {len(spec)} but is rank {tensor.rank} in equation {equation!r}"
            )
        return tuple(spec)
    if tensor.rank is None:
        raise ValueError(f"An ellipsis needs operands of known rank: {equation!r}")
    count = tensor.rank - len(head) - len(tail)
    if count < 0:
        raise ValueError(f"Operand of shape {tensor.shape} has too few axes for {spec!r}")
    return (*head, *(f".{n}" for n in range(count, 0, -1)), *tail)


def _output(right: str, dots: int, equation: str) -> Labels:
    if right.count(".") not in (0, 3) or (right.count(".") == 3 and "..." not in right):
        raise ValueError(f"Invalid ellipsis in equation {equation!r}")
    head, ellipsis, tail = right.partition("...")
    middle = tuple(f".{n}" for n in range(dots, 0, -1)) if ellipsis else ()
    return (*head, *middle, *tail)


# ------------------------------------------------------------------ evaluation
def _contract(parts: Sequence[Term], output: Labels) -> Tensor:
    terms = [_without_repeats(p) for p in parts]
    total = terms[0]
    for at, term in enumerate(terms[1:], 1):
        later = set(output).union(*(t.labels for t in terms[at + 1 :]))
        total = _pair(total, term, later)
    total = _summed(total, set(output))
    return _arranged(total, output)


def _without_repeats(term: Term) -> Term:
    """A label twice in one operand takes the diagonal of its two axes."""
    while len(set(term.labels)) < len(term.labels):
        label = next(x for x, n in Counter(term.labels).items() if n > 1)
        first = term.labels.index(label)
        second = term.labels.index(label, first + 1)
        perm = axes_last(len(term.labels), (first, second))
        diagonal = F.matrix_diag_part(F.transpose(term.tensor, perm=perm))
        term = Term(diagonal, (*(term.labels[a] for a in perm[:-2]), label))
    return term


def _summed(term: Term, keep: set[str]) -> Term:
    """Labels that nobody wants are summed away."""
    gone = tuple(a for a, label in enumerate(term.labels) if label not in keep)
    if not gone:
        return term
    kept = tuple(label for label in term.labels if label in keep)
    return Term(F.reduce_sum(term.tensor, axes=gone, keepdims=False), kept)


def _arranged(term: Term, order: Labels) -> Tensor:
    """The tensor with its axes in the order of the labels, all of which it has."""
    if term.labels == order:
        return term.tensor
    return F.transpose(term.tensor, perm=tuple(term.labels.index(label) for label in order))


def _pair(a: Term, b: Term, later: set[str]) -> Term:
    a = _summed(a, later.union(b.labels))
    b = _summed(b, later.union(a.labels))
    shared = [x for x in a.labels if x in b.labels]
    batch = tuple(x for x in shared if x in later)
    contracted = tuple(x for x in shared if x not in later)
    free_a = tuple(x for x in a.labels if x not in shared)
    free_b = tuple(x for x in b.labels if x not in shared)
    stretched = any(x.startswith(".") for x in contracted)
    product_of_matrices = contracted and (free_a or free_b) and not stretched
    if product_of_matrices and a.tensor.dtype in DTYPES:
        return _by_matmul(a, b, batch, contracted, free_a, free_b)
    return _by_multiply(a, b, (*batch, *free_a, *free_b), contracted)


def _by_multiply(a: Term, b: Term, kept: Labels, contracted: Labels) -> Term:
    order = (*kept, *contracted)
    value = F.multiply(_spread(a, order), _spread(b, order))
    return _summed(Term(value, order), set(kept))


def _spread(term: Term, order: Labels) -> Tensor:
    """The axes in the given order, with axes of extent one for the labels that are missing."""
    mine = tuple(label for label in order if label in term.labels)
    x = _arranged(term, mine)
    for at, label in enumerate(order):
        if label not in mine:
            x = F.expand_dims(x, axis=at)
    return x


def _by_matmul(
    a: Term, b: Term, batch: Labels, contracted: Labels, free_a: Labels, free_b: Labels
) -> Term:
    left = _merged(_arranged(a, (*batch, *free_a, *contracted)), len(batch), len(free_a))
    # the right side may stand either way round: the product takes it transposed
    turned = b.labels == (*batch, *free_b, *contracted) and len(free_b) > 0
    order = (*batch, *free_b, *contracted) if turned else (*batch, *contracted, *free_b)
    split = len(free_b) if turned else len(contracted)
    right = _merged(_arranged(b, order), len(batch), split)
    value = F.matmul(left, right, transpose_a=False, transpose_b=turned)
    if len(free_a) == 1 and len(free_b) == 1:
        return Term(value, (*batch, *free_a, *free_b))
    head = [axis_extent(value, n) for n in range(len(batch))]
    sizes = [
        axis_extent(t.tensor, t.labels.index(x)) for t, free in ((a, free_a), (b, free_b))
        for x in free
    ]  # fmt: skip
    return Term(_shaped(value, [*head, *sizes]), (*batch, *free_a, *free_b))


def _merged(x: Tensor, head: int, split: int) -> Tensor:
    """(head axes..., all of the next `split` axes as one, all that remain as one)."""
    assert x.rank is not None or split >= 0
    rank = x.rank
    if rank is not None and split == 1 and rank == head + 2:
        return x
    shape, one = F.shape(x), np.array([1], np.int32)

    def run(first: int, behind: int | None) -> Tensor:
        end = one * (behind if behind is not None else 0)
        return F.strided_slice(shape, one * first, end, one, end_mask=int(behind is None))

    parts = [run(0, head)] if head else []
    for first, behind in ((head, head + split), (head + split, None)):
        parts.append(F.reduce_prod(run(first, behind), axes=(0,), keepdims=True))
    return F.reshape(x, F.concat(*parts, axis=0))


def _shaped(x: Tensor, sizes: Sequence[Tensor]) -> Tensor:
    if not sizes:
        return F.reshape(x, np.zeros(0, np.int32))
    return F.reshape(x, F.stack(*sizes, axis=0))


# ------------------------------------------------------------------ tensordot
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """The sum of products over pairs of axes.

    Args:
        axes: a number n (the last n axes of `a` with the first n of `b`), or a pair of axes or of
            lists of axes.

    Raises:
        ValueError: axes that do not pair, or operands of unknown rank.
    """
    like = convert_to_tensor(a).dtype if is_tensor_like(a) or not is_tensor_like(b) else None
    right = convert_to_tensor(b, like if not is_tensor_like(b) else None)
    left = convert_to_tensor(a, right.dtype if not is_tensor_like(a) else None)
    if left.rank is None or right.rank is None:
        raise ValueError("tensordot needs operands of known rank")
    first, second = _axis_pairs(axes, left.rank, right.rank)
    with left.graph.name_scope(name or "Tensordot"):
        labels_a = [f"a{n}" for n in range(left.rank)]
        labels_b = [f"b{n}" for n in range(right.rank)]
        for x, y in zip(first, second, strict=True):
            labels_b[y] = labels_a[x]
        shared = {labels_a[x] for x in first}
        output = tuple(x for x in (*labels_a, *labels_b) if x not in shared)
        return _contract([Term(left, tuple(labels_a)), Term(right, tuple(labels_b))], output)


def _axis_pairs(axes: Any, rank_a: int, rank_b: int) -> tuple[list[int], list[int]]:
    if is_tensor_like(axes):
        from graphc.ops.values import value_of

        known = value_of(convert_to_tensor(axes, int32))
        if known is None:
            raise ValueError("tensordot: axes must be known when the graph is built")
        axes = known.tolist()
    if isinstance(axes, int | np.integer):
        if axes < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {axes}.")
        if axes > min(rank_a, rank_b):
            raise ValueError(
                f"`axes` must not be larger than the number of dimensions of tensor, got {axes}"
            )
        return list(range(rank_a - axes, rank_a)), list(range(axes))
    if len(axes) != 2:
        raise ValueError("'axes' must be an integer or have length 2.")
    first, second = ([int(x) for x in np.atleast_1d(part)] for part in axes)
    if len(first) != len(second):
        raise ValueError(
            f"Different number of contraction axes 'a' and 'b', {len(first)} != {len(second)}."
        )
    return [x % rank_a for x in first], [x % rank_b for x in second]
