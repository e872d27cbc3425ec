"""A profile as a trace for Chrome's viewer and Perfetto.

Lives here: chrome_trace, trace_text. Not here: recording (inspect/profile.py), TF1's Timeline
(tf1/timeline.py).

Processes of the trace: what building the plan took, then the runs one after the other: a row of
runs, a row of steps (of a plan for a GPU, one for each device and one for the host), a row
of its own for each step that a loop runs several times, and the arena's memory as a counter.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from graphc.inspect.texts import near
from graphc.runtime.trace import CPU

if TYPE_CHECKING:
    from graphc.inspect.profile import Event, Profile, StepProfile

BUILD, RUNS = 1, 2  # processes
RUN_ROW, STEP_ROW, GPU_ROW, LOOP_ROWS = 1, 2, 3, 40  # threads
MAX_EVENTS = 50_000  # of steps; the first runs are kept
GAP = 5.0  # microseconds between runs


def trace_text(profile: Profile) -> str:
    """The trace as JSON."""
    return json.dumps(chrome_trace(profile), separators=(",", ":"))


def chrome_trace(profile: Profile) -> dict[str, Any]:
    """The trace event format: complete events (X), counters (C), names (M); microseconds."""
    events = [_name("process_name", BUILD, 0, "building the plan"),
              _name("process_name", RUNS, 0, f"runs of {profile.title}"),
              _name("thread_name", BUILD, 1, "passes and compilation"),
              _name("thread_name", RUNS, RUN_ROW, "runs"),
              _name("thread_name", RUNS, STEP_ROW, "steps")]  # fmt: skip
    gpus = sorted({s.device for s in profile.steps} - {CPU})
    places = {CPU: STEP_ROW, **{name: GPU_ROW + k for k, name in enumerate(gpus)}}
    events += [_name("thread_name", RUNS, places[name], name) for name in gpus]
    at = 0.0
    for phase in profile.phases:
        events.append(_span(phase.name, "build", BUILD, 1, at, phase.seconds * 1e6, {}))
        at += phase.seconds * 1e6
    steps = {(s.stage, s.number): s for s in profile.steps}
    looped = sorted({(e.stage, e.number) for run in profile.runs for e in run if e.turns > 1})
    rows = {key: LOOP_ROWS + k for k, key in enumerate(looped)}
    for key, row in rows.items():
        events.append(_name("thread_name", RUNS, row, f"in a loop: {steps[key].name}"))
    alive = {m.stage: m.alive for m in profile.memory}
    count = 0
    for number, run in enumerate(profile.runs):
        count += len(run)
        if number and count > MAX_EVENTS:
            break
        end = max((e.end for e in run), default=0.0) * 1e6
        events.append(_span(f"run {number}", "run", RUNS, RUN_ROW, at, end, {}))
        for event in run:
            key = (event.stage, event.number)
            row = rows.get(key, places[steps[key].device])
            events.append(_step(event, steps[key], row, at))
            events.append({
                "ph": "C", "name": f"arena of stage {event.stage}", "pid": RUNS, "tid": 0,
                "ts": round(at + event.start * 1e6, 3),
                "args": {"bytes": alive[event.stage][event.number]},
            })  # fmt: skip
        at += end + GAP
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"title": profile.title, "runs": profile.count},
    }


def _step(event: Event, step: StepProfile, row: int, at: float) -> dict[str, Any]:
    args = {
        "kind": step.kind, "device": step.device, "ops": ", ".join(step.ops),
        "lines": "\n".join(map(near, step.lines)), "bytes": step.nbytes, "flops": step.flops,
        "turns": event.turns, "busy_us": round(event.busy * 1e6, 3),
        "GB_per_s": round(step.bandwidth / 1e9, 3), "GFLOP_per_s": round(step.arithmetic / 1e9, 3),
        "of_limit": round(step.share, 4),
    }  # fmt: skip
    length = (event.end - event.start) * 1e6
    return _span(step.name, step.kind, RUNS, row, at + event.start * 1e6, length, args)


def _span(
    name: str, category: str, process: int, thread: int, start: float, length: float,
    args: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    return {
        "ph": "X", "name": name, "cat": category, "pid": process, "tid": thread,
        "ts": round(start, 3), "dur": round(max(length, 0.001), 3), "args": args,
    }  # fmt: skip


def _name(kind: str, process: int, thread: int, text: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": text}}
