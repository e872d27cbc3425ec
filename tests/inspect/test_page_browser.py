"""The viewer's page in a real browser: search, scopes, passes, kernels, plans side by side."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphc.inspect.page import page

from . import sample

api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

VIEWS = ("graph", "passes", "kernels", "schedule", "compare", "lines")
# boxes on the screen: a key or title -> its middle
MIDDLE = """(find) => {
  const g = graphcView.pane().graph, s = g.scene, box = g.canvas.getBoundingClientRect();
  const i = s.items.findIndex((item) => item.key === find || item.title === find);
  if (i < 0) return null;
  return [box.left + (s.x[i] + s.w[i] / 2 - g.camera.x) * g.camera.k,
          box.top + (s.y[i] + s.h[i] / 2 - g.camera.y) * g.camera.k];
}"""
HEADER = MIDDLE.replace("s.w[i] / 2", "30").replace("s.h[i] / 2", "14")
TITLES = "graphcView.pane().graph.scene.items.map((i) => i.title)"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as play:
        launched = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a document's page; at the end: no errors, nothing asked for but the file itself."""
    faults: list[str] = []
    contexts = []

    def open_page(document: dict[str, Any], width: int = 1280, mark: str = "", **more: Any) -> Any:
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(page(document), "utf-8", "surrogatepass")
        size = {"width": width, "height": 800}
        context = browser.new_context(viewport=size, reduced_motion="reduce", **more)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda m: faults.append(m.text) if m.type in _BAD else None)
        tab.on("pageerror", lambda e: faults.append(str(e)))
        tab.on("dialog", lambda d: faults.append(d.message))
        tab.on("request", lambda r: faults.append(r.url) if _outside(r.url, path) else None)
        tab.goto(path.as_uri() + mark)
        tab.wait_for_selector("html[data-ready]", timeout=60_000)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


_BAD = ("error", "warning")


def _outside(url: str, path: Path) -> bool:
    return not url.startswith((path.as_uri(), "blob:", "data:"))


def until(tab: Any, expression: str) -> None:
    """Waits for a truth. (The page's own rules forbid the texts that the browser would poll.)"""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def view(tab: Any, name: str) -> None:
    tab.click(f'[data-view="{name}"]')
    tab.wait_for_selector(f'html[data-shown="{name}"]')


def click_box(tab: Any, find: str, double: bool = False) -> None:
    tab.evaluate("graphcView.pane().graph.fit(false)")
    x, y = tab.evaluate(MIDDLE, find)
    (tab.mouse.dblclick if double else tab.mouse.click)(x, y)


def test_every_view_opens(opened: Open) -> None:
    tab = opened(sample.training())
    for name in VIEWS:
        view(tab, name)
        assert tab.evaluate("location.hash").startswith("#" + name)
    assert tab.title() == "training step of 3 layers"


def test_search_finds_and_goes_there(opened: Open) -> None:
    tab = opened(sample.big(500))
    tab.keyboard.press("/")
    tab.keyboard.type("op:matmul block_3/mlp")
    counted = "(document.querySelector('.results .count') || {}).textContent"
    until(tab, f"{counted} === '3 ops'")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".details.chosen")
    assert tab.text_content(".details h2") == "matmul"
    assert tab.text_content(".details .fullname") == "block_3/mlp/MatMul"
    # its scopes were opened for it, and it is chosen
    assert "mlp" in tab.evaluate(TITLES)
    assert tab.evaluate("[...graphcView.pane().graph.look.selected].length") == 1
    for text, count in (("op:variable shape:64,64", "30 ops"), ("dtype:f64", "nothing found")):
        tab.fill(".search input", text)
        until(tab, f"{counted} === {count!r}")


