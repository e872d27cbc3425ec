"""Tells where the time of a run goes, by kernel and by line: graphc profile.

    python -m tools.profile TARGET [-o FILE] ...    as: graphc profile TARGET [-o FILE] ...
"""

from __future__ import annotations

import sys

from graphc.inspect.cli import main

if __name__ == "__main__":
    sys.exit(main(["profile", *sys.argv[1:]]))
