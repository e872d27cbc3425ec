// One frame of a graph: containers, edges, boxes, labels. Less is drawn the smaller it would be.

class SceneDrawing {
  constructor(owner) {
    this.owner = owner;
  }

  all() {
    const { owner } = this;
    const { ctx, camera: cam, ratio, canvas, scene } = owner;
    this.ctx = ctx;
    this.k = cam.k;
    this.s = scene;
    this.look = owner.look;
    this.c = theme.colours;
    this.x0 = cam.x;
    this.y0 = cam.y;
    this.x1 = cam.x + canvas.clientWidth / cam.k;
    this.y1 = cam.y + canvas.clientHeight / cam.k;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.fillStyle = this.c.bg;
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.setTransform(
      ratio * cam.k,
      0,
      0,
      ratio * cam.k,
      -cam.x * cam.k * ratio,
      -cam.y * cam.k * ratio
    );
    ctx.textBaseline = "middle";
    const near = this.near();
    this.containers();
    if (this.owner.fade > 0) this.edges(near);
    if (this.owner.fade === 1) this.marked(near);
    this.boxes();
    if (this.k > 0.62 && this.owner.fade === 1) this.labels(near);
    if (this.k > 0.25) this.lasting();
  }

  seen(i) {
    const { x, y, w, h: hgt } = this.s;
    return x[i] < this.x1 && y[i] < this.y1 && x[i] + w[i] > this.x0 && y[i] + hgt[i] > this.y0;
  }

  // items whose edges stand out: selected and hovered
  near() {
    const near = new Set(this.look.selected);
    if (this.look.hover >= 0 && !this.s.items[this.look.hover].container) near.add(this.look.hover);
    return near;
  }

  box(x, y, w, hgt, radius) {
    const ctx = this.ctx;
    ctx.beginPath();
    if (this.k * Math.min(w, hgt) < 14) ctx.rect(x, y, w, hgt);
    else ctx.roundRect(x, y, w, hgt, radius);
  }

  containers() {
    const { ctx, s, c } = this;
    s.items.forEach((item, i) => {
      if (!item.container || !this.seen(i)) return;
      this.box(s.x[i], s.y[i], s.w[i], s.h[i], 10);
      const kernel = item.tree.kind === "kernel";
      ctx.fillStyle = item.depth % 2 ? c.raised : c.group;
      ctx.fill();
      ctx.lineWidth = Math.max(1, 0.6 / this.k);
      ctx.strokeStyle = kernel ? item.paint.border : c.line;
      ctx.stroke();
      if (s.y[i] >= this.y0 && s.x[i] >= this.x0) this.header(i, s.x[i], s.y[i]);
      else this.toggle(i, "−");
    });
  }

  header(i, left, top) {
    const { ctx, s, c } = this;
    if (s.h[i] * this.k < 26 || s.w[i] * this.k < 40) return;
    ctx.font = `600 ${this.k < 0.5 ? Math.min(30, 6.5 / this.k) : 13}px ${FONT}`;
    ctx.fillStyle = c.muted;
    ctx.textAlign = "left";
    ctx.fillText(s.items[i].title, left + 12, top + 16, s.x[i] + s.w[i] - left - 44);
    if (top === s.y[i]) this.toggle(i, "−");
  }

  // The names of containers that begin outside of the picture stay in sight, over what they hold.
  lasting() {
    const { ctx, s, c } = this;
    s.items.forEach((item, i) => {
      if (!item.container || !this.seen(i) || (s.y[i] >= this.y0 && s.x[i] >= this.x0)) return;
      const depth = this.stacked(i); // those of the containers around it stand above
      const left = Math.max(s.x[i], this.x0),
        top = Math.max(s.y[i], this.y0 + 28 * depth);
      const room = s.x[i] + s.w[i] - left,
        under = s.y[i] + s.h[i] - top;
      if (room < 90 || under < 40) return;
      ctx.globalAlpha = 0.92;
      this.box(left + 4, top + 4, Math.min(textWidth(item.title, TITLE) + 24, room - 20), 24, 6);
      ctx.fillStyle = item.depth % 2 ? c.raised : c.group;
      ctx.fill();
      ctx.globalAlpha = 1;
      this.header(i, left + 4, top);
    });
  }

  stacked(i) {
    const { s } = this;
    let depth = 0;
    for (let p = s.items[i].parent; p >= 0; p = s.items[p].parent) if (s.y[p] < this.y0) depth++;
    return s.y[i] < this.y0 ? depth : 0;
  }

  toggle(i, sign) {
    const { ctx, s, c } = this;
    if (this.k < 0.32) return;
    const x = s.x[i] + s.w[i] - 15,
      y = s.y[i] + 15;
    const item = s.items[i];
    ctx.strokeStyle = item.container ? c.muted : item.paint.ink;
    ctx.lineWidth = 1.4;
    ctx.beginPath();
    ctx.moveTo(x - 4, y);
    ctx.lineTo(x + 4, y);
    if (sign === "+") {
      ctx.moveTo(x, y - 4);
      ctx.lineTo(x, y + 4);
    }
    ctx.stroke();
  }

