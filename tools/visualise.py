"""Draws a graph, what the passes make of it, its kernels and their schedule: graphc viz.

    python -m tools.visualise TARGET [-o FILE] ...    as: graphc viz TARGET [-o FILE] ...
"""

from __future__ import annotations

import sys

from graphc.inspect.cli import main

if __name__ == "__main__":
    sys.exit(main(["viz", *sys.argv[1:]]))
