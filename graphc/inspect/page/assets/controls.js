// What lies over a graph: buttons, colours, legend, tooltip, the small map.

class PaneControls {
  constructor(pane) {
    this.pane = pane;
    const button = (text, title, call) =>
      h("button.tool", { type: "button", title, "aria-label": title, onclick: call }, text);
    this.bottom = h(
      "div.tools",
      {},
      button("+", "Zoom in (+)", () => pane.graph.camera.zoom(1.35)),
      button("−", "Zoom out (−)", () => pane.graph.camera.zoom(1 / 1.35)),
      button("⤢", "Fit (0)", () => pane.graph.fit()),
      button("⊞", "Expand all (Shift E)", () => pane.expandAll()),
      button("⊟", "Collapse all (Shift C)", () => pane.collapseAll()),
      h("span.strokes", {}, h("i.data"), "data", h("i.grad"), "gradient", h("i.ctrl"), "control")
    );
    this.colour = h("select", {
      "aria-label": "Colour by",
      onchange: () => pane.app.setColour(this.colour.value, pane),
    });
    this.constants = h("input", {
      type: "checkbox",
      onchange: () => {
        pane.constants = this.constants.checked;
        pane.built = null;
        pane.show(pane.shown);
      },
    });
    this.legend = h("div.legend");
    this.top = h(
      "div.strip",
      {},
      h("label", {}, "Colour ", this.colour),
      h(
        "label.constants",
        {
          title:
            pane.group.by === "scope"
              ? "Constants as boxes of their own"
              : "Constants and variables as boxes of their own",
        },
        this.constants,
        pane.group.by === "scope" ? " constants" : " inputs"
      ),
      this.legend
    );
    this.busy = h("div.busy", { hidden: true, role: "status" });
    this.tip = h("div.tip", { hidden: true });
    this.fill();
  }

  fill() {
    const plan = this.pane.plan();
    const modes = Object.keys(WHAT).filter(
      (m) => m === "op" || m === "device" || (plan && (m !== "microseconds" || plan.timed))
    );
    refill(
      this.colour,
      modes.map((m) => h("option", { value: m }, WHAT[m]))
    );
  }

  setLegend(parts, mode) {
    this.colour.value = mode;
    refill(this.legend, parts);
  }

  wait(count) {
    this.busy.hidden = !count;
    if (count) this.busy.textContent = `laying out ${countText(count, "box", "boxes")} …`;
  }

  hideTip() {
    this.tip.hidden = true;
  }

  showTip(item, e) {
    const { pane } = this,
      model = pane.model,
      rows = [];
    if (item.id !== undefined) {
      const n = model.nodes[item.id];
      rows.push(h("b", {}, n.op), h("div.name", {}, middle(n.name, 90)));
      rows.push(h("div", {}, n.outputs.map((o) => tensorText(o)).join(", ") || "no output"));
      const place = model.place(n);
      if (place) rows.push(h("div.muted", {}, `${place.file.path}:${place.line}`));
      rows.push(this.numbers([item.id]));
    } else if (item.tree.kind === "kernel") {
      const step = pane.group.plan.doc.steps[item.tree.step];
      rows.push(
        h("b", {}, middle(step.name, 60)),
        h("div", {}, `${step.kind}, ${countText(step.nodes.length, "op")}`)
      );
      rows.push(
        h(
          "div.muted",
          {},
          [
            step.microseconds && timeText(step.microseconds),
            bytesText(step.bytes),
            flopsText(step.flops),
          ]
            .filter(Boolean)
            .join(" · ")
        )
      );
    } else {
      rows.push(
        h("b", {}, middle(item.tree.path || item.tree.label, 90)),
        h("div", {}, countText(item.tree.size, "op"))
      );
      rows.push(this.numbers(item.tree.leaves()));
      rows.push(
        h("div.muted", {}, item.container ? "double-click closes it" : "double-click opens it")
      );
    }
    refill(this.tip, rows);
    this.tip.hidden = false;
    const box = pane.el.getBoundingClientRect();
    const x = Math.min(e.clientX - box.left + 14, box.width - this.tip.offsetWidth - 8);
    let y = e.clientY - box.top + 16;
    if (y + this.tip.offsetHeight > box.height - 8)
      y = e.clientY - box.top - this.tip.offsetHeight - 10;
    Object.assign(this.tip.style, { left: Math.max(4, x) + "px", top: Math.max(4, y) + "px" });
  }

