"""Comparisons and profiles as pictures for papers: PNG files by matplotlib.

Lives here: compare_png, profile_png. Not here: pictures in reports (inspect/charts.py). matplotlib
comes with the extra `examples`; nothing else in inspect needs it but pictures.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphc.inspect.charts import Point, cut, middle_run, roof, side_points, time_bars
from graphc.inspect.limits import Limits
from graphc.inspect.profile_text import bar_text
from graphc.inspect.texts import OutputError, count, duration, shortened, size

if TYPE_CHECKING:
    from graphc.inspect.compare import Comparison
    from graphc.inspect.profile import Profile, StepProfile

COLOURS = {
    "fused": "#2563eb", "unfused": "#e08a1e", "reference": "#8a94a6", "tile": "#2563eb",
    "gemm": "#2563eb", "kernel": "#e08a1e", "chain": "#0f9d7a", "rows": "#c2410c",
    "pack": "#c2410c", "copy": "#c2410c", "host": "#8a94a6", "cuda": "#0f9d7a",
    "cuda_unfused": "#c2410c",
}  # fmt: skip
_INK, _SOFT, _GRID, _LOOP = "#1d2230", "#5d6575", "#e3e5ea", "#c3c9d4"
DPI = 110


def _pyplot() -> Any:
    """matplotlib's figures, without a window. Raises OutputError where it is not installed."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise OutputError(
            "pictures as PNG need matplotlib: pip install 'graphc[examples]' (SVG and HTML do not)"
        ) from None
    matplotlib.rcParams.update({
        "font.size": 9, "axes.edgecolor": _GRID, "axes.labelcolor": _SOFT, "text.color": _INK,
        "xtick.color": _SOFT, "ytick.color": _SOFT, "axes.titlesize": 10,
        "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "font.family": "sans-serif",
    })  # fmt: skip
    return Figure


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI, facecolor="white", metadata={"Software": "graphc"})
    return out.getvalue()


def _plain(text: str) -> str:
    """The text without matplotlib's mathematics."""
    return text.replace("$", r"\$")


def _bars(
    axes: Any, names: Sequence[str], values: Sequence[float], texts: Sequence[str],
    colours: Sequence[str], spreads: Sequence[tuple[float, float]] = (),
) -> None:  # fmt: skip
    """Horizontal bars with their texts behind them."""
    places = range(len(names))
    axes.barh(places, values, color=colours, height=0.62, zorder=2)
    ends = list(values)
    for place, (low, high) in zip(places, spreads, strict=False):
        axes.plot([low, high], [place, place], color=_INK, linewidth=1.2, zorder=3)
        ends[place] = max(ends[place], high)
    most = max(ends, default=1.0) or 1.0
    for place, end, text in zip(places, ends, texts, strict=True):
        axes.text(end + 0.02 * most, place, _plain(text), va="center", fontsize=8.5)
    axes.set_yticks(list(places), [_plain(n) for n in names])
    axes.set_xlim(0, most * 1.34)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)


def _roofline(axes: Any, points: Sequence[Point], limits: Limits) -> None:
    shown = [p for p in points if p.intensity > 0 and p.arithmetic > 0]
    top = limits.flops_of("float32")
    left = min([p.intensity for p in shown] + [0.05]) / 2
    right = max([p.intensity for p in shown] + [100.0]) * 2
    for name, bandwidth in roof(limits):
        ridge = top / bandwidth
        axes.plot([left, ridge, right], [left * bandwidth, top, top], color=_SOFT, linewidth=1.1,
                  linestyle=(0, (5, 3)), zorder=1)  # fmt: skip
        axes.annotate(
            f"{name} {count(bandwidth, 'B/s')}", (ridge, top), xytext=(0, 4),
            textcoords="offset points", ha="left" if name == "memory" else "right", fontsize=7.5,
            color=_SOFT,
        )  # fmt: skip
    for p in shown:
        axes.scatter(
            p.intensity, p.arithmetic, s=18 + 420 * p.weight, color=COLOURS.get(p.kind, _SOFT),
            alpha=0.75, zorder=3, linewidths=0,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    low = min([p.arithmetic for p in shown] + [top / 1e3])
    axes.set_ylim(low / 2, top * 2.5)
    axes.set_xlabel("operations a byte")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda v, _: count(v, "FLOP/s").replace(".0 ", " "))
    axes.minorticks_off()
    axes.grid(color=_GRID, linewidth=0.7, zorder=0)
    axes.set_title(f"limit here: {count(top, 'FLOP/s')} float32")


