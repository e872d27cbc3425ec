"""tf.contrib.factorization.KMeans: clusters of rows by their distance to centers.

Lives here: KMeans and the ways to choose its first centers. Not here: the ops it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.dtypes import bool_, int32, int64
from graphc.ir.node import Node, Tensor
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1 import api_array as arrays
from graphc.tf1 import api_math as math
from graphc.tf1 import api_nn as nn
from graphc.tf1 import api_random as random
from graphc.tf1.api_checks import py_func
from graphc.tf1.api_state import assign
from graphc.tf1.framework import identity, no_op
from graphc.tf1.ops_misc import group
from graphc.tf1.scopes import control_dependencies
from graphc.tf1.variables import Variable

__all__ = [
    "COSINE_DISTANCE",
    "KMC2_INIT",
    "KMEANS_PLUS_PLUS_INIT",
    "RANDOM_INIT",
    "SQUARED_EUCLIDEAN_DISTANCE",
    "KMeans",
]  # fmt: skip

SQUARED_EUCLIDEAN_DISTANCE = "squared_euclidean"
COSINE_DISTANCE = "cosine"
RANDOM_INIT = "random"
KMEANS_PLUS_PLUS_INIT = "kmeans_plus_plus"
KMC2_INIT = "kmc2"
CLUSTERS_VAR_NAME = "clusters"
_INITS = [RANDOM_INIT, KMEANS_PLUS_PLUS_INIT, KMC2_INIT]
_METRICS = [SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE]

Array = np.ndarray[Any, Any]


class KMeans:
    """The graph of k-means clustering (tf.contrib.factorization.KMeans).

    Args:
        inputs: rows [n, d], or a list of such tensors. num_clusters: k.
        initial_clusters: "random", "kmeans_plus_plus", "kmc2", a tensor of centers, or a
            function (inputs, count) of centers.
        distance_metric: "squared_euclidean" or "cosine".
        use_mini_batch: a step moves the centers towards the means of a batch; else it puts them
            there. mini_batch_steps_per_iteration: after so many steps the distances are of the
            new centers.
        random_seed: of the first centers. kmeans_plus_plus_num_retries, kmc2_chain_length: how
            hard those two try.

    Raises:
        ValueError: an unknown initialisation or metric.
    """

    def __init__(
        self,
        inputs: Any,
        num_clusters: Any,
        initial_clusters: Any = RANDOM_INIT,
        distance_metric: str = SQUARED_EUCLIDEAN_DISTANCE,
        use_mini_batch: bool = False,
        mini_batch_steps_per_iteration: int = 1,
        random_seed: int = 0,
        kmeans_plus_plus_num_retries: int = 2,
        kmc2_chain_length: int = 200,
    ) -> None:
        if isinstance(initial_clusters, str) and initial_clusters not in _INITS:
            raise ValueError(
                f"Unsupported initialization algorithm `{initial_clusters}`,must be one of "
                f"`{_INITS}`."
            )
        if distance_metric not in _METRICS:
            raise ValueError(
                f"Unsupported distance metric `{distance_metric}`,must be one of `{_METRICS}`."
            )
        parts = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        self._inputs = [convert_to_tensor(part) for part in parts]
        self._initial = initial_clusters
        self._chosen = isinstance(initial_clusters, str) or callable(initial_clusters)
        if not self._chosen:
            self._initial = convert_to_tensor(initial_clusters, self._inputs[0].dtype)
            num_clusters = F.shape(self._initial)[0]
        self._k = convert_to_tensor(num_clusters, int32)
        self._cosine = distance_metric == COSINE_DISTANCE
        self._mini_batch = use_mini_batch
        self._steps = int(mini_batch_steps_per_iteration) if use_mini_batch else 1
        self._seed = random_seed
        self._retries = kmeans_plus_plus_num_retries
        self._chain = kmc2_chain_length

    def training_graph(self) -> tuple[Any, ...]:
        """(all_scores, cluster_idx, scores, cluster_centers_initialized, init_op, training_op).

        The first three are tuples with a tensor for each input: distances to all centers
        [n, k], the numbers of the nearest ones [n] and the distances to them [n]. init_op is run
        until cluster_centers_initialized is True, then training_op.
        """
        size = self._inputs[0].dims[-1] if self._inputs[0].dims else None
        first = F.fill(
            arrays.stack([0, F.shape(self._inputs[0])[1]]),
            convert_to_tensor(0, self._inputs[0].dtype),
        )
        centers = Variable(first, name=CLUSTERS_VAR_NAME, validate_shape=False)
        ready = Variable(False, dtype=bool_, name="initialized")
        moving = centers
        if self._steps > 1:
            moving = Variable(first, name="clusters_updated", validate_shape=False)
        init_op = self._init_op(centers, moving, ready)
        rows = [nn.l2_normalize(x, 1) if self._cosine else x for x in self._inputs]
        wide = identity(centers)
        wide.set_shape([None, size])
        if self._cosine and self._mini_batch and self._steps == 1:
            wide = nn.l2_normalize(wide, 1)
        all_scores = tuple(self._distances(x, wide) for x in rows)
        numbers = tuple(math.argmin(s, 1) for s in all_scores)
        scores = tuple(math.reduce_min(s, 1) for s in all_scores)
        train = self._mini_batch_step if self._mini_batch else self._full_step
        training_op = train(rows, numbers, centers, moving, size)
        return all_scores, numbers, scores, ready, init_op, training_op

    def _distances(self, rows: Tensor, centers: Tensor) -> Tensor:
        product = F.matmul(rows, centers, transpose_a=False, transpose_b=True)
        if self._cosine:
            return 1 - product
        norms = math.reduce_sum(math.square(rows), 1, keepdims=True)
        others = math.reduce_sum(math.square(centers), 1)
        # rounding may leave a little below zero
        return math.maximum(norms - 2 * product + others, 0.0)

    # ------------------------------------------------------------ the first centers
    def _init_op(self, centers: Any, moving: Any, ready: Any) -> Node:
        rows = self._inputs[0] if len(self._inputs) == 1 else arrays.concat(self._inputs, 0)
        have = F.shape(identity(centers))[0]
        if not self._chosen:
            found = self._initial if not self._cosine else nn.l2_normalize(self._initial, 1)
        else:
            left = math.maximum(self._k - have, 0)
            new = self._choose(rows, math.minimum(left, F.shape(rows)[0]))
            if self._cosine:
                new = nn.l2_normalize(new, 1)
            size = rows.dims[-1] if rows.dims else None
            new.set_shape([None, size])
            old = identity(centers)
            old.set_shape([None, size])
            found = arrays.concat([old, new], 0)
        stored = assign(centers, found, validate_shape=False)
        with control_dependencies([stored]):
            ops = [assign(ready, F.greater_equal(F.shape(found)[0], self._k))]
            if moving is not centers:
                ops.append(assign(moving, found, validate_shape=False))
            return group(*ops)

    def _choose(self, rows: Tensor, count: Tensor) -> Tensor:
        if callable(self._initial):
            made: Tensor = convert_to_tensor(self._initial(rows, count), rows.dtype)
            return made
        if self._initial == RANDOM_INIT:
            order = random.random_shuffle(arrays.range(F.shape(rows)[0]), seed=self._seed)
            return arrays.gather(rows, order[:count])
        chooser = _plus_plus(self._seed, self._retries)
        if self._initial == KMC2_INIT:
            chooser = _markov_chain(self._seed, self._chain)
        if self._cosine:
            rows = nn.l2_normalize(rows, 1)
        drawn: Tensor = py_func(chooser, [rows, count], rows.dtype)
        return drawn

    # ------------------------------------------------------------ steps
    def _sums(self, rows: Sequence[Tensor], numbers: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The sum and the number of the rows nearest to each center: [k, d], [k, 1]."""
        sums, counts = [], []
        for x, at in zip(rows, numbers, strict=True):
            sums.append(math.unsorted_segment_sum(x, at, self._k))
            ones = F.expand_dims(F.ones_like(math.reduce_sum(x, 1)), axis=-1)
            counts.append(math.unsorted_segment_sum(ones, at, self._k))
        return math.add_n(sums), math.add_n(counts)

    def _full_step(
        self, rows: Sequence[Tensor], numbers: Sequence[Tensor], centers: Any, moving: Any,
        size: Any,
    ) -> Node:  # fmt: skip
        total, count = self._sums(rows, numbers)
        found = total / (count + 1e-6)
        if self._cosine:
            found = nn.l2_normalize(found, 1)
        return assign(centers, found, validate_shape=False).op

    def _mini_batch_step(
        self, rows: Sequence[Tensor], numbers: Sequence[Tensor], centers: Any, moving: Any,
        size: Any,
    ) -> Node:  # fmt: skip
        start = 0 if self._steps > 1 else 1
        seen = Variable(F.fill(F.reshape(self._k, convert_to_tensor([1])),
                               convert_to_tensor(start, int64)), name="counts",
                        validate_shape=False)  # fmt: skip
        sync = self._sync(centers, moving, seen)
        with control_dependencies([sync]):
            old = identity(moving)
            old.set_shape([None, size])
            before = math.cast(F.expand_dims(identity(seen), axis=-1), old.dtype)
            total, count = self._sums(rows, numbers)
            rate = 1 / math.maximum(before + count, 1.0)
            new = old + (total - count * old) * rate
            whole = math.cast(F.squeeze(before + count, axes=(1,)), int64)
            return group(
                assign(moving, new, validate_shape=False),
                assign(seen, whole, validate_shape=False),
            )

    def _sync(self, centers: Any, moving: Any, seen: Any) -> Node:
        """Every so many steps the distances get the centers that have moved."""
        if self._steps == 1:
            return no_op()
        left = Variable(np.int64(self._steps), dtype=int64, name="update_in_steps")
        due = F.less_equal(identity(left), convert_to_tensor(0, int64))
        new = identity(moving)
        if self._cosine:
            new = nn.l2_normalize(new, 1)
        counts = identity(seen)
        again = convert_to_tensor(self._steps, int64)
        return group(
            assign(centers, F.select_v2(due, new, identity(centers)), validate_shape=False),
            assign(seen, F.select_v2(due, F.zeros_like(counts), counts), validate_shape=False),
            assign(left, F.select_v2(due, again, identity(left)) - convert_to_tensor(1, int64)),
        )


