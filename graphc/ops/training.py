"""Apply ops of optimizers: state ops whose updates are pure, so that each becomes one kernel.

Lives here: apply_* and sparse_apply_* records, first_occurrence for duplicate rows. Not here: the
optimizer classes (tf1/optimizers.py). Imports ops.define.

Each rule is written once, on a variable or on some of its rows: the sparse op gathers the rows of
the variable and its slots, applies the same rule and writes the rows back. Inputs come in the order
of TF1's ops, so that graphs read the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.dtypes import FLOAT, DType, int32, int64
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import Shape, merge_shapes
from graphc.ops.define import F, InferContext, OpDef, host, state
from graphc.ops.samples import fixed, sample

Rule = Callable[..., tuple[Tensor, ...]]
INDEX = (int32, int64)


# ------------------------------------------------------------------ rows of sparse gradients
def _first_occurrence(ids: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int32)


first_occurrence = host(
    "first_occurrence", tf="_FirstOccurrence", args=("ids",), dtypes={"T": INDEX},
    infer=lambda ctx: TensorType(int32, ctx.shape(0)), numpy=_first_occurrence,
    nograd="positions are integers", default_name="FirstOccurrence",
    samples=(sample(fixed([3, 1, 3, 1, 2], int32), grad=False, dtypes=(int32,)),),
)  # fmt: skip


def summed_once(values: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of equal id summed at the first of them, zeros at the others; and the positions.

    Unlike tf.unique this keeps the number of rows, which a plan needs to know beforehand.
    """
    first = F.first_occurrence(ids)
    rows = F.gather(F.shape(ids), 0, axis=0, batch_dims=0)
    return F.unsorted_segment_sum(values, first, rows), first


def row_totals(values: Tensor, ids: Tensor) -> Tensor:
    """Every row replaced by the sum of all rows with its id."""
    once, first = summed_once(values, ids)
    return F.gather(once, first, axis=0, batch_dims=0)


def _rows(x: Tensor, ids: Tensor) -> Tensor:
    return F.gather(x, ids, axis=0, batch_dims=0)


def _with_rows(x: Tensor, ids: Tensor, rows: Tensor) -> Tensor:
    return F.tensor_scatter_update(x, F.expand_dims(ids, axis=1), rows)


def _plus_rows(x: Tensor, ids: Tensor, rows: Tensor) -> Tensor:
    return F.tensor_scatter_add(x, F.expand_dims(ids, axis=1), rows)


# ------------------------------------------------------------------ records from rules
def _define(
    name: str, tf: str, args: str, refs: int, rule: Rule, sparse: Rule | None = None
) -> tuple[OpDef, OpDef]:
    """apply_<name> and sparse_apply_<name>.

    Args:
        args: names of the inputs; the first `refs` are the variable and its slots; "grad" or
            "delta" is the gradient. rule: called by these names; gives the new refs.
        sparse: the rule of the sparse op where it is not the same on rows; takes `ids` too.
    """
    names = tuple(args.split())
    groups: tuple[Any, ...] = tuple(int64 if n == "global_step" else "T" for n in names)
    at = names.index("delta" if "delta" in names else "grad")

    def dense_type(ctx: InferContext) -> TensorType:
        return _checked(ctx, refs, ctx.shape(at))

    def sparse_type(ctx: InferContext) -> TensorType:
        grad, var = ctx.shape(at), ctx.shape(0)
        if grad is None or var is None:
            return _checked(ctx, refs, None)
        return _checked(ctx, refs, (*var[:1], *grad[1:]))

    def dense_update(node: Node, *inputs: Tensor) -> tuple[Tensor, ...]:
        return rule(**dict(zip(names, inputs, strict=True)), **node.attrs)

    def sparse_update(node: Node, *inputs: Tensor) -> tuple[Tensor, ...]:
        *values, ids = inputs
        given = dict(zip(names, values, strict=True))
        if sparse is not None:
            return sparse(**given, ids=ids, **node.attrs)
        for n in names[:refs]:
            given[n] = _rows(given[n], ids)
        given[names[at]] = row_totals(given[names[at]], ids)
        new = rule(**given, **node.attrs)
        return tuple(_with_rows(x, ids, r) for x, r in zip(inputs, new, strict=False))

    numbers = tuple(range(refs))
    dense = state(
        f"apply_{name}", tf=f"Apply{tf}", refs=numbers, args=names, groups=groups,
        dtypes={"T": FLOAT}, infer=dense_type, update=dense_update,
    )  # fmt: skip
    rows = state(
        f"sparse_apply_{name}", tf=f"SparseApply{tf}", refs=numbers, args=(*names, "indices"),
        groups=(*groups, "Tindices"), dtypes={"T": FLOAT, "Tindices": INDEX}, infer=sparse_type,
        update=sparse_update,
    )  # fmt: skip
    return dense, rows