# ------------------------------------------------------------------ comparisons
def compare_png(found: Comparison) -> bytes:
    """Time, bytes, kernels and the roofline of the sides. Raises OutputError."""
    on_gpu = side_points(found, True)
    figure = _pyplot()(figsize=(13.5 if on_gpu else 9, 5.4), layout="constrained")
    (times, moved, *gpu), (kernels, rates, *blank) = figure.subplots(2, 3 if on_gpu else 2)
    colours = [COLOURS[s.name] for s in found.timed()]
    shown = cut(time_bars(found))
    _bars(
        times, [b.name for b in shown], [b.value for b in shown], [b.text for b in shown], colours,
        [(b.low, b.high) for b in shown],
    )  # fmt: skip
    times.set_title("time of a run (line: 8 of 10 blocks)")
    counted = [s for s in found.sides if s.launches]
    for axes, values, form in (
        (moved, [s.work.nbytes for s in counted], size),
        (kernels, [s.launches for s in counted], str),
    ):
        texts = [form(v) for v in values]
        _bars(axes, [s.name for s in counted], values, texts, [COLOURS[s.name] for s in counted])
    moved.set_title("bytes moved in a run")
    kernels.set_title("kernels (reference: ops)")
    _roofline(rates, side_points(found, False), found.limits)
    for axes in gpu:
        assert found.gpu_limits is not None
        _roofline(axes, on_gpu, found.gpu_limits)
    for axes in blank:
        axes.set_axis_off()
    figure.suptitle(_plain(found.title), x=0.01, ha="left", fontsize=12, fontweight="bold")
    return _png(figure)


# ------------------------------------------------------------------ profiles
def profile_png(found: Profile) -> bytes:
    """The steps by time, the roofline, one run step by step, memory. Raises OutputError."""
    figure = _pyplot()(figsize=(11, 7), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=(4.4, 0.7, 1.1), width_ratios=(1.5, 1))
    steps = found.alike()[:14]
    total = sum(s.seconds for s in found.steps) or 1.0
    axes = figure.add_subplot(grid[0, 0])
    _bars(
        axes, [f"{s.number}  {shortened(s.name, 34)}{_times(s)}" for s in steps],
        [s.seconds for s in steps],
        [bar_text(found, s) for s in steps],
        [COLOURS.get(s.kind, _SOFT) for s in steps], [(s.low, s.high) for s in steps],
    )  # fmt: skip
    axes.set_title(f"steps by time: {duration(found.seconds)} a run")
    points = [
        Point(s.name, s.flops / s.nbytes, s.arithmetic, s.seconds / total, s.kind)
        for s in found.steps
        if s.nbytes and s.flops
    ]
    if found.limits.measured:
        _roofline(figure.add_subplot(grid[0, 1]), points, found.limits)
    _run(figure.add_subplot(grid[1, :]), found)
    _memory(figure.add_subplot(grid[2, :]), found)
    title = f"{found.title}: profile of {found.count} runs"
    figure.suptitle(_plain(title), x=0.01, ha="left", fontsize=12, fontweight="bold")
    return _png(figure)


def _times(step: StepProfile) -> str:
    return f"  x{step.count}" if step.count > 1 else ""


def _run(axes: Any, found: Profile) -> None:
    """The run nearest to the median."""
    for span in middle_run(found):
        axes.barh(
            float(span.row), (span.end - span.start) * 1e6, left=span.start * 1e6, height=0.86,
            color=COLOURS.get(span.kind, _LOOP), edgecolor="white", linewidth=0.4,
        )  # fmt: skip
    axes.set_yticks([])
    axes.set_title("one run, step by step (us); gray: loops")
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.005)


def _memory(axes: Any, found: Profile) -> None:
    alive = [b for stage in found.memory for b in stage.alive]
    axes.stairs(alive, range(len(alive) + 1), fill=True, color=COLOURS["fused"], alpha=0.35)
    axes.set_title("temporaries in use at each step")
    axes.yaxis.set_major_formatter(lambda value, _: size(value))
    axes.set_xlim(0, max(len(alive), 1))
    axes.set_ylim(0, None)
    axes.set_xlabel("step")