def test_scopes_open_and_close(opened: Open) -> None:
    tab = opened(sample.big(500))
    before = tab.evaluate(TITLES)
    assert "gradients" in before and "add_grad_210" not in before
    closed = "graphcView.pane().graph.scene.items.filter((i) => i.tree && !i.container)"
    click_box(tab, tab.evaluate(closed + "[0].key"), double=True)
    until(tab, f"{TITLES}.length > {len(before)}")
    tab.keyboard.press("Shift+E")
    until(tab, TITLES + ".length > 400")
    tab.keyboard.press("Shift+C")
    until(tab, TITLES + ".length < 30")
    click_box(tab, "block_2", double=True)
    until(tab, TITLES + ".includes('attention')")
    click_box(tab, "block_2")  # a click shows it, a second double one closes it
    x, y = tab.evaluate(HEADER, "block_2")
    tab.mouse.dblclick(x, y)
    until(tab, "!" + TITLES + ".includes('attention')")


def test_a_scope_tells_what_is_in_it(opened: Open) -> None:
    tab = opened(sample.big(500))
    tab.keyboard.press("Shift+C")
    until(tab, TITLES + ".length < 30")
    click_box(tab, "block_2")
    tab.wait_for_selector(".details.chosen")
    assert tab.text_content(".details h2") == "block_2"
    assert "matmul" in tab.text_content(".details .bars")
    tab.keyboard.press("e")
    until(tab, TITLES + ".includes('attention')")


def test_passes_say_which_rule_fired_where(opened: Open) -> None:
    tab = opened(sample.training())
    view(tab, "passes")
    assert tab.text_content(".rail h2") == "fold"  # the first pass with a rule
    assert tab.text_content(".rules summary b") == "multiply_by_one"
    assert "x * 1 -> x" in tab.text_content(".rules summary")
    marks = "Object.fromEntries(graphcView.pane().graph.scene.items.map((i) => [i.title, i.mark]))"
    assert tab.evaluate(marks)["multiply"] in ("removed", "kept")
    assert tab.text_content(".change .minus") == "6 gone"  # three products by one, three ones
    assert not tab.query_selector(".change .plus")  # what was made anew is no new thing
    tab.click(".rules summary")
    tab.click(".events .event")
    tab.wait_for_selector(".details.chosen")
    assert tab.text_content(".details h2") == "multiply_by_one"
    tab.click('[data-mode="before"]')
    until(tab, marks + ".multiply !== undefined")
    before = tab.evaluate(TITLES + ".length")
    tab.click('[data-mode="after"]')
    until(tab, f"{TITLES}.length < {before}")
    tab.focus("input[type=range]")
    tab.keyboard.press("ArrowRight")
    until(tab, "document.querySelector('.rail h2').textContent === 'merge'")
    tab.focus("canvas.graph")
    tab.keyboard.press("[")
    tab.keyboard.press("[")
    until(tab, "document.querySelector('.rail h2').textContent === 'start'")
    assert "nothing changed" in tab.text_content(".change")


def test_a_gpus_kernels_name_what_they_show(opened: Open) -> None:
    document = sample.training()
    plan = document["plans"]["fused"]
    step, plan["device"] = plan["steps"][0], "GPU:0 H200"
    step["device"] = "GPU:0"
    plan["code"][step["code"]] |= {
        "llvm": "", "numba": "# a kernel\n\nfrom numba import cuda\n",
        "asm": "// a kernel: nothing spilt\n//\n\n.version 9.0\n.target sm_90\n",
        "tile": "1 block of 64 on H200 (a warp a row)",
    }  # fmt: skip
    tab = opened(document)
    view(tab, "schedule")
    tab.wait_for_selector('text="arena on GPU:0 H200"')
    view(tab, "kernels")
    click_box(tab, "kernel:0")
    tab.wait_for_selector(".details .codes [role=tab]")
    assert tab.locator(".codes [role=tab]").all_text_contents() == [
        "Kernel IR", "CUDA (Numba)", "PTX", "Launches"
    ]  # fmt: skip
    assert "GPU:0" in tab.locator(".details .tag").all_text_contents()