def _checked(ctx: InferContext, refs: int, grad: Shape) -> TensorType:
    """The variable's type; ShapeError where slots or the gradient differ in shape."""
    shape = ctx.shape(0)
    try:
        for i in range(1, refs):
            shape = merge_shapes(shape, ctx.shape(i))
        shape = merge_shapes(shape, grad)
    except ValueError as err:
        raise ctx.fail(str(err)) from None
    dtype: DType = ctx.dtype(0)
    return TensorType(dtype, shape)


# ------------------------------------------------------------------ rules
def _gradient_descent(var: Tensor, alpha: Tensor, delta: Tensor) -> tuple[Tensor, ...]:
    return (var - alpha * delta,)


def _gradient_descent_rows(
    var: Tensor, alpha: Tensor, delta: Tensor, ids: Tensor
) -> tuple[Tensor, ...]:
    # a sum needs no joining of duplicates
    return (_plus_rows(var, ids, -(alpha * delta)),)


def _shrink(prox: Tensor, lr: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
    """The proximal step of l1 and l2 (FOBOS): soft threshold, then scale."""
    soft = F.sign(prox) * F.maximum(F.abs(prox) - lr * l1, F.zeros_like(prox))
    return soft / (1 + l2 * lr)


def _proximal_gradient_descent(
    var: Tensor, alpha: Tensor, l1: Tensor, l2: Tensor, delta: Tensor
) -> tuple[Tensor, ...]:
    return (_shrink(var - alpha * delta, alpha, l1, l2),)


def _momentum(
    var: Tensor, accum: Tensor, lr: Tensor, grad: Tensor, momentum: Tensor, use_nesterov: bool
) -> tuple[Tensor, ...]:
    accum = accum * momentum + grad
    if use_nesterov:
        return var - (grad * lr + accum * momentum * lr), accum
    return var - accum * lr, accum


def _adagrad(var: Tensor, accum: Tensor, lr: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
    accum = accum + F.square(grad)
    return var - grad * lr * F.rsqrt(accum), accum


def _proximal_adagrad(
    var: Tensor, accum: Tensor, lr: Tensor, l1: Tensor, l2: Tensor, grad: Tensor
) -> tuple[Tensor, ...]:
    accum = accum + F.square(grad)
    rate = lr * F.rsqrt(accum)
    return _shrink(var - grad * rate, rate, l1, l2), accum


def _adagrad_da(
    var: Tensor,
    gradient_accumulator: Tensor,
    gradient_squared_accumulator: Tensor,
    grad: Tensor,
    lr: Tensor,
    l1: Tensor,
    l2: Tensor,
    global_step: Tensor,
) -> tuple[Tensor, ...]:
    total = gradient_accumulator + grad
    squares = gradient_squared_accumulator + F.square(grad)
    step = F.cast(global_step, dtype=var.dtype)
    soft = F.sign(total) * F.maximum(F.abs(total) - l1 * step, F.zeros_like(total))
    return -(lr * soft) / (l2 * step * lr + F.sqrt(squares)), total, squares


def _adadelta(
    var: Tensor,
    accum: Tensor,
    accum_update: Tensor,
    lr: Tensor,
    rho: Tensor,
    epsilon: Tensor,
    grad: Tensor,
) -> tuple[Tensor, ...]:
    accum = accum * rho + F.square(grad) * (1 - rho)
    update = F.sqrt(accum_update + epsilon) * F.rsqrt(accum + epsilon) * grad
    new_update = accum_update * rho + F.square(update) * (1 - rho)
    return var - update * lr, accum, new_update


def _rms_prop(
    var: Tensor,
    ms: Tensor,
    mom: Tensor,
    lr: Tensor,
    rho: Tensor,
    momentum: Tensor,
    epsilon: Tensor,
    grad: Tensor,
) -> tuple[Tensor, ...]:
    ms = ms + (F.square(grad) - ms) * (1 - rho)
    mom = mom * momentum + grad * lr * F.rsqrt(ms + epsilon)
    return var - mom, ms, mom


def _centered_rms_prop(
    var: Tensor,
    mg: Tensor,
    ms: Tensor,
    mom: Tensor,
    lr: Tensor,
    rho: Tensor,
    momentum: Tensor,
    epsilon: Tensor,
    grad: Tensor,
) -> tuple[Tensor, ...]:
    ms = ms + (F.square(grad) - ms) * (1 - rho)
    mg = mg + (grad - mg) * (1 - rho)
    spread = (ms - F.square(mg)) + epsilon
    mom = mom * momentum + grad * lr * F.rsqrt(spread)
    return var - mom, mg, ms, mom


def _adam_rate(lr: Tensor, beta1_power: Tensor, beta2_power: Tensor) -> Tensor:
    return lr * F.sqrt(1 - beta2_power) / (1 - beta1_power)


def _adam(
    var: Tensor,
    m: Tensor,
    v: Tensor,
    beta1_power: Tensor,
    beta2_power: Tensor,
    lr: Tensor,
    beta1: Tensor,
    beta2: Tensor,
    epsilon: Tensor,
    grad: Tensor,
    use_nesterov: bool,
) -> tuple[Tensor, ...]:
    rate = _adam_rate(lr, beta1_power, beta2_power)
    m = m + (grad - m) * (1 - beta1)
    v = v + (F.square(grad) - v) * (1 - beta2)
    step = m * beta1 + (1 - beta1) * grad if use_nesterov else m
    return var - (step * rate) / (F.sqrt(v) + epsilon), m, v


def _adam_rows(
    var: Tensor,
    m: Tensor,
    v: Tensor,
    beta1_power: Tensor,
    beta2_power: Tensor,
    lr: Tensor,
    beta1: Tensor,
    beta2: Tensor,
    epsilon: Tensor,
    grad: Tensor,
    ids: Tensor,
    use_nesterov: bool,
) -> tuple[Tensor, ...]:
    """As for a dense gradient with zeros elsewhere: all of m and v decay (semantics 35)."""
    once, _ = summed_once(grad, ids)
    rate = _adam_rate(lr, beta1_power, beta2_power)
    m = _plus_rows(m * beta1, ids, once * (1 - beta1))
    v = _plus_rows(v * beta2, ids, F.square(once) * (1 - beta2))
    bar = F.sqrt(v) + epsilon
    if not use_nesterov:
        return var - rate * m / bar, m, v
    step = _plus_rows(m * beta1, ids, once * (1 - beta1))
    return var - rate * step / bar, m, v


def _add_sign(
    var: Tensor,
    m: Tensor,
    lr: Tensor,
    alpha: Tensor,
    sign_decay: Tensor,
    beta: Tensor,
    grad: Tensor,
) -> tuple[Tensor, ...]:
    m = m * beta + grad * (1 - beta)
    factor = alpha + sign_decay * (F.sign(grad) * F.sign(m))
    return var - lr * factor * grad, m


def _power_sign(
    var: Tensor,
    m: Tensor,
    lr: Tensor,
    logbase: Tensor,
    sign_decay: Tensor,
    beta: Tensor,
    grad: Tensor,
) -> tuple[Tensor, ...]:
    m = m * beta + grad * (1 - beta)
    factor = F.exp(logbase * sign_decay * (F.sign(grad) * F.sign(m)))
    return var - lr * factor * grad, m


def _adamax(
    var: Tensor,
    m: Tensor,
    v: Tensor,
    beta1_power: Tensor,
    lr: Tensor,
    beta1: Tensor,
    beta2: Tensor,
    epsilon: Tensor,
    grad: Tensor,
) -> tuple[Tensor, ...]:
    m = m + (grad - m) * (1 - beta1)
    v = F.maximum(beta2 * v, F.abs(grad))
    return var - lr / (1 - beta1_power) * (m / (v + epsilon)), m, v


def _ftrl(
    var: Tensor,
    accum: Tensor,
    linear: Tensor,
    grad: Tensor,
    lr: Tensor,
    l1: Tensor,
    l2: Tensor,
    l2_shrinkage: Tensor,
    lr_power: Tensor,
) -> tuple[Tensor, ...]:
    shrunk = grad + 2 * l2_shrinkage * var
    new_accum = accum + F.square(grad)
    power = F.pow(new_accum, -lr_power)
    linear = linear + shrunk - (power - F.pow(accum, -lr_power)) / lr * var
    quadratic = power / lr + 2 * l2
    step = (F.sign(linear) * l1 - linear) / quadratic
    return F.select(F.greater(F.abs(linear), l1), step, F.zeros_like(step)), new_accum, linear


def _ftrl_v1(lr_power: Tensor, l2: Tensor, **given: Tensor) -> tuple[Tensor, ...]:
    return _ftrl(l2_shrinkage=F.zeros_like(l2), l2=l2, lr_power=lr_power, **given)


apply_gradient_descent, sparse_apply_gradient_descent = _define(
    "gradient_descent", "GradientDescent", "var alpha delta", 1, _gradient_descent,
    _gradient_descent_rows,
)  # fmt: skip
apply_proximal_gradient_descent, sparse_apply_proximal_gradient_descent = _define(
    "proximal_gradient_descent", "ProximalGradientDescent", "var alpha l1 l2 delta", 1,
    _proximal_gradient_descent,
)  # fmt: skip
apply_momentum, sparse_apply_momentum = _define(
    "momentum", "Momentum", "var accum lr grad momentum", 2, _momentum
)
apply_adagrad, sparse_apply_adagrad = _define(
    "adagrad", "Adagrad", "var accum lr grad", 2, _adagrad
)
apply_proximal_adagrad, sparse_apply_proximal_adagrad = _define(
    "proximal_adagrad", "ProximalAdagrad", "var accum lr l1 l2 grad", 2, _proximal_adagrad
)
apply_adagrad_da, sparse_apply_adagrad_da = _define(
    "adagrad_da", "AdagradDA",
    "var gradient_accumulator gradient_squared_accumulator grad lr l1 l2 global_step", 3,
    _adagrad_da,
)  # fmt: skip
apply_adadelta, sparse_apply_adadelta = _define(
    "adadelta", "Adadelta", "var accum accum_update lr rho epsilon grad", 3, _adadelta
)
apply_rms_prop, sparse_apply_rms_prop = _define(
    "rms_prop", "RMSProp", "var ms mom lr rho momentum epsilon grad", 3, _rms_prop
)
apply_centered_rms_prop, sparse_apply_centered_rms_prop = _define(
    "centered_rms_prop", "CenteredRMSProp", "var mg ms mom lr rho momentum epsilon grad", 4,
    _centered_rms_prop,
)  # fmt: skip
apply_adam, sparse_apply_adam = _define(
    "adam", "Adam", "var m v beta1_power beta2_power lr beta1 beta2 epsilon grad", 3, _adam,
    _adam_rows,
)  # fmt: skip
# tf.contrib.opt.LazyAdamOptimizer: rows without a gradient keep m and v
apply_lazy_adam, sparse_apply_lazy_adam = _define(
    "lazy_adam",
    "LazyAdam",
    "var m v beta1_power beta2_power lr beta1 beta2 epsilon grad",
    3,
    _adam,
)
apply_add_sign, sparse_apply_add_sign = _define(
    "add_sign", "AddSign", "var m lr alpha sign_decay beta grad", 2, _add_sign
)
apply_power_sign, sparse_apply_power_sign = _define(
    "power_sign", "PowerSign", "var m lr logbase sign_decay beta grad", 2, _power_sign
)
apply_adamax, sparse_apply_adamax = _define(
    "adamax", "AdaMax", "var m v beta1_power lr beta1 beta2 epsilon grad", 3, _adamax
)
apply_ftrl, sparse_apply_ftrl = _define(
    "ftrl", "Ftrl", "var accum linear grad lr l1 l2 lr_power", 3, _ftrl_v1
)
apply_ftrl_v2, sparse_apply_ftrl_v2 = _define(
    "ftrl_v2", "FtrlV2", "var accum linear grad lr l1 l2 l2_shrinkage lr_power", 3, _ftrl
)