# ------------------------------------------------------------------ choosing in NumPy
def _squared(rows: Array, center: Array) -> Array:
    out: Array = ((rows.astype(np.float64) - center) ** 2).sum(1)
    return out


def _plus_plus(seed: int, retries: int) -> Callable[[Array, Any], Array]:
    """Arthur and Vassilvitskii, k-means++, 2007: far rows are more probable."""

    def choose(rows: Array, count: Any) -> Array:
        rng = np.random.RandomState(seed)
        count = int(count)
        if count <= 0:
            return rows[:0]
        chosen = [int(rng.randint(len(rows)))]
        nearest = _squared(rows, rows[chosen[0]])
        tries = 1 + (retries if retries >= 0 else 2 + int(np.log(count)))
        while len(chosen) < count:
            total = nearest.sum()
            weights = nearest / total if total > 0 else np.full(len(rows), 1 / len(rows))
            drawn = rng.choice(len(rows), size=tries, p=weights)
            options = [np.minimum(nearest, _squared(rows, rows[k])) for k in drawn]
            best = int(np.argmin([o.sum() for o in options]))
            nearest = options[best]
            chosen.append(int(drawn[best]))
        return rows[chosen]

    return choose


def _markov_chain(seed: int, length: int) -> Callable[[Array, Any], Array]:
    """Bachem et al., Approximate K-Means++ in Sublinear Time, 2016."""

    def choose(rows: Array, count: Any) -> Array:
        rng = np.random.RandomState(seed)
        count = int(count)
        if count <= 0:
            return rows[:0]
        chosen = [int(rng.randint(len(rows)))]
        while len(chosen) < count:
            candidates = rng.randint(len(rows), size=max(length, 1))
            some = rows[candidates]
            distance = np.min([_squared(some, rows[c]) for c in chosen], axis=0)
            at = 0
            for k in range(1, len(candidates)):
                if distance[at] == 0 or distance[k] / distance[at] > rng.uniform():
                    at = k
            chosen.append(int(candidates[at]))
        return rows[chosen]

    return choose