  numbers(ids) {
    const { pane } = this,
      plan = pane.plan();
    if (!plan) return null;
    const sum = (what) => {
      const shares = pane.model.metric(plan, what);
      return ids.reduce((total, id) => total + (shares.get(id) || 0), 0);
    };
    const parts = [
      plan.timed && sum("microseconds") && timeText(sum("microseconds")),
      sum("bytes") && bytesText(sum("bytes")),
      sum("flops") && flopsText(sum("flops")),
    ].filter(Boolean);
    return parts.length ? h("div.muted", {}, parts.join(" · ")) : null;
  }
}

class Minimap {
  constructor(graph) {
    this.graph = graph;
    this.el = h("canvas.minimap", { width: 300, height: 220, "aria-hidden": "true" });
    this.picture = document.createElement("canvas");
    const go = (e) => {
      if (e.type === "pointermove" && !e.buttons) return;
      const box = this.el.getBoundingClientRect(),
        cam = graph.camera;
      const x = ((e.clientX - box.left) * 2 - this.ox) / this.scale,
        y = ((e.clientY - box.top) * 2 - this.oy) / this.scale;
      cam.x = x - graph.canvas.clientWidth / 2 / cam.k;
      cam.y = y - graph.canvas.clientHeight / 2 / cam.k;
      cam.changed();
    };
    this.el.addEventListener("pointerdown", go);
    this.el.addEventListener("pointermove", go);
  }

  draw() {
    const { graph, el } = this,
      s = graph.scene,
      cam = graph.camera;
    const w = graph.canvas.clientWidth,
      hgt = graph.canvas.clientHeight;
    const all =
      cam.x <= 0 && cam.y <= 0 && cam.x + w / cam.k >= s.width && cam.y + hgt / cam.k >= s.height;
    el.hidden = all || w < 500;
    if (el.hidden) return;
    if (this.scene !== s || this.stale || graph.fade < 1) this.paint(s);
    const ctx = el.getContext("2d");
    ctx.clearRect(0, 0, el.width, el.height);
    ctx.drawImage(this.picture, 0, 0);
    const x = this.ox + cam.x * this.scale,
      y = this.oy + cam.y * this.scale;
    ctx.strokeStyle = theme.colours.accent;
    ctx.lineWidth = 3;
    ctx.strokeRect(x, y, (w / cam.k) * this.scale, (hgt / cam.k) * this.scale);
  }

  paint(s) {
    const { picture: p, el } = this;
    p.width = el.width;
    p.height = el.height;
    this.scale = Math.min((p.width - 12) / s.width, (p.height - 12) / s.height);
    this.ox = (p.width - s.width * this.scale) / 2;
    this.oy = (p.height - s.height * this.scale) / 2;
    const ctx = p.getContext("2d");
    ctx.setTransform(this.scale, 0, 0, this.scale, this.ox, this.oy);
    s.items.forEach((item, i) => {
      ctx.fillStyle = item.container ? theme.colours.line : item.paint.border;
      ctx.globalAlpha = item.container ? 0.35 : 1;
      ctx.fillRect(
        s.x[i],
        s.y[i],
        Math.max(s.w[i], 2 / this.scale),
        Math.max(s.h[i], 2 / this.scale)
      );
    });
    this.scene = s;
    this.stale = this.graph.fade < 1;
  }
}
