"""tf.keras.layers: Attention, AdditiveAttention, MultiHeadAttention. Imports keras.engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.ir.dtypes import float16
from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core import nn
from graphc.keras.core.arrays import int_shape
from graphc.keras.engine.base_layer import Layer
from graphc.keras.layers.core import described, settle
from graphc.ops.convert import convert_to_tensor
from graphc.tf1 import api_array, api_linalg, api_math
from graphc.tf1.einsum import einsum

__all__ = ["AdditiveAttention", "Attention", "MultiHeadAttention"]

def _hidden(scores: Tensor, allowed: Any) -> Tensor:
    """The scores, so low where it is not allowed that their weights are 0."""
    low = 65504.0 if scores.dtype is float16 else 1e9
    return scores - low * (1.0 - K.cast(allowed, scores.dtype))


class _BaseAttention(Layer):
    """Weights over values by the scores of queries and keys."""

    supports_masking = True

    def __init__(self, causal: bool = False, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.causal, self.dropout = causal, dropout

    def _scores(self, query: Any, key: Any) -> Tensor:
        raise NotImplementedError

    def call(  # type: ignore[override]
        self, inputs: Any, mask: Any = None, training: Any = None,
        return_attention_scores: bool = False, use_causal_mask: bool = False,
    ) -> Any:
        """Args: inputs: [query, value] or [query, value, key]; mask: of query and value."""
        if not isinstance(inputs, list | tuple) or len(inputs) not in (2, 3):
            raise ValueError(
                f"{type(self).__name__} layer accepts inputs list of length 2 or 3, namely "
                f"[query, value] or [query, value, key]. Got {inputs}"
            )
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        scores = self._scores(query, key)
        masks = list(mask) if isinstance(mask, list | tuple) else [None, None]
        allowed = None if masks[1] is None else api_array.expand_dims(masks[1], -2)
        if self.causal or use_causal_mask:
            actual = api_array.shape(scores)
            lower = _causal(actual[-2], actual[-1])
            allowed = lower if allowed is None else api_math.logical_and(allowed, lower)
        if allowed is not None:
            scores = _hidden(scores, allowed)
        weights = K.softmax(scores)
        if self.dropout > 0:
            kept = weights
            weights = K.in_train_phase(lambda: nn.dropout(kept, self.dropout), kept, training)
        out = api_linalg.matmul(weights, value)
        if masks[0] is not None:
            out = out * K.cast(api_array.expand_dims(masks[0], -1), out.dtype)
        return (out, weights) if return_attention_scores else out

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, list | tuple) else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "causal": self.causal, "dropout": self.dropout}


def _causal(queries: Tensor, keys: Tensor) -> Tensor:
    """True where a key is not after its query: [1, queries, keys]."""
    rows = api_array.expand_dims(api_array.range(queries), -1)
    return api_array.expand_dims(api_math.greater_equal(rows, api_array.range(keys)), 0)


class Attention(_BaseAttention):
    """Scores are products of queries and keys (Luong 2015).

    Args:
        use_scale: a factor of the scores is learnt. score_mode: "dot", or "concat": sums of
            tanh(query + key) times a learnt factor.

    Raises:
        ValueError: another score_mode.
    """

    def __init__(self, use_scale: bool = False, score_mode: str = "dot", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. "
                f"Received: score_mode={score_mode}"
            )
        self.use_scale, self.score_mode = use_scale, score_mode
        self.scale: Any = None
        self.concat_score_weight: Any = None

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight("scale", (), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                "concat_score_weight", (), initializer="ones"
            )
        self.built = True

    def _scores(self, query: Any, key: Any) -> Tensor:
        if self.score_mode == "dot":
            scores = api_linalg.matmul(query, key, transpose_b=True)
            return scores if self.scale is None else scores * self.scale
        both = api_array.expand_dims(query, -2) + api_array.expand_dims(key, -3)
        both = both if self.scale is None else both * self.scale
        return self.concat_score_weight * K.sum(K.tanh(both), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale,
                "score_mode": self.score_mode}  # fmt: skip


class AdditiveAttention(_BaseAttention):
    """Scores are sums of tanh(query + key) (Bahdanau 2015)."""

    def __init__(self, use_scale: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.scale: Any = None

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight(
                "scale", (input_shape[0][-1],), initializer="glorot_uniform"
            )
        self.built = True

    def _scores(self, query: Any, key: Any) -> Tensor:
        both = K.tanh(api_array.expand_dims(query, -2) + api_array.expand_dims(key, -3))
        return K.sum(both if self.scale is None else both * self.scale, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale}


_NAMES = (
    "kernel_initializer bias_initializer kernel_regularizer bias_regularizer kernel_constraint "
    "bias_constraint"
)


# what readers of Keras 2 build the layer from
_SHAPES = ("query_shape", "key_shape", "value_shape")


class MultiHeadAttention(Layer):
    """Attention by several projections at once (Vaswani 2017).

    Args:
        num_heads, key_dim: projections, and the extent of each. value_dim: default key_dim.
        dropout: of the weights. use_bias: of the projections. output_shape: the last extents of
            the outputs, an int or several; default the query's last. attention_axes: over which
            is attended; default all but the first and the last.

    Raises:
        ValueError: attention over the first or the last axis.
    """

    supports_masking = True

    def __init__(
        self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0,
        use_bias: bool = True, output_shape: Any = None, attention_axes: Any = None,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads, self.key_dim = int(num_heads), int(key_dim)
        self.value_dim = int(value_dim or key_dim)
        self.dropout, self.use_bias = dropout, use_bias
        self._output_size = output_shape
        self.attention_axes = (
            None if attention_axes is None else tuple(int(a) for a in np.atleast_1d(attention_axes))
        )
        self._shapes: list[Any] = [None, None, None]
        settle(self, {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        })  # fmt: skip

    # ------------------------------------------------------------ weights
    def _projection(self, name: str, shape: tuple[int, ...], bias: tuple[int, ...]) -> Any:
        from graphc.ir.graph import get_default_graph

        with get_default_graph().name_scope(name):
            kernel = self.add_weight(
                "kernel", shape, initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
            )  # fmt: skip
            offset = self.add_weight(
                "bias", bias, initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            ) if self.use_bias else None  # fmt: skip
        return kernel, offset

    def build(self, input_shape: Any) -> None:
        query, value, key = input_shape
        self._shapes = [list(s) for s in (query, key, value)]
        self._letters = _Letters(len(query), self.attention_axes, self.name)
        heads, dk, dv = self.num_heads, self.key_dim, self.value_dim
        self._query = self._projection("query", (query[-1], heads, dk), (heads, dk))
        self._key = self._projection("key", (key[-1], heads, dk), (heads, dk))
        self._value = self._projection("value", (value[-1], heads, dv), (heads, dv))
        size = self._output_size or query[-1]
        sizes = tuple(size) if isinstance(size, list | tuple) else (size,)
        self._out = self._projection("attention_output", (heads, dv, *sizes), sizes)
        self.built = True

    # ------------------------------------------------------------ calls
    def __call__(  # type: ignore[override]
        self, query: Any, value: Any = None, key: Any = None, attention_mask: Any = None,
        return_attention_scores: bool = False, training: Any = None,
        use_causal_mask: bool = False, **kwargs: Any,
    ) -> Any:
        """The values mixed for each query.

        Args:
            query, value: [batch, ..., features]; or a list of query, value and key. key: default
                the value. attention_mask: [batch, queries, keys], True where a query may look.
            return_attention_scores: also the weights [batch, heads, queries, keys].
            use_causal_mask: no query looks at keys after it.

        Raises:
            TypeError: no value.
        """
        given = list(query) if isinstance(query, list | tuple) else [query, value, key]
        if given[1] is None:
            raise TypeError(f"Layer {self.name} needs a query and a value")
        if len(given) == 2 or given[2] is None:
            given = [*given[:2], given[1]]
        settings = {
            "attention_mask": attention_mask, "training": training,
            "return_attention_scores": return_attention_scores or None,
            "use_causal_mask": use_causal_mask or None,
        }  # fmt: skip
        kwargs |= {k: v for k, v in settings.items() if v is not None}
        return super().__call__(given, **kwargs)

    def call(  # type: ignore[override]
        self, inputs: Any, mask: Any = None, attention_mask: Any = None, training: Any = None,
        return_attention_scores: bool = False, use_causal_mask: bool = False,
    ) -> Any:
        query, value, key = inputs
        names = self._letters
        q = self._project(names.query, query, self._query) * (1.0 / math.sqrt(self.key_dim))
        k = self._project(names.key, key, self._key)
        v = self._project(names.key, value, self._value)
        scores = einsum(f"{names.key}yz,{names.query}yz->{names.scores}", k, q)
        allowed = self._allowed(inputs, mask, attention_mask, use_causal_mask)
        weights = names.softmax(scores, allowed)
        dropped = weights
        if self.dropout > 0:
            dropped = K.in_train_phase(
                lambda: nn.dropout(weights, self.dropout), weights, training
            )
        mixed = einsum(f"{names.scores},{names.key}yz->{names.query}yz", dropped, v)
        kernel, bias = self._out
        ends = "uvwx"[: len(kernel.shape.as_list()) - 2]
        out = einsum(f"{names.query}yz,yz{ends}->{names.query}{ends}", mixed, kernel)
        if bias is not None:
            out = out + bias
        out.set_shape([*(int_shape(query) or ())[:-1], *[None] * len(ends)])
        return (out, weights) if return_attention_scores else out

    @staticmethod
    def _project(axes: str, x: Any, weights: Any) -> Tensor:
        kernel, bias = weights
        out = einsum(f"{axes}x,xyz->{axes}yz", x, kernel)
        return out if bias is None else out + bias

    @staticmethod
    def _allowed(inputs: Any, mask: Any, attention_mask: Any, causal: bool) -> Any:
        """Where a query may look: [batch, queries, keys], or None for everywhere."""
        found = []
        masks = mask if isinstance(mask, list | tuple) else [None] * 3
        if masks[0] is not None:
            found.append(api_array.expand_dims(masks[0], -1))
        for other in masks[1:]:
            if other is not None and all(other is not m for m in masks[1 : masks.index(other)]):
                found.append(api_array.expand_dims(other, -2))
        if causal:
            sizes = [api_array.shape(x)[1] for x in inputs[:2]]
            found.append(_causal(*sizes))
        if attention_mask is not None:
            found.append(K.cast(convert_to_tensor(attention_mask), "bool"))
        out = None
        for one in found:
            out = one if out is None else api_math.logical_and(out, one)
        return out

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, list | tuple) else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim,
            "value_dim": self.value_dim, "dropout": self.dropout, "use_bias": self.use_bias,
            "output_shape": self._output_size, "attention_axes": self.attention_axes,
            **described(self, _NAMES + " activity_regularizer"),
            **dict(zip(_SHAPES, self._shapes)),
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{k: v for k, v in config.items() if k not in _SHAPES})


class _Letters:
    """The axes of queries, keys and scores as letters of einsum; y are heads, z features."""

    def __init__(self, rank: int, axes: Any, layer: str) -> None:
        chosen = tuple(range(1, rank - 1)) if axes is None else tuple(a % rank for a in axes)
        if not chosen or not all(0 < a < rank - 1 for a in chosen):
            raise ValueError(
                f"Layer {layer}: attention over axes {axes} of inputs of rank {rank}; they must "
                "stand between the batch and the features"
            )
        free, others = "abcdefghij"[: rank - 1], "klmnopqrst"
        self.count = len(chosen)
        self.query = free
        swapped = dict(zip(chosen, others))
        self.key = "".join(swapped.get(k, letter) for k, letter in enumerate(free))
        batch = "".join(c for k, c in enumerate(free) if k not in chosen)
        self.scores = (
            batch + "y" + "".join(free[a] for a in chosen) + "".join(swapped[a] for a in chosen)
        )

    def softmax(self, scores: Tensor, allowed: Any) -> Tensor:
        """Over the axes of keys; where it is not allowed, scores fall by 1e9."""
        if allowed is not None:
            for _ in range((scores.rank or 0) - (allowed.rank or 0)):
                allowed = api_array.expand_dims(allowed, -2 * self.count - 1)
            scores = _hidden(scores, allowed)
        if self.count == 1:
            return K.softmax(scores)
        shape = api_array.shape(scores)
        flat = api_array.reshape(scores, api_array.concat([shape[: -self.count], [-1]], 0))
        out = api_array.reshape(K.softmax(flat), shape)
        out.set_shape(scores.shape)
        return out
