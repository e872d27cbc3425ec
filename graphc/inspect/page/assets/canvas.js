// Draws a laid out graph and says what is where. Knows boxes and curves, not what they mean.

class GraphCanvas {
  constructor(handlers) {
    this.canvas = h("canvas.graph", { tabIndex: 0, role: "img", "aria-label": "graph" });
    this.ctx = this.canvas.getContext("2d");
    this.handlers = handlers;
    this.scene = null;
    this.look = { selected: new Set(), matches: new Set(), linked: new Set(), hover: -1 };
    this.camera = new Camera(this.canvas, {
      draw: () => this.ask(),
      hover: (p, e) => this.hover(p, e),
      click: (p, e) => this.click(p, e),
      double: (p) => {
        const i = p ? this.hit(p) : -1;
        if (i >= 0 && this.scene.items[i].tree) handlers.toggle(i);
      },
    });
    this.frame = 0;
    this.fade = 1; // of the edges, while boxes move to new places
    this.cost = 0;
    this.still = document.createElement("canvas");
    this.painter = new SceneDrawing(this);
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    theme.listeners.push(() => this.ask());
  }

  resize() {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const w = this.canvas.clientWidth,
      hgt = this.canvas.clientHeight;
    if (!w || !hgt) return;
    this.ratio = ratio;
    this.canvas.width = Math.round(w * ratio);
    this.canvas.height = Math.round(hgt * ratio);
    this.draw(true);
    if (this.handlers.sized) this.handlers.sized();
  }

  ask() {
    if (!this.frame)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.draw(false);
      });
  }

  setScene(scene) {
    this.scene = scene;
    this.still.width = 0;
    this.camera.least = Math.min(
      0.2,
      0.5 *
        Math.min(this.canvas.clientWidth / scene.width, this.canvas.clientHeight / scene.height) ||
        0.2
    );
    this.ask();
  }

  draw(whole) {
    if (!this.scene || !this.canvas.width) return;
    const cam = this.camera;
    // a picture too costly to draw anew in every frame is moved while the hand moves
    if (cam.moving && !whole && this.cost > 20 && this.still.width) {
      this.moveStill();
    } else {
      const start = performance.now();
      this.painter.all();
      this.cost = performance.now() - start;
      this.keepStill();
    }
    if (this.handlers.drawn) this.handlers.drawn();
  }

  keepStill() {
    if (this.cost <= 20) {
      this.still.width = 0;
      return;
    }
    this.still.width = this.canvas.width;
    this.still.height = this.canvas.height;
    this.still.getContext("2d").drawImage(this.canvas, 0, 0);
    this.stillAt = { x: this.camera.x, y: this.camera.y, k: this.camera.k };
  }

  moveStill() {
    const { ctx, camera: cam, stillAt: was, ratio } = this;
    const scale = cam.k / was.k;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.fillStyle = theme.colours.bg;
    ctx.fillRect(0, 0, this.canvas.width, this.canvas.height);
    ctx.drawImage(
      this.still,
      (was.x - cam.x) * cam.k * ratio,
      (was.y - cam.y) * cam.k * ratio,
      this.still.width * scale,
      this.still.height * scale
    );
  }

  // The innermost item at a point; the header of a container counts as the container.
  hit(p) {
    const s = this.scene;
    if (!s) return -1;
    for (let i = s.items.length - 1; i >= 0; i--) {
      const { x, y, w, h: hgt } = s;
      if (p.x >= x[i] && p.x <= x[i] + w[i] && p.y >= y[i] && p.y <= y[i] + hgt[i]) return i;
    }
    return -1;
  }

  onToggle(p, i) {
    const s = this.scene;
    if (!s.items[i].tree || this.camera.k < 0.32) return false;
    return p.x > s.x[i] + s.w[i] - 27 && p.y < s.y[i] + 27;
  }

  hover(p, e) {
    const i = p ? this.hit(p) : -1;
    if (p) this.canvas.style.cursor = i >= 0 ? "pointer" : "";
    if (i !== this.look.hover) {
      this.look.hover = i;
      this.ask();
    }
    this.handlers.hover(i, e);
  }

  click(p, e) {
    const i = this.hit(p);
    if (i >= 0 && this.onToggle(p, i)) this.handlers.toggle(i);
    else this.handlers.pick(i, e);
  }

  fit(fly = true, least = 0) {
    const s = this.scene;
    if (s) this.camera.show(0, 0, s.width, s.height, { fly, most: 1, least });
  }

  // At first the text can be read: what does not fit begins at its inputs.
  fitFirst() {
    const s = this.scene;
    const wide = (this.canvas.clientWidth - 40) / s.width;
    const least = Math.max(0.5, Math.min(0.85, wide));
    let x0 = 0,
      x1 = s.width;
    if (s.width * least > this.canvas.clientWidth) {
      // too wide as well: the middle of the first boxes
      const first = s.items
        .map((_, i) => i)
        .filter((i) => !s.items[i].container && s.y[i] < this.canvas.clientHeight / least);
      const middles = first.map((i) => s.x[i] + s.w[i] / 2).sort((a, b) => a - b);
      if (middles.length) x0 = x1 = middles[middles.length >> 1];
    }
    this.camera.show(x0, 0, x1, s.height, { fly: false, most: 1, least });
  }

  showItems(list, fly = true) {
    const s = this.scene;
    if (!s || !list.length) return;
    let x0 = Infinity,
      y0 = Infinity,
      x1 = -Infinity,
      y1 = -Infinity;
    for (const i of list) {
      x0 = Math.min(x0, s.x[i]);
      y0 = Math.min(y0, s.y[i]);
      x1 = Math.max(x1, s.x[i] + s.w[i]);
      y1 = Math.max(y1, s.y[i] + s.h[i]);
    }
    const room = 90;
    this.camera.show(x0 - room, y0 - room, x1 + room, y1 + room, { fly, most: 1.05 });
  }
}
