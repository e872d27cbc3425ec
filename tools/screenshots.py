"""Pictures of a viewer's page, taken in a real browser, light and dark.

    python -m tools.screenshots PAGE.html -o STEM [--view kernels] [--width 1280]

Writes STEM_light.png and STEM_dark.png. Needs Chromium and playwright. A view is the page's own
address behind the #, as `kernels`, `passes&stage=2` or `kernels&step=fused:8`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HEIGHT = 800
COLOURS = 256  # enough for flat colours; the file is a third as large


def take(page: Path, stem: str, view: str = "kernels", width: int = 1280) -> list[Path]:
    """The two pictures of a page; none where no browser can be driven."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        print("no picture of the page: it needs Chromium and playwright", file=sys.stderr)
        return []
    taken = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            tab = browser.new_page(
                viewport={"width": width, "height": HEIGHT},
                color_scheme=scheme,
                reduced_motion="reduce",
            )
            tab.goto(f"{page.resolve().as_uri()}#{view}")
            tab.wait_for_selector("html[data-ready]", timeout=60_000)
            tab.evaluate("graphcView.pane() && graphcView.pane().graph.fit(false)")
            tab.wait_for_timeout(500)
            path = Path(f"{stem}_{scheme}.png")
            tab.screenshot(path=path)
            _shrink(path)
            taken.append(path)
        browser.close()
    return taken


def _shrink(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("-o", "--output", required=True, metavar="STEM")
    parser.add_argument("--view", default="kernels")
    parser.add_argument("--width", type=int, default=1280)
    args = parser.parse_args()
    for path in take(args.page, args.output, args.view, args.width):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
