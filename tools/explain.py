"""Tells what was fused, what was not, and why: graphc explain.

    python -m tools.explain TARGET [-o FILE] ...    as: graphc explain TARGET [-o FILE] ...
"""

from __future__ import annotations

import sys

from graphc.inspect.cli import main

if __name__ == "__main__":
    sys.exit(main(["explain", *sys.argv[1:]]))
