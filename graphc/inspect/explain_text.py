"""Explanations as text: a summary that fits on a screen, and the whole.

Lives here: summary, with_lines, details. Not here: what is said (inspect/explain.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphc.inspect.texts import count, duration, near, shortened, size

if TYPE_CHECKING:
    from graphc.inspect.explain import Explanation, Member, RefusalReport, StepReport

MANY_OPS = 5  # of a step, that the summary names
WIDE = 100  # what the summary says of a step's ops
MANY_REFUSALS = 12  # that the summary shows
_MARKS = ("loop", "while", "if", "else", "end")


def summary(found: Explanation) -> str:
    """A line a step, and the refusals that cost most."""
    lines = [head(found)]
    several = _several(found)
    for number, step in enumerate(found.steps):
        lines.append(_line(number, step, _few(step.ops), several))
    if found.refusals:
        lines.append("not fused:")
    costly = sorted(found.refusals, key=lambda r: -r.nbytes)
    for r in costly[:MANY_REFUSALS]:
        lines.append(f"  {r.producer} -> {r.consumer} ({size(r.nbytes)}): {r.reason}")
    if len(costly) > MANY_REFUSALS:
        rest = costly[MANY_REFUSALS:]
        lines.append(f"  {len(rest)} more, of at most {size(rest[0].nbytes)}: see details()")
    return "\n".join(lines)


def head(found: Explanation) -> str:
    """One line about all of it."""
    flops = f"{count(found.flops, 'FLOP')}, " if found.flops else ""
    kernels = len(found.kernels)
    where = f" on {found.device}" if found.device else ""
    return (
        f"{kernels} kernel{'s' * (kernels != 1)}{where}, {flops}{size(found.bytes_moved)} moved a "
        f"run, {size(found.bytes_saved)} saved by fusion, arena {size(found.arena_bytes)} "
        f"({size(found.arena_requested)} without reuse)"
    )


def _several(found: Explanation) -> bool:
    """Whether more than one GPU takes part."""
    return len({s.device for s in found.steps if s.launches}) > 1


def _line(number: int, step: StepReport, ops: str, several: bool) -> str:
    time = f", {duration(step.seconds / step.calls)}" if step.calls else ""
    ops = f" = {ops}" if ops else ""
    start = f"  {number:3d} {'  ' * step.depth}{step.kind:6s}"
    if step.kind in _MARKS:
        return start.rstrip() + (f"{ops}{time}" if ops else "")
    grids = " + ".join(f"{one.blocks:,} x {one.threads}" for one in step.launches)
    grid = f", {grids} threads" if grids else ""
    where = f" on {step.device.removeprefix('/device:')}" if several and grids else ""
    return f"{start} {step.name}{ops}  [{size(step.nbytes)}{time}{grid}{where}]"


def _counted(names: Sequence[str]) -> list[str]:
    """a, b x3: names in order, each once."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return [n if c == 1 else f"{n} x{c}" for n, c in counts.items()]


def _few(names: Sequence[str]) -> str:
    found = _counted(names)
    if len(found) > MANY_OPS + 1:
        left = len(found) - MANY_OPS
        found = [*found[: MANY_OPS - 2], f"{left} more", *found[-2:]]
    return shortened(" + ".join(found), WIDE)


def with_lines(found: Explanation) -> str:
    """The steps, each with the user's lines behind it."""
    out = []
    for number, step in enumerate(found.steps):
        out.append(f"  {number:3d} {step.kind:6s} {step.name}")
        out.extend(f"        {near(line)}" for line in step.lines)
    return "\n".join(out)


def details(found: Explanation) -> str:
    """All that is known of each step, and every refusal with what would change it."""
    out = [head(found)]
    for number, step in enumerate(found.steps):
        out += _step(number, step, _several(found))
    if found.refusals:
        out.append("not fused, the most bytes first:")
    for r in sorted(found.refusals, key=lambda r: -r.nbytes):
        out += _refusal(r)
    return "\n".join(out)


def _step(number: int, step: StepReport, several: bool) -> list[str]:
    pad = " " * (8 + 2 * step.depth)
    out = [_line(number, step, "" if step.members else _few(step.ops), several)]
    if step.members:
        out += [f"{pad}{line}" for line in _members(step.members)]
    if step.fusions:
        out.append(f"{pad}fused because:")
    for f in step.fusions:
        times = f", {f.count} times" if f.count > 1 else ""
        inside = f.producer == f.consumer
        who = f"inside {f.consumer}" if inside else f"{f.producer} -> {f.consumer}"
        saved = f" ({size(f.nbytes)} saved)" if f.nbytes else ""
        out.append(f"{pad}  {who}{times}: {f.reason}{saved}")
    if step.shared_bytes:
        saved = size(step.shared_bytes)
        out.append(f"{pad}  what several of them read is read once ({saved} saved)")
    out += [f"{pad}{line}" for line in step.tile.splitlines()]
    if step.pieces:
        out.append(f"{pad}{step.pieces}")
    for one in step.launches:
        out.append(f"{pad}{one.reason}")
        if one.remedy:
            out.append(f"{pad}  to change it: {one.remedy}")
    return out


def _members(members: Sequence[Member]) -> list[str]:
    """A line an op of the user, with what it became and where it was made."""
    ops: dict[tuple[str, str], list[str]] = {}
    for member in members:
        ops.setdefault((member.name, member.line), []).append(member.op)
    return [
        f"{name} ({', '.join(_counted(parts))}){f'  {near(line)}' if line else ''}"
        for (name, line), parts in ops.items()
    ]


def _refusal(r: RefusalReport) -> list[str]:
    out = [f"  {r.producer} -> {r.consumer} ({size(r.nbytes)}): {r.reason}"]
    return [*out, f"      to change it: {r.remedy}"] if r.remedy else out