  curve(g, i) {
    const { ctx } = this;
    const x0 = g.x0[i],
      y0 = g.y0[i],
      x1 = g.x1[i],
      y1 = g.y1[i];
    ctx.moveTo(x0, y0);
    if (Math.abs(x1 - x0) < 0.5 || (Math.abs(x1 - x0) + Math.abs(y1 - y0)) * this.k < 9)
      ctx.lineTo(x1, y1);
    else {
      const bend = g.far[i] ? (y1 - y0) * 0.12 : (y1 - y0) * 0.5;
      ctx.bezierCurveTo(x0, y0 + bend, x1, y1 - bend, x1, y1);
    }
  }

  outside(g, i) {
    const x0 = g.x0[i],
      y0 = g.y0[i],
      x1 = g.x1[i],
      y1 = g.y1[i];
    if (x0 < this.x0 && x1 < this.x0) return true;
    if (x0 > this.x1 && x1 > this.x1) return true;
    if (y0 < this.y0 && y1 < this.y0) return true;
    if (y0 > this.y1 && y1 > this.y1) return true;
    return (Math.abs(x1 - x0) + Math.abs(y1 - y0)) * this.k < 1.2;
  }

  edges(near) {
    const { ctx, s, c } = this,
      g = s.segs;
    const colours = [c.edge, c.gradient, c.control];
    const busy = near.size > 0;
    for (let cls = 2; cls >= 0; cls--) {
      for (const far of [1, 0]) {
        ctx.beginPath();
        let any = false;
        for (let i = 0; i < g.cls.length; i++) {
          if (g.cls[i] !== cls || g.far[i] !== far || this.outside(g, i)) continue;
          this.curve(g, i);
          any = true;
        }
        if (!any) continue;
        ctx.globalAlpha = (far ? 0.3 : 0.95) * (busy ? 0.5 : 1) * this.owner.fade;
        ctx.strokeStyle = colours[cls];
        ctx.lineWidth = Math.max(1.25, Math.min(0.8 / this.k, 5));
        ctx.setLineDash(cls === 2 && this.k > 0.3 ? [4, 4] : []);
        ctx.stroke();
      }
    }
    ctx.setLineDash([]);
    if (this.k > 0.4) for (let cls = 0; cls < 3; cls++) this.tips(cls, colours[cls]);
    ctx.globalAlpha = 1;
  }

  tips(cls, colour) {
    const { ctx, s } = this,
      g = s.segs;
    ctx.fillStyle = colour;
    ctx.globalAlpha = 1;
    ctx.beginPath();
    for (let i = 0; i < g.cls.length; i++) {
      if (g.tip[i] && g.cls[i] === cls && !this.outside(g, i)) this.tip(g, i);
    }
    ctx.fill();
  }

  tip(g, i) {
    const { ctx } = this,
      up = g.y1[i] < g.y0[i] ? -1 : 1;
    const x = g.x1[i],
      y = g.y1[i];
    ctx.moveTo(x, y);
    ctx.lineTo(x - 3.6, y - 7.5 * up);
    ctx.lineTo(x + 3.6, y - 7.5 * up);
    ctx.closePath();
  }

  // The curves of the edges at the items that stand out, on top of all others.
  marked(near) {
    if (!near.size) return;
    const { ctx, s, c } = this,
      g = s.segs;
    for (const [into, colour] of [
      [true, c.into],
      [false, c.outof],
    ]) {
      const chosen = new Set();
      s.edges.forEach((e, k) => {
        if (!near.has(into ? e.b : e.a)) return;
        for (let i = s.last[k]; i >= 0 && !chosen.has(i); i = g.parent[i]) chosen.add(i);
      });
      if (!chosen.size) continue;
      ctx.beginPath();
      for (const i of chosen) if (!this.outside(g, i)) this.curve(g, i);
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = Math.max(2, 1.6 / this.k);
      ctx.stroke();
      ctx.beginPath();
      if (this.k > 0.25) for (const i of chosen) if (g.tip[i]) this.tip(g, i);
      ctx.fill();
    }
  }

  boxes() {
    const { ctx, s } = this;
    ctx.textAlign = "left";
    for (let i = 0; i < s.items.length; i++) {
      if (!s.items[i].container && this.seen(i)) this.item(i);
      else if (s.items[i].container) this.ring(i);
    }
  }

  item(i) {
    const { ctx, s, k } = this,
      item = s.items[i],
      p = item.paint;
    const x = s.x[i],
      y = s.y[i],
      w = s.w[i],
      hgt = s.h[i];
    ctx.globalAlpha = item.mark === "kept" ? 0.45 : 1;
    if (hgt * k < 5) {
      ctx.fillStyle = p.strong;
      ctx.fillRect(x, y, w, hgt);
    } else {
      const radius = item.tree ? 9 : 6;
      if (item.tree && hgt * k > 18) {
        this.box(x + 3, y + 3, w, hgt, radius); // there is more behind it
        ctx.fillStyle = this.c.surface;
        ctx.strokeStyle = p.border;
        ctx.lineWidth = 1;
        ctx.fill();
        ctx.stroke();
      }
      this.box(x, y, w, hgt, radius);
      ctx.fillStyle = this.c.surface;
      ctx.fill();
      ctx.fillStyle = p.fill;
      ctx.fill();
      ctx.lineWidth = Math.max(1.2, 0.7 / k);
      ctx.strokeStyle = p.border;
      ctx.stroke();
      if (hgt * k >= 17) this.text(item, i);
    }
    ctx.globalAlpha = 1;
    this.ring(i);
  }

