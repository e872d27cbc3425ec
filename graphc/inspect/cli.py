"""The console command `graphc`: viz, compare, explain, profile, cache, info.

Thin: every subcommand prints or writes what graphc.inspect or the runtime returns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import graphc
from graphc.errors import GraphcError

TARGET = "FILE.py:FUNCTION (default build) that returns fetches and feeds, a .pb, a .meta or a \
SavedModel folder"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand; 0, 1 where `cache verify` finds damage, or 2 for a mistake in its
    arguments, settings or in the program that it opens."""
    from graphc.errors import OpError

    args = _parser().parse_args(argv)
    try:
        return _COMMANDS[args.command](args)
    except (GraphcError, OpError) as err:
        print(f"graphc {args.command}: {err}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # what reads the output has seen enough
        sys.stdout = None  # type: ignore[assignment]
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="graphc", description="Look into the graph compiler.")
    parser.add_argument("--version", action="version", version=f"graphc {graphc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _viz_arguments(commands)
    _compare_arguments(commands)
    _explain_arguments(commands)
    _profile_arguments(commands)
    cache = commands.add_parser("cache", help="the compiled kernels on disk")
    cache.add_argument("action", choices=["list", "size", "verify", "clear"])
    cache.add_argument("--all", action="store_true", help="list every module")
    commands.add_parser("info", help="versions, processor, threads, BLAS, GPU, cache")
    commands.add_parser("clear-cache", help="the same as: graphc cache clear")
    return parser


def _target(commands: Any, name: str, text: str, output: str) -> argparse.ArgumentParser:
    found: argparse.ArgumentParser = commands.add_parser(name, help=text)
    found.add_argument("build", metavar="TARGET", help=TARGET)
    found.add_argument("-o", "--output", metavar="FILE", help=output)
    return found


def _viz_arguments(commands: Any) -> None:
    viz = _target(
        commands, "viz", "draw the graph, the passes, the kernels and the schedule",
        "a page .html, a picture .svg or .png, .dot, .mmd, .graphml, the document .json, Model "
        "Explorer's .explorer.json; a folder gets TensorBoard's event files",
    )  # fmt: skip
    viz.add_argument("--what", default="user", help="of a picture: user, a pass, fused, unfused")
    viz.add_argument("--kind", help="the form, where the file's name does not say it")
    viz.add_argument("--runs", type=int, default=20, help="timed runs (default 20; 0: no times)")


def _compare_arguments(commands: Any) -> None:
    compare = _target(
        commands, "compare", "run fused, unfused and by the reference, side by side",
        "also write .txt, .json, a chart .png (extra examples) or a report .html",
    )  # fmt: skip
    compare.add_argument("--seconds", type=float, default=0.5, help="time a side (default 0.5)")
    compare.add_argument(
        "--sides",
        help="of fused,unfused,reference,cuda,cuda_unfused (default: all that this machine has)",
    )
    compare.add_argument("--reasons", action="store_true", help="list fusion refusals as well")


def _explain_arguments(commands: Any) -> None:
    explain = _target(
        commands, "explain", "steps, fusion decisions, kernels", "also write .txt or .json"
    )
    explain.add_argument(
        "--details", action="store_true",
        help="members with your lines, reasons, tiles, what would change a refusal",
    )  # fmt: skip
    explain.add_argument("--source", action="store_true", help="print every kernel's source")
    explain.add_argument(
        "--gpu", choices=("A100", "H200"), help="as on this GPU, which need not be there"
    )
    explain.add_argument(
        "--ptx", action="store_true", help="of a GPU's kernels PTX, registers and spills"
    )
    explain.add_argument("--lines", action="store_true", help="print the user's lines of each step")
    explain.add_argument("--unfused", action="store_true", help="one op a kernel")


def _profile_arguments(commands: Any) -> None:
    profile = _target(
        commands, "profile", "where the time goes: by kernel and by line",
        "also write .txt, a trace .json for Perfetto, .data.json, a chart .png (extra examples), a "
        "report .html, or TF1's RunMetadata .pb",
    )  # fmt: skip
    profile.add_argument("--runs", type=int, default=30, help="timed runs (default 30)")
    profile.add_argument("--unfused", action="store_true", help="one op a kernel")


# ------------------------------------------------------------------ commands
def _viz(args: argparse.Namespace) -> int:
    from graphc.inspect.formats import SUFFIXES, save
    from graphc.inspect.progress import Progress
    from graphc.inspect.target import load
    from graphc.inspect.texts import OutputError, size, suffix_of

    if not args.output:
        raise OutputError("viz needs -o FILE: " + _suffixes("viz"))
    if args.kind is None and suffix_of(args.output) not in SUFFIXES:
        raise OutputError(f"-o {args.output}: viz writes {_suffixes('viz')}")
    target = load(args.build)
    with Progress() as progress:
        document = target.document(timed_runs=args.runs, progress=progress.say)
        progress.say(f"write {args.output}")
        path = Path(save(document, args.output, kind=args.kind, what=args.what))
    length = f", {size(path.stat().st_size)}" if path.is_file() else ""
    print(f"{path}: {len(document.nodes)} nodes, {len(document.stages)} stages{length}")
    return 0


def _suffixes(command: str) -> str:
    return {
        "viz": ".html, .svg, .png, .dot, .mmd, .graphml, .json, .explorer.json or a folder",
        "compare": ".txt, .json, .png or .html",
        "explain": ".txt or .json",
        "profile": ".txt, .json (a trace), .data.json, .png, .html or .pb",
    }[command]


def _compare(args: argparse.Namespace) -> int:
    from graphc.inspect import report
    from graphc.inspect.compare import compare, default_sides
    from graphc.inspect.progress import Progress
    from graphc.inspect.target import load
    from graphc.inspect.texts import size

    _check_suffix(args)
    sides = None
    if args.sides is not None:
        sides = tuple(s.strip() for s in args.sides.split(",") if s.strip())
    target = load(args.build)
    with Progress(2 + 2 * len(sides or default_sides()[0])) as progress:
        found = compare(target, args.seconds, sides, progress=progress.say)
    print(found)
    if args.reasons:
        fused = found.fused.explanation
        for r in fused.refusals if fused is not None else ():
            print(f"  not fused: {r.producer} -> {r.consumer} ({size(r.nbytes)}): {r.reason}")
    return _written(args, report.compare_forms(found))


def _explained(args: argparse.Namespace) -> Any:
    """The explanation of the target, on a GPU if one is named."""
    from graphc.config import current
    from graphc.inspect.running import Runner
    from graphc.inspect.target import load

    if args.gpu:
        from graphc.inspect.paper import GPUS, explain_on

        return explain_on(args.build, GPUS[args.gpu], not args.unfused)
    runner = Runner("explain", load(args.build), current().replace(fuse=not args.unfused))
    found = runner.explain()
    runner.close()
    return found


def _explain(args: argparse.Namespace) -> int:
    import json

    _check_suffix(args)
    found = _explained(args)
    print(found.details() if args.details else found)
    if args.lines:
        print(f"lines:\n{found.with_lines()}")
    if args.source:
        for name, source in found.sources.items():
            print(f"\n# ---- {name}\n{source}")
    if args.ptx:
        for code in found.device_codes():
            print(f"\n// ---- {code.name}: {code.note}\n{code.ptx}")
    return _written(args, {
        ".txt": lambda: found.details() + "\n",
        ".json": lambda: json.dumps(found.to_json(), indent=1),
    })  # fmt: skip


def _profile(args: argparse.Namespace) -> int:
    from graphc.config import current
    from graphc.inspect import report
    from graphc.inspect.profile import profile
    from graphc.inspect.progress import Progress
    from graphc.inspect.target import load

    _check_suffix(args)
    config = current().replace(fuse=not args.unfused)
    target = load(args.build)
    with Progress(args.runs) as progress:
        found = profile(target, args.runs, config, progress=progress.at)
    print(found)
    return _written(args, report.profile_forms(found, target, config))


def _check_suffix(args: argparse.Namespace) -> None:
    """Says it before anything runs that a file's name is of no known form. Raises OutputError."""
    from graphc.inspect.texts import OutputError, suffix_of

    known = _suffixes(args.command)
    if args.output and suffix_of(args.output) not in known.replace(",", "").split():
        raise OutputError(f"-o {args.output}: {args.command} writes {known}")


def _written(
    args: argparse.Namespace, forms: dict[str, Callable[[], str | bytes]]
) -> int:
    """Writes the file that -o names in the form of its suffix."""
    from graphc.inspect.texts import suffix_of, write_file

    if args.output:
        path = write_file(args.output, forms[suffix_of(args.output)]())
        print(f"written: {path}", file=sys.stderr)
    return 0


def _info(args: argparse.Namespace) -> int:
    from graphc.inspect.info import info

    for name, value in info().items():
        print(f"{name}: {value}")
    return 0


def _clear_cache(args: argparse.Namespace) -> int:
    args.action = "clear"
    return _cache(args)


def _cache(args: argparse.Namespace) -> int:
    from graphc.config import current
    from graphc.inspect import cache_tool
    from graphc.inspect.progress import Progress

    config = current()
    if config.cache_dir is None or not Path(config.cache_dir).is_dir():
        print("no cache on disk")
        return 0
    folder = Path(config.cache_dir)
    if args.action == "clear":
        print(f"removed {cache_tool.cleared(folder)} kernels from {folder}")
        return 0
    if args.action == "list":
        print(cache_tool.list_text(folder, None if args.all else cache_tool.FEW))
        return 0
    if args.action == "size":
        print(cache_tool.measured(folder, config.cache_bytes))
        return 0
    with Progress() as progress:
        count, problems = cache_tool.verified(folder, progress.of)
    for problem in problems:
        print(f"{problem.path}: {problem.reason}")
    print(f"{count} entries, {len(problems)} damaged in {folder}")
    return 1 if problems else 0


_COMMANDS = {
    "viz": _viz, "compare": _compare, "explain": _explain, "profile": _profile, "cache": _cache,
    "info": _info, "clear-cache": _clear_cache,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
