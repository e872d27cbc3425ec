"""How large the viewer's page is and how fast, in a real browser: graphs of thousands of nodes.

    python -m tools.bench.viewer [--rounds 5]

Prints the table of docs/viewer.md. Needs Chromium and playwright. A frame is a step of the wheel
over the expanded graph; the page draws at most once in 16.7 ms.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graphc.inspect.page import page
from tests.inspect import sample

CASES: tuple[tuple[str, Callable[[int], dict[str, Any]], int], ...] = (
    ("in scopes", sample.big, 5_000),
    ("without scopes", sample.flat, 5_000),
    ("in scopes", sample.big, 20_000),
    ("without scopes", sample.flat, 20_000),
)
TIMED = """async (call) => {
  const pane = graphcView.pane(), start = performance.now();
  await (call === "all" ? pane.expandAll() : pane.toggle(call));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""
FIRST_CLOSED = "graphcView.pane().graph.scene.items.find((i) => i.tree && !i.container).key"
FRAMES = """async () => {
  const canvas = graphcView.pane().graph.canvas, times = [];
  let last = performance.now();
  for (let i = 0; i < 60; i++) {
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaX: 20, deltaY: i % 2 ? 40 : -40,
      shiftKey: i % 3 === 0, clientX: 400, clientY: 400, bubbles: true, cancelable: true }));
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - last);
    last = performance.now();
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.95)];
}"""


def measure(browser: Any, path: Path) -> list[float]:
    """Milliseconds: until it is drawn, one scope expanded, all, the slowest twentieth of frames."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    start = time.perf_counter()
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-ready]", timeout=120_000)
    taken = [(time.perf_counter() - start) * 1e3]
    taken.append(tab.evaluate(TIMED, tab.evaluate(FIRST_CLOSED)))
    taken.append(tab.evaluate(TIMED, "all"))
    tab.wait_for_timeout(500)
    taken.append(tab.evaluate(FRAMES))
    context.close()
    return taken


def main() -> None:
    """The table, one row a graph: medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    from playwright.sync_api import sync_playwright

    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    print("| graph | file | open | expand one | expand all | frame, p95 |")
    print("| --- | --- | --- | --- | --- | --- |")
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        browser = play.chromium.launch(executable_path=next(found), args=["--no-sandbox"])
        for name, make, count in CASES:
            path = Path(folder, "page.html")
            path.write_text(page(make(count)), "utf-8")
            taken = zip(*(measure(browser, path) for _ in range(rounds)), strict=True)
            opened, one, everything, frame = map(statistics.median, taken)
            print(
                f"| {count:,} nodes {name} | {path.stat().st_size / 1e6:.2f} MB | {opened:.0f} ms "
                f"| {one:.0f} ms | {everything / 1e3:.2f} s | {frame:.0f} ms |"
            )
        browser.close()


if __name__ == "__main__":
    main()