  text(item, i) {
    const { ctx, k, s } = this,
      p = item.paint;
    const x = s.x[i],
      y = s.y[i],
      w = s.w[i],
      hgt = s.h[i];
    ctx.fillStyle = p.ink;
    const far = k < 0.55;
    if (far) {
      // only the title, as large as fits
      const size = Math.min(22, hgt * 0.42, (13 * (w - 12)) / textWidth(item.title, TITLE));
      ctx.font = `600 ${size}px ${FONT}`;
      ctx.textAlign = "center";
      ctx.fillText(item.title, x + w / 2, y + hgt / 2);
      ctx.textAlign = "left";
    } else {
      let row = y + 18;
      ctx.font = TITLE;
      ctx.fillText(item.title, x + 12, row);
      ctx.font = SMALL;
      if (item.under) {
        row += 16;
        ctx.globalAlpha *= 0.68;
        ctx.fillText(item.under, x + 12, row);
        ctx.globalAlpha = item.mark === "kept" ? 0.45 : 1;
      }
      if (item.chips) this.chip(item, x + 9, row + 9);
    }
    if (item.tree) {
      if (!far) this.toggle(i, "+");
      this.stripes(item, x, y + hgt - 9, w);
    }
  }

  chip(item, x, y) {
    const { ctx } = this;
    ctx.fillStyle = this.c.surface;
    ctx.globalAlpha *= 0.75;
    this.box(x, y, textWidth(item.chips, SMALL) + 8, 16, 4);
    ctx.fill();
    ctx.globalAlpha = item.mark === "kept" ? 0.45 : 1;
    ctx.fillStyle = this.c.ink;
    ctx.fillText(item.chips, x + 4, y + 8.5);
  }

  // What a closed scope consists of, in the colours of its ops.
  stripes(item, x, y, w) {
    if (!item.stripes) return;
    const { ctx } = this,
      all = item.stripes.reduce((sum, p) => sum + p[1], 0);
    let at = x + 11;
    for (const [colour, part] of item.stripes) {
      const width = ((w - 22) * part) / all;
      ctx.fillStyle = colour;
      ctx.fillRect(at, y, Math.max(0.5, width - 1), 3);
      at += width;
    }
  }

  ring(i) {
    const { ctx, s, c, look } = this,
      item = s.items[i];
    const colour = look.selected.has(i)
      ? c.accent
      : look.linked.has(i)
        ? c.outof
        : item.mark === "added"
          ? c.added
          : item.mark === "removed"
            ? c.removed
            : item.mark === "both" || item.mark === "changed"
              ? c.gradient
              : look.matches.has(i)
                ? c.match
                : look.hover === i && !item.container
                  ? c.muted
                  : null;
    if (!colour || !this.seen(i)) return;
    const out = look.selected.has(i) ? 3 : 2;
    this.box(s.x[i] - out, s.y[i] - out, s.w[i] + 2 * out, s.h[i] + 2 * out, item.tree ? 11 : 8);
    ctx.strokeStyle = colour;
    ctx.lineWidth = Math.max(look.hover === i ? 1.5 : 2.6, 1.8 / this.k);
    ctx.stroke();
    if (item.badge && this.k > 0.4) this.badge(item, s.x[i] + s.w[i], s.y[i]);
  }

  badge(item, x, y) {
    const { ctx } = this;
    ctx.font = `600 10.5px ${FONT}`;
    const w = textWidth(item.badge, ctx.font) + 12;
    this.box(x - w + 6, y - 10, w, 17, 8);
    ctx.fillStyle = this.c.ink;
    ctx.fill();
    ctx.fillStyle = this.c.bg;
    ctx.fillText(item.badge, x - w + 12, y - 1);
  }

  // dtype and shape, once for each tensor that leaves a box.
  labels(near) {
    const { ctx, s, c } = this;
    ctx.font = `10.5px ${FONT}`;
    ctx.lineJoin = "round";
    ctx.textAlign = "left";
    for (const l of s.labels) {
      if (l.x > this.x1 || l.y > this.y1 || l.x < this.x0 - 200 || l.y < this.y0 - 20) continue;
      ctx.strokeStyle = c.bg;
      ctx.lineWidth = 3.5;
      ctx.strokeText(l.text, l.x, l.y);
      ctx.fillStyle = near.has(l.item) ? c.ink : c.muted;
      ctx.fillText(l.text, l.x, l.y);
    }
  }
}
