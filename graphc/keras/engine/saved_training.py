"""What compile was given, and the optimizer's state, in the words of files of several versions.

Lives here: training_config and optimizer_state for writing, compile_from for reading. Not here:
the files (engine/saving.py, engine/hdf5.py). Imports keras.engine.

Files of tf.keras 1.x and 2.x call slots "Adam/dense/kernel/m:0", newer ones
"Adam/m/dense/kernel:0", Keras 2.3 "m_0" and those before it nothing at all: there the order tells.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.keras.core.objects import serialize_object
from graphc.keras.core.session import batch_get_value
from graphc.keras.engine.logs import LONG_NAMES

__all__ = ["compile_from", "optimizer_state", "restore_listed", "training_config"]

State = Sequence[tuple[str, Any]]

# the slots of each optimizer in the order of files; groups in which they take turns
_ORDER: dict[str, tuple[tuple[str, ...], ...]] = {
    "SGD": (("momentum",),), "RMSprop": (("rms",), ("momentum",), ("mg",)),
    "Adagrad": (("accumulator",),), "Adadelta": (("accum_grad",), ("accum_var",)),
    "Adam": (("m",), ("v",), ("vhat",)), "AdamW": (("m", "v"), ("vhat",)),
    "Adamax": (("m",), ("u",)), "Nadam": (("momentum_cache",), ("m",), ("v",)),
    "Ftrl": (("accumulator", "linear"),),
}  # fmt: skip
_STEPS = ("iter", "iteration", "iterations")
# what other versions call them
_OTHERS = {
    "velocity": "rms", "average_gradient": "mg", "accumulated_grad": "accum_grad",
    "accumulated_delta_var": "accum_var", "moment": "momentum", "delta_accumulator": "accum_var",
}  # fmt: skip
# what one version calls as others call something else, by optimizer
_OWN = {
    ("SGD", "m"): "momentum", ("Adamax", "v"): "u", ("RMSprop", "accumulator"): "rms",
    ("Adadelta", "accumulator"): "accum_grad",
}  # fmt: skip
# slots that Keras 3 makes weight by weight
_TOGETHER = ("momentum", "rms", "accumulator", "accum_grad", "accum_var", "m", "v", "u", "linear")
# Keras 3 puts the slot's name behind the weight's: "adam/dense_kernel_momentum"
_BEHIND = {
    "Adam": {"momentum": "m", "velocity": "v", "velocity_hat": "vhat"},
    "AdamW": {"momentum": "m", "velocity": "v", "velocity_hat": "vhat"},
    "Nadam": {"momentum": "m", "velocity": "v"}, "Adamax": {"momentum": "m", "norm": "u"},
    "SGD": {"momentum": "momentum"}, "Adagrad": {"accumulator": "accumulator"},
    "RMSprop": {"velocity": "rms", "momentum": "momentum", "average_gradient": "mg"},
    "Adadelta": {"accumulated_grad": "accum_grad", "accumulated_delta_var": "accum_var"},
    "Ftrl": {"accumulator": "accumulator", "linear": "linear"},
}  # fmt: skip
# tf.keras calls this slot otherwise
_WRITTEN = {("Adamax", "u"): "v"}


# ------------------------------------------------------------------ writing
def training_config(model: Any) -> dict[str, Any] | None:
    """What compile was given, as Keras 2 writes it; None where it cannot be written."""
    given = model._compile_arguments
    if given is None or model.optimizer is None:
        return None
    try:
        config = model.optimizer.get_config()
    except NotImplementedError:
        warnings.warn(
            "TensorFlow optimizers do not make it possible to access optimizer attributes or "
            "optimizer state after instantiation. As a result, we cannot save the optimizer as "
            "part of the model save file.", stacklevel=4,
        )  # fmt: skip
        return None
    name = type(model.optimizer).__name__
    if name == "AdamW":  # there is none among the older optimizers
        config = {k: v for k, v in config.items() if k != "decay"}
        config["is_legacy_optimizer"] = False
    return {
        "optimizer_config": {"class_name": name, "config": config},
        "loss": _written(given["loss"]), "metrics": _written(given["metrics"]),
        "weighted_metrics": _written(given["weighted_metrics"]),
        "sample_weight_mode": given["sample_weight_mode"],
        "loss_weights": given["loss_weights"],
    }  # fmt: skip


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _written(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_written(v) for v in value]
    if isinstance(value, str) and value not in ("acc", "accuracy"):
        return LONG_NAMES.get(value, value)  # readers know the long names better
    made = serialize_object(value)
    if isinstance(made, dict) and made["class_name"] == "MeanMetricWrapper":
        made["config"]["fn"] = serialize_object(value._fn)
    return made


def optimizer_state(model: Any) -> list[tuple[str, Any]]:
    """(name, array) pairs in the order and under the names of tf.keras; [] before training."""
    optimizer = model.optimizer
    kind = type(optimizer).__name__
    waiting = getattr(optimizer._pending, "state", None)
    if waiting is not None:  # loaded, and not trained since
        steps, found = _by_kind(kind, waiting, model.trainable_weights)
        table = {(name, p): a for name, slots in found.items() for p, a in slots.items()}
        return [(f"{kind}/iter:0", steps), *_listed(kind, table)] if table else list(waiting)
    if optimizer._iterations is None:
        return []
    slots = optimizer.weights[1:]
    owners = optimizer._slot_owners
    if all(s in owners for s in slots):
        listed = _listed(kind, {owners[s]: s for s in slots})
    else:  # made by a class of the user's
        listed = [(f"{kind}/{k}/{s.name}", s) for k, s in enumerate(slots)]
    listed.insert(0, (f"{kind}/iter:0", optimizer.iterations))
    return list(zip([n for n, _ in listed], batch_get_value([v for _, v in listed])))


def _listed(kind: str, table: dict[tuple[str, Any], Any]) -> list[tuple[str, Any]]:
    """(name in the file, value) from values by slot and weight."""
    out: list[tuple[str, Any]] = []
    params = list(dict.fromkeys(param for _, param in table))
    groups = _ORDER.get(kind) or tuple((n,) for n in dict.fromkeys(n for n, _ in table))
    for group in groups:
        for name, param in ((n, p) for p in params for n in group if (n, p) in table):
            shown = _WRITTEN.get((kind, name), name)
            path = f"{param.op.name}/{shown}" if param is not None else shown
            out.append((f"{kind}/{path}:0", table[name, param]))
    return out


class _Waiting:
    """The state of a file, for an optimizer whose slots are made later."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __call__(self, optimizer: Any) -> list[Any]:
        return _placed(optimizer, self.state)


