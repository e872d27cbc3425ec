// Pan, zoom and pinch of a canvas: wheel, mouse, touch. On the screen: (world - at) * k.

class Camera {
  constructor(canvas, handlers) {
    Object.assign(this, { canvas, handlers, x: 0, y: 0, k: 1, moving: false, flight: 0 });
    this.pointers = new Map();
    canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, (e) => this.up(e));
    canvas.addEventListener("pointerleave", () => handlers.hover(null));
    canvas.addEventListener("dblclick", (e) => handlers.double(this.world(e), e));
    this.settle = debounce(() => {
      this.moving = false;
      handlers.draw();
    }, 110);
  }

  world(e) {
    const box = this.canvas.getBoundingClientRect();
    const sx = e.clientX - box.left,
      sy = e.clientY - box.top;
    return { x: sx / this.k + this.x, y: sy / this.k + this.y, sx, sy };
  }

  changed() {
    this.moving = true;
    this.handlers.draw();
    this.settle();
  }

  wheel(e) {
    e.preventDefault();
    cancelAnimationFrame(this.flight);
    if (e.shiftKey && !e.ctrlKey) {
      this.x += (e.deltaX || e.deltaY) / this.k;
    } else {
      const step = e.deltaMode === 1 ? 16 : 1;
      this.zoomAt(this.world(e), Math.exp(-e.deltaY * step * (e.ctrlKey ? 0.01 : 0.0016)));
    }
    this.changed();
  }

  zoomAt(p, factor) {
    const k = Math.max(this.least || 0.01, Math.min(4, this.k * factor));
    this.x += p.sx / this.k - p.sx / k;
    this.y += p.sy / this.k - p.sy / k;
    this.k = k;
  }

  zoom(factor) {
    const sx = this.canvas.clientWidth / 2,
      sy = this.canvas.clientHeight / 2;
    this.zoomAt({ sx, sy }, factor);
    this.changed();
  }

  pan(dx, dy) {
    this.x += dx / this.k;
    this.y += dy / this.k;
    this.changed();
  }

  down(e) {
    if (e.button > 0) return;
    this.canvas.setPointerCapture(e.pointerId);
    this.canvas.focus({ preventScroll: true });
    cancelAnimationFrame(this.flight);
    this.pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    this.travelled = this.pointers.size > 1 ? 99 : 0;
  }

  move(e) {
    const was = this.pointers.get(e.pointerId);
    if (!was) {
      this.handlers.hover(this.world(e), e);
      return;
    }
    const others = [...this.pointers].filter(([id]) => id !== e.pointerId).map(([, p]) => p);
    const now = { x: e.clientX, y: e.clientY };
    this.travelled += Math.hypot(now.x - was.x, now.y - was.y);
    if (others.length) {
      // a pinch zooms about the middle of the two fingers
      const o = others[0],
        box = this.canvas.getBoundingClientRect();
      const sx = (now.x + o.x) / 2 - box.left,
        sy = (now.y + o.y) / 2 - box.top;
      const before = Math.hypot(was.x - o.x, was.y - o.y) || 1;
      this.zoomAt({ sx, sy }, Math.hypot(now.x - o.x, now.y - o.y) / before);
    }
    const share = others.length ? 0.5 : 1;
    if (this.travelled > 4) {
      this.x -= ((now.x - was.x) / this.k) * share;
      this.y -= ((now.y - was.y) / this.k) * share;
      this.canvas.style.cursor = "grabbing";
      this.changed();
    }
    this.pointers.set(e.pointerId, now);
  }

  up(e) {
    const known = this.pointers.delete(e.pointerId);
    this.canvas.style.cursor = "";
    if (known && e.type === "pointerup" && this.travelled <= 4)
      this.handlers.click(this.world(e), e);
  }

  // Shows a rectangle of the world, flying there when there is something to fly from.
  show(x0, y0, x1, y1, options) {
    const { most = 1.1, least = 0, fly = true } = options || {};
    const w = this.canvas.clientWidth,
      hgt = this.canvas.clientHeight;
    if (!w || !hgt) return;
    const fit = Math.min((w - 40) / Math.max(1, x1 - x0), (hgt - 30) / Math.max(1, y1 - y0));
    const k = Math.max(Math.min(fit, most), least, 0.005);
    const high = (y1 - y0) * k > hgt - 10; // too high to fit: from the beginning
    const y = high ? y0 - 10 / k : (y0 + y1) / 2 - hgt / 2 / k;
    this.fly({ k, x: (x0 + x1) / 2 - w / 2 / k, y }, fly);
  }

  fly(to, animate) {
    cancelAnimationFrame(this.flight);
    if (!animate || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      Object.assign(this, to);
      this.changed();
      return;
    }
    const w = this.canvas.clientWidth / 2,
      hgt = this.canvas.clientHeight / 2;
    const from = { k: this.k, cx: this.x + w / this.k, cy: this.y + hgt / this.k };
    const end = { cx: to.x + w / to.k, cy: to.y + hgt / to.k };
    const start = performance.now();
    const step = (now) => {
      const t = Math.min(1, (now - start) / 260),
        s = t * t * (3 - 2 * t);
      this.k = from.k * Math.pow(to.k / from.k, s);
      this.x = from.cx + (end.cx - from.cx) * s - w / this.k;
      this.y = from.cy + (end.cy - from.cy) * s - hgt / this.k;
      this.changed();
      if (t < 1) this.flight = requestAnimationFrame(step);
    };
    this.flight = requestAnimationFrame(step);
  }
}
