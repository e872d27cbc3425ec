"""Profiles as text: steps and the user's lines by their time, memory, what building took.

Lives here: report, share_text, bar_text, spark. Not here: the numbers (inspect/profile.py),
pictures and pages (inspect/report.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.inspect.load import noise_text
from graphc.inspect.texts import count, duration, near, shortened, size, table
from graphc.runtime.trace import CPU

if TYPE_CHECKING:
    from graphc.inspect.profile import LineProfile, Memory, Profile, StepProfile

MANY = 25  # rows of a table
WIDE = 72  # of what a row says of its ops


def report(found: Profile) -> str:
    """All tables; steps and lines of no weight are summed up."""
    outside = max(found.seconds - found.inside, 0.0)
    lines = [
        f"{found.title}: {found.count} runs, {duration(found.seconds)} a run (half of them "
        f"{duration(found.low)} to {duration(found.high)}), {duration(found.inside)} in steps, "
        f"{duration(outside)} outside; first run {duration(found.first)}",
        f"limits measured here: {found.limits}",
        *filter(None, [noise_text(found.others)]),
        "",
        *table(_steps(found), left=1),
        "",
        "by line of your program (a step's time is shared out among the lines of its ops):",
        *table(_lines(found), left=0),
        "",
        *_memory(found),
        "building the plan, nothing found in a cache: "
        + ", ".join(f"{p.name} {duration(p.seconds)}" for p in found.phases if p.seconds > 5e-5),
    ]
    return "\n".join(lines)


def _steps(found: Profile) -> list[list[str]]:
    total = sum(s.seconds for s in found.steps) or 1.0
    rows = [["step", "time", "half of runs", "share", "bytes", "rate", "FLOPs", "rate",
             "of limit", "  what"]]  # fmt: skip
    steps = found.alike()
    for step in steps[:MANY]:
        rows.append(_step(found, step, total))
    rest = steps[MANY:]
    if rest:
        seconds, number = sum(s.seconds for s in rest), sum(s.count for s in rest)
        rows.append(["", duration(seconds), "", f"{seconds / total:.1%}", "", "", "", "", "",
                     f"  {number} more steps"])  # fmt: skip
    width = max(len(row[-1]) for row in rows)
    return [[*row[:-1], row[-1].ljust(width)] for row in rows]


def share_text(found: Profile, step: StepProfile) -> str:
    """How much of which limit a step reaches."""
    return f"{step.share:.0%} {step.bound}" if found.limits.measured else "-"


def bar_text(found: Profile, step: StepProfile) -> str:
    """What stands behind the bar of a step."""
    limit = f", {step.share:.0%} of the limit" if found.limits.measured else ""
    return f"{duration(step.seconds)}{limit}"


def _step(found: Profile, step: StepProfile, total: float) -> list[str]:
    turns = f" x{step.turns:.0f}" if step.turns > 1 else ""
    return [
        f"{step.number}{turns}",
        duration(step.seconds),
        f"{step.low * 1e6:.1f} to {step.high * 1e6:.1f}",
        f"{step.seconds / total:.1%}",
        size(step.nbytes),
        count(step.bandwidth, "B/s"),
        count(step.flops) if step.flops else "-",
        count(step.arithmetic, "FLOP/s") if step.flops else "-",
        share_text(found, step),
        f"  {step.kind} {title(step)}: {shortened(', '.join(step.ops), WIDE)}",
    ]


def title(step: StepProfile) -> str:
    """The step's name; of several alike also how many."""
    return step.name if step.count == 1 else f"{step.name} ({step.count} alike)"


def _lines(found: Profile) -> list[list[str]]:
    total = sum(entry.seconds for entry in found.lines) or 1.0
    rows = [["time", "forward", "gradient", "share", "bytes", "  line"]]
    for entry in found.lines[:MANY]:
        rows.append(_line(entry, total))
    width = max(len(row[-1]) for row in rows)
    return [[*row[:-1], row[-1].ljust(width)] for row in rows]


def _line(entry: LineProfile, total: float) -> list[str]:
    return [
        duration(entry.seconds),
        duration(entry.forward) if entry.forward else "-",
        duration(entry.gradient) if entry.gradient else "-",
        f"{entry.seconds / total:.1%}",
        size(entry.nbytes),
        f"  {near(entry.line)}",
    ]


def _memory(found: Profile) -> list[str]:
    out = [f"memory held through the run (variables, feeds, results): {size(found.held_bytes)}"]
    for stage in found.memory:
        if not stage.alive or not stage.arena:
            continue
        most = max(stage.alive)
        name = f" of stage {stage.stage}" if len(found.memory) > 1 else ""
        out.append(
            f"temporaries{name}: at most {size(most)} in use, at step {stage.alive.index(most)}, "
            f"in an arena of {size(stage.arena)}{_where(stage)}  {spark(stage)}"
        )
    return out


def _where(stage: Memory) -> str:
    return "" if stage.device == CPU else f" on {stage.device}"


_BARS = " .:-=+*#%@"


def spark(stage: Memory, width: int = 48) -> str:
    """The memory over the steps as one line of characters, the most in each part."""
    steps = len(stage.alive)
    most = max(max(stage.alive), 1)
    parts = min(width, steps)
    out = []
    for k in range(parts):
        part = stage.alive[k * steps // parts : (k + 1) * steps // parts]
        out.append(_BARS[round(max(part) / most * (len(_BARS) - 1))])
    return f"[{''.join(out)}]"
