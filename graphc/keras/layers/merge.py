"""tf.keras.layers: Add, Concatenate, Dot and their kin, and functions of the same names.

Imports keras.engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Tensor
from graphc.keras.core import arrays
from graphc.keras.core import math as K
from graphc.keras.engine.base_layer import Layer
from graphc.tf1 import api_array, api_math

__all__ = [
    "Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract", "add",
    "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip


def _shapes(input_shape: Any, layer: Layer) -> list[Any]:
    """Raises ValueError: the shape of one tensor, which is no list of shapes."""
    if not isinstance(input_shape, list):
        raise ValueError(
            f"A merge layer should be called on a list of inputs. Layer {layer.name} was called on "
            f"one of shape {input_shape}{layer._whence()}"
        )
    return list(input_shape)


def _checked(inputs: Any, least: int, layer: Layer, most: int | None = None) -> list[Any]:
    """Raises ValueError: no list, or too few or too many tensors."""
    if not isinstance(inputs, list | tuple):
        raise ValueError(
            f"A merge layer should be called on a list of inputs. Layer {layer.name} got {inputs}"
        )
    if len(inputs) < least or (most is not None and len(inputs) > most):
        count = f"exactly {most}" if most is not None else f"at least {least}"
        raise ValueError(
            f"A `{type(layer).__name__}` layer should be called on {count} inputs. Got "
            f"{len(inputs)} inputs.{layer._whence()}"
        )
    return list(inputs)


class _Merge(Layer):
    """Merges elements; inputs of lower rank get axes of extent 1 after the batch."""

    supports_masking = True
    _most: int | None = None

    def _merge(self, inputs: list[Any]) -> Tensor:
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        shapes = _checked(_shapes(input_shape, self), 2, self, self._most)
        for first, other in zip(shapes, shapes[1:]):
            for a, b in zip(reversed(first[1:]), reversed(other[1:])):
                if a is not None and b is not None and a != b and 1 not in (a, b):
                    raise ValueError(
                        f"Operands could not be broadcast together with shapes {first[1:]} "
                        f"{other[1:]} in layer {self.name}{self._whence()}"
                    )
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        listed = _checked(inputs, 2, self, self._most)
        rank = max(x.rank or 0 for x in listed)
        grown = []
        for x in listed:
            for _ in range(rank - (x.rank or rank)):
                x = api_array.expand_dims(x, 1)
            grown.append(x)
        return self._merge(grown)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = [m for m in mask or () if m is not None]
        if not masks or len(masks) != len(mask):
            return None
        out = masks[0]
        for other in masks[1:]:
            out = api_math.logical_and(out, other)
        return out


def _fold(fn: Callable[[Any, Any], Any], inputs: list[Any]) -> Any:
    out = inputs[0]
    for x in inputs[1:]:
        out = fn(out, x)
    return out


class Add(_Merge):
    """The sum of the inputs."""

    def _merge(self, inputs: list[Any]) -> Tensor:
        return _fold(lambda a, b: a + b, inputs)


class Subtract(_Merge):
    """The first input minus the second."""

    _most = 2

    def _merge(self, inputs: list[Any]) -> Tensor:
        return inputs[0] - inputs[1]


class Multiply(_Merge):
    """The product of the inputs, element by element."""

    def _merge(self, inputs: list[Any]) -> Tensor:
        return _fold(lambda a, b: a * b, inputs)


class Average(_Merge):
    """The mean of the inputs."""

    def _merge(self, inputs: list[Any]) -> Tensor:
        return _fold(lambda a, b: a + b, inputs) / float(len(inputs))


class Maximum(_Merge):
    """The greatest of the inputs, element by element."""

    def _merge(self, inputs: list[Any]) -> Tensor:
        return _fold(api_math.maximum, inputs)


class Minimum(_Merge):
    """The least of the inputs, element by element."""

    def _merge(self, inputs: list[Any]) -> Tensor:
        return _fold(api_math.minimum, inputs)


class Concatenate(Layer):
    """The inputs one after the other along `axis`."""

    supports_masking = True

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        shapes = _checked(_shapes(input_shape, self), 1, self)
        rank = len(shapes[0])
        axis = self.axis % rank
        seen = [[d for k, d in enumerate(s) if k != axis] for s in shapes]
        for other in seen[1:]:
            if len(other) != len(seen[0]) or any(
                a != b for a, b in zip(seen[0], other) if None not in (a, b)
            ):
                raise ValueError(
                    "A `Concatenate` layer requires inputs with matching shapes except for the "
                    f"concat axis. Got inputs shapes: {shapes} in layer {self.name}"
                    f"{self._whence()}"
                )
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        return arrays.concatenate(_checked(inputs, 1, self), self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if not isinstance(mask, list | tuple) or all(m is None for m in mask):
            return None
        parts = []
        for x, m in zip(inputs, mask):
            if m is None:
                parts.append(K.cast(api_array.ones_like(x), "bool"))
            elif (m.rank or 0) < (x.rank or 0):
                wide = api_array.expand_dims(m, -1)
                parts.append(api_math.logical_and(wide, K.cast(api_array.ones_like(x), "bool")))
            else:
                parts.append(m)
        return K.all(arrays.concatenate(parts, self.axis), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dot(Layer):
    """Products of two inputs' samples along an axis of each.

    Args:
        axes: one for both, or a pair. normalize: to length 1 before: the cosine.
    """

    supports_masking = True

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize

    def build(self, input_shape: Any) -> None:
        first, second = _checked(_shapes(input_shape, self), 2, self, 2)
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        extents = first[pair[0] % len(first)], second[pair[1] % len(second)]
        if None not in extents and extents[0] != extents[1]:
            raise ValueError(
                f"Dimension incompatibility {extents[0]} != {extents[1]} along axes {self.axes}. "
                f"Layer shapes: {first}, {second}{self._whence()}"
            )
        self.built = True

    def call(self, inputs: Any) -> Tensor:  # type: ignore[override]
        x, y = _checked(inputs, 2, self, 2)
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        first, second = pair[0] % (x.rank or 1), pair[1] % (y.rank or 1)
        if self.normalize:
            x, y = K.l2_normalize(x, axis=first), K.l2_normalize(y, axis=second)
        return arrays.outer_dot(x, y, first, second)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _function(cls: Any, text: str) -> Callable[..., Tensor]:
    def call(inputs: Any, **kwargs: Any) -> Tensor:
        return cls(**kwargs)(inputs)

    call.__name__ = call.__qualname__ = cls.__name__.lower()
    call.__doc__ = f"{text} kwargs go to the layer."
    return call


add, subtract = _function(Add, "The sum."), _function(Subtract, "The difference.")
multiply, average = _function(Multiply, "The product."), _function(Average, "The mean.")
maximum, minimum = _function(Maximum, "The greatest."), _function(Minimum, "The least.")


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Tensor:
    """The inputs one after the other; kwargs go to the layer."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any, normalize: bool = False, **kwargs: Any) -> Tensor:
    """Products along an axis of each; kwargs go to the layer."""
    return Dot(axes=axes, normalize=normalize, **kwargs)(inputs)