# ------------------------------------------------------------------ reading
def compile_from(model: Any, training: dict[str, Any], state: State | None) -> None:
    """Compiles the model as the file says; the optimizer goes on from the state.

    Raises:
        ValueError: unknown names of optimizers, losses or metrics.
    """
    from graphc.keras import optimizers

    settings = training.get("compile_config") or training
    config = settings.get("optimizer_config") or training.get("optimizer_config") or (
        settings.get("optimizer")
    )  # fmt: skip
    optimizer = optimizers.get(_optimizer_config(config))
    metrics, weighted = (
        _metrics(settings.get(k), getattr(model, "output_names", ()))
        for k in ("metrics", "weighted_metrics")
    )
    model.compile(
        optimizer, loss=_read(settings.get("loss")), metrics=metrics,
        loss_weights=settings.get("loss_weights"),
        sample_weight_mode=settings.get("sample_weight_mode"), weighted_metrics=weighted,
    )  # fmt: skip
    if state and hasattr(optimizer, "restore_later"):
        optimizer.restore_later(_Waiting(state))


def restore_listed(model: Any, arrays: list[Any]) -> None:
    """The optimizer goes on from arrays in Keras 3's order: each weight's slots together."""
    optimizer = model.optimizer
    kind, params = type(optimizer).__name__, model.trainable_weights
    turns = [n for group in _ORDER.get(kind, ()) for n in group if n in _TOGETHER]
    if not arrays or not hasattr(optimizer, "restore_later"):
        return
    names = [f"{kind}/{p.op.name}/{n}:0" for p in params for n in turns]
    if getattr(optimizer, "amsgrad", False):  # the greatest means so far stand at the end
        names += [f"{kind}/{p.op.name}/vhat:0" for p in params]
    # in front of the slots stand the number of updates and perhaps the learning rate
    slots = arrays[max(len(arrays) - len(names), 1) :]
    optimizer.restore_later(_Waiting([("iteration:0", arrays[0]), *zip(names, slots)]))