def test_a_kernel_shows_its_code_and_its_reasons(opened: Open) -> None:
    document = sample.training()
    tab = opened(document)
    view(tab, "kernels")
    step = document["plans"]["fused"]["steps"][0]
    click_box(tab, "kernel:0")
    tab.wait_for_selector(".details .codes [role=tab]")
    assert tab.text_content(".details h2") == step["name"]
    code = document["plans"]["fused"]["code"][step["code"]]
    for tab_name, field in (("Kernel IR", "nest"), ("Numba", "numba"), ("LLVM IR", "llvm"),
                            ("Assembly", "asm")):  # fmt: skip
        tab.click(f'.codes [role=tab]:text-is("{tab_name}")')
        assert tab.text_content(".codes pre.text") == code[field]
    tab.click('.codes [role=tab]:text-is("Tiles")')
    assert tab.text_content(".codes .prose") == code["tile"]
    assert "stay in registers" in tab.text_content(".details .fused")
    assert "reads all of matmul" in tab.text_content(".details .refused")
    assert "go through memory" in tab.text_content(".details .refused")
    assert "examples/sample.py:12" in tab.text_content(".details")


def test_a_node_shows_its_line_and_its_way(opened: Open) -> None:
    tab = opened(sample.training())
    click_box(tab, "n4")
    tab.wait_for_selector(".details .excerpt .here")
    assert "tf.layers.dense" in tab.text_content(".details .excerpt .here")
    assert "float32 [batch, 64]" in tab.text_content(".details .tensor")
    tab.wait_for_selector(".details .codes pre.text")
    # along the edges, by keys
    tab.focus("canvas.graph")
    tab.keyboard.press("ArrowDown")
    until(tab, "document.querySelector('.details h2').textContent === 'multiply'")
    tab.keyboard.press("ArrowUp")
    until(tab, "document.querySelector('.details h2').textContent === 'bias_add'")
    tab.keyboard.press("Escape")
    assert not tab.query_selector(".details.chosen")


def test_two_plans_are_linked(opened: Open) -> None:
    document = sample.training()
    tab = opened(document)
    view(tab, "compare")
    ids = document["plans"]["fused"]["steps"][0]["nodes"]
    click_box(tab, "kernel:0")
    tab.wait_for_selector(".details.chosen")
    chosen = tab.evaluate(
        """() => graphcView.current().panes().map((p) =>
             [...p.graph.look.selected].map((i) => p.graph.scene.items[i].tree.step))"""
    )
    apart = [s for s, step in enumerate(document["plans"]["unfused"]["steps"])
             if set(step["nodes"]) & set(ids)]  # fmt: skip
    assert chosen[0] == [0] and sorted(chosen[1]) == apart and len(apart) == len(ids) > 1
    assert "14 kernels instead of 24" in tab.text_content(".compare summary")


def test_the_schedule_is_sorted_and_linked(opened: Open) -> None:
    document = sample.training()
    tab = opened(document)
    view(tab, "schedule")
    steps = document["plans"]["fused"]["steps"]
    tab.click('.steps [role=columnheader]:has-text("Time")')
    slowest = max(steps, key=lambda s: s["microseconds"])
    assert tab.text_content(".rows .row .c-name").strip() == slowest["name"]
    tab.click(".rows .row")
    tab.wait_for_selector(".rows .row.chosen")
    assert tab.text_content(".details h2") == slowest["name"]
    tab.select_option(".schedule select", "unfused")
    assert "24 kernels" in tab.text_content(".sums")
    # a buffer, from its rectangle
    box = tab.query_selector('canvas[aria-label="Memory over the steps"]').bounding_box()
    tab.mouse.click(box["x"] + 70, box["y"] + box["height"] - 30)
    tab.wait_for_selector(".details .kind:has-text('Buffer')")
    assert "Alive" in tab.text_content(".details")


