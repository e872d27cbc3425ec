// The details of what a plan has made: steps, buffers, why ops are fused and why not.

Object.assign(Panel.prototype, {
  compiled(plan, id) {
    if (!this.model.finals(id).length) return null;
    const steps = plan.stepsFor(id);
    const title = `In the ${plan.name} plan`;
    const refused = this.refusals(plan, new Set(this.model.finals(id)));
    if (!steps.length) {
      return this.section(
        title,
        h(
          "p.muted",
          {},
          "No kernel of its own: it is an input, a view of another tensor's memory, or a constant."
        ),
        refused
      );
    }
    const parts = steps.slice(0, 4).map((s) => {
      const step = plan.doc.steps[s];
      return [
        this.stepCard(plan, s),
        this.why(plan, step),
        plan === this.app.plan() && step.code ? codeTabs(this.app, plan, step.code) : null,
      ];
    });
    return this.section(
      title,
      parts,
      steps.length > 4 ? h("p.muted", {}, `and ${steps.length - 4} more steps`) : null,
      refused
    );
  },

  stepCard(plan, s) {
    const step = plan.doc.steps[s];
    return h(
      "button.card",
      {
        type: "button",
        onclick: () => this.app.select({ kind: "step", plan: plan.name, step: s }, true),
      },
      h("b", {}, middle(step.name, 52)),
      h("span", {}, `step ${s} · ${step.kind} · ${countText(step.nodes.length, "op")}`),
      h(
        "span.muted",
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
  },

  why(plan, step) {
    const g = plan.doc.groups[step.group];
    if (!g || !g.why || !g.why.length) return null;
    return h(
      "div.why",
      {},
      h("h4", {}, "Why it is fused"),
      h(
        "ul.fused",
        {},
        g.why.slice(0, 40).map((w) => h("li", {}, w))
      ),
      g.why.length > 40 ? h("p.muted", {}, `and ${g.why.length - 40} more`) : null
    );
  },

  refusals(plan, ids) {
    const found = new Set();
    for (const id of ids) for (const r of plan.refused.get(id) || []) found.add(r);
    if (!found.size) return null;
    const rows = [...found]
      .map((r) => plan.doc.refusals[r])
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 30);
    return h(
      "div.why",
      {},
      h("h4", {}, "Not fused"),
      h(
        "ul.refused",
        {},
        rows.map((r) =>
          h(
            "li",
            {},
            this.link(r.producer),
            " → ",
            this.link(r.consumer),
            h("p", {}, r.reason, " ", h("em", {}, `(${bytesText(r.bytes)} go through memory)`))
          )
        )
      )
    );
  },

  step(sel) {
    const plan = this.model.plan(sel.plan),
      step = plan.doc.steps[sel.step];
    const seconds = (step.microseconds || 0) * 1e-6;
    const lines = new Map();
    for (const id of step.nodes) {
      const place = this.model.place(this.model.nodes[id]);
      if (place) lines.set(place.index + ":" + place.line, place);
    }
    return [
      h(
        "div.kind",
        {},
        h("i.dot", { style: { background: css(kernelColour(sel.step)) } }),
        `Step ${sel.step} of the ${plan.name} plan`,
        h("span.tag", {}, step.kind),
        step.device ? h("span.tag", {}, clip(step.device, 30)) : null
      ),
      h("h2", {}, step.name),
      h(
        "div.numbers",
        {},
        seconds ? number(timeText(step.microseconds), "a run") : null,
        number(
          bytesText(step.bytes),
          seconds ? `${digits(step.bytes / seconds / 1e9)} GB/s` : "moved"
        ),
        number(
          flopsText(step.flops),
          seconds
            ? `${digits(step.flops / seconds / 1e9)} GFLOP/s`
            : step.bytes
              ? `${digits(step.flops / step.bytes)} a byte`
              : ""
        )
      ),
      step.code ? this.section("Code", codeTabs(this.app, plan, step.code)) : null,
      step.nodes.length
        ? this.section(countText(step.nodes.length, "op"), this.links(step.nodes))
        : null,
      lines.size
        ? this.section(
            "The lines behind it",
            [...lines.values()]
              .slice(0, 8)
              .map((p) => [h("p.where", {}, `${p.file.path}:${p.line}`), excerpt(this.model, p)])
          )
        : null,
      this.fusion(plan, step),
      this.buffers(plan, "Reads", step.reads),
      this.buffers(plan, "Writes", step.writes),
    ];
    function number(value, under) {
      return h("div", {}, h("b", {}, value), h("span", {}, under));
    }
  },

  fusion(plan, step) {
    const why = this.why(plan, step),
      not = this.refusals(plan, new Set(step.nodes));
    const alone = step.nodes.length === 1 && !why ? h("p.muted", {}, "One op by itself.") : null;
    return why || not || alone ? this.section("Fusion", why, alone, not) : null;
  },

  buffers(plan, title, ids) {
    if (!ids.length) return null;
    return this.section(
      title,
      ids.slice(0, 30).map((b) => {
        const buffer = plan.doc.buffers[b];
        const node = this.model.nodes[buffer.node];
        return h(
          "button.link",
          {
            type: "button",
            onclick: () => this.app.select({ kind: "buffer", plan: plan.name, buffer: b }, true),
          },
          h("b", {}, buffer.kind),
          " ",
          h("span", {}, node ? middle(node.name, 40) : "scratch"),
          h("em", {}, bytesText(buffer.bytes))
        );
      })
    );
  },

  buffer(sel) {
    const plan = this.model.plan(sel.plan),
      b = plan.doc.buffers[sel.buffer];
    const shared = b.shared_with || [];
    return [
      h("div.kind", {}, `Buffer ${sel.buffer} of the ${plan.name} plan`, h("span.tag", {}, b.kind)),
      h("h2", {}, bytesText(b.bytes)),
      this.facts([
        ["Bytes", b.bytes.toLocaleString("en")],
        ["Offset in the arena", b.offset >= 0 ? b.offset.toLocaleString("en") : ""],
        ["Alive", `steps ${b.first} to ${b.last}`],
      ]),
      this.model.nodes[b.node]
        ? this.section(
            "Holds",
            this.link(b.node, tensorText(this.model.nodes[b.node].outputs[b.output]))
          )
        : null,
      this.section(
        "Used by",
        (plan.users.get(sel.buffer) || []).slice(0, 40).map((s) => this.stepCard(plan, s))
      ),
      shared.length
        ? this.section(
            "Shares its memory with",
            shared.slice(0, 40).map((o) => {
              const other = plan.doc.buffers[o];
              return h(
                "button.link",
                {
                  type: "button",
                  onclick: () =>
                    this.app.select({ kind: "buffer", plan: plan.name, buffer: o }, true),
                },
                h("b", {}, bytesText(other.bytes)),
                ` steps ${other.first} to ${other.last}`
              );
            })
          )
        : null,
    ];
  },
});
