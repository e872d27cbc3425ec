"""How much of the TF1 interface that scripts use is there.

    python tools/tf1_coverage.py symbols.csv [--missing 40] [--rank core]

The CSV has the columns symbol, greedy_rank_core and greedy_rank_all, and may have scripts_of_961.
The ranks say in which order symbols complete the most scripts. A symbol exists when its path from
graphc resolves; one that graphc names as unsupported, with a reason, is an exception. The program
ends with 1 where a symbol within a limit is missing without a reason, or where more than
--exceptions of them have one.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path

LIMITS = {"greedy_rank_core": 368, "greedy_rank_all": 507}
MAX_EXCEPTIONS = 25
# rows that stand for many modules
FAMILIES = {
    "tf.examples.<other>": "only the MNIST tutorial's modules are there, no programs",
    "tf.models": "the models of TensorFlow's repository; graphc.models are others",
}


@dataclass(frozen=True)
class Symbol:
    """One row: "tf.nn.relu", its ranks (None where it has none), how many scripts use it."""

    name: str
    ranks: dict[str, int | None]
    scripts: int


@dataclass
class Report:
    """What was found of the first `limit` symbols by one rank."""

    rank: str
    limit: int
    present: list[Symbol] = field(default_factory=list)
    missing: list[tuple[Symbol, str]] = field(default_factory=list)
    excepted: list[tuple[Symbol, str]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.present) + len(self.missing) + len(self.excepted)


def read_symbols(path: str | Path) -> list[Symbol]:
    """The rows. Raises ValueError where a column is missing."""
    with Path(path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = {"symbol", *LIMITS}
    lacking = wanted - set(rows[0] if rows else ())
    if lacking:
        raise ValueError(f"{path} has no column {', '.join(sorted(lacking))}")
    return [
        Symbol(
            row["symbol"],
            {rank: int(row[rank]) if row[rank] else None for rank in LIMITS},
            int(row.get("scripts_of_961") or 0),
        )
        for row in rows
    ]


def absence(symbol: str) -> str | None:
    """None where the symbol resolves, else the text of the error on the way to it."""
    import graphc

    root, *parts = symbol.split(".")
    if symbol == "tf.python.<internal>":
        # inner modules stand behind install_as_tensorflow
        parts = ["install_as_tensorflow"]
    if root == "keras":
        parts = ["keras", *parts]
    found: object = graphc
    walked = ["graphc"]
    for part in parts:
        try:
            found = getattr(found, part)
        except AttributeError as error:
            # a module below that nothing has imported yet
            try:
                found = importlib.import_module(".".join([*walked, part]))
            except ImportError:
                return str(error)
        except Exception as error:  # a broken module counts as missing, not as the end
            return f"{type(error).__name__}: {error}"
        walked.append(part)
    return None


def canonical(symbol: str) -> str:
    """The name in the table of unsupported ones: Keras stands under tf."""
    return f"tf.{symbol}" if symbol.startswith("keras.") else symbol


def report(symbols: list[Symbol], rank: str, limit: int) -> Report:
    """Sorts the first `limit` symbols by a rank into present, missing and excepted."""
    from graphc._unsupported import reason_of

    found = Report(rank, limit)
    ranked = [(s.ranks[rank] or 0, s) for s in symbols if s.ranks[rank] is not None]
    for place, symbol in sorted(ranked, key=lambda pair: pair[0]):
        if place > limit:
            break
        why = absence(symbol.name)
        reason = FAMILIES.get(symbol.name) or reason_of(canonical(symbol.name))
        if why is None and symbol.name not in FAMILIES:
            found.present.append(symbol)
        elif reason is not None:
            found.excepted.append((symbol, reason))
        else:
            found.missing.append((symbol, why))
    return found


def show(found: Report, at_most: int) -> None:
    rank = found.rank
    share = len(found.present) / found.total if found.total else 1.0
    print(
        f"{rank}: {len(found.present)} of the first {found.total} symbols exist ({share:.1%}), "
        f"{len(found.excepted)} are unsupported by name, {len(found.missing)} are missing"
    )
    for symbol, reason in found.excepted:
        print(f"  except {symbol.ranks[rank]:>4}  {symbol.name}: {reason}")
    for symbol, why in found.missing[:at_most]:
        print(f"  miss   {symbol.ranks[rank]:>4}  {symbol.name} ({symbol.scripts} scripts): {why}")
    hidden = len(found.missing) - at_most
    if hidden > 0:
        print(f"  ... and {hidden} more (--missing {len(found.missing)} shows all)")


def first_gap(found: Report) -> int:
    """The rank of the first symbol that is not there; 0 where all are."""
    places = [s.ranks[found.rank] or 0 for s, _ in [*found.missing, *found.excepted]]
    return min(places, default=0)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Coverage of the TF1 symbols that scripts use.")
    parser.add_argument("symbols", help="a CSV of symbols and ranks")
    parser.add_argument("--missing", type=int, default=40, help="how many missing ones to list")
    parser.add_argument("--rank", choices=("core", "all"), help="only this ranking")
    parser.add_argument("--limit", type=int, help="the first so many symbols")
    parser.add_argument("--exceptions", type=int, default=MAX_EXCEPTIONS)
    args = parser.parse_args(argv)
    try:
        symbols = read_symbols(args.symbols)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    ranks = [f"greedy_rank_{args.rank}"] if args.rank else list(LIMITS)
    reports = [report(symbols, rank, args.limit or LIMITS[rank]) for rank in ranks]
    for found in reports:
        show(found, args.missing)
        gap = first_gap(found)
        print(f"  all of the first {gap - 1 if gap else found.total} exist")
    excepted = {s.name for found in reports for s, _ in found.excepted}
    if len(excepted) > args.exceptions:
        print(f"{len(excepted)} symbols are unsupported by name; at most {args.exceptions} may be")
        return 1
    return 1 if any(found.missing for found in reports) else 0


if __name__ == "__main__":
    # run as a file, the folder above holds graphc
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(main())