def test_lines_carry_their_cost(opened: Open) -> None:
    tab = opened(sample.training())
    view(tab, "lines")
    tab.click(".listing .used:has-text('reduce_mean')")
    tab.wait_for_selector(".listing .row.chosen")
    assert "reduce_mean" in tab.text_content(".details .bars")
    view(tab, "graph")  # and the graph has them chosen
    assert tab.evaluate("graphcView.pane().graph.look.selected.size") == 2


def test_colours(opened: Open) -> None:
    tab = opened(sample.training())
    paints = "graphcView.pane().graph.scene.items.map((i) => i.paint.fill).join()"
    seen = {tab.evaluate(paints)}
    for mode in ("kernel", "device", "microseconds", "bytes", "flops"):
        tab.select_option(".strip select", mode)
        seen.add(tab.evaluate(paints))
        assert tab.text_content(".strip .legend")
    assert len(seen) == 6
    tab.keyboard.press("t")
    assert tab.evaluate(paints) not in seen


def test_addresses_lead_back(opened: Open) -> None:
    tab = opened(sample.training(), mark="#passes&stage=3")
    assert tab.text_content(".rail h2") == "merge"
    tab = opened(sample.training(), mark="#graph&node=4")
    assert tab.text_content(".details h2") == "bias_add"
    tab = opened(sample.training(), mark="#compare&step=unfused:2")
    assert "unfused" in tab.text_content(".details .kind")


def test_loops_open_and_scopes_may_read_each_other(opened: Open) -> None:
    tab = opened(sample.looping())
    assert {"first", "middle", "second"} <= set(
        tab.evaluate("graphcView.pane().graph.scene.items.map((i) => i.under)")
    )
    titles = tab.evaluate(TITLES)
    assert "while" in titles and "multiply" not in titles
    click_box(tab, "while")
    tab.wait_for_selector(".details.chosen")
    assert "Its body" in tab.text_content(".details")
    click_box(tab, "while", double=True)
    until(tab, TITLES + ".includes('multiply')")
    tab.keyboard.press("Shift+C")
    until(tab, TITLES + ".length < 6")
    assert tab.evaluate("graphcView.pane().graph.scene.last.every((s) => s >= 0)")


def test_graphs_of_almost_nothing(opened: Open) -> None:
    empty = sample.Builder("empty").document([sample.stage("user", [], [])], {})
    tab = opened(empty)
    assert tab.evaluate(TITLES) == []
    assert [t.text_content() for t in tab.query_selector_all("[role=tab]")] == ["Graph", "Lines"]
    one = sample.Builder("one")
    one.add("relu", "r", [], None)
    stages = [sample.stage("user", [0], []), sample.stage("start", [], [])]
    tab = opened(one.document(stages, {"fused": sample.plan(one.nodes, True)}))
    for name in ("passes", "kernels", "schedule", "lines"):
        view(tab, name)
    for key in ("Shift+E", "Shift+C", "0", "f", "e", "ArrowDown", "+", "?"):
        tab.keyboard.press(key)


def test_texts_of_the_user_stay_texts(opened: Open) -> None:
    tab = opened(sample.nasty())
    for name in ("graph", "passes", "kernels", "schedule", "lines"):  # it has one plan only
        view(tab, name)
        tab.keyboard.press("/")
        tab.fill(".search input", "a")
        tab.wait_for_selector(".results .row")
    for node in range(7):
        tab.evaluate("(id) => graphcView.goTo(id)", node)
        tab.wait_for_timeout(50)
    tab.evaluate("graphcView.select({kind: 'step', plan: 'fused', step: 0}, true)")
    tab.wait_for_selector(".codes pre.text")
    assert tab.text_content(".codes pre.text") == sample.NASTY[0]
    assert tab.evaluate("window.broken") is None
    assert tab.evaluate("document.querySelectorAll('img, script[src]').length") == 0
    assert tab.title() == (sample.NASTY[1] + sample.NASTY[0])


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(opened: Open, width: int, scheme: str) -> None:
    tab = opened(sample.training(), width=width, color_scheme=scheme, has_touch=width < 600)
    assert tab.evaluate("document.documentElement.dataset.theme") == scheme
    for name in VIEWS:
        view(tab, name)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.evaluate("document.body.scrollHeight <= innerHeight")
    tab.evaluate("graphcView.select({kind: 'step', plan: 'fused', step: 0})")
    box = tab.query_selector(".details").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width


