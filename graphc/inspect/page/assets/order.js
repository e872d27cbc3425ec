// The order of the vertices in each row of a level, so that few lines cross. Pure, as layout.js.
function orderModule() {
  // Barycentres, down and up; the order with the fewest crossings stays. ----------------------
  function order(g, rows) {
    const n = g.kind.length,
      pos = new Float64Array(n),
      want = new Float64Array(n);
    const number = () =>
      rows.forEach((row) =>
        row.forEach((v, i) => {
          pos[v] = i;
        })
      );
    number();
    const turns = n > 12000 ? 4 : n > 3000 ? 8 : 20;
    let best = null,
      fewest = Infinity,
      idle = 0;
    for (let turn = 0; turn < turns && fewest > 0 && idle < 5; turn++) {
      const down = turn % 2 === 0;
      for (let k = 1; k < rows.length; k++) {
        const row = rows[down ? k : rows.length - 1 - k];
        const near = down ? g.up : g.down;
        for (const v of row) {
          let sum = 0;
          for (const u of near[v]) sum += pos[u];
          want[v] = near[v].length ? sum / near[v].length : pos[v];
        }
        row.sort((p, q) => want[p] - want[q] || pos[p] - pos[q]);
        row.forEach((v, i) => {
          pos[v] = i;
        });
      }
      const count = crossings(g, rows, pos);
      idle++;
      if (count < fewest) {
        fewest = count;
        best = rows.map((row) => row.slice());
        idle = 0;
      }
    }
    if (best)
      best.forEach((row, r) => {
        rows[r] = row;
      });
    number();
    if (n < 2500) transpose(g, rows, pos);
    g.pos = pos;
  }

  function crossings(g, rows, pos) {
    let total = 0;
    for (let r = 0; r + 1 < rows.length; r++) {
      const size = rows[r + 1].length,
        tree = new Int32Array(size + 1);
      let seen = 0;
      for (const v of rows[r]) {
        const ends = g.down[v].map((b) => pos[b]);
        for (const e of ends) {
          let below = 0;
          for (let i = e + 1; i > 0; i -= i & -i) below += tree[i];
          total += seen - below;
        }
        for (const e of ends) for (let i = e + 1; i <= size; i += i & -i) tree[i]++;
        seen += ends.length;
      }
    }
    return total;
  }

  // Neighbours change places where that takes crossings away.
  function transpose(g, rows, pos) {
    for (let round = 0, better = true; better && round < 4; round++) {
      better = false;
      for (const row of rows) {
        for (let i = 0; i + 1 < row.length; i++) {
          const p = row[i],
            q = row[i + 1];
          const gain = swaps(g.up, p, q) + swaps(g.down, p, q);
          if (gain <= 0) continue;
          row[i] = q;
          row[i + 1] = p;
          pos[q] = i;
          pos[p] = i + 1;
          better = true;
        }
      }
    }
    function swaps(near, p, q) {
      let gain = 0;
      if (near[p].length * near[q].length > 400) return 0;
      for (const a of near[p]) for (const b of near[q]) gain += Math.sign(pos[a] - pos[b]);
      return gain;
    }
  }

  return { order };
}
