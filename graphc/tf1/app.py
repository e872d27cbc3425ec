"""tf.app.run: parses the flags, calls main and ends the program with its result.

Lives here: run. Not here: flags (flags.py). Imports flags.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from graphc.tf1.flags import FLAGS, Error

__all__ = ["run"]


def run(
    main: Callable[[list[str]], Any] | None = None, argv: Sequence[str] | None = None
) -> NoReturn:
    """Runs the program: sys.exit(main(arguments that are no flags)).

    Args:
        main: the function; the one called `main` of the program's file if None.
        argv: the command line, sys.argv if None; flags that are not defined stay in it.

    Raises:
        SystemExit: always. With 1 where a flag has a value that is not understood; the reason is
        written to stderr. AttributeError: no main was given and the program has none.
    """
    if main is None:
        main = getattr(sys.modules["__main__"], "main", None)
    if main is None:
        raise AttributeError("tf.app.run() calls main(argv); the program defines no function main")
    try:
        rest = FLAGS(sys.argv if argv is None else argv, known_only=True)
    except Error as error:
        sys.stderr.write(
            f"FATAL Flags parsing error:\n  {error}\n"
            "Pass --helpshort or --helpfull to see help on flags.\n"
        )
        sys.exit(1)
    sys.exit(main(rest))