# no two boxes overlap, children lie inside their parents, edges of a graph without cycles go down
SOUND = """() => {
  const s = graphcView.pane().graph.scene, n = s.items.length, faults = [];
  const at = (i) => [s.x[i], s.y[i], s.x[i] + s.w[i], s.y[i] + s.h[i]];
  const siblings = new Map();
  for (let i = 0; i < n; i++) {
    const p = s.items[i].parent, a = at(i);
    if (!siblings.has(p)) siblings.set(p, []);
    siblings.get(p).push(i);
    if (p < 0) continue;
    const b = at(p);
    if (a[0] < b[0] || a[1] < b[1] + 20 || a[2] > b[2] || a[3] > b[3]) faults.push(["out", i, p]);
  }
  for (const all of siblings.values()) {
    all.sort((i, j) => s.x[i] - s.x[j]);
    for (let k = 0; k < all.length; k++) {
      for (let m = k + 1; m < all.length && s.x[all[m]] < s.x[all[k]] + s.w[all[k]] - 0.5; m++) {
        const a = at(all[k]), b = at(all[m]);
        if (a[1] < b[3] - 0.5 && b[1] < a[3] - 0.5) faults.push(["over", all[k], all[m]]);
      }
    }
  }
  s.edges.forEach((e, k) => {
    let i = s.last[k];
    if (i < 0) { faults.push(["lost", e.a, e.b]); return; }
    const g = s.segs, near = (p, q) => Math.abs(p - q) < 1.5;
    if (!near(g.y1[i], s.y[e.b])) faults.push(["end", e.a, e.b]);
    for (; g.parent[i] >= 0; i = g.parent[i]) {
      const q = g.parent[i];
      if (!near(g.x0[i], g.x1[q]) || !near(g.y0[i], g.y1[q])) faults.push(["torn", e.a, e.b]);
      if (g.y1[i] < g.y0[i] - 1) faults.push(["up", e.a, e.b]);
    }
    if (!near(g.y0[i], s.y[e.a] + s.h[e.a])) faults.push(["begin", e.a, e.b]);
  });
  return [n, faults.slice(0, 5)];
}"""


@pytest.mark.parametrize("document", [sample.training(5), sample.big(600)], ids=["small", "big"])
def test_the_layout_is_sound(opened: Open, document: dict[str, Any]) -> None:
    tab = opened(document)
    tab.evaluate("graphcView.pane().expandAll()")
    tab.wait_for_timeout(300)
    count, faults = tab.evaluate(SOUND)
    assert count > 40 and faults == []
    view(tab, "kernels")
    tab.wait_for_timeout(200)
    _, faults = tab.evaluate(SOUND)
    assert [f for f in faults if f[0] in ("over", "out", "lost", "torn")] == []


@pytest.mark.parametrize("document", [sample.big(5000), sample.flat(20_000)], ids=["5000", "flat"])
def test_thousands_of_nodes(opened: Open, document: dict[str, Any]) -> None:
    tab = opened(document)
    assert tab.evaluate(TITLES + ".length") < 400
    tab.keyboard.press("Shift+E")
    until(tab, TITLES + ".length > 4000")
    tab.evaluate("graphcView.goTo(2000)")
    until(tab, "graphcView.pane().graph.look.selected.size === 1")
    for name in ("kernels", "schedule", "compare"):
        view(tab, name)
