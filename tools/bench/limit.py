"""The machine's own limits, by a small C program; prints lines like the worker's.

    python -m tools.bench.limit [--threads N]

Needs the machine's C compiler (`cc`, or $CC) with OpenMP; says so and exits with 3 without one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.bench.load import Load, wait_for_quiet

SOURCE = Path(__file__).with_name("limits.c")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp")
WORKS = {"chain": "W2", "chain_streamed": "W2", "multiply_add": "FMA"}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        print("no C compiler: the limits are not measured", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "limits")
        subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", program, "-lm"], check=True)
        wait_for_quiet(2.0)
        with Load() as load:
            done = subprocess.run(
                [program, str(args.threads)], check=True, capture_output=True, text=True
            )
    print(json.dumps({"versions": {"cc": version(compiler)}}))
    for text in done.stdout.splitlines():
        line = json.loads(text)
        line |= {"work": WORKS[line["variant"]], "ok": True, "foreign": round(load.foreign, 3)}
        print(json.dumps(line))
    return 0


def version(compiler: str) -> str:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0].removeprefix("cc ")


if __name__ == "__main__":
    sys.exit(main())
