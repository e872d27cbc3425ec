"""tf.contrib.learn.python.learn...: longer ways to the same names.

Lives here: the object that stands for them. Imports contrib/_paths.py.
"""

from __future__ import annotations

from graphc.contrib._paths import Path

python = Path("graphc.contrib.learn", frozenset({"learn"}))
