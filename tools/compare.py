"""Runs fetches fused, unfused and by the reference, side by side: graphc compare.

    python -m tools.compare TARGET [-o FILE] ...    as: graphc compare TARGET [-o FILE] ...
"""

from __future__ import annotations

import sys

from graphc.inspect.cli import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
