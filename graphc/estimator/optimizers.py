"""Optimizers by name, as the models that are there already take them.

Lives here: optimizer_of. Imported by the models.
"""

from __future__ import annotations

from typing import Any

_NAMES = {
    "Adagrad": "AdagradOptimizer", "Adam": "AdamOptimizer", "Ftrl": "FtrlOptimizer",
    "RMSProp": "RMSPropOptimizer", "SGD": "GradientDescentOptimizer",
}  # fmt: skip


def optimizer_of(given: Any, learning_rate: float | None = None) -> Any:
    """An optimizer from a name, a function without arguments, or itself.

    Raises:
        ValueError: another name, a name without a rate, or an object that is no optimizer.
    """
    if isinstance(given, str):
        if given not in _NAMES:
            raise ValueError(
                f"Unsupported optimizer name: {given}. Supported names are: "
                f"{tuple(sorted(_NAMES))}"
            )
        if not learning_rate:
            raise ValueError(
                f"learning_rate must be specified when opt is a string ({given})."
            )
        from graphc import train

        return getattr(train, _NAMES[given])(learning_rate=learning_rate)
    found = given() if callable(given) else given
    if not hasattr(found, "apply_gradients"):
        raise ValueError(f"The given object is not an Optimizer instance. Given: {found}")
    return found
