"""Seeds of all random numbers at once. Imports tf1."""

from __future__ import annotations

import random

import numpy as np

from graphc.tf1.framework import set_random_seed as _set_graph_seed

__all__ = ["set_random_seed"]


def set_random_seed(seed: int) -> None:
    """Seeds Python's random numbers, NumPy's and those of the default graph."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the state that scripts and shuffling use
    _set_graph_seed(seed)
