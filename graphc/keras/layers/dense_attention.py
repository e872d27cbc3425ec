"""tf.keras.layers: Attention, AdditiveAttention, MultiHeadAttention. Imports keras.engine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.keras.core import math as K
from graphc.keras.core import nn
from graphc.keras.core.arrays import int_shape
from graphc.keras.engine.base_layer import Layer
from graphc.keras.layers.core import described, settle
from graphc.tf1 import api_array, api_linalg, api_math
from graphc.tf1.einsum import einsum

__all__ = ["AdditiveAttention", "Attention", "MultiHeadAttention"]

_BIG = 1e9


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
            lower = _causal(scores)
            allowed = lower if allowed is None else api_math.logical_and(allowed, lower)
        if allowed is not None:
            scores = scores - _BIG * (1.0 - K.cast(allowed, scores.dtype))
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


def _causal(scores: Tensor) -> Tensor:
    """True where a key is not after its query: [1, queries, keys]."""
    actual = api_array.shape(scores)
    rows = api_array.expand_dims(api_array.range(actual[-2]), -1)
    return api_array.expand_dims(
        api_math.greater_equal(rows, api_array.range(actual[-1])), 0
    )


class Attention(_BaseAttention):
    """Scores are products of queries and keys (Luong 2015)."""

    def __init__(self, use_scale: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.scale: Any = None

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight("scale", (), initializer="ones")
        self.built = True

    def _scores(self, query: Any, key: Any) -> Tensor:
        scores = api_linalg.matmul(query, key, transpose_b=True)
        return scores if self.scale is None else scores * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_scale": self.use_scale}


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


class MultiHeadAttention(Layer):
    """Attention by several projections at once (Vaswani 2017).

    Args:
        num_heads, key_dim: projections, and the extent of each. value_dim: default key_dim.
        dropout: of the weights. use_bias: of the projections. output_shape: default the query's.
    """

    supports_masking = True

    def __init__(
        self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0,
        use_bias: bool = True, output_shape: Any = None, kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        axes = kwargs.pop("attention_axes", None)
        if axes is not None and list(np.atleast_1d(axes)) != [1]:
            raise ValueError(f"attention over axes {axes} is not supported, over axis 1 only")
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = num_heads, key_dim
        self.value_dim = value_dim or key_dim
        self.dropout, self.use_bias = dropout, use_bias
        self._output_size = output_shape
        settle(self, {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        })  # fmt: skip

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

    def _build_weights(self, query: int, value: int, key: int) -> None:
        heads, dk, dv = self.num_heads, self.key_dim, self.value_dim
        self._query = self._projection("query", (query, heads, dk), (heads, dk))
        self._key = self._projection("key", (key, heads, dk), (heads, dk))
        self._value = self._projection("value", (value, heads, dv), (heads, dv))
        size = self._output_size or query
        size = size[-1] if isinstance(size, list | tuple) else size
        self._out = self._projection("attention_output", (heads, dv, size), (size,))

    def __call__(  # type: ignore[override]
        self, query: Any, value: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Args: query, value, key (default the value), attention_mask, training."""
        if value is None and not isinstance(query, list):
            value = kwargs.pop("value")
        key = kwargs.pop("key", args[0] if args else None)
        given = query if isinstance(query, list) else [query, value, value if key is None else key]
        if len(given) == 2:
            given = [*given, given[1]]
        return super().__call__(given, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._build_weights(*(s[-1] for s in input_shape))
        self.built = True

    @staticmethod
    def _project(x: Any, weights: Any) -> Tensor:
        kernel, bias = weights
        out = einsum("bte,ehd->bthd", x, kernel)
        return out if bias is None else out + bias

    def call(  # type: ignore[override]
        self, inputs: Any, mask: Any = None, attention_mask: Any = None, training: Any = None,
        return_attention_scores: bool = False, use_causal_mask: bool = False,
    ) -> Any:
        query, value, key = inputs
        q = self._project(query, self._query) * (1.0 / math.sqrt(self.key_dim))
        k, v = self._project(key, self._key), self._project(value, self._value)
        scores = einsum("bthd,bshd->bhts", q, k)
        for allowed in self._allowed(scores, mask, attention_mask, use_causal_mask):
            scores = scores - _BIG * (1.0 - K.cast(allowed, scores.dtype))
        weights = K.softmax(scores)
        dropped = weights
        if self.dropout > 0:
            dropped = K.in_train_phase(
                lambda: nn.dropout(weights, self.dropout), weights, training
            )
        mixed = einsum("bhts,bshd->bthd", dropped, v)
        kernel, bias = self._out
        out = einsum("bthd,hde->bte", mixed, kernel)
        if bias is not None:
            out = out + bias
        out.set_shape([*(int_shape(query) or (None, None))[:2], None])
        return (out, weights) if return_attention_scores else out

    @staticmethod
    def _allowed(scores: Tensor, mask: Any, attention_mask: Any, causal: bool) -> list[Any]:
        """Masks that broadcast against [batch, heads, queries, keys]."""
        out = []
        masks = mask if isinstance(mask, list | tuple) else [None, None, None]
        if masks[1] is not None:
            out.append(api_array.expand_dims(api_array.expand_dims(masks[1], 1), 1))
        if attention_mask is not None:
            rank = attention_mask.rank
            given = attention_mask
            out.append(api_array.expand_dims(given, 1) if rank == 3 else given)
        if causal:
            out.append(api_array.expand_dims(_causal(scores[:, 0]), 0))
        return out

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, list | tuple) else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim,
            "value_dim": self.value_dim, "dropout": self.dropout, "use_bias": self.use_bias,
            "output_shape": self._output_size, **described(self, _NAMES),
        }  # fmt: skip
