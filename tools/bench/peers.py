"""Makes the peers' virtual environments, with pip from the index the user has configured.

    python -m tools.bench.peers [--peers jax,tf] [--env torch=PYTHON ...] [--folder DIR]

Pinned versions, one environment a peer under the cache folder; what is there already is kept. A
peer that is installed elsewhere is named by --env. tools.bench.run finds all of them afterwards.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.bench import environments

CHECK = (
    "import json, sys; from importlib import metadata;"
    "print(json.dumps({n: metadata.version(n) for n in sys.argv[1:]}))"
)


def main(argv: Sequence[str] | None = None) -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=",".join(environments.PINS))
    parser.add_argument("--env", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--folder", type=Path, default=environments.folder())
    args = parser.parse_args(argv)
    try:
        given = environments.pairs(args.env)
    except ValueError as error:
        parser.error(str(error))
    names = args.peers.split(",")
    if unknown := [n for n in names if n not in environments.PINS]:
        parser.error(f"unknown peers {unknown}; known: {', '.join(environments.PINS)}")
    failed = False
    for name in names:
        python = given.get(name)
        try:
            if python is None:
                python = create(name, args.folder / "envs" / name)
            print(f"{name}: {python}: {installed(name, python)}", flush=True)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
            continue
        environments.remember(args.folder, {name: python})
    return 1 if failed else 0


def create(name: str, folder: Path) -> str:
    """The environment with the pinned packages; the path of its Python."""
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pins = environments.PINS[name]
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *pins], check=True)
    return str(python)


def installed(name: str, python: str) -> str:
    """Its versions as text, with a word about those that are not the pinned ones."""
    packages = [p.partition("==")[::2] for p in environments.PINS[name]]
    done = subprocess.run(
        [python, "-c", CHECK, *(p for p, _ in packages)], check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout)
    words = []
    for package, pinned in packages:
        # a local part ("+cpu") names a build of the same version
        same = not pinned or found[package].partition("+")[0] == pinned
        words.append(f"{package} {found[package]}" + ("" if same else f" (pinned: {pinned})"))
    return ", ".join(words)


if __name__ == "__main__":
    sys.exit(main())
