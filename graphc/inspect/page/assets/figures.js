// Small tables: plans as numbers, the keys.

// Fused beside unfused, as numbers.
const FIGURES = [
  ["Kernels", (p) => p.kernel_count, (x) => x.toLocaleString("en")],
  ["Time of a run", (p) => p.run_microseconds, timeText],
  ["Bytes moved", (p) => p.bytes, bytesText],
  ["FLOPs", (p) => p.flops, flopsText],
  ["Arena", (p) => p.arena_bytes, bytesText],
  ["Compile time", (p) => p.compile_seconds * 1e6, timeText],
];

function planTable(plans) {
  const rows = FIGURES.filter(([, get]) => plans.some((p) => get(p.doc))).map(
    ([name, get, text]) => {
      const values = plans.map((p) => get(p.doc)),
        most = Math.max(...values.map((v) => v || 0));
      const least = Math.min(...values.filter((v) => v));
      return h(
        "tr",
        {},
        h("th", { scope: "row" }, name),
        values.map((v) =>
          h(
            "td",
            {},
            h(
              "div.cell",
              {},
              h("i", { style: { width: `${most ? (100 * (v || 0)) / most : 0}%` } }),
              h(
                "span",
                {},
                v === null || v === undefined ? "–" : text(v),
                v && least && v > least * 1.005 ? h("em", {}, ` ×${digits(v / least)}`) : null
              )
            )
          )
        )
      );
    }
  );
  return h(
    "table.figures",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th"),
        plans.map((p) => h("th", { scope: "col" }, p.name))
      )
    ),
    h("tbody", {}, rows)
  );
}

const KEYS = [
  ["/", "search"],
  ["1 … 6", "views"],
  ["+ − 0", "zoom in, out, fit"],
  ["arrows", "pan; from a chosen box, walk the edges"],
  ["E", "open or close the chosen scope"],
  ["Shift E, Shift C", "expand or collapse all"],
  ["F", "show what is chosen"],
  ["[ ]", "pass before, pass after"],
  ["T", "light or dark"],
  ["Esc", "let go"],
  ["?", "this list"],
];

function keysTable() {
  return h(
    "table.keys",
    {},
    KEYS.map(([key, what]) => h("tr", {}, h("td", {}, h("kbd", {}, key)), h("td", {}, what)))
  );
}
