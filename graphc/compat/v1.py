"""tf.compat.v1 as a module to import: the same object as graphc."""

from __future__ import annotations

import sys

import graphc

sys.modules[__name__] = graphc