def _optimizer_config(config: Any) -> Any:
    """Settings of other versions in ours."""
    if not isinstance(config, dict):
        return config
    name = str(config.get("class_name", "")).rpartition(">")[2]
    inner = dict(config.get("config") or {})
    if not inner.get("use_ema", False):
        for key in ("use_ema", "ema_momentum", "ema_overwrite_frequency"):
            inner.pop(key, None)
    if inner.get("weight_decay", 0) is None:
        inner.pop("weight_decay")
    if name.lower() == "nadam" and "schedule_decay" not in inner:
        # tf.keras calls it decay; since 2.11 the number of the update itself is the exponent
        inner["schedule_decay"] = inner.pop("decay", 1.0)
    return {**config, "config": inner}


def _metrics(value: Any, outputs: Sequence[str]) -> Any:
    """Metrics; where there are several outputs, without the output's name that is put in front."""
    if isinstance(value, list) and len(value) == len(outputs) > 1:
        return [_read(v, name) for v, name in zip(value, outputs)]
    return _read(value)


def _read(value: Any, output: str = "") -> Any:
    """Names and configurations of losses and metrics, in lists and dicts."""
    from graphc.keras import losses, metrics

    if isinstance(value, dict) and "class_name" in value:
        inner = dict(value.get("config") or {})
        if output and str(inner.get("name", "")).startswith(f"{output}_"):
            inner["name"] = inner["name"].removeprefix(f"{output}_")
        if value["class_name"] == "MeanMetricWrapper":
            return _wrapped(inner)
        inner.pop("fn", None)
        for kind in (losses, metrics):
            try:
                return _made(kind, {**value, "config": inner})
            except ValueError as err:
                if kind is metrics or "Unknown" not in str(err):
                    raise
    if isinstance(value, dict):
        return {k: _read(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_read(v, output) for v in value]
    return value


def _wrapped(config: dict[str, Any]) -> Any:
    """The mean of a function, by its name where compile takes that."""
    from graphc.keras import metrics

    name, fn = config.get("name"), config.get("fn")
    if set(config) <= {"name", "fn", "dtype"} and (
        name in ("acc", "accuracy") or fn == LONG_NAMES.get(str(name), name)
    ):
        return name
    return metrics.MeanMetricWrapper(**{**config, "fn": metrics.get(fn)})


def _made(kind: Any, config: dict[str, Any]) -> Any:
    """A loss or a metric; arguments of other versions are left out where they are off."""
    while True:
        try:
            return kind.get(config)
        except TypeError as err:
            key = str(err).partition("unexpected keyword argument ")[2].strip("'\"")
            inner = config["config"]
            if key not in inner or inner[key] not in (None, False):
                raise
            config = {**config, "config": {k: v for k, v in inner.items() if k != key}}


def _placed(optimizer: Any, state: State) -> list[Any]:
    """The arrays of the file for `optimizer.weights`; with a warning those that are there now."""
    slots = optimizer.weights[1:]
    if not all(s in optimizer._slot_owners for s in slots):
        return _checked(optimizer, [a for _, a in state])
    owners = [optimizer._slot_owners[s] for s in slots]
    steps, table = _by_kind(type(optimizer).__name__, state, [p for _, p in owners])
    values: list[Any] = [steps]
    for kind, param in owners:
        found = table.get(kind, {}).get(param)
        if found is None and kind == "momentum_cache":
            found = _momentum_cache(optimizer, int(steps))
        values.append(found)
    return _checked(optimizer, values)


def _checked(optimizer: Any, values: list[Any]) -> list[Any]:
    """The values, or where one of them does not fit those that are there."""
    variables = optimizer.weights
    shapes = [tuple(v.shape.as_list()) for v in variables]
    given = [None if v is None else tuple(np.shape(v)) for v in values]
    if shapes == given:
        return values
    wrong = next((v.name for v, s, g in zip(variables, shapes, given) if s != g), "more slots")
    warnings.warn(
        "Error in loading the saved optimizer state. As a result, your model is starting with a "
        f"freshly initialized optimizer. ({wrong} is not in the file, or has another shape there.)",
        stacklevel=2,
    )
    return optimizer.get_weights()  # type: ignore[no-any-return]


def _by_kind(
    optimizer: str, state: State, owners: list[Any]
) -> tuple[Any, dict[str, dict[Any, Any]]]:
    """(number of updates, arrays by slot and weight)."""
    params = [p for p in dict.fromkeys(owners) if p is not None]
    rest = list(state)
    steps: Any = np.int64(0)
    if rest and (_kind(optimizer, rest[0][0])[0] == "iter" or _is_count(rest[0][1])):
        steps = np.int64(rest.pop(0)[1])
    rest = [(n, a) for n, a in rest if n.rpartition("/")[2] not in ("learning_rate", "u_product")]
    named = [(*_kind(optimizer, name), array) for name, array in rest]
    if not all(kind for kind, _, _ in named):
        named = _ordered(optimizer, [a for _, a in rest], len(params))
    table: dict[str, dict[Any, Any]] = {}
    for kind in dict.fromkeys(k for k, _, _ in named):
        found = [(path, array) for k, path, array in named if k == kind]
        if kind == "momentum_cache":
            table[kind] = {None: found[0][1]}
            continue
        paths = dict(found)
        if len(paths) == len(found) and all(p.op.name in paths for p in params):
            table[kind] = {p: paths[p.op.name] for p in params}
        else:
            table[kind] = dict(zip(params, [a for _, a in found]))
    return steps, table


def _is_count(array: Any) -> bool:
    return np.ndim(array) == 0 and np.asarray(array).dtype.kind in "iu"


def _kind(optimizer: str, name: str) -> tuple[str, str]:
    """(slot, weight) of a name in a file; the slot is "" where the name does not tell."""
    parts = name.rpartition(":")[0].split("/") if ":" in name else name.split("/")
    known = {k for group in _ORDER.get(optimizer, ()) for k in group}

    def ours(word: str) -> str:
        word = re.sub(r"_\d+$", "", word)
        word = _OWN.get((optimizer, word), _OTHERS.get(word, word))
        return word if word in known else ""

    if re.sub(r"_\d+$", "", parts[-1]) in _STEPS:
        return "iter", ""
    for at in (len(parts) - 1, 1):
        if at < len(parts) and ours(parts[at]):
            front = [p for p in parts[:at] if p not in ("training", optimizer)]
            return ours(parts[at]), "/".join([*front, *parts[at + 1 :]])
    behind = _BEHIND.get(optimizer, {})
    for slot in sorted(behind, key=len, reverse=True):
        if parts[-1].endswith(f"_{slot}"):
            return behind[slot], parts[-1].removesuffix(f"_{slot}")
    return "", ""


def _ordered(optimizer: str, arrays: list[Any], count: int) -> list[tuple[str, str, Any]]:
    """The arrays of the oldest files: all weights' first slots, all second ones and so on."""
    kinds = [k for group in _ORDER.get(optimizer, ()) for k in group if k != "momentum_cache"]
    return [
        (kind, "", array)
        for k, kind in enumerate(kinds)
        for array in arrays[k * count : (k + 1) * count]
    ]


def _momentum_cache(optimizer: Any, steps: int) -> Any:
    """Nadam's product of momenta, which not all files hold."""
    t = np.arange(1, steps + 1, dtype=np.float64)
    momenta = optimizer.beta_1 * (1.0 - 0.5 * 0.96 ** (t * optimizer.schedule_decay))
    return np.float32(np.prod(momenta))
