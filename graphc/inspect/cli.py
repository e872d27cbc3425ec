"""The console command `graphc`: compare, explain, info, clear-cache.

Thin: every subcommand prints what graphc.inspect or the runtime returns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import graphc
from graphc.errors import GraphcError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand; 0, or 2 for a mistake in its arguments or settings."""
    args = _parser().parse_args(argv)
    try:
        return _COMMANDS[args.command](args)
    except GraphcError as err:
        print(f"graphc {args.command}: {err}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="graphc", description="Look into the graph compiler.")
    parser.add_argument("--version", action="version", version=f"graphc {graphc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser(
        "compare", help="run fused and unfused: kernels, bytes moved, time, largest difference"
    )
    compare.add_argument("build", metavar="FILE.py:build")
    compare.add_argument("--seconds", type=float, default=0.2, help="time a side (default 0.2)")
    compare.add_argument("--reasons", action="store_true", help="list fusion refusals as well")
    explain = commands.add_parser("explain", help="steps, fusion decisions, kernels")
    explain.add_argument("build", metavar="FILE.py:build")
    explain.add_argument("--source", action="store_true", help="print every kernel's source")
    explain.add_argument("--lines", action="store_true", help="print the user's lines of each step")
    explain.add_argument("--unfused", action="store_true", help="one op a kernel")
    commands.add_parser("info", help="versions, processor, threads, BLAS, cache")
    commands.add_parser("clear-cache", help="remove all compiled kernels from disk")
    return parser


def _compare(args: argparse.Namespace) -> int:
    from graphc.inspect.compare import compare, load_build

    result = compare(load_build(args.build), args.seconds)
    print(result)
    saved = result.fused.explanation
    print(f"bytes saved by fusion: {saved.bytes_saved}")
    if args.reasons:
        for r in saved.refusals:
            print(f"  not fused: {r.producer} -> {r.consumer} ({r.nbytes} bytes): {r.reason}")
    return 0


def _explain(args: argparse.Namespace) -> int:
    from graphc.config import current
    from graphc.inspect.compare import Runner, built, load_build

    graph, fetches, feeds = built(load_build(args.build))
    config = current().replace(fuse=not args.unfused)
    found = Runner("explain", graph, fetches, feeds, config).explanation
    print(found)
    if args.lines:
        print(f"lines:\n{found.with_lines()}")
    if args.source:
        for name, source in found.sources.items():
            print(f"\n# ---- {name}\n{source}")
    return 0


def _info(args: argparse.Namespace) -> int:
    from graphc.inspect.info import info

    for name, value in info().items():
        print(f"{name}: {value}")
    return 0


def _clear_cache(args: argparse.Namespace) -> int:
    import contextlib
    from pathlib import Path

    from graphc.config import current
    from graphc.runtime.cache_files import clear_folder

    folder = current().cache_dir
    if folder is None or not Path(folder).is_dir():
        print("no cache on disk")
        return 0
    count = clear_folder(Path(folder))
    # a folder that holds anything else stays
    with contextlib.suppress(OSError):
        Path(folder).rmdir()
    print(f"removed {count} kernels from {folder}")
    return 0


_COMMANDS = {
    "compare": _compare, "explain": _explain, "info": _info, "clear-cache": _clear_cache,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
